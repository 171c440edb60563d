"""Orders of points whose scores are on a GPU: exactly those of the CPU, on a card and on the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from augcore import _cuda, _dispatch, _random, policies
from augcore.policies import POLICIES, Reservoir, order, probabilities, sample

RANDOM = tuple(name for name in POLICIES if name.startswith(("baseline", "random")))


def alike(cupy: Any, found: Any, expected: Any) -> None:
    assert isinstance(found, cupy.ndarray)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(cupy.asnumpy(found), expected)


def made_up(kind: str, n: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    scores: dict[str, Any] = {
        "lognormal": lambda: rng.lognormal(0, 2.5, n) * rng.choice([-1, 1], n),
        "zeros": lambda: np.where(rng.random(n) < 0.4, rng.choice([0.0, -0.0], n), rng.normal(size=n)),
        "equal": lambda: np.full(n, -1.5),
        "nothing": lambda: np.zeros(n),
        "few values": lambda: rng.integers(0, 4, n) * 0.1,
        "scales": lambda: 10.0 ** rng.uniform(-300, 300, n),
        "denormal": lambda: rng.integers(0, 1000, n) * 5e-324,
        "large": lambda: 1e17 * rng.random(n),
        "pairs": lambda: np.arange(n) // 2 * 1e17,  # as exponents they leave log E no digit
        "far pairs": lambda: np.where(np.arange(n) == 5, 1e30, np.arange(n) // 2 * 1e17),  # and crowd on one position
        "far": lambda: np.where(np.arange(n) == n // 2, 1e12, rng.random(n)),
    }
    return scores[kind]()


KINDS = (
    "lognormal",
    "zeros",
    "equal",
    "nothing",
    "few values",
    "scales",
    "denormal",
    "large",
    "pairs",
    "far pairs",
    "far",
)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_orders_are_those_of_the_cpu(cupy: Any, kind: str, policy: str) -> None:
    most = 4200 if kind in ("lognormal", "pairs") else 700  # several tiles, or one
    for n, dtype, ks in ((most, np.float64, (None,)), (300, np.float32, (37, 299))):
        with np.errstate(over="ignore", under="ignore"):
            scores = np.clip(made_up(kind, n), -np.finfo(dtype).max, np.finfo(dtype).max).astype(dtype)
        there = cupy.asarray(scores)
        for k in ks:
            alike(cupy, order(there, policy, 5, k=k), order(scores, policy, 5, k=k))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_of_many(cupy: Any, monkeypatch: pytest.MonkeyPatch, kind: str, policy: str) -> None:
    """They are found without a sort of all."""
    monkeypatch.setattr(_cuda, "_MANY", 100)
    monkeypatch.setattr(_cuda, "_SPARE", 64)
    scores = made_up(kind, 5001 if kind in ("lognormal", "zeros") else 1501, 1)
    there = cupy.asarray(scores)
    for k in (1, 100):
        alike(cupy, order(there, policy, 6, k=k), order(scores, policy, 6, k=k))


def test_the_first_may_be_anywhere(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cuda, "_MANY", 100)
    for n in (1000, 1001, 1002, 1003):
        for places in ([0, 1, 2], [n - 3, n - 2, n - 1], [n // 2, 0, n - 1]):
            scores = np.random.default_rng(1).random(n)
            scores[places] += 5
            for k in (2, 3, 4):
                alike(
                    cupy,
                    order(cupy.asarray(scores), "deterministic_proportional", k=k),
                    order(scores, "deterministic_proportional", k=k),
                )


def test_which_way_is_taken(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few of many are selected; keys that positions do not tell apart are sorted as they are; all else is not."""
    taken: list[str] = []
    for name in ("_some_words", "_all_words", "_keys"):
        function = getattr(_cuda, name)
        monkeypatch.setattr(_cuda, name, lambda *a, f=function, name=name: (taken.append(name), f(*a))[1])
    monkeypatch.setattr(_cuda, "_MANY", 100)
    for kind, policy, k, ways in (
        *(("lognormal", policy, 20, ["_some_words"]) for policy in POLICIES),
        *(("lognormal", policy, 2000, ["_all_words"]) for policy in POLICIES),
        ("zeros", "random_inverse_proportional", 2000, ["_all_words"]),
        ("few values", "deterministic_proportional", 20, ["_some_words", "_keys"]),
        ("nothing", "deterministic_inverse_proportional", 20, ["_some_words"]),
        ("nothing", "deterministic_proportional", 2000, ["_all_words"]),
        ("far", "random_softmax_proportional", 2000, ["_all_words", "_keys"]),
        ("far", "random_softmax_proportional", 20, ["_some_words", "_keys"]),
    ):
        monkeypatch.setattr(_cuda, "_SPARE", 64)
        taken.clear()
        order(cupy.asarray(made_up(kind, 2500)), policy, 0, k=k)
        assert taken == ways, (kind, policy, k)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 33, 4097])
def test_sizes(cupy: Any, n: int) -> None:
    scores = made_up("lognormal", n)
    for policy in ("random_proportional", "deterministic_inverse_proportional"):
        for k in (None, 0, min(n, 1)):
            alike(cupy, order(cupy.asarray(scores), policy, 1, k=k), order(scores, policy, 1, k=k))


def test_other_dtypes_and_layouts(cupy: Any) -> None:
    rng = np.random.default_rng(3)
    for scores in (
        rng.integers(-100, 100, 500),
        rng.integers(0, 255, 500).astype(np.uint8),
        rng.normal(size=1000)[::2],
        rng.normal(size=500)[::-1].astype(np.float32),
    ):
        there = cupy.asarray(scores)
        if scores.strides[0] != scores.itemsize:
            there = cupy.asarray(np.repeat(scores, 3))[::3]
        for policy in ("random_softmax_proportional", "deterministic_proportional"):
            alike(cupy, order(there, policy, 2, k=100), order(scores, policy, 2, k=100))


