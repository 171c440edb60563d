"""Which data sets there are, in which files they may be, and where those can be had."""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from augcore import _download, _validate
from augcore._errors import ChecksumError, FileFormatError
from augcore.datasets import checksums, cifar10, folder, mnist, norb, npz
from augcore.datasets.source import Dataset, Source, choose

__all__ = ["DATASETS", "OWN", "Finding", "Form", "Known", "data_folder", "fetch", "load", "missing", "verify"]


class Form(NamedTuple):
    """One of the forms in which the files of a data set may be there.

    Attributes
    ----------
    files : tuple of str
        The files it needs, in the folder of the data sets.
    read : callable
        Reads them, from that folder.
    check : callable
        Reads one of them to its end; raises what `load` raises for it.
    optional : tuple of str
        Files that are checked where they are there.
    packed : bool
        Each file may be gzipped as well.
    """

    files: tuple[str, ...]
    read: Callable[[Path], Source]
    check: Callable[[Path], object]
    optional: tuple[str, ...] = ()
    packed: bool = False

    def find(self, root: Path) -> dict[str, Path]:
        """Where those files are that are there."""
        paths = {name: checksums.found(root, name, packed=self.packed) for name in (*self.files, *self.optional)}
        return {name: path for name, path in paths.items() if path is not None}

    def missing(self, root: Path) -> list[str]:
        present = self.find(root)
        return [name for name in self.files if name not in present]


class Known(NamedTuple):
    """A data set that has a name.

    Attributes
    ----------
    title : str
        What it holds.
    forms : tuple of Form
        The first one whose files are all there is read.
    wanted : str
        The files to put there, in words.
    url : str
        Where the official files are.
    fetched : tuple of str
        Those that `fetch` gets from there; none where their sums are not known.
    refuse : callable
        Raises where the folder holds what cannot be read, to say what can.
    """

    title: str
    forms: tuple[Form, ...]
    wanted: str = ""
    url: str = ""
    fetched: tuple[str, ...] = ()
    refuse: Callable[[Path], None] = lambda root: None

    def form(self, root: Path) -> Form | None:
        """The first form that is there whole."""
        return next((form for form in self.forms if not form.missing(root)), None)


class Finding(NamedTuple):
    """What `verify` finds: a file, its state, and how it was checked or what is wrong with it."""

    path: Path
    state: Literal["ok", "damaged", "missing"]
    words: str


def _norb(name: str, title: str, url: str, fetched: tuple[str, ...] = ()) -> Known:
    form = Form(
        norb.files(name),
        functools.partial(norb.read, name),
        functools.partial(norb.check_file, name),
        optional=norb.optional_files(name),
        packed=True,
    )
    wanted = f"the {len(form.files)} official files ({form.files[0]}, ...-cat.mat and so on, gzipped or not)"
    return Known(title, (form,), wanted, url, fetched)


DATASETS = {
    "mnist-sample": Known(
        "MNIST 3 against 8: 1000 + 1984 images of 28 x 28",
        (Form((), lambda root: npz.read_sample(), lambda path: npz.read_sample()),),
    ),
    "mnist": Known(
        "MNIST: 60000 + 10000 images of 28 x 28, 10 classes",
        (
            Form((mnist.NPZ,), mnist.read_npz, lambda path: mnist.read_npz(path.parent)),
            Form(mnist.FILES, mnist.read_files, mnist.read_idx, packed=True),
        ),
        f"mnist.npz, or the official files {', '.join(f'{name}.gz' for name in mnist.FILES)}",
        mnist.URL,
        tuple(f"{name}.gz" for name in mnist.FILES),
    ),
    "cifar10": Known(
        "CIFAR-10: 50000 + 10000 images of 32 x 32 RGB, 10 classes",
        (
            Form((cifar10.NPZ,), cifar10.read_npz, lambda path: cifar10.read_npz(path.parent)),
            Form(tuple(f"{cifar10.FOLDER}/{name}" for name in cifar10.BATCHES), cifar10.read_files, cifar10.read_batch),
            Form((cifar10.ARCHIVE,), cifar10.read_archive, lambda path: cifar10.read_archive(path.parent)),
        ),
        f"cifar10.npz, or {cifar10.ARCHIVE}, or the folder {cifar10.FOLDER}",
        cifar10.URL,
        (cifar10.ARCHIVE,),
        cifar10.refuse_pickles,
    ),
    "norb": _norb(
        "norb",
        "small NORB: 24300 + 24300 images of 96 x 96, 5 classes",
        url="https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
        fetched=tuple(f"{name}.gz" for name in (*norb.files("norb"), *norb.optional_files("norb"))),
    ),
    "norb-jittered": _norb(
        "norb-jittered",
        "jittered-cluttered NORB: 243000 + 48600 images of 108 x 108, 5 classes",
        url="https://cs.nyu.edu/~ylclab/data/norb-v1.0/",
    ),
}

