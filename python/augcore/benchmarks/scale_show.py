"""The results of the comparison of scores of mapped files as tables on a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise

from rich.console import Console

from augcore.benchmarks import tables
from augcore.benchmarks.machine import facts, summary
from augcore.benchmarks.scale import Entry, Results
from augcore.benchmarks.tables import Sheet, number

__all__ = ["notes", "print_table", "sheets", "to_json", "to_markdown"]


def notes(results: Results) -> list[str]:
    said = [f"{name}: {reason}" for name, reason in results.missing.items()]
    for row in results.rows:
        said += [f"{e.name} ({row.case.label}) {e.trouble}; not timed" for e in (*row.peers, *row.cluster) if e.trouble]
    return said


def sheets(results: Results) -> list[Sheet]:
    """Scores beside the peers, growth with the number of points, and clusters."""
    scores = Sheet(
        ("scores", "s", "CPU s", "own MiB", "fit s", "passes", "peer", "s", "CPU s", "own MiB", "times"),
        [
            [row.case.label, *_entry(row.own), number(row.fit.seconds), str(row.passes), *_peer(peer, row.own)]
            if place == 0
            else ["", "", "", "", "", "", *_peer(peer, row.own)]
            for row in results.rows
            for place, peer in enumerate(row.peers or [None])
        ],
        "s: for the Hessian and all scores, from a mapped file in memory; own MiB: memory beyond the mapped file, at "
        "most; fit: of a logistic regression to all points, in so many passes over the file; times: the peer's CPU "
        "seconds in ours.",
        left=("scores", "peer"),
    )
    found = [scores]
    growth = [
        [
            f"{one.case.n:,} to {more.case.n:,} points",
            number(more.case.n / one.case.n),
            number(_quotient(more.own.seconds, one.own.seconds)),
            number(_quotient(more.fit.seconds, one.fit.seconds)),
            number(_difference(more.own.memory, one.own.memory)),
        ]
        for one, more in pairwise(results.rows)
        if one.case.p == more.case.p
    ]
    if growth:
        columns = ("growth", "rows", "scores", "fit", "own MiB more")
        found.append(Sheet(columns, growth, "rows, scores, fit: how many times as many, as long.", left=("growth",)))
    clusters = [
        [row.case.label, one.name, number(one.seconds), number(_quotient(row.cluster[0].seconds, one.seconds))]
        for row in results.rows
        for one in row.cluster
    ]
    if clusters:
        legend = "Workers are processes of one thread that hold the features; times: the first one's seconds in theirs."
        found.append(Sheet(("cluster", "workers", "s", "times"), clusters, legend, left=("cluster", "workers")))
    return found


def _entry(entry: Entry) -> list[str]:
    return [number(entry.seconds), number(entry.cpu), number(entry.memory)]


def _peer(peer: Entry | None, own: Entry) -> list[str]:
    if peer is None:
        return ["-"] * 5
    return [peer.name, *_entry(peer), number(_quotient(peer.cpu, own.cpu))]


def _quotient(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _summary(results: Results) -> str:
    return summary(facts(results.modules, results.threads, results.repeats))


def print_table(results: Results, console: Console, *, everyone: bool = False) -> None:
    tables.print_sheets(sheets(results), _summary(results), notes(results), console)


def to_markdown(results: Results) -> str:
    return tables.to_markdown(sheets(results), _summary(results), notes(results))


def to_json(results: Results) -> str:
    document = {
        **facts(results.modules, results.threads, results.repeats),
        "missing": results.missing,
        "rows": [asdict(row) for row in results.rows],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
