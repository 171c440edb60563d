"""Leave-one-out influence of logistic models: what each training point costs its own loss when it is removed.

Each function is a formula of `points` applied block by block, with the forms x' H^-1 x of `forms` where it needs H.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _validate
from augcore.influence.forms import invert, penalty
from augcore.influence.points import Points, points_of
from augcore.linear_model import HessianFactor

__all__ = ["leverage", "log_loss", "loo_influence", "loo_loss_change", "margin", "residual"]

Floats = NDArray[np.float64]


def _fitted_points(points: Points, fit_X: Any, fit_y: Any, fit_sample_weight: Any) -> Points:
    if (fit_X is None) != (fit_y is None):
        raise ValueError("fit_y: fit_X and fit_y are given together or not at all")
    if fit_X is None:
        if fit_sample_weight is not None:
            raise ValueError("fit_sample_weight: needs fit_X and fit_y")
        return points
    return points.like(("fit_X", "fit_y", "fit_sample_weight"), fit_X, fit_y, fit_sample_weight)


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
    """Leave-one-out influence of every point on its own loss, ``-w_i g_i' H^-1 g_i`` (Koh and Liang, 2017).

    Never positive; about minus the rise of the point's own loss when it is removed and the model refitted, hence large
    in size for the points the model would miss most. `loo_loss_change` is closer to it where points have leverage.

    Parameters
    ----------
    X : (n, p) array-like or scipy.sparse CSR matrix, of float32 or float64
        Points to score. A sparse X is read as dense blocks of rows, with the same bits as the dense array. Many points
        of float32 are scored in single precision where H is well conditioned (docs/precision.md).
    y : (n,) array-like
        Their labels.
    coef : (p,), (1, p) or (K, p) array-like
        Coefficients. One row is a binary model, the second of the sorted classes being the positive one; K rows are a
        softmax model, a row for each class. Adding one vector to all of them changes nothing.
    intercept : float, (1,) or (K,) array-like, or None, default=0.0
        The intercepts, 0.0 standing for K zeros; None if the model has none, so that H has no row for them: give None,
        not the zeros that `intercept_` then holds.
    l2 : float, default=0.0
        The penalty that the model was fitted with, ``l2/2 |coef|^2``; 1/C. The intercept is not penalised.
    classes : (2,) or (K,) array-like or None
        The labels, of a binary model the positive one last, else in the order of the rows of `coef`. None: the sorted
        labels of `fit_y` if given, else of `y`.
    sample_weight : (n,) array-like or None
        Weights w of the points in the fit. Not used in H when `fit_X` or `factor` is given.
    hessian_l2 : float or None
        The penalty in H where it is to differ from `l2`.
    damping : float, default=0.0
        Added to `l2` in H.
    fit_X, fit_y, fit_sample_weight : array-like or None
        The points that the model was fitted on, where they are not X and y.
    factor : HessianFactor or None
        The factor of H, `LogisticRegression.factor_`, in place of all that H is computed from: `l2` is then not read,
        and `hessian_l2` and `damping` cannot be given.
    solver : {"auto", "cholesky", "dual"}, default="auto"
        How H is inverted: by its own factor, or (dual) in the span of the fitted points, which holds a dense copy of
        them and needs a ridge. "auto" takes the dual where the fitted points are fewer than half of the coefficients
        of a class, and refuses an H of more than 20,000 rows, which "cholesky" does not. `factor` leaves no choice.
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
    labels = None if fit_y is None else ("fit_y", fit_y)
    points = points_of(
        X, y, coef, intercept, classes=classes, sample_weight=sample_weight, threads=threads, labels=labels
    )
    result = _validate.output("out", out, (points.n,), points.X)
    fitted = _fitted_points(points, fit_X, fit_y, fit_sample_weight)
    if factor is not None and fit_X is not None:
        raise ValueError("factor: give either factor or fit_X and fit_y, not both")
    points, inverse = invert(points, fitted, penalty(l2, hessian_l2, damping, factor), factor, solver)
    result[:] = points.each(lambda part: part.influence(inverse.forms(part)))
    return result


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
    solver: str = "auto",
    threads: int | None = None,
) -> Floats:
    """The rise of each point's own loss when it is removed, by one Newton step with leverage (ALO).

    ``loss(eta + w r q / (1 - h)) - loss(eta)``: the loss at the moved logit, with q = x' H^-1 x and the leverage
    h = w p (1 - p) q (Beirami et al., 2017; Rad and Maleki, 2020). A softmax model moves all logits, by
    ``w A (I - w D A)^-1 r`` with A_kl = x' (H^-1)_kl x and D = diag(p) - p p'. X and y are the points that the model
    was fitted on. Never negative; +inf where h, or an eigenvalue of w D A, reaches 1 or a class would be empty, that
    is where the fit would break down without the point.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = points_of(X, y, coef, intercept, classes=classes, sample_weight=sample_weight, threads=threads)
    points, inverse = invert(points, points, penalty(l2, hessian_l2, damping, factor), factor, solver)
    change = points.each(lambda part: part.loss_change(inverse.forms(part)))
    change[points.last_of_their_class(points.members())] = np.inf
    return change


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
    solver: str = "auto",
    threads: int | None = None,
) -> Floats:
    """The leverage of each point, ``h = w p (1 - p) x' H^-1 x``: how far it pulls its own fitted logit.

    In [0, 1] (Pregibon, 1981), of a softmax model ``trace(w D A)`` in [0, K - 1], as in `loo_loss_change`. Without a
    penalty the leverages sum to the number of coefficients, K - 1 for each column. X and y are the points that the
    model was fitted on. Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = points_of(X, y, coef, intercept, classes=classes, sample_weight=sample_weight, threads=threads)
    points, inverse = invert(points, points, penalty(l2, hessian_l2, damping, factor), factor, solver)
    return points.each(lambda part: part.leverage(inverse.forms(part)))


def log_loss(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    *,
    classes: ArrayLike | None = None,
    threads: int | None = None,
) -> Floats:
    """The log loss of every point, ``-log p_y``, in nats; not weighted. Exact where it is tiny.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = points_of(X, y, coef, intercept, classes=classes, threads=threads)
    return points.each(lambda part: part.log_loss())


def residual(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    *,
    classes: ArrayLike | None = None,
    threads: int | None = None,
) -> Floats:
    """The residual of every point, ``p - y`` with y 0 or 1 or one-hot: the derivative of its loss in its logits.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64, or (n, K) for a softmax model
        In [-1, 1], exact where it is tiny.
    """
    points = points_of(X, y, coef, intercept, classes=classes, threads=threads)
    return points.each(lambda part: part.residual())


def margin(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    *,
    classes: ArrayLike | None = None,
    threads: int | None = None,
) -> Floats:
    """The signed margin of every point in logits: positive where it is classified rightly.

    ``+-(x coef + intercept)``, or of a softmax model the logit of the own class less the largest of the others.

    Parameters are those of `loo_influence`; so are the errors.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = points_of(X, y, coef, intercept, classes=classes, threads=threads)
    return points.each(lambda part: part.margin())
