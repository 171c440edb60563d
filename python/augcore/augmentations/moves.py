"""The affine steps: translate, rotate, flip, and all of it in one.

A parameter is a number (a constant), a pair (low, high) (uniform between them) or a distribution; each is drawn apart
for each image. interpolation, border, fill and arithmetic are those of `augcore.transforms`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from augcore import _coordinates, _matrices, _random, _validate, transforms
from augcore.augmentations.distributions import Distribution, Parameter, distribution
from augcore.augmentations.registry import register
from augcore.augmentations.settings import (
    ANY,
    FARTHEST,
    Fill,
    Resampling,
    check_warp,
    common,
    resampling,
    set_field,
    warp_keywords,
)
from augcore.augmentations.step import NUMBER, Drawn, Kind, Step, values
from augcore.transforms import Arithmetic, Border, Interpolation

Images = NDArray[Any]
Floats = NDArray[np.float64]
Pair = Parameter | tuple[Parameter, Parameter]
Unit = Literal["pixels", "fraction"]

UNITS = ("pixels", "fraction")
STRETCH = 1e6
SHEAR = 89.0  # degrees


@dataclass(frozen=True, repr=False)
class _Affine(Step):
    """A step that is one matrix and one resampling."""

    interpolation: Interpolation = field(default="bilinear", kw_only=True)
    border: Border = field(default="edge", kw_only=True)
    fill: Fill = field(default=0.0, kw_only=True)
    arithmetic: Arithmetic = field(default="exact", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_warp(self)

    def resampling(self) -> Resampling | None:
        return resampling(self)


@register("random_translate")
@dataclass(frozen=True, repr=False)
class RandomTranslate(_Affine):
    """Moves each image by a distance of its own.

    Parameters
    ----------
    dx, dy : float, (low, high) or Distribution
        To the right and down. Whole pixels, such as `IntegerUniform(-3, 3)`, are moved as exact copies.
    unit : {"pixels", "fraction"}
        "fraction": of the width (dx) and of the height (dy).
    interpolation, border, fill, arithmetic
        As in `augcore.transforms.translate`.
    p : float
        The probability by which an image is moved at all.

    Examples
    --------
    >>> step = RandomTranslate((-3, 3), (-3, 3), border="constant")
    >>> step.sample(np.ones((2, 8, 8), np.uint8), rng=0).shape
    (2, 8, 8)
    """

    dx: Parameter = 0.0
    dy: Parameter = 0.0
    unit: Unit = field(default="pixels", kw_only=True)

    kinds: ClassVar[Mapping[str, Kind]] = {"dx": NUMBER, "dy": NUMBER}

    def __post_init__(self) -> None:
        super().__post_init__()
        _validate.choice("unit", self.unit, UNITS)
        farthest = _farthest(self.unit)
        for name in ("dx", "dy"):
            set_field(self, name, distribution(name, getattr(self, name), -farthest, farthest))

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """dx and dy, in pixels."""
        scale_x, scale_y = (width, height) if self.unit == "fraction" else (1, 1)
        return {"dx": values(self.dx, draws, 0) * scale_x, "dy": values(self.dy, draws, 1) * scale_y}

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats:
        """A shift."""
        return _matrices.shifts(parameters["dx"], parameters["dy"])

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """`transforms.translate`."""
        dx, dy = common(parameters["dx"]), common(parameters["dy"])
        return transforms.translate(images, dx, dy, **warp_keywords(self), out=out, threads=threads)


@register("random_rotate")
@dataclass(frozen=True, repr=False)
class RandomRotate(_Affine):
    """Turns each image by an angle of its own.

    Parameters
    ----------
    degrees : float, (low, high) or Distribution
        Counter-clockwise as seen. A number is a constant: for up to 30 degrees either way give (-30, 30).
    center : (x, y), optional
        In pixels; the centre of the image by default.
    interpolation, border, fill, arithmetic
        As in `augcore.transforms.rotate`.
    p : float
        The probability by which an image is turned at all.

    Examples
    --------
    >>> RandomRotate((-30, 30), p=0.5)
    RandomRotate(degrees=Uniform(low=-30.0, high=30.0), p=0.5)
    >>> quarters = RandomRotate(Choice([0, 90, 180, 270]))  # exact copies of square images
    """

    degrees: Parameter
    center: tuple[float, float] | None = field(default=None, kw_only=True)

    kinds: ClassVar[Mapping[str, Kind]] = {"degrees": NUMBER}

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "degrees", distribution("degrees", self.degrees))
        set_field(self, "center", _center(self.center))

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """degrees."""
        return {"degrees": values(self.degrees, draws, 0)}

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats:
        """A rotation about the centre."""
        return _matrices.rotations(parameters["degrees"], *_middle(self.center, height, width))

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """`transforms.rotate`."""
        degrees = common(parameters["degrees"])
        return transforms.rotate(images, degrees, center=self.center, **warp_keywords(self), out=out, threads=threads)


@register("random_affine")
@dataclass(frozen=True, repr=False)
class RandomAffine(_Affine):
    """Scales, shears, turns and moves each image, in this order and about the centre, in one resampling.

    Where x and y may differ, a pair of which one at least is more than a number, such as ((-2, 2), 0), gives each its
    own; a pair of numbers is a range, as everywhere.

    Parameters
    ----------
    degrees : float, (low, high) or Distribution
        Counter-clockwise as seen.
    translate : float, (low, high), Distribution, or a pair of these
        To the right and down; one for both axes is drawn apart for each.
    scale : float, (low, high), Distribution, or a pair of these
        One for both axes is drawn once and keeps proportions. `LogUniform(1 / s, s)` shrinks as often as it enlarges.
    shear : float, (low, high), Distribution, or a pair of these
        Degrees, from -89 to 89; one alone is that along x: positive ones move what is lower to the right. Along y,
        positive ones move what is farther right down.
    unit : {"pixels", "fraction"}
        Of translate.
    center : (x, y), optional
        In pixels; the centre of the image by default.
    interpolation, border, fill, arithmetic
        As in `augcore.transforms.warp_affine`.
    p : float
        The probability by which an image is changed at all.

    Examples
    --------
    >>> step = RandomAffine((-10, 10), translate=(-0.1, 0.1), unit="fraction", scale=LogUniform(0.8, 1.25))
    >>> step.sample(np.zeros((2, 8, 8, 3), np.float32), rng=0).shape
    (2, 8, 8, 3)
    """

    degrees: Parameter = 0.0
    translate: Pair = 0.0
    scale: Pair = 1.0
    shear: Pair = 0.0
    unit: Unit = field(default="pixels", kw_only=True)
    center: tuple[float, float] | None = field(default=None, kw_only=True)

    kinds: ClassVar[Mapping[str, Kind]] = dict.fromkeys(
        ("degrees", "dx", "dy", "scale_x", "scale_y", "shear_x", "shear_y"), NUMBER
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _validate.choice("unit", self.unit, UNITS)
        set_field(self, "degrees", distribution("degrees", self.degrees))
        farthest = _farthest(self.unit)
        set_field(self, "translate", _pair("translate", self.translate, -farthest, farthest))
        set_field(self, "scale", _pair("scale", self.scale, 1 / STRETCH, STRETCH))
        set_field(self, "shear", _pair("shear", self.shear, -SHEAR, SHEAR))
        set_field(self, "center", _center(self.center))

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """degrees; dx and dy in pixels; scale_x, scale_y; shear_x, shear_y in degrees."""
        scale_x, scale_y = (width, height) if self.unit == "fraction" else (1, 1)
        dx, dy = self.translate if isinstance(self.translate, tuple) else (self.translate, self.translate)
        sx, sy = self.scale if isinstance(self.scale, tuple) else (self.scale, None)
        shear_x, shear_y = self.shear if isinstance(self.shear, tuple) else (self.shear, None)
        drawn = {
            "degrees": values(self.degrees, draws, 0),
            "dx": values(dx, draws, 1) * scale_x,
            "dy": values(dy, draws, 2) * scale_y,
            "scale_x": values(sx, draws, 3),
            "shear_x": values(shear_x, draws, 5),
        }
        drawn["scale_y"] = drawn["scale_x"].copy() if sy is None else values(sy, draws, 4)
        drawn["shear_y"] = np.zeros(len(draws)) if shear_y is None else values(shear_y, draws, 6)
        return drawn

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats:
        """Translation x rotation x shear along y x shear along x x scale, about the centre."""
        scale_x, scale_y = parameters["scale_x"], parameters["scale_y"]
        tan_x, tan_y = (
            np.array([math.tan(math.radians(angle)) for angle in parameters[name].tolist()], dtype=np.float64)
            for name in ("shear_x", "shear_y")
        )
        sheared = _matrices.identities(len(scale_x))
        sheared[:, 0, 0], sheared[:, 0, 1] = scale_x, tan_x * scale_y
        sheared[:, 1, 0], sheared[:, 1, 1] = tan_y * scale_x, tan_y * (tan_x * scale_y) + scale_y
        turned = _matrices.product(_matrices.rotations(parameters["degrees"]), sheared)
        total = _matrices.about(turned, *_middle(self.center, height, width))
        total[:, 0, 2] += parameters["dx"]
        total[:, 1, 2] += parameters["dy"]
        return total

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """`transforms.warp_affine`."""
        matrix = common(self.matrix(parameters, *images.shape[1:3]))
        return transforms.warp_affine(images, matrix, **warp_keywords(self), out=out, threads=threads)


@register("random_flip")
@dataclass(frozen=True, repr=False)
class RandomFlip(Step):
    """Mirrors some of the images.

    Parameters
    ----------
    axis : {"horizontal", "vertical", "both"}
        "horizontal" swaps left and right, "vertical" top and bottom.
    p : float
        The probability by which an image is mirrored: 0.5 by default.

    Examples
    --------
    >>> RandomFlip(p=1).sample(np.array([[[1, 2, 3]]], np.uint8))
    array([[[3, 2, 1]]], dtype=uint8)
    """

    axis: Literal["horizontal", "vertical", "both"] = "horizontal"
    p: float = field(default=0.5, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _validate.choice("axis", self.axis, ("horizontal", "vertical", "both"))

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """Nothing: an image is mirrored or not."""
        return {}

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats:
        """A reflection, one for all images."""
        return _coordinates.flip_matrix(self.axis, (height, width))[np.newaxis]

    def resampling(self) -> Resampling:
        """Any: pixels are copied."""
        return ANY

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """`transforms.flip`."""
        return transforms.flip(images, self.axis, out=out, threads=threads)


# ---- what these steps share ------------------------------------------------------------------------------------------


def _pair(name: str, value: Any, low: float, high: float) -> Distribution | tuple[Distribution, Distribution]:
    """One distribution, or one for x and one for y."""
    nested = isinstance(value, tuple | list) and any(isinstance(x, tuple | list | Distribution) for x in value)
    if nested and len(value) == 2:
        return distribution(name, value[0], low, high), distribution(name, value[1], low, high)
    return distribution(name, value, low, high)


def _farthest(unit: str) -> float:
    return FARTHEST if unit == "pixels" else FARTHEST / _validate.MAX_SIDE


def _center(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    if len(_validate.sequence("center", value, "(x, y) or None")) != 2:
        raise TypeError(f"center: expected (x, y) or None, got {len(value)} values")
    x, y = (_validate.real("center", part, -FARTHEST, FARTHEST) for part in value)
    return x, y


def _middle(center: tuple[float, float] | None, height: int, width: int) -> tuple[float, float]:
    return _matrices.center(height, width) if center is None else center
