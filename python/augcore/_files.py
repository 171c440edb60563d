"""Files that are whole at every instant (written beside, synced, renamed), and .npz without pickle."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from augcore._errors import FileFormatError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[Any]]:
    """Opens a binary file that takes the place of `path` when the block ends well, and vanishes when it does not."""
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_npz(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """All arrays of an .npz file, by name.

    Every member must be exactly as long as its own header says, and no longer than the zip directory says, so that a
    small file cannot claim memory that its content does not fill. FileFormatError if the file is damaged or holds
    objects.
    """
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            return {info.filename.removesuffix(".npy"): _read_member(archive, info) for info in archive.infolist()}
    except (ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise FileFormatError(f"{os.fspath(path)}: not a readable .npz file ({error})") from None


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"{info.filename}: format version {version}")
        shape, fortran_order, dtype = read_header(member)
        if dtype.hasobject:
            raise ValueError(f"{info.filename}: holds Python objects")
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes != info.file_size - member.tell():
            raise ValueError(f"{info.filename}: {info.file_size - member.tell()} bytes of data for shape {shape}")
        values = np.frombuffer(bytearray(member.read()), dtype=dtype)
        return values.reshape(shape[::-1]).T if fortran_order else values.reshape(shape)
