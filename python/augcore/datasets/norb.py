"""Small NORB and the jittered-cluttered NORB: tensors of bytes and of 32-bit integers, the left camera's images.

A file begins with a magic number that tells the type of the values, the number of dimensions, and the lengths of at
least three: of labels, which have one dimension, two more stand there without a meaning. The official files are
little-endian, the values too; the magic number also tells where a file was written the other way round.

    dat     images, (n, 2, side, side) bytes, the left camera's first
    cat     categories, (n,) integers
    info    instance, elevation, azimuth, lighting, and how it was jittered: (n, 4) or (n, 10) integers; may be missing
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore._errors import FileFormatError
from augcore.datasets import checksums
from augcore.datasets.source import Images, Rows, Source

__all__ = ["EDITIONS", "Edition", "check_file", "files", "optional_files", "read"]

SIDE = 96
_CLASSES = ("animal", "human", "airplane", "truck", "car")
_BYTES, _INTEGERS = 0x1E3D4C55, 0x1E3D4C54
_TYPES = {_BYTES: "u1", _INTEGERS: "i4"}
_BLOCK = 256  # images in memory beside those that are kept


class Edition(NamedTuple):
    """One of the two data sets: its files without -dat.mat and so on, and what each of them holds."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    n_images: int
    side: int
    n_info: int
    n_categories: int  # one more than the classes where the last means that there is no object


EDITIONS = {
    "norb": Edition(
        ("smallnorb-5x46789x9x18x6x2x96x96-training",),
        ("smallnorb-5x01235x9x18x6x2x96x96-testing",),
        n_images=24_300,
        side=96,
        n_info=4,
        n_categories=5,
    ),
    "norb-jittered": Edition(
        tuple(f"norb-5x46789x9x18x6x2x108x108-training-{i:02}" for i in range(1, 11)),
        tuple(f"norb-5x01235x9x18x6x2x108x108-testing-{i:02}" for i in range(1, 3)),
        n_images=29_160,
        side=108,
        n_info=10,
        n_categories=6,
    ),
}


def files(name: str) -> tuple[str, ...]:
    """The files that a data set needs, each as it is or gzipped."""
    edition = EDITIONS[name]
    return tuple(f"{stem}-{kind}.mat" for stem in (*edition.train, *edition.test) for kind in ("dat", "cat"))


def optional_files(name: str) -> tuple[str, ...]:
    edition = EDITIONS[name]
    return tuple(f"{stem}-info.mat" for stem in (*edition.train, *edition.test))


def read(name: str, root: Path) -> Source:
    edition = EDITIONS[name]
    train, test = (_Part(root, stems, edition) for stems in (edition.train, edition.test))
    return Source(train, test, dict(enumerate(_CLASSES)))


def check_file(name: str, path: Path) -> None:
    """Reads one file to its end; ChecksumError or FileFormatError where it is not what it should be."""
    edition = EDITIONS[name]
    kind = path.name.partition(".")[0].rpartition("-")[2]
    if kind == "cat":
        _read_categories(path, edition)
    elif kind == "info":
        _read_integers(path, (edition.n_images, edition.n_info))
    else:
        with _tensor(path, _BYTES, _image_shape(edition)) as (stream, _):
            _skip(stream, math.prod(_image_shape(edition)))


class _Part:
    """The files of one part. Categories are read at once, images of those files alone in which some are wanted."""

    def __init__(self, root: Path, stems: tuple[str, ...], edition: Edition) -> None:
        self._edition = edition
        self._images = [_path(root, f"{stem}-dat.mat") for stem in stems]
        self.labels = np.concatenate([_read_categories(_path(root, f"{stem}-cat.mat"), edition) for stem in stems])
        for stem in stems:
            if info := checksums.found(root, f"{stem}-info.mat", packed=True):
                _read_integers(info, (edition.n_images, edition.n_info))

    def images(self, rows: Rows) -> Images:
        images = np.empty((len(rows), SIDE, SIDE), np.uint8)
        for i, path in enumerate(self._images):
            begin, end = np.searchsorted(rows, [i * self._edition.n_images, (i + 1) * self._edition.n_images])
            if begin < end:
                _read_images(path, self._edition, rows[begin:end] - i * self._edition.n_images, images[begin:end])
        return images


