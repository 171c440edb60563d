"""Experiments: their settings, their curves against an independent computation, and runs that are stopped and go on."""

from __future__ import annotations

import contextlib
import csv
import datetime
import errno
import functools
import itertools
import json
import os
import shutil
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import augcore
from augcore import _files, datasets
from augcore.experiments import inputs, presets, runner
from augcore.experiments.config import MAIN, Config, ConfigError, Configuration, override, parse, read_toml
from augcore.experiments.journal import Journal
from augcore.experiments.presets import PRESETS

# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_sound(name: str) -> None:
    assert parse(PRESETS[name]).sizes[-1] <= (PRESETS[name]["n_train"])


def test_the_main_experiment_is_the_default_of_every_data_set() -> None:
    for name in presets.DATA:
        assert parse(PRESETS[name]).configurations == MAIN
        assert parse(PRESETS[name]).scores == ("influence", "loss")


def test_the_published_setting_is_that_of_every_preset() -> None:
    from augcore.cli import runs

    (paper,) = runs._configs("cifar10", [], [], "paper", None).values()
    assert (paper.C, paper.hessian_l2, paper.damping, paper.arithmetic) == (1.0, 0.0, 2e-10, "opencv4")
    (own,) = runs._configs("cifar10", [], [], None, None).values()
    assert (own.C, own.hessian_l2) == (PRESETS["cifar10"]["C"], None)
    (chosen,) = runs._configs("cifar10", ["C=5"], [], "paper", None).values()
    assert (chosen.C, chosen.hessian_l2) == (5.0, 0.0)


