"""What experiments can measure beside the paper's main one: clusters, k-DPPs, other scores, chosen C, many classes."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augcore import dpp, scores, strata

pytest.importorskip("pydantic")
pytest.importorskip("pyarrow")
sklearn_metrics = pytest.importorskip("sklearn.metrics")
from sklearn.cluster import KMeans  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402

from augcore import _random, policies  # noqa: E402
from augcore.experiments import memory, originals, runner  # noqa: E402
from augcore.experiments.config import ConfigError, parse  # noqa: E402

CONFIGURATIONS = (
    "baseline",
    "baseline+clusters7",
    "random_proportional",
    "random_proportional+clusters1",
    "random_proportional+clusters7",
    "deterministic_proportional+clusters7+downweight",
    "dpp",
    "dpp_scored",
)


@pytest.fixture(scope="module")
def drivers(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    return {
        **tiny_settings,
        "augmentations": ["translate"],
        "scores": ["influence", "margin"],
        "configurations": list(CONFIGURATIONS),
        "sizes": [1, 5, 20],
        "sweep": 4,
        "C_grid": [0.01, 1.0, 100.0],
    }


@pytest.fixture(scope="module")
def finished(drivers: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; not to be changed."""
    return runner.run(parse(drivers), tmp_path_factory.mktemp("runs") / "run")


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def chosen(folder: Path, configuration: str, score: str = "influence", round_: int = 0) -> Any:
    return np.load(folder / "arrays" / f"chosen-translate-{score}-{configuration}-{round_}.npy")


def labels(folder: Path) -> Any:
    return np.load(folder / "arrays" / "y_train.npy")


def features(folder: Path, part: str = "train") -> Any:
    return np.load(folder / "features" / f"{part}.npy")


# ---- clusters --------------------------------------------------------------------------------------------------------


def test_rows_name_the_number_of_clusters(finished: Path) -> None:
    found = {(row["policy"], row["clusters"], row["downweight"]) for row in table(finished, "results.csv")}
    assert found == {
        ("baseline", "0", "False"),
        ("baseline", "7", "False"),
        ("random_proportional", "0", "False"),
        ("random_proportional", "1", "False"),
        ("random_proportional", "7", "False"),
        ("deterministic_proportional", "7", "True"),
        ("dpp", "0", "False"),
        ("dpp_scored", "0", "False"),
    }


def test_clusters_are_drawn_from_in_turn(finished: Path) -> None:
    groups = np.load(finished / "arrays" / "clusters-7.npy")
    assert np.array_equal(groups, strata.strata(features(finished), 7, _random.derive(0, "clusters", 7)))
    for configuration in ("baseline+clusters7", "random_proportional+clusters7"):
        points = chosen(finished, configuration)
        assert len(set(points.tolist())) == 20
        assert groups[points[:7]].tolist() == list(range(7))
    values = np.abs(np.load(finished / "arrays" / "scores-translate-influence-before.npy"))
    best = [np.flatnonzero(groups == group)[np.argmax(values[groups == group])] for group in range(7)]
    assert chosen(finished, "deterministic_proportional+clusters7+downweight")[:7].tolist() == best


def test_one_cluster_is_as_none_but_for_its_own_draws(finished: Path) -> None:
    values = np.load(finished / "arrays" / "scores-translate-influence-before.npy")
    seed = _random.derive(0, "curve", "translate", "influence", "random_proportional+clusters1", "0")
    expected = policies.order(values, "random_proportional", seed)[:20]
    assert np.array_equal(chosen(finished, "random_proportional+clusters1"), expected)
    assert not np.array_equal(expected, chosen(finished, "random_proportional"))


@pytest.mark.parametrize(("n", "sweep"), [(40, 0), (40, 1), (40, 4), (40, 38), (1000, 50), (3, 1), (10, 8)])
def test_swept_counts(tiny_settings: dict[str, Any], n: int, sweep: int) -> None:
    counts = originals.swept_counts(parse({**tiny_settings, "sweep": sweep}), n)
    assert len(counts) == len(set(counts)) == sweep
    assert counts == sorted(counts)
    if counts:
        assert counts[0] == 2
        assert counts[-1] <= n - 1
    if sweep > 1:
        assert counts[-1] == n - 1


