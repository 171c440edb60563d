"""Determinantal point processes of a fixed size: sets of k points that are good and unlike each other.

A k-DPP with the kernel L, symmetric and positive semidefinite, draws the set S of k of n points with probability
det L_S / e_k, L_S being the rows and columns of S, and e_k the k-th elementary symmetric polynomial of the eigenvalues
of L (Kulesza and Taskar, "Determinantal point processes for machine learning", 2012). A diagonal L draws sets by the
product of its entries; large entries off the diagonal keep points apart.

    the kernel                              set-up                      a draw
    L                                       eigenvalues of n x n        O(k^3 + n k)
    diag|s| phi phi' diag|s| + jitter I     an SVD of n x p: O(n p^2)   O(k^3 + n k), or O(k^3) where n is far above p;
                                                                        for k' points of the jitter O(n p k') more

Draws are exact, but for rounding.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _device, _dispatch, _projection, _random, _validate
from augcore._random import Rng

__all__ = ["KDPP", "greedy_map", "k_dpp"]

Floats = NDArray[np.float64]
Points = NDArray[np.intp]

_UNIT = float(np.finfo(np.float64).eps)
_MAX_WORDS = 2**60 - 1  # in an array


def _zero(size: int, unit: float = _UNIT) -> float:
    """What may come of rounding beside 1, in an eigenvalue of a matrix of that size."""
    return (size + 10) * unit


def k_dpp(L: ArrayLike, k: int, rng: Rng = None, *, project: bool = False) -> Points:
    """Draw k distinct points from the k-DPP with kernel L.

    Parameters
    ----------
    L : (n, n) array-like of float32, float64 or integers
        Symmetric and positive semidefinite.
    k : int
        0 to the rank of L.
    rng : int, numpy.random.Generator or None
        An int gives the same draw each time.
    project : bool, default=False
        Whether an indefinite L is replaced by the nearest kernel: its negative eigenvalues by 0.

    Returns
    -------
    (k,) ndarray of intp
        The points in rising order.

    Raises
    ------
    ValueError
        As `KDPP` and `KDPP.sample`.
    TypeError
        If an argument has a wrong type or dtype.

    See Also
    --------
    KDPP : computes the eigenvalues once, for many draws.

    Examples
    --------
    >>> import numpy as np
    >>> from augcore import dpp
    >>> alike = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> 2 in dpp.k_dpp(alike, 2, rng=0)  # the first two are equal, so one of them is drawn
    True
    """
    shape = np.shape(_validate.array("L", L))
    _validate.integer("k", k, 0, shape[0] if len(shape) == 2 else None)  # before what takes long
    return KDPP(L, project=project).sample(k, rng)


def greedy_map(L: ArrayLike, k: int) -> Points:
    """Choose k points one by one, each the one that makes det L_S largest: a likely set of the k-DPP, nothing random.

    Parameters
    ----------
    L : (n, n) array-like of float32, float64 or integers
        Symmetric and positive semidefinite. No eigenvalues are computed.
    k : int
        0 to the rank of L.

    Returns
    -------
    (k,) ndarray of intp
        The points in the order of choice: the first j of them are the choice of j. Of equally good points the first.

    Raises
    ------
    ValueError
        If L is not square, not symmetric, has NaN or infinity, or is seen to be indefinite; if k is negative, above n
        or above the rank.
    TypeError
        If an argument has a wrong type or dtype.

    Notes
    -----
    An incremental Cholesky factor (Chen, Zhang and Zhou, "Fast greedy MAP inference for determinantal point processes
    to improve recommendation diversity", 2018), brought up to date only for points that may be next: O(n k^2) at most.

    Examples
    --------
    >>> from augcore import dpp
    >>> dpp.greedy_map([[3.0, 2.9, 0.0], [2.9, 3.0, 0.0], [0.0, 0.0, 1.0]], 2)
    array([0, 2])
    """
    kernel, unit = _validate.kernel("L", L)
    return _greedy(_ldexp(kernel, -_exponent(kernel)), True, 0.0, _zero(len(kernel), unit), k)


class KDPP:
    """k-DPPs with one kernel: its eigenvalues are computed once, for draws of any size.

    Parameters
    ----------
    L : (n, n) array-like of float32, float64 or integers, optional
        Symmetric and positive semidefinite.
    features : (n, p) array-like of float32, float64 or integers, optional
        phi, instead of L = phi phi'. No n x n matrix is made of it.
    scores : (n,) array-like, optional
        s: the kernel is diag|s| L diag|s|. The sign does not matter.
    jitter : float, default=0.0
        Added to the diagonal, after the scores. Of features any above 0 makes the rank n; of L it is one more rounded
        summand of the matrix, so that one lost beside its entries is as good as none.
    project : bool, default=False
        Whether an indefinite kernel is replaced by the nearest one: its negative eigenvalues by 0. A kernel of features
        has none.

    Attributes
    ----------
    n : int
        The number of points.
    rank : int
        The number of eigenvalues above 0: the largest k.

    Raises
    ------
    ValueError
        If both or neither of L and features are given; L is not square, not symmetric or indefinite; lengths do not
        match; there is NaN or infinity; the jitter is negative, or so small beside the kernel that a float cannot hold
        their ratio.
    TypeError
        If an argument has a wrong type or dtype.

    Notes
    -----
    An eigenvalue of L counts as 0 within (n + 10) u of the largest in size, u being the unit of rounding of the dtype
    of L (2.2e-16, float32 1.2e-7); a singular value of the features within (max(n, p) + 10) 2.2e-16 of the largest.
    Everything is computed in float64, in units in which the kernel is about 1, so any scale that floats have will do.

    A draw is a function of the kernel, k and rng, for any number of threads. Machines on which NumPy's BLAS or the
    instruction set of augcore differ round differently: their draws differ where a random number is within about 1e-13
    of a limit.

    Examples
    --------
    >>> import numpy as np
    >>> from augcore import dpp
    >>> points = dpp.KDPP(features=np.eye(4), scores=[1.0, 1.0, 1.0, 0.0])
    >>> points.rank
    3
    >>> points.sample(3, rng=0)
    array([0, 1, 2])
    >>> points.log_prob([0, 1, 2])
    0.0
    """

    def __init__(
        self,
        L: ArrayLike | None = None,
        *,
        features: ArrayLike | None = None,
        scores: ArrayLike | None = None,
        jitter: float = 0.0,
        project: bool = False,
    ) -> None:
        if (L is None) == (features is None):
            raise ValueError("L: give either L or features, " + ("not both" if features is not None else "one of them"))
        jitter = _validate.real("jitter", jitter, 0.0)
        project = _validate.flag("project", project)
        if features is None:
            self._points, self._spectrum, self._tolerance = _of_matrix(L, scores, jitter, project)
            self._jitter, self._is_kernel = 0.0, True  # it is in the matrix
        else:
            self._points, self._jitter = _rows(features, scores, jitter)
            self._spectrum = _of_rows(self._points, self._jitter)
            self._tolerance, self._is_kernel = _zero(max(self._points.shape)), False
        self.n = len(self._points)
        self._is_on_gpu = _device.is_device(self._points)
        self.rank = self.n if self._spectrum.rest > 0 else len(self._spectrum.eigenvalues)
        self._ratios = np.empty((len(self._spectrum.eigenvalues) + 1, 0))

    def sample(self, k: int, rng: Rng = None, *, size: int | None = None, threads: int | None = None) -> Points:
        """Draw k distinct points, or `size` independent sets of them.

        Parameters
        ----------
        k : int
            0 to the rank.
        rng : int, numpy.random.Generator or None
            An int gives the same draw each time.
        size : int, optional
            How many sets. The first of them is the draw without `size`, and more sets begin with the same ones.
        threads : int, optional

        Returns
        -------
        (k,) or (size, k) ndarray of intp
            The points of each set in rising order.

        Raises
        ------
        ValueError
            If k is negative, above n or above the rank.
        TypeError
            If an argument has a wrong type.
        """
        k = self._checked_size(k, "drawn")
        draws = 1 if size is None else _validate.integer("size", size, 0, _MAX_WORDS // max(1, k))
        threads, key = _validate.threads(threads), _random.key(rng)
        sets = self._spectrum.kernel().sample(self._elementary_ratios(k), k, key, 0, draws, threads)
        return sets if size is not None else sets[0]

    def log_prob(self, subset: ArrayLike) -> float:
        """The logarithm of the probability of a set, among those of its size.

        Parameters
        ----------
        subset : (k,) array-like of integers
            Distinct points, in any order.

        Returns
        -------
        float
            log det L_S - log e_k; -inf where det L_S is 0 to working precision, so for all sets above the rank.

        Raises
        ------
        ValueError
            If a point is not in 0 to n - 1, or is there twice.
        TypeError
            If the points are no integers.
        """
        points = _validate.subset("subset", subset, self.n)
        if len(points) > self.rank:
            return -math.inf
        return self._log_det(points) - float(np.log(self._elementary_ratios(len(points))[-1, : len(points)]).sum())

    def greedy_map(self, k: int) -> Points:
        """Choose k points one by one, each the one that makes det L_S largest: see `greedy_map`.

        Parameters
        ----------
        k : int
            0 to the rank.

        Returns
        -------
        (k,) ndarray of intp
            The points in the order of choice.

        Raises
        ------
        ValueError
            If k is negative, above n or above the rank.
        TypeError
            If k is no integer.
        """
        if self._is_on_gpu:
            raise TypeError("features: are on a GPU; a greedy choice needs them in main memory: pass cupy.asnumpy(...)")
        k = self._checked_size(k, "chosen")
        return _greedy(self._points, self._is_kernel, self._jitter, self._tolerance, k)

    def _checked_size(self, k: int, how: str) -> int:
        k = _validate.integer("k", k, 0, self.n)
        if k > self.rank:
            raise ValueError(f"k: {k} points cannot be {how} from a kernel of rank {self.rank}")
        return k

    def _elementary_ratios(self, k: int) -> Floats:
        """At least k columns: kept, since smaller sizes need no others."""
        ratios = self._ratios  # another thread may put other ones there
        if ratios.shape[1] < k:
            self._ratios = ratios = self._spectrum.kernel().elementary_ratios(k)
        return ratios

    def _log_det(self, points: NDArray[np.int64]) -> float:
        """Of the rows and columns of some points."""
        k = len(points)
        if self._is_kernel:
            factor = self._points[np.ix_(points, points)]
            if _dispatch.cholesky(factor, 0) >= 0:
                return -math.inf
            return 2.0 * float(np.log(np.diagonal(factor)).sum())
        rows = _device.host(self._points[_device.upload(points)] if self._is_on_gpu else self._points[points])
        both = np.vstack([rows.T, math.sqrt(self._jitter) * np.eye(k)]) if self._jitter else rows.T
        pivots = np.zeros(k)
        pivots[: min(both.shape)] = np.abs(np.diagonal(np.linalg.qr(both, mode="r")))
        if (pivots > self._tolerance * np.linalg.norm(both, axis=0)).all():
            return 2.0 * float(np.log(pivots).sum())
        if not self._jitter:
            return -math.inf
        # A jitter that is lost in the rounding of the rows: it is all that there is where they have no singular value.
        sizes = np.zeros(k)
        sizes[: min(rows.shape)] = np.linalg.svd(rows, compute_uv=False)
        sizes[sizes <= self._tolerance * sizes[0]] = 0.0
        return float(np.log(sizes**2 + self._jitter).sum())


# ---- kernels and their eigenvalues -----------------------------------------------------------------------------------


class _Spectrum:
    """V diag(eigenvalues) V' + rest (I - V V'), in units of its own: what _dispatch.SpectralKernel takes."""

    def __init__(self, vectors: Floats, eigenvalues: Floats, rest: float = 0.0) -> None:
        self.vectors, self.eigenvalues, self.rest = _validate.contiguous("features", vectors), eigenvalues, rest
        self._leverage = np.einsum("ij,ij->i", vectors, vectors).cumsum()
        self._reflector = _reflector(self.vectors) if rest > 0 else None

    def kernel(self) -> _dispatch.SpectralKernel | _projection.SpectralKernel:
        parts = self.vectors, self.eigenvalues, self.rest, self._leverage, self._reflector
        if _device.is_device(self.vectors):
            return _projection.SpectralKernel(*parts)
        return _dispatch.SpectralKernel(*parts)


def _reflector(vectors: Floats) -> Floats:
    """W (n, r) such that the last n - r columns of I - W W' are an orthonormal basis of what vectors (n, r) leave.

    With the singular value decomposition A D B' of the first r rows of V, V B turned by A' begins with a matrix that
    is positive semidefinite; so I - W W' for W = (V B + [A; 0]) (I + D)^(-1/2) is a reflection which takes -[A; 0] to
    V B, and nothing in it cancels.
    """
    r = vectors.shape[1]
    if r == 0:
        return vectors
    left, sizes, right = _svd(vectors[:r])
    reflector: Floats = vectors @ right.T
    reflector[:r] += left
    reflector /= np.sqrt(1.0 + sizes)
    return reflector


def _of_matrix(L: Any, scores: Any, jitter: float, project: bool) -> tuple[Floats, _Spectrum, float]:
    """The kernel in units in which it is about 1, its spectrum, and what is 0 beside 1."""
    from scipy import linalg

    matrix, unit = _validate.kernel("L", L)
    exponent = _exponent(matrix)
    matrix = _ldexp(matrix, -exponent)
    if scores is not None:
        quality, of_scores = _quality(scores, len(matrix))
        matrix, exponent = matrix * np.outer(quality, quality), exponent + 2 * of_scores
    if jitter:
        both = max(exponent, _exponent(jitter))
        matrix = _ldexp(matrix, exponent - both)
        np.fill_diagonal(matrix, np.diagonal(matrix) + math.ldexp(jitter, -both))
    tolerance = _zero(len(matrix), unit)
    if len(matrix) == 0:
        return matrix, _Spectrum(matrix, np.empty(0)), tolerance
    eigenvalues, vectors = linalg.eigh(matrix, check_finite=False)
    largest = float(np.abs(eigenvalues).max())
    kept = eigenvalues > tolerance * largest
    if eigenvalues[0] < -tolerance * largest:
        if not project:
            raise ValueError(
                f"L: is indefinite, its most negative eigenvalue is {eigenvalues[0] / largest:.3g} times the largest "
                "in size; project=True replaces negative eigenvalues by 0"
            )
        matrix = (vectors[:, kept] * eigenvalues[kept]) @ vectors[:, kept].T
    return matrix, _Spectrum(vectors[:, kept], eigenvalues[kept]), tolerance


def _rows(features: Any, scores: Any, jitter: float) -> tuple[Floats, float]:
    """B (n, p) and the jitter, in units in which the larger of B B' and the jitter is about 1."""
    rows = _validate.features("features", features)
    exponent = _exponent(rows)
    rows = _ldexp(rows, -exponent)
    if scores is not None:
        quality, of_scores = _quality(scores, len(rows), _device.is_device(rows))
        rows, exponent = rows * quality[:, np.newaxis], exponent + of_scores
    if not jitter:
        return rows, 0.0
    of_jitter = (_exponent(jitter) + 1) // 2
    both = max(exponent, of_jitter) if rows.any() else of_jitter
    small = math.ldexp(jitter, -2 * both)
    if small < 1e-290:
        raise ValueError(f"jitter: must be 0 or at least 1e-290 times the kernel, got {jitter!r}")
    return _ldexp(rows, exponent - both), small


