"""Strata: clusters that are found, labels that mean the same each time, and what is refused."""

from __future__ import annotations

import doctest
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

from augcore import datasets, policies
from augcore import strata as module
from augcore.strata import METHODS, strata

SIZES = (50, 30, 30, 12, 3)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 20 rows of 4 columns of float64."""
    monkeypatch.setattr(module, "PART_BYTES", 640)
    monkeypatch.setattr(module, "_LEAST_ROWS", 1)


def blobs(dtype: Any = np.float64, *, sort: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Points far apart in clusters of the SIZES, and the labels that they should get."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(len(SIZES)), SIZES)
    codes = codes if sort else rng.permutation(codes)
    X = (100 * np.eye(5, 4)[codes] + rng.normal(size=(len(codes), 4))).astype(dtype)
    first = [int(np.argmax(codes == code)) for code in range(len(SIZES))]
    order = sorted(range(len(SIZES)), key=lambda code: (-SIZES[code], first[code]))
    return X, np.argsort(order)[codes]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, ">f4"])
@pytest.mark.parametrize("rng", range(3))
def test_clusters_are_found_and_numbered_by_size(method: str, dtype: Any, rng: int) -> None:
    X, expected = blobs(dtype)
    labels = strata(X, 5, rng, method=method, n_init=5)
    assert labels.dtype == np.intp
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("sort", [False, True])
def test_blocks_of_a_file_see_all_of_it(tmp_path: Path, sort: bool) -> None:
    X, expected = blobs(sort=sort)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    found = [strata(mapped, 5, seed, method="minibatch", n_init=5) for seed in range(6)]
    # A first batch of 20 points can miss the cluster of 3 points; the others are always found.
    for labels in found:
        assert len(np.unique(labels[expected < 4])) >= 4
        np.testing.assert_array_equal(labels[expected == 0], 0)
    assert sum(bool((labels == expected).all()) for labels in found) >= 2
    np.testing.assert_array_equal(found[3], strata(X, 5, 3, method="minibatch", n_init=5))
    np.testing.assert_array_equal(found[3], strata(np.asfortranarray(X), 5, 3, method="minibatch", n_init=5))


@pytest.mark.parametrize(("elements", "k", "least", "expected"), [
    (700, 3, 40, "kmeans"), (500, 3, 40, "minibatch"), (500, 41, 40, "kmeans"),
])  # fmt: skip
def test_auto(monkeypatch: pytest.MonkeyPatch, elements: int, k: int, least: int, expected: str) -> None:
    X = np.random.default_rng(0).normal(size=(125, 5))  # 625 elements, that have no clusters
    monkeypatch.setattr(module, "_MANY_ELEMENTS", elements)
    monkeypatch.setattr(module, "PART_BYTES", 8)
    monkeypatch.setattr(module, "_LEAST_ROWS", least)
    np.testing.assert_array_equal(strata(X, k, 0), strata(X, k, 0, method=expected))
    assert k > least or (strata(X, k, 0, method="kmeans") != strata(X, k, 0, method="minibatch")).any()


@pytest.mark.parametrize("method", METHODS)
def test_labels_do_not_depend_on_threads(method: str) -> None:
    X = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)  # no clusters: every rounding counts
    for seed in range(2):
        found = []
        for threads in (1, 2):
            with threadpool_limits(threads):
                found.append(strata(X, 20, seed, method=method))
        np.testing.assert_array_equal(found[1], found[0])


def test_scikit_learn_takes_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, seen = KMeans.fit, []

    def noted(self: KMeans, X: np.ndarray) -> KMeans:
        seen.extend(pool["num_threads"] for pool in threadpool_info())
        return fit(self, X)

    monkeypatch.setattr(KMeans, "fit", noted)
    with threadpool_limits(2):
        strata(blobs()[0], 3, 0)
        assert 2 in {pool["num_threads"] for pool in threadpool_info()}
    assert set(seen) == {1}


def test_rng() -> None:
    X = np.random.default_rng(0).normal(size=(300, 3))
    again = strata(X, 6, 1)
    np.testing.assert_array_equal(strata(X, 6, np.int64(1)), again)
    assert (strata(X, 6, 2) != again).any()
    rng = np.random.default_rng(3)
    first, second = strata(X, 6, rng), strata(X, 6, rng)
    assert (first != second).any()
    np.testing.assert_array_equal(strata(X, 6, np.random.default_rng(3)), first)
    assert len({tuple(strata(X, 6)) for _ in range(3)}) > 1


def test_starts() -> None:
    X = np.random.default_rng(0).normal(size=(300, 3))

    def inertia(labels: np.ndarray) -> float:
        return sum(len(part) * part.var(axis=0).sum() for part in (X[labels == label] for label in range(10)))

    one, many = (inertia(strata(X, 10, 0, n_init=starts)) for starts in (1, 20))
    assert many < one


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_one_cluster_and_one_for_each_point(method: str, n: int) -> None:
    X = np.arange(n, dtype=np.float32)[:, None] ** 2
    np.testing.assert_array_equal(strata(X, 1, 0, method=method), np.zeros(n))
    np.testing.assert_array_equal(strata(X, n, 0, method=method), np.arange(n))


@pytest.mark.parametrize("method", METHODS)
def test_fewer_distinct_points_than_clusters(method: str) -> None:
    X = np.repeat([[0.0, 1.0], [5.0, 1.0], [0.0, 7.0]], [2, 4, 3], axis=0)
    labels = strata(X, 6, 0, method=method)
    np.testing.assert_array_equal(labels, np.repeat([2, 0, 1], [2, 4, 3]))
    np.testing.assert_array_equal(strata(np.full((9, 2), 3.0), 4, 0, method=method), np.zeros(9))


def test_input_is_not_written_to_and_float32_is_not_widened() -> None:
    X, _ = blobs(np.float32)
    X = np.tile(X, (400, 1))
    before = X.copy()
    X.flags.writeable = False
    strata(X[:9], 2, 0)  # scikit-learn is loaded
    tracemalloc.start()
    strata(X, 5, 0, method="kmeans")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(X, before)
    assert peak < 4 * X.nbytes  # 5 and more where it is made float64


@pytest.mark.usefixtures("small_blocks")
def test_a_file_is_clustered_in_the_memory_of_blocks(tmp_path: Path) -> None:
    file = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float64, (100_000, 16))
    file[:] = np.random.default_rng(0).normal(size=file.shape)
    module.PART_BYTES = 1 << 16
    strata(file[:50], 2, 0, method="minibatch")
    tracemalloc.start()
    labels = strata(file, 5, 0, method="minibatch")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(labels)) == 5
    assert peak < file.nbytes / 2  # the labels, and what numbers them


# ---- what it is for --------------------------------------------------------------------------------------------------


def test_stratified_order_of_real_images() -> None:
    data = datasets.load("mnist-sample")
    X = data.x_train.reshape(len(data.x_train), -1) / np.float32(255)
    labels = strata(X, 10, 0)
    sizes = np.bincount(labels)
    assert len(sizes) == 10
    assert (np.diff(sizes) <= 0).all()
    # As tight as what scikit-learn finds, and much tighter than the two classes of the images.
    centres = np.array([X[labels == label].mean(axis=0) for label in range(10)])
    inertia = ((X - centres[labels]) ** 2).sum()
    assert inertia < 1.05 * KMeans(10, n_init=1, random_state=0).fit(X).inertia_
    by_class = np.array([X[data.y_train == label].mean(axis=0) for label in (0, 1)])
    assert inertia < 0.9 * ((X - by_class[data.y_train]) ** 2).sum()
    order = policies.order(np.arange(len(X)) + 1.0, "random_proportional", 0, groups=labels)
    rounds = labels[order[: 10 * sizes.min()]].reshape(-1, 10)
    np.testing.assert_array_equal(rounds, np.tile(np.arange(10), (sizes.min(), 1)))


# ---- what is refused -------------------------------------------------------------------------------------------------

GOOD = np.arange(40.0).reshape(10, 4)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((GOOD, 11), {}, ValueError, "n_clusters: must be between 1 and 10, got 11"),
        ((GOOD, 0), {}, ValueError, "n_clusters: must be between"),
        ((GOOD, -1), {}, ValueError, "n_clusters: must be between"),
        ((GOOD, 2.0), {}, TypeError, "n_clusters: expected an integer"),
        ((np.where(GOOD == 7, np.nan, GOOD), 2), {}, ValueError, "X: contains NaN"),
        ((np.where(GOOD == 7, np.inf, GOOD), 1), {"method": "minibatch"}, ValueError, "X: contains NaN or infinity"),
        ((GOOD.astype(np.float32) * 1e30, 2), {}, ValueError, "X: has values above 1e[+]17"),
        ((GOOD * 1e100, 2), {}, ValueError, "X: has values above 1e[+]100"),
        ((np.zeros((0, 3)), 1), {}, ValueError, r"X: expected shape \(n, p\) with points"),
        ((np.zeros((3, 0)), 1), {}, ValueError, r"X: expected shape \(n, p\)"),
        ((np.zeros(3), 1), {}, ValueError, r"X: expected shape \(n, p\)"),
        ((GOOD > 3, 1), {}, TypeError, "X: expected float32, float64 or integers, got dtype bool"),
        ((GOOD + 1j, 1), {}, TypeError, "X: expected float32"),
        (("words", 1), {}, TypeError, "X: expected"),
        ((np.ma.masked_array(GOOD), 1), {}, TypeError, "X: masked arrays"),
        ((GOOD, 2), {"method": "spectral"}, ValueError, "method: expected one of 'auto', 'kmeans', 'minibatch'"),
        ((GOOD, 2), {"n_init": 0}, ValueError, "n_init: must be at least 1"),
        ((GOOD, 2, -1), {}, ValueError, "rng: must not be negative"),
        ((GOOD, 2, 1.5), {}, TypeError, "rng: expected"),
    ],
)
def test_bad_input(arguments: tuple[Any, ...], options: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        strata(*arguments, **options)


@pytest.mark.usefixtures("small_blocks")
def test_more_clusters_than_points_in_a_block() -> None:
    with pytest.raises(ValueError, match="n_clusters: must be at most 20"):
        strata(np.zeros((50, 4)), 21, method="minibatch")


def test_the_examples() -> None:
    found = doctest.testmod(module)
    assert (found.attempted, found.failed) == (2, 0)
