"""Files of weights: .npz without pickle, each array named by its layer, in float16 or float32, and what they are.

    about           JSON in UTF-8 as bytes: {"format": 1, "network": ..., "shape": [H, W, C], "classes": [...], ...}
    conv1.kernel    and so on, one for each array of the network

A file is read only if it holds exactly the arrays of the network that it names, in their shapes, and finite.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import _files
from augcore._errors import FileFormatError
from augcore.features._keras import keras_module
from augcore.features.networks import Layers, build, is_network, resnet_units

if TYPE_CHECKING:
    import keras

__all__ = ["named_weights", "pack", "read_weights", "unpack", "write_weights"]

MAX_CLASSES = 10_000
_FORMAT = 1
_MAX_SIDE = 4096  # pixels, or channels


def named_weights(network: keras.Model) -> dict[str, Any]:
    """The variables of the layers, by name: "conv1.kernel", ..."""
    return {f"{layer.name}.{weight.name}": weight for layer in network.layers for weight in layer.weights}


def pack(about: dict[str, Any]) -> NDArray[np.uint8]:
    """A dictionary as an array that a file without pickle can hold."""
    return np.frombuffer(json.dumps(about, sort_keys=True, allow_nan=False).encode(), np.uint8)


def unpack(array: NDArray[Any]) -> dict[str, Any]:
    """What `pack` was given; ValueError if it is something else."""
    about = json.loads(array.tobytes()) if array.dtype == np.uint8 else None
    if not isinstance(about, dict):
        raise ValueError("expected JSON in bytes")
    return about


def keras_array(variable: Any) -> NDArray[Any]:
    """The value of a Keras variable."""
    value: NDArray[Any] = keras_module().ops.convert_to_numpy(variable)
    return value


def write_weights(path: str | os.PathLike[str], network: keras.Model, about: dict[str, Any]) -> None:
    """Writes the weights of a network in float16; `about` names "network", "shape" and "classes".

    ValueError where a weight is beyond float16.
    """
    arrays: dict[str, Any] = {}
    for name, weight in named_weights(network).items():
        with np.errstate(over="ignore"):  # what overflows is told below
            arrays[name] = keras_array(weight).astype(np.float16)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"network: {name} does not fit into float16")
    with _files.atomic_write(path) as file:
        np.savez(file, about=pack({"format": _FORMAT, **about}), **arrays)


def read_weights(path: str | os.PathLike[str], *, file: IO[bytes] | None = None) -> tuple[keras.Model, dict[str, Any]]:
    """The network of a file of weights, and what the file says about it; FileFormatError if the two do not agree.

    Data are read from `file` if given: the path then only stands in messages.
    """
    with _naming(path):
        arrays = _files.read_npz(path, check=_check_dtypes, file=file)
        about = _about(arrays.pop("about"))
        units = resnet_units(about["network"])
        if units is not None and len(arrays) != 54 * units + 14:  # before a deep network is built in vain
            raise FileFormatError(f"holds {len(arrays)} arrays, not the {54 * units + 14} of {about['network']}")
        network = build(
            about["network"], tuple(about["shape"]), len(about["classes"]), Layers(np.random.default_rng(0))
        )
        weights = named_weights(network)
        if strange := sorted(arrays.keys() ^ weights.keys()):
            raise FileFormatError(f"{'has no' if strange[0] in weights else 'has an unknown'} array {strange[0]}")
        for name, weight in weights.items():
            if arrays[name].shape != tuple(weight.shape):
                raise FileFormatError(f"{name} has shape {arrays[name].shape}, expected {tuple(weight.shape)}")
            if not np.isfinite(arrays[name]).all():
                raise FileFormatError(f"{name} contains NaN or infinity")
            weight.assign(arrays[name].astype(np.float32))
    return network, about


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Makes what is wrong with the content of a file an error that names the file."""
    try:
        yield
    except ValueError as error:
        message, name = str(error), os.fspath(path)
        raise FileFormatError(message if message.startswith(name) else f"{name}: {message}") from None


def _check_dtypes(headers: dict[str, _files.ArrayHeader]) -> None:
    if "about" not in headers:
        raise FileFormatError("has no array about")
    for name, header in headers.items():
        expected = ("uint8",) if name == "about" else ("float16", "float32")
        if header.dtype.name not in expected:
            raise FileFormatError(f"{name} is of {header.dtype}, expected {' or '.join(expected)}")


def _about(array: NDArray[Any]) -> dict[str, Any]:
    """What a file says about its network, checked before anything is built after it."""
    try:
        about = unpack(array)
    except (ValueError, RecursionError):
        raise FileFormatError("about is not JSON") from None
    if about.get("format") != _FORMAT:
        raise FileFormatError(f"expected format {_FORMAT}, got {about.get('format')!r}")
    network, shape, classes = about.get("network"), about.get("shape"), about.get("classes")
    if not isinstance(network, str) or not is_network(network):
        raise FileFormatError("names no known network")
    if not isinstance(shape, list) or len(shape) != 3 or not all(_is_length(length) for length in shape):
        raise FileFormatError("shape: expected height, width and channels")
    if not isinstance(classes, list) or not 2 <= len(classes) <= MAX_CLASSES:
        raise FileFormatError(f"classes: expected a list of 2 to {MAX_CLASSES} names")
    return about


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_SIDE
