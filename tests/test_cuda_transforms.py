"""Transforms of images on a GPU: the bytes of the CPU, on a card where there is one and always on the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from augcore import transforms

DTYPES = ("uint8", "uint16", "float32", "float64")
SHAPES = ((2, 5, 7), (3, 8, 6, 3), (1, 1, 1, 4), (2, 9, 4, 5), (2, 33, 17, 1), (5, 3, 5, 3))


def made_up(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    high = {"uint8": 256, "uint16": 65536}.get(dtype)
    return rng.integers(0, high, shape).astype(dtype) if high else rng.normal(size=shape).astype(dtype)


def assert_alike(cupy: Any, found: Any, expected: Any) -> None:
    """Exactly on the emulator; on a card, whose libraries round cosines otherwise, in nearly all pixels."""
    assert isinstance(found, cupy.ndarray)
    assert found.dtype == expected.dtype
    values = cupy.asnumpy(found)
    if cupy.__name__ == "emulated_cupy":
        np.testing.assert_array_equal(values, expected)
    elif expected.dtype.kind == "u":
        off = np.abs(values.astype(np.int64) - expected.astype(np.int64))
        assert off.max(initial=0) <= 1
        assert (off > 0).mean() <= 1e-3
    else:
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


PROJECTIVE = np.array([[1.1, 0.2, -1], [0.1, 0.9, 2], [0.01, 0.02, 1]])


@pytest.mark.parametrize("border", transforms.BORDERS)
@pytest.mark.parametrize("interpolation", transforms.INTERPOLATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_warps_have_the_bytes_of_the_cpu(cupy: Any, dtype: str, interpolation: str, border: str) -> None:
    settings: dict[str, Any] = {"interpolation": interpolation, "border": border, "fill": 7}
    for shape in SHAPES:
        images = made_up(shape, dtype)
        on_gpu = cupy.asarray(images)
        degrees = np.random.default_rng(1).normal(0, 60, shape[0])
        for function, arguments in (
            (transforms.translate, (2, -1)),
            (transforms.translate, (-30, 40)),
            (transforms.translate, (0.3, 1.7)),
            (transforms.translate, (np.arange(shape[0]) - 0.5, 1)),
            (transforms.translate, (np.arange(shape[0]), -np.arange(shape[0]))),
            (transforms.rotate, (33.3,)),
            (transforms.rotate, (degrees,)),
            (transforms.warp_affine, (PROJECTIVE,)),
        ):
            assert_alike(cupy, function(on_gpu, *arguments, **settings), function(images, *arguments, **settings))


@pytest.mark.parametrize("axis", ["horizontal", "vertical", "both"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_flips(cupy: Any, dtype: str, axis: Any) -> None:
    for shape in SHAPES:
        images = made_up(shape, dtype)
        assert_alike(cupy, transforms.flip(cupy.asarray(images), axis), transforms.flip(images, axis))


def test_parameters_on_the_gpu(cupy: Any) -> None:
    images = made_up((4, 9, 6, 3), "uint8")
    on_gpu = cupy.asarray(images)
    numbers = np.random.default_rng(2).normal(0, 3, (4, 6))
    there = cupy.asarray(numbers)
    matrices = np.eye(3) + np.random.default_rng(3).normal(0, 0.05, (4, 3, 3)) * [[1], [1], [0]]
    fill = np.random.default_rng(4).integers(0, 256, (4, 3))
    constant: dict[str, Any] = {"border": "constant"}
    for found, expected in (
        (transforms.translate(on_gpu, there[:, 0], 1.5), transforms.translate(images, numbers[:, 0], 1.5)),
        (transforms.rotate(on_gpu, there[:, 1] * 30), transforms.rotate(images, numbers[:, 1] * 30)),
        (
            transforms.rotate(on_gpu, 20, center=there[:, 2:4]),
            transforms.rotate(images, 20, center=numbers[:, 2:4]),
        ),
        (
            transforms.warp_affine(on_gpu, cupy.asarray(matrices), inverse=True, fill=cupy.asarray(fill), **constant),
            transforms.warp_affine(images, matrices, inverse=True, fill=fill, **constant),
        ),
        (
            transforms.warp_affine(on_gpu, cupy.asarray(matrices[:, :2])),
            transforms.warp_affine(images, matrices[:, :2]),
        ),
        (
            transforms.translate(on_gpu, 3, 0, fill=cupy.asarray(fill[:, 0]), **constant),
            transforms.translate(images, 3, 0, fill=fill[:, 0], **constant),
        ),
        (
            transforms.translate(on_gpu, 3, -2, fill=(9, 8, 7), **constant),
            transforms.translate(images, 3, -2, fill=(9, 8, 7), **constant),
        ),
    ):
        assert_alike(cupy, found, expected)


def test_quarter_turns_are_exact(cupy: Any) -> None:
    images = made_up((5, 6, 6, 1), "float64")
    turns = np.array([0, 90, -180, 270, 720], dtype=np.float64)
    found = transforms.rotate(cupy.asarray(images), cupy.asarray(turns))
    for image, degrees, turned in zip(images, turns, cupy.asnumpy(found), strict=True):
        np.testing.assert_array_equal(turned, np.rot90(image, int(degrees // 90)))


def test_sizes_layouts_and_channels(cupy: Any) -> None:
    images = made_up((3, 5, 7, 20), "uint8")  # more channels than go with the arguments of a kernel
    settings: dict[str, Any] = {"border": "constant", "fill": tuple(range(20))}
    expected = transforms.warp_affine(images, [[1, 0.5, 0], [0, 1, 0]], size=(4, 11), **settings)
    found = transforms.warp_affine(cupy.asarray(images), [[1, 0.5, 0], [0, 1, 0]], size=(4, 11), **settings)
    assert_alike(cupy, found, expected)
    planar = np.ascontiguousarray(np.moveaxis(images[..., :3], -1, 1))
    for degrees in (12.5, np.array([1.0, 2.0, 3.0])):
        expected = transforms.rotate(planar, degrees, layout="NCHW")
        assert_alike(cupy, transforms.rotate(cupy.asarray(planar), degrees, layout="NCHW"), expected)
    cut = transforms.crop(cupy.asarray(images), (1, 2, 0, 3), keep_size=False)
    assert_alike(cupy, cut, transforms.crop(images, (1, 2, 0, 3), keep_size=False))


def test_any_memory_layout(cupy: Any) -> None:
    images = made_up((4, 6, 8, 3), "uint8")
    views = (np.s_[::2], np.s_[:, ::-1], np.s_[:, 1:, 2:-1], np.s_[..., ::2], np.s_[1:])
    for view in views:
        found = transforms.rotate(cupy.asarray(images)[view], 30)
        assert_alike(cupy, found, transforms.rotate(images[view], 30))


def test_out_is_written_and_returned(cupy: Any) -> None:
    images = made_up((4, 5, 5, 3), "uint8")
    on_gpu, whole = cupy.asarray(images), cupy.empty((5, 5, 5, 3), np.uint8)
    out = whole[1:]  # begins between words
    assert transforms.translate(on_gpu, 1, 0, out=out) is out
    np.testing.assert_array_equal(cupy.asnumpy(out), transforms.translate(images, 1, 0))
    assert transforms.rotate(on_gpu, 10, out=out) is out
    np.testing.assert_array_equal(cupy.asnumpy(whole[1:]), transforms.rotate(images, 10))
    with pytest.raises(TypeError, match=r"^out: expected a CuPy array or None"):
        transforms.flip(on_gpu, out=np.empty_like(images))
    with pytest.raises(ValueError, match=r"^out: expected dtype uint8 and shape \(4, 5, 5, 3\)"):
        transforms.flip(on_gpu, out=whole)
    with pytest.raises(ValueError, match=r"^out: must be C-contiguous"):
        transforms.flip(on_gpu, out=cupy.empty((4, 5, 5, 6), np.uint8)[..., ::2])
    with pytest.raises(ValueError, match=r"^out: must not overlap"):
        transforms.flip(on_gpu, out=on_gpu)


def test_nothing_waits_for_the_gpu(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if cupy.__name__ != "emulated_cupy":
        pytest.skip("a card does not count")
    on_gpu, numbers = cupy.asarray(made_up((3, 5, 5, 3), "uint8")), cupy.asarray(np.ones(3))
    monkeypatch.setattr(cupy, "waits", 0)
    transforms.flip(on_gpu)
    transforms.translate(on_gpu, 0.5, numbers)
    transforms.rotate(on_gpu, numbers, border="constant", fill=numbers)
    transforms.warp_affine(on_gpu, cupy.asarray(np.tile(np.eye(3), (3, 1, 1))))
    assert cupy.waits == 0


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (2, 4, 4, 0)])
def test_nothing_to_do(cupy: Any, shape: tuple[int, ...]) -> None:
    images = cupy.asarray(np.empty(shape, np.uint8))
    assert transforms.rotate(images, 5).shape == shape
    assert transforms.flip(images).shape == shape


def test_bad_input(cupy: Any) -> None:
    images = made_up((2, 4, 4, 3), "uint8")
    on_gpu = cupy.asarray(images)
    with pytest.raises(TypeError, match=r"^images: expected one of the dtypes uint8.*got int32"):
        transforms.flip(cupy.asarray(images.astype(np.int32)))
    with pytest.raises(ValueError, match=r"^images: expected shape"):
        transforms.flip(on_gpu[0, 0])
    with pytest.raises(ValueError, match=r"^dx: expected shape \(2,\), got \(3,\)"):
        transforms.translate(on_gpu, cupy.asarray(np.ones(3)), 0)
    with pytest.raises(TypeError, match=r"^degrees: expected float32, float64 or integers, got dtype bool"):
        transforms.rotate(on_gpu, cupy.asarray(np.ones(2, bool)))
    with pytest.raises(TypeError, match=r"^images: are in main memory, but parameters of them are on a GPU"):
        transforms.rotate(images, cupy.asarray(np.ones(2)))
    with pytest.raises(TypeError, match=r"^px: is on a GPU"):
        transforms.crop(on_gpu, cupy.asarray(np.ones(2)))
    with pytest.raises(ValueError, match=r"^fill: expected shape \(2,\) or \(2, 3\), got \(3,\)"):
        transforms.translate(on_gpu, 1, 1, border="constant", fill=cupy.asarray(np.ones(3)))


def test_positions_that_are_no_numbers(cupy: Any) -> None:
    """They are not looked at beforehand; nothing outside of the images is read."""
    images = made_up((3, 4, 4, 3), "uint8")
    found = transforms.translate(cupy.asarray(images), cupy.asarray(np.array([np.nan, np.inf, -np.inf])), 0)
    np.testing.assert_array_equal(cupy.asnumpy(found)[1], np.broadcast_to(images[1, :, :1], (4, 4, 3)))
    np.testing.assert_array_equal(cupy.asnumpy(found)[2], np.broadcast_to(images[2, :, -1:], (4, 4, 3)))
