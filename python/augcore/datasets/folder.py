"""Sets of image files: PATH/train/CLASS/*.png and PATH/test/CLASS/*.png, or other formats. Needs Pillow.

The classes are the folders that hold images, in natural order, in which digits count as numbers: class2 before class10;
in each class the files are in natural order too. Names that begin with a dot, folders within a class, and files that do
not end as one of `SUFFIXES` are left out.

An image is grey (H, W, 1) or RGB (H, W, 3), and all must be of the size and kind of the first. Bilevel images are grey,
those with a palette RGB. What is transparent shows white behind it. Other kinds (16 bits, CMYK, ...) are refused. Of
files with several pictures the first is taken; a note of the camera how to turn it is not followed.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _files
from augcore._errors import FileFormatError, missing_extra
from augcore.datasets.source import Images, Rows, Source

__all__ = ["MAX_PIXELS", "SUFFIXES", "check", "read"]

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_FORMATS = frozenset({"BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP"})
MAX_PIXELS = 2**24  # of one image; what states more is refused before it is unpacked

# The mode that each mode of Pillow is turned into.
_MODES = dict.fromkeys(("1", "L", "LA"), "L") | dict.fromkeys(("P", "PA", "RGB", "RGBA", "RGBX"), "RGB")


def read(path: Path) -> Source:
    """The set in a folder; of the images only names are read yet."""
    names, train, test = _parts(path)
    return Source(_Files(train, train[0][0]), _Files(test, train[0][0]), dict(enumerate(names)), by_class=True)


def check(path: Path) -> Iterator[str]:
    """Reads every image of a set, and says of each that is damaged, or unlike the first good one, what is wrong."""
    _, train, test = _parts(path)
    pillow = _pillow()
    like = None
    for image in (image for of_class in (*train, *test) for image in of_class):
        try:
            shape = _read_image(pillow, image, like).shape
        except FileFormatError as error:
            yield str(error)
        else:
            like = like or (image, shape)


def _parts(path: Path) -> tuple[list[str], list[list[Path]], list[list[Path]]]:
    """The classes, and the files of each for training and for testing."""
    if not path.is_dir():
        raise FileNotFoundError(errno.ENOENT, "folder: no such folder", str(path))
    by_part = {}
    for part in ("train", "test"):
        if not (path / part).is_dir():
            text = f"folder: has no folder {part}; images are expected in train/CLASS/ and test/CLASS/"
            raise FileNotFoundError(errno.ENOENT, text, str(path))
        by_part[part] = _classes(path / part)
    train, test = by_part.values()
    if not train:
        raise FileFormatError(f"{path / 'train'}: has no folder with images ({', '.join(sorted(SUFFIXES))})")
    for here, there, part in ((train, test, "test"), (test, train, "train")):
        if missing := [name for name in here if name not in there]:
            raise FileFormatError(
                f"{path / part / missing[0]}: has no images of this class, which are in the other part"
            )
    return list(train), list(train.values()), [test[name] for name in train]


def _classes(part: Path) -> dict[str, list[Path]]:
    """The image files of each class, both in natural order."""
    found = {}
    above = part.resolve()  # links that lead back there are no classes
    folders = (path for path in part.iterdir() if path.is_dir() and not above.is_relative_to(path.resolve()))
    for folder in _natural_order(folders):
        if images := _natural_order(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
            _check_name(folder)
            found[folder.name] = images
    return found


def _check_name(folder: Path) -> None:
    """Refuses what cannot be written into figures and reports."""
    try:
        folder.name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(folder.name)
        raise FileFormatError(
            f"{folder.parent}: the name of the class {name!r} is not UTF-8; rename the folder"
        ) from None


def _natural_order(paths: Any) -> list[Path]:
    """Visible paths, by their names, in which digits count as numbers."""

    def key(path: Path) -> tuple[list[str | int], str]:
        pieces = re.split("([0-9]+)", path.name)
        return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)], path.name

    return sorted((path for path in paths if not path.name.startswith(".")), key=key)


class _Files:
    """The images of one part, class after class; they are read when they are asked for."""

    def __init__(self, paths: list[list[Path]], first: Path) -> None:
        self._paths = [path for of_class in paths for path in of_class]
        self._first = first
        self.labels = np.repeat(np.arange(len(paths)), [len(of_class) for of_class in paths])

    def images(self, rows: Rows) -> Images:
        pillow = _pillow()
        shape = _read_image(pillow, self._first).shape
        images = np.empty((len(rows), *shape), np.uint8)
        for i, row in enumerate(rows):
            images[i] = _read_image(pillow, self._paths[row], (self._first, shape))
        return images


def _pillow() -> ModuleType:
    try:
        pillow = importlib.import_module("PIL.Image")
    except ImportError:
        raise missing_extra("Pillow", "experiments") from None
    pillow.init()
    return pillow


def _read_image(pillow: ModuleType, path: Path, like: tuple[Path, tuple[int, ...]] | None = None) -> NDArray[np.uint8]:
    """The pixels of a file, (H, W, C), which must be `like` another file's of a shape."""
    with _files.open_regular(path) as file, warnings.catch_warnings(action="ignore"):
        try:
            formats = [name for name in _FORMATS if name in pillow.OPEN]
            with pillow.open(file, formats=formats) as image:
                if (mode := _MODES.get(image.mode)) is None:
                    raise FileFormatError(f"{path}: is neither grey nor RGB, but {image.mode}")
                shape = (image.height, image.width, len(mode))
                if like is not None and shape != like[1]:
                    raise FileFormatError(f"{path}: is {_words(shape)}, but {like[0]} is {_words(like[1])}")
                if image.height * image.width > MAX_PIXELS:
                    raise FileFormatError(f"{path}: is {_words(shape)}, more than {MAX_PIXELS} pixels")
                if image.has_transparency_data:
                    white = pillow.new("RGBA", image.size, "white")
                    return np.asarray(pillow.alpha_composite(white, image.convert("RGBA")).convert(mode)).reshape(shape)
                return np.asarray(image.convert(mode)).reshape(shape)
        except (FileFormatError, MemoryError):
            raise
        except OSError as error:
            if error.errno is not None:  # of the disk, not of Pillow
                raise OSError(error.errno, error.strerror, str(path)) from None
            raise _unreadable(path, "" if isinstance(error, pillow.UnidentifiedImageError) else str(error)) from None
        except Exception as error:  # the parsers behind it raise anything
            raise _unreadable(path, str(error) or type(error).__name__) from None


def _unreadable(path: Path, words: str) -> FileFormatError:
    return FileFormatError(f"{path}: not a readable image" + (f" ({words})" if words else ""))


def _words(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} x {shape[1]} {'grey' if shape[2] == 1 else 'RGB'}"
