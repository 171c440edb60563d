"""Boxes and keypoints on their way through a pipeline."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augcore import _coordinates, _validate
from augcore.augmentations.step import Drawn, Step

Floats = NDArray[np.float64]
Size = tuple[int, int]

# Farther away than this, points are as good as at any other place outside; products of them stay finite.
FAR = 1e15
MAX_COORDINATE = 2.0**31


class Points:
    """Polygons (m, v, 2), each on one of n images; those of keypoints have one corner."""

    offset: ClassVar[float]
    """Of their coordinates from pixel centres: they are kept as they came, and what does not move stays as it is."""

    def __init__(self, name: str, value: Any, n: int, columns: int) -> None:
        self._name = name
        self.rows, self.counts, self._shape = _flatten(name, value, n, columns)
        self.image = np.repeat(np.arange(n), self.counts)
        self.polygons: Floats

    def restore(self, rows: NDArray[Any]) -> Any:
        """One row per point or box in the form in which they came: an array, or a list of arrays."""
        if self._shape is None:
            return np.split(rows, np.cumsum(self.counts)[:-1]) if len(self.counts) else []
        return rows.reshape(*self._shape, *rows.shape[1:])

    def follow(self, step: Step, drawn: Drawn, size: Size) -> None:
        """One step, for the images to which it was applied."""
        height, width = size
        matrices = step.matrix(drawn, height, width)
        applied = drawn["applied"]
        if matrices is not None:
            self.move(np.where(applied[:, np.newaxis, np.newaxis], matrices, np.eye(3)))
            return
        moves = applied[self.image]
        points = self.polygons[moves].reshape(-1, 2) - self.offset
        images = np.repeat(self.image[moves], self.polygons.shape[1])
        try:
            moved = step.move_points(points, images, drawn, height, width)
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None
        self.polygons[moves] = _bounded(moved + self.offset).reshape(self.polygons[moves].shape)

    def move(self, matrices: Floats) -> None:
        """Affine matrices (1 or n, 3, 3) in pixel-centre coordinates."""
        own = matrices.copy()
        for row in range(2):
            own[:, row, 2] += self.offset * (1.0 - (matrices[:, row, 0] + matrices[:, row, 1]))
        m = own[self.image if len(own) > 1 else np.zeros(len(self.image), dtype=np.intp), np.newaxis]
        x, y = self.polygons[..., 0], self.polygons[..., 1]
        with np.errstate(all="ignore"):
            moved = [m[..., row, 0] * x + (m[..., row, 1] * y + m[..., row, 2]) for row in range(2)]
        self.polygons = _bounded(np.stack(moved, axis=-1))


class Boxes(Points):
    """Boxes as quadrilaterals, cut to the image after every resampling."""

    offset = 0.5

    def __init__(self, value: Any, n: int, size: Size) -> None:
        super().__init__("boxes", value, n, 4)
        if (self.rows[:, 2:] < self.rows[:, :2]).any():
            raise ValueError("boxes: expected x1, y1, x2, y2 with x1 <= x2 and y1 <= y2")
        self.polygons = _coordinates.corners_of(self.rows)
        self.visibility = np.ones(len(self.rows))
        self.cut(size)

    def cut(self, size: Size) -> None:
        """Drops what lies beyond the image: it is on no pixel any more."""
        self.polygons, fraction = _coordinates.clip_polygons(self.polygons, size)
        self.visibility *= fraction

    def boxes(self) -> Any:
        """Those around what remains."""
        return self.restore(_coordinates.bounds(self.polygons))


class Keypoints(Points):
    """Points; whether they are visible is decided after every resampling."""

    offset = 0.0

    def __init__(self, value: Any, n: int, size: Size) -> None:
        super().__init__("keypoints", value, n, 2)
        self.polygons = self.rows[:, np.newaxis]
        self.visible = np.ones(len(self.rows), dtype=np.bool_)
        self.cut(size)

    def cut(self, size: Size) -> None:
        """What leaves the image does not come back."""
        self.visible &= _coordinates.inside(self.polygons[:, 0], size)

    def points(self) -> Any:
        """Wherever they are."""
        return self.restore(self.polygons[:, 0])


def _bounded(points: Floats) -> Floats:
    return np.clip(np.nan_to_num(points, nan=FAR, posinf=FAR, neginf=-FAR), -FAR, FAR)


def _flatten(name: str, value: Any, n: int, columns: int) -> tuple[Floats, NDArray[np.intp], tuple[int, int] | None]:
    """All rows one below the other, how many each image has, and the shape (n, k) where there is one."""
    if isinstance(value, list | tuple):
        if len(value) != n:
            raise ValueError(f"{name}: expected a list of {n} arrays, one for each image, got {len(value)}")
        parts = [_rows(f"{name}[{i}]", part, columns) for i, part in enumerate(value)]
        rows = np.concatenate([np.empty((0, columns)), *parts])
        return rows, np.array([len(part) for part in parts], dtype=np.intp), None
    values = _validate.points(name, value, columns)
    if values.ndim != 3 or len(values) != n:
        raise ValueError(f"{name}: expected shape ({n}, k, {columns}) or a list of {n} arrays, got {values.shape}")
    return _limited(name, values.reshape(-1, columns)), np.full(n, values.shape[1]), values.shape[:2]


def _rows(name: str, value: Any, columns: int) -> Floats:
    values = _validate.array(name, value)
    if not values.size and values.shape in ((0,), (0, columns)):
        return np.empty((0, columns))
    rows = _validate.points(name, values, columns)
    if rows.ndim != 2:
        raise ValueError(f"{name}: expected shape (k, {columns}), got {rows.shape}")
    return _limited(name, rows)


def _limited(name: str, rows: Floats) -> Floats:
    if rows.size and np.abs(rows).max() > MAX_COORDINATE:
        raise ValueError(f"{name}: has coordinates beyond {MAX_COORDINATE:g}")
    return rows
