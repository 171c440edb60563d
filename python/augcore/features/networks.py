"""The networks of the paper: three small ones that are trained on the spot, and the family of ResNet v2.

ResNet v2 is K. He, X. Zhang, S. Ren and J. Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016: bottleneck
units in which batch normalisation and ReLU come before each convolution, so that the shortcut stays an identity. Three
stages of n units give a depth of 9n + 2; as in the paper's code the stages end in 64, 128 and 256 features.
"""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from augcore.features._keras import keras_module
from augcore.features._norm import training_norm

if TYPE_CHECKING:
    import keras

__all__ = ["NETWORKS", "Layers", "build", "is_network", "resnet_units"]


class Layers:
    """Makes layers with a seed for each draw, and names of their own.

    Keras' names count what the process has made: with them, the same network would look different in the cache.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        for_training: bool = False,
        precision: str = "float32",
        l2: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        self._rng = rng
        self._layers = keras_module().layers
        self._for_training = for_training
        self._precision = precision
        self._l2 = l2
        self._dropout = dropout
        self._made: collections.Counter[str] = collections.Counter()

    def _named(self, kind: str, dtype: str | None = None) -> dict[str, str]:
        self._made[kind] += 1
        return {"name": f"{kind}{self._made[kind]}", "dtype": dtype or self._precision}

    def _seed(self) -> int:
        return int(self._rng.integers(2**31))

    def _normal(self) -> Any:
        return keras_module().initializers.RandomNormal(0.0, 0.05, seed=self._seed())

    def _he_normal(self) -> Any:
        return keras_module().initializers.HeNormal(seed=self._seed())

    def conv(self, filters: int, size: int, padding: str = "valid") -> Any:
        options = {"padding": padding, "activation": "relu", "data_format": "channels_last"}
        return self._layers.Conv2D(filters, size, **options, kernel_initializer=self._normal(), **self._named("conv"))

    def linear_conv(self, filters: int, size: int, stride: int = 1) -> Any:
        """A convolution of a residual network: no activation, weights after He, the penalty of the training."""
        options: dict[str, Any] = {"padding": "same", "data_format": "channels_last"}
        if self._l2:
            options["kernel_regularizer"] = keras_module().regularizers.L2(self._l2)
        return self._layers.Conv2D(
            filters, size, stride, **options, kernel_initializer=self._he_normal(), **self._named("conv")
        )

    def dense(self, units: int, activation: str = "relu") -> Any:
        return self._layers.Dense(
            units, activation=activation, kernel_initializer=self._normal(), **self._named("dense")
        )

    def classifier(self, n_classes: int, he: bool) -> Any:
        """The last layer, in float32 whatever the others are: one probability for each class."""
        initial = self._he_normal() if he else self._normal()
        return self._layers.Dense(
            n_classes, activation="softmax", kernel_initializer=initial, **self._named("dense", "float32")
        )

    def pool(self) -> Any:
        return self._layers.MaxPooling2D(2, data_format="channels_last", **self._named("pool"))

    def average(self) -> Any:
        return self._layers.GlobalAveragePooling2D(data_format="channels_last", **self._named("average", "float32"))

    def dropout(self, rate: float) -> Any:
        return self._layers.Dropout(rate, seed=self._seed(), **self._named("dropout"))

    def channel_dropout(self) -> list[Any]:
        """Drops whole channels in training, if the training wants it; such a layer has no weights."""
        if not self._dropout:
            return []
        options = {"data_format": "channels_last", "seed": self._seed()}
        return [self._layers.SpatialDropout2D(self._dropout, **options, **self._named("dropout"))]

    def flatten(self) -> Any:
        return self._layers.Flatten(data_format="channels_last", **self._named("flatten"))

    def norm(self) -> Any:
        if self._for_training:
            return training_norm(**self._named("norm"))
        return self._layers.BatchNormalization(axis=-1, **self._named("norm"))

    def relu(self) -> Any:
        return self._layers.ReLU(**self._named("relu"))

    def add(self) -> Any:
        return self._layers.Add(**self._named("add"))


# ---- trained on the spot ---------------------------------------------------------------------------------------------


def _cnn(make: Layers) -> list[Any]:
    """The network that the paper calls LeNet: two blocks of two convolutions, 512 features."""
    blocks = [
        [make.conv(filters, 3, "same"), make.conv(filters, 3), make.pool(), make.dropout(0.25)] for filters in (32, 64)
    ]
    return [*itertools.chain(*blocks), make.flatten(), make.dense(512), make.dropout(0.5)]


def _lenet5(make: Layers) -> list[Any]:
    """LeNet-5 with ReLU and maximum pooling: 84 features."""
    convolutions = [make.conv(6, 5, "same"), make.pool(), make.conv(16, 5), make.pool()]
    return [*convolutions, make.flatten(), make.dense(120), make.dense(84)]


def _mnist_cnn(make: Layers) -> list[Any]:
    """The MNIST example of Keras: 128 features."""
    convolutions = [make.conv(32, 3), make.conv(64, 3), make.pool(), make.dropout(0.25)]
    return [*convolutions, make.flatten(), make.dense(128), make.dropout(0.5)]


NETWORKS: dict[str, Callable[[Layers], list[Any]]] = {"cnn": _cnn, "lenet5": _lenet5, "mnist-cnn": _mnist_cnn}
MAX_WEIGHTS = 2**27  # of one layer: half a GB, and four times that in training. Photos as they are would take far more


def _small(name: str, make: Layers, images: Any) -> Any:
    values = images
    for layer in NETWORKS[name](make):
        if (units := getattr(layer, "units", 0)) and values.shape[-1] * units > MAX_WEIGHTS:
            raise _TooLargeError
        values = layer(values)
    return values


class _TooLargeError(Exception):
    """A layer would have more weights than `MAX_WEIGHTS`."""


# ---- ResNet v2 -------------------------------------------------------------------------------------------------------

_STAGES = ((16, 64), (64, 128), (128, 256))  # filters inside the units of a stage, and at their end
MAX_DEPTH = 200


def resnet_units(name: str) -> int | None:
    """n for "resnet{9n+2}v2" up to a depth of 200; None for any other name."""
    match = re.fullmatch(r"resnet([1-9][0-9]{1,2})v2", name)
    depth = int(match[1]) if match else 0
    return (depth - 2) // 9 if 11 <= depth <= MAX_DEPTH and depth % 9 == 2 else None


def _chained(layers: list[Any], values: Any) -> Any:
    for layer in layers:
        values = layer(values)
    return values


def _resnet(make: Layers, units: int, images: Any) -> Any:
    """Convolution, three stages of `units` bottleneck units, and the mean over the picture: 256 features."""
    values = _chained([make.linear_conv(16, 3), make.norm(), make.relu()], images)
    for stage, (inner, outer) in enumerate(_STAGES):
        for unit in range(units):
            stride = 2 if stage and not unit else 1
            activated = [] if stage == unit == 0 else [make.norm(), make.relu()]  # the first follows one already
            layers = [
                *activated,
                make.linear_conv(inner, 1, stride),
                make.norm(),
                make.relu(),
                make.linear_conv(inner, 3),
                make.norm(),
                make.relu(),
                *make.channel_dropout(),
                make.linear_conv(outer, 1),
            ]
            residual = _chained(layers, values)
            shortcut = values if unit else make.linear_conv(outer, 1, stride)(values)
            values = make.add()([shortcut, residual])
    return _chained([make.norm(), make.relu(), make.average()], values)


# ---- by name ---------------------------------------------------------------------------------------------------------


def is_network(name: str) -> bool:
    """Whether `build` knows the name."""
    return name in NETWORKS or resnet_units(name) is not None


def build(name: str, shape: tuple[int, ...], n_classes: int, make: Layers) -> keras.Model:
    """An untrained network for images of a shape (H, W, C), divided by 255.

    ValueError where the images are too small for it, or so large that one of its layers would not fit into memory.
    """
    units = resnet_units(name)
    inputs = keras_module().Input(shape, dtype="float32", name="images")
    try:
        outputs = _small(name, make, inputs) if units is None else _resnet(make, units, inputs)
    except ValueError:
        raise ValueError(f"images: {shape[0]} x {shape[1]} pixels are too small for the network {name!r}") from None
    except _TooLargeError:
        raise ValueError(
            f"images: {shape[0]} x {shape[1]} pixels are too large for the network {name!r}; make them smaller, or "
            "train a resnet"
        ) from None
    return keras_module().Model(inputs, make.classifier(n_classes, units is not None)(outputs), name=name)
