"""Arguments that nobody should give: each is taken or refused by name, and the next call is right."""

from __future__ import annotations

import itertools
import json
import re
import sys
import warnings

import numpy as np
import pytest

from augcore import augmentations as A
from augcore import transforms as T

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 3), dtype=np.uint8)


class Foreign:
    """Raises what it likes, wherever it is asked."""

    def __getattr__(self, name):
        raise RuntimeError("attribute")

    def __array__(self, *_, **__):
        raise RuntimeError("array")

    def __index__(self):
        raise RuntimeError("index")

    def __len__(self):
        raise RuntimeError("length")

    def __getitem__(self, index):
        raise RuntimeError("item")


class Number(float):
    def __float__(self):
        raise RuntimeError("float")


LOOP: list = []
LOOP.append(LOOP)
DEEP: list = []
for _ in range(3000):
    DEEP = [DEEP]
MASKED = np.ma.array([1.0, 2, 3, 4], mask=[0, 1, 0, 0])
LARGEST = sys.float_info.max

HOSTILE = {
    "None": None,
    "text": "abc",
    "long text": "x" * 10**6,
    "half a character": "\ud800",
    "bytes": b"abc",
    "ellipsis": ...,
    "not implemented": NotImplemented,
    "object": object(),
    "type": dict,
    "dict": {"a": 1},
    "set": {1, 2},
    "generator": (i for i in range(3)),
    "range": range(4),
    "foreign": Foreign(),
    "foreign number": Number(1),
    "list of foreign": [Foreign()] * 2,
    "loop": LOOP,
    "deep": DEEP,
    "empty": [],
    "ragged": [[1, 2], [3]],
    "ragged arrays": [np.zeros((2, 3)), np.zeros((2, 4))],
    "mixed": (1, "a"),
    "nones": (None, None),
    "bool": True,
    "complex": 1j,
    "nan": float("nan"),
    "inf": float("inf"),
    "largest": LARGEST,
    "-largest": -LARGEST,
    "least": 5e-324,
    "0": 0,
    "-1": -1,
    "1.5": 1.5,
    "2**31": 2**31,
    "2**40": 2**40,
    "2**63": 2**63,
    "10**400": 10**400,
    "timedelta": np.timedelta64(3),
    "NaT": np.datetime64("NaT"),
    "masked": np.ma.masked,
    "masked array": MASKED,
    "masked lists": [[MASKED] * 2] * 2,
    "number in an array": np.array(2),
    "half": np.float16(1),
    "long double": np.ones(4, np.longdouble),
    "objects": np.array([1, 2, 3, 4], dtype=object),
    "strings": np.array(["a", "b"]),
    "variable strings": np.array(["a", "b"], dtype=np.dtypes.StringDType()),
    "records": np.zeros(4, [("a", "f8")]),
    "booleans": np.array([True, False, True, False]),
    "pair": (3, 4),
    "huge pair": (LARGEST, -LARGEST),
    "tiny four": (0, 0, 5e-324, 5e-324),
    "huge four": (1e308,) * 4,
    "huge size": (2**31 - 1, 2**31 - 1),
    "huge matrix": np.eye(3) * 1e300,
    "singular matrix": np.zeros((2, 3)),
    "nan matrix": np.full((3, 3), np.nan),
    "distribution": A.Uniform(0, 1),
    "huge distribution": A.Uniform(-8e307, 8e307),
    "step": A.RandomFlip(),
}

WARP = ("interpolation", "border", "fill", "arithmetic")
BATCH = ("layout", "out", "threads")
SIZES = ("interpolation", "antialias", "arithmetic")
PIPELINE = A.Compose([A.RandomTranslate((-1, 1), border="constant"), A.RandomRotate((-9, 9)), A.RandomCrop(5, 1)])
PARAMETERS = PIPELINE(IMAGES, 0).parameters


def halve(x, y, params):
    return x / 2, y / 2


def slow_warp(**arguments):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "function: a Python", RuntimeWarning)
        return T.warp(**arguments)


