"""The statistics behind every figure and sentence, and the tables of a run.

mean_interval, difference_interval      t-intervals over the rounds of a configuration: they hold the randomness of
                                        its draws, nothing else
gains, auc, spearman                    what is told of a curve, and of scores
write(folder)                           tables/: accuracy.csv, auc.csv, auc.tex
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from augcore import _files
from augcore.experiments.finished import Curve, Floats, Run, read

__all__ = [
    "CONFIDENCE",
    "Gain",
    "Interval",
    "auc",
    "difference_interval",
    "gains",
    "mean_interval",
    "milestones",
    "spearman",
    "write",
    "write_run",
]

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean with its standard deviation and confidence interval; NaN where one value alone leaves them open."""

    mean: float
    std: float
    low: float
    high: float
    rounds: int


def mean_interval(values: Floats) -> Interval:
    """The mean of values and its 95 % t-interval: mean -+ t(0.975, n - 1) * std / sqrt(n), std with n - 1."""
    values = np.asarray(values, dtype=np.float64)
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Interval(mean, math.nan, math.nan, math.nan, count)
    std = float(values.std(ddof=1))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1)) * std / math.sqrt(count)
    return Interval(mean, std, mean - half, mean + half, count)


def difference_interval(a: Floats, b: Floats) -> Interval:
    """The mean of `a` minus that of `b`, with Welch's 95 % interval; one value alone counts as exact.

    A deterministic policy has one round, since nothing in it is drawn: only the other side varies.
    """
    parts = [(float(np.var(v, ddof=1)) / len(v), len(v) - 1) for v in (a, b) if len(v) > 1]
    mean, count = float(np.mean(a) - np.mean(b)), min(len(a), len(b))
    variance = sum(part for part, _ in parts)
    if not parts:
        return Interval(mean, math.nan, math.nan, math.nan, count)
    if variance == 0:
        return Interval(mean, 0.0, mean, mean, count)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * math.sqrt(variance)
    return Interval(mean, math.sqrt(variance), mean - half, mean + half, count)


def auc(curve: Curve) -> Floats:
    """(rounds,) the area under each round's curve over its range of sizes, by trapezoids: the mean height.

    Sizes count linearly, whatever scale they are drawn on. NaN where there is one size alone.
    """
    span = curve.sizes[-1] - curve.sizes[0]
    if span == 0:
        return np.full(len(curve.accuracy), np.nan)
    area: Floats = np.trapezoid(curve.accuracy, curve.sizes, axis=1) / span
    return area


class Gain(NamedTuple):
    """Where a curve stands at one size.

    Attributes
    ----------
    share : float
        (accuracy - accuracy_none) / (accuracy_all - accuracy_none); NaN where augmenting everything gains nothing.
    difference : Interval or None
        Accuracy minus the baseline's at the same size; None where there is no baseline to compare.
    """

    size: int
    accuracy: Interval
    share: float
    difference: Interval | None

    @property
    def verdict(self) -> str:
        """ "ahead", "behind" or "level" with the baseline, by the interval; "" where one cannot tell."""
        if self.difference is None or math.isnan(self.difference.low):
            return ""
        if self.difference.low > 0:
            return "ahead"
        return "behind" if self.difference.high < 0 else "level"


def gains(run: Run, augmentation: str, curve: Curve, baseline: Curve | None, sizes: Iterable[int]) -> list[Gain]:
    """Where a curve stands at each of the sizes that it has."""
    references = run.references[augmentation]
    full = references.all - references.none
    result = []
    for size in sizes:
        values = curve.at(size)
        if values is None:
            continue
        other = None if baseline is None or baseline is curve else baseline.at(size)
        share = (float(values.mean()) - references.none) / full if full > 0 else math.nan
        difference = None if other is None else difference_interval(values, other)
        result.append(Gain(size, mean_interval(values), share, difference))
    return result


