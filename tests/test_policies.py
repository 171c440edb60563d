"""Policies: what each promises about order, ties, zeros and probabilities, groups, and refusals."""

from __future__ import annotations

import copy
import hashlib
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import augcore
from augcore import _groups, _validate, policies, reference
from augcore.policies import POLICIES, Reservoir, order, probabilities, sample, within_budget

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


# The first points of an order, and a digest of all of it, as they were when the order was promised.
PROMISED = {
    "baseline": ([1041, 2768, 3906, 3828, 147, 3843], "f86e1c821c63bbbf"),
    "random_proportional": ([1041, 3906, 3843, 1170, 3243, 1748], "794e3a42b7a81876"),
    "random_inverse_proportional": ([4704, 3695, 668, 2686, 1677, 2768], "1fdf877b86190ab2"),
    "random_softmax_proportional": ([4336, 4772, 3436, 1636, 4445, 1118], "1a5346b7984181c5"),
    "random_inverse_softmax_proportional": ([2768, 1077, 4759, 2713, 4813, 1322], "a8149ac338ca0b8f"),
    "deterministic_proportional": ([709, 1718, 2727, 3736, 4745, 409], "732703db17258ee6"),
    "deterministic_inverse_proportional": ([668, 1677, 2686, 3695, 4704, 368], "f827b6da16144921"),
}


@pytest.mark.parametrize("policy", PROMISED)
def test_orders_are_those_that_were_promised(policy):
    scores = (np.arange(5000) * 37 % 1009 - 500) / 8
    drawn = order(scores, policy, 2024)
    first, digest = PROMISED[policy]
    assert drawn[:6].tolist() == order(scores, policy, 2024, k=6).tolist() == first
    assert hashlib.sha256(drawn.astype("<i8").tobytes()).hexdigest()[:16] == digest


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


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("budgets", [0, 3, {2: 4, -1: 1}, {5: 0}, {}, np.int64(2)], ids=str)
def test_budgets_of_groups(policy, budgets):
    groups = np.random.default_rng(12).permutation(np.repeat([-1, 0, 2, 5], [6, 3, 20, 4]))
    scores = np.random.default_rng(13).normal(size=33)
    plain = order(scores, policy, 11).tolist()
    labels = sorted(set(groups.tolist()))
    limits = [budgets.get(label, 0) if isinstance(budgets, dict) else int(budgets) for label in labels]
    queues = [[i for i in plain if groups[i] == label][:limit] for label, limit in zip(labels, limits, strict=True)]
    expected = round_robin(queues)
    assert len(expected) == sum(limits)
    assert order(scores, policy, 11, groups=groups, budgets=budgets).tolist() == expected
    assert sample(scores, None, 11, policy=policy, groups=groups, budgets=budgets).tolist() == expected
    for k in {0, len(expected) // 2, len(expected)}:
        assert order(scores, policy, 11, k=k, groups=groups, budgets=budgets).tolist() == expected[:k]
        assert sample(scores, k, 11, policy=policy, groups=groups, budgets=budgets).tolist() == expected[:k]
    with pytest.raises(ValueError, match=f"^k: must be between 0 and {len(expected)}, got {len(expected) + 1}"):
        order(scores, policy, 11, k=len(expected) + 1, groups=groups, budgets=budgets)


@pytest.mark.parametrize("labels", [["a", "bb", "c"], [False, True], [0.5, -2.25], np.array([7, 9], np.uint8)], ids=str)
def test_budgets_of_labels_of_any_kind(labels):
    labels = np.array(labels)
    groups = labels[np.random.default_rng(14).integers(0, len(labels), 50)]
    budgets = {label: 2 + place for place, label in enumerate(labels.tolist())}
    drawn = groups[order(np.ones(50), "baseline", 1, groups=groups, budgets=budgets)]
    assert {label: int((drawn == label).sum()) for label in budgets} == budgets


@pytest.mark.parametrize("n", [0, 1, 2000])
@pytest.mark.parametrize("width", [1, 1000, 10**9, 2**62])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int16])
def test_groups_are_found_whatever_the_range_of_their_labels(n, width, dtype):
    top = min(width, int(np.iinfo(dtype).max))
    groups = np.random.default_rng(15).integers(0, top, n).astype(dtype) - dtype(3 if dtype == np.int64 else 0)
    found = _groups.groups_of(groups, n)
    labels, codes = np.unique(groups, return_inverse=True)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.codes, codes)
    np.testing.assert_array_equal(found.sizes, np.bincount(codes, minlength=len(labels)))
    assert found.labels.dtype == groups.dtype


