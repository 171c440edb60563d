"""CuPy's arrays in the memory of the process, for the CUDA emulator: what the library uses of them, as strict as CuPy.

An array is a NumPy array in a box that NumPy cannot look into. Operations take boxes and Python numbers only and give
boxes back; NumPy functions called with a box are run inside, as CuPy's dispatch does; every look from outside
(`item`, `bool`, `asnumpy`) is counted, as it would wait for the card.
"""

from __future__ import annotations

import contextlib
import ctypes
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

    def set(self, values: np.ndarray, stream: _Stream | None = None) -> None:
        """From page-locked memory, later; else at once."""
        if values.shape != self.shape or values.dtype != self.dtype or not values.flags.c_contiguous:
            raise ValueError("the shapes or dtypes do not agree, or the array is not contiguous")

        def copy() -> None:
            self._box[...] = values

        stream.queued.append(copy) if stream is not None and stream.ptr else copy()

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
        if method != "__call__" and ufunc not in (np.add, np.multiply):
            raise NotImplementedError(f"`cupy_{ufunc.__name__}.{method}` is not supported yet")
        outputs = keywords.pop("out", None)
        given = _unboxed_all(keywords)
        if outputs is not None:
            given["out"] = tuple(_unboxed(out) for out in outputs)
        with np.errstate(all="ignore"):
            result = getattr(ufunc, method)(*(_unboxed(value) for value in inputs), **given)
        return outputs[0] if outputs is not None and len(outputs) == 1 else _boxed(result)

    def __array_function__(self, function: Any, types: Any, arguments: Any, keywords: Any) -> Any:
        _no_numpy_only(function.__name__, keywords)
        if function is np.bincount and arguments[0].size == 0:
            raise ValueError("zero-size array to reduction operation cupy_max which has no identity")
        with np.errstate(all="ignore"):
            return _boxed(function(*_unboxed_all(arguments), **_unboxed_all(keywords)))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Methods that NumPy's and CuPy's arrays share."""
        if name.startswith("_") or name not in METHODS:
            raise AttributeError(f"'ndarray' object has no attribute {name!r}")

        def call(*arguments: Any, **keywords: Any) -> Any:
            _no_numpy_only(name, keywords)
            with np.errstate(all="ignore"):
                return _boxed(getattr(self._box, name)(*_unboxed_all(arguments), **_unboxed_all(keywords)))

        return call


METHODS = {
    *("all", "any", "argmax", "argmin", "argsort", "astype", "clip", "copy", "cumsum", "diagonal", "dot", "fill"),
    *("max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round", "sort", "squeeze", "std", "sum"),
    *("swapaxes", "take", "trace", "transpose", "var", "view"),
}


def _no_numpy_only(name: str, keywords: dict[str, Any]) -> None:
    for word in ("initial", "where"):
        if word in keywords and name not in ("sum", "prod"):
            raise TypeError(f"{name}() got an unexpected keyword argument '{word}'")


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


class _Event:
    """Also the time at which it was recorded: kernels that were queued before are done by then."""

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        self._stream: _Stream | None = None
        self._timed = not disable_timing
        self.time: float | None = None

    def record(self, stream: _Stream | None = None) -> None:
        self._stream = stream or _streams[-1]
        self.time = time.perf_counter() if self._timed else None

    def run(self) -> None:
        if self._stream is not None:
            self._stream.run()

    def synchronize(self) -> None:
        _wait()
        self.run()


def _elapsed_milliseconds(start: _Event, end: _Event) -> float:
    if start.time is None or end.time is None:
        raise RuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
    return 1e3 * (end.time - start.time)


class _Stream:
    """Copies on a stream are made when somebody waits for them."""

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self.queued: list[Callable[[], None]] = []

    def __enter__(self) -> _Stream:
        _streams.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _streams.remove(self)

    def run(self) -> None:
        while self.queued:
            self.queued.pop(0)()

    def synchronize(self) -> None:
        _wait()
        self.run()

    def record(self, event: _Event | None = None) -> _Event:
        event = event or _Event()
        event.record(self)
        return event

    def wait_event(self, event: _Event) -> None:
        event.run()


_streams = [_Stream(null=True)]  # the last is the current one


@contextlib.contextmanager
def _device(number: int) -> Iterator[None]:
    yield


# ---- cupy.cuda.cublas and cusolver: matrices are column by column, at addresses --------------------------------------


def _matrix(address: int, rows: int, columns: int, stride: int, dtype: Any) -> np.ndarray:
    if stride < max(1, rows) or not 0 <= max(rows, columns, stride) < 2**31:
        raise ValueError(f"CUBLAS_STATUS_INVALID_VALUE: {rows} x {columns}, {stride} from column to column")
    count = (columns - 1) * stride + rows if rows and columns else 0
    memory = (ctypes.c_char * (count * np.dtype(dtype).itemsize)).from_address(address)
    size = np.dtype(dtype).itemsize
    values = np.frombuffer(memory, dtype)
    return np.lib.stride_tricks.as_strided(values, (rows, columns) if count else (0, 0), (size, stride * size))


def _scalar(address: int, dtype: Any) -> Any:
    return _matrix(address, 1, 1, 1, dtype)[0, 0]


def _gemm_batched(dtype: Any) -> Callable[..., None]:
    def call(
        handle: int, trans_a: int, trans_b: int, m: int, n: int, k: int, alpha: int, a: int, lda: int, step_a: int,
        b: int, ldb: int, step_b: int, beta: int, c: int, ldc: int, step_c: int, count: int,
    ) -> None:  # fmt: skip
        size = np.dtype(dtype).itemsize
        for i in range(count):
            left = _matrix(a + i * step_a * size, *((k, m) if trans_a else (m, k)), lda, dtype)
            right = _matrix(b + i * step_b * size, *((n, k) if trans_b else (k, n)), ldb, dtype)
            out = _matrix(c + i * step_c * size, m, n, ldc, dtype)
            product = _scalar(alpha, dtype) * ((left.T if trans_a else left) @ (right.T if trans_b else right))
            factor = _scalar(beta, dtype)
            out[...] = product if factor == 0 else product + factor * out

    return call


def _gemm(dtype: Any) -> Callable[..., None]:
    def call(handle: int, *arguments: int) -> None:
        trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc = arguments
        _gemm_batched(dtype)(
            handle, trans_a, trans_b, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1
        )  # fmt: skip

    return call


def _trsm(dtype: Any) -> Callable[..., None]:
    def call(
        handle: int, side: int, fill: int, trans: int, diag: int, m: int, n: int, alpha: int, a: int, lda: int,
        b: int, ldb: int,
    ) -> None:  # fmt: skip
        order = n if side else m
        given = _matrix(a, order, order, lda, dtype)
        triangle = np.triu(given) if fill else np.tril(given)
        out = _matrix(b, m, n, ldb, dtype)
        operated = triangle.T if trans else triangle
        scaled = _scalar(alpha, dtype) * out
        out[...] = np.linalg.solve(operated.T, scaled.T).T if side else np.linalg.solve(operated, scaled)

    return call


def _dpotrf(handle: int, fill: int, n: int, a: int, lda: int, work: int, length: int, status: int) -> None:
    """As LAPACK's: the other triangle is left, and the status is the order of the minor that is not positive."""
    matrix = _matrix(a, n, n, lda, np.float64)
    lower = matrix.T if fill else matrix
    _matrix(status, 1, 1, 1, np.int32)[0, 0] = 0
    for j in range(n):
        pivot = lower[j, j] - lower[j, :j] @ lower[j, :j]
        if not pivot > 0:
            _matrix(status, 1, 1, 1, np.int32)[0, 0] = j + 1
            return
        lower[j, j] = np.sqrt(pivot)
        lower[j + 1 :, j] = (lower[j + 1 :, j] - lower[j + 1 :, :j] @ lower[j, :j]) / lower[j, j]


