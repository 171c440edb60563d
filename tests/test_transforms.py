"""The image kernels against reference.py, bit for bit, and the promises of transforms.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import THREADS

from augcore import _validate, reference
from augcore import transforms as T

GOLDEN = Path(__file__).parent / "golden"
DTYPES = ("uint8", "uint16", "float32", "float64")
SHAPES = [(1, 1, 1), (1, 7, 2), (6, 1, 1), (3, 7, 3), (12, 10, 4)]
MATRICES = {
    "rotation": [[0.9, 0.44, -1.2], [-0.44, 0.9, 2.3], [0, 0, 1]],
    "shrink": [[2.3, 0.1, -3], [0.2, 1.9, 0.5], [0, 0, 1]],
    "fraction": [[1, 0, 2.5], [0, 1, -0.25], [0, 0, 1]],
    "whole": [[1, 0, -3], [0, 1, 2], [0, 0, 1]],
    "mirror": [[-1, 0, 6], [0, 1, 0], [0, 0, 1]],
    "projective": [[0.9, 0.3, 1], [0.1, 1.1, -1], [0.03, -0.02, 1]],
    "horizon": [[1, 0, 0], [0, 1, 0], [1, -1, 0]],
    "far": [[1, 0, 1e6], [0, 1, -(2.0**40)], [0, 0, 1]],
    "farther": [[1e308, 1e308, -1e308], [1e300, 0.5, 1e308], [0, 0, 1]],
}


def noise(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return rng.normal(0, 100, shape).astype(dtype)


def same(got, want):
    """Same dtype, shape and bytes; NaN equals NaN whatever its payload."""
    __tracebackhide__ = True
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    equal = (got == want) & (np.signbit(got) == np.signbit(want)) | (np.isnan(got) & np.isnan(want))
    assert equal.all(), f"{np.count_nonzero(~equal)} of {equal.size} elements differ"


def meets(got, reference_of, images):
    """Equal to the reference bit for bit; where 8-bit pixels are mixed, in float32, as near to its value in float64 as
    rounding and a thousandth of a grey level allow."""
    __tracebackhide__ = True
    if images.dtype != np.uint8:
        same(got, reference_of(images))
        return
    assert got.dtype == np.uint8
    want = np.clip(reference_of(images.astype(np.float64)), 0, 255)
    assert got.shape == want.shape
    apart = np.abs(got - want).max(initial=0)
    assert apart <= 0.5 + 1e-3, f"{apart} grey levels apart"


# ---- kernels against the reference -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("interpolation", T.INTERPOLATIONS)
@pytest.mark.parametrize("border", T.BORDERS)
def test_warp_equals_the_reference(border, interpolation, name):
    matrix = np.array(MATRICES[name], dtype=np.float64)
    for dtype in DTYPES:
        for shape in SHAPES:
            images = noise((2, *shape), dtype)
            fill = np.arange(1.0, 1 + shape[2])[np.newaxis] * 7
            for size in (shape[:2], (5, 9)):
                got = T.warp_affine(
                    images, matrix, size=size, inverse=True, interpolation=interpolation, border=border,
                    fill=tuple(fill[0]),
                )  # fmt: skip
                meets(
                    got,
                    lambda pixels: reference.warp(pixels, matrix[np.newaxis], size, interpolation, border, fill),  # noqa: B023
                    images,
                )


def near(got, images, rectangles, size, interpolation, antialias=True):
    """uint8 may be summed in float32: within 1e-3 of the sum in float64 before rounding. All else: the same bytes."""
    __tracebackhide__ = True
    want = reference.resize(images, rectangles, size, interpolation, antialias)
    if images.dtype != np.uint8:
        same(got, want)
        return
    assert got.dtype == np.uint8
    unrounded = reference.resize(images.astype(np.float64), rectangles, size, interpolation, antialias).clip(0, 255)
    assert np.abs(got - unrounded).max() <= 0.5 + 1e-3
    assert np.abs(got.astype(int) - want).max() <= 1


@pytest.mark.parametrize("interpolation", T.RESIZE_INTERPOLATIONS)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_resize_is_the_reference(dtype, antialias, interpolation):
    for shape in [*SHAPES, (9, 8, 6), (40, 5, 1), (6, 90, 3)]:
        images = noise((2, *shape), dtype)
        whole = np.array([[0, 0, *shape[:2]]])
        for size in (shape[:2], (1, 1), (2, 9), (20, 3), (25, 31)):
            got = T.resize(images, size, interpolation=interpolation, antialias=antialias)
            near(got, images, whole, size, interpolation, antialias)


@pytest.mark.parametrize("interpolation", T.RESIZE_INTERPOLATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_crop_is_the_reference(dtype, interpolation):
    images = noise((5, 11, 9, 3), dtype)
    px = np.array([[0, 0, 0, 0], [1, 2, 3, 4], [10, 0, 0, 8], [2, 2, 2, 2], [1, 2, 3, 4]])
    rectangles = np.array([[0, 0, 11, 9], [1, 4, 7, 3], [10, 8, 1, 1], [2, 2, 7, 5], [1, 4, 7, 3]])
    near(T.crop(images, px, interpolation=interpolation), images, rectangles, (11, 9), interpolation)


@pytest.mark.parametrize("side", [32, 96, 224])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "area"])
def test_crops_of_photograph_sizes_are_the_reference(interpolation, side):
    images = noise((1, side, side, 3), "uint8")
    rectangle = np.array([[2, 2, side - 4, side - 4]])
    near(T.crop(images, 2, interpolation=interpolation), images, rectangle, (side, side), interpolation)


@pytest.mark.parametrize("interpolation", T.RESIZE_INTERPOLATIONS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_constant_images_stay_constant(dtype, interpolation):
    for value in (0, 1, 127, 255 if dtype == "uint8" else 65535):
        for shape, size in [
            ((7, 5, 3), (16, 33)),
            ((64, 100, 1), (9, 7)),
            ((5, 301, 2), (6, 3)),
            ((33, 2, 5), (1, 32)),
        ]:
            images = np.full((1, *shape), value, dtype)
            for antialias in (True, False):
                got = T.resize(images, size, interpolation=interpolation, antialias=antialias)
                assert (got == value).all()


@pytest.mark.parametrize("interpolation", T.RESIZE_INTERPOLATIONS)
def test_resizing_to_the_same_size_is_the_identity(interpolation):
    for dtype in DTYPES:
        images = noise((3, 7, 9, 3), dtype)
        same(T.resize(images, (7, 9), interpolation=interpolation), images)
        same(T.crop(images, np.zeros((3, 4), int), interpolation=interpolation), images)


@pytest.mark.parametrize("axis", ["horizontal", "vertical", "both"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_flip_equals_the_reference(dtype, axis):
    for shape in SHAPES:
        images = noise((3, *shape), dtype)
        same(T.flip(images, axis), reference.flip(images, axis))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moved_pixels_keep_the_payloads_of_their_nans(dtype):
    bits = np.random.default_rng(1).integers(0, 2**32, (3, 9, 7, 3, np.dtype(dtype).itemsize // 4), dtype=np.uint32)
    images = (bits | np.uint32(0x7FF00000)).view(dtype)[..., 0]
    assert np.isnan(images).any()
    for axis in ("horizontal", "vertical", "both"):
        assert T.flip(images, axis).tobytes() == reference.flip(images, axis).tobytes()
    x, y = np.maximum(np.arange(7) - 2, 0), np.minimum(np.arange(9) + 1, 8)
    assert T.translate(images, 2, -1).tobytes() == images[:, y][:, :, x].tobytes()


def test_batches_larger_than_the_cache():
    """More than the last-level cache of many a processor: what is written goes past it."""
    images = noise((12_000, 32, 32, 3), "uint8")
    want = np.pad(images, ((0, 0), (3, 0), (3, 0), (0, 0)), mode="edge")[:, :32, :32]
    for threads in (1, 2):
        same(T.translate(images, 3, 3, threads=threads), want)
        same(T.translate(images, np.full(12_000, 3), 3, threads=threads), want)
        same(T.flip(images, "both", threads=threads), images[:, ::-1, ::-1])


def test_rows_wider_than_a_task_are_cut():
    for shape in [(1, 1, 40_000, 1), (1, 40_000, 1, 1), (1, 3, 5000, 2)]:
        images = noise(shape, "uint8")
        matrix = np.array([[[0.7, 0.1, 2.0], [0.0, 0.9, 0.3], [0, 0, 1]]])
        got = T.warp_affine(images, matrix[0], inverse=True, border="reflect")
        meets(
            got,
            lambda pixels: reference.warp(pixels, matrix, pixels.shape[1:3], "bilinear", "reflect", np.zeros((1, 1))),  # noqa: B023
            images,
        )
        same(T.flip(images), reference.flip(images, "horizontal"))
    tall = noise((1, 700, 2, 1), "uint16")
    near(T.resize(tall, (699, 999)), tall, np.array([[0, 0, 700, 2]]), (699, 999), "bilinear")
    for dtype in ("uint8", "uint16"):
        wide = noise((1, 2, 9000, 2), dtype)
        for size in ((3, 10_001), (1, 7)):
            near(T.resize(wide, size), wide, np.array([[0, 0, 2, 9000]]), size, "bilinear")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values_stay_where_they_are_seen(dtype, value):
    images = np.zeros((1, 7, 7, 1), dtype)
    images[0, 3, 3] = value
    for interpolation in T.INTERPOLATIONS:
        turned = T.rotate(images, 180, interpolation=interpolation)
        assert np.array_equal(turned, images, equal_nan=True)
        moved = T.translate(images, 0.25, 0, interpolation=interpolation)
        touched = {"nearest": 1, "bilinear": 2, "bicubic": 4}[interpolation]
        assert np.count_nonzero(moved != 0) == touched
    for interpolation in T.RESIZE_INTERPOLATIONS:
        assert np.array_equal(T.resize(images, (7, 7), interpolation=interpolation), images, equal_nan=True)
    corner = np.zeros((1, 5, 5, 1), dtype)
    corner[0, 0, 0] = value
    for interpolation in T.RESIZE_INTERPOLATIONS:
        for size in ((10, 11), (4, 3)):
            got = T.resize(corner, size, interpolation=interpolation)
            same(got, reference.resize(corner, np.array([[0, 0, 5, 5]]), size, interpolation, True))
            assert (got[0, -1] == 0).all()
            assert (got[0, :, -1] == 0).all()


# ---- parameters per image, threads, layouts, levels ------------------------------------------------------------------


def calls(n):
    """One call of every kind, each with one parameter per image."""
    matrices = np.eye(3) + np.random.default_rng(2).normal(0, 0.01, (n, 3, 3))
    return {
        "translate": lambda x, **k: T.translate(x, rng_vector(n, 5), rng_vector(n, 6).round(), border="wrap", **k),
        "rotate": lambda x, **k: T.rotate(x, rng_vector(n, 180), center=np.stack([rng_vector(n, 4)] * 2, 1), **k),
        "fill": lambda x, **k: T.rotate(x, 30, border="constant", fill=np.abs(rng_vector(n, 200)), **k),
        "warp_affine": lambda x, **k: T.warp_affine(x, matrices, size=(9, 20), interpolation="bicubic", **k),
        "crop": lambda x, **k: T.crop(x, np.arange(n) % 4, interpolation="area", **k),
        "resize": lambda x, **k: T.resize(x, (5, 30), interpolation="bicubic", **k),
        "flip": lambda x, **k: T.flip(x, "both", **k),
        "mix": lambda x, **k: T.rotate(x, np.where(np.arange(n) % 2, 0, 17), **k),
    }


def rng_vector(n, scale):
    return np.random.default_rng(n).uniform(-scale, scale, n)


OPENCV4 = {
    "opencv4 rotate": lambda x, **k: T.rotate(x, rng_vector(len(x), 90), arithmetic="opencv4", **k),
    "opencv4 crop": lambda x, **k: T.crop(
        x, np.arange(len(x)) % 4, interpolation="area", arithmetic="opencv4", **k
    ),
}  # fmt: skip


def test_per_image_parameters_are_those_of_single_calls():
    images = noise((5, 8, 9, 2), "uint8")
    dx, dy, angles = rng_vector(5, 3), np.arange(5) - 2.0, rng_vector(5, 90)
    centers, fills, px = rng_vector(10, 5).reshape(5, 2), np.arange(10.0).reshape(5, 2), np.arange(20).reshape(5, 4) % 3
    matrices = np.eye(3) + np.random.default_rng(3).normal(0, 0.02, (5, 3, 3))
    pairs = [
        (T.translate(images, dx, dy), lambda x, i: T.translate(x, dx[i], dy[i])),
        (T.translate(images, dx, 2), lambda x, i: T.translate(x, dx[i], 2)),
        (T.rotate(images, np.arange(5) % 2 * 17), lambda x, i: T.rotate(x, i % 2 * 17)),
        (T.rotate(images, angles), lambda x, i: T.rotate(x, angles[i])),
        (T.rotate(images, 9, center=centers), lambda x, i: T.rotate(x, 9, center=tuple(centers[i]))),
        (T.rotate(images, angles, arithmetic="opencv4"), lambda x, i: T.rotate(x, angles[i], arithmetic="opencv4")),
        (
            T.rotate(images, 50, border="constant", fill=fills),
            lambda x, i: T.rotate(x, 50, border="constant", fill=tuple(fills[i])),
        ),
        (
            T.rotate(images, 50, border="constant", fill=fills[:, 1]),
            lambda x, i: T.rotate(x, 50, border="constant", fill=fills[i, 1]),
        ),
        (T.warp_affine(images, matrices), lambda x, i: T.warp_affine(x, matrices[i])),
        (T.warp_affine(images, matrices[:, :2]), lambda x, i: T.warp_affine(x, matrices[i, :2])),
        (T.crop(images, px), lambda x, i: T.crop(x, tuple(px[i]))),
        (T.crop(images, px[:, 0]), lambda x, i: T.crop(x, px[i, 0])),
        (
            T.crop(images, px, interpolation="area", arithmetic="opencv4"),
            lambda x, i: T.crop(x, tuple(px[i]), interpolation="area", arithmetic="opencv4"),
        ),
    ]
    for whole, single in pairs:
        same(whole, np.concatenate([single(images[i : i + 1], i) for i in range(5)]))


@pytest.mark.parametrize("name", [*calls(1), *OPENCV4])
def test_threads_do_not_change_a_bit(name):
    for dtype in DTYPES if name in calls(1) else DTYPES[:1]:
        images = noise((700, 12, 11, 3), dtype)
        call = {**calls(700), **OPENCV4}[name]
        want = call(images, threads=1)
        for threads in THREADS[1:]:
            same(call(images, threads=threads), want)


@pytest.mark.parametrize(
    ("interpolation", "arithmetic"), [*((name, "exact") for name in T.INTERPOLATIONS), ("bilinear", "opencv4")]
)
def test_a_batch_gives_what_its_images_give_alone(interpolation, arithmetic):
    """However many images share an angle: lanes of vectors, groups, single images."""
    for dtype in DTYPES if arithmetic == "exact" else DTYPES[:1]:
        for shape in [(13, 17, 3), (1, 9, 1), (9, 1, 2), (30, 28, 1), (60, 90, 4), (5, 6, 7)]:
            images = noise((140, *shape), dtype)
            angles = np.random.default_rng(1).choice([0.0, 31.0, -17.5, 90.0], 140, p=[0.1, 0.7, 0.1, 0.1])
            angles[:5] = [1, 2, 3, 4, 5]
            keywords = {"interpolation": interpolation, "arithmetic": arithmetic}
            if arithmetic == "exact":
                keywords |= {"border": "constant", "fill": tuple(range(shape[2]))}
            together = T.rotate(images, angles, **keywords)
            same(T.rotate(images, 31, **keywords)[angles == 31], together[angles == 31])
            for i in [*range(5), *np.flatnonzero(angles == 90)[:2], *np.flatnonzero(angles == 31)[:3], 139]:
                same(T.rotate(images[i : i + 1], angles[i], **keywords), together[i : i + 1])


def layouts(images):
    yield "fortran", np.asfortranarray(images)
    yield "reversed", np.ascontiguousarray(images[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
    wide = np.zeros((*images.shape[:2], 2 * images.shape[2], images.shape[3]), images.dtype)
    wide[:, :, ::2] = images
    yield "stepped", wide[:, :, ::2]
    raw = np.zeros(images.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(images.dtype).reshape(images.shape)
    unaligned[:] = images
    yield "unaligned", unaligned
    yield "swapped", images.astype(images.dtype.newbyteorder())
    read_only = images.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only


@pytest.mark.parametrize("name", [*calls(1), *OPENCV4])
def test_layouts_give_the_same_bytes(name):
    for dtype in DTYPES if name in calls(1) else DTYPES[:1]:
        images = noise((3, 8, 9, 2), dtype)
        call = {**calls(3), **OPENCV4}[name]
        want = call(images)
        for layout, values in layouts(images):
            before = values.copy()
            got = call(values)
            assert got.dtype == images.dtype, layout
            assert got.tobytes() == want.tobytes(), layout
            assert np.array_equal(values, before), layout
        repeated = np.broadcast_to(images[:1], images.shape)
        assert call(repeated).tobytes() == call(repeated.copy()).tobytes()
        gray = images[..., 0]
        assert call(gray).tobytes() == call(gray[..., np.newaxis]).tobytes()
        assert call(gray).ndim == 3


def test_levels_give_the_same_bytes(run_python, simd_levels):
    """Integers and floats alike: the kernels use no fused multiply-add."""
    code = """
