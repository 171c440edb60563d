"""What the command score does: reads features and labels by blocks, fits, writes scores, and goes on where it was.

Two things stand beside the scores while they are made: the partial file of the scores themselves (`_files.NpyWriter`),
and a folder with the sums of every finished pass over the features, and of the one under way. A fit is a function of
these sums, so a command that was killed takes its steps again without reading anything, up to where it was.

On a GPU the sums are not kept, since it takes seconds to make them again; the scores are.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import augcore
from augcore import _cuda, _dispatch, _files
from augcore._errors import FileFormatError
from augcore.linear_model import LogisticRegression
from augcore.streaming import Blocks, Journal, fit
from augcore.streaming.scoring import score_of_blocks

__all__ = ["Job", "score"]

Report = Callable[[str, float, float], None]
Tell = Callable[[str], None]

_SECONDS_BETWEEN_FLUSHES = 10.0
_SAMPLED_PAGES, _PAGE = 64, 4096


class Job(NamedTuple):
    """What is asked for; model: a file, or None to fit one; device: "cuda" or None."""

    X: Path
    y: Path
    sample_weight: Path | None
    model: Path | None
    criterion: str
    C: float
    fit_intercept: bool
    few_passes: bool
    rng: int
    threads: int | None
    device: str | None


def score(job: Job, out: Path, report: Report, tell: Tell) -> int:
    """Writes the scores; the number of points. `tell` gets the words where work that was begun is of no use."""
    model = None if job.model is None else LogisticRegression.load(job.model)
    files = {"X": job.X, "y": job.y, "sample_weight": job.sample_weight}
    arrays = {name: None if path is None else _files.open_npy(path) for name, path in files.items()}
    for name in ("y", "sample_weight"):
        values = arrays[name]
        if values is not None and values.ndim != 1:
            raise ValueError(f"{name}: expected 1 dimension, got shape {values.shape}")
    if job.device is not None:
        _check_gpu()
    blocks = Blocks(arrays["X"], arrays["y"], arrays["sample_weight"], threads=job.threads, device=job.device)
    blocks.progress = _guarded(report, {path: os.stat(path) for path in files.values() if path is not None})
    facts = _facts(job)
    with (
        _files.NpyWriter(out, (blocks.n,), np.float64, key=json.dumps(facts).encode()) as writer,
        _journal_beside(out, facts, tell) as journal,
    ):
        blocks.journal = journal
        if model is None:
            options = {"fit_intercept": job.fit_intercept, "few_passes": job.few_passes}
            model = fit(blocks, C=job.C, threads=job.threads, **options)
        _fill(writer, model, blocks, job)
        writer.commit()
    return blocks.n


def _check_gpu() -> None:
    try:
        _cuda.check()
    except RuntimeError as error:
        raise ValueError(f"--device cuda: {error}") from error


def _fill(writer: _files.NpyWriter, model: LogisticRegression, blocks: Blocks, job: Job) -> None:
    function = score_of_blocks(model, blocks, job.criterion, None, 0.0, job.rng)
    flushed = time.monotonic()
    for first, values in blocks.each(function, "scores", writer.rows):
        writer.write(first, values)
        if time.monotonic() - flushed > _SECONDS_BETWEEN_FLUSHES:
            writer.flush(first + len(values))
            flushed = time.monotonic()


# ---- what the result depends on --------------------------------------------------------------------------------------


def _facts(job: Job) -> dict[str, Any]:
    """All that the scores depend on; files by their size, time and samples of their bytes."""
    files = {name: getattr(job, name) for name in ("X", "y", "sample_weight", "model")}
    return {
        **{name: None if path is None else _fingerprint(path) for name, path in files.items()},
        **{name: getattr(job, name) for name in ("criterion", "C", "fit_intercept", "few_passes", "rng", "device")},
        **{name: augcore.build_info()[name] for name in ("version", "simd")},
    }


def _fingerprint(path: Path) -> str:
    with open(path, "rb") as file:
        facts = os.fstat(file.fileno())
        digest = hashlib.blake2b(f"{facts.st_size} {facts.st_mtime_ns}".encode(), digest_size=16)
        last = max(0, facts.st_size - _PAGE)
        for place in sorted({last * page // (_SAMPLED_PAGES - 1) for page in range(_SAMPLED_PAGES)}):
            digest.update(os.pread(file.fileno(), _PAGE, place))
    return digest.hexdigest()


def _guarded(report: Report, files: dict[Path, os.stat_result]) -> Report:
    """Reports progress, and looks after each block whether the files are still those that were opened."""

    def call(stage: str, done: float, total: float) -> None:
        for path, before in files.items():
            now = os.stat(path)
            if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
                raise FileFormatError(f"{path}: was changed while it was read")
        report(stage, done, total)

    return call


# ---- the sums of finished passes -------------------------------------------------------------------------------------


@contextlib.contextmanager
def _journal_beside(out: Path, facts: dict[str, Any], tell: Tell) -> Iterator[_FolderJournal]:
    """The journal of a job. It goes when the job is done, or can never be; what another job left there goes too."""
    target = Path(os.path.realpath(out))
    folder = target.with_name(f".{target.name}.sums")
    before = _read_facts(folder / "job.json")
    if before != facts:
        if before is not None:
            others = [name for name in facts if before.get(name) != facts[name]]
            tell(f"begins anew: {', '.join(others)} changed since the work that was interrupted")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        with _files.atomic_write(folder / "job.json") as file:
            file.write(json.dumps(facts).encode())
    try:
        yield _FolderJournal(folder)
    except (OSError, MemoryError, KeyboardInterrupt):
        raise
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


class _FolderJournal(Journal):
    """A file for every finished pass, and one for the pass under way; each is whole at every instant.

    A file that is damaged counts as one that is not there: its pass is made again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def total(self, key: str) -> NDArray[np.float64] | None:
        with contextlib.suppress(FileNotFoundError, FileFormatError):
            path = self._folder / f"{key}.npy"
            return _files.decode_array(path.read_bytes(), path)
        return None

    def keep_total(self, key: str, total: NDArray[np.float64]) -> None:
        with _files.atomic_write(self._folder / f"{key}.npy") as file:
            file.write(_files.encode_array(total))

    def part(self, key: str) -> tuple[int, _dispatch.Nodes] | None:
        with contextlib.suppress(FileNotFoundError, FileFormatError):
            arrays = _files.read_npz(self._folder / "part.npz", ("key", "rows", *_dispatch.Nodes._fields))
            if str(arrays["key"]) == key:
                return int(arrays["rows"]), _dispatch.Nodes(*(arrays[name] for name in _dispatch.Nodes._fields))
        return None

    def keep_part(self, key: str, rows: int, nodes: _dispatch.Nodes) -> None:
        with _files.atomic_write(self._folder / "part.npz") as file:
            np.savez(file, key=np.array(key), rows=np.array(rows), **nodes._asdict())


def _read_facts(path: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None
