"""The command as a user calls it: exit codes, one clear line per error, and runs that are interrupted."""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from commands import COMMAND, assert_one_line, give_up_privileges

import augcore
from augcore import _files
from augcore.cli import runs
from augcore.cli._command import console
from augcore.experiments import runner
from augcore.experiments.config import parse

Augcore = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def tiny(tiny_settings: dict[str, Any], tmp_path: Path) -> Path:
    """A config file of an experiment that takes a second."""
    return _toml(tmp_path / "tiny.toml", {**tiny_settings, "augmentations": ["crop"], "scores": ["influence"]})


def _toml(path: Path, settings: dict[str, Any]) -> Path:
    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + "}"
        return json.dumps(value)

    path.write_text("".join(f"{key} = {inline(value)}\n" for key, value in settings.items()))
    return path


# ---- asking for what there is ----------------------------------------------------------------------------------------


def test_help_names_the_commands_and_is_light(run_python: Any) -> None:
    probe = """
        import contextlib, io, sys
        from augcore import cli
        with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
            cli.app(["run", "--help"])
        assert "PRESET" in text.getvalue() and "--resume" in text.getvalue()
        heavy = {"scipy", "sklearn", "pandas", "matplotlib", "keras", "tensorflow"} & sys.modules.keys()
        assert not heavy, heavy
    """
    run_python("\n".join(line[8:] for line in probe.splitlines()))


def test_version_and_info(command: Augcore) -> None:
    assert command("--version").stdout == f"augcore {augcore.__version__}\n"
    info = command("info")
    assert info.returncode == 0
    assert info.stderr == ""
    for fact in (augcore.__version__, augcore.build_info()["simd"], "numpy", "keras"):
        assert fact in info.stdout
    lines = [line.split(":")[0] for line in info.stdout.splitlines() if line.startswith("extra ")]
    extras = {name for line in lines for name in line.removeprefix("extra ").split(", ")}
    assert extras == set(metadata.metadata("augcore").get_all("Provides-Extra")) - {"test", "dev", "cuda-build", "all"}


def test_bare_command_shows_help(command: Augcore) -> None:
    process = command()
    assert process.returncode == 2
    assert "run" in process.stdout + process.stderr


# ---- a run -----------------------------------------------------------------------------------------------------------


def test_run_plot_report(command: Augcore, tiny: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "here" / "augcore-runs" / f"tiny-{number}").mkdir(parents=True)
    first = command("run", tiny)
    assert first.returncode == 0, first.stderr
    folder = tmp_path / "here" / "augcore-runs" / "tiny-3"
    for line in ("running into augcore-runs/tiny-3\n", "features: ", "curves: 100%; ", "drawing figures\n"):
        assert line in first.stderr
    for text in ("crop", "20 by influence", "augcore-runs/tiny-3/figures", "augcore-runs/tiny-3/report.html"):
        assert text in first.stdout
    assert list((folder / "figures").glob("*.png"))
    assert "crop" in (folder / "report.html").read_text()
    with open(folder / "references.csv", newline="") as file:
        assert f"{float(next(csv.DictReader(file))['accuracy_all']):.4f}" in first.stdout

    before = (folder / "results.csv").read_bytes()
    figure = next((folder / "figures").glob("*.png"))
    figure.unlink()
    plot = command("plot", folder)
    assert plot.returncode == 0, plot.stderr
    assert figure.exists()
    assert figure.name in plot.stdout
    page = command("report", folder, folder, "--out", "both.html")
    assert page.stdout == "both.html\n"
    assert (tmp_path / "here" / "both.html").exists()
    assert (folder / "results.csv").read_bytes() == before

    again = command("run", tiny, "--out", folder)
    assert_one_line(again, 2, "not empty", "--resume")
    other = command("run", tiny, "--resume", "--set", "seed=5")
    assert_one_line(other, 2, "seed", "tiny-3", "cannot be resumed")
    assert (folder / "results.csv").read_bytes() == before


