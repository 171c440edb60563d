"""The commands run, plot and report: an experiment, its figures, its page."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augcore.cli._command import Debug, InterruptedRunError, UsageError, command, console, say, waiting

if TYPE_CHECKING:
    from rich.table import Table

    from augcore.experiments.config import Config

__all__ = ["plot", "report", "run"]

DEFAULT_PRESET = "sample"
RUNS = Path("augcore-runs")


# ---- run -------------------------------------------------------------------------------------------------------------


@command
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
    say(f"figures: {folder / 'figures'}\nreport:  {report}")


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
        with progress.shown(console(stderr=True), f"running into {folder}") as report:
            runner.run(config, folder, jobs=jobs, resume=resume, progress=report)
    except (ConfigError, FileExistsError) as error:
        raise UsageError(str(error)) from None


# ---- figures and report ----------------------------------------------------------------------------------------------


@command
def plot(folder: Annotated[Path, typer.Argument(help="Folder of a run.")], debug: Debug = False) -> None:
    """Draw the figures of a run."""
    from augcore.experiments import plots

    with waiting("drawing figures"):
        figures = plots.draw(folder)
    say("\n".join(map(str, figures)))


@command
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of runs.")],
    out: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    debug: Debug = False,
) -> None:
    """Write one HTML page about one or more runs."""
    from augcore.experiments import report as reports

    with waiting("writing the report"):
        page = reports.write(folders, out)
    say(str(page))


def _present(folder: Path) -> Path:
    """Figures and report of a finished run."""
    from augcore.experiments import report as reports

    with waiting("drawing figures", plain=True):
        return reports.present(folder)


def _show_headline(folder: Path) -> None:
    """A small table on stdout: the references, and where half of the points get."""
    page = console()
    with page.capture() as capture:
        page.print(_headline(folder))
    say(capture.get().rstrip("\n"))


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
    wanted |= {"clusters": "0", "downweight": "False", "update": "False"}
    values = [float(row["accuracy"]) for row in rows if wanted.items() <= row.items()]
    return f"{sum(values) / len(values):.4f}" if values else "-"
