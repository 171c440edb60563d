"""Augmentations: the paper's families, and random pipelines.

A family (`Translate`, `Rotate`, `Crop`) has a fixed list of variants; `expand` makes all of them. A random step
(`RandomTranslate`, `RandomRotate`, ...) draws its parameters anew for each image; `Compose` is a pipeline of steps that
moves images, masks, boxes and keypoints alike, says what it did, and can do the same again. All draws are keyed: an
image gets the same draw whatever the batch, the order and the number of workers.

Images and masks on a GPU (CuPy arrays) stay there; what is drawn, boxes and keypoints are NumPy arrays.
"""

from augcore.augmentations.compose import Applied, Compose
from augcore.augmentations.crops import RandomCrop, RandomResizedCrop
from augcore.augmentations.distributions import (
    Choice,
    Constant,
    Distribution,
    IntegerUniform,
    LogUniform,
    Normal,
    Uniform,
)
from augcore.augmentations.families import Augmentation, Crop, Expanded, Rotate, Translate
from augcore.augmentations.moves import RandomAffine, RandomFlip, RandomRotate, RandomTranslate
from augcore.augmentations.parameters import Parameters
from augcore.augmentations.registry import AUGMENTATIONS, register
from augcore.augmentations.step import Step
from augcore.augmentations.variant import RandomVariant
from augcore.augmentations.warps import WARPS, Warp, register_warp

__all__ = [
    "AUGMENTATIONS",
    "WARPS",
    "Applied",
    "Augmentation",
    "Choice",
    "Compose",
    "Constant",
    "Crop",
    "Distribution",
    "Expanded",
    "IntegerUniform",
    "LogUniform",
    "Normal",
    "Parameters",
    "RandomAffine",
    "RandomCrop",
    "RandomFlip",
    "RandomResizedCrop",
    "RandomRotate",
    "RandomTranslate",
    "RandomVariant",
    "Rotate",
    "Step",
    "Translate",
    "Uniform",
    "Warp",
    "register",
    "register_warp",
]
