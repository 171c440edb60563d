"""Files that are whole at every instant, locks, and arrays read from bytes that anybody may have written."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augcore import FileFormatError, _files


def test_atomic_write_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"one", b"", b"three"):
        with _files.atomic_write(path) as file:
            file.write(content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write() -> None:
        with _files.atomic_write(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/a")
    for content in (b"one", b"two"):
        with _files.atomic_write(tmp_path / "link") as file:
            file.write(content)
        assert (tmp_path / "folder" / "a").read_bytes() == content
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("kind", ["device", "folder", "pipe", "loop"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    make = {"device": lambda: path.symlink_to("/dev/null"), "loop": lambda: path.symlink_to("a")}
    make.get(kind, path.mkdir if kind == "folder" else lambda: os.mkfifo(path))()
    before = path.lstat()
    with pytest.raises(OSError, match="not a regular file") as caught, _files.atomic_write(path):
        pass
    assert caught.value.filename == str(path)
    assert path.lstat() == before
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_writing_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FileNotFoundError) as caught, _files.atomic_write(tmp_path / "none" / "a"):
        pass
    assert caught.value.filename == str(tmp_path / "none" / "a")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught, _files.atomic_write(tmp_path / "a"):
        pass
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a"))


def test_target_keeps_its_content_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with _files.atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"


def test_content_is_synced_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []

    def note(name: str, call: Callable[..., None]) -> None:
        def noted(*arguments: object) -> None:
            events.append(name)
            call(*arguments)

        monkeypatch.setattr(os, name, noted)

    note("fsync", os.fsync)
    note("replace", os.replace)
    with _files.atomic_write(tmp_path / "a") as file:
        file.write(b"new")
    assert events == ["fsync", "replace", "fsync"]


def test_remove_partials(tmp_path: Path) -> None:
    for name in (".a.12345678.partial", "b.partial", ".lock", "c"):
        (tmp_path / name).touch()
    _files.remove_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "b.partial", "c"]


def test_lock_holds_against_other_processes_and_ends(tmp_path: Path) -> None:
    code = f"""if True:
        from pathlib import Path
        from augcore import _files
        with _files.locked(Path({str(tmp_path)!r})):
            print("in")
    """

    def enter() -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    with _files.locked(tmp_path):
        assert "BlockingIOError" in enter().stderr
    assert enter().stdout == "in\n"


@pytest.mark.parametrize(
    "values", [np.arange(6.0).reshape(2, 3), np.zeros((0, 4), np.uint8), np.array(3), np.array([True])]
)
def test_arrays_come_back(values: np.ndarray) -> None:
    back = _files.decode_array(_files.encode_array(values), Path("a.npy"))
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values, strict=True)


def test_objects_are_neither_written_nor_read() -> None:
    objects = np.array([None, "a"], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        _files.encode_array(objects)
    buffer = io.BytesIO()
    np.save(buffer, objects, allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"^a\.npy: "):
        _files.decode_array(buffer.getvalue(), Path("a.npy"))


WHOLE = _files.encode_array(np.arange(20, dtype=np.float32))


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: WHOLE[:70] + tail))
def test_any_bytes_are_an_array_or_refused(data: bytes) -> None:
    message = "a.npy: "
    try:
        assert _files.decode_array(data, Path("a.npy")).dtype != object
    except FileFormatError as error:
        message = str(error)
    assert message.startswith("a.npy: ")
    assert "\n" not in message


@pytest.mark.parametrize("end", [0, 1, 10, 127, 128, 200, len(WHOLE) - 1])
def test_truncated_array_is_refused(end: int) -> None:
    with pytest.raises(FileFormatError):
        _files.decode_array(WHOLE[:end], Path("a.npy"))


def test_header_that_claims_too_much_is_refused() -> None:
    with pytest.raises(FileFormatError):
        _files.decode_array(WHOLE.replace(b"(20,)", b"(9999999999999,)"), Path("a.npy"))


# ---- files that are mapped -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)),
        np.arange(5, dtype=">f4"),
        np.arange(5, dtype=">i2"),
        np.zeros((0, 4), np.uint8),
        np.zeros((3, 0), order="F"),
        np.array(3.5),
        np.array(["a", "bcd"]),
        np.array([True, False]),
    ],
    ids=lambda values: f"{values.dtype.str}{values.shape}",
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_mapped_arrays_are_those_that_were_saved(tmp_path: Path, values: np.ndarray, version: tuple[int, int]) -> None:
    with open(tmp_path / "a.npy", "wb") as file, warnings.catch_warnings(action="ignore"):
        np.lib.format.write_array(file, values, version)
    back = _files.open_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(back, values, strict=True)
    assert back.dtype == values.dtype
    assert back.flags.f_contiguous == values.flags.f_contiguous
    assert isinstance(back, np.memmap) == (values.size > 0)
    with pytest.raises(ValueError, match="read-only"):
        back[...] = values


def test_numbers_as_python_2_wrote_them(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(_npy(_described("(2L,)"), np.arange(2, dtype=np.float32).tobytes()))
    assert _files.open_npy(tmp_path / "a.npy").tolist() == [0.0, 1.0]


def test_a_mapped_file_is_not_read_before_it_is_used(tmp_path: Path) -> None:
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**37,)})
        file.truncate(file.tell() + 2**40)  # a hole
    back = _files.open_npy(tmp_path / "a.npy")
    assert back.shape == (2**37,)
    assert back[-1] == 0.0


def _npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text + data


def _described(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a .npy file"),
        (b"\x93NUMPY", "not a .npy file"),
        (b"PK\x03\x04 and more", "not a .npy file"),
        (_npy(_described("(4,)"), bytes(16), b"\x09\x00"), r"version \(9, 0\) is not supported"),
        (_npy(_described("(4,)"), bytes(15)), r"shape \(4,\) of float32 does not fit its"),
        (_npy(_described("(4,)"), bytes(17)), "does not fit"),
        (_npy(_described("(4,)"))[:40], "no readable .npy header"),
        (_npy(_described("(-1,)"), bytes(4)), "does not fit"),
        (_npy(_described("(-2, -2)"), bytes(16)), "does not fit"),
        (_npy(_described("(99999999999999999999999,)")), "does not fit"),
        (_npy(_described(f"({'9' * 4000},)")), "does not fit"),
        (_npy(_described(f"(0, {2**62}, {2**62})")), "too (big|large)"),
        (_npy(_described("(1.5,)"), bytes(4)), "no readable"),
        (_npy(_described(f"({'1, ' * 65})"), bytes(4)), "maximum"),
        (_npy(_described(f"{'(' * 3000}{')' * 3000}")), "no readable"),
        (_npy(_described("(4,)", "'<V4'"), bytes(16)), "objects or records"),
        (_npy(_described("(4,)", "[('a', '<f4')]"), bytes(16)), "objects or records"),
        (_npy(_described("(4,)", "'|O'"), bytes(32)), "objects or records"),
        (_npy(_described("(4,)", "'<U0'")), "does not fit"),
        (_npy(_described("(4,)", "'nonsense'"), bytes(16)), "no readable"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'", "no readable"),
        (_npy("{'descr': '<f4'}\n"), "no readable"),
    ],
)
def test_files_that_are_damaged_or_hostile(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=words) as caught:
        _files.open_npy(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)
    with pytest.raises(FileFormatError, match=words):
        _files.decode_array(data, path)


@given(st.binary(max_size=100), st.integers(0, len(WHOLE)))
def test_any_file_is_mapped_or_refused(tmp_path_factory: pytest.TempPathFactory, tail: bytes, kept: int) -> None:
    path = tmp_path_factory.getbasetemp() / "any.npy"
    path.write_bytes(WHOLE[:kept] + tail)
    message = f"{path}: "
    try:
        assert _files.open_npy(path).dtype != object
    except FileFormatError as error:
        message = str(error)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["none", "folder", "pipe", "device"])
def test_what_is_no_file_is_not_mapped(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.npy"
    make = {"none": lambda: None, "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}
    make.get(kind, lambda: path.symlink_to("/dev/null"))()
    with pytest.raises(OSError) as caught:
        _files.open_npy(path)
    assert caught.value.filename == str(path)


# ---- files that are filled in parts ----------------------------------------------------------------------------------


def _saved(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(10,), (0,), (7, 3), (4, 0), (3, 2, 2)])
@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint8])
def test_a_file_filled_in_parts_is_the_one_saved_at_once(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    (tmp_path / "a.npy").write_bytes(b"old")
    with _files.NpyWriter(tmp_path / "a.npy", shape, dtype) as writer:
        for first in range(0, len(values), 3):
            writer.write(first, np.asfortranarray(values[first : first + 3]))
            assert (tmp_path / "a.npy").read_bytes() == b"old"
        writer.commit()
    assert (tmp_path / "a.npy").read_bytes() == _saved(values)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.npy"]


def test_rows_outside_of_the_file_are_refused(tmp_path: Path) -> None:
    with _files.NpyWriter(tmp_path / "a.npy", (4, 2), np.float64) as writer:
        for first, shape in ((3, (2, 2)), (-1, (1, 2)), (0, (2, 3)), (0, (8,))):
            with pytest.raises(ValueError, match="not within"):
                writer.write(first, np.zeros(shape))


@pytest.mark.parametrize("key", [None, b"these inputs"])
@pytest.mark.parametrize("flushed", [0, 3])
def test_what_stays_of_an_unfinished_file(tmp_path: Path, key: bytes | None, flushed: int) -> None:
    def begin() -> None:
        with _files.NpyWriter(tmp_path / "a.npy", (9,), np.float64, key=key) as writer:
            assert writer.rows == 0
            writer.write(0, np.arange(5.0))
            if flushed:
                writer.flush(flushed)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin()
    kept = flushed if key else 0
    assert len(list(tmp_path.iterdir())) == (kept > 0)
    with _files.NpyWriter(tmp_path / "a.npy", (9,), np.float64, key=key) as writer:
        assert writer.rows == kept
        writer.write(kept, np.arange(kept, 9.0))
        writer.commit()
    assert (tmp_path / "a.npy").read_bytes() == _saved(np.arange(9.0))


@pytest.mark.parametrize("other", ["key", "shape", "dtype", "note", "cut"])
def test_the_partial_file_of_other_work_begins_anew(tmp_path: Path, other: str) -> None:
    given = {"shape": (8,), "dtype": np.float64, "key": b"one"}
    with _files.NpyWriter(tmp_path / "a.npy", **given) as writer:
        writer.write(0, np.full(8, 7.0))
        writer.flush(6)
    (partial,) = tmp_path.iterdir()
    if other in given:
        given[other] = {"key": b"two", "shape": (4, 2), "dtype": np.int64}[other]
    elif other == "note":
        partial.write_bytes(partial.read_bytes()[:-8] + bytes(8))
    else:
        partial.write_bytes(partial.read_bytes()[:-9])
    with _files.NpyWriter(tmp_path / "a.npy", **given) as writer:
        assert writer.rows == 0
        writer.commit()
    assert not _files.open_npy(tmp_path / "a.npy").any()  # nothing of the other is left


def test_a_killed_writer_is_gone_on_with(tmp_path: Path, run_python: Any) -> None:
    code = f"""if True:
        import os, signal
        import numpy as np
        from augcore import _files
        with _files.NpyWriter({str(tmp_path / "a.npy")!r}, (9,), np.float64, key=b"k") as writer:
            writer.write(0, np.arange(7.0))
            writer.flush(4)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run_python(code, check=False).returncode == -9
    with _files.NpyWriter(tmp_path / "a.npy", (9,), np.float64, key=b"k") as writer:
        assert writer.rows == 4
        writer.write(4, np.arange(4.0, 9.0))
        writer.commit()
    assert (tmp_path / "a.npy").read_bytes() == _saved(np.arange(9.0))


