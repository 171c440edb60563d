"""Leave-one-out scores: against 200 digits, against float64 autodiff, against exact refits, and bit for bit."""

from __future__ import annotations

import importlib.util
import sys

import mpmath
import numpy as np
import pytest
from conftest import ROOT, THREADS
from scipy.stats import pearsonr
from sklearn.datasets import load_breast_cancer, load_digits

from augcore import influence, reference
from augcore.influence import forms
from augcore.linear_model import HessianFactor, LogisticRegression


def problem(n, p, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).astype(dtype)
    y = (X[:, : min(p, 3)].sum(1) + rng.normal(size=n) > 0).astype(int)
    y[:2] = [0, 1]
    return X, y, rng.uniform(0.1, 3.0, n)


def in_many_digits(X, y, weight, coef, intercept, ridge):
    """-w g' H^-1 g and the loss at the moved logit, by the definitions, in exact enough arithmetic."""
    with mpmath.workdps(200):
        p = X.shape[1]
        q = p + (intercept is not None)
        rows = [[*(mpmath.mpf(float(v)) for v in row), mpmath.mpf(1)][:q] for row in X]
        theta = [mpmath.mpf(float(c)) for c in [*coef, *([] if intercept is None else [intercept])]]
        probability = [1 / (1 + mpmath.exp(-sum(a * b for a, b in zip(x, theta, strict=True)))) for x in rows]
        hessian = mpmath.zeros(q)
        for x, pr, w in zip(rows, probability, weight, strict=True):
            for i in range(q):
                for j in range(q):
                    hessian[i, j] += float(w) * pr * (1 - pr) * x[i] * x[j]
        for i in range(p):
            hessian[i, i] += ridge
        inverse = hessian**-1
        scores, changes, leverages = [], [], []
        for x, pr, label, w in zip(rows, probability, y, weight, strict=True):
            column = mpmath.matrix(x)
            quadratic = (column.T * inverse * column)[0]
            sign = 1 if label else -1
            eta = sum(a * b for a, b in zip(x, theta, strict=True))
            r = -sign / (1 + mpmath.exp(sign * eta))
            h = float(w) * pr * (1 - pr) * quadratic
            scores.append(-float(w) * r * r * quadratic)
            moved = eta + float(w) * r * quadratic / (1 - h)
            changes.append(mpmath.log1p(mpmath.exp(-sign * moved)) - mpmath.log1p(mpmath.exp(-sign * eta)))
            leverages.append(h)
        return [np.array([float(v) for v in values]) for values in (scores, changes, leverages)]


@pytest.mark.parametrize("intercept", [None, 0.3])
@pytest.mark.parametrize("ridge", [1e-6, 0.1, 10.0])
@pytest.mark.parametrize("spread", [1.0, 30.0])
def test_scores_in_many_digits(intercept, ridge, spread):
    X, y, weight = problem(24, 4)
    coef = np.array([1.0, -0.5, 2.0, 0.25]) * spread
    scores, changes, leverages = in_many_digits(X, y, weight, coef, intercept, ridge)
    arguments = (X, y, coef, intercept, ridge)
    tolerance = 1e-9 if spread == 1.0 else 1e-7  # spread 30 has a Hessian of condition about 1e8
    np.testing.assert_allclose(influence.loo_influence(*arguments, sample_weight=weight), scores, rtol=tolerance)
    np.testing.assert_allclose(influence.leverage(*arguments, sample_weight=weight), leverages, rtol=tolerance)
    ours = influence.loo_loss_change(*arguments, sample_weight=weight)
    np.testing.assert_allclose(ours, changes, rtol=tolerance)


