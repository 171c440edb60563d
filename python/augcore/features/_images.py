"""Batches of images as the networks take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _validate

__all__ = ["image_batch", "scaled"]


def image_batch(name: str, value: ArrayLike) -> NDArray[Any]:
    """A batch of images with a channel axis, C-contiguous."""
    images = _validate.array(name, value)
    if images.dtype.newbyteorder("=").name not in ("uint8", "float32", "float64"):
        raise TypeError(f"{name}: expected uint8, float32 or float64, got dtype {images.dtype}")
    if images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise ValueError(f"{name}: expected shape (n, H, W) or (n, H, W, C), got {images.shape}")
    if images.dtype.kind == "f" and not _validate.all_finite(images):
        raise ValueError(f"{name}: contains NaN or infinity")
    if images.dtype.itemsize == 8 and images.size and max(images.max(), -images.min()) > np.finfo(np.float32).max:
        raise ValueError(f"{name}: contains values beyond float32; expected 0 to 255")
    return np.ascontiguousarray(images if images.ndim == 4 else images[..., np.newaxis])


def scaled(images: NDArray[Any]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.divide(images, np.float32(255), dtype=np.float32, casting="same_kind")
    return scaled
