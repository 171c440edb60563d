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

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch

__all__ = ["contrasts", "curvature", "hessian", "log_loss", "log_probabilities", "pairs", "probabilities", "residual"]

Floats = NDArray[np.float64]

_BLOCK_ROWS = 16_384  # of which the packed curvatures are held at a time


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


def log_probabilities(logits: Floats) -> Floats:
    """log p of every class: (n, K)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        total: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return total


def probabilities(logits: Floats) -> Floats:
    """p of every class: (n, K)."""
    with np.errstate(under="ignore"):
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        p: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return p


def _odds_against(logits: Floats, codes: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
    """exp(logits - least upper bound) with zero for the own class, their sum, and the own class's term."""
    rows = np.arange(len(logits))
    with np.errstate(under="ignore"):
        others = np.exp(logits - logits.max(axis=1, keepdims=True))
    own = others[rows, codes].copy()
    others[rows, codes] = 0.0
    return others, others.sum(axis=1), own


def log_loss(logits: Floats, codes: NDArray[np.intp]) -> Floats:
    """-log p of the own class: (n,), exact where it is tiny."""
    top = logits.max(axis=1)
    own_logit = logits[np.arange(len(logits)), codes]
    _, against, own = _odds_against(logits, codes)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        likely = np.log1p(against / own)
        unlikely = (top - own_logit) + np.log(against + own)
    loss: Floats = np.where(own_logit == top, likely, unlikely)
    return loss


def residual(logits: Floats, codes: NDArray[np.intp]) -> Floats:
    """p - onehot: (n, K); the own class's is minus the sum of the others', without cancellation."""
    others, against, own = _odds_against(logits, codes)
    total = against + own
    r = others / total[:, None]
    r[np.arange(len(r)), codes] = -against / total
    return r


def curvature(p: Floats) -> Floats:
    """The lower triangle of S = E (diag(p) - p p') E' of every point, packed as in `pairs`: (n, K (K - 1) / 2)."""
    basis = contrasts(p.shape[1])
    n_contrasts = len(basis)
    packed = np.zeros((len(p), n_contrasts * (n_contrasts + 1) // 2))
    mean = p @ basis.T
    with np.errstate(under="ignore"):
        for k in range(p.shape[1]):
            # The likely class lies near the mean: its c is summed from the differences to the unlikely ones.
            c = basis[:, k] - mean
            likely = p[:, k] > 0.5
            if likely.any():
                c[likely] = p[likely] @ (basis[:, [k]] - basis).T
            for index, (a, b) in enumerate(pairs(n_contrasts)):
                packed[:, index] += p[:, k] * c[:, a] * c[:, b]
    return packed


def hessian(X: NDArray[Any], intercept: bool, logits: Floats, weight: Floats | None, threads: int) -> Floats:
    """The Hessian of the summed loss in the contrasts: (C q, C q) for C = K - 1 and q columns of (X, 1).

    Row k q + j belongs to column j and contrast k; block (k, m) is the Gram matrix weighted by w S_km.
    """
    n_contrasts = logits.shape[1] - 1
    q = X.shape[1] + intercept
    total = np.zeros((n_contrasts, q, n_contrasts, q))
    for first in range(0, len(X), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        packed = curvature(probabilities(logits[rows]))
        if weight is not None:
            packed *= weight[rows, None]
        for index, (k, m) in enumerate(pairs(n_contrasts)):
            column = np.ascontiguousarray(packed[:, index])
            total[k, :, m] += _dispatch.weighted_gram(X[rows], intercept, column, threads)
    for k, m in pairs(n_contrasts):
        total[m, :, k] = total[k, :, m]  # each block is symmetric
    return total.reshape(n_contrasts * q, n_contrasts * q)
