"""The machine's multiply-add peak: a loop that never leaves the registers.

Sixteen chains of fused multiply-adds on the widest vectors hide the latency of any present processor, so what limits
the loop is what limits every kernel. It is written in LLVM's language, compiled by llvmlite, and called without the
GIL. Where llvmlite is missing, a matrix product of NumPy's BLAS stands in, and is named: it may reach half of the peak.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from augcore.benchmarks.libraries import library

__all__ = ["Peak", "peak"]

CHAINS = 16
_TURNS = 500_000  # about a millisecond
_SIDE = 768


@dataclass(frozen=True)
class Peak:
    """Something that does nothing but multiply and add: what it is called, how to run it, operations of one run."""

    name: str
    run: Callable[[], object]
    operations: float


def peak(dtype: str, threads: int) -> Peak:
    """The fastest multiply-adds that there are here; a product and a sum count as two operations.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    threads : int

    Returns
    -------
    Peak
    """
    try:
        llvm = library("llvmlite.binding")
    except ImportError:
        return _matrix_product(dtype, threads)
    lanes = _lanes(llvm, dtype)
    loop = _compiled(dtype, lanes)
    turns = _TURNS * 64 // (lanes * np.dtype(dtype).itemsize)
    pool = ThreadPoolExecutor(threads)

    def run() -> None:
        list(pool.map(lambda _: loop(turns, 0.5), range(threads)))

    return Peak("multiply-add loop", run, 2.0 * CHAINS * lanes * turns * threads)


def _lanes(llvm: Any, dtype: str) -> int:
    """Of the widest registers."""
    features = llvm.get_host_cpu_features()
    size = 64 if features.get("avx512f") else 32 if features.get("avx2") else 16
    return int(size // np.dtype(dtype).itemsize)


def source(dtype: str, lanes: int) -> str:
    """loop(turns, x): every chain takes turns times s = x s + x from s = x; gives a lane of the sum of all chains."""
    scalar, name = {"float32": ("float", "f32"), "float64": ("double", "f64")}[dtype]
    vector, fma = f"<{lanes} x {scalar}>", f"@llvm.fma.v{lanes}{name}"
    lines = [
        f"declare {vector} {fma}({vector}, {vector}, {vector})",
        f"define {scalar} @loop(i64 %turns, {scalar} %x) {{",
        "entry:",
        f"  %one = insertelement {vector} undef, {scalar} %x, i32 0",
        f"  %a = shufflevector {vector} %one, {vector} undef, <{lanes} x i32> zeroinitializer",
        "  br label %body",
        "body:",
        "  %i = phi i64 [0, %entry], [%next, %body]",
        *(f"  %s{k} = phi {vector} [%a, %entry], [%t{k}, %body]" for k in range(CHAINS)),
        *(f"  %t{k} = call {vector} {fma}({vector} %a, {vector} %s{k}, {vector} %a)" for k in range(CHAINS)),
        "  %next = add i64 %i, 1",
        "  %more = icmp ult i64 %next, %turns",
        "  br i1 %more, label %body, label %end",
        "end:",
        f"  %u0 = fadd {vector} %t0, zeroinitializer",
        *(f"  %u{k} = fadd {vector} %u{k - 1}, %t{k}" for k in range(1, CHAINS)),
        f"  %result = extractelement {vector} %u{CHAINS - 1}, i32 0",
        f"  ret {scalar} %result",
        "}",
    ]
    return "\n".join(lines)


@functools.cache
def _compiled(dtype: str, lanes: int) -> Callable[[int, float], float]:
    llvm = library("llvmlite.binding")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    if lanes * np.dtype(dtype).itemsize == 64:
        features += ",-prefer-256-bit"
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(source(dtype, lanes)), target)
    engine.finalize_object()
    _ENGINES.append(engine)
    number = {"float32": ctypes.c_float, "float64": ctypes.c_double}[dtype]
    loop: Callable[[int, float], float] = ctypes.CFUNCTYPE(number, ctypes.c_uint64, number)(
        engine.get_function_address("loop")
    )
    return loop


_ENGINES: list[Any] = []  # code lives as long as its engine


def _matrix_product(dtype: str, threads: int) -> Peak:
    """Every thread a product of its own: BLAS is held to one thread each by whoever times."""
    a = np.ones((_SIDE, _SIDE), dtype)
    outs = [np.empty_like(a) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def run() -> None:
        list(pool.map(lambda out: np.matmul(a, a, out=out), outs))

    return Peak(f"{'d' if dtype == 'float64' else 's'}gemm of NumPy's BLAS", run, 2.0 * _SIDE**3 * threads)
