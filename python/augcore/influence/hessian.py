"""The Hessian of a logistic model as an operator: products with it, never the matrix unless it is asked for.

    H V = sum_i w_i X_i' S_i X_i V + ridge V

goes over blocks of rows. S_i is p (1 - p) in the binary case and E (diag(p) - p p') E' in the K - 1 contrasts of a
softmax model (`augcore._multinomial`): row k q + j of H belongs to contrast k and to column j of (X, 1).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _dispatch, _multinomial, _random, _validate, _validate_models
from augcore.influence import solvers
from augcore.influence.design import Design, logits
from augcore.influence.forms import penalty
from augcore.linear_model import HessianFactor

__all__ = ["LogisticHessian", "inverse_hvp", "sketched_quadratic_form"]

Floats = NDArray[np.float64]


class LogisticHessian:
    """The Hessian of ``sum_i w_i loss_i + (l2 + damping)/2 |coef|^2``, the intercept not penalised, as an operator.

    Parameters
    ----------
    X : (n, p) array-like or scipy.sparse CSR matrix, of float32 or float64
        Points that the model was fitted on. A sparse matrix is never made dense beyond a block of rows. With a CuPy
        array, products and solutions ("cholesky" and "cg") are CuPy arrays too.
    coef : (p,), (1, p) or (K, p) array-like
        Coefficients: binary, or softmax with one row for each class.
    intercept : float, (1,) or (K,) array-like, or None, default=0.0
        As in `loo_influence`: for K rows of `coef`, K numbers or 0.0. None if the model has none, so that H has no
        row for it.
    l2, damping : float, default=0.0
        Both are added to the diagonal, the intercept's aside.
    sample_weight : (n,) array-like or None
        Weights of the points in the fit.
    threads : int or None
        Threads of the kernels; None means the global setting. Results do not depend on it.

    Attributes
    ----------
    shape : (d, d)
        d is q, the number of columns plus one for the intercept, which is last. For a softmax model d is (K - 1) q: it
        lives in the contrasts E W of the coefficients W, with the orthonormal rows E of ``contrasts``, and entry
        k q + j belongs to contrast k and column j. H in all K q coefficients is singular; in the contrasts it is not.
    dtype : float64
    contrasts : (K - 1, K) ndarray
        E; [[1.0]] for a binary model.

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape, value or type.
    """

    dtype = np.dtype(np.float64)

    def __init__(
        self,
        X: Any,
        coef: ArrayLike,
        intercept: ArrayLike | None = 0.0,
        l2: float = 0.0,
        *,
        sample_weight: ArrayLike | None = None,
        damping: float = 0.0,
        threads: int | None = None,
    ) -> None:
        self.design = Design.of("X", X, intercept is not None, _validate.threads(threads))
        n, q = self.design.shape
        X, xp = self.design.X, _device.namespace(self.design.X)
        coefficients = _validate_models.model_coefficients(coef, intercept, q - self.design.intercept, X)
        weight = _validate.sample_weight("sample_weight", sample_weight, n, X)
        ridge_of_features = penalty(l2, None, damping)
        eta = logits(self.design, coefficients)
        self.weight: Floats = xp.ones(n) if weight is None else weight
        self.probabilities: Floats | None = None
        if len(coefficients) == 1:
            self.contrasts = np.ones((1, 1))
            self.spread = self.weight * _dispatch.curvature(_validate.contiguous("X", eta[:, 0]), self.design.threads)
        else:
            self.contrasts = _multinomial.contrasts(len(coefficients))
            p = self.probabilities = _multinomial.probabilities(eta)
            self.spread = self.weight * _one_sided(p)
        ridge = np.full(q, ridge_of_features)
        ridge[q - self.design.intercept :] = 0.0
        self.ridge: Floats = np.tile(ridge, len(self.contrasts))
        self.shape = len(self.ridge), len(self.ridge)

    def __repr__(self) -> str:
        n, q = self.design.shape
        kind = "binary" if self.probabilities is None else f"{len(self.contrasts) + 1} classes"
        return f"<{self.shape[0]} x {self.shape[1]} LogisticHessian of {n} points, {q} coefficients, {kind}>"

    def __matmul__(self, V: ArrayLike) -> Floats:
        return self.matvec(V)

    def matvec(self, V: ArrayLike) -> Floats:
        """H V for V of shape (d,) or (d, b).

        Raises
        ------
        ValueError
            If V has another shape, or contains NaN or infinity.
        """
        values = self.right_hand_sides(V)
        return self.product(values) if values.ndim == 2 else self.product(values[:, None])[:, 0]

    def right_hand_sides(self, V: ArrayLike) -> Floats:
        """V checked: (d,) or (d, b)."""
        device = _device.is_device(self.design.X)
        found = _validate.array("V", V, device=device)
        values = _validate.real_array("V", found, ndim=2 if found.ndim == 2 else 1, device=device)
        if len(values) != self.shape[0]:
            raise ValueError(f"V: expected shape ({self.shape[0]},) or ({self.shape[0]}, b), got {values.shape}")
        doubles: Floats = _validate.magnitudes("V", values).astype(np.float64)
        return _device.upload(doubles) if device else doubles

    def product(self, V: Floats) -> Floats:
        """H V for V (d, b), not checked."""
        return self.data_product(V) + self._ridge_beside(V)[:, None] * V

    def _ridge_beside(self, values: Floats) -> Floats:
        """The ridge where values are."""
        ridge: Floats = _device.beside(values, self.ridge)
        return ridge

    def data_product(self, V: Floats) -> Floats:
        """H V without the ridge."""
        total = np.zeros_like(V)
        for rows in self.design.blocks(len(self.contrasts[0]) * V.shape[1]):
            total += self.rows_product(rows, V)
        return total

    def rows_product(self, rows: slice | NDArray[Any], V: Floats) -> Floats:
        """What these points add to H V."""
        design, b = self.design.rows(rows), V.shape[1]
        moved = self.row_products(design, V)
        if self.probabilities is None:
            bent = self.spread[rows, None, None] * moved
        else:
            contrasts = _device.beside(moved, self.contrasts)
            bent = contrasts @ _curved(self.probabilities[rows], contrasts.T @ moved)
            bent *= self.weight[rows, None, None]
        return self._tall(design.transposed_dot(bent.reshape(len(bent), len(self.contrasts) * b)), b)

    def _wide(self, V: Floats) -> Floats:
        """(C q, b) as (q, C b): one product with the design serves all contrasts."""
        C, q, b = len(self.contrasts), self.design.shape[1], V.shape[1]
        return _validate.contiguous("V", V.reshape(C, q, b).transpose(1, 0, 2)).reshape(q, C * b)

    def _tall(self, V: Floats, b: int) -> Floats:
        C, q = len(self.contrasts), self.design.shape[1]
        return V.reshape(q, C, b).transpose(1, 0, 2).reshape(C * q, b)

    def row_products(self, design: Design, V: Floats) -> Floats:
        """x' V_k of every row of a design and every contrast: (n, C, b)."""
        return design.dot(self._wide(V)).reshape(design.shape[0], len(self.contrasts), V.shape[1])

    def diagonal(self) -> Floats:
        """The diagonal of H: (d,)."""
        C, (_, q) = len(self.contrasts), self.design.shape
        total: Floats = _device.namespace(self.design.X).zeros((q, C))
        own = [k * (k + 3) // 2 for k in range(C)]  # places of S_kk in the packed triangle
        for rows in self.design.blocks(C * (C + 1) // 2 + q):
            weight = self._packed(rows)[:, own]
            squares = self.design.rows(rows).squared().transposed_dot(weight)
            total += np.vstack([squares, weight.sum(axis=0)]) if self.design.intercept else squares
        return total.T.reshape(-1) + self._ridge_beside(total)

    def _packed(self, rows: slice) -> Floats:
        """w S of these points, the lower triangle packed as in `_multinomial.pairs`."""
        if self.probabilities is None:
            return self.spread[rows, None]
        return _multinomial.curvature(self.probabilities[rows]) * self.weight[rows, None]

    def dense(self) -> Floats:
        """H as a matrix: (d, d)."""
        C, (_, q) = len(self.contrasts), self.design.shape
        blocks = self.design.blocks(C * (C + 1) // 2)
        matrix = _multinomial.summed_curvatures(
            ((self._packed(rows), self.design.rows(rows).gram) for rows in blocks), C, q, self.design.X
        )
        matrix[np.diag_indices_from(matrix)] += self._ridge_beside(matrix)
        return matrix

    @cached_property
    def factor(self) -> HessianFactor:
        """The Cholesky factor of H, made when it is first asked for."""
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = self.dense()
        if not _validate.all_finite(matrix):
            raise np.linalg.LinAlgError("the Hessian overflows; scale X or sample_weight")
        return HessianFactor.of(matrix, self.design.intercept, len(self.contrasts), self.design.threads)

    def root_probes(self, key: _random.Words, n_probes: int) -> Floats:
        """Vectors with mean 0 and covariance H: (d, n_probes).

        sum_i sqrt(w_i) sum_k sqrt(p_ik) z_ik c_ik x_i + sqrt(ridge) u with random signs z and u; in the binary case
        sum_i sqrt(w_i p_i (1 - p_i)) z_i x_i.
        """
        K = 1 if self.probabilities is None else self.contrasts.shape[1]
        C, n = len(self.contrasts), self.design.shape[0]
        total = np.sqrt(self.ridge)[:, None] * solvers.signs(key, 0, np.arange(self.shape[0]), n_probes)
        for rows in self.design.blocks(3 * K * n_probes):
            points = np.arange(n)[rows]
            z = np.stack([solvers.signs(key, 1 + k, points, n_probes) for k in range(K)], axis=1)
            if self.probabilities is None:
                bent = np.sqrt(self.spread[rows])[:, None, None] * z
            else:
                p = self.probabilities[rows]
                z *= np.sqrt(p)[:, :, None]
                z -= p[:, :, None] * z.sum(axis=1, keepdims=True)
                bent = self.contrasts @ z * np.sqrt(self.weight[rows])[:, None, None]
            total += self._tall(self.design.rows(rows).transposed_dot(bent.reshape(len(bent), C * n_probes)), n_probes)
        return total

    def solve(
        self,
        V: ArrayLike,
        solver: str = "auto",
        tol: float = 1e-8,
        rng: _random.Rng = None,
        *,
        max_iter: int | None = None,
        rank: int | None = None,
        return_info: bool = False,
    ) -> Any:
        """H^-1 V; parameters, result and errors are those of `inverse_hvp`."""
        values = self.right_hand_sides(V)
        columns = values if values.ndim == 2 else values[:, None]
        found, info = solvers.prepared(self, columns.shape[1], solver, tol, max_iter, rng, rank).solve(columns)
        solution = found.reshape(values.shape)
        return (solution, info) if return_info else solution

    def as_linear_operator(self) -> Any:
        """H as a `scipy.sparse.linalg.LinearOperator`."""
        from scipy.sparse.linalg import LinearOperator

        call = self.matvec
        return LinearOperator(self.shape, matvec=call, rmatvec=call, matmat=call, rmatmat=call, dtype=self.dtype)


def _one_sided(p: Floats) -> Floats:
    """trace(diag(p) - p p') = sum_k p_k (1 - p_k), without cancellation: at least the largest eigenvalue."""
    others = p.copy()
    rows, top = _device.namespace(p).arange(len(p)), p.argmax(axis=1)
    others[rows, top] = 0.0
    rest = others.sum(axis=1)
    spread: Floats = p[rows, top] * rest + (others * (1.0 - others)).sum(axis=1)
    return spread


def _curved(p: Floats, u: Floats) -> Floats:
    """(diag(p) - p p') u of every point, p (n, K) and u (n, K, b): p_k (u_k - mean), from the likeliest class's u.

    The differences make it exact where p is nearly 1.
    """
    shifted = u - np.take_along_axis(u, p.argmax(axis=1)[:, None, None], axis=1)
    shifted -= p[:, None] @ shifted
    shifted *= p[:, :, None]
    return shifted


def inverse_hvp(
    X: Any,
    V: ArrayLike,
    coef: ArrayLike,
    intercept: ArrayLike | None = 0.0,
    l2: float = 0.0,
    *,
    sample_weight: ArrayLike | None = None,
    damping: float = 0.0,
    solver: str = "auto",
    tol: float = 1e-8,
    max_iter: int | None = None,
    rng: _random.Rng = None,
    rank: int | None = None,
    threads: int | None = None,
    return_info: bool = False,
) -> Any:
    """The inverse Hessian of a logistic model times vectors, H^-1 V.

    Parameters
    ----------
    X, coef, intercept, l2, sample_weight, damping, threads
        What H is made of: see `LogisticHessian`.
    V : (d,) or (d, b) array-like
        Vectors; for a softmax model in its K - 1 contrasts.
    solver : {"auto", "cholesky", "cg", "nystrom", "lissa", "sketch"}, default="auto"
        - "cholesky" factors H as a matrix; for d up to about 20,000.
        - "cg" is the method of conjugate gradients with Jacobi's preconditioner, all vectors at a time.
        - "nystrom" is the same with a randomized Nystrom preconditioner of `rank` (Frangella, Tropp and Udell 2023).
        - "lissa" is a stochastic recursion (Agarwal, Bullins and Hazan 2017): rough.
        - "sketch" averages w w' V over random w of covariance H^-1: rough, and worth it for the sums of many points
          only, see `sketched_quadratic_form`.
        - "auto" takes "cholesky" where H is small, or cheaper to factor than to iterate with, else "cg"; never
          "nystrom", which pays where the spectrum falls fast, and that is not known beforehand.
    tol : float, default=1e-8
        "cg" and "nystrom" (and "sketch" within) stop a column where ``|V - H solution| <= tol |V|``.
    max_iter : int or None
        Iterations at most: None means 10 d and at least 1000 with "cg" and "nystrom"; 1000 with "lissa", which does all
        of them.
    rng : int, numpy.random.Generator or None
        For "nystrom", "lissa" and "sketch". The same int gives the same result.
    rank : int or None
        The rank of the preconditioner of "nystrom" (None: 100), or the number of probes of "sketch" (None: 256).
    return_info : bool, default=False
        Whether to return a `SolverInfo` too: the solver that was taken, its iterations, relative residuals, estimated
        relative error and seconds.

    Returns
    -------
    (d,) or (d, b) ndarray of float64, and with `return_info` a `SolverInfo`

    Raises
    ------
    ValueError, TypeError
        If an argument has a wrong shape, value or type.
    numpy.linalg.LinAlgError
        If H is singular to working precision: raise l2 or damping.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `tol` was not reached; with "lissa", if the relative residual is above 0.1. It says what was reached.
    """
    hessian = LogisticHessian(X, coef, intercept, l2, sample_weight=sample_weight, damping=damping, threads=threads)
    return hessian.solve(V, solver, tol, rng, max_iter=max_iter, rank=rank, return_info=return_info)


def sketched_quadratic_form(
    hessian: LogisticHessian,
    X: Any,
    n_probes: int = 256,
    rng: _random.Rng = None,
    *,
    solver: str = "auto",
    tol: float = 1e-6,
) -> tuple[Floats, Floats]:
    """x' H^-1 x of many points by random probes, without a solve for each of them.

    With g of mean 0 and covariance H, ``w = H^-1 g`` has covariance H^-1, so that the mean of (x' w)^2 over m probes is
    an unbiased estimate of x' H^-1 x. The g are sums over the points of H with random signs. Costs m solves and one
    product with X, instead of one solve for each point.

    Parameters
    ----------
    hessian : LogisticHessian
    X : (n, p) array-like or scipy.sparse CSR matrix
        Points, with the columns of the Hessian's.
    n_probes : int, default=256
        m.
    rng : int, numpy.random.Generator or None
        The same int gives the same result, whatever the number of threads.
    solver, tol
        Of the m solves: "cholesky", "cg", "nystrom" or "auto", see `inverse_hvp`.

    Returns
    -------
    estimate : (n,) ndarray of float64
        Of a softmax model (n, K - 1, K - 1): A_kl = x' (H^-1)_kl x in the contrasts.
    standard_error : ndarray of float64
        Of the same shape: ``sqrt(2/m) estimate``; in general ``sqrt((A_kk A_ll + A_kl^2) / m)``, that of normal w.
        Random signs have no larger one.

    Raises
    ------
    ValueError, TypeError, numpy.linalg.LinAlgError
        As `inverse_hvp`.
    """
    if not isinstance(hessian, LogisticHessian):
        raise TypeError(f"hessian: expected a LogisticHessian, got {_validate.describe(hessian)}")
    fitted = hessian.design
    design = Design.of("X", X, fitted.intercept, fitted.threads, columns=fitted.X.shape[1])
    m = _validate.integer("n_probes", n_probes, low=1)
    _validate.choice("solver", solver, ("auto", *solvers.EXACT))
    w, _ = solvers.prepared(hessian, m, solver, tol, None, 0, None).probes(_random.key(rng), m)
    C = len(hessian.contrasts)
    estimate = np.empty((design.shape[0], C, C))
    for rows in design.blocks(C * m):
        found = hessian.row_products(design.rows(rows), w)
        estimate[rows] = np.einsum("nkb,nlb->nkl", found, found) / m
    own = np.einsum("nkk->nk", estimate)
    error = np.sqrt((own[:, :, None] * own[:, None, :] + estimate**2) / m)
    return (estimate[:, 0, 0], error[:, 0, 0]) if hessian.probabilities is None else (estimate, error)
