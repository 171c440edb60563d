"""Networks trained on the spot and what they say of images. Tiny images and few epochs: this is about behaviour."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import augcore
from augcore import features
from augcore.features import _keras, extraction, networks

keras = pytest.importorskip("keras")
h5py = pytest.importorskip("h5py")

# Keras 3 with TensorFlow does this under NumPy 2 whenever weights become arrays.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SHAPES = {"cnn": (12, 11), "lenet5": (12, 13), "mnist-cnn": (6, 7)}
WIDTHS = {"cnn": 512, "lenet5": 84, "mnist-cnn": 128}


def make_images(n=24, shape=(6, 7), seed=0, channels=None):
    """Dark and bright noise, which any network can tell apart, with labels 0 and 1 by turns."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = rng.integers(0, 128, (n, *shape, *([channels] if channels else [])), np.uint8)
    return images + (127 * labels).astype(np.uint8).reshape(-1, *[1] * (images.ndim - 1)), labels


@pytest.fixture(scope="module")
def trained():
    """One network, trained for two epochs, and what it was trained on."""
    images, labels = make_images()
    return features.train(images, labels, "mnist-cnn", rng=5, epochs=2, batch_size=16), images, labels


def by_hand(network, images):
    """The penultimate layer, layer by layer."""
    values = (np.asarray(images, np.float32) / np.float32(255)).reshape(*images.shape[:3], -1)
    for layer in network.layers[1:-1]:
        values = layer(values)
    return keras.ops.convert_to_numpy(values)


# ---- training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WIDTHS)
def test_networks(name):
    images, _ = make_images(6, SHAPES[name], channels=2)
    network = features.train(images, np.array(["no", "yes", "maybe"])[[0, 1, 2, 0, 1, 2]], name, rng=0, epochs=1)
    assert network.output_shape == (None, 3)
    kinds = [type(layer).__name__ for layer in network.layers]
    blocks = {
        "cnn": 2 * ["Conv2D", "Conv2D", "MaxPooling2D", "Dropout"] + ["Flatten", "Dense", "Dropout", "Dense"],
        "lenet5": 2 * ["Conv2D", "MaxPooling2D"] + ["Flatten", "Dense", "Dense", "Dense"],
        "mnist-cnn": ["Conv2D", "Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense", "Dropout", "Dense"],
    }
    units = {"cnn": [32, 32, 64, 64, 512, 3], "lenet5": [6, 16, 120, 84, 3], "mnist-cnn": [32, 64, 128, 3]}
    rates = {"cnn": [0.25, 0.25, 0.5], "lenet5": [], "mnist-cnn": [0.25, 0.5]}
    assert kinds[1:] == blocks[name]
    assert [layer.kernel.shape[-1] for layer in network.layers if hasattr(layer, "kernel")] == units[name]
    assert [layer.rate for layer in network.layers if hasattr(layer, "rate")] == rates[name]
    found = features.featurize(images, network, batch_size=4)
    assert found.shape == (6, WIDTHS[name])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(network, images), rtol=1e-4, atol=1e-5)


def test_initial_weights_are_normal():
    rng = np.random.default_rng(3)
    network = networks.build("cnn", (28, 28, 1), 2, networks.Layers(rng))
    kernels = [np.asarray(layer.kernel) for layer in network.layers if hasattr(layer, "kernel")]
    for kernel in kernels[1:-1]:
        assert abs(kernel.std() - 0.05) < 0.002
        assert abs(kernel.mean()) < 0.002
        assert abs((np.abs(kernel) < 0.05).mean() - 0.6827) < 0.03
    biggest = np.abs(kernels[-2]).max()
    assert biggest > 0.2, "a truncated normal would end at 0.1"
    heads = [kernel.ravel()[:18] for kernel in kernels]
    assert all(not np.array_equal(a, b) for i, a in enumerate(heads) for b in heads[:i])


