"""What came out of a run, in words and numbers as text: computed, and plain about a policy that loses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from augcore.experiments import tables
from augcore.experiments.finished import Curve, Run
from augcore.experiments.tables import Gain, Interval

__all__ = ["everything", "joined", "lede", "listed", "percent", "results", "spread"]


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
    score = run.scores[0]
    found: dict[tuple[int, str, bool], list[tuple[str, list[float]]]] = {}
    gainless = []
    for augmentation in run.augmentations:
        leader, baseline = _leader(run, augmentation, score), run.curve(augmentation, score, "baseline")
        if run.references[augmentation].all <= run.references[augmentation].none:
            gainless.append(augmentation)
        elif leader is not None:
            size = tables.milestones(run, augmentation, score, [0.25])
            curves = [leader] if baseline is None else [leader, baseline]
            shares = [gain.share for curve in curves for gain in tables.gains(run, augmentation, curve, None, size)]
            if len(shares) == len(curves):
                key = (size[0], leader.title, baseline is not None)
                found.setdefault(key, []).append((augmentation, shares))
    sentences = []
    for (count, title, compared), entries in found.items():
        reached = listed(f"{percent(shares[0], 0)} ({augmentation})" for augmentation, shares in entries)
        text = (
            f"Augmenting {count:,} of {_points(len(run.labels()))} chosen by {score} ({title}) reaches {reached} "
            "of what augmenting all of them gains"
        )
        if compared:
            text += f"; as many drawn uniformly reach {listed(percent(shares[1], 0) for _, shares in entries)}"
        sentences.append(text)
    if gainless:
        sentences.append(f"Augmenting everything does not raise the test accuracy with {listed(gainless)}")
    return [joined(name, f"{text}.") for text in sentences]


def everything(run: Run, augmentation: str) -> str:
    """What augmenting all points does."""
    references = run.references[augmentation]
    moved = f"from {percent(references.none)} to {percent(references.all)}"
    n = _points(len(run.labels()))
    if references.all <= references.none:
        return f"Augmenting all {n} does not help: test accuracy goes {moved}, so shares of a gain have no meaning."
    return f"Augmenting all {n} raises test accuracy {moved}."


def results(run: Run, augmentation: str, score: str) -> list[str]:
    """What came out for one augmentation and score, sentence by sentence; nothing where there is no gain to share."""
    references = run.references[augmentation]
    if references.all <= references.none:
        return []
    sentences = []
    leader, baseline = _leader(run, augmentation, score), run.curve(augmentation, score, "baseline")
    sizes = tables.milestones(run, augmentation, score)
    gains = [] if leader is None else tables.gains(run, augmentation, leader, baseline, sizes)
    if leader is not None and gains:
        where = listed(f"{gain.size:,}" for gain in gains)
        text = f"{leader.title} reaches {_shares(gains)} of that gain with {where} points"
        if baseline is not None and (others := tables.gains(run, augmentation, baseline, None, sizes)):
            text += f", the baseline {_shares(others)}"
        sentences.append(f"{text[0].upper()}{text[1:]}.")
        sentences += _verdicts(gains)
    return sentences + _extremes(run, augmentation, score, sizes)


def _shares(gains: Sequence[Gain]) -> str:
    return listed(percent(gain.share, 0) for gain in gains)


def _verdicts(gains: Sequence[Gain]) -> list[str]:
    told = {
        "ahead": "It is ahead of the baseline at {} points",
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
    text = "; ".join(clauses)
    return [f"{text[0].upper()}{text[1:]} (95% interval of the difference)."]


def _extremes(run: Run, augmentation: str, score: str, sizes: Sequence[int]) -> list[str]:
    size = min(sizes, key=lambda size: abs(size - 0.25 * len(run.labels())))
    found = [(curve.at(size), curve.title) for curve in run.curves[augmentation, score]]
    means = [(float(values.mean()), title) for values, title in found if values is not None]
    if len(means) < 3:
        return []
    (low, worst), (high, best) = min(means), max(means)
    at = f"At {_points(size)} the highest mean is that of {best} ({percent(high)}), "
    return [f"{at}the lowest that of {worst} ({percent(low)})."]


def spread(interval: Interval, *, signed: bool = False) -> str:
    """mean ± half the interval, in percent or percentage points."""
    mean = f"{round(100 * interval.mean, 2) + 0.0:{'+' if signed else ''}.2f}".replace("-", "\N{MINUS SIGN}")
    return mean if math.isnan(interval.low) else f"{mean} ± {50 * (interval.high - interval.low):.2f}"


def joined(name: str, text: str) -> str:
    """The name of a run before a text, where there is one to write."""
    return f"{name}: {text}" if name else text
