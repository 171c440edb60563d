"""One page about one run, or about several beside each other: self-contained HTML, computed from the run folders.

It opens with what came out, in words; then settings, curves, tables, images, scores and seconds. Nothing in the words
is fixed in advance: where a policy loses against uniform drawing, they say so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from augcore import _files
from augcore.experiments import plots, style, tables
from augcore.experiments.finished import Curve, Run, read
from augcore.experiments.markup import Markup, data_uri, page, png_size, tag
from augcore.experiments.tables import Gain
from augcore.experiments.words import everything, joined, lede, listed, percent, results, spread

__all__ = ["write"]

Part = tuple[str, str, list[Markup]]

_PIXELS_PER_INCH = 112


def write(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Writes the report of finished runs.

    Parameters
    ----------
    folders : sequence of Path
        One folder, or several to compare. They are only read, unless the report is written into one.
    out : Path, optional
        The file to write. By default report.html in the folder; for several, comparison.html in the first of them.

    Returns
    -------
    Path
        The file: one page without references to anything outside it, whole or not at all, the same bytes each time.

    Raises
    ------
    ValueError
        No folders.
    FileFormatError
        A folder is no finished run, or one of its files is damaged; the message names it.
    ImportError
        matplotlib is missing; the message names the extra to install.
    """
    if not folders:
        raise ValueError("folders: expected at least one run folder, got none")
    runs = [read(folder) for folder in folders]
    target = out or runs[0].folder / ("report.html" if len(runs) == 1 else "comparison.html")
    with style.settings():
        text = _document(runs)
    with _files.atomic_write(target) as file:
        file.write(text.encode())
    return Path(target)


def _document(runs: Sequence[Run]) -> str:
    names = _names(runs)
    parts: list[Part] = [
        ("results", "Results", _results(runs, names)),
        ("settings", "Settings", [_settings(runs, names)]),
        ("curves", "Curves", _curves(runs, names)),
        ("tables", "Tables", _tables(runs, names)),
        ("galleries", "Images of highest and lowest score", _galleries(runs, names)),
        ("augmentations", "Augmentations", _examples(runs, names)),
        ("scores", "Scores before and after", _point_scores(runs, names)),
        ("timings", "Seconds", _timings(runs, names)),
    ]
    parts = [part for part in parts if part[2]]
    title = "augcore: " + ", ".join(names)
    return page(
        title,
        tag(
            "header",
            tag("h1", title),
            *(tag("p", sentence, class_="lede") for run, name in _each(runs, names) for sentence in lede(run, name)),
            tag("nav", (tag("a", heading, href=f"#{anchor}") for anchor, heading, _ in parts)),
        ),
        *(tag("section", tag("h2", heading), *content, id=anchor) for anchor, heading, content in parts),
        tag("footer", tag("p", _versions(runs), class_="soft")),
    )


def _names(runs: Sequence[Run]) -> list[str]:
    """The names of the folders, with a number where two are the same."""
    names = [run.folder.resolve().name for run in runs]
    return [f"{name} ({index + 1})" if names.count(name) > 1 else name for index, name in enumerate(names)]


def _each(runs: Sequence[Run], names: Sequence[str]) -> Iterable[tuple[Run, str]]:
    """Runs with the name to write beside them: none where there is one run."""
    return zip(runs, names if len(runs) > 1 else [""], strict=True)


def _versions(runs: Sequence[Run]) -> str:
    facts = ("version", "simd", "data")
    lines = [", ".join(f"{key} {run.facts[key]}" for key in facts if key in run.facts) for run in runs]
    return "Made from the files of the run by augcore. " + " · ".join(dict.fromkeys(line for line in lines if line))


# ---- results and tables ----------------------------------------------------------------------------------------------


def _results(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    parts = []
    for augmentation in _union(run.augmentations for run in runs):
        told = [tag("h3", augmentation)]
        for run, name in _each(runs, names):
            if augmentation in run.augmentations:
                scores = [score for score in run.scores if (augmentation, score) in run.curves]
                told += [tag("h4", name)] if name else []
                told.append(tag("p", everything(run, augmentation)))
                sentences = [(score, " ".join(results(run, augmentation, score))) for score in scores]
                told += [tag("p", tag("strong", f"By {score}. "), text) for score, text in sentences if text]
        parts.append(tag("div", told))
    return [tag("div", parts, class_="columns narrow")]


def _union(groups: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))


