"""Transforms of images in Dask arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import _random, _validate, transforms
from augcore._random import Rng
from augcore.integrations.dask.samples import dask_module

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
        As there, as are the first parameters of the other transforms: what has one value for each image is an ndarray
        with N rows, and is cut as the images are.
    **settings
        The keywords of the function, apart from out.

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
    images = _images(images)
    numbers = np.arange(len(images)) if indices is None else _validate.array("indices", indices)
    if numbers.shape != (len(images),):
        raise ValueError(f"indices: expected shape ({len(images)},), got {numbers.shape}")
    seed = int(rng) if isinstance(rng, int | np.integer) else int.from_bytes(_random.key(rng).tobytes(), "little")
    return _by_chunk(images, partial(_augmented, transform, seed, epoch), {"indices": numbers}, ("indices",))


def _augmented(transform: Any, seed: int, epoch: int, images: NDArray[Any], indices: Any) -> NDArray[Any]:
    result: NDArray[Any] = transform(images, seed, indices=indices, epoch=epoch).images
    return result


def _transformed(function: Callable[..., Any], images: Any, parameters: dict[str, Any]) -> Array:
    if parameters.get("out") is not None:
        raise TypeError("out: a Dask array is not written into; leave it out")
    images = _images(images)
    # A matrix or a fill of one row for each image, not one that all images share and that happens to have N rows.
    least = {"matrix": 3}
    cut = tuple(
        name
        for name, value in parameters.items()
        if isinstance(value, np.ndarray) and value.ndim >= least.get(name, 1) and len(value) == len(images)
    )
    return _by_chunk(images, function, parameters, cut)


def _images(images: Any) -> Any:
    dask = dask_module()
    if not isinstance(images, dask.array.Array):
        raise TypeError(f"images: expected a dask.array.Array, got {_validate.describe(images)}")
    if images.ndim not in (3, 4):
        raise ValueError(f"images: expected shape (N, H, W) or (N, H, W, C), got {images.shape}")
    if any(math.isnan(length) for length in images.shape):
        raise ValueError("images: the sizes of chunks are not known; call compute_chunk_sizes() first")
    return images.rechunk({axis: images.shape[axis] for axis in range(1, images.ndim)})


def _by_chunk(images: Any, function: Callable[..., Any], parameters: dict[str, Any], cut: tuple[str, ...]) -> Array:
    """function(images, **parameters) of each chunk; the parameters in `cut` have a row for each image."""
    dask = dask_module()

    def of_rows(rows: slice) -> dict[str, Any]:
        return {name: value[rows] if name in cut else value for name, value in parameters.items()}

    # One image of zeros tells the shape, and whether the parameters are right.
    example = function(np.zeros((1, *images.shape[1:]), images.dtype), **of_rows(slice(0, 1))) if len(images) else None
    if example is None:
        unchanged: Array = images
        return unchanged
    call = dask.delayed(function, pure=False)
    results, first = [], 0
    for chunk, rows in zip(images.to_delayed(optimize_graph=False).ravel(), images.chunks[0], strict=True):
        value = call(chunk, **of_rows(slice(first, first + rows)))
        results.append(dask.array.from_delayed(value, (rows, *example.shape[1:]), example.dtype))
        first += rows
    joined: Array = dask.array.concatenate(results)
    return joined
