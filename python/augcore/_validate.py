"""Every check of user input, and the wording of every error.

A check returns the value in the form that the kernels want, or raises: TypeError for a wrong type or dtype, ValueError
for a wrong value or shape. Every message begins with the name of the argument and ends with what was got.
"""

from __future__ import annotations

import math
import numbers
import operator
import sys
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch

Floats = NDArray[np.float64]
MAX_THREADS = 1024


def describe(value: Any) -> str:
    """A short text for error messages: the type, and for arrays dtype and shape."""
    if isinstance(value, np.ndarray) or _device.is_device(value):
        return f"{type(value).__name__} of dtype {value.dtype} and shape {value.shape}"
    if isinstance(value, int) and abs(value) >= 10**100:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str) and len(value) > 100:
        return f"a string of {len(value)} characters"
    if isinstance(value, str | int | float | bool | None):
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"an object of type {type(value).__name__}"


def choice(name: str, value: Any, options: Collection[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string, got {describe(value)}")
    if value not in options:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, options))}, got {describe(value)}")
    return value


def integer(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """A whole number in [low, high]; bools are refused."""
    if isinstance(value, bool | np.bool_ | np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an integer, got {describe(value)}")
    try:
        number = operator.index(value)
    except Exception:  # what __index__ of a foreign object raises
        raise TypeError(f"{name}: expected an integer, got {describe(value)}") from None
    _check_range(name, number, low, high)
    return number


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {describe(value)}")
    return bool(value)


def real(name: str, value: Any, low: float | None = None, high: float | None = None) -> float:
    """A finite real number in [low, high]; bools are refused."""
    if isinstance(value, bool | np.bool_ | np.timedelta64) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number, got {describe(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name}: must be finite, got {describe(value)}") from None
    except Exception as error:  # what __float__ of a foreign object raises
        raise TypeError(f"{name}: cannot be read as a number: {error}") from None
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
        raise ValueError(f"{name}: must be {bounds}, got {describe(number)}")


def threads(value: int | None) -> int:
    """The `threads` argument of every function: None means the global setting, which the kernels know as 0."""
    return 0 if value is None else integer("threads", value, 1, MAX_THREADS)


def array(name: str, value: Any, *, device: bool = False) -> NDArray[Any]:
    """Any plain array-like as an ndarray, a copy only where the value is no array.

    device: arrays in the memory of a GPU are taken too, and stay there as CuPy arrays.
    """
    if type(value) is np.ndarray:
        return value
    if _device.is_device(value):
        if not device:
            raise TypeError(f"{name}: is on a GPU, and read here in main memory only; pass cupy.asnumpy(...) of it")
        return _device.array(name, value)
    if _has_masked(value):
        raise TypeError(f"{name}: masked arrays are not supported; fill or drop the masked values first")
    if hasattr(type(value), "toarray") and not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: sparse arrays are not supported, got {describe(value)}")
    try:
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # what __array__ of a foreign object raises
        raise TypeError(f"{name}: cannot be read as an array: {error}") from None


def _has_masked(value: Any, depth: int = 3) -> bool:
    """Whether an array, or one in lists of lists, is masked: NumPy would read what is below the mask."""
    if isinstance(value, list | tuple) and depth:
        return any(_has_masked(part, depth - 1) for part in value)
    return isinstance(value, np.ma.MaskedArray)


def sequence(name: str, value: Any, expected: str) -> Any:
    """A tuple, list, range or vector, whatever is in it."""
    if not isinstance(value, tuple | list | range | np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected {expected}, got {describe(value)}")
    if isinstance(value, np.ndarray) and value.ndim != 1:
        raise TypeError(f"{name}: expected {expected}, got {describe(value)}")
    return value


def plain(name: str, value: Any, *, labels: bool = False) -> Any:
    """What scikit-learn's own checks would read otherwise than it is meant, refused; all else as it is."""
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: masked arrays are not supported; fill or drop the masked values first")
    if kind in ("mMV" if labels else "mMVUS"):
        raise TypeError(f"{name}: expected {'labels' if labels else 'real numbers'}, got dtype {value.dtype}")
    return value


def contiguous(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """C-contiguous, aligned, in native byte order: a copy where the array is not."""
    if _device.is_device(values):
        return _device.contiguous(name, values)
    if values.flags.c_contiguous and values.flags.aligned and values.dtype.isnative:
        return values
    try:
        result = np.empty(values.shape, values.dtype.newbyteorder("="))
    except (MemoryError, ValueError):
        raise MemoryError(f"{name}: no memory for a contiguous copy of shape {values.shape}, {values.dtype}") from None
    copy_into(result, values)
    return result


COPIED_BYTES = 1 << 24  # milliseconds


def copy_into(to: NDArray[Any], values: NDArray[Any]) -> None:
    """Copies in parts, so that Ctrl-C need not wait until gigabytes are copied."""
    item = values.nbytes // max(1, len(values)) if values.ndim else 0
    if values.ndim > 1 and item > COPIED_BYTES:
        for part, given in zip(to, values, strict=True):
            copy_into(part, given)
        return
    for rows in parts(len(values), item) if values.ndim else (...,):
        np.copyto(to[rows], values[rows])


def parts(n: int, item_bytes: int) -> Iterator[slice]:
    """Slices of n items that are copied at once."""
    step = max(1, COPIED_BYTES // max(1, item_bytes))
    return (slice(first, min(n, first + step)) for first in range(0, n, step))


def real_array(name: str, value: Any, *, ndim: int, finite: bool = True, device: bool = False) -> NDArray[Any]:
    """A float32 or float64 array of real numbers, C-contiguous in native byte order; integers become float64."""
    values = array(name, value, device=device)
    if values.dtype.kind in "iu":
        values = values.astype(np.float64)
    if values.dtype.kind != "f" or values.dtype.itemsize not in (4, 8):
        raise TypeError(f"{name}: expected float32, float64 or integers, got dtype {values.dtype}")
    if values.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimension{'s' * (ndim != 1)}, got shape {values.shape}")
    values = contiguous(name, values)
    if finite and not all_finite(values):
        raise ValueError(f"{name}: contains NaN or infinity")
    return values


def scores(name: str, value: Any, *, device: bool = False) -> NDArray[Any]:
    """A vector of float32, float64 or integers as it is: it may be too large to copy, or even to look at twice."""
    values = array(name, value, device=device)
    if values.dtype.kind not in "iuf" or (values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8)):
        raise TypeError(f"{name}: expected float32, float64 or integers, got dtype {values.dtype}")
    if values.ndim != 1:
        raise ValueError(f"{name}: expected 1 dimension, got shape {values.shape}")
    return values


def is_plain(values: NDArray[Any]) -> bool:
    """Whether the kernels take scores as they are."""
    return values.dtype in (np.float32, np.float64) and values.flags.c_contiguous and values.flags.aligned


def plain_scores(values: NDArray[Any]) -> NDArray[Any]:
    """Scores as the kernels take them, float32 or float64: a copy where they are not."""
    if _device.is_device(values):
        dtype = np.float32 if values.dtype == np.float32 else np.float64
        return _device.contiguous("scores", values.astype(dtype, copy=False))
    if is_plain(values):
        return values
    single = values.dtype.kind == "f" and values.dtype.itemsize == 4
    result = np.empty(values.shape, np.float32 if single else np.float64)
    copy_into(result, values)
    return result


SCORE_BLOCK = 1 << 20


def score_blocks(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Plain scores of blocks, each with the index of its first."""
    for first in range(0, len(values), SCORE_BLOCK):
        yield first, plain_scores(values[first : first + SCORE_BLOCK])


def all_finite(values: NDArray[Any]) -> bool:
    """Whether no element is NaN or infinite."""
    return _within(values, sys.float_info.max)


def _within(values: NDArray[Any], bound: float) -> bool:
    """Whether no element is NaN or above the bound in size; where the kernel takes the array, in one pass."""
    contiguous = values.flags.c_contiguous or values.flags.f_contiguous
    if _device.is_device(values):
        return _dispatch.within(values.ravel(order="K"), bound)
    if contiguous and values.flags.aligned and values.dtype in (np.float32, np.float64) and values.dtype.isnative:
        return _dispatch.within(values.ravel(order="K"), bound)
    return bool((np.abs(values) <= np.float64(bound)).all())


# Features, coefficients and weights beyond it are refused: their squares and products would overflow.
MAX_MAGNITUDE = 1e100


def magnitudes(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Real numbers that are finite and whose squares do not overflow."""
    if not _within(values, MAX_MAGNITUDE):
        too_large = f"has values above {MAX_MAGNITUDE:g}; scale them"
        raise ValueError(f"{name}: {too_large if all_finite(values) else 'contains NaN or infinity'}")
    return values


def vector(name: str, value: Any, length: int | None = None, *, finite: bool = True, device: bool = False) -> Floats:
    """A vector of float64, of the given length."""
    values = real_array(name, value, ndim=1, finite=finite, device=device).astype(np.float64, copy=False)
    if length is not None and len(values) != length:
        raise ValueError(f"{name}: expected length {length}, got {len(values)}")
    return values


def output(name: str, value: Any, shape: tuple[int, ...], like: Any = None) -> NDArray[np.float64]:
    """Where a result of float64 goes: a new array where it is None, on the GPU if `like` is."""
    if _device.is_device(like):
        return _device.output(name, value, shape, np.float64, like)
    if value is None:
        return np.empty(shape)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name}: expected an ndarray or None, got {describe(value)}")
    if value.dtype != np.float64 or value.shape != shape or not value.flags.writeable:
        raise ValueError(f"{name}: expected a writable float64 array of shape {shape}, got {describe(value)}")
    return value


def design(name: str, value: Any, *, columns: int | None = None, device: bool = False) -> NDArray[Any]:
    """A matrix of samples by features, float32 or float64, with at least one feature."""
    values = magnitudes(name, real_array(name, value, ndim=2, finite=False, device=device))
    if values.shape[1] == 0:
        raise ValueError(f"{name}: has no columns, got shape {values.shape}")
    if columns is not None and values.shape[1] != columns:
        raise ValueError(f"{name}: expected {columns} columns, got shape {values.shape}")
    return values


def sample_weight(name: str, value: Any, length: int, like: Any = None) -> NDArray[np.float64] | None:
    """Weights of samples, none negative; None means one each. They go to the GPU where `like` is on it."""
    if value is None:
        return None
    weights = vector(name, value, length, device=_device.is_device(like))
    if length and weights.min() < 0:
        raise ValueError(f"{name}: must not be negative, got {float(weights.min())!r}")
    if magnitudes(name, weights).any() and weights[weights > 0].min() < 1 / MAX_MAGNITUDE:
        raise ValueError(f"{name}: has values below {1 / MAX_MAGNITUDE:g} that are not 0; scale them")
    return _device.upload(weights) if _device.is_device(like) else weights


# ---- registries ------------------------------------------------------------------------------------------------------


def registration(name: str, value: Any, registry: Collection[str]) -> str:
    """The name of a new entry of a registry."""
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name}: expected a string that is not empty, got {describe(value)}")
    if value in registry:
        raise ValueError(f"{name}: {value!r} is registered already")
    return value


def function(name: str, value: Any) -> Any:
    """Something that can be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected a function, got {describe(value)}")
    return value


# ---- images ----------------------------------------------------------------------------------------------------------

PIXEL_DTYPES = {np.dtype(name).char: name for name in ("uint8", "uint16", "float32", "float64")}
MAX_SIDE = 2**31 - 1


def _pixel_dtype(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.char not in PIXEL_DTYPES:
        raise TypeError(f"{name}: expected one of the dtypes {', '.join(PIXEL_DTYPES.values())}, got {dtype}")


def images(name: str, value: Any, layout: str = "NHWC") -> NDArray[Any]:
    """A batch of images, N x H x W or of the layout, C-contiguous, aligned, in native byte order."""
    values = array(name, value, device=True)
    _pixel_dtype(name, values.dtype)
    if values.ndim not in (3, 4):
        raise ValueError(f"{name}: expected shape (N, H, W) or ({', '.join(layout)}), got {values.shape}")
    return contiguous(name, values)


def output_images(name: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any], *inputs: Any) -> NDArray[Any]:
    """The `out` of an image function: an array that can take the result as it is, or None for a new one.

    inputs: the images as given and as read, and parameters; the result is where the images are.
    """
    if any(_device.is_device(other) for other in inputs[:2]):
        return _device.output(name, value, shape, dtype, *inputs)
    if value is None:
        try:
            return np.empty(shape, dtype)
        except (MemoryError, ValueError):
            raise MemoryError(f"{name}: no memory for a result of shape {shape}, {dtype}") from None
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an ndarray or None, got {describe(value)}")
    if value.shape != shape or value.dtype != dtype:
        raise ValueError(f"{name}: expected dtype {dtype} and shape {shape}, got {describe(value)}")
    flags = value.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable):
        raise ValueError(f"{name}: must be writable and C-contiguous")
    if any(isinstance(other, np.ndarray) and np.may_share_memory(value, other) for other in inputs):
        raise ValueError(f"{name}: must not overlap the images or parameters")
    return value


def _numbers(name: str, value: Any, *, finite: bool = True) -> NDArray[np.float64]:
    """Real numbers as float64, of any number of dimensions."""
    if type(value) in (int, float, np.float64):  # the usual case, without the detour of arrays
        return np.array(real(name, value) if finite or type(value) is int else value)
    values = array(name, value)
    return np.asarray(real_array(name, values, ndim=values.ndim, finite=finite), dtype=np.float64)


def _components(name: str, values: NDArray[np.float64], n: int, k: int) -> NDArray[np.float64]:
    """k numbers for all images, or (n, k): as (1, k) or (n, k)."""
    if values.shape == (k,):
        return values[np.newaxis]
    if values.shape != (n, k):
        raise ValueError(f"{name}: expected {k} numbers or an array of shape ({n}, {k}), got shape {values.shape}")
    return np.ascontiguousarray(values)


def per_image(name: str, value: Any, n: int) -> NDArray[np.float64]:
    """One finite number for all images, or one for each: a vector of length 1 or n."""
    if _device.is_device(value):
        return _device.numbers(name, value, (n,))
    values = _numbers(name, value)
    return values[np.newaxis] if values.ndim == 0 else vector(name, values, n)


def per_image_tuple(name: str, value: Any, n: int, k: int) -> NDArray[np.float64]:
    """k finite numbers for all images, or an (n, k) array: (1, k) or (n, k)."""
    if _device.is_device(value):
        return _device.numbers(name, value, (n, k))
    return _components(name, _numbers(name, value), n, k)


def rows(name: str, value: Any, n: int) -> NDArray[np.float64]:
    """Some finite numbers for all images, or a row of them for each: (1, k) or (n, k); None is no numbers."""
    values = _numbers(name, () if value is None else value)
    if values.ndim == 2 and len(values) == n:
        return np.ascontiguousarray(values)
    if values.ndim > 1:
        raise ValueError(f"{name}: expected shape (k,) or ({n}, k), got {values.shape}")
    return values.reshape(1, -1)


def fill(value: Any, pixels: NDArray[Any]) -> NDArray[np.float64]:
    """The fill value of a border, as (1, c) or (n, c).

    A number, a tuple of one per channel, a vector of one per image, or an (n, c) array. For integer pixels it must be
    in their range; for float pixels anything goes, NaN too.
    """
    n, c = len(pixels), pixels.shape[3] if pixels.ndim == 4 else 1
    if _device.is_device(value):
        return _device.fill(value, n, c)
    values = _numbers("fill", value, finite=False)
    if pixels.dtype.kind == "u":
        high = np.iinfo(pixels.dtype).max
        if values.size and not (values.min() >= 0 and values.max() <= high):
            raise ValueError(f"fill: must be between 0 and {high} for {pixels.dtype} images")
    if values.ndim == 0:
        return np.full((1, c), values)
    if isinstance(value, np.ndarray) and values.ndim == 1:
        if len(values) != n:
            raise ValueError(f"fill: expected one value for each of {n} images, got shape {values.shape}")
        return np.repeat(values[:, np.newaxis], c, axis=1)
    return _components("fill", values, n, c)


def size(name: str, value: Any) -> tuple[int, int]:
    """(height, width), both at least 1."""
    if len(sequence(name, value, "(height, width)")) != 2:
        raise ValueError(f"{name}: expected (height, width), got {len(value)} values")
    return integer(name, value[0], 1, MAX_SIDE), integer(name, value[1], 1, MAX_SIDE)


def matrix(name: str, value: Any, n: int | None = None) -> NDArray[np.float64]:
    """Affine or projective matrices, (2, 3), (3, 3), (n, 2, 3) or (n, 3, 3), as (1 or n, 3, 3)."""
    values = _device.numbers(name, value) if _device.is_device(value) else _numbers(name, value)
    shape, many = values.shape, "n" if n is None else n
    if values.ndim == 2:
        values = values[np.newaxis]
    elif values.ndim != 3 or (n is not None and len(values) != n):
        raise ValueError(f"{name}: expected shape (2, 3), (3, 3), ({many}, 2, 3) or ({many}, 3, 3), got {shape}")
    if values.shape[1:] not in ((2, 3), (3, 3)):
        raise ValueError(f"{name}: expected matrices of 2 x 3 or 3 x 3, got shape {shape}")
    if values.shape[1] == 3:
        return contiguous(name, values)
    whole: NDArray[np.float64] = _device.namespace(values).zeros((len(values), 3, 3))
    whole[:, :2], whole[:, 2, 2] = values, 1.0
    return whole


def points(name: str, value: Any, k: int) -> NDArray[np.float64]:
    """Points of k numbers along the last axis."""
    values = _numbers(name, value)
    if values.ndim == 0 or values.shape[-1] != k:
        raise ValueError(f"{name}: expected {k} numbers along the last axis, got shape {values.shape}")
    return values


def indices(name: str, value: Any, length: int) -> NDArray[np.int64]:
    """Whole numbers that say which images of a set some images are, none negative; repeats are allowed."""
    values = array(name, value)
    if values.dtype.kind not in "iu" and values.size:
        raise TypeError(f"{name}: expected integers, got dtype {values.dtype}")
    if values.shape != (length,):
        raise ValueError(f"{name}: expected shape ({length},), got {values.shape}")
    if length and (values.min() < 0 or values.max() > np.iinfo(np.int64).max):
        raise ValueError(f"{name}: must be between 0 and 2**63 - 1")
    return values.astype(np.int64)


def places(name: str, value: Any, n: int) -> NDArray[np.intp]:
    """A vector of indices into n points; repeats are allowed."""
    values = array(name, value)
    if values.dtype.kind not in "iu" and values.size:
        raise TypeError(f"{name}: expected integers, got dtype {values.dtype}")
    if values.ndim != 1:
        raise ValueError(f"{name}: expected 1 dimension, got shape {values.shape}")
    if len(values) and (values.min() < 0 or values.max() >= n):
        raise ValueError(f"{name}: must be between 0 and {n - 1}, got {values.min()} to {values.max()}")
    return values.astype(np.intp)