# ---- cost of samples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "costs", "budget", "taken"),
    [
        ([], [], 1.0, []),
        ([], [1.0], 1.0, []),
        ([0], [1.0], 0, []),
        ([1, 0], [1.0, 0.0], 0, [1]),
        ([2, 0, 1, 3], [5.0, 1.0, 4.0, 2.0], 7.5, [2, 1, 3]),
        ([0, 1, 2], [3, 2, 2], 4, [0]),
        ([0, 1, 2], np.array([3, 2, 1], np.uint8), 4.0, [0, 2]),
        (range(10), np.full(10, 0.25), 1.0, [0, 1, 2, 3]),
        ([0, 0, 1], [2.0, 1.0], 4.0, [0, 0]),
        (np.array([1, 0], np.uint16), np.array([1e300, 1e-300], ">f8"), 1e300, [1]),
        ([0, 1], [1.0, 2.0**-60], 1.0, [0]),
        ([1, 0], [1.0, 2.0**-60], 1.0, [1]),
        ([1, 2, 0], [1.0, 2.0**-60, 2.0**-61], 1.0, [1, 2]),
    ],
)
def test_within_budget(points, costs, budget, taken):
    got = within_budget(points, costs, budget)
    assert got.dtype == np.intp
    assert got.tolist() == taken


@given(st.lists(st.integers(0, 100), max_size=40), st.integers(0, 1000))
def test_a_budget_is_kept_and_nobody_who_fits_is_passed_over(costs, budget):
    taken = within_budget(range(len(costs)), costs, budget).tolist()
    left = budget
    for point, cost in enumerate(costs):
        assert (point in taken) == (cost <= left)
        left -= cost * (point in taken)
    assert left >= 0


def test_costs_that_do_not_add_up_in_single_steps():
    """A sum of 10^6 tenths in double is off by 1e-6; here it is exact to a rounding or two."""
    costs = np.full(10**6, 0.1)
    exact = 10**6 * Fraction(0.1)
    assert len(within_budget(np.arange(10**6), costs, float(exact) * (1 + 1e-15))) == 10**6
    assert len(within_budget(np.arange(10**6), costs, float(exact) * (1 - 1e-15))) == 10**6 - 1


# ---- streams ---------------------------------------------------------------------------------------------------------


def cut(n, *sizes):
    """Slices of 0 ... n - 1 of the given sizes, again and again."""
    first, slices = 0, []
    while first < n:
        slices.append(slice(first, first + sizes[len(slices) % len(sizes)]))
        first = slices[-1].stop
    return slices


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("k", [0, 1, 40, 3000])
@pytest.mark.parametrize("sizes", [(1, 700), (5000,), (16384, 3)], ids=str)
def test_a_reservoir_chooses_as_the_order_of_all(policy, k, sizes):
    scores = np.random.default_rng(16).normal(size=20_000).astype(np.float32)
    scores[::9] = 0.0
    expected = order(scores, policy, 8, k=k)
    in_turn, mixed, parts = Reservoir(policy, k, 8), Reservoir(policy, k, 8), []
    for block in cut(len(scores), *sizes):
        in_turn.add(scores[block])
    for number, block in enumerate(reversed(cut(len(scores), *sizes))):
        mixed.add(scores[block], block.start)
        if number % 5 == 0:
            parts.append(Reservoir(policy, k, 8))
        parts[-1].add(scores[block].astype(np.float64), first_index=block.start)
    merged = Reservoir(policy, k, 8)
    for part in parts:
        merged.absorb(*part.candidates())
    for reservoir in (in_turn, mixed, merged):
        assert reservoir.order().dtype == np.intp
        np.testing.assert_array_equal(reservoir.order(), expected)
    high, low, index = merged.candidates()
    assert high.shape == low.shape == index.shape == (k,)
    assert sorted(index.tolist()) == sorted(expected.tolist())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_short_stream_is_chosen_whole(policy):
    scores = [3, -1, 2]
    reservoir = Reservoir(policy, 10, 5)
    assert reservoir.order().tolist() == []
    reservoir.add([])
    reservoir.add(scores)
    assert reservoir.order().tolist() == order(scores, policy, 5).tolist()


