"""Scores of a file of features that is mapped, not read: ours, NumPy's by blocks and dask.array's, and their growth.

Everyone gets the same memory-mapped file, labels and coefficients, sums the Hessian in a first pass and scores every
point in a second one. What a contestant takes of memory of its own, the mapped pages apart, is looked at in a run
that is not timed. The workers of a cluster hold their part of the features when the clock starts.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import influence, streaming
from augcore.benchmarks.libraries import find_libraries, library, set_threads
from augcore.benchmarks.memory import grown
from augcore.benchmarks.timing import turns
from augcore.linear_model import LogisticRegression

__all__ = ["CASES", "Case", "Entry", "Results", "Row", "compare", "parse_case"]

Floats = NDArray[np.float64]

BLOCK_ROWS = 16_384  # of the peers
FITTED_ROWS = 20_000  # of the model that is scored by
TOLERANCE = 0.02  # relative, of scores in float32
PENALTY = 1.0


@dataclass(frozen=True)
class Case:
    n: int
    p: int

    @property
    def label(self) -> str:
        return f"{self.n:,} x {self.p} float32"


CASES = (Case(250_000, 256), Case(1_000_000, 256))


def parse_case(text: str) -> Case:
    """NxP, as 1000000x256."""
    try:
        n, p = (int(length) for length in text.split("x"))
    except ValueError:
        raise ValueError(f"expected NxP, as 1000000x256, got {text!r}") from None
    if not 1000 <= n <= 100_000_000 or not 1 <= p <= 8192:
        raise ValueError(f"expected 1,000 to 100,000,000 points of 1 to 8,192 features, got {text!r}")
    return Case(n, p)


@dataclass
class Entry:
    """Seconds by the clock and of the processor, MiB of own memory, and the largest relative difference from ours."""

    name: str
    seconds: float | None = None
    cpu: float | None = None
    memory: float | None = None
    difference: float | None = None
    trouble: str = ""


@dataclass
class Row:
    case: Case
    own: Entry
    fit: Entry
    passes: int
    peers: list[Entry]
    cluster: list[Entry] = field(default_factory=list)  # of one worker, two, ...


@dataclass
class Results:
    rows: list[Row]
    threads: int
    repeats: int
    modules: list[str]
    missing: dict[str, str]


# ---- the data --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    path: Path
    X: Any
    y: NDArray[np.int64]
    model: LogisticRegression


def make_problem(case: Case, folder: Path) -> Problem:
    """Normal features of rising spread, logistic labels, and a model of the first of them."""
    rng = np.random.default_rng(0)
    path = folder / f"X-{case.n}x{case.p}.npy"
    coef = rng.normal(size=case.p).astype(np.float32) / np.sqrt(case.p)
    scale = np.linspace(1.0, 3.0, case.p, dtype=np.float32)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (case.n, case.p))
    y = np.empty(case.n, dtype=np.int64)
    for first in range(0, case.n, BLOCK_ROWS):
        rows = rng.standard_normal((min(BLOCK_ROWS, case.n - first), case.p), dtype=np.float32) * scale
        X[first : first + len(rows)] = rows
        y[first : first + len(rows)] = rows @ coef + rng.logistic(size=len(rows)) > 0
    X.flush()
    del X
    mapped = np.load(path, mmap_mode="r")
    model = LogisticRegression(C=1.0 / PENALTY).fit(mapped[:FITTED_ROWS], y[:FITTED_ROWS])
    return Problem(path, mapped, y, model._without_data())


# ---- the contestants -------------------------------------------------------------------------------------------------


def own_scores(problem: Problem, threads: int) -> Callable[[], Floats]:
    def run() -> Floats:
        return streaming.score(problem.model, streaming.Blocks(problem.X, problem.y, threads=threads))

    return run


def numpy_scores(problem: Problem, threads: int) -> Callable[[], Floats]:
    """Two passes in float32 by blocks, with what NumPy has."""
    coef = np.append(problem.model.coef_[0], problem.model.intercept_).astype(np.float32)

    def blocks() -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
        for first in range(0, len(problem.X), BLOCK_ROWS):
            rows = problem.X[first : first + BLOCK_ROWS]
            design = np.column_stack([rows, np.ones(len(rows), dtype=np.float32)])
            yield first, design, 1.0 / (1.0 + np.exp(-(design @ coef)))

    def run() -> Floats:
        hessian = np.diag(np.append(np.full(len(coef) - 1, PENALTY), 0.0))
        for _, design, probability in blocks():
            scaled = design * np.sqrt(probability * (1.0 - probability))[:, None]
            hessian += scaled.T @ scaled
        root = np.linalg.inv(np.linalg.cholesky(hessian)).astype(np.float32)
        scores = np.empty(len(problem.X))
        for first, design, probability in blocks():
            solved = design @ root.T
            r = probability - problem.y[first : first + len(design)]
            scores[first : first + len(design)] = -(r * r) * np.einsum("ij,ij->i", solved, solved)
        return scores

    return run


def dask_scores(problem: Problem, threads: int) -> Callable[[], Floats]:
    """The same two passes as expressions of dask.array, on its scheduler of threads."""
    dask, da = library("dask"), library("dask.array")
    coef = np.append(problem.model.coef_[0], problem.model.intercept_).astype(np.float32)

    def run() -> Floats:
        X = da.from_array(problem.X, chunks=(BLOCK_ROWS, -1))
        y = da.from_array(problem.y, chunks=(BLOCK_ROWS,))
        design = da.concatenate([X, da.ones((len(problem.X), 1), dtype=np.float32, chunks=(BLOCK_ROWS, 1))], axis=1)
        design = design.rechunk({1: -1})
        probability = 1.0 / (1.0 + da.exp(-(design @ coef)))
        scaled = design * da.sqrt(probability * (1.0 - probability))[:, None]
        with dask.config.set(scheduler="threads", num_workers=threads):
            hessian = (scaled.T @ scaled).compute() + np.diag(np.append(np.full(len(coef) - 1, PENALTY), 0.0))
            root = np.linalg.inv(np.linalg.cholesky(hessian)).astype(np.float32)
            solved = design @ root.T
            r = probability - y
            scores: Floats = (-(r * r) * (solved * solved).sum(axis=1)).compute()
        return scores

    return run


PEERS = {"NumPy by blocks": ("numpy", numpy_scores), "dask.array": ("dask.array", dask_scores)}


# ---- measuring -------------------------------------------------------------------------------------------------------


def compare(
    cases: Sequence[Case] = CASES,
    *,
    peers: bool,
    threads: int,
    repeats: int,
    workers: Sequence[int] = (),
    folder: Path | None = None,
    progress: Callable[[str, float, float], None] | None = None,
) -> Results:
    """workers: sizes of clusters of local processes to score on; folder: where the files of features are written."""
    modules = [module for module, _ in PEERS.values()] if peers else ["numpy"]
    modules += ["distributed"] if workers else []
    missing = find_libraries(modules)
    set_threads(threads, modules)
    rows = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="augcore-bench-") as temporary, _blas_threads(threads):
        for number, case in enumerate(cases):
            if progress is not None:
                progress("cases", number, len(cases))
            problem = make_problem(case, Path(temporary))
            rows.append(_row(case, problem, peers, threads, repeats, missing))
            if "distributed" not in missing:
                rows[-1].cluster = [_on_cluster(problem, count, repeats) for count in workers]
            problem.path.unlink()
    if progress is not None:
        progress("cases", len(cases), len(cases))
    return Results(rows, threads, repeats, modules, missing)


def _row(case: Case, problem: Problem, peers: bool, threads: int, repeats: int, missing: dict[str, str]) -> Row:
    contestants = {"augcore": own_scores(problem, threads)}
    if peers:
        contestants |= {name: make(problem, threads) for name, (module, make) in PEERS.items() if module not in missing}
    expected = contestants["augcore"]()
    entries = {name: _checked(name, run, expected) for name, run in contestants.items()}
    timed = [name for name, entry in entries.items() if not entry.trouble]
    for name, times in zip(timed, turns([contestants[name] for name in timed], repeats), strict=True):
        entries[name].seconds = float(np.median(times)) / 1e3
    blocks = streaming.Blocks(problem.X, problem.y, threads=threads)
    fit = Entry("fit")
    start, cpu = time.perf_counter(), time.process_time()
    fit.memory = grown(lambda: streaming.fit(blocks, C=1.0 / PENALTY, threads=threads))
    fit.seconds, fit.cpu = time.perf_counter() - start, time.process_time() - cpu
    return Row(case, entries.pop("augcore"), fit, blocks.passes, list(entries.values()))


def _checked(name: str, run: Callable[[], Floats], expected: Floats) -> Entry:
    """An entry with all but its time."""
    entry = Entry(name)
    found: list[Floats] = []
    cpu = time.process_time()
    entry.memory = grown(lambda: found.append(run()))
    entry.cpu = time.process_time() - cpu
    entry.difference = float(np.max(np.abs(found[0] - expected)) / np.max(np.abs(expected)))
    if not entry.difference <= TOLERANCE:
        entry.trouble = f"differs by {entry.difference:.1e}"
    return entry


@contextlib.contextmanager
def _blas_threads(threads: int) -> Iterator[None]:
    with library("threadpoolctl").threadpool_limits(threads):
        yield


# ---- a cluster of local processes ------------------------------------------------------------------------------------


def _load(path: str, first: int, last: int) -> NDArray[np.float32]:
    return np.array(np.load(path, mmap_mode="r")[first:last])


def _on_cluster(problem: Problem, workers: int, repeats: int) -> Entry:
    """The scores by so many workers of one thread each, and whether they are ours to the last bit."""
    dask, da, distributed = library("dask"), library("dask.array"), library("distributed")
    from augcore.integrations import dask as augcore_dask

    entry = Entry(f"{workers} worker{'s' * (workers > 1)}")
    n, p = problem.X.shape
    model = problem.model
    expected = influence.loo_influence(problem.X, problem.y, model.coef_, model.intercept_, PENALTY, threads=1)
    with (
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        load = dask.delayed(_load, pure=False)
        bounds = [(first, min(n, first + 2 * BLOCK_ROWS)) for first in range(0, n, 2 * BLOCK_ROWS)]
        parts = [da.from_delayed(load(str(problem.path), *rows), (rows[1] - rows[0], p), np.float32) for rows in bounds]
        X, y = dask.persist(da.concatenate(parts), da.from_array(problem.y, chunks=(2 * BLOCK_ROWS,)))
        distributed.wait([X, y])

        def run() -> Floats:
            scores: Any = augcore_dask.loo_influence(X, y, model.coef_, model.intercept_, PENALTY)
            found: Floats = scores.compute()
            return found

        client.wait_for_workers(workers)
        entry.difference = 0.0 if np.array_equal(run(), expected) else float("nan")
        if entry.difference != 0.0:
            entry.trouble = "has other bits"
            return entry
        entry.seconds = float(np.median(turns([run], repeats)[0])) / 1e3
    return entry
