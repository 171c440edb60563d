"""The experiments that have a name: what is measured, on which data. A preset says only what differs from the defaults
of `config.Config`.

    DATA      sample, mnist, cifar10, norb, norb-augmented, norb-jittered
    DRIVERS   of each: the main experiment; -margin, -clustering, -sweep, -dpp, -vsv; and what the paper leaves open:
              -scores (which score) and -budget (how few points)
    others    smoke (in seconds), cifar10-10 (all ten classes)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from augcore.experiments.config import MAIN

__all__ = ["DATA", "DRIVERS", "PRESETS"]

Settings = Mapping[str, Any]


def _norb(model: str) -> dict[str, Any]:
    """Animal against human, by a network that `augcore train resnet` has put where it puts it unless told otherwise."""
    return {
        "dataset": "norb",
        "classes": [0, 1],
        "n_train": 1000,
        "model": f"augcore-training/{model}/weights.npz",
        "translate": {"magnitude": 6},
        "rotate": {"max_degrees": 5.0, "steps": 4},
        "crop": {"sizes": [2]},
    }


DATA: Mapping[str, Settings] = MappingProxyType(
    {
        # MNIST 3 against 8, from the images inside the package.
        "sample": {"n_train": 1000},
        # The same from the official files.
        "mnist": {"dataset": "mnist", "classes": [3, 8], "n_train": 1000},
        # Airplane against automobile, by the network inside the package.
        "cifar10": {
            "dataset": "cifar10",
            "classes": [0, 1],
            "n_train": 1000,
            "model": "cifar10-resnet56v2",
            # The network has seen these images, so cross-validation among them cannot tell: it takes any C to be good.
            "C": 0.01,
            "translate": {"magnitude": 3},
            "rotate": {"max_degrees": 5.0, "steps": 4},
            "crop": {"sizes": [2]},
        },
        # The paper had a network for translate, trained on all of small NORB as it is, and one for the other two that
        # was trained with rotations of 2.5 degrees and shifts of 6 pixels.
        "norb": _norb("resnet56v2-norb"),
        "norb-augmented": {**_norb("resnet56v2-norb-augmented"), "augmentations": ["rotate", "crop"]},
        # The jittered and cluttered set, trained and tested on.
        "norb-jittered": {**_norb("resnet56v2-norb-jittered"), "dataset": "norb-jittered"},
    }
)

_CLUSTERS = (1, 10, 50, 100, 250, 500, 750, 1000)

DRIVERS: Mapping[str, Settings] = MappingProxyType(
    {
        "": {"scores": ["influence", "loss"], "configurations": list(MAIN)},
        "-margin": {"scores": ["margin", "influence"], "configurations": list(MAIN)},
        "-clustering": {
            "scores": ["influence", "loss"],
            "configurations": [
                policy + f"+clusters{count}" for policy in ("baseline", "random_proportional") for count in _CLUSTERS
            ],
        },
        "-sweep": {"configurations": [], "sweep": 50},
        "-dpp": {
            "scores": ["influence", "loss"],
            "configurations": ["baseline", "random_proportional", "dpp", "dpp_scored"],
            "sizes": [1, 10, 30, 50, 70, 100, 150, 200, 250],
        },
        "-vsv": {
            "scores": ["hinge_loss"],
            "configurations": ["baseline", "random_proportional", "deterministic_proportional"],
        },
        "-scores": {
            "scores": ["influence", "alo", "loss", "margin"],
            "configurations": ["baseline", "random_proportional", "deterministic_proportional"],
        },
        "-budget": {
            "scores": ["influence", "alo", "loss"],
            "configurations": ["baseline", "random_proportional", "random_proportional+update"],
            "sizes": [5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 250, 300, 400, 500],
            "rounds": 20,
        },
    }
)

# A small run in seconds, to see that everything works.
_SMOKE: Settings = {
    "n_train": 200,
    "epochs": 10,
    "augmentations": ["translate"],
    "sizes": [1, 10, 50, 100, 200],
    "rounds": 2,
}

# All ten classes: scores that are for two are left out.
_TEN: Settings = {
    **DATA["cifar10"],
    "classes": None,
    "scores": ["influence", "alo", "loss"],
    "configurations": ["baseline", "random_proportional", "deterministic_proportional"],
}

PRESETS: Mapping[str, Settings] = MappingProxyType(
    {
        "smoke": _SMOKE,
        **{data + driver: {**DATA[data], **DRIVERS[driver]} for data in DATA for driver in DRIVERS},
        "cifar10-10": _TEN,
    }
)
