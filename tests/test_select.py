"""augcore select: the points are those of the library, the file is whole or not there, and errors are one line."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import assert_one_line, give_up_privileges, spoil

from augcore import _files, cli, policies
from augcore.cli import _selection

Call = Callable[..., subprocess.CompletedProcess]

N = 40


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command within this process, in a folder with scores, labels and costs."""
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    np.save("scores.npy", rng.normal(size=N).astype(np.float32))
    np.save("groups.npy", np.arange(N) % 3)
    np.save("words.npy", np.array(["a=b", "c"])[np.arange(N) % 2])
    np.save("flags.npy", np.arange(N) % 4 == 0)
    np.save("halves.npy", np.arange(N) % 2 / 2)
    np.save("costs.npy", rng.integers(1, 9, N))

    def run(*arguments: object) -> subprocess.CompletedProcess:
        with pytest.raises(SystemExit) as caught:
            cli.app([*map(str, arguments)], prog_name="augcore")
        return subprocess.CompletedProcess(arguments, caught.value.code, *capsys.readouterr())

    return run


SELECT = ("select", "scores.npy", "-o", "out.npy", "--rng", 7)
DRAW = (*SELECT, "--policy", "random_proportional")
BEFORE = {f"{name}.npy" for name in ("scores", "groups", "words", "flags", "halves", "costs")}


def _files_here() -> set[str]:
    return {path.name for path in Path().iterdir()}


def _chosen() -> np.ndarray:
    chosen = np.load("out.npy")
    assert chosen.dtype == np.int64
    assert _files_here() == {*BEFORE, "out.npy"}
    return chosen


# ---- what is chosen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", policies.POLICIES)
@pytest.mark.parametrize(
    ("budget", "k"), [("0", 0), ("1", 1), ("+7", 7), ("40", 40), ("0.25", 10), ("1.0", 40), ("1e-9", 1), (".99", 40)]
)
def test_budgets_are_counts_or_fractions(call: Call, policy: str, budget: str, k: int) -> None:
    done = call(*SELECT, "--policy", policy, "--budget", budget)
    assert done.returncode == 0, done.stderr
    scores = np.load("scores.npy")
    np.testing.assert_array_equal(_chosen(), policies.order(scores, policy, 7, k=k))
    share = 100 * np.abs(scores.astype(float))[_chosen()].sum() / np.abs(scores.astype(float)).sum()
    line = f"out.npy: {k} of 40 points with {share:.3g}% of the sum of |score|"
    assert done.stdout == line + ("\n" if policy.startswith("deterministic") else ", by --rng 7\n")


@pytest.mark.parametrize(
    ("groups", "budgets", "wanted"),
    [
        ("groups", [], None),
        ("groups", ["4"], 4),
        ("groups", ["0=4", "2=3"], {0: 4, 2: 3}),
        ("words", ["a=b=5", "c=2"], {"a=b": 5, "c": 2}),
        ("flags", ["True=1", "False=0"], {True: 1, False: 0}),
        ("halves", ["0.5=3"], {0.5: 3}),
    ],
)
def test_groups_and_their_budgets(call: Call, groups: str, budgets: list[str], wanted: Any) -> None:
    options = [word for budget in budgets for word in ("--group-budget", budget)]
    done = call(*DRAW, "--groups", f"{groups}.npy", *options, *(() if budgets else ("--budget", 8)))
    assert done.returncode == 0, done.stderr
    order = {"groups": np.load(f"{groups}.npy"), "budgets": wanted, "k": None if budgets else 8}
    expected = policies.order(np.load("scores.npy"), "random_proportional", 7, **order)
    np.testing.assert_array_equal(_chosen(), expected)


def test_budgets_of_labels_that_are_bytes(call: Call) -> None:
    np.save("bytes.npy", np.array([b"a", b"b"])[np.arange(N) % 2])
    arguments = ("--policy", "baseline", "--rng", "1", "-o", "i.npy")
    done = call("select", "scores.npy", *arguments, "--groups", "bytes.npy", "--group-budget", "b=3")
    assert done.returncode == 0, done.stderr
    assert (np.load("i.npy") % 2).tolist() == [1, 1, 1]


def test_a_budget_beside_those_of_groups(call: Call) -> None:
    assert call(*DRAW, "--groups", "groups.npy", "--group-budget", 4, "--budget", 5).returncode == 0
    assert np.bincount(np.load("groups.npy")[_chosen()]).tolist() == [2, 2, 1]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("block", [3, 1 << 20])
