"""Fits of logistic models on a GPU: the optimum that the CPU finds, on a card or on the emulator."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from augcore import influence
from augcore.linear_model import LogisticRegression, newton

CLOSE = 1e-6  # of coefficients: the gradients are at the tolerance of the fit


def made_up(n: int, p: int, classes: int = 2, dtype: str = "float64", seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X[:, :1] @ rng.normal(size=(1, classes)) + rng.gumbel(size=(n, classes))).argmax(axis=1)
    y[:classes] = np.arange(classes)
    return X.astype(dtype), y


def assert_same_model(found: LogisticRegression, expected: LogisticRegression) -> None:
    for name in ("coef_", "intercept_"):
        values = getattr(found, name)
        assert isinstance(values, np.ndarray)
        np.testing.assert_allclose(values, getattr(expected, name), rtol=CLOSE, atol=CLOSE)
    np.testing.assert_array_equal(found.classes_, expected.classes_)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fits_are_those_of_the_cpu(cupy: Any, dtype: str, classes: int) -> None:
    for n, p in ((5, 1), (12, 2), (40, 31), (33, 33)):
        X, y = made_up(n, p, classes, dtype)
        weight = np.random.default_rng(1).uniform(0.1, 2, n)
        for settings in ({}, {"fit_intercept": False}):
            expected = LogisticRegression(**settings).fit(X, y, weight)
            found = LogisticRegression(**settings).fit(cupy.asarray(X), y, cupy.asarray(weight))
            assert_same_model(found, expected)


def test_quasi_newton_steps_and_long_rows(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a Hessian is dear: steps with a factor of single precision, and rows that no tile of the gradient holds."""
    monkeypatch.setattr(newton, "_CHEAP", 0.0)
    monkeypatch.setattr(newton, "_CHEAP_OPERATIONS", 0.0)
    X, y = made_up(60, 20, dtype="float32")
    for C in (1.0, 1e4):
        assert_same_model(LogisticRegression(C).fit(cupy.asarray(X), y), LogisticRegression(C).fit(X, y))