import hashlib, numpy as np
from augcore import transforms as T
h = hashlib.sha256()
for dtype in ("uint8", "uint16", "float32", "float64"):
    x = (np.random.default_rng(0).random((5, 33, 35, 3)) * 255).astype(dtype)
    for i in T.INTERPOLATIONS:
        h.update(T.rotate(x, 21, interpolation=i, border="reflect"))
    for c in (1, 2, 3):
        for b in T.BORDERS:
            h.update(T.translate(x[..., :c], 4, -3, border=b, fill=7))
        for axis in ("horizontal", "vertical", "both"):
            h.update(T.flip(x[..., :c], axis))
    for i in T.RESIZE_INTERPOLATIONS:
        for size in ((20, 50), (50, 20), (40, 41), (3, 2)):
            h.update(T.resize(x, size, interpolation=i))
            h.update(T.resize(x[..., :1], size, interpolation=i, antialias=False))
        h.update(T.crop(x, np.array([0, 1, 2, 3, 1]), interpolation=i))
        h.update(T.resize(np.concatenate([x, x], axis=3), (40, 41), interpolation=i))
    # Many images with one angle, and with one of a few each, take other ways than single images.
    x = (np.random.default_rng(0).random((150, 14, 17, 2)) * 255).astype(dtype)
    for i in T.INTERPOLATIONS:
        h.update(T.rotate(x, 21, interpolation=i, border="constant", fill=(3, 9)))
        h.update(T.rotate(x, np.arange(150) % 3 * 7.0, interpolation=i))