def _path(root: Path, name: str) -> Path:
    return checksums.found(root, name, packed=True) or root / name


def _read_categories(path: Path, edition: Edition) -> NDArray[np.integer[Any]]:
    categories = _read_integers(path, (edition.n_images,))
    if categories.min() < 0 or categories.max() >= edition.n_categories:
        raise FileFormatError(f"{path}: has categories outside 0 to {edition.n_categories - 1}")
    return categories


def _read_integers(path: Path, shape: tuple[int, ...]) -> NDArray[np.integer[Any]]:
    with _tensor(path, _INTEGERS, shape) as (stream, dtype):
        values = np.empty(shape, dtype)
        _fill(stream, values)
    return values.astype(np.int64)


def _image_shape(edition: Edition) -> tuple[int, ...]:
    return (edition.n_images, 2, edition.side, edition.side)


def _read_images(path: Path, edition: Edition, rows: Rows, out: Images) -> None:
    """The middle of some left images of a file, in ascending order."""
    shape = _image_shape(edition)
    block = np.empty((min(_BLOCK, shape[0]), *shape[1:]), np.uint8)
    margin = (edition.side - SIDE) // 2
    with _tensor(path, _BYTES, shape) as (stream, _):
        for begin in range(0, shape[0], _BLOCK):
            part = block[: shape[0] - begin]
            first, last = np.searchsorted(rows, [begin, begin + len(part)])
            if first < last:
                _fill(stream, part)
                out[first:last] = part[rows[first:last] - begin, 0, margin : margin + SIDE, margin : margin + SIDE]
            else:
                _skip(stream, part.nbytes)


# ---- the format ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _tensor(path: Path, magic: int, shape: tuple[int, ...]) -> Iterator[tuple[io.BufferedIOBase, np.dtype[Any]]]:
    """A file of a tensor, open where its values begin, and their dtype; it must be of this type and shape.

    The values must have been read when the block ends: after them the file must end too.
    """
    with checksums.unpacked(path) as stream:
        try:
            dtype = _read_header(stream, magic, shape)
            n_bytes = stream.tell() + math.prod(shape) * dtype.itemsize
            if path.suffix != ".gz" and (size := os.fstat(stream.fileno()).st_size) != n_bytes:
                raise FileFormatError(f"has {size} bytes instead of {n_bytes}")
            yield stream, dtype
            if stream.tell() != n_bytes:
                raise FileFormatError(f"ends after {stream.tell()} of {n_bytes} bytes")
            if stream.read(1):
                raise FileFormatError(f"has more than the {n_bytes} bytes that it should have")
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from None


def _read_header(stream: io.BufferedIOBase, magic: int, shape: tuple[int, ...]) -> np.dtype[Any]:
    begin = stream.read(8)
    if len(begin) < 8:
        raise FileFormatError("is too short for a tensor of NORB")
    for order in "<>":
        found, ndim = struct.unpack(f"{order}Ii", begin)
        if found in _TYPES:
            break
    else:
        raise FileFormatError(f"does not begin as a tensor of NORB: magic number {begin[:4].hex()}")
    if found != magic:
        kinds = {_BYTES: "bytes", _INTEGERS: "32-bit integers"}
        raise FileFormatError(f"holds {kinds[found]} instead of {kinds[magic]}")
    if ndim != len(shape):
        raise FileFormatError(f"has {ndim} dimensions instead of {len(shape)}")
    lengths = stream.read(4 * max(ndim, 3))  # three are always stored
    if len(lengths) < 4 * max(ndim, 3):
        raise FileFormatError("ends within its header")
    if (stated := struct.unpack_from(f"{order}{ndim}i", lengths)) != shape:
        raise FileFormatError(f"is of shape {stated} instead of {shape}")
    return np.dtype(f"{order}{_TYPES[magic]}")


def _fill(stream: io.BufferedIOBase, values: NDArray[Any]) -> None:
    """Reads an array; what is short is found where the file ends."""
    view = values.reshape(-1).view(np.uint8).data
    while view and (n := stream.readinto(view)):
        view = view[n:]


def _skip(stream: io.BufferedIOBase, n_bytes: int) -> None:
    stream.seek(n_bytes, os.SEEK_CUR)
