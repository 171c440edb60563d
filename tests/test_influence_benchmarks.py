"""The benchmark of self-influence and fits: what it compares is equal, what is wrong, slow or missing is said. Nothing
here depends on how fast anything is. And the table of docs/alo.md: its refits are refits."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from augcore.benchmarks import fits, influence, influence_peers, influence_show, multiply_add
from augcore.benchmarks.influence_peers import PEERS, SCIPY, Case, Peer, numpy_closed_form, parse_case, task
from augcore.benchmarks.libraries import library

ROOT = Path(__file__).resolve().parent.parent
TINY = Case(60, 5)


def _peer(change: Any, name: str = "other") -> Peer:
    """NumPy's closed form, and then something done to the result."""
    return Peer(name, "numpy", lambda given: change(numpy_closed_form(given)))


def _row(*peers: Peer, case: Case = TINY, **options: Any) -> influence.Row:
    (row,) = influence.compare([case], peers, repeats=1, **options).rows
    return row


# ---- cases -----------------------------------------------------------------------------------------------------------


def test_cases_are_parsed() -> None:
    assert parse_case("1000x256") == Case(1000, 256)
    assert parse_case("13x1:float32") == Case(13, 1, "float32")


@pytest.mark.parametrize("text", ["", "1000", "12x1", "99x30", "1000x0", "1000x256:int8", "1000x256:", "1x2x3"])
def test_odd_cases_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_case(text)


def test_the_operations_of_a_case() -> None:
    assert Case(10, 3).operations == 2 * 10 * 9 + 9
    row = influence.Row(Case(1000, 300), 100.0, influence.Entry("augcore", "augcore", milliseconds=9.0), [])
    assert row.gflops(row.own) == pytest.approx((2 * 1000 * 300**2 + 300**3 / 3) / 9e-3 / 1e9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_task_is_of_its_case(dtype: str) -> None:
    given = task(Case(40, 7, dtype), threads=2)
    assert (given.X.shape, given.X.dtype, given.y.dtype, given.threads) == ((40, 7), dtype, dtype, 2)
    assert set(given.y.tolist()) == {0.0, 1.0}
    few = influence_peers.first(given, 11)
    np.testing.assert_array_equal(few.X, given.X[:11])
    np.testing.assert_array_equal(few.y, given.y[:11])


# ---- peak ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loop_does_its_multiply_adds(dtype: str) -> None:
    """Every chain does s = x s + x that often; an optimiser that leaves some out is found."""
    lanes = multiply_add._lanes(library("llvmlite.binding"), dtype)
    loop = multiply_add._compiled(dtype, lanes)
    for turns, expected in ((1, 0.75), (2, 0.875), (3, 0.9375)):
        assert loop(turns, 0.5) == multiply_add.CHAINS * expected
    assert multiply_add.source(dtype, lanes).count("call <") == multiply_add.CHAINS
    one, two = (multiply_add.peak(dtype, threads) for threads in (1, 2))
    assert two.operations == 2 * one.operations
    assert one.operations == 2 * multiply_add.CHAINS * lanes * (one.operations / (2 * multiply_add.CHAINS * lanes))
    two.run()


def test_without_llvmlite_a_matrix_product_is_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    peak = multiply_add.peak("float32", 2)
    assert peak.name == "sgemm of NumPy's BLAS"
    assert peak.operations == 2 * 2 * multiply_add._SIDE**3
    peak.run()
    results = influence.compare([TINY], repeats=1)
    assert results.peak_name == "dgemm of NumPy's BLAS"
    assert "dgemm of NumPy's BLAS" in influence_show.to_markdown(results)


# ---- what is compared ------------------------------------------------------------------------------------------------


def test_difference() -> None:
    reference = np.array([-2.0, -1.0, -1e-9, 0.0])
    assert influence.difference(reference.copy(), reference) == 0
    assert influence.difference(np.array([-2.0, -1.1, -1e-9, 0.0]), reference) == pytest.approx(0.1)
    assert influence.difference(np.array([-2.0, -1.0, -1.2e-9, 0.0]), reference) == pytest.approx(1e-4)
    assert influence.difference(reference[:3], reference) == math.inf
    assert influence.difference(np.array([-2.0, np.nan, 0, 0]), reference) == math.inf


INSTALLED = [peer for peer in PEERS if importlib.util.find_spec(peer.library.split(".")[0])]


def test_the_closed_forms_are_always_there() -> None:
    assert {"NumPy closed form", "SciPy closed form"} <= {peer.name for peer in INSTALLED}


@pytest.mark.filterwarnings("ignore")  # the libraries' own
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_peer_computes_the_same(dtype: str) -> None:
    results = influence.compare([Case(90, 6, dtype)], INSTALLED, repeats=1)
    (row,) = results.rows
    assert (row.own.trouble, row.own.difference) == (None, pytest.approx(0, abs=1e-9 if dtype == "float64" else 1e-4))
    entries = [entry for entry in row.peers if LIBRARY_OF[entry.name] not in results.missing]
    assert {entry.name: entry.trouble for entry in entries if entry.trouble} == {}
    assert all(entry.milliseconds and entry.milliseconds > 0 for entry in entries)
    assert row.scipy is not None


LIBRARY_OF = {peer.name: peer.library for peer in PEERS}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda scores: scores * (1 + 1e-7), "differs by 1.0e-07"),
        (lambda scores: -scores, "differs by 2.0e+00"),
        (lambda scores: scores[:-1], "differs by inf"),
        (lambda scores: scores * np.nan, "differs by inf"),
        (lambda scores: scores.no_such_thing, "fails: AttributeError: "),
    ],
)
def test_a_wrong_peer_is_neither_timed_nor_silent(change: Any, said: str) -> None:
    results = influence.compare([TINY], [_peer(change, "wrong")], repeats=1)
    ((entry,),) = (row.peers for row in results.rows)
    assert entry.milliseconds is None
    assert str(entry.trouble).startswith(said)
    assert results.rows[0].fastest_library is None
    (note,) = (note for note in influence_show.notes(results) if note.startswith("wrong"))
    assert note.startswith(f"wrong ({TINY.label}) {said}")
    assert note in influence_show.to_markdown(results)
    assert f"wrong ({TINY.label})" in _printed(results)


