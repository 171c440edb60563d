"""Sets in .npz files as Keras lays them out: x_train, y_train, x_test, y_test. Also the sample inside the package."""

from __future__ import annotations

import errno
import hashlib
import importlib.resources
import io
from pathlib import Path
from typing import IO

import numpy as np

from augcore import _files
from augcore._errors import FileFormatError
from augcore.datasets import checksums
from augcore.datasets.source import Arrays, Source

__all__ = ["ARRAYS", "SAMPLE_SHA256", "check_headers", "read", "read_arrays", "read_sample", "sample_path"]

ARRAYS = ("x_train", "y_train", "x_test", "y_test")

SAMPLE_SHA256 = "73298ff515dd8d21de6b979a9a5e2caca2560b82ec1a2a0fb05dadc3eb3f6933"


def read(path: Path, file: IO[bytes] | None = None) -> Source:
    """What an .npz file, or the open one in its place, holds; its labels are the names of the classes."""
    train, test = read_arrays(path, file=file)
    names = {int(label): str(label) for label in np.union1d(train.labels, test.labels)}
    return Source(train, test, names)


def read_arrays(path: Path, n_classes: int | None = None, file: IO[bytes] | None = None) -> tuple[Arrays, Arrays]:
    """The training and the test set; where the number of classes is given, labels beyond it are refused."""
    if file is None and not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "npz: no such file", str(path))
    arrays = _files.read_npz(path, ARRAYS, check_headers, file=file)
    x_train, y_train, x_test, y_test = (arrays[name] for name in ARRAYS)
    y_train, y_test = y_train.ravel().astype(np.int64), y_test.ravel().astype(np.int64)
    if n_classes is not None and any(y.min() < 0 or y.max() >= n_classes for y in (y_train, y_test)):
        raise FileFormatError(f"{path}: has labels outside 0 to {n_classes - 1}")
    return Arrays(x_train, y_train), Arrays(x_test, y_test)


def check_headers(headers: dict[str, _files.ArrayHeader]) -> None:
    """Refuses what is no pair of image sets, from the headers alone."""
    for part in ("train", "test"):
        images, labels = headers[f"x_{part}"], headers[f"y_{part}"]
        if images.dtype != np.uint8 or len(images.shape) not in (3, 4) or 0 in images.shape:
            raise FileFormatError(
                f"x_{part}: expected images of uint8, (n, H, W) or (n, H, W, C), got {images.dtype} {images.shape}"
            )
        n = images.shape[0]
        if not np.can_cast(labels.dtype, np.int64) or labels.shape not in ((n,), (n, 1)):
            raise FileFormatError(f"y_{part}: expected {n} integer labels, got {labels.dtype} {labels.shape}")
    if headers["x_train"].shape[1:] != headers["x_test"].shape[1:]:
        raise FileFormatError(
            f"x_test: images of shape {headers['x_test'].shape[1:]}, but x_train {headers['x_train'].shape[1:]}"
        )


def sample_path() -> Path:
    return Path(str(importlib.resources.files("augcore") / "data" / "mnist-sample.npz"))


def read_sample() -> Source:
    """The sample inside the package."""
    data = sample_path().read_bytes()
    checksums.check_sum(sample_path(), hashlib.sha256(data).hexdigest(), SAMPLE_SHA256)
    return read(sample_path(), io.BytesIO(data))
