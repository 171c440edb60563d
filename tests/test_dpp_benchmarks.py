"""The benchmark of k-DPPs: what draws from another distribution, fails or is missing is said. Nothing here depends on
how fast anything is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from augcore.benchmarks import dpp as benchmark
from augcore.benchmarks.dpp import OWN, PEERS, Case, Peer, parse_case, task

TINY = Case(12, 4)
BY_HAND = [peer for peer in PEERS if peer.library == "numpy"]


def _peer(change: Any, library: str = "numpy") -> Peer:
    """Our draws, and then something done to the points."""

    def prepare(given: benchmark.Task, threads: int) -> benchmark.Draw:
        draw = OWN.prepare(given, threads)
        return lambda seed: change(draw(seed), given)

    return Peer("other", library, prepare)


def test_cases_are_parsed() -> None:
    assert parse_case("250of1000") == Case(1000, 250)
    assert parse_case("7of50:8") == Case(50, 7, 8)
    assert Case(1000, 250).operations == 2 * 1000 * 250**2


@pytest.mark.parametrize("text", ["", "250", "0of9", "10of9", "5of9:4", "5of9:", "5x9", "1of2of3"])
def test_odd_cases_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_case(text)


@pytest.mark.parametrize("case", [Case(20, 5), Case(20, 5, 7), Case(300, 100)])
def test_a_task_has_polynomials_of_about_one(case: Case) -> None:
    given = task(case)
    matrix = given.features @ given.features.T if given.features is not None else given.matrix
    found = np.zeros(case.k + 1)
    found[0] = 1.0
    for value in np.linalg.eigvalsh(matrix):
        found[1:] += value * found[:-1]
    assert found[-1] == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("case", [TINY, Case(30, 4, 6)])
def test_those_by_hand_draw_from_the_same_distribution(case: Case) -> None:
    (row,) = benchmark.compare([case], BY_HAND, repeats=1).rows
    for entry in (row.own, *row.peers):
        assert entry.trouble is None
        assert entry.milliseconds is not None
        assert entry.prepared is not None
    assert [entry.name for entry in row.peers] == [peer.name for peer in BY_HAND]
    assert row.ratio(BY_HAND[0].name) == pytest.approx(row.peers[0].milliseconds / row.own.milliseconds)
    assert row.ratio("nobody") is None
    assert row.peak > 0


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        (lambda points, given: np.sort(points)[::-1] if points[0] else np.array([0, 1, 2]), "draws from another"),
        (lambda points, given: points if given.k == 3 else points[[0, 0]], "draws 1 points instead of 4"),
        (lambda points, given: points[given.k + 9], "fails: IndexError: index 12 is out of bounds"),
    ],
)
def test_trouble_is_told(change: Any, trouble: str) -> None:
    (row,) = benchmark.compare([TINY], [_peer(change)], repeats=1).rows
    assert row.peers[0].trouble.startswith(trouble)
    assert row.peers[0].milliseconds is None
    assert row.own.milliseconds is not None


def test_missing_libraries_are_told() -> None:
    results = benchmark.compare([TINY], [_peer(lambda points, given: points, "no_such_library")], repeats=1)
    assert results.missing == {"no_such_library": "not installed"}
    assert results.rows[0].peers == []
