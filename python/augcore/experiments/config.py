"""What an experiment does: every setting, its type and its bounds, from a preset, a TOML file and `--set key=value`.

All of it is in `Config`; `parse` makes one from plain data and turns whatever is wrong into one line that names the
field. A config and the version of the library determine the tables of a run (see runner.py).
"""

from __future__ import annotations

import difflib
import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from augcore._errors import missing_extra
from augcore.policies import POLICIES

try:
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
    from pydantic_core import from_json
except ImportError:
    raise missing_extra("pydantic", "experiments") from None

__all__ = ["CONVENTIONS", "MAIN", "Config", "ConfigError", "Configuration", "override", "parse", "read_toml"]


class ConfigError(ValueError):
    """A setting is unknown, of the wrong type or out of bounds; the message begins with its name."""


# What `convention` stands for. Settings that are given win over it.
CONVENTIONS: dict[str, dict[str, Any]] = {
    "augcore": {"C": 10.0, "hessian_l2": None, "damping": 0.0, "arithmetic": "exact", "direction": "counterclockwise"},
    "paper": {"C": 1.0, "hessian_l2": 0.0, "damping": 2e-10, "arithmetic": "opencv4", "direction": "clockwise"},
}


@dataclass(frozen=True)
class Configuration:
    """One curve of the experiment: a policy with its two modifiers, written policy[+update][+downweight]."""

    policy: str
    update: bool
    downweight: bool

    @classmethod
    def named(cls, name: str) -> Configuration:
        policy, *modifiers = name.split("+")
        return cls(policy, "update" in modifiers, "downweight" in modifiers)

    @property
    def name(self) -> str:
        return self.policy + "+update" * self.update + "+downweight" * self.downweight

    @property
    def random(self) -> bool:
        return not self.policy.startswith("deterministic")

    @property
    def uses_scores(self) -> bool:
        return self.policy != "baseline"


_MODIFIERS = ("", "+downweight", "+update", "+update+downweight")

# The twelve curves of the paper's main experiment.
MAIN: tuple[str, ...] = (
    "baseline",
    *("random_proportional" + modifier for modifier in _MODIFIERS),
    "random_inverse_proportional",
    *("deterministic_proportional" + modifier for modifier in _MODIFIERS),
    "deterministic_inverse_proportional",
    "deterministic_inverse_proportional+update",
)

Positive = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1, le=10_000)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Translate(_Settings):
    """Shifts by `magnitude` pixels to the four diagonal neighbours."""

    magnitude: Pixels = 2


class Rotate(_Settings):
    """`steps` angles, evenly from -max_degrees to max_degrees, without 0."""

    max_degrees: Annotated[float, Field(gt=0, le=180)] = 30.0
    steps: Annotated[int, Field(ge=2, le=10_000)] = 15


class Crop(_Settings):
    """Each of `sizes` pixels off every side, resized back."""

    sizes: Annotated[tuple[Pixels, ...], Field(min_length=1)] = (1, 2, 3, 4, 5, 6)


