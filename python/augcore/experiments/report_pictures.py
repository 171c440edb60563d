"""The sections of a report that show pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from augcore.experiments import accuracy_plots, point_plots, style, sweep_plots, tables
from augcore.experiments.finished import Run, score_title
from augcore.experiments.markup import Markup, data_uri, tag
from augcore.experiments.subject import Subject, row, union
from augcore.experiments.words import joined, listed, percent

__all__ = ["curves", "examples", "galleries", "point_scores", "sweeps", "together"]


# ---- curves ----------------------------------------------------------------------------------------------------------


def together(subject: Subject) -> list[Markup]:
    """What several runs have in common, in one chart for each augmentation."""
    if subject.is_one:
        return []
    parts = []
    for augmentation in union(run.augmentations for run in subject.runs):
        owners = [(run, name) for run, name in subject.each() if augmentation in run.augmentations]
        runs, names = [run for run, _ in owners], [name for _, name in owners]
        if len(owners) > 1 and accuracy_plots.compared_kinds(runs, augmentation):
            levels = {(run.references[augmentation].none, run.references[augmentation].all) for run in runs}
            caption = f"{augmentation}: {listed(names)} on the same axes."
            if len(levels) > 1:
                caption += " They differ in what all points and none give, so no horizontal lines are drawn."
            make = partial(accuracy_plots.comparison, runs, names, [augmentation])
            parts.append(subject.chart("", make, caption))
    return [row(parts)] if parts else []


def curves(subject: Subject) -> list[Markup]:
    """Accuracy against the number of augmented points, in every way in which the runs allow to look at it."""
    keys = list(dict.fromkeys(key for run in subject.runs for key in run.curves))
    if not keys:
        return []
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
    if subject.is_one:
        parts += _overviews(subject, subject.runs[0])
    for augmentation, score in keys:
        parts.append(tag("h3", f"{augmentation}, by {score_title(score)}"))
        kinds = union(accuracy_plots.kinds(run, augmentation, score) for run in subject.runs)
        groups = [
            [
                _curve_chart(subject, run, name, augmentation, score, kind)
                for run, name in subject.each()
                if accuracy_plots.shown(run, augmentation, score, kind)
            ]
            for kind in kinds
        ]
        # Several runs: a row for each kind of policy, so that equal things stand beside each other.
        parts += [row(chain(*groups))] if subject.is_one else map(row, groups)
        if subject.is_one and len(subject.runs[0].curves[augmentation, score]) > 2:
            caption = f"Each policy by itself: {augmentation}, by {score_title(score)}."
            make = partial(accuracy_plots.facets, subject.runs[0], augmentation, score)
            chart = subject.chart(f"facets-{augmentation}-{score}", make, caption)
            parts.append(tag("details", tag("summary", "Each policy by itself"), chart))
    return parts


def _overviews(subject: Subject, run: Run) -> list[Markup]:
    parts = []
    for score in run.scores:
        caption = f"All augmentations, by {score_title(score)}, a row for each kind of policy."
        parts.append(subject.chart(f"overview-{score}", partial(accuracy_plots.overview, run, score), caption))
        if accuracy_plots.has_cluster_counts(run, score):
            caption = f"Accuracy against the number of clusters, by {score_title(score)}."
            make = partial(accuracy_plots.cluster_counts, run, score)
            parts.append(subject.chart(f"cluster-counts-{score}", make, caption))
    compared = [name for name in run.augmentations if accuracy_plots.compared_kinds([run], name)]
    if compared:
        caption = f"{listed(map(score_title, run.scores))} compared: {_how_compared(run, compared)}."
        make = partial(accuracy_plots.comparison, [run], [""], compared)
        parts.append(subject.chart("scores-compared", make, f"{caption[0].upper()}{caption[1:]}"))
    return parts


def _how_compared(run: Run, augmentations: Sequence[str]) -> str:
    ways = {
        "random_proportional": "points drawn in proportion to the score",
        "deterministic_proportional": "points taken in its order",
    }
    found = union(accuracy_plots.compared_kinds([run], name) for name in augmentations)
    return listed(ways[policy] for policy in found)


def _curve_chart(subject: Subject, run: Run, name: str, augmentation: str, score: str, kind: str) -> Markup:
    ylim = accuracy_plots.shared_limits(subject.runs, augmentation, [score])
    ends = ", ".join(
        " to ".join([f"{curve.label} {percent(first)}", percent(last)])
        for curve in accuracy_plots.shown(run, augmentation, score, kind)
        for first, last in [curve.accuracy.mean(axis=0)[[0, -1]]]
    )
    caption = joined(name, f"{accuracy_plots.kind_title(kind)}, {augmentation}, by {score_title(score)}.")
    make = partial(accuracy_plots.curves, run, augmentation, score, kind, ylim=ylim)
    told = f"From the smallest size to the largest: {ends}."
    return subject.chart(f"curves-{augmentation}-{score}-{kind}", make, caption, told)


# ---- points ----------------------------------------------------------------------------------------------------------


def galleries(subject: Subject) -> list[Markup]:
    """The images of extreme scores."""

    def make(run: Run) -> list[Markup]:
        images, labels, names = run.images(), run.labels(), run.class_names()
        parts = []
        found = list(point_plots.distinct_galleries(run))
        several = len(found) > len({score for _, score in found})
        for augmentation, score in found:
            of = f", {augmentation}" if several else ""
            values, _ = run.point_scores(augmentation, score)
            for which, indices in zip(("highest", "lowest"), point_plots.extremes(values), strict=True):
                figures = [
                    _image(images[i], _class(names, int(labels[i])), point_plots.short(abs(values[i]))) for i in indices
                ]
                heading = f"{which} {point_plots.absolute(score)}{of}"
                parts += [tag("h3", heading), tag("div", figures, class_="images")]
        note = "Training images by the size of their score with nothing augmented; below each its class and score."
        return [tag("p", note, class_="soft"), *parts] if parts else []

    return subject.per_run(make)


def _class(names: list[str], label: int) -> str:
    title = point_plots.class_title(names, label)
    return f"class {title}" if title.isdigit() else title


def examples(subject: Subject) -> list[Markup]:
    """An image and its variants, for each augmentation."""

    def make(run: Run) -> list[Markup]:
        parts = []
        for augmentation in run.augmentations:
            first, *variants = run.examples(augmentation)
            figures = [_image(first, "original", class_="original"), *(_image(image, "") for image in variants)]
            heading = f"{augmentation}: one image and its {len(variants)} variant{'s' * (len(variants) != 1)}"
            parts += [tag("h3", heading), tag("div", figures, class_="images")]
        return parts

    return subject.per_run(make)


def _image(image: np.ndarray[Any, Any], caption: str, second: str = "", class_: str | None = None) -> Markup:
    height, width = image.shape[:2]
    alt = f"training image, {caption} {second}".strip() if caption else "variant"
    picture = tag("img", src=data_uri(style.image_png(image)), alt=alt, width=width, height=height)
    lines = [caption, tag("br"), second] if second else [caption]
    return tag("figure", picture, tag("figcaption", lines) if caption else "", class_=class_)


def point_scores(subject: Subject) -> list[Markup]:
    """Scores before and after everything is augmented, and where the support vectors stand."""

    def make(run: Run) -> list[Markup]:
        charts = []
        for augmentation, score in run.scored:
            before, after = run.point_scores(augmentation, score)
            rank = tables.spearman(np.abs(before), np.abs(after))
            told = "undefined" if math.isnan(rank) else f"{rank:.3f}".replace("-", "\N{MINUS SIGN}")
            caption = f"{augmentation}, {score_title(score)}: Spearman correlation of before and after {told}."
            drawing = partial(point_plots.point_scores, run, augmentation, score)
            charts.append(subject.chart(f"point-scores-{augmentation}-{score}", drawing, caption))
        if charts and run.is_support_vector().any():
            caption = "Support vectors in each tenth of the points, from the highest score to the lowest."
            charts.append(subject.chart("support-vectors", partial(point_plots.support_vectors, run), caption))
        return charts

    return subject.per_run(make)


# ---- clusters, epochs ------------------------------------------------------------------------------------------------


def sweeps(subject: Subject) -> list[Markup]:
    """How well numbers of clusters fit."""

    def make(run: Run) -> list[Markup]:
        if run.sweep is None:
            return []
        counts = run.sweep.clusters
        caption = f"{len(counts):,} numbers of clusters from {counts.min():,} to {counts.max():,}."
        return [subject.chart("sweep", partial(sweep_plots.sweep, run.sweep), caption)]

    return subject.per_run(make)
