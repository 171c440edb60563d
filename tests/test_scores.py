"""Scores: each against its formula written out in NumPy at a fitted model, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score
from sklearn.svm import LinearSVC

from augcore import influence, policies, scores
from augcore.linear_model import LogisticRegression, LogisticRegressionCV
from augcore.scores import SCORES

ALONE = ("loss", "margin", "gradient_dot", "gradient_norm", "entropy", "el2n")
LEAVE_ONE_OUT = ("loo_influence", "loo_loss_change", "leverage")


def data(n=60, p=4, seed=0, labels=(0, 1)):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    positive = X[:, 0] - X[:, 1] + rng.normal(size=n) > 0
    return X, np.array(labels)[positive.astype(int)], rng.uniform(0.2, 2.0, n)


def by_hand(model, X, y, weight, name):
    """The table at the top of augcore.scores, point by point."""
    ones = np.ones((len(X), 1)) if model.fit_intercept else np.empty((len(X), 0))
    Z = np.hstack([np.asarray(X, dtype=np.float64), ones])
    theta = np.concatenate([model.coef_[0], model.intercept_])[: Z.shape[1]]
    positive = y == model.classes_[1]
    p = 1 / (1 + np.exp(-Z @ theta))
    p_y = np.where(positive, p, 1 - p)
    g = (p - positive)[:, None] * Z
    ridge = np.diag([1 / model.C] * X.shape[1] + [0.0] * ones.shape[1])
    q = np.einsum("ij,jk,ik->i", Z, np.linalg.inv(Z.T * (weight * p * (1 - p)) @ Z + ridge), Z)
    h = weight * p * (1 - p) * q
    moved = Z @ theta + weight * (p - positive) * q / (1 - h)
    sign = np.where(positive, 1, -1)
    return {
        "loo_influence": -weight * (p - positive) ** 2 * q,
        "loo_loss_change": np.log1p(np.exp(-sign * moved)) + np.log(p_y),
        "leverage": h,
        "loss": -np.log(p_y),
        "margin": sign * (Z @ theta),
        "gradient_dot": -np.sum(g**2, axis=1),
        "gradient_norm": np.linalg.norm(g, axis=1),
        "entropy": -p * np.log(p) - (1 - p) * np.log(1 - p),
        "el2n": np.hypot(p - positive, (1 - p) - ~positive),
    }[name]


def test_the_registry():
    assert set(SCORES) == {*ALONE, *LEAVE_ONE_OUT, "svm_margin", "svm_loss", "random"}


@pytest.mark.parametrize("name", [*ALONE, *LEAVE_ONE_OUT])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("labels", [(0, 1), ("b", "a"), (7, -7)])
def test_scores_are_their_formulas(name, fit_intercept, weighted, labels):
    X, y, weight = data(labels=labels)
    weight = weight if weighted else None
    model = LogisticRegression(C=3.0, fit_intercept=fit_intercept, tol=1e-12).fit(X, y, weight)
    got = SCORES[name](model, X, y, sample_weight=weight, threads=2)
    assert got.dtype == np.float64
    expected = by_hand(model, X, y, np.ones(len(y)) if weight is None else weight, name)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_asked_for_in_the_same_way(name):
    X, y, weight = data()
    model = LogisticRegression().fit(X, y, weight)
    arguments = {"rng": 1} if name == "random" else {}
    X.flags.writeable = y.flags.writeable = weight.flags.writeable = False
    expected = SCORES[name](model, X, y, sample_weight=weight, threads=1, **arguments)
    assert expected.shape == (60,)
    assert np.isfinite(expected).all()
    for threads in (2, 3, 8, None):
        again = SCORES[name](model, np.asfortranarray(X), y, sample_weight=weight, threads=threads, **arguments)
        np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("name", [*ALONE, *LEAVE_ONE_OUT])
def test_float32_features(name):
    X, y, _ = data()
    X = X.astype(np.float32)
    model = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(
        SCORES[name](model, X, y), SCORES[name](model, X.astype(np.float64), y), rtol=1e-9, atol=1e-13
    )


@pytest.mark.parametrize("name", [*ALONE, *LEAVE_ONE_OUT])
def test_a_model_of_scikit_learn(name):
    X, y, _ = data()
    theirs = sklearn.linear_model.LogisticRegression(C=2.0, tol=1e-12, solver="newton-cholesky").fit(X, y)
    ours = LogisticRegression(C=2.0, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(SCORES[name](theirs, X, y), SCORES[name](ours, X, y), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ALONE)
def test_points_of_their_own_score_as_in_any_company(name):
    X, y, _ = data()
    model = LogisticRegression().fit(X, y)
    whole = SCORES[name](model, X, y)
    np.testing.assert_array_equal(SCORES[name](model, X[5:6], y[5:6]), whole[5:6])
    assert SCORES[name](model, X[:0], y[:0]).shape == (0,)


def test_hopeless_and_certain_points_keep_their_digits():
    X = np.array([[40.0], [-40.0], [800.0], [-800.0]])
    model = LogisticRegression.from_estimator(fixed_model(1.0))
    y = np.array([1, 1, 1, 1])
    tiny = np.exp(-40.0)
    np.testing.assert_allclose(scores.el2n(model, X, y) / np.sqrt(2), [tiny, 1, 0, 1], rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(scores.gradient_norm(model, X, y), [40 * tiny, 40, 0, 800], rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(scores.entropy(model, X, y)[:2], [41 * tiny] * 2, rtol=1e-12)
    np.testing.assert_allclose(scores.entropy(model, X, y)[2:], 0.0, atol=1e-300)


def fixed_model(coef):
    model = sklearn.linear_model.LogisticRegression(fit_intercept=False)
    model.coef_, model.intercept_, model.classes_ = np.array([[coef]]), np.zeros(1), np.array([0, 1])
    return model


# ---- which Hessian ---------------------------------------------------------------------------------------------------


def test_the_hessian_is_that_of_the_fit_even_for_some_of_the_points():
    X, y, weight = data()
    model = LogisticRegression(tol=1e-12).fit(X, y, weight)
    some = np.arange(0, 60, 7)
    for name in LEAVE_ONE_OUT:
        whole = SCORES[name](model, X, y, sample_weight=weight)
        part = SCORES[name](model, X[some], y[some], sample_weight=weight[some])
        np.testing.assert_allclose(part, whole[some], rtol=1e-12)


def test_fitted_points_that_are_not_the_scored_ones():
    X, y, weight = data()
    model = LogisticRegression(tol=1e-12).fit(X[20:], y[20:], weight[20:])
    fit = {"fit_X": X[20:], "fit_y": y[20:], "fit_sample_weight": weight[20:]}
    got = scores.loo_influence(model, X[:20], y[:20], **fit)
    np.testing.assert_allclose(got, scores.loo_influence(model, X[:20], y[:20]), rtol=1e-9)
    doubled = scores.loo_influence(model, X[:20], y[:20], fit_X=X, fit_y=y)
    assert not np.allclose(doubled, got, rtol=1e-3)


@pytest.mark.parametrize("name", LEAVE_ONE_OUT)
@pytest.mark.parametrize("options", [{"hessian_l2": 0.0}, {"damping": 5.0}, {"hessian_l2": 0.0, "damping": 2e-10}])
def test_another_penalty_in_the_hessian(name, options):
    X, y, weight = data()
    model = LogisticRegression(C=0.1, tol=1e-12).fit(X, y, weight)
    got = SCORES[name](model, X, y, sample_weight=weight, **options)
    direct = getattr(influence, name)(
        X, y, model.coef_, model.intercept_, 10.0, classes=model.classes_, sample_weight=weight, **options
    )
    np.testing.assert_array_equal(got, direct)
    assert not np.allclose(got, SCORES[name](model, X, y, sample_weight=weight), rtol=1e-3)


@pytest.mark.parametrize("name", LEAVE_ONE_OUT)
def test_a_model_without_a_hessian_takes_that_of_the_points(name, tmp_path):
    X, y, weight = data()
    model = LogisticRegression(tol=1e-12).fit(X, y, weight)
    model.save(tmp_path / "model.npz")
    loaded = LogisticRegression.load(tmp_path / "model.npz")
    np.testing.assert_allclose(
        SCORES[name](loaded, X, y, sample_weight=weight), SCORES[name](model, X, y, sample_weight=weight), rtol=1e-10
    )


# ---- the linear SVM --------------------------------------------------------------------------------------------------


def test_svm_scores_are_those_of_the_chosen_svm():
    X, y, _ = data(labels=("cat", "dog"))
    svm = scores.fit_svm(X, y)
    assert svm.C in scores.SVM_GRID
    decision = LinearSVC(C=svm.C, dual=False).fit(X, y).decision_function(X)
    sign = np.where(y == "dog", 1, -1)
    for given_svm in (None, svm):
        np.testing.assert_allclose(scores.svm_margin(None, X, y, svm=given_svm), np.abs(decision), rtol=1e-6)
        np.testing.assert_allclose(
            scores.svm_loss(None, X, y, svm=given_svm), np.maximum(0, 1 - sign * decision), rtol=1e-6, atol=1e-12
        )
    held_out = data(n=9, seed=3, labels=("cat", "dog"))
    assert scores.svm_margin(None, *held_out[:2], svm=svm).shape == (9,)
    assert scores.svm_loss(None, X[:0], y[:0], svm=svm).shape == (0,)


@pytest.mark.parametrize("scale", [1.0, 0.05])
def test_the_svm_is_chosen_by_cross_validation(scale):
    """Features that are small need a large C."""
    X, y, _ = data(n=48, p=12, seed=2)
    accuracy = [cross_val_score(LinearSVC(C=C, dual=False), scale * X, y, cv=4).mean() for C in scores.SVM_GRID]
    assert (scale < 1.0) == (np.argmax(accuracy) > 0)
    assert scores.SVM_GRID[int(np.argmax(accuracy))] == scores.fit_svm(scale * X, y).C


@pytest.mark.parametrize("labels", [np.array([b"no", b"yes"]), np.array([0.5, 1.5]), np.array(["no", "yes"], object)])
def test_the_svm_takes_labels_of_any_kind(labels):
    X, y, _ = data()
    svm = scores.fit_svm(X, labels[y])
    assert svm.predict(X[:5]).tolist() == labels[scores.fit_svm(X, y).predict(X[:5])].tolist()
    np.testing.assert_array_equal(scores.svm_loss(None, X, labels[y]), scores.svm_loss(None, X, y))


def test_weights_enter_the_svm():
    X, y, weight = data()
    assert not np.allclose(scores.svm_margin(None, X, y, sample_weight=weight**3), scores.svm_margin(None, X, y))


# ---- the control -----------------------------------------------------------------------------------------------------


def test_random_scores_are_keyed_and_unrelated_to_orders():
    X, y, _ = data(n=2000)
    got = scores.random(None, X, y, rng=3)
    np.testing.assert_array_equal(got, scores.random(None, X, y, rng=3, threads=3))
    assert not np.array_equal(got, scores.random(None, X, y, rng=4))
    assert not np.array_equal(scores.random(None, X, y), scores.random(None, X, y))
    assert got.min() > 0
    assert got.max() < 1
    place = np.empty(2000)
    place[policies.order(np.ones(2000), "baseline", 3)] = np.arange(2000)
    assert abs(np.corrcoef(got, place)[0, 1]) < 0.1


# ---- properties ------------------------------------------------------------------------------------------------------

logits = st.lists(st.floats(-700, 700), min_size=1, max_size=20)


@given(logits, st.data())
def test_signs_and_scales(etas, source):
    X = np.array(etas)[:, None]
    y = np.array(source.draw(st.lists(st.integers(0, 1), min_size=len(etas), max_size=len(etas))))
    model = LogisticRegression.from_estimator(fixed_model(1.0))
    value = {name: SCORES[name](model, X, y) for name in ALONE}
    assert all(np.isfinite(v).all() for v in value.values())
    assert (value["loss"] >= 0).all()
    assert (value["gradient_dot"] <= 0).all()
    assert ((value["entropy"] >= 0) & (value["entropy"] <= np.log(2) * (1 + 1e-15))).all()
    assert ((value["el2n"] >= 0) & (value["el2n"] <= np.sqrt(2))).all()
    np.testing.assert_allclose(np.sqrt(-value["gradient_dot"]), value["gradient_norm"], rtol=1e-12, atol=1e-150)
    clear = np.abs(value["margin"]) > 1e-12
    np.testing.assert_array_equal(value["loss"][clear] < np.log(2), value["margin"][clear] > 0)


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ALONE, *LEAVE_ONE_OUT])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": LogisticRegression()}, ValueError, "model: is not a fitted logistic regression"),
        ({"model": None}, ValueError, "model: is not a fitted logistic regression"),
        ({"model": fixed_model(np.nan)}, ValueError, "coef: "),
        ({"X": np.full((60, 4), np.nan)}, ValueError, "X: contains NaN"),
        ({"X": np.ones((60, 3))}, ValueError, "^X: expected 4 columns"),
        ({"X": np.ones(60)}, ValueError, "X: expected 2 dimensions"),
        ({"threads": 0}, ValueError, "threads: "),
    ],
)
def test_bad_model_and_points(name, change, error, message):
    X, y, _ = data()
    arguments = {"model": LogisticRegression().fit(X, y), "X": X, "y": y, **change}
    if isinstance(change.get("model"), sklearn.linear_model.LogisticRegression):
        arguments["X"] = X[:, :1]
    with pytest.raises(error, match=message):
        SCORES[name](arguments.pop("model"), arguments.pop("X"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize("name", [name for name in (*ALONE, *LEAVE_ONE_OUT) if name != "entropy"])
def test_bad_labels(name):
    X, y, _ = data()
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="y: expected length 60"):
        SCORES[name](model, X, y[:50])
    with pytest.raises(ValueError, match="y: has labels that are not in classes"):
        SCORES[name](model, X, y + 1)


def test_models_that_are_no_logistic_regression():
    X, y, _ = data()
    with pytest.raises(ValueError, match=r"model: .*expected a fitted"):
        scores.loss(sklearn.linear_model.LinearRegression().fit(X, y), X, y)


@pytest.mark.parametrize("score", [scores.svm_margin, scores.svm_loss])
def test_bad_svm_input(score):
    X, y, weight = data()
    few = np.zeros(60, dtype=int)
    few[:3] = 1
    with pytest.raises(ValueError, match="y: a linear SVM needs at least 4 points of each class, got 3"):
        score(None, X, few)
    with pytest.raises(ValueError, match="y: has one class only"):
        score(None, X, np.ones(60))
    with pytest.raises(ValueError, match="svm: expected what fit_svm returns"):
        score(None, X, y, svm=object())
    with pytest.raises(ValueError, match="X: expected 4 columns"):
        score(None, X[:, :2], y, svm=scores.fit_svm(X, y))
    with pytest.raises(ValueError, match="sample_weight: must not be negative"):
        score(None, X, y, sample_weight=-weight)


def test_registering():
    def constant(model, X, y, *, sample_weight=None, threads=None):
        return np.ones(len(X))

    scores.register("constant", constant)
    try:
        assert SCORES["constant"] is constant
        with pytest.raises(ValueError, match="name: 'constant' is registered already"):
            scores.register("constant", constant)
    finally:
        del SCORES["constant"]
    with pytest.raises(ValueError, match="name: 'loss' is registered already"):
        scores.register("loss", constant)
    with pytest.raises(TypeError, match="score: expected a function"):
        scores.register("other", 3)
    assert "other" not in SCORES


def test_svm_refuses_features_it_would_never_finish_with():
    X = np.arange(40.0).reshape(20, 2) * 1e200
    with pytest.raises(ValueError, match=r"^X: "):
        scores.svm_margin(None, X * 1e-150, np.arange(20) % 2)


def test_svm_counts_only_points_that_weigh():
    X = np.arange(40.0).reshape(20, 2)
    y = np.arange(20) % 2
    with pytest.raises(ValueError, match=r"^y: a linear SVM needs at least"):
        scores.svm_margin(None, X, y, sample_weight=y.astype(float))


# ---- models of every make --------------------------------------------------------------------------------------------


def test_models_whose_C_was_chosen_are_scored():
    X, y, _ = data()
    ours = LogisticRegressionCV([0.1, 1.0, 10.0], cv=3).fit(X, y)
    plain = LogisticRegression(C=ours.C_).fit(X, y)
    np.testing.assert_allclose(scores.loo_influence(ours, X, y), scores.loo_influence(plain, X, y), rtol=1e-6)
    theirs = sklearn.linear_model.LogisticRegressionCV(
        Cs=[ours.C_], l1_ratios=(0.0,), use_legacy_attributes=False, scoring="accuracy", tol=1e-10, max_iter=1000
    ).fit(X, y)
    np.testing.assert_allclose(scores.loo_influence(theirs, X, y), scores.loo_influence(plain, X, y), rtol=1e-4)
    theirs.C_ = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match="^model: estimator: has a C for each class"):
        scores.loss(theirs, X, y)


def test_models_of_each_class_against_the_rest_are_refused():
    X, _, _ = data()
    y = np.arange(len(X)) % 3
    theirs = sklearn.linear_model.LogisticRegression().fit(X, y)
    scores.loss(theirs, X, y)
    theirs.multi_class = "ovr"
    with pytest.raises(ValueError, match="^model: estimator: has one model for each class"):
        scores.loss(theirs, X, y)


def test_parameters_that_are_set_after_the_fit_do_not_change_its_scores():
    X, y, _ = data()
    model = LogisticRegression(C=2.0).fit(X, y)
    wanted = {name: getattr(scores, name)(model, X, y) for name in ("loss", *LEAVE_ONE_OUT)}
    again = LogisticRegression(C=2.0).fit(X, y).set_params(C=50.0, fit_intercept=False)
    assert again.l2 == 0.5
    for name, values in wanted.items():
        np.testing.assert_array_equal(getattr(scores, name)(again, X, y), values)
        if name != "loss":
            with_other = getattr(scores, name)(again, X, y, damping=1e-300)
            np.testing.assert_allclose(with_other, values, rtol=1e-9)
    assert again.fit(X, y).l2 == 1 / 50


@pytest.mark.parametrize("name", LEAVE_ONE_OUT)
def test_few_points_of_many_features_need_no_factor(name):
    X, y, weight = data(n=30, p=90)
    score = getattr(scores, name)
    model = LogisticRegression().fit(X, y)
    found = score(model, X, y)
    assert model._factor is None
    np.testing.assert_allclose(score(model, X[3:9], y[3:9]), found[3:9], rtol=1e-9)  # H is that of the fit, still
    assert model._factor is not None
    weighted = LogisticRegression().fit(X, y, weight)
    assert (score(weighted, X, y) != found).all()  # by the Hessian of the weighted fit, though the points weigh one
    assert weighted._factor is not None
