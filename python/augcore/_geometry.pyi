from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Images = NDArray[Any]
Rectangles = NDArray[np.int64]

INTERPOLATIONS: dict[str, int]
BORDERS: dict[str, int]

def warp_exact(
    images: Images, matrices: Floats, interpolation: int, border: int, fill: Floats, out: Images, threads: int
) -> None: ...
def warp_by_function(
    images: Images,
    function: int,
    params: Floats,
    interpolation: int,
    border: int,
    fill: Floats,
    out: Images,
    threads: int,
) -> tuple[int, int, int] | None: ...
def warp_by_positions(
    images: Images, positions: Floats, interpolation: int, border: int, fill: Floats, out: Images, threads: int
) -> None: ...
def warp_opencv4(images: Images, matrices: Floats, out: Images, threads: int) -> None: ...
def cos_sin(degrees: Floats, cosine: Floats, sine: Floats) -> None: ...
def flip(images: Images, horizontal: bool, vertical: bool, out: Images, threads: int) -> None: ...
def resize_exact(
    images: Images, rectangles: Rectangles, interpolation: int, antialias: bool, out: Images, threads: int
) -> None: ...
def resize_opencv4(images: Images, rectangles: Rectangles, interpolation: int, out: Images, threads: int) -> None: ...
