"""What the command select does: files of scores, labels and costs in, the chosen points and a line about them out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _files, policies
from augcore._groups import Budgets
from augcore.cli._command import UsageError

__all__ = ["choose", "write"]

_BLOCK = 1 << 20  # values that are read, or written, at a time

Order = NDArray[np.intp]


def choose(
    scores: Path,
    policy: str,
    rng: int,
    budget: str | None,
    groups: Path | None,
    group_budgets: list[str],
    costs: Path | None,
) -> tuple[Order, str]:
    """The points, and what they are."""
    values = _files.open_npy(scores)
    if values.ndim != 1:
        raise ValueError(f"scores: expected 1 dimension, got shape {values.shape}")
    labels = None if groups is None else _files.open_npy(groups)
    budgets = _budgets(group_budgets, labels.dtype) if labels is not None and group_budgets else None

    def order(k: int | None) -> Order:
        return policies.order(values, policy, rng, k=k, groups=labels, budgets=budgets)

    paid = ""
    if costs is None:
        chosen = order(None if budget is None else _count(budget, scores, len(values)))
    else:
        prices, money = _files.open_npy(costs), _number(str(budget))
        if prices.shape != values.shape:
            raise ValueError(f"costs: expected shape {values.shape}, as the scores, got {prices.shape}")
        chosen = _affordable(order, prices, money, at_once=labels is not None)
        paid = f", costing {_sum(prices, chosen):.6g} of {money:.6g}"
    return chosen, f"{len(chosen)} of {len(values)} points{_share(values, chosen)}{paid}"


def _count(budget: str, scores: Path, n: int) -> int:
    """The points that a budget means: digits are a count, all else a fraction, rounded, of one point at least."""
    if re.fullmatch("[+-]?[0-9]{1,18}", budget):
        if not 0 <= int(budget) <= n:
            raise UsageError(f"--budget {budget}: expected a count of 0 to {n}, the points of {scores}")
        return int(budget)
    fraction = _number(budget)
    if not 0 < fraction <= 1:
        raise UsageError(f"--budget {budget}: expected a fraction above 0 and up to 1, or a count of points")
    return min(n, max(1, round(fraction * n)))


def _number(budget: str) -> float:
    try:
        return float(budget)
    except ValueError:
        raise UsageError(f"--budget {budget}: expected a number") from None


_LABELS: dict[str, Callable[[str], Any]] = {
    "b": {"True": True, "False": False}.__getitem__,
    "i": int,
    "u": int,
    "f": float,
    "S": str.encode,
}


def _budgets(texts: list[str], dtype: np.dtype[Any]) -> Budgets:
    """What --group-budget asks for: a count for each label of the given dtype, or one for all."""
    parts = [text.rpartition("=") for text in texts]
    for text, (_, _, count) in zip(texts, parts, strict=True):
        if not re.fullmatch("[0-9]{1,18}", count):
            raise UsageError(f"--group-budget {text}: expected LABEL=COUNT, or one COUNT for every group")
    if len(parts) == 1 and not parts[0][1]:
        return int(parts[0][2])
    found: dict[Any, int] = {}
    for text, (name, equals, count) in zip(texts, parts, strict=True):
        try:
            label = _LABELS.get(dtype.kind, str)(name)
        except (KeyError, ValueError):
            raise UsageError(f"--group-budget {text}: expected a label as those of dtype {dtype}") from None
        if not equals or label in found:
            raise UsageError(f"--group-budget {text}: expected one LABEL=COUNT for each group")
        found[label] = int(count)
    return found


def _affordable(order: Callable[[int | None], Order], prices: NDArray[Any], budget: float, *, at_once: bool) -> Order:
    """The points that a budget pays for; of a long order only as much is made as it takes to spend it."""
    count = len(prices) if at_once else min(len(prices), _BLOCK)
    while True:
        chosen = policies.within_budget(order(None if at_once else count), prices, budget)
        left = budget - _sum(prices, chosen)
        if count == len(prices) or left < (1 - 1e-9) * float(prices.min()):
            return chosen
        count = min(len(prices), 4 * count)


def _sum(values: NDArray[Any], indices: Order | None = None) -> float:
    """The sum of the sizes of values, of all or of some of them."""
    n = len(values) if indices is None else len(indices)
    blocks = (slice(first, first + _BLOCK) for first in range(0, n, _BLOCK))
    parts: Iterable[NDArray[Any]] = (values[rows if indices is None else indices[rows]] for rows in blocks)
    with np.errstate(over="ignore"):
        return sum(float(np.abs(part.astype(np.float64)).sum()) for part in parts)


def _share(scores: NDArray[Any], chosen: Order) -> str:
    """How much of all scores those of the chosen points are, in words."""
    whole = _sum(scores)
    return f" with {100 * _sum(scores, chosen) / whole:.3g}% of the sum of |score|" if 0 < whole < np.inf else ""


def write(out: Path, chosen: Order) -> None:
    """The .npy file of the points, in its place when it is whole."""
    with _files.NpyWriter(out, chosen.shape, np.int64) as writer:
        for first in range(0, len(chosen), _BLOCK):
            writer.write(first, chosen[first : first + _BLOCK])
        writer.commit()
