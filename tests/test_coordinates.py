"""The matrices of the transforms, and how much of a box stays on an image."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from augcore import _coordinates
from augcore import transforms as T

SIZE = (40, 56)


def blob(x: float, y: float) -> np.ndarray:
    """An image with a smooth dot, one per call."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)[np.newaxis]


def centroid(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return (columns * image).sum() / image.sum(), (rows * image).sum() / image.sum()


@pytest.mark.parametrize(
    ("transform", "matrix"),
    [
        (lambda x: T.translate(x, 3.25, -2.5), T.translation_matrix(3.25, -2.5)),
        (lambda x: T.rotate(x, 25), T.rotation_matrix(25, SIZE)),
        (lambda x: T.rotate(x, -90, center=(27, 18)), T.rotation_matrix(-90, SIZE, center=(27, 18))),
        (lambda x: T.flip(x), T.flip_matrix("horizontal", SIZE)),
        (lambda x: T.flip(x, "vertical"), T.flip_matrix("vertical", SIZE)),
        (lambda x: T.flip(x, "both"), T.flip_matrix("both", SIZE)),
        (lambda x: T.crop(x, (2, 3, 4, 5)), T.resized_crop_matrix((2, 5, 34, 48), SIZE)),
        (lambda x: T.crop(x, (2, 3, 4, 5), keep_size=False), T.resized_crop_matrix((2, 5, 34, 48), (34, 48))),
        (lambda x: T.resize(x, (90, 31)), T.resized_crop_matrix((0, 0, *SIZE), (90, 31))),
        (lambda x: T.resized_crop(x, (4, 6, 30, 40), (25, 70)), T.resized_crop_matrix((4, 6, 30, 40), (25, 70))),
    ],
)
def test_each_matrix_says_where_its_transform_takes_a_dot(transform, matrix):
    for x, y in [(26.0, 17.0), (22.5, 21.25)]:
        got = transform(blob(x, y))[0]
        assert centroid(got) == pytest.approx(T.transform_points([x, y], matrix), abs=0.06)


def test_matrices_of_many_images_are_those_of_each():
    degrees, dx, dy = np.array([10.0, 90, -400]), np.array([1.0, 2, 3]), 0.5
    rectangles = np.array([[0, 0, 4, 5], [1, 2, 3, 4]])
    many = [T.rotation_matrix(degrees, SIZE), T.translation_matrix(dx, dy), T.resized_crop_matrix(rectangles, (7, 7))]
    for i in range(2):
        np.testing.assert_array_equal(many[0][i], T.rotation_matrix(degrees[i], SIZE))
        np.testing.assert_array_equal(many[1][i], T.translation_matrix(dx[i], dy))
        np.testing.assert_array_equal(many[2][i], T.resized_crop_matrix(rectangles[i], (7, 7)))
    np.testing.assert_array_equal(T.rotation_matrix(90, (5, 5)), [[0, 1, 0], [-1, 0, 4], [0, 0, 1]])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_resized_crop_is_a_crop_and_a_resize(dtype):
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 17, 2)).astype(dtype)
    rectangles = np.array([[0, 0, 12, 17], [3, 4, 5, 6], [11, 16, 1, 1]])
    for interpolation in ("nearest", "bilinear", "bicubic", "area"):
        got = T.resized_crop(images, rectangles, (8, 9), interpolation=interpolation)
        for image, (top, left, height, width), result in zip(images, rectangles, got, strict=True):
            part = image[np.newaxis, top : top + height, left : left + width]
            np.testing.assert_array_equal(result, T.resize(part, (8, 9), interpolation=interpolation)[0])
    assert T.resized_crop(images[:0], (0, 0, 1, 1), (4, 4)).shape == (0, 4, 4, 2)


