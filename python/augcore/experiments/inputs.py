"""What a run begins with: the data set, its augmentations, and the features of all images.

Dataset --expand--> images --featurize--> arrays of features, by name
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import _random, augmentations, datasets, features
from augcore._errors import FileFormatError
from augcore.experiments.config import SVM_SCORES, Config, ConfigError
from augcore.experiments.originals import FOLDS

if TYPE_CHECKING:
    from augcore.experiments.progress import Report

__all__ = ["augmentation", "checksum", "feature_arrays", "load_data"]

logger = logging.getLogger(__name__)

Images = NDArray[np.uint8]
Features = NDArray[np.float32]


# ---- data ------------------------------------------------------------------------------------------------------------


def load_data(config: Config) -> datasets.Dataset:
    """The data set of a config; ConfigError where the config asks for what it does not have."""
    try:
        data = datasets.load(config.dataset, classes=config.classes, n_train=config.n_train)
    except FileFormatError:
        raise
    except ValueError as error:
        raise ConfigError(str(error).replace("name:", "dataset:", 1)) from None
    if len(data.class_names) > 2 and (of_two := [score for score in config.scores if score in SVM_SCORES]):
        raise ConfigError(f"scores: {of_two[0]} is for two classes, {config.dataset} has {len(data.class_names)}")
    _check_classes(config, data)
    config.check_sizes(len(data.y_train))
    _check_images(config, data.x_train.shape[1:])
    _check_model(config.model)
    return data


def _check_classes(config: Config, data: datasets.Dataset) -> None:
    """ConfigError where there are not two classes, or too few training images of one."""
    if len(data.class_names) < 2:
        raise ConfigError(f"dataset: all images of {config.dataset} are of one class, {data.class_names[0]!r}")
    field, which = ("dataset", "") if config.n_train is None else ("n_train", f"first {len(data.y_train)} ")
    # Two classes have a support vector machine, whose C is found by cross-validation too.
    fewest = FOLDS if len(data.class_names) == 2 or config.C_grid else 1
    counts = np.bincount(data.y_train, minlength=len(data.class_names))
    for name, count in zip(data.class_names, counts.tolist(), strict=True):
        if count < fewest:
            raise ConfigError(
                f"{field}: the {which}training images have {count or 'none'} of class {name!r}"
                f"{f', a run takes at least {fewest}' if count else ''}"
            )


def _check_images(config: Config, shape: tuple[int, ...]) -> None:
    """ConfigError where images of a shape (H, W, C) cannot be augmented, or drawn."""
    height, width, channels = shape
    if channels not in (1, 3):
        raise ConfigError(f"dataset: expected images of 1 or 3 channels, {config.dataset} has {channels}")
    if "crop" in config.augmentations and 2 * max(config.crop.sizes) >= min(height, width):
        raise ConfigError(
            f"crop.sizes: {max(config.crop.sizes)} pixels off every side leave nothing of images of {height} x {width}"
        )


def _check_model(model: str) -> None:
    known = ("pixels", *features.NETWORKS, *features.PACKAGED)
    if model in known or (Path(model).suffix in features.SUFFIXES and Path(model).exists()):
        return
    raise ConfigError(
        f"model: expected one of {', '.join(map(repr, known))}, or a {' or '.join(features.SUFFIXES)} file, such as "
        f"augcore train writes, got {model!r}"
    )


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
    config: Config, data: datasets.Dataset, cache: Path | None, progress: Report
) -> Iterator[tuple[str, Features]]:
    """The features of the originals and of the variants of every augmentation, train and test, by name.

    A network of the paper is trained here, on the originals of the training set. The features of one that is trained
    already are kept in `cache`, and found there again.
    """
    extract = _extractor(config, data, cache, progress)
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
    config: Config, data: datasets.Dataset, cache: Path | None, progress: Report
) -> Callable[[Images], Features]:
    if config.model == "pixels":
        return lambda images: images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    if config.model not in features.NETWORKS:
        trained = features.load(config.model)
        place = _usable(cache)
        return lambda images: features.featurize(images, trained, cache=place)
    network = features.train(
        data.x_train,
        data.y_train,
        config.model,
        rng=_random.derive(config.seed, "network"),
        epochs=config.epochs,
        progress=lambda epoch, epochs, accuracy: progress(
            "training the network", epoch, epochs, f"accuracy {accuracy:.4f}"
        ),
    )
    return lambda images: features.featurize(images, network)


def _usable(cache: Path | None) -> Path | None:
    """The folder, if files can be put there: a run goes on without, only the next one begins with less."""
    if cache is None:
        return None
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        logger.warning("features are not kept: %s", error)
        return None
    if not os.access(cache, os.W_OK | os.X_OK):
        logger.warning("features are not kept: %s cannot be written to", cache)
        return None
    return cache
