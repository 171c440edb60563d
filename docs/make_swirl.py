"""Makes images/swirl.png of own_warps.md, with the function that the page defines: python docs/make_swirl.py

It needs MNIST and CIFAR-10: augcore data fetch.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imsave

from augcore import datasets, transforms

DOCS = Path(__file__).resolve().parent
SIDE, GAP = 120, 8
CIFAR10 = {"automobile": 4, "horse": 11, "frog": 0}  # class: which of its images in the training set
DIGITS = [0, 7]


def function_of_the_page() -> Any:
    first = re.findall(r"```python\n(.*?)```", (DOCS / "own_warps.md").read_text(), re.S)[0]
    names: dict[str, Any] = {}
    exec(first, names)
    return names["swirl"]


def chequers() -> np.ndarray:
    """A chequerboard."""
    y, x = np.mgrid[:SIDE, :SIDE] // 15
    return np.where(((x + y) % 2)[..., np.newaxis], [45, 85, 150], [240, 240, 235]).astype(np.uint8)


def enlarged(images: np.ndarray) -> np.ndarray:
    return transforms.resize(np.repeat(images, 3 // images.shape[3], axis=3), (SIDE, SIDE), interpolation="bicubic")


def photos() -> np.ndarray:
    data = datasets.load("cifar10")
    chosen = [
        data.x_train[data.y_train == data.class_names.index(name)][number : number + 1]
        for name, number in CIFAR10.items()
    ]
    return enlarged(np.concatenate(chosen))


def main() -> None:
    swirl = function_of_the_page()
    images = np.concatenate([chequers()[np.newaxis], photos(), enlarged(datasets.load("mnist").x_train[DIGITS])])
    middle, n = (SIDE - 1) / 2, len(images)
    rng = np.random.default_rng(5)
    each = np.column_stack(
        [
            *rng.uniform(middle - 25, middle + 25, (2, n)),
            rng.choice([-1, 1], n) * rng.uniform(2, 4, n),
            rng.uniform(20, 40, n),
        ]
    )
    rows = [images, transforms.warp(images, swirl, [middle, middle, 3, 30]), transforms.warp(images, swirl, each)]
    picture = np.full((3 * (SIDE + GAP) - GAP, n * (SIDE + GAP) - GAP, 3), 255, np.uint8)
    for top, row in enumerate(rows):
        for left, image in enumerate(row):
            y, x = top * (SIDE + GAP), left * (SIDE + GAP)
            picture[y : y + SIDE, x : x + SIDE] = image
    imsave(DOCS / "images" / "swirl.png", picture, metadata={"Software": None})


if __name__ == "__main__":
    main()
