"""Self-influence and fits of this library beside every installed library that computes the same.

For each case the results are compared first with the closed form in float64, then all take turns, the multiply-add peak
among them. Who would need longer than the budget is named and not timed; who needs longer than a turn should take is
timed once, after it has been warmed up on a part.
"""

from __future__ import annotations

import functools
import json
import math
import os
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore.benchmarks import fits
from augcore.benchmarks.influence_peers import SCIPY, Case, Peer, Task, first, numpy_closed_form, own_call, task
from augcore.benchmarks.libraries import LIBRARIES, find_libraries, library, set_threads
from augcore.benchmarks.multiply_add import peak
from augcore.benchmarks.timing import seconds, turns

__all__ = ["OWN", "Entry", "Results", "Row", "compare", "difference"]

BUDGET = 10.0  # seconds per call
A_TURN = 0.5  # seconds; who needs longer is timed once
TOLERANCE = {"float64": 1e-8, "float32": 1e-3}
OTHER_KERNELS = "SkylakeX"  # OpenBLAS's for AVX-512, which it does not choose on every machine that has it

OWN = Peer("augcore", "augcore", own_call)


@dataclass(frozen=True)
class Entry:
    """What one of them did in a row; milliseconds is None where `trouble` says why it was not timed."""

    name: str
    library: str
    closed_form: bool = False
    difference: float | None = None
    milliseconds: float | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Row:
    """One case.

    `peak` is in 1e9 operations per second, the fastest of its turns; `other_kernels` is the ratio to SciPy with these.
    """

    case: Case
    peak: float
    own: Entry
    peers: list[Entry]
    other_kernels: float | None = None

    @property
    def scipy(self) -> Entry | None:
        """The closed form that all ratios are told by."""
        return next((entry for entry in self.peers if entry.name == SCIPY.name and entry.milliseconds), None)

    @property
    def fastest_library(self) -> Entry | None:
        """Of those that are not a closed form written by hand, and whose results are equal."""
        timed = [entry for entry in self.peers if entry.milliseconds and not entry.closed_form]
        return min(timed, key=lambda entry: entry.milliseconds or math.inf, default=None)

    def gflops(self, entry: Entry) -> float | None:
        """What the closed form's operations make of a time; a library may do more of them."""
        return 1e-6 * self.case.operations / entry.milliseconds if entry.milliseconds else None


@dataclass(frozen=True)
class Results:
    threads: int
    repeats: int
    peak_name: str
    rows: list[Row]
    fits: list[fits.FitRow]
    modules: list[str]
    missing: dict[str, str]
    remarks: list[str]


# ---- one row ---------------------------------------------------------------------------------------------------------


def difference(one: NDArray[Any], reference: NDArray[np.float64]) -> float:
    """The largest relative difference, of scores above 1e-6 of the largest; infinite where shapes differ or NaN is."""
    if one.shape != reference.shape:
        return math.inf
    size = np.abs(reference)
    largest = float(np.max(np.abs(one - reference) / np.maximum(size, 1e-6 * np.max(size))))
    return largest if math.isfinite(largest) else math.inf


@dataclass
class _Contestant:
    """`run` is None for who takes no turns: it is in trouble, or timed already."""

    entry: Entry
    run: Callable[[], object] | None = None