def test_influence_by_float64_autodiff():
    """The definition, differentiated by TensorFlow: gradients of single losses, Hessian of the weighted sum."""
    tf = pytest.importorskip("tensorflow")
    X, y, weight = problem(200, 12, seed=3)
    model = LogisticRegression(C=0.7).fit(X, y, weight)
    theta = tf.Variable(np.concatenate([model.coef_[0], model.intercept_]))
    design = tf.constant(np.column_stack([X, np.ones(len(X))]))
    labels = tf.constant(y.astype(float))
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape(persistent=True) as inner:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, tf.linalg.matvec(design, theta))
            total = tf.reduce_sum(losses * weight) + 0.5 / 0.7 * tf.reduce_sum(theta[:-1] ** 2)
        per_sample = inner.jacobian(losses, theta)
        gradient = inner.gradient(total, theta)
    hessian = outer.jacobian(gradient, theta).numpy()
    g = per_sample.numpy()
    expected = -weight * np.einsum("ij,ij->i", g, np.linalg.solve(hessian, g.T).T)
    ours = influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2, sample_weight=weight)
    np.testing.assert_allclose(ours, expected, rtol=1e-8)


def digits_3_and_8():
    X, y = load_digits(return_X_y=True)
    chosen = np.isin(y, [3, 8])
    return X[chosen] / 16.0, (y[chosen] == 8).astype(int)


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(0)) / X.std(0), y


@pytest.mark.parametrize("data", [digits_3_and_8, breast_cancer])
@pytest.mark.parametrize("C", [0.01, 1.0])
def test_loss_change_against_exact_refits(data, C):
    """Leaving out every third point and refitting: what ALO promises, within the error of one Newton step."""
    X, y = data()
    model = LogisticRegression(C=C, tol=1e-10).fit(X, y)
    chosen = np.arange(0, len(y), 3)
    exact = np.empty(len(chosen))
    loss = influence.log_loss(X, y, model.coef_, model.intercept_)
    refit = LogisticRegression(C=C, tol=1e-10, warm_start=True)
    refit.fit(X, y)
    for k, i in enumerate(chosen):
        rest = np.arange(len(y)) != i
        refit.fit(X[rest], y[rest])
        left_out = influence.log_loss(X[i : i + 1], y[i : i + 1], refit.coef_, refit.intercept_, classes=[0, 1])
        exact[k] = left_out[0] - loss[i]
    alo = influence.loo_loss_change(X, y, model.coef_, model.intercept_, model.l2)[chosen]
    assert pearsonr(alo, exact).statistic > 0.98
    assert 0.95 < alo.sum() / exact.sum() < 1.1
    if C == 0.01 and data is digits_3_and_8:  # little leverage: there the plain score is about the change as well
        plain = -influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2)[chosen]
        assert pearsonr(plain, exact).statistic > 0.99
        assert 0.9 < plain.sum() / exact.sum() < 1.1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "p"), [(1, 1), (3, 7), (23, 24), (25, 8), (700, 33), (1500, 130)])
def test_against_the_reference(n, p, dtype):
    X, y, weight = problem(n, p, dtype=dtype) if n > 1 else (np.ones((1, p), dtype), np.array([1]), np.array([2.0]))
    rng = np.random.default_rng(1)
    coef, intercept = rng.normal(size=p) * 0.2, 0.1
    eta = X.astype(float) @ coef + intercept
    hessian = reference.hessian(X.astype(float), weight, eta, 0.5, True)
    q = reference.inverse_quadratic_form(X.astype(float), hessian, True)
    arguments = {"classes": [0, 1], "sample_weight": weight}
    for function in ("loo_influence", "loo_loss_change"):
        expected = getattr(reference, function)(eta, y.astype(float), weight, q)
        ours = getattr(influence, function)(X, y, coef, intercept, 0.5, **arguments)
        if n > 3 or function == "loo_influence":  # else a class has one point, and the change is infinite
            np.testing.assert_allclose(ours, expected, rtol=1e-9)
    np.testing.assert_allclose(
        influence.log_loss(X, y, coef, intercept, classes=[0, 1]),
        reference.log_loss(eta, y.astype(float)),
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        influence.margin(X, y, coef, intercept, classes=[0, 1]), np.where(y == 1, eta, -eta), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_layouts_and_splits_do_not_change_a_bit(dtype):
    X, y, weight = problem(1700, 45, dtype=dtype)
    coef = np.random.default_rng(2).normal(size=45) * 0.2

    def score(points, labels, **keywords):
        return influence.loo_influence(points, labels, coef, 0.1, 0.5, **keywords).tobytes()

    base = score(X, y, sample_weight=weight, threads=1)
    for threads in THREADS:
        assert score(X, y, sample_weight=weight, threads=threads) == base
    read_only = X.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"x" + X.tobytes(), dtype=np.uint8)[1:].view(X.dtype).reshape(X.shape)
    for view in (np.asfortranarray(X), read_only, unaligned, X.astype(X.dtype.newbyteorder()), X.astype(np.float64)):
        assert score(view, y, sample_weight=weight) == base
    # Blocks scored apart against the same fitted points are the whole, cut.
    fit = {"fit_X": X, "fit_y": y, "fit_sample_weight": weight}
    for block in (1, 7, 500):
        parts = [
            score(X[i : i + block], y[i : i + block], sample_weight=weight[i : i + block], **fit)
            for i in range(0, len(X), block)[:40]
        ]
        joined = b"".join(parts)
        assert joined == base[: len(joined)]


