"""Resizing and cropping of images on a GPU, and the arithmetic of OpenCV 4: the bytes of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_cuda_transforms import DTYPES, assert_alike, made_up

from augcore import transforms

SHAPES = ((2, 5, 7), (3, 8, 6, 3), (1, 1, 1, 4), (2, 9, 4, 5), (2, 13, 17, 1))
SIZES = ((3, 4), (11, 5), (4, 19), (8, 6), (1, 1))


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", transforms.RESIZE_INTERPOLATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_resizing_has_the_bytes_of_the_cpu(cupy: Any, dtype: str, interpolation: str, antialias: bool) -> None:
    settings: dict[str, Any] = {"interpolation": interpolation, "antialias": antialias}
    for shape in SHAPES:
        images = made_up(shape, dtype)
        for size in (*SIZES, shape[1:3]):
            expected = transforms.resize(images, size, **settings)
            assert_alike(cupy, transforms.resize(cupy.asarray(images), size, **settings), expected)


@pytest.mark.parametrize("interpolation", transforms.RESIZE_INTERPOLATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rectangle_for_each_image(cupy: Any, dtype: str, interpolation: str) -> None:
    """Of which some shrink by more than is summed in float, some grow, and one stays as it is."""
    images = made_up((6, 45, 41, 3), dtype)
    rectangles = np.array([[0, 0, 45, 41], [3, 2, 2, 7], [40, 1, 5, 40], [2, 7, 2, 3], [0, 0, 45, 1], [1, 9, 9, 2]])
    on_gpu = cupy.asarray(images)
    for size in ((2, 3), (9, 5), (4, 1)):
        for antialias in (True, False):
            settings: dict[str, Any] = {"interpolation": interpolation, "antialias": antialias}
            expected = transforms.resized_crop(images, rectangles, size, **settings)
            assert_alike(cupy, transforms.resized_crop(on_gpu, rectangles, size, **settings), expected)


def test_large_factors_are_summed_in_double(cupy: Any) -> None:
    images = made_up((2, 70, 90, 1), "uint8")
    for size in ((1, 2), (70, 2), (3, 90)):
        for interpolation in ("area", "bilinear", "bicubic"):
            expected = transforms.resize(images, size, interpolation=interpolation)
            assert_alike(cupy, transforms.resize(cupy.asarray(images), size, interpolation=interpolation), expected)


@pytest.mark.parametrize(
    "px", [1, (1, 0, 2, 1), np.array([0, 1, 2]), np.array([[0, 1, 2, 0], [1, 1, 1, 1], [2, 0, 0, 3]])]
)
@pytest.mark.parametrize("interpolation", transforms.RESIZE_INTERPOLATIONS)
def test_crops_that_keep_the_size(cupy: Any, interpolation: str, px: Any) -> None:
    images = made_up((3, 8, 9, 3), "uint8")
    for layout in transforms.LAYOUTS:
        expected = transforms.crop(images, px, interpolation=interpolation, layout=layout) if layout == "NHWC" else None
        if expected is not None:
            assert_alike(cupy, transforms.crop(cupy.asarray(images), px, interpolation=interpolation), expected)


def test_windows_of_one_size_are_copied(cupy: Any) -> None:
    """Signalling NaNs too: no arithmetic touches them."""
    images = made_up((3, 8, 9, 2), "float32")
    images.view(np.uint32)[1, 3:5, 4:6] = 0x7F800001
    rectangles = np.array([[0, 0, 4, 5], [2, 3, 4, 5], [4, 4, 4, 5]])
    found = transforms.resized_crop(cupy.asarray(images), rectangles, (4, 5))
    windows = [
        image[top : top + 4, left : left + 5] for image, (top, left, _, _) in zip(images, rectangles, strict=True)
    ]
    np.testing.assert_array_equal(cupy.asnumpy(found).view(np.uint32), np.stack(windows).view(np.uint32))


def test_planar_images(cupy: Any) -> None:
    images = made_up((3, 2, 8, 6), "uint8")
    rectangles = np.array([[0, 0, 8, 6], [3, 2, 2, 4], [1, 1, 5, 5]])
    for rectangle in ((1, 2, 5, 3), rectangles):
        for arithmetic in transforms.ARITHMETICS:
            settings: dict[str, Any] = {"layout": "NCHW", "arithmetic": arithmetic, "antialias": False}
            expected = transforms.resized_crop(images, rectangle, (7, 4), **settings)
            assert_alike(cupy, transforms.resized_crop(cupy.asarray(images), rectangle, (7, 4), **settings), expected)


def test_out_between_words(cupy: Any) -> None:
    images = made_up((3, 6, 8, 1), "uint8")
    for size in ((4, 4), (3, 5), (9, 8)):
        for arithmetic in transforms.ARITHMETICS:
            settings: dict[str, Any] = {"arithmetic": arithmetic, "antialias": False}
            whole = cupy.empty((3 * size[0] * size[1] + 2,), np.uint8)
            out = whole[1:-1].reshape(3, *size, 1)
            assert transforms.resize(cupy.asarray(images), size, out=out, **settings) is out
            np.testing.assert_array_equal(cupy.asnumpy(out), transforms.resize(images, size, **settings))
            assert cupy.asnumpy(whole)[0] == cupy.asnumpy(whole)[-1]


# ---- the arithmetic of OpenCV 4 --------------------------------------------------------------------------------------

OPENCV: dict[str, Any] = {"arithmetic": "opencv4"}


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_opencv_warps(cupy: Any, channels: int) -> None:
    images = made_up((5, 7, 9, channels), "uint8")
    on_gpu = cupy.asarray(images)
    degrees = np.random.default_rng(0).normal(0, 60, 5)
    matrix = np.array([[1.2, 0.3, -2.5], [-0.2, 0.8, 1.25]])
    for function, arguments in (
        (transforms.rotate, (33.3,)),
        (transforms.rotate, (degrees,)),
        (transforms.translate, (0.3, -1.7)),
        (transforms.translate, (np.arange(5) - 1.5, 1e300)),
        (transforms.translate, (2, -1)),
        (transforms.warp_affine, (matrix,)),
    ):
        assert_alike(cupy, function(on_gpu, *arguments, **OPENCV), function(images, *arguments, **OPENCV))
    found = transforms.warp_affine(on_gpu, matrix, size=(5, 3), **OPENCV)
    assert_alike(cupy, found, transforms.warp_affine(images, matrix, size=(5, 3), **OPENCV))
    found = transforms.rotate(on_gpu, cupy.asarray(degrees), center=(1.5, 2.25), **OPENCV)
    assert_alike(cupy, found, transforms.rotate(images, degrees, center=(1.5, 2.25), **OPENCV))
    assert (transforms.rotate(images, 33.3, **OPENCV) != transforms.rotate(images, 33.3)).any()


@pytest.mark.parametrize("interpolation", ["bilinear", "area"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_opencv_resizing(cupy: Any, channels: int, interpolation: Any) -> None:
    images = made_up((4, 9, 7, channels), "uint8")
    on_gpu = cupy.asarray(images)
    rectangles = np.array([[0, 0, 9, 7], [2, 1, 3, 5], [1, 1, 1, 1], [4, 0, 5, 6]])
    settings: dict[str, Any] = {**OPENCV, "interpolation": interpolation, "antialias": False}
    for size in ((13, 11), (12, 3), (4, 16), (9, 7)):
        assert_alike(cupy, transforms.resize(on_gpu, size, **settings), transforms.resize(images, size, **settings))
    for size in ((13, 11), (9, 7)):
        expected = transforms.resized_crop(images, rectangles, size, **settings)
        assert_alike(cupy, transforms.resized_crop(on_gpu, rectangles, size, **settings), expected)
    assert_alike(
        cupy,
        transforms.crop(on_gpu, 2, **settings_of_crop(settings)),
        transforms.crop(images, 2, **settings_of_crop(settings)),
    )


def settings_of_crop(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "antialias"}
