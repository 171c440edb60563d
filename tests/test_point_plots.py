"""Scores and images of single points, and sweeps, drawn: what is drawn is what was measured."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
from drawing import add_sweep, draw, line_of  # noqa: E402
from matplotlib.container import BarContainer  # noqa: E402

from augcore.experiments import finished, point_plots, sweep_plots, tables  # noqa: E402


def test_histograms_count_scores_before_and_after(make_run):
    folder = make_run()
    figure = draw(point_plots.point_scores, finished.read(folder), "translate", "influence")
    support = np.load(folder / "arrays/is_sv.npy")
    for axes, when in zip(figure.axes, ("before", "after"), strict=False):
        scores = np.abs(np.load(folder / f"arrays/scores-translate-influence-{when}.npy"))
        (bars,) = [c for c in axes.containers if isinstance(c, BarContainer)]
        edges = [bar.get_x() for bar in bars] + [bars[-1].get_x() + bars[-1].get_width()]
        np.testing.assert_array_equal([bar.get_height() for bar in bars], np.histogram(scores, edges)[0])
        assert sum(bar.get_height() for bar in bars) == len(scores)
        assert axes.get_yscale() == "log"
    points = figure.axes[2].collections
    assert [len(group.get_offsets()) for group in points] == [np.sum(~support), np.sum(support)]


def test_spearman_of_a_constant_is_undefined(make_run):
    assert np.isnan(tables.spearman(np.ones(5), np.arange(5.0)))
    folder = make_run()
    np.save(folder / "arrays/scores-translate-loss-after.npy", np.zeros(60))
    figure = draw(point_plots.point_scores, finished.read(folder), "translate", "loss")
    assert figure.axes[2].get_title(loc="left") == "Spearman undefined"


def test_extremes_go_by_size_and_keep_the_order_of_ties():
    highest, lowest = point_plots.extremes(np.array([-5.0, 0.0, 3.0, -3.0, 0.0, 4.0]), 3)
    assert highest.tolist() == [0, 5, 2]
    assert lowest.tolist() == [1, 4, 2]


@pytest.mark.parametrize("shape", [(9, 7, 1), (6, 11, 3)])
def test_galleries_show_the_images_of_extreme_score(make_run, shape):
    folder = make_run(shape=shape)
    figure = draw(point_plots.gallery, finished.read(folder), "translate", "influence")
    images = np.load(folder / "arrays/x_train.npy")
    order = np.argsort(np.abs(np.load(folder / "arrays/scores-translate-influence-before.npy")))
    shown = [axes.images[0].get_array() for axes in figure.axes]
    for image, index in zip(shown, [*order[:-11:-1], *order[:10]], strict=True):
        np.testing.assert_array_equal(np.reshape(image, shape), images[index])


def test_few_points_make_a_small_gallery(make_run):
    run = finished.read(make_run(n=3, sizes=(1, 3)))
    panels = draw(point_plots.gallery, run, "translate", "loss").axes
    assert len(panels) == 6
    for axes in panels:
        box = axes.get_position()
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1


def test_examples_show_the_original_first(make_run):
    folder = make_run()
    batch = np.random.default_rng(0).integers(0, 256, (11, 4, 5, 3), dtype=np.uint8)
    np.save(folder / "arrays/examples-translate.npy", batch)
    figure = draw(point_plots.examples, finished.read(folder), "translate")
    for axes, image in zip(figure.axes, batch, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)


def test_one_gallery_stands_for_equal_scores(make_run):
    folder = make_run(augmentations=("translate", "crop"), scores=("loss",))
    run = finished.read(folder)
    assert list(point_plots.distinct_galleries(run)) == [("translate", "loss"), ("crop", "loss")]
    shutil.copy(folder / "arrays/scores-translate-loss-before.npy", folder / "arrays/scores-crop-loss-before.npy")
    assert list(point_plots.distinct_galleries(run)) == [("translate", "loss")]


def test_images_bear_the_names_of_their_classes(make_run):
    folder = make_run()
    run = finished.read(folder)
    labels = np.load(folder / "arrays/y_train.npy")
    first = point_plots.extremes(run.point_scores("translate", "loss")[0])[0][0]
    under = lambda: draw(point_plots.gallery, run, "translate", "loss").axes[0].get_xlabel().split("\n")[0]  # noqa: E731
    assert under() == str(labels[first])
    names = ["air $x$", "a very long name indeed"]
    np.save(folder / "arrays/class_names.npy", np.array(names))
    assert under() == ["air $x$", "a very long…"][labels[first]]
    assert point_plots.class_title(names, -1) == "-1"
    assert point_plots.class_title(names, 2) == "2"


@pytest.mark.parametrize(
    ("score", "text"),
    [("influence", "|influence|"), ("gradient_dot", "|gradient dot|"), ("alo", "ALO"), ("loss", "loss")],
)
def test_bars_stand_where_the_size_differs_from_the_score(make_run, score, text):
    assert point_plots.absolute(score) == text
    figure = draw(point_plots.point_scores, finished.read(make_run(scores=(score,))), "translate", score)
    assert figure.axes[0].get_xlabel() == text


def test_support_vectors_are_counted_by_tenths_of_the_score(make_run):
    folder = make_run(n=57, sizes=(1, 57))
    support = np.load(folder / "arrays/is_sv.npy")
    figure = draw(point_plots.support_vectors, finished.read(folder))
    for axes, score in zip(figure.axes, ("influence", "loss"), strict=True):
        order = np.argsort(-np.abs(np.load(folder / f"arrays/scores-translate-{score}-before.npy")))
        parts = [[support[point] for place, point in enumerate(order) if place * 10 // 57 == t] for t in range(10)]
        points, vectors = axes.containers
        assert [bar.get_height() for bar in points] == [len(part) for part in parts]
        assert [bar.get_height() for bar in vectors] == [sum(part) for part in parts]


# ---- clusters, epochs ------------------------------------------------------------------------------------------------


def test_sweeps_show_inertia_and_silhouette_of_both_sets(make_run):
    folder = make_run()
    add_sweep(folder)
    inertia, silhouette = draw(sweep_plots.sweep, finished.read(folder).sweep).axes
    assert inertia.get_xscale() == silhouette.get_xscale() == "log"
    for axes, part, expected in (
        (inertia, "train", [900.5, 80.25, 0.5]),
        (inertia, "test", [950, 310, 300]),
        (silhouette, "train", [0.5, -0.1, np.nan]),
        (silhouette, "test", [0.45, -0.05, np.nan]),
    ):
        np.testing.assert_array_equal(line_of(axes, part).get_xdata(), [2, 7, 59])
        np.testing.assert_array_equal(line_of(axes, part).get_ydata(), expected)


@pytest.mark.parametrize("inertia", [0.0, 5.0])
def test_sweeps_of_one_number_or_of_no_inertia(inertia):
    empty = np.array([np.nan])
    values = finished.Sweep(np.array([2]), np.array([inertia]), empty, empty, empty)
    axes = draw(sweep_plots.sweep, values).axes[0]
    assert axes.get_ylim()[0] <= inertia <= axes.get_ylim()[1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2"]