def test_this_library_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influence, "OWN", _peer(lambda scores: scores * 1.01, "augcore"))
    row = _row(SCIPY)
    assert str(row.own.trouble).startswith("differs by 1.0e-02")
    assert row.own.milliseconds is None


def test_who_is_too_slow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 2.0])  # this library's two, on 20 of 60 points and on all
    monkeypatch.setattr(influence, "seconds", lambda run: (run(), next(clock, 5.0))[1])
    row = _row(_peer(lambda scores: scores), budget=10.0)
    assert row.own.milliseconds == 2000.0  # longer than a turn: timed once
    assert row.peers[0].trouble == "needs about 15 s"


def test_the_fastest_library_is_no_closed_form() -> None:
    names = {"slow": 9.0, "fast": 3.0, "by hand": 1.0}
    entries = [influence.Entry(name, "x", name == "by hand", 0.0, time) for name, time in names.items()]
    row = influence.Row(TINY, 1.0, influence.Entry("augcore", "augcore", milliseconds=1.5), entries)
    assert row.fastest_library == entries[1]
    assert influence_show._cells(row)[-3:] == ["fast", "3.00", "2.00"]


def test_other_kernels_are_tried_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    row = _row(SCIPY, other_kernels=True)
    assert row.other_kernels is not None
    assert row.other_kernels > 0
    monkeypatch.setattr(sys, "executable", "/no/python")
    results = influence.compare([TINY], [SCIPY], repeats=1, other_kernels=True)
    assert results.rows[0].other_kernels is None
    assert results.remarks == ["OPENBLAS_CORETYPE=SkylakeX: fails: FileNotFoundError"]