def test_rows_are_durable_before_it_is_noted_and_all_before_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = []

    def note(name: str, call: Callable[..., Any]) -> None:
        def noted(*arguments: Any) -> Any:
            events.append(name)
            return call(*arguments)

        monkeypatch.setattr(os, name, noted)

    with _files.NpyWriter(tmp_path / "a.npy", (2,), np.float64, key=b"") as writer:
        for name in ("pwrite", "fsync", "ftruncate", "replace"):
            note(name, getattr(os, name))
        writer.write(0, np.zeros(2))
        writer.flush(2)
        writer.commit()
    assert events == ["pwrite", "fsync", "pwrite", "fsync", "ftruncate", "fsync", "replace", "fsync"]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with _files.NpyWriter(tmp_path / "a.npy", (3,), np.float64) as writer:
        with pytest.raises(BlockingIOError, match="another process") as caught:
            _files.NpyWriter(tmp_path / "a.npy", (3,), np.float64).__enter__()
        assert caught.value.filename == str(tmp_path / "a.npy")
        writer.commit()
        # The name is free again, and the first writer leaves the file of the second alone.
        second = _files.NpyWriter(tmp_path / "a.npy", (4,), np.float64).__enter__()
    second.commit()
    second.__exit__()
    assert _files.open_npy(tmp_path / "a.npy").shape == (4,)


