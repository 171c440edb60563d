"""The commands run, plot and report: an experiment, its figures, its page."""

from __future__ import annotations

import csv
import difflib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augcore.cli._command import (
    Debug,
    InterruptedRunError,
    UsageError,
    command,
    console,
    say,
    tell,
    waiting,
    warnings_told,
)

if TYPE_CHECKING:
    from rich.table import Table

    from augcore.experiments.config import Config

__all__ = ["plot", "report", "run"]

DEFAULT_PRESET = "sample"
ALL = "all"  # of the presets, one after the other
RUNS = Path("augcore-runs")


# ---- run -------------------------------------------------------------------------------------------------------------


@command
def run(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="[PRESET|config.toml]",
            help="sample (default), mnist, cifar10, norb, norb-augmented, norb-jittered, each also with -margin, "
            "-clustering, -sweep, -dpp, -vsv, -scores, -budget; cifar10-10, smoke; all; or a file.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default: augcore-runs/PRESET-N.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given repeatedly.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE,...", help="A run for each value, and for all combinations of several grids."),
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
    configs = _configs(experiment, assignments or [], grid or [], convention, folder if resume else None)
    again = "augcore run --resume --out" if len(configs) == 1 else "the same command and --resume --out"
    done: list[Path] = []
    for name, config in configs.items():
        target = folder / name
        try:
            _run(config, target, jobs, resume and (len(configs) == 1 or target.exists()))
            report = _present(target)
        except KeyboardInterrupt:
            if not (target / "config.json").exists() and not done:
                raise InterruptedRunError("interrupted before the run had begun") from None
            raise InterruptedRunError(
                f"interrupted; what is finished is kept. Go on with: {again} {shlex.quote(str(folder))}"
            ) from None
        except (UsageError, FileNotFoundError) as error:
            if experiment != ALL:
                raise
            tell(f"{name} is left out: {error}")
            continue
        _show_headline(target)
        say(f"figures: {target / 'figures'}\nreport:  {report}")
        done.append(target)
    if len(done) > 1:
        say(f"together: {_compare(done, folder)}")


def _configs(
    experiment: str | None, assignments: list[str], grid: list[str], convention: str | None, resumed: Path | None
) -> dict[str, Config]:
    """The configs that the command line asks for, by the names of their folders: "" where there is one alone.

    That of the resumed run where it names no experiment.
    """
    from augcore.experiments import config
    from augcore.experiments.grid import product
    from augcore.experiments.presets import PRESETS

    experiments = [name for name in PRESETS if name != "smoke"] if experiment == ALL else [experiment]
    found = {}
    try:
        for name in experiments:
            settings = _settings(name, None if grid else resumed)
            if convention is not None:
                if convention not in config.CONVENTIONS:
                    raise UsageError(f"--convention {convention}: expected one of {', '.join(config.CONVENTIONS)}")
                if convention == "paper" and name in PRESETS:  # what was published is all of it
                    settings = {key: settings[key] for key in settings.keys() - config.CONVENTIONS[convention].keys()}
                settings["convention"] = convention
            settings = config.override(settings, assignments)
            for part, combined in product(settings, grid).items():
                place = "/".join(text for text in (name if experiment == ALL else "", part) if text)
                found[place] = config.parse(combined)
    except config.ConfigError as error:
        raise UsageError(str(error)) from None
    return found


def _settings(experiment: str | None, resumed: Path | None) -> dict[str, Any]:
    from augcore.experiments import config, results
    from augcore.experiments.presets import DATA, DRIVERS, PRESETS

    if experiment is None and resumed is not None:
        if not (resumed / "config.json").exists():
            raise UsageError(f"{resumed}: holds no run to go on with; name the experiment to begin it")
        return results.read_config(resumed)
    experiment = DEFAULT_PRESET if experiment is None else experiment
    if experiment in PRESETS:
        return dict(PRESETS[experiment])
    path = Path(experiment)
    if path.suffix == ".toml":
        return config.read_toml(path)
    close = difflib.get_close_matches(experiment, [*PRESETS, ALL], n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise UsageError(
        f"{shlex.quote(experiment)}: unknown preset{hint}; expected {', '.join(DATA)}, each also with "
        f"{', '.join(filter(None, DRIVERS))}; cifar10-10, smoke, {ALL}, or a .toml file"
    )


def _default_folder(experiment: str | None, resume: bool) -> Path:
    """The first free augcore-runs/PRESET-N; to resume, the last one there is."""
    name = Path(experiment or DEFAULT_PRESET).stem
    number = 1
    while (RUNS / f"{name}-{number}").exists():
        number += 1
    return RUNS / f"{name}-{max(1, number - resume)}"


def _run(config: Config, folder: Path, jobs: int, resume: bool) -> None:
    from augcore import datasets
    from augcore.experiments import progress, runner
    from augcore.experiments.config import ConfigError

    try:
        with warnings_told(), progress.shown(console(stderr=True), f"running into {folder}") as report:
            cache = datasets.data_folder().with_name("features")
            runner.run(config, folder, jobs=jobs, resume=resume, cache=cache, progress=report)
    except (ConfigError, FileExistsError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system, not of the runner
            raise
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


def _compare(folders: list[Path], folder: Path) -> Path:
    """One page about all runs."""
    from augcore.experiments import report as reports

    with waiting("comparing the runs", plain=True):
        return reports.write(folders, folder / "comparison.html")


def _show_headline(folder: Path) -> None:
    """A small table on stdout: the references, and where half of the points get."""
    page = console()
    with page.capture() as capture:
        page.print(_headline(folder))
    say(capture.get().rstrip("\n"))


def _headline(folder: Path) -> Table:
    from rich.table import Table

    from augcore.experiments.finished import score_title

    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    references = list(csv.DictReader((folder / "references.csv").read_text().splitlines()))
    sizes = sorted({int(row["size"]) for row in rows}) or [0]
    size = next((size for size in sizes if size >= 250), sizes[-1] if len(sizes) < 2 else sizes[-2])
    rows = [row for row in rows if not (int(row["clusters"]) or "True" in (row["update"], row["downweight"]))]
    found = dict.fromkeys((row["score"], row["policy"]) for row in rows if row["policy"] in _HEADLINE_POLICIES)
    lines = {
        "at random" if policy == "baseline" else f"by {score_title(score)}": (score, policy) for score, policy in found
    }
    table = Table(title="test accuracy by number of augmented points", title_justify="left")
    table.add_column("augmented")
    for reference in references:  # there are fewer of them than of scores, which would not all fit beside each other
        table.add_column(reference["augmentation"], justify="right")
    table.add_row("none", *(f"{float(reference['accuracy_none']):.4f}" for reference in references))
    for line, (score, policy) in lines.items():
        wanted = {"score": score, "policy": policy, "size": str(size)}
        means = (_mean(rows, augmentation=reference["augmentation"], **wanted) for reference in references)
        table.add_row(f"{size} {line}", *means)
    table.add_row("all", *(f"{float(reference['accuracy_all']):.4f}" for reference in references))
    return table


_HEADLINE_POLICIES = ("baseline", "random_proportional")


def _mean(rows: list[dict[str, str]], **wanted: str) -> str:
    """The mean accuracy of the rounds."""
    values = [float(row["accuracy"]) for row in rows if wanted.items() <= row.items()]
    return f"{sum(values) / len(values):.4f}" if values else "-"
