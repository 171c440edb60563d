"""What the curves are computed from: the data, its augmentations, their features, and fits on chosen points.

Dataset --expand--> images --featurize--> FeatureSet --choose points--> Problem.fit --> accuracy on the test set
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _random, augmentations, datasets, features
from augcore._errors import FileFormatError
from augcore.experiments.config import Config, ConfigError
from augcore.experiments.fits import AugmentedModel, Fits, TestSet, influence_scores
from augcore.linear_model import LogisticRegression
from augcore.scores import SCORES

__all__ = ["Problem", "augmentation", "checksum", "feature_arrays", "load_data"]

Images = NDArray[np.uint8]
Features = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
# X, y and weights of a fit.
FitData = tuple[Features, NDArray[Any], Floats | None]

SCORE_NAMES = {"influence": "loo_influence", "loss": "loss"}


# ---- data ------------------------------------------------------------------------------------------------------------


def load_data(config: Config) -> datasets.Dataset:
    """The data set of a config; ConfigError where the config asks for what it does not have."""
    if config.model not in ("pixels", *features.NETWORKS) and not Path(config.model).exists():
        known = ", ".join(map(repr, ("pixels", *features.NETWORKS)))
        raise ConfigError(f"model: expected one of {known}, or a file, got {config.model!r}")
    try:
        data = datasets.load(config.dataset, classes=config.classes, n_train=config.n_train)
    except FileFormatError:
        raise
    except ValueError as error:
        raise ConfigError(str(error).replace("name:", "dataset:", 1)) from None
    if len(data.class_names) != 2:
        raise ConfigError(f"classes: two are needed, {config.dataset} has {len(data.class_names)}; name two of them")
    config.check_sizes(len(data.y_train))
    return data


def checksum(data: datasets.Dataset) -> str:
    """The SHA-256 of the images and labels, shapes and dtypes included."""
    digest = hashlib.sha256()
    for values in (data.x_train, data.y_train, data.x_test, data.y_test):
        digest.update(f"{values.dtype.str}{values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def augmentation(config: Config, name: str) -> augmentations.Augmentation:
    """The augmentation family `name` with the parameters of the config."""
    convention: dict[str, Any] = {"arithmetic": config.arithmetic}
    if name == "translate":
        return augmentations.Translate(config.translate.magnitude, **convention)
    if name == "rotate":
        rotate = config.rotate
        return augmentations.Rotate(rotate.max_degrees, rotate.steps, direction=config.direction, **convention)
    return augmentations.Crop(config.crop.sizes, **convention)


# ---- features --------------------------------------------------------------------------------------------------------


def feature_arrays(
    config: Config, data: datasets.Dataset, progress: Callable[[str, float, float], None]
) -> Iterator[tuple[str, Features]]:
    """The features of the originals and of the variants of every augmentation, train and test, by name.

    The network, where there is one, is trained here, on the originals of the training set.
    """
    extract = _extractor(config, data, progress)
    families = {name: augmentation(config, name) for name in config.augmentations}
    total = (len(data.x_train) + len(data.x_test)) * (1 + sum(family.n_variants for family in families.values()))
    done = 0
    for part, originals in (("train", data.x_train), ("test", data.x_test)):
        for name, family in (("", None), *families.items()):
            images = originals if family is None else family.expand(originals, include_original=False).images
            yield f"{name}-{part}" if name else part, extract(images)
            done += len(images)
            progress("features", done, total)


def _extractor(
    config: Config, data: datasets.Dataset, progress: Callable[[str, float, float], None]
) -> Callable[[Images], Features]:
    if config.model == "pixels":
        return lambda images: images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    if config.model not in features.NETWORKS:
        return lambda images: features.featurize(images, Path(config.model))
    network = features.train(
        data.x_train,
        data.y_train,
        config.model,
        rng=_random.derive(config.seed, "network"),
        epochs=config.epochs,
        progress=lambda epoch, epochs, accuracy: progress("training the network", epoch, epochs),
    )
    return lambda images: features.featurize(images, network)


# ---- fits ------------------------------------------------------------------------------------------------------------


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
    """

    config: Config
    originals: Features
    variants: Features
    y: NDArray[Any]
    X_test: Features
    y_test: NDArray[Any]
    n_plain: int
    start: LogisticRegression

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
        hessian: dict[str, Any] = {}
        if name == "influence" and isinstance(model, AugmentedModel) and model.keeps_hessian:
            l2 = model.l2 if config.hessian_l2 is None else config.hessian_l2
            return influence_scores(model, self.originals, self.y, l2 + config.damping)
        if name == "influence" and (config.hessian_l2 is not None or config.damping):
            X, y, weight = fitted
            hessian = {"fit_X": X, "fit_y": y, "fit_sample_weight": weight}
            hessian |= {"hessian_l2": config.hessian_l2, "damping": config.damping}
        return SCORES[SCORE_NAMES[name]](model, self.originals, self.y, threads=model.threads, **hessian)
