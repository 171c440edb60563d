"""LogisticRegression: against scikit-learn and mpmath, scikit-learn's own checks, and input that breaks naive code."""

from __future__ import annotations

import copy
import json
import pickle

import mpmath
import numpy as np
import pytest
import sklearn.linear_model
from conftest import THREADS
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import augcore
from augcore import _dispatch, _multinomial, reference
from augcore.linear_model import HessianFactor, LogisticRegression, LogisticRegressionCV, fitted, logistic_path, newton
from augcore.linear_model.objective import Objective, objective_of


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), y


def problem(n, p, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).astype(dtype)
    y = (X[:, : min(p, 3)].sum(1) + rng.normal(size=n) > 0).astype(int)
    y[:2] = [0, 1]
    return X, y, rng.uniform(0.1, 3.0, n)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        LogisticRegression(),
        LogisticRegression(fit_intercept=False, C=0.5),
        LogisticRegressionCV(Cs=[0.1, 1.0], cv=2),
    ]
)
def test_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_same_optimum_as_scikit_learn(cancer, C, fit_intercept, weighted):
    X, y = cancer
    weight = np.random.default_rng(1).uniform(0.0, 2.0, len(y)) if weighted else None
    ours = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-12).fit(X, y, weight)
    theirs = sklearn.linear_model.LogisticRegression(
        C=C, fit_intercept=fit_intercept, tol=1e-12, solver="newton-cholesky", max_iter=200
    ).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_gradient_vanishes_at_the_fit_in_fifty_digits():
    X, y, weight = problem(30, 3)
    model = LogisticRegression(C=2.0, tol=1e-12).fit(X, y, weight)
    with mpmath.workdps(50):
        coef = [mpmath.mpf(c) for c in [*model.coef_[0], *model.intercept_]]
        gradient = [c / 2 for c in coef[:-1]] + [mpmath.mpf(0)]
        for row, label, w in zip(X, y, weight, strict=True):
            x = [*(mpmath.mpf(float(v)) for v in row), mpmath.mpf(1)]
            eta = sum(a * b for a, b in zip(x, coef, strict=True))
            r = float(w) * (1 / (1 + mpmath.exp(-eta)) - int(label))
            gradient = [g + r * a for g, a in zip(gradient, x, strict=True)]
        assert max(abs(g) for g in gradient) < 1e-12 * weight.sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_and_layout_do_not_change_a_bit(dtype):
    X, y, weight = problem(1700, 37, dtype=dtype)
    base = LogisticRegression(threads=1).fit(X, y, weight)
    views = {
        "fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "reversed": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        "byte-swapped": X.astype(X.dtype.newbyteorder()),
        "float64": X.astype(np.float64),
    }
    for threads in THREADS:
        model = LogisticRegression(threads=threads).fit(X, y, weight)
        assert model.coef_.tobytes() == base.coef_.tobytes(), threads
    for name, view in views.items():
        model = LogisticRegression().fit(view, y, weight)
        assert model.coef_.tobytes() == base.coef_.tobytes(), name


@pytest.mark.parametrize("q", [1, 2, 3, 4, 5, 8, 9, 23, 24, 25, 64, 131])
def test_cholesky_against_lapack(q):
    rng = np.random.default_rng(q)
    half = rng.normal(size=(q, q + 3))
    matrix = half @ half.T
    lower = matrix.copy()
    assert _dispatch.cholesky(lower, 1) == -1
    np.testing.assert_allclose(lower, np.linalg.cholesky(matrix), rtol=1e-9, atol=1e-10)
    x = rng.normal(size=q)
    solved = matrix @ x
    _dispatch.cholesky_solve(lower, solved)
    np.testing.assert_allclose(solved, x, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("column", [0, 3, 23, 24, 40])
def test_cholesky_names_the_dependent_column(column):
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(60, 41))
    basis[:, column] = basis[:, :column] @ rng.normal(size=column) if column else 0.0
    # Its scaling has nothing to do with whether a matrix is singular.
    basis *= 10.0 ** rng.integers(-100, 100, 41)
    assert _dispatch.cholesky(basis.T @ basis, 1) == column


def test_warm_start_takes_fewer_steps_to_the_same_fit():
    X, y, _ = problem(800, 20)
    cold = LogisticRegression(C=1.0, tol=1e-10).fit(X, y)
    warm = LogisticRegression(C=1.1, tol=1e-10, warm_start=True).fit(X, y)
    warm.set_params(C=1.0).fit(X, y)
    assert warm.n_iter_[0] < cold.n_iter_[0]
    np.testing.assert_allclose(warm.coef_, cold.coef_, rtol=1e-7, atol=1e-9)


