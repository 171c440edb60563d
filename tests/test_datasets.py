"""Loaders of data sets: files in the official formats, written here, whole and damaged; and the real MNIST sample."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import re
import struct
import tarfile
import threading
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

import augcore
from augcore import _download, _files, datasets

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(datasets.__file__).parent / "data"


def make_set(n_train=20, n_test=8, shape=(4, 5), n_classes=10, seed=0):
    """Random arrays in the layout of Keras; every class occurs in both sets."""
    rng = np.random.default_rng(seed)
    return {
        "x_train": rng.integers(0, 256, (n_train, *shape), np.uint8),
        "y_train": np.arange(n_train, dtype=np.uint8)[::-1] * 3 % n_classes,
        "x_test": rng.integers(0, 256, (n_test, *shape), np.uint8),
        "y_test": np.arange(n_test, dtype=np.uint8) * 7 % n_classes,
    }


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
    return dict(zip(datasets._CIFAR_BATCHES, records, strict=True))


@pytest.fixture
def trusted(monkeypatch):
    """Declare bytes to be what an official file holds."""

    def trust(name: str, data: bytes) -> bytes:
        monkeypatch.setitem(datasets._SHA256, name, hashlib.sha256(data).hexdigest())
        return data

    return trust


def assert_same(data: datasets.Dataset, arrays: dict[str, np.ndarray]):
    for name, values in zip(datasets._ARRAYS, data[:4], strict=True):
        expected = arrays[name][..., None] if name.startswith("x") and arrays[name].ndim == 3 else arrays[name]
        np.testing.assert_array_equal(values, expected, strict=False)
        assert values.shape == expected.shape
        assert values.dtype == (np.uint8 if name.startswith("x") else np.int64)


# ---- the sample ------------------------------------------------------------------------------------------------------


def test_the_sample_is_what_its_readme_says():
    data = (DATA / "mnist-sample.npz").read_bytes()
    readme = (DATA / "README.md").read_text()
    assert hashlib.sha256(data).hexdigest() == datasets.SAMPLE_SHA256
    assert datasets.SAMPLE_SHA256 in readme
    assert f"{len(data):,} bytes" in readme
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        for name in datasets._ARRAYS:
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
    monkeypatch.setattr(datasets, "SAMPLE_SHA256", "0" * 64)
    with pytest.raises(augcore.ChecksumError, match=r"mnist-sample\.npz"):
        datasets.load("mnist-sample")


@pytest.mark.skipif(not (datasets.data_folder() / "mnist.npz").is_file(), reason="MNIST is not on this machine")
def test_the_sample_is_an_excerpt_of_mnist():
    sample = datasets.load("mnist-sample")
    excerpt = datasets.load("mnist", classes=(3, 8), n_train=1000)
    for a, b in zip(sample[:4], excerpt[:4], strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


# ---- classes and numbers of images -----------------------------------------------------------------------------------


@pytest.fixture
def npz(tmp_path):
    """Write arrays as an .npz file; its name as a data set."""

    def write(**arrays) -> str:
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        return f"npz:{tmp_path / 'set.npz'}"

    return write


@pytest.mark.parametrize("shape", [(1, 1), (4, 5), (5, 4, 3), (3, 7, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i4", "uint32"])
def test_npz(npz, shape, dtype):
    arrays = make_set(shape=shape, n_train=30, n_test=10)
    data = datasets.load(npz(**arrays | {"y_train": arrays["y_train"].astype(dtype)}))
    assert_same(data, arrays)
    assert data.class_names == tuple("0123456789")


def test_npz_takes_columns_of_labels_and_fortran_order_and_ignores_other_arrays(npz):
    arrays = make_set()
    odd = arrays | {
        "x_train": np.asfortranarray(arrays["x_train"]),
        "y_test": arrays["y_test"][:, None],
        "notes": np.array(["x"]),
    }
    assert_same(datasets.load(npz(**odd)), arrays)


def test_labels_are_positions_of_the_chosen_classes(npz):
    arrays = make_set(n_train=40, n_test=20, n_classes=4)
    for key in ("y_train", "y_test"):
        arrays[key] = np.array([-7, 300, 5, 9], np.int16)[arrays[key]]
    whole = datasets.load(npz(**arrays))
    assert whole.class_names == ("-7", "5", "9", "300")
    np.testing.assert_array_equal(np.array([-7, 5, 9, 300])[whole.y_train], arrays["y_train"])
    pair = datasets.load(npz(**arrays), classes=(300, "-7"), n_train=9)
    kept = np.flatnonzero(np.isin(arrays["y_train"], [300, -7]))[:9]
    assert pair.class_names == ("300", "-7")
    np.testing.assert_array_equal(pair.x_train[..., 0], arrays["x_train"][kept])
    np.testing.assert_array_equal(pair.y_train, arrays["y_train"][kept] == -7)
    np.testing.assert_array_equal(pair.y_test, arrays["y_test"][np.isin(arrays["y_test"], [300, -7])] == -7)


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
            "name: expected one of 'mnist-sample', 'mnist', 'cifar10' or 'npz:PATH'",
        ),
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
def mnist(tmp_path, trusted):
    """The official files, plain or gzipped, with other content, trusted; and that content."""
    arrays = make_set()

    def write(suffix: str) -> dict[str, np.ndarray]:
        for file, name in zip(datasets._MNIST_FILES, datasets._ARRAYS, strict=True):
            data = trusted(file, idx(arrays[name]))
            if suffix == ".gz":
                data = trusted(f"{file}.gz", gzip.compress(data))
            (tmp_path / f"{file}{suffix}").write_bytes(data)
        return arrays

    return write


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_official_files(tmp_path, mnist, suffix):
    arrays = mnist(suffix)
    data = datasets.load("mnist", root=tmp_path)
    assert_same(data, arrays)
    assert data.class_names == tuple("0123456789")


def test_mnist_npz(tmp_path, mnist):
    arrays = mnist("")
    np.savez(tmp_path / "mnist.npz", **arrays | {"y_test": arrays["y_test"].astype(np.int64)})
    assert_same(datasets.load("mnist", root=tmp_path), arrays)
    arrays["x_test"][3, 2, 1] ^= 1
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(augcore.ChecksumError, match=r"mnist\.npz, as t10k-images-idx3-ubyte"):
        datasets.load("mnist", root=tmp_path)


@pytest.mark.parametrize("label", [10, -1, 266])
def test_mnist_npz_with_impossible_labels(tmp_path, mnist, label):
    arrays = mnist("")
    arrays["y_train"] = arrays["y_train"].astype(np.int64)
    arrays["y_train"][0] = label
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(augcore.FileFormatError, match="labels outside 0 to 9"):
        datasets.load("mnist", root=tmp_path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:-1] + b"\1", lambda b: b""])
def test_damaged_mnist_fails_its_checksum(tmp_path, mnist, suffix, damage):
    mnist(suffix)
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
        datasets._read_idx(path)


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


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "cifar-10-python.tar.gz"])
def test_the_pickled_cifar10_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(augcore.FileFormatError, match=r"pickled.*cifar-10-binary\.tar\.gz"):
        datasets.load("cifar10", root=tmp_path)


# ---- hostile .npz ----------------------------------------------------------------------------------------------------


def npy(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(text)) + text + data


def described(shape: str, descr: str = "'|u1'", data: bytes = b"", **options) -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}", data, **options)


def pickled() -> bytes:
    """An array of objects as NumPy would write it, with a pickle that would raise if it were ever opened."""
    return described("(1,)", "'|O'", b"cbuiltins\nexec\n(S'raise SystemExit'\ntR.")


MEMBERS = {
    "pickled": pickled(),
    "record": described("(20,)", "[('a', '|u1')]", bytes(20)),
    "not-npy": b"hello",
    "empty": b"",
    "version": described("(20,)", data=bytes(20), version=(3, 0)),
    "magic-only": b"\x93NUMPY\x01\x00",
    "no-literal": npy("__import__('os')"),
    "deep": npy("(" * 5000),
    "long-header": npy(" " * 20000 + "{}", version=(2, 0)),
    "no-shape": npy("{'descr': '|u1', 'fortran_order': False}"),
    "negative": described("(-20,)"),
    "cut": described("(20,)", data=bytes(19)),
    "extra": described("(20,)", data=bytes(21)),
    "huge": described("(1099511627776,)", data=bytes(20)),
    "overflow": described("(4294967296, 4294967296, 16)", data=bytes(0)),
    "wrong-shape": described("(19,)", data=bytes(19)),
    "float-labels": described("(20,)", "'<f4'", bytes(80)),
    "text-labels": described("(20,)", "'<U1'", bytes(80)),
    "uint64-labels": described("(20,)", "'<u8'", bytes(160)),
}


def write_zip(path: Path, replaced: dict[str, bytes], compression=zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, values in make_set().items():
            buffer = io.BytesIO()
            np.save(buffer, values)
            archive.writestr(f"{name}.npy", replaced.get(name, buffer.getvalue()))


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_a_hostile_array_is_refused(tmp_path, member):
    path = tmp_path / "set.npz"
    write_zip(path, {"y_train": member})
    tracemalloc.start()
    try:
        with pytest.raises(augcore.FileFormatError, match=r"set\.npz: .*"):
            datasets.load(f"npz:{path}")
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (pickled(), r"x: holds objects or records \(dtype object\)"),
        (described("(20,)", "[('a', '|u1')]", bytes(20)), "x: holds objects or records"),
        (described("(-4, -5)", data=bytes(20)), r"x: shape \(-4, -5\) of uint8 does not fit its \d+ bytes"),
        (described("(-1, 0)"), r"x: shape \(-1, 0\) of uint8 does not fit its \d+ bytes"),
    ],
    ids=["pickled", "record", "negative", "negative-empty"],
)
def test_read_npz_refuses_what_is_no_plain_array(tmp_path, member, message):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("x.npy", member)
    with pytest.raises(augcore.FileFormatError, match=message):
        _files.read_npz(tmp_path / "set.npz")


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("x_train", np.zeros((20, 4, 5), np.float32), "x_train: expected images of uint8"),
        ("x_train", np.zeros((20, 4), np.uint8), "x_train: expected images of uint8"),
        ("x_train", np.zeros((20, 4, 5, 1, 1), np.uint8), "x_train: expected images of uint8"),
        ("x_train", np.zeros((20, 0, 5), np.uint8), "x_train: expected images of uint8"),
        ("x_train", np.zeros((0, 4, 5), np.uint8), "x_train: expected images of uint8"),
        ("x_train", np.zeros((19, 4, 5), np.uint8), "y_train: expected 19 integer labels"),
        ("x_test", np.zeros((8, 5, 4), np.uint8), "x_test: images of shape"),
        ("y_test", np.zeros((8, 2), np.uint8), "y_test: expected 8 integer labels"),
        ("y_test", np.uint8(1), "y_test: expected 8 integer labels"),
    ],
)
def test_wrong_arrays(npz, name, values, message):
    with pytest.raises(augcore.FileFormatError, match=re.escape(message)):
        datasets.load(npz(**make_set() | {name: values}))


def test_missing_array(npz):
    arrays = make_set()
    del arrays["x_test"], arrays["y_train"]
    with pytest.raises(augcore.FileFormatError, match="has no array x_test, y_train"):
        datasets.load(npz(**arrays))


def test_a_zip_bomb_is_refused_unopened(tmp_path):
    path = tmp_path / "bomb.npz"
    zeros = bytes(2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"y_train": bytes(2**10), "x_test": b"\0", "y_test": b"\0"}.items():
            shape = "(1, 1, 1)" if name == "x_test" else f"({len(data)},)"
            archive.writestr(f"{name}.npy", described(shape, data=data))
        with archive.open("x_train.npy", "w", force_zip64=True) as member:
            member.write(described("(1024, 1, 131072)"))
            for _ in range(128):
                member.write(zeros)
    tracemalloc.start()
    try:
        with pytest.raises(augcore.FileFormatError, match="would expand"):
            datasets.load(f"npz:{path}")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def overlapping_zip(data: bytes, n: int) -> bytes:
    """n members that are one deflated stream: the extra fields of each header span the headers after it."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    local, directory = b"", b""
    for i in range(n):
        fields = (20, 0, zipfile.ZIP_DEFLATED, 0, 0, zlib.crc32(data), len(packed), len(data), 8)
        name = b"%04d.npy" % i
        directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, *fields, 0, 0, 0, 0, 0, len(local)) + name
        local += struct.pack("<4s5H3I2H", b"PK\3\4", *fields, (n - 1 - i) * 38) + name
    local += packed
    return local + directory + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n, n, len(directory), len(local), 0)


