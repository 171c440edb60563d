"""How the benchmarks time: in turn, in one process, so that a machine that changes its speed changes it for all."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence

__all__ = ["interleaved", "seconds", "turns"]


def interleaved(functions: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Median milliseconds of each function, the functions taken in turn."""
    return [statistics.median(times) for times in turns(functions, repeats)]


def turns(functions: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """The milliseconds of every turn of each function.

    Every round has an order of its own, always the same: who comes after another finds the caches and the memory as
    that one left them, the data in them or not.
    """
    taken: list[list[float]] = [[] for _ in functions]
    for turn in range(repeats):
        for index in random.Random(turn).sample(range(len(functions)), len(functions)):
            taken[index].append(1e3 * seconds(functions[index]))
    return taken


def seconds(function: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
