"""What a peer is: a library that can do some of the works, how it is called, and how far its convention lets it differ.

Conversions are part of what is timed: NHWC in, NHWC of the same dtype out. Every call uses the angle's sign, the centre
and the pixel grid that make the peer do the same as this library; what then remains of its own convention is in the
tolerance, which is for smooth images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore.benchmarks.works import Task

__all__ = [
    "COPIES",
    "HALF_CUBIC",
    "READS_BEYOND",
    "ROUNDS",
    "SELF",
    "SHORT_WEIGHTS",
    "TABLES",
    "TRUNCATES",
    "WEIGHTS",
    "Convention",
    "Offer",
    "Peer",
    "rounded",
]


class Convention(NamedTuple):
    """How a result may differ, and by how many grey levels: of integer images, and of float ones."""

    text: str
    levels: float
    float_levels: float

    def allows(self, difference: float, dtype: np.dtype[Any]) -> bool:
        return difference <= (self.float_levels if dtype.kind == "f" else self.levels)


SELF = Convention("what the others are compared with", 0, 0)
COPIES = Convention("copies pixels", 0, 0)
ROUNDS = Convention("other precision or order of operations", 1, 0.05)
WEIGHTS = Convention("weights of 11 bits for integers", 1, 0.05)
SHORT_WEIGHTS = Convention("weights of few bits for integers", 4, 0.05)
TRUNCATES = Convention("truncates instead of rounding", 1, 0.05)
TABLES = Convention("positions rounded to 1/32 pixel", 3, 3)
READS_BEYOND = Convention("reads beyond the cut at its edges", 12, 12)
HALF_CUBIC = Convention("bicubic with a = -0.5 instead of -0.75", 16, 16)


class Offer(NamedTuple):
    """How a peer does a task."""

    run: Callable[[], NDArray[Any]]
    convention: Convention


class Peer(NamedTuple):
    """A way to do some works with a library; `offer` gives None for a task that is not among them.

    `into` says that it can write into a given array.
    """

    name: str
    library: str
    offer: Callable[[Task], Offer | None]
    into: bool = False


def rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Float results as the dtype of the images: half to even, saturating."""
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    result: NDArray[Any] = np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return result
