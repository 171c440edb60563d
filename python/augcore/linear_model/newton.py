"""Minimising a logistic objective: exact gradients, and second derivatives only where they pay.

Each step goes along -M^-1 g, where M is a scaled identity at first and a factored Hessian of an earlier step later on,
corrected by the last steps' changes of the gradient (L-BFGS; Nocedal 1980). While the gradient falls fast that is all;
as soon as the steps that its rate promises would cost more than a Hessian and the steps that a fresh one needs, the
Hessian is computed and factored anew. So easy problems never see a Hessian, and hard ones are solved by Newton's
method. Beyond `DENSE_LIMIT` parameters the direction is a conjugate-gradient solution instead (Newton-CG), with
products only.

A step costs one pass over X: the gradient at its end, whose slope along the step says whether the step is taken. Where
it is too long or too short, the line search moves the linear predictors, which are linear in the step, without reading
X. It looks for the root of the slope, which rises along the line because the objective is convex; losses, in which the
last digits of a decrease drown, are not needed. Where X is in double precision, all steps but the last are taken with
a copy of it in single precision, which is read faster; their gradients are exact for that copy. All decisions come
from counted operations, not from clocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _validate
from augcore.linear_model.objective import Objective

__all__ = ["DENSE_LIMIT", "Minimum", "damped_factor", "hessian_cost", "minimise", "update_cost"]

Floats = NDArray[np.float64]

DENSE_LIMIT = 20_000  # parameters whose Hessian is formed and factored
# Multiply-adds of a Hessian and of a Cholesky factor in the time in which a step reads an element of X, and the calls
# of a step in such elements.
_GRAM_SPEED = 16.0
_FACTOR_SPEED = 17.0
_STEP_OVERHEAD = 3e5
_QUASI_STEPS = 10  # for each that the user allows, where not all of them are Newton's
_RATE_STEPS = 6  # with one M, at least, before their number and the gradient's fall say what a step is worth
_MEMORY = 20  # steps that the L-BFGS correction remembers at most; then the older half is forgotten
_CHEAP = 3.0  # steps: Hessians that cost no more are computed at every step
_CHEAP_OPERATIONS = 1e6  # or that take no longer than the calls around them
_POLISHED = 0.01  # of the tolerance: where steps are cheap and the gradient is above it, there is one step more
_ROUNDED = 1e-8  # of the first gradient, to which that of X in single precision is followed
_NOTHING = 1e-29  # of a decrease, for each unit of weight: the predictors change by their rounding error
_UNSEEN = 1e-16  # of a decrease, for each unit of weight: rounding would mislead a search, so the step is taken
_SLOPE_TAKEN = 0.9  # of the slope at the start of a line, in size: at most at the end of a step that is taken
_SLOPE_LEFT = 0.1  # and at most where a search has moved the end
_LONGEST = 10.0  # by which the line search lengthens a step at a time
_LINE_STEPS = 60
_CG_STEPS = 500


@dataclass(frozen=True)
class Minimum:
    """theta, z there, the steps taken, whether the gradient is small enough, and the last factor, if any."""

    theta: Floats
    z: Any
    iterations: int
    converged: bool
    lower: Floats | None


class _Correction:
    """L-BFGS in its compact form (Byrd, Nocedal, Schnabel 1994): M^-1, of any kind, corrected by the last steps.

    With the steps s_i and the changes y_i of the gradient as rows of S and Y, V = Y M^-1, D = diag(s_i' y_i) and
    R = (s_i' y_j for i <= j, else 0), the corrected inverse times g is, with p = R^-1 S g and a scale c of M^-1,

        c M^-1 g + S' R^-T ((D + c V Y') p - c V g) - c V' p.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.steps = np.empty((_MEMORY, size))  # S
        self.solved = np.empty((_MEMORY, size))  # V
        self.inverse = np.zeros((_MEMORY, _MEMORY))  # of R
        self.products = np.empty((_MEMORY, _MEMORY))  # V Y'
        self.curvatures = np.empty(_MEMORY)  # of D
        self.scale = 1.0

    def forget(self, first: int) -> None:
        """Keep the steps from `first` on; the trailing block of the inverse of a triangle is that of the block."""
        kept = self.count - first
        for rows in (self.steps, self.solved, self.curvatures):
            rows[:kept] = rows[first : self.count].copy()
        for square in (self.inverse, self.products):
            square[:kept, :kept] = square[first : self.count, first : self.count].copy()
        self.count = kept

    def add(self, step: Floats, change: Floats, solved: Floats) -> None:
        """One step, the change of the gradient and M^-1 times it; a step without curvature says nothing."""
        curvature = float(step @ change)
        if not curvature * curvature > 1e-28 * float(step @ step) * float(change @ change):
            return
        if self.count == _MEMORY:
            self.forget(_MEMORY // 2)
        k = self.count
        self.inverse[:k, k] = self.inverse[:k, :k] @ (self.steps[:k] @ change) / -curvature
        self.inverse[k, :k] = 0.0
        self.inverse[k, k] = 1.0 / curvature
        self.products[k, :k] = self.products[:k, k] = self.solved[:k] @ change
        self.products[k, k] = float(solved @ change)
        self.steps[k], self.solved[k], self.curvatures[k] = step, solved, curvature
        # The scale with which M^-1 alone would have had the curvature of this step (Shanno, Phua 1978).
        self.scale = curvature / self.products[k, k]
        self.count = k + 1

    def times(self, gradient: Floats, solved: Floats) -> Floats:
        """The corrected inverse times the gradient, given M^-1 times the gradient."""
        k, scale = self.count, self.scale
        if k == 0:
            return scale * solved
        steps, changes, inverse = self.steps[:k], self.solved[:k], self.inverse[:k, :k]
        p = inverse @ (steps @ gradient)
        inner = self.curvatures[:k] * p + scale * (self.products[:k, :k] @ p - changes @ gradient)
        return scale * (solved - p @ changes) + (inner @ inverse) @ steps


class _QuasiNewton:
    """Directions from a factored Hessian and the last steps; counts what a new factor would cost and save."""

    def __init__(self, objective: Objective, lower: Floats | None) -> None:
        self.objective = objective
        self.lower = lower
        self.sizes: list[float] = []
        self.correction = _Correction(objective.n_parameters)
        self.correction.scale = 4.0 / objective.weight_sum if lower is None else 1.0
        self.solved: Floats | None = None
        self.cost, self.cheap = hessian_cost(objective)
        self.reads_often = not self.cheap
        self.steps_of_one = 1 if self.cheap else _QUASI_STEPS

    def begin(self, objective: Objective) -> None:
        """Steps on this objective follow, from where the last one's ended."""
        self.objective = objective
        self.solved = None
        self.sizes = []

    def direction(self, z: Any, gradient: Floats, size: float, tolerance: float) -> Floats:
        """The step from z, where the largest component of the gradient is `size`."""
        self.sizes.append(size)
        if self._refresh_pays(size, tolerance):
            self.lower = _factor(self.objective, z, single=self.lower is None and not self.cheap)
            self.correction.forget(self.correction.count)
            self.correction.scale = 1.0
            self.sizes = [size]
            self.solved = None
        if self.solved is None:
            self.solved = self._solve(gradient)
        return -self.correction.times(gradient, self.solved)

    def learn(self, step: Floats, before: Floats, after: Floats) -> None:
        """The gradients before and after a step that was taken."""
        last, self.solved = self.solved, None
        if last is not None and not self.cheap:
            self.solved = self._solve(after)
            self.correction.add(step, after - before, self.solved - last)

    def _solve(self, gradient: Floats) -> Floats:
        """M^-1 times the gradient, M being the factored Hessian or the identity."""
        if self.lower is None:
            return gradient
        solved = gradient.copy()
        _dispatch.cholesky_solve(self.lower, solved)
        return solved

    def _refresh_pays(self, size: float, tolerance: float) -> bool:
        steps = len(self.sizes) - 1
        if self.cheap:
            return self.lower is None or steps >= 1
        if steps < _RATE_STEPS:
            return False
        rate = (size / self.sizes[0]) ** (1.0 / steps)
        if rate >= 1.0 or tolerance <= 0.0:
            return bool(rate >= 0.1)
        digits = math.log10(size / tolerance)
        return bool(digits / -math.log10(rate) > self.cost + 2.0 + digits)


class _NewtonCG:
    """Directions by conjugate gradients on the Hessian, preconditioned by one factor shared by all contrasts."""

    lower: Floats | None = None
    cheap = reads_often = False
    steps_of_one = 1

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def begin(self, objective: Objective) -> None:
        """Steps on this objective follow."""
        self.objective = objective

    def direction(self, z: Any, gradient: Floats, size: float, tolerance: float) -> Floats:
        """The step from z, where the largest component of the gradient is `size`."""
        objective = self.objective
        curvature = objective.curvature(z)
        block: Floats | None = None
        if objective.width <= DENSE_LIMIT:
            block = damped_factor(objective.shared_hessian(curvature), objective.threads)

        def precondition(vector: Floats) -> Floats:
            if block is None:
                return vector
            columns = np.ascontiguousarray(vector.reshape(objective.n_contrasts, objective.width).T)
            solved = _dispatch.cholesky_solve_many(block, columns, objective.threads)
            return np.ascontiguousarray(solved.T).ravel()

        relative = min(0.1, math.sqrt(size / objective.weight_sum))
        return _conjugate_gradients(
            lambda vector: objective.curvature_product(curvature, vector), precondition, -gradient, relative
        )

    def learn(self, step: Floats, before: Floats, after: Floats) -> None:
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


def damped_factor(hessian: Floats, threads: int) -> Floats:
    """The factor of H, with a ridge where it is singular to working precision (separable or dependent data)."""
    if not _validate.all_finite(hessian):  # of no numbers that were checked, and no ridge would help
        raise ValueError("X: was changed while it was read: it has NaN or infinity now")
    scale = max(float(np.max(np.diag(hessian))), 0.0) or 1.0
    if not math.isfinite(scale):
        raise np.linalg.LinAlgError("the Hessian overflows; scale X or sample_weight")
    ridge = 0.0
    while True:
        damped = hessian.copy()
        damped[np.diag_indices_from(damped)] += ridge
        if _dispatch.cholesky(damped, threads) < 0:
            return damped
        ridge = max(10.0 * ridge, 1e-12 * scale)


def hessian_cost(objective: Objective) -> tuple[float, bool]:
    """Of a Hessian and its factor in steps, and whether that is too little to think about."""
    if objective.hessian_is_known:
        return 0.0, True
    size, n = objective.n_parameters, objective.n
    cost = update_cost(objective, n)
    return cost, cost <= _CHEAP or size * size * (n + size / 3.0) <= _CHEAP_OPERATIONS


def update_cost(objective: Objective, rows: int) -> float:
    """Of the part of a Hessian that so many rows are, and of a factor, in steps."""
    blocks, width = objective.n_contrasts * (objective.n_contrasts + 1) / 2, objective.width
    step = objective.n_contrasts * objective.n * width + _STEP_OVERHEAD
    return (blocks * rows * width * width / _GRAM_SPEED + objective.n_parameters**3 / _FACTOR_SPEED) / step


def _factor(objective: Objective, z: Any, single: bool) -> Floats:
    """Of the Hessian at z: of one in single precision if that is wanted, and does to be positive definite."""
    if single:
        hessian = objective.hessian(z, single=True)
        if _dispatch.cholesky(hessian, objective.threads) < 0:
            return hessian
    return damped_factor(objective.hessian(z), objective.threads)


def _search(objective: Objective, theta: Floats, z: Any, step: Floats, end: Any, slope: float) -> float:
    """The length of a step to `end`, in z, where the slope is a tenth of what it was, in size."""
    at_start = float(np.sum(objective.penalty * theta * step))
    bent = float(np.sum(objective.penalty * step * step))
    low, low_slope = 0.0, slope
    high, high_slope = math.inf, math.inf
    length = 1.0
    for _ in range(_LINE_STEPS):
        here = objective.slope(z, end, length) + at_start + length * bent
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
    return length


def minimise(objective: Objective, theta: Floats, tol: float, max_iter: int, lower: Floats | None = None) -> Minimum:
    """The minimum from theta on; `lower` is the factor of a Hessian like the one at the minimum, to start with."""
    dense = len(theta) <= DENSE_LIMIT
    method = _QuasiNewton(objective, lower) if dense else _NewtonCG(objective)
    tolerance = tol * objective.weight_sum
    max_iter *= method.steps_of_one
    done = 0
    rounded = objective.rounded() if lower is None and method.reads_often else None
    if rounded is not None:
        near = _descend(rounded, method, theta, tolerance, max_iter, _ROUNDED)
        theta, done = near.theta, near.iterations
    minimum = _descend(objective, method, theta, tolerance, max_iter - done)
    return replace(minimum, iterations=done + minimum.iterations)


def _descend(
    objective: Objective,
    method: _QuasiNewton | _NewtonCG,
    theta: Floats,
    tolerance: float,
    max_iter: int,
    relative: float = 0.0,
) -> Minimum:
    """Steps until the gradient is not above the tolerance, nor above `relative` of what it was at the start."""
    method.begin(objective)
    z, gradient = objective.evaluate(theta)
    tolerance = max(tolerance, relative * objective.worst(gradient))
    polished = not method.cheap
    for iteration in range(max_iter):
        worst = objective.worst(gradient)
        if worst <= tolerance:
            if polished or worst <= _POLISHED * tolerance:
                return Minimum(theta, z, iteration, True, method.lower)
            polished = True
        step = method.direction(z, gradient, worst, tolerance)
        slope = float(gradient @ step)
        if not slope < 0.0:
            step, slope = -gradient, -float(gradient @ gradient)
        if -slope <= _NOTHING * objective.weight_sum:
            return Minimum(theta, z, iteration, worst <= tolerance, method.lower)
        moved = theta + step
        end, new = objective.evaluate(moved)
        seen = -slope > _UNSEEN * objective.weight_sum
        if seen and not abs(float(new @ step)) <= _SLOPE_TAKEN * abs(slope):
            step *= _search(objective, theta, z, step, end, slope)
            moved = theta + step
            end, new = objective.evaluate(moved)
        method.learn(step, gradient, new)
        theta, z, gradient = moved, end, new
    return Minimum(theta, z, max_iter, objective.worst(gradient) <= tolerance, method.lower)
