"""The objective of a fit: sum_i w_i log_loss_i + l2/2 |coef|^2, binary or softmax, the intercept not penalised.

The parameters are one vector: the coefficients with the intercept last, of a softmax model those of its K - 1
contrasts, one after the other (`augcore._multinomial`). The design matrix is read in two kinds of passes only:
`predict` (the linear predictors z of all points) and `gradient` (from the residuals at z); all else is arithmetic on z.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _multinomial

__all__ = ["BinaryObjective", "Objective", "SoftmaxObjective", "objective_of", "split_parameters"]

Floats = NDArray[np.float64]


@dataclass
class Objective(ABC):
    """The penalised objective of one data set; X, codes and weight are in the form the kernels take.

    z is (n,) for a binary model and (n, K - 1) for a softmax one.
    """

    X: NDArray[Any]
    codes: NDArray[np.intp]
    weight: Floats | None
    l2: float
    fit_intercept: bool
    n_contrasts: int
    threads: int

    def __post_init__(self) -> None:
        self.width = self.X.shape[1] + self.fit_intercept
        penalty = np.full((self.n_contrasts, self.width), self.l2)
        if self.fit_intercept:
            penalty[:, -1] = 0.0
        self.penalty = penalty.ravel()
        self.weight_sum = float(len(self.X)) if self.weight is None else float(np.sum(self.weight))

    def gradient(self, residual: Floats, theta: Floats) -> Floats:
        """From the weighted residuals at theta."""
        columns = residual.reshape(len(self.X), self.n_contrasts)
        total = _dispatch.sum_of_rows(self.X, self.fit_intercept, columns, self.threads).ravel()
        total += self.penalty * theta
        return total

    def evaluate(self, theta: Floats) -> tuple[Floats, Floats]:
        """z and the gradient at theta."""
        z = self.predict(theta)
        return z, self.gradient(self.residual(z), theta)

    def rounded(self) -> Objective | None:
        """Almost the same objective, whose X is read faster, where there is one."""
        return None

    def hessian(self, z: Floats, single: bool = False) -> Floats:
        """(q, q) for q parameters; of float tiles if `single`."""
        total = self._summed_hessian(z, single)
        total[np.diag_indices_from(total)] += self.penalty
        return total

    def hessian_at(self, theta: Floats) -> Floats:
        """The Hessian at theta."""
        return self.hessian(self.predict(theta))

    def curvature_product(self, curvature: Floats, vector: Floats) -> Floats:
        """The Hessian times a vector, from the `curvature` of all points: two passes over X."""
        return self.gradient(self.bend(curvature, self.predict(vector)), vector)

    def shared_hessian(self, curvature: Floats) -> Floats:
        """One block (width, width) that stands for every contrast: the Gram matrix of the mean curvature."""
        block = _dispatch.weighted_gram(self.X, self.fit_intercept, self.mean_curvature(curvature), self.threads)
        block[np.diag_indices_from(block)] += self.penalty[: self.width]
        return block

    @abstractmethod
    def predict(self, theta: Floats) -> Floats:
        """z of all points; linear in theta."""

    @abstractmethod
    def losses(self, z: Floats) -> Floats:
        """(n,) unweighted."""

    @abstractmethod
    def residual(self, z: Floats) -> Floats:
        """The weighted derivatives of the losses in z."""

    @abstractmethod
    def curvature(self, z: Floats) -> Floats:
        """The unweighted second derivatives in z: (n,), or (n, K - 1, K - 1)."""

    @abstractmethod
    def bend(self, curvature: Floats, dz: Floats) -> Floats:
        """The weighted curvatures times dz."""

    @abstractmethod
    def mean_curvature(self, curvature: Floats) -> Floats:
        """(n,) weighted, the mean over the contrasts."""

    @abstractmethod
    def worst(self, gradient: Floats) -> float:
        """The largest component of the gradient in the coefficients of the classes, in size."""

    @abstractmethod
    def _summed_hessian(self, z: Floats, single: bool) -> Floats: ...

    def _weighted(self, values: Floats) -> Floats:
        if self.weight is not None:
            values *= self.weight.reshape(-1, *(1,) * (values.ndim - 1))
        return values


class BinaryObjective(Objective):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.y = self.codes.astype(np.float64)

    def predict(self, theta: Floats) -> Floats:
        return _dispatch.linear_predictor(self.X, self.fit_intercept, theta, self.threads)

    def evaluate(self, theta: Floats) -> tuple[Floats, Floats]:
        z, total = _dispatch.gradient(self.X, self.fit_intercept, theta, self.y, self.weight, self.threads)
        total += self.penalty * theta
        return z, total

    def rounded(self) -> Objective | None:
        if self.X.dtype == np.float32:
            return None
        try:
            with np.errstate(over="raise", under="ignore"):
                return replace(self, X=self.X.astype(np.float32))
        except (FloatingPointError, MemoryError):
            return None

    def losses(self, z: Floats) -> Floats:
        return _dispatch.log_loss(z, self.y, self.threads)

    def residual(self, z: Floats) -> Floats:
        return self._weighted(_dispatch.residual(z, self.y, self.threads))

    def curvature(self, z: Floats) -> Floats:
        return _dispatch.curvature(z, self.threads)

    def bend(self, curvature: Floats, dz: Floats) -> Floats:
        return self._weighted(curvature * dz)

    def mean_curvature(self, curvature: Floats) -> Floats:
        return self._weighted(curvature.copy())

    def worst(self, gradient: Floats) -> float:
        return float(np.abs(gradient).max())

    def hessian_at(self, theta: Floats) -> Floats:
        # Predictors and curvatures of rows that stay in the cache; the bits are those of `hessian`.
        sums = _dispatch.LogisticSums(self.X.shape[1], self.fit_intercept, 2, theta)
        sums.add(self.X, self.y, self.weight, self.threads)
        total = sums.total(self.threads)[2]
        total[np.diag_indices_from(total)] += self.penalty
        return total

    def _summed_hessian(self, z: Floats, single: bool) -> Floats:
        curvature = self.mean_curvature(self.curvature(z))
        return _dispatch.weighted_gram(self.X, self.fit_intercept, curvature, self.threads, single)


class SoftmaxObjective(Objective):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.basis = _multinomial.contrasts(self.n_contrasts + 1)

    def predict(self, theta: Floats) -> Floats:
        rows = theta.reshape(self.n_contrasts, self.width)
        return _dispatch.linear_predictor(self.X, self.fit_intercept, rows, self.threads)

    def _logits(self, z: Floats) -> Floats:
        """(n, K), class after class in memory: sums and maxima over the classes are then taken over whole vectors."""
        logits: Floats = (self.basis.T @ z.T).T
        return logits

    def losses(self, z: Floats) -> Floats:
        return _multinomial.log_loss(self._logits(z), self.codes)

    def residual(self, z: Floats) -> Floats:
        return self._weighted(_multinomial.residual(self._logits(z), self.codes) @ self.basis.T)

    def curvature(self, z: Floats) -> Floats:
        packed = _multinomial.curvature(_multinomial.probabilities(self._logits(z)))
        full = np.empty((len(z), self.n_contrasts, self.n_contrasts))
        for index, (k, m) in enumerate(_multinomial.pairs(self.n_contrasts)):
            full[:, k, m] = full[:, m, k] = packed[:, index]
        return full

    def bend(self, curvature: Floats, dz: Floats) -> Floats:
        return self._weighted(np.einsum("nkm,nm->nk", curvature, dz))

    def mean_curvature(self, curvature: Floats) -> Floats:
        return self._weighted(np.einsum("nkk->n", curvature) / self.n_contrasts)

    def worst(self, gradient: Floats) -> float:
        return float(np.max(np.abs(self.basis.T @ gradient.reshape(self.n_contrasts, self.width))))

    def _summed_hessian(self, z: Floats, single: bool) -> Floats:
        return _multinomial.hessian(self.X, self.fit_intercept, self._logits(z), self.weight, self.threads, single)


def objective_of(
    X: NDArray[Any],
    codes: NDArray[np.intp],
    n_classes: int,
    weight: Floats | None,
    l2: float,
    fit_intercept: bool,
    threads: int,
) -> Objective:
    """codes: 0 ... n_classes - 1."""
    kind = BinaryObjective if n_classes == 2 else SoftmaxObjective
    return kind(X, codes, weight, l2, fit_intercept, n_classes - 1, threads)


def split_parameters(theta: Floats, n_classes: int, fit_intercept: bool) -> tuple[Floats, Floats]:
    """coef_ (1, p) or (K, p) and intercept_ (1,) or (K,) of the parameters of an objective."""
    rows = theta.reshape(n_classes - 1, -1)
    table = rows if n_classes == 2 else _multinomial.contrasts(n_classes).T @ rows
    if not fit_intercept:
        return np.array(table), np.zeros(len(table))
    return table[:, :-1].copy(), table[:, -1].copy()
