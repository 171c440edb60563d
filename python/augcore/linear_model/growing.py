"""Fits of data that grow: each goes on from the last, with its rows, its optimum and its Hessian.

A few rows more move the optimum a little, so the Hessian of the last fit, brought up to date, makes steps almost as
good as Newton's. It is kept as a sum over the rows, with the curvature that each had when it was added. Of a new fit
only those rows are added, in single precision, whose curvature is another by now: the new ones, and old ones whose
probability or weight has changed. The gradients are exact, so the optimum is the same whatever the steps.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _validate
from augcore.linear_model.estimator import LogisticRegression
from augcore.linear_model.factor import HessianFactor
from augcore.linear_model.newton import DENSE_LIMIT, damped_factor, hessian_cost, update_cost
from augcore.linear_model.objective import DenseObjective, objective_of

__all__ = ["GrowingLogistic"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_STALE = 0.5  # of a curvature: a larger change is brought up to date,
_NEGLIGIBLE = 1e-3  # unless it is below this share of the largest curvature
_STEPS_SAVED = 6.0  # by an update, at least; it is made if it costs no more
_STEPS_OF_FEW_ROWS = 8  # that a fit takes with a Hessian that is up to date


class _Rows:
    """Rows and their codes, and the room behind them, which the first that goes on from here takes."""

    def __init__(self, X: NDArray[Any], codes: Indices, room: tuple[NDArray[Any], Indices] | None = None) -> None:
        self.X, self.codes = X, codes
        self._room = room

    def followed_by(self, X: NDArray[Any], codes: Indices, taken: Indices, most: int) -> _Rows:
        """These rows and then the rows `taken` of X; there will be `most` at most."""
        n, total = len(self.X), len(self.X) + len(taken)
        room, self._room = self._room, None
        if room is None:
            room = np.empty((most, self.X.shape[1]), self.X.dtype), np.empty(most, np.intp)
            room[0][:n], room[1][:n] = self.X, self.codes
        for source, target in zip((X, codes), room, strict=True):
            np.take(source, taken, axis=0, out=target[n:total], mode="clip")
        return _Rows(room[0][:total], room[1][:total], room)


class GrowingLogistic(LogisticRegression):
    """A fitted model that fits to more rows go on from. What it is given has been checked before.

    Made by `of`, and then by `grown`; otherwise a `LogisticRegression`.
    """

    _rows: _Rows
    _hessian: Floats | None  # of the objective, with the curvatures below; None where it is not kept
    _curvature: Floats  # (n,) weighted

    @classmethod
    def of(cls, model: LogisticRegression, X: NDArray[Any], codes: Indices) -> Self:
        """A fitted model, where X (n, p), C-contiguous, and the codes of the labels are what it was fitted on."""
        growing = cls.__new__(cls)
        growing.__dict__.update(model.__dict__)
        growing._rows = _Rows(X, codes)
        objective = growing._objective(None)
        growing._hessian = None
        theta, _ = growing._start(objective)
        if theta is not None and objective.n_contrasts == 1 and objective.n_parameters <= DENSE_LIMIT:
            growing._keep_hessian(objective, objective.predict(theta))
        return growing

    @property
    def keeps_hessian(self) -> bool:
        """Whether there is a `hessian_factor`: of two classes, and where so many coefficients have one formed."""
        return self._hessian is not None

    @property
    def X(self) -> NDArray[Any]:
        """(n, p) what the model was fitted on."""
        return self._rows.X

    @property
    def codes(self) -> Indices:
        """(n,) the labels as indices into `classes_`."""
        return self._rows.codes

    def grown(self, X: NDArray[Any], codes: Indices, taken: Indices, weight: Floats | None) -> Self:
        """The model of these rows and then the rows `taken` of X (m, p), in that order.

        Parameters
        ----------
        X : (m, p) ndarray
            Of the dtype of the rows so far, C-contiguous; all rows that are ever to be taken.
        codes : (m,) ndarray of intp
            Their labels as indices into `classes_`.
        taken : (k,) ndarray of intp
        weight : (n + k,) ndarray of float64 or None
            Weights of all rows, the old ones and the new.
        """
        model = type(self).__new__(type(self))
        model.__dict__.update(self.__dict__)
        model._rows = self._rows.followed_by(X, codes, taken, len(self._rows.X) + len(X))
        objective = model._objective(weight)
        start, lower = self._start(objective)
        if self._hessian is not None and start is not None:
            lower = model._update(self._hessian, objective, start, lower)
        return model._minimise(objective, self.classes_, self.tol, self.max_iter, start, lower)

    def _objective(self, weight: Floats | None) -> DenseObjective:
        l2, fit_intercept = self._penalty
        threads = _validate.threads(self.threads)
        return objective_of(self.X, self.codes, len(self.classes_), weight, l2, fit_intercept, threads)

    def _update(self, hessian: Floats, objective: DenseObjective, theta: Floats, lower: Floats | None) -> Floats | None:
        """The factor of the Hessian at theta, as good as it pays; before, it was `hessian`, and factored `lower`."""
        if hessian_cost(objective)[1]:
            return None
        z = objective.predict(theta)
        now = objective.mean_curvature(objective.curvature(z))
        then = np.zeros(objective.n)
        then[: len(self._curvature)] = self._curvature
        larger = np.maximum(now, then)
        stale = np.flatnonzero(np.abs(now - then) > _STALE * larger + _NEGLIGIBLE * np.max(larger))
        saved = max(_STEPS_SAVED, float(self.n_iter_[0] - _STEPS_OF_FEW_ROWS))
        if lower is not None and update_cost(objective, len(stale)) > saved:
            self._curvature = then
            return lower
        change = now[stale] - then[stale]
        rows, fit_intercept, threads = objective.X[stale], objective.fit_intercept, objective.threads
        hessian = hessian + _dispatch.weighted_gram(rows, fit_intercept, change, threads, single=True)
        lower = hessian.copy()
        if _dispatch.cholesky(lower, threads) >= 0:  # too little is left of it in single precision
            return damped_factor(self._keep_hessian(objective, z), threads)
        then[stale] = now[stale]
        self._hessian, self._curvature = hessian, then
        return lower

    def _keep_hessian(self, objective: DenseObjective, z: Floats, unpenalised: Floats | None = None) -> Floats:
        """The Hessian at z, exact, which fits that follow begin with."""
        hessian = objective.hessian(z, penalised=False) if unpenalised is None else unpenalised.copy()
        hessian[np.diag_indices_from(hessian)] += objective.penalty
        self._hessian, self._curvature = hessian, objective.mean_curvature(objective.curvature(z))
        return hessian

    @property
    def factor_(self) -> HessianFactor:
        """The Cholesky factor of the objective's Hessian at the fitted coefficients."""
        if self._factor is None and self.keeps_hessian and self._last is not None:
            self._factor = self.hessian_factor(self._penalty[0])
        return super().factor_

    def hessian_factor(self, ridge: float) -> HessianFactor:
        """Of the binary loss's Hessian at the fitted coefficients and this penalty on them, 1 / C or another.

        `numpy.linalg.LinAlgError` when it is singular to working precision.
        """
        objective, minimum = self._last or (None, None)
        if minimum is None or not isinstance(objective, DenseObjective):
            raise AttributeError("hessian_factor: what the model was fitted on is gone")
        hessian = objective.hessian(minimum.z, penalised=False)
        self._keep_hessian(objective, minimum.z, hessian)
        features = np.arange(objective.width - objective.fit_intercept)
        hessian[features, features] += ridge
        return HessianFactor.of(hessian, objective.fit_intercept, threads=objective.threads)
