"""Transforms of images in Dask arrays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import _random, _validate, transforms
from augcore._random import Rng
from augcore.augmentations import Compose, Step
from augcore.integrations.dask.samples import check_known, dask_module

if TYPE_CHECKING:
    from dask.array import Array

__all__ = ["augment", "crop", "flip", "resize", "rotate", "translate", "warp_affine"]


def translate(images: Array, dx: Any, dy: Any, **settings: Any) -> Array:
    """`augcore.transforms.translate` of a dask array (N, H, W) or (N, H, W, C), lazily; see `warp_affine`."""
    return _transformed(transforms.translate, images, {"dx": dx, "dy": dy, **settings})


def rotate(images: Array, degrees: Any, **settings: Any) -> Array:
    """`augcore.transforms.rotate` of a dask array (N, H, W) or (N, H, W, C), lazily; see `warp_affine`."""
    return _transformed(transforms.rotate, images, {"degrees": degrees, **settings})


def crop(images: Array, px: Any, **settings: Any) -> Array:
    """`augcore.transforms.crop` of a dask array (N, H, W) or (N, H, W, C), lazily; see `warp_affine`."""
    return _transformed(transforms.crop, images, {"px": px, **settings})


def resize(images: Array, size: tuple[int, int], **settings: Any) -> Array:
    """`augcore.transforms.resize` of a dask array (N, H, W) or (N, H, W, C), lazily; see `warp_affine`."""
    return _transformed(transforms.resize, images, {"size": size, **settings})


def flip(images: Array, axis: str = "horizontal", **settings: Any) -> Array:
    """`augcore.transforms.flip` of a dask array (N, H, W) or (N, H, W, C), lazily; see `warp_affine`."""
    return _transformed(transforms.flip, images, {"axis": axis, **settings})


def warp_affine(images: Array, matrix: Any, **settings: Any) -> Array:
    """`augcore.transforms.warp_affine` of a dask array (N, H, W) or (N, H, W, C), lazily.

    Parameters
    ----------
    images : dask array of uint8, uint16, float32 or float64
        Chunked along the images; other axes are joined.
    matrix
        As there, as are the first parameters of the other transforms: what has a value for each image is cut as the
        images are.
    **settings
        The keywords of the function, apart from out; threads of each task, by default one.

    Returns
    -------
    dask array
        In the chunks of the images; the same bytes as of the images in memory.

    Raises
    ------
    ValueError, TypeError
        As the function; parameters are checked at once, and the numbers that a chunk holds when it is computed.
    """
    return _transformed(transforms.warp_affine, images, {"matrix": matrix, **settings})


def augment(images: Array, transform: Any, rng: Rng = None, *, indices: Any = None, epoch: int = 0) -> Array:
    """The images of a pipeline or step of `augcore.augmentations` for a dask array, lazily.

    Draws are keyed by the index of an image in the array, so the images are those that one call in memory gives.

    Parameters
    ----------
    images : dask array (N, H, W) or (N, H, W, C)
    transform : Compose, or a random step such as RandomTranslate
    rng : int, numpy.random.Generator or None
        A Generator is advanced by two draws.
    indices : (N,) array-like of int or None
        The indices of the images, that draws are keyed by; None counts them from 0.
    epoch : int, default=0

    Returns
    -------
    dask array

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape, value or type.
    """
    if not isinstance(transform, Compose | Step):
        raise TypeError(f"transform: expected a Compose or a random step, got {_validate.describe(transform)}")
    images = _images(images)
    numbers = np.arange(len(images)) if indices is None else _validate.array("indices", indices)
    if numbers.shape != (len(images),):
        raise ValueError(f"indices: expected shape ({len(images)},), got {numbers.shape}")
    same = copy.deepcopy(rng)  # what every task draws its key from; the caller's own is advanced
    key = _random.key(rng)
    same = int.from_bytes(key.tobytes(), "little") if rng is None else same
    return _by_chunk(images, partial(_augmented, transform, same, epoch), {"indices": numbers}, ("indices",))


def _augmented(transform: Any, rng: Rng, epoch: int, images: NDArray[Any], indices: Any) -> NDArray[Any]:
    applied = transform(images, copy.deepcopy(rng), indices=indices, epoch=epoch, threads=1)
    result: NDArray[Any] = applied.images
    return result


# The dimensions of what has a value for each image; a tuple or list where these differ.
_PER_IMAGE = {"dx": 1, "dy": 1, "degrees": 1, "px": 1, "fill": 1, "center": 2, "matrix": 3}
_PER_IMAGE_IN_LISTS = {**_PER_IMAGE, "px": 2, "fill": 2}


def _transformed(function: Callable[..., Any], images: Any, parameters: dict[str, Any]) -> Array:
    if parameters.get("out") is not None:
        raise TypeError("out: a Dask array is not written into; leave it out")
    images = _images(images)
    parameters = {"threads": 1, **parameters}
    cut = []
    for name in parameters.keys() & _PER_IMAGE.keys():
        value = parameters[name]
        least = (_PER_IMAGE if isinstance(value, np.ndarray) else _PER_IMAGE_IN_LISTS)[name]
        values = _validate.array(name, value)
        if values.ndim >= least and len(values) == len(images):
            parameters[name] = values
            cut.append(name)
    return _by_chunk(images, function, parameters, tuple(cut))


def _images(images: Any) -> Any:
    dask = dask_module()
    if not isinstance(images, dask.array.Array):
        raise TypeError(f"images: expected a dask.array.Array, got {_validate.describe(images)}")
    if images.ndim not in (3, 4):
        raise ValueError(f"images: expected shape (N, H, W) or (N, H, W, C), got {images.shape}")
    check_known("images", images)
    return images.rechunk({axis: images.shape[axis] for axis in range(1, images.ndim)})


def _by_chunk(images: Any, function: Callable[..., Any], parameters: dict[str, Any], cut: tuple[str, ...]) -> Array:
    """function(images, **parameters) of each chunk; the parameters in `cut` have a row for each image."""
    dask = dask_module()

    def of_rows(rows: slice) -> dict[str, Any]:
        return {name: value[rows] if name in cut else value for name, value in parameters.items()}

    # One image of zeros, or none, tells the shape, and whether the parameters are right.
    few = np.zeros((min(1, len(images)), *images.shape[1:]), images.dtype)
    example = function(few, **of_rows(slice(0, 1)))
    shared, call = dask.delayed(function, traverse=False), dask.delayed(_applied, pure=False)
    results, first = [], 0
    for chunk, rows in zip(images.to_delayed(optimize_graph=False).ravel(), images.chunks[0], strict=True):
        value = call(shared, chunk, of_rows(slice(first, first + rows)))
        results.append(dask.array.from_delayed(value, (rows, *example.shape[1:]), example.dtype))
        first += rows
    joined: Array = dask.array.concatenate(results)
    return joined


def _applied(function: Callable[..., Any], images: Any, parameters: dict[str, Any]) -> Any:
    return function(np.asarray(images), **parameters)
