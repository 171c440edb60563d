"""Shared by all tests: the package must be installed, not merely found beside the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import augcore

ROOT = Path(__file__).resolve().parent.parent

if getattr(augcore, "__file__", None) is None:
    pytest.exit("augcore is not installed; install it from the repository root with: pip install '.[test]'", 3)

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
