"""The command select: from a file of scores to a file of the points to augment."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from augcore.cli._command import Debug, UsageError, check_output, command, naming, say, waiting

__all__ = ["select"]


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
