"""Statistics and tables of a finished run."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("matplotlib")
from drawing import accuracies

from augcore.experiments import finished, tables


def test_auc_is_the_mean_height_by_trapezoids():
    curve = finished.Curve(
        "baseline", 0, False, False, np.array([1, 3, 4]), np.array([[0.5, 0.7, 0.9], [1.0, 1.0, 1.0]])
    )
    by_hand = [(2 * (0.5 + 0.7) / 2 + (0.7 + 0.9) / 2) / 3, 1.0]
    np.testing.assert_allclose(tables.auc(curve), by_hand, rtol=1e-15)


def test_auc_of_one_size_is_undefined(make_run):
    folder = make_run(sizes=(10,))
    assert np.isnan(tables.auc(finished.read(folder).curves["translate", "loss"][0])).all()
    assert "--" in tables.auc_tex(finished.read(folder))


def test_tables_hold_what_the_file_gives(make_run):
    folder = make_run(rounds=3)
    written = {path.name: path for path in tables.write(folder)}
    both = {f"{name}.{kind}" for name in ("accuracy", "auc", "gains", "references") for kind in ("csv", "tex")}
    assert set(written) == {*both, "spearman.csv"}

    with open(written["auc.csv"], newline="") as file:
        areas = list(csv.DictReader(file))
    assert len(areas) == 2 * 12
    (row,) = [
        r for r in areas if (r["score"], r["policy"], r["update"]) == ("loss", "random_inverse_proportional", "False")
    ]
    values = accuracies(folder, "translate", "loss", "random_inverse_proportional")
    sizes = sorted(values)
    areas = np.trapezoid(np.array([values[size] for size in sizes]).T, sizes, axis=1) / (sizes[-1] - sizes[0])
    low, high = stats.t.interval(0.95, 2, loc=areas.mean(), scale=stats.sem(areas))
    found = [float(row[column]) for column in ("auc_mean", "auc_std", "auc_low", "auc_high")]
    np.testing.assert_allclose(found, [areas.mean(), areas.std(ddof=1), low, high], atol=1e-6)

    with open(written["accuracy.csv"], newline="") as file:
        cells = {(r["score"], r["policy"], r["update"], r["downweight"], r["size"]): r for r in csv.DictReader(file)}
    row = cells["loss", "random_inverse_proportional", "False", "False", "30"]
    assert float(row["mean"]) == pytest.approx(np.mean(values[30]), abs=1e-6)
    deterministic = cells["loss", "deterministic_proportional", "True", "True", "30"]
    assert (deterministic["rounds"], deterministic["std"], deterministic["low"]) == ("1", "", "")


def test_latex_is_balanced_and_escaped(make_run):
    text = tables.auc_tex(finished.read(make_run(augmentations=("crop_2", "rotate"))))
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 2 + 12
    assert {line.count("&") for line in body} == {4}
    assert r"crop\_2" in text
    assert not re.search(r"(?<!\\)_", text)
    assert text.count("$") % 2 == 0


def test_difference_is_welchs_interval():
    a, b = np.array([0.9, 0.92, 0.95]), np.array([0.8, 0.86, 0.83, 0.84])
    found = tables.difference_interval(a, b)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high], rtol=1e-10)


def test_one_value_counts_as_exact_in_a_difference():
    b = np.array([0.8, 0.86, 0.83, 0.84])
    found = tables.difference_interval(np.array([0.9]), b)
    low, high = stats.t.interval(0.95, 3, loc=b.mean(), scale=stats.sem(b))
    np.testing.assert_allclose([found.low, found.high], [0.9 - high, 0.9 - low], rtol=1e-12)
    assert np.isnan(tables.difference_interval(np.array([0.9]), np.array([0.8])).low)
    same = tables.difference_interval(np.array([0.9, 0.9]), np.array([0.5, 0.5]))
    assert (same.low, same.high) == (pytest.approx(0.4), pytest.approx(0.4))


def test_milestones_are_measured_sizes(make_run):
    run = finished.read(make_run(n=60, sizes=(1, 10, 30, 60)))
    assert tables.milestones(run, "translate", "loss") == [10, 30]
    assert tables.milestones(run, "translate", "loss", [1.0]) == [60]


@pytest.mark.parametrize("seed", range(3))
def test_spearman_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, 50).astype(float), rng.normal(size=50)
    assert tables.spearman(a, a + b) == pytest.approx(stats.spearmanr(a, a + b).statistic, abs=1e-12)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_gains_are_shares_and_differences(make_run):
    folder = make_run(n=100, sizes=(10, 25, 50), curves=[("baseline", False, False, 1.0), ("dpp", False, False, 2.0)])
    rows = read_csv({path.name: path for path in tables.write(folder)}["gains.csv"])
    assert [row["size"] for row in rows if row["policy"] == "dpp" and row["score"] == "loss"] == ["10", "25", "50"]
    (row,) = [row for row in rows if (row["policy"], row["score"], row["size"]) == ("dpp", "loss", "25")]
    ours, uniform = (np.array(accuracies(folder, "translate", "loss", policy)[25]) for policy in ("dpp", "baseline"))
    assert float(row["share"]) == pytest.approx((ours.mean() - 0.86) / 0.1, abs=1e-6)
    expected = stats.ttest_ind(ours, uniform, equal_var=False).confidence_interval(0.95)
    found = [float(row[f"difference{side}"]) for side in ("", "_low", "_high")]
    np.testing.assert_allclose(found, [ours.mean() - uniform.mean(), *expected], atol=2e-6)
    assert {row["difference"] for row in rows if row["policy"] == "baseline"} == {""}


def test_clusters_are_compared_with_the_baseline_in_as_many(make_run):
    names = ("baseline", "baseline+clusters5", "baseline+clusters9", "dpp", "random_proportional+clusters9")
    run = finished.read(make_run(curves=[(name, False, False, 1.0) for name in names]))
    found = {
        curve.name: tables.baseline_of(run, "translate", "loss", curve) for curve in run.curves["translate", "loss"]
    }
    assert found["random_proportional+clusters9"].name == "baseline+clusters9"
    assert found["dpp"].name == "baseline"
    alone = finished.read(make_run("alone", curves=[("baseline", False, False, 1.0), (names[-1], False, False, 1.0)]))
    assert tables.baseline_of(alone, "translate", "loss", alone.curve("translate", "loss", names[-1])) is None


def test_references_hold_all_that_was_measured(make_run):
    folder = make_run(augmentations=("translate", "crop"))
    written = {path.name: path for path in tables.write(folder)}
    assert read_csv(written["references.csv"])[0] == {
        "augmentation": "translate",
        "none_plain_test": "0.930000",
        "none": "0.860000",
        "all": "0.960000",
        "all_downweighted": "0.958000",
        "vsv": "0.940000",
        "n_vsv": "12",
        "C": "10.0",
        "svm_C": "1.0",
    }
    assert (
        r"translate & $93.00$ & $86.00$ & $96.00$ & $95.80$ & $94.00$ & $12$ \\"
        in written["references.tex"].read_text()
    )


def test_latex_of_accuracies_and_gains(make_run):
    folder = make_run(n=100, sizes=(10, 25, 50), curves=[("baseline", False, False, 1.0)], scores=("alo",))
    written = {path.name: path.read_text() for path in tables.write(folder)}
    values = accuracies(folder, "translate", "alo", "baseline")
    cells = [rf"${100 * np.mean(values[s]):.2f} \pm {100 * np.std(values[s], ddof=1):.2f}$" for s in (10, 25, 50)]
    assert " & ".join(["baseline (uniform)", *cells]) + r" \\" in written["accuracy.tex"]
    shares = [f"${100 * (np.mean(values[s]) - 0.86) / 0.1:.0f}$" for s in (10, 25, 50)]
    assert " & ".join(["baseline (uniform)", *shares]) + r" \\" in written["gains.tex"]
    assert r" & ALO & ALO & ALO \\" in written["gains.tex"]


def test_ranks_of_all_pairs_of_scores(make_run):
    folder = make_run(scores=("influence", "loss", "alo"), curves=[("baseline", False, False, 1.0)])
    values = {
        (score, when): np.abs(np.load(folder / f"arrays/scores-translate-{score}-{when}.npy"))
        for score in ("influence", "loss", "alo")
        for when in ("before", "after")
    }
    rows = read_csv({path.name: path for path in tables.write(folder)}["spearman.csv"])
    assert len(rows) == 3 + 3
    for row in rows:
        one, other = values[row["score"], row["when"]], values[row["other_score"], row["other_when"]]
        assert float(row["spearman"]) == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-6)
    found = tables.ranks([(finished.read(folder), "")], "translate")
    assert found.labels == ["influence", "loss", "ALO"]
    expected = stats.spearmanr(np.array([values[s, "before"] for s in ("influence", "loss", "alo")]).T).statistic
    np.testing.assert_allclose(found.values, expected, atol=1e-12)


def test_ranks_of_runs_name_what_differs(make_run):
    runs = [(finished.read(make_run(name, seed=seed)), name) for name, seed in (("one", 0), ("two", 0), ("three", 1))]
    assert tables.ranks(runs[:2], "translate").labels == ["influence", "loss"]
    assert tables.ranks(runs, "translate").labels == ["one: influence", "one: loss", "three: influence", "three: loss"]