cuda = types.SimpleNamespace(
    cublas=types.SimpleNamespace(
        CUBLAS_OP_N=0,
        CUBLAS_OP_T=1,
        CUBLAS_FILL_MODE_LOWER=0,
        CUBLAS_FILL_MODE_UPPER=1,
        CUBLAS_SIDE_LEFT=0,
        CUBLAS_SIDE_RIGHT=1,
        CUBLAS_DIAG_NON_UNIT=0,
        **{f"{letter}gemm": _gemm(dtype) for letter, dtype in (("s", np.float32), ("d", np.float64))},
        **{f"{letter}gemmStridedBatched": _gemm_batched(d) for letter, d in (("s", np.float32), ("d", np.float64))},
        **{f"{letter}trsm": _trsm(dtype) for letter, dtype in (("s", np.float32), ("d", np.float64))},
    ),
    cusolver=types.SimpleNamespace(dpotrf_bufferSize=lambda *arguments: 1, dpotrf=_dpotrf),
    device=types.SimpleNamespace(get_cublas_handle=lambda: 1, get_cusolver_handle=lambda: 1),
    get_current_stream=lambda: _streams[-1],
    Stream=_Stream,
    Event=_Event,
    Device=_device,
    alloc_pinned_memory=bytearray,
    get_elapsed_time=_elapsed_milliseconds,
    runtime=types.SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda number: {"name": b"emulated card"},
        memGetInfo=lambda: (1 << 30, 1 << 30),
        pointerGetAttributes=lambda address: types.SimpleNamespace(type=0),
    ),
)
