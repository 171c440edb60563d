"""Files of weights: read whole or refused, and the networks that come with the package."""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json

import numpy as np
import pytest
from archives import rewritten

import augcore
from augcore import features
from augcore.features import networks, packaged, weights

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

ABOUT = {"network": "resnet11v2", "shape": [8, 9, 2], "classes": ["a", "b", "c"]}


@pytest.fixture(scope="module")
def network():
    """A network with statistics as after a training."""
    made = networks.build("resnet11v2", (8, 9, 2), 3, networks.Layers(np.random.default_rng(0)))
    rng = np.random.default_rng(1)
    for weight in made.weights:
        if weight.name in ("gamma", "beta", "bias", "moving_mean", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return made


@pytest.fixture(scope="module")
def content(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "net.npz"
    weights.write_weights(path, network, ABOUT)
    return path.read_bytes()


def images(n=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 8, 9, 2), np.uint8)


def test_weights_come_back_as_float16(network, content, tmp_path):
    (tmp_path / "net.npz").write_bytes(content)
    assert len(content) < 2 * network.count_params() + 300 * (len(network.weights) + 3)
    found, about = weights.read_weights(tmp_path / "net.npz")
    assert about == {"format": 1, **ABOUT}
    assert {str(weight.dtype) for weight in found.weights} == {"float32"}
    for name, weight in weights.named_weights(network).items():
        expected = np.asarray(weight).astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(np.asarray(weights.named_weights(found)[name]), expected)
    rows = features.featurize(images(), tmp_path / "net.npz")
    np.testing.assert_array_equal(rows, features.featurize(images(), found))
    np.testing.assert_allclose(rows, features.featurize(images(), network), rtol=0.05, atol=0.02)
    np.testing.assert_array_equal(features.featurize(images(), features.load(str(tmp_path / "net.npz"))), rows)


def test_the_same_weights_are_the_same_bytes(network, content, tmp_path):
    weights.write_weights(tmp_path / "again.npz", network, ABOUT)
    assert (tmp_path / "again.npz").read_bytes() == content


def test_small_networks_too(tmp_path):
    small = networks.build("lenet5", (12, 13, 1), 4, networks.Layers(np.random.default_rng(0)))
    weights.write_weights(
        tmp_path / "s.npz", small, {"network": "lenet5", "shape": [12, 13, 1], "classes": list("abcd")}
    )
    found = features.load(tmp_path / "s.npz")
    assert found.name == "lenet5"
    np.testing.assert_array_equal(
        np.asarray(found.weights[0]), np.asarray(small.weights[0]).astype(np.float16).astype(np.float32)
    )


@pytest.mark.parametrize("value", [1e6, np.inf, np.nan])
def test_weights_beyond_float16_are_refused(tmp_path, value):
    small = networks.build("lenet5", (12, 13, 1), 2, networks.Layers(np.random.default_rng(0)))
    small.weights[-1].assign([0.0, value])
    with pytest.raises(ValueError, match=r"network: dense3\.bias does not fit into float16"):
        weights.write_weights(tmp_path / "s.npz", small, {})
    assert not list(tmp_path.iterdir())


def about(content, **changes):
    return rewritten(content, about=weights.pack({"format": 1, **ABOUT, **changes}))


def raw(text):
    return np.frombuffer(text, np.uint8)


BIAS = "conv1.bias"
HALF = np.float16


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: b"", "not an .npz file"),
        (lambda c: b"PK\x03\x04" + bytes(100), "not an .npz file"),
        (lambda c: c[: len(c) // 2], "not an .npz file"),
        (lambda c: c[:-1], "not a readable"),
        (lambda c: c[:5000] + bytes([c[5000] ^ 1]) + c[5001:], "not a readable"),
        (lambda c: rewritten(c, **{BIAS: None}), "holds 67 arrays, not the 68 of resnet11v2"),
        (lambda c: rewritten(c, **{BIAS: None, "other": np.zeros(3, HALF)}), f"has no array {BIAS}"),
        (lambda c: rewritten(c, **{BIAS: np.zeros(15, HALF)}), rf"{BIAS} has shape \(15,\), expected \(16,\)"),
        (lambda c: rewritten(c, **{BIAS: np.zeros((16, 1), HALF)}), rf"{BIAS} has shape \(16, 1\)"),
        (lambda c: rewritten(c, **{BIAS: np.zeros(16, np.int16)}), f"{BIAS} is of int16, expected float16"),
        (lambda c: rewritten(c, **{BIAS: np.zeros(16)}), f"{BIAS} is of float64"),
        (lambda c: rewritten(c, **{BIAS: np.array([np.nan, *15 * [0]], HALF)}), f"{BIAS} contains NaN"),
        (lambda c: rewritten(c, **{BIAS: np.array([np.inf, *15 * [0]], HALF)}), f"{BIAS} contains NaN or inf"),
        (lambda c: rewritten(c, about=None), "has no array about"),
        (lambda c: rewritten(c, about=np.zeros(4)), "about is of float64"),
        (lambda c: rewritten(c, about=np.zeros(2**20 + 1, np.uint8)), "about is not JSON"),
        (lambda c: rewritten(c, about=raw(b"{")), "about is not JSON"),
        (lambda c: rewritten(c, about=raw(b"\xff\xfe")), "about is not JSON"),
        (lambda c: rewritten(c, about=raw(b"[" * 100_000)), "about is not JSON"),
        (lambda c: rewritten(c, about=raw(b"[1]")), "about is not JSON"),
        (lambda c: about(c, format=2), "expected format 1, got 2"),
        (lambda c: about(c, network="resnet12v2"), "names no known network"),
        (lambda c: about(c, network=["cnn"]), "names no known network"),
        (lambda c: about(c, network="resnet20v2"), "holds 68 arrays, not the 122 of resnet20v2"),
        (lambda c: about(c, network="lenet5"), "images: 8 x 9 pixels are too small"),
        (lambda c: about(c, network="lenet5", shape=[4096] * 3), "images: 4096 x 4096 pixels are too large"),
        (lambda c: about(c, shape=[8, 9]), "shape: expected height"),
        (lambda c: about(c, shape=[8, 9, 2.0]), "shape: expected height"),
        (lambda c: about(c, shape=[8, 9, True]), "shape: expected height"),
        (lambda c: about(c, shape=[8, 10**9, 2]), "shape: expected height"),
        (lambda c: about(c, shape=[8, 9, 3]), r"conv1.kernel has shape \(3, 3, 2, 16\)"),
        (lambda c: about(c, classes=["a"]), "classes: expected a list"),
        (lambda c: about(c, classes=list(range(10_001))), "classes: expected a list"),
        (lambda c: about(c, classes="abc"), "classes: expected a list"),
        (lambda c: about(c, classes=["a", "b"]), r"dense1.* has shape .*3"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(content, tmp_path, damage, message):
    path = tmp_path / "net.npz"
    path.write_bytes(damage(content))
    with pytest.raises(augcore.FileFormatError, match=rf"net\.npz: .*{message}"):
        features.featurize(images(), path)


def test_objects_are_refused(content, tmp_path):
    path = tmp_path / "net.npz"
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array([{}], object))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(augcore.FileFormatError, match="holds objects"):
        features.load(path)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("none.npz", FileNotFoundError, "model: no such file"),
        ("cnn", ValueError, "model: expected .*a .npz, .keras or .weights.h5 file, got 'cnn'"),
        ("some.weights.h5", ValueError, "model: expected"),
        ("net.txt", ValueError, "model: expected"),
    ],
)
def test_what_cannot_be_loaded(model, error, message):
    with pytest.raises(error, match=message):
        features.load(model)


