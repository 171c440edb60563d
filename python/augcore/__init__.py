"""augcore: score training images by leave-one-out influence, choose the few worth augmenting, augment only those.

Everything is loaded when it is first used: `import augcore` itself takes no time, and the library NumPy alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from augcore._errors import ChecksumError, FileFormatError

__version__ = "0.1.0"

_SUBMODULES = (
    "augmentations",
    "datasets",
    "dpp",
    "experiments",
    "features",
    "influence",
    "linear_model",
    "policies",
    "reference",
    "scores",
    "strata",
    "streaming",
    "transforms",
)

__all__ = [
    "ChecksumError",
    "FileFormatError",
    "__version__",
    "build_info",
    "get_num_threads",
    "set_num_threads",
    *_SUBMODULES,
]


if TYPE_CHECKING:
    from augcore import augmentations as augmentations
    from augcore import datasets as datasets
    from augcore import dpp as dpp
    from augcore import experiments as experiments
    from augcore import features as features
    from augcore import influence as influence
    from augcore import linear_model as linear_model
    from augcore import policies as policies
    from augcore import reference as reference
    from augcore import scores as scores
    from augcore import strata as strata
    from augcore import streaming as streaming
    from augcore import transforms as transforms
else:

    def __getattr__(name: str) -> Any:
        if name in _SUBMODULES:
            return importlib.import_module(f"augcore.{name}")
        raise AttributeError(f"module 'augcore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES])


def set_num_threads(n: int) -> None:
    """Set the number of threads that kernels use where they are not called with `threads=`.

    Parameters
    ----------
    n : int
        From 1 to 1024. Results do not depend on it.
    """
    from augcore import _dispatch, _validate

    _dispatch.set_num_threads(_validate.integer("n", n, 1, _validate.MAX_THREADS))


def get_num_threads() -> int:
    """The number of threads that kernels use: what was set, or the processors that this process may run on."""
    from augcore import _dispatch

    return _dispatch.get_num_threads()


def build_info() -> dict[str, Any]:
    """What this build of the library is and what it uses on this machine.

    Returns
    -------
    dict
        version, simd (the instruction-set level in use: "baseline", "v3", "v4"), threads; cuda (bool: whether it has
        kernels for GPUs), cuda_toolkit (the version that compiled them, such as "13.0", or None), cupy (the version
        that is installed, or None). Whether there is a GPU is not looked at, since a process that has done so can no
        longer be forked into ones that use it; the command ``augcore info`` says.
    """
    from augcore import _cuda, _dispatch

    return {**_dispatch.build_facts(), "threads": get_num_threads(), **_cuda.facts()}