def _table(caption: str, header: Sequence[str], rows: Iterable[Markup], class_: str | None = None) -> Markup:
    head = tag("thead", tag("tr", (tag("th", cell, scope="col") for cell in header)))
    return tag("div", tag("table", tag("caption", caption), head, tag("tbody", rows), class_=class_), class_="scroll")


def _policy_rows(curves: Iterable[Curve], cells: Callable[[Curve], Iterable[Markup]]) -> Iterable[Markup]:
    """A row for each configuration, the random and the deterministic ones under a heading."""
    ordered = sorted(curves, key=_family)
    for family, group in groupby(ordered, key=_family):
        if family:
            heading = "random" if family == 1 else "deterministic"
            yield tag("tr", tag("th", heading, scope="rowgroup", colspan=99), class_="group")
        yield from (_row(curve.label, cells(curve)) for curve in group)


def _family(curve: Curve) -> int:
    return 0 if curve.policy == "baseline" else 1 if curve.is_random else 2


def _grid(parts: Iterable[Markup]) -> Markup:
    """As many columns as there is room for."""
    return tag("div", parts, class_="columns")


def _row(label: str, cells: Iterable[Markup]) -> Markup:
    return tag("tr", tag("th", label, scope="row"), cells)


def _gain_table(run: Run, name: str, augmentation: str, score: str) -> Markup:
    sizes = tables.milestones(run, augmentation, score)
    baseline = run.curve(augmentation, score, "baseline")
    n = len(run.labels())

    def cells(curve: Curve) -> Iterable[Markup]:
        gains = {gain.size: gain for gain in tables.gains(run, augmentation, curve, baseline, sizes)}
        return (cell for size in sizes for cell in _gain_cells(gains.get(size)))

    header = ["policy", *(cell for size in sizes for cell in (f"{size:,} ({percent(size / n, 0)})", "difference"))]
    rows = _policy_rows(run.curves[augmentation, score], cells)
    return _table(joined(name, f"{augmentation}, by {score}"), header, rows)


def _gain_cells(gain: Gain | None) -> list[Markup]:
    if gain is None:
        return [tag("td", "–"), tag("td", "")]
    share = tag("td", percent(gain.share, 0))
    if gain.difference is None:
        return [share, tag("td", "")]
    mark = {"ahead": " ▲", "behind": " ▼", "level": " ·", "": ""}[gain.verdict]
    return [share, tag("td", spread(gain.difference, signed=True), mark, class_=gain.verdict or "level")]