for c in range(1, 6):
    x = (np.random.default_rng(0).random((7, 33, 35, c)) * 255).astype("uint8")
    for arithmetic in T.ARITHMETICS:
        h.update(T.rotate(x, np.arange(7) * 11, arithmetic=arithmetic))
h.update(T.resize(x, (20, 12), antialias=False, arithmetic="opencv4"))
h.update(T.rotate(np.tile(x, (30, 1, 1, 1)), 21, arithmetic="opencv4"))
h.update(T.crop(x, 2, interpolation="area", arithmetic="opencv4"))
print(h.hexdigest())
"""
    digests = {run_python(code, AUGCORE_SIMD=level).stdout for level in simd_levels}
    assert len(digests) == 1


# ---- what the functions promise --------------------------------------------------------------------------------------


def test_directions():
    images = np.zeros((1, 5, 5), np.uint8)
    images[0, 2, 4] = 1  # right of the middle
    assert T.translate(images, -1, 2)[0, 4, 3] == 1
    assert T.rotate(images, 90)[0, 0, 2] == 1  # counter-clockwise: on top
    assert T.rotate(images, -90)[0, 4, 2] == 1
    assert T.warp_affine(images, [[1, 0, -1], [0, 1, 2]])[0, 4, 3] == 1
    assert T.warp_affine(images, [[1, 0, 1], [0, 1, -2]], inverse=True)[0, 4, 3] == 1
    assert T.crop(images, (2, 0, 1, 3), keep_size=False).tolist() == [[[0, 1], [0, 0]]]


@pytest.mark.parametrize("degrees", [-450, -90, 0, 90, 180, 270, 360, 1080])
@pytest.mark.parametrize("interpolation", T.INTERPOLATIONS)
def test_right_angles_are_exact(interpolation, degrees):
    images = noise((2, 6, 6, 3), "float64")
    same(T.rotate(images, degrees, interpolation=interpolation), np.rot90(images, degrees // 90, (1, 2)).copy())


def test_a_projective_matrix_and_its_inverse():
    matrix = np.array([[1.1, 0.2, -1], [0.1, 0.9, 1], [0.01, -0.005, 1]])
    images = noise((2, 9, 8, 3), "float64")
    a = T.warp_affine(images, matrix)
    b = T.warp_affine(images, np.linalg.inv(matrix), inverse=True)
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_one_matrix_in_all_its_shapes():
    images = noise((3, 6, 7), "uint8")
    small = np.array([[0.9, 0.1, 1], [0, 1.2, -1]])
    large = np.vstack([small, [0, 0, 1]])
    want = T.warp_affine(images, small)
    for matrix in (large, np.stack([small] * 3), np.stack([large] * 3), small.tolist()):
        same(T.warp_affine(images, matrix), want)


@pytest.mark.parametrize("name", [*calls(1), *OPENCV4])
def test_out_is_used_and_returned(name):
    images = noise((3, 8, 9, 3), "uint8")
    call = {**calls(3), **OPENCV4}[name]
    want = call(images)
    out = np.empty_like(want)
    assert call(images, out=out) is out
    same(out, want)


BAD_OUT = {
    "shape": (lambda x: np.empty((3, 4, 4), np.uint8), ValueError),
    "dtype": (lambda x: np.empty(x.shape, np.uint16), ValueError),
    "list": (lambda x: x.tolist(), TypeError),
    "fortran": (lambda x: np.empty(x.shape, np.uint8, order="F"), ValueError),
    "overlap": (lambda x: x, ValueError),
    "swapped": (lambda x: np.empty(x.shape, ">u2"), ValueError),
    "read-only": (lambda x: np.broadcast_to(np.uint8(0), x.shape), ValueError),
}


@pytest.mark.parametrize("case", BAD_OUT)
@pytest.mark.parametrize("call", [lambda x, out: T.rotate(x, 5, out=out), lambda x, out: T.crop(x, 1, out=out),
                                  lambda x, out: T.flip(x, out=out)])  # fmt: skip
def test_out_that_does_not_fit_is_refused(call, case):
    make, error = BAD_OUT[case]
    images = noise((3, 5, 5), "uint8")
    before = images.copy()
    with pytest.raises(error, match=r"^out:"):
        call(images, make(images))
    assert np.array_equal(images, before)


X8 = np.zeros((2, 4, 5, 3), np.uint8)
REFUSED = [
    (lambda: T.translate(np.zeros((2, 4, 5), bool), 1, 1), TypeError, "images: .*got bool"),
    (lambda: T.translate(np.zeros((2, 4, 5), np.int64), 1, 1), TypeError, "images: .*got int64"),
    (lambda: T.translate(np.zeros((2, 4, 5), np.float16), 1, 1), TypeError, "images: .*got float16"),
    (lambda: T.translate(np.zeros((2, 4, 5), complex), 1, 1), TypeError, "images: .*got complex128"),
    (lambda: T.translate(np.zeros((2, 4, 5), object), 1, 1), TypeError, "images: .*got object"),
    (lambda: T.translate(np.zeros((2, 4, 5), "U3"), 1, 1), TypeError, "images: .*got <U3"),
    (lambda: T.translate(np.ma.zeros((2, 4, 5)), 1, 1), TypeError, "images: masked"),
    (lambda: T.translate([[1], [1, 2]], 1, 1), TypeError, "images: "),
    (lambda: T.translate(None, 1, 1), TypeError, "images: "),
    (lambda: T.translate(X8[0, 0], 1, 1), ValueError, "images: .*shape"),
    (lambda: T.translate(X8[np.newaxis], 1, 1), ValueError, "images: .*shape"),
    (lambda: T.translate(X8, "1", 1), TypeError, "dx: "),
    (lambda: T.translate(X8, 1, True), TypeError, "dy: "),
    (lambda: T.translate(X8, np.nan, 1), ValueError, "dx: .*finite, got nan"),
    (lambda: T.translate(X8, 1, [1, np.inf]), ValueError, "dy: .*infinity"),
    (lambda: T.translate(X8, [1, 2, 3], 1), ValueError, "dx: expected length 2"),
    (lambda: T.translate(X8, 1, np.ones((2, 1))), ValueError, "dy: "),
    (lambda: T.translate(X8, 1, 1, interpolation="area"), ValueError, "interpolation: "),
    (lambda: T.translate(X8, 1, 1, border="mirror"), ValueError, "border: "),
    (lambda: T.translate(X8, 1, 1, border=None), TypeError, "border: "),
    (lambda: T.translate(X8, 1, 1, arithmetic="fast"), ValueError, "arithmetic: "),
    (lambda: T.translate(X8, 1, 1, threads=0), ValueError, "threads: "),
    (lambda: T.translate(X8, 1, 1, fill=256), ValueError, "fill: .*255"),
    (lambda: T.translate(X8, 1, 1, fill=np.nan), ValueError, "fill: "),
    (lambda: T.translate(X8, 1, 1, fill=(1, 2)), ValueError, "fill: "),
    (lambda: T.translate(X8, 1, 1, fill=np.ones(3)), ValueError, "fill: "),
    (lambda: T.translate(X8, 1, 1, fill="black"), TypeError, "fill: "),
    (lambda: T.rotate(X8, 5, center=3), ValueError, "center: "),
    (lambda: T.rotate(X8, 5, center=(1, np.nan)), ValueError, "center: "),
    (lambda: T.rotate(X8, 5, center=np.ones((3, 2))), ValueError, "center: "),
    (lambda: T.warp_affine(X8, np.ones((2, 2))), ValueError, "matrix: "),
    (lambda: T.warp_affine(X8, np.ones((3, 2, 3))), ValueError, "matrix: "),
    (lambda: T.warp_affine(X8, np.ones((2, 3))), ValueError, "matrix: cannot be inverted"),
    (lambda: T.warp_affine(X8, np.ones((3, 3))), ValueError, "matrix: cannot be inverted"),
    (lambda: T.warp_affine(X8, np.full((3, 3), np.inf)), ValueError, "matrix: "),
    (lambda: T.warp_affine(X8, np.eye(3), size=(0, 3)), ValueError, "size: "),
    (lambda: T.warp_affine(X8, np.eye(3), size=3), TypeError, "size: "),
    (lambda: T.warp_affine(X8, np.eye(3), size=(2.5, 3)), TypeError, "size: "),
    (lambda: T.warp_affine(X8, np.eye(3) * 2, arithmetic="opencv4"), ValueError, "matrix: .*affine"),
    (lambda: T.crop(X8, 2), ValueError, "px: nothing is left"),
    (lambda: T.crop(X8, -1), ValueError, "px: "),
    (lambda: T.crop(X8, 0.5), ValueError, "px: "),
    (lambda: T.crop(X8, (1, 2)), ValueError, "px: "),
    (lambda: T.crop(X8, np.array([0, 1]), keep_size=False), ValueError, "px: .*keep_size"),
    (lambda: T.resize(X8, (3, 3, 3)), ValueError, "size: "),
    (lambda: T.resize(X8, (3, True)), TypeError, "size: "),
    (lambda: T.resize(X8, (3, 3), arithmetic="opencv4"), ValueError, "antialias: "),
    (lambda: T.resize(X8, (3, 3), arithmetic="opencv4", interpolation="area"), ValueError, "interpolation: "),
    (lambda: T.resize(X8, (8, 8), arithmetic="opencv4", interpolation="bicubic"), ValueError, "interpolation: "),
    (lambda: T.rotate(X8, 5, arithmetic="opencv4", border="wrap"), ValueError, "border: "),
    (lambda: T.rotate(X8.astype("f4"), 5, arithmetic="opencv4"), ValueError, "images: .*uint8"),
    (lambda: T.flip(X8, "diagonal"), ValueError, "axis: "),
    (lambda: T.resize(np.zeros((2, 0, 4), np.uint8), (3, 3)), ValueError, "images: .*no pixels"),
]


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_bad_arguments_are_refused(index):
    call, error, message = REFUSED[index]
    with pytest.raises(error, match=f"^(?:{message})"):
        call()


@pytest.mark.parametrize("shape", [(0, 4, 5, 3), (0, 4, 5), (2, 4, 5, 0), (2, 0, 5, 1), (2, 4, 0)])
def test_empty_batches(shape):
    images = np.zeros(shape, np.uint8)
    for call in (lambda x: T.translate(x, 1, 2), lambda x: T.rotate(x, np.full(len(x), 5.0)), T.flip):
        assert call(images).shape == shape
    if shape[1] and shape[2]:
        assert T.crop(images, 1).shape == shape
        assert T.resize(images, (7, 8)).shape == (shape[0], 7, 8, *shape[3:])
    elif images.ndim == 4:
        with pytest.raises(ValueError, match="images"):
            T.warp_affine(images, np.eye(3), size=(3, 3))


@pytest.mark.parametrize(
    "size", [(2**31 - 1, 2**31 - 1), (2**20, 2**24)]
)  # more than an array, and a machine, can have
def test_a_size_that_no_memory_holds_is_a_memory_error(size):
    with pytest.raises(MemoryError, match="^out: no memory for a result of shape"):
        T.resize(X8, size)


@pytest.mark.parametrize("border", T.BORDERS)
def test_far_shifts_show_what_the_border_says(border):
    images = noise((1, 5, 7, 1), "uint8")
    got = T.translate(images, 2.0**40, -1e6, border=border, fill=9)
    if border == "constant":
        assert (got == 9).all()
        return
    y = reference.border_index(np.arange(5) + 10**6, 5, border)
    x = reference.border_index(np.arange(7) - 2**40, 7, border)
    same(got, images[:, y][:, :, x])


@pytest.mark.slow
def test_more_than_two_to_the_31_elements():
    """Offsets past 32 bits: two images of 2^30 pixels, of which the second is read and written. Takes 3 GB."""
    images = np.zeros((2, 1, 2**30 + 5), np.uint8)
    images[1, 0, -3:] = (1, 2, 3)
    moved = T.translate(images, -1, 0)
    assert moved[1, 0, -4:].tolist() == [1, 2, 3, 3]
    assert not moved[0].any()


# ---- arithmetic="opencv4" --------------------------------------------------------------------------------------------


def golden():
    manifest = json.loads((GOLDEN / "opencv4.json").read_text())
    assert hashlib.sha256((GOLDEN / "opencv4.npz").read_bytes()).hexdigest() == manifest["sha256"]
    with np.load(GOLDEN / "opencv4.npz", allow_pickle=False) as file:
        return manifest["cases"], dict(file)


def opencv4(case, images):
    match case["kind"]:
        case "rotate":
            return T.rotate(images, case["degrees"], arithmetic="opencv4")
        case "warp":
            return T.warp_affine(
                images, case["matrix"], size=case["size"], inverse=case["inverse"], arithmetic="opencv4"
            )
        case "crop":
            return T.crop(images, case["px"], interpolation=case["interpolation"], arithmetic="opencv4")
    return T.resize(images, case["size"], interpolation=case["interpolation"], antialias=False, arithmetic="opencv4")


def test_opencv4_is_bit_identical():
    cases, arrays = golden()
    assert len(cases) > 150
    for case in cases:
        got = opencv4(case, arrays[case["image"]][np.newaxis])[0]
        assert np.array_equal(got, arrays[case["result"]]), case


def test_opencv4_equals_its_reference():
    images = noise((3, 14, 11, 3), "uint8")
    matrices = np.array([MATRICES["rotation"], MATRICES["shrink"], MATRICES["fraction"]])
    got = T.warp_affine(images, matrices, inverse=True, size=(9, 17), arithmetic="opencv4")
    same(got, reference.opencv4_warp(images, matrices, (9, 17)))
    rectangles = np.array([[2, 2, 10, 7]])
    for interpolation in ("area", "bilinear"):
        got = T.crop(images, 2, interpolation=interpolation, arithmetic="opencv4")
        same(got, reference.opencv4_resize(images, rectangles, (14, 11), interpolation))


@pytest.mark.parametrize("shift", [1e6, -(2.0**40), 1e308])
def test_opencv4_of_far_shifts_is_the_edge(shift):
    images = noise((1, 4, 6, 1), "uint8")
    got = T.warp_affine(images, [[1.0, 0, shift], [0, 1.0, 0.5]], arithmetic="opencv4")
    column = images[:, :, :1] if shift > 0 else images[:, :, -1:]
    want = T.warp_affine(np.repeat(column, 6, 2), [[1.0, 0, 0.25], [0, 1.0, 0.5]], arithmetic="opencv4")
    same(got, want)


# ---- points and boxes ------------------------------------------------------------------------------------------------


def test_points_go_where_pixels_go():
    images = np.zeros((1, 9, 9), np.uint8)
    images[0, 2, 3] = 255
    matrix = np.array([[0, 1, 2], [1, 0, -1.0]])
    ((x, y),) = T.transform_points([[3, 2]], matrix)
    assert T.warp_affine(images, matrix)[0, int(y), int(x)] == 255
    assert (x, y) == (4, 2)


def test_points_of_many_matrices():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, 6, 2))
    matrices = np.eye(3) + rng.normal(0, 0.05, (4, 3, 3))
    got = T.transform_points(points, matrices)
    for i in range(4):
        h = np.concatenate([points[i], np.ones((6, 1))], axis=1) @ matrices[i].T
        np.testing.assert_allclose(got[i], h[:, :2] / h[:, 2:], rtol=1e-12)
        np.testing.assert_array_equal(got[i], T.transform_points(points[i], matrices[i]))


def test_a_matrix_and_its_negative_are_one_map():
    perspective, points = np.array([[1, 0.1, 2], [0, 1, 1], [0.01, -0.04, 1]]), np.array([[3.0, 4], [9, 20]])
    expected = T.transform_points(points, perspective)
    np.testing.assert_array_equal(T.transform_points(points, -2 * perspective), expected)
    np.testing.assert_array_equal(T.transform_points([points], [-2 * perspective]), [expected])
    for factor in (1, -2):  # the horizon is at y = 25 + x / 4
        with pytest.raises(ValueError, match="^matrix: .* horizon"):
            T.transform_points([[3, 4], [0, 26]], factor * perspective)


def test_boxes_are_half_a_pixel_off_points():
    flipped = np.array([[-1, 0, 6], [0, 1, 0]])  # of an image 7 wide
    assert T.transform_boxes([[0, 0, 7, 5], [1, 2, 3, 4]], flipped, (5, 7)).tolist() == [[0, 0, 7, 5], [4, 2, 6, 4]]
    moved = T.transform_boxes([2, 2, 4, 4], [[1, 0, -3], [0, 1, 100]], (5, 7))
    assert moved.tolist() == [0, 5, 1, 5]
    many = T.transform_boxes(np.ones((3, 2, 4)), np.stack([flipped] * 3), (5, 7))
    assert many.shape == (3, 2, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: T.transform_points([[1, 2, 3]], np.eye(3)), "points: "),
        (lambda: T.transform_points([[1, np.nan]], np.eye(3)), "points: "),
        (lambda: T.transform_points([1, 2], np.ones((2, 2, 3))), "matrix: "),
        (lambda: T.transform_points([[1, 2]], [[1, 0, 0], [0, 1, 0], [-1, 0, 0]]), "matrix: .*horizon"),
        (lambda: T.transform_boxes([[1, 2]], np.eye(3), (5, 5)), "boxes: "),
        (lambda: T.transform_boxes(np.ones((3, 4)), np.ones((2, 2, 3)), (5, 5)), "matrix: "),
        (lambda: T.transform_boxes(np.ones((3, 4)), np.eye(3), (5, 0)), "size: "),
    ],
)
def test_bad_points_are_refused(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


def test_out_must_not_overlap_by_any_way_round():
    image = np.arange(24.0).reshape(2, 3, 4)
    with pytest.raises(ValueError, match=r"^out: must not overlap"):
        T.flip(memoryview(image), out=image)
    fill = np.zeros((2, 1))
    shared = fill.reshape(2, 1, 1, 1)
    with pytest.raises(ValueError, match=r"^out: must not overlap"):
        T.translate(np.ones((2, 1, 1, 1)), 9, 0, border="constant", fill=fill, out=shared)


def test_flags_are_flags():
    image = np.zeros((1, 4, 4), np.uint8)
    for call in (
        lambda value: T.resize(image, (2, 2), antialias=value),
        lambda value: T.crop(image, 1, keep_size=value),
        lambda value: T.warp_affine(image, np.eye(3), inverse=value),
    ):
        for bad in ("no", 1, np.array([True, False])):
            with pytest.raises(TypeError, match="expected True or False"):
                call(bad)


@pytest.fixture
def copied(monkeypatch):
    """The bytes that are copied at once, where that are 100 at most."""
    sizes = []
    copyto = np.copyto

    def spy(to, values):
        sizes.append(to.nbytes)
        copyto(to, values)

    monkeypatch.setattr(_validate, "COPIED_BYTES", 100)
    monkeypatch.setattr(_validate.np, "copyto", spy)
    return sizes


@pytest.mark.parametrize(
    "values",
    [
        np.asfortranarray(X8),
        X8[::-1, ::2],
        X8[:1, :, :, ::-1],
        X8[:0, ::2, ::2],
        X8.astype(">u2"),
        np.broadcast_to(np.float32(3), (2, 3, 50)),
        np.broadcast_to(np.float32(3), (1, 1, 400)),
    ],
    ids=lambda values: f"{values.shape} {values.dtype.str} {values.strides}",
)
def test_copies_are_made_in_parts_so_that_they_can_be_interrupted(values, copied):
    result = _validate.contiguous("images", values)
    assert result.tobytes() == values.tobytes() if values.dtype.isnative else (result == values).all()
    assert result.flags.c_contiguous
    assert result.dtype.isnative
    assert sum(copied) == values.nbytes
    assert max(copied, default=0) <= 100


def test_copies_that_cannot_be_made_are_memory_errors():
    with pytest.raises(MemoryError, match=r"^images: "):
        T.flip(np.broadcast_to(0.0, (2**29, 2**30, 1)))


def test_points_that_overflow_are_refused():
    with pytest.raises(ValueError, match=r"^matrix: "):
        T.transform_points([[1e308, 1e308]], [[10, 0, 0], [0, 1, 0]])


def test_sizes_and_masked_lists_are_refused_by_name():
    image = np.zeros((1, 4, 4), np.uint8)
    with pytest.raises(TypeError, match=r"^size: "):
        T.resize(image, np.array(3))
    with pytest.raises(TypeError, match=r"^images: masked"):
        T.flip([np.ma.zeros((2, 2))] * 2)


def test_a_centre_at_the_end_of_the_world():
    image = np.arange(12.0).reshape(1, 3, 4)
    for arithmetic, dtype in (("exact", np.float64), ("opencv4", np.uint8)):
        turned = T.rotate(image.astype(dtype), 33, center=(1.7e308, -1.7e308), arithmetic=arithmetic)
        assert np.isin(turned, image).all()
