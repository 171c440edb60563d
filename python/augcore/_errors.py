"""The exceptions of the library that Python does not have, and the one for a missing extra."""

from __future__ import annotations

__all__ = ["ChecksumError", "FileFormatError", "missing_extra"]


class FileFormatError(ValueError):
    """A file is not in the format that its name, or the caller, says."""


class ChecksumError(OSError):
    """A file does not have the checksum it should have: it is damaged, or another file."""


def missing_extra(module: str, extra: str) -> ImportError:
    """The error to raise when an optional dependency cannot be imported."""
    return ImportError(f"{module} is not installed; install it with: pip install 'augcore[{extra}]'", name=module)