@pytest.mark.parametrize("p", [600, 1100, 4000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_any_width(cupy: Any, dtype: str, p: int) -> None:
    """Four, two or one rows of a warp in shared memory, or none."""
    from augcore import _dispatch

    X, y = made_up(11, p, dtype=dtype)
    coef = np.random.default_rng(2).normal(size=p + 1) / np.sqrt(p)
    for weight in (None, np.linspace(0, 1, 11)):
        eta, gradient = _dispatch.gradient(X, True, coef, y.astype(float), weight, 1)
        there = [None if values is None else cupy.asarray(values) for values in (y.astype(float), weight)]
        found, total = _dispatch.gradient(cupy.asarray(X), True, coef, *there, 1)
        np.testing.assert_allclose(cupy.asnumpy(found), eta, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(total, gradient, rtol=1e-12, atol=1e-13)


def test_sums_of_many_rows_and_vectors(cupy: Any) -> None:
    from augcore import _dispatch

    X, _ = made_up(300, 5, dtype="float32")
    for b in (1, 3, 4, 9):
        factors = np.random.default_rng(3).normal(size=(300, b))
        found = _dispatch.sum_of_rows(cupy.asarray(X), True, cupy.asarray(factors), 1)
        np.testing.assert_allclose(found, _dispatch.sum_of_rows(X, True, factors, 1), rtol=1e-12, atol=1e-12)
        coef = factors[:6].T.copy()
        eta = _dispatch.linear_predictor(cupy.asarray(X), True, coef, 1)
        expected = _dispatch.linear_predictor(X, True, coef, 1)
        np.testing.assert_allclose(cupy.asnumpy(eta), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_conjugate_gradients(cupy: Any, monkeypatch: pytest.MonkeyPatch, classes: int) -> None:
    X, y = made_up(30, 6, classes)
    expected = LogisticRegression().fit(X, y)
    for limit in (6 * (classes - 1), 7):  # without and with a factor for the preconditioner
        monkeypatch.setattr(newton, "DENSE_LIMIT", limit)
        assert_same_model(LogisticRegression().fit(cupy.asarray(X), y), expected)


def test_separable_and_repeated_features(cupy: Any) -> None:
    X = np.array([[-2.0, -2.0], [-1.0, -1.0], [1.0, 1.0], [2.0, 2.0]])
    y = np.array([0, 0, 1, 1])
    for C in (1.0, 1e6):
        assert_same_model(LogisticRegression(C).fit(cupy.asarray(X), y), LogisticRegression(C).fit(X, y))


def test_predictions_stay_where_the_samples_are(cupy: Any) -> None:
    for classes in (2, 3):
        X, y = made_up(30, 4, classes)
        model = LogisticRegression().fit(cupy.asarray(X), cupy.asarray(y + 5))
        for name in ("decision_function", "predict", "predict_proba", "predict_log_proba"):
            found = getattr(model, name)(cupy.asarray(X))
            assert isinstance(found, cupy.ndarray)
            np.testing.assert_allclose(cupy.asnumpy(found), getattr(model, name)(X), rtol=1e-10, atol=1e-12)
    words = LogisticRegression().fit(cupy.asarray(X), np.array(["a", "b", "c"])[y])
    assert words.predict(X[:1])[0] in ("a", "b", "c")
    with pytest.raises(TypeError, match=r"^classes_: are not numbers"):
        words.predict(cupy.asarray(X))


def test_the_factor_stays_and_travels(cupy: Any, tmp_path: Any) -> None:
    X, y = made_up(30, 4)
    there = cupy.asarray(X)
    model, expected = LogisticRegression().fit(there, y), LogisticRegression().fit(X, y)
    lower = model.factor_.lower
    assert isinstance(lower, cupy.ndarray)
    np.testing.assert_allclose(cupy.asnumpy(lower), expected.factor_.lower, rtol=1e-6, atol=1e-9)
    read = pickle.loads(pickle.dumps(model))
    assert isinstance(read.factor_.lower, np.ndarray)
    for factor in (model.factor_, read.factor_):
        for points in (X, there):
            scores = influence.loo_influence(points, y, model.coef_, model.intercept_, factor=factor)
            values = cupy.asnumpy(scores) if points is there else scores
            np.testing.assert_allclose(
                values, influence.loo_influence(X, y, model.coef_, model.intercept_, 1.0), rtol=1e-9
            )
    model.save(tmp_path / "model.npz")
    assert_same_model(LogisticRegression.load(tmp_path / "model.npz"), model)


def test_warm_starts_cross_over(cupy: Any) -> None:
    X, y = made_up(40, 5)
    model = LogisticRegression(warm_start=True).fit(cupy.asarray(X), y)
    assert_same_model(model.fit(X, y), LogisticRegression().fit(X, y))
    assert_same_model(model.fit(cupy.asarray(X), y), LogisticRegression().fit(X, y))


def test_bad_input(cupy: Any) -> None:
    X, y = made_up(10, 3)
    there, model = cupy.asarray(X), LogisticRegression()
    with pytest.raises(ValueError, match=r"^y: expected length 10, as X has rows, got 9"):
        model.fit(there, y[1:])
    with pytest.raises(ValueError, match=r"^y: one class only"):
        model.fit(there, cupy.asarray(np.ones(10)))
    with pytest.raises(ValueError, match=r"^y: contains NaN"):
        model.fit(there, cupy.asarray(np.full(10, np.nan)))
    with pytest.raises(ValueError, match=r"^sample_weight: all weights are zero"):
        model.fit(there, y, np.zeros(10))
    with pytest.raises(ValueError, match=r"^X: has no samples"):
        model.fit(there[:0], y[:0])
    with pytest.raises(ValueError, match=r"^X: contains NaN"):
        model.fit(there * np.nan, y)
    with pytest.raises(ValueError, match=r"^X: has 2 features, but coef_ has 3"):
        model.fit(there, y).predict(there[:, :2])
    with pytest.raises(ValueError, match=r"Unknown label type"):
        model.fit(there, cupy.asarray(np.linspace(0, 1, 10)))
