"""Small sets of images for the tests of the data sets, and sums that make them official."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from augcore import datasets
from augcore.datasets import checksums, npz


def make_set(n_train=20, n_test=8, shape=(4, 5), n_classes=10, seed=0) -> dict[str, np.ndarray]:
    """Random arrays in the layout of Keras; every class occurs in both sets."""
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (n_train, *shape), np.uint8),
        "y_train": np.arange(n_train, dtype=np.uint8)[::-1] * 3 % n_classes,
        "x_test": rng.integers(0, 256, (n_test, *shape), np.uint8),
        "y_test": np.arange(n_test, dtype=np.uint8) * 7 % n_classes,
    }


def trust(monkeypatch: pytest.MonkeyPatch, name: str, data: bytes) -> bytes:
    """Declares bytes to be what an official file holds, and how large it is."""
    monkeypatch.setitem(checksums.SUMS, name, hashlib.sha256(data).hexdigest())
    monkeypatch.setitem(checksums.BYTES, name, len(data))
    return data


def assert_same(data: datasets.Dataset, arrays: dict[str, np.ndarray]) -> None:
    for name, values in zip(npz.ARRAYS, data[:4], strict=True):
        expected = arrays[name][..., None] if name.startswith("x") and arrays[name].ndim == 3 else arrays[name]
        np.testing.assert_array_equal(values, expected, strict=False)
        assert values.shape == expected.shape
        assert values.dtype == (np.uint8 if name.startswith("x") else np.int64)
