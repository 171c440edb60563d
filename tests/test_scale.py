"""The page on scale: its simulation meets the closed forms, its tables are what it gives, its measures measure."""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from augcore import datasets
from augcore.influence import loo_influence
from augcore.linear_model import LogisticRegression

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up, and the tables import the simulation
    spec.loader.exec_module(module)
    return module


simulation = _load("scale_simulation")
tables = _load("make_scale_table")

# Nothing but what a test adds takes time; 2^20 rows are 1,024 chunks.
WORK = simulation.Work(n=1 << 20, p=64)
IDEAL = simulation.Cluster(
    workers=8,
    cores=1,
    core_flops=math.inf,
    memory_bandwidth=math.inf,
    disk=math.inf,
    link=math.inf,
    latency=0.0,
    task=0.0,
    memory=0.0,
    chunk_rows=1 << 10,
    spread=0.0,
    noticed=0.0,
)
BOUND = {
    "disk": {"disk": 1e6},
    "arithmetic": {"core_flops": 1e8},
    "scheduler": {"task": 0.01},
    "network": {"link": 1e6, "disk": 1e9},
}


@pytest.mark.parametrize("kind", ["gradient", "Hessian", "Newton step", "scores"])
@pytest.mark.parametrize("bound", BOUND)
def test_the_simulation_meets_the_closed_forms(bound: str, kind: str) -> None:
    cluster, work = replace(IDEAL, **BOUND[bound]), simulation.passes(WORK)[kind]
    alone = simulation.limits(cluster, WORK, work)
    found = simulation.simulate(cluster, WORK, work)
    assert alone.binds == bound
    if bound == "network":  # what chunks leave travels when they are read; each worker takes every eighth
        assert found == pytest.approx(alone.disk + alone.network, rel=0.01)
    else:
        assert sum((alone.disk, alone.arithmetic, alone.network, alone.scheduler)) == getattr(alone, bound)
        assert found == pytest.approx(getattr(alone, bound), rel=0.01)


def test_the_closed_forms_themselves() -> None:
    cluster, work = simulation.Cluster(memory=0.0), simulation.Work()
    hessian = simulation.limits(cluster, work, simulation.passes(work)["Hessian"])
    assert hessian.disk == pytest.approx(4 * 1e9 * 1024 / 64 / 2e9)
    assert hessian.arithmetic == pytest.approx(1e9 * 1025**2 / (64 * 16 * 135e9))
    assert work.triangle == 1025 * 1026 / 2 * 8
    tree = 6 * (2e-4 + work.triangle / 1.25e9) + 6 * (2e-4 + 8 * 1025 / 1.25e9)
    assert hessian.network == pytest.approx(15259 / 64 * work.triangle / 1.25e9 + tree)
    assert hessian.scheduler == pytest.approx(15259 * 5e-4)
    gradient = simulation.limits(cluster, work, simulation.passes(work)["gradient"])
    assert gradient.arithmetic == pytest.approx(4096 * 1e9 / 64 / 40e9)  # bound by memory
    half = replace(cluster, memory=32e9)
    assert simulation.share_on_disk(half, work) == pytest.approx(0.5)
    assert simulation.share_on_disk(replace(cluster, memory=1e12), work) == 0.0


def test_disks_and_cores_work_at_the_same_time() -> None:
    cluster = replace(IDEAL, disk=1e6, core_flops=1.4e7)
    work = simulation.passes(WORK)["scores"]
    alone = simulation.limits(cluster, WORK, work)
    assert alone.disk < alone.arithmetic < 1.5 * alone.disk
    assert simulation.simulate(cluster, WORK, work) == pytest.approx(alone.arithmetic, rel=0.02)
    # What lies in memory is not read, but at the first pass; the disk reads on meanwhile.
    cluster = replace(cluster, memory=0.5 * WORK.bytes / 8, core_flops=math.inf)
    assert simulation.simulate(cluster, WORK, work) == pytest.approx(alone.disk / 2, rel=0.02)
    assert simulation.simulate(cluster, WORK, work, first=True) == pytest.approx(alone.disk, rel=0.02)


@pytest.mark.parametrize("bound", ["disk", "arithmetic"])
def test_others_take_the_chunks_of_a_slow_worker(bound: str) -> None:
    cluster, work = replace(IDEAL, **BOUND[bound], chunk_rows=1 << 8), simulation.passes(WORK)["scores"]
    even = getattr(simulation.limits(cluster, WORK, work), bound)
    for slow in (0.5, 0.25):
        found = simulation.simulate(cluster, WORK, work, slow=slow)
        assert found == pytest.approx(even * 8 / (7 + slow), rel=0.03)


@pytest.mark.parametrize("noticed", [0.0, 5.0, 1000.0])
def test_what_a_killed_worker_had_is_done_again(noticed: float) -> None:
    cluster = replace(IDEAL, **BOUND["disk"], workers=2, noticed=noticed)
    work = simulation.passes(WORK)["scores"]
    even = simulation.limits(cluster, WORK, work).disk
    for share in (0.25, 0.75):
        # The other does all of it, and waits if it is done with its own before that is noticed.
        found = simulation.simulate(cluster, WORK, work, killed_at=share * even)
        own = (1 - share) * 2 * even + share * even
        waited = max(own, share * even + noticed)
        assert found == pytest.approx(waited + share * even, rel=0.02)
    assert simulation.simulate(cluster, WORK, work, killed_at=1.01 * even) == simulation.simulate(cluster, WORK, work)


