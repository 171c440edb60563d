"""CIFAR-10: cifar10.npz, or the official binary version, packed or unpacked."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from pathlib import Path

import numpy as np

from augcore._errors import FileFormatError
from augcore.datasets import checksums, npz
from augcore.datasets.source import Arrays, Source

__all__ = ["ARCHIVE", "BATCHES", "FOLDER", "NPZ", "URL", "read_archive", "read_batch", "read_files", "read_npz"]

NPZ = "cifar10.npz"
FOLDER = "cifar-10-batches-bin"
BATCHES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
ARCHIVE = "cifar-10-binary.tar.gz"
URL = "https://www.cs.toronto.edu/~kriz/"

_NAMES = dict(enumerate(("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")))
_SHAPE = (32, 32, 3)
_RECORD = 1 + 3 * 32 * 32  # one label, then the red, green and blue plane
MAX_BATCH_BYTES = 10_000 * _RECORD
_BLOCK = 500  # records that fit in a processor's cache


def refuse_pickles(root: Path) -> None:
    for pickled in (root / "cifar-10-batches-py", root / "cifar-10-python.tar.gz"):
        if pickled.exists():
            raise FileFormatError(
                f"{pickled}: the Python version of CIFAR-10 is pickled, and pickles can run any code; "
                f"put the binary version there instead: {URL}{ARCHIVE}"
            )


# ---- cifar10.npz -----------------------------------------------------------------------------------------------------


def read_npz(root: Path) -> Source:
    """Arrays, compared with the official batches, which hold planes, not pixels, and each label before its image."""
    path = root / NPZ
    train, test = npz.read_arrays(path, len(_NAMES))
    if train.all_images.shape[1:] != _SHAPE:
        raise FileFormatError(f"{path}: expected images of shape {_SHAPE}, got {train.all_images.shape[1:]}")
    size = -(-len(train.labels) // 5)
    starts = range(0, 5 * size, size)
    parts = [Arrays(train.all_images[i : i + size], train.labels[i : i + size]) for i in starts]
    for part, name in zip([*parts, test], BATCHES, strict=True):
        checksums.check_sum(f"{path}, as {name}", _batch_digest(part), checksums.SUMS[name])
    return Source(train, test, _NAMES)


def _batch_digest(part: Arrays) -> str:
    digest = hashlib.sha256()
    records = np.empty((_BLOCK, _RECORD), np.uint8)
    planes = records[:, 1:].reshape(_BLOCK, 3, 32, 32)  # the same memory
    for begin in range(0, len(part.labels), _BLOCK):
        images = part.all_images[begin : begin + _BLOCK]
        records[: len(images), 0] = part.labels[begin : begin + _BLOCK]
        planes[: len(images)] = images.transpose(0, 3, 1, 2)
        digest.update(records[: len(images)].data)
    return digest.hexdigest()


# ---- the binary version ----------------------------------------------------------------------------------------------


def read_files(root: Path) -> Source:
    return _source([read_batch(root / FOLDER / name) for name in BATCHES])


def read_archive(root: Path) -> Source:
    """The six batches of the official archive, read member by member: nothing is extracted to disk."""
    path = root / ARCHIVE
    batches = {}
    with checksums.opened(path) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:gz") as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in BATCHES and member.isfile() and (stream := archive.extractfile(member)):
                        batches[name] = _records(f"{path}, {name}", stream.read(MAX_BATCH_BYTES + 1))
        except (tarfile.TarError, zlib.error, EOFError) as error:
            raise FileFormatError(f"{path}: not a readable archive ({error})") from None
    if missing := [name for name in BATCHES if name not in batches]:
        raise FileFormatError(f"{path}: has no {', '.join(missing)}")
    return _source([batches[name] for name in BATCHES])


def read_batch(path: Path) -> Arrays:
    with checksums.opened(path) as file:
        return _records(path, file.read(MAX_BATCH_BYTES + 1))


def _records(path: Path | str, data: bytes) -> Arrays:
    """Images and labels of a batch: records of a label and three planes of 32 x 32."""
    if not data or len(data) % _RECORD:
        raise FileFormatError(f"{path}: {len(data)} bytes are no whole number of records of {_RECORD}")
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() >= len(_NAMES):
        raise FileFormatError(f"{path}: has the label {records[:, 0].max()}, above {len(_NAMES) - 1}")
    return Arrays(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0])


def _source(batches: list[Arrays]) -> Source:
    images, labels = (np.concatenate(values) for values in zip(*batches[:5], strict=True))
    return Source(Arrays(images, labels), batches[5], _NAMES)
