"""The look of figures: what is written on axes and lines can be read, on paper too, and agrees with itself."""

from __future__ import annotations

import io

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
from conftest import MAIN  # noqa: E402
from drawing import CLUSTERS, DPP, add_sweep, draw, line_of  # noqa: E402
from matplotlib.text import Text  # noqa: E402
from PIL import Image  # noqa: E402

from augcore.experiments import finished, plots, style  # noqa: E402

PAPER = (3.3, 6.75)  # inches: a column, and both
PIXEL = 1 / style.DPI
ACROSS = ("overview", "scores-compared", "cluster-counts")  # a column for each augmentation


@pytest.mark.parametrize(
    ("augmentations", "curves"),
    [(("translate",), MAIN), (("translate", "rotate", "crop"), MAIN[:6]), (("translate",), DPP + CLUSTERS)],
    ids=["one", "three", "k-DPP and clusters"],
)
def test_type_has_six_points_in_a_paper(make_run, augmentations, curves):
    """At the width of a column where there is one panel to a row, else at that of both."""
    folder = make_run(augmentations=augmentations, curves=curves, scores=("influence",))
    add_sweep(folder)
    for name, make in plots.figures(finished.read(folder)):
        figure = draw(make)
        lone = name.startswith("curves") or (len(augmentations) == 1 and name.startswith(ACROSS))
        scale = min(1, PAPER[0 if lone else 1] / figure.get_size_inches()[0])
        sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        assert min(sizes) * scale >= 6, name


def panel(low, high, which="linear"):
    with style.settings():
        figure = style.figure(3.0, 2.0)
        axes = style.Frame(3.0, 1.5, left=0.6, right=0.1, top=0.1, bottom=0.4).axes(figure)
        axes.set_ylim(low, high)
        if which == "linear":
            style.percent_axis(axes)
        else:
            style.log_axis(axes, "y")
            axes.set_ylim(low, high)
        figure.canvas.draw()
    return axes


def labels(axes):
    low, high = axes.get_ylim()
    return [label.get_text() for label in axes.get_yticklabels() if low <= label.get_position()[1] <= high]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.972, 0.9801, ["97.2%", "97.4%", "97.6%", "97.8%", "98.0%"]),
        (0.963, 0.9851, ["96.5%", "97.0%", "97.5%", "98.0%", "98.5%"]),
        (0.9798, 0.9802, ["97.98%", "97.99%", "98.00%", "98.01%", "98.02%"]),
        (0.93, 1.009, ["94%", "96%", "98%", "100%"]),
    ],
)
def test_percents_of_an_axis_have_the_same_digits(low, high, expected):
    found = labels(panel(low, high))
    assert [text for text in found if text in expected] == expected
    assert len({len(text.partition(".")[2]) for text in found if text}) == 1


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.05, 12, ["0.1", "1", "10"]),
        (0.7, 1600, ["1", "10", "100", "1,000"]),
        (1e-7, 2, ["10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]),
        (0.5, 2e7, ["10⁰", "10²", "10⁴", "10⁶"]),
    ],
)
def test_powers_are_all_written_out_or_none_is(low, high, expected):
    found = labels(panel(low, high, "log"))
    assert len(found) > 1
    assert set(found) <= set(expected)


@pytest.mark.parametrize(
    ("count", "grid"), [(0, (1, 0)), (1, (1, 1)), (3, (3, 1)), (4, (4, 1)), (5, (3, 2)), (7, (4, 2)), (9, (3, 3))]
)
def test_a_legend_has_no_half_empty_column(count, grid):
    assert style.legend_grid([f"policy {index}" for index in range(count)], 7.5) == grid


@pytest.mark.parametrize("width", [2.0, 3.3, 7.0])
def test_small_print_is_broken_before_the_margin_and_takes_the_room_that_it_says(width):
    text = "Lines: mean over rounds.\n" + "Bands: 95% t-intervals of that mean over 5 rounds. " * 4
    with style.settings():
        figure = style.figure(width, 4.0)
        style.note(figure, text)
        figure.canvas.draw()
    (note,) = figure.texts
    box = note.get_window_extent()
    assert box.x1 * PIXEL <= width
    assert box.y1 * PIXEL <= style.note_height(text, width)
    assert note.get_text().split() == text.split()


@pytest.mark.parametrize(
    ("accuracy", "above", "left"),
    [
        ([0.1, 0.2, 0.3, 0.4], True, True),  # free: as asked
        ([0.55, 0.55, 0.3, 0.4], True, False),  # in the way at this end
        ([0.55, 0.55, 0.55, 0.55], False, True),  # in the way at both
    ],
)
def test_lines_are_named_where_no_curve_runs(accuracy, above, left):
    axes = panel(0, 1)
    axes.axhline(0.5)
    axes.set_xlim(0, 3)
    axes.plot(np.arange(4), accuracy, label="curve")
    style.name_line(axes, "all 50%", 0.5, above=True, side="left")
    axes.figure.canvas.draw()
    (name,) = axes.texts
    box = name.get_window_extent()
    line = axes.transData.transform((0, 0.5))[1]
    assert (box.y0 > line) == above
    assert (box.y1 < line) != above
    assert (box.x0 < axes.bbox.x0 + 10) == left
    points = axes.transData.transform(line_of(axes, "curve").get_xydata())
    assert not box.count_contains(points)


def test_names_of_lines_do_not_lie_on_each_other_or_leave_the_panel():
    axes = panel(0, 1)
    for level, above in ((0.5, True), (0.5, True), (0.99, True)):
        style.name_line(axes, "all 50%", level, above=above, side="left")
    boxes = [text.get_window_extent() for text in axes.texts]
    for index, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:index])
        assert box.y1 <= axes.bbox.y1


def test_charts_are_small_and_photos_whole(make_run):
    folder = make_run(shape=(64, 64, 3), scores=("influence",))
    noise = np.random.default_rng(0).integers(0, 256, (60, 64, 64, 3), dtype=np.uint8)
    np.save(folder / "arrays/x_train.npy", noise)
    figures = dict(plots.figures(finished.read(folder)))
    with style.settings():
        chart = Image.open(io.BytesIO(style.png(figures["overview-influence"]())))
        photos = Image.open(io.BytesIO(style.png(figures["gallery-translate-influence"]())))
    assert chart.mode == "P"
    assert chart.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert photos.mode == "RGB"
    assert len(photos.getcolors(2**24)) > 10_000