def test_main_has_the_twelve_curves_of_the_paper() -> None:
    assert len(set(MAIN)) == 12
    assert all(Configuration.named(name).name == name for name in MAIN)
    assert [Configuration.named(name).random for name in MAIN] == [not name.startswith("determ") for name in MAIN]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"sized": [1]}, "sized: unknown setting; did you mean 'sizes'"),
        ({"rotate": {"step": 5}}, "rotate.step: unknown setting; did you mean 'steps'"),
        ({"rotate": 3}, "rotate:"),
        ({"rounds": "5"}, "rounds:"),
        ({"rounds": True}, "rounds:"),
        ({"rounds": 0}, "rounds:"),
        ({"C": 0}, "C:"),
        ({"C": float("nan")}, "C:"),
        ({"seed": -1}, "seed:"),
        ({"sizes": [5, 5]}, "sizes:"),
        ({"sizes": []}, "sizes:"),
        ({"sizes": [0, 1]}, "sizes.0:"),
        ({"n_train": 100}, "sizes: 1000 points cannot be augmented, there are 100"),
        (
            {"configurations": ["baseline+clusters2000"], "n_train": 1000},
            "configurations: 2000 clusters cannot be made",
        ),
        ({"configurations": ["dpp+update"]}, "configurations: 'dpp+update': dpp has no scores to update"),
        ({"configurations": ["dpp_scored+update"]}, "configurations: 'dpp_scored+update': each draw from a k-DPP"),
        (
            {"configurations": ["random_proportional+clusters9+update"]},
            "configurations: 'random_proportional+clusters9+update': updates draw",
        ),
        ({"configurations": ["baseline+clusters0"]}, "configurations: unknown configuration"),
        ({"sweep": 999, "n_train": 1000}, "sweep: there are 998 numbers of clusters from 2 to 999, not 999"),
        ({"C_grid": [1, 0]}, "C_grid.1:"),
        ({"dpp": {"kernel": "rbf"}}, "dpp.kernel:"),
        ({"dpp": {"scale": 0}}, "dpp.scale:"),
        ({"classes": [3]}, "classes"),
        ({"classes": [3, 3]}, "classes:"),
        ({"classes": [0.5, 1]}, "classes.0"),
        ({"augmentations": ["flip"]}, "augmentations.0:"),
        ({"augmentations": ["crop", "crop"]}, "augmentations:"),
        ({"configurations": ["basline"]}, "configurations: unknown configuration 'basline'"),
        ({"configurations": ["baseline+update"]}, "configurations:"),
        ({"configurations": ["random_proportional+downweight+update"]}, "configurations:"),
        ({"convention": "foo"}, "convention:"),
        ({"test_set": 1}, "test_set:"),
        ({"seed": datetime.date(2020, 1, 1)}, "seed: dates"),
        ({"crop": {"sizes": [datetime.time(1)]}}, "crop: dates"),
        ({"seed": 16**5000}, "seed: is nested too deep, has thousands of digits"),
        ({"seed": 2**128}, "seed:"),
        ({"model": "\udcff"}, "model: is nested"),
        ({"\udcff": 1}, "\udcff: is nested"),
        ({"sizes": functools.reduce(lambda inner, _: [inner], range(300), 1)}, "sizes: is nested"),
        ({"rounds": 10_001}, "rounds:"),
        ({"epochs": 100_001}, "epochs:"),
        ({"rotate": {"steps": 10_001}}, "rotate.steps:"),
        ({"translate": {"magnitude": 10_001}}, "translate.magnitude:"),
        ({"crop": {"sizes": [10_001]}}, "crop.sizes.0:"),
    ],
)
def test_wrong_settings_are_one_line_naming_the_field(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(settings)
    assert str(caught.value).startswith(field)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_conventions() -> None:
    own, paper = parse({}), parse({"convention": "paper"})
    assert (own.C, own.hessian_l2, own.damping, own.arithmetic) == (10, None, 0, "exact")
    assert (paper.C, paper.hessian_l2, paper.damping) == (1, 0, 2e-10)
    assert (paper.arithmetic, paper.direction) == ("opencv4", "clockwise")
    assert parse({"convention": "paper", "C": 3}).C == 3


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("rounds=3", {"rounds": 3}),
        ("rotate.steps=5", {"rotate": {"steps": 5, "max_degrees": 9}}),
        ("sizes=1,10", {"sizes": [1, 10]}),
        ("sizes=[1, 10]", {"sizes": [1, 10]}),
        ("crop.sizes=2", {"crop": {"sizes": [2]}}),
        ("scores=loss", {"scores": ["loss"]}),
        ("classes=none", {"classes": None}),
        ("classes=cat,dog", {"classes": ["cat", "dog"]}),
        ("C=1e-2", {"C": 0.01}),
        ("model=pixels", {"model": "pixels"}),
        ("dataset=npz:a=b.npz", {"dataset": "npz:a=b.npz"}),
    ],
)
def test_override(assignment: str, expected: dict[str, Any]) -> None:
    before = {"rotate": {"max_degrees": 9}}
    assert override(before, [assignment]) == {**before, **expected}
    assert before == {"rotate": {"max_degrees": 9}}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("rounds", "--set 'rounds': expected key=value"),
        ("", "--set '': expected key=value"),
        ("=3", "--set '=3': expected"),
        ("seed.x=1", "seed.x: seed is not a table"),
        ("seed=1\nC=-5", "^seed: expected one value"),
        ("seed=" + "9" * 5000, "^seed: is nested too deep, has thousands of digits"),
        ("sizes=" + "[" * 3000, "^sizes: is nested"),
    ],
)
def test_override_refuses_what_is_no_assignment(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override({"seed": 1}, [assignment])


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('model = "pixels"\n[rotate]\nsteps = 5\n')
    assert parse(read_toml(path)).rotate.steps == 5
    path.write_text("model = [")
    with pytest.raises(ConfigError, match=r"mine\.toml: not a TOML file"):
        read_toml(path)
    for hostile in ("model = " + "[" * 3000, "seed = " + "9" * 5000):
        path.write_text(hostile)
        with pytest.raises(ConfigError, match=r"mine\.toml: "):
            read_toml(path)
    path.write_text("when = 2020-01-01")
    for settings in (lambda: parse(read_toml(path)), lambda: override(read_toml(path), ["seed=1"])):
        with pytest.raises(ConfigError, match=r"^when: dates"):
            settings()
    path.write_text("rounds = 3", encoding="utf-8-sig")
    assert read_toml(path) == {"rounds": 3}


# ---- the journal -----------------------------------------------------------------------------------------------------


def _record(i: int) -> dict[str, Any]:
    return {"result": {"accuracy": 0.1 * i, "name": "é"}, "files": {"a": "b"}, "seconds": 0.5}


def _journal(path: Path, n: int = 3) -> bytes:
    journal = Journal(path)
    for i in range(n):
        journal.append(f"unit/{i}", _record(i))
    return path.read_bytes()


def test_journal_remembers(tmp_path: Path) -> None:
    _journal(tmp_path / "j")
    assert Journal(tmp_path / "j").records == {f"unit/{i}": _record(i) for i in range(3)}


def test_torn_last_line_is_dropped_and_overwritten(tmp_path: Path) -> None:
    whole = _journal(tmp_path / "j")
    start = whole[:-1].rindex(b"\n") + 1
    for end in range(start, len(whole)):
        (tmp_path / "j").write_bytes(whole[:end])
        journal = Journal(tmp_path / "j")
        assert list(journal.records) == ["unit/0", "unit/1"]
        journal.append("unit/2", _record(2))
        assert (tmp_path / "j").read_bytes() == whole


def test_what_follows_a_torn_line_may_be_shorter(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(_journal(path)[:-5])
    Journal(path).append("u", {"result": 0, "files": {}, "seconds": 0})
    assert list(Journal(path).records) == ["unit/0", "unit/1", "u"]
    assert path.read_bytes().count(b"\n") == 3
    assert path.read_bytes().endswith(b"\n")


def test_last_line_of_zeros_is_torn(tmp_path: Path) -> None:
    whole = _journal(tmp_path / "j")
    (tmp_path / "j").write_bytes(whole[:-10] + bytes(9) + b"\n")
    assert list(Journal(tmp_path / "j").records) == ["unit/0", "unit/1"]


@pytest.mark.parametrize(
    "change", [(b"0.1", b"0.2"), (b"unit/1", b"unit/9"), (b'{"check"', b"x"), (b'"unit/0"', b"[]")]
)
def test_damage_before_the_last_line_is_refused(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    (tmp_path / "j").write_bytes(_journal(tmp_path / "j").replace(*change, 1))
    with pytest.raises(augcore.FileFormatError, match=r"line [12] is damaged"):
        Journal(tmp_path / "j")


@pytest.mark.parametrize(
    "change",
    [{"result": ...}, {"files": ...}, {"seconds": ...}, {"files": ["a"]}, {"files": {"a": 1}}, {"seconds": "1"}],
)
def test_record_that_is_not_whole_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    record = {name: value for name, value in {**_record(0), **change}.items() if value is not ...}
    Journal(tmp_path / "j").append("unit", record)
    with pytest.raises(augcore.FileFormatError, match=r"line 1: expected a unit with its result, files and seconds"):
        Journal(tmp_path / "j")


def test_full_disk_names_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        _journal(tmp_path / "j")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "j"))


# ---- a run -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tiny_settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; not to be changed."""
    return runner.run(parse(tiny_settings), tmp_path_factory.mktemp("runs") / "run")


def _table(folder: Path, name: str = "results.csv") -> list[dict[str, str]]:
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def _curve(folder: Path, configuration: str, score: str = "influence", round_: int = 0) -> list[float]:
    wanted = Configuration.named(configuration)
    key = ("translate", score, wanted.policy, str(wanted.downweight), str(wanted.update), str(round_))
    columns = ("augmentation", "score", "policy", "downweight", "update", "round")
    return [float(row["accuracy"]) for row in _table(folder) if tuple(row[column] for column in columns) == key]


def _chosen(folder: Path, configuration: str, score: str = "influence", round_: int = 0) -> Any:
    return np.load(folder / "arrays" / f"chosen-translate-{score}-{configuration}-{round_}.npy")


def test_tables_are_complete(finished: Path, tiny_settings: dict[str, Any]) -> None:
    rows = _table(finished)
    assert len(rows) == 2 * 2 * (3 * 2 + 2) * 4
    assert {row["augmentation"] for row in rows} == {"translate", "crop"}
    copies = {"translate": 4, "crop": 1}
    assert all(int(row["n_rows"]) == 40 + copies[row["augmentation"]] * int(row["size"]) for row in rows)
    assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)
    references = {row["augmentation"]: row for row in _table(finished, "references.csv")}
    plain = [row for row in rows if row["size"] == "40" and row["downweight"] == "False"]
    assert {row["accuracy"] for row in plain if row["augmentation"] == "crop"} == {references["crop"]["accuracy_all"]}
    assert {row["unit"].split("/")[0] for row in _table(finished, "timings.csv")} == {
        *("features", "originals", "reference", "curve")
    }
    config = json.loads((finished / "config.json").read_text())
    assert config["settings"].items() >= tiny_settings.items()
    assert config["settings"]["C"] == 10
    assert config["version"] == augcore.__version__


