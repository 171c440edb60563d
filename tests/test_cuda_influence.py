"""Leave-one-out scores on a GPU: those of the CPU, on a card where there is one and always on the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from augcore import _dispatch, influence
from augcore.influence import cross, forms
from augcore.linear_model import HessianFactor, LogisticRegression

EXACT = 1e-10  # relative, of results in double
SINGLE = 2e-3  # of those in float32, which docs/precision.md allows 1e-3 of their size

SCORES: dict[str, Callable[..., Any]] = {
    name: getattr(influence, name)
    for name in ("loo_influence", "loo_loss_change", "leverage", "log_loss", "residual", "margin")
}
WITHOUT_HESSIAN = ("log_loss", "residual", "margin")


def made_up(n: int, p: int, classes: int = 2, dtype: str = "float64", seed: int = 0) -> tuple[Any, Any, Any, Any]:
    """X, y, coef and intercept; every class has a point."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).astype(dtype)
    y = rng.permutation(np.arange(n) % classes)
    rows = 1 if classes == 2 else classes
    return X, y, rng.normal(size=(rows, p)), rng.normal(size=rows)


def on_gpu(cupy: Any, settings: dict[str, Any]) -> dict[str, Any]:
    return {key: cupy.asarray(value) if isinstance(value, np.ndarray) else value for key, value in settings.items()}


def assert_alike(cupy: Any, found: Any, expected: Any, tolerance: float = EXACT) -> None:
    assert isinstance(found, cupy.ndarray)
    assert found.dtype == expected.dtype
    size = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    np.testing.assert_allclose(cupy.asnumpy(found), expected, rtol=tolerance, atol=tolerance * 1e-3 * size)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SCORES)
def test_scores_are_those_of_the_cpu(cupy: Any, name: str, dtype: str, classes: int) -> None:
    for n, p in ((7, 1), (9, 2), (33, 31), (40, 33), (70, 8))[: 7 - classes]:
        X, y, coef, intercept = made_up(n, p, classes, dtype)
        weight = np.random.default_rng(1).uniform(0, 2, n)
        weight[3] = 0.0
        for offset in (intercept, None):
            settings: dict[str, Any] = {} if name in WITHOUT_HESSIAN else {"l2": 0.5, "sample_weight": weight}
            expected = SCORES[name](X, y, coef, offset, **settings)
            found = SCORES[name](cupy.asarray(X), cupy.asarray(y), coef, offset, **on_gpu(cupy, settings))
            assert_alike(cupy, found, expected)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", SCORES)
def test_no_points_and_one(cupy: Any, name: str, classes: int) -> None:
    _, _, coef, _ = made_up(4, 3, classes)
    labels = np.arange(classes)
    settings: dict[str, Any] = {} if name in WITHOUT_HESSIAN else {"l2": 0.5}
    for n in (0, 1):
        X, y = np.full((n, 3), 0.5), np.zeros(n, np.int64)
        expected = SCORES[name](X, y, coef, None, classes=labels, **settings)
        found = SCORES[name](cupy.asarray(X), cupy.asarray(y), coef, None, classes=labels, **settings)
        assert_alike(cupy, found, expected)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["loo_influence", "loo_loss_change", "leverage"])
def test_single_precision_where_the_cpu_takes_it(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, name: str, classes: int
) -> None:
    monkeypatch.setattr(forms, "_SINGLE_OPERATIONS", 1.0)
    for n, p in ((1100, 7), (1030, 33)):  # more than a tile of the sums
        X, y, coef, intercept = made_up(n, p, classes, "float32")
        expected = SCORES[name](X.astype(np.float64), y, coef, intercept, 1.0)
        found = SCORES[name](cupy.asarray(X), y, coef, intercept, 1.0)
        assert_alike(cupy, found, expected, SINGLE)
        with pytest.raises(AssertionError):
            assert_alike(cupy, found, expected, 1e-12)  # it is in single precision indeed


