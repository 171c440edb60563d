"""Draws from k-DPPs beside DPPy and beside what people write by hand in NumPy.

Everyone gets the same kernel, as a matrix or as features, may prepare itself for it (eigenvalues and eigenvectors,
which is timed apart), and then draws sets of k points again and again. Before anything is timed, everyone's draws from
a small kernel are counted against the probabilities of all sets.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import re
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import dpp
from augcore.benchmarks.libraries import LIBRARIES, find_libraries, library, set_threads
from augcore.benchmarks.multiply_add import peak
from augcore.benchmarks.timing import seconds, turns

__all__ = ["CASES", "OWN", "PEERS", "Case", "Entry", "Peer", "Results", "Row", "compare", "parse_case", "task"]

Floats = NDArray[np.float64]
Draw = Callable[[int], NDArray[Any]]  # seed -> points

BUDGET = 30.0  # seconds of preparation or of one draw
A_TURN = 0.5  # seconds; who needs longer for a draw is timed once
COUNTED = 3000  # draws from the small kernel
FALSE_ALARM = 1e-6


@dataclass(frozen=True)
class Case:
    """k of n points; p features, or a kernel of full rank where p is None."""

    n: int
    k: int
    p: int | None = None

    @property
    def label(self) -> str:
        return f"{self.k} of {self.n:,}" + (f", {self.p} features" if self.p else "")

    @property
    def operations(self) -> float:
        """Of a Gram-Schmidt process over all rows: n k^2 multiply-adds."""
        return 2.0 * self.n * self.k**2


CASES = (
    Case(1_000, 250),
    Case(1_000, 50),
    Case(1_000, 250, 256),
    Case(5_000, 250, 256),
    Case(10_000, 100, 256),
)


def parse_case(text: str) -> Case:
    """k of n, and perhaps the number of features: such as 250of1000 or 250of5000:256; ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,5})of(\d{1,6})(?::(\d{1,5}))?", text)
    if match is None:
        raise ValueError(f"{text!r}: expected KofN or KofN:P, such as 250of5000:256")
    k, n, p = int(match[1]), int(match[2]), int(match[3]) if match[3] else None
    if not 1 <= k <= min(n, n if p is None else p):
        raise ValueError(f"{text!r}: expected at least one point, and not more than there are points or features")
    return Case(n, k, p)


@dataclass(frozen=True)
class Task:
    """A kernel, as a matrix or as features (n, p), and how many points are wanted."""

    k: int
    matrix: Floats | None = None
    features: Floats | None = None


def task(case: Case, seed: int = 0) -> Task:
    """In units in which the e_k of the eigenvalues is about 1: those who compute it as it is would overflow."""
    rows = np.random.default_rng(seed).normal(size=(case.n, case.p or case.n))
    values = np.linalg.eigvalsh(rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows)
    ratios = np.zeros(case.k)  # e_j / e_(j-1)
    for value in np.maximum(values, 0.0):
        before = np.concatenate([[np.inf], ratios[:-1]])
        with np.errstate(invalid="ignore"):
            grown = before * (ratios + value) / (before + value)
        ratios = np.where(np.isinf(before), ratios + value, np.nan_to_num(grown))
    rows *= np.exp(-0.5 * np.log(ratios).mean())
    return Task(case.k, features=rows) if case.p else Task(case.k, matrix=rows @ rows.T)


# ---- who draws -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peer:
    """prepare(task) does what is done once for a kernel, and gives what draws."""

    name: str
    library: str
    prepare: Callable[[Task, int], Draw]


def _own(given: Task, threads: int) -> Draw:
    points = dpp.KDPP(given.matrix, features=given.features)
    return lambda seed: points.sample(given.k, seed, threads=threads)


def _dppy(given: Task, threads: int) -> Draw:
    FiniteDPP = library("dppy.finite_dpps").FiniteDPP
    if given.features is None:
        points = FiniteDPP("likelihood", L_eig_dec=_eigenvectors(given))
    else:
        points = FiniteDPP("likelihood", L_gram_factor=given.features.T)

    def draw(seed: int) -> NDArray[Any]:
        return np.asarray(points.sample_exact_k_dpp(given.k, random_state=np.random.RandomState(seed)))

    draw(0)  # it decomposes the dual kernel in its first draw
    return draw


