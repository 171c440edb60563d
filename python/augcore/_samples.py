"""Samples that are read block by block: what a fit or a score of more samples than one memory holds is made of.

An algorithm asks for sums over all samples, and for a function of each block; where the blocks are, and what reads
them, is the business of a subclass: `augcore.streaming.Blocks` on this machine, `augcore.integrations.dask` on many.
Sums run over fixed tiles of absolute rows (tree_sum.hpp), so that every division into blocks gives the same bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _validate, _validate_models

__all__ = [
    "PART_BYTES",
    "Add",
    "Block",
    "Empty",
    "Samples",
    "Sums",
    "Survey",
    "SurveyOfBlock",
    "check_matrix",
    "checked_rows",
    "is_single",
    "joined_survey",
    "survey_of_block",
]

Floats = NDArray[np.float64]

PART_BYTES = 1 << 24  # of X that are worked on at a time: they stay in the last cache between the passes over them


class Block(NamedTuple):
    """Rows first ... first + n - 1: X (n, p) float32 or float64, labels y (n,) and weights (n,), or None."""

    first: int
    X: NDArray[Any]
    y: NDArray[Any]
    weight: Floats | None


class Sums(Protocol):
    """`_dispatch.GramSums`, `_dispatch.RowSums` or `_multinomial.HessianSums`."""

    def nodes(self, threads: int) -> _dispatch.Nodes: ...

    def absorb(self, nodes: _dispatch.Nodes) -> None: ...

    def total(self, threads: int) -> Floats: ...


Empty = Callable[[int], Sums]  # from the first row
Add = Callable[[Any, Block], None]  # adds a block to the sums


class Samples(ABC):
    """Attributes: n, p, dtype of X (float32 or float64), threads, on_gpu (whether blocks are on a GPU, y aside)."""

    on_gpu = False

    n: int
    p: int
    dtype: np.dtype[Any]
    threads: int

    def no_rows(self) -> NDArray[Any]:
        """Rows like those of the blocks, none of them."""
        rows: NDArray[Any] = (_device.cupy() if self.on_gpu else np).empty((0, self.p), dtype=self.dtype)
        return rows

    @abstractmethod
    def sums(self, empty: Empty, add: Add, what: str, *key: NDArray[Any]) -> Floats:
        """The total of the sums over all samples.

        `what` is computed says a word, and with the arrays of `key` it says all that the result depends on.
        """

    @abstractmethod
    def survey(self) -> Survey:
        """Their labels and weights, which are checked by then. X is checked where it is first read."""

    @property
    def classes(self) -> NDArray[Any]:
        """The sorted labels."""
        return self.survey().classes


@dataclass(frozen=True)
class Survey:
    """What is known of the labels and weights of samples.

    classes: the sorted labels; members: how many samples with a weight each has; weight_sum: None without weights.
    """

    n: int
    classes: NDArray[Any]
    members: NDArray[np.int64]
    weight_sum: float | None


class SurveyOfBlock(NamedTuple):
    n: int
    classes: NDArray[Any]
    members: NDArray[np.int64]
    weights: _dispatch.Nodes | None


def survey_of_block(block: Block) -> SurveyOfBlock:
    """Of whole tiles of `_dispatch.RowSums`, or of the last block; checks labels and weights."""
    labels = _validate_models.label_array("y", block.y)
    if len(labels) == 0:
        return SurveyOfBlock(0, labels, np.empty(0, dtype=np.int64), None)
    classes, codes = np.unique(labels, return_inverse=True)
    if block.weight is None:
        return SurveyOfBlock(len(labels), classes, np.bincount(codes).astype(np.int64), None)
    sums = _dispatch.RowSums(0, True, 1, block.first)
    sums.add(np.empty((len(labels), 0)), block.weight[:, None], 1)
    members = np.bincount(codes[block.weight > 0], minlength=len(classes)).astype(np.int64)
    return SurveyOfBlock(len(labels), classes, members, sums.nodes(1))


def joined_survey(parts: Iterator[SurveyOfBlock]) -> Survey:
    """From those of all blocks, in order."""
    n, found, weights = 0, None, None
    for part in parts:
        n += part.n
        if part.n:
            found = part if found is None else _joined(found, part)
        if part.weights is not None:
            weights = _dispatch.RowSums(0, True, 1) if weights is None else weights
            weights.absorb(part.weights)
    if found is None:
        raise ValueError("X: has no samples")
    weight_sum = None if weights is None else float(weights.total(1)[0, 0])
    return Survey(n, found.classes, found.members, weight_sum)


def _joined(one: SurveyOfBlock, other: SurveyOfBlock) -> SurveyOfBlock:
    if np.array_equal(one.classes, other.classes):
        return one._replace(members=one.members + other.members)
    both = np.concatenate([one.classes, other.classes])
    classes, places = np.unique(both, return_inverse=True)
    members = np.bincount(places, np.concatenate([one.members, other.members])).astype(np.int64)
    return one._replace(classes=classes, members=members)


def check_matrix(X: Any) -> None:
    """Shape and dtype of what holds the rows of all samples, here or elsewhere."""
    if len(X.shape) != 2 or X.shape[1] == 0:
        raise ValueError(f"X: expected shape (n, p) with at least one column, got {tuple(X.shape)}")
    if X.dtype.kind not in "iuf" or (X.dtype.kind == "f" and X.dtype.itemsize not in (4, 8)):
        raise TypeError(f"X: expected float32, float64 or integers, got dtype {X.dtype}")


def is_single(dtype: np.dtype[Any]) -> bool:
    """Whether rows of a dtype, in either byte order, become float32."""
    return dtype.kind == "f" and dtype.itemsize == 4


def checked_rows(X: Any, columns: int | None = None) -> NDArray[Any]:
    """The rows of a block as the kernels take them; their numbers are checked elsewhere, once."""
    values = _validate.real_array("X", X, ndim=2, finite=False)
    if values.shape[1] == 0:
        raise ValueError(f"X: has no columns, got shape {values.shape}")
    if columns is not None and values.shape[1] != columns:
        raise ValueError(f"X: expected {columns} columns, got shape {values.shape}")
    return values
