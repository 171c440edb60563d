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
from augcore.experiments.tables import Gain, Interval

__all__ = ["write"]

Part = tuple[str, str, list[Markup]]


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
            *(tag("p", sentence, class_="lede") for run, name in _each(runs, names) for sentence in _lede(run, name)),
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


# ---- words -----------------------------------------------------------------------------------------------------------


def _percent(value: float, digits: int = 1) -> str:
    return "undefined" if math.isnan(value) else f"{100 * value:.{digits}f}%".replace("-", "\N{MINUS SIGN}")


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _points(count: int) -> str:
    return f"{count:,} point{'s' * (count != 1)}"


def _leader(run: Run, augmentation: str, score: str) -> Curve | None:
    """The policy that the words are about: the paper's, else the first that is no baseline."""
    lines = run.curves.get((augmentation, score), ())
    others = [curve for curve in lines if curve.policy != "baseline"]
    return run.curve(augmentation, score, "random_proportional") or next(iter(others), None)


def _lede(run: Run, name: str) -> list[str]:
    """The result in one sentence: what a quarter of the points gives, by the first score and at random."""
    score = run.scores[0]
    found = []
    for augmentation in run.augmentations:
        leader, baseline = _leader(run, augmentation, score), run.curve(augmentation, score, "baseline")
        if leader is None:
            continue
        size = tables.milestones(run, augmentation, score, [0.25])
        shares = [
            gain.share
            for curve in (leader, baseline)
            if curve is not None
            for gain in tables.gains(run, augmentation, curve, baseline, size)
        ]
        if shares and not any(map(math.isnan, shares)):
            found.append((size[0], leader.title, augmentation, shares))
    sentences = []
    for (size, title), group in groupby(found, key=lambda entry: entry[:2]):
        entries = list(group)
        reached = _listed(f"{_percent(shares[0], 0)} ({augmentation})" for *_, augmentation, shares in entries)
        text = (
            f"Augmenting {size:,} of {_points(len(run.labels()))} chosen by {score} ({title}) reaches {reached} "
            "of what augmenting all of them gains"
        )
        if all(len(shares) > 1 for *_, shares in entries):
            text += f"; as many drawn uniformly reach {_listed(_percent(shares[1], 0) for *_, shares in entries)}"
        sentences.append(f"{name}: {text}." if name else f"{text}.")
    return sentences


def _words(run: Run, augmentation: str, score: str) -> list[str]:
    """What came out for one augmentation and score, sentence by sentence."""
    references = run.references[augmentation]
    n = len(run.labels())
    moved = f"from {_percent(references.none)} to {_percent(references.all)}"
    if references.all <= references.none:
        return [
            f"Augmenting all {_points(n)} does not help here: test accuracy goes {moved}, so shares of a gain have no "
            "meaning."
        ]
    sentences = [f"Augmenting all {_points(n)} raises test accuracy {moved}."]
    leader, baseline = _leader(run, augmentation, score), run.curve(augmentation, score, "baseline")
    sizes = tables.milestones(run, augmentation, score)
    if leader is not None:
        gains = tables.gains(run, augmentation, leader, baseline, sizes)
        where = _listed(f"{gain.size:,}" for gain in gains)
        text = f"By {score}, {leader.title} reaches {_shares(gains)} of that gain with {where} points"
        if baseline is not None:
            text += f", the baseline {_shares(tables.gains(run, augmentation, baseline, None, sizes))}"
        sentences.append(text + ".")
        sentences += _verdicts(gains)
    return sentences + _extremes(run, augmentation, score, sizes)


def _shares(gains: Sequence[Gain]) -> str:
    return _listed(_percent(gain.share, 0) for gain in gains)


def _verdicts(gains: Sequence[Gain]) -> list[str]:
    told = {
        "ahead": "It is ahead of the baseline at {} points",
        "level": "it cannot be told from the baseline at {}",
        "behind": "it is behind the baseline at {}",
    }
    clauses = [
        text.format(_listed(f"{gain.size:,}" for gain in gains if gain.verdict == verdict))
        for verdict, text in told.items()
        if any(gain.verdict == verdict for gain in gains)
    ]
    if not clauses:
        return []
    text = "; ".join(clauses)
    return [f"{text[0].upper()}{text[1:]} (95% interval of the difference)."]


def _extremes(run: Run, augmentation: str, score: str, sizes: Sequence[int]) -> list[str]:
    size = min(sizes, key=lambda size: abs(size - 0.25 * len(run.labels())))
    ranked = sorted(
        ((float(values.mean()), curve.title) for curve in run.curves[augmentation, score]
         if (values := curve.at(size)) is not None),
        reverse=True,
    )  # fmt: skip
    if len(ranked) < 3:
        return []
    (high, best), (low, worst) = ranked[0], ranked[-1]
    return [f"At {_points(size)} the highest mean is that of {best} ({_percent(high)}), the lowest that of {worst} "
            f"({_percent(low)})."]  # fmt: skip


# ---- results and tables ----------------------------------------------------------------------------------------------


