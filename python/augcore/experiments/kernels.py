"""The kernels that k-DPPs of the originals draw from."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import distance

from augcore import dpp
from augcore.experiments.config import Dpp

__all__ = ["Kernels"]

Floats = NDArray[np.float64]

_KEPT = 4  # curves come score by score, and each job is at one of them


class Kernels:
    """k-DPPs of the same points, with scores and without: their eigenvalues are computed once for all curves.

    Parameters
    ----------
    settings : Dpp
    points : (n, p) array
        Features.
    """

    def __init__(self, settings: Dpp, points: NDArray[Any]) -> None:
        self._settings, self._points = settings, points
        self._made = lru_cache(_KEPT)(self._make)
        self._lock = threading.Lock()

    def of(self, scores: Floats | None) -> dpp.KDPP:
        """diag|s| phi phi' diag|s| + jitter, or exp(-distance) + diag|s| + jitter; without the scores s as they are."""
        with self._lock:  # who asks while it is made waits for it
            return self._made(None if scores is None else scores.tobytes())

    def _make(self, key: bytes | None) -> dpp.KDPP:
        scores = None if key is None else np.frombuffer(key)
        settings, phi = self._settings, self._points.astype(np.float64)
        if settings.kernel == "distance":
            kernel = np.exp(-distance.squareform(distance.pdist(phi)))
            if scores is not None:
                kernel[np.diag_indices_from(kernel)] += np.abs(scores)
            return dpp.KDPP(kernel, jitter=settings.jitter)
        if settings.normalized:
            phi /= np.maximum(np.linalg.norm(phi, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        return dpp.KDPP(features=settings.scale * phi, scores=scores, jitter=settings.jitter)
