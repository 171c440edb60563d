"""Figures, statistics and tables of a finished run: what is drawn is what was measured."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shutil
import time

import numpy as np
import pytest
from scipy import stats

from augcore import FileFormatError

matplotlib = pytest.importorskip("matplotlib")
from matplotlib import colors  # noqa: E402
from matplotlib.container import BarContainer  # noqa: E402

from augcore.experiments import finished, plots, style, tables  # noqa: E402


def rows_of(folder):
    with open(folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def accuracies(folder, augmentation, score, policy, update=False, downweight=False):
    """size -> accuracies of all rounds, straight from the file."""
    found = {}
    for row in rows_of(folder):
        key = (row["augmentation"], row["score"], row["policy"], row["clusters"], row["update"], row["downweight"])
        if key == (augmentation, score, policy, "0", str(update), str(downweight)):
            found.setdefault(int(row["size"]), []).append(float(row["accuracy"]))
    return found


def draw(make, *args, **keywords):
    with style.settings():
        figure = make(*args, **keywords)
        figure.canvas.draw()
    return figure


def line_of(axes, label):
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return line


# ---- what the curves show --------------------------------------------------------------------------------------------


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
    (axes,) = draw(plots.curves, finished.read(folder), "translate", "loss", "random").axes
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
    for kind in plots.KINDS:
        (axes,) = draw(plots.curves, run, "translate", "influence", kind).axes
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
    (axes,) = draw(plots.curves, finished.read(make_run(rounds=1)), "translate", "influence", "random").axes
    assert not axes.collections


def test_panels_hold_means_and_references_and_stop_near_them(make_run):
    """Two rounds can have bands far beyond everything else; the means must stay legible."""
    run = finished.read(make_run(rounds=2, curves=[("baseline", False, False, 1.0), ("random_x", False, False, 1.0)]))
    spread = np.array([[-0.05], [0.05]])
    for curve in run.curves["translate", "influence"]:
        curve.accuracy[:] = curve.accuracy.mean(axis=0) + spread
    low, high = plots.limits(run, "translate", "influence")
    means = [mean for curve in run.curves["translate", "influence"] for mean in curve.accuracy.mean(axis=0)]
    references = run.references["translate"]
    means += [references.none, references.all]
    assert low < min(means) < max(means) < high
    assert high < 1.02
    assert high - low < 1.8 * (max(means) - min(means))


def test_every_size_has_a_tick_and_labels_do_not_touch(make_run):
    sizes = (1, 10, 50, 100, 250, 500, 750, 1000)
    run = finished.read(make_run(n=1000, sizes=sizes, augmentations=("translate", "rotate", "crop")))
    figure = draw(plots.overview, run, "influence")
    assert len(figure.axes) == 6
    for axes in figure.axes:
        assert {*axes.get_xticks(), *axes.get_xticks(minor=True)} == set(sizes)
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        assert len(boxes) >= 4
        for left, right in itertools.pairwise(sorted(boxes, key=lambda box: box.x0)):
            assert left.x1 + 4 < right.x0


@pytest.mark.parametrize("augmentations", [("translate",), ("translate", "rotate"), ("translate", "rotate", "crop")])
def test_nothing_is_clipped(make_run, augmentations):
    run = finished.read(make_run(augmentations=augmentations, sizes=(1, 10, 60)))
    across = ("overview", "scores-compared", "examples")  # the others are the same for one augmentation and for three
    for name, make in (entry for entry in plots.figures(run) if len(augmentations) == 1 or entry[0].startswith(across)):
        figure = draw(make)
        texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
        for axes in figure.axes:
            texts += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        width, height = figure.canvas.get_width_height()
        for text in texts:
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
                assert inside, f"{name}: {text.get_text()!r} is clipped"
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= width
            for axes in figure.axes:
                assert box.y1 < axes.xaxis.label.get_window_extent().y0 or not axes.get_xlabel()
            for text in figure.texts:
                assert text.get_window_extent().y1 < box.y0


def test_curves_of_a_figure_differ_in_grey_and_in_shape(make_run):
    run = finished.read(make_run())
    for kind in plots.KINDS:
        looks = [style.look(c.policy, c.update, c.downweight) for c in plots.shown(run, "translate", "loss", kind)]
        assert len({(look.marker, str(look.dashes)) for look in looks}) == len(looks)
        for one, other in itertools.combinations(looks, 2):
            assert abs(lightness(one.color) - lightness(other.color)) > 10


def lightness(color):
    """CIE L* of an sRGB colour."""
    channels = np.array(colors.to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return 116 * np.cbrt(luminance) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_scores_are_compared_on_one_panel(make_run):
    folder = make_run()
    (axes,) = draw(plots.score_comparison, finished.read(folder)).axes
    for score, kind in itertools.product(("influence", "loss"), plots.KINDS):
        expected = accuracies(folder, "translate", score, f"{kind}_proportional")
        means = [np.mean(expected[size]) for size in sorted(expected)]
        np.testing.assert_allclose(line_of(axes, f"{score}, {kind}").get_ydata(), means, rtol=1e-12)


# ---- scores and images -----------------------------------------------------------------------------------------------


def test_histograms_count_scores_before_and_after(make_run):
    folder = make_run()
    figure = draw(plots.point_scores, finished.read(folder), "translate", "influence")
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


@pytest.mark.parametrize("seed", range(3))
def test_spearman_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, 50).astype(float), rng.normal(size=50)
    assert tables.spearman(a, a + b) == pytest.approx(stats.spearmanr(a, a + b).statistic, abs=1e-12)


def test_spearman_of_a_constant_is_undefined(make_run):
    assert np.isnan(tables.spearman(np.ones(5), np.arange(5.0)))
    folder = make_run()
    np.save(folder / "arrays/scores-translate-loss-after.npy", np.zeros(60))
    figure = draw(plots.point_scores, finished.read(folder), "translate", "loss")
    assert figure.axes[2].get_title(loc="left") == "Spearman undefined"


def test_extremes_go_by_size_and_keep_the_order_of_ties():
    highest, lowest = plots.extremes(np.array([-5.0, 0.0, 3.0, -3.0, 0.0, 4.0]), 3)
    assert highest.tolist() == [0, 5, 2]
    assert lowest.tolist() == [1, 4, 2]


@pytest.mark.parametrize("shape", [(9, 7, 1), (6, 11, 3)])
def test_galleries_show_the_images_of_extreme_score(make_run, shape):
    folder = make_run(shape=shape)
    figure = draw(plots.gallery, finished.read(folder), "translate", "influence")
    images = np.load(folder / "arrays/x_train.npy")
    order = np.argsort(np.abs(np.load(folder / "arrays/scores-translate-influence-before.npy")))
    shown = [axes.images[0].get_array() for axes in figure.axes]
    for image, index in zip(shown, [*order[:-11:-1], *order[:10]], strict=True):
        np.testing.assert_array_equal(np.reshape(image, shape), images[index])


def test_few_points_make_a_small_gallery(make_run):
    run = finished.read(make_run(n=3, sizes=(1, 3)))
    panels = draw(plots.gallery, run, "translate", "loss").axes
    assert len(panels) == 6
    for axes in panels:
        box = axes.get_position()
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1


def test_examples_show_the_original_first(make_run):
    folder = make_run()
    batch = np.random.default_rng(0).integers(0, 256, (11, 4, 5, 3), dtype=np.uint8)
    np.save(folder / "arrays/examples-translate.npy", batch)
    figure = draw(plots.examples, finished.read(folder), "translate")
    for axes, image in zip(figure.axes, batch, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)


def test_one_gallery_stands_for_equal_scores(make_run):
    folder = make_run(augmentations=("translate", "crop"), scores=("loss",))
    run = finished.read(folder)
    assert list(plots.distinct_galleries(run)) == [("translate", "loss"), ("crop", "loss")]
    shutil.copy(folder / "arrays/scores-translate-loss-before.npy", folder / "arrays/scores-crop-loss-before.npy")
    assert list(plots.distinct_galleries(run)) == [("translate", "loss")]


# ---- statistics and tables -------------------------------------------------------------------------------------------


def test_auc_is_the_mean_height_by_trapezoids():
    curve = finished.Curve(
        "baseline", 0, False, False, np.array([1, 3, 4]), np.array([[0.5, 0.7, 0.9], [1.0, 1.0, 1.0]])
    )
    by_hand = [(2 * (0.5 + 0.7) / 2 + (0.7 + 0.9) / 2) / 3, 1.0]
    np.testing.assert_allclose(tables.auc(curve), by_hand, rtol=1e-15)


def test_auc_of_one_size_is_undefined(make_run):
    folder = make_run(sizes=(10,))
    assert np.isnan(tables.auc(finished.read(folder).curves["translate", "loss"][0])).all()
    assert "--" in tables.auc_tex(finished.read(folder))


def test_tables_hold_what_the_file_gives(make_run):
    folder = make_run(rounds=3)
    written = {path.name: path for path in tables.write(folder)}
    assert set(written) == {"accuracy.csv", "auc.csv", "auc.tex"}

    with open(written["auc.csv"], newline="") as file:
        areas = list(csv.DictReader(file))
    assert len(areas) == 2 * 12
    (row,) = [
        r for r in areas if (r["score"], r["policy"], r["update"]) == ("loss", "random_inverse_proportional", "False")
    ]
    values = accuracies(folder, "translate", "loss", "random_inverse_proportional")
    sizes = sorted(values)
    areas = np.trapezoid(np.array([values[size] for size in sizes]).T, sizes, axis=1) / (sizes[-1] - sizes[0])
    low, high = stats.t.interval(0.95, 2, loc=areas.mean(), scale=stats.sem(areas))
    found = [float(row[column]) for column in ("auc_mean", "auc_std", "auc_low", "auc_high")]
    np.testing.assert_allclose(found, [areas.mean(), areas.std(ddof=1), low, high], atol=1e-6)

    with open(written["accuracy.csv"], newline="") as file:
        cells = {(r["score"], r["policy"], r["update"], r["downweight"], r["size"]): r for r in csv.DictReader(file)}
    row = cells["loss", "random_inverse_proportional", "False", "False", "30"]
    assert float(row["mean"]) == pytest.approx(np.mean(values[30]), abs=1e-6)
    deterministic = cells["loss", "deterministic_proportional", "True", "True", "30"]
    assert (deterministic["rounds"], deterministic["std"], deterministic["low"]) == ("1", "", "")


def test_latex_is_balanced_and_escaped(make_run):
    text = tables.auc_tex(finished.read(make_run(augmentations=("crop_2", "rotate"))))
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 2 + 12
    assert {line.count("&") for line in body} == {4}
    assert r"crop\_2" in text
    assert not re.search(r"(?<!\\)_", text)
    assert text.count("$") % 2 == 0


def test_difference_is_welchs_interval():
    a, b = np.array([0.9, 0.92, 0.95]), np.array([0.8, 0.86, 0.83, 0.84])
    found = tables.difference_interval(a, b)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high], rtol=1e-10)


def test_one_value_counts_as_exact_in_a_difference():
    b = np.array([0.8, 0.86, 0.83, 0.84])
    found = tables.difference_interval(np.array([0.9]), b)
    low, high = stats.t.interval(0.95, 3, loc=b.mean(), scale=stats.sem(b))
    np.testing.assert_allclose([found.low, found.high], [0.9 - high, 0.9 - low], rtol=1e-12)
    assert np.isnan(tables.difference_interval(np.array([0.9]), np.array([0.8])).low)
    same = tables.difference_interval(np.array([0.9, 0.9]), np.array([0.5, 0.5]))
    assert (same.low, same.high) == (pytest.approx(0.4), pytest.approx(0.4))


def test_milestones_are_measured_sizes(make_run):
    run = finished.read(make_run(n=60, sizes=(1, 10, 30, 60)))
    assert tables.milestones(run, "translate", "loss") == [10, 30]
    assert tables.milestones(run, "translate", "loss", [1.0]) == [60]


# ---- files -----------------------------------------------------------------------------------------------------------


def test_draw_writes_every_figure_and_table_the_same_each_time(make_run):
    folder = make_run()
    first = plots.draw(folder)
    contents = {path: path.read_bytes() for path in first}
    names = {path.relative_to(folder).as_posix() for path in first}
    stems = ["overview-influence", "overview-loss", "scores-compared", "examples-translate"]
    stems += [f"curves-translate-{s}-{kind}" for s in ("influence", "loss") for kind in plots.KINDS]
    stems += [f"{what}-translate-{s}" for what in ("point-scores", "gallery") for s in ("influence", "loss")]
    figures = {f"figures/{stem}.{suffix}" for stem in stems for suffix in ("pdf", "png")}
    assert names == figures | {"tables/accuracy.csv", "tables/auc.csv", "tables/auc.tex"}
    for path, content in contents.items():
        if path.suffix in (".pdf", ".png"):
            assert content.startswith({".pdf": b"%PDF-", ".png": b"\x89PNG"}[path.suffix])
    time.sleep(1.1)  # a time stamp of seconds would change
    with matplotlib.rc_context({"xtick.major.size": 20, "axes.labelpad": 30}):
        assert plots.draw(folder) == first
    assert {path: path.read_bytes() for path in first} == contents
    assert not [path for path in folder.rglob("*") if path.name.endswith(".partial")]


def test_drawing_leaves_the_settings_of_matplotlib_alone(make_run):
    with matplotlib.rc_context({"lines.linewidth": 9}):
        before = dict(matplotlib.rcParams)
        plots.draw(make_run(scores=("loss",), curves=[("baseline", False, False, 1.0)]))
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("others", [[], [("baseline", False, False, 1.0)]])
def test_a_run_without_deterministic_policies(make_run, others):
    run = finished.read(make_run(curves=[*others, ("random_softmax_proportional", True, True, 1.0)], scores=("loss",)))
    names = [name for name, _ in plots.figures(run)]
    assert "curves-translate-loss-random" in names
    assert "curves-translate-loss-deterministic" not in names
    for _, make in plots.figures(run):
        draw(make)


def test_a_run_of_the_baseline_alone(make_run):
    run = finished.read(make_run(curves=[("baseline", False, False, 1.0)]))
    for _, make in plots.figures(run):
        draw(make)
    (axes,) = draw(plots.overview, run, "loss").axes
    assert len(line_of(axes, "baseline (uniform)").get_xdata()) == 4


def replace(folder, name, old, new):
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def array(name, values):
    return lambda folder: np.save(folder / "arrays" / f"{name}.npy", values)


DAMAGE = {
    "no config": ("config.json", lambda f: (f / "config.json").unlink()),
    "no results": ("results.csv", lambda f: (f / "results.csv").unlink()),
    "no references": ("references.csv", lambda f: (f / "references.csv").unlink()),
    "config is no JSON": ("config.json", lambda f: (f / "config.json").write_text("{")),
    "config is a list": ("config.json", lambda f: (f / "config.json").write_text("[]")),
    "config is deep": ("config.json", lambda f: (f / "config.json").write_text("[" * 10**6)),
    "settings are a list": ("config.json", lambda f: (f / "config.json").write_text('{"settings": []}')),
    "results are empty": ("results.csv", lambda f: (f / "results.csv").write_text("")),
    "results are binary": ("results.csv", lambda f: (f / "results.csv").write_bytes(b"\x89PNG\r\n\xff\x00" * 9)),
    "a column is gone": ("results.csv", lambda f: replace(f, "results.csv", "accuracy", "precision")),
    "a line is short": ("results.csv", lambda f: append(f, "translate,loss\n")),
    "a quote is open": ("results.csv", lambda f: append(f, '"translate,loss\n')),
    "a size is no number": ("results.csv", lambda f: replace(f, "results.csv", ",0,1,", ",0,one,")),
    "a size is negative": ("results.csv", lambda f: replace(f, "results.csv", ",0,1,", ",0,-1,")),
    "accuracy above 1": ("results.csv", lambda f: replace(f, "results.csv", ",64,0.", ",64,7.")),
    "accuracy is NaN": ("results.csv", lambda f: replace(f, "results.csv", ",64,0.", ",64,nan#")),
    "a flag is neither": ("results.csv", lambda f: replace(f, "results.csv", "False", "maybe")),
    "a name with a path": ("results.csv", lambda f: rename(f, "translate", "../../etc")),
    "text after a quote": ("results.csv", lambda f: replace(f, "results.csv", "\ntranslate", '\n"trans"late')),
    "a round lacks a size": ("results.csv", lambda f: replace_rows(f, without_one(rows_of(f)))),
    "a line twice": ("results.csv", lambda f: replace_rows(f, rows_of(f) + rows_of(f)[:1])),
    "no reference": ("references.csv", lambda f: replace(f, "references.csv", "translate", "rotate")),
    "labels are gone": ("y_train.npy", lambda f: (f / "arrays/y_train.npy").unlink()),
    "labels are fractions": ("y_train.npy", array("y_train", np.zeros(60))),
    "images are floats": ("x_train.npy", array("x_train", np.zeros((60, 5, 5, 1)))),
    "images are flat": ("x_train.npy", array("x_train", np.zeros((60, 25), np.uint8))),
    "images have two channels": ("x_train.npy", array("x_train", np.zeros((60, 5, 5, 2), np.uint8))),
    "too few images": ("x_train.npy", array("x_train", np.zeros((59, 5, 5, 1), np.uint8))),
    "too few scores": ("scores-translate-loss-before.npy", array("scores-translate-loss-before", np.zeros(59))),
    "scores are NaN": ("scores-translate-loss-after.npy", array("scores-translate-loss-after", np.full(60, np.nan))),
    "scores are text": ("scores-translate-loss-after.npy", array("scores-translate-loss-after", np.full(60, "a"))),
    "scores are objects": ("scores-translate-loss-after.npy", array("scores-translate-loss-after", np.full(60, None))),
    "an array is cut": ("is_sv.npy", lambda f: cut(f / "arrays/is_sv.npy", 140)),
    "an array is empty": ("is_sv.npy", lambda f: cut(f / "arrays/is_sv.npy", 0)),
    "an array is text": ("examples-translate.npy", lambda f: (f / "arrays/examples-translate.npy").write_text("hello")),
    "an array is an archive": ("examples-translate.npy", lambda f: archive(f / "arrays/examples-translate.npy")),
    "an array claims 2^60": ("is_sv.npy", lambda f: claim(f / "arrays/is_sv.npy")),
    "timings are no numbers": ("timings.csv", lambda f: replace(f, "timings.csv", "41.5", "long")),
}  # fmt: skip


def replace_rows(folder, rows):
    header = (folder / "results.csv").read_text().splitlines()[0].split(",")
    with open(folder / "results.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


def rename(folder, old, new):
    for name in ("results.csv", "references.csv"):
        path = folder / name
        path.write_text(path.read_text().replace(old, new))
    for path in (folder / "arrays").glob(f"*-{old}*"):
        target = path.parent / path.name.replace(old, new)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def append(folder, text):
    path = folder / "results.csv"
    path.write_text(path.read_text() + text)


def without_one(rows):
    """All rows but one of a configuration with several rounds."""
    lost = next(index for index, row in enumerate(rows) if row["policy"] == "baseline" and row["round"] == "1")
    return rows[:lost] + rows[lost + 1 :]


def cut(path, length):
    path.write_bytes(path.read_bytes()[:length])


def archive(path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    path.write_bytes(buffer.getvalue())


def claim(path):
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,), }\n"
    path.write_bytes(header + len(text).to_bytes(2, "little") + text + b"\0" * 64)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_refused_by_file(make_run, damage):
    folder = make_run()
    name, harm = DAMAGE[damage]
    harm(folder)
    with pytest.raises(FileFormatError, match=re.escape(name)) as caught:
        plots.draw(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "figures").exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileFormatError, match=r"nowhere.config\.json"):
        plots.draw(tmp_path / "nowhere")


def test_a_missing_matplotlib_names_the_extra(run_python):
    code = "import sys; sys.modules['matplotlib'] = None; import augcore.experiments.plots"
    process = run_python(code, check=False)
    assert "pip install 'augcore[experiments]'" in process.stderr.splitlines()[-1]


def test_settings_may_be_anything(make_run):
    folder = make_run(settings={"dataset": None, "nested": {"deep": {"er": [1, None, {"a": 1}]}}})
    assert json.loads((folder / "config.json").read_text())["settings"] == finished.read(folder).settings
