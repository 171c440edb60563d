"""Points and boxes that follow the images which `transforms.warp_affine` maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _validate

Floats = NDArray[np.float64]


def transform_points(points: ArrayLike, matrix: ArrayLike) -> Floats:
    """Where `warp_affine` with this matrix takes points.

    Parameters
    ----------
    points : array (..., 2), or (N, ..., 2) with N matrices
        x, y in pixel-centre coordinates.
    matrix : array (2, 3), (3, 3), (N, 2, 3) or (N, 3, 3)
        Source -> destination.

    Returns
    -------
    array of the shape of points, float64

    Raises
    ------
    ValueError
        Also when a projective matrix takes a point to infinity or beyond the horizon.
    """
    values = _validate.points("points", points, 2)
    m = _validate.matrix("matrix", matrix)
    if len(m) == 1 and _validate.array("matrix", matrix).ndim == 2:
        m = m[0]
    elif values.ndim > 1 and len(values) == len(m):
        m = m.reshape(-1, *[1] * (values.ndim - 2), 3, 3)
    else:
        raise ValueError(f"matrix: {len(m)} matrices for points of shape {values.shape}")
    x, y = values[..., 0], values[..., 1]
    with np.errstate(all="ignore"):
        mapped = [m[..., row, 0] * x + (m[..., row, 1] * y + m[..., row, 2]) for row in range(3)]
        result = np.stack([mapped[0] / mapped[2], mapped[1] / mapped[2]], axis=-1)
    if not (mapped[2] > 0).all() or not np.isfinite(result).all():
        raise ValueError("matrix: takes a point to infinity or beyond the horizon")
    return result


def transform_boxes(boxes: ArrayLike, matrix: ArrayLike, size: tuple[int, int]) -> Floats:
    """The boxes around boxes that `warp_affine` with this matrix has mapped, clipped to the image.

    Parameters
    ----------
    boxes : array (..., 4), or (N, ..., 4) with N matrices
        x1, y1, x2, y2 at pixel edges: the whole image is 0, 0, W, H, half a pixel off the centres.
    matrix : array (2, 3), (3, 3), (N, 2, 3) or (N, 3, 3)
        Source -> destination, in pixel-centre coordinates.
    size : (height, width)
        Of the destination. A box that leaves it altogether has an area of zero.

    Returns
    -------
    array of the shape of boxes, float64
    """
    values = _validate.points("boxes", boxes, 4)
    height, width = _validate.size("size", size)
    corners = values[..., [[0, 1], [2, 1], [0, 3], [2, 3]]] - 0.5
    m = _validate.array("matrix", matrix)
    if m.ndim == 3 and (values.ndim == 1 or len(values) != len(m)):
        raise ValueError(f"matrix: shape {m.shape} does not fit boxes of shape {values.shape}")
    mapped = transform_points(corners, matrix) + 0.5
    limits = np.array([width, height], dtype=np.float64)
    low = np.clip(mapped.min(axis=-2), 0, limits)
    high = np.clip(mapped.max(axis=-2), 0, limits)
    return np.concatenate([low, high], axis=-1)
