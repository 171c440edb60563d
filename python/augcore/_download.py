"""Fetching official files: each one's size and SHA-256 are known beforehand and checked before it gets its name."""

from __future__ import annotations

import hashlib
import http.client
import logging
import urllib.error
import urllib.request
from pathlib import Path

from augcore import _files
from augcore._errors import ChecksumError

_TRIES = 3
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 2**20

_log = logging.getLogger(__name__)


def fetch(files: dict[str, tuple[int, str]], folder: Path) -> None:
    """Fetch URLs, each with its size in bytes and SHA-256, into a folder; files that are there already stay.

    ChecksumError if what comes is something else, OSError if nothing comes, after three tries.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for url, (size, sha256) in files.items():
        target = folder / url.rpartition("/")[2]
        for left in reversed(range(_TRIES)):
            if target.exists():
                break
            try:
                _log.info("fetching %s", url)
                _fetch_one(url, size, sha256, target)
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                if not left:
                    raise OSError(f"{url}: cannot be fetched: {error}") from None
            except ChecksumError:
                if not left:
                    raise


def _fetch_one(url: str, size: int, sha256: str, target: Path) -> None:
    digest, left = hashlib.sha256(), size
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, _files.atomic_write(target) as file:
        while chunk := response.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            file.write(chunk)
        if left or digest.hexdigest() != sha256:
            raise ChecksumError(f"{url}: is not the file of {size} bytes with SHA-256 {sha256} that it should be")
