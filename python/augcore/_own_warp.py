"""Warps by maps of the user's own: what these are made of, and how each kind is run. Part of `transforms`."""

from __future__ import annotations

import ctypes
import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _dispatch, _validate, _validate_images
from augcore._batch import Batch
from augcore._errors import missing_extra
from augcore._words import BORDERS, INTERPOLATIONS, Border, Interpolation, Layout

Images = NDArray[Any]
Floats = NDArray[np.float64]
PythonWarp = Callable[[Any, Any, Any], tuple[Any, Any]]

_Doubles = ctypes.POINTER(ctypes.c_double)

WarpPointer = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_double, ctypes.c_double, _Doubles, ctypes.c_int64, _Doubles
)  # fmt: skip
"""The ctypes type of pointers to native warp functions, WarpPointer(address):

    int function(double x, double y, const double* params, int64_t n_params, double* source)

writes the position in the source that the pixel (x, y) of the result shows to source[0] and source[1], and returns 1,
or 0 where something went wrong. It is called from many threads at once, without the GIL."""

_AnyPointer: Any = WarpPointer.__mro__[1]  # ctypes' own class of pointers to functions

EXPECTED = (
    "a function made by augcore.transforms.warp_function, numba.cfunc(augcore.transforms.warp_signature()), or "
    "augcore.transforms.WarpPointer: int (double x, double y, const double* params, int64_t n_params, double* source)"
)

ON_GPU = (
    "is native code for the processor, and the images are on a GPU; pass a plain Python function of NumPy arrays x and "
    "y, which is called once for all images, or cupy.asnumpy(images)"
)

SLOW = (
    "function: a Python function is slow; make it native with augcore.transforms.warp_function, which needs Numba "
    "(pip install 'augcore[numba]'), or pass a WarpPointer to C code"
)


def _numba() -> Any:
    try:
        import numba
    except ImportError:
        raise missing_extra("numba", "numba") from None
    return numba


def warp_signature() -> Any:
    """The signature of native warp functions, for `numba.cfunc`: see `WarpPointer`.

    Examples
    --------
    >>> import numba
    >>> @numba.cfunc(warp_signature())
    ... def half(x, y, params, n_params, source):
    ...     source[0], source[1] = 2 * x, 2 * y
    ...     return 1

    Raises
    ------
    ImportError
        Numba is missing; the message names the extra to install.
    """
    t = _numba().types
    return t.intc(t.float64, t.float64, t.CPointer(t.float64), t.int64, t.CPointer(t.float64))


class WarpFunction:
    """A function (x, y, params) -> (x, y) with native code for `warp`. It is still called like the plain function.

    Attributes
    ----------
    ctypes : WarpPointer
        The native code. It lives as long as this object.
    """

    __wrapped__: PythonWarp

    def __init__(self, function: PythonWarp) -> None:
        numba = _numba()
        _validate.function("function", function)
        python = getattr(function, "py_func", function)  # of a function that Numba has compiled before
        functools.update_wrapper(self, python)
        try:
            inner = numba.njit(error_model="numpy", boundscheck=True)(python)
        except TypeError as error:  # a class, or what Numba knows to be no function
            raise TypeError(f"function: Numba cannot compile it: {error}") from None

        def native(x: Any, y: Any, params: Any, n_params: Any, source: Any) -> int:
            try:
                position = inner(x, y, numba.carray(params, n_params))
                source[0], source[1] = position
            except Exception:
                return 0
            return 1

        try:
            self._native = numba.cfunc(warp_signature(), error_model="numpy")(native)
        except numba.core.errors.NumbaError as error:
            raise TypeError(f"function: Numba cannot compile it as (x, y, params) -> (x, y): {error}") from error

    @property
    def ctypes(self) -> Any:
        return self._native.ctypes

    def __call__(self, x: Any, y: Any, params: Any = ()) -> tuple[Any, Any]:
        return self.__wrapped__(x, y, params)

    def __repr__(self) -> str:
        return f"<native warp function {self.__qualname__}>"

    __qualname__: str

    def __reduce__(self) -> str:
        return self.__qualname__


def warp_function(function: PythonWarp) -> WarpFunction:
    """Compile a function (x, y, params) -> (x, y) with Numba, for use in `warp`. A decorator.

    Parameters
    ----------
    function : callable
        Takes the centre (x, y) of a pixel of the result, two floats, and params, a float64 vector that it must not
        change; returns the position (x, y) in the source that the pixel shows. What Numba compiles in nopython mode:
        arithmetic, `math`, NumPy. Division by zero gives infinity or NaN; an index out of bounds is an IndexError.

    Raises
    ------
    TypeError
        The function cannot be compiled; the message is Numba's.
    ImportError
        Numba is missing; the message names the extra to install.

    Examples
    --------
    >>> @warp_function
    ... def wave(x, y, params):
    ...     return x + params[0] * math.sin(y / params[1]), y
    """
    return WarpFunction(function)


def address(function: Any) -> int | None:
    """Of the native code of a function; None where it has none."""
    pointer: Any = function
    if hasattr(type(function), "ctypes"):  # a WarpFunction or Numba's CFunc
        try:
            pointer = function.ctypes
        except TypeError as error:  # of Numba: no C type is like this one
            raise TypeError(f"function: expected {EXPECTED}; {error}") from None
    if not isinstance(pointer, _AnyPointer):
        _validate.function("function", function)
        return None
    # ctypes makes one class for each signature, so that Numba's pointers are of this class too.
    if not isinstance(pointer, WarpPointer):
        words = [getattr(kind, "__name__", str(kind)) for kind in (pointer.restype, *(pointer.argtypes or ()))]
        raise TypeError(f"function: expected {EXPECTED}, got a pointer to {words[0]} ({', '.join(words[1:])})")
    place = ctypes.cast(pointer, ctypes.c_void_p).value
    if place is None:
        raise ValueError("function: is a null pointer")
    return place


