"""Families and pipelines on a GPU: what was drawn on the host is done there, and the images never leave it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from test_cuda_transforms import assert_alike, made_up

from augcore import augmentations, transforms
from augcore.augmentations import (
    Compose,
    Crop,
    IntegerUniform,
    RandomAffine,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotate,
    RandomTranslate,
    Rotate,
    Translate,
    Warp,
)

FAMILIES = (
    Translate(2),
    Translate(1.5, border="constant", fill=(1.0, 2.0, 3.0)),
    Rotate(30, 4, border="reflect"),
    Rotate(30, 3, arithmetic="opencv4"),
    Crop([1, 3]),
    Crop(1, interpolation="bicubic"),
)


@pytest.fixture(autouse=True)
def no_waiting(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What the library looked at from outside; a card does not count."""
    monkeypatch.setattr(cupy, "waits", 0, raising=False)
    seen = {"waits": 0}
    real = cupy.asnumpy

    def own(value: Any) -> Any:  # those of the tests
        seen["waits"] += cupy.__name__ == "emulated_cupy"
        return real(value)

    monkeypatch.setattr(cupy, "asnumpy", own)
    yield
    assert cupy.waits == seen["waits"]


def wave(x: Any, y: Any, params: Any) -> Any:
    return x + params[0] * np.sin(y / 3), y


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_families(cupy: Any, family: Any) -> None:
    images = made_up((5, 9, 8, 3), "uint8")
    on_gpu, labels = cupy.asarray(images), np.arange(5)
    for include in (True, False):
        found = family.expand(on_gpu, labels, include_original=include)
        expected = family.expand(images, labels, include_original=include)
        assert_alike(cupy, found.images, expected.images)
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.source, expected.source)
    assert_alike(cupy, family.sample(on_gpu, 7, epoch=2), family.sample(images, 7, epoch=2))
    part = np.array([4, 1])
    assert_alike(cupy, family.sample(on_gpu[1:3], 7, indices=part), family.sample(images[1:3], 7, indices=part))


def test_labels_stay_where_they_are(cupy: Any) -> None:
    images, labels = made_up((3, 4, 4), "float32"), np.array([5, 6, 7])
    found = Translate(1).expand(cupy.asarray(images), cupy.asarray(labels)).labels
    assert isinstance(found, cupy.ndarray)
    np.testing.assert_array_equal(cupy.asnumpy(found), np.tile(labels, 5))
    assert isinstance(Translate(1).expand(cupy.asarray(images), labels).labels, np.ndarray)


@pytest.mark.parametrize("p", [1.0, 0.5])
@pytest.mark.parametrize(
    "make",
    [
        lambda p: RandomTranslate((-3, 3), IntegerUniform(-2, 2), border="wrap", p=p),
        lambda p: RandomRotate((-90, 90), border="constant", fill=9, p=p),
        lambda p: RandomRotate((-90, 90), arithmetic="opencv4", p=p),
        lambda p: RandomAffine((-20, 20), translate=(-2, 2), scale=(0.8, 1.2), shear=(-9, 9), p=p),
        lambda p: RandomFlip("both", p=p),
        lambda p: RandomCrop((5, 4), padding=2, keep_size=True, p=p),
        lambda p: RandomCrop((5, 4), keep_size=True, interpolation="area", p=p),
        lambda p: RandomResizedCrop(None, p=p),
        lambda p: RandomResizedCrop(None, arithmetic="opencv4", antialias=False, p=p),
        lambda p: RandomResizedCrop(None, interpolation="nearest", p=p),
        lambda p: augmentations.RandomVariant(Crop([1, 2]), p=p),
        pytest.param(
            lambda p: Warp(wave, [(-2, 2)], p=p), marks=pytest.mark.filterwarnings("ignore:function:RuntimeWarning")
        ),
    ],
)
def test_steps(cupy: Any, make: Any, p: float) -> None:
    step = make(p)
    for shape, dtype in (((6, 9, 8, 3), "uint8"), ((4, 7, 9), "float32")):
        if dtype != "uint8" and getattr(step, "arithmetic", "exact") == "opencv4":
            continue
        images = made_up(shape, dtype)
        assert_alike(cupy, step.sample(cupy.asarray(images), 3), step.sample(images, 3))


