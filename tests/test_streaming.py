"""Fits and scores by blocks: the bits of those in memory, whatever the blocks, and errors that name what is wrong."""

from __future__ import annotations

import copy
import gc
import mmap
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as SklearnLogistic

from augcore import scores, streaming
from augcore.linear_model import LogisticRegression, newton, streamed
from augcore.streaming import Blocks, Journal, fit, score

BY_BLOCKS = sorted({*scores.SCORES} - {"svm_margin", "svm_loss"})
OF_HESSIAN = ("loo_influence", "loo_loss_change", "leverage")

N, P = 2600, 7
rng = np.random.default_rng(5)
X = (rng.normal(size=(N, P)) * rng.exponential(size=P)).astype(np.float32)
NOISY = X[:, 0] + X[:, 1] + rng.normal(size=N)
LABELS = {"binary": NOISY > 0, "softmax": np.digitize(NOISY, [-1.0, 0.5, 1.5])}
WEIGHT = rng.integers(0, 4, N) / 2


def same_fit(one: LogisticRegression, other: LogisticRegression) -> None:
    for name in ("coef_", "intercept_", "n_iter_", "classes_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name, strict=True)


def ragged(X: Any, y: Any, weight: Any = None, lengths: tuple[int, ...] = (1, 0, 700, 3, 513)) -> Any:
    """Something to read: parts of these lengths, over and over."""

    def read() -> Iterator[tuple[Any, ...]]:
        first = turn = 0
        while first < len(X):
            rows = slice(first, first + lengths[turn % len(lengths)])
            yield (X[rows], y[rows]) if weight is None else (X[rows], y[rows], weight[rows])
            first, turn = rows.stop, turn + 1

    return read


def readers_alive() -> int:
    """Threads that read ahead; other tests may have left pools of their own."""
    deadline = time.monotonic() + 5
    while True:
        alive = sum(thread.name == "augcore reader" for thread in threading.enumerate())
        if alive == 0 or time.monotonic() > deadline:
            return alive
        time.sleep(0.01)


# ---- the same bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 700, None])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("kind", ["binary", "softmax"])
def test_fit_and_scores_are_those_in_memory(kind, dtype, weighted, rows):
    values, y, weight = (10 * X).astype(dtype), LABELS[kind], WEIGHT if weighted else None
    expected = LogisticRegression(0.5).fit(values, y, weight)
    blocks = Blocks(values, y, weight, rows=rows)
    model = fit(blocks, C=0.5)
    same_fit(model, expected)
    for criterion in BY_BLOCKS:
        options = {"rng": 3} if criterion == "random" else {}
        whole = scores.SCORES[criterion](expected, values, y, **({"sample_weight": weight} | options))
        np.testing.assert_array_equal(score(model, blocks, criterion, **options), whole, err_msg=criterion)


@pytest.mark.parametrize("kind", ["binary", "softmax"])
@pytest.mark.parametrize("options", [{"C": np.inf}, {"fit_intercept": False}, {"tol": 1e-2}, {"threads": 3}], ids=str)
def test_settings_of_the_fit(kind, options):
    blocks = Blocks(X, LABELS[kind], WEIGHT, rows=512)
    same_fit(fit(blocks, **options), LogisticRegression(**options).fit(X, LABELS[kind], WEIGHT))


@pytest.mark.parametrize(
    "y",
    [
        np.where(LABELS["binary"], "yes", "no"),
        np.where(LABELS["binary"], "yes", "no").astype(object),
        np.where(LABELS["binary"], 2.0, -1.0),
        np.where(LABELS["binary"], "a", "b").tolist(),
        np.array(["c", "bb", "aaa"])[np.searchsorted([900, 1800], np.arange(N))],  # classes in blocks of their own
    ],
    ids=["str", "object", "float", "list", "sorted"],
)
def test_labels_of_every_kind(y):
    expected = LogisticRegression().fit(X, np.asarray(y))
    for blocks in (Blocks(X, y, rows=512), Blocks.from_iterable(ragged(X, y))):
        model = fit(blocks)
        same_fit(model, expected)
        np.testing.assert_array_equal(score(model, blocks, "loss"), scores.loss(expected, X, np.asarray(y)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [1, 1024])
def test_parts_of_any_length(rows, weighted):
    y, weight = LABELS["softmax"], WEIGHT if weighted else None
    blocks = Blocks.from_iterable(ragged(X, y, weight), rows=rows)
    assert (blocks.n, blocks.p, blocks.dtype) == (N, P, np.float32)
    model = fit(blocks)
    expected = LogisticRegression().fit(X, y, weight)
    same_fit(model, expected)
    np.testing.assert_array_equal(
        score(model, blocks), scores.loo_influence(expected, X, y, sample_weight=weight), strict=True
    )


def layouts(folder) -> Iterator[tuple[str, Any]]:
    np.save(folder / "X.npy", X)
    np.save(folder / "F.npy", np.asfortranarray(X))
    np.save(folder / "S.npy", X.astype(X.dtype.newbyteorder()))
    mapped = np.load(folder / "X.npy", mmap_mode="r")
    yield from {
        "memmap": mapped,
        "slice of a memmap": mapped[37:],
        "rows of a memmap": mapped[5::2],
        "memmap, last row first": mapped[::-1],
        "columns of a memmap": mapped[:, 2:6],
        "Fortran memmap": np.load(folder / "F.npy", mmap_mode="r"),
        "byte-swapped memmap": np.load(folder / "S.npy", mmap_mode="r"),
        "Fortran": np.asfortranarray(X),
        "broadcast": np.broadcast_to(X[:600, None, 0], (600, 4)),
        "list": X[:600].tolist(),
    }.items()


def test_layouts(tmp_path):
    for name, values in layouts(tmp_path):
        plain = np.array(values, order="C")
        plain = plain.astype(plain.dtype.newbyteorder("="))
        y = LABELS["binary"][: len(plain)]
        blocks = Blocks(values, y, rows=512)
        assert blocks.dtype == plain.dtype, name
        model, expected = fit(blocks, max_iter=20), LogisticRegression(max_iter=20).fit(plain, y)
        np.testing.assert_array_equal(model.coef_, expected.coef_, err_msg=name)
        np.testing.assert_array_equal(score(model, blocks, "margin"), scores.margin(expected, plain, y), err_msg=name)


def test_a_file_is_asked_for_before_it_is_read(tmp_path, monkeypatch):
    """The rows that come next, of a part of an array that begins behind a header."""
    asked = []

    class Mapping(mmap.mmap):
        def madvise(self, option: int, start: int, length: int) -> None:
            super().madvise(option, start, length)
            asked.append((start, self[start : start + length]))

    np.save(tmp_path / "X.npy", X)
    monkeypatch.setattr(mmap, "mmap", Mapping)
    rows = np.load(tmp_path / "X.npy", mmap_mode="r")[100:]
    score(LogisticRegression().fit(X, LABELS["binary"]), Blocks(rows, LABELS["binary"][100:], rows=512), "loss")
    blocks = [rows[first : first + 512].tobytes() for first in range(512, len(rows), 512)]
    assert len(asked) == len(blocks)
    for (start, content), block in zip(asked, blocks, strict=True):
        assert start % mmap.PAGESIZE == 0
        assert content.endswith(block)
        assert len(content) < len(block) + mmap.PAGESIZE


# ---- other ways of the fit -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide() -> tuple[np.ndarray, np.ndarray]:
    """So many features of float64 that the first steps read them rounded to float32."""
    values = np.random.default_rng(0).normal(size=(3000, 300))
    return values, values[:, 0] + values[:, 1] > 0


def test_steps_with_rounded_features(wide, monkeypatch):
    values, y = wide
    rounded = []
    part = streamed.Settings.part
    monkeypatch.setattr(streamed.Settings, "part", lambda self, b: rounded.append(self.as_single) or part(self, b))
    same_fit(fit(Blocks(values, y, rows=1024), C=0.1), LogisticRegression(0.1).fit(values, y))
    assert True in rounded
    assert rounded[-1] is False


def test_features_above_the_range_of_float32(wide):
    """One value, in the last block: the steps begin anew without rounding."""
    values, y = wide[0].copy(), wide[1]
    values[-1, 7] = 1e39
    blocks = Blocks(values, y, rows=1024)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        same_fit(fit(blocks, max_iter=2), LogisticRegression(max_iter=2).fit(values, y))


def test_a_fit_that_searches_along_a_line():
    """Some features are far larger than the others, of points on the wrong side."""
    random = np.random.default_rng(0)
    values = random.normal(size=(600, 3))
    y = values[:, 0] > 0
    values[:5] *= 1000
    y[:2] ^= True
    weight = random.exponential(size=600) ** 4
    searched = []
    blocks = Blocks(values, y, weight, rows=512)
    blocks.journal = Memory()  # that tells the lengths of a line apart
    blocks.progress = lambda stage, done, total: searched.append(stage)
    same_fit(fit(blocks), LogisticRegression().fit(values, y, weight))
    assert any(stage.endswith(": slope") for stage in searched)


@pytest.mark.parametrize("kind", ["binary", "softmax"])
def test_conjugate_gradients(kind, monkeypatch):
    monkeypatch.setattr(newton, "DENSE_LIMIT", P + 1 if kind == "softmax" else 3)
    stages = set()
    blocks = Blocks(X, LABELS[kind], WEIGHT, rows=512)
    blocks.progress = lambda stage, done, total: stages.add(stage.split(": ")[1])
    same_fit(fit(blocks), LogisticRegression().fit(X, LABELS[kind], WEIGHT))
    assert stages == {"gradient", "curvature product"} | ({"shared Hessian"} if kind == "softmax" else set())


def test_a_fit_that_does_not_converge_warns():
    with pytest.warns(ConvergenceWarning, match="has not reached tol"):
        fit(Blocks(X, LABELS["softmax"]), max_iter=1)


# ---- scores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["binary", "softmax"])
@pytest.mark.parametrize("options", [{"hessian_l2": 3.0}, {"damping": 0.5}, {}], ids=str)
def test_models_without_a_factor(kind, options, tmp_path):
    """The Hessian is summed over the samples, as in memory."""
    y = LABELS[kind]
    fitted = LogisticRegression(0.3).fit(X, y, WEIGHT)
    fitted.save(tmp_path / "model.npz")
    blocks = Blocks(X, y, WEIGHT, rows=512)
    learn = SklearnLogistic(C=0.3, tol=1e-6, max_iter=200).fit(X, y)
    for model in (fitted, LogisticRegression.load(tmp_path / "model.npz"), learn):
        for criterion in OF_HESSIAN:
            expected = scores.SCORES[criterion](model, X, y, sample_weight=WEIGHT, **options)
            np.testing.assert_array_equal(score(model, blocks, criterion, **options), expected, err_msg=criterion)


def test_many_points_in_single_precision(tmp_path):
    values = np.random.default_rng(1).normal(size=(4000, 120)).astype(np.float32)
    y = values[:, 0] > 0
    LogisticRegression().fit(values, y).save(tmp_path / "m.npz")
    model = LogisticRegression.load(tmp_path / "m.npz")
    for given in (values, values.astype(">f4")):
        np.testing.assert_array_equal(score(model, Blocks(given, y, rows=512)), scores.loo_influence(model, values, y))


def test_the_last_of_a_class_has_an_infinite_loss_change():
    y = np.where(np.arange(N) == 2000, 2, LABELS["binary"])
    model = LogisticRegression().fit(X, y)
    found = score(model, Blocks(X, y, rows=512), "loo_loss_change")
    np.testing.assert_array_equal(found, scores.loo_loss_change(model, X, y))
    assert np.isinf(found).nonzero()[0].tolist() == [2000]


def test_members_of_a_class_are_counted_over_all_blocks():
    y, weight = LABELS["binary"].copy(), WEIGHT + 0.5
    y[[100, 2000]] = True
    weight[y] = 0
    weight[[100, 2000]] = 1
    model = LogisticRegression().fit(X, y, weight)
    found = score(model, Blocks(X, y, weight, rows=512), "loo_loss_change")
    np.testing.assert_array_equal(found, scores.loo_loss_change(model, X, y, sample_weight=weight))
    assert np.isfinite(found).all()


@pytest.mark.parametrize("source", ["array", "parts"])
@pytest.mark.parametrize("first", [0, 1, 512, 700, N - 1, N])
def test_scores_from_any_row_on(source, first):
    y = LABELS["binary"]
    blocks = Blocks(X, y, rows=512) if source == "array" else Blocks.from_iterable(ragged(X, y), rows=512)
    model = LogisticRegression().fit(X, y)
    out, written = np.full(N, -7.0, dtype=np.float32), [first]
    assert score(model, blocks, "loss", out=out, first=first, done=written.append) is out
    np.testing.assert_array_equal(out[:first], -7.0)
    np.testing.assert_array_equal(out[first:], scores.loss(model, X, y)[first:].astype(np.float32))
    assert written == sorted(set(written))
    assert written[-1] == N


@pytest.mark.parametrize("criterion", ["svm_margin", "svm_loss"])
def test_scores_of_a_support_vector_machine_are_refused(criterion):
    with pytest.raises(ValueError, match=f"criterion: '{criterion}' needs all samples in memory"):
        score(LogisticRegression().fit(X, LABELS["binary"]), Blocks(X, LABELS["binary"]), criterion)


# ---- what a model keeps ----------------------------------------------------------------------------------------------


def test_a_model_is_copied_without_a_pass_over_the_samples():
    passes = []
    blocks = Blocks(X, LABELS["binary"])
    model = fit(blocks)
    blocks.progress = lambda *words: passes.append(words)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
        with pytest.raises(AttributeError, match="factor_"):
            _ = twin.factor_
    assert passes == []
    _ = model.factor_
    assert passes
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).factor_.lower, model.factor_.lower)
    assert model.threads is None


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((X, None), ValueError, "y: expected length 2600"),
        ((X, 3), ValueError, "y: expected length 2600"),
        ((X, NOISY[:-1] > 0), ValueError, "y: expected length 2600, got 2599"),
        ((X, NOISY[:, None] > 0), ValueError, "y: expected length 2600, got shape"),
        ((X, np.ma.masked_array(NOISY > 0)), TypeError, "y: masked"),
        ((X, LABELS["binary"], WEIGHT[1:]), ValueError, "sample_weight: expected length"),
        ((X, LABELS["binary"], np.ma.masked_array(WEIGHT)), TypeError, "sample_weight: masked"),
        ((X[0], NOISY > 0), ValueError, "X: expected shape"),
        ((X[:, :0], NOISY > 0), ValueError, "X: expected shape"),
        ((X.astype(np.float16), NOISY > 0), TypeError, "X: expected float32"),
        ((X > 0, NOISY > 0), TypeError, "X: expected float32"),
        ((np.ma.masked_array(X), NOISY > 0), TypeError, "X: masked"),
        ((None, NOISY > 0), ValueError, "X: expected shape"),
    ],
)
def test_arrays_that_do_not_fit_together(arguments, error, words):
    with pytest.raises(error, match=words):
        Blocks(*arguments)


