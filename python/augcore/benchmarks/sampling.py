"""Orders of points beside what NumPy offers: draws without replacement, and keys that are sorted or partitioned.

Before anything is timed, an order is compared with that of the same keys sorted by NumPy. All then take turns; who
needs longer than a turn should take is timed once.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _random, policies
from augcore.benchmarks.memory import grown
from augcore.benchmarks.timing import seconds, turns

__all__ = ["Entry", "FileRow", "GrowthRow", "Results", "Row", "compare"]

POLICY = "random_proportional"
SEED = 1
A_TURN = 0.5  # seconds; who needs longer is timed once
SIZES = (1_000, 100_000, 1_000_000)
PART = (1_000_000, 1_000)
GROWTH = (100_000, 1_000_000, 10_000_000)
FILE = (100_000_000, 1_000_000)


@dataclass(frozen=True)
class Entry:
    name: str
    milliseconds: float


@dataclass(frozen=True)
class Row:
    """The first k of n points; `equal` says whether NumPy's order of the same keys is ours."""

    n: int
    k: int
    equal: bool
    own: Entry
    peers: list[Entry]


@dataclass(frozen=True)
class GrowthRow:
    """`mebibytes`: how much the process grew while it was at it, the result included; None where nobody knows."""

    n: int
    k: int
    milliseconds: float
    mebibytes: float | None


@dataclass(frozen=True)
class FileRow:
    """The first k of n scores of float32 in a file that is mapped into memory, once it is in the system's cache."""

    n: int
    k: int
    equal: bool
    seconds: float
    mebibytes: float | None


@dataclass(frozen=True)
class Results:
    threads: int
    repeats: int
    rows: list[Row]
    growth: list[GrowthRow]
    file: FileRow | None


# ---- the contestants -------------------------------------------------------------------------------------------------


def _weights(n: int) -> NDArray[np.float64]:
    return np.random.default_rng(n).lognormal(size=n)


def _keys(weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Exponential keys as one writes them in NumPy."""
    keys: NDArray[np.float64] = -np.log(rng.random(len(weights))) / weights
    return keys


def _peers(weights: NDArray[np.float64], k: int) -> dict[str, Callable[[], object]]:
    n, rng = len(weights), np.random.default_rng(SEED)
    ready = _keys(weights, rng)
    if k < n:
        return {
            "keys, argpartition": lambda: np.argpartition(_keys(weights, rng), k)[:k],
            "argpartition of ready keys": lambda: np.argpartition(ready, k)[:k],
        }
    p = weights / weights.sum()
    return {
        "Generator.choice": lambda: rng.choice(n, size=n, replace=False, p=p),
        "keys, argsort": lambda: np.argsort(_keys(weights, rng)),
        "argsort of ready keys": lambda: np.argsort(ready),
    }


def _equal(scores: NDArray[Any], order: NDArray[np.intp]) -> bool:
    """Whether these are the first of all by their keys, sorted by NumPy."""
    high, low = _dispatch.policy_keys(POLICY, np.asarray(scores), _random.key(SEED), 0, 0)
    if len(order) < len(scores) // 8:
        best = np.argpartition(high, len(order))[: len(order) + 1]
        best = best[np.lexsort((best, low[best], high[best]))][: len(order)]
    else:
        best = np.lexsort((low, high))
    return bool(np.array_equal(order, best[: len(order)]))


def _row(n: int, k: int, repeats: int) -> Row:
    weights = _weights(n)

    def own() -> NDArray[np.intp]:
        return policies.order(weights, POLICY, SEED, k=k)

    equal = _equal(weights, own())
    runs = {"augcore": own, **_peers(weights, k)}
    once = {name: seconds(run) for name, run in runs.items()}
    quick = [name for name in runs if once[name] <= A_TURN]
    times = dict(zip(quick, turns([runs[name] for name in quick], repeats), strict=True))
    own_entry, *others = [
        Entry(name, statistics.median(times[name]) if name in times else 1e3 * once[name]) for name in runs
    ]
    return Row(n, k, equal, own_entry, others)


# ---- growth ----------------------------------------------------------------------------------------------------------


def _growth_row(n: int, k: int, repeats: int) -> GrowthRow:
    scores = _weights(n)

    def own() -> object:
        return policies.order(scores, POLICY, SEED, k=k)

    mebibytes = grown(own)
    return GrowthRow(n, k, statistics.median(turns([own], repeats)[0]), mebibytes)


def _file_row(n: int, k: int, folder: str | None) -> FileRow:
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = os.path.join(made, "scores.npy")
        written = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n,))
        for first in range(0, n, 1 << 22):
            written[first : first + (1 << 22)] = _weights(min(1 << 22, n - first))
        written.flush()
        del written
        return _chosen_from(np.load(path, mmap_mode="r"), k)


def _chosen_from(scores: NDArray[np.float32], k: int) -> FileRow:
    def own() -> NDArray[np.intp]:
        return policies.order(scores, POLICY, SEED, k=k)

    equal = _equal(scores, own())
    found: list[float] = []
    mebibytes = grown(lambda: found.append(seconds(own)))
    return FileRow(len(scores), k, equal, found[0], mebibytes)


# ---- all rows --------------------------------------------------------------------------------------------------------


def compare(
    sizes: Sequence[int] = SIZES,
    part: tuple[int, int] = PART,
    *,
    growth: Sequence[int] = GROWTH,
    file: tuple[int, int] | None = None,
    folder: str | None = None,
    threads: int = 1,
    repeats: int = 9,
    progress: Callable[[str, float, float], None] = lambda *_: None,
) -> Results:
    """Times orders of points whose weights are lognormal.

    Parameters
    ----------
    sizes : sequence of int
        Of whole orders, beside draws and sorted keys of NumPy.
    part : (int, int)
        n and k of the first k of an order, beside partitioned keys.
    growth : sequence of int
        Of orders whose time and memory are told side by side, whole ones and of k = 1,000.
    file : (int, int) or None
        n and k of a choice from a file that is made for it, of 4 n bytes; `FILE` is the case that is meant.
    folder : str or None
        Where that file is made; None is the folder for temporary files.
    threads : int
        For this library; NumPy uses one.
    repeats : int
        Turns; medians of them are given.
    progress : callable
        Gets what is under way, how much is done and how much there is.

    Returns
    -------
    Results
    """
    before = _dispatch.get_num_threads()
    _dispatch.set_num_threads(threads)
    try:
        cases = [(n, n) for n in sizes] + [part]
        total = len(cases) + 2 * len(growth) + (file is not None)
        rows: list[Row] = []
        growth_rows: list[GrowthRow] = []
        for n, k in cases:
            progress("timing", len(rows), total)
            rows.append(_row(n, k, repeats))
        for n, k in [(n, n) for n in growth] + [(n, min(n, 1000)) for n in growth]:
            progress("timing growth", len(rows) + len(growth_rows), total)
            growth_rows.append(_growth_row(n, k, repeats))
        progress("timing a file", len(rows) + len(growth_rows), total)
        from_file = None if file is None else _file_row(*file, folder)
    finally:
        _dispatch.set_num_threads(before)
    progress("timing", 1, 1)
    return Results(threads, repeats, rows, growth_rows, from_file)
