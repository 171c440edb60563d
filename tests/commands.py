"""Calls of the command as a user makes them, in processes of their own."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np

COMMAND = [sys.executable, "-m", "augcore"]


def assert_one_line(process: subprocess.CompletedProcess, code: int, *words: str) -> None:
    """An exit code, and exactly one line on stderr, which is an error of ours with these words."""
    assert process.returncode == code, process.stderr
    assert process.stderr.startswith("augcore: ")
    assert process.stderr.count("\n") == 1, process.stderr
    assert process.stdout == ""
    for word in words:
        assert word in process.stderr


def give_up_privileges() -> None:
    """Makes permissions count for root as well, in the program that is about to be started."""
    drop_from_bounding_set, override, read_search = 24, 1, 2
    for capability in (override, read_search):
        ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


def spoil(path: Path, values: np.ndarray | bytes | None) -> None:
    """Puts an array into a file instead of what is there, cuts its last byte off, empties it (b""), or removes it."""
    if isinstance(values, np.ndarray):
        np.save(path, values)
    elif values is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] if values else values)