def _of_rows(rows: Floats, jitter: float) -> _Spectrum:
    """Of B B' + jitter I: B's singular vectors, and whatever is orthogonal to them."""
    if min(rows.shape) == 0:
        return _Spectrum(rows[:, :0], np.empty(0), jitter)
    vectors, sizes = _singular(rows)
    rank = int((sizes > _zero(max(rows.shape)) * sizes[0]).sum())  # the largest come first
    return _Spectrum(vectors[:, :rank], sizes[:rank] ** 2 + jitter, jitter if rank < len(rows) else 0.0)


def _singular(rows: Floats) -> tuple[Floats, Floats]:
    """The left singular vectors, and the singular values in main memory.

    On a GPU those of R in Q R, which is small: squared rows would lose the smaller half of their digits.
    """
    if not _device.is_device(rows):
        return _svd(rows)[:2]
    across, small = _device.namespace(rows).linalg.qr(rows)
    vectors, sizes, _ = _svd(small)
    return across @ vectors, _device.host(sizes)


def _svd(rows: Floats) -> tuple[Floats, Floats, Floats]:
    if _device.is_device(rows):
        left, sizes, right = _device.namespace(rows).linalg.svd(rows, full_matrices=False)
    else:
        from scipy import linalg

        left, sizes, right = linalg.svd(rows, full_matrices=False, check_finite=False)
    return left, sizes, right


