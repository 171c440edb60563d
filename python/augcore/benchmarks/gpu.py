"""Works on a GPU beside the limits of the card that they come up against, and beside other libraries on the same card.

The limits are measured first: what a copy moves, what comes over from pinned memory, what cuBLAS computes. The result
of every work is compared with the CPU's before it is timed, and that of the others with it. Times are the card's own,
from event to event. Before each the card is given copies to do, so that it need not wait for the host, which queues the
work meanwhile, and finds nothing of the data in its cache.
"""

from __future__ import annotations

import functools
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

import augcore
from augcore import _device
from augcore.benchmarks import gpu_works
from augcore.benchmarks.gpu_works import Job, Sizes
from augcore.benchmarks.libraries import LIBRARIES, find_libraries
from augcore.benchmarks.timing import seconds

__all__ = ["LIMITS", "Entry", "Limit", "Results", "Row", "compare"]

PEERS = ("torch", "kornia")


class Limit(NamedTuple):
    """What the card does at best, in bytes or operations per second."""

    label: str
    unit: str
    rate: float


# Name -> what was measured, and in which unit it is written.
LIMITS = {
    "copy": ("copy on the card, read and written", "TB/s"),
    "transfer": ("from pinned host memory", "GB/s"),
    "float32": ("float32 matrix product", "TFLOP/s"),
    "float64": ("float64 matrix product", "TFLOP/s"),
}


@dataclass(frozen=True)
class Entry:
    """What one of them did; milliseconds is None where `trouble` says why it was not timed."""

    name: str
    milliseconds: float | None = None
    difference: float | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Row:
    """One work: `limit` names the limit, `least` are the milliseconds that it allows; `target` is what to reach."""

    work: str
    case: str
    own: Entry
    peers: list[Entry]
    limit: str | None
    least: float | None
    target: str
    reached: bool | None

    @property
    def share(self) -> float | None:
        """Of the limit."""
        return self.least / self.own.milliseconds if self.least and self.own.milliseconds else None

    @property
    def fastest_peer(self) -> Entry | None:
        timed = [entry for entry in self.peers if entry.milliseconds]
        return min(timed, key=lambda entry: entry.milliseconds or 0.0, default=None)


@dataclass(frozen=True)
class Results:
    card: str
    threads: int
    repeats: int
    limits: dict[str, Limit]
    rows: list[Row]
    modules: list[str]
    missing: dict[str, str]


# ---- timing ----------------------------------------------------------------------------------------------------------


def _median_times(
    functions: Sequence[Callable[[], object]], repeats: int, head_start: Callable[[], object]
) -> list[float]:
    """Median milliseconds of the card for each function, the functions taken in turn."""
    cp = _device.cupy()
    taken: list[list[float]] = [[] for _ in functions]
    for turn in range(repeats + 1):  # the first warms up
        for function, times in zip(functions, taken, strict=True):
            begin, end = cp.cuda.Event(), cp.cuda.Event()
            head_start()
            begin.record()
            function()
            end.record()
            end.synchronize()
            if turn:
                times.append(cp.cuda.get_elapsed_time(begin, end))
    return [statistics.median(times) for times in taken]


def _measure_limits(sizes: Sizes, repeats: int) -> tuple[dict[str, Limit], Callable[[], object]]:
    """The limits, and a head start of a few copies."""
    cp = _device.cupy()
    source = cp.zeros(sizes.copied, np.uint8)
    target, pinned = cp.empty_like(source), gpu_works.pinned((sizes.copied,), np.uint8)
    pinned[:] = 1

    def copy() -> None:
        cp.copyto(target, source)

    def head_start() -> None:
        for _ in range(4):
            copy()

    works: list[tuple[float, Callable[[], object]]] = [
        (2.0 * sizes.copied, copy),
        (float(sizes.copied), lambda: target.set(pinned)),
    ]
    for dtype in (np.float32, np.float64):
        values = np.random.default_rng(0).standard_normal((sizes.matrix, sizes.matrix), dtype)
        product = functools.partial(cp.matmul, *2 * [_device.upload(values)])
        works.append((2.0 * sizes.matrix**3, product))
    times = _median_times([function for _, function in works], repeats, head_start)
    measured = zip(LIMITS.items(), works, times, strict=True)
    return {
        name: Limit(label, unit, 1e3 * amount / time) for (name, (label, unit)), (amount, _), time in measured
    }, head_start


# ---- one row ---------------------------------------------------------------------------------------------------------


@dataclass
class _Contestant:
    """`run` is None for who is in trouble."""

    entry: Entry
    run: Callable[[], Any] | None = None