def test_sweep_is_what_scikit_learn_measures(finished: Path) -> None:
    train, test = (features(finished, part).astype(np.float64) for part in ("train", "test"))
    rows = table(finished, "sweep.csv")
    counts = originals.swept_counts(parse({"sizes": [1], "sweep": 4}), 40)
    assert [int(row["clusters"]) for row in rows] == counts
    for row in rows:
        groups = strata.strata(
            features(finished), int(row["clusters"]), _random.derive(0, "clusters", int(row["clusters"]))
        )
        means = np.array([train[groups == group].mean(0) for group in range(groups.max() + 1)])
        model = KMeans(len(means), init=means, n_init=1, max_iter=1).fit(train)  # the means stay where they are
        np.testing.assert_allclose(model.cluster_centers_, means, rtol=1e-4, atol=1e-6)
        assert float(row["inertia_train"]) == pytest.approx(-model.score(train), rel=1e-4)
        assert float(row["inertia_test"]) == pytest.approx(-model.score(test), rel=1e-4)
        for name, points in (("train", train), ("test", test)):
            predicted = model.predict(points)
            if 2 <= len(set(predicted.tolist())) < len(points):
                expected = sklearn_metrics.silhouette_score(points, predicted)
                assert float(row[f"silhouette_{name}"]) == pytest.approx(expected, abs=1e-4)
            else:
                assert row[f"silhouette_{name}"] == ""


# ---- k-DPPs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["dpp", "dpp_scored"])
def test_sizes_of_a_dpp_are_draws_of_their_own(finished: Path, policy: str) -> None:
    score = "any" if policy == "dpp" else "influence"
    phi = features(finished).astype(np.float64)
    phi *= 1e3 / np.linalg.norm(phi, axis=1, keepdims=True)
    values = None if policy == "dpp" else np.load(finished / "arrays" / "scores-translate-influence-before.npy")
    kernel = dpp.KDPP(features=phi, scores=values, jitter=1e-3)
    points = np.split(chosen(finished, policy), np.cumsum([1, 5]))
    for size, part in zip((1, 5, 20), points, strict=True):
        seed = _random.derive(0, "curve", "translate", score, policy, "0", size)
        assert np.array_equal(part, kernel.sample(size, seed))


