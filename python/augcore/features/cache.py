"""Features that are kept: KEY-DIGEST.npy, KEY being that of images and network, DIGEST that of the file's own bytes."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import _files
from augcore.features._keras import keras_module

if TYPE_CHECKING:
    import keras

__all__ = ["kept", "key_of", "store"]


def key_of(extractor: keras.Model, images: NDArray[Any], batch_size: int) -> str:
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


def kept(folder: Path, key: str, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Features that are kept under a key, if their file is whole; what is not is removed."""
    header = _npy_header(shape)
    for path in sorted(folder.glob(f"{key}-*.npy")):
        data = path.read_bytes()
        if path.stem == f"{key}-{hashlib.sha256(data).hexdigest()[:32]}" and data.startswith(header):
            return np.frombuffer(data, "<f4", offset=len(header)).reshape(shape).astype(np.float32)
        path.unlink(missing_ok=True)
    return None


def store(folder: Path, key: str, features: NDArray[np.float32]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = _npy_header(features.shape) + features.astype("<f4", copy=False).tobytes()
    with _files.atomic_write(folder / f"{key}-{hashlib.sha256(data).hexdigest()[:32]}.npy") as file:
        file.write(data)
