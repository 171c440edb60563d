"""Features of images: what the penultimate layer of a Keras network says of them.

`train` fits one of the networks of the paper on the spot, `featurize` runs images through a network. Only the Keras API
is used, so any of its backends will do. The same seed gives the same bits on the same machine with the same number of
processors: every draw (weights, dropout, order of the images) has its own seed, and no global state is touched.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import io
import itertools
import json
import math
import os
import re
import sys
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _files, _random, _validate, _validate_models
from augcore._errors import FileFormatError, missing_extra
from augcore.features._keras import compile_quickly, keras_module
from augcore.features.networks import NETWORKS, Layers, build

if TYPE_CHECKING:
    import keras

__all__ = ["NETWORKS", "featurize", "train"]

Progress = Callable[[int, int, float], None]

MAX_CLASSES = 10_000  # in a file of weights
MAX_EXPANSION = 20  # times, of a packed model


# ---- training --------------------------------------------------------------------------------------------------------


def train(
    images: ArrayLike,
    labels: ArrayLike,
    model: str = "cnn",
    *,
    rng: _random.Rng = None,
    epochs: int = 40,
    batch_size: int = 512,
    progress: Progress | None = None,
) -> keras.Model:
    """Train a network of the paper as a classifier, by Adam on the cross-entropy.

    Parameters
    ----------
    images : array_like, shape (n, H, W) or (n, H, W, C)
        uint8, or floats between 0 and 255; they are divided by 255.
    labels : array_like, shape (n,)
        At least two classes.
    model : str
        "cnn": the paper's network, 512 features; "lenet5": 84 features; "mnist-cnn": 128 features.
    rng : int, numpy.random.Generator or None
        Decides initial weights, dropout and order; None takes fresh entropy.
    epochs, batch_size : int
    progress : callable, optional
        Called as progress(epoch, epochs, accuracy) after each epoch; epochs count from 1, the accuracy is the one on
        the training batches of that epoch, dropout included.

    Returns
    -------
    keras.Model
        Its input is the images divided by 255; its last layer gives one probability for each class, in sorted order.

    Raises
    ------
    ImportError
        If Keras or its backend is not installed.
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the message names it.
    """
    _validate.choice("model", model, NETWORKS)
    epochs = _validate.integer("epochs", epochs, 1)
    batch_size = _validate.integer("batch_size", batch_size, 1)
    pictures = _image_batch("images", images)
    classes, codes = np.unique(_validate_models.label_array("labels", labels), return_inverse=True)
    if len(codes) != len(pictures):
        raise ValueError(f"labels: expected length {len(pictures)}, got {len(codes)}")
    if len(classes) < 2:
        raise ValueError(f"labels: expected at least two classes, got {classes.tolist()}")
    draws = np.random.default_rng(_random.key(rng))
    network = build(model, pictures.shape[1:], len(classes), Layers(draws))
    compile_quickly(
        network,
        optimizer=keras_module().optimizers.Adam(),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    for epoch in range(1, epochs + 1):
        order = draws.permutation(len(pictures))
        correct = 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            network.reset_metrics()
            logs = network.train_on_batch(_scaled(pictures[batch]), codes[batch], return_dict=True)
            correct += float(logs["accuracy"]) * len(batch)
        if progress is not None:
            progress(epoch, epochs, correct / len(order))
    return network


def _image_batch(name: str, value: ArrayLike) -> NDArray[Any]:
    """A batch of images with a channel axis, C-contiguous."""
    images = _validate.array(name, value)
    if images.dtype.newbyteorder("=").name not in ("uint8", "float32", "float64"):
        raise TypeError(f"{name}: expected uint8, float32 or float64, got dtype {images.dtype}")
    if images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise ValueError(f"{name}: expected shape (n, H, W) or (n, H, W, C), got {images.shape}")
    if images.dtype.kind == "f" and not _validate.all_finite(images):
        raise ValueError(f"{name}: contains NaN or infinity")
    return np.ascontiguousarray(images if images.ndim == 4 else images[..., np.newaxis])


def _scaled(images: NDArray[Any]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.divide(images, np.float32(255), dtype=np.float32, casting="same_kind")
    return scaled


# ---- features --------------------------------------------------------------------------------------------------------


def featurize(
    images: ArrayLike,
    model: str | os.PathLike[str] | keras.Model,
    *,
    train: tuple[ArrayLike, ArrayLike] | None = None,
    rng: _random.Rng = None,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int = 1024,
) -> NDArray[np.float32]:
    """Run images through a network up to its penultimate layer.

    Parameters
    ----------
    images : array_like, shape (n, H, W) or (n, H, W, C)
        uint8, or floats between 0 and 255; they are divided by 255.
    model : keras.Model, path or str
        A functional or sequential model; a .keras file (loaded in Keras' safe mode); a .weights.h5 file of a network
        of `train`; or the name of a network, which is then trained on `train`.
    train : (images, labels), optional
        What to train a network on that is given by name.
    rng : int, numpy.random.Generator or None
        For the training of a network given by name.
    cache : path, optional
        A folder that keeps features. They are found again by the SHA-256 of images and network; a damaged file counts
        as none.
    batch_size : int
        How many images the network sees at once. The last batch is filled up, so that a row does not depend on how
        many others there are.

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
    batch_size = _validate.integer("batch_size", batch_size, 1)
    pictures = _image_batch("images", images)
    network = _network(model, pictures.shape[1:], train, rng)
    extractor = _extractor(network)
    expected = extractor.input_shape[1:]
    if len(expected) != 3 or any(e not in (None, got) for e, got in zip(expected, pictures.shape[1:], strict=True)):
        raise ValueError(f"images: the network takes images of shape {expected}, got {pictures.shape[1:]}")
    if cache is None:
        return _run(extractor, pictures, batch_size)
    folder, key = Path(cache).expanduser(), _cache_key(extractor, pictures, batch_size)
    features = _cached(folder, key, (len(pictures), math.prod(extractor.output_shape[1:])))
    if features is None:
        features = _run(extractor, pictures, batch_size)
        _store(folder, key, features)
    return features


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
        return train(data[0], data[1], model, rng=rng)
    if data is not None:
        raise ValueError("train: only goes with the name of a network; this model is trained already")
    if isinstance(model, str | os.PathLike):
        return _load(Path(model), shape)
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
        batch[:n] = _scaled(images[rows])
        features[rows] = np.asarray(extractor.predict_on_batch(batch)).reshape(batch_size, -1)[:n]
    return features


# ---- the cache: KEY-DIGEST.npy, DIGEST being that of the file's own bytes --------------------------------------------


def _cache_key(extractor: keras.Model, images: NDArray[Any], batch_size: int) -> str:
    """What decides the features: the images, the network, and what computes it."""
    try:
        architecture = json.dumps(extractor.get_config(), sort_keys=True)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(f"model: cannot be described, so its features cannot be kept: {error}") from None
    computer = f"{keras_module().__version__} {keras_module().backend.backend()} {batch_size}"
    digest = hashlib.sha256(f"{computer} {images.dtype} {images.shape} {architecture}".encode())
    for values in (images, *extractor.get_weights()):
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:32]


