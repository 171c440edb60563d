"""Fits per second at an equal optimum: every solver gets the loosest tolerance that brings it there.

What is reached is measured here, not believed: max|gradient| / n of the penalised objective at the solver's
coefficients. A solver that no tolerance brings to the target is timed at its best, and what it reached is told.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore.benchmarks.influence_peers import Case, Task
from augcore.benchmarks.influence_peers import task as independent_task
from augcore.benchmarks.libraries import library
from augcore.benchmarks.timing import interleaved, seconds

__all__ = [
    "FIT_CASES",
    "SOLVERS",
    "TARGET",
    "FitCase",
    "FitEntry",
    "FitRow",
    "Solver",
    "reached",
    "task",
    "time_fits",
]

TARGET = 1e-8
C = 1.0
A_TURN = 1.0  # seconds; who needs longer is timed once
TOLERANCES = tuple(10.0**-exponent for exponent in range(3, 15))


@dataclass(frozen=True)
class FitCase(Case):
    """Features of which each has this correlation with the one before, as those of images have, more or less."""

    correlation: float = 0.0

    @property
    def label(self) -> str:
        return f"{super().label}, correlated {self.correlation:g}"


FIT_CASES: tuple[Case, ...] = (
    *(Case(n, 256) for n in (1_000, 2_000, 5_000)),
    *(FitCase(n, 256, correlation=0.9) for n in (1_000, 5_000)),
)

Coefficients = NDArray[np.float64]  # the intercept last


class Solver(NamedTuple):
    """A way to fit with a library, to a tolerance of its own meaning, one of `tolerances`."""

    name: str
    library: str
    fit: Callable[[Task, float], Coefficients]
    tolerances: Sequence[float] = TOLERANCES


@dataclass(frozen=True)
class FitEntry:
    """What one of them did; `reached` is max|gradient| / n, `tolerance` what it was asked for."""

    name: str
    library: str
    tolerance: float = math.nan
    reached: float | None = None
    fits_per_second: float | None = None
    trouble: str | None = None

    @property
    def equal(self) -> bool:
        """Whether it reached the target."""
        return self.reached is not None and self.reached <= TARGET


@dataclass(frozen=True)
class FitRow:
    """One case; `warm` is this library's fit from the coefficients of a model with ten points less."""

    case: Case
    own: FitEntry
    warm: FitEntry
    peers: list[FitEntry]

    @property
    def fastest_peer(self) -> FitEntry | None:
        """Of those that reached the target."""
        timed = [entry for entry in self.peers if entry.fits_per_second and entry.equal]
        return max(timed, key=lambda entry: entry.fits_per_second or 0.0, default=None)


def task(case: Case, threads: int = 1) -> Task:
    """The data of a case; noisy labels of normal features."""
    given = independent_task(case, threads)
    if not isinstance(case, FitCase):
        return given
    X = given.X.astype(np.float64)
    for j in range(1, case.p):
        X[:, j] = case.correlation * X[:, j - 1] + math.sqrt(1.0 - case.correlation**2) * X[:, j]
    y = X @ given.coef + 0.5 * np.random.default_rng(1).normal(size=case.n) > 0
    return replace(given, X=X.astype(case.dtype), y=y.astype(case.dtype))


# ---- solvers ---------------------------------------------------------------------------------------------------------


def _own(given: Task, tol: float) -> Coefficients:
    from augcore.linear_model import LogisticRegression

    model = LogisticRegression(C=C, tol=tol, threads=given.threads).fit(given.X, given.y)
    return np.append(model.coef_, model.intercept_)


def _own_warm(given: Task) -> Callable[[Task, float], Coefficients]:
    """Starts from the fit without the last ten points, always the same."""
    from augcore.linear_model import LogisticRegression

    start = LogisticRegression(C=C, threads=given.threads).fit(given.X[:-10], given.y[:-10])
    coef, intercept = start.coef_, start.intercept_

    def fit(all_points: Task, tol: float) -> Coefficients:
        start.set_params(warm_start=True, tol=tol)
        start.coef_, start.intercept_ = coef, intercept
        start.fit(all_points.X, all_points.y)
        return np.append(start.coef_, start.intercept_)

    return fit


def _sklearn(solver: str, given: Task, tol: float) -> Coefficients:
    model = library("sklearn.linear_model").LogisticRegression(C=C, tol=tol, solver=solver, max_iter=10_000)
    model.fit(given.X, given.y)
    return np.append(model.coef_, model.intercept_).astype(np.float64)


def _statsmodels(given: Task, _: float) -> Coefficients:
    """Logit has no L2 penalty; GLM's ridge has, minimised by BFGS to a tolerance that cannot be set."""
    api = library("statsmodels.api")
    n, p = given.X.shape
    penalty = np.append(np.full(p, 1 / (C * n)), 0.0)
    model = api.GLM(given.y, given.design(), family=api.families.Binomial())
    return np.asarray(model.fit_regularized(alpha=penalty, L1_wt=0).params, dtype=np.float64)


SOLVERS = (
    *(
        Solver(f"scikit-learn {name}", "sklearn", functools.partial(_sklearn, name))
        for name in ("lbfgs", "newton-cg", "newton-cholesky")
    ),
    Solver("statsmodels GLM ridge", "statsmodels.api", _statsmodels, (math.nan,)),
)


# ---- timing ----------------------------------------------------------------------------------------------------------


def reached(given: Task, coefficients: Coefficients) -> float:
    """max|gradient| / n of the penalised objective."""
    design = given.design().astype(np.float64)
    probability = 1 / (1 + np.exp(-(design @ coefficients)))
    penalty = np.append(coefficients[:-1] / C, 0.0)
    return float(np.max(np.abs(design.T @ (probability - given.y) + penalty))) / len(design)


def _prepare(solver: Solver, given: Task) -> FitEntry:
    """The loosest tolerance that reaches the target, or the first of those that come nearest."""
    best = FitEntry(solver.name, solver.library)
    try:
        for tol in solver.tolerances:
            found = reached(given, solver.fit(given, tol))
            if best.reached is None or found < best.reached:
                best = replace(best, tolerance=tol, reached=found)
            if found <= TARGET:
                break
    except Exception as error:  # of any library; it is reported, and the others are timed
        return replace(best, trouble=f"fails: {type(error).__name__}: {' '.join(str(error).split())}")
    return best


def time_fits(case: Case, solvers: Sequence[Solver], threads: int, repeats: int) -> FitRow:
    """Fits of one case in turn, each solver at its tolerance."""
    given = task(case, threads)
    everyone = [Solver("augcore", "augcore", _own), Solver("augcore, warm", "augcore", _own_warm(given)), *solvers]
    entries = [_prepare(solver, given) for solver in everyone]
    runs: dict[int, Callable[[], object]] = {}
    taken: dict[int, float] = {}
    for number, (solver, entry) in enumerate(zip(everyone, entries, strict=True)):
        if entry.trouble is None:
            run = functools.partial(solver.fit, given, entry.tolerance)
            taken[number] = seconds(run)
            if taken[number] <= A_TURN:
                runs[number] = run
    taken |= dict(zip(runs, (1e-3 * time for time in interleaved(list(runs.values()), repeats)), strict=True))
    done = [
        replace(entry, fits_per_second=1 / taken[number]) if number in taken else entry
        for number, entry in enumerate(entries)
    ]
    return FitRow(case, done[0], done[1], done[2:])
