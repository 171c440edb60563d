"""Loaders of data sets: files in the official formats, written here, whole and damaged; and the real MNIST sample."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import re
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from image_sets import assert_same, make_set, trust

import augcore
from augcore import _download, datasets
from augcore.datasets import checksums, cifar10, mnist, npz

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(augcore.__file__).parent / "data"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def cifar_batches(arrays: dict[str, np.ndarray]) -> dict[str, bytes]:
    """The six binary batches: 1 byte label, then 1024 red, 1024 green, 1024 blue bytes."""
    size = len(arrays["x_train"]) // 5
    parts = [(arrays["x_train"][i * size :][:size], arrays["y_train"][i * size :][:size]) for i in range(5)]
    records = [
        b"".join(bytes([y]) + b"".join(x[:, :, c].tobytes() for c in range(3)) for x, y in zip(*part, strict=True))
        for part in [*parts, (arrays["x_test"], arrays["y_test"])]
    ]
    return dict(zip(cifar10.BATCHES, records, strict=True))


@pytest.fixture
def trusted(monkeypatch):
    """Declare bytes to be what an official file holds."""
    return functools.partial(trust, monkeypatch)


# ---- the sample ------------------------------------------------------------------------------------------------------


def test_the_sample_is_what_its_readme_says():
    data = (DATA / "mnist-sample.npz").read_bytes()
    readme = (DATA / "README.md").read_text()
    assert hashlib.sha256(data).hexdigest() == npz.SAMPLE_SHA256
    assert npz.SAMPLE_SHA256 in readme
    assert f"{len(data):,} bytes" in readme
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        for name in npz.ARRAYS:
            assert re.search(rf"\| {name} \|.*\| {hashlib.sha256(archive[name].tobytes()).hexdigest()} \|", readme)


def test_the_sample():
    data = augcore.datasets.load("mnist-sample")
    assert data.class_names == ("3", "8")
    assert [values.shape for values in data[:4]] == [(1000, 28, 28, 1), (1000,), (1984, 28, 28, 1), (1984,)]
    assert np.bincount(data.y_train).tolist() == [517, 483]
    assert np.bincount(data.y_test).tolist() == [1010, 974]
    swapped = augcore.datasets.load("mnist-sample", classes=("8", 3), n_train=10)
    assert swapped.class_names == ("8", "3")
    np.testing.assert_array_equal(swapped.y_train, 1 - data.y_train[:10])
    np.testing.assert_array_equal(swapped.x_train, data.x_train[:10])


def test_a_damaged_sample_is_refused(monkeypatch):
    monkeypatch.setattr(npz, "SAMPLE_SHA256", "0" * 64)
    with pytest.raises(augcore.ChecksumError, match=r"mnist-sample\.npz"):
        datasets.load("mnist-sample")


@pytest.mark.skipif(not (datasets.data_folder() / "mnist.npz").is_file(), reason="MNIST is not on this machine")
def test_the_sample_is_an_excerpt_of_mnist():
    sample = datasets.load("mnist-sample")
    excerpt = datasets.load("mnist", classes=(3, 8), n_train=1000)
    for a, b in zip(sample[:4], excerpt[:4], strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# ---- classes and numbers of images -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (4, 5), (5, 4, 3), (3, 7, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i4", "uint32"])
def test_npz(write_npz, shape, dtype):
    arrays = make_set(shape=shape, n_train=30, n_test=10)
    data = datasets.load(write_npz(**arrays | {"y_train": arrays["y_train"].astype(dtype)}))
    assert_same(data, arrays)
    assert data.class_names == tuple("0123456789")


def test_npz_takes_columns_of_labels_and_fortran_order_and_ignores_other_arrays(write_npz):
    arrays = make_set()
    odd = arrays | {
        "x_train": np.asfortranarray(arrays["x_train"]),
        "y_test": arrays["y_test"][:, None],
        "notes": np.array(["x"]),
    }
    assert_same(datasets.load(write_npz(**odd)), arrays)


def test_labels_are_positions_of_the_chosen_classes(write_npz):
    arrays = make_set(n_train=40, n_test=20, n_classes=4)
    for key in ("y_train", "y_test"):
        arrays[key] = np.array([-7, 300, 5, 9], np.int16)[arrays[key]]
    whole = datasets.load(write_npz(**arrays))
    assert whole.class_names == ("-7", "5", "9", "300")
    np.testing.assert_array_equal(np.array([-7, 5, 9, 300])[whole.y_train], arrays["y_train"])
    pair = datasets.load(write_npz(**arrays), classes=(300, "-7"), n_train=9)
    kept = np.flatnonzero(np.isin(arrays["y_train"], [300, -7]))[:9]
    assert pair.class_names == ("300", "-7")
    np.testing.assert_array_equal(pair.x_train[..., 0], arrays["x_train"][kept])
    np.testing.assert_array_equal(pair.y_train, arrays["y_train"][kept] == -7)
    np.testing.assert_array_equal(pair.y_test, arrays["y_test"][np.isin(arrays["y_test"], [300, -7])] == -7)


@pytest.mark.parametrize(("part", "word"), [("y_train", "training"), ("y_test", "test")])
def test_a_class_without_images(write_npz, part, word):
    arrays = make_set(n_classes=4)
    arrays[part] = np.minimum(arrays[part], 2)
    name = write_npz(**arrays)
    with pytest.raises(ValueError, match=f"classes: there are no {word} images of 3$"):
        datasets.load(name, classes=(3, 0))
    assert datasets.load(name, classes=(1, 0)).class_names == ("1", "0")
    assert datasets.load(name).class_names == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"classes": (3, 4)}, ValueError, "classes: expected labels or names among 3, 8, got 4"),
        ({"classes": ("3", "three")}, ValueError, "classes: .*'three'"),
        ({"classes": (3, 3)}, ValueError, "classes: .*each once"),
        ({"classes": (3, "3")}, ValueError, "classes: .*each once"),
        ({"classes": (3,)}, ValueError, "classes: .*at least two"),
        ({"classes": ()}, ValueError, "classes: .*at least two"),
        ({"classes": "38"}, TypeError, "classes: expected a sequence"),
        ({"classes": 3}, TypeError, "classes: expected a sequence"),
        ({"classes": (3.0, 8)}, TypeError, "classes: expected an integer"),
        ({"n_train": 0}, ValueError, "n_train: must be between 1 and 1000, got 0"),
        ({"n_train": 1001}, ValueError, "n_train: must be between 1 and 1000"),
        ({"n_train": 1.5}, TypeError, "n_train: expected an integer"),
        (
            {"name": "mnist-samples"},
            ValueError,
            "name: expected one of 'mnist-sample', 'mnist', .* 'norb-jittered', 'npz:PATH' or 'folder:PATH', got",
        ),
        ({"name": "npz:"}, ValueError, "name: expected one of"),
        ({"name": "folder:"}, ValueError, "name: expected one of"),
        ({"name": None}, TypeError, "name: expected a string"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        datasets.load(**{"name": "mnist-sample"} | options)


def test_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("AUGCORE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert datasets.data_folder() == Path("/home/somebody/.cache/augcore/datasets")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert datasets.data_folder() == Path("/cache/augcore/datasets")
    monkeypatch.setenv("AUGCORE_DATA", "/data")
    assert datasets.data_folder() == Path("/data")
    assert datasets.data_folder(tmp_path) == tmp_path


@pytest.mark.parametrize(
    ("name", "words"), [("mnist", "train-images-idx3-ubyte.gz"), ("cifar10", "cifar-10-binary.tar.gz")]
)
def test_missing_files(tmp_path, name, words):
    with pytest.raises(FileNotFoundError, match=re.escape(words)) as caught:
        datasets.load(name, root=tmp_path)
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(FileNotFoundError):
        datasets.load(f"npz:{tmp_path / 'none.npz'}")


def test_the_home_of_nobody(monkeypatch):
    for options in ({"name": "npz:~nouser/x"}, {"name": "mnist", "root": "~nouser/x"}, {"name": "mnist"}):
        monkeypatch.setenv("AUGCORE_DATA", "~nouser/x")
        with pytest.raises(FileNotFoundError) as caught:
            datasets.load(**options)
        assert caught.value.filename == "~nouser/x"


# ---- MNIST -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def write_mnist(tmp_path, trusted):
    """The official files, plain or gzipped, with other content, trusted; and that content."""
    arrays = make_set()

    def write(suffix: str) -> dict[str, np.ndarray]:
        for file, name in zip(mnist.FILES, npz.ARRAYS, strict=True):
            data = trusted(file, idx(arrays[name]))
            if suffix == ".gz":
                data = trusted(f"{file}.gz", gzip.compress(data))
            (tmp_path / f"{file}{suffix}").write_bytes(data)
        return arrays

    return write


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_official_files(tmp_path, write_mnist, suffix):
    arrays = write_mnist(suffix)
    data = datasets.load("mnist", root=tmp_path)
    assert_same(data, arrays)
    assert data.class_names == tuple("0123456789")


def test_mnist_npz(tmp_path, write_mnist):
    arrays = write_mnist("")
    np.savez(tmp_path / "mnist.npz", **arrays | {"y_test": arrays["y_test"].astype(np.int64)})
    assert_same(datasets.load("mnist", root=tmp_path), arrays)
    arrays["x_test"][3, 2, 1] ^= 1
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(augcore.ChecksumError, match=r"mnist\.npz, as t10k-images-idx3-ubyte"):
        datasets.load("mnist", root=tmp_path)


@pytest.mark.parametrize("label", [10, -1, 266])
def test_mnist_npz_with_impossible_labels(tmp_path, write_mnist, label):
    arrays = write_mnist("")
    arrays["y_train"] = arrays["y_train"].astype(np.int64)
    arrays["y_train"][0] = label
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(augcore.FileFormatError, match="labels outside 0 to 9"):
        datasets.load("mnist", root=tmp_path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:-1] + b"\1", lambda b: b""])
def test_damaged_mnist_fails_its_checksum(tmp_path, write_mnist, suffix, damage):
    write_mnist(suffix)
    path = tmp_path / f"t10k-images-idx3-ubyte{suffix}"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(augcore.ChecksumError, match="t10k-images-idx3-ubyte"):
        datasets.load("mnist", root=tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\0",
        b"\0\0\x08\x03\0\0\0\2",
        struct.pack(">II", 0x801, 5) + bytes(4),
        struct.pack(">II", 0x801, 5) + bytes(6),
        struct.pack(">II", 0x901, 5) + bytes(5),
        struct.pack("<II", 0x801, 5) + bytes(5),
        struct.pack(">IIII", 0x803, 2**31, 2**31, 2**31) + bytes(5),
        struct.pack(">IIIII", 0x804, 2**31, 2**31, 4, 0),
        struct.pack(">I", 0x8FF) + bytes(5),
    ],
    ids=["empty", "short", "no-axes", "cut-header", "cut", "extra", "type", "little", "huge", "huge-empty", "axes"],
)
def test_malformed_idx(tmp_path, trusted, data):
    path = tmp_path / "t10k-labels-idx1-ubyte"
    path.write_bytes(trusted(path.name, data))
    with pytest.raises(augcore.FileFormatError, match="t10k-labels-idx1-ubyte"):
        mnist.read_idx(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_that_would_grow_without_end(tmp_path, trusted, monkeypatch, suffix):
    monkeypatch.setattr(mnist, "MAX_IDX_BYTES", 1000)
    path = tmp_path / f"t10k-labels-idx1-ubyte{suffix}"
    for n, message in ((992, None), (993, "holds more than 1000 bytes")):
        data = struct.pack(">II", 0x801, n) + bytes(n)
        path.write_bytes(trusted(path.name, gzip.compress(data) if suffix else data))
        if message is None:
            assert mnist.read_idx(path).shape == (n,)
        else:
            with pytest.raises(augcore.FileFormatError, match=f"{path.name}: {message}"):
                mnist.read_idx(path)


@pytest.mark.parametrize("damage", [lambda b: b[:-4000], lambda b: b[:12] + b"\xff" * 40 + b[52:], lambda b: b"hello"])
def test_damaged_packing_of_mnist(tmp_path, write_mnist, trusted, damage):
    write_mnist(".gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    noise = idx(np.random.default_rng(0).integers(0, 256, (20, 40, 50), np.uint8))
    path.write_bytes(trusted(path.name, damage(gzip.compress(noise))))
    with pytest.raises(augcore.FileFormatError, match=r"train-images-idx3-ubyte\.gz: not a readable gzip file"):
        datasets.load("mnist", root=tmp_path)


# ---- CIFAR-10 --------------------------------------------------------------------------------------------------------


@pytest.fixture
def cifar(trusted):
    """Arrays in Keras' layout and the binary batches that hold them, trusted."""
    arrays = make_set(n_train=20, n_test=10, shape=(32, 32, 3))
    batches = cifar_batches(arrays)
    for name, data in batches.items():
        trusted(name, data)
    return arrays, batches