# ---- fits ------------------------------------------------------------------------------------------------------------


def test_reached_is_the_gradient_of_the_objective() -> None:
    given = task(Case(50, 4))
    at = np.linspace(-1, 1, 5)

    def objective(point: np.ndarray) -> float:
        eta = given.design() @ point
        return float(np.sum(np.logaddexp(0, eta) - given.y * eta)) + np.sum(point[:-1] ** 2) / (2 * fits.C)

    steps = 1e-6 * np.eye(5)
    gradient = [(objective(at + step) - objective(at - step)) / 2e-6 for step in steps]
    assert fits.reached(given, at) == pytest.approx(np.max(np.abs(gradient)) / 50, rel=1e-6)


def test_every_solver_gets_the_loosest_tolerance_that_is_enough() -> None:
    row = fits.time_fits(Case(80, 4), [one for one in fits.SOLVERS if one.library == "sklearn"], 1, 1)
    for entry in (row.own, row.warm, *row.peers):
        assert entry.trouble is None
        assert entry.equal, entry
        assert entry.fits_per_second
        assert entry.tolerance > 1e-13
    assert row.fastest_peer in row.peers


def test_correlated_features() -> None:
    case = fits.FitCase(20_000, 6, correlation=0.9)
    given = fits.task(case)
    distance = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    np.testing.assert_allclose(np.cov(given.X.T), 0.9**distance, atol=0.05)
    assert 0.4 < given.y.mean() < 0.6
    assert "correlated" in case.label
    single = fits.task(fits.FitCase(50, 6, "float32", correlation=0.9))
    assert single.X.dtype == single.y.dtype == np.float32
    np.testing.assert_array_equal(fits.task(Case(50, 6)).X, task(Case(50, 6)).X)
    entry = fits.time_fits(fits.FitCase(80, 4, correlation=0.9), [], 1, 1).own
    assert entry.equal


def test_the_loosest_tolerance_that_is_enough_is_taken() -> None:
    given = task(TINY)
    optimum = fits._own(given, 1e-12)
    row = fits.time_fits(TINY, [fits.Solver("nearer", "numpy", lambda _, tol: optimum + tol)], 1, 1)
    enough = [tol for tol in fits.TOLERANCES if fits.reached(given, optimum + tol) <= fits.TARGET]
    assert row.peers[0].tolerance == enough[0] > enough[-1]


def test_a_solver_that_stops_short_is_not_compared() -> None:
    optimum = fits._own(task(TINY), 1e-12)
    short = fits.Solver("short", "numpy", lambda given, tol: optimum + (1e-4 if tol < 1e-6 else 1e-3))
    broken = fits.Solver("broken", "numpy", lambda given, tol: optimum[:2])
    row = fits.time_fits(TINY, [short, broken], 1, 1)
    assert row.fastest_peer is None
    assert row.peers[0].tolerance == pytest.approx(1e-7)
    assert str(row.peers[1].trouble).startswith("fails: ValueError")
    said = influence_show.notes(influence.Results(1, 1, "loop", [], [row], [], {}, []))
    assert [text.split(" stops at")[0].split(" fails")[0] for text in said] == [
        f"short ({TINY.label})",
        f"broken ({TINY.label})",
    ]


# ---- files and the command -------------------------------------------------------------------------------------------


def _printed(results: influence.Results, *, everyone: bool = False) -> str:
    stream = io.StringIO()
    influence_show.print_table(results, Console(file=stream, width=114), everyone=everyone)
    return stream.getvalue()


