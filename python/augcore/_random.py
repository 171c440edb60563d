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


def choices(rng: Rng, n: int, indices: NDArray[np.integer[Any]], *, epoch: int = 0, step: int = 0) -> NDArray[np.intp]:
    """One of 0 ... n - 1 for each index, uniformly: a function of (rng, epoch, index, step) and of nothing else."""
    words = _dispatch.keyed_words(key(rng), indices.astype(np.int64, copy=False), (epoch, step, _AUGMENTATION))
    # The upper 32 bits times n, in 64 bits: for n < 2^16 no value is more than 2^-16 likelier than another.
    half = np.uint64(32)
    return ((words >> half) * np.uint64(n) >> half).astype(np.intp)