def test_members_that_share_bytes_are_refused_unopened(tmp_path, monkeypatch):
    """A bomb although no member grows a hundredfold."""
    path = tmp_path / "bomb.npz"
    stream = described("(90000,)", data=np.random.default_rng(0).bytes(2000) + bytes(88_000))
    path.write_bytes(overlapping_zip(stream, 1))
    assert _files.read_npz(path)["0000"].size == 90_000
    path.write_bytes(overlapping_zip(stream, 1700))
    tracemalloc.start()
    try:
        with pytest.raises(augcore.FileFormatError, match="overlaps"):
            _files.read_npz(path)
        monkeypatch.setattr(_files, "_check_overlap", lambda archive: None)
        with pytest.raises(augcore.FileFormatError, match="would expand"):
            _files.read_npz(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_large_zip_directory_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "many.npz"
    write_zip(path, {})
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(100):
            archive.writestr(f"{i}", b"")
    assert datasets.load(f"npz:{path}").y_test.size == 8
    monkeypatch.setattr(_files, "MAX_NPZ_DIRECTORY", 1000)
    with pytest.raises(augcore.FileFormatError, match="directory"):
        datasets.load(f"npz:{path}")


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compression_is_refused(tmp_path, compression):
    write_zip(tmp_path / "set.npz", {}, compression)
    with pytest.raises(augcore.FileFormatError, match="another method"):
        datasets.load(f"npz:{tmp_path / 'set.npz'}")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_damaged_byte_is_survived(tmp_path, compression):
    """Any single changed byte, and any cut: the same arrays, or a typed error."""
    path = tmp_path / "set.npz"
    arrays = make_set(n_train=2, n_test=2, shape=(2, 1))
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, values in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, values)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    whole = path.read_bytes()
    damaged = [whole[:i] for i in range(0, len(whole), 7)]
    damaged += [whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1 :] for i in range(len(whole)) for flip in (1, 0x80)]
    refused = same = 0
    for data in damaged:
        try:
            found = _files.read_npz(path, datasets._ARRAYS, datasets._check_headers, file=io.BytesIO(data))
        except augcore.FileFormatError as error:
            refused += str(error).startswith(str(path))
        else:
            assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
            same += 1
    assert refused + same == len(damaged)
    assert refused > same


