import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

class SpectralKernel:
    def __init__(
        self, vectors: Floats, eigenvalues: Floats, rest: float, leverage: Floats, reflector: Floats | None
    ) -> None: ...
    def elementary_ratios(self, ratios: Floats) -> None: ...
    def sample(
        self, ratios: Floats, key: NDArray[np.uint64], first_draw: int, out: NDArray[np.int64], threads: int
    ) -> None: ...

def greedy_map(points: Floats, is_kernel: bool, jitter: float, tolerance: float, order: NDArray[np.int64]) -> int: ...
def elementary_ratios(n: int, eigenvalues: Floats, rest: float, ratios: Floats) -> None: ...
def chosen_columns(
    n: int,
    eigenvalues: Floats,
    rest: float,
    ratios: Floats,
    key: NDArray[np.uint64],
    draw: int,
    out: NDArray[np.int64],
) -> None: ...
