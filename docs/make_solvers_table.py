"""Measures the table of solvers.md and writes it there: python docs/make_solvers_table.py

Every solver runs in a process of its own, so that its peak of memory can be told.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from augcore.influence import LogisticHessian, sketched_quadratic_form

PAGE = Path(__file__).resolve().parent / "solvers.md"
N_VECTORS = 4
# points, columns, classes, share of entries that are not 0, power by which the spectrum falls
PROBLEMS = {
    "features of a network": (2_000, 256, 2, 1.0, 1.0),
    "10 classes": (500, 32, 10, 1.0, 1.0),
    "wide": (500, 1_000, 2, 1.0, 1.0),
    "sparse": (5_000, 1_500, 2, 0.005, 0.0),
}
SOLVERS = ("cholesky", "cg", "nystrom", "lissa", "sketch", "sketched_quadratic_form")
N_FORMS = 200  # points whose x' H^-1 x is known


def problem(name: str) -> tuple[LogisticHessian, Any]:
    n, p, n_classes, density, fall = PROBLEMS[name]
    rng = np.random.default_rng(0)
    if density < 1:
        X = sparse.random(n, p, density, format="csr", random_state=rng)
    else:
        X = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -fall @ np.linalg.qr(rng.normal(size=(p, p)))[0]
    coef = rng.normal(size=(1 if n_classes == 2 else n_classes, p)) / 2
    return LogisticHessian(X, coef, 0.0, 0.1), X


def truth(H: LogisticHessian, X: Any, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H^-1 V, and x' H^-1 x of the first points in the first contrast."""
    rows = X[:N_FORMS].toarray() if sparse.issparse(X) else X[:N_FORMS]
    columns = np.zeros((H.shape[0], len(rows)))
    columns[: rows.shape[1]] = rows.T
    columns[rows.shape[1]] = 1.0
    return H.solve(V, "cholesky"), np.einsum("ji,ji->i", columns, H.solve(columns, "cholesky"))


def resident(field: str) -> float:
    """Bytes of this process in memory, now (VmRSS) or at the peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * int(next(line for line in lines if line.startswith(field)).split()[1])


def measure(name: str, solver: str, folder: Path) -> dict[str, float]:
    """Median relative error, seconds, and bytes beyond the data and the libraries."""
    H, X = problem(name)
    V = np.random.default_rng(1).normal(size=(H.shape[0], N_VECTORS))
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on; Linux
    before = resident("VmRSS")
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is not reached is in the table
        if solver == "sketched_quadratic_form":
            found = sketched_quadratic_form(H, X, 256, 0, solver="cg")[0]
        else:
            found = H.solve(V, solver, 1e-8, 0)
    seconds = time.perf_counter() - start
    memory = resident("VmHWM") - before
    kept = folder / f"{name}.npz"
    if not kept.exists():
        np.savez(kept, *truth(H, X, V))
    with np.load(kept) as exact:
        solution, forms = exact["arr_0"], exact["arr_1"]
    if solver == "sketched_quadratic_form":
        error = np.abs(found.reshape(len(found), -1)[:N_FORMS, 0] / forms - 1.0)
    else:
        error = np.linalg.norm(found - solution, axis=0) / np.linalg.norm(solution, axis=0)
    return {"error": float(np.median(error)), "seconds": seconds, "memory": memory}


def table() -> str:
    lines = ["| problem | n | d | solver | relative error | seconds | memory, MB |", "|---|--:|--:|---|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as folder:
        for name, (n, p, n_classes, *_) in PROBLEMS.items():
            for solver in SOLVERS:
                command = [sys.executable, __file__, "--one", name, solver, folder]
                run = subprocess.run(command, check=True, capture_output=True, text=True)
                found = json.loads(run.stdout)
                error = "0 (the truth)" if solver == "cholesky" else f"{found['error']:.1e}"
                cells = f"{n:,} | {(p + 1) * (n_classes - 1):,} | `{solver}` | {error} | {found['seconds']:.2f}"
                lines.append(f"| {name} | {cells} | {found['memory'] / 1e6:.0f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=3, metavar=("PROBLEM", "SOLVER", "FOLDER"), help="measure one, print it as JSON")
    one = parser.parse_args().one
    if one:
        print(json.dumps(measure(one[0], one[1], Path(one[2]))))
        return
    page = PAGE.read_text()
    PAGE.write_text(re.sub(r"(<!-- table -->\n).*(<!-- end -->)", rf"\g<1>{table()}\n\g<2>", page, flags=re.S))


if __name__ == "__main__":
    main()
