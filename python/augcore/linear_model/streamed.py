"""The objective of samples that are read block by block, for the same Newton method as that of samples in memory.

Nothing is kept of a sample between two passes: the linear predictors z of `newton` are here the parameters that they
are computed from, and every sum is a pass over all samples. Each block is an objective in memory, and the sums run over
the same tiles, so the fit takes the same steps and ends at the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _multinomial, _validate_models
from augcore._samples import Block, Samples, Survey
from augcore.linear_model.objective import DenseObjective, Objective, objective_of

__all__ = ["NewtonObjective", "StreamedObjective"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """Of an objective, apart from the samples; as_single: X is rounded to float32."""

    classes: NDArray[Any]
    l2: float
    fit_intercept: bool
    threads: int
    as_single: bool = False

    def part(self, block: Block) -> DenseObjective:
        """The objective of a block. FloatingPointError if its X is to be rounded and does not fit float32."""
        X, n_classes = block.X, len(self.classes)
        if self.as_single:
            with np.errstate(over="raise", under="ignore"):
                X = X.astype(np.float32)
        codes = _validate_models.class_codes("y", block.y, self.classes, len(block.y), X)
        return objective_of(X, codes, n_classes, block.weight, self.l2, self.fit_intercept, self.threads)


# What is added to the sums: functions of a module, so that they can be sent to other processes.


def _add_factors(
    factors: Callable[..., Floats], settings: Settings, points: tuple[Floats, ...], sums: Any, block: Block
) -> None:
    part = settings.part(block)
    sums.add(part.X, factors(part, *points).reshape(part.n, -1), settings.threads)


def _residual(part: DenseObjective, theta: Floats) -> Floats:
    return part.residual(part.predict(theta))


def _bent(part: DenseObjective, theta: Floats, vector: Floats) -> Floats:
    return part.bend(part.curvature(part.predict(theta)), part.predict(vector))


def _add_slope(settings: Settings, theta: Floats, end: Floats, length: float, sums: Any, block: Block) -> None:
    part = settings.part(block)
    terms = part.along(part.predict(theta), part.predict(end), length)
    sums.add(_device.namespace(terms).empty((part.n, 0)), terms.reshape(part.n, -1), settings.threads)


def _add_curvatures(settings: Settings, theta: Floats, sums: Any, block: Block) -> None:
    part = settings.part(block)
    part.add_curvatures(sums, part.predict(theta))


def _add_mean_curvature(settings: Settings, theta: Floats, sums: Any, block: Block) -> None:
    part = settings.part(block)
    sums.add(part.X, part.mean_curvature(part.curvature(part.predict(theta))), settings.threads)


class _NewtonSums:
    """A Hessian and a gradient, over the same tiles: (C q, C q + 1), the gradient in the last column."""

    def __init__(self, p: int, fit_intercept: bool, n_contrasts: int, first_row: int = 0) -> None:
        rows = _multinomial.tile_rows(p + fit_intercept, n_contrasts)
        self.hessian = _multinomial.HessianSums(p, fit_intercept, n_contrasts, False, first_row)
        self.gradient = _dispatch.RowSums(p, fit_intercept, n_contrasts, first_row, rows)
        self._width = n_contrasts * (p + fit_intercept)  # of a tile of the gradient

    def nodes(self, threads: int) -> _dispatch.Nodes:
        (levels, *of_hessian), (_, *of_gradient) = self.hessian.nodes(threads), self.gradient.nodes(threads)
        both = zip(of_hessian, of_gradient, strict=True)
        return _dispatch.Nodes(levels, *(np.concatenate(parts, axis=-1) for parts in both))

    def absorb(self, nodes: _dispatch.Nodes) -> None:
        for sums, of in ((self.hessian, slice(None, -self._width)), (self.gradient, slice(-self._width, None))):
            sums.absorb(_dispatch.Nodes(nodes.levels, np.ascontiguousarray(nodes.values[:, of]), nodes.last[of]))

    def total(self, threads: int) -> Floats:
        return np.column_stack([self.hessian.total(threads), self.gradient.total(threads).ravel()])


def _add_newton(settings: Settings, theta: Floats, sums: _NewtonSums, block: Block) -> None:
    part = settings.part(block)
    z = part.predict(theta)
    sums.gradient.add(part.X, part.residual(z).reshape(part.n, -1), settings.threads)
    part.add_curvatures(sums.hessian, z)


def _check_gradient(total: Floats) -> None:
    """Of numbers that were checked when they were first read."""
    if not np.isfinite(total).all():
        raise ValueError("X: contains NaN or infinity in a later pass, and did not in the first")


@dataclass
class StreamedObjective(Objective):
    """The penalised objective of samples that are read block by block; z is theta."""

    samples: Samples
    seen: Survey
    l2: float
    fit_intercept: bool
    threads: int
    may_round: bool = True
    as_single: bool = False

    def __post_init__(self) -> None:
        self.n = self.seen.n
        self.width = self.samples.p + self.fit_intercept
        self.n_contrasts = len(self.seen.classes) - 1
        self.weight_sum = float(self.n) if self.seen.weight_sum is None else self.seen.weight_sum
        threads = self.threads or self.samples.threads
        self._like = self.samples.no_rows()
        self._settings = Settings(self.seen.classes, self.l2, self.fit_intercept, threads, self.as_single)

    def rounded(self) -> Objective | None:
        if self.samples.dtype == np.float32 or self.n_contrasts > 1 or not self.may_round or self.samples.on_gpu:
            return None
        return replace(self, as_single=True)

    def evaluate(self, theta: Floats) -> tuple[Floats, Floats]:
        return theta, self._gradient(_residual, "gradient", theta, theta)

    def curvature(self, z: Floats) -> Floats:
        return z

    def curvature_product(self, curvature: Floats, vector: Floats) -> Floats:
        return self._gradient(_bent, "curvature product", vector, curvature, vector)

    def _gradient(self, factors: Callable[..., Floats], what: str, at: Floats, *points: Floats) -> Floats:
        empty = partial(_dispatch.row_sums, self._like, self.samples.p, self.fit_intercept, self.n_contrasts)
        total = self._sums(empty, partial(_add_factors, factors, self._settings, points), what, *points).ravel()
        _check_gradient(total)
        total += self.penalty * at
        return total

    def slope(self, z: Floats, end: Floats, length: float) -> float:
        empty = partial(_dispatch.row_sums, self._like, 0, True, self.n_contrasts)
        add = partial(_add_slope, self._settings, z, end, length)
        return float(np.sum(self._sums(empty, add, "slope", z, end, np.array([length]))))

    def _summed_hessian(self, z: Floats, single: bool) -> Floats:
        shape = self.samples.p, self.fit_intercept, self.n_contrasts
        empty = partial(_multinomial.HessianSums, *shape, single, like=self._like)
        return self._sums(empty, partial(_add_curvatures, self._settings, z), "Hessian", z, np.array([single]))

    def _mean_gram(self, curvature: Floats) -> Floats:
        empty = partial(_dispatch.gram_sums, self._like, self.samples.p, self.fit_intercept, False)
        return self._sums(empty, partial(_add_mean_curvature, self._settings, curvature), "shared Hessian", curvature)

    def _sums(self, empty: Any, add: Any, what: str, *key: NDArray[Any]) -> Floats:
        return self.samples.sums(empty, add, what, *key, np.array([self.as_single]))


class NewtonObjective(StreamedObjective):
    """The same, with the Hessian summed in the pass of every gradient: fewer passes, each with more arithmetic."""

    hessian_is_known = True
    _last: tuple[Floats, Floats] | None = None  # theta and its unpenalised Hessian

    def rounded(self) -> Objective | None:
        return None

    def evaluate(self, theta: Floats) -> tuple[Floats, Floats]:
        empty = partial(_NewtonSums, self.samples.p, self.fit_intercept, self.n_contrasts)
        total = self._sums(empty, partial(_add_newton, self._settings, theta), "gradient and Hessian", theta)
        self._last = theta, np.ascontiguousarray(total[:, :-1])
        _check_gradient(total[:, -1])
        gradient: Floats = total[:, -1] + self.penalty * theta
        return theta, gradient

    def _summed_hessian(self, z: Floats, single: bool) -> Floats:
        if self._last is not None and np.array_equal(self._last[0], z):
            return self._last[1].copy()
        return super()._summed_hessian(z, False)
