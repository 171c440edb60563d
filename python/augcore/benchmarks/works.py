"""What is timed: batches of images (cases), what is done to them (works), and one of each (a task)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from augcore import transforms

__all__ = ["CASES", "WORKS", "Case", "Task", "Work", "batch", "find_works", "parse_case"]

Images = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A batch of images."""

    n: int
    height: int
    width: int
    channels: int
    dtype: str = "uint8"

    @property
    def label(self) -> str:
        return f"{self.n:,} x {self.height}x{self.width}x{self.channels} {self.dtype}"


@dataclass(frozen=True)
class Work:
    """What is done to every image of a batch: an affine map (shift, then turn), a flip, or a crop that is resized back.

    `each` gives every image an angle of its own, evenly from -degrees to degrees. `into` writes into a given array.
    """

    name: str
    label: str
    kind: Literal["affine", "flip", "crop"]
    shift: tuple[float, float] = (0.0, 0.0)
    degrees: float = 0.0
    each: bool = False
    px: int = 0
    interpolation: str = "bilinear"
    into: bool = False

    @property
    def copies(self) -> bool:
        """Whether every pixel of the result is one of the image."""
        return self.kind == "flip" or (self.kind == "affine" and not self.degrees and self.shift[0] % 1 == 0)


CASES = (
    Case(10_000, 32, 32, 3),
    Case(10_000, 28, 28, 1),
    Case(2_000, 96, 96, 1),
    Case(256, 224, 224, 3),
    Case(16, 1024, 1024, 3),
    Case(10_000, 32, 32, 3, "float32"),
)

WORKS = (
    Work("translate", "translate 3 px", "affine", shift=(3, 3)),
    Work("translate-out", "translate 3 px, out=", "affine", shift=(3, 3), into=True),
    Work("flip", "flip", "flip"),
    Work("flip-out", "flip, out=", "flip", into=True),
    Work("rotate-5", "rotate 5°", "affine", degrees=5),
    Work("rotate-30", "rotate 30°", "affine", degrees=30),
    Work("rotate-each", "rotate, one angle each", "affine", degrees=30, each=True),
    Work("rotate-5-bicubic", "rotate 5°, bicubic", "affine", degrees=5, interpolation="bicubic"),
    Work("translate-fraction", "translate 2.3, -1.6 px", "affine", shift=(2.3, -1.6)),
    Work("crop-bilinear", "crop 2 px, bilinear", "crop", px=2),
    Work("crop-bicubic", "crop 2 px, bicubic", "crop", px=2, interpolation="bicubic"),
    Work("crop-area", "crop 2 px, area", "crop", px=2, interpolation="area"),
)


def parse_case(text: str) -> Case:
    """N x H x W x C and perhaps a dtype, such as 100x32x32x3 or 100x32x32x3:float32; ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,9})x(\d{1,5})x(\d{1,5})x(\d{1,2})(?::(uint8|uint16|float32|float64))?", text)
    if match is None:
        raise ValueError(f"{text!r}: expected NxHxWxC or NxHxWxC:dtype, such as 100x32x32x3:float32")
    n, height, width, channels = (int(number) for number in match.groups()[:4])
    if min(n, channels) < 1 or min(height, width) < 8:
        raise ValueError(f"{text!r}: expected at least one image of 8 x 8 pixels and one channel")
    return Case(n, height, width, channels, match[5] or "uint8")


def find_works(names: str) -> list[Work]:
    """Works by their names, parted by commas; a name also stands for those that it begins. ValueError if it is none."""
    found: list[Work] = []
    for name in names.split(","):
        exact = [work for work in WORKS if work.name == name]
        chosen = exact or [work for work in WORKS if work.name.startswith(f"{name}-")]
        if not chosen:
            raise ValueError(f"{name!r}: expected some of {', '.join(work.name for work in WORKS)}")
        found += [work for work in chosen if work not in found]
    return found


def batch(case: Case) -> Images:
    """Smooth random images, as photographs are: on white noise, rounded positions alone make large differences."""
    rng = np.random.default_rng(0)
    coarse = (case.height // 4 + 1, case.width // 4 + 1)
    distinct = min(case.n, max(1, 2**22 // (case.height * case.width)))
    knots = rng.integers(0, 256, (distinct, *coarse, case.channels), dtype=np.uint8)
    images = transforms.resize(knots, (case.height, case.width)).astype(case.dtype)
    return images[np.arange(case.n) % distinct]


@dataclass(frozen=True)
class Task:
    """One work on one batch, as a peer gets it."""

    work: Work
    images: Images
    threads: int = 1
    out: Images | None = None

    def target(self) -> Images:
        """Where the result goes: the given array or a new one."""
        return np.empty_like(self.images) if self.out is None else self.out

    @property
    def size(self) -> tuple[int, int]:
        """Height, width."""
        height, width = self.images.shape[1:3]
        return height, width

    @property
    def center(self) -> tuple[float, float]:
        return (self.size[1] - 1) / 2, (self.size[0] - 1) / 2

    @cached_property
    def angles(self) -> NDArray[np.float64]:
        """Counter-clockwise degrees, (1,) or one per image."""
        degrees = self.work.degrees
        return np.linspace(-degrees, degrees, len(self.images)) if self.work.each else np.array([float(degrees)])

    def inverse(self) -> NDArray[np.float64]:
        """(1, 3, 3) or one per image: destination -> source, in pixel-centre coordinates."""
        x, y = self.center
        dx, dy = self.work.shift
        radians = np.deg2rad(self.angles)
        matrix: NDArray[np.float64] = np.tile(np.eye(3), (len(radians), 1, 1))
        matrix[:, 0, 0] = matrix[:, 1, 1] = np.cos(radians)
        matrix[:, 1, 0] = np.sin(radians)
        matrix[:, 0, 1] = -matrix[:, 1, 0]
        matrix[:, :2, 2] = np.array([x, y]) - matrix[:, :2, :2] @ np.array([x + dx, y + dy])
        return matrix

    def matrix(self) -> NDArray[np.float64]:
        """(1, 3, 3) or one per image: source -> destination, in pixel-centre coordinates."""
        return np.linalg.inv(self.inverse()).astype(np.float64, copy=False)
