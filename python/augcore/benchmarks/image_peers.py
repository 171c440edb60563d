"""Peers that take one image at a time, in a loop or on a pool of threads (OpenCV, Pillow, scikit-image, SciPy), and
those that loop themselves (albumentations, imaug)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore.benchmarks.libraries import library
from augcore.benchmarks.peers import (
    COPIES,
    HALF_CUBIC,
    ROUNDS,
    TABLES,
    TRUNCATES,
    WEIGHTS,
    Convention,
    Offer,
    Peer,
    rounded,
)
from augcore.benchmarks.works import Task

__all__ = ["PEERS"]

Image = NDArray[Any]


class Loop(NamedTuple):
    """What is done to one image: fill(image, target, parameter), a parameter for each image."""

    fill: Callable[[Image, Image, Any], None]
    convention: Convention
    parameters: Callable[[], Iterable[Any]] = lambda: itertools.repeat(None)


Looped = Callable[[Task], Loop | None]


def _in_a_loop(looped: Looped) -> Callable[[Task], Offer | None]:
    def offer(task: Task) -> Offer | None:
        loop = looped(task)
        if loop is None:
            return None

        def run() -> NDArray[Any]:
            out = task.target()
            for image, target, parameter in zip(task.images, out, loop.parameters(), strict=False):
                loop.fill(image, target, parameter)
            return out

        return Offer(run, loop.convention)

    return offer


def _on_a_pool(looped: Looped) -> Callable[[Task], Offer | None]:
    """Every thread takes one part of the batch, OpenCV's own threads off; only where more than one is asked for."""

    def offer(task: Task) -> Offer | None:
        loop = looped(task)
        if loop is None or task.threads == 1:
            return None
        cv2, pool = library("cv2"), _pool(task.threads)
        cuts = np.linspace(0, len(task.images), task.threads + 1).astype(int).tolist()

        def part(out: NDArray[Any], parameters: list[Any], begin: int, end: int) -> None:
            for index in range(begin, end):
                loop.fill(task.images[index], out[index], parameters[index])

        def run() -> NDArray[Any]:
            out = task.target()
            parameters = list(itertools.islice(loop.parameters(), len(out)))
            own = cv2.getNumThreads()
            cv2.setNumThreads(1)
            list(pool.map(lambda ends: part(out, parameters, *ends), itertools.pairwise(cuts)))
            cv2.setNumThreads(own)
            return out

        return Offer(run, loop.convention)

    return offer


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


# ---- OpenCV ----------------------------------------------------------------------------------------------------------


def _warps_by_tables() -> bool:
    return int(library("cv2").__version__.split(".")[0]) < 5


def _cv2_copy_make_border(task: Task) -> Loop | None:
    if not task.work.copies or task.work.kind == "flip":
        return None
    cv2 = library("cv2")
    shift, edge = int(task.work.shift[0]), cv2.BORDER_REPLICATE

    def fill(image: Image, target: Image, _: Any) -> None:
        cv2.copyMakeBorder(image[:-shift, :-shift], shift, 0, shift, 0, edge, dst=target)

    return Loop(fill, COPIES)


def _cv2_flip(task: Task) -> Loop | None:
    cv2 = library("cv2")
    return Loop(lambda image, target, _: cv2.flip(image, 1, dst=target), COPIES) if task.work.kind == "flip" else None


def _cv2_flip_tall(task: Task) -> Offer | None:
    """All images are one tall image."""
    if task.work.kind != "flip":
        return None
    cv2 = library("cv2")
    tall = (-1, *task.images.shape[2:])

    def run() -> NDArray[Any]:
        out = task.target()
        cv2.flip(task.images.reshape(tall), 1, dst=out.reshape(tall))
        return out

    return Offer(run, COPIES)


