"""The steps that cut a part out of each image: random crops and random resized crops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augcore import _matrices, _random, _validate, _validate_images, transforms
from augcore._words import check_arithmetic
from augcore.augmentations.distributions import LogUniform, Parameter, distribution, made, within
from augcore.augmentations.registry import register
from augcore.augmentations.settings import Fill, common, fill, set_field
from augcore.augmentations.step import WHOLE, Drawn, Kind, Step, values
from augcore.transforms import Arithmetic, Border, ResizeInterpolation

Images = NDArray[Any]
Floats = NDArray[np.float64]

MAX_RATIO = 1e6


@register("random_crop")
@dataclass(frozen=True, repr=False)
class RandomCrop(Step):
    """Cuts a window of a fixed size out of each image, at a place of its own.

    Parameters
    ----------
    size : int or (height, width)
        Of the window, in pixels; a number is a square.
    padding : int or (top, right, bottom, left)
        Pixels by which the window may reach beyond the image; what it shows there is up to `border`.
    keep_size : bool
        Resize the window back to the size of the image; otherwise the result has the size of the window, and pixels
        are copied.
    interpolation, antialias, arithmetic
        Of the resizing, as in `augcore.transforms.resize`.
    border, fill
        Of the padding.
    p : float
        The probability by which an image is cropped. Where the size changes, all must be.

    Examples
    --------
    >>> step = RandomCrop(32, padding=4, border="constant")  # the usual one of CIFAR-10
    >>> step.sample(np.zeros((2, 32, 32, 3), np.uint8), rng=0).shape
    (2, 32, 32, 3)
    """

    size: int | tuple[int, int]
    padding: int | tuple[int, int, int, int] = (0, 0, 0, 0)
    keep_size: bool = field(default=False, kw_only=True)
    interpolation: ResizeInterpolation = field(default="bilinear", kw_only=True)
    antialias: bool = field(default=True, kw_only=True)
    arithmetic: Arithmetic = field(default="exact", kw_only=True)
    border: Border = field(default="edge", kw_only=True)
    fill: Fill = field(default=0.0, kw_only=True)

    kinds: ClassVar[Mapping[str, Kind]] = {"top": WHOLE, "left": WHOLE}

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "size", _size(self.size))
        set_field(self, "padding", _padding(self.padding))
        set_field(self, "keep_size", _validate.flag("keep_size", self.keep_size))
        _check_resizing(self)
        _validate.choice("border", self.border, transforms.BORDERS)
        set_field(self, "fill", fill(self.fill))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """That of the window, or of the image with keep_size."""
        return (height, width) if self.keep_size else _size(self.size)

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """top and left of the window, negative in the padding."""
        window, (above, right, below, left) = _size(self.size), _padding(self.padding)
        rows, columns = height + above + below - window[0] + 1, width + left + right - window[1] + 1
        if min(rows, columns) < 1:
            raise ValueError(
                f"size: {window[0]} x {window[1]} does not fit into images of {height} x {width}"
                f" with a padding of {self.padding}"
            )
        return {
            "top": _random.below(draws.words(0), rows) - above,
            "left": _random.below(draws.words(1), columns) - left,
        }

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats:
        """The window, stretched over the result."""
        return _matrices.windows(self._windows(parameters), self.output_size(height, width))

    def _windows(self, parameters: Drawn) -> NDArray[np.int64]:
        n = len(parameters["top"])
        sides = [np.full(n, side) for side in _size(self.size)]
        return np.stack([parameters["top"], parameters["left"], *sides], axis=1)

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """Copies windows; `transforms.resized_crop` or `resize` with keep_size."""
        height, width = images.shape[1:3]
        keywords: dict[str, Any] = {"out": out, "threads": threads}
        resizing = {name: getattr(self, name) for name in ("interpolation", "antialias", "arithmetic")}
        if self.keep_size and not any(_padding(self.padding)):
            rectangles = common(self._windows(parameters))
            return transforms.resized_crop(images, rectangles, (height, width), **resizing, **keywords)
        shift = common(_matrices.shifts(parameters["left"], parameters["top"]))
        border: dict[str, Any] = {"interpolation": "nearest", "border": self.border, "fill": self.fill}
        if not self.keep_size:
            return transforms.warp_affine(images, shift, size=_size(self.size), inverse=True, **border, **keywords)
        windows = transforms.warp_affine(images, shift, size=_size(self.size), inverse=True, **border, threads=threads)
        return transforms.resize(windows, (height, width), **resizing, **keywords)


@register("random_resized_crop")
@dataclass(frozen=True, repr=False)
class RandomResizedCrop(Step):
    """Cuts a rectangle of random area, shape and place out of each image, and resizes it to one size.

    An area and a ratio are drawn up to ten times, until the rectangle fits; then the largest one of the nearest ratio
    in range is taken. This is the crop of "Going Deeper with Convolutions" (Szegedy and others, 2015).

    Parameters
    ----------
    size : int, (height, width) or None
        Of the result; a number is a square, None the size of the images.
    scale : float, (low, high) or Distribution
        The area of the rectangle as a fraction of that of the image, above 0 and up to 1.
    ratio : float, (low, high) or Distribution
        Width by height of the rectangle. A pair is `LogUniform`, so that wide ones are as likely as tall ones.
    interpolation, antialias, arithmetic
        Of the resizing, as in `augcore.transforms.resize`.
    p : float
        The probability by which an image is cropped. Where the size changes, all must be.

    Examples
    --------
    >>> RandomResizedCrop(16).sample(np.zeros((2, 48, 64, 3), np.uint8), rng=0).shape
    (2, 16, 16, 3)
    """

    size: int | tuple[int, int] | None
    scale: Parameter = (0.08, 1.0)
    ratio: Parameter = (3 / 4, 4 / 3)
    interpolation: ResizeInterpolation = field(default="bilinear", kw_only=True)
    antialias: bool = field(default=True, kw_only=True)
    arithmetic: Arithmetic = field(default="exact", kw_only=True)

    kinds: ClassVar[Mapping[str, Kind]] = {"rectangle": Kind(np.int64, (4,))}
    attempts: ClassVar[int] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None:
            set_field(self, "size", _size(self.size))
        set_field(self, "scale", distribution("scale", self.scale, 1e-12, 1.0))
        ratio = self.ratio
        if isinstance(ratio, tuple | list) and len(ratio) == 2:
            ratio = within("ratio", LogUniform, *ratio)
        set_field(self, "ratio", distribution("ratio", ratio, 1 / MAX_RATIO, MAX_RATIO))
        _check_resizing(self)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """`size`."""
        return (height, width) if self.size is None else _size(self.size)

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """rectangle: top, left, height, width."""
        sides = np.tile(self._fallback(height, width), (len(draws), 1))
        missing = np.arange(len(draws))
        for attempt in range(self.attempts):
            area = values(self.scale, draws, 2 + 2 * attempt, missing) * (height * width)
            ratio = values(self.ratio, draws, 3 + 2 * attempt, missing)
            tried = np.maximum(1.0, np.rint(np.sqrt(np.stack([area / ratio, area * ratio], axis=1))))
            fits = (tried <= (height, width)).all(axis=1)
            sides[missing[fits]] = tried[fits].astype(np.int64)
            missing = missing[~fits]
            if not len(missing):
                break
        room = np.array([height, width]) - sides + 1
        top, left = (_random.below(draws.words(axis), room[:, axis]) for axis in range(2))
        return {"rectangle": np.concatenate([np.stack([top, left], axis=1), sides], axis=1)}

    def _fallback(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the largest rectangle of the nearest ratio in range."""
        low, high = made(self.ratio).support
        ratio = min(max(width / max(1, height), low), high)
        if ratio * height <= width:
            return height, max(1, min(width, round(ratio * height)))
        return max(1, min(height, round(width / ratio))), width

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats:
        """The rectangle, stretched over the result."""
        rectangles = parameters["rectangle"]
        _validate_images.rectangles("rectangle", rectangles, len(rectangles), height, width)
        return _matrices.windows(rectangles, self.output_size(height, width))

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """`transforms.resized_crop`."""
        size = self.output_size(*images.shape[1:3])
        return transforms.resized_crop(
            images,
            common(parameters["rectangle"]),
            size,
            interpolation=self.interpolation,
            antialias=self.antialias,
            arithmetic=self.arithmetic,
            out=out,
            threads=threads,
        )


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, tuple | list | np.ndarray):
        return _validate.size("size", value)
    side = _validate.integer("size", value, 1, _validate.MAX_SIDE)
    return side, side


def _padding(value: Any) -> tuple[int, int, int, int]:
    several = isinstance(value, tuple | list | np.ndarray)
    sides = _validate.sequence("padding", value, "a number or one for each side") if several else (value,) * 4
    if len(sides) != 4:
        raise ValueError(f"padding: expected a number or (top, right, bottom, left), got {len(sides)} values")
    top, right, bottom, left = (_validate.integer("padding", side, 0, _validate.MAX_SIDE) for side in sides)
    return top, right, bottom, left


def _check_resizing(step: RandomCrop | RandomResizedCrop) -> None:
    _validate.choice("interpolation", step.interpolation, transforms.RESIZE_INTERPOLATIONS)
    check_arithmetic(step.arithmetic, step.interpolation, "edge")
    set_field(step, "antialias", _validate.flag("antialias", step.antialias))
