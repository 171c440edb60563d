"""Leave-one-out scores of points that are read block by block: one pass for H, one for the scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _multinomial, _validate_models
from augcore._samples import Block, Samples
from augcore.influence.forms import Inverse, check_size, factored_inverse
from augcore.influence.points import BinaryPoints, Points, SoftmaxPoints
from augcore.linear_model import HessianFactor

__all__ = ["FORMULAS", "PointScore", "StreamedPoints", "leave_one_out"]

Floats = NDArray[np.float64]

# Of the points of a block, from their forms x' H^-1 x.
FORMULAS: dict[str, Callable[[Points, Floats], Floats]] = {
    "loo_influence": lambda part, forms: part.influence(forms),
    "loo_loss_change": lambda part, forms: part.loss_change(forms),
    "leverage": lambda part, forms: part.leverage(forms),
}


@dataclass(frozen=True)
class StreamedPoints:
    """Points that are read block by block, and the model at them, as `factored_inverse` takes them.

    like: no points of the same model.
    """

    samples: Samples
    like: Points

    @classmethod
    def of(
        cls,
        samples: Samples,
        labels: NDArray[Any],
        coef: ArrayLike,
        intercept: ArrayLike | None,
        classes: ArrayLike | None,
    ) -> StreamedPoints:
        """labels: those that y has."""
        values = _validate_models.model_coefficients(coef, intercept, samples.p)
        of: type[Points] = SoftmaxPoints if len(values) > 1 else BinaryPoints
        if len(values) > 1:
            known = _validate_models.class_labels("y", labels, len(values), classes)
        else:
            known = _validate_models.two_classes("y", labels, classes)
        no_rows = samples.no_rows()
        codes = of.codes_of("y", known[:0], known, 0, no_rows)
        return cls(samples, of(no_rows, codes, None, values, intercept is not None, known, samples.threads))

    @property
    def n(self) -> int:
        return self.samples.n

    @property
    def q(self) -> int:
        return self.like.q

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.samples.dtype

    @property
    def n_contrasts(self) -> int:
        return self.like.n_contrasts

    @property
    def fit_intercept(self) -> bool:
        return self.like.fit_intercept

    @property
    def coef(self) -> Floats:
        return self.like.coef

    @property
    def threads(self) -> int:
        return self.like.threads

    def hessian(self, single: bool) -> Floats:
        shape = self.samples.p, self.fit_intercept, self.n_contrasts
        empty = partial(_multinomial.HessianSums, *shape, single, like=self.like.X)
        add = partial(_add_curvatures, self.like)
        return self.samples.sums(empty, add, "Hessian of the model", self.coef, np.array([single, self.fit_intercept]))

    def prepare(self, factor: HessianFactor) -> Any:
        return self.like.prepare(factor)


def points_of_block(like: Points, block: Block) -> Points:
    """The points of a block, for the model that `like` has."""
    codes = like.codes_of("y", block.y, like.classes, len(block.y), block.X)
    return replace(like, X=block.X, codes=codes, weight=block.weight)


def _add_curvatures(like: Points, sums: Any, block: Block) -> None:
    for part in points_of_block(like, block).blocks():
        sums.add(part.X, part.curvatures(), part.threads)


@dataclass(frozen=True)
class PointScore:
    """A score of the points of a block; members: of every class, among all points, if the score depends on it."""

    name: str
    like: Points
    inverse: Inverse
    members: NDArray[np.int64] | None

    def __call__(self, block: Block) -> Floats:
        points = points_of_block(self.like, block)
        values = points.each(lambda part: FORMULAS[self.name](part, self.inverse.forms(part)))
        if self.members is not None:
            values[points.last_of_their_class(self.members)] = np.inf
        return values


def leave_one_out(name: str, points: StreamedPoints, ridge: float, factor: Any = None) -> PointScore:
    """A score in `FORMULAS`: H is summed here, if no factor of it is given, and the rest is for each block."""
    if factor is None:
        check_size(points.n_contrasts * points.q)
    members = _members(points) if name == "loo_loss_change" else None
    return PointScore(name, points.like, factored_inverse(points, points, ridge, factor), members)


def _members(points: StreamedPoints) -> NDArray[np.int64]:
    """How many points each class of the model has."""
    seen = points.samples.survey()
    counted = dict(zip(seen.classes.tolist(), seen.members.tolist(), strict=True))
    return np.array([counted.get(label, 0) for label in points.like.classes.tolist()], dtype=np.int64)
