"""Checks of what point processes are made of: kernels, features, subsets of points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _validate


def kernel(name: str, value: Any) -> tuple[NDArray[np.float64], float]:
    """A symmetric matrix, a copy in float64, and the unit of rounding of what was given."""
    values = _validate.real_array(name, value, ndim=2)
    if values.shape[0] != values.shape[1]:
        raise ValueError(f"{name}: expected a square matrix, got shape {values.shape}")
    unit = float(np.finfo(values.dtype).eps)
    values = values.astype(np.float64)
    largest = np.abs(values).max(initial=0.0)
    difference = np.abs(values / 2 - values.T / 2).max(initial=0.0)
    if difference > math.sqrt(unit) * largest / 2:
        raise ValueError(f"{name}: is not symmetric, entries differ by {2 * (difference / largest):.3g} of the largest")
    return values / 2 + values.T / 2, unit


def features(name: str, value: Any) -> NDArray[np.float64]:
    """A finite matrix as float64; one on a GPU stays there, and whether it is finite is waited for."""
    if not _device.is_device(value):
        return _validate.real_array(name, value, ndim=2).astype(np.float64, copy=False)
    values = _device.numbers(name, value)
    if values.ndim != 2:
        raise ValueError(f"{name}: expected 2 dimensions, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: contains NaN or infinity")
    return values


def subset(name: str, value: Any, n: int) -> NDArray[np.int64]:
    """Distinct indices of n points, in rising order."""
    given = _validate.places(name, value, n)
    points: NDArray[np.int64] = np.unique(given).astype(np.int64)
    if len(points) != len(given):
        raise ValueError(f"{name}: has duplicates, {len(given)} indices of {len(points)} points")
    return points
