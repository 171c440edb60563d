"""What changes along a number that is no count of augmented points: how well numbers of clusters fit, and the epochs of
a training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augcore.experiments import style
from augcore.experiments.finished import Epoch, Sweep
from augcore.experiments.style import Axes, Figure

__all__ = ["history", "sweep"]

_TRAIN = style.Look("#0211a9", "o", "solid")
_TEST = style.Look("#c76f34", "s", (0, (5, 2)))


def sweep(values: Sweep) -> Figure:
    """Inertia and silhouette of the training and the test set against the number of clusters, on a log axis."""
    figure, panels = _pair()
    for axes, measure in zip(panels, ("inertia", "silhouette"), strict=True):
        for part, look in (("train", _TRAIN), ("test", _TEST)):
            _line(axes, values.clusters, getattr(values, f"{measure}_{part}"), look, part)
        style.count_axis(axes, values.clusters)
        axes.set_title(measure)
        axes.set_xlabel("number of clusters")
        axes.grid(axis="y")
    panels[0].set_ylabel("sum of squared distances")
    if not _all_positive(values):
        panels[0].set_ylim(bottom=0)
    else:
        style.log_axis(panels[0], "y")
    panels[1].legend(loc="best", handlelength=2.4)
    style.note(
        figure,
        "k-means on the features of the training set; test points go to the nearest mean.\n"
        "Silhouette: from \N{MINUS SIGN}1 to 1, higher is better separated.",
    )
    return figure


def _all_positive(values: Sweep) -> bool:
    """Inertia falls to zero where points are repeated, which a logarithm cannot show; over decades it needs one."""
    both = np.concatenate([values.inertia_train, values.inertia_test])
    both = both[~np.isnan(both)]
    return bool(len(both) and both.min() > 0 and both.max() > 30 * both.min())


def history(epochs: Sequence[Epoch]) -> Figure:
    """The training of a network: its loss, and its accuracy on both sets, epoch by epoch."""
    figure, panels = _pair()
    numbers = np.array([epoch.epoch for epoch in epochs])
    _line(panels[0], numbers, np.array([epoch.loss for epoch in epochs]), _TRAIN, "train", dots=False)
    for part, look in (("train", _TRAIN), ("test", _TEST)):
        accuracy = np.array([getattr(epoch, f"{part}_accuracy") for epoch in epochs])
        _line(panels[1], numbers, accuracy, look, part, dots=False)
    for axes, title in zip(panels, ("training loss", "accuracy"), strict=True):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.grid(axis="y")
        style.few_ticks(axes, "x", whole=True)
    panels[0].set_ylim(bottom=0)
    style.percent_axis(panels[1])
    panels[1].legend(loc="lower right", handlelength=2.4)
    last = epochs[-1]
    style.note(figure, f"Last epoch: {100 * last.test_accuracy:.1f}% of the test set, {len(epochs):,} epochs.")
    return figure


def _pair() -> tuple[Figure, list[Axes]]:
    frame = style.Frame(7.0, 2.2, left=0.72, right=0.15, top=0.32, bottom=0.82, columns=2, gap=(0.68, 0.0))
    figure = style.figure(frame.width, frame.height)
    return figure, [frame.axes(figure, 0, column) for column in range(2)]


def _line(
    axes: Axes,
    x: np.ndarray[tuple[int], np.dtype[np.intp]],
    y: np.ndarray[tuple[int], np.dtype[np.float64]],
    look: style.Look,
    label: str,
    *,
    dots: bool = True,
) -> None:
    axes.plot(
        x,
        y,
        color=look.color,
        linestyle=look.dashes,
        marker=look.marker if dots or len(x) == 1 else "",
        markersize=3.2,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label=label,
    )
