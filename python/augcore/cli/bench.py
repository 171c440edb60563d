"""The commands of the group bench: this library timed, and others beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from augcore.cli._command import Debug, check_folders, command, console, say, usage_errors

if TYPE_CHECKING:
    from augcore.experiments.progress import Report

__all__ = ["group"]

group = typer.Typer(help="Time this library, and others beside it.", no_args_is_help=True)

Peers = Annotated[bool, typer.Option("--peers", help="Beside every installed library that does the same.")]
Threads = Annotated[int, typer.Option(min=1, max=64, help="For all of them.")]
Everyone = Annotated[bool, typer.Option("--everyone", help="Show every peer, not the fastest alone.")]
JsonFile = Annotated[Path | None, typer.Option(help="Write all figures to this file.")]
MarkdownFile = Annotated[Path | None, typer.Option(help="Write the tables to this file.")]


@group.command()
@command
def transforms(
    peers: Peers = False,
    threads: Threads = 1,
    repeats: Annotated[
        int | None, typer.Option(min=1, max=1001, help="Turns, medians are shown; default: 3, with --peers 5.")
    ] = None,
    cases: Annotated[
        str | None, typer.Option(metavar="NxHxWxC[:DTYPE],...", help="Batches instead of the usual ones.")
    ] = None,
    works: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Such as rotate or crop-area; default: all.")
    ] = None,
    everyone: Everyone = False,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time the batched transforms, beside a copy of the batch; results are checked to be equal first."""
    from augcore.benchmarks import show
    from augcore.benchmarks.transforms import EVERY_PEER, compare
    from augcore.benchmarks.works import CASES, WORKS, find_works, parse_case

    with usage_errors("--cases"):
        chosen_cases = [parse_case(text) for text in cases.split(",")] if cases is not None else CASES
    with usage_errors("--works"):
        chosen_works = find_works(works) if works is not None else WORKS

    def measure(report: Report) -> Any:
        return compare(
            chosen_cases,
            chosen_works,
            EVERY_PEER if peers else (),
            threads=threads,
            repeats=repeats or (5 if peers else 3),
            progress=report,
        )

    _present("timing the transforms", measure, show, everyone, json, markdown)