@pytest.mark.parametrize("k", [2**62, 2**63 - 1])
def test_a_stream_of_which_all_is_wanted(k):
    scores = np.random.default_rng(22).normal(size=9000)
    reservoir = Reservoir("random_proportional", k, 1)
    for block in cut(9000, 5000, 7):
        reservoir.add(scores[block])
    np.testing.assert_array_equal(reservoir.order(), order(scores, "random_proportional", 1))


def test_reservoirs_keep_what_they_chose_when_they_travel():
    scores = np.random.default_rng(17).normal(size=3000)
    there = Reservoir("random_softmax_proportional", 20, np.random.default_rng(2))
    there.add(scores[:1000])
    here = copy.deepcopy(there)
    here.add(scores[1000:])
    expected = order(scores, "random_softmax_proportional", np.random.default_rng(2), k=20)
    np.testing.assert_array_equal(here.order(), expected)
    assert there.order().max() < 1000


def test_a_reservoir_draws_from_its_generator_once():
    generator, other = np.random.default_rng(3), np.random.default_rng(3)
    reservoir = Reservoir("random_proportional", 5, generator)
    for _ in range(3):
        reservoir.add(np.ones(10))
    order(np.ones(10), "random_proportional", other)
    assert generator.bit_generator.state == other.bit_generator.state


def test_streams_are_plackett_luce():
    draws, scores = 6_000, [0.3, -2.0, 1.1, -0.7]

    def draw(seed):
        reservoir = Reservoir("random_proportional", 2, seed)
        for place in (2, 0, 3, 1):
            reservoir.add(scores[place : place + 1], place)
        return reservoir.order()

    expected = {}
    for outcome, probability in reference.plackett_luce(np.abs(scores)).items():
        expected[outcome[:2]] = expected.get(outcome[:2], 0.0) + probability
    assert_counts(counts_of(draw, draws), expected, draws)


def test_a_large_block_is_added_in_parts(monkeypatch):
    monkeypatch.setattr(_validate, "SCORE_BLOCK", 400)
    scores = np.random.default_rng(23).normal(size=3000)
    reservoir = Reservoir("random_proportional", 30, 4)
    reservoir.add(scores[1000:], 1000)
    reservoir.add(scores[:1000].astype(">f8"), 0)
    np.testing.assert_array_equal(reservoir.order(), order(scores, "random_proportional", 4, k=30))


def test_a_refused_block_leaves_a_reservoir_as_it_was():
    scores = np.random.default_rng(18).normal(size=5000)
    reservoir = Reservoir("random_proportional", 9, 1)
    reservoir.add(scores[:2000])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="^scores: contains NaN or infinity"):
            reservoir.add(np.append(scores[2000:], bad))
        with pytest.raises(ValueError, match="^scores: contains NaN or infinity"):
            reservoir.add(np.append(scores[2000:], bad).astype(">f4"))
    with pytest.raises(ValueError, match="^high, low: contain NaN"):
        reservoir.absorb([-np.inf, np.nan], [0.0, 0.0], [7, 8])
    reservoir.add(scores[2000:])
    np.testing.assert_array_equal(reservoir.order(), order(scores, "random_proportional", 1, k=9))


