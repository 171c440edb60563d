"""Influence of training points on test points: by autodiff, in tiles, the largest of it, CSR, and bad input."""

from __future__ import annotations

import autodiff
import numpy as np
import pytest
import tensorflow as tf
from conftest import THREADS
from scipy import sparse

from augcore.influence import cross, influence_matrix, influence_topk, loo_influence
from augcore.linear_model import HessianFactor, LogisticRegression

KINDS = [(1, True), (1, False), (2, True), (4, True), (4, False)]


def problem(n_train=30, n_test=11, p=4, rows=1, intercept=True, seed=0):
    """Both sets, coefficients and weights."""
    rng = np.random.default_rng(seed)
    labels = np.array(["d", "a", "c", "b"])[: max(2, rows)]
    X, T = rng.normal(size=(n_train, p)), rng.normal(size=(n_test, p))
    y, t = rng.choice(labels, n_train), rng.choice(labels, n_test)
    offset = rng.normal(size=rows) if intercept else None
    return (X, y, T, t, rng.normal(size=(rows, p)), offset), labels, rng.uniform(0.1, 3.0, n_train)


def by_autodiff(X, y, T, t, coef, intercept, weight, penalty, classes):
    """-g_test' H^-1 g_train from gradients and Hessian in all coefficients, pseudo-inverted."""
    classes = list(classes)
    start = coef if intercept is None else np.column_stack([coef, intercept])
    free = np.ones(start.shape[1])
    if intercept is not None:
        free[-1] = 0.0

    def losses(theta, x, labels):
        design = x if intercept is None else np.column_stack([x, np.ones(len(x))])
        logits = design @ tf.transpose(tf.reshape(theta, start.shape))
        logits = autodiff.binary_logits(logits) if len(start) == 1 else logits
        return autodiff.cross_entropy(logits, [classes.index(label) for label in labels])

    def objective(theta):
        ridge = penalty / 2 * tf.reduce_sum(tf.reshape(theta, start.shape) ** 2 * free)
        return tf.reduce_sum(weight * losses(theta, X, y)) + ridge

    theta = start.reshape(-1)
    hessian = autodiff.hessian(objective, theta)
    g_train = autodiff.jacobian(lambda v: losses(v, X, y), theta)
    g_test = autodiff.jacobian(lambda v: losses(v, T, t), theta)
    return -g_test @ np.linalg.pinv(hessian, rcond=1e-11, hermitian=True) @ g_train.T


@pytest.mark.parametrize(("rows", "intercept"), KINDS)
@pytest.mark.parametrize("solver", ["auto", "cholesky", "cg", "nystrom"])
def test_by_autodiff(rows, intercept, solver, monkeypatch):
    monkeypatch.setattr(cross, "_TEST_ROWS", 4)
    monkeypatch.setattr(cross, "_TRAIN_ROWS", 7)
    arguments, labels, weight = problem(rows=rows, intercept=intercept)
    truth = by_autodiff(*arguments, weight, 0.75, labels)
    settings = {"hessian_l2": 0.7, "damping": 0.05, "sample_weight": weight, "classes": labels, "solver": solver}
    found = influence_matrix(*arguments, 3.0, **settings)
    assert found.shape == (11, 30)
    np.testing.assert_allclose(found, truth, rtol=1e-7, atol=1e-9)
    out = np.full((11, 30), np.nan)
    assert influence_matrix(*arguments, 3.0, **settings, out=out) is out
    assert np.array_equal(out, found)
    X, y, T, t, coef, offset = arguments
    in_csr = influence_matrix(sparse.csr_matrix(X), y, sparse.csr_array(T), t, coef, offset, 3.0, **settings)
    np.testing.assert_allclose(in_csr, found, rtol=1e-7, atol=1e-9)
    mixed = influence_matrix(X, y, sparse.csr_array(T), t, coef, offset, 3.0, **settings)
    np.testing.assert_allclose(mixed, found, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("rows", [1, 4])
def test_tiles_cover_the_matrix_and_are_small(rows, monkeypatch):
    monkeypatch.setattr(cross, "_TILE_ELEMENTS", 100)
    tiles, cover = [], cross._Cross.tiles

    def counted(self):
        for tile in cover(self):
            tiles.append((self.train.residual.shape[1], *tile))
            yield tile

    arguments, labels, _ = problem(rows=rows)
    whole = influence_matrix(*arguments, 1.0, classes=labels)
    monkeypatch.setattr(cross._Cross, "tiles", counted)
    np.testing.assert_allclose(influence_matrix(*arguments, 1.0, classes=labels), whole, rtol=1e-10, atol=1e-14)
    assert sum(values.size for *_, values in tiles) == whole.size
    for n_contrasts, _, _, values in tiles:
        b, m = values.shape
        assert n_contrasts * b * 5 <= 100  # the solutions of its test points
        assert m * (n_contrasts * b + 5) <= 100  # what its training points take


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 1, 9), (2, 0, 3), (6, 300, 1)])
def test_odd_shapes(rows, shape):
    n_train, n_test, p = shape
    arguments, labels, weight = problem(n_train, n_test, p, rows)
    found = influence_matrix(*arguments, 1.0, classes=labels, sample_weight=weight)
    truth = by_autodiff(*arguments, weight, 1.0, labels) if n_test else np.empty((0, n_train))
    np.testing.assert_allclose(found, truth, rtol=1e-8, atol=1e-12)
    indices, values = influence_topk(*arguments, 1.0, classes=labels, sample_weight=weight, k=n_train)
    assert indices.shape == values.shape == found.shape


