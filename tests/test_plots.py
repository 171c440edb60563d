"""The figures of a finished run: which there are, whether all fits in, their files, and what is refused."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import time

import numpy as np
import pytest
from conftest import MAIN
from drawing import CLUSTERS, DPP, add_sweep, draw, line_of, rows_of

from augcore import FileFormatError

matplotlib = pytest.importorskip("matplotlib")
from augcore.experiments import accuracy_plots, finished, plots  # noqa: E402
from augcore.experiments.results import SWEEP_COLUMNS  # noqa: E402

# ---- what fits -------------------------------------------------------------------------------------------------------

FOUR = ("influence", "alo", "gradient_dot", "hinge_loss")


@pytest.mark.parametrize(
    ("augmentations", "scores", "curves"),
    [
        (("translate",), ("influence", "loss"), MAIN),
        (("translate", "rotate"), ("influence", "loss"), MAIN),
        (("translate", "rotate", "crop"), ("influence", "loss"), MAIN),
        (("translate",), FOUR, DPP),
        (("translate",), ("loss",), MAIN[:3]),
        (("translate", "rotate", "crop"), FOUR, MAIN[:1] + MAIN[6:7]),
        (("translate",), ("hinge_loss",), CLUSTERS),
        (("translate", "rotate", "crop"), ("hinge_loss",), CLUSTERS),
    ],
    ids=["one", "two", "three", "k-DPP", "few policies", "four scores", "clusters", "clusters of three"],
)
def test_nothing_is_clipped(make_run, augmentations, scores, curves):
    folder = make_run(augmentations=augmentations, scores=scores, curves=curves, sizes=(1, 10, 60))
    add_sweep(folder)
    np.save(folder / "arrays/class_names.npy", np.array(["a class with a very long name", "automobile"]))
    run = finished.read(folder)
    across = ("overview", "scores-compared", "examples", "cluster-counts", "support")
    # The others are the same for one augmentation and for three.
    for name, make in (entry for entry in plots.figures(run) if len(augmentations) == 1 or entry[0].startswith(across)):
        figure = draw(make)
        titles = [axes._left_title for axes in figure.axes if axes._left_title.get_text()]
        ticks = [label for axes in figure.axes for label in shown_labels(axes.xaxis)]
        for one, other in itertools.chain(itertools.combinations(titles, 2), itertools.combinations(ticks, 2)):
            if one.get_visible() and other.get_visible():
                apart = not one.get_window_extent().overlaps(other.get_window_extent())
                assert apart, f"{name}: {one.get_text()!r} runs into {other.get_text()!r}"
        texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
        for axes in figure.axes:
            texts += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
            for axis in (axes.xaxis, axes.yaxis):
                texts += shown_labels(axis)
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


def test_draw_writes_every_figure_and_table_the_same_each_time(make_run):
    folder = make_run()
    first = plots.draw(folder)
    contents = {path: path.read_bytes() for path in first}
    names = {path.relative_to(folder).as_posix() for path in first}
    stems = ["overview-influence", "overview-loss", "scores-compared", "examples-translate", "support-vectors"]
    stems += [f"curves-translate-{s}-{k}" for s in ("influence", "loss") for k in ("random", "deterministic")]
    stems += [f"{what}-translate-{s}" for what in ("point-scores", "gallery", "facets") for s in ("influence", "loss")]
    figures = {f"figures/{stem}.{suffix}" for stem in stems for suffix in ("pdf", "png")}
    made = {f"tables/{name}.{kind}" for name in ("accuracy", "auc", "gains", "references") for kind in ("csv", "tex")}
    assert names == figures | made | {"tables/spearman.csv"}
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


def shown_labels(axis):
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high and tick.label1.get_text()]


def test_a_run_without_curves(make_run):
    """What remains are the scores and the images, and where clusters were swept, those."""
    folder = make_run(curves=(), settings={"scores": ["influence", "loss", "../../etc", 3, "entropy"]})
    run = finished.read(folder)
    assert run.scored == [("translate", "influence"), ("translate", "loss")]
    figures = dict(plots.figures(run))
    scores = {f"{what}-translate-{score}" for what in ("point-scores", "gallery") for score in ("influence", "loss")}
    assert set(figures) == scores | {"support-vectors", "examples-translate"}
    add_sweep(folder)
    plots.draw(folder)
    drawn = {path.stem for path in (folder / "figures").iterdir()}
    assert drawn == {*figures, "sweep"}


def test_more_than_two_classes_have_no_support_vectors(make_run):
    folder = make_run()
    np.save(folder / "arrays/is_sv.npy", np.zeros(60, dtype=bool))
    (folder / "references.csv").write_text(re.sub(r"0\.94,12,", "nan,0,", (folder / "references.csv").read_text()))
    run = finished.read(folder)
    assert np.isnan(run.references["translate"].vsv)
    names = [name for name, _ in plots.figures(run)]
    assert "support-vectors" not in names
    for name, make in plots.figures(run):
        texts = [text.get_text() for text in draw(make).findobj(matplotlib.text.Text)]
        assert not [text for text in texts if "support" in text], name


def test_a_run_of_the_baseline_alone(make_run):
    run = finished.read(make_run(curves=[("baseline", False, False, 1.0)]))
    for _, make in plots.figures(run):
        draw(make)
    (axes,) = draw(accuracy_plots.overview, run, "loss").axes
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
    "names are numbers": ("class_names.npy", array("class_names", np.arange(2))),
    "a sweep is empty": ("sweep.csv", lambda f: (f / "sweep.csv").write_text(",".join(SWEEP_COLUMNS) + "\n")),
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
