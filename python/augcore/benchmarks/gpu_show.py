"""The results of works on a GPU as tables on a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console

from augcore.benchmarks import tables
from augcore.benchmarks.gpu import Entry, Results, Row
from augcore.benchmarks.machine import facts, summary
from augcore.benchmarks.tables import Sheet, number

__all__ = ["notes", "print_table", "sheets", "to_json", "to_markdown"]

_UNITS = {"TB/s": 1e12, "GB/s": 1e9, "TFLOP/s": 1e12}


def notes(results: Results) -> list[str]:
    said = [f"{name}: {reason}" for name, reason in results.missing.items()]
    for row in results.rows:
        said += [
            f"{e.name}, {row.work} ({row.case}) {e.trouble}; not timed" for e in (row.own, *row.peers) if e.trouble
        ]
    return said


def sheets(results: Results) -> list[Sheet]:
    """The limits, and every work beside its own."""
    limits = [[limit.label, number(limit.rate / _UNITS[limit.unit]), limit.unit] for limit in results.limits.values()]
    columns: tuple[str, ...] = ("work", "ms", "of limit", "target")
    with_peers = any(row.peers for row in results.rows)
    if with_peers:
        columns = (*columns, "beside it", "ms", "times")
    rows: list[list[str]] = []
    last = None
    for row in results.rows:
        if row.case != last:
            rows.append([row.case] + [""] * (len(columns) - 1))
            last = row.case
        reached = {None: "", True: ": yes", False: ": no"}[row.reached]
        share = "-" if row.share is None else f"{row.share:.0%} {row.limit}"
        cells = [f"  {row.work}", number(row.own.milliseconds), share, row.target + reached]
        others: list[Entry | None] = [*row.peers] or [None]
        for peer in others:
            rows.append([*cells, *_peer(peer, row)] if with_peers else cells)
            cells = [""] * len(cells)
    legend = (
        "of limit: the time that the card's limit allows, in ours; copy: of what is read and written; float32, "
        "float64: of the operations that the result needs."
    )
    if with_peers:
        legend += " times: the other's time in ours, on the same card, the same arrays in and out."
    return [
        Sheet(("the card's limits", "", " "), limits, "Measured before the works.", left=("the card's limits", " ")),
        Sheet(columns, rows, legend, left=("work", "target", "beside it")),
    ]


def _peer(peer: Entry | None, row: Row) -> list[str]:
    if peer is None:
        return ["-"] * 3
    own = row.own.milliseconds
    times = peer.milliseconds / own if peer.milliseconds and own else None
    return [peer.name, number(peer.milliseconds), number(times)]


def _facts(results: Results) -> dict[str, Any]:
    return {"card": results.card, **facts(results.modules, results.threads, results.repeats)}


def _summary(results: Results) -> str:
    return f"{results.card}; {summary(_facts(results))}"


def print_table(results: Results, console: Console, *, everyone: bool = True) -> None:
    tables.print_sheets(sheets(results), _summary(results), notes(results), console)


def to_markdown(results: Results) -> str:
    return tables.to_markdown(sheets(results), _summary(results), notes(results))


def to_json(results: Results) -> str:
    """Every figure."""
    document = {
        **_facts(results),
        "missing": results.missing,
        "limits": {name: limit._asdict() for name, limit in results.limits.items()},
        "rows": [{**asdict(row), "share": row.share} for row in results.rows],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
