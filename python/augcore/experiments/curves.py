"""The units of one augmentation: its references, and the curve of one configuration and round.

A unit is a function of the problem, the config and its own name alone: its draws are keyed by them, and its fits start
from the model of the originals and go from size to size. So any order of units, and any resume, gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augcore import _random, policies
from augcore.experiments.config import Config, Configuration
from augcore.experiments.problem import Indices, Problem

__all__ = ["CurveUnit", "Draw", "curve_units", "drawing", "measure_references", "trace_curve"]

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CurveUnit:
    """One curve. `score` is None where the policy uses none: the curve then is that of every score."""

    augmentation: str
    score: str | None
    configuration: Configuration
    round: int

    @property
    def name(self) -> str:
        return f"curve/{self.augmentation}/{self.score or 'any'}/{self.configuration.name}/{self.round}"


def curve_units(config: Config) -> list[CurveUnit]:
    """All curves of a run, each once: the rounds of random policies, one for deterministic ones."""
    units = [
        CurveUnit(augmentation, score if configuration.uses_scores else None, configuration, round_)
        for augmentation in config.augmentations
        for score in config.scores
        for configuration in config.curves
        for round_ in range(config.rounds if configuration.random else 1)
    ]
    return list(dict.fromkeys(units))


# ---- references ------------------------------------------------------------------------------------------------------


def measure_references(name: str, problem: Problem, is_sv: NDArray[np.bool_]) -> tuple[dict[str, Any], Arrays]:
    """What curves are compared with, and scores before and after augmenting all points.

    Parameters
    ----------
    name : str
        The augmentation.
    problem : Problem
    is_sv : (n,) bool
        The support vectors of a linear SVM on the originals; none with more than two classes.
    """
    everything = np.arange(problem.n)
    start, originals = problem.start, (problem.originals, problem.y, None)
    full, augmented = problem.fit(start, everything)
    downweighted, _ = problem.fit(start, everything, downweight=True)
    result = {
        "accuracy_none": problem.accuracy(start),
        "accuracy_plain": problem.accuracy_plain(start),
        "accuracy_all": problem.accuracy(full),
        "accuracy_all_downweighted": problem.accuracy(downweighted),
        "accuracy_vsv": None,
        "n_vsv": int(is_sv.sum()),
    }
    if problem.svm_C is not None:
        virtual, _ = problem.fit(start, np.flatnonzero(is_sv))
        result["accuracy_vsv"] = problem.accuracy(virtual)
    arrays: Arrays = {}
    for score in problem.config.scores:
        arrays[f"arrays/scores-{name}-{score}-before.npy"] = problem.scores(score, start, originals)
        arrays[f"arrays/scores-{name}-{score}-after.npy"] = problem.scores(score, full, augmented)
    return result, arrays


# ---- curves ----------------------------------------------------------------------------------------------------------


def trace_curve(
    unit: CurveUnit,
    problem: Problem,
    scores: Floats,
    reference: Mapping[str, Any],
    check: Callable[[], None],
) -> tuple[list[dict[str, Any]], Arrays]:
    """Accuracy at each size, and the points in the order in which they were chosen.

    The draws of a k-DPP are independent: its points are those of the first size, then those of the second, and so on.

    Parameters
    ----------
    unit : CurveUnit
    problem : Problem
    scores : (n,) float64
        Scores of the training points under the model of the originals.
    reference : dict
        The result of `measure_references`: what all points give is taken from there.
    check : function
        Called before every fit; stops the unit by raising.
    """
    configuration, config = unit.configuration, problem.config
    draw = drawing(unit, problem, scores)
    model = problem.start
    chosen = np.empty(0, dtype=np.intp)
    sets, models = [], []
    for size in config.sizes:
        check()
        chosen = draw(size, chosen, scores)
        sets.append(chosen)
        if size < problem.n:
            model, fitted = problem.fit(model, chosen, downweight=configuration.downweight)
            models.append(model)
            if configuration.update and unit.score is not None:
                scores = problem.scores(unit.score, model, fitted)
    accuracies = problem.accuracies(models)
    if len(accuracies) < len(config.sizes):  # the last size is all points
        accuracies.append(reference["accuracy_all" + "_downweighted" * configuration.downweight])
    points = [
        {"size": size, "n_rows": problem.n + len(problem.variants) * size, "accuracy": accuracy}
        for size, accuracy in zip(config.sizes, accuracies, strict=True)
    ]
    owners = config.scores if unit.score is None else (unit.score,)
    names = [f"arrays/chosen-{unit.augmentation}-{score}-{configuration.name}-{unit.round}.npy" for score in owners]
    return points, dict.fromkeys(names, np.concatenate(sets) if configuration.is_dpp else sets[-1])


# ---- which points ----------------------------------------------------------------------------------------------------


# The points of a size, from those of the size before and the scores by now.
Draw = Callable[[int, Indices, Floats], Indices]


def drawing(unit: CurveUnit, problem: Problem, scores: Floats) -> Draw:
    """What gives the points of each size of a curve, asked for in rising order."""
    configuration, config = unit.configuration, problem.config
    seeds = partial(_random.derive, config.seed, *unit.name.split("/"))
    if configuration.update:
        return lambda size, taken, scores: _more(taken, size, scores, configuration.policy, seeds(size))
    if configuration.is_dpp:
        kernel = problem.kernels.of(scores if configuration.uses_scores else None)
        return lambda size, _, __: kernel.sample(size, seeds(size))
    groups = problem.clusters[configuration.clusters] if configuration.clusters else None
    order = policies.order(scores, configuration.policy, seeds(), k=config.sizes[-1], groups=groups)
    return lambda size, _, __: order[:size]


def _more(taken: Indices, size: int, scores: Floats, policy: str, seed: int) -> Indices:
    """The points taken, and more by the policy among the others."""
    rest = np.delete(np.arange(len(scores)), taken)
    return np.concatenate([taken, rest[policies.order(scores[rest], policy, seed, k=size - len(taken))]])
