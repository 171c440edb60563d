"""Policies: scores in, an order out. The first k of an order are the k points to augment.

The size of a score is what counts, never its sign. A random policy gives every point a weight and draws without
replacement, each next point with probability proportional to its weight (Plackett-Luce, as `numpy.random.Generator`'s
``choice``). Weights are kept as logarithms and the draw is by exponential keys (Efraimidis and Spirakis, 2006). They
are keyed by `rng` and the index of the point, so an order depends neither on threads nor on the machine.

    policy                                  weight of a score s      no weight (s = 0)
    baseline                                1
    random_proportional                     |s|                      last, in uniform order
    random_inverse_proportional             1 / |s|                  first, in uniform order
    random_softmax_proportional             exp |s|
    random_inverse_softmax_proportional     exp -|s|
    deterministic_proportional              largest |s| first, ties by index
    deterministic_inverse_proportional      smallest |s| first, ties by index
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _dispatch, _groups, _random, _validate
from augcore._groups import Budgets
from augcore._random import Rng

__all__ = [
    "POLICIES",
    "Reservoir",
    "baseline",
    "deterministic_inverse_proportional",
    "deterministic_proportional",
    "order",
    "probabilities",
    "random_inverse_proportional",
    "random_inverse_softmax_proportional",
    "random_proportional",
    "random_softmax_proportional",
    "register",
    "sample",
    "within_budget",
]

Floats = NDArray[np.float64]
Order = NDArray[np.intp]
Policy = Callable[[ArrayLike, Rng, int | None], Order]


# ---- the policies ----------------------------------------------------------------------------------------------------

_LOG_WEIGHTS: dict[str, Callable[[Floats], Floats]] = {
    "baseline": np.zeros_like,
    "random_proportional": lambda scores: _dispatch.log_magnitudes(scores, 0),
    "random_inverse_proportional": lambda scores: -_dispatch.log_magnitudes(scores, 0),
    "random_softmax_proportional": np.abs,
    "random_inverse_softmax_proportional": lambda scores: -np.abs(scores),
}
_NO_KEY = np.zeros(2, dtype=np.uint64)  # of policies that draw nothing


def _checked(scores: ArrayLike, k: int | None) -> tuple[NDArray[Any], int]:
    values = _validate.scores("scores", scores, device=True)
    return values, len(values) if k is None else _validate.integer("k", k, 0, len(values))


def _take(policy: str, values: NDArray[Any], key: NDArray[np.uint64], k: int) -> Order:
    """The first k points; scores that the kernels do not take as they are are copied, block by block if k is small."""
    if _device.is_device(values) or k > len(values) // 8 or _validate.is_plain(values):
        return _dispatch.policy_order(policy, _validate.plain_scores(values), key, k, 0)
    kept = _dispatch.Reservoir(policy, key, k)
    for first, block in _validate.score_blocks(values):
        kept.add(block, first, 0)
    return kept.chosen(0)[2].astype(np.intp, copy=False)


def _draw(policy: str, scores: ArrayLike, rng: Rng, k: int | None) -> Order:
    values, count = _checked(scores, k)
    return _take(policy, values, _random.key(rng), count)


def _rank(policy: str, scores: ArrayLike, k: int | None) -> Order:
    values, count = _checked(scores, k)
    return _take(policy, values, _NO_KEY, count)


def baseline(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Points in uniform random order, whatever their scores; parameters and result as in `order`."""
    return _draw("baseline", scores, rng, k)


