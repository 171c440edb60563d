"""The figure of a training: accuracy, loss and learning rate by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from augcore import _files
from augcore.experiments import style
from augcore.experiments.style import Axes, Figure, Frame
from augcore.features.checkpoints import Epoch

__all__ = ["draw"]

_WIDTH = 5.0


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

    foot = 0.46 + style.note_height(note, _WIDTH)
    frame = Frame(_WIDTH, inner_height=4.2, left=0.62, right=0.7, top=0.34, bottom=foot, rows=3, gap=(0.0, 0.16))
    figure = style.figure(frame.width, frame.height)
    accuracy, loss, rate = (frame.axes(figure, row) for row in range(frame.rows))
    accuracy.set_title(title)
    _line(accuracy, history, "train_accuracy", "training", style.GREY, (0, (5, 2)))
    _line(accuracy, history, "test_accuracy", "test", style.INK)
    style.percent_axis(accuracy)
    accuracy.set_ylabel("images right")
    _line(loss, history, "loss", "training", style.GREY, (0, (5, 2)))
    loss.set_ylabel("loss")
    loss.grid(axis="y")
    _line(rate, history, "learning_rate", "", style.INK)
    rate.set_ylabel("learning rate")
    rate.set_xlabel("epoch")
    rate.grid(axis="y")
    for axes in (accuracy, loss, rate):
        axes.set_xlim(0, len(history))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.tick_params(labelbottom=axes is rate)
    style.note(figure, note)
    return figure


def _line(axes: Axes, history: Sequence[Epoch], column: str, label: str, color: str, dashes: object = "solid") -> None:
    """One column of the history, named at its end; a point for each epoch while they are few."""
    values = [getattr(epoch, column) for epoch in history]
    marker = "o" if len(history) <= 40 else ""
    epochs = [epoch.epoch for epoch in history]
    axes.plot(epochs, values, color=color, linestyle=dashes, marker=marker, markersize=2.4, clip_on=False)
    axes.annotate(
        label,
        (history[-1].epoch, values[-1]),
        xytext=(5, 0),
        textcoords="offset points",
        color=color,
        va="center",
        annotation_clip=False,
        fontsize=7.5,
    )
