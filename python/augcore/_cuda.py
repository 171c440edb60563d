"""The only importer of the compiled modules for the GPU: what `_dispatch` does for arrays in its memory.

Arguments are checked: CuPy arrays, C-contiguous, on the current device. Kernels are queued on CuPy's current stream;
nothing here waits for the GPU.
"""

from __future__ import annotations

import contextlib
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import _device

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Order = NDArray[np.intp]


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


def facts() -> dict[str, bool | str | None]:
    """Whether there are kernels, what compiled them, and the version of CuPy, which is not loaded for that."""
    from importlib import metadata

    installed = None
    for name in ("cupy", "cupy-cuda13x", "cupy-cuda12x"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed = metadata.version(name)
            break
    toolkit = None
    with contextlib.suppress(RuntimeError):
        version = _geometry().toolkit_version()
        toolkit = f"{version // 1000}.{version % 1000 // 10}"
    return {"cuda": toolkit is not None, "cuda_toolkit": toolkit, "cupy": installed}


def device_count() -> int:
    try:
        return int(_geometry().device_count())
    except RuntimeError:
        return 0


def check() -> None:
    """Raises a RuntimeError that says what work on a GPU lacks here."""
    _geometry()
    _device.cupy()
    if not device_count():
        raise RuntimeError("no GPU was found; nvidia-smi shows which ones the driver sees")


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


# ---- weighted sampling -----------------------------------------------------------------------------------------------

_INFINITY = 0x7FF0 << 48  # the bits of a float64
_MOST_PLACES = 2**32 - 2
_PART = 8  # where fewer than this part are wanted they are looked for, and not all sorted,
_MANY = 2**16  # unless all are few
_SPARE = 4096  # points that may be as good as the last


def log_magnitudes(values: Any) -> Floats:
    out = _device.empty("scores", values.shape, np.float64)
    if len(values):
        _module("_cuda_sampling").log_magnitudes(values, out, _device.current_stream())
    return out


def policy_keys(policy: str, scores: Any, key: NDArray[np.uint64], first_index: int) -> tuple[Any, Any]:
    draw = _module("_cuda_sampling").Draw(policy, key, first_index, scores)
    return _keys(draw, len(scores), None)


def policy_order(policy: str, scores: Any, key: NDArray[np.uint64], k: int, first_index: int = 0) -> Order:
    """Places of the first k points in the order of their keys. Waits once, for whether the scores are finite."""
    module, stream, n = _module("_cuda_sampling"), _device.current_stream(), len(scores)
    order = _device.empty("scores", (k,), np.int64)
    if n == 0:
        return order
    draw = module.Draw(policy, key, first_index, scores)
    state = _device.empty("scores", (module.STATE_WORDS,), np.uint64)
    draw.survey(state, stream)
    in_words = k > 0 and n <= _MOST_PLACES
    if in_words:
        find = _some_words if k <= n // _PART and n > _MANY else _all_words
        words = _sorted_words(module, find(module, draw, n, k, state))
        draw.finish(words, state, order, stream)
    facts = _device.host(state)
    if facts[module.LARGEST_WORD] >= _INFINITY:
        raise ValueError("scores: contains NaN or infinity")
    if k == 0 or (in_words and not facts[module.FAILED_WORD]):
        return order
    high, low = _keys(draw, n, None)
    cp = _device.namespace(scores)
    by_low = cp.argsort(low + 0.0, kind="stable")  # -0 becomes 0
    by_key: Order = by_low[cp.argsort((high + 0.0)[by_low], kind="stable")[:k]]
    return by_key


def policy_candidates(
    policy: str, scores: Any, key: NDArray[np.uint64], k: int, first_index: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Keys and indices of the first k points, in main memory."""
    places = policy_order(policy, scores, key, min(k, len(scores)), first_index)
    draw = _module("_cuda_sampling").Draw(policy, key, first_index, scores)
    high, low = _keys(draw, len(places), places)
    return _device.host(high), _device.host(low), _device.host(places) + first_index


def _keys(draw: Any, n: int, places: Any) -> tuple[Any, Any]:
    high, low = (_device.empty("scores", (n,), np.float64) for _ in range(2))
    if n:
        draw.keys(places, high, low, _device.current_stream())
    return high, low


def _all_words(module: ModuleType, draw: Any, n: int, k: int, state: Any) -> Any:
    words = _device.empty("scores", (n,), np.uint64)
    draw.words(state, words, _device.current_stream())
    return words


def _some_words(module: ModuleType, draw: Any, n: int, k: int, state: Any) -> Any:
    """Those that may be among the first k."""
    stream = _device.current_stream()
    positions = _device.empty("scores", (n,), np.uint32)
    draw.positions(state, positions, stream)
    counts = _device.empty("scores", (module.THRESHOLD_COUNTS,), np.uint32)
    module.threshold(positions, k, counts, state, stream)
    of_tiles = _device.empty("scores", (-(-n // module.SELECT_TILE),), np.uint64)
    module.count_chosen(positions, state, of_tiles, stream)
    words = _device.empty("scores", (min(n, k + _SPARE),), np.uint64)
    module.compact(positions, of_tiles.cumsum(dtype=np.uint64), state, words, stream)
    return words


def _sorted_words(module: ModuleType, words: Any) -> Any:
    """By their upper halves; the array is used up."""
    stream, other = _device.current_stream(), _device.empty("scores", words.shape, np.uint64)
    counts = _device.empty("scores", (module.DIGITS * -(-len(words) // module.SORT_TILE),), np.uint32)
    for shift in (32, 40, 48, 56):
        module.count_digits(words, shift, counts, stream)
        module.scatter(words, shift, counts.cumsum(dtype=np.uint32), other, stream)
        words, other = other, words
    return words


def round_robin(order: Any, codes: NDArray[np.int64], limits: NDArray[np.int64], k: int) -> Order:
    """The first of every group, then the second, ...; codes and limits are in main memory."""
    cp = _device.namespace(order)
    groups = _device.upload(codes)[order]
    by_group = cp.argsort(groups, kind="stable")
    sizes = np.bincount(codes, minlength=len(limits))
    turn = cp.arange(len(order)) - _device.upload(np.cumsum(sizes) - sizes)[groups[by_group]]
    beyond = turn >= _device.upload(limits)[groups[by_group]]
    turns = cp.argsort((turn + beyond * len(order)) * max(1, len(limits)) + groups[by_group], kind="stable")
    chosen: Order = order[by_group[turns[:k]]]
    return chosen


# ---- determinantal point processes -----------------------------------------------------------------------------------


def propose(sums: Any, key: NDArray[np.uint64], draw: int, first: int, count: int) -> tuple[Any, Any]:
    """Items of proposals, n where a sum was rounded, and a uniform part of the bound of each: see dpp.hpp."""
    items, limits = _device.empty("k", (count,), np.int64), _device.empty("k", (count,), np.float64)
    _module("_cuda_dpp").propose(sums, key, draw, first, items, limits, _device.current_stream())
    return items, limits


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
