"""What a score is: one number for each point, from a fitted model. Policies turn scores into an order.

`SCORES` maps names to functions ``score(model, X, y, *, sample_weight=None, threads=None, ...) -> (n,) float64``. The
model is a fitted `augcore.linear_model.LogisticRegression`, or a scikit-learn one, of K classes; eta = x coef +
intercept, p is the probability of the point's classes, and g = (p - y) (x, 1) the gradient of its own, unweighted loss.
The scores of a linear SVM are for two classes.

    name              value                             sign    what it says
    loo_influence     -w g' H^-1 g                      <= 0    minus what removal adds to the own loss, first order
    loo_loss_change   loss after removal minus before   >= 0    the same by one Newton step with leverage (ALO)
    leverage          w p (1 - p) x' H^-1 x             >= 0    how far the point pulls its own logits; at most K - 1
    loss              -log p_y                          >= 0    nats
    margin            +-eta, or eta_y - max other       signed  > 0 where classified rightly; in logits
    gradient_dot      -g' g                             <= 0    influence with the Hessian left out
    gradient_norm     |g|                               >= 0
    entropy           -sum_c p_c log p_c                >= 0    nats, at most log K; does not depend on the label
    el2n              |p - onehot(y)|                   >= 0    at most sqrt 2
    svm_margin        |f(x)| of a linear SVM            >= 0    distance to the boundary times |coef|
    svm_loss          max(0, 1 - y f(x))                >= 0    hinge loss; above 0 for points inside the margin
    random            uniform in (0, 1)                 > 0     says nothing; the control

`sample_weight` are the weights w of the points in the fit; only the first three depend on them, and the SVM.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _dispatch, _random, _validate, _validate_models, influence
from augcore._random import Rng
from augcore.influence.forms import check_size
from augcore.influence.points import Points, points_of
from augcore.linear_model import LogisticRegression
from augcore.linear_model.fitted import FittedLogistic
from augcore.linear_model.objective import DenseObjective

__all__ = [
    "SCORES",
    "el2n",
    "entropy",
    "fit_svm",
    "gradient_dot",
    "gradient_norm",
    "leverage",
    "loo_influence",
    "loo_loss_change",
    "loss",
    "margin",
    "random",
    "register",
    "svm_loss",
    "svm_margin",
]

Floats = NDArray[np.float64]
Score = Callable[..., Floats]

SVM_GRID = (0.01, 0.1, 1.0, 10.0, 100.0)
SVM_FOLDS = 4
SVM_MAX_MAGNITUDE = 1e9

# The items of the stream that `random` takes: far from those of an order with the same rng, which it must not resemble.
RANDOM_ITEMS = 2**62


# ---- the model -------------------------------------------------------------------------------------------------------


def fitted_model(model: Any) -> FittedLogistic:
    if not hasattr(model, "coef_"):
        raise ValueError(f"model: is not a fitted logistic regression, got {_validate.describe(model)}; call fit first")
    if isinstance(model, FittedLogistic):
        return model
    try:
        return LogisticRegression.from_estimator(model)
    except ValueError as error:
        raise ValueError(f"model: {error}") from None


def coefficients_of(model: FittedLogistic, X: ArrayLike) -> dict[str, Any]:
    """The arguments that every function of `influence` takes from a model of as many features as X has."""
    shape: tuple[int, ...] = getattr(X, "shape", ())  # of a list the checks of `influence` tell
    if len(shape) == 2 and shape[1] != model.coef_.shape[1]:
        raise ValueError(f"X: expected {model.coef_.shape[1]} columns, as the model was fitted on, got shape {shape}")
    return {
        "coef": model.coef_,
        "intercept": model.intercept_ if model._penalty[1] else None,
        "classes": model.classes_,
    }


def _hessian(
    model: FittedLogistic, X: ArrayLike, sample_weight: ArrayLike | None, hessian_l2: float | None, damping: float
) -> dict[str, Any]:
    """H of the fitted objective: the model's own factor where it has one and H is not to differ from it."""
    own = hessian_l2 is None and damping == 0 and not (sample_weight is None and _is_of_few(model, X))
    if own and model._factor is None and model._last is not None:
        check_size(model._last[0].n_parameters, "model.factor_ first")
    factor = getattr(model, "factor_", None) if own else None
    return {"l2": model.l2, "hessian_l2": hessian_l2, "damping": damping, "factor": factor}


