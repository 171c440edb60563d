"""What every command is made with: its errors and exit codes, and what it writes to."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from augcore.experiments.progress import Report

__all__ = [
    "BAD_USAGE",
    "DONE",
    "FAILED",
    "INTERRUPTED",
    "Debug",
    "InterruptedRunError",
    "UsageError",
    "check_folders",
    "check_output",
    "command",
    "console",
    "naming",
    "of_long_stages",
    "say",
    "tell",
    "usage_errors",
    "waiting",
    "warnings_told",
]

DONE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class UsageError(Exception):
    """The command line asks for what cannot be; the message is one line."""


class InterruptedRunError(Exception):
    """Ctrl-C; the message says how to go on."""


def command(function: Callable[..., None]) -> Callable[..., None]:
    """A command whose errors are one line on stderr and an exit code."""

    @functools.wraps(function)
    def call(*args: Any, debug: bool, **kwargs: Any) -> None:
        try:
            _check_environment()
            function(*args, debug=debug, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exc()
            code, message = _explain(error)
            tell(message)
            raise typer.Exit(code) from None

    return call


def _check_environment() -> None:
    """Refuses what NumPy and matplotlib read, wherever they are first needed, and fail at without naming it."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not re.fullmatch("[0-9]{1,11}", epoch):
        raise UsageError(f"SOURCE_DATE_EPOCH: expected seconds since 1970, got {epoch!r}")


def _explain(error: BaseException) -> tuple[int, str]:
    """The exit code for an error, and its one line."""
    if isinstance(error, InterruptedRunError | KeyboardInterrupt):
        return INTERRUPTED, str(error) or "interrupted"
    message = " ".join(str(error).split())
    if isinstance(error, UsageError):
        return BAD_USAGE, message
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return FAILED, f"error: {place}{error.strerror}"
    if isinstance(error, OSError | ValueError | ImportError):
        return FAILED, f"error: {message}"
    return FAILED, f"error: {type(error).__name__}: {message} (--debug shows where)"


@contextlib.contextmanager
def usage_errors(option: str) -> Iterator[None]:
    """Makes a ValueError about the value of an option one of usage, which names the option."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def check_folders(*paths: Path | None) -> None:
    """Refuses files to write whose folder is not there, before any work is done."""
    for path in paths:
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{path}: no such folder")


def check_output(path: Path, *inputs: Path | None) -> None:
    """Refuses a file to write that cannot be one, or is one of those that are read, before any work is done."""
    from augcore import _files

    check_folders(path)
    target = _files.target_of(path)
    for given in inputs:
        if given is not None and given.exists() and target.exists() and given.samefile(target):
            raise UsageError(f"{path}: is also what is read")


@contextlib.contextmanager
def naming(**given: Path | str | None) -> Iterator[None]:
    """Lets errors of the library that name an argument name what was given for it: a file, or an option."""
    try:
        yield
    except (ValueError, TypeError) as error:
        name, colon, message = str(error).partition(": ")
        source = given.get(name) if colon else None
        if source is None:
            raise
        kind = ValueError if isinstance(source, Path) else UsageError
        raise kind(f"{source}: {message}") from error


def say(text: str) -> None:
    """Results, to stdout; that nobody reads them to the end is no error."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        # Python writes what is left when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """A line on stderr."""
    typer.echo(f"augcore: {text}", err=True)


@contextlib.contextmanager
def warnings_told() -> Iterator[None]:
    """Shows the warnings that are for users as lines on stderr."""
    with warnings.catch_warnings(record=True, action="always", category=UserWarning) as caught:
        try:
            yield
        finally:
            for text in dict.fromkeys(str(warning.message) for warning in caught):
                tell(f"warning: {' '.join(text.split())}")


def of_long_stages(report: Report, seconds: float = 2.0) -> Report:
    """Leaves out stages that take no longer than that: a pass over small data is not worth a line."""
    begun: dict[str, float] = {}

    def call(stage: str, done: float, total: float, note: str = "") -> None:
        if time.monotonic() - begun.setdefault(stage, time.monotonic()) >= seconds:
            report(stage, done, total, note)

    return call


def console(*, stderr: bool = False, width: int = 60) -> Console:
    """A console that is at least so wide that something can be read."""
    from rich.console import Console

    result = Console(stderr=stderr)
    result.width = max(result.width, width)
    return result


@contextlib.contextmanager
def waiting(what: str, *, plain: bool = False) -> Iterator[None]:
    """Says what is under way: on a terminal while it lasts, elsewhere by a line if `plain`."""
    shown = console(stderr=True)
    if plain and not shown.is_terminal:
        typer.echo(what, err=True)
    with shown.status(what) if shown.is_terminal else contextlib.nullcontext():
        yield
