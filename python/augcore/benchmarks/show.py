"""The results of a comparison as a table on a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from augcore.benchmarks.libraries import LIBRARIES
from augcore.benchmarks.machine import escaped, facts, rate, summary
from augcore.benchmarks.transforms import EXACT, OPENCV4, Entry, Results, Row

__all__ = ["notes", "print_table", "to_json", "to_markdown"]

# Name and width.
_COLUMNS = (
    ("work", 28),
    ("exact/s", 8),
    ("ratio", 6),
    ("opencv4/s", 9),
    ("ratio", 6),
    ("of copy", 7),
    ("fastest peer", 26),
    ("peer/s", 8),
)
_ALONE = ("work", "exact/s", "opencv4/s", "of copy")


# ---- notes -----------------------------------------------------------------------------------------------------------


def _facts(results: Results) -> dict[str, Any]:
    return facts(results.modules, results.threads, results.repeats)


def notes(results: Results) -> list[str]:
    """What a reader must know beside the table: who is missing, whose results differ, who fails."""
    said = [f"{name}: {reason}" for name, reason in results.missing.items()] + results.remarks
    troubles: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in results.rows:
        for entry in (*row.ours, *row.peers):
            if entry.trouble:
                troubles[entry.name, entry.trouble].append(f"{row.work.label} ({row.case.label})")
    for (name, trouble), where in troubles.items():
        others = f" and {len(where) - 2} more" if len(where) > 2 else ""
        said.append(f"{name} {trouble}: {'; '.join(where[:2])}{others}; not timed")
    return said


# ---- cells -----------------------------------------------------------------------------------------------------------


def _cells(row: Row) -> list[str]:
    own = {entry.name: entry.images_per_second for entry in row.ours}
    peer = row.fastest_peer
    rates = [own.get(EXACT), own.get(OPENCV4)]
    ratios = [f"{rate / _timed(peer):.2f}" if rate and peer else "-" for rate in rates]
    best = max((rate for rate in rates if rate), default=None)
    of_copy = f"{best / row.copies_per_second:.0%}" if best else "-"
    theirs = [peer.name, rate(peer.images_per_second)] if peer else ["-", "-"]
    return [row.work.label, rate(rates[0]), ratios[0], rate(rates[1]), ratios[1], of_copy, *theirs]


def _timed(entry: Entry) -> float:
    return entry.images_per_second or 0.0


def _by_case(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.case.label].append(row)
    return found


def _bytes_per_second(row: Row) -> str:
    case = row.case
    size = case.height * case.width * case.channels * int("".join(filter(str.isdigit, case.dtype))) // 8
    return f"{2e-9 * size * row.copies_per_second:.0f} GB/s"


def _copy(rows: list[Row]) -> tuple[str, str]:
    """The limit in the middle of its rows: what it is called, and its rate."""
    middle = sorted(rows, key=lambda row: row.copies_per_second)[len(rows) // 2]
    return f"copy, {_bytes_per_second(middle)}", rate(middle.copies_per_second)


# ---- on a terminal ---------------------------------------------------------------------------------------------------


def print_table(results: Results, console: Console, *, everyone: bool = False) -> None:
    """One table per case, one line per work with its fastest peer; `everyone` adds a line for every other."""
    with_peers = any(row.peers for row in results.rows)
    columns = [index for index, (name, _) in enumerate(_COLUMNS) if with_peers or name in _ALONE]
    for label, rows in _by_case(results.rows).items():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name, width in (_COLUMNS[index] for index in columns):
            justify: Any = "left" if name in ("work", "fastest peer") else "right"
            shown = label if name == "work" else name
            table.add_column(shown, justify=justify, no_wrap=True, min_width=width, max_width=width)
        for row in rows:
            cells = _cells(row)
            table.add_row(*[cells[index] for index in columns])
            for entry in _others(row) if everyone and with_peers else ():
                table.add_row(*[""] * 6, entry.name, entry.trouble or rate(entry.images_per_second), style="dim")
        table.add_row(*_copy(rows), style="dim")
        console.print(table)
        console.print()
    ratio = "ratio: to the fastest peer. " if with_peers else ""
    legend = f"/s: images per second. {ratio}of copy: the faster arithmetic, to np.copyto of the batch."
    console.print(legend, style="dim", highlight=False)
    console.print(summary(_facts(results)), style="dim", highlight=False)
    for note in notes(results):
        console.print(note, style="yellow", highlight=False, markup=False)


def _others(row: Row) -> list[Entry]:
    fastest = row.fastest_peer
    return sorted((entry for entry in row.peers if entry is not fastest), key=_timed, reverse=True)


# ---- in files --------------------------------------------------------------------------------------------------------


def to_json(results: Results) -> str:
    """Every figure: per row the copy, and each contestant with its difference, tolerance and convention."""

    def entry(one: Entry, row: Row) -> dict[str, Any]:
        peer, rate = row.fastest_peer, one.images_per_second
        return {
            "name": one.name,
            "library": LIBRARIES.get(one.library, one.library),
            "convention": one.convention.text,
            "tolerance": one.convention.float_levels if row.case.dtype[0] == "f" else one.convention.levels,
            "difference": str(one.difference) if one.difference == float("inf") else one.difference,
            "images": one.images,
            "images_per_second": rate,
            "ratio": rate / _timed(peer) if rate and peer else None,
            "of_copy": rate / row.copies_per_second if rate else None,
            "trouble": one.trouble,
        }

    rows = [
        {
            "case": row.case.label,
            "work": row.work.name,
            "copies_per_second": row.copies_per_second,
            "fastest_peer": row.fastest_peer.name if row.fastest_peer else None,
            "augcore": [entry(one, row) for one in row.ours],
            "peers": [entry(one, row) for one in row.peers],
        }
        for row in results.rows
    ]
    document = {**_facts(results), "missing": results.missing, "remarks": results.remarks, "rows": rows}
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def to_markdown(results: Results) -> str:
    """The table, and one of everybody."""
    lines = [f"{summary(_facts(results))}.", ""]
    lines += [f"- {escaped(note)}" for note in notes(results)]
    for label, rows in _by_case(results.rows).items():
        lines += ["", f"## {label}; {' '.join(_copy(rows))} images/s", ""]
        lines += [f"| {' | '.join(name for name, _ in _COLUMNS)} |", "|---|---|---|---|---|---|---|---|"]
        lines += [f"| {' | '.join(escaped(cell) for cell in _cells(row))} |" for row in rows]
    peers = [row for row in results.rows if row.peers]
    if peers:
        lines += ["", "## Everybody, images per second (largest difference from augcore's exact, in grey levels)", ""]
        lines += ["| images | work | peers, the fastest first |", "|---|---|---|"]
        lines += [f"| {row.case.label} | {row.work.label} | {_everybody(row)} |" for row in peers]
        lines += ["", "## Conventions, and the differences that they may make on smooth images", ""]
        lines += ["| peer | convention | integers | floats |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(cells)} |" for cells in _conventions(peers)]
    return "\n".join(lines) + "\n"


def _everybody(row: Row) -> str:
    timed = sorted(row.peers, key=_timed, reverse=True)
    return escaped(
        "; ".join(f"{one.name} {one.trouble or f'{rate(_timed(one))} ({one.difference:g})'}" for one in timed)
    )


def _conventions(rows: list[Row]) -> list[list[str]]:
    pairs = sorted({(one.name, one.convention) for row in rows for one in row.peers})
    return [[escaped(name), text, f"{levels:g}", f"{floats:g}"] for name, (text, levels, floats) in pairs]
