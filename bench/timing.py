"""How the benchmarks time: in turn, in one process, so that a machine that changes its speed changes it for all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def interleaved(functions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median milliseconds of each function, the functions taken in turn."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for taken, function in zip(seconds, functions, strict=True):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return [1e3 * statistics.median(taken) for taken in seconds]
