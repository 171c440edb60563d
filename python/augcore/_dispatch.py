"""The only importer of compiled modules.

Arguments are checked before they come here (`_validate`): arrays are C-contiguous and of the dtype that a kernel takes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import _core, _cuda, _device

Floats = NDArray[np.float64]


# ---- threads, bounds and build facts ---------------------------------------------------------------------------------


def set_num_threads(n: int) -> None:
    _core.set_num_threads(n)


def get_num_threads() -> int:
    return _core.num_threads()


def within(values: NDArray[Any], bound: float) -> bool:
    """Whether no element of values (n,), of float32 or float64, is NaN or above the bound in size."""
    return _core.within(values, bound)


def build_facts() -> dict[str, str]:
    return {"version": _core.version(), "simd": _core.simd_level()}


# ---- logistic regression ---------------------------------------------------------------------------------------------


def linear_predictor(X: NDArray[Any], intercept: bool, coef: Floats, threads: int) -> Floats:
    """(X, 1) times coef (q,), or each of coef (b, q): (n,) or (n, b)."""
    from augcore import _logistic

    rows = np.atleast_2d(coef)
    eta = np.empty((len(X), len(rows)))
    _logistic.linear_predictor(_rows(X), intercept, _doubles(rows), eta, threads)
    return eta if coef.ndim == 2 else eta[:, 0]


def sum_of_rows(X: NDArray[Any], intercept: bool, factors: Floats, threads: int) -> Floats:
    """factors' (b, n) times (X, 1): (b, q)."""
    from augcore import _logistic

    out = np.empty((factors.shape[1], X.shape[1] + intercept))
    _logistic.sum_of_rows(_rows(X), intercept, _doubles(factors), out, threads)
    return out


def gradient(
    X: NDArray[Any], intercept: bool, coef: Floats, y: Floats, weight: Floats | None, threads: int
) -> tuple[Floats, Floats]:
    """The linear predictors (n,) and the gradient (q,) of the summed weighted log loss, in one pass over X."""
    from augcore import _logistic

    eta, out = np.empty(len(X)), np.empty(X.shape[1] + intercept)
    _logistic.gradient(X, intercept, coef, y, weight, eta, out, threads)
    return eta, out


def log_loss(eta: Floats, y: Floats, threads: int) -> Floats:
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.log_loss(eta, y, out, threads)
    return out


def residual(eta: Floats, y: Floats, threads: int) -> Floats:
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.residual(eta, y, out, threads)
    return out


def curvature(eta: Floats, threads: int) -> Floats:
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.curvature(eta, out, threads)
    return out


def loo_influence(eta: Floats, y: Floats, weight: Floats | None, q: Floats, threads: int) -> Floats:
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.loo_influence(eta, y, weight, q, out, threads)
    return out


def loo_loss_change(eta: Floats, y: Floats, weight: Floats | None, q: Floats, threads: int) -> Floats:
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.loo_loss_change(eta, y, weight, q, out, threads)
    return out


def cholesky(a: Floats, threads: int) -> int:
    """Replaces a by its factor; -1, or the column where it is singular to working precision."""
    from augcore import _logistic

    return _logistic.cholesky(a, threads)


def cholesky_solve(factor: Floats, b: Floats) -> None:
    """Replaces b by (L L')^-1 b."""
    from augcore import _logistic

    _logistic.cholesky_solve(factor, b)


def reciprocal_condition(factor: Floats) -> float:
    """Of L L' scaled to a unit diagonal, in the 1-norm, estimated: between 0 and 1."""
    from augcore import _logistic

    return _logistic.reciprocal_condition(factor)


def inverse_quadratic_form(
    X: NDArray[Any], intercept: bool, factor: Floats, threads: int, single: bool = False
) -> Floats:
    """x_i' (L L')^-1 x_i for every row of (X, 1): (n,)."""
    from augcore import _logistic

    out = np.empty(len(X))
    _logistic.inverse_quadratic_form(X, intercept, factor, single, out, threads)
    return out


# ---- products with the design (X, 1) ---------------------------------------------------------------------------------


class Nodes(NamedTuple):
    """Sums over a range of whole tiles, from left to right: of 2^levels[i] tiles each; see tree_sum.hpp.

    last: the sums over the rows after the last whole tile, empty where there are none.
    """

    levels: NDArray[np.int64]
    values: Floats
    last: Floats


class _Sums:
    """Sums over the rows of a design, fed block by block: the same bits for any blocks."""

    _sums: Any

    def nodes(self, threads: int) -> Nodes:
        """What has been summed, to be absorbed elsewhere."""
        count, width = self._sums.size()
        levels, values = np.empty(count, dtype=np.int64), np.empty((count, width))
        self._sums.copy_nodes(levels, values)
        return Nodes(levels, values, np.array(self._sums.open(threads), dtype=np.float64))

    def absorb(self, nodes: Nodes) -> None:
        """Add the sums over the rows that come next; nothing comes after nodes with a `last`."""
        for level, values in zip(nodes.levels.tolist(), nodes.values, strict=True):
            self._sums.push(values, level)
        if nodes.last.size:
            self._sums.close(nodes.last)