def test_its_diagonal_is_the_influence_of_points_on_themselves():
    (X, y, _, _, coef, offset), _, weight = problem(200)
    own = loo_influence(X, y, coef, offset, 0.3, sample_weight=weight)
    found = influence_matrix(X, y, X, y, coef, offset, 0.3, sample_weight=weight)
    np.testing.assert_allclose(weight * np.diag(found), own, rtol=1e-10)


def test_classes_are_the_sorted_labels_of_the_training_set():
    arguments, labels, _ = problem(rows=4)
    X, y, T, t, coef, offset = arguments
    order = np.argsort(labels)
    named = influence_matrix(*arguments, 1.0, classes=labels)
    found = influence_matrix(X, y, T, t, coef[order], offset[order], 1.0)
    np.testing.assert_allclose(found, named, rtol=1e-10, atol=1e-12)


def test_the_factor_of_a_model_stands_for_its_hessian():
    (X, y, T, t, *_), _, weight = problem(60)
    model = LogisticRegression(C=2.0).fit(X, y, weight)
    coefficients = model.coef_, model.intercept_
    expected = influence_matrix(X, y, T, t, *coefficients, model.l2, sample_weight=weight)
    found = influence_matrix(X, y, T, t, *coefficients, factor=model.factor_)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    for wrong in (HessianFactor(np.eye(4), True), HessianFactor(np.eye(5), False)):
        with pytest.raises(ValueError, match="^factor: is for"):
            influence_matrix(X, y, T, t, *coefficients, factor=wrong)
    (*softmax, _), labels, _ = problem(rows=3)
    with pytest.raises(ValueError, match="^factor: is for 8 coefficients of two classes without"):
        influence_matrix(*softmax, None, classes=labels, factor=HessianFactor(np.eye(8), False))
    (*softmax, _), labels, _ = problem(rows=2)
    with pytest.raises(ValueError, match="^factor: is of a binary model"):
        influence_matrix(*softmax, classes=labels, factor=model.factor_)
    for name, value in (("sample_weight", -weight), ("damping", -1.0)):
        with pytest.raises(ValueError, match=f"^{name}: "):
            influence_matrix(X, y, T, t, *coefficients, factor=model.factor_, **{name: value})
    with pytest.raises(ValueError, match="^factor: goes with"):
        influence_matrix(X, y, T, t, *coefficients, factor=model.factor_, solver="cg")
    with pytest.raises(TypeError, match="^factor: "):
        influence_matrix(X, y, T, t, *coefficients, factor=np.eye(5))


@pytest.mark.parametrize("function", [influence_matrix, lambda *a, **b: influence_topk(*a, **b, k=1)])
def test_overflow_is_told(function):
    """1e50 solved with a factor of 1e-125, times 1e100."""
    X, T = np.full((2, 1), 1e100), np.full((1, 1), 1e50)
    with pytest.raises(np.linalg.LinAlgError, match="overflows.*l2"):
        function(X, [0, 1], T, [1], [0.0], None, factor=HessianFactor(np.array([[1e-125]]), False))


@pytest.mark.parametrize("k", [1, 3, 8, 30])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("tile", [1, 7, 4096])
def test_topk_is_the_top_of_the_matrix(k, rows, tile, monkeypatch):
    monkeypatch.setattr(cross, "_TEST_ROWS", 4)
    monkeypatch.setattr(cross, "_TRAIN_ROWS", tile)
    arguments, labels, weight = problem(rows=rows)
    full = influence_matrix(*arguments, 1.0, sample_weight=weight, classes=labels)
    indices, values = influence_topk(*arguments, 1.0, sample_weight=weight, classes=labels, k=k)
    expected = np.argsort(-np.abs(full), axis=1, kind="stable")[:, :k]
    assert np.array_equal(indices, expected)
    assert np.array_equal(values, np.take_along_axis(full, expected, axis=1))
    assert (values < 0).any() or k == 1
    assert indices.dtype == np.intp


