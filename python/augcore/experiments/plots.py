"""The figures of a run.

    curves              accuracy against the number of augmented points: one augmentation, one score, one kind of policy
    overview            all augmentations beside each other, random policies above, deterministic ones below
    score_comparison    influence against loss
    point_scores        the scores before and after augmenting everything: histograms and joint plot
    gallery, examples   images of highest and lowest score; an image beside its variants

Each function takes a run (tables.read) and returns a figure; `draw` writes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _files
from augcore.experiments import style, tables
from augcore.experiments.finished import Curve, Run, read
from augcore.experiments.style import Axes, Figure
from augcore.experiments.tables import mean_interval

__all__ = [
    "KINDS",
    "absolute",
    "curves",
    "distinct_galleries",
    "draw",
    "examples",
    "extremes",
    "figures",
    "gallery",
    "limits",
    "overview",
    "point_scores",
    "score_comparison",
    "short",
    "shown",
]

KINDS = ("random", "deterministic")
GALLERY = 10

Limits = tuple[float, float]


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
    run = read(folder)
    target = run.folder / "figures"
    target.mkdir(exist_ok=True)
    written = []
    for name, make in figures(run):
        with style.settings():
            figure = make()
            data = {".pdf": style.pdf(figure), ".png": style.png(figure)}
        for suffix, content in data.items():
            path = target / f"{name}{suffix}"
            with _files.atomic_write(path) as file:
                file.write(content)
            written.append(path)
    return written + tables.write_run(run)


def figures(run: Run) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """The name of every figure of a run, and what makes it (within `style.settings`)."""
    for score in run.scores:
        yield f"overview-{score}", partial(overview, run, score)
    if len(run.scores) > 1:
        yield "scores-compared", partial(score_comparison, run)
    for augmentation, score in run.curves:
        for kind in KINDS:
            if shown(run, augmentation, score, kind):
                yield f"curves-{augmentation}-{score}-{kind}", partial(curves, run, augmentation, score, kind)
    for augmentation, score in run.curves:
        yield f"point-scores-{augmentation}-{score}", partial(point_scores, run, augmentation, score)
    for augmentation, score in distinct_galleries(run):
        yield f"gallery-{augmentation}-{score}", partial(gallery, run, augmentation, score)
    for augmentation in run.augmentations:
        yield f"examples-{augmentation}", partial(examples, run, augmentation)


# ---- accuracy against the number of augmented points -----------------------------------------------------------------


def shown(run: Run, augmentation: str, score: str, kind: str) -> list[Curve]:
    """The curves of one kind, with the baseline, itself random, to compare; none where the run has none of the kind."""
    chosen = [
        curve
        for curve in run.curves.get((augmentation, score), ())
        if curve.policy == "baseline" or curve.is_random == (kind == "random")
    ]
    return chosen if kind == "random" or any(curve.policy != "baseline" for curve in chosen) else []


def limits(run: Run, augmentation: str, score: str, kinds: Sequence[str] = KINDS) -> Limits:
    """The range of accuracies that a panel shows: means and references whole, bands up to a quarter of it beyond.

    Bands of two or three rounds can be wider than everything else, and go beyond 100 %; they may leave the panel.
    """
    lines = [curve for kind in kinds for curve in shown(run, augmentation, score, kind)]
    intervals = [mean_interval(column) for curve in lines for column in curve.accuracy.T]
    means = [*(interval.mean for interval in intervals), *_reference_values(run, augmentation)]
    low, high = min(means), max(means)
    reach = (high - low) / 4
    lowest = np.nanmin([low, *(interval.low for interval in intervals)])
    highest = np.nanmax([high, *(interval.high for interval in intervals)])
    low, high = max(lowest, low - reach), min(highest, high + reach, 1.0)
    pad = max(0.09 * (high - low), 0.002)
    return float(low - pad), float(high + pad)


def _reference_values(run: Run, augmentation: str) -> list[float]:
    references = run.references[augmentation]
    return [value for value in (references.none, references.all, references.vsv) if not np.isnan(value)]


def curves(run: Run, augmentation: str, score: str, kind: str, *, ylim: Limits | None = None) -> Figure:
    """Accuracy of every configuration of one kind ("random" or "deterministic"), with bands and reference lines."""
    lines = shown(run, augmentation, score, kind)
    legend_rows = max((len(lines) + 2) // 2, 4)  # the same for both kinds, so that their axes align
    frame = style.Frame(5.0, 2.7, left=0.62, right=0.12, top=0.32, bottom=0.92 + 0.145 * legend_rows)
    figure = style.figure(frame.width, frame.height)
    axes = frame.axes(figure)
    _panel(axes, run, augmentation, lines, frame.inner_width, ylim or limits(run, augmentation, score))
    axes.set_title(f"{augmentation}, by {score}: {kind} policies")
    axes.set_xlabel("augmented training points")
    axes.set_ylabel("test accuracy")
    handles = [axes.get_legend_handles_labels()]
    _legend(figure, frame, handles, columns=2)
    style.note(figure, _band_note(lines))
    return figure


def overview(run: Run, score: str) -> Figure:
    """All augmentations of a run: a column each, random policies in the upper row, deterministic ones in the lower."""
    names = [name for name in run.augmentations if (name, score) in run.curves]
    kinds = [kind for kind in KINDS if any(shown(run, name, score, kind) for name in names)]
    labels = {curve.label for name in names for kind in kinds for curve in shown(run, name, score, kind)}
    legend_columns = 3 if len(names) > 2 else 2
    legend_rows = len(labels) // legend_columns + 1
    frame = style.Frame(
        max(2.32 * len(names) + 0.45, 5.0),
        1.95 * len(kinds),
        left=0.62,
        right=0.1,
        top=0.32,
        bottom=0.92 + 0.145 * legend_rows,
        rows=len(kinds),
        columns=len(names),
        gap=(0.42, 0.5),
    )
    figure = style.figure(frame.width, frame.height)
    handles = []
    for row, kind in enumerate(kinds):
        for column, name in enumerate(names):
            axes = frame.axes(figure, row, column)
            lines = shown(run, name, score, kind)
            _panel(axes, run, name, lines, frame.inner_width, limits(run, name, score))
            handles.append(axes.get_legend_handles_labels())
            axes.set_title(f"{name}, {kind}")
            if row == len(kinds) - 1:
                axes.set_xlabel("augmented points")
            if column == 0:
                axes.set_ylabel(f"test accuracy, by {score}")
    _legend(figure, frame, handles, columns=legend_columns)
    style.note(figure, _band_note([curve for name in names for curve in run.curves[name, score]]))
    return figure


def score_comparison(run: Run) -> Figure:
    """The scores against each other, drawn and taken in order, beside the baseline."""
    names = run.augmentations
    wide = len(names) > 2
    frame = style.Frame(
        max(2.32 * len(names) + 0.45, 5.0),
        2.3 if len(names) > 1 else 2.7,
        left=0.62,
        right=0.1,
        top=0.32,
        bottom=1.21 if wide else 1.36,
        columns=len(names),
        gap=(0.42, 0.0),
    )
    figure = style.figure(frame.width, frame.height)
    handles, drawn = [], []
    for column, name in enumerate(names):
        axes = frame.axes(figure, 0, column)
        entries = _compared(run, name)
        drawn += [curve for _, curve, _ in entries]
        bounds = [limits(run, name, score) for score in run.scores if (name, score) in run.curves]
        _references(axes, run, name)
        for label, curve, look in entries:
            _line(axes, curve, look, label)
        _frame_panel(axes, drawn, frame.inner_width, (min(b[0] for b in bounds), max(b[1] for b in bounds)))
        handles.append(axes.get_legend_handles_labels())
        axes.set_title(name)
        axes.set_xlabel("augmented points")
        if column == 0:
            axes.set_ylabel("test accuracy")
    _legend(figure, frame, handles, columns=3 if wide else 2)
    style.note(figure, _band_note(drawn))
    return figure


def _compared(run: Run, augmentation: str) -> list[tuple[str, Curve, style.Look]]:
    entries = []
    baseline = next((run.curve(augmentation, score, "baseline") for score in run.scores), None)
    if baseline is not None:
        entries.append((baseline.label, baseline, style.look("baseline")))
    # Colour tells the score, dash and marker how the points were taken.
    colors = ("#0211a9", "#c76f34", "#147761", "#702f88")
    for index, score in enumerate(run.scores):
        for kind, marker, dashes in (("random", "s", "solid"), ("deterministic", "^", (0, (5, 2)))):
            curve = run.curve(augmentation, score, f"{kind}_proportional")
            if curve is not None:
                entries.append((f"{score}, {kind}", curve, style.Look(colors[index % len(colors)], marker, dashes)))
    return entries


def _panel(axes: Axes, run: Run, augmentation: str, lines: Sequence[Curve], width: float, ylim: Limits) -> None:
    _references(axes, run, augmentation)
    for curve in lines:
        _line(axes, curve, style.look(curve.policy, curve.update, curve.downweight), curve.label)
    references = run.references[augmentation]
    if not np.isnan(references.vsv) and any(not curve.is_random for curve in lines):
        axes.plot(
            [references.n_vsv],
            [references.vsv],
            linestyle="none",
            marker="*",
            markersize=9,
            color="white",
            markeredgecolor=style.INK,
            label="exactly the support vectors",
            zorder=6,
        )
    _frame_panel(axes, lines, width, ylim)


def _line(axes: Axes, curve: Curve, look: style.Look, label: str) -> None:
    intervals = [mean_interval(column) for column in curve.accuracy.T]
    front = 4 if curve.policy == "baseline" else 3
    axes.plot(
        curve.sizes,
        [interval.mean for interval in intervals],
        color=look.color,
        marker=look.marker,
        linestyle=look.dashes,
        label=label,
        zorder=front,
        markeredgecolor="white",
        markeredgewidth=0.5,
    )
    if len(curve.accuracy) > 1:
        low, high = ([interval[side] for interval in intervals] for side in (2, 3))
        axes.fill_between(curve.sizes, low, high, color=look.color, alpha=0.13, linewidth=0, zorder=front - 2)


def _references(axes: Axes, run: Run, augmentation: str) -> None:
    """The two horizontal lines, named where curves that rise from one to the other leave room."""
    references = run.references[augmentation]
    for value, text, dashes, x, align, offset in (
        (references.all, "all augmented", (0, (8, 3)), 0.015, "left", 2.5),
        (references.none, "none augmented", (0, (1, 2)), 0.985, "right", -2.5),
    ):
        axes.axhline(value, color=style.GREY, linewidth=1.0, linestyle=dashes, zorder=1.5)
        axes.annotate(
            f"{text} {100 * value:.1f}%",
            (x, value),
            xycoords=("axes fraction", "data"),
            xytext=(0, offset),
            textcoords="offset points",
            ha=align,
            va="bottom" if offset > 0 else "top",
            fontsize=6.8,
            color="#4a4a4a",
            zorder=7,
        )


def _frame_panel(axes: Axes, lines: Sequence[Curve], width: float, ylim: Limits) -> None:
    style.size_axis(axes, sorted({int(size) for curve in lines for size in curve.sizes} or {1}), width=width)
    axes.set_ylim(*ylim)
    style.percent_axis(axes)


def _legend(
    figure: Figure, frame: style.Frame, handles: Sequence[tuple[list[Any], list[str]]], *, columns: int
) -> None:
    """One legend for all panels, below the label of the horizontal axis."""
    entries = {label: handle for pair in handles for handle, label in zip(*pair, strict=True)}
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="upper center",
        bbox_to_anchor=(0.5, (frame.bottom - 0.42) / frame.height),
        ncol=columns,
        columnspacing=1.6,
        labelspacing=0.35,
        borderaxespad=0,
    )


def _band_note(lines: Sequence[Curve]) -> str:
    rounds = sorted({len(curve.accuracy) for curve in lines if len(curve.accuracy) > 1})
    if not rounds:
        return "Horizontal axis: square-root scale.\nOne round each, so no bands."
    count = " or ".join(map(str, rounds))
    return (
        "Horizontal axis: square-root scale.\nLines: mean over rounds. "
        f"Bands: 95% t-intervals of that mean over {count} rounds, none for a single round."
    )


# ---- scores ----------------------------------------------------------------------------------------------------------


def point_scores(run: Run, augmentation: str, score: str) -> Figure:
    """Histograms of |score| before and after everything is augmented, and the two against each other."""
    before, after = (np.abs(values) for values in run.point_scores(augmentation, score))
    support = run.is_support_vector()
    frame = style.Frame(7.0, 2.0, left=0.62, right=0.12, top=0.32, bottom=0.72, columns=3, gap=(0.64, 0.0))
    figure = style.figure(frame.width, frame.height)
    top = max(before.max(), after.max()) or 1.0
    bins = np.linspace(0, top, 31).tolist()
    panels = [frame.axes(figure, 0, column) for column in range(3)]
    for axes, values, when in zip(panels, (before, after), ("nothing augmented", "all augmented"), strict=False):
        axes.hist(values, bins, color="#b9c3dc", label="all points")
        axes.hist(values[support], bins, histtype="step", color="#0211a9", linewidth=1.1, label="support vectors")
        style.log_axis(axes, "y")
        axes.set_ylim(0.7, 1.6 * len(values))
        axes.set_xlim(0, top * 1.02)
        axes.set_title(when)
        axes.set_xlabel(absolute(score))
        axes.grid(axis="y")
    panels[0].set_ylabel("training points")
    panels[0].legend(loc="upper right", handlelength=1.4)
    _joint(panels[2], before, after, support)
    panels[2].set_xlabel(f"{absolute(score)}, nothing augmented")
    panels[2].set_ylabel("all augmented", labelpad=1)
    style.note(
        figure,
        f"{augmentation}, {score}: {len(before):,} training points, {int(support.sum()):,} of them support vectors. "
        "Right: scores below 10⁻¹⁰ of the largest stand at the edge.",
    )
    return figure


def absolute(score: str) -> str:
    """What counts of a score, as text: its size, since influence is never positive."""
    return "loss" if score == "loss" else f"|{score}|"


def _joint(axes: Axes, before: NDArray[np.float64], after: NDArray[np.float64], support: NDArray[np.bool_]) -> None:
    top = max(before.max(), after.max()) or 1.0
    floor = 1e-10 * top
    for chosen, color, marker in ((~support, "#8593b8", "o"), (support, "#0211a9", "D")):
        axes.scatter(
            np.maximum(before[chosen], floor),
            np.maximum(after[chosen], floor),
            s=7 if marker == "o" else 9,
            color=color,
            marker=marker,
            alpha=0.6,
            linewidth=0,
            rasterized=len(before) > 5000,
        )
    axes.plot([floor, top], [floor, top], color=style.GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_xlim(floor / 2, top * 2)
    axes.set_ylim(floor / 2, top * 2)
    rank = tables.spearman(before, after)
    axes.set_title("Spearman undefined" if np.isnan(rank) else f"Spearman {rank:.2f}".replace("-", "\N{MINUS SIGN}"))


# ---- images ----------------------------------------------------------------------------------------------------------


def extremes(values: NDArray[np.float64], count: int = GALLERY) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The points of highest and of lowest |score|, most extreme first; ties in their order in the set."""
    magnitude = np.abs(values)
    return np.argsort(-magnitude, kind="stable")[:count], np.argsort(magnitude, kind="stable")[:count]