@group.command()
@command
def influence(
    peers: Peers = False,
    threads: Threads = 1,
    repeats: Annotated[int, typer.Option(min=1, max=1001, help="Turns, medians are shown.")] = 9,
    cases: Annotated[
        str | None, typer.Option(metavar="NxP[:DTYPE],...", help="Points and features instead of the usual ones.")
    ] = None,
    everyone: Everyone = False,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time self-influence and fits, beside the machine's peak; results are checked to be equal first."""
    from augcore.benchmarks import influence_show as show
    from augcore.benchmarks.fits import FIT_CASES
    from augcore.benchmarks.influence import compare
    from augcore.benchmarks.influence_peers import CASES, PEERS, parse_case

    with usage_errors("--cases"):
        chosen = [parse_case(text) for text in cases.split(",")] if cases is not None else None

    def measure(report: Report) -> Any:
        return compare(
            chosen or CASES,
            PEERS if peers else (),
            fit_cases=chosen or FIT_CASES,
            threads=threads,
            repeats=repeats,
            other_kernels=peers,
            progress=report,
        )

    _present("timing self-influence and fits", measure, show, everyone, json, markdown)


@group.command()
@command
def sampling(
    peers: Peers = False,
    threads: Threads = 1,
    repeats: Annotated[int, typer.Option(min=1, max=1001, help="Turns, medians are shown.")] = 9,
    large: Annotated[
        bool, typer.Option("--large", help="Also 1,000,000 of 100,000,000 scores in a file of 400 MB.")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="Where that file is written meanwhile.")] = None,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time orders of points beside NumPy's, and k-DPPs beside DPPy; results are checked first."""
    from types import SimpleNamespace

    from augcore.benchmarks import dpp, dpp_show, sampling, sampling_show

    if folder is not None:
        check_folders(folder / "scores.npy")

    def measure(report: Report) -> Any:
        file = sampling.FILE if large else None
        where = None if folder is None else str(folder)
        orders = sampling.compare(file=file, folder=where, threads=threads, repeats=repeats, progress=report)
        draws = dpp.compare(dpp.CASES, dpp.PEERS if peers else (), threads=threads, repeats=repeats, progress=report)
        return orders, draws

    def more(draws: Any) -> dict[str, Any]:
        return {"more": [dpp_show.sheet(draws)], "notes_of_more": dpp_show.notes(draws)}

    show = SimpleNamespace(
        print_table=lambda found, page, everyone: sampling_show.print_table(found[0], page, **more(found[1])),
        to_markdown=lambda found: sampling_show.to_markdown(found[0], **more(found[1])),
        to_json=lambda found: sampling_show.to_json(found[0], more=dpp_show.figures(found[1])),
    )
    _present("timing orders and k-DPPs", measure, show, True, json, markdown)


@group.command()
@command
def scale(
    peers: Peers = False,
    threads: Threads = 1,
    repeats: Annotated[int, typer.Option(min=1, max=101, help="Turns, medians are shown.")] = 5,
    cases: Annotated[
        str | None, typer.Option(metavar="NxP,...", help="Points and features instead of the usual ones.")
    ] = None,
    workers: Annotated[
        str | None, typer.Option(metavar="N,...", help="Also on clusters of so many local processes, such as 1,2.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where the files of features are written meanwhile.")] = None,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time scores of a file of features that is mapped, not read, beside NumPy and Dask; and their growth."""
    from augcore.benchmarks import scale_show as show
    from augcore.benchmarks.scale import CASES, compare, parse_case

    with usage_errors("--cases"):
        chosen = [parse_case(text) for text in cases.split(",")] if cases is not None else CASES
    with usage_errors("--workers"):
        clusters = [_count(text) for text in workers.split(",")] if workers is not None else []
    if folder is not None:
        check_folders(folder / "X.npy")

    def measure(report: Report) -> Any:
        return compare(
            chosen, peers=peers, threads=threads, repeats=repeats, workers=clusters, folder=folder, progress=report
        )

    _present("timing scores of mapped files", measure, show, True, json, markdown)


@group.command()
@command
def inner(
    features: Annotated[
        Path | None, typer.Option(help="An .npz file of originals, variants, y, X_test, y_test; default: made ones.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=101, help="Turns, medians are shown.")] = 3,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time the fits, scorings and accuracies of the main experiment beside lean NumPy; results are compared."""
    from augcore.benchmarks import inner as loops
    from augcore.benchmarks import inner_show as show

    if features is None:
        given = loops.make_features(loops.CASE)
    else:
        with usage_errors("--features"):
            given = loops.read_features(features)

    def measure(report: Report) -> Any:
        return [loops.compare(given, convention=name, repeats=repeats, progress=report) for name in loops.CONVENTIONS]

    _present("timing the inner loop", measure, show, True, json, markdown)


@group.command()
@command
def gpu(
    peers: Annotated[
        bool, typer.Option("--peers", help="Beside torch and kornia on the same card, and this library's CPU path.")
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, max=1001, help="Turns, medians are shown.")] = 7,
    works: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Such as rotate or influence; default: all.")
    ] = None,
    images: Annotated[
        str | None, typer.Option(metavar="NxHxWxC[:DTYPE],...", help="Batches instead of the usual ones.")
    ] = None,
    points: Annotated[
        str | None, typer.Option(metavar="NxP[:DTYPE]", help="Points and features instead of the usual ones.")
    ] = None,
    scores: Annotated[int | None, typer.Option(min=1, help="To order, instead of 100,000,000.")] = None,
    json: JsonFile = None,
    markdown: MarkdownFile = None,
    debug: Debug = False,
) -> None:
    """Time works on a GPU beside the limits of the card, which are measured first; results are checked to be equal."""
    from dataclasses import replace

    from augcore.benchmarks import gpu as on_gpu
    from augcore.benchmarks import gpu_show as show
    from augcore.benchmarks.gpu_works import SIZES, WORKS, find_works
    from augcore.benchmarks.influence_peers import parse_case as parse_points
    from augcore.benchmarks.works import parse_case

    sizes = SIZES if scores is None else replace(SIZES, scores=scores)
    with usage_errors("--works"):
        chosen = find_works(works) if works is not None else WORKS
    with usage_errors("--images"):
        if images is not None:
            sizes = replace(sizes, images=[parse_case(text) for text in images.split(",")])
    with usage_errors("--points"):
        if points is not None:
            sizes = replace(sizes, points=parse_points(points))

    def measure(report: Report) -> Any:
        return on_gpu.compare(sizes, chosen, peers=peers, repeats=repeats, progress=report)

    _present("timing works on the GPU", measure, show, True, json, markdown)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise ValueError(f"expected numbers from 1 to 64, got {text!r}")
    return int(text)


def _present(
    title: str, measure: Callable[[Report], Any], show: Any, everyone: bool, json: Path | None, markdown: Path | None
) -> None:
    """Measures with progress on stderr, prints the tables that the module `show` makes, and writes the files."""
    from augcore import _files
    from augcore.experiments import progress

    check_folders(json, markdown)
    with progress.shown(console(stderr=True), title) as report:
        results = measure(report)
    page = console(width=114)
    with page.capture() as capture:
        show.print_table(results, page, everyone=everyone)
    say(capture.get().rstrip("\n"))
    for path, text in ((json, show.to_json), (markdown, show.to_markdown)):
        if path is not None:
            with _files.atomic_write(path) as stream:
                stream.write(text(results).encode())