def _is_of_few(model: FittedLogistic, X: ArrayLike) -> bool:
    """Whether X are the points of the fit, and so few that H is better inverted in their span than factored."""
    if model._factor is not None or model._last is None:
        return False
    fit = model._last[0]
    if not isinstance(fit, DenseObjective) or 2 * fit.n >= fit.width or fit.weight is not None:
        return False
    return isinstance(X, np.ndarray) and np.array_equal(X, fit.X)


def _points(model: FittedLogistic, X: ArrayLike, y: ArrayLike, threads: int | None) -> Points:
    return points_of(X, y, **coefficients_of(model, X), threads=threads)


# ---- leave-one-out ---------------------------------------------------------------------------------------------------


def loo_influence(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    fit_X: ArrayLike | None = None,
    fit_y: ArrayLike | None = None,
    fit_sample_weight: ArrayLike | None = None,
) -> Floats:
    """``-w_i g_i' H^-1 g_i`` (Koh and Liang, 2017): never positive; see `augcore.influence.loo_influence`.

    X, y and `sample_weight` are the points that the model was fitted on, unless `fit_X`, `fit_y` and
    `fit_sample_weight` are: then X are any points. H is that of the fit, from ``model.factor_`` where it is there.
    A model that was loaded or converted has none: H is then that of the points given, which must be those of the fit.

    Parameters
    ----------
    model : fitted LogisticRegression
    X : (n, p) array-like or scipy.sparse CSR matrix, of float32 or float64
    y : (n,) array-like
    sample_weight : (n,) array-like or None
    threads : int or None
    hessian_l2, damping : float
        Where H is to have another penalty than the fit's, as in `augcore.influence.loo_influence`.
    fit_X, fit_y, fit_sample_weight : array-like or None
        The points of the fit where they are not X and y.

    Returns
    -------
    (n,) ndarray of float64

    Raises
    ------
    ValueError
        If the model is not fitted, or an argument has a wrong shape or value.
    TypeError
        If an argument has a wrong type or dtype.
    numpy.linalg.LinAlgError
        If H is singular to working precision.
    """
    fitted = fitted_model(model)
    hessian = _hessian(fitted, X, sample_weight, hessian_l2, damping)
    if fit_X is not None or fit_y is not None or fit_sample_weight is not None:
        hessian["factor"] = None
    return influence.loo_influence(
        X,
        y,
        **coefficients_of(fitted, X),
        **hessian,
        sample_weight=sample_weight,
        fit_X=fit_X,
        fit_y=fit_y,
        fit_sample_weight=fit_sample_weight,
        threads=threads,
    )


def loo_loss_change(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
) -> Floats:
    """The rise of each point's own loss on its removal (ALO): never negative; `augcore.influence.loo_loss_change`.

    X, y and `sample_weight` are the points that the model was fitted on. Parameters and errors are those of
    `loo_influence`.

    Returns
    -------
    (n,) ndarray of float64
        In nats; +inf where the fit would break down without the point.
    """
    fitted = fitted_model(model)
    return influence.loo_loss_change(
        X,
        y,
        **coefficients_of(fitted, X),
        **_hessian(fitted, X, sample_weight, hessian_l2, damping),
        sample_weight=sample_weight,
        threads=threads,
    )


def leverage(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
) -> Floats:
    """``w p (1 - p) x' H^-1 x`` (Pregibon, 1981), in [0, 1], or [0, K - 1]: see `augcore.influence.leverage`.

    X, y and `sample_weight` are the points that the model was fitted on. Parameters and errors are those of
    `loo_influence`.

    Returns
    -------
    (n,) ndarray of float64
    """
    fitted = fitted_model(model)
    return influence.leverage(
        X,
        y,
        **coefficients_of(fitted, X),
        **_hessian(fitted, X, sample_weight, hessian_l2, damping),
        sample_weight=sample_weight,
        threads=threads,
    )


# ---- of the point alone ----------------------------------------------------------------------------------------------


def loss(
    model: Any, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None, threads: int | None = None
) -> Floats:
    """The log loss ``-log p_y`` of each point in nats, not weighted: see `augcore.influence.log_loss`.

    Parameters
    ----------
    model : fitted LogisticRegression
    X : (n, p) array-like or scipy.sparse CSR matrix, of float32 or float64
    y : (n,) array-like
    sample_weight : (n,) array-like or None
        Has no effect: every score can be asked for in the same way.
    threads : int or None

    Returns
    -------
    (n,) ndarray of float64

    Raises
    ------
    ValueError
        If the model is not fitted, or an argument has a wrong shape or value.
    TypeError
        If an argument has a wrong type or dtype.
    """
    return influence.log_loss(X, y, **coefficients_of(fitted_model(model), X), threads=threads)