def changed(values: Any, place: Any, value: Any) -> np.ndarray:
    values = np.array(values)
    values[place] = value
    return values


LATE = 2500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((changed(X, (LATE, 3), np.nan), LABELS["binary"]), "X: contains NaN"),
        ((changed(X.astype(float), (LATE, 3), 1e101), LABELS["binary"]), "X: has values above"),
        ((X, changed(LABELS["softmax"].astype(float), LATE, np.inf)), "y: contains NaN"),
        ((X, NOISY), "Unknown label type: continuous"),
        ((X, np.zeros(N)), "y: one class only"),
        ((X, LABELS["binary"], np.zeros(N)), "sample_weight: all weights are zero"),
        ((X, LABELS["binary"], WEIGHT * LABELS["binary"]), "y: one class only"),
        ((X, LABELS["softmax"], WEIGHT * (LABELS["softmax"] != 2)), "sample_weight: all weights of a class"),
        ((X, LABELS["binary"], changed(WEIGHT, LATE, -1)), "sample_weight: must not be negative"),
        ((X[:0], LABELS["binary"][:0]), "X: has no samples"),
    ],
)
def test_samples_that_cannot_be_fitted(arguments, words):
    makers = [lambda: Blocks(*arguments, rows=512), lambda: Blocks.from_iterable(lambda: [arguments], rows=512)]
    for make in makers:
        with pytest.raises(ValueError, match=words):
            fit(make())
    assert readers_alive() == 0


