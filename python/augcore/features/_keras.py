"""Keras, imported when it is needed, without a word on stderr."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from augcore._errors import missing_extra

if TYPE_CHECKING:
    import keras

__all__ = ["compile_quickly", "keras_module"]


def keras_module() -> ModuleType:
    """Keras; ImportError that names the extra, or the backend that was asked for, where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with contextlib.nullcontext() if "keras" in sys.modules else _without_native_log():
            return importlib.import_module("keras")
    except ImportError as error:
        chosen = os.environ.get("KERAS_BACKEND")
        if chosen is None or error.name in ("keras", "tensorflow"):
            raise missing_extra("keras", "experiments") from None
        raise ImportError(
            f"KERAS_BACKEND: {error.name}, which {chosen!r} needs, is not installed", name=error.name
        ) from None
    except ValueError as error:
        raise ValueError(f"KERAS_BACKEND: {error}") from None


# How the C++ log of TensorFlow begins its lines, and the two lines that come without such a beginning.
_NATIVE_LOG = re.compile(rb"[IWE]\d{4} \d|WARNING: All log messages before absl|To enable the following instructions:")


@contextlib.contextmanager
def _without_native_log() -> Iterator[None]:
    """Holds back what is written to file descriptor 2, and drops the C++ log: some of it heeds no level."""
    try:
        stderr = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _NATIVE_LOG.match(line):
                    os.write(2, line)


def compile_quickly(network: keras.Model, **options: Any) -> None:
    """Compiles without XLA on TensorFlow (on a CPU it made these networks 1.3 to 6 times slower) and without a
    compiler on torch: it took a minute and made them slower.
    """
    network.compile(jit_compile=keras_module().backend.backend() == "jax", **options)
