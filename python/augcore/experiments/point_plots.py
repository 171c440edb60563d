"""Single training points, drawn: their scores and their images.

point_scores        the scores before and after augmenting everything: histograms and joint plot
support_vectors     where the support vectors stand in the order of each score
gallery, examples   images of highest and lowest score; an image beside its variants
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from augcore.experiments import style, tables
from augcore.experiments.finished import Run, score_title
from augcore.experiments.style import Axes, Figure

__all__ = [
    "absolute",
    "distinct_galleries",
    "examples",
    "extremes",
    "gallery",
    "point_scores",
    "short",
    "support_vectors",
]

GALLERY = 10

_ALL_POINTS, _SUPPORT = "#b9c3dc", "#0211a9"
_SIGNED = ("influence", "gradient_dot")


def absolute(score: str) -> str:
    """What counts of a score, as text: its size, which differs from the score where that is never positive."""
    return f"|{score_title(score)}|" if score in _SIGNED else score_title(score)


def distinct_galleries(run: Run) -> Iterator[tuple[str, str]]:
    """Augmentations and scores without those whose scores before augmentation, and so images, came already.

    Where the features do not depend on the augmentation, one gallery stands for all.
    """
    seen: dict[str, list[NDArray[np.float64]]] = {}
    for augmentation, score in run.scored:
        before, _ = run.point_scores(augmentation, score)
        if not any(np.array_equal(before, other) for other in seen.setdefault(score, [])):
            seen[score].append(before)
            yield augmentation, score


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
        axes.hist(values, bins, color=_ALL_POINTS, label="all points")
        if support.any():
            axes.hist(values[support], bins, histtype="step", color=_SUPPORT, linewidth=1.1, label="support vectors")
        style.log_axis(axes, "y")
        axes.set_ylim(0.7, 1.6 * len(values))
        axes.set_xlim(0, top * 1.02)
        style.few_ticks(axes, "x")
        axes.set_title(when)
        axes.set_xlabel(absolute(score))
        axes.grid(axis="y")
    panels[0].set_ylabel("training points")
    if support.any():
        panels[0].legend(loc="upper right", handlelength=1.4)
    _joint(panels[2], before, after, support)
    panels[2].set_xlabel("nothing augmented")
    panels[2].set_ylabel("all augmented", labelpad=1)
    counted = f", {int(support.sum()):,} of them support vectors" if support.any() else ""
    style.note(
        figure,
        f"{augmentation}, {score_title(score)}: {len(before):,} training points{counted}. "
        "Right: scores below 10⁻¹⁰ of the largest stand at the edge.",
    )
    return figure


def _joint(axes: Axes, before: NDArray[np.float64], after: NDArray[np.float64], support: NDArray[np.bool_]) -> None:
    top = max(before.max(), after.max()) or 1.0
    floor = 1e-10 * top
    bottom = max(floor, min(np.min(values[values > 0], initial=top) for values in (before, after)))
    if (before < bottom).any() or (after < bottom).any():
        bottom = floor
    for chosen, color, marker in ((~support, "#8593b8", "o"), (support, _SUPPORT, "D")):
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
    axes.plot([bottom, top], [bottom, top], color=style.GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=0)
    margin = (top / bottom) ** 0.04 * 1.05
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    axes.set_xlim(bottom / margin, top * margin)
    axes.set_ylim(bottom / margin, top * margin)
    rank = tables.spearman(before, after)
    axes.set_title("Spearman undefined" if np.isnan(rank) else f"Spearman {rank:.2f}".replace("-", "\N{MINUS SIGN}"))


def support_vectors(run: Run) -> Figure:
    """How many support vectors stand in each tenth of the points, from the highest score to the lowest."""
    support = run.is_support_vector()
    keys = list(distinct_galleries(run))
    several = len(keys) > len({score for _, score in keys})
    columns = min(len(keys), 4)
    rows = -(-len(keys) // columns)
    frame = style.Frame(
        max(1.75 * columns + 0.5, 3.6),
        1.3 * rows,
        left=0.55,
        right=0.1,
        top=0.32,
        bottom=0.78,
        rows=rows,
        columns=columns,
        gap=(0.18, 0.5),
    )
    figure = style.figure(frame.width, frame.height)
    tenths = [_tenths(run.point_scores(*key)[0]) for key in keys]
    counts = [np.bincount(tenth[support], minlength=10) for tenth in tenths]
    points = [np.bincount(tenth, minlength=10) for tenth in tenths]
    top = max(*(int(count.max()) for count in points), 1)
    for index, (augmentation, score) in enumerate(keys):
        axes = frame.axes(figure, *divmod(index, columns))
        axes.bar(np.arange(10), points[index], width=0.9, color="#e6e9f1", label="points")
        axes.bar(np.arange(10), counts[index], width=0.9, color=_SUPPORT, label="support vectors")
        axes.set_ylim(0, 1.12 * top)
        axes.set_xlim(-0.6, 9.6)
        axes.set_xticks([0, 9], ["highest", "lowest"])
        highest, lowest = axes.get_xticklabels()
        highest.set_horizontalalignment("left")
        lowest.set_horizontalalignment("right")
        axes.tick_params(labelleft=index % columns == 0)
        axes.set_title(absolute(score) + (f", {augmentation}" if several else ""))
        if index % columns == 0:
            axes.set_ylabel("training points")
    figure.text(0.5, 0.36 / frame.height, "tenths of the points, by score", fontsize=8.0, ha="center", va="bottom")
    total = f"{int(support.sum()):,} support vectors of {len(support):,} training points"
    style.note(figure, f"{total}, nothing augmented.\nDark: support vectors. Pale: all points.")
    return figure


def _tenths(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """0 for the tenth of the points with the highest |values|, up to 9 for the lowest; ties in their order."""
    place = np.empty(len(values), dtype=np.intp)
    place[np.argsort(-np.abs(values), kind="stable")] = np.arange(len(values))
    return place * 10 // len(values)


# ---- images ----------------------------------------------------------------------------------------------------------


def extremes(values: NDArray[np.float64], count: int = GALLERY) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The points of highest and of lowest |score|, most extreme first; ties in their order in the set."""
    magnitude = np.abs(values)
    return np.argsort(-magnitude, kind="stable")[:count], np.argsort(magnitude, kind="stable")[:count]