def test_training_learns_and_reports_progress():
    images, labels = make_images(57)
    seen = []
    network = features.train(
        images, labels, "mnist-cnn", rng=1, epochs=40, batch_size=16, progress=lambda *args: seen.append(args)
    )
    assert [args[:2] for args in seen] == [(epoch, 40) for epoch in range(1, 41)]
    assert all(isinstance(accuracy, float) and 0 <= accuracy <= 1 for *_, accuracy in seen)
    assert seen[-1][2] > 0.9
    counts = np.array([57 * accuracy for *_, accuracy in seen])
    np.testing.assert_allclose(
        counts, counts.round(), atol=1e-4, err_msg="each is the accuracy of one epoch, of 57 images"
    )
    others, truth = make_images(40, seed=9)
    guessed = keras.ops.convert_to_numpy(network(others[..., None] / np.float32(255)))
    assert (guessed.argmax(1) == truth).mean() > 0.9
    np.testing.assert_allclose(guessed.sum(1), 1, rtol=1e-5)


def test_the_seed_decides(trained):
    network, images, labels = trained
    again, other = (features.train(images, labels, "mnist-cnn", rng=seed, epochs=2, batch_size=16) for seed in (5, 6))
    for a, b, c in zip(network.get_weights(), again.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_global_random_state_is_left_alone():
    images, labels = make_images(4)
    keras.utils.set_random_seed(1)
    expected = random.random(), np.random.rand(), float(keras.random.normal(()))  # noqa: NPY002
    keras.utils.set_random_seed(1)
    features.train(images, labels, "mnist-cnn", rng=0, epochs=1)
    assert (random.random(), np.random.rand(), float(keras.random.normal(()))) == expected  # noqa: NPY002


TWO_PROCESSES = """
import hashlib
from augcore import datasets, features
data = datasets.load("mnist-sample", n_train=96)
features.train.__kwdefaults__["epochs"] = 2
options = dict(train=(data.x_train, data.y_train), rng=7, cache={cache!r}, batch_size=64)
print(hashlib.sha256(features.featurize(data.x_test[:70], "cnn", **options).tobytes()).hexdigest())
"""


def test_the_same_bits_in_another_process_and_nothing_on_stderr(run_python, tmp_path):
    first, second = (run_python(TWO_PROCESSES.format(cache=str(tmp_path / name))) for name in "ab")
    assert len(first.stdout) == 65
    assert first.stdout == second.stdout
    assert first.stderr == second.stderr == ""
    names = [[path.name for path in (tmp_path / name).iterdir()] for name in "ab"]
    assert names[0] == names[1], "the second process would not find what the first one kept"


def test_ctrl_c_stops_training(trained):
    _, images, labels = trained

    def interrupt(epoch, epochs, accuracy):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features.train(images, labels, "mnist-cnn", epochs=1000, progress=interrupt)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": "resnet"}, ValueError, "model: expected one of 'cnn', 'lenet5', 'mnist-cnn', got 'resnet'"),
        ({"epochs": 0}, ValueError, "epochs: must be at least 1"),
        ({"batch_size": 2.5}, TypeError, "batch_size: expected an integer"),
        ({"rng": -1}, ValueError, "rng: must not be negative"),
        ({"labels": [0] * 24}, ValueError, "labels: expected at least two classes"),
        ({"labels": [0, 1]}, ValueError, "labels: expected length 24, got 2"),
        ({"labels": np.zeros((24, 2))}, ValueError, "labels: expected 1 dimension"),
        ({"images": np.zeros((24, 6, 7), np.int64)}, TypeError, "images: expected uint8, float32 or float64"),
        ({"images": np.zeros((24, 6), np.uint8)}, ValueError, "images: expected shape"),
        ({"images": np.zeros((24, 6, 0), np.uint8)}, ValueError, "images: expected shape"),
        ({"images": np.zeros((24, 4, 1), np.uint8)}, ValueError, "images: 4 x 1 pixels are too small"),
        ({"images": np.zeros((24, 700, 800), np.uint8)}, ValueError, "images: 700 x 800 pixels are too large for the"),
        ({"images": np.full((24, 6, 7), np.nan, np.float32)}, ValueError, "images: contains NaN"),
    ],
)
def test_wrong_arguments_of_train(options, error, message):
    images, labels = make_images()
    with pytest.raises(error, match=message):
        features.train(**{"images": images, "labels": labels, "model": "mnist-cnn", "epochs": 1} | options)


