"""The objective of a fit: sum_i w_i log_loss_i + l2/2 |coef|^2, binary or softmax, the intercept not penalised.

The parameters are one vector: the coefficients with the intercept last, of a softmax model those of its K - 1
contrasts, one after the other (`augcore._multinomial`). Of samples in memory the design matrix is read in two kinds of
passes only: `predict` (the linear predictors z of all points) and `gradient` (from the residuals at z); all else is
arithmetic on z. Samples that come block by block are read anew for each sum (`streamed`), with the same bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _multinomial

__all__ = [
    "BinaryObjective",
    "DenseObjective",
    "Objective",
    "SoftmaxObjective",
    "objective_of",
    "split_parameters",
]

Floats = NDArray[np.float64]


class Objective(ABC):
    """What a fit minimises: all that `newton` asks of it. `z` is what `evaluate` gives it, and means nothing to it.

    Attributes: n, width (of (X, 1)), n_contrasts, fit_intercept, threads, penalty (of each parameter), weight_sum.
    """

    hessian_is_known = False  # from `evaluate`

    n: int
    l2: float
    fit_intercept: bool
    n_contrasts: int
    threads: int
    width: int
    weight_sum: float

    @cached_property
    def penalty(self) -> Floats:
        penalty = np.full((self.n_contrasts, self.width), self.l2)
        if self.fit_intercept:
            penalty[:, -1] = 0.0
        return penalty.ravel()

    @property
    def n_parameters(self) -> int:
        return self.n_contrasts * self.width

    def worst(self, gradient: Floats) -> float:
        """The largest component of the gradient in the coefficients of the classes, in size."""
        if self.n_contrasts > 1:
            basis = _multinomial.contrasts(self.n_contrasts + 1)
            gradient = basis.T @ gradient.reshape(self.n_contrasts, self.width)
        return float(np.max(np.abs(gradient)))

    def hessian(self, z: Any, single: bool = False, penalised: bool = True) -> Floats:
        """(q, q) for q parameters; of float tiles if `single`."""
        total = self._summed_hessian(z, single)
        if penalised:
            total[np.diag_indices_from(total)] += _device.beside(total, self.penalty)
        return total

    def shared_hessian(self, curvature: Any) -> Floats:
        """One block (width, width) that stands for every contrast: the Gram matrix of the mean curvature."""
        block = self._mean_gram(curvature)
        block[np.diag_indices_from(block)] += _device.beside(block, self.penalty[: self.width])
        return block

    @abstractmethod
    def evaluate(self, theta: Floats) -> tuple[Any, Floats]:
        """z and the gradient at theta."""

    @abstractmethod
    def slope(self, z: Any, end: Any, length: float) -> float:
        """The derivative of the loss along the line from z to end, at z + length (end - z)."""

    @abstractmethod
    def rounded(self) -> Objective | None:
        """Almost the same objective, whose X is read faster, where there is one."""

    @abstractmethod
    def curvature(self, z: Any) -> Any:
        """The second derivatives of the losses at z, for the two functions that take them."""

    @abstractmethod
    def curvature_product(self, curvature: Any, vector: Floats) -> Floats:
        """The Hessian times a vector, from the `curvature` of all points."""

    @abstractmethod
    def _summed_hessian(self, z: Any, single: bool) -> Floats: ...

    @abstractmethod
    def _mean_gram(self, curvature: Any) -> Floats: ...


@dataclass
class DenseObjective(Objective):
    """The penalised objective of samples in memory; X, codes and weight are in the form the kernels take.

    z are the linear predictors: (n,) for a binary model and (n, K - 1) for a softmax one. They and Hessians are where
    X, codes and weight are, on the host or on a GPU; parameters and gradients are on the host.
    """

    X: NDArray[Any]
    codes: NDArray[np.intp]
    weight: Floats | None
    l2: float
    fit_intercept: bool
    n_contrasts: int
    threads: int

    def __post_init__(self) -> None:
        self.n = len(self.X)
        self.width = self.X.shape[1] + self.fit_intercept

    @cached_property
    def weight_sum(self) -> float:  # type: ignore[override]
        return float(self.n) if self.weight is None else self._summed(self.weight)

    def _summed(self, values: Floats) -> float:
        """The sum over the samples, of all columns: over the tiles that all sums are taken over."""
        columns = values.reshape(self.n, -1)
        no_columns = _device.namespace(values).empty((self.n, 0))
        return float(np.sum(_dispatch.sum_of_rows(no_columns, True, columns, self.threads)))

    def evaluate(self, theta: Floats) -> tuple[Floats, Floats]:
        z = self.predict(theta)
        return z, self.gradient(self.residual(z), theta)

    def gradient(self, residual: Floats, theta: Floats) -> Floats:
        """From the weighted residuals at theta."""
        columns = residual.reshape(self.n, self.n_contrasts)
        total = _dispatch.sum_of_rows(self.X, self.fit_intercept, columns, self.threads).ravel()
        total += self.penalty * theta
        return total

    def slope(self, z: Floats, end: Floats, length: float) -> float:
        return self._summed(self.along(z, end, length))

    def along(self, z: Floats, end: Floats, length: float) -> Floats:
        """The terms of the slope: (n,) or (n, K - 1)."""
        dz = end - z
        terms: Floats = dz * self.residual(z + length * dz)
        return terms

    def rounded(self) -> Objective | None:
        return None

    def curvature_product(self, curvature: Floats, vector: Floats) -> Floats:
        return self.gradient(self.bend(curvature, self.predict(vector)), vector)

    def part(self, rows: slice) -> Self:
        """The same objective of some of the samples."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, X=self.X[rows], codes=self.codes[rows], weight=weight)

    def add_curvatures(self, sums: _multinomial.HessianSums, z: Floats) -> None:
        """Add these samples to a Hessian."""
        softmax = self.n_contrasts > 1
        step = _multinomial.block_rows(self.X.shape[1], self.n_contrasts) if softmax else max(1, self.n)
        for first in range(0, self.n, step):
            rows = slice(first, first + step)
            sums.add(self.X[rows], self.part(rows).packed_curvature(z[rows]), self.threads)

    def _summed_hessian(self, z: Floats, single: bool) -> Floats:
        sums = _multinomial.HessianSums(self.X.shape[1], self.fit_intercept, self.n_contrasts, single, like=self.X)
        self.add_curvatures(sums, z)
        return sums.total(self.threads)

    def _mean_gram(self, curvature: Floats) -> Floats:
        return _dispatch.weighted_gram(self.X, self.fit_intercept, self.mean_curvature(curvature), self.threads)

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
    def packed_curvature(self, z: Floats) -> Floats:
        """The weighted second derivatives in z, packed as `_multinomial.HessianSums` takes them."""

    @abstractmethod
    def bend(self, curvature: Floats, dz: Floats) -> Floats:
        """The weighted curvatures times dz."""

    @abstractmethod
    def mean_curvature(self, curvature: Floats) -> Floats:
        """(n,) weighted, the mean over the contrasts."""

    def _weighted(self, values: Floats) -> Floats:
        if self.weight is not None:
            values *= self.weight.reshape(-1, *(1,) * (values.ndim - 1))
        return values