def test_indices_of_a_stream_may_be_large():
    reservoir = Reservoir("deterministic_proportional", 2)
    reservoir.add([1.0, 3.0], 2**63 - 3)
    reservoir.add([2.0], 2**40)
    assert reservoir.order().tolist() == [2**63 - 2, 2**40]


# ---- scores in files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", np.int32, np.uint64])
def test_scores_in_a_file(policy, dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(_validate, "SCORE_BLOCK", 1000)
    path = tmp_path / "scores.npy"
    scores = np.random.default_rng(19).integers(0, 10**6, 9500).astype(dtype)
    np.save(path, scores)
    mapped, doubles = np.load(path, mmap_mode="r"), scores.astype(np.float64)
    for k in (0, 100, 1100, 5000, 9500):
        np.testing.assert_array_equal(order(mapped, policy, 3, k=k), order(doubles, policy, 3, k=k))
    np.testing.assert_array_equal(order(mapped[::-2], policy, 3, k=50), order(doubles[::-2], policy, 3, k=50))
    if policy in RANDOM:
        np.testing.assert_array_equal(probabilities(mapped, policy), probabilities(doubles, policy))


@pytest.mark.parametrize(
    ("policy", "dtype", "kibibytes"),
    [("random_proportional", np.float32, 12_000), ("deterministic_proportional", np.int32, 24_000)],
)
def test_a_small_part_of_a_large_file_takes_little_memory(policy, dtype, kibibytes, tmp_path, run_python):
    """Own memory, that is what is not mapped from the file, grows by far less than a copy of the scores would take.

    That is 48,000 kB, or 96,000 as doubles. Integers are converted in blocks, of which there are two at a time.
    """
    path = tmp_path / "scores.npy"
    n = 12_000_000
    np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(n,))[:] = np.arange(n) % 1001
    code = f"""
import threading
import numpy as np
from augcore import policies

def own():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))

scores = np.load({str(path)!r}, mmap_mode="r")
policies.order(np.ones(50_000), {policy!r}, 1, k=1000)
most, done = [own()], threading.Event()
before = most[0]

def watch():
    while not done.wait(0.001):
        most.append(own())

watcher = threading.Thread(target=watch)
watcher.start()
for _ in range(5):
    policies.order(scores, {policy!r}, 1, k=10_000)
done.set()
watcher.join()
print(max(most) - before)
"""
    assert int(run_python(code).stdout) < kibibytes


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


def test_own_policies_cannot_choose_from_a_stream(own_policy):
    with pytest.raises(ValueError, match="policy: 'reverse' cannot choose from a stream; those that can: 'baseline'"):
        Reservoir(own_policy, 1)


