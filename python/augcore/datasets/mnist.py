"""MNIST: mnist.npz, or the four official files, gzipped or not."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore._errors import FileFormatError
from augcore.datasets import checksums, npz
from augcore.datasets.source import Arrays, Source

__all__ = ["FILES", "NPZ", "URL", "read_files", "read_idx", "read_npz"]

NPZ = "mnist.npz"
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"

MAX_IDX_BYTES = 2**26  # the training images have 47 million
_NAMES = {digit: str(digit) for digit in range(10)}


def read_npz(root: Path) -> Source:
    path = root / NPZ
    train, test = npz.read_arrays(path, len(_NAMES))
    arrays = (train.all_images, train.labels, test.all_images, test.labels)
    for array, name in zip(arrays, FILES, strict=True):
        checksums.check_sum(f"{path}, as {name}", _idx_digest(array), checksums.SUMS[name])
    return Source(train, test, _NAMES)


def read_files(root: Path) -> Source:
    paths = (checksums.found(root, name, packed=True) or root / name for name in FILES)
    x_train, y_train, x_test, y_test = (read_idx(path) for path in paths)
    return Source(Arrays(x_train, y_train), Arrays(x_test, y_test), _NAMES)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an idx file of bytes: two zeros, the type 8, the number of axes, big-endian lengths, the data."""
    with checksums.unpacked(path) as stream:
        data = stream.read(MAX_IDX_BYTES + 1)
    ndim = data[3] if len(data) >= 4 else 0
    start = 4 + 4 * ndim
    if data[:3] != b"\0\0\x08" or ndim == 0 or len(data) < start:
        raise FileFormatError(f"{path}: does not begin as an idx file of bytes")
    if len(data) > MAX_IDX_BYTES:
        raise FileFormatError(f"{path}: holds more than {MAX_IDX_BYTES} bytes")
    shape = tuple(int(length) for length in np.frombuffer(data, ">u4", ndim, 4))
    values = np.frombuffer(data, np.uint8, offset=start)
    if values.size == 0 or values.size != math.prod(shape):
        raise FileFormatError(f"{path}: holds {values.size} values, not the {shape} that it states")
    return values.reshape(shape)


def _idx_digest(array: NDArray[Any]) -> str:
    """The SHA-256 of the idx file that would hold an array of bytes, or of small labels."""
    array = array.astype(np.uint8, copy=False)
    digest = hashlib.sha256(bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">u4").tobytes())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
