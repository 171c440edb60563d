"""What came out of a run, in words and numbers as text: computed, and plain about a policy that loses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from augcore.experiments import tables
from augcore.experiments.finished import Curve, Run, Sweep, score_title
from augcore.experiments.tables import Gain, Interval

__all__ = ["everything", "joined", "lede", "listed", "percent", "results", "score_title", "spread"]


def percent(value: float, digits: int = 1) -> str:
    """A fraction in percent, or a difference of fractions in percentage points, with a true minus sign."""
    if math.isnan(value):
        return "undefined"
    return f"{round(100 * value, digits) + 0.0:.{digits}f}%".replace("-", "\N{MINUS SIGN}")


def listed(words: Iterable[str]) -> str:
    """a, b and c; at least one."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _points(count: int) -> str:
    return f"{count:,} point{'s' * (count != 1)}"


def _leader(run: Run, augmentation: str, score: str) -> Curve | None:
    """The policy that the words are about: the paper's, else the first that is no baseline."""
    lines = run.curves.get((augmentation, score), ())
    others = [curve for curve in lines if curve.policy != "baseline"]
    return run.curve(augmentation, score, "random_proportional") or next(iter(others), None)


def lede(run: Run, name: str) -> list[str]:
    """The result in a sentence or two: what a quarter of the points gives, by the first score and drawn uniformly."""
    sentences = _quarter(run, run.scores[0]) if run.scores else [_reach(run)]
    gainless = [a for a in run.augmentations if run.references[a].all <= run.references[a].none]
    if gainless:
        sentences.append(f"Augmenting everything does not raise the test accuracy with {listed(gainless)}")
    if run.sweep is not None:
        sentences += _best_clusters(run.sweep)
    return [joined(name, f"{text}.") for text in sentences if text]


def _quarter(run: Run, score: str) -> list[str]:
    found: dict[tuple[int, str, str], list[tuple[str, list[float]]]] = {}
    for augmentation, references in run.references.items():
        leader = _leader(run, augmentation, score)
        if leader is None or references.all <= references.none:
            continue
        baseline = tables.baseline_of(run, augmentation, score, leader)
        size = tables.milestones(run, augmentation, score, [0.25])
        curves = [leader] if baseline is None else [leader, baseline]
        shares = [gain.share for curve in curves for gain in tables.gains(run, augmentation, curve, None, size)]
        if len(shares) == len(curves):
            key = (size[0], _way(leader, score), "" if baseline is None else _drawn(baseline))
            found.setdefault(key, []).append((augmentation, shares))
    sentences = []
    for (count, way, drawn), entries in found.items():
        reached = listed(f"{percent(shares[0], 0)} ({augmentation})" for augmentation, shares in entries)
        text = f"Augmenting {count:,} of {_points(len(run.labels()))} chosen by {way} reaches {reached} "
        text += "of what augmenting all of them gains"
        if drawn:
            text += f"; as many drawn {drawn} reach {listed(percent(shares[1], 0) for _, shares in entries)}"
        sentences.append(text)
    return sentences


def _way(curve: Curve, score: str) -> str:
    """How a curve chooses its points: not by a score where it knows none."""
    return f"{score_title(score)} ({curve.title})" if curve.uses_scores else curve.title


def _drawn(baseline: Curve) -> str:
    if baseline.clusters <= 1:
        return "uniformly"
    return f"uniformly from {baseline.clusters:,} clusters in turn"


def _reach(run: Run) -> str:
    """Where no curve was measured, what there is to gain."""
    gaining = [(name, r) for name, r in run.references.items() if r.all > r.none]
    moved = listed(f"{_moved(r.none, r.all)} ({name})" for name, r in gaining) if gaining else ""
    return f"Augmenting all {_points(len(run.labels()))} raises test accuracy {moved}" if moved else ""


