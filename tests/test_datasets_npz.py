"""Sets in .npz files that nobody should make: pickles, wrong shapes, bombs, and every damaged byte."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_sets import make_set

import augcore
from augcore import _files, datasets
from augcore.datasets import npz


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
def test_wrong_arrays(write_npz, name, values, message):
    with pytest.raises(augcore.FileFormatError, match=re.escape(message)):
        datasets.load(write_npz(**make_set() | {name: values}))


def test_missing_array(write_npz):
    arrays = make_set()
    del arrays["x_test"], arrays["y_train"]
    with pytest.raises(augcore.FileFormatError, match="has no array x_test, y_train"):
        datasets.load(write_npz(**arrays))


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
            found = _files.read_npz(path, npz.ARRAYS, npz.check_headers, file=io.BytesIO(data))
        except augcore.FileFormatError as error:
            refused += str(error).startswith(str(path))
        else:
            assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
            same += 1
    assert refused + same == len(damaged)
    assert refused > same
