"""The Cholesky factor of a Hessian, as the fit leaves it and influence takes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _validate

__all__ = ["HessianFactor"]

Floats = NDArray[np.float64]

_LEAST_CONDITION = 1e-14  # the reciprocal, of H in units in which its diagonal is 1: below it no digit is left
_SUSPECT_PIVOT = 1e-3  # of the root of its diagonal element: with larger ones the condition is not near that


@dataclass(frozen=True, eq=False)
class HessianFactor:
    """The Cholesky factor of the Hessian of a fitted model.

    Attributes
    ----------
    lower : (q, q) ndarray of float64, or CuPy array
        L with H = L L'. q is the number of features, plus one for the intercept, which comes last; of a multinomial
        model, that times `n_contrasts`, contrast after contrast (`augcore._multinomial`).
    fit_intercept : bool
        Whether the last row and column (of each contrast) belong to an intercept.
    n_contrasts : int, default=1
        1 for a binary model, the number of classes less one for a multinomial one.
    """

    lower: Floats
    fit_intercept: bool
    n_contrasts: int = 1

    def __post_init__(self) -> None:
        _check_square("lower", self.lower)
        diagonal = np.diag(self.lower)
        if not (diagonal > 0).all() or not _validate.all_finite(self.lower):
            raise ValueError("lower: expected a Cholesky factor: finite, with a positive diagonal")

    def __getstate__(self) -> dict[str, Any]:
        """On the host: who reads it may have no GPU."""
        return {**self.__dict__, "lower": _device.host(self.lower)}

    @classmethod
    def of(cls, hessian: Floats, fit_intercept: bool, n_contrasts: int = 1, threads: int = 0) -> HessianFactor:
        """Factor a symmetric positive definite matrix, which is overwritten; 0 threads are the global setting.

        `numpy.linalg.LinAlgError` when it is singular to working precision.
        """
        _check_square("hessian", hessian)
        if not _validate.all_finite(hessian):
            raise ValueError("hessian: contains NaN or infinity")
        column = _dispatch.cholesky(hessian, threads)
        if column >= 0:
            q = len(hessian) // n_contrasts
            which = "of the intercept" if fit_intercept and column % q == q - 1 else f"of feature {column % q}"
            raise np.linalg.LinAlgError(
                f"the Hessian is singular to working precision (found at the column {which}); "
                "raise l2 (a smaller C) or damping, or drop features that depend on others"
            )
        factor = cls(hessian, fit_intercept, n_contrasts)
        factor._check_condition()
        return factor

    @cached_property
    def reciprocal_condition(self) -> float:
        """1 / cond_1 of H scaled to a unit diagonal, estimated: between 0 and 1, whatever the units of the features."""
        return _dispatch.reciprocal_condition(self.lower)

    def _check_condition(self) -> None:
        roots = np.sqrt(np.einsum("ij,ij->i", self.lower, self.lower))
        if (np.diag(self.lower) >= _SUSPECT_PIVOT * roots).all():
            return
        if self.reciprocal_condition < _LEAST_CONDITION:
            condition = 1.0 / self.reciprocal_condition
            raise np.linalg.LinAlgError(
                f"the Hessian is singular to working precision: its condition is about {condition:.1g}; "
                "raise l2 (a smaller C) or damping, or drop features that nearly depend on others"
            )

    def solve(self, b: Floats) -> Floats:
        """H^-1 b for one vector."""
        x = _validate.vector("b", b, len(self.lower), device=_device.is_device(self.lower)).copy()
        _dispatch.cholesky_solve(self.lower, x)
        return x


def _check_square(name: str, matrix: Any) -> None:
    """The form in which the kernels take a matrix: (q, q), float64, C-contiguous, q at least 1."""
    if not (isinstance(matrix, np.ndarray) or _device.is_device(matrix)) or matrix.dtype != np.float64:
        raise TypeError(f"{name}: expected an array of float64, got {_validate.describe(matrix)}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size or not matrix.flags.c_contiguous:
        raise ValueError(f"{name}: expected a square, C-contiguous matrix, got shape {matrix.shape}")