def _tables(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    parts = [
        tag("h3", "Share of the full gain"),
        tag(
            "p",
            "A share is (accuracy − none) / (all − none) at a number of augmented points: 0% as if nothing, 100% as if "
            "everything were augmented. Beside it the difference to the baseline's accuracy in percentage points with "
            "its 95% interval (Welch): ▲ ahead, ▼ behind, · not to be told apart. The intervals hold the randomness of "
            "the draws, not that of the data; a deterministic policy has one round, which counts as exact.",
            class_="soft",
        ),
        *(_gain_table(run, name, *key) for run, name in _each(runs, names) for key in run.curves),
        tag("h3", "Area under the curve"),
        tag(
            "p",
            "Mean height of the curve of accuracy against the number of points, by trapezoids: percent, mean ± half of "
            "the 95% t-interval over rounds. One round has no interval.",
            class_="soft",
        ),
    ]
    if len(runs) == 1:
        parts.append(_auc_table("", [(f"{a}, {s}", runs[0], a, s) for a, s in runs[0].curves]))
    else:
        for augmentation, score in dict.fromkeys(key for run in runs for key in run.curves):
            columns = [(name, run, augmentation, score) for run, name in zip(runs, names, strict=True)]
            parts.append(_auc_table(f"{augmentation}, {score}", columns))
    parts.append(tag("h3", "Accuracy"))
    for run, name in _each(runs, names):
        parts.append(_reference_table(run, name))
        parts += [_accuracy_table(run, name, augmentation, score) for augmentation, score in run.curves]
    return parts


def _auc_table(caption: str, columns: Sequence[tuple[str, Run, str, str]]) -> Markup:
    curves = [curve for _, run, augmentation, score in columns for curve in run.curves.get((augmentation, score), ())]
    distinct = {curve.name: curve for curve in curves}

    def cells(curve: Curve) -> Iterable[Markup]:
        found = (run.curve(augmentation, score, curve.name) for _, run, augmentation, score in columns)
        return (tag("td", _auc_text(other)) for other in found)

    return _table(caption, ["policy", *(column[0] for column in columns)], _policy_rows(distinct.values(), cells))


def _auc_text(curve: Curve | None) -> str:
    return "–" if curve is None or len(curve.sizes) < 2 else spread(tables.mean_interval(tables.auc(curve)))


def _reference_table(run: Run, name: str) -> Markup:
    rows = [
        _row(
            augmentation,
            [
                *(tag("td", percent(value, 2)) for value in (r.plain, r.none, r.all)),
                tag("td", "–" if math.isnan(r.vsv) else f"{percent(r.vsv, 2)} ({r.n_vsv:,})"),
            ],
        )
        for augmentation, r in run.references.items()
    ]
    header = ["augmentation", "none, plain test set", "none", "all", "support vectors (points)"]
    return _table(joined(name, "References: what is augmented in training"), header, rows)


def _accuracy_table(run: Run, name: str, augmentation: str, score: str) -> Markup:
    curves = run.curves[augmentation, score]
    sizes = sorted({int(size) for curve in curves for size in curve.sizes})

    def cells(curve: Curve) -> Iterable[Markup]:
        found = (curve.at(size) for size in sizes)
        return (tag("td", "–" if values is None else spread(tables.mean_interval(values))) for values in found)

    caption = joined(name, f"{augmentation}, by {score}: test accuracy at the number of augmented points")
    return _table(caption, ["policy", *(f"{size:,}" for size in sizes)], _policy_rows(curves, cells))


def _settings(runs: Sequence[Run], names: Sequence[str]) -> Markup:
    flat = [dict(_flat(run.settings)) for run in runs]
    rows = []
    for key in _union([list(settings) for settings in flat]):
        values = [settings.get(key, "–") for settings in flat]
        differs = "text differs" if len(set(values)) > 1 else "text"
        rows.append(_row(key, (tag("td", value, class_=differs) for value in values)))
    return _table("", ["setting", *(names if len(runs) > 1 else ["value"])], rows, "settings")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield prefix + key, ", ".join(map(_plain, value))
        else:
            yield prefix + key, _plain(value)


def _plain(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _timings(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    parts = []
    for run, name in _each(runs, names):
        groups: dict[str, list[float]] = {}
        for unit, seconds in run.timings:
            groups.setdefault(unit.split("/")[0], []).append(seconds)
        rows = [_timing_row(group, seconds) for group, seconds in groups.items()]
        if rows:
            rows.append(_timing_row("all", [seconds for _, seconds in run.timings]))
            parts.append(_table(joined(name, "Processor by processor, summed"), ["work", "units", "seconds"], rows))
    return parts


def _timing_row(label: str, seconds: Sequence[float]) -> Markup:
    return _row(label, [tag("td", f"{len(seconds):,}"), tag("td", f"{math.fsum(seconds):,.1f}")])


# ---- pictures --------------------------------------------------------------------------------------------------------


def _chart(figure: style.Figure, alt: str, caption: str) -> Markup:
    """A figure at one size of type for all; a wide one keeps it on a small screen, where it can be scrolled."""
    png = style.png(figure)
    width, height = (round(side * _PIXELS_PER_INCH / style.DPI) for side in png_size(png))
    kind = "chart wide" if width > 650 else "chart"
    image = tag("img", src=data_uri(png), alt=alt, width=width, height=height, class_=kind)
    return tag("figure", tag("div", image, class_="scroll"), tag("figcaption", caption))


def _curves(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    parts = [
        tag(
            "p",
            "Test accuracy against the number of augmented training points, on a square-root scale: it spreads the "
            "sizes almost evenly, where a linear scale would press the small ones together and a logarithmic one the "
            "large ones. Lines are means over rounds, bands their 95% t-intervals (mean ± t · s / √rounds). The dashed "
            "line is the accuracy with everything augmented, the dotted one with nothing.",
            class_="soft",
        )
    ]
    if len(runs) == 1:
        parts += _overviews(runs[0])
    for augmentation, score in dict.fromkeys(key for run in runs for key in run.curves):
        parts.append(tag("h3", f"{augmentation}, by {score}"))
        rows = [
            [
                _curve_chart(runs, run, name, augmentation, score, kind)
                for run, name in _each(runs, names)
                if plots.shown(run, augmentation, score, kind)
            ]
            for kind in plots.KINDS
        ]
        # Several runs: a row for each kind of policy, so that equal things stand beside each other.
        parts += [_grid(row) for row in rows] if len(runs) > 1 else [_grid(chart for row in rows for chart in row)]
    return parts


def _overviews(run: Run) -> list[Markup]:
    parts = []
    for score in run.scores:
        caption = f"All augmentations, by {score}. Random policies above, deterministic ones below."
        parts.append(_chart(plots.overview(run, score), caption, caption))
    if len(run.scores) > 1:
        caption = f"{listed(run.scores)} compared: points taken in proportion to the score, and in its order."
        parts.append(_chart(plots.score_comparison(run), caption, caption))
    return parts


def _shared_limits(runs: Sequence[Run], augmentation: str, score: str) -> plots.Limits:
    """One range for all runs, so that pictures side by side can be compared."""
    bounds = [plots.limits(run, augmentation, score) for run in runs if (augmentation, score) in run.curves]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _curve_chart(runs: Sequence[Run], run: Run, name: str, augmentation: str, score: str, kind: str) -> Markup:
    figure = plots.curves(run, augmentation, score, kind, ylim=_shared_limits(runs, augmentation, score))
    ends = ", ".join(
        " to ".join([f"{curve.label} {percent(first)}", percent(last)])
        for curve in plots.shown(run, augmentation, score, kind)
        for first, last in [curve.accuracy.mean(axis=0)[[0, -1]]]
    )
    caption = joined(name, f"{kind} policies, {augmentation}, by {score}.")
    return _chart(figure, f"{caption} From the smallest size to the largest: {ends}.", caption)


def _per_run(runs: Sequence[Run], names: Sequence[str], make: Callable[[Run], list[Markup]]) -> list[Markup]:
    """The parts of each run under its name, in columns where there are several."""
    if len(runs) == 1:
        return make(runs[0])
    return [_grid(tag("div", tag("h3", name), *make(run)) for run, name in _each(runs, names))]


def _galleries(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    def make(run: Run) -> list[Markup]:
        images, labels = run.images(), run.labels()
        parts = []
        found = list(plots.distinct_galleries(run))
        for augmentation, score in found:
            of = f", {augmentation}" if len(found) > len(run.scores) else ""
            values, _ = run.point_scores(augmentation, score)
            for which, indices in zip(("highest", "lowest"), plots.extremes(values), strict=True):
                figures = [_image(images[i], f"class {labels[i]}", plots.short(abs(values[i]))) for i in indices]
                parts += [tag("h3", f"{which} {plots.absolute(score)}{of}"), tag("div", figures, class_="images")]
        note = "Training images by the size of their score with nothing augmented; below each its class and score."
        return [tag("p", note, class_="soft"), *parts]

    return _per_run(runs, names, make)


def _examples(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    def make(run: Run) -> list[Markup]:
        parts = []
        for augmentation in run.augmentations:
            first, *variants = run.examples(augmentation)
            figures = [_image(first, "original", class_="original"), *(_image(image, "") for image in variants)]
            heading = f"{augmentation}: one image and its {len(variants)} variants"
            parts += [tag("h3", heading), tag("div", figures, class_="images")]
        return parts

    return _per_run(runs, names, make)


def _image(image: np.ndarray[Any, Any], caption: str, second: str = "", class_: str | None = None) -> Markup:
    height, width = image.shape[:2]
    alt = f"training image, {caption} {second}".strip() if caption else "variant"
    picture = tag("img", src=data_uri(style.image_png(image)), alt=alt, width=width, height=height)
    lines = [caption, tag("br"), second] if second else [caption]
    return tag("figure", picture, tag("figcaption", lines) if caption else "", class_=class_)


def _point_scores(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    def make(run: Run) -> list[Markup]:
        charts = []
        for augmentation, score in run.curves:
            before, after = run.point_scores(augmentation, score)
            rank = tables.spearman(np.abs(before), np.abs(after))
            told = "undefined" if math.isnan(rank) else f"{rank:.3f}".replace("-", "\N{MINUS SIGN}")
            caption = f"{augmentation}, {score}: Spearman correlation of before and after {told}."
            charts.append(_chart(plots.point_scores(run, augmentation, score), caption, caption))
        return charts

    return _per_run(runs, names, make)
