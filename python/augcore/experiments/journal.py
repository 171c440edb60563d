"""The journal of a run: one line of JSON per finished unit, appended and synced, each with its own checksum.

A process that is killed, or a disk that is full, can only tear the last line: it is dropped when the journal is opened
again, and its unit is done again. Damage anywhere else is a FileFormatError.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from augcore import _files
from augcore._errors import FileFormatError

__all__ = ["Journal"]


class Journal:
    """The finished units of a run, in memory and on disk.

    Attributes
    ----------
    records : dict
        What was recorded of each unit, by its name, in the order of finishing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.records: dict[str, dict[str, Any]] = {}
        data = _files.read_regular(path) if path.exists() else b""
        *lines, torn = data.split(b"\n")
        for number, line in enumerate(lines, start=1):
            record = _decode(line)
            if record is not None:
                if not _is_complete(record):
                    raise FileFormatError(f"{path}: line {number}: expected a unit with its result, files and seconds")
                self.records[record.pop("unit")] = record
            elif number == len(lines) and not torn:
                torn = line + b"\n"
            else:
                raise FileFormatError(f"{path}: line {number} is damaged")
        self._size = len(data) - len(torn)

    def append(self, unit: str, record: dict[str, Any]) -> None:
        """Writes a finished unit down; when this returns it is on the disk."""
        line = _encode({"unit": unit, **record})
        with self._lock, _files.naming(self._path):
            is_new = not self._path.exists()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.truncate(self._size)
                file.seek(self._size)
                file.write(line)
                file.flush()
                os.fsync(descriptor)
            if is_new:
                _files.sync_folder(self._path.parent)
            self._size += len(line)
            self.records[unit] = record


def _encode(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, sort_keys=True, allow_nan=False)
    return json.dumps({"check": _check(text), "record": json.loads(text)}, sort_keys=True).encode() + b"\n"


def _decode(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
        record = entry["record"]
        intact = entry["check"] == _check(json.dumps(record, sort_keys=True)) and isinstance(record["unit"], str)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if intact else None


def _is_complete(record: dict[str, Any]) -> bool:
    files, seconds = record.get("files"), record.get("seconds")
    return (
        "result" in record
        and isinstance(files, dict)
        and all(isinstance(checksum, str) for checksum in files.values())
        and isinstance(seconds, int | float)
    )


def _check(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
