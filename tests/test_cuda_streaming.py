"""Samples of main memory that are fitted and scored on a GPU block by block."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from augcore import scores, streaming
from augcore.linear_model import LogisticRegression
from augcore.streaming import uploads


def made_up(classes: int, dtype: str) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(classes)
    X = rng.normal(size=(1100, 4)).astype(dtype)
    y = np.array(["a", "b", "c"])[rng.permutation(np.arange(1100) % classes)]
    return X, y, rng.uniform(0.1, 2, 1100)


@pytest.fixture(params=["it fits", "it does not fit"])
def room(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether all of X is kept on the card."""
    fits = request.param == "it fits"
    monkeypatch.setattr(uploads, "_SHARE_KEPT", 0.6 if fits else 0.0)
    return fits


@pytest.mark.parametrize(("classes", "dtype"), [(2, "float32"), (2, "float64"), (3, "float64")])
def test_fits_and_scores_are_those_of_memory(cupy: Any, room: bool, classes: int, dtype: str) -> None:
    X, y, weight = made_up(classes, dtype)
    expected = LogisticRegression().fit(X, y, weight)
    blocks = streaming.Blocks(X, y, weight, rows=512, device="cuda")
    model = streaming.fit(blocks, few_passes=True)
    for name in ("coef_", "intercept_"):
        np.testing.assert_allclose(getattr(model, name), getattr(expected, name), rtol=1e-6, atol=1e-7)
    for criterion in ("loo_influence", "loo_loss_change", "leverage"):
        found = streaming.score(expected, streaming.Blocks(X, y, weight, rows=512, device="cuda"), criterion)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, scores.SCORES[criterion](expected, X, y, sample_weight=weight), rtol=1e-8)


def test_any_source_and_any_beginning(cupy: Any, room: bool) -> None:
    X, y, _ = made_up(2, "float64")
    model = LogisticRegression().fit(X, y)
    expected = scores.SCORES["loo_influence"](model, X, y)
    parts = [slice(0, 700), slice(700, 701), slice(701, 1100)]
    blocks = streaming.Blocks.from_iterable(lambda: ((X[rows], y[rows]) for rows in parts), rows=512, device="cuda")
    for samples in (blocks, streaming.Blocks(X[:, ::-1], y, rows=1024, device="cuda")):
        backwards = samples is not blocks
        if backwards:
            model = LogisticRegression().fit(X[:, ::-1], y)
        out = np.full(1100, 7.0)
        streaming.score(model, samples, out=out, first=512)
        np.testing.assert_allclose(out[512:], expected[512:], rtol=1e-6)
        assert (out[:512] == 7.0).all()
        np.testing.assert_allclose(streaming.score(model, samples), expected, rtol=1e-6)


def test_what_is_page_locked_crosses_as_it_is(cupy: Any, room: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if cupy.__name__ != "emulated_cupy":
        pytest.skip("needs a stand-in")
    X, y, _ = made_up(2, "float32")
    locked = SimpleNamespace(type=1)
    monkeypatch.setattr(cupy.cuda.runtime, "pointerGetAttributes", lambda address: locked)
    monkeypatch.setattr(cupy.cuda, "alloc_pinned_memory", None)
    model = LogisticRegression().fit(X, y)
    blocks = streaming.Blocks(X, y, rows=512, device="cuda")
    np.testing.assert_allclose(streaming.score(model, blocks), scores.SCORES["loo_influence"](model, X, y), rtol=1e-6)


def test_what_fits_is_read_once(cupy: Any) -> None:
    X, y, _ = made_up(2, "float32")

    class Counted:
        shape, dtype = X.shape, X.dtype
        reads = 0

        def __getitem__(self, rows: slice) -> Any:
            Counted.reads += 1
            return X[rows]

    streaming.fit(streaming.Blocks(Counted(), y, rows=512, device="cuda"))
    assert Counted.reads == 3


def test_bad_input(cupy: Any, room: bool) -> None:
    X, y, _ = made_up(2, "float64")
    X[1050, 1] = np.nan
    with pytest.raises(ValueError, match=r"^X: contains NaN or infinity$"):
        streaming.fit(streaming.Blocks(X, y, rows=512, device="cuda"))
    with pytest.raises(ValueError, match=r"^device: expected one of 'cuda', got 'tpu'"):
        streaming.Blocks(X, y, device="tpu")
    lengths = iter((1100, 1100, 1101))
    X = np.nan_to_num(X)
    read = lambda: [(np.resize(X, (n, 4)), np.resize(y, n)) for n in (next(lengths),)]  # noqa: E731
    with pytest.raises(ValueError, match=r"^read: gave more than 1100 samples"):
        streaming.fit(streaming.Blocks.from_iterable(read, rows=2048, device="cuda"))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_other_scores(cupy: Any, classes: int) -> None:
    X, y, _ = made_up(classes, "float64")
    model = LogisticRegression().fit(X, y)
    for criterion in ("loss", "margin", "gradient_dot", "gradient_norm", "entropy", "el2n"):
        expected = scores.SCORES[criterion](model, X[:600], y[:600])
        found = scores.SCORES[criterion](model, cupy.asarray(X[:600]), y[:600])
        assert isinstance(found, cupy.ndarray)
        np.testing.assert_allclose(cupy.asnumpy(found), expected, rtol=1e-9, atol=1e-12)
        by_blocks = streaming.score(model, streaming.Blocks(X[:600], y[:600], rows=512, device="cuda"), criterion)
        np.testing.assert_allclose(by_blocks, expected, rtol=1e-9, atol=1e-12)