def test_simd_levels_agree(run_python, simd_levels):
    code = """
import sys, numpy as np
from augcore import influence
rng = np.random.default_rng(0)
X = rng.normal(size=(600, 70)); y = (X[:, 0] + rng.normal(size=600) > 0).astype(int)
scores = influence.loo_influence(X, y, rng.normal(size=70) * 0.2, 0.1, 0.5)
sys.stdout.write(scores.tobytes().hex())
"""
    results = {
        level: np.frombuffer(bytes.fromhex(run_python(code, AUGCORE_SIMD=level).stdout)) for level in simd_levels
    }
    for level, scores in results.items():
        np.testing.assert_allclose(scores, results["baseline"], rtol=1e-12, err_msg=level)


def test_factor_fit_points_and_out_give_the_same():
    X, y, weight = problem(300, 10)
    model = LogisticRegression(C=2.0).fit(X, y, weight)
    arguments = (X, y, model.coef_, model.intercept_, model.l2)
    base = influence.loo_influence(*arguments, sample_weight=weight)
    by_factor = influence.loo_influence(*arguments, sample_weight=weight, factor=model.factor_)
    by_fit = influence.loo_influence(*arguments, sample_weight=weight, fit_X=X, fit_y=y, fit_sample_weight=weight)
    out = np.empty(300)
    assert influence.loo_influence(*arguments, sample_weight=weight, out=out) is out
    for other in (by_fit, out):
        np.testing.assert_array_equal(other, base)
    np.testing.assert_allclose(by_factor, base, rtol=1e-12)  # the fit may sum its Hessian in another order
    assert (base <= 0).all()


def test_penalty_of_the_hessian_is_what_is_asked_for():
    X, y, _ = problem(50, 3)
    coef = np.ones(3)
    base = influence.loo_influence(X, y, coef, 0.0, 1.5)
    np.testing.assert_array_equal(influence.loo_influence(X, y, coef, 0.0, 9.0, hessian_l2=1.5), base)
    np.testing.assert_array_equal(influence.loo_influence(X, y, coef, 0.0, 9.0, hessian_l2=1.0, damping=0.5), base)
    assert not np.array_equal(influence.loo_influence(X, y, coef, 0.0, 9.0), base)
    for score in (influence.loo_loss_change, influence.leverage):
        base = score(X, y, coef, 0.0, 1.5)
        np.testing.assert_array_equal(score(X, y, coef, 0.0, 9.0, hessian_l2=1.0, damping=0.5), base)
        assert not np.array_equal(score(X, y, coef, 0.0, 9.0), base)


