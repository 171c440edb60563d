"""Leave-one-out scores of softmax models: by definition, in many digits, by autodiff, against refits, and refusals."""

from __future__ import annotations

import autodiff
import mpmath
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from conftest import THREADS
from scipy.optimize import minimize
from scipy.stats import pearsonr
from sklearn.datasets import load_digits

from augcore import _multinomial, influence, reference, scores
from augcore.influence import points
from augcore.influence.points import points_of
from augcore.linear_model import HessianFactor, LogisticRegression

ALONE = ("log_loss", "margin", "residual")
LEAVE_ONE_OUT = ("loo_influence", "loo_loss_change", "leverage")


def problem(n=80, p=5, n_classes=4, seed=0, spread=0.5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    coef, intercept = spread * rng.normal(size=(n_classes, p)), rng.normal(size=n_classes)
    y = np.argmax(X @ coef.T + rng.gumbel(size=(n, n_classes)), axis=1)
    y[: 2 * n_classes] = np.tile(np.arange(n_classes), 2)
    return X, y, coef, intercept, rng.uniform(0.1, 3.0, n)


def with_ones(X, intercept):
    return X if intercept is None else np.column_stack([X, np.ones(len(X))])


def joined(coef, intercept):
    return coef if intercept is None else np.column_stack([coef, intercept])


def everything(X, y, coef, intercept, l2, **keywords):
    return {name: getattr(influence, name)(X, y, coef, intercept, l2, **keywords) for name in LEAVE_ONE_OUT}


# ---- what the scores are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("l2", [0.0, 0.3, 20.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_are_their_definitions(with_intercept, n_classes, l2, dtype):
    """In the K logits with a pseudo-inverse, where ours are in contrasts; without a penalty too."""
    X, y, coef, intercept, weight = problem(n_classes=n_classes)
    X = X.astype(dtype)
    intercept = intercept if with_intercept else None
    design = with_ones(X.astype(float), intercept)
    penalty = np.where(np.arange(design.shape[1]) < 5, l2, 0.0)
    expected = reference.softmax_leave_one_out(design, y, weight, joined(coef, intercept), penalty)
    ours = everything(X, y, coef, intercept, l2, sample_weight=weight)
    for name, values in zip(LEAVE_ONE_OUT, expected, strict=True):
        np.testing.assert_allclose(ours[name], values, rtol=1e-9, atol=1e-13, err_msg=name)
    if l2 == 0:
        np.testing.assert_allclose(ours["leverage"].sum(), (n_classes - 1) * design.shape[1], rtol=1e-10)


@pytest.mark.parametrize(("spread", "ridge", "tolerance"), [(0.5, 1e-3, 1e-9), (8.0, 1e-2, 1e-8)])
def test_scores_in_many_digits(spread, ridge, tolerance):
    """The definitions with 60 digits, in plain differences of the logits; small values are exact as well."""
    X, y, coef, intercept, weight = problem(n=18, p=2, n_classes=3, spread=spread)
    ours = everything(X, y, coef, intercept, ridge, sample_weight=weight)
    with mpmath.workdps(60):
        design = [mpmath.matrix([*map(float, x), 1]) for x in X]
        theta = [mpmath.matrix([*map(float, c), float(b)]) for c, b in zip(coef, intercept, strict=True)]
        logits = [[(x.T * t)[0] for t in theta] for x in design]

        def softmax(eta):
            e = [mpmath.exp(v) for v in eta]
            return [v / sum(e) for v in e]

        total = mpmath.zeros(9)
        for x, eta, w in zip(design, logits, weight, strict=True):
            p = softmax(eta)
            for k in range(3):
                for m in range(3):
                    total[3 * k : 3 * k + 3, 3 * m : 3 * m + 3] += float(w) * p[k] * ((k == m) - p[m]) * (x * x.T)
        for k in range(3):
            for j in range(2):
                total[3 * k + j, 3 * k + j] += ridge
            for m in range(3):  # the common intercept, along which nothing changes
                total[3 * k + 2, 3 * m + 2] += 1
        inverse = total**-1
        for i, (x, eta, w, code) in enumerate(zip(design, logits, weight, y, strict=True)):
            p = softmax(eta)
            r = mpmath.matrix([v - (k == code) for k, v in enumerate(p)])
            blocks = [[inverse[3 * k : 3 * k + 3, 3 * m : 3 * m + 3] for m in range(3)] for k in range(3)]
            a = mpmath.matrix([[(x.T * blocks[k][m] * x)[0] for m in range(3)] for k in range(3)])
            d = mpmath.matrix([[p[k] * ((k == m) - p[m]) for m in range(3)] for k in range(3)])
            w = float(w)
            move = w * a * ((mpmath.eye(3) - w * d * a) ** -1 * r)
            change = mpmath.log(softmax(eta)[code] / softmax([e + m for e, m in zip(eta, move, strict=True)])[code])
            np.testing.assert_allclose(ours["loo_influence"][i], float(-w * (r.T * a * r)[0]), rtol=tolerance)
            np.testing.assert_allclose(ours["loo_loss_change"][i], float(change), rtol=tolerance)
            np.testing.assert_allclose(
                ours["leverage"][i], float(w * sum((d * a)[k, k] for k in range(3))), rtol=tolerance
            )


def test_influence_by_float64_autodiff():
    X, y, coef, intercept, weight = problem(n=120, p=6, n_classes=5)
    design, start = with_ones(X, intercept), joined(coef, intercept).reshape(-1)

    def losses(theta):
        return autodiff.cross_entropy(design @ tf.transpose(tf.reshape(theta, (5, 7))), y)

    def total(theta):
        ridge = tf.reduce_sum(tf.reshape(theta, (5, 7))[:, :6] ** 2)
        return tf.reduce_sum(weight * losses(theta)) + 0.35 * ridge

    g, hessian = autodiff.jacobian(losses, start), autodiff.hessian(total, start)
    expected = -weight * np.einsum("ij,ij->i", g, g @ np.linalg.pinv(hessian, hermitian=True))
    ours = influence.loo_influence(X, y, coef, intercept, 0.7, sample_weight=weight)
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def fitted(X, y, n_classes, l2, start=None):
    """The softmax model at its optimum, found by SciPy: coef and intercept."""
    design, onehot = with_ones(X, 0.0), np.eye(n_classes)[y]

    def objective(flat):
        theta = flat.reshape(n_classes, -1)
        logits = design @ theta.T
        gradient = (_multinomial.probabilities(logits) - onehot).T @ design
        gradient[:, :-1] += l2 * theta[:, :-1]
        return _multinomial.log_loss(logits, y).sum() + l2 / 2 * (theta[:, :-1] ** 2).sum(), gradient.ravel()

    if start is None:
        start = np.zeros(n_classes * design.shape[1])
    theta = minimize(objective, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-6, "ftol": 1e-15}).x
    return theta.reshape(n_classes, -1)


