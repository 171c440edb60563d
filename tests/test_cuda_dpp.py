"""k-DPPs of features on a GPU: the sets of the CPU, and the right probabilities."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from augcore import _projection
from augcore.dpp import KDPP

FALSE_ALARM = 1e-4


def rows(n: int, p: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(n, p)) * 2.0 ** -np.arange(p)


def same_sets(cupy: Any, found: Any, expected: Any) -> None:
    """Rounding decides otherwise where a random number is within about 1e-13 of a limit, so in none of these."""
    assert isinstance(found, cupy.ndarray)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(cupy.asnumpy(found), expected)


@pytest.mark.parametrize(
    ("n", "p", "k", "settings"),
    [
        (40, 6, 3, {}),
        (40, 6, 6, {}),
        (400, 5, 4, {}),  # proposals by the bounds of all columns
        (6, 40, 6, {}),
        (30, 4, 9, {"jitter": 1e-3}),  # points of the jitter
        (5, 5, 5, {"jitter": 0.1}),
        (90, 40, 38, {}),  # several batches
        (12, 3, 0, {}),
        (7, 0, 2, {"jitter": 1.0}),
    ],
)
def test_sets_are_those_of_the_cpu(cupy: Any, n: int, p: int, k: int, settings: dict[str, Any]) -> None:
    features, scores = rows(n, p), np.random.default_rng(1).normal(size=n)
    there = cupy.asarray(features)
    for of_scores in (None, scores):
        here = KDPP(features=features, scores=of_scores, **settings)
        points = KDPP(features=there, scores=None if of_scores is None else cupy.asarray(scores), **settings)
        assert (points.n, points.rank) == (here.n, here.rank)
        same_sets(cupy, points.sample(k, 3, size=4), here.sample(k, 3, size=4))
        same_sets(cupy, points.sample(k, 4), here.sample(k, 4))
        subset = cupy.asnumpy(points.sample(k, 5))
        assert points.log_prob(subset) == pytest.approx(here.log_prob(subset), rel=1e-9, abs=1e-9)


def test_scores_from_main_memory_and_other_dtypes(cupy: Any) -> None:
    features, scores = rows(30, 4).astype(np.float32), np.random.default_rng(1).integers(-5, 5, 30)
    here = KDPP(features=features, scores=scores).sample(3, 1)
    same_sets(cupy, KDPP(features=cupy.asarray(features), scores=scores).sample(3, 1), here)
    same_sets(cupy, KDPP(features=cupy.asarray(features), scores=cupy.asarray(scores)).sample(3, 1), here)
    whole = np.random.default_rng(2).integers(-9, 9, (30, 4))
    same_sets(cupy, KDPP(features=cupy.asarray(whole)).sample(3, 1), KDPP(features=whole).sample(3, 1))
    turned = np.asfortranarray(rows(30, 4))
    same_sets(cupy, KDPP(features=cupy.asarray(turned.T).T).sample(3, 1), KDPP(features=turned).sample(3, 1))


@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_counts_of_sets(cupy: Any, jitter: float) -> None:
    """Chi-square of the sets that are drawn against the determinants of all sets."""
    features, k, draws = rows(5, 3, 2), 2, 1500
    kernel = features @ features.T + jitter * np.eye(5)
    sets = list(itertools.combinations(range(5), k))
    weights = np.array([np.linalg.det(kernel[np.ix_(chosen, chosen)]) for chosen in sets])
    points = KDPP(features=cupy.asarray(features), jitter=jitter)
    for chosen, probability in zip(sets, weights / weights.sum(), strict=True):
        assert points.log_prob(chosen) == pytest.approx(math.log(probability), rel=1e-9)
    drawn = [tuple(chosen) for chosen in cupy.asnumpy(points.sample(k, 7, size=draws)).tolist()]
    counts = [drawn.count(chosen) for chosen in sets]
    expected = draws * weights / weights.sum()
    often = expected > 5
    rare = [draws - int(np.array(counts)[often].sum())], [expected[~often].sum()]
    found = np.array(counts)[often], expected[often]
    if rare[1][0] > 5:
        found = np.append(found[0], rare[0]), np.append(found[1], rare[1])
    assert stats.chisquare(found[0], found[1] * found[0].sum() / found[1].sum()).pvalue > FALSE_ALARM


def test_any_scale_and_rank(cupy: Any) -> None:
    features = rows(20, 4)
    for scale in (1e-180, 1e150):
        same_sets(
            cupy, KDPP(features=cupy.asarray(features * scale)).sample(3, 1), KDPP(features=features).sample(3, 1)
        )
    twice = np.concatenate([features, features], axis=1)  # the squares of what is left would drown in rounding
    twice[:, 0] += 1e-10 * np.arange(20)
    points = KDPP(features=cupy.asarray(twice))
    assert points.rank == KDPP(features=twice).rank == 5
    assert KDPP(features=cupy.asarray(np.zeros((4, 2)))).rank == 0
    assert len(set(cupy.asnumpy(points.sample(5, 1)).tolist())) == 5


def test_what_is_left_of_rows(cupy: Any) -> None:
    """Nothing is lost where a row is nearly in the span of those taken."""
    taken = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 3)))[0].T
    own = np.linalg.svd(taken)[2][-1]
    row = 1e-9 * own + taken.sum(axis=0)
    left = cupy.asnumpy(_projection._orthogonal(cupy.asarray(row[None]), cupy.asarray(taken)))[0]
    assert np.abs(taken @ left).max() < 1e-24
    np.testing.assert_allclose(left, 1e-9 * own, atol=1e-15)


def test_no_point_is_taken_twice() -> None:
    """Not even where rounding leaves something of it."""
    gram = np.array([[1.0, 1.0, 0.0], [1.0, 1.1, 0.0], [0.0, 0.0, 1.0]])
    limits = np.full(3, 0.01)
    assert _projection._taken(gram.copy(), np.array([4, 4, 2]), limits, 3) == [0, 2]
    assert _projection._taken(gram.copy(), np.array([4, 3, 2]), limits, 3) == [0, 1, 2]
    assert _projection._taken(gram.copy(), np.array([4, 3, 2]), limits, 2) == [0, 1]
    assert _projection._taken(gram.copy(), np.array([4, 3, 2]), np.array([2.0, 0.2, 0.5]), 3) == [1, 2]


def test_refusals(cupy: Any) -> None:
    features = rows(6, 3)
    there = cupy.asarray(features)
    points = KDPP(features=there)
    with pytest.raises(ValueError, match=r"^k: 4 points cannot be drawn from a kernel of rank 3"):
        points.sample(4)
    with pytest.raises(TypeError, match=r"^features: are on a GPU; a greedy choice"):
        points.greedy_map(2)
    with pytest.raises(TypeError, match=r"^L: is on a GPU"):
        KDPP(cupy.asarray(features @ features.T))
    with pytest.raises(TypeError, match=r"^scores: is on a GPU"):
        KDPP(features=features, scores=cupy.asarray(features[:, 0]))
    with pytest.raises(ValueError, match=r"^scores: expected shape \(6,\)"):
        KDPP(features=there, scores=cupy.asarray(features[:3, 0]))
    with pytest.raises(ValueError, match=r"^features: expected 2 dimensions"):
        KDPP(features=there[0])
    with pytest.raises(TypeError, match=r"^features: expected float32, float64 or integers, got dtype bool"):
        KDPP(features=there > 0)
    for bad in (np.nan, np.inf):
        features[2, 1] = bad
        with pytest.raises(ValueError, match=r"^features: contains NaN or infinity"):
            KDPP(features=cupy.asarray(features))
        with pytest.raises(ValueError, match=r"^scores: contains NaN or infinity"):
            KDPP(features=there, scores=cupy.asarray(np.full(6, bad)))
    dependent = _projection.SpectralKernel(
        cupy.asarray(np.ones((4, 2)) / 2), np.ones(2), 0.0, cupy.asarray(np.arange(1.0, 5.0) / 2), None
    )
    with pytest.raises(ValueError, match="fewer of their rows than k are independent"):
        dependent.sample(dependent.elementary_ratios(2), 2, np.zeros(2, np.uint64), 0, 1, 0)
