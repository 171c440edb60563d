"""What the command train does: reads the data, trains, measures the weights as they are stored, draws the history."""

from __future__ import annotations

import hashlib
import math
import platform
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import augcore
from augcore import _files, datasets
from augcore.augmentations import Compose, IntegerUniform, RandomRotate, RandomTranslate
from augcore.cli import _history
from augcore.features import recipes, training, weights
from augcore.features._keras import keras_module
from augcore.features.checkpoints import Epoch
from augcore.features.training import Images, Plan

__all__ = ["WEIGHTS", "augmented", "command", "load", "plan", "train"]

WEIGHTS = "weights.npz"
_TITLE = 40  # characters of the name of a data set that fit above the figure

Report = Callable[[str, float, float], None]
Tell = Callable[[str], None]


def plan(
    network: str,
    recipe: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    precision: str = "auto",
    seed: int = 0,
    start: Path | None = None,
) -> Plan:
    """What is to be trained; ValueError says what it cannot be."""
    name, found = recipes.recipe_of(network, recipe)
    if learning_rate is not None:
        if not 0 < learning_rate < math.inf:
            raise ValueError(f"learning_rate: must be positive, got {learning_rate}")
        found = found._replace(learning_rate=learning_rate)
    length, batch = epochs or found.epochs, batch_size or found.batch_size
    return Plan(network, name, found, length, batch, seed, training.precision(precision), start=start)


def augmented(job: Plan, rotation: float, shift: int) -> Plan:
    """The same with a rotation and a shift of each image, drawn anew in each epoch, keyed by (seed, epoch, image)."""
    name, augment = _augmentation(rotation, shift, job.seed)
    return job._replace(augmentation=name, augment=augment)


def _augmentation(rotation: float, shift: int, seed: int) -> tuple[str, training.Augment | None]:
    steps: list[Any] = [RandomRotate((-rotation, rotation))] if rotation else []
    steps += [RandomTranslate(IntegerUniform(-shift, shift), IntegerUniform(-shift, shift))] if shift else []
    if not steps:
        return "none", None
    pipeline = Compose(steps)

    def augment(images: NDArray[Any], indices: NDArray[np.int64], epoch: int) -> NDArray[Any]:
        return pipeline(images, seed, indices=indices, epoch=epoch).images

    return f"rotation up to {rotation:g} degrees, shift up to {shift} pixels", augment


def load(name: str, classes: str | None, n_train: int | None) -> Images:
    """A data set by name."""
    wanted = None if classes is None else [int(part) if part.isdecimal() else part for part in classes.split(",")]
    data = datasets.load(name, classes=wanted, n_train=n_train)
    return Images(data.x_train, data.y_train, data.x_test, data.y_test, data.class_names)


def train(
    job: Plan, data: Images, data_name: str, again: str, folder: Path, report: Report, tell: Tell
) -> dict[str, Any]:
    """Trains, writes weights, card and figures; the card. `again` is the command that does it again."""

    def told(epoch: Epoch) -> None:
        tell(
            f"epoch {epoch.epoch} of {job.epochs}: loss {epoch.loss:.4f}, {100 * epoch.train_accuracy:.2f}% of the "
            f"training images right, {100 * epoch.test_accuracy:.2f}% of the test images, {epoch.seconds:.0f} s"
        )

    network, history = training.fit(job, data, folder, progress=report, told=told)
    about = {"network": job.network, "shape": list(data.x_train.shape[1:]), "classes": list(data.class_names)}
    weights.write_weights(folder / WEIGHTS, network, about)
    card = _card(job, data, data_name, again, folder, history)
    with _files.atomic_write(folder / "card.json") as file:
        file.write(training.json_bytes(card))
    short = data_name if len(data_name) <= _TITLE else f"...{data_name[3 - _TITLE :]}"
    title = f"{job.network} on {short}, {len(data.x_train)} images"
    words = (
        f"recipe {job.recipe_name}, batches of {job.batch_size}, augmentation: {job.augmentation}; stored as float16: "
    )
    _history.draw(
        history, title, f"{words}{100 * card['test_accuracy']:.2f}% of {len(data.x_test)} test images", folder
    )
    return card


def _card(job: Plan, data: Images, data_name: str, again: str, folder: Path, history: list[Epoch]) -> dict[str, Any]:
    """How the weights were made, and how good they are as they are stored."""
    stored, _ = weights.read_weights(folder / WEIGHTS)
    keras = keras_module()
    settings = training.settings_of(job, data)
    content = (folder / WEIGHTS).read_bytes()
    return settings | {
        "command": again,
        "data": data_name,
        "data_sha256": data.checksum(),
        "n_train": len(data.x_train),
        "n_test": len(data.x_test),
        "kept": "the epoch that was best on the test images" if job.recipe.keep_best else "the last epoch",
        "test_accuracy": training.accuracy_on_test(stored, data, 256),
        "train_accuracy_of_the_last_epoch": history[-1].train_accuracy,
        "seconds": round(sum(epoch.seconds for epoch in history)),
        "weights": WEIGHTS,
        "weights_dtype": "float16",
        "weights_bytes": len(content),
        "weights_sha256": hashlib.sha256(content).hexdigest(),
        "parameters": int(stored.count_params()),
        "augcore": augcore.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
    }


def command(job: Plan, data_name: str, options: Mapping[str, object]) -> str:
    """The command that does it again; `options` say what images are chosen, and how they are augmented."""
    network = (
        f"resnet --depth {job.network[len('resnet') : -len('v2')]}" if job.network.startswith("resnet") else job.network
    )
    precision = job.precision.removeprefix("mixed_")
    start = "" if job.start is None else f" --start {shlex.quote(str(job.start))}"
    rate = f"--learning-rate {job.recipe.learning_rate:g}"
    chosen = "".join(f" --{name} {shlex.quote(str(value))}" for name, value in options.items())
    settings = (
        f"--epochs {job.epochs} --batch-size {job.batch_size} {rate} --precision {precision} --rng {job.seed}{start}"
    )
    data = shlex.quote(data_name)
    return f"augcore train {network} --data {data} --recipe {job.recipe_name} {settings}{chosen}"
