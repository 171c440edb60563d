"""What the curves are computed from: the features of one augmentation, and fits on chosen points.

features --choose points--> Problem.fit --> accuracy on the test set
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore.experiments.config import SCORE_NAMES, SVM_SCORES, Config
from augcore.experiments.fits import AugmentedModel, Fits, TestSet, influence_scores
from augcore.experiments.kernels import Kernels
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
    kernels : Kernels
        Of the k-DPPs of the originals.
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
    kernels: Kernels

    @property
    def n(self) -> int:
        return len(self.originals)

    @cached_property
    def _fits(self) -> Fits:
        return Fits(self.originals, self.variants, self.y, self.start)

    @cached_property
    def _test_set(self) -> TestSet:
        return TestSet(self.X_test, self.y_test, self.n_plain, self.start.classes_)

    def fit(
        self, start: LogisticRegression, chosen: Indices, *, downweight: bool = False
    ) -> tuple[LogisticRegression, FitData]:
        """The model of the originals and the variants of the chosen points, and what it was fitted on.

        The optimum does not depend on `start`; a fit from the model of the first of the chosen points takes less work.
        Downweighted, a source and its k copies weigh 1 / (k + 1) each.
        """
        model, weight = self._fits.fit(start, chosen, downweight)
        return model, (model.X, model.classes_[model.codes], weight)

    def accuracy(self, model: LogisticRegression) -> float:
        """The share of the test set that the model has right."""
        return self.accuracies([model])[0]

    def accuracies(self, models: Sequence[LogisticRegression]) -> list[float]:
        """Of several models, which costs less than of one after the other."""
        return self._test_set.accuracies(models)

    def accuracy_plain(self, model: LogisticRegression) -> float:
        """The same on the test images without their variants."""
        return self._test_set.accuracies([model], plain=True)[0]

    def scores(self, name: str, model: LogisticRegression, fitted: FitData) -> Floats:
        """Scores of the original training points under a model and the Hessian of its fit."""
        config = self.config
        if name == "influence" and isinstance(model, AugmentedModel) and model.keeps_hessian:
            l2 = model.l2 if config.hessian_l2 is None else config.hessian_l2
            return influence_scores(model, self.originals, self.y, l2 + config.damping)
        X, y, weight = fitted
        options: dict[str, Any] = {}
        if name == "influence" and (config.hessian_l2 is not None or config.damping):
            options = {"fit_X": X, "fit_y": y, "fit_sample_weight": weight}
            options |= {"hessian_l2": config.hessian_l2, "damping": config.damping}
        elif name in SVM_SCORES:
            options = {"svm": fit_svm(X, y, sample_weight=weight, C=self.svm_C)}
        return SCORES[SCORE_NAMES[name]](model, self.originals, self.y, threads=model.threads, **options)
