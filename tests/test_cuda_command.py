"""augcore score --device cuda, and what augcore says of GPUs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import augcore
from augcore import _cuda, _files, cli
from augcore.cli import _scoring
from augcore.linear_model import LogisticRegression
from augcore.scores import SCORES
from augcore.streaming import blocks as blocks_module

N, P = 520, 3
SCORE = ("score", "X.npy", "y.npy", "-o", "out.npy")
GPU = ("--device", "cuda")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command within this process, in a folder with the files; blocks are small."""
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(blocks_module, "PART_BYTES", 1 << 11)
    monkeypatch.setattr(blocks_module, "_GPU_PART_BYTES", 1 << 11)
    X = rng.normal(size=(N, P)).astype(np.float32)
    np.save("X.npy", X)
    np.save("y.npy", X[:, 0] + rng.normal(size=N) > 0)
    np.save("three.npy", np.array(["a", "b", "c"])[np.digitize(X[:, 0] + rng.normal(size=N), [-0.5, 0.5])])
    np.save("w.npy", rng.exponential(size=N))
    LogisticRegression(0.1).fit(X, np.load("y.npy")).save("model.npz")

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.app([*map(str, arguments)], prog_name="augcore")
        code = caught.value.code
        assert isinstance(code, int)
        return code, *capsys.readouterr()

    return run


def scores() -> Any:
    return _files.open_npy("out.npy")


def assert_near(found: Any, expected: Any) -> None:
    """A fit on a GPU ends where its gradient is below 1e-8, as one on the CPU does, but not on the same bits."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("criterion", [name for name in SCORES if not name.startswith("svm")])
def test_scores_of_a_model_are_those_of_the_cpu(cupy: Any, call: Call, criterion: str) -> None:
    X = np.load("X.npy")
    rng = {"rng": 0} if criterion == "random" else {}
    for y in ("y.npy", "three.npy"):
        labels = np.load(y)
        model = LogisticRegression(0.01).fit(X, labels)
        model.save("other.npz")
        done = call("score", "X.npy", y, "-o", "out.npy", "--criterion", criterion, "--model", "other.npz", *GPU)
        assert done == (0, f"out.npy: {criterion} of {N} points\n", "")
        np.testing.assert_allclose(scores(), SCORES[criterion](model, X, labels, **rng), rtol=1e-8)


@pytest.mark.parametrize("y", ["y.npy", "three.npy"])
def test_fits(cupy: Any, call: Call, y: str) -> None:
    assert call("score", "X.npy", y, "-o", "out.npy", *GPU) == (0, f"out.npy: loo_influence of {N} points\n", "")
    X, labels = np.load("X.npy"), np.load(y)
    assert_near(scores(), SCORES["loo_influence"](LogisticRegression().fit(X, labels), X, labels))


@pytest.mark.parametrize(
    ("arguments", "options", "weight"),
    [
        (("--C", 0.01), {"C": 0.01}, None),
        (("--no-intercept",), {"fit_intercept": False}, None),
        (("--sample-weight", "w.npy"), {}, "w.npy"),
    ],
)
def test_options_of_the_fit(
    cupy: Any, call: Call, arguments: tuple[Any, ...], options: dict[str, Any], weight: str | None
) -> None:
    assert call(*SCORE, *GPU, *arguments)[0] == 0
    X, labels = np.load("X.npy"), np.load("y.npy")
    weights = None if weight is None else np.load(weight)
    model = LogisticRegression(**options).fit(X, labels, weights)
    expected = SCORES["loo_influence"](model, X, labels, sample_weight=weights)
    assert_near(scores(), expected)
    plain = SCORES["loo_influence"](LogisticRegression().fit(X, labels), X, labels)
    assert not np.allclose(plain, expected, rtol=1e-3)


def test_saved_models_and_other_dtypes(cupy: Any, call: Call) -> None:
    for dtype in (">f4", "<f8"):
        np.save("X.npy", np.load("X.npy").astype(dtype, order="F"))
        assert call(*SCORE, *GPU, "--model", "model.npz")[0] == 0
        X, labels = np.load("X.npy").astype(dtype[1:]), np.load("y.npy")
        assert_near(scores(), SCORES["loo_influence"](LogisticRegression.load("model.npz"), X, labels))


def test_progress_and_going_on(cupy: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passes of a fit are made again, the scores that are written are not."""
    stages: list[tuple[str, float, float]] = []
    stop_at = "scores"

    def note(stage: str, done: float, total: float) -> None:
        stages.append((stage, done, total))
        if stage == stop_at:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def shown(*arguments: Any) -> Any:
        yield note

    monkeypatch.setattr("augcore.experiments.progress.shown", shown)
    monkeypatch.setattr("augcore.cli.choosing.of_long_stages", lambda report: report)
    monkeypatch.setattr(_scoring, "_SECONDS_BETWEEN_FLUSHES", 0.0)
    code, out, errors = call(*SCORE, *GPU)
    assert (code, out) == (130, "")
    assert errors == "augcore: interrupted; what is done is kept. Go on with the same command\n"
    assert stages[-1] == ("scores", 512, N)
    before, stop_at = [stage for stage in stages if stage[0] != "scores"], ""
    stages.clear()
    assert call(*SCORE, *GPU) == (0, f"out.npy: loo_influence of {N} points\n", "")
    assert stages == [*before, ("scores", N, N)]
    X, labels = np.load("X.npy"), np.load("y.npy")
    assert_near(scores(), SCORES["loo_influence"](LogisticRegression().fit(X, labels), X, labels))


