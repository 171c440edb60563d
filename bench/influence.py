"""Self-influence and fits for asv: `asv run --config bench/asv.conf.json`; a table: `augcore bench influence`."""

from __future__ import annotations

from augcore.benchmarks.influence_peers import own_call, parse_case, task
from augcore.linear_model import LogisticRegression


class LooInfluence:
    """On one thread."""

    params = (["1000x64", "1000x256", "5000x256", "50000x256"], ["float64", "float32"])
    param_names = ("case", "dtype")

    def setup(self, case: str, dtype: str) -> None:
        self.task = task(parse_case(f"{case}:{dtype}"))

    def time_loo_influence(self, case: str, dtype: str) -> None:
        own_call(self.task)


class Fits:
    """To max|gradient| / n of 1e-8, on one thread."""

    params = (["1000x256", "2000x256", "5000x256"], ["float64", "float32"])
    param_names = ("case", "dtype")

    def setup(self, case: str, dtype: str) -> None:
        self.task = task(parse_case(f"{case}:{dtype}"))

    def time_fit(self, case: str, dtype: str) -> None:
        LogisticRegression(threads=1).fit(self.task.X, self.task.y)
