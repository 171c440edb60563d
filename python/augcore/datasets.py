"""Image data sets: the sample inside the package, MNIST, CIFAR-10, and .npz files in the layout of Keras.

A source reads one kind of file into `_Source`: images and labels as they stand in the file, and what the labels mean.
`load` finds the files, checks them against the sums of the official ones before it opens them, and picks classes.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import importlib.resources
import io
import math
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from augcore import _download, _files, _validate
from augcore._errors import ChecksumError, FileFormatError

__all__ = ["DATASETS", "Dataset", "data_folder", "load"]

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")

SAMPLE_SHA256 = "73298ff515dd8d21de6b979a9a5e2caca2560b82ec1a2a0fb05dadc3eb3f6933"

_MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_CIFAR_BATCHES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
_CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"
_CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
_CIFAR_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR_RECORD = 1 + 3 * 32 * 32  # one label, then the red, green and blue plane

# What the official files are. The .npz files of other tools have no sums of their own: their contents are put back into
# the official form and compared with the same sums.
_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    "cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
}
_BYTES = {
    "train-images-idx3-ubyte.gz": 9912422,
    "train-labels-idx1-ubyte.gz": 28881,
    "t10k-images-idx3-ubyte.gz": 1648877,
    "t10k-labels-idx1-ubyte.gz": 4542,
    "cifar-10-binary.tar.gz": 170052171,
}


class Dataset(NamedTuple):
    """Images and labels of a training and a test set.

    Attributes
    ----------
    x_train, x_test : ndarray of uint8, shape (n, H, W, C)
    y_train, y_test : ndarray of int64, shape (n,)
        Positions in `class_names`.
    class_names : tuple of str
    """

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    class_names: tuple[str, ...]


class _Source(NamedTuple):
    """What the files hold: all images, the labels of the file, and the name of each label in ascending order."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.integer[Any]]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.integer[Any]]
    names: dict[int, str]


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
        "npz:PATH": an .npz file with x_train, y_train, x_test, y_test, as Keras lays them out: images (n, H, W) or
        (n, H, W, C) of uint8, labels (n,) or (n, 1) of integers.
    root : path, optional
        Where the files are; default: `data_folder()`.
    classes : sequence of int or str, optional
        The classes to keep, as labels of the file or as names; the first becomes label 0, the second label 1, and so
        on. Default: all, in ascending order.
    n_train : int, optional
        Keep the first `n_train` training images of the chosen classes, in file order.
    download : bool
        Fetch missing official files of "mnist" or "cifar10" into `root`.

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
    if not isinstance(name, str):
        raise TypeError(f"name: expected a string, got {_validate.describe(name)}")
    if name.startswith("npz:"):
        source = _read_keras_npz(_expanded(name.removeprefix("npz:")))
    elif name in DATASETS:
        source = DATASETS[name](data_folder(root), download)
    else:
        raise ValueError(f"name: expected one of {', '.join(map(repr, DATASETS))} or 'npz:PATH', got {name!r}")
    return _choose(source, classes, n_train)


def data_folder(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the data sets: `root`, or AUGCORE_DATA, or augcore/datasets in the user's cache folder."""
    if root is not None:
        return _expanded(root)
    if folder := os.environ.get("AUGCORE_DATA"):
        return _expanded(folder)
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else _expanded("~/.cache")) / "augcore" / "datasets"


def _expanded(path: str | os.PathLike[str]) -> Path:
    """A path with ~ or ~user at its begin replaced by the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise FileNotFoundError(errno.ENOENT, "no such home folder", os.fspath(path)) from None


# ---- choosing classes ------------------------------------------------------------------------------------------------


def _choose(source: _Source, classes: Sequence[int | str] | None, n_train: int | None) -> Dataset:
    labels = list(source.names) if classes is None else _class_labels(source.names, classes)
    x_train, y_train = _keep(source.x_train, source.y_train, labels)
    x_test, y_test = _keep(source.x_test, source.y_test, labels)
    if n_train is not None:
        n_train = _validate.integer("n_train", n_train, 1, len(x_train))
        x_train, y_train = x_train[:n_train], y_train[:n_train]
    return Dataset(x_train, y_train, x_test, y_test, tuple(source.names[label] for label in labels))


def _class_labels(names: dict[int, str], classes: Sequence[int | str]) -> list[int]:
    """The labels of the file that `classes` names, in that order."""
    if isinstance(classes, str) or not isinstance(classes, Sequence | np.ndarray):
        raise TypeError(f"classes: expected a sequence of labels or names, got {_validate.describe(classes)}")
    by_name = {name: label for label, name in names.items()}
    labels = []
    for item in classes:
        label = by_name.get(item) if isinstance(item, str) else _validate.integer("classes", item)
        if label not in names:
            raise ValueError(f"classes: expected labels or names among {_listing(names)}, got {item!r}")
        labels.append(label)
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"classes: expected at least two classes, each once, got {list(classes)!r}")
    return labels


def _listing(names: dict[int, str]) -> str:
    return ", ".join(name if name == str(label) else f"{label} ({name})" for label, name in names.items())


def _keep(
    images: NDArray[np.uint8], labels: NDArray[np.integer[Any]], chosen: list[int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The images of the chosen classes in file order, with a channel axis, and their positions in `chosen`."""
    order = np.argsort(chosen)
    ascending = np.asarray(chosen, labels.dtype)[order]
    nearest = np.minimum(np.searchsorted(ascending, labels), len(chosen) - 1)
    kept = ascending[nearest] == labels
    positions = order[nearest].astype(np.int64, copy=False)
    if not kept.all():
        images, positions = images[kept], positions[kept]
    return np.ascontiguousarray(images if images.ndim == 4 else images[..., np.newaxis]), positions