def test_labels_of_bytes_are_refused_as_in_memory():
    y = np.where(LABELS["binary"], b"yes", b"no")
    for call in (lambda: fit(Blocks(X, y)), lambda: LogisticRegression().fit(X, y)):
        with pytest.raises(TypeError, match="bytes is not supported"):
            call()


def test_labels_that_the_model_does_not_know():
    model = LogisticRegression().fit(X, LABELS["binary"])
    with pytest.raises(ValueError, match="y: has labels that are not in classes"):
        score(model, Blocks(X, changed(LABELS["binary"].astype(int), LATE, 5), rows=512), "loss")


@pytest.mark.parametrize("out", [np.zeros(N, dtype=int), np.zeros(N + 1), np.zeros((N, 1)), np.broadcast_to(0.0, N)])
def test_an_array_that_scores_cannot_go_into(out):
    model = LogisticRegression().fit(X, LABELS["binary"])
    with pytest.raises(ValueError, match="out: expected a writable array"):
        score(model, Blocks(X, LABELS["binary"]), "loss", out=out)


def test_arguments_of_other_types():
    blocks = Blocks(X, LABELS["binary"])
    with pytest.raises(TypeError, match="samples: expected augcore.streaming.Blocks"):
        fit(X)
    with pytest.raises(TypeError, match="out: expected an ndarray"):
        score(fit(blocks), blocks, out=[0.0] * N)
    with pytest.raises(ValueError, match="rows: must be at least 1"):
        Blocks(X, LABELS["binary"], rows=0)
    with pytest.raises(TypeError, match="read: "):
        Blocks.from_iterable(ragged(X, LABELS["binary"])())
    with pytest.raises(ValueError, match="read: gave no samples"):
        Blocks.from_iterable(list)
    for part in ([X, LABELS["binary"]], (X,), X):
        with pytest.raises(TypeError, match="read: expected parts"):
            Blocks.from_iterable(lambda part=part: [part])


