"""Exponential keys and the weighted order: bits against NumPy's Philox and mpmath, counts against Plackett-Luce."""

from __future__ import annotations

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from augcore import _dispatch, reference

THREADS = (1, 2, 3, 8, 16)
# Chi-square tests fail below this: with seeds drawn afresh each would raise a false alarm once in 10,000 runs.
FALSE_ALARM = 1e-4
WORDS = 2**64 - 1
GOLDEN_HIGH = ["0x1.477a7c0f19696p-3", "-0x1.f0cb9697c982ep-1", "0x1.2c6659c21c5c0p+2", "-0x1.5f9fc67eda738p+9"]
GOLDEN_LOW = ["0x0.0p+0", "-0x1.2000000000000p-55", "0x1.0000000000000p-52", "0x1.2800000000000p-45"]
BLOCK = 16384  # items of one task
MANY = 4096  # items above which a small part is chosen without sorting all


def make_key(*words):
    return np.array(words, dtype=np.uint64)


def order_counts(log_weights, draws, k=None, seed=0):
    """How often each order occurs, one key per draw."""
    log_weights = np.asarray(log_weights, dtype=np.float64)
    k = len(log_weights) if k is None else k
    counts = {}
    for draw in range(draws):
        order = tuple(_dispatch.weighted_order(log_weights, make_key(seed, draw), k, 1).tolist())
        counts[order] = counts.get(order, 0) + 1
    return counts


def by_keys(log_weights, key):
    high, low = _dispatch.exponential_keys(log_weights, key, 0, 1)
    return np.lexsort((np.arange(len(high)), low, high))