def test_a_partial_file_put_in_its_place_while_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = fcntl.flock
    (tmp_path / ".a.npy.partial").write_bytes(b"of another process")

    def late(*arguments: Any) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rename(tmp_path / ".a.npy.partial", tmp_path / "theirs")
            monkeypatch.setattr(fcntl, "flock", lock)
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", late)
    with _files.NpyWriter(tmp_path / "a.npy", (1,), np.float64) as writer:
        writer.write(0, np.ones(1))
        writer.commit()
    assert (tmp_path / "theirs").read_bytes() == b"of another process"
    assert (tmp_path / "a.npy").read_bytes() == _saved(np.ones(1))


@pytest.mark.parametrize("name", ["posix_fallocate", "pwrite", "fsync", "ftruncate", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write() -> None:
        with _files.NpyWriter(tmp_path / "a.npy", (3,), np.float64) as writer:
            writer.write(0, np.zeros(3))
            writer.commit()

    (tmp_path / "a.npy").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, name, full)
        with pytest.raises(OSError, match="No space left") as caught:
            write()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a.npy"))
    assert (tmp_path / "a.npy").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.npy"]
    write()


def test_a_file_too_large_is_told_before_the_work(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            _files.NpyWriter(tmp_path / "a.npy", (10_000,), np.float64).__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "a.npy"))
    assert not list(tmp_path.iterdir())


def test_file_systems_that_cannot_set_space_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with _files.NpyWriter(tmp_path / "a.npy", (3,), np.float64, key=b"k") as writer:
        writer.write(0, np.ones(2))
        writer.flush(2)
    with _files.NpyWriter(tmp_path / "a.npy", (3,), np.float64, key=b"k") as writer:
        assert writer.rows == 2
        writer.write(2, np.ones(1))
        writer.commit()
    assert (tmp_path / "a.npy").read_bytes() == _saved(np.ones(3))
