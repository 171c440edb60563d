"""Shared by all tests: the package must be installed, not merely found beside the tests."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import emulated_cupy
import numpy as np
import pytest
from commands import COMMAND

import augcore

ROOT = Path(__file__).resolve().parent.parent

if getattr(augcore, "__file__", None) is None:
    pytest.exit("augcore is not installed; install it from the repository root with: pip install '.[test]'", 3)

# A shell that starts tests in the background has Ctrl-C ignored in them and in all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

THREADS = (1, 2, 3, 8)


@pytest.fixture(scope="session")
def run_python():
    """Run Python code in a fresh process, with extra environment variables; returns the completed process."""

    def run(code: str, *, check: bool = True, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess:
        process = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and process.returncode:
            raise AssertionError(f"exit code {process.returncode}\n{process.stderr}")
        return process

    return run


@pytest.fixture(scope="session")
def simd_levels(run_python) -> list[str]:
    """The instruction-set levels that this processor can run."""
    probe = "import augcore; augcore.build_info()"
    return [
        level
        for level in ("baseline", "v3", "v4")
        if run_python(probe, check=False, AUGCORE_SIMD=level).returncode == 0
    ]


# ---- GPU -------------------------------------------------------------------------------------------------------------


EMULATED = ROOT / "build" / "emulated" / "augcore"  # where tests/run puts it


@pytest.fixture(params=["emulator", "card"])
def cupy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """CuPy on a card; or its stand-in, with which augcore's own kernels run on the emulator."""
    if request.param == "emulator":
        if not EMULATED.exists():
            pytest.skip("the CUDA emulator is not built: see tests/run")
        monkeypatch.setattr(augcore, "__path__", [*augcore.__path__, str(EMULATED)])
        monkeypatch.setitem(sys.modules, "cupy", emulated_cupy)
        return emulated_cupy
    real = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        devices = real.cuda.runtime.getDeviceCount()
    except real.cuda.runtime.CUDARuntimeError:
        devices = 0
    if not devices:
        pytest.skip("no GPU")
    pytest.importorskip("augcore._cuda_geometry", reason="augcore is built without CUDA")
    if os.environ.get("AUGCORE_TEST_CUPY_POOL") == "off":  # each array alone: compute-sanitizer sees where it ends
        real.cuda.set_allocator(None)
    return real


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Calls the command in an empty folder, "here"."""
    (tmp_path / "here").mkdir()

    def call(*arguments: object, **options: Any) -> subprocess.CompletedProcess:
        words = [*COMMAND, *(word if isinstance(word, bytes) else str(word) for word in arguments)]
        options = {"cwd": tmp_path / "here", "timeout": 120, "check": False, **options}
        return subprocess.run(words, capture_output=True, text=True, **options)

    return call


# ---- experiments -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings of an experiment on made-up images that takes a fraction of a second."""
    rng = np.random.default_rng(3)
    arrays = {}
    for part, n in (("train", 40), ("test", 30)):
        labels = np.arange(n) % 2
        images = rng.normal(100, 45, (n, 8, 6))
        images[labels == 1, 2:5, 1:3] += 60
        arrays |= {f"x_{part}": np.clip(images, 0, 255).astype(np.uint8), f"y_{part}": labels}
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, **arrays)
    return {
        "dataset": f"npz:{path}",
        "model": "pixels",
        "augmentations": ["translate", "crop"],
        "translate": {"magnitude": 1},
        "crop": {"sizes": [1]},
        "configurations": [
            "baseline",
            "random_proportional",
            "random_proportional+update+downweight",
            "deterministic_proportional+update",
            "deterministic_inverse_proportional",
        ],
        "sizes": [1, 5, 20, 40],
        "rounds": 2,
    }


MODIFIERS = ((False, False), (False, True), (True, False), (True, True))

