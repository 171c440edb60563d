"""The points to score and the model at them, checked: one class for binary models, one for softmax.

Both offer the same few things, so that the functions of `loo` are the same lines for both. What a score needs of H is
the form A of each point: x' H^-1 x, a number for a binary model; for a softmax model in contrasts (`_multinomial`) the
symmetric matrix with elements x' (H^-1)_kl x, packed as its lower triangle. With the residual r, the sample weight w
and the curvature S of the loss in the logits, follow

    influence    -w r' A r                                  (Koh and Liang 2017, eq. 2, at the point itself)
    leverage     h = trace(w S A)                           (Pregibon 1981)
    ALO          loss(eta + w A (I - w S A)^-1 r) - loss(eta)   (Beirami et al. 2017; Rad and Maleki 2020)

For a binary model r = p - y and S = p (1 - p), and h is w S A itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _dispatch, _multinomial, _validate, _validate_models
from augcore.linear_model import HessianFactor

__all__ = ["BinaryPoints", "Points", "SoftmaxPoints", "dense", "points_of"]

Floats = NDArray[np.float64]

_EXPLICIT_CONDITION = 1e-8  # the reciprocal, of H scaled to a unit diagonal: from here on its inverse is made
_SOLVED_ELEMENTS = 8_000_000  # of right-hand sides at a time


@dataclass(frozen=True, eq=False)
class Points(ABC):
    """Attributes: X (n, p) dense or CSR; codes (n,), weight (n,) or None; coef (rows, q), the intercepts last."""

    X: Any
    codes: NDArray[Any]
    weight: Floats | None
    coef: Floats
    fit_intercept: bool
    classes: NDArray[Any]
    threads: int

    @property
    def n(self) -> int:
        return int(self.X.shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.X.dtype
        return dtype

    @property
    @abstractmethod
    def n_contrasts(self) -> int: ...

    @property
    def q(self) -> int:
        """Columns of (X, 1)."""
        return int(self.coef.shape[1])

    def like(self, names: tuple[str, str, str], X: Any, y: Any, weight: Any) -> Points:
        """Other points of the same model."""
        design = _validate_models.sparse_or_dense_design(
            names[0], X, columns=self.q - self.fit_intercept, device=_device.is_device(self.X)
        )
        if _device.is_device(self.X) and not _device.is_device(design):
            raise TypeError(f"{names[0]}: is in main memory, but X is on a GPU; pass cupy.asarray(...) of it")
        n = design.shape[0]
        codes = self.codes_of(names[1], y, self.classes, n, design)
        return replace(self, X=design, codes=codes, weight=_validate.sample_weight(names[2], weight, n, design))

    def blocks(self) -> Iterator[Points]:
        """The points in order, in parts whose X is dense."""
        step = self._step()
        if step >= self.n and not _validate_models.is_sparse(self.X):
            yield self  # with what it has computed already
            return
        for first in range(0, max(self.n, 1), step):
            rows = slice(first, first + step)
            weight = None if self.weight is None else self.weight[rows]
            yield replace(self, X=dense(self.X[rows]), codes=self.codes[rows], weight=weight)

    def _step(self) -> int:
        return _multinomial.block_rows(self.X.shape[1], self.n_contrasts)

    def each(self, score: Callable[[Any], Floats]) -> Floats:
        """A score of every point from a score of the points of a block."""
        return np.concatenate([score(part) for part in self.blocks()])

    def members(self) -> NDArray[np.intp]:
        """How many points with a weight each class has."""
        codes = self.codes.astype(np.intp)
        counted = codes if self.weight is None else codes[self.weight > 0]
        if not len(counted):  # which CuPy cannot count
            return np.zeros(len(self.classes), dtype=np.intp)
        return _device.host(np.bincount(counted, minlength=len(self.classes)))

    def last_of_their_class(self, members: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        """The points without which a class of so many members is empty: no model can be fitted to the rest."""
        lonely: NDArray[np.bool_] = _device.beside(self.X, members)[self.codes.astype(np.intp)] == 1
        return lonely if self.weight is None else lonely & (self.weight > 0)

    @staticmethod
    @abstractmethod
    def codes_of(name: str, labels: Any, classes: NDArray[Any], length: int, like: Any = None) -> NDArray[Any]:
        """Labels as the kernels know them, where `like` is."""

    def hessian(self, single: bool) -> Floats:
        """Of the weighted sum of the losses, without a penalty: (C q, C q). `single`: products in float32."""
        sums = _multinomial.HessianSums(self.X.shape[1], self.fit_intercept, self.n_contrasts, single, like=self.X)
        for part in self.blocks():
            sums.add(part.X, part.curvatures(), self.threads)
        return sums.total(self.threads)

    @abstractmethod
    def curvatures(self) -> Floats:
        """The weighted curvatures of the points of a block, packed as `_multinomial.HessianSums` takes them."""

    @abstractmethod
    def prepare(self, factor: HessianFactor) -> Any:
        """What `forms` takes of H."""

    # ---- of the points of a block ----------------------------------------------------------------------------------

    @cached_property
    def logits(self) -> Floats:
        """(n,) or (n, K)."""
        return self._logits()

    @abstractmethod
    def _logits(self) -> Floats: ...

    @abstractmethod
    def forms(self, prepared: Any, single: bool) -> Floats:
        """A of every point: (n,) or (n, C (C + 1) / 2). `single`: in float32."""

    @abstractmethod
    def log_loss(self) -> Floats: ...

    @abstractmethod
    def class_losses(self) -> Floats:
        """-log p of every class: (n, K)."""

    @abstractmethod
    def residual(self) -> Floats: ...

    @abstractmethod
    def margin(self) -> Floats: ...

    @abstractmethod
    def influence(self, forms: Floats) -> Floats: ...

    @abstractmethod
    def leverage(self, forms: Floats) -> Floats: ...

    @abstractmethod
    def loss_change(self, forms: Floats) -> Floats: ...

    def residual_norm(self) -> Floats:
        """|r|, also where its squares would vanish."""
        r = self.residual()
        lengths: Floats
        if r.ndim == 1:
            lengths = np.abs(r)
        elif _device.is_device(r):
            sizes = np.maximum(np.abs(r).max(axis=1), np.finfo(float).tiny)
            lengths = sizes * np.linalg.norm(r / sizes[:, None], axis=1)
        else:
            lengths = np.hypot.reduce(r, axis=1)
        return lengths

    def row_norms(self) -> Floats:
        """|(x, 1)| of every point, |x| without an intercept."""
        squares: Floats = np.einsum("ij,ij->i", self.X, self.X, dtype=np.float64)
        return np.sqrt(squares + float(self.fit_intercept))


class BinaryPoints(Points):
    """Two classes by one logit: codes are 0.0 and 1.0."""

    codes_of = staticmethod(_validate_models.binary_codes)

    @property
    def n_contrasts(self) -> int:
        return 1

    def _step(self) -> int:
        """The kernels give the same bits for any blocks: a dense X is one."""
        return super()._step() if _validate_models.is_sparse(self.X) else max(self.n, 1)

    def _logits(self) -> Floats:
        return _dispatch.linear_predictor(self.X, self.fit_intercept, self.coef[0], self.threads)

    def curvatures(self) -> Floats:
        curvature = _dispatch.curvature(self.logits, self.threads)
        if self.weight is not None:
            curvature *= self.weight
        return curvature[:, None]

    def prepare(self, factor: HessianFactor) -> Any:
        return _dispatch.forms_of_factor(_device.beside(self.X, factor.lower), lambda: factor.reciprocal_condition)

    def forms(self, prepared: Any, single: bool) -> Floats:
        return _dispatch.inverse_quadratic_form(self.X, self.fit_intercept, prepared, self.threads, single)

    def log_loss(self) -> Floats:
        return _dispatch.log_loss(self.logits, self.codes, self.threads)

    def class_losses(self) -> Floats:
        losses = [_dispatch.log_loss(self.logits, np.full_like(self.logits, code), self.threads) for code in (0.0, 1.0)]
        return np.column_stack(losses)

    def residual(self) -> Floats:
        return _dispatch.residual(self.logits, self.codes, self.threads)

    def margin(self) -> Floats:
        margin: Floats = np.where(self.codes > 0.5, 1.0, -1.0) * self.logits
        return margin

    def influence(self, forms: Floats) -> Floats:
        return _dispatch.loo_influence(self.logits, self.codes, self.weight, forms, self.threads)

    def leverage(self, forms: Floats) -> Floats:
        h = _dispatch.curvature(self.logits, self.threads) * forms
        return h if self.weight is None else self.weight * h

    def loss_change(self, forms: Floats) -> Floats:
        return _dispatch.loo_loss_change(self.logits, self.codes, self.weight, forms, self.threads)


class SoftmaxPoints(Points):
    """K classes by K logits: codes are rows of coef."""

    codes_of = staticmethod(_validate_models.class_codes)

    @property
    def n_contrasts(self) -> int:
        return len(self.coef) - 1

    def _logits(self) -> Floats:
        return _dispatch.product(self.X, self.fit_intercept, np.ascontiguousarray(self.coef.T), self.threads)

    def curvatures(self) -> Floats:
        packed = _multinomial.curvature(_multinomial.probabilities(self.logits))
        if self.weight is not None:
            packed *= self.weight[:, None]
        return packed

    def prepare(self, factor: HessianFactor) -> Any:
        """The blocks (H^-1)_kl, l <= k: (C (C + 1) / 2, q, q).

        L where H is so ill-conditioned that the digits of x' (H^-1)_kl x would cancel: (C q, C q).
        """
        lower = _device.beside(self.X, factor.lower)
        if factor.reciprocal_condition < _EXPLICIT_CONDITION:
            return lower
        inverse = _dispatch.cholesky_inverse(lower, self.threads)
        blocks = inverse.reshape(self.n_contrasts, self.q, self.n_contrasts, self.q)
        return np.stack([blocks[k, :, m] for k, m in _multinomial.pairs(self.n_contrasts)])

    def forms(self, prepared: Any, single: bool) -> Floats:
        if prepared.ndim == 2:
            return self._solved_forms(prepared)
        return _dispatch.quadratic_forms(self.X, self.fit_intercept, prepared, self.threads, single)

    def _solved_forms(self, lower: Floats) -> Floats:
        """By solutions for x in each contrast instead of the inverse: C times the work, and fewer digits lost."""
        C, q, xp = self.n_contrasts, self.q, _device.namespace(self.X)
        pairs = list(_multinomial.pairs(C))
        packed: Floats = xp.empty((self.n, len(pairs)))
        step = max(1, _SOLVED_ELEMENTS // (C * C * q))
        for first in range(0, self.n, step):
            rows = self.X[first : first + step].astype(np.float64)
            if self.fit_intercept:
                rows = np.column_stack([rows, xp.ones(len(rows))])
            right = xp.zeros((C, q, len(rows), C))
            for k in range(C):
                right[k, :, :, k] = rows.T
            solved = _dispatch.cholesky_solve_many(lower, right.reshape(C * q, -1), self.threads).reshape(right.shape)
            for index, (k, m) in enumerate(pairs):
                packed[first : first + step, index] = np.einsum("ij,ji->i", rows, solved[k, :, :, m])
        return packed

    def log_loss(self) -> Floats:
        return _multinomial.log_loss(self.logits, self.codes)

    def class_losses(self) -> Floats:
        losses: Floats = 0.0 - _multinomial.log_probabilities(self.logits)
        return losses

    def residual(self) -> Floats:
        return _multinomial.residual(self.logits, self.codes)

    def margin(self) -> Floats:
        return _multinomial.margin(self.logits, self.codes)

    def _weights(self) -> Floats:
        return _device.namespace(self.X).ones(self.n) if self.weight is None else self.weight

    def influence(self, forms: Floats) -> Floats:
        r = _multinomial.to_contrasts(self.residual())
        squares = np.einsum("ik,ikl,il->i", r, _multinomial.unpacked(forms, self.n_contrasts), r)
        scores: Floats = -(self._weights() * np.maximum(squares, 0.0))
        return scores

    def leverage(self, forms: Floats) -> Floats:
        twice = [1.0 if k == m else 2.0 for k, m in _multinomial.pairs(self.n_contrasts)]
        curvature = _multinomial.curvature(_multinomial.probabilities(self.logits))
        h: Floats = (curvature * forms) @ _device.beside(self.X, np.array(twice))
        return self._weights() * h

    def loss_change(self, forms: Floats) -> Floats:
        """With S = T T' (I - w S A)^-1 is that of the symmetric I - w T' A T, by Woodbury's identity."""
        n_classes = len(self.coef)
        w = self._weights()[:, None]
        r = _multinomial.to_contrasts(self.residual())[:, :, None]
        a = _multinomial.unpacked(forms, self.n_contrasts)
        root = _multinomial.curvature_root(_multinomial.probabilities(self.logits))
        spread = a @ root
        values, vectors = np.linalg.eigh(w[:, :, None] * (root.swapaxes(1, 2) @ spread))
        gaps = 1.0 - values
        lost = gaps.min(axis=1) <= n_classes * np.finfo(float).eps
        gaps[lost] = 1.0
        along = (vectors.swapaxes(1, 2) @ (spread.swapaxes(1, 2) @ r))[:, :, 0] / gaps
        moves = w * ((a @ r)[:, :, 0] + w * (spread @ (vectors @ along[:, :, None]))[:, :, 0])
        change = _multinomial.loss_change(self.logits, self.codes, _multinomial.from_contrasts(moves))
        return np.where(lost, np.inf, np.maximum(change, 0.0))


def points_of(
    X: ArrayLike,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None,
    *,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    labels: tuple[str, ArrayLike] | None = None,
) -> Points:
    """`labels` names the array that the classes are read from where they are not given; y by default."""
    design = _validate_models.sparse_or_dense_design("X", X, device=True)
    values = _validate_models.model_coefficients(coef, intercept, design.shape[1], design)
    name, known = labels or ("y", y)
    of: type[Points]
    if len(values) > 1:
        of = SoftmaxPoints
        known = _validate_models.class_labels(name, known, len(values), classes)
    else:
        of = BinaryPoints
        known = _validate_models.two_classes(name, known, classes)
    n = design.shape[0]
    codes = of.codes_of("y", y, known, n, design)
    weight = _validate.sample_weight("sample_weight", sample_weight, n, design)
    return of(design, codes, weight, values, intercept is not None, known, _validate.threads(threads))


def dense(rows: Any) -> NDArray[Any]:
    """Rows as the kernels take them."""
    result: NDArray[Any] = rows.toarray(order="C") if _validate_models.is_sparse(rows) else rows
    return result
