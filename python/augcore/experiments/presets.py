"""The experiments that have a name. A preset says only what differs from the defaults of `config.Config`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["PRESETS"]

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # A small run in seconds, to see that everything works.
        "smoke": {
            "n_train": 200,
            "epochs": 10,
            "augmentations": ["translate"],
            "sizes": [1, 10, 50, 100, 200],
            "rounds": 2,
        },
        # The paper's main experiment on MNIST 3 against 8, from the images inside the package.
        "sample": {"n_train": 1000},
        # The same from the official MNIST files.
        "mnist": {"dataset": "mnist", "classes": [3, 8], "n_train": 1000},
    }
)