def test_parquet_is_the_csv(finished: Path) -> None:
    pandas = pytest.importorskip("pandas")
    parquet, text = pandas.read_parquet(finished / "results.parquet"), pandas.read_csv(finished / "results.csv")
    pandas.testing.assert_frame_equal(parquet, text, check_dtype=False, check_exact=True)


def test_orders_hold_each_point_once_and_rounds_differ(finished: Path) -> None:
    for path in (finished / "arrays").glob("chosen-*"):
        assert np.array_equal(np.sort(np.load(path)), np.arange(40)), path.name
    for configuration in ("baseline", "random_proportional"):
        assert not np.array_equal(_chosen(finished, configuration), _chosen(finished, configuration, round_=1))
    assert not np.array_equal(_chosen(finished, "baseline"), _chosen(finished, "random_proportional"))


def test_baseline_is_the_same_for_every_score(finished: Path) -> None:
    assert np.array_equal(_chosen(finished, "baseline"), _chosen(finished, "baseline", "loss"))
    assert _curve(finished, "baseline") == _curve(finished, "baseline", "loss")


class Independent:
    """The experiment's computations anew, by scikit-learn and NumPy."""

    def __init__(self, settings: dict[str, Any]) -> None:
        data = datasets.load(settings["dataset"])
        self.y, self.C = data.y_train, 10.0
        self.train = self._expand(data.x_train)
        self.test, self.y_test = np.concatenate(self._expand(data.x_test)), np.tile(data.y_test, 5)

    @staticmethod
    def _expand(images: Any) -> list[Any]:
        padded = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)), mode="edge")
        h, w = images.shape[1:3]
        views = [padded[:, 1 - dy :, 1 - dx :][:, :h, :w] for dx, dy in ((0, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))]
        return [view.reshape(len(images), -1) / 255 for view in views]

    def fit(self, chosen: Any, downweight: bool = False) -> tuple[LogisticRegression, Any, Any]:
        X = np.concatenate([self.train[0], *(variant[chosen] for variant in self.train[1:])])
        y = np.concatenate([self.y, *[self.y[chosen]] * 4])
        weight = np.ones(len(y))
        if downweight:
            weight[np.concatenate([chosen, np.arange(40, len(y))])] = 1 / 5
        model = LogisticRegression(C=self.C, tol=1e-10, max_iter=1000, solver="newton-cholesky")
        return model.fit(X, y, sample_weight=weight), X, weight

    def accuracy(self, model: LogisticRegression) -> float:
        return float(model.score(self.test, self.y_test))

    def influence(self, model: LogisticRegression, X: Any, weight: Any, ridge: float | None = None) -> Any:
        def bordered(X: Any) -> Any:
            return np.hstack([X, np.ones((len(X), 1))])

        p = model.predict_proba(X)[:, 1]
        penalty = np.diag(np.r_[np.full(X.shape[1], 1 / self.C if ridge is None else ridge), 0])
        H = (bordered(X).T * (weight * p * (1 - p))) @ bordered(X) + penalty
        g = (model.predict_proba(self.train[0])[:, 1] - self.y)[:, None] * bordered(self.train[0])
        return -np.sum(g * np.linalg.solve(H, g.T).T, axis=1)