# The curves of the main experiment: policy, update, downweight, and how fast the made-up accuracy rises.
MAIN = (
    ("baseline", False, False, 1.0),
    *(("random_proportional", update, downweight, 1.5 - 0.4 * downweight) for update, downweight in MODIFIERS),
    ("random_inverse_proportional", False, False, 0.6),
    *(("deterministic_proportional", update, downweight, 2.0 - 0.6 * downweight) for update, downweight in MODIFIERS),
    ("deterministic_inverse_proportional", False, False, 0.35),
    ("deterministic_inverse_proportional", True, False, 0.45),
)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of a finished run with made-up numbers: accuracy rises from 0.86 to 0.96."""

    def make(
        name: str = "run",
        *,
        n: int = 60,
        sizes: Sequence[int] = (1, 10, 30, 60),
        rounds: int = 3,
        augmentations: Sequence[str] = ("translate",),
        scores: Sequence[str] = ("influence", "loss"),
        curves: Sequence[tuple[str, bool, bool, float]] = MAIN,
        shape: tuple[int, int, int] = (9, 7, 1),
        settings: dict[str, Any] | None = None,
        seed: int = 0,
    ) -> Path:
        from augcore.experiments import results

        rng = np.random.default_rng(seed)
        folder = tmp_path / name
        (folder / "arrays").mkdir(parents=True)
        facts = {"format": 2, "version": "0.1.0", "simd": "v3", "data": "ab" * 32}
        chosen = {"dataset": "mnist-sample", "classes": None, "sizes": list(sizes), "rounds": rounds, "C": 10.0}
        config = {**facts, "settings": {**chosen, **(settings or {})}}
        (folder / "config.json").write_text(json.dumps(config, indent=2))

        def save(name: str, values: Any) -> None:
            np.save(folder / "arrays" / f"{name}.npy", values, allow_pickle=False)

        labels = rng.integers(0, 2, n)
        images = np.clip(rng.normal(110 + 60 * labels[:, None, None, None], 50, (n, *shape)), 0, 255).astype(np.uint8)
        save("y_train", labels)
        save("x_train", images)
        save("is_sv", rng.random(n) < 0.2)
        rows, references = [], []
        for number, augmentation in enumerate(augmentations):
            none, everything = 0.86 + 0.01 * number, 0.96 - 0.005 * number
            vsv = none + 0.8 * (everything - none)
            references.append([augmentation, none, none + 0.07, everything, everything - 0.002, vsv, n // 5, 10.0, 1.0])
            save(f"examples-{augmentation}", np.stack([images[0]] * (5 + 5 * number)))
            for score in scores:
                before = rng.lognormal(-5, 2.5, n) * (-1 if score == "influence" else 1)
                save(f"scores-{augmentation}-{score}-before", before)
                save(f"scores-{augmentation}-{score}-after", before * rng.lognormal(-0.5, 0.8, n))
                for configuration, update, downweight, speed in curves:
                    policy, _, clusters = configuration.partition("+clusters")
                    for turn in range(1 if policy.startswith("deterministic") else rounds):
                        for size in sizes:
                            risen = 1 - np.exp(-5 * speed * size / n) * (1 - size / n)
                            accuracy = none + (everything - none) * risen + rng.normal(0, 0.002)
                            cells = [augmentation, score, policy, clusters or 0, downweight, update, turn, size]
                            rows.append([*cells, n + 4 * size, round(float(accuracy), 6)])
        tables = {
            "results.csv": (results.RESULT_COLUMNS, rows),
            "references.csv": (results.REFERENCE_COLUMNS, references),
            "timings.csv": (["unit", "seconds"], [["features", 41.5], ["translate/influence/0", 2.25]]),
        }
        for file, (header, lines) in tables.items():
            with open(folder / file, "w", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows([header, *lines])
        return folder

    return make


@pytest.fixture
def write_npz(tmp_path: Path) -> Callable[..., str]:
    """Writes arrays as an .npz file; its name as a data set."""

    def write(**arrays: Any) -> str:
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        return f"npz:{tmp_path / 'set.npz'}"

    return write
