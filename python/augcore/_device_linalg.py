"""Designs (X, 1) on a GPU: sums over their rows, quadratic forms, factors. What `_dispatch` does for CuPy arrays.

Large products are cuBLAS's and factors cuSOLVER's, called as CuPy calls them; what stands before and after them are
kernels of our own (cuda/gram.cu). Where half of a product is known from the other half, or is zero, it is made in eight
blocks of columns, each as far as it is needed: nine tenths of the operations are useful. Temporaries are bounded, and
sums run over fixed tiles of rows in one order: the same bits from run to run.

Arguments are checked: X (n, p) is C-contiguous, of float32 or float64; all else is float64. Vectors of the size of a
model may be on the host. Nothing waits but what says so.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _cuda, _device

__all__ = [
    "Forms",
    "GramSums",
    "RowSums",
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve_many",
    "forms_of_factor",
    "inverse_quadratic_form",
    "product",
    "quadratic_forms",
    "reciprocal_condition",
    "transposed_product",
    "weighted_gram",
]

Array = Any  # CuPy's, which has no such type
Floats = NDArray[np.float64]  # or CuPy's

_BLOCK_BYTES = 1 << 28  # of temporaries
_PRODUCT_BYTES = 1 << 27  # of products whose rows are then summed: fewer take longer to begin than to be done
_TILE_ROWS = 1024  # whose sum is of float32 where single precision does, at least
_COLUMN_BLOCKS = 8
_EXPLICIT_CONDITION = 1e-8  # the reciprocal: from here on L is inverted, which a solution for every row need not be


# ---- the library -----------------------------------------------------------------------------------------------------


def _address(values: Any) -> int:
    return int(values.data.ptr)


class _Blas:
    """cuBLAS's functions for a dtype. Its matrices are column by column: ours, transposed. Addresses are in bytes."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self._module = _device.cupy().cuda.cublas
        self._letter = "s" if self.dtype == np.float32 else "d"
        self._one, self._zero = np.ones((), self.dtype), np.zeros((), self.dtype)

    def multiply(
        self,
        out: tuple[int, int, int],
        left: tuple[int, int, int, bool],
        right: tuple[int, int, int, bool],
        shape: tuple[int, int, int],
        count: int = 1,
    ) -> None:
        """left (m, k) times right (k, n) for `count` pairs; shape: m, n, k.

        A matrix is its address, the elements from column to column, those from matrix to matrix, and whether it is the
        transposed one that is multiplied.
        """
        operations = [self._module.CUBLAS_OP_T if side[3] else self._module.CUBLAS_OP_N for side in (left, right)]
        one, zero = self._one.ctypes.data, self._zero.ctypes.data
        handle = _device.cupy().cuda.device.get_cublas_handle()
        if count == 1:
            function = getattr(self._module, f"{self._letter}gemm")
            function(handle, *operations, *shape, one, *left[:2], *right[:2], zero, *out[:2])
        else:
            function = getattr(self._module, f"{self._letter}gemmStridedBatched")
            function(handle, *operations, *shape, one, *left[:3], *right[:3], zero, *out[:3], count)

    def solve_triangle(self, lower: Array, b: Array, transposed: bool) -> None:
        """Replaces b (q, k) by L^-1 b, or by L'^-1 b: both C-contiguous."""
        q, k = b.shape
        if not k:
            return
        # Of the library's matrices, L' is upper and b' stands on its left.
        operation = self._module.CUBLAS_OP_T if transposed else self._module.CUBLAS_OP_N
        getattr(self._module, f"{self._letter}trsm")(
            _device.cupy().cuda.device.get_cublas_handle(), self._module.CUBLAS_SIDE_RIGHT,
            self._module.CUBLAS_FILL_MODE_UPPER, operation, self._module.CUBLAS_DIAG_NON_UNIT, k, q,
            self._one.ctypes.data, _address(lower), q, _address(b), k,
        )  # fmt: skip