@pytest.fixture(scope="module")
def independent(tiny_settings: dict[str, Any]) -> Independent:
    return Independent(tiny_settings)


def test_scores_and_references(finished: Path, independent: Independent) -> None:
    reference = _table(finished, "references.csv")[0]
    before = np.load(finished / "arrays" / "scores-translate-influence-before.npy")
    after = np.load(finished / "arrays" / "scores-translate-influence-after.npy")
    none, everything = independent.fit(np.arange(0)), independent.fit(np.arange(40))
    np.testing.assert_allclose(before, independent.influence(*none), rtol=1e-4)
    np.testing.assert_allclose(after, independent.influence(*everything), rtol=1e-4)
    assert float(reference["accuracy_none"]) == independent.accuracy(none[0])
    assert float(reference["accuracy_all"]) == independent.accuracy(everything[0])
    plain = none[0].score(independent.test[:30], independent.y_test[:30])
    assert float(reference["accuracy_plain"]) == plain
    is_sv = np.load(finished / "arrays" / "is_sv.npy")
    assert int(reference["n_vsv"]) == is_sv.sum()
    assert float(reference["accuracy_vsv"]) == independent.accuracy(independent.fit(np.flatnonzero(is_sv))[0])


def test_deterministic_update_curve(finished: Path, independent: Independent) -> None:
    """Chosen anew from scores that are computed anew under each fitted set."""
    chosen = np.arange(0)
    fitted = independent.fit(chosen)
    accuracies = []
    for size in (1, 5, 20, 40):
        scores = independent.influence(*fitted)
        scores[chosen] = 0
        chosen = np.concatenate([chosen, np.argsort(scores)[: size - len(chosen)]])
        fitted = independent.fit(chosen)
        accuracies.append(independent.accuracy(fitted[0]))
    assert np.array_equal(_chosen(finished, "deterministic_proportional+update")[:20], chosen[:20])
    assert _curve(finished, "deterministic_proportional+update") == accuracies


