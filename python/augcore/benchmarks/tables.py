"""Tables of a benchmark, as text of their cells: on a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from augcore.benchmarks.machine import escaped

__all__ = ["Sheet", "number", "print_sheets", "to_markdown"]


@dataclass(frozen=True)
class Sheet:
    """columns: their heads; `left` are aligned so. legend: what a reader must know of them."""

    columns: Sequence[str]
    rows: list[list[str]]
    legend: str
    left: Sequence[str] = ()


def number(value: float | None) -> str:
    """Three digits at least."""
    if value is None:
        return "-"
    return f"{value:,.{3 if value < 0.9995 else 2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def print_sheets(sheets: Sequence[Sheet], summary: str, notes: Sequence[str], console: Console) -> None:
    for sheet in sheets:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in sheet.columns:
            table.add_column(name, justify="left" if name in sheet.left else "right", no_wrap=True)
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
        console.print(sheet.legend, style="dim", highlight=False, markup=False)
        console.print()
    console.print(summary, style="dim", highlight=False, markup=False)
    for note in notes:
        console.print(note, style="yellow", highlight=False, markup=False)


def to_markdown(sheets: Sequence[Sheet], summary: str, notes: Sequence[str]) -> str:
    lines = [f"{summary}.", *(f"\n- {escaped(note)}" for note in notes)]
    for sheet in sheets:
        lines += ["", f"| {' | '.join(sheet.columns)} |", "|" + "---|" * len(sheet.columns)]
        lines += [f"| {' | '.join(map(escaped, row))} |" for row in sheet.rows]
        lines += ["", sheet.legend]
    return "\n".join(lines) + "\n"
