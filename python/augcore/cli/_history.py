"""The figure of a training: accuracy, loss and learning rate by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from augcore import _files
from augcore.experiments import style
from augcore.experiments.style import Axes, Figure, Frame
from augcore.features.checkpoints import Epoch

__all__ = ["draw"]

_FRAME = Frame(width=5.2, inner_height=4.2, left=0.82, right=0.7, top=0.34, bottom=0.46, rows=3, gap=(0.0, 0.16))
_LABEL = -0.62  # inches to the left of the axis: beside the longest numbers, and the same for all three
_LINE = 0.13  # inches of a line of text


def draw(history: Sequence[Epoch], title: str, note: str, folder: Path) -> list[Path]:
    """Writes history.pdf and history.png into a folder; both paths."""
    with style.settings():
        figure = _figure(history, title, note)
        data = {".pdf": style.pdf(figure), ".png": style.png(figure)}
    paths = []
    for suffix, content in data.items():
        paths.append(folder / f"history{suffix}")
        with _files.atomic_write(paths[-1]) as file:
            file.write(content)
    return paths


def _figure(history: Sequence[Epoch], title: str, note: str) -> Figure:
    from matplotlib.ticker import MaxNLocator

    last = history[-1]
    frame = _FRAME._replace(bottom=_FRAME.bottom + style.note_height(note, _FRAME.width))
    figure = style.figure(frame.width, frame.height)
    accuracy, loss, rate = (frame.axes(figure, row) for row in range(frame.rows))
    accuracy.set_title(title)
    _line(accuracy, history, "train_accuracy", style.GREY, (0, (5, 2)))
    _line(accuracy, history, "test_accuracy", style.INK)
    style.percent_axis(accuracy)
    _name_ends(
        accuracy, last.epoch, {"training": (last.train_accuracy, style.GREY), "test": (last.test_accuracy, style.INK)}
    )
    accuracy.set_ylabel("images right")
    _line(loss, history, "loss", style.GREY, (0, (5, 2)))
    _name_ends(loss, last.epoch, {"training": (last.loss, style.GREY)})
    loss.set_ylabel("loss")
    loss.grid(axis="y")
    _line(rate, history, "learning_rate", style.INK)
    rate.set_ylim(bottom=0)
    rate.set_ylabel("learning rate")
    rate.set_xlabel("epoch")
    rate.grid(axis="y")
    for axes in (accuracy, loss, rate):
        axes.set_xlim(0, len(history))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_label_coords(_LABEL / _FRAME.inner_width, 0.5)
        axes.tick_params(labelbottom=axes is rate)
    style.note(figure, note)
    return figure


def _line(axes: Axes, history: Sequence[Epoch], column: str, color: str, dashes: object = "solid") -> None:
    """One column of the history; a point for each epoch while they are few."""
    values = [getattr(epoch, column) for epoch in history]
    marker = "o" if len(history) <= 40 else ""
    epochs = [epoch.epoch for epoch in history]
    axes.plot(epochs, values, color=color, linestyle=dashes, marker=marker, markersize=2.4, clip_on=False)


def _name_ends(axes: Axes, epoch: int, ends: dict[str, tuple[float, str]]) -> None:
    """Names lines, {name: (where it ends, color)}, beside their ends; two names that would touch are moved apart."""
    low, high = axes.get_ylim()
    inches = _FRAME.inner_height / _FRAME.rows / (high - low)
    order = sorted(ends, key=lambda name: ends[name][0])
    gap = (ends[order[-1]][0] - ends[order[0]][0]) * inches
    apart = max(0.0, _LINE - gap) / 2 if len(order) > 1 else 0.0
    for name, shift in zip(order, (-apart, apart), strict=False):
        end, color = ends[name]
        axes.annotate(
            name,
            (epoch, end),
            xytext=(5, 72 * shift),
            textcoords="offset points",
            color=color,
            va="center",
            annotation_clip=False,
            fontsize=7.5,
        )
