"""A finished run as data: its files read and checked.

read(folder) -> Run         settings, curves, references, timings; arrays when they are asked for
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from augcore import _files
from augcore._errors import FileFormatError
from augcore.experiments.config import Configuration
from augcore.experiments.results import REFERENCE_COLUMNS, RESULT_COLUMNS, SWEEP_COLUMNS

__all__ = ["Curve", "References", "Run", "Sweep", "read", "score_title"]

Floats = NDArray[np.float64]

_WORDS = {"baseline": "baseline (uniform)", "dpp": "k-DPP", "dpp_scored": "k-DPP with scores"}
_SCORE_TITLES = {"alo": "ALO", "el2n": "EL2N"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


def score_title(score: str) -> str:
    """What a score is called in a text."""
    return _SCORE_TITLES.get(score, score.replace("_", " "))


@dataclass(frozen=True)
class Curve:
    """Accuracy of one configuration at each size, round by round.

    Attributes
    ----------
    clusters : int
        How many clusters the policy draws from in turn; 0 where it draws from all points at once.
    sizes : (s,) ints, increasing
    accuracy : (rounds, s) float64
    """

    policy: str
    clusters: int
    update: bool
    downweight: bool
    sizes: NDArray[np.intp]
    accuracy: Floats

    @property
    def name(self) -> str:
        """policy[+clustersK][+update][+downweight]"""
        return self._configuration.name

    @property
    def uses_scores(self) -> bool:
        return self._configuration.uses_scores

    @property
    def _configuration(self) -> Configuration:
        return Configuration(self.policy, self.clusters, self.update, self.downweight)

    def at(self, size: int) -> Floats | None:
        """(rounds,) the accuracies at one size."""
        columns = np.flatnonzero(self.sizes == size)
        return self.accuracy[:, columns[0]] if len(columns) else None

    @property
    def is_random(self) -> bool:
        return not self.policy.startswith("deterministic")

    @property
    def label(self) -> str:
        """What the curve is called among others of its kind."""
        kind = self.policy.removeprefix("random_").removeprefix("deterministic_").removesuffix("_proportional")
        words = _WORDS.get(kind, kind.replace("_", " "))
        clusters = [f"{self.clusters:,} cluster{'s' * (self.clusters != 1)}"] if self.clusters else []
        modifiers = " + ".join(clusters + ["update"] * self.update + ["downweight"] * self.downweight)
        return f"{words}, {modifiers}" if modifiers else words

    @property
    def title(self) -> str:
        """What the curve is called anywhere."""
        kind, _, rest = self.policy.partition("_")
        return f"{kind} {self.label}" if rest and kind in ("random", "deterministic") else self.label


class References(NamedTuple):
    """Accuracies to compare with: nothing augmented (expanded and plain test set), all (and downweighted), the support
    vectors alone; and the C of the model and of the support vector machine. NaN: more than two classes have none."""

    none: float
    plain: float
    all: float
    all_downweighted: float
    vsv: float
    n_vsv: int
    C: float
    svm_C: float


class Sweep(NamedTuple):
    """How well numbers of clusters fit: inertia and silhouette of the training and the test set; NaN: undefined."""

    clusters: NDArray[np.intp]
    inertia_train: Floats
    inertia_test: Floats
    silhouette_train: Floats
    silhouette_test: Floats


@dataclass(frozen=True)
class Run:
    """A finished run; made by `read`."""

    folder: Path
    facts: Mapping[str, Any]
    settings: Mapping[str, Any]
    curves: Mapping[tuple[str, str], Sequence[Curve]]
    references: Mapping[str, References]
    sweep: Sweep | None
    timings: Sequence[tuple[str, float]]

    @property
    def augmentations(self) -> list[str]:
        return list(self.references)

    @property
    def scores(self) -> list[str]:
        return list(dict.fromkeys(score for _, score in self.curves))

    @property
    def scored(self) -> list[tuple[str, str]]:
        """Augmentations and scores whose values are there: those of the curves, and all that were set."""
        chosen = self.settings.get("scores")
        names = [name for name in chosen if isinstance(name, str)] if isinstance(chosen, list) else []
        asked = [
            (augmentation, score) for augmentation in self.augmentations for score in names if _NAME.fullmatch(score)
        ]
        there = [key for key in asked if self._path(f"scores-{'-'.join(key)}-before").exists()]
        return list(dict.fromkeys([*self.curves, *there]))

    def curve(self, augmentation: str, score: str, name: str) -> Curve | None:
        """One configuration by its name."""
        return next((curve for curve in self.curves.get((augmentation, score), ()) if curve.name == name), None)

    def labels(self) -> NDArray[Any]:
        """(n,) the labels of the training images."""
        return self._array("y_train", lambda a: a.ndim == 1 and a.size > 0 and a.dtype.kind in "iub", "labels (n,)")

    def class_names(self) -> list[str]:
        """What the labels 0, 1, ... stand for; empty where the run does not say."""
        if not self._path("class_names").exists():
            return []
        names = self._array("class_names", lambda a: a.ndim == 1 and a.dtype.kind == "U", "names of classes")
        return [str(name) for name in names]

    def images(self) -> NDArray[np.uint8]:
        """(n, H, W, C) the training images, uint8; a read-only map of the file."""
        n = len(self.labels())
        return self._array("x_train", lambda a: _is_image_batch(a) and len(a) == n, f"uint8 images ({n}, H, W, 1 or 3)")

    def examples(self, augmentation: str) -> NDArray[np.uint8]:
        """(v, H, W, C) one image and its variants."""
        return self._array(f"examples-{augmentation}", _is_image_batch, "uint8 images (v, H, W, 1 or 3)")

    def point_scores(self, augmentation: str, score: str) -> tuple[Floats, Floats]:
        """(n,) twice: the score of each training point before anything is augmented, and after all is."""
        before, after = (self._vector(f"scores-{augmentation}-{score}-{when}", "iuf") for when in ("before", "after"))
        return before.astype(np.float64), after.astype(np.float64)

    def is_support_vector(self) -> NDArray[np.bool_]:
        """(n,) which training points are support vectors."""
        return self._vector("is_sv", "biu").astype(np.bool_)

    def _vector(self, name: str, kinds: str) -> NDArray[Any]:
        n = len(self.labels())
        good: Callable[[NDArray[Any]], bool] = lambda a: a.shape == (n,) and a.dtype.kind in kinds  # noqa: E731
        values = self._array(name, good, f"{n} numbers")
        if not np.isfinite(values).all():
            raise FileFormatError(f"{self._path(name)}: contains NaN or infinity")
        return values

    def _path(self, name: str) -> Path:
        return self.folder / "arrays" / f"{name}.npy"

    def _array(self, name: str, good: Callable[[NDArray[Any]], bool], expected: str) -> NDArray[Any]:
        path = self._path(name)
        try:
            values = _files.open_npy(path)
        except FileNotFoundError:
            raise FileFormatError(f"{path}: is missing from the run") from None
        if not good(values):
            raise FileFormatError(f"{path}: expected {expected}, got dtype {values.dtype} and shape {values.shape}")
        return values


def _is_image_batch(values: NDArray[Any]) -> bool:
    return values.ndim == 4 and values.dtype == np.uint8 and values.size > 0 and values.shape[3] in (1, 3)


# ---- reading ---------------------------------------------------------------------------------------------------------


def read(folder: Path) -> Run:
    """Reads a finished run, and looks at each of its arrays, so that damage shows before anything is drawn.

    Raises
    ------
    FileFormatError
        The folder is no finished run, or one of its files is not what it should be; the message names the file.
    """
    folder = Path(folder)
    facts = _read_config(folder / "config.json")
    curves = _read_curves(folder / "results.csv")
    references = _read_references(folder / "references.csv")
    for augmentation, _ in curves:
        if augmentation not in references:
            raise FileFormatError(f"{folder / 'references.csv'}: has no row for the augmentation {augmentation!r}")
    settings = facts.pop("settings", facts)
    sweep, timings = _read_sweep(folder / "sweep.csv"), _read_timings(folder / "timings.csv")
    run = Run(folder, facts, settings, curves, references, sweep, timings)
    run.images()
    run.class_names()
    run.is_support_vector()
    for augmentation in run.augmentations:
        run.examples(augmentation)
    for augmentation, score in run.scored:
        run.point_scores(augmentation, score)
    return run


def _read_config(path: Path) -> dict[str, Any]:
    data = _read_bytes(path)
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: is damaged: {_first_line(error)}") from None
    if not isinstance(config, dict) or not isinstance(config.get("settings", {}), dict):
        raise FileFormatError(f"{path}: is damaged: expected an object with settings")
    return config


def _read_curves(path: Path) -> dict[tuple[str, str], list[Curve]]:
    cells: dict[tuple[str, str], dict[Configuration, dict[int, dict[int, float]]]] = {}
    for row in _rows(path, RESULT_COLUMNS):
        group = cells.setdefault((row.name("augmentation"), row.name("score")), {})
        flags = row.flag("update"), row.flag("downweight")
        rounds = group.setdefault(Configuration(row.name("policy"), row.whole("clusters"), *flags), {})
        points = rounds.setdefault(row.whole("round"), {})
        size = row.whole("size")
        if size in points:
            row.refuse("the same configuration, round and size stand in an earlier line")
        points[size] = row.fraction("accuracy")
    return {
        key: [_curve(path, key, configuration, rounds) for configuration, rounds in group.items()]
        for key, group in cells.items()
    }


def _curve(
    path: Path,
    key: tuple[str, str],
    configuration: Configuration,
    rounds: Mapping[int, Mapping[int, float]],
) -> Curve:
    sizes = sorted(next(iter(rounds.values())))
    for number, points in rounds.items():
        if sorted(points) != sizes:
            where = ", ".join([*key, configuration.name])
            raise FileFormatError(
                f"{path}: {where}: round {number} has other sizes than the first; the run is not whole"
            )
    accuracy = np.array([[rounds[number][size] for size in sizes] for number in sorted(rounds)])
    parts = (configuration.policy, configuration.clusters, configuration.update, configuration.downweight)
    return Curve(*parts, np.array(sizes, dtype=np.intp), accuracy)


def _read_references(path: Path) -> dict[str, References]:
    references = {}
    for row in _rows(path, REFERENCE_COLUMNS):
        accuracies = {
            which: row.fraction(f"accuracy_{which}", missing=which == "vsv")
            for which in ("none", "plain", "all", "all_downweighted", "vsv")
        }
        parameters = {name: row.number(name, 0.0, math.inf, missing=True) for name in ("C", "svm_C")}
        references[row.name("augmentation")] = References(n_vsv=row.whole("n_vsv"), **accuracies, **parameters)
    if not references:
        raise FileFormatError(f"{path}: has no rows")
    return references


def _read_sweep(path: Path) -> Sweep | None:
    if not path.exists():
        return None
    rows = list(_rows(path, SWEEP_COLUMNS))
    if not rows:
        raise FileFormatError(f"{path}: has no rows")
    bounds = {"inertia": (0.0, math.inf), "silhouette": (-1.0, 1.0)}
    columns = (
        np.array([row.number(name, *bounds[name.partition("_")[0]], missing=True) for row in rows])
        for name in SWEEP_COLUMNS[1:]
    )
    return Sweep(np.array([row.whole("clusters") for row in rows]), *columns)


def _read_timings(path: Path) -> list[tuple[str, float]]:
    """Units and their seconds; a run without the file has none."""
    if not path.exists():
        return []
    return [(row.text("unit"), row.number("seconds", 0.0, math.inf)) for row in _rows(path, ("unit", "seconds"))]


class _Row:
    """One line of a CSV file, whose errors say where it is."""

    def __init__(self, path: Path, line: int, values: Mapping[str, str]) -> None:
        self._path, self._line, self._values = path, line, values

    def refuse(self, reason: str) -> NoReturn:
        raise FileFormatError(f"{self._path}: line {self._line}: {reason}")

    def text(self, column: str) -> str:
        return self._values[column]

    def name(self, column: str) -> str:
        """A word that may also stand in the name of a file."""
        value = self.text(column)
        if not _NAME.fullmatch(value):
            self.refuse(f"{column} must be a name of letters, digits and _.+-, got {value!r}")
        return value

    def flag(self, column: str) -> bool:
        value = self.text(column)
        if value not in ("True", "False"):
            self.refuse(f"{column} must be True or False, got {value!r}")
        return value == "True"

    def whole(self, column: str) -> int:
        value = self.text(column)
        if not re.fullmatch(r"[0-9]{1,15}", value):
            self.refuse(f"{column} must be a whole number, got {value!r}")
        return int(value)

    def number(self, column: str, low: float, high: float, *, missing: bool = False) -> float:
        value = self.text(column)
        if missing and value.lower() in ("", "nan"):
            return math.nan
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (low <= number <= high and math.isfinite(number)):
            self.refuse(f"{column} must be a number from {low:g} to {high:g}, got {value!r}")
        return number

    def fraction(self, column: str, *, missing: bool = False) -> float:
        return self.number(column, 0.0, 1.0, missing=missing)


def _rows(path: Path, columns: Iterable[str]) -> Iterable[_Row]:
    try:
        reader = csv.reader(io.StringIO(_read_bytes(path).decode("utf-8"), newline=""), strict=True)
        header = next(reader, [])
        lacking = [column for column in columns if column not in header]
        if lacking:
            raise FileFormatError(f"{path}: has no column {lacking[0]!r}")
        for values in reader:
            if len(values) != len(header):
                raise FileFormatError(f"{path}: line {reader.line_num}: {len(values)} values for {len(header)} columns")
            yield _Row(path, reader.line_num, dict(zip(header, values, strict=True)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not a CSV file in UTF-8: {_first_line(error)}") from None


def _read_bytes(path: Path) -> bytes:
    try:
        return _files.read_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileFormatError(f"{path}: is missing, so {path.parent} is no finished run") from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
