"""Every check of user input, and the wording of every error.

A check returns the value in the form that the kernels want, or raises: TypeError for a wrong type or dtype, ValueError
for a wrong value or shape. Every message begins with the name of the argument and ends with what was got.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_THREADS = 1024


def describe(value: Any) -> str:
    """A short text for error messages: the type, and for arrays dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{type(value).__name__} of dtype {value.dtype} and shape {value.shape}"
    if isinstance(value, str | int | float | bool | None):
        return repr(value)
    return f"an object of type {type(value).__name__}"


def choice(name: str, value: Any, options: Collection[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string, got {describe(value)}")
    if value not in options:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, options))}, got {value!r}")
    return value


def integer(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """A whole number in [low, high]; bools are refused."""
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {describe(value)}") from None
    _check_range(name, number, low, high)
    return number


def real(name: str, value: Any, low: float | None = None, high: float | None = None) -> float:
    """A finite real number in [low, high]; bools are refused."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real | np.generic):
        raise TypeError(f"{name}: expected a number, got {describe(value)}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected a number, got {describe(value)}") from None
    except OverflowError:
        raise ValueError(f"{name}: must be finite, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name}: must be finite, got {number!r}")
    _check_range(name, number, low, high)
    return number


def _check_range(name: str, number: float, low: float | None, high: float | None) -> None:
    if (low is not None and number < low) or (high is not None and number > high):
        if low is None:
            bounds = f"at most {high}"
        elif high is None:
            bounds = f"at least {low}"
        else:
            bounds = f"between {low} and {high}"
        raise ValueError(f"{name}: must be {bounds}, got {number!r}")


def threads(value: int | None) -> int:
    """The `threads` argument of every function: None means the global setting, which the kernels know as 0."""
    return 0 if value is None else integer("threads", value, 1, MAX_THREADS)


def array(name: str, value: Any) -> NDArray[Any]:
    """Any plain array-like as an ndarray, a copy only where the value is no array."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: masked arrays are not supported; fill or drop the masked values first")
    if hasattr(value, "toarray") and not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: sparse arrays are not supported, got {describe(value)}")
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise TypeError(f"{name}: cannot be read as an array: {error}") from None


def real_array(name: str, value: Any, *, ndim: int, finite: bool = True) -> NDArray[Any]:
    """A float32 or float64 array of real numbers, C-contiguous in native byte order; integers become float64."""
    values = array(name, value)
    if values.dtype.kind in "iu":
        values = values.astype(np.float64)
    if values.dtype.kind != "f" or values.dtype.itemsize not in (4, 8):
        raise TypeError(f"{name}: expected float32, float64 or integers, got dtype {values.dtype}")
    if values.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimension{'s' * (ndim != 1)}, got shape {values.shape}")
    values = np.require(values, dtype=values.dtype.newbyteorder("="), requirements=["C", "A"])
    if finite and not all_finite(values):
        raise ValueError(f"{name}: contains NaN or infinity")
    return values


def all_finite(values: NDArray[Any]) -> bool:
    """Whether no element is NaN or infinite, at the cost of a sum in the usual case."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(values.sum(dtype=np.float64)) or np.isfinite(values).all())


def vector(name: str, value: Any, length: int | None = None, *, finite: bool = True) -> NDArray[np.float64]:
    """A vector of float64, of the given length."""
    values = np.ascontiguousarray(real_array(name, value, ndim=1, finite=finite), dtype=np.float64)
    if length is not None and len(values) != length:
        raise ValueError(f"{name}: expected length {length}, got {len(values)}")
    return values


def design(name: str, value: Any, *, columns: int | None = None) -> NDArray[Any]:
    """A matrix of samples by features, float32 or float64, with at least one feature."""
    values = real_array(name, value, ndim=2)
    if values.shape[1] == 0:
        raise ValueError(f"{name}: has no columns, got shape {values.shape}")
    if columns is not None and values.shape[1] != columns:
        raise ValueError(f"{name}: expected {columns} columns, got shape {values.shape}")
    return values


def sample_weight(name: str, value: Any, length: int) -> NDArray[np.float64] | None:
    """Weights of samples, none negative; None means one each."""
    if value is None:
        return None
    weights = vector(name, value, length)
    if length and weights.min() < 0:
        raise ValueError(f"{name}: must not be negative, got {weights.min()!r}")
    return weights
