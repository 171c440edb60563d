"""A training in a folder: what is random is keyed, and stopping changes nothing."""

from __future__ import annotations

import csv
import errno
import json
import zipfile

import numpy as np
import pytest
from archives import rewritten

import augcore
from augcore import _files
from augcore.features import checkpoints, training
from augcore.features.recipes import RECIPES, Recipe
from augcore.features.training import Images, Plan

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SMALL = Recipe(3, 8, 1e-3, lambda epoch, epochs: 1 / (1 + epoch), None, 0.0, 0.0, 0.1, 0.0, keep_best=False)
PLAN = Plan("mnist-cnn", "small", SMALL, 3, 8, 5)


def make_images(n=21, shape=(6, 7, 1), seed=0, classes=3):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    images = rng.integers(0, 80, (n, *shape), np.uint8) + (80 * labels).astype(np.uint8).reshape(-1, 1, 1, 1)
    return Images(images, labels, images[::-1][:11].copy(), labels[::-1][:11].copy(), tuple("abc"[:classes]))


DATA = make_images()


def without_seconds(history):
    return [epoch._replace(seconds=0.0) for epoch in history]


class Interrupt:
    """Ctrl-C at a step, or after an epoch."""

    def __init__(self, step=None, epoch=None):
        self.step, self.epoch = step, epoch

    def progress(self, stage, done, total):
        if done == self.step:
            raise KeyboardInterrupt

    def told(self, epoch):
        if epoch.epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that was not stopped: network, history, folder, steps reported."""
    folder, steps = tmp_path_factory.mktemp("whole"), []
    network, history = training.fit(PLAN, DATA, folder, progress=lambda *args: steps.append(args))
    return network, history, folder, steps


def test_what_is_written(whole):
    _, history, folder, steps = whole
    assert {path.name for path in folder.iterdir()} == {".lock", "settings.json", "checkpoint.npz", "history.csv"}
    assert steps == [("training", step, 9) for step in range(1, 10)]
    with open(folder / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "learning_rate", "loss", "train_accuracy", "test_accuracy", "seconds"]
    assert [
        checkpoints.Epoch(int(row["epoch"]), *[float(row[name]) for name in list(row)[1:]]) for row in rows
    ] == history
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    last = [1e-3 * SMALL.rate(number + 2 / 3, 3) for number in range(3)]
    np.testing.assert_allclose([epoch.learning_rate for epoch in history], last, rtol=1e-6)
    counts = np.array([(21 * epoch.train_accuracy, 11 * epoch.test_accuracy) for epoch in history])
    np.testing.assert_allclose(counts, counts.round(), atol=1e-4)
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["data"] == DATA.checksum()
    assert settings == training.settings_of(PLAN, DATA)


def test_accuracy_on_the_test_images(whole):
    network, history, *_ = whole
    inputs = DATA.x_test.astype(np.float32) / np.float32(255)
    guesses = keras.ops.convert_to_numpy(network(inputs)).argmax(axis=1)
    assert history[-1].test_accuracy == float((guesses == DATA.y_test).mean())


@pytest.mark.parametrize("stop", [Interrupt(step=2), Interrupt(epoch=1), Interrupt(step=5), Interrupt(epoch=3)])
def test_stopped_and_resumed_is_as_not_stopped(whole, tmp_path, stop):
    network, history, *_ = whole
    with pytest.raises(KeyboardInterrupt):
        training.fit(PLAN, DATA, tmp_path, progress=stop.progress, told=stop.told)
    steps = []
    resumed, found = training.fit(PLAN, DATA, tmp_path, progress=lambda stage, done, total: steps.append(done))
    assert steps == [step for step in range(1, 10) if step > {2: 0, 5: 3, None: 3 * (stop.epoch or 0)}[stop.step]]
    assert without_seconds(found) == without_seconds(history)
    for name, values in states(resumed).items():
        np.testing.assert_array_equal(values, states(network)[name], err_msg=name)


def states(network):
    return {name: keras.ops.convert_to_numpy(value) for name, value in checkpoints._variables(network).items()}


def test_a_residual_network_goes_on_too(tmp_path):
    """Fused normalisation, dropped channels, momentum and bfloat16 among what must be the same."""
    data = make_images(14, (8, 8, 1), classes=2)
    recipe = RECIPES["short"]._replace(dropout=0.25)
    plan = Plan("resnet11v2", "short", recipe, 2, 5, 1, precision="mixed_bfloat16")
    expected, history = training.fit(plan, data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        training.fit(plan, data, tmp_path / "parts", progress=Interrupt(step=5).progress)
    found, again = training.fit(plan, data, tmp_path / "parts")
    assert without_seconds(again) == without_seconds(history)
    for name, values in states(expected).items():
        np.testing.assert_array_equal(states(found)[name], values, err_msg=name)
    assert len(states(expected)) > 2 * len(expected.trainable_weights), "momentum is kept"


def test_seeds_decide(whole, tmp_path):
    network, *_ = whole
    other, _ = training.fit(PLAN._replace(seed=6), DATA, tmp_path)
    assert not np.array_equal(network.get_weights()[0], other.get_weights()[0])


def test_dropout_differs_from_epoch_to_epoch():
    network = training._compiled(PLAN, DATA)
    seen = []
    for number in (0, 1, 0):
        training._seed_dropout(network, 5, number)
        layers = [layer for layer in network.layers if hasattr(layer, "rate")]
        seen.append([keras.ops.convert_to_numpy(layer.seed_generator.state).tolist() for layer in layers])
    assert seen[0] == seen[2] != seen[1]
    assert len({tuple(state) for state in seen[0]}) == 2


def test_every_image_once_in_an_epoch_and_augmented_by_its_index(tmp_path):
    calls = []

    def augment(images, indices, epoch):
        np.testing.assert_array_equal(images, DATA.x_train[indices])
        calls.append((epoch, *indices.tolist()))
        return 255 - images

    plain, _ = training.fit(PLAN._replace(epochs=2), DATA, tmp_path / "plain")
    network, _ = training.fit(PLAN._replace(epochs=2, augmentation="negative", augment=augment), DATA, tmp_path / "a")
    orders = [[index for epoch, *indices in calls if epoch == number for index in indices] for number in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(21))
    assert [len(call) - 1 for call in calls] == 2 * [8, 8, 5]
    assert not np.array_equal(plain.get_weights()[0], network.get_weights()[0])


def test_the_best_epoch_is_kept(tmp_path, monkeypatch):
    plan = PLAN._replace(recipe=SMALL._replace(keep_best=True))
    accuracies = iter([0.25, 0.75, 0.5, 0.75])
    monkeypatch.setattr(training, "accuracy_on_test", lambda *_: next(accuracies))
    weights = []
    epoch = training._epoch
    monkeypatch.setattr(
        training, "_epoch", lambda network, *args: (epoch(network, *args), weights.append(states(network)))[0]
    )
    with pytest.raises(KeyboardInterrupt):  # the state goes on from the last epoch, not from the best
        training.fit(plan._replace(epochs=4), DATA, tmp_path, told=Interrupt(epoch=3).told)
    network, history = training.fit(plan._replace(epochs=4), DATA, tmp_path)
    assert [epoch.test_accuracy for epoch in history] == [0.25, 0.75, 0.5, 0.75]
    for name, values in states(network).items():
        np.testing.assert_array_equal(values, weights[1][name])
    assert not np.array_equal(weights[1]["network.conv1.kernel"], weights[3]["network.conv1.kernel"])


def test_smoothed_targets():
    targets = training._targets(DATA, 0.3)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(targets[np.arange(21), DATA.y_train], 0.8, rtol=1e-6)
    np.testing.assert_allclose(np.sort(targets, axis=1)[:, :2], 0.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("field", "plan", "data"),
    [
        ("network", PLAN._replace(network="lenet5"), make_images(shape=(12, 13, 1))),
        ("recipe", PLAN._replace(recipe_name="other"), DATA),
        ("epochs", PLAN._replace(epochs=4), DATA),
        ("batch_size", PLAN._replace(batch_size=7), DATA),
        ("seed", PLAN._replace(seed=4), DATA),
        ("precision", PLAN._replace(precision="mixed_bfloat16"), DATA),
        ("learning_rate", PLAN._replace(recipe=SMALL._replace(learning_rate=2e-3)), DATA),
        ("label_smoothing", PLAN._replace(recipe=SMALL._replace(label_smoothing=0.0)), DATA),
        ("augmentation", PLAN._replace(augmentation="some"), DATA),
        ("data", PLAN, make_images(seed=1)),
        ("classes", PLAN, DATA._replace(class_names=("a", "b", "z"))),
    ],
)
def test_another_training_is_not_resumed(whole, field, plan, data):
    folder = whole[2]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match=rf"^{field}: the training in .* has .*; resume with the same"):
        training.fit(plan, data, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_versions_are_compared(whole, monkeypatch):
    monkeypatch.setattr(training, "__version__", "9.9.9")
    with pytest.raises(ValueError, match=r"^augcore: the training in .* has '[\d.]+', not '9\.9\.9'"):
        training.fit(PLAN, DATA, whole[2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:5000] + bytes([content[5000] ^ 4]) + content[5001:],
        lambda content: rewritten(content, **{"network.conv1.bias": None}),
        lambda content: rewritten(content, **{"network.conv1.bias": np.zeros(31, np.float32)}),
        lambda content: rewritten(content, **{"network.conv1.bias": np.zeros(32, np.float64)}),
        lambda content: rewritten(content, **{"network.conv1.bias": np.full(32, np.nan, np.float32)}),
        lambda content: rewritten(content, history=np.zeros((1, 5))),
        lambda content: rewritten(content, settings=np.frombuffer(b"[]", np.uint8)),
        lambda content: rewritten(content, settings=None),
    ],
    ids=["empty", "half", "cut", "bit", "missing", "shape", "dtype", "nan", "history", "settings", "no-settings"],
)
def test_a_damaged_checkpoint_is_refused(whole, tmp_path, damage):
    content = (whole[2] / "checkpoint.npz").read_bytes()
    (tmp_path / "checkpoint.npz").write_bytes(damage(content))
    with pytest.raises(augcore.FileFormatError, match=r"checkpoint\.npz: "):
        training.fit(PLAN, DATA, tmp_path)


def test_a_checkpoint_holds_no_pickle(whole):
    with zipfile.ZipFile(whole[2] / "checkpoint.npz") as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                assert not np.lib.format.read_array(file, allow_pickle=False).dtype.hasobject


def test_no_space_leaves_the_epochs_before(whole, tmp_path, monkeypatch):
    save, network_history = checkpoints.save, whole[1]

    def full(path, network, settings, history):
        if len(history) == 2:
            with _files.atomic_write(path) as file:
                file.write(b"part of it")
                raise OSError(errno.ENOSPC, "No space left on device")
        save(path, network, settings, history)

    monkeypatch.setattr(checkpoints, "save", full)
    with pytest.raises(OSError, match=r"No space left.*checkpoint\.npz"):
        training.fit(PLAN, DATA, tmp_path)
    assert not list(tmp_path.glob(".*.partial"))
    monkeypatch.setattr(checkpoints, "save", save)
    _, history = training.fit(PLAN, DATA, tmp_path)
    assert without_seconds(history) == without_seconds(network_history)


def test_one_process_at_a_time(tmp_path):
    with _files.locked(tmp_path), pytest.raises(BlockingIOError, match="another process is at work"):
        training.fit(PLAN, DATA, tmp_path)


def test_a_training_that_diverges_is_stopped(tmp_path):
    wild = SMALL._replace(learning_rate=1e30, momentum=0.9)
    with pytest.raises(ValueError, match=r"^training diverged in epoch 1: the loss is (nan|inf)"):
        training.fit(PLAN._replace(recipe=wild), DATA, tmp_path)
    assert not (tmp_path / "checkpoint.npz").exists()


def test_precision(monkeypatch):
    assert training.precision("float32") == "float32"
    assert training.precision("bfloat16") == "mixed_bfloat16"
    for able, expected in ((True, "mixed_bfloat16"), (False, "float32")):
        monkeypatch.setattr(training, "_multiplies_bfloat16", lambda able=able: able)
        assert training.precision("auto") == expected
    with pytest.raises(ValueError, match="precision: expected one of 'auto', 'float32', 'bfloat16', got 'half'"):
        training.precision("half")
