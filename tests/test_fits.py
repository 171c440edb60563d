"""How LogisticRegression gets to its optimum: the passes over X, the corrected steps, when a Hessian is computed."""

from __future__ import annotations

import math
import warnings

import mpmath
import numpy as np
import pytest
from conftest import THREADS
from sklearn.exceptions import ConvergenceWarning

from augcore import _dispatch, _multinomial, reference
from augcore.linear_model import LogisticRegression, newton
from augcore.linear_model.objective import BinaryObjective, Objective, objective_of

SIZES = [(1, 1), (3, 7), (8, 16), (33, 15), (512, 64), (513, 65), (1100, 130), (40, 5000)]


def noisy(n, p, seed=0, correlation=0.0, dtype=np.float64):
    """Normal features, each correlated with the one before, and labels that cannot be separated."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    for j in range(1, p):
        X[:, j] = correlation * X[:, j - 1] + math.sqrt(1 - correlation**2) * X[:, j]
    y = (X @ rng.normal(size=p) / math.sqrt(p) + 0.5 * rng.normal(size=n) > 0).astype(np.intp)
    y[:2] = [0, 1]
    return X.astype(dtype), y


def binary(X, y, weight=None, l2=1.0, fit_intercept=True):
    return objective_of(X, y, 2, weight, l2, fit_intercept, 1)


def reached(model, X, y, C=1.0):
    """max|gradient| / n in float64."""
    residual = reference.residual(X.astype(float) @ model.coef_[0] + model.intercept_, y.astype(float))
    gradient = np.append(residual @ X.astype(float) + model.coef_[0] / C, residual.sum())
    return np.abs(gradient).max() / len(X)


@pytest.fixture
def hessians(monkeypatch):
    """The calls that compute a Hessian, as the list of their precisions; True is single."""
    calls = []
    compute = Objective.hessian
    monkeypatch.setattr(
        Objective, "hessian", lambda self, z, single=False: (calls.append(single), compute(self, z, single))[1]
    )
    return calls


# ---- kernels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "p"), SIZES)
def test_gradient_in_one_pass(n, p, dtype, intercept, weighted):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, p)).astype(dtype)
    y = rng.integers(0, 2, n).astype(float)
    weight = rng.uniform(0.0, 2.0, n) if weighted else None
    coef = rng.normal(size=p + intercept) / math.sqrt(p)
    eta, gradient = _dispatch.gradient(X, intercept, coef, y, weight, 1)
    np.testing.assert_array_equal(eta, _dispatch.linear_predictor(X, intercept, coef, 1))
    design = np.column_stack([X, np.ones(n)]).astype(float)[:, : p + intercept]
    np.testing.assert_allclose(eta, design @ coef, rtol=1e-12, atol=1e-12)
    residual = reference.residual(eta, y) * (1.0 if weight is None else weight)
    np.testing.assert_allclose(gradient, residual @ design, rtol=1e-11, atol=1e-11 * n)
    weighted = _dispatch.residual(eta, y, 1) * (1.0 if weight is None else weight)
    np.testing.assert_array_equal(gradient, _dispatch.sum_of_rows(X, intercept, weighted[:, None], 1)[0])
    for threads in THREADS:
        for ours, one in zip(_dispatch.gradient(X, intercept, coef, y, weight, threads), (eta, gradient), strict=True):
            np.testing.assert_array_equal(ours, one)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("n", "p"), [(1, 1), (7, 3), (511, 5), (512, 8), (513, 24), (1300, 49), (2600, 31)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_against_the_reference(n, p, intercept, dtype):
    rng = np.random.default_rng(n)
    X, y, weight = rng.normal(size=(n, p)).astype(dtype), rng.integers(0, 2, n).astype(float), rng.uniform(0.1, 3.0, n)
    coef = np.random.default_rng(2).normal(size=p + intercept) * 0.3
    eta = X.astype(float) @ coef[:p] + (coef[p] if intercept else 0.0)

    kernel_eta = _dispatch.linear_predictor(X, intercept, coef, 1)
    residual = weight * _dispatch.residual(kernel_eta, y, 1)
    curvature = weight * _dispatch.curvature(kernel_eta, 1)

    def sums(blocks, threads):
        rows, gram = _dispatch.RowSums(p, intercept, 1), _dispatch.GramSums(p, intercept)
        for start, stop in zip([0, *blocks], [*blocks, n], strict=True):
            rows.add(X[start:stop], residual[start:stop, None], threads)
            gram.add(X[start:stop], curvature[start:stop], threads)
        return rows.total(threads)[0], gram.total(threads)

    gradient, hessian = whole = sums([], 1)
    design = np.column_stack([X, np.ones(n)]) if intercept else X.astype(float)
    np.testing.assert_allclose(gradient, design.T @ (weight * reference.residual(eta, y)), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(hessian, reference.hessian(X, weight, eta, 0.0, intercept), rtol=1e-10, atol=1e-11)
    np.testing.assert_array_equal(hessian, hessian.T)
    if intercept:
        assert gradient[-1] == reference.tree_sum(residual)
    rng = np.random.default_rng(3)
    splits = [[], [n // 3], sorted(rng.integers(0, n + 1, 5).tolist()), list(range(0, n, 100))]
    for threads in THREADS:
        for blocks in splits:
            for ours, once in zip(sums(blocks, threads), whole, strict=True):
                np.testing.assert_array_equal(ours, once)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("b", [1, 2, 9])
@pytest.mark.parametrize(("n", "p"), SIZES)
def test_several_vectors_at_a_time(n, p, b, dtype, intercept):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, p)).astype(dtype)
    coef, factors = rng.normal(size=(b, p + intercept)), rng.normal(size=(n, b))
    design = np.column_stack([X, np.ones(n)]).astype(float)[:, : p + intercept]
    eta = _dispatch.linear_predictor(X, intercept, coef, 1)
    np.testing.assert_allclose(eta, design @ coef.T, rtol=1e-11, atol=1e-11 * math.sqrt(p))
    for j in range(b):
        np.testing.assert_array_equal(eta[:, j], _dispatch.linear_predictor(X, intercept, coef[j], 1))
    total = _dispatch.sum_of_rows(X, intercept, factors, 1)
    np.testing.assert_allclose(total, factors.T @ design, rtol=1e-11, atol=1e-11 * math.sqrt(n))
    for threads in THREADS:
        np.testing.assert_array_equal(_dispatch.linear_predictor(X, intercept, coef, threads), eta)
        np.testing.assert_array_equal(_dispatch.sum_of_rows(X, intercept, factors, threads), total)


def test_no_rows_no_columns():
    assert _dispatch.sum_of_rows(np.ones((0, 3)), True, np.ones((0, 2)), 1).tolist() == [[0.0] * 4] * 2
    assert _dispatch.linear_predictor(np.ones((2, 0)), True, np.array([3.0]), 1).tolist() == [3.0, 3.0]
    eta, gradient = _dispatch.gradient(np.ones((0, 3)), True, np.ones(4), np.ones(0), None, 1)
    assert eta.shape == (0,)
    assert gradient.tolist() == [0.0] * 4


def test_sums_that_do_not_fit_the_memory_of_one_wave():
    """Three tiles, one at a time."""
    rng = np.random.default_rng(0)
    X, factors = rng.normal(size=(1030, 4500)), rng.normal(size=(1030, 1000))
    np.testing.assert_allclose(_dispatch.sum_of_rows(X, False, factors, 2), factors.T @ X, rtol=1e-8, atol=1e-9)


def test_residuals_and_curvatures_to_the_last_digits():
    eta = np.concatenate([np.linspace(-760, 760, 1521), np.linspace(-2, 2, 401), [1e-300, -1e-300, 1e9, -1e9, 0.0]])
    with mpmath.workdps(40):
        probability = [1 / (1 + mpmath.exp(-mpmath.mpf(float(at)))) for at in eta]
        against = [1 / (1 + mpmath.exp(mpmath.mpf(float(at)))) for at in eta]
        expected = {
            "y = 0": np.array([float(p) for p in probability]),
            "y = 1": np.array([-float(q) for q in against]),
            "curvature": np.array([float(p * q) for p, q in zip(probability, against, strict=True)]),
        }
    zeros, ones = np.zeros(len(eta)), np.ones(len(eta))
    ours = {
        "y = 0": _dispatch.residual(eta, zeros, 1),
        "y = 1": _dispatch.residual(eta, ones, 1),
        "curvature": _dispatch.curvature(eta, 1),
    }
    for name, values in ours.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-15, atol=1e-323, err_msg=name)
    # The same in vector lanes and in what is left over.
    single = [_dispatch.residual(eta[i : i + 1], ones[i : i + 1], 1)[0] for i in range(len(eta))]
    np.testing.assert_array_equal(ours["y = 1"], single)
    assert np.isnan(_dispatch.residual(np.array([np.nan]), np.zeros(1), 1)[0])


# ---- the correction --------------------------------------------------------------------------------------------------


def corrected(inverse, pairs):
    """BFGS updates of a dense inverse, one after the other (Nocedal, Wright 2006, equation 6.17)."""
    identity = np.eye(len(inverse))
    for step, change in pairs:
        rho = 1.0 / (step @ change)
        left = identity - rho * np.outer(step, change)
        inverse = left @ inverse @ left.T + rho * np.outer(step, step)
    return inverse


@pytest.mark.parametrize("count", [0, 1, 2, 19, 20, 21, 35])
def test_correction_is_that_of_bfgs(count):
    rng = np.random.default_rng(count)
    q = 30
    half = rng.normal(size=(q, 2 * q))
    hessian, matrix = half @ half.T / q, np.diag(rng.uniform(1.0, 3.0, q))
    correction = newton._Correction(q)
    pairs = []
    for _ in range(count):
        step = rng.normal(size=q)
        change = hessian @ step
        correction.add(step, change, np.linalg.solve(matrix, change))
        pairs.append((step, change))
    kept = count if count <= 20 else count - 10 * math.ceil((count - 20) / 10)
    assert correction.count == kept
    scale = 1.0
    if pairs:
        step, change = pairs[-1]
        scale = (step @ change) / (change @ np.linalg.solve(matrix, change))
    dense = corrected(scale * np.linalg.inv(matrix), pairs[count - kept :])
    gradient = rng.normal(size=q)
    ours = correction.times(gradient, np.linalg.solve(matrix, gradient))
    np.testing.assert_allclose(ours, dense @ gradient, rtol=1e-8, atol=1e-8)


def test_steps_without_curvature_teach_nothing():
    correction = newton._Correction(3)
    step = np.array([1.0, 2.0, 3.0])
    for change in (np.zeros(3), np.array([3.0, 0.0, -1.0]), np.array([np.nan, 0.0, 0.0])):
        correction.add(step, change, change)
    assert correction.count == 0
    assert correction.times(step, step).tolist() == step.tolist()


def test_what_is_known_of_another_objective():
    """The corrections stay; the last gradient, the rate and the features are the new one's."""
    first, second = binary(*noisy(1500, 200)), binary(*noisy(1500, 200, seed=1))
    z, gradient = first.evaluate(np.zeros(201))
    method = newton._QuasiNewton(first, None)
    for _ in range(5):
        step = method.direction(z, gradient, 1.0, 1e-8)
    assert step @ gradient < 0.0
    method.learn(step, gradient, 0.5 * gradient)
    method.begin(second)
    np.testing.assert_allclose(method.direction(z, 3.0 * gradient, 1.0, 1e-8), 6.0 * step, rtol=1e-12)
    for _ in range(4):
        method.direction(z, gradient, 1.0, 1e-8)
    assert method.lower is None
    for _ in range(3):
        method.direction(z, gradient, 1.0, 1e-8)
    np.testing.assert_allclose(method.lower @ method.lower.T, second.hessian(z), atol=1e-2)


