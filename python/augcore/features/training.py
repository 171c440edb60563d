"""Trains a network on a data set, epoch by epoch, in a folder from which a stopped training goes on.

    settings.json    what is trained, and how            checkpoint.npz   the last whole epoch
    history.csv      a line for each epoch               best.npz         the best epoch, where the recipe keeps it

Everything random is keyed by (seed, epoch): the order of the images, what augmentation does to them, what dropout
drops. So a training that was stopped, by Ctrl-C or kill -9, ends with the same weights as one that was not, as far as
the backend repeats itself.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import __version__, _files, _random, _validate
from augcore.features import checkpoints
from augcore.features._keras import compile_quickly, keras_module
from augcore.features.checkpoints import Epoch
from augcore.features.networks import Layers, build
from augcore.features.recipes import Recipe
from augcore.features.weights import named_weights, read_weights

if TYPE_CHECKING:
    import keras

__all__ = ["Images", "Plan", "fit", "probabilities"]

Report = Callable[[str, float, float], None]
Augment = Callable[[NDArray[Any], NDArray[np.int64], int], NDArray[Any]]


class Images(NamedTuple):
    """A data set: images (n, H, W, C) of uint8, labels as positions in `class_names`."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    class_names: tuple[str, ...]

    def checksum(self) -> str:
        """SHA-256 of the shapes and bytes of images and labels."""
        digest = hashlib.sha256()
        for array in self[:4]:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class Plan(NamedTuple):
    """What is trained, and how; `recipe_name` and `augmentation` say for the record what `recipe` and `augment` do.

    `start` is a file of weights to begin with. `precision` is "float32", or "mixed_bfloat16": weights in float32,
    products in bfloat16.
    """

    network: str
    recipe_name: str
    recipe: Recipe
    epochs: int
    batch_size: int
    seed: int
    precision: str = "float32"
    augmentation: str = "none"
    augment: Augment | None = None
    start: Path | None = None


def fit(
    plan: Plan,
    data: Images,
    folder: Path,
    *,
    progress: Report | None = None,
    told: Callable[[Epoch], None] | None = None,
) -> tuple[keras.Model, list[Epoch]]:
    """Trains, or goes on with what the folder holds.

    `progress` is called with ("training", steps done, steps in all), `told` with each epoch that is finished.

    Returns the network with the weights that the recipe keeps, and the history. BlockingIOError where another process
    trains in the folder; ValueError names the setting in which what the folder holds differs, or says that the training
    diverged; OSError where there is no space: what was saved before stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _files.locked(folder):
        _files.remove_partials(folder)
        network = _compiled(plan, data)
        settings = settings_of(plan, data)
        checkpoint, best = folder / "checkpoint.npz", folder / "best.npz"
        history = checkpoints.restore(checkpoint, network, settings) if checkpoint.exists() else []
        with _files.atomic_write(folder / "settings.json") as file:
            file.write(json_bytes(settings))
        for number in range(len(history), plan.epochs):
            begin = time.perf_counter()
            loss, accuracy = _epoch(network, plan, data, number, progress)
            right = accuracy_on_test(network, data, plan.batch_size)
            rate = float(keras_module().ops.convert_to_numpy(network.optimizer.learning_rate))
            finished = Epoch(number + 1, rate, loss, accuracy, right, time.perf_counter() - begin)
            if plan.recipe.keep_best and right > max((epoch.test_accuracy for epoch in history), default=-1.0):
                checkpoints.save(best, network, settings, [*history, finished])
            history.append(finished)
            checkpoints.save(checkpoint, network, settings, history)
            _write_history(folder / "history.csv", history)
            if told is not None:
                told(finished)
        if plan.recipe.keep_best:
            checkpoints.restore(best, network, settings)
    return network, history


def precision(name: str) -> str:
    """Keras' name for "float32", "bfloat16", or for "auto": what is quicker on this processor."""
    _validate.choice("precision", name, ("auto", "float32", "bfloat16"))
    if name == "auto":
        name = "bfloat16" if _multiplies_bfloat16() else "float32"
    return "mixed_bfloat16" if name == "bfloat16" else name


def _multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for it; without, bfloat16 is many times slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def settings_of(plan: Plan, data: Images) -> dict[str, Any]:
    """Everything that decides the result: a checkpoint of anything else is refused."""
    keras, recipe = keras_module(), plan.recipe
    backend = keras.backend.backend()
    return {
        "network": plan.network,
        "recipe": plan.recipe_name,
        "epochs": plan.epochs,
        "batch_size": plan.batch_size,
        "seed": plan.seed,
        "precision": plan.precision,
        "learning_rate": recipe.learning_rate,
        "dropout": recipe.dropout,
        "label_smoothing": recipe.label_smoothing,
        "weight_decay": recipe.weight_decay,
        "l2": recipe.l2,
        "augmentation": plan.augmentation,
        "start": None if plan.start is None else hashlib.sha256(plan.start.read_bytes()).hexdigest(),
        "data": data.checksum(),
        "classes": list(data.class_names),
        "shape": list(data.x_train.shape[1:]),
        "augcore": __version__,
        "keras": keras.__version__,
        "backend": f"{backend} {importlib.import_module(backend).__version__}",
    }


