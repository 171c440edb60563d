"""What the curves are computed from: the features of one augmentation, and fits on chosen points.

features --choose points--> Problem.fit --> accuracy on the test set
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore.experiments.config import SCORE_NAMES, SVM_SCORES, Config
from augcore.linear_model import LogisticRegression
from augcore.scores import SCORES, fit_svm

__all__ = ["Problem"]

Features = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
# X, y and weights of a fit.
FitData = tuple[Features, NDArray[Any], Floats | None]


@dataclass(frozen=True)
class Problem:
    """One augmentation, ready for fits.

    Attributes
    ----------
    originals : (n, p) float32
        Features of the training images.
    variants : (k, n, p) float32
        Features of their k variants.
    y : (n,) labels
    X_test, y_test
        The test set that accuracy is measured on; its first `n_plain` rows are the originals.
    start : LogisticRegression
        The model of the originals: where all fits start.
    svm_C : float or None
        The C that is best for an SVM on the originals; None with more than two classes.
    clusters : dict
        For each number of clusters in the config, the cluster of each training point.
    """

    config: Config
    originals: Features
    variants: Features
    y: NDArray[Any]
    X_test: Features
    y_test: NDArray[Any]
    n_plain: int
    start: LogisticRegression
    svm_C: float | None
    clusters: Mapping[int, Indices]

    @property
    def n(self) -> int:
        return len(self.originals)

    def augmented(self, chosen: Indices, downweight: bool) -> FitData:
        """X, y and weights of all originals and the variants of the chosen points.

        The chosen points are a set: their order is that of the data. Downweighted, a source and its k copies weigh
        1 / (k + 1) each.
        """
        k, p = len(self.variants), self.originals.shape[1]
        chosen = np.sort(chosen)
        X = np.empty((self.n + k * len(chosen), p), np.float32)
        X[: self.n] = self.originals
        np.take(self.variants, chosen, axis=1, out=X[self.n :].reshape(k, len(chosen), p), mode="clip")
        y = np.concatenate([self.y, np.tile(self.y[chosen], k)])
        if not downweight:
            return X, y, None
        weight = np.ones(len(y))
        weight[chosen] = weight[self.n :] = 1 / (k + 1)
        return X, y, weight

    def fit(
        self, start: LogisticRegression, chosen: Indices, *, downweight: bool = False
    ) -> tuple[LogisticRegression, FitData]:
        """The model of the originals and the variants of the chosen points, and what it was fitted on."""
        X, y, weight = self.augmented(chosen, downweight)
        model = copy.copy(start)
        model.fit(X, y, sample_weight=weight)
        return model, (X, y, weight)

    def accuracy(self, model: LogisticRegression) -> float:
        """The share of the test set that the model has right."""
        return float(np.mean(model.predict(self.X_test) == self.y_test))

    def accuracy_plain(self, model: LogisticRegression) -> float:
        """The same on the test images without their variants."""
        plain = slice(self.n_plain)
        return float(np.mean(model.predict(self.X_test[plain]) == self.y_test[plain]))

    def scores(self, name: str, model: LogisticRegression, fitted: FitData) -> Floats:
        """Scores of the original training points under a model and the Hessian of its fit."""
        config = self.config
        X, y, weight = fitted
        options: dict[str, Any] = {}
        if name == "influence" and (config.hessian_l2 is not None or config.damping):
            options = {"fit_X": X, "fit_y": y, "fit_sample_weight": weight}
            options |= {"hessian_l2": config.hessian_l2, "damping": config.damping}
        elif name in SVM_SCORES:
            options = {"svm": fit_svm(X, y, sample_weight=weight, C=self.svm_C)}
        return SCORES[SCORE_NAMES[name]](model, self.originals, self.y, threads=model.threads, **options)