# ---- checksums -------------------------------------------------------------------------------------------------------


def _check_sum(path: Path | str, sha256: str, expected: str) -> None:
    if sha256 != expected:
        raise ChecksumError(f"{path}: is damaged or another file: SHA-256 {sha256} instead of {expected}")


def _open_checked(path: Path) -> IO[bytes]:
    """An official file, opened, after its sum has been found right."""
    file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    try:
        _check_sum(path, hashlib.file_digest(file, "sha256").hexdigest(), _SHA256[path.name])
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _missing(name: str, root: Path, what: str) -> FileNotFoundError:
    text = f"{name}: no data; put {what} there (or name another folder by root= or AUGCORE_DATA)"
    return FileNotFoundError(errno.ENOENT, text, str(root))


# ---- .npz in the layout of Keras -------------------------------------------------------------------------------------


def _check_headers(headers: dict[str, _files.ArrayHeader]) -> None:
    """Refuses what is no pair of image sets, from the headers alone."""
    for part in ("train", "test"):
        images, labels = headers[f"x_{part}"], headers[f"y_{part}"]
        if images.dtype != np.uint8 or len(images.shape) not in (3, 4) or 0 in images.shape:
            raise FileFormatError(
                f"x_{part}: expected images of uint8, (n, H, W) or (n, H, W, C), got {images.dtype} {images.shape}"
            )
        n = images.shape[0]
        if not np.can_cast(labels.dtype, np.int64) or labels.shape not in ((n,), (n, 1)):
            raise FileFormatError(f"y_{part}: expected {n} integer labels, got {labels.dtype} {labels.shape}")
    if headers["x_train"].shape[1:] != headers["x_test"].shape[1:]:
        raise FileFormatError(
            f"x_test: images of shape {headers['x_test'].shape[1:]}, but x_train {headers['x_train'].shape[1:]}"
        )


def _read_keras_npz(path: Path, names: dict[int, str] | None = None, file: IO[bytes] | None = None) -> _Source:
    if file is None and not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "npz: no such file", str(path))
    arrays = _files.read_npz(path, _ARRAYS, _check_headers, file=file)
    x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAYS)
    y_train, y_test = y_train.ravel().astype(np.int64), y_test.ravel().astype(np.int64)
    if names is None:
        names = {int(label): str(label) for label in np.union1d(y_train, y_test)}
    elif any(labels.min() < 0 or labels.max() >= len(names) for labels in (y_train, y_test)):
        raise FileFormatError(f"{path}: has labels outside 0 to {len(names) - 1}")
    return _Source(x_train, y_train, x_test, y_test, names)


def _load_sample(root: Path, download: bool) -> _Source:
    """The sample inside the package; it needs no folder and no download."""
    resource = importlib.resources.files("augcore") / "data" / "mnist-sample.npz"
    data = resource.read_bytes()
    _check_sum(str(resource), hashlib.sha256(data).hexdigest(), SAMPLE_SHA256)
    return _read_keras_npz(Path(str(resource)), file=io.BytesIO(data))


# ---- MNIST -----------------------------------------------------------------------------------------------------------


def _load_mnist(root: Path, download: bool) -> _Source:
    names = {digit: str(digit) for digit in range(10)}
    if (root / "mnist.npz").is_file():
        source = _read_keras_npz(root / "mnist.npz", names)
        for array, name in zip(source[:4], _MNIST_FILES, strict=True):
            _check_sum(f"{root / 'mnist.npz'}, as {name}", _idx_digest(array), _SHA256[name])
        return source
    for suffix in ("", ".gz"):
        files = [f"{file}{suffix}" for file in _MNIST_FILES]
        if all((root / file).is_file() for file in files):
            x_train, y_train, x_test, y_test = (_read_idx(root / file) for file in files)
            return _Source(x_train, y_train, x_test, y_test, names)
    files = [f"{file}.gz" for file in _MNIST_FILES]
    if not download:
        raise _missing("mnist", root, f"mnist.npz, or the official files {', '.join(files)}")
    _download.fetch({_MNIST_URL + file: (_BYTES[file], _SHA256[file]) for file in files}, root)
    return _load_mnist(root, download=False)


