"""The multinomial (softmax) loss of n points and K classes, in K - 1 contrasts of the logits.

Adding one vector to the coefficients of all classes changes no probability, so the Hessian of the K logits is singular
in that direction. Everything that needs a Hessian is therefore written in contrasts: with the orthonormal rows E of
`contrasts(K)`, which sum to zero, theta = E W are the contrasts of the coefficients W (K, p), and

    gradient of the loss in the contrasts     E r,          r = probabilities - onehot
    its curvature                             S = E (diag(p) - p p') E'
                                                = sum_k p_k c_k c_k',    c_k = e_k - sum_j p_j e_j

E being orthonormal, a ridge on W is the same ridge on theta (Bohning, 1992, has the loss and its derivatives).
Quantities that are tiny for points that are classified with certainty are sums of tiny terms, never 1 minus something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch

__all__ = [
    "HessianSums",
    "block_rows",
    "contrasts",
    "curvature",
    "curvature_root",
    "deviations",
    "from_contrasts",
    "log_loss",
    "log_probabilities",
    "loss_change",
    "margin",
    "pairs",
    "probabilities",
    "residual",
    "summed_curvatures",
    "tile_rows",
    "to_contrasts",
    "unpacked",
]

Floats = NDArray[np.float64]
Gram = Callable[[Floats], Floats]  # from weights

_BLOCK_BYTES = 1 << 26
_LEAST_ROWS, _MOST_ROWS = 512, 16_384
_FAR = 500.0  # moves of logits beyond which exp nears overflow


@lru_cache(maxsize=64)
def contrasts(n_classes: int) -> Floats:
    """E, (K - 1, K): Helmert's contrasts, row k comparing class k + 1 with the mean of those before; read-only."""
    rows = np.tril(np.full((n_classes - 1, n_classes), -1.0))
    k = np.arange(1, n_classes)
    rows[k - 1, k] = k
    rows /= np.sqrt(k * (k + 1.0))[:, None]
    rows.setflags(write=False)
    return rows


def pairs(n_contrasts: int) -> list[tuple[int, int]]:
    """(k, l) with l <= k, in the order in which `curvature` packs them: row by row of the lower triangle."""
    return [(k, m) for k in range(n_contrasts) for m in range(k + 1)]


def _places(points: Floats) -> NDArray[np.intp]:
    """0, 1, ... as an index of points, where they are."""
    places: NDArray[np.intp] = _device.namespace(points).arange(len(points))
    return places


def log_probabilities(logits: Floats) -> Floats:
    """log p of every class: (n, K), exact where p is near 0 and where it is near 1."""
    rows, top = _places(logits), logits.argmax(axis=1)
    shifted = logits - logits[rows, top][:, None]
    with np.errstate(under="ignore"):
        others = np.exp(shifted)
    others[rows, top] = 0.0
    total: Floats = shifted - np.log1p(others.sum(axis=1))[:, None]
    return total


def probabilities(logits: Floats) -> Floats:
    """p of every class: (n, K)."""
    with np.errstate(under="ignore"):
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        p: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return p


def log_loss(logits: Floats, codes: NDArray[np.intp]) -> Floats:
    """-log p of the own class: (n,), exact where it is tiny."""
    loss: Floats = 0.0 - log_probabilities(logits)[_places(logits), codes]
    return loss


def margin(logits: Floats, codes: NDArray[np.intp]) -> Floats:
    """The own class's logit less the largest of the others: (n,), positive where the point is classified rightly."""
    rows, others = _places(logits), logits.copy()
    others[rows, codes] = -np.inf
    difference: Floats = logits[rows, codes] - others.max(axis=1)
    return difference


def residual(logits: Floats, codes: NDArray[np.intp]) -> Floats:
    """p - onehot: (n, K); the own class's is minus the sum of the others', without cancellation."""
    rows, r = _places(logits), probabilities(logits)
    r[rows, codes] = 0.0
    r[rows, codes] = -r.sum(axis=1)
    return r


def to_contrasts(values: Floats) -> Floats:
    """E v of every point: (n, K - 1), from (n, K); a row's digits do not depend on the others (BLAS's would)."""
    return _dispatch.product(values, False, contrasts(values.shape[1]).T, 1)


def from_contrasts(z: Floats) -> Floats:
    """E' z of every point: (n, K), from (n, K - 1)."""
    return _dispatch.product(z, False, contrasts(z.shape[1] + 1), 1)


def deviations(p: Floats) -> list[Floats]:
    """c_k = E (e_k - p) of every point, for each class: K of (n, K - 1)."""
    basis, mean = _device.together(contrasts(p.shape[1]), to_contrasts(p))
    return [basis[:, k] - mean for k in range(p.shape[1])]


