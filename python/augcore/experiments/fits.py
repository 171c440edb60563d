"""Fits on chosen points, each from the nearest one before it, and predictions of many models in one pass.

A fit goes on from the model that it is given where that is one of the first of its points; otherwise it begins with the
model of the originals. So a model depends on the sets that were fitted before it on the same curve, by no more than the
tolerance of the fits, and on nothing that other curves do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch, _validate, influence
from augcore.linear_model import LogisticRegression
from augcore.linear_model.growing import GrowingLogistic

__all__ = ["AugmentedModel", "Fits", "TestSet", "influence_scores"]

Features = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


# Of the fits. Wherever they start, the logits of test images then agree to about 1e-6 (measured), so that hardly one in
# a thousand runs has an image on the other side of 0, or scores in another order.
TOLERANCE = 1e-10


class AugmentedModel(GrowingLogistic):
    """The model of the originals and of the variants of the points `chosen`, in that order."""

    chosen: Indices


class Fits:
    """Fits of one augmentation.

    Parameters
    ----------
    originals : (n, p) float32
    variants : (k, n, p) float32
    y : (n,) labels
    start : LogisticRegression
        The model of the originals.
    """

    def __init__(self, originals: Features, variants: Features, y: NDArray[Any], start: LogisticRegression) -> None:
        self._n, self._k = len(originals), len(variants)
        self._variants = np.ascontiguousarray(variants.reshape(-1, originals.shape[1]))
        codes = np.searchsorted(start.classes_, y)
        self._codes = np.tile(codes, self._k)
        self._unaugmented = AugmentedModel.of(start, np.ascontiguousarray(originals), codes)
        self._unaugmented.tol = min(start.tol, TOLERANCE)
        self._unaugmented.chosen = np.empty(0, dtype=np.intp)

    def fit(self, start: LogisticRegression, chosen: Indices, downweight: bool) -> tuple[AugmentedModel, Floats | None]:
        """The model and the weights of its rows: the originals, then the variants as their sources were chosen.

        Downweighted, a source and its k copies weigh 1 / (k + 1) each.
        """
        n, k = self._n, self._k
        last = self._unaugmented
        if isinstance(start, AugmentedModel) and np.array_equal(start.chosen, chosen[: len(start.chosen)]):
            last = start
        new = np.sort(chosen[len(last.chosen) :])
        taken = (n * np.arange(k)[:, None] + new).ravel()
        weight = None
        if downweight:
            weight = np.ones(n + k * len(chosen))
            weight[chosen] = weight[n:] = 1 / (k + 1)
        model = last.grown(self._variants, self._codes, taken, weight)
        model.chosen = chosen
        return model, weight


def influence_scores(model: AugmentedModel, X: Features, y: NDArray[Any], ridge: float) -> Floats:
    """-g' H^-1 g of the points, where H is the Hessian of the model's fit with the given penalty."""
    return influence.loo_influence(
        X,
        y,
        model.coef_,
        model.intercept_,
        model.l2,
        classes=model.classes_,
        factor=model.hessian_factor(ridge),
        threads=model.threads,
    )


class TestSet:
    """Rows that models predict, and their labels; the first `n_plain` are the originals.

    A label that no model knows counts as wrong.
    """

    def __init__(self, X: Features, y: NDArray[Any], n_plain: int, classes: NDArray[Any]) -> None:
        self._X = np.ascontiguousarray(X)
        codes = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        self._codes = np.where(classes[codes] == y, codes, -1)
        self._n_plain = n_plain
        _validate.magnitudes("X_test", self._X)

    def accuracies(self, models: Sequence[LogisticRegression], plain: bool = False) -> list[float]:
        """The share of the set, or of its originals, that each model has right; the set is read once for all."""
        if not models:
            return []
        rows = slice(self._n_plain) if plain else slice(None)
        X, codes = self._X[rows], self._codes[rows]
        coef = np.stack([np.hstack([model.coef_, model.intercept_[:, None]]) for model in models])
        count, height, width = coef.shape
        logits = _dispatch.linear_predictor(X, True, coef.reshape(-1, width), _validate.threads(models[0].threads))
        if height == 1:
            predicted = (logits > 0).astype(np.intp)
        else:
            predicted = logits.reshape(len(X), count, height).argmax(axis=2)
        return [float(np.mean(predicted[:, i] == codes)) for i in range(count)]
