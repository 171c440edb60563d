"""Keyed random draws: a seed becomes a key, and the kernels draw by (key, index), in any order and any split."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _dispatch
from augcore._validate import describe

Rng = int | np.integer[Any] | np.random.Generator | None


def key(rng: Rng) -> NDArray[np.uint64]:
    """The 128-bit key, two uint64, that stands for `rng` in the kernels.

    An int gives the same key each time; a Generator is advanced by two draws; None takes fresh entropy.
    """
    if isinstance(rng, np.random.Generator):
        return rng.integers(0, 2**64, size=2, dtype=np.uint64)
    if isinstance(rng, bool | np.bool_ | np.timedelta64) or not isinstance(rng, int | np.integer | None):
        raise TypeError(f"rng: expected an int, a numpy.random.Generator or None, got {describe(rng)}")
    if rng is not None and rng < 0:
        raise ValueError(f"rng: must not be negative, got {int(rng)}")
    state = np.random.SeedSequence(None if rng is None else int(rng)).generate_state(2, np.uint64)
    return state.astype(np.uint64, copy=False)


def derive(seed: int, *parts: str | int | float) -> int:
    """A seed of its own for a named piece of work: the same for the same seed and parts on any machine."""
    text = json.dumps([int(seed), *parts], ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


# The last word of the counter says what draws are for, so that draws with one seed do not meet: 0 is for sampling.
_AUGMENTATION = 1
SOLVERS = 2  # and 3 is for determinantal point processes: point/random_counters.hpp

# Steps of a pipeline and parameters of a step are counted below these, so that both fit into one word of the counter.
MAX_STEPS = MAX_PARAMETERS = 2**31

Words = NDArray[np.uint64]


class Draws:
    """The draws of one step for some images: each is a function of (key, epoch, index, step, parameter) alone.

    words(parameter) gives 64 random bits for each image; uniforms, normals and so on are made of them. `rows` says for
    which of the images.
    """

    def __init__(self, key: Words, indices: NDArray[np.int64], *, epoch: int = 0, step: int = 0) -> None:
        self._key, self._indices, self._epoch, self._step = key, indices, epoch, step

    def __len__(self) -> int:
        return len(self._indices)

    def words(self, parameter: int, rows: NDArray[Any] | None = None) -> Words:
        indices = self._indices if rows is None else np.ascontiguousarray(self._indices[rows])
        return _dispatch.keyed_words(self._key, indices, (self._epoch, self._step << 32 | parameter, _AUGMENTATION))


def uniforms(words: Words) -> NDArray[np.float64]:
    """Numbers in [0, 1): the upper 53 bits as multiples of 2^-53."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def open_uniforms(words: Words) -> NDArray[np.float64]:
    """Numbers in (0, 1): odd multiples of 2^-53, from the upper 52 bits."""
    return ((words >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def below(words: Words, n: int | NDArray[Any]) -> NDArray[np.int64]:
    """Whole numbers in 0 ... n - 1, n at most 2^32: floor(word * n / 2^64), so no bias above n / 2^64."""
    half, bound = np.uint64(32), np.asarray(n, dtype=np.uint64)
    low = (words & np.uint64(2**32 - 1)) * bound >> half
    return ((words >> half) * bound + low >> half).astype(np.int64)


def normals(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal quantiles of numbers in (0, 1), to about 1e-15 relative; the same bits on every machine.

    Algorithm AS 241, PPND16: M. J. Wichura, "The percentage points of the normal distribution", Applied Statistics 37
    (1988). Beside one logarithm, for which the library has its own, it takes only operations that IEEE 754 rounds.
    """
    q = u - 0.5
    r = 0.180625 - q * q
    central = q * _rational(r, *_CENTRAL)
    tail = np.minimum(u, 1.0 - u)
    r = np.sqrt(-_dispatch.log_magnitudes(np.ascontiguousarray(tail).reshape(-1), 0)).reshape(tail.shape)
    outer = np.where(r <= 5.0, _rational(r - 1.6, *_MIDDLE), _rational(r - 5.0, *_FAR))
    return np.where(np.abs(q) <= 0.425, central, np.copysign(outer, q))


def _rational(r: NDArray[np.float64], upper: tuple[float, ...], lower: tuple[float, ...]) -> NDArray[np.float64]:
    """upper(r) / lower(r); coefficients from the highest power down."""
    with np.errstate(all="ignore"):  # where another pair of polynomials is meant, anything may come out
        ratio: NDArray[np.float64] = np.polyval(upper, r) / np.polyval(lower, r)
    return ratio


_CENTRAL = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_MIDDLE = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)
_FAR = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580e0,
        5.46378491116411436990e0,
        6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)


def choices(rng: Rng, n: int, indices: NDArray[np.integer[Any]], *, epoch: int = 0, step: int = 0) -> NDArray[np.intp]:
    """One of 0 ... n - 1 for each index, uniformly: a function of (rng, epoch, index, step) and of nothing else."""
    draws = Draws(key(rng), indices.astype(np.int64, copy=False), epoch=epoch, step=step)
    return below(draws.words(0), n).astype(np.intp, copy=False)
