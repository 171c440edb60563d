"""3 x 3 matrices of planar maps, stacks of them at a time, and their inverses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def identities(n: int) -> Floats:
    return np.tile(np.eye(3), (n, 1, 1))


def are_whole_shifts(m: Floats) -> bool:
    return bool((m[:, :2, :2] == np.eye(2)).all() and (m[:, :2, 2] == np.rint(m[:, :2, 2])).all())


def affine_inverse(m: Floats) -> Floats:
    """Inverses of affine matrices in the order of operations of OpenCV's warpAffine; not finite where there is none."""
    with np.errstate(all="ignore"):
        scale = 1.0 / _no_overflow(m[:, 0, 0] * m[:, 1, 1] - m[:, 0, 1] * m[:, 1, 0])
        inverse = identities(len(m))
        inverse[:, 0, 0] = m[:, 1, 1] * scale
        inverse[:, 0, 1] = -m[:, 0, 1] * scale
        inverse[:, 1, 0] = -m[:, 1, 0] * scale
        inverse[:, 1, 1] = m[:, 0, 0] * scale
        for row in range(2):
            inverse[:, row, 2] = -inverse[:, row, 0] * m[:, 0, 2] - inverse[:, row, 1] * m[:, 1, 2]
    return inverse


def projective_inverse(m: Floats) -> Floats:
    """Adjugates over determinants: rows of the adjugate's transpose are cross products of the rows of m."""
    with np.errstate(all="ignore"):
        adjugate = np.stack([np.cross(m[:, (i + 1) % 3], m[:, (i + 2) % 3]) for i in range(3)], axis=2)
        determinant = (m[:, 0] * adjugate[:, :, 0]).sum(axis=1)
        return np.ascontiguousarray(adjugate / _no_overflow(determinant)[:, np.newaxis, np.newaxis])


def _no_overflow(determinant: Floats) -> Floats:
    """NaN for infinity, by which a quotient would be 0 and look like a number."""
    return np.where(np.isinf(determinant), np.nan, determinant)