def gram_tile_rows(q: int) -> int:
    """The rows of a tile of `GramSums` for q columns, which is whole tiles of every other sum."""
    from augcore import _logistic

    return _logistic.gram_tile_rows(q)


class GramSums(_Sums):
    """`weighted_gram` over blocks of rows.

    first_row: that of the first block, a multiple of rows_of_tile; those are `gram_tile_rows(q)` if 0.
    """

    def __init__(
        self, p: int, intercept: bool, single: bool = False, first_row: int = 0, rows_of_tile: int = 0
    ) -> None:
        from augcore import _logistic

        self._q = p + intercept
        self._sums = _logistic.GramSums(p, intercept, single, first_row, rows_of_tile)

    def add(self, X: NDArray[Any], weight: Floats, threads: int) -> None:
        self._sums.add(_rows(X), _doubles(weight), threads)

    def total(self, threads: int) -> Floats:
        out = np.empty((self._q, self._q))
        self._sums.total(out, threads)
        return out


TILE_ROWS = 512  # kTileRows of tree_sum.hpp


class RowSums(_Sums):
    """`sum_of_rows` over blocks of rows, for b factors of each; first_row and rows_of_tile as in `GramSums`."""

    def __init__(self, p: int, intercept: bool, b: int, first_row: int = 0, rows_of_tile: int = TILE_ROWS) -> None:
        from augcore import _logistic

        self._shape = b, p + intercept
        self._sums = _logistic.RowSums(p, intercept, b, first_row, rows_of_tile)

    def add(self, X: NDArray[Any], factors: Floats, threads: int) -> None:
        self._sums.add(_rows(X), _doubles(factors), threads)

    def total(self, threads: int) -> Floats:
        out = np.empty(self._shape)
        self._sums.total(out, threads)
        return out


def weighted_gram(X: NDArray[Any], intercept: bool, weight: Floats, threads: int, single: bool = False) -> Floats:
    """sum_i weight_i x_i x_i' over the rows of (X, 1), or of X without an intercept: (q, q), symmetric."""
    from augcore import _logistic

    q = X.shape[1] + intercept
    out = np.empty((q, q))
    _logistic.weighted_gram(_rows(X), intercept, _doubles(weight), single, out, threads)
    return out


def product(X: NDArray[Any], intercept: bool, right: Floats, threads: int) -> Floats:
    """(X, 1) times right (q, b): (n, b)."""
    from augcore import _logistic

    out = np.empty((len(X), right.shape[1]))
    _logistic.product(_rows(X), intercept, _doubles(right), out, threads)
    return out


def transposed_product(X: NDArray[Any], intercept: bool, right: Floats, threads: int) -> Floats:
    """(X, 1)' times right (n, b): (q, b)."""
    from augcore import _logistic

    out = np.empty((X.shape[1] + intercept, right.shape[1]))
    _logistic.transposed_product(_rows(X), intercept, _doubles(right), out, threads)
    return out


def quadratic_forms(X: NDArray[Any], intercept: bool, matrices: Floats, threads: int, single: bool = False) -> Floats:
    """x_i' M_m x_i for every row of (X, 1) and every symmetric matrix of matrices (m, q, q): (n, m)."""
    from augcore import _logistic

    out = np.empty((len(X), len(matrices)))
    _logistic.quadratic_forms(_rows(X), intercept, _doubles(matrices), single, out, threads)
    return out


def cholesky_solve_many(factor: Floats, b: Floats, threads: int) -> Floats:
    """(L L')^-1 b for b (q, k)."""
    from augcore import _logistic

    solution = np.array(b, dtype=np.float64, order="C")
    _logistic.cholesky_solve_many(factor, solution, threads)
    return solution


def cholesky_inverse(factor: Floats, threads: int) -> Floats:
    """(L L')^-1: (q, q), symmetric."""
    from augcore import _logistic

    out = np.empty_like(factor, order="C")
    _logistic.cholesky_inverse(factor, out, threads)
    return out


def _rows(X: NDArray[Any]) -> NDArray[Any]:
    """X as the products take it: callers hand on parts of arrays."""
    return np.ascontiguousarray(X, dtype=np.float32 if X.dtype == np.float32 else np.float64)


def _doubles(values: NDArray[Any]) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64)


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
    from augcore import _sampling

    high, low = np.empty(len(scores)), np.empty(len(scores))
    _sampling.policy_keys(_sampling.POLICIES[policy], scores, key, first_index, high, low, threads)
    return high, low


def policy_order(policy: str, scores: NDArray[Any], key: NDArray[np.uint64], k: int, threads: int) -> NDArray[np.intp]:
    """The first k points in the order of their keys, equal ones by index; scores: (n,) float32 or float64."""
    from augcore import _sampling

    order = np.empty(k, dtype=np.int64)
    _sampling.policy_order(_sampling.POLICIES[policy], scores, key, order, threads)
    return order.astype(np.intp, copy=False)


class Reservoir:
    """The k points of the smallest keys, chosen in one pass: see reservoir.hpp."""

    def __init__(self, policy: str, key: NDArray[np.uint64], k: int) -> None:
        from augcore import _sampling

        self._kept = _sampling.Reservoir(_sampling.POLICIES[policy], key, k)

    def add(self, scores: NDArray[Any], first_index: int, threads: int) -> None:
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
