"""Images, masks, boxes, keypoints and matrices agree with each other and with SciPy: non-square, one map per image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from augcore import augmentations as A
from augcore import transforms as T

N, HEIGHT, WIDTH = 5, 37, 53
MODES = {
    "edge": "nearest",
    "constant": "grid-constant",
    "reflect": "mirror",
    "symmetric": "reflect",
    "wrap": "grid-wrap",
}  # SciPy's names


def maps(projective):
    """Turned, stretched, sheared and moved, each another way."""
    rng = np.random.default_rng(1)
    m = T.rotation_matrix(rng.uniform(-60, 60, N), (HEIGHT, WIDTH)) @ np.diag([1.2, 0.8, 1.0])
    m[:, 0, 1] += rng.uniform(-0.3, 0.3, N)
    m[:, :2, 2] += rng.uniform(-9, 9, (N, 2))
    m[:, 2, :2] = rng.uniform(-2e-3, 2e-3, (N, 2)) * projective
    return m


@pytest.mark.parametrize("projective", [False, True])
@pytest.mark.parametrize("border", T.BORDERS)
@pytest.mark.parametrize("layout", T.LAYOUTS)
def test_warps_are_those_of_scipy(border, projective, layout):
    images = T.resize(np.random.default_rng(0).uniform(0, 255, (N, 9, 13, 3)), (HEIGHT, WIDTH))
    matrices, size = maps(projective), (44, 31)
    y, x = np.indices(size).reshape(2, -1)
    want = np.empty((N, *size, 3))
    for image, matrix, result in zip(images, matrices, want, strict=True):
        source = np.linalg.inv(matrix) @ np.stack([x, y, np.ones(x.size)])
        rows_columns = (source[:2] / source[2])[::-1]
        for channel in range(3):
            found = ndimage.map_coordinates(image[..., channel], rows_columns, order=1, mode=MODES[border], cval=7)
            result[..., channel] = found.reshape(size)
    given = images if layout == "NHWC" else images.transpose(0, 3, 1, 2)
    got = T.warp_affine(given, matrices, size=size, border=border, fill=7, layout=layout)
    np.testing.assert_allclose(got if layout == "NHWC" else got.transpose(0, 2, 3, 1), want, atol=1e-9)


BLACK = {"border": "constant"}
PIPELINES = [
    A.Compose([A.RandomAffine((-30, 30), (-5, 5), ((0.8, 1.2), (0.8, 1.2)), ((-9, 9), (-9, 9)), **BLACK)]),
    A.Compose([A.RandomFlip(), A.RandomRotate((-40, 40), **BLACK), A.RandomTranslate((-4, 4), (-4, 4), **BLACK)]),
    A.Compose([A.RandomFlip("vertical"), A.RandomRotate((-40, 40), center=(40, 30), **BLACK)], fuse=False),
    A.Compose([A.RandomCrop((60, 80)), A.RandomRotate((-10, 10), **BLACK), A.RandomResizedCrop((64, 50), (0.9, 1))]),
    A.Compose([A.Translate(2), A.Rotate(20, 5, direction="clockwise"), A.Crop([1, 3], interpolation="bilinear")]),
    A.Compose([A.RandomCrop((60, 80), (3, 4, 5, 6), keep_size=True, **BLACK)]),
    A.Compose([A.RandomRotate((-40, 40), p=0.5, **BLACK), A.RandomFlip("both"), A.RandomAffine(scale=1.2, p=0.5)]),
]


@pytest.mark.parametrize("layout", T.LAYOUTS)
@pytest.mark.parametrize("pipeline", PIPELINES, ids=repr)
def test_keypoints_stay_on_what_they_mark(pipeline, layout):
    """Each image is one soft spot: its centre of mass is where its keypoint goes."""
    rng = np.random.default_rng(2)
    points = np.stack([rng.uniform(38, 58, 30), rng.uniform(28, 42, 30)], axis=1)[:, np.newaxis]
    y, x = np.indices((71, 97))
    squares = (x - points[..., :1]) ** 2 + (y - points[..., 1:]) ** 2
    images = np.exp(-squares / 5)
    applied = pipeline(images if layout == "NHWC" else images[:, np.newaxis], 5, keypoints=points, layout=layout)
    spots = applied.images.reshape(30, *applied.images.shape[-2:])
    centres = [ndimage.center_of_mass(spot)[::-1] for spot in spots]
    height, width = spots.shape[1:]
    inner = ((applied.keypoints[:, 0] > 8) & (applied.keypoints[:, 0] < (width - 9, height - 9))).all(axis=1)
    assert inner.mean() > 0.8
    np.testing.assert_allclose(applied.keypoints[inner, 0], np.array(centres)[inner], atol=0.05)
    matrices = pipeline.matrix(applied.parameters)
    np.testing.assert_allclose(T.transform_points(points, matrices), applied.keypoints, atol=1e-10)


@pytest.mark.parametrize("pipeline", PIPELINES, ids=repr)
def test_boxes_stay_around_what_they_mark(pipeline):
    """Each mask is a rectangle: its pixels fill the box that follows it, up to the pixels that a nearest one misses."""
    rng = np.random.default_rng(3)
    corners = np.stack([rng.integers(25, 45, 30), rng.integers(15, 30, 30)], axis=1)
    boxes = np.concatenate([corners, corners + rng.integers(12, 24, (30, 2))], axis=1)[:, np.newaxis]
    y, x = np.indices((71, 97))
    x1, y1, x2, y2 = np.moveaxis(boxes, -1, 0)[..., np.newaxis]
    masks = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
    applied = pipeline(masks.astype(np.uint8), 5, masks=masks, boxes=boxes)
    whole = applied.box_visibility[:, 0] == 1
    assert whole.mean() > 0.5
    beside = []
    for mask, box in zip(applied.masks[whole], applied.boxes[whole, 0], strict=True):
        (rows,), (columns,) = np.nonzero(mask.any(axis=1)), np.nonzero(mask.any(axis=0))
        beside.append(box - (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    assert np.abs(beside).max() < 1.5
    np.testing.assert_allclose(np.mean(beside, axis=0).reshape(2, 2).mean(axis=0), 0, atol=0.2)  # of their middles
