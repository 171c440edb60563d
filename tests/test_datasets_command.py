"""The commands of the group data as a user calls them, on official files of our own making."""

from __future__ import annotations

import gzip
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_line
from image_sets import make_set
from typer.testing import CliRunner

from augcore import cli, datasets
from augcore.datasets import checksums, cifar10, mnist, norb

Augcore = Callable[..., subprocess.CompletedProcess]

NAMES = ("mnist-sample", "mnist", "cifar10", "norb", "norb-jittered")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Augcore:
    """Calls the command in this process, which is quicker, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def call(*arguments: object) -> subprocess.CompletedProcess:
        result = CliRunner().invoke(cli.app, [str(word) for word in arguments])
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return call


# ---- list ------------------------------------------------------------------------------------------------------------


def _block(text: str, name: str) -> str:
    """The lines about one data set."""
    return re.search(rf"^{re.escape(name)} .*(?:\n .*)*", text, re.M)[0]


def test_list(here: Augcore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUGCORE_DATA", str(root))
    for file in mnist.FILES[:3]:
        (root / f"{file}.gz").write_bytes(bytes(10**6))
    (root / ".t10k-labels-idx1-ubyte.gz.partial").write_bytes(bytes(10**5))
    (root / cifar10.NPZ).write_bytes(bytes(2 * 10**6))
    for name in norb.files("norb")[:1]:
        (root / name).write_bytes(bytes(3 * 10**5))
    for process in (here("data", "list", "--root", root), here("data", "list")):
        assert process.returncode == 0
        assert process.stderr == ""
        text = process.stdout
        assert text.startswith(f"looked for in {root} ")
        assert [line.split()[0] for line in text.splitlines()[2:] if line[0] != " "] == [
            *NAMES,
            "npz:PATH",
            "folder:PATH",
        ]
        assert "here, inside the package" in _block(text, "mnist-sample")
        assert "incomplete, 3.0 MB there: 1 of 4 files are missing, 0.1 MB of t10k-labels" in _block(text, "mnist")
        assert "11.6 MB to fetch: augcore data fetch mnist" in _block(text, "mnist")
        assert "here, 2.0 MB: cifar10.npz" in _block(text, "cifar10")
        assert "incomplete, 0.3 MB there: 3 of 4 files are missing; 262.8 MB to fetch" in _block(text, "norb")
        assert "missing; put the 24 official files" in _block(text, "norb-jittered")
        assert "https://cs.nyu.edu/" in _block(text, "norb-jittered")


def test_the_advice_of_list_is_for_the_folder_that_was_given(here: Augcore, tmp_path: Path) -> None:
    process = here("data", "list", "--root", tmp_path / "no where")
    assert f"augcore data fetch mnist --root '{tmp_path}/no where'" in process.stdout


def test_every_data_set_that_can_be_fetched_has_its_sums() -> None:
    assert tuple(datasets.DATASETS) == NAMES
    for known in datasets.DATASETS.values():
        for file in known.fetched:
            assert checksums.kind_of_sum(file) == "SHA-256"
            assert checksums.BYTES[file] > 300
            assert file.removesuffix(".gz") in [
                *known.forms[-1].files,
                *known.forms[-1].optional,
                "cifar-10-binary.tar",
            ]
        assert known.url.startswith("https://") or not known.wanted


# ---- verify ----------------------------------------------------------------------------------------------------------


def _lines(process: subprocess.CompletedProcess) -> list[tuple[str, str]]:
    return [tuple(line.split(maxsplit=1)) for line in process.stdout.splitlines()]


def test_verify_tells_each_file(here: Augcore, root: Path) -> None:
    for file in norb.files("norb"):
        (root / f"{file}.gz").write_bytes(b"damaged")
    (root / norb.files("norb")[0]).write_bytes(b"also damaged")
    official = root / norb.files("norb")[1]
    values = np.tile(np.arange(5, dtype="<i4"), 4860)
    official.write_bytes(np.array([0x1E3D4C54, 1, 24_300, 1, 1], "<i4").tobytes() + values.tobytes())
    (root / mnist.FILES[0]).write_bytes(b"damaged as well")
    process = here("data", "verify", "--root", root)
    assert process.returncode == 1
    assert process.stderr == "augcore: error: 4 files are damaged\n"
    lines = _lines(process)
    states = {words.split(":")[0].split("  ")[0]: state for state, words in lines}
    assert len(lines) == 11
    assert states[str(official)] == "ok"
    assert states[str(root / norb.files("norb")[0])] == "damaged"
    assert states[str(root / f"{norb.files('norb')[3]}.gz")] == "damaged"
    assert states[str(root / mnist.FILES[0])] == "damaged"
    assert [states[str(root / file)] for file in mnist.FILES[1:]] == ["missing"] * 3
    assert lines[0][0] == "ok"
    assert "mnist-sample.npz" in lines[0][1]
    assert [words for state, words in lines if "no file of" in words] == [
        f"{root}  (no file of cifar10)",
        f"{root}  (no file of norb-jittered)",
    ]
    assert f"{official}  (MD5)" in process.stdout


def test_verify_where_nothing_is_damaged(here: Augcore, root: Path) -> None:
    whole = here("data", "verify", "--root", root)
    assert whole.returncode == 0
    assert whole.stderr == ""
    assert [state for state, _ in _lines(whole)] == ["ok", *["missing"] * 4]
    sample = here("data", "verify", "mnist-sample")
    assert (sample.returncode, sample.stderr) == (0, "")
    absent = here("data", "verify", "mnist", "--root", root)
    assert absent.returncode == 1
    assert absent.stderr.startswith(f"augcore: error: {root}: mnist: no data; put mnist.npz, or")
    assert absent.stderr.count("\n") == 1
    for name in ("mnits", "npz:", "folder:"):
        assert_one_line(here("data", "verify", name), 2, "NAME: expected one of", "'norb-jittered'", repr(name))


def test_verify_own_sets(here: Augcore, tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, **make_set())
    process = here("data", "verify", f"npz:{path}")
    assert process.stdout == f"ok       {path}  (all images read)\n"
    assert process.returncode == 0
    path.write_bytes(path.read_bytes()[:-30])
    damaged = here("data", "verify", f"npz:{path}")
    assert damaged.returncode == 1
    assert damaged.stdout.startswith(f"damaged  {path}: ")
    assert damaged.stderr == "augcore: error: 1 file is damaged\n"
    assert_one_line(here("data", "verify", f"folder:{tmp_path}"), 1, str(tmp_path), "has no folder train")
    assert_one_line(here("data", "verify", f"npz:{tmp_path}/none.npz"), 1, "none.npz", "no such file")


def test_verify_official_npz(root: Path) -> None:
    np.savez(root / mnist.NPZ, **make_set())
    (finding,) = datasets.verify("mnist", root=root)
    assert finding.path == root / mnist.NPZ
    assert finding.state == "damaged"
    assert "as train-images-idx3-ubyte" in finding.words
    (root / mnist.FILES[1]).write_bytes(b"left over: nothing is missing beside it")
    findings = list(datasets.verify("mnist", root=root))
    assert [(found.path.name, found.state) for found in findings] == [
        (mnist.NPZ, "damaged"),
        (mnist.FILES[1], "damaged"),
    ]


@pytest.mark.skipif(not (datasets.data_folder() / "mnist.npz").is_file(), reason="MNIST is not on this machine")
def test_verify_mnist() -> None:
    assert [finding.state for finding in datasets.verify("mnist")] == ["ok"]


# ---- fetch -----------------------------------------------------------------------------------------------------------

# The command, with a server of our own and official files that it can serve; it stops when it is killed.
SERVED = """
import hashlib, http.server, pathlib, sys, threading, time
from augcore import _download, cli, datasets
from augcore.datasets import checksums