def test_products_in_single_precision(cupy: Any) -> None:
    X, _, _, _ = made_up(1100, 20, dtype="float32")
    weight = np.random.default_rng(1).normal(size=1100)
    for intercept in (False, True):
        mixed = np.random.default_rng(2).normal(size=(20 + intercept, 40))
        factor = np.linalg.cholesky(mixed @ mixed.T)
        prepared = _dispatch.forms_of_factor(cupy.asarray(factor), lambda: 1.0)
        for function, there, here in (
            (_dispatch.inverse_quadratic_form, prepared, factor),
            (_dispatch.weighted_gram, cupy.asarray(weight), weight),
            (_dispatch.quadratic_forms, cupy.asarray(factor[None]), factor[None]),
        ):
            expected = function(X.astype(np.float64), intercept, here, 1)
            for single, tolerance in ((False, 1e-12), (True, 3e-5)):
                found = cupy.asnumpy(function(cupy.asarray(X), intercept, there, 1, single))
                error = np.abs(found - expected).max() / np.abs(expected).max()
                assert error <= tolerance
                assert (error > 1e-9) == single


@pytest.mark.parametrize("name", ["loo_influence", "loo_loss_change", "leverage"])
def test_dual_and_points_apart(cupy: Any, name: str) -> None:
    X, y, coef, intercept = made_up(9, 40)
    for solver in ("dual", "auto", "cholesky"):
        expected = SCORES[name](X, y, coef, intercept, 0.5, solver=solver)
        assert_alike(cupy, SCORES[name](cupy.asarray(X), y, coef, intercept, 0.5, solver=solver), expected, 1e-9)
    if name == "loo_influence":
        others, labels, _, _ = made_up(13, 40, seed=1)
        for solver in ("dual", "cholesky"):
            expected = SCORES[name](others, labels, coef, intercept, 0.5, fit_X=X, fit_y=y, solver=solver)
            arrays = {"fit_X": cupy.asarray(X), "fit_y": cupy.asarray(y)}
            found = SCORES[name](cupy.asarray(others), labels, coef, intercept, 0.5, solver=solver, **arrays)
            assert_alike(cupy, found, expected, 1e-9)


@pytest.mark.parametrize("classes", [2, 3])
def test_ill_conditioned_and_singular(cupy: Any, classes: int) -> None:
    X, y, coef, intercept = made_up(40, 5, classes)
    X[:, 4] = X[:, 3] * (1 + 1e-6 * np.arange(40))
    expected = influence.loo_influence(X, y, coef, intercept, 1e-9)
    assert_alike(cupy, influence.loo_influence(cupy.asarray(X), y, coef, intercept, 1e-9), expected, 1e-5)
    X[:, 4] = X[:, 3]
    with pytest.raises(np.linalg.LinAlgError, match=r"of feature 4\).*raise l2"):
        influence.loo_influence(cupy.asarray(X), y, coef, intercept, 0.0)
    X[:, 4] = 0.0
    with pytest.raises(np.linalg.LinAlgError, match=r"of feature 4\)"):
        influence.loo_influence(cupy.asarray(X), y, coef, intercept, 0.0)


def test_where_labels_weights_and_models_are(cupy: Any) -> None:
    X, y, coef, intercept = made_up(12, 3)
    weight = np.linspace(0, 1, 12)
    expected = influence.loo_influence(X, y, coef, intercept, 0.5, sample_weight=weight)
    words = np.array(["no", "yes"])[y]
    for labels in (y, words, y.astype(bool), cupy.asarray(y.astype(np.float32)), cupy.asarray(y.astype(bool))):
        for moved in (np.asarray, cupy.asarray):
            settings: dict[str, Any] = {"sample_weight": moved(weight)}
            found = influence.loo_influence(cupy.asarray(X), labels, moved(coef), moved(intercept), 0.5, **settings)
            assert_alike(cupy, found, expected)
    out = cupy.empty(12)
    assert influence.loo_influence(cupy.asarray(X), y, coef, intercept, 0.5, sample_weight=weight, out=out) is out
    assert_alike(cupy, out, expected)


