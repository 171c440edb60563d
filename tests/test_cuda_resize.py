"""Resizing and cropping of images on a GPU, and the arithmetic of OpenCV 4: the bytes of the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EMULATED
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


def test_many_rectangles_of_few_sizes(cupy: Any) -> None:
    rng = np.random.default_rng(0)
    images = made_up((40, 9, 12), "uint8")
    sides = 3 + 2 * rng.integers(0, 3, (40, 2))
    rectangles = np.concatenate([rng.integers(0, 3, (40, 2)), sides], axis=1)
    expected = transforms.resized_crop(images, rectangles, (5, 5))
    assert_alike(cupy, transforms.resized_crop(cupy.asarray(images), rectangles, (5, 5)), expected)


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


def test_pixels_of_weight_zero_do_not_count(cupy: Any) -> None:
    """Those between others too: the cubic kernel is zero at whole distances."""
    for dtype in ("float32", "float64"):
        images = made_up((2, 9, 15, 2), dtype)
        images[:, 4, 2] = np.nan
        images[:, 7, 7] = np.inf
        for size in ((3, 5), (9, 5), (18, 30), (3, 30)):
            for interpolation in ("bilinear", "bicubic", "area"):
                settings: dict[str, Any] = {"interpolation": interpolation}
                with np.errstate(invalid="ignore"):
                    expected = transforms.resize(images, size, **settings)
                assert np.isfinite(expected).any()
                assert_alike(cupy, transforms.resize(cupy.asarray(images), size, **settings), expected)


def test_sums_have_the_order_of_the_cpu(cupy: Any) -> None:
    """Means of six pixels are often halfway between two levels: which way they go is up to the order of the sums."""
    images = made_up((3, 48, 54), "uint8")
    for size in ((24, 18), (16, 27), (48, 18), (20, 18)):
        settings: dict[str, Any] = {"interpolation": "area"}
        expected = transforms.resize(images, size, **settings)
        assert_alike(cupy, transforms.resize(cupy.asarray(images), size, **settings), expected)


WRITERS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (transforms.resize, {"size": (3, 5)}),
    (transforms.resize, {"size": (7, 5), "interpolation": "nearest"}),
    (transforms.resize, {"size": (4, 4), "antialias": False, "arithmetic": "opencv4"}),
    (transforms.resize, {"size": (4, 4), "interpolation": "area"}),
    (transforms.translate, {"dx": 1, "dy": 1}),
    (transforms.rotate, {"degrees": 20}),
    (transforms.rotate, {"degrees": 20, "arithmetic": "opencv4"}),
    (transforms.warp_affine, {"matrix": np.eye(3), "size": (2, 3)}),
    (transforms.warp_affine, {"matrix": [[1, 0.1, 0], [0, 1, 0]], "size": (3, 3)}),
    (transforms.flip, {}),
)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_nothing_beside_the_output_is_written(cupy: Any, channels: int, dtype: Any) -> None:
    """Wherever it begins between words, and whatever is left of the last word."""
    images = made_up((3, 5, 7, channels), dtype)
    for function, settings in WRITERS:
        if dtype != "uint8" and "arithmetic" in settings:
            continue
        expected = function(images, **settings)
        for start in range(4):
            whole = cupy.asarray(np.full(start + expected.size + 9, 77, dtype))
            out = whole[start : start + expected.size].reshape(expected.shape)
            assert function(cupy.asarray(images), **settings, out=out) is out
            found = cupy.asnumpy(whole)
            assert_alike(cupy, out, expected)
            assert (np.delete(found, slice(start, start + expected.size)) == 77).all()


GUARDED = """
import ctypes, mmap, sys
sys.path.insert(0, {tests!r})
import numpy as np
import emulated_cupy as cupy
import augcore
from augcore import transforms
augcore.__path__.append({emulated!r})
sys.modules["cupy"] = cupy
from test_cuda_resize import WRITERS

libc = ctypes.CDLL(None, use_errno=True)
page = mmap.PAGESIZE
memory = mmap.mmap(-1, 3 * page)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
for guard in (start, start + 2 * page):
    assert libc.mprotect(ctypes.c_void_p(guard), page, 0) == 0
inside = np.frombuffer(memory, np.uint8)[page : 2 * page]
cases = [*WRITERS, (transforms.translate, {{"dx": -1.0, "dy": -1.0}}), (transforms.translate, {{"dx": 0.25, "dy": 0}})]
cases += [(transforms.warp_affine, {{"matrix": np.eye(3) + [[0, 0.001, 0]] * 3, "interpolation": name}})
          for name in transforms.INTERPOLATIONS]
cases += [(transforms.resize, {{"size": (11, 9), "interpolation": name}}) for name in transforms.RESIZE_INTERPOLATIONS]
for dtype in ("uint8", "uint16", "float32"):
    for channels in (1, 3, 4, 5):
        shape = (2, 5, 7, channels)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        for part in (inside[:size], inside[-size:]):
            images = part.view(dtype).reshape(shape)
            images[...] = np.random.default_rng(0).integers(0, 256, shape)
            for function, settings in cases:
                if dtype == "uint8" or "arithmetic" not in settings:
                    found = function(cupy.ndarray(images), **settings)
                    assert (cupy.asnumpy(found) == function(images.copy(), **settings)).all()
"""


def test_nothing_beside_the_images_is_read(cupy: Any, run_python: Any) -> None:
    """Pages that may not be touched stand on both sides of the images."""
    if cupy.__name__ != "emulated_cupy":
        pytest.skip("of the emulator's memory")
    tests = Path(__file__).parent
    run_python(GUARDED.format(tests=str(tests), emulated=str(EMULATED)))


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