def test_nobody_reads_the_results_and_a_terminal_without_width(command: Augcore, tiny: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "run", str(tiny), "--out", str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert b"roken pipe" not in process.stderr.read()
    assert process.wait() == 0
    process.stderr.close()
    for columns in ("0", "10"):
        wide = command("run", tiny, "--out", tmp_path / columns, env={**os.environ, "COLUMNS": columns})
        assert "crop" in wide.stdout
        assert "influence" in wide.stdout
        assert "curves: 100%; " in wide.stderr


# ---- wrong calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], ["''", "unknown preset"]),
        (["smoke", "--set", b"model=\xff"], ["model: is nested"]),
        (["smokee"], ["smokee", "unknown preset", "did you mean smoke?", "sample, mnist"]),
        (["smoke", "--set", "rouns=3"], ["rouns", "unknown setting", "'rounds'"]),
        (["smoke", "--set", "rounds"], ["rounds", "key=value"]),
        (["smoke", "--set", "rounds=many"], ["rounds", '"many"']),
        (["smoke", "--set", "sizes=1,2000"], ["sizes", "2000", "200 training points"]),
        (["smoke", "--set", "dataset=cats"], ["dataset", "cats"]),
        (["smoke", "--set", "model=cats"], ["model", "cats"]),
        (["smoke", "--convention", "mine"], ["--convention", "augcore, paper"]),
    ],
)
def test_bad_usage(command: Augcore, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    assert_one_line(command("run", *arguments), 2, *words)
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize(
    "arguments", [["run", "--jobs", "0"], ["run", "--nothing"], ["walk"], ["report"], ["run", "a", "b"]]
)
def test_bad_options(command: Augcore, arguments: list[str]) -> None:
    process = command(*arguments)
    assert process.returncode == 2
    assert process.stderr.startswith("Usage: augcore")
    assert "Traceback" not in process.stderr


def test_odd_environment(command: Augcore) -> None:
    process = command("run", "smoke", env={**os.environ, "SOURCE_DATE_EPOCH": "abc"})
    assert_one_line(process, 2, "SOURCE_DATE_EPOCH", "'abc'")


def test_files_that_are_not_there_or_not_toml(command: Augcore, tmp_path: Path) -> None:
    assert_one_line(command("run", "no.toml"), 1, "no.toml", "No such file")
    (tmp_path / "bad.toml").write_text("= 3")
    assert_one_line(command("run", tmp_path / "bad.toml"), 2, "bad.toml", "not a TOML file")
    assert_one_line(command("plot", "nowhere"), 1, "nowhere")
    assert_one_line(command("report", "nowhere"), 1, "nowhere")


# ---- runs that fail --------------------------------------------------------------------------------------------------


def test_broken_folder(command: Augcore, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "config.json").write_text('{"format": 1')
    assert_one_line(command("run", "--resume", "--out", folder), 1, "config.json", "damaged")
    assert_one_line(command("plot", folder), 1, "broken")
    assert_one_line(command("report", folder), 1, "broken")


def test_nothing_to_go_on_with(command: Augcore, tiny: Path, tmp_path: Path) -> None:
    """Without its name nothing says which experiment it was: the default one would be another."""
    words = ("holds no run to go on with", "name the experiment")
    assert_one_line(command("run", "--resume", "--out", "typo"), 2, "typo: ", *words)
    assert_one_line(command("run", "--resume"), 2, "sample-1: ", *words)
    assert not list((tmp_path / "here").iterdir())
    (tmp_path / "here" / "empty").mkdir()
    assert_one_line(command("run", "--resume", "--out", "empty"), 2, "empty: ", *words)
    assert command("run", tiny, "--resume", "--out", "new").returncode == 0


def test_debug_shows_the_traceback(command: Augcore, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    process = command("run", "--resume", "--out", tmp_path, "--debug")
    assert process.returncode == 1
    assert "Traceback" in process.stderr
    assert process.stderr.splitlines()[-1].startswith("augcore: error: ")


def test_folder_in_use(command: Augcore, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    with _files.locked(tmp_path / "busy"):
        assert_one_line(command("run", tiny, "--out", tmp_path / "busy"), 1, "busy", "another process")


def test_folder_that_cannot_be_written(command: Augcore, tiny: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o555)
    process = command("run", tiny, "--out", closed / "run", preexec_fn=give_up_privileges)
    assert_one_line(process, 1, "Permission denied", "closed/run")


def test_folder_that_is_a_file(command: Augcore, tiny: Path) -> None:
    assert_one_line(command("run", tiny, "--out", tiny), 1, "tiny.toml", "Not a directory")


def test_files_that_grow_too_large(command: Augcore, tiny: Path, tmp_path: Path) -> None:
    """As a full disk: the write fails part of the way."""
    folder = tmp_path / "run"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    process = command("run", tiny, "--out", folder, preexec_fn=limit)
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith("augcore: error: ")
    assert "Traceback" not in process.stderr
    assert not list(folder.rglob("*.partial"))
    runner.run(parse(tomllib.loads(tiny.read_text())), folder, resume=True)


# ---- runs that are interrupted ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["typer", "numpy"])
def test_interrupted_while_it_is_imported(command: Augcore, tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("import atexit; atexit.register(print, 'late'); raise KeyboardInterrupt")
    process = command("info", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (process.returncode, process.stdout) == (130, "")
    assert "Traceback" not in process.stderr


def test_the_script_is_guarded_as_the_module_is() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="augcore")
    assert script.load() is importlib.import_module("augcore.__main__").main


@pytest.fixture
def long(tiny_settings: dict[str, Any], tmp_path: Path) -> Path:
    """A config file of an experiment that takes long enough to be interrupted."""
    settings = {**tiny_settings, "augmentations": ["crop"], "scores": ["loss"], "configurations": ["baseline"]}
    return _toml(tmp_path / "long.toml", {**settings, "rounds": 150})


def _wait_for_units(folder: Path, n: int) -> None:
    """Until so many units are finished."""
    journal = folder / "journal.jsonl"
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < n:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def begun(long: Path, tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A run under way in the folder "a run", a few units into it."""
    process = subprocess.Popen(
        [*COMMAND, "run", str(long), "--out", str(tmp_path / "a run")], stderr=subprocess.PIPE, text=True
    )
    with process:
        _wait_for_units(tmp_path / "a run", 12)
        yield process
        process.kill()


def test_killed_run_resumes(begun: subprocess.Popen, command: Augcore, long: Path, tmp_path: Path) -> None:
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    assert not (tmp_path / "a run" / "results.csv").exists()
    done = (tmp_path / "a run" / "journal.jsonl").read_bytes()
    assert command("run", long, "--out", tmp_path / "a run", "--resume").returncode == 0
    assert (tmp_path / "a run" / "journal.jsonl").read_bytes().startswith(done[: done.rfind(b"\n") + 1])
    whole = runner.run(parse(tomllib.loads(long.read_text())), tmp_path / "whole")
    assert (tmp_path / "a run" / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()


def test_interrupted_run_says_how_to_go_on(begun: subprocess.Popen, command: Augcore, tmp_path: Path) -> None:
    begun.send_signal(signal.SIGINT)
    _, stderr = begun.communicate(timeout=30)
    assert begun.returncode == 130
    last = stderr.splitlines()[-1]
    assert last.startswith("augcore: interrupted")
    assert "Traceback" not in stderr
    # The words after the colon are the command, as it stands.
    words = shlex.split(last.rsplit(": augcore ", 1)[1])
    process = command(*words)
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "a run" / "results.csv").read_bytes().count(b"\n") == 1 + 150 * 4


# ---- several experiments ---------------------------------------------------------------------------------------------


def test_a_grid_is_a_run_for_each_and_a_comparison(command: Augcore, tiny: Path, tmp_path: Path) -> None:
    made = command("run", tiny, "--grid", "C=1,10", "--out", tmp_path / "grid")
    assert made.returncode == 0, made.stderr
    for name in ("C=1", "C=10"):
        assert (tmp_path / "grid" / name / "report.html").exists()
        assert str(tmp_path / "grid" / name / "report.html") in made.stdout
    assert f"together: {tmp_path / 'grid' / 'comparison.html'}\n" in made.stdout
    page = (tmp_path / "grid" / "comparison.html").read_text()
    assert "C=10" in page
    before = (tmp_path / "grid" / "C=1" / "results.csv").read_bytes()
    assert before != (tmp_path / "grid" / "C=10" / "results.csv").read_bytes()

    shutil.rmtree(tmp_path / "grid" / "C=10")  # as if it had been stopped between them
    again = command("run", tiny, "--grid", "C=1,10", "--resume", "--out", tmp_path / "grid")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "grid" / "C=1" / "results.csv").read_bytes() == before
    assert (tmp_path / "grid" / "C=10" / "report.html").exists()
    assert_one_line(command("run", tiny, "--grid", "C=1,10", "--out", tmp_path / "grid"), 2, "C=1", "not empty")


def test_all_leaves_out_what_has_no_data(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from augcore import cli
    from augcore.experiments import presets

    ready = {**tomllib.loads(tiny.read_text()), "configurations": ["baseline"], "sizes": [1]}
    lacking = {name: {**ready, "dataset": name} for name in ("mnist", "cifar10")}
    monkeypatch.setattr(presets, "PRESETS", {"smoke": {}, **lacking, "ready": ready})
    monkeypatch.setenv("AUGCORE_DATA", str(tmp_path / "nothing"))
    with pytest.raises(SystemExit) as caught:
        cli.app(["run", "all", "--out", str(tmp_path / "all")], prog_name="augcore")
    told = capsys.readouterr()
    assert caught.value.code == 0, told.err
    assert "augcore: mnist is left out: " in told.err
    assert "augcore: cifar10 is left out: " in told.err
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["ready"]
    assert str(tmp_path / "all" / "ready" / "report.html") in told.out


def test_many_scores_leave_the_headline_whole(make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    scores = ("influence", "alo", "gradient_dot", "hinge_loss")
    folder = make_run(augmentations=("translate", "rotate", "crop"), scores=scores)
    page = console()
    with page.capture() as capture:
        page.print(runs._headline(folder))
    lines = capture.get().splitlines()
    for text in (
        "none",
        "30 at random",
        "30 by influence",
        "30 by ALO",
        "30 by gradient dot",
        "30 by hinge loss",
        "all",
    ):
        (line,) = [line for line in lines if f" {text} " in line]
        assert len(re.findall(r" 0\.\d{4} ", line)) == 3
    assert max(map(len, lines)) <= 80
