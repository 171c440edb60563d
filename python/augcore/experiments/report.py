"""One page about one run, or about several beside each other: self-contained HTML, computed from the run folders.

It opens with what came out, in words; then settings, curves, tables, images, scores and seconds. Nothing in the words
is fixed in advance: where a policy loses against uniform drawing, they say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from augcore import _files
from augcore.experiments import plots, report_pictures, report_tables, style, words
from augcore.experiments.finished import read
from augcore.experiments.markup import Markup, page, tag
from augcore.experiments.subject import Subject

__all__ = ["present", "write"]


def write(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Writes the report of finished runs.

    Parameters
    ----------
    folders : sequence of Path
        One folder, or several to compare. They are only read, unless the report is written into one.
    out : Path, optional
        The file to write. By default report.html in the folder; for several, comparison.html in the first of them.

    Returns
    -------
    Path
        The file: one page without references to anything outside it, whole or not at all, the same bytes each time.

    Raises
    ------
    ValueError
        No folders.
    FileFormatError
        A folder is no finished run, or one of its files is damaged; the message names it.
    ImportError
        matplotlib is missing; the message names the extra to install.
    """
    if not folders:
        raise ValueError("folders: expected at least one run folder, got none")
    runs = [read(folder) for folder in folders]
    return _write(Subject.of(runs), out or runs[0].folder / ("report.html" if len(runs) == 1 else "comparison.html"))


def present(folder: Path) -> Path:
    """Writes figures, tables and report of a finished run, each picture drawn once; returns the report.

    `plots.draw` and `write` say what is written and what is raised.
    """
    run = read(folder)
    _, pictures = plots.draw_run(run)
    return _write(Subject.of([run], pictures), run.folder / "report.html")


def _write(subject: Subject, target: Path) -> Path:
    with style.settings():
        text = _document(subject)
    with _files.atomic_write(target) as file:
        file.write(text.encode())
    return Path(target)


def _document(subject: Subject) -> str:
    parts: list[tuple[str, str, list[Markup]]] = [
        ("results", "Results", _results(subject)),
        ("settings", "Settings", [report_tables.settings(subject)]),
        ("together", "Runs together", report_pictures.together(subject)),
        ("curves", "Curves", report_pictures.curves(subject)),
        ("tables", "Tables", report_tables.accuracies(subject)),
        ("clusters", "Numbers of clusters", report_pictures.sweeps(subject)),
        ("galleries", "Images of highest and lowest score", report_pictures.galleries(subject)),
        ("augmentations", "Augmentations", report_pictures.examples(subject)),
        ("scores", "Scores before and after", report_pictures.point_scores(subject)),
        ("ranks", "Scores against each other", report_tables.ranks(subject)),
        ("timings", "Seconds", report_tables.timings(subject)),
    ]
    parts = [part for part in parts if part[2]]
    title = "augcore: " + ", ".join(subject.names)
    ledes = [sentence for run, name in subject.each() for sentence in words.lede(run, name)]
    return page(
        title,
        tag(
            "header",
            tag("h1", title),
            *(tag("p", sentence, class_="lede") for sentence in ledes),
            tag("nav", (tag("a", heading, href=f"#{anchor}") for anchor, heading, _ in parts)),
        ),
        *(tag("section", tag("h2", heading), *content, id=anchor) for anchor, heading, content in parts),
        tag("footer", tag("p", _versions(subject), class_="soft")),
    )


def _results(subject: Subject) -> list[Markup]:
    parts = []
    for augmentation in report_tables.augmentations(subject):
        told = [tag("h3", augmentation)]
        for run, name in subject.each():
            if augmentation in run.augmentations:
                scores = [score for score in run.scores if (augmentation, score) in run.curves]
                told += [tag("h4", name)] if name else []
                told.append(tag("p", words.everything(run, augmentation)))
                sentences = [(score, " ".join(words.results(run, augmentation, score))) for score in scores]
                told += [tag("p", tag("strong", f"By {words.score_title(s)}. "), text) for s, text in sentences if text]
        parts.append(tag("div", told))
    return [tag("div", parts, class_="columns narrow")]


def _versions(subject: Subject) -> str:
    facts = ("version", "simd", "data")
    lines = [", ".join(f"{key} {run.facts[key]}" for key in facts if key in run.facts) for run in subject.runs]
    return "Made from the files of the run by augcore. " + " · ".join(dict.fromkeys(line for line in lines if line))