def curvature(p: Floats) -> Floats:
    """The lower triangle of S = E (diag(p) - p p') E' of every point, packed as in `pairs`: (n, K (K - 1) / 2)."""
    n_contrasts = p.shape[1] - 1
    if _device.is_device(p):  # few large steps instead of many
        c = np.stack(deviations(p), axis=1)
        rows, columns = _device.namespace(p).tril_indices(n_contrasts)
        triangle: Floats = ((c * p[:, :, None]).swapaxes(1, 2) @ c)[:, rows, columns]
        return triangle
    packed = np.zeros((len(p), n_contrasts * (n_contrasts + 1) // 2))
    with np.errstate(under="ignore"):
        for k, c in enumerate(deviations(p)):
            for index, (a, b) in enumerate(pairs(n_contrasts)):
                packed[:, index] += p[:, k] * c[:, a] * c[:, b]
    return packed


def curvature_root(p: Floats) -> Floats:
    """T with S = T T', its columns sqrt(p_k) c_k: (n, K - 1, K)."""
    with np.errstate(under="ignore"):
        return np.stack([np.sqrt(p[:, k, None]) * c for k, c in enumerate(deviations(p))], axis=2)


def unpacked(packed: Floats, n_contrasts: int) -> Floats:
    """Symmetric matrices (n, C, C) from their lower triangles, packed as in `pairs`."""
    xp = _device.namespace(packed)
    rows, columns = xp.tril_indices(n_contrasts)
    full: Floats = xp.empty((len(packed), n_contrasts, n_contrasts))
    full[:, rows, columns] = packed
    full[:, columns, rows] = packed
    return full


def loss_change(logits: Floats, codes: NDArray[np.intp], moves: Floats) -> Floats:
    """The loss at logits + moves less the loss at logits: (n,).

    log sum_j p_j exp(a_j) with the moves a_j relative to that of the own class, as log(1 + sum_j p_j (exp(a_j) - 1)):
    the own class's term is zero and nothing cancels where the moves are small.
    """
    relative = moves - moves[_places(moves), codes][:, None]  # that of the own class is 0
    far = relative.max(axis=1) > _FAR
    with np.errstate(under="ignore"):
        growth = (probabilities(logits) * np.expm1(np.minimum(relative, _FAR))).sum(axis=1)
    change: Floats = np.log1p(np.maximum(growth, -1.0 + np.finfo(float).eps))
    if far.any():
        change[far] = log_loss(logits[far] + moves[far], codes[far]) - log_loss(logits[far], codes[far])
    return change


def block_rows(p: int, n_contrasts: int) -> int:
    """The rows that are dense, or have their curvatures, in memory at a time: a power of two, a function of the model.

    Sums and products run block by block, so that a sparse design and a dense one give the same bits.
    """
    wanted = _BLOCK_BYTES // (8 * max(p, n_contrasts * (n_contrasts + 1)))
    return min(_MOST_ROWS, max(_LEAST_ROWS, 1 << max(wanted, 1).bit_length() - 1))


class HessianSums:
    """sum_i S_i (x) x_i x_i' over blocks of points, in the layout of `summed_curvatures`: the same bits for any blocks.

    S_i are weighted and packed as by `curvature`; a binary model has one contrast. first_row: that of the first block,
    a multiple of `tile_rows`. like: an array that is where the points are.
    """

    def __init__(
        self, p: int, intercept: bool, n_contrasts: int, single: bool = False, first_row: int = 0, like: Any = None
    ) -> None:
        self._shape = n_contrasts, p + intercept
        rows = tile_rows(p + intercept, n_contrasts)
        self._grams = [_dispatch.gram_sums(like, p, intercept, single, first_row, rows) for _ in pairs(n_contrasts)]

    def add(self, X: NDArray[Any], curvatures: Floats, threads: int) -> None:
        for index, gram in enumerate(self._grams):
            gram.add(X, curvatures[:, index], threads)

    def nodes(self, threads: int) -> _dispatch.Nodes:
        """Those of every pair of contrasts, one after the other."""
        nodes = [gram.nodes(threads) for gram in self._grams]
        values, last = (np.concatenate(parts, axis=-1) for parts in list(zip(*nodes, strict=True))[1:])
        return _dispatch.Nodes(nodes[0].levels, values, last)

    def absorb(self, nodes: _dispatch.Nodes) -> None:
        m = len(self._grams)
        parts = zip(np.split(nodes.values, m, axis=1), np.split(nodes.last, m), strict=True)
        for gram, (values, last) in zip(self._grams, parts, strict=True):
            gram.absorb(_dispatch.Nodes(nodes.levels, np.ascontiguousarray(values), last))

    def total(self, threads: int) -> Floats:
        n_contrasts, q = self._shape
        first: Floats = self._grams[0].total(threads)
        if n_contrasts == 1:
            return first
        total: Floats = _device.namespace(first).empty((n_contrasts, q, n_contrasts, q))
        for gram, (k, m) in zip(self._grams, pairs(n_contrasts), strict=True):
            block = first if k == 0 else gram.total(threads)
            total[k, :, m] = total[m, :, k] = block  # each block is symmetric
        return total.reshape(n_contrasts * q, n_contrasts * q)


def tile_rows(q: int, n_contrasts: int) -> int:
    """Rows of the tiles of `HessianSums` for q columns: whole tiles of all other sums too."""
    return _dispatch.gram_tile_rows(q * n_contrasts)


def summed_curvatures(blocks: Iterable[tuple[Floats, Gram]], n_contrasts: int, q: int, like: Any = None) -> Floats:
    """sum_i S_i (x) x_i x_i': (C q, C q), where row k q + j belongs to contrast k and to column j of (X, 1).

    A block of points is their S_i, packed as by `curvature`, and what makes their weighted Gram matrix: with the
    weights S_km it is block (k, m). like: an array that is where the points are.
    """
    total: Floats = _device.namespace(like).zeros((n_contrasts, q, n_contrasts, q))
    for packed, gram in blocks:
        for index, (k, m) in enumerate(pairs(n_contrasts)):
            total[k, :, m] += gram(packed[:, index])
    for k, m in pairs(n_contrasts):
        total[m, :, k] = total[k, :, m]  # each block is symmetric
    return total.reshape(n_contrasts * q, n_contrasts * q)
