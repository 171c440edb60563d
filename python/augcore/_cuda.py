"""The only importer of the compiled modules for the GPU: what `_dispatch` does for arrays in its memory.

Arguments are checked: CuPy arrays, C-contiguous, on the current device. Kernels are queued on CuPy's current stream;
nothing here waits for the GPU.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import _device

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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


def warp(images: Any, matrices: Any, interpolation: int, border: int, fill: Any, arithmetic: str, out: Any) -> None:
    """images, out: (n, h, w, c); matrices: (1 or n, 9), destination -> source; fill: (1 or n, c)."""
    module = _geometry()
    if arithmetic == "opencv4":
        module.warp_opencv4(images, _per_image(matrices, module.MOST_SHARED), out, _device.current_stream())
        return
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


def warp_by_positions(images: Any, positions: Floats, interpolation: int, border: int, fill: Any, out: Any) -> None:
    """positions: (height, width, 2) on the host, for all images."""
    module = _geometry()
    fill = _per_image(fill, module.MOST_SHARED)
    there = _device.upload(positions)
    module.warp_by_positions(images, there, interpolation, border, fill, out, _device.current_stream())


def cos_sin(degrees: Any) -> tuple[Any, Any]:
    cosine, sine = (_device.empty("degrees", degrees.shape, np.float64) for _ in range(2))
    if len(degrees):
        _geometry().cos_sin(degrees, cosine, sine, _device.current_stream())
    return cosine, sine


def flip(images: Any, horizontal: bool, vertical: bool, out: Any) -> None:
    _geometry().flip(images, horizontal, vertical, out, _device.current_stream())


# ---- resizing --------------------------------------------------------------------------------------------------------


class _Rectangles(NamedTuple):
    """Some rectangles as the kernels read them, and the heights and widths that they have."""

    places: Any  # (m, 5): image, top, left, number of the height, of the width; (1, 5) on the host for all images
    heights: Any
    widths: Any
    host_heights: Integers
    host_widths: Integers

    @classmethod
    def of(cls, rectangles: Integers, chosen: NDArray[np.bool_]) -> _Rectangles:
        if len(rectangles) == 1:
            top, left, height, width = rectangles[0]
            heights, widths = np.array([height]), np.array([width])
            return cls(np.array([[0, top, left, 0, 0]]), heights, widths, heights, widths)
        images = np.flatnonzero(chosen)
        top, left, height, width = rectangles[images].T
        (heights, row), (widths, column) = _distinct(height), _distinct(width)
        places = np.stack([images, top, left, row, column], axis=1)
        there = _device.upload(np.concatenate([heights, widths, places.ravel()]))
        parts = there[: len(heights)], there[len(heights) : len(heights) + len(widths)]
        return cls(there[len(heights) + len(widths) :].reshape(-1, 5), *parts, heights, widths)


def _distinct(sizes: Integers) -> tuple[Integers, Integers]:
    """What occurs, and which of it each is: without sorting where the range is narrow, as it is for most images."""
    low, high = int(sizes.min()), int(sizes.max())
    if high - low >= len(sizes):
        found, numbers = np.unique(sizes, return_inverse=True)
        return found, numbers
    occurs = np.zeros(high - low + 1, dtype=np.int64)
    occurs[sizes - low] = 1
    return np.flatnonzero(occurs) + low, (np.cumsum(occurs) - 1)[sizes - low]


def resize(
    images: Any, rectangles: Integers, interpolation: int, antialias: bool, area: bool, arithmetic: str, out: Any
) -> None:
    """rectangles: (1 or n, 4), top, left, height, width, on the host."""
    module, stream = _geometry(), _device.current_stream()
    size = out.shape[1:3]
    if (rectangles[:, 2:] == size).all():
        corners = _per_image(rectangles[:, [1, 0]], module.MOST_SHARED)
        module.shift(images, corners, module.EDGE, np.zeros((1, 1)), out, stream)
        return
    if arithmetic == "opencv4":
        chosen = _Rectangles.of(rectangles, np.ones(len(rectangles), dtype=np.bool_))
        taps = []
        for sizes, n_out, columns in ((chosen.heights, size[0], False), (chosen.widths, size[1], True)):
            taps.append(_device.empty("images", (len(sizes), n_out, 4), np.int32))
            module.resize_table_opencv4(sizes, area, columns, taps[-1], stream)
        module.resize_opencv4(images, chosen.places, *taps, out, stream)
        return
    summing = np.empty(len(rectangles), dtype=np.int32)
    module.summing_of(images, rectangles, size, interpolation, antialias, summing)
    for kind in np.unique(summing).tolist():
        chosen = _Rectangles.of(rectangles, summing == kind)
        tables = []
        for sizes, known, n_out in (
            (chosen.heights, chosen.host_heights, size[0]),
            (chosen.widths, chosen.host_widths, size[1]),
        ):
            spans = _device.empty("images", (len(sizes), n_out, 2), np.int32)
            terms = 0 if kind == module.COPIES else module.most_taps(known, n_out, interpolation, antialias) + 1
            dtype = np.float64 if kind == module.IN_DOUBLE else np.float32
            weights = _device.empty("images", (len(sizes), n_out, terms), dtype)
            module.resize_table(sizes, interpolation, antialias, kind, spans, weights, stream)
            tables.append((spans, weights))
        module.resize(images, chosen.places, *tables, kind, out, stream)
