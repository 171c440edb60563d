"""The command `augcore`: run an experiment, draw it, report it.

Progress and errors go to stderr, results to stdout. Exit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted. What a
command needs is imported when it runs, so that --help is quick.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from augcore.experiments.config import Config

__all__ = ["app"]

DONE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

DEFAULT_PRESET = "sample"
RUNS = Path("augcore-runs")

app = typer.Typer(
    help="Find the training images worth augmenting, and augment only those.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


class UsageError(Exception):
    """The command line asks for what cannot be; the message is one line."""


class InterruptedRunError(Exception):
    """Ctrl-C; the message says how to go on."""


# ---- errors ----------------------------------------------------------------------------------------------------------


def _command(function: Callable[..., None], *, group: typer.Typer = app) -> Callable[..., None]:
    """Makes a command whose errors are one line on stderr and an exit code."""

    @group.command()
    @functools.wraps(function)
    def command(*args: Any, debug: bool, **kwargs: Any) -> None:
        try:
            _check_environment()
            function(*args, debug=debug, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            if debug:
                traceback.print_exc()
            code, message = _explain(error)
            typer.echo(f"augcore: {message}", err=True)
            raise typer.Exit(code) from None

    return command


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


def _say(text: str) -> None:
    """Results, to stdout; that nobody reads them to the end is no error."""
    try:
        typer.echo(text)
    except BrokenPipeError:
        # Python writes what is left when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console(*, stderr: bool = False) -> Console:
    """A console that is at least so wide that something can be read."""
    from rich.console import Console

    console = Console(stderr=stderr)
    console.width = max(console.width, 60)
    return console


# ---- run -------------------------------------------------------------------------------------------------------------


@_command
def run(
    experiment: Annotated[
        str | None, typer.Argument(metavar="[PRESET|config.toml]", help="smoke, sample (default), mnist; or a file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default: augcore-runs/PRESET-N.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given repeatedly.")
    ] = None,
    convention: Annotated[
        str | None, typer.Option(metavar="augcore|paper", help="paper: C=1, Hessian and images as published.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Curves under way at a time; one uses all threads too.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    debug: Debug = False,
) -> None:
    """Run an experiment: scores, policies, fits, tables, figures, report."""
    folder = out or _default_folder(experiment, resume)
    config = _config(experiment, assignments or [], convention, folder if resume else None)
    try:
        _run(config, folder, jobs, resume)
        report = _present(folder)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"interrupted; what is finished is kept. Go on with: augcore run --resume --out {shlex.quote(str(folder))}"
        ) from None
    _show_headline(folder)
    _say(f"figures: {folder / 'figures'}\nreport:  {report}")


def _config(experiment: str | None, assignments: list[str], convention: str | None, resumed: Path | None) -> Config:
    """The config that the command line asks for; that of the resumed run where it names none."""
    from augcore.experiments import config, results

    try:
        if experiment is None and resumed is not None and (resumed / "config.json").exists():
            settings = results.read_config(resumed)
        else:
            settings = _settings(DEFAULT_PRESET if experiment is None else experiment)
        if convention is not None:
            if convention not in config.CONVENTIONS:
                raise UsageError(f"--convention {convention}: expected one of {', '.join(config.CONVENTIONS)}")
            settings["convention"] = convention
        return config.parse(config.override(settings, assignments))
    except config.ConfigError as error:
        raise UsageError(str(error)) from None


def _settings(experiment: str) -> dict[str, Any]:
    from augcore.experiments import config
    from augcore.experiments.presets import PRESETS

    if experiment in PRESETS:
        return dict(PRESETS[experiment])
    path = Path(experiment)
    if path.suffix == ".toml":
        return config.read_toml(path)
    raise UsageError(
        f"{shlex.quote(experiment)}: unknown preset; expected one of {', '.join(PRESETS)}, or a .toml file"
    )


def _default_folder(experiment: str | None, resume: bool) -> Path:
    """The first free augcore-runs/PRESET-N; to resume, the last one there is."""
    name = Path(experiment or DEFAULT_PRESET).stem
    number = 1
    while (RUNS / f"{name}-{number}").exists():
        number += 1
    return RUNS / f"{name}-{max(1, number - resume)}"


def _run(config: Config, folder: Path, jobs: int, resume: bool) -> None:
    from augcore.experiments import progress, runner
    from augcore.experiments.config import ConfigError

    try:
        with progress.shown(_console(stderr=True), f"running into {folder}") as report:
            runner.run(config, folder, jobs=jobs, resume=resume, progress=report)
    except (ConfigError, FileExistsError) as error:
        raise UsageError(str(error)) from None


# ---- figures and report ----------------------------------------------------------------------------------------------


@_command
def plot(folder: Annotated[Path, typer.Argument(help="Folder of a run.")], debug: Debug = False) -> None:
    """Draw the figures of a run."""
    from augcore.experiments import plots

    with _waiting("drawing figures"):
        figures = plots.draw(folder)
    _say("\n".join(map(str, figures)))


@_command
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of runs.")],
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    debug: Debug = False,
) -> None:
    """Write one HTML page about one or more runs."""
    from augcore.experiments import report as reports

    with _waiting("writing the report"):
        page = reports.write(folders, out)
    _say(str(page))


def _present(folder: Path) -> Path:
    """Figures and report of a finished run."""
    from augcore.experiments import plots
    from augcore.experiments import report as reports

    with _waiting("drawing figures", plain=True):
        plots.draw(folder)
    return reports.write([folder])


def _show_headline(folder: Path) -> None:
    """A small table on stdout: the references, and where half of the points get."""
    console = _console()
    with console.capture() as capture:
        console.print(_headline(folder))
    _say(capture.get().rstrip("\n"))


def _headline(folder: Path) -> Table:
    from rich.table import Table

    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    references = list(csv.DictReader((folder / "references.csv").read_text().splitlines()))
    sizes = sorted({int(row["size"]) for row in rows})
    size = next((size for size in sizes if size >= 250), sizes[-1] if len(sizes) < 2 else sizes[-2])
    policies = dict.fromkeys((row["score"], row["policy"]) for row in rows if row["policy"] in _HEADLINE_POLICIES)
    columns = {
        f"{size} by {score}" if policy != "baseline" else f"{size} at random": (score, policy)
        for score, policy in policies
    }
    table = Table(title="test accuracy by number of augmented points", title_justify="left")
    for column in ("augmentation", "none", *columns, "all"):
        table.add_column(column, justify="left" if column == "augmentation" else "right")
    for reference in references:
        name = reference["augmentation"]
        means = [
            _mean(rows, augmentation=name, score=score, policy=policy, size=str(size))
            for score, policy in columns.values()
        ]
        ends = (float(reference[column]) for column in ("accuracy_none", "accuracy_all"))
        none, everything = (f"{value:.4f}" for value in ends)
        table.add_row(name, none, *means, everything)
    return table


_HEADLINE_POLICIES = ("baseline", "random_proportional")


def _mean(rows: list[dict[str, str]], **wanted: str) -> str:
    """The mean accuracy of the plain curve's rounds."""
    wanted |= {"downweight": "False", "update": "False"}
    values = [float(row["accuracy"]) for row in rows if wanted.items() <= row.items()]
    return f"{sum(values) / len(values):.4f}" if values else "-"


