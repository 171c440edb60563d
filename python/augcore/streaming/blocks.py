"""Samples of this machine that are read block by block, from arrays, files or an iterator."""

from __future__ import annotations

import mmap
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from hashlib import sha256
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _validate, _validate_models
from augcore._samples import (
    PART_BYTES,
    Add,
    Block,
    Empty,
    Samples,
    Survey,
    check_matrix,
    checked_rows,
    is_single,
    joined_survey,
    survey_of_block,
)
from augcore.streaming.uploads import Uploads

__all__ = ["Blocks", "Journal"]

Floats = NDArray[np.float64]
Progress = Callable[[str, float, float], None]
Read = Callable[[], Iterable[tuple[Any, ...]]]
Kind = tuple[int, np.dtype[Any], bool]  # columns and dtype of X, and whether there are weights

_SECONDS_BETWEEN_NOTES = 30.0
_GPU_PART_BYTES = 1 << 27  # of X that are copied to a GPU at a time
_PATIENCE = 1.0  # seconds that an abandoned pass waits for a read under way; Ctrl-C does not wait for a slow source


class Journal(ABC):
    """Remembers the sums of finished passes, and how far the one under way is: a job goes on from there."""

    @abstractmethod
    def total(self, key: str) -> Floats | None:
        """What was kept as the result of a pass: an array that may be changed."""

    @abstractmethod
    def keep_total(self, key: str, total: Floats) -> None:
        """Keep a copy of the result of a pass."""

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
    device : "cuda" or None
        "cuda" copies the blocks to the current GPU, one while another is computed with, and fits and scores there; by
        default they have about 128 MiB. X crosses once if it fits beside what is computed, else in every pass. Results
        differ from those of the host by rounding.

    Attributes
    ----------
    n, p : int
    dtype : numpy.dtype
        float32 or float64.
    passes : int
        Passes over the samples that sums have taken.
    progress : callable or None
        Is told what is under way, how many samples of this pass are done, and how many there are.
    journal : Journal or None
        Where the sums of finished passes are kept, for a job that is to go on after its end; not those of a GPU.

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
        device: str | None = None,
    ) -> None:
        self._X = _rows_of(X)
        n, p = self._X.shape
        self._y = _values_of("y", y, n)
        self._weight = None if sample_weight is None else _values_of("sample_weight", sample_weight, n)
        self._parts: Callable[[], Generator[Block]] | None = None
        self._prepare(n, p, is_single(self._X.dtype), rows, threads, device)

    @classmethod
    def from_iterable(
        cls, read: Read, *, rows: int | None = None, threads: int | None = None, device: str | None = None
    ) -> Blocks:
        """Samples from a function that begins to read them anew at each call.

        Parameters
        ----------
        read : callable
            Returns an iterable of (X, y) or (X, y, sample_weight): parts of any length, the same samples at each call.
            It is called at once, to count them, and for every pass, of which a fit takes ten to a hundred.
        rows, threads, device
            As those of the class.

        Raises
        ------
        TypeError, ValueError
            If a part is not such a tuple, or is not like the first, or there is none.
        """
        blocks = cls.__new__(cls)
        blocks._X = blocks._y = blocks._weight = None
        last = None
        for part in _parts(_validate.function("read", read)):
            last = part
        if last is None:
            raise ValueError("read: gave no samples")
        blocks._parts = partial(_parts, read, _kind(last))
        single = last.X.dtype == np.float32
        blocks._prepare(last.first + len(last.X), last.X.shape[1], single, rows, threads, device)
        return blocks

    def _prepare(self, n: int, p: int, single: bool, rows: int | None, threads: int | None, device: str | None) -> None:
        self.on_gpu = device is not None and bool(_validate.choice("device", device, ("cuda",)))
        if self.on_gpu:
            _device.cupy()  # or what is missing
        self._uploads: Uploads | None = None
        self.n, self.p = n, p
        self.dtype = np.dtype(np.float32 if single else np.float64)
        self.threads = _validate.threads(threads)
        if rows is None:
            wanted = (_GPU_PART_BYTES if self.on_gpu else PART_BYTES) // (p * self.dtype.itemsize)
            rows = max(_dispatch.TILE_ROWS, 1 << max(wanted, 1).bit_length() - 1)
        tiles = -(-_validate.integer("rows", rows, 1) // _dispatch.TILE_ROWS)
        self.rows = tiles * _dispatch.TILE_ROWS
        self.progress: Progress | None = None
        self.journal: Journal | None = None
        self._seen: Survey | None = None
        self._checked = False
        self.passes = 0

    # ---- what an algorithm asks for ---------------------------------------------------------------------------------

    def survey(self) -> Survey:
        if self._seen is None:
            with closing(self._blocks(labels_only=True)) as blocks:
                self._seen = joined_survey(map(survey_of_block, blocks))
        return self._seen

    def sums(self, empty: Empty, add: Add, what: str, *key: NDArray[Any]) -> Floats:
        self.passes += 1
        name = _name(what, key)
        journal = None if self.on_gpu else self.journal
        known = None if journal is None else journal.total(name)
        if known is not None:
            return known
        sums, first = empty(0), 0
        part = None if journal is None else journal.part(name)
        if part is not None:
            first = part[0]
            sums.absorb(part[1])
        noted = time.monotonic()
        with closing(self._blocks(first)) as blocks:
            for block in blocks:
                add(sums, block)
                done = block.first + len(block.X)
                self._report(f"pass {self.passes}: {what}", done)
                if journal is not None and time.monotonic() - noted > _SECONDS_BETWEEN_NOTES:
                    nodes = sums.nodes(self.threads)
                    if nodes.last.size == 0:  # nothing can be added to the sums of an open tile that were closed
                        journal.keep_part(name, done, nodes)
                        noted = time.monotonic()
        total = sums.total(self.threads)
        if journal is not None:
            journal.keep_total(name, total)
        return total

    def each(self, function: Callable[[Block], Floats], what: str, first: int = 0) -> Iterator[tuple[int, Floats]]:
        """(first row, values) of every block from row `first` on."""
        with closing(self._blocks(first)) as blocks:
            for block in blocks:
                yield block.first, _device.host(function(block))
                self._report(what, block.first + len(block.X))

    # ---- reading ----------------------------------------------------------------------------------------------------

    def _report(self, stage: str, done: int) -> None:
        if self.progress is not None:
            self.progress(stage, done, self.n)

    def _blocks(self, first: int = 0, *, labels_only: bool = False) -> Generator[Block]:
        """Blocks from row `first` on. Their numbers are checked: those of arrays until all have been read once."""
        check = not labels_only and not self._checked
        uploads = self._uploads_to_gpu() if self.on_gpu and not labels_only else None
        labels_only = labels_only or (uploads is not None and uploads.has_all)
        if self._parts is not None:
            blocks = _ahead(_regrouped(self._parts(), first, self.rows))
        elif labels_only or _is_in_place(self._X):
            blocks = self._from_arrays(first, labels_only)
        else:
            blocks = _ahead(self._from_arrays(first))
        if uploads is not None:
            blocks = uploads.blocks(blocks)
        done = first
        with closing(blocks):
            for block in blocks:
                done = block.first + len(block.y)
                if done > self.n:
                    break
                if check:
                    _validate.magnitudes("X", block.X)
                yield block
        if done != self.n:
            count = f"{done}" if done < self.n else f"more than {self.n}"
            raise ValueError(f"read: gave {count} samples in this pass, and {self.n} in the first")
        self._checked = self._checked or (check and first == 0 and self._parts is None)

    def _uploads_to_gpu(self) -> Uploads:
        if self._uploads is None:
            self._uploads = Uploads(self.n, self.p, self.dtype, self.rows)
        return self._uploads

    def _from_arrays(self, first: int, labels_only: bool = False) -> Generator[Block]:
        X, weight = self._X, None
        for start in range(first, self.n, self.rows):
            stop = min(self.n, start + self.rows)
            rows = np.empty((stop - start, 0)) if labels_only else checked_rows(X[start:stop], self.p)
            _check_length("X", rows, start, stop)
            if not labels_only:
                _ask_for(X, stop, min(self.n, stop + self.rows))
            y = _validate_models.label_array("y", self._y[start:stop])
            _check_length("y", y, start, stop)
            if self._weight is not None:
                weight = _validate.sample_weight("sample_weight", self._weight[start:stop], stop - start)
            yield Block(start, rows, y, weight)


def _check_length(name: str, values: NDArray[Any], start: int, stop: int) -> None:
    """What is no array of NumPy may give less than it said: the kernels would read beyond it."""
    if len(values) != stop - start:
        raise ValueError(f"{name}: gave {len(values)} samples for those from {start} to {stop}")


def _rows_of(X: Any) -> Any:
    """What has rows that can be read by slices."""
    if _validate_models.is_sparse(X):
        raise TypeError(f"X: sparse arrays are not read by blocks, got {_validate.describe(X)}")
    X = _sliced("X", X)
    check_matrix(X)
    return X


def _values_of(name: str, values: Any, n: int) -> Any:
    """A value for each of n samples, that can be read by slices."""
    values = _sliced(name, values)
    shape = tuple(values.shape)
    if shape != (n,):
        raise ValueError(f"{name}: expected length {n}, got {shape[0] if len(shape) == 1 else f'shape {shape}'}")
    return values


def _sliced(name: str, values: Any) -> Any:
    """An array, or what stands for one in a file, as it is; a list or a table as an array."""
    _validate.plain(name, values, labels=name == "y")
    by_slices = isinstance(getattr(values, "dtype", None), np.dtype) and not hasattr(values, "iloc")
    return values if by_slices else _validate.array(name, values)


def _parts(read: Read, kind: Kind | None = None) -> Generator[Block]:
    """The samples that `read` gives, checked apart from the numbers of X; all parts are of one kind."""
    n = 0
    for part in read():
        if not isinstance(part, tuple) or len(part) not in (2, 3):
            raise TypeError(f"read: expected parts (X, y) or (X, y, sample_weight), got {_validate.describe(part)}")
        X, y, weight = part if len(part) == 3 else (*part, None)
        X, y = checked_rows(X), _validate_models.label_array("y", y)
        if len(y) != len(X):
            raise ValueError(f"y: expected length {len(X)}, as X has rows, got {len(y)}")
        block = Block(n, X, y, _validate.sample_weight("sample_weight", weight, len(X)))
        kind = kind or _kind(block)
        if _kind(block) != kind:
            raise ValueError(f"read: the part after row {n} has other columns, dtype or weights than the first")
        n += len(X)
        yield block


def _regrouped(parts: Generator[Block], first: int, rows: int) -> Generator[Block]:
    """Samples from `first` on in blocks of so many rows, from parts of any length."""
    held: list[Block] = []
    n_held = 0
    with closing(parts):
        for part in parts:
            at = max(0, first - part.first)
            while at < len(part.y):
                taken = _cut(part, at, rows - n_held)
                held.append(taken)
                at, n_held = at + len(taken.y), n_held + len(taken.y)
                if n_held == rows:
                    yield _joined(held)
                    held, n_held = [], 0
    if held:
        yield _joined(held)


def _kind(block: Block) -> Kind:
    return block.X.shape[1], block.X.dtype, block.weight is not None


def _cut(block: Block, start: int, n: int) -> Block:
    """At most n samples of a block."""
    rows = slice(start, start + n)
    weight = None if block.weight is None else block.weight[rows]
    return Block(block.first + start, block.X[rows], block.y[rows], weight)


def _joined(held: list[Block]) -> Block:
    if len(held) == 1:
        return held[0]
    first, X, y, weight = zip(*held, strict=True)
    together = None if weight[0] is None else np.concatenate(weight)
    return Block(first[0], np.concatenate(X), np.concatenate(y), together)


def _ahead(blocks: Generator[Block]) -> Generator[Block]:
    """The same blocks; the next one is read by another thread while one is used."""
    found: SimpleQueue[Block | BaseException | None] = SimpleQueue()
    wanted, stopped = Semaphore(0), Event()

    def read() -> None:
        try:
            with closing(blocks):
                for block in blocks:
                    found.put(block)
                    wanted.acquire()
                    if stopped.is_set():
                        return
            found.put(None)
        except BaseException as error:
            found.put(error)

    reader = Thread(target=read, name="augcore reader", daemon=True)
    reader.start()
    try:
        while (block := found.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            wanted.release()
            yield block
    finally:
        stopped.set()
        wanted.release()
        reader.join(_PATIENCE)


def _is_in_place(X: Any) -> bool:
    """Whether the kernels can read X where it is, in a file or in memory."""
    return (
        isinstance(X, np.ndarray) and X.dtype in (np.float32, np.float64) and X.dtype.isnative and X.flags.c_contiguous
    )


def _ask_for(X: Any, start: int, stop: int) -> None:
    """Lets the system begin to read rows of a memory-mapped array."""
    mapping = getattr(X, "_mmap", None)
    if start >= stop or not isinstance(mapping, mmap.mmap) or not X.flags.c_contiguous:
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
