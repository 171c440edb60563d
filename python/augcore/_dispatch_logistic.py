"""The part of `_dispatch` that is for logistic models: losses, sums over a design (X, 1), factors of Hessians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import _cuda, _device, _device_linalg

__all__ = [
    "TILE_ROWS",
    "GramSums",
    "Nodes",
    "RowSums",
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
    "cholesky_solve_many",
    "curvature",
    "forms_of_factor",
    "gradient",
    "gram_sums",
    "gram_tile_rows",
    "inverse_quadratic_form",
    "linear_predictor",
    "log_loss",
    "loo_influence",
    "loo_loss_change",
    "product",
    "quadratic_forms",
    "reciprocal_condition",
    "residual",
    "row_sums",
    "sum_of_rows",
    "transposed_product",
    "weighted_gram",
]

Floats = NDArray[np.float64]


# ---- logistic regression ---------------------------------------------------------------------------------------------


def linear_predictor(X: NDArray[Any], intercept: bool, coef: Floats, threads: int) -> Floats:
    """(X, 1) times coef (q,), or each of coef (b, q): (n,) or (n, b)."""
    if _device.is_device(X):
        return (
            _cuda.linear_predictor(X, intercept, coef)
            if coef.ndim == 2
            else _cuda.linear_predictor(X, intercept, coef[None])[:, 0]
        )
    from augcore import _logistic

    rows = np.atleast_2d(coef)
    eta = np.empty((len(X), len(rows)))
    _logistic.linear_predictor(_rows(X), intercept, _doubles(rows), eta, threads)
    return eta if coef.ndim == 2 else eta[:, 0]


def sum_of_rows(X: NDArray[Any], intercept: bool, factors: Floats, threads: int) -> Floats:
    """factors' (b, n) times (X, 1): (b, q), on the host wherever X is."""
    if _device.is_device(X):
        return _cuda.sum_of_rows(X, intercept, factors)
    from augcore import _logistic

    out = np.empty((factors.shape[1], X.shape[1] + intercept))
    _logistic.sum_of_rows(_rows(X), intercept, _doubles(factors), out, threads)
    return out


def gradient(
    X: NDArray[Any], intercept: bool, coef: Floats, y: Floats, weight: Floats | None, threads: int
) -> tuple[Floats, Floats]:
    """The linear predictors (n,) and the gradient (q,) of the summed weighted log loss, in one pass over X.

    The gradient is on the host wherever X is.
    """
    if _device.is_device(X):
        return _cuda.gradient(X, intercept, coef, y, weight)
    from augcore import _logistic

    eta, out = np.empty(len(X)), np.empty(X.shape[1] + intercept)
    _logistic.gradient(X, intercept, coef, y, weight, eta, out, threads)
    return eta, out


def log_loss(eta: Floats, y: Floats, threads: int) -> Floats:
    if _device.is_device(eta):
        return _cuda.log_loss(eta, y)
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.log_loss(eta, y, out, threads)
    return out


def residual(eta: Floats, y: Floats, threads: int) -> Floats:
    if _device.is_device(eta):
        return _cuda.residual(eta, y)
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.residual(eta, y, out, threads)
    return out


def curvature(eta: Floats, threads: int) -> Floats:
    if _device.is_device(eta):
        return _cuda.curvature(eta)
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.curvature(eta, out, threads)
    return out


def loo_influence(eta: Floats, y: Floats, weight: Floats | None, q: Floats, threads: int) -> Floats:
    if _device.is_device(eta):
        return _cuda.loo_influence(eta, y, weight, q)
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.loo_influence(eta, y, weight, q, out, threads)
    return out


def loo_loss_change(eta: Floats, y: Floats, weight: Floats | None, q: Floats, threads: int) -> Floats:
    if _device.is_device(eta):
        return _cuda.loo_loss_change(eta, y, weight, q)
    from augcore import _logistic

    out = np.empty(len(eta))
    _logistic.loo_loss_change(eta, y, weight, q, out, threads)
    return out


def cholesky(a: Floats, threads: int) -> int:
    """Replaces a by its factor; -1, or the column where it is singular to working precision."""
    if _device.is_device(a):
        return _device_linalg.cholesky(a)
    from augcore import _logistic

    return _logistic.cholesky(a, threads)


def cholesky_solve(factor: Floats, b: Floats) -> None:
    """Replaces b by (L L')^-1 b."""
    if _device.is_device(factor):
        b[...] = _device_linalg.cholesky_solve_many(factor, b)
        return
    from augcore import _logistic

    _logistic.cholesky_solve(factor, b)