def test_the_worst_of_the_gradients_components():
    X, y = noisy(20, 3)
    assert binary(X, y).worst(np.array([1.0, -2.0, 3.0, -7.0])) == 7.0
    softmax = objective_of(X, np.arange(20) % 3, 3, None, 1.0, True, 1)
    classes = np.random.default_rng(0).normal(size=(3, 4))
    classes -= classes.mean(axis=0)
    assert softmax.worst((_multinomial.contrasts(3) @ classes).ravel()) == pytest.approx(np.abs(classes).max())


# ---- the line search -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("factor", [1e-3, 0.03, 3.0, 30.0, 1e4])
def test_line_search_ends_where_the_slope_is_a_tenth(factor, weighted):
    X, y = noisy(300, 8)
    weight = np.random.default_rng(1).uniform(0.0, 2.0, 300) if weighted else None
    objective = binary(X, y, weight, l2=5.0)
    theta = np.random.default_rng(2).normal(size=9)
    z, gradient = objective.evaluate(theta)
    step = -factor * np.linalg.solve(objective.hessian(z), gradient)
    end = objective.predict(theta + step)
    length = newton._search(objective, theta, z, step, end, float(gradient @ step))
    at_end = objective.evaluate(theta + length * step)[1]
    assert abs(at_end @ step) <= 0.11 * abs(gradient @ step)
    assert abs(objective.evaluate(theta + step)[1] @ step) > 0.11 * abs(gradient @ step)


