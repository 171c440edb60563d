"""Peers that take a whole batch: NumPy, torch, kornia, TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore.benchmarks.libraries import library
from augcore.benchmarks.peers import (
    COPIES,
    HALF_CUBIC,
    READS_BEYOND,
    ROUNDS,
    SHORT_WEIGHTS,
    TRUNCATES,
    Offer,
    Peer,
    rounded,
)
from augcore.benchmarks.works import Task

__all__ = ["PEERS"]


# ---- slices ----------------------------------------------------------------------------------------------------------


def _numpy_slices(task: Task) -> Offer | None:
    """The fastest ways that NumPy has."""
    if not task.work.copies:
        return None
    images, shift = task.images, int(task.work.shift[0])

    def flip() -> NDArray[Any]:
        out = task.target()
        np.copyto(out, images[:, :, ::-1])
        return out

    def translate() -> NDArray[Any]:
        out = task.target()
        _shift(images, out, shift)
        return out

    return Offer(flip if task.work.kind == "flip" else translate, COPIES)


def _shift(images: Any, out: Any, shift: int) -> None:
    """Down and to the right, the edges repeated; arrays or tensors."""
    out[:, shift:, shift:] = images[:, :-shift, :-shift]
    out[:, :shift, shift:] = images[:, :1, :-shift]
    out[:, :, :shift] = out[:, :, shift : shift + 1]


def _numpy_pad(task: Task) -> Offer | None:
    if not task.work.copies or task.work.kind == "flip":
        return None
    shift = int(task.work.shift[0])
    margins = ((0, 0), (shift, 0), (shift, 0), (0, 0))
    return Offer(lambda: np.pad(task.images[:, :-shift, :-shift], margins, mode="edge"), COPIES)


def _torch_slices(task: Task) -> Offer | None:
    if not task.work.copies:
        return None
    torch = library("torch")
    tensor, shift = torch.from_numpy(task.images), int(task.work.shift[0])

    def flip() -> NDArray[Any]:
        result: NDArray[Any] = torch.flip(tensor, (2,)).numpy()
        return result

    def translate() -> NDArray[Any]:
        out = torch.empty_like(tensor) if task.out is None else torch.from_numpy(task.out)
        _shift(tensor, out, shift)
        result: NDArray[Any] = out.numpy()
        return result

    if task.work.kind == "flip":
        return Offer(flip, COPIES) if task.out is None else None
    return Offer(translate, COPIES)


# ---- torch and kornia ------------------------------------------------------------------------------------------------


def _to_planes(images: NDArray[Any]) -> Any:
    """NHWC of any dtype to NCHW floats."""
    torch = library("torch")
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32).contiguous()


def _from_planes(planes: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    torch = library("torch")
    if dtype.kind != "f":
        planes = planes.round_().clamp_(0, np.iinfo(dtype).max).to(getattr(torch, dtype.name))
    result: NDArray[Any] = planes.permute(0, 2, 3, 1).contiguous().numpy()
    return result


def _torch_grid_sample(task: Task) -> Offer | None:
    """One map for all images: one grid, and the images as channels of one; else a grid for each."""
    if task.work.kind != "affine":
        return None
    torch = library("torch")
    functional = library("torch.nn.functional")
    (height, width), (n, *_, channels) = task.size, task.images.shape
    to_pixels = np.array([[(width - 1) / 2, 0, (width - 1) / 2], [0, (height - 1) / 2, (height - 1) / 2], [0, 0, 1]])

    def run() -> NDArray[Any]:
        theta = (np.linalg.inv(to_pixels) @ task.inverse() @ to_pixels)[:, :2]
        shape = (len(theta), channels, height, width)
        grid = functional.affine_grid(torch.from_numpy(theta.astype(np.float32)), shape, align_corners=True)
        planes = _to_planes(task.images)
        together = planes.reshape(len(theta), -1, height, width)
        result = functional.grid_sample(
            together, grid, mode=task.work.interpolation, padding_mode="border", align_corners=True
        )
        return _from_planes(result.reshape(n, channels, height, width), task.images.dtype)

    return Offer(run, ROUNDS)


def _torch_interpolate(task: Task) -> Offer | None:
    """On uint8 as it is, channels last; floats too."""
    if task.work.kind != "crop" or task.work.interpolation == "area":
        return None
    torch = library("torch")
    functional = library("torch.nn.functional")
    px = task.work.px

    def run() -> NDArray[Any]:
        inner = torch.from_numpy(task.images).permute(0, 3, 1, 2)[:, :, px:-px, px:-px]
        result = functional.interpolate(inner, task.size, mode=task.work.interpolation, align_corners=False)
        out: NDArray[Any] = result.permute(0, 2, 3, 1).contiguous().numpy()
        return out

    return Offer(run, SHORT_WEIGHTS)


def _kornia(task: Task) -> Offer | None:
    transform = library("kornia.geometry.transform")
    torch = library("torch")
    work, dtype = task.work, task.images.dtype

    def warp() -> NDArray[Any]:
        matrices = torch.from_numpy(task.matrix()[:, :2].astype(np.float32)).expand(len(task.images), 2, 3)
        planes = _to_planes(task.images)
        mode = {"mode": work.interpolation, "padding_mode": "border", "align_corners": True}
        return _from_planes(transform.warp_affine(planes, matrices, task.size, **mode), dtype)

    def crop() -> NDArray[Any]:
        px = work.px
        inner = _to_planes(task.images[:, px:-px, px:-px])
        resized = transform.resize(inner, task.size, interpolation=work.interpolation, align_corners=False)
        return _from_planes(resized, dtype)

    def flip() -> NDArray[Any]:
        return _from_planes(transform.hflip(torch.from_numpy(task.images).permute(0, 3, 1, 2)).float(), dtype)

    if work.kind == "crop":
        return Offer(crop, ROUNDS) if work.interpolation != "area" else None
    return Offer(flip, COPIES) if work.kind == "flip" else Offer(warp, ROUNDS)


# ---- TensorFlow ------------------------------------------------------------------------------------------------------


def _tensorflow(task: Task) -> Offer | None:
    """Raw operations, eager; those that take uint8 as it is."""
    tf = library("tensorflow")
    ops, work = tf.raw_ops, task.work

    def warp() -> NDArray[Any]:
        inverse = task.inverse().reshape(-1, 9)[:, :8].astype(np.float32)
        warped = ops.ImageProjectiveTransformV3(
            images=tf.constant(task.images),
            transforms=inverse,
            output_shape=task.size,
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )
        result: NDArray[Any] = warped.numpy()
        return result

    def crop() -> NDArray[Any]:
        px = work.px
        resize = ops.ResizeBilinear if work.interpolation == "bilinear" else ops.ResizeBicubic
        inner = tf.constant(task.images)[:, px:-px, px:-px]
        return rounded(resize(images=inner, size=task.size, half_pixel_centers=True).numpy(), task.images.dtype)

    def flip() -> NDArray[Any]:
        result: NDArray[Any] = ops.ReverseV2(tensor=tf.constant(task.images), axis=[2]).numpy()
        return result

    if work.kind == "flip":
        return Offer(flip, COPIES)
    if work.kind == "affine":
        return Offer(warp, TRUNCATES) if work.interpolation == "bilinear" else None
    conventions = {"bilinear": ROUNDS, "bicubic": HALF_CUBIC}
    return Offer(crop, conventions[work.interpolation]) if work.interpolation in conventions else None


def _tensorflow_crop_and_resize(task: Task) -> Offer | None:
    """Its grid runs from corner to corner; the boxes here give that of pixel centres, but read beyond the cut."""
    if task.work.kind != "crop" or task.work.interpolation != "bilinear":
        return None
    tf = library("tensorflow")
    n, px = len(task.images), task.work.px

    def ends(side: int) -> tuple[float, float]:
        scale = (side - 2 * px) / side
        return (px + 0.5 * scale - 0.5) / (side - 1), (px + (side - 0.5) * scale - 0.5) / (side - 1)

    def run() -> NDArray[Any]:
        (top, bottom), (left, right) = (ends(side) for side in task.size)
        boxes = np.tile(np.array([top, left, bottom, right], np.float32), (n, 1))
        resized = tf.raw_ops.CropAndResize(
            image=tf.constant(task.images), boxes=boxes, box_ind=np.arange(n, dtype=np.int32), crop_size=task.size
        )
        return rounded(resized.numpy(), task.images.dtype)

    return Offer(run, READS_BEYOND)


PEERS = (
    Peer("NumPy slices", "numpy", _numpy_slices, into=True),
    Peer("np.pad", "numpy", _numpy_pad),
    Peer("torch slices", "torch", _torch_slices, into=True),
    Peer("torch grid_sample", "torch", _torch_grid_sample),
    Peer("torch interpolate", "torch", _torch_interpolate),
    Peer("kornia", "kornia", _kornia),
    Peer("TensorFlow", "tensorflow", _tensorflow),
    Peer("TensorFlow crop_and_resize", "tensorflow", _tensorflow_crop_and_resize),
)