@pytest.mark.parametrize("budget", ["0", "0.5", "17", "60.5", "1e6"])
def test_costs(call: Call, monkeypatch: pytest.MonkeyPatch, grouped: bool, block: int, budget: str) -> None:
    monkeypatch.setattr(_selection, "_BLOCK", block)
    options, groups = ((), None) if not grouped else (("--groups", "groups.npy"), np.load("groups.npy"))
    done = call(*DRAW, "--costs", "costs.npy", "--budget", budget, *options)
    assert done.returncode == 0, done.stderr
    order = policies.order(np.load("scores.npy"), "random_proportional", 7, groups=groups)
    costs = np.load("costs.npy")
    np.testing.assert_array_equal(_chosen(), policies.within_budget(order, costs, float(budget)))
    assert f", costing {costs[_chosen()].sum()} of {float(budget):.6g}, by" in done.stdout


def test_costs_beside_budgets_of_groups(call: Call) -> None:
    done = call(*DRAW, "--groups", "groups.npy", "--group-budget", "2=3", "--costs", "costs.npy", "--budget", 1000)
    assert done.returncode == 0, done.stderr
    assert (_chosen() % 3).tolist() == [2, 2, 2]


def test_only_as_much_of_an_order_is_made_as_costs_take(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    made, order = [], policies.order

    def noted(*args: Any, k: int, **options: Any) -> np.ndarray:
        made.append(k)
        return order(*args, k=k, **options)

    monkeypatch.setattr(_selection, "_BLOCK", 3)
    monkeypatch.setattr(policies, "order", noted)
    np.save("costs.npy", np.full(N, 2.0))
    assert call(*DRAW, "--costs", "costs.npy", "--budget", 10).returncode == 0
    assert made == [3, 12]
    assert len(_chosen()) == 5


def test_a_seed_that_is_not_given_is_told(call: Call) -> None:
    draw = ("select", "scores.npy", "-o", "out.npy", "--policy", "baseline", "--budget", 9)
    lines = [call(*draw).stdout for _ in range(2)]
    last = _chosen()
    seeds = [re.fullmatch(r".*, by --rng (\d+)\n", line)[1] for line in lines]
    assert seeds[0] != seeds[1]
    call(*draw, "--rng", seeds[0])
    assert (_chosen() != last).any()
    call(*draw, "--rng", seeds[1])
    np.testing.assert_array_equal(_chosen(), last)


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros(3), np.full(3, 1e308), np.arange(5, dtype=">f4")])
def test_odd_scores(call: Call, values: np.ndarray) -> None:
    np.save("scores.npy", values)
    done = call(*DRAW, "--budget", "1.0" if len(values) else "0")
    assert done.returncode == 0, done.stderr
    assert sorted(_chosen()) == list(range(len(values)))
    assert (" with 100% of the sum" in done.stdout) == ("%" in done.stdout) == (values.dtype == ">f4")


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["--budget: expected a fraction"]),
        (("--costs", "costs.npy"), ["--budget: expected"]),
        (("--costs", "costs.npy", "--groups", "groups.npy", "--group-budget", "1"), ["--budget: expected"]),
        (("--budget", "41"), ["--budget 41", "0 to 40", "scores.npy"]),
        (("--budget", "-1"), ["--budget -1", "0 to 40"]),
        (("--budget", "9" * 5000), ["--budget 999", "fraction above 0"]),
        (("--budget", "0.0"), ["--budget 0.0", "fraction above 0"]),
        (("--budget", "1.5"), ["--budget 1.5", "fraction above 0"]),
        (("--budget", "nan"), ["--budget nan", "fraction above 0"]),
        (("--budget", "few"), ["--budget few", "a number"]),
        (("--budget", "-2", "--costs", "costs.npy"), ["--budget: must be at least 0, got -2.0"]),
        (("--budget", "inf", "--costs", "costs.npy"), ["--budget: must be finite"]),
        (("--budget", "x", "--costs", "costs.npy"), ["--budget x: expected a number"]),
        (("--budget", "1", "--policy", "greedy"), ["--policy greedy", "baseline, random_proportional"]),
        (("--budget", "1", "--group-budget", "3"), ["--group-budget: needs --groups"]),
        (("--groups", "groups.npy", "--group-budget", "30"), ["--group-budget: group 0 has 14 points", "30"]),
        (("--groups", "groups.npy", "--group-budget", "7=1"), ["--group-budget: no group has the label 7"]),
        (("--groups", "groups.npy", "--group-budget", "a=1"), ["--group-budget a=1", "int64"]),
        (("--groups", "flags.npy", "--group-budget", "1=1"), ["--group-budget 1=1", "bool"]),
        (("--groups", "groups.npy", "--group-budget", "1=-1"), ["--group-budget 1=-1: expected LABEL=COUNT"]),
        (("--groups", "groups.npy", "--group-budget", "1=1", "--group-budget", "1=2"), ["1=2: expected one LABEL"]),
        (("--groups", "words.npy", "--group-budget", "c=1", "--group-budget", "2"), ["2: expected one LABEL"]),
        (("--groups", "groups.npy", "--group-budget", "1=2", "--budget", "3"), ["--budget: must be between 0 and 2"]),
        (("--budget", "1", "-o", "scores.npy"), ["scores.npy: is also what is read"]),
        (("--budget", "1", "-o", "link.npy"), ["link.npy: is also what is read"]),
        (("--budget", "1", "-o", "none/out.npy"), ["none/out.npy: no such folder"]),
    ],
)
def test_bad_usage(call: Call, arguments: tuple[str, ...], words: list[str]) -> None:
    Path("link.npy").symlink_to("scores.npy")
    before = {name: Path(name).read_bytes() for name in BEFORE}
    assert_one_line(call(*DRAW, *arguments), 2, *words)
    assert {name: Path(name).read_bytes() for name in _files_here() - {"link.npy"}} == before