PIPELINE = Compose([RandomFlip(), RandomRotate((-30, 30)), RandomTranslate((-2, 2)), RandomCrop(6, padding=1), Crop(1)])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32"])
@pytest.mark.parametrize("layout", transforms.LAYOUTS)
def test_a_pipeline_with_all_that_moves(cupy: Any, layout: Any, dtype: str) -> None:
    images = made_up((5, 3, 10, 8) if layout == "NCHW" else (5, 10, 8, 3), "uint8")
    masks = (np.random.default_rng(1).integers(-50, 50, (5, 10, 8)) % 100).astype(dtype)
    boxes, keypoints = np.tile([1.0, 2, 6, 7], (5, 1, 1)), np.full((5, 2, 2), 4.0)
    keywords: dict[str, Any] = {"boxes": boxes, "keypoints": keypoints, "layout": layout, "mask_fill": 1}
    expected = PIPELINE(images, 11, masks=masks, **keywords)
    found = PIPELINE(cupy.asarray(images), 11, masks=cupy.asarray(masks), **keywords)
    assert_alike(cupy, found.images, expected.images)
    assert_alike(cupy, found.masks, expected.masks)
    for name in ("boxes", "keypoints", "box_visibility", "keypoint_visible"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.parameters == expected.parameters
    again = PIPELINE.replay(expected.parameters, cupy.asarray(images), masks=masks, layout=layout)
    assert_alike(cupy, again.images, expected.images)
    np.testing.assert_array_equal(
        again.masks, PIPELINE.replay(expected.parameters, images, masks=masks, layout=layout).masks
    )


def test_images_of_which_none_is_changed_are_copied(cupy: Any) -> None:
    images = made_up((3, 5, 4, 3), "uint8")
    on_gpu = cupy.asarray(images)
    found = Compose([RandomFlip(p=0), RandomRotate(20, p=0)])(on_gpu, 0).images
    assert_alike(cupy, found, images)
    assert not cupy.may_share_memory(found, on_gpu)


def test_a_part_of_many_images(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are chosen and put back some at a time."""
    from augcore import _validate

    images = made_up((40, 5, 4, 3), "uint8")
    expected = RandomRotate((-30, 30), p=0.5).sample(images, 5)
    monkeypatch.setattr(_validate, "COPIED_BYTES", 3 * 60)
    assert_alike(cupy, RandomRotate((-30, 30), p=0.5).sample(cupy.asarray(images), 5), expected)


def test_refusals(cupy: Any) -> None:
    images = cupy.asarray(made_up((3, 6, 6, 3), "uint8"))
    there = cupy.asarray(np.ones((3, 1, 4)))
    on_gpu = "is on a GPU, and read here in main memory only; pass cupy.asnumpy"
    with pytest.raises(TypeError, match=f"^indices: {on_gpu}"):
        Translate(1).sample(images, 0, indices=cupy.asarray(np.arange(3)))
    for name, value in (("boxes", there), ("keypoints", there[..., :2])):
        with pytest.raises(TypeError, match=f"^{name}: {on_gpu}"):
            PIPELINE(images, 0, **{name: value})
        with pytest.raises(TypeError, match=rf"^{name}\[0\]: {on_gpu}"):
            PIPELINE(images, 0, **{name: [value[0]] * 3})
    with pytest.raises(TypeError, match=f"^images: {on_gpu}"):
        PIPELINE(images, 0).parameters[cupy.asarray(np.arange(2))]
    for call in (
        lambda: transforms.transform_points(cupy.asarray(np.ones((2, 2))), np.eye(3)),
        lambda: transforms.points_inside(cupy.asarray(np.ones((2, 2))), (4, 4)),
    ):
        with pytest.raises(TypeError, match=f"^points: {on_gpu}"):
            call()
    for call in (
        lambda: transforms.transform_points(np.ones((2, 2)), cupy.asarray(np.eye(3))),
        lambda: transforms.transform_points(np.ones((2, 2)), cupy.asarray(np.stack([np.eye(3)] * 2))),
        lambda: transforms.transform_boxes(np.ones((2, 4)), cupy.asarray(np.eye(3)), (4, 4)),
    ):
        with pytest.raises(TypeError, match=f"^matrix: {on_gpu}"):
            call()
    with pytest.raises(TypeError, match=f"^boxes: {on_gpu}"):
        transforms.transform_boxes(there[0], np.eye(3), (4, 4))
    with pytest.raises(TypeError, match=f"^degrees: {on_gpu}"):
        transforms.rotation_matrix(cupy.asarray(np.ones(2)), (4, 4))
    with pytest.raises(TypeError, match=f"^center: {on_gpu}"):
        transforms.rotation_matrix(3.0, (4, 4), center=cupy.asarray(np.ones(2)))
    for rectangle in (there[0, 0], there[:, 0]):
        with pytest.raises(TypeError, match=f"^rectangle: {on_gpu}"):
            transforms.resized_crop(images, rectangle, (4, 4))
    with pytest.raises(TypeError, match=f"^params: {on_gpu}"):
        transforms.warp(images, wave, cupy.asarray(np.ones(1)))
    with pytest.raises(TypeError, match=f"^function: {on_gpu}"):
        transforms.warp(images, lambda x, y, params: (cupy.asarray(x), y))


# ---- own warps -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("border", ["edge", "constant"])
@pytest.mark.parametrize("interpolation", transforms.INTERPOLATIONS)
def test_own_functions_are_called_on_the_host(cupy: Any, interpolation: Any, border: Any) -> None:
    def far(x: Any, y: Any, params: Any) -> Any:
        return np.where(x > 4, np.nan, x + params[0] * np.sin(y)), np.where(y > 5, np.inf, y)

    settings: dict[str, Any] = {"interpolation": interpolation, "border": border}
    for shape, dtype in (((3, 7, 8, 3), "uint8"), ((2, 9, 5), "float64")):
        images = made_up(shape, dtype)
        rows = np.arange(shape[0])[:, None] * 1.0
        for params, size, fill in (([0.5], None, 3), (rows, (4, 11), np.arange(shape[0]))):
            with pytest.warns(RuntimeWarning):
                expected = transforms.warp(images, far, params, size=size, fill=fill, **settings)
            found = transforms.warp(cupy.asarray(images), far, params, size=size, fill=fill, **settings)
            assert_alike(cupy, found, expected)


def test_native_functions_are_refused(cupy: Any) -> None:
    images = cupy.asarray(made_up((2, 5, 5), "uint8"))

    @transforms.WarpPointer
    def native(x: float, y: float, params: Any, n_params: int, source: Any) -> int:
        raise AssertionError("called")

    with pytest.raises(TypeError, match=r"^function: is native code for the processor, and the images are on a GPU"):
        transforms.warp(images, native)
    with pytest.raises(TypeError, match=r"^function: is native code for the processor"):
        Warp(native).sample(images, 0)


# ---- arrays of other libraries ---------------------------------------------------------------------------------------


class WithInterface:
    """What has only __cuda_array_interface__."""

    def __init__(self, there: Any, **changes: Any) -> None:
        self._there, self._changes = there, changes

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self._there.__cuda_array_interface__, **self._changes}


class WithDLPack:
    """A tensor of another library, or one that cannot be handed over."""

    def __init__(self, there: Any, error: Exception | None = None, device: Any = (2, 0)) -> None:
        self._there, self._error, self._device = there, error, device

    def __dlpack_device__(self) -> Any:
        if isinstance(self._device, Exception):
            raise self._device
        return self._device

    def __dlpack__(self, **keywords: Any) -> Any:
        if self._error is not None:
            raise self._error
        return self._there.__dlpack__(**keywords)


@pytest.mark.parametrize("wrap", [WithInterface, WithDLPack])
def test_arrays_of_other_libraries(cupy: Any, wrap: Any) -> None:
    images = made_up((3, 6, 5, 3), "uint8")
    there, degrees = cupy.asarray(images), np.array([10.0, 20, 30])
    assert_alike(cupy, transforms.rotate(wrap(there), 20), transforms.rotate(images, 20))
    assert_alike(cupy, transforms.rotate(wrap(there), wrap(cupy.asarray(degrees))), transforms.rotate(images, degrees))
    assert_alike(cupy, transforms.resize(wrap(there[:, ::2]), (4, 4)), transforms.resize(images[:, ::2], (4, 4)))
    assert_alike(cupy, Translate(1).expand(wrap(there)).images, Translate(1).expand(images).images)
    found = PIPELINE(wrap(there), 4, masks=wrap(there)).masks
    assert_alike(cupy, found, PIPELINE(images, 4, masks=images).masks)
    with pytest.raises(TypeError, match=r"^out: expected a CuPy array or None"):
        transforms.flip(there, out=wrap(cupy.empty(images.shape, np.uint8)))
    np.testing.assert_array_equal(cupy.asnumpy(there), images)


def test_memory_that_may_only_be_read(cupy: Any) -> None:
    there = cupy.asarray(made_up((2, 4, 4), "uint8"))
    read_only = WithInterface(there, data=(there.data.ptr, True))
    assert_alike(cupy, transforms.flip(read_only), transforms.flip(cupy.asnumpy(there)))


@pytest.mark.parametrize("error", [BufferError("is read-only"), RuntimeError("requires grad"), ValueError("no")])
def test_tensors_that_cannot_be_handed_over(cupy: Any, error: Exception) -> None:
    there = cupy.asarray(made_up((2, 4, 4), "uint8"))
    with pytest.raises(TypeError, match=rf"^images: cannot be read as an array on the GPU: {error}"):
        transforms.flip(WithDLPack(there, error))
    with pytest.raises(TypeError, match=r"^degrees: cannot be read as an array on the GPU"):
        transforms.rotate(there, WithDLPack(there, error))
    with pytest.raises(TypeError, match=r"^images: "):  # it does not even say where it is
        transforms.flip(WithDLPack(there, error, device=error))
    transforms.flip(there)


def test_descriptions_that_are_wrong(cupy: Any) -> None:
    there = cupy.asarray(made_up((2, 4, 4), "uint8"))
    for changes in ({"typestr": "nonsense"}, {"shape": "abc"}, {"data": None}):
        with pytest.raises(TypeError, match=r"^images: cannot be read as an array on the GPU"):
            transforms.flip(WithInterface(there, **changes))


def test_another_device_than_the_current_one(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there = cupy.asarray(made_up((2, 4, 4), "uint8"))
    monkeypatch.setattr(cupy.cuda.runtime, "getDevice", lambda: 1)
    message = r": is on GPU 0, but the current device is GPU 1; use it under: with cupy\.cuda\.Device\(0\)$"
    with pytest.raises(ValueError, match=f"^images{message}"):
        transforms.resize(there, (2, 2))
    with pytest.raises(ValueError, match=f"^images{message}"):
        Translate(1).expand(WithInterface(there))
    with pytest.raises(ValueError, match=f"^masks{message}"):
        PIPELINE(made_up((2, 6, 6), "uint8"), 0, masks=there)


def test_too_little_memory(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there = cupy.asarray(made_up((2, 4, 4), "uint8"))

    def full(*arguments: Any) -> Any:
        raise MemoryError("Out of memory allocating 32 bytes")

    monkeypatch.setattr(cupy, "empty", full)
    for call in (
        lambda: transforms.resize(there, (40, 50)),
        lambda: Translate(1).sample(there, 0),
        lambda: RandomFlip(p=0).sample(there, 0),
    ):
        with pytest.raises(MemoryError, match=r"no memory on the GPU for shape \(2, .*pass fewer"):
            call()
