"""The benchmarks: what they compare is equal, what is missing or wrong is said, and files are well-formed. Nothing here
depends on how fast anything is."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from augcore import transforms as library_transforms
from augcore.benchmarks import libraries, machine, show
from augcore.benchmarks import peers as known
from augcore.benchmarks.peers import COPIES, ROUNDS, Offer, Peer, rounded
from augcore.benchmarks.timing import interleaved
from augcore.benchmarks.transforms import EVERY_PEER, EXACT, OPENCV4, Results, compare, difference, own_call
from augcore.benchmarks.works import CASES, WORKS, Case, Task, Work, batch, find_works, parse_case

ROOT = Path(__file__).resolve().parent.parent
BY_NAME = {work.name: work for work in WORKS}
TINY = Case(5, 24, 20, 3)
FLIP = [BY_NAME["flip"]]


def _bench(*arguments: object, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "augcore", "bench", "transforms", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _printed(results: Results, *, everyone: bool = False) -> str:
    stream = io.StringIO()
    show.print_table(results, Console(file=stream, width=114), everyone=everyone)
    return stream.getvalue()


def _flipping(result: Any, *, name: str = "mirror", convention: known.Convention = COPIES) -> Peer:
    """A peer that flips, and then does something to the result."""
    return Peer(name, "numpy", lambda task: Offer(lambda: result(task.images[:, :, ::-1].copy()), convention))


# ---- cases and works -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("10000x32x32x3", Case(10_000, 32, 32, 3)),
        ("1x8x9x1:float64", Case(1, 8, 9, 1, "float64")),
        ("2x1024x8x4:uint16", Case(2, 1024, 8, 4, "uint16")),
    ],
)
def test_cases_are_parsed(text: str, case: Case) -> None:
    assert parse_case(text) == case


@pytest.mark.parametrize(
    "text", ["", "32x32x3", "0x32x32x3", "1x7x8x1", "1x8x8x0", "1x8x8x1:int8", "1x8x8x1:", "-1x8x8x1", "1x8x8x1 "]
)
def test_odd_cases_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_case(text)


def test_works_are_found_by_name_or_beginning() -> None:
    assert [work.name for work in find_works("crop,flip")] == ["crop-bilinear", "crop-bicubic", "crop-area", "flip"]
    assert [work.name for work in find_works("rotate-5,rotate-5")] == ["rotate-5"]
    for name in ("", "rot", "rotate,", "flip-"):
        with pytest.raises(ValueError, match="translate-out"):
            find_works(name)


@pytest.mark.parametrize("case", [TINY, Case(9, 8, 16, 1, "float32")])
def test_batches_are_of_their_case(case: Case) -> None:
    images = batch(case)
    assert images.shape == (case.n, case.height, case.width, case.channels)
    assert images.dtype == case.dtype
    assert images.std() > 20


@pytest.mark.parametrize("name", ["rotate-5", "rotate-each", "translate-fraction"])
def test_the_matrices_of_a_task_are_what_the_library_does(name: str) -> None:
    """Peers are given these; a wrong sign or centre would make all of them differ."""
    task = Task(BY_NAME[name], batch(TINY))
    for inverse, matrix in ((True, task.inverse()), (False, task.matrix())):
        images = library_transforms.warp_affine(task.images, matrix if len(matrix) > 1 else matrix[0], inverse=inverse)
        assert difference(images, own_call(task, EXACT)) <= 1


# ---- what is measured ------------------------------------------------------------------------------------------------


def test_interleaved_takes_turns_and_gives_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    now, costs = 0.0, {"a": iter([3, 5, 4, 9, 1]), "b": iter([10, 20, 90, 30, 7])}
    monkeypatch.setattr("time.perf_counter", lambda: now)
    calls = ""

    def call(letter: str) -> None:
        nonlocal calls, now
        calls += letter
        now += next(costs[letter]) / 1e3

    assert interleaved([lambda: call("a"), lambda: call("b")], 5) == pytest.approx([4, 20])
    rounds = [calls[i : i + 2] for i in range(0, 10, 2)]
    assert set(rounds) == {"ab", "ba"}  # everyone once in each, and not always after the same


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_difference(dtype: str) -> None:
    one = np.array([0, 200, 7, 255], dtype)
    assert difference(one, one.copy()) == 0
    assert difference(one, np.array([3, 190, 7, 255], dtype)) == 10
    assert difference(np.array([3, 190, 7, 255], dtype), one) == 10
    assert difference(one, one[:3]) == np.inf
    assert difference(one, one.astype("int32")) == np.inf
    assert difference(one[:0], one[:0]) == 0
    if dtype.startswith("float"):
        assert difference(one, np.array([0, np.nan, 7, 255], dtype)) == np.inf


def test_rounded() -> None:
    values = np.array([-3.0, 0.5, 1.5, 254.6, 300.0])
    assert rounded(values, np.dtype("uint8")).tolist() == [0, 0, 2, 255, 255]
    assert rounded(values, np.dtype("float32")).tolist() == values.astype("float32").tolist()


def test_an_equal_peer_is_timed() -> None:
    (row,) = compare([TINY], FLIP, [_flipping(lambda flipped: flipped)], repeats=2).rows
    (peer,) = row.peers
    assert row.fastest_peer == peer
    assert (peer.trouble, peer.difference, peer.images) == (None, 0, 5)
    assert peer.images_per_second is not None
    assert peer.images_per_second > 0
    assert [entry.name for entry in row.ours] == [EXACT]


def _spoilt(flipped: np.ndarray) -> np.ndarray:
    flipped[-1, 0, 0, 0] ^= 4
    return flipped


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (_spoilt, "differs by 4"),
        (lambda flipped: flipped[:, ::-1], "differs by "),
        (lambda flipped: flipped[:-1], "differs by inf"),
        (lambda flipped: flipped.astype("float32"), "differs by inf"),
        (lambda flipped: flipped.no_such_thing, "fails: AttributeError: "),
    ],
)
def test_a_wrong_peer_is_neither_timed_nor_silent(result: Any, said: str) -> None:
    """Even if it is the fastest, and wrong in one bit of the last image alone."""
    results = compare([TINY], FLIP, [_flipping(result, name="wrong")], repeats=1)
    (row,) = results.rows
    (peer,) = row.peers
    assert row.fastest_peer is None
    assert peer.images_per_second is None
    assert peer.trouble is not None
    assert peer.trouble.startswith(said)
    (note,) = show.notes(results)
    assert note.startswith(f"wrong {said}")
    assert note.endswith(f"flip ({TINY.label}); not timed")
    assert f"wrong {said}" in show.to_markdown(results)
    assert f"wrong {said}" in _printed(results)
    assert peer.trouble.split(":")[0] in _printed(results, everyone=True)


def test_the_convention_of_a_peer_decides() -> None:
    one_off = _flipping(lambda flipped: flipped ^ 1, convention=ROUNDS)
    assert compare([TINY], FLIP, [one_off], repeats=1).rows[0].peers[0].trouble is None
    one_off = _flipping(lambda flipped: flipped ^ 1)
    assert compare([TINY], FLIP, [one_off], repeats=1).rows[0].peers[0].trouble == "differs by 1"
    floats = Case(2, 8, 8, 1, "float32")
    tenth_off = _flipping(lambda flipped: flipped + np.float32(0.1), convention=ROUNDS)
    assert str(compare([floats], FLIP, [tenth_off], repeats=1).rows[0].peers[0].trouble).startswith("differs by 0.1")


def test_a_slow_peer_gets_a_part_and_its_rate_is_per_image(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(64, 256, 256, 1)
    monkeypatch.setattr("augcore.benchmarks.transforms.seconds", lambda run: 4 * 0.25)  # four images in the pilot
    monkeypatch.setattr("augcore.benchmarks.transforms.interleaved", lambda runs, repeats: [500.0] * len(runs))
    results = compare([case], FLIP, [_flipping(lambda flipped: flipped)], budget=2.0)
    (row,) = results.rows
    assert [(entry.images, entry.images_per_second) for entry in row.peers] == [(8, 16.0)]
    assert [(entry.images, entry.images_per_second) for entry in row.ours] == [(64, 128.0)]
    assert row.copies_per_second == 128.0


def test_who_cannot_write_into_an_array_is_not_compared_with_who_does() -> None:
    plain = _flipping(lambda flipped: flipped)
    (row,) = compare([TINY], [BY_NAME["flip-out"]], [plain, plain._replace(name="into", into=True)], repeats=1).rows
    assert [peer.name for peer in row.peers] == ["into"]


def test_arithmetics_where_they_are_defined() -> None:
    rows = compare([TINY, Case(3, 12, 9, 1, "float32")], WORKS, repeats=1).rows
    both = {(row.work.name, row.case.dtype) for row in rows if [entry.name for entry in row.ours] == [EXACT, OPENCV4]}
    named = ("rotate-5", "rotate-30", "rotate-each", "translate-fraction", "crop-bilinear", "crop-area")
    assert both == {(name, "uint8") for name in named}
    assert all(entry.trouble is None for row in rows for entry in row.ours)


# ---- peers -----------------------------------------------------------------------------------------------------------

# Of the test extra; the others are tried where they are installed.
INSTALLED = [module for module in libraries.LIBRARIES if importlib.util.find_spec(module.split(".")[0])]


def test_the_tests_need_some_peers() -> None:
    assert {"numpy", "cv2", "tensorflow", "scipy.ndimage"} <= set(INSTALLED)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", [TINY, Case(4, 16, 24, 1), Case(3, 16, 20, 3, "float32")], ids=lambda case: case.label)
def test_every_peer_does_the_same(case: Case, threads: int) -> None:
    """Signs, centres, grids and borders, on non-square images; whoever is not installed is skipped."""
    peers = [peer for peer in EVERY_PEER if peer.library in INSTALLED and peer.library != "tensorflow"]
    results = compare([case], WORKS, peers, repeats=1, threads=threads)
    assert not results.missing
    troubles = {(row.work.name, peer.name): peer.trouble for row in results.rows for peer in row.peers if peer.trouble}
    assert troubles == {}
    assert all(row.fastest_peer is not None for row in results.rows)
    pooled = {row.work.kind for row in results.rows for peer in row.peers if "thread pool" in peer.name}
    assert pooled == ({"affine", "flip", "crop"} if threads > 1 else set())


def test_missing_libraries_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text("raise AttributeError('np.bool')")
    (tmp_path / "needy_library.py").write_text("import no_such_module_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("no_such_library.part", "broken_library", "needy_library")
    peers = [_flipping(lambda flipped: flipped)._replace(library=name) for name in names]
    results = compare([TINY], FLIP, [*peers, _flipping(lambda flipped: flipped)], repeats=1)
    assert results.missing == {
        "no_such_library.part": "not installed",
        "broken_library": "does not import: AttributeError: np.bool",
        "needy_library": "does not import: No module named 'no_such_module_at_all'",
    }
    assert len(results.rows[0].peers) == 1
    for name, reason in results.missing.items():
        assert f"{name}: {reason}" in show.notes(results)


# ---- files -----------------------------------------------------------------------------------------------------------


def test_rates_have_three_digits() -> None:
    values = [None, 0.5, 9.994, 9.996, 99.96, 999.4, 999.6, 12_345, 999_499, 999_600, 12_345_678, 123_456_789]
    texts = "-, 0.50, 9.99, 10.0, 100, 999, 1.00 k, 12.3 k, 999 k, 1.00 M, 12.3 M, 123 M"
    assert [machine.rate(value) for value in values] == texts.split(", ")


def test_json_and_markdown_are_well_formed() -> None:
    wrong = _flipping(lambda flipped: flipped[:-1], name="a|b")
    results = compare([TINY, Case(2, 8, 8, 1)], [*FLIP, BY_NAME["rotate-5"]], [wrong], repeats=1)
    document = json.loads(show.to_json(results), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert len(document["rows"]) == 4
    flip = document["rows"][0]
    assert (flip["case"], flip["work"], flip["fastest_peer"]) == (TINY.label, "flip", None)
    assert flip["peers"][0]["difference"] == "inf"
    assert flip["augcore"][0]["of_copy"] > 0
    assert document["versions"]["NumPy"] == np.__version__
    assert document["simd"] in ("baseline", "v3", "v4")
    tables = re.findall(r"(?:^\|.*\n)+", show.to_markdown(results), flags=re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_end_to_end(tmp_path: Path) -> None:
    """With a peer that is broken on purpose; TensorFlow is set to its threads before it starts."""
    (tmp_path / "kornia.py").write_text("raise ImportError('broken on purpose')")
    options = ["--peers", "--cases", "6x16x20x3,4x16x16x1:float32", "--repeats", 1, "--threads", 2, "--everyone"]
    files = ["--json", tmp_path / "a.json", "--markdown", tmp_path / "a.md"]
    process = _bench(*options, *files, folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert process.returncode == 0, process.stderr
    assert "timing: 100%" in process.stderr
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["missing"]["kornia"] == "does not import: ImportError: broken on purpose"
    assert document["threads"] == 2
    assert document["remarks"] == []
    assert len(document["rows"]) == 2 * len(WORKS)
    troubles = {(row["work"], peer["name"]): peer["trouble"] for row in document["rows"] for peer in row["peers"]}
    assert {where: trouble for where, trouble in troubles.items() if trouble} == {}
    assert ("rotate-each", "TensorFlow") in troubles
    for row in document["rows"]:
        assert max(peer["ratio"] for peer in row["peers"]) == 1.0
    lines = process.stdout.splitlines()
    assert max(map(len, lines)) <= 120
    for words in ("6 x 16x20x3 uint8", "4 x 16x16x1 float32", "kornia: does not import", "cv2.warpAffine thread pool"):
        assert words in process.stdout
        assert words in (tmp_path / "a.md").read_text()


def test_the_command_without_peers_imports_none(tmp_path: Path) -> None:
    for module in ("cv2", "torch", "tensorflow"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')")
    options = ["--cases", "3x8x8x1", "--works", "rotate-5,flip", "--repeats", 1]
    process = _bench(*options, folder=tmp_path, PYTHONPATH=str(tmp_path))
    assert process.returncode == 0, process.stderr
    assert "rotate 5°" in process.stdout
    assert "crop" not in process.stdout
    assert "peer" not in process.stdout
    assert "ratio" not in process.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cases", "10x10"], "--cases '10x10': expected NxHxWxC"),
        (["--cases", ""], "--cases ''"),
        (["--works", "rotat"], "--works 'rotat': expected some of translate,"),
        (["--json", "no/where.json"], "no/where.json: no such folder"),
        (["--markdown", "no/where.md"], "no/where.md: no such folder"),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    process = _bench(*arguments, folder=tmp_path)
    assert process.returncode == 2
    assert process.stderr.startswith("augcore: ")
    assert process.stderr.count("\n") == 1
    assert words in process.stderr
    assert process.stdout == ""


@pytest.mark.parametrize("arguments", [["--threads", "0"], ["--repeats", "x"], ["--nothing"]])
def test_odd_options_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    process = _bench(*arguments, folder=tmp_path)
    assert process.returncode == 2
    assert process.stderr.startswith("Usage: augcore bench transforms")


# ---- asv -------------------------------------------------------------------------------------------------------------


def _bench_module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", ROOT / "bench" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("file", "classes"), [("transforms", 2), ("influence", 2)])
def test_asv_classes_run(file: str, classes: int) -> None:
    """Each with its last parameters but the largest: that it can be set up and timed."""
    module = _bench_module(file)
    found = [value for value in vars(module).values() if isinstance(value, type) and hasattr(value, "param_names")]
    assert len(found) == classes
    for one in found:
        for chosen in ([values[0] for values in one.params], [one.params[0][-1], one.params[1][0]]):
            if file == "influence":
                chosen[0] = "400x16"
            timed = one()
            timed.setup(*chosen)
            methods = [name for name in dir(one) if name.startswith("time_")]
            assert len(methods) == 1
            getattr(timed, methods[0])(*chosen)


def test_asv_finds_its_benchmarks() -> None:
    config = json.loads((ROOT / "bench" / "asv.conf.json").read_text())
    assert (ROOT / "bench" / config["benchmark_dir"] / "__init__.py").exists()
    assert (ROOT / "bench" / config["repo"] / "pyproject.toml").exists()


def test_the_usual_cases_are_those_of_the_targets() -> None:
    labels = [case.label for case in CASES]
    assert labels[0] == "10,000 x 32x32x3 uint8"
    assert len(set(labels)) == len(labels) == 6
    assert all(isinstance(work, Work) and len(work.label) <= 28 for work in WORKS)
