"""The only importer of compiled modules.

Arguments are checked before they come here (`_validate`): arrays are C-contiguous and of the dtype that a kernel takes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _core, _cuda, _device
from augcore._dispatch_logistic import *  # noqa: F403 - a section of its own

Floats = NDArray[np.float64]


# ---- threads, bounds and build facts ---------------------------------------------------------------------------------


def set_num_threads(n: int) -> None:
    _core.set_num_threads(n)


def get_num_threads() -> int:
    return _core.num_threads()


def within(values: NDArray[Any], bound: float) -> bool:
    """Whether no element of values (n,), of float32 or float64, is NaN or above the bound in size."""
    if _device.is_device(values):
        return _cuda.within(values, bound)
    return _core.within(values, bound)


def build_facts() -> dict[str, str]:
    return {"version": _core.version(), "simd": _core.simd_level()}


# ---- weighted sampling -----------------------------------------------------------------------------------------------


def uniforms(key: NDArray[np.uint64], first_index: int, n: int, threads: int) -> Floats:
    """Numbers in (0, 1) of the items first_index ... first_index + n - 1."""
    from augcore import _sampling

    out = np.empty(n)
    _sampling.uniforms(key, first_index, out, threads)
    return out


def keyed_words(
    key: NDArray[np.uint64], indices: NDArray[np.int64], counter: tuple[int, int, int]
) -> NDArray[np.uint64]:
    """A word of 64 random bits for each index: a function of the key, the index and the rest of the counter."""
    from augcore import _sampling

    out = np.empty(len(indices), dtype=np.uint64)
    _sampling.keyed_words(key, indices, np.array(counter, dtype=np.uint64), out, 0)
    return out


def log_magnitudes(values: Floats, threads: int) -> Floats:
    """log |values|, the same bits on every machine; -inf for 0."""
    if _device.is_device(values):
        return _cuda.log_magnitudes(values)
    from augcore import _sampling

    out = np.empty(len(values))
    _sampling.log_magnitudes(values, out, threads)
    return out


def exponential_keys(
    log_weights: Floats, key: NDArray[np.uint64], first_index: int, threads: int
) -> tuple[Floats, Floats]:
    """Sort keys of the items first_index, ...: high, and low where highs are equal."""
    return policy_keys("log_weights", log_weights, key, first_index, threads)


def weighted_order(log_weights: Floats, key: NDArray[np.uint64], k: int, threads: int) -> NDArray[np.intp]:
    """The first k items of a draw without replacement of all."""
    return policy_order("log_weights", log_weights, key, k, threads)


def policy_keys(
    policy: str, scores: NDArray[Any], key: NDArray[np.uint64], first_index: int, threads: int
) -> tuple[Floats, Floats]:
    """Sort keys of the points first_index, ... under a policy; scores: (n,) float32 or float64."""
    if _device.is_device(scores):
        return _cuda.policy_keys(policy, scores, key, first_index)
    from augcore import _sampling

    high, low = np.empty(len(scores)), np.empty(len(scores))
    _sampling.policy_keys(_sampling.POLICIES[policy], scores, key, first_index, high, low, threads)
    return high, low


def policy_order(policy: str, scores: NDArray[Any], key: NDArray[np.uint64], k: int, threads: int) -> NDArray[np.intp]:
    """The first k points in the order of their keys, equal ones by index; scores: (n,) float32 or float64."""
    if _device.is_device(scores):
        return _cuda.policy_order(policy, scores, key, k)
    from augcore import _sampling

    order = np.empty(k, dtype=np.int64)
    _sampling.policy_order(_sampling.POLICIES[policy], scores, key, order, threads)
    return order.astype(np.intp, copy=False)


class Reservoir:
    """The k points of the smallest keys, chosen in one pass: see reservoir.hpp."""

    def __init__(self, policy: str, key: NDArray[np.uint64], k: int) -> None:
        from augcore import _sampling

        self._draw = policy, key, k
        self._kept = _sampling.Reservoir(_sampling.POLICIES[policy], key, k)

    def add(self, scores: NDArray[Any], first_index: int, threads: int) -> None:
        """Of scores on a GPU the first k are fetched, after a look at whether all are finite."""
        if _device.is_device(scores):
            policy, key, k = self._draw
            self._kept.absorb(*_cuda.policy_candidates(policy, scores, key, k, first_index))
        else:
            self._kept.add(scores, first_index, threads)

    def absorb(self, high: Floats, low: Floats, index: NDArray[np.int64]) -> None:
        self._kept.absorb(high, low, index)

    def chosen(self, threads: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Keys (high, low) and indices, the first to be taken first."""
        return self._kept.chosen(lambda n: (np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)), threads)