@pytest.mark.parametrize("l2", [0.1, 10.0])
def test_loss_change_against_exact_refits_of_ten_digits(l2):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16.0, y[:300]
    theta = fitted(X, y, 10, l2)
    alo = influence.loo_loss_change(X, y, theta[:, :-1], theta[:, -1], l2)
    chosen = np.concatenate([np.argsort(alo)[-10:], np.arange(0, 300, 15)])
    loss, exact = _multinomial.log_loss(with_ones(X, 0.0) @ theta.T, y), []
    for i in chosen:
        rest = np.arange(len(y)) != i
        without = fitted(X[rest], y[rest], 10, l2, theta.ravel())
        exact.append(_multinomial.log_loss(with_ones(X[[i]], 0.0) @ without.T, y[[i]])[0] - loss[i])
    assert pearsonr(alo[chosen], exact).statistic > 0.98
    assert 0.9 < alo[chosen].sum() / np.sum(exact) < 1.1


# ---- what does not change them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [True, False])
def test_softmax_of_two_classes_is_binary(weighted):
    """|W|^2 is at least half of |difference|^2, so that the ridge of the difference is half of l2."""
    X, y, coef, intercept, weight = problem(n_classes=2)
    weight = weight if weighted else None
    two = everything(X, y, coef, intercept, 0.6, sample_weight=weight)
    one = everything(X, y, coef[1] - coef[0], intercept[1] - intercept[0], 0.3, sample_weight=weight)
    for name in LEAVE_ONE_OUT:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-11, err_msg=name)
    for name in ("log_loss", "margin"):
        function = getattr(influence, name)
        np.testing.assert_allclose(
            function(X, y, coef, intercept), function(X, y, coef[1] - coef[0], intercept[1] - intercept[0]), rtol=1e-11
        )


