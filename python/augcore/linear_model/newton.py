"""Minimising a logistic objective: exact gradients, and second derivatives only where they pay.

Each step goes along -M^-1 g, where M is a factored Hessian of an earlier step, corrected by the last steps' changes of
the gradient (L-BFGS; Nocedal 1980). While the gradient falls fast that is all; as soon as the steps that its rate
promises would cost more than a Hessian and the few steps that a fresh one needs, the Hessian is computed and factored
anew. So cheap problems never see a Hessian, and hard ones are solved by Newton's method. Beyond `DENSE_LIMIT`
parameters the direction is a conjugate-gradient solution instead (Newton-CG), with products only.

The line search moves the linear predictors, which are linear in the step, so that it reads X only once. It looks for
the root of the slope, which rises along the line because the objective is convex; losses, in which the last digits of
a decrease drown, are not needed. All decisions come from counted operations, not from clocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch
from augcore.linear_model.objective import Objective

__all__ = ["DENSE_LIMIT", "Minimum", "minimise"]

Floats = NDArray[np.float64]

DENSE_LIMIT = 20_000  # parameters whose Hessian is formed and factored
_MEMORY = 10  # steps that the L-BFGS correction remembers
_CHEAP = 3.0  # passes over X: Hessians that cost no more are computed at every step
_CHEAP_OPERATIONS = 1e6  # or that take no longer than the calls around them
_POLISHED = 0.01  # of the tolerance: where steps are cheap and the gradient is above it, there is one step more
_SLOPE_LEFT = 0.1  # of the slope at the start of a line, in size
_LONGEST = 10.0  # by which the line search lengthens a step at a time
_LINE_STEPS = 60
_CG_STEPS = 500


@dataclass(frozen=True)
class Minimum:
    """theta, z there, the steps taken, whether the gradient is small enough, and the last factor, if any."""

    theta: Floats
    z: Floats
    iterations: int
    converged: bool
    lower: Floats | None


class _QuasiNewton:
    """Directions from a factored Hessian and the last steps; counts what a new factor would cost and save."""

    def __init__(self, objective: Objective, lower: Floats | None) -> None:
        self.objective = objective
        self.lower = lower
        self.pairs: list[tuple[Floats, Floats, float]] = []
        self.sizes: list[float] = []
        size, n = len(objective.penalty), max(1, len(objective.X))
        # In passes over X. The Gram kernels do some twenty times the operations of a product in the same time.
        self.cost = 0.5 + (objective.n_contrasts + 1) * objective.width / 40 + size * size / (35 * n)
        operations = size * size * (n + size / 3.0)
        self.cheap = self.cost <= _CHEAP or operations <= _CHEAP_OPERATIONS

    def direction(self, z: Floats, gradient: Floats, tolerance: float) -> Floats:
        size = self.objective.worst(gradient)
        self.sizes.append(size)
        if self._refresh_pays(size, tolerance):
            self.lower = _damped_factor(self.objective.hessian(z), self.objective.threads)
            self.pairs.clear()
            self.sizes = [size]
        step = -gradient
        shares = []
        for s, change, curvature in reversed(self.pairs):
            shares.append(float(s @ step) / curvature)
            step -= shares[-1] * change
        if self.lower is not None:
            _dispatch.cholesky_solve(self.lower, step)
        elif self.pairs:
            _, change, curvature = self.pairs[-1]
            step *= curvature / float(change @ change)
        else:
            step *= 4.0 / self.objective.weight_sum
        for (s, change, curvature), share in zip(self.pairs, reversed(shares), strict=True):
            step += s * (share - float(change @ step) / curvature)
        return step

    def learn(self, step: Floats, change: Floats) -> None:
        curvature = float(step @ change)
        if curvature > 1e-14 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            self.pairs = [*self.pairs[1 - _MEMORY :], (step, change, curvature)]

    def _refresh_pays(self, size: float, tolerance: float) -> bool:
        steps = len(self.sizes) - 1
        if self.cheap:
            return self.lower is None or steps >= 1
        if steps < 2:
            return False
        before = self.sizes[-3] if steps >= 3 else self.sizes[-2]
        rate = (size / before) ** (1.0 / (2 if steps >= 3 else 1))
        if rate >= 1.0 or tolerance <= 0.0:
            return bool(rate >= 0.1)
        digits = math.log10(size / tolerance)
        return bool(digits / -math.log10(rate) > self.cost + 2.0 + digits / 3.0)


class _NewtonCG:
    """Directions by conjugate gradients on the Hessian, preconditioned by one factor shared by all contrasts."""

    lower: Floats | None = None
    cheap = False

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def direction(self, z: Floats, gradient: Floats, tolerance: float) -> Floats:
        objective = self.objective
        curvature = objective.curvature(z)
        block: Floats | None = None
        if objective.width <= DENSE_LIMIT:
            block = _damped_factor(objective.shared_hessian(curvature), objective.threads)

        def precondition(vector: Floats) -> Floats:
            if block is None:
                return vector
            columns = np.ascontiguousarray(vector.reshape(objective.n_contrasts, objective.width).T)
            solved = _dispatch.cholesky_solve_many(block, columns, objective.threads)
            return np.ascontiguousarray(solved.T).ravel()

        relative = min(0.1, math.sqrt(objective.worst(gradient) / objective.weight_sum))
        return _conjugate_gradients(
            lambda vector: objective.curvature_product(curvature, vector), precondition, -gradient, relative
        )

    def learn(self, step: Floats, change: Floats) -> None:
        """Nothing: the next direction has the Hessian itself."""


def _conjugate_gradients(
    times: Callable[[Floats], Floats], precondition: Callable[[Floats], Floats], b: Floats, relative: float
) -> Floats:
    """x with A x = b, the residual at most `relative` of b in the norm of the preconditioner."""
    x = np.zeros_like(b)
    residual = b
    direction = preconditioned = precondition(residual)
    inner = first = float(residual @ preconditioned)
    for _ in range(_CG_STEPS):
        product = times(direction)
        bent = float(direction @ product)
        if not bent > 0.0:
            break
        length = inner / bent
        x = x + length * direction
        residual = residual - length * product
        preconditioned = precondition(residual)
        last, inner = inner, float(residual @ preconditioned)
        if not inner > relative * relative * first:
            break
        direction = preconditioned + inner / last * direction
    return x if x.any() else b


def _damped_factor(hessian: Floats, threads: int) -> Floats:
    """The factor of H, with a ridge where it is singular to working precision (separable or dependent data)."""
    scale = float(np.max(np.diag(hessian), initial=0.0)) or 1.0
    ridge = 0.0
    while True:
        damped = hessian.copy()
        damped[np.diag_indices_from(damped)] += ridge
        if _dispatch.cholesky(damped, threads) < 0:
            return damped
        ridge = max(10.0 * ridge, 1e-12 * scale)


def _line_search(
    objective: Objective, theta: Floats, z: Floats, step: Floats, slope: float
) -> tuple[float, Floats, Floats]:
    """The length of the step, z and the residuals there: where the slope is a tenth of what it was, in size."""
    dz = objective.predict(step)
    at_start = float(np.sum(objective.penalty * theta * step))
    bent = float(np.sum(objective.penalty * step * step))
    low, low_slope = 0.0, slope
    high, high_slope = math.inf, math.inf
    length = 1.0
    for _ in range(_LINE_STEPS):
        moved = z + length * dz
        residual = objective.residual(moved)
        here = float(np.sum(dz * residual)) + at_start + length * bent
        if abs(here) <= _SLOPE_LEFT * abs(slope):
            break
        if here < 0.0:
            low, low_slope = length, here
        else:
            high, high_slope = length, here
        if math.isinf(high):
            # The secant through the start, where the slope rises at all.
            secant = length * slope / (slope - here) if here > slope else math.inf
            length = min(max(secant, 1.5 * length), _LONGEST * length)
        else:
            share = low_slope / (low_slope - high_slope)
            length = low + (high - low) * min(max(share, 0.1), 0.9)
    return length, moved, residual


def minimise(objective: Objective, theta: Floats, tol: float, max_iter: int, lower: Floats | None = None) -> Minimum:
    """The minimum from theta on; `lower` is the factor of a Hessian like the one at the minimum, to start with."""
    dense = len(theta) <= DENSE_LIMIT
    method = _QuasiNewton(objective, lower) if dense else _NewtonCG(objective)
    tolerance = tol * objective.weight_sum
    z = objective.predict(theta)
    gradient = objective.gradient(objective.residual(z), theta)
    polished = not method.cheap
    for iteration in range(max_iter):
        worst = objective.worst(gradient)
        if worst <= tolerance:
            if polished or worst <= _POLISHED * tolerance:
                return Minimum(theta, z, iteration, True, method.lower)
            polished = True
        step = method.direction(z, gradient, tolerance)
        slope = float(gradient @ step)
        if not slope < 0.0:
            step, slope = -gradient, -float(gradient @ gradient)
        length, z, residual = _line_search(objective, theta, z, step, slope)
        step *= length
        moved = theta + step
        if np.array_equal(moved, theta):
            return Minimum(theta, z, iteration, worst <= tolerance, method.lower)
        new = objective.gradient(residual, moved)
        method.learn(step, new - gradient)
        theta, gradient = moved, new
    return Minimum(theta, z, max_iter, objective.worst(gradient) <= tolerance, method.lower)