def _results(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    parts = [
        tag(
            "p",
            "A share of the gain is (accuracy − none) / (all − none): 0% as if nothing, 100% as if everything were "
            "augmented. Beside it the difference to the baseline in percentage points with its 95% interval (Welch): ▲ "
            "ahead, ▼ behind, · not to be told apart. The intervals hold the randomness of the draws, not of the data.",
            class_="soft",
        )
    ]
    for augmentation in _union(run.augmentations for run in runs):
        parts.append(tag("h3", augmentation))
        for run, name in _each(runs, names):
            for score in (score for score in run.scores if (augmentation, score) in run.curves):
                prefix = [tag("strong", f"{name}, {score}. " if name else f"{score}. ")]
                parts.append(tag("p", prefix, " ".join(_words(run, augmentation, score))))
                parts.append(_gain_table(run, augmentation, score))
    return parts


def _union(groups: Iterable[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group))


def _table(caption: str, header: Sequence[str], rows: Iterable[Markup]) -> Markup:
    head = tag("thead", tag("tr", (tag("th", cell, scope="col") for cell in header)))
    return tag("div", tag("table", tag("caption", caption), head, tag("tbody", rows)), class_="scroll")


def _row(label: str, cells: Iterable[Markup]) -> Markup:
    return tag("tr", tag("th", label, scope="row"), cells)


def _gain_table(run: Run, augmentation: str, score: str) -> Markup:
    sizes = tables.milestones(run, augmentation, score)
    baseline = run.curve(augmentation, score, "baseline")
    n = len(run.labels())
    rows = []
    for curve in run.curves[augmentation, score]:
        gains = {gain.size: gain for gain in tables.gains(run, augmentation, curve, baseline, sizes)}
        rows.append(_row(curve.title, (_gain_cell(gains.get(size)) for size in sizes)))
    header = ["policy", *(f"{size:,} ({_percent(size / n, 0)})" for size in sizes)]
    return _table(f"Share of the full gain by {score}, {augmentation}, at the number of augmented points", header, rows)


def _gain_cell(gain: Gain | None) -> Markup:
    if gain is None:
        return tag("td", "–")
    if gain.difference is None:
        return tag("td", _percent(gain.share, 0))
    mark = {"ahead": " ▲", "behind": " ▼", "level": " ·", "": ""}[gain.verdict]
    return tag("td", _percent(gain.share, 0), mark, " ", tag("small", _spread(gain.difference, signed=True)),
               class_=gain.verdict or None)  # fmt: skip


def _spread(interval: Interval, *, signed: bool = False) -> str:
    """mean ± half the interval, in percent or percentage points."""
    mean = f"{100 * interval.mean:{'+' if signed else ''}.2f}".replace("-", "\N{MINUS SIGN}")
    return mean if math.isnan(interval.low) else f"{mean} ± {50 * (interval.high - interval.low):.2f}"


def _tables(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    parts = [
        tag("p", "Percent, mean ± half of the 95% t-interval over rounds; one round has no interval.", class_="soft"),
        tag("h3", "Area under the curve"),
        tag("p", "Mean height of the curve of accuracy against the number of points, by trapezoids.", class_="soft"),
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
    titles = {
        c.name: c.title for _, run, augmentation, score in columns for c in run.curves.get((augmentation, score), ())
    }
    rows = []
    for name, title in titles.items():
        found = [run.curve(augmentation, score, name) for _, run, augmentation, score in columns]
        rows.append(_row(title, (tag("td", _auc_text(curve)) for curve in found)))
    return _table(caption, ["policy", *(column[0] for column in columns)], rows)


def _auc_text(curve: Curve | None) -> str:
    return "–" if curve is None or len(curve.sizes) < 2 else _spread(tables.mean_interval(tables.auc(curve)))


def _reference_table(run: Run, name: str) -> Markup:
    rows = [
        _row(
            augmentation,
            [
                *(tag("td", _percent(value, 2)) for value in (r.plain, r.none, r.all)),
                tag("td", "–" if math.isnan(r.vsv) else f"{_percent(r.vsv, 2)} ({r.n_vsv:,})"),
            ],
        )
        for augmentation, r in run.references.items()
    ]
    header = ["augmentation", "none, plain test set", "none", "all", "support vectors (points)"]
    return _table(_joined(name, "References: what is augmented in training"), header, rows)


def _joined(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text


def _accuracy_table(run: Run, name: str, augmentation: str, score: str) -> Markup:
    curves = run.curves[augmentation, score]
    sizes = sorted({int(size) for curve in curves for size in curve.sizes})
    rows = []
    for curve in curves:
        cells = [curve.at(size) for size in sizes]
        texts = ["–" if values is None else _spread(tables.mean_interval(values)) for values in cells]
        rows.append(_row(curve.title, (tag("td", text) for text in texts)))
    caption = _joined(name, f"{augmentation}, {score}: test accuracy by the number of augmented points")
    return _table(caption, ["policy", *(f"{size:,}" for size in sizes)], rows)


def _settings(runs: Sequence[Run], names: Sequence[str]) -> Markup:
    flat = [dict(_flat(run.settings)) for run in runs]
    rows = []
    for key in _union([list(settings) for settings in flat]):
        values = [settings.get(key, "–") for settings in flat]
        differs = "text differs" if len(set(values)) > 1 else "text"
        rows.append(_row(key, (tag("td", value, class_=differs) for value in values)))
    return _table("", ["setting", *(names if len(runs) > 1 else ["value"])], rows)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield prefix + key, ", ".join(v if isinstance(v, str) else json.dumps(v) for v in value)
        else:
            yield prefix + key, value if isinstance(value, str) else json.dumps(value)


def _timings(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    parts = []
    for run, name in _each(runs, names):
        groups: dict[str, list[float]] = {}
        for unit, seconds in run.timings:
            groups.setdefault(unit.split("/")[0], []).append(seconds)
        rows = [_timing_row(group, seconds) for group, seconds in groups.items()]
        if rows:
            rows.append(_timing_row("all", [seconds for _, seconds in run.timings]))
            parts.append(_table(_joined(name, "Processor by processor, summed"), ["work", "units", "seconds"], rows))
    return parts


def _timing_row(label: str, seconds: Sequence[float]) -> Markup:
    return _row(label, [tag("td", f"{len(seconds):,}"), tag("td", f"{math.fsum(seconds):,.1f}")])


# ---- pictures --------------------------------------------------------------------------------------------------------


def _chart(figure: style.Figure, alt: str, caption: str, *, wide: bool = False) -> Markup:
    png = style.png(figure)
    width, height = png_size(png)
    image = tag("img", src=data_uri(png), alt=alt, width=width, height=height, class_="chart wide" if wide else "chart")
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
    for score in _union(run.scores for run in runs):
        for run, name in _each(runs, names):
            if score in run.scores:
                ylims = {a: _shared_limits(runs, a, score) for a in run.augmentations if (a, score) in run.curves}
                caption = _joined(name, f"All augmentations, by {score}. Random policies above, deterministic below.")
                parts.append(_chart(plots.overview(run, score, ylims=ylims), caption, caption, wide=True))
    for run, name in _each(runs, names):
        if len(run.scores) > 1:
            caption = _joined(name, f"{_listed(run.scores)} compared: proportional policies, plain.")
            wide = len(run.augmentations) > 2
            parts.append(_chart(plots.score_comparison(run), caption, caption, wide=wide))
    for augmentation, score in dict.fromkeys(key for run in runs for key in run.curves):
        charts = [
            _curve_chart(runs, run, name, augmentation, score, kind)
            for kind in plots.KINDS
            for run, name in _each(runs, names)
            if plots.shown(run, augmentation, score, kind)
        ]
        parts += [tag("h3", f"{augmentation}, by {score}"), tag("div", charts, class_="columns")]
    return parts


def _shared_limits(runs: Sequence[Run], augmentation: str, score: str) -> plots.Limits:
    """One range for all runs, so that pictures side by side can be compared."""
    bounds = [plots.limits(run, augmentation, score) for run in runs if (augmentation, score) in run.curves]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _curve_chart(runs: Sequence[Run], run: Run, name: str, augmentation: str, score: str, kind: str) -> Markup:
    figure = plots.curves(run, augmentation, score, kind, ylim=_shared_limits(runs, augmentation, score))
    ends = ", ".join(
        " to ".join([f"{curve.label} {_percent(first)}", _percent(last)])
        for curve in plots.shown(run, augmentation, score, kind)
        for first, last in [curve.accuracy.mean(axis=0)[[0, -1]]]
    )
    caption = _joined(name, f"{kind} policies, {augmentation}, by {score}.")
    return _chart(figure, f"{caption} From the smallest size to the largest: {ends}.", caption)


def _per_run(runs: Sequence[Run], names: Sequence[str], make: Callable[[Run], list[Markup]]) -> list[Markup]:
    """The parts of each run under its name, in columns where there are several."""
    if len(runs) == 1:
        return make(runs[0])
    return [tag("div", (tag("div", tag("h3", name), *make(run)) for run, name in _each(runs, names)), class_="columns")]


def _galleries(runs: Sequence[Run], names: Sequence[str]) -> list[Markup]:
    def make(run: Run) -> list[Markup]:
        images, labels = run.images(), run.labels()
        parts = []
        for augmentation, score in plots.distinct_galleries(run):
            values, _ = run.point_scores(augmentation, score)
            for which, indices in zip(("highest", "lowest"), plots.extremes(values), strict=True):
                figures = [_image(images[i], f"class {labels[i]}", plots.short(abs(values[i]))) for i in indices]
                parts += [tag("h3", f"{which} {plots.absolute(score)}"), tag("div", figures, class_="images")]
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
            charts.append(_chart(plots.point_scores(run, augmentation, score), caption, caption, wide=True))
        return charts

    return _per_run(runs, names, make)
