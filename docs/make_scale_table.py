"""Makes the tables of scale.md and writes them there: python docs/make_scale_table.py

The tables of costs come from a simulation (scale_simulation.py) and are the same each time; with --measure those of the
approximations are measured anew, on the pixels of MNIST and CIFAR-10, which `augcore.datasets.load(..., download=True)`
stores.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

sys.path.insert(0, str(Path(__file__).resolve().parent))
from scale_simulation import AS_MEASURED, GB, NEWTON, Cluster, Work, job, limits, order_seconds, passes, simulate

from augcore.datasets import load
from augcore.influence import LogisticHessian, loo_influence, sketched_quadratic_form
from augcore.linear_model import LogisticRegression
from augcore.scores import SCORES

PAGE = Path(__file__).resolve().parent / "scale.md"

# ---- what it costs ---------------------------------------------------------------------------------------------------


def table_of_passes(cluster: Cluster, work: Work) -> str:
    lines = [
        "| pass | disk | arithmetic | network | scheduler | binds | simulated | one at half speed | one killed |",
        "|---|--:|--:|--:|--:|---|--:|--:|--:|",
    ]
    for kind in passes(work).values():
        alone = limits(cluster, work, kind)
        cells = [
            *(f"{value:.2g}" for value in (alone.disk, alone.arithmetic, alone.network, alone.scheduler)),
            alone.binds,
            f"{simulate(cluster, work, kind):.1f}",
            f"{simulate(cluster, work, kind, slow=0.5):.1f}",
            f"{simulate(cluster, work, kind, killed_at=alone.disk / 2):.1f}",
        ]
        lines.append(f"| {kind.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def clusters(base: Cluster) -> Iterator[tuple[str, Cluster]]:
    yield "as above", base
    yield "memory for all rows (80 GB each)", replace(base, memory=80 * GB)
    yield "rows in an object store (0.2 GB/s each)", replace(base, disk=0.2 * GB)
    yield "4 cores each", replace(base, cores=4)
    yield "links of 0.1 GB/s", replace(base, link=0.1 * GB)
    yield "chunks of 8,192 rows", replace(base, chunk_rows=1 << 13)
    yield "chunks of 2^20 rows", replace(base, chunk_rows=1 << 20)
    yield "16 workers", replace(base, workers=16)
    yield "256 workers", replace(base, workers=256)
    yield "one worker", replace(base, workers=1)


def table_of_jobs(base: Cluster, work: Work) -> str:
    lines = [
        "| cluster | fit | fit in few passes | scores | binds in a Newton step |",
        "|---|--:|--:|--:|---|",
    ]
    for name, cluster in clusters(base):
        measured, newton = job(cluster, work, AS_MEASURED), job(cluster, work, NEWTON)
        binds = limits(cluster, work, passes(work)["Newton step"]).binds
        cells = [f"{seconds:,.0f}" for seconds in (measured["fit"], newton["fit"], newton["scores"])]
        lines.append(f"| {name} | {' | '.join(cells)} | {binds} |")
    return "\n".join(lines)


def table_of_orders(cluster: Cluster, work: Work) -> str:
    lines = ["| points chosen | reading scores | keys | tree of candidates |", "|---|--:|--:|--:|"]
    for k in (10**4, 10**6, 10**8, work.n):
        seconds = order_seconds(cluster, work.n, k)
        cells = " | ".join(f"{seconds[name]:.2g}" for name in ("read", "keys", "tree"))
        lines.append(f"| {f'{k:,}' if k < work.n else 'all'} | {cells} |")
    return "\n".join(lines)


def table_of_approximate_jobs(base: Cluster, work: Work) -> str:
    """Scores with a Hessian of fewer rows, and forms from probes: what is left of the cost of a fit and of scores."""
    kinds = passes(work)
    lines = [
        "| what | disk | arithmetic | simulated, s |",
        "|---|--:|--:|--:|",
    ]
    probes = 256
    few = replace(kinds["Hessian"], name="Hessian of 64 p rows")
    sketch = replace(kinds["scores"], flops=2.0 * probes * (work.p + 1), broadcast=4.0 * probes * (work.p + 1))
    for name, kind, part in (
        ("Hessian of all rows", kinds["Hessian"], work),
        ("Hessian of 64 p rows", few, replace(work, n=64 * work.p)),
        ("scores by exact forms", kinds["scores"], work),
        (f"scores by {probes} probes", sketch, work),
    ):
        cluster = base if part is work else replace(base, chunk_rows=1 << 10)
        alone = limits(cluster, part, kind, first=True)
        seconds = simulate(cluster, part, kind, first=True)
        lines.append(f"| {name} | {alone.disk:.2g} | {alone.arithmetic:.2g} | {seconds:.2g} |")
    return "\n".join(lines)


# ---- what an approximation is off by ---------------------------------------------------------------------------------

SHARES = (1, 2, 4, 8, 16, 32)  # rows of the Hessian, for each column
PROBES = (16, 64, 256, 1024)
C = 1.0


def problems() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    mnist = load("mnist")
    pixels = mnist.x_train.reshape(len(mnist.x_train), -1) / np.float32(255)
    yield "MNIST, odd or even", pixels[:, pixels.std(axis=0) > 0], mnist.y_train % 2
    cifar = load("cifar10", classes=("airplane", "automobile"))
    means = cifar.x_train.reshape(-1, 16, 2, 16, 2, 3).mean(axis=(2, 4)).reshape(len(cifar.x_train), -1)
    yield "CIFAR-10, airplane or automobile", (means / 255).astype(np.float32), cifar.y_train


def agreement(found: np.ndarray, exact: np.ndarray) -> tuple[float, float, float]:
    """Median relative error, Spearman's rank correlation, and the share of the true top tenth that is found."""
    error = float(np.median(np.abs(found / exact - 1.0)))
    ranks = np.corrcoef(rankdata(found), rankdata(exact))[0, 1]
    top = max(1, len(exact) // 10)
    both = np.intersect1d(np.argsort(found)[:top], np.argsort(exact)[:top])
    return error, float(ranks), len(both) / top


def approximations(X: np.ndarray, y: np.ndarray, seed: int = 0) -> Iterator[tuple[str, str, float, np.ndarray]]:
    """Name, cost in multiply-adds next to the exact scores', seconds, and the scores; the exact ones come first."""
    n, p = X.shape
    rng = np.random.default_rng(seed)
    model = LogisticRegression(C).fit(X, y)
    given = model.coef_, model.intercept_, model.l2

    def timed(name: str, cost: float, score) -> tuple[str, str, float, np.ndarray]:
        start = time.perf_counter()
        values = score()
        return name, f"{cost / (n * p * p):.2f}", time.perf_counter() - start, values

    yield timed("exact", n * p * p, lambda: loo_influence(X, y, *given, threads=1))
    yield timed("no Hessian: gradient_dot", 2 * n * p, lambda: SCORES["gradient_dot"](model, X, y, threads=1))
    shares = [share for share in SHARES if share * p < n]
    for share in shares:
        rows = np.sort(rng.choice(n, share * p, replace=False))
        part = {"fit_X": X[rows], "fit_y": y[rows], "fit_sample_weight": np.full(len(rows), n / len(rows))}
        cost = (len(rows) + n) * p * p / 2
        yield timed(
            f"Hessian of {share} p rows", cost, lambda part=part: loo_influence(X, y, *given, threads=1, **part)
        )
    residual = model.predict_proba(X)[:, 1] - (y == model.classes_[1])
    for probes in PROBES:

        def sketched(probes: int = probes) -> np.ndarray:
            hessian = LogisticHessian(X, *given, threads=1)
            return -(residual**2) * sketched_quadratic_form(hessian, X, probes, seed, solver="cholesky")[0]

        yield timed(f"{probes} probes", n * p * p / 2 + 2 * n * p * probes, sketched)
    rows = np.sort(rng.choice(n, shares[-1] * p, replace=False))

    def both(probes: int = 256) -> np.ndarray:
        # l2 scaled as the rows are: the Hessian of the part is n / m times as small as a whole.
        weight = len(rows) / n
        hessian = LogisticHessian(X[rows], model.coef_, model.intercept_, model.l2 * weight, threads=1)
        return -(residual**2) * weight * sketched_quadratic_form(hessian, X, probes, seed, solver="cholesky")[0]

    yield timed(f"256 probes of a Hessian of {shares[-1]} p rows", len(rows) * p * p / 2 + n * p * 256, both)


def table_of_approximations() -> str:
    lines = [
        "| data | n | p | scores | multiply-adds | seconds | relative error | rank correlation | top tenth |",
        "|---|--:|--:|---|--:|--:|--:|--:|--:|",
    ]
    for data, X, y in problems():
        exact = None
        for name, cost, seconds, values in approximations(X, y):
            cells = f"| {data} | {len(X):,} | {X.shape[1]} | {name} | {cost} | {seconds:.2f} |"
            if exact is None:
                exact = values
                lines.append(f"{cells} | | |")
            else:
                error, ranks, top = agreement(values, exact)
                off = "another scale" if name.startswith("no Hessian") else f"{error:.1%}"
                lines.append(f"{cells} {off} | {ranks:.4f} | {top:.1%} |")
    return "\n".join(lines)


# ---- the page --------------------------------------------------------------------------------------------------------


def simulated() -> dict[str, str]:
    cluster, work = Cluster(), Work()
    return {
        "passes": table_of_passes(cluster, work),
        "jobs": table_of_jobs(cluster, work),
        "orders": table_of_orders(cluster, work),
        "cheaper": table_of_approximate_jobs(cluster, work),
    }


def put(page: str, tables: dict[str, str]) -> str:
    for name, table in tables.items():
        page = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, t=table: m[1] + t + "\n" + m[2], page, flags=re.S
        )
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="the approximations, too: a minute")
    tables = simulated()
    if parser.parse_args().measure:
        tables["approximations"] = table_of_approximations()
    PAGE.write_text(put(PAGE.read_text(), tables))


if __name__ == "__main__":
    main()
