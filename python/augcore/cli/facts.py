"""The command info: what is installed, and what it runs on."""

from __future__ import annotations

from typing import Any

from augcore.cli._command import Debug, command, say

__all__ = ["info"]

_REQUIRED = ("numpy", "scipy", "sklearn", "typer", "rich")
# The modules of each extra.
_EXTRAS = {
    "experiments": ("tensorflow", "keras", "matplotlib", "pandas", "pyarrow", "pydantic", "h5py", "PIL"),
    "bench": (
        *("cv2", "tensorflow", "torch", "kornia", "albumentations", "PIL", "skimage"),
        *("statsmodels", "captum", "pydvl", "llvmlite"),
    ),
    "dask": ("dask", "distributed"),
    "numba": ("numba",),
    "cuda12, cuda13": ("cupy",),
}


@command
def info(debug: Debug = False) -> None:
    """Versions, instruction set, threads, and which extras are installed."""
    import platform
    from importlib import metadata

    import augcore

    distributions = metadata.packages_distributions()

    def versions(modules: tuple[str, ...]) -> str:
        found = {module: distributions.get(module) for module in modules}
        return ", ".join(f"{name} {metadata.version(by[0]) if by else 'not installed'}" for name, by in found.items())

    facts = augcore.build_info()
    lines = [
        f"augcore {facts['version']}",
        f"python {platform.python_version()} on {platform.system()} {platform.machine()}",
        f"simd {facts['simd']}, threads {facts['threads']}",
        _gpu(facts),
        f"needs: {versions(_REQUIRED)}",
        *(f"extra {extra}: {versions(modules)}" for extra, modules in _EXTRAS.items()),
    ]
    say("\n".join(lines))


def _gpu(facts: dict[str, Any]) -> str:
    from augcore import _cuda

    if not facts["cuda"]:
        return "cuda no"
    return f"cuda {facts['cuda_toolkit']}, cupy {facts['cupy'] or 'not installed'}, GPUs {_cuda.device_count()}"
