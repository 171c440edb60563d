"""Leave-one-out by refitting: the ground truth that the closed forms of `augcore.influence` approximate.

All refits start at the fit to all points and run side by side, so that their products with X are matrix products. The
gradients are exact; the second derivatives are those of the full fit less the point's own part, a rank-(K - 1)
correction of its factor (Woodbury), and hardly change on the way: a few passes do. A refit that this does not bring
down fast is done by the general fit.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _dispatch, _validate, _validate_models
from augcore.linear_model.factor import HessianFactor
from augcore.linear_model.newton import DENSE_LIMIT, Minimum, minimise
from augcore.linear_model.objective import DenseObjective, objective_of, split_parameters

__all__ = ["LooRefit", "retrain_loo"]

Floats = NDArray[np.float64]

_TOLERANCE = 1e-13  # of the gradient, in units of the sum of the weights; near the rounding of the sum
_WARNED = 1e-8  # of the gradient alike: with a larger one the result is no minimum
_SETTLED = 1e-10  # the last step of a refit, relative to all of its way
_ROUNDING = 1e-13  # or relative to the parameters
_MAX_STEPS = 25
_FALL = 0.5  # of a step's size from one step to the next, at least
_BATCH_VALUES = 1 << 21  # linear predictors that are held at a time


@dataclass(frozen=True, eq=False)
class LooRefit:
    """What refitting without each of m points changes.

    Attributes
    ----------
    own_loss_change : (m,) ndarray of float64
        The point's own log loss after the refit less before: never negative, but for rounding.
    total_loss_change : (m,) ndarray of float64
        The weighted sum of the log losses of all n points, the removed one included, after less before.
    coef : (m, p) or (m, K, p) ndarray of float64
        Coefficients of the refits: one row for two classes, else one for each class, summing to zero.
    intercept : (m,) or (m, K) ndarray of float64
    """

    own_loss_change: Floats
    total_loss_change: Floats
    coef: Floats
    intercept: Floats


def retrain_loo(
    X: ArrayLike,
    y: ArrayLike,
    *,
    C: float = 1.0,
    indices: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
) -> LooRefit:
    """Refit the logistic model without each point, exactly.

    The model is that of `augcore.linear_model.LogisticRegression` with an intercept; refits are as exact as the
    rounding of their gradients allows.

    Parameters
    ----------
    X : (n, p) array-like of float32 or float64
    y : (n,) array-like
        Labels, two classes or more.
    C : float, default=1.0
        Inverse of the strength of the penalty, positive.
    indices : (m,) array-like of int or None
        The points to leave out, one at a time; None means all.
    sample_weight : (n,) array-like or None
        Weights of the points in the fits; removing a point of weight zero changes nothing.
    threads : int or None
        Threads of the kernels; None means the global setting. The result does not depend on it.

    Returns
    -------
    LooRefit
        A point without which a class has no weight has infinite changes, and coefficients that are NaN.

    Raises
    ------
    ValueError
        If an argument has a wrong shape or value, or y has one class only.
    TypeError
        If an argument has a wrong type or dtype.
    numpy.linalg.LinAlgError
        If the Hessian is singular to working precision: lower C.
    """
    objective, n_classes = _objective(X, y, C, sample_weight, threads)
    n = objective.n
    chosen = np.arange(n) if indices is None else _points("indices", indices, n)
    if objective.n_parameters > DENSE_LIMIT:
        raise ValueError(f"X: refits take at most {DENSE_LIMIT} parameters, got {objective.n_parameters}")
    full = _FullFit.of(objective)
    last = _last_of_their_class(objective, n_classes)
    m, rows = len(chosen), n_classes if n_classes > 2 else 1
    own, total = np.full(m, np.inf), np.full(m, np.inf)
    coef, intercept = np.full((m, rows, objective.X.shape[1]), np.nan), np.full((m, rows), np.nan)
    places = np.flatnonzero(~np.isin(chosen, last))
    step = max(1, _BATCH_VALUES // (n * objective.n_contrasts))
    for first in range(0, len(places), step):
        batch = places[first : first + step]
        thetas, own[batch], total[batch] = full.refits(chosen[batch])
        for place, theta in zip(batch, thetas, strict=True):
            coef[place], intercept[place] = split_parameters(theta, n_classes, True)
    if rows == 1:
        return LooRefit(own, total, coef[:, 0], intercept[:, 0])
    return LooRefit(own, total, coef, intercept)


def _points(name: str, indices: ArrayLike, n: int) -> NDArray[np.int64]:
    values = _validate.array(name, indices)
    if values.ndim != 1:
        raise ValueError(f"{name}: expected 1 dimension, got shape {values.shape}")
    chosen = _validate.indices(name, values, len(values))
    if len(chosen) and chosen.max() >= n:
        raise ValueError(f"{name}: must be below {n}, the number of points, got {chosen.max()}")
    return chosen


def _objective(
    X: ArrayLike, y: ArrayLike, C: float, sample_weight: ArrayLike | None, threads: int | None
) -> tuple[DenseObjective, int]:
    design = _validate.design("X", X)
    labels = _validate_models.label_array("y", y)
    if len(labels) != len(design):
        raise ValueError(f"y: expected length {len(design)}, got {len(labels)}")
    weight = _validate.sample_weight("sample_weight", sample_weight, len(design))
    l2 = 1.0 / _validate.real("C", C, low=1e-300)
    classes, codes = np.unique(labels, return_inverse=True)
    counted = np.ones(len(codes), dtype=bool) if weight is None else weight > 0
    if len(classes) < 2 or len(np.unique(codes[counted])) < len(classes):
        raise ValueError(f"y: every class needs a point, and there must be two; the labels are {classes.tolist()}")
    return objective_of(design, codes, len(classes), weight, l2, True, _validate.threads(threads)), len(classes)


def _last_of_their_class(objective: DenseObjective, n_classes: int) -> NDArray[np.intp]:
    counted = np.ones(objective.n, dtype=bool) if objective.weight is None else objective.weight > 0
    alone = np.flatnonzero(np.bincount(objective.codes[counted], minlength=n_classes) == 1)
    return np.flatnonzero(counted & np.isin(objective.codes, alone))


def _minimum(objective: DenseObjective, start: Floats, lower: Floats | None = None) -> Minimum:
    minimum = minimise(objective, start, _TOLERANCE, 200, lower)
    if not minimum.converged:  # as a rule by rounding alone
        gradient = objective.worst(objective.evaluate(minimum.theta)[1]) / objective.weight_sum
        if not gradient <= _WARNED:
            from sklearn.exceptions import ConvergenceWarning

            warnings.warn(
                f"a refit stopped where the largest gradient component is {gradient:.2g} of the sum of the weights; "
                "scale the features, or lower C",
                ConvergenceWarning,
                stacklevel=4,
            )
    return minimum


@dataclass(frozen=True)
class _FullFit:
    """The fit to all points: parameters, losses, curvatures (n, c, c) of c contrasts, and the factor."""

    objective: DenseObjective
    theta: Floats
    losses: Floats
    curvature: Floats
    factor: HessianFactor

    @classmethod
    def of(cls, objective: DenseObjective) -> _FullFit:
        minimum = _minimum(objective, np.zeros(objective.n_parameters))
        z = objective.predict(minimum.theta)
        factor = HessianFactor.of(objective.hessian(z), True, objective.n_contrasts, objective.threads)
        curvature = objective.curvature(z).reshape(len(z), objective.n_contrasts, objective.n_contrasts)
        return cls(objective, minimum.theta, objective.losses(z), curvature, factor)

    def refits(self, left_out: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
        """Parameters (m, q) without each of m points, and the changes of their own and of the total loss."""
        many = _Many(self.objective, left_out)
        corrections = _Corrections(self, left_out)
        thetas = np.tile(self.theta, (len(left_out), 1))
        going = np.arange(len(left_out))
        sizes = np.full(len(left_out), np.inf)
        for _ in range(_MAX_STEPS):
            if not len(going):
                break
            steps = -corrections.solve(many.gradients(thetas[going], going), going)
            thetas[going] += steps
            before, sizes[going] = sizes[going], np.abs(steps).max(axis=1)
            way = np.abs(thetas[going] - self.theta).max(axis=1)
            settled = sizes[going] <= np.maximum(_SETTLED * way, _ROUNDING * np.abs(thetas[going]).max(axis=1))
            slow = ~settled & ~(sizes[going] <= _FALL * before)
            for k in going[slow].tolist():
                thetas[k] = many.refit(k, self.theta, self.factor.lower)
            going = going[~settled & ~slow]
        for k in going.tolist():
            thetas[k] = many.refit(k, self.theta, self.factor.lower)
        own, total = many.loss_changes(thetas, self.losses)
        return thetas, own, total


class _Corrections:
    """Solves with H - w u S u', of the point u of each refit, by its c columns H^-1 u (Woodbury)."""

    def __init__(self, full: _FullFit, left_out: NDArray[np.intp]) -> None:
        objective, c = full.objective, full.objective.n_contrasts
        m, width = len(left_out), objective.width
        points = np.column_stack([objective.X[left_out].astype(np.float64), np.ones(m)])
        self.objective, self.factor, self.points = objective, full.factor, points
        columns = np.zeros((c, width, m, c))
        for k in range(c):
            columns[k, :, :, k] = points.T
        solved = _dispatch.cholesky_solve_many(full.factor.lower, columns.reshape(c * width, m * c), objective.threads)
        self.solved = np.ascontiguousarray(solved.reshape(c * width, m, c).transpose(1, 0, 2))
        spread = np.einsum("mj,mkjl->mkl", points, self.solved.reshape(m, c, width, c))
        weights = np.ones(m) if objective.weight is None else objective.weight[left_out]
        bent = weights[:, None, None] * full.curvature[left_out]
        # (I - w S A)^-1 w S; a point without which H is singular is left to the general fit by steps that do not fall.
        self.inner = np.linalg.pinv(np.eye(c) - bent @ spread) @ bent

    def solve(self, gradients: Floats, which: NDArray[np.intp]) -> Floats:
        """For rows (m, q) of gradients."""
        columns = np.ascontiguousarray(gradients.T)
        base = _dispatch.cholesky_solve_many(self.factor.lower, columns, self.objective.threads).T
        c, width = self.objective.n_contrasts, self.objective.width
        at_point = np.einsum("mj,mkj->mk", self.points[which], base.reshape(-1, c, width))
        share = np.einsum("mkl,ml->mk", self.inner[which], at_point)
        result: Floats = base + np.einsum("mqk,mk->mq", self.solved[which], share)
        return result


