"""Batched transforms beside every installed library that does the same, and beside a copy of the batch.

For each case and work: the results are compared first, then all take turns. A peer that would need longer than the
budget for the whole batch gets the first part of it, and so does this library where it has no peer beside it; what is
quoted is images per second, from the median of the repeats.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import transforms
from augcore.benchmarks import batch_peers, image_peers
from augcore.benchmarks.libraries import LIBRARIES, find_libraries, set_threads
from augcore.benchmarks.peers import SELF, TABLES, Convention, Offer, Peer
from augcore.benchmarks.timing import interleaved, seconds
from augcore.benchmarks.works import Case, Task, Work, batch

__all__ = ["EVERY_PEER", "EXACT", "OPENCV4", "OURS", "Entry", "Results", "Row", "compare", "difference", "own_call"]

EVERY_PEER = [*batch_peers.PEERS, *image_peers.PEERS]
BUDGET = 0.025  # seconds per call
PILOT_PIXELS = 2**18


@dataclass(frozen=True)
class Entry:
    """What one of them did in a row; images_per_second is None where `trouble` says why it was not timed."""

    name: str
    library: str
    convention: Convention
    difference: float | None = None
    images: int = 0
    images_per_second: float | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Row:
    """One work on one case."""

    case: Case
    work: Work
    copies_per_second: float
    ours: list[Entry]
    peers: list[Entry]

    @property
    def fastest_peer(self) -> Entry | None:
        """Of those whose results are equal."""
        timed = [entry for entry in self.peers if entry.images_per_second]
        return max(timed, key=lambda entry: entry.images_per_second or 0.0, default=None)


@dataclass(frozen=True)
class Results:
    threads: int
    repeats: int
    rows: list[Row]
    modules: list[str]
    missing: dict[str, str]
    remarks: list[str]


# ---- this library ----------------------------------------------------------------------------------------------------


def own_call(task: Task, arithmetic: str) -> NDArray[Any]:
    """The work, done by this library."""
    work, images = task.work, task.images
    if work.kind == "flip":
        return transforms.flip(images, out=task.out, threads=task.threads)
    options: dict[str, Any] = {
        "interpolation": work.interpolation,
        "arithmetic": arithmetic,
        "out": task.out,
        "threads": task.threads,
    }
    if work.kind == "crop":
        return transforms.crop(images, work.px, **options)
    if work.degrees:
        return transforms.rotate(images, task.angles if work.each else work.degrees, **options)
    return transforms.translate(images, *work.shift, **options)


def _own_offer(arithmetic: str, task: Task) -> Offer | None:
    work = task.work
    if arithmetic == OPENCV4:
        defined = task.images.dtype == np.uint8 and work.interpolation in ("bilinear", "area")
        if not defined or work.copies:  # a copy is the same in either
            return None
    return Offer(functools.partial(own_call, task, arithmetic), SELF if arithmetic == EXACT else TABLES)


EXACT, OPENCV4 = "exact", "opencv4"
OURS = tuple(Peer(name, "augcore", functools.partial(_own_offer, name), into=True) for name in (EXACT, OPENCV4))


# ---- one row ---------------------------------------------------------------------------------------------------------


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest, in grey levels; infinite where shapes or dtypes differ or something is not a number."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return math.inf
    if not one.size:
        return 0.0
    if one.dtype.kind == "f":
        largest = float(np.abs(one - other).max())
        return largest if np.isfinite(largest) else math.inf
    return float((np.maximum(one, other) - np.minimum(one, other)).max())


@dataclass
class _Contestant:
    entry: Entry
    run: Callable[[], object] | None = None


def _prepare(peer: Peer, task: Task, budget: float) -> _Contestant | None:
    """Tries a peer on a few images, gives it what fits the budget, and compares its result; None: it does not do it."""
    if task.out is not None and not peer.into:
        return None
    n = len(task.images)
    few = min(n, max(1, PILOT_PIXELS // (task.size[0] * task.size[1])))
    entry = Entry(peer.name, peer.library, SELF)
    try:
        offer = peer.offer(_first(task, few))
        if offer is None:
            return None
        entry = replace(entry, convention=offer.convention)
        offer.run()
        whole = seconds(offer.run) * n / few
        images = n if whole <= budget else max(1, int(n * budget / whole))
        run = _offered(peer, _first(task, images)).run
        apart = difference(run(), own_call(replace(_first(task, images), out=None), EXACT))
    except Exception as error:  # of any library; it is reported, and the others are timed
        return _Contestant(replace(entry, trouble=f"fails: {type(error).__name__}: {' '.join(str(error).split())}"))
    entry = replace(entry, images=images, difference=apart)
    if not offer.convention.allows(apart, task.images.dtype):
        return _Contestant(replace(entry, trouble=f"differs by {apart:g}"))
    return _Contestant(entry, run)


def _offered(peer: Peer, task: Task) -> Offer:
    """Of a peer that has offered to do the same with other images."""
    offer = peer.offer(task)
    if offer is None:
        raise ValueError(f"not offered for {len(task.images)} images")
    return offer


def _first(task: Task, images: int) -> Task:
    out = None if task.out is None else task.out[:images]
    return replace(task, images=task.images[:images], out=out)


def _copy(images: NDArray[Any], threads: int) -> Callable[[], object]:
    """The limit: NumPy copies the batch into a given array, each thread a part of it."""
    target = np.empty_like(images)
    if threads == 1:
        return functools.partial(np.copyto, target, images)
    pool = ThreadPoolExecutor(threads)
    parts = list(zip(np.array_split(target, threads), np.array_split(images, threads), strict=True))
    return lambda: list(pool.map(lambda part: np.copyto(*part), parts))


def _row(
    case: Case, work: Work, images: NDArray[Any], peers: Sequence[Peer], threads: int, repeats: int, budget: float
) -> Row:
    task = Task(work, images, threads, np.empty_like(images) if work.into else None)
    entered = [_prepare(peer, task, math.inf if peers else budget) for peer in OURS]
    entered += [_prepare(peer, task, budget) for peer in peers]
    contestants = [contestant for contestant in entered if contestant is not None]
    runs = [contestant.run for contestant in contestants if contestant.run is not None]
    copy, *times = interleaved([_copy(images, threads), *runs], repeats)
    left = iter(times)
    entries = [
        replace(made.entry, images_per_second=1e3 * made.entry.images / next(left)) if made.run else made.entry
        for made in contestants
    ]
    ours = [entry for entry in entries if entry.library == "augcore"]
    return Row(case, work, 1e3 * case.n / copy, ours, [entry for entry in entries if entry not in ours])


# ---- all rows --------------------------------------------------------------------------------------------------------


def compare(
    cases: Sequence[Case],
    works: Sequence[Work],
    peers: Sequence[Peer] = (),
    *,
    threads: int = 1,
    repeats: int = 5,
    budget: float = BUDGET,
    progress: Callable[[str, float, float], None] = lambda *_: None,
) -> Results:
    """Times works on cases, each with every peer that can be imported.

    Parameters
    ----------
    cases, works, peers
        See the modules works and peers; without peers, this library and the copy alone.
    threads : int
        For this library and all that can use more than one.
    repeats : int
        Turns; medians of them are given.
    budget : float
        Seconds. Who needs longer for a whole batch gets the first part of it.
    progress : callable
        Gets what is under way, how much is done and how much there is.

    Returns
    -------
    Results
    """
    wanted = list(dict.fromkeys(peer.library for peer in peers))
    if wanted:
        progress("importing the peers", 0, 1)
    missing = find_libraries(wanted)
    modules = [module for module in wanted if module not in missing]
    remarks = set_threads(threads, modules)
    present = [peer for peer in peers if peer.library in modules]
    rows = []
    for number, case in enumerate(cases):
        images = batch(case)
        for turn, work in enumerate(works):
            progress("timing", number * len(works) + turn, len(cases) * len(works))
            rows.append(_row(case, work, images, present, threads, repeats, budget))
    progress("timing", 1, 1)
    named = {LIBRARIES.get(module, module): reason for module, reason in missing.items()}
    return Results(threads, repeats, rows, modules, named, remarks)