def write_tar(path: Path, members: dict[str, bytes], trusted) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    trusted(path.name, path.read_bytes())


@pytest.mark.parametrize("form", ["folder", "tar", "npz"])
def test_cifar10(tmp_path, cifar, trusted, form):
    arrays, batches = cifar
    if form == "folder":
        (tmp_path / "cifar-10-batches-bin").mkdir()
        for name, data in batches.items():
            (tmp_path / "cifar-10-batches-bin" / name).write_bytes(data)
    elif form == "tar":
        members = {f"cifar-10-batches-bin/{name}": data for name, data in reversed(batches.items())}
        write_tar(tmp_path / "cifar-10-binary.tar.gz", {"../readme.html": b"hello"} | members, trusted)
    else:
        np.savez(tmp_path / "cifar10.npz", **arrays | {"y_train": arrays["y_train"][:, None]})
    before = sorted(tmp_path.rglob("*"))
    data = datasets.load("cifar10", root=tmp_path)
    assert_same(data, arrays)
    assert data.class_names[:2] == ("airplane", "automobile")
    assert data.x_train.flags.c_contiguous
    pair = datasets.load("cifar10", root=tmp_path, classes=("automobile", 0))
    assert pair.class_names == ("automobile", "airplane")
    np.testing.assert_array_equal(pair.y_test, (arrays["y_test"] == 0)[arrays["y_test"] < 2])
    assert sorted(tmp_path.rglob("*")) == before


