"""The sections of a report that are tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from augcore.experiments import tables
from augcore.experiments.finished import Curve, References, Run, score_title
from augcore.experiments.markup import Markup, tag
from augcore.experiments.subject import Subject, union
from augcore.experiments.tables import Gain
from augcore.experiments.words import joined, percent, spread

__all__ = ["accuracies", "augmentations", "ranks", "settings", "timings"]


def augmentations(subject: Subject) -> list[str]:
    """Those of all runs, each once."""
    return union(run.augmentations for run in subject.runs)


# ---- pieces ----------------------------------------------------------------------------------------------------------


def _table(caption: str, header: Sequence[str], rows: Iterable[Markup], class_: str | None = None) -> Markup:
    head = tag("thead", tag("tr", (tag("th", cell, scope="col") for cell in header)))
    title = [tag("caption", tag("span", caption))] if caption else []
    return tag("div", tag("table", *title, head, tag("tbody", rows), class_=class_), class_="scroll")


def _row(label: str, cells: Iterable[Markup]) -> Markup:
    return tag("tr", tag("th", label, scope="row"), cells)


def _policy_rows(curves: Iterable[Curve], cells: Callable[[Curve], Iterable[Markup]]) -> Iterable[Markup]:
    """A row for each configuration, under a heading for those that are random, deterministic, or of clusters."""
    ordered = sorted(curves, key=_family)
    for (place, heading), group in groupby(ordered, key=_family):
        if place:
            yield tag("tr", tag("th", heading, scope="rowgroup", colspan=99), class_="group")
        yield from (_row(curve.label, cells(curve)) for curve in group)


def _family(curve: Curve) -> tuple[int, str]:
    if curve.clusters:
        return 3, "in clusters"
    if curve.policy == "baseline":
        return 0, ""
    return (1, "random") if curve.is_random else (2, "deterministic")


# ---- accuracy --------------------------------------------------------------------------------------------------------


def accuracies(subject: Subject) -> list[Markup]:
    """Shares of the full gain, areas under the curve, accuracies and references."""
    parts = []
    if any(run.curves for run in subject.runs):
        parts += [tag("h3", "Share of the full gain"), tag("p", _GAIN_NOTE, class_="soft")]
        parts += [_gain_table(run, name, *key) for run, name in subject.each() for key in run.curves]
        parts += [tag("h3", "Area under the curve"), tag("p", _AUC_NOTE, class_="soft"), *_auc_tables(subject)]
    parts.append(tag("h3", "Accuracy"))
    for run, name in subject.each():
        parts.append(_reference_table(run, name))
        parts += [_accuracy_table(run, name, augmentation, score) for augmentation, score in run.curves]
    return parts


_GAIN_NOTE = (
    "A share is (accuracy − none) / (all − none) at a number of augmented points: 0% as if nothing, 100% as if "
    "everything were augmented. Beside it the difference to the baseline's accuracy in percentage points with "
    "its 95% interval (Welch): ▲ ahead, ▼ behind, · not to be told apart; a policy in clusters is compared with the "
    "baseline in as many. The intervals hold the randomness of the draws, not that of the data; a deterministic policy "
    "has one round, which counts as exact."
)
_AUC_NOTE = (
    "Mean height of the curve of accuracy against the number of points, by trapezoids: percent, mean ± half of "
    "the 95% t-interval over rounds. One round has no interval."
)


def _gain_table(run: Run, name: str, augmentation: str, score: str) -> Markup:
    sizes = tables.milestones(run, augmentation, score)
    n = len(run.labels())

    def cells(curve: Curve) -> Iterable[Markup]:
        baseline = tables.baseline_of(run, augmentation, score, curve)
        gains = {gain.size: gain for gain in tables.gains(run, augmentation, curve, baseline, sizes)}
        return (cell for size in sizes for cell in _gain_cells(gains.get(size)))

    header = ["policy", *(cell for size in sizes for cell in (f"{size:,} ({percent(size / n, 0)})", "difference"))]
    rows = _policy_rows(run.curves[augmentation, score], cells)
    caption = f"{augmentation}, by {score_title(score)}: share of the full gain, difference in percentage points"
    return _table(joined(name, caption), header, rows)


def _gain_cells(gain: Gain | None) -> list[Markup]:
    if gain is None:
        return [tag("td", "–"), tag("td", "")]
    share = tag("td", percent(gain.share, 0))
    if gain.difference is None:
        return [share, tag("td", "")]
    mark = {"ahead": " ▲", "behind": " ▼", "level": " ·", "": ""}[gain.verdict]
    return [share, tag("td", spread(gain.difference, signed=True), mark, class_=gain.verdict or "level")]


def _auc_tables(subject: Subject) -> list[Markup]:
    if subject.is_one:
        run = subject.runs[0]
        return [
            _auc_table(name, [(score_title(s), run, a, s) for a, s in run.curves if a == name])
            for name in dict.fromkeys(augmentation for augmentation, _ in run.curves)
        ]
    return [
        _auc_table(
            f"{key[0]}, {score_title(key[1])}",
            _ranged([(name, run, *key) for run, name in subject.each() if key in run.curves]),
        )
        for key in dict.fromkeys(key for run in subject.runs for key in run.curves)
    ]


def _ranged(columns: list[tuple[str, Run, str, str]]) -> list[tuple[str, Run, str, str]]:
    """Areas over different sizes do not compare: the columns then say over which."""
    ranges = [
        f"{min(curve.sizes[0] for curve in run.curves[augmentation, score]):,} to "
        f"{max(curve.sizes[-1] for curve in run.curves[augmentation, score]):,}"
        for _, run, augmentation, score in columns
    ]
    if len(set(ranges)) < 2:
        return columns
    return [(f"{column[0]}, {reach} points", *column[1:]) for column, reach in zip(columns, ranges, strict=True)]


def _auc_table(caption: str, columns: Sequence[tuple[str, Run, str, str]]) -> Markup:
    curves = [curve for _, run, augmentation, score in columns for curve in run.curves[augmentation, score]]
    distinct = {curve.name: curve for curve in curves}

    def cells(curve: Curve) -> Iterable[Markup]:
        found = (run.curve(augmentation, score, curve.name) for _, run, augmentation, score in columns)
        return (tag("td", _auc_text(other)) for other in found)

    header = ["policy", *(column[0] for column in columns)]
    return _table(f"{caption}: area under the curve in percent", header, _policy_rows(distinct.values(), cells))


def _auc_text(curve: Curve | None) -> str:
    return "–" if curve is None or len(curve.sizes) < 2 else spread(tables.mean_interval(tables.auc(curve)))


def _reference_table(run: Run, name: str) -> Markup:
    def cells(r: References) -> Iterable[Markup]:
        yield from (tag("td", percent(value, 2)) for value in (r.plain, r.none, r.all, r.all_downweighted))
        yield tag("td", "–" if math.isnan(r.vsv) else f"{percent(r.vsv, 2)} ({r.n_vsv:,})")

    header = ["augmentation", "none, plain test set", "none", "all", "all, downweighted", "support vectors (points)"]
    rows = [_row(augmentation, cells(references)) for augmentation, references in run.references.items()]
    return _table(joined(name, "References: what is augmented in training"), header, rows)


def _accuracy_table(run: Run, name: str, augmentation: str, score: str) -> Markup:
    curves = run.curves[augmentation, score]
    sizes = sorted({int(size) for curve in curves for size in curve.sizes})

    def cells(curve: Curve) -> Iterable[Markup]:
        found = (curve.at(size) for size in sizes)
        return (tag("td", "–" if values is None else spread(tables.mean_interval(values))) for values in found)

    caption = f"{augmentation}, by {score_title(score)}: test accuracy in percent at the number of augmented points"
    return _table(joined(name, caption), ["policy", *(f"{size:,}" for size in sizes)], _policy_rows(curves, cells))


# ---- scores ----------------------------------------------------------------------------------------------------------


def ranks(subject: Subject) -> list[Markup]:
    """Spearman's correlation between all pairs of scores, with nothing augmented; of all runs on the same points."""
    parts = []
    for names, found in _alike(subject):
        kept: list[tuple[str, tables.Ranks]] = []
        for augmentation, table in found:
            if len(table.labels) > 1 and not any(table.is_equal(other) for _, other in kept):
                kept.append((augmentation, table))
        for augmentation, table in kept:
            rows = [
                _row(label, (tag("td", _rank(value)) for value in values))
                for label, values in zip(table.labels, table.values, strict=True)
            ]
            caption = "Spearman correlation of |score|" + (f", {augmentation}" if len(kept) > 1 else "")
            parts.append(_table(joined(names, caption), ["", *table.labels], rows))
    note = "How alike the orders are in which scores put the training points: 1 the same, 0 unrelated, −1 opposite."
    return [tag("p", note, class_="soft"), *parts] if parts else []


