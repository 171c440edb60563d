"""What the figures of a benchmark depend on, and how figures are written."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import augcore
from augcore.benchmarks.libraries import LIBRARIES

__all__ = ["escaped", "facts", "rate", "summary"]


def facts(modules: Sequence[str], threads: int, repeats: int) -> dict[str, Any]:
    """Machine, date and versions."""
    distributions = metadata.packages_distributions()
    versions = {"python": platform.python_version(), "augcore": augcore.__version__}
    for module in dict.fromkeys(["numpy", *modules]):
        names = distributions.get(module.split(".")[0], [])
        if names:
            versions[LIBRARIES[module]] = metadata.version(names[0])
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "simd": augcore.build_info()["simd"],
        "threads": threads,
        "repeats": repeats,
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def summary(known: dict[str, Any]) -> str:
    """One line of them."""
    threads = "one thread" if known["threads"] == 1 else f"{known['threads']} threads"
    versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
    return (
        f"{known['processor']}, {known['cores']} cores, {known['system']}, {known['date']}; "
        f"SIMD level {known['simd']}, {threads}, medians of {known['repeats']}; {versions}"
    )


def rate(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return "-"
    scale, unit = next(((scale, unit) for scale, unit in _UNITS if value >= 0.9995 * scale), _UNITS[-1])
    scaled = value / scale
    return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{unit}"


_UNITS = ((1e6, " M"), (1e3, " k"), (1, ""))


def escaped(text: str) -> str:
    """For a cell of a Markdown table."""
    return text.replace("|", "\\|")
