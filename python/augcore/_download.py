"""Fetching official files: each one's size and SHA-256 are known beforehand and checked before it gets its name.

What has come of a file stands beside its place, as .NAME.partial. It stays there when the connection is cut, the disk
is full or the process ends, and is gone on with where the server can send the rest alone.
"""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from augcore import _files
from augcore._errors import ChecksumError

__all__ = ["Progress", "fetch"]

# What is under way, how many bytes of it are there, how many there will be.
Progress = Callable[[str, float, float], None]

_TRIES = 3
_PAUSE = 1.0  # seconds before the next one
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 2**18

_log = logging.getLogger(__name__)


class _LostError(Exception):
    """The server cannot be reached, or stopped in the middle."""


def fetch(files: dict[str, tuple[int, str]], folder: Path, progress: Progress | None = None) -> None:
    """Fetch URLs, each with its size in bytes and SHA-256, into a folder; files that are there already stay.

    ChecksumError if what comes is something else, OSError if nothing comes, after three tries.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for url, (size, sha256) in files.items():
        target = folder / url.rpartition("/")[2]
        if target.exists():
            continue
        with _Partial(target) as partial:
            if not target.exists():  # by another process that has just finished it
                _fetch_one(url, size, sha256, partial, progress or (lambda file, done, total: None))


def _fetch_one(url: str, size: int, sha256: str, partial: _Partial, progress: Progress) -> None:
    for left in reversed(range(_TRIES)):
        try:
            _log.info("fetching %s", url)
            _receive(url, size, partial, progress)
            if partial.sha256() != sha256:
                raise _another_file(url, size, sha256)
            break
        except _LostError as error:
            if not left:
                raise OSError(
                    f"{url}: cannot be fetched: {error}; try again, or put the file into {partial.target.parent}"
                ) from None
        except ChecksumError:
            partial.begin_anew()
            if not left:
                raise
        time.sleep(_PAUSE)
    partial.put_in_place()


def _receive(url: str, size: int, partial: _Partial, progress: Progress) -> None:
    """Appends what is still to come."""
    if partial.n_bytes > size:
        partial.begin_anew()
    if partial.n_bytes == size:
        return
    with _request(url, partial) as response:
        if response.status != http.client.PARTIAL_CONTENT:
            partial.begin_anew()  # the server sends all of it
        if (length := response.length) is not None and length != size - partial.n_bytes:
            raise _another_file(url, size)
        progress(partial.target.name, partial.n_bytes, size)
        while chunk := _read(response, min(_CHUNK, size - partial.n_bytes + 1)):
            partial.append(chunk)  # at most one byte too many, which the sum tells
            progress(partial.target.name, partial.n_bytes, size)
    if partial.n_bytes < size:
        raise _LostError(f"the connection was cut after {partial.n_bytes} of {size} bytes")


def _request(url: str, partial: _Partial) -> http.client.HTTPResponse:
    """The answer to a request for what follows the bytes that are there."""
    headers = {"Range": f"bytes={partial.n_bytes}-"} if partial.n_bytes else {}
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=_TIMEOUT
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.begin_anew()
        raise _LostError(str(error)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _LostError(str(getattr(error, "reason", error))) from None
    return response


def _read(response: http.client.HTTPResponse, n: int) -> bytes:
    try:
        return response.read1(n)
    except (OSError, http.client.HTTPException) as error:
        raise _LostError(str(error)) from None


def _another_file(url: str, size: int, sha256: str = "") -> ChecksumError:
    known = f" with SHA-256 {sha256}" if sha256 else ""
    return ChecksumError(f"{url}: is not the file of {size} bytes{known} that it should be")


class _Partial:
    """What has come of a file so far, beside its place; one process at a time. Errors name the file itself."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._path = target.with_name(f".{target.name}.partial")

    def __enter__(self) -> _Partial:
        with _files.naming(self.target, self._path):
            self._file = _files.open_alone(self._path)
            self.n_bytes = os.lseek(self._file, 0, os.SEEK_END)
        return self

    def __exit__(self, *_: object) -> None:
        """Keeps what is there, if anything."""
        if os.fstat(self._file).st_size == 0:
            self._path.unlink(missing_ok=True)
        os.close(self._file)

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        with _files.naming(self.target, self._path):
            while view:
                written = os.pwrite(self._file, view, self.n_bytes)
                self.n_bytes += written
                view = view[written:]

    def begin_anew(self) -> None:
        os.ftruncate(self._file, 0)
        self.n_bytes = 0

    def sha256(self) -> str:
        with open(self._file, "rb", closefd=False) as file:
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()

    def put_in_place(self) -> None:
        with _files.naming(self.target, self._path):
            os.fsync(self._file)
            os.replace(self._path, self.target)
            _files.sync_folder(self.target.parent)
