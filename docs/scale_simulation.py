"""What fits and scores of very many points cost on many workers: a simulation, and the closed forms of its limits.

Workers read chunks of rows from their disks, two chunks ahead of what their cores compute with, and take the next
chunk from a common queue. What a pass sums over a chunk is a node of the tree of tiles: 4.2 MB for the packed triangle
of 1,025 columns. A worker keeps its nodes until the pass ends, merges those of neighbouring chunks, and sends the rest
up a tree of workers. A worker that is killed takes its nodes with it: its chunks go back into the queue when that is
noticed.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

GB, MB = 1e9, 1e6


@dataclass(frozen=True)
class Cluster:
    """64 machines as they are rented; change what is other."""

    workers: int = 64
    cores: int = 16  # of each
    core_flops: float = 135e9  # in Gram matrices and forms of float32; bench/results/influence-2026-11-23.md
    memory_bandwidth: float = 40 * GB  # of each worker: what sums of vectors are bound by
    disk: float = 2 * GB  # bytes a second of each worker
    link: float = 1.25 * GB  # bytes a second of each worker, each way
    latency: float = 2e-4
    task: float = 5e-4  # of the scheduler, which hands out one chunk at a time
    memory: float = 32 * GB  # of each worker, for chunks that stay there from one pass to the next
    chunk_rows: int = 1 << 16
    spread: float = 0.05  # standard deviation of the speeds of chunks, in their logarithm
    noticed: float = 30.0  # seconds until a worker that was killed is given up


@dataclass(frozen=True)
class Work:
    n: int = 10**9
    p: int = 1024
    item: int = 4  # bytes

    @property
    def bytes(self) -> float:
        return float(self.n) * self.p * self.item

    @property
    def triangle(self) -> float:
        """Bytes of a packed triangle of float64, the intercept included."""
        q = self.p + 1
        return 8.0 * q * (q + 1) / 2


@dataclass(frozen=True)
class Pass:
    """flops and bytes of memory for each row; bytes of the node of a chunk, and of what is sent to all before."""

    name: str
    flops: float
    memory: float
    node: float
    broadcast: float


def passes(work: Work) -> dict[str, Pass]:
    row = work.p * work.item
    q = work.p + 1.0
    return {
        "gradient": Pass("gradient", 4 * q, row, 8 * q, 8 * q),
        "Hessian": Pass("Hessian", q * q, row, work.triangle, 8 * q),
        "Newton step": Pass("gradient and Hessian", q * q + 4 * q, row, work.triangle + 8 * q, 8 * q),
        "scores": Pass("scores", q * q, row, 0.0, work.triangle),
    }


@dataclass(frozen=True)
class Seconds:
    """What a pass would take if one thing alone took time; the largest is what binds."""

    disk: float
    arithmetic: float
    network: float
    scheduler: float

    @property
    def binds(self) -> str:
        return max(("disk", "arithmetic", "network", "scheduler"), key=lambda name: getattr(self, name))


def chunks_of(cluster: Cluster, work: Work) -> int:
    return -(-work.n // cluster.chunk_rows)


def share_on_disk(cluster: Cluster, work: Work) -> float:
    """Of the rows, those that are read from the disk at every pass, because the memory holds no more."""
    return max(0.0, 1.0 - cluster.memory * cluster.workers / work.bytes)


def tree_seconds(cluster: Cluster, size: float) -> float:
    """A message up, or down, a binary tree of the workers: the levels follow each other."""
    levels = math.ceil(math.log2(cluster.workers)) if cluster.workers > 1 else 0
    return levels * (cluster.latency + size / cluster.link) if size else 0.0


def limits(cluster: Cluster, work: Work, kind: Pass, *, first: bool = False) -> Seconds:
    """The closed forms."""
    share = 1.0 if first else share_on_disk(cluster, work)
    # At worst no two neighbouring chunks were on one worker: every node travels once.
    nodes = chunks_of(cluster, work) / cluster.workers * kind.node / cluster.link
    return Seconds(
        share * work.bytes / (cluster.workers * cluster.disk),
        work.n * _seconds_of_a_row(cluster, kind) / cluster.workers,
        nodes + tree_seconds(cluster, kind.node) + tree_seconds(cluster, kind.broadcast),
        chunks_of(cluster, work) * cluster.task,
    )


@dataclass(order=True)
class _Worker:
    free: float  # when its disk can begin with another chunk
    number: int
    speed: float = field(compare=False)
    computed: float = field(compare=False)  # when its cores are done with all that was read
    begun: float = field(default=0.0, compare=False)  # and when they begin with the last of it
    chunks: list[int] = field(default_factory=list, compare=False)


def simulate(
    cluster: Cluster,
    work: Work,
    kind: Pass,
    *,
    first: bool = False,
    slow: float = 1.0,
    killed_at: float = math.inf,
    seed: int = 0,
) -> float:
    """Seconds of one pass; `slow` is the speed of the first worker, `killed_at` when the last one is killed."""
    rng = np.random.default_rng(seed)
    n_chunks = chunks_of(cluster, work)
    rows = np.full(n_chunks, cluster.chunk_rows)
    rows[-1] = work.n - (n_chunks - 1) * cluster.chunk_rows
    jitter = np.exp(rng.normal(0.0, cluster.spread, (2, n_chunks)))
    share = 1.0 if first else share_on_disk(cluster, work)
    read = np.where(_spread_out(n_chunks) < share, rows * work.p * work.item / cluster.disk, 0.0) * jitter[0]
    compute = rows * _seconds_of_a_row(cluster, kind) * jitter[1]

    begin = tree_seconds(cluster, kind.broadcast)
    workers = [_Worker(begin, number, slow if number == 0 else 1.0, begin) for number in range(cluster.workers)]
    queue = deque((chunk, begin) for chunk in range(n_chunks))
    heap, idle, doomed, handed_out = list(workers), list[_Worker](), workers[-1], begin
    while heap:
        worker = heapq.heappop(heap)
        if worker is doomed and (worker.free if queue else worker.computed) >= killed_at:
            workers.remove(worker)
            queue.extend((chunk, killed_at + cluster.noticed) for chunk in worker.chunks)
            heap += idle
            heapq.heapify(heap)
            idle.clear()
        elif not queue:
            idle.append(worker)
        else:
            chunk, not_before = queue.popleft()
            handed_out = max(handed_out, worker.free, not_before) + cluster.task
            read_until = handed_out + read[chunk] / worker.speed
            start = max(read_until, worker.computed)
            # Two chunks are read ahead: the disk waits until the cores have begun with the one before this.
            worker.free, worker.begun = max(read_until, worker.begun), start
            worker.computed = start + compute[chunk] / worker.speed
            worker.chunks.append(chunk)
            heapq.heappush(heap, worker)
    finished = float(max(worker.computed for worker in workers))
    most = max(nodes_of(worker.chunks) for worker in workers)
    return finished + most * kind.node / cluster.link + tree_seconds(cluster, kind.node)


def _seconds_of_a_row(cluster: Cluster, kind: Pass) -> float:
    return max(kind.flops / (cluster.cores * cluster.core_flops), kind.memory / cluster.memory_bandwidth)


def _spread_out(n: int) -> np.ndarray:
    """n numbers in [0, 1) in an order in which every run of them is spread evenly: multiples of the golden ratio."""
    return np.arange(n) * ((math.sqrt(5) - 1) / 2) % 1.0


def nodes_of(chunks: list[int]) -> int:
    """How many nodes stay when those of neighbours that are the halves of a larger node are merged, again and again."""
    level = set(chunks)
    count = 0
    while level:
        pairs = {chunk // 2 for chunk in level if {chunk, chunk ^ 1} <= level}
        count += len(level) - 2 * len(pairs)
        level = pairs
    return count


# ---- the whole job ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How often a fit reads the rows for what."""

    gradients: int = 0
    hessians: int = 0
    newton_steps: int = 0