def distinct_galleries(run: Run) -> Iterator[tuple[str, str]]:
    """Augmentations and scores without those whose scores before augmentation, and so images, came already.

    Where the features do not depend on the augmentation, one gallery stands for all.
    """
    seen: dict[str, list[NDArray[np.float64]]] = {}
    for augmentation, score in run.curves:
        before, _ = run.point_scores(augmentation, score)
        if not any(np.array_equal(before, other) for other in seen.setdefault(score, [])):
            seen[score].append(before)
            yield augmentation, score


def gallery(run: Run, augmentation: str, score: str) -> Figure:
    """The training images of highest and of lowest |score| before anything is augmented."""
    images, labels = run.images(), run.labels()
    values, _ = run.point_scores(augmentation, score)
    groups = list(zip(("highest", "lowest"), extremes(values), strict=True))
    width, gap = 7.0, 0.08
    side = (width - 0.2 - gap * (GALLERY - 1)) / GALLERY
    height = side * images.shape[1] / images.shape[2]
    frame = style.Frame(
        width, 2 * height, left=0.1, right=0.1, top=0.28, bottom=0.48, rows=2, columns=GALLERY, gap=(gap, 0.52)
    )
    figure = style.figure(frame.width, frame.height)
    for row, (which, indices) in enumerate(groups):
        for column, index in enumerate(indices):
            axes = frame.axes(figure, row, column)
            _image(axes, images[index])
            axes.set_xlabel(f"{labels[index]}:  {short(abs(values[index]))}", fontsize=6.5, labelpad=2)
            if column == 0:
                axes.set_title(f"{which} {absolute(score)}")
    style.note(figure, "Under each image its class and its score, with nothing augmented.")
    return figure