def test_leverages_sum_to_the_number_of_coefficients():
    X, y, weight = problem(300, 10)
    h = influence.leverage(X, y, np.full(10, 0.1), 0.2, 0.0, sample_weight=weight)
    np.testing.assert_allclose(h.sum(), 11.0, rtol=1e-10)


def test_loss_change_is_infinite_where_a_point_holds_the_fit():
    X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
    y = np.array([1, 0, 0, 1])
    change = influence.loo_loss_change(X, y, [0.5, 0.5], None, 0.0)
    assert np.isposinf(change[3])
    assert np.isfinite(change[:3]).all()


def test_loss_change_is_infinite_where_a_class_empties():
    X, y, weight = problem(20, 3)
    y = np.zeros(20, int)
    y[[4, 5]] = 1
    weight[5] = 0.0
    change = influence.loo_loss_change(X, y, np.ones(3), 0.0, 1.0, sample_weight=weight)
    np.testing.assert_array_equal(np.isposinf(change), np.arange(20) == 4)
    assert np.isfinite(influence.loo_loss_change(X, y, np.ones(3), 0.0, 1.0)).all()


@pytest.mark.parametrize("scale", [40.0, 700.0, 1e6])
def test_huge_margins_neither_overflow_nor_vanish(scale):
    X = np.array([[-1.0], [1.0], [2.0]])
    y = np.array([0, 1, 0])
    loss = influence.log_loss(X, y, [scale], 0.0)
    np.testing.assert_allclose(loss[2], 2 * scale, rtol=1e-12)
    np.testing.assert_allclose(loss[0], np.exp(-scale) if scale < 700 else loss[0], rtol=1e-12)
    scores = influence.loo_influence(X, y, [scale], 0.0, 1.0, damping=0.0, fit_X=[[0.0], [0.0]], fit_y=[0, 1])
    np.testing.assert_allclose(scores[2], -(4.0 / 1.0 + 1.0 / 0.5), rtol=1e-9)


def test_empty_and_labels_of_any_kind():
    X, y, _ = problem(40, 3)
    coef = np.ones(3)
    base = influence.loo_influence(X, y, coef, 0.0, 1.0)
    names = np.array(["no", "yes"])
    np.testing.assert_array_equal(influence.loo_influence(X, names[y], coef, 0.0, 1.0), base)
    np.testing.assert_array_equal(influence.loo_influence(X, names[y].tolist(), coef, 0.0, 1.0), base)
    swapped = influence.loo_influence(X, names[y], -coef, 0.0, 1.0, classes=["yes", "no"])
    np.testing.assert_allclose(swapped, base, rtol=1e-12)
    none = influence.loo_influence(X[:0], y[:0], coef, 0.0, 1.0, fit_X=X, fit_y=y)
    assert none.shape == (0,)


