"""Policies: what each promises about order, ties, zeros and probabilities, groups, and refusals."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import augcore
from augcore import policies, reference
from augcore.policies import POLICIES, order, probabilities, sample

# Chi-square tests fail below this: with seeds drawn afresh each would raise a false alarm once in 10,000 runs.
FALSE_ALARM = 1e-4
DETERMINISTIC = ("deterministic_proportional", "deterministic_inverse_proportional")
RANDOM = (
    "baseline",
    "random_proportional",
    "random_inverse_proportional",
    "random_softmax_proportional",
    "random_inverse_softmax_proportional",
)
SCORES = np.array([0.3, -2.0, 1.1, -0.7])


def counts_of(draw, draws):
    counts = {}
    for seed in range(draws):
        outcome = tuple(draw(seed).tolist())
        counts[outcome] = counts.get(outcome, 0) + 1
    return counts


def assert_counts(counts, probability, draws):
    """Chi-square of the counts of all outcomes against exact probabilities."""
    assert set(counts) <= set(probability)
    expected = draws * np.array(list(probability.values()))
    assert expected.min() > 5
    assert stats.chisquare([counts.get(outcome, 0) for outcome in probability], expected).pvalue > FALSE_ALARM


def test_the_registry_has_the_seven_policies_of_the_paper():
    assert set(POLICIES) == {*RANDOM, *DETERMINISTIC}


# ---- deterministic ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "largest_first", "smallest_first"),
    [
        ([], [], []),
        ([5], [0], [0]),
        ([1.0, -3.0, 2.0], [1, 2, 0], [0, 2, 1]),
        ([2.0, -2.0, 0.0, 2.0, -0.0], [0, 1, 3, 2, 4], [2, 4, 0, 1, 3]),
        ([1e-320, -1e300, 5e-324], [1, 0, 2], [2, 0, 1]),
    ],
)
def test_deterministic_orders(scores, largest_first, smallest_first):
    scores = np.array(scores, dtype=np.float64)
    for policy, expected in zip(DETERMINISTIC, (largest_first, smallest_first), strict=True):
        got = order(scores, policy)
        assert got.dtype == np.intp
        assert got.tolist() == expected
        assert order(scores, policy, 1).tolist() == order(scores, policy, 2).tolist() == expected


# ---- random ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", RANDOM)
def test_orders_are_plackett_luce(policy):
    draws = 12_000
    counts = counts_of(lambda seed: order(SCORES, policy, seed), draws)
    assert_counts(counts, reference.plackett_luce(reference.probabilities(SCORES, policy)), draws)


def equally(*outcomes):
    return dict.fromkeys(outcomes, 1 / len(outcomes))


@pytest.mark.parametrize(
    ("policy", "scores", "expected"),
    [
        # Points that do not count stand in uniform order, after or before those that do.
        ("random_proportional", [0, 7, 0], equally((1, 0, 2), (1, 2, 0))),
        ("random_inverse_proportional", [0, 7, 0], equally((0, 2, 1), (2, 0, 1))),
        ("random_proportional", [0, 0, 0], equally(*permutations(range(3)))),
        ("random_inverse_proportional", [0, 0, 0], equally(*permutations(range(3)))),
        ("random_proportional", [5e-324, 5e-324, 5e-324], equally(*permutations(range(3)))),
        ("random_proportional", [1e300, -2e300, 3e300], reference.plackett_luce([1, 2, 3])),
        ("random_inverse_proportional", [1e-300, 2e-300, 4e-300], reference.plackett_luce([4, 2, 1])),
        ("random_proportional", [1e300, 1e-300, 1e300], equally((0, 2, 1), (2, 0, 1))),
        ("random_softmax_proportional", [1e300, -1e300, 1e300], equally(*permutations(range(3)))),
        ("random_softmax_proportional", [800, 801, 0], {(0, 1, 2): 1 / (1 + np.e), (1, 0, 2): np.e / (1 + np.e)}),
        ("random_inverse_softmax_proportional", [1e17, 1e17, 0], equally((2, 0, 1), (2, 1, 0))),
    ],
)
def test_extreme_scores(policy, scores, expected):
    draws = 3_000
    assert_counts(counts_of(lambda seed: order(scores, policy, seed), draws), expected, draws)


@pytest.mark.parametrize("policy", POLICIES)
def test_only_the_size_of_a_score_counts(policy):
    scores = np.random.default_rng(0).normal(size=50)
    np.testing.assert_array_equal(order(scores, policy, 3), order(np.abs(scores), policy, 3))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("groups", [None, np.arange(200) % 7])
def test_k_points_are_the_first_k_of_all(policy, groups):
    scores = np.random.default_rng(1).normal(size=200)
    full = order(scores, policy, 5, groups=groups)
    assert sorted(full.tolist()) == list(range(200))
    for k in (0, 1, 13, 199, 200):
        np.testing.assert_array_equal(order(scores, policy, 5, k=k, groups=groups), full[:k])
        np.testing.assert_array_equal(
            order(scores, policy, np.random.default_rng(9), k=k, groups=groups),
            order(scores, policy, np.random.default_rng(9), groups=groups)[:k],
        )


@pytest.mark.parametrize("policy", RANDOM)
def test_the_rng_decides(policy):
    scores = np.ones(30)
    assert order(scores, policy, 1).tolist() == order(scores, policy, np.int64(1)).tolist()
    assert order(scores, policy, 1).tolist() != order(scores, policy, 2).tolist()
    assert order(scores, policy).tolist() != order(scores, policy).tolist()
    generator = np.random.default_rng(4)
    assert order(scores, policy, generator).tolist() != order(scores, policy, generator).tolist()


def test_a_generator_is_advanced_alike_whatever_is_asked():
    states = []
    for scores, k in [(np.ones(5), 2), (np.ones(50_000), None), (np.zeros(0), 0)]:
        generator = np.random.default_rng(4)
        order(scores, "random_proportional", generator, k=k)
        states.append(generator.bit_generator.state)
    assert states[0] == states[1] == states[2]


def test_threads_do_not_matter():
    scores = np.random.default_rng(2).normal(size=100_000)
    before = augcore.get_num_threads()
    try:
        orders = []
        for threads in (1, 2, 3, 8):
            augcore.set_num_threads(threads)
            orders.append(order(scores, "random_proportional", 6))
    finally:
        augcore.set_num_threads(before)
    for other in orders[1:]:
        np.testing.assert_array_equal(other, orders[0])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "view",
    [
        lambda s: s.astype(np.float32),
        lambda s: s.astype(">f8"),
        lambda s: np.repeat(s, 3)[::3],
        lambda s: s[::-1].copy()[::-1],
        lambda s: s.tolist(),
        lambda s: s.astype(np.int16),
    ],
    ids=["float32", "byte-swapped", "strided", "reversed", "list", "int16"],
)
def test_layout_and_dtype_do_not_matter(policy, view):
    scores = np.round(np.random.default_rng(3).normal(scale=50, size=40))
    scores.flags.writeable = False
    np.testing.assert_array_equal(order(view(scores), policy, 8), order(scores, policy, 8))


def test_sample_is_the_beginning_of_an_order():
    scores = np.random.default_rng(4).normal(size=30)
    np.testing.assert_array_equal(sample(scores, 7, 3), order(scores, "random_proportional", 3)[:7])
    np.testing.assert_array_equal(sample(scores, 7, 3, policy="baseline"), order(scores, "baseline", 3)[:7])


# ---- groups ----------------------------------------------------------------------------------------------------------


def round_robin(queues):
    taken = []
    while any(queues):
        taken += [queue.pop(0) for queue in queues if queue]
    return taken


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "groups",
    [
        np.random.default_rng(5).integers(-2, 6, 60),
        np.random.default_rng(6).choice(["b", "a", "zz"], 60),
        np.arange(60) == 17,
        np.zeros(60),
        np.arange(60)[::-1],
    ],
    ids=["integers", "strings", "bools", "one group", "all alone"],
)
def test_groups_are_taken_round_robin_in_label_order(policy, groups):
    scores = np.random.default_rng(7).normal(size=60)
    plain = order(scores, policy, 11).tolist()
    queues = [[i for i in plain if groups[i] == label] for label in sorted(set(groups.tolist()))]
    assert order(scores, policy, 11, groups=groups).tolist() == round_robin(queues)


def test_inside_a_group_the_draw_is_that_of_the_group_alone():
    draws, groups = 6_000, np.array([1, 0, 1, 0, 1])
    scores = np.array([1.0, 2.0, 3.0, 4.0, 0.5])

    def first_group(seed):
        drawn = order(scores, "random_proportional", seed, groups=groups)
        return drawn[groups[drawn] == 1]

    alone = reference.plackett_luce(scores[groups == 1])
    members = np.flatnonzero(groups == 1)
    expected = {tuple(members[list(outcome)].tolist()): probability for outcome, probability in alone.items()}
    assert_counts(counts_of(first_group, draws), expected, draws)


# ---- probabilities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", RANDOM)
def test_probabilities(policy):
    np.testing.assert_allclose(probabilities(SCORES, policy), reference.probabilities(SCORES, policy), rtol=1e-14)


@pytest.mark.parametrize(
    ("policy", "scores", "expected"),
    [
        ("random_proportional", [], []),
        ("baseline", [3.0], [1.0]),
        ("random_proportional", [0, 0, 0, 0], [0.25] * 4),
        ("random_proportional", [0, 5, 0], [0, 1, 0]),
        ("random_inverse_proportional", [0, 5, 0], [0.5, 0, 0.5]),
        ("random_proportional", [1e300, 3e300], [0.25, 0.75]),
        ("random_proportional", [1e300, 1e-300], [1, 0]),
        ("random_proportional", [5e-324, 5e-324], [0.5, 0.5]),
        ("random_inverse_proportional", [5e-324, 5e-324, 1], [0.5, 0.5, 0]),
        ("random_softmax_proportional", [1e300, -1e300, 1], [0.5, 0.5, 0]),
        ("random_inverse_softmax_proportional", [1e300, -1e300, 1], [0, 0, 1]),
    ],
)
def test_probabilities_of_extreme_scores(policy, scores, expected):
    with np.errstate(all="raise"):
        np.testing.assert_allclose(probabilities(scores, policy), expected, rtol=1e-12, atol=1e-290)


# ---- properties ------------------------------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)
some_scores = st.lists(finite | st.sampled_from([0.0, 1.0, -1.0]), max_size=30)


@given(some_scores, st.sampled_from(sorted(POLICIES)), st.integers(0, 2**130), st.data())
def test_any_scores_give_an_order_and_its_beginning(scores, policy, seed, data):
    full = order(scores, policy, seed)
    assert sorted(full.tolist()) == list(range(len(scores)))
    k = data.draw(st.integers(0, len(scores)))
    assert order(scores, policy, seed, k=k).tolist() == full[:k].tolist()


@given(some_scores.filter(len), st.sampled_from(RANDOM))
def test_any_scores_have_probabilities(scores, policy):
    p = probabilities(scores, policy)
    assert p.sum() == pytest.approx(1.0, rel=1e-12)
    assert (p >= 0).all()
    size = np.abs(scores)
    more = p[np.argmax(size)] - p[np.argmin(size)]
    assert more <= 0 if "inverse" in policy else more >= 0


@given(st.lists(st.tuples(finite, st.integers(0, 4)), max_size=30), st.sampled_from(sorted(POLICIES)))
def test_every_beginning_of_a_grouped_order_is_balanced(points, policy):
    scores, groups = [score for score, _ in points], np.array([group for _, group in points], dtype=int)
    drawn = groups[order(scores, policy, 0, groups=groups)]
    sizes = np.bincount(groups, minlength=5)
    for k in range(len(points) + 1):
        taken = np.bincount(drawn[:k], minlength=5)
        open_groups = taken[taken < sizes]
        assert taken.max(initial=0) - open_groups.min(initial=taken.max(initial=0)) <= 1


# ---- registry and refusals -------------------------------------------------------------------------------------------


@pytest.fixture
def own_policy():
    def reverse(scores, rng=None, k=None):
        return np.arange(len(scores))[::-1][:k]

    policies.register("reverse", reverse)
    yield "reverse"
    del POLICIES["reverse"]


def test_own_policies(own_policy):
    assert order([1, 2, 3], own_policy).tolist() == [2, 1, 0]
    assert order([1, 2, 3], own_policy, k=1).tolist() == [2]
    assert order([1, 2, 3], own_policy, groups=[0, 1, 1]).tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match="policy: 'reverse' has no probabilities"):
        probabilities([1, 2, 3], own_policy)
    with pytest.raises(ValueError, match="name: 'reverse' is registered already"):
        policies.register(own_policy, POLICIES["baseline"])
    with pytest.raises(ValueError, match="name: 'baseline' is registered already"):
        policies.register("baseline", POLICIES["reverse"])


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("scores", "error", "message"),
    [
        ([1.0, np.nan], ValueError, "scores: contains NaN or infinity"),
        ([1.0, -np.inf], ValueError, "scores: contains NaN or infinity"),
        ([[1.0, 2.0]], ValueError, "scores: expected 1 dimension"),
        (3.0, ValueError, "scores: expected 1 dimension"),
        (["a"], TypeError, "scores: expected float32, float64 or integers"),
        ([True, False], TypeError, "scores: expected float32, float64 or integers"),
        ([1j], TypeError, "scores: expected float32, float64 or integers"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), TypeError, "scores: masked arrays"),
    ],
)
def test_bad_scores(policy, scores, error, message):
    for call in (order, probabilities) if policy in RANDOM else (order,):
        with pytest.raises(error, match=message):
            call(scores, policy)
    with pytest.raises(error, match=message):
        POLICIES[policy](scores, None, None)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("k", "error"), [(4, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_bad_k(policy, k, error):
    for groups in (None, [0, 1, 0]):
        with pytest.raises(error, match=r"^k: "):
            order([1.0, 2.0, 3.0], policy, 0, k=k, groups=groups)
    with pytest.raises(error, match=r"^k: "):
        sample([1.0, 2.0, 3.0], k, 0, policy=policy)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: order([1.0], "random"), ValueError, "policy: expected one of 'baseline', 'random_proportional'"),
        (lambda: order([1.0], None), TypeError, "policy: expected a string"),
        (lambda: probabilities([1.0], "nonsense"), ValueError, "policy: expected one of"),
        (lambda: probabilities([1.0], "deterministic_proportional"), ValueError, "policy: .* has no probabilities"),
        (lambda: order([1.0, 2.0], "baseline", groups=[1]), ValueError, "groups: expected length 2, got 1"),
        (lambda: order([1.0, 2.0], "baseline", groups=[0.0, np.nan]), ValueError, "groups: contains NaN"),
        (lambda: order([1.0, 2.0], "baseline", groups=[None, 1]), TypeError, "groups: "),
        (lambda: order([1.0], "baseline", -1), ValueError, "rng: must not be negative"),
        (lambda: order([1.0], "baseline", "seed"), TypeError, "rng: expected an int"),
        (lambda: sample([1.0], None), TypeError, "k: expected an integer"),
        (lambda: policies.register("", POLICIES["baseline"]), TypeError, "name: expected a string"),
        (lambda: policies.register(3, POLICIES["baseline"]), TypeError, "name: expected a string"),
        (lambda: policies.register("new", "baseline"), TypeError, "policy: expected a function"),
    ],
)
def test_refusals(call, error, message):
    before = dict(POLICIES)
    with pytest.raises(error, match=message):
        call()
    assert before == POLICIES
