"""Augmentations as plain dicts of strings, numbers and lists, and back. Nothing in them is ever run.

A step is {"step": its name in AUGMENTATIONS, its fields}, a family {"family": ...}, a distribution {"distribution":
...}; a constant is its number. What was not written by this module is refused with one error that names the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from augcore import _validate
from augcore.augmentations.distributions import Constant, Distribution, within
from augcore.augmentations.families import Augmentation
from augcore.augmentations.registry import AUGMENTATIONS, name_of

FORMAT = 1
MAX_VALUES = 10_000
MAX_DEPTH = 16  # of families in families


def encode(name: str, value: Any) -> Any:
    """A field of a step, or a step itself under its name "step"."""
    if isinstance(value, Constant):
        return value.value
    if isinstance(value, Distribution):
        return value.to_dict()
    if isinstance(value, tuple):  # in which constants are written out: a list of two numbers is a range
        return [part.to_dict() if isinstance(part, Constant) else encode(name, part) for part in value]
    if isinstance(value, Augmentation):
        return describe("family", value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{name}: cannot be written, got {_validate.describe(value)}")


def describe(kind: str, augmentation: Any) -> dict[str, Any]:
    """A step or a family as a dict: its name, under `kind`, and its fields."""
    if not is_dataclass(augmentation):
        raise TypeError(f"{kind}: {type(augmentation).__name__} is no dataclass, so it cannot be written")
    settings = {field.name: getattr(augmentation, field.name) for field in fields(augmentation) if field.init}
    name = name_of(type(augmentation))
    return {kind: name, **{name: encode(name, value) for name, value in settings.items()}}


def make(kind: str, data: Any, base: type[Any], depth: int = 0) -> Any:
    """The step or family that `describe` has written, inside so many others."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{kind}: is nested too deeply")
    given = table(kind, data)
    name = _validate.choice(
        kind, given.pop(kind, None), [name for name, known in AUGMENTATIONS.items() if issubclass(known, base)]
    )
    known = {field.name: field for field in fields(AUGMENTATIONS[name]) if field.init}
    for key in given:
        if key not in known:
            raise ValueError(f"{key:.40}: {name!r} has no such field, only {', '.join(known)}")
    for key, field in known.items():
        if key not in given and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{key}: is missing from {name!r}")
    return AUGMENTATIONS[name](**{key: decode(key, value, depth) for key, value in given.items()})


def decode(name: str, value: Any, depth: int = 0) -> Any:
    """A field of a step: the inverse of `encode`. The classes check what they are made of."""
    if isinstance(value, Mapping):
        if "family" in value:
            return within(name, make, "family", value, Augmentation, depth + 1)
        return within(name, Distribution.from_dict, table(name, value))
    if isinstance(value, list | tuple):
        if len(value) > MAX_VALUES:
            raise ValueError(f"{name}: has {len(value)} values, more than {MAX_VALUES}")
        for part in value:
            if isinstance(part, list | tuple) and any(isinstance(x, list | tuple | Mapping) for x in part):
                raise TypeError(f"{name}: is nested too deeply")
        return tuple(decode(name, part, depth) for part in value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{name}: expected a number, a string, a list or a dict, got {_validate.describe(value)}")


def table(name: str, data: Any) -> dict[str, Any]:
    """A dict whose keys are strings."""
    if not isinstance(data, Mapping):
        raise TypeError(f"{name}: expected a dict, got {_validate.describe(data)}")
    for key in data:
        if not isinstance(key, str):
            raise TypeError(f"{name}: expected keys that are strings, got {_validate.describe(key)}")
    return dict(data)


def versioned(data: Any, name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """The content of a dict of this format, which has all of some keys and no others."""
    content = table(name, data)
    if "format" not in content:
        raise ValueError(f"format: is missing from {name}")
    version = content.pop("format")
    if _validate.integer("format", version) != FORMAT:
        raise ValueError(f"format: this version reads {FORMAT}, got {_validate.describe(version)}")
    for key in content:
        if key not in keys:
            raise ValueError(f"{key:.40}: unknown; {name} has {', '.join(keys)}")
    for key in keys:
        if key not in content:
            raise ValueError(f"{key}: is missing from {name}")
    return content


def to_json(data: Mapping[str, Any]) -> str:
    """Floats are written so that the same ones are read."""
    return json.dumps(data, allow_nan=False, ensure_ascii=True)


def from_json(text: Any) -> Any:
    """What a text in JSON says; anything else, NaN and repeated keys are a ValueError."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected a string, got {_validate.describe(text)}")
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("text: is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"text: cannot be read as JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is repeated")
    return result
