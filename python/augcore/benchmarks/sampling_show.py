"""The results of the comparison of sampling as tables on a terminal, as Markdown, and as JSON.

More tables, such as that of k-DPPs, can be shown behind them: a heading with the columns, and rows of text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from augcore.benchmarks.machine import escaped, facts, summary
from augcore.benchmarks.sampling import GrowthRow, Results, Row

__all__ = ["Sheet", "notes", "print_table", "to_json", "to_markdown"]

_LEGEND = (
    "Weights are lognormal; peers are NumPy's. times: how many times our time they take. "
    "MiB: what the process grows by meanwhile, the result included."
)


class Sheet(NamedTuple):
    """A table: its columns, of which the first stands to the left, and its rows."""

    columns: tuple[str, ...]
    rows: list[list[str]]


# ---- cells -----------------------------------------------------------------------------------------------------------


def _number(value: float | None) -> str:
    """Three digits at least."""
    if value is None:
        return "-"
    return f"{value:,.{3 if value < 0.9995 else 2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def _label(n: int, k: int) -> str:
    return f"order of {n:,}" if k == n else f"first {k:,} of {n:,}"


def _cells(row: Row) -> list[list[str]]:
    """A line for each peer, the first of them with ours."""
    own = row.own.milliseconds
    ours = [[_label(row.n, row.k), _number(own)], *[["", ""]] * len(row.peers)]
    return [
        [*first, peer.name, _number(peer.milliseconds), _number(peer.milliseconds / own)]
        for first, peer in zip(ours, row.peers, strict=False)
    ]


def _growth_cells(row: GrowthRow) -> list[str]:
    per_point = 1e6 * row.milliseconds / row.n
    return [_label(row.n, row.k), _number(row.milliseconds), _number(per_point), _number(row.mebibytes)]


def _sheets(results: Results) -> list[Sheet]:
    sheets = [
        Sheet(("sampling", "ms", "peer", "ms", "times"), [cells for row in results.rows for cells in _cells(row)]),
        Sheet(("growth", "ms", "ns per point", "MiB"), [_growth_cells(row) for row in results.growth]),
    ]
    if results.file:
        row = results.file
        label = f"{_label(row.n, row.k)}, float32 in a file"
        sheets.append(Sheet(("file", "s", "MiB"), [[label, _number(row.seconds), _number(row.mebibytes)]]))
    return [sheet for sheet in sheets if sheet.rows]


def notes(results: Results) -> list[str]:
    """What a reader must know beside the tables: whose order is not that of its keys."""
    told = [(row.n, row.k, row.equal) for row in results.rows]
    told += [(row.n, row.k, row.equal) for row in [results.file] if row]
    return [f"{_label(n, k)}: differs from the order of the same keys" for n, k, equal in told if not equal]


def _facts(results: Results) -> dict[str, Any]:
    return facts([], results.threads, results.repeats)


# ---- on a terminal and in files --------------------------------------------------------------------------------------


def print_table(results: Results, console: Console, *, more: Sequence[Sheet] = ()) -> None:
    """All tables, what they mean, and what they depend on."""
    for sheet in (*_sheets(results), *more):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for place, name in enumerate(sheet.columns):
            table.add_column(name, justify="left" if place == 0 or name == "peer" else "right", no_wrap=True)
        for cells in sheet.rows:
            table.add_row(*cells)
        console.print(table)
        console.print()
    for text in (_LEGEND, summary(_facts(results))):
        console.print(text, style="dim", highlight=False)
    for note in notes(results):
        console.print(note, style="yellow", highlight=False, markup=False)


def to_json(results: Results, *, more: dict[str, Any] | None = None) -> str:
    """Every figure; `more` stands beside them."""
    figures = {"rows": [asdict(row) for row in results.rows], "growth": [asdict(row) for row in results.growth]}
    document = {**_facts(results), **figures, "file": results.file and asdict(results.file), **(more or {})}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def to_markdown(results: Results, *, more: Sequence[Sheet] = ()) -> str:
    """The tables."""
    lines = [f"{summary(_facts(results))}.", "", _LEGEND]
    lines += [f"- {escaped(note)}" for note in notes(results)]
    for sheet in (*_sheets(results), *more):
        lines += ["", f"| {' | '.join(sheet.columns)} |", "|" + "---|" * len(sheet.columns)]
        lines += [f"| {' | '.join(map(escaped, cells))} |" for cells in sheet.rows]
    return "\n".join(lines) + "\n"