def test_order_of_classes_and_common_coefficients_do_not_matter():
    X, y, coef, intercept, weight = problem()
    base = everything(X, y, coef, intercept, 0.2, sample_weight=weight)
    shifted = everything(X, y, coef + np.arange(5.0), intercept + 3.0, 0.2, sample_weight=weight)
    order = [2, 0, 3, 1]
    permuted = everything(X, y, coef[order], intercept[order], 0.2, sample_weight=weight, classes=order)
    names = np.array(["d", "b", "c", "a"])
    named = everything(X, names[y], coef, intercept, 0.2, sample_weight=weight, classes=names)
    for name in LEAVE_ONE_OUT:
        np.testing.assert_allclose(shifted[name], base[name], rtol=1e-10)
        np.testing.assert_allclose(permuted[name], base[name], rtol=1e-10)
        np.testing.assert_array_equal(named[name], base[name])


def test_a_weight_is_that_many_points():
    X, y, coef, intercept, _ = problem(n=40)
    weight = np.random.default_rng(1).integers(0, 4, 40)
    repeated = np.repeat(np.arange(40), weight)
    one = influence.loo_influence(X, y, coef, intercept, 0.5, sample_weight=weight)
    many = influence.loo_influence(X[repeated], y[repeated], coef, intercept, 0.5)
    np.testing.assert_allclose(one[repeated], weight[repeated] * many, rtol=1e-11)
    assert (one[weight == 0] == 0).all()


