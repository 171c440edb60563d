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


def _geometry() -> ModuleType:
    try:
        return import_module("augcore._cuda_geometry")
    except ImportError as error:
        raise RuntimeError(
            "this build of augcore has no CUDA kernels; build it where nvcc is: "
            "pip install augcore --no-binary augcore -C cmake.define.AUGCORE_CUDA=ON"
        ) from error


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