files = pathlib.Path(sys.argv[1])
behaviour = sys.argv[2]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = (files / self.path[1:]).read_bytes()
        begin = int((self.headers["Range"] or "bytes=0-")[6:-1])
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        data = data[begin:]
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if behaviour == "wrong":
            data = bytes(len(data))
        self.wfile.write(data[: len(data) // 2 if behaviour in ("slow", "cut") else None])
        if behaviour == "slow":
            time.sleep(60)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
known = datasets.DATASETS["mnist"]
datasets.DATASETS["mnist"] = known._replace(url=f"http://127.0.0.1:{server.server_port}/")
for path in files.iterdir():
    checksums.SUMS[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    checksums.BYTES[path.name] = path.stat().st_size
_download._PAUSE = 0
sys.argv[1:] = sys.argv[3:]
cli.app(prog_name="augcore")
"""


@pytest.fixture
def served(tmp_path: Path) -> Callable[..., list[str]]:
    """The words of a command that is served official files of its own."""
    folder = tmp_path / "served"
    folder.mkdir()
    for (name, values), file in zip(make_set(n_train=3000).items(), mnist.FILES, strict=True):
        assert name[0] in "xy"
        lengths = np.array(values.shape, ">u4").tobytes()
        data = bytes([0, 0, 8, values.ndim]) + lengths + values.tobytes()
        (folder / f"{file}.gz").write_bytes(gzip.compress(data))

    def words(behaviour: str, *arguments: object) -> list[str]:
        return [sys.executable, "-c", textwrap.dedent(SERVED), str(folder), behaviour, *map(str, arguments)]

    return words


def _run(words: list[str], **options: object) -> subprocess.CompletedProcess:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, **options)


def test_fetch(served: Callable[..., list[str]], tmp_path: Path) -> None:
    root = tmp_path / "new" / "folder"
    process = _run(served("right", "data", "fetch", "mnist", "--root", root))
    assert process.returncode == 0, process.stderr
    assert process.stdout == f"mnist: 0.1 MB in {root}\n"
    assert process.stderr.splitlines()[0] == f"fetching mnist into {root}"
    assert "train-images-idx3-ubyte.gz: 100%" in process.stderr
    assert sorted(path.name for path in root.iterdir()) == sorted(f"{file}.gz" for file in mnist.FILES)
    again = _run(served("right", "data", "fetch", "mnist", "--root", root))
    assert again.stdout == f"mnist: is there already; augcore data verify mnist --root {root} checks it\n"
    assert again.stderr == ""
    assert [line[:4] for line in _run(served("right", *again.stdout.split()[5:10])).stdout.splitlines()] == ["ok  "] * 4


def test_fetch_refuses_damaged_files_that_are_there(served: Callable[..., list[str]], root: Path) -> None:
    path = root / f"{mnist.FILES[1]}.gz"
    path.write_bytes(b"mine")
    process = _run(served("right", "data", "fetch", "mnist", "--root", root))
    assert_one_line(process, 1, str(path), "is damaged or another file", "remove it, then fetch again")
    assert path.read_bytes() == b"mine"
    assert list(root.iterdir()) == [path]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("wrong", ("is not the file of",)),
        ("cut", ("cannot be fetched", "the connection was cut after", "put the file into")),
    ],
)
def test_fetch_that_fails(served: Callable[..., list[str]], root: Path, behaviour: str, words: tuple[str, ...]) -> None:
    process = _run(served(behaviour, "data", "fetch", "mnist", "--root", root))
    assert process.returncode == 1
    assert process.stdout == ""
    last = process.stderr.splitlines()[-1]
    assert last.startswith("augcore: error: http://127.0.0.1")
    for word in words:
        assert word in last
    assert "Traceback" not in process.stderr


def test_an_interrupted_fetch_goes_on(served: Callable[..., list[str]], root: Path) -> None:
    words = served("slow", "data", "fetch", "mnist", "--root", root)
    partial = root / f".{mnist.FILES[0]}.gz.partial"
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not partial.exists() or partial.stat().st_size < 20_000:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    last = "augcore: interrupted; what has come is kept. Go on with the same command"
    assert stderr.splitlines()[-1] == last
    assert partial.stat().st_size > 20_000
    again = _run(served("right", "data", "fetch", "mnist", "--root", root))
    assert again.returncode == 0, again.stderr
    assert not list(root.glob(".*"))


def test_what_cannot_be_fetched(here: Augcore, root: Path) -> None:
    process = here("data", "fetch", "norb-jittered", "--root", root)
    assert_one_line(process, 1, "norb-jittered: cannot be fetched; put the 24 official files", str(root), "https://")
    assert here("data", "fetch", "mnist-sample").stdout.startswith("mnist-sample: is there already")
    for name in ("cats", "npz:a.npz", ""):
        assert_one_line(here("data", "fetch", name), 2, f"NAME {name}: expected one of mnist-sample, mnist")
    (root / "file").write_bytes(b"")
    process = here("data", "fetch", "mnist", "--root", root / "file" / "folder")
    assert_one_line(process, 1, "file/folder", "Not a directory")


# ---- data sets of a run ----------------------------------------------------------------------------------------------


def test_a_run_with_bad_data_says_so_in_one_line(
    here: Augcore, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGCORE_DATA", str(root))

    def run(name: str, *more: str) -> subprocess.CompletedProcess:
        settings = ["--set", f"dataset={name}", *(word for setting in more for word in ("--set", setting))]
        return here("run", "smoke", *settings)

    arrays = make_set(n_train=40, n_test=20, n_classes=2)
    np.savez(tmp_path / "own.npz", **arrays)
    whole = (tmp_path / "own.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[:-100])
    (tmp_path / "train" / "a").mkdir(parents=True)
    (root / mnist.NPZ).write_bytes(whole)
    (root / "cifar-10-batches-py").mkdir()
    assert_one_line(run("norb", "classes=[0,1]"), 1, str(root), "norb: no data; put the 4 official files")
    assert_one_line(run("mnist", "classes=[3,8]"), 1, "mnist.npz, as train-images-idx3-ubyte: is damaged or another")
    assert_one_line(run("cifar10", "classes=[0,1]"), 1, "cifar-10-batches-py", "pickled")
    assert_one_line(run(f"npz:{tmp_path}/none.npz"), 1, "none.npz", "no such file")
    assert_one_line(run(f"npz:{tmp_path}/cut.npz"), 1, "cut.npz", "not an .npz file")
    assert_one_line(run(f"folder:{tmp_path}"), 1, str(tmp_path), "has no folder test")
    assert_one_line(run(f"npz:{tmp_path}/own.npz", "classes=[0,7]"), 2, "classes: expected labels or names among 0, 1")
    assert_one_line(run("nrob"), 2, "dataset: expected one of 'mnist-sample'", "'folder:PATH', got 'nrob'")
    assert not list((tmp_path / "here").iterdir())
