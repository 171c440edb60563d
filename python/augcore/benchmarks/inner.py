"""The inner loop of the main experiment for one augmentation and score, beside the same in lean NumPy.

Both get the features, draw the same points, and find the same optima; what is measured is the processor's time, on one
thread. The lean version makes every fit and scoring that the paper makes; here those whose result is known are left
out.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _files
from augcore.benchmarks.lean import LeanProblem, trace_curve
from augcore.benchmarks.libraries import library

if TYPE_CHECKING:
    from augcore.experiments.problem import Problem

__all__ = [
    "CASE",
    "CONVENTIONS",
    "Case",
    "Features",
    "Loop",
    "Results",
    "compare",
    "lean_loop",
    "make_features",
    "own_loop",
    "problem_of",
    "read_features",
]

LEAN_TOLERANCE = 1e-8  # of the lean fits: max|gradient| / sum(w)
SEED = 0
FACTORS = 64  # that made features have in common
CONVENTIONS = ("augcore", "paper")  # C = 10 and H of the objective; C = 1 and H with almost no penalty

Floats = NDArray[np.float64]


class Case(NamedTuple):
    """n training and n_test test images of p features, and k variants of each."""

    n: int
    p: int
    k: int
    n_test: int


CASE = Case(1000, 256, 4, 2000)


class Features(NamedTuple):
    """originals (n, p), variants (k, n, p), y (n,), X_test (m, p) and y_test (m,); labels are 0 and 1."""

    originals: NDArray[np.float32]
    variants: NDArray[np.float32]
    y: NDArray[np.int64]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]

    @property
    def label(self) -> str:
        n, p = self.originals.shape
        return f"{n:,} x {p}, {len(self.variants)} variants, {len(self.X_test):,} test rows"


def make_features(case: Case) -> Features:
    """Like those of a ReLU network: not negative, correlated, of a few common factors; variants are moved a little."""
    rng = np.random.default_rng(SEED)
    mixing = rng.normal(size=(FACTORS, case.p)) / np.sqrt(FACTORS)
    direction = rng.normal(size=FACTORS)
    direction /= np.linalg.norm(direction)

    def expanded(n: int, labels: NDArray[np.int64]) -> NDArray[np.float32]:
        hidden = rng.normal(size=(n, FACTORS)) + 1.5 * np.where(labels, 1.0, -1.0)[:, None] * direction
        moved = hidden + 0.4 * rng.normal(size=(1 + case.k, n, FACTORS)) * (np.arange(1 + case.k) > 0)[:, None, None]
        own = 0.2 * rng.normal(size=(1 + case.k, n, case.p))
        features: NDArray[np.float32] = np.maximum(moved @ mixing + own, 0.0).astype(np.float32)
        return features

    y, y_test = (rng.integers(0, 2, count) for count in (case.n, case.n_test))
    train, test = expanded(case.n, y), expanded(case.n_test, y_test)
    return Features(train[0], train[1:], y, test.reshape(-1, case.p), np.tile(y_test, 1 + case.k))


def read_features(path: str | os.PathLike[str]) -> Features:
    """Those of an .npz file with the names of `Features`; ValueError where it has others."""
    arrays = _files.read_npz(path)
    if missing := set(Features._fields) - set(arrays):
        raise ValueError(f"{os.fspath(path)}: has no {', '.join(sorted(missing))}")
    found = [arrays[name] for name in Features._fields]
    shapes = [values.shape for values in found]
    n, p = shapes[0] if len(shapes[0]) == 2 else (0, 0)
    if not n or shapes[1][1:] != (n, p) or shapes[2] != (n,) or shapes[3][1:] != (p,) or shapes[3][:1] != shapes[4]:
        raise ValueError(f"{os.fspath(path)}: the shapes {shapes} do not belong together")
    originals, variants, X_test = (found[i].astype(np.float32) for i in (0, 1, 3))
    y, y_test = (found[i].astype(np.int64) for i in (2, 4))
    return Features(originals, variants, y, X_test, y_test)


# ---- both loops ------------------------------------------------------------------------------------------------------


class Loop(NamedTuple):
    """What a loop found, curve by curve: the accuracy at every size, and the models (sizes, p + 1) that were fitted."""

    accuracies: list[list[float]]
    models: list[list[Floats]]


def _settings(given: Features, convention: str) -> dict[str, Any]:
    from augcore.experiments.config import Config

    n = len(given.originals)
    sizes = [size for size in Config.model_fields["sizes"].default if size < n]
    return {
        "augmentations": ["translate"],
        "scores": ["influence"],
        "sizes": [*sizes, n],
        "convention": convention,
        "seed": SEED,
    }


def problem_of(given: Features, convention: str = "augcore") -> Problem:
    """The problem that a run makes of the features."""
    from augcore.experiments.config import parse
    from augcore.experiments.fits import TOLERANCE
    from augcore.experiments.kernels import Kernels
    from augcore.experiments.problem import Problem
    from augcore.linear_model import LogisticRegression

    config = parse(_settings(given, convention))
    start = LogisticRegression(config.C, tol=TOLERANCE, threads=1).fit(given.originals, given.y)
    n_plain = len(given.X_test) // (1 + len(given.variants))
    test = (given.X_test, given.y_test, n_plain)

    class Watched(Problem):
        """Keeps the coefficients of its fits."""

        @cached_property
        def models(self) -> list[Floats]:
            return []

        def fit(self, *arguments: Any, **options: Any) -> Any:
            model, data = super().fit(*arguments, **options)
            self.models.append(np.append(model.coef_, model.intercept_))
            return model, data

    kernels = Kernels(config.dpp, given.originals)
    return Watched(config, given.originals, given.variants, given.y, *test, start, None, {}, kernels)


def own_loop(given: Features, convention: str) -> Loop:
    """As `augcore run` does it: the references that curves need, and the curves."""
    from augcore.experiments.curves import curve_units
    from augcore.experiments.curves import trace_curve as own_curve

    problem: Any = problem_of(given, convention)
    everything = np.arange(problem.n)
    before = problem.scores("influence", problem.start, (problem.originals, problem.y, None))
    all_points = [problem.fit(problem.start, everything, downweight=downweight)[0] for downweight in (False, True)]
    reference = dict(zip(("accuracy_all", "accuracy_all_downweighted"), problem.accuracies(all_points), strict=True))
    accuracies, models = [], []
    for unit in curve_units(problem.config):
        problem.models.clear()
        scores = before if unit.configuration.uses_scores else np.ones(problem.n)
        points, _ = own_curve(unit, problem, scores, reference, lambda: None)
        accuracies.append([point["accuracy"] for point in points])
        models.append(list(problem.models))
    return Loop(accuracies, models)


def lean_loop(problem: Problem) -> Loop:
    """The same in NumPy and SciPy, from the first fit on."""
    from augcore.experiments.curves import curve_units, drawing

    lean = LeanProblem.of(problem, LEAN_TOLERANCE)
    start = lean.fit(np.zeros(lean.X.shape[1]), np.empty(0, dtype=np.intp), False)
    before = lean.influence(start)
    accuracies, models = [], []
    for unit in curve_units(problem.config):
        draw = drawing(unit, problem, before if unit.configuration.uses_scores else np.ones(lean.n))
        found = trace_curve(unit, draw, lean, start, problem.config.sizes)
        accuracies.append(found[0])
        models.append(found[1])
    return Loop(accuracies, models)


# ---- the comparison --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Results:
    """Seconds are of the processor, medians. fits, scorings: those that the paper makes.

    different: accuracies that are not equal; coef_difference: the largest in a coefficient.
    """

    threads: int
    repeats: int
    case: str
    convention: str
    curves: int
    fits: int
    scorings: int
    own_seconds: float
    lean_seconds: float
    accuracies: int
    different: int
    coef_difference: float


def _cpu_seconds(function: Callable[[], Loop]) -> tuple[float, Loop]:
    start = time.process_time()
    found = function()
    return time.process_time() - start, found


def compare(
    given: Features,
    *,
    convention: str = "augcore",
    repeats: int = 3,
    progress: Callable[[str, float, float], None] = lambda *_: None,
) -> Results:
    """Times both loops in turn, on one thread, and compares what they find.

    Parameters
    ----------
    given : Features
    convention : str
        Of `CONVENTIONS`.
    repeats : int
        Turns; medians of them are given.
    progress : callable
        Gets what is under way, how much is done and how much there is.

    Returns
    -------
    Results
    """
    from augcore.experiments.curves import curve_units

    before = _dispatch.get_num_threads()
    _dispatch.set_num_threads(1)
    times: tuple[list[float], list[float]] = ([], [])
    problem = problem_of(given, convention)
    try:
        with library("threadpoolctl").threadpool_limits(1):
            for turn in range(repeats):
                progress("timing", turn, repeats)
                taken, own = _cpu_seconds(lambda: own_loop(given, convention))
                times[0].append(taken)
                taken, lean = _cpu_seconds(lambda: lean_loop(problem))
                times[1].append(taken)
    finally:
        _dispatch.set_num_threads(before)
    progress("timing", 1, 1)
    units, sizes = curve_units(problem.config), len(problem.config.sizes)
    pairs = zip(np.ravel(own.accuracies), np.ravel(lean.accuracies), strict=True)
    differences = [
        float(np.max(np.abs(a - b)))
        for ours, theirs in zip(own.models, lean.models, strict=True)
        for a, b in zip(ours, theirs, strict=False)  # the lean one fits to all points, too
    ]
    return Results(
        threads=1,
        repeats=repeats,
        case=given.label,
        convention=convention,
        curves=len(units),
        fits=sizes * len(units),
        scorings=sizes * sum(unit.configuration.update for unit in units),
        own_seconds=statistics.median(times[0]),
        lean_seconds=statistics.median(times[1]),
        accuracies=sizes * len(units),
        different=sum(bool(a != b) for a, b in pairs),
        coef_difference=max(differences),
    )
