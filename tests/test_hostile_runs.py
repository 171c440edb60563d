"""Experiments that cannot be, and folders of runs that hold what they should not: refused by name, before the work."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augcore import FileFormatError, cli, scores
from augcore.experiments import finished, inputs, memory, runner
from augcore.experiments.config import ConfigError, parse, read_toml
from augcore.influence import forms
from augcore.linear_model import LogisticRegression

Change = Callable[[Path], None]


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[..., str]:
    """Writes a data set of images of this shape with these labels, and gives its name."""

    def write(y_train: Any, y_test: Any = (0, 1, 0, 1), shape: tuple[int, ...] = (8, 6)) -> str:
        rng, labels = np.random.default_rng(0), {"y_train": np.array(y_train), "y_test": np.array(y_test)}
        images = {f"x{name[1:]}": rng.integers(0, 256, (len(y), *shape), np.uint8) for name, y in labels.items()}
        np.savez(tmp_path / "set.npz", **images, **labels)
        return f"npz:{tmp_path / 'set.npz'}"

    return write


# ---- settings that do not fit the data -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop": {"sizes": [1, 3]}}, "crop.sizes: 3 pixels .* nothing of images of 8 x 6"),
        ({"model": __file__}, "model: expected one of 'pixels', .*npz"),
        ({"model": "x" * 5000}, "model: expected one of"),
        ({"C": 5e-324}, "C: input should be greater than or equal to 1e-300, got 5e-324"),
        ({"C_grid": [1.0, 5e-324]}, "C_grid.1: "),
        ({"damping": 1.7e308, "hessian_l2": 1.7e308}, "hessian_l2: .* equal to 1e[+]300, got"),
    ],
)
def test_settings_are_refused_before_anything_is_written(
    tiny_settings: dict[str, Any], tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{words}"):
        runner.run(parse(tiny_settings | changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        ({"y_train": [7] * 9, "y_test": [7] * 4}, {}, "dataset: all images of .* are of one class, '7'"),
        ({"y_train": [0] * 9}, {}, "dataset: the training images have none of class '1'"),
        ({"y_train": [0] * 9 + [1] * 3}, {}, "dataset: .* have 3 of class '1', a run takes at least 4"),
        ({"y_train": [0, 0, 0, 1, 1, 1, 2], "y_test": [0, 1, 2]}, {"C_grid": [1.0]}, "dataset: .* have 3 of class '0'"),
    ],
)
def test_too_few_of_a_class(
    tiny_settings: dict[str, Any],
    write_set: Callable[..., str],
    labels: dict[str, Any],
    options: dict[str, Any],
    words: str,
) -> None:
    settings = tiny_settings | {"dataset": write_set(**labels), "sizes": [1], "configurations": []}
    with pytest.raises(ConfigError, match=f"^{words}"):
        inputs.load_data(parse(settings | options))


def test_few_of_many_classes_are_enough(tiny_settings: dict[str, Any], write_set: Callable[..., str]) -> None:
    settings = tiny_settings | {"dataset": write_set([0, 1, 2], [0, 1, 2]), "sizes": [1], "configurations": []}
    assert len(inputs.load_data(parse(settings)).x_train) == 3


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_a_hessian_that_is_too_large_is_refused(
    tiny_settings: dict[str, Any], write_set: Callable[..., str], tmp_path: Path
) -> None:
    """Before anything is allocated, and only where the scores need one."""
    many = tiny_settings | {"dataset": write_set([0, 1, 2] * 4, [0, 1, 2], (101, 101)), "sizes": [1]}
    refused = "^model: 10,201 features and 3 classes make a Hessian of 20,404 rows, .* influence would take 10 GB"
    with pytest.raises(ConfigError, match=refused):
        runner.run(parse(many | {"scores": ["loss", "influence"]}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    config = parse(many | {"scores": ["loss", "gradient_dot"]})
    memory.check_memory(config, inputs.load_data(config), 10_201, jobs=1)


@pytest.mark.parametrize(
    ("changes", "n_features", "jobs", "words"),
    [
        ({"augmentations": ["translate", "rotate"], "rotate": {"steps": 4000}}, 0, 1, "rotate: 70 images with 4,004 "),
        ({}, 40_000, 1, "translate: 70 images with 5 variants each and 40,000 features take "),
        ({}, 500, 4, "translate: "),
    ],
)
def test_what_the_machine_cannot_hold_is_refused(
    tiny_settings: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    n_features: int,
    jobs: int,
    words: str,
) -> None:
    """The machine has 7 MB."""
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1000, "SC_PHYS_PAGES": 7000}.__getitem__)
    config = parse(tiny_settings | {"scores": ["loss"]} | changes)
    data = inputs.load_data(config)
    with pytest.raises(ConfigError, match=f"^{words}.* of memory, and there are 0 GB"):
        memory.check_memory(config, data, n_features, jobs)
    modest = parse(tiny_settings | {"scores": ["loss"]})
    memory.check_memory(modest, data, 400, 1)


def test_features_of_a_network_are_counted_when_they_are_known(
    tiny_settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        inputs, "feature_arrays", lambda *_: iter([("train", np.broadcast_to(np.float32(), (40, 10**9)))])
    )
    with pytest.raises(ConfigError, match=r"^model: 1,000,000,000 features and 2 classes"):
        runner.run(parse(tiny_settings | {"model": "cnn"}), tmp_path / "run")


@pytest.mark.parametrize("score", [scores.loo_influence, scores.loo_loss_change, scores.leverage])
def test_scores_form_no_large_hessian_unasked(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 6)), np.arange(60) % 3
    model = LogisticRegression().fit(X, y)
    monkeypatch.setattr(forms, "DENSE_LIMIT", 13)
    with pytest.raises(ValueError, match=r"^X: the Hessian has 14 rows, .* or model.factor_ first"):
        score(model, X, y)
    assert model.factor_ is not None
    assert np.isfinite(score(model, X, y)).all()


# ---- folders of runs -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def a_run(tiny_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = tiny_settings | {"configurations": ["baseline"], "scores": ["loss"], "augmentations": ["crop"]}
    return runner.run(parse(settings), tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def copy(a_run: Path, tmp_path: Path) -> Path:
    for path in [path for path in a_run.rglob("*") if path.is_file()]:
        target = tmp_path / "copy" / path.relative_to(a_run)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    return tmp_path / "copy"


@pytest.mark.parametrize("name", ["journal.jsonl", "config.json", "arrays/is_sv.npy"])
def test_a_run_reads_no_devices(copy: Path, name: str) -> None:
    """They may have no end, and pipes no begin."""
    config = parse(read_settings(copy))
    (copy / name).unlink()
    (copy / name).symlink_to("/dev/null")
    with pytest.raises(OSError, match="is not a regular file"):
        runner.run(config, copy, resume=True)


@pytest.mark.parametrize("name", ["config.json", "results.csv", "arrays/is_sv.npy"])
def test_a_report_reads_no_devices(copy: Path, name: str) -> None:
    (copy / name).unlink()
    (copy / name).symlink_to("/dev/null")
    with pytest.raises(OSError, match="is not a regular file"):
        finished.read(copy)


def test_settings_are_read_from_no_device() -> None:
    with pytest.raises(OSError, match="is not a regular file"):
        read_toml(Path("/dev/null"))


def read_settings(folder: Path) -> dict[str, Any]:
    from augcore.experiments import results

    return results.read_config(folder)


def test_a_header_that_breaks_its_parser(copy: Path) -> None:
    array = copy / "arrays" / "is_sv.npy"
    array.write_bytes(array.read_bytes().replace(b"'shape': (40,)", b"'shape': (((("))
    with pytest.raises(FileFormatError, match=r"is_sv.npy: has no readable .npy header"):
        finished.read(copy)


def test_another_data_set_is_named_as_such(copy: Path, write_set: Callable[..., str]) -> None:
    settings = read_settings(copy) | {"dataset": write_set(np.arange(40) % 2)}
    with pytest.raises(ConfigError, match=r"^dataset: the run in"):
        runner.run(parse(settings), copy, resume=True)


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def augcore_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Calls `augcore run` in an empty folder; the exit code and what is on stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.app(["run", *arguments], prog_name="augcore")
        return int(ended.value.code or 0), capfd.readouterr().err

    return call


@pytest.mark.parametrize("grid", [(), ("--grid", "C=1,2")])
def test_interrupted_before_it_began(
    augcore_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, grid: tuple[str, ...]
) -> None:
    """There is nothing to go on with, and no advice to."""

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupt)
    assert augcore_run("smoke", *grid) == (130, "augcore: interrupted before the run had begun\n")


def test_a_link_that_leads_nowhere(augcore_run: Any, tmp_path: Path, tiny_settings: dict[str, Any]) -> None:
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "tiny.toml").write_text(f'dataset = "{tiny_settings["dataset"]}"\nmodel = "pixels"\nsizes = [1]')
    code, told = augcore_run("tiny.toml", "--set", "crop.sizes=1", "--out", "link")
    assert (code, told) == (1, "augcore: error: link: File exists\n")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_warnings_are_lines(augcore_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are for users, without the place in the source that they come from."""

    def warn(*_: Any, **__: Any) -> None:
        warnings.warn("doubtful", stacklevel=1)
        warnings.warn("unclosed file", ResourceWarning, stacklevel=1)
        raise OSError("failed")

    monkeypatch.setattr(runner, "run", warn)
    assert augcore_run("smoke") == (1, "augcore: warning: doubtful\naugcore: error: failed\n")
