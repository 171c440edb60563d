"""x' H^-1 x of points, where H is the Hessian of the penalised objective at the fitted points.

Primal: factor H. Dual, for fewer fitted points than features: their rows span few directions, and a rotation of the
features leaves the ridge as it is. With X' = Q R (Householder, so that equal rows do no harm) the rows of R' are the
points in an orthonormal basis Q of their span, and the problem is the same one with as many features as points. What
another point has beyond the span meets the ridge alone: it is one more feature, zero for the fitted points.

Features in float32 are multiplied in float32 where that saves time and H is conditioned well enough to bear it: that
is checked on the factor, and all is done in double where it is not.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _validate
from augcore.influence.points import Points, dense
from augcore.linear_model import HessianFactor
from augcore.linear_model.newton import DENSE_LIMIT

__all__ = ["SOLVERS", "Inverse", "PointSet", "check_size", "factored_inverse", "invert", "matching_factor", "penalty"]

Floats = NDArray[np.float64]

SOLVERS = ("auto", "cholesky", "dual")

_SINGLE_OPERATIONS = 3e7  # below it double takes no more than half a millisecond
_SINGLE_CONDITION = 1e-5  # of H scaled to a unit diagonal, the reciprocal: forms in single are then right to 1e-4 or so
_SINGLE_RANGE = 1e-15, 1e15  # of the factor, so that float32 holds the squares of its elements with room to spare
_SINGLE_LEAST = 1e-30  # forms below it may have lost digits to underflow


def penalty(l2: float, hessian_l2: float | None, damping: float, factor: Any = None) -> float:
    """H's ridge, which a given factor has already."""
    l2 = _validate.real("l2", l2, low=0.0)
    ridge = l2 if hessian_l2 is None else _validate.real("hessian_l2", hessian_l2, low=0.0)
    ridge += _validate.real("damping", damping, low=0.0)
    if np.isinf(ridge):
        raise ValueError("damping: l2 + damping is above the largest float64")
    if factor is not None and (hessian_l2 is not None or damping != 0):
        raise ValueError("factor: has the penalty of its fit; give either factor or hessian_l2 and damping")
    return ridge


@dataclass(frozen=True, eq=False)
class Inverse:
    """H^-1 as `Points.forms` takes it, in the coordinates of `basis` (p, m) where there is one."""

    prepared: Any
    basis: Floats | None = None
    single: bool = False

    def forms(self, part: Points) -> Floats:
        """Of the points of a block."""
        if self.basis is not None:
            inside = part.X @ self.basis
            beyond = np.linalg.norm(part.X - inside @ self.basis.T, axis=1)
            part = replace(part, X=np.column_stack([inside, beyond]))
        forms = part.forms(self.prepared, self.single)
        if self.single:
            sizes = np.abs(forms) if forms.ndim == 1 else np.abs(forms).max(axis=1)
            doubtful = ~(sizes >= _SINGLE_LEAST)
            if doubtful.any():
                forms[doubtful] = replace(part, X=part.X[doubtful]).forms(self.prepared, False)
        if not _validate.all_finite(forms):
            raise np.linalg.LinAlgError("x' H^-1 x overflows: the Hessian is nearly singular; raise l2 or damping")
        return forms