def test_a_worker_is_killed_while_the_last_chunks_are_computed() -> None:
    cluster = replace(IDEAL, **BOUND["arithmetic"], workers=2, noticed=1.0)
    work = simulation.passes(WORK)["scores"]
    even = simulation.limits(cluster, WORK, work).arithmetic
    found = simulation.simulate(cluster, WORK, work, killed_at=0.9995 * even)
    assert found == pytest.approx(2 * even + 1.0, rel=0.01)


def test_seeds() -> None:
    cluster, work = replace(IDEAL, **BOUND["disk"], spread=0.3), simulation.passes(WORK)["scores"]
    times = [simulation.simulate(cluster, WORK, work, seed=seed) for seed in (0, 0, 1)]
    assert times[0] == times[1] != times[2]


def test_nodes_that_are_left_of_chunks() -> None:
    def by_hand(chunks: set[int]) -> int:
        """The least number of aligned ranges of 2^k chunks."""
        ranges = [set(range(a << k, a + 1 << k)) for k in range(5) for a in range(16 >> k)]
        inside = [part for part in ranges if part <= chunks]
        return sum(not any(part < other for other in inside) for part in inside)

    assert simulation.nodes_of([]) == 0
    assert simulation.nodes_of(list(range(16))) == 1
    for size in (1, 2, 5, 9, 14):
        for chunks in list(combinations(range(16), size))[::37]:
            assert simulation.nodes_of(list(chunks)) == by_hand(set(chunks))


def test_jobs_add_up() -> None:
    cluster = replace(IDEAL, **BOUND["disk"], memory=WORK.bytes / 8)
    first = simulation.limits(cluster, WORK, simulation.passes(WORK)["gradient"], first=True).disk
    for plan in (simulation.Plan(gradients=5, hessians=2), simulation.Plan(newton_steps=3)):
        assert simulation.job(cluster, WORK, plan)["fit"] == pytest.approx(first, rel=0.01)  # all is in memory then
    cluster = replace(cluster, memory=0.0)
    seconds = simulation.job(cluster, WORK, simulation.Plan(gradients=5, hessians=2))
    assert seconds["fit"] == pytest.approx(7 * first, rel=0.01)
    assert seconds["scores"] == pytest.approx(first, rel=0.01)


def test_orders() -> None:
    cluster = simulation.Cluster(workers=4, disk=1e9, link=1e9, latency=0.0, cores=2)
    few, everything = (simulation.order_seconds(cluster, 10**8, k, 1e6) for k in (1000, 10**8))
    assert few == pytest.approx({"read": 0.2, "keys": 12.5, "tree": 2 * 24_000 / 1e9})
    assert simulation.order_seconds(cluster, 10**8, 5 * 10**7, 1e6)["tree"] == pytest.approx(2 * 24 * 25e6 / 1e9)
    assert everything["tree"] == pytest.approx(24 * 25e6 / 1e9)


# ---- the page --------------------------------------------------------------------------------------------------------


def test_the_tables_of_the_page_are_those_of_the_simulation() -> None:
    page = tables.PAGE.read_text()
    assert tables.put(page, tables.simulated()) == page
    assert tables.put(page, {"passes": "other"}).count("other\n<!-- end -->") == 1
    for name in ("passes", "jobs", "orders", "cheaper", "approximations"):
        assert re.search(rf"<!-- {name} -->\n\|.*\|\n<!-- end -->", page, re.S), name


def test_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text, names = tables.PAGE.read_text(), dict[str, Any]()
    monkeypatch.chdir(DOCS.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for code in re.findall(r"^```python\n(.*?)^```", text, re.S | re.M):
        exec(code, names)
    assert names["alone"].binds == "disk"
    assert names["seconds"] > names["alone"].disk
    assert names["whole"].keys() == {"fit", "scores"}
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (DOCS / link).exists(), link


# ---- the measures ----------------------------------------------------------------------------------------------------


def test_agreement() -> None:
    exact = -np.arange(1.0, 101.0)
    assert tables.agreement(exact, exact) == (0.0, pytest.approx(1.0), 1.0)
    assert tables.agreement(2 * exact, exact) == (1.0, pytest.approx(1.0), 1.0)
    assert tables.agreement(exact[::-1], exact)[1:] == (pytest.approx(-1.0), 0.0)
    found = exact.copy()
    found[[95, 50]] = found[[50, 95]]
    assert tables.agreement(found, exact)[2] == 0.9


def test_approximations_approach_the_exact_scores() -> None:
    data = datasets.load("mnist-sample")
    X = data.x_train.reshape(len(data.x_train), -1)[:, 290:410:4] / np.float32(255)
    X = X[:, X.std(axis=0) > 0]
    found = {name: (float(cost), values) for name, cost, _, values in tables.approximations(X, data.y_train)}
    model = LogisticRegression(tables.C).fit(X, data.y_train)
    exact = loo_influence(X, data.y_train, model.coef_, model.intercept_, model.l2)
    np.testing.assert_array_equal(found["exact"][1], exact)
    assert found["exact"][0] == 1.0
    errors = {name: tables.agreement(values, exact)[0] for name, (_, values) in found.items()}
    rows = [errors[f"Hessian of {share} p rows"] for share in tables.SHARES if f"Hessian of {share} p rows" in errors]
    assert len(rows) >= 4
    assert rows[-1] < 0.06 < 0.3 < rows[0]
    for probes in tables.PROBES:  # the median of |N(0, 2/m)| is 0.67 of its deviation
        assert errors[f"{probes} probes"] == pytest.approx(0.67 * math.sqrt(2 / probes), rel=0.35)
    (both,) = (error for name, error in errors.items() if "probes of a Hessian" in name)
    assert both == pytest.approx(0.67 * math.sqrt(2 / 256), rel=0.5)
