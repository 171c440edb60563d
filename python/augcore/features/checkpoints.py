"""What a training needs to go on: weights, optimizer and history after the last whole epoch, in one file.

The order of the images, augmentations and dropout follow from the seed and the number of the epoch, so no state of a
random generator is kept. The file is an .npz without pickle and takes the place of the one before it when it is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from augcore import _files
from augcore._errors import FileFormatError
from augcore.features.weights import keras_array, named_weights, pack, unpack

if TYPE_CHECKING:
    import keras

__all__ = ["Epoch", "restore", "save"]


class Epoch(NamedTuple):
    """A line of the history; the learning rate is that of the epoch's last step."""

    epoch: int
    learning_rate: float
    loss: float
    train_accuracy: float
    test_accuracy: float
    seconds: float


def save(path: Path, network: keras.Model, settings: dict[str, Any], history: list[Epoch]) -> None:
    """Writes the state of a training; OSError where there is no space, and the file before it stays."""
    arrays: dict[str, Any] = {name: keras_array(variable) for name, variable in _variables(network).items()}
    rows = np.array(history, np.float64).reshape(-1, len(Epoch._fields))
    with _files.atomic_write(path) as file:
        np.savez(file, settings=pack(settings), history=rows, **arrays)


def restore(path: Path, network: keras.Model, settings: dict[str, Any]) -> list[Epoch]:
    """Puts a network and its optimizer into the state of a file; the history of it.

    ValueError names the setting in which the training of the file differs; FileFormatError where it is damaged.
    """
    variables = _variables(network)
    shapes: dict[str, tuple[int, ...]] = {name: tuple(variable.shape) for name, variable in variables.items()}
    dtypes = {name: np.dtype(str(variable.dtype)) for name, variable in variables.items()}

    def check(headers: dict[str, _files.ArrayHeader]) -> None:
        for name, shape in shapes.items():
            if headers[name].shape != shape or headers[name].dtype != dtypes[name]:
                found = f"{headers[name].shape} of {headers[name].dtype}"
                raise FileFormatError(f"{name} is {found}, expected {shape} of {dtypes[name]}")
        if headers["history"].dtype != np.float64 or headers["history"].shape[1:] != (len(Epoch._fields),):
            raise FileFormatError("history is not a table of epochs")

    _compare(path, unpacked_settings(path), settings)
    arrays = _files.read_npz(path, ["history", *shapes], check)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise FileFormatError(f"{path}: {name} contains NaN or infinity")
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return [Epoch(int(number), *map(float, rest)) for number, *rest in arrays["history"]]


def unpacked_settings(path: Path) -> dict[str, Any]:
    """The settings of the training whose state a file holds."""
    try:
        return unpack(_files.read_npz(path, ["settings"])["settings"])
    except ValueError as error:
        message = str(error)
        raise FileFormatError(message if message.startswith(str(path)) else f"{path}: settings: {message}") from None


def _compare(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name in [*wanted, *found]:
        if found.get(name) != wanted.get(name):
            raise ValueError(
                f"{name}: the training in {path.parent} has {found.get(name)!r}, not {wanted.get(name)!r}; "
                "resume with the same, or take another folder"
            )


def _variables(network: keras.Model) -> dict[str, Any]:
    """Everything that training changes, by name. The optimizer counts its variables in a fixed order."""
    ours = {f"network.{name}": variable for name, variable in named_weights(network).items()}
    theirs = {f"optimizer.{i:04}": variable for i, variable in enumerate(network.optimizer.variables)}
    return ours | theirs
