"""Arrays in the memory of a GPU: which arrays those are, and how they are read as CuPy arrays.

CuPy is the library of such arrays, imported where the first one comes along. Tensors of other libraries are taken by
DLPack, which orders their stream before the current one without waiting, or by __cuda_array_interface__.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "array",
    "beside",
    "contiguous",
    "current_stream",
    "empty",
    "fill",
    "host",
    "is_device",
    "namespace",
    "numbers",
    "output",
    "together",
    "upload",
]

Array = NDArray[Any]  # or CuPy's, which has no such type
_ON_GPU = (2, 13)  # kDLCUDA and kDLCUDAManaged of dlpack.h


def is_device(value: Any) -> bool:
    """Whether an array is in the memory of a GPU."""
    if type(value) is np.ndarray:  # most often, and many times in a fit
        return False
    if isinstance(value, np.ndarray | np.generic | int | float | list | tuple | str | None):
        return False
    try:
        where = value.__dlpack_device__
    except Exception:
        where = None
    if callable(where):
        try:
            return int(where()[0]) in _ON_GPU
        except Exception:  # it has the method, and says by it that it cannot be exported
            return False
    try:
        return getattr(value, "__cuda_array_interface__", None) is not None
    except Exception:
        return False


def cupy() -> Any:
    """The CuPy module."""
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            "arrays on a GPU need CuPy; install it with: pip install 'augcore[cuda13]' (or cuda12, as the driver is)"
        ) from error
    return cupy


def namespace(value: Any) -> Any:
    """NumPy, or CuPy for an array of it."""
    return cupy() if is_device(value) else np


def array(name: str, value: Any) -> Array:
    """An array on a GPU as a CuPy array, without a copy. It must be on the current device."""
    cp = cupy()
    result: Array
    try:
        if isinstance(value, cp.ndarray):
            result = value
        elif hasattr(value, "__dlpack__"):
            result = cp.from_dlpack(value)
        else:
            result = cp.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # what the exporters of other libraries raise
        raise TypeError(f"{name}: cannot be read as an array on the GPU: {error}") from None
    here = cp.cuda.runtime.getDevice()
    there = getattr(result, "device").id  # noqa: B009 - CuPy's device, not NumPy's
    if there != here:
        raise ValueError(
            f"{name}: is on GPU {there}, but the current device is GPU {here}; use it under: "
            f"with cupy.cuda.Device({there})"
        )
    return result


def empty(name: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """A new CuPy array; a MemoryError says how much was asked for."""
    try:
        result: Array = cupy().empty(shape, dtype)
    except MemoryError:
        gigabytes = np.dtype(dtype).itemsize * float(np.prod(shape, dtype=np.float64)) / 1e9
        raise MemoryError(
            f"{name}: no memory on the GPU for shape {shape}, {np.dtype(dtype)} ({gigabytes:.3g} GB); "
            "pass fewer rows at a time, or free what CuPy keeps: cupy.get_default_memory_pool().free_all_blocks()"
        ) from None
    return result


def contiguous(name: str, values: Array) -> Array:
    """C-contiguous: a copy where the array is not."""
    if values.flags.c_contiguous:
        return values
    result = empty(name, values.shape, values.dtype)
    result[...] = values
    return result


def output(name: str, value: Any, shape: tuple[int, ...], dtype: Any, *inputs: Any) -> Array:
    """Where a result on the GPU goes: an array that can take it as it is, or None for a new one."""
    if value is None:
        return empty(name, shape, dtype)
    if not isinstance(value, cupy().ndarray):
        raise TypeError(f"{name}: expected a CuPy array or None, as the input is on a GPU, got {type(value).__name__}")
    result = array(name, value)
    if result.shape != shape or result.dtype != dtype:
        found = f"{result.dtype} and shape {result.shape}"
        raise ValueError(f"{name}: expected dtype {dtype} and shape {shape}, got {found}")
    if not result.flags.c_contiguous:
        raise ValueError(f"{name}: must be C-contiguous")
    if any(cupy().may_share_memory(result, other) for other in inputs if isinstance(other, cupy().ndarray)):
        raise ValueError(f"{name}: must not overlap the images or parameters")
    return result


def numbers(name: str, value: Any, shape: tuple[int, ...] | None = None) -> Array:
    """Real numbers on the GPU as float64. Whether they are finite is not looked at: that would wait for the GPU."""
    values = array(name, value)
    if values.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected float32, float64 or integers, got dtype {values.dtype}")
    if shape is not None and values.shape != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {values.shape}")
    return contiguous(name, values.astype(np.float64, copy=False))


def fill(value: Any, n: int, c: int) -> Array:
    """Fill values on the GPU, a vector of one for each of n images or (n, c), as (n, c)."""
    values = numbers("fill", value)
    if values.shape == (n,):
        values = cupy().repeat(values[:, None], c, axis=1)
    if values.shape != (n, c):
        raise ValueError(f"fill: expected shape ({n},) or ({n}, {c}), got {values.shape}")
    return values


def upload(values: Any) -> Array:
    """A NumPy array on the GPU; a CuPy array as it is."""
    result: Array = values if is_device(values) else cupy().asarray(values)
    return result


def together(*values: Any) -> tuple[Any, ...]:
    """Arrays as they are; where one of them is on the GPU, all are put there. Numbers stay numbers."""
    if not any(is_device(value) for value in values):
        return values
    return tuple(upload(value) if isinstance(value, np.ndarray) else value for value in values)


def beside(other: Any, values: Any) -> Any:
    """An array where `other` is, on the GPU or on the host; from the one to the other it waits. None stays None."""
    if values is None:
        return None
    return upload(values) if is_device(other) else host(values)


def host(values: Any) -> Array:
    """A CuPy array as a NumPy array, which waits for the GPU; a NumPy array as it is."""
    result: Array = cupy().asnumpy(values) if is_device(values) else values
    return result


def current_stream() -> int:
    """The address of CuPy's current stream, for the kernels."""
    return int(cupy().cuda.get_current_stream().ptr)
