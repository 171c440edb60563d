"""A run of an experiment, from the data to the tables.

    features  ->  originals, clusters  ->  references, one unit per augmentation  ->  curves, one unit each  ->  tables

Each unit is written down when it is finished; a run that is stopped, however it is stopped, goes on from there. What a
unit gives depends on the config and on its name alone, so the tables are the same bytes for any number of jobs and any
number of interruptions.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import datasets
from augcore.experiments import inputs, originals
from augcore.experiments.config import Config
from augcore.experiments.curves import CurveUnit, curve_units, measure_references, trace_curve
from augcore.experiments.fits import TOLERANCE
from augcore.experiments.kernels import Kernels
from augcore.experiments.memory import check_memory
from augcore.experiments.problem import Problem
from augcore.experiments.results import REFERENCE_COLUMNS, RunFolder, open_run
from augcore.linear_model import LogisticRegression

if TYPE_CHECKING:
    from augcore.experiments.progress import Report

__all__ = ["run"]

logger = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Task:
    """A unit to do: `work` gets a function that it calls now and then, which raises when the run is to stop."""

    unit: str
    cost: float
    work: Callable[[Callable[[], None]], tuple[Any, Arrays]]


def run(
    config: Config,
    folder: Path,
    *,
    jobs: int = 1,
    resume: bool = False,
    cache: Path | None = None,
    progress: Report | None = None,
) -> Path:
    """Run an experiment into a folder; figures and report are made from it afterwards.

    Parameters
    ----------
    config : Config
    folder : Path
        Made where it does not exist; see results.py for what is in it.
    jobs : int, default=1
        Units under way at a time. With one, all threads work on the same unit; with more, each unit has one thread.
    resume : bool, default=False
        Go on with the run that is in the folder.
    cache : Path or None
        A folder that keeps the features of networks that are trained already; see `features.featurize`.
    progress : function or None
        Called with what is under way, how much of it is done, how much there is, and a note: units and accuracy.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ConfigError
        A setting does not fit the data, or differs from those of the run that is to be resumed.
    FileExistsError, BlockingIOError
        The folder holds something and `resume` is not set, or another process is at work in it.
    augcore.FileFormatError
        A file of the run that is to be resumed is damaged.
    OSError
        A file cannot be written. What is finished stays, and can be resumed.
    """
    report = progress or _silent
    data = inputs.load_data(config)
    check_memory(config, data, data.x_train[0].size if config.model == "pixels" else 0, jobs)
    threads = None if jobs == 1 else 1
    with open_run(folder, config, inputs.checksum(data), resume=resume) as target:
        if "features" not in target.done:
            _write_features(target, data, cache, jobs, report)
        _finish(target, _tasks_of_originals(target, data, threads), "originals", jobs, report)
        ready = _load_problems(target, data, threads)
        _finish(target, _reference_tasks(target, ready), "references", jobs, report)
        _finish(target, _curve_tasks(target, ready), "curves", jobs, report)
        target.write_tables(_result_rows(target), _reference_rows(target), _sweep_rows(target))
    return folder


def _silent(stage: str, done: float, total: float, note: str = "") -> None:
    pass


# ---- features --------------------------------------------------------------------------------------------------------


def _write_features(target: RunFolder, data: datasets.Dataset, cache: Path | None, jobs: int, report: Report) -> None:
    begin, config = time.perf_counter(), target.config
    arrays: dict[str, NDArray[Any]] = {"arrays/x_train.npy": data.x_train, "arrays/y_train.npy": data.y_train}
    arrays["arrays/class_names.npy"] = np.array(data.class_names, dtype=np.str_)
    for family in config.augmentations:
        examples = inputs.augmentation(config, family).expand(data.x_train[:1]).images
        arrays[f"arrays/examples-{family}.npy"] = examples
    for name, values in inputs.feature_arrays(config, data, cache, report):
        check_memory(config, data, values.shape[1], jobs)
        arrays[f"features/{name}.npy"] = values
    target.finish("features", None, arrays, time.perf_counter() - begin)


def _load_problems(target: RunFolder, data: datasets.Dataset, threads: int | None) -> dict[str, Problem]:
    """The problem of each augmentation."""
    config, chosen = target.config, target.done["originals"]["result"]
    originals = target.load_array("features/train.npy")
    plain_test = target.load_array("features/test.npy")
    clusters = {count: target.load_array(f"arrays/clusters-{count}.npy") for count in config.cluster_counts}
    kernels = Kernels(config.dpp, originals)
    start = LogisticRegression(chosen["C"], tol=TOLERANCE, threads=threads).fit(originals, data.y_train)
    ready: dict[str, Problem] = {}
    for name in config.augmentations:
        variants = target.load_array(f"features/{name}-train.npy").reshape(-1, *originals.shape)
        X_test, y_test = plain_test, data.y_test
        if config.test_set == "expanded":
            X_test = np.concatenate([plain_test, target.load_array(f"features/{name}-test.npy")])
            y_test = np.tile(data.y_test, len(X_test) // len(plain_test))
        test = (X_test, y_test, len(plain_test))
        svm_C = chosen["svm_C"]
        ready[name] = Problem(config, originals, variants, data.y_train, *test, start, svm_C, clusters, kernels)
    return ready


# ---- units -----------------------------------------------------------------------------------------------------------


def _tasks_of_originals(target: RunFolder, data: datasets.Dataset, threads: int | None) -> list[_Task]:
    config = target.config
    train, test = (target.load_array(f"features/{part}.npy") for part in ("train", "test"))
    swept = originals.swept_counts(config, len(train))
    parameters = _Task("originals", 10.0, lambda check: originals.parameters(config, train, data.y_train, threads))

    def task(count: int) -> _Task:
        is_swept = count in swept
        return _Task(f"clusters/{count}", count, lambda check: originals.clusters(config, count, train, test, is_swept))

    return [parameters, *map(task, sorted({*config.cluster_counts, *swept}))]


def _reference_tasks(target: RunFolder, ready: Mapping[str, Problem]) -> list[_Task]:
    is_sv = target.load_array("arrays/is_sv.npy")

    def task(name: str, problem: Problem) -> _Task:
        cost = problem.n * (1 + len(problem.variants))
        return _Task(f"reference/{name}", cost, lambda check: measure_references(name, problem, is_sv))

    return [task(name, problem) for name, problem in ready.items()]


def _curve_tasks(target: RunFolder, ready: Mapping[str, Problem]) -> list[_Task]:
    scores: dict[tuple[str, str], NDArray[np.float64]] = {
        (name, score): target.load_array(f"arrays/scores-{name}-{score}-before.npy")
        for name in ready
        for score in target.config.scores
    }

    def task(unit: CurveUnit) -> _Task:
        problem = ready[unit.augmentation]
        before = np.ones(problem.n) if unit.score is None else scores[unit.augmentation, unit.score]
        reference = target.done[f"reference/{unit.augmentation}"]["result"]
        cost = sum(problem.n + len(problem.variants) * size for size in target.config.sizes if size < problem.n)
        return _Task(unit.name, cost, lambda check: trace_curve(unit, problem, before, reference, check))

    return [task(unit) for unit in curve_units(target.config)]


class _StoppedError(Exception):
    """Another unit failed, or the run was interrupted."""


def _finish(target: RunFolder, tasks: Sequence[_Task], stage: str, jobs: int, report: Report) -> None:
    """Does the tasks that are not done yet, `jobs` at a time; what is under way when one fails is given up."""
    stop = threading.Event()
    lock = threading.Lock()
    remaining = [task for task in tasks if task.unit not in target.done]
    total = sum(task.cost for task in tasks)
    done, units = total - sum(task.cost for task in remaining), len(tasks) - len(remaining)
    report(stage, done, total)

    def check() -> None:
        if stop.is_set():
            raise _StoppedError

    def do(task: _Task) -> None:
        nonlocal done, units
        check()
        begin = time.perf_counter()
        result, arrays = task.work(check)
        target.finish(task.unit, result, arrays, time.perf_counter() - begin)
        logger.debug("finished %s", task.unit)
        with lock:
            done, units = done + task.cost, units + 1
            report(stage, done, total, f"{units} of {len(tasks)}{_accuracy(result)}")

    if jobs == 1:
        for task in remaining:
            do(task)
        return
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(do, task) for task in remaining]
        try:
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    for future in finished:
        future.result()


def _accuracy(result: Any) -> str:
    """The accuracy that a unit ended at, in words."""
    ends = [point["accuracy"] for point in result[-1:]] if isinstance(result, list) else []
    ends += [result["accuracy_all"]] if isinstance(result, dict) and "accuracy_all" in result else []
    return f", accuracy {ends[0]:.4f}" if ends else ""


# ---- tables ----------------------------------------------------------------------------------------------------------


def _result_rows(target: RunFolder) -> list[dict[str, Any]]:
    """One row per augmentation, score, configuration, round and size, in the order of the config."""
    rows = []
    config = target.config
    for augmentation in config.augmentations:
        for score in config.scores:
            for configuration in config.curves:
                for round_ in range(config.rounds if configuration.random else 1):
                    unit = CurveUnit(augmentation, score if configuration.uses_scores else None, configuration, round_)
                    head = {
                        "augmentation": augmentation,
                        "score": score,
                        "policy": configuration.policy,
                        "clusters": configuration.clusters,
                        "downweight": configuration.downweight,
                        "update": configuration.update,
                        "round": round_,
                    }
                    rows += [head | point for point in target.done[unit.name]["result"]]
    return rows


def _reference_rows(target: RunFolder) -> list[dict[str, Any]]:
    rows = []
    for name in target.config.augmentations:
        known = target.done["originals"]["result"] | target.done[f"reference/{name}"]["result"]
        rows.append({"augmentation": name} | {column: known[column] for column in REFERENCE_COLUMNS[1:]})
    return rows


def _sweep_rows(target: RunFolder) -> list[dict[str, Any]]:
    """One row for each number of clusters that was measured."""
    results = (record["result"] for unit, record in target.done.items() if unit.startswith("clusters/"))
    return sorted((result for result in results if result is not None), key=lambda result: result["clusters"])