# What `augcore.streaming.fit` took for the pixels of MNIST, odd or even, at C = 1; and with few_passes=True: Newton's
# method, with a Hessian from the pass of every gradient.
AS_MEASURED = Plan(gradients=49, hessians=1)
NEWTON = Plan(newton_steps=9)


def job(cluster: Cluster, work: Work, plan: Plan) -> dict[str, float]:
    """Seconds of a fit and of the scores after it."""
    kinds = passes(work)
    counts = {"gradient": plan.gradients, "Hessian": plan.hessians, "Newton step": plan.newton_steps}
    counts = {name: count for name, count in counts.items() if count}
    fit = sum(count * simulate(cluster, work, kinds[name]) for name, count in counts.items())
    once = next(iter(counts))  # the first pass finds nothing in memory
    fit += simulate(cluster, work, kinds[once], first=True) - simulate(cluster, work, kinds[once])
    factor = work.p**3 / 3 / cluster.core_flops * (plan.hessians + plan.newton_steps)
    return {"fit": fit + factor, "scores": simulate(cluster, work, kinds["scores"])}


def order_seconds(cluster: Cluster, n: int, k: int, keys_per_second: float = 60e6) -> dict[str, float]:
    """Choosing k of n scores that lie where they were computed: 8 bytes each are read, candidates go up the tree.

    keys_per_second: of one core. A candidate has a key of 16 bytes and an index of 8.
    """
    own = n / cluster.workers
    return {
        "read": 8 * own / cluster.disk,
        "keys": own / (keys_per_second * cluster.cores),
        "tree": tree_seconds(cluster, 24.0 * min(k, own)) if k < n else 24 * own / cluster.link,
    }