X5, Y5, COEF = np.arange(10.0).reshape(5, 2) % 7, [0, 1, 0, 1, 1], [0.1, 0.2]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"X": np.zeros(5)}, ValueError, "^X: "),
        ({"X": np.zeros((5, 0))}, ValueError, "^X: "),
        ({"X": np.full((5, 2), np.nan)}, ValueError, "^X: contains NaN"),
        ({"X": np.full((5, 2), np.inf)}, ValueError, "^X: contains NaN or inf"),
        ({"X": np.zeros((5, 2), complex)}, TypeError, "^X: .*complex"),
        ({"X": np.zeros((5, 2), bool)}, TypeError, "^X: .*bool"),
        ({"X": np.zeros((5, 2), np.float16)}, TypeError, "^X: .*float16"),
        ({"X": [["a", "b"]] * 5}, TypeError, "^X: "),
        ({"X": [[1.0], [1.0, 2.0]]}, TypeError, "^X: "),
        ({"X": np.ma.zeros((5, 2))}, TypeError, "^X: masked"),
        ({"y": [0, 1]}, ValueError, "^y: expected length 5"),
        ({"y": [0, 1, 2, 1, 0]}, ValueError, "^y: expected two classes"),
        ({"y": [1] * 5}, ValueError, "^y: has one class only"),
        ({"y": [0.0, 1.0, np.nan, 1.0, 0.0]}, ValueError, "^y: contains NaN"),
        ({"y": [[0, 1, 0, 1, 1]]}, ValueError, "^y: expected 1 dimension"),
        ({"y": [None, 1, 0, 1, 0]}, TypeError, "^y: "),
        ({"y": np.array(Y5) + 0j}, TypeError, "^y: .*complex"),
        ({"y": np.array(Y5).astype("M8[s]")}, TypeError, "^y: .*datetime"),
        ({"classes": [0, 0]}, ValueError, "^classes: "),
        ({"classes": [5, 6]}, ValueError, "^y: has labels that are not in classes"),
        ({"coef": [1.0, 2.0, 3.0]}, ValueError, "^coef: "),
        ({"coef": [1.0, np.nan]}, ValueError, "^coef: "),
        ({"intercept": [1.0, 2.0]}, ValueError, "^intercept: "),
        ({"intercept": np.inf}, ValueError, "^intercept: "),
        ({"l2": -1.0}, ValueError, "^l2: "),
        ({"l2": "1"}, TypeError, "^l2: "),
        ({"hessian_l2": np.nan}, ValueError, "^hessian_l2: "),
        ({"damping": -1e-9}, ValueError, "^damping: "),
        ({"l2": 1e308, "damping": 1e308}, ValueError, "^damping: .*above"),
        ({"sample_weight": [1.0] * 4}, ValueError, "^sample_weight: "),
        ({"sample_weight": [-1.0] * 5}, ValueError, "^sample_weight: "),
        ({"fit_X": X5}, ValueError, "^fit_y: "),
        ({"fit_y": Y5}, ValueError, "^fit_y: "),
        ({"fit_X": X5[:, :1], "fit_y": Y5}, ValueError, "^fit_X: "),
        ({"fit_sample_weight": [1.0] * 5}, ValueError, "^fit_sample_weight: "),
        ({"factor": np.eye(3)}, TypeError, "^factor: "),
        ({"solver": "magic"}, ValueError, "^solver: "),
        ({"threads": 0}, ValueError, "^threads: "),
        ({"threads": 1.5}, TypeError, "^threads: "),
        ({"threads": True}, TypeError, "^threads: "),
        ({"X": X5 * 1e160}, ValueError, "^X: has values above"),
        ({"coef": [1e200, 1.0]}, ValueError, "^coef: has values above"),
        ({"sample_weight": [1e-320] * 5}, ValueError, "^sample_weight: "),
        ({"l2": np.complex64(1.0)}, TypeError, "^l2: "),
        ({"l2": np.str_("1")}, TypeError, "^l2: "),
        ({"threads": 10**5000}, ValueError, "^threads: .*bits"),
        ({"out": [0.0] * 5}, TypeError, "^out: "),
        ({"out": np.zeros(4)}, ValueError, "^out: "),
        ({"out": np.zeros(5, np.float32)}, ValueError, "^out: "),
    ],
)
def test_bad_input_is_refused_by_name(change, error, match):
    arguments = {"X": X5, "y": Y5, "coef": COEF, "l2": 1.0, **change}
    with pytest.raises(error, match=match):
        influence.loo_influence(**arguments)


def test_singular_hessian_names_l2():
    X, y, _ = problem(30, 4)
    X[:, 3] = X[:, 2]
    with pytest.raises(np.linalg.LinAlgError, match="l2") as raised:
        influence.loo_influence(X, y, np.zeros(4), 0.0, 0.0)
    assert "feature 3" in str(raised.value)
    with pytest.raises(np.linalg.LinAlgError, match="l2"):
        influence.loo_influence(X[:3], [0, 1, 0], np.zeros(4), 0.0, 0.0)
    assert np.isfinite(influence.loo_influence(X, y, np.zeros(4), 0.0, 1e-6)).all()


