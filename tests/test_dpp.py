"""Determinantal point processes: probabilities against all sets, counts of draws against them, and odd input."""

from __future__ import annotations

import copy
import doctest
import inspect
import itertools
import math
import re

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from augcore import _dispatch, dpp, reference

DRAWS = 100_000
# Chi-square tests fail below this: with seeds drawn afresh each would raise a false alarm once in 10,000 runs.
FALSE_ALARM = 1e-4


def _matrix(n, rank=None, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, rank or n))
    return rows @ rows.T


def _rows(n, p, seed=0):
    return np.random.default_rng(seed).normal(size=(n, p))


def _dense(features, scores=None, jitter=0.0):
    features = np.asarray(features, dtype=np.float64)
    rows = features if scores is None else features * np.abs(scores)[:, np.newaxis]
    return rows @ rows.T + jitter * np.eye(len(rows))


def _clipped(L):
    values, vectors = np.linalg.eigh(L)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


INDEFINITE = _matrix(6, seed=4) - 1.5 * np.eye(6)
PROJECTION = np.linalg.qr(_rows(7, 4))[0] @ np.linalg.qr(_rows(7, 4))[0].T
SCORES = np.array([1.0, -0.5, 2.0, 0.1, -1.0, 0.7, 1.5])

# What is given, the kernel that it stands for, its rank.
KERNELS = {
    "matrix": ({"L": _matrix(7)}, _matrix(7), 7),
    "of rank 3": ({"L": _matrix(7, 3)}, _matrix(7, 3), 3),
    "projection": ({"L": PROJECTION}, PROJECTION, 4),
    "diagonal": ({"L": np.diag([5.0, 1.0, 0.0, 0.25, 3.0])}, np.diag([5.0, 1.0, 0.0, 0.25, 3.0]), 4),
    "indefinite": (
        {"L": INDEFINITE, "project": True},
        _clipped(INDEFINITE),
        int((np.linalg.eigvalsh(INDEFINITE) > 0).sum()),
    ),
    "scaled matrix": (
        {"L": _matrix(7), "scores": SCORES, "jitter": 0.2},
        np.outer(abs(SCORES), abs(SCORES)) * _matrix(7) + 0.2 * np.eye(7),
        7,
    ),
    "features": ({"features": _rows(8, 4)}, _dense(_rows(8, 4)), 4),
    "wide features": ({"features": _rows(5, 9)}, _dense(_rows(5, 9)), 5),
    "scored features": ({"features": _rows(7, 3), "scores": SCORES}, _dense(_rows(7, 3), SCORES), 3),
    "jitter": ({"features": _rows(8, 3), "jitter": 0.5}, _dense(_rows(8, 3), None, 0.5), 8),
    "scores and jitter": (
        {"features": _rows(7, 3), "scores": SCORES, "jitter": 0.3},
        _dense(_rows(7, 3), SCORES, 0.3),
        7,
    ),
    "dependent features": (
        {"features": np.repeat(_rows(7, 2), 3, axis=1), "jitter": 0.1},
        _dense(np.repeat(_rows(7, 2), 3, axis=1), None, 0.1),
        7,
    ),
    "jitter alone": ({"features": np.zeros((6, 2)), "jitter": 3.0}, 3.0 * np.eye(6), 6),
    "no features": ({"features": np.zeros((5, 0)), "jitter": 1.0}, np.eye(5), 5),
}
SIZES = [(name, k) for name, (_, _, rank) in KERNELS.items() for k in sorted({0, 1, rank // 2, rank - 1, rank})]


def _check_counts(drawn, probabilities):
    """Of sets, one in each row: chi-square against their probabilities; those of probability 0 never occur."""
    codes = {sum(1 << i for i in points): max(0.0, p) * len(drawn) for points, p in probabilities.items()}
    counts = np.bincount((1 << drawn).sum(axis=1), minlength=256)
    found, expected = counts[list(codes)], np.array(list(codes.values()))
    assert found.sum() == len(drawn)
    assert not found[expected < 1e-6].any()
    rare = expected < 10.0
    groups = [*zip(found[~rare], expected[~rare], strict=True), (found[rare].sum(), expected[rare].sum())]
    found, expected = np.array([group for group in groups if group[1] > 1e-3]).T
    if len(found) > 1:
        assert stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > FALSE_ALARM


# ---- probabilities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERNELS)
def test_log_prob_of_all_sets(name):
    given, L, rank = KERNELS[name]
    points = dpp.KDPP(**given)
    assert (points.n, points.rank) == (len(L), rank)
    for k in range(rank + 1):
        expected = reference.k_dpp_probabilities(L, k)
        found = {subset: math.exp(points.log_prob(subset[::-1])) for subset in expected}
        assert sum(found.values()) == pytest.approx(1.0, abs=1e-12)
        assert found == pytest.approx(expected, abs=1e-12, rel=1e-9)


def test_log_prob_against_mpmath():
    features = _rows(7, 3, seed=2)
    points = dpp.KDPP(features=features, scores=SCORES, jitter=1e-3)
    with mpmath.workdps(60):
        rows = mpmath.matrix(features.tolist())
        L = mpmath.matrix(7, 7)
        for i, j in itertools.product(range(7), repeat=2):
            product = mpmath.fsum(rows[i, c] * rows[j, c] for c in range(3))
            L[i, j] = abs(mpmath.mpf(SCORES[i]) * mpmath.mpf(SCORES[j])) * product + (mpmath.mpf(1e-3) if i == j else 0)
        for k in (1, 3, 4, 6):
            subsets = list(itertools.combinations(range(7), k))
            weights = [mpmath.det(mpmath.matrix([[L[i, j] for j in s] for i in s])) for s in subsets]
            for subset, weight in zip(subsets, weights, strict=True):
                assert points.log_prob(subset) == pytest.approx(
                    float(mpmath.log(weight / mpmath.fsum(weights))), abs=1e-10
                )


@pytest.mark.parametrize(("name", "k"), SIZES)
def test_counts_of_draws(name, k):
    given, L, _ = KERNELS[name]
    drawn = dpp.KDPP(**given).sample(k, rng=k + 1, size=DRAWS)
    assert drawn.shape == (DRAWS, k)
    assert drawn.dtype == np.intp
    _check_counts(drawn, reference.k_dpp_probabilities(L, k))


def test_counts_of_single_draws():
    rng, L = np.random.default_rng(0), _matrix(5)
    drawn = np.array([dpp.k_dpp(L, 2, rng) for _ in range(4000)])
    _check_counts(drawn, reference.k_dpp_probabilities(L, 2))


# ---- scales ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [-598, 598, -2, 0])  # 598: 1e180
@pytest.mark.parametrize("name", ["matrix", "of rank 3", "scores and jitter", "features"])
def test_the_scale_of_a_kernel_does_not_matter(name, power):
    given, _, rank = KERNELS[name]
    scaled = dict(given)
    for argument, part in (("L", power), ("jitter", power), ("features", power / 2)):
        if argument in scaled:
            scaled[argument] = scaled[argument] * 2.0**part
    one, other = dpp.KDPP(**given), dpp.KDPP(**scaled)
    for k in (1, rank):
        np.testing.assert_array_equal(other.sample(k, 0, size=1000), one.sample(k, 0, size=1000))
        subset = one.sample(k, 1)
        assert other.log_prob(subset) == pytest.approx(one.log_prob(subset), rel=1e-12, abs=1e-12)
        np.testing.assert_array_equal(other.greedy_map(k), one.greedy_map(k))


@pytest.mark.parametrize("scale", [1e-180, 1e180])
def test_large_and_small_kernels(scale):
    L = scale * _matrix(40, seed=1)
    for k in (1, 13, 40):
        assert len(set(dpp.k_dpp(L, k, 0).tolist())) == k
    _check_counts(
        dpp.KDPP(L[:6, :6]).sample(3, 0, size=DRAWS), reference.k_dpp_probabilities(_matrix(40, seed=1)[:6, :6], 3)
    )
    points = dpp.KDPP(features=math.sqrt(scale) * _rows(30, 4), jitter=1e-3 * scale)
    assert len(set(points.sample(20, 0).tolist())) == 20


def test_scales_within_one_kernel():
    scores = 10.0 ** np.linspace(-5, 5, 6)
    points = dpp.KDPP(features=np.eye(6), scores=scores)
    assert points.log_prob([0, 5]) == pytest.approx(math.log(1e-10 * 1e10 / _elementary(scores**2, 2)), abs=1e-12)
    for jitter in (1e-280, 1e-100):
        small = dpp.KDPP(features=np.vstack([np.eye(2), np.zeros((3, 2))]), jitter=jitter)
        _check_counts(small.sample(3, 0, size=2000), {(0, 1, i): 1 / 3 if i > 1 else 0.0 for i in range(2, 5)})


def _elementary(values, k):
    return float(reference.elementary_symmetric(values, k)[k])


def _ratios(eigenvalues, k, rest=0.0, others=0):
    eigenvalues = np.asarray(eigenvalues, dtype=np.float64)
    n, r = len(eigenvalues) + others, len(eigenvalues)
    kernel = _dispatch.SpectralKernel(np.zeros((n, r)), eigenvalues, rest, np.zeros(n), np.zeros((n, r)))
    return kernel.elementary_ratios(k)


@pytest.mark.parametrize("spread", [0, 3, 180])
@pytest.mark.parametrize(("rest", "others"), [(0.0, 0), (0.25, 7), (1e-30, 40)])
def test_elementary_polynomials_against_exact_ones(spread, rest, others):
    eigenvalues = 10.0 ** np.random.default_rng(spread).uniform(-spread, spread, 25)
    k = 25 + others
    ratios = _ratios(eigenvalues, k, rest, others)
    for m in (0, 1, 24, 25):
        exact = reference.elementary_symmetric([*eigenvalues[:m], *[rest] * others], k)
        expected = [float(e / before) if before else 0.0 for before, e in itertools.pairwise(exact)]
        np.testing.assert_allclose(ratios[m], expected, rtol=1e-13)


@pytest.mark.parametrize("scale", [1e-180, 1.0, 1e180])
def test_large_elementary_polynomials(scale):
    """e_k of equal eigenvalues is a binomial coefficient times their power."""
    n, k = 5000, 1000
    found = np.log(_ratios(np.full(n, scale), k)[-1]).sum()
    expected = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(scale)
    assert found == pytest.approx(expected, rel=1e-12)


# ---- large kernels ---------------------------------------------------------------------------------------------------


def _marginals(points, L, k):
    """P(i in S): by the eigenvectors, each with the probability that it is chosen."""
    values, vectors = np.linalg.eigh(L)
    kept = values > 1e-9 * values[-1]
    values, vectors = values[kept] / values[-1], vectors[:, kept]
    exact = [mpmath.mpf(float(value)) for value in values]

    def polynomial(others):
        found = [mpmath.mpf(1)] + [mpmath.mpf(0)] * k
        for value in others:
            found = [e + value * (found[j - 1] if j else 0) for j, e in enumerate(found)]
        return found

    whole = polynomial(exact)[k]
    chosen = [exact[j] * polynomial(exact[:j] + exact[j + 1 :])[k - 1] / whole for j in range(len(exact))]
    return vectors**2 @ np.array(chosen, dtype=np.float64)


@pytest.mark.parametrize(
    ("n", "p", "k"),
    [(150, 30, 12), (150, 30, 30), (1200, 12, 5), (1200, 12, 12), (90, 25, 24)],
)
def test_how_often_points_are_drawn(n, p, k):
    """Few points of many are drawn without a pass over all, many of few with bounds that are brought up to date."""
    features = _rows(n, p, seed=n) * np.geomspace(1, 5, p)
    points, draws = dpp.KDPP(features=features), 3000
    expected = _marginals(points, _dense(features), k) * draws
    assert expected.sum() == pytest.approx(k * draws)
    counts = np.bincount(points.sample(k, 5, size=draws).ravel(), minlength=n)
    groups = np.arange(n) * 30 // n
    found, expected = (np.bincount(groups, weights=values) for values in (counts, expected))
    # Points repel each other, so counts of groups vary less than independent ones.
    assert stats.chi2.sf(((found - expected) ** 2 / expected).sum(), len(found) - 1) > FALSE_ALARM


@pytest.mark.parametrize(("copies", "k"), [(2, 60), (2, 40), (3, 60), (50, 20), (50, 60)])
@pytest.mark.parametrize("jitter", [0.0, 1e-12])
def test_equal_points_are_never_drawn_together(copies, k, jitter):
    features = np.repeat(_rows(60, 60, seed=3), copies, axis=0)
    features *= np.random.default_rng(0).choice([0.5, 1.0, -2.0], len(features))[:, np.newaxis]
    drawn = dpp.KDPP(features=features, jitter=jitter).sample(k, 0, size=20)
    for points in drawn // copies:
        assert len(set(points.tolist())) == k


@pytest.mark.parametrize("k", [1, 37, 200, 300])
def test_points_of_the_complement(k):
    """A kernel that is nearly the identity draws all sets alike, and more points than there are features."""
    n, draws = 300, 400
    points = dpp.KDPP(features=1e-6 * _rows(n, 20), jitter=1.0)
    drawn = points.sample(k, 0, size=draws)
    assert all(len(set(row)) == k for row in drawn.tolist())
    counts = np.bincount(drawn.ravel(), minlength=n)
    spread = draws * k / n * (1 - k / n)
    if k < n:
        assert stats.chi2.sf(((counts - draws * k / n) ** 2).sum() / spread, n - 1) > FALSE_ALARM


# ---- the same draw ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p", "k", "jitter"), [(400, 400, 90, 0.0), (900, 30, 20, 0.0), (200, 20, 60, 0.5)])
def test_a_draw_does_not_depend_on_threads_or_company(n, p, k, jitter):
    points = dpp.KDPP(features=_rows(n, p), jitter=jitter)
    expected = points.sample(k, 7, size=12, threads=1)
    for threads in (2, 3, 8, 16):
        np.testing.assert_array_equal(points.sample(k, 7, size=12, threads=threads), expected)
        np.testing.assert_array_equal(points.sample(k, 7, threads=threads), expected[0])
    np.testing.assert_array_equal(points.sample(k, 7, size=5), expected[:5])
    assert len({tuple(row) for row in expected.tolist()}) == 12


def test_levels_of_instructions_draw_the_same(run_python, simd_levels):
    code = (
        "import hashlib, numpy as np; from augcore import dpp; rows = np.random.default_rng(0).normal(size=(300, 40));"
        "points = [dpp.KDPP(features=rows), dpp.KDPP(rows @ rows.T), dpp.KDPP(features=rows[:90], jitter=1.0)];"
        "drawn = [p.sample(k, 3, size=300) for p in points for k in (1, 7, 40)];"
        "drawn += [p.greedy_map(35) for p in points];"
        "print(hashlib.sha256(b''.join(d.tobytes() for d in drawn)).hexdigest())"
    )
    assert len({run_python(code, AUGCORE_SIMD=level).stdout for level in simd_levels}) == 1


def test_seeds():
    points = dpp.KDPP(_matrix(30))
    assert points.sample(9, 4).tolist() == points.sample(9, np.int32(4)).tolist() != points.sample(9, 5).tolist()
    rng = np.random.default_rng(0)
    assert points.sample(9, rng).tolist() != points.sample(9, rng).tolist()
    assert points.sample(9).tolist() != points.sample(9).tolist()
    np.testing.assert_array_equal(dpp.k_dpp(_matrix(30), 9, 4), points.sample(9, 4))


def test_sizes_may_come_in_any_order():
    points, expected = dpp.KDPP(_matrix(20)), {k: dpp.k_dpp(_matrix(20), k, k) for k in range(21)}
    for k in (5, 20, 1, 0, 12, 19):
        np.testing.assert_array_equal(points.sample(k, k), expected[k])
    np.testing.assert_array_equal(copy.deepcopy(points).sample(12, 12), expected[12])


# ---- greedy choice ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KERNELS)
def test_greedy_choice_against_the_rule(name):
    given, L, rank = KERNELS[name]
    points = dpp.KDPP(**given)
    expected = reference.greedy_map(L, rank)
    for k in range(rank + 1):
        assert points.greedy_map(k).tolist() == expected[:k]
        if "indefinite" not in name:
            assert dpp.greedy_map(L, k).tolist() == expected[:k]


def test_greedy_choice_of_many():
    rows = _rows(250, 60, seed=8)
    L = rows @ rows.T
    order = dpp.greedy_map(L, 60)
    assert order.dtype == np.intp
    np.testing.assert_array_equal(dpp.KDPP(features=rows).greedy_map(60), order)
    left = np.diagonal(L).copy()
    for step, point in enumerate(order):
        assert left[point] == pytest.approx(left.max(), rel=1e-9)
        factor = np.linalg.solve(
            np.linalg.cholesky(L[np.ix_(order[: step + 1], order[: step + 1])]), L[order[: step + 1]]
        )
        left = np.diagonal(L) - (factor**2).sum(axis=0)


def test_equally_good_points_are_chosen_in_order():
    assert dpp.greedy_map(np.eye(5), 5).tolist() == [0, 1, 2, 3, 4]
    assert dpp.greedy_map(np.diag([1.0, 2.0, 2.0, 1.0]), 4).tolist() == [1, 2, 0, 3]
    assert dpp.KDPP(features=np.ones((4, 1)), jitter=1e-20).greedy_map(3).tolist() == [0, 1, 2]


# ---- odd input -------------------------------------------------------------------------------------------------------


def test_tiny_kernels():
    nothing = dpp.KDPP(np.empty((0, 0)))
    assert (nothing.n, nothing.rank) == (0, 0)
    for points in (nothing, dpp.KDPP(features=np.empty((0, 3))), dpp.KDPP(features=np.empty((0, 0)), jitter=1.0)):
        assert points.sample(0).tolist() == points.greedy_map(0).tolist() == []
        assert points.sample(0, size=3).shape == (3, 0)
        assert points.log_prob([]) == 0.0
    assert dpp.k_dpp([[2]], 1).tolist() == [0]
    assert dpp.k_dpp(_matrix(4), 0).shape == (0,)
    assert dpp.KDPP([[2.0]]).log_prob([0]) == pytest.approx(0.0, abs=1e-15)
    assert dpp.KDPP(np.zeros((3, 3))).rank == 0
    assert dpp.KDPP(_matrix(4)).sample(2, size=0).shape == (0, 2)


def test_sets_that_cannot_be():
    points = dpp.KDPP([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert points.log_prob([0, 1]) == -math.inf
    assert points.log_prob([0, 1, 2]) == -math.inf
    assert points.log_prob([2, 0]) == pytest.approx(math.log(0.5))
    of_features = dpp.KDPP(features=[[3.0, 4.0], [6.0, 8.0], [0.0, 1.0], [0.0, 0.0]])
    assert of_features.log_prob([1, 0]) == of_features.log_prob([3]) == of_features.log_prob([0, 1, 2]) == -math.inf
    assert dpp.KDPP(np.diag([1.0, 0.0])).log_prob([1]) == -math.inf


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda a: a.astype(np.float32),
        lambda a: a.astype(">f8"),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1].copy()[::-1],
        lambda a: a.astype(np.int16),
        lambda a: a.tolist(),
        lambda a: np.frombuffer(b"x" + a.tobytes(), dtype=np.uint8)[1:].view(np.float64).reshape(a.shape),
    ],
)
def test_layouts_and_dtypes(change):
    values = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 2.0], [0.0, 2.0, 5.0]])
    given = change(values)
    if isinstance(given, np.ndarray):
        given.flags.writeable = False
    before = np.array(given)
    for points, expected in (
        (dpp.KDPP(given, scores=given[0]), dpp.KDPP(values, scores=values[0])),
        (dpp.KDPP(features=given), dpp.KDPP(features=values)),
    ):
        k = expected.rank
        np.testing.assert_array_equal(points.sample(k - 1, 0, size=50), expected.sample(k - 1, 0, size=50))
        assert points.log_prob(np.array([1], dtype=np.uint8)) == expected.log_prob([1])
    np.testing.assert_array_equal(given, before)
    np.testing.assert_array_equal(dpp.greedy_map(given, 3), dpp.greedy_map(values, 3))


