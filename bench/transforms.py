"""Batched transforms for asv: `asv run --config bench/asv.conf.json`; a table: `augcore bench transforms --peers`."""

from __future__ import annotations

import functools

import numpy as np

from augcore.benchmarks.transforms import EXACT, OPENCV4, own_call
from augcore.benchmarks.works import WORKS, Task, batch, parse_case

CASES = ("1000x32x32x3", "100x96x96x1", "10x224x224x3")
BY_NAME = {work.name: work for work in WORKS}


class Transforms:
    """Every work of the comparison, on one thread."""

    params = (list(BY_NAME), list(CASES))
    param_names = ("work", "case")
    arithmetic = EXACT

    def setup(self, name: str, case: str) -> None:
        work, images = BY_NAME[name], batch(parse_case(case))
        task = Task(work, images, out=np.empty_like(images) if work.into else None)
        self.run = functools.partial(own_call, task, self.arithmetic)

    def time_transform(self, name: str, case: str) -> None:
        self.run()


class OpenCV4Transforms(Transforms):
    """Those that OpenCV 4 defines, bit for bit."""

    params = (["rotate-5", "rotate-each", "crop-bilinear", "crop-area"], list(CASES))
    arithmetic = OPENCV4