def step_of(kind):
    def use(**settings):
        step = kind(**settings)
        pipeline = A.Compose([step, A.RandomRotate((-5, 5)), step])
        result = pipeline(IMAGES, 0, masks=IMAGES, boxes=[[[1, 1, 3, 3]]] * 4, keypoints=np.ones((4, 2, 2)))
        assert A.Compose.from_json(pipeline.to_json()) == pipeline
        pipeline.matrix(result.parameters)
        repr(pipeline)

    return use


def distribution_of(kind):
    def use(**settings):
        made = kind(**settings)
        draws = made.sample(50, 0)
        assert np.isfinite(draws).all()
        assert made.support[0] <= draws.min() <= draws.max() <= made.support[1]
        assert A.Distribution.from_dict(json.loads(json.dumps(made.to_dict()))) == made

    return use


def family_of(kind):
    def use(**settings):
        kind(**settings).expand(IMAGES)
        step_of(A.RandomVariant)(family=kind(**settings))

    return use


def replay(**changes):
    parameters = A.Parameters(**{"n": 4, "size": (9, 7), "steps": PARAMETERS.steps, **changes})
    PIPELINE.replay(parameters, IMAGES)
    PIPELINE.matrix(parameters)


def replay_drawn(**changes):
    replay(steps=({**PARAMETERS.steps[0], **changes}, *PARAMETERS.steps[1:]))


# Name -> function, arguments that it takes, and those of its parameters that are replaced.
CALLS = {
    "translate": (T.translate, {"images": IMAGES, "dx": 1.5, "dy": 1}, ("images", "dx", "dy", *WARP, *BATCH)),
    "rotate": (T.rotate, {"images": IMAGES, "degrees": 9}, ("images", "degrees", "center", *WARP, *BATCH)),
    "warp_affine": (
        T.warp_affine,
        {"images": IMAGES, "matrix": np.eye(3) + 0.01},
        ("images", "matrix", "size", "inverse", *WARP, *BATCH),
    ),
    "warp_affine back": (
        T.warp_affine,
        {"images": IMAGES, "matrix": np.eye(3), "inverse": True, "border": "constant"},
        ("matrix", "fill"),
    ),
    "crop": (T.crop, {"images": IMAGES, "px": 1}, ("images", "px", "keep_size", *SIZES[::2], *BATCH)),
    "crop to less": (T.crop, {"images": IMAGES, "keep_size": False}, ("px",)),
    "resize": (T.resize, {"images": IMAGES, "size": (5, 5)}, ("images", "size", *SIZES, *BATCH)),
    "resized_crop": (
        T.resized_crop,
        {"images": IMAGES, "rectangle": (0, 0, 4, 4), "size": (5, 5)},
        ("images", "rectangle", "size", *SIZES, *BATCH),
    ),
    "flip": (T.flip, {"images": IMAGES}, ("images", "axis", *BATCH)),
    "warp": (slow_warp, {"images": IMAGES, "function": halve}, ("images", "params", "size", *WARP[:3], *BATCH)),
    "translation_matrix": (T.translation_matrix, {"dx": 1, "dy": 2}, ("dx", "dy")),
    "rotation_matrix": (T.rotation_matrix, {"degrees": 180, "size": (3, 4)}, ("degrees", "size", "center")),
    "flip_matrix": (T.flip_matrix, {"axis": "both", "size": (3, 4)}, ("axis", "size")),
    "resized_crop_matrix": (
        T.resized_crop_matrix,
        {"rectangle": (0, 0, 3, 4), "size": (3, 4)},
        ("rectangle", "size"),
    ),
    "transform_points": (T.transform_points, {"points": [[1, 2]], "matrix": np.eye(3)}, ("points", "matrix")),
    "transform_boxes": (
        T.transform_boxes,
        {"boxes": [[1, 2, 3, 4]], "matrix": np.eye(3), "size": (9, 9)},
        ("boxes", "matrix", "size"),
    ),
    "box_visibility": (
        T.box_visibility,
        {"boxes": [[1, 2, 3, 4]], "matrix": np.eye(3) * [[1e300], [1e300], [1]], "size": (9, 9)},
        ("boxes", "matrix", "size"),
    ),
    "points_inside": (T.points_inside, {"points": [[1, 2]], "size": (9, 9)}, ("points", "size")),
    "RandomTranslate": (step_of(A.RandomTranslate), {}, ("dx", "dy", "unit", "p", *WARP)),
    "RandomRotate": (step_of(A.RandomRotate), {"degrees": 1}, ("degrees", "center", "p", *WARP)),
    "RandomAffine": (
        step_of(A.RandomAffine),
        {"degrees": 1},
        ("degrees", "translate", "scale", "shear", "unit", "center", "p"),
    ),
    "RandomFlip": (step_of(A.RandomFlip), {}, ("axis", "p")),
    "RandomCrop": (step_of(A.RandomCrop), {"size": 3}, ("size", "padding", "keep_size", "border", "fill", *SIZES)),
    "RandomCrop back": (step_of(A.RandomCrop), {"size": 3, "keep_size": True}, ("size", "padding", "p")),
    "RandomResizedCrop": (step_of(A.RandomResizedCrop), {"size": 3}, ("size", "scale", "ratio", *SIZES)),
    "RandomVariant": (step_of(A.RandomVariant), {}, ("family",)),
    "Translate": (family_of(A.Translate), {"magnitude": 1}, ("magnitude", *WARP)),
    "Rotate": (family_of(A.Rotate), {"max_degrees": 1, "steps": 3}, ("max_degrees", "steps", "direction")),
    "Crop": (family_of(A.Crop), {"sizes": [1, 2]}, ("sizes", "interpolation", "arithmetic")),
    "Uniform": (distribution_of(A.Uniform), {"low": -8e307, "high": 8e307}, ("low", "high")),
    "IntegerUniform": (distribution_of(A.IntegerUniform), {"low": 1, "high": 2}, ("low", "high")),
    "LogUniform": (distribution_of(A.LogUniform), {"low": 5e-324, "high": LARGEST}, ("low", "high")),
    "Normal": (distribution_of(A.Normal), {"mean": 0, "std": 1, "low": -1, "high": 1}, ("mean", "std", "low", "high")),
    "Choice": (distribution_of(A.Choice), {"values": [1, 2], "weights": [1, 2]}, ("values", "weights")),
    "sample": (A.Uniform(0, 1).sample, {"n": 3}, ("rng",)),
    "Compose": (A.Compose, {"steps": []}, ("steps", "fuse")),
    "pipeline": (
        PIPELINE,
        {"images": IMAGES, "rng": 0, "masks": IMAGES.astype(np.float32)},
        ("images", "rng", "indices", "epoch", "masks", "boxes", "keypoints", "mask_fill", *BATCH[::2]),
    ),
    "replay": (PIPELINE.replay, {"parameters": PARAMETERS, "images": IMAGES}, ("parameters", "images", "masks")),
    "Parameters": (replay, {}, ("n", "size", "steps")),
    "drawn": (replay_drawn, {}, ("applied", "dx")),
    "from_dict": (A.Compose.from_dict, {}, ("data",)),
    "from_json": (A.Compose.from_json, {}, ("text",)),
    "parameters from_dict": (A.Parameters.from_dict, {}, ("data",)),
}

