"""The results of the comparison of sampling as tables on a terminal, as Markdown, and as JSON.

Tables of other results, such as those of k-DPPs, can be shown behind them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from augcore.benchmarks import tables
from augcore.benchmarks.machine import facts, summary
from augcore.benchmarks.sampling import GrowthRow, Results, Row
from augcore.benchmarks.tables import Sheet, number

__all__ = ["notes", "print_table", "sheets", "to_json", "to_markdown"]

_MEMORY = "own MiB: what the process grows by meanwhile, the result included, files that are mapped not."


def notes(results: Results) -> list[str]:
    """What a reader must know beside the tables: whose order is not that of its keys."""
    told = [(row.n, row.k, row.equal) for row in results.rows]
    told += [(row.n, row.k, row.equal) for row in [results.file] if row]
    return [f"{_label(n, k)}: differs from the order of the same keys" for n, k, equal in told if not equal]


def _label(n: int, k: int) -> str:
    return f"order of {n:,}" if k == n else f"first {k:,} of {n:,}"


def sheets(results: Results) -> list[Sheet]:
    """Orders beside NumPy's, growth with the number of points, and a choice from a file."""
    found = [
        Sheet(
            ("sampling", "ms", "peer", "ms", "times"),
            [cells for row in results.rows for cells in _cells(row)],
            "Weights are lognormal, peers are NumPy's; times: how many times our time they take.",
            left=("sampling", "peer"),
        ),
        Sheet(
            ("growth", "ms", "ns per point", "own MiB"),
            [_growth_cells(row) for row in results.growth],
            _MEMORY,
            left=("growth",),
        ),
    ]
    if results.file:
        row = results.file
        label = f"{_label(row.n, row.k)}, float32"
        cells = [[label, number(row.seconds), number(row.mebibytes)]]
        found.append(Sheet(("mapped file", "s", "own MiB"), cells, _MEMORY, left=("mapped file",)))
    return [sheet for sheet in found if sheet.rows]


def _cells(row: Row) -> list[list[str]]:
    """A line for each peer, the first of them with ours."""
    own = row.own.milliseconds
    ours = [[_label(row.n, row.k), number(own)], *[["", ""]] * len(row.peers)]
    return [
        [*first, peer.name, number(peer.milliseconds), number(peer.milliseconds / own)]
        for first, peer in zip(ours, row.peers, strict=False)
    ]


def _growth_cells(row: GrowthRow) -> list[str]:
    per_point = 1e6 * row.milliseconds / row.n
    return [_label(row.n, row.k), number(row.milliseconds), number(per_point), number(row.mebibytes)]


def _facts(results: Results) -> dict[str, Any]:
    return facts([], results.threads, results.repeats)


def print_table(
    results: Results, console: Console, *, more: Sequence[Sheet] = (), notes_of_more: Sequence[str] = ()
) -> None:
    """All tables, and what they depend on."""
    said = [*notes(results), *notes_of_more]
    tables.print_sheets([*sheets(results), *more], summary(_facts(results)), said, console)


def to_markdown(results: Results, *, more: Sequence[Sheet] = (), notes_of_more: Sequence[str] = ()) -> str:
    said = [*notes(results), *notes_of_more]
    return tables.to_markdown([*sheets(results), *more], summary(_facts(results)), said)


def to_json(results: Results, *, more: dict[str, Any] | None = None) -> str:
    """Every figure; `more` stands beside them."""
    figures = {"rows": [asdict(row) for row in results.rows], "growth": [asdict(row) for row in results.growth]}
    document = {**_facts(results), **figures, "file": results.file and asdict(results.file), **(more or {})}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
