"""The command `augcore`: run an experiment, draw it, report it; score points and choose them; time the library.

Progress and errors go to stderr, results to stdout. Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted. What a
command needs is imported when it runs, so that --help is quick.

    _command    what every command is made with: errors and their exit codes, consoles, files to write
    runs        run, plot, report
    choosing    score, select
    training    train
    data        the data sets, a group of commands
    bench       the benchmarks, likewise
    facts       info
"""

from __future__ import annotations

from typing import Annotated

import typer

from augcore.cli import _command, bench, choosing, data, facts, runs, training

__all__ = ["app"]

app = typer.Typer(
    help="Find the training images worth augmenting, and augment only those.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _function in (runs.run, runs.plot, runs.report, choosing.score, choosing.select, training.train, facts.info):
    app.command()(_function)
app.add_typer(data.group, name="data")
app.add_typer(bench.group, name="bench")


def _show_version(wanted: bool) -> None:
    if wanted:
        import augcore

        _command.say(f"augcore {augcore.__version__}")
        raise typer.Exit(_command.DONE)


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass
