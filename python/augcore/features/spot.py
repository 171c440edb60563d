"""Trains a small network on the spot, on images that are at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from augcore import _random, _validate, _validate_models
from augcore.features._images import image_batch, scaled
from augcore.features._keras import compile_quickly, keras_module
from augcore.features.networks import NETWORKS, Layers, build

if TYPE_CHECKING:
    import keras

__all__ = ["train"]

Progress = Callable[[int, int, float], None]


def train(
    images: ArrayLike,
    labels: ArrayLike,
    model: str = "cnn",
    *,
    rng: _random.Rng = None,
    epochs: int = 40,
    batch_size: int = 512,
    progress: Progress | None = None,
) -> keras.Model:
    """Train a network of the paper as a classifier, by Adam on the cross-entropy.

    Parameters
    ----------
    images : array_like, shape (n, H, W) or (n, H, W, C)
        uint8, or floats between 0 and 255; they are divided by 255.
    labels : array_like, shape (n,)
        At least two classes.
    model : str
        "cnn": the paper's network, 512 features; "lenet5": 84 features; "mnist-cnn": 128 features.
    rng : int, numpy.random.Generator or None
        Decides initial weights, dropout and order; None takes fresh entropy.
    epochs, batch_size : int
    progress : callable, optional
        Called as progress(epoch, epochs, accuracy) after each epoch; epochs count from 1, the accuracy is the one on
        the training batches of that epoch, dropout included.

    Returns
    -------
    keras.Model
        Its input is the images divided by 255; its last layer gives one probability for each class, in sorted order.

    Raises
    ------
    ImportError
        If Keras or its backend is not installed.
    TypeError, ValueError
        If an argument has the wrong type, shape or value; the message names it.
    """
    _validate.choice("model", model, NETWORKS)
    epochs = _validate.integer("epochs", epochs, 1)
    batch_size = _validate.integer("batch_size", batch_size, 1)
    pictures = image_batch("images", images)
    classes, codes = np.unique(_validate_models.label_array("labels", labels), return_inverse=True)
    if len(codes) != len(pictures):
        raise ValueError(f"labels: expected length {len(pictures)}, got {len(codes)}")
    if len(classes) < 2:
        raise ValueError(f"labels: expected at least two classes, got {classes.tolist()}")
    draws = np.random.default_rng(_random.key(rng))
    network = build(model, pictures.shape[1:], len(classes), Layers(draws))
    compile_quickly(
        network,
        optimizer=keras_module().optimizers.Adam(),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    for epoch in range(1, epochs + 1):
        order = draws.permutation(len(pictures))
        correct = 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            network.reset_metrics()
            logs = network.train_on_batch(scaled(pictures[batch]), codes[batch], return_dict=True)
            correct += float(logs["accuracy"]) * len(batch)
        if progress is not None:
            progress(epoch, epochs, correct / len(order))
    return network
