"""The results of the comparison of draws from k-DPPs as a table, and as what JSON has of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from augcore.benchmarks.dpp import Entry, Results, Row
from augcore.benchmarks.tables import Sheet, number

__all__ = ["figures", "notes", "sheet"]

_COLUMNS = ("k-DPP", "prepared ms", "draw ms", "of peak", "peer", "prepared ms", "draw ms", "times")
_LEGEND = (
    "prepared: once for a kernel, its eigenvalues and vectors; of peak: n k^2 multiply-adds, by the peak of float64; "
    "times: how many times our time for a draw they take."
)


def sheet(results: Results) -> Sheet:
    """A line for each peer, the first of them with ours."""
    rows = []
    for row in results.rows:
        of_peak = 1e-6 * row.case.operations / row.own.milliseconds / row.peak if row.own.milliseconds else None
        ours = [row.case.label, *_times(row.own), f"{of_peak:.0%}" if of_peak else "-"]
        peers = [peer for peer in row.peers if peer.trouble is None]
        rows += [[*(ours if place == 0 else [""] * 4), *_peer(peer, row)] for place, peer in enumerate(peers)]
        rows += [] if peers else [[*ours, *["-"] * 4]]
    return Sheet(_COLUMNS, rows, _LEGEND, left=("k-DPP", "peer"))


def _times(entry: Entry) -> list[str]:
    return [number(entry.prepared), number(entry.milliseconds)]


def _peer(peer: Entry, row: Row) -> list[str]:
    return [peer.name, *_times(peer), number(row.ratio(peer.name))]


def notes(results: Results) -> list[str]:
    """Who is missing, and who fails or draws from another distribution."""
    said = [f"{name}: {reason}" for name, reason in results.missing.items()] + results.remarks
    for row in results.rows:
        said += [f"{e.name} ({row.case.label}) {e.trouble}; not timed" for e in (row.own, *row.peers) if e.trouble]
    return said


def figures(results: Results) -> dict[str, Any]:
    return {"k_dpps": [asdict(row) for row in results.rows], "k_dpp_peers_missing": results.missing}