@pytest.mark.parametrize("weight", [1e-3, 1.0, 1e3])
def test_easy_steps_are_taken_as_they_come(weight, monkeypatch):
    """The first step has the scale of the objective, so that no search is needed, whatever the weights."""
    monkeypatch.setattr(newton, "_search", lambda *_: pytest.fail("a search where the step would do"))
    X, y = noisy(3000, 200)
    model = LogisticRegression(C=0.01 / weight).fit(X, y, np.full(3000, weight))
    assert model.n_iter_[0] < 25


def test_a_step_that_is_too_long_is_shortened():
    """Full Newton steps from here lead away and never come back."""
    X, y = noisy(400, 20, seed=3)
    start = np.append(40.0 * np.random.default_rng(0).normal(size=20), 30.0)
    minimum = newton.minimise(binary(X, y), start, 1e-10, 100)
    assert minimum.converged
    assert minimum.iterations < 40
    np.testing.assert_allclose(minimum.theta[:-1], LogisticRegression(tol=1e-11).fit(X, y).coef_[0], rtol=1e-6)


def test_a_direction_uphill_is_not_taken(monkeypatch):
    X, y = noisy(200, 5)
    direction = newton._QuasiNewton.direction
    signs = iter([-1.0, 1.0, -1.0])
    monkeypatch.setattr(
        newton._QuasiNewton, "direction", lambda self, *given: next(signs, 1.0) * direction(self, *given)
    )
    model = LogisticRegression().fit(X, y)
    assert reached(model, X, y) <= 1e-8


