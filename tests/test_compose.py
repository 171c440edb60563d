"""Pipelines: one draw per image whatever the batch, joined resamplings, replay, and all that follows the images."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import json
import pickle

import numpy as np
import pytest
from conftest import THREADS
from hypothesis import given, settings
from hypothesis import strategies as st
from test_steps import AFFINE, SHAPE, STEPS, pictures

from augcore import _random, _validate, transforms
from augcore import augmentations as A

LONG = A.Compose(
    [
        A.RandomFlip(),
        A.RandomRotate((-30, 30), p=0.7),
        A.RandomFlip("vertical"),
        A.RandomTranslate((-2, 2), A.IntegerUniform(-2, 2)),
        A.Crop([1, 2]),
        AFFINE,
        A.RandomRotate(5, border="wrap"),
        A.RandomCrop((10, 11), padding=1),
        A.RandomResizedCrop((9, 14)),
        A.Translate(1),
    ]
)
PIPELINES = [A.Compose([step]) for step in [*STEPS, AFFINE]] + [LONG, A.Compose(LONG.steps, fuse=False), A.Compose([])]


def same(a: A.Applied, b: A.Applied) -> None:
    """Equal bit for bit, all parts."""
    for one, other in zip(a, b, strict=True):
        if isinstance(one, list):
            assert len(one) == len(other)
            for x, y in zip(one, other, strict=True):
                np.testing.assert_array_equal(x, y)
        elif isinstance(one, A.Parameters):
            assert one == other
        else:
            np.testing.assert_array_equal(one, other)


def extras(n: int, shape: tuple[int, int] = SHAPE) -> dict:
    """Masks, boxes and keypoints of n images."""
    rng = np.random.default_rng(n)
    height, width = shape
    boxes = rng.uniform(0, 1, (n, 3, 2, 2)) * (width, height)
    points = [rng.uniform(-1, 1 + 0.6 * width, (i % 4, 2)) for i in range(n)]
    masks = rng.integers(0, 5, (n, height, width)).astype(np.int32)
    return {
        "masks": masks,
        "boxes": np.concatenate([boxes.min(axis=2), boxes.max(axis=2)], axis=-1),
        "keypoints": points,
    }


def part_of(values: dict, rows) -> dict:
    chosen = np.arange(len(values["masks"]))[rows]
    return {
        name: [value[i] for i in chosen] if isinstance(value, list) else value[chosen] for name, value in values.items()
    }


def stack(parts: list[A.Applied]) -> A.Applied:
    joined = []
    for values in zip(*parts, strict=True):
        if isinstance(values[0], list):
            joined.append([x for value in values for x in value])
        elif isinstance(values[0], A.Parameters):
            joined.append(None)
        else:
            joined.append(np.concatenate(values))
    return A.Applied(*joined)


# ---- the same whatever the batch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipeline", PIPELINES, ids=repr)
def test_draws_and_results_do_not_depend_on_the_batch(pipeline):
    n = 23
    images, others = pictures(n), extras(n)
    whole = pipeline(images, 9, epoch=3, **others)
    order = np.random.default_rng(0).permutation(n)
    parts = [
        pipeline(images[rows], 9, epoch=3, indices=rows, **part_of(others, rows))
        for rows in (order[:1], order[1:10], order[10:10], order[10:])
    ]
    back = np.argsort(order)
    joined = stack(parts)
    sorted_back = [
        [value[i] for i in back] if isinstance(value, list) else value if value is None else value[back]
        for value in joined
    ]
    same(whole._replace(parameters=None), A.Applied(*sorted_back))
    twice = np.array([5, 5, 2, 5])
    got = pipeline(images[twice], 9, epoch=3, indices=twice, **part_of(others, twice))
    np.testing.assert_array_equal(got.images, whole.images[twice])
    assert got.parameters == whole.parameters[twice]
    for threads in THREADS:
        same(pipeline(images, 9, epoch=3, threads=threads, **others), whole)


def test_results_depend_on_seed_epoch_and_index():
    images = pictures(40)
    first = LONG.sample(images, 1)
    for other in (
        LONG.sample(images, 2),
        LONG.sample(images, 1, epoch=1),
        LONG.sample(images, 1, indices=np.arange(40) + 40),
        LONG.sample(images),
    ):
        assert not np.array_equal(first, other)


def test_a_generator_is_advanced_once_per_call():
    images = pictures()
    rng, same_rng = np.random.default_rng(5), np.random.default_rng(5)
    first, second = LONG.sample(images, rng), LONG.sample(images, rng)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(LONG.sample(images, same_rng), first)
    other = np.random.default_rng(5)
    other.integers(0, 2**64, size=2, dtype=np.uint64)
    np.testing.assert_array_equal(LONG.sample(images, other), second)
    assert rng.integers(2**40) == other.integers(2**40)


@pytest.mark.parametrize("family", [A.Translate(2), A.Rotate(30, 15), A.Crop([1, 2, 3])], ids=repr)
def test_a_family_as_a_step_draws_as_the_family(family):
    images = pictures(30)
    pipeline = A.Compose([family])
    np.testing.assert_array_equal(pipeline.sample(images, 7, epoch=2), family.sample(images, 7, epoch=2))
    assert pipeline == A.Compose([A.RandomVariant(family)])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_any_layout_gives_the_same_and_inputs_stay(dtype):
    images = pictures(dtype=dtype)
    want = LONG.sample(images, 3)
    strided = np.repeat(np.asfortranarray(images), 2, axis=2)[:, :, ::2]
    strided.setflags(write=False)
    before = strided.copy()
    np.testing.assert_array_equal(LONG.sample(strided, 3), want)
    np.testing.assert_array_equal(strided, before)
    np.testing.assert_array_equal(LONG.sample(images[..., 0], 3), want[..., 0])
    assert LONG(images[:0], 3, masks=images[:0], boxes=[], keypoints=np.zeros((0, 4, 2))).images.shape == (0, 9, 14, 2)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_channels_first_gives_the_same_values(channels):
    images = np.random.default_rng(0).integers(0, 256, (9, *SHAPE, channels), dtype=np.uint8)
    pipeline = A.Compose([*LONG.steps, A.RandomTranslate(3, border="constant", fill=tuple(range(channels)))])
    masks = images[..., :2] > 99
    want = pipeline(images, 3, masks=masks)
    planes = np.moveaxis(images, -1, 1)
    got = pipeline(planes, 3, masks=np.moveaxis(masks, -1, 1), layout="NCHW")
    np.testing.assert_array_equal(got.images, np.moveaxis(want.images, -1, 1))
    np.testing.assert_array_equal(got.masks, np.moveaxis(want.masks, -1, 1))
    assert got.images.flags.c_contiguous
    np.testing.assert_array_equal(pipeline.sample(planes, 3, layout="NCHW"), got.images)
    again = pipeline.replay(got.parameters, planes, masks=masks[..., 0], layout="NCHW")
    np.testing.assert_array_equal(again.images, got.images)
    np.testing.assert_array_equal(again.masks, want.masks[..., 0])
    flipped = A.RandomFlip(p=1).sample(planes, layout="NCHW")
    np.testing.assert_array_equal(flipped, planes[..., ::-1])
    still = A.RandomFlip(p=0).sample(planes.copy(), layout="NCHW")
    np.testing.assert_array_equal(still, planes)
    gray = pipeline.steps[0](images[..., 0], 3, layout="NCHW", masks=images[..., 0])
    np.testing.assert_array_equal(gray.images, gray.masks)


# ---- one after the other, and joined ---------------------------------------------------------------------------------


def one_after_the_other(pipeline: A.Compose, result: A.Applied, images, masks):
    """Each step as a pipeline of its own."""
    size = result.parameters.size
    for step, drawn in zip(pipeline.steps, result.parameters.steps, strict=True):
        parameters = A.Parameters(len(images), size, (drawn,))
        got = A.Compose([step]).replay(parameters, images, masks=masks)
        images, masks, size = got.images, got.masks, got.images.shape[1:3]
    return images, masks


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_not_fused_is_one_step_after_the_other(dtype):
    images, masks = pictures(30, dtype), extras(30)["masks"]
    pipeline = A.Compose(LONG.steps, fuse=False)
    got = pipeline(images, 2, masks=masks)
    want, want_masks = one_after_the_other(pipeline, got, images, masks)
    np.testing.assert_array_equal(got.images, want)
    np.testing.assert_array_equal(got.masks, want_masks)


R, T_ = A.RandomRotate((-20, 20)), A.RandomTranslate((-2, 2), (-2, 2))
FLIP, WRAP, FOUR = A.RandomFlip(), A.RandomRotate((-9, 9), border="wrap"), A.RandomRotate(5, arithmetic="opencv4")


@pytest.mark.parametrize(
    ("steps", "joined"),
    [
        ([R, T_], [(0, 2)]),
        ([R, T_, AFFINE, A.Translate(1)], [(0, 4)]),
        ([R, WRAP, T_], []),
        ([R, FOUR, T_], []),
        ([R, A.RandomRotate(5, interpolation="nearest")], []),
        ([R, A.RandomRotate(5, fill=1)], []),
        ([FLIP, R, FLIP], []),
        ([FLIP, R, FLIP, T_, FLIP, FLIP], [(1, 4)]),
        ([FLIP, FLIP], []),
        ([R, T_, A.RandomCrop(8, keep_size=True), R, T_], [(0, 2), (3, 5)]),
        ([R, A.Crop(1), T_], []),
        ([R, A.RandomResizedCrop(SHAPE), T_], []),
        ([WRAP, A.RandomTranslate(2, border="wrap"), R, FLIP, T_], [(0, 2), (2, 5)]),
    ],
    ids=repr,
)
def test_which_steps_are_joined(steps, joined):
    """A joined run is one resampling by the product of its matrices; all else is one step after the other."""
    pipeline = A.Compose(steps)
    images, masks = pictures(12), extras(12)["masks"]
    result = pipeline(images, 3, masks=masks)
    parameters = result.parameters
    number = 0
    while number < len(steps):
        stop = next((stop for first, stop in joined if first == number), number + 1)
        run = A.Compose(pipeline.steps[number:stop], fuse=False)
        drawn = A.Parameters(12, SHAPE, parameters.steps[number:stop])
        if stop == number + 1:
            got = run.replay(drawn, images, masks=masks)
            images, masks = got.images, got.masks
        else:
            matrix = run.matrix(drawn)
            border = "wrap" if WRAP in run.steps else "edge"
            images = transforms.warp_affine(images, matrix, border=border)
            masks = transforms.warp_affine(masks.astype("u1"), matrix, interpolation="nearest", border=border).astype(
                "i4"
            )
        number = stop
    np.testing.assert_array_equal(result.images, images)
    np.testing.assert_array_equal(result.masks, masks)


def test_joined_steps_lose_nothing_on_the_way():
    images = pictures()
    away, back = A.RandomTranslate(200, border="constant"), A.RandomTranslate(-200, border="constant")
    boxes = [[[2, 2, 6, 6]]] * 9
    joined = A.Compose([away, back])(images, 0, boxes=boxes, keypoints=np.full((9, 1, 2), 4.0))
    np.testing.assert_array_equal(joined.images, images)
    np.testing.assert_array_equal(joined.boxes[0], boxes[0])
    assert joined.keypoint_visible.all()
    assert np.concatenate(joined.box_visibility).tolist() == [1.0] * 9
    apart = A.Compose([away, back], fuse=False)(images, 0, boxes=boxes, keypoints=np.full((9, 1, 2), 4.0))
    assert not apart.images.any()
    assert not np.concatenate(apart.box_visibility).any()
    assert not apart.keypoint_visible.any()
    np.testing.assert_array_equal(apart.keypoints, 4.0)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_pipeline_copies_in_parts_so_that_it_can_be_interrupted(layout, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 6), dtype=np.uint8)
    pipeline = A.Compose(
        [A.RandomFlip(p=0.5), A.RandomCrop(5, p=1), A.RandomFlip(p=0), A.RandomFlip("vertical", p=0.5)]
    )
    idle = A.Compose([])
    expected = pipeline(images, 3, masks=images, layout=layout)
    copied, chosen = [], []
    copyto, parts = np.copyto, _validate.parts

    def spy(to, values):
        copied.append(to.nbytes)
        copyto(to, values)

    def spy_parts(n, item_bytes):
        found = list(parts(n, item_bytes))
        chosen.append(n < len(images))
        assert all((part.stop - part.start) * item_bytes <= 500 for part in found)
        return found

    monkeypatch.setattr(_validate, "COPIED_BYTES", 500)
    monkeypatch.setattr(_validate, "parts", spy_parts)
    monkeypatch.setattr(_validate.np, "copyto", spy)
    got = pipeline(images, 3, masks=images, layout=layout)
    for name in ("images", "masks"):
        assert np.array_equal(getattr(got, name), getattr(expected, name))
    assert len(copied) > 40
    assert max(copied) <= 500
    assert sum(chosen) == 8  # what two steps read and write, of images and of masks
    copied.clear()
    assert np.array_equal(idle(images, 0, layout=layout).images, images)
    assert sum(copied) >= images.nbytes


@pytest.mark.parametrize("fuse", [True, False])
def test_images_to_which_nothing_is_applied_stay_as_they_are(fuse):
    images = pictures(60, "float32")
    images[:, 3, 3] = np.nan, np.inf
    boxes = np.random.default_rng(0).uniform(0, 5, (60, 2, 4))
    boxes[..., 2:] += boxes[..., :2]
    points = np.random.default_rng(0).uniform(0, 9, (60, 2, 2))
    steps = [
        A.RandomRotate(9, p=0.3),
        A.RandomFlip(p=0.3),
        A.RandomTranslate((-2, 2), p=0.3),
        A.RandomCrop(5, keep_size=True, p=0.3),
    ]
    got = A.Compose(steps, fuse=fuse)(images, 0, masks=images[..., 0], boxes=boxes, keypoints=points)
    still = ~np.any([step["applied"] for step in got.parameters.steps], axis=0)
    assert 5 < still.sum() < 40
    assert got.images[still].tobytes() == images[still].tobytes()
    assert got.masks[still].tobytes() == images[still, :, :, 0].tobytes()
    np.testing.assert_array_equal(got.boxes[still], boxes[still])
    np.testing.assert_array_equal(got.keypoints[still], points[still])
    moved = (got.images[~still] != images[~still]) & ~np.isnan(images[~still])
    assert moved.any(axis=(1, 2, 3)).mean() > 0.9


@pytest.mark.parametrize("steps", [[], [A.RandomFlip(p=0)], [A.RandomRotate(5, p=0), A.RandomRotate(5, p=0)]])
def test_results_are_arrays_of_their_own(steps):
    images = pictures()
    got = A.Compose(steps)(images, 0, masks=images)
    np.testing.assert_array_equal(got.images, images)
    np.testing.assert_array_equal(got.masks, images)
    assert not np.may_share_memory(got.images, images)
    assert not np.may_share_memory(got.masks, images)
    assert got.images.flags.writeable


# ---- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">i4"])
def test_masks_of_any_dtype_move_as_images_by_nearest_neighbours(dtype):
    labels = np.random.default_rng(0).integers(0, 2, (9, *SHAPE, 3))
    nearest = [step.for_masks(0.0) for step in LONG.steps]
    want = A.Compose(nearest).sample(labels.astype("u1"), 4)
    masks = labels.astype(dtype)
    if dtype[1:] == "8" or dtype in ("i4", "u4"):
        masks *= 2 ** (8 * masks.itemsize - 3) + 12345 if masks.dtype.kind != "f" else 1
    got = LONG(pictures(), 4, masks=masks).masks
    assert got.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(got, want * masks.max())
    np.testing.assert_array_equal(LONG(pictures(), 4, masks=masks[..., 1]).masks, got[..., 1])


@pytest.mark.parametrize(
    ("dtype", "fill"), [("bool", True), ("u1", 255), ("i8", -(2**40) - 7), ("f4", 0.1), ("i2", -1)]
)
def test_the_fill_of_masks(dtype, fill):
    masks = np.zeros((9, *SHAPE), dtype)
    for pipeline in (
        A.Compose([A.RandomTranslate(3, border="constant", fill=(1, 2))]),
        A.Compose([A.RandomTranslate(1, border="constant"), A.RandomTranslate(2, border="constant")]),
        A.Compose([A.RandomVariant(A.Translate(3, border="constant"))]),
    ):
        got = pipeline(pictures(), 0, masks=masks, mask_fill=fill).masks
        moved = (got == np.array(fill, dtype)).sum(axis=(1, 2))
        assert set(moved.tolist()) <= {3 * SHAPE[0], 3 * sum(SHAPE) - 9}
    assert not A.RandomTranslate(3)(pictures(), 0, masks=masks, mask_fill=fill).masks.any()


# ---- boxes and keypoints ---------------------------------------------------------------------------------------------

FIELD = (60, 84)
MOVERS = [
    A.Compose([step])
    for step in (
        A.RandomTranslate((-9, 9), (-7, 7), border="constant"),
        A.RandomTranslate((-0.1, 0.1), 0.05, unit="fraction", border="constant"),
        A.RandomRotate((-180, 180), border="constant"),
        A.RandomRotate((-40, 40), center=(30, 20), p=0.5, border="constant"),
        A.RandomAffine((-30, 30), (-5, 5), ((0.7, 1.3), (0.7, 1.3)), ((-15, 15), (-15, 15)), border="constant"),
        A.RandomFlip(),
        A.RandomFlip("vertical"),
        A.RandomFlip("both"),
        A.RandomCrop((52, 70)),
        A.RandomCrop((60, 84), padding=8, border="constant"),
        A.RandomCrop((50, 66), keep_size=True, p=0.5),
        A.RandomCrop((50, 80), padding=(1, 2, 9, 4), keep_size=True, border="constant"),
        A.RandomResizedCrop((40, 50), scale=(0.6, 1)),
        A.RandomResizedCrop((90, 70), scale=(0.7, 1)),
        A.Translate(4, border="constant"),
        A.Rotate(60, 9, border="constant"),
        A.Rotate(60, 9, border="constant", direction="clockwise"),
        A.Crop([3, 4, 5]),
    )
]
MOVERS += [
    A.Compose(
        [
            A.RandomFlip(),
            A.RandomRotate((-30, 30), border="constant"),
            A.RandomAffine(0, (-4, 4), (0.8, 1.2), border="constant"),
            A.RandomCrop((54, 76), padding=2, border="constant"),
            A.RandomResizedCrop((64, 60), scale=(0.7, 1)),
        ],
        fuse=fuse,
    )
    for fuse in (True, False)
]


@pytest.mark.parametrize("pipeline", MOVERS, ids=repr)
def test_keypoints_go_where_dots_go(pipeline):
    n, (height, width) = 12, FIELD
    rng = np.random.default_rng(2)
    points = np.stack([rng.uniform(24, width - 24, n), rng.uniform(22, height - 22, n)], axis=-1)
    rows, columns = np.mgrid[:height, :width]
    dots = np.exp(-((columns - points[:, :1, None]) ** 2 + (rows - points[:, 1:, None]) ** 2) / 6)
    got = pipeline(dots, 4, keypoints=points[:, np.newaxis])
    mass = got.images.sum(axis=(1, 2))
    rows, columns = np.mgrid[: got.images.shape[1], : got.images.shape[2]]
    centroids = np.stack([(got.images * columns).sum(axis=(1, 2)), (got.images * rows).sum(axis=(1, 2))], axis=-1)
    whole = np.abs(got.keypoints[:, 0] - (np.array(got.images.shape[:0:-1]) - 1) / 2).T
    whole = (whole < np.array([[got.images.shape[2] / 2 - 8], [got.images.shape[1] / 2 - 8]])).all(axis=0)
    assert whole.sum() >= 6
    np.testing.assert_allclose(got.keypoints[whole, 0], (centroids / mass[:, None])[whole], atol=0.1)
    moved = transforms.transform_points(points[:, np.newaxis], pipeline.matrix(got.parameters))
    np.testing.assert_allclose(got.keypoints, moved, atol=1e-9)
    assert got.keypoint_visible[whole].all()


@pytest.mark.parametrize("pipeline", MOVERS, ids=repr)
def test_boxes_go_where_painted_boxes_go(pipeline):
    n, (height, width) = 16, FIELD
    rng = np.random.default_rng(3)
    low = np.stack([rng.integers(0, width - 20, n), rng.integers(0, height - 20, n)], axis=-1)
    high = np.minimum(low + rng.integers(14, 40, (n, 2)), (width, height))
    boxes = np.concatenate([low, high], axis=-1).astype(float)
    painted = np.zeros((n, height, width), bool)
    for canvas, (x1, y1, x2, y2) in zip(painted, boxes.astype(int), strict=True):
        canvas[y1:y2, x1:x2] = True
    got = pipeline(painted.astype(float), 7, masks=painted, boxes=boxes[:, np.newaxis])
    areas = got.masks.sum(axis=(1, 2))
    scale = np.linalg.det(pipeline.matrix(got.parameters))
    visible = areas / (np.abs(scale) * painted.sum(axis=(1, 2)))
    np.testing.assert_allclose(got.box_visibility[:, 0], visible, atol=0.08)
    errors = []
    for mask, box, area in zip(got.masks, got.boxes[:, 0], areas, strict=True):
        if area > 60:
            y, x = np.nonzero(mask)
            errors.append(np.abs(box - [x.min(), y.min(), x.max() + 1, y.max() + 1]))
    assert len(errors) > 9
    assert np.max(errors) < 2.1  # the tip of a turned box may pass between two pixels
    assert np.median(errors) < 0.6


def test_boxes_of_one_affine_step_are_those_of_transform_boxes():
    step = A.RandomAffine((-9, 9), (-3, 3), scale=(0.9, 1.1))
    boxes = np.array([[[20.0, 20, 40, 35], [30, 22, 50, 31.5]]] * 8)
    got = step(np.zeros((8, *FIELD), np.uint8), 0, boxes=boxes)
    matrix = A.Compose([step]).matrix(got.parameters)
    np.testing.assert_allclose(got.boxes, transforms.transform_boxes(boxes, matrix, FIELD), atol=1e-10)
    np.testing.assert_allclose(got.box_visibility, transforms.box_visibility(boxes, matrix, FIELD), atol=1e-12)


def test_forms_of_boxes_and_keypoints():
    images = pictures(3)
    flip = A.Compose([A.RandomFlip(p=1)])
    ragged = [[[1, 2, 4, 6]], [], np.array([[0, 0, 15, 12], [14, 1, 30, 2]])]
    got = flip(images, 0, boxes=ragged, keypoints=[np.zeros((0, 2)), [[14, 0]], [[-3, 5], [0, 0]]])
    assert [box.tolist() for box in got.boxes] == [[[11, 2, 14, 6]], [], [[0, 0, 15, 12], [0, 1, 1, 2]]]
    assert [part.tolist() for part in got.box_visibility] == [[1], [], [1, 1 / 16]]
    assert [point.tolist() for point in got.keypoints] == [[], [[0, 0]], [[17, 5], [14, 0]]]
    assert [flag.tolist() for flag in got.keypoint_visible] == [[], [True], [False, True]]
    square = flip(images, 0, boxes=np.zeros((3, 0, 4), int), keypoints=np.zeros((3, 4, 2), np.float32))
    assert (square.boxes.shape, square.box_visibility.shape) == ((3, 0, 4), (3, 0))
    assert (square.keypoints.shape, square.keypoint_visible.shape) == ((3, 4, 2), (3, 4))
    nothing = flip(images, 0)
    assert (nothing.masks, nothing.boxes, nothing.keypoints, nothing.box_visibility) == (None,) * 4
    point = flip(images, 0, boxes=[[[3, 3, 3, 9]], [], []])  # no area: nothing to be seen of it
    assert (point.boxes[0].tolist(), point.box_visibility[0].tolist()) == ([[12, 3, 12, 9]], [0])


# ---- replay ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipeline", PIPELINES, ids=repr)
def test_replay_is_the_same_also_of_a_part_and_through_json(pipeline):
    n = 11
    images, others = pictures(n), extras(n)
    result = pipeline(images, **others)
    parameters = A.Parameters.from_json(result.parameters.to_json())
    assert parameters == result.parameters
    for drawn, read in zip(result.parameters.steps, parameters.steps, strict=True):
        for name, values in drawn.items():
            assert values.tobytes() == read[name].tobytes()
    same(pipeline.replay(parameters, images, **others), result)
    for rows in (slice(3, 9), np.array([10, 0, 0, 4]), np.arange(n) % 2 == 0, 5, slice(0, 0)):
        some = np.atleast_1d(np.arange(n)[rows])
        part = pipeline.replay(parameters[rows], images[some], **part_of(others, some))
        assert len(parameters[rows]) == len(some)
        np.testing.assert_array_equal(part.images, result.images[some])
        np.testing.assert_array_equal(part.masks, result.masks[some])
        np.testing.assert_array_equal(part.boxes, result.boxes[some])
        for one, i in zip(part.keypoints, some, strict=True):
            np.testing.assert_array_equal(one, result.keypoints[i])


def test_parameters_are_what_was_drawn():
    result = LONG(pictures(50), 3)
    drawn = result.parameters.steps
    assert result.parameters.size == SHAPE
    assert [sorted(step) for step in drawn[:2]] == [["applied"], ["applied", "degrees"]]
    assert drawn[1]["applied"].dtype == bool
    assert drawn[1]["degrees"].shape == (50,)
    assert drawn[8]["rectangle"].shape == (50, 4)
    key = _random.key(3)
    words = _random.Draws(key, np.arange(50), step=1).words(0)
    np.testing.assert_array_equal(drawn[1]["degrees"], A.Uniform(-30, 30).draw(words))
    assert result.parameters != LONG(pictures(50), 4).parameters
    assert result.parameters != 5


def broken(change):
    pipeline = A.Compose([A.RandomRotate((-5, 5)), A.RandomResizedCrop(6)])
    data = json.loads(pipeline(pictures(3), 0).parameters.to_json())
    change(data)
    return lambda: pipeline.replay(A.Parameters.from_dict(data), pictures(3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (broken(lambda d: d.update(format=2)), ValueError, "format: "),
        (broken(lambda d: d.pop("format")), ValueError, "format: is missing"),
        (broken(lambda d: d.update(n=4)), ValueError, r"steps\[0\].applied: "),
        (broken(lambda d: d.update(n=-1)), ValueError, "n: "),
        (broken(lambda d: d.update(size=[12])), TypeError, "size: "),
        (broken(lambda d: d.update(size=[12, 16])), ValueError, "images: "),
        (broken(lambda d: d.update(more=1)), ValueError, "more: "),
        (broken(lambda d: d.update(steps=5)), TypeError, "steps: "),
        (broken(lambda d: d["steps"].pop()), ValueError, "parameters: "),
        (broken(lambda d: d["steps"][0].pop("degrees")), ValueError, "parameters: .*RandomRotate"),
        (broken(lambda d: d["steps"][0].update(angle=[1.0] * 3)), ValueError, "parameters: .*RandomRotate"),
        (broken(lambda d: d["steps"][0].update(degrees=[1.0, 2.0, np.nan])), ValueError, r"steps\[0\].degrees: "),
        (broken(lambda d: d["steps"][0].update(degrees=[1.0, "2", 3.0])), TypeError, r"steps\[0\].degrees: "),
        (broken(lambda d: d["steps"][0].update(degrees=[1, 2, 3])), TypeError, r"parameters: steps\[0\].degrees: "),
        (broken(lambda d: d["steps"][0].update(degrees=[[1.0], [2.0], [3.0]])), ValueError, "parameters: "),
        (broken(lambda d: d["steps"][0].update(degrees=5)), TypeError, r"steps\[0\].degrees: "),
        (broken(lambda d: d["steps"][0].update(applied=[1, 1, 1])), TypeError, r"parameters: steps\[0\].applied: "),
        (broken(lambda d: d["steps"][1].update(rectangle=[[0, 0, 99, 1]] * 3)), ValueError, "rectangle: "),
        (broken(lambda d: d["steps"][1].update(rectangle=[[0, 0, 1, 2**70]] * 3)), ValueError, r"steps\[1\].rectangle"),
        (broken(lambda d: d["steps"][1].update(rectangle=[[0, 0, 1]] * 3)), ValueError, "parameters: "),
        (broken(lambda d: d["steps"][1].update(rectangle=[[0], [0, 1], [1]])), ValueError, r"steps\[1\].rectangle: "),
        (broken(lambda d: d["steps"][1].update(applied=[True, False, True])), ValueError, "parameters: "),
        (lambda: A.Compose([R]).replay(A.Parameters(1, SHAPE, (
            {"applied": np.array([True]), "degrees": np.array([np.inf])},)), pictures(1)), ValueError, "parameters: "),
        (lambda: LONG.replay(5, pictures()), TypeError, "parameters: "),
        (lambda: LONG.matrix(5), TypeError, "parameters: "),
        (lambda: LONG.replay(LONG(pictures(), 0).parameters[:3], pictures()), ValueError, "images: "),
        (lambda: LONG.replay(LONG(pictures(), 0).parameters, pictures(shape=(15, 12))), ValueError, "images: "),
        (lambda: A.Compose([A.Crop(1)]).replay(A.Parameters(1, SHAPE, (
            {"applied": np.array([True]), "variant": np.array([1])},)), pictures(1)), ValueError, "variant: "),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


# ---- to and from dicts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pipeline", PIPELINES, ids=repr)
def test_pipelines_go_to_json_and_back(pipeline):
    again = A.Compose.from_json(pipeline.to_json())
    assert again == pipeline == eval(repr(pipeline), vars(A))
    assert hash(again) == hash(pipeline)
    assert again.fuse is pipeline.fuse
    assert A.Compose.from_dict(pipeline.to_dict()) == pipeline
    for step in pipeline.steps:
        assert A.Step.from_dict(step.to_dict()) == step
    np.testing.assert_array_equal(again.sample(pictures(), 1), pipeline.sample(pictures(), 1))


def test_pipelines_and_parameters_go_to_other_processes():
    again, drawn = pickle.loads(pickle.dumps((LONG, LONG(pictures(), 3).parameters)))
    assert again == LONG
    assert drawn == LONG(pictures(), 3).parameters


def test_pipelines_differ_by_their_settings():
    assert A.Compose([R]) != A.Compose([R], fuse=False)
    assert A.Compose([R]) != A.Compose([A.RandomRotate((-20, 20), p=0.5)])
    assert A.Compose([R, T_]) != A.Compose([T_, R])


def test_a_dict_may_say_ranges_as_lists():
    data = {"format": 1, "fuse": True, "steps": [{"step": "random_rotate", "degrees": [-5, 5]}]}
    assert A.Compose.from_dict(data) == A.Compose([A.RandomRotate((-5, 5))])


def changed(*path, to=None, remove=False):
    data = json.loads(A.Compose([A.RandomRotate((-5, 5)), A.RandomVariant(A.Crop(1)), AFFINE]).to_json())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return data


DEEP: list = []
for _ in range(3000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (5, TypeError, "a pipeline: "),
        ({}, ValueError, "format: is missing"),
        (changed("format", to=2), ValueError, "format: "),
        (changed("format", to="1"), TypeError, "format: "),
        (changed("fuse", to=1), TypeError, "fuse: "),
        (changed("fuse", remove=True), ValueError, "fuse: "),
        (changed("extra", to=1), ValueError, "extra: "),
        (changed("steps", to={}), TypeError, "steps: "),
        (changed("steps", to=[{"step": "random_flip"}] * 2000), ValueError, "steps: "),
        (changed("steps", 0, to="random_flip"), TypeError, r"steps\[0\].step: "),
        (changed("steps", 0, to={}), TypeError, r"steps\[0\].step: "),
        (changed("steps", 0, "step", to="os.system"), ValueError, r"steps\[0\].step: "),
        (changed("steps", 0, "step", to="translate"), ValueError, r"steps\[0\].step: "),
        (changed("steps", 0, "step", to="compose"), ValueError, r"steps\[0\].step: "),
        (changed("steps", 0, "angle", to=1), ValueError, r"steps\[0\].angle: "),
        (changed("steps", 0, "degrees", remove=True), ValueError, r"steps\[0\].degrees: "),
        (changed("steps", 0, "degrees", to="5"), TypeError, r"steps\[0\].degrees: "),
        (changed("steps", 0, "degrees", to=None), TypeError, r"steps\[0\].degrees: "),
        (changed("steps", 0, "degrees", to=float("nan")), ValueError, r"steps\[0\].degrees: "),
        (changed("steps", 0, "degrees", to=10**400), ValueError, r"steps\[0\].degrees: "),
        (changed("steps", 0, "degrees", to=DEEP), (TypeError, ValueError), r"steps\[0\].degrees: "),
        (changed("steps", 0, "degrees", to=[0] * 100_000), ValueError, r"steps\[0\].degrees: has 100000"),
        (changed("steps", 0, "degrees", to={"distribution": "x"}), ValueError, r"steps\[0\].degrees.distribution: "),
        (changed("steps", 0, "degrees", "low", to=9), ValueError, r"steps\[0\].degrees.low: "),
        (changed("steps", 0, "degrees", "low", to=DEEP), TypeError, r"steps\[0\].degrees.low: "),
        (changed("steps", 0, "degrees", "mid", to=9), ValueError, r"steps\[0\].degrees.mid: "),
        (changed("steps", 0, "degrees", to={"distribution": "choice", "values": DEEP}), TypeError, r"steps\[0\].degr"),
        (changed("steps", 0, "degrees", to={1: 2}), TypeError, r"steps\[0\].degrees: "),
        (changed("steps", 0, "center", to=[1, 2, 3]), TypeError, r"steps\[0\].center: "),
        (
            changed("steps", 0, "fill", to={"distribution": "uniform", "low": 0, "high": 1}),
            TypeError,
            r"steps\[0\].fill",
        ),
        (changed("steps", 1, "family", to=3), TypeError, r"steps\[1\].family: "),
        (changed("steps", 1, "family", "family", to="random_flip"), ValueError, r"steps\[1\].family.family: "),
        (changed("steps", 1, "family", "sizes", to=[0]), ValueError, r"steps\[1\].family.sizes: "),
        (changed("steps", 1, "family", "sizes", to=DEEP), (TypeError, ValueError), r"steps\[1\].family.sizes: "),
        (changed("steps", 2, "translate", to=[[1, 2], [3, 4], [5, 6]]), ValueError, r"steps\[2\].translate: "),
        (changed("steps", 2, "translate", 0, "low", to="x"), TypeError, r"steps\[2\].translate.low: "),
    ],
)
def test_bad_dicts_are_refused(data, error, message):
    with pytest.raises(error, match=f"^{message}"):
        A.Compose.from_dict(data)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"{}", TypeError),
        ("", ValueError),
        ("{", ValueError),
        ("[" * 200_000, ValueError),
        ('{"format": 1, "fuse": true, "steps": [], "steps": []}', ValueError),
        ('{"format": 1, "fuse": true, "steps": [{"step": "random_rotate", "degrees": NaN}]}', ValueError),
        ('{"format": 1, "fuse": true, "steps": [{"step": "random_rotate", "degrees": 1e999}]}', ValueError),
        (
            '{"format": 1, "fuse": true, "steps": [{"step": "random_rotate", "degrees": ' + "9" * 9999 + "}]}",
            ValueError,
        ),
    ],
)
def test_bad_json_is_refused(text, error):
    for read in (A.Compose.from_json, A.Parameters.from_json):
        with pytest.raises(error):
            read(text)


def test_what_has_no_name_cannot_be_written():
    class Mine(A.RandomFlip):
        pass

    class Odd(A.Augmentation):
        parameters = (1, 2)

        def _apply(self, images, variants, out, threads=None):
            return images + np.asarray(variants, images.dtype).reshape(-1, 1, 1, 1)

    with pytest.raises(ValueError, match="step: Mine"):
        A.Compose([Mine()]).to_dict()
    with pytest.raises(TypeError, match="family: Odd"):
        A.Compose([Odd()]).to_dict()
    images = pictures()
    result = A.Compose([R, Odd(), T_])(images, 0)
    assert result.images.shape == images.shape
    with pytest.raises(ValueError, match=r"^boxes: "):
        A.Compose([Odd()])(images, 0, boxes=[[[0, 0, 1, 1]]] * 9)
    with pytest.raises(ValueError, match="not affine"):
        A.Compose([Odd()]).matrix(A.Compose([Odd()])(images, 0).parameters)
    with pytest.raises(TypeError, match=r"^masks: "):
        A.Compose([Odd()])(images, 0, masks=images)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: A.Compose(5), TypeError, "steps: "),
        (lambda: A.Compose("flip"), TypeError, "steps: "),
        (lambda: A.Compose([A.RandomFlip]), TypeError, r"steps\[0\]: .* the class RandomFlip$"),
        (lambda: A.Compose([np.fliplr]), TypeError, r"steps\[0\]: "),
        (lambda: A.Compose([R, A.Compose([R])]), TypeError, r"steps\[1\]: "),
        (lambda: A.Compose([R] * 1001), ValueError, "steps: "),
        (lambda: A.Compose([R], fuse=None), TypeError, "fuse: "),
        (lambda: LONG(pictures().astype(int)), TypeError, "images: "),
        (lambda: LONG(pictures()[0, 0]), ValueError, "images: "),
        (lambda: LONG(pictures(), 0, threads=0), ValueError, "threads: "),
        (lambda: A.Compose([])(pictures(), 0, threads="2"), TypeError, "threads: "),
        (lambda: LONG(pictures(), 0, layout="CHWN"), ValueError, "layout: "),
        (lambda: LONG(pictures(), 0, masks=pictures()[:3]), ValueError, "masks: "),
        (lambda: LONG(pictures(), 0, masks=np.zeros((9, 2, *SHAPE), bool)), ValueError, "masks: "),
        (lambda: LONG(pictures(), 0, masks=pictures(), layout="NCHW"), ValueError, ""),
        (lambda: LONG(pictures(), 0, masks=pictures().astype(complex)), TypeError, "masks: "),
        (lambda: LONG(pictures(), 0, masks=pictures(), mask_fill=0.5), ValueError, "mask_fill: "),
        (lambda: LONG(pictures(), 0, masks=pictures(), mask_fill=256), ValueError, "mask_fill: "),
        (lambda: LONG(pictures(), 0, masks=pictures(), mask_fill="a"), TypeError, "mask_fill: "),
        (lambda: LONG(pictures(), 0, boxes=np.zeros((9, 4))), ValueError, "boxes: "),
        (lambda: LONG(pictures(), 0, boxes=np.zeros((9, 2, 3))), ValueError, "boxes: "),
        (lambda: LONG(pictures(), 0, boxes=[[]] * 8), ValueError, "boxes: "),
        (lambda: LONG(pictures(), 0, boxes=[[[5, 5, 2, 9]]] * 9), ValueError, "boxes: "),
        (lambda: LONG(pictures(), 0, boxes=[[[0, 0, 2, np.nan]]] * 9), ValueError, r"boxes\[0\]: "),
        (lambda: LONG(pictures(), 0, boxes=[[[0, 0, 2, 1e12]]] * 9), ValueError, r"boxes\[0\]: "),
        (lambda: LONG(pictures(), 0, boxes=[[0, 0, 2, 3]] * 9), ValueError, r"boxes\[0\]: "),
        (lambda: LONG(pictures(), 0, boxes="all"), (TypeError, ValueError), "boxes: "),
        (lambda: LONG(pictures(), 0, keypoints=np.zeros((9, 1, 3))), ValueError, "keypoints: "),
        (lambda: LONG(pictures(), 0, keypoints=[["a"]] * 9), TypeError, r"keypoints\[0\]: "),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


@pytest.mark.parametrize("module", ["compose", "crops", "distributions", "moves", "variant"])
def test_examples_of_the_documentation(module):
    found = doctest.testmod(
        importlib.import_module(f"augcore.augmentations.{module}"), extraglobs={**vars(A), "np": np}
    )
    assert found.attempted
    assert not found.failed


# ---- properties ------------------------------------------------------------------------------------------------------

numbers = st.floats(-6, 6, allow_subnormal=False)
parameters = (
    numbers
    | st.tuples(numbers, numbers).map(lambda pair: tuple(sorted(pair)))
    | st.integers(-5, 5).map(lambda low: A.IntegerUniform(low, 5))
    | st.lists(numbers, min_size=1, max_size=3).map(A.Choice)
    | st.builds(A.Normal, numbers, st.floats(0.1, 3))
)
p = st.sampled_from([0.0, 0.5, 1.0])
style = {
    "interpolation": st.sampled_from(["nearest", "bilinear", "bicubic"]),
    "border": st.sampled_from(transforms.BORDERS),
    "p": p,
}
step = (
    st.builds(A.RandomTranslate, parameters, parameters, **style)
    | st.builds(A.RandomRotate, parameters, **style)
    | st.builds(A.RandomAffine, parameters, st.tuples(parameters, numbers.map(A.Constant)), st.floats(0.5, 2), **style)
    | st.builds(A.RandomFlip, st.sampled_from(["horizontal", "vertical", "both"]), p=p)
    | st.builds(A.RandomCrop, st.integers(1, 7), keep_size=st.just(True), padding=st.integers(0, 2), p=p)
    | st.builds(A.RandomResizedCrop, st.none(), p=p)
    | st.builds(A.RandomVariant, st.sampled_from([A.Translate(1.5), A.Rotate(9, 3), A.Crop([1, 2])]), p=p)
)
pipelines = st.builds(A.Compose, st.lists(step, max_size=4), fuse=st.booleans())
SMALL = np.random.default_rng(0).integers(0, 256, (6, 7, 8), dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(pipelines, st.integers(0, 2**70), st.integers(0, 2**62), st.permutations(range(6)), st.integers(0, 6))
def test_property_any_split_and_order_gives_the_same(pipeline, seed, epoch, order, cut):
    indices = np.arange(6) * 2**60
    whole = pipeline.sample(SMALL, seed, epoch=epoch, indices=indices)
    for rows in (list(order[:cut]), list(order[cut:])):
        part = pipeline.sample(SMALL[rows], seed, epoch=epoch, indices=indices[rows])
        np.testing.assert_array_equal(part, whole[rows])


@settings(max_examples=60, deadline=None)
@given(pipelines, st.integers(0, 100))
def test_property_json_and_replay_give_the_same(pipeline, seed):
    again = A.Compose.from_json(pipeline.to_json())
    assert again == pipeline
    result = pipeline(SMALL, seed)
    drawn = A.Parameters.from_json(result.parameters.to_json())
    np.testing.assert_array_equal(again.replay(drawn[2:5], SMALL[2:5]).images, result.images[2:5])


coordinates = st.floats(-20, 20, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(pipelines, st.integers(0, 100), st.lists(st.tuples(*[coordinates] * 4), min_size=6, max_size=6))
def test_property_boxes_stay_on_the_image_and_points_follow_the_matrix(pipeline, seed, corners):
    boxes = np.array([[[min(a, c), min(b, d), max(a, c), max(b, d)]] for a, b, c, d in corners])
    points = np.array([[[a, b], [c, d]] for a, b, c, d in corners])
    result = pipeline(SMALL, seed, boxes=boxes, keypoints=points)
    assert ((result.boxes >= 0) & (result.boxes <= [8, 7, 8, 7])).all()
    assert (result.boxes[..., 2:] >= result.boxes[..., :2]).all()
    assert ((result.box_visibility >= 0) & (result.box_visibility <= 1)).all()
    moved = transforms.transform_points(points, pipeline.matrix(result.parameters))
    np.testing.assert_allclose(result.keypoints, moved, atol=1e-8)
    assert not (result.keypoint_visible & ~transforms.points_inside(result.keypoints, (7, 8))).any()


hostile = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["uniform", "crop"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["step", "distribution", "family", "low", "high", "sizes"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
fields = st.sampled_from(
    ["degrees", "p", "fill", "center", "size", "scale", "family", "border", "translate", "padding"]
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(A.AUGMENTATIONS)) | hostile, st.dictionaries(fields, hostile, max_size=4))
def test_property_foreign_dicts_are_read_or_refused(name, given_fields):
    data = {"format": 1, "fuse": True, "steps": [{"step": name, **given_fields}]}
    try:
        pipeline = A.Compose.from_dict(data)
    except (TypeError, ValueError) as error:
        assert str(error).startswith("steps[0].")  # noqa: PT017
    else:
        assert A.Compose.from_dict(pipeline.to_dict()) == pipeline


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["format", "n", "size", "steps"]), hostile), hostile)
def test_property_foreign_parameters_are_read_or_refused(data, drawn):
    for parameters in (data, {"format": 1, "n": 1, "size": [7, 8], "steps": [{"applied": [True], "degrees": drawn}]}):
        with contextlib.suppress(TypeError, ValueError):
            A.Compose([R]).replay(A.Parameters.from_dict(parameters), SMALL[:1])
