"""The statistics behind every figure and sentence, and the tables of a run.

mean_interval, difference_interval      t-intervals over the rounds of a configuration: they hold the randomness of
                                        its draws, nothing else
gains, auc, spearman, ranks             what is told of a curve, and of scores
write(folder)                           tables/: accuracy, auc, gains, references as .csv and .tex; spearman.csv
"""

from __future__ import annotations

import csv
import functools
import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from augcore import _files
from augcore.experiments.finished import Curve, Floats, Run, read, score_title

__all__ = [
    "CONFIDENCE",
    "Gain",
    "Interval",
    "Ranks",
    "auc",
    "baseline_of",
    "difference_interval",
    "digits",
    "gains",
    "mean_interval",
    "milestones",
    "ranks",
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


@functools.lru_cache(maxsize=4096)
def _quantile(freedom: float) -> float:
    """Of Student's t, two-sided; asked for at every point of every curve, mostly the same one."""
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom))


def mean_interval(values: Floats) -> Interval:
    """The mean of values and its 95 % t-interval: mean -+ t(0.975, n - 1) * std / sqrt(n), std with n - 1."""
    values = np.asarray(values, dtype=np.float64)
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Interval(mean, math.nan, math.nan, math.nan, count)
    std = float(values.std(ddof=1))
    half = _quantile(count - 1) * std / math.sqrt(count)
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
    half = _quantile(freedom) * math.sqrt(variance)
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


def baseline_of(run: Run, augmentation: str, score: str, curve: Curve) -> Curve | None:
    """What a curve is to be compared with: the baseline, where it draws from clusters the one that does so too."""
    if curve.clusters:
        return run.curve(augmentation, score, f"baseline+clusters{curve.clusters}")
    return run.curve(augmentation, score, "baseline")


def milestones(run: Run, augmentation: str, score: str, fractions: Sequence[float] = (0.1, 0.25, 0.5)) -> list[int]:
    """The measured sizes that are nearest to these fractions of the training set, each once."""
    sizes = sorted({int(size) for curve in run.curves[augmentation, score] for size in curve.sizes})
    n = len(run.labels())
    return sorted({min(sizes, key=lambda size: abs(size - fraction * n)) for fraction in fractions})


def digits(*accuracies: float) -> int:
    """How many digits after the point tell accuracies in percent apart: two where three points hold them all."""
    return 2 if max(accuracies) - min(accuracies) < 0.03 else 1


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where one side is constant."""
    ranks = [stats.rankdata(values) for values in (a, b)]
    if any(np.ptp(values) == 0 for values in ranks):
        return math.nan
    return float(np.corrcoef(*ranks)[0, 1])


class Ranks(NamedTuple):
    """Spearman's correlation of each score with each other."""

    labels: Sequence[str]
    values: Floats

    def is_equal(self, other: Ranks) -> bool:
        return list(self.labels) == list(other.labels) and np.array_equal(self.values, other.values, equal_nan=True)


def ranks(runs: Iterable[tuple[Run, str]], augmentation: str) -> Ranks:
    """How alike all scores of runs on the same training points order them, with nothing augmented; equal ones once.

    Parameters
    ----------
    runs : pairs of Run and its name
        The name is written beside a score that several runs have with other values.
    """
    found: list[tuple[str, str, Floats]] = []
    for run, name in runs:
        for score in (score for key, score in run.scored if key == augmentation):
            values = np.abs(run.point_scores(augmentation, score)[0])
            if not any(score == other and np.array_equal(values, known) for other, _, known in found):
                found.append((score, name, values))
    scores = [score for score, _, _ in found]
    labels = [
        f"{name}: {score_title(score)}" if name and scores.count(score) > 1 else score_title(score)
        for score, name, _ in found
    ]
    table = np.array([[spearman(a, b) for _, _, b in found] for _, _, a in found]).reshape(len(found), len(found))
    return Ranks(labels, table)


# ---- the tables ------------------------------------------------------------------------------------------------------


def write(folder: Path) -> list[Path]:
    """Writes all tables of a finished run into its folder tables; returns their paths."""
    return write_run(read(folder))


