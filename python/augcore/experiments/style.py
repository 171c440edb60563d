"""One look for every figure: the settings, what a policy's line looks like, the axis of sizes, the bytes of a figure.

Colours were searched for under three constraints at once: distinct with normal, deuteranopic and protanopic sight
(a CIELAB distance of at least 31 between any two curves of the main experiment) and distinct in grey (at least 11 steps
of lightness). Marker and dash say the same again. Numbers of clusters, which have an order, are steps from light to
dark instead. Figures are made by objects, never through pyplot, so nothing here
changes the state of a program that draws for itself.
"""

from __future__ import annotations

import contextlib
import io
import math
import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore._errors import missing_extra

try:
    import matplotlib.style
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.image import imsave
    from matplotlib.lines import Line2D
    from matplotlib.ticker import (
        FixedLocator,
        Formatter,
        FuncFormatter,
        LogLocator,
        MaxNLocator,
        NullFormatter,
        NullLocator,
    )
    from PIL import Image
except ImportError:
    raise missing_extra("matplotlib", "experiments") from None

__all__ = [
    "ALL",
    "COLUMN",
    "DPI",
    "GREY",
    "INK",
    "NONE",
    "Axes",
    "Figure",
    "Frame",
    "Look",
    "count_axis",
    "few_ticks",
    "figure",
    "image_png",
    "legend",
    "legend_grid",
    "log_axis",
    "look",
    "name_line",
    "note",
    "note_height",
    "pdf",
    "percent_axis",
    "place_look",
    "png",
    "score_look",
    "settings",
    "size_axis",
    "step",
]

INK = "#1a1a1a"
GREY = "#6b6b6b"
DPI = 160
COLUMN = 3.3  # inches: a column of a paper in two columns, where type of less than 6 points cannot be read

# The horizontal lines: everything augmented, nothing augmented.
ALL: Any = (0, (8, 3))
NONE: Any = (0, (1, 2))

_NO_SOFTWARE: Any = {"Software": None}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.7,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.2,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
}


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Within it matplotlib has this look, whatever the user's own settings are; afterwards it is as it was."""
    with matplotlib.style.context(_SETTINGS, after_reset=True):
        yield


class Look(NamedTuple):
    """How a curve is drawn."""

    color: str
    marker: str
    dashes: Any


_SOLID: Any = "solid"
_DASHED: Any = (0, (5, 2))
_DOTTED: Any = (0, (1.2, 1.5))
_DASHDOT: Any = (0, (6, 1.5, 1.2, 1.5))

# By kind of policy (without "random_" or "deterministic_"), update, downweight.
_LOOKS: dict[tuple[str, bool, bool], Look] = {
    ("baseline", False, False): Look("#000000", "o", _SOLID),
    ("proportional", False, False): Look("#0211a9", "s", _SOLID),
    ("proportional", True, False): Look("#147761", "^", _DASHDOT),
    ("proportional", False, True): Look("#4eaafa", "v", _DASHED),
    ("proportional", True, True): Look("#702f88", "D", _DOTTED),
    ("inverse_proportional", False, False): Look("#c76f34", "X", _SOLID),
    ("inverse_proportional", True, False): Look("#fab82c", "P", _DASHDOT),
    ("dpp", False, False): Look("#c2477f", "p", _DASHED),
    ("dpp_scored", False, False): Look("#e58fb5", "h", _DASHDOT),
}
_OTHER_COLORS = {"inverse_proportional": "#c76f34", "softmax_proportional": "#731940"}
_OTHER_COLOR = "#8aa807"
_OTHER_LOOKS = {
    (False, False): ("<", _SOLID),
    (True, False): (">", _DASHDOT),
    (False, True): ("p", _DASHED),
    (True, True): ("h", _DOTTED),
}


