"""Calls of the command as a user makes them, in processes of their own."""

from __future__ import annotations

import ctypes
import subprocess
import sys

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
