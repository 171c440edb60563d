"""augcore score: the scores are those of the library in memory, to the bit, however often the work was cut short."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import assert_one_line, give_up_privileges, spoil

import augcore
from augcore import _files, cli, streaming
from augcore.cli import _scoring
from augcore.linear_model import LogisticRegression
from augcore.scores import SCORES
from augcore.streaming import blocks as blocks_module

Call = Callable[..., subprocess.CompletedProcess]

N, P = 3000, 5
SCORE = ("score", "X.npy", "y.npy", "-o", "out.npy")
BEFORE = {"X.npy", "y.npy", "w.npy", "three.npy", "model.npz"}


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command within this process, in a folder with the files; blocks are small."""
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(blocks_module, "PART_BYTES", 1 << 14)
    X = rng.normal(size=(N, P)).astype(np.float32)
    np.save("X.npy", X)
    np.save("y.npy", X[:, 0] + rng.normal(size=N) > 0)
    np.save("three.npy", np.array(["a", "b", "c"])[np.digitize(X[:, 0] + rng.normal(size=N), [-0.5, 0.5])])
    np.save("w.npy", rng.exponential(size=N))
    LogisticRegression(0.1).fit(X, np.load("y.npy")).save("model.npz")

    def run(*arguments: object) -> subprocess.CompletedProcess:
        with pytest.raises(SystemExit) as caught:
            cli.app([*map(str, arguments)], prog_name="augcore")
        return subprocess.CompletedProcess(arguments, caught.value.code, *capsys.readouterr())

    return run


def _here() -> set[str]:
    return {path.name for path in Path().iterdir()}


def _expected(criterion: str = "loo_influence", y: str = "y.npy", weight: str | None = None, **options: Any) -> bytes:
    """The file of the scores of the samples in memory."""
    X, labels = np.load("X.npy"), np.load(y)
    weights = None if weight is None else np.load(weight)
    model = LogisticRegression(**options).fit(X, labels, weights)
    more = {} if criterion == "random" else {"sample_weight": weights}
    return _files.encode_array(SCORES[criterion](model, X, labels, **(more if weight else {})))


def _check(done: subprocess.CompletedProcess, expected: bytes, criterion: str = "loo_influence") -> None:
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == (f"out.npy: {criterion} of {N} points\n", "")
    assert Path("out.npy").read_bytes() == expected
    assert _here() == {*BEFORE, "out.npy"}


# ---- what is computed ------------------------------------------------------------------------------------------------

BY_BLOCKS = [name for name in SCORES if not name.startswith("svm") and name != "random"]


@pytest.mark.parametrize("criterion", BY_BLOCKS)
@pytest.mark.parametrize("y", ["y.npy", "three.npy"])
def test_scores_are_those_in_memory(call: Call, criterion: str, y: str) -> None:
    done = call("score", "X.npy", y, "-o", "out.npy", "--criterion", criterion)
    _check(done, _expected(criterion, y), criterion)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [">f4", "<f8"])