def test_the_dtype_says_what_is_zero():
    rows = _rows(50, 5).astype(np.float32)
    noisy = np.exp(-np.abs(np.linspace(0, 1, 40)[:, None] - np.linspace(0, 1, 40))).astype(np.float32)
    assert dpp.KDPP(rows @ rows.T).rank == 5
    assert dpp.KDPP(features=rows).rank == 5
    assert dpp.KDPP(noisy).rank == 40
    assert len(dpp.greedy_map(rows @ rows.T, 5)) == 5
    with pytest.raises(ValueError, match="^k: 6 points cannot be chosen from a kernel of rank 5$"):
        dpp.greedy_map(rows @ rows.T, 6)


@pytest.mark.parametrize("jitter", [1e-20, 1e-30, 1e-100, 1e-280])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_sets_of_a_jitter_that_is_lost_in_the_rounding_of_the_features(k, jitter):
    kernel = dpp.KDPP(features=_rows(6, 2), jitter=jitter)
    logs = [kernel.log_prob(points) for points in itertools.combinations(range(6), k)]
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-9)
    assert kernel.log_prob(kernel.sample(k, 0)) > -math.inf


def test_many_threads_may_use_one_kernel():
    class Interleaved(dpp.KDPP):
        def __setattr__(self, name, value):  # another thread draws fewer points, and is done a little later
            super().__setattr__(name, value[:, :1] if name == "_ratios" else value)

    assert Interleaved(_matrix(5)).sample(3, 0).tolist() == dpp.KDPP(_matrix(5)).sample(3, 0).tolist()


