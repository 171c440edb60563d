"""What an experiment does: every setting, its type and its bounds, from a preset, a TOML file and `--set key=value`.

All of it is in `Config`; `parse` makes one from plain data and turns whatever is wrong into one line that names the
field. A config and the version of the library determine the tables of a run (see runner.py).
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from augcore import _files
from augcore._errors import missing_extra
from augcore.policies import POLICIES

try:
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
    from pydantic_core import from_json
except ImportError:
    raise missing_extra("pydantic", "experiments") from None

__all__ = [
    "CONVENTIONS",
    "DPP_POLICIES",
    "HESSIAN_SCORES",
    "MAIN",
    "SCORE_NAMES",
    "SVM_SCORES",
    "Config",
    "ConfigError",
    "Configuration",
    "Dpp",
    "override",
    "parse",
    "read_toml",
]


class ConfigError(ValueError):
    """A setting is unknown, of the wrong type or out of bounds; the message begins with its name."""


# What `convention` stands for. Settings that are given win over it.
CONVENTIONS: dict[str, dict[str, Any]] = {
    "augcore": {"C": 10.0, "hessian_l2": None, "damping": 0.0, "arithmetic": "exact", "direction": "counterclockwise"},
    "paper": {"C": 1.0, "hessian_l2": 0.0, "damping": 2e-10, "arithmetic": "opencv4", "direction": "clockwise"},
}


# Policies that draw from a k-DPP of the features: without scores, and with them.
DPP_POLICIES = ("dpp", "dpp_scored")

_CONFIGURATION = re.compile(
    r"(?P<policy>[a-z_]+)(\+clusters(?P<clusters>[1-9][0-9]{0,8}))?(?P<update>\+update)?(?P<downweight>\+downweight)?"
)


@dataclass(frozen=True)
class Configuration:
    """One curve of the experiment: a policy and its modifiers, written policy[+clustersK][+update][+downweight].

    clusters: how many clusters of the features the policy draws from in turn; 0 where it draws from all points at once.
    """

    policy: str
    clusters: int = 0
    update: bool = False
    downweight: bool = False

    @classmethod
    def named(cls, name: str) -> Configuration:
        """ValueError says what a name may be where this is none."""
        found = _CONFIGURATION.fullmatch(name)
        known = ("baseline", *DPP_POLICIES, *POLICIES)
        if found is None or found["policy"] not in known:
            raise ValueError(
                f"unknown configuration {name!r}{_suggest(name, known)}; expected policy[+clustersK][+update]"
                f"[+downweight] with policy one of {', '.join(dict.fromkeys(known))}"
            )
        chosen = cls(found["policy"], int(found["clusters"] or 0), bool(found["update"]), bool(found["downweight"]))
        if chosen.update and not chosen.uses_scores:
            raise ValueError(f"{name!r}: {chosen.policy} has no scores to update")
        if chosen.is_dpp and (chosen.clusters or chosen.update):
            raise ValueError(f"{name!r}: each draw from a k-DPP is one of its own: it has no clusters and no updates")
        if chosen.clusters and chosen.update:
            raise ValueError(
                f"{name!r}: updates draw anew after each size, and would begin with the first cluster again"
            )
        return chosen

    @property
    def name(self) -> str:
        clusters = f"+clusters{self.clusters}" if self.clusters else ""
        return self.policy + clusters + "+update" * self.update + "+downweight" * self.downweight

    @property
    def random(self) -> bool:
        return not self.policy.startswith("deterministic")

    @property
    def is_dpp(self) -> bool:
        return self.policy in DPP_POLICIES

    @property
    def uses_scores(self) -> bool:
        return self.policy not in ("baseline", "dpp")


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

# What a score is called in an experiment, and in `augcore.scores.SCORES`.
SCORE_NAMES: dict[str, str] = {
    "influence": "loo_influence",
    "alo": "loo_loss_change",
    "loss": "loss",
    "margin": "svm_margin",
    "hinge_loss": "svm_loss",
    "gradient_dot": "gradient_dot",
    "leverage": "leverage",
    "entropy": "entropy",
    "el2n": "el2n",
}

SVM_SCORES = ("margin", "hinge_loss")  # for two classes
HESSIAN_SCORES = ("influence", "alo", "leverage")

ScoreName = Literal["influence", "alo", "loss", "margin", "hinge_loss", "gradient_dot", "leverage", "entropy", "el2n"]

Positive = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1, le=10_000)]
# So that inverses and sums stay finite.
InverseRidge = Annotated[float, Field(ge=1e-300)]
Ridge = Annotated[float, Field(ge=0, le=1e300)]


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


class Dpp(_Settings):
    """The kernel of a k-DPP: (scale phi) (scale phi)' of features phi, of length one if normalized, or exp(-distance).

    Scores s multiply rows and columns of the first by |s|; |s| and, of both, jitter are added to the diagonal.
    """

    kernel: Literal["features", "distance"] = "features"
    normalized: bool = True
    scale: Annotated[float, Field(gt=0, le=1e100)] = 1e3
    jitter: Annotated[float, Field(ge=0, le=1e100)] = 1e-3


class Config(_Settings):
    """All settings of an experiment; `seed` keys every draw.

    classes: labels or names; None is all. sweep: for how many cluster counts inertia and silhouette are measured.
    C_grid: where it is not empty, C is chosen from it by cross-validation.
    """

    dataset: str = "mnist-sample"
    classes: Annotated[tuple[int | str, ...], Field(min_length=2)] | None = None
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

    scores: Annotated[tuple[ScoreName, ...], Field(min_length=1)] = ("influence", "loss")
    configurations: tuple[str, ...] = MAIN
    dpp: Dpp = Dpp()
    sweep: Annotated[int, Field(ge=0, le=10_000)] = 0
    sizes: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 10, 50, 100, 250, 500, 750, 1000)
    rounds: Annotated[int, Field(ge=1, le=10_000)] = 5
    seed: Annotated[int, Field(ge=0, lt=2**128)] = 0

    convention: Literal["augcore", "paper"] = "augcore"
    C: InverseRidge
    C_grid: tuple[InverseRidge, ...] = ()
    hessian_l2: Ridge | None
    damping: Ridge
    arithmetic: Literal["exact", "opencv4"]
    direction: Literal["counterclockwise", "clockwise"]

    @field_validator("configurations")
    @classmethod
    def _known_configurations(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            Configuration.named(name)
        return names

    @field_validator("augmentations", "scores", "configurations", "classes", "C_grid")
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
        """ConfigError when a size asks for more points than there are, or a configuration for more clusters."""
        if self.sizes[-1] > n:
            raise ConfigError(f"sizes: {self.sizes[-1]} points cannot be augmented, there are {n} training points")
        for clusters in self.cluster_counts:
            if clusters > n:
                raise ConfigError(f"configurations: {clusters} clusters cannot be made of {n} training points")
        if self.sweep > max(0, n - 2):
            raise ConfigError(
                f"sweep: there are {max(0, n - 2)} numbers of clusters from 2 to {n - 1}, not {self.sweep}"
            )

    @property
    def curves(self) -> list[Configuration]:
        return [Configuration.named(name) for name in self.configurations]

    @property
    def cluster_counts(self) -> list[int]:
        """Of the configurations, each once."""
        return sorted({curve.clusters for curve in self.curves if curve.clusters})


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
    reason = re.sub("[0-9.]{30,}", lambda digits: f"{float(digits[0]):g}", first["msg"].removeprefix("Value error, "))
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
        return tomllib.loads(_files.read_regular(path).decode("utf-8-sig"))
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
            raise ConfigError(f"--set {assignment!r}: expected key=value")
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