def look(policy: str, update: bool = False, downweight: bool = False) -> Look:
    """How the curve of a configuration is drawn, in every figure."""
    kind = policy.removeprefix("random_").removeprefix("deterministic_")
    if (kind, update, downweight) in _LOOKS:
        return _LOOKS[kind, update, downweight]
    return Look(_OTHER_COLORS.get(kind, _OTHER_COLOR), *_OTHER_LOOKS[update, downweight])


# Light to dark, even steps of lightness: readable in grey.
_STEPS = ("#f5b13d", "#e2643a", "#a52c60", "#57106e")
_STEP_MARKERS = "os^vDPX<>"


def step(index: int, count: int, *, dashed: bool = False) -> Look:
    """How curves of something with an order are drawn: the first is the lightest, the last the darkest."""
    place = index / max(1, count - 1) * (len(_STEPS) - 1)
    low = min(int(place), len(_STEPS) - 2)
    ends = [np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) for color in _STEPS[low : low + 2]]
    channels = np.rint(ends[0] + (place - low) * (ends[1] - ends[0])).astype(int)
    color = "#" + "".join(f"{channel:02x}" for channel in channels)
    return Look(color, _STEP_MARKERS[index % len(_STEP_MARKERS)], _DASHED if dashed else _SOLID)


_SCORE_LOOKS = {
    "influence": Look("#0211a9", "s", _SOLID),
    "loss": Look("#c76f34", "X", _SOLID),
    "alo": Look("#4eaafa", "v", _DASHED),
    "margin": Look("#147761", "^", _DASHDOT),
    "hinge_loss": Look("#fab82c", "P", _DASHDOT),
    "gradient_dot": Look("#702f88", "D", _DOTTED),
    "leverage": Look("#e58fb5", "h", _DASHED),
    "entropy": Look("#8aa807", "<", _SOLID),
    "el2n": Look("#731940", ">", _DOTTED),
}


def score_look(score: str) -> Look:
    """How curves by a score are drawn beside those by others."""
    return _SCORE_LOOKS.get(score, _SCORE_LOOKS["entropy"])


def place_look(place: int) -> Look:
    """How curves are drawn that have nothing but their place to tell them apart."""
    looks = (_LOOKS["baseline", False, False], *_SCORE_LOOKS.values())
    return looks[place % len(looks)]


def figure(width: float, height: float) -> Figure:
    """An empty figure, sides in inches, with a canvas of its own."""
    made = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(made)
    return made


class Frame(NamedTuple):
    """Where the panels of a figure stand, in inches: fixed margins, so that nothing is clipped or moves about."""

    width: float
    inner_height: float
    left: float
    right: float
    top: float
    bottom: float
    rows: int = 1
    columns: int = 1
    gap: tuple[float, float] = (0.0, 0.0)

    @property
    def height(self) -> float:
        return self.inner_height + self.top + self.bottom + self.gap[1] * (self.rows - 1)

    @property
    def inner_width(self) -> float:
        """The width of one panel."""
        return (self.width - self.left - self.right - self.gap[0] * (self.columns - 1)) / self.columns

    def axes(self, figure: Figure, row: int = 0, column: int = 0) -> Axes:
        height = self.inner_height / self.rows
        x = self.left + column * (self.inner_width + self.gap[0])
        y = self.height - self.top - (row + 1) * height - row * self.gap[1]
        return figure.add_axes((x / self.width, y / self.height, self.inner_width / self.width, height / self.height))


