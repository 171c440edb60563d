"""The public interface: every name that scripts outside rely on, its parameters in their order, and their defaults."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

from augcore import augmentations as A
from augcore import transforms as T

REQUIRED = inspect.Parameter.empty
SHARED = {"out": None, "threads": None}
WARP = {"interpolation": "bilinear", "border": "edge", "fill": 0, "arithmetic": "exact", **SHARED}
RESIZE = {"interpolation": "bilinear", "arithmetic": "exact", **SHARED}
SAMPLE = {"indices": None, "epoch": 0}
FOLLOWERS = {"masks": None, "boxes": None, "keypoints": None}
SETTINGS = {"interpolation": "bilinear", "border": "edge", "arithmetic": "exact"}

# What is called: positional parameters, parameters by keyword.
SIGNATURES = {
    T.translate: ({"images": REQUIRED, "dx": REQUIRED, "dy": REQUIRED}, WARP),
    T.rotate: ({"images": REQUIRED, "degrees": REQUIRED}, {"center": None, **WARP}),
    T.crop: ({"images": REQUIRED, "px": REQUIRED}, {"keep_size": True, **RESIZE}),
    T.resize: ({"images": REQUIRED, "size": REQUIRED}, {"antialias": True, **RESIZE}),
    T.flip: ({"images": REQUIRED, "axis": "horizontal"}, SHARED),
    T.warp_affine: ({"images": REQUIRED, "matrix": REQUIRED}, {"size": None, "inverse": False, **WARP}),
    T.transform_points: ({"points": REQUIRED, "matrix": REQUIRED}, {}),
    T.transform_boxes: ({"boxes": REQUIRED, "matrix": REQUIRED, "size": REQUIRED}, {}),
    A.Translate: ({"magnitude": REQUIRED}, SETTINGS),
    A.Rotate: ({"max_degrees": REQUIRED, "steps": REQUIRED}, {**SETTINGS, "direction": "counterclockwise"}),
    A.Crop: ({"sizes": REQUIRED}, {"interpolation": "area", "arithmetic": "exact"}),
    A.Augmentation.expand: ({"self": REQUIRED, "images": REQUIRED, "labels": None}, {"include_original": True}),
    A.Augmentation.sample: ({"self": REQUIRED, "images": REQUIRED, "rng": None}, SAMPLE),
    A.Compose: ({"steps": REQUIRED}, {"fuse": True}),
    A.Compose.__call__: ({"self": REQUIRED, "images": REQUIRED, "rng": None}, {**SAMPLE, **FOLLOWERS}),
    A.Compose.replay: ({"self": REQUIRED, "parameters": REQUIRED, "images": REQUIRED}, FOLLOWERS),
    A.RandomTranslate: ({"dx": 0.0, "dy": 0.0}, {**SETTINGS, "p": 1.0}),
    A.RandomRotate: ({"degrees": REQUIRED}, {**SETTINGS, "p": 1.0}),
    A.RandomCrop: ({"size": REQUIRED}, {"p": 1.0}),
    A.RandomFlip: ({"axis": "horizontal"}, {"p": 0.5}),
    A.RandomAffine: ({"degrees": 0.0}, {**SETTINGS, "p": 1.0}),
    A.RandomResizedCrop: ({"size": REQUIRED}, {"p": 1.0}),
    A.Warp: ({"function": REQUIRED}, {"p": 1.0}),
    A.register: ({"name": REQUIRED}, {}),
}


@pytest.mark.parametrize("called", SIGNATURES, ids=lambda called: called.__qualname__)
def test_parameters_and_defaults(called):
    positional, keywords = SIGNATURES[called]
    parameters = inspect.signature(called).parameters
    first = [name for name, parameter in parameters.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    assert first[: len(positional)] == list(positional)
    assert {name: parameters[name].default for name in positional} == positional
    assert {name: parameters[name].default for name in keywords} == keywords
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in keywords)
    more = [parameter for name, parameter in parameters.items() if name not in {*positional, *keywords}]
    assert all(parameter.default is not REQUIRED for parameter in more)


@pytest.mark.parametrize("module", [T, A], ids=lambda module: module.__name__)
def test_every_public_name_is_there_and_documented(module):
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            assert inspect.getdoc(value), name


def test_words():
    assert T.INTERPOLATIONS == ("nearest", "bilinear", "bicubic")
    assert (*T.INTERPOLATIONS, "area") == T.RESIZE_INTERPOLATIONS
    assert T.BORDERS == ("edge", "constant", "reflect", "symmetric", "wrap")
    assert T.ARITHMETICS == ("exact", "opencv4")


def test_results_have_the_fields_of_the_interface():
    images = np.arange(2 * 6 * 8, dtype=np.uint8).reshape(2, 6, 8)
    family = A.Translate(1)
    assert family.n_variants == len(family.parameters) == 4
    expanded, labels, source = family.expand(images, [5, 6])
    assert expanded.shape == (10, 6, 8)
    assert labels.tolist() == [5, 6] * 5
    assert source.tolist() == [-1, -1, *[0, 1] * 4]
    assert family.expand(images, include_original=False).source.tolist() == [0, 1] * 4

    pipeline = A.Compose([family, A.RandomFlip()])
    moved, *_, parameters = pipeline(images, 3)
    assert np.array_equal(pipeline.replay(parameters, images).images, moved)
    assert A.Compose.from_dict(json.loads(json.dumps(pipeline.to_dict()))) == pipeline
    assert list(A.Applied._fields[:4]) == ["images", "masks", "boxes", "keypoints"]


def test_the_registry_refuses_duplicates():
    assert A.AUGMENTATIONS["translate"] is A.Translate
    assert A.AUGMENTATIONS["compose"] is A.Compose
    with pytest.raises(ValueError, match="^name: 'translate' is registered already"):
        A.register("translate")


def test_layout_is_an_argument_of_every_transform_of_images():
    for called in (T.translate, T.rotate, T.crop, T.resize, T.resized_crop, T.flip, T.warp_affine, T.warp):
        assert inspect.signature(called).parameters["layout"].default == "NHWC", called