def warp(
    images: ArrayLike,
    function: WarpFunction | PythonWarp | Any,
    params: ArrayLike | None = None,
    *,
    size: tuple[int, int] | None = None,
    interpolation: Interpolation = "bilinear",
    border: Border = "edge",
    fill: ArrayLike = 0,
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Map images by a function of your own, from pixels of the destination to positions in the source.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    function : (x, y, params) -> (x, y)
        Takes the centre of a pixel of the result to the position in the image that it shows; NaN and infinity are far
        outside. Native functions run inside the loop over the batch, on all threads and without the GIL: those made
        by `warp_function`, a `numba.cfunc` of `warp_signature()`, or a `WarpPointer` to C code. They must be safe to
        call from several threads, and depend on their arguments alone.

        Any other callable is slow: it gets arrays x and y of shape (height, width) and float64, once for all images,
        or once for each if `params` has a row for each, and returns two arrays that broadcast to that shape.

        For images on a GPU it is called on the host, and the positions are sent there; native functions are code for
        the processor, and refused.
    params : array (k,) or (N, k), optional
        What the function gets as its third argument, as float64: the same for all images, or a row for each.
    size : (height, width), optional
        Of the result; that of the images by default.
    interpolation, border, fill, layout, out, threads
        See the module.

    Returns
    -------
    array (N, height, width) or (N, height, width, C) of the dtype of images

    Raises
    ------
    TypeError
        Also when a native function has another signature, naming the right one, and for native functions with images
        on a GPU.
    ValueError
        Also when C code reports a failure. What a Python function raises, and one compiled by `warp_function`, comes
        through as it is; `out` has no meaning then.

    Warns
    -----
    RuntimeWarning
        When the function is not native, and the images are not on a GPU.

    Examples
    --------
    >>> def mirror(x, y, params):
    ...     return params[0] - x, y
    >>> warp(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), warp_function(mirror), [2])
    array([[[2, 1, 0],
            [5, 4, 3]]], dtype=uint8)
    """
    batch = Batch.of(images, layout)
    pointer = address(function)
    on_gpu = _device.is_device(batch.pixels)
    if pointer is not None and on_gpu:
        raise TypeError(f"function: {ON_GPU}")
    rows = _validate.rows("params", params, len(batch))
    target = batch.size if size is None else _validate.size("size", size)
    _validate.choice("interpolation", interpolation, INTERPOLATIONS)
    _validate.choice("border", border, BORDERS)
    fills = batch.fill(fill)
    n_threads = _validate.threads(threads)
    result = batch.output(out, target, rows, fills)
    if pointer is None and not on_gpu:
        warnings.warn(SLOW, RuntimeWarning, stacklevel=2)
    run = _by_python if pointer is None else functools.partial(_by_native, pointer)
    sampling = {"interpolation": interpolation, "border": border, "fill": fills, "threads": n_threads}
    return batch.run(run, result, function, rows, **sampling)


def _by_native(pointer: int, images: Images, function: Any, params: Floats, **sampling: Any) -> None:
    """images: N, or N * C of them, where params has 1 row or N."""
    failed = _dispatch.warp_by_function(images, pointer, params, **sampling)
    if failed is None:
        return
    row, x, y = failed
    image = f" of image {row}" if len(params) > 1 else ""
    raise _failure(function, float(x), float(y), params[row], f"the pixel x={x}, y={y}{image}")


def _failure(function: Any, x: float, y: float, params: Floats, place: str) -> ValueError:
    """What to raise where native code reports a failure; raises what its Python original does there, if it has one."""
    if isinstance(function, WarpFunction):
        function(x, y, params.copy())
    return ValueError(f"function: failed at {place}")


def _by_python(
    images: Images, function: PythonWarp, params: Floats, *, fill: Floats, out: Images, **sampling: Any
) -> None:
    """images: N, or N * C of them, where params has 1 row or N."""
    height, width = out.shape[1:3]
    neighbours = len(images) // len(params)
    for row, values in enumerate(params):
        y, x = np.indices((height, width), dtype=np.float64)
        positions = _validate_images.positions("function", function(x, y, values.copy()), (height, width))
        part = slice(row * neighbours, (row + 1) * neighbours)
        fills = fill if len(fill) == 1 else fill[part]
        _dispatch.warp_by_positions(images[part], positions, fill=fills, out=out[part], **sampling)


def positions(function: Any, x: Floats, y: Floats, params: Floats) -> Floats:
    """Where a function of any kind takes points: x and y (m,), one row of params; (m, 2)."""
    pointer = address(function)
    if pointer is None:
        return _validate_images.positions("function", function(x.copy(), y.copy(), params.copy()), x.shape)
    native, values = WarpPointer(pointer), np.ascontiguousarray(params).ctypes.data_as(_Doubles)
    found = np.full((len(x), 2), np.nan)
    for i, (px, py) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        if not native(px, py, values, len(params), found[i].ctypes.data_as(_Doubles)):
            raise _failure(function, px, py, params, f"the point x={px:g}, y={py:g}")
    return found