def _best_clusters(sweep: Sweep) -> list[str]:
    values = sweep.silhouette_train
    if np.isnan(values).all():
        return []
    best = int(np.nanargmax(values))
    silhouette = f"{values[best]:.2f}".replace("-", "\N{MINUS SIGN}")
    return [
        f"Of {len(values):,} numbers of clusters, {sweep.clusters[best]:,} has the highest "
        f"silhouette on the training set ({silhouette})"
    ]


def everything(run: Run, augmentation: str) -> str:
    """What augmenting all points does."""
    references = run.references[augmentation]
    moved = _moved(references.none, references.all)
    n = _points(len(run.labels()))
    if references.all <= references.none:
        return f"Augmenting all {n} does not help: test accuracy goes {moved}, so shares of a gain have no meaning."
    return f"Augmenting all {n} raises test accuracy {moved}."


def _moved(before: float, after: float) -> str:
    places = tables.digits(before, after)
    return f"from {percent(before, places)} to {percent(after, places)}"


def results(run: Run, augmentation: str, score: str) -> list[str]:
    """What came out for one augmentation and score, sentence by sentence; nothing where there is no gain to share."""
    references = run.references[augmentation]
    if references.all <= references.none:
        return []
    sentences = []
    leader = _leader(run, augmentation, score)
    sizes = tables.milestones(run, augmentation, score)
    baseline = None if leader is None else tables.baseline_of(run, augmentation, score, leader)
    gains = [] if leader is None else tables.gains(run, augmentation, leader, baseline, sizes)
    if leader is not None and gains:
        where = listed(f"{gain.size:,}" for gain in gains)
        text = f"{leader.title} reaches {_shares(gains)} of that gain with {where} point{'s' * (gains[-1].size != 1)}"
        if baseline is not None and (others := tables.gains(run, augmentation, baseline, None, sizes)):
            text += f", the baseline {_shares(others)}"
        sentences.append(f"{_capital(text)}.")
        sentences += _verdicts(gains)
    return sentences + _extremes(run, augmentation, score, sizes)


def _shares(gains: Sequence[Gain]) -> str:
    return listed(percent(gain.share, 0) for gain in gains)


def _verdicts(gains: Sequence[Gain]) -> list[str]:
    told = {
        "ahead": "it is ahead of the baseline at {}",
        "level": "it cannot be told from the baseline at {}",
        "behind": "it is behind the baseline at {}",
    }
    clauses = [
        text.format(listed(f"{gain.size:,}" for gain in gains if gain.verdict == verdict))
        for verdict, text in told.items()
        if any(gain.verdict == verdict for gain in gains)
    ]
    if not clauses:
        return []
    clauses[0] += " points"
    return [f"{_capital('; '.join(clauses))} (95% interval of the difference)."]


def _capital(text: str) -> str:
    """A sentence, unless its first word is a name such as k-DPP."""
    return text if text.startswith("k-") else text[0].upper() + text[1:]


def _extremes(run: Run, augmentation: str, score: str, sizes: Sequence[int]) -> list[str]:
    size = min(sizes, key=lambda size: abs(size - 0.25 * len(run.labels())))
    found = [(curve.at(size), curve.title) for curve in run.curves[augmentation, score]]
    means = [(float(values.mean()), title) for values, title in found if values is not None]
    if len(means) < 3:
        return []
    (low, worst), (high, best) = min(means), max(means)
    if low == high:
        return []
    places = tables.digits(low, high)
    at = f"At {_points(size)} the highest mean is that of {best} ({percent(high, places)}), "
    return [f"{at}the lowest that of {worst} ({percent(low, places)})."]


def spread(interval: Interval, *, signed: bool = False) -> str:
    """mean ± half the interval, in percent or percentage points."""
    mean = f"{round(100 * interval.mean, 2) + 0.0:{'+' if signed else ''}.2f}".replace("-", "\N{MINUS SIGN}")
    return mean if math.isnan(interval.low) else f"{mean} ± {50 * (interval.high - interval.low):.2f}"


def joined(name: str, text: str) -> str:
    """The name of a run before a text, where there is one to write."""
    return f"{name}: {text}" if name else text
