"""Accuracy against the number of points, drawn: what is drawn is what was measured."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

matplotlib = pytest.importorskip("matplotlib")
from conftest import MAIN  # noqa: E402
from drawing import CLUSTERS, COUNTS, DPP, accuracies, draw, lightness, line_of, rows_of, write_csv  # noqa: E402
from matplotlib import colors  # noqa: E402

from augcore.experiments import accuracy_plots, finished, style  # noqa: E402
from augcore.experiments.results import REFERENCE_COLUMNS  # noqa: E402

KINDS = ("random", "deterministic")


@pytest.mark.parametrize(
    ("label", "policy", "update", "downweight"),
    [
        ("baseline (uniform)", "baseline", False, False),
        ("proportional", "random_proportional", False, False),
        ("proportional, update", "random_proportional", True, False),
        ("proportional, downweight", "random_proportional", False, True),
        ("proportional, update + downweight", "random_proportional", True, True),
        ("inverse", "random_inverse_proportional", False, False),
    ],
)
def test_lines_are_means_and_bands_are_t_intervals(make_run, label, policy, update, downweight):
    folder = make_run(rounds=4)
    (axes,) = draw(accuracy_plots.curves, finished.read(folder), "translate", "loss", "random").axes
    expected = accuracies(folder, "translate", "loss", policy, update, downweight)
    line = line_of(axes, label)
    np.testing.assert_array_equal(line.get_xdata(), sorted(expected))
    np.testing.assert_allclose(line.get_ydata(), [np.mean(expected[size]) for size in sorted(expected)], rtol=1e-12)

    (band,) = [c for c in axes.collections if np.allclose(c.get_facecolor()[0][:3], colors.to_rgb(line.get_color()))]
    corners = band.get_paths()[0].vertices
    for size, values in expected.items():
        low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
        at = corners[corners[:, 0] == size, 1]
        np.testing.assert_allclose([at.min(), at.max()], [low, high], rtol=1e-9)


def test_reference_lines_and_baseline_are_in_both_kinds(make_run):
    run = finished.read(make_run())
    for kind in KINDS:
        (axes,) = draw(accuracy_plots.curves, run, "translate", "influence", kind).axes
        levels = {line.get_ydata()[0] for line in axes.get_lines() if line.get_label().startswith("_")}
        assert levels == {run.references["translate"].none, run.references["translate"].all}
        assert line_of(axes, "baseline (uniform)") is not None
        labels = [
            curve.label for curve in run.curves["translate", "influence"] if curve.is_random == (kind == "random")
        ]
        for label in labels:
            line_of(axes, label)
    assert line_of(axes, "exactly the support vectors").get_xydata().tolist() == [[12, run.references["translate"].vsv]]


def test_a_single_round_has_no_band(make_run):
    (axes,) = draw(accuracy_plots.curves, finished.read(make_run(rounds=1)), "translate", "influence", "random").axes
    assert not axes.collections


def test_panels_hold_means_and_references_and_stop_near_them(make_run):
    """Two rounds can have bands far beyond everything else; the means must stay legible."""
    run = finished.read(make_run(rounds=2, curves=[("baseline", False, False, 1.0), ("random_x", False, False, 1.0)]))
    spread = np.array([[-0.05], [0.05]])
    for curve in run.curves["translate", "influence"]:
        curve.accuracy[:] = curve.accuracy.mean(axis=0) + spread
    low, high = accuracy_plots.limits(run, "translate", "influence")
    means = [mean for curve in run.curves["translate", "influence"] for mean in curve.accuracy.mean(axis=0)]
    references = run.references["translate"]
    means += [references.none, references.all]
    assert low < min(means) < max(means) < high
    assert high < 1.02
    assert high - low < 1.8 * (max(means) - min(means))


def test_every_size_has_a_tick_and_labels_do_not_touch(make_run):
    sizes = (1, 10, 50, 100, 250, 500, 750, 1000)
    run = finished.read(make_run(n=1000, sizes=sizes, augmentations=("translate", "rotate", "crop")))
    figure = draw(accuracy_plots.overview, run, "influence")
    assert len(figure.axes) == 6
    for axes in figure.axes:
        assert {*axes.get_xticks(), *axes.get_xticks(minor=True)} == set(sizes)
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        assert len(boxes) >= 4
        for left, right in itertools.pairwise(sorted(boxes, key=lambda box: box.x0)):
            assert left.x1 + 4 < right.x0


def test_curves_of_a_figure_differ_in_grey_and_in_shape(make_run):
    run = finished.read(make_run())
    for kind in KINDS:
        looks = [
            style.look(c.policy, c.update, c.downweight) for c in accuracy_plots.shown(run, "translate", "loss", kind)
        ]
        assert len({(look.marker, str(look.dashes)) for look in looks}) == len(looks)
        for one, other in itertools.combinations(looks, 2):
            assert abs(lightness(one.color) - lightness(other.color)) > 10


@pytest.mark.parametrize("scores", [("influence", "loss"), ("influence", "alo", "loss", "margin")])
def test_scores_are_compared_by_kind_of_policy(make_run, scores):
    folder = make_run(scores=scores)
    figure = draw(accuracy_plots.comparison, [finished.read(folder)], [""], ["translate"])
    for axes, kind in zip(figure.axes, KINDS, strict=True):
        titles = {"alo": "ALO"}
        for score in scores:
            expected = accuracies(folder, "translate", score, f"{kind}_proportional")
            means = [np.mean(expected[size]) for size in sorted(expected)]
            line = line_of(axes, f"by {titles.get(score, score)}")
            np.testing.assert_allclose(line.get_ydata(), means, rtol=1e-12)
        line_of(axes, "baseline (uniform)")
    looks = {style.score_look(score) for score in scores}
    for one, other in itertools.combinations(looks, 2):
        assert abs(lightness(one.color) - lightness(other.color)) > 10


def test_one_score_has_nothing_to_be_compared_with(make_run):
    run = finished.read(make_run(scores=("loss",)))
    assert accuracy_plots.compared_kinds([run], "translate") == []
    assert accuracy_plots.compared_kinds([finished.read(make_run("other"))], "translate") == [
        "random_proportional",
        "deterministic_proportional",
    ]


# ---- several runs ----------------------------------------------------------------------------------------------------


def test_runs_are_drawn_on_the_same_axes(make_run):
    """Curves that two runs share are drawn once, at the sizes of both; the others under the names of their runs."""
    one = make_run("one", scores=("influence",), curves=DPP[:2])
    two = make_run("two", scores=("influence",), curves=DPP, sizes=(1, 20, 60), seed=1)
    path = two / "results.csv"
    uniform = {(row["round"], row["size"]): row["accuracy"] for row in rows_of(one) if row["policy"] == "baseline"}
    rows = rows_of(two)
    for row in rows:
        if row["policy"] == "baseline":
            row["accuracy"] = uniform.get((row["round"], row["size"]), row["accuracy"])
    write_csv(path, list(rows[0]), [row.values() for row in rows])

    runs = [finished.read(one), finished.read(two)]
    (axes,) = draw(accuracy_plots.comparison, runs, ["one", "two"], ["translate"]).axes
    labels = [line.get_label() for line in axes.get_lines() if not line.get_label().startswith("_")]
    assert labels == [
        "baseline (uniform)",
        "k-DPP",
        "k-DPP with scores, influence",
        "one: by influence",
        "two: by influence",
    ]
    assert line_of(axes, "baseline (uniform)").get_xdata().tolist() == [1, 10, 20, 30, 60]
    for folder, name in ((one, "one"), (two, "two")):
        expected = accuracies(folder, "translate", "influence", "random_proportional")
        means = [np.mean(expected[size]) for size in sorted(expected)]
        np.testing.assert_allclose(line_of(axes, f"{name}: by influence").get_ydata(), means, rtol=1e-12)


@pytest.mark.parametrize("equal", [True, False])
def test_horizontal_lines_are_drawn_where_runs_agree(make_run, equal):
    folders = [make_run(name, scores=("influence",), seed=seed) for seed, name in enumerate(("one", "two"))]
    if not equal:
        path = folders[1] / "references.csv"
        path.write_text(path.read_text().replace("0.86,", "0.85,"))
    axes = draw(accuracy_plots.comparison, list(map(finished.read, folders)), ["one", "two"], ["translate"]).axes
    for panel in axes:
        levels = {line.get_ydata()[0] for line in panel.get_lines() if line.get_label().startswith("_")}
        assert levels == ({0.86, 0.96} if equal else set())


# ---- clusters, k-DPPs, facets ----------------------------------------------------------------------------------------


def test_policies_in_clusters_are_kinds_of_their_own(make_run):
    run = finished.read(make_run(curves=[*CLUSTERS, ("baseline", False, False, 1.0)], scores=("loss",)))
    assert accuracy_plots.kinds(run, "translate", "loss") == ["clusters-baseline", "clusters-random_proportional"]
    run = finished.read(make_run("all", curves=[*MAIN, *CLUSTERS], scores=("loss",)))
    assert accuracy_plots.kinds(run, "translate", "loss")[:3] == ["random", "deterministic", "clusters-baseline"]
    assert accuracy_plots.shown(run, "translate", "loss", "clusters-dpp") == []
    assert accuracy_plots.kinds(run, "crop", "loss") == []


@pytest.mark.parametrize("policy", ["baseline", "random_proportional"])
def test_numbers_of_clusters_go_from_light_to_dark(make_run, policy):
    """In every panel a number has the same look, also where another policy has fewer of them."""
    folder = make_run(curves=CLUSTERS[2:], scores=("loss",))
    (axes,) = draw(accuracy_plots.curves, finished.read(folder), "translate", "loss", f"clusters-{policy}").axes
    counts = [count for count in COUNTS if count >= 10 or policy != "baseline"]
    lines = [line_of(axes, f"{count} cluster{'s' * (count != 1)}") for count in counts]
    for line, count in zip(lines, counts, strict=True):
        found = [row for row in rows_of(folder) if (row["policy"], row["clusters"]) == (policy, str(count))]
        means = [np.mean([float(row["accuracy"]) for row in found if row["size"] == str(s)]) for s in (1, 10, 30, 60)]
        np.testing.assert_allclose(line.get_ydata(), means, rtol=1e-12)
        assert line.get_color() == style.step(COUNTS.index(count), len(COUNTS)).color
    steps = [lightness(line.get_color()) for line in lines]
    assert all(a - b > 5 for a, b in itertools.pairwise(steps))
    assert len({line.get_marker() for line in lines}) == len(lines)


def test_accuracy_against_the_number_of_clusters(make_run):
    folder = make_run(curves=CLUSTERS, scores=("loss",))
    run = finished.read(folder)
    assert accuracy_plots.has_cluster_counts(run, "loss")
    figure = draw(accuracy_plots.cluster_counts, run, "loss")
    for axes, policy in zip(figure.axes, ("baseline", "random_proportional"), strict=True):
        for size in (10, 30):
            line = line_of(axes, f"{size} augmented points")
            assert line.get_xdata().tolist() == list(COUNTS)
            for count, mean in zip(COUNTS, line.get_ydata(), strict=True):
                wanted = (policy, str(count), str(size))
                rows = [r for r in rows_of(folder) if (r["policy"], r["clusters"], r["size"]) == wanted]
                assert mean == pytest.approx(np.mean([float(row["accuracy"]) for row in rows]), rel=1e-12)
    assert not accuracy_plots.has_cluster_counts(finished.read(make_run("plain")), "loss")


def test_curves_of_k_dpps_differ_in_grey(make_run):
    run = finished.read(make_run(curves=DPP))
    (axes,) = draw(accuracy_plots.curves, run, "translate", "loss", "random").axes
    labels = ("baseline (uniform)", "proportional", "k-DPP", "k-DPP with scores")
    tones = [lightness(line_of(axes, label).get_color()) for label in labels]
    assert min(abs(a - b) for a, b in itertools.combinations(tones, 2)) > 15


def test_facets_show_one_curve_each_before_the_others(make_run):
    folder = make_run()
    figure = draw(accuracy_plots.facets, finished.read(folder), "translate", "loss")
    assert len(figure.axes) == 12
    for axes, (policy, update, downweight, _) in zip(figure.axes, MAIN, strict=True):
        expected = accuracies(folder, "translate", "loss", policy, update, downweight)
        (front,) = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
        np.testing.assert_allclose(front.get_ydata(), [np.mean(expected[s]) for s in sorted(expected)], rtol=1e-12)
        behind = [line for line in axes.get_lines() if line.get_color() == "#d3d3d3"]
        assert len(behind) == 11
        assert max(line.get_zorder() for line in behind) < front.get_zorder()


@pytest.mark.parametrize(
    ("curves", "kind", "count", "there"),
    [
        (DPP, "random", 12, True),
        (CLUSTERS, "clusters-baseline", 12, True),
        (CLUSTERS, "clusters-random_proportional", 12, False),
        (MAIN, "random", 12, False),
        (MAIN, "deterministic", 60, True),
        (MAIN, "deterministic", 61, False),
        (MAIN, "deterministic", 0, False),
    ],
)
def test_support_vectors_are_marked_once_and_within_the_axis(make_run, curves, kind, count, there):
    folder = make_run(curves=curves)
    path = folder / "references.csv"
    path.write_text(path.read_text().replace(",12,10.0,1.0", f",{count},10.0,1.0"))
    (axes,) = draw(accuracy_plots.curves, finished.read(folder), "translate", "loss", kind).axes
    stars = [line for line in axes.get_lines() if line.get_marker() == "*"]
    assert [line.get_xdata()[0] for line in stars] == [count] * there


def test_names_of_the_lines_stand_outside_of_them(make_run):
    folder = make_run()
    for none, everything in ((0.86, 0.96), (0.96, 0.86)):
        (folder / "references.csv").write_text(
            ",".join(REFERENCE_COLUMNS) + f"\ntranslate,{none},0.9,{everything},0.9,nan,0,10,\n"
        )
        (axes,) = draw(accuracy_plots.curves, finished.read(folder), "translate", "loss", "random").axes
        places = {text.get_text().split()[0]: text.get_window_extent() for text in axes.texts}
        high, low = ("all", "none") if everything > none else ("none", "all")
        top, bottom = (axes.transData.transform((0, level))[1] for level in (0.96, 0.86))
        assert places[high].y0 > top
        assert places[low].y1 < bottom