# ---- sources that fail -----------------------------------------------------------------------------------------------


def then(*passes: Any) -> Any:
    """Something to read that is another thing at each pass, the last one from then on."""
    left = list(passes)
    return lambda: (left.pop(0) if len(left) > 1 else left[0])()


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (ragged(X[:-1], LABELS["binary"][:-1]), "read: gave 2599 samples in this pass, and 2600 in the first"),
        (ragged(X[:5], LABELS["binary"][:5]), "read: gave 5 samples"),
        (ragged(np.r_[X, X], np.tile(LABELS["binary"], 2)), "read: gave more than 2600 samples"),
        (ragged(X[:, 1:], LABELS["binary"]), "read: the part after row 0 has other columns"),
        (ragged(X.astype(float), LABELS["binary"]), "read: the part after row 0 has other columns, dtype"),
        (ragged(X, LABELS["binary"], WEIGHT), "read: the part after row 0 has other columns, dtype or weights"),
        (ragged(X, LABELS["softmax"] + 7), "y: has labels that are not in classes"),
        (ragged(changed(X, (LATE, 0), np.nan), LABELS["binary"]), "X: contains NaN"),
        (list, "read: gave 0 samples"),
    ],
)
@pytest.mark.parametrize("turn", [3, 5])
def test_samples_that_are_others_in_a_later_pass(second, words, turn):
    """Of the passes the first counts, the second surveys, and the third begins the fit."""
    first = ragged(X, LABELS["binary"])
    blocks = Blocks.from_iterable(then(*[first] * (turn - 1), second), rows=512)
    with pytest.raises(ValueError, match=words):
        fit(blocks)
    assert readers_alive() == 0