def legend_grid(labels: Collection[str], width: float) -> tuple[int, int]:
    """In how many columns and rows labels fit below a figure of this width."""
    longest = max((len(label) for label in labels), default=1)
    most = max(1, min(4, len(labels), int(width / (0.6 + 0.055 * longest))))
    rows = -(-len(labels) // most)
    return max(1, -(-len(labels) // max(1, rows))), rows  # as few columns as these rows need: none is left half empty


def legend(figure: Figure, frame: Frame, order: Sequence[str] = ()) -> None:
    """One legend for all panels, below the label of the horizontal axis; in the order in which they name things, unless
    another is given."""
    pairs = [axes.get_legend_handles_labels() for axes in figure.axes]
    found = {label: handle for pair in pairs for handle, label in zip(*pair, strict=True)}
    entries = {label: found[label] for label in dict.fromkeys([*order, *found])}
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="upper center",
        bbox_to_anchor=(0.5, (frame.bottom - 0.42) / frame.height),
        ncol=legend_grid(entries, frame.width)[0],
        columnspacing=1.6,
        labelspacing=0.35,
        borderaxespad=0,
    )


def size_axis(axes: Axes, sizes: Sequence[int], *, width: float) -> None:
    """The horizontal axis of curves: the number of augmented points, on a square-root scale.

    A linear scale would press 1 to 100 into a tenth of the width; a logarithmic one would give them two thirds, press
    together 250 to 1000, where the policies part, and have no place for 0. Square roots spread the sizes of the
    experiment almost evenly. Every size has a tick; labels leave out those that would touch (`width`: inches).
    """
    last = max(sizes)
    axes.set_xscale("function", functions=(_signed_root, _signed_square))
    axes.set_xlim(0, last * 1.04**2)
    needed = [0.062 * len(f"{size:,}") for size in sizes]
    places = [width / 1.04 * (size / last) ** 0.5 for size in sizes]
    labelled: list[int] = []
    for index in reversed(range(len(sizes))):
        if not labelled or places[labelled[-1]] - places[index] > (needed[labelled[-1]] + needed[index]) / 2 + 0.05:
            labelled.append(index)
    axes.xaxis.set_major_locator(FixedLocator([sizes[index] for index in sorted(labelled)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _signed_root(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(values) * np.sqrt(np.abs(values))


def _signed_square(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(values) * np.square(values)


def percent_axis(axes: Axes) -> None:
    """The vertical axis of curves: accuracy, written in percent, with no labels above 100 %."""
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(_Percent())
    axes.grid(axis="y")


class _Together(Formatter):
    """Labels that depend on each other."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        return self.format_ticks([value])[0]


class _Percent(_Together):
    """Every label with the digits that the step between them needs: 98.0% beside 97.8%."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        step = 100 * min(np.diff(values), default=0.01)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [f"{100 * value:.{digits}f}%" if value < 1 + 1e-9 else "" for value in values]


def log_axis(axes: Axes, which: Literal["x", "y"]) -> None:
    """A logarithmic scale that is labelled at a few powers of ten."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(10, numticks=5))
    axis.set_major_formatter(_Powers(axis))
    axis.set_minor_locator(NullLocator())


def count_axis(axes: Axes, counts: NDArray[np.intp]) -> None:
    """The horizontal axis of numbers of clusters: logarithmic, labelled by plain numbers."""
    low, high = int(counts.min()), int(counts.max())
    axes.set_xscale("log")
    margin = max((high / low) ** 0.03, 1.05)
    axes.set_xlim(low / margin, high * margin)
    ticks = [digit * 10**power for power in range(len(str(high)) + 1) for digit in (1, 2, 5)]
    fit = [tick for tick in ticks if low <= tick <= high] or [low]
    axes.xaxis.set_major_locator(FixedLocator(fit if len(fit) < 9 else fit[:: 1 + len(fit) // 9]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())


def name_line(axes: Axes, text: str, level: float, *, above: bool, side: Literal["left", "right"]) -> None:
    """Names a horizontal line of a finished panel at this end and on this side of it, or where fewer curves run."""
    taken = [other.get_window_extent() for other in axes.texts]
    traces = [_trace(line) for line in axes.get_lines()]
    name = axes.annotate(
        text,
        (0, level),
        xycoords=("axes fraction", "data"),
        xytext=(0, 0),
        textcoords="offset points",
        fontsize=7.0,
        color="#4a4a4a",
        zorder=7,
        bbox={"facecolor": "white", "alpha": 0.6, "linewidth": 0, "pad": 0.4},
    )

    def put(place: tuple[bool, str]) -> None:
        over, end = place
        name.xy = (0.015 if end == "left" else 0.985, level)
        name.xyann = (0, 2.5 if over else -2.5)
        name.set(ha=end, va="bottom" if over else "top")

    def cost(place: tuple[bool, str]) -> int:
        put(place)
        box = name.get_window_extent().padded(1)
        free = axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1 and not box.count_overlaps(taken)
        return sum(box.count_contains(trace) for trace in traces) + (0 if free else 10**6)

    other = "right" if side == "left" else "left"
    put(min([(above, side), (above, other), (not above, side), (not above, other)], key=cost))


def _trace(line: Line2D) -> NDArray[np.float64]:
    """Close points along a line, in pixels."""
    x, y = line.get_transform().transform(line.get_xydata()).T
    places = np.linspace(x[0], x[-1], 400)
    return np.column_stack([places, np.interp(places, x, y)])


def few_ticks(axes: Axes, which: Literal["x", "y"]) -> None:
    """At most five steps: labels of many digits would run into each other."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))


class _Powers(_Together):
    """Plain numbers where all labels of the axis are short as such, powers of ten where one is not."""

    def __init__(self, owner: Axis) -> None:
        self._owner = owner

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        low, high = sorted(self._owner.get_view_interval())
        exponents = [round(math.log10(value)) for value in values]
        shown = [exponent for exponent, value in zip(exponents, values, strict=True) if low <= value <= high]
        if all(-2 <= exponent <= 4 for exponent in shown):
            return [f"{10.0**exponent:,.{max(0, -exponent)}f}" for exponent in exponents]
        return ["10" + str(exponent).translate(_SUPERSCRIPTS) for exponent in exponents]


_NOTE_SIZE, _NOTE_SPACING = 7.0, 1.35  # points, lines


def note(figure: Figure, text: str) -> None:
    """The small print at the foot of a figure, from the left margin to the right one."""
    width, height = figure.get_size_inches()
    figure.text(
        0.08 / width,
        0.05 / height,
        "\n".join(_note_lines(text, width)),
        fontsize=_NOTE_SIZE,
        color=GREY,
        ha="left",
        va="bottom",
        linespacing=_NOTE_SPACING,
    )


def note_height(text: str, width: float) -> float:
    """What the small print takes at the foot of a figure of this width, in inches."""
    return 0.06 + len(_note_lines(text, width)) * _NOTE_SIZE * _NOTE_SPACING / 72


def _note_lines(text: str, width: float) -> list[str]:
    """Lines that fit: a letter of small print is 0.05 inches wide."""
    return [part for line in text.splitlines() for part in textwrap.wrap(line, max(20, int((width - 0.16) / 0.0505)))]


def png(figure: Figure) -> bytes:
    """A figure as PNG, the same bytes each time.

    A chart needs no more than 256 colours, and takes a third of the room with them; photos keep theirs.
    """
    pixels = io.BytesIO()
    figure.savefig(pixels, format="rgba", dpi=DPI)
    drawn = Image.frombytes("RGBA", figure.canvas.get_width_height(), pixels.getvalue()).convert("RGB")
    if not any(axes.images for axes in figure.axes):
        drawn = drawn.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    drawn.save(buffer, format="png", dpi=(DPI, DPI))
    return buffer.getvalue()


def pdf(figure: Figure) -> bytes:
    """A figure as PDF, the same bytes each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="pdf", metadata={"Creator": None, "Producer": None, "CreationDate": None})
    return buffer.getvalue()


def image_png(image: NDArray[np.uint8]) -> bytes:
    """A photo (H, W, 1 or 3) pixel for pixel as PNG."""
    buffer = io.BytesIO()
    pixels = image if image.shape[2] == 3 else image[:, :, 0]
    imsave(buffer, pixels, vmin=0, vmax=255, cmap="gray", format="png", metadata=_NO_SOFTWARE)
    return buffer.getvalue()
