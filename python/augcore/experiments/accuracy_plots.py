"""Accuracy against the number of augmented points, drawn: means over rounds, 95% bands, the two horizontal lines.

    curves              one augmentation, one score, one kind of policy
    overview            all augmentations beside each other, a row for each kind of policy
    facets              a panel for each configuration, with all others in grey behind it
    comparison          the scores of a run, or of several runs, against each other
    cluster_counts      accuracy against the number of clusters, at some numbers of points

A kind of policy (`kinds`) is "random", "deterministic", or "clusters-POLICY" for a policy that draws from clusters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from augcore.experiments import style, tables
from augcore.experiments.finished import Curve, Run, score_title
from augcore.experiments.style import Axes, Figure
from augcore.experiments.tables import mean_interval

__all__ = [
    "Limits",
    "cluster_counts",
    "compared_kinds",
    "comparison",
    "curves",
    "facets",
    "has_cluster_counts",
    "kind_title",
    "kinds",
    "limits",
    "overview",
    "shared_limits",
    "shown",
]

Limits = tuple[float, float]

_COMPARED = ("random_proportional", "deterministic_proportional")
_CLUSTERS = "clusters-"


# ---- which curves ----------------------------------------------------------------------------------------------------


def kinds(run: Run, augmentation: str, score: str) -> list[str]:
    """The kinds of policies among the curves; the baseline alone is of the random kind."""
    curves = run.curves.get((augmentation, score), ())
    found = dict.fromkeys(_kind(curve) for curve in curves if not _is_baseline(curve))
    plain = [kind for kind in ("random", "deterministic") if kind in found]
    clustered = [kind for kind in found if _is_clustered(kind)]
    return [*plain, *clustered] or (["random"] if curves else [])


def kind_title(kind: str) -> str:
    """What the policies of a kind are called."""
    if not _is_clustered(kind):
        return f"{kind} policies"
    return f"{kind.removeprefix(_CLUSTERS).replace('_', ' ')} in clusters"


def _is_clustered(kind: str) -> bool:
    return kind.startswith(_CLUSTERS)


def shown(run: Run, augmentation: str, score: str, kind: str) -> list[Curve]:
    """The curves of one kind, with the baseline, itself random, to compare; none where the run has none of the kind."""
    if kind not in kinds(run, augmentation, score):
        return []
    return [curve for curve in run.curves[augmentation, score] if _is_baseline(curve) or _kind(curve) == kind]


def _is_baseline(curve: Curve) -> bool:
    return curve.name == "baseline"


def _kind(curve: Curve) -> str:
    if curve.clusters:
        return _CLUSTERS + curve.policy
    return "random" if curve.is_random else "deterministic"


def _label(curve: Curve) -> str:
    """Among curves of one kind: clusters need not name their policy again."""
    if not curve.clusters:
        return curve.label
    return f"{curve.clusters:,} cluster{'s' * (curve.clusters != 1)}" + ", downweight" * curve.downweight


def _looks(run: Run, score: str, lines: Sequence[Curve]) -> list[style.Look]:
    """The same for a number of clusters in all panels, whichever numbers a panel has."""
    counts = _all_counts(run, score)
    return [
        style.step(counts.index(curve.clusters), len(counts), dashed=curve.downweight)
        if curve.clusters
        else style.look(curve.policy, curve.update, curve.downweight)
        for curve in lines
    ]


def _all_counts(run: Run, score: str) -> list[int]:
    """The numbers of clusters of all curves by a score."""
    lines = (curve for (_, by), curves in run.curves.items() if by == score for curve in curves)
    return sorted({curve.clusters for curve in lines if curve.clusters})


# ---- ranges ----------------------------------------------------------------------------------------------------------


def limits(run: Run, augmentation: str, score: str) -> Limits:
    """The range of accuracies that a panel shows: means and references whole, bands up to a quarter of it beyond.

    Bands of two or three rounds can be wider than everything else, and go beyond 100 %; they may leave the panel.
    """
    return _range(run.curves[augmentation, score], _reference_values(run, augmentation))


def shared_limits(runs: Iterable[Run], augmentation: str, scores: Iterable[str]) -> Limits:
    """One range for several panels, so that pictures side by side can be compared."""
    keys = [(augmentation, score) for score in scores]
    bounds = [limits(run, *key) for run in runs for key in keys if key in run.curves]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _range(lines: Iterable[Curve], references: Sequence[float]) -> Limits:
    intervals = [mean_interval(column) for curve in lines for column in curve.accuracy.T]
    means = [*(interval.mean for interval in intervals), *references]
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


# ---- figures of a run ------------------------------------------------------------------------------------------------


def curves(run: Run, augmentation: str, score: str, kind: str, *, ylim: Limits | None = None) -> Figure:
    """Accuracy of every configuration of one kind, with bands and reference lines."""
    all_kinds = kinds(run, augmentation, score)
    width = style.COLUMN
    rows = max(_legend_rows(_labels(run, augmentation, score, other), width) for other in all_kinds)  # so axes align
    small_print = _band_note(shown(run, augmentation, score, kind))
    frame = style.Frame(width, 2.1, left=0.62, right=0.12, top=0.46, bottom=_foot(rows, small_print, width))
    figure = style.figure(frame.width, frame.height)
    axes = frame.axes(figure)
    _panel(axes, run, augmentation, score, kind, frame.inner_width, ylim or limits(run, augmentation, score))
    axes.set_title(f"{augmentation}, by {score_title(score)}\n{kind_title(kind)}", fontsize=8.5)
    axes.set_xlabel("augmented training points")
    axes.set_ylabel("test accuracy")
    style.legend(figure, frame)
    style.note(figure, small_print)
    return figure


def overview(run: Run, score: str) -> Figure:
    """All augmentations of a run, a column each; a row for each kind of policy."""
    names = [name for name in run.augmentations if (name, score) in run.curves]
    rows = list(dict.fromkeys(kind for name in names for kind in kinds(run, name, score)))
    found = dict.fromkeys(label for name in names for kind in rows for label in _labels(run, name, score, kind))
    counted = [f"{count:,} cluster{'s' * (count != 1)}" for count in _all_counts(run, score)]
    labels = sorted(found, key=lambda label: counted.index(label) if label in counted else len(counted))
    small_print = _band_note([curve for name in names for curve in run.curves[name, score]]) + _HORIZONTAL
    high_titles = any(map(_is_clustered, rows))
    frame = _columns(len(names), small_print, rows=len(rows), labels=labels, high_titles=high_titles)
    figure = style.figure(frame.width, frame.height)
    for row, kind in enumerate(rows):
        for column, name in enumerate(names):
            axes = frame.axes(figure, row, column)
            _panel(axes, run, name, score, kind, frame.inner_width, limits(run, name, score))
            separator = "\n" if _is_clustered(kind) else ", "
            axes.set_title(f"{name}{separator}{kind_title(kind).removesuffix(' policies')}", fontsize=8.5)
            if row == len(rows) - 1:
                axes.set_xlabel("augmented points")
            if column == 0:
                axes.set_ylabel(f"accuracy, by {score_title(score)}")
    style.legend(figure, frame, labels)
    style.note(figure, small_print)
    return figure


def facets(run: Run, augmentation: str, score: str) -> Figure:
    """A panel for each configuration, all others in pale grey behind it."""
    lines = run.curves[augmentation, score]
    columns = min(len(lines), 4)
    rows = -(-len(lines) // columns)
    small_print = _band_note(lines) + _HORIZONTAL
    width = max(1.68 * columns + 0.6, 3.6)
    foot = style.note_height(small_print, width)
    frame = style.Frame(
        width,
        1.15 * rows,
        left=0.58,
        right=0.1,
        top=0.62,
        bottom=foot + 0.46,
        rows=rows,
        columns=columns,
        gap=(0.12, 0.42),
    )
    figure = style.figure(frame.width, frame.height)
    ylim = limits(run, augmentation, score)
    for index, (curve, look) in enumerate(zip(lines, _looks(run, score, lines), strict=True)):
        row, column = divmod(index, columns)
        axes = frame.axes(figure, row, column)
        for other in lines:
            if other is not curve:
                means = other.accuracy.mean(axis=0)
                axes.plot(other.sizes, means, color="#d3d3d3", linewidth=0.8, marker=_dot(other), zorder=1)
        references = run.references[augmentation]
        for value, dashes in ((references.all, style.ALL), (references.none, style.NONE)):
            axes.axhline(value, color=style.GREY, linewidth=0.9, linestyle=dashes, zorder=1.5)
        _line(axes, curve, look, curve.title)
        _frame_panel(axes, lines, frame.inner_width, ylim)
        axes.set_title("\n".join(curve.title.split(", ")), fontsize=7.5, pad=3)
        below = index + columns < len(lines)
        axes.tick_params(labelbottom=not below, labelleft=column == 0)
    title = f"{augmentation}, by {score_title(score)}: each policy, the others in grey"
    figure.text(0.08 / frame.width, 1 - 0.06 / frame.height, title, fontsize=9.0, va="top")
    label_height = (foot + 0.04) / frame.height
    figure.text(0.5, label_height, "augmented training points", fontsize=8.0, ha="center", va="bottom")
    style.note(figure, small_print)
    return figure


def _dot(curve: Curve) -> str | None:
    """A curve of one size is no line: it needs a mark to be seen."""
    return "." if len(curve.sizes) == 1 else None


def _columns(
    count: int, small_print: str, *, rows: int, labels: Sequence[str], height: float = 1.95, high_titles: bool = False
) -> style.Frame:
    """Panels for `count` augmentations beside each other; high titles have two lines."""
    width = max(2.46 * count + 0.31, style.COLUMN)
    return style.Frame(
        width,
        height * rows,
        left=0.62,
        right=0.14,
        top=0.32 + 0.14 * high_titles,
        bottom=_foot(_legend_rows(labels, width), small_print, width),
        rows=rows,
        columns=count,
        gap=(0.56, 0.5 + 0.14 * high_titles),
    )


def _foot(legend_rows: int, small_print: str, width: float) -> float:
    """What the label of the axis, the legend and the small print take below the panels, in inches."""
    return 0.56 + 0.145 * legend_rows + style.note_height(small_print, width)


def _legend_rows(labels: Sequence[str], width: float) -> int:
    return style.legend_grid(labels, width)[1]


# ---- combined figures ------------------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    label: str
    curve: Curve
    look: style.Look


def compared_kinds(runs: Sequence[Run], augmentation: str) -> list[str]:
    """The policies whose curves `comparison` sets beside each other: those with at least two to tell apart."""
    found = {policy: _entries(runs, [""] * len(runs), augmentation, policy) for policy in _COMPARED}
    return [policy for policy, entries in found.items() if sum(entry.curve.policy == policy for entry in entries) > 1]


def comparison(runs: Sequence[Run], names: Sequence[str], augmentations: Sequence[str]) -> Figure:
    """The scores of one run, or of several, against each other: drawn in proportion to the score, and taken in order.

    Beside them stand the baseline and k-DPPs. A curve that several runs share is drawn once, at the sizes of all.
    The horizontal lines are drawn where all runs have the same.
    """
    wanted = {policy for name in augmentations for policy in compared_kinds(runs, name)}
    policies = [policy for policy in _COMPARED if policy in wanted]
    panels = {
        (row, column): _entries(runs, names, name, policy)
        for row, policy in enumerate(policies)
        for column, name in enumerate(augmentations)
    }
    labels = dict.fromkeys(entry.label for entries in panels.values() for entry in entries)
    small_print = _band_note([entry.curve for entries in panels.values() for entry in entries]) + _HORIZONTAL
    frame = _columns(len(augmentations), small_print, rows=len(policies), labels=list(labels), height=2.1)
    figure = style.figure(frame.width, frame.height)
    for (row, column), entries in panels.items():
        name = augmentations[column]
        axes = frame.axes(figure, row, column)
        owners = [run for run in runs if name in run.references]
        agree = len({(run.references[name].none, run.references[name].all) for run in owners}) == 1
        if agree:
            _references(axes, owners[0], name)
        for label, curve, look in entries:
            _line(axes, curve, look, label)
        drawn = [entry.curve for entry in entries]
        levels = [owners[0].references[name].none, owners[0].references[name].all] if agree else []
        _frame_panel(axes, drawn, frame.inner_width, _range(drawn, levels))
        if agree:
            _name_references(axes, owners[0], name)
        axes.set_title(f"{name}, {policies[row].replace('_', ' ')}", fontsize=8.0)
        if row == len(policies) - 1:
            axes.set_xlabel("augmented points")
        if column == 0:
            axes.set_ylabel("test accuracy")
    style.legend(figure, frame)
    style.note(figure, small_print)
    return figure


def _entries(runs: Sequence[Run], names: Sequence[str], augmentation: str, policy: str) -> list[_Entry]:
    """The curves of a panel of `comparison`, each once: what stands beside the scores first."""
    wanted = ("baseline", "dpp", "dpp_scored", policy) if policy.startswith("random") else ("baseline", policy)
    found: list[tuple[str, str, str, Curve]] = []
    for which in wanted:
        for run, name in zip(runs, names, strict=True):
            curves = {score: run.curve(augmentation, score, which) for score in run.scores}
            if which in ("baseline", "dpp"):  # the same for every score
                curves = {"": next(iter(curves.values()), None)}
            for score, curve in curves.items():
                if curve is not None:
                    _add(found, name, score, _base_label(curve, policy, score), curve)
    bases = [base for _, _, base, _ in found]
    entries = []
    for index, (name, by, base, curve) in enumerate(found):
        repeated = bases.count(base) > 1
        look = _compared_look(curve, policy, by, index if repeated else None)
        entries.append(_Entry(f"{name}: {base}" if repeated and name else base, curve, look))
    return entries


def _add(found: list[tuple[str, str, str, Curve]], name: str, score: str, label: str, curve: Curve) -> None:
    """Appends a curve, or joins it with one that is the same."""
    for index, (owner, other, _, known) in enumerate(found):
        if other == score and (merged := _merged(known, curve)):
            found[index] = (owner, score, label, merged)
            return
    found.append((name, score, label, curve))


def _merged(one: Curve, other: Curve) -> Curve | None:
    """One curve for two that agree wherever both were measured: equal draws, seen at different sizes."""
    shared, left, right = np.intersect1d(one.sizes, other.sizes, return_indices=True)
    if one.name != other.name or not len(shared):
        return None
    if not np.array_equal(one.accuracy[:, left], other.accuracy[:, right]):
        return None
    sizes, first = np.unique(np.concatenate([one.sizes, other.sizes]), return_index=True)
    accuracy = np.concatenate([one.accuracy, other.accuracy], axis=1)[:, first]
    return dataclasses.replace(one, sizes=sizes, accuracy=accuracy)


def _base_label(curve: Curve, policy: str, score: str) -> str:
    if curve.policy == policy:
        return f"by {score_title(score)}"
    return f"{curve.label}, {score_title(score)}" if score else curve.label


def _compared_look(curve: Curve, policy: str, score: str, place: int | None) -> style.Look:
    """Colour tells the score; where several runs have the same, each has a look by its place."""
    if place is not None:
        return style.place_look(place)
    if curve.policy == policy:
        return style.score_look(score)
    look = style.look(curve.policy)
    return look._replace(color=style.score_look(score).color) if score else look


def has_cluster_counts(run: Run, score: str) -> bool:
    """Whether some policy draws from clusters, in more than one number of them."""
    return bool(_clustered(run, score))


def _clustered(run: Run, score: str) -> list[str]:
    """The policies that draw from clusters, in more than one number of them."""
    counts: dict[str, set[int]] = {}
    for (_, by), lines in run.curves.items():
        for curve in lines:
            if by == score and curve.clusters and not curve.downweight:
                counts.setdefault(curve.policy, set()).add(curve.clusters)
    return [policy for policy, found in counts.items() if len(found) > 1]


def cluster_counts(run: Run, score: str) -> Figure:
    """Accuracy against the number of clusters, at the sizes nearest to a tenth, a quarter and half of the points.

    A column for each augmentation, a row for each policy.
    """
    names = [name for name in run.augmentations if (name, score) in run.curves]
    policies = _clustered(run, score)
    sizes = {name: tables.milestones(run, name, score) for name in names}
    all_sizes = sorted({size for chosen in sizes.values() for size in chosen})
    labels = [f"{size:,} augmented points" for size in all_sizes]
    small_print = _band_note([curve for name in names for curve in run.curves[name, score]]) + _HORIZONTAL
    frame = _columns(len(names), small_print, rows=len(policies), labels=labels)
    figure = style.figure(frame.width, frame.height)
    for row, policy in enumerate(policies):
        for column, name in enumerate(names):
            axes = frame.axes(figure, row, column)
            lines = sorted(
                (c for c in run.curves[name, score] if c.policy == policy and c.clusters and not c.downweight),
                key=lambda curve: curve.clusters,
            )
            _references(axes, run, name)
            counts = np.array([curve.clusters for curve in lines])
            for size, label in zip(all_sizes, labels, strict=True):
                if size in sizes[name]:
                    values = np.array([curve.at(size) for curve in lines]).T
                    turned = Curve(policy, 0, False, False, counts, values)
                    _line(axes, turned, style.step(all_sizes.index(size), len(all_sizes)), label)
            style.size_axis(axes, counts.tolist(), width=frame.inner_width)
            axes.set_ylim(*limits(run, name, score))
            style.percent_axis(axes)
            _name_references(axes, run, name)
            axes.set_title(f"{name}, {policy.replace('_', ' ')}", fontsize=8.0)
            if row == len(policies) - 1:
                axes.set_xlabel("number of clusters")
            if column == 0:
                axes.set_ylabel(f"accuracy, by {score_title(score)}")
    style.legend(figure, frame)
    style.note(figure, small_print)
    return figure


# ---- what a panel is made of -----------------------------------------------------------------------------------------


def _labels(run: Run, augmentation: str, score: str, kind: str) -> list[str]:
    """What the legend of a panel names."""
    labels = [_label(curve) for curve in shown(run, augmentation, score, kind)]
    return [*labels, _SUPPORT] if _has_star(run, augmentation, score, kind) else labels


_SUPPORT = "exactly the support vectors"


def _has_star(run: Run, augmentation: str, score: str, kind: str) -> bool:
    """Support vectors are a deterministic choice; they stand among random policies where there are no others."""
    references, all_kinds = run.references[augmentation], kinds(run, augmentation, score)
    chosen = "deterministic" if "deterministic" in all_kinds else next(iter(all_kinds), None)
    last = max((curve.sizes[-1] for curve in shown(run, augmentation, score, kind)), default=0)
    return kind == chosen and not np.isnan(references.vsv) and 0 < references.n_vsv <= last


def _panel(axes: Axes, run: Run, augmentation: str, score: str, kind: str, width: float, ylim: Limits) -> None:
    _references(axes, run, augmentation)
    lines = shown(run, augmentation, score, kind)
    for curve, look in zip(lines, _looks(run, score, lines), strict=True):
        _line(axes, curve, look, _label(curve))
    if _has_star(run, augmentation, score, kind):
        references = run.references[augmentation]
        axes.plot(
            [references.n_vsv],
            [references.vsv],
            linestyle="none",
            marker="*",
            markersize=9,
            color="white",
            markeredgecolor=style.INK,
            label=_SUPPORT,
            zorder=6,
        )
    _frame_panel(axes, lines, width, ylim)
    _name_references(axes, run, augmentation)


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
    """The two horizontal lines."""
    references = run.references[augmentation]
    for value, dashes in ((references.all, style.ALL), (references.none, style.NONE)):
        axes.axhline(value, color=style.GREY, linewidth=1.0, linestyle=dashes, zorder=1.5)


def _name_references(axes: Axes, run: Run, augmentation: str) -> None:
    """The names of the two, outside of them, where curves that rise from one to the other leave room."""
    references = run.references[augmentation]
    rising = references.all >= references.none
    digits = tables.digits(references.none, references.all)
    long = " augmented" if axes.bbox.width > 2.2 * style.DPI else ""  # where panels are narrow, the small print says it
    everything, nothing = (f"{100 * value:.{digits}f}%" for value in (references.all, references.none))
    style.name_line(axes, f"all{long} {everything}", references.all, above=rising, side="left")
    style.name_line(axes, f"none{long} {nothing}", references.none, above=not rising, side="right")


def _frame_panel(axes: Axes, lines: Sequence[Curve], width: float, ylim: Limits) -> None:
    style.size_axis(axes, sorted({int(size) for curve in lines for size in curve.sizes} or {1}), width=width)
    axes.set_ylim(*ylim)
    style.percent_axis(axes)


_HORIZONTAL = " Dashed: all augmented. Dotted: none."


def _band_note(lines: Sequence[Curve]) -> str:
    rounds = sorted({len(curve.accuracy) for curve in lines if len(curve.accuracy) > 1})
    if not rounds:
        return "Horizontal axis: square-root scale.\nOne round each, so no bands."
    count = " or ".join(map(str, rounds))
    return (
        "Horizontal axis: square-root scale.\nLines: mean over rounds. "
        f"Bands: 95% t-intervals of that mean over {count} rounds, none for a single round."
    )
