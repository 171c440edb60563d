"""augcore train: what it writes, what it says, and that a training that was killed goes on."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import COMMAND, assert_one_line

from augcore import _files, cli, features
from augcore.cli import _history, _training
from augcore.cli.training import _folder_name
from augcore.experiments import style
from augcore.features import checkpoints, training

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Call = Callable[..., subprocess.CompletedProcess]

TRAIN = ("train", "mnist-cnn", "--data", "npz:data.npz", "--batch-size", 8, "--epochs", 3, "--out", "out")
FILES = {".lock", "settings.json", "checkpoint.npz", "history.csv", "history.pdf", "history.png", "weights.npz"}
FILES |= {"card.json"}


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command within this process, in a folder with a small data set."""
    rng = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    labels = np.arange(30) % 3
    images = rng.integers(0, 80, (30, 8, 7), np.uint8) + (80 * labels).astype(np.uint8)[:, None, None]
    np.savez("data.npz", x_train=images[:20], y_train=labels[:20], x_test=images[20:], y_test=labels[20:])

    def run(*arguments: object) -> subprocess.CompletedProcess:
        with pytest.raises(SystemExit) as caught:
            cli.app([*map(str, arguments)], prog_name="augcore")
        return subprocess.CompletedProcess(arguments, caught.value.code, *capsys.readouterr())

    return run


def read(name: str) -> dict:
    return json.loads(Path("out", name).read_text())


def test_a_training_from_beginning_to_end(call: Call) -> None:
    done = call(*TRAIN)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in Path("out").iterdir()} == FILES
    card = read("card.json")
    percent = f"{100 * card['test_accuracy']:.2f}%"
    assert done.stdout == f"out/weights.npz: mnist-cnn, {percent} of the test images right\n"
    lines = done.stderr.splitlines()
    assert "training mnist-cnn into out" in lines
    for number in (1, 2, 3):
        (line,) = [line for line in lines if line.startswith(f"augcore: epoch {number} of 3: loss ")]
        assert line.endswith(" s")
    assert "training: 100%" in lines
    content = Path("out/weights.npz").read_bytes()
    assert card["weights_sha256"] == hashlib.sha256(content).hexdigest()
    assert card["weights_bytes"] == len(content)
    assert {key: card[key] for key in ("network", "recipe", "epochs", "batch_size", "seed", "augmentation")} == {
        "network": "mnist-cnn",
        "recipe": "paper",
        "epochs": 3,
        "batch_size": 8,
        "seed": 0,
        "augmentation": "none",
    }
    assert (card["n_train"], card["n_test"], card["classes"], card["shape"]) == (20, 10, ["0", "1", "2"], [8, 7, 1])
    assert card["data_sha256"] == read("settings.json")["data"]
    with np.load("data.npz") as data:
        network = features.load("out/weights.npz")
        inputs = data["x_test"][..., None] / np.float32(255)
        right = keras.ops.convert_to_numpy(network(inputs)).argmax(axis=1) == data["y_test"]
        assert features.featurize(data["x_test"], "out/weights.npz").shape == (10, 128)
    assert card["test_accuracy"] == right.mean(), "of the weights as they are stored"
    assert card["parameters"] == network.count_params()
    with open("out/history.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    assert Path("out/history.png").read_bytes().startswith(b"\x89PNG")
    assert Path("out/history.pdf").read_bytes().startswith(b"%PDF")


def test_a_finished_training_only_writes_its_results_again(call: Call) -> None:
    assert call(*TRAIN).returncode == 0
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    for name in ("weights.npz", "card.json", "history.png"):
        Path("out", name).unlink()
    done = call(*TRAIN, "--resume")
    assert done.returncode == 0
    assert "epoch" not in done.stderr
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before


def test_the_command_of_the_card_does_it_again(call: Call) -> None:
    Path("data.npz").rename("my data.npz")
    data = ("--data", "npz:my data.npz", "--classes", "2,0", "--n-train", 9, "--rotation", 3, "--shift", 1)
    assert call(*TRAIN, *data, "--rng", 4).returncode == 0
    program, *arguments = shlex.split(read("card.json")["command"])
    assert program == "augcore"
    assert call(*arguments, "--out", "again").returncode == 0
    assert Path("again/weights.npz").read_bytes() == Path("out/weights.npz").read_bytes()


@pytest.mark.parametrize(
    ("data", "augmented", "name"),
    [
        ("cifar10", False, "net-cifar10"),
        ("norb-jittered", True, "net-norb-jittered-augmented"),
        ("npz:some/photos.npz", False, "net-photos"),
        ("folder:some/flowers/", False, "net-flowers"),
        ("folder:..", False, "net-some"),
    ],
)
def test_folder_of_a_training_that_is_told_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, augmented: bool, name: str
) -> None:
    (tmp_path / "some" / "where").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "some" / "where")
    assert _folder_name("net", data, augmented=augmented) == name


