"""The optional libraries of the benchmarks: which can be imported, what they are called, how many threads they get."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["LIBRARIES", "find_libraries", "library", "set_threads"]

# Module to import -> what it is called.
LIBRARIES = {
    "numpy": "NumPy",
    "cupy": "CuPy",
    "dppy.finite_dpps": "DPPy",
    "cv2": "OpenCV",
    "torch": "torch",
    "kornia": "kornia",
    "tensorflow": "TensorFlow",
    "PIL.Image": "Pillow",
    "skimage.transform": "scikit-image",
    "scipy.ndimage": "SciPy",
    "albumentations": "albumentations",
    "imgaug.augmenters": "imaug",
    "scipy.linalg": "SciPy",
    "sklearn": "scikit-learn",
    "statsmodels.api": "statsmodels",
    "captum.influence": "captum",
    "pydvl.influence.torch": "pyDVL",
    "llvmlite.binding": "llvmlite",
    "dask.array": "Dask",
    "distributed": "Distributed",
}


def library(module: str) -> Any:
    """An optional library; typed as Any, since most of them have no types."""
    return importlib.import_module(module)


def find_libraries(modules: Sequence[str]) -> dict[str, str]:
    """Imports the libraries; those that cannot be used, by name, and why."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its newest version otherwise
    missing = {}
    for module in modules:
        try:
            with _quiet():
                library(module)
        except ModuleNotFoundError as error:
            absent = (error.name or "").split(".")[0] == module.split(".")[0]
            missing[module] = "not installed" if absent else f"does not import: {error}"
        except Exception as error:  # an old library under a new NumPy may raise anything
            missing[module] = f"does not import: {type(error).__name__}: {error}"
    return missing


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What native code says on stderr while it is loaded is about itself, and hides what is said here."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def set_threads(threads: int, modules: Sequence[str]) -> list[str]:
    """Gives every library that many threads; what some of them could not do, in words."""
    refused = []
    if "cv2" in modules:
        library("cv2").setNumThreads(threads)
    if "torch" in modules:
        library("torch").set_num_threads(threads)
    if "tensorflow" in modules:
        threading = library("tensorflow").config.threading
        try:
            threading.set_intra_op_parallelism_threads(threads)
            threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            refused.append("TensorFlow was in use already and keeps its number of threads")
    return refused