def test_cifar10_npz_is_compared_with_the_official_content(tmp_path, cifar):
    arrays, _ = cifar
    for key in arrays:
        wrong = {name: values.copy() for name, values in arrays.items()}
        wrong[key].flat[-1] ^= 1
        np.savez(tmp_path / "cifar10.npz", **wrong)
        with pytest.raises(augcore.ChecksumError, match=r"data_batch_5\.bin" if "train" in key else r"test_batch\.bin"):
            datasets.load("cifar10", root=tmp_path)
    np.savez(tmp_path / "cifar10.npz", **make_set(shape=(32, 32)))
    with pytest.raises(augcore.FileFormatError, match=r"expected images of shape \(32, 32, 3\)"):
        datasets.load("cifar10", root=tmp_path)


def test_damaged_cifar10(tmp_path, cifar, trusted):
    _, batches = cifar
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, data in batches.items():
        (folder / name).write_bytes(data)
    (folder / "data_batch_3.bin").write_bytes(batches["data_batch_3.bin"][:-1])
    with pytest.raises(augcore.ChecksumError, match=r"data_batch_3\.bin"):
        datasets.load("cifar10", root=tmp_path)
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_3\.bin"):
        datasets.load("cifar10", root=tmp_path)
    for data in (b"", batches["test_batch.bin"][:-1], batches["test_batch.bin"] + b"\0", b"\x0a" + bytes(3072)):
        (folder / "data_batch_3.bin").write_bytes(trusted("data_batch_3.bin", data))
        with pytest.raises(augcore.FileFormatError, match=r"data_batch_3\.bin"):
            datasets.load("cifar10", root=tmp_path)