class Config(_Settings):
    """All settings of the main experiment; `seed` keys every draw."""

    dataset: str = "mnist-sample"
    classes: tuple[int, int] | None = None
    n_train: Annotated[int, Field(ge=2)] | None = None
    test_set: Literal["expanded", "plain"] = "expanded"

    model: Annotated[str, Field(min_length=1)] = "cnn"
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 40

    augmentations: Annotated[tuple[Literal["translate", "rotate", "crop"], ...], Field(min_length=1)] = (
        "translate",
        "rotate",
        "crop",
    )
    translate: Translate = Translate()
    rotate: Rotate = Rotate()
    crop: Crop = Crop()

    scores: Annotated[tuple[Literal["influence", "loss"], ...], Field(min_length=1)] = ("influence", "loss")
    configurations: Annotated[tuple[str, ...], Field(min_length=1)] = MAIN
    sizes: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 10, 50, 100, 250, 500, 750, 1000)
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 5
    seed: Annotated[int, Field(ge=0, lt=2**128)] = 0

    convention: Literal["augcore", "paper"] = "augcore"
    C: Annotated[float, Field(gt=0)]
    hessian_l2: Annotated[float, Field(ge=0)] | None
    damping: Annotated[float, Field(ge=0)]
    arithmetic: Literal["exact", "opencv4"]
    direction: Literal["counterclockwise", "clockwise"]

    @field_validator("configurations")
    @classmethod
    def _known_configurations(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = [policy + modifier for policy in POLICIES for modifier in _MODIFIERS if policy != "baseline"]
        for name in names:
            if name not in ("baseline", *known):
                raise ValueError(
                    f"unknown configuration {name!r}{_suggest(name, known)}; expected policy[+update]"
                    f"[+downweight] with policy one of {', '.join(POLICIES)}"
                )
        return names

    @field_validator("augmentations", "scores", "configurations", "classes")
    @classmethod
    def _distinct(cls, names: Any) -> Any:
        if names is not None and len(set(names)) < len(names):
            raise ValueError("names something twice")
        return names

    @field_validator("sizes")
    @classmethod
    def _increasing(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(b <= a for a, b in itertools.pairwise(sizes)):
            raise ValueError("must increase from one to the next")
        return sizes

    @model_validator(mode="after")
    def _within_budget(self) -> Config:
        if self.n_train is not None:
            self.check_sizes(self.n_train)
        return self

    def check_sizes(self, n: int) -> None:
        """ConfigError when a size asks for more points than there are."""
        if self.sizes[-1] > n:
            raise ConfigError(f"sizes: {self.sizes[-1]} points cannot be augmented, there are {n} training points")


def parse(data: Mapping[str, Any]) -> Config:
    """A config from plain data, as TOML and JSON give it.

    Raises
    ------
    ConfigError
        One line that begins with the name of the field.
    """
    convention = CONVENTIONS.get(str(data.get("convention", "augcore")), {})
    try:
        return Config.model_validate_json(json.dumps({**convention, **_plain(data)}))
    except ValidationError as error:
        raise ConfigError(_one_line(error)) from None


_NOT_PLAIN = "is nested too deep, has thousands of digits, or is not Unicode text"


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of settings; ConfigError names the one that JSON cannot hold."""
    copy: dict[str, Any] = {}
    for name, value in data.items():
        try:
            copy |= from_json(json.dumps({name: value}))
        except TypeError:
            raise ConfigError(f"{name}: dates and times have no meaning here") from None
        except (ValueError, RecursionError):
            raise ConfigError(f"{name}: {_NOT_PLAIN}") from None
    return copy


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "config"
    if first["type"] == "extra_forbidden":
        *parents, name = (str(part) for part in first["loc"])
        table: Any = Config
        for parent in parents:
            table = table.model_fields[parent].annotation
        return f"{field}: unknown setting{_suggest(name, table.model_fields)}"
    reason = first["msg"].removeprefix("Value error, ")
    if isinstance(cause := first.get("ctx", {}).get("error"), ConfigError):
        return str(cause)
    got = json.dumps(first["input"])
    return f"{field}: {reason[0].lower()}{reason[1:]}, got {got if len(got) < 100 else got[:100] + '...'}"


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def read_toml(path: Path) -> dict[str, Any]:
    """The settings in a TOML file; ConfigError names the file and the line where it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deep") from None
    except ValueError as error:  # no TOML, no UTF-8, or thousands of digits
        raise ConfigError(f"{path}: not a TOML file: {error}") from None


def override(data: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Settings with `key=value` applied, in order; a dotted key reaches into a table.

    A value is read as TOML and, where that fails, as text; for settings that are lists, commas separate: `sizes=1,10`.
    """
    result = _plain(data)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{assignment}: expected key=value")
        *parents, name = key.strip().split(".")
        table = result
        for parent in parents:
            table = table.setdefault(parent, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{key.strip()}: {parent} is not a table of settings")
        try:
            table[name] = _value(text.strip(), is_list=_is_list(parents, name))
        except ConfigError as error:
            raise ConfigError(f"{key.strip()}: {error}") from None
    return result


def _is_list(parents: list[str], name: str) -> bool:
    table: Any = Config
    for part in (*parents, name):
        field = getattr(table, "model_fields", {}).get(part)
        if field is None:
            return False
        table = field.annotation
    return "tuple" in str(table)


def _value(text: str, *, is_list: bool) -> Any:
    if is_list and not text.startswith("["):
        return None if text == "none" else [_value(part.strip(), is_list=False) for part in text.split(",")]
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return None if text == "none" else text
    except (ValueError, RecursionError):
        raise ConfigError(_NOT_PLAIN) from None
    if len(table) > 1:
        raise ConfigError("expected one value, got more settings on further lines")
    return table["value"]
