"""Products with a design and what is done with Cholesky factors, against NumPy."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from augcore import _dispatch

THREADS = [1, 2, 3, 8]
WIDTHS = [1, 2, 7, 8, 9, 24, 25, 49, 130]  # of the design, over the edges of every register tile
ROWS = [0, 1, 47, 511, 512, 513, 2047, 2048, 2049, 4700]
EPS = np.finfo(np.float64).eps


def design_of(X, intercept):
    return np.hstack([X.astype(float), np.ones((len(X), int(intercept)))])


def problem(n, q, intercept=False, dtype=np.float64):
    rng = np.random.default_rng(1000 * n + q)
    X = rng.normal(size=(n, q - intercept)).astype(dtype)
    return X, rng.normal(size=n) ** 2 - 0.1


def factor_of(q, seed=0):
    half = np.random.default_rng(seed).normal(size=(q, q + 5))
    matrix = half @ half.T + np.eye(q)
    lower = matrix.copy()
    assert _dispatch.cholesky(lower, 1) == -1
    return matrix, lower


CASES = [(700, q, True) for q in WIDTHS] + [(n, 25, False) for n in ROWS] + [(53, 9, False), (2100, 130, True)]
CASES += [(60, 530, True)]  # more columns than a band of the Gram matrix has
KERNELS = {
    "weighted_gram": lambda X, one, w, right, matrices, threads, **how: _dispatch.weighted_gram(
        X, one, w, threads, **how
    ),
    "product": lambda X, one, w, right, matrices, threads: _dispatch.product(X, one, right, threads),
    "transposed_product": lambda X, one, w, right, matrices, threads: _dispatch.transposed_product(
        X, one, np.outer(w, np.arange(1.0, 1.0 + right.shape[1])), threads
    ),
    "quadratic_forms": lambda X, one, w, right, matrices, threads, **how: _dispatch.quadratic_forms(
        X, one, matrices, threads, **how
    ),
}


def numpy_answer(name, X, one, w, right, matrices):
    """The result and the sum of magnitudes that rounding is in proportion to."""
    Z = design_of(X, one)

    def compute(Z, w, right, matrices):
        if name == "weighted_gram":
            return (Z.T * w) @ Z
        if name == "product":
            return Z @ right
        if name == "transposed_product":
            return Z.T @ np.outer(w, np.arange(1.0, 1.0 + right.shape[1]))
        return np.stack([np.sum((Z @ matrix) * Z, axis=1) for matrix in matrices], axis=1)

    return compute(Z, w, right, matrices), compute(abs(Z), abs(w), abs(right), abs(matrices))


@pytest.mark.parametrize("b", [1, 9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "q", "intercept"), CASES)
@pytest.mark.parametrize("name", KERNELS)
def test_products_against_numpy(name, n, q, intercept, dtype, b):
    X, w = problem(n, q, intercept, dtype)
    rng = np.random.default_rng(5)
    matrices = rng.normal(size=(b, q, q))
    matrices += np.swapaxes(matrices, 1, 2)
    arguments = X, intercept, w, rng.normal(size=(q, b)), matrices
    ours = KERNELS[name](*arguments, 1)
    expected, magnitude = numpy_answer(name, *arguments)
    assert ours.shape == expected.shape
    assert np.all(abs(ours - expected) <= 30 * EPS * magnitude)
    if name == "weighted_gram":
        np.testing.assert_array_equal(ours, ours.T)
    for threads in THREADS[1:]:
        assert KERNELS[name](*arguments, threads).tobytes() == ours.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "q", "intercept"), CASES)
@pytest.mark.parametrize("name", ["weighted_gram", "quadratic_forms"])
def test_single_precision_is_that_of_short_sums(name, n, q, intercept, dtype):
    X, w = problem(n, q, intercept, dtype)
    matrices = np.random.default_rng(5).normal(size=(2, q, q))
    matrices += np.swapaxes(matrices, 1, 2)
    arguments = X, intercept, w, np.zeros((q, 1)), matrices
    ours = KERNELS[name](*arguments, 1, single=True)
    expected, magnitude = numpy_answer(name, *arguments)
    assert np.all(abs(ours - expected) <= 10 * np.finfo(np.float32).eps * magnitude)
    if n * q > 1000:
        assert np.any(abs(ours - expected) > 100 * EPS * magnitude)  # it is not double in disguise
    for threads in THREADS[1:]:
        assert KERNELS[name](*arguments, threads, single=True).tobytes() == ours.tobytes()


def test_the_input_type_does_not_change_a_bit_in_single_precision():
    X, w = problem(1500, 30, dtype=np.float64)
    rounded = X.astype(np.float32)
    for single_of in (
        lambda x: _dispatch.weighted_gram(x, True, w, 1, single=True),
        lambda x: _dispatch.inverse_quadratic_form(x, True, factor_of(31)[1], 1, single=True),
    ):
        assert single_of(X).tobytes() == single_of(rounded).tobytes()


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("q", WIDTHS)
def test_quadratic_forms_of_matrices_that_are_not_symmetric(q, single):
    X, _ = problem(33, q)
    matrices = np.random.default_rng(3).normal(size=(3, q, q))
    ours = _dispatch.quadratic_forms(X, False, matrices, 1, single=single)
    expected, magnitude = numpy_answer("quadratic_forms", X, False, np.ones(33), np.zeros((q, 1)), matrices)
    assert np.all(abs(ours - expected) <= (10 * np.finfo(np.float32).eps if single else 30 * EPS) * magnitude)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_no_columns(intercept, single):
    w = np.arange(7.0)
    gram = _dispatch.weighted_gram(np.empty((7, 0)), intercept, w, 1, single=single)
    assert gram.tolist() == ([[21.0]] if intercept else [])
    q = int(intercept)
    assert _dispatch.transposed_product(np.empty((7, 0)), intercept, w[:, None], 1).tolist() == [[21.0]] * q
    assert _dispatch.product(np.empty((7, 0)), intercept, np.full((q, 2), 3.0), 1).tolist() == [[3.0 * q] * 2] * 7


@pytest.mark.parametrize("value", [0.0, -0.0])
@pytest.mark.parametrize("single", [False, True])
def test_points_without_weight_do_not_count(value, single):
    X, w = problem(700, 25)
    w[::3] = value
    moved = X.copy()
    moved[::3] *= 1e30
    ours = _dispatch.weighted_gram(moved, True, w, 1, single=single)
    np.testing.assert_array_equal(ours, _dispatch.weighted_gram(X, True, w, 1, single=single))


def test_sums_over_more_leaves_than_are_held_at_a_time():
    """A leaf of 2048 rows has 2100 x 2100 sums: one is all that is held."""
    rng = np.random.default_rng(0)
    X, right = rng.normal(size=(2060, 2100)).astype(np.float32), rng.normal(size=(2060, 2100))
    ours = _dispatch.transposed_product(X, False, right, 2)
    np.testing.assert_allclose(ours, X.T.astype(float) @ right, rtol=0, atol=1e-9)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("n", [1, 255, 256, 513, 2049, 6500])
def test_blocks_and_threads_do_not_change_a_bit_of_the_sums(n, single):
    X, w = problem(n, 40)
    factors = np.column_stack([w, 1.0 - w])

    def bits(edges, threads):
        gram, rows = _dispatch.GramSums(40, True, single), _dispatch.RowSums(40, True, 2)
        for start, stop in zip([0, *edges], [*edges, n], strict=True):
            gram.add(X[start:stop], w[start:stop], threads)
            rows.add(X[start:stop], factors[start:stop], threads)
        return gram.total(threads).tobytes() + rows.total(threads).tobytes()

    assert bits([], 1) == (
        _dispatch.weighted_gram(X, True, w, 1, single).tobytes() + _dispatch.sum_of_rows(X, True, factors, 1).tobytes()
    )
    whole = bits([], 1)
    for edges in ([], [n // 3], list(range(0, n, 100)), [0, 0, n], list(range(0, n, 2048)), list(range(2047, n, 2047))):
        for threads in THREADS:
            assert bits(edges, threads) == whole


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("n", [2048, 9000, 30_000])
def test_sums_of_ranges_of_tiles_give_the_bits_of_one(n, single):
    """Each range is summed on its own, and whole trees are merged before they reach the last."""
    X, w = problem(n, 12)
    whole = [_dispatch.weighted_gram(X, True, w, 1, single), _dispatch.sum_of_rows(X, True, w[:, None], 1)]
    tile = _dispatch.gram_tile_rows(13)
    rng = np.random.default_rng(0)
    for _ in range(5):
        cuts = sorted({0, n, *(tile * rng.integers(0, n // tile + 1, 4)).tolist()})
        middle = cuts[len(cuts) // 2]
        for kind, wanted in zip((0, 1), whole, strict=True):

            def empty(first, kind=kind):
                return _dispatch.RowSums(12, True, 1, first) if kind else _dispatch.GramSums(12, True, single, first)

            halves = []
            for bounds in (cuts[: cuts.index(middle) + 1], cuts[cuts.index(middle) :]):
                half = empty(bounds[0])
                for first, last in itertools.pairwise(bounds):
                    part = empty(first)
                    part.add(X[first:last], w[first:last, None] if kind else w[first:last], 1)
                    half.absorb(part.nodes(1))
                halves.append(half.nodes(1))
            total = empty(0)
            for nodes in halves:
                total.absorb(nodes)
            assert total.total(1).tobytes() == wanted.tobytes()


def test_sums_take_no_nodes_of_another_width_or_place():
    sums = _dispatch.GramSums(3, False)
    with pytest.raises(ValueError, match="width"):
        sums.absorb(_nodes(7))
    with pytest.raises(ValueError, match="begins here"):
        _dispatch.RowSums(2, False, 1, 512).absorb(_nodes(2, level=1))
    with pytest.raises(ValueError, match="first of a tile"):
        _dispatch.RowSums(2, False, 1, 511)


def _nodes(width, level=0):
    return _dispatch.Nodes(np.array([level]), np.ones((1, width)), np.empty(0))


@pytest.mark.parametrize("q", WIDTHS)
@pytest.mark.parametrize("k", [0, 1, 23, 25])
def test_solves_against_numpy(q, k):
    matrix, lower = factor_of(q)
    b = np.random.default_rng(1).normal(size=(q, k))
    before = b.copy()
    ours = _dispatch.cholesky_solve_many(lower, b, 1)
    np.testing.assert_allclose(ours, np.linalg.solve(matrix, b), rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(b, before)
    inverse = _dispatch.cholesky_inverse(lower, 1)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(inverse, inverse.T)
    for threads in THREADS[1:]:
        assert _dispatch.cholesky_solve_many(lower, b, threads).tobytes() == ours.tobytes()
        assert _dispatch.cholesky_inverse(lower, threads).tobytes() == inverse.tobytes()


@pytest.mark.parametrize("q", [191, 192, 193, 400, 603])
def test_cholesky_in_blocks(q):
    matrix, lower = factor_of(q)
    assert np.max(abs(lower @ lower.T - matrix)) <= 20 * EPS * q * np.max(matrix)
    np.testing.assert_array_equal(lower, np.tril(lower))
    for threads in THREADS:
        again = matrix.copy()
        assert _dispatch.cholesky(again, threads) == -1
        assert again.tobytes() == lower.tobytes()


@pytest.mark.parametrize("column", [0, 100, 191, 192, 250, 399])
def test_cholesky_names_the_column_in_any_block(column):
    matrix, _ = factor_of(400)
    matrix[column, :] = matrix[:, column] = 0.0
    assert _dispatch.cholesky(matrix, 2) == column


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("q", WIDTHS)
def test_inverse_quadratic_form_in_both_precisions(q, dtype):
    matrix, lower = factor_of(q)
    X = np.random.default_rng(2).normal(size=(97, q)).astype(dtype)
    expected = np.sum(X * np.linalg.solve(matrix, X.T.astype(float)).T, axis=1)
    for single, rtol in ((False, 1e-10), (True, 2e-4)):
        ours = _dispatch.inverse_quadratic_form(X, False, lower, 1, single=single)
        np.testing.assert_allclose(ours, expected, rtol=rtol)
        for threads in THREADS[1:]:
            assert _dispatch.inverse_quadratic_form(X, False, lower, threads, single=single).tobytes() == ours.tobytes()


LEVELS = """
import sys
import numpy as np
from augcore import _dispatch
rng = np.random.default_rng(0)
X, w = rng.normal(size=(2500, 59)), rng.normal(size=2500)
half = rng.normal(size=(60, 70))
lower = half @ half.T
assert _dispatch.cholesky(lower, 1) == -1
matrices = np.stack([half @ half.T, half[:, :60] + half[:, :60].T])
for single in (False, True):
    values = [_dispatch.weighted_gram(X, True, w, 2, single), _dispatch.quadratic_forms(X, True, matrices, 2, single)]
    values += [_dispatch.inverse_quadratic_form(X, True, lower, 2, single)]
    if not single:
        values += [_dispatch.product(X, True, half, 2), _dispatch.transposed_product(X, True, X, 2)]
        values += [lower, _dispatch.cholesky_inverse(lower, 2), _dispatch.cholesky_solve_many(lower, half, 2)]
    np.concatenate([value.ravel() / np.max(abs(value)) for value in values]).tofile(sys.argv[1 + single])
