"""Products of settings, and the presets together."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytest.importorskip("pydantic")
from augcore.experiments.config import ConfigError
from augcore.experiments.grid import product


def test_every_combination_has_a_name() -> None:
    found = product({"rounds": 2}, ["C=1,10", "seed=0,1"])
    assert found == {
        "C=1,seed=0": {"rounds": 2, "C": 1, "seed": 0},
        "C=1,seed=1": {"rounds": 2, "C": 1, "seed": 1},
        "C=10,seed=0": {"rounds": 2, "C": 10, "seed": 0},
        "C=10,seed=1": {"rounds": 2, "C": 10, "seed": 1},
    }


def test_without_a_grid_there_is_one_experiment_in_the_folder_itself() -> None:
    assert product({"rounds": 2}, []) == {"": {"rounds": 2}}


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("sizes=[1,10],[5]", "sizes", [[1, 10], [5]]),
        ("model=cnn,lenet5", "model", ["cnn", "lenet5"]),
        ('model="a,b","c"', "model", ["a,b", "c"]),
        ("test_set=expanded, plain", "test_set", ["expanded", "plain"]),
        ("C=1e-2,100.0", "C", [0.01, 100.0]),
        ("n_train=none,100", "n_train", [None, 100]),
    ],
)
def test_values(text: str, key: str, values: list[Any]) -> None:
    assert [settings[key] for settings in product({}, [text]).values()] == values


def test_dotted_keys_reach_into_tables() -> None:
    found = product({"rotate": {"steps": 4}}, ["rotate.max_degrees=5.0,9.0"])
    assert [settings["rotate"] for settings in found.values()] == [
        {"steps": 4, "max_degrees": 5.0},
        {"steps": 4, "max_degrees": 9.0},
    ]


@pytest.mark.parametrize("text", ["dataset=npz:/tmp/../x.npz,folder:~/a b", "model=../../up,./.hidden"])
def test_names_stay_within_the_folder(text: str) -> None:
    for name in product({}, [text]):
        assert re.fullmatch(r"[A-Za-z0-9=,._+-]+", name)
        assert not name.startswith(("-", "."))


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (["C"], "--grid 'C': expected key=value,value"),
        (["C="], "--grid 'C=': expected key=value,value"),
        (["=1,2"], "--grid '=1,2': expected key=value,value"),
        ([""], "--grid '': expected key=value,value"),
        (["C=1", "C=2"], "C: is in the grid twice"),
        (["C=1,1"], "C=1: two experiments"),
        (["model=a/b,a:b"], "model=a-b: two experiments"),
        (["seed=" + ",".join(map(str, range(40))), "C=" + ",".join(map(str, range(1, 40)))], "make 1560 experiments"),
    ],
)
def test_what_is_no_grid_is_refused(grid: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        product({}, grid)
    assert message in str(caught.value)
