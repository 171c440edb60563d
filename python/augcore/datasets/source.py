"""What the files of a data set hold, and the images of the chosen classes out of it.

    Source(train, test, names) --choose(classes, n_train)--> Dataset

The labels come first: images are read for the chosen points alone, where the files allow that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from augcore import _validate

__all__ = ["Arrays", "Dataset", "Part", "Source", "choose"]

Images = NDArray[np.uint8]
Rows = NDArray[np.intp]


class Dataset(NamedTuple):
    """Images and labels of a training and a test set.

    Attributes
    ----------
    x_train, x_test : ndarray of uint8, shape (n, H, W, C)
    y_train, y_test : ndarray of int64, shape (n,)
        Positions in `class_names`.
    class_names : tuple of str
    """

    x_train: Images
    y_train: NDArray[np.int64]
    x_test: Images
    y_test: NDArray[np.int64]
    class_names: tuple[str, ...]


class Part(Protocol):
    """A training or a test set as its files hold it."""

    @property
    def labels(self) -> NDArray[np.integer[Any]]:
        """The label of the file for each image, (n,)."""

    def images(self, rows: Rows) -> Images:
        """Some of the images, in ascending order: (len(rows), H, W) or (len(rows), H, W, C)."""


class Source(NamedTuple):
    """All that the files hold, and the name of each label in ascending order."""

    train: Part
    test: Part
    names: dict[int, str]
    by_class: bool = False  # one class after the other, so that the first images would be of one class alone


class Arrays(NamedTuple):
    """A set that is in memory."""

    all_images: Images
    labels: NDArray[np.integer[Any]]

    def images(self, rows: Rows) -> Images:
        return self.all_images if len(rows) == len(self.all_images) else self.all_images[rows]


def choose(source: Source, classes: Sequence[int | str] | None, n_train: int | None) -> Dataset:
    """The images of some classes, all of them or the first of the training set."""
    labels = list(source.names) if classes is None else _class_labels(source.names, classes)
    train, y_train = _rows_of(source.train.labels, labels)
    test, y_test = _rows_of(source.test.labels, labels)
    names = tuple(source.names[label] for label in labels)
    if classes is not None:
        for part, y in (("training", y_train), ("test", y_test)):
            if missing := np.flatnonzero(np.bincount(y, minlength=len(names)) == 0).tolist():
                raise ValueError(f"classes: there are no {part} images of {', '.join(names[i] for i in missing)}")
    if n_train is not None:
        n_train = _validate.integer("n_train", n_train, 1, len(train))
        first = _in_turns(y_train, n_train) if source.by_class else slice(n_train)
        train, y_train = train[first], y_train[first]
    x_train, x_test = (_with_channels(part.images(rows)) for part, rows in ((source.train, train), (source.test, test)))
    return Dataset(x_train, y_train, x_test, y_test, names)


def _class_labels(names: dict[int, str], classes: Sequence[int | str]) -> list[int]:
    """The labels of the file that `classes` names, in that order."""
    if isinstance(classes, str) or not isinstance(classes, Sequence | np.ndarray):
        raise TypeError(f"classes: expected a sequence of labels or names, got {_validate.describe(classes)}")
    by_name = {name: label for label, name in names.items()}
    labels = []
    for item in classes:
        label = by_name.get(item) if isinstance(item, str) else _validate.integer("classes", item)
        if label not in names:
            raise ValueError(f"classes: expected labels or names among {_listing(names)}, got {item!r}")
        labels.append(label)
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"classes: expected at least two classes, each once, got {list(classes)!r}")
    return labels


def _listing(names: dict[int, str]) -> str:
    return ", ".join(name if name == str(label) else f"{label} ({name})" for label, name in names.items())


def _rows_of(labels: NDArray[np.integer[Any]], chosen: list[int]) -> tuple[Rows, NDArray[np.int64]]:
    """Which images are of the chosen classes, in file order, and their positions in `chosen`."""
    order = np.argsort(chosen)
    ascending = np.asarray(chosen, labels.dtype)[order]
    nearest = np.minimum(np.searchsorted(ascending, labels), len(chosen) - 1)
    rows = np.flatnonzero(ascending[nearest] == labels)
    return rows, order[nearest[rows]].astype(np.int64, copy=False)


def _in_turns(y: NDArray[np.int64], n: int) -> Rows:
    """The first n images if the classes take turns, in file order."""
    turn = np.empty(len(y), np.intp)
    for label in np.unique(y):
        of_label = np.flatnonzero(y == label)
        turn[of_label] = np.arange(len(of_label))
    return np.sort(np.lexsort((y, turn))[:n])


def _with_channels(images: Images) -> Images:
    return np.ascontiguousarray(images if images.ndim == 4 else images[..., np.newaxis])