def _column_blocks(q: int) -> list[tuple[int, int]]:
    """(first, end) of blocks of columns: whole tiles of the library's products."""
    width = -(-q // (16 * _COLUMN_BLOCKS)) * 16
    return [(first, min(first + width, q)) for first in range(0, q, width)]


def _row_blocks(n: int, bytes_of_row: int, most: int = _BLOCK_BYTES) -> list[slice]:
    step = max(1, most // max(1, bytes_of_row))
    return [slice(first, min(n, first + step)) for first in range(0, n, step)]


# ---- Gram matrices ---------------------------------------------------------------------------------------------------


class GramSums:
    """sum_i weight_i x_i x_i' over blocks of rows of (X, 1): (q, q).

    Tiles of rows are multiplied, in float32 if `single` and X is, and summed in float64.
    """

    def __init__(self, p: int, intercept: bool, single: bool = False) -> None:
        self._p, self._intercept, self._single = p, intercept, single
        xp = _device.cupy()
        self._total = _device.empty("Hessian", (p + intercept, p + intercept), np.float64)
        self._total[...] = 0.0  # where column >= row
        self._weight = xp.zeros(())

    def add(self, X: Array, weight: Floats, threads: int = 0) -> None:
        """weight: (n,), of any sign."""
        weight = _device.contiguous("weight", weight)
        blas = _Blas(np.float32 if self._single and X.dtype == np.float32 else np.float64)
        q, size = len(self._total), blas.dtype.itemsize
        height = max(_TILE_ROWS, q)
        stride = -(-q // 8) * 8
        bytes_of_tile = (height * (stride + (0 if X.dtype == blas.dtype else self._p)) + q * q) * size
        count = min(max(1, _BLOCK_BYTES // bytes_of_tile), max(1, len(X) // height))
        tiles = _device.empty("Hessian", (count, q, q), blas.dtype)
        for first in range(0, len(X), count * height):
            rows = slice(first, first + count * height)
            part = X[rows]
            weighted = _device.empty("X", (len(part), stride), blas.dtype)
            _cuda.weighted_rows(part, self._intercept, weight[rows], weighted)
            part = part.astype(blas.dtype, copy=False)
            whole, rest = divmod(len(part), height)
            self._add_tiles(blas, part, weighted, height, tiles[:whole])
            if rest:
                self._add_tiles(blas, part[whole * height :], weighted[whole * height :], rest, tiles[:1])
        self._weight = self._weight + weight.sum()

    def _add_tiles(self, blas: _Blas, part: Array, weighted: Array, height: int, tiles: Array) -> None:
        """As many tiles as there is room for; the corner, where both columns are ones, is not made."""
        if not len(tiles):
            return
        size, p, (_, q, _), stride = blas.dtype.itemsize, self._p, tiles.shape, weighted.shape[1]
        for first, end in _column_blocks(p):
            blas.multiply(
                (_address(tiles) + first * (q + 1) * size, q, q * q),
                (_address(weighted) + first * size, stride, height * stride, False),
                (_address(part) + first * size, p, height * p, True),
                (q - first, end - first, height),
                len(tiles),
            )
        _cuda.add_tiles(tiles, self._total)

    def total(self, threads: int = 0) -> Floats:
        xp = _device.cupy()
        if self._intercept:
            self._total[-1, -1] = self._weight
        total: Floats = xp.triu(self._total) + xp.triu(self._total, 1).T
        return total


class RowSums:
    """`_cuda.sum_of_rows` over blocks of rows: (b, q), on the host."""

    def __init__(self, p: int, intercept: bool, b: int) -> None:
        self._total: Floats = np.zeros((b, p + intercept))
        self._intercept = intercept

    def add(self, X: Array, factors: Floats, threads: int = 0) -> None:
        """factors: (n, b). Waits."""
        self._total += _cuda.sum_of_rows(X, self._intercept, factors)

    def total(self, threads: int = 0) -> Floats:
        return self._total


def weighted_gram(X: Array, intercept: bool, weight: Floats, single: bool) -> Floats:
    """sum_i weight_i x_i x_i' over the rows of (X, 1): (q, q), symmetric."""
    sums = GramSums(X.shape[1], intercept, single)
    sums.add(X, weight)
    return sums.total()


def product(X: Array, intercept: bool, right: Floats) -> Floats:
    """(X, 1) times right (q, b): (n, b)."""
    right = _device.upload(right)
    (n, p), b = X.shape, right.shape[1]
    out = _device.empty("X", (n, b), np.float64)
    for rows in _row_blocks(n, 8 * (p + b)):
        out[rows] = X[rows].astype(np.float64, copy=False) @ right[:p]
    if intercept:
        out += right[p]
    return out


def transposed_product(X: Array, intercept: bool, right: Floats) -> Floats:
    """(X, 1)' times right (n, b): (q, b)."""
    right = _device.upload(right)
    (n, p), b = X.shape, right.shape[1]
    out: Floats = _device.cupy().zeros((p + intercept, b))
    for rows in _row_blocks(n, 8 * (p + b)):
        out[:p] += X[rows].astype(np.float64, copy=False).T @ right[rows]
    if intercept:
        out[p] = right.sum(axis=0)
    return out


# ---- factors ---------------------------------------------------------------------------------------------------------


def cholesky(a: Floats) -> int:
    """Replaces a by its factor; -1, or the column where it is singular to working precision. Waits."""
    xp, q = _device.cupy(), len(a)
    diagonal = a.diagonal().copy()
    solver = xp.cuda.cusolver
    handle, upper = xp.cuda.device.get_cusolver_handle(), xp.cuda.cublas.CUBLAS_FILL_MODE_UPPER
    length = solver.dpotrf_bufferSize(handle, upper, q, _address(a), q)
    work, status = _device.empty("Hessian", (max(1, length),), np.float64), xp.zeros(1, np.int32)
    solver.dpotrf(handle, upper, q, _address(a), q, _address(work), length, _address(status))
    a[...] = xp.tril(a)
    pivots, failed = _device.host(xp.stack([a.diagonal() ** 2, diagonal])), int(status[0])
    too_small = ~(pivots[0] > q * np.finfo(np.float64).eps * np.maximum(pivots[1], 0.0))
    if failed:
        too_small[failed - 1] = True  # what follows is not of the factor
    return int(np.argmax(too_small)) if too_small.any() else -1


def _inverse_of_lower(lower: Floats) -> Floats:
    """L^-1, lower too."""
    inverse: Floats = _device.cupy().eye(len(lower))
    _Blas(np.float64).solve_triangle(lower, inverse, False)
    return inverse


def cholesky_solve_many(lower: Floats, b: Floats) -> Floats:
    """(L L')^-1 b for b (q, k) or (q,), a new array where b is; waits if that is the host."""
    lower = _device.upload(lower)
    solution = _device.cupy().array(_device.upload(b), order="C")
    columns = solution.reshape(len(lower), -1)
    blas = _Blas(np.float64)
    blas.solve_triangle(lower, columns, False)
    blas.solve_triangle(lower, columns, True)
    result: Floats = solution if _device.is_device(b) else _device.host(solution)
    return result


def cholesky_inverse(lower: Floats) -> Floats:
    """(L L')^-1: (q, q), symmetric."""
    inverse = _inverse_of_lower(lower)
    whole: Floats = inverse.T @ inverse
    return whole


def reciprocal_condition(lower: Floats) -> float:
    """Of L L' scaled to a unit diagonal, in the 1-norm: between 0 and 1, 0 where its inverse overflows. Waits."""
    xp = _device.cupy()
    matrix = lower @ lower.T
    roots = xp.sqrt(matrix.diagonal())
    norms = [
        xp.abs(values).sum(axis=0).max()
        for values in (matrix / roots[:, None] / roots, cholesky_inverse(lower) * roots[:, None] * roots)
    ]
    product_of_norms = float(norms[0] * norms[1])
    return 1.0 / product_of_norms if math.isfinite(product_of_norms) else 0.0


# ---- quadratic forms -------------------------------------------------------------------------------------------------


class Forms:
    """A factor L as `inverse_quadratic_form` takes it; inverse: L^-1, None where H is too ill-conditioned for it."""

    def __init__(self, lower: Floats, inverse: Floats | None) -> None:
        self.lower, self.inverse = lower, inverse


def forms_of_factor(lower: Floats, condition: float) -> Forms:
    """condition: the reciprocal one of L L'."""
    return Forms(lower, _inverse_of_lower(lower) if condition >= _EXPLICIT_CONDITION else None)


def inverse_quadratic_form(X: Array, intercept: bool, prepared: Forms, single: bool) -> Floats:
    """x_i' (L L')^-1 x_i for every row of (X, 1): (n,)."""
    if prepared.inverse is None:
        return _solved_forms(X, intercept, prepared.lower)
    out = _device.empty("X", (len(X),), np.float64)
    _triangular_forms(X, intercept, prepared.inverse, single, out, None)
    return out


def quadratic_forms(X: Array, intercept: bool, matrices: Floats, single: bool) -> Floats:
    """x_i' M_m x_i for every row of (X, 1) and every matrix of matrices (m, q, q): (n, m)."""
    xp = _device.cupy()
    out = _device.empty("X", (len(X), len(matrices)), np.float64)
    for index in range(len(matrices)):
        # What is above the diagonal does as much below it.
        triangle = xp.tril(matrices[index]) + xp.triu(matrices[index], 1).T
        _triangular_forms(X, intercept, triangle, single, out, index)
    return out


def _triangular_forms(
    X: Array, intercept: bool, triangle: Floats, single: bool, out: Floats, column: int | None
) -> None:
    """|T x|^2 of every row x of (X, 1) and a lower triangular T into out (n,), or x' T x into a column of out."""
    blas = _Blas(np.float32 if single and X.dtype == np.float32 else np.float64)
    (n, p), q, size = X.shape, len(triangle), blas.dtype.itemsize
    triangle = _device.contiguous("Hessian", triangle.astype(blas.dtype, copy=False))
    # Of the intercept's column only the last element is not 0: it is added to the last column of the products.
    shift = triangle[-1, -1:].astype(np.float64) if intercept else None
    stride = 1 if column is None else out.shape[1]
    blocks = _row_blocks(n, q * size, _PRODUCT_BYTES)
    products = _device.empty("X", (blocks[0].stop if blocks else 0, q), blas.dtype)
    for rows in blocks:
        part = X[rows]
        values, y = part.astype(blas.dtype, copy=False), products[: len(part)]
        for first, end in _column_blocks(q):
            blas.multiply(
                (_address(y) + first * size, q, 0),
                (_address(triangle) + first * q * size, q, 0, True),
                (_address(values), p, 0, False),
                (end - first, len(part), min(end, p)),
            )
        if column is None:
            _cuda.row_squares(y, shift, out[rows], stride)
        else:
            _cuda.row_dots(y, part, intercept, shift, out[rows, column:], stride)


def _solved_forms(X: Array, intercept: bool, lower: Floats) -> Floats:
    """By a solution for every row: twice the work of the inverse in blocks, and no digits lost to it."""
    blas, (n, p), q = _Blas(np.float64), X.shape, len(lower)
    xp, out = _device.cupy(), _device.empty("X", (n,), np.float64)
    for rows in _row_blocks(n, 16 * q):
        right = _device.empty("X", (q, rows.stop - rows.start), np.float64)
        right[:p] = X[rows].T
        if intercept:
            right[p] = 1.0
        blas.solve_triangle(lower, right, False)
        out[rows] = xp.einsum("ij,ij->j", right, right)
    return out