@pytest.mark.parametrize("model", ["binary", "softmax"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_blocks_and_memmaps_give_the_same_bits(model, dtype, tmp_path):
    X, y, coef, intercept, weight = problem(n=1300, p=40, n_classes=3 if model == "softmax" else 2)
    X = np.where(np.random.default_rng(2).random(X.shape) < 0.2, X, 0.0).astype(dtype)
    if model == "binary":
        coef, intercept = coef[0], intercept[0]
    mapped = np.memmap(tmp_path / "X", dtype, "w+", shape=X.shape)
    mapped[:] = X
    in_one_block = everything(X, y, coef, intercept, 0.2, sample_weight=weight)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(_multinomial, "_MOST_ROWS", 512)  # more than one block
    with monkey.context():
        base = everything(X, y, coef, intercept, 0.2, sample_weight=weight)
        for name in LEAVE_ONE_OUT:
            np.testing.assert_array_equal(base[name], in_one_block[name])
        for other in (scipy.sparse.csr_array(X), scipy.sparse.csr_matrix(X), mapped, np.asfortranarray(X)):
            again = everything(other, y, coef, intercept, 0.2, sample_weight=weight)
            for name in LEAVE_ONE_OUT:
                np.testing.assert_array_equal(again[name], base[name])
            for name in ALONE:
                function = getattr(influence, name)
                np.testing.assert_array_equal(function(other, y, coef, intercept), function(X, y, coef, intercept))
        by_fit = influence.loo_influence(
            X[:9], y[:9], coef, intercept, 0.2, fit_X=scipy.sparse.csr_array(X), fit_y=y, fit_sample_weight=weight,
            sample_weight=weight[:9],
        )  # fmt: skip
        np.testing.assert_allclose(by_fit, base["loo_influence"][:9], rtol=1e-11)
    monkey.undo()


def test_threads_and_out_do_not_change_a_bit():
    X, y, coef, intercept, weight = problem(n=700, p=20)
    base = everything(X, y, coef, intercept, 0.2, sample_weight=weight, threads=1)
    for threads in THREADS:
        again = everything(X, y, coef, intercept, 0.2, sample_weight=weight, threads=threads)
        for name in LEAVE_ONE_OUT:
            np.testing.assert_array_equal(again[name], base[name])
    out = np.empty(700)
    assert influence.loo_influence(X, y, coef, intercept, 0.2, sample_weight=weight, out=out) is out
    np.testing.assert_array_equal(out, base["loo_influence"])


def test_a_factor_in_contrasts():
    X, y, coef, intercept, weight = problem()
    probabilities = _multinomial.probabilities(with_ones(X, 0.0) @ joined(coef, intercept).T)
    sums = _multinomial.HessianSums(5, True, 3)
    sums.add(X, weight[:, None] * _multinomial.curvature(probabilities), 1)
    hessian = sums.total(1)
    hessian += 0.2 * np.diag(np.arange(18) % 6 < 5)
    factor = HessianFactor.of(hessian, True, 3)
    by_factor = everything(X, y, coef, intercept, sample_weight=weight, factor=factor, l2=0.0)
    for name, values in everything(X, y, coef, intercept, 0.2, sample_weight=weight).items():
        np.testing.assert_allclose(by_factor[name], values, rtol=1e-11)


# ---- the dual --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [None, 2, 4])
@pytest.mark.parametrize("with_intercept", [True, False])
@pytest.mark.parametrize(("l2", "n"), [(0.05, 24), (2.0, 24), (2.0, 40), (2.0, 90)])
def test_the_dual_is_the_primal(n_classes, with_intercept, l2, n):
    X, y, coef, intercept, weight = problem(n=n, p=60, n_classes=n_classes or 2)
    X[5] = X[4]
    weight[3] = 0.0
    if n_classes is None:
        coef, intercept = coef[0], intercept[0]
    arguments = (X, y, coef, intercept if with_intercept else None, l2)
    primal = everything(*arguments, sample_weight=weight, solver="cholesky")
    dual = everything(*arguments, sample_weight=weight, solver="dual")
    auto = everything(*arguments, sample_weight=weight)
    for name in LEAVE_ONE_OUT:
        np.testing.assert_allclose(dual[name], primal[name], rtol=1e-9, atol=1e-14, err_msg=name)
        np.testing.assert_array_equal(auto[name], (dual if n == 24 else primal)[name])
    others = np.random.default_rng(5).normal(size=(7, 60))
    others[0] = X[0]
    fit = {"fit_X": X, "fit_y": y, "fit_sample_weight": weight}
    for given in (others, scipy.sparse.csr_array(others)):
        by = [
            influence.loo_influence(given, y[:7], *arguments[2:], **fit, solver=solver)
            for solver in ("cholesky", "dual")
        ]
        np.testing.assert_allclose(by[1], by[0], rtol=1e-9)


def test_the_dual_holds_where_the_ridge_is_far_below_the_rounding_of_the_primal():
    """Without an intercept the limit of l2 to 0 exists: the pseudo-inverse."""
    X, y, coef, _, _ = problem(n=12, p=40, n_classes=3)
    with pytest.raises(np.linalg.LinAlgError, match="l2"):
        influence.leverage(X, y, coef, None, 1e-30, solver="cholesky")
    np.testing.assert_allclose(influence.leverage(X, y, coef, None, 1e-30), 2.0, rtol=1e-9)
    with pytest.raises(np.linalg.LinAlgError, match="singular.*l2") as raised:
        influence.leverage(X, y, coef, 0.0, 1e-30, solver="dual")
    assert "feature" not in str(raised.value)  # there it is not one of the caller's
    with pytest.raises(ValueError, match="^solver: 'dual' needs l2"):
        influence.leverage(X, y, coef, None, 0.0, solver="dual")


@pytest.mark.parametrize("solver", ["cholesky", "dual"])
def test_without_fitted_points_the_hessian_is_the_ridge(solver):
    X, y, coef, _, _ = problem(n=12, p=5)
    found = influence.loo_influence(X, y, coef, None, 2.0, fit_X=X[:0], fit_y=y[:0], classes=range(4), solver=solver)
    squares = np.sum(influence.residual(X, y, coef, None) ** 2, axis=1)
    np.testing.assert_allclose(found, -squares * np.sum(X**2, axis=1) / 2.0, rtol=1e-12)


# ---- hard cases ------------------------------------------------------------------------------------------------------


def test_huge_logits_neither_overflow_nor_vanish():
    X, y, coef, intercept, _ = problem(n=30)
    ours = everything(X, y, 1e6 * coef, None, 1.0)
    assert all(np.isfinite(values).all() for values in ours.values())
    margin = influence.margin(X, y, 1e6 * coef, None)
    wrong = margin < 0
    # No point has curvature: H is the identity, and a point that is wrong has the residual (1, -1).
    np.testing.assert_allclose(ours["loo_influence"][wrong], -2 * (X[wrong] ** 2).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(ours["loo_loss_change"][wrong], 2 * (X[wrong] ** 2).sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(influence.log_loss(X, y, 1e6 * coef, None)[wrong], -margin[wrong], rtol=1e-9)
    with pytest.raises(np.linalg.LinAlgError, match="intercept.*l2"):  # which nothing holds
        influence.loo_influence(X, y, 1e6 * coef, intercept, 1.0)
    certain = influence.log_loss([[1.0]], [2], [[0.0], [-3.0], [60.0]], None, classes=[0, 1, 2])
    np.testing.assert_allclose(certain, np.exp(-60.0) + np.exp(-63.0), rtol=1e-14)


def test_duplicate_and_constant_features():
    X, y, coef, intercept, _ = problem()
    double = np.column_stack([X, X[:, 0]])
    wide = np.column_stack([coef, np.zeros(4)])
    with pytest.raises(np.linalg.LinAlgError, match="l2") as raised:
        influence.loo_influence(double, y, wide, intercept, 0.0)
    assert "feature 5" in str(raised.value)
    with pytest.raises(np.linalg.LinAlgError, match="l2"):
        influence.loo_influence(np.column_stack([X, np.full(80, 2.0)]), y, wide, intercept, 0.0)
    for features in (double, np.column_stack([X, np.full(80, 2.0)]), np.column_stack([X, np.zeros(80)])):
        assert all(np.isfinite(v).all() for v in everything(features, y, wide, intercept, 1e-3).values())


def test_loss_change_is_infinite_where_a_point_holds_the_fit_or_a_class_empties():
    X, y, coef, intercept, weight = problem(n=30)
    y[y == 2] = 1
    y[[4, 5]] = 2
    weight[5] = 0.0
    change = influence.loo_loss_change(X, y, coef, intercept, 1.0, sample_weight=weight)
    np.testing.assert_array_equal(np.isposinf(change), np.arange(30) == 4)
    alone = np.zeros((31, 6))
    alone[:30, :5], alone[30, 5] = X, 1.0  # a feature that one point has
    change = influence.loo_loss_change(alone, [*y, 0], np.column_stack([coef, np.zeros(4)]), None, 0.0)
    np.testing.assert_array_equal(np.isposinf(change), np.arange(31) == 30)


def test_no_points_and_one():
    X, y, coef, intercept, _ = problem()
    fit = {"fit_X": X, "fit_y": y}
    assert influence.loo_influence(X[:0], y[:0], coef, intercept, 1.0, **fit).shape == (0,)
    whole = influence.loo_influence(X, y, coef, intercept, 1.0, **fit)
    np.testing.assert_allclose(
        influence.loo_influence(X[5:6], y[5:6], coef, intercept, 1.0, **fit), whole[5:6], rtol=1e-12
    )
    for name in ALONE:
        assert len(getattr(influence, name)(X[:0], y[:0], coef, intercept, classes=range(4))) == 0
    assert influence.residual(X, y, coef).shape == (80, 4)


X6, Y6, COEF = np.arange(12.0).reshape(6, 2) % 7, [0, 1, 2, 0, 1, 2], [[0.1, 0.2], [0.0, 0.3], [0.5, 0.0]]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"coef": np.ones((3, 3))}, ValueError, r"^coef: expected shape \(K, 2\)"),
        ({"coef": np.ones((1, 3, 2))}, ValueError, "^coef: expected shape"),
        ({"coef": np.full((3, 2), np.nan)}, ValueError, "^coef: contains NaN"),
        ({"coef": np.full((3, 2), 1e200)}, ValueError, "^coef: has values above"),
        ({"coef": np.ones((4, 2))}, ValueError, "^y: has 3 classes, but coef has 4 rows"),
        ({"intercept": [1.0, 2.0]}, ValueError, "^intercept: expected one number for each of the 3 rows"),
        ({"intercept": 1.0}, ValueError, "^intercept: .*got 1.0"),
        ({"intercept": [0.0, 0.0, np.inf]}, ValueError, "^intercept: contains NaN or inf"),
        ({"classes": [0, 1]}, ValueError, "^classes: expected 3 different labels"),
        ({"classes": [0, 1, 1]}, ValueError, "^classes: expected 3 different labels"),
        ({"classes": [0, 1, 3]}, ValueError, r"^y: has labels that are not in classes \[0, 1, 3\], such as"),
        ({"y": [0, 1, 2]}, ValueError, "^y: expected length 6"),
        ({"y": [0, 1, 2, 3, 0, 0]}, ValueError, "^y: has 4 classes"),
        ({"sample_weight": [-1.0] * 6}, ValueError, "^sample_weight: "),
        ({"fit_X": X6, "fit_y": [0, 1, 2, 0, 1, 5], "classes": [0, 1, 2]}, ValueError, "^fit_y: has labels"),
        ({"fit_X": X6[:, :1], "fit_y": Y6}, ValueError, "^fit_X: expected 2 columns"),
        ({"factor": HessianFactor(np.eye(9), True, 2), "intercept": None}, ValueError, "^factor: is for 9 coef"),
        ({"factor": HessianFactor(np.eye(6), True, 1)}, ValueError, "^factor: is for 6 coefficients of two classes"),
        ({"factor": HessianFactor(np.eye(6), True, 2), "solver": "dual"}, ValueError, "^factor: "),
        ({"X": scipy.sparse.csc_array(X6)}, TypeError, r"^X: .*got csc; .*\.tocsr\(\)"),
        ({"X": scipy.sparse.csr_array(X6 * 1e200)}, ValueError, "^X: has values above"),
        ({"X": scipy.sparse.csr_array(X6 * np.nan)}, ValueError, "^X: contains NaN"),
        ({"X": scipy.sparse.csr_array(X6.astype(complex))}, TypeError, "^X: .*complex"),
        ({"X": scipy.sparse.csr_array((6, 0))}, ValueError, "^X: "),
        ({"X": scipy.sparse.csr_array(X6[:, :1])}, ValueError, "^coef: "),
    ],
)
def test_bad_input_is_refused_by_name(change, error, match):
    with pytest.raises(error, match=match):
        influence.loo_influence(**{"X": X6, "y": Y6, "coef": COEF, "l2": 1.0, **change})


