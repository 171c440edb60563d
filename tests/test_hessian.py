"""The Hessian operator and its solvers: against autodiff, against the dense truth, CSR, threads, and bad input."""

from __future__ import annotations

import autodiff
import numpy as np
import pytest
import tensorflow as tf
from conftest import THREADS
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from augcore import _multinomial, _random, influence
from augcore.influence import LogisticHessian, design, inverse_hvp, sketched_quadratic_form, solvers

EXACT = ("cholesky", "cg", "nystrom")
KINDS = [(1, True), (1, False), (2, True), (4, True), (4, False)]


def problem(n=60, p=5, rows=1, intercept=True, seed=0):
    """X, coef, intercept and weights; `rows` of coef, one for a binary model."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.7)
    offset = rng.normal(size=rows) if intercept else None
    return X, rng.normal(size=(rows, p)), offset, rng.uniform(0.1, 3.0, n)


def by_autodiff(X, coef, intercept, weight, penalty):
    """The Hessian of the objective in the contrasts."""
    design = X if intercept is None else np.column_stack([X, np.ones(len(X))])
    full = coef if intercept is None else np.column_stack([coef, intercept])
    basis = np.eye(1) if len(coef) == 1 else _multinomial.contrasts(len(coef))
    free = np.ones(full.shape[1])
    if intercept is not None:
        free[-1] = 0.0

    def objective(theta):
        moved = tf.reshape(theta, (len(basis), full.shape[1]))
        logits = design @ tf.transpose(full + basis.T @ moved)
        logits = autodiff.binary_logits(logits) if len(coef) == 1 else logits
        losses = tf.reduce_logsumexp(logits, axis=1)  # the curvature does not depend on the labels
        return tf.reduce_sum(weight * losses) + penalty / 2 * tf.reduce_sum(moved**2 * free)

    return autodiff.hessian(objective, np.zeros(len(basis) * full.shape[1]))


@pytest.mark.parametrize(("rows", "intercept"), KINDS)
@pytest.mark.parametrize("shape", [(60, 5), (1, 1), (3, 7), (0, 2)])
def test_matrix_and_products_by_autodiff(rows, intercept, shape, monkeypatch):
    monkeypatch.setattr(design, "_BLOCK_ELEMENTS", 64)  # many blocks
    X, coef, offset, weight = problem(*shape, rows=rows, intercept=intercept)
    H = LogisticHessian(X, coef, offset, 0.2, sample_weight=weight, damping=0.05)
    truth = by_autodiff(X, coef, offset, weight, 0.25)
    assert H.shape == truth.shape
    np.testing.assert_allclose(H.dense(), truth, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(H.diagonal(), np.diag(truth), rtol=1e-11, atol=1e-12)
    V = np.random.default_rng(1).normal(size=(len(truth), 3))
    np.testing.assert_allclose(H.matvec(V), truth @ V, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(H @ V[:, 0], truth @ V[:, 0], rtol=1e-10, atol=1e-11)
    operator = H.as_linear_operator()
    for product in (operator.matmat, operator.rmatmat):
        np.testing.assert_allclose(product(V), truth @ V, rtol=1e-10, atol=1e-11)
    for product in (operator.matvec, operator.rmatvec):
        np.testing.assert_allclose(product(V[:, 0]), truth @ V[:, 0], rtol=1e-10, atol=1e-11)
    assert H.matvec(V[:, :0]).shape == (len(truth), 0)
    assert f"{len(truth)} x {len(truth)}" in repr(H)
    assert ("binary" if rows == 1 else f"{rows} classes") in repr(H)


def test_float32_points_are_summed_in_float64():
    X, coef, offset, weight = problem(rows=3)
    single = X.astype(np.float32)
    ours, truth = (LogisticHessian(x, coef, offset, sample_weight=weight) for x in (single, single.astype(float)))
    V = np.random.default_rng(1).normal(size=(12, 2))
    for found, expected in ((ours.dense(), truth.dense()), (ours.diagonal(), truth.diagonal()), (ours @ V, truth @ V)):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("matrix", [np.zeros((100, 9)), sparse.csr_array((100, 9))], ids=["dense", "sparse"])
@pytest.mark.parametrize("width", [1, 50, 10_000])
def test_blocks_are_small(matrix, width, monkeypatch):
    monkeypatch.setattr(design, "_BLOCK_ELEMENTS", 600)
    points = design.Design.of("X", matrix, True, 1)
    blocks = points.blocks(width)
    assert sum(points.rows(rows).shape[0] for rows in blocks) == 100
    held = width + (0 if points.sparse else 10)
    assert all(points.rows(rows).shape[0] == 1 or points.rows(rows).shape[0] * held <= 600 for rows in blocks)


@pytest.mark.parametrize("rows", [2, 4])
def test_products_keep_what_certain_points_add(rows):
    """Logits of a hundred: curvatures of e^-100, not the 0 or the 1e-16 that 1 - p would leave."""
    X = np.array([[1.0, 2.0]])
    coef = np.zeros((rows, 2))
    coef[0] = 100.0, 0.0
    H = LogisticHessian(X, coef, None, 0.0)
    expected = np.exp(-100.0) * (rows - 1)  # p_0 (1 - p_0), the curvature in the logit of the first class
    e0 = H.contrasts[:, 0]
    V = np.kron(e0, [1.0, 0.0])
    np.testing.assert_allclose(V @ H.matvec(V), expected, rtol=1e-12)
    np.testing.assert_allclose(H.dense(), H.matvec(np.eye(len(V))), rtol=1e-10, atol=1e-13 * expected)
    assert H.spread[0] >= np.linalg.eigvalsh(H.dense() / 5.0).max() * (1 - 1e-12)


@pytest.mark.parametrize(("rows", "intercept"), KINDS)
def test_csr_is_dense(rows, intercept, monkeypatch):
    monkeypatch.setattr(design, "_BLOCK_ELEMENTS", 64)
    X, coef, offset, weight = problem(rows=rows, intercept=intercept)
    csr = sparse.csr_matrix(X)
    parts = sparse.csr_array((np.repeat(csr.data / 2, 2), np.repeat(csr.indices, 2), 2 * csr.indptr), shape=X.shape)
    for found, tolerance in ((csr, 1e-12), (parts, 1e-12), (parts.astype(np.float32), 1e-6)):
        ours, truth = (LogisticHessian(x, coef, offset, 0.2, sample_weight=weight) for x in (found, X))
        V = np.random.default_rng(1).normal(size=(ours.shape[0], 2))
        assert ours.design.sparse
        assert ours.design.n_products == csr.nnz
        np.testing.assert_allclose(ours.dense(), truth.dense(), rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(ours.matvec(V), truth.matvec(V), rtol=10 * tolerance, atol=10 * tolerance)
        np.testing.assert_allclose(ours.diagonal(), truth.diagonal(), rtol=tolerance, atol=tolerance)
        for solver in EXACT:
            np.testing.assert_allclose(ours.solve(V, solver, 1e-11, 0), truth.solve(V), rtol=1e-5, atol=1e-5)
        form, exact = (sketched_quadratic_form(h, x, 7, 3)[0] for h, x in ((ours, found), (truth, X)))
        np.testing.assert_allclose(form, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("rows", "intercept"), KINDS)
@pytest.mark.parametrize("solver", ["auto", *EXACT])
@pytest.mark.parametrize("shape", [(80, 6), (1, 1), (3, 9)])
def test_exact_solvers(rows, intercept, solver, shape):
    X, coef, offset, weight = problem(*shape, rows=rows, intercept=intercept)
    units = np.logspace(-1, 1, shape[1])  # features in any units
    X, coef, V_units = X * units, coef / units, np.array([1.0, 1e-200, 1e90])
    H = LogisticHessian(X, coef, offset, 0.02, sample_weight=weight, damping=0.01)
    V = np.random.default_rng(1).normal(size=(H.shape[0], 3)) * V_units
    truth = np.linalg.solve(H.dense(), V)
    settings = {"sample_weight": weight, "damping": 0.01, "solver": solver, "tol": 1e-11, "rng": 0}
    found, info = inverse_hvp(X, V, coef, offset, 0.02, **settings, return_info=True)
    assert (np.linalg.norm((found - truth) / V_units, axis=0) <= 1e-7 * np.linalg.norm(truth / V_units, axis=0)).all()
    assert info.solver == ("cholesky" if solver == "auto" else solver)
    assert (info.residuals <= 1e-11).all()
    assert (info.iterations > 0) == (info.solver != "cholesky")
    single = inverse_hvp(X, V[:, 0], coef, offset, 0.02, **settings)
    np.testing.assert_allclose(single, found[:, 0], rtol=1e-6, atol=1e-9 * np.abs(single).max())
    empty, info = inverse_hvp(X, V[:, :0], coef, offset, 0.02, **settings, return_info=True)
    assert empty.shape == (len(V), 0) == (len(V), *info.residuals.shape)


def test_columns_stop_by_themselves_and_zero_is_zero():
    X, coef, offset, _ = problem(200, 20)
    H = LogisticHessian(X, coef, offset, 0.1)
    easy = H.dense()[:, 0]
    V = np.column_stack([np.zeros(21), easy, np.random.default_rng(2).normal(size=21)])
    found, info = H.solve(V, "cg", 1e-10, return_info=True)
    assert (found[:, 0] == 0).all()
    np.testing.assert_allclose(found[:, 1], np.eye(21)[0], atol=1e-8)
    assert (info.residuals <= 1e-10).all()
    assert info.residuals[0] == 0


def test_nystrom_takes_fewer_iterations_where_the_spectrum_falls():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 40)) @ (rng.normal(size=(40, 120)) * np.logspace(0, -3, 40)[:, None])
    X += 1e-3 * rng.normal(size=X.shape)
    H = LogisticHessian(X, np.zeros(120), 0.0, 1e-3)
    V = rng.normal(size=(121, 2))
    taken = {
        rank: H.solve(V, "nystrom" if rank else "cg", 1e-8, 0, rank=rank, return_info=True)[1].iterations
        for rank in (None, 1, 20, 50)
    }
    assert taken[50] < taken[20] / 1.5 < taken[1] / 2
    assert taken[50] < taken[None] / 2


def rough_runs(monkeypatch, error):
    """Runs of conjugate gradients whose solutions are off; what each took is appended to the list."""
    run, taken = solvers._run, []

    def rough(*arguments):
        found, iterations = run(*arguments)
        taken.append(iterations)
        return found * (1.0 + error), iterations

    monkeypatch.setattr(solvers, "_run", rough)
    return taken


def test_conjugate_gradients_start_anew_until_the_residual_is_small(monkeypatch):
    X, coef, offset, _ = problem(200, 20)
    H = LogisticHessian(X, coef, offset, 0.1)
    V = np.random.default_rng(1).normal(size=(21, 3))
    taken = rough_runs(monkeypatch, 1e-3)
    found, info = H.solve(V, "cg", 1e-11, return_info=True)
    assert (info.residuals <= 1e-11).all()
    np.testing.assert_allclose(found, H.solve(V, "cholesky"), rtol=1e-6)
    assert 3 < len(taken) < 6
    assert info.iterations == sum(taken)
    with pytest.warns(ConvergenceWarning, match=f"in {taken[0] + 2} iterations, not 1e-11"):
        H.solve(V, "cg", 1e-11, max_iter=taken[0] + 2)


def test_conjugate_gradients_end_where_rounding_is_all_that_is_left():
    X, coef, offset, _ = problem(200, 20)
    H = LogisticHessian(X, coef, offset, 0.1)
    with pytest.warns(ConvergenceWarning, match="not 1e-17"):
        _, info = H.solve(np.ones(21), "cg", 1e-17, return_info=True)
    assert info.iterations < 300


@pytest.mark.parametrize("rows", [1, 3])
def test_what_lissa_knows_of_the_spectrum(rows):
    X, coef, offset, weight = problem(40, 5, rows=rows)
    H = LogisticHessian(X, coef, offset, 0.1, sample_weight=weight)
    root = 1.0 / np.sqrt(H.diagonal())[:, None]
    largest = np.linalg.eigvalsh(root * H.dense() * root.T).max()
    assert 0.98 * largest < solvers._largest_eigenvalue(H, root, _random.key(0)) <= largest * (1 + 1e-12)
    terms = [
        np.linalg.eigvalsh(root * LogisticHessian(X[[i]], coef, offset, sample_weight=weight[[i]]).dense() * root.T)
        for i in range(40)
    ]
    bound = solvers._largest_term(H, root)
    assert np.max(terms) * (1 - 1e-12) <= bound < 3 * np.max(terms)
    assert bound == pytest.approx(np.max(terms), rel=1e-12) or rows > 1
    if rows == 3:  # a class of one point: in its contrast the units are others
        X[0], coef[2], offset[2] = 3.0, 1.0, -8.0
        H = LogisticHessian(X, coef, offset)
        root = 1.0 / np.sqrt(H.diagonal())[:, None]
        own = root * LogisticHessian(X[:1], coef, offset).dense() * root.T
        assert np.linalg.eigvalsh(own).max() * (1 - 1e-12) <= solvers._largest_term(H, root)
    X[0] *= 1e4
    assert solvers._largest_term(LogisticHessian(X, 0 * coef, offset), root) > 1e6 * bound


def test_normal_numbers_are_independent():
    drawn = np.hstack([solvers._normals(_random.key(seed), stream, 4000, 3) for seed in (0, 1) for stream in (0, 1)])
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(12), atol=0.1)


def test_lissa_over_all_points_is_gradient_descent():
    X, coef, offset, weight = problem(100, 3)
    H = LogisticHessian(X, 0.1 * coef, offset, 20.0, sample_weight=weight)
    V = np.random.default_rng(1).normal(size=(4, 2))
    found, info = H.solve(V, "lissa", rng=0, max_iter=400, return_info=True)
    np.testing.assert_allclose(found, H.solve(V), rtol=1e-9)
    assert (info.error < 1e-12).all()
    assert info.iterations == 400


def test_lissa_does_not_run_away_from_a_heavy_point(monkeypatch):
    """A batch that has it is 25 times as curved as the whole."""
    monkeypatch.setattr(solvers, "_LISSA_ROWS", 40)
    X, coef, offset, _ = problem(1000, 3)
    X[7] = 300.0, 0.0, 0.0
    H = LogisticHessian(X, 0 * coef, offset, 1.0)
    V = np.random.default_rng(1).normal(size=4)
    found = H.solve(V, "lissa", rng=0, max_iter=3000)
    assert np.linalg.norm(found - H.solve(V)) < 0.5 * np.linalg.norm(H.solve(V))


def test_lissa_contracts_and_says_its_error(monkeypatch):
    monkeypatch.setattr(solvers, "_LISSA_ROWS", 50)
    X, coef, offset, weight = problem(2000, 8, rows=3)
    V = np.random.default_rng(1).normal(size=(18, 2))
    arguments = X, V, coef, offset, 1.0
    truth = inverse_hvp(*arguments, sample_weight=weight)
    call = {"solver": "lissa", "rng": 5, "return_info": True, "sample_weight": weight}
    found, info = inverse_hvp(*arguments, **call)
    error = np.linalg.norm(found - truth, axis=0) / np.linalg.norm(truth, axis=0)
    assert (error < 0.1).all()
    assert ((info.error > error / 3) & (info.error < 3 * error)).all()
    again, _ = inverse_hvp(*arguments, **call, threads=2)
    assert np.array_equal(found, again)
    with pytest.warns(ConvergenceWarning, match="'lissa' reached a relative residual of .* in 2 iterations"):
        inverse_hvp(*arguments, solver="lissa", max_iter=2, rng=0)


@pytest.mark.parametrize("rows", [1, 3])
def test_sketches_are_unbiased_with_the_error_they_state(rows, monkeypatch):
    monkeypatch.setattr(design, "_BLOCK_ELEMENTS", 1 << 16)
    X, coef, offset, weight = problem(300, 4, rows=rows)
    H = LogisticHessian(X, coef, offset, 0.5, sample_weight=weight)
    C = len(H.contrasts)
    inverse = np.linalg.inv(H.dense()).reshape(C, 5, C, 5)
    Z = np.column_stack([X, np.ones(300)])
    truth = np.einsum("nj,kjlm,nm->nkl", Z, inverse, Z)
    truth = truth[:, 0, 0] if rows == 1 else truth
    draws = [sketched_quadratic_form(H, X, 130, seed) for seed in range(40)]
    estimates, errors = (np.array([draw[part] for draw in draws]) for part in (0, 1))
    assert estimates.shape == (40, *truth.shape) == errors.shape
    scaled = (estimates - truth) / errors.mean(axis=0)
    assert abs(scaled.mean()) < 0.3
    assert 0.8 < np.mean(scaled**2) < 1.2
    V = np.random.default_rng(1).normal(size=(C * 5, 2))
    few = np.mean([np.sum(V * H.solve(V, "sketch", rng=seed, rank=120), axis=0) for seed in range(20)], axis=0)
    np.testing.assert_allclose(few, np.sum(V * H.solve(V), axis=0), rtol=0.1)
    found, info = H.solve(V, "sketch", rng=3, rank=5_000, return_info=True)
    exact = H.solve(V)
    assert info.error == pytest.approx(np.full(2, np.sqrt((C * 5 + 1) / 5_000)))
    difference = found - exact
    relative = np.sqrt(np.sum(difference * (H @ difference), 0) / np.sum(exact * V, 0))
    assert ((relative < 2 * info.error) & (relative > info.error / 4)).all()


@pytest.mark.parametrize("rows", [1, 3])
def test_the_covariance_of_probes(rows):
    """Points without features leave the ridge and the intercepts, exactly; 40,000 probes show the rest."""
    X, coef, offset, weight = problem(6, 2, rows=rows)
    alone = LogisticHessian(np.zeros((1, 2)), coef, None, 9.0)
    assert np.array_equal(np.abs(alone.root_probes(_random.key(0), 5)), np.full((alone.shape[0], 5), 3.0))
    H = LogisticHessian(X, coef, offset, 0.25, sample_weight=weight)
    g = H.root_probes(_random.key(1), 40_000)
    np.testing.assert_allclose(g @ g.T / 40_000, H.dense(), atol=0.03 * np.diag(H.dense()).max())


@pytest.mark.parametrize("solver", ["cg", "nystrom"])
def test_the_tolerance_of_the_sketch(solver):
    X, coef, offset, weight = problem(100, 9)
    H = LogisticHessian(X, coef, offset, 0.1, sample_weight=weight)
    exact, _ = sketched_quadratic_form(H, X, 10, 1, solver="cholesky")
    for tol in (1e-3, 1e-12):
        found, _ = sketched_quadratic_form(H, X, 10, 1, solver=solver, tol=tol)
        error = np.abs(found / exact - 1.0).max()
        assert tol / 1000 < error + 1e-15 < 30 * tol


@pytest.mark.parametrize("rows", [1, 3])
def test_threads_and_seeds(rows):
    X, coef, offset, weight = problem(500, 9, rows=rows)
    V = np.random.default_rng(1).normal(size=(LogisticHessian(X, coef, offset).shape[0], 2))
    results = []
    for threads in (*THREADS, None):
        H = LogisticHessian(X, coef, offset, 0.1, sample_weight=weight, threads=threads)
        parts = [H.dense(), H.diagonal(), H @ V, *(H.solve(V, solver, rng=7) for solver in (*EXACT, "sketch"))]
        results.append([*parts, sketched_quadratic_form(H, X, 20, 7)[0]])
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))
    for solver in ("sketch", "nystrom"):
        assert not np.array_equal(H.solve(V, solver, rng=7), H.solve(V, solver, rng=8))


def test_auto_goes_by_size(monkeypatch):
    X, coef, offset, _ = problem(50, 40)
    H = LogisticHessian(X, coef, offset, 1.0)
    assert H.solve(np.ones(41), return_info=True)[1].solver == "cholesky"
    monkeypatch.setattr(solvers, "_ALWAYS_DENSE", 10)
    monkeypatch.setattr(solvers, "_USUAL_ITERATIONS", 1)
    assert H.solve(np.ones(41), return_info=True)[1].solver == "cg"
    assert H.solve(np.ones((41, 500)), return_info=True)[1].solver == "cholesky"
    monkeypatch.setattr(solvers, "_MAX_DENSE", 40)
    assert H.solve(np.ones((41, 500)), return_info=True)[1].solver == "cg"


@pytest.mark.parametrize("solver", ["cholesky", "cg", "nystrom", "lissa", "sketch"])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_singular_hessian_is_refused_or_warned_of(solver, rows):
    X, coef, offset, _ = problem(40, 4, rows=rows)
    X[:, 2] = 0.0
    d = LogisticHessian(X, coef, offset).shape[0]
    with pytest.raises(np.linalg.LinAlgError, match="l2"):
        inverse_hvp(X, np.ones(d), coef, offset, solver=solver, rng=0)
    X[:, 2] = X[:, 1]
    with pytest.raises((np.linalg.LinAlgError, ConvergenceWarning), match="l2"):
        inverse_hvp(X, np.random.default_rng(0).normal(size=d), coef, offset, solver=solver, rng=0)
    if solver in EXACT:
        with pytest.raises((np.linalg.LinAlgError, ConvergenceWarning), match="l2"):
            sketched_quadratic_form(LogisticHessian(X, coef, offset), X, 10, 0, solver=solver)


@pytest.mark.parametrize("solver", EXACT)
def test_a_hessian_of_which_no_digit_is_left_is_refused_or_warned_of(solver):
    """A column that others make up but for rounding: the pivots are above theirs."""
    X, coef, offset, _ = problem(200, 30)
    X[:, 2] = X[:, 1] + 1e-4 * X[:, 3]
    V = np.random.default_rng(0).normal(size=31)
    with pytest.raises((np.linalg.LinAlgError, ConvergenceWarning), match="l2"):
        inverse_hvp(X, V, coef, offset, solver=solver)
    X[:, 2] += 1e-4 * np.random.default_rng(1).normal(size=200)  # condition 1e9
    H = LogisticHessian(X, coef, offset)
    assert np.linalg.norm(V - H @ H.solve(V, "cholesky")) < 1e-6


@pytest.mark.parametrize("solver", EXACT)
def test_a_solution_that_overflows_is_refused(solver):
    H = LogisticHessian(np.zeros((1, 2)), np.zeros(2), None, 1e-300)
    with pytest.raises(np.linalg.LinAlgError, match="overflows.*l2"):
        H.solve(np.full(2, 1e100), solver)


def test_too_few_iterations_are_told():
    X, coef, offset, _ = problem(200, 30)
    with pytest.warns(ConvergenceWarning, match=r"'cg' reached a relative residual of .* in 3 iterations, not 1e-08"):
        _, info = inverse_hvp(X, np.ones(31), coef, offset, 1e-3, solver="cg", max_iter=3, return_info=True)
    assert info.iterations == 3
    assert info.residuals > 1e-8


GOOD = {"X": np.eye(3), "V": np.ones(4), "coef": np.ones(3)}
BAD = [
    ("X", {"X": np.array([[np.nan, 1, 1]])}, ValueError),
    ("X", {"X": sparse.csr_matrix(np.array([[np.inf, 1, 1]]))}, ValueError),
    ("X", {"X": sparse.csr_matrix(np.ones((2, 3), dtype=complex))}, TypeError),
    ("X", {"X": sparse.csr_matrix((2, 0))}, ValueError),
    ("X", {"X": sparse.csr_matrix((np.full(2, 9e99), [1, 1], [0, 2]), shape=(1, 3))}, ValueError),
    ("X", {"X": sparse.csc_matrix(np.ones((2, 3)))}, TypeError),
    ("X", {"X": np.ones(3)}, ValueError),
    ("coef", {"coef": np.ones(2)}, ValueError),
    ("coef", {"coef": np.ones((3, 2))}, ValueError),
    ("coef", {"coef": np.ones((0, 3))}, ValueError),
    ("coef", {"coef": np.full((2, 3), np.nan)}, ValueError),
    ("coef", {"coef": ["a", "b", "c"]}, TypeError),
    ("intercept", {"coef": np.ones((3, 3)), "intercept": np.ones(2)}, ValueError),
    ("intercept", {"intercept": np.inf}, ValueError),
    ("l2", {"l2": -1.0}, ValueError),
    ("damping", {"damping": "much"}, TypeError),
    ("damping", {"l2": 1e308, "damping": 1e308}, ValueError),
    ("sample_weight", {"sample_weight": np.ones(2)}, ValueError),
    ("sample_weight", {"sample_weight": -np.ones(3)}, ValueError),
    ("V", {"V": np.ones(3)}, ValueError),
    ("V", {"V": np.full(4, np.nan)}, ValueError),
    ("V", {"V": np.ones((4, 1, 1))}, ValueError),
    ("V", {"V": "v"}, TypeError),
    ("solver", {"solver": "magic"}, ValueError),
    ("tol", {"tol": -1.0}, ValueError),
    ("max_iter", {"max_iter": 0}, ValueError),
    ("rank", {"rank": 1.5}, TypeError),
    ("rng", {"rng": "seed"}, TypeError),
    ("threads", {"threads": 0}, ValueError),
]


@pytest.mark.parametrize(("name", "changes", "error"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_named(name, changes, error):
    arguments = {**GOOD, "l2": 1.0, **changes}
    with pytest.raises(error, match=f"^{name}: "):
        inverse_hvp(**arguments)


def test_bad_input_of_the_sketch_is_named():
    H = LogisticHessian(np.eye(3), np.ones(3), 0.0, 1.0)
    for name, arguments, error in [
        ("hessian", ("H", np.eye(3)), TypeError),
        ("X", (H, np.eye(4)), ValueError),
        ("X", (H, sparse.eye(4).tocsr()), ValueError),
        ("n_probes", (H, np.eye(3), 0), ValueError),
        ("rng", (H, np.eye(3), 5, -1), ValueError),
    ]:
        with pytest.raises(error, match=f"^{name}: "):
            sketched_quadratic_form(*arguments)
    with pytest.raises(ValueError, match="^solver: "):
        sketched_quadratic_form(H, np.eye(3), solver="lissa")


def test_inputs_are_left_alone():
    X, coef, offset, weight = problem()
    V = np.ones((6, 2))
    whole = sparse.csr_matrix(X)
    csr = sparse.csr_matrix(  # every entry in two parts, the columns of a row backwards
        (np.repeat(whole.data / 2, 2)[::-1], np.repeat(whole.indices, 2)[::-1], (2 * (whole.nnz - whole.indptr))[::-1]),
        shape=X.shape,
    )
    arrays = (X, coef, offset, weight, V, csr.data, csr.indices, csr.indptr)
    before = [a.copy() for a in arrays]
    for matrix in (X, csr):
        for solver in (*EXACT, "lissa", "sketch"):
            influence.inverse_hvp(matrix, V, coef, offset, 1.0, sample_weight=weight, solver=solver, rng=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, arrays, strict=True))