@pytest.mark.parametrize("configuration", ["baseline", "random_proportional", "random_proportional+update+downweight"])
def test_accuracy_along_a_random_curve(finished: Path, independent: Independent, configuration: str) -> None:
    order = _chosen(finished, configuration, "loss")
    fits = [independent.fit(order[:size], configuration.endswith("+downweight"))[0] for size in (1, 5, 20, 40)]
    assert _curve(finished, configuration, "loss") == [independent.accuracy(fit) for fit in fits]


def test_deterministic_plain_order(finished: Path) -> None:
    scores = np.load(finished / "arrays" / "scores-translate-loss-before.npy")
    order = _chosen(finished, "deterministic_inverse_proportional", "loss")
    assert np.array_equal(order, np.argsort(scores))


def test_plain_test_set(tiny_settings: dict[str, Any], tmp_path: Path, independent: Independent) -> None:
    config = parse({**tiny_settings, "test_set": "plain", "augmentations": ["translate"]})
    reference = _table(runner.run(config, tmp_path / "run"), "references.csv")[0]
    independent_fit = independent.fit(np.arange(40))[0]
    expected = independent_fit.score(independent.test[:30], independent.y_test[:30])
    assert float(reference["accuracy_all"]) == expected
    assert reference["accuracy_none"] == reference["accuracy_plain"]


@pytest.mark.parametrize(
    ("change", "ridge"),
    [
        ({"damping": 0.5}, 0.6),
        ({"hessian_l2": 0.02}, 0.02),
        ({"convention": "paper", "C": 10.0, "damping": 1e-3}, 1e-3),
    ],
)
def test_hessian_of_other_conventions(
    tiny_settings: dict[str, Any], independent: Independent, tmp_path: Path, change: dict[str, Any], ridge: float
) -> None:
    settings = {**tiny_settings, "augmentations": ["translate"], "scores": ["influence"], **change}
    folder = runner.run(parse({**settings, "configurations": ["deterministic_proportional+update"]}), tmp_path / "run")
    chosen = _chosen(folder, "deterministic_proportional+update")
    before = np.load(folder / "arrays" / "scores-translate-influence-before.npy")
    np.testing.assert_allclose(before, independent.influence(*independent.fit(chosen[:0]), ridge), rtol=1e-4)
    scores = independent.influence(*independent.fit(chosen[:1]), ridge)
    scores[chosen[0]] = 0
    assert np.array_equal(chosen[1:5], np.argsort(scores)[:4])