def test_a_factor_does_not_fit_a_softmax_of_two_classes():
    factor = HessianFactor(np.eye(3), True)
    with pytest.raises(ValueError, match="^factor: is of a binary model"):
        influence.loo_influence(X6, np.array(Y6) > 0, COEF[:2], 0.0, 1.0, factor=factor)


def test_a_sparse_matrix_that_points_outside_itself_is_refused():
    matrix = scipy.sparse.csr_array(X6)
    matrix.indices[3] = 50
    with pytest.raises(ValueError, match="^X: is not a valid CSR matrix"):
        influence.loo_influence(matrix, Y6, COEF, 0.0, 1.0)


# ---- the loss itself -------------------------------------------------------------------------------------------------


def test_the_loss_and_its_derivatives_keep_their_digits():
    """Against 60 digits, where probabilities are far below the rounding of 1."""
    logits = np.array([[0.0, -100.0, -110.0], [3.0, 3.0, -200.0], [0.1, 0.2, 0.3], [1e6, 0.0, -1e6]])
    root = _multinomial.curvature_root(_multinomial.probabilities(logits))
    packed = _multinomial.unpacked(_multinomial.curvature(_multinomial.probabilities(logits)), 2)
    np.testing.assert_allclose(root @ root.swapaxes(1, 2), packed, rtol=1e-12, atol=1e-300)
    with mpmath.workdps(60):
        for i, row in enumerate(logits[:3]):
            e = [mpmath.exp(mpmath.mpf(float(v))) for v in row]
            p = [v / sum(e) for v in e]
            got = _multinomial.log_probabilities(logits[i : i + 1])[0]
            np.testing.assert_allclose(got, [float(mpmath.log(v)) for v in p], rtol=1e-14)
            trace = sum(v * (1 - v) for v in p)
            np.testing.assert_allclose(np.trace(packed[i]), float(trace), rtol=1e-13)
            moves = np.array([[1e-9, -2e-9, 600.0 if i == 2 else 3e-9]])
            for code in range(3):
                moved = [v * mpmath.exp(mpmath.mpf(float(m))) for v, m in zip(e, moves[0], strict=True)]
                change = mpmath.log(p[code]) - mpmath.log(moved[code] / sum(moved))
                ours = _multinomial.loss_change(logits[i : i + 1], np.array([code]), moves)[0]
                np.testing.assert_allclose(ours, float(change), rtol=1e-9, atol=1e-24)
                r = _multinomial.residual(logits[i : i + 1], np.array([code]))[0]
                np.testing.assert_allclose(r, [float(v - (k == code)) for k, v in enumerate(p)], rtol=1e-13)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_curvatures_of_certain_points_keep_their_digits(n_classes):
    """Wherever the likely class is: from even odds to 1e-40."""
    rng = np.random.default_rng(0)
    logits = rng.permuted(np.sort(rng.normal(size=(60, n_classes)), axis=1) * np.linspace(0, 40, 60)[:, None], axis=1)
    p = _multinomial.probabilities(logits)
    packed = _multinomial.unpacked(_multinomial.curvature(p), n_classes - 1)
    root = _multinomial.curvature_root(p)
    basis = _multinomial.contrasts(n_classes)
    np.testing.assert_allclose(basis @ basis.T, np.eye(n_classes - 1), atol=1e-15)
    np.testing.assert_allclose(basis.sum(axis=1), 0.0, atol=1e-15)
    with pytest.raises(ValueError, match="read-only"):
        basis[0, 0] = 0.0
    with mpmath.workdps(60):
        E = mpmath.matrix(basis.tolist())
        for row, ours, T in zip(logits, packed, root, strict=True):
            e = [mpmath.exp(mpmath.mpf(float(v))) for v in row]
            q = mpmath.matrix([v / sum(e) for v in e])
            S = E * (mpmath.diag(list(q)) - q * q.T) * E.T
            expected = np.array(S.tolist(), dtype=float)
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-14 * np.trace(expected))
            np.testing.assert_allclose(T @ T.T, expected, rtol=0, atol=1e-14 * np.trace(expected))
        for onehot, deviation in zip(np.eye(n_classes), _multinomial.deviations(p), strict=True):
            np.testing.assert_allclose(deviation, (onehot - p) @ basis.T, atol=1e-15)