# ---- bench -----------------------------------------------------------------------------------------------------------

bench = typer.Typer(help="Time this library, and others beside it.", no_args_is_help=True)
app.add_typer(bench, name="bench")

Peers = Annotated[bool, typer.Option("--peers", help="Beside every installed library that does the same.")]
Threads = Annotated[int, typer.Option(min=1, max=64, help="For all of them.")]
Everyone = Annotated[bool, typer.Option("--everyone", help="Show every peer, not the fastest alone.")]
JsonFile = Annotated[Path | None, typer.Option(help="Write all figures to this file.")]
MarkdownFile = Annotated[Path | None, typer.Option(help="Write the tables to this file.")]


@functools.partial(_command, group=bench)
def transforms(
    peers: Peers = False,
    threads: Threads = 1,
    repeats: Annotated[
        int | None, typer.Option(min=1, max=1001, help="Turns, medians are shown; default: 3, with --peers 5.")
    ] = None,
    cases: Annotated[
        str | None, typer.Option(metavar="NxHxWxC[:DTYPE],...", help="Batches instead of the usual ones.")
    ] = None,
    works: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Such as rotate or crop-area; default: all.")
    ] = None,
    everyone: Everyone = False,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time the batched transforms, beside a copy of the batch; results are checked to be equal first."""
    from augcore.benchmarks import show
    from augcore.benchmarks.transforms import EVERY_PEER, compare
    from augcore.benchmarks.works import CASES, WORKS, find_works, parse_case
    from augcore.experiments import progress

    try:
        chosen_cases = [parse_case(text) for text in cases.split(",")] if cases is not None else CASES
    except ValueError as error:
        raise UsageError(f"--cases {error}") from None
    try:
        chosen_works = find_works(works) if works is not None else WORKS
    except ValueError as error:
        raise UsageError(f"--works {error}") from None
    files = _files_to_write({json: show.to_json, markdown: show.to_markdown})
    with progress.shown(_console(stderr=True), "timing the transforms") as report:
        results = compare(
            chosen_cases,
            chosen_works,
            EVERY_PEER if peers else (),
            threads=threads,
            repeats=repeats or (5 if peers else 3),
            progress=report,
        )
    _show_benchmark(results, show, everyone, files)


@functools.partial(_command, group=bench)
def influence(
    peers: Peers = False,
    threads: Threads = 1,
    repeats: Annotated[int, typer.Option(min=1, max=1001, help="Turns, medians are shown.")] = 9,
    cases: Annotated[
        str | None, typer.Option(metavar="NxP[:DTYPE],...", help="Points and features instead of the usual ones.")
    ] = None,
    everyone: Everyone = False,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time self-influence and fits, beside the machine's peak; results are checked to be equal first."""
    from augcore.benchmarks import influence_show as show
    from augcore.benchmarks.fits import FIT_CASES
    from augcore.benchmarks.influence import compare
    from augcore.benchmarks.influence_peers import CASES, PEERS, parse_case
    from augcore.experiments import progress

    try:
        chosen = [parse_case(text) for text in cases.split(",")] if cases is not None else None
    except ValueError as error:
        raise UsageError(f"--cases {error}") from None
    files = _files_to_write({json: show.to_json, markdown: show.to_markdown})
    with progress.shown(_console(stderr=True), "timing self-influence and fits") as report:
        results = compare(
            chosen or CASES,
            PEERS if peers else (),
            fit_cases=chosen or FIT_CASES,
            threads=threads,
            repeats=repeats,
            other_kernels=peers,
            progress=report,
        )
    _show_benchmark(results, show, everyone, files)


