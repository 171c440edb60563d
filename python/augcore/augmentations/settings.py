"""What families and steps share: how pixels are computed, and small helpers of immutable classes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar

from numpy.typing import NDArray

from augcore import _validate, transforms
from augcore._words import check_arithmetic

Fill = float | tuple[float, ...]

FARTHEST = 2.0**52  # pixels; whole numbers have neighbours up to here


class Resampling(NamedTuple):
    """How an affine step computes pixels. Neighbours that agree in it can be one resampling."""

    interpolation: str
    border: str
    fill: Fill

    def joined(self, other: Resampling | None) -> Resampling | None:
        """What does for both, if anything does."""
        if self == ANY:
            return other
        return self if other in (self, ANY) else None


# Of steps that copy pixels: they can join any neighbour.
ANY = Resampling("any", "any", 0.0)


def set_field(instance: Any, name: str, value: Any) -> None:
    """Sets a field of a frozen dataclass while it is made."""
    object.__setattr__(instance, name, value)


def check_warp(instance: Any) -> None:
    """Checks the fields interpolation, border, fill and arithmetic."""
    _validate.choice("interpolation", instance.interpolation, transforms.INTERPOLATIONS)
    _validate.choice("border", instance.border, transforms.BORDERS)
    set_field(instance, "fill", fill(instance.fill))
    check_arithmetic(instance.arithmetic, instance.interpolation, instance.border)


def fill(value: Any) -> Fill:
    """One number, or one for each channel."""
    if not isinstance(value, tuple | list):
        return _validate.real("fill", value)
    if not value:
        raise ValueError("fill: expected a number or one for each channel, got none")
    return tuple(_validate.real("fill", channel) for channel in value)


def warp_keywords(instance: Any) -> dict[str, Any]:
    return {name: getattr(instance, name) for name in ("interpolation", "border", "fill", "arithmetic")}


def resampling(instance: Any) -> Resampling | None:
    """None where results are those of another library, which resamples after every step."""
    if instance.arithmetic != "exact":
        return None
    return Resampling(instance.interpolation, instance.border, instance.fill)


Settings = TypeVar("Settings", bound=Any)


def nearest(instance: Settings, fill: Fill) -> Settings:
    """The same by nearest neighbours and with another fill, where it has such settings."""
    changes = {"interpolation": "nearest", "arithmetic": "exact", "fill": fill}
    names = {field.name for field in fields(instance)}
    made: Settings = replace(instance, **{name: value for name, value in changes.items() if name in names})
    return made


def common(values: NDArray[Any]) -> Any:
    """A parameter that is the same for all images, as one that holds for all: the kernels are faster then."""
    return values[0] if len(values) and (values == values[:1]).all() else values
