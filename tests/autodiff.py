"""Derivatives by TensorFlow in float64: the truth for formulas that were derived by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def jacobian(f: Callable[[Any], Any], at: np.ndarray) -> np.ndarray:
    """Of a vector-valued f: (outputs, inputs)."""
    x = tf.Variable(at, dtype=tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        values = f(x)
    return np.asarray(tape.jacobian(values, x, experimental_use_pfor=False)).reshape(len(values), at.size)


def hessian(f: Callable[[Any], Any], at: np.ndarray) -> np.ndarray:
    """Of a scalar f: (inputs, inputs)."""

    def gradient(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = f(x)
        return tape.gradient(value, x)

    return jacobian(gradient, at)


def cross_entropy(logits: Any, codes: np.ndarray) -> Any:
    """-log p of every point's own class."""
    own = tf.gather(logits, np.asarray(codes, dtype=np.int64), axis=1, batch_dims=1)
    return tf.reduce_logsumexp(logits, axis=1) - own


def binary_logits(eta: Any) -> Any:
    """(n, 1) as the logits (0, eta) of two classes."""
    return tf.concat([tf.zeros_like(eta), eta], axis=1)