def test_blocks_are_powers_of_two_and_moves_of_any_size_are_finite():
    sizes = {_multinomial.block_rows(p, c) for p in (1, 700, 3000, 9999, 10**6) for c in (1, 9, 99)}
    assert len(sizes) > 3
    assert all(size.bit_count() == 1 for size in sizes)
    moves = np.array([[0.0, 1000.0], [1000.0, 0.0], [1e-9, 0.0]])
    change = _multinomial.loss_change(np.array([[0.0, -1000.0]] * 3), np.array([1, 1, 0]), moves)
    assert change[0] < -30
    assert change[1] == 1000.0
    assert change[2] == 0.0


def test_scores_at_the_edge_of_what_they_can_be():
    """Forms that rounding has made a little wrong: signs hold, and it is infinite where the fit breaks down."""
    X, y, coef, intercept, _ = problem(n=12, n_classes=3)
    points = points_of(X, y, coef, intercept)
    lower = [k == m for k, m in _multinomial.pairs(2)]
    little = np.tile(-1e-18 * np.array(lower), (12, 1))
    assert (points.influence(little) <= 0).all()
    assert (points.loss_change(little) >= 0).all()
    curvatures = _multinomial.unpacked(_multinomial.curvature(_multinomial.probabilities(points.logits)), 2)
    largest = np.linalg.eigvalsh(curvatures)[:, -1:]
    for gap, broken in ((1e-16, True), (1e-12, False)):
        assert np.isinf(points.loss_change((1.0 - gap) / largest * lower)).all() == broken