def test_visibility_of_boxes():
    boxes = [[0, 0, 4, 4], [2, 2, 6, 6], [5, 5, 8, 8], [3, 3, 3, 8]]
    assert T.box_visibility(boxes, np.eye(3), (8, 8)).tolist() == [1, 1, 1, 0]
    assert T.box_visibility(boxes, T.translation_matrix(-3, 0), (8, 8)).tolist() == [0.25, 0.75, 1, 0]
    assert T.box_visibility(boxes[0], T.translation_matrix(1e300, 0), (8, 8)) == 0
    # A square of side 2 turned by 45 degrees about the left edge of the image: half of it stays.
    turned = T.rotation_matrix(45, (8, 8), center=(-0.5, 3.5))
    assert T.box_visibility([-1, 3, 1, 5], turned, (8, 8)) == pytest.approx(0.5)
    # A diamond whose corner is cut off: a triangle of height h has an area of h^2.
    diamond = T.rotation_matrix(45, (8, 8), center=(0.5, 3.5))
    tip = np.sqrt(2) - 1
    assert T.box_visibility([0, 3, 2, 5], diamond, (8, 8)) == pytest.approx(1 - tip**2 / 4)
    many = T.box_visibility(np.ones((3, 2, 4)), np.stack([diamond] * 3), (8, 8))
    assert many.shape == (3, 2)


def test_visibility_is_the_share_of_the_painted_area():
    rng = np.random.default_rng(1)
    height, width = 200, 260
    for _ in range(12):
        x1, y1 = rng.uniform(0, 150, 2).round()
        box = np.array([x1, y1, x1 + rng.integers(30, 60), y1 + rng.integers(20, 50)])
        matrix = T.rotation_matrix(rng.uniform(-180, 180), (height, width)) @ np.diag([1.2, 0.8, 1])
        matrix[:2, 2] += rng.uniform(-90, 90, 2)
        painted = np.zeros((1, height, width))
        painted[0, int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = 1
        inside = T.warp_affine(painted, matrix, border="constant").sum() / np.linalg.det(matrix)
        assert T.box_visibility(box, matrix, (height, width)) == pytest.approx(inside / painted.sum(), abs=0.02)


def test_points_inside():
    points = [[-0.5, -0.5], [6.5, 4.5], [-0.51, 0], [0, 4.51], [3, 2]]
    assert T.points_inside(points, (5, 7)).tolist() == [True, True, False, False, True]
    assert T.points_inside(np.zeros((2, 3, 2)), (5, 7)).shape == (2, 3)


def test_examples_of_the_documentation():
    found = doctest.testmod(_coordinates, extraglobs={"np": np})
    assert found.attempted
    assert not found.failed


X = np.zeros((2, 6, 8), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: T.translation_matrix("a", 0), TypeError, "dx: "),
        (lambda: T.translation_matrix(np.nan, 0), ValueError, "dx: "),
        (lambda: T.translation_matrix([1, 2], [1, 2, 3]), ValueError, "dx and dy: "),
        (lambda: T.translation_matrix([[1]], 0), ValueError, "dx: "),
        (lambda: T.rotation_matrix(5, (0, 4)), ValueError, "size: "),
        (lambda: T.rotation_matrix(5, (4, 4), center=5), ValueError, "center: "),
        (lambda: T.flip_matrix("up", (4, 4)), ValueError, "axis: "),
        (lambda: T.resized_crop_matrix((0, 0, 0, 4), (4, 4)), ValueError, "rectangle: "),
        (lambda: T.resized_crop_matrix((0, 0, 4), (4, 4)), ValueError, "rectangle: "),
        (lambda: T.resized_crop(X, (0, 0, 7, 4), (4, 4)), ValueError, "rectangle: "),
        (lambda: T.resized_crop(X, (-1, 0, 4, 4), (4, 4)), ValueError, "rectangle: "),
        (lambda: T.resized_crop(X, (0, 0.5, 4, 4), (4, 4)), ValueError, "rectangle: "),
        (lambda: T.resized_crop(X, np.ones((3, 4)), (4, 4)), ValueError, "rectangle: "),
        (lambda: T.box_visibility([0, 0, 1], np.eye(3), (4, 4)), ValueError, "boxes: "),
        (lambda: T.box_visibility([0, 0, 1, 1], np.eye(2), (4, 4)), ValueError, "matrix: "),
        (lambda: T.points_inside([1, 2, 3], (4, 4)), ValueError, "points: "),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()
