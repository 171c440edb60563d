"""Who does the same on the same card: torch and kornia, on tensors that share the memory of CuPy's arrays.

Images go in as they are and come out so, uint8 or floats, channels last: conversions are part of what is timed. What is
made once for many batches (grids, matrices on the card) is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import _device
from augcore.benchmarks.libraries import library
from augcore.benchmarks.works import Work

__all__ = ["Peer", "of_images", "of_points"]

Array = Any  # CuPy's
Tensor = Any


class Peer(NamedTuple):
    """A way to do a work; `prepare` gives a function that does it. The tolerance is that of the work's difference."""

    name: str
    library: str
    tolerance: float
    prepare: Callable[[], Callable[[], Array]]


def tensor(array: Array) -> Tensor:
    """A CuPy array as a tensor of torch, in the same memory."""
    return library("torch").from_dlpack(array)


def array(tensor: Tensor) -> Array:
    """And back."""
    return _device.cupy().from_dlpack(tensor.detach())


# ---- images ----------------------------------------------------------------------------------------------------------


def _to_planes(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2).float()


def _from_planes(planes: Tensor, dtype: Any) -> Array:
    if not dtype.is_floating_point:
        planes = planes.round_().clamp_(0, library("torch").iinfo(dtype).max)
    return array(planes.to(dtype).permute(0, 2, 3, 1).contiguous())


def of_images(work: Work, images: Array, matrices: NDArray[np.float64]) -> list[Peer]:
    """matrices: (1 or n, 3, 3), destination -> source, as tasks have them."""
    n, height, width, channels = images.shape

    def flipped() -> Callable[[], Array]:
        batch = tensor(images)
        return lambda: array(library("torch").flip(batch, (2,)))

    def indexed() -> Callable[[], Array]:
        torch, batch = library("torch"), tensor(images)
        dx, dy = map(int, work.shift)
        columns = (torch.arange(width, device=batch.device) - dx).clamp(0, width - 1)
        rows = (torch.arange(height, device=batch.device) - dy).clamp(0, height - 1)
        return lambda: array(batch.index_select(1, rows).index_select(2, columns))

    def sampled() -> Callable[[], Array]:
        functional, batch = library("torch.nn.functional"), tensor(images)
        to_pixels = np.array(
            [[(width - 1) / 2, 0, (width - 1) / 2], [0, (height - 1) / 2, (height - 1) / 2], [0, 0, 1]]
        )
        theta = (np.linalg.inv(to_pixels) @ matrices @ to_pixels)[:, :2].astype(np.float32)
        theta = tensor(_device.upload(theta))

        def run() -> Array:
            grid = functional.affine_grid(theta, (len(theta), channels, height, width), align_corners=True)
            together = _to_planes(batch).reshape(len(theta), -1, height, width)
            planes = functional.grid_sample(together, grid, padding_mode="border", align_corners=True)
            return _from_planes(planes.reshape(n, channels, height, width), batch.dtype)

        return run

    def warped() -> Callable[[], Array]:
        transform, batch = library("kornia.geometry.transform"), tensor(images)
        forward = tensor(_device.upload(np.linalg.inv(matrices)[:, :2].astype(np.float32))).expand(n, 2, 3)
        how = {"padding_mode": "border", "align_corners": True}

        def run() -> Array:
            planes = transform.warp_affine(_to_planes(batch), forward, (height, width), **how)
            return _from_planes(planes, batch.dtype)

        return run

    if work.kind == "flip":
        return [Peer("torch flip", "torch", 0.0, flipped)]
    copies = [Peer("torch index_select", "torch", 0.0, indexed)] if work.copies else []
    return [*copies, Peer("torch grid_sample", "torch", 1.0, sampled), Peer("kornia", "kornia", 1.0, warped)]


# ---- points ----------------------------------------------------------------------------------------------------------


def of_points(X: Array, y: Array, coef: NDArray[np.float64], intercept: float) -> list[Peer]:
    """Self-influence of a binary model with an intercept, without a penalty."""

    def design() -> tuple[Tensor, Tensor, Tensor]:
        torch, points = library("torch"), tensor(X)
        whole = torch.cat([points, torch.ones_like(points[:, :1])], 1)
        parameters = tensor(_device.upload(np.append(coef, intercept))).to(points.dtype)
        return whole, tensor(y).to(points.dtype), parameters

    def closed_form() -> Callable[[], Array]:
        torch = library("torch")

        def run() -> Array:
            points, labels, parameters = design()
            p = torch.sigmoid(points @ parameters)
            factor = torch.linalg.cholesky((points * (p * (1 - p))[:, None]).T @ points)
            solved = torch.linalg.solve_triangular(factor, points.T, upper=False)
            return array(-((p - labels) ** 2 * (solved * solved).sum(0)).double())

        return run

    def torch_func() -> Callable[[], Array]:
        torch = library("torch")

        def loss(at: Tensor, x: Tensor, label: Tensor) -> Tensor:
            eta = x @ at
            return torch.nn.functional.softplus(eta) - label * eta

        def run() -> Array:
            points, labels, parameters = design()
            gradients = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, points, labels)
            hessian = torch.func.hessian(lambda at: loss(at, points, labels).sum())(parameters)
            solved = torch.linalg.solve_triangular(torch.linalg.cholesky(hessian), gradients.T, upper=False)
            return array(-(solved * solved).sum(0).double())

        return run

    tolerance = 1e-2 if X.dtype == np.float32 else 1e-8
    return [
        Peer("torch closed form", "torch", tolerance, closed_form),
        Peer("torch.func", "torch", tolerance, torch_func),
    ]
