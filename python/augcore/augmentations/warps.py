"""Warps by functions of the user's own, as a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _own_warp, _random, _validate, transforms
from augcore.augmentations import serial
from augcore.augmentations.distributions import Parameter, distribution
from augcore.augmentations.registry import register
from augcore.augmentations.settings import Fill, common, set_field
from augcore.augmentations.settings import fill as checked_fill
from augcore.augmentations.step import Drawn, Kind, Step, values
from augcore.transforms import Border, Interpolation

Images = NDArray[Any]
Floats = NDArray[np.float64]

WARPS: dict[str, Any] = {}
"""Name -> function: the functions that a `Warp` can be written with, and read."""


def register_warp(name: str, function: Any) -> None:
    """Enter a function in WARPS, so that steps with it go to dicts and JSON and back.

    Parameters
    ----------
    name : str
        A name that is taken is a ValueError.
    function : (x, y, params) -> (x, y)
        As in `augcore.transforms.warp`.
    """
    _validate.registration("name", name, WARPS)
    _own_warp.address(function)
    WARPS[name] = function


@register("warp")
@dataclass(frozen=True, repr=False)
class Warp(Step):
    """Maps each image by a function of your own, with parameters of its own.

    Parameters
    ----------
    function : str or (x, y, params) -> (x, y)
        The name of a function that `register_warp` has entered, or a function as `augcore.transforms.warp` takes it:
        from pixels of the result to positions in the image. Without a name the step cannot be written to a dict.
    params : sequence of float, (low, high) or Distribution
        What the function gets as its third argument; each is drawn apart for each image.
    inverse : str or (x, y, params) -> (x, y), optional
        From positions in the image to those in the result, with the same parameters. Keypoints follow by it, and boxes
        by their corners; without it they are refused.
    interpolation, border, fill
        As in `augcore.transforms.warp`.
    p : float
        The probability by which an image is warped at all.

    Examples
    --------
    >>> def wave(x, y, params):
    ...     return x + params[0] * np.sin(y / params[1]), y
    >>> step = Warp(transforms.warp_function(wave), [(-2, 2), 5.0], p=0.5)
    >>> step.sample(np.zeros((4, 28, 28), np.uint8), rng=0).shape
    (4, 28, 28)
    """

    function: Any
    params: Sequence[Parameter] = ()
    inverse: Any = field(default=None, kw_only=True)
    interpolation: Interpolation = field(default="bilinear", kw_only=True)
    border: Border = field(default="edge", kw_only=True)
    fill: Fill = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        set_field(self, "function", _named("function", self.function))
        if self.inverse is not None:
            set_field(self, "inverse", _named("inverse", self.inverse))
        if not isinstance(self.params, tuple | list):
            raise TypeError(f"params: expected a sequence of parameters, got {_validate.describe(self.params)}")
        set_field(self, "params", tuple(distribution(f"params[{i}]", value) for i, value in enumerate(self.params)))
        _validate.choice("interpolation", self.interpolation, transforms.INTERPOLATIONS)
        _validate.choice("border", self.border, transforms.BORDERS)
        set_field(self, "fill", checked_fill(self.fill))

    @property
    def kinds(self) -> Mapping[str, Kind]:  # type: ignore[override]
        """params, if there are any."""
        return {"params": Kind(np.float64, (len(self.params),))} if self.params else {}

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """params: a row for each image."""
        columns = [values(parameter, draws, number) for number, parameter in enumerate(self.params)]
        return {"params": np.stack(columns, axis=1)} if columns else {}

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """`transforms.warp`."""
        return transforms.warp(
            images,
            _function(self.function),
            common(parameters["params"]) if self.params else None,
            interpolation=self.interpolation,
            border=self.border,
            fill=self.fill,
            out=out,
            threads=threads,
        )

    def move_points(
        self, points: Floats, image: NDArray[np.intp], parameters: Drawn, height: int, width: int
    ) -> Floats:
        """By the inverse function."""
        if self.inverse is None:
            raise ValueError("Warp has no inverse function, by which they would follow")
        inverse = _function(self.inverse)
        moved = np.empty_like(points)
        for i in np.unique(image).tolist():
            own = image == i
            row = parameters["params"][i] if self.params else np.empty(0)
            x, y = points[own].T
            moved[own] = _own_warp.positions(inverse, x, y, row)
        return moved

    def to_dict(self) -> dict[str, Any]:
        """The step as strings, numbers, lists and dicts; a TypeError where a function has no name in WARPS."""
        named = replace(self)  # by the names that have been registered since
        for name in ("function", "inverse"):
            value = getattr(named, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name}: has no name to be written by; enter it with register_warp(), got {value!r}")
        return serial.describe("step", named)


def _named(name: str, value: Any) -> Any:
    """The name of a function, if it has one in WARPS, else the function."""
    if isinstance(value, str):
        return _validate.choice(name, value, WARPS)
    for known, function in WARPS.items():
        if function is value:
            return known
    try:
        _own_warp.address(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}{str(error).removeprefix('function')}") from None
    return value


def _function(value: Any) -> Any:
    return WARPS[value] if isinstance(value, str) else value
