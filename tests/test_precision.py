"""Scores of float32 features: single precision where the Hessian bears it, double where it does not."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scipy.sparse

from augcore import _dispatch, influence
from augcore.influence import forms
from augcore.linear_model import HessianFactor, LogisticRegression

SCORES = ("loo_influence", "loo_loss_change", "leverage")
EPS = np.finfo(np.float32).eps


@pytest.fixture(autouse=True)
def _small_problems_count(monkeypatch):
    monkeypatch.setattr(forms, "_SINGLE_OPERATIONS", 0.0)


@pytest.fixture
def precisions(monkeypatch):
    """The precision of every Hessian and of every quadratic form that is asked for, in order."""
    asked = []

    def spied(function):
        def call(*arguments, **keywords):
            given = inspect.signature(function).bind(*arguments, **keywords)
            given.apply_defaults()
            asked.append("single" if given.arguments["single"] else "double")
            return function(*arguments, **keywords)

        return call

    for name in ("gram_sums", "weighted_gram", "inverse_quadratic_form", "quadratic_forms"):
        monkeypatch.setattr(_dispatch, name, spied(getattr(_dispatch, name)))
    return asked


def problem(n=900, p=30, fall=0.0, n_classes=2, seed=0):
    """Features of float32 whose spectrum falls by 10**fall, and a model at them."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(p, p)))[0]
    X = (rng.normal(size=(n, p)) * np.logspace(0.0, -fall, p) @ basis).astype(np.float32)
    coef = 0.3 * rng.normal(size=(1 if n_classes == 2 else n_classes, p))
    return X, rng.integers(0, n_classes, n), coef


def error(found, exact):
    return float(np.max(np.abs(found - exact) / np.abs(exact)))


def condition(X, coef, l2):
    """Of the Hessian of a binary model scaled to a unit diagonal, in the 1-norm."""
    Z = np.column_stack([X.astype(float), np.ones(len(X))])
    probability = 1.0 / (1.0 + np.exp(-Z[:, :-1] @ coef[0]))
    hessian = (Z.T * (probability * (1.0 - probability))) @ Z + l2 * np.diag([1.0] * X.shape[1] + [0.0])
    scale = np.sqrt(np.diag(hessian))
    return np.linalg.cond(hessian / np.outer(scale, scale), 1)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("fall", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
def test_the_error_follows_the_condition(name, n_classes, fall, precisions):
    X, y, coef = problem(fall=fall, n_classes=n_classes)
    function = getattr(influence, name)
    found = function(X, y, coef, l2=1e-6)
    asked = set(precisions[-1:])
    wanted = function(X.astype(np.float64), y, coef, l2=1e-6)
    if asked == {"single"}:
        assert 1e-9 < error(found, wanted) < 5e-4
        if n_classes == 2:
            assert error(found, wanted) <= max(10.0, 0.1 * condition(X, coef, 1e-6)) * EPS
    else:
        assert error(found, wanted) < 1e-9


def test_single_precision_ends_where_the_condition_is_bad(precisions):
    used = []
    for fall in (0.0, 2.0, 2.5, 3.0):
        X, y, coef = problem(fall=fall)
        precisions.clear()
        influence.loo_influence(X, y, coef, l2=1e-6)
        used.append((condition(X, coef, 1e-6) < 1e5, list(precisions)))
    single, double = ["single", "single"], ["single", "double", "double"]
    assert [asked for _, asked in used] == [single if well else double for well, _ in used]
    assert [well for well, _ in used] == [True, True, False, False]


def test_small_problems_and_float64_are_left_in_double(monkeypatch, precisions):
    X, y, coef = problem()
    influence.loo_influence(X.astype(np.float64), y, coef, l2=1.0)
    influence.loo_influence(X, y, coef, l2=1.0, fit_X=X.astype(np.float64), fit_y=y)
    influence.loo_influence(X.astype(np.float64), y, coef, l2=1.0, fit_X=X, fit_y=y)
    monkeypatch.setattr(forms, "_SINGLE_OPERATIONS", 900 * 31**2 + 1.0)
    influence.loo_influence(X, y, coef, l2=1.0)
    assert set(precisions) == {"double"}
    monkeypatch.setattr(forms, "_SINGLE_OPERATIONS", 900 * 31**2)
    influence.loo_influence(X, y, coef, l2=1.0)
    assert precisions[-2:] == ["single", "single"]
    X, y, coef = problem(n_classes=4)
    monkeypatch.setattr(forms, "_SINGLE_OPERATIONS", 6 * 900 * 31**2)  # three contrasts have six pairs
    influence.loo_influence(X, y, coef, l2=1.0)
    assert precisions[-1] == "single"


@pytest.mark.parametrize("n_classes", [2, 4])
def test_threads_layouts_and_blocks_do_not_change_a_bit(n_classes):
    X, y, coef = problem(n=5000, n_classes=n_classes)
    wanted = influence.loo_influence(X, y, coef, l2=1.0, threads=1)
    assert error(wanted, influence.loo_influence(X.astype(float), y, coef, l2=1.0)) > 1e-9
    for other in (np.asfortranarray(X), scipy.sparse.csr_array(X)):
        for threads in (1, 2, 3):
            assert np.array_equal(influence.loo_influence(other, y, coef, l2=1.0, threads=threads), wanted)


def test_a_factor_and_fitted_points_are_taken_in_single(precisions):
    X, y, _ = problem()
    model = LogisticRegression(C=1.0).fit(X, y)
    plain = influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2)
    factor = model.factor_
    precisions.clear()
    given = influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2, factor=factor)
    fitted = influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2, fit_X=X[::2], fit_y=y[::2])
    assert precisions == ["single"] * 3
    np.testing.assert_allclose(given, plain, rtol=1e-5)
    assert error(fitted, plain) > 0.01
    bad = HessianFactor(np.diag([1.0] * 30 + [1e-9]) + np.tril(np.ones((31, 31)), -1), True)
    influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2, factor=bad)
    assert precisions[-1] == "double"
    for unit in (1e-45, 1e-18, 1e18, 1e45):
        scaled = HessianFactor(factor.lower * unit, True)
        found = influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2, factor=scaled)
        assert precisions[-1] == "double"
        np.testing.assert_allclose(found * unit**2, plain, rtol=1e-5)


@pytest.mark.parametrize("unit", [1e-30, 1e-17, 1e-6, 1e6, 1e17, 1e30])
def test_units_do_not_matter(unit):
    X, y, coef = problem()
    X = (X * np.float32(unit)).astype(np.float32)
    found = influence.loo_influence(X, y, coef / unit, None)
    wanted = influence.loo_influence(X.astype(np.float64), y, coef / unit, None)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_one_feature_in_another_unit_does_not_matter():
    X, y, coef = problem()
    X[:, 3] *= np.float32(1e-12)
    coef[:, 3] = 0.0
    np.testing.assert_allclose(
        influence.leverage(X, y, coef, None), influence.leverage(X.astype(np.float64), y, coef, None), rtol=1e-5
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_tiny_points_keep_their_digits(n_classes):
    X, y, coef = problem(n_classes=n_classes)
    X[5] *= np.float32(1e-25)
    X[6] = 0.0
    found = influence.leverage(X, y, coef, None, 1.0)
    wanted = influence.leverage(X.astype(np.float64), y, coef, None, 1.0)
    assert 0 < wanted[5] < 1e-45
    assert found[6] == 0
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_singular_hessian_is_still_refused():
    X, y, coef = problem()
    X[:, 4] = X[:, 3]
    with pytest.raises(np.linalg.LinAlgError, match="l2"):
        influence.loo_influence(X, y, coef, None)