def test_damaged_cifar10_archive(tmp_path, cifar, trusted):
    _, batches = cifar
    archive = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(archive, {name: data for name, data in batches.items() if name != "test_batch.bin"}, trusted)
    with pytest.raises(augcore.FileFormatError, match=r"has no test_batch\.bin"):
        datasets.load("cifar10", root=tmp_path)
    archive.write_bytes(archive.read_bytes()[:-9])
    with pytest.raises(augcore.ChecksumError, match=r"cifar-10-binary\.tar\.gz"):
        datasets.load("cifar10", root=tmp_path)


@pytest.mark.parametrize("damage", [lambda b: b[:-4000], lambda b: b[:12] + b"\xff" * 40 + b[52:], lambda b: b"hello"])
def test_damaged_packing_of_cifar10(tmp_path, cifar, trusted, damage):
    _, batches = cifar
    archive = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(archive, batches, trusted)
    archive.write_bytes(trusted(archive.name, damage(archive.read_bytes())))
    with pytest.raises(augcore.FileFormatError, match=r"cifar-10-binary\.tar\.gz: not a readable archive"):
        datasets.load("cifar10", root=tmp_path)


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "cifar-10-python.tar.gz"])
def test_the_pickled_cifar10_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(augcore.FileFormatError, match=r"pickled.*cifar-10-binary\.tar\.gz"):
        datasets.load("cifar10", root=tmp_path)