def test_a_factor_from_either_side(cupy: Any) -> None:
    X, y, _, _ = made_up(30, 4)
    model = LogisticRegression(C=2.0).fit(X, y)
    for factor in (model.factor_, HessianFactor(cupy.asarray(model.factor_.lower), True)):
        expected = influence.loo_influence(X, y, model.coef_, model.intercept_, factor=model.factor_)
        found = influence.loo_influence(cupy.asarray(X), y, model.coef_, model.intercept_, factor=factor)
        assert_alike(cupy, found, expected)
        np.testing.assert_allclose(factor.solve(np.ones(5)), model.factor_.solve(np.ones(5)), rtol=1e-10)
    single = HessianFactor(cupy.asarray(model.factor_.lower), True)
    assert single.reciprocal_condition == pytest.approx(model.factor_.reciprocal_condition, rel=0.5)


def test_bad_input(cupy: Any) -> None:
    X, y, coef, intercept = made_up(8, 3)
    there = cupy.asarray(X)
    with pytest.raises(TypeError, match=r"^y: is on a GPU"):
        influence.log_loss(X, cupy.asarray(y), coef, intercept)
    with pytest.raises(TypeError, match=r"^sample_weight: is on a GPU"):
        influence.leverage(X, y, coef, intercept, sample_weight=cupy.asarray(np.ones(8)))
    with pytest.raises(TypeError, match=r"^fit_X: is in main memory, but X is on a GPU"):
        influence.loo_influence(there, y, coef, intercept, 1.0, fit_X=X, fit_y=y)
    with pytest.raises(TypeError, match=r"^X: expected float32, float64 or integers, got dtype bool"):
        influence.log_loss(cupy.asarray(X > 0), y, coef, intercept)
    with pytest.raises(ValueError, match=r"^X: expected 2 dimensions, got shape \(3,\)"):
        influence.log_loss(there[0], y, coef, intercept)
    with pytest.raises(ValueError, match=r"^y: expected length 8, got 7"):
        influence.log_loss(there, y[1:], coef, intercept)
    with pytest.raises(ValueError, match=r"^y: has labels that are not in classes \[0, 1\], such as .*2"):
        influence.log_loss(there, cupy.asarray(y + 1), coef, intercept, classes=[0, 1])
    with pytest.raises(ValueError, match=r"^sample_weight: must not be negative"):
        influence.leverage(there, y, coef, intercept, 1.0, sample_weight=cupy.asarray(-np.ones(8)))
    with pytest.raises(TypeError, match=r"^out: expected a CuPy array"):
        influence.loo_influence(there, y, coef, intercept, 1.0, out=np.empty(8))
    for hostile in (np.nan, np.inf, -1e200):
        for dtype in ("float32", "float64"):
            for place in ((0, 0), (7, 2)):
                spoiled = X.astype(dtype)
                with np.errstate(over="ignore"):
                    spoiled[place] = hostile
                with pytest.raises(ValueError, match=r"^X: (contains NaN or infinity|has values above)"):
                    influence.log_loss(cupy.asarray(spoiled), y, coef, intercept)


def test_the_same_bits_again(cupy: Any) -> None:
    X, y, coef, intercept = made_up(100, 9, dtype="float32")
    once, again = (cupy.asnumpy(influence.loo_influence(cupy.asarray(X), y, coef, intercept, 1.0)) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_scoring_waits_for_checks_and_the_factor_only(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if cupy.__name__ != "emulated_cupy":
        pytest.skip("a card does not count")
    X, y, coef, intercept = made_up(100, 9)
    there, labels = cupy.asarray(X), cupy.asarray(y)
    for name, most in (("log_loss", 8), ("loo_influence", 20)):
        monkeypatch.setattr(cupy, "waits", 0)
        SCORES[name](there, labels, coef, intercept)
        assert cupy.waits <= most


def test_strided_rows(cupy: Any) -> None:
    X, y, coef, intercept = made_up(20, 6)
    for view in (np.s_[::-1], np.s_[::1, :], np.s_[:, ::2]):
        part = X[view]
        c = coef[:, : part.shape[1]]
        expected = influence.loo_influence(part, y, c, intercept, 1.0)
        assert_alike(cupy, influence.loo_influence(cupy.asarray(X)[view], y, c, intercept, 1.0), expected)


# ---- influence on other points ---------------------------------------------------------------------------------------


def two_sets(cupy: Any, classes: int, dtype: str = "float64") -> tuple[Any, Any, Any]:
    """Training and test points, here and there, and the model."""
    X, y, coef, intercept = made_up(31, 5, classes, dtype)
    others, labels, _, _ = made_up(7, 5, classes, dtype, seed=1)
    return (X, y, others, labels), (cupy.asarray(X), y, cupy.asarray(others), cupy.asarray(labels)), (coef, intercept)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 4])