def _bench(*arguments: object, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "augcore", "bench", "influence", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_command_end_to_end(tmp_path: Path) -> None:
    for module in ("captum", "statsmodels", "torch", "pydvl"):
        (tmp_path / f"{module}.py").write_text("raise ImportError('broken on purpose')")
    options = ["--peers", "--cases", "70x5,60x4:float32", "--repeats", 1, "--everyone"]
    process = _bench(*options, "--json", "a.json", "--markdown", "a.md", folder=tmp_path)
    assert process.returncode == 0, process.stderr
    document = json.loads((tmp_path / "a.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert document["missing"]["captum"] == "does not import: ImportError: broken on purpose"
    assert [row["case"] for row in document["self_influence"]] == ["70 x 5 float64", "60 x 4 float32"]
    for row in document["self_influence"]:
        assert row["ratio_SkylakeX"] > 0
        assert row["augcore"]["of_peak"] == pytest.approx(row["augcore"]["gflops"] / row["peak_gflops"])
        (scipy,) = (peer for peer in row["peers"] if peer["name"] == "SciPy closed form")
        assert scipy["augcore_ratio"] == pytest.approx(row["augcore"]["milliseconds"] / scipy["milliseconds"])
    assert document["fits"][0]["augcore"]["reached"] <= 1e-8
    assert max(map(len, process.stdout.splitlines())) <= 120
    assert "…" not in process.stdout
    text = (tmp_path / "a.md").read_text()
    for words in ("70 x 5 float64", "60 x 4 float32", "captum: does not import", "scikit-learn newton-cg"):
        assert words in process.stdout
        assert words in text
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({line.count("|") - line.count("max|gradient|") for line in table.splitlines()}) == 1, table


def test_the_command_without_peers_imports_none(tmp_path: Path) -> None:
    for module in ("captum", "statsmodels", "torch", "pydvl"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')")
    process = _bench("--cases", "70x5", "--repeats", 1, folder=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "70 x 5 float64" in process.stdout
    assert "SciPy ms" not in process.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cases", "10x10"], "--cases '10x10': expected"),
        (["--json", "no/where.json"], "no/where.json: no such folder"),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    process = _bench(*arguments, folder=tmp_path)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert words in process.stderr


# ---- the table of docs/alo.md ----------------------------------------------------------------------------------------


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("make_alo_table", ROOT / "docs" / "make_alo_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_alo_table"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_refits_of_the_table_are_those_of_scikit_learn(n_classes: int) -> None:
    from sklearn.linear_model import LogisticRegression

    script, rng = _script(), np.random.default_rng(3)
    X = rng.normal(size=(40, 3))
    data = script.Data("random", X, np.arange(40) % n_classes, (2.0,))
    theta, rises = script.Model(data, 2.0).refits()

    def loss(model: LogisticRegression, i: int) -> float:
        return -float(model.predict_log_proba(X[i : i + 1])[0, data.y[i]])

    fit = LogisticRegression(C=2.0, tol=1e-10, solver="newton-cg", max_iter=1000)
    whole = [loss(fit.fit(X, data.y), i) for i in range(40)]
    np.testing.assert_allclose(script.Model(data, 2.0).losses(theta), whole, rtol=1e-6)
    for i in (0, 7, 39):
        rest = np.delete(np.arange(40), i)
        assert rises[i] == pytest.approx(loss(fit.fit(X[rest], data.y[rest]), i) - whole[i], rel=1e-4)


def test_the_page_shows_what_the_targets_ask() -> None:
    """Of ALO: Pearson at least 0.98, sums within 10% for C up to 10."""
    script = _script()
    lines = re.findall(r"^\| (.*) \|$", (ROOT / "docs" / "alo.md").read_text().split("<!-- table -->")[1], re.M)[1:]
    cells = [line.split(" | ") for line in lines]
    binary = [(data.name, f"{C:g}") for data in script.all_data() if data.n_classes == 2 for C in data.strengths]
    assert [(name, C) for name, C, *_ in cells][: len(binary)] == binary
    for _, C, *_, alo in cells:
        pearson, _, ratio = map(float, alo.split(", "))
        assert pearson >= 0.98
        assert abs(ratio - 1) <= 0.1 or float(C) > 10
