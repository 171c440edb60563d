"""The results of the comparison of inner loops as a table on a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from augcore.benchmarks import tables
from augcore.benchmarks.inner import Results
from augcore.benchmarks.machine import facts, summary
from augcore.benchmarks.tables import Sheet, number

__all__ = ["notes", "print_table", "to_json", "to_markdown"]

_COLUMNS = ("inner loop", "curves", "fits", "scorings", "CPU s", "NumPy CPU s", "times", "coef differ")
_LEGEND = (
    "fits, scorings: those that the paper makes, as NumPy does; times: how many times our time NumPy takes; coef "
    "differ: the largest difference between both in a coefficient. Accuracies are equal unless a note says otherwise."
)


def notes(found: Sequence[Results]) -> list[str]:
    """Where the two do not agree."""
    return [
        f"{row.convention}: {row.different} of {row.accuracies} accuracies are not those of NumPy"
        for row in found
        if row.different
    ]


def _sheet(found: Sequence[Results]) -> Sheet:
    rows = [
        [
            f"{row.case}; {row.convention}",
            *map(str, (row.curves, row.fits, row.scorings)),
            number(row.own_seconds),
            number(row.lean_seconds),
            number(row.lean_seconds / row.own_seconds),
            f"{row.coef_difference:.0e}",
        ]
        for row in found
    ]
    return Sheet(_COLUMNS, rows, _LEGEND, left=("inner loop",))


def _facts(found: Sequence[Results]) -> dict[str, Any]:
    return facts(["scipy.linalg"], found[0].threads, found[0].repeats)


def print_table(found: Sequence[Results], console: Console, *, everyone: bool = True) -> None:
    tables.print_sheets([_sheet(found)], summary(_facts(found)), notes(found), console)


def to_markdown(found: Sequence[Results]) -> str:
    return tables.to_markdown([_sheet(found)], summary(_facts(found)), notes(found))


def to_json(found: Sequence[Results]) -> str:
    """Every figure."""
    document = {**_facts(found), "rows": [asdict(row) for row in found]}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