def test_other_kernels(drivers: dict[str, Any], tmp_path: Path, finished: Path) -> None:
    configurations = ["dpp", "dpp_scored"]
    settings = {**drivers, "configurations": configurations, "scores": ["loss"], "rounds": 1, "sweep": 0}
    phi = features(finished).astype(np.float64)
    similarity = np.exp(-np.sqrt(np.maximum(((phi[:, None] - phi) ** 2).sum(-1), 0)))
    for name, own in (("distance", {"kernel": "distance"}), ("plain", {"normalized": False, "scale": 2.0})):
        folder = runner.run(parse({**settings, "dpp": {**own, "jitter": 0.5}}), tmp_path / name)
        values = np.load(folder / "arrays" / "scores-translate-loss-before.npy")
        kernels = {
            ("distance", "dpp"): dpp.KDPP(similarity, jitter=0.5),
            ("distance", "dpp_scored"): dpp.KDPP(similarity + np.diag(np.abs(values)), jitter=0.5),
            ("plain", "dpp"): dpp.KDPP(features=2 * phi, jitter=0.5),
            ("plain", "dpp_scored"): dpp.KDPP(features=2 * phi, scores=values, jitter=0.5),
        }
        for policy, score in (("dpp", "any"), ("dpp_scored", "loss")):
            parts = np.split(chosen(folder, policy, "loss"), np.cumsum([1, 5]))
            for size, part in zip((1, 5, 20), parts, strict=True):
                seed = _random.derive(0, "curve", "translate", score, policy, "0", size)
                assert np.array_equal(part, kernels[name, policy].sample(size, seed)), (name, policy, size)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_kernel_is_decomposed_once(
    drivers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    """However many rounds and augmentations draw from it: that of the features alone, and one for each score."""
    made: list[Any] = []

    class Counted(dpp.KDPP):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            made.append(settings["scores"])
            super().__init__(*arguments, **settings)

    monkeypatch.setattr(dpp, "KDPP", Counted)
    settings = {**drivers, "augmentations": ["translate", "crop"], "configurations": ["dpp", "dpp_scored"], "rounds": 3}
    runner.run(parse({**settings, "sizes": [1, 5], "sweep": 0}), tmp_path / "run", jobs=jobs)
    assert sum(scores is None for scores in made) == 1
    assert len({scores.tobytes() for scores in made if scores is not None}) == len(made) - 1 == 2


# ---- scores, C, classes ----------------------------------------------------------------------------------------------


def test_margins_are_those_of_a_support_vector_machine(finished: Path) -> None:
    X, y = features(finished), labels(finished)
    before = np.load(finished / "arrays" / "scores-translate-margin-before.npy")
    np.testing.assert_allclose(before, scores.svm_margin(None, X, y), rtol=1e-12)
    row = table(finished, "references.csv")[0]
    assert float(row["svm_C"]) == scores.fit_svm(X, y).C
    variants = features(finished, "translate-train")
    all_X = np.concatenate([X, variants])
    svm = scores.fit_svm(all_X, np.tile(y, 5), C=float(row["svm_C"]))
    after = np.load(finished / "arrays" / "scores-translate-margin-after.npy")
    np.testing.assert_allclose(after, np.abs(svm.decision_function(X)), rtol=1e-6)


def test_support_vectors_are_the_points_that_hold_the_machine() -> None:
    """The solution is a sum over exactly those points: w = 2 C sum of (1 - y f(x)) y x, its gradient being zero."""
    sign = np.where(np.arange(80) % 2, 1.0, -1.0)
    X = np.random.default_rng(0).normal(sign[:, None], 1.5, (80, 4)).astype(np.float32)
    chosen, arrays = originals.parameters(parse({}), X, sign, 1)
    assert chosen is not None
    is_sv = arrays["arrays/is_sv.npy"]
    svm = LinearSVC(dual=False, C=chosen["svm_C"], tol=1e-10).fit(X, sign)
    margins = sign * svm.decision_function(X)
    assert 0 < is_sv.sum() < 80
    assert is_sv[(margins > 0) & (margins < 1)].any()
    held = 2 * chosen["svm_C"] * ((1 - margins) * sign * is_sv) @ X
    np.testing.assert_allclose(held, svm.coef_[0], atol=1e-5)


def test_C_is_chosen_by_cross_validation(finished: Path) -> None:
    X, y = features(finished).astype(np.float64), labels(finished)
    means = []
    for C in (0.01, 1.0, 100.0):
        model = LogisticRegression(C=C, tol=1e-10, max_iter=10_000)
        folds = sklearn_folds(X, y)
        means.append(np.mean([model.fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds]))
    expected = (0.01, 1.0, 100.0)[int(np.argmax(means))]
    assert float(table(finished, "references.csv")[0]["C"]) == expected
    before = np.load(finished / "arrays" / "scores-translate-influence-before.npy")
    model = LogisticRegression(C=expected, tol=1e-10, max_iter=10_000).fit(X, y)
    design, p = np.column_stack([X, np.ones(len(X))]), model.predict_proba(X)[:, 1]
    ridge = np.diag([1 / expected] * X.shape[1] + [0.0])
    forms = np.einsum("ij,ij->i", design @ np.linalg.inv(design.T * (p * (1 - p)) @ design + ridge), design)
    np.testing.assert_allclose(before, -((p - y) ** 2) * forms, rtol=1e-3)


def sklearn_folds(X: Any, y: Any) -> list[tuple[Any, Any]]:
    from sklearn.model_selection import StratifiedKFold

    return list(StratifiedKFold(4).split(X, y))


@pytest.fixture
def three_classes(tmp_path: Path) -> str:
    rng = np.random.default_rng(3)
    y = np.arange(60) % 3
    x = np.clip(rng.normal(60 * y[:, None, None] + 40, 30, (60, 6, 5)), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "three.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    return f"npz:{tmp_path / 'three.npz'}"


def test_three_classes(three_classes: str, tmp_path: Path) -> None:
    settings = {
        "dataset": three_classes,
        "model": "pixels",
        "augmentations": ["crop"],
        "crop": {"sizes": [1]},
        "scores": ["influence", "alo", "loss"],
        "sizes": [1, 10, 40],
        "rounds": 1,
        "configurations": ["baseline", "random_proportional", "deterministic_proportional+update"],
    }
    folder = runner.run(parse(settings), tmp_path / "run")
    row = table(folder, "references.csv")[0]
    assert (row["accuracy_vsv"], row["svm_C"], row["n_vsv"]) == ("", "", "0")
    X, y = features(folder), np.load(folder / "arrays" / "y_train.npy")
    model = LogisticRegression(C=10, tol=1e-9, max_iter=10_000).fit(X.astype(np.float64), y)
    variants = features(folder, "crop-test")
    test, y_test = np.concatenate([features(folder, "test"), variants]), np.tile(np.arange(40, 60) % 3, 2)
    assert float(row["accuracy_none"]) == model.score(test, y_test)
    losses = np.load(folder / "arrays" / "scores-crop-loss-before.npy")
    np.testing.assert_allclose(losses, -model.predict_log_proba(X)[np.arange(40), y], rtol=1e-3, atol=1e-6)
    assert all(math.isfinite(float(row["accuracy"])) for row in table(folder, "results.csv"))


@pytest.mark.parametrize("score", ["margin", "hinge_loss"])
def test_margins_are_for_two_classes(three_classes: str, tmp_path: Path, score: str) -> None:
    settings = {"dataset": three_classes, "model": "pixels", "scores": ["loss", score], "sizes": [1]}
    with pytest.raises(ConfigError, match=rf"^scores: {score} is for two classes, npz:.* has 3"):
        runner.run(parse(settings), tmp_path / "run")


def test_a_class_that_is_missing_is_named(three_classes: str, tmp_path: Path) -> None:
    settings = {"dataset": three_classes, "model": "pixels", "n_train": 2, "sizes": [1]}
    with pytest.raises(ConfigError, match=r"^n_train: the first 2 training images have none of class '2'"):
        runner.run(parse(settings), tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"y_train": np.zeros(40, int), "y_test": np.zeros(20, int)},
            "dataset: all images of .* are of one class, '0'",
        ),
        (
            {"y_train": (np.arange(40) < 3).astype(int), "y_test": np.arange(20) % 2},
            "dataset: the training images have 3 of class '1', a run takes at least 4",
        ),
        ({"y_train": np.arange(40) % 2}, "dataset: the training images have none of class '2'"),
        ({"x_train": np.zeros((40, 8, 8, 2), np.uint8), "x_test": np.zeros((20, 8, 8, 2), np.uint8)}, "dataset: .* 2"),
    ],
)
def test_data_that_no_run_can_be_made_of(
    three_classes: str, tmp_path: Path, change: dict[str, np.ndarray], message: str
) -> None:
    with np.load(three_classes.removeprefix("npz:")) as arrays:
        np.savez(tmp_path / "other.npz", **(dict(arrays) | change))
    settings = {"dataset": f"npz:{tmp_path / 'other.npz'}", "model": "pixels", "scores": ["loss"], "sizes": [1]}
    with pytest.raises(ConfigError, match=f"^{message}"):
        runner.run(parse(settings), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("score", ["influence", "alo", "leverage"])
def test_a_hessian_that_would_fill_the_memory_is_refused(
    three_classes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, score: str
) -> None:
    settings = {"dataset": three_classes, "model": "pixels", "augmentations": ["crop"], "crop": {"sizes": [1]}}
    settings |= {"configurations": ["baseline"], "scores": ["loss", score], "sizes": [1], "rounds": 1}
    side = np.load(three_classes.removeprefix("npz:"))["x_train"][0].size
    monkeypatch.setattr(memory, "DENSE_LIMIT", 2 * (side + 1) - 1)
    refused = rf"^model: {side} features and 3 classes make a Hessian of {2 * (side + 1)} rows, and the score {score}"
    with pytest.raises(ConfigError, match=refused):
        runner.run(parse(settings), tmp_path / "run")
    monkeypatch.setattr(memory, "DENSE_LIMIT", 2 * (side + 1))
    runner.run(parse(settings), tmp_path / "run", resume=True)


def test_a_run_without_curves(drivers: dict[str, Any], tmp_path: Path) -> None:
    folder = runner.run(parse({**drivers, "configurations": []}), tmp_path / "run")
    assert table(folder, "results.csv") == []
    assert len(table(folder, "references.csv")) == 1
    assert len(table(folder, "sweep.csv")) == 4


def test_resume_after_each_unit_is_the_same(drivers: dict[str, Any], tmp_path: Path, finished: Path) -> None:
    """A run that is cut off after any of its units ends as one that was not."""
    lines = (finished / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines), 7):
        folder = tmp_path / str(kept)
        shutil.copytree(finished, folder)
        (folder / "journal.jsonl").write_bytes(b"".join(lines[:kept]))
        runner.run(parse(drivers), folder, resume=True)
        for name in ("results.csv", "references.csv", "sweep.csv"):
            assert (folder / name).read_bytes() == (finished / name).read_bytes()
