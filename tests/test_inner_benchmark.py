"""The benchmark of the inner loop: both loops find the same, what differs is said, and files are well-formed."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from augcore import get_num_threads
from augcore.benchmarks import inner, inner_show
from augcore.benchmarks.inner import Case, Results, compare, make_features, read_features

SMALL = make_features(Case(60, 12, 2, 40))
RESULTS = [
    Results(1, 3, "1,000 x 256", "augcore", 36, 288, 104, 0.8, 8.0, 288, 0, 2e-6),
    Results(1, 3, "1,000 x 256", "paper", 36, 288, 104, 0.5, 8.0, 288, 3, 2e-6),
]


@pytest.mark.parametrize("convention", inner.CONVENTIONS)
def test_small_loops_find_the_same(convention: str) -> None:
    threads, told = get_num_threads(), []
    found = compare(SMALL, convention=convention, repeats=2, progress=lambda *progress: told.append(progress))
    assert get_num_threads() == threads
    assert found.case == "60 x 12, 2 variants, 120 test rows"
    assert (found.curves, found.fits, found.scorings) == (36, 36 * 4, 13 * 4)  # sizes 1, 10, 50, 60
    assert (found.accuracies, found.different) == (36 * 4, 0)
    assert 0 < found.coef_difference < 1e-4
    assert min(found.own_seconds, found.lean_seconds) > 0
    assert told[-1] == ("timing", 1, 1)


def test_the_case_is_that_of_the_paper() -> None:
    given = make_features(inner.CASE._replace(n=1000, n_test=10))
    problem = inner.problem_of(given)
    assert given.label == "1,000 x 256, 4 variants, 50 test rows"
    assert problem.config.sizes == (1, 10, 50, 100, 250, 500, 750, 1000)
    assert problem.n_plain == 10
    assert (given.originals >= 0).all()
    correlation = np.corrcoef(given.originals.T)
    assert np.abs(correlation[~np.eye(256, dtype=bool)]).mean() > 0.05
    assert 0.7 < problem.accuracy(problem.start) < 1.0


def test_what_differs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = inner.lean_loop

    def wrong(problem: Any) -> Any:
        found = honest(problem)
        found.accuracies[3][1] += 0.5
        found.models[5][0][2] += 1.0
        return found

    monkeypatch.setattr(inner, "lean_loop", wrong)
    found = compare(SMALL, repeats=1)
    assert found.different == 1
    assert 0.9 < found.coef_difference < 1.1


def test_features_of_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **SMALL._asdict())
    for name, values in read_features(tmp_path / "a.npz")._asdict().items():
        assert np.array_equal(values, getattr(SMALL, name))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": None}, "has no y"),
        ({"variants": SMALL.variants[:, :59]}, "do not belong together"),
        ({"y_test": SMALL.y_test[:-1]}, "do not belong together"),
        ({"X_test": SMALL.X_test[:, :5]}, "do not belong together"),
        ({"originals": SMALL.originals[0]}, "do not belong together"),
    ],
)
def test_files_of_other_arrays_are_one_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    arrays = {name: values for name, values in {**SMALL._asdict(), **change}.items() if values is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    process = bench("--features", tmp_path / "a.npz")
    assert process.returncode == 2
    assert process.stderr.startswith("augcore: --features")
    assert process.stderr.count("\n") == 1
    assert words in process.stderr


def bench(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "augcore", "bench", "inner", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_end_to_end(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **SMALL._asdict())
    files = ["--json", tmp_path / "a.json", "--markdown", tmp_path / "a.md"]
    process = bench("--features", tmp_path / "a.npz", "--repeats", 1, *files)
    assert process.returncode == 0, process.stderr
    assert "60 x 12, 2 variants, 120 test rows; paper" in process.stdout
    assert max(map(len, process.stdout.splitlines())) <= 120
    document = json.loads((tmp_path / "a.json").read_text())
    assert [row["convention"] for row in document["rows"]] == list(inner.CONVENTIONS)
    assert "60 x 12" in (tmp_path / "a.md").read_text()


def test_tables_say_what_was_measured() -> None:
    stream = io.StringIO()
    inner_show.print_table(RESULTS, Console(file=stream, width=200))
    for words in ("1,000 x 256; augcore", "288", "104", "0.800", "8.00", "10.0", "16.0", "2e-06"):
        assert words in stream.getvalue()
    assert "paper: 3 of 288 accuracies are not those of NumPy" in stream.getvalue()
    assert "augcore: 0 of" not in stream.getvalue()
    assert "| 1,000 x 256; augcore | 36 | 288 | 104 | 0.800 | 8.00 | 10.0 | 2e-06 |" in inner_show.to_markdown(RESULTS)
    document = json.loads(inner_show.to_json(RESULTS))
    assert document["rows"] == [dataclasses.asdict(row) for row in RESULTS]


def test_asv_times_both_loops() -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
    try:
        import inner_loop
    finally:
        sys.path.pop(0)
    timed = inner_loop.InnerLoops()
    for convention in timed.params[0]:
        timed.setup(convention, "60")
        timed.time_own(convention, "60")
        timed.time_lean(convention, "60")
