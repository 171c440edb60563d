"""bench/cuda_check and tests/cuda_compile on machines that lack what they need, or have it under another name."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def script(path: str) -> ModuleType:
    loader = SourceFileLoader(Path(path).name, str(ROOT / path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # where dataclasses look for their module
    loader.exec_module(module)
    return module


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return script("bench/cuda_check")


@pytest.fixture
def options(check: ModuleType, tmp_path: Path) -> Any:
    (tmp_path / "out").mkdir()
    return check.Options(tmp_path / "venv", tmp_path / "out", None, 60.0)


# ---- cuda_check ------------------------------------------------------------------------------------------------------


def test_without_a_card_every_step_has_its_line(tmp_path: Path) -> None:
    shown = ["--skip", "build,profile", "--out", str(tmp_path / "out"), "--venv", str(tmp_path / "venv")]
    process = subprocess.run(
        [ROOT / "bench/cuda_check", *shown],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LD_LIBRARY_PATH": str(tmp_path)},
    )
    lines = {line.split()[0]: line.split()[1] for line in process.stdout.splitlines()[-9:]}
    assert list(lines) == [name for name, *_ in script("bench/cuda_check").STEPS]
    assert lines["build"] == lines["profile"] == "skipped"
    if lines["card"] == "MISSING":  # no card here
        assert "no NVIDIA driver" in process.stdout or "the NVIDIA driver" in process.stdout
        assert {lines[name] for name in ("tests", "memcheck", "benchmark")} == {"MISSING"}
        assert "not run, without: card" in process.stdout
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--skip", "card,nothing"], "--skip 'nothing': expected some of"), (["--wheels", "/"], "no wheels there")],
)
def test_bad_options(check: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        check.main(arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


def test_a_step_does_not_hide_the_others(check: ModuleType, options: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def missing(options: Any) -> str:
        raise check.MissingError("no such tool")

    def broken(options: Any) -> str:
        raise PermissionError("not here")

    def failed(options: Any) -> str:
        return check.run("failed", [sys.executable, "-c", "print('so it is'); raise SystemExit(3)"], options)

    def late(options: Any) -> str:
        slow = check.Options(options.venv, options.out, None, 0.2)
        return check.run("late", [sys.executable, "-c", "import time; time.sleep(60)"], slow)

    steps = [
        ("missing", missing, ()),
        ("broken", broken, ()),
        ("failed", failed, ()),
        ("late", late, ()),
        ("after", missing, ("missing", "failed")),
        ("left", missing, ()),
        ("done", lambda options: "all of it", ("left",)),
    ]
    table = check.take(steps, ["left"], options)
    assert [(name, outcome) for name, outcome, *_ in table] == [
        ("missing", "MISSING"),
        ("broken", "FAILED"),
        ("failed", "FAILED"),
        ("late", "FAILED"),
        ("after", "MISSING"),
        ("left", "skipped"),
        ("done", "done"),
    ]
    words = {name: said for name, _, _, said in table}
    assert words["missing"] == "no such tool"
    assert words["broken"] == "PermissionError: not here"
    assert words["failed"].startswith("exit code 3: so it is; ")
    assert words["late"].startswith("took longer than 0 s; ")
    assert words["after"] == "not run, without: missing, failed"
    assert (options.out / "failed.log").read_text().endswith("so it is\n")


CASE = "<testsuite name='pytest' errors='{}' failures='{}' skipped='{}' tests='{}'></testsuite>"


@pytest.mark.parametrize(
    ("report", "code", "expected"),
    [
        (CASE.format(0, 0, 2, 9), 0, "0 failed, 7 passed, 2 skipped"),
        (CASE.format(1, 2, 0, 9), 1, "FailedError: 3 failed, 6 passed, 0 skipped; exit code 1: "),
        (CASE.format(0, 0, 9, 9), 0, "FailedError: no test ran on the card: 0 failed, 0 passed, 9 skipped; "),
        (CASE.format(0, 0, 0, 9), 86, "FailedError: 0 failed, 9 passed, 0 skipped; exit code 86: "),
        ("<", 2, "FailedError: no report of the tests; exit code 2: "),
    ],
)
def test_what_the_tests_said(check: ModuleType, options: Any, report: str, code: int, expected: str) -> None:
    """Of a Python that is none: it writes the report that it is asked for."""
    python = options.venv_python
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\nfor word; do case $word in --junitxml=*) echo "{report}" > "${{word#--junitxml=}}"; exit {code};; '
        "esac; done\n"
    )
    python.chmod(0o755)
    try:
        said = check.pytest("tests", options)
    except check.FailedError as error:
        said = f"FailedError: {error}"
    assert said.startswith(expected)


def test_the_sanitizer_goes_before_the_tests(
    check: ModuleType, options: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options.venv_python.parent.mkdir(parents=True)
    shutil.copy("/bin/true", options.venv_python)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.delenv("CUDACXX", raising=False)
    if not Path("/usr/local/cuda/bin/compute-sanitizer").exists():
        with pytest.raises(check.MissingError, match=r"^compute-sanitizer is neither on the PATH nor in"):
            check.sanitize("memcheck", options)
    tool = tmp_path / "bin" / "compute-sanitizer"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "ERROR SUMMARY: 1 error, pool $AUGCORE_TEST_CUPY_POOL, $*"\nexit 86\n')
    tool.chmod(0o755)
    with pytest.raises(check.FailedError, match=r"exit code 86: ERROR SUMMARY: 1 error, pool off, --tool memcheck "):
        check.sanitize("memcheck", options)
    told = (options.out / "memcheck.log").read_text()
    assert "tests/test_cuda_transforms.py" in told
    assert "tests/test_cuda_benchmark.py" not in told


def test_no_cupy(check: ModuleType, options: Any) -> None:
    options.venv_python.parent.mkdir(parents=True)
    shutil.copy("/bin/false", options.venv_python)
    for step in (check.benchmark, lambda options: check.pytest("tests", options)):
        with pytest.raises(check.MissingError, match=r"^CuPy does not import; install "):
            step(options)


# ---- cuda_compile ----------------------------------------------------------------------------------------------------


def compile_with(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tests/cuda_compile"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})


def test_no_nvcc() -> None:
    process = compile_with(CUDACXX="/nowhere/nvcc")
    assert process.returncode == 1
    assert process.stderr.startswith("cuda_compile: no nvcc: ")
    assert process.stderr.count("\n") == 1


def test_nvcc_is_told_every_target_and_what_it_says_is_shown(tmp_path: Path) -> None:
    nvcc, source = tmp_path / "nvcc", tmp_path / "one.cu"
    nvcc.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\ncase "$*" in *sm_90*) echo wrong; exit 2;; esac\n')
    nvcc.chmod(0o755)
    source.touch()
    process = compile_with("--no-nvrtc", source, CUDACXX=str(nvcc))
    assert process.returncode == 1
    assert process.stdout.startswith("cuda_compile: 2 of 3 compiled, ")
    assert process.stderr == "one.cu for sm_90:\nwrong\n\n"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 3
    assert all("-Werror all-warnings -Xcompiler -Wall,-Wextra" in call for call in calls)
    assert sorted(call.split("code=")[1].split(" ")[0] for call in calls) == ["[sm_100,compute_100]", "sm_80", "sm_90"]
    assert compile_with("--print-nvcc", CUDACXX=str(nvcc)).stdout == f"{nvcc}\n"


@pytest.mark.parametrize("line", ["int unused = 3;", "return 3;"])
def test_a_warning_of_nvcc_is_an_error(tmp_path: Path, line: str) -> None:
    if compile_with("--print-nvcc").returncode:
        pytest.skip("nvcc is not installed")
    source = tmp_path / "planted.cu"
    source.write_text(f"#include <cstdint>\n__global__ void kernel(std::int64_t n) {{ {line} }}\n")
    process = compile_with("--no-nvrtc", source)
    assert process.returncode == 1
    assert process.stdout.startswith("cuda_compile: 0 of 3 compiled, ")
    assert "planted.cu(2): error" in process.stderr


def test_nvrtc_compiles_formulas_and_tells_of_errors(tmp_path: Path) -> None:
    compiler = script("tests/cuda_compile")
    try:
        library, toolkit = compiler.find_nvrtc(compiler.find_nvcc())
    except SystemExit as missing:
        pytest.skip(str(missing))
    header = tmp_path / "csrc" / "include" / "augcore" / "point" / "planted.hpp"
    header.parent.mkdir(parents=True)
    compiler.ROOT = tmp_path
    for text, expected in (
        ("#include <cstdint>\n#include <cmath>\ninline __device__ double f(double x) { return std::fmod(x, 2); }", ""),
        ("inline __device__ double f() { constexpr double x = __builtin_huge_val(); return x; }", ""),
        ("inline __device__ double f(double x) { return missing(x); }", 'identifier "missing" is undefined'),
        ("#include <vector>", "cannot open source file"),
        ("inline __device__ int f() { int unused; return 1; }", "was declared but never referenced"),
    ):
        header.write_text(text)
        name, said = compiler.with_nvrtc(library, toolkit, header)
        assert name == "planted.hpp by NVRTC"
        assert expected in said
        assert bool(said) == bool(expected), said