@pytest.mark.parametrize("option", ["scores", "groups", "costs"])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full(N, np.nan), "contains NaN"),
        (np.zeros((N, 1)), "expected"),
        (np.zeros(N - 1), "expected"),
        (np.zeros(N, complex), "complex128"),
        (b"cut", "does not fit"),
        (b"", "not a .npy file"),
        (None, "No such file"),
    ],
)
def test_bad_files_are_named(call: Call, option: str, values: Any, words: str) -> None:
    path = Path(f"{option}.npy")
    spoil(path, values)
    arguments = [word for name in ("groups", "costs") for word in (f"--{name}", f"{name}.npy")]
    done = call(*DRAW, "--budget", 1, *arguments)
    if option == "scores" and isinstance(values, np.ndarray) and values.shape == (N - 1,):
        path, words = Path("costs.npy"), "expected shape (39,), as the scores"
    assert_one_line(done, 1, f"augcore: error: {path}: ", words)
    assert "out.npy" not in _files_here()


def test_negative_costs(call: Call) -> None:
    np.save("costs.npy", np.arange(N) - 1)
    assert_one_line(call(*DRAW, "--budget", 1, "--costs", "costs.npy"), 1, "costs.npy: must not be negative, got -1.0")


# ---- files that cannot be written, and Ctrl-C ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "error: out.npy: No space left on device"),
    ],
)
def test_nothing_half(call: Call, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str) -> None:
    pwrite, calls = os.pwrite, []

    def fail_later(*arguments: Any) -> int:
        calls.append(arguments)
        if len(calls) > 3:
            raise error
        return pwrite(*arguments)

    monkeypatch.setattr(_selection, "_BLOCK", 2)
    monkeypatch.setattr(os, "pwrite", fail_later)
    Path("out.npy").write_bytes(b"old")
    assert_one_line(call(*DRAW, "--budget", "0.5"), code, words)
    assert Path("out.npy").read_bytes() == b"old"
    assert _files_here() == {*BEFORE, "out.npy"}


def test_in_a_process_of_its_own(call: Call, command: Call, tmp_path: Path) -> None:
    arguments = ("select", tmp_path / "scores.npy", "--policy", "baseline", "--budget", 3)
    done = command(*arguments, "-o", "a.npy")
    assert (done.returncode, done.stderr) == (0, "")
    assert _files.open_npy(tmp_path / "here" / "a.npy").shape == (3,)
    (tmp_path / "closed").mkdir(0o555)
    process = command(*arguments, "-o", tmp_path / "closed" / "a.npy", preexec_fn=give_up_privileges)
    assert_one_line(process, 1, "Permission denied", "closed/a.npy")
