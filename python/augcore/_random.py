"""Keyed random draws: a seed becomes a key, and the kernels draw by (key, index), in any order and any split."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore._validate import describe

Rng = int | np.integer[Any] | np.random.Generator | None


def key(rng: Rng) -> NDArray[np.uint64]:
    """The 128-bit key, two uint64, that stands for `rng` in the kernels.

    An int gives the same key each time; a Generator is advanced by two draws; None takes fresh entropy.
    """
    if isinstance(rng, np.random.Generator):
        return rng.integers(0, 2**64, size=2, dtype=np.uint64)
    if isinstance(rng, bool | np.bool_) or not isinstance(rng, int | np.integer | None):
        raise TypeError(f"rng: expected an int, a numpy.random.Generator or None, got {describe(rng)}")
    if rng is not None and rng < 0:
        raise ValueError(f"rng: must not be negative, got {int(rng)}")
    state = np.random.SeedSequence(None if rng is None else int(rng)).generate_state(2, np.uint64)
    return state.astype(np.uint64, copy=False)


def derive(seed: int, *parts: str | int | float) -> int:
    """A seed of its own for a named piece of work: the same for the same seed and parts on any machine."""
    text = json.dumps([int(seed), *parts], ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def _multiply(a: NDArray[np.uint64], b: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The high and the low word of a * b, from products of halves."""
    b_low, b_high = np.uint64(b & 0xFFFFFFFF), np.uint64(b >> 32)
    a_low, a_high = a & _LOW, a >> _HALF
    middle = a_high * b_low + (a_low * b_low >> _HALF)
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (other >> _HALF), a * np.uint64(b)


def philox(key: NDArray[np.uint64], *counter: ArrayLike) -> tuple[NDArray[np.uint64], ...]:
    """Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), element by element.

    A random function of a key (2 words) and a counter (4 words, each a non-negative integer or an array of them): four
    words of 64 random bits for each element. numpy.random.Philox(counter=c, key=k) gives those of c + 1 first.
    """
    c = [np.atleast_1d(np.asarray(word, dtype=np.uint64)) for word in counter]
    c0, c1, c2, c3 = (np.array(word) for word in np.broadcast_arrays(*c))
    k0, k1 = np.array(key[0]), np.array(key[1])
    with np.errstate(over="ignore"):
        for _ in range(10):
            high0, low0 = _multiply(c0, 0xD2E7470EE14C6C93)
            high1, low1 = _multiply(c2, 0xCA5A826395121157)
            c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
            k0, k1 = k0 + np.uint64(0x9E3779B97F4A7C15), k1 + np.uint64(0xBB67AE8584CAA73B)
    return c0, c1, c2, c3


# The last word of the counter says what draws are for, so that draws with one seed do not meet: 0 is for sampling.
_AUGMENTATION = 1


def choices(rng: Rng, n: int, indices: NDArray[np.integer[Any]], *, epoch: int = 0, step: int = 0) -> NDArray[np.intp]:
    """One of 0 ... n - 1 for each index, uniformly: a function of (rng, epoch, index, step) and of nothing else."""
    words = philox(key(rng), indices, epoch, step, _AUGMENTATION)[0]
    # The upper 32 bits times n, in 64 bits: for n < 2^16 no value is more than 2^-16 likelier than another.
    return ((words >> _HALF) * np.uint64(n) >> _HALF).astype(np.intp)