def _eigenvectors(given: Task) -> tuple[Floats, Floats]:
    """Those whose eigenvalues are above 0."""
    from scipy import linalg

    if given.features is None:
        values, vectors = linalg.eigh(given.matrix)
        return np.maximum(values, 0.0), vectors
    values, dual = linalg.eigh(given.features.T @ given.features)
    kept = values > values[-1] * 1e-12
    return values[kept], given.features @ (dual[:, kept] / np.sqrt(values[kept]))


def _by_hand(second_phase: Callable[[Floats, np.random.Generator], list[int]]) -> Callable[[Task, int], Draw]:
    """Chooses eigenvectors by a table of elementary symmetric polynomials, and then a set of their projection."""

    def prepare(given: Task, threads: int) -> Draw:
        values, vectors = _eigenvectors(given)
        table = np.zeros((len(values) + 1, given.k + 1))
        table[:, 0] = 1.0
        for m, value in enumerate(values):
            table[m + 1, 1:] = table[m, 1:] + value * table[m, :-1]

        def draw(seed: int) -> NDArray[Any]:
            rng = np.random.default_rng(seed)
            chosen: list[int] = []
            for m in range(len(values), 0, -1):
                left = given.k - len(chosen)
                if left and rng.random() * table[m, left] < values[m - 1] * table[m - 1, left - 1]:
                    chosen.append(m - 1)
            return np.asarray(second_phase(vectors[:, chosen], rng))

        return draw

    return prepare


def _gram_schmidt(vectors: Floats, rng: np.random.Generator) -> list[int]:
    """What is left of every row is brought up to date after each item: n k^2 multiply-adds."""
    n, k = vectors.shape
    left, basis, items = (vectors**2).sum(axis=1), np.empty((k, k)), []
    for step in range(k):
        sums = left.cumsum()
        item = min(int(np.searchsorted(sums, rng.random() * sums[-1], side="right")), n - 1)
        row = vectors[item] - (basis[:step] @ vectors[item]) @ basis[:step]
        basis[step] = row / np.linalg.norm(row)
        left = np.maximum(left - (vectors @ basis[step]) ** 2, 0.0)
        left[item] = 0.0
        items.append(item)
    return items


def _orthogonalised(vectors: Floats, rng: np.random.Generator) -> list[int]:
    """As algorithm 1 of Kulesza and Taskar is often written: all vectors are made orthonormal anew after each item."""
    items = []
    while vectors.shape[1]:
        sums = (vectors**2).sum(axis=1).cumsum()
        item = min(int(np.searchsorted(sums, rng.random() * sums[-1], side="right")), len(vectors) - 1)
        items.append(item)
        pivot = int(np.abs(vectors[item]).argmax())
        others = np.delete(vectors, pivot, axis=1)
        others = others - np.outer(vectors[:, pivot], others[item] / vectors[item, pivot])
        vectors = np.linalg.qr(others)[0] if others.shape[1] else others
    return items


OWN = Peer("augcore", "augcore", _own)
PEERS = (
    Peer("DPPy", "dppy.finite_dpps", _dppy),
    Peer("NumPy, Gram-Schmidt", "numpy", _by_hand(_gram_schmidt)),
    Peer("NumPy, orthonormal anew", "numpy", _by_hand(_orthogonalised)),
)


# ---- one row ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """Milliseconds: once for the kernel, and for each draw; None where `trouble` says why it was not timed."""

    name: str
    library: str
    prepared: float | None = None
    milliseconds: float | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Row:
    """`peak` is in 1e9 operations per second, the fastest of its turns."""

    case: Case
    peak: float
    own: Entry
    peers: list[Entry]

    def ratio(self, name: str) -> float | None:
        """How many times our time for a draw a peer takes."""
        taken = next((peer.milliseconds for peer in self.peers if peer.name == name), None)
        return taken / self.own.milliseconds if taken and self.own.milliseconds else None


@dataclass(frozen=True)
class Results:
    threads: int
    repeats: int
    rows: list[Row]
    modules: list[str]
    missing: dict[str, str]
    remarks: list[str]