def round_robin(
    order: NDArray[np.intp], codes: NDArray[np.int64], limits: NDArray[np.int64], k: int
) -> NDArray[np.intp]:
    """k points: the first of every group, then the second, ...; codes[i] is the group of point i."""
    if _device.is_device(order):
        return _cuda.round_robin(order, codes, limits, k)
    from augcore import _sampling

    out = np.empty(k, dtype=np.int64)
    taken = _sampling.round_robin(np.ascontiguousarray(order, dtype=np.int64), codes, limits, out)
    return out[:taken].astype(np.intp, copy=False)


def within_budget(costs: Floats, budget: float) -> NDArray[np.int64]:
    """Places of the items that are paid for, each in turn unless it costs more than is left."""
    from augcore import _sampling

    out = np.empty(len(costs), dtype=np.int64)
    return out[: _sampling.within_budget(costs, budget, out)].copy()


# ---- determinantal point processes -----------------------------------------------------------------------------------


class SpectralKernel:
    """V diag(eigenvalues) V' + rest (I - V V'), V = vectors (n, r): see dpp.hpp, also for leverage and reflector."""

    def __init__(
        self, vectors: Floats, eigenvalues: Floats, rest: float, leverage: Floats, reflector: Floats | None
    ) -> None:
        from augcore import _dpp

        self._r = len(eigenvalues)
        self._kernel = _dpp.SpectralKernel(vectors, eigenvalues, rest, leverage, reflector)

    def elementary_ratios(self, k: int) -> Floats:
        """e_j / e_(j-1) of the rest and the first m eigenvalues: (r + 1, k), in row m for j = 1 ... k."""
        ratios = np.empty((self._r + 1, k))
        self._kernel.elementary_ratios(ratios)
        return ratios

    def sample(
        self, ratios: Floats, k: int, key: NDArray[np.uint64], first_draw: int, draws: int, threads: int
    ) -> NDArray[np.intp]:
        """Sets of k points, (draws, k), each in rising order."""
        out = np.empty((draws, k), dtype=np.int64)
        self._kernel.sample(ratios, key, first_draw, out, threads)
        return out.astype(np.intp, copy=False)


def elementary_ratios(n: int, eigenvalues: Floats, rest: float, k: int) -> Floats:
    """As `SpectralKernel.elementary_ratios`, of a kernel of n points whose eigenvectors are elsewhere."""
    from augcore import _dpp

    ratios = np.empty((len(eigenvalues) + 1, k))
    _dpp.elementary_ratios(n, eigenvalues, rest, ratios)
    return ratios


def chosen_columns(
    n: int, eigenvalues: Floats, rest: float, ratios: Floats, k: int, key: NDArray[np.uint64], draw: int
) -> NDArray[np.int64]:
    """The eigenvectors of a draw, in rising order; those from len(eigenvalues) on are of the rest."""
    from augcore import _dpp

    columns = np.empty(k, dtype=np.int64)
    _dpp.chosen_columns(n, eigenvalues, rest, ratios, key, draw, columns)
    return columns


def greedy_map(points: Floats, is_kernel: bool, jitter: float, tolerance: float, k: int) -> NDArray[np.intp]:
    """At most k points, fewer where all others depend on them; points: the kernel, or rows whose products it has."""
    from augcore import _dpp

    order = np.empty(k, dtype=np.int64)
    found = _dpp.greedy_map(points, is_kernel, jitter, tolerance, order)
    return order[:found].astype(np.intp, copy=False)


