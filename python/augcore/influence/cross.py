"""Influence of training points on test points, -g_test' H^-1 g_train, in tiles of both.

A gradient is r (x) x with the residual r in the contrasts, so that with Y = H^-1 g_test, one solve for each test point,

    g_test' H^-1 g_train = sum_k r_train,k x_train' Y_k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _dispatch, _multinomial, _validate, _validate_models
from augcore.influence import solvers
from augcore.influence.design import Design, logits
from augcore.influence.forms import matching_factor, penalty
from augcore.influence.hessian import LogisticHessian
from augcore.linear_model import HessianFactor

__all__ = ["influence_matrix", "influence_topk"]

Floats = NDArray[np.float64]

_TEST_ROWS, _TRAIN_ROWS = 256, 4096  # of a tile, at most
_TILE_ELEMENTS = 1 << 22  # of float64: 32 MiB
_LARGER = 4  # times as many rows of either set on a GPU, which takes longer to begin than to do a small tile
_SOLVERS = ("auto", *solvers.EXACT)
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class _Gradients:
    """Gradients r (x) x of points: the design and the residuals in the contrasts, (n, C)."""

    design: Design
    residual: Floats

    @classmethod
    def of(cls, design: Design, y_name: str, y: Any, coef: Floats, classes: NDArray[Any]) -> _Gradients:
        eta, n = logits(design, coef), design.shape[0]
        if len(coef) == 1:
            positive = _validate_models.binary_codes(y_name, y, classes, n, design.X)
            logits_of_one = _validate.contiguous("X", eta[:, 0])
            return cls(design, _dispatch.residual(logits_of_one, positive, design.threads)[:, None])
        codes = _validate_models.class_codes(y_name, y, classes, n, design.X)
        return cls(design, _multinomial.to_contrasts(_multinomial.residual(eta, codes)))

    def columns(self, rows: slice) -> Floats:
        """The gradients of some points as columns: (d, rows)."""
        x, r = self.design.rows(rows).toarray(), self.residual[rows]
        return _validate.contiguous("X_test", np.einsum("nk,nj->kjn", r, x)).reshape(-1, len(x))


@dataclass(frozen=True)
class _Cross:
    """Both sets of points and the way to solve with the Hessian."""

    train: _Gradients
    test: _Gradients
    solve: Callable[[Floats], Floats]

    @property
    def shape(self) -> tuple[int, int]:
        return self.test.design.shape[0], self.train.design.shape[0]

    def tiles(self) -> Iterator[tuple[slice, slice, Floats]]:
        """Rows of the test set, rows of the training set, and the influences (test, train) of both."""
        (_, q), C = self.train.design.shape, self.train.residual.shape[1]
        n_test, n_train = self.shape
        larger = _LARGER if _device.is_device(self.train.design.X) else 1
        wide = max(1, min(larger * _TEST_ROWS, larger**2 * _TILE_ELEMENTS // (C * q)))
        tall = max(1, min(larger * _TRAIN_ROWS, larger**2 * _TILE_ELEMENTS // (C * wide + q)))
        for first in range(0, n_test, wide):
            chosen = slice(first, min(first + wide, n_test))
            b = chosen.stop - first
            solved = self.solve(self.test.columns(chosen)).reshape(C, q, b)
            right = _validate.contiguous("X_test", solved.transpose(1, 0, 2)).reshape(q, C * b)
            for start in range(0, n_train, tall):
                rows = slice(start, min(start + tall, n_train))
                moved = self.train.design.rows(rows).dot(right).reshape(-1, C, b)
                yield chosen, rows, -np.einsum("nk,nkb->bn", self.train.residual[rows], moved)


def _cross(
    train: tuple[Any, Any],
    test: tuple[Any, Any],
    coef: ArrayLike,
    intercept: ArrayLike | None,
    l2: float,
    classes: ArrayLike | None,
    sample_weight: ArrayLike | None,
    hessian_l2: float | None,
    damping: float,
    factor: HessianFactor | None,
    solver: str,
    threads: int | None,
) -> _Cross:
    _validate.choice("solver", solver, _SOLVERS)
    ridge = penalty(l2, hessian_l2, damping, factor)
    count = _validate.threads(threads)
    fitted = Design.of("X_train", train[0], intercept is not None, count)
    p = fitted.X.shape[1]
    asked = Design.of("X_test", test[0], intercept is not None, count, columns=p)
    if _device.is_device(fitted.X) != _device.is_device(asked.X):
        raise TypeError("X_test: must be where X_train is, on the GPU or in main memory")
    values = _validate_models.model_coefficients(coef, intercept, p, fitted.X)
    if len(values) == 1:
        known = _validate_models.two_classes("y_train", train[1], classes)
    else:
        known = _validate_models.class_labels("y_train", train[1], len(values), classes)
    _validate.sample_weight("sample_weight", sample_weight, fitted.shape[0], fitted.X)
    points = _Gradients.of(fitted, "y_train", train[1], values, known)
    others = _Gradients.of(asked, "y_test", test[1], values, known)
    if factor is not None:
        if solver not in ("auto", "cholesky"):
            raise ValueError(f"factor: goes with solver 'cholesky', not with {solver!r}")
        lower = _device.beside(fitted.X, matching_factor(factor, values, fitted.intercept).lower)
        return _Cross(points, others, lambda V: _dispatch.cholesky_solve_many(lower, V, count))
    hessian = LogisticHessian(fitted.X, coef, intercept, ridge, sample_weight=sample_weight, threads=threads)
    prepared = solvers.prepared(hessian, asked.shape[0], solver, _TOLERANCE, None, 0, None)
    return _Cross(points, others, lambda V: prepared.solve(V)[0])


def influence_matrix(
    X_train: Any,
    y_train: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    factor: HessianFactor | None = None,
    solver: str = "auto",
    threads: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """The influence of every training point on the loss of every test point, ``-g_test' H^-1 g_train``.

    About the change of the test point's loss as the training point's weight grows by one (Koh and Liang 2017, eq. 2):
    negative where the training point helps, positive where it harms.

    Parameters
    ----------
    X_train, X_test : (n_train, p) and (n_test, p) array-like or scipy.sparse CSR matrix, of float32 or float64
        The points that the model was fitted on, and others.
    y_train, y_test : (n_train,) and (n_test,) array-like
        Their labels.
    coef, intercept, l2, hessian_l2, damping, factor, threads
        The model and its Hessian, as in `loo_influence`.
    classes : (2,) or (K,) array-like or None
        As there; None: the sorted labels of `y_train`.
    sample_weight : (n_train,) array-like or None
        Weights of the training points in the fit: in H only, the gradients are of unweighted losses.
    solver : {"auto", "cholesky", "cg", "nystrom"}, default="auto"
        As in `inverse_hvp`; to a relative residual of 1e-10.
    out : (n_test, n_train) ndarray of float64 or None
        Where to put the result.

    Returns
    -------
    (n_test, n_train) ndarray of float64

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape, value or type, or labels are not among the classes.
    numpy.linalg.LinAlgError
        If H is singular to working precision: raise l2 or damping.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If an iterative solver did not converge.
    """
    cross = _cross(
        (X_train, y_train), (X_test, y_test), coef, intercept, l2, classes, sample_weight, hessian_l2, damping, factor,
        solver, threads,
    )  # fmt: skip
    result = _validate.output("out", out, cross.shape, cross.train.design.X)
    for chosen, rows, values in cross.tiles():
        result[chosen, rows] = _finite(values)
    return result


def _finite(values: Floats) -> Floats:
    if not _validate.all_finite(values):
        raise np.linalg.LinAlgError(
            "g_test' H^-1 g_train overflows: the Hessian is nearly singular; raise l2 or damping"
        )
    return values


def influence_topk(
    X_train: Any,
    y_train: ArrayLike,
    X_test: Any,
    y_test: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    k: int,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    hessian_l2: float | None = None,
    damping: float = 0.0,
    factor: HessianFactor | None = None,
    solver: str = "auto",
    threads: int | None = None,
) -> tuple[NDArray[np.intp], Floats]:
    """The k training points of the largest influence on each test point; the matrix is never held.

    Parameters
    ----------
    k : int
        At most n_train.
    X_train, y_train, ..., threads
        Those of `influence_matrix`; so are the errors.

    Returns
    -------
    indices : (n_test, k) ndarray of intp
        The largest |value| first; of equal ones the smaller index.
    values : (n_test, k) ndarray of float64
        Their influences, signed.
    """
    cross = _cross(
        (X_train, y_train), (X_test, y_test), coef, intercept, l2, classes, sample_weight, hessian_l2, damping, factor,
        solver, threads,
    )  # fmt: skip
    n_test, n_train = cross.shape
    k = _validate.integer("k", k, low=1, high=n_train)
    xp = _device.namespace(cross.train.design.X)
    indices, values = xp.empty((n_test, k), dtype=np.intp), xp.empty((n_test, k))
    best_indices, best = xp.empty((0, 0), dtype=np.intp), xp.empty((0, 0))  # of the test tile at hand, by index
    for chosen, rows, tile in cross.tiles():
        if rows.start == 0:
            best_indices, best = xp.empty((len(tile), 0), dtype=np.intp), xp.empty((len(tile), 0))
        places = np.broadcast_to(xp.arange(rows.start, rows.stop), tile.shape)
        best_indices, best = np.hstack([best_indices, places]), np.hstack([best, _finite(tile)])
        if best.shape[1] > k:
            kept = _largest(np.abs(best), k)
            best_indices, best = best_indices[kept].reshape(-1, k), best[kept].reshape(-1, k)
        if rows.stop == n_train:
            order = np.argsort(-np.abs(best), axis=1, kind="stable")
            indices[chosen] = np.take_along_axis(best_indices, order, axis=1)
            values[chosen] = np.take_along_axis(best, order, axis=1)
    return indices, values


def _largest(sizes: Floats, k: int) -> NDArray[np.bool_]:
    """Which k of every row are the largest; of equal ones the first."""
    least = np.partition(sizes, sizes.shape[1] - k, axis=1)[:, [sizes.shape[1] - k]]
    above, equal = sizes > least, sizes == least
    wanted = k - above.sum(axis=1, keepdims=True)
    kept: NDArray[np.bool_] = above | (equal & (equal.cumsum(axis=1) <= wanted))
    return kept