# ---- download --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """Serves bytes by path; counts the requests; the first answers of a path may be others."""
    files: dict[str, list[bytes]] = {}
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            answers = files[self.path]
            data = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(200 if data else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/", files, requests
        httpd.shutdown()
        thread.join()


def test_download(tmp_path, mnist, monkeypatch, server):
    url, files, requests = server
    arrays = mnist(".gz")
    for path in list(tmp_path.iterdir()):
        files[f"/{path.name}"] = [path.read_bytes()]
        monkeypatch.setitem(datasets._BYTES, path.name, path.stat().st_size)
    monkeypatch.setattr(datasets, "_MNIST_URL", url)
    root = tmp_path / "new" / "folder"
    with pytest.raises(FileNotFoundError):
        datasets.load("mnist", root=root)
    assert_same(datasets.load("mnist", root=root, download=True), arrays)
    assert_same(datasets.load("mnist", root=root, download=True), arrays)
    assert len(requests) == 4


@pytest.mark.parametrize(
    ("answers", "error", "n_requests"),
    [
        ([b"wrong", b"wrong", b"right"], None, 3),
        ([b"wrong"], augcore.ChecksumError, 3),
        ([b"right and more"], augcore.ChecksumError, 3),
        ([b"righ"], augcore.ChecksumError, 3),
        ([b""], OSError, 3),
    ],
)
def test_downloads_are_checked_and_tried_three_times(tmp_path, server, answers, error, n_requests):
    url, files, requests = server
    files["/file"] = list(answers)
    wanted = {f"{url}file": (5, hashlib.sha256(b"right").hexdigest())}
    if error is None:
        _download.fetch(wanted, tmp_path)
        assert (tmp_path / "file").read_bytes() == b"right"
    else:
        with pytest.raises(error, match=url):
            _download.fetch(wanted, tmp_path)
        assert list(tmp_path.iterdir()) == []
    assert len(requests) == n_requests


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
        assert made.files == kept.files == list(datasets._ARRAYS)
        assert all(np.array_equal(made[name], kept[name]) for name in kept.files)
    assert hashlib.sha256(target.read_bytes()).hexdigest() in output
