"""Shared by the tests of figures: numbers straight from the files of a run, figures with their layout done."""

from __future__ import annotations

import csv

import numpy as np
from matplotlib import colors

from augcore.experiments import style
from augcore.experiments.results import SWEEP_COLUMNS

COUNTS = (1, 5, 10, 20, 30, 40, 50, 60)

# The curves of other experiments, as `make_run` takes them.
CLUSTERS = tuple(
    (f"{policy}+clusters{count}", False, False, 1.0 + count / 60)
    for policy in ("baseline", "random_proportional")
    for count in COUNTS
)
DPP = tuple((policy, False, False, 1.0) for policy in ("baseline", "random_proportional", "dpp", "dpp_scored"))


def add_sweep(folder):
    """A sweep of clusters, whose last silhouettes are undefined."""
    rows = [(2, 900.5, 950.0, 0.5, 0.45), (7, 80.25, 310.0, -0.1, -0.05), (59, 0.5, 300.0, "", "")]
    write_csv(folder / "sweep.csv", SWEEP_COLUMNS, rows)


def write_csv(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def rows_of(folder):
    with open(folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def accuracies(folder, augmentation, score, policy, update=False, downweight=False):
    """size -> accuracies of all rounds, straight from the file."""
    found = {}
    for row in rows_of(folder):
        key = (row["augmentation"], row["score"], row["policy"], row["clusters"], row["update"], row["downweight"])
        if key == (augmentation, score, policy, "0", str(update), str(downweight)):
            found.setdefault(int(row["size"]), []).append(float(row["accuracy"]))
    return found


def draw(make, *args, **keywords):
    with style.settings():
        figure = make(*args, **keywords)
        figure.canvas.draw()
    return figure


def line_of(axes, label):
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return line


def lightness(color):
    """CIE L* of an sRGB colour."""
    channels = np.array(colors.to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(luminance) - 16 if luminance > 0.008856 else 903.3 * luminance
