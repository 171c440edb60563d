"""What augmentations there are: names, as files and commands use them, and classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from augcore import _validate

AUGMENTATIONS: dict[str, type[Any]] = {}
"""Name -> class: the paper's families, the random steps, and Compose. All of them have `sample`."""

Class = TypeVar("Class", bound=type[Any])


def register(name: str) -> Callable[[Class], Class]:
    """A class decorator that enters a family or a step in AUGMENTATIONS; a name that is taken is a ValueError."""
    _validate.registration("name", name, AUGMENTATIONS)

    def enter(augmentation: Class) -> Class:
        if not isinstance(augmentation, type):
            raise TypeError(f"augmentation: expected a class, got {_validate.describe(augmentation)}")
        AUGMENTATIONS[name] = augmentation
        return augmentation

    return enter


def name_of(augmentation: type[Any]) -> str:
    """The name under which a class is registered."""
    for name, known in AUGMENTATIONS.items():
        if known is augmentation:
            return name
    raise ValueError(f"step: {augmentation.__name__} has no name to be written by; enter it with register()")
