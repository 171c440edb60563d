"""What a run needs of memory: what is too much is refused before it is allocated."""

from __future__ import annotations

import math
import os

from augcore import datasets
from augcore.experiments import inputs
from augcore.experiments.config import HESSIAN_SCORES, Config, ConfigError
from augcore.linear_model.newton import DENSE_LIMIT

__all__ = ["check_memory"]

_HESSIANS = 3  # at a time: the sum over the rows, its factor, and what is made of them for the points


def check_memory(config: Config, data: datasets.Dataset, n_features: int, jobs: int) -> None:
    """ConfigError where images, features and Hessians are more than the machine can hold.

    Parameters
    ----------
    config : Config
    data : Dataset
    n_features : int
        Of an image; 0 where that is not known yet: then of the images alone.
    jobs : int
        Units under way at a time.
    """
    n_variants = {name: inputs.augmentation(config, name).n_variants for name in config.augmentations}
    n_images = len(data.x_train) + len(data.x_test)
    of_family = max(n_variants.values()) * max(len(data.x_train), len(data.x_test))
    images = of_family * math.prod(data.x_train.shape[1:])
    features = 4 * n_features * (n_images * (1 + sum(n_variants.values())) + of_family)
    n_contrasts = len(data.class_names) - 1
    rows = n_contrasts * (n_features + 1)
    hessians = _HESSIANS * 8 * rows**2
    if rows > DENSE_LIMIT:
        if needing := [score for score in config.scores if score in HESSIAN_SCORES]:
            raise ConfigError(
                f"model: {n_features:,} features and {n_contrasts + 1} classes make a Hessian of {rows:,} rows, and "
                f"the score {needing[0]} would take {_gigabytes(hessians)} for it; take a network with fewer features, "
                "fewer classes, or scores without a Hessian, such as loss"
            )
        hessians = 0
    needed, there = images + features + jobs * hessians, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        most = max(n_variants, key=lambda name: n_variants[name])
        raise ConfigError(
            f"{most}: {n_images:,} images with {sum(n_variants.values()):,} variants each"
            f"{f' and {n_features:,} features' if n_features else ''} take {_gigabytes(needed)} of memory, and there "
            f"are {_gigabytes(there)}; take fewer variants, images, features or jobs"
        )


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.0f} GB"
