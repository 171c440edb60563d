"""Fits that go on from the last, and curves that share work: the same optima as refitting everything from nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from augcore import _dispatch, influence
from augcore.benchmarks.inner import Case, make_features, problem_of
from augcore.experiments import fits
from augcore.experiments.config import MAIN
from augcore.experiments.curves import curve_units, trace_curve
from augcore.experiments.problem import Problem
from augcore.linear_model import LogisticRegression, growing
from augcore.linear_model.growing import GrowingLogistic
from augcore.linear_model.newton import minimise
from augcore.linear_model.objective import DenseObjective, objective_of

TOL = 1e-10


def labelled(n: int, p: int, classes: int = 2, dtype: Any = np.float32) -> tuple[Any, Any]:
    rng = np.random.default_rng(p)
    X = np.maximum(rng.normal(size=(n, p)) + rng.normal(size=(n, 1)), 0)
    y = (X @ rng.normal(size=(p, classes)) / np.sqrt(p) + 0.4 * rng.normal(size=(n, classes))).argmax(axis=1)
    y[:classes] = np.arange(classes)
    return X.astype(dtype), y


def begun(X: Any, y: Any, n: int, **options: Any) -> GrowingLogistic:
    start = LogisticRegression(**{"C": 3.0, "tol": TOL, **options}).fit(X[:n], y[:n])
    return GrowingLogistic.of(start, X[:n], y[:n])


def assert_same_model(model: LogisticRegression, X: Any, y: Any, weight: Any = None) -> None:
    """As a fit from nothing."""
    options = {name: getattr(model, name) for name in ("C", "fit_intercept")}
    alone = LogisticRegression(**options, tol=1e-12).fit(X, y, weight)
    np.testing.assert_allclose(model.decision_function(X), alone.decision_function(X), atol=2e-6)
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=2e-6)
    assert np.array_equal(model.classes_, alone.classes_)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """The rows of every Hessian that is summed up anew, and of every update of one."""
    rows: dict[str, list[int]] = {"whole": [], "updates": []}
    whole, update = DenseObjective._summed_hessian, _dispatch.weighted_gram

    def summed(self: Any, z: Any, single: bool) -> Any:
        rows["whole"].append(self.n)
        return whole(self, z, single)

    def gram(X: Any, *arguments: Any, **options: Any) -> Any:
        rows["updates"].append(len(X))
        return update(X, *arguments, **options)

    monkeypatch.setattr(DenseObjective, "_summed_hessian", summed)
    monkeypatch.setattr(_dispatch, "weighted_gram", gram)
    return rows


# ---- GrowingLogistic -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("n", "p", "classes"), [(30, 3, 2), (500, 220, 2), (60, 220, 2), (90, 5, 3), (200, 60, 4)])
def test_every_model_is_that_of_its_rows(n: int, p: int, classes: int, fit_intercept: bool, dtype: Any) -> None:
    X, y = labelled(2 * n, p, classes, dtype)
    rng = np.random.default_rng(0)
    later = n + rng.permutation(n)
    taken = np.arange(n)
    model = begun(X, y, n, fit_intercept=fit_intercept)
    for count in (1, 0, n // 4, n // 2):
        new = later[len(taken) - n :][:count]
        taken = np.concatenate([taken, new])
        model = model.grown(X, y, new, None)
        assert np.array_equal(model.X, X[taken])
        assert np.array_equal(model.codes, y[taken])
        assert_same_model(model, X[taken], y[taken])


@pytest.mark.parametrize("p", [3, 220])
def test_weights_may_change_with_every_fit(p: int) -> None:
    X, y = labelled(400, p)
    model, n = begun(X, y, 300), 300
    for weight_of_old in (1.0, 0.2, 3.0, 0.0):
        new, n = np.arange(n, n + 20), n + 20
        weight = np.ones(n)
        weight[:200] = weight_of_old
        model = model.grown(X, y, new, weight)
        assert_same_model(model, X[:n], y[:n], weight)


def test_the_hessian_is_brought_up_to_date_by_few_rows(counted: dict[str, list[int]]) -> None:
    X, y = labelled(1300, 200)
    model = begun(X, y, 1000)
    assert counted["whole"][-1] == 1000
    counted["whole"].clear()
    for first in (1000, 1020, 1100):
        model = model.grown(X, y, np.arange(first, first + 20), None)
    assert counted["whole"] == []
    assert len(counted["updates"]) == 3
    assert 20 <= max(counted["updates"]) < 200


@pytest.mark.parametrize("saved", [-1.0, 1e9])
def test_whether_an_update_pays_does_not_change_the_optimum(monkeypatch: pytest.MonkeyPatch, saved: float) -> None:
    monkeypatch.setattr(growing, "_STEPS_SAVED", saved)
    monkeypatch.setattr(growing, "_STEPS_OF_FEW_ROWS", 10_000)
    X, y = labelled(900, 220)
    model = begun(X, y, 500)
    for n in (510, 700, 900):
        model = model.grown(X, y, np.arange(len(model.X), n), None)
        assert_same_model(model, X[:n], y[:n])


def test_the_hessian_that_is_kept_is_that_of_the_curvatures_that_are_kept() -> None:
    X, y = labelled(1300, 200)
    model, n = begun(X, y, 1000), 1000
    for added in (20, 80, 200):
        n += added
        weight = np.where(np.arange(n) % 7 == added % 7, 0.2, 1.0)
        model = model.grown(X, y, np.arange(n - added, n), weight)
        design = np.hstack([X[:n], np.ones((n, 1))]).astype(float)
        kept = design.T @ (design * model._curvature[:, None])
        kept[np.arange(200), np.arange(200)] += 1 / 3.0
        assert (model._curvature >= 0).all()
        assert (model._curvature[n - added :] > 0).any()
        np.testing.assert_allclose(model._hessian, kept, atol=1e-5 * np.abs(kept).max())


def test_a_hessian_of_which_rounding_left_nothing_is_summed_up_anew(counted: dict[str, list[int]]) -> None:
    X, y = labelled(600, 220)
    model = begun(X, y, 500)
    counted["whole"].clear()
    assert model._hessian is not None
    model._hessian = -model._hessian
    grown = model.grown(X, y, np.arange(500, 600), None)
    assert counted["whole"][0] == 600
    assert grown._hessian is not None
    assert np.linalg.eigvalsh(grown._hessian).min() > 0
    assert_same_model(grown, X, y)


def test_two_fits_that_go_on_from_one_do_not_meet() -> None:
    X, y = labelled(300, 220)
    model = begun(X, y, 200).grown(X, y, np.arange(200, 210), None)
    one = model.grown(X, y, np.arange(210, 240), None)
    other = model.grown(X, y, np.arange(260, 300), None)
    assert np.array_equal(model.X, X[:210])
    for grown, rows in ((one, np.r_[:240]), (other, np.r_[:210, 260:300])):
        assert np.array_equal(grown.X, X[rows])
        assert_same_model(
            grown.grown(X, y, np.arange(250, 255), None), X[np.r_[rows, 250:255]], y[np.r_[rows, 250:255]]
        )


@pytest.mark.parametrize("ridge", [1 / 3.0, 0.0, 5.0])
def test_factors_are_of_the_hessian_at_the_optimum(ridge: float) -> None:
    X, y = labelled(500, 40)
    weight = np.random.default_rng(0).uniform(0.5, 2, 450)
    model = begun(X, y, 400).grown(X, y, np.arange(400, 450), weight)
    p = model.predict_proba(X[:450])[:, 1]
    design = np.hstack([X[:450], np.ones((450, 1))]).astype(float)
    expected = design.T @ (design * (weight * p * (1 - p))[:, None])
    expected[np.arange(40), np.arange(40)] += ridge
    own = model.factor_.lower
    lower = model.hessian_factor(ridge).lower
    np.testing.assert_allclose(lower @ lower.T, expected, rtol=1e-9, atol=1e-9)
    expected[np.arange(40), np.arange(40)] += 1 / 3.0 - ridge
    np.testing.assert_allclose(own @ own.T, expected, rtol=1e-9, atol=1e-9)
    assert_same_model(model.grown(X, y, np.arange(450, 500), None), X, y)


@pytest.mark.parametrize("longer", [0.3, 4.0, 30.0])
def test_fits_that_are_exact_to_the_last_digits_end(longer: float) -> None:
    """Near the optimum, rounding hides from the line search by how much a step is too long; gradients still tell."""
    X, y = labelled(2000, 150)
    objective = objective_of(X, y, 2, None, 0.1, True, 1)
    best = minimise(objective, np.zeros(151), 1e-13, 100)
    hessian = objective.hessian(best.z) / longer
    assert _dispatch.cholesky(hessian, 1) < 0
    start = best.theta + 1e-9 * np.random.default_rng(0).normal(size=151)
    found = minimise(objective, start, 1e-12, 100, hessian)
    assert found.converged
    assert found.iterations < 60


# ---- problems --------------------------------------------------------------------------------------------------------


class Refitted(Problem):
    """Every model from nothing, on rows that are put together anew; predictions and scores one by one."""

    def fit(self, start: Any, chosen: Any, *, downweight: bool = False) -> Any:
        k = len(self.variants)
        X = np.concatenate([self.originals, *(variant[np.sort(chosen)] for variant in self.variants)])
        y = np.concatenate([self.y, np.tile(self.y[np.sort(chosen)], k)])
        weight = np.ones(len(y))
        if downweight:
            weight[chosen] = weight[self.n :] = 1 / (k + 1)
        return LogisticRegression(C=start.C, tol=1e-12, threads=1).fit(X, y, weight), (X, y, weight)

    def accuracies(self, models: Any) -> list[float]:
        return [float(np.mean(model.predict(self.X_test) == self.y_test)) for model in models]

    def scores(self, name: str, model: Any, fitted: Any) -> Any:
        config, (X, y, weight) = self.config, fitted
        l2 = model.l2 if config.hessian_l2 is None else config.hessian_l2
        hessian = {"hessian_l2": l2, "damping": config.damping}
        fit = {"fit_X": X, "fit_y": y, "fit_sample_weight": weight}
        return influence.loo_influence(
            self.originals, self.y, model.coef_, model.intercept_, model.l2, **hessian, **fit
        )


@pytest.fixture(scope="module", params=["augcore", "paper"])
def problem(request: pytest.FixtureRequest) -> Problem:
    return problem_of(make_features(Case(150, 260, 3, 150)), request.param)


def test_curves_are_those_of_refitting_everything(problem: Problem) -> None:
    """All twelve configurations: the same points are chosen, and the accuracies are equal."""
    fields = {field.name: getattr(problem, field.name) for field in dataclasses.fields(Problem)}
    plain = Refitted(**fields)
    everything = np.arange(problem.n)
    units = curve_units(problem.config)
    assert {unit.configuration.name for unit in units} == set(MAIN)
    for unit in units:
        if unit.round > 1:
            continue
        found = []
        for one in (problem, plain):
            before = one.scores("influence", one.start, (one.originals, one.y, None))
            full = [one.fit(one.start, everything, downweight=downweight)[0] for downweight in (False, True)]
            references = dict(zip(("accuracy_all", "accuracy_all_downweighted"), one.accuracies(full), strict=True))
            scores = before if unit.score else np.ones(one.n)
            found.append(trace_curve(unit, one, scores, references, lambda: None))
        (points, chosen), (expected_points, expected_chosen) = found
        assert points == expected_points
        assert [list(order) for order in chosen.values()] == [list(order) for order in expected_chosen.values()]


@pytest.mark.parametrize("downweight", [False, True])
def test_a_model_is_that_of_its_points_wherever_it_starts(problem: Problem, downweight: bool) -> None:
    order = np.random.default_rng(0).permutation(problem.n)
    first, _ = problem.fit(problem.start, order[:10], downweight=downweight)
    for start in (problem.start, first, problem.fit(first, order[20:50])[0]):
        for chosen in (order[:10], order[:40], order[5:20], order, order[:0]):
            model, (X, y, weight) = problem.fit(start, chosen, downweight=downweight)
            gradient = (model.predict_proba(X)[:, 1] - y) * (
                1 if weight is None else weight
            ) @ X + model.l2 * model.coef_[0]
            assert np.abs(gradient).max() <= 1e-10 * (len(y) if weight is None else weight.sum())
            alone, data = Refitted.fit(problem, problem.start, chosen, downweight=downweight)
            np.testing.assert_allclose(model.coef_, alone.coef_, atol=2e-6)
            rows, expected = (
                np.column_stack([*given[:2], np.ones(len(given[1])) if given[2] is None else given[2]])
                for given in ((X, y, weight), data)
            )
            assert np.array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])


def test_scores_are_those_of_the_public_function(problem: Problem) -> None:
    chosen = np.arange(0, problem.n, 3)
    for downweight in (False, True):
        model, fitted = problem.fit(problem.start, chosen, downweight=downweight)
        expected = Refitted.scores(problem, "influence", model, fitted)
        np.testing.assert_allclose(problem.scores("influence", model, fitted), expected, rtol=1e-9)
        np.testing.assert_allclose(problem.scores("influence", model, fitted), expected, rtol=1e-9)


def test_test_sets_are_read_once_for_all_models(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [problem.fit(problem.start, np.arange(count))[0] for count in (1, 30, 150)]
    expected = [float(np.mean(model.predict(problem.X_test) == problem.y_test)) for model in models]
    calls = []
    predict = _dispatch.linear_predictor
    monkeypatch.setattr(_dispatch, "linear_predictor", lambda *given: (calls.append(1), predict(*given))[1])
    assert problem.accuracies(models) == expected
    assert len(calls) == 1
    assert problem.accuracy(models[1]) == expected[1]
    plain = slice(problem.n_plain)
    right = float(np.mean(models[1].predict(problem.X_test[plain]) == problem.y_test[plain]))
    assert problem.accuracy_plain(models[1]) == right
    assert problem.accuracies([]) == []


def test_accuracies_with_three_classes_and_a_label_that_nobody_knows() -> None:
    X, y = labelled(300, 6, 3)
    names = np.array(["a", "c", "d"])[y]
    models = [LogisticRegression(C=C).fit(X[:100], names[:100]) for C in (0.1, 10.0)]
    labels = names[100:].copy()
    labels[::7], labels[1::7] = "b", "z"
    tested = fits.TestSet(X[100:], labels, 50, models[0].classes_)
    assert tested.accuracies(models) == [float(np.mean(model.predict(X[100:]) == labels)) for model in models]
    plain = [float(np.mean(model.predict(X[100:150]) == labels[:50])) for model in models]
    assert tested.accuracies(models, plain=True) == plain


def test_features_of_a_test_set_that_are_no_numbers_are_refused() -> None:
    X, y = labelled(50, 4)
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="X_test"):
        fits.TestSet(X, y, 50, np.array([0, 1]))