# ---- scores of a multinomial model -----------------------------------------------------------------------------------


def model_of(coef, intercept, l2, classes):
    model = LogisticRegression(C=1 / l2, fit_intercept=intercept is not None)
    offsets = np.zeros(len(coef)) if intercept is None else intercept
    return model._set_fitted(coef, offsets, classes, np.array([1]), l2, intercept is not None)


@pytest.mark.parametrize("with_intercept", [True, False])
def test_scores_of_a_multinomial_model(with_intercept):
    X, y, coef, intercept, weight = problem()
    intercept = intercept if with_intercept else None
    model = model_of(coef, intercept, 0.5, np.array(list("abcd")))
    labels = model.classes_[y]
    design = with_ones(X, intercept)
    logits = design @ joined(coef, intercept).T
    p = reference.softmax(logits)
    r = p - np.eye(4)[y]
    g = r[:, :, None] * design[:, None, :]
    leave_one_out = reference.softmax_leave_one_out(
        design, y, weight, joined(coef, intercept), np.where(np.arange(design.shape[1]) < 5, 0.5, 0.0)
    )
    others = np.where(np.eye(4)[y] > 0, -np.inf, logits)
    expected = {
        "loss": reference.softmax_loss(logits, y),
        "margin": logits[np.arange(80), y] - others.max(axis=1),
        "gradient_norm": np.sqrt((g**2).sum(axis=(1, 2))),
        "gradient_dot": -(g**2).sum(axis=(1, 2)),
        "entropy": -(p * np.log(p)).sum(axis=1),
        "el2n": np.linalg.norm(r, axis=1),
        **dict(zip(LEAVE_ONE_OUT, leave_one_out, strict=True)),
    }
    assert set(expected) == set(scores.SCORES) - {"random", "svm_margin", "svm_loss"}
    for name, values in expected.items():
        for given in (X, scipy.sparse.csr_array(X)):
            got = scores.SCORES[name](model, given, labels, sample_weight=weight)
            np.testing.assert_allclose(got, values, rtol=1e-9, atol=1e-13, err_msg=name)
    far = np.array([[1000.0, 0, 0, 0, 0]])
    certain = model_of(np.array([[0.0] * 5, [-0.4, 0, 0, 0, 0], [-0.4, 0, 0, 0, 0]]), None, 0.5, np.arange(3))
    np.testing.assert_allclose(scores.el2n(certain, far, [0]), np.sqrt(6.0) * np.exp(-400.0), rtol=1e-12)
    assert scores.random(model, scipy.sparse.csr_array(X), labels).shape == (80,)
    with pytest.raises(ValueError, match="^y: expected two classes, got 4"):
        scores.svm_margin(model, X, labels)


