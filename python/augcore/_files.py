"""Files that are whole at every instant (written beside, synced, renamed), arrays without pickle, locks on folders."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import math
import operator
import os
import secrets
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore._errors import FileFormatError

MAX_NPY_HEADER = 2**14  # bytes; NumPy itself refuses above 10,000
MAX_NPZ_DIRECTORY = 2**20  # bytes
MAX_NPZ_EXPANSION = 100  # times, for what is larger than 64 MiB


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[Any]]:
    """Opens a binary file that takes the place of `path` when the block ends well, and vanishes when it does not.

    What a link points to is replaced, not the link. OSError where `path` is something else than a file.
    """
    target = target_of(path)
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


def target_of(path: str | os.PathLike[str]) -> Path:
    """The file that is written for a path: what a link points to."""
    target = Path(os.path.realpath(path))
    if os.path.lexists(target) and not target.is_file():
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    return target


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
    """What an .npz or .npy file says of an array, known before any data is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool = False
    begin: int = 0  # where the data begin, in bytes


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
        stream: IO[bytes] = file if file is not None else stack.enter_context(open_regular(path))
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
    head = io.BytesIO(stream.read(MAX_NPY_HEADER))  # a length that the file states can be 4 GiB
    version = np.lib.format.read_magic(head)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise FileFormatError(f"{name}: .npy version {version} is not supported")
    try:
        with warnings.catch_warnings(action="ignore"):  # of how Python 2 wrote numbers
            shape, fortran_order, dtype = read(head)
        shape = tuple(operator.index(length) for length in shape)
    except Exception:  # the parsers behind it raise anything, TokenError and MemoryError among them
        raise FileFormatError(f"{name}: has no readable .npy header") from None
    if dtype.hasobject or dtype.kind == "V":
        raise FileFormatError(f"{name}: holds objects or records (dtype {dtype}), not plain values")
    misfit = any(length < 0 for length in shape) or dtype.itemsize == 0
    if misfit or head.tell() + math.prod(shape) * dtype.itemsize != n_bytes:
        words = f"shape {shape}" if len(str(shape)) < 100 else f"a shape of {len(shape)} dimensions"
        raise FileFormatError(f"{name}: {words} of {dtype} does not fit its {n_bytes} bytes")
    return ArrayHeader(shape, dtype, fortran_order, head.tell())


def _check_overlap(archive: zipfile.ZipFile) -> None:
    """Refuses members that share bytes: each would expand the same ones again."""
    members = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [*(info.header_offset for info in members[1:]), archive.start_dir]
    for info, end in zip(members, ends, strict=False):  # an archive without members has an end too
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
    _file_header(stream, len(data), path)
    stream.seek(0)
    with _impossible_shapes(path):
        return np.lib.format.read_array(stream, allow_pickle=False)


def _file_header(stream: IO[bytes], n_bytes: int, path: str | os.PathLike[str]) -> ArrayHeader:
    try:
        return _npy_header(stream, n_bytes, os.fspath(path))
    except FileFormatError:
        raise
    except ValueError:  # the file does not begin as a .npy file
        raise FileFormatError(f"{os.fspath(path)}: not a .npy file") from None


