"""The design of a logistic model, (X, 1), dense or sparse: products with blocks of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _validate, _validate_models

__all__ = ["Design", "logits"]

Floats = NDArray[np.float64]

_BLOCK_ELEMENTS = 1 << 22  # of float64, in the largest array of a block: 32 MiB


class Design:
    """(X, 1), or X without an intercept, dense, on the host or on a GPU, or CSR: products with blocks of its rows."""

    def __init__(self, X: Any, intercept: bool, threads: int) -> None:
        self.X, self.intercept, self.threads = X, intercept, threads
        self.sparse = _validate_models.is_sparse(X)
        self.shape = X.shape[0], X.shape[1] + intercept
        self.n_products = X.nnz if self.sparse else X.size  # of one product with a vector

    @classmethod
    def of(cls, name: str, X: Any, intercept: bool, threads: int, columns: int | None = None) -> Design:
        """X checked; a CSR matrix becomes float64 with its duplicates summed, in a copy."""
        checked = _validate_models.sparse_or_dense_design(name, X, columns=columns, device=True)
        if _validate_models.is_sparse(checked):
            checked = checked.astype(np.float64)
            checked.sum_duplicates()
            _validate.magnitudes(name, checked.data)
        return cls(checked, intercept, threads)

    def rows(self, rows: slice | NDArray[Any]) -> Design:
        return Design(self.X[rows], self.intercept, self.threads)

    def blocks(self, width: int) -> list[slice]:
        """Blocks of rows for work that holds `width` numbers of each row, the row itself not counted."""
        held = width + (0 if self.sparse else self.shape[1])
        step = max(1, _BLOCK_ELEMENTS // held)
        return [slice(first, first + step) for first in range(0, self.shape[0], step)]

    def dot(self, right: Floats) -> Floats:
        """Times (q, b)."""
        if not self.sparse:
            return _dispatch.product(self.X, self.intercept, right, self.threads)
        p = self.X.shape[1]
        result: Floats = self.X @ right[:p]
        return result + right[p:] if self.intercept else result

    def transposed_dot(self, right: Floats) -> Floats:
        """Its transpose times (n, b)."""
        if not self.sparse:
            return _dispatch.transposed_product(self.X, self.intercept, right, self.threads)
        result: Floats = self.X.T @ right
        return np.vstack([result, right.sum(axis=0)]) if self.intercept else result

    def squared(self) -> Design:
        return Design(self.X.multiply(self.X) if self.sparse else np.square(self.X, dtype=np.float64), False, 0)

    def gram(self, weight: Floats) -> Floats:
        """The Gram matrix of the rows, weighted: (q, q)."""
        if not self.sparse:
            return _dispatch.weighted_gram(self.X, self.intercept, weight, self.threads)
        from scipy import sparse

        design = sparse.hstack([self.X, np.ones((self.shape[0], 1))]).tocsr() if self.intercept else self.X
        total: Floats = (design.T @ design.multiply(weight[:, None])).toarray()
        return total

    def toarray(self) -> Floats:
        """The rows, dense: for blocks."""
        X = self.X.toarray() if self.sparse else self.X.astype(np.float64)
        return np.hstack([X, _device.namespace(X).ones((len(X), 1))]) if self.intercept else X


def logits(design: Design, coef: Floats) -> Floats:
    """(n, 1) for a binary model, (n, K) for a softmax one."""
    n = design.shape[0]
    if len(coef) == 1 and not design.sparse:
        return _dispatch.linear_predictor(design.X, design.intercept, coef[0], design.threads)[:, None]
    eta: Floats = _device.namespace(design.X).empty((n, len(coef)))
    for rows in design.blocks(len(coef)):
        eta[rows] = design.rows(rows).dot(coef.T)
    return eta
