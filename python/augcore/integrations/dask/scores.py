"""Fits and scores of Dask arrays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _validate
from augcore._random import Rng
from augcore._samples import Block
from augcore.influence import streamed
from augcore.influence.forms import penalty
from augcore.integrations.dask.samples import DaskSamples
from augcore.linear_model import LogisticRegression
from augcore.streaming import fit as fit_samples
from augcore.streaming.scoring import score_of_blocks

if TYPE_CHECKING:
    from dask.array import Array

__all__ = ["fit", "leverage", "log_loss", "loo_influence", "loo_loss_change", "score"]

Floats = NDArray[np.float64]


def fit(
    X: Array,
    y: Any,
    *,
    C: float = 1.0,
    fit_intercept: bool = True,
    tol: float = 1e-8,
    max_iter: int = 100,
    sample_weight: Any = None,
    few_passes: bool = False,
    threads: int | None = None,
    persist: bool = True,
) -> LogisticRegression:
    """Fit a logistic regression to Dask arrays.

    Parameters
    ----------
    X : (n, p) dask array of float32 or float64
    y : (n,) dask array or array-like
        Labels.
    few_passes
        As in `augcore.streaming.fit`: pays with persist=False.
    C, fit_intercept, tol, max_iter
        As those of `augcore.linear_model.LogisticRegression`.
    sample_weight : (n,) dask array, array-like or None
    threads : int or None
        Threads of each task; None is one.
    persist : bool, default=True
        Keep the chunks in the memory of the workers: the fit reads them ten to a hundred times. False reads them from
        their source each time.

    Returns
    -------
    LogisticRegression
        Fitted; its `factor_` takes one more pass over the samples when it is first asked for. Until then the model
        keeps what is persisted.

    Raises
    ------
    ValueError, TypeError
        As `LogisticRegression.fit`; if the sizes of chunks are not known.
    RuntimeError
        If a chunk cannot be read, which is named, or a worker has another version or level of instructions.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `tol` was not reached.
    """
    samples = DaskSamples(X, y, sample_weight, threads=threads, persist=_validate.flag("persist", persist))
    return fit_samples(samples, C=C, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter, few_passes=few_passes)


def score(
    model: Any,
    X: Array,
    y: Any,
    criterion: str = "loo_influence",
    *,
    sample_weight: Any = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    rng: Rng = None,
    threads: int | None = None,
    persist: bool = True,
) -> Array:
    """A score of `augcore.scores.SCORES` for Dask arrays; parameters as in `augcore.streaming.score` and `fit`.

    The Hessian, where the criterion needs it and the model has no factor of it, is summed at once.

    Returns
    -------
    (n,) dask array of float64
        Lazy, in the chunks of the rows of X.
    """
    samples = DaskSamples(X, y, sample_weight, threads=threads, persist=_validate.flag("persist", persist))
    function = score_of_blocks(model, samples, criterion, hessian_l2, damping, rng)
    return samples.map(function, X.chunks[0])


def _leave_one_out(
    name: str,
    X: Any,
    y: Any,
    coef: ArrayLike,
    intercept: ArrayLike | None,
    l2: float,
    classes: ArrayLike | None,
    sample_weight: Any,
    hessian_l2: float | None,
    damping: float,
    factor: Any,
    threads: int | None,
    persist: bool,
) -> Array:
    ridge = penalty(l2, hessian_l2, damping, factor)
    samples = DaskSamples(X, y, sample_weight, threads=threads, persist=_validate.flag("persist", persist))
    points = streamed.StreamedPoints.of(samples, samples.classes, coef, intercept, classes)
    return samples.map(streamed.leave_one_out(name, points, ridge, factor), X.chunks[0])


def loo_influence(
    X: Array,
    y: Any,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    classes: ArrayLike | None = None,
    sample_weight: Any = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    factor: Any = None,
    threads: int | None = None,
    persist: bool = True,
) -> Array:
    """Leave-one-out influence of every point on its own loss, as `augcore.influence.loo_influence`.

    The Hessian is summed at once, the scores are computed when they are asked for.

    Parameters
    ----------
    X : (n, p) dask array of float32 or float64
    y : (n,) dask array or array-like
    coef, intercept, l2, classes, hessian_l2, damping, factor
        As there. The Hessian is that of X, y and sample_weight, unless `factor` is given.
    sample_weight : (n,) dask array, array-like or None
    threads, persist
        As in `fit`.

    Returns
    -------
    (n,) dask array of float64
        Lazy, in the chunks of the rows of X.

    Raises
    ------
    ValueError, TypeError, numpy.linalg.LinAlgError
        As there.
    RuntimeError
        As in `fit`.
    """
    return _leave_one_out(
        "loo_influence",
        *(X, y, coef, intercept, l2, classes, sample_weight, hessian_l2, damping, factor, threads, persist),
    )


def loo_loss_change(
    X: Array,
    y: Any,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    classes: ArrayLike | None = None,
    sample_weight: Any = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    factor: Any = None,
    threads: int | None = None,
    persist: bool = True,
) -> Array:
    """The rise of each point's own loss when it is removed (ALO), as `augcore.influence.loo_loss_change`.

    Parameters, result and errors are those of `loo_influence`.
    """
    return _leave_one_out(
        "loo_loss_change",
        *(X, y, coef, intercept, l2, classes, sample_weight, hessian_l2, damping, factor, threads, persist),
    )


def leverage(
    X: Array,
    y: Any,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    classes: ArrayLike | None = None,
    sample_weight: Any = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    factor: Any = None,
    threads: int | None = None,
    persist: bool = True,
) -> Array:
    """The leverage of each point, as `augcore.influence.leverage`.

    Parameters, result and errors are those of `loo_influence`.
    """
    return _leave_one_out(
        "leverage",
        *(X, y, coef, intercept, l2, classes, sample_weight, hessian_l2, damping, factor, threads, persist),
    )


def log_loss(
    X: Array,
    y: Any,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    *,
    classes: ArrayLike | None = None,
    threads: int | None = None,
) -> Array:
    """The log loss of every point in nats, as `augcore.influence.log_loss`.

    Parameters and errors are those of `loo_influence`; what X and y hold is checked when the result is computed.

    Returns
    -------
    (n,) dask array of float64
        Lazy, in the chunks of the rows of X.
    """
    samples = DaskSamples(X, y, threads=threads, persist=False)
    points = streamed.StreamedPoints.of(samples, samples.classes, coef, intercept, classes)
    return samples.map(partial(_log_loss_of_block, points.like), X.chunks[0])


def _log_loss_of_block(like: Any, block: Block) -> Floats:
    losses: Floats = streamed.points_of_block(like, block).each(lambda part: part.log_loss())
    return losses