L3 = _matrix(3)
NAN = np.full((3, 3), np.nan)
ONE_NAN = np.where(np.eye(3) > 0, np.nan, 1.0)

REFUSED = {
    "k above n": (lambda: dpp.k_dpp(L3, 4), ValueError, "k: must be between 0 and 3, got 4"),
    "k negative": (lambda: dpp.k_dpp(L3, -1), ValueError, "k: must be between 0 and 3, got -1"),
    "k bool": (lambda: dpp.k_dpp(L3, True), TypeError, "k: expected an integer, got True"),
    "k float": (lambda: dpp.KDPP(L3).sample(2.0), TypeError, "k: expected an integer, got 2.0"),
    "k above rank": (
        lambda: dpp.k_dpp(_matrix(5, 2), 3),
        ValueError,
        "k: 3 points cannot be drawn from a kernel of rank 2",
    ),
    "k above rank of features": (
        lambda: dpp.KDPP(features=_rows(9, 2)).sample(3),
        ValueError,
        "k: 3 points cannot be drawn from a kernel of rank 2",
    ),
    "greedy above rank": (
        lambda: dpp.KDPP(features=_rows(9, 2)).greedy_map(3),
        ValueError,
        "k: 3 points cannot be chosen from a kernel of rank 2",
    ),
    "greedy above rank of very different scores": (
        lambda: dpp.KDPP(L3, scores=[1.0, 1e-30, 1e-60]).greedy_map(2),
        ValueError,
        "k: 2 points cannot be chosen from a kernel of rank 1",
    ),
    "greedy above n": (lambda: dpp.greedy_map(L3, 4), ValueError, "k: must be between 0 and 3, got 4"),
    "size": (lambda: dpp.KDPP(L3).sample(1, size=-1), ValueError, "size: must be between 0 and"),
    "size that no array has": (lambda: dpp.KDPP(L3).sample(2, size=2**62), ValueError, "size: must be between 0 and"),
    "threads": (lambda: dpp.KDPP(L3).sample(1, threads=0), ValueError, "threads: must be between 1 and 1024, got 0"),
    "rng": (lambda: dpp.KDPP(L3).sample(1, rng=-1), ValueError, "rng: must not be negative, got -1"),
    "neither": (lambda: dpp.KDPP(), ValueError, "L: give either L or features, one of them"),
    "both": (lambda: dpp.KDPP(L3, features=L3), ValueError, "L: give either L or features, not both"),
    "not square": (lambda: dpp.KDPP(L3[:2]), ValueError, "L: expected a square matrix, got shape (2, 3)"),
    "a vector": (lambda: dpp.KDPP(L3[0]), ValueError, "L: expected 2 dimensions, got shape (3,)"),
    "a number": (lambda: dpp.k_dpp(2.0, 1), ValueError, "L: expected 2 dimensions, got shape ()"),
    "complex": (lambda: dpp.KDPP(L3 + 0j), TypeError, "L: expected float32, float64 or integers, got dtype complex128"),
    "not symmetric": (
        lambda: dpp.KDPP([[1.0, 0.5], [0.25, 1.0]]),
        ValueError,
        "L: is not symmetric, entries differ by 0.25 of the largest",
    ),
    "NaN": (lambda: dpp.KDPP(NAN), ValueError, "L: contains NaN or infinity"),
    "one NaN": (lambda: dpp.k_dpp(ONE_NAN, 1), ValueError, "L: contains NaN or infinity"),
    "infinity": (lambda: dpp.greedy_map(np.full((2, 2), np.inf), 1), ValueError, "L: contains NaN or infinity"),
    "indefinite": (
        lambda: dpp.k_dpp([[1.0, 2.0], [2.0, 1.0]], 1),
        ValueError,
        "L: is indefinite, its most negative eigenvalue is -0.333 times the largest in size; "
        "project=True replaces negative eigenvalues by 0",
    ),
    "negative": (lambda: dpp.KDPP(-L3), ValueError, "L: is indefinite, its most negative eigenvalue is -1 times"),
    "greedy indefinite": (
        lambda: dpp.greedy_map([[1.0, 2.0], [2.0, 1.0]], 2),
        ValueError,
        "L: is indefinite: a principal minor is negative",
    ),
    "project": (lambda: dpp.KDPP(L3, project=1), TypeError, "project: expected True or False, got 1"),
    "jitter": (lambda: dpp.KDPP(L3, jitter=-1e-3), ValueError, "jitter: must be at least 0.0, got -0.001"),
    "jitter NaN": (lambda: dpp.KDPP(L3, jitter=math.nan), ValueError, "jitter: must be finite, got nan"),
    "small jitter": (
        lambda: dpp.KDPP(features=1e160 * L3, jitter=1e-10),
        ValueError,
        "jitter: must be 0 or at least 1e-290 times the kernel, got 1e-10",
    ),
    "scores": (lambda: dpp.KDPP(features=L3, scores=[1.0]), ValueError, "scores: expected length 3, got 1"),
    "scores of L": (lambda: dpp.KDPP(L3, scores=np.ones(4)), ValueError, "scores: expected length 3, got 4"),
    "NaN scores": (lambda: dpp.KDPP(L3, scores=NAN[0]), ValueError, "scores: contains NaN or infinity"),
    "features": (lambda: dpp.KDPP(features=L3[0]), ValueError, "features: expected 2 dimensions, got shape (3,)"),
    "NaN features": (lambda: dpp.KDPP(features=NAN), ValueError, "features: contains NaN or infinity"),
    "duplicates": (
        lambda: dpp.KDPP(L3).log_prob([1, 0, 1]),
        ValueError,
        "subset: has duplicates, 3 indices of 2 points",
    ),
    "beyond": (lambda: dpp.KDPP(L3).log_prob([1, 3]), ValueError, "subset: must be between 0 and 2, got 1 to 3"),
    "before": (lambda: dpp.KDPP(L3).log_prob([-1]), ValueError, "subset: must be between 0 and 2, got -1 to -1"),
    "no integers": (lambda: dpp.KDPP(L3).log_prob([0.0]), TypeError, "subset: expected integers, got dtype float64"),
    "a mask": (lambda: dpp.KDPP(L3).log_prob([True]), TypeError, "subset: expected integers, got dtype bool"),
    "a set of sets": (
        lambda: dpp.KDPP(L3).log_prob([[0]]),
        ValueError,
        "subset: expected 1 dimension, got shape (1, 1)",
    ),
}


