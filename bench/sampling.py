"""Orders and k-DPPs for asv: `asv run --config bench/asv.conf.json`; a table: `augcore bench sampling`."""

from __future__ import annotations

import numpy as np

from augcore import dpp, policies, set_num_threads


class Orders:
    """Of points with lognormal weights, on one thread."""

    params = (["1000", "100000", "1000000"], ["all", "1000"])
    param_names = ("points", "chosen")

    def setup(self, points: str, chosen: str) -> None:
        set_num_threads(1)
        self.scores = np.random.default_rng(0).lognormal(size=int(points))
        self.k = None if chosen == "all" else int(chosen)

    def time_random_proportional(self, points: str, chosen: str) -> None:
        policies.order(self.scores, "random_proportional", 1, k=self.k)

    def time_deterministic_proportional(self, points: str, chosen: str) -> None:
        policies.order(self.scores, "deterministic_proportional", k=self.k)


class KDPPs:
    """Draws, the kernel prepared beforehand, on one thread."""

    params = (["1000:250", "5000:250", "10000:100"],)
    param_names = ("case",)

    def setup(self, case: str) -> None:
        set_num_threads(1)
        n, self.k = (int(length) for length in case.split(":"))
        self.kernel = dpp.KDPP(features=np.random.default_rng(0).normal(size=(n, 256)))
        self.kernel.sample(self.k, 0)

    def time_sample(self, case: str) -> None:
        self.kernel.sample(self.k, 1)