# ---- features --------------------------------------------------------------------------------------------------------


def test_features_are_those_of_the_penultimate_layer(trained):
    network, images, _ = trained
    found = features.featurize(images, network)
    np.testing.assert_allclose(found, by_hand(network, images), rtol=1e-4, atol=1e-5)
    assert np.ptp(found) > 0.01


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[..., None],
        lambda x: x.astype(np.float32),
        lambda x: x.astype(np.float64),
        lambda x: np.asfortranarray(x),
        lambda x: x[::-1][::-1],
        lambda x: x.tolist() and np.array(x.tolist(), np.uint8),
        lambda x: x.astype(">f4"),
    ],
    ids=["channel", "float32", "float64", "fortran", "reversed", "copy", "big-endian"],
)
def test_every_form_of_the_same_images_gives_the_same_features(trained, view):
    network, images, _ = trained
    before = images.copy()
    np.testing.assert_array_equal(features.featurize(view(images), network), features.featurize(images, network))
    np.testing.assert_array_equal(images, before)


def test_a_row_does_not_depend_on_the_others(trained):
    network, images, _ = trained
    whole = features.featurize(images, network, batch_size=10)
    for rows in (slice(0, 0), slice(0, 1), slice(3, 24), slice(7, 17)):
        np.testing.assert_array_equal(features.featurize(images[rows], network, batch_size=10), whole[rows])
    assert features.featurize(images[:0], network).shape == (0, 128)


def test_sequential_models_and_wide_features():
    layers = keras.layers
    network = keras.Sequential([keras.Input((6, 7, 1)), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()])
    images, _ = make_images(5)
    found = features.featurize(images, network)
    expected = keras.ops.convert_to_numpy(network.layers[0](images[..., None] / np.float32(255)))
    assert found.shape == (5, 4 * 5 * 2)
    np.testing.assert_allclose(found, expected.reshape(5, -1), rtol=1e-5, atol=1e-6)
    network.pop()
    for layer in (layers.Flatten(), layers.Dense(7), layers.Dense(3)):
        network.add(layer)
    assert features.featurize(images, network).shape == (5, 7), "the network has changed since"