def _enter(name: str, prepare: Callable[[], Any], compared: Callable[[Any], float], tolerance: float) -> _Contestant:
    """Prepares one and compares its result; who fails or differs is told of, and not timed."""
    apart = None
    try:
        run = prepare()
        apart = compared(run)
    except Exception as error:  # of the card, its memory, or any library
        said = " ".join(str(error).split())[:300]
        return _Contestant(Entry(name, None, apart, f"fails: {type(error).__name__}: {said}"))
    if not apart <= tolerance:
        return _Contestant(Entry(name, None, apart, f"differs by {apart:.2g}"))
    return _Contestant(Entry(name, None, apart), run)


def _row(
    job: Job, beside: bool, modules: Sequence[str], limits: dict[str, Limit], repeats: int, head_start: Any
) -> Row:
    own = _enter("augcore", lambda: job.run, lambda _: job.difference(*job.checked()), job.tolerance)
    contestants = [own]
    if own.run is not None and beside:
        expected = _device.host(job.head(own.run()))

        def compared(run: Callable[[], Any]) -> float:
            return job.difference(_device.host(job.head(run())), expected)

        present = [peer for peer in job.peers if peer.library in modules]
        contestants += [_enter(peer.name, peer.prepare, compared, peer.tolerance) for peer in present]
    timed = [contestant for contestant in contestants if contestant.run is not None]
    times = _median_times([contestant.run for contestant in timed if contestant.run], repeats, head_start)
    for contestant, milliseconds in zip(timed, times, strict=True):
        contestant.entry = replace(contestant.entry, milliseconds=milliseconds)
    least = 1e3 * job.amount / limits[job.limit].rate if job.limit else None
    others = [contestant.entry for contestant in contestants[1:]]
    if beside and job.on_the_cpu is not None and own.run is not None:
        name = f"augcore, CPU, {augcore.get_num_threads()} threads"
        others.append(Entry(name, 1e3 * seconds(job.on_the_cpu)))
    return Row(job.work, job.case, own.entry, others, job.limit, least, *_target(job, own.entry, least))


def _target(job: Job, own: Entry, least: float | None) -> tuple[str, bool | None]:
    """What is to be reached, in words, and whether it is."""
    if job.share is not None and least is not None:
        return f"{job.share:.0%}", None if own.milliseconds is None else least / own.milliseconds >= job.share
    if job.seconds is not None:
        return f"{job.seconds:g} s", None if own.milliseconds is None else own.milliseconds <= 1e3 * job.seconds
    return "-", None


# ---- all rows --------------------------------------------------------------------------------------------------------


def compare(
    sizes: Sizes = gpu_works.SIZES,
    works: Sequence[str] = gpu_works.WORKS,
    *,
    peers: bool = False,
    repeats: int = 7,
    progress: Callable[[str, float, float], None] = lambda *_: None,
) -> Results:
    """Times works on the current GPU.

    Parameters
    ----------
    sizes : Sizes
        How large everything is.
    works : sequence of str
        Some of gpu_works.WORKS.
    peers : bool
        Whether torch and kornia on the same card take turns, where they can be imported; and this library's CPU path.
    repeats : int
        Turns; medians of them are given.
    progress : callable
        Gets what is under way, how much is done and how much there is.

    Returns
    -------
    Results

    Raises
    ------
    RuntimeError
        If there is no CuPy, or no GPU.
    """
    cp = _device.cupy()
    try:
        card = cp.cuda.runtime.getDeviceProperties(cp.cuda.runtime.getDevice())["name"].decode()
    except Exception as error:
        raise RuntimeError(f"no GPU can be used: {' '.join(str(error).split())}") from None
    missing = find_libraries(PEERS) if peers else {}
    modules = [module for module in PEERS if peers and module not in missing]
    progress("measuring the limits of the card", 0, 1)
    limits, head_start = _measure_limits(sizes, repeats)
    rows: list[Row] = []
    total = gpu_works.count(sizes, works)
    with warnings.catch_warnings():
        if peers:
            warnings.simplefilter("ignore")  # the libraries' own, about themselves
        for job in gpu_works.jobs(sizes, works):
            progress(job.work, len(rows), total)
            rows.append(_row(job, peers, modules, limits, repeats, head_start))
    progress("timing", 1, 1)
    named = {LIBRARIES.get(module, module): reason for module, reason in missing.items()}
    return Results(card, augcore.get_num_threads(), repeats, limits, rows, ["cupy", *modules], named)