def test_own_policies_that_return_what_are_no_points():
    policies.register("beyond", lambda scores, rng=None, k=None: np.arange(len(scores)) + 1)
    try:
        with pytest.raises(ValueError, match="order: has indices that are not points"):
            order([1.0, 2.0], "beyond", groups=[0, 1])
    finally:
        del POLICIES["beyond"]


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
        (lambda: sample([1.0], None, groups=[1]), TypeError, "k: expected an integer"),
        (lambda: order([1.0], "baseline", budgets=1), ValueError, "budgets: needs groups"),
        (lambda: order([1.0], "baseline", groups=[1], budgets={2: 1}), ValueError, "budgets: no group has the label 2"),
        (lambda: order([1.0], "baseline", groups=["a"], budgets={"b": 0}), ValueError, "budgets: no group .* 'b'"),
        (
            lambda: order([1.0], "baseline", groups=[1], budgets={1: -1}),
            ValueError,
            r"budgets\[1\]: must be at least 0",
        ),
        (lambda: order([1.0], "baseline", groups=[1], budgets={1: 0.5}), TypeError, r"budgets\[1\]: expected an int"),
        (lambda: order([1.0], "baseline", groups=[1], budgets=-1), ValueError, "budgets: must be at least 0, got -1"),
        (lambda: order([1.0], "baseline", groups=[1], budgets=True), TypeError, "budgets: expected a mapping"),
        (lambda: order([1.0], "baseline", groups=[1], budgets=[1]), TypeError, "budgets: expected a mapping"),
        (lambda: order([1.0], "baseline", groups=[1], budgets=2**70), ValueError, "budgets: .* fewer than its budget"),
        (
            lambda: order([1.0, 2.0, 3.0], "baseline", groups=["a", "a", "b"], budgets=2),
            ValueError,
            "budgets: group 'b' has 1 points, fewer than its budget of 2",
        ),
        (
            lambda: order([1.0, 2.0], "baseline", groups=np.array(["a", "b"], dtype=object), budgets=2),
            ValueError,
            "budgets: group 'a' has 1 points, fewer than its budget of 2",
        ),
        (
            lambda: order([1.0], "baseline", groups=np.array([2**31 - 1], np.uint32).view("U1")),
            ValueError,
            "groups: has strings with characters beyond Unicode",
        ),
        (lambda: within_budget([0], [-1.0], 1), ValueError, "costs: must not be negative, got -1.0"),
        (lambda: within_budget([0], [np.nan], 1), ValueError, "costs: contains NaN"),
        (lambda: within_budget([], [1.0, np.inf], 1), ValueError, "costs: contains NaN"),
        (lambda: within_budget([0], ["1"], 1), TypeError, "costs: expected"),
        (lambda: within_budget([0], [[1.0]], 1), ValueError, "costs: expected 1 dimension"),
        (lambda: within_budget([0], [1.0], -1), ValueError, "budget: must be at least 0"),
        (lambda: within_budget([0], [1.0], np.nan), ValueError, "budget: must be finite"),
        (lambda: within_budget([0], [1.0], True), TypeError, "budget: expected a number"),
        (lambda: within_budget([1], [1.0], 1), ValueError, "order: must be between 0 and 0"),
        (lambda: within_budget([-1], [1.0], 1), ValueError, "order: must be between 0 and 0"),
        (lambda: within_budget([0.0], [1.0], 1), TypeError, "order: expected integers"),
        (lambda: within_budget([[0]], [1.0], 1), ValueError, "order: expected 1 dimension"),
        (lambda: Reservoir("nonsense", 1), ValueError, "policy: expected one of"),
        (lambda: Reservoir("baseline", -1), ValueError, "k: must be between 0"),
        (lambda: Reservoir("baseline", True), TypeError, "k: expected an integer"),
        (lambda: Reservoir("baseline", None), TypeError, "k: expected an integer"),
        (lambda: Reservoir("baseline", 1, "seed"), TypeError, "rng: expected an int"),
        (lambda: Reservoir("baseline", 1).add([1.0], -1), ValueError, "first_index: must be at least 0"),
        (lambda: Reservoir("baseline", 1).add([1.0], 2**63 - 1), ValueError, "first_index: indices must be below"),
        (lambda: Reservoir("baseline", 1).add([1.0], 0.0), TypeError, "first_index: expected an integer"),
        (lambda: Reservoir("baseline", 1).add([[1.0]]), ValueError, "scores: expected 1 dimension"),
        (lambda: Reservoir("baseline", 1).add([1.0], threads=0), ValueError, "threads: "),
        (lambda: Reservoir("baseline", 1).add([True]), TypeError, "scores: expected float32, float64 or integers"),
        (lambda: Reservoir("baseline", 1).absorb([1.0], [1.0, 2.0], [0]), ValueError, "low: expected length 1, got 2"),
        (lambda: Reservoir("baseline", 1).absorb([1.0], [1.0], [0, 1]), ValueError, r"index: expected shape \(1,\)"),
        (lambda: Reservoir("baseline", 1).absorb([1.0], [1.0], [-1]), ValueError, "index: must be between 0"),
        (lambda: Reservoir("baseline", 1).absorb([1.0], [1.0], [0.5]), TypeError, "index: expected integers"),
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
