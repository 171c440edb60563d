"""C chosen by cross-validation: one warm-started path of fits per fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from augcore import _validate
from augcore.linear_model.estimator import LogisticRegression
from augcore.linear_model.fitted import DTYPES, FittedLogistic

__all__ = ["LogisticPath", "LogisticRegressionCV", "logistic_path"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LogisticPath:
    """Fits along a grid of m values of C, for K classes (one row of coefficients where there are two).

    Attributes
    ----------
    Cs : (m,) ndarray of float64
        Rising.
    coef : (m, 1 or K, p) ndarray of float64
    intercept : (m, 1 or K) ndarray of float64
    n_iter : (m,) ndarray of int
    """

    Cs: Floats
    coef: Floats
    intercept: Floats
    n_iter: NDArray[np.int_]


def _grid(Cs: Any) -> Floats:
    """As given, in rising order, or so many values between 1e-4 and 1e4, evenly in the logarithm."""
    if isinstance(Cs, int | np.integer) and not isinstance(Cs, bool):
        return np.logspace(-4, 4, _validate.integer("Cs", Cs, low=1))
    grid = np.sort(_validate.vector("Cs", Cs))
    if not len(grid) or grid[0] <= 0:
        raise ValueError("Cs: expected a number of values, or values that are all positive")
    return grid


def logistic_path(
    X: Any,
    y: Any,
    *,
    Cs: ArrayLike | int = 10,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    tol: float = 1e-8,
    max_iter: int = 100,
    threads: int | None = None,
) -> LogisticPath:
    """Fits along a grid of C, each started from the one before, which has the stronger penalty.

    Parameters
    ----------
    X : (n, p) array-like of float32 or float64
    y : (n,) array-like
    Cs : int or array-like, default=10
        The values, or how many between 1e-4 and 1e4, evenly in the logarithm.
    fit_intercept, sample_weight, tol, max_iter, threads
        Of `LogisticRegression`.

    Returns
    -------
    LogisticPath

    Raises
    ------
    ValueError
        If Cs has values that are not positive, or for what `LogisticRegression.fit` refuses.
    """
    grid = _grid(Cs)
    model = LogisticRegression(
        fit_intercept=fit_intercept, tol=tol, max_iter=max_iter, warm_start=True, threads=threads
    )
    fits = []
    for C in grid:
        model.set_params(C=float(C)).fit(X, y, sample_weight)
        fits.append((model.coef_, model.intercept_, model.n_iter_[0]))
    coef, intercept, n_iter = (np.array(values) for values in zip(*fits, strict=True))
    return LogisticPath(grid, coef, intercept, n_iter)


class LogisticRegressionCV(FittedLogistic):
    """`LogisticRegression` with C chosen by cross-validation, fitted to all points with the best.

    Parameters
    ----------
    Cs : int or array-like, default=10
        The values to choose from, or how many between 1e-4 and 1e4, evenly in the logarithm.
    cv : int, splitter or iterable, default=4
        Folds as scikit-learn takes them; a number means stratified folds in the order of the points.
    scoring : str, callable or None, default=None
        A scorer as scikit-learn takes it; None is the accuracy.
    fit_intercept, tol, max_iter, threads
        Of `LogisticRegression`.

    Attributes
    ----------
    C_ : float
        The value with the best mean score; the smallest of equals.
    Cs_ : (m,) ndarray of float64
        The values tried, rising.
    scores_ : (n_folds, m) ndarray of float64
    coef_, intercept_, classes_, n_iter_, factor_
        Of the fit to all points, as those of `LogisticRegression`.
    """

    C_: float
    Cs_: Floats
    scores_: Floats

    def __init__(
        self,
        Cs: ArrayLike | int = 10,
        *,
        cv: Any = 4,
        scoring: Any = None,
        fit_intercept: bool = True,
        tol: float = 1e-8,
        max_iter: int = 100,
        threads: int | None = None,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.threads = threads

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Choose C, and fit to all points with it.

        Parameters and errors are those of `LogisticRegression.fit`; the weights count in the fits and in the scores.
        """
        grid = _grid(self.Cs)
        with self._unless_refused():
            X, y = validate_data(
                self, _validate.plain("X", X), _validate.plain("y", y, labels=True), dtype=DTYPES, order="C"
            )
            check_classification_targets(y)
            weight = _validate.sample_weight("sample_weight", sample_weight, len(y))
            whole = self._warm()._check_data(X, y, weight)
        folds = check_cv(self.cv, whole[2], classifier=True).split(X, whole[2])
        self.scores_ = np.array([self._scores(grid, X, y, weight, *fold) for fold in folds])
        self.Cs_ = grid
        self.C_ = float(grid[np.argmax(self.scores_.mean(axis=0))])
        best = self._warm().set_params(C=self.C_).fit(X, y, weight)
        self._set_fitted(best.coef_, best.intercept_, best.classes_, best.n_iter_, *best._penalty)
        self._last = best._last
        return self

    def _warm(self) -> LogisticRegression:
        return LogisticRegression(
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=self.max_iter,
            warm_start=True,
            threads=self.threads,
        )

    def _scores(
        self,
        grid: Floats,
        X: NDArray[Any],
        y: NDArray[Any],
        weight: Floats | None,
        train: NDArray[np.intp],
        test: NDArray[np.intp],
    ) -> list[float]:
        """Of one fold, along the path."""
        scorer = get_scorer("accuracy" if self.scoring is None else self.scoring)
        model = self._warm()
        fitted = X[train], y[train], None if weight is None else weight[train]
        held_out = X[test], y[test]
        weights = {} if weight is None else {"sample_weight": weight[test]}
        scores = []
        for C in grid:
            model.set_params(C=float(C)).fit(*fitted)
            scores.append(float(scorer(model, *held_out, **weights)))
        return scores
