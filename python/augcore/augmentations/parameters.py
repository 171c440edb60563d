"""What a pipeline has drawn for some images: enough to do the same again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _validate
from augcore.augmentations import serial
from augcore.augmentations.settings import set_field
from augcore.augmentations.step import Kind, Step

APPLIED = Kind(np.bool_)


@dataclass(frozen=True, eq=False)
class Parameters:
    """What was drawn for each image, step by step. `Compose.replay` does the same again.

    parameters[i], parameters[a:b], parameters[indices] and parameters[mask] are those of some of the images. Floats go
    through JSON unchanged.

    n : int
        The number of images.
    size : (height, width)
        Of the images that went in.
    steps : tuple of dict
        For each step its parameters, arrays of one entry per image, and "applied", whether it was applied to the image.
    """

    n: int
    size: tuple[int, int]
    steps: tuple[Mapping[str, NDArray[Any]], ...]

    def __post_init__(self) -> None:
        set_field(self, "n", _validate.integer("n", self.n, 0, 2**63 - 1))
        sides = _validate.sequence("size", self.size, "(height, width)")
        if len(sides) != 2:
            raise TypeError(f"size: expected (height, width), got {len(sides)} values")
        set_field(self, "size", tuple(_validate.integer("size", side, 0, _validate.MAX_SIDE) for side in sides))
        if not isinstance(self.steps, tuple | list):
            raise TypeError(f"steps: expected a sequence of dicts, got {_validate.describe(self.steps)}")
        set_field(self, "steps", tuple(_checked(f"steps[{i}]", step, self.n) for i, step in enumerate(self.steps)))

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, images: Any) -> Parameters:
        chosen = self._chosen(images)
        steps = tuple({name: values[chosen] for name, values in step.items()} for step in self.steps)
        return Parameters(len(chosen), self.size, steps)

    def _chosen(self, images: Any) -> NDArray[np.intp]:
        if isinstance(images, slice):
            return np.arange(self.n)[images]
        values = _validate.array("images", images)
        if values.dtype.kind not in "iub" and values.size:
            raise TypeError(f"images: expected integers, booleans or a slice, got dtype {values.dtype}")
        if values.ndim > 1 or (values.dtype.kind == "b" and values.shape != (self.n,)):
            raise ValueError(f"images: expected numbers, or booleans of shape ({self.n},), got shape {values.shape}")
        if values.dtype.kind == "b":
            return np.flatnonzero(values)
        if not ((values >= -self.n) & (values < self.n)).all():
            raise IndexError(f"images: expected numbers below {self.n}")  # which ends a loop over the images
        return np.atleast_1d(values.astype(np.intp) % max(1, self.n))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """The parameters as numbers, strings, lists and dicts."""
        steps = [{name: values.tolist() for name, values in step.items()} for step in self.steps]
        return {"format": serial.FORMAT, "n": self.n, "size": list(self.size), "steps": steps}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Parameters:
        """The parameters that `to_dict` has written; anything else is a TypeError or a ValueError."""
        content = serial.versioned(data, "parameters", ("n", "size", "steps"))
        n = _validate.integer("n", content["n"], 0, 2**63 - 1)
        steps = content["steps"]
        if not isinstance(steps, list | tuple):
            raise TypeError(f"steps: expected a list, got {_validate.describe(steps)}")
        return cls(n, content["size"], tuple(_read(f"steps[{i}]", step, n) for i, step in enumerate(steps)))

    def to_json(self) -> str:
        """`to_dict` as a text."""
        return serial.to_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Parameters:
        """The parameters that `to_json` has written; anything else is a TypeError or a ValueError."""
        return cls.from_dict(serial.from_json(text))

    def of(self, steps: tuple[Step, ...]) -> Parameters:
        """The same, or an error if they cannot have been drawn by these steps."""
        if len(self.steps) != len(steps):
            raise ValueError(f"parameters: are of {len(self.steps)} steps, the pipeline has {len(steps)}")
        checked = []
        for i, (step, drawn) in enumerate(zip(steps, self.steps, strict=True)):
            kinds = {**step.kinds, "applied": APPLIED}
            if drawn.keys() != kinds.keys():
                names = f"expected {', '.join(kinds)}, got {', '.join(drawn)}"
                raise ValueError(f"parameters: of step {i}, {type(step).__name__}: {names}")
            path = f"parameters: steps[{i}]"
            checked.append(
                {name: _of_kind(f"{path}.{name}", drawn[name], kind, self.n) for name, kind in kinds.items()}
            )
        return Parameters(self.n, self.size, tuple(checked))


def _checked(path: str, step: Any, n: int) -> dict[str, NDArray[Any]]:
    """Arrays of n entries each."""
    arrays = serial.table(path, step)
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray):
            raise TypeError(f"{path}.{name:.40}: expected an array, got {_validate.describe(values)}")
        if values.shape[:1] != (n,):
            raise ValueError(f"{path}.{name:.40}: expected {n} entries, got shape {values.shape}")
    return arrays


def _read(path: str, step: Any, n: int) -> dict[str, NDArray[Any]]:
    """Lists of n numbers, or of n short lists of them, as arrays."""
    return {name: _array(f"{path}.{name:.40}", values, n) for name, values in serial.table(path, step).items()}


def _array(path: str, values: Any, n: int) -> NDArray[Any]:
    if not isinstance(values, list | tuple):
        raise TypeError(f"{path}: expected a list, got {_validate.describe(values)}")
    if len(values) != n:
        raise ValueError(f"{path}: expected {n} values, got {len(values)}")
    leaves = [leaf for value in values for leaf in (value if isinstance(value, list | tuple) else (value,))]
    if not {type(leaf) for leaf in leaves} <= {bool, int, float} or len({type(leaf) for leaf in leaves}) > 1:
        raise TypeError(f"{path}: expected numbers of one type")
    try:
        array = np.array(values)
    except ValueError:
        raise ValueError(f"{path}: has entries of different lengths") from None
    if array.dtype.kind not in "bif" or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise ValueError(f"{path}: has numbers that are too large")
    return array


def _of_kind(path: str, values: Any, kind: Kind, n: int) -> NDArray[Any]:
    shape = (n, *kind.shape)
    if not n:
        return np.empty(shape, kind.dtype)  # an empty list says neither its dtype nor its shape
    if not isinstance(values, np.ndarray) or values.dtype != kind.dtype:
        raise TypeError(f"{path}: expected an array of {kind.dtype.__name__}, got {_validate.describe(values)}")
    if values.shape != shape:
        raise ValueError(f"{path}: expected shape {shape}, got {values.shape}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{path}: contains NaN or infinity")
    return values