def margin(
    model: Any, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None, threads: int | None = None
) -> Floats:
    """The signed margin in logits, positive where the point is classified rightly.

    ``+-(x coef + intercept)``, or of a multinomial model the own class's logit less the largest of the others.

    Policies look at its size alone: the distance to the boundary on either side. Parameters and errors are those of
    `loss`; see `augcore.influence.margin`.

    Returns
    -------
    (n,) ndarray of float64
    """
    return influence.margin(X, y, **coefficients_of(fitted_model(model), X), threads=threads)


def entropy(
    model: Any, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None, threads: int | None = None
) -> Floats:
    """The entropy of the predicted probabilities, ``-sum_c p_c log p_c`` (Shannon, 1948), 0 to log K nats.

    Labels do not enter. Parameters and errors are those of `loss`.

    Returns
    -------
    (n,) ndarray of float64
    """
    fitted = fitted_model(model)
    any_label = np.full(_validate_models.sparse_or_dense_design("X", X, device=True).shape[0], fitted.classes_[0])

    def mean_loss(part: Points) -> Floats:
        losses = part.class_losses()
        with np.errstate(under="ignore"):
            total: Floats = np.sum(np.exp(-losses) * losses, axis=1)
            return total

    return _points(fitted, X, any_label, threads).each(mean_loss)


def el2n(
    model: Any, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None, threads: int | None = None
) -> Floats:
    """The Euclidean norm of ``p - onehot(y)`` over the classes (Paul, Ganguli and Dziugaite, 2021), 0 to sqrt 2.

    With two classes it is sqrt 2 times 1 - p_y. Parameters and errors are those of `loss`.

    Returns
    -------
    (n,) ndarray of float64
    """
    fitted = fitted_model(model)
    per_logit = math.sqrt(2.0) if len(fitted.coef_) == 1 else 1.0
    return per_logit * _points(fitted, X, y, threads).each(lambda part: part.residual_norm())


def gradient_norm(
    model: Any, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None, threads: int | None = None
) -> Floats:
    """The Euclidean norm of ``g = (p - y) (x, 1)'``, without the 1 where the model has no intercept: |p - y| |(x, 1)|.

    The gradient of the own, unweighted loss in the coefficients, of a multinomial model those of all classes.
    Parameters and errors are those of `loss`.

    Returns
    -------
    (n,) ndarray of float64
    """
    points = _points(fitted_model(model), X, y, threads)
    return points.each(lambda part: part.residual_norm() * part.row_norms())


def gradient_dot(
    model: Any, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None, threads: int | None = None
) -> Floats:
    """``-g' g``: influence with the identity for the Hessian (Kuchnik and Smith, 2019); never positive.

    Parameters and errors are those of `loss`.

    Returns
    -------
    (n,) ndarray of float64
    """
    size = gradient_norm(model, X, y, threads=threads)
    return -size * size


# ---- of a linear support vector machine ------------------------------------------------------------------------------


def fit_svm(X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None, C: float | None = None) -> Any:
    """A linear SVM, with its C chosen by 4-fold cross-validation over 0.01, 0.1, 1, 10, 100 where none is given.

    The squared hinge loss in the primal, which is deterministic.

    Parameters
    ----------
    X : (n, p) array-like of float32 or float64
    y : (n,) array-like
        Two classes of at least 4 points each.
    sample_weight : (n,) array-like or None
    C : float or None
        None chooses it; another fit's is `svm.C`.

    Returns
    -------
    sklearn.svm.LinearSVC
        Fitted on all points with the C of the best mean accuracy, the smallest of equal ones.

    Raises
    ------
    ValueError, TypeError
        As `loo_influence`.
    """
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import LinearSVC

    design = _validate.design("X", X)
    classes = _validate_models.two_classes("y", y)
    codes = _validate_models.binary_codes("y", y, classes, len(design))
    weight = _validate.sample_weight("sample_weight", sample_weight, len(design))
    if design.size and max(-design.min(), design.max()) > SVM_MAX_MAGNITUDE:
        raise ValueError(f"X: has values above {SVM_MAX_MAGNITUDE:g}, where a linear SVM does not converge; scale them")
    counted = codes if weight is None else codes[weight > 0]
    fewest = int(min(counted.sum(), len(counted) - counted.sum()))
    if fewest < SVM_FOLDS:
        raise ValueError(f"y: a linear SVM needs at least {SVM_FOLDS} points of each class, got {fewest}")
    svm = LinearSVC(dual=False, max_iter=10_000)
    if C is None:
        search = GridSearchCV(svm, {"C": SVM_GRID}, cv=StratifiedKFold(SVM_FOLDS), error_score="raise")
        fitted = search.fit(design, codes.astype(np.intp), sample_weight=weight).best_estimator_
    else:
        svm.set_params(C=_validate.real("C", C, np.finfo(np.float64).tiny))
        fitted = svm.fit(design, codes.astype(np.intp), sample_weight=weight)
    fitted.classes_ = classes  # scikit-learn itself takes fewer kinds of labels
    return fitted


