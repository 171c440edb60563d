"""Where the transforms take coordinates: the matrix of each, and what matrices do to points and boxes.

Matrices are 3 x 3 and take (x, y, 1) of the source to that of the destination. Points are at pixel centres: the first
pixel is at (0, 0). Boxes are x1, y1, x2, y2 at pixel edges: the whole image is 0, 0, W, H.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _matrices, _validate

Floats = NDArray[np.float64]

# ---- the matrix of each transform ------------------------------------------------------------------------------------


def translation_matrix(dx: ArrayLike, dy: ArrayLike) -> Floats:
    """The matrix of `translate`.

    Parameters
    ----------
    dx, dy : float or array (N,)
        Pixels, to the right and down.

    Returns
    -------
    array (3, 3), or (N, 3, 3) where a parameter is an array; float64
    """
    x, y = _together(dx=dx, dy=dy)
    return _shaped(_matrices.shifts(x, y), dx, dy)


def rotation_matrix(degrees: ArrayLike, size: tuple[int, int], *, center: ArrayLike | None = None) -> Floats:
    """The matrix of `rotate`.

    Parameters
    ----------
    degrees : float or array (N,)
        Counter-clockwise as seen.
    size : (height, width)
        Of the images.
    center : (x, y), optional
        Default: the centre of the image.

    Returns
    -------
    array (3, 3), or (N, 3, 3) where degrees is an array; float64
    """
    height, width = _validate.size("size", size)
    (angles,) = _together(degrees=degrees)
    middle = _matrices.center(height, width) if center is None else center
    x, y = _validate.per_image_tuple("center", _validate.array("center", middle), 1, 2)[0]
    return _shaped(_finite("center", _matrices.rotations(angles, x, y)), degrees)


def flip_matrix(axis: str, size: tuple[int, int]) -> Floats:
    """The matrix of `flip`.

    Parameters
    ----------
    axis : {"horizontal", "vertical", "both"}
    size : (height, width)
        Of the images.

    Returns
    -------
    array (3, 3), float64
    """
    _validate.choice("axis", axis, ("horizontal", "vertical", "both"))
    height, width = _validate.size("size", size)
    matrix = np.eye(3)
    if axis != "vertical":
        matrix[0, [0, 2]] = -1, width - 1
    if axis != "horizontal":
        matrix[1, [1, 2]] = -1, height - 1
    return matrix


def resized_crop_matrix(rectangle: ArrayLike, size: tuple[int, int]) -> Floats:
    """The matrix of `resized_crop`, and with it of `crop` and `resize`.

    Parameters
    ----------
    rectangle : (top, left, height, width) or array (N, 4)
        The part of the image that fills the result.
    size : (height, width)
        Of the result.

    Returns
    -------
    array (3, 3), or (N, 3, 3) where rectangle is an array (N, 4); float64

    Examples
    --------
    >>> resized_crop_matrix((0, 0, 4, 6), (8, 12))  # enlarged by 2: source = (destination + 0.5) / 2 - 0.5
    array([[2. , 0. , 0.5],
           [0. , 2. , 0.5],
           [0. , 0. , 1. ]])
    """
    values = _validate.points("rectangle", rectangle, 4)
    if values.ndim > 2 or not (values[..., 2:] > 0).all():
        raise ValueError("rectangle: expected (top, left, height, width), the last two positive")
    matrices = _finite("rectangle", _matrices.windows(np.atleast_2d(values), _validate.size("size", size)))
    return matrices if values.ndim == 2 else matrices[0]


def _together(**parameters: ArrayLike) -> list[Floats]:
    """Numbers or vectors of one length, as vectors of one length."""
    vectors = []
    for name, value in parameters.items():
        values = _validate.points(name, np.expand_dims(_validate.array(name, value), -1), 1)[..., 0]
        if values.ndim > 1:
            raise ValueError(f"{name}: expected a number or a vector, got shape {values.shape}")
        vectors.append(np.atleast_1d(values))
    if len({len(vector) for vector in vectors} - {1}) > 1:
        raise ValueError(f"{' and '.join(parameters)}: have different lengths")
    return list(np.broadcast_arrays(*vectors))


def _finite(name: str, matrices: Floats) -> Floats:
    if not np.isfinite(matrices).all():
        raise ValueError(f"{name}: the matrix is beyond the range of float64")
    return matrices


def _shaped(matrices: Floats, *parameters: ArrayLike) -> Floats:
    return matrices[0] if all(np.ndim(parameter) == 0 for parameter in parameters) else matrices


# ---- points and boxes ------------------------------------------------------------------------------------------------


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
        Also when a projective matrix takes a point to infinity, or a point lies beyond the horizon, seen from the first
        pixel.
    """
    values = _validate.points("points", points, 2)
    given = _validate.array("matrix", matrix)
    m = _validate.matrix("matrix", given)
    if len(m) == 1 and given.ndim == 2:
        m = m[0]
    elif values.ndim > 1 and len(values) == len(m):
        m = m.reshape(-1, *[1] * (values.ndim - 2), 3, 3)
    else:
        raise ValueError(f"matrix: {len(m)} matrices for points of shape {values.shape}")
    x, y = values[..., 0], values[..., 1]
    with np.errstate(all="ignore"):
        mapped = [m[..., row, 0] * x + (m[..., row, 1] * y + m[..., row, 2]) for row in range(3)]
        result = np.stack([mapped[0] / mapped[2], mapped[1] / mapped[2]], axis=-1)
    facing = np.where(m[..., 2, 2] < 0, -1.0, 1.0)  # a matrix and its negative are the same map
    if not (mapped[2] * facing > 0).all() or not np.isfinite(result).all():
        raise ValueError("matrix: takes a point to infinity or beyond the horizon")
    return result