def _npy_header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _cached(folder: Path, key: str, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Features that are kept under a key, if their file is whole; what is not is removed."""
    header = _npy_header(shape)
    for path in sorted(folder.glob(f"{key}-*.npy")):
        data = path.read_bytes()
        if path.stem == f"{key}-{hashlib.sha256(data).hexdigest()[:32]}" and data.startswith(header):
            return np.frombuffer(data, "<f4", offset=len(header)).reshape(shape).astype(np.float32)
        path.unlink(missing_ok=True)
    return None


def _store(folder: Path, key: str, features: NDArray[np.float32]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = _npy_header(features.shape) + features.astype("<f4", copy=False).tobytes()
    with _files.atomic_write(folder / f"{key}-{hashlib.sha256(data).hexdigest()[:32]}.npy") as file:
        file.write(data)


# ---- networks from files ---------------------------------------------------------------------------------------------


def _load(path: Path, shape: tuple[int, ...]) -> keras.Model:
    weights = path.name.endswith(".weights.h5")
    if not weights and path.suffix != ".keras":
        names = ", ".join(map(repr, NETWORKS))
        raise ValueError(f"model: expected {names}, a .keras or a .weights.h5 file, got {str(path)!r}")
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "model: no such file", str(path))
    try:
        return _read_weights(path, shape) if weights else _read_keras(path)
    except (FileFormatError, ImportError, MemoryError):
        raise
    except Exception as error:  # Keras and HDF5 raise anything when a file is damaged
        raise FileFormatError(f"{path}: cannot be read as a network: {error}") from None


def _read_keras(path: Path) -> keras.Model:
    with zipfile.ZipFile(path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > 2**24 + MAX_EXPANSION * path.stat().st_size:
        raise FileFormatError(f"{path}: would expand to {size} bytes")
    network = keras_module().saving.load_model(path, compile=False, safe_mode=True)
    if not isinstance(network, keras_module().Model):
        raise FileFormatError(f"{path}: holds no Keras model")
    return network


def _read_weights(path: Path, shape: tuple[int, ...]) -> keras.Model:
    """The network of `train` that a file of weights fits."""
    try:
        import h5py
    except ImportError:
        raise missing_extra("h5py", "experiments") from None
    with h5py.File(path, "r") as file:
        found = {group for group in file["layers"] if group.startswith(("conv2d", "dense"))}
        for name in NETWORKS:
            groups = _weight_groups(name)
            if found == set(groups):
                break
        else:
            raise FileFormatError(f"{path}: holds the weights of none of the networks {', '.join(NETWORKS)}")
        arrays = [file[f"layers/{group}/vars/{i}"] for group in groups for i in (0, 1)]
        if not 2 <= arrays[-1].size <= MAX_CLASSES:
            raise FileFormatError(f"{path}: has {arrays[-1].size} classes")
        network = build(name, shape, arrays[-1].size, Layers(np.random.default_rng(0)))
        for array, expected in zip(arrays, network.get_weights(), strict=True):
            own = array.file.filename == file.filename and array.external is None and not array.is_virtual
            if not own or array.dtype.kind != "f" or array.shape != expected.shape:
                raise FileFormatError(f"{path}: {array.name} is not {expected.shape}, as {name} on {shape} needs it")
        network.set_weights([array[()] for array in arrays])
    return network


def _weight_groups(name: str) -> list[str]:
    """The groups that hold weights in a file of a network: conv2d, conv2d_1, ..., dense, dense_1, ..."""
    made: dict[str, int] = {}
    groups = []
    make = Layers(np.random.default_rng(0))
    for layer in [*NETWORKS[name](make), make.dense(2, "softmax")]:
        kind = type(layer).__name__.lower()
        if kind in ("conv2d", "dense"):
            groups.append(f"{kind}_{made[kind]}" if kind in made else kind)
            made[kind] = made.get(kind, 0) + 1
    return groups