def test_influence_on_other_points(cupy: Any, monkeypatch: pytest.MonkeyPatch, classes: int, dtype: str) -> None:
    here, there, model = two_sets(cupy, classes, dtype)
    monkeypatch.setattr(cross, "_LARGER", 1)
    monkeypatch.setattr(cross, "_TEST_ROWS", 3)
    monkeypatch.setattr(cross, "_TRAIN_ROWS", 8)
    weight = np.linspace(0.1, 2, 31)
    for solver in ("auto", "cholesky", "cg"):
        settings: dict[str, Any] = {"l2": 0.5, "solver": solver}
        expected = influence.influence_matrix(*here, *model, sample_weight=weight, **settings)
        found = influence.influence_matrix(*there, *model, sample_weight=cupy.asarray(weight), **settings)
        assert_alike(cupy, found, expected, 1e-8 if solver == "cg" else EXACT)
    for k in (1, 4, 31):
        indices, values = influence.influence_topk(*there, *model, 0.5, k=k)
        expected_indices, expected = influence.influence_topk(*here, *model, 0.5, k=k)
        np.testing.assert_array_equal(cupy.asnumpy(indices), expected_indices)
        assert_alike(cupy, values, expected)


@pytest.mark.parametrize("classes", [2, 3])
def test_hessians_and_solutions(cupy: Any, classes: int) -> None:
    (X, *_), (there, *_), model = two_sets(cupy, classes)
    H, D = influence.LogisticHessian(X, *model, 0.5), influence.LogisticHessian(there, *model, 0.5)
    V = np.random.default_rng(2).normal(size=(H.shape[0], 3))
    assert_alike(cupy, D.matvec(cupy.asarray(V)), H.matvec(V))
    assert_alike(cupy, D @ V[:, 0], H @ V[:, 0])
    assert_alike(cupy, D.dense(), H.dense())
    assert_alike(cupy, D.diagonal(), H.diagonal())
    for solver in ("auto", "cholesky", "cg"):
        found, info = influence.inverse_hvp(there, V, *model, 0.5, solver=solver, tol=1e-12, return_info=True)
        assert_alike(cupy, found, influence.inverse_hvp(X, V, *model, 0.5), 1e-9)
        assert isinstance(info.residuals, np.ndarray)
    with pytest.raises(ValueError, match=r"^solver: expected 'auto', 'cholesky' or 'cg' for arrays on a GPU"):
        D.solve(V, "nystrom")


def test_bad_sets(cupy: Any) -> None:
    here, there, model = two_sets(cupy, 2)
    with pytest.raises(TypeError, match=r"^X_test: must be where X_train is"):
        influence.influence_matrix(*there[:2], *here[2:], *model)
    with pytest.raises(TypeError, match=r"^X_test: must be where X_train is"):
        influence.influence_topk(*here[:2], *there[2:], *model, k=1)
    with pytest.raises(TypeError, match=r"^V: is on a GPU"):
        influence.inverse_hvp(here[0], cupy.asarray(np.ones(6)), *model, 0.5)


def test_bounds_are_seen_at_every_place(cupy: Any) -> None:
    """Whole words and single elements, in one block and in several."""
    for n in (1, 3, 4, 5, 2048, 9001, 20_000):
        for dtype in ("float32", "float64"):
            values = np.ones(n + 1, dtype)
            for first in (0, 1):
                part = cupy.asarray(values)[first : first + n]
                assert _dispatch.within(part, 1.0)
                for place in {0, n // 2, n - 1}:
                    for spoiled in (1.5, np.nan, -np.inf):
                        part[place] = spoiled
                        assert not _dispatch.within(part, 1.0)
                    part[place] = 1.0