def test_another_device_begins_anew(cupy: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = _scoring._fill

    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_scoring, "_fill", stop)
    assert call(*SCORE)[0] == 130
    monkeypatch.setattr(_scoring, "_fill", fill)
    done = call(*SCORE, *GPU)
    assert done[0] == 0
    assert done[2] == "augcore: begins anew: device changed since the work that was interrupted\n"


def test_bad_usage(call: Call) -> None:
    for arguments, message in (
        (("--device", "tpu"), "--device tpu: expected cpu or cuda"),
        ((*GPU, "--few-passes"), "--few-passes: has no effect with --device cuda"),
        ((*GPU, "--criterion", "nonsense"), "--criterion nonsense: expected one of "),
    ):
        code, out, errors = call(*SCORE, *arguments)
        assert (code, out) == (2, "")
        assert errors.startswith(f"augcore: {message}")
        assert errors.count("\n") == 1


def test_criteria_that_need_all_samples(cupy: Any, call: Call) -> None:
    code, out, errors = call(*SCORE, *GPU, "--model", "model.npz", "--criterion", "svm_margin")
    assert (code, out) == (2, "")
    assert errors.startswith("augcore: --criterion: 'svm_margin' needs all samples in memory")


def test_what_is_missing(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels, CuPy, a card: in this order, one line each, and nothing is written."""

    def fails(message: str) -> None:
        code, out, errors = call(*SCORE, *GPU)
        assert (code, out) == (1, "")
        assert errors.startswith(f"augcore: error: --device cuda: {message}")
        assert errors.count("\n") == 1
        assert not Path("out.npy").exists()

    class Geometry:
        @staticmethod
        def device_count() -> int:
            return 0

    def no_module(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(_cuda, "import_module", no_module)
    fails("this build of augcore has no CUDA kernels; build it where nvcc is")
    monkeypatch.setattr(_cuda, "import_module", lambda name: Geometry)
    monkeypatch.setitem(sys.modules, "cupy", None)
    fails("arrays on a GPU need CuPy; install it with")
    monkeypatch.setitem(sys.modules, "cupy", np)
    fails("no GPU was found; nvidia-smi shows")


def test_features_that_do_not_fit(cupy: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = cupy.empty

    def no_memory(shape: Any, dtype: Any = float) -> Any:
        if np.prod(shape) > 0:
            raise MemoryError
        return empty(shape, dtype)

    monkeypatch.setattr(cupy, "empty", no_memory)
    code, out, errors = call(*SCORE, *GPU)
    assert (code, out) == (1, "")
    assert "X: no memory on the GPU for shape (520, 3), float32" in errors
    assert errors.count("\n") == 1
    assert not Path("out.npy").exists()


def test_build_info(cupy: Any, call: Call) -> None:
    info = augcore.build_info()
    version = _cuda._geometry().toolkit_version()
    assert info["cuda"] is True
    assert info["cuda_toolkit"] == f"{version // 1000}.{version % 1000 // 10}"
    code, out, errors = call("info")
    assert (code, errors) == (0, "")
    devices = _cuda.device_count()
    assert devices >= 1
    line = f"cuda {info['cuda_toolkit']}, cupy {info['cupy'] or 'not installed'}, GPUs {devices}"
    assert line in out.splitlines()


def test_build_info_without_kernels(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_module(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(_cuda, "import_module", no_module)
    info = augcore.build_info()
    assert (info["cuda"], info["cuda_toolkit"]) == (False, None)
    assert "cuda no" in call("info")[1].splitlines()
    assert _cuda.device_count() == 0


@pytest.mark.parametrize("name", ["cupy", "cupy-cuda12x", "cupy-cuda13x"])
def test_the_version_of_cupy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def version(asked: str) -> str:
        if asked != name:
            raise metadata.PackageNotFoundError(asked)
        return "14.0.1"

    monkeypatch.setattr(metadata, "version", version)
    assert augcore.build_info()["cupy"] == "14.0.1"


def test_build_info_is_light(run_python: Any) -> None:
    code = "import sys, augcore; augcore.build_info(); print({'cupy', 'scipy', 'sklearn'} & set(sys.modules))"
    assert run_python(code).stdout == "set()\n"