def _cv2_warp_affine(task: Task) -> Loop | None:
    if task.work.kind != "affine":
        return None
    cv2 = library("cv2")
    work, center, size = task.work, task.center, task.size[::-1]
    how = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[work.interpolation]
    edge = cv2.BORDER_REPLICATE

    def fill(image: Image, target: Image, matrix: NDArray[np.float64]) -> None:
        cv2.warpAffine(image, matrix, size, dst=target, flags=how, borderMode=edge)

    def parameters() -> Iterable[NDArray[np.float64]]:
        if not work.degrees:
            return itertools.repeat(np.array([[1, 0, work.shift[0]], [0, 1, work.shift[1]]], dtype=np.float64))
        matrices = [cv2.getRotationMatrix2D(center, angle, 1.0) for angle in task.angles.tolist()]
        return matrices if work.each else itertools.repeat(matrices[0])

    return Loop(fill, COPIES if work.copies else TABLES if _warps_by_tables() else ROUNDS, parameters)


def _cv2_remap_tall(keep_map: bool, task: Task) -> Offer | None:
    """Stacks of images are one tall image each. A map that is kept serves one angle only, and is in fixed point."""
    work = task.work
    if work.kind != "affine" or work.each or work.interpolation != "bilinear" or work.copies:
        return None
    cv2 = library("cv2")
    (height, width), (n, *_, channels) = task.size, task.images.shape
    stack = min(n, 2**15 // height - 1)  # OpenCV counts positions in 16 bits
    if stack < 1:
        return None

    def make_map() -> tuple[NDArray[Any], NDArray[Any]]:
        y, x = np.mgrid[:height, :width]
        source = task.inverse()[0] @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        columns = np.clip(source[0], 0, width - 1).reshape(height, width).astype(np.float32)
        rows = np.clip(source[1], 0, height - 1).reshape(height, width)
        tall_rows = (rows + height * np.arange(stack)[:, None, None]).reshape(-1, width).astype(np.float32)
        return np.tile(columns, (stack, 1)), tall_rows

    kept = cv2.convertMaps(*make_map(), cv2.CV_16SC2) if keep_map else None

    def run() -> NDArray[Any]:
        maps = make_map() if kept is None else kept
        out = task.target()
        for begin in range(0, n, stack):
            images = task.images[begin : begin + stack].reshape(-1, width, channels)
            target = out[begin : begin + stack].reshape(-1, width, channels)
            cv2.remap(images, maps[0][: len(images)], maps[1][: len(images)], cv2.INTER_LINEAR, dst=target)
        return out

    return Offer(run, TABLES)


def _cv2_resize(task: Task) -> Loop | None:
    if task.work.kind != "crop":
        return None
    cv2 = library("cv2")
    px, size = task.work.px, task.size[::-1]
    names = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}
    how = names[task.work.interpolation]

    def fill(image: Image, target: Image, _: Any) -> None:
        cv2.resize(image[px:-px, px:-px], size, dst=target, interpolation=how)

    return Loop(fill, WEIGHTS)


# ---- Pillow, scikit-image, SciPy -------------------------------------------------------------------------------------