def write_run(run: Run) -> list[Path]:
    """`write` for a run that is read already."""
    target = run.folder / "tables"
    target.mkdir(exist_ok=True)
    made = []
    for name, make in _TABLES.items():
        with _files.atomic_write(target / name) as file:
            file.write(make(run).encode())
        made.append(target / name)
    return made


def accuracy_csv(run: Run) -> str:
    """Mean accuracy and its interval for every configuration and size."""
    header = [*_CURVE_COLUMNS, "size", "rounds", "mean", "std", "low", "high"]
    rows = [
        [*key, *_curve_cells(curve), size, *_cells(mean_interval(curve.accuracy[:, column]))]
        for key, curve in _all_curves(run)
        for column, size in enumerate(curve.sizes)
    ]
    return _csv(header, rows)


def auc_csv(run: Run) -> str:
    """The area under the curve of every configuration, over the rounds."""
    header = [*_CURVE_COLUMNS, "first_size", "last_size", "rounds"]
    rows = [
        [*key, *_curve_cells(curve), curve.sizes[0], curve.sizes[-1], *_cells(mean_interval(auc(curve)))]
        for key, curve in _all_curves(run)
    ]
    return _csv([*header, "auc_mean", "auc_std", "auc_low", "auc_high"], rows)


def gains_csv(run: Run) -> str:
    """The share of the full gain near a tenth, a quarter and half of the points, and the difference to the baseline."""
    header = [*_CURVE_COLUMNS, "size", "fraction", "share", "difference", "difference_low", "difference_high"]
    n = len(run.labels())
    rows = []
    for key, curve in _all_curves(run):
        for gain in gains(run, key[0], curve, baseline_of(run, *key, curve), milestones(run, *key)):
            difference = gain.difference or mean_interval(np.array([math.nan]))
            numbers = (gain.size / n, gain.share, difference.mean, difference.low, difference.high)
            rows.append([*key, *_curve_cells(curve), gain.size, *map(_number, numbers)])
    return _csv(header, rows)


def references_csv(run: Run) -> str:
    """What curves are compared with, and the parameters that were used."""
    header = ["augmentation", "none_plain_test", "none", "all", "all_downweighted", "vsv", "n_vsv", "C", "svm_C"]
    rows = []
    for name, r in run.references.items():
        accuracies = map(_number, (r.plain, r.none, r.all, r.all_downweighted, r.vsv))
        rows.append([name, *accuracies, r.n_vsv, *map(_parameter, (r.C, r.svm_C))])
    return _csv(header, rows)


def spearman_csv(run: Run) -> str:
    """The rank correlation of all pairs of scores with nothing augmented, and of each score with itself afterwards."""
    rows = []
    for augmentation in run.augmentations:
        scores = [score for key, score in run.scored if key == augmentation]
        values = {score: [np.abs(part) for part in run.point_scores(augmentation, score)] for score in scores}
        for index, score in enumerate(scores):
            before, after = values[score]
            rows.append([augmentation, score, "before", score, "after", _number(spearman(before, after))])
            for other in scores[index + 1 :]:
                rank = _number(spearman(before, values[other][0]))
                rows.append([augmentation, score, "before", other, "before", rank])
    return _csv(["augmentation", "score", "when", "other_score", "other_when", "spearman"], rows)


_CURVE_COLUMNS = ("augmentation", "score", "policy", "clusters", "update", "downweight")


def _all_curves(run: Run) -> Iterable[tuple[tuple[str, str], Curve]]:
    return ((key, curve) for key, curves in run.curves.items() for curve in curves)


def _curve_cells(curve: Curve) -> tuple[str, int, bool, bool]:
    return curve.policy, curve.clusters, curve.update, curve.downweight


