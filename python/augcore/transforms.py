"""Batched image transforms: translate, rotate, warp, crop, resize, flip, and the same for points and boxes.

Images are arrays (N, H, W) or (N, H, W, C) of uint8, uint16, float32 or float64, or (N, C, H, W) with layout="NCHW".
The result has the same layout and dtype, and the same shape where a function does not say otherwise. Any memory layout
is accepted and gives the same bytes as a C-contiguous copy; tensors of other libraries are read as arrays. The images
are never written to. One image is a batch of one: image[np.newaxis].

A scalar parameter holds for all images; a 1-D array of length N gives one value per image. A parameter of several
components is a tuple or a list for all images, or an array (N, k).

Pixel centres are at integer coordinates, x to the right and y down. Positions are computed in float64. Pixels are mixed
in float64 too, those of uint8 in float32, which is within 0.5 + 1e-3 grey levels of the exact value, where rounding
alone is within 0.5. Results of integer dtypes round half to even and saturate.

interpolation : "nearest" (half to even), "bilinear", "bicubic" (Keys' kernel with a = -0.75) or, for resizing, "area".
border : what lies outside of an image. "edge" repeats the edge, "constant" is `fill` and blends in, "reflect" mirrors
    without repeating the edge, "symmetric" mirrors and repeats it, "wrap" continues on the other side. For the last
    three a position is folded into the image before it is split into pixels and weights.
fill : a number, a tuple or list of one per channel, a 1-D array of one per image, or an array (N, C). Rounded
    to the dtype of the images before it blends in.
arithmetic : "exact", or "opencv4": the bytes that OpenCV 4 gives (uint8, bilinear or area, edge).
layout : "NHWC", or "NCHW": both give the same values. Three dimensions are always (N, H, W).
out : an array for the result: of its shape and dtype, C-contiguous, writable, not overlapping the images.
threads : the number of threads; the global setting by default. The result does not depend on it.

CuPy arrays, and tensors of other libraries on a GPU, are transformed there, and the result is a CuPy array. Numbers of
their own per image may be on the GPU too; sizes, pixels to crop and rectangles may not, and points and boxes are read
in main memory only.

All functions raise TypeError for a wrong type or dtype and ValueError, naming the argument, for a wrong value or shape.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _dispatch, _matrices, _validate, _validate_images
from augcore._batch import Batch
from augcore._coordinates import (
    box_visibility,
    flip_matrix,
    points_inside,
    resized_crop_matrix,
    rotation_matrix,
    transform_boxes,
    transform_points,
    translation_matrix,
)
from augcore._own_warp import WarpFunction, WarpPointer, warp, warp_function, warp_signature
from augcore._words import (
    ARITHMETICS,
    BORDERS,
    INTERPOLATIONS,
    LAYOUTS,
    RESIZE_INTERPOLATIONS,
    Arithmetic,
    Border,
    Interpolation,
    Layout,
    ResizeInterpolation,
    check_arithmetic,
)

__all__ = [
    "ARITHMETICS",
    "BORDERS",
    "INTERPOLATIONS",
    "LAYOUTS",
    "RESIZE_INTERPOLATIONS",
    "Arithmetic",
    "Border",
    "Interpolation",
    "Layout",
    "ResizeInterpolation",
    "WarpFunction",
    "WarpPointer",
    "box_visibility",
    "crop",
    "flip",
    "flip_matrix",
    "points_inside",
    "resize",
    "resized_crop",
    "resized_crop_matrix",
    "rotate",
    "rotation_matrix",
    "transform_boxes",
    "transform_points",
    "translate",
    "translation_matrix",
    "warp",
    "warp_affine",
    "warp_function",
    "warp_signature",
]

Images = NDArray[Any]
Floats = NDArray[np.float64]


def translate(
    images: ArrayLike,
    dx: ArrayLike,
    dy: ArrayLike,
    *,
    interpolation: Interpolation = "bilinear",
    border: Border = "edge",
    fill: ArrayLike = 0,
    arithmetic: Arithmetic = "exact",
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Move images by whole or fractional pixels.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    dx, dy : float or array (N,)
        Pixels; positive dx moves the picture right, positive dy down. Whole numbers copy pixels exactly.
    interpolation, border, fill, arithmetic, layout, out, threads
        See the module.

    Returns
    -------
    array of the shape and dtype of images

    Examples
    --------
    >>> translate(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), 1, 0)
    array([[[0, 0, 1],
            [3, 3, 4]]], dtype=uint8)
    """
    batch = Batch.of(images, layout)
    shift_x = _validate.per_image("dx", dx, len(batch))
    shift_y = _validate.per_image("dy", dy, len(batch))
    inverse = _matrices.shifts(-shift_x, -shift_y)
    return _warp(batch, inverse, batch.size, interpolation, border, fill, arithmetic, out, threads)


