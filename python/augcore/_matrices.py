"""3 x 3 matrices of planar maps, stacks (n, 3, 3) of them at a time: those of the transforms, products, inverses.

Arguments are checked: vectors of one entry per matrix. Matrices are not finite where they overflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _validate

Floats = NDArray[np.float64]


def center(height: int, width: int) -> tuple[float, float]:
    """x, y of the middle of an image."""
    return (width - 1) / 2, (height - 1) / 2


def identities(n: int, xp: Any = np) -> Floats:
    """xp: NumPy or CuPy, of which the matrices are."""
    matrices: Floats = xp.zeros((n, 3, 3))
    matrices.reshape(n, 9)[:, ::4] = 1.0
    return matrices


def shifts(dx: NDArray[Any], dy: NDArray[Any]) -> Floats:
    """Vectors of one length, or one of them of length 1."""
    dx, dy = _device.together(dx, dy)
    matrices = identities(max(dx.size, dy.size) if dx.size and dy.size else 0, _device.namespace(dx))
    matrices[:, 0, 2], matrices[:, 1, 2] = dx, dy
    return matrices


def rotations(degrees: Floats, x: float | Floats = 0.0, y: float | Floats = 0.0) -> Floats:
    """Counter-clockwise about (x, y), y pointing down: one point for all, or one for each."""
    cosine, sine = _dispatch.cos_sin(degrees)
    with np.errstate(all="ignore"):
        return _rotations(cosine, sine, x - (cosine * x + sine * y), y - (cosine * y - sine * x))


def opencv_rotations(degrees: Floats, x: float | Floats, y: float | Floats) -> Floats:
    """The same in the order of operations of OpenCV's getRotationMatrix2D."""
    cosine, sine = _dispatch.cos_sin(degrees)
    with np.errstate(all="ignore"):
        return _rotations(cosine, sine, (1 - cosine) * x - sine * y, sine * x + (1 - cosine) * y)


def _rotations(cosine: Floats, sine: Floats, dx: Floats, dy: Floats) -> Floats:
    matrices = shifts(dx, dy)
    matrices[:, 0, 0] = matrices[:, 1, 1] = cosine
    matrices[:, 0, 1], matrices[:, 1, 0] = sine, -sine
    return matrices


def about(matrices: Floats, x: float, y: float) -> Floats:
    """The same turns or stretches about another point than the origin."""
    moved = matrices.copy()
    with np.errstate(all="ignore"):
        for row, centre in enumerate((x, y)):
            moved[:, row, 2] += centre - (matrices[:, row, 0] * x + matrices[:, row, 1] * y)
    return moved


def windows(rectangles: NDArray[Any], size: tuple[int, int]) -> Floats:
    """Rectangles (n, 4), top, left, height, width, stretched to a size on the half-pixel grid."""
    matrices = identities(len(rectangles))
    top, left, height, width = rectangles.T
    with np.errstate(all="ignore"):
        for row, (first, length, target) in enumerate(((left, width, size[1]), (top, height, size[0]))):
            scale = target / length
            matrices[:, row, row] = scale
            matrices[:, row, 2] = (0.5 - first) * scale - 0.5
    return matrices


def product(later: Floats, earlier: Floats) -> Floats:
    """The matrices of two affine steps, one after the other; sums in one order, on every machine."""
    result = identities(max(len(later), len(earlier)))
    with np.errstate(all="ignore"):
        for row in range(2):
            a, b, c = later[:, row].T
            for column in range(3):
                result[:, row, column] = a * earlier[:, 0, column] + b * earlier[:, 1, column]
            result[:, row, 2] += c
    return result


def are_whole_shifts(m: Floats) -> bool:
    return bool((m[:, :2, :2] == np.eye(2)).all() and (m[:, :2, 2] == np.rint(m[:, :2, 2])).all())


def affine_inverse(m: Floats) -> Floats:
    """Inverses of affine matrices in the order of operations of OpenCV's warpAffine; not finite where there is none."""
    a, b, x, c, d, y = m[:, :2].reshape(-1, 6).T
    inverse = identities(len(m), _device.namespace(m))
    with np.errstate(all="ignore"):
        scale = 1.0 / _no_overflow(a * d - b * c)
        for row, (p, q) in enumerate(((d * scale, -b * scale), (-c * scale, a * scale))):
            inverse[:, row, 0], inverse[:, row, 1], inverse[:, row, 2] = p, q, -p * x - q * y
    return inverse


def projective_inverse(m: Floats) -> Floats:
    """Adjugates over determinants: rows of the adjugate's transpose are cross products of the rows of m."""
    with np.errstate(all="ignore"):
        adjugate = np.stack([np.cross(m[:, (i + 1) % 3], m[:, (i + 2) % 3]) for i in range(3)], axis=2)
        determinant = (m[:, 0] * adjugate[:, :, 0]).sum(axis=1)
        inverse = adjugate / _no_overflow(determinant)[:, np.newaxis, np.newaxis]
        return _validate.contiguous("matrix", inverse)


def _no_overflow(determinant: Floats) -> Floats:
    """NaN for infinity, by which a quotient would be 0 and look like a number."""
    return np.where(np.isinf(determinant), np.nan, determinant)
