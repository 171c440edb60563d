"""The product of some settings' values: an experiment for each, with a name that says which."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from augcore.experiments.config import ConfigError, override

__all__ = ["MAX_EXPERIMENTS", "product"]

MAX_EXPERIMENTS = 1000


def product(settings: Mapping[str, Any], grid: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The settings of every combination, by a name such as "C=1,seed=0" that can be the name of a folder.

    Parameters
    ----------
    settings : mapping
        What all of them share.
    grid : sequence of str
        key=value,value,...; a value that is itself a list stands in brackets: sizes=[1,10],[1,50].

    Raises
    ------
    ConfigError
        If a part is not such text, names a setting twice, gives a value twice, or all make more than MAX_EXPERIMENTS.
    """
    axes = [_axis(text) for text in grid]
    keys = [key for key, _ in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"{key}: is in the grid twice")
    count = math.prod(len(values) for _, values in axes)
    if count > MAX_EXPERIMENTS:
        raise ConfigError(f"{', '.join(keys)}: make {count} experiments, more than {MAX_EXPERIMENTS}")
    experiments: dict[str, dict[str, Any]] = {}
    for combination in itertools.product(*(values for _, values in axes)):
        assignments = [f"{key}={value}" for key, value in zip(keys, combination, strict=True)]
        name = _folder(assignments)
        if name in experiments:
            raise ConfigError(f"{name}: two experiments would have this name; write the values so that they differ")
        experiments[name] = override(settings, assignments)
    return experiments


def _axis(text: str) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    if not equals or not key.strip() or not values.strip():
        raise ConfigError(f"--grid {text!r}: expected key=value,value,...")
    return key.strip(), _values(values)


def _values(text: str) -> list[str]:
    """Split at the commas that are not inside brackets or quotes."""
    try:
        parsed = tomllib.loads(f"values = [{text}]")["values"]
    except (ValueError, RecursionError):
        return [part.strip() for part in text.split(",")]
    return [_text(value) for value in parsed]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _folder(assignments: Sequence[str]) -> str:
    """What a combination is called, of letters that every system takes."""
    return re.sub(r"[^A-Za-z0-9=,._+-]+", "-", ",".join(assignments).replace('"', "")).strip("-.")[:150]