class PointSet(Protocol):
    """What a factor of H is made of, and an `Inverse` for: `Points`, or those that are read block by block."""

    @property
    def n(self) -> int: ...
    @property
    def q(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def n_contrasts(self) -> int: ...
    @property
    def fit_intercept(self) -> bool: ...
    @property
    def coef(self) -> Floats: ...
    @property
    def threads(self) -> int: ...
    def hessian(self, single: bool) -> Floats: ...
    def prepare(self, factor: HessianFactor) -> Any: ...


def invert(points: Points, fitted: Points, ridge: float, factor: Any, solver: str) -> tuple[Points, Inverse]:
    """H^-1 at the fitted points, and the points to score in coordinates that it takes."""
    _validate.choice("solver", solver, SOLVERS)
    if factor is not None and solver == "dual":
        raise ValueError("factor: solver='dual' makes its own")
    if factor is not None or not _takes_dual(fitted, ridge, solver):
        if factor is None and solver == "auto":
            check_size(fitted.n_contrasts * fitted.q)
        return points, factored_inverse(points, fitted, ridge, factor)

    p = fitted.q - fitted.fit_intercept
    basis, triangle = _householder(dense(fitted.X).T.astype(np.float64))
    coef = np.column_stack([_device.host(_device.beside(basis, fitted.coef[:, :p]) @ basis), fitted.coef[:, p:]])
    rows = _validate.contiguous("X", triangle.T)
    if points is not fitted:
        coef = np.insert(coef, rows.shape[1], 0.0, axis=1)
        rows = np.pad(rows, [(0, 0), (0, 1)])
    within = replace(fitted, X=rows, coef=np.ascontiguousarray(coef))
    try:
        prepared = within.prepare(_factor(within, ridge))
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError("the Hessian is singular to working precision; raise l2 or damping") from None
    return (within, Inverse(prepared)) if points is fitted else (points, Inverse(prepared, basis))


def _householder(columns: Floats) -> tuple[Floats, Floats]:
    if _device.is_device(columns):
        return np.linalg.qr(columns)

    from scipy.linalg import qr

    basis, triangle = qr(columns, mode="economic", check_finite=False)
    return basis, triangle


def factored_inverse(points: PointSet, fitted: PointSet, ridge: float, factor: Any = None) -> Inverse:
    """H^-1 for the points, by the factor of H at the fitted points, or by the given one."""
    single = _single_pays(points)
    if factor is not None:
        known = matching_factor(factor, points.coef, points.fit_intercept)
        return Inverse(points.prepare(known), single=single and _bears_single(known))
    found = _factor_in_single(fitted, ridge) if single and _single_pays(fitted) else None
    return Inverse(points.prepare(found or _factor(fitted, ridge)), single=found is not None)


def _takes_dual(fitted: Points, ridge: float, solver: str) -> bool:
    if solver == "dual" and ridge == 0:
        raise ValueError("solver: 'dual' needs l2 + damping above 0")
    if solver == "auto":
        return ridge > 0 and 0 < 2 * fitted.n < fitted.q
    return solver == "dual" and fitted.n > 0


def check_size(d: int, asked: str = "solver='cholesky'") -> None:
    """Refuses an H of d rows that is too large to be formed without being `asked` for."""
    if d > DENSE_LIMIT:
        raise ValueError(
            f"X: the Hessian has {d:,} rows, and no more than {DENSE_LIMIT:,} are formed unasked; take "
            f"sketched_quadratic_form, or {asked} if there are {2.4e-8 * d * d:,.0f} GB of memory"
        )


def _single_pays(points: PointSet) -> bool:
    blocks = points.n_contrasts * (points.n_contrasts + 1) // 2
    return bool(points.dtype == np.float32 and points.n * blocks * points.q**2 >= _SINGLE_OPERATIONS)


def _bears_single(factor: HessianFactor) -> bool:
    least, most = _SINGLE_RANGE
    in_range = np.diag(factor.lower).min() >= least and _dispatch.within(factor.lower.ravel(), most)
    return bool(in_range and factor.reciprocal_condition >= _SINGLE_CONDITION)


def _factor_in_single(fitted: PointSet, ridge: float) -> HessianFactor | None:
    """None where single precision does not do."""
    with contextlib.suppress(np.linalg.LinAlgError):
        hessian = _hessian(fitted, ridge, single=True)
        if _validate.all_finite(hessian):
            factor = HessianFactor.of(hessian, fitted.fit_intercept, fitted.n_contrasts, fitted.threads)
            return factor if _bears_single(factor) else None
    return None


def _factor(fitted: PointSet, ridge: float) -> HessianFactor:
    hessian = _hessian(fitted, ridge, single=False)
    return HessianFactor.of(hessian, fitted.fit_intercept, fitted.n_contrasts, fitted.threads)


def _hessian(fitted: PointSet, ridge: float, single: bool) -> Floats:
    """H = sum_i w_i S_i (x) x_i x_i' + ridge I over the fitted points, the intercepts not penalised."""
    hessian = fitted.hessian(single)
    features = _device.namespace(hessian).arange(len(hessian))
    if fitted.fit_intercept:
        features = features[features % fitted.q != fitted.q - 1]
    hessian[features, features] += ridge
    return hessian


def matching_factor(factor: Any, coef: Floats, intercept: bool) -> HessianFactor:
    """A factor of the Hessian of a model with these coefficients (rows, q)."""
    if not isinstance(factor, HessianFactor):
        raise TypeError(f"factor: expected the factor_ of a LogisticRegression, got {_validate.describe(factor)}")
    if len(coef) == 2:
        raise ValueError("factor: is of a binary model, but coef has two rows; give their difference as one row")
    n_contrasts = max(1, len(coef) - 1)

    def text(n: int, n_contrasts: int, intercept: bool) -> str:
        model = f"{n_contrasts + 1} classes" if n_contrasts > 1 else "two classes"
        return f"{n} coefficients of {model} {'with' if intercept else 'without'} an intercept"

    given = factor.lower.shape[0], factor.n_contrasts, factor.fit_intercept
    wanted = n_contrasts * coef.shape[1], n_contrasts, intercept
    if given != wanted:
        raise ValueError(f"factor: is for {text(*given)}, but coef and intercept have {text(*wanted)}")
    return factor