def rotate(
    images: ArrayLike,
    degrees: ArrayLike,
    *,
    center: ArrayLike | None = None,
    interpolation: Interpolation = "bilinear",
    border: Border = "edge",
    fill: ArrayLike = 0,
    arithmetic: Arithmetic = "exact",
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Turn images about a point.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    degrees : float or array (N,)
        Positive degrees turn the picture counter-clockwise as seen. Multiples of 90 have exact sines and cosines.
    center : (x, y) or array (N, 2), optional
        Default: the centre of the image, ((W - 1) / 2, (H - 1) / 2).
    interpolation, border, fill, arithmetic, layout, out, threads
        See the module. With arithmetic="opencv4" the result is that of getRotationMatrix2D and warpAffine of
        OpenCV 4.

    Returns
    -------
    array of the shape and dtype of images

    Examples
    --------
    >>> images = np.array([[[1, 2], [3, 4]], [[1, 2], [3, 4]]], dtype=np.uint8)
    >>> rotate(images, [90, 180])
    array([[[2, 4],
            [1, 3]],
    <BLANKLINE>
           [[4, 3],
            [2, 1]]], dtype=uint8)
    """
    batch = Batch.of(images, layout)
    angles = _validate.per_image("degrees", degrees, len(batch))
    _validate.choice("arithmetic", arithmetic, ARITHMETICS)
    if center is None:
        x, y = _matrices.center(*batch.size)
    else:
        x, y = _validate.per_image_tuple("center", center, len(batch), 2).T
        angles, x, y = _device.together(angles, x, y)
        angles = np.repeat(angles, len(x)) if len(angles) == 1 else angles
    # A centre may be so far away that positions overflow; the kernels take any.
    if arithmetic == "opencv4":
        inverse = _matrices.affine_inverse(_matrices.opencv_rotations(angles, x, y))
    else:
        inverse = _matrices.rotations(-angles, x, y)
    return _warp(batch, inverse, batch.size, interpolation, border, fill, arithmetic, out, threads)


def warp_affine(
    images: ArrayLike,
    matrix: ArrayLike,
    *,
    size: tuple[int, int] | None = None,
    inverse: bool = False,
    interpolation: Interpolation = "bilinear",
    border: Border = "edge",
    fill: ArrayLike = 0,
    arithmetic: Arithmetic = "exact",
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Map images by affine (2, 3) or projective (3, 3) matrices in pixel-centre coordinates.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    matrix : array (2, 3), (3, 3), (N, 2, 3) or (N, 3, 3)
        Takes (x, y, 1) of the source to that of the destination.
    size : (height, width), optional
        Of the result; that of the images by default.
    inverse : bool
        The matrix takes the destination to the source; it need not be invertible then.
    interpolation, border, fill, arithmetic, layout, out, threads
        See the module.

    Returns
    -------
    array (N, height, width) or (N, height, width, C) of the dtype of images

    Raises
    ------
    ValueError
        Also when a matrix has no finite inverse, and for projective matrices with arithmetic="opencv4".

    Examples
    --------
    >>> swap = [[0, 1, 0], [1, 0, 0]]  # x and y
    >>> warp_affine(np.arange(6, dtype=np.uint8).reshape(1, 2, 3), swap, size=(3, 2))
    array([[[0, 3],
            [1, 4],
            [2, 5]]], dtype=uint8)
    """
    batch = Batch.of(images, layout)
    matrices = _validate.matrix("matrix", matrix, len(batch))
    _validate.choice("arithmetic", arithmetic, ARITHMETICS)
    # On a GPU the shape alone says it: nothing waits for the numbers there.
    on_device = _device.is_device(matrices)
    affine = bool(np.shape(matrix)[-2] == 2 if on_device else (matrices[:, 2] == [0.0, 0.0, 1.0]).all())
    if arithmetic == "opencv4" and not affine:
        raise ValueError("matrix: arithmetic='opencv4' is defined for affine matrices only")
    if not _validate.flag("inverse", inverse):
        matrices = _matrices.affine_inverse(matrices) if affine else _matrices.projective_inverse(matrices)
        if not on_device and not np.isfinite(matrices).all():
            raise ValueError("matrix: cannot be inverted")
    target = batch.size if size is None else _validate.size("size", size)
    return _warp(batch, matrices, target, interpolation, border, fill, arithmetic, out, threads)


def crop(
    images: ArrayLike,
    px: ArrayLike,
    *,
    keep_size: bool = True,
    interpolation: ResizeInterpolation = "bilinear",
    arithmetic: Arithmetic = "exact",
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Cut pixels off the sides, and resize what remains to the old size.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    px : int, (top, right, bottom, left), array (N,) or array (N, 4)
        Whole pixels to cut off, all sides alike or one by one; at least one row and one column must remain.
    keep_size : bool
        Resize back to (H, W). Otherwise the same size must remain of every image, and pixels are copied.
    interpolation, arithmetic
        Of the resizing, as in `resize`. Nothing outside the remaining rectangle is read.
    layout, out, threads
        See the module.

    Returns
    -------
    array of the dtype of images and of their shape, or that of what remains

    Examples
    --------
    >>> crop(np.arange(9, dtype=np.uint8).reshape(1, 3, 3), (1, 0, 0, 1), keep_size=False)
    array([[[4, 5],
            [7, 8]]], dtype=uint8)
    """
    batch = Batch.of(images, layout)
    height, width = batch.size
    top, right, bottom, left = _validate_images.margins("px", px, len(batch)).T
    rectangles = np.ascontiguousarray(np.stack([top, left, height - top - bottom, width - left - right], axis=1))
    if (rectangles[:, 2:] < 1).any():
        raise ValueError(f"px: nothing is left of images of {height} x {width} pixels")
    if _validate.flag("keep_size", keep_size):
        return _resize(batch, rectangles, (height, width), interpolation, True, arithmetic, out, threads)
    _validate.choice("interpolation", interpolation, RESIZE_INTERPOLATIONS)
    _validate.choice("arithmetic", arithmetic, ARITHMETICS)
    if (rectangles[:, 2:] != rectangles[:1, 2:]).any():
        raise ValueError("px: images of different sizes would be left; use keep_size=True")
    inverse = _matrices.shifts(left, top)
    size = (int(rectangles[0, 2]), int(rectangles[0, 3])) if len(rectangles) else (height, width)
    return _warp(batch, inverse, size, "nearest", "edge", 0, "exact", out, threads)


def resize(
    images: ArrayLike,
    size: tuple[int, int],
    *,
    interpolation: ResizeInterpolation = "bilinear",
    antialias: bool = True,
    arithmetic: Arithmetic = "exact",
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Resize images on the half-pixel grid: source = (destination + 0.5) * n_in / n_out - 0.5 along each side.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    size : (height, width)
    interpolation : {"bilinear", "nearest", "bicubic", "area"}
        "area" is the exact average over an output pixel along a side that shrinks, and OpenCV's INTER_AREA rule along
        one that grows. Where one shrinks and the other grows, OpenCV, and so arithmetic="opencv4", averages along
        neither.
    antialias : bool
        Where a side shrinks, widen the kernel of "bilinear" and "bicubic" by the factor and normalise its weights.
    arithmetic, layout, out, threads
        See the module. arithmetic="opencv4" has no antialias: with "bilinear" no side may shrink unless
        antialias=False; with "area" one side at least must grow, or both stay.

    Returns
    -------
    array (N, height, width) or (N, height, width, C) of the dtype of images

    Examples
    --------
    >>> resize(np.array([[[0, 100]]], dtype=np.uint8), (1, 4))
    array([[[  0,  25,  75, 100]]], dtype=uint8)
    """
    batch = Batch.of(images, layout)
    target = _validate.size("size", size)
    whole = np.array([[0, 0, *batch.size]], dtype=np.int64)
    return _resize(batch, whole, target, interpolation, antialias, arithmetic, out, threads)


def resized_crop(
    images: ArrayLike,
    rectangle: ArrayLike,
    size: tuple[int, int],
    *,
    interpolation: ResizeInterpolation = "bilinear",
    antialias: bool = True,
    arithmetic: Arithmetic = "exact",
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Cut a rectangle out of each image and resize it, as `resize` does, to one size.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    rectangle : (top, left, height, width) or array (N, 4)
        Whole pixels; within the image. Nothing outside of it is read.
    size : (height, width)
        Of the result.
    interpolation, antialias, arithmetic, layout, out, threads
        As in `resize`.

    Returns
    -------
    array (N, height, width) or (N, height, width, C) of the dtype of images
    """
    batch = Batch.of(images, layout)
    rectangles = _validate_images.rectangles("rectangle", rectangle, len(batch), *batch.size)
    target = _validate.size("size", size)
    return _resize(batch, rectangles, target, interpolation, antialias, arithmetic, out, threads)


def flip(
    images: ArrayLike,
    axis: Literal["horizontal", "vertical", "both"] = "horizontal",
    *,
    layout: Layout = "NHWC",
    out: Images | None = None,
    threads: int | None = None,
) -> Images:
    """Mirror images: "horizontal" swaps left and right, "vertical" top and bottom.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    axis : {"horizontal", "vertical", "both"}
    layout, out, threads
        See the module.

    Returns
    -------
    array of the shape and dtype of images

    Examples
    --------
    >>> flip(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    array([[[2, 1, 0],
            [5, 4, 3]]], dtype=uint8)
    """
    batch = Batch.of(images, layout)
    _validate.choice("axis", axis, ("horizontal", "vertical", "both"))
    result = batch.output(out, batch.size)
    sides = {"horizontal": axis != "vertical", "vertical": axis != "horizontal"}
    return batch.run(_dispatch.flip, result, **sides, threads=_validate.threads(threads))


# ---- what the functions share ----------------------------------------------------------------------------------------


def _warp(
    batch: Batch,
    inverse: Floats,
    size: tuple[int, int],
    interpolation: str,
    border: str,
    fill: ArrayLike,
    arithmetic: str,
    out: Images | None,
    threads: int | None,
) -> Images:
    """inverse: destination -> source."""
    _validate.choice("interpolation", interpolation, INTERPOLATIONS)
    _validate.choice("border", border, BORDERS)
    check_arithmetic(arithmetic, interpolation, border, batch.dtype)
    fills = batch.fill(fill)
    n_threads = _validate.threads(threads)
    result = batch.output(out, size, inverse, fills)
    if arithmetic == "opencv4" and not _device.is_device(inverse) and _matrices.are_whole_shifts(inverse):
        arithmetic = "exact"  # the same bytes, and these are copied
    return batch.run(
        _dispatch.warp,
        result,
        batch.per_plane(inverse),
        interpolation=interpolation,
        border=border,
        fill=fills,
        arithmetic=arithmetic,
        threads=n_threads,
    )


def _resize(
    batch: Batch,
    rectangles: NDArray[np.int64],
    size: tuple[int, int],
    interpolation: str,
    antialias: bool,
    arithmetic: str,
    out: Images | None,
    threads: int | None,
) -> Images:
    """rectangles: top, left, height, width of what is resized, for all images or for each."""
    _validate.choice("interpolation", interpolation, RESIZE_INTERPOLATIONS)
    check_arithmetic(arithmetic, interpolation, "edge", batch.dtype)
    antialias = _validate.flag("antialias", antialias)
    if arithmetic == "opencv4":
        _require_opencv4_resize(rectangles, size, interpolation, antialias)
    n_threads = _validate.threads(threads)
    return batch.run(
        _dispatch.resize,
        batch.output(out, size),
        batch.per_plane(rectangles),
        interpolation=interpolation,
        antialias=antialias,
        arithmetic=arithmetic,
        threads=n_threads,
    )


def _require_opencv4_resize(
    rectangles: NDArray[np.int64], size: tuple[int, int], interpolation: str, antialias: bool
) -> None:
    shrinks = rectangles[:, 2:] > size
    same = (rectangles[:, 2:] == size).all(axis=1)
    if interpolation == "bilinear" and antialias and shrinks.any():
        raise ValueError("antialias: arithmetic='opencv4' has none; pass antialias=False to shrink images")
    if interpolation == "area" and (~same & (rectangles[:, 2:] >= size).all(axis=1)).any():
        raise ValueError("interpolation: arithmetic='opencv4' defines 'area' only where a side grows")
