"""Scores and fits by blocks for asv: `asv run --config bench/asv.conf.json`; a table: `augcore bench scale`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from augcore import streaming
from augcore.benchmarks.scale import make_problem, own_scores, parse_case


class MappedFile:
    """On one thread."""

    params = (["100000x64", "100000x256", "400000x256"],)
    param_names = ("case",)

    def setup(self, case: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.problem = make_problem(parse_case(case), Path(self.folder.name))
        self.score = own_scores(self.problem, 1)

    def teardown(self, case: str) -> None:
        del self.problem, self.score
        self.folder.cleanup()

    def time_scores(self, case: str) -> None:
        self.score()

    def time_fit(self, case: str) -> None:
        streaming.fit(streaming.Blocks(self.problem.X, self.problem.y, threads=1), threads=1)