NAMED = re.compile(r"^(a pipeline|parameters|high - low|[a-z_]+(\[\d+\])?(\.[a-z_]+(\[\d+\])?)*): ")


def refusal(function, arguments):
    """The text of a TypeError or ValueError; None where there is no error, or no memory."""
    try:
        function(**arguments)
    except MemoryError:
        return None
    except (TypeError, ValueError) as error:
        return str(error)


@pytest.mark.parametrize("name", CALLS)
def test_whatever_is_given_is_taken_or_refused_by_name(name, capfd):
    function, arguments, replaced = CALLS[name]
    before = IMAGES.copy()
    for parameter, (kind, value) in itertools.product(replaced, HOSTILE.items()):
        said = refusal(function, {**arguments, parameter: value})
        assert said is None or (NAMED.match(said) and len(said) < 1000), (parameter, kind, said[:200])
    assert np.array_equal(IMAGES, before)
    assert PIPELINE.replay(PARAMETERS, IMAGES).parameters == PARAMETERS
    assert capfd.readouterr() == ("", "")


# ---- what was taken, and wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "matrix",
    [
        np.diag([1e308, 1e5, 1]),  # its determinant overflows, and the inverse looked like zeros
        np.diag([1e200, 1e200, 1])[:2],
        np.eye(3) * 1e120,
        np.array([[1e160, 0, 0], [0, 1e160, 0], [0.5, 0, 1]]),
    ],
    ids=str,
)
def test_matrices_whose_determinant_overflows_are_refused(matrix):
    with pytest.raises(ValueError, match="^matrix: cannot be inverted"):
        T.warp_affine(IMAGES, matrix)
    assert T.warp_affine(IMAGES, matrix, inverse=True).shape == IMAGES.shape