@functools.cache
def _draws_wrongly(peer: Peer) -> str | None:
    """Counts of sets of 3 of 6 points against their probabilities."""
    from scipy import stats

    given = task(Case(6, 3, 4))
    L = given.features @ given.features.T if given.features is not None else np.empty((0, 0))
    sets = list(itertools.combinations(range(6), 3))
    weights = np.array([np.linalg.det(L[np.ix_(points, points)]) for points in sets])
    draw, counts = peer.prepare(given, 1), dict.fromkeys(sets, 0)
    for seed in range(COUNTED):
        counts[tuple(sorted(draw(seed).tolist()))] += 1
    p_value = stats.chisquare(list(counts.values()), COUNTED * weights / weights.sum()).pvalue
    return None if p_value > FALSE_ALARM else f"draws from another distribution (p = {p_value:.0e})"


@dataclass
class _Contestant:
    entry: Entry
    run: Callable[[], object] | None = None


def _prepare(peer: Peer, given: Task, threads: int, budget: float) -> _Contestant:
    """Prepares it for the kernel, and tries a draw."""
    entry = Entry(peer.name, peer.library)
    seeds, found = itertools.count(1), []
    try:
        wrong = _draws_wrongly(peer)
        if wrong:
            return _Contestant(replace(entry, trouble=wrong))
        entry = replace(entry, prepared=1e3 * seconds(lambda: found.append(peer.prepare(given, threads))))
        points: list[NDArray[Any]] = []
        found[0](0)
        taken = seconds(lambda: points.append(found[0](next(seeds))))
    except Exception as error:  # of any library; it is reported, and the others are timed
        return _Contestant(replace(entry, trouble=f"fails: {type(error).__name__}: {' '.join(str(error).split())}"))
    if len(set(points[0].tolist())) != given.k:
        return _Contestant(replace(entry, trouble=f"draws {len(set(points[0].tolist()))} points instead of {given.k}"))
    if taken > min(A_TURN, budget):
        return _Contestant(replace(entry, milliseconds=1e3 * taken))
    return _Contestant(entry, lambda: found[0](next(seeds)))


def _row(case: Case, peers: Sequence[Peer], threads: int, repeats: int, budget: float) -> Row:
    given, limit = task(case), peak("float64", threads)
    contestants = [_prepare(peer, given, threads, budget) for peer in (OWN, *peers)]
    runs = [contestant.run for contestant in contestants if contestant.run is not None]
    limit.run()
    peaks, *times = turns([limit.run, *runs], repeats)
    left = map(statistics.median, times)
    own, *others = [replace(one.entry, milliseconds=next(left)) if one.run else one.entry for one in contestants]
    return Row(case, 1e-6 * limit.operations / min(peaks), own, others)


def compare(
    cases: Sequence[Case],
    peers: Sequence[Peer] = (),
    *,
    threads: int = 1,
    repeats: int = 9,
    budget: float = BUDGET,
    progress: Callable[[str, float, float], None] = lambda *_: None,
) -> Results:
    """Times draws from k-DPPs, each with every peer that can be imported.

    Parameters
    ----------
    cases : sequence of Case
    peers : sequence of Peer
        Without them, this library alone.
    threads : int
        For this library and BLAS.
    repeats : int
        Turns; medians of them are given.
    budget : float
        Seconds. Who needs longer for a draw is timed once.
    progress : callable
        Gets what is under way, how much is done and how much there is.

    Returns
    -------
    Results
    """
    wanted = list(dict.fromkeys(peer.library for peer in peers))
    # What the libraries have to say, about themselves, is not for those who read a table.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        missing = find_libraries(wanted)
        modules = [module for module in wanted if module not in missing]
        remarks, rows = set_threads(threads, modules), []
        with library("threadpoolctl").threadpool_limits(threads):
            for done, case in enumerate(cases):
                progress("timing k-DPPs", done, len(cases))
                rows.append(_row(case, [peer for peer in peers if peer.library in modules], threads, repeats, budget))
    progress("timing k-DPPs", 1, 1)
    named = {LIBRARIES.get(module, module): reason for module, reason in missing.items()}
    return Results(threads, repeats, rows, modules, named, remarks)
