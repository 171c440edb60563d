"""Warps by functions: Numba, C pointers and Python callables against the reference and against each other."""

from __future__ import annotations

import ctypes
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from conftest import THREADS

from augcore import augmentations as A
from augcore import reference
from augcore import transforms as T

DTYPES = ("uint8", "uint16", "float32", "float64")
SHAPES = [(1, 1, 1), (1, 7, 2), (6, 1, 1), (9, 11, 4)]


def swirl(x, y, params):
    """Turns by params[2] at the centre (params[0], params[1]), by less the farther away, on the scale params[3]."""
    dx, dy = x - params[0], y - params[1]
    angle = params[2] * np.exp(-np.sqrt(dx * dx + dy * dy) / params[3])
    cosine, sine = np.cos(angle), np.sin(angle)
    return params[0] + (cosine * dx - sine * dy), params[1] + (sine * dx + cosine * dy)


def affine(x, y, params):
    return params[0] * x + (params[1] * y + params[2]), params[3] * x + (params[4] * y + params[5])


def hostile(x, y, params):
    """NaN, infinities, huge and tiny numbers, by the pixel."""
    kind = int(x + 7 * y) % 8
    if kind == 0:
        return np.nan, y
    if kind == 1:
        return x, np.inf
    if kind == 2:
        return -np.inf, y
    if kind == 3:
        return 1e300, -1e300
    if kind == 4:
        return x, 2.0**53
    if kind == 5:
        return -(2.0**80), 1e-310
    if kind == 6:
        return x / (y - y), y
    return x, y


def failing(x, y, params):
    if x > 3:
        raise ArithmeticError("too far to the right")
    return x, y


def beyond(x, y, params):
    return x + params[4], y


NATIVE = {f.__name__: T.warp_function(f) for f in (swirl, affine, hostile, failing, beyond)}
identity = T.warp_function(lambda x, y, params: (x, y))


def noise(shape, dtype="uint8"):
    rng = np.random.default_rng(3)
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return rng.normal(0, 100, shape).astype(dtype)


def by_python(*arguments, **keywords):
    with pytest.warns(RuntimeWarning, match="^function: a Python function is slow.*warp_function"):
        return T.warp(*arguments, **keywords)


def positions(function, params, size):
    """What native code computes, pixel by pixel, through its own pointer: (pixels,) each, limited."""
    source, values = (ctypes.c_double * 2)(), (ctypes.c_double * len(params))(*params)
    found = []
    for y in range(size[0]):
        for x in range(size[1]):
            assert function.ctypes(float(x), float(y), values, len(params), source) == 1
            found.append(source[:])
    limit = reference.MAX_POSITION
    found = np.array(found).reshape(-1, 2)
    return np.minimum(np.where(found > -limit, found, -limit), limit).T


def same(got, want):
    __tracebackhide__ = True
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    equal = (got == want) | (np.isnan(got) & np.isnan(want))
    assert equal.all(), f"{np.count_nonzero(~equal)} of {equal.size} elements differ"


# ---- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["swirl", "affine", "hostile"])
@pytest.mark.parametrize("interpolation", T.INTERPOLATIONS)
@pytest.mark.parametrize("border", T.BORDERS)
def test_native_warps_equal_the_reference(border, interpolation, name):
    params = np.array([4.0, 3.0, 2.0, 3.0, 0.7, 1.1])
    for dtype in DTYPES:
        for shape in SHAPES:
            images = noise((2, *shape), dtype)
            fill = np.arange(1.0, 1 + shape[2]) * 9
            for size in (shape[:2], (5, 8)):
                at = positions(NATIVE[name], params, size)
                exact = images.astype(np.float64) if dtype == "uint8" else images
                want = [reference.sample(image, *at, interpolation, border, fill) for image in exact]
                want = np.stack(want).reshape(2, *size, shape[2])
                got = T.warp(
                    images, NATIVE[name], params, size=size, interpolation=interpolation, border=border,
                    fill=tuple(fill),
                )  # fmt: skip
                if dtype == "uint8":  # mixed in float32: as near to the reference as rounding allows
                    assert np.abs(got - np.clip(want, 0, 255)).max() <= 0.5 + 1e-3
                else:
                    same(got, want)