"""


def test_simd_levels_agree(tmp_path, monkeypatch):
    results = {}
    for level in ("baseline", "v3", "v4"):
        monkeypatch.setenv("AUGCORE_SIMD", level)
        files = [tmp_path / f"{level}{i}" for i in range(2)]
        subprocess.run([sys.executable, "-c", LEVELS, *map(str, files)], check=True)
        results[level] = [np.fromfile(file) for file in files]
    for level in ("baseline", "v3"):
        for ours, other, atol in zip(results[level], results["v4"], (1e-12, 2e-5), strict=True):
            np.testing.assert_allclose(ours, other, rtol=0, atol=atol)


INTERRUPTED = """
import _thread, threading, time
import numpy as np
from augcore import _dispatch
X = np.ones((4000, 2000))
lower = np.tril(np.ones((2000, 2000))) + 2000 * np.eye(2000)
matrices = np.ones((400, 60, 60))
calls = {{
    "gram": lambda: _dispatch.weighted_gram(np.ones((200_000, 500)), True, np.ones(200_000), {threads}),
    "cholesky": lambda: _dispatch.cholesky(np.eye(6000) * 9 + 1, {threads}),
    "inverse": lambda: _dispatch.cholesky_inverse(np.eye(6000), {threads}),
    "forms": lambda: _dispatch.quadratic_forms(np.ones((200_000, 60)), False, matrices, {threads}),
}}
call = calls["{name}"]
threading.Timer(1.0, _thread.interrupt_main).start()
try:
    while True:
        call()
