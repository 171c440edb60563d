"""Leave-one-out influence of logistic models: what each training point costs its own loss when it is removed.

All of it is one factor and one quadratic form. H is the Hessian of the objective that the model minimised, H = L L',
and for each point x (with a one for the intercept) the kernel gives q = x' H^-1 x = |L^-1 x|^2. With the residual
r = p - y, the sample weight w and the curvature p (1 - p) follow

    influence    -w r^2 q                       (Koh and Liang 2017, eq. 2, at the point itself)
    leverage     h = w p (1 - p) q              (Pregibon 1981)
    ALO          loss(eta + w r q / (1 - h)) - loss(eta)   (Beirami et al. 2017; Rad and Maleki 2020)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _dispatch, _validate
from augcore.linear_model import HessianFactor

__all__ = ["leverage", "log_loss", "loo_influence", "loo_loss_change", "margin", "residual"]

Floats = NDArray[np.float64]

_SOLVERS = ("auto", "cholesky")


@dataclass(frozen=True)
class _Points:
    """The points to score and the coefficients, checked: `coef` has the intercept last."""

    X: NDArray[Any]
    y: Floats
    coef: Floats
    fit_intercept: bool
    classes: NDArray[Any]
    threads: int

    @classmethod
    def of(
        cls,
        X: ArrayLike,
        y: ArrayLike,
        coef: ArrayLike,
        intercept: ArrayLike | None,
        classes: ArrayLike | None,
        threads: int | None,
        labels: tuple[str, ArrayLike] | None = None,
    ) -> _Points:
        """`labels` names the array that the classes are read from where they are not given; y by default."""
        design = _validate.design("X", X)
        values = _validate.coefficients(coef, intercept, design.shape[1])
        known = _validate.two_classes(*(labels or ("y", y)), classes)
        codes = _validate.binary_codes("y", y, known, len(design))
        return cls(design, codes, values, intercept is not None, known, _validate.threads(threads))

    def eta(self) -> Floats:
        return _dispatch.linear_predictor(self.X, self.fit_intercept, self.coef, self.threads)


def _quadratic_form(points: _Points, factor: HessianFactor) -> Floats:
    """x' H^-1 x of every point: (n,)."""
    q = _dispatch.inverse_quadratic_form(points.X, points.fit_intercept, factor.lower, points.threads)
    if not _validate.all_finite(q):
        raise np.linalg.LinAlgError("x' H^-1 x overflows: the Hessian is nearly singular; raise l2 or damping")
    return q


def _factor(
    points: _Points,
    fit: tuple[NDArray[Any], Floats, Floats | None],
    l2: float,
    damping: float,
) -> HessianFactor:
    """The factor of H = sum_i w_i p_i (1 - p_i) x_i x_i' + (l2 + damping) I over the fitted points."""
    X, y, weight = fit
    sums = _dispatch.LogisticSums(X.shape[1], points.fit_intercept, 2, points.coef)
    sums.add(X, y, weight, points.threads)
    hessian = sums.total(points.threads)[2]
    diagonal = np.arange(X.shape[1])
    hessian[diagonal, diagonal] += l2 + damping
    return HessianFactor.of(hessian, points.fit_intercept)


def _check_factor(factor: Any, points: _Points) -> HessianFactor:
    if not isinstance(factor, HessianFactor):
        raise TypeError(f"factor: expected the factor_ of a LogisticRegression, got {_validate.describe(factor)}")
    if factor.lower.shape[0] != len(points.coef) or factor.fit_intercept != points.fit_intercept:
        raise ValueError(
            f"factor: is for {factor.lower.shape[0]} coefficients "
            f"{'with' if factor.fit_intercept else 'without'} an intercept, but coef and intercept have "
            f"{len(points.coef)} {'with' if points.fit_intercept else 'without'} one"
        )
    return factor


