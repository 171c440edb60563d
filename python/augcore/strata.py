"""Strata: clusters of the features, whose labels are the `groups` of `augcore.policies`.

    labels = strata(X, 10, rng=0)
    policies.order(scores, "random_proportional", rng=0, groups=labels)

K-means is scikit-learn's: Lloyd's algorithm, or mini-batches for many points, which reads them block by block, so that
a memory-mapped file of any size is clustered in the memory of a block.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _random, _validate
from augcore._random import Rng
from augcore._samples import PART_BYTES

__all__ = ["METHODS", "strata"]

METHODS = ("auto", "kmeans", "minibatch")

_MANY_ELEMENTS = 1 << 24  # of X; "auto" takes mini-batches above
_LEAST_ROWS = 1024  # of a mini-batch
_EPOCHS = 3  # passes over X by mini-batches
_MAX_SINGLE = 1e17


def strata(X: Any, n_clusters: int, rng: Rng = None, *, method: str = "auto", n_init: int = 1) -> NDArray[np.intp]:
    """Cluster points by k-means.

    Parameters
    ----------
    X : (n, p) ndarray or memmap of float32, float64 or integers
        Features, finite; of float32 at most 1e17. float32 stays float32. Of a memory-mapped array "minibatch" reads a
        sample and then all blocks four times, without a copy of it.
    n_clusters : int
        From 1 to n.
    rng : int, numpy.random.Generator or None
        An int gives the same labels each time, for any number of threads; a Generator is advanced by two draws.
    method : {"auto", "kmeans", "minibatch"}, default="auto"
        "kmeans" is Lloyd's algorithm on all of X; "minibatch" is Sculley's (2010): it begins with a sample of the
        points and takes three passes over blocks of 16 MiB in random order. "auto" takes mini-batches above 2^24
        elements of X, unless there are more clusters than points in a block.
    n_init : int, default=1
        Starts (k-means++) of "kmeans", of which it takes the one of least inertia; "minibatch" has one.

    Returns
    -------
    (n,) ndarray of intp
        Labels 0, 1, ... of the clusters, numbered by their sizes: 0 is the largest; clusters of one size in the order
        of their first points. Every label occurs. Where X has fewer distinct points than `n_clusters`, as features
        that are constant do, or mini-batches leave a cluster empty, there are fewer labels than asked for.

    Raises
    ------
    ValueError
        If X has NaN or infinity or a wrong shape, n_clusters is not between 1 and n, or "minibatch" has blocks of fewer
        points than clusters.
    TypeError
        If an argument has a wrong type or dtype.

    Examples
    --------
    >>> from augcore.strata import strata
    >>> strata([[9.0], [1.0], [0.0], [1.1], [9.2]], 2, rng=0)
    array([1, 0, 0, 0, 1])
    """
    values = _points(X)
    n, p = values.shape
    k = _validate.integer("n_clusters", n_clusters, 1, n)
    starts = _validate.integer("n_init", n_init, 1)
    chosen = _validate.choice("method", method, METHODS)
    seed = int(_random.key(rng)[0] >> np.uint64(32))
    rows = max(_LEAST_ROWS, PART_BYTES // (p * values.dtype.itemsize))
    if chosen == "auto":
        chosen = "minibatch" if n * p > _MANY_ELEMENTS and k <= rows else "kmeans"
    if chosen == "minibatch" and k > rows:
        raise ValueError(f"n_clusters: must be at most {rows}, the points of a block, for 'minibatch', got {k}")
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    # scikit-learn adds up what its threads found in the order in which they end.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct points than clusters
        labels = _lloyd(values, k, seed, starts) if chosen == "kmeans" else _mini_batches(values, rows, k, seed)
    return _by_size(labels)


def _points(X: Any) -> NDArray[Any]:
    """X as an array, a memory-mapped one as it is; numbers are checked block by block."""
    values = _validate.array("X", X)
    if values.dtype.kind not in "iuf" or (values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8)):
        raise TypeError(f"X: expected float32, float64 or integers, got dtype {values.dtype}")
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"X: expected shape (n, p) with points and columns, got {values.shape}")
    return values


def _checked(block: NDArray[Any]) -> NDArray[Any]:
    values = _validate.design("X", block)
    if values.dtype == np.float32 and np.abs(values).max() > _MAX_SINGLE:
        raise ValueError(f"X: has values above {_MAX_SINGLE:g}, whose squares are beyond float32; scale them")
    return values


def _lloyd(values: NDArray[Any], k: int, seed: int, n_init: int) -> NDArray[np.int32]:
    from sklearn.cluster import KMeans

    labels: NDArray[np.int32] = KMeans(k, n_init=n_init, random_state=seed).fit(_checked(values)).labels_
    return labels


def _mini_batches(values: NDArray[Any], rows: int, k: int, seed: int) -> NDArray[np.int32]:
    from sklearn.cluster import MiniBatchKMeans

    n = len(values)
    rng = np.random.default_rng(seed)
    # Points in a file are often sorted: the first batch, in which the clusters begin, is drawn from all of it.
    sample = _checked(values[np.sort(rng.choice(n, min(n, rows), replace=False))])
    clusters = MiniBatchKMeans(k, n_init=1, random_state=seed).partial_fit(sample)
    blocks = [slice(first, min(n, first + rows)) for first in range(0, n, rows)]
    for _ in range(_EPOCHS):
        for number in rng.permutation(len(blocks)):
            clusters.partial_fit(_checked(values[blocks[number]]))
    return np.concatenate([clusters.predict(_checked(values[block])) for block in blocks])


def _by_size(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    _, first, codes, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    place = np.empty(len(sizes), dtype=np.intp)
    place[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return place[codes]