def milestones(run: Run, augmentation: str, score: str, fractions: Sequence[float] = (0.1, 0.25, 0.5)) -> list[int]:
    """The measured sizes that are nearest to these fractions of the training set, each once."""
    sizes = sorted({int(size) for curve in run.curves[augmentation, score] for size in curve.sizes})
    n = len(run.labels())
    return sorted({min(sizes, key=lambda size: abs(size - fraction * n)) for fraction in fractions})


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where one side is constant."""
    ranks = [stats.rankdata(values) for values in (a, b)]
    if any(np.ptp(values) == 0 for values in ranks):
        return math.nan
    return float(np.corrcoef(*ranks)[0, 1])


# ---- the tables ------------------------------------------------------------------------------------------------------


def write(folder: Path) -> list[Path]:
    """Writes tables/accuracy.csv, tables/auc.csv and tables/auc.tex of a finished run; returns their paths."""
    return write_run(read(folder))


def write_run(run: Run) -> list[Path]:
    """`write` for a run that is read already."""
    target = run.folder / "tables"
    target.mkdir(exist_ok=True)
    made = []
    for name, text in (("accuracy.csv", accuracy_csv(run)), ("auc.csv", auc_csv(run)), ("auc.tex", auc_tex(run))):
        with _files.atomic_write(target / name) as file:
            file.write(text.encode())
        made.append(target / name)
    return made


def accuracy_csv(run: Run) -> str:
    """Mean accuracy and its interval for every configuration and size."""
    header = [*_CURVE_COLUMNS, "size", "rounds", "mean", "std", "low", "high"]
    rows = [
        [*key, *_curve_cells(curve), size, *_cells(mean_interval(curve.accuracy[:, column]))]
        for key, curves in run.curves.items()
        for curve in curves
        for column, size in enumerate(curve.sizes)
    ]
    return _csv(header, rows)


def auc_csv(run: Run) -> str:
    """The area under the curve of every configuration, over the rounds."""
    header = [*_CURVE_COLUMNS, "first_size", "last_size", "rounds"]
    rows = [
        [*key, *_curve_cells(curve), curve.sizes[0], curve.sizes[-1], *_cells(_auc(curve))]
        for key, curves in run.curves.items()
        for curve in curves
    ]
    return _csv([*header, "auc_mean", "auc_std", "auc_low", "auc_high"], rows)


_CURVE_COLUMNS = ("augmentation", "score", "policy", "clusters", "update", "downweight")


def _curve_cells(curve: Curve) -> tuple[str, int, bool, bool]:
    return curve.policy, curve.clusters, curve.update, curve.downweight


def _auc(curve: Curve) -> Interval:
    return mean_interval(auc(curve))


def _cells(interval: Interval) -> list[str]:
    numbers = (interval.mean, interval.std, interval.low, interval.high)
    return [str(interval.rounds), *("" if math.isnan(number) else f"{number:.6f}" for number in numbers)]


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def auc_tex(run: Run) -> str:
    """The areas as a LaTeX table: a row per configuration, a column per augmentation and score."""
    keys = list(run.curves)
    titles = {curve.name: curve.title for curves in run.curves.values() for curve in curves}
    by_key = {key: {curve.name: curve for curve in curves} for key, curves in run.curves.items()}
    lines = [
        "% Area under the accuracy curve, mean and standard deviation over rounds, in percent. Needs booktabs.",
        rf"\begin{{tabular}}{{l{'r' * len(keys)}}}",
        r"\toprule",
        " & ".join(["", *(_tex(augmentation) for augmentation, _ in keys)]) + r" \\",
        " & ".join(["Policy", *(_tex(score) for _, score in keys)]) + r" \\",
        r"\midrule",
    ]
    for name, title in titles.items():
        cells = [_tex_cell(by_key[key].get(name)) for key in keys]
        lines.append(" & ".join([_tex(title), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _tex_cell(curve: Curve | None) -> str:
    if curve is None or len(curve.sizes) < 2:
        return "--"
    interval = _auc(curve)
    spread = "" if math.isnan(interval.std) else rf" \pm {100 * interval.std:.2f}"
    return f"${100 * interval.mean:.2f}{spread}$"


def _tex(text: str) -> str:
    return text.replace("_", r"\_")  # the one character of a name that LaTeX would not print
