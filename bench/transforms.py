"""Batched transforms beside NumPy slices or a loop of OpenCV calls, and beside a copy of the batch.

`python bench/transforms.py` prints one table; the class is for asv. Before anything is timed the results are compared:
they are within two grey levels of OpenCV's, whose tables have steps of 1/32 pixel up to version 4. Images are smooth
noise, as photographs are; on white noise such steps alone make more.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable

import cv2
import numpy as np
from timing import interleaved

from augcore import build_info, transforms


def batch(n: int, side: int, channels: int) -> np.ndarray:
    """Smooth random images, (n, side, side, channels) uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, side // 4 + 1, side // 4 + 1, channels), dtype=np.uint8)
    return transforms.resize(coarse, (side, side))


def opencv_affine(images: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    out = np.empty_like(images)
    size = images.shape[2], images.shape[1]
    for image, target in zip(images, out, strict=True):
        cv2.warpAffine(image, matrix, size, dst=target, borderMode=cv2.BORDER_REPLICATE)
    return out


def numpy_translate(images: np.ndarray, shift: int) -> np.ndarray:
    """Down and to the right, the edges repeated: the fastest way that NumPy has."""
    out = np.empty_like(images)
    out[:, shift:, shift:] = images[:, :-shift, :-shift]
    out[:, :shift, shift:] = images[:, :1, :-shift]
    out[:, :, :shift] = out[:, :, shift : shift + 1]
    return out


def opencv_crop(images: np.ndarray, px: int) -> np.ndarray:
    out = np.empty_like(images)
    size = images.shape[2], images.shape[1]
    for image, target in zip(images, out, strict=True):
        cv2.resize(image[px:-px, px:-px], size, dst=target, interpolation=cv2.INTER_LINEAR)
    return out


def work(images: np.ndarray, threads: int) -> dict[str, tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]]:
    """Name -> ours, the peer's: slices of NumPy for the translation, a loop of OpenCV calls for the rest."""
    side = images.shape[1]
    centre = ((side - 1) / 2, (side - 1) / 2)
    turn = cv2.getRotationMatrix2D(centre, 5, 1.0)
    own = {"threads": threads, "out": np.empty_like(images)}
    return {
        "translate 3": (
            functools.partial(transforms.translate, images, 3, 3, **own),
            functools.partial(numpy_translate, images, 3),
        ),
        "rotate 5": (
            functools.partial(transforms.rotate, images, 5, **own),
            functools.partial(opencv_affine, images, turn),
        ),
        "rotate 5, opencv4": (
            functools.partial(transforms.rotate, images, 5, arithmetic="opencv4", **own),
            functools.partial(opencv_affine, images, turn),
        ),
        "crop 2, bilinear": (
            functools.partial(transforms.crop, images, 2, **own),
            functools.partial(opencv_crop, images, 2),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(0)
    print(f"threads {arguments.threads}, SIMD level {build_info()['simd']}, OpenCV {cv2.__version__} on one thread")
    print(f"{'images':<20} {'work':<18} {'augcore/s':>10} {'peer/s':>10} {'ratio':>6} {'of copy':>8}")
    for n, side, channels in ((10_000, 32, 3), (10_000, 28, 1), (2_000, 96, 1), (256, 224, 3)):
        images = batch(n, side, channels)
        target = np.empty_like(images)
        for name, (ours, theirs) in work(images, arguments.threads).items():
            apart = np.abs(ours().astype(int) - theirs().reshape(images.shape)).max()
            if apart > 2:
                raise SystemExit(f"{name}: {apart} grey levels apart")
            mine, other, copy = interleaved(
                [ours, theirs, functools.partial(np.copyto, target, images)], arguments.repeats
            )
            shape = f"{n} x {side}x{side}x{channels}"
            rates = f"{1e3 * n / mine:>10.0f} {1e3 * n / other:>10.0f} {other / mine:>6.2f} {copy / mine:>8.0%}"
            print(f"{shape:<20} {name:<18} {rates}")


class Transforms:
    params = (["translate 3", "rotate 5", "crop 2, bilinear"], [(1000, 32, 3), (100, 96, 1), (10, 224, 3)])
    param_names = ("work", "batch")

    def setup(self, name: str, shape: tuple[int, int, int]) -> None:
        self.run = work(batch(*shape), threads=1)[name][0]

    def time_transform(self, name: str, shape: tuple[int, int, int]) -> None:
        self.run()


if __name__ == "__main__":
    main()
