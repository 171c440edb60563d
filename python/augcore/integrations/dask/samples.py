"""Samples in Dask arrays: sums and scores of their chunks, on the workers that hold them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import augcore
from augcore import _dispatch, _multinomial, _validate, _validate_models
from augcore._samples import (
    PART_BYTES,
    Add,
    Block,
    Empty,
    Samples,
    Survey,
    SurveyOfBlock,
    check_matrix,
    checked_rows,
    is_single,
    joined_survey,
    survey_of_block,
)

if TYPE_CHECKING:
    from dask.array import Array

__all__ = [
    "FAN_IN",
    "DaskSamples",
    "check_known",
    "check_platform",
    "chunks_of",
    "dask_module",
    "firsts_of",
    "located",
    "naming",
    "platform",
]

Floats = NDArray[np.float64]

FAN_IN = 8  # results of tasks that one task merges
_WHERE = "in rows "


def dask_module() -> Any:
    try:
        import dask
        import dask.array
    except ImportError as error:
        raise ImportError(f"{error}; Dask arrays need the extra: pip install 'augcore[dask]'") from error
    return dask


# ---- what runs on a worker -------------------------------------------------------------------------------------------


def platform() -> str:
    """What the last bits of a result depend on."""
    return f"augcore {augcore.__version__} at level {_dispatch.build_facts()['simd']}"


def check_platform(expected: str) -> None:
    if platform() != expected:
        raise RuntimeError(
            f"a worker has {platform()}, but this process {expected}: their results have different last digits; "
            "install the same version everywhere, and set AUGCORE_SIMD to the lowest level"
        )


@contextmanager
def located(first: int, n: int) -> Iterator[None]:
    """What is raised within tells the rows, and by that `naming` knows that the chunks were there."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{_WHERE}{first} to {first + n - 1}")
        raise