class BinaryObjective(DenseObjective):
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
        if self.X.dtype == np.float32 or _device.is_device(self.X):
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

    def packed_curvature(self, z: Floats) -> Floats:
        return self.mean_curvature(self.curvature(z))[:, None]

    def bend(self, curvature: Floats, dz: Floats) -> Floats:
        return self._weighted(curvature * dz)

    def mean_curvature(self, curvature: Floats) -> Floats:
        return self._weighted(curvature.copy())


class SoftmaxObjective(DenseObjective):
    def predict(self, theta: Floats) -> Floats:
        rows = theta.reshape(self.n_contrasts, self.width)
        return _dispatch.linear_predictor(self.X, self.fit_intercept, rows, self.threads)

    def _logits(self, z: Floats) -> Floats:
        """(n, K), class after class in memory: sums and maxima over the classes are then taken over whole vectors."""
        logits: Floats = _device.namespace(z).asfortranarray(_multinomial.from_contrasts(z))
        return logits

    def losses(self, z: Floats) -> Floats:
        return _multinomial.log_loss(self._logits(z), self.codes)

    def residual(self, z: Floats) -> Floats:
        return self._weighted(_multinomial.to_contrasts(_multinomial.residual(self._logits(z), self.codes)))

    def curvature(self, z: Floats) -> Floats:
        packed = _multinomial.curvature(_multinomial.probabilities(self._logits(z)))
        return _multinomial.unpacked(packed, self.n_contrasts)

    def packed_curvature(self, z: Floats) -> Floats:
        return self._weighted(_multinomial.curvature(_multinomial.probabilities(self._logits(z))))

    def bend(self, curvature: Floats, dz: Floats) -> Floats:
        return self._weighted(np.einsum("nkm,nm->nk", curvature, dz))

    def mean_curvature(self, curvature: Floats) -> Floats:
        return self._weighted(np.einsum("nkk->n", curvature) / self.n_contrasts)


def objective_of(
    X: NDArray[Any],
    codes: NDArray[np.intp],
    n_classes: int,
    weight: Floats | None,
    l2: float,
    fit_intercept: bool,
    threads: int,
) -> DenseObjective:
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
