"""Makes the tables and figures of README.md here, from finished runs: python docs/reproduction/make.py NAME=FOLDER ...

A name is that of a section of the page, `cifar10`, whose tables stand between its markers, and of its figures.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from augcore.experiments import finished, tables
from augcore.experiments.finished import Run

HERE = Path(__file__).resolve().parent
PAGE = HERE / "README.md"
FRACTIONS = (0.1, 0.25, 0.5)
# Ahead of the baseline or behind it, where the 95 % interval of the difference tells.
MARKS = {"ahead": " ▲", "behind": " ▼", "level": "", "": ""}
# What is shown of every run, and of some more.
FIGURES = ("overview-influence",)
MORE = {
    "cifar10": ("gallery-translate-influence",),
    "cifar10-scores": ("scores-compared",),
    "cifar10-dpp": ("scores-compared",),
}


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    header = list(header)
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def references(run: Run) -> Iterator[str]:
    rows = (
        [
            name,
            *(f"{value:.4f}" for value in (r.plain, r.none, r.vsv, r.all_downweighted, r.all)),
            f"{r.n_vsv}",
            f"{r.C:g}",
        ]
        for name, r in run.references.items()
    )
    header = (
        "augmentation",
        "none, plain test set",
        "none",
        "support vectors",
        "all, downweighted",
        "all",
        "support vectors are",
        "C",
    )
    return table(header, rows)


def shares(run: Run, score: str) -> Iterator[str]:
    """Accuracy, what part of the gain of augmenting everything, and whether ahead of uniform draws, of every policy."""
    names = [name for name in run.augmentations if (name, score) in run.curves]
    sizes = tables.milestones(run, names[0], score, FRACTIONS)
    header = [f"by {score}", *(f"{name}, {size}" for name in names for size in sizes)]
    titles = {curve.name: curve.title for name in names for curve in run.curves[name, score]}
    rows = (
        [title, *(cell for name in names for cell in _cells(run, name, score, configuration, sizes))]
        for configuration, title in titles.items()
    )
    return table(header, rows)


def _cells(run: Run, augmentation: str, score: str, configuration: str, sizes: list[int]) -> Iterator[str]:
    curve = run.curve(augmentation, score, configuration)
    for gain in tables.gains(run, augmentation, curve, tables.baseline_of(run, augmentation, score, curve), sizes):
        share = "" if math.isnan(gain.share) else f" ({100 * gain.share:.0f}%)"
        yield f"{gain.accuracy.mean:.4f}{share}{MARKS[gain.verdict]}"


def section(name: str, folder: Path) -> str:
    run = finished.read(folder)
    lines = [*references(run)]
    for score in run.scores:
        lines += ["", *shares(run, score)]
    for figure in (*FIGURES, *MORE.get(name, ())):
        source = folder / "figures" / f"{figure}.png"
        if source.exists():
            shutil.copyfile(source, HERE / f"{name}-{figure}.png")
            lines += ["", f"![{figure} of {name}]({name}-{figure}.png)"]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    page = PAGE.read_text()
    for argument in arguments:
        name, _, folder = argument.partition("=")
        begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise SystemExit(f"{PAGE}: has no place for {name}")
        page = before + begin + section(name, Path(folder)) + end + after
    PAGE.write_text(page)


main(sys.argv[1:])