def _penalty(l2: float, hessian_l2: float | None, damping: float) -> tuple[float, float]:
    """The two parts of H's ridge."""
    l2 = _validate.real("l2", l2, low=0.0)
    penalty = l2 if hessian_l2 is None else _validate.real("hessian_l2", hessian_l2, low=0.0)
    return penalty, _validate.real("damping", damping, low=0.0)


def _output(out: Any, n: int) -> Floats:
    if out is None:
        return np.empty(n)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an ndarray or None, got {_validate.describe(out)}")
    if out.dtype != np.float64 or out.shape != (n,) or not out.flags.writeable:
        raise ValueError(f"out: expected a writable float64 array of shape ({n},), got {_validate.describe(out)}")
    return out


def loo_influence(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    fit_X: ArrayLike | None = None,
    fit_y: ArrayLike | None = None,
    fit_sample_weight: ArrayLike | None = None,
    factor: HessianFactor | None = None,
    solver: str = "auto",
    threads: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """Leave-one-out influence of every point on its own loss, ``-w_i g_i' H^-1 g_i``.

    Never positive; about minus the rise of the point's own loss when it is removed and the model refitted, hence large
    in size for the points the model would miss most. `loo_loss_change` is closer to it where points have leverage.

    Parameters
    ----------
    X : (n, p) array-like of float32 or float64
        Points to score.
    y : (n,) array-like
        Their labels.
    coef : (p,) or (1, p) array-like
        Coefficients; the second of the sorted classes is the positive one.
    intercept : float, (1,) array-like or None, default=0.0
        The intercept; None if the model has none, so that H has no row for it.
    l2 : float, default=0.0
        The penalty that the model was fitted with, ``l2/2 |coef|^2``; 1/C. The intercept is not penalised.
    classes : (2,) array-like or None
        The two labels, the positive one last. None: the sorted labels of `fit_y` if given, else of `y`.
    sample_weight : (n,) array-like or None
        Weights w of the points in the fit. Not used in H when `fit_X` or `factor` is given.
    hessian_l2 : float or None
        The penalty in H where it is to differ from `l2`.
    damping : float, default=0.0
        Added to `l2` in H.
    fit_X, fit_y, fit_sample_weight : array-like or None
        The points that the model was fitted on, where they are not X and y.
    factor : HessianFactor or None
        The factor of H, `LogisticRegression.factor_`, in place of all that H is computed from.
    solver : {"auto", "cholesky"}, default="auto"
        How H is inverted.
    threads : int or None
        Threads of the kernels; None means the global setting. The result does not depend on it.
    out : (n,) ndarray of float64 or None
        Where to put the result.

    Returns
    -------
    (n,) ndarray of float64

    Raises
    ------
    ValueError
        If an argument has a wrong shape or value, or y has labels that are not in `classes`.
    TypeError
        If an argument has a wrong type or dtype.
    numpy.linalg.LinAlgError
        If H is singular to working precision: raise l2 or damping.
    """
    _validate.choice("solver", solver, _SOLVERS)
    labels = None if fit_y is None else ("fit_y", fit_y)
    points = _Points.of(X, y, coef, intercept, classes, threads, labels)
    weight = _validate.sample_weight("sample_weight", sample_weight, len(points.X))
    result = _output(out, len(points.X))
    fitted = _fitted_points(points, weight, fit_X, fit_y, fit_sample_weight)
    if factor is None:
        factor = _factor(points, fitted, *_penalty(l2, hessian_l2, damping))
    elif fit_X is not None:
        raise ValueError("factor: give either factor or fit_X and fit_y, not both")
    factor = _check_factor(factor, points)
    result[:] = _dispatch.loo_influence(points.eta(), points.y, weight, _quadratic_form(points, factor), points.threads)
    return result


def _fitted_points(
    points: _Points, weight: Floats | None, fit_X: Any, fit_y: Any, fit_sample_weight: Any
) -> tuple[NDArray[Any], Floats, Floats | None]:
    if (fit_X is None) != (fit_y is None):
        raise ValueError("fit_y: fit_X and fit_y are given together or not at all")
    if fit_X is None:
        if fit_sample_weight is not None:
            raise ValueError("fit_sample_weight: needs fit_X and fit_y")
        return points.X, points.y, weight
    design = _validate.design("fit_X", fit_X, columns=points.X.shape[1])
    codes = _validate.binary_codes("fit_y", fit_y, points.classes, len(design))
    return design, codes, _validate.sample_weight("fit_sample_weight", fit_sample_weight, len(design))


def _own_quadratic_form(
    points: _Points,
    weight: Floats | None,
    l2: float,
    hessian_l2: float | None,
    damping: float,
    factor: HessianFactor | None,
) -> Floats:
    """x' H^-1 x of points that are the fitted ones."""
    if factor is None:
        factor = _factor(points, (points.X, points.y, weight), *_penalty(l2, hessian_l2, damping))
    return _quadratic_form(points, _check_factor(factor, points))


def loo_loss_change(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    factor: HessianFactor | None = None,
    threads: int | None = None,
) -> Floats:
    """The rise of each point's own loss when it is removed, by one Newton step with leverage (ALO).

    ``loss(eta + w r q / (1 - h)) - loss(eta)``: the loss at the moved logit, with q = x' H^-1 x and the leverage
    h = w p (1 - p) q. X and y are the points that the model was fitted on. Never negative; +inf where h reaches 1 or a
    class would be empty, that is where the fit would break down without the point.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = _Points.of(X, y, coef, intercept, classes, threads)
    weight = _validate.sample_weight("sample_weight", sample_weight, len(points.X))
    q = _own_quadratic_form(points, weight, l2, hessian_l2, damping, factor)
    change = _dispatch.loo_loss_change(points.eta(), points.y, weight, q, points.threads)
    change[_last_of_their_class(points.y, weight)] = np.inf
    return change


def _last_of_their_class(y: Floats, weight: Floats | None) -> NDArray[np.intp]:
    """The points without which a class is empty: no model can be fitted to the rest."""
    counted = np.ones(len(y), dtype=bool) if weight is None else weight > 0
    members = [np.flatnonzero((y == code) & counted) for code in (0.0, 1.0)]
    return np.concatenate([only for only in members if len(only) == 1] or [np.empty(0, dtype=np.intp)])


def leverage(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    factor: HessianFactor | None = None,
    threads: int | None = None,
) -> Floats:
    """The leverage of each point, ``h = w p (1 - p) x' H^-1 x``: how far it pulls its own fitted logit.

    In [0, 1]; without a penalty the leverages sum to the number of coefficients. X and y are the points that the model
    was fitted on. Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = _Points.of(X, y, coef, intercept, classes, threads)
    weight = _validate.sample_weight("sample_weight", sample_weight, len(points.X))
    q = _own_quadratic_form(points, weight, l2, hessian_l2, damping, factor)
    h = _dispatch.curvature(points.eta(), points.threads) * q
    return h if weight is None else weight * h


def log_loss(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    *,
    classes: ArrayLike | None = None,
    threads: int | None = None,
) -> Floats:
    """The log loss of every point, ``log(1 + exp(-m))`` of its signed margin m, in nats; not weighted.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = _Points.of(X, y, coef, intercept, classes, threads)
    return _dispatch.log_loss(points.eta(), points.y, points.threads)


def residual(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    *,
    classes: ArrayLike | None = None,
    threads: int | None = None,
) -> Floats:
    """The residual of every point, ``p - y`` with y 0 or 1: the derivative of its loss in its logit.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
        In [-1, 1], exact where it is tiny.
    """
    points = _Points.of(X, y, coef, intercept, classes, threads)
    return _dispatch.residual(points.eta(), points.y, points.threads)


def margin(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    *,
    classes: ArrayLike | None = None,
    threads: int | None = None,
) -> Floats:
    """The signed margin of every point, ``+-(x coef + intercept)``: positive where it is classified rightly.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = _Points.of(X, y, coef, intercept, classes, threads)
    return np.where(points.y > 0.5, 1.0, -1.0) * points.eta()
