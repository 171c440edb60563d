"""Groups of points: how many each gives, and whose turn it is.

Groups are taken round robin in the order of their labels; one that is used up, or has given what its budget allows, is
passed over. So the number of points that each gives follows from their sizes alone, before any point is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _validate, _validate_models
from augcore._validate import describe

Budgets = Mapping[Any, int] | int


@dataclass(frozen=True)
class Groups:
    """labels: sorted; codes[i]: the place in labels of the group of point i; sizes: points of each group."""

    labels: NDArray[Any]
    codes: NDArray[np.int64]
    sizes: NDArray[np.int64]


def groups_of(labels: ArrayLike, n: int) -> Groups:
    """The groups of n points."""
    values = _validate_models.label_array("groups", labels)
    if len(values) != n:
        raise ValueError(f"groups: expected length {n}, got {len(values)}")
    known, codes = _few_integers(values) or np.unique(values, return_inverse=True)
    codes = codes.astype(np.int64, copy=False)
    return Groups(known, codes, np.bincount(codes, minlength=len(known)))


def _few_integers(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]] | None:
    """np.unique with its inverse, by counting: for integers of a range not much wider than their number."""
    if values.dtype == bool:
        values = values.view(np.uint8)
        found = _few_integers(values)
        return found and (found[0].astype(bool), found[1])
    if values.dtype.kind not in "iu" or not len(values):
        return None
    low, high = int(values.min()), int(values.max())
    if high - low > 4 * len(values) + 1000 or high > np.iinfo(np.int64).max:
        return None
    places = values.astype(np.int64)
    places -= low
    present = np.bincount(places, minlength=high - low + 1) > 0
    return (np.flatnonzero(present) + low).astype(values.dtype), (np.cumsum(present) - 1)[places]


def allowed(groups: Groups, budgets: Budgets | None) -> NDArray[np.int64]:
    """How many points each group may give."""
    if budgets is None:
        return groups.sizes
    if isinstance(budgets, Mapping):
        places = {label: place for place, label in enumerate(groups.labels.tolist())}
        limits = np.zeros(len(groups.sizes), dtype=np.int64)
        for label, budget in budgets.items():
            if label not in places:
                raise ValueError(f"budgets: no group has the label {describe(label)}")
            limits[places[label]] = _limit(f"budgets[{label!r}]", budget)
    elif isinstance(budgets, int | np.integer) and not isinstance(budgets, bool):
        limits = np.full(len(groups.sizes), _limit("budgets", budgets), dtype=np.int64)
    else:
        raise TypeError(f"budgets: expected a mapping from labels to integers, or an integer, got {describe(budgets)}")
    short = np.flatnonzero(limits > groups.sizes)
    if len(short):
        label, size, limit = groups.labels[short].tolist()[0], groups.sizes[short[0]], limits[short[0]]
        raise ValueError(f"budgets: group {label!r} has {size} points, fewer than its budget of {limit}")
    return limits


def _limit(name: str, budget: Any) -> int:
    return min(_validate.integer(name, budget, 0), int(np.iinfo(np.int64).max))
