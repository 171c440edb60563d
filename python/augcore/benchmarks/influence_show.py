"""The results of the comparison of self-influence and fits as tables on a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from augcore.benchmarks.fits import TARGET, FitEntry, FitRow
from augcore.benchmarks.influence import OTHER_KERNELS, Entry, Results, Row
from augcore.benchmarks.libraries import LIBRARIES
from augcore.benchmarks.machine import escaped, facts, rate, summary

__all__ = ["notes", "print_table", "to_json", "to_markdown"]

_COLUMNS = (
    "self-influence",
    "ms",
    "GFLOP/s",
    "of peak",
    "SciPy ms",
    "ratio",
    "SkylakeX",
    "library",
    "ms",
    "times",
)
_ALONE = 4  # columns without peers
_FIT_COLUMNS = ("fits per second", "cold", "warm", "fastest peer", "fits/s", "ratio")
_FIT_ALONE = 3
_LEGEND = (
    "GFLOP/s: 2 n p^2 + p^3 / 3 operations; of peak: of the {peak}. ratio: our time to that of SciPy's syrk + "
    "Cholesky + trsm; SkylakeX: the same in a run with OPENBLAS_CORETYPE=SkylakeX. "
    "library: the fastest of them, and how many times our time it takes."
)
_FIT_LEGEND = "fits: all brought to max|gradient| / n <= {target:g}; warm: from the coefficients of all points but ten."


def _facts(results: Results) -> dict[str, Any]:
    return facts(results.modules, results.threads, results.repeats)


def notes(results: Results) -> list[str]:
    """What a reader must know beside the tables: who is missing, whose results differ, who fails or stops short."""
    said = [f"{name}: {reason}" for name, reason in results.missing.items()] + results.remarks
    said += [
        f"{entry.name} ({row.case.label}) {entry.trouble}; not timed"
        for row in results.rows
        for entry in (row.own, *row.peers)
        if entry.trouble
    ]
    for fit in results.fits:
        for entry in (fit.own, fit.warm, *fit.peers):
            if entry.trouble:
                said.append(f"{entry.name} ({fit.case.label}) {entry.trouble}; not timed")
            elif not entry.equal:
                said.append(f"{entry.name} ({fit.case.label}) stops at {entry.reached:.1e}; not compared")
    return said


# ---- cells -----------------------------------------------------------------------------------------------------------


def _number(value: float | None) -> str:
    """Three digits at least."""
    if value is None:
        return "-"
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def _quotient(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None


def _cells(row: Row) -> list[str]:
    own, gflops = row.own.milliseconds, row.gflops(row.own)
    scipy = row.scipy.milliseconds if row.scipy else None
    fastest = row.fastest_library
    of_peak = _quotient(gflops, row.peak)
    cells = [row.case.label, _number(own), _number(gflops), f"{of_peak:.0%}" if of_peak else "-"]
    cells += [_number(scipy), _number(_quotient(own, scipy))]
    cells += [_number(row.other_kernels), fastest.name if fastest else "-"]
    theirs = fastest.milliseconds if fastest else None
    return [*cells, _number(theirs), _number(_quotient(theirs, own))]


def _fit_cells(row: FitRow) -> list[str]:
    own, peer = row.own.fits_per_second, row.fastest_peer
    theirs = peer.fits_per_second if peer else None
    ours = [rate(own), rate(row.warm.fits_per_second)]
    return [row.case.label, *ours, peer.name if peer else "-", rate(theirs), _number(_quotient(own, theirs))]


def _legend(results: Results) -> str:
    said = [_LEGEND.format(peak=results.peak_name)] if results.rows else []
    return " ".join([*said, _FIT_LEGEND.format(target=TARGET)] if results.fits else said)


# ---- on a terminal ---------------------------------------------------------------------------------------------------


def print_table(results: Results, console: Console, *, everyone: bool = False) -> None:
    """A line per case with the fastest of the others; `everyone` adds a line for each of them."""
    with_peers = any(row.peers for row in results.rows) or any(row.peers for row in results.fits)
    table = _table(_COLUMNS[: None if with_peers else _ALONE], ("self-influence", "library"))
    for row in results.rows:
        table.add_row(*_cells(row)[: len(table.columns)])
        for entry in row.peers if everyone else ():
            cells = [f"  {entry.name}", _number(entry.milliseconds), _number(row.gflops(entry))]
            table.add_row(*cells, style="dim")
    fits = _table(_FIT_COLUMNS[: None if with_peers else _FIT_ALONE], ("fits per second", "fastest peer"))
    for fit in results.fits:
        fits.add_row(*_fit_cells(fit)[: len(fits.columns)])
        for one in fit.peers if everyone else ():
            fits.add_row(f"  {one.name}", rate(one.fits_per_second), style="dim")
    for filled in (table, fits):
        if filled.rows:
            console.print(filled)
            console.print()
    for text in (_legend(results), summary(_facts(results))):
        console.print(text, style="dim", highlight=False)
    for note in notes(results):
        console.print(note, style="yellow", highlight=False, markup=False)


def _table(columns: Sequence[str], left: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=True)
    return table


# ---- in files --------------------------------------------------------------------------------------------------------


def to_json(results: Results) -> str:
    """Every figure: per case the peak and each contestant with its difference, per fit what was reached."""

    def entry(one: Entry, row: Row) -> dict[str, Any]:
        gflops = row.gflops(one)
        return {
            "name": one.name,
            "library": LIBRARIES.get(one.library, one.library),
            "difference": _plain(one.difference),
            "milliseconds": one.milliseconds,
            "gflops": gflops,
            "of_peak": _quotient(gflops, row.peak),
            "augcore_ratio": _quotient(row.own.milliseconds, one.milliseconds),
            "trouble": one.trouble,
        }

    def fit(one: FitEntry, row: FitRow) -> dict[str, Any]:
        return {
            "name": one.name,
            "library": LIBRARIES.get(one.library, one.library),
            "tolerance": _plain(one.tolerance),
            "reached": _plain(one.reached),
            "fits_per_second": one.fits_per_second,
            "augcore_ratio": _quotient(row.own.fits_per_second, one.fits_per_second),
            "trouble": one.trouble,
        }

    document = {
        **_facts(results),
        "peak": results.peak_name,
        "missing": results.missing,
        "remarks": results.remarks,
        "self_influence": [
            {
                "case": row.case.label,
                "peak_gflops": row.peak,
                f"ratio_{OTHER_KERNELS}": row.other_kernels,
                "augcore": entry(row.own, row),
                "peers": [entry(one, row) for one in row.peers],
            }
            for row in results.rows
        ],
        "fits": [
            {
                "case": row.case.label,
                "target": TARGET,
                "augcore": fit(row.own, row),
                "warm": fit(row.warm, row),
                "peers": [fit(one, row) for one in row.peers],
            }
            for row in results.fits
        ],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _plain(value: float | None) -> float | str | None:
    """As JSON has it: infinity by name, and nothing for what is no number."""
    return value if value is None or math.isfinite(value) else None if math.isnan(value) else str(value)


def to_markdown(results: Results) -> str:
    """The tables, and one of everybody."""
    lines = [f"{summary(_facts(results))}.", "", _legend(results), ""]
    lines += [f"- {escaped(note)}" for note in notes(results)]
    if results.rows:
        lines += _markdown_table(_COLUMNS, [_cells(row) for row in results.rows])
    if results.fits:
        lines += _markdown_table(_FIT_COLUMNS, [_fit_cells(row) for row in results.fits])
    everybody = [[row.case.label, _everybody(row)] for row in results.rows if row.peers]
    if everybody:
        lines += ["", "## Everybody, ms (largest relative difference of a score from NumPy's closed form in float64)"]
        lines += _markdown_table(("points", "the fastest first"), everybody)
    solvers = [[row.case.label, _every_solver(row)] for row in results.fits if row.peers]
    if solvers:
        lines += ["", "## Every solver, fits per second (max|gradient| / n reached)"]
        lines += _markdown_table(("points", "the fastest first"), solvers)
    return "\n".join(lines) + "\n"


def _markdown_table(columns: Sequence[str], rows: list[list[str]]) -> list[str]:
    head = ["", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return head + [f"| {' | '.join(map(escaped, cells))} |" for cells in rows]


def _everybody(row: Row) -> str:
    timed = sorted((row.own, *row.peers), key=lambda one: one.milliseconds or math.inf)
    return "; ".join(
        f"{one.name} {one.trouble or f'{_number(one.milliseconds)} ({one.difference:.0e})'}" for one in timed
    )


def _every_solver(row: FitRow) -> str:
    timed = sorted((row.own, row.warm, *row.peers), key=lambda one: one.fits_per_second or 0.0, reverse=True)
    return "; ".join(f"{one.name} {one.trouble or f'{rate(one.fits_per_second)} ({one.reached:.0e})'}" for one in timed)
