"""Slow, obvious versions of every kernel. They define what the kernels mean; the tests compare with them."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# ---- weighted sampling -----------------------------------------------------------------------------------------------


def philox4x64(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x64-10 (Salmon et al., 2011) of a 256-bit counter and a 128-bit key, in words of 64 bits."""
    mask = 2**64 - 1
    c, k = list(counter), list(key)
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c[0], 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * c[2], 2**64)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B97F4A7C15) & mask, (k[1] + 0xBB67AE8584CAA73B) & mask]
    return c[0], c[1], c[2], c[3]


def uniforms(key: tuple[int, int], first_index: int, n: int) -> Floats:
    """u of the items first_index, ...: odd multiples of 2^-53 in (0, 1), from the upper 52 bits of a word each."""
    items = range(first_index, first_index + n)
    words = [philox4x64((i // 4 + 1, 0, 0, 0), key)[i % 4] for i in items]
    return np.array([((word >> 12) + 0.5) * 2.0**-52 for word in words], dtype=np.float64)


def exponential_keys(log_weights: ArrayLike, key: tuple[int, int], first_index: int = 0) -> Floats:
    """log E_i - log w_i with standard exponentials E_i = -log u_i: the smaller, the earlier in the order."""
    weights = np.asarray(log_weights, dtype=np.float64)
    return np.log(-np.log(uniforms(key, first_index, len(weights)))) - weights


def weighted_order(log_weights: ArrayLike, key: tuple[int, int]) -> NDArray[np.intp]:
    """All items by rising key; keys that round to the same number are told apart by E_i exactly, then by index."""
    weights = np.asarray(log_weights, dtype=np.float64)
    log_e = np.log(-np.log(uniforms(key, 0, len(weights))))

    def rank(i: int) -> tuple[float | Fraction, float, int]:
        finite = math.isfinite(weights[i])
        exact = Fraction(log_e[i]) - Fraction(weights[i]) if finite else -weights[i]
        return exact, log_e[i], i

    return np.array(sorted(range(len(weights)), key=rank), dtype=np.intp)


def plackett_luce(weights: ArrayLike) -> dict[tuple[int, ...], float]:
    """The probability of every order of a few items: each next one in proportion to the weights that are left."""
    w = [float(weight) for weight in np.asarray(weights, dtype=np.float64)]
    return {
        order: math.prod(w[item] / math.fsum(w[left] for left in order[place:]) for place, item in enumerate(order))
        for order in permutations(range(len(w)))
    }


def probabilities(scores: ArrayLike, policy: str) -> Floats:
    """First-draw probabilities, for scores of moderate size none of which is zero."""
    size = np.abs(np.asarray(scores, dtype=np.float64))
    weights = {
        "baseline": np.ones_like(size),
        "random_proportional": size,
        "random_inverse_proportional": 1 / size,
        "random_softmax_proportional": np.exp(size),
        "random_inverse_softmax_proportional": np.exp(-size),
    }[policy]
    return np.asarray(weights / weights.sum())