def test_a_name_trains(trained):
    network, images, labels = trained
    data = make_images(10)[0]
    defaults = features.train.__kwdefaults__ | {"epochs": 2, "batch_size": 16}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features.train, "__kwdefaults__", defaults)
        found = features.featurize(data, "mnist-cnn", train=(images, labels), rng=5)
    np.testing.assert_array_equal(found, features.featurize(data, network))


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        ("cnn", {}, ValueError, "train: the network 'cnn' needs train="),
        ("cnn", {"train": np.zeros(3)}, ValueError, "train: the network 'cnn' needs train="),
        (
            "resnet",
            {},
            ValueError,
            "model: expected 'cnn', 'lenet5', 'mnist-cnn', .*a .npz, .keras or .weights.h5 file, got 'resnet'",
        ),
        ("none.keras", {}, FileNotFoundError, "model: no such file"),
        (7, {}, TypeError, "model: expected a Keras model, a path or a name, got 7"),
        (None, {"train": ([], [])}, ValueError, "train: only goes with the name"),
        (None, {"batch_size": 0}, ValueError, "batch_size: must be between 1"),
        (None, {"batch_size": 2**40}, ValueError, "batch_size: must be between 1"),
        (None, {"cache": 3}, TypeError, "cache: expected a path"),
        (None, {"cache": "a\0b"}, ValueError, "cache: "),
        (None, {"cache": "~no-such-user/x"}, FileNotFoundError, "cache: no such home"),
        (None, {"images": np.full((2, 6, 7), 1e300)}, ValueError, "images: contains values beyond float32"),
        (None, {"images": np.zeros((2, 7, 6), np.uint8)}, ValueError, r"images: the network takes images of shape"),
        (None, {"images": np.zeros((2, 6, 7, 3), np.uint8)}, ValueError, r"images: the network takes images of shape"),
        (None, {"images": "x"}, TypeError, "images: expected uint8"),
    ],
)
def test_wrong_arguments_of_featurize(trained, model, options, error, message):
    with pytest.raises(error, match=message):
        features.featurize(**{"images": trained[1], "model": model or trained[0]} | options)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_features_that_are_no_numbers_are_refused_and_not_kept(tmp_path, value):
    layers = keras.layers
    spoiled = keras.Sequential([keras.Input((6, 7, 1)), layers.Flatten(), layers.Dense(3), layers.Dense(2)])
    spoiled.layers[1].kernel.assign(np.full((42, 3), value, np.float32))
    images = np.full((5, 6, 7), 255, np.uint8)
    for cache in (None, tmp_path):
        with pytest.raises(ValueError, match="model: gives features that are NaN or infinite"):
            features.featurize(images, spoiled, cache=cache)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("shape", "expected"), [((6, 7), 1024), ((32, 32), 1024), ((96, 96), 113), ((4000, 300), 1)])
def test_fewer_of_large_images_are_in_memory_at_once(monkeypatch, shape, expected):
    layers = keras.layers
    network = keras.Sequential([keras.Input((*shape, 1)), layers.GlobalMaxPooling2D(), layers.Dense(2)])
    seen = []
    monkeypatch.setattr(extraction, "_run", lambda extractor, images, batch_size: seen.append(batch_size))
    features.featurize(np.zeros((2, *shape), np.uint8), network)
    assert seen == [expected]


def test_networks_without_a_penultimate_layer_are_refused():
    layers = keras.layers
    unbuilt = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    one, two = keras.Input((6, 7, 1)), keras.Input((6, 7, 1))
    flat_one, flat_two = layers.Flatten()(one), layers.Flatten()(two)
    joined = keras.Model(one, layers.Concatenate()([flat_one, layers.Dense(2)(flat_one)]))
    pair = keras.Model([one, two], layers.Concatenate()([flat_one, flat_two]))
    forked = keras.Model(one, [layers.Dense(2)(flat_one), layers.Dense(3)(flat_one)])
    endless = keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(2, 3), layers.GlobalMaxPooling2D()])
    for network in (unbuilt, joined, pair, forked, endless):
        with pytest.raises(ValueError, match="model: has no single penultimate layer"):
            features.featurize(make_images(2)[0], network)


# ---- networks from files ---------------------------------------------------------------------------------------------


def test_networks_from_files(trained, tmp_path):
    network, images, _ = trained
    network.save(tmp_path / "net.keras")
    network.save_weights(tmp_path / "net.weights.h5")
    for name in ("net.keras", "net.weights.h5"):
        found = features.featurize(images, tmp_path / name)
        np.testing.assert_array_equal(found, features.featurize(images, network))
        found = features.featurize(images, str(tmp_path / name))
        np.testing.assert_array_equal(found, features.featurize(images, network))


@pytest.mark.parametrize("name", WIDTHS)
def test_weights_of_every_network(tmp_path, name):
    images, _ = make_images(3, SHAPES[name])
    network = networks.build(name, (*SHAPES[name], 1), 5, networks.Layers(np.random.default_rng(1)))
    network.save_weights(tmp_path / "net.weights.h5")
    found = features.featurize(images, tmp_path / "net.weights.h5")
    np.testing.assert_array_equal(found, features.featurize(images, network))


