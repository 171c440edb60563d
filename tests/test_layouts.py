"""layout="NCHW" gives the bytes of the NHWC call on the transposed images, for every transform."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from conftest import THREADS

from augcore import transforms as T

N, H, W, C = 4, 7, 10, 3
RNG = np.random.default_rng(5)
VECTOR = RNG.uniform(-3, 3, N)
CENTERS = RNG.uniform(0, 6, (N, 2))
MATRICES = np.eye(3) + RNG.normal(0, 0.02, (N, 3, 3))
RECTANGLES = np.stack([RNG.integers(0, 3, N), RNG.integers(0, 3, N), RNG.integers(2, 5, N), RNG.integers(2, 8, N)], 1)
FILLS = {
    "number": 7,
    "tuple": (1, 2, 3),
    "equal tuple": (4, 4, 4),
    "per image": np.arange(4.0),
    "per image and channel": np.arange(12.0).reshape(4, 3),
}
# Name -> call; each is made with shared parameters and with one per image.
CALLS = {
    "translate": lambda x, **k: T.translate(x, 1.5, -2, **k),
    "translate whole": lambda x, **k: T.translate(x, np.rint(VECTOR), 3, **k),
    "translate each": lambda x, **k: T.translate(x, VECTOR, 1, border="wrap", **k),
    "rotate": lambda x, **k: T.rotate(x, 20, **k),
    "rotate each": lambda x, **k: T.rotate(x, VECTOR * 40, center=CENTERS, interpolation="bicubic", **k),
    "rotate opencv4": lambda x, **k: T.rotate(x, VECTOR * 40, arithmetic="opencv4", **k),
    "crop": lambda x, **k: T.crop(x, (1, 0, 2, 3), **k),
    "crop each": lambda x, **k: T.crop(x, np.arange(N) % 3, interpolation="area", **k),
    "crop opencv4": lambda x, **k: T.crop(x, np.arange(N) % 3, interpolation="area", arithmetic="opencv4", **k),
    "crop and keep": lambda x, **k: T.crop(x, np.stack([np.arange(N)] * 4, 1) % 2 + [0, 1, 2, 0], **k),
    "crop to less": lambda x, **k: T.crop(x, 2, keep_size=False, **k),
    "flip": lambda x, **k: T.flip(x, "both", **k),
    "resize": lambda x, **k: T.resize(x, (5, 13), **k),
    "resized_crop": lambda x, **k: T.resized_crop(x, (1, 2, 5, 6), (9, 4), **k),
    "resized_crop each": lambda x, **k: T.resized_crop(x, RECTANGLES, (9, 4), **k),
    "warp_affine": lambda x, **k: T.warp_affine(x, MATRICES[0], size=(8, 5), **k),
    "warp_affine each": lambda x, **k: T.warp_affine(x, MATRICES, border="reflect", **k),
}


def images(dtype="uint8", shape=(N, H, W, C)):
    return (np.random.default_rng(1).random(shape) * 255).astype(dtype)


def nchw(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_nchw_gives_the_bytes_of_nhwc(name, dtype):
    if "opencv4" in name and dtype != "uint8":
        return
    x = images(dtype)
    want = nchw(CALLS[name](x))
    for threads in THREADS:
        got = CALLS[name](nchw(x), layout="NCHW", threads=threads)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        assert got.tobytes() == want.tobytes()
    assert CALLS[name](x, layout="NHWC").tobytes() == CALLS[name](x).tobytes()


@pytest.mark.parametrize("name", FILLS)
def test_fills_go_to_their_channels(name):
    x = images()
    for degrees in (30, VECTOR * 30):
        want = nchw(T.rotate(x, degrees, border="constant", fill=FILLS[name]))
        got = T.rotate(nchw(x), degrees, border="constant", fill=FILLS[name], layout="NCHW")
        assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("name", CALLS)
def test_out_has_the_layout_of_the_images(name):
    x = nchw(images())
    before = x.copy()
    want = CALLS[name](x, layout="NCHW")
    out = np.zeros_like(want)
    assert CALLS[name](x, layout="NCHW", out=out) is out
    assert out.tobytes() == want.tobytes()
    assert np.array_equal(x, before)
    with pytest.raises(ValueError, match="^out:"):
        CALLS[name](x, layout="NCHW", out=np.moveaxis(out, 1, -1).copy())


@pytest.mark.parametrize("name", CALLS)
def test_any_strides_are_accepted(name):
    x = images()
    planar = nchw(x)
    wide = np.zeros((N, C, H, 2 * W), np.uint8)
    wide[..., ::2] = planar
    want = CALLS[name](planar, layout="NCHW").tobytes()
    for values in (
        np.moveaxis(x, -1, 1),
        np.asfortranarray(planar),
        planar[..., ::-1].copy()[..., ::-1],
        wide[..., ::2],
    ):
        assert CALLS[name](values, layout="NCHW").tobytes() == want


@pytest.mark.parametrize("name", CALLS)
def test_three_dimensions_are_rows_and_columns(name):
    x = images(shape=(N, H, W))
    assert CALLS[name](x, layout="NCHW").tobytes() == CALLS[name](x).tobytes()


@pytest.mark.parametrize("shape", [(0, 3, 5, 6), (2, 0, 5, 6), (2, 3, 0, 6), (2, 1, 5, 0), (1, 1, 1, 1), (1, 3, 1, 5)])
def test_empty_and_tiny_batches(shape):
    x = np.ones(shape, np.uint8)
    n, c = shape[:2]
    fills = np.ones((n, c))
    for call in (
        lambda: T.translate(x, np.full(n, 1.5), 0, border="constant", fill=fills, layout="NCHW"),
        lambda: T.rotate(x, 30, border="constant", fill=(1,) * c, layout="NCHW"),
        lambda: T.flip(x, layout="NCHW"),
    ):
        assert np.array_equal(call(), x)
    if x.shape[2] and x.shape[3]:
        assert T.resize(x, (4, 9), layout="NCHW").shape == (n, c, 4, 9)


@pytest.mark.parametrize("name", [name for name in T.__all__ if inspect.isfunction(getattr(T, name))])
def test_every_function_on_images_has_a_layout(name):
    parameters = inspect.signature(getattr(T, name)).parameters
    if "images" not in parameters:
        assert "layout" not in parameters
        return
    assert parameters["layout"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["layout"].default == "NHWC"
    assert list(parameters)[-3:] == ["layout", "out", "threads"]


def test_bad_layouts_are_refused():
    x = images()
    with pytest.raises(ValueError, match="^layout: .*'CHWN'"):
        T.flip(x, layout="CHWN")
    with pytest.raises(TypeError, match="^layout: "):
        T.resize(x, (3, 3), layout=None)
    with pytest.raises(ValueError, match=r"^images: expected shape \(N, H, W\) or \(N, C, H, W\)"):
        T.rotate(x[0, 0], 5, layout="NCHW")
    with pytest.raises(ValueError, match="^fill: "):
        T.rotate(x, 5, fill=(1, 2, 3), border="constant", layout="NCHW")
    with pytest.raises(ValueError, match="^dx: expected length 4"):
        T.translate(nchw(x), np.ones(12), 0, layout="NCHW")