@pytest.mark.parametrize("jobs", [2, 5])
def test_jobs_do_not_change_the_bytes(tiny_settings: dict[str, Any], finished: Path, tmp_path: Path, jobs: int) -> None:
    folder = runner.run(parse(tiny_settings), tmp_path / "run", jobs=jobs)
    for name in ("results.csv", "results.parquet", "references.csv"):
        assert (folder / name).read_bytes() == (finished / name).read_bytes()
    for path in (finished / "arrays").iterdir():
        assert (folder / "arrays" / path.name).read_bytes() == path.read_bytes()


def test_seed_decides(tiny_settings: dict[str, Any], finished: Path, tmp_path: Path) -> None:
    folder = runner.run(parse({**tiny_settings, "seed": 1}), tmp_path / "run")
    assert not np.array_equal(_chosen(folder, "baseline"), _chosen(finished, "baseline"))


def test_subset_of_a_run_has_the_same_curves(tiny_settings: dict[str, Any], finished: Path, tmp_path: Path) -> None:
    """A draw depends on the name of its unit, not on what else there is."""
    settings = {**tiny_settings, "augmentations": ["translate"], "scores": ["loss"], "rounds": 1}
    folder = runner.run(parse({**settings, "configurations": ["random_proportional"]}), tmp_path / "run")
    assert _curve(folder, "random_proportional", "loss") == _curve(finished, "random_proportional", "loss")