# Sets of one's own: how they are named, and what reads them.
OWN: dict[str, Callable[[Path], Source]] = {"npz": npz.read, "folder": folder.read}


# ---- loading ---------------------------------------------------------------------------------------------------------


def load(
    name: str,
    *,
    root: str | os.PathLike[str] | None = None,
    classes: Sequence[int | str] | None = None,
    n_train: int | None = None,
    download: bool = False,
) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    name : str
        "mnist-sample": MNIST 3 vs 8, the first 1000 training images and all 1984 test images; inside the package.
        "mnist": mnist.npz, or the four official files, as they are or gzipped.
        "cifar10": cifar10.npz, or the official binary version, packed or unpacked.
        "norb": small NORB, the official files, as they are or gzipped; the images of the left camera.
        "norb-jittered": jittered-cluttered NORB, likewise; the middle 96 x 96 pixels, without the images of no object.
        "npz:PATH": an .npz file with x_train, y_train, x_test, y_test, as Keras lays them out: images (n, H, W) or
        (n, H, W, C) of uint8, labels (n,) or (n, 1) of integers.
        "folder:PATH": image files in PATH/train/CLASS/ and PATH/test/CLASS/, all of one size, grey or RGB; class after
        class. Needs Pillow.
    root : path, optional
        Where the files are; default: `data_folder()`.
    classes : sequence of int or str, optional
        The classes to keep, as labels of the file or as names; the first becomes label 0, the second label 1, and so
        on. Default: all, in ascending order.
    n_train : int, optional
        Keep the first `n_train` training images of the chosen classes, in file order; of a folder the first where the
        classes take turns.
    download : bool
        Fetch missing official files into `root`, where `fetch` can.

    Returns
    -------
    Dataset
        x_train, y_train, x_test, y_test, class_names. Images always have a channel axis; labels are positions in
        class_names.

    Raises
    ------
    FileNotFoundError
        If there are no such files; the message says where they are looked for and what to put there.
    augcore.ChecksumError
        If a file, or its content, differs from the official one.
    augcore.FileFormatError
        If a file is damaged, holds pickled objects, or is no set of images.
    ValueError
        If the name, a class or n_train names what does not exist.
    """
    if isinstance(name, str) and (own := _own(name)) is not None:
        read, path = own
        return choose(read(path), classes, n_train)
    known, place = _known(name), data_folder(root)
    form = known.form(place)
    if form is None and download and known.fetched:
        fetch(name, root=place)
        form = known.form(place)
    if form is None:
        raise missing(name, place)
    return choose(form.read(place), classes, n_train)


def _known(name: str) -> Known:
    if not isinstance(name, str):
        raise TypeError(f"name: expected a string, got {_validate.describe(name)}")
    if name not in DATASETS:
        *names, last = (*DATASETS, *(f"{kind}:PATH" for kind in OWN))
        raise ValueError(f"name: expected one of {', '.join(map(repr, names))} or {last!r}, got {name!r}")
    return DATASETS[name]


def _own(name: str) -> tuple[Callable[[Path], Source], Path] | None:
    """What reads a set of one's own, and where it is; None where it is none."""
    kind, _, path = name.partition(":")
    return (OWN[kind], _expanded(path)) if kind in OWN and path else None


