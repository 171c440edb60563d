"""The folder of a run: what is in it, how it is opened, and its tables.

    config.json          every setting, the seed, the versions and the checksum of the data
    journal.jsonl        one line per finished unit, with the checksums of its files (journal.py)
    features/            the features of all images; the first unit, written once
    arrays/              labels, images, scores, chosen points
    results.csv/.parquet accuracy: one row per augmentation, score, configuration, round and size
    references.csv       accuracy without augmentation, with all points augmented, with the support vectors; chosen C
    sweep.csv            where clusters are swept: inertia and silhouette of each number of them
    timings.csv          seconds of every unit; the only table that two equal runs do not share
    figures/ report.html made from these (plots.py, report.py)

Every file but the journal takes its place whole (`_files.atomic_write`).
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import augcore
from augcore import _dispatch, _files
from augcore._errors import FileFormatError, missing_extra
from augcore.experiments.config import Config, ConfigError, parse
from augcore.experiments.journal import Journal

__all__ = [
    "FORMAT",
    "REFERENCE_COLUMNS",
    "RESULT_COLUMNS",
    "SWEEP_COLUMNS",
    "RunFolder",
    "open_run",
    "read_config",
]

FORMAT = 2

RESULT_COLUMNS = (
    *("augmentation", "score", "policy", "clusters", "downweight", "update", "round", "size", "n_rows", "accuracy"),
)
REFERENCE_COLUMNS = (
    "augmentation",
    *("accuracy_none", "accuracy_plain", "accuracy_all", "accuracy_all_downweighted", "accuracy_vsv", "n_vsv"),
    *("C", "svm_C"),
)
SWEEP_COLUMNS = ("clusters", "inertia_train", "inertia_test", "silhouette_train", "silhouette_test")

Record = dict[str, Any]


class RunFolder:
    """An open run: the units that are done, and the writing of new ones. Made by `open_run`."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.config = config
        self._journal = Journal(folder / "journal.jsonl")

    @property
    def done(self) -> Mapping[str, Record]:
        """The record of each finished unit by its name."""
        return self._journal.records

    def finish(self, unit: str, result: Any, arrays: Mapping[str, NDArray[Any]], seconds: float) -> None:
        """Writes a unit down: first its arrays, by their paths in the folder, then the line that makes it count."""
        files = {}
        for name, values in arrays.items():
            data = _files.encode_array(values)
            self.write(name, data)
            files[name] = hashlib.sha256(data).hexdigest()
        self._journal.append(unit, {"result": result, "files": files, "seconds": round(seconds, 4)})

    def load_array(self, name: str) -> NDArray[Any]:
        """An array of a finished unit, as `finish` got it."""
        checksum = next(record["files"][name] for record in self.done.values() if name in record["files"])
        return _files.decode_array(self._read_checked(name, checksum), self.folder / name)

    def check(self) -> None:
        """FileFormatError where a file of a finished unit is missing or is not what was written."""
        for record in self.done.values():
            for name, checksum in record["files"].items():
                self._read_checked(name, checksum)

    def _read_checked(self, name: str, checksum: str) -> bytes:
        path = self.folder / name
        try:
            data = _files.read_regular(path)
        except FileNotFoundError:
            raise FileFormatError(f"{path}: is missing from the run") from None
        if hashlib.sha256(data).hexdigest() != checksum:
            raise FileFormatError(f"{path}: is damaged, its checksum is not the one in the journal")
        return data

    def write(self, name: str, data: bytes) -> None:
        """A file of the run, whole or not at all."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        with _files.atomic_write(path) as file:
            file.write(data)

    def write_tables(
        self,
        rows: Sequence[Mapping[str, Any]],
        references: Sequence[Mapping[str, Any]],
        sweep: Sequence[Mapping[str, Any]],
    ) -> None:
        """results.csv and .parquet, references.csv, sweep.csv where there is one, timings.csv."""
        self.write("results.csv", _csv(RESULT_COLUMNS, rows))
        self.write("results.parquet", _parquet(rows))
        self.write("references.csv", _csv(REFERENCE_COLUMNS, references))
        if sweep:
            self.write("sweep.csv", _csv(SWEEP_COLUMNS, sweep))
        timings = [{"unit": unit, "seconds": record["seconds"]} for unit, record in sorted(self.done.items())]
        self.write("timings.csv", _csv(("unit", "seconds"), timings))


def _csv(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise missing_extra("pyarrow", "experiments") from None
    table = pyarrow.table({column: [row[column] for row in rows] for column in RESULT_COLUMNS})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


# ---- opening a folder ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def open_run(folder: Path, config: Config, data_checksum: str, *, resume: bool) -> Iterator[RunFolder]:
    """Opens a run for writing, held against every other process until the block ends.

    Raises
    ------
    FileExistsError
        The folder holds something and `resume` is not set.
    ConfigError
        The folder is of a run with another setting, version or data: the message names it.
    FileFormatError
        A file of the run is damaged.
    BlockingIOError
        Another process is at work in the folder.
    """
    if not resume and is_occupied(folder):
        is_run = (folder / "config.json").exists()
        hint = "go on with it by --resume, or choose another folder" if is_run else "choose another folder"
        raise FileExistsError(f"{folder} is not empty; {hint}")
    folder.mkdir(parents=True, exist_ok=True)
    with _files.locked(folder):
        for place in (folder, *(folder / name for name in ("features", "arrays", "figures", "tables"))):
            _files.remove_partials(place)
        identity = _identity(config, data_checksum)
        if (folder / "config.json").exists():
            _refuse_differences(folder, _read_identity(folder), identity)
        elif is_occupied(folder):
            raise FileFormatError(f"{folder}: has files but no config.json, so it is no run of augcore")
        run = RunFolder(folder, config)
        if not (folder / "config.json").exists():
            run.write("config.json", json.dumps(identity, indent=2).encode() + b"\n")
        run.check()
        yield run


def is_occupied(folder: Path) -> bool:
    """Whether there is anything but the traces of a run that was killed before it began."""
    return folder.exists() and any(not entry.name.startswith(".") for entry in folder.iterdir())


def read_config(folder: Path) -> dict[str, Any]:
    """The settings of a run, as `config.parse` takes them."""
    settings: dict[str, Any] = _read_identity(folder)["settings"]
    return settings


def _identity(config: Config, data_checksum: str) -> dict[str, Any]:
    """All that decides the tables of a run."""
    return {
        "format": FORMAT,
        "version": augcore.__version__,
        "simd": _dispatch.build_facts()["simd"],
        "data": data_checksum,
        "settings": json.loads(config.model_dump_json()),
    }


def _read_identity(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        identity = json.loads(_files.read_regular(path))
    except FileNotFoundError:
        raise FileFormatError(f"{folder}: has no config.json, so it is no run of augcore") from None
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: is damaged: {error}") from None
    expected = {"format", "version", "simd", "data", "settings"}
    if not isinstance(identity, dict) or set(identity) != expected or not isinstance(identity["settings"], dict):
        raise FileFormatError(f"{path}: is damaged: expected the keys {', '.join(sorted(expected))}")
    if identity["format"] != FORMAT:
        raise FileFormatError(f"{path}: is of format {identity['format']!r}, this version reads {FORMAT}")
    if identity["version"] == augcore.__version__:
        try:
            parse(identity["settings"])
        except ConfigError as error:
            raise FileFormatError(f"{path}: is damaged: {error}") from None
    return identity


def _refuse_differences(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    keys = dict.fromkeys([*new["settings"], *old["settings"]])
    pairs = [(key, old[key], new[key]) for key in ("version", "simd")]
    pairs += [(key, old["settings"].get(key), new["settings"].get(key)) for key in keys]
    pairs.append(("data", old["data"], new["data"]))  # where the settings are the same, the files are not
    for key, was, now in pairs:
        if was != now:
            raise ConfigError(
                f"{key}: the run in {folder} was made with {json.dumps(was)}, this one has {json.dumps(now)}; "
                "it cannot be resumed"
            )
