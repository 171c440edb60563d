"""reference.py's image transforms against SciPy, OpenCV, NumPy's pad and closed forms."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from augcore import reference

BORDERS = ("edge", "constant", "reflect", "symmetric", "wrap")
FILL = np.array([[5.0]])
WHOLE = np.array([[0, 0, 9, 11]])


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 9, 11, 1))


def matrix(rows):
    return np.array([[*rows, [0, 0, 1]]], dtype=np.float64)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_border_index_is_numpy_pad(border, n):
    if border == "constant":
        want = np.pad(np.arange(n), 12, constant_values=-1)
    else:
        want = np.pad(np.arange(n), 12, mode=border)
    np.testing.assert_array_equal(reference.border_index(np.arange(-12, n + 12), n, border), want)


@pytest.mark.parametrize("border", BORDERS)
def test_whole_shift_is_numpy_pad(images, border):
    values = {"constant_values": 5} if border == "constant" else {}
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode=border, **values)
    got = reference.warp(images, matrix([[1, 0, -3], [0, 1, 4]]), (9, 11), "bicubic", border, FILL)
    np.testing.assert_array_equal(got, padded[:, 8:17, 1:12])


@pytest.mark.parametrize(
    ("border", "mode"),
    [("edge", "nearest"), ("constant", "grid-constant"), ("reflect", "mirror"), ("symmetric", "reflect"),
     ("wrap", "grid-wrap")],
)  # fmt: skip
def test_bilinear_is_scipy(images, border, mode):
    m = np.array([[0.8, 0.5, -2.2], [-0.4, 1.3, 1.1]])
    swapped = m[::-1, [1, 0, 2]]  # SciPy's axes are (y, x)
    for image, got in zip(images, reference.warp(images, matrix(m), (12, 8), "bilinear", border, FILL), strict=True):
        want = ndimage.affine_transform(
            image[..., 0], swapped[:, :2], swapped[:, 2], output_shape=(12, 8), order=1, mode=mode, cval=5
        )
        np.testing.assert_allclose(got[..., 0], want, atol=1e-12)


@pytest.mark.parametrize("flag", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize(
    ("border", "cv_border"),
    [
        ("edge", cv2.BORDER_REPLICATE),
        ("reflect", cv2.BORDER_REFLECT_101),
        ("symmetric", cv2.BORDER_REFLECT),
        ("wrap", cv2.BORDER_WRAP),
    ],
)
def test_warp_is_opencv_remap(images, border, cv_border, flag):
    """remap takes explicit positions; these are multiples of 1/32, which every OpenCV represents."""
    flags = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "nearest": cv2.INTER_NEAREST}
    m = np.array([[0.75, 0.5, -2.21875], [-0.5, 1.25, 1.09375]])
    x, y = reference.source_positions(matrix(m)[0], 9, 11)
    got = reference.warp(images, matrix(m), (9, 11), flag, border, FILL)
    for image, values in zip(images, got, strict=True):
        want = cv2.remap(
            image.astype(np.float32), x.astype(np.float32), y.astype(np.float32), flags[flag], borderMode=cv_border
        )
        np.testing.assert_allclose(values[..., 0], want, atol=2e-6)


def test_projective_is_opencv(images):
    m = np.array([[[0.9, 0.2, 1.0], [-0.1, 1.1, -0.5], [0.01, 0.02, 1.0]]])
    got = reference.warp(images, m, (9, 11), "bilinear", "edge", FILL)
    x, y = np.meshgrid(np.arange(11.0), np.arange(9.0))
    h = np.stack([x, y, np.ones_like(x)], axis=-1) @ m[0].T
    for image, values in zip(images, got, strict=True):
        positions = [h[..., 1] / h[..., 2], h[..., 0] / h[..., 2]]
        want = ndimage.map_coordinates(image[..., 0], positions, order=1, mode="nearest")
        np.testing.assert_allclose(values[..., 0], want, atol=1e-12)


def test_a_plane_is_reproduced():
    """Bilinear and bicubic interpolation are exact for linear functions, away from the border."""
    y, x = np.mgrid[:9, :11].astype(np.float64)
    plane = (2 * x - 3 * y + 1)[np.newaxis, ..., np.newaxis]
    m = matrix([[0.5, 0.1, 3.3], [-0.1, 0.4, 3.1]])
    sx, sy = reference.source_positions(m[0], 7, 7)
    for interpolation, slack in (("bilinear", 1e-12), ("bicubic", 0.35)):
        got = reference.warp(plane, m, (7, 7), interpolation, "edge", FILL)[0, ..., 0]
        # Keys' kernel reproduces linear functions for a = -0.5 only; with a = -0.75 it stays near.
        np.testing.assert_allclose(got, 2 * sx - 3 * sy + 1, atol=slack)


def test_integers_round_half_to_even_and_saturate():
    values = np.array([-3.0, 0.5, 1.5, 2.5, 254.5, 255.5, 1e300])
    assert reference.to_pixels(values, np.dtype(np.uint8)).tolist() == [0, 0, 2, 2, 254, 255, 255]
    assert reference.to_pixels(values, np.dtype(np.uint16)).tolist() == [0, 0, 2, 2, 254, 256, 65535]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (1, 5), (5, 1), (7, 7), (9, 4), (4, 9), (8, 4), (31, 3)])
def test_weights_sum_to_one(n_in, n_out, antialias, interpolation):
    weights = reference.resize_weights(n_in, n_out, interpolation, antialias)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    # A resize of the mirrored axis is the mirrored resize, but for OpenCV's lopsided enlarging area and for ties.
    if interpolation != "nearest" and not (interpolation == "area" and n_in < n_out):
        np.testing.assert_allclose(weights[::-1, ::-1], weights, atol=1e-12)
    if n_in == n_out:
        np.testing.assert_array_equal(weights, np.eye(n_in))


@pytest.mark.parametrize(
    ("interpolation", "flag", "size"),
    [
        ("bilinear", cv2.INTER_LINEAR, (20, 30)),
        ("bilinear", cv2.INTER_LINEAR, (5, 4)),
        ("bicubic", cv2.INTER_CUBIC, (20, 30)),
        ("bicubic", cv2.INTER_CUBIC, (5, 30)),
        ("area", cv2.INTER_AREA, (5, 4)),
        ("area", cv2.INTER_AREA, (3, 11)),
        ("area", cv2.INTER_AREA, (20, 30)),
        ("area", cv2.INTER_AREA, (13, 12)),
    ],
)
def test_resize_is_opencv(images, interpolation, flag, size):
    got = reference.resize(images, WHOLE, size, interpolation, False)
    for image, values in zip(images, got, strict=True):
        want = cv2.resize(image.astype(np.float64), size[::-1], interpolation=flag)
        np.testing.assert_allclose(values[..., 0], want, atol=1e-6)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_antialias_is_the_kernel_sampled_wider(interpolation):
    """In closed form: the kernel at (i - at) n_out / n_in over the pixels there are, normalised."""
    n_in, n_out = 12, 5
    at = (np.arange(n_out)[:, np.newaxis] + 0.5) * n_in / n_out - 0.5
    d = np.abs(np.arange(n_in) - at) * n_out / n_in
    if interpolation == "bilinear":
        want = np.maximum(1 - d, 0)
    else:
        near, far = 1.25 * d**3 - 2.25 * d**2 + 1, -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)
        want = np.where(d < 1, near, np.where(d < 2, far, 0))
    want /= want.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(reference.resize_weights(n_in, n_out, interpolation, True), want, atol=1e-12)


def test_area_shrinking_is_the_mean(images):
    got = reference.resize(images[:, :8, :9], np.array([[0, 0, 8, 9]]), (4, 3), "area", True)
    want = images[:, :8, :9, 0].reshape(2, 4, 2, 3, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(got[..., 0], want, atol=1e-14)


def test_flip_is_numpy(images):
    np.testing.assert_array_equal(reference.flip(images, "horizontal"), np.flip(images, 2))
    np.testing.assert_array_equal(reference.flip(images, "vertical"), np.flip(images, 1))
    np.testing.assert_array_equal(reference.flip(images, "both"), np.flip(images, (1, 2)))
