"""The words that arguments of the transforms take, and which of them go together."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from augcore import _validate

Interpolation = Literal["nearest", "bilinear", "bicubic"]
ResizeInterpolation = Literal["nearest", "bilinear", "bicubic", "area"]
Border = Literal["edge", "constant", "reflect", "symmetric", "wrap"]
Arithmetic = Literal["exact", "opencv4"]
Layout = Literal["NHWC", "NCHW"]

INTERPOLATIONS: tuple[Interpolation, ...] = ("nearest", "bilinear", "bicubic")
RESIZE_INTERPOLATIONS: tuple[ResizeInterpolation, ...] = (*INTERPOLATIONS, "area")
BORDERS: tuple[Border, ...] = ("edge", "constant", "reflect", "symmetric", "wrap")
ARITHMETICS: tuple[Arithmetic, ...] = ("exact", "opencv4")
LAYOUTS: tuple[Layout, ...] = ("NHWC", "NCHW")


def check_arithmetic(arithmetic: str, interpolation: str, border: str, dtype: np.dtype[Any] | None = None) -> None:
    """Refuses what arithmetic="opencv4" does not define; without a dtype, what it defines for no dtype."""
    _validate.choice("arithmetic", arithmetic, ARITHMETICS)
    if arithmetic == "exact":
        return
    if interpolation not in ("bilinear", "area"):
        raise ValueError(
            f"interpolation: arithmetic='opencv4' is defined for 'bilinear' and 'area', got {interpolation!r}"
        )
    if border != "edge":
        raise ValueError(f"border: arithmetic='opencv4' is defined for 'edge', got {border!r}")
    if dtype is not None and dtype != np.uint8:
        raise ValueError(f"images: arithmetic='opencv4' is defined for uint8, got {dtype}")