@pytest.mark.parametrize("call", REFUSED)
def test_refusals(call):
    function, error, message = REFUSED[call]
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        function()


def test_k_is_checked_before_what_takes_long(monkeypatch):
    monkeypatch.setattr(dpp, "KDPP", None)
    with pytest.raises(ValueError, match="^k: must be between 0 and 3, got 4$"):
        dpp.k_dpp(L3, 4)


def test_names_that_scripts_rely_on():
    def told(function):
        return (
            str(inspect.signature(function)).split(" ->")[0].replace("ArrayLike | None", "_").replace("ArrayLike", "_")
        )

    assert told(dpp.k_dpp) == "(L: '_', k: 'int', rng: 'Rng' = None, *, project: 'bool' = False)"
    assert told(dpp.KDPP) == (
        "(L: '_' = None, *, features: '_' = None, scores: '_' = None, jitter: 'float' = 0.0, project: 'bool' = False)"
    )
    assert list(inspect.signature(dpp.KDPP.sample).parameters)[:3] == ["self", "k", "rng"]
    assert list(inspect.signature(dpp.KDPP.log_prob).parameters) == ["self", "subset"]


# ---- properties ------------------------------------------------------------------------------------------------------

NUMBERS = st.integers(-4, 4)


@st.composite
def kernels(draw):
    n, p = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    features = np.array(draw(st.lists(NUMBERS, min_size=n * p, max_size=n * p)), dtype=np.float64).reshape(n, p)
    return features, draw(st.sampled_from([0.0, 0.5, 3.0]))


@settings(deadline=None, max_examples=150)
@given(kernels(), st.integers(0, 2**64))
def test_features_and_their_kernel_are_one(given, seed):
    features, jitter = given
    one, other = dpp.KDPP(features=features, jitter=jitter), dpp.KDPP(_dense(features, None, jitter))
    assert one.rank == other.rank == np.linalg.matrix_rank(_dense(features, None, jitter))
    for k in range(one.rank + 1):
        subsets = list(itertools.combinations(range(one.n), k))
        found = np.exp([one.log_prob(subset) for subset in subsets])
        np.testing.assert_allclose(found, np.exp([other.log_prob(subset) for subset in subsets]), atol=1e-9)
        assert found.sum() == pytest.approx(1.0, abs=1e-9)
        for points in (one.sample(k, seed), other.sample(k, seed), one.greedy_map(k)):
            assert len(set(points.tolist())) == k
            assert one.log_prob(points) > -40.0


def test_examples():
    assert doctest.testmod(dpp).failed == 0
    assert doctest.testmod(dpp).attempted > 5