@pytest.mark.parametrize("steps", [[], [A.RandomFlip(p=0)]], ids=str)
def test_results_never_share_memory_with_what_is_no_array(steps):
    view = memoryview(bytearray(IMAGES.tobytes())).cast("B", IMAGES.shape)
    result = A.Compose(steps)(view, 0, masks=view)
    for made in (result.images, result.masks):
        assert np.array_equal(made, IMAGES)
        assert not np.may_share_memory(made, np.asarray(view))


def test_a_product_that_overflows_is_refused():
    stretch = A.RandomAffine(scale=1e6)
    with pytest.raises(ValueError, match="^steps: "):
        A.Compose([stretch] * 60)(IMAGES, 0)
    one = A.Compose([stretch])(IMAGES, 0).parameters.steps
    with pytest.raises(ValueError, match="^parameters: "):
        A.Compose([stretch] * 60).matrix(A.Parameters(4, (9, 7), one * 60))
    assert A.Compose([stretch] * 60, fuse=False)(IMAGES, 0).images.shape == IMAGES.shape


@pytest.mark.parametrize("depth", [20, 300, 3000])
def test_families_in_families_are_refused(depth):
    data = {"family": "translate", "magnitude": 1}
    for _ in range(depth):
        data = {"family": "translate", "magnitude": data}
    with pytest.raises(ValueError, match=r"^steps\[0\]\.family\..*: is nested too deeply"):
        A.Compose.from_dict({"format": 1, "fuse": True, "steps": [{"step": "random_variant", "family": data}]})


def test_matrices_of_parameters_that_do_not_fit_are_refused():
    drawn = {"applied": np.ones(4, np.bool_)}
    crop = A.Parameters(4, (9, 7), ({**drawn, "variant": np.zeros(4, np.int64)},))
    with pytest.raises(ValueError, match="^sizes: nothing is left"):
        A.Compose([A.Crop(20)]).matrix(crop)
    for rectangle in ([0, 0, 0, 0], [0, 0, -1, 5], [2**62] * 4):
        cut = A.Parameters(4, (9, 7), ({**drawn, "rectangle": np.tile(np.int64(rectangle), (4, 1))},))
        with pytest.raises(ValueError, match="^rectangle: "):
            A.Compose([A.RandomResizedCrop(3)]).matrix(cut)


def test_parts_of_parameters():
    assert [len(PARAMETERS[part]) for part in (0, -1, slice(1, 3), [0, 0, 3], np.array([True] * 4), [])] == [
        1, 1, 2, 3, 4, 0,
    ]  # fmt: skip
    assert PARAMETERS[[-1, 0]] == PARAMETERS[[3, 0]]
    assert PARAMETERS[np.array([True, False, False, True])] == PARAMETERS[[0, 3]]
    assert len(list(PARAMETERS)) == 4
    for bad in ("dx", 1.5, None, [[0]], [True, False]):
        with pytest.raises((TypeError, ValueError), match="^images: "):
            PARAMETERS[bad]


def test_a_pipeline_of_endless_steps_is_refused():
    with pytest.raises(ValueError, match="^steps: at most 1000"):
        A.Compose(itertools.repeat(A.RandomFlip()))


class Odd(np.ndarray):
    def __getitem__(self, index):
        raise RuntimeError("item")


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_out_may_be_of_any_class_but_masked(layout):
    for transform in (
        lambda **k: T.rotate(IMAGES, 30, layout=layout, **k),
        lambda **k: T.flip(IMAGES, layout=layout, **k),
        lambda **k: slow_warp(images=IMAGES, function=halve, layout=layout, **k),
    ):
        want = transform()
        out = np.zeros_like(want).view(Odd)
        assert transform(out=out) is out
        assert out.tobytes() == want.tobytes()
        with pytest.raises(TypeError, match="^out: "):
            transform(out=np.ma.array(want))
