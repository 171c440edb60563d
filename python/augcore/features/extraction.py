"""Runs images through a network up to its penultimate layer."""

from __future__ import annotations

import errno
import math
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _random, _validate
from augcore.features import cache as _cache
from augcore.features._images import image_batch, scaled
from augcore.features._keras import compile_quickly, keras_module
from augcore.features.files import read_network
from augcore.features.networks import NETWORKS
from augcore.features.spot import train as _train

if TYPE_CHECKING:
    import keras

__all__ = ["featurize"]

_BATCH, _BATCH_PIXELS = 1024, 2**20  # images, and pixels of them: the layers of a ResNet hold 100 floats of each


def featurize(
    images: ArrayLike,
    model: str | os.PathLike[str] | keras.Model,
    *,
    train: tuple[ArrayLike, ArrayLike] | None = None,
    rng: _random.Rng = None,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
) -> NDArray[np.float32]:
    """Run images through a network up to its penultimate layer.

    Parameters
    ----------
    images : array_like, shape (n, H, W) or (n, H, W, C)
        uint8, or floats between 0 and 255; they are divided by 255.
    model : keras.Model, path or str
        A functional or sequential model; the name of a trained network of `PACKAGED`; a file that `load` reads; a
        .weights.h5 file of a network of `train`; or the name of such a network, which is then trained on `train`.
    train : (images, labels), optional
        What to train a network on that is given by name.
    rng : int, numpy.random.Generator or None
        For the training of a network given by name.
    cache : path, optional
        A folder that keeps features. They are found again by the SHA-256 of images and network; a damaged file counts
        as none.
    batch_size : int or None
        How many images the network sees at once; None takes 1024 up to 32 x 32 pixels, and fewer of larger ones. The
        last batch is filled up, so that a row does not depend on how many others there are.

    Returns
    -------
    ndarray of float32, shape (n, p)
        One row for each image.

    Raises
    ------
    ImportError
        If Keras or its backend is not installed.
    FileNotFoundError
        If `model` is a path and there is no such file.
    augcore.FileFormatError
        If that file is damaged, or is no network.
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the message names it.
    """
    pictures = image_batch("images", images)
    height, width = pictures.shape[1:3]
    usual = max(1, min(_BATCH, _BATCH_PIXELS // (height * width)))
    batch_size = usual if batch_size is None else _validate.integer("batch_size", batch_size, 1, 2**24)
    network = _network(model, pictures.shape[1:], train, rng)
    extractor = _extractor(network)
    expected = extractor.input_shape[1:]
    if len(expected) != 3 or any(e not in (None, got) for e, got in zip(expected, pictures.shape[1:], strict=True)):
        raise ValueError(f"images: the network takes images of shape {expected}, got {pictures.shape[1:]}")
    if cache is None:
        return _run(extractor, pictures, batch_size)
    folder, key = _folder(cache), _cache.key_of(extractor, pictures, batch_size)
    features = _cache.kept(folder, key, (len(pictures), math.prod(extractor.output_shape[1:])))
    if features is None:
        features = _run(extractor, pictures, batch_size)
        _cache.store(folder, key, features)
    return features


def _folder(cache: str | os.PathLike[str]) -> Path:
    if not isinstance(cache, str | os.PathLike):
        raise TypeError(f"cache: expected a path, got {_validate.describe(cache)}")
    try:
        folder = Path(cache).expanduser()
    except RuntimeError:
        raise FileNotFoundError(errno.ENOENT, "cache: no such home folder", os.fspath(cache)) from None
    if "\0" in str(folder):
        raise ValueError(f"cache: {str(folder)!r} is no path")
    return folder


def _network(
    model: str | os.PathLike[str] | keras.Model,
    shape: tuple[int, ...],
    data: tuple[ArrayLike, ArrayLike] | None,
    rng: _random.Rng,
) -> keras.Model:
    """The network that `model` stands for."""
    if isinstance(model, str) and model in NETWORKS:
        if not isinstance(data, tuple | list) or len(data) != 2:
            raise ValueError(f"train: the network {model!r} needs train=(images, labels)")
        return _train(data[0], data[1], model, rng=rng)
    if data is not None:
        raise ValueError("train: only goes with the name of a network; this model is trained already")
    if isinstance(model, str | os.PathLike):
        return read_network(model, shape)
    if not isinstance(model, keras_module().Model):
        raise TypeError(f"model: expected a Keras model, a path or a name, got {_validate.describe(model)}")
    return model


# Each network's last layer and what comes before it: backends compile a model anew for each new Model object.
_extractors: weakref.WeakKeyDictionary[keras.Model, tuple[Any, keras.Model]] = weakref.WeakKeyDictionary()


def _extractor(network: keras.Model) -> keras.Model:
    """The network without its last layer."""
    last, extractor = _extractors.get(network, (None, None))
    if extractor is not None and last is network.layers[-1]:
        return extractor
    try:
        last = network.layers[-1]
        extractor = keras_module().Model(network.inputs[0], last.input, name="features")
        sound = len(network.outputs) == len(extractor.outputs) == 1 and None not in extractor.output_shape[1:]
    except (AttributeError, ValueError, IndexError, TypeError):
        sound = False
    if not sound:
        raise ValueError("model: has no single penultimate layer of a fixed size; it must be functional or sequential")
    compile_quickly(extractor)
    _extractors[network] = last, extractor
    return extractor


def _run(extractor: keras.Model, images: NDArray[Any], batch_size: int) -> NDArray[np.float32]:
    features = np.empty((len(images), math.prod(extractor.output_shape[1:])), np.float32)
    batch = np.zeros((batch_size, *images.shape[1:]), np.float32)
    for start in range(0, len(images), batch_size):
        rows = slice(start, min(start + batch_size, len(images)))
        n = rows.stop - rows.start
        batch[:n] = scaled(images[rows])
        features[rows] = np.asarray(extractor.predict_on_batch(batch)).reshape(batch_size, -1)[:n]
    if not _validate.all_finite(features):
        raise ValueError("model: gives features that are NaN or infinite; weights, or images, are far too large")
    return features
