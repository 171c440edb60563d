"""Image data sets: the sample inside the package, MNIST, CIFAR-10, small NORB, and sets of your own.

load("mnist", classes=(3, 8), n_train=1000) -> Dataset

registry    which data sets there are, and in which files they may be; load, fetch, verify
source      what the files hold, and the images of the chosen classes out of it
checksums   the sums of the official files, compared before a file is opened
mnist, cifar10, norb, npz, folder    one reader for each kind of file
"""

from __future__ import annotations

from augcore.datasets.registry import DATASETS, Finding, Known, data_folder, fetch, load, verify
from augcore.datasets.source import Dataset

__all__ = ["DATASETS", "Dataset", "Finding", "Known", "data_folder", "fetch", "load", "verify"]