def _pillow(task: Task) -> Loop | None:
    """It has no border but a colour: images are padded first, by NumPy."""
    work, channels = task.work, task.images.shape[3]
    if task.images.dtype != np.uint8 or channels not in (1, 3) or work.interpolation == "area":
        return None
    image_module = library("PIL.Image")
    resampling = image_module.Resampling[work.interpolation.upper()]
    height, width = task.size
    margin = _reach(task) if work.kind == "affine" else 0
    margins = ((margin, margin), (margin, margin), (0, 0))[: 3 if channels > 1 else 2]

    def to_pillow(image: Image) -> Any:
        return image_module.fromarray(image if channels > 1 else image[:, :, 0])

    def warp(image: Image, target: Image, m: list[float]) -> None:
        padded = np.pad(image if channels > 1 else image[:, :, 0], margins, mode="edge")
        warped = image_module.fromarray(padded).transform((width, height), image_module.AFFINE, m, resampling)
        target[...] = np.asarray(warped).reshape(target.shape)

    def crop(image: Image, target: Image, _: Any) -> None:
        px = work.px
        inner = to_pillow(image).crop((px, px, width - px, height - px))
        target[...] = np.asarray(inner.resize((width, height), resampling)).reshape(target.shape)

    def flip(image: Image, target: Image, _: Any) -> None:
        mirrored = to_pillow(image).transpose(image_module.Transpose.FLIP_LEFT_RIGHT)
        target[...] = np.asarray(mirrored).reshape(target.shape)

    def parameters() -> Iterable[list[float]]:
        # Positions are those of pixel corners: half a pixel off the centres, before and after.
        m = task.inverse()[:, :2]
        m[:, :, 2] += margin + 0.5 - 0.5 * (m[:, :, 0] + m[:, :, 1])
        flat: list[list[float]] = m.reshape(-1, 6).tolist()
        return flat if work.each else itertools.repeat(flat[0])

    if work.kind == "flip":
        return Loop(flip, COPIES)
    convention = HALF_CUBIC if work.interpolation == "bicubic" else TRUNCATES
    return Loop(crop, convention) if work.kind == "crop" else Loop(warp, convention, parameters)


def _reach(task: Task) -> int:
    """How many pixels beyond the image the corners of the result read, and two for the kernel."""
    height, width = task.size
    corners = np.array([[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1, 1, 1, 1]], dtype=np.float64)
    source = task.inverse()[:, :2] @ corners
    beyond = np.stack([-source, source - np.array([[width - 1], [height - 1]])])
    return int(np.ceil(max(0.0, beyond.max()))) + 2


def _each_or_all(task: Task, matrices: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
    return matrices if task.work.each else itertools.repeat(matrices[0])


def _skimage(task: Task) -> Loop | None:
    work, dtype = task.work, task.images.dtype
    if work.kind == "flip" or work.interpolation not in ("bilinear", "bicubic"):
        return None
    transform = library("skimage.transform")
    order = {"bilinear": 1, "bicubic": 3}[work.interpolation]

    def warp(image: Image, target: Image, m: NDArray[np.float64]) -> None:
        warped = transform.warp(image, m, order=order, mode="edge", preserve_range=True)
        target[...] = rounded(warped, dtype)

    def crop(image: Image, target: Image, _: Any) -> None:
        px = work.px
        how = {"order": 1, "mode": "edge", "preserve_range": True, "anti_aliasing": False}
        target[...] = rounded(transform.resize(image[px:-px, px:-px], task.size, **how), dtype)

    if work.kind == "crop":
        return Loop(crop, ROUNDS) if work.interpolation == "bilinear" else None
    convention = HALF_CUBIC if work.interpolation == "bicubic" else ROUNDS
    return Loop(warp, convention, lambda: _each_or_all(task, task.inverse()))


def _scipy(task: Task) -> Loop | None:
    """Order 1; its cubic is a spline, which is something else."""
    work = task.work
    if work.kind == "flip" or work.interpolation != "bilinear":
        return None
    ndimage = library("scipy.ndimage")
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])

    def warp(image: Image, target: Image, m: NDArray[np.float64]) -> None:
        for channel in range(image.shape[2]):
            ndimage.affine_transform(image[:, :, channel], m, output=target[:, :, channel], order=1, mode="nearest")

    def crop(image: Image, target: Image, _: Any) -> None:
        px, (height, width) = work.px, task.size
        zoom = (height / (height - 2 * px), width / (width - 2 * px))
        how: dict[str, Any] = {"order": 1, "mode": "nearest", "grid_mode": True}
        for channel in range(image.shape[2]):
            ndimage.zoom(image[px:-px, px:-px, channel], zoom, output=target[:, :, channel], **how)

    if work.kind == "crop":
        return Loop(crop, ROUNDS)
    return Loop(warp, ROUNDS, lambda: _each_or_all(task, swap @ task.inverse() @ swap))


# ---- those that loop themselves --------------------------------------------------------------------------------------


