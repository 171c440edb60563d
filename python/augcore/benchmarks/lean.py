"""The main experiment in NumPy and SciPy, as one would write it with care and no kernels of one's own.

Newton's method with a line search from the model of the size before, products and factors by BLAS and LAPACK on
float64 designs that are cut out of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore.benchmarks.libraries import library

if TYPE_CHECKING:
    from augcore.experiments.curves import CurveUnit, Draw
    from augcore.experiments.problem import Problem

__all__ = ["LeanFit", "LeanProblem", "trace_curve"]

Floats = NDArray[np.float64]

_NEWTON_STEPS = 100
_HALVINGS = 30
_SUFFICIENT = 1e-4  # of the decrease that the slope promises
_NO_DECREASE = 1e-12  # of the objective: its rounding


class LeanFit(NamedTuple):
    """A model and the rows, labels in 0 and 1, and weights that it was fitted on."""

    theta: Floats  # the intercept last
    rows: NDArray[np.intp]
    weight: Floats


@dataclass
class LeanProblem:
    """All rows that a fit may take, originals first and then one variant after the other, with a column of ones."""

    X: Floats
    y: Floats
    X_test: NDArray[Any]
    y_test: NDArray[np.bool_]
    n: int
    l2: float
    hessian_l2: float
    tol: float

    def __post_init__(self) -> None:
        self.linalg, self.expit = library("scipy.linalg"), library("scipy.special").expit

    @classmethod
    def of(cls, problem: Problem, tol: float) -> LeanProblem:
        config = problem.config
        every = np.concatenate([problem.originals, problem.variants.reshape(-1, problem.originals.shape[1])])
        X = np.hstack([every, np.ones((len(every), 1), every.dtype)]).astype(np.float64)
        positive = problem.y == problem.start.classes_[1]
        y = np.tile(positive, 1 + len(problem.variants)).astype(np.float64)
        hessian_l2 = (1 / config.C if config.hessian_l2 is None else config.hessian_l2) + config.damping
        is_positive = problem.y_test == problem.start.classes_[1]
        return cls(X, y, problem.X_test, is_positive, problem.n, 1 / config.C, hessian_l2, tol)

    def loss(self, margins: Floats, weight: Floats, theta: Floats) -> float:
        return float(weight @ np.logaddexp(0.0, -margins)) + 0.5 * self.l2 * float(theta[:-1] @ theta[:-1])

    def hessian(self, X: Floats, curvature: Floats, l2: float) -> Floats:
        """The upper triangle of X' diag(curvature) X + l2, of which the intercept has none."""
        half = X * np.sqrt(curvature)[:, None]
        hessian: Floats = self.linalg.blas.dsyrk(1.0, half.T)  # upper, and in Fortran's order without a copy
        hessian[np.diag_indices(len(hessian) - 1)] += l2
        return hessian

    def fit(self, theta: Floats, chosen: NDArray[np.intp], downweight: bool) -> LeanFit:
        n, k = self.n, len(self.X) // self.n - 1
        rows = np.concatenate([np.arange(n), (n * np.arange(1, k + 1)[:, None] + chosen).ravel()])
        weight = np.ones(len(rows))
        if downweight:
            weight[chosen] = weight[n:] = 1 / (k + 1)
        X, y = self.X[rows], self.y[rows]
        sign = 2 * y - 1
        penalty = np.append(np.full(X.shape[1] - 1, self.l2), 0.0)
        z = X @ theta
        value = self.loss(sign * z, weight, theta)
        for _ in range(_NEWTON_STEPS):
            p = self.expit(z)
            gradient = X.T @ (weight * (p - y)) + penalty * theta
            if np.max(np.abs(gradient)) <= self.tol * weight.sum():
                break
            factor = self.linalg.cho_factor(
                self.hessian(X, weight * p * (1 - p), self.l2), overwrite_a=True, check_finite=False
            )
            step = -self.linalg.cho_solve(factor, gradient, check_finite=False)
            slope, dz = gradient @ step, X @ step
            length = 1.0
            for _ in range(_HALVINGS):
                moved = self.loss(sign * (z + length * dz), weight, theta + length * step)
                if moved <= value + _SUFFICIENT * length * slope or abs(slope) < _NO_DECREASE * abs(value):
                    break
                length /= 2
            theta, z, value = theta + length * step, z + length * dz, moved
        return LeanFit(theta, rows, weight)

    def influence(self, fit: LeanFit) -> Floats:
        """-g' H^-1 g of the originals."""
        X = self.X[fit.rows]
        p = self.expit(X @ fit.theta)
        factor, _ = self.linalg.cho_factor(
            self.hessian(X, fit.weight * p * (1 - p), self.hessian_l2), check_finite=False
        )
        solved = self.linalg.solve_triangular(factor, X[: self.n].T, trans="T", check_finite=False)
        forms: Floats = np.einsum("ij,ij->j", solved, solved)
        residual: Floats = p[: self.n] - self.y[: self.n]
        return -(residual**2) * forms

    def accuracy(self, fit: LeanFit) -> float:
        theta = fit.theta.astype(self.X_test.dtype)
        return float(np.mean((self.X_test @ theta[:-1] + theta[-1] > 0) == self.y_test))


def trace_curve(
    unit: CurveUnit, draw: Draw, problem: LeanProblem, start: LeanFit, sizes: tuple[int, ...]
) -> tuple[list[float], list[Floats]]:
    """Accuracies and models at the sizes: each is fitted, and after each of an update there are new scores."""
    configuration = unit.configuration
    fit, scores = start, problem.influence(start) if configuration.uses_scores else np.ones(problem.n)
    chosen = np.empty(0, dtype=np.intp)
    accuracies, models = [], []
    for size in sizes:
        chosen = draw(size, chosen, scores)
        fit = problem.fit(fit.theta, chosen, configuration.downweight)
        accuracies.append(problem.accuracy(fit))
        models.append(fit.theta)
        if configuration.update:
            scores = problem.influence(fit)
    return accuracies, models
