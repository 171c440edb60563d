"""A fit by blocks with the Hessian in the pass of every gradient."""

from __future__ import annotations

import numpy as np
import pytest

from augcore import _dispatch, streaming
from augcore.linear_model import LogisticRegression, estimator, streamed


def problem(n_classes, dtype=np.float32, n=5000, p=12):
    rng = np.random.default_rng(n_classes)
    X = (rng.normal(size=(n, p)) * np.linspace(1.0, 20.0, p)).astype(dtype)
    y = np.argmax(3.0 * X[:, :n_classes] + rng.normal(size=(n, n_classes)), axis=1)
    return X, y, rng.uniform(0.1, 2.0, n)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_minimum_is_that_of_a_fit_in_memory_in_fewer_passes(n_classes, dtype, intercept):
    X, y, weight = problem(n_classes, dtype)
    wanted = LogisticRegression(C=10.0, tol=1e-12, fit_intercept=intercept).fit(X, y, weight)
    fits = []
    for rows in (512, 2048, 8192):
        blocks = streaming.Blocks(X, y, weight, rows=rows)
        fits.append(streaming.fit(blocks, C=10.0, tol=1e-12, fit_intercept=intercept, few_passes=True))
        assert blocks.passes <= 13
        blocks.passes = 0
        factor = fits[-1].factor_
        assert blocks.passes == 0  # its Hessian is that of the last step
        np.testing.assert_allclose(fits[-1].coef_, wanted.coef_, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(fits[-1].intercept_, wanted.intercept_, rtol=1e-9, atol=1e-11)
        product, expected = (lower @ lower.T for lower in (factor.lower, wanted.factor_.lower))
        np.testing.assert_allclose(product, expected, rtol=1e-8, atol=1e-9 * np.max(np.abs(expected)))
        assert fits[-1].coef_.tobytes() == fits[0].coef_.tobytes()
        assert factor.lower.tobytes() == fits[0].factor_.lower.tobytes()
    light = streaming.Blocks(X, y, weight)
    streaming.fit(light, C=10.0, tol=1e-12, fit_intercept=intercept)
    assert light.passes > 15


@pytest.mark.parametrize("n", [2048, 5000, 8192])
def test_the_sums_of_parts_are_merged_to_the_same_bits(n):
    X, _, weight = problem(3, np.float64, n)
    curvatures = np.random.default_rng(0).uniform(size=(n, 3))
    factors = np.column_stack([weight, -weight])

    def summed(first, last):
        sums = streamed._NewtonSums(12, True, 2, first)
        sums.gradient.add(X[first:last], factors[first:last], 1)
        sums.hessian.add(X[first:last], curvatures[first:last], 1)
        return sums

    total = summed(0, n).total(1)
    assert total.shape == (26, 27)
    np.testing.assert_allclose(total[:, -1], _dispatch.sum_of_rows(X, True, factors, 1).ravel(), rtol=1e-12, atol=1e-9)
    merged = streamed._NewtonSums(12, True, 2)
    for first in range(0, n, 2048):
        merged.absorb(summed(first, min(n, first + 2048)).nodes(1))
    assert merged.total(1).tobytes() == total.tobytes()


def test_a_hessian_that_is_too_large_is_not_summed_in_every_pass(monkeypatch):
    X, y, _ = problem(2)
    monkeypatch.setattr(estimator, "DENSE_LIMIT", 12)
    blocks, light = streaming.Blocks(X, y), streaming.Blocks(X, y)
    few = streaming.fit(blocks, few_passes=True)
    assert few.coef_.tobytes() == streaming.fit(light).coef_.tobytes()
    assert blocks.passes == light.passes


def test_what_is_no_flag_is_refused():
    X, y, _ = problem(2)
    with pytest.raises(TypeError, match="^few_passes: "):
        streaming.fit(streaming.Blocks(X, y), few_passes="yes")