except KeyboardInterrupt:
    print("interrupted")
assert _dispatch.product(np.ones((3, 2)), True, np.ones((3, 1)), {threads}).tolist() == [[3.0]] * 3
"""


@pytest.mark.parametrize("name", ["gram", "cholesky", "inverse", "forms"])
@pytest.mark.parametrize("threads", [1, 2])
def test_interruption(name, threads):
    code = textwrap.dedent(INTERRUPTED.format(name=name, threads=threads))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "interrupted\n", "")


# ---- the condition estimate ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 2, 9, 60])
@pytest.mark.parametrize("smallest", [1.0, 1e-4, 1e-9])
def test_reciprocal_condition_against_numpy(q, smallest):
    rng = np.random.default_rng(q)
    basis = np.linalg.qr(rng.normal(size=(q, q)))[0]
    matrix = (basis * np.geomspace(1.0, smallest, q)) @ basis.T
    scale = np.sqrt(np.diag(matrix))
    scaled = matrix / np.outer(scale, scale)
    lower = matrix.copy()
    assert _dispatch.cholesky(lower, 1) == -1
    estimate = _dispatch.reciprocal_condition(lower)
    exact = 1.0 / np.linalg.cond(scaled, 1)
    assert 0.99 * exact <= estimate <= 3.0 * exact  # the estimate of the norm of the inverse is a lower bound


def test_reciprocal_condition_does_not_depend_on_units():
    _, lower = factor_of(20)
    units = np.geomspace(1e-6, 1e6, 20)
    assert _dispatch.reciprocal_condition(lower * units[:, None]) == pytest.approx(
        _dispatch.reciprocal_condition(lower), rel=1e-9
    )
    assert _dispatch.reciprocal_condition(np.empty((0, 0))) == 1.0


# ---- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 7, 64, 2047, 2049, 5000])
def test_within(dtype, n):
    values = np.random.default_rng(n).uniform(-3.0, 3.0, n).astype(dtype)
    for bound in (3.0, 1e100, np.finfo(np.float64).max):
        assert _dispatch.within(values, bound)
    for at in {0, n // 2, n - 1} & set(range(n)):
        for bad in (np.nan, -np.nan, np.inf, -np.inf, 3.5, -3.5):
            with_bad = values.copy()
            with_bad[at] = bad
            assert not _dispatch.within(with_bad, 3.0), (at, bad)
            assert _dispatch.within(with_bad, 1e100) == np.isfinite(bad)


def test_within_at_every_level(run_python, simd_levels):
    code = textwrap.dedent("""
        import numpy as np
        from augcore import _dispatch
        for dtype in (np.float32, np.float64):
            values = np.ones(4133, dtype)
            found = []
            for at in range(len(values)):
                values[at] = np.nan if at % 2 else -2.0
                found.append(_dispatch.within(values, 1.5))
                values[at] = 1.0
            print(any(found), _dispatch.within(values, 1.5))
    """)
    for level in simd_levels:
        assert run_python(code, AUGCORE_SIMD=level).stdout.split() == ["False", "True"] * 2, level


# ---- wide rows, and sizes that do not agree --------------------------------------------------------------------------


@pytest.mark.parametrize("single", [False, True])
def test_wide_gram_matrices_have_larger_tiles(single):
    X, w = problem(9000, 2100, dtype=np.float32)
    wanted = _dispatch.weighted_gram(X, False, w, 2, single)
    np.testing.assert_allclose(wanted, (X.T.astype(float) * w) @ X, atol=1e-3 if single else 1e-9)
    sums = _dispatch.GramSums(2100, False, single)
    for first, last in ((0, 5), (5, 2300), (2300, 8191), (8191, 9000)):
        sums.add(X[first:last], w[first:last], 1)
    assert sums.total(1).tobytes() == wanted.tobytes()


def test_sizes_that_do_not_agree_are_refused_before_a_kernel_reads():
    X, w = problem(20, 4)
    lower, right = np.eye(3), np.ones((3, 2))
    sums = _dispatch.GramSums(3, False)
    for call in (
        lambda: _dispatch.linear_predictor(X, False, np.ones(3), 1),
        lambda: _dispatch.linear_predictor(X, True, np.ones((2, 4)), 1),
        lambda: _dispatch.gradient(X, False, np.ones(5), w, None, 1),
        lambda: _dispatch.gradient(X, False, np.ones(4), w[:-1], None, 1),
        lambda: _dispatch.inverse_quadratic_form(X, False, lower, 1),
        lambda: _dispatch.weighted_gram(X, False, w[:-1], 1),
        lambda: _dispatch.product(X, False, right, 1),
        lambda: _dispatch.transposed_product(X, False, right, 1),
        lambda: _dispatch.sum_of_rows(X, False, right, 1),
        lambda: _dispatch.quadratic_forms(X, False, np.ones((1, 3, 3)), 1),
        lambda: sums.add(X, w, 1),
        lambda: sums.add(X[:, :3].copy(), w[:-1], 1),
    ):
        with pytest.raises(ValueError, match="expected .* values, got"):
            call()