class _Many:
    """The objectives without each of m points, evaluated side by side."""

    def __init__(self, objective: DenseObjective, left_out: NDArray[np.intp]) -> None:
        self.objective = objective
        self.left_out = left_out

    def predict(self, thetas: Floats) -> Floats:
        """z of every refit and point: (m, n) or (m, n, c)."""
        objective = self.objective
        m, c = len(thetas), objective.n_contrasts
        right = np.ascontiguousarray(thetas.reshape(m * c, objective.width).T)
        z = _dispatch.product(objective.X, True, right, objective.threads).reshape(objective.n, m, c)
        return np.ascontiguousarray(z.transpose(1, 0, 2)).reshape(m, objective.n, *(c,) * (c > 1))

    def gradients(self, thetas: Floats, which: NDArray[np.intp]) -> Floats:
        """(m, q)."""
        objective = self.objective
        n, m, c = objective.n, len(thetas), objective.n_contrasts
        residuals = np.empty((n, m, c))
        for k, z in enumerate(self.predict(thetas)):
            residuals[:, k] = objective.residual(z).reshape(n, c)
        residuals[self.left_out[which], np.arange(m)] = 0.0
        sums = _dispatch.transposed_product(objective.X, True, residuals.reshape(n, m * c), objective.threads)
        result: Floats = np.ascontiguousarray(sums.T).reshape(m, -1) + objective.penalty * thetas
        return result

    def refit(self, k: int, theta: Floats, lower: Floats) -> Floats:
        """One refit by the general method."""
        objective = self.objective
        weight = np.ones(objective.n) if objective.weight is None else objective.weight.copy()
        weight[self.left_out[k]] = 0.0
        rest = objective_of(
            objective.X, objective.codes, objective.n_contrasts + 1, weight, objective.l2, True, objective.threads
        )
        return _minimum(rest, theta, lower).theta

    def loss_changes(self, thetas: Floats, before: Floats) -> tuple[Floats, Floats]:
        objective = self.objective
        changes = np.array([objective.losses(z) - before for z in self.predict(thetas)]).reshape(len(thetas), -1)
        own = changes[np.arange(len(thetas)), self.left_out]
        weighted = changes if objective.weight is None else changes * objective.weight
        if objective.weight is not None:
            nothing = objective.weight[self.left_out] == 0
            own[nothing] = 0.0
            weighted[nothing] = 0.0
        return own, weighted.sum(axis=1)
