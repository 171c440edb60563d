"""CuPy's arrays in the memory of the process, for the CUDA emulator: what the library uses of them, as strict as CuPy.

An array is a NumPy array in a box that NumPy cannot look into. Operations take boxes and Python numbers only and give
boxes back; NumPy functions called with a box are run inside, as CuPy's dispatch does; every look from outside
(`item`, `bool`, `asnumpy`) is counted, as it would wait for the card.
"""

from __future__ import annotations

import contextlib
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

waits = 0


def _wait() -> None:
    global waits
    waits += 1


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    __slots__ = ("_box",)

    def __init__(self, box: np.ndarray) -> None:
        self._box = box

    # ---- what a look from outside does --------------------------------------------------------------------------

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def get(self) -> np.ndarray:
        _wait()
        return self._box.copy()

    def set(self, values: np.ndarray, stream: Any = None) -> None:
        """From main memory; CuPy casts nothing and broadcasts nothing."""
        if values.dtype != self._box.dtype or values.shape != self._box.shape:
            raise ValueError(f"Shape or dtype mismatch: {values.shape} {values.dtype}")
        self._box[...] = values

    def item(self) -> Any:
        _wait()
        return self._box.item()

    def tolist(self) -> Any:
        _wait()
        return self._box.tolist()

    def __bool__(self) -> bool:
        _wait()
        return bool(self._box)

    def __float__(self) -> float:
        _wait()
        return float(self._box)

    def __int__(self) -> int:
        _wait()
        return int(self._box)

    def __index__(self) -> int:
        _wait()
        return self._box.__index__()

    def __iter__(self) -> Iterator[Any]:
        return (_boxed(part) for part in self._box)

    # ---- facts of an array --------------------------------------------------------------------------------------

    shape = property(lambda self: self._box.shape)
    dtype = property(lambda self: self._box.dtype)
    ndim = property(lambda self: self._box.ndim)
    size = property(lambda self: self._box.size)
    nbytes = property(lambda self: self._box.nbytes)
    strides = property(lambda self: self._box.strides)
    itemsize = property(lambda self: self._box.itemsize)
    T = property(lambda self: _boxed(self._box.T))
    base = property(lambda self: self._box.base)

    @property
    def flags(self) -> Any:
        flags = self._box.flags
        return types.SimpleNamespace(
            c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous, owndata=flags.owndata
        )

    @property
    def data(self) -> Any:
        return types.SimpleNamespace(ptr=self._box.ctypes.data)

    @property
    def device(self) -> Any:
        return types.SimpleNamespace(id=0)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self._box.__array_interface__, "version": 3, "stream": 1}

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, **keywords: Any) -> Any:
        return self._box.__dlpack__()

    def __len__(self) -> int:
        return len(self._box)

    def __repr__(self) -> str:
        return repr(self._box)

    # ---- operations ---------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        return _boxed(self._box[_unboxed_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._box[_unboxed_key(key)] = _unboxed(value)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if "out" in keywords:
            keywords["out"] = tuple(_unboxed(out) for out in keywords["out"])
        with np.errstate(all="ignore"):
            return _boxed(getattr(ufunc, method)(*(_unboxed(value) for value in inputs), **_unboxed_all(keywords)))

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        with np.errstate(all="ignore"):
            return _boxed(function(*_unboxed_all(arguments), **_unboxed_all(keywords)))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Methods that NumPy's and CuPy's arrays share."""
        if name.startswith("_") or name not in METHODS:
            raise AttributeError(f"'ndarray' object has no attribute {name!r}")

        def call(*arguments: Any, **keywords: Any) -> Any:
            with np.errstate(all="ignore"):
                return _boxed(getattr(self._box, name)(*_unboxed_all(arguments), **_unboxed_all(keywords)))

        return call


METHODS = {
    *("all", "any", "argmax", "argmin", "argsort", "astype", "clip", "copy", "cumsum", "diagonal", "dot", "fill"),
    *("max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round", "sort", "squeeze", "std", "sum"),
    *("swapaxes", "take", "trace", "transpose", "var", "view"),
}


def _boxed(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ndarray(value)
    if isinstance(value, np.generic):
        return ndarray(np.array(value))
    if isinstance(value, tuple | list):
        return type(value)(map(_boxed, value)) if not hasattr(value, "_fields") else type(value)(*map(_boxed, value))
    return value


def _unboxed(value: Any) -> Any:
    if isinstance(value, ndarray):
        return value._box
    if isinstance(value, np.ndarray) and value.ndim > 0:
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _unboxed_all(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_unboxed_all, value))
    if isinstance(value, dict):
        return {key: _unboxed_all(part) for key, part in value.items()}
    return _unboxed(value)


def _unboxed_key(key: Any) -> Any:
    """Indices may be NumPy arrays too."""
    if isinstance(key, tuple):
        return tuple(map(_unboxed_key, key))
    return key._box if isinstance(key, ndarray) else key


# ---- the module ------------------------------------------------------------------------------------------------------


def asarray(value: Any, dtype: Any = None, **keywords: Any) -> ndarray:
    """Also of NumPy arrays: their copies on the card."""
    if isinstance(value, ndarray):
        return ndarray(np.asarray(value._box, dtype=dtype))
    if hasattr(value, "__cuda_array_interface__"):
        known = types.SimpleNamespace(__array_interface__=dict(value.__cuda_array_interface__), owner=value)
        return ndarray(np.asarray(known, dtype=dtype))
    return ndarray(np.array(value, dtype=dtype))


def from_dlpack(value: Any) -> ndarray:
    """Of memory on a card, which may be meant to be read only."""
    if value.__dlpack_device__()[0] not in (2, 13):
        raise TypeError("CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))`")
    capsule = value.__dlpack__(stream=1)
    known = types.SimpleNamespace(__dlpack__=lambda **_: capsule, __dlpack_device__=lambda: (1, 0))
    return ndarray(np.from_dlpack(known))


def asnumpy(value: Any) -> np.ndarray:
    return value.get() if isinstance(value, ndarray) else np.asarray(value)


def may_share_memory(one: ndarray, other: ndarray) -> bool:
    return np.may_share_memory(one._box, other._box)


def empty(shape: Any, dtype: Any = float) -> ndarray:
    """New memory holds what it likes."""
    box = np.empty(shape, dtype)
    box.reshape(-1).view(np.uint8)[...] = 0xA5
    return ndarray(box)


def empty_like(value: ndarray) -> ndarray:
    return empty(value.shape, value.dtype)


def __getattr__(name: str) -> Any:
    """All else is NumPy's function, inside of the boxes."""
    found = getattr(np, name)
    if isinstance(found, type) or not callable(found):
        return found

    def call(*arguments: Any, **keywords: Any) -> Any:
        with np.errstate(all="ignore"):
            return _boxed(found(*_unboxed_all(arguments), **_unboxed_all(keywords)))

    return call


# ---- cupy.cuda -------------------------------------------------------------------------------------------------------


class _Stream:
    """What is queued on one is done at once."""

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self.ptr = 0 if null else id(self)

    def __enter__(self) -> _Stream:
        _streams.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _streams.remove(self)

    def synchronize(self) -> None:
        _wait()


_streams = [_Stream(null=True)]  # the last is the current one


class _Event:
    """The time at which it was recorded: all that was queued before is done by then."""

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        self.time: float | None = None

    def record(self, stream: _Stream | None = None) -> None:
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        _wait()


def _elapsed_milliseconds(start: _Event, end: _Event) -> float:
    if start.time is None or end.time is None:
        raise RuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
    return 1e3 * (end.time - start.time)


@contextlib.contextmanager
def _device(number: int) -> Iterator[None]:
    yield


cuda = types.SimpleNamespace(
    get_current_stream=lambda: _streams[-1],
    Stream=_Stream,
    Device=_device,
    Event=_Event,
    alloc_pinned_memory=bytearray,
    get_elapsed_time=_elapsed_milliseconds,
    runtime=types.SimpleNamespace(
        getDevice=lambda: 0, getDeviceCount=lambda: 1, getDeviceProperties=lambda number: {"name": b"emulated card"}
    ),
)
