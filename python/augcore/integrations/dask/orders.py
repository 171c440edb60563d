"""Orders of scores in Dask arrays."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import _validate, policies
from augcore._random import Rng
from augcore.integrations.dask.samples import (
    FAN_IN,
    check_known,
    check_platform,
    chunks_of,
    dask_module,
    firsts_of,
    located,
    naming,
    platform,
)

if TYPE_CHECKING:
    from dask.array import Array

__all__ = ["order"]


def order(scores: Array, policy: str, rng: Rng = None, *, k: int | None = None) -> NDArray[np.intp]:
    """The points in the order of a policy, as `augcore.policies.order`: each chunk sends its first k, no more.

    Parameters
    ----------
    scores : (n,) dask array of float32, float64 or integers
    policy : str
        A name in `augcore.policies.POLICIES`, one of augcore's own.
    rng : int, numpy.random.Generator or None
    k : int or None
        How many points; None means all, whose keys are then brought to this process.

    Returns
    -------
    (k,) ndarray of intp
        The same as for the scores in memory, whatever the chunks.

    Raises
    ------
    ValueError, TypeError
        As `augcore.policies.order`; if the sizes of chunks are not known.
    RuntimeError
        If a chunk cannot be read, which is named.
    """
    dask = dask_module()
    if not isinstance(scores, dask.array.Array):
        raise TypeError(f"scores: expected a dask.array.Array, got {_validate.describe(scores)}")
    if scores.ndim != 1:
        raise ValueError(f"scores: expected 1 dimension, got shape {scores.shape}")
    check_known("scores", scores)
    n = scores.shape[0]
    count = n if k is None else _validate.integer("k", k, 0, n)
    empty = policies.Reservoir(policy, count, rng)
    shared = dask.delayed(empty, traverse=False)
    chunks, rows = given = chunks_of(scores)
    choose = dask.delayed(_choose_chunk, pure=False)
    nodes = [choose(platform(), shared, first, chunk) for first, chunk in zip(firsts_of(rows), chunks, strict=True)]
    while len(nodes) > 1:
        groups = [nodes[i : i + FAN_IN] for i in range(0, len(nodes), FAN_IN)]
        nodes = [dask.delayed(_merge_chosen, pure=False)(shared, group) for group in groups]
    chosen: policies.Reservoir
    with naming({"scores": given}):
        (chosen,) = dask.compute(*nodes)
    return chosen.order()


def _choose_chunk(expected: str, empty: policies.Reservoir, first: int, scores: Any) -> policies.Reservoir:
    with located(first, len(scores)):
        check_platform(expected)
        chosen = copy.deepcopy(empty)
        chosen.add(np.asarray(scores), first)
        return chosen


def _merge_chosen(empty: policies.Reservoir, parts: Sequence[policies.Reservoir]) -> policies.Reservoir:
    chosen = copy.deepcopy(empty)
    for part in parts:
        chosen.absorb(*part.candidates())
    return chosen
