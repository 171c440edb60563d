"""What a step of a pipeline is: it draws parameters for each image, and applies them to images, masks and points.

Drawing and applying are apart. What was drawn is a dict of arrays, one entry per image, from which alone the result
follows, so that it can be kept, sent and applied again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _random, _validate
from augcore.augmentations import serial
from augcore.augmentations.distributions import Constant, Parameter, made
from augcore.augmentations.settings import Fill, Resampling, nearest, set_field

if TYPE_CHECKING:
    from augcore.augmentations.compose import Applied

Images = NDArray[Any]
Floats = NDArray[np.float64]
Drawn = Mapping[str, NDArray[Any]]


class Kind(NamedTuple):
    """Of one parameter: its dtype, and its shape for one image."""

    dtype: type[np.generic]
    shape: tuple[int, ...] = ()


NUMBER = Kind(np.float64)
WHOLE = Kind(np.int64)

# The parameter of a step by which it is applied or not; those that it draws count from 0.
PROBABILITY = _random.MAX_PARAMETERS - 1

AnyStep = TypeVar("AnyStep", bound="Step")


@dataclass(frozen=True, repr=False)
class Step(ABC):
    """One random transform of a pipeline. A step alone behaves as `Compose([step])`.

    A step is a frozen dataclass. It says what it draws (`kinds`), draws it (`draw`) and applies it (`apply`). An affine
    step has a `matrix`, by which boxes and keypoints follow; others may say in `move_points` how these move.

    Parameters
    ----------
    p : float
        The probability by which the step is applied to an image.
    """

    p: float = field(default=1.0, kw_only=True)

    kinds: ClassVar[Mapping[str, Kind]] = {}
    """The parameters that `draw` returns; a property where they depend on the settings."""

    def __post_init__(self) -> None:
        set_field(self, "p", _validate.real("p", self.p, 0.0, 1.0))

    def __repr__(self) -> str:
        own = [f for f in fields(self) if not f.kw_only] + [f for f in fields(self) if f.kw_only]
        parts = []
        for f in own:
            value = getattr(self, f.name)
            value = value.value if isinstance(value, Constant) else value
            if f.default is MISSING or value != f.default:
                parts.append(f"{f.name}={value!r}")
        return f"{type(self).__name__}({', '.join(parts)})"

    # ---- what a step is made of --------------------------------------------------------------------------------------

    @abstractmethod
    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """The parameters for len(draws) images of a size, one entry per image, as `kinds` says.

        They are made of draws.words(0), draws.words(1), ...: 64 random bits for each image, whatever the batch.
        """

    @abstractmethod
    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """The transform of all of some images, (N, H, W) or (N, H, W, C), by drawn parameters."""

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of what comes out for images of a size."""
        return height, width

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats | None:
        """(N, 3, 3), source -> destination in pixel-centre coordinates; None for what is not affine."""
        return None

    def resampling(self) -> Resampling | None:
        """How pixels are computed, if one resampling by `matrix` is all that the step does; None if it is not.

        Neighbours that agree in it are joined.
        """
        return None

    def move_points(
        self, points: Floats, image: NDArray[np.intp], parameters: Drawn, height: int, width: int
    ) -> Floats:
        """Where points (M, 2) at pixel centres go, each on an image of its own: for steps without a matrix."""
        raise ValueError(f"{type(self).__name__} does not say where points go: it takes neither boxes nor keypoints")

    def for_masks(self: AnyStep, fill: Fill) -> AnyStep:
        """The step that moves masks as this one moves images: by nearest neighbours, and with a fill of their own."""
        return nearest(self, fill)

    # ---- what users call ---------------------------------------------------------------------------------------------

    def __call__(self, images: ArrayLike, rng: _random.Rng = None, **keywords: Any) -> Applied:
        """The same as `Compose([self])(images, rng, ...)`."""
        from augcore.augmentations.compose import Compose

        return Compose([self])(images, rng, **keywords)

    def sample(
        self,
        images: ArrayLike,
        rng: _random.Rng = None,
        *,
        indices: ArrayLike | None = None,
        epoch: int = 0,
        layout: str = "NHWC",
        threads: int | None = None,
    ) -> Images:
        """The images alone: see `Compose.__call__`."""
        return self(images, rng, indices=indices, epoch=epoch, layout=layout, threads=threads).images

    def to_dict(self) -> dict[str, Any]:
        """The step as strings, numbers, lists and dicts."""
        return serial.describe("step", self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Step:
        """The step that `to_dict` has written; anything else is a TypeError or a ValueError that names the field."""
        made: Step = serial.make("step", data, Step)
        return made


def values(parameter: Parameter, draws: _random.Draws, number: int, rows: NDArray[np.intp] | None = None) -> Floats:
    """The parameter of each image, or of some of them; constants take no random bits."""
    distribution = made(parameter)
    if isinstance(distribution, Constant):
        return np.full(len(draws) if rows is None else len(rows), distribution.value)
    return distribution.draw(draws.words(number, rows))
