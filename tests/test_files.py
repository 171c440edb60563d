"""Files that are whole at every instant, locks, and arrays read from bytes that anybody may have written."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