# ---- when a Hessian is computed --------------------------------------------------------------------------------------


def test_no_hessian_where_the_gradient_falls_fast(hessians):
    X, y = noisy(3000, 200)
    model = LogisticRegression(C=0.01).fit(X, y)
    assert hessians == []
    assert model.n_iter_[0] < 25
    assert reached(model, X, y, 0.01) <= 1e-8


def test_one_hessian_where_it_falls_slowly(hessians):
    X, y = noisy(2000, 200, correlation=0.9)
    model = LogisticRegression().fit(X, y)
    assert hessians[0]
    assert 1 <= len(hessians) <= 2
    assert model.n_iter_[0] < 40
    assert reached(model, X, y) <= 1e-8


def test_a_hessian_at_every_step_where_it_is_cheap(hessians):
    X, y = noisy(500, 5)
    model = LogisticRegression().fit(X, y)
    assert len(hessians) == model.n_iter_[0]
    assert not any(hessians)
    assert reached(model, X, y) <= 1e-10


def test_a_second_hessian_is_in_double_precision(hessians):
    """Features from 1 to 1e-6 and hardly a penalty: in single precision the smallest curvatures are lost."""
    X, y = noisy(1500, 200, correlation=0.95)
    X *= np.logspace(0, -6, 200)
    model = LogisticRegression(C=1e10).fit(X, y)
    assert hessians[0]
    assert not any(hessians[1:])
    assert len(hessians) >= 2
    assert reached(model, X, y, 1e10) <= 1e-8


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_no_more_ridge_than_is_needed(scale):
    singular = scale * np.array([[1.0, 1.0, 0.5], [1.0, 1.0, 0.5], [0.5, 0.5, 2.0]])
    lower = newton.damped_factor(singular, 1)
    assert not np.array_equal(lower @ lower.T, singular)
    np.testing.assert_allclose(lower @ lower.T, singular, rtol=1e-8)
    assert newton.damped_factor(np.zeros((2, 2)), 1).diagonal().min() > 0.0