# ---- bits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (WORDS, WORDS), (0x452821E638D01377, 0xBE5466CF34E90C6C)])
@pytest.mark.parametrize("first", [0, 1, 2, 3, 4, 7, 16383, 2**40 + 1, 2**62 + 2])
def test_uniforms_are_the_words_of_numpy_philox(key, first):
    n = 21
    # NumPy steps the counter before it makes a block of four words, so block 0 comes of counter 1.
    stream = np.random.Philox(key=make_key(*key), counter=make_key(first // 4, 0, 0, 0))
    words = stream.random_raw(first % 4 + n)[first % 4 :]
    expected = ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    np.testing.assert_array_equal(_dispatch.uniforms(make_key(*key), first, n, 1), expected)
    np.testing.assert_array_equal(reference.uniforms(key, first, n), expected)


@pytest.mark.parametrize("counter", [(0, 0, 0, 0), (WORDS, 0, 0, 0), (WORDS - 1, WORDS, WORDS, WORDS), (5, 6, 7, 8)])
def test_reference_philox_is_numpy_philox(counter):
    key = (0x0123456789ABCDEF, 0xFEDCBA9876543210)
    step = (sum(word << (64 * i) for i, word in enumerate(counter)) + 1) % 2**256
    stepped = tuple((step >> (64 * i)) & WORDS for i in range(4))
    words = np.random.Philox(key=make_key(*key), counter=make_key(*counter)).random_raw(4)
    assert reference.philox4x64(stepped, key) == tuple(words.tolist())


def test_the_logarithm_is_within_one_ulp():
    rng = np.random.default_rng(0)
    near_one = 1.0 + np.ldexp(rng.uniform(-1, 1, 300), -rng.integers(1, 53, 300))
    edges = [
        5e-324,
        1e-310,
        2.2250738585072014e-308,
        2.0**-53,
        1 - 2.0**-53,
        1.0,
        2**0.5,
        0.5**0.5,
        2.0,
        1.7976931348623157e308,
    ]
    values = np.concatenate([np.exp(rng.uniform(-740, 709, 700)), near_one, edges])
    logs = _dispatch.log_magnitudes(-values, 1)
    with mpmath.workdps(60):
        for value, got in zip(values, logs, strict=True):
            exact = mpmath.log(mpmath.mpf(float(value)))
            assert abs(mpmath.mpf(float(got)) - exact) <= np.spacing(abs(float(exact))), value


def test_the_logarithm_of_what_has_none():
    np.testing.assert_array_equal(
        _dispatch.log_magnitudes(np.array([0.0, -0.0, np.inf, -np.inf, np.nan]), 1),
        [-np.inf, -np.inf, np.inf, np.inf, np.nan],
    )


def test_keys_have_the_same_bits_on_every_machine():
    high, low = _dispatch.exponential_keys(np.array([0.0, 1.0, -3.5, 700.0]), make_key(1, 2), 0, 1)
    assert [value.hex() for value in high] == GOLDEN_HIGH
    assert [value.hex() for value in low] == GOLDEN_LOW


def test_keys_against_the_reference():
    log_weights = np.random.default_rng(1).normal(scale=5, size=500)
    high, _ = _dispatch.exponential_keys(log_weights, make_key(8, 9), 17, 1)
    np.testing.assert_allclose(high, reference.exponential_keys(log_weights, (8, 9), 17), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e8, 1e17, 1e300])
def test_a_key_is_the_exact_difference(scale):
    n = 200
    log_weights = np.random.default_rng(2).normal(scale=scale, size=n)
    log_e, rest = _dispatch.exponential_keys(np.zeros(n), make_key(3, 4), 0, 1)
    np.testing.assert_array_equal(rest, 0.0)
    high, low = _dispatch.exponential_keys(log_weights, make_key(3, 4), 0, 1)
    for i in range(n):
        assert Fraction(high[i]) + Fraction(low[i]) == Fraction(log_e[i]) - Fraction(log_weights[i])


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("cuts", [(), (1,), (2, 5, 16384, 16387), (49999,)])
def test_keys_do_not_depend_on_threads_or_blocks(threads, cuts):
    n, key = 50_000, make_key(5, 6)
    log_weights = np.random.default_rng(3).normal(size=n)
    whole = np.array(_dispatch.exponential_keys(log_weights, key, 0, 1))
    edges = [0, *cuts, n]
    parts = [
        np.array(_dispatch.exponential_keys(log_weights[a:b], key, a, threads)) for a, b in itertools.pairwise(edges)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    np.testing.assert_array_equal(_dispatch.uniforms(key, 0, n, threads), _dispatch.uniforms(key, 0, n, 1))


# ---- the order -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 9, 1000, MANY, MANY + 1, BLOCK, BLOCK + 1, 70_001])
@pytest.mark.parametrize("threads", THREADS)
def test_the_order_is_by_rising_keys(n, threads):
    log_weights = np.random.default_rng(n).normal(scale=3, size=n)
    expected = by_keys(log_weights, make_key(n, 1))
    for k in sorted({0, 1, n // 100, n // 2, n - 1, n} & set(range(n + 1))):
        order = _dispatch.weighted_order(log_weights, make_key(n, 1), k, threads)
        assert order.dtype == np.intp
        np.testing.assert_array_equal(order, expected[:k])


@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.full(n, -np.inf),
        lambda n: np.full(n, 1e300),
        lambda n: np.where(np.arange(n) % 3 == 0, -np.inf, 0.0),
        lambda n: np.where(np.arange(n) % 3 == 0, np.inf, 1e300),
        lambda n: np.arange(n, dtype=np.float64),
        lambda n: -1e5 * np.arange(n),
        lambda n: np.where(np.arange(n) == n // 2, 0.0, -np.inf),
    ],
    ids=["none", "huge", "some none", "some infinite", "rising", "falling", "one"],
)
@pytest.mark.parametrize("n", [300, 50_000])
def test_the_order_of_degenerate_weights(make, n):
    """Skewed weights put nearly all items of the large case into few cells."""
    log_weights = make(n)
    expected = by_keys(log_weights, make_key(7, 7))
    for k in (1, n // 7, n):
        np.testing.assert_array_equal(_dispatch.weighted_order(log_weights, make_key(7, 7), k, 2), expected[:k])


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e16, 1e300])
def test_the_order_against_the_reference(scale):
    log_weights = np.round(np.random.default_rng(4).normal(size=400), 1) * scale
    log_weights[::50] = -np.inf
    log_weights[1::50] = np.inf
    np.testing.assert_array_equal(
        _dispatch.weighted_order(log_weights, make_key(10, 11), 400, 1), reference.weighted_order(log_weights, (10, 11))
    )


# ---- policies --------------------------------------------------------------------------------------------------------

POLICIES = (
    "baseline",
    "random_proportional",
    "random_inverse_proportional",
    "random_softmax_proportional",
    "random_inverse_softmax_proportional",
    "deterministic_proportional",
    "deterministic_inverse_proportional",
)
HARD_SCORES = {
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "signs and zeros": lambda rng, n: rng.normal(size=n) * rng.integers(0, 2, n),
    "zeros": lambda rng, n: np.zeros(n),
    "equal": lambda rng, n: np.full(n, -3.5),
    "few values": lambda rng, n: rng.integers(-3, 4, n).astype(np.float64),
    "all exponents": lambda rng, n: 10.0 ** rng.uniform(-308, 308, n),
    "denormal": lambda rng, n: rng.integers(0, 40, n) * 5e-324,
    "huge": lambda rng, n: rng.normal(size=n) * 1e307,
    "one unlike": lambda rng, n: np.where(np.arange(n) == n // 3, 1e300, 1e-300),
    "equal logarithms": lambda rng, n: 1e17 + 64.0 * rng.integers(0, 5, n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "rising": lambda rng, n: np.arange(n, dtype=np.float64),
}


def key_order(policy, scores, key):
    high, low = _dispatch.policy_keys(policy, scores, key, 0, 1)
    return np.lexsort((np.arange(len(high)), low, high))


@pytest.mark.parametrize("policy", POLICIES)
def test_keys_of_a_policy_are_those_of_its_weights(policy):
    scores = np.random.default_rng(20).normal(size=99)
    size, key = np.abs(scores), make_key(3, 1)
    log_weights = {
        "baseline": np.zeros_like(size),
        "random_proportional": _dispatch.log_magnitudes(size, 1),
        "random_inverse_proportional": -_dispatch.log_magnitudes(size, 1),
        "random_softmax_proportional": size,
        "random_inverse_softmax_proportional": -size,
    }
    if policy in log_weights:
        expected = _dispatch.exponential_keys(log_weights[policy], key, 11, 1)
    else:
        expected = size if "inverse" in policy else -size, np.zeros_like(size)
    np.testing.assert_array_equal(_dispatch.policy_keys(policy, scores, key, 11, 1), expected)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("make", HARD_SCORES.values(), ids=HARD_SCORES.keys())
@pytest.mark.parametrize("n", [70, MANY + 400, 40_000])
def test_orders_are_by_rising_keys_whatever_the_scores(policy, make, n):
    scores = make(np.random.default_rng(n), n)
    expected = key_order(policy, scores, make_key(n, 2))
    for k, threads in [(0, 1), (1, 1), (n // 100, 2), (n // 9, 1), (n // 2, 3), (n, 1), (n, 16)]:
        order = _dispatch.policy_order(policy, scores, make_key(n, 2), k, threads)
        np.testing.assert_array_equal(order, expected[:k])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("n", [50, 30_000])
def test_scores_of_single_precision_are_taken_as_their_doubles(policy, n):
    scores = np.random.default_rng(n).normal(size=n).astype(np.float32)
    scores[:3] = 0.0, 1e-45, 3e38
    for k in (n // 20, n):
        np.testing.assert_array_equal(
            _dispatch.policy_order(policy, scores, make_key(6, 6), k, 2),
            _dispatch.policy_order(policy, scores.astype(np.float64), make_key(6, 6), k, 2),
        )


@pytest.mark.parametrize("width", [0.0, 1e-14, 1e-12, 1e-11, 1e-10, 1e-9, 1e-7])
@pytest.mark.parametrize("scale", [1.0, 1e290])
@pytest.mark.parametrize("policy", ["random_proportional", "random_inverse_proportional"])
def test_keys_that_all_but_agree_are_told_apart(policy, scale, width):
    """Weights that make up for the draws: keys differ by no more than the errors of what is sorted first."""
    n, key = 40_000, make_key(12, 21)
    exponentials = -np.log(_dispatch.uniforms(key, 0, n, 1))
    wanted = np.random.default_rng(21).uniform(-width, width, n)
    weights = exponentials * (1.0 - wanted) * scale
    scores = weights if policy == "random_proportional" else 1.0 / weights
    np.testing.assert_array_equal(_dispatch.policy_order(policy, scores, key, n, 2), key_order(policy, scores, key))


@pytest.mark.parametrize("policy", POLICIES)
def test_the_bound_that_spares_keys_is_one(policy):
    """A point whose key is just below the limit of a reservoir is chosen, whatever the bits of its key and weight."""
    n, key = 700, make_key(31, 13)
    scores = np.random.default_rng(31).uniform(1, 2, n) * 2.0 ** np.random.default_rng(32).integers(-30, 9, n)
    scores[::70] = 0.0, 5e-324, 1e-310, 2.0**-1022, 1e300, 1.0, 2.0, -2.0, 1e-300, 1.7e308
    high, _ = _dispatch.policy_keys(policy, scores, key, 0, 1)
    others = np.full(2000, np.inf), np.full(2000, np.inf), np.arange(n, n + 2000)
    for index in range(n):
        kept = _dispatch.Reservoir(policy, key, 1)
        limits = others[0].copy()
        limits[0] = np.nextafter(high[index], np.inf)
        kept.absorb(limits, *others[1:])
        kept.add(scores[index : index + 1], index, 1)
        assert kept.chosen(1)[2] == index


def test_a_misleading_sample_costs_time_but_no_point():
    """The smallest keys are few and stand together, or the sample sees little else."""
    n = 200_000
    for weight in (-50.0, 50.0):
        log_weights = np.zeros(n)
        log_weights[: n // 50] = weight
        log_weights[np.arange(n) % 775 < 256] -= weight / 2
        expected = by_keys(log_weights, make_key(1, 9))
        for k in (10, n // 40, n // 9):
            np.testing.assert_array_equal(_dispatch.weighted_order(log_weights, make_key(1, 9), k, 2), expected[:k])


def test_every_level_gives_the_same_bits(run_python, simd_levels):
    code = """
import hashlib
import numpy as np
from augcore import _dispatch
rng, digest = np.random.default_rng(0), hashlib.sha256()
key = np.array([5, 6], dtype=np.uint64)
for n in (1, 7, 1029, 20_003):
    scores = rng.normal(size=n) * 10.0 ** rng.integers(-300, 300, n)
    scores[::50] = 0.0
    digest.update(_dispatch.uniforms(key, 3, n, 1).tobytes() + _dispatch.log_magnitudes(scores, 1).tobytes())
    for policy in POLICIES:
        for values in (scores, rng.normal(size=n).astype(np.float32)):
            for keys in _dispatch.policy_keys(policy, values, key, 2, 2):
                digest.update(keys.tobytes())
            for k in (n // 30, n):
                digest.update(_dispatch.policy_order(policy, values, key, k, 2).tobytes())
print(digest.hexdigest())
""".replace("POLICIES", repr(POLICIES))
    assert len({run_python(code, AUGCORE_SIMD=level).stdout for level in simd_levels}) == 1


def test_the_smallest_of_many_keys_are_different():
    """53 bits: among the smallest 1,000 of 10^7 numbers two are equal with a probability of 1e-6; with 24, 244 were."""
    n = 10**7
    order = _dispatch.weighted_order(np.zeros(n), make_key(24, 53), 1000, 2)
    high, low = _dispatch.exponential_keys(np.zeros(n), make_key(24, 53), 0, 2)
    smallest = high[order]
    assert len(np.unique(smallest)) == 1000
    assert smallest.max() < np.log(1.2 * 1000 / n)
    assert (low == 0).all()


# ---- the distribution ------------------------------------------------------------------------------------------------


def assert_counts(counts, probabilities, draws):
    """Chi-square of the counts of all orders against exact probabilities."""
    assert set(counts) <= set(probabilities)
    observed = [counts.get(order, 0) for order in probabilities]
    expected = draws * np.array(list(probabilities.values()))
    assert expected.min() > 5
    assert stats.chisquare(observed, expected).pvalue > FALSE_ALARM


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
def test_orders_are_plackett_luce(scale):
    draws, weights = 40_000, np.array([1.0, 2.0, 3.5, 0.7])
    log_weights = _dispatch.log_magnitudes(scale * weights, 1)
    assert_counts(order_counts(log_weights, draws), reference.plackett_luce(weights), draws)


@pytest.mark.parametrize(
    ("n", "k"), [(40, 40), (2000, 2000), (MANY + 4, 3), (20_000, 3)], ids=["few", "all", "a part", "a part of many"]
)
def test_orders_are_plackett_luce_on_every_path(n, k):
    """Six heavy points among many that all but never come before them: the first of the order are theirs."""
    draws, heavy = 12_000, np.array([5.0, 1.0, 2.0, 3.0, 0.5, 4.0])
    places = np.linspace(0, n - 1, 6).astype(int)
    log_weights = np.full(n, -200.0)
    log_weights[places] = np.log(heavy)
    expected = {}
    for order, probability in reference.plackett_luce(heavy).items():
        beginning = tuple(places[list(order[:3])].tolist())
        expected[beginning] = expected.get(beginning, 0.0) + probability
    counts = {}
    for draw in range(draws):
        drawn = _dispatch.weighted_order(log_weights, make_key(n, draw), k, 1)
        counts[tuple(drawn[:3].tolist())] = counts.get(tuple(drawn[:3].tolist()), 0) + 1
    rare = [beginning for beginning in expected if expected[beginning] * draws < 6]
    assert len(rare) < 12
    merged = {beginning: probability for beginning, probability in expected.items() if beginning not in rare}
    merged["rare"] = sum(expected[beginning] for beginning in rare)
    counts["rare"] = sum(counts.pop(beginning, 0) for beginning in rare)
    assert_counts(counts, merged, draws)


def test_orders_are_those_of_numpy_choice():
    draws, weights = 15_000, np.array([4.0, 1.0, 2.0, 3.0])
    ours = order_counts(np.log(weights), draws, seed=1)
    rng, theirs = np.random.default_rng(5), {}
    for _ in range(draws):
        order = tuple(rng.choice(4, size=4, replace=False, p=weights / weights.sum()).tolist())
        theirs[order] = theirs.get(order, 0) + 1
    orders = sorted(reference.plackett_luce(weights))
    table = [[counts.get(order, 0) for order in orders] for counts in (ours, theirs)]
    assert stats.chi2_contingency(table).pvalue > FALSE_ALARM


@pytest.mark.parametrize("level", [0.0, -np.inf, np.inf, 1e300, -1e300])
def test_equal_weights_of_any_size_are_uniform(level):
    draws = 20_000
    assert_counts(order_counts([level] * 4, draws, seed=2), reference.plackett_luce([1, 1, 1, 1]), draws)


def test_no_weight_comes_last_and_infinite_weight_first_in_uniform_order():
    draws = 6_000
    counts = order_counts([-np.inf, 0.0, np.inf, -np.inf, np.inf], draws, seed=3)
    assert {order[2] for order in counts} == {1}
    expected = {(a, b, 1, c, d): 0.25 for a, b in [(2, 4), (4, 2)] for c, d in [(0, 3), (3, 0)]}
    assert_counts(counts, expected, draws)


# ---- properties ------------------------------------------------------------------------------------------------------

any_log_weight = st.floats(allow_nan=False, allow_infinity=True)
word = st.integers(0, WORDS)


@given(st.lists(any_log_weight, max_size=40), word, word, st.data())
def test_a_short_order_is_the_beginning_of_the_full_one(values, a, b, data):
    log_weights = np.array(values, dtype=np.float64)
    k = data.draw(st.integers(0, len(values)))
    full = _dispatch.weighted_order(log_weights, make_key(a, b), len(values), 1)
    assert sorted(full.tolist()) == list(range(len(values)))
    np.testing.assert_array_equal(_dispatch.weighted_order(log_weights, make_key(a, b), k, 1), full[:k])


@given(st.lists(any_log_weight, min_size=1, max_size=40), word, word, st.data())
def test_more_weight_never_moves_an_item_back(values, a, b, data):
    log_weights = np.array(values, dtype=np.float64)
    item = data.draw(st.integers(0, len(values) - 1))
    more = log_weights.copy()
    more[item] = data.draw(st.floats(min_value=more[item], allow_nan=False))
    before, after = (
        _dispatch.weighted_order(w, make_key(a, b), len(values), 1).tolist().index(item) for w in (log_weights, more)
    )
    assert after <= before


@given(st.lists(any_log_weight, max_size=40), st.integers(0, 2**62), st.integers(0, 40))
def test_keys_of_two_blocks_are_those_of_one(values, first, cut):
    log_weights = np.array(values, dtype=np.float64)
    cut = min(cut, len(values))
    key = make_key(1, first)
    whole = np.array(_dispatch.exponential_keys(log_weights, key, first, 1))
    left = np.array(_dispatch.exponential_keys(log_weights[:cut], key, first, 1))
    right = np.array(_dispatch.exponential_keys(log_weights[cut:], key, first + cut, 1))
    np.testing.assert_array_equal(np.concatenate([left, right], axis=1), whole)


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 3, 17, MANY + 10, 50_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_that_are_not_finite_are_refused_wherever_they_are(policy, bad, n, dtype):
    for place in {0, n // 2, n - 1}:
        scores = np.ones(n, dtype=dtype)
        scores[place] = bad
        for k in {0, n // 20, n}:
            with pytest.raises(ValueError, match="^scores: contains NaN or infinity"):
                _dispatch.policy_order(policy, scores, make_key(0, 0), k, 2)
        with pytest.raises(ValueError, match="^scores: contains NaN or infinity"):
            _dispatch.policy_keys(policy, scores, make_key(0, 0), 0, 2)
        with pytest.raises(ValueError, match="^scores: contains NaN or infinity"):
            _dispatch.Reservoir(policy, make_key(0, 0), 1).add(scores, 0, 2)


@pytest.mark.parametrize("n", [3, 50_000])
@pytest.mark.parametrize("threads", [1, 2])
def test_nan_is_refused(n, threads):
    log_weights = np.zeros(n)
    log_weights[-1] = np.nan
    with pytest.raises(ValueError, match="log_weights: contains NaN"):
        _dispatch.weighted_order(log_weights, make_key(0, 0), 1, threads)
    with pytest.raises(ValueError, match="log_weights: contains NaN"):
        _dispatch.exponential_keys(log_weights, make_key(0, 0), 0, threads)


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"^k: "):
        _dispatch.weighted_order(np.zeros(3), make_key(0, 0), 4, 1)
    for first in (-1, 2**63 - 2):
        with pytest.raises(ValueError, match=r"^first_index: "):
            _dispatch.exponential_keys(np.zeros(3), make_key(0, 0), first, 1)
        with pytest.raises(ValueError, match=r"^first_index: "):
            _dispatch.uniforms(make_key(0, 0), first, 3, 1)
