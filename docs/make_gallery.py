"""Make the pictures of gallery.md from the lines of code that stand under them.

    python docs/make_gallery.py [NAME ...]                 docs/images/gallery/NAME.png; all of them without names
    python docs/make_gallery.py --originals CIFAR10.npz    the images it starts from; needs scikit-image

Whatever a block of the page gives a name to is shown, unless it is there to be transformed: an array as a strip of its
images under the line that made it, a dict as labelled tiles, the result of a pipeline with its masks, boxes and
keypoints. Pixels are placed exactly, and enlarged by whole numbers.
"""

from __future__ import annotations

import argparse
import ast
import io
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave
from matplotlib.patches import Circle, Rectangle

from augcore import augmentations, datasets, transforms

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "gallery.md"
PICTURES = DOCS / "images" / "gallery"
ORIGINALS = PICTURES / "originals"

WIDTH, MARGIN = 1184, 24
INNER = WIDTH - 2 * MARGIN
INK, MUTED, FRAME = "#1a1a1a", "#6b6b6b", 205
DPI = 100

CIFAR10_TRAIN = [5, 7, 8, 13, 30, 35, 104, 105]
DIGITS = [0, 6, 2, 9, 13, 33, 22, 59, 36]

INPUTS = {"bird", "cars", "five", "frog"}


# ---- what it starts from ---------------------------------------------------------------------------------------------


def make_originals(cifar10: Path) -> None:
    from skimage import data

    ORIGINALS.mkdir(parents=True, exist_ok=True)
    with np.load(cifar10, allow_pickle=False) as arrays:
        photos = arrays["x_train"][CIFAR10_TRAIN]
    portrait = np.ascontiguousarray(data.astronaut()[np.newaxis, :432, 10:442])
    scene = transforms.resize(portrait, (108, 108), interpolation="area")
    for name, image in (("photos", np.hstack(list(photos))), ("scene", scene[0])):
        imsave(ORIGINALS / f"{name}.png", image, metadata={"Software": None})


def originals() -> dict[str, Any]:
    """The names that the page uses without making them."""

    def pixels(name: str) -> np.ndarray:
        return np.rint(255 * imread(ORIGINALS / f"{name}.png")[:, :, :3]).astype(np.uint8)

    y, x = np.mgrid[:108, :108]
    head = ((x - 54.5) / 18) ** 2 + ((y - 25) / 21) ** 2 <= 1
    patch = (x - 40) ** 2 + (y - 96) ** 2 <= 9**2
    return {
        "math": math,
        "np": np,
        "transforms": transforms,
        **{name: getattr(augmentations, name) for name in augmentations.__all__},
        "photos": np.stack(np.hsplit(pixels("photos"), len(CIFAR10_TRAIN))),
        "digits": datasets.load("mnist-sample").x_train[DIGITS],
        "scene": pixels("scene")[np.newaxis],
        "mask": head | patch,
        "boxes": [[36, 4, 73, 47], [86, 10, 107, 72]],
        "keypoints": [[47.5, 25], [60, 25], [54, 36.5]],
    }


# ---- the page --------------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """A named result of a block: the call that made it, and its value."""

    source: str
    value: Any


def blocks(page: str) -> dict[str, str]:
    """The picture's name -> the code under it."""
    found = re.findall(r"\(images/gallery/(\w+)\.png\)\n\n```python\n(.*?)```", page, flags=re.DOTALL)
    return dict(found)


def run(code: str) -> list[Shown]:
    """Runs a block, as doctest runs its examples, and gives what is to be shown of it."""
    names = originals()
    exec(compile(code, str(PAGE), "exec"), names)
    made = []
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            pictures = isinstance(names[name], np.ndarray | dict | augmentations.Applied)
            if pictures and name not in INPUTS:
                made.append(Shown(_call(code, statement.value), names[name]))
    return made


def _call(code: str, expression: ast.expr) -> str:
    """The source of an expression; of a dict that is made for many keys, that for one of them."""
    comprehensions = [node for node in ast.walk(expression) if isinstance(node, ast.DictComp)]
    if isinstance(expression, ast.Dict):
        return ""
    one = comprehensions[0].value if comprehensions else expression
    return ast.get_source_segment(code, one) or ""


# ---- the canvas ------------------------------------------------------------------------------------------------------