def test_progress_ends_at_the_total(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    seen: dict[str, list[tuple[float, float]]] = {}
    config = parse({**tiny_settings, "rounds": 1})
    runner.run(
        config,
        tmp_path / "run",
        progress=lambda stage, done, total, note="": seen.setdefault(stage, []).append((done, total)),
    )
    assert list(seen) == ["features", "originals", "references", "curves"]
    for steps in seen.values():
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


def test_failure_in_one_of_many_jobs_stops_the_run(
    tiny_settings: dict[str, Any], tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(unit: Any, *arguments: Any) -> Any:
        if unit.round == 1:
            raise MemoryError("no more")
        return trace(unit, *arguments)

    trace = runner.trace_curve
    with monkeypatch.context() as patch:
        patch.setattr(runner, "trace_curve", fail)
        with pytest.raises(MemoryError, match="no more"):
            runner.run(parse(tiny_settings), tmp_path / "run", jobs=3)
    runner.run(parse(tiny_settings), tmp_path / "run", jobs=3, resume=True)
    assert (tmp_path / "run" / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()


def test_features_are_not_kept_where_nothing_can_be_put(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    assert inputs._usable(None) is None
    assert inputs._usable(tmp_path / "file" / "features") is None
    assert inputs._usable(tmp_path / "new" / "features") == tmp_path / "new" / "features"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert inputs._usable(tmp_path) is None
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["features are not kept"] * 2


# ---- wrong data ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "cats"}, "dataset: expected one of"),
        ({"model": "resnet9000"}, "model: expected one of 'pixels', 'cnn', .*, got 'resnet9000'"),
        ({"crop": {"sizes": [1, 4]}}, "crop.sizes: 4 pixels off every side leave nothing of images of 8 x 6"),
        ({"sizes": [1, 41]}, "sizes: 41 points cannot be augmented, there are 40"),
        ({"classes": [0, 7]}, "classes:"),
        ({"n_train": 41}, "n_train:"),
    ],
)
def test_config_that_does_not_fit_the_data(
    tiny_settings: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        runner.run(parse({**tiny_settings, **change}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ---- stopping and going on -------------------------------------------------------------------------------------------


def _copy(finished: Path, target: Path, *, lines: int) -> Path:
    """A run that was stopped after so many units."""
    for path in finished.rglob("*"):
        place = target / path.relative_to(finished)
        if path.is_dir():
            place.mkdir(parents=True)
        elif path.parent.name in ("features", "arrays") or path.name == "config.json":
            place.write_bytes(path.read_bytes())
    done = (finished / "journal.jsonl").read_bytes().splitlines(keepends=True)[:lines]
    (target / "journal.jsonl").write_bytes(b"".join(done))
    return target


@pytest.mark.parametrize("lines", [0, 1, 2, 3, 7, 1000])
def test_resume_repeats_nothing(tiny_settings: dict[str, Any], finished: Path, tmp_path: Path, lines: int) -> None:
    folder = _copy(finished, tmp_path / "run", lines=lines)
    before = (folder / "journal.jsonl").read_bytes()
    shares = []
    runner.run(
        parse(tiny_settings),
        folder,
        resume=True,
        progress=lambda stage, done, total, note="": shares.append(done / total),
    )
    assert (folder / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()
    assert lines < 7 or min(shares) > 0
    after = (folder / "journal.jsonl").read_bytes()
    assert after.startswith(before)
    units = [json.loads(line)["record"]["unit"] for line in after.splitlines()]
    assert len(units) == len(set(units))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seed": 1}, "seed"),
        ({"C": 1.0}, "C"),
        ({"rounds": 3}, "rounds"),
        ({"crop": {"sizes": [2]}}, "crop"),
        ({"convention": "paper"}, "convention"),
        ({"n_train": 40}, "n_train"),
    ],
)
def test_resume_refuses_other_settings(
    tiny_settings: dict[str, Any], finished: Path, tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    folder = _copy(finished, tmp_path / "run", lines=3)
    with pytest.raises(ConfigError, match=f"^{field}: the run in .* cannot be resumed$"):
        runner.run(parse({**tiny_settings, **change}), folder, resume=True)


def test_resume_refuses_other_data_and_versions(
    tiny_settings: dict[str, Any], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _copy(finished, tmp_path / "run", lines=3)
    with np.load(tiny_settings["dataset"].removeprefix("npz:")) as archive:
        arrays = dict(archive)
    arrays["x_test"] = arrays["x_test"] ^ 1
    np.savez(tmp_path / "other.npz", **arrays)
    settings = json.loads((folder / "config.json").read_text())
    settings["settings"]["dataset"] = f"npz:{tmp_path / 'other.npz'}"
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=r"^data: "):
        runner.run(parse(settings["settings"]), folder, resume=True)
    monkeypatch.setattr(augcore, "__version__", "9.9")
    with pytest.raises(ConfigError, match=r"^version: .*9\.9"):
        runner.run(parse(settings["settings"]), folder, resume=True)


def test_folder_that_holds_something_is_refused(tiny_settings: dict[str, Any], tmp_path: Path, finished: Path) -> None:
    with pytest.raises(FileExistsError, match="--resume"):
        runner.run(parse(tiny_settings), finished)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="choose another folder"):
        runner.run(parse(tiny_settings), tmp_path)
    with pytest.raises(augcore.FileFormatError, match=r"no config\.json"):
        runner.run(parse(tiny_settings), tmp_path, resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes.txt"]


def test_second_process_is_refused(tiny_settings: dict[str, Any], tmp_path: Path) -> None:
    with _files.locked(tmp_path), pytest.raises(BlockingIOError, match="another process"):
        runner.run(parse(tiny_settings), tmp_path)
    runner.run(parse({**tiny_settings, "rounds": 1}), tmp_path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("features/train.npy", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        ("features/crop-test.npy", lambda data: data[:1000]),
        ("arrays/scores-crop-loss-before.npy", lambda data: None),
        ("arrays/chosen-translate-influence-baseline-0.npy", lambda data: b""),
        ("journal.jsonl", lambda data: data.replace(b"curve/", b"curse/", 1)),
        ("journal.jsonl", lambda data: b"\0" * 100 + b"\n" + data),
        ("config.json", lambda data: data[:50]),
        ("config.json", lambda data: b"[]"),
        ("config.json", lambda data: b"[" * 100_000),
        ("config.json", lambda data: data.replace(b'"format": 2', b'"format": 7')),
        ("config.json", lambda data: data.replace(b'"rounds": 2', b'"rounds": "2"')),
    ],
)
def test_damaged_run_is_refused(
    tiny_settings: dict[str, Any], finished: Path, tmp_path: Path, name: str, damage: Any
) -> None:
    folder = _copy(finished, tmp_path / "run", lines=30)
    damaged = damage((folder / name).read_bytes())
    (folder / name).unlink() if damaged is None else (folder / name).write_bytes(damaged)
    with pytest.raises(augcore.FileFormatError, match=Path(name).name.replace(".", r"\.")) as caught:
        runner.run(parse(tiny_settings), folder, resume=True)
    assert "\n" not in str(caught.value)


def test_full_disk_keeps_what_is_finished(
    tiny_settings: dict[str, Any], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at one sync after the other, until the run gets through."""
    sync, left = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    def journal() -> bytes:
        lines = (folder / "journal.jsonl").read_bytes() if (folder / "journal.jsonl").exists() else b""
        return lines[: lines.rfind(b"\n") + 1]

    monkeypatch.setattr(os, "fsync", full)
    folder = tmp_path / "run"
    for room in itertools.count(0, 3):
        before, left = journal(), room
        with contextlib.suppress(OSError):
            runner.run(parse(tiny_settings), folder, resume=True)
        assert journal().startswith(before)
        if left >= 0:
            break
    assert room > 30
    assert (folder / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()
    assert not list(folder.rglob("*.partial"))


# Kills a forked run at its k-th write, rename or sync, for many k, and lets another one go on.
KILLER = """
    import json, os, signal, sys
    from pathlib import Path
    from augcore.experiments import runner
    from augcore.experiments.config import parse

    config, base = parse(json.loads(sys.argv[1])), Path(sys.argv[2])
    expected = (runner.run(config, base / "whole") / "results.csv").read_bytes()

    def forked(work):
        child = os.fork()
        if child == 0:
            try:
                work()
                os._exit(0)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def run(folder, kill_at):
        calls = 0
        def deadly(call):
            def wrapped(*arguments, **keywords):
                nonlocal calls
                calls += 1
                if calls == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **keywords)
            return wrapped
        for name in ("fsync", "replace", "open", "unlink"):
            setattr(os, name, deadly(getattr(os, name)))
        runner.run(config, folder, resume=True)

    for k in map(int, sys.argv[3:]):
        folder = base / str(k)
        if forked(lambda: run(folder, k)) == 0:
            break
        journal = folder / "journal.jsonl"
        kept = journal.read_bytes() if journal.exists() else b""
        kept = kept[: kept.rfind(b"\\n") + 1]
        if forked(lambda: run(folder, 0)) != 0:
            sys.exit(f"killed at {k}: cannot be resumed")
        if (folder / "results.csv").read_bytes() != expected:
            sys.exit(f"killed at {k}: other results")
        if not journal.read_bytes().startswith(kept):
            sys.exit(f"killed at {k}: a finished unit was repeated")
        if left := list(folder.rglob("*.partial")):
            sys.exit(f"killed at {k}: {left} is left")
    else:
        print("killed every time")
"""


def test_killed_runs_resume_to_the_same_bytes(tiny_settings: dict[str, Any], tmp_path: Path, run_python: Any) -> None:
    settings = {**tiny_settings, "augmentations": ["crop"], "rounds": 1, "configurations": ["baseline", MAIN[4]]}
    moments = [*range(1, 10), *range(10, 100, 5)]
    arguments = [json.dumps(settings), str(tmp_path), *map(str, moments)]
    process = run_python(f"import sys; sys.argv[1:] = {arguments!r}\n" + textwrap.dedent(KILLER))
    assert process.stdout == "killed every time\n", process.stderr


def test_config_type_is_frozen() -> None:
    config = parse({})
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]
    assert isinstance(config, Config)


def test_what_killed_writers_left_is_removed(tiny_settings: dict[str, Any], tmp_path: Path, finished: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    for place in ("", "features", "arrays", "figures", "tables"):
        (folder / place).mkdir(exist_ok=True)
        (folder / place / ".a.npy.12345678.partial").write_bytes(b"half")
    runner.run(parse(tiny_settings), folder, resume=True)
    assert not list(folder.rglob("*.partial"))