def test_interrupted_and_resumed(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(*TRAIN, "--out", "whole").returncode == 0
    epoch = training._epoch

    def interrupt(network, plan, data, number, progress):
        if number == 1:
            raise KeyboardInterrupt
        return epoch(network, plan, data, number, progress)

    monkeypatch.setattr(training, "_epoch", interrupt)
    done = call(*TRAIN)
    assert done.returncode == 130
    assert done.stderr.endswith(
        "augcore: interrupted; whole epochs are kept. Go on with the same command and --resume --out out\n"
    )
    assert not Path("out/weights.npz").exists()
    monkeypatch.setattr(training, "_epoch", epoch)
    assert_one_line(call(*TRAIN), 2, "out: holds a training; --resume goes on with it, --out takes another folder")
    done = call(*TRAIN, "--resume")
    assert done.returncode == 0
    assert "epoch 1 of 3" not in done.stderr
    assert Path("out/weights.npz").read_bytes() == Path("whole/weights.npz").read_bytes()


def test_killed_and_resumed(call: Call) -> None:
    """kill -9 in the second epoch or later, wherever the process is."""
    options = [str(option) for option in (*TRAIN, "--precision", "float32")]
    options[options.index("--epochs") + 1] = "400"
    process = subprocess.Popen([*COMMAND, *options], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not Path("out/history.csv").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(Path("out/history.csv").read_text().splitlines()) - 1
    assert 1 <= done < 400
    data = _training.load("npz:data.npz", None, None)
    plan = _training.plan("mnist-cnn", None, 400, 8, None, "float32")
    network = training._compiled(plan, data)
    history = checkpoints.restore(Path("out/checkpoint.npz"), network, training.settings_of(plan, data))
    assert len(history) in (done, done + 1), "the table follows the checkpoint"
    expected, _ = training.fit(plan._replace(epochs=len(history)), data, Path("whole"))
    for found, same in zip(network.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(found, same)


def test_augmentation_is_keyed(call: Call) -> None:
    name, augment = _training._augmentation(10.0, 2, 7)
    assert name == "rotation up to 10 degrees, shift up to 2 pixels"
    images = np.random.default_rng(0).integers(0, 256, (6, 9, 9, 1), np.uint8)
    indices = np.array([5, 3, 9, 0, 1, 2])
    whole = augment(images, indices, 4)
    assert (whole != images).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(augment(images[2:3], indices[2:3], 4), whole[2:3])
    assert not np.array_equal(augment(images, indices, 5), whole)
    only_shift = _training._augmentation(0.0, 2, 7)[1](images, indices, 0)
    shifts = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    for image, moved in zip(padded, only_shift, strict=True):
        assert any(np.array_equal(moved, image[2 - dy : 11 - dy, 2 - dx : 11 - dx]) for dy, dx in shifts)
    assert _training._augmentation(0.0, 0, 7) == ("none", None)


def test_augmentation_is_resumed_only_as_it_was(call: Call) -> None:
    assert call(*TRAIN, "--shift", 1).returncode == 0
    assert read("card.json")["augmentation"] == "rotation up to 0 degrees, shift up to 1 pixels"
    done = call(*TRAIN, "--shift", 2, "--resume")
    assert done.returncode == 2
    assert "--rotation, --shift: the training in out has 'rotation up to 0 degrees, shift up to 1 pix" in done.stderr


def test_beginning_with_weights(call: Call) -> None:
    assert call(*TRAIN).returncode == 0
    more = ("--start", "out/weights.npz", "--out", "more")
    assert call(*TRAIN, *more).returncode == 0
    first, second = (json.loads(Path(name, "card.json").read_text()) for name in ("out", "more"))
    assert (first["start"], second["start"]) == (None, first["weights_sha256"])
    assert second["command"].endswith(" --start out/weights.npz")
    with open("out/history.csv") as before, open("more/history.csv") as after:
        losses = [float(next(csv.DictReader(file))["loss"]) for file in (before, after)]
    assert losses[1] < losses[0]
    data = _training.load("npz:data.npz", None, None)
    plan = _training.plan("mnist-cnn", None, 3, 8, None, "float32", 0, Path("out/weights.npz"))
    stored = features.load("out/weights.npz").get_weights()
    for weight, expected in zip(training._compiled(plan, data).get_weights(), stored, strict=True):
        np.testing.assert_array_equal(weight, expected)
    done = call(*TRAIN, "--start", "more/weights.npz", "--out", "more", "--resume")
    assert done.stderr.endswith("resume with the same, or take another folder\n")
    assert "--start: the training in more has" in done.stderr
    done = call(*TRAIN, "--classes", "0,1", "--start", "out/weights.npz", "--out", "two")
    assert done.returncode == 2
    assert "--start: out/weights.npz is mnist-cnn of other images or classes" in done.stderr
    done = call(*TRAIN, "--start", "none.npz", "--out", "none")
    assert (done.returncode, "none.npz: No such file" in done.stderr) == (1, True)


def test_classes_and_n_train(call: Call) -> None:
    assert call(*TRAIN, "--classes", "2,0", "--n-train", 9).returncode == 0
    card = read("card.json")
    assert (card["classes"], card["n_train"]) == (["2", "0"], 9)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("resnet", "--data", "npz:data.npz", "--depth", 12), 2, "--depth 12: expected 9n + 2, such as 11, 20"),
        (("resnet", "--data", "npz:data.npz", "--depth", 209), 2, "--depth 209: expected 9n + 2"),
        (("vgg", "--data", "npz:data.npz"), 2, "vgg: expected one of resnet, cnn, lenet5, mnist-cnn"),
        (("cnn", "--data", "npz:data.npz", "--depth", 20), 2, "--depth: is for a resnet, not for cnn"),
        (("cnn", "--data", "npz:data.npz", "--recipe", "short"), 2, "--recipe: expected one of 'paper'"),
        (("resnet", "--data", "npz:data.npz", "--recipe", "long"), 2, "--recipe: expected one of 'paper', 'short'"),
        (("cnn", "--data", "npz:data.npz", "--precision", "half"), 2, "--precision: expected one of 'auto'"),
        (("cnn", "--data", "npz:data.npz", "--learning-rate", 0), 2, "--learning-rate: must be positive"),
        (("cnn", "--data", "npz:data.npz", "--learning-rate", "nan"), 2, "--learning-rate: must be positive"),
        (("lenet5", "--data", "npz:data.npz"), 2, "--data: 8 x 7 pixels are too small"),
        (("cnn", "--data", "cifar11"), 2, "--data: "),
        (("cnn", "--data", "npz:none.npz"), 1, "none.npz: "),
        (("cnn", "--data", "npz:data.npz", "--classes", "0,7"), 2, "--classes: "),
        (("cnn", "--data", "npz:data.npz", "--classes", "0"), 2, "--classes: expected at least two"),
        (("cnn", "--data", "npz:data.npz", "--n-train", 1000), 2, "--n-train: "),
        (("mnist-cnn", "--data", "npz:data.npz", "--out", "data.npz"), 1, "data.npz: "),
    ],
)
def test_bad_usage(call: Call, arguments: tuple[object, ...], code: int, words: str) -> None:
    assert_one_line(call("train", *arguments, "--epochs", 1), code, words)


