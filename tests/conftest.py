"""Shared by all tests: the package must be installed, not merely found beside the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