def _files_to_write(texts: dict[Path | None, Callable[[Any], str]]) -> dict[Path, Callable[[Any], str]]:
    """Those that are asked for, in folders that are there."""
    files = {path: text for path, text in texts.items() if path is not None}
    for path in files:
        if not path.parent.is_dir():
            raise UsageError(f"{path}: no such folder")
    return files


def _show_benchmark(results: Any, show: Any, everyone: bool, files: dict[Path, Callable[[Any], str]]) -> None:
    """Prints the tables of a comparison and writes its files."""
    from augcore import _files

    console = _console()
    console.width = max(console.width, 114)
    with console.capture() as capture:
        show.print_table(results, console, everyone=everyone)
    _say(capture.get().rstrip("\n"))
    for path, text in files.items():
        with _files.atomic_write(path) as stream:
            stream.write(text(results).encode())


# ---- info ------------------------------------------------------------------------------------------------------------

_REQUIRED = ("numpy", "scipy", "sklearn", "typer", "rich")
# The modules of each extra.
_EXTRAS = {
    "experiments": ("tensorflow", "keras", "matplotlib", "pandas", "pyarrow", "pydantic", "h5py"),
    "bench": (
        *("cv2", "tensorflow", "torch", "kornia", "albumentations", "PIL", "skimage"),
        *("statsmodels", "captum", "pydvl", "llvmlite"),
    ),
    "dask": ("dask", "distributed"),
    "numba": ("numba",),
    "cuda12, cuda13": ("cupy",),
}


@_command
def info(debug: Debug = False) -> None:
    """Versions, instruction set, threads, and which extras are installed."""
    import platform
    from importlib import metadata

    import augcore

    distributions = metadata.packages_distributions()

    def versions(modules: tuple[str, ...]) -> str:
        found = {module: distributions.get(module) for module in modules}
        return ", ".join(f"{name} {metadata.version(by[0]) if by else 'not installed'}" for name, by in found.items())

    facts = augcore.build_info()
    lines = [
        f"augcore {facts['version']}",
        f"python {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"simd {facts['simd']}, threads {facts['threads']}, cuda {'yes' if facts['cuda'] else 'no'}",
        f"needs: {versions(_REQUIRED)}",
        *(f"extra {extra}: {versions(modules)}" for extra, modules in _EXTRAS.items()),
    ]
    _say("\n".join(lines))


# ---- the root --------------------------------------------------------------------------------------------------------


def _show_version(wanted: bool) -> None:
    if wanted:
        import augcore

        _say(f"augcore {augcore.__version__}")
        raise typer.Exit(DONE)


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@contextlib.contextmanager
def _waiting(what: str, *, plain: bool = False) -> Iterator[None]:
    """Says what is under way: on a terminal while it lasts, elsewhere by a line if `plain`."""
    console = _console(stderr=True)
    if plain and not console.is_terminal:
        typer.echo(what, err=True)
    with console.status(what) if console.is_terminal else contextlib.nullcontext():
        yield