def test_without_keras(tmp_path: Path) -> None:
    code = "import sys; sys.modules['keras'] = None; from augcore.cli import app; app(prog_name='augcore')"
    arguments = ["train", "cnn", "--data", "mnist-sample", "--epochs", "1", "--out", str(tmp_path / "out")]
    done = subprocess.run([*COMMAND[:1], "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "augcore: error: keras is not installed; install it with: pip install 'augcore[experiments]'\n"
    )


def test_no_space(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, done = os.fsync, []

    def full(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if "checkpoint.npz" in name:
            done.append(name)
            if len(done) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    failed = call(*TRAIN)
    assert failed.returncode == 1
    assert failed.stderr.endswith("augcore: error: out/checkpoint.npz: No space left on device\n")
    monkeypatch.setattr(os, "fsync", fsync)
    resumed = call(*TRAIN, "--resume")
    assert resumed.returncode == 0
    assert "epoch 1 of 3" not in resumed.stderr
    assert "epoch 2 of 3" in resumed.stderr


def test_another_process_is_at_work(call: Call) -> None:
    Path("out").mkdir()
    with _files.locked(Path("out")):
        done = call(*TRAIN)
    assert done.returncode == 1
    assert done.stderr.endswith("augcore: error: out: another process is at work in this folder\n")


@pytest.mark.parametrize("n", [1, 2, 200])
def test_figure(tmp_path: Path, n: int) -> None:
    rows = [checkpoints.Epoch(i + 1, 1e-3, 2 / (i + 1), 0.9, 0.8, 1.0) for i in range(n)]
    paths = _history.draw(rows, "title", "note", tmp_path)
    assert [path.name for path in paths] == ["history.pdf", "history.png"]
    before = [path.read_bytes() for path in paths]
    _history.draw(rows, "title", "note", tmp_path)
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize(
    ("train", "test", "loss", "rate"),
    [(0.525, 0.525, 0.68753, 1e-3), (0.9, 0.8995, 1234.5, 1e-7), (0.1, 0.9, 0.0, 0.1), (1.0, 0.0, 1e-6, 3e4)],
)
def test_nothing_in_the_figure_touches_or_is_cut_off(train: float, test: float, loss: float, rate: float) -> None:
    rows = [checkpoints.Epoch(i + 1, rate, loss * (1 + i / 300), train, test - i / 400, 1.0) for i in range(2)][::-1]
    rows = [row._replace(epoch=i + 1) for i, row in enumerate(rows)]
    with style.settings():
        figure = _history._figure(rows, "title", "note")
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        for axes in figure.axes:
            label = axes.yaxis.label.get_window_extent(renderer)
            assert label.x0 >= 0
            numbers = [tick.label1.get_window_extent(renderer) for tick in axes.yaxis.get_major_ticks()]
            assert all(label.x1 <= number.x0 for number in numbers)
        first, second = (text.get_window_extent(renderer) for text in figure.axes[0].texts)
        assert not first.overlaps(second)
        assert max(first.x1, second.x1) <= figure.bbox.x1
