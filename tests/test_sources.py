"""Samples that are read by slices from what is no array of NumPy: it may give something else than it said."""

from __future__ import annotations

import numpy as np
import pytest

from augcore import streaming

N = 3000
X = np.random.default_rng(0).normal(size=(N, 4))
Y = np.arange(N) % 2


class Source:
    """Slices of an array, changed by a function after so many that are read as they are."""

    def __init__(self, values, change, after=0):
        self.values, self.change, self.left = values, change, after
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, rows):
        self.left -= 1
        return self.values[rows] if self.left >= 0 else self.change(self.values[rows])


def _scores(X, y):
    blocks = streaming.Blocks(X, y, rows=512)
    return streaming.score(streaming.fit(blocks), blocks)


def test_a_source_is_as_good_as_its_array():
    assert (_scores(Source(X, np.copy), Source(Y, np.copy)) == _scores(X, Y)).all()


@pytest.mark.parametrize("after", [0, 9])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-5], r"gave 507 samples for those from \d+ to \d+$"),
        (lambda rows: rows[:0], "gave 0 samples"),
        (lambda rows: np.concatenate([rows, rows]), "gave 1024 samples"),
    ],
)
def test_sources_that_give_less_or_more_than_they_said(change, words, after):
    with pytest.raises(ValueError, match=f"^X: {words}"):
        _scores(Source(X, change, after), Y)
    with pytest.raises(ValueError, match=f"^y: {words}"):
        _scores(X, Source(Y, change, after))


def test_features_that_become_nan_once_they_were_checked():
    with pytest.raises(ValueError, match="^X: was changed while it was read"):
        _scores(Source(X, lambda rows: rows * np.nan, 9), Y)
