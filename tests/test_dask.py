"""Dask arrays: the bits of one machine, whatever the chunks, the scheduler and the workers that die on the way."""

from __future__ import annotations

import contextlib
import copy
import gc
import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import dask
import dask.array as da
import distributed
import numpy as np
import pytest
from test_streaming import BY_BLOCKS, same_fit

from augcore import augmentations, influence, policies, scores, transforms
from augcore.integrations import dask as on_dask
from augcore.integrations.dask import orders, samples
from augcore.linear_model import LogisticRegression

N, P = 9000, 6
rng = np.random.default_rng(7)
X = rng.normal(size=(N, P)).astype(np.float32)
NOISY = X[:, 0] + X[:, 1] + rng.normal(size=N)
LABELS = {"binary": NOISY > 0, "softmax": np.array(["a", "bb", "ccc"])[np.digitize(NOISY, [-1.0, 1.0])]}
WEIGHT = rng.integers(0, 3, N)


@contextlib.contextmanager
def cluster(**options: Any) -> Iterator[Any]:
    """A client of two processes, at any free port; what they say about workers that die is not of interest."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0", **options}
    with (
        dask.config.set({"distributed.logging.distributed": "critical"}),
        distributed.LocalCluster(silence_logs=logging.CRITICAL, **options) as local,
        distributed.Client(local, set_as_default=False) as client,
    ):
        client.wait_for_workers(options["n_workers"])
        yield client


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    """Two processes for the whole module."""
    with cluster() as client:
        yield client


@pytest.fixture
def workers(shared) -> Iterator[Any]:
    with shared.as_current():
        yield shared


@pytest.fixture(params=["threads", "cluster"])
def scheduler(request) -> str:
    """The threads of this process, or two other processes."""
    if request.param == "cluster":
        request.getfixturevalue("workers")
    return request.param


CHUNKS: dict[str, Any] = {
    "one": -1,
    "even": (3000, P),
    "ragged": ((1, 2047, 0, 2500, 3, 4449), (P,)),
    "columns": (2100, 4),
}


# ---- the same bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("kind", ["binary", "softmax"])
def test_fit_and_scores_are_those_in_memory(kind, chunks):
    with dask.config.set(scheduler="threads"):
        check_fit_and_scores(kind, chunks)


@pytest.mark.parametrize("kind", ["binary", "softmax"])
def test_fit_and_scores_on_a_cluster(workers, kind):
    check_fit_and_scores(kind, CHUNKS["ragged"])


def check_fit_and_scores(kind: str, chunks: Any) -> None:
    y, weight = LABELS[kind], WEIGHT if kind == "binary" else None
    expected = LogisticRegression(0.5).fit(X, y, weight)
    features = da.from_array(X, chunks=chunks)
    labels = da.from_array(y, chunks=1234) if chunks == -1 else y
    weights = None if weight is None else da.from_array(weight, chunks=4000)
    model = on_dask.fit(features, labels, C=0.5, sample_weight=weights)
    same_fit(model, expected)
    for name in ("loo_influence", "loo_loss_change", "leverage"):
        whole = getattr(influence, name)(X, y, model.coef_, model.intercept_, model.l2, sample_weight=weight)
        found = getattr(on_dask, name)(
            features, labels, model.coef_, model.intercept_, model.l2, sample_weight=weights, persist=name != "leverage"
        )
        assert found.chunks == (features.chunks[0],)
        np.testing.assert_array_equal(found.compute(), whole, err_msg=name, strict=True)
    losses = on_dask.log_loss(features, labels, model.coef_, model.intercept_)
    np.testing.assert_array_equal(losses.compute(), influence.log_loss(X, y, model.coef_, model.intercept_))


@pytest.mark.parametrize("criterion", BY_BLOCKS)
def test_every_score(criterion):
    y = LABELS["softmax"]
    model = LogisticRegression().fit(X, y, WEIGHT)
    options = {"rng": 3} if criterion == "random" else {}
    whole = scores.SCORES[criterion](model, X, y, **({"sample_weight": WEIGHT} | options))
    features = da.from_array(X, chunks=(2500, P))
    found = on_dask.score(model, features, y, criterion, sample_weight=WEIGHT, **options)
    np.testing.assert_array_equal(found.compute(scheduler="threads"), whole, strict=True)


@pytest.mark.parametrize("dtype", [np.int16, ">f4", np.float64])
def test_dtypes_and_single_rows(dtype):
    values = (100 * X[:2500]).astype(dtype)
    plain = values.astype(values.dtype.newbyteorder("="))
    y = LABELS["binary"][:2500]
    rows = (*[1] * 300, 1900, *[1] * 300) if dtype == np.float64 else 700
    features = da.from_array(values, chunks=(rows, P))
    with dask.config.set(scheduler="threads"):
        model = on_dask.fit(features, y, persist=False)
        found = on_dask.score(model, features, y, "margin").compute()
    expected = LogisticRegression().fit(plain, y)
    same_fit(model, expected)
    np.testing.assert_array_equal(found, scores.margin(expected, plain, y))


def test_many_chunks_are_summed_in_time_that_grows_with_them():
    """In tasks: each chunk is in one sum, and each merge takes in at most FAN_IN of them."""
    values = da.zeros((2048 * 100, 1), chunks=(2048, 1), dtype=np.float32)
    with dask.config.set(scheduler="threads"):
        parts = samples.DaskSamples(values, da.arange(2048 * 100, chunks=2048) % 2, threads=None, persist=True)
        tasks = []
        with dask.callbacks.Callback(pretask=lambda key, dsk, state: tasks.append(key)):
            parts.survey()
    assert len(parts.edges) == 100
    assert len(tasks) <= 101


def test_threads_of_tasks_and_of_the_model(monkeypatch):
    seen = set()
    gradient = samples._dispatch.linear_predictor
    monkeypatch.setattr(samples._dispatch, "linear_predictor", lambda *words: seen.add(words[-1]) or gradient(*words))
    with dask.config.set(scheduler="threads"):
        features = da.from_array(X, chunks=(3000, P))
        assert on_dask.fit(features, LABELS["binary"]).threads is None
        assert seen == {1}
        seen.clear()
        on_dask.fit(features, LABELS["binary"], threads=2)
        assert seen == {2}


# ---- lazily ----------------------------------------------------------------------------------------------------------


def test_lazy_scores_keep_what_they_need(scheduler):
    """The chunks on the cluster too, when all else has gone."""
    y = LABELS["binary"]
    model = LogisticRegression().fit(X, y)
    found = on_dask.loo_influence(da.from_array(X, chunks=(2000, P)), y, model.coef_, model.intercept_, model.l2)
    expected = influence.loo_influence(X, y, model.coef_, model.intercept_, model.l2)
    gc.collect()
    time.sleep(0.3 if scheduler == "cluster" else 0.0)  # for a cluster to forget what nobody keeps
    np.testing.assert_array_equal(found.compute(), expected)
    np.testing.assert_array_equal(found[100:200].compute(), expected[100:200])


def test_a_source_is_read_once_where_it_is_persisted():
    reads = []

    def load(first: int) -> np.ndarray:
        reads.append(first)
        return np.column_stack([X[first : first + 1000], LABELS["binary"][first : first + 1000]])

    chunks = [da.from_delayed(dask.delayed(load)(i), (1000, P + 1), np.float32) for i in range(0, N, 1000)]
    table = da.concatenate(chunks)
    with dask.config.set(scheduler="threads"):
        model = on_dask.fit(table[:, :P], table[:, P])
        _ = model.factor_
    assert sorted(reads) == list(range(0, N, 1000))
    same_fit(model, LogisticRegression().fit(X, LABELS["binary"].astype(np.float32)))


def test_a_model_outlives_the_cluster(workers):
    with workers.as_current():
        model = on_dask.fit(da.from_array(X, chunks=(3000, P)), LABELS["binary"])
    with dask.config.set(scheduler=lambda *words, **more: pytest.fail("a pass over the samples")):
        twin = pickle.loads(pickle.dumps(model))
        copy.copy(model)
    same_fit(twin, model)
    del model
    gc.collect()


# ---- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", sorted(policies.POLICIES))
@pytest.mark.parametrize("k", [0, 1, 700, None])
def test_orders_are_those_in_memory(policy, k):
    values = np.round(NOISY, 1)  # with ties
    whole = policies.order(values, policy, 11, k=k)
    for chunks in (N, 1000, (1, 8000, 0, 999)):
        with dask.config.set(scheduler="threads"):
            np.testing.assert_array_equal(
                on_dask.order(da.from_array(values, chunks=(chunks,)), policy, 11, k=k), whole
            )


def test_orders_on_a_cluster(workers):
    with workers.as_current():
        found = on_dask.order(da.from_array(NOISY, chunks=500), "random_proportional", np.random.default_rng(2), k=100)
    whole = policies.order(NOISY, "random_proportional", np.random.default_rng(2), k=100)
    np.testing.assert_array_equal(found, whole)


def test_orders_that_are_refused():
    values = da.from_array(NOISY, chunks=1000)
    broken = da.from_array(np.where(np.arange(N) == 5500, np.nan, NOISY), chunks=1000)
    with dask.config.set(scheduler="threads"):
        with pytest.raises(ValueError, match="k: must be between 0 and 9000"):
            on_dask.order(values, "random_proportional", k=N + 1)
        with pytest.raises(ValueError, match="policy: "):
            on_dask.order(values, "alphabetical")
        with pytest.raises(TypeError, match=r"scores: expected a dask.array.Array"):
            on_dask.order(NOISY, "random_proportional")
        with pytest.raises(ValueError, match="scores: expected 1 dimension"):
            on_dask.order(values[:, None], "random_proportional")
        with pytest.raises(ValueError, match="scores: the sizes of its chunks are not known"):
            on_dask.order(values[values > 0], "random_proportional")
        with pytest.raises(ValueError, match="scores: contains NaN") as caught:
            on_dask.order(broken, "random_proportional")
    assert caught.value.__notes__ == ["in rows 5000 to 5999"]


# ---- images ----------------------------------------------------------------------------------------------------------

IMAGES = rng.integers(0, 256, (50, 9, 7, 2), dtype=np.uint8)
MATRICES = np.eye(3)[:2] + rng.normal(0, 0.1, (50, 2, 3))


@pytest.mark.parametrize(
    ("name", "arguments", "settings"),
    [
        ("translate", (2, -1), {}),
        ("translate", (np.arange(50), 0.5), {"border": "constant", "fill": (1, 2)}),
        ("translate", (list(range(50)), 1), {"border": "constant", "fill": np.arange(50)}),
        ("translate", (1, 1), {"border": "constant", "fill": rng.integers(0, 9, (50, 2))}),
        ("rotate", (30,), {"center": (1, 2)}),
        ("rotate", (np.linspace(0, 90, 50),), {"center": rng.uniform(0, 5, (50, 2)), "threads": 2}),
        ("crop", ((1, 0, 2, 1),), {"keep_size": False}),
        ("crop", (np.arange(50) % 3,), {}),
        ("crop", (rng.integers(0, 3, (50, 4)).tolist(),), {}),
        ("resize", ((4, 12),), {"interpolation": "area"}),
        ("flip", (), {}),
        ("flip", ("both",), {}),
        ("warp_affine", (MATRICES[0],), {"size": (3, 5)}),
        ("warp_affine", (MATRICES,), {"inverse": True}),
    ],
)
def test_transforms(name, arguments, settings):
    whole = getattr(transforms, name)(IMAGES, *arguments, **settings)
    for chunks in ((50, 9, 7, 2), (7, 4, 7, 1), ((1, 40, 0, 9), (9,), (7,), (2,))):
        found = getattr(on_dask, name)(da.from_array(IMAGES, chunks=chunks), *arguments, **settings)
        assert (found.shape, found.dtype) == (whole.shape, whole.dtype)
        np.testing.assert_array_equal(found.compute(scheduler="threads"), whole, strict=True)


@pytest.mark.parametrize(
    ("n", "name", "arguments", "settings"),
    [
        (2, "warp_affine", (MATRICES[0],), {}),
        (3, "warp_affine", (np.eye(3),), {}),
        (2, "rotate", (30,), {"center": np.array([1.0, 2.0])}),
        (4, "crop", ((1, 0, 2, 1),), {}),
        (2, "translate", (1, 1), {"border": "constant", "fill": (1, 2)}),
        (2, "resize", (np.array([3, 4]),), {}),
        (1, "translate", (np.array([2]), 1), {}),
        (0, "resize", ((3, 4),), {}),
        (0, "translate", (np.zeros(0), 1), {}),
    ],
)
def test_what_all_images_share_is_not_cut(n, name, arguments, settings):
    """Though it has as many rows as there are images."""
    whole = getattr(transforms, name)(IMAGES[:n], *arguments, **settings)
    found = getattr(on_dask, name)(da.from_array(IMAGES[:n], chunks=(1, 9, 7, 2)), *arguments, **settings)
    np.testing.assert_array_equal(found.compute(scheduler="threads"), whole, strict=True)


PIPELINE = augmentations.Compose(
    [augmentations.RandomTranslate((-2, 2)), augmentations.RandomRotate((-20, 20)), augmentations.RandomFlip()]
)


@pytest.mark.parametrize("transform", [PIPELINE, augmentations.RandomRotate((-30, 30))])
@pytest.mark.parametrize("of", [lambda: 5, lambda: np.int64(5), lambda: np.random.default_rng(3)])
def test_augmented_images_are_those_in_memory(transform, of):
    whole = transform(IMAGES, of(), epoch=2).images
    generator = of()
    found = on_dask.augment(da.from_array(IMAGES, chunks=(7, 9, 7, 2)), transform, generator, epoch=2)
    np.testing.assert_array_equal(found.compute(scheduler="threads"), whole, strict=True)
    np.testing.assert_array_equal(found.compute(scheduler="threads"), whole)
    some = on_dask.augment(
        da.from_array(IMAGES[9:], chunks=(8, 9, 7, 2)), transform, of(), indices=range(9, 50), epoch=2
    )
    np.testing.assert_array_equal(some.compute(scheduler="threads"), whole[9:])
    if isinstance(generator, np.random.Generator):
        transform(IMAGES, again := of())
        assert generator.bit_generator.state == again.bit_generator.state


def test_augmented_without_a_seed():
    images = da.from_array(IMAGES, chunks=(7, 9, 7, 2))
    found = on_dask.augment(images, PIPELINE)
    first = found.compute(scheduler="threads")
    np.testing.assert_array_equal(found.compute(scheduler="threads"), first)
    assert (on_dask.augment(images, PIPELINE).compute(scheduler="threads") != first).any()


def test_images_on_a_cluster(workers):
    with workers.as_current():
        found = on_dask.augment(da.from_array(IMAGES, chunks=(7, 9, 7, 2)), PIPELINE, 1).compute()
        turned = on_dask.rotate(da.from_array(IMAGES, chunks=(7, 9, 7, 2)), np.arange(50)).compute()
    np.testing.assert_array_equal(found, PIPELINE(IMAGES, 1).images)
    np.testing.assert_array_equal(turned, transforms.rotate(IMAGES, np.arange(50)))


def test_images_that_are_refused():
    images = da.from_array(IMAGES, chunks=(7, 9, 7, 2))
    for call, error, words in (
        (lambda: on_dask.translate(IMAGES, 1, 1), TypeError, r"images: expected a dask.array.Array"),
        (lambda: on_dask.translate(images[0, 0], 1, 1), ValueError, "images: expected shape"),
        (lambda: on_dask.translate(images[da.ones(50, chunks=7) > 0], 1, 1), ValueError, "images: the sizes"),
        (lambda: on_dask.translate(images, np.zeros(49), 1), ValueError, "dx: expected length"),
        (lambda: on_dask.translate(images, 1, 1, out=IMAGES), TypeError, "out: "),
        (lambda: on_dask.rotate(images, 1, border="none"), ValueError, "border: "),
        (lambda: on_dask.rotate(images.astype(bool), 1), TypeError, "images: "),
        (lambda: on_dask.augment(images, "rotate"), TypeError, "transform: expected a Compose"),
        (lambda: on_dask.augment(images, PIPELINE, -1), ValueError, "rng: "),
        (lambda: on_dask.augment(images, PIPELINE, True), TypeError, "rng: "),
        (lambda: on_dask.augment(images, PIPELINE, indices=[1, 2]), ValueError, "indices: expected shape"),
    ):
        with pytest.raises(error, match=words):
            call()


# ---- what is refused -------------------------------------------------------------------------------------------------


def changed(values: Any, place: Any, value: Any) -> np.ndarray:
    values = np.array(values)
    values[place] = value
    return values


@pytest.mark.parametrize(
    ("arguments", "error", "words", "note"),
    [
        ((X, LABELS["binary"]), TypeError, r"X: expected a dask.array.Array", None),
        ((da.ones(5), LABELS["binary"]), ValueError, "X: expected shape", None),
        ((da.ones((5, 0)), LABELS["binary"]), ValueError, "X: expected shape", None),
        ((da.ones((0, 5)), []), ValueError, "X: has no samples", None),
        ((da.ones((5, 2), dtype=bool), [0, 1, 0, 1, 0]), TypeError, "X: expected float32", None),
        ((da.ones((5, 2)), [0, 1, 0, 1]), ValueError, r"y: expected shape \(5,\), got \(4,\)", None),
        ((da.ones((5, 2)), None), ValueError, "y: expected shape", None),
        ((da.ones((5, 2)), [0, 1, 0, 1, 0], [1, 1]), ValueError, "sample_weight: expected shape", None),
        ((da.ones((4, 2)), [[0, 1, 0, 1]]), ValueError, "y: expected shape", None),
        ((da.ones((5, 2))[da.ones(5) > 0], LABELS["binary"]), ValueError, "X: the sizes of its chunks", None),
        ((da.ones((5, 2)), da.ones(5)[da.ones(5) > 0]), ValueError, "y: the sizes of its chunks", None),
        ((da.ones((5, 2)), [0, 0, 0, 0, 0]), ValueError, "y: one class only", None),
        ((da.ones((5, 2)), [0.5, 0, 0, 0, 0]), ValueError, "Unknown label type", None),
        ((da.ones((3, 2)), [0, 1, np.nan]), ValueError, "y: contains NaN", "in rows 0 to 2"),
        (
            (da.from_array(changed(X, (5000, 1), np.inf), chunks=(2048, P)), LABELS["binary"]),
            *(ValueError, "X: contains NaN or infinity", "in rows 4096 to 6143"),
        ),
        (
            (da.from_array(X, chunks=(2048, P)), LABELS["binary"], changed(WEIGHT, 5000, -1)),
            *(ValueError, "sample_weight: must not be negative", "in rows 4096 to 6143"),
        ),
        ((da.ones((2, 2)), [0, 1], [True, False]), TypeError, "sample_weight: expected", "in rows 0 to 1"),
    ],
)
def test_samples_that_cannot_be_fitted(arguments, error, words, note):
    with dask.config.set(scheduler="threads"), pytest.raises(error, match=words) as caught:
        on_dask.fit(*arguments[:2], sample_weight=arguments[2] if len(arguments) > 2 else None)
    assert getattr(caught.value, "__notes__", [None]) == [note]


def test_arguments_are_checked_before_anything_is_read():
    def never() -> np.ndarray:
        raise AssertionError("read")

    features = da.from_delayed(dask.delayed(never)(), (5, 2), np.float64)
    for options in ({"l2": -1}, {"damping": -1}):
        with pytest.raises(ValueError, match="l2: |damping: "):
            on_dask.loo_influence(features, [0, 1, 0, 1, 0], [1.0, 2.0], **options)
    with pytest.raises(TypeError, match="persist: "):
        on_dask.fit(features, [0, 1, 0, 1, 0], persist=1)


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.array", None)
    for call in (
        lambda: on_dask.fit(None, None),
        lambda: on_dask.order(None, "random_proportional"),
        lambda: on_dask.flip(None),
    ):
        with pytest.raises(ImportError, match=r"pip install 'augcore\[dask\]'"):
            call()


# ---- chunks that vanish ----------------------------------------------------------------------------------------------


def load(first: int, lost: int, error: type[Exception]) -> np.ndarray:
    if first == lost:
        raise error(f"part-{first}.npy is no longer there")
    return X[first : first + 1000]


def with_a_lost_chunk(number: int, error: type[Exception]) -> Any:
    chunks = [dask.delayed(load)(first, 1000 * number, error) for first in range(0, N, 1000)]
    return da.concatenate([da.from_delayed(chunk, (1000, P), np.float32) for chunk in chunks])


@pytest.mark.parametrize("persist", [True, False])
@pytest.mark.parametrize("error", [FileNotFoundError, ValueError])
def test_a_chunk_that_vanishes_is_named(scheduler, error, persist):
    message = r"X: chunk 4 \(rows 4000 to 4999\) cannot be read: part-4000.npy is no longer there"
    with pytest.raises(RuntimeError, match=message) as caught:
        on_dask.fit(with_a_lost_chunk(4, error), LABELS["binary"], persist=persist)
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize("few_passes", [False, True])
def test_a_source_that_goes_bad_between_passes(few_passes):
    """What is read anew for each pass is checked in the first."""
    reads = []

    def load() -> np.ndarray:
        reads.append(True)
        return X if len(reads) < 3 else changed(X, (8000, 2), np.nan)

    features = da.from_delayed(dask.delayed(load)(), X.shape, X.dtype)
    with (
        dask.config.set(scheduler="threads"),
        pytest.raises(ValueError, match="X: contains NaN or infinity in a later"),
    ):
        on_dask.fit(features, LABELS["binary"], persist=False, few_passes=few_passes)


def test_chunks_of_labels_and_scores_that_vanish(scheduler):
    lost = with_a_lost_chunk(7, OSError)[:, 0]
    features = da.from_array(X, chunks=(3000, P))
    where = r"chunk 7 \(rows 7000 to 7999\) cannot be read: part-7000"
    with pytest.raises(RuntimeError, match=f"y: {where}"):
        on_dask.fit(features, lost)
    with pytest.raises(RuntimeError, match=f"sample_weight: {where}"):
        on_dask.fit(features, LABELS["binary"], sample_weight=abs(lost))
    with pytest.raises(RuntimeError, match=f"scores: {where}"):
        on_dask.order(lost, "random_proportional")


# ---- workers that die, or are others ---------------------------------------------------------------------------------


def kill_one_of(client: Any, random: np.random.Generator, after: float) -> threading.Thread:
    """The nanny starts another one in its place."""
    workers = list(client.cluster.workers.values())
    pids = [worker.pid for worker in workers]

    def kill() -> None:
        time.sleep(after)
        os.kill(pids[random.integers(len(pids))], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    return killer


def slow(block: np.ndarray) -> np.ndarray:
    time.sleep(0.02)
    return block


@pytest.mark.parametrize("run", [0, 1, 2, *(pytest.param(run, marks=pytest.mark.slow) for run in range(3, 20))])
def test_a_worker_that_is_killed_changes_no_bit(run):
    random = np.random.default_rng(run)
    y = LABELS["binary"]
    expected = LogisticRegression().fit(X, y)
    influences = influence.loo_influence(X, y, expected.coef_, expected.intercept_, expected.l2)
    with cluster() as client, client.as_current():
        features = da.from_array(X, chunks=(1000, P)).map_blocks(slow, dtype=X.dtype)
        killer = kill_one_of(client, random, random.uniform(0, 2))
        model = on_dask.fit(features, y)
        found = on_dask.loo_influence(features, y, model.coef_, model.intercept_, model.l2).compute()
        chosen = on_dask.order(da.from_array(found, chunks=700), "random_proportional", 1, k=50)
        killer.join()
    same_fit(model, expected)
    np.testing.assert_array_equal(found, influences)
    np.testing.assert_array_equal(chosen, policies.order(influences, "random_proportional", 1, k=50))


def test_data_that_died_with_its_worker():
    """Data that were sent to a worker, and are nowhere else."""
    with cluster(n_workers=1) as client, client.as_current():
        (future,) = client.scatter([X[1000:]], hash=False)
        second = da.from_delayed(future, X[1000:].shape, X.dtype)
        features = da.concatenate([da.from_array(X[:1000], chunks=(1000, P)), second])
        (nanny,) = client.cluster.workers.values()
        os.kill(nanny.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while future.status == "finished" and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(RuntimeError, match=r"X: chunk 1 \(rows 1000 to 8999\) cannot be read"):
            on_dask.fit(features, LABELS["binary"])


def test_workers_of_another_level_are_refused(simd_levels, monkeypatch):
    here = samples.platform()
    other = next((level for level in simd_levels if not here.endswith(f" {level}")), None)
    if other is None:  # this processor has one level of instructions: this process pretends to another
        other, here = here.split()[-1], "augcore 0.0.0 at level v9"
        for module in (samples, orders):
            monkeypatch.setattr(module, "platform", lambda: here)
    with cluster(n_workers=1, env={"AUGCORE_SIMD": other}) as client, client.as_current():
        features = da.from_array(X, chunks=(3000, P))
        model = LogisticRegression().fit(X, LABELS["binary"])
        words = rf"a worker has augcore [\w.]+ at level {other}, but this process {here}"
        for call in (
            lambda: on_dask.fit(features, LABELS["binary"]),
            lambda: on_dask.score(model, features, LABELS["binary"], "loss").compute(),
            lambda: on_dask.order(features[:, 0], "random_proportional"),
        ):
            with pytest.raises(RuntimeError, match=words):
                call()