def missing(name: str, root: Path) -> OSError:
    """The error that says what to do; what cannot be read is refused instead."""
    known = DATASETS[name]
    known.refuse(root)
    for form in known.forms:
        if form.find(root):
            text = f"{name}: is missing, though other files of the data set are there"
            return FileNotFoundError(errno.ENOENT, text, str(root / form.missing(root)[0]))
    how = f", which augcore data fetch {name} gets" if known.fetched else f", from {known.url}"
    text = f"{name}: no data; put {known.wanted} there{how} (or name another folder by root= or AUGCORE_DATA)"
    return FileNotFoundError(errno.ENOENT, text, str(root))


def data_folder(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the data sets: `root`, or AUGCORE_DATA, or augcore/datasets in the user's cache folder."""
    if root is not None:
        return _expanded(root)
    if at := os.environ.get("AUGCORE_DATA"):
        return _expanded(at)
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else _expanded("~/.cache")) / "augcore" / "datasets"


def _expanded(path: str | os.PathLike[str]) -> Path:
    """A path with ~ or ~user at its begin replaced by the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise FileNotFoundError(errno.ENOENT, "no such home folder", os.fspath(path)) from None


# ---- fetching and checking -------------------------------------------------------------------------------------------


def fetch(
    name: str, *, root: str | os.PathLike[str] | None = None, progress: _download.Progress | None = None
) -> list[Path]:
    """Fetch the official files of a data set that are not there yet, packed or unpacked.

    Each file has its sum checked before it gets its name. What came of it before an interruption is kept and gone on
    with.

    Parameters
    ----------
    name : str
        "mnist", "cifar10" or "norb".
    root : path, optional
        The folder to put them in, which is made; default: `data_folder()`.
    progress : callable, optional
        Called as progress(file, bytes done, bytes in all), again and again.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    ValueError
        If there is no such data set, or none that can be fetched.
    augcore.ChecksumError
        If what comes is another file, three times.
    OSError
        If nothing comes, after three tries, or the disk is full.
    """
    known, place = _known(name), data_folder(root)
    if not known.fetched:
        raise ValueError(f"name: {name!r} cannot be fetched; put {known.wanted} into {place}, from {known.url}")
    files = [file for file in known.fetched if not (place / file.removesuffix(".gz")).is_file()]  # or there unpacked
    _download.fetch(
        {known.url + file: (checksums.BYTES[file], checksums.SUMS[file]) for file in files}, place, progress
    )
    return [place / file for file in files]


def verify(name: str, *, root: str | os.PathLike[str] | None = None) -> Iterator[Finding]:
    """Check the files of a data set that are there, one after the other, to their ends.

    Parameters
    ----------
    name : str
        As for `load`. Of a set of one's own, all images are read.
    root : path, optional
        Where the files are; default: `data_folder()`.

    Yields
    ------
    Finding
        path, state ("ok", "damaged" or "missing") and words. Files are missing where others of their form are there but
        no form of the data set is whole; the folder itself is where there are none at all.
    """
    if isinstance(name, str) and (own := _own(name)) is not None:
        read, path = own
        if read is not folder.read:
            yield _finding(path, "all images read", lambda: choose(read(path), None, None))
        elif messages := list(folder.check(path)):
            yield from (Finding(path, "damaged", message) for message in messages)
        else:
            yield Finding(path, "ok", "all images read")
        return
    known, place = _known(name), data_folder(root)
    nothing = True
    for form in known.forms:
        present = form.find(place)
        for path in present.values():
            nothing = False
            yield _finding(path, _how(path), functools.partial(form.check, path))
        if not form.files:  # inside the package
            nothing = False
            yield _finding(npz.sample_path(), "SHA-256", npz.read_sample)
        if present and known.form(place) is None:
            yield from (Finding(place / file, "missing", "not there") for file in form.missing(place))
    if nothing:
        yield Finding(place, "missing", f"no file of {name}")


def _how(path: Path) -> str:
    if path.suffix == ".npz":
        return "content as in the official files, SHA-256"
    return checksums.kind_of_sum(path.name) or "structure; no sum is known"


def _finding(path: Path, words: str, check: Callable[[], object]) -> Finding:
    try:
        check()
    except (ChecksumError, FileFormatError) as error:
        return Finding(path, "damaged", str(error))
    return Finding(path, "ok", words)
