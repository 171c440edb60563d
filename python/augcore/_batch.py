"""A batch of images between what callers hand over and what the kernels read.

The kernels know (N, H, W) and (N, H, W, C). A batch of layout "NCHW" needs no transposition: to them it is N * C images
of one channel, where C neighbours share what belongs to their image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _validate
from augcore._words import LAYOUTS

Images = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """`given` is the array as the caller gave it, `pixels` the same in the form the kernels want, in its own layout."""

    given: Any
    pixels: Images
    planar: bool  # (N, C, H, W)

    @classmethod
    def of(cls, images: Any, layout: str) -> Batch:
        _validate.choice("layout", layout, LAYOUTS)
        pixels = _validate.images("images", images, layout)
        return cls(images, pixels, layout == "NCHW" and pixels.ndim == 4)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.pixels.dtype

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        height, width = self.pixels.shape[2:] if self.planar else self.pixels.shape[1:3]
        return height, width

    def kernel_view(self, images: Images) -> Images:
        """What the kernels take for images of this layout: (N, H, W), (N, H, W, C) or (N * C, H, W)."""
        # No class of the user's own, that may read its elements otherwise.
        plain = images if _device.is_device(images) else np.asarray(images)
        n, *rest = plain.shape
        return plain.reshape(n * rest[0], *rest[1:]) if self.planar else plain

    def per_plane(self, parameter: NDArray[Any]) -> NDArray[Any]:
        """A parameter (1 or N, ...) as the kernels want it: what all images share stays one."""
        return np.repeat(parameter, self.pixels.shape[1], axis=0) if self.planar and len(parameter) > 1 else parameter

    def fill(self, value: ArrayLike) -> Floats:
        """The `fill` argument as the kernels want it: (1 or their number of images, their number of channels)."""
        if not self.planar:
            return _validate.fill(value, self.pixels)
        fills = _validate.fill(value, np.moveaxis(self.pixels, 1, -1))
        if len(fills) == 1 and not (fills == fills[:, :1]).all():
            fills = np.repeat(fills, len(self), axis=0)
        return fills[:, :1] if len(fills) == 1 else fills.reshape(-1, 1)

    def output(self, out: Images | None, size: tuple[int, int], *parameters: Any) -> Images:
        """Where the result of `size` goes: `out`, if it fits, or a new array."""
        if not _device.is_device(self.pixels) and any(_device.is_device(value) for value in parameters):
            raise TypeError("images: are in main memory, but parameters of them are on a GPU")
        n, *rest = self.pixels.shape
        shape = (n, rest[0], *size) if self.planar else (n, *size, *rest[2:])
        return _validate.output_images("out", out, shape, self.dtype, self.given, self.pixels, *parameters)

    def run(self, kernel: Callable[..., object], result: Images, *parameters: Any, **settings: Any) -> Images:
        """Lets a kernel fill the result, where there is anything to fill: kernel(images, *parameters, out=..., ...)."""
        if result.size:
            if not self.pixels.size:
                raise ValueError(f"images: have no pixels to read, got shape {self.pixels.shape}")
            kernel(self.kernel_view(self.pixels), *parameters, out=self.kernel_view(result), **settings)
        return result