@pytest.mark.parametrize("policy", POLICIES)
def test_keys_have_the_bits_of_the_cpu(cupy: Any, policy: str) -> None:
    key = _random.key(9)
    for kind in ("lognormal", "zeros", "scales", "denormal", "large"):
        scores = made_up(kind, 100)
        for first in (0, 3, 2**40 + 1):
            expected = _dispatch.policy_keys(policy, scores, key, first, 0)
            for found, wanted in zip(
                _dispatch.policy_keys(policy, cupy.asarray(scores), key, first, 0), expected, strict=True
            ):
                alike(cupy, found.view(np.int64), wanted.view(np.int64))


def test_samples_and_generators(cupy: Any) -> None:
    scores = made_up("lognormal", 400)
    there = cupy.asarray(scores)
    alike(cupy, sample(there, 30, np.random.default_rng(4)), sample(scores, 30, np.random.default_rng(4)))
    alike(cupy, policies.baseline(there, 1), policies.baseline(scores, 1))
    assert (order(there, "baseline") != order(there, "baseline")).any()


@pytest.mark.parametrize("policy", RANDOM)
def test_probabilities(cupy: Any, policy: str) -> None:
    """To 1e-13: the sums have another order, and exp other last bits."""
    for kind in KINDS:
        scores = made_up(kind, 300)
        found = probabilities(cupy.asarray(scores), policy)
        assert isinstance(found, cupy.ndarray)
        np.testing.assert_allclose(cupy.asnumpy(found), probabilities(scores, policy), rtol=1e-13, atol=1e-300)
    assert probabilities(cupy.asarray(np.empty(0)), policy).shape == (0,)


def test_groups(cupy: Any) -> None:
    scores = made_up("lognormal", 300)
    there, groups = cupy.asarray(scores), np.random.default_rng(5).choice(list("abcd"), 300, p=[0.5, 0.3, 0.19, 0.01])
    for policy in ("random_proportional", "deterministic_proportional"):
        for budgets, k in ((None, None), (None, 50), ({"b": 20, "d": 1}, None), (1, 2), ({}, None)):
            chosen = {"groups": groups, "budgets": budgets, "k": k}
            alike(cupy, order(there, policy, 3, **chosen), order(scores, policy, 3, **chosen))
    alike(cupy, order(cupy.asarray(np.empty(0)), "baseline", 1, groups=[]), np.empty(0, np.int64))
    with pytest.raises(TypeError, match=r"^groups: is on a GPU"):
        order(there, "baseline", groups=cupy.asarray(np.zeros(300)))


@pytest.mark.parametrize("policy", ["random_proportional", "random_softmax_proportional", "deterministic_proportional"])
def test_reservoirs(cupy: Any, policy: str) -> None:
    """Blocks may be on a GPU or not."""
    scores = made_up("zeros", 900)
    for k in (0, 1, 40, 2000):
        reservoir = Reservoir(policy, k, rng=8)
        reservoir.add(cupy.asarray(scores[:301]))
        reservoir.add(scores[301:450])
        reservoir.add(cupy.asarray(scores[450:450]))
        reservoir.add(cupy.asarray(scores[601:]), 601)
        reservoir.add(cupy.asarray(scores[450:601].astype(np.float64)), 450)
        np.testing.assert_array_equal(reservoir.order(), order(scores, policy, 8, k=min(k, 900)))
    reservoir = Reservoir(policy, 5, rng=8)
    with pytest.raises(ValueError, match=r"^scores: contains NaN or infinity"):
        reservoir.add(cupy.asarray(np.array([1.0, np.nan])))
    assert len(reservoir.order()) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite(cupy: Any, monkeypatch: pytest.MonkeyPatch, bad: float) -> None:
    monkeypatch.setattr(_cuda, "_MANY", 100)
    for dtype in (np.float32, np.float64):
        scores = made_up("lognormal", 300).astype(dtype)
        scores[299] = bad
        there = cupy.asarray(scores)
        for policy in ("random_inverse_proportional", "random_softmax_proportional", "deterministic_proportional"):
            for k in (None, 5, 0):
                with pytest.raises(ValueError, match=r"^scores: contains NaN or infinity"):
                    order(there, policy, k=k)
        with pytest.raises(ValueError, match=r"^scores: contains NaN or infinity"):
            probabilities(there, "baseline")
        alike(cupy, order(there[:299], "baseline", 1), order(scores[:299], "baseline", 1))


def test_refusals(cupy: Any) -> None:
    there = cupy.asarray(made_up("lognormal", 10))
    with pytest.raises(ValueError, match=r"^k: "):
        order(there, "baseline", k=11)
    with pytest.raises(ValueError, match=r"^scores: expected 1 dimension"):
        order(there.reshape(2, 5), "baseline")
    with pytest.raises(TypeError, match=r"^scores: expected float32, float64 or integers, got dtype bool"):
        order(there > 0, "baseline")
    with pytest.raises(ValueError, match=r"^policy: "):
        probabilities(there, "deterministic_proportional")
    with pytest.raises(TypeError, match=r"^costs: is on a GPU"):
        policies.within_budget([0], there, 1.0)


def test_an_order_waits_once(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if cupy.__name__ != "emulated_cupy":
        pytest.skip("a card does not count")
    there = cupy.asarray(made_up("lognormal", 3000))
    monkeypatch.setattr(_cuda, "_MANY", 100)
    for k in (None, 10):
        monkeypatch.setattr(cupy, "waits", 0)
        order(there, "random_proportional", 1, k=k)
        assert cupy.waits == 1