def test_a_hessian_that_single_precision_cannot_factor(monkeypatch):
    objective = binary(*noisy(200, 30))
    z = objective.predict(np.zeros(31))
    exact = objective.hessian(z)
    monkeypatch.setattr(
        BinaryObjective, "_summed_hessian", lambda self, z, single: -exact if single else exact - np.diag(self.penalty)
    )
    lower = newton._factor(objective, z, single=True)
    np.testing.assert_allclose(lower @ lower.T, exact, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_hessian_of_weighted_points(fit_intercept):
    X, y = noisy(120, 10)
    weight = np.random.default_rng(0).uniform(0.0, 2.0, 120)
    objective = binary(X, y, weight, 3.0, fit_intercept)
    theta = np.random.default_rng(1).normal(size=10 + fit_intercept)
    z = objective.predict(theta)
    expected = reference.hessian(X, weight, z, 3.0, fit_intercept)
    np.testing.assert_allclose(objective.hessian(z), expected, rtol=1e-11, atol=1e-11)


def test_float_hessians_are_near_those_of_double():
    X, y = noisy(600, 40)
    objective = binary(X, y)
    z = objective.predict(np.full(41, 0.1))
    double, single = objective.hessian(z), objective.hessian(z, single=True)
    assert not np.array_equal(double, single)
    np.testing.assert_allclose(single, double, atol=1e-5 * np.abs(double).max())


# ---- X in single precision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tol", [1e-8, 1e-12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_the_optimum_is_that_of_the_given_features(dtype, tol, offset):
    """Rounded to float, features of 1e5 that differ by 1 are others."""
    X, y = noisy(1500, 200, dtype=dtype)
    X = X + dtype(offset) * (np.arange(200) < 3).astype(dtype)
    tol = tol * max(1.0, offset)
    model = LogisticRegression(tol=tol, C=1e-2).fit(X, y)
    assert reached(model, X, y, 1e-2) <= 1.01 * tol + 1e-15 * offset


def test_most_steps_read_x_in_single_precision(monkeypatch):
    dtypes = []
    evaluate = BinaryObjective.evaluate
    monkeypatch.setattr(
        BinaryObjective, "evaluate", lambda self, theta: (dtypes.append(self.X.dtype.name), evaluate(self, theta))[1]
    )
    X, y = noisy(1500, 200)
    LogisticRegression().fit(X, y)
    assert dtypes[0] == "float32"
    assert dtypes[-1] == "float64"
    assert dtypes.count("float64") <= 2
    dtypes.clear()
    X, y = noisy(500, 5)
    LogisticRegression().fit(X, y)
    assert set(dtypes) == {"float64"}


def test_features_beyond_single_precision():
    X, y = noisy(1500, 200)
    assert binary(X * 1e60, y).rounded() is None
    assert binary(X.astype(np.float32), y).rounded() is None
    model = LogisticRegression(C=1e-120, tol=1e52).fit(X * 1e60, y)
    np.testing.assert_allclose(model.coef_ * 1e60, LogisticRegression().fit(X, y).coef_, rtol=1e-6, atol=1e-6)


def test_rounded_objective_keeps_all_but_x():
    X, y = noisy(50, 4)
    weight = np.random.default_rng(0).uniform(0.5, 1.5, 50)
    objective = binary(X, y, weight, l2=3.0, fit_intercept=False)
    rounded = objective.rounded()
    theta = np.array([0.3, -0.1, 0.2, 0.5])
    assert rounded.X.dtype == np.float32
    for near, exact in zip(rounded.evaluate(theta), objective.evaluate(theta), strict=True):
        np.testing.assert_allclose(near, exact, rtol=1e-5, atol=1e-5)


# ---- the steps that are allowed --------------------------------------------------------------------------------------


def test_quasi_newton_steps_count_a_tenth():
    X, y = noisy(1000, 200)
    steps = LogisticRegression().fit(X, y).n_iter_[0]
    assert 10 < steps <= 30
    assert LogisticRegression(max_iter=3).fit(X, y).n_iter_[0] == steps
    with pytest.warns(ConvergenceWarning, match="after 10 steps"):
        model = LogisticRegression(max_iter=1).fit(X, y)
    assert model.n_iter_[0] == 10


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("n", "p"), [(300, 60), (1500, 200), (1000, 250), (100, 3)])
@pytest.mark.parametrize("tol", [0.0, 1e-19])
def test_a_tolerance_that_cannot_be_reached(tol, n, p, scale):
    X, y = noisy(n, p)
    X[:, :2] *= scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(tol=tol).fit(X, y)
    assert reached(model, X, y) < 1e-15 * max(1.0, scale)
    assert model.n_iter_[0] < 60