def _svm_decision(X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, svm: Any) -> tuple[Floats, Floats]:
    """f(x) and +-1 for each label."""
    fitted = fit_svm(X, y, sample_weight=sample_weight) if svm is None else svm
    if not hasattr(fitted, "n_features_in_") or len(getattr(fitted, "classes_", ())) != 2:
        raise ValueError(f"svm: expected what fit_svm returns, got {_validate.describe(svm)}")
    design = _validate.design("X", X, columns=fitted.n_features_in_)
    codes = _validate_models.binary_codes("y", y, fitted.classes_, len(design))
    decision = fitted.decision_function(design) if len(design) else np.empty(0)
    return np.asarray(decision, dtype=np.float64), np.where(codes > 0.5, 1.0, -1.0)


def svm_margin(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    svm: Any = None,
) -> Floats:
    """``|f(x)|`` of a linear SVM: the distance to its boundary times |coef|, 1 at the margin.

    Parameters
    ----------
    model
        Not used: every score can be asked for in the same way.
    X : (n, p) array-like of float32 or float64
    y : (n,) array-like
    sample_weight : (n,) array-like or None
        Weights in the fit of the SVM.
    threads : int or None
        Not used.
    svm : LinearSVC or None
        What `fit_svm` returned, where it is there already; None fits one on X and y.

    Returns
    -------
    (n,) ndarray of float64

    Raises
    ------
    ValueError, TypeError
        As `fit_svm`.
    """
    decision, _ = _svm_decision(X, y, sample_weight, svm)
    return np.abs(decision)


def svm_loss(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    svm: Any = None,
) -> Floats:
    """The hinge loss ``max(0, 1 - y f(x))`` of a linear SVM: 0 outside the margin on the right side.

    Parameters and errors are those of `svm_margin`.

    Returns
    -------
    (n,) ndarray of float64
    """
    decision, sign = _svm_decision(X, y, sample_weight, svm)
    return np.maximum(0.0, 1.0 - sign * decision)


# ---- the control -----------------------------------------------------------------------------------------------------


def random(
    model: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    rng: Rng = None,
) -> Floats:
    """A uniform random number in (0, 1) for each point, keyed by `rng` and the index of the point.

    Only the number of rows of X counts; the other arguments are there as in every score.

    Returns
    -------
    (n,) ndarray of float64
    """
    n = _validate_models.sparse_or_dense_design("X", X).shape[0]
    return _dispatch.uniforms(_random.key(rng), RANDOM_ITEMS, n, _validate.threads(threads))


# ---- the registry ----------------------------------------------------------------------------------------------------

SCORES: dict[str, Score] = {
    "loo_influence": loo_influence,
    "loo_loss_change": loo_loss_change,
    "loss": loss,
    "margin": margin,
    "gradient_dot": gradient_dot,
    "gradient_norm": gradient_norm,
    "leverage": leverage,
    "entropy": entropy,
    "el2n": el2n,
    "svm_margin": svm_margin,
    "svm_loss": svm_loss,
    "random": random,
}


def register(name: str, score: Score) -> None:
    """Add a score of one's own to `SCORES`.

    Parameters
    ----------
    name : str
        A name that is not taken.
    score : callable
        ``score(model, X, y, *, sample_weight=None, threads=None) -> (n,)``.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    _validate.registration("name", name, SCORES)
    SCORES[name] = _validate.function("score", score)
