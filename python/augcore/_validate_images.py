"""Checks of what describes parts of images: margins, rectangles, and positions that a function gave. On the host."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _validate


def _numbers(name: str, value: Any, *, finite: bool = True) -> NDArray[np.float64]:
    values = _validate.array(name, value)
    return np.asarray(_validate.real_array(name, values, ndim=values.ndim, finite=finite), dtype=np.float64)


def positions(name: str, value: Any, size: tuple[int, ...]) -> NDArray[np.float64]:
    """What a function gave for pixels of `size`: arrays x and y that broadcast to it, as (*size, 2)."""
    if not isinstance(value, tuple | list | np.ndarray):
        raise TypeError(f"{name}: must return a pair of arrays (x, y), got {_validate.describe(value)}")
    if len(value) != 2:
        raise ValueError(f"{name}: must return a pair of arrays (x, y), got {len(value)} values")
    found = np.empty((*size, 2))
    for axis, part in enumerate(value):
        numbers = _numbers(name, part, finite=False)
        try:
            found[..., axis] = numbers
        except ValueError:
            raise ValueError(
                f"{name}: must return arrays that broadcast to shape {size}, got shape {numbers.shape}"
            ) from None
    return found


def margins(name: str, value: Any, n: int) -> NDArray[np.int64]:
    """Whole pixels to cut off, (1, 4) or (n, 4): one number for all sides or (top, right, bottom, left)."""
    values = _numbers(name, value)
    if values.ndim == 0:
        values = np.full((1, 4), values)
    elif isinstance(value, np.ndarray) and values.ndim == 1:
        values = np.repeat(_validate.vector(name, values, n)[:, np.newaxis], 4, axis=1)
    else:
        values = _validate.per_image_tuple(name, values, n, 4)
    if not ((values >= 0) & (values <= _validate.MAX_SIDE) & (values == np.floor(values))).all():
        raise ValueError(f"{name}: must be whole numbers of pixels, none negative")
    return values.astype(np.int64)


def rectangles(name: str, value: Any, n: int, height: int, width: int) -> NDArray[np.int64]:
    """(top, left, height, width) within an image, in whole pixels: (1, 4) or (n, 4)."""
    values = _validate.per_image_tuple(name, _numbers(name, value), n, 4)
    whole = (values == np.floor(values)) & (values >= [0, 0, 1, 1])
    if not whole.all() or not (values[:, 2:] <= (height, width) - values[:, :2]).all():
        raise ValueError(f"{name}: expected whole pixels within images of {height} x {width} pixels")
    return values.astype(np.int64)
