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

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _dispatch, _random, _validate, _validate_models
from augcore._random import Rng

__all__ = [
    "POLICIES",
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


def _checked(scores: ArrayLike, k: int | None) -> tuple[Floats, int]:
    values = _validate.vector("scores", scores)
    return values, len(values) if k is None else _validate.integer("k", k, 0, len(values))


def _draw(policy: str, scores: ArrayLike, rng: Rng, k: int | None) -> Order:
    values, count = _checked(scores, k)
    return _dispatch.weighted_order(_LOG_WEIGHTS[policy](values), _random.key(rng), count, 0)


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
    values, count = _checked(scores, k)
    return np.argsort(-np.abs(values), kind="stable")[:count]


def deterministic_inverse_proportional(scores: ArrayLike, rng: Rng = None, k: int | None = None) -> Order:
    """Smallest ``|score|`` first, ties by index; `rng` is not used. Parameters and result as in `order`."""
    values, count = _checked(scores, k)
    return np.argsort(np.abs(values), kind="stable")[:count]


POLICIES: dict[str, Policy] = {
    "baseline": baseline,
    "random_proportional": random_proportional,
    "random_inverse_proportional": random_inverse_proportional,
    "random_softmax_proportional": random_softmax_proportional,
    "random_inverse_softmax_proportional": random_inverse_softmax_proportional,
    "deterministic_proportional": deterministic_proportional,
    "deterministic_inverse_proportional": deterministic_inverse_proportional,
}


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
) -> Order:
    """The points in the order of a policy.

    Parameters
    ----------
    scores : (n,) array-like of float32, float64 or integers
        Scores of the points; their size counts, not their sign. Finite.
    policy : str
        A name in `POLICIES`.
    rng : int, numpy.random.Generator or None
        An int gives the same order each time; a Generator is advanced by two draws, whatever n and k.
    k : int or None
        How many points, 0 to n; None means all. The first k are the same for every k.
    groups : (n,) array-like of numbers, bools or strings, or None
        Labels of strata, such as clusters. Points keep the order of the policy inside their group, and the groups are
        taken round robin in the order of their labels; a group that is used up is passed over.

    Returns
    -------
    (k,) ndarray of intp
        Distinct indices into `scores`.

    Raises
    ------
    ValueError
        If scores have NaN or infinity, k is not between 0 and n, the policy is unknown, or the length of groups is
        not n.
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
    """
    _validate.choice("policy", policy, POLICIES)
    values, count = _checked(scores, k)
    if groups is None:
        return POLICIES[policy](values, rng, count)
    codes = _group_codes(groups, len(values))
    return _round_robin(POLICIES[policy](values, rng, None), codes)[:count]


def _group_codes(groups: ArrayLike, n: int) -> NDArray[np.intp]:
    labels = _validate_models.label_array("groups", groups)
    if len(labels) != n:
        raise ValueError(f"groups: expected length {n}, got {len(labels)}")
    codes: NDArray[np.intp] = np.unique(labels, return_inverse=True)[1]
    return codes


def _round_robin(ordered: Order, codes: NDArray[np.intp]) -> Order:
    """The first of every group, then the second of every group, ...; codes[i] is the group of point i."""
    group = codes[ordered]
    by_group = np.argsort(group, kind="stable")
    sizes = np.bincount(group)
    starts = np.cumsum(sizes) - sizes
    turn = np.empty(len(ordered), dtype=np.intp)
    turn[by_group] = np.arange(len(ordered)) - starts[group[by_group]]
    return ordered[np.lexsort((group, turn))]


def sample(scores: ArrayLike, k: int, rng: Rng = None, *, policy: str = "random_proportional") -> Order:
    """Draw k distinct points: the first k of `order`.

    Parameters
    ----------
    scores : (n,) array-like of float32, float64 or integers
    k : int
        0 to n.
    rng : int, numpy.random.Generator or None
    policy : str, default="random_proportional"
        A name in `POLICIES`.

    Returns
    -------
    (k,) ndarray of intp

    Raises
    ------
    ValueError, TypeError
        As `order`.
    """
    return order(scores, policy, rng, k=_validate.integer("k", k))


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
    values = _validate.vector("scores", scores)
    return _normalised(_LOG_WEIGHTS[policy](values))


def _normalised(log_weights: Floats) -> Floats:
    """exp(log_weights) over its sum, without overflow; ties at infinity share it."""
    top = log_weights.max(initial=-np.inf)
    with np.errstate(under="ignore"):
        weights = (log_weights == top).astype(np.float64) if np.isinf(top) else np.exp(log_weights - top)
        result: Floats = weights / max(float(weights.sum()), 1.0)
    return result