def test_layouts_of_the_features(call: Call, order: Any, dtype: str) -> None:
    np.save("X.npy", np.load("X.npy").astype(dtype, order=order))
    _check(call(*SCORE), _expected())


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("--C", 0.01), {"C": 0.01}),
        (("--no-intercept",), {"fit_intercept": False}),
        (("--sample-weight", "w.npy"), {"weight": "w.npy"}),
        (("--threads", 3), {}),
    ],
)
def test_options_of_the_fit(call: Call, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    _check(call(*SCORE, *arguments), _expected(**options))
    assert bool(options) == (_expected(**options) != _expected())


@pytest.mark.usefixtures("noted")
def test_few_passes(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _Reports(monkeypatch)
    _check(call(*SCORE), _expected())
    few = _Reports(monkeypatch)
    assert call(*SCORE, "--few-passes").returncode == 0
    assert {stage.split(": ")[-1] for stage, _ in few.seen} == {"gradient and Hessian", "scores"}
    assert len(few.seen) < len(whole.seen)
    found, exact = _files.open_npy("out.npy"), _files.decode_array(_expected(), "expected")
    np.testing.assert_allclose(found, exact, rtol=1e-5)
    once = Path("out.npy").read_bytes()
    Path("out.npy").unlink()
    _Reports(monkeypatch, 20)
    assert call(*SCORE, "--few-passes").returncode == 130
    _Reports(monkeypatch)
    _check(call(*SCORE, "--few-passes"), once)
    _Reports(monkeypatch, 20)
    assert call(*SCORE).returncode == 130
    _Reports(monkeypatch)
    assert "begins anew: few_passes changed" in call(*SCORE, "--few-passes").stderr
    assert Path("out.npy").read_bytes() == once


@pytest.mark.parametrize("criterion", ["loo_loss_change", "margin"])
def test_a_saved_model_is_not_fitted_anew(call: Call, monkeypatch: pytest.MonkeyPatch, criterion: str) -> None:
    monkeypatch.delattr(_scoring, "fit")
    X, y = np.load("X.npy"), np.load("y.npy")
    expected = SCORES[criterion](LogisticRegression.load("model.npz"), X, y)
    done = call(*SCORE, "--model", "model.npz", "--criterion", criterion)
    _check(done, _files.encode_array(expected), criterion)


def test_random_scores_are_those_of_the_seed(call: Call) -> None:
    found = []
    for seed in ((), ("--rng", 0), ("--rng", 1)):
        assert call(*SCORE, "--criterion", "random", *seed).returncode == 0
        found.append(Path("out.npy").read_bytes())
    assert found[0] == found[1] != found[2]
    assert found[2] == _files.encode_array(SCORES["random"](None, np.load("X.npy"), np.load("y.npy"), rng=1))


def test_threads_are_those_that_are_asked_for(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, seen = streaming.fit, []

    def noted(samples: streaming.Blocks, **options: Any) -> Any:
        seen.extend((samples.threads, options["threads"]))
        return fit(samples, **options)

    monkeypatch.setattr(_scoring, "fit", noted)
    call(*SCORE, "--threads", 3)
    assert seen == [3, 3]


def test_a_fit_that_does_not_converge_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = streaming.fit
    monkeypatch.setattr(_scoring, "fit", lambda *args, **options: fit(*args, **options, max_iter=1))
    done = call(*SCORE)
    assert done.returncode == 0
    assert done.stderr.startswith("augcore: warning: the fit has not reached")
    assert done.stderr.count("\n") == 1


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--criterion", "luck"), ["--criterion luck", "loo_influence, loo_loss_change"]),
        (("--criterion", "svm_margin"), ["--criterion: 'svm_margin' needs all samples in memory"]),
        (("--C", 0), ["--C: must be"]),
        (("--C", "nan"), ["--C: must be"]),
        (("--C", 1, "--model", "model.npz"), ["--model: is fitted already"]),
        (("--few-passes", "--model", "model.npz"), ["--model: is fitted already"]),
        (("--no-intercept", "--model", "model.npz"), ["--model: is fitted already"]),
        (("-o", "X.npy"), ["X.npy: is also what is read"]),
        (("-o", "model.npz", "--model", "model.npz"), ["model.npz: is also what is read"]),
        (("-o", "none/out.npy"), ["none/out.npy: no such folder"]),
    ],
)
def test_bad_usage(call: Call, arguments: tuple[Any, ...], words: list[str]) -> None:
    before = {name: Path(name).read_bytes() for name in BEFORE}
    assert_one_line(call(*SCORE, *arguments), 2, *words)
    assert {name: Path(name).read_bytes() for name in _here()} == before


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("X", np.zeros(N), "expected shape (n, p)"),
        ("X", np.zeros((N, 0)), "at least one column"),
        ("X", np.zeros((0, P)), "expected length 0"),
        ("X", np.full((N, P), np.nan), "contains NaN"),
        ("X", np.zeros((N, P), complex), "complex128"),
        ("y", np.zeros(N - 1), "expected length 3000, got"),
        ("y", np.zeros((N, 1)), "expected 1 dimension"),
        ("y", np.array(3), "expected 1 dimension"),
        ("y", np.zeros(N), "one class only"),
        ("y", np.arange(N), "has 3000 different values for 3000 samples"),
        ("y", np.full(N, np.nan), "contains NaN"),
        ("w", np.full(N, -1.0), "must not be negative"),
        ("w", np.zeros(N), "all weights are zero"),
        ("w", np.zeros((N, 1)), "expected 1 dimension"),
        ("w", b"cut", "does not fit"),
        ("X", b"cut", "does not fit"),
        ("y", np.full(N, 2**31 - 1, np.uint32).view("U1"), "characters beyond Unicode"),
        ("y", b"", "not a .npy file"),
        ("y", None, "No such file"),
    ],
)
def test_bad_files_are_named(call: Call, name: str, values: Any, words: str) -> None:
    path = Path(f"{name}.npy")
    spoil(path, values)
    named = "y.npy" if words == "expected length 0" else path
    assert_one_line(call(*SCORE, "--sample-weight", "w.npy"), 1, f"augcore: error: {named}: ", words)
    assert _here() <= BEFORE