def test_images_of_another_shape_are_refused(content, tmp_path):
    (tmp_path / "net.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"images: the network takes images of shape \(8, 9, 2\), got \(9, 8, 2\)"):
        features.featurize(images().swapaxes(1, 2), tmp_path / "net.npz")


# ---- inside the package ----------------------------------------------------------------------------------------------

DATA = importlib.resources.files("augcore") / "data"


@pytest.mark.parametrize("name", packaged.PACKAGED)
def test_packaged_weights_are_those_of_their_card(name):
    data = (DATA / f"{name}.npz").read_bytes()
    card = json.loads((DATA / f"{name}.json").read_text())
    checksum = hashlib.sha256(data).hexdigest()
    assert checksum == packaged.PACKAGED[name] == card["weights_sha256"]
    assert len(data) == card["weights_bytes"] <= 4 * 2**20
    assert card["test_accuracy"] >= 0.85
    assert (card["augmentation"], card["n_train"], card["n_test"]) == ("none", 50_000, 10_000)
    found = features.load(name)
    assert found.count_params() == card["parameters"]
    assert found.name == card["network"]
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        assert {archive[key].dtype.name for key in archive.files} == {"float16", "uint8"}
        assert json.loads(archive["about"].tobytes())["classes"] == card["classes"]
    readme = (DATA / "README.md").read_text()
    assert checksum in readme
    assert f"{100 * card['test_accuracy']:.2f}%" in readme


def photos(n=6):
    """Smooth colours with edges, as photos have; the same on every machine."""
    y, x = np.mgrid[:32, :32]
    rng = np.random.default_rng(2)
    made = []
    for _ in range(n):
        waves = [np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-0.4, 0.4, (3, 3))]
        disc = (x - rng.integers(8, 24)) ** 2 + (y - rng.integers(8, 24)) ** 2 < rng.integers(20, 90)
        made.append(np.stack([np.where(disc, 200 - 60 * wave, 110 + 90 * wave) for wave in waves], axis=-1))
    return np.array(made).astype(np.uint8)


@pytest.mark.parametrize("name", packaged.PACKAGED)
def test_packaged_features(name):
    pictures = photos()
    found = features.featurize(pictures, name, batch_size=4)
    assert (found.shape, found.dtype) == ((6, 256), np.float32)
    assert np.isfinite(found).all()
    assert np.ptp(found, axis=0).max() > 0.1, "different pictures have different features"
    network = features.load(name)
    np.testing.assert_array_equal(features.featurize(pictures, network, batch_size=4), found)
    np.testing.assert_array_equal(features.featurize(pictures[4:], network, batch_size=4), found[4:])
    for batch_size in (1, 3, 64):
        other = features.featurize(pictures, network, batch_size=batch_size)
        np.testing.assert_allclose(other, found, rtol=1e-4, atol=1e-4)


def test_damaged_packaged_weights_are_refused(content, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    monkeypatch.setitem(packaged.PACKAGED, "some", hashlib.sha256(content).hexdigest())
    (tmp_path / "data" / "some.npz").write_bytes(content)
    assert features.load("some").name == "resnet11v2"
    (tmp_path / "data" / "some.npz").write_bytes(content[:-1])
    with pytest.raises(augcore.ChecksumError, match=r"some\.npz: is damaged, or another file"):
        features.featurize(images(), "some")
