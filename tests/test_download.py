"""Downloads from a server of our own: whole, gone on with, cut, wrong, too long, interrupted, on a full disk."""

from __future__ import annotations

import errno
import hashlib
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import augcore
from augcore import _download, _files

DATA = np.random.default_rng(0).bytes(100_000)


class Answer(NamedTuple):
    """What a server says to one request, if not what it should."""

    data: bytes = DATA
    cut: int | None = None  # the connection, after so many bytes
    ranges: bool = True  # sends the part that is asked for
    status: int | None = None
    stated: int | None = None  # Content-Length; -1: none
    shift: int = 0  # of the part
    pause: bool = False  # after what was sent before the cut, until the client goes away


RIGHT = Answer()


class Server:
    """Answers the requests one after the other, the last answer again and again; notes what was asked for."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [RIGHT]
        self.ranges: list[str | None] = []
        self.released = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}/folder/file.bin"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        wanted = request.headers["Range"]
        self.ranges.append(wanted)
        begin = 0
        status = 200
        if wanted and answer.ranges:
            begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) + answer.shift
            status = 206 if begin < len(answer.data) else 416
        body = answer.data[begin:] if status != 416 else b""
        request.send_response(answer.status or status)
        if status == 206:
            request.send_header("Content-Range", f"bytes {begin}-{len(answer.data) - 1}/{len(answer.data)}")
        if answer.stated != -1:
            request.send_header("Content-Length", str(len(body) if answer.stated is None else answer.stated))
        request.end_headers()
        request.wfile.write(body[: answer.cut])
        if answer.pause:
            self.released.wait(20)
        request.close_connection = True


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(_download, "_PAUSE", 0.0)
    server = Server()
    thread = threading.Thread(target=server.httpd.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.released.set()
    server.httpd.shutdown()
    thread.join()
    server.httpd.server_close()


def fetch(server: Server, folder: Path, data: bytes = DATA, **options) -> None:
    _download.fetch({server.url: (len(data), hashlib.sha256(data).hexdigest())}, folder, **options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_once(tmp_path, server):
    steps: list[tuple[str, float, float]] = []
    fetch(server, tmp_path / "new" / "folder", progress=lambda *step: steps.append(step))
    assert (tmp_path / "new/folder/file.bin").read_bytes() == DATA
    assert names(tmp_path / "new/folder") == ["file.bin"]
    assert steps[0] == ("file.bin", 0, len(DATA))
    assert steps[-1] == ("file.bin", len(DATA), len(DATA))
    assert sorted(steps) == steps
    fetch(server, tmp_path / "new" / "folder")
    assert server.ranges == [None]


CUT = Answer(cut=30_000)
WRONG = Answer(DATA[:-1] + b"x")
LONGER = Answer(DATA + b"x")


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        ([CUT, RIGHT], [None, "bytes=30000-"]),
        ([CUT, Answer(cut=50_000), RIGHT], [None, "bytes=30000-", "bytes=80000-"]),
        ([CUT, Answer(ranges=False)], [None, "bytes=30000-"]),
        ([CUT, Answer(ranges=False, cut=10), RIGHT], [None, "bytes=30000-", "bytes=10-"]),
        ([CUT, Answer(shift=-1), RIGHT], [None, "bytes=30000-", None]),
        ([CUT, Answer(DATA[:20_000]), RIGHT], [None, "bytes=30000-", None]),
        ([CUT, WRONG, RIGHT], [None, "bytes=30000-", None]),
        ([CUT, LONGER, RIGHT], [None, "bytes=30000-", None]),
        ([WRONG, RIGHT], [None, None]),
        ([LONGER, Answer(DATA[:-1]), RIGHT], [None, None, None]),
        ([Answer(status=503), Answer(status=404), RIGHT], [None, None, None]),
        ([Answer(stated=-1)], [None]),
        ([Answer(cut=30_000, stated=-1), RIGHT], [None, "bytes=30000-"]),
        ([Answer(DATA + b"x", stated=-1), RIGHT], [None, None]),
        ([Answer(cut=0), Answer(cut=0), RIGHT], [None, None, None]),
    ],
)
def test_what_has_come_is_kept_and_what_is_wrong_is_not(tmp_path, server, answers, ranges):
    server.answers = list(answers)
    fetch(server, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == DATA
    assert names(tmp_path) == ["file.bin"]
    assert server.ranges == ranges


@pytest.mark.parametrize(
    ("answer", "error", "left"),
    [
        (WRONG, augcore.ChecksumError, None),
        (LONGER, augcore.ChecksumError, None),
        (Answer(DATA[:-1]), augcore.ChecksumError, None),
        (Answer(DATA + b"x", stated=-1), augcore.ChecksumError, None),
        (Answer(b"", status=404), OSError, None),
        (Answer(cut=1000), OSError, 3000),
        (Answer(cut=1000, ranges=False), OSError, 1000),
        (Answer(DATA[:1000], stated=-1), OSError, 1000),
    ],
)
def test_three_tries(tmp_path, server, answer, error, left):
    server.answers = [answer]
    with pytest.raises(error, match=re.escape(server.url)) as caught:
        fetch(server, tmp_path)
    assert len(server.ranges) == 3
    assert names(tmp_path) == ([] if left is None else [".file.bin.partial"])
    if left is not None:
        assert (tmp_path / ".file.bin.partial").read_bytes() == DATA[:left]
        assert f"cut after {left} of 100000 bytes" in str(caught.value)
        server.answers = [RIGHT]
        fetch(server, tmp_path)
        assert server.ranges[3:] == [f"bytes={left}-"]
        assert names(tmp_path) == ["file.bin"]


@pytest.mark.parametrize(
    ("before", "ranges"),
    [
        (DATA[:70_000], ["bytes=70000-"]),
        (DATA, []),
        (DATA + b"x", [None]),
        (b"x" + DATA[1:70_000], ["bytes=70000-", None]),
        (b"x" + DATA[1:], [None]),
        (b"", [None]),
    ],
    ids=["begun", "whole", "too-long", "wrong-begun", "wrong-whole", "empty"],
)
def test_a_partial_file_that_was_found(tmp_path, server, before, ranges):
    (tmp_path / ".file.bin.partial").write_bytes(before)
    fetch(server, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == DATA
    assert names(tmp_path) == ["file.bin"]
    assert server.ranges == ranges


def test_nobody_answers(tmp_path, server):
    server.httpd.server_close()
    unused = "http://127.0.0.1:9/file.bin"
    with pytest.raises(OSError, match=rf"{unused}: cannot be fetched: .*refused.*; try again, or put the file into"):
        _download.fetch({unused: (5, "0" * 64)}, tmp_path)
    assert names(tmp_path) == []


def test_a_server_that_says_nothing(tmp_path, server, monkeypatch):
    monkeypatch.setattr(_download, "_TIMEOUT", 0.05)
    server.answers = [Answer(cut=1000, pause=True)]
    with pytest.raises(OSError, match="timed out"):
        fetch(server, tmp_path)
    assert names(tmp_path) == [".file.bin.partial"]


def test_one_process_at_a_time(tmp_path, server):
    descriptor = _files.open_alone(tmp_path / ".file.bin.partial")
    try:
        with pytest.raises(BlockingIOError, match="another process is writing it") as caught:
            fetch(server, tmp_path)
        assert caught.value.filename == str(tmp_path / "file.bin")
    finally:
        os.close(descriptor)
    assert server.ranges == []


def test_the_other_process_has_just_finished_it(tmp_path, server, monkeypatch):
    def finished(partial: Path) -> int:
        (tmp_path / "file.bin").write_bytes(b"theirs")
        return open_alone(partial)

    open_alone = _files.open_alone
    monkeypatch.setattr(_files, "open_alone", finished)
    fetch(server, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == b"theirs"
    assert names(tmp_path) == ["file.bin"]
    assert server.ranges == []


def test_a_full_disk_leaves_what_there_was(tmp_path, server, monkeypatch):
    (tmp_path / "other.bin").write_bytes(b"kept")
    pwrite, room = os.pwrite, [40_000]

    def filling(file: int, data: bytes, place: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = pwrite(file, data[: room[0]], place)
        room[0] -= written
        return written

    monkeypatch.setattr(os, "pwrite", filling)
    with pytest.raises(OSError, match="No space left") as caught:
        fetch(server, tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "file.bin")
    assert len(server.ranges) == 1
    assert names(tmp_path) == [".file.bin.partial", "other.bin"]
    assert (tmp_path / ".file.bin.partial").read_bytes() == DATA[:40_000]
    room[0] = 10**6
    fetch(server, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == DATA
    assert server.ranges == [None, "bytes=40000-"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_download_that_is_interrupted_or_killed_is_gone_on_with(tmp_path, server, number):
    server.answers = [Answer(cut=30_000, pause=True), RIGHT]
    wanted = {server.url: (len(DATA), hashlib.sha256(DATA).hexdigest())}
    code = (
        f"from pathlib import Path\nfrom augcore import _download\n_download.fetch({wanted}, Path({str(tmp_path)!r}))"
    )
    partial = tmp_path / ".file.bin.partial"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not partial.exists() or partial.stat().st_size < 30_000:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(number)
        stderr = process.communicate(timeout=30)[1]
    assert process.returncode == -number
    assert ("KeyboardInterrupt" in stderr) == (number == signal.SIGINT)
    assert names(tmp_path) == [".file.bin.partial"]
    fetch(server, tmp_path)
    assert (tmp_path / "file.bin").read_bytes() == DATA
    assert server.ranges == [None, "bytes=30000-"]
