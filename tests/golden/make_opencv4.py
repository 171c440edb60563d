"""Makes opencv4.npz and opencv4.json: what OpenCV 4 gives for small images, the truth for arithmetic="opencv4".

Run it by hand in an environment with OpenCV 4, never from the tests:

    python -m venv /tmp/opencv4 && /tmp/opencv4/bin/pip install "numpy<2.3" opencv-python-headless==4.12.0.88
    /tmp/opencv4/bin/python tests/golden/make_opencv4.py
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
SHAPES = [(32, 32, 3), (28, 28, 1), (9, 13, 3), (13, 9, 4), (1, 1, 1), (1, 7, 3), (6, 1, 1), (2, 2, 2)]
MATRICES = {
    "shift": [[1, 0, 1.3], [0, 1, -2.71]],
    "affine": [[0.93, 0.31, -1.7], [-0.22, 1.14, 2.4]],
    "enlarge": [[1.7, 0, 0.1], [0, 2.3, -0.4]],
    "shrink": [[0.41, 0.05, 0], [0.02, 0.37, 0]],
    "mirror": [[-1, 0, 8], [0, 1, 0]],
    "far": [[1, 0, 1000], [0, 1, -2000]],
}
ANGLES = [5, -5, 5 / 3, 30, -30 + 60 / 14, 90, 180, 123.456]


def rows(image: np.ndarray) -> np.ndarray:
    """H x W x C again, where OpenCV has dropped a last axis of one."""
    return image.reshape(*image.shape[:2], -1)


def main() -> None:
    if not cv2.__version__.startswith("4."):
        raise SystemExit(f"this needs OpenCV 4, got {cv2.__version__}")
    rng = np.random.default_rng(20240229)
    arrays, cases = {}, []

    def warp(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], flags: int = 0) -> np.ndarray:
        return cv2.warpAffine(
            image, matrix, size[::-1], flags=cv2.INTER_LINEAR | flags, borderMode=cv2.BORDER_REPLICATE
        )

    def add(image: str, result: np.ndarray, **case: object) -> None:
        name = f"out{len(cases)}"
        arrays[name] = rows(result)
        cases.append({"image": image, "result": name, **case})

    for index, (h, w, c) in enumerate(SHAPES):
        name = f"in{index}"
        image = arrays[name] = rng.integers(0, 256, (h, w, c), dtype=np.uint8)
        for degrees in ANGLES if index < 4 else ANGLES[:2]:
            matrix = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), degrees, 1)
            add(name, warp(image, matrix, (h, w)), kind="rotate", degrees=degrees)
        for matrix in MATRICES.values():
            size = (h, w) if index % 2 == 0 else (h + 3, w + 5)
            forward = np.array(matrix, np.float64)
            add(name, warp(image, forward, size), kind="warp", matrix=matrix, size=size, inverse=False)
        add(name, warp(image, forward, size, cv2.WARP_INVERSE_MAP), kind="warp", matrix=matrix, size=size, inverse=True)
        for px in range(1, 7):
            if min(h, w) > 2 * px:
                for how, flag in (("area", cv2.INTER_AREA), ("bilinear", cv2.INTER_LINEAR)):
                    result = cv2.resize(image[px : h - px, px : w - px], (w, h), interpolation=flag)
                    add(name, result, kind="crop", px=px, interpolation=how)
        sizes = [(2 * h, 2 * w), (h + 1, w + 7), (3 * h, max(w // 2, 1)), (max(h // 2, 1), w + 1)]
        for size in sizes if index != 0 else sizes[1:2]:
            add(name, cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), kind="resize", size=size,
                interpolation="area")  # fmt: skip
        for size in [*sizes, (max(h // 2, 1), max(w // 2, 1)), (1, 1)] if index != 0 else [(16, 16), (11, 7)]:
            add(name, cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), kind="resize", size=size,
                interpolation="bilinear")  # fmt: skip

    path = HERE / "opencv4.npz"
    np.savez_compressed(path, **arrays)
    manifest = {
        "made_by": "tests/golden/make_opencv4.py",
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "cases": cases,
    }
    (HERE / "opencv4.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
