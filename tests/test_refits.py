"""retrain_loo: against independent refits, and where there is nothing to refit."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import sklearn.linear_model
from conftest import THREADS
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

import augcore.influence.refits as refits
from augcore.influence import loo_loss_change, retrain_loo
from augcore.linear_model import LogisticRegression, newton


def problem(n, p, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    logits = X @ rng.normal(size=(p, n_classes)) + rng.gumbel(size=(n, n_classes))
    y = logits.argmax(axis=1)
    y[: 2 * n_classes] = np.tile(np.arange(n_classes), 2)
    return X, y, rng.uniform(0.2, 3.0, n)


def losses(X, y, coef, intercept):
    """Of a model with one row of coefficients for two classes, else one for each."""
    scores = X @ np.atleast_2d(coef).T + np.atleast_1d(intercept)
    logits = np.column_stack([np.zeros(len(X)), scores]) if scores.shape[1] == 1 else scores
    return logsumexp(logits, axis=1) - logits[np.arange(len(X)), y]


def independent(X, y, C, weight, i=None):
    """scikit-learn's fit without point i."""
    kept = np.arange(len(X)) != i
    model = sklearn.linear_model.LogisticRegression(C=C, tol=1e-12, solver="newton-cholesky", max_iter=500)
    return model.fit(X[kept], y[kept], None if weight is None else weight[kept])


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "p", "C"), [(40, 5, 1.0), (60, 3, 1e3), (25, 40, 10.0)])
def test_against_independent_refits(n, p, C, n_classes, weighted):
    X, y, weight = problem(n, p, n_classes)
    weight = weight if weighted else None
    indices = np.array([3, n - 1, 0, 3, n // 2])
    result = retrain_loo(X, y, C=C, indices=indices, sample_weight=weight)
    full = independent(X, y, C, weight)
    before = losses(X, y, full.coef_, full.intercept_)
    for place, i in enumerate(indices):
        refit = independent(X, y, C, weight, i)
        change = losses(X, y, refit.coef_, refit.intercept_) - before
        np.testing.assert_allclose(result.own_loss_change[place], change[i], rtol=1e-6)
        total = np.sum(change if weight is None else weight * change)
        np.testing.assert_allclose(result.total_loss_change[place], total, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.atleast_2d(result.coef[place]), refit.coef_, rtol=1e-6, atol=1e-8)
        ours, theirs = np.atleast_1d(result.intercept[place]), refit.intercept_
        np.testing.assert_allclose(
            ours - ours.mean() * (n_classes > 2), theirs - theirs.mean() * (n_classes > 2), rtol=1e-6, atol=1e-8
        )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_threads_batches_and_order_do_not_matter(monkeypatch, n_classes):
    X, y, weight = problem(60, 4, n_classes)
    base = retrain_loo(X, y, sample_weight=weight, threads=1)
    for threads in THREADS:
        again = retrain_loo(X, y, sample_weight=weight, threads=threads)
        np.testing.assert_array_equal(again.coef, base.coef)
        np.testing.assert_array_equal(again.own_loss_change, base.own_loss_change)
    monkeypatch.setattr(refits, "_BATCH_VALUES", 1000)
    chosen = retrain_loo(X, y, sample_weight=weight, indices=np.arange(60)[::-1])
    np.testing.assert_allclose(chosen.coef[::-1], base.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(chosen.own_loss_change[::-1], base.own_loss_change, rtol=1e-9)


def test_too_many_parameters_are_refused(monkeypatch):
    monkeypatch.setattr(refits, "DENSE_LIMIT", 7)
    with pytest.raises(ValueError, match="^X: refits take at most 7 parameters, got 8"):
        retrain_loo(*problem(20, 3, 3)[:2])
    assert retrain_loo(*problem(20, 6, 2)[:2]).coef.shape == (20, 6)


def test_points_that_hardly_matter_have_exact_changes(monkeypatch):
    """Losses of 1e-7: the way of a refit is a ten millionth of the coefficients."""
    X, y, _ = problem(300, 3, 2)
    y[:50] = 1
    X[:50] = 4.0 * (X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0))
    base = retrain_loo(X, y, indices=np.arange(5))
    monkeypatch.setattr(refits, "_FALL", 1e-300)
    assert 0 < base.own_loss_change.max() < 1e-9
    np.testing.assert_allclose(base.coef, retrain_loo(X, y, indices=np.arange(5)).coef, rtol=1e-12)
    np.testing.assert_allclose(base.own_loss_change, retrain_loo(X, y, indices=np.arange(5)).own_loss_change, rtol=1e-4)


def test_the_general_fit_gives_the_same(monkeypatch):
    X, y, weight = problem(50, 6, 3)
    base = retrain_loo(X, y, C=5.0, sample_weight=weight)
    monkeypatch.setattr(refits, "_FALL", 1e-300)  # no step falls fast enough
    general = retrain_loo(X, y, C=5.0, sample_weight=weight)
    np.testing.assert_allclose(general.coef, base.coef, rtol=1e-8, atol=1e-10)


def test_few_steps_are_enough(monkeypatch):
    """The correction for the own point and the settling: the general fit is for hard cases only."""
    X, y, weight = problem(300, 5, 2)
    monkeypatch.setattr(refits._Many, "refit", lambda *_: pytest.fail("an easy refit was given up"))
    monkeypatch.setattr(refits, "_MAX_STEPS", 16)
    result = retrain_loo(X, y, sample_weight=weight)
    model = LogisticRegression(tol=1e-12).fit(X, y, weight)
    one_step = loo_loss_change(X, y, model.coef_, model.intercept_, 1.0, sample_weight=weight)
    assert np.corrcoef(result.own_loss_change, one_step)[0, 1] > 0.99


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_are_those_of_the_hessian_without_the_point(n_classes, weighted):
    X, y, weight = problem(20, 3, n_classes)
    objective, _ = refits._objective(X, y, 2.0, weight if weighted else None, None)
    full = refits._FullFit.of(objective)
    left_out = np.array([3, 0, 19])
    which = np.array([2, 0])
    gradients = np.random.default_rng(0).normal(size=(2, len(full.theta)))
    steps = refits._Corrections(full, left_out).solve(gradients, which)
    for step, gradient, i in zip(steps, gradients, left_out[which], strict=True):
        rest = np.ones(20) if not weighted else weight.copy()
        rest[i] = 0.0
        without, _ = refits._objective(X, y, 2.0, rest, None)
        hessian = without.hessian(without.predict(full.theta))
        np.testing.assert_allclose(step, np.linalg.solve(hessian, gradient), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_what_empties_a_class_and_what_weighs_nothing(n_classes):
    X, y, weight = problem(30, 3, n_classes)
    y[y == 1] = 0
    y[[7, 9]] = 1
    weight[[4, 9]] = 0.0
    result = retrain_loo(X, y, sample_weight=weight, indices=[4, 7, 8, 9])
    for place in (0, 3):
        assert result.own_loss_change[place] == result.total_loss_change[place] == 0.0
    assert np.isposinf([result.own_loss_change[1], result.total_loss_change[1]]).all()
    assert np.isnan(result.coef[1]).all()
    assert np.isnan(result.intercept[1]).all()
    assert np.isfinite(result.coef[[0, 2, 3]]).all()
    assert result.own_loss_change[2] > 0
    model = LogisticRegression(tol=1e-12).fit(X, y, weight)
    np.testing.assert_allclose(np.atleast_2d(result.coef[0]), model.coef_, rtol=1e-9, atol=1e-11)


def test_no_indices_and_float32():
    X, y, _ = problem(20, 3, 2)
    empty = retrain_loo(X, y, indices=np.empty(0, dtype=int))
    assert empty.coef.shape == (0, 3)
    assert empty.own_loss_change.shape == empty.intercept.shape == (0,)
    single = X.astype(np.float32)
    np.testing.assert_allclose(
        retrain_loo(single, y).coef, retrain_loo(single.astype(np.float64), y).coef, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"C": 0.0}, "^C: "),
        ({"indices": [20]}, "^indices: "),
        ({"indices": [-1]}, "^indices: "),
        ({"indices": [[0]]}, "^indices: "),
        ({"sample_weight": np.ones(19)}, "^sample_weight: "),
        ({"y": np.zeros(20, dtype=int)}, "^y: "),
        ({"y": np.zeros(19, dtype=int)}, "^y: expected length 20"),
        ({"X": np.full((20, 3), np.nan)}, "^X: "),
        ({"threads": 0}, "^threads: "),
        ({"sample_weight": np.repeat([1.0, 0.0], 10), "y": np.repeat([0, 1], 10)}, "^y: every class"),
    ],
)
def test_bad_input(change, match):
    X, y, _ = problem(20, 3, 2)
    arguments = {"X": X, "y": y} | change
    with pytest.raises(ValueError, match=match):
        retrain_loo(arguments.pop("X"), arguments.pop("y"), **arguments)


def test_a_refit_that_reaches_no_minimum_says_so(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    monkeypatch.setattr(refits, "minimise", functools.partial(stopped, steps=1))
    with pytest.warns(ConvergenceWarning, match="scale the features, or lower C"):
        retrain_loo(X, y, indices=[0, 1])


def stopped(objective, start, tol, max_iter, lower=None, *, steps):
    return newton.minimise(objective, start, tol, steps, lower)