def test_a_swirl_is_what_its_formula_says():
    """Against the formula in NumPy: the same pixels but where the last bits of sine and exponential decide."""
    images = noise((3, 32, 32, 3), "float64")
    params = (15.5, 15.5, 2.5, 8.0)
    y, x = np.mgrid[:32, :32].astype(np.float64)
    at = [axis.ravel() for axis in swirl(x, y, params)]
    want = np.stack([reference.sample(image, *at, "bilinear", "edge", np.zeros(3)) for image in images])
    got = T.warp(images, NATIVE["swirl"], params)
    np.testing.assert_allclose(got, want.reshape(images.shape), rtol=0, atol=1e-10)
    assert np.abs(got - images).max() > 100


@pytest.mark.parametrize("interpolation", T.INTERPOLATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_identity_gives_the_same_bytes(dtype, interpolation):
    images = noise((2, 8, 9, 3), dtype)
    if dtype.startswith("float"):
        images[0, 1, 2], images[1, 3, 3] = np.nan, -np.inf
    for border in T.BORDERS:
        got = T.warp(images, identity, interpolation=interpolation, border=border)
        assert got.tobytes() == images.tobytes()


@pytest.mark.parametrize("interpolation", T.INTERPOLATIONS)
@pytest.mark.parametrize("border", T.BORDERS)
def test_an_affine_function_equals_warp_affine(border, interpolation):
    """Numba fuses no multiplication with an addition, so the positions have the same bits."""
    how = {"interpolation": interpolation, "border": border, "fill": 77}
    for dtype in DTYPES:
        images = noise((3, 21, 70, 2), dtype)
        for matrix in (
            [[0.9, 0.44, -1.2], [-0.44, 0.9, 2.3]],
            [[1, 0, 2.25], [0, 1, -0.5]],
            [[3, 0.1, -9], [1, -2, 30]],
        ):
            want = T.warp_affine(images, matrix, inverse=True, **how)
            assert T.warp(images, NATIVE["affine"], np.ravel(matrix), **how).tobytes() == want.tobytes()


def test_large_images_are_cut_into_cells():
    for shape in [(2, 130, 90, 1), (1, 1, 9000, 2), (1, 9000, 1, 1), (2, 3, 3, 5000)]:
        images = noise(shape)
        params = [0.9, 0.1, 1, -0.1, 0.8, 2]
        want = T.warp_affine(images, np.reshape(params, (2, 3)), inverse=True)
        assert T.warp(images, NATIVE["affine"], params).tobytes() == want.tobytes()
        assert by_python(images, affine, params).tobytes() == want.tobytes()


# ---- the kinds of functions ------------------------------------------------------------------------------------------


affine_position = numba.njit(affine)


@numba.cfunc(T.warp_signature())
def raw_affine(x, y, params, n_params, source):
    source[0], source[1] = affine_position(x, y, numba.carray(params, n_params))
    return 1


PARAMS = np.array([0.8, 0.3, -1, -0.2, 0.9, 2.5])
EACH = PARAMS + np.random.default_rng(0).normal(0, 0.1, (40, 6))
KINDS = {
    "numba.cfunc": raw_affine,
    "ctypes pointer": raw_affine.ctypes,
    "address": T.WarpPointer(raw_affine.address),
    "compiled before": T.warp_function(numba.njit(affine)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_of_native_functions_agree(kind):
    images = noise((40, 9, 14, 3))
    for params in (PARAMS, EACH):
        want = T.warp(images, NATIVE["affine"], params)
        assert T.warp(images, KINDS[kind], params).tobytes() == want.tobytes()


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_python_function_gives_the_same_bytes(layout):
    fills = np.random.default_rng(1).integers(0, 255, (40, 3)).astype(float)
    for dtype in DTYPES:
        images = noise((40, 3, 9, 3), dtype)
        for params in (PARAMS, EACH):
            for interpolation, border, fill in (("bilinear", "constant", fills), ("bicubic", "wrap", 0)):
                how = {"interpolation": interpolation, "border": border, "fill": fill, "size": (7, 12)}
                want = T.warp(images, NATIVE["affine"], params, layout=layout, **how)
                assert by_python(images, affine, params, layout=layout, **how).tobytes() == want.tobytes()


def test_python_positions_are_limited_and_broadcast():
    images = noise((2, 6, 7, 3))
    for at in (np.nan, np.inf, -np.inf, 1e300, -1e300):
        for border in T.BORDERS:
            for interpolation in T.INTERPOLATIONS:
                how = {"interpolation": interpolation, "border": border, "fill": 5}
                got = by_python(images, lambda x, y, params, at=at: (at, y), **how)
                far = np.clip(np.nan_to_num(at, nan=-1e300), -(2.0**50), 2.0**50)
                want = T.warp(images, NATIVE["affine"], [0, 0, far, 0, 1, 0], **how)
                assert got.tobytes() == want.tobytes()
    rows = by_python(images, lambda x, y, params: (x[:1], [[2]] * 6))
    assert np.array_equal(rows, np.repeat(images[:, 2:3], 6, axis=1))


def test_a_python_function_is_called_once_or_for_each_image():
    images = noise((5, 4, 6, 2))
    seen = []

    def spoil(x, y, params):
        seen.append((x.shape, y.shape, x.dtype, params.copy()))
        place = x.copy(), y.copy()
        x[:], y[:], params[:] = 0, 0, 0
        return place

    params = np.arange(10.0).reshape(5, 2)
    assert np.array_equal(by_python(images, spoil, params), images)
    assert np.array_equal(params, np.arange(10.0).reshape(5, 2))
    assert [call[3].tolist() for call in seen] == params.tolist()
    assert {call[:3] for call in seen} == {((4, 6), (4, 6), np.dtype("float64"))}
    seen.clear()
    by_python(images, spoil, [1, 2], size=(3, 9), layout="NCHW")
    assert [call[0] for call in seen] == [(3, 9)]


def test_a_warp_function_is_still_a_function():
    @T.warp_function
    def wave(x, y, params):
        """Moves rows."""
        return x + params[0] * math.sin(y), y

    assert wave(1.0, 0.0, [3.0]) == (1.0, 0.0)
    assert (wave.__name__, wave.__doc__, wave.__module__) == ("wave", "Moves rows.", __name__)
    assert "wave" in repr(wave)
    assert isinstance(wave, T.WarpFunction)


# ---- what must not change a bit --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_and_batches_do_not_change_a_bit(dtype):
    images = noise((300, 12, 11, 3), dtype)
    each = np.array([5, 6, 0, 4.0]) + np.random.default_rng(0).normal(0, 1, (300, 1)) * [0, 0, 1, 0]
    for params in (each[0], each):
        want = T.warp(images, NATIVE["swirl"], params, threads=1)
        for threads in THREADS:
            assert T.warp(images, NATIVE["swirl"], params, threads=threads).tobytes() == want.tobytes()
        single = [
            T.warp(images[i : i + 1], NATIVE["swirl"], params if params.ndim == 1 else params[i]) for i in range(50)
        ]
        assert np.concatenate(single).tobytes() == want[:50].tobytes()


def test_layouts_give_the_same_bytes():
    images = noise((6, 8, 9, 3), "uint16")
    planar = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    each = np.array([4, 4, 0, 3.0]) + np.arange(6)[:, np.newaxis] * [0, 0.1, 0.3, 0]
    for params in (each[2], each):
        for fill in (3, (1, 2, 3), np.arange(6.0), np.arange(18.0).reshape(6, 3)):
            want = T.warp(images, NATIVE["swirl"], params, border="constant", fill=fill)
            for values in (np.asfortranarray(images), images[::-1].copy()[::-1], images.astype(">u2")):
                assert T.warp(values, NATIVE["swirl"], params, border="constant", fill=fill).tobytes() == want.tobytes()
            got = T.warp(planar, NATIVE["swirl"], params, border="constant", fill=fill, layout="NCHW")
            assert np.moveaxis(got, 1, -1).tobytes() == want.tobytes()


def test_out_is_used_and_returned():
    images = noise((3, 8, 9))
    out = np.zeros((3, 5, 6), np.uint8)
    assert T.warp(images, NATIVE["swirl"], [4, 4, 1, 3], size=(5, 6), out=out) is out
    assert np.array_equal(out, T.warp(images, NATIVE["swirl"], [4, 4, 1, 3], size=(5, 6)))
    with pytest.raises(ValueError, match="^out: "):
        T.warp(images, identity, out=images)


@pytest.mark.parametrize("shape", [(0, 4, 5, 3), (0, 4, 5), (2, 4, 5, 0), (2, 0, 5, 1), (2, 4, 0)])
def test_empty_batches(shape):
    images = np.zeros(shape, np.uint8)
    assert T.warp(images, identity).shape == shape
    assert T.warp(images, identity, np.zeros((shape[0], 3))).shape == shape
    assert by_python(images, swirl, (1, 2, 3, 4)).shape == shape
    if 0 in shape[1:3]:
        with pytest.raises(ValueError, match="^images: have no pixels"):
            T.warp(images, identity, size=(2, 2))


# ---- what is refused -------------------------------------------------------------------------------------------------

X = np.zeros((2, 4, 5, 3), np.uint8)
t = numba.types
WRONG = {
    "tuple": t.UniTuple(t.float64, 2)(t.float64, t.float64, t.CPointer(t.float64)),
    "no status": t.void(t.float64, t.float64, t.CPointer(t.float64), t.int64, t.CPointer(t.float64)),
    "float32": t.intc(t.float32, t.float64, t.CPointer(t.float64), t.int64, t.CPointer(t.float64)),
    "float pointer": t.intc(t.float64, t.float64, t.CPointer(t.float32), t.int64, t.CPointer(t.float64)),
    "short": t.intc(t.float64, t.float64, t.CPointer(t.float64), t.CPointer(t.float64)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_signature_is_a_type_error(name):
    bodies = {
        "tuple": lambda x, y, params: (x, y),
        "no status": lambda x, y, params, n, source: None,
        "short": lambda x, y, params, source: 1,
    }
    function = numba.cfunc(WRONG[name])(bodies.get(name, lambda x, y, params, n, source: 1))
    with pytest.raises(TypeError, match="^function: expected .*int .double x, double y, const double. params, int64_t"):
        T.warp(X, function)


@pytest.mark.parametrize("function", [3, None, "swirl", raw_affine.address])
def test_what_cannot_be_called_is_a_type_error(function):
    with pytest.raises(TypeError, match="^function: expected a function"):
        T.warp(X, function)
    with pytest.raises(TypeError, match="^function: expected a function"):
        T.warp_function(function)


def test_other_pointers_are_refused():
    for pointer in (ctypes.CDLL(None).abs, ctypes.CFUNCTYPE(None)(lambda: None)):
        with pytest.raises(TypeError, match="^function: expected .* got a pointer to"):
            T.warp(X, pointer)
    with pytest.raises(ValueError, match="^function: is a null pointer"):
        T.warp(X, T.WarpPointer(0))


REFUSED = [
    (lambda: T.warp(X, identity, np.ones((3, 2))), ValueError, r"params: expected shape \(k,\) or \(2, k\)"),
    (lambda: T.warp(X, identity, np.ones((2, 2, 2))), ValueError, "params: expected shape"),
    (lambda: T.warp(X, identity, [1, np.nan]), ValueError, "params: contains NaN"),
    (lambda: T.warp(X, identity, ["a"]), TypeError, "params: expected"),
    (lambda: T.warp(X, identity, [True]), TypeError, "params: expected"),
    (lambda: T.warp(X, identity, size=(0, 3)), ValueError, "size: "),
    (lambda: T.warp(X, identity, interpolation="area"), ValueError, "interpolation: "),
    (lambda: T.warp(X, identity, border="none"), ValueError, "border: "),
    (lambda: T.warp(X, identity, fill=300), ValueError, "fill: "),
    (lambda: T.warp(X, identity, threads=0), ValueError, "threads: "),
    (lambda: T.warp(X, identity, layout="HWC"), ValueError, "layout: "),
    (lambda: T.warp(X.astype(int), identity), TypeError, "images: "),
    (lambda: T.warp_function(lambda x, y: (x, y)), TypeError, r"function: Numba cannot compile it as \(x, y, params\)"),
    (lambda: T.warp_function(lambda x, y, params: x), TypeError, "function: Numba cannot compile"),
    (lambda: T.warp_function(lambda x, y, params: (x, "y")), TypeError, "function: Numba cannot compile"),
    (lambda: T.warp_function(lambda x, y, params: (x, y, y)), TypeError, "function: Numba cannot compile"),
]


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_bad_arguments_are_refused(index):
    call, error, message = REFUSED[index]
    with pytest.raises(error, match=f"^{message}"):
        call()


BAD_RESULTS = {
    "nothing": (lambda x, y, params: None, TypeError, "function: must return a pair"),
    "number": (lambda x, y, params: 3.0, TypeError, "function: must return a pair"),
    "three": (lambda x, y, params: (x, y, y), ValueError, "function: must return a pair .* got 3 values"),
    "shape": (
        lambda x, y, params: (x, y[:, :2]),
        ValueError,
        r"function: .*broadcast to shape \(4, 5\), got .*\(4, 2\)",
    ),
    "more": (lambda x, y, params: (x, np.stack([y, y])), ValueError, "function: .*broadcast"),
    "complex": (lambda x, y, params: (x + 1j, y), TypeError, "function: .*complex128"),
    "strings": (lambda x, y, params: ("a", y), TypeError, "function: "),
    "ragged": (lambda x, y, params: (x, [[1], [1, 2]]), TypeError, "function: "),
}


@pytest.mark.parametrize("name", BAD_RESULTS)
def test_bad_results_of_python_functions_are_refused(name):
    function, error, message = BAD_RESULTS[name]
    with pytest.raises(error, match=f"^{message}"):
        by_python(X, function)


def test_exceptions_come_through():
    def stop(x, y, params):
        raise LookupError(params[0])

    with pytest.raises(LookupError, match=r"^7\.0$"):
        by_python(X, stop, [7])
    for threads in THREADS:
        with pytest.raises(ArithmeticError, match="^too far to the right$"):
            T.warp(noise((200, 9, 9)), NATIVE["failing"], threads=threads)
    with pytest.raises(IndexError, match="index 4 is out of bounds"):
        T.warp(X, NATIVE["beyond"], np.ones((2, 4)))
    assert T.warp(X[:, :, :4], NATIVE["failing"]).shape == (2, 4, 4, 3)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_failure_of_c_code_names_the_pixel(threads):
    @numba.cfunc(T.warp_signature())
    def refuse(x, y, params, n_params, source):
        source[0], source[1] = x, y
        return 0 if (params[0] == 3.0 and x == 2.0 and y == 1.0) else -1

    images = noise((5, 4, 5, 4))
    params = np.arange(5.0)[:, np.newaxis]
    with pytest.raises(ValueError, match="^function: failed at the pixel x=2, y=1 of image 3$"):
        T.warp(images, refuse, params, threads=threads)
    with pytest.raises(ValueError, match="^function: failed at the pixel x=2, y=1 of image 3$"):
        T.warp(images, refuse, params, threads=threads, layout="NCHW")
    with pytest.raises(ValueError, match="^function: failed at the pixel x=2, y=1$"):
        T.warp(images, refuse, [3], threads=threads)
    assert T.warp(images, refuse, [2]).tobytes() == images.tobytes()


def test_a_position_that_is_not_written_is_far_outside():
    @numba.cfunc(T.warp_signature())
    def idle(x, y, params, n_params, source):
        if x > 0:
            source[0], source[1] = x, y
        return 1

    images = noise((2, 4, 5))
    got = T.warp(images, idle, border="constant", fill=9)
    assert (got[..., 0] == 9).all()
    assert np.array_equal(got[..., 1:], images[..., 1:])


# ---- the step of a pipeline ------------------------------------------------------------------------------------------


def lean(x, y, params):
    return x + params[0] * y + params[1], y


def lean_back(x, y, params):
    return x - params[0] * y - params[1], y


LEAN, LEAN_BACK = T.warp_function(lean), T.warp_function(lean_back)
PIXELS = noise((30, 10, 12, 3))


@pytest.fixture
def registered():
    """Functions in WARPS under the names lean and lean_back, for one test."""
    A.register_warp("lean", LEAN)
    A.register_warp("lean_back", LEAN_BACK)
    yield
    del A.WARPS["lean"], A.WARPS["lean_back"]


@pytest.mark.parametrize("function", [LEAN, lean], ids=["native", "python"])
def test_a_step_draws_params_for_each_image(function):
    step = A.Warp(function, [(-0.3, 0.3), A.Choice([-1, 0.5, 2])], interpolation="bicubic", border="constant", fill=9)
    if function is lean:
        with pytest.warns(RuntimeWarning, match="slow"):
            result = step(PIXELS, 7)
    else:
        result = step(PIXELS, 7)
    params = result.parameters.steps[0]["params"]
    assert params.shape == (30, 2)
    assert -0.3 <= params[:, 0].min() < -0.1 < 0.1 < params[:, 0].max() <= 0.3
    assert all(np.ptp(params[params[:, 1] == value, 0]) > 0.3 for value in (-1, 0.5, 2))  # drawn apart
    want = T.warp(PIXELS, LEAN, params, interpolation="bicubic", border="constant", fill=9)
    assert result.images.tobytes() == want.tobytes()


def test_a_step_in_a_pipeline():
    step = A.Warp(LEAN, [(-0.5, 0.5), 1.0], p=0.6)
    pipeline = A.Compose([A.RandomRotate((-20, 20)), step, A.RandomRotate((-20, 20))])
    result = pipeline(PIXELS, 3, masks=PIXELS[..., 0] > 99)
    part = pipeline(PIXELS[11:17], 3, indices=np.arange(11, 17))
    assert part.images.tobytes() == result.images[11:17].tobytes()
    again = pipeline.replay(A.Parameters.from_json(result.parameters.to_json()), PIXELS, masks=PIXELS[..., 0] > 99)
    assert again.images.tobytes() == result.images.tobytes()
    assert again.masks.tobytes() == result.masks.tobytes()
    applied = result.parameters.steps[1]["applied"]
    assert 5 < applied.sum() < 28
    turns = [drawn["degrees"] for drawn in (result.parameters.steps[0], result.parameters.steps[2])]
    images = T.rotate(PIXELS, turns[0])  # a warp is never joined with its neighbours
    images[applied] = T.warp(images[applied], LEAN, result.parameters.steps[1]["params"][applied])
    assert T.rotate(images, turns[1]).tobytes() == result.images.tobytes()


def test_a_step_without_params_is_replayed():
    pipeline = A.Compose([A.Warp(T.warp_function(lambda x, y, params: (11 - x, y)), p=0.5)])
    result = pipeline(PIXELS, 0)
    applied = result.parameters.steps[0]["applied"]
    assert np.array_equal(result.images[applied], PIXELS[applied][:, :, ::-1])
    again = pipeline.replay(A.Parameters.from_json(result.parameters.to_json()), PIXELS)
    assert again.images.tobytes() == result.images.tobytes()


def test_masks_keep_their_values():
    masks = np.random.default_rng(0).choice(np.array([-70000, 3, 12]), (30, 10, 12))
    result = A.Warp(LEAN, [0.2, 0.5], border="constant")(PIXELS, 0, masks=masks, mask_fill=-1)
    assert result.masks.dtype == masks.dtype
    assert set(np.unique(result.masks)) == {-70000, -1, 3, 12}


@pytest.mark.parametrize("back", [LEAN_BACK, lean_back, raw_affine], ids=["native", "python", "cfunc"])
def test_points_and_boxes_follow_by_the_inverse(back):
    params = [(-0.4, 0.4), (-3, 3)] if back is not raw_affine else [1.0, -0.25, 2.0, 0.0, 1.0, 0.0]
    forth = LEAN if back is not raw_affine else NATIVE["affine"]
    step = A.Warp(forth, params, inverse=back, p=0.7)
    rng = np.random.default_rng(2)
    points = [rng.uniform(0, 9, (int(rng.integers(0, 4)), 2)) for _ in range(30)]
    boxes = [[[2.0, 3.0, 6.0, 7.0]]] * 30
    result = step(PIXELS, 5, keypoints=points, boxes=boxes)
    drawn = result.parameters.steps[0]
    for i in range(30):
        slope, shift = (-drawn["params"][i][:2]) if back is not raw_affine else (-0.25, 2.0)
        moves = float(drawn["applied"][i])
        want = points[i] + moves * np.stack([slope * points[i][:, 1] + shift, 0 * points[i][:, 1]], 1)
        np.testing.assert_allclose(result.keypoints[i], want, atol=1e-12)
        ends = [moves * (slope * (y - 0.5) + shift) for y in (3.0, 7.0)]
        want = [max(2 + min(ends), 0), 3, min(6 + max(ends), 12), 7]
        np.testing.assert_allclose(result.boxes[i][0], want, atol=1e-12)


def test_points_are_refused_without_an_inverse():
    for name, value in (("boxes", [[[1, 1, 2, 2]]] * 30), ("keypoints", np.ones((30, 1, 2)))):
        with pytest.raises(ValueError, match=f"^{name}: Warp has no inverse function"):
            A.Warp(LEAN, [0, 1])(PIXELS, **{name: value})


def test_what_an_inverse_raises_comes_through():
    for inverse, error, message in (
        (NATIVE["failing"], ArithmeticError, "too far to the right"),
        (NATIVE["beyond"], IndexError, "index 4 is out of bounds"),
        (lambda x, y, params: x, ValueError, "keypoints: function: must return"),
    ):
        with pytest.raises(error, match=message):
            A.Warp(identity, inverse=inverse)(PIXELS, keypoints=np.full((30, 3, 2), 5))

    @T.WarpPointer
    def refuse(x, y, params, n_params, source):
        return 0

    with pytest.raises(ValueError, match=r"^keypoints: function: failed at the point x=5, y=6\.5$"):
        A.Warp(identity, inverse=refuse)(PIXELS[:1], keypoints=[[[5, 6.5]]])


def test_a_step_is_written_by_the_names_of_its_functions(registered):
    step = A.Warp(LEAN, [A.Normal(0, 0.1), 2], inverse=LEAN_BACK, border="wrap", p=0.25)
    named = A.Warp("lean", [A.Normal(0, 0.1), 2], inverse="lean_back", border="wrap", p=0.25)
    assert step == named
    assert repr(step) == repr(named)
    pipeline = A.Compose([step, A.Warp("lean_back", [0, 1])])
    again = A.Compose.from_json(pipeline.to_json())
    assert again == pipeline
    assert A.Step.from_dict(step.to_dict()) == step
    assert again(PIXELS, 1).images.tobytes() == pipeline(PIXELS, 1).images.tobytes()


def test_a_step_without_a_name_cannot_be_written():
    step = A.Warp(LEAN, [0, 1])
    with pytest.raises(TypeError, match="^function: has no name to be written by"):
        step.to_dict()
    A.register_warp("later", LEAN)
    try:
        assert step.to_dict()["function"] == "later"
        with pytest.raises(TypeError, match="^inverse: has no name"):
            A.Compose([A.Warp(LEAN, [0, 1], inverse=lean)]).to_json()
    finally:
        del A.WARPS["later"]


def test_bad_steps_are_refused(registered):
    for call, error, message in (
        (lambda: A.Warp("swirl"), ValueError, "function: expected one of .*'lean'.*got 'swirl'"),
        (lambda: A.Warp(3), TypeError, "function: expected a function"),
        (lambda: A.Warp(LEAN, inverse="none"), ValueError, "inverse: expected one of"),
        (lambda: A.Warp(LEAN, inverse=T.WarpPointer(0)), ValueError, "inverse: is a null pointer"),
        (lambda: A.Warp(LEAN, inverse=ctypes.CDLL(None).abs), TypeError, "inverse: expected a function made by"),
        (lambda: A.Warp(LEAN, 3), TypeError, "params: expected a sequence"),
        (lambda: A.Warp(LEAN, [1, "a"]), TypeError, r"params\[1\]: expected a number"),
        (lambda: A.Warp(LEAN, [(3, 2)]), ValueError, r"params\[0\].low: must not be above high"),
        (lambda: A.Warp(LEAN, border="no"), ValueError, "border: "),
        (lambda: A.Warp(LEAN, interpolation="area"), ValueError, "interpolation: "),
        (lambda: A.Warp(LEAN, fill=np.nan), ValueError, "fill: "),
        (lambda: A.Warp(LEAN, p=2), ValueError, "p: "),
        (lambda: A.register_warp("lean", LEAN), ValueError, "name: 'lean' is registered already"),
        (lambda: A.register_warp("", LEAN), TypeError, "name: "),
        (lambda: A.register_warp("new", 3), TypeError, "function: expected a function"),
        (lambda: A.Step.from_dict({"step": "warp"}), ValueError, "function: is missing"),
        (lambda: A.Step.from_dict({"step": "warp", "function": "os.system"}), ValueError, "function: expected one of"),
    ):
        with pytest.raises(error, match=f"^{message}"):
            call()
    assert "new" not in A.WARPS


# ---- threads, processes, Ctrl-C --------------------------------------------------------------------------------------


def test_a_callback_into_python_may_come_from_any_thread():
    names = set()

    @T.WarpPointer
    def mirror(x, y, params, n_params, source):
        names.add(threading.get_ident())
        source[0], source[1] = params[0] - x, y
        return 1

    images = noise((40, 20, 30))
    assert np.array_equal(T.warp(images, mirror, np.full((40, 1), 29.0), threads=4), images[..., ::-1])
    assert names


def test_many_threads_may_call_at_once():
    images = noise((20, 16, 16, 3))
    want = T.warp(images, NATIVE["swirl"], [8, 8, 2, 4])
    wrong = []

    def work():
        for _ in range(20):
            wrong.append(not np.array_equal(T.warp(images, NATIVE["swirl"], [8, 8, 2, 4]), want))

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == [False] * 160


def test_native_functions_are_pickled_by_name(run_python, tmp_path):
    (tmp_path / "warps.py").write_text(
        "from augcore import transforms as T\n"
        "@T.warp_function\n"
        "def mirror(x, y, params):\n"
        "    return params[0] - x, y\n"
    )
    code = """
import multiprocessing as mp, numpy as np, functools, warps
from augcore import transforms as T
if __name__ == "__main__":
    x = np.arange(60, dtype=np.uint8).reshape(2, 5, 6)
    for how in ("fork", "spawn"):
        with mp.get_context(how).Pool(1) as pool:
            assert np.array_equal(pool.apply(T.warp, (x, warps.mirror, [5])), x[..., ::-1])
    print("done")
"""
    assert run_python(code, PYTHONPATH=str(tmp_path)).stdout == "done\n"


def test_without_numba_the_extra_is_named(run_python):
    code = """
import sys
sys.modules["numba"] = None
import numpy as np, warnings
from augcore import transforms as T
for call in (T.warp_signature, lambda: T.warp_function(lambda x, y, params: (x, y))):
    try:
        call()
    except ImportError as error:
        print(error)
warnings.simplefilter("ignore")
x = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
print(T.warp(x, lambda x, y, params: (2 - x, y)).tolist())
"""
    message = "numba is not installed; install it with: pip install 'augcore[numba]'\n"
    assert run_python(code).stdout == 2 * message + "[[[2, 1, 0], [5, 4, 3]]]\n"


def test_numba_is_loaded_only_where_it_is_used(run_python):
    code = "import sys; from augcore import transforms; print('numba' in sys.modules)"
    assert run_python(code).stdout == "False\n"


@pytest.mark.parametrize(("threads", "each"), [(1, True), (2, False)])
def test_ctrl_c_stops_a_long_warp(threads, each):
    """A function of about 10 microseconds a pixel, minutes of work in all."""
    code = f"""
import numpy as np, math
from augcore import transforms as T
@T.warp_function
def slow(x, y, params):
    total = 0.0
    for i in range(1000):
        total += math.sin(x + i)
    return x + 0 * total, y
images = np.zeros((100, 600, 600), np.uint8)
params = np.zeros(({100 if each else 1}, 1))[{"slice(None)" if each else 0}]
print("start", flush=True)
try:
    T.warp(images, slow, params, size=(4000, 4000), threads={threads})
except KeyboardInterrupt:
    print("stopped", flush=True)
print(T.warp(images[:1, :3, :3], slow, params[:1]).sum())
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout.readline() == "start\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert output == "stopped\n0\n"
    assert process.returncode == 0


# ---- the page of the documentation -----------------------------------------------------------------------------------

PAGE = Path(__file__).resolve().parent.parent / "docs" / "own_warps.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.S | re.M)


def test_the_page_runs():
    names = {}
    try:
        for code in blocks("python"):
            exec(code, names)
        images, result = names["images"], names["result"]
        assert np.array_equal(names["mirrored"], images[:, :, ::-1])
        assert names["swirled"].shape == images.shape
        assert names["again"] == names["pipeline"]
        there = names["swirl"](7.0, 9.0, (13.5, 12.0, 2.0, 6.0))
        assert names["unswirl"](*there, (13.5, 12.0, 2.0, 6.0)) == pytest.approx((7.0, 9.0), abs=1e-12)
        assert np.ptp(result.keypoints, axis=0).min() > 3
    finally:
        for name in ("swirl", "unswirl"):
            A.WARPS.pop(name, None)
    for name in re.findall(r"\]\(([^)]+)\)", PAGE.read_text()):
        assert (PAGE.parent / name).is_file(), name


def test_c_code_as_the_page_declares_it(tmp_path):
    (declaration,) = re.findall(r"^int warp.*(?=;)", blocks("c")[0], re.M)
    (tmp_path / "warp.c").write_text(
        f"#include <stdint.h>\n{declaration} {{\n"
        "  if (n_params != 1) return 0;\n  source[0] = params[0] - x;\n  source[1] = y;\n  return 1;\n}\n"
    )
    library = tmp_path / "warp.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "warp.c"], check=True)
    function = T.WarpPointer(("warp", ctypes.CDLL(str(library))))
    images = noise((3, 5, 6, 2))
    assert np.array_equal(T.warp(images, function, [5]), images[:, :, ::-1])
    with pytest.raises(ValueError, match="^function: failed at the pixel"):
        T.warp(images, function)
