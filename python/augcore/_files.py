"""Files that are whole at every instant (written beside, synced, renamed), arrays without pickle, locks on folders."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import math
import os
import secrets
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore._errors import FileFormatError

MAX_NPZ_DIRECTORY = 2**20  # bytes
MAX_NPZ_EXPANSION = 100  # times, for what is larger than 64 MiB


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[Any]]:
    """Opens a binary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    What a link points to is replaced, not the link. OSError where `path` is something else than a file.
    """
    target = Path(os.path.realpath(path))
    if os.path.lexists(target) and not target.is_file():
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    with naming(path, partial):
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


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], partial: Path | None = None) -> Iterator[None]:
    """Lets errors of the system that name no file, as that of a full disk, or the partial one, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ArrayHeader(NamedTuple):
    """What an .npz file says of one of its arrays, known before any data is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_npz(
    path: str | os.PathLike[str],
    names: Collection[str] | None = None,
    check: Callable[[dict[str, ArrayHeader]], None] | None = None,
    *,
    file: IO[bytes] | None = None,
) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file, all or the named ones; FileFormatError if it is damaged, hostile, or holds objects.

    Directory and headers are checked before any data is read; then `check` may refuse what it does not want. Data are
    read from `file` if given: the path then only stands in messages.
    """
    with contextlib.ExitStack() as stack:
        stream = file if file is not None else stack.enter_context(open(path, "rb"))
        stack.enter_context(_format_errors(path))
        _check_directory_size(stream)
        with zipfile.ZipFile(stream) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if missing := sorted(set(names or ()) - members.keys()):
                raise FileFormatError(f"has no array {', '.join(missing)}")
            members = {name: members[name] for name in names or members}
            _check_overlap(archive)
            _check_expansion(archive, members.values())
            headers = {name: _header(archive, info, name) for name, info in members.items()}
            if check is not None:
                check(headers)
            return {name: _read_member(archive, info) for name, info in members.items()}


@contextlib.contextmanager
def _format_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns everything that a damaged archive makes zipfile, zlib and NumPy raise into FileFormatError."""
    try:
        yield
    except FileFormatError as error:
        raise FileFormatError(f"{os.fspath(path)}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OverflowError) as error:
        raise FileFormatError(f"{os.fspath(path)}: not a readable .npz file ({error})") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # an offset in the archive that no file can have
            raise
        raise FileFormatError(f"{os.fspath(path)}: not a readable .npz file ({error})") from None


def _check_directory_size(stream: IO[bytes]) -> None:
    """Refuses an archive whose directory is large: zipfile would hold it in memory before we see a single name."""
    stream.seek(0, os.SEEK_END)
    stream.seek(-min(stream.tell(), 22 + 65535 + 76), os.SEEK_END)
    tail = stream.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        raise FileFormatError("not an .npz file")
    (size,) = struct.unpack_from("<I", tail, end + 12)
    if tail[max(end - 20, 0) : end].startswith(b"PK\x06\x07") and end >= 76:
        (size,) = struct.unpack_from("<Q", tail, end - 76 + 40)
    if size > MAX_NPZ_DIRECTORY:
        raise FileFormatError(f"the directory of the archive has {size} bytes")


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> ArrayHeader:
    """The header of one member, which must agree with the size that the directory states."""
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileFormatError(f"{name}: is encrypted, or compressed by another method than deflate")
    with archive.open(info) as stream:
        return _npy_header(stream, info.file_size, name)


def _npy_header(stream: IO[bytes], n_bytes: int, name: str) -> ArrayHeader:
    """The header of a .npy file of n_bytes, which must agree with them."""
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise FileFormatError(f"{name}: .npy version {version} is not supported")
    try:
        shape, _, dtype = read(stream)
    except Exception:  # the parsers behind it raise anything, TokenError and MemoryError among them
        raise FileFormatError(f"{name}: has no readable .npy header") from None
    if dtype.hasobject or dtype.kind == "V":
        raise FileFormatError(f"{name}: holds objects or records (dtype {dtype}), not plain values")
    if any(length < 0 for length in shape) or stream.tell() + math.prod(shape) * dtype.itemsize != n_bytes:
        raise FileFormatError(f"{name}: shape {shape} of {dtype} does not fit its {n_bytes} bytes")
    return ArrayHeader(shape, dtype)


def _check_overlap(archive: zipfile.ZipFile) -> None:
    """Refuses members that share bytes: each would expand the same ones again."""
    members = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in members[1:]), archive.start_dir]
    for info, end in zip(members, ends, strict=True):
        # The fixed part of a local header has 30 bytes; its extra fields are not known before it is read.
        if info.header_offset + 30 + len(info.filename) + info.compress_size > end:
            raise FileFormatError(f"{info.filename}: overlaps what follows it in the archive")


def _check_expansion(archive: zipfile.ZipFile, members: Collection[zipfile.ZipInfo]) -> None:
    """Refuses archives that grow beyond all reason: images and numbers never compress a hundredfold."""
    packed, size = archive.start_dir, sum(info.file_size for info in members)
    if size > max(MAX_NPZ_EXPANSION * packed, 2**26):
        raise FileFormatError(f"{packed} bytes would expand to {size}; store such arrays uncompressed")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        values: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        return values


def encode_array(values: NDArray[Any]) -> bytes:
    """An array as the bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def decode_array(data: bytes, path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in the bytes of a .npy file; FileFormatError names the path where they are none."""
    stream = io.BytesIO(data)
    try:
        _npy_header(stream, len(data), os.fspath(path))
    except FileFormatError:
        raise
    except ValueError:  # the file does not begin as a .npy file
        raise FileFormatError(f"{os.fspath(path)}: not a .npy file") from None
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def remove_partials(folder: Path) -> None:
    """Removes what writers that were killed left beside their files; no other writer may be at work."""
    for partial in folder.glob(".*.partial"):
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder for this process alone; BlockingIOError when another process holds it.

    The lock ends with the process, however it ends; the file .lock stays.
    """
    with open(folder / ".lock", "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(errno.EWOULDBLOCK, "another process is at work in this folder", str(folder)) from None
        yield
