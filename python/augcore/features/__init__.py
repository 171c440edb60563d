"""Features of images: what the penultimate layer of a Keras network says of them."""

from augcore.features.extraction import featurize, train
from augcore.features.networks import NETWORKS

__all__ = ["NETWORKS", "featurize", "train"]