# ---- arrays that need no conversion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [np.int64, np.int8, np.uint8, bool, np.float64, np.float32])
def test_arrays_and_lists_are_the_same(labels):
    X, y = noisy(60, 4)
    array = LogisticRegression().fit(X, y.astype(labels))
    listed = LogisticRegression().fit(X.tolist(), y.astype(labels).tolist())
    assert array.coef_.tobytes() == listed.coef_.tobytes()
    assert array.n_features_in_ == 4
    assert array.predict(X).dtype == labels
    np.testing.assert_array_equal(array.predict(X), listed.predict(X))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X, y: (np.where(X[3, 2] == X, np.nan, X), y), "X: contains NaN or infinity"),
        (lambda X, y: (np.where(X[3, 2] == X, -np.inf, X), y), "X: contains NaN or infinity"),
        (lambda X, y: (X[:, :0], y), "0 feature"),
        (lambda X, y: (X[:-1], y), "inconsistent"),
        (lambda X, y: (X, y + 0.5), "Unknown label type"),
        (lambda X, y: (X, np.where(y == 1, np.nan, y)), "NaN"),
        (lambda X, y: (X, np.where(y == 1, np.inf, y)), "infinity"),
        (lambda X, y: (X, y[:, None] + np.zeros((1, 2))), "1d array"),
        (lambda X, y: (X[0], y), "2D array"),
    ],
)
def test_bad_arrays(change, match):
    X, y = change(*noisy(60, 4))
    with pytest.raises(ValueError, match=match):
        LogisticRegression().fit(X, y)


def test_labels_like_the_values_of_a_regression():
    X, _ = noisy(30, 2)
    with pytest.warns(UserWarning, match="regression"):
        LogisticRegression().fit(X, np.arange(30))
