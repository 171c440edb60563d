"""How a network is trained: the recipe of the paper, and a short one.

"paper"  Adam, 1e-3 at first, less after epochs 80, 120, 160 and 180; batches of 32, 200 epochs, L2 of 1e-4 on the
         convolutions; the epoch that was best on the test images is kept, as the paper did.
"short"  Nesterov momentum with one cycle of the learning rate (L. N. Smith and N. Topin, "Super-convergence", 2019):
         up to its peak in the first quarter, then down to nothing. Decoupled weight decay, smoothed labels and dropped
         channels stand in for augmentation. The last epoch is kept, so the test images decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from augcore import _validate
from augcore.features._keras import keras_module
from augcore.features.networks import NETWORKS

if TYPE_CHECKING:
    import keras

__all__ = ["RECIPES", "Recipe", "recipe_of"]


class Recipe(NamedTuple):
    """What a training is made of.

    Attributes
    ----------
    epochs, batch_size : int
        What is taken where nothing else is asked for.
    learning_rate : float
        The highest one.
    rate : callable
        The learning rate as a fraction of the highest, by (epochs done, a fraction within an epoch; all epochs).
    momentum : float or None
        Of stochastic gradient descent after Nesterov; None is Adam.
    weight_decay : float
        What a kernel loses in each step, as a multiple of the learning rate.
    l2 : float
        The penalty l2 * |kernel|^2 of each convolution, in the loss.
    label_smoothing : float
        How much of the target is spread over all classes.
    dropout : float
        The fraction of channels dropped inside each residual unit.
    keep_best : bool
        Whether the epoch with the highest accuracy on the test images is kept, not the last one.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    rate: Callable[[float, int], float]
    momentum: float | None
    weight_decay: float
    l2: float
    label_smoothing: float
    dropout: float
    keep_best: bool

    def optimizer(self) -> keras.optimizers.Optimizer:
        optimizers = keras_module().optimizers
        if self.momentum is None:
            return optimizers.Adam(self.learning_rate)
        made = optimizers.SGD(self.learning_rate, momentum=self.momentum, nesterov=True, weight_decay=self.weight_decay)
        made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return made


_DROPS = ((180, 0.5e-3), (160, 1e-3), (120, 1e-2), (80, 1e-1))
_RISE = 0.25  # of all epochs
_LOWEST = 1e-3  # at both ends


def _dropping(epoch: float, epochs: int) -> float:
    """The schedule of the paper: epochs count from 0, and 80 is the last one before the first drop."""
    return next((rate for after, rate in _DROPS if math.floor(epoch) > after), 1.0)


def _one_cycle(epoch: float, epochs: int) -> float:
    """Straight up to the peak, and straight down."""
    done = epoch / epochs
    height = done / _RISE if done < _RISE else (1 - done) / (1 - _RISE)
    return max(height, _LOWEST)


def _constant(epoch: float, epochs: int) -> float:
    return 1.0


RECIPES: dict[str, Recipe] = {
    "paper": Recipe(200, 32, 1e-3, _dropping, None, 0.0, 1e-4, 0.0, 0.0, keep_best=True),
    "short": Recipe(15, 128, 0.1, _one_cycle, 0.9, 5e-3, 0.0, 0.1, 0.1, keep_best=False),
}
_ON_THE_SPOT = Recipe(40, 512, 1e-3, _constant, None, 0.0, 0.0, 0.0, 0.0, keep_best=False)


def recipe_of(network: str, name: str | None = None) -> tuple[str, Recipe]:
    """The recipe of a name for a network; by default "short" for a ResNet, "paper" for the small networks.

    The paper trained its small networks by Adam at 1e-3, 40 epochs in batches of 512. ValueError for other names.
    """
    known = ("paper",) if network in NETWORKS else tuple(RECIPES)
    name = _validate.choice("recipe", known[-1] if name is None else name, known)
    return name, _ON_THE_SPOT if network in NETWORKS else RECIPES[name]
