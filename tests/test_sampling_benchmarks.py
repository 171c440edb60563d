"""The benchmark of sampling: orders are compared with those of the same keys, and tables say what was measured."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from augcore import get_num_threads, policies
from augcore.benchmarks import sampling, sampling_show
from augcore.benchmarks.memory import grown
from augcore.benchmarks.sampling import Entry, FileRow, GrowthRow, Results, Row
from augcore.benchmarks.tables import Sheet

RESULTS = Results(
    threads=1,
    repeats=3,
    rows=[
        Row(1000, 1000, True, Entry("augcore", 0.5), [Entry("slow", 50.0), Entry("as fast", 0.5)]),
        Row(1000, 10, False, Entry("augcore", 0.25), [Entry("part", 1.0)]),
    ],
    growth=[GrowthRow(1000, 1000, 0.5, None), GrowthRow(2_000_000, 1000, 4.0, 1.5)],
    file=FileRow(100_000, 10, True, 1.25, 3.0),
)


def printed(results: Results, **options: object) -> str:
    stream = io.StringIO()
    sampling_show.print_table(results, Console(file=stream, width=200), **options)
    return stream.getvalue()


def test_small_cases_are_timed_and_equal(tmp_path) -> None:
    threads, told = get_num_threads(), []
    results = sampling.compare(
        (1, 2000),
        (20_000, 30),
        growth=(500,),
        file=(30_000, 40),
        folder=str(tmp_path),
        threads=2,
        repeats=2,
        progress=lambda *progress: told.append(progress),
    )
    assert get_num_threads() == threads
    assert [(row.n, row.k, row.equal) for row in results.rows] == [(1, 1, True), (2000, 2000, True), (20_000, 30, True)]
    assert [peer.name for peer in results.rows[0].peers] == [
        "Generator.choice",
        "keys, argsort",
        "argsort of ready keys",
    ]
    assert [peer.name for peer in results.rows[2].peers] == ["keys, argpartition", "argpartition of ready keys"]
    assert all(entry.milliseconds > 0 for row in results.rows for entry in (row.own, *row.peers))
    assert [(row.n, row.k) for row in results.growth] == [(500, 500), (500, 500)]
    assert results.file is not None
    assert (results.file.n, results.file.k, results.file.equal) == (30_000, 40, True)
    assert list(tmp_path.iterdir()) == []
    assert told[-1] == ("timing", 1, 1)
    assert sampling_show.notes(results) == []


def test_an_order_that_is_not_that_of_its_keys_is_said(monkeypatch) -> None:
    honest = policies.order
    monkeypatch.setattr(policies, "order", lambda *given, **options: np.roll(honest(*given, **options), 1))
    results = sampling.compare((500,), (9000, 30), growth=(), repeats=1)
    assert [row.equal for row in results.rows] == [False, False]
    assert len(sampling_show.notes(results)) == 2


def test_numpy_draws_what_it_is_said_to_draw() -> None:
    weights = sampling._weights(400)
    drawn, by_keys, ready = (peer() for peer in sampling._peers(weights, 400).values())
    part, ready_part = (peer() for peer in sampling._peers(weights, 40).values())
    for order in (drawn, by_keys, ready):
        assert sorted(order.tolist()) == list(range(400))
        assert weights[order[:100]].sum() > 2 * weights[order[-100:]].sum()
    for chosen in (part, ready_part):
        assert len(set(chosen.tolist())) == 40
        assert weights[chosen].mean() > weights.mean()


def test_memory_that_is_taken_is_seen() -> None:
    taken = grown(lambda: np.ones(8 << 20).sum())
    assert taken is None or 60 < taken < 80


def test_tables_say_what_was_measured() -> None:
    more = [Sheet(("k-DPP", "ms"), [["5 of 10 | 20", "1.5"]], "of a kernel")]
    text = printed(RESULTS, more=more)
    for words in ("order of 1,000", "0.500", "slow", "100", "first 10 of 1,000", "4.00", "100,000, float32", "5 of 10"):
        assert words in text
    assert "first 10 of 1,000: differs from the order of the same keys" in text
    markdown = sampling_show.to_markdown(RESULTS, more=more)
    assert "| order of 1,000 | 0.500 | slow | 50.0 | 100 |" in markdown
    assert "|  |  | as fast | 0.500 | 1.00 |" in markdown
    assert "| first 1,000 of 2,000,000 | 4.00 | 2.00 | 1.50 |" in markdown
    assert "| order of 1,000 | 0.500 | 500 | - |" in markdown
    assert "| 5 of 10 \\| 20 | 1.5 |" in markdown
    assert "first 10 of 1,000: differs" in markdown


@pytest.mark.parametrize("results", [RESULTS, Results(1, 1, [], [], None)])
def test_json_holds_every_figure(results: Results) -> None:
    document = json.loads(sampling_show.to_json(results, more={"dpp": [1]}))
    assert document["dpp"] == [1]
    assert [row["peers"] for row in document["rows"]] == [[vars(peer) for peer in row.peers] for row in results.rows]
    assert document["growth"] == [vars(row) for row in results.growth]
    assert document["file"] == (results.file and vars(results.file))
    assert printed(results)