def random_proportional(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Draw with probability proportional to ``|score|``; parameters and result as in `order`."""
    return _draw("random_proportional", scores, rng, k)


def random_inverse_proportional(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Draw with probability proportional to ``1 / |score|``; parameters and result as in `order`."""
    return _draw("random_inverse_proportional", scores, rng, k)


def random_softmax_proportional(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Draw with probability proportional to ``exp(|score|)``; parameters and result as in `order`."""
    return _draw("random_softmax_proportional", scores, rng, k)


def random_inverse_softmax_proportional(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Draw with probability proportional to ``exp(-|score|)``; parameters and result as in `order`."""
    return _draw("random_inverse_softmax_proportional", scores, rng, k)


def deterministic_proportional(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Largest ``|score|`` first, ties by index; `rng` is not used. Parameters and result as in `order`."""
    return _rank("deterministic_proportional", scores, k)


def deterministic_inverse_proportional(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Smallest ``|score|`` first, ties by index; `rng` is not used. Parameters and result as in `order`."""
    return _rank("deterministic_inverse_proportional", scores, k)


POLICIES: dict[str, Policy] = {
    "baseline": baseline,
    "random_proportional": random_proportional,
    "random_inverse_proportional": random_inverse_proportional,
    "random_softmax_proportional": random_softmax_proportional,
    "random_inverse_softmax_proportional": random_inverse_softmax_proportional,
    "deterministic_proportional": deterministic_proportional,
    "deterministic_inverse_proportional": deterministic_inverse_proportional,
}
_OWN = tuple(POLICIES)


def register(name: str, policy: Policy) -> None:
    """Add a policy of one's own to `POLICIES`.

    Parameters
    ----------
    name : str
        A name that is not taken.
    policy : callable
        ``policy(scores, rng, k) -> order``: the indices of k points, or of all where k is None, best first.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    _validate.registration("name", name, POLICIES)
    POLICIES[name] = _validate.function("policy", policy)


# ---- what they are used through --------------------------------------------------------------------------------------


def order(
    scores: ArrayLike,
    policy: str,
    rng: Rng = None,
    *,
    k: int | None = None,
    groups: ArrayLike | None = None,
    budgets: Budgets | None = None,
) -> Order:
    """The points in the order of a policy.

    Parameters
    ----------
    scores : (n,) array-like of float32, float64 or integers
        Scores of the points; their size counts, not their sign. Finite. Of a memory-mapped array a few pages
        are looked at and then all is read once; where k is a small part of n, in memory for k points and a few blocks.
    policy : str
        A name in `POLICIES`.
    rng : int, numpy.random.Generator or None
        An int gives the same order each time; a Generator is advanced by two draws, whatever n and k.
    k : int or None
        How many points, 0 to n, or to the sum of the budgets; None means all. The first k are the same for every k.
    groups : (n,) array-like of numbers, bools or strings, or None
        Labels of strata, such as clusters. Points keep the order of the policy inside their group, and the groups are
        taken round robin in the order of their labels; a group that is used up is passed over.
    budgets : mapping of labels to int, int, or None
        How many points a group gives, and then it is passed over: one number for every group, or a number for each
        label, and then groups that are not named give none. None means that groups give all they have.

    Returns
    -------
    (k,) ndarray of intp
        Distinct indices into `scores`.

    Raises
    ------
    ValueError
        If scores have NaN or infinity, k is not between 0 and n, the policy is unknown, or the length of groups is
        not n; if budgets come without groups, name a label that no group has, or are negative or above the number of
        points in the group.
    TypeError
        If an argument has a wrong type or dtype.

    Notes
    -----
    The keys of points are independent, so a random order restricted to a group is the draw from that group alone.

    Examples
    --------
    >>> from augcore import policies
    >>> policies.order([0.1, -3.0, 2.0], "deterministic_proportional")
    array([1, 2, 0])
    >>> policies.order([4, 3, 2, 1], "deterministic_proportional", groups=list("aaba"), budgets={"a": 2, "b": 1})
    array([0, 2, 1])
    """
    _validate.choice("policy", policy, POLICIES)
    values, count = _checked(scores, k)
    if groups is None:
        if budgets is not None:
            raise ValueError("budgets: needs groups")
        return POLICIES[policy](values, rng, count)
    found = _groups.groups_of(groups, len(values))
    limits = _groups.allowed(found, budgets)
    total = int(limits.sum())
    count = total if k is None else _validate.integer("k", k, 0, total)
    return _dispatch.round_robin(POLICIES[policy](values, rng, None), found.codes, limits, count)


def sample(
    scores: ArrayLike,
    k: int | None,
    rng: Rng = None,
    *,
    policy: str = "random_proportional",
    groups: ArrayLike | None = None,
    budgets: Budgets | None = None,
) -> Order:
    """Draw k distinct points: the first k of `order`.

    Parameters
    ----------
    scores : (n,) array-like of float32, float64 or integers
    k : int
        0 to n. With budgets, None stands for their sum.
    rng : int, numpy.random.Generator or None
    policy : str, default="random_proportional"
        A name in `POLICIES`.
    groups, budgets
        As in `order`.

    Returns
    -------
    (k,) ndarray of intp

    Raises
    ------
    ValueError, TypeError
        As `order`.
    """
    if k is not None or budgets is None:
        k = _validate.integer("k", k)
    return order(scores, policy, rng, k=k, groups=groups, budgets=budgets)


def within_budget(order: ArrayLike, costs: ArrayLike, budget: float) -> Order:
    """The points that a budget pays for: each in turn is taken unless it costs more than is left, and then passed over.

    Parameters
    ----------
    order : (m,) array-like of integers
        Indices into `costs`, such as `order` gives; the best come first.
    costs : (n,) array-like of float32, float64 or integers
        What each point costs, in any unit, such as its pixels, bytes or seconds. Not negative; 0 costs nothing.
    budget : float
        What all may cost together, in the same unit. Not negative.

    Returns
    -------
    ndarray of intp
        Those of `order` that are taken, in its order. Their costs are summed without rounding errors that add up.

    Raises
    ------
    ValueError
        If a cost or the budget is negative, NaN or infinite, or an index is not one of `costs`.
    TypeError
        If an argument has a wrong type or dtype.

    Examples
    --------
    >>> from augcore import policies
    >>> policies.within_budget([2, 0, 1, 3], costs=[5.0, 1.0, 4.0, 2.0], budget=7.5)
    array([2, 1, 3])
    """
    prices = _validate.scores("costs", costs)
    for _, block in _validate.score_blocks(prices):
        if not _validate.all_finite(block):
            raise ValueError("costs: contains NaN or infinity")
        if block.min(initial=0.0) < 0:
            raise ValueError(f"costs: must not be negative, got {float(block.min())!r}")
    points = _validate.places("order", order, len(prices))
    left = _validate.real("budget", budget, 0)
    return points[_dispatch.within_budget(prices[points].astype(np.float64), left)]


class Reservoir:
    """Chooses from a stream in one pass: the first k points of the order of all that were added, in memory for O(k).

    Points may come in blocks of any size and in any order, on any number of machines: reservoirs with the same policy,
    k and rng that saw parts of the points are merged by `candidates` and `absorb`. The choice is that of `order` for
    all the scores at once. Whoever adds a point twice may get it twice. A reservoir may be pickled, even before points
    are added: its copies draw alike.

    Parameters
    ----------
    policy : str
        One of augcore's own policies.
    k : int
        How many points; not negative.
    rng : int, numpy.random.Generator or None
        As in `order`; a Generator is advanced by two draws, here.

    Examples
    --------
    >>> import numpy as np
    >>> from augcore import policies
    >>> scores = np.arange(100.0)
    >>> reservoir = policies.Reservoir("random_proportional", 3, rng=0)
    >>> for block in np.split(scores, 4):
    ...     reservoir.add(block)
    >>> (reservoir.order() == policies.order(scores, "random_proportional", 0, k=3)).all()
    np.True_
    """

    def __init__(self, policy: str, k: int, rng: Rng = None) -> None:
        if _validate.choice("policy", policy, POLICIES) not in _OWN:
            raise ValueError(
                f"policy: {policy!r} cannot choose from a stream; those that can: {', '.join(map(repr, _OWN))}"
            )
        self._policy, self._k = policy, _validate.integer("k", k, 0, np.iinfo(np.int64).max)
        self._key, self._next = _random.key(rng), 0
        self._kept = _dispatch.Reservoir(policy, self._key, self._k)

    def add(self, scores: ArrayLike, first_index: int | None = None, *, threads: int | None = None) -> None:
        """Adds the points first_index, first_index + 1, ...

        Parameters
        ----------
        scores : (m,) array-like of float32, float64 or integers
        first_index : int or None
            The index of the first of them; None goes on behind the block that was added last.
        threads : int or None
            None means the global setting; the choice does not depend on it.

        Raises
        ------
        ValueError
            If scores have NaN or infinity, and then nothing is added; if an index is negative or beyond 2^63.
        TypeError
            If an argument has a wrong type or dtype.
        """
        values, threads = _validate.scores("scores", scores, device=True), _validate.threads(threads)
        first = self._next if first_index is None else _validate.integer("first_index", first_index, 0)
        if first + len(values) > np.iinfo(np.int64).max:
            raise ValueError(f"first_index: indices must be below 2**63 - 1, got {first} and {len(values)} scores")
        if _device.is_device(values):
            self._kept.add(_validate.plain_scores(values), first, threads)
            self._next = first + len(values)
            return
        if not all(_validate.all_finite(block) for _, block in _validate.score_blocks(values)):
            raise ValueError("scores: contains NaN or infinity")
        for start, block in _validate.score_blocks(values):
            self._kept.add(block, first + start, threads)
        self._next = first + len(values)

    def candidates(self) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """What `absorb` of another reservoir takes.

        Returns
        -------
        high, low : (m,) ndarray of float64
            Keys of the points that are chosen up to now, m at most k: a smaller high comes first, and of equal ones a
            smaller low.
        index : (m,) ndarray of int64
            Their indices.
        """
        return self._kept.chosen(0)

    def absorb(self, high: ArrayLike, low: ArrayLike, index: ArrayLike) -> None:
        """Adds the candidates of another reservoir of the same policy, k and rng, which saw other points.

        Parameters
        ----------
        high, low : (m,) array-like of float64
        index : (m,) array-like of integers

        Raises
        ------
        ValueError
            If they differ in length, keys have NaN or indices are negative; then nothing is added.
        TypeError
            If an argument has a wrong type or dtype.
        """
        keys = _validate.vector("high", high, finite=False)
        self._kept.absorb(
            keys, _validate.vector("low", low, len(keys), finite=False), _validate.indices("index", index, len(keys))
        )

    def order(self) -> Order:
        """The chosen points, best first: k, or all where fewer were added; (k,) ndarray of intp."""
        return self._kept.chosen(0)[2].astype(np.intp, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        kept = self.candidates()
        return {"policy": self._policy, "k": self._k, "key": self._key, "next": self._next, "candidates": kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._policy, self._k, self._key, self._next = (state[name] for name in ("policy", "k", "key", "next"))
        self._kept = _dispatch.Reservoir(self._policy, self._key, self._k)
        self._kept.absorb(*state["candidates"])


def probabilities(scores: ArrayLike, policy: str) -> Floats:
    """The probability of each point to be drawn first.

    Parameters
    ----------
    scores : (n,) array-like of float32, float64 or integers
    policy : str
        The name of a random policy.

    Returns
    -------
    (n,) ndarray of float64
        Sums to 1. Uniform where no score counts (all are 0); with `random_inverse_proportional`, uniform over the
        scores of 0 where there are any.

    Raises
    ------
    ValueError
        If the policy is deterministic, or is not one of augcore's own; else as `order`.
    """
    _validate.choice("policy", policy, POLICIES)
    if policy not in _LOG_WEIGHTS:
        raise ValueError(f"policy: {policy!r} has no probabilities; those that have: {', '.join(_LOG_WEIGHTS)}")
    values = _validate.scores("scores", scores, device=True)
    if _device.is_device(values):
        return _probabilities_on_gpu(values, policy)
    weights = np.empty(len(values))
    for first, block in _validate.score_blocks(values):
        if not _validate.all_finite(block):
            raise ValueError("scores: contains NaN or infinity")
        weights[first : first + len(block)] = _LOG_WEIGHTS[policy](block.astype(np.float64, copy=False))
    return _normalised(weights)


def _probabilities_on_gpu(values: NDArray[Any], policy: str) -> Floats:
    values = _validate.plain_scores(values).astype(np.float64, copy=False)
    if not len(values):
        return values
    if not np.isfinite(values).all():
        raise ValueError("scores: contains NaN or infinity")
    log_weights = _LOG_WEIGHTS[policy](values)
    top = log_weights.max()
    weights = np.where(np.isinf(top), (log_weights == top).astype(np.float64), np.exp(log_weights - top))
    normalised: Floats = weights / np.maximum(weights.sum(), 1.0)
    return normalised


def _normalised(log_weights: Floats) -> Floats:
    """exp(log_weights) over its sum, in place, without overflow; ties at infinity share it."""
    top = log_weights.max(initial=-np.inf)
    weights = log_weights
    with np.errstate(under="ignore"):
        for first in range(0, len(weights), _validate.SCORE_BLOCK):
            part = weights[first : first + _validate.SCORE_BLOCK]
            if np.isinf(top):
                part[:] = part == top
            else:
                np.exp(np.subtract(part, top, out=part), out=part)
        weights /= max(float(weights.sum()), 1.0)
    return weights