def class_title(names: list[str], label: int, longest: int = 12) -> str:
    """The class of a label by its name, cut where it would run into the next image; by the label without a name."""
    name = names[label] if 0 <= label < len(names) else str(label)
    return name if len(name) <= longest else name[: longest - 1] + "…"


def gallery(run: Run, augmentation: str, score: str) -> Figure:
    """The training images of highest and of lowest |score| before anything is augmented."""
    images, labels, names = run.images(), run.labels(), run.class_names()
    values, _ = run.point_scores(augmentation, score)
    groups = list(zip(("highest", "lowest"), extremes(values), strict=True))
    width, gap = 7.0, 0.08
    side = (width - 0.2 - gap * (GALLERY - 1)) / GALLERY
    height = side * images.shape[1] / images.shape[2]
    frame = style.Frame(
        width, 2 * height, left=0.1, right=0.1, top=0.28, bottom=0.58, rows=2, columns=GALLERY, gap=(gap, 0.62)
    )
    figure = style.figure(frame.width, frame.height)
    for row, (which, indices) in enumerate(groups):
        for column, index in enumerate(indices):
            axes = frame.axes(figure, row, column)
            _image(axes, images[index])
            text = f"{class_title(names, int(labels[index]))}\n{short(abs(values[index]))}"
            axes.set_xlabel(text, fontsize=6.3, labelpad=2, linespacing=1.25, parse_math=False)
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
