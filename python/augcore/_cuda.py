"""The only importer of the compiled modules for the GPU: what `_dispatch` does for arrays in its memory.

Arguments are checked: CuPy arrays, C-contiguous, on the current device. Kernels are queued on CuPy's current stream;
nothing here waits for the GPU.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device

Floats = NDArray[np.float64]


def _module(name: str) -> ModuleType:
    try:
        return import_module(f"augcore.{name}")
    except ImportError as error:
        raise RuntimeError(
            "this build of augcore has no CUDA kernels; build it where nvcc is: "
            "pip install augcore --no-binary augcore -C cmake.define.AUGCORE_CUDA=ON"
        ) from error


def _geometry() -> ModuleType:
    return _module("_cuda_geometry")


def _per_image(numbers: Any, most_shared: int) -> Any:
    """Few numbers that all images share stay on the host, as arguments of the kernel."""
    if _device.is_device(numbers):
        return numbers
    numbers = np.ascontiguousarray(numbers, dtype=np.float64)
    return numbers if len(numbers) == 1 and numbers.shape[1] <= most_shared else _device.upload(numbers)


# ---- warps, flips ----------------------------------------------------------------------------------------------------


def warp(images: Any, matrices: Any, interpolation: int, border: int, fill: Any, out: Any) -> None:
    """images, out: (n, h, w, c); matrices: (1 or n, 9), destination -> source; fill: (1 or n, c)."""
    module = _geometry()
    fill = _per_image(fill, module.MOST_SHARED)
    if not _device.is_device(matrices) and _are_whole_shifts(matrices):
        shifts = _per_image(matrices[:, [2, 5]], module.MOST_SHARED)
        module.shift(images, shifts, border, fill, out, _device.current_stream())
    else:
        matrices = _per_image(matrices, module.MOST_SHARED)
        module.warp(images, matrices, interpolation, border, fill, out, _device.current_stream())


def _are_whole_shifts(matrices: Floats) -> bool:
    """Which are copied: the same values, in less time."""
    moved = matrices[:, [2, 5]]
    rest = matrices[:, [0, 1, 3, 4, 6, 7, 8]]
    return bool((rest == (1, 0, 0, 1, 0, 0, 1)).all() and (moved == np.rint(moved)).all())


def cos_sin(degrees: Any) -> tuple[Any, Any]:
    cosine, sine = (_device.empty("degrees", degrees.shape, np.float64) for _ in range(2))
    if len(degrees):
        _geometry().cos_sin(degrees, cosine, sine, _device.current_stream())
    return cosine, sine


def flip(images: Any, horizontal: bool, vertical: bool, out: Any) -> None:
    _geometry().flip(images, horizontal, vertical, out, _device.current_stream())


# ---- logistic regression ---------------------------------------------------------------------------------------------


def _logistic() -> ModuleType:
    return _module("_cuda_logistic")


def within(values: Any, bound: float) -> bool:
    """Whether no element of values, of float32 or float64, is NaN or above the bound in size. Waits."""
    outside = _device.cupy().zeros(1, np.int32)
    _logistic().find_outside(values, bound, outside, _device.current_stream())
    return not int(outside[0])


def linear_predictor(X: Any, intercept: bool, coef: Floats) -> Floats:
    """coef: (b, q), on the host or not; (n, b)."""
    eta = _device.empty("X", (len(X), len(coef)), np.float64)
    if eta.size:
        coef = _device.upload(np.ascontiguousarray(coef) if isinstance(coef, np.ndarray) else coef)
        _logistic().linear_predictor(X, intercept, coef, eta, _device.current_stream())
    return eta


def sum_of_rows(X: Any, intercept: bool, factors: Any) -> Floats:
    """factors' (n, b) times (X, 1): (b, q), on the host. Waits."""
    module, b, q = _logistic(), factors.shape[1], X.shape[1] + intercept
    total = _device.empty("X", (b, q), np.float64)
    sums = _device.empty("X", (module.parts_of_rows(len(X)), b, q), np.float64)
    factors = _device.contiguous("factors", factors)
    module.sum_of_rows(X, intercept, factors, sums, total, _device.current_stream())
    return _device.host(total)


def gradient(X: Any, intercept: bool, coef: Floats, y: Any, weight: Any) -> tuple[Floats, Floats]:
    """The linear predictors (n,), and the gradient (q,) on the host. Waits."""
    module, n, q = _logistic(), len(X), X.shape[1] + intercept
    eta, residuals = (_device.empty("X", (n,), np.float64) for _ in range(2))
    total = _device.empty("X", (q,), np.float64)
    sums = _device.empty("X", (module.parts_of_rows(n), q), np.float64)
    coef = _device.upload(np.ascontiguousarray(coef))
    module.gradient(X, intercept, coef, y, weight, eta, residuals, sums, total, _device.current_stream())
    return eta, _device.host(total)


def log_loss(eta: Any, y: Any) -> Floats:
    return _of_samples("log_loss", eta, y)


def residual(eta: Any, y: Any) -> Floats:
    return _of_samples("residual", eta, y)


def curvature(eta: Any) -> Floats:
    return _of_samples("curvature", eta)


def loo_influence(eta: Any, y: Any, weight: Any, q: Any) -> Floats:
    return _of_samples("loo_influence", eta, y, weight, q)


def loo_loss_change(eta: Any, y: Any, weight: Any, q: Any) -> Floats:
    return _of_samples("loo_loss_change", eta, y, weight, q)


def _of_samples(name: str, *arguments: Any) -> Floats:
    contiguous = [None if values is None else _device.contiguous(name, values) for values in arguments]
    out = _device.empty(name, arguments[0].shape, np.float64)
    getattr(_logistic(), name)(*contiguous, out, _device.current_stream())
    return out


def weighted_rows(X: Any, intercept: bool, weight: Any, out: Any) -> None:
    """out (n, at least q), of float32 or float64: weight_i (x_i, 1), and zeros."""
    _logistic().weighted_rows(X, intercept, weight, out, _device.current_stream())


def add_tiles(tiles: Any, total: Any) -> None:
    """Adds the sum of tiles (count, q, q), of float32 or float64, to total (q, q) where column >= row."""
    _logistic().add_tiles(tiles, total, _device.current_stream())


def row_squares(y: Any, shift: Any, out: Any, stride: int) -> None:
    """The squares of each row of y, summed, into every stride-th element of out; shift is added to the last column."""
    _logistic().row_squares(y, shift, out, stride, _device.current_stream())


def row_dots(y: Any, X: Any, intercept: bool, shift: Any, out: Any, stride: int) -> None:
    """The same of each row of y times that of (X, 1)."""
    _logistic().row_dots(y, X, intercept, shift, out, stride, _device.current_stream())
