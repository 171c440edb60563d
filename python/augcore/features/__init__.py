"""Features of images: what the penultimate layer of a Keras network says of them.

`train` fits one of the small networks of the paper on the spot, `featurize` runs images through a network: one of
those, one that `load` reads from a file or from the package, or any other. Only the Keras API is used, so any of its
backends will do. The same seed gives the same bits on the same machine with the same number of processors: every draw
(weights, dropout, order of the images) has its own seed, and no global state is touched.

    networks     the small networks, and ResNet v2          spot         train: small networks, on the spot
    recipes      how a ResNet is trained                    training     hours of it, in a folder; checkpoints
    weights      files of weights; packaged: our own        files        networks from files of all kinds
    extraction   featurize                                  cache        features that are kept
"""

from augcore.features.extraction import featurize
from augcore.features.files import SUFFIXES, load
from augcore.features.networks import NETWORKS
from augcore.features.packaged import PACKAGED
from augcore.features.spot import train

__all__ = ["NETWORKS", "PACKAGED", "SUFFIXES", "featurize", "load", "train"]
