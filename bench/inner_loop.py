"""The inner loop of an experiment for asv: `asv run --config bench/asv.conf.json`; a table: `augcore bench inner`."""

from __future__ import annotations

from augcore import set_num_threads
from augcore.benchmarks import inner


class InnerLoops:
    """Of one augmentation, ours and lean NumPy's, on one thread."""

    params = (["augcore", "paper"], ["1000", "100"])
    param_names = ("convention", "points")
    timeout = 300

    def setup(self, convention: str, points: str) -> None:
        set_num_threads(1)
        self.given = inner.make_features(inner.CASE._replace(n=int(points)))
        self.problem = inner.problem_of(self.given, convention)

    def time_own(self, convention: str, points: str) -> None:
        inner.own_loop(self.given, convention)

    def time_lean(self, convention: str, points: str) -> None:
        inner.lean_loop(self.problem)