def test_models_that_do_not_fit_the_features(call: Call) -> None:
    np.save("X.npy", np.load("X.npy")[:, :-1])
    assert_one_line(call(*SCORE, "--model", "model.npz"), 1, "augcore: error: X.npy: ", "columns")
    Path("model.npz").write_bytes(b"PK")
    assert_one_line(call(*SCORE, "--model", "model.npz"), 1, "augcore: error: model.npz: ", "not")
    os.mkfifo("pipe")  # nobody writes to it
    assert_one_line(call(*SCORE, "--model", "pipe"), 1, "augcore: error: pipe: is not a regular file")


def test_files_that_change_while_they_are_read(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = streaming.fit

    def change(*args: Any, **options: Any) -> Any:
        os.utime("y.npy", (1, 1))
        return fit(*args, **options)

    monkeypatch.setattr(_scoring, "fit", change)
    assert_one_line(call(*SCORE), 1, "augcore: error: y.npy: was changed while it was read")
    assert _here() == BEFORE


# ---- work that is cut short ------------------------------------------------------------------------------------------


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is done is noted at once, not twice a minute."""
    monkeypatch.setattr(blocks_module, "_SECONDS_BETWEEN_NOTES", 0.0)
    monkeypatch.setattr(_scoring, "_SECONDS_BETWEEN_FLUSHES", 0.0)


class _Reports:
    """Takes the place of what shows progress: remembers it, and raises at one of the reports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int | None = None, error: BaseException | None = None):
        self.seen: list[tuple[str, float]] = []
        self._at, self._error = at, error
        monkeypatch.setattr("augcore.cli.choosing.of_long_stages", lambda report: self)

    def __call__(self, stage: str, done: float, total: float) -> None:
        self.seen.append((stage, done))
        if len(self.seen) == self._at:
            raise self._error or KeyboardInterrupt


