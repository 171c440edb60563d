"""The benchmark on a GPU, with tiny sizes: every work is compared, timed and shown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from augcore import transforms
from augcore.benchmarks import gpu, gpu_peers, gpu_show, gpu_works
from augcore.benchmarks.gpu_works import WORKS, Job, Sizes
from augcore.benchmarks.influence_peers import Case as Points
from augcore.benchmarks.works import Case

TINY = Sizes(
    images=(Case(3, 8, 9, 3), Case(2, 64, 64, 1)),
    points=Points(60, 5, "float32"),
    points_of_classes=Points(90, 3),
    classes=3,
    scores=300,
    copied=1000,
    matrix=4,
    checked=40,
)
IMAGE_WORKS = ("translate", "flip", "rotate", "warp")


@pytest.mark.parametrize("name", WORKS)
def test_every_work(cupy: Any, name: str) -> None:
    found = gpu.compare(TINY, [name], repeats=1)
    assert len(found.rows) == gpu_works.count(TINY, [name])
    assert [(row.work, row.own.trouble) for row in found.rows if row.own.trouble] == []
    for row in found.rows:
        assert row.own.milliseconds is not None
        assert row.own.milliseconds > 0
        assert row.peers == []
        assert (row.share is None) == (row.limit is None)
        assert (row.reached is None) == (row.target == "-")
    assert list(found.limits) == list(gpu.LIMITS)
    assert all(limit.rate > 0 for limit in found.limits.values())


def test_shares_and_targets(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a card that copies 1 MB a second, and of a work that takes 2 ms by its events."""
    limit = {"copy": gpu.Limit("copy", "TB/s", 1e6)}
    monkeypatch.setattr(gpu, "_measure_limits", lambda sizes, repeats: (limit, lambda: None))
    monkeypatch.setattr(cupy.cuda, "get_elapsed_time", lambda begin, end: 2.0)
    found = gpu.compare(TINY, ["translate", "warp"], repeats=3).rows
    assert [row.own.milliseconds for row in found] == [2.0] * 4
    assert [row.least for row in found] == pytest.approx([1.296, 1.296, 16.384, 16.384])
    assert [row.target for row in found] == ["80%", "50%", "80%", "60%"]
    assert [row.reached for row in found] == [False, True, True, True]