def _idx_digest(array: NDArray[Any]) -> str:
    """The SHA-256 of the idx file that would hold an array of bytes, or of small labels."""
    array = array.astype(np.uint8, copy=False)
    digest = hashlib.sha256(bytes([0, 0, 8, array.ndim]) + np.asarray(array.shape, ">u4").tobytes())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an idx file of bytes: two zeros, the type 8, the number of axes, big-endian lengths, the data."""
    with _open_checked(path) as file:
        data = gzip.decompress(file.read()) if path.suffix == ".gz" else file.read()
    ndim = data[3] if len(data) >= 4 else 0
    start = 4 + 4 * ndim
    if data[:3] != b"\0\0\x08" or ndim == 0 or len(data) < start:
        raise FileFormatError(f"{path}: does not begin as an idx file of bytes")
    shape = tuple(int(length) for length in np.frombuffer(data, ">u4", ndim, 4))
    values = np.frombuffer(data, np.uint8, offset=start)
    if values.size == 0 or values.size != math.prod(shape):
        raise FileFormatError(f"{path}: holds {values.size} values, not the {shape} that it states")
    return values.reshape(shape)


# ---- CIFAR-10 --------------------------------------------------------------------------------------------------------


def _load_cifar10(root: Path, download: bool) -> _Source:
    names = dict(enumerate(_CIFAR_NAMES))
    if (root / "cifar10.npz").is_file():
        source = _read_keras_npz(root / "cifar10.npz", names)
        _check_cifar_arrays(root / "cifar10.npz", source)
        return source
    folder, archive = root / "cifar-10-batches-bin", root / _CIFAR_ARCHIVE
    if folder.is_dir():
        return _read_cifar_batches([_read_batch_file(folder / name) for name in _CIFAR_BATCHES], names)
    if archive.is_file():
        return _read_cifar_batches(_read_cifar_archive(archive), names)
    if download:
        _download.fetch({_CIFAR_URL + _CIFAR_ARCHIVE: (_BYTES[_CIFAR_ARCHIVE], _SHA256[_CIFAR_ARCHIVE])}, root)
        return _load_cifar10(root, download=False)
    for pickled in (root / "cifar-10-batches-py", root / "cifar-10-python.tar.gz"):
        if pickled.exists():
            raise FileFormatError(
                f"{pickled}: the Python version of CIFAR-10 is pickled, and pickles can run any code; "
                f"put the binary version there instead: {_CIFAR_URL}{_CIFAR_ARCHIVE}"
            )
    raise _missing("cifar10", root, f"cifar10.npz, or {_CIFAR_ARCHIVE}, or the folder cifar-10-batches-bin")


def _check_cifar_arrays(path: Path, source: _Source) -> None:
    """Compares arrays with the official batches, which hold planes, not pixels, and each label before its image."""
    if source.x_train.shape[1:] != (32, 32, 3):
        raise FileFormatError(f"{path}: expected images of shape (32, 32, 3), got {source.x_train.shape[1:]}")
    size = -(-len(source.x_train) // 5)
    parts = [(source.x_train[i : i + size], source.y_train[i : i + size]) for i in range(0, 5 * size, size)]
    for (images, labels), name in zip([*parts, (source.x_test, source.y_test)], _CIFAR_BATCHES, strict=True):
        records = np.empty((len(images), _CIFAR_RECORD), np.uint8)
        records[:, 0] = labels
        records[:, 1:] = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        _check_sum(f"{path}, as {name}", hashlib.sha256(records.data).hexdigest(), _SHA256[name])


def _read_batch_file(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "cifar10: a batch is missing", str(path))
    with _open_checked(path) as file:
        return file.read()


def _read_cifar_archive(path: Path) -> list[bytes]:
    """The six batches of the official archive, read member by member: nothing is extracted to disk."""
    with _open_checked(path) as file, tarfile.open(fileobj=file, mode="r:gz") as archive:
        batches = {}
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name in _CIFAR_BATCHES and member.isfile() and (stream := archive.extractfile(member)):
                batches[name] = stream.read()
    if missing := [name for name in _CIFAR_BATCHES if name not in batches]:
        raise FileFormatError(f"{path}: has no {', '.join(missing)}")
    return [batches[name] for name in _CIFAR_BATCHES]


def _read_cifar_batches(batches: list[bytes], names: dict[int, str]) -> _Source:
    """Images and labels of the binary version: records of a label and three planes of 32 x 32."""
    images, labels = [], []
    for name, data in zip(_CIFAR_BATCHES, batches, strict=True):
        if not data or len(data) % _CIFAR_RECORD:
            raise FileFormatError(f"{name}: {len(data)} bytes are no whole number of records of {_CIFAR_RECORD}")
        records = np.frombuffer(data, np.uint8).reshape(-1, _CIFAR_RECORD)
        if records[:, 0].max() >= len(names):
            raise FileFormatError(f"{name}: has the label {records[:, 0].max()}, above {len(names) - 1}")
        labels.append(records[:, 0])
        images.append(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return _Source(np.concatenate(images[:5]), np.concatenate(labels[:5]), images[5], labels[5], names)


DATASETS: dict[str, Callable[[Path, bool], _Source]] = {
    "mnist-sample": _load_sample,
    "mnist": _load_mnist,
    "cifar10": _load_cifar10,
}