# ---- nearly singular Hessians ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
def test_forms_by_solutions_are_those_by_the_inverse(intercept, monkeypatch):
    X, y, coef, offsets, weight = problem()
    given = X, y, coef, offsets if intercept else None, 0.3
    by_inverse = everything(*given, sample_weight=weight)
    monkeypatch.setattr(points, "_EXPLICIT_CONDITION", 2.0)
    monkeypatch.setattr(points, "_SOLVED_ELEMENTS", 3 * 3 * 6 * 7)  # seven points at a time, and a rest
    for name, found in everything(*given, sample_weight=weight).items():
        assert (found != by_inverse[name]).any()
        np.testing.assert_allclose(found, by_inverse[name], rtol=1e-9)


def test_an_ill_conditioned_hessian_costs_no_more_digits_than_it_must():
    X, y, coef, intercept, _ = problem()
    X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]  # a condition of about 1e11
    found = influence.leverage(X, y, coef, intercept)
    rotated = X.copy()
    rotated[:, 1] = (X[:, 1] - X[:, 0]) * 1e5  # exact, but for the rounding of X itself
    moved = coef.copy()
    moved[:, 0] += coef[:, 1]
    moved[:, 1] *= 1e-5
    np.testing.assert_allclose(found, influence.leverage(rotated, y, moved, intercept), rtol=1e-5)


def test_a_hessian_without_digits_is_refused():
    X, y, coef, intercept, _ = problem()
    X[:, 1] = X[:, 0] + 3e-8 * X[:, 1]
    with pytest.raises(np.linalg.LinAlgError, match="singular to working precision.*raise l2"):
        influence.leverage(X, y, coef, intercept)
    assert np.isfinite(influence.leverage(X, y, coef, intercept, 1e-3)).all()
