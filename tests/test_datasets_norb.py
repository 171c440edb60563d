"""Small NORB and the jittered one, on small files in exactly the official format, whole and damaged."""

from __future__ import annotations

import functools
import gzip
import math
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_sets import trust

import augcore
from augcore import datasets
from augcore.datasets import checksums, norb

BYTES, INTEGERS = 0x1E3D4C55, 0x1E3D4C54
N = 12  # images in a file
SIDES = {"norb": 96, "norb-jittered": 108}


def tensor(values: np.ndarray, order: str = "<", magic: int | None = None) -> bytes:
    """A file as the data sets have them: three lengths at least, those without a meaning are 1."""
    magic = magic or (BYTES if values.dtype == np.uint8 else INTEGERS)
    lengths = [*values.shape, 1, 1][: max(values.ndim, 3)]
    head = struct.pack(f"{order}2i{len(lengths)}i", magic, values.ndim, *lengths)
    return head + values.astype(values.dtype.newbyteorder(order)).tobytes()


def header(*numbers: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}{len(numbers)}i", *numbers)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Editions whose files hold a dozen images."""
    for name, edition in norb.EDITIONS.items():
        monkeypatch.setitem(norb.EDITIONS, name, edition._replace(n_images=N))


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes a file, packed or not, and declares it official; damaged ones too, so that their format is looked at."""

    def write(name: str, data: bytes, *, trusted: bool = True) -> Path:
        if trusted and not name.startswith("norb-"):
            trust(monkeypatch, name, data)
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.fixture
def write_set(put):
    """All files of an edition; the left images and categories of its training and test set."""

    def write(name: str, suffix: str = "", order: str = "<", info: bool = True) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(5)
        edition = norb.EDITIONS[name]
        arrays: dict[str, list] = {}
        for part, stems in (("train", edition.train), ("test", edition.test)):
            for stem in stems:
                images = rng.integers(0, 256, (N, 2, edition.side, edition.side), np.uint8)
                categories = rng.permutation(np.arange(N) % edition.n_categories).astype(np.int32)
                tensors = {"dat": images, "cat": categories}
                if info:
                    tensors["info"] = rng.integers(0, 9, (N, edition.n_info)).astype(np.int32)
                for kind, values in tensors.items():
                    data = tensor(values, order)
                    put(f"{stem}-{kind}.mat{suffix}", gzip.compress(data, 1) if suffix else data)
                arrays.setdefault(f"x_{part}", []).append(images[:, 0])
                arrays.setdefault(f"y_{part}", []).append(categories)
        return {key: np.concatenate(values) for key, values in arrays.items()}

    return write


# ---- whole files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", ["norb", "norb-jittered"])
def test_the_left_images_of_the_five_classes(tmp_path, write_set, name, suffix, order):
    arrays = write_set(name, suffix, order)
    data = datasets.load(name, root=tmp_path)
    margin = (SIDES[name] - 96) // 2
    assert data.class_names == ("animal", "human", "airplane", "truck", "car")
    for part, x, y in (("train", data.x_train, data.y_train), ("test", data.x_test, data.y_test)):
        kept = arrays[f"y_{part}"] < 5
        expected = arrays[f"x_{part}"][kept][:, margin : margin + 96, margin : margin + 96, None]
        np.testing.assert_array_equal(x, expected, strict=True)
        np.testing.assert_array_equal(y, arrays[f"y_{part}"][kept])
        assert y.dtype == np.int64
    assert len(data.y_train) == (N if name == "norb" else 10 * 10)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_two_classes_and_the_first_images(tmp_path, write_set, monkeypatch, suffix):
    """Only files in which images are wanted are opened for them."""
    monkeypatch.setattr(norb, "_BLOCK", 5)
    arrays = write_set("norb-jittered", suffix)
    for stem in norb.EDITIONS["norb-jittered"].train[2:]:
        (tmp_path / f"{stem}-dat.mat{suffix}").write_bytes(b"never opened")
    data = datasets.load("norb-jittered", root=tmp_path, classes=("human", 0), n_train=6)
    rows = np.flatnonzero(arrays["y_train"] < 2)[:6]
    assert rows[-1] >= N
    np.testing.assert_array_equal(data.x_train[..., 0], arrays["x_train"][rows, 6:-6, 6:-6])
    np.testing.assert_array_equal(data.y_train, 1 - arrays["y_train"][rows])
    test = np.flatnonzero(arrays["y_test"] < 2)
    np.testing.assert_array_equal(data.x_test[..., 0], arrays["x_test"][test, 6:-6, 6:-6])


def test_some_files_may_be_packed_and_info_may_be_missing(tmp_path, write_set, put):
    arrays = write_set("norb", ".gz", info=False)
    packed = tmp_path / f"{norb.EDITIONS['norb'].train[0]}-cat.mat.gz"
    put(packed.name.removesuffix(".gz"), gzip.decompress(packed.read_bytes()))
    packed.write_bytes(b"never opened")
    np.testing.assert_array_equal(datasets.load("norb", root=tmp_path).y_train, arrays["y_train"])


def test_memory_is_that_of_the_images_that_are_kept(tmp_path, write_set, monkeypatch):
    monkeypatch.setattr(norb, "_BLOCK", 2)
    write_set("norb-jittered", ".gz")
    datasets.load("norb-jittered", root=tmp_path)
    tracemalloc.start()
    try:
        data = datasets.load("norb-jittered", root=tmp_path)
        kept = data.x_train.nbytes + data.x_test.nbytes
        assert tracemalloc.get_traced_memory()[1] < kept + 2**20
    finally:
        tracemalloc.stop()


def test_the_format_is_that_of_the_official_files(tmp_path, monkeypatch):
    """The official labels, written anew in this format, have the MD5 that is published for them."""
    monkeypatch.undo()
    path = tmp_path / "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat"
    path.write_bytes(tensor(np.tile(np.arange(5, dtype=np.int32), 4860)))
    assert checksums.kind_of_sum(path.name) == "MD5"
    norb.check_file("norb", path)
    path.write_bytes(tensor(np.tile(np.arange(5, dtype=np.int32), 4860), ">"))
    with pytest.raises(augcore.ChecksumError, match="MD5"):
        norb.check_file("norb", path)


def test_what_the_names_of_the_files_say():
    """Instances x elevations x azimuths x lightings of five categories, and a sixth without objects."""
    # The editions are small here: their counts stand in the module.
    counts = {"norb": 5 * 5 * 9 * 18 * 6, "norb-jittered": 6 * 5 * 9 * 18 * 6}
    source = Path(norb.__file__).read_text()
    for count in counts.values():
        assert f"n_images={count:_}" in source
    assert len(norb.files("norb")) == 4
    assert len(norb.files("norb-jittered")) == 24
    assert len(norb.optional_files("norb-jittered")) == 12
    for name in norb.EDITIONS:
        assert all(f"x{SIDES[name]}x{SIDES[name]}-" in file for file in norb.files(name))


# ---- damaged files ---------------------------------------------------------------------------------------------------

SHAPE = (N, 2, 96, 96)
IMAGES = np.zeros(SHAPE, np.uint8)
LABELS = np.zeros(N, np.int32)

DAMAGED = {
    "empty": ("dat", b"", "too short"),
    "short": ("dat", header(BYTES), "too short"),
    "cut-header": ("dat", header(BYTES, 4, N, 2, 96), "within its header"),
    "cut": ("dat", tensor(IMAGES)[:-1], "instead of"),
    "trailing": ("dat", tensor(IMAGES) + b"\0", "instead of"),
    "magic": ("dat", tensor(IMAGES, magic=0x1E3D4C51), "magic number 514c3d1e"),
    "text": ("dat", b"MATLAB 5.0 MAT-file, Platform: GLNX86", "magic number 4d41544c"),
    "integers": ("dat", tensor(IMAGES.astype(np.int32)), "holds 32-bit integers instead of bytes"),
    "three": ("dat", tensor(IMAGES[:, 0]), "has 3 dimensions instead of 4"),
    "negative-ndim": ("dat", header(BYTES, -1, 1, 1, 1), "has -1 dimensions"),
    "many": ("dat", header(BYTES, 2**31 - 1, *[1] * 40), "has 2147483647 dimensions"),
    "other-order": ("dat", header(BYTES) + tensor(IMAGES, ">")[4:], "dimensions instead of 4"),
    "right-only": ("dat", tensor(IMAGES[:, :1]), r"is of shape \(12, 1, 96, 96\)"),
    "huge": ("dat", header(BYTES, 4, 2**20, 2, 2**10, 2**9), "is of shape"),
    "overflow": ("dat", header(BYTES, 4, *[2**31 - 1] * 4), "is of shape"),
    "negative": ("dat", header(BYTES, 4, -N, -2, 96, 96), "is of shape"),
    "labels-of-bytes": ("cat", tensor(LABELS.astype(np.uint8)), "holds bytes instead of 32-bit integers"),
    "two-lengths": ("cat", header(INTEGERS, 1, N) + LABELS.tobytes(), "instead of"),
    "few-labels": ("cat", tensor(LABELS[:-1]), r"is of shape \(11,\) instead of \(12,\)"),
    "label": ("cat", tensor(LABELS + 5), "categories outside 0 to 4"),
    "negative-label": ("cat", tensor(LABELS - 1), "categories outside 0 to 4"),
    "info-columns": ("info", tensor(np.zeros((N, 5), np.int32)), r"is of shape \(12, 5\) instead of \(12, 4\)"),
    "info-cut": ("info", tensor(np.zeros((N, 4), np.int32))[:-4], "instead of"),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("kind", "data", "words"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_refused(tmp_path, write_set, put, kind, data, words, suffix):
    write_set("norb", suffix)
    name = f"{norb.EDITIONS['norb'].test[0]}-{kind}.mat{suffix}"
    path = put(name, gzip.compress(data) if suffix else data)
    words = words.replace("instead of", "") if suffix and words == "instead of" else words
    tracemalloc.start()
    try:
        for read in (
            functools.partial(datasets.load, "norb", root=tmp_path),
            functools.partial(norb.check_file, "norb", path),
        ):
            with pytest.raises(augcore.FileFormatError, match=f"{name}: .*{words}"):
                read()
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("damage", ["cut", "bit", "deflate", "not-gzip", "bomb", "bomb-behind", "crc"])
def test_damaged_packing_is_refused(tmp_path, write_set, put, damage):
    write_set("norb", ".gz")
    name = f"{norb.EDITIONS['norb'].train[0]}-dat.mat.gz"
    whole = bytearray((tmp_path / name).read_bytes())
    if damage == "cut":
        whole = whole[:-20_000]
    elif damage == "bit":
        whole[2000] ^= 0xFF
    elif damage == "deflate":
        whole[10] = 7  # a kind of block that there is not
    elif damage == "not-gzip":
        whole = bytearray(tensor(IMAGES))
    elif damage == "crc":
        whole[-6] ^= 1
    else:
        packer = zlib.compressobj(9, wbits=31)
        bomb = packer.compress(header(BYTES, 4, *SHAPE) if damage == "bomb" else b"")
        bomb += b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
        whole = bomb if damage == "bomb" else whole + bomb
    put(name, bytes(whole))
    tracemalloc.start()
    try:
        with pytest.raises(augcore.FileFormatError, match=name):
            datasets.load("norb", root=tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_has_no_sum_is_looked_at_as_closely(tmp_path, write_set, put, suffix):
    """Of the jittered set: every file with its last byte missing, or one more, is found."""
    write_set("norb-jittered", suffix)
    assert {finding.state for finding in datasets.verify("norb-jittered", root=tmp_path)} == {"ok"}
    for path in sorted(tmp_path.glob("*-01-*")):
        whole = path.read_bytes()
        raw = gzip.decompress(whole) if suffix else whole
        for data in (raw[:-1], raw + b"\0"):
            path.write_bytes(gzip.compress(data, 1) if suffix else data)
            (found,) = (f for f in datasets.verify("norb-jittered", root=tmp_path) if f.state != "ok")
            assert found.path == path
            assert found.state == "damaged"
        path.write_bytes(whole)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_wrong_sums(tmp_path, write_set, suffix):
    write_set("norb", suffix)
    for kind in ("dat", "cat", "info"):
        path = tmp_path / f"{norb.EDITIONS['norb'].test[0]}-{kind}.mat{suffix}"
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(augcore.ChecksumError, match=path.name):
            datasets.load("norb", root=tmp_path)
        path.write_bytes(whole)
    datasets.load("norb", root=tmp_path)


@pytest.mark.parametrize("name", ["norb", "norb-jittered"])
def test_missing_files(tmp_path, write_set, name):
    with pytest.raises(FileNotFoundError, match=f"{name}: no data; put the .* official files") as caught:
        datasets.load(name, root=tmp_path, download=name == "norb-jittered")
    assert caught.value.filename == str(tmp_path)
    write_set(name)
    for file in norb.files(name):
        (tmp_path / file).rename(tmp_path / "away")
        with pytest.raises(FileNotFoundError, match="is missing, though other files") as caught:
            datasets.load(name, root=tmp_path)
        assert caught.value.filename == str(tmp_path / file)
        (tmp_path / "away").rename(tmp_path / file)


@pytest.mark.parametrize("flips", [1, 0x80, 0xFF])
def test_every_damaged_byte_of_a_header(tmp_path, put, flips):
    """Only the two lengths without a meaning may be anything."""
    name = f"{norb.EDITIONS['norb'].test[0]}-cat.mat"
    whole = tensor(LABELS)
    assert len(whole) == 20 + 4 * N
    for i in range(20):
        damaged = bytearray(whole)
        damaged[i] ^= flips
        path = put(name, bytes(damaged))
        if i < 12:
            with pytest.raises(augcore.FileFormatError, match=name):
                norb.check_file("norb", path)
        else:
            norb.check_file("norb", path)
    for length in range(len(whole)):
        with pytest.raises(augcore.FileFormatError, match=name):
            norb.check_file("norb", put(name, whole[:length]))


def test_random_bytes_are_never_taken(tmp_path, put):
    rng = np.random.default_rng(0)
    name = f"{norb.EDITIONS['norb'].test[0]}-dat.mat"
    for _ in range(300):
        data = rng.bytes(rng.integers(0, 60))
        if rng.random() < 0.7:
            data = header(BYTES, int(rng.integers(-2, 9)), *rng.integers(-(2**31), 2**31, 4).tolist()) + data
        with pytest.raises(augcore.FileFormatError, match=name):
            norb.check_file("norb", put(name, data))
    assert math.prod(SHAPE) > 60


# ---- experiments -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("name", ["norb", "norb-augmented", "norb-jittered"])
def test_the_presets_run_on_what_train_writes(tmp_path, write_set, monkeypatch, name):
    for module in ("keras", "pydantic", "pyarrow"):
        pytest.importorskip(module)
    from augcore.cli.training import _folder_name
    from augcore.experiments import config, presets, runner
    from augcore.features import networks, weights

    settings = presets.PRESETS[name]
    monkeypatch.setitem(globals(), "N", 40)
    monkeypatch.setitem(norb.EDITIONS, settings["dataset"], norb.EDITIONS[settings["dataset"]]._replace(n_images=40))
    write_set(settings["dataset"])
    monkeypatch.setenv("AUGCORE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    model = Path(settings["model"])
    augmented = name == "norb-augmented"
    assert model.parts[1:] == (_folder_name("resnet56v2", settings["dataset"], augmented=augmented), "weights.npz")
    model.parent.mkdir(parents=True)
    network = networks.build("resnet11v2", (96, 96, 1), 5, networks.Layers(np.random.default_rng(0)))
    about = {"network": "resnet11v2", "shape": [96, 96, 1], "classes": ["animal", "human", "airplane", "truck", "car"]}
    weights.write_weights(model, network, about)
    small = {"n_train": 16, "sizes": [1, 16], "rounds": 1, "scores": ["loss"], "configurations": ["baseline"]}
    folder = runner.run(config.parse(config.override({**settings, **small}, [])), tmp_path / "run")
    lines = (folder / "references.csv").read_text().splitlines()
    families = ["rotate", "crop"] if augmented else ["translate", "rotate", "crop"]
    assert [line.split(",")[0] for line in lines[1:]] == families
    assert np.load(folder / "features" / "train.npy").shape == (16, 256)
    assert np.load(folder / "arrays" / "class_names.npy").tolist() == ["animal", "human"]
