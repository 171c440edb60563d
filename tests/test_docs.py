"""The README and the pages of the docs: their lines run, and do what they say."""

from __future__ import annotations

import doctest
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from augcore import augmentations as A
from augcore import datasets, features, transforms

ROOT = Path(__file__).resolve().parent.parent
PIPELINES = ROOT / "docs" / "pipelines.md"


def run(page: Path) -> dict:
    """The names that the Python blocks of a page make, one after the other; its links must lead to files."""
    text, names = page.read_text(), {}
    for code in re.findall(r"^```python\n(.*?)^```", text, re.S | re.M):
        exec(code, names)
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)):
        assert (page.parent / link).exists(), link
    return names


def test_the_readme_runs():
    names = run(ROOT / "README.md")
    assert len(names["images"]) == len(names["labels"]) == 1000 + 100 * 4
    assert names["turned"].shape == names["data"].x_test.shape
    assert np.array_equal(names["again"].images, names["batch"].images)
    assert np.bincount(names["clusters"][names["spread"]]).tolist() == [10] * 10


def test_the_page_on_pipelines_runs():
    names = run(PIPELINES)
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


def test_the_page_on_pipelines_knows_every_step():
    steps = {getattr(A, name).__name__ for name in A.__all__ if name == "Warp" or name.startswith("Random")}
    assert steps == set(re.findall(r"`((?:Random|Warp)\w*)\(", PIPELINES.read_text().split("## ")[0]))


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_the_page_on_features_runs():
    pytest.importorskip("keras")
    names = run(ROOT / "docs" / "features.md")
    assert names["network"].name == "lenet5"
    assert names["X"].shape == (4, 256)
    text = (ROOT / "docs" / "features.md").read_text()
    assert all(f'`"{name}"`' in text for name in (*features.NETWORKS, *features.PACKAGED))


def test_the_pages_on_solvers_and_scores_run(capsys):
    names = run(ROOT / "docs" / "solvers.md")
    assert capsys.readouterr().out.startswith("cg ")
    np.testing.assert_allclose(names["again"], names["solution"], rtol=1e-6)
    np.testing.assert_allclose(names["H"] @ names["again"], names["V"], atol=1e-9)
    assert names["product"].shape == (21, 3)
    assert names["estimate"].shape == names["standard_error"].shape == (1000,)
    assert names["indices"].shape == names["values"].shape == (5, 10)
    assert run(ROOT / "docs" / "alo.md") == {}


def test_the_page_on_gpus_runs(cupy):
    names = run(ROOT / "docs" / "gpu.md")
    images = cupy.asnumpy(names["images"])
    np.testing.assert_array_equal(cupy.asnumpy(names["turned"]), transforms.rotate(images, 10))
    each = transforms.rotate(images, np.linspace(-30, 30, 64))
    assert (cupy.asnumpy(names["each"]) != each).mean() < 1e-3
    np.testing.assert_array_equal(cupy.asnumpy(names["batch"].images), names["pipeline"].sample(images, 0, epoch=3))
    np.testing.assert_array_equal(cupy.asnumpy(names["same"].images), cupy.asnumpy(names["batch"].images))
    assert names["copies"].labels.shape == names["copies"].images.shape[:1] == (5 * 64,)


def test_the_page_on_data_runs():
    names = run(ROOT / "docs" / "data.md")
    with names["kept"]:
        assert set(np.bincount(names["own"].y_train)) == {20}
    text = (ROOT / "docs" / "data.md").read_text()
    assert all(f"| `{name}` |" in text for name in (*datasets.DATASETS, "npz:PATH", "folder:PATH"))


def test_the_examples_of_the_transforms():
    found = doctest.testmod(transforms, extraglobs={"np": np})
    assert found.attempted >= 7
    assert not found.failed


def test_the_page_on_experiments_names_every_setting_and_preset():
    pytest.importorskip("pydantic")
    from augcore.experiments import config, presets

    page = (ROOT / "docs" / "experiments.md").read_text()
    run(ROOT / "docs" / "experiments.md")
    (settings,) = (tomllib.loads(block) for block in re.findall(r"^```toml\n(.*?)^```", page, re.S | re.M))
    parsed = config.parse(settings)
    by_convention = {"convention", "hessian_l2", "damping", "arithmetic", "direction"}
    assert set(settings) | by_convention == set(config.Config.model_fields)
    for name in ("translate", "rotate", "crop", "dpp"):
        assert set(settings[name]) == set(type(getattr(parsed, name)).model_fields)
    named = set(re.findall(r"`([a-z0-9-]+)`", page.split("## Settings")[0]))
    assert {*presets.DATA, *filter(None, presets.DRIVERS)} <= named
    products = {data + driver for data in presets.DATA for driver in presets.DRIVERS}
    assert presets.PRESETS.keys() - products <= named
    scores = re.search(r"^scores = (.*)$", page, re.M).group(1)
    assert set(config.SCORE_NAMES) <= set(re.findall(r"\w+", scores))