def test_forms_that_overflow_are_refused():
    factor = HessianFactor(np.array([[1e-125]]), False)
    for score in (influence.loo_influence, influence.loo_loss_change, influence.leverage):
        with pytest.raises(np.linalg.LinAlgError, match="overflows.*l2"):
            score([[1e100], [1.0]], [0, 1], [0.0], None, factor=factor)


def test_factor_of_another_model_is_refused():
    X, y, _ = problem(30, 4)
    other = LogisticRegression(fit_intercept=False).fit(X, y)
    with pytest.raises(ValueError, match=r"^factor: .*without an intercept"):
        influence.loo_influence(X, y, np.zeros(4), 0.0, 1.0, factor=other.factor_)
    with pytest.raises(ValueError, match=r"^factor: give either"):
        influence.loo_influence(X, y, np.zeros(4), None, 1.0, factor=other.factor_, fit_X=X, fit_y=y)


# ---- the table of docs/alo.md ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alo_table():
    """docs/make_alo_table.py as a module."""
    path = ROOT / "docs" / "make_alo_table.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where its data class looks for its own module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_table_of_scores_compares_with_exact_refits(alo_table, n_classes):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(25, 2)), np.arange(25) % n_classes
    data = alo_table.Data("tiny", X, y, strengths=(0.5,))
    model = alo_table.Model(data, 0.5)
    theta, rises = model.refits()
    np.testing.assert_allclose(rises, influence.retrain_loo(X, y, C=0.5).own_loss_change, rtol=1e-6)
    columns = model.columns(theta)
    fitted = LogisticRegression(C=0.5, tol=1e-12).fit(X, y)
    arguments = X, y, fitted.coef_, fitted.intercept_
    np.testing.assert_allclose(
        columns[:-1].T[1 if n_classes == 2 else slice(None)], np.squeeze(fitted.coef_), atol=1e-8
    )
    found = alo_table.scores(data, model, theta)
    expected = {
        "paper's influence": -influence.loo_influence(*arguments, 2e-10),
        "influence": -influence.loo_influence(*arguments, 2.0),
        "ALO": influence.loo_loss_change(*arguments, 2.0),
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6, err_msg=name)
    cells = [alo_table.agreement(values, rises) for values in expected.values()]
    assert alo_table.table([data]).splitlines()[2:] == [f"| tiny | 0.5 | {' | '.join(cells)} |"]


def test_a_cell_of_the_table_of_scores(alo_table):
    assert alo_table.agreement(np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 8.0])) == "1.000, 1.000, 0.50"
    assert alo_table.agreement(np.array([1.0, 2.0, 9.0]), np.array([3.0, 2.0, 1.0])) == "-0.918, -1.000, 2.00"
    assert alo_table.agreement(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0])) == "0.918, 1.000, 2.00"


def test_a_factor_has_its_own_penalty():
    X, y, _ = problem(60, 4)
    model = LogisticRegression().fit(X, y)
    given = X, y, model.coef_, model.intercept_, model.l2
    influence.loo_influence(*given, factor=model.factor_)
    for other in ({"hessian_l2": 2.0}, {"damping": 1e-3}):
        with pytest.raises(ValueError, match="^factor: has the penalty of its fit"):
            influence.loo_influence(*given, factor=model.factor_, **other)


def test_hessians_that_are_too_large_are_refused_by_auto(monkeypatch):
    X, y, _ = problem(60, 4)
    monkeypatch.setattr(forms, "DENSE_LIMIT", 5)
    influence.leverage(X, y, np.ones(4), 0.0, 1.0)
    monkeypatch.setattr(forms, "DENSE_LIMIT", 4)
    with pytest.raises(ValueError, match="^X: the Hessian has 5 rows.*sketched_quadratic_form"):
        influence.leverage(X, y, np.ones(4), 0.0, 1.0)
    influence.leverage(X, y, np.ones(4), 0.0, 1.0, solver="cholesky")
    influence.leverage(X[:2], y[:2], np.ones(4), 0.0, 1.0)  # by the dual
