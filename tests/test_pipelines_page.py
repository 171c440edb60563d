"""The page on pipelines: its lines run, and do what it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from augcore import augmentations as A

PAGE = Path(__file__).resolve().parent.parent / "docs" / "pipelines.md"
TEXT = PAGE.read_text()


def test_the_page_runs():
    names: dict = {}
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.S | re.M):
        exec(code, names)
    images, pipeline = names["images"], names["pipeline"]
    alone = pipeline.sample(images[names["chosen"][7:8]], rng=0, indices=names["chosen"][7:8], epoch=2)
    assert np.array_equal(alone[0], names["batch"][7])
    assert [len(found) for found in names["boxes"]] == [int(keep.sum()) for keep in names["seen"]] != [0, 0]
    moved, same = names["moved"], names["same"]
    assert same.dtype == np.uint16
    assert same.shape == moved.masks.shape
    assert np.array_equal(names["second"], same[1:])
    assert names["matrices"].shape == (2, 3, 3)
    assert names["moves_again"] == names["moves"]
    assert names["parameters_again"] == moved.parameters
    assert names["turned"].shape == (2, 3, 48, 64)
    assert np.array_equal(names["views"][:100], images[:100])
    assert names["predictions"].shape == (100, 10)
    for link in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (PAGE.parent / link).is_file(), link


def test_the_page_knows_every_step():
    steps = {kind.__name__ for kind in A.AUGMENTATIONS.values() if issubclass(kind, A.Step)}
    assert steps == set(re.findall(r"`((?:Random|Warp)\w*)\(", TEXT.split("## ")[0]))