# ---- fetching --------------------------------------------------------------------------------------------------------


def test_load_fetches_what_is_missing(tmp_path, write_mnist, monkeypatch):
    arrays = write_mnist(".gz")
    calls = []

    def fetch(urls, folder, progress):
        folder.mkdir(parents=True)
        for url in urls:
            name = url.rpartition("/")[2]
            (folder / name).write_bytes((tmp_path / name).read_bytes())
        calls.append((urls, progress))

    monkeypatch.setattr(_download, "fetch", fetch)
    root = tmp_path / "new" / "folder"
    with pytest.raises(FileNotFoundError):
        datasets.load("mnist", root=root)
    for _ in range(2):
        assert_same(datasets.load("mnist", root=root, download=True), arrays)
    files = [f"{file}.gz" for file in mnist.FILES]
    assert calls == [({mnist.URL + file: (checksums.BYTES[file], checksums.SUMS[file]) for file in files}, None)]


@pytest.mark.parametrize(("name", "n_files"), [("mnist", 4), ("cifar10", 1), ("norb", 6)])
def test_fetch(tmp_path, monkeypatch, name, n_files):
    calls = []
    monkeypatch.setattr(_download, "fetch", lambda *call: calls.append(call))
    files = datasets.fetch(name, root=tmp_path, progress=print)
    ((urls, folder, progress),) = calls
    assert [tmp_path / url.rpartition("/")[2] for url in urls] == files
    assert len(files) == n_files
    assert (folder, progress) == (tmp_path, print)
    assert all(url.startswith("https://") and size > 300 and len(sha256) == 64 for url, (size, sha256) in urls.items())


def test_files_that_are_there_unpacked_are_not_fetched(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(_download, "fetch", lambda *call: calls.append(call))
    (tmp_path / mnist.FILES[0]).write_bytes(b"")
    files = datasets.fetch("mnist", root=tmp_path)
    assert [path.name for path in files] == [f"{file}.gz" for file in mnist.FILES[1:]]
    assert list(calls[0][0]) == [mnist.URL + path.name for path in files]


@pytest.mark.parametrize("name", ["norb-jittered", "mnist-sample", "npz:a.npz", "cats", ""])
def test_what_cannot_be_fetched(tmp_path, name):
    with pytest.raises(ValueError, match=r"^name: "):
        datasets.fetch(name, root=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(TypeError, match="name: expected a string"):
        datasets.fetch(7)


# ---- the installed package -------------------------------------------------------------------------------------------


def test_the_sample_is_installed_with_the_package():
    assert Path(augcore.__file__).parent != ROOT / "python" / "augcore"
    assert (DATA / "mnist-sample.npz").read_bytes() == (ROOT / "python/augcore/data/mnist-sample.npz").read_bytes()


@pytest.mark.skipif(not (datasets.data_folder() / "mnist.npz").is_file(), reason="MNIST is not on this machine")
def test_the_script_makes_the_sample(tmp_path, run_python):
    target = tmp_path / "mnist-sample.npz"
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'bench')!r}); sys.argv[1:] = []\n"
        f"import pathlib, make_mnist_sample as script; script.TARGET = pathlib.Path({str(target)!r}); script.main()"
    )
    output = run_python(code).stdout
    made, kept = np.load(target), np.load(DATA / "mnist-sample.npz")
    with made, kept:
        assert made.files == kept.files == list(npz.ARRAYS)
        assert all(np.array_equal(made[name], kept[name]) for name in kept.files)
    assert hashlib.sha256(target.read_bytes()).hexdigest() in output
