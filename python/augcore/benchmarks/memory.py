"""What a process takes of memory while it is at something, mapped files apart."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["grown"]

_LOOK_SECONDS = 0.002


def grown(run: Callable[[], object]) -> float | None:
    """By how many MiB the process grows while a function runs, at most; None where nobody knows."""
    before = _own_kibibytes()
    if before is None:
        run()
        return None
    most, ended = [before], threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            most.append(_own_kibibytes() or 0)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        run()
    finally:
        ended.set()
        watcher.join()
    return (max(most) - before) / 1024


def _own_kibibytes() -> int | None:
    """Memory of this process that is not mapped from files."""
    try:
        found = re.search(r"^RssAnon:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None