def test_more_samples_than_there_are_scores_for():
    first = ragged(X, LABELS["binary"])
    blocks = Blocks.from_iterable(then(first, ragged(np.r_[X, X], np.tile(LABELS["binary"], 2))), rows=512)
    with pytest.raises(ValueError, match="read: gave more than 2600 samples"):
        score(LogisticRegression().fit(X, LABELS["binary"]), blocks, "loss")


def test_parts_of_other_kinds_in_one_pass():
    with pytest.raises(ValueError, match="read: the part after row 10 has other columns"):
        Blocks.from_iterable(lambda: [(X[:10], NOISY[:10] > 0), (X[:10, 1:], NOISY[:10] > 0)])
    with pytest.raises(ValueError, match="y: expected length 10, as X has rows, got 9"):
        Blocks.from_iterable(lambda: [(X[:10], NOISY[:9] > 0)])


class Broken(Exception):
    pass


def test_a_source_that_fails():
    closed = []

    def failing() -> Iterator[Any]:
        try:
            yield X[:1000], LABELS["binary"][:1000]
            raise Broken("the line went dead")
        finally:
            closed.append(True)

    first = ragged(X, LABELS["binary"])
    with pytest.raises(Broken, match="the line went dead"):
        fit(Blocks.from_iterable(then(first, first, first, failing), rows=512))
    assert closed == [True]
    assert readers_alive() == 0


