"""Fits and scores of samples that are read block by block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _random, _validate
from augcore._samples import Block, Samples
from augcore.influence import streamed
from augcore.influence.forms import penalty
from augcore.linear_model import LogisticRegression
from augcore.scores import RANDOM_ITEMS, SCORES, coefficients_of, fitted_model
from augcore.streaming.blocks import Blocks

__all__ = ["fit", "score", "score_of_blocks"]

Floats = NDArray[np.float64]

_NOT_BY_BLOCKS = ("svm_margin", "svm_loss")


def fit(
    samples: Samples,
    *,
    C: float = 1.0,
    fit_intercept: bool = True,
    tol: float = 1e-8,
    max_iter: int = 100,
    few_passes: bool = False,
    threads: int | None = None,
) -> LogisticRegression:
    """Fit a logistic regression to samples that are read block by block.

    The same bits as `LogisticRegression.fit` of the samples in main memory, unless on a GPU or `few_passes` (where the
    features are float64 and there is no memory for its copy of them in float32, that takes other steps). Each step is
    a pass over the samples, a Hessian one more.

    Parameters
    ----------
    samples : Blocks
    C, fit_intercept, tol, max_iter, threads
        As those of `augcore.linear_model.LogisticRegression`.
    few_passes : bool, default=False
        Sum the Hessian in the pass of every gradient, and take Newton's steps: a third of the passes or less, each with
        the arithmetic of a Hessian. Pays where reading takes longer than that, as from disks and networks. The minimum
        is the same to `tol`, not to the last bit; beyond 20,000 parameters, and on a GPU, it has no effect.

    Returns
    -------
    LogisticRegression
        Fitted; its `factor_` takes one more pass over the samples when it is first asked for.

    Raises
    ------
    ValueError, TypeError
        As `LogisticRegression.fit`; if samples are others in a later pass.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `tol` was not reached.
    """
    _check_samples(samples)
    model = LogisticRegression(C, fit_intercept=fit_intercept, tol=tol, max_iter=max_iter, threads=threads)
    try:
        return model._fit_samples(samples, few_passes=_validate.flag("few_passes", few_passes))
    except FloatingPointError:  # X does not fit float32, so that no step can be taken with it rounded
        return model._fit_samples(samples, may_round=False)


def score(
    model: Any,
    samples: Blocks,
    criterion: str = "loo_influence",
    *,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    rng: _random.Rng = None,
    out: NDArray[Any] | None = None,
    first: int = 0,
    done: Callable[[int], None] | None = None,
) -> NDArray[Any]:
    """Score samples that are read block by block.

    The same bits as the function of that name in `augcore.scores.SCORES` gives for the samples in memory, where these
    are at least half as many as the features.

    Parameters
    ----------
    model : fitted LogisticRegression
    samples : Blocks
        The samples that the model was fitted on, if the model has no `factor_` (it was loaded, or converted) and the
        criterion needs the Hessian: it is summed over them, in a pass before that of the scores.
    criterion : str, default="loo_influence"
        A name in `augcore.scores.SCORES`, apart from those of a support vector machine, which is not fitted by blocks.
    hessian_l2, damping
        As in `augcore.influence.loo_influence`, for the criteria that need the Hessian.
    rng : int, numpy.random.Generator or None
        For the criterion "random".
    out : (n,) writable array of float32 or float64, or None
        Where the scores are written to, such as a memory-mapped file; None makes an array of float64.
    first : int, default=0
        The row to begin at: those before it are left as they are in `out`.
    done : callable or None
        Is told after each block how many rows of `out` are written.

    Returns
    -------
    (n,) array
        `out`.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape, value or type.
    numpy.linalg.LinAlgError
        If the Hessian is singular to working precision.
    """
    _check_samples(samples)
    out = np.empty(samples.n) if out is None else _checked_output(out, samples.n)
    function = score_of_blocks(model, samples, criterion, hessian_l2, damping, rng)
    for start, values in samples.each(function, "scores", _validate.integer("first", first, 0, samples.n)):
        out[start : start + len(values)] = values
        if done is not None:
            done(start + len(values))
    return out


def score_of_blocks(
    model: Any, samples: Samples, criterion: str, hessian_l2: float | None, damping: float, rng: _random.Rng
) -> Callable[[Block], Floats]:
    """What gives the scores of a block; H is there by then."""
    if _validate.choice("criterion", criterion, SCORES) in _NOT_BY_BLOCKS:
        raise ValueError(f"criterion: {criterion!r} needs all samples in memory; see augcore.scores.{criterion}")
    if criterion == "random":
        return partial(_random_score, _random.key(rng), samples.threads)
    fitted = fitted_model(model)
    coefficients = coefficients_of(fitted, np.empty((0, samples.p)))
    ridge = penalty(fitted.l2, hessian_l2, damping)
    if criterion not in streamed.FORMULAS:
        return partial(_score, SCORES[criterion], fitted._without_data(), samples.threads)
    points = streamed.StreamedPoints.of(samples, samples.classes, **coefficients)
    own = hessian_l2 is None and damping == 0
    factor = getattr(fitted, "factor_", None) if own else None
    return streamed.leave_one_out(criterion, points, ridge, factor)


def _random_score(key: _random.Words, threads: int, block: Block) -> Floats:
    return _dispatch.uniforms(key, RANDOM_ITEMS + block.first, len(block.y), threads)


def _score(function: Any, model: Any, threads: int, block: Block) -> Floats:
    values: Floats = function(model, block.X, block.y, sample_weight=block.weight, threads=threads or None)
    return values


def _checked_output(out: Any, n: int) -> NDArray[Any]:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out: expected an ndarray or None, got {_validate.describe(out)}")
    if out.dtype not in (np.float32, np.float64) or out.shape != (n,) or not out.flags.writeable:
        raise ValueError(
            f"out: expected a writable array of float32 or float64 and shape ({n},), got {_validate.describe(out)}"
        )
    return out


def _check_samples(samples: Any) -> None:
    if not isinstance(samples, Samples):
        raise TypeError(f"samples: expected augcore.streaming.Blocks, got {_validate.describe(samples)}")
