"""Sets of determinantal point processes whose eigenvectors are on a GPU: the draws of csrc/projection_draw.hpp.

The proposals, the decisions and so the sets are those of the CPU, but for rounding. A batch of proposals takes two
looks at the card: at how much is left of the squared rows, and at the products of those that are likely to be taken.
Rows taken are kept as an orthonormal basis, and what is left of a row is computed by subtracting its part in it, twice:
so nothing is lost by cancellation (Giraud, Langou, Rozloznik and van den Eshof, "Rounding error analysis of the
classical Gram-Schmidt orthogonalization process", 2005).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _cuda, _device, _dispatch

__all__ = ["SpectralKernel"]

Floats = NDArray[np.float64]

# As in csrc/projection_draw.cpp: the sets of both are those of the same batches.
_BATCH = 24
_MOST_TRIED = 1000
_ROUNDED_UP = 0.6180339887498949
_PATIENCE = 1000.0


class SpectralKernel:
    """V diag(eigenvalues) V' + rest (I - V V'), as `_dispatch.SpectralKernel`: V, leverage and reflector on a GPU."""

    def __init__(
        self, vectors: Floats, eigenvalues: Floats, rest: float, leverage: Floats, reflector: Floats | None
    ) -> None:
        self._vectors, self._eigenvalues, self._rest = vectors, eigenvalues, rest
        self._leverage, self._reflector = leverage, reflector

    def elementary_ratios(self, k: int) -> Floats:
        return _dispatch.elementary_ratios(len(self._vectors), self._eigenvalues, self._rest, k)

    def sample(
        self, ratios: Floats, k: int, key: NDArray[np.uint64], first_draw: int, draws: int, threads: int
    ) -> NDArray[np.intp]:
        """Sets of k points, (draws, k), each in rising order: a CuPy array."""
        n = len(self._vectors)
        sets = np.empty((draws, k), dtype=np.int64)
        for i in range(draws if k else 0):
            draw = first_draw + i
            columns = _dispatch.chosen_columns(n, self._eigenvalues, self._rest, ratios, k, key, draw)
            sets[i] = np.sort(self._items(columns, key, draw))
        return _device.upload(sets)

    def _items(self, columns: NDArray[np.int64], key: NDArray[np.uint64], draw: int) -> list[int]:
        """The items of one draw, in the order in which they are taken."""
        n, r, k = len(self._vectors), len(self._eigenvalues), len(columns)
        of_vectors, of_rest = _device.upload(columns[columns < r]), _device.upload(columns[columns >= r])
        # The bounds of all of V cost nothing, those of these columns a look at all rows: see ProjectionDraw::start.
        rows, sums, total = None, self._leverage, float(r)
        if len(of_rest) or n < r * (1.0 + math.log(k)):
            rows = self._rows(of_vectors, of_rest)
            sums, total = (rows * rows).sum(axis=1).cumsum(), float(k)
        basis = _device.empty("k", (k, k), np.float64)
        items: list[int] = []
        attempt, tried = 0, 0.0
        while len(items) < k:
            left = k - len(items)
            count = int(min(left, _BATCH) * total / left + _ROUNDED_UP)
            count = max(1, min(count, _MOST_TRIED))
            proposed, limits = _cuda.propose(sums, key, draw, attempt, count)
            attempt, tried = attempt + count, tried + count
            at = np.minimum(proposed, n - 1)
            tried_rows = self._vectors[at[:, None], of_vectors[None, :]] if rows is None else rows[at]
            rest = _orthogonal(tried_rows, basis[: len(items)])
            facts = _device.host(np.stack([proposed.astype(np.float64), limits, _squares(tried_rows), _squares(rest)]))
            likely, places, bounds = _likely(facts, n, k, items)
            if len(likely):
                rest = rest[_device.upload(likely)]
                lanes = _taken(_device.host(rest @ rest.T), places, bounds, left)
                if lanes:
                    _extend(basis, len(items), rest[_device.upload(np.array(lanes))])
                    items += [int(places[lane]) for lane in lanes]
                    tried = 0.0
            if tried > _PATIENCE * (1.0 + total):
                raise ValueError("vectors: fewer of their rows than k are independent")
        return items

    def _rows(self, of_vectors: Any, of_rest: Any) -> Any:
        """All rows of the projection's columns: some of V, and some of I - W W'."""
        rows = self._vectors[:, of_vectors]
        if self._reflector is None or not len(of_rest):
            return rows
        others = -(self._reflector @ self._reflector[of_rest].T)
        others[of_rest, _device.namespace(others).arange(len(of_rest))] += 1.0
        return np.concatenate([rows, others], axis=1)


def _squares(rows: Any) -> Any:
    return (rows * rows).sum(axis=1)


def _orthogonal(rows: Any, basis: Any) -> Any:
    """What is left of rows beside a basis."""
    for _ in range(2 if len(basis) else 0):
        rows = rows - (rows @ basis.T) @ basis
    return rows


def _extend(basis: Any, taken: int, rows: Any) -> None:
    """Adds rows, orthogonal to the basis but not to each other."""
    basis[taken : taken + len(rows)] = _device.namespace(rows).linalg.qr(rows.T)[0].T


def _likely(facts: Floats, n: int, k: int, taken: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Of the proposals those of which enough is left so far, a batch at most: their places, items and limits."""
    items, limits, whole, left = facts
    items = items.astype(np.int64)
    rounding = 4.0 * k * np.finfo(np.float64).eps
    limits = np.maximum(limits, rounding * whole)
    likely = np.flatnonzero((items < n) & ~np.isin(items, taken) & (left > limits))[:_BATCH]
    return likely, items[likely], limits[likely]


def _taken(gram: Floats, items: NDArray[np.int64], limits: Floats, left: int) -> list[int]:
    """Lanes that are taken, one after the other, each where enough is left of it beside those before.

    gram: the products of what is left of their rows; a Cholesky factor of it, of which rows are left out.
    """
    lanes: list[int] = []
    for lane in range(len(gram)):
        if len(lanes) == left or items[lane] in items[lanes] or not gram[lane, lane] > limits[lane]:
            continue
        lanes.append(lane)
        factor = gram[lane, lane:] / math.sqrt(gram[lane, lane])
        gram[lane:, lane:] -= np.outer(factor, factor)
    return lanes