def reciprocal_condition(factor: Floats) -> float:
    """Of L L' scaled to a unit diagonal, in the 1-norm, estimated: between 0 and 1."""
    if _device.is_device(factor):
        return _device_linalg.reciprocal_condition(factor)
    from augcore import _logistic

    return _logistic.reciprocal_condition(factor)


def forms_of_factor(factor: Floats, condition: Callable[[], float]) -> Any:
    """A factor as `inverse_quadratic_form` takes it; condition: tells the reciprocal one of L L'."""
    return _device_linalg.forms_of_factor(factor, condition()) if _device.is_device(factor) else factor


def inverse_quadratic_form(X: NDArray[Any], intercept: bool, factor: Any, threads: int, single: bool = False) -> Floats:
    """x_i' (L L')^-1 x_i for every row of (X, 1): (n,); factor: what `forms_of_factor` gives."""
    if _device.is_device(X):
        return _device_linalg.inverse_quadratic_form(X, intercept, factor, single)
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


def gram_sums(
    like: Any, p: int, intercept: bool, single: bool = False, first_row: int = 0, rows_of_tile: int = 0
) -> Any:
    """`GramSums` for rows that are where `like` is; on a GPU of one run of rows, which can be fed but not sent."""
    if _device.is_device(like):
        return _device_linalg.GramSums(p, intercept, single)
    return GramSums(p, intercept, single, first_row, rows_of_tile)


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


def row_sums(like: Any, p: int, intercept: bool, b: int, first_row: int = 0) -> Any:
    """`RowSums` for rows that are where `like` is, as `gram_sums`; the sums are on the host."""
    return _device_linalg.RowSums(p, intercept, b) if _device.is_device(like) else RowSums(p, intercept, b, first_row)


def weighted_gram(X: NDArray[Any], intercept: bool, weight: Floats, threads: int, single: bool = False) -> Floats:
    """sum_i weight_i x_i x_i' over the rows of (X, 1), or of X without an intercept: (q, q), symmetric."""
    if _device.is_device(X):
        return _device_linalg.weighted_gram(X, intercept, weight, single)
    from augcore import _logistic

    q = X.shape[1] + intercept
    out = np.empty((q, q))
    _logistic.weighted_gram(_rows(X), intercept, _doubles(weight), single, out, threads)
    return out


def product(X: NDArray[Any], intercept: bool, right: Floats, threads: int) -> Floats:
    """(X, 1) times right (q, b): (n, b)."""
    if _device.is_device(X):
        return _device_linalg.product(X, intercept, right)
    from augcore import _logistic

    out = np.empty((len(X), right.shape[1]))
    _logistic.product(_rows(X), intercept, _doubles(right), out, threads)
    return out


def transposed_product(X: NDArray[Any], intercept: bool, right: Floats, threads: int) -> Floats:
    """(X, 1)' times right (n, b): (q, b)."""
    if _device.is_device(X):
        return _device_linalg.transposed_product(X, intercept, right)
    from augcore import _logistic

    out = np.empty((X.shape[1] + intercept, right.shape[1]))
    _logistic.transposed_product(_rows(X), intercept, _doubles(right), out, threads)
    return out


def quadratic_forms(X: NDArray[Any], intercept: bool, matrices: Floats, threads: int, single: bool = False) -> Floats:
    """x_i' M_m x_i for every row of (X, 1) and every matrix of matrices (m, q, q): (n, m)."""
    if _device.is_device(X):
        return _device_linalg.quadratic_forms(X, intercept, matrices, single)
    from augcore import _logistic

    out = np.empty((len(X), len(matrices)))
    _logistic.quadratic_forms(_rows(X), intercept, _doubles(matrices), single, out, threads)
    return out


def cholesky_solve_many(factor: Floats, b: Floats, threads: int) -> Floats:
    """(L L')^-1 b for b (q, k)."""
    if _device.is_device(factor):
        return _device_linalg.cholesky_solve_many(factor, b)
    from augcore import _logistic

    solution = np.array(b, dtype=np.float64, order="C")
    _logistic.cholesky_solve_many(factor, solution, threads)
    return solution


def cholesky_inverse(factor: Floats, threads: int) -> Floats:
    """(L L')^-1: (q, q), symmetric."""
    if _device.is_device(factor):
        return _device_linalg.cholesky_inverse(factor)
    from augcore import _logistic

    out = np.empty_like(factor, order="C")
    _logistic.cholesky_inverse(factor, out, threads)
    return out


def _rows(X: NDArray[Any]) -> NDArray[Any]:
    """X as the products take it: callers hand on parts of arrays."""
    return np.ascontiguousarray(X, dtype=np.float32 if X.dtype == np.float32 else np.float64)


def _doubles(values: NDArray[Any]) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64)
