"""The paper's families: their variants, expanding, and keyed draws."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from augcore import _dispatch, _random, transforms
from augcore import augmentations as A

FAMILIES = [A.Translate(2), A.Rotate(30, 15), A.Crop(range(1, 4)), A.Crop(2, arithmetic="opencv4"),
            A.Rotate(5, 4, arithmetic="opencv4", direction="clockwise"),
            A.Translate(1.5, border="constant", fill=3, interpolation="bicubic")]  # fmt: skip


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 12, 11, 2), dtype=np.uint8)


def test_variants_of_the_paper():
    assert A.Translate(3).parameters == ((3, 3), (-3, 3), (3, -3), (-3, -3))
    assert A.Rotate(5, 4).parameters == pytest.approx((-5, -5 / 3, 5 / 3, 5))
    assert A.Rotate(30, 15).n_variants == 14
    assert A.Rotate(30, 15).parameters == pytest.approx([x for x in np.linspace(-30, 30, 15) if abs(x) > 1e-9])
    assert A.Crop([1, 2, 3, 4, 5, 6]).parameters == (1, 2, 3, 4, 5, 6)
    assert A.Crop(2).parameters == (2,)
    assert A.Crop(2).interpolation == "area"
    assert all(family.n_variants == len(family.parameters) for family in FAMILIES)


def one(family, images, parameter):
    """The variant as a direct call of the transform."""
    keywords = {"interpolation": family.interpolation, "arithmetic": family.arithmetic}
    if isinstance(family, A.Crop):
        return transforms.crop(images, parameter, **keywords)
    keywords |= {"border": family.border, "fill": family.fill}
    if isinstance(family, A.Rotate):
        return transforms.rotate(
            images, parameter if family.direction == "counterclockwise" else -parameter, **keywords
        )
    return transforms.translate(images, *parameter, **keywords)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
@pytest.mark.parametrize("include_original", [True, False])
def test_expand_is_the_originals_and_a_copy_of_the_set_per_variant(images, family, include_original):
    labels = np.array(["a", "b", "c", "d", "e"])
    before = images.copy()
    got = family.expand(images, labels, include_original=include_original)
    parts = [images] * include_original + [one(family, images, parameter) for parameter in family.parameters]
    np.testing.assert_array_equal(got.images, np.concatenate(parts))
    assert got.images.dtype == np.uint8
    np.testing.assert_array_equal(got.labels, np.tile(labels, len(parts)))
    assert got.source.tolist() == [-1] * 5 * include_original + [0, 1, 2, 3, 4] * family.n_variants
    assert got.source.dtype == np.intp
    np.testing.assert_array_equal(images, before)
    assert family.expand(images).labels is None


def test_expand_gray_and_empty(images):
    gray = np.asfortranarray(images[..., 0])
    got = A.Translate(1).expand(gray)
    np.testing.assert_array_equal(got.images, A.Translate(1).expand(images[..., :1]).images[..., 0])
    empty = A.Rotate(5, 4).expand(images[:0], np.zeros(0, int))
    assert empty.images.shape == (0, 12, 11, 2)
    assert empty.labels.shape == empty.source.shape == (0,)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_sample_is_one_variant_of_each_image(images, family):
    got = family.sample(images, 3)
    expanded = family.expand(images, include_original=False).images.reshape(family.n_variants, *images.shape)
    chosen = _random.choices(3, family.n_variants, np.arange(5))
    np.testing.assert_array_equal(got, expanded[chosen, np.arange(5)])


def test_draws_depend_on_seed_epoch_and_index_alone():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, 6, 6), dtype=np.uint8)
    family = A.Rotate(30, 15)
    whole = family.sample(images, 7, epoch=2)
    order = rng.permutation(64)
    np.testing.assert_array_equal(family.sample(images[order], 7, indices=order, epoch=2), whole[order])
    for start in range(0, 64, 10):
        part = slice(start, start + 10)
        got = family.sample(images[part], 7, indices=np.arange(64)[part], epoch=2)
        np.testing.assert_array_equal(got, whole[part])
    assert not np.array_equal(family.sample(images, 7, epoch=3), whole)
    assert not np.array_equal(family.sample(images, 8, epoch=2), whole)
    assert not np.array_equal(family.sample(images, 7, indices=np.arange(64) + 64, epoch=2), whole)
    assert not np.array_equal(family.sample(images), family.sample(images))
    a, b = (family.sample(images, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert family.sample(images[:0], 1).shape == (0, 6, 6)


def test_choices_are_uniform():
    for n in (2, 3, 14):
        counts = np.bincount(_random.choices(11, n, np.arange(20_000)), minlength=n)
        assert len(counts) == n
        # Chi-square with n - 1 degrees of freedom: mean n - 1, variance 2 (n - 1).
        statistic = ((counts - 20_000 / n) ** 2 / (20_000 / n)).sum()
        assert statistic < (n - 1) + 5 * np.sqrt(2 * (n - 1))


def test_keyed_words_are_numpys_philox():
    key = _random.key(123)
    for index, *rest in [(0, 0, 0, 0), (5, 2**64 - 1, 7, 1), (2**63 - 2, 1, 2**40, 3)]:
        want = np.random.Philox(counter=np.array([index, *rest], np.uint64), key=key).random_raw()
        indices = np.array([index + 1], dtype=np.int64)  # NumPy counts up before the first draw
        assert int(_dispatch.keyed_words(key, indices, tuple(rest))[0]) == want


def test_equality_hash_and_repr():
    assert A.Translate(3) == A.Translate(3.0) != A.Translate(2)
    assert A.Crop((2,)) == A.Crop(2) == A.Crop(np.array([2]))
    assert A.Crop(2) != A.Crop(2, interpolation="bilinear")
    assert A.Rotate(5, 4) != A.Rotate(5, 4, direction="clockwise")
    assert len({A.Crop(2), A.Crop([2]), A.Rotate(5, 4), A.Rotate(5.0, 4)}) == 2
    names = {family.__name__: family for family in A.AUGMENTATIONS.values()}
    for family in FAMILIES:
        assert eval(repr(family), names) == family
    with pytest.raises(AttributeError):
        A.Crop(2).sizes = (3,)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_threads_change_nothing(family):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 18, 3), dtype=np.uint8)
    for call in (family.expand, functools.partial(family.sample, rng=3)):
        one, many = call(images, threads=1), call(images, threads=3)
        assert np.array_equal(getattr(one, "images", one), getattr(many, "images", many))
        with pytest.raises(ValueError, match="^threads: "):
            call(images, threads=0)


def test_registry():
    names = {"translate": A.Translate, "rotate": A.Rotate, "crop": A.Crop, "compose": A.Compose}
    names |= {"random_translate": A.RandomTranslate, "random_rotate": A.RandomRotate, "random_flip": A.RandomFlip}
    names |= {"random_affine": A.RandomAffine, "random_crop": A.RandomCrop, "random_variant": A.RandomVariant}
    names |= {"random_resized_crop": A.RandomResizedCrop}
    assert names.items() <= A.AUGMENTATIONS.items()
    assert all(hasattr(known, "sample") for known in A.AUGMENTATIONS.values())
    with pytest.raises(ValueError, match="'crop' is registered already"):
        A.register("crop")(A.Translate)
    with pytest.raises(TypeError, match="name: "):
        A.register(A.Crop)
    assert A.AUGMENTATIONS["crop"] is A.Crop


X = np.zeros((3, 8, 8), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: A.Translate(0), ValueError, "magnitude: "),
        (lambda: A.Translate("3"), TypeError, "magnitude: "),
        (lambda: A.Translate(np.inf), ValueError, "magnitude: "),
        (lambda: A.Translate(3, interpolation="area"), ValueError, "interpolation: "),
        (lambda: A.Translate(3, border="none"), ValueError, "border: "),
        (lambda: A.Translate(3, arithmetic="opencv4", border="wrap"), ValueError, "border: "),
        (lambda: A.Rotate(0, 4), ValueError, "max_degrees: "),
        (lambda: A.Rotate(1e308, 4), ValueError, "max_degrees: "),
        (lambda: A.Rotate(5, 1), ValueError, "steps: "),
        (lambda: A.Rotate(5, 4.0), TypeError, "steps: "),
        (lambda: A.Rotate(5, 4, direction="left"), ValueError, "direction: "),
        (lambda: A.Crop([]), ValueError, "sizes: "),
        (lambda: A.Crop(0), ValueError, "sizes: "),
        (lambda: A.Crop(1.5), TypeError, "sizes: "),
        (lambda: A.Crop([[1]]), ValueError, "sizes: "),
        (lambda: A.Crop(2, arithmetic="opencv4", interpolation="bicubic"), ValueError, "interpolation: "),
        (lambda: A.Crop(4).expand(X), ValueError, "px: "),
        (lambda: A.Crop(2).expand(X, np.zeros(2)), ValueError, "labels: "),
        (lambda: A.Crop(2).expand(X.astype(int)), TypeError, "images: "),
        (lambda: A.Crop(2).sample(X, -1), ValueError, "rng: "),
        (lambda: A.Crop(2).sample(X, "seed"), TypeError, "rng: "),
        (lambda: A.Crop(2).sample(X, 1, epoch=-1), ValueError, "epoch: "),
        (lambda: A.Crop(2).sample(X, 1, indices=[0, 1]), ValueError, "indices: "),
        (lambda: A.Crop(2).sample(X, 1, indices=[0, 1, -1]), ValueError, "indices: "),
        (lambda: A.Crop(2).sample(X, 1, indices=[0.0, 1, 2]), TypeError, "indices: "),
        (lambda: A.Rotate(5, 4, arithmetic="opencv4").sample(X.astype("f4"), 1), ValueError, "images: "),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call()