def _cells(interval: Interval) -> list[str]:
    numbers = (interval.mean, interval.std, interval.low, interval.high)
    return [str(interval.rounds), *map(_number, numbers)]


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def _parameter(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


# ---- LaTeX -----------------------------------------------------------------------------------------------------------


def auc_tex(run: Run) -> str:
    """The areas: a row per configuration, a column per augmentation and score."""
    keys = list(run.curves)
    what = "Area under the accuracy curve, mean and standard deviation over rounds, in percent."
    header = [["", *(augmentation for augmentation, _ in keys)], ["Policy", *(score_title(score) for _, score in keys)]]

    def cell(key: tuple[str, str], name: str) -> str:
        curve = run.curve(*key, name)
        return "--" if curve is None or len(curve.sizes) < 2 else _tex_interval(mean_interval(auc(curve)))

    rows = [[title, *(cell(key, name) for key in keys)] for name, title in _titles(run).items()]
    return _tex_table(what, header, rows)


def accuracy_tex(run: Run) -> str:
    """The accuracies: a table per augmentation and score, a row per configuration, a column per size."""
    made = []
    for (augmentation, score), curves in run.curves.items():
        sizes = sorted({int(size) for curve in curves for size in curve.sizes})
        what = f"{augmentation}, by {score_title(score)}: accuracy at the number of augmented points, in percent."
        rows = [[curve.title, *(_tex_accuracy(curve.at(size)) for size in sizes)] for curve in curves]
        made.append(_tex_table(what, [["Policy", *map(str, sizes)]], rows))
    return "\n".join(made)


def gains_tex(run: Run) -> str:
    """The shares of the full gain: a row per configuration, columns per augmentation, score and size."""
    columns = [(*key, size) for key in run.curves for size in milestones(run, *key)]
    header = [
        ["", *(augmentation for augmentation, _, _ in columns)],
        ["", *(score_title(score) for _, score, _ in columns)],
        ["Policy", *(str(size) for _, _, size in columns)],
    ]

    def cell(augmentation: str, score: str, size: int, name: str) -> str:
        curve = run.curve(augmentation, score, name)
        found = [] if curve is None else gains(run, augmentation, curve, None, [size])
        return "--" if not found or math.isnan(found[0].share) else f"${100 * found[0].share:.0f}$"

    rows = [[title, *(cell(*column, name) for column in columns)] for name, title in _titles(run).items()]
    return _tex_table("Share of the full gain at the number of augmented points, in percent.", header, rows)


def references_tex(run: Run) -> str:
    """What curves are compared with: a row per augmentation."""
    header = [["Augmentation", "none, plain test", "none", "all", "all, downweighted", "support vectors", "points"]]
    rows = [
        [name, *(_tex_percent(value) for value in (r.plain, r.none, r.all, r.all_downweighted, r.vsv)), f"${r.n_vsv}$"]
        for name, r in run.references.items()
    ]
    return _tex_table("Accuracy of the references, in percent.", header, rows)


def _titles(run: Run) -> dict[str, str]:
    """The configurations of a run with what they are called."""
    return {curve.name: curve.title for _, curve in _all_curves(run)}


def _tex_table(what: str, header: Sequence[Sequence[str]], rows: Iterable[Sequence[str]]) -> str:
    """The first cell of a row, and all of the header, are text; the others are LaTeX."""
    lines = [
        f"% {what} Needs booktabs.",
        rf"\begin{{tabular}}{{l{'r' * (len(header[0]) - 1)}}}",
        r"\toprule",
        *(" & ".join(map(_tex, cells)) + r" \\" for cells in header),
        r"\midrule",
        *(" & ".join([_tex(first), *rest]) + r" \\" for first, *rest in rows),
    ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _tex_interval(interval: Interval) -> str:
    spread = "" if math.isnan(interval.std) else rf" \pm {100 * interval.std:.2f}"
    return f"${100 * interval.mean:.2f}{spread}$"


def _tex_accuracy(values: Floats | None) -> str:
    return "--" if values is None else _tex_interval(mean_interval(values))


def _tex_percent(value: float) -> str:
    return "--" if math.isnan(value) else f"${100 * value:.2f}$"


def _tex(text: str) -> str:
    return text.replace("_", r"\_")  # the one character of a name that LaTeX would not print


_TABLES: dict[str, Callable[[Run], str]] = {
    "accuracy.csv": accuracy_csv,
    "accuracy.tex": accuracy_tex,
    "auc.csv": auc_csv,
    "auc.tex": auc_tex,
    "gains.csv": gains_csv,
    "gains.tex": gains_tex,
    "references.csv": references_csv,
    "references.tex": references_tex,
    "spearman.csv": spearman_csv,
}
