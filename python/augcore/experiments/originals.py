"""What is known of the originals alone, whatever augments them: chosen parameters, support vectors, clusters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _random
from augcore.experiments.config import Config
from augcore.linear_model import LogisticRegressionCV
from augcore.scores import fit_svm, svm_loss
from augcore.strata import strata

__all__ = ["clusters", "parameters", "swept_counts"]

Features = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]
Result = tuple[dict[str, Any] | None, Arrays]

FOLDS = 4


def parameters(config: Config, X: Features, y: NDArray[Any], threads: int | None) -> Result:
    """C of the model and of the support vector machine, and which points are its support vectors."""
    C = config.C
    if config.C_grid:
        C = LogisticRegressionCV(config.C_grid, cv=FOLDS, threads=threads).fit(X, y).C_
    svm_C, is_sv = None, np.zeros(len(y), dtype=np.bool_)
    if len(np.unique(y)) == 2:
        svm = fit_svm(X, y)
        svm_C = float(svm.C)
        is_sv = svm_loss(None, X, y, svm=svm) > 0  # the dual variables of the squared hinge loss are proportional to it
    return {"C": float(C), "svm_C": svm_C}, {"arrays/is_sv.npy": is_sv}


# ---- clusters --------------------------------------------------------------------------------------------------------


def swept_counts(config: Config, n: int) -> list[int]:
    """As many distinct numbers of clusters from 2 to n - 1 as the config asks for, evenly in the logarithm.

    Where that gives the same number twice, the next greater one that is free is taken instead.
    """
    counts: list[int] = []
    for wanted in np.geomspace(2, max(2, n - 1), config.sweep).round().astype(int).tolist():
        counts.append(max(wanted, counts[-1] + 1) if counts else wanted)
    return [min(count, n - 1 - behind) for behind, count in zip(range(len(counts) - 1, -1, -1), counts, strict=True)]


def clusters(config: Config, count: int, train: Features, test: Features, swept: bool) -> Result:
    """The cluster of each training point and, where asked for, how well so many clusters fit.

    Inertia is the sum of squared distances to the nearest mean of a cluster of training points; the silhouette is that
    of Rousseeuw (1987), None where there are not at least two clusters and fewer of them than points.
    """
    labels = strata(train, count, _random.derive(config.seed, "clusters", count))
    arrays: Arrays = {f"arrays/clusters-{count}.npy": labels}
    if not swept:
        return None, arrays
    from sklearn.metrics import pairwise_distances_argmin_min, silhouette_score

    means = np.array([train[labels == label].mean(axis=0, dtype=np.float64) for label in range(labels.max() + 1)])
    result: dict[str, Any] = {"clusters": count}
    for name, points in (("train", train), ("test", test)):
        nearest, distances = pairwise_distances_argmin_min(points.astype(np.float64), means)
        result[f"inertia_{name}"] = math.fsum(distances**2)
        has_silhouette = 2 <= len(np.unique(nearest)) < len(points)
        result[f"silhouette_{name}"] = float(silhouette_score(points, nearest)) if has_silhouette else None
    return result, arrays
