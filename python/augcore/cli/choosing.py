"""The commands score and select: from files of features and labels to scores, and from scores to points."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from augcore.cli._command import (
    Debug,
    InterruptedRunError,
    UsageError,
    check_output,
    command,
    console,
    naming,
    of_long_stages,
    say,
    tell,
    waiting,
    warnings_told,
)

__all__ = ["score", "select"]


@command
def score(
    X: Annotated[Path, typer.Argument(metavar="X.npy", help="Features, a row for each point; of any size.")],
    y: Annotated[Path, typer.Argument(metavar="Y.npy", help="A label for each point.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="SCORES.npy", help="The file to write.")],
    criterion: Annotated[str, typer.Option(metavar="NAME", help="A wrong one lists all.")] = "loo_influence",
    C: Annotated[float | None, typer.Option("--C", help="Of the fit, 1 / l2; default: 1.")] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL.npz", help="A model that was saved, instead of a fit.")
    ] = None,
    sample_weight: Annotated[Path | None, typer.Option(metavar="W.npy", help="Weights of the points.")] = None,
    no_intercept: Annotated[bool, typer.Option("--no-intercept", help="Fit without one.")] = False,
    few_passes: Annotated[
        bool, typer.Option("--few-passes", help="Sum a Hessian in every pass of the fit: faster where reading is slow.")
    ] = False,
    rng: Annotated[int, typer.Option(min=0, metavar="SEED", help="For the criterion random.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, max=1024, help="Default: all processors.")] = None,
    device: Annotated[str, typer.Option(metavar="cpu|cuda", help="cuda: on a GPU.")] = "cpu",
    debug: Debug = False,
) -> None:
    """Score points by a logistic model, which is fitted to them; goes on where it was interrupted or killed."""
    from augcore import scores
    from augcore.cli import _scoring
    from augcore.experiments import progress

    if criterion not in scores.SCORES:
        raise UsageError(f"--criterion {criterion}: expected one of {', '.join(scores.SCORES)}")
    if model is not None and (C is not None or no_intercept or few_passes):
        raise UsageError("--model: is fitted already; --C, --no-intercept and --few-passes are for a fit")
    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}: expected cpu or cuda")
    if device == "cuda" and few_passes:
        raise UsageError("--few-passes: has no effect with --device cuda")
    check_output(out, X, y, model, sample_weight)
    of_fit = 1.0 if C is None else C, not no_intercept, few_passes
    job = _scoring.Job(
        X, y, sample_weight, model, criterion, *of_fit, rng, threads, None if device == "cpu" else device
    )
    given = {"X": X, "y": y, "sample_weight": sample_weight, "model": model}
    try:
        with (
            warnings_told(),
            naming(**given, C="--C", criterion="--criterion", l2="--C"),
            progress.shown(console(stderr=True), f"scoring {X}") as report,
        ):
            n = _scoring.score(job, out, of_long_stages(report), tell)
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted; what is done is kept. Go on with the same command") from None
    say(f"{out}: {criterion} of {n} points")


@command
def select(
    scores: Annotated[Path, typer.Argument(metavar="SCORES.npy", help="One score for each point.")],
    policy: Annotated[str, typer.Option(metavar="NAME", help="Such as random_proportional; a wrong one lists all.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="INDICES.npy", help="The file to write.")],
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="FRACTION|COUNT",
            help="0.25 is a quarter, 1.0 all, 1 is one point; with --costs, what all may cost together.",
        ),
    ] = None,
    rng: Annotated[int | None, typer.Option(min=0, metavar="SEED", help="The same choice for the same seed.")] = None,
    groups: Annotated[
        Path | None, typer.Option(metavar="GROUPS.npy", help="A label for each point; groups take turns.")
    ] = None,
    group_budgets: Annotated[
        list[str] | None,
        typer.Option(
            "--group-budget",
            metavar="LABEL=COUNT|COUNT",
            help="Points of one group, may be given repeatedly (groups that are not named then give none); or of each.",
        ),
    ] = None,
    costs: Annotated[Path | None, typer.Option(metavar="COSTS.npy", help="What each point costs.")] = None,
    debug: Debug = False,
) -> None:
    """Choose points by their scores: their indices, best first, as a .npy file."""
    from augcore import policies
    from augcore.cli import _selection

    if policy not in policies.POLICIES:
        raise UsageError(f"--policy {policy}: expected one of {', '.join(policies.POLICIES)}")
    if budget is None and (costs is not None or not group_budgets):
        raise UsageError("--budget: expected a fraction or a count of points; with --costs what all may cost together")
    if group_budgets and groups is None:
        raise UsageError("--group-budget: needs --groups")
    check_output(out, scores, groups, costs)
    seed = secrets.randbits(32) if rng is None else rng
    options = {"budgets": "--group-budget", "k": "--budget", "budget": "--budget"}
    with waiting(f"choosing from {scores}"), naming(scores=scores, groups=groups, costs=costs, **options):
        chosen, words = _selection.choose(scores, policy, seed, budget, groups, group_budgets or [], costs)
        _selection.write(out, chosen)
    again = "" if policy.startswith("deterministic") else f", by --rng {seed}"
    say(f"{out}: {words}{again}")