@pytest.mark.usefixtures("noted")
def test_nothing_that_is_done_is_done_again(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _Reports(monkeypatch)
    _check(call(*SCORE), _expected())
    assert len(whole.seen) > 30
    Path("out.npy").unlink()
    for at in range(1, len(whole.seen) + 1, 7):
        first = _Reports(monkeypatch, at)
        done = call(*SCORE)
        assert_one_line(done, 130, "interrupted; what is done is kept. Go on with the same command")
        assert _here() > BEFORE
        assert "out.npy" not in _here()
        second = _Reports(monkeypatch)
        _check(call(*SCORE), _expected())
        Path("out.npy").unlink()
        # Notes are taken at the ends of tiles: up to 2048 rows, four blocks, are read again.
        assert second.seen == whole.seen[len(whole.seen) - len(second.seen) :]
        assert len(second.seen) <= len(whole.seen) - at + 4
        assert not second.seen or second.seen[0][0] in (first.seen[-1][0], whole.seen[at % len(whole.seen)][0])


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize("change", ["X", "the time of X", "a byte of X", "C", "criterion", "simd"])
def test_other_work_begins_anew(call: Call, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    whole = _Reports(monkeypatch)
    call(*SCORE)
    Path("out.npy").unlink()
    _Reports(monkeypatch, len(whole.seen) - 2)  # within the scores
    assert call(*SCORE).returncode == 130
    arguments: tuple[Any, ...] = ()
    before = os.stat("X.npy")
    if change == "X":
        np.save("X.npy", np.load("X.npy") * 2)
    elif change == "the time of X":
        os.utime("X.npy")
    elif change == "a byte of X":
        Path("X.npy").write_bytes(Path("X.npy").read_bytes()[:-1] + b"\0")
        os.utime("X.npy", ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "simd":
        facts = augcore.build_info()
        monkeypatch.setattr(augcore, "build_info", lambda: {**facts, "simd": "another"})
    else:
        arguments = {"C": ("--C", 3), "criterion": ("--criterion", "loss")}[change]
    reports = _Reports(monkeypatch)
    done = call(*SCORE, *arguments)
    assert done.stderr == f"augcore: begins anew: {change.split()[-1]} changed since the work that was interrupted\n"
    assert reports.seen[0][0].startswith("pass 1:")
    options: dict[str, Any] = {"C": {"C": 3.0}, "criterion": {"criterion": "loss"}}.get(change, {})
    assert Path("out.npy").read_bytes() == _expected(**options)
    assert _here() == {*BEFORE, "out.npy"}


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None])
def test_notes_that_are_damaged_are_made_again(call: Call, monkeypatch: pytest.MonkeyPatch, damage: Any) -> None:
    _Reports(monkeypatch, 16)
    assert call(*SCORE).returncode == 130
    notes = [path for path in Path(".out.npy.sums").iterdir() if path.name != "job.json"]
    assert {path.suffix for path in notes} == {".npy", ".npz"}
    for path in notes:
        path.unlink() if damage is None else path.write_bytes(damage)
    _Reports(monkeypatch)
    _check(call(*SCORE), _expected())


@pytest.mark.usefixtures("noted")
def test_notes_without_facts_are_of_no_use(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    _Reports(monkeypatch, 16)
    assert call(*SCORE).returncode == 130
    for path in Path(".out.npy.sums").glob("gradient*.npy"):
        np.save(path, np.load(path) + 1.0)
    Path(".out.npy.sums/job.json").write_text("[")
    _Reports(monkeypatch)
    _check(call(*SCORE), _expected())


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize("at", [3, 8, 21])
def test_a_full_disk_keeps_what_there_was(call: Call, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    fsync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    Path("out.npy").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert_one_line(call(*SCORE), 1, "out.npy", "No space left on device")
    assert Path("out.npy").read_bytes() == b"old"
    _check(call(*SCORE), _expected())


def test_a_second_process_is_refused(call: Call) -> None:
    with _files.NpyWriter("out.npy", (N,), np.float64):
        assert_one_line(call(*SCORE), 1, "error: out.npy: another process is writing it")


# Runs the command in children, three times to the end; between that they are killed at random calls that write.
KILLED = """
import os, random, signal, sys
from augcore import cli
from augcore.cli import _scoring
from augcore.streaming import blocks
blocks.PART_BYTES, blocks._SECONDS_BETWEEN_NOTES, _scoring._SECONDS_BETWEEN_FLUSHES = 1 << 14, 0.0, 0.0
random.seed(5)
kills, finished = 0, []
while len(finished) < 3:
    left = random.choice([1, 3, 10, 30, 100])
    child = os.fork()
    if not child:
        def dying(call):
            def maybe(*arguments):
                global left
                left -= 1
                if left <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments)
            return maybe
        for name in ("fsync", "pwrite", "replace", "ftruncate", "posix_fallocate", "mkdir"):
            setattr(os, name, dying(getattr(os, name)))
        try:
            cli.app(["score", "X.npy", "y.npy", "-o", "out.npy", "--threads", "1"])
        except SystemExit as end:
            os._exit(end.code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        kills += 1
    elif os.WEXITSTATUS(status):
        sys.exit(f"exit code {os.WEXITSTATUS(status)}")
    else:
        finished.append(open("out.npy", "rb").read())
        os.unlink("out.npy")
print(kills, len(set(finished)))
open("out.npy", "wb").write(finished[0])
"""


def test_killed_at_random_moments(call: Call, run_python: Any, tmp_path: Path) -> None:
    output = run_python(f"import os; os.chdir({str(tmp_path)!r})\n{KILLED}").stdout
    kills, results = map(int, output.splitlines()[-1].split())
    assert kills > 8
    assert results == 1
    assert Path("out.npy").read_bytes() == _expected()
    assert _here() - {".out.npy.sums"} == {*BEFORE, "out.npy"}  # the folder, if a kill came when all was done


def test_in_a_process_of_its_own(call: Call, command: Call, tmp_path: Path) -> None:
    arguments = ("score", tmp_path / "X.npy", tmp_path / "y.npy", "-o")
    done = command(*arguments, "out.npy")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"out.npy: loo_influence of {N} points\n", "")
    assert (tmp_path / "here" / "out.npy").read_bytes() == _expected()
    (tmp_path / "here" / "out.npy").unlink()
    (tmp_path / "closed").mkdir(0o555)
    process = command(*arguments, tmp_path / "closed" / "a.npy", preexec_fn=give_up_privileges)
    assert_one_line(process, 1, "Permission denied", "closed/a.npy")
    small = 10_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (small, small))

    assert_one_line(command(*arguments, "a.npy", preexec_fn=limit), 1, "error: a.npy: File too large")
    assert not list((tmp_path / "here").iterdir())


def test_progress_is_shown_of_what_takes_long(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from augcore.cli import _command

    of_long_stages = _command.of_long_stages
    monkeypatch.setattr("augcore.cli.choosing.of_long_stages", lambda report: of_long_stages(report, 0.0))
    lines = call(*SCORE).stderr.splitlines()
    assert lines[0] == "scoring X.npy"
    assert any(line.startswith("pass 1: gradient: ") for line in lines)
    assert lines[-1] == "scores: 100%"
