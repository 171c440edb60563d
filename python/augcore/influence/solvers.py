"""Ways to solve H x = v with the Hessian of a logistic model: a factor, conjugate gradients, and two random estimates.

All work in Jacobi's scaling, D^-1/2 H D^-1/2 with D = diag(H), where that matters: the units of the features do not.
Random numbers are functions of a key and of their place, so that a seed gives one result on any number of threads.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from augcore import _device, _dispatch, _random, _validate

if TYPE_CHECKING:
    from augcore.influence.hessian import LogisticHessian

__all__ = ["EXACT", "SOLVERS", "Prepared", "SolverInfo", "prepared", "signs"]

Floats = NDArray[np.float64]

EXACT = ("cholesky", "cg", "nystrom")  # to `tol`
SOLVERS = ("auto", *EXACT, "lissa", "sketch")
_ON_GPU = ("cholesky", "cg")

_MAX_DENSE = 20_000  # coefficients: 3.2 GB
_ALWAYS_DENSE = 1024
_USUAL_ITERATIONS = 200  # what "auto" expects conjugate gradients to take
_RANK, _PROBES = 100, 256
_LISSA_STEPS, _LISSA_ROWS, _LISSA_REPEATS, _LISSA_RESIDUAL = 1000, 512, 4, 0.1
_POWER_STEPS = 30


@dataclass(frozen=True)
class SolverInfo:
    """What a solve took.

    Attributes
    ----------
    solver : str
        The one that was taken.
    iterations : int
        Products with H in turn, of all columns at a time; 0 for "cholesky".
    residuals : (b,) ndarray
        ``|v - H x| / |v|`` of every column, computed anew at the end; 0 for v = 0.
    error : (b,) ndarray or None
        An estimate of the relative error of every column, |x - H^-1 v| / |H^-1 v|, where the result is random: "lissa",
        from the spread of its repeats, and "sketch". Errors that all repeats share show in `residuals`.
    seconds : float
    """

    solver: str
    iterations: int
    residuals: Floats
    error: Floats | None
    seconds: float


Found = tuple[Floats, int, Floats | None]  # solution, iterations, estimated relative error
Apply = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Prepared:
    """A solver with what it can use again, such as a factor."""

    hessian: LogisticHessian
    name: str
    apply: Callable[[Floats], Found]
    wanted: float  # relative residual

    def solve(self, V: Floats) -> tuple[Floats, SolverInfo]:
        """H^-1 V for V (d, b)."""
        start = time.perf_counter()
        solution, iterations, error, residuals = self._solved(V)
        self._warn(residuals, iterations)
        return solution, SolverInfo(self.name, iterations, residuals, error, time.perf_counter() - start)

    def probes(self, key: _random.Words, m: int) -> tuple[Floats, int]:
        """m random vectors of covariance H^-1, (d, m), and the iterations that they took; by an exact solver.

        They are the solutions for vectors of covariance H, which lie in the range of H and so do not show that it is
        singular. One for a normal vector does: of that is left what H has no curvature for, about 1 / sqrt(d) of it
        for a single direction, and below the threshold once in a thousand times.
        """
        d = self.hessian.shape[0]
        right = np.column_stack([self.hessian.root_probes(key, m), _normals(key, 1, d, 1)])
        solution, iterations, _, residuals = self._solved(right)
        if (residuals[:-1] <= self.wanted).all() and not residuals[-1] <= max(self.wanted, 1e-3 / np.sqrt(d)):
            raise np.linalg.LinAlgError(
                f"the Hessian is singular to working precision, or nearly: {residuals[-1]:.2g} of a random vector is "
                "left after conjugate gradients; raise l2 or damping"
            )
        self._warn(residuals[:-1], iterations)
        return solution[:, :-1], iterations

    def _solved(self, V: Floats) -> tuple[Floats, int, Floats | None, Floats]:
        """The solution, what `apply` says, and relative residuals."""
        scale = np.abs(V).max(axis=0)  # columns of any size: their squares must not underflow
        scale[scale == 0.0] = 1.0
        scaled = V / scale
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            solution, iterations, error = self.apply(scaled) if V.shape[1] else (V.copy(), 0, None)
            residuals = _relative(scaled - self.hessian.product(solution), scaled)
            solution = solution * scale
        if not _validate.all_finite(solution):
            raise np.linalg.LinAlgError("H^-1 V overflows: the Hessian is nearly singular; raise l2 or damping")
        return solution, iterations, error, _device.host(residuals)

    def _warn(self, residuals: Floats, iterations: int) -> None:
        worst = float(residuals.max(initial=0.0))
        if not worst <= self.wanted:
            from sklearn.exceptions import ConvergenceWarning

            warnings.warn(
                f"solver {self.name!r} reached a relative residual of {worst:.2g} in {iterations} iterations, not "
                f"{self.wanted:.2g}; raise l2, damping, tol or max_iter, or take solver='cholesky'",
                ConvergenceWarning,
                stacklevel=5,
            )


def prepared(
    hessian: LogisticHessian,
    n_columns: int,
    solver: str,
    tol: float,
    max_iter: int | None,
    rng: _random.Rng,
    rank: int | None,
) -> Prepared:
    """The solver to take for so many columns; what can be reused is made once."""
    _validate.choice("solver", solver, SOLVERS)
    tol = _validate.real("tol", tol, low=0.0, high=1.0)
    d = hessian.shape[0]
    rank = None if rank is None else _validate.integer("rank", rank, low=1)
    steps = None if max_iter is None else _validate.integer("max_iter", max_iter, low=1)
    limit = steps or max(1000, 10 * d)
    key = _random.key(rng)
    name = _choose(hessian, n_columns) if solver == "auto" else solver
    if _device.is_device(hessian.design.X) and name not in _ON_GPU:
        raise ValueError(f"solver: expected 'auto', 'cholesky' or 'cg' for arrays on a GPU, got {name!r}")
    if name == "cholesky":
        lower, threads = hessian.factor.lower, hessian.design.threads
        return Prepared(hessian, name, lambda V: (_dispatch.cholesky_solve_many(lower, V, threads), 0, None), np.inf)
    if name == "lissa":
        wanted = max(tol, _LISSA_RESIDUAL)
        return Prepared(hessian, name, lambda V: _lissa(hessian, V, key, steps or _LISSA_STEPS), wanted)
    jacobi = _jacobi(hessian)
    if name in ("cg", "sketch"):
        gradients = Prepared(
            hessian, name, lambda V: _conjugate_gradients(hessian.product, lambda r: jacobi * r, V, tol, limit), tol
        )
        if name == "cg":
            return gradients
        return Prepared(hessian, name, lambda V: _sketch(gradients, V, key, rank or _PROBES), np.inf)
    levelled = _nystrom(hessian, jacobi, min(d, rank or _RANK), key)
    return Prepared(hessian, name, lambda V: _conjugate_gradients(hessian.product, levelled, V, tol, limit), tol)


def _choose(hessian: LogisticHessian, n_columns: int) -> str:
    """By size: the multiply-adds of a factor against those of the usual number of iterations."""
    d, C = hessian.shape[0], len(hessian.contrasts)
    if d <= _ALWAYS_DENSE:
        return "cholesky"
    one_product = 2 * hessian.design.n_products * C
    factor = one_product * hessian.design.shape[1] * (C + 1) / 8 + d**3 / 6
    return "cholesky" if d <= _MAX_DENSE and factor <= _USUAL_ITERATIONS * one_product * n_columns else "cg"


def _relative(residual: Floats, V: Floats) -> Floats:
    """Norms of columns, relative to those of V; 0 where both are 0."""
    size = np.linalg.norm(V, axis=0)
    relative: Floats = np.linalg.norm(residual, axis=0) / np.where(size > 0.0, size, 1.0)
    return relative


# ---- conjugate gradients ---------------------------------------------------------------------------------------------


def _jacobi(hessian: LogisticHessian) -> Floats:
    """1 / diag(H), (d, 1)."""
    with np.errstate(over="ignore", under="ignore"):
        diagonal = hessian.diagonal()
    if not (np.isfinite(diagonal) & (diagonal > np.finfo(float).tiny)).all():
        diagonal = _device.host(diagonal)
        place = int(np.argmin(np.where(np.isfinite(diagonal), diagonal, -1.0))) % hessian.design.shape[1]
        raise np.linalg.LinAlgError(
            f"the Hessian's diagonal is {diagonal[place]:.2g} at column {place} of X and the intercept, singular to "
            "working precision; raise l2 or damping, or drop or scale the feature"
        )
    return 1.0 / diagonal[:, None]


def _conjugate_gradients(product: Apply, preconditioner: Apply, V: Floats, tol: float, max_iter: int) -> Found:
    """Columns side by side, each until |v - H x| <= tol |v|; restarted from residuals that are computed anew."""
    solution = np.zeros_like(V)
    residual, iterations, before = V, 0, np.inf
    size = np.linalg.norm(V, axis=0)
    while True:
        left = np.flatnonzero(np.linalg.norm(residual, axis=0) > tol * size)
        worst = float(_relative(residual, V).max())
        if not len(left) or iterations >= max_iter or not worst < 0.5 * before:
            return solution, iterations, None  # the last: rounding is all that is left
        before = worst
        step, taken = _run(product, preconditioner, residual[:, left], 0.5 * tol * size[left], max_iter - iterations)
        solution[:, left] += step
        iterations += taken
        residual = V - product(solution)


def _run(product: Apply, preconditioner: Apply, V: Floats, wanted: Floats, max_iter: int) -> tuple[Floats, int]:
    """One run from zero (Hestenes and Stiefel 1952): columns leave it as they reach what is wanted."""
    solution = np.zeros_like(V)
    columns = _device.namespace(V).arange(V.shape[1])
    x, r = np.zeros_like(V), V.copy()
    z = preconditioner(r)
    p, rz = z, np.einsum("ij,ij->j", r, z)
    for iteration in range(max_iter):
        Hp = product(p)
        curvature = np.einsum("ij,ij->j", p, Hp)
        if not (curvature > 0.0).all():
            raise np.linalg.LinAlgError(
                "conjugate gradients met a direction without curvature: the Hessian is singular to working precision, "
                "or overflows; raise l2 or damping"
            )
        alpha = rz / curvature
        x += alpha * p
        r -= alpha * Hp
        going = np.linalg.norm(r, axis=0) > wanted
        if not going.all():
            solution[:, columns[~going]] = x[:, ~going]
            columns, wanted, rz = columns[going], wanted[going], rz[going]
            x, r, p = x[:, going], r[:, going], p[:, going]
            if not len(columns):
                return solution, iteration + 1
        z = preconditioner(r)
        last, rz = rz, np.einsum("ij,ij->j", r, z)
        p = z + (rz / last) * p
    solution[:, columns] = x
    return solution, max_iter


def _nystrom(hessian: LogisticHessian, jacobi: Floats, rank: int, key: _random.Words) -> Apply:
    """Nystrom's preconditioner: the largest eigenvalues of H from `rank` random products, levelled.

    Frangella, Tropp and Udell, "Randomized Nystrom preconditioning", SIAM J. Matrix Anal. Appl. 44 (2023), algorithms
    2.1 and 3: of the data's part of the Hessian in Jacobi's scaling, the ridge's mean standing for the ridge.
    """
    root = np.sqrt(jacobi)
    test = np.linalg.qr(_normals(key, 0, hessian.shape[0], rank))[0]
    image = root * hessian.data_product(root * test)
    shift = np.sqrt(len(test)) * np.finfo(float).eps * np.linalg.norm(image)
    image += shift * test
    core = test.T @ image
    values, vectors = np.linalg.eigh((core + core.T) / 2)
    kept = values > 0.5 * shift
    # B B' = Y (T' Y)^-1 Y', by the eigenvectors of the core, which may be singular
    U, sizes, _ = np.linalg.svd(image @ (vectors[:, kept] / np.sqrt(values[kept])), full_matrices=False)
    ridge = float(np.mean(hessian.ridge * jacobi[:, 0]))
    found = np.maximum(sizes**2 - shift, 0.0) + ridge
    found = np.maximum(found, np.finfo(float).eps * found.max(initial=1.0))
    pull = (found.min(initial=1.0) / found - 1.0)[:, None]
    return lambda r: jacobi * r + root * (U @ (pull * (U.T @ (root * r))))


# ---- random estimates ------------------------------------------------------------------------------------------------


def _lissa(hessian: LogisticHessian, V: Floats, key: _random.Words, steps: int) -> Found:
    """x <- x + (v - H_B x) / s with the Hessians H_B of random rows, averaged over the second half of the steps.

    Agarwal, Bullins and Hazan, "Second-order stochastic optimization for machine learning in linear time", JMLR 18
    (2017). With at least s = largest eigenvalue + n max_i |H_i| / |B| the mean square contracts: E[(I - H_B / s)^2]
    <= I - H / s, as E[H_B^2] <= H^2 + n max_i |H_i| / |B| H.
    """
    root = np.sqrt(_jacobi(hessian))
    n, b = hessian.design.shape[0], V.shape[1]
    batch = min(n, _LISSA_ROWS)
    goal = np.tile(root * V, _LISSA_REPEATS)
    scale = 1.1 * _largest_eigenvalue(hessian, root, key) + n / max(1, batch) * _largest_term(hessian, root)
    x = goal / scale
    mean = np.zeros_like(x)
    tail = max(1, steps // 2)
    for step in range(steps):
        product = hessian.ridge[:, None] * (root * x)
        for repeat in range(_LISSA_REPEATS if batch else 0):
            part = slice(repeat * b, repeat * b + b)
            words = _words(key, 2, step, np.arange(repeat * batch, repeat * batch + batch))
            rows = _random.below(words, n) if batch < n else slice(None)
            product[:, part] += n / batch * hessian.rows_product(rows, root * x[:, part])
        x = x + (goal - root * product) / scale
        if step >= steps - tail:
            mean += x / tail
    repeats = (root * mean).reshape(len(V), _LISSA_REPEATS, b)
    solution = repeats.mean(axis=1)
    spread = np.sqrt(repeats.var(axis=1, ddof=1) / _LISSA_REPEATS)
    return solution, steps, _relative(spread, solution)


def _largest_eigenvalue(hessian: LogisticHessian, root: Floats, key: _random.Words) -> float:
    """Of root H root, by the power method; a little below it."""
    vector = _normals(key, 1, hessian.shape[0], 1)
    found = 0.0
    for _ in range(_POWER_STEPS):
        vector = vector / np.linalg.norm(vector)
        vector = root * hessian.product(root * vector)
        found = float(np.linalg.norm(vector))
    return found


def _largest_term(hessian: LogisticHessian, root: Floats) -> float:
    """A bound of the largest eigenvalue that one point gives to root H root."""
    C, q = len(hessian.contrasts), hessian.design.shape[1]
    squares = (root.reshape(C, q) ** 2).max(axis=0)[:, None]
    largest = 0.0
    for rows in hessian.design.blocks(q):
        design = hessian.design.rows(rows)
        p = q - design.intercept
        norms = design.squared().dot(squares[:p])[:, 0] + squares[p:].sum()
        largest = max(largest, float((hessian.spread[rows] * norms).max(initial=0.0)))
    return largest


def _sketch(solver: Prepared, V: Floats, key: _random.Words, m: int) -> Found:
    """The mean of w w' V over m random w of covariance H^-1.

    In the norm of H its relative error is sqrt((d + 1) / m), d coefficients, which is what it says.
    """
    w, iterations = solver.probes(key, m)
    return w @ (w.T @ V) / m, iterations, np.full(V.shape[1], np.sqrt((len(V) + 1) / m))


def _words(key: _random.Words, stream: int, draw: int, places: NDArray[Any]) -> _random.Words:
    return _dispatch.keyed_words(key, places.astype(np.int64, copy=False), (draw, stream, _random.SOLVERS))


def _normals(key: _random.Words, stream: int, n: int, columns: int) -> Floats:
    """Standard normal numbers, (n, columns)."""
    places = np.arange(n)
    drawn = [_random.normals(_random.open_uniforms(_words(key, stream, j, places))) for j in range(columns)]
    return np.column_stack(drawn)


def signs(key: _random.Words, stream: int, places: NDArray[Any], columns: int) -> Floats:
    """-1 and 1 at random, (places, columns): functions of the key, the stream and the place."""
    words = [_words(key, 3 + stream, j, places) for j in range((columns + 63) // 64)]
    bits = np.hstack([word[:, None] >> np.arange(64, dtype=np.uint64) for word in words])[:, :columns]
    return 2.0 * (bits & np.uint64(1)).astype(np.float64) - 1.0
