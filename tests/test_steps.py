"""Distributions and single steps: what is drawn, how often, and that it is what is done."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from augcore import _random, transforms
from augcore import augmentations as A

N = 20_000


def words(n: int = N, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


# ---- from bits to numbers --------------------------------------------------------------------------------------------


def test_uniforms_are_the_upper_53_bits():
    ends = np.array([0, 2**11 - 1, 2**11, 2**64 - 1], dtype=np.uint64)
    assert _random.uniforms(ends).tolist() == [0, 0, 2.0**-53, 1 - 2.0**-53]
    assert _random.open_uniforms(ends).tolist() == [2.0**-53, 2.0**-53, 2.0**-53, 1 - 2.0**-53]


@pytest.mark.parametrize("n", [1, 3, 2**31 + 7, 2**32])
def test_whole_numbers_are_the_words_scaled(n):
    assert _random.below(words(500), n).tolist() == [int(word) * n >> 64 for word in words(500)]
    many = np.arange(1, 501)
    assert _random.below(words(500), many).tolist() == [
        int(w) * int(k) >> 64 for w, k in zip(words(500), many, strict=True)
    ]


def test_normal_quantiles():
    u = np.concatenate(
        [np.random.default_rng(0).random(1000), 10.0 ** -np.arange(1, 300), 1 - 2.0 ** -np.arange(1, 54)]
    )
    np.testing.assert_allclose(_random.normals(u), special.ndtri(u), rtol=3e-15, atol=1e-15)


# ---- distributions ---------------------------------------------------------------------------------------------------

CONTINUOUS = [
    (A.Uniform(-2, 5), stats.uniform(-2, 7)),
    (A.LogUniform(0.5, 3), stats.loguniform(0.5, 3)),
    (A.Normal(1, 2), stats.norm(1, 2)),
    (A.Normal(1, 2, low=0), stats.truncnorm(-0.5, np.inf, 1, 2)),
    (A.Normal(1, 2, high=0), stats.truncnorm(-np.inf, -0.5, 1, 2)),
    (A.Normal(0, 1, 3, 4), stats.truncnorm(3, 4)),
    (A.Normal(0, 1, 9, 20), stats.truncnorm(9, 20)),  # farther out than a float64 near 1 can tell
    (A.Normal(0, 1, -20, -9), stats.truncnorm(-20, -9)),
]
DISCRETE = [
    (A.IntegerUniform(-2, 4), dict.fromkeys(range(-2, 5), 1 / 7)),
    (A.Choice([0, 90, 180]), {0: 1 / 3, 90: 1 / 3, 180: 1 / 3}),
    (A.Choice([5, 1, 7], weights=[1, 3, 0]), {5: 0.25, 1: 0.75}),
    (A.Constant(4), {4: 1.0}),
]
DISTRIBUTIONS = [kind for kind, _ in CONTINUOUS + DISCRETE]


@pytest.mark.parametrize(("kind", "truth"), CONTINUOUS, ids=lambda value: repr(value)[:50])
def test_continuous_draws(kind, truth):
    drawn = kind.sample(N, rng=3)
    assert stats.kstest(drawn, truth.cdf).pvalue > 0.001
    low, high = kind.support
    assert low <= drawn.min() <= drawn.max() <= high


@pytest.mark.parametrize(("kind", "truth"), DISCRETE, ids=lambda value: repr(value)[:50])
def test_discrete_draws(kind, truth):
    found, counts = np.unique(kind.sample(N, rng=5), return_counts=True)
    assert found.tolist() == sorted(truth)
    if len(truth) > 1:
        assert stats.chisquare(counts, [N * truth[value] for value in sorted(truth)]).pvalue > 0.001


@pytest.mark.parametrize("kind", DISTRIBUTIONS, ids=repr)
def test_the_ends_of_the_bits_stay_in_the_support(kind):
    low, high = kind.support
    drawn = kind.draw(np.array([0, 2**64 - 1], dtype=np.uint64))
    assert np.isfinite(drawn).all()
    assert ((low <= drawn) & (drawn <= high)).all()
    if not isinstance(kind, A.Choice | A.Normal):  # in any order; and tails that are cut far out
        np.testing.assert_allclose(drawn, [low, high], rtol=0.02)


def test_what_has_no_weight_is_never_drawn():
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)
    assert A.Choice([5, 1, 2, 7], [0, 1, 1, 0]).draw(ends).tolist() == [1, 2]


@pytest.mark.parametrize("kind", DISTRIBUTIONS, ids=repr)
def test_distributions_go_to_dicts_and_back(kind):
    assert A.Distribution.from_dict(kind.to_dict()) == kind
    assert eval(repr(kind), vars(A)) == kind
    assert hash(eval(repr(kind), vars(A))) == hash(kind)


def test_steps_are_shown_as_they_are_written():
    assert repr(A.RandomTranslate(3, (-1, 1))) == "RandomTranslate(dx=3.0, dy=Uniform(low=-1.0, high=1.0))"
    assert repr(A.RandomAffine(scale=2, p=0.5)) == "RandomAffine(scale=2.0, p=0.5)"


def test_distributions_are_equal_by_value():
    assert A.Uniform(0, 1) == A.Uniform(0.0, np.float32(1)) != A.Uniform(0, 2)
    assert A.Choice([1, 2]) == A.Choice(np.array([1.0, 2.0])) != A.Choice([1, 2], [1, 1])
    assert A.RandomRotate((-5, 5)) == A.RandomRotate(A.Uniform(-5, 5)) == A.RandomRotate([-5, 5])
    assert A.RandomRotate(5) == A.RandomRotate(A.Constant(5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: A.Uniform(2, 1), ValueError, "low: "),
        (lambda: A.Uniform(0, np.inf), ValueError, "high: "),
        (lambda: A.Uniform(-1e308, 1e308), ValueError, "high - low: "),
        (lambda: A.Uniform("0", 1), TypeError, "low: "),
        (lambda: A.IntegerUniform(0, 1.5), TypeError, "high: "),
        (lambda: A.IntegerUniform(0, 2**40), ValueError, "high - low: "),
        (lambda: A.LogUniform(0, 1), ValueError, "low: "),
        (lambda: A.Normal(0, 0), ValueError, "std: "),
        (lambda: A.Normal(0, 1e308), ValueError, "std: "),
        (lambda: A.Normal(0, 1, 2, 1), ValueError, "low: "),
        (lambda: A.Normal(0, 1, low=50), ValueError, "low: "),
        (lambda: A.Choice([]), ValueError, "values: "),
        (lambda: A.Choice("ab"), TypeError, "values: "),
        (lambda: A.Choice([[1, 2]]), TypeError, "values: "),
        (lambda: A.Choice([1, True]), TypeError, "values: "),
        (lambda: A.Choice([1, 2], [1]), ValueError, "weights: "),
        (lambda: A.Choice([1, 2], [0, 0]), ValueError, "weights: "),
        (lambda: A.Choice([1, 2], [-1, 2]), ValueError, "weights: "),
        (lambda: A.Choice([1, 2], [1e308, 1e308]), ValueError, "weights: "),
        (lambda: A.Uniform(0, 1).sample(-1), ValueError, "n: "),
        (lambda: A.Distribution.from_dict({"distribution": "beta"}), ValueError, "distribution: "),
        (lambda: A.Distribution.from_dict({"distribution": "uniform", "low": 1}), ValueError, "high: is missing"),
        (lambda: A.Distribution.from_dict({"distribution": "constant", "value": 1, "x": 2}), ValueError, "x: "),
        (lambda: A.Distribution.from_dict(5), TypeError, "distribution: "),
    ],
)
def test_bad_distributions_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()


# ---- steps do what the transforms do ---------------------------------------------------------------------------------


def one_by_one(step, images, drawn):
    """A step as direct calls of the transforms, one image after the other."""
    keywords = {
        name: getattr(step, name)
        for name in ("interpolation", "border", "fill", "arithmetic", "antialias")
        if hasattr(step, name)
    }

    def change(image, p):
        height, width = image.shape[1:3]
        match step:
            case A.RandomTranslate():
                return transforms.translate(image, p["dx"], p["dy"], **keywords)
            case A.RandomRotate():
                return transforms.rotate(image, p["degrees"], center=step.center, **keywords)
            case A.RandomFlip():
                return transforms.flip(image, step.axis)
            case A.RandomAffine():
                x, y = step.center or ((width - 1) / 2, (height - 1) / 2)
                cosine, sine = np.cos(np.deg2rad(p["degrees"])), np.sin(np.deg2rad(p["degrees"]))
                parts = [
                    [[1, 0, x + p["dx"]], [0, 1, y + p["dy"]], [0, 0, 1]],
                    [[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]],
                    [[1, 0, 0], [np.tan(np.deg2rad(p["shear_y"])), 1, 0], [0, 0, 1]],
                    [[1, np.tan(np.deg2rad(p["shear_x"])), 0], [0, 1, 0], [0, 0, 1]],
                    np.diag([p["scale_x"], p["scale_y"], 1]),
                    [[1, 0, -x], [0, 1, -y], [0, 0, 1]],
                ]
                return transforms.warp_affine(image, np.linalg.multi_dot(parts), **keywords)
            case A.RandomCrop():
                top, right, bottom, left = step.padding
                mode = {"mode": step.border}
                if step.border == "constant":
                    mode["constant_values"] = step.fill
                padded = np.pad(image, [(0, 0), (top, bottom), (left, right), (0, 0)], **mode)
                y, x = p["top"] + top, p["left"] + left
                window = padded[:, y : y + step.size[0], x : x + step.size[1]]
                resizing = {name: keywords[name] for name in ("interpolation", "antialias", "arithmetic")}
                return transforms.resize(window, (height, width), **resizing) if step.keep_size else window
            case A.RandomResizedCrop():
                top, left, h, w = p["rectangle"]
                window = image[:, top : top + h, left : left + w]
                return transforms.resize(window, step.size or (height, width), **keywords)
            case A.RandomVariant():
                return step.family.expand(image, include_original=False).images[p["variant"]][np.newaxis]

    parts = []
    for i, image in enumerate(images[:, np.newaxis]):
        parameters = {name: values[i] for name, values in drawn.items()}
        parts.append(change(image, parameters) if parameters["applied"] else image)
    return np.concatenate(parts)


STEPS = [
    A.RandomTranslate((-4, 4), (-3, 3)),
    A.RandomTranslate(A.IntegerUniform(-4, 4), A.Choice([-1, 2]), p=0.5),
    A.RandomTranslate((-0.3, 0.3), 0.1, unit="fraction", border="reflect"),
    A.RandomRotate((-40, 40), interpolation="bicubic"),
    A.RandomRotate(A.Normal(0, 20), p=0.6, center=(3, 4), border="constant", fill=(9, 7)),
    A.RandomRotate((-10, 10), arithmetic="opencv4"),
    A.RandomRotate(30),
    A.RandomFlip(),
    A.RandomFlip("both", p=0.3),
    A.RandomCrop((9, 11)),
    A.RandomCrop((12, 13), padding=(3, 2, 1, 4), border="constant", fill=9),
    A.RandomCrop((6, 9), keep_size=True, p=0.5),
    A.RandomCrop(8, padding=2, keep_size=True, border="wrap", interpolation="bicubic"),
    A.RandomResizedCrop((7, 13)),
    A.RandomResizedCrop(None, scale=A.Choice([0.3, 0.5]), interpolation="area", p=0.5),
    A.RandomVariant(A.Translate(1.5)),
    A.RandomVariant(A.Rotate(30, 5, direction="clockwise"), p=0.5),
    A.RandomVariant(A.Crop([1, 2])),
]
AFFINE = A.RandomAffine(
    (-20, 20),
    translate=((-2, 2), A.Normal(0, 1)),
    scale=(A.LogUniform(0.7, 1.4), (0.8, 1.2)),
    shear=((-10, 10), (-5, 5)),
    p=0.7,
)
SHAPE = (12, 15)


def pictures(n: int = 9, dtype: str = "uint8", shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *shape, 2)).astype(dtype)


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_a_step_is_its_transform_with_what_was_drawn(step):
    images = pictures()
    got = step(images, 5)
    np.testing.assert_array_equal(got.images, one_by_one(step, images, got.parameters.steps[0]))
    np.testing.assert_array_equal(step.sample(images, 5), got.images)
    height, width = step.output_size(*SHAPE)
    assert got.images.shape == (9, height, width, 2)


@pytest.mark.parametrize(
    "step",
    [
        AFFINE,
        A.RandomAffine((-180, 180), center=(2, 3)),
        A.RandomAffine(0, translate=(-0.2, 0.2), unit="fraction"),
        A.RandomAffine(scale=(0.5, 2)),
        A.RandomAffine(shear=(-30, 30), interpolation="bicubic", border="symmetric"),
    ],
    ids=repr,
)
def test_an_affine_step_is_the_product_of_its_parts(step):
    images = pictures(dtype="float64")
    got = step(images, 6)
    want = one_by_one(step, images, got.parameters.steps[0])
    np.testing.assert_allclose(got.images, want, atol=1e-9)


def test_what_an_affine_step_draws():
    both = A.RandomAffine(translate=(-2, 2), scale=(0.5, 2), shear=(-30, 30))(pictures(50), 0).parameters.steps[0]
    assert not np.array_equal(both["dx"], both["dy"])
    np.testing.assert_array_equal(both["scale_x"], both["scale_y"])
    assert not both["shear_y"].any()
    assert both["shear_x"].std() > 5
    apart = AFFINE(pictures(50), 0).parameters.steps[0]
    assert not np.array_equal(apart["scale_x"], apart["scale_y"])
    assert apart["shear_y"].std() > 1
    width = A.RandomTranslate(A.Constant(0.5), 0.5, unit="fraction")(pictures(), 0).parameters.steps[0]
    assert (width["dx"][0], width["dy"][0]) == (7.5, 6)
    assert A.RandomAffine(translate=0.5, unit="fraction")(pictures(), 0).parameters.steps[0]["dy"][0] == 6


def test_whole_pixels_flips_and_quarter_turns_are_copies():
    images = pictures(8, "float32", (11, 11))
    images[0, 3, 3] = np.nan, np.inf
    got = A.RandomRotate(A.Choice([0, 90, 180, 270]))(images, 1)
    turns = got.parameters.steps[0]["degrees"] // 90
    np.testing.assert_array_equal(got.images, [np.rot90(x, int(k)) for x, k in zip(images, turns, strict=True)])
    got = A.RandomTranslate(A.IntegerUniform(-3, 3), 2, interpolation="bicubic")(images, 1)
    for image, result, dx in zip(images, got.images, got.parameters.steps[0]["dx"].astype(int), strict=True):
        np.testing.assert_array_equal(
            result, np.pad(image, ((5, 3), (3, 3), (0, 0)), mode="edge")[3:14, 3 - dx : 14 - dx]
        )
    np.testing.assert_array_equal(A.RandomFlip(p=1).sample(images), images[:, :, ::-1])


def test_rectangles_of_resized_crops():
    height, width = 60, 90
    images = np.zeros((4000, height, width), np.uint8)
    step = A.RandomResizedCrop(4, interpolation="nearest")
    top, left, h, w = step(images, 0).parameters.steps[0]["rectangle"].T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + h <= height).all()
    assert (left + w <= width).all()
    ratio = np.log(w / h)
    assert np.log(3 / 4) - 0.2 < ratio.min() < ratio.max() < np.log(4 / 3) + 0.2
    # Where all ratios fit, area and ratio are as they were drawn; corners are uniform over the room there is.
    small = h * w < 0.4 * height * width
    area = (h * w)[small] / (height * width)
    assert stats.kstest(area, stats.uniform(0.08, 0.32).cdf).pvalue > 0.001
    assert stats.kstest(ratio[small], stats.uniform(np.log(3 / 4), 2 * np.log(4 / 3)).cdf).statistic < 0.04
    free = h < height - 25
    assert stats.kstest(((top + 0.5) / (height - h + 1))[free], "uniform").pvalue > 0.001
    # Nothing fits: the largest rectangle of the nearest ratio.
    for shape, sides in (((10, 100), (10, 13)), ((100, 10), (13, 10))):
        tall = A.RandomResizedCrop(4, scale=1)(np.zeros((50, *shape), np.uint8), 0).parameters.steps[0]["rectangle"]
        assert {tuple(x) for x in tall[:, 2:].tolist()} == {sides}
        assert len({tuple(x) for x in tall.tolist()}) > 10
    wide = A.RandomResizedCrop(4, scale=0.25, ratio=2)(np.zeros((9, 40, 40), np.uint8), 0)
    assert (wide.parameters.steps[0]["rectangle"][:, 2:] == [14, 28]).all()
    one = A.RandomResizedCrop(3)(np.zeros((9, 1, 1), np.uint8), 0)
    assert (one.parameters.steps[0]["rectangle"] == [0, 0, 1, 1]).all()


def test_windows_of_crops_are_uniform():
    step = A.RandomCrop((3, 4), padding=(1, 0, 2, 3))
    drawn = step(np.zeros((N, 5, 6), np.uint8), 3).parameters.steps[0]
    for name, first, count in (("top", -1, 6), ("left", -3, 6)):
        found, counts = np.unique(drawn[name], return_counts=True)
        assert found.tolist() == list(range(first, first + count))
        assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_how_often_a_step_is_applied(p):
    images = np.arange(2, dtype=np.uint8)[np.newaxis, np.newaxis].repeat(N, axis=0)
    got = A.RandomFlip(p=p)(images, 4)
    applied = got.parameters.steps[0]["applied"]
    np.testing.assert_array_equal(applied, got.images[:, 0, 0] == 1)
    assert stats.binomtest(int(applied.sum()), N, p).pvalue > 0.001


def test_draws_are_independent_across_seeds_epochs_images_steps_and_parameters():
    step = A.RandomTranslate((0, 1), (0, 1), p=0.5)
    twice = A.Compose([step, step], fuse=False)
    images = np.zeros((N, 1, 1), np.uint8)

    def drawn(pipeline=twice, seed=0, **keywords):
        return pipeline(images, seed, **keywords).parameters.steps

    first, second = drawn()
    streams = [
        first["dx"],
        first["dy"],
        second["dx"],
        second["dy"],
        drawn(epoch=1)[0]["dx"],
        drawn(epoch=2**40)[0]["dx"],
        drawn(seed=1)[0]["dx"],
        drawn(indices=np.arange(N) + N)[0]["dx"],
        np.roll(first["dx"], 1),
    ]
    for a, one in enumerate(streams):
        for other in streams[:a]:
            table = np.histogram2d(one, other, bins=4, range=((0, 1), (0, 1)))[0]
            assert stats.chisquare(table.ravel()).pvalue > 1e-4
    # What is drawn does not depend on whether it is applied.
    for stream in (first["dx"], second["applied"], second["dx"]):
        table = np.histogram2d(first["applied"], stream, bins=(2, 4 if stream.dtype == float else 2))[0]
        assert stats.chi2_contingency(table).pvalue > 1e-4


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: A.RandomTranslate("a"), TypeError, "dx: "),
        (lambda: A.RandomTranslate((5, -5)), ValueError, "dx.low: "),
        (lambda: A.RandomTranslate((1, 2, 3)), ValueError, "dx: "),
        (lambda: A.RandomTranslate(1, 1e300), ValueError, "dy: "),
        (lambda: A.RandomTranslate(1, unit="metres"), ValueError, "unit: "),
        (lambda: A.RandomTranslate(1, border="none"), ValueError, "border: "),
        (lambda: A.RandomTranslate(1, fill="red"), TypeError, "fill: "),
        (lambda: A.RandomTranslate(1, fill=()), ValueError, "fill: "),
        (lambda: A.RandomTranslate(1, p=1.5), ValueError, "p: "),
        (lambda: A.RandomTranslate(1, p=True), TypeError, "p: "),
        (lambda: A.RandomRotate(np.nan), ValueError, "degrees: "),
        (lambda: A.RandomRotate(True), TypeError, "degrees: "),
        (lambda: A.RandomRotate((0, "x")), TypeError, "degrees.high: "),
        (lambda: A.RandomRotate(5, center=3), TypeError, "center: "),
        (lambda: A.RandomRotate(5, interpolation="area"), ValueError, "interpolation: "),
        (lambda: A.RandomRotate(5, arithmetic="opencv4", border="wrap"), ValueError, "border: "),
        (lambda: A.RandomAffine(scale=0), ValueError, "scale: "),
        (lambda: A.RandomAffine(scale=A.Normal(1, 1)), ValueError, "scale: "),
        (lambda: A.RandomAffine(shear=(0, 90)), ValueError, "shear: "),
        (lambda: A.RandomAffine(translate=((1, 2), (3, 4), (5, 6))), ValueError, "translate: "),
        (lambda: A.RandomFlip("up"), ValueError, "axis: "),
        (lambda: A.RandomCrop(0), ValueError, "size: "),
        (lambda: A.RandomCrop((1, 2, 3)), ValueError, "size: "),
        (lambda: A.RandomCrop(2.5), TypeError, "size: "),
        (lambda: A.RandomCrop(2, padding=-1), ValueError, "padding: "),
        (lambda: A.RandomCrop(2, padding=(1, 2)), ValueError, "padding: "),
        (lambda: A.RandomCrop(2, keep_size=1), TypeError, "keep_size: "),
        (lambda: A.RandomCrop(2, interpolation="cubic"), ValueError, "interpolation: "),
        (lambda: A.RandomCrop(2, antialias=None), TypeError, "antialias: "),
        (lambda: A.RandomCrop(13).sample(pictures()), ValueError, "size: "),
        (lambda: A.RandomResizedCrop(4, scale=(0, 1)), ValueError, "scale: "),
        (lambda: A.RandomResizedCrop(4, scale=2), ValueError, "scale: "),
        (lambda: A.RandomResizedCrop(4, ratio=(0, 1)), ValueError, "ratio.low: "),
        (lambda: A.RandomResizedCrop("4"), TypeError, "size: "),
        (lambda: A.RandomResizedCrop(4, p=0.5).sample(pictures()), ValueError, "p: "),
        (lambda: A.RandomResizedCrop(4).sample(np.zeros((2, 0, 5), np.uint8)), ValueError, ""),
        (lambda: A.RandomVariant(A.RandomFlip()), TypeError, "family: "),
        (lambda: A.RandomFlip().sample(pictures().astype(int)), TypeError, "images: "),
        (lambda: A.RandomFlip().sample(pictures(), "seed"), TypeError, "rng: "),
        (lambda: A.RandomFlip().sample(pictures(), 1, epoch=-1), ValueError, "epoch: "),
        (lambda: A.RandomFlip().sample(pictures(), 1, indices=[1]), ValueError, "indices: "),
        (lambda: A.RandomFlip().sample(pictures(), 1, threads=0), ValueError, "threads: "),
        (lambda: A.RandomFlip(p=0).sample(pictures(), 1, threads=0), ValueError, "threads: "),
        (lambda: A.RandomRotate(5, arithmetic="opencv4").sample(pictures(dtype="float32")), ValueError, "images: "),
    ],
)
def test_bad_steps_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()
