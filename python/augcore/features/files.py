"""Networks from files: .keras, .weights.h5 of the small networks, and .npz that `augcore train` has written."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augcore._errors import FileFormatError, missing_extra
from augcore.features._keras import keras_module
from augcore.features.networks import NETWORKS, Layers, build
from augcore.features.packaged import PACKAGED, read_packaged
from augcore.features.weights import MAX_CLASSES, read_weights

if TYPE_CHECKING:
    import keras

__all__ = ["SUFFIXES", "load", "read_network"]

SUFFIXES = (".npz", ".keras")  # of what `load` takes

MAX_EXPANSION = 20  # times, of a packed model


def load(model: str | os.PathLike[str]) -> keras.Model:
    """Load a trained network, for `featurize` or to go on with.

    Parameters
    ----------
    model : path or str
        The name of a network in `PACKAGED`, which comes with the package; or a .npz file that `augcore train` has
        written; or a .keras file (loaded in Keras' safe mode).

    Returns
    -------
    keras.Model
        Its input is the images divided by 255; its last layer gives one probability for each class.

    Raises
    ------
    ImportError
        If Keras or its backend is not installed.
    FileNotFoundError
        If `model` is a path and there is no such file.
    augcore.FileFormatError
        If that file is damaged, or is no network.
    augcore.ChecksumError
        If a file of the package is not what it should be.
    ValueError
        If `model` is neither such a name nor such a path.
    """
    return read_network(model)


def read_network(model: str | os.PathLike[str], shape: tuple[int, ...] | None = None) -> keras.Model:
    """The network that a name of the package or a path stands for; a .weights.h5 file needs the shape of an image."""
    if isinstance(model, str) and model in PACKAGED:
        return read_packaged(model)
    path = Path(model)
    in_h5 = path.name.endswith(".weights.h5") and shape is not None
    if not in_h5 and path.suffix not in SUFFIXES:
        names = ", ".join(map(repr, [*([] if shape is None else NETWORKS), *PACKAGED]))
        raise ValueError(f"model: expected {names}, a .npz, .keras or .weights.h5 file, got {str(path)!r}")
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "model: no such file", str(path))
    if path.suffix == ".npz":
        return read_weights(path)[0]
    try:
        return _read_h5(path, shape) if in_h5 and shape is not None else _read_keras(path)
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


def _read_h5(path: Path, shape: tuple[int, ...]) -> keras.Model:
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
    for layer in [*NETWORKS[name](make), make.classifier(2, he=False)]:
        kind = type(layer).__name__.lower()
        if kind in ("conv2d", "dense"):
            groups.append(f"{kind}_{made[kind]}" if kind in made else kind)
            made[kind] = made.get(kind, 0) + 1
    return groups
