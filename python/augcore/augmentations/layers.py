"""Images and masks on their way through a pipeline: each of them stays in the memory it came in, of a GPU too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _validate, transforms
from augcore.augmentations.settings import Fill, Resampling, common
from augcore.augmentations.step import Drawn, Step

Pixels = NDArray[Any]
Floats = NDArray[np.float64]


class Images:
    """Images, and the steps that move them."""

    def __init__(self, steps: Sequence[Step], pixels: Pixels, layout: str) -> None:
        self._steps, self._given, self._layout = steps, pixels, layout
        self._pixels = channels_last(pixels, layout)

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many there are, height and width."""
        n, height, width = self._pixels.shape[:3]
        return n, height, width

    def result(self) -> Pixels:
        """An array of its own, even if no step was applied to any image."""
        return channels_first(self._owned(), self._layout)

    def _owned(self) -> Pixels:
        return _copied(self._pixels) if np.may_share_memory(self._pixels, self._given) else self._pixels

    def apply(self, number: int, drawn: Drawn, threads: int | None) -> None:
        """One step, to the images to which it was applied."""
        step, parameters = self._steps[number], {name: part for name, part in drawn.items() if name != "applied"}

        def change(pixels: Pixels, rows: Any) -> Pixels:
            return step.apply(pixels, {name: part[rows] for name, part in parameters.items()}, threads=threads)

        self._change(drawn["applied"], change)

    def resample(self, resampling: Resampling, applied: NDArray[np.bool_], total: Floats, threads: int | None) -> None:
        """Several affine steps at once, to the images to which one of them was applied."""
        keywords: dict[str, Any] = self._settings(resampling)._asdict()

        def change(pixels: Pixels, rows: Any) -> Pixels:
            return transforms.warp_affine(pixels, common(total[rows]), **keywords, threads=threads)

        self._change(applied, change)

    def _settings(self, resampling: Resampling) -> Resampling:
        return resampling

    def _change(self, applied: NDArray[np.bool_], change: Any) -> None:
        pixels = self._pixels
        if applied.all():
            self._pixels = change(pixels, slice(None))
        elif applied.any():
            part = change(_chosen(pixels, applied), applied)
            if part.shape[1:] != pixels.shape[1:]:
                raise ValueError("parameters: a step that changes the size must be applied to all images")
            self._pixels = _copied(pixels)
            for rows, some in _parts(pixels, applied):
                self._pixels[rows] = part[some]


class Masks(Images):
    """Masks of booleans, integers or floats, as pixels of uint8 or uint16 that are copied whatever they mean."""

    def __init__(self, steps: Sequence[Step], masks: ArrayLike, shape: tuple[int, ...], fill: Any, layout: str) -> None:
        values = _validate.array("masks", masks, device=True)
        if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
            raise TypeError(f"masks: expected booleans, integers or floats, got dtype {values.dtype}")
        n, height, width = shape
        channels = values.shape[1 if layout == "NCHW" else -1] if values.ndim == 4 else 1
        whole = (n, channels, height, width) if layout == "NCHW" else (n, height, width, channels)
        if values.shape not in (shape, whole):
            raise ValueError(f"masks: expected shape {shape} or that and channels as {layout}, got {values.shape}")
        values = channels_last(_validate.contiguous("masks", values), layout)
        self._shape, self._dtype = values.shape, values.dtype
        unit = np.uint8 if values.dtype.itemsize == 1 else np.uint16
        pixels = (values[..., np.newaxis] if values.ndim == 3 else values).view(unit)
        words = np.tile(_filler(fill, values.dtype).view(unit), channels)
        self._fill: Fill = tuple(float(word) for word in words) or 0.0
        super().__init__([step.for_masks(self._fill) for step in steps], pixels, "NHWC")
        self._layout = layout

    def result(self) -> Pixels:
        """Masks of the dtype in which they came."""
        masks = self._owned().view(self._dtype)
        return masks[..., 0] if len(self._shape) == 3 else channels_first(masks, self._layout)

    def _settings(self, resampling: Resampling) -> Resampling:
        return Resampling("nearest", resampling.border, self._fill)


def channels_last(images: Pixels, layout: str) -> Pixels:
    """(N, H, W, C) of images of a layout; those of three dimensions as they are."""
    return images if layout == "NHWC" or images.ndim == 3 else _moved(images, 1, 3)


def channels_first(images: Pixels, layout: str) -> Pixels:
    """The inverse of `channels_last`."""
    return images if layout == "NHWC" or images.ndim == 3 else _moved(images, 3, 1)


def _moved(images: Pixels, axis: int, to: int) -> Pixels:
    """A copy with the channels at another axis; one after the other is five times faster than NumPy's own order."""
    view = np.moveaxis(images, axis, to)
    if _device.is_device(images):
        return _validate.contiguous("images", view)
    result = np.empty(view.shape, view.dtype)
    for part, channel in zip(np.moveaxis(result, to, 0), np.moveaxis(images, axis, 0), strict=True):
        _validate.copy_into(part, channel)
    return result


def _copied(images: Pixels) -> Pixels:
    result = _like(images, len(images))
    if _device.is_device(images):
        result[...] = images
    else:
        _validate.copy_into(result, images)
    return result


def _chosen(images: Pixels, applied: NDArray[np.bool_]) -> Pixels:
    """Copies of some images."""
    result = _like(images, int(np.count_nonzero(applied)))
    for rows, some in _parts(images, applied):
        result[some] = images[rows]
    return result


def _like(images: Pixels, n: int) -> Pixels:
    """Room for n such images, where they are."""
    return _validate.output_images("images", None, (n, *images.shape[1:]), images.dtype, images)


def _parts(images: Pixels, applied: NDArray[np.bool_]) -> Iterator[tuple[Any, slice]]:
    """Which images, some at a time, where the images are; and their places among those that are chosen."""
    rows = np.flatnonzero(applied)
    there = _device.upload(rows) if _device.is_device(images) else rows
    for some in _validate.parts(len(rows), images.nbytes // max(1, len(images))):
        yield there[some], some


def _filler(fill: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The fill of masks as an array of one."""
    number = float(fill) if isinstance(fill, bool | np.bool_) else _validate.real("mask_fill", fill)
    if dtype.kind != "f":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if number != int(number) or not low <= int(number) <= high:
            raise ValueError(f"mask_fill: expected a whole number from {low} to {high} for {dtype}, got {number!r}")
        return np.array([int(number)], dtype=dtype)
    with np.errstate(over="ignore"):
        made = np.array([number], dtype=dtype)
    if not np.isfinite(made).all():
        raise ValueError(f"mask_fill: expected a number of {dtype}, got {number!r}")
    return made
