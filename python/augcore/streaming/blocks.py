"""Samples of this machine that are read block by block, from arrays, files or an iterator."""

from __future__ import annotations

import mmap
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _validate, _validate_models
from augcore._samples import Add, Block, Empty, Samples, Survey, checked_rows, joined_survey, survey_of_block

__all__ = ["Blocks", "Journal"]

Floats = NDArray[np.float64]
Progress = Callable[[str, float, float], None]

_BLOCK_BYTES = 1 << 24  # of X: a block stays in the last cache between the passes over it
_TILE_ROWS = 512  # of the smallest tiles that are summed over
_SECONDS_BETWEEN_NOTES = 30.0


class Journal(ABC):
    """Remembers the sums of finished passes, and how far the one under way is: a job goes on from there."""

    @abstractmethod
    def total(self, key: str) -> Floats | None:
        """What was kept as the result of a pass."""

    @abstractmethod
    def keep_total(self, key: str, total: Floats) -> None: ...

    @abstractmethod
    def part(self, key: str) -> tuple[int, _dispatch.Nodes] | None:
        """How many rows of the pass under way are summed, and their sums."""

    @abstractmethod
    def keep_part(self, key: str, rows: int, nodes: _dispatch.Nodes) -> None: ...


class Blocks(Samples):
    """Samples that are read block by block, as often as an algorithm asks for them.

    Parameters
    ----------
    X : (n, p) ndarray, memmap, or anything else with a shape, a dtype and slices of rows (HDF5, Zarr)
        float32 or float64; other real dtypes become float64 block by block. A memory-mapped array is used where it is,
        and asked for ahead of time; blocks of others are read by a second thread while one is computed with.
    y : (n,) array-like
        Labels: numbers or strings.
    sample_weight : (n,) array-like or None
        Weights in the fit.
    rows : int or None
        Rows of a block, rounded up to a multiple of 512; None: so many that X has about 16 MiB. Results do not depend
        on it.
    threads : int or None
        Threads of the kernels; None means the global setting.

    Attributes
    ----------
    n, p : int
    dtype : numpy.dtype
        float32 or float64.

    Raises
    ------
    ValueError, TypeError
        If shapes, dtypes or lengths are wrong. Numbers and labels are checked when they are first read.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        rows: int | None = None,
        threads: int | None = None,
    ) -> None:
        shape, dtype = _rows_of(X)
        for name, values in (("y", y), ("sample_weight", sample_weight)):
            if values is not None and len(values) != shape[0]:
                raise ValueError(f"{name}: expected length {shape[0]}, got {len(values)}")
        self._prepare(shape, dtype, rows, threads)
        self._open: Callable[[], Iterator[tuple[Any, Any, Any]]] | None = None
        self._X, self._y, self._weight = X, y, sample_weight

    @classmethod
    def from_iterable(
        cls,
        read: Callable[[], Iterable[tuple[Any, ...]]],
        *,
        rows: int | None = None,
        threads: int | None = None,
    ) -> Blocks:
        """Samples from a function that begins to read them anew at each call.

        Parameters
        ----------
        read : callable
            Returns an iterable of (X, y) or (X, y, sample_weight): parts of any length, the same samples at each call.
            It is called for every pass, of which a fit takes ten to a hundred.
        rows, threads
            As those of the class.

        Raises
        ------
        TypeError, ValueError
            If the first part is not such a tuple, or there is none.
        """
        blocks = cls.__new__(cls)
        blocks._open = partial(_opened, _validate.function("read", read))
        blocks._X = blocks._y = blocks._weight = None
        shape = dtype = None
        n = 0
        for X, y, weight in blocks._open():
            if shape is None:
                shape, dtype = X.shape, X.dtype
                weighted = weight is not None
            if X.shape[1] != shape[1] or X.dtype != dtype or (weight is not None) != weighted:
                raise ValueError(f"read: the part after row {n} has other columns, dtype or weights than the first")
            _equal_lengths(X, y, weight)
            n += len(X)
        if shape is None:
            raise ValueError("read: gave no samples")
        blocks._prepare((n, shape[1]), dtype, rows, threads)
        return blocks

    def _prepare(self, shape: tuple[int, ...], dtype: Any, rows: int | None, threads: int | None) -> None:
        self.n, self.p = int(shape[0]), int(shape[1])
        self.dtype = np.dtype(np.float32) if dtype == np.float32 else np.dtype(np.float64)
        self.threads = _validate.threads(threads)
        if rows is None:
            wanted = _BLOCK_BYTES // (self.p * self.dtype.itemsize)
            rows = max(_TILE_ROWS, 1 << max(wanted, 1).bit_length() - 1)
        self.rows = -(-_validate.integer("rows", rows, 1) // _TILE_ROWS) * _TILE_ROWS
        self.progress: Progress | None = None
        self.journal: Journal | None = None
        self._checked = False
        self.passes = 0

    # ---- what an algorithm asks for ---------------------------------------------------------------------------------

    def survey(self) -> Survey:
        return joined_survey(survey_of_block(block) for block in self._blocks(labels_only=True))

    def sums(self, empty: Empty, add: Add, what: str, *key: NDArray[Any]) -> Floats:
        self.passes += 1
        name = _name(what, key)
        known = None if self.journal is None else self.journal.total(name)
        if known is not None:
            return known
        sums, first = empty(0), 0
        part = None if self.journal is None else self.journal.part(name)
        if part is not None:
            first = part[0]
            sums.absorb(part[1])
        noted = time.monotonic()
        with closing(self._blocks(first)) as blocks:
            for block in blocks:
                add(sums, block)
                done = block.first + len(block.X)
                self._report(f"pass {self.passes}: {what}", done)
                if self.journal is not None and time.monotonic() - noted > _SECONDS_BETWEEN_NOTES:
                    nodes = sums.nodes(self.threads)
                    if nodes.last.size == 0:  # nothing can be added to the sums of an open tile that were closed
                        self.journal.keep_part(name, done, nodes)
                        noted = time.monotonic()
        total = sums.total(self.threads)
        if self.journal is not None:
            self.journal.keep_total(name, total)
        return total

    def each(self, function: Callable[[Block], Floats], what: str, first: int = 0) -> Iterator[tuple[int, Floats]]:
        """(first row, values) of every block from row `first` on."""
        with closing(self._blocks(first)) as blocks:
            for block in blocks:
                yield block.first, function(block)
                self._report(what, block.first + len(block.X))

    # ---- reading ----------------------------------------------------------------------------------------------------

    def _report(self, stage: str, done: int) -> None:
        if self.progress is not None:
            self.progress(stage, done, self.n)

    def _blocks(self, first: int = 0, *, labels_only: bool = False) -> Generator[Block]:
        """Blocks from row `first` on; their numbers are checked until all have been read once."""
        check = not self._checked and not labels_only
        if self._open is not None:
            blocks = _ahead(self._from_parts(first))
        elif labels_only or _is_mapped(self._X):
            blocks = self._from_arrays(first, labels_only)
        else:
            blocks = _ahead(self._from_arrays(first))
        done = first
        with closing(blocks):
            for block in blocks:
                if check:
                    _validate.magnitudes("X", block.X)
                done = block.first + len(block.y)
                yield block
        if done != self.n:
            raise ValueError(f"read: gave {done} samples in this pass, and {self.n} in the first")
        self._checked = self._checked or (check and first == 0)

    def _from_arrays(self, first: int, labels_only: bool = False) -> Generator[Block]:
        X = self._X
        for start in range(first, self.n, self.rows):
            stop = min(self.n, start + self.rows)
            rows = np.empty((stop - start, 0)) if labels_only else checked_rows(X[start:stop], self.p)
            if not labels_only:
                _ask_for(X, stop, min(self.n, stop + self.rows))
            y = _labels(self._y[start:stop])
            yield Block(start, rows, y, _weights(self._weight, start, stop))

    def _from_parts(self, first: int) -> Generator[Block]:
        """Parts of any length, cut into blocks: their first rows are those of tiles."""
        if self._open is None:
            return
        held: list[tuple[Any, Any, Any]] = []
        n_held = start = 0
        for X, y, weight in self._open():
            _equal_lengths(X, y, weight)
            at = 0
            while at < len(X):
                take = min(len(X) - at, self.rows - n_held)
                held.append((X[at : at + take], y[at : at + take], None if weight is None else weight[at : at + take]))
                at, n_held = at + take, n_held + take
                if n_held == self.rows:
                    if start >= first:
                        yield _joined(start, held, self.p)
                    start, held, n_held = start + n_held, [], 0
        if held and start >= first:
            yield _joined(start, held, self.p)


def _rows_of(X: Any) -> tuple[tuple[int, int], Any]:
    """The shape and dtype of what has rows to be read."""
    if _validate_models.is_sparse(X):
        raise TypeError(f"X: sparse arrays are not read by blocks, got {_validate.describe(X)}")
    if not hasattr(X, "shape") or not hasattr(X, "dtype"):
        X = _validate.array("X", X)
    shape, dtype = tuple(X.shape), np.dtype(X.dtype)
    if len(shape) != 2 or shape[1] == 0:
        raise ValueError(f"X: expected shape (n, p) with at least one column, got {shape}")
    if dtype.kind not in "iuf" or (dtype.kind == "f" and dtype.itemsize not in (4, 8)):
        raise TypeError(f"X: expected float32, float64 or integers, got dtype {dtype}")
    return (shape[0], shape[1]), dtype


def _opened(read: Callable[[], Iterable[Any]]) -> Iterator[tuple[NDArray[Any], NDArray[Any], Floats | None]]:
    for part in read():
        if not isinstance(part, tuple) or len(part) not in (2, 3):
            raise TypeError(f"read: expected parts (X, y) or (X, y, sample_weight), got {_validate.describe(part)}")
        X, y, weight = part if len(part) == 3 else (*part, None)
        rows = checked_rows(X)
        yield rows, _labels(y), _validate.sample_weight("sample_weight", weight, len(rows))


def _equal_lengths(X: Any, y: Any, weight: Any) -> None:
    for name, values in (("y", y), ("sample_weight", weight)):
        if values is not None and len(values) != len(X):
            raise ValueError(f"{name}: expected length {len(X)}, as X has rows, got {len(values)}")


def _labels(y: Any) -> NDArray[Any]:
    return _validate_models.label_array("y", y)


def _weights(weight: Any, start: int, stop: int) -> Floats | None:
    return None if weight is None else _validate.sample_weight("sample_weight", weight[start:stop], stop - start)


def _joined(start: int, held: list[tuple[Any, Any, Any]], p: int) -> Block:
    X, y, weight = (list(values) for values in zip(*held, strict=True))
    if len(held) == 1:
        return Block(start, checked_rows(X[0], p), y[0], weight[0])
    together = None if weight[0] is None else np.concatenate(weight)
    return Block(start, checked_rows(np.concatenate(X), p), np.concatenate(y), together)


def _ahead(blocks: Generator[Block]) -> Generator[Block]:
    """The same blocks; the next one is read by another thread while one is used."""
    with ThreadPoolExecutor(1) as reader:
        pending = reader.submit(next, blocks, None)
        while (block := pending.result()) is not None:
            pending = reader.submit(next, blocks, None)
            yield block


def _is_mapped(X: Any) -> bool:
    """Whether the kernels can read X where it is, in a file or in memory."""
    return (
        isinstance(X, np.ndarray) and X.dtype in (np.float32, np.float64) and X.dtype.isnative and X.flags.c_contiguous
    )


def _ask_for(X: Any, start: int, stop: int) -> None:
    """Lets the system begin to read rows of a memory-mapped array."""
    mapping = getattr(X, "_mmap", None)
    if start >= stop or not isinstance(mapping, mmap.mmap):
        return
    row = X.strides[0]
    first = X.ctypes.data - np.frombuffer(mapping, np.uint8, 1).ctypes.data + start * row
    page = first // mmap.PAGESIZE * mmap.PAGESIZE
    mapping.madvise(mmap.MADV_WILLNEED, page, first + (stop - start) * row - page)


def _name(what: str, key: tuple[NDArray[Any], ...]) -> str:
    digest = sha256(what.encode())
    for values in key:
        digest.update(repr((values.shape, values.dtype.str)).encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return f"{what.replace(' ', '-')}-{digest.hexdigest()[:24]}"