@pytest.mark.parametrize("tile", [2, 5, 100])
@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_ties_go_to_the_smaller_index(tile, k, monkeypatch):
    monkeypatch.setattr(cross, "_TRAIN_ROWS", tile)
    X = np.array([[0.0], [1.0], [-1.0], [0.0], [1.0], [2.0], [-1.0], [0.0], [0.0]])
    y = np.array([0, 1, 0, 1, 1, 0, 0, 0, 1])
    indices, values = influence_topk(X, y, [[1.0]], [1], [0.0], None, 1.0, k=k)
    assert indices[0].tolist() == [5, 1, 2, 4, 6, 0, 3, 7, 8][:k]
    assert (np.abs(values[0, 5:]) == 0).all()


def test_the_largest_of_every_row():
    sizes = np.array([[1.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0], [4.0, 3.0, 2.0, 1.0]])
    assert cross._largest(sizes, 2).astype(int).tolist() == [[0, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]


def test_the_matrix_is_never_held():
    """10,000 by 20,000 would be 1.6 GB."""
    import tracemalloc

    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(20_000, 2)), rng.normal(size=(10_000, 2))
    y, t = rng.integers(0, 2, 20_000), rng.integers(0, 2, 10_000)
    tracemalloc.start()
    indices, _ = influence_topk(X, y, T[:2000], t[:2000], [1.0, -1.0], 0.5, 1.0, k=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert indices.shape == (2000, 2)
    assert peak < 100e6


@pytest.mark.parametrize("rows", [1, 3])
def test_threads(rows):
    arguments, labels, _ = problem(300, 40, 6, rows)
    for solver in ("cholesky", "cg", "nystrom"):
        results = [
            influence_matrix(*arguments, 1.0, classes=labels, solver=solver, threads=threads)
            for threads in (*THREADS, None)
        ]
        assert all(np.array_equal(results[0], other) for other in results[1:])


NAMES = ("X_train", "y_train", "X_test", "y_test", "coef", "intercept", "l2")
BAD = [
    ("X_train", {"X_train": np.full((30, 4), np.nan)}, ValueError),
    ("X_test", {"X_test": np.ones((11, 5))}, ValueError),
    ("X_test", {"X_test": sparse.csr_matrix(np.ones((11, 5)))}, ValueError),
    ("y_train", {"y_train": ["a"] * 30}, ValueError),
    ("y_train", {"y_train": ["a", "b"]}, ValueError),
    ("y_test", {"y_test": ["z"] * 11}, ValueError),
    ("y_test", {"y_test": ["a"]}, ValueError),
    ("y_test", {"y_test": [["a"]] * 11}, ValueError),
    ("coef", {"coef": np.ones(7)}, ValueError),
    ("l2", {"l2": -1.0}, ValueError),
    ("damping", {"damping": np.nan}, ValueError),
    ("hessian_l2", {"hessian_l2": -1.0}, ValueError),
    ("sample_weight", {"sample_weight": np.ones(3)}, ValueError),
    ("solver", {"solver": "lissa"}, ValueError),
    ("threads", {"threads": 1.5}, TypeError),
    ("classes", {"classes": ["a", "a"]}, ValueError),
]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("name", "changes", "error"), BAD, ids=lambda value: str(value)[:30])
def test_bad_input_is_named(rows, name, changes, error):
    arguments = {**dict(zip(NAMES, (*problem(rows=rows)[0], 1.0), strict=True)), **changes}
    with pytest.raises(error, match=f"^{name}: "):
        influence_matrix(**arguments)
    with pytest.raises(error, match=f"^{name}: "):
        influence_topk(**arguments, k=1)


def test_bad_out_and_k_are_named():
    arguments = (*problem()[0], 1.0)
    read_only = np.empty((11, 30))
    read_only.setflags(write=False)
    for out in (np.empty((30, 11)), np.empty((11, 30), dtype=np.float32), read_only):
        with pytest.raises(ValueError, match="^out: "):
            influence_matrix(*arguments, out=out)
    with pytest.raises(TypeError, match="^out: "):
        influence_matrix(*arguments, out=[])
    for k, error in ((0, ValueError), (31, ValueError), (1.0, TypeError)):
        with pytest.raises(error, match="^k: "):
            influence_topk(*arguments, k=k)


@pytest.mark.parametrize("function", [influence_matrix, lambda *a, **b: influence_topk(*a, **b, k=1)])
def test_a_singular_hessian_is_refused(function):
    X, y, T, t, coef, offset = problem()[0]
    X[:, 1] = 0.0
    for solver in ("cholesky", "cg", "nystrom"):
        with pytest.raises(np.linalg.LinAlgError, match="l2"):
            function(X, y, T, t, coef, offset, solver=solver)
