"""How well conditioned a factored Hessian is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch

__all__ = ["reciprocal_condition", "scales"]

Floats = NDArray[np.float64]

_MOST_STEPS = 5


def scales(factor: Floats) -> Floats:
    """The roots of the diagonal of H = L L': (q,)."""
    roots: Floats = np.sqrt(np.einsum("ij,ij->i", factor, factor))
    return roots


def reciprocal_condition(factor: Floats) -> float:
    """An estimate of 1 / cond_1(D H D) where H = L L' and D = diag(H)^-1/2, from L alone.

    The scaling takes the units of the features out: what is left is what makes solutions uncertain, about
    eps / reciprocal_condition of them. Both norms are lower bounds by Hager's iteration, as Higham (ACM Trans. Math.
    Softw. 14, 1988, Algorithm 4.1) completes it: each within a factor of 3 but for contrived matrices. A few products
    with L, no more.

    Parameters
    ----------
    factor : ndarray of shape (q, q), float64
        The lower Cholesky factor L.

    Returns
    -------
    float
        Between 0 and 1; 1 where q is 0.
    """
    q = len(factor)
    if q == 0:
        return 1.0
    scale = scales(factor)

    def product(b: Floats) -> Floats:
        x = b / scale
        _dispatch.cholesky_product(factor, x)
        return x / scale

    def solution(b: Floats) -> Floats:
        x = b * scale
        _dispatch.cholesky_solve(factor, x)
        return x * scale

    return min(1.0, 1.0 / (_one_norm(product, q) * _one_norm(solution, q)))


def _one_norm(times: Callable[[Floats], Floats], q: int) -> float:
    """A lower bound of the 1-norm of a symmetric matrix, nearly always close to it, from its products with vectors."""
    x = times(np.full(q, 1.0 / q))
    estimate = float(np.sum(np.abs(x)))
    signs = np.where(x >= 0.0, 1.0, -1.0)
    for _ in range(_MOST_STEPS - 1):
        steepest = int(np.argmax(np.abs(times(signs))))
        x = times(np.eye(1, q, steepest)[0])
        last, estimate = estimate, max(estimate, float(np.sum(np.abs(x))))
        new_signs = np.where(x >= 0.0, 1.0, -1.0)
        if estimate <= last or np.array_equal(new_signs, signs):
            break
        signs = new_signs
    # What cancels in the steps above does not in this vector.
    alternating = (1.0 + np.arange(q) / max(q - 1, 1)) * np.where(np.arange(q) % 2 == 0, 1.0, -1.0)
    return max(estimate, 2.0 * float(np.sum(np.abs(times(alternating)))) / (3.0 * q))