def _compiled(plan: Plan, data: Images) -> keras.Model:
    draws = np.random.default_rng(_random.derive(plan.seed, "weights"))
    options: dict[str, Any] = {"precision": plan.precision, "l2": plan.recipe.l2, "dropout": plan.recipe.dropout}
    make = Layers(draws, for_training=True, **options)
    network = build(plan.network, data.x_train.shape[1:], len(data.class_names), make)
    optimizer = plan.recipe.optimizer()
    compile_quickly(network, optimizer=optimizer, loss="categorical_crossentropy", metrics=["categorical_accuracy"])
    optimizer.build(network.trainable_variables)
    if plan.start is not None:
        _begin_with(plan.start, network)
    return network


def _begin_with(path: Path, network: keras.Model) -> None:
    """Fills a network with the weights of a file, which must be of the same."""
    found, _ = read_weights(path)
    ours, theirs = named_weights(network), named_weights(found)
    if found.name != network.name or any(ours[name].shape != theirs[name].shape for name in ours):
        raise ValueError(f"start: {path} is {found.name} of other images or classes, not this {network.name}")
    for name, weight in ours.items():
        weight.assign(theirs[name])


def _epoch(network: keras.Model, plan: Plan, data: Images, number: int, progress: Report | None) -> tuple[float, float]:
    """One epoch, numbers counting from 0: the mean loss, and the accuracy, on its batches."""
    n = len(data.x_train)
    order = np.random.default_rng(_random.derive(plan.seed, "order", number)).permutation(n)
    _seed_dropout(network, plan.seed, number)
    targets = _targets(data, plan.recipe.label_smoothing)
    steps = math.ceil(n / plan.batch_size)
    loss = correct = 0.0
    for step in range(steps):
        fraction = plan.recipe.rate(number + step / steps, plan.epochs)
        network.optimizer.learning_rate = plan.recipe.learning_rate * fraction
        batch = order[step * plan.batch_size : (step + 1) * plan.batch_size]
        images = data.x_train[batch]
        if plan.augment is not None:
            images = plan.augment(images, batch, number)
        network.reset_metrics()
        logs = network.train_on_batch(images.astype(np.float32) / np.float32(255), targets[batch], return_dict=True)
        if not math.isfinite(logs["loss"]):
            raise ValueError(f"training diverged in epoch {number + 1}: the loss is {float(logs['loss'])}")
        loss += float(logs["loss"]) * len(batch)
        correct += float(logs["categorical_accuracy"]) * len(batch)
        if progress is not None:
            progress("training", number * steps + step + 1, plan.epochs * steps)
    return loss / n, correct / n


def _targets(data: Images, smoothing: float) -> NDArray[np.float32]:
    """A row of probabilities for each training image: 1 for its class, `smoothing` of it spread over all."""
    k = len(data.class_names)
    table = np.eye(k, dtype=np.float32) * np.float32(1 - smoothing) + np.float32(smoothing / k)
    rows: NDArray[np.float32] = table[data.y_train]
    return rows


def _seed_dropout(network: keras.Model, seed: int, number: int) -> None:
    """Lets the dropout of an epoch follow from the seed and the epoch."""
    for layer in network.layers:
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            word = _random.derive(seed, "dropout", layer.name, number) % 2**32
            generator.state.assign(np.array([word, 0], np.uint32))


def probabilities(network: keras.Model, images: NDArray[np.uint8], batch_size: int) -> NDArray[np.float32]:
    """What a network says of images, (n, classes); each batch is filled up."""
    batch = np.zeros((batch_size, *images.shape[1:]), np.float32)
    rows = []
    for start in range(0, len(images), batch_size):
        part = images[start : start + batch_size]
        batch[: len(part)] = part.astype(np.float32) / np.float32(255)
        rows.append(np.asarray(keras_module().ops.convert_to_numpy(network.predict_on_batch(batch)))[: len(part)])
    return np.concatenate(rows)


def accuracy_on_test(network: keras.Model, data: Images, batch_size: int) -> float:
    """The fraction of the test images that a network gets right."""
    guesses = probabilities(network, data.x_test, batch_size).argmax(axis=1)
    return float((guesses == data.y_test).mean())


def json_bytes(values: dict[str, Any]) -> bytes:
    """A dictionary as a file that people read too."""
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_history(path: Path, history: list[Epoch]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([Epoch._fields, *history])
    with _files.atomic_write(path) as file:
        file.write(text.getvalue().encode())