def test_damaged_files_are_refused(trained, tmp_path):
    network, images, _ = trained
    for name, save in (("net.keras", network.save), ("net.weights.h5", network.save_weights)):
        save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        for data in (b"", b"hello", whole[:100], whole[: len(whole) // 2]):
            (tmp_path / name).write_bytes(data)
            with pytest.raises(augcore.FileFormatError, match=name):
                features.featurize(images, tmp_path / name)


def rewrite(path, change):
    """Rewrites the parts of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in change(parts).items():
            archive.writestr(name, data)


def test_a_model_that_carries_code_is_refused(tmp_path):
    network = keras.Sequential([keras.Input((6, 7, 1)), keras.layers.Lambda(lambda x: x + 1), keras.layers.Flatten()])
    network.save(tmp_path / "net.keras")
    with pytest.raises(augcore.FileFormatError, match=r"net\.keras"):
        features.featurize(make_images(2)[0], tmp_path / "net.keras")


def test_files_that_are_no_model_are_refused(trained, tmp_path):
    network, images, _ = trained
    network.save(tmp_path / "bomb.keras")
    rewrite(tmp_path / "bomb.keras", lambda parts: parts | {"more": bytes(2**26)})
    with pytest.raises(augcore.FileFormatError, match="would expand to"):
        features.featurize(images, tmp_path / "bomb.keras")
    network.save(tmp_path / "layer.keras")
    layer = keras.saving.serialize_keras_object(keras.layers.Flatten())
    rewrite(tmp_path / "layer.keras", lambda parts: parts | {"config.json": json.dumps(layer).encode()})
    with pytest.raises(augcore.FileFormatError, match=r"layer\.keras"):
        features.featurize(images, tmp_path / "layer.keras")


def replace(file, key, **options):
    del file[key]
    file.create_dataset(key, **options)


def link(file, key, *target):
    del file[key]
    file[key] = h5py.ExternalLink(*target)


BIAS, CLASSES = "layers/dense/vars/1", "layers/dense_1/vars/1"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.__delitem__("layers/dense"), "the weights of none of the networks"),
        (lambda file: file.create_group("layers/conv2d_2"), "the weights of none of the networks"),
        (lambda file: file.__delitem__("layers"), "cannot be read as a network"),
        (lambda file: file.__delitem__(BIAS), "cannot be read as a network"),
        (lambda file: replace(file, BIAS, shape=(127,), dtype="f4"), rf"/{BIAS} is not \(128,\)"),
        (lambda file: replace(file, BIAS, data=np.zeros(128, "S4")), rf"/{BIAS} is not \(128,\)"),
        (lambda file: replace(file, CLASSES, shape=(2**40,), dtype="f4", chunks=(2**20,)), f"has {2**40} classes"),
        (lambda file: replace(file, CLASSES, shape=(1,), dtype="f4"), "has 1 classes"),
        (lambda file: replace(file, BIAS, shape=(128,), dtype="f4", external="/dev/zero"), rf"/{BIAS} is not"),
        (lambda file: link(file, BIAS, "other.h5", "secret"), "/secret is not"),
    ],
    ids=["layer", "more", "layers", "bias", "shape", "text", "classes", "one-class", "raw-file", "other-file"],
)
def test_weights_that_fit_no_network_are_refused(trained, tmp_path, damage, message):
    network, images, _ = trained
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.ones(128, np.float32)
    path = tmp_path / "net.weights.h5"
    network.save_weights(path)
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(augcore.FileFormatError, match=rf"net\.weights\.h5: .*{message}"):
        features.featurize(images, path)


# ---- the cache -------------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(monkeypatch):
    """Counts how often a network really sees images."""
    calls = []
    run = extraction._run
    monkeypatch.setattr(extraction, "_run", lambda *args: calls.append(1) or run(*args))
    return calls


def test_cache(trained, tmp_path, runs):
    network, images, labels = trained
    folder = tmp_path / "new" / "cache"
    found = features.featurize(images, network, cache=folder)
    again = features.featurize(images, network, cache=str(folder))
    assert len(runs) == 1
    np.testing.assert_array_equal(found, again, strict=True)
    assert again.flags.writeable
    (path,) = folder.iterdir()
    np.testing.assert_array_equal(np.load(path, allow_pickle=False), found, strict=True)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    features.featurize(images, copy, cache=folder)
    again = features.train(images, labels, "mnist-cnn", rng=5, epochs=2, batch_size=16)
    features.featurize(images, again, cache=folder)
    assert len(runs) == 1, "the same network in another object"
    other = images.copy()
    other[3, 2, 1] ^= 1
    features.featurize(other, network, cache=folder)
    features.featurize(images.reshape(24, 6, 7, 1), network, cache=folder)
    assert len(runs) == 2
    weights = copy.get_weights()
    weights[0].flat[0] += 1
    copy.set_weights(weights)
    features.featurize(images, copy, cache=folder)
    assert len(runs) == 3
    features.featurize(images, network, cache=folder, batch_size=7)
    assert len(runs) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:10] + bytes([data[10] ^ 1]) + data[11:],
    ],
    ids=["cut", "extra", "empty", "bit", "header"],
)
def test_a_damaged_cache_file_is_made_anew(trained, tmp_path, runs, damage):
    network, images, _ = trained
    found = features.featurize(images, network, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    np.testing.assert_array_equal(features.featurize(images, network, cache=tmp_path), found)
    assert len(runs) == 2
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [whole]


def test_a_forged_cache_file_is_made_anew(trained, tmp_path, runs):
    """A file whose name carries its own digest, but which holds something else."""
    network, images, _ = trained
    found = features.featurize(images, network, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    key = path.name.partition("-")[0]
    path.unlink()
    for forged in (b"", b"\x80\x04N.", path.name.encode() * 100):
        (tmp_path / f"{key}-{hashlib.sha256(forged).hexdigest()[:32]}.npy").write_bytes(forged)
    np.testing.assert_array_equal(features.featurize(images, network, cache=tmp_path), found)
    assert len(runs) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_os_error(trained, tmp_path):
    network, images, _ = trained
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        features.featurize(images, network, cache=tmp_path / "file" / "cache")


# ---- without Keras, and quietly --------------------------------------------------------------------------------------


def test_without_keras(run_python):
    code = """
import sys
sys.modules["keras"] = None
import numpy as np, augcore.features as features
for call in (lambda: features.train(np.zeros((2, 9, 9), np.uint8), [0, 1]),
             lambda: features.featurize(np.zeros((2, 9, 9), np.uint8), 3)):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    line = "keras is not installed; install it with: pip install 'augcore[experiments]'\n"
    assert run_python(code).stdout == 2 * line


def test_the_log_level_of_the_user_is_kept(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    _keras.keras_module()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1"
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    _keras.keras_module()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_only_the_native_log_is_dropped(run_python):
    code = """
import os, sys
from augcore.features._keras import _without_native_log
print("before", file=sys.stderr)
with _without_native_log():
    os.write(2, b"I0000 00:00:1.5  77 port.cc:153] on\\nsomething else\\nWARNING: All log messages before absl::x\\n")
    print("python", file=sys.stderr, end="")
print(" after", file=sys.stderr)
"""
    assert run_python(code).stderr == "before\nsomething else\npython after\n"
    run_python(f"import os; os.close(2)\n{code.split('print')[0]}\nwith _without_native_log(): pass")


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("absent", "error: KERAS_BACKEND: Unable to import backend : absent"),
        ("jax", "error: KERAS_BACKEND: jax, which 'jax' needs, is not installed"),
    ],
)
def test_a_backend_that_is_not_there_is_named(tmp_path, backend, message):
    code = "import sys; sys.modules['jax'] = None; from augcore.cli import app; app(prog_name='augcore')"
    arguments = ["train", "cnn", "--data", "mnist-sample", "--epochs", "1", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == f"augcore: {message}"
