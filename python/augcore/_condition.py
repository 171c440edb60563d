"""How well conditioned a factored Hessian is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch

Floats = NDArray[np.float64]

_MOST_STEPS = 5


def reciprocal_condition(factor: Floats) -> float:
    """An estimate of 1 / cond_1(D H D) where H = L L' and D = diag(H)^-1/2, from L alone.

    The scaling takes the units of the features out: what is left is what makes solutions uncertain, about
    eps / reciprocal_condition of them. The 1-norm of the inverse is a lower bound by Hager's iteration, as Higham
    (ACM Trans. Math. Softw. 14, 1988, Algorithm 4.1) completes it: within a factor of 3 but for contrived matrices.

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
    scale = np.sqrt(np.einsum("ij,ij->i", factor, factor))
    lower = factor / scale[:, np.newaxis]
    return min(1.0, 1.0 / (_norm(lower) * _inverse_norm(lower)))


def _norm(lower: Floats) -> float:
    """The greatest column sum of magnitudes of L L'."""
    rows = 256
    return max(float(np.max(np.sum(np.abs(lower[i : i + rows] @ lower.T), axis=1))) for i in range(0, len(lower), rows))


def _inverse_norm(lower: Floats) -> float:
    """A lower bound of the 1-norm of (L L')^-1, nearly always close to it."""
    q = len(lower)

    def solve(b: Floats) -> Floats:
        x = b.copy()
        _dispatch.cholesky_solve(lower, x)
        return x

    x = solve(np.full(q, 1.0 / q))
    estimate = float(np.sum(np.abs(x)))
    signs = np.where(x >= 0.0, 1.0, -1.0)
    for _ in range(_MOST_STEPS - 1):
        steepest = int(np.argmax(np.abs(solve(signs))))
        x = solve(np.eye(1, q, steepest)[0])
        last, estimate = estimate, max(estimate, float(np.sum(np.abs(x))))
        new_signs = np.where(x >= 0.0, 1.0, -1.0)
        if estimate <= last or np.array_equal(new_signs, signs):
            break
        signs = new_signs
    # What cancels in the steps above does not in this vector.
    alternating = (1.0 + np.arange(q) / max(q - 1, 1)) * np.where(np.arange(q) % 2 == 0, 1.0, -1.0)
    return max(estimate, 2.0 * float(np.sum(np.abs(solve(alternating)))) / (3.0 * q))