def _quality(scores: Any, n: int, device: bool = False) -> tuple[Floats, int]:
    """|s| 2^-exponent and the exponent; beside features on a GPU they are there too."""
    if device:
        if not _device.is_device(scores):
            scores = _device.upload(_validate.vector("scores", scores, n))
        values = np.abs(_device.numbers("scores", scores, (n,)))
        if not np.isfinite(values).all():
            raise ValueError("scores: contains NaN or infinity")
    else:
        values = np.abs(_validate.vector("scores", scores, n))
    exponent = _exponent(values)
    return _ldexp(values, -exponent), exponent


def _exponent(values: Floats | float) -> int:
    """Of two, such that the largest value is below its power; 0 where all are 0."""
    largest = float(np.abs(values).max()) if np.size(values) else 0.0
    return math.frexp(largest)[1]


def _ldexp(values: Floats, exponent: int) -> Floats:
    """values 2^exponent."""
    with np.errstate(under="ignore"):
        scaled: Floats = np.ldexp(values, max(-4000, min(exponent, 4000)))
    return scaled


def _greedy(points: Floats, is_kernel: bool, jitter: float, tolerance: float, k: int) -> Points:
    k = _validate.integer("k", k, 0, len(points))
    order = _dispatch.greedy_map(points, is_kernel, jitter, 0.0 if jitter else tolerance, k)
    if len(order) < k:
        raise ValueError(f"k: {k} points cannot be chosen from a kernel of rank {len(order)}")
    return order