def test_factor_is_of_the_hessian_at_the_fit():
    X, y, weight = problem(100, 6)
    model = LogisticRegression(C=0.5).fit(X, y, weight)
    eta = model.decision_function(X)
    np.testing.assert_allclose(
        model.factor_.lower @ model.factor_.lower.T, reference.hessian(X, weight, eta, 2.0, True), rtol=1e-9, atol=1e-9
    )
    rhs = np.arange(7.0)
    expected = np.linalg.solve(reference.hessian(X, weight, eta, 2.0, True), rhs)
    np.testing.assert_allclose(model.factor_.solve(rhs), expected, rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e6])
@pytest.mark.parametrize("C", [1e-6, 1.0, 1e8])
def test_hard_data_is_fitted_or_warned_about(scale, C):
    """Separable classes, a constant and a doubled column, fewer samples than features, at every scale."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(12, 20)) * scale
    X[:, 3] = X[:, 4]
    X[:, 5] = scale
    y = np.repeat([0, 1], 6)
    model = LogisticRegression(C=C).fit(X, y)
    assert np.isfinite(model.coef_).all()
    gradient = X.T @ reference.residual(model.decision_function(X), y.astype(float)) + model.coef_[0] / C
    assert np.abs(gradient).max() <= 1e-8 * 12 * max(1.0, scale * 1e-6)


def test_convergence_warning():
    X, y, _ = problem(200, 5)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        LogisticRegression(max_iter=1).fit(X, y)


@pytest.mark.parametrize(
    "labels", [np.array([0, 1]), np.array([-1, 7]), np.array(["cat", "dog"]), np.array([False, True])]
)
def test_save_and_load(tmp_path, labels):
    X, y, _ = problem(60, 4)
    model = LogisticRegression(C=3.0, fit_intercept=True).fit(X, labels[y])
    path = tmp_path / "model.npz"
    model.save(path)
    again = LogisticRegression.load(path)
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    with pytest.raises(AttributeError, match="not fitted"):
        _ = again.factor_
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.npz"]


def damaged(path, how):
    good = path.read_bytes()
    arrays = dict(np.load(path))
    if how == "truncated":
        path.write_bytes(good[: len(good) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("not a model")
    elif how == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif how == "pickled":
        arrays["coef"] = np.array([{"a": 1}], dtype=object)
        np.savez(path, **arrays)
    elif how == "missing":
        del arrays["coef"]
        np.savez(path, **arrays)
    elif how == "shape":
        arrays["coef"] = np.zeros((2, 4))
        np.savez(path, **arrays)
    elif how == "nan":
        arrays["coef"] = np.full((1, 4), np.nan)
        np.savez(path, **arrays)
    elif how == "header":
        arrays["header"] = np.array("[1, 2")
        np.savez(path, **arrays)
    elif how == "other":
        arrays["header"] = np.array(json.dumps({"format": "something", "version": 1, "parameters": {}}))
        np.savez(path, **arrays)


@pytest.mark.parametrize(
    "how", ["truncated", "empty", "text", "npy", "pickled", "missing", "shape", "nan", "header", "other"]
)
def test_damaged_models_are_refused(tmp_path, how):
    X, y, _ = problem(60, 4)
    path = tmp_path / "model.npz"
    LogisticRegression().fit(X, y).save(path)
    damaged(path, how)
    with pytest.raises(augcore.FileFormatError, match=r"model\.npz"):
        LogisticRegression.load(path)


def test_from_estimator(cancer):
    X, y = cancer
    theirs = sklearn.linear_model.LogisticRegression(C=0.7, tol=1e-10, solver="newton-cholesky").fit(X, y)
    ours = LogisticRegression.from_estimator(theirs)
    assert ours.C == 0.7
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="intercept"):
        LogisticRegression.from_estimator(sklearn.linear_model.LogisticRegression(solver="liblinear").fit(X, y))
    with pytest.raises(ValueError, match="expected a fitted"):
        LogisticRegression.from_estimator(sklearn.linear_model.LogisticRegression())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"C": 0.0}, "^C: "),
        ({"C": -1.0}, "^C: "),
        ({"C": np.nan}, "^C: "),
        ({"C": 1e-320}, "^C: "),
        ({"tol": -1e-3}, "^tol: "),
        ({"max_iter": 0}, "^max_iter: "),
        ({"threads": 0}, "^threads: "),
        ({"threads": 5000}, "^threads: "),
    ],
)
def test_bad_parameters(change, match):
    X, y, _ = problem(20, 3)
    with pytest.raises(ValueError, match=match):
        LogisticRegression(**change).fit(X, y)


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (np.ones(19), "expected length 20"),
        (np.full(20, -1.0), "must not be negative"),
        (np.full(20, np.nan), "NaN"),
        (np.zeros(20), "all weights are zero"),
        (np.full(20, 1e308), "above 1e\\+100"),
        (np.full(20, 5e-324), "below 1e-100"),
        (np.repeat([1.0, 0.0], 10), "one class only"),
    ],
)
def test_bad_weights(weight, match):
    X, _, _ = problem(20, 3)
    with pytest.raises(ValueError, match=match):
        LogisticRegression().fit(X, np.repeat([0, 1], 10), weight)


def test_measurements_are_no_labels():
    X = np.ones((2002, 1))
    refused = pytest.raises(ValueError, match="^y: has 1002 different values for 2002 samples; expected the labels")
    with pytest.warns(UserWarning, match="number of unique classes"), refused:  # scikit-learn's words
        LogisticRegression().fit(X, np.maximum(np.arange(2002), 1000))


def test_one_class():
    X, _, _ = problem(20, 3)
    with pytest.raises(ValueError, match="one class only"):
        LogisticRegression().fit(X, np.ones(20))
    with pytest.raises(ValueError, match="^sample_weight: all weights of a class are zero"):
        LogisticRegression().fit(X, np.arange(20) % 3, (np.arange(20) % 3 > 0).astype(float))


@pytest.mark.parametrize("C", ["1", None, 10**400, [1.0, 2.0], True])
def test_bad_kinds_of_C(C):
    X, y, _ = problem(20, 3)
    with pytest.raises((TypeError, ValueError), match=r"^C: "):
        LogisticRegression(C=C).fit(X, y)


@pytest.mark.parametrize("scale", [1e101, 1e154, 1e300])
def test_features_whose_squares_overflow_are_refused(scale):
    X, y, _ = problem(20, 3)
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"^X: has values above"):
        LogisticRegression().fit(X * scale, y)
    with pytest.raises(ValueError, match=r"^X: has values above"):
        model.predict(X * scale)


def test_what_is_no_number_is_refused():
    X, y, _ = problem(20, 3)
    for bad in (np.ma.masked_array(X), X.astype(str), X.astype("datetime64[s]")):
        with pytest.raises(TypeError, match=r"^X: "):
            LogisticRegression().fit(bad, y)
    with pytest.raises(TypeError, match=r"^y: masked"):
        LogisticRegression().fit(X, np.ma.masked_array(y))
    with pytest.raises(TypeError, match=r"^fit_intercept: "):
        LogisticRegression(fit_intercept="yes").fit(X, y)


def test_numpy_scalars_as_parameters(tmp_path):
    X, y, _ = problem(20, 3)
    path = tmp_path / "model.npz"
    model = LogisticRegression(C=np.float16(0.5), max_iter=np.int64(50), fit_intercept=np.bool_(True)).fit(X, y)
    model.save(path)
    np.testing.assert_array_equal(LogisticRegression.load(path).coef_, model.coef_)
    np.testing.assert_array_equal(LogisticRegression(C=0.5).fit(X, y).coef_, model.coef_)


def test_labels_that_a_file_cannot_keep_are_not_saved(tmp_path):
    X, y, _ = problem(20, 3)
    model = LogisticRegression().fit(X, np.array(["a", "a\0"], dtype=object)[y])
    with pytest.raises(TypeError, match=r"^classes_: "):
        model.save(tmp_path / "model.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"threads": -5}},
        {"parameters": {"C": "x"}},
        {"parameters": {"C": 0}},
        {"parameters": {"alpha": 1}},
        {"classes": np.array([1, 1])},
        {"classes": np.array([1, 0])},
        {"classes": np.array([0.0, np.nan])},
        {"coef": np.zeros((1, 0))},
        {"n_iter": np.array(["x"])},
        {"header": "[" * 100_000},
        {"header": '{"format": ' + "9" * 5000 + "}"},
    ],
)
def test_forged_models_are_refused(tmp_path, change):
    X, y, _ = problem(20, 3)
    path = tmp_path / "model.npz"
    LogisticRegression().fit(X, y).save(path)
    arrays = dict(np.load(path))
    if "parameters" in change:
        header = json.loads(str(arrays["header"])) | {"parameters": change["parameters"]}
        change = {"header": json.dumps(header)}
    np.savez(path, **(arrays | change))
    with pytest.raises(augcore.FileFormatError, match=r"model\.npz: not a saved LogisticRegression"):
        LogisticRegression.load(path)


def test_from_estimator_takes_sparse_coefficients_and_no_other_model(cancer):
    X, y = cancer
    theirs = sklearn.linear_model.LogisticRegression(C=0.7).fit(X, y)
    dense = LogisticRegression.from_estimator(theirs)
    sparse = LogisticRegression.from_estimator(theirs.sparsify())
    np.testing.assert_array_equal(sparse.coef_, dense.coef_)
    with pytest.raises(ValueError, match=r"^estimator: "):
        LogisticRegression.from_estimator(sklearn.linear_model.RidgeClassifier().fit(X, y))


@pytest.mark.parametrize(
    ("lower", "error"),
    [
        (np.ones((4, 1)), ValueError),
        (np.ones((0, 0)), ValueError),
        (np.zeros((4, 4)), ValueError),
        (np.full((4, 4), np.nan), ValueError),
        (np.eye(4, dtype=np.float32), TypeError),
        (np.asfortranarray(np.tri(4)), ValueError),
        ([[1.0]], TypeError),
    ],
)
def test_factors_that_are_none_are_refused(lower, error):
    with pytest.raises(error, match=r"^lower: "):
        HessianFactor(lower, True)


def test_factor_checks_what_it_is_given():
    with pytest.raises(ValueError, match=r"^hessian: "):
        HessianFactor.of(np.ones((3000, 1)), True)
    with pytest.raises(ValueError, match=r"^hessian: contains NaN"):
        HessianFactor.of(np.full((3, 3), np.inf), True)
    with pytest.raises(ValueError, match=r"^b: expected length 4"):
        HessianFactor(np.eye(4), True).solve(np.ones(10**7))


# ---- softmax ---------------------------------------------------------------------------------------------------------


def classes_problem(n, p, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=(p, n_classes)) + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y, rng.uniform(0.1, 3.0, n)


@pytest.fixture(params=["factors", "products"])
def method(request, monkeypatch):
    """Both ways to a direction: factored Hessians, and conjugate gradients."""
    if request.param == "products":
        monkeypatch.setattr(newton, "DENSE_LIMIT", 50)
    return request.param


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_has_the_optimum_of_scikit_learn(method, C, fit_intercept, weighted):
    X, y, weight = classes_problem(300, 20, 5)
    weight = weight if weighted else None
    ours = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-12).fit(X, y, weight)
    theirs = sklearn.linear_model.LogisticRegression(
        C=C, fit_intercept=fit_intercept, tol=1e-12, solver="newton-cholesky", max_iter=200
    ).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6, atol=1e-10)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.coef_.sum(axis=0), 0.0, atol=1e-13)
    np.testing.assert_allclose(ours.intercept_.sum(), 0.0, atol=1e-13)


def test_softmax_factor_and_file(tmp_path):
    X, y, weight = classes_problem(80, 4, 3)
    model = LogisticRegression(C=0.5).fit(X, np.array(["b", "a", "c"])[y], weight)
    factor = model.factor_
    assert factor.n_contrasts == 2
    assert factor.lower.shape == (10, 10)
    # Column by column: the derivative of the gradient in the contrasts.
    objective = objective_of(X, np.array([1, 0, 2])[y], 3, weight, 2.0, True, 1)
    table = _multinomial.contrasts(3) @ np.column_stack([model.coef_, model.intercept_])
    theta, step = table.ravel(), 1e-5

    def gradient(at):
        return objective.gradient(objective.residual(objective.predict(at)), at)

    columns = [(gradient(theta + step * e) - gradient(theta - step * e)) / (2 * step) for e in np.eye(10)]
    np.testing.assert_allclose(factor.lower @ factor.lower.T, np.array(columns), rtol=1e-6, atol=1e-6)
    path = tmp_path / "model.npz"
    model.save(path)
    again = LogisticRegression.load(path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    theirs = sklearn.linear_model.LogisticRegression(C=0.5, tol=1e-10).fit(X, y, weight)
    ours = LogisticRegression.from_estimator(theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_steps_between_hessians_reach_the_optimum(n_classes):
    """Large enough that Hessians are not computed at every step."""
    X, y, weight = classes_problem(600, 150, n_classes)
    model = LogisticRegression(C=10.0, tol=1e-11).fit(X, y, weight)
    theirs = sklearn.linear_model.LogisticRegression(C=10.0, tol=1e-12, solver="newton-cholesky").fit(X, y, weight)
    np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    eta = model.decision_function(X)
    if n_classes == 2:
        lower = model.factor_.lower
        np.testing.assert_allclose(lower @ lower.T, reference.hessian(X, weight, eta, 0.1, True), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_warm_start_uses_the_last_factor(n_classes, monkeypatch):
    X, y, _ = classes_problem(1000, 150, n_classes)
    model = LogisticRegression(warm_start=True, tol=1e-6).fit(X, y)
    cold = LogisticRegression(tol=1e-6).fit(X[:990], y[:990])
    monkeypatch.setattr(Objective, "hessian", lambda *_: pytest.fail("a Hessian where the last factor would do"))
    model.fit(X[:990], y[:990])
    assert model.n_iter_[0] < cold.n_iter_[0]
    np.testing.assert_allclose(model.coef_, cold.coef_, rtol=1e-3, atol=1e-4)


def test_copies_keep_the_factor_and_not_the_data():
    X, y, _ = problem(2000, 5)
    model = LogisticRegression().fit(X, y)
    again = copy.deepcopy(model)
    assert again._last is None
    np.testing.assert_array_equal(again.factor_.lower, model.factor_.lower)


# ---- C by cross-validation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_cross_validation_as_in_scikit_learn(n_classes):
    X, y, _ = classes_problem(150, 6, n_classes)
    Cs = [1e-3, 1e-2, 0.1, 1.0]
    ours = LogisticRegressionCV(Cs=Cs[::-1], cv=3, scoring="neg_log_loss").fit(X, y)
    theirs = [
        cross_val_score(
            sklearn.linear_model.LogisticRegression(C=C, tol=1e-10), X, y, cv=StratifiedKFold(3), scoring="neg_log_loss"
        )
        for C in Cs
    ]
    np.testing.assert_allclose(ours.scores_, np.transpose(theirs), rtol=1e-5)
    assert Cs[np.mean(theirs, axis=1).argmax()] == ours.C_
    np.testing.assert_array_equal(ours.Cs_, Cs)
    whole = LogisticRegression(C=ours.C_).fit(X, y)
    np.testing.assert_array_equal(ours.coef_, whole.coef_)
    assert ours.factor_.lower.shape == whole.factor_.lower.shape


def test_path():
    X, y, weight = classes_problem(100, 5, 3)
    path = logistic_path(X, y, Cs=[10.0, 0.1, 1.0], sample_weight=weight, tol=1e-11)
    assert path.Cs.tolist() == [0.1, 1.0, 10.0]
    for C, coef, intercept in zip(path.Cs, path.coef, path.intercept, strict=True):
        single = LogisticRegression(C=C, tol=1e-11).fit(X, y, weight)
        np.testing.assert_allclose(coef, single.coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(intercept, single.intercept_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(logistic_path(X, y, Cs=3).Cs, [1e-4, 1.0, 1e4])


@pytest.mark.parametrize("Cs", [0, [], [1.0, 0.0], [-1.0], [np.nan]])
def test_bad_grids(Cs):
    X, y, _ = problem(20, 3)
    for fit in (lambda: logistic_path(X, y, Cs=Cs), lambda: LogisticRegressionCV(Cs=Cs).fit(X, y)):
        with pytest.raises(ValueError, match="^Cs: "):
            fit()


def test_a_refused_fit_leaves_the_model_as_it_was():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), np.arange(50) % 2
    for model in (LogisticRegression(), LogisticRegressionCV([1.0, 2.0], cv=2)):
        wanted = model.fit(X, y).decision_function(X)
        for wrong in (rng.normal(size=(50, 2)), rng.normal(size=(50, 2000))):
            with pytest.raises(ValueError, match="one class"):
                model.fit(wrong, np.zeros(50))
            with pytest.raises(ValueError, match="features"):
                model.predict(wrong)
        np.testing.assert_array_equal(model.decision_function(X), wanted)
        assert model.n_features_in_ == 4
        model.coef_ = model.coef_[:, :3]
        with pytest.raises(ValueError, match="^X: has 4 features, but coef_ has 3"):
            model.predict(X)


def test_a_warm_start_is_yes_or_no():
    with pytest.raises(TypeError, match="^warm_start: "):
        LogisticRegression(warm_start=np.ones(3)).fit(np.eye(4), [0, 1, 0, 1])


def test_a_pickle_holds_a_factor_unless_it_is_large(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), np.arange(50) % 2
    small = pickle.loads(pickle.dumps(LogisticRegression().fit(X, y)))
    np.testing.assert_array_equal(small.factor_.lower, LogisticRegression().fit(X, y).factor_.lower)
    monkeypatch.setattr(fitted, "_PICKLED", 4)
    large = LogisticRegression().fit(X, y)
    again = pickle.loads(pickle.dumps(large))
    assert large._factor is None
    with pytest.raises(AttributeError, match="^factor_: "):
        _ = again.factor_
    np.testing.assert_array_equal(again.predict(X), large.predict(X))
