"""The families of augmentations of "Efficient Augmentation via Data Subsampling" (Kuchnik and Smith, ICLR 2019).

A family has a fixed list of variants, each one setting of a transform. `expand` makes all variants of a set of images;
`sample` draws one variant for each image. Families are immutable; equal settings make equal families.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, is_dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _matrices, _random, _validate, transforms
from augcore._words import check_arithmetic
from augcore.augmentations.registry import register
from augcore.augmentations.settings import (
    FARTHEST,
    Fill,
    Resampling,
    check_warp,
    common,
    nearest,
    resampling,
    set_field,
    warp_keywords,
)
from augcore.transforms import Arithmetic, Border, Interpolation, ResizeInterpolation

__all__ = ["Augmentation", "Crop", "Expanded", "Rotate", "Translate"]

Images = NDArray[Any]
Floats = NDArray[np.float64]
Parameters = tuple[Any, ...]


class Expanded(NamedTuple):
    """A set of images and its augmented copies.

    images : array (M, H, W) or (M, H, W, C)
    labels : array (M,) or None
    source : intp array (M,)
        The index of the image each copy was made of; -1 for originals.
    """

    images: Images
    labels: NDArray[Any] | None
    source: NDArray[np.intp]


class Augmentation(ABC):
    """A family: `parameters` lists its variants, one entry each.

    For images of layout "NCHW", and for masks, boxes and keypoints, there is `Compose([family])`.
    """

    @property
    @abstractmethod
    def parameters(self) -> Parameters:
        """The setting of each variant, in order."""

    @abstractmethod
    def _apply(
        self, images: Images, variants: NDArray[np.intp], out: Images | None, threads: int | None = None
    ) -> Images:
        """One variant for all images, or one for each."""

    def _matrix(self, variants: NDArray[np.intp], height: int, width: int) -> Floats | None:
        """The matrix of each of some variants, (n, 3, 3); None where none says what they do."""
        return None

    def _resampling(self) -> Resampling | None:
        """How pixels are computed, if a resampling of all of `_matrix` does the same."""
        return None

    def _for_masks(self, fill: Fill) -> Augmentation:
        """The family that moves masks as this one moves images."""
        if not is_dataclass(type(self)):
            raise TypeError(f"masks: {type(self).__name__} is no dataclass, so how it resamples is not known")
        return nearest(self, fill)

    @property
    def n_variants(self) -> int:
        """The number of variants, and so of augmented copies of every image."""
        return len(self.parameters)

    def expand(
        self,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        *,
        include_original: bool = True,
        threads: int | None = None,
    ) -> Expanded:
        """All variants of all images: originals first, then one whole copy of the set per variant.

        Parameters
        ----------
        images : array (N, H, W) or (N, H, W, C) of uint8, uint16, float32 or float64
        labels : array (N,), optional
            Copied along, wherever they are.
        include_original : bool
            Whether the images themselves come first.
        threads : int, optional
            The result does not depend on it.

        Returns
        -------
        Expanded
            images, labels and source of N * n_variants images, and N more with the originals.
        """
        pixels = _validate.images("images", images)
        n = len(pixels)
        include_original = _validate.flag("include_original", include_original)
        copies = self.n_variants + include_original
        names = None if labels is None else _validate.array("labels", labels, device=True)
        if names is not None and names.shape != (n,):
            raise ValueError(f"labels: expected shape ({n},), got {names.shape}")
        result = _validate.output_images("images", None, (copies * n, *pixels.shape[1:]), pixels.dtype, pixels)
        parts = [result[start : start + n] for start in range(0, copies * n, n)] if n else []
        if include_original and parts:
            parts.pop(0)[...] = pixels
        for variant, part in enumerate(parts):
            self._apply(pixels, np.array([variant]), part, threads)
        source = np.tile(np.arange(n, dtype=np.intp), copies)
        if include_original:
            source[:n] = -1
        return Expanded(result, None if names is None else np.tile(names, copies), source)

    def sample(
        self,
        images: ArrayLike,
        rng: _random.Rng = None,
        *,
        indices: ArrayLike | None = None,
        epoch: int = 0,
        threads: int | None = None,
    ) -> Images:
        """One random variant of each image.

        Parameters
        ----------
        images : array (N, H, W) or (N, H, W, C) of uint8, uint16, float32 or float64
        rng : int, numpy.random.Generator or None
            With an int, the draw of an image is a function of (rng, epoch, its index), whatever the batch it is in.
        indices : int array (N,), optional
            Which images of the whole set these are; 0 ... N - 1 by default.
        epoch : int
            Another epoch, other draws.
        threads : int, optional
            The result does not depend on it.

        Returns
        -------
        array of the shape and dtype of images
        """
        pixels = _validate.images("images", images)
        which = np.arange(len(pixels)) if indices is None else _validate.indices("indices", indices, len(pixels))
        epoch = _validate.integer("epoch", epoch, 0, 2**63 - 1)
        return self._apply(pixels, _random.choices(rng, self.n_variants, which, epoch=epoch), None, threads)


MAX_VARIANTS = 10_000


@register("translate")
@dataclass(frozen=True)
class Translate(Augmentation):
    """Shifts along both diagonals: (dx, dy) = (+m, +m), (-m, +m), (+m, -m), (-m, -m).

    Parameters
    ----------
    magnitude : float
        m, pixels. The paper used 2 (MNIST), 3 (CIFAR-10) and 6 (small NORB).
    interpolation, border, fill, arithmetic
        As in `augcore.transforms.translate`.
    """

    magnitude: float
    _: KW_ONLY
    interpolation: Interpolation = "bilinear"
    border: Border = "edge"
    fill: Fill = 0.0
    arithmetic: Arithmetic = "exact"

    def __post_init__(self) -> None:
        set_field(self, "magnitude", _positive("magnitude", self.magnitude, FARTHEST))
        check_warp(self)

    @property
    def parameters(self) -> tuple[tuple[float, float], ...]:
        """(dx, dy) of each variant."""
        m = self.magnitude
        return (m, m), (-m, m), (m, -m), (-m, -m)

    def _apply(
        self, images: Images, variants: NDArray[np.intp], out: Images | None, threads: int | None = None
    ) -> Images:
        dx, dy = np.array(self.parameters)[variants].T
        return transforms.translate(images, common(dx), common(dy), **warp_keywords(self), out=out, threads=threads)

    def _matrix(self, variants: NDArray[np.intp], height: int, width: int) -> Floats:
        return _matrices.shifts(*np.array(self.parameters)[variants].T)

    def _resampling(self) -> Resampling | None:
        return resampling(self)


@register("rotate")
@dataclass(frozen=True)
class Rotate(Augmentation):
    """Rotations by equal steps from -max_degrees to max_degrees, without 0.

    Parameters
    ----------
    max_degrees : float
        Up to 360.
    steps : int
        Angles from one end to the other; with an odd number the middle one, 0, is left out. At least 2. The paper used
        30 degrees in 15 steps (MNIST) and 5 in 4 (CIFAR-10, small NORB).
    direction : {"counterclockwise", "clockwise"}
        Which way positive angles turn the picture, as seen.
    interpolation, border, fill, arithmetic
        As in `augcore.transforms.rotate`.
    """

    max_degrees: float
    steps: int
    _: KW_ONLY
    interpolation: Interpolation = "bilinear"
    border: Border = "edge"
    fill: Fill = 0.0
    arithmetic: Arithmetic = "exact"
    direction: Literal["counterclockwise", "clockwise"] = "counterclockwise"

    directions: ClassVar[tuple[str, ...]] = ("counterclockwise", "clockwise")

    def __post_init__(self) -> None:
        set_field(self, "max_degrees", _positive("max_degrees", self.max_degrees, 360.0))
        set_field(self, "steps", _validate.integer("steps", self.steps, 2, MAX_VARIANTS))
        _validate.choice("direction", self.direction, self.directions)
        check_warp(self)

    @property
    def parameters(self) -> tuple[float, ...]:
        """Degrees of each variant, in `direction`."""
        angles: list[float] = np.linspace(-self.max_degrees, self.max_degrees, self.steps).tolist()
        if self.steps % 2:
            del angles[self.steps // 2]
        return tuple(angles)

    def _apply(
        self, images: Images, variants: NDArray[np.intp], out: Images | None, threads: int | None = None
    ) -> Images:
        degrees = common(self._counterclockwise(variants))
        return transforms.rotate(images, degrees, **warp_keywords(self), out=out, threads=threads)

    def _counterclockwise(self, variants: NDArray[np.intp]) -> Floats:
        degrees = np.array(self.parameters)[variants]
        return degrees if self.direction == "counterclockwise" else -degrees

    def _matrix(self, variants: NDArray[np.intp], height: int, width: int) -> Floats:
        return _matrices.rotations(self._counterclockwise(variants), *_matrices.center(height, width))

    def _resampling(self) -> Resampling | None:
        return resampling(self)


@register("crop")
@dataclass(frozen=True)
class Crop(Augmentation):
    """Crops by some pixels off every side, resized back.

    Parameters
    ----------
    sizes : int or sequence of int
        Pixels to cut off, one variant each. The paper used 1 to 6 (MNIST) and 2 (CIFAR-10, small NORB).
    interpolation, arithmetic
        As in `augcore.transforms.crop`; "area" as in the paper.
    """

    sizes: tuple[int, ...]
    _: KW_ONLY
    interpolation: ResizeInterpolation = "area"
    arithmetic: Arithmetic = "exact"

    def __init__(
        self,
        sizes: ArrayLike,
        *,
        interpolation: ResizeInterpolation = "area",
        arithmetic: Arithmetic = "exact",
    ) -> None:
        values = _validate.array("sizes", sizes)
        if values.ndim > 1 or not 1 <= values.size <= MAX_VARIANTS:
            raise ValueError(f"sizes: expected 1 to {MAX_VARIANTS} numbers of pixels, got shape {values.shape}")
        pixels = (_validate.integer("sizes", size, 1, _validate.MAX_SIDE) for size in np.atleast_1d(values))
        set_field(self, "sizes", tuple(pixels))
        set_field(self, "interpolation", interpolation)
        set_field(self, "arithmetic", arithmetic)
        _validate.choice("interpolation", interpolation, transforms.RESIZE_INTERPOLATIONS)
        check_arithmetic(arithmetic, interpolation, "edge")

    @property
    def parameters(self) -> tuple[int, ...]:
        """Pixels cut off every side, of each variant."""
        return self.sizes

    def _apply(
        self, images: Images, variants: NDArray[np.intp], out: Images | None, threads: int | None = None
    ) -> Images:
        return transforms.crop(
            images,
            common(np.array(self.sizes)[variants]),
            interpolation=self.interpolation,
            arithmetic=self.arithmetic,
            out=out,
            threads=threads,
        )

    def _matrix(self, variants: NDArray[np.intp], height: int, width: int) -> Floats:
        px = np.array(self.sizes)[variants]
        rectangles = np.stack([px, px, height - 2 * px, width - 2 * px], axis=1)
        if (rectangles[:, 2:] < 1).any():
            raise ValueError(f"sizes: nothing is left of images of {height} x {width} pixels")
        return _matrices.windows(rectangles, (height, width))


def _positive(name: str, value: Any, high: float | None = None) -> float:
    number = _validate.real(name, value, None, high)
    if number <= 0:
        raise ValueError(f"{name}: must be positive, got {number!r}")
    return number