@dataclass
class Canvas:
    """Rows from the top: tiles of pixels, and text and marks to be drawn over them; y downwards, in pixels."""

    y: int = MARGIN
    tiles: list[tuple[int, int, np.ndarray]] = field(default_factory=list)
    texts: list[tuple[float, float, str, dict[str, Any]]] = field(default_factory=list)
    marks: list[Any] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """A line of code, broken where it is too long."""
        for number, line in enumerate(_broken(text)):
            self.texts.append((MARGIN, self.y + 10, line, {"family": "DejaVu Sans Mono", "size": 11.5, "color": INK}))
            self.y += 24 if number == 0 else 22
        self.y += 4

    def row(self, images: list[np.ndarray], labels: list[str] | None = None) -> list[tuple[int, int]]:
        """Square places across the whole width; what is smaller than its place is enlarged by a whole number."""
        side = SIDES[len(images)]
        gap = (INNER - len(images) * side) // (len(images) - 1)
        corners = []
        for column, image in enumerate(images):
            scale = side // image.shape[0]
            x = MARGIN + column * (side + gap)
            self.tiles.append((x, self.y, np.repeat(np.repeat(image, scale, axis=0), scale, axis=1)))
            corners.append((x, self.y))
            if labels:
                self.texts.append((x, self.y + side + 15, labels[column], {"size": 11.5, "color": MUTED}))
        self.y += side + (28 if labels else 0)
        return corners

    def png(self) -> bytes:
        height = self.y + MARGIN
        pixels = np.full((height, WIDTH, 3), 255, np.uint8)
        for x, y, tile in self.tiles:
            height_here, width_here = tile.shape[:2]
            pixels[y - 1 : y + height_here + 1, x - 1 : x + width_here + 1] = FRAME
            pixels[y : y + height_here, x : x + width_here] = tile
        figure = Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI)
        FigureCanvasAgg(figure)
        figure.figimage(pixels, 0, 0)
        for x, y, text, style in self.texts:
            figure.text(x / WIDTH, 1 - y / height, text, va="center", **style)
        for mark in self.marks:
            figure.add_artist(mark(height))
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
        return buffer.getvalue()


def _broken(text: str, limit: int = 116) -> list[str]:
    text = " ".join(text.split())
    if len(text) <= limit:
        return [text]
    cut = text.rindex(", ", 0, limit) + 1
    return [text[:cut], *_broken("    " + text[cut:].strip(), limit)]


def _rgb(image: np.ndarray) -> np.ndarray:
    """(H, W), (H, W, 1) or (H, W, 3) of any dtype to (H, W, 3) uint8."""
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    return np.broadcast_to(pixels.reshape(*pixels.shape[:2], -1), (*pixels.shape[:2], 3))


# Images in a row -> the side of their places: whole multiples of the images' own, and all of the width.
SIDES = {4: 272, 5: 216, 6: 176, 8: 128, 9: 112}
ROW_GAP = 22


def draw(made: list[Shown]) -> Canvas:
    canvas = Canvas()
    for shown in made:
        if shown.source:
            canvas.heading(shown.source)
        if isinstance(shown.value, dict):
            canvas.row([_rgb(images[0]) for images in shown.value.values()], [*shown.value])
        elif isinstance(shown.value, augmentations.Applied):
            _followers(canvas, shown.value)
        else:
            canvas.row([_rgb(image) for image in shown.value])
        canvas.y += ROW_GAP
    canvas.y -= ROW_GAP
    return canvas


def _followers(canvas: Canvas, applied: augmentations.Applied, labels: list[str] | None = None) -> None:
    """Masks tinted, boxes and points drawn over the images, those that are invisible left out."""
    tinted = []
    for image, mask in zip(applied.images, applied.masks, strict=True):
        tint = np.where(mask[..., np.newaxis], 0.55 * image + 0.45 * np.array([0, 170, 255]), image)
        tinted.append(_rgb(tint))
    corners = canvas.row(tinted, labels)
    for index, (left, top) in enumerate(corners):
        for box, visible in zip(applied.boxes[index], applied.box_visibility[index], strict=True):
            if visible > 0:
                canvas.marks.append(_rectangle(left, top, 2 * np.asarray(box)))
        for (x, y), visible in zip(applied.keypoints[index], applied.keypoint_visible[index], strict=True):
            if visible:
                canvas.marks.append(_dot(left + 2 * x + 1, top + 2 * y + 1))


def _rectangle(left: int, top: int, box: np.ndarray) -> Any:
    x1, y1, x2, y2 = box
    size = (x2 - x1, y2 - y1)
    style = {"fill": False, "edgecolor": "#ffe100", "linewidth": 1.6, "transform": None}
    return lambda height: Rectangle((left + x1, height - top - y2), *size, **style)


def _dot(x: float, y: float) -> Any:
    return lambda height: Circle((x, height - y), 4.5, facecolor="#ff2d78", edgecolor="white", transform=None)


def draw_originals() -> Canvas:
    names = originals()
    canvas = Canvas()
    for name in ("photos", "digits"):
        canvas.heading(name)
        canvas.row([_rgb(image) for image in names[name]])
        canvas.y += ROW_GAP
    labels = ["scene", "mask", "boxes", "keypoints", "all of them"]
    masks = np.stack([names["mask"] if label in ("mask", "all of them") else 0 * names["mask"] for label in labels])
    drawn = {
        kind: [names[kind] if label in (kind, "all of them") else [] for label in labels]
        for kind in ("boxes", "keypoints")
    }
    _followers(canvas, augmentations.Compose([])(np.repeat(names["scene"], 5, axis=0), masks=masks, **drawn), labels)
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--originals", type=Path, metavar="CIFAR10.npz")
    arguments = parser.parse_args()
    if arguments.originals:
        make_originals(arguments.originals)
    code = blocks(PAGE.read_text())
    for name in arguments.names or ["originals", *code]:
        path = PICTURES / f"{name}.png"
        canvas = draw_originals() if name == "originals" else draw(run(code[name]))
        path.write_bytes(canvas.png())
        print(f"{path.relative_to(DOCS)}  {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