def _parts(check: bool, first: int, X: Any, y: Any, weight: Any) -> Iterator[Block]:
    """A chunk in blocks of whole tiles, with its numbers checked."""
    X, y = checked_rows(X), np.asarray(y)
    weight = _validate.sample_weight("sample_weight", weight, len(y))
    tile = _dispatch.TILE_ROWS
    step = max(tile, PART_BYTES // max(1, X.itemsize * X.shape[1]) // tile * tile)
    for start in range(0, len(y), step):
        cut = slice(start, start + step)
        if check:
            _validate.magnitudes("X", X[cut])
        yield Block(first + start, X[cut], y[cut], None if weight is None else weight[cut])


def _labels_of_chunk(first: int, y: Any) -> NDArray[Any]:
    with located(first, len(y)):
        return np.unique(_validate_models.label_array("y", np.asarray(y)))


def _survey_chunk(expected: str, first: int, y: Any, weight: Any) -> SurveyOfBlock:
    with located(first, len(y)):
        check_platform(expected)
        weight = _validate.sample_weight("sample_weight", weight, len(y))
        return survey_of_block(Block(first, np.empty((len(y), 0)), np.asarray(y), weight))


def _sum_chunk(
    expected: str, work: tuple[Empty, Add], threads: int, check: bool, first: int, X: Any, y: Any, weight: Any
) -> tuple[int, _dispatch.Nodes]:
    """The first row, and the nodes of the sums over a chunk."""
    with located(first, len(y)):
        check_platform(expected)
        empty, add = work
        sums = empty(first)
        for part in _parts(check, first, X, y, weight):
            add(sums, part)
        return first, sums.nodes(threads)


def _merge(
    work: tuple[Empty, Add], threads: int, nodes: Sequence[tuple[int, _dispatch.Nodes]]
) -> tuple[int, _dispatch.Nodes]:
    """The nodes of neighbouring ranges of rows, as those of one."""
    first = nodes[0][0]
    sums = work[0](first)
    for _, part in nodes:
        sums.absorb(part)
    return first, sums.nodes(threads)


def _score_chunk(
    expected: str, function: Callable[[Block], Floats], check: bool, first: int, X: Any, y: Any, weight: Any
) -> NDArray[Any]:
    with located(first, len(y)):
        check_platform(expected)
        return np.concatenate([function(part) for part in _parts(check, first, X, y, weight)])


# ---- the samples -----------------------------------------------------------------------------------------------------


class DaskSamples(Samples):
    """Samples in Dask arrays, in chunks of whole tiles."""

    def __init__(self, X: Any, y: Any, weight: Any = None, *, threads: int | None, persist: bool) -> None:
        dask = dask_module()
        X = _rows(X)
        self.n, self.p = X.shape
        self.dtype = np.dtype(np.float32 if is_single(X.dtype) else np.float64)
        self.threads = 1 if threads is None else _validate.threads(threads)
        self._expected = platform()
        arrays = [X, _column("y", y, X)]
        arrays += [] if weight is None else [_column("sample_weight", weight, X)]
        self._given = dict(zip(("X", "y", "sample_weight"), map(chunks_of, arrays), strict=False))
        with naming(self._given):
            arrays = list(dask.persist(*arrays)) if persist else arrays  # X and y may come from one source
            self._classes = _classes(arrays[1])
            edges = _edges(X.chunks[0], _multinomial.tile_rows(self.p + 1, max(1, len(self._classes) - 1)))
            moved = [array.rechunk({0: edges}) for array in arrays]
            arrays = list(dask.persist(*moved)) if persist and any(map(operator.is_not, moved, arrays)) else moved
        columns = [chunks_of(array).chunks for array in arrays]
        columns += [[None] * len(edges)] if weight is None else []
        self.edges = edges
        self._chunks = list(zip(firsts_of(edges), *columns, strict=True))
        self._seen: Survey | None = None
        self._checked = False  # X

    @property
    def classes(self) -> NDArray[Any]:
        return self._classes

    def survey(self) -> Survey:
        if self._seen is None:
            dask = dask_module()
            of_chunk = dask.delayed(_survey_chunk, pure=False)
            tasks = [of_chunk(self._expected, first, y, weight) for first, _, y, weight in self._chunks]
            self._seen = joined_survey(iter(self._compute(tasks)))
        return self._seen

    def sums(self, empty: Empty, add: Add, what: str, *key: NDArray[Any]) -> Floats:
        dask = dask_module()
        work = dask.delayed((empty, add), traverse=False)
        of_chunk, merge = dask.delayed(_sum_chunk, pure=False), dask.delayed(_merge, pure=False)
        check = not self._checked
        nodes = [of_chunk(self._expected, work, self.threads, check, *chunk) for chunk in self._chunks]
        while len(nodes) > 1:
            groups = [nodes[i : i + FAN_IN] for i in range(0, len(nodes), FAN_IN)]
            nodes = [merge(work, self.threads, group) if len(group) > 1 else group[0] for group in groups]
        sums = empty(0)
        sums.absorb(self._compute(nodes)[0][1])
        self._checked = True
        return sums.total(self.threads)

    def map(self, function: Callable[[Block], Floats], chunks: tuple[int, ...]) -> Array:
        """A function of every sample, as a lazy array in the given chunks."""
        dask = dask_module()
        shared = dask.delayed(function, traverse=False)
        of_chunk, check = dask.delayed(_score_chunk, pure=False), not self._checked
        values = [
            dask.array.from_delayed(of_chunk(self._expected, shared, check, *chunk), (rows,), np.float64)
            for chunk, rows in zip(self._chunks, self.edges, strict=True)
        ]
        scores: Array = dask.array.concatenate(values).rechunk((chunks,))
        return scores

    def _compute(self, tasks: list[Any]) -> tuple[Any, ...]:
        with naming(self._given):
            results: tuple[Any, ...] = dask_module().compute(*tasks)
        return results


class Chunks(NamedTuple):
    """Chunks of rows of an array, as delayed values, and their lengths."""

    chunks: list[Any]
    rows: Sequence[int]


def chunks_of(array: Any) -> Chunks:
    """Not optimized: of persisted chunks nothing would be left that a cluster keeps them for."""
    return Chunks(array.to_delayed(optimize_graph=False).ravel().tolist(), array.chunks[0])


def firsts_of(rows: Sequence[int]) -> list[int]:
    """The first rows of chunks of so many."""
    firsts: list[int] = np.cumsum([0, *rows[:-1]]).tolist()
    return firsts


def _classes(y: Any) -> NDArray[Any]:
    """The sorted labels of a dask array."""
    dask = dask_module()
    chunks, rows = chunks_of(y)
    tasks = [dask.delayed(_labels_of_chunk)(first, chunk) for first, chunk in zip(firsts_of(rows), chunks, strict=True)]
    return np.unique(np.concatenate(dask.compute(*tasks)))


@contextmanager
def naming(given: Mapping[str, Chunks]) -> Iterator[None]:
    """Where what is computed within fails because a chunk of a given array cannot be had, the error names it."""
    try:
        yield
    except Exception as cause:
        if any(note.startswith(_WHERE) for note in getattr(cause, "__notes__", ())):
            raise
        for name, (chunks, rows) in given.items():
            lost = _lost(chunks)
            if lost is not None:
                number, error = lost
                first = sum(rows[:number])
                where = f"chunk {number} (rows {first} to {first + rows[number] - 1})"
                raise RuntimeError(f"{name}: {where} cannot be read: {error}") from cause
        raise


def _lost(chunks: Sequence[Any]) -> tuple[int, Exception] | None:
    """The number of the first chunk that cannot be had, found by halving, and why."""
    error = _failure(chunks)
    if error is None:
        return None
    low, high = 0, len(chunks)
    while high - low > 1:
        middle = (low + high) // 2
        of_first_half = _failure(chunks[low:middle])
        if of_first_half is None:
            low = middle
        else:
            high, error = middle, of_first_half
    return low, error


def _failure(chunks: Sequence[Any]) -> Exception | None:
    dask = dask_module()
    try:
        dask.compute(*[dask.delayed(len)(chunk) for chunk in chunks])
    except Exception as error:
        return error
    return None


def check_known(name: str, array: Any) -> None:
    """Refuses an array whose chunks have sizes that are not known before they are computed."""
    if any(math.isnan(length) for length in array.shape):
        raise ValueError(f"{name}: the sizes of its chunks are not known; call compute_chunk_sizes() on it first")


def _rows(X: Any) -> Any:
    """A Dask array of rows, in chunks of all columns."""
    dask = dask_module()
    if not isinstance(X, dask.array.Array):
        raise TypeError(f"X: expected a dask.array.Array, got {_validate.describe(X)}")
    check_known("X", X)
    check_matrix(X)
    if len(X) == 0:
        raise ValueError("X: has no samples")
    return X.rechunk({1: X.shape[1]})


def _column(name: str, values: Any, X: Any) -> Any:
    """One value for each row of X, as a dask array."""
    dask = dask_module()
    if not isinstance(values, dask.array.Array):
        values = _validate.array(name, values)
    check_known(name, values)
    if values.ndim != 1 or values.shape[0] != len(X):
        raise ValueError(f"{name}: expected shape ({len(X)},), got {values.shape}")
    if isinstance(values, np.ndarray):
        return dask.array.from_array(values, chunks=(X.chunks[0],))
    return values


def _edges(chunks: tuple[int, ...], tile: int) -> tuple[int, ...]:
    """Chunks of whole tiles, the last apart, that move few rows: every edge goes to the nearest tile's."""
    n = sum(chunks)
    inner = {round(edge / tile) * tile for edge in np.cumsum(chunks)[:-1].tolist()}
    edges = sorted({0, n, *(edge for edge in inner if edge < n)})
    return tuple(np.diff(edges).tolist())
