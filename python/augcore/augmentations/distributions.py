"""What a parameter of a random step is drawn from.

Wherever a step takes a parameter, a number is a constant and a pair of numbers (low, high) is `Uniform(low, high)`; the
other distributions are written out. Distributions are immutable, equal if their settings are, and go to and from dicts.

A draw is a function of 64 random bits. Uniform, integer, normal and weighted draws have the same bits on every machine;
`LogUniform`, and the limits of a truncated `Normal`, go through exp, log and erfc of the C library, so their last bit
may differ from one C library to the next.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Union

import numpy as np
from numpy.typing import NDArray

from augcore import _random, _validate
from augcore.augmentations.settings import set_field

__all__ = ["Choice", "Constant", "Distribution", "IntegerUniform", "LogUniform", "Normal", "Uniform"]

Floats = NDArray[np.float64]

# What a step takes for a parameter; it makes a distribution of it.
Parameter = Union["Distribution", float, tuple[float, float]]

MAX_CHOICES = 10_000


class Distribution(ABC):
    """What a parameter is drawn from."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The least and the largest number that can be drawn."""

    @abstractmethod
    def draw(self, words: _random.Words) -> Floats:
        """A number for each word of 64 random bits."""

    def sample(self, n: int, rng: _random.Rng = None) -> Floats:
        """n draws: those that a step's first parameter has for the images 0 ... n - 1 with this rng."""
        n = _validate.integer("n", n, 0, 2**48)
        return self.draw(_random.Draws(_random.key(rng), np.arange(n, dtype=np.int64)).words(0))

    def to_dict(self) -> dict[str, Any]:
        """The distribution as numbers, strings, lists and dicts."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        lists = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {"distribution": self.name, **lists}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Distribution:
        """The distribution that `to_dict` has written; anything else is a TypeError or a ValueError."""
        if not isinstance(data, Mapping):
            raise TypeError(f"distribution: expected a dict, got {_validate.describe(data)}")
        name = _validate.choice("distribution", data.get("distribution"), DISTRIBUTIONS)
        kind = DISTRIBUTIONS[name]
        known = {field.name: field for field in fields(kind)}
        given = {key: value for key, value in data.items() if key != "distribution"}
        for key in given:
            if key not in known:
                raise ValueError(f"{key!s:.40}: {name} has no such field, only {', '.join(known)}")
        for key, field in known.items():
            if key not in given and field.default is MISSING:
                raise ValueError(f"{key}: is missing")
        made: Distribution = kind(**given)
        return made


@dataclass(frozen=True)
class Constant(Distribution):
    """Always the same number.

    Examples
    --------
    >>> Constant(5).sample(3, rng=0)
    array([5., 5., 5.])
    """

    value: float

    name: ClassVar[str] = "constant"

    def __post_init__(self) -> None:
        set_field(self, "value", _validate.real("value", self.value))

    @property
    def support(self) -> tuple[float, float]:
        """The number, twice."""
        return self.value, self.value

    def draw(self, words: _random.Words) -> Floats:
        """The number for each word."""
        return np.full(len(words), self.value)


@dataclass(frozen=True)
class Uniform(Distribution):
    """Any number from low to high.

    Parameters
    ----------
    low, high : float

    Examples
    --------
    >>> Uniform(-5, 5).support
    (-5.0, 5.0)
    """

    low: float
    high: float

    name: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        _ordered(self, _validate.real)
        _validate.real("high - low", self.high - self.low)

    @property
    def support(self) -> tuple[float, float]:
        """low and high."""
        return self.low, self.high

    def draw(self, words: _random.Words) -> Floats:
        """low + (high - low) u, u a multiple of 2^-53 below 1."""
        return np.minimum(self.low + (self.high - self.low) * _random.uniforms(words), self.high)


@dataclass(frozen=True)
class IntegerUniform(Distribution):
    """Any whole number from low to high, both included: shifts by whole pixels, for instance.

    Parameters
    ----------
    low, high : int
        At most 2^32 - 1 apart.

    Examples
    --------
    >>> np.unique(IntegerUniform(-1, 1).sample(50, rng=0))
    array([-1.,  0.,  1.])
    """

    low: int
    high: int

    name: ClassVar[str] = "integer_uniform"

    def __post_init__(self) -> None:
        _ordered(self, lambda name, value: _validate.integer(name, value, -(2**52), 2**52))
        _validate.integer("high - low", self.high - self.low, 0, 2**32 - 1)

    @property
    def support(self) -> tuple[float, float]:
        """low and high."""
        return float(self.low), float(self.high)

    def draw(self, words: _random.Words) -> Floats:
        """low and a whole number below high - low + 1."""
        return (self.low + _random.below(words, self.high - self.low + 1)).astype(np.float64)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """A positive number whose logarithm is uniform: a scale of 1/2 is as likely as one of 2.

    Parameters
    ----------
    low, high : float
        Positive.

    Examples
    --------
    >>> float(np.median(LogUniform(0.5, 2).sample(1001, rng=0)).round(1))
    1.0
    """

    low: float
    high: float

    name: ClassVar[str] = "log_uniform"

    def __post_init__(self) -> None:
        _ordered(self, _validate.real)
        if self.low <= 0:
            raise ValueError(f"low: must be positive, got {self.low!r}")

    @property
    def support(self) -> tuple[float, float]:
        """low and high."""
        return self.low, self.high

    def draw(self, words: _random.Words) -> Floats:
        """exp of a uniform number from log low to log high."""
        low, high = math.log(self.low), math.log(self.high)
        exponents = (low + (high - low) * _random.uniforms(words)).tolist()
        return np.clip(np.array([math.exp(x) for x in exponents], dtype=np.float64), self.low, self.high)


@dataclass(frozen=True)
class Normal(Distribution):
    """A normal distribution, truncated where low or high is given: what lies beyond is never drawn.

    Parameters
    ----------
    mean, std : float
    low, high : float, optional
        Draws are inverse cumulative probabilities: within 8.3 standard deviations of the mean without limits.

    Examples
    --------
    >>> bool(abs(Normal(0, 10, -15, 15).sample(1000, rng=0)).max() <= 15)
    True
    """

    mean: float
    std: float
    low: float | None = None
    high: float | None = None

    name: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        set_field(self, "mean", _validate.real("mean", self.mean))
        set_field(self, "std", _validate.real("std", self.std))
        if self.std <= 0:
            raise ValueError(f"std: must be positive, got {self.std!r}")
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                set_field(self, name, _validate.real(name, getattr(self, name)))
        low, high = self.support
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"std: too large, got {self.std!r}")
        if low > high:
            raise ValueError(f"low: must not be above high, got {low!r} and {high!r}")
        # Quantiles of less than this would be lost among the least numbers of float64.
        if self.low is not None or self.high is not None:
            _, start, end = self._probabilities()
            if end - start < 1e-290:
                raise ValueError(f"low: no number is drawn between {low!r} and {high!r}")

    @property
    def support(self) -> tuple[float, float]:
        """low and high; 8.3 standard deviations from the mean where they are not given."""
        low = self.mean - REACH * self.std if self.low is None else self.low
        return low, self.mean + REACH * self.std if self.high is None else self.high

    def _probabilities(self) -> tuple[float, float, float]:
        """The cumulative probabilities between which to draw; 1.0, or -1.0 for those of the mirrored distribution.

        The mirrored one serves where all lies above the mean, as probabilities are exact near 0 and not near 1.
        """
        low = -math.inf if self.low is None else (self.low - self.mean) / self.std
        high = math.inf if self.high is None else (self.high - self.mean) / self.std
        sign = 1.0
        if low > 0:
            low, high, sign = -high, -low, -1.0
        start, end = (0.5 * math.erfc(-x / math.sqrt(2.0)) for x in (low, high))
        return sign, start, end

    def draw(self, words: _random.Words) -> Floats:
        """The quantiles of uniform numbers."""
        sign, start, end = self._probabilities()
        u = np.minimum(start + (end - start) * _random.open_uniforms(words), 1.0 - 2.0**-53)
        return np.clip(self.mean + self.std * (sign * _random.normals(u)), *self.support)


# The quantile of 1 - 2^-53, rounded up.
REACH = 8.3


@dataclass(frozen=True)
class Choice(Distribution):
    """One of a few numbers.

    Parameters
    ----------
    values : sequence of float
    weights : sequence of float, optional
        How likely each is, up to a factor; equal by default.

    Examples
    --------
    >>> np.unique(Choice([0, 90, 180, 270]).sample(100, rng=0))
    array([  0.,  90., 180., 270.])
    """

    values: Sequence[float]
    weights: Sequence[float] | None = None

    name: ClassVar[str] = "choice"

    def __post_init__(self) -> None:
        set_field(self, "values", _numbers("values", self.values))
        if self.weights is None:
            return
        set_field(self, "weights", _numbers("weights", self.weights))
        if len(self.weights) != len(self.values):
            raise ValueError(f"weights: expected {len(self.values)} numbers, got {len(self.weights)}")
        if min(self.weights) < 0 or not 0 < sum(self.weights) < math.inf:
            raise ValueError("weights: must not be negative, nor all 0, nor too large")

    @property
    def support(self) -> tuple[float, float]:
        """The least and the largest of the values."""
        return min(self.values), max(self.values)

    def draw(self, words: _random.Words) -> Floats:
        """The value at the quantile of a uniform number."""
        values = np.array(self.values, dtype=np.float64)
        if self.weights is None:
            return values[_random.below(words, len(values))]
        cumulative = np.cumsum(self.weights)
        return values[np.searchsorted(cumulative / cumulative[-1], _random.uniforms(words), side="right")]


DISTRIBUTIONS: dict[str, type[Any]] = {
    kind.name: kind for kind in (Constant, Uniform, IntegerUniform, LogUniform, Normal, Choice)
}


def distribution(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> Distribution:
    """What a user gave for a parameter, as a distribution that never leaves [low, high]."""
    if isinstance(value, Distribution):
        result = value
    elif isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{name}: expected a number, (low, high) or a distribution, got {len(value)} numbers")
        result = within(name, Uniform, *value)
    else:
        result = Constant(_validate.real(name, value))
    least, largest = result.support
    if least < low or largest > high:
        raise ValueError(f"{name}: must lie between {low:g} and {high:g}, got {result!r}")
    return result


def made(parameter: Parameter) -> Distribution:
    """A parameter of a step that has been made, and so has made a distribution of it."""
    if not isinstance(parameter, Distribution):
        raise TypeError(f"expected a distribution, got {_validate.describe(parameter)}")
    return parameter


def within(name: str, make: Any, *arguments: Any) -> Any:
    """make(*arguments), its errors named after the field of which this is a part."""
    try:
        return make(*arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}.{error}") from None


def _ordered(uniform: Any, check: Any) -> None:
    for name in ("low", "high"):
        set_field(uniform, name, check(name, getattr(uniform, name)))
    if uniform.low > uniform.high:
        raise ValueError(f"low: must not be above high, got {uniform.low!r} and {uniform.high!r}")


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    if not 1 <= len(_validate.sequence(name, values, "a sequence of numbers")) <= MAX_CHOICES:
        raise ValueError(f"{name}: expected 1 to {MAX_CHOICES} numbers, got {len(values)}")
    return tuple(_validate.real(name, value) for value in values)