def examples(run: Run, augmentation: str) -> Figure:
    """One training image and all its variants."""
    batch = run.examples(augmentation)
    columns = min(len(batch), 8)
    rows = -(-len(batch) // columns)
    side, gap = 0.8, 0.08
    height = side * batch.shape[1] / batch.shape[2]
    used = columns * (side + gap) - gap
    width = max(used + 0.2, 3.6)  # room for the title
    frame = style.Frame(
        width,
        rows * height,
        left=0.1,
        right=width - used - 0.1,
        top=0.3,
        bottom=0.1,
        rows=rows,
        columns=columns,
        gap=(gap, gap),
    )
    figure = style.figure(frame.width, frame.height)
    for index, image in enumerate(batch):
        axes = frame.axes(figure, *divmod(index, columns))
        _image(axes, image)
        if index == 0:
            for spine in axes.spines.values():
                spine.set(visible=True, edgecolor="#c76f34", linewidth=1.6)
            axes.set_title(f"{augmentation}: original (framed) and {len(batch) - 1} variants")
    return figure


def _image(axes: Axes, image: NDArray[np.uint8]) -> None:
    axes.imshow(
        image if image.shape[2] == 3 else image[:, :, 0], cmap="gray", vmin=0, vmax=255, interpolation="nearest"
    )
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def short(value: float) -> str:
    """Two significant digits."""
    return f"{value:.2g}" if value == 0 or 1e-3 <= value < 1e4 else f"{value:.0e}".replace("e-0", "e-")