def test_a_source_is_closed_when_its_reader_stops():
    closed = []

    def read() -> Iterator[Any]:
        try:
            yield from ragged(X, LABELS["binary"])()
        finally:
            closed.append(True)

    blocks = Blocks.from_iterable(read, rows=512)
    model = fit(blocks)
    closed.clear()

    def stop(done: int) -> None:
        raise Broken

    with pytest.raises(Broken):
        score(model, blocks, "loss", done=stop)
    assert closed == [True]
    assert readers_alive() == 0
    started = blocks.each(lambda block: block.y, "labels")
    next(started)
    del started
    gc.collect()
    assert closed == [True, True]
    assert readers_alive() == 0


def test_what_an_array_in_a_file_raises_is_passed_on():
    class File:
        shape, dtype = X.shape, X.dtype

        def __getitem__(self, rows: slice) -> np.ndarray:
            if rows.start > 1000:
                raise OSError(5, "Input/output error")
            return X[rows]

    with pytest.raises(OSError, match="Input/output error"):
        fit(Blocks(File(), LABELS["binary"], rows=512))
    assert readers_alive() == 0


INTERRUPTED = """
import sys, threading, time
import numpy as np
from augcore.streaming import Blocks, fit

X = np.random.default_rng(0).normal(size=(4096, 50))
passes = [0]

def read():
    passes[0] += 1
    for first in range(0, 4096, 512):
        if passes[0] > 3:
            if first == {first}:
                print("ready", flush=True)
            time.sleep({seconds})
        yield X[first : first + 512], X[first : first + 512, 0] > 0

try:
    fit(Blocks.from_iterable(read, rows=512))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


@pytest.mark.parametrize(("first", "seconds"), [(1024, 0.02), (0, 60.0)])
def test_ctrl_c_ends_a_pass_at_once(first, seconds):
    """Also while a slow source is waited for, whose thread does not keep the process."""
    code = INTERRUPTED.format(first=first, seconds=seconds)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert (output, errors, process.returncode) == (b"interrupted\n", b"", 130)


# ---- a journal -------------------------------------------------------------------------------------------------------


class Memory(Journal):
    """Keeps sums in dictionaries."""

    def __init__(self) -> None:
        self.totals, self.parts = {}, {}

    def total(self, key: str) -> Any:
        return self.totals[key].copy() if key in self.totals else None

    def keep_total(self, key: str, total: Any) -> None:
        self.totals[key] = total.copy()

    def part(self, key: str) -> Any:
        return self.parts.get(key)

    def keep_part(self, key: str, rows: int, nodes: Any) -> None:
        self.parts = {key: (rows, nodes)}


class Stopped(Exception):
    pass


@pytest.mark.parametrize("kind", ["binary", "softmax"])
@pytest.mark.parametrize("source", ["array", "parts"])
def test_a_journal_goes_on_where_it_was(kind, source, monkeypatch):
    """Stopped again and again after some blocks, with other blocks each time: in the middle of passes."""
    monkeypatch.setattr(streaming.blocks, "_SECONDS_BETWEEN_NOTES", -1.0)
    values, y = np.tile(X, (3, 1)), np.tile(LABELS[kind], 3)
    journal, resumed, turns = Memory(), [], 0
    while True:
        rows = (512, 2048, 1024)[turns % 3]
        if source == "array":
            blocks = Blocks(values, y, rows=rows)
        else:
            blocks = Blocks.from_iterable(ragged(values, y, lengths=(1100,)), rows=rows)
        blocks.journal = journal
        seen = []

        def progress(stage: str, done: float, total: float, seen: list = seen) -> None:
            seen.append(done)
            if len(seen) > 9:
                raise Stopped

        blocks.progress = progress
        turns += 1
        try:
            model = fit(blocks)
            blocks.progress = None
            break
        except Stopped:
            resumed.append(seen[0])
    assert turns > 3
    assert max(resumed) > 2048
    same_fit(model, LogisticRegression().fit(values, y))
    before = len(journal.totals)
    again = Blocks(values, y)
    again.journal = journal
    again.progress = lambda *words: pytest.fail("a finished pass was made again")
    same_fit(fit(again), model)
    assert len(journal.totals) == before
    np.testing.assert_array_equal(score(model, Blocks(values, y)), scores.loo_influence(model, values, y))


# ---- memory ----------------------------------------------------------------------------------------------------------

MEMORY = """
import sys
import numpy as np
from augcore.streaming import Blocks, fit, score
from augcore.linear_model import LogisticRegression

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024

X = np.load(sys.argv[1], mmap_mode="r")
y = np.load(sys.argv[2], mmap_mode="r")
small = Blocks(X[:1000], y[:1000])
score(fit(small), small)
before, highest = anonymous(), [0.0]
blocks = Blocks(X, y)
blocks.progress = lambda *words: highest.append(anonymous())
score(fit(blocks), blocks, out=np.lib.format.open_memmap(sys.argv[3], "w+", np.float64, (len(X),)))
print(max(highest) - before)
"""


def test_memory_is_that_of_a_few_blocks(tmp_path):
    """400 MB, in files, of which the page cache is not counted."""
    n, p = 400_000, 256
    values = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (n, p))
    noise = np.random.default_rng(0).normal(size=(4096, p)).astype(np.float32)
    for first in range(0, n, 4096):
        values[first : first + 4096] = noise[: n - first]
    np.save(tmp_path / "y.npy", np.resize(noise[:, 0] > 0, n))
    del values
    files = [str(tmp_path / name) for name in ("X.npy", "y.npy", "scores.npy")]
    done = subprocess.run([sys.executable, "-c", MEMORY, *files], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 60
    assert np.isfinite(np.load(tmp_path / "scores.npy", mmap_mode="r")).all()