def open_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in a .npy file, read-only and mapped: parts are read when they are used.

    C and Fortran order, any byte order, any plain dtype. FileFormatError names the path where the file is damaged,
    cut off, has bytes too many, or holds objects; OSError where it is none.
    """
    with naming(path), open_regular(path) as file:
        header = _file_header(file, os.fstat(file.fileno()).st_size, path)
        order: Literal["F", "C"] = "F" if header.fortran_order else "C"
        with _impossible_shapes(path):
            if 0 in header.shape:  # nothing that could be mapped
                empty: NDArray[Any] = np.empty(header.shape, header.dtype, order)
                empty.flags.writeable = False
                return empty
            return np.memmap(file, header.dtype, "r", header.begin, header.shape, order)


@contextlib.contextmanager
def _impossible_shapes(path: str | os.PathLike[str]) -> Iterator[None]:
    """More dimensions, or longer ones, than NumPy knows; that they fit the size of the file is known."""
    try:
        yield
    except ValueError as error:
        raise FileFormatError(f"{os.fspath(path)}: {error}") from None


@contextlib.contextmanager
def open_regular(path: str | os.PathLike[str]) -> Iterator[io.BufferedReader]:
    """A file to read; OSError where it is a pipe, a device or a folder."""
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
        yield file


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """The content of a file; OSError where it is a pipe, a device or a folder."""
    with open_regular(path) as file:
        return file.read()


def _open_without_waiting(path: str, flags: int) -> int:
    """Opens a pipe too, though nobody writes to it, so that it can be refused."""
    return os.open(path, flags | os.O_NONBLOCK)


class NpyWriter:
    """A .npy file of known shape and dtype that is filled in parts, beside its place, and then put there.

    The name of the partial file follows from the path, so that who was killed finds it again: `rows` then says how many
    rows were durable. Behind the data stands a note of that, and of the `key`: what the rows depend on. A partial file
    with another key begins anew; without a key nothing is kept. Space for all rows is taken at once, so that a full
    disk is told before the work. Errors name the path. One process at a time: the next gets a BlockingIOError.

    Used in a with block; what is not committed by its end is kept if rows of it are durable, else removed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shape: tuple[int, ...],
        dtype: np.dtype[Any] | type[np.generic],
        *,
        key: bytes | None = None,
    ) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self.rows = 0
        self._committed = False
        self._target = target_of(path)
        self._partial = self._target.with_name(f".{self._target.name}.partial")
        stream = io.BytesIO()
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        self._head = stream.getvalue()
        self._row_bytes = math.prod(shape[1:]) * self.dtype.itemsize
        self._end = self._place(shape[0])
        self._key = None if key is None else hashlib.blake2b(self._head + key, digest_size=16).digest()

    def __enter__(self) -> NpyWriter:
        with naming(self.path, self._partial):
            self._file = open_alone(self._partial)
            try:
                self.rows = self._rows_before()
                if not self.rows:
                    self._begin()
            except BaseException:
                self._close()
                raise
        return self

    def write(self, first: int, values: NDArray[Any]) -> None:
        """Rows from `first` on."""
        if values.shape[1:] != self.shape[1:] or not 0 <= first <= self.shape[0] - len(values):
            raise ValueError(f"values: rows {first} on of shape {values.shape} are not within {self.shape}")
        rows = np.ascontiguousarray(values, self.dtype).reshape(-1)
        with naming(self.path, self._partial):
            self._write_at(self._place(first), rows.view(np.uint8).data if rows.size else b"")

    def flush(self, rows: int) -> None:
        """Makes what was written durable, and notes that it is the first `rows` rows."""
        with naming(self.path, self._partial):
            os.fsync(self._file)
            if self._key is not None:
                note = self._key + struct.pack("<Q", rows)
                self._write_at(self._end, note + struct.pack("<I", zlib.crc32(note)))
                os.fsync(self._file)
        self.rows = rows

    def commit(self) -> None:
        """Puts the file in its place, whole and durable."""
        with naming(self.path, self._partial):
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)
            os.replace(self._partial, self._target)
            self._committed = True
            sync_folder(self._target.parent)

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        """A partial file stays where it is of use; after a commit the name may be that of another process already."""
        if not self._committed and (self._key is None or not self.rows):
            with contextlib.suppress(OSError):
                self._partial.unlink()
        os.close(self._file)

    def _begin(self) -> None:
        os.ftruncate(self._file, 0)
        try:
            os.posix_fallocate(self._file, 0, self._end + _NOTE_BYTES)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot
                raise
        self._write_at(0, self._head)

    def _rows_before(self) -> int:
        """How many rows a process before this one made durable, for the same key."""
        found = os.pread(self._file, _NOTE_BYTES, self._end)
        if self._key is None or len(found) != _NOTE_BYTES or not found.startswith(self._key):
            return 0
        (rows,), (check,) = struct.unpack("<Q", found[16:24]), struct.unpack("<I", found[24:])
        return int(rows) if check == zlib.crc32(found[:24]) and rows <= self.shape[0] else 0

    def _place(self, row: int) -> int:
        return len(self._head) + row * self._row_bytes

    def _write_at(self, place: int, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, place)
            place, view = place + written, view[written:]


_NOTE_BYTES = 16 + 8 + 4


def open_alone(partial: Path) -> int:
    """Opens or makes a file that only this process writes to; BlockingIOError when another one does."""
    while True:
        file = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(partial.stat(), os.fstat(file)):
                    return file
        except BlockingIOError:
            os.close(file)
            raise BlockingIOError(errno.EWOULDBLOCK, "another process is writing it", str(partial)) from None
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # the other process put it in its place, or removed it, just before it let go


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
