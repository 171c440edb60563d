"""Slow, obvious NumPy versions of every kernel: they define the meaning, and tests compare the kernels with them."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# ---- sums over samples -----------------------------------------------------------------------------------------------

TILE_ROWS = 512


def tree_sum(terms: Floats) -> Any:
    """The sum over axis 0 as the kernels form it: rows in order within tiles, tiles by a fixed binary tree."""

    def node(tiles: list[Any]) -> Any:
        if len(tiles) == 1:
            return tiles[0]
        half = 1 << (len(tiles) - 1).bit_length() - 1
        return node(tiles[:half]) + node(tiles[half:])

    def tile(rows: Floats) -> Any:
        total = np.zeros(rows.shape[1:])
        for row in rows:
            total = total + row
        return total

    starts = range(0, max(len(terms), 1), TILE_ROWS)
    return node([tile(terms[start : start + TILE_ROWS]) for start in starts])


# ---- binary logistic regression: y is 0 or 1, eta = X coef + intercept -----------------------------------------------


def sigmoid(eta: Floats) -> Floats:
    with np.errstate(over="ignore"):
        positive = 1.0 / (1.0 + np.exp(-eta))
        negative = np.exp(eta) / (1.0 + np.exp(eta))
    return np.where(eta >= 0, positive, negative)


def signed_margin(eta: Floats, y: Floats) -> Floats:
    return np.where(y > 0.5, eta, -eta)


def log_loss(eta: Floats, y: Floats) -> Floats:
    """-log p(y)"""
    return np.logaddexp(0.0, -signed_margin(eta, y))


def residual(eta: Floats, y: Floats) -> Floats:
    """p - y, without the cancellation that the plain difference has."""
    signed: Floats = np.where(y > 0.5, -sigmoid(-eta), sigmoid(eta))
    return signed


def curvature(eta: Floats) -> Floats:
    """p (1 - p)"""
    return sigmoid(eta) * sigmoid(-eta)


def hessian(X: Floats, weight: Floats, eta: Floats, ridge: float, intercept: bool) -> Floats:
    """sum_i w_i p_i (1 - p_i) x_i x_i' + ridge I, the intercept last and not penalised."""
    design = np.column_stack([X, np.ones(len(X))]) if intercept else X
    penalty = np.full(design.shape[1], ridge)
    if intercept:
        penalty[-1] = 0.0
    total: Floats = (design.T * (weight * curvature(eta))) @ design + np.diag(penalty)
    return total


def inverse_quadratic_form(X: Floats, hessian: Floats, intercept: bool) -> Floats:
    """x_i' H^-1 x_i"""
    design = np.column_stack([X, np.ones(len(X))]) if intercept else X
    q: Floats = np.einsum("ij,ji->i", design, np.linalg.solve(hessian, design.T))
    return q


def loo_influence(eta: Floats, y: Floats, weight: Floats, q: Floats) -> Floats:
    """-w g' H^-1 g with the gradient g = (p - y) x of the sample's own loss, where q = x' H^-1 x."""
    return -weight * residual(eta, y) ** 2 * q


def loo_loss_change(eta: Floats, y: Floats, weight: Floats, q: Floats) -> Floats:
    """The rise of the sample's own loss after one Newton step without it; infinite where its leverage reaches 1."""
    leverage = weight * curvature(eta) * q
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = eta + weight * residual(eta, y) * q / (1.0 - leverage)
        change: Floats = np.where(leverage < 1.0, log_loss(moved, y) - log_loss(eta, y), np.inf)
    return change


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
