"""The gallery cannot rot: its lines run, and its pictures show what they give."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_gallery", DOCS / "make_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


gallery = _load()
PAGE = gallery.PAGE.read_text()
BLOCKS = gallery.blocks(PAGE)


def _pixels(png: Path | io.BytesIO) -> np.ndarray:
    return np.rint(255 * imread(png, format="png")[:, :, :3]).astype(int)


def _assert_shows(canvas: Any, picture: Path) -> None:
    """Every tile of the canvas stands in the picture; marks may cover some of it, and near ties may round elsewise."""
    pixels = _pixels(picture)
    assert pixels.shape == (canvas.y + gallery.MARGIN, gallery.WIDTH, 3)
    least = 0.85 if canvas.marks else 0.99
    assert canvas.tiles
    for x, y, tile in canvas.tiles:
        there = pixels[y : y + tile.shape[0], x : x + tile.shape[1]]
        equal = np.mean(np.abs(there - tile) <= 2)
        assert equal >= least, f"{picture.name} is not what the page says at {x}, {y}: run docs/make_gallery.py"


@pytest.mark.parametrize("name", BLOCKS)
def test_pictures_show_what_their_lines_give(name: str) -> None:
    if "transforms.warp(" in BLOCKS[name]:
        pytest.importorskip("numba")
    _assert_shows(gallery.draw(gallery.run(BLOCKS[name])), gallery.PICTURES / f"{name}.png")


def test_the_originals_are_those_of_the_page() -> None:
    _assert_shows(gallery.draw_originals(), gallery.PICTURES / "originals.png")


def test_every_picture_is_shown_and_small() -> None:
    pictures = sorted(gallery.PICTURES.glob("*.png"))
    assert {path.stem for path in pictures} == {*BLOCKS, "originals"}
    assert PAGE.count("(images/gallery/") == len(pictures)
    assert max(path.stat().st_size for path in pictures) < 300e3
    assert sum(path.stat().st_size for path in gallery.PICTURES.rglob("*.png")) < 1.5e6


def test_a_picture_that_shows_something_else_is_noticed(tmp_path: Path) -> None:
    one, other = (gallery.draw(gallery.run(f"turned = transforms.rotate(photos, {angle})")) for angle in (-5, 5))
    (tmp_path / "other.png").write_bytes(other.png())
    _assert_shows(other, tmp_path / "other.png")
    with pytest.raises(AssertionError, match="run docs/make_gallery.py"):
        _assert_shows(one, tmp_path / "other.png")


def test_all_borders_interpolations_and_transforms_are_shown() -> None:
    code = "".join(BLOCKS.values())
    for name in ("translate", "rotate", "crop", "flip", "resize", "warp_affine", "warp"):
        assert f"transforms.{name}(" in code
    for words in ("BORDERS", "INTERPOLATIONS", "RESIZE_INTERPOLATIONS", 'arithmetic="opencv4"', "Compose(", "masks="):
        assert words in code


def test_a_png_is_what_the_canvas_holds() -> None:
    """Without a picture on disk: tiles are placed pixel for pixel, and text does not touch them."""
    canvas = gallery.draw(gallery.run("moved = transforms.translate(photos, 3, 0)"))
    pixels = _pixels(io.BytesIO(canvas.png()))
    for x, y, tile in canvas.tiles:
        assert np.array_equal(pixels[y : y + tile.shape[0], x : x + tile.shape[1]], tile)