def _alike(subject: Subject) -> Iterable[tuple[str, list[tuple[str, tables.Ranks]]]]:
    """Runs on the same training points, together: their names, and the correlations of each augmentation."""
    groups: dict[tuple[Any, int], list[tuple[Run, str]]] = {}
    for run, name in subject.each():
        groups.setdefault((str(run.facts.get("data")), len(run.labels())), []).append((run, name))
    for members in groups.values():
        names = ", ".join(name for _, name in members)
        found = union(run.augmentations for run, _ in members)
        yield names, [(augmentation, tables.ranks(members, augmentation)) for augmentation in found]


def _rank(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


# ---- settings, seconds -----------------------------------------------------------------------------------------------


def settings(subject: Subject) -> Markup:
    """Every setting, and what was chosen by cross-validation; what differs between runs is marked."""
    flat = [dict([*_flat(run.settings), *_chosen(run)]) for run in subject.runs]
    rows = []
    for key in union(flat):
        values = [settings.get(key, "–") for settings in flat]
        differs = "text differs" if len(set(values)) > 1 else "text"
        rows.append(_row(key, (tag("td", value, class_=differs) for value in values)))
    return _table("", ["setting", *(["value"] if subject.is_one else subject.names)], rows, "settings")


def _chosen(run: Run) -> Iterable[tuple[str, str]]:
    for key in ("C", "svm_C"):
        values = np.unique([getattr(references, key) for references in run.references.values()])
        yield f"{key}, as used", ", ".join("none" if math.isnan(value) else f"{value:g}" for value in values)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield prefix + key, ", ".join(map(_plain, value)) or "none"
        else:
            yield prefix + key, _plain(value)


def _plain(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def timings(subject: Subject) -> list[Markup]:
    """Seconds by kind of work."""
    parts = []
    for run, name in subject.each():
        groups: dict[str, list[float]] = {}
        for unit, seconds in run.timings:
            groups.setdefault(unit.split("/")[0], []).append(seconds)
        rows = [_timing_row(group, seconds) for group, seconds in groups.items()]
        if rows:
            rows.append(_timing_row("all", [seconds for _, seconds in run.timings]))
            caption = joined(name, "Seconds by kind of work, summed over processes")
            parts.append(_table(caption, ["work", "units", "seconds"], rows))
    return parts


def _timing_row(label: str, seconds: Sequence[float]) -> Markup:
    return _row(label, [tag("td", f"{len(seconds):,}"), tag("td", f"{math.fsum(seconds):,.1f}")])
