"""The figures of a run: which there are, and their files.

accuracy_plots.py       accuracy against the number of augmented points, and against the number of clusters
point_plots.py          scores and images of single training points
sweep_plots.py          numbers of clusters

Each function there takes a run (`finished.read`) and returns a figure; `draw` writes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from augcore import _files
from augcore.experiments import accuracy_plots, point_plots, style, sweep_plots, tables
from augcore.experiments.finished import Run, read
from augcore.experiments.style import Figure

__all__ = ["draw", "draw_run", "figures"]


def draw(folder: Path) -> list[Path]:
    """Draws every figure of a finished run, and writes its tables.

    Parameters
    ----------
    folder : Path
        The folder of the run. figures/*.pdf, figures/*.png and tables/* are written into it, each file whole or not at
        all, and with the same bytes each time.

    Returns
    -------
    list of Path
        All files that were written.

    Raises
    ------
    FileFormatError
        The folder is no finished run, or one of its files is damaged; the message names it.
    ImportError
        matplotlib is missing; the message names the extra to install.
    """
    return draw_run(read(folder))[0]


def draw_run(run: Run) -> tuple[list[Path], dict[str, bytes]]:
    """`draw` for a run that is read already; the second part are the pictures as PNG, by the names of their figures."""
    target = run.folder / "figures"
    target.mkdir(exist_ok=True)
    written, pictures = [], {}
    for name, make in figures(run):
        with style.settings():
            figure = make()
            data = {".pdf": style.pdf(figure), ".png": style.png(figure)}
        pictures[name] = data[".png"]
        for suffix, content in data.items():
            path = target / f"{name}{suffix}"
            with _files.atomic_write(path) as file:
                file.write(content)
            written.append(path)
    return written + tables.write_run(run), pictures


def figures(run: Run) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """The name of every figure of a run, and what makes it (within `style.settings`)."""
    for score in run.scores:
        yield f"overview-{score}", partial(accuracy_plots.overview, run, score)
        if accuracy_plots.has_cluster_counts(run, score):
            yield f"cluster-counts-{score}", partial(accuracy_plots.cluster_counts, run, score)
    compared = [name for name in run.augmentations if accuracy_plots.compared_kinds([run], name)]
    if compared:
        yield "scores-compared", partial(accuracy_plots.comparison, [run], [""], compared)
    for augmentation, score in run.curves:
        for kind in accuracy_plots.kinds(run, augmentation, score):
            name = f"curves-{augmentation}-{score}-{kind}"
            yield name, partial(accuracy_plots.curves, run, augmentation, score, kind)
        if len(run.curves[augmentation, score]) > 2:
            yield f"facets-{augmentation}-{score}", partial(accuracy_plots.facets, run, augmentation, score)
    for augmentation, score in run.scored:
        yield f"point-scores-{augmentation}-{score}", partial(point_plots.point_scores, run, augmentation, score)
    for augmentation, score in point_plots.distinct_galleries(run):
        yield f"gallery-{augmentation}-{score}", partial(point_plots.gallery, run, augmentation, score)
    if run.scored and run.is_support_vector().any():
        yield "support-vectors", partial(point_plots.support_vectors, run)
    for augmentation in run.augmentations:
        yield f"examples-{augmentation}", partial(point_plots.examples, run, augmentation)
    if run.sweep is not None:
        yield "sweep", partial(sweep_plots.sweep, run.sweep)
