"""Progress of a run on stderr: bars on a terminal, now and then a line elsewhere, with the time that is left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Report", "shown"]


class Report(Protocol):
    """What progress is reported to: what is under way, how much of it is done, how much there is, and a word on it."""

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None: ...


_SECONDS_BETWEEN_LINES = 5.0


@contextlib.contextmanager
def shown(console: Console, title: str) -> Iterator[Report]:
    """What to report progress to. The title is shown when there is something to report."""
    if not console.is_terminal:
        yield _Lines(console, title)
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: float, total: float, note: str = "") -> None:
            if not tasks:
                progress.console.print(title, highlight=False)
            if stage not in tasks:
                # What was finished earlier says nothing about the speed now.
                tasks[stage] = progress.add_task(stage, total=total, completed=int(done), note=note)
            progress.update(tasks[stage], completed=done, total=total, note=note)

        yield report


class _Lines:
    """One line at the begin and the end of each stage, and every few seconds between."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._stage = ""
        self._begin = self._last = 0.0
        self._already = 0.0

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        now = time.monotonic()
        if not self._stage:
            self._console.print(self._title, highlight=False, soft_wrap=True)
        if stage != self._stage:
            self._stage, self._begin, self._already = stage, now, done
        elif done < total and now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        line = f"{stage}: {self._percent(done, total)}{self._left(now, done, total)}{f'; {note}' if note else ''}"
        self._console.print(line, highlight=False, soft_wrap=True)

    def _percent(self, done: float, total: float) -> str:
        return f"{100 * done / total if total else 100:.0f}%"

    def _left(self, now: float, done: float, total: float) -> str:
        gained = done - self._already
        if gained <= 0 or done >= total:
            return ""
        return f", about {(now - self._begin) * (total - done) / gained:.0f} s left"
