"""What changes with the number of clusters: how well they fit."""

from __future__ import annotations

import numpy as np

from augcore.experiments import style
from augcore.experiments.finished import Sweep
from augcore.experiments.style import Figure

__all__ = ["sweep"]

_TRAIN = style.Look("#0211a9", "o", "solid")
_TEST = style.Look("#c76f34", "s", (0, (5, 2)))


def sweep(values: Sweep) -> Figure:
    """Inertia and silhouette of the training and the test set against the number of clusters, on a log axis."""
    frame = style.Frame(7.0, 2.2, left=0.72, right=0.15, top=0.32, bottom=0.82, columns=2, gap=(0.68, 0.0))
    figure = style.figure(frame.width, frame.height)
    panels = [frame.axes(figure, 0, column) for column in range(2)]
    for axes, measure in zip(panels, ("inertia", "silhouette"), strict=True):
        for part, look in (("train", _TRAIN), ("test", _TEST)):
            axes.plot(
                values.clusters,
                getattr(values, f"{measure}_{part}"),
                color=look.color,
                linestyle=look.dashes,
                marker=look.marker,
                markersize=3.2,
                markeredgecolor="white",
                markeredgewidth=0.4,
                label=part,
            )
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