def _prepare(peer: Peer, given: Task, reference: NDArray[np.float64], budget: float) -> _Contestant:
    """Tries a peer on an eighth of the points, and on all of them if that fits the budget; compares its result."""
    entry = Entry(peer.name, peer.library, peer.closed_form)
    n, p = given.X.shape
    few = min(n, max(n // 8, 2 * p + 10))
    try:
        peer.run(first(given, few))
        whole = seconds(lambda: peer.run(first(given, few))) * n / few
        if whole > budget:
            return _Contestant(replace(entry, trouble=f"needs about {whole:.0f} s"))
        found: list[NDArray[Any]] = []
        taken = seconds(lambda: found.append(peer.run(given)))
    except Exception as error:  # of any library; it is reported, and the others are timed
        return _Contestant(replace(entry, trouble=f"fails: {type(error).__name__}: {' '.join(str(error).split())}"))
    entry = replace(entry, difference=difference(found[0], reference))
    if not (entry.difference or 0.0) <= TOLERANCE[given.X.dtype.name]:
        return _Contestant(replace(entry, trouble=f"differs by {entry.difference:.1e} of the score"))
    if taken > A_TURN:
        return _Contestant(replace(entry, milliseconds=1e3 * taken))
    return _Contestant(entry, functools.partial(peer.run, given))


def _row(case: Case, peers: Sequence[Peer], threads: int, repeats: int, budget: float) -> Row:
    given, limit = task(case, threads), peak(case.dtype, threads)
    reference = numpy_closed_form(replace(given, X=given.X.astype(np.float64), y=given.y.astype(np.float64)))
    contestants = [_prepare(OWN, given, reference, math.inf)]
    contestants += [_prepare(peer, given, reference, budget) for peer in peers]
    runs = [contestant.run for contestant in contestants if contestant.run is not None]
    limit.run()
    peaks, *times = turns([limit.run, *runs], repeats)
    left = map(statistics.median, times)
    own, *others = [replace(one.entry, milliseconds=next(left)) if one.run else one.entry for one in contestants]
    return Row(case, 1e-6 * limit.operations / min(peaks), own, others)


# ---- other kernels of the BLAS ---------------------------------------------------------------------------------------


def _with_other_kernels(rows: list[Row], threads: int, repeats: int) -> tuple[list[Row], list[str]]:
    """The ratio to SciPy's closed form where OpenBLAS is told its kernels, in a process of its own; what went wrong."""
    cases = [f"{row.case.n}x{row.case.p}:{row.case.dtype}" for row in rows if row.scipy]
    code = "import sys; from augcore.benchmarks import influence; influence.print_ratios(*sys.argv[1:])"
    try:
        process = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, str(threads), str(repeats), *cases],
            env={**os.environ, "OPENBLAS_CORETYPE": OTHER_KERNELS},
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        )
        ratios = iter(json.loads(process.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return rows, [f"OPENBLAS_CORETYPE={OTHER_KERNELS}: fails: {type(error).__name__}"]
    return [replace(row, other_kernels=next(ratios)) if row.scipy else row for row in rows], []


def print_ratios(threads: str, repeats: str, *cases: str) -> None:
    """In a process of its own: the ratio to SciPy's closed form for each case, as JSON on stdout."""
    from augcore.benchmarks.influence_peers import parse_case

    results = compare([parse_case(text) for text in cases], [SCIPY], threads=int(threads), repeats=int(repeats))
    sys.stdout.write(json.dumps([_ratio(row.own, row.scipy) for row in results.rows]))


def _ratio(own: Entry, other: Entry | None) -> float | None:
    return own.milliseconds / other.milliseconds if own.milliseconds and other and other.milliseconds else None


# ---- all rows --------------------------------------------------------------------------------------------------------


def compare(
    cases: Sequence[Case],
    peers: Sequence[Peer] = (),
    *,
    fit_cases: Sequence[Case] = (),
    threads: int = 1,
    repeats: int = 9,
    budget: float = BUDGET,
    other_kernels: bool = False,
    progress: Callable[[str, float, float], None] = lambda *_: None,
) -> Results:
    """Times self-influence, and fits, each with every peer that can be imported.

    Parameters
    ----------
    cases, peers
        See the module influence_peers; without peers, this library alone.
    fit_cases : sequence of Case
        Where fits are timed; with peers, beside those of the module fits.
    threads : int
        For this library, BLAS and all that can use more than one.
    repeats : int
        Turns; medians of them are given.
    budget : float
        Seconds. Who needs longer for a case is not timed.
    other_kernels : bool
        Whether OpenBLAS is also tried with the kernels that it does not choose by itself.
    progress : callable
        Gets what is under way, how much is done and how much there is.

    Returns
    -------
    Results
    """
    solvers = fits.SOLVERS if peers else ()
    wanted = list(dict.fromkeys([peer.library for peer in peers] + [solver.library for solver in solvers]))
    if wanted:
        progress("importing the peers", 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, about themselves
        missing = find_libraries(wanted)
        modules = [module for module in wanted if module not in missing]
        remarks = set_threads(threads, modules)
        done, total = 0, len(cases) + len(fit_cases)
        rows, fit_rows = [], []
        with library("threadpoolctl").threadpool_limits(threads):
            for case in cases:
                progress("timing", done, total)
                rows.append(_row(case, [peer for peer in peers if peer.library in modules], threads, repeats, budget))
                done += 1
            for case in fit_cases:
                progress("timing fits", done, total)
                present = [solver for solver in solvers if solver.library in modules]
                fit_rows.append(fits.time_fits(case, present, threads, repeats))
                done += 1
    if other_kernels:
        progress("timing OpenBLAS's other kernels", done, total)
        rows, failed = _with_other_kernels(rows, threads, repeats)
        remarks = remarks + failed
    progress("timing", 1, 1)
    named = {LIBRARIES.get(module, module): reason for module, reason in missing.items()}
    return Results(threads, repeats, peak("float64", 1).name, rows, fit_rows, modules, named, remarks)
