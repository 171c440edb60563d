"""Weights of trained networks inside the package, each with a card of how it was trained (data/NAME.json)."""

from __future__ import annotations

import hashlib
import importlib.resources
import io
from typing import TYPE_CHECKING

from augcore._errors import ChecksumError
from augcore.features.weights import read_weights

if TYPE_CHECKING:
    import keras

__all__ = ["PACKAGED", "read_packaged"]

# Name of a network -> SHA-256 of its file of weights, data/NAME.npz.
PACKAGED = {
    "cifar10-resnet56v2": "964abd664ae592e9707559a684c6e00bca9833cd07ff4879a980fbabb4b638d3",
}


def read_packaged(name: str) -> keras.Model:
    """The trained network of that name; ChecksumError if its file is another one."""
    resource = importlib.resources.files("augcore") / "data" / f"{name}.npz"
    content = resource.read_bytes()
    if hashlib.sha256(content).hexdigest() != PACKAGED[name]:
        raise ChecksumError(f"{resource}: is damaged, or another file; install augcore anew")
    return read_weights(str(resource), file=io.BytesIO(content))[0]