def test_who_differs_or_fails_is_not_timed(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rotate = transforms.rotate

    def wrong(images: Any, *arguments: Any, **keywords: Any) -> Any:
        result = rotate(images, *arguments, **keywords)
        if not isinstance(images, np.ndarray):
            result[0, 0, 0] = 255 - result[0, 0, 0]
        return result

    def broken(*arguments: Any, **keywords: Any) -> Any:
        raise MemoryError("out of\nmemory")

    monkeypatch.setattr(transforms, "rotate", wrong)
    monkeypatch.setattr(transforms, "flip", broken)
    found = gpu.compare(TINY, ["flip", "rotate", "translate"], repeats=1)
    troubles = {row.work: row.own.trouble for row in found.rows if row.case.startswith("3 x")}
    assert troubles["flip"] == "fails: MemoryError: out of memory"
    assert troubles["rotate 5°"].startswith("differs by ")
    assert troubles["translate 3 px"] is None
    assert [row.own.milliseconds is None for row in found.rows] == [row.own.trouble is not None for row in found.rows]
    assert any("MemoryError" in note for note in gpu_show.notes(found))


def test_peers_do_the_same(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the emulator torch works in main memory."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("kornia")
    if cupy.__name__ == "emulated_cupy":
        monkeypatch.setattr(gpu_peers, "tensor", lambda array: torch.from_numpy(cupy.asnumpy(array)))
        monkeypatch.setattr(gpu_peers, "array", lambda tensor: cupy.asarray(tensor.detach().numpy()))
    sizes = replace(TINY, images=(Case(3, 24, 20, 3), Case(2, 16, 16, 1, "float32")))
    found = gpu.compare(sizes, [*IMAGE_WORKS, "influence"], peers=True, repeats=1)
    names = {
        (row.work, entry.name) for row in found.rows for entry in row.peers if not entry.name.startswith("augcore")
    }
    assert ("flip", "torch flip") in names
    assert ("translate 3 px", "torch index_select") in names
    assert {("warp, one matrix each", "torch grid_sample"), ("rotate 5°", "kornia")} <= names
    assert {("self-influence", "torch closed form"), ("self-influence", "torch.func")} <= names
    assert [(row.work, e.name, e.trouble) for row in found.rows for e in row.peers if e.trouble] == []
    assert found.missing == {}


def test_a_peer_that_fails_does_not_hide_the_others(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare_nothing() -> Any:
        raise ValueError("no such thing")

    def copied() -> Any:
        return lambda: cupy.asarray(np.array([1.0, 2.0]))

    peers = [
        gpu_peers.Peer("broken", "torch", 0.0, prepare_nothing),
        gpu_peers.Peer("equal", "torch", 0.0, copied),
        gpu_peers.Peer("other", "torch", 0.0, lambda: lambda: cupy.asarray(np.array([1.0, 3.0]))),
    ]
    both = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    job = Job(
        "work",
        "case",
        copied(),
        lambda: both,
        lambda one, other: float(abs(one - other).max()),
        0.0,
        peers=peers,
        on_the_cpu=lambda: None,
    )
    row = gpu._row(job, True, ["torch"], {}, 2, lambda: None)
    assert [entry.trouble for entry in row.peers] == ["fails: ValueError: no such thing", None, "differs by 1", None]
    assert [entry.milliseconds is None for entry in row.peers] == [True, False, True, False]
    assert row.peers[-1].name.startswith("augcore, CPU, ")
    assert row.fastest_peer in (row.peers[1], row.peers[3])


@pytest.mark.parametrize("peers", [False, True])
def test_what_is_shown(cupy: Any, monkeypatch: pytest.MonkeyPatch, peers: bool) -> None:
    monkeypatch.setattr(gpu, "find_libraries", lambda modules: dict.fromkeys(modules, "not installed"))
    found = gpu.compare(TINY, ["translate", "order"], peers=peers, repeats=1)
    page = Console(width=114, record=True, file=io.StringIO())
    gpu_show.print_table(found, page)
    for text in (page.export_text(), gpu_show.to_markdown(found)):
        assert text.index("3 x 8x9x3 uint8") < text.index("translate 3 px") < text.index("2 x 64x64x1 uint8")
        assert "80%" in text
        assert found.card in text
        assert ("beside it" in text) == ("times: the other's" in text) == ("kornia: not installed" in text) == peers
        assert ("augcore, CPU, " in text) == peers
    document = json.loads(gpu_show.to_json(found))
    assert set(document["limits"]) == {"copy", "transfer", "float32", "float64"}
    assert [row["work"] for row in document["rows"]] == [
        "translate 3 px",
        "translate 3 px",
        "order",
        "order of one in 100",
    ]
    assert document["rows"][0]["share"] == pytest.approx(found.rows[0].share)


def test_the_usual_sizes_are_those_of_the_targets() -> None:
    assert [case.label for case in gpu_works.SIZES.images] == ["65,536 x 32x32x3 uint8", "2,048 x 224x224x3 uint8"]
    assert gpu_works.SIZES.points.label == "1,000,000 x 512 float32"
    assert gpu_works.find_works("flip,order") == ["flip", "order"]
    with pytest.raises(ValueError, match=r"^'flap': expected some of translate,"):
        gpu_works.find_works("flip,flap")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--works", "flap"], 2, "--works 'flap': expected some of translate,"),
        (["--images", "10x10"], 2, "--images '10x10': expected NxHxWxC"),
        (["--points", "10x10"], 2, "--points '10x10': expected at least one feature"),
        (["--json", "no/where.json"], 2, "no/where.json: no such folder"),
        ([], 1, "arrays on a GPU need CuPy; install it with: pip install 'augcore[cuda13]'"),
    ],
)
def test_the_command_refuses_in_one_line(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "cupy.py").write_text("raise ImportError('none')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = command("bench", "gpu", *arguments)
    assert process.returncode == code
    assert words in process.stderr
    assert process.stderr.count("\n") <= 2  # of them one is the progress
    assert process.stdout == ""