def _albumentations(task: Task) -> Offer | None:
    """The batch path; what it draws for a batch holds for all of it."""
    work = task.work
    if work.each:
        return None
    cv2, albumentations = library("cv2"), library("albumentations")
    names = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}
    how = {"interpolation": names[work.interpolation], "p": 1.0}
    warps = TABLES if _warps_by_tables() else ROUNDS
    if work.kind == "flip":
        step, convention = albumentations.HorizontalFlip(p=1.0), COPIES
    elif work.kind == "crop":
        step, convention = albumentations.CropAndPad(px=-work.px, keep_size=True, **how), WEIGHTS
    elif work.degrees:
        angle = (work.degrees, work.degrees)
        step, convention = albumentations.Rotate(limit=angle, border_mode=cv2.BORDER_REPLICATE, **how), warps
    elif work.copies:
        shift = {axis: (int(px), int(px)) for axis, px in zip("xy", work.shift, strict=True)}
        step = albumentations.Affine(translate_px=shift, border_mode=cv2.BORDER_REPLICATE, **how)
        convention = COPIES
    else:
        return None  # it moves by whole pixels, or by fractions of the image that it rounds

    def run() -> NDArray[Any]:
        result: NDArray[Any] = step(images=task.images)["images"]
        return result

    return Offer(run, convention)


def _imaug(task: Task) -> Offer | None:
    """As the paper called imgaug: its angles are clockwise."""
    work = task.work
    if work.each:
        return None
    augmenters = library("imgaug.augmenters")
    how: Any = {"bilinear": 1, "bicubic": 3}.get(work.interpolation, 1)
    warps = TABLES if _warps_by_tables() else ROUNDS
    if work.kind == "flip":
        step, convention = augmenters.Fliplr(1.0), COPIES
    elif work.kind == "crop":
        step = augmenters.Sequential(
            [
                augmenters.Crop(px=work.px, keep_size=False),
                augmenters.Resize(
                    {"height": task.size[0], "width": task.size[1]},
                    interpolation={"bilinear": "linear", "bicubic": "cubic", "area": "area"}[work.interpolation],
                ),
            ]
        )
        convention = WEIGHTS
    elif work.degrees:
        step, convention = augmenters.Affine(rotate=-work.degrees, order=how, mode="edge"), warps
    elif work.copies:
        shift = {axis: int(px) for axis, px in zip("xy", work.shift, strict=True)}
        step, convention = augmenters.Affine(translate_px=shift, order=how, mode="edge"), COPIES
    else:
        return None

    def run() -> NDArray[Any]:
        return np.asarray(step.augment_images(task.images))

    return Offer(run, convention)


def _loops(name: str, looped: Looped) -> tuple[Peer, Peer]:
    return (
        Peer(f"{name} loop", "cv2", _in_a_loop(looped), into=True),
        Peer(f"{name} thread pool", "cv2", _on_a_pool(looped), into=True),
    )


PEERS = (
    *_loops("cv2.copyMakeBorder", _cv2_copy_make_border),
    *_loops("cv2.flip", _cv2_flip),
    Peer("cv2.flip, one tall image", "cv2", _cv2_flip_tall, into=True),
    *_loops("cv2.warpAffine", _cv2_warp_affine),
    Peer("cv2.remap, tall", "cv2", functools.partial(_cv2_remap_tall, False), into=True),
    Peer("cv2.remap, tall, map kept", "cv2", functools.partial(_cv2_remap_tall, True), into=True),
    *_loops("cv2.resize", _cv2_resize),
    Peer("Pillow", "PIL.Image", _in_a_loop(_pillow), into=True),
    Peer("scikit-image", "skimage.transform", _in_a_loop(_skimage), into=True),
    Peer("SciPy ndimage", "scipy.ndimage", _in_a_loop(_scipy), into=True),
    Peer("albumentations", "albumentations", _albumentations),
    Peer("imaug", "imgaug.augmenters", _imaug),
)
