"""Slow, obvious NumPy versions of every kernel: they define the meaning, and tests compare the kernels with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