def points_inside(points: ArrayLike, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which points lie on an image: on one of its pixels, whose edges belong to it.

    Parameters
    ----------
    points : array (..., 2)
        x, y in pixel-centre coordinates.
    size : (height, width)

    Returns
    -------
    bool array (...)
    """
    values = _validate.points("points", points, 2)
    return inside(values, _validate.size("size", size))


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
    height, width = _validate.size("size", size)
    mapped = _mapped_corners(boxes, matrix)
    return np.clip(bounds(mapped), 0, np.array([width, height, width, height], dtype=np.float64))


def box_visibility(boxes: ArrayLike, matrix: ArrayLike, size: tuple[int, int]) -> Floats:
    """The part of each mapped box that stays on the image: 1 is all of it, 0 nothing.

    A box is mapped to a quadrilateral, and its area is compared with that of its part on the image; unlike the box
    around it, which `transform_boxes` gives, it does not grow when it turns.

    Parameters
    ----------
    boxes, matrix, size
        As in `transform_boxes`.

    Returns
    -------
    array of the shape of boxes without its last axis, float64
        0 also for boxes without an area.

    Examples
    --------
    >>> boxes = [[0, 0, 4, 4], [2, 2, 6, 6]]
    >>> box_visibility(boxes, translation_matrix(-3, 0), (8, 8))
    array([0.25, 0.75])
    """
    corners = _mapped_corners(boxes, matrix)
    fraction = clip_polygons(corners.reshape(-1, 4, 2), _validate.size("size", size))[1]
    return fraction.reshape(corners.shape[:-2])


def _mapped_corners(boxes: ArrayLike, matrix: ArrayLike) -> Floats:
    """(..., 4, 2): the corners of boxes in the order around them, mapped, at pixel edges."""
    values = _validate.points("boxes", boxes, 4)
    m = _validate.array("matrix", matrix)
    if m.ndim == 3 and (values.ndim == 1 or len(values) != len(m)):
        raise ValueError(f"matrix: shape {m.shape} does not fit boxes of shape {values.shape}")
    return transform_points(corners_of(values) - 0.5, matrix) + 0.5


def corners_of(boxes: Floats) -> Floats:
    return boxes[..., [[0, 1], [2, 1], [2, 3], [0, 3]]]


def inside(points: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    height, width = size
    return np.asarray(((points >= -0.5) & (points <= (width - 0.5, height - 0.5))).all(axis=-1), dtype=np.bool_)


def clip_polygons(polygons: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Convex polygons (m, v, 2) cut to the rectangle 0, 0, W, H, and which fraction of the area of each remains.

    Sutherland and Hodgman, "Reentrant polygon clipping", 1974, for all polygons at once. Polygons with fewer corners
    than others repeat their last one; one that vanishes becomes a point.
    """
    height, width = size
    before = areas(polygons)
    clipped = polygons
    for axis, limit in ((0, width), (1, height)):
        clipped = _clip(clipped, axis, 1.0, 0.0)
        clipped = _clip(clipped, axis, -1.0, float(limit))
    with np.errstate(all="ignore"):
        fraction = np.where(before > 0, areas(clipped) / before, 0.0)
    return clipped, np.clip(np.nan_to_num(fraction), 0.0, 1.0)


def _clip(polygons: Floats, axis: int, sign: float, limit: float) -> Floats:
    """Keeps the side of a line across one axis where sign * (coordinate - limit) is not negative."""
    m, corners = polygons.shape[:2]
    depth = sign * (polygons[..., axis] - limit)
    keeps = depth >= 0
    if keeps.all():
        return polygons
    following, next_depth = np.roll(polygons, -1, axis=1), np.roll(depth, -1, axis=1)
    crosses = keeps != np.roll(keeps, -1, axis=1)
    with np.errstate(all="ignore"):
        t = np.where(crosses, depth / (depth - next_depth), 0.0)[..., np.newaxis]
        crossing = polygons + t * (following - polygons)
    crossing[..., axis] = limit
    candidates = np.stack([polygons, crossing], axis=2).reshape(m, 2 * corners, 2)
    valid = np.stack([keeps, crosses], axis=2).reshape(m, 2 * corners)
    count = valid.sum(axis=1)
    order = np.argsort(~valid, axis=1, kind="stable")
    column = np.minimum(np.arange(max(3, int(count.max(initial=0)))), np.maximum(count, 1)[:, np.newaxis] - 1)
    result: Floats = np.take_along_axis(candidates, np.take_along_axis(order, column, axis=1)[..., np.newaxis], axis=1)
    vanished = count == 0
    result[vanished] = result[vanished, :1]
    result[vanished, :, axis] = limit
    return result


def areas(polygons: Floats) -> Floats:
    """Of polygons (m, v, 2), whichever way round their corners go."""
    with np.errstate(all="ignore"):
        x, y = np.moveaxis(polygons[:, 1:] - polygons[:, :1], -1, 0)
        # One after the other: a corner that is repeated adds 0, so the sum does not depend on the other polygons.
        sums = np.cumsum(x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1], axis=1)
        result: Floats = 0.5 * np.abs(sums[:, -1])
    return result


def bounds(polygons: Floats) -> Floats:
    """The boxes (m, 4) around polygons (m, v, 2)."""
    return np.concatenate([polygons.min(axis=-2), polygons.max(axis=-2)], axis=-1)