# ---- warps, flips, resizing ------------------------------------------------------------------------------------------

Images = NDArray[Any]


def _nhwc(images: Images) -> Images:
    return images if images.ndim == 4 else images[..., np.newaxis]


def warp(
    images: Images,
    inverse: Floats,
    *,
    interpolation: str,
    border: str,
    fill: Floats,
    arithmetic: str,
    out: Images,
    threads: int,
) -> None:
    """inverse: (1 or n, 3, 3), destination -> source; fill: (1 or n, c). images and out are not empty."""
    from augcore import _geometry

    matrices = inverse.reshape(len(inverse), 9)
    codes = _geometry.INTERPOLATIONS[interpolation], _geometry.BORDERS[border]
    if _device.is_device(images):
        _cuda.warp(_nhwc(images), matrices, *codes, fill, arithmetic, _nhwc(out))
    elif arithmetic == "opencv4":
        _geometry.warp_opencv4(_nhwc(images), matrices, _nhwc(out), threads)
    else:
        _geometry.warp_exact(_nhwc(images), matrices, *codes, fill, _nhwc(out), threads)


def cos_sin(degrees: Floats) -> tuple[Floats, Floats]:
    """Of angles in degrees; multiples of 90 are exact."""
    if _device.is_device(degrees):
        return _cuda.cos_sin(degrees)
    from augcore import _geometry

    cosine, sine = np.empty(len(degrees)), np.empty(len(degrees))
    if len(degrees):
        _geometry.cos_sin(degrees, cosine, sine)
    return cosine, sine


def flip(images: Images, *, horizontal: bool, vertical: bool, out: Images, threads: int) -> None:
    if _device.is_device(images):
        _cuda.flip(_nhwc(images), horizontal, vertical, _nhwc(out))
    else:
        from augcore import _geometry

        _geometry.flip(_nhwc(images), horizontal, vertical, _nhwc(out), threads)


def resize(
    images: Images,
    rectangles: NDArray[np.int64],
    *,
    interpolation: str,
    antialias: bool,
    arithmetic: str,
    out: Images,
    threads: int,
) -> None:
    """rectangles: (1 or n, 4), top, left, height, width. images and out are not empty."""
    from augcore import _geometry

    code = _geometry.INTERPOLATIONS[interpolation]
    if _device.is_device(images):
        area = interpolation == "area"
        _cuda.resize(_nhwc(images), rectangles, code, antialias, area, arithmetic, _nhwc(out))
    elif arithmetic == "opencv4":
        _geometry.resize_opencv4(_nhwc(images), rectangles, code, _nhwc(out), threads)
    else:
        _geometry.resize_exact(_nhwc(images), rectangles, code, antialias, _nhwc(out), threads)


# ---- own warps -------------------------------------------------------------------------------------------------------


def warp_by_function(
    images: Images,
    function: int,
    params: Floats,
    *,
    interpolation: str,
    border: str,
    fill: Floats,
    out: Images,
    threads: int,
) -> tuple[int, int, int] | None:
    """function: the address of a WarpFunction (own_warp.hpp); params: (rows, k), a row for each n / rows neighbours.

    None, or where the function failed: row, x, y.
    """
    from augcore import _geometry

    codes = _geometry.INTERPOLATIONS[interpolation], _geometry.BORDERS[border]
    return _geometry.warp_by_function(_nhwc(images), function, params, *codes, fill, _nhwc(out), threads)


def warp_by_positions(
    images: Images,
    positions: Floats,
    *,
    interpolation: str,
    border: str,
    fill: Floats,
    out: Images,
    threads: int,
) -> None:
    """positions: (height, width, 2), destination -> source (x, y), for all images."""
    from augcore import _geometry

    codes = _geometry.INTERPOLATIONS[interpolation], _geometry.BORDERS[border]
    if _device.is_device(images):
        _cuda.warp_by_positions(_nhwc(images), positions, *codes, fill, _nhwc(out))
        return
    _geometry.warp_by_positions(_nhwc(images), positions, *codes, fill, _nhwc(out), threads)
