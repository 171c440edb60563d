"""The commands of the group data: which data sets are there, fetching them, checking them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augcore.cli._command import Debug, InterruptedRunError, UsageError, command, console, naming, say, waiting

if TYPE_CHECKING:
    from augcore.datasets import Finding, Known

__all__ = ["group"]

group = typer.Typer(help="Data sets: which are there, fetch them, check them.", no_args_is_help=True)

Root = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of the data sets; default: AUGCORE_DATA, or a cache folder.")
]


@group.command("list")
@command
def list_(root: Root = None, debug: Debug = False) -> None:
    """Show every data set: whether it is there, how large it is, how it can be had."""
    from augcore import datasets

    place = datasets.data_folder(root)
    lines = [f"looked for in {place} (another: --root, or AUGCORE_DATA)", ""]
    for name, known in datasets.DATASETS.items():
        lines += [f"{name:<15}{_state(name, known, place, root)}", f"{'':<15}{known.title}"]
    lines += [
        f"{'npz:PATH':<15}your own: an .npz file with x_train, y_train, x_test, y_test",
        f"{'folder:PATH':<15}your own: images in PATH/train/CLASS/ and PATH/test/CLASS/",
    ]
    say("\n".join(lines))


def _state(name: str, known: Known, place: Path, root: Path | None) -> str:
    """What is there of a data set, and how to get what is not."""
    form = known.form(place)
    if form is not None:
        paths = list(form.find(place).values())
        if not paths:
            return "here, inside the package"
        return f"here, {_size(paths)}: {paths[0].name}{f' and {len(paths) - 1} more' if paths[1:] else ''}"
    begun = [form for form in known.forms if form.find(place)]
    partial = [path for file in known.fetched if (path := place / f".{file}.partial").is_file()]
    state = "missing"
    if begun:
        missing = begun[0].missing(place)
        found = list(begun[0].find(place).values())
        state = f"incomplete, {_size(found)} there: {len(missing)} of {len(begun[0].files)} files are missing"
    if partial:
        state += f", {_size(partial)} of {partial[0].name.removesuffix('.partial')[1:]} fetched"
    if not known.fetched:
        return f"{state}; put {known.wanted} there, from {known.url}"
    from augcore.datasets import checksums

    size = sum(checksums.BYTES[file] for file in known.fetched)
    return f"{state}; {_megabytes(size)} to fetch: augcore data fetch {name}{_option(root)}"


def _option(root: Path | None) -> str:
    return "" if root is None else f" --root {shlex.quote(str(root))}"


def _size(paths: list[Path]) -> str:
    return _megabytes(sum(path.stat().st_size for path in paths))


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"


@group.command()
@command
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="mnist, cifar10 or norb.")],
    root: Root = None,
    debug: Debug = False,
) -> None:
    """Fetch the official files of a data set; goes on where it was interrupted."""
    from augcore import datasets
    from augcore.experiments import progress

    known = _known(name)
    place = datasets.data_folder(root)
    again = f"augcore data verify {name}{_option(root)}"
    if known.form(place) is not None:
        say(f"{name}: is there already; {again} checks it")
        return
    _check_before(name, known, place)
    try:
        with progress.shown(console(stderr=True), f"fetching {name} into {place}") as report:
            files = datasets.fetch(name, root=place, progress=report)
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted; what has come is kept. Go on with the same command") from None
    say(f"{name}: {_size(files)} in {place}")


def _known(name: str) -> Known:
    from augcore import datasets

    if name not in datasets.DATASETS:
        raise UsageError(f"NAME {name}: expected one of {', '.join(datasets.DATASETS)}")
    return datasets.DATASETS[name]


def _check_before(name: str, known: Known, place: Path) -> None:
    """Refuses what cannot be fetched, and files that are there but damaged: they would stay."""
    from augcore.datasets import verify

    if not known.fetched:
        raise ValueError(f"{name}: cannot be fetched; put {known.wanted} into {place}, from {known.url}")
    with waiting(f"checking {name}"):
        damaged = [found.words for found in verify(name, root=place) if found.state == "damaged"]
    if damaged:
        raise ValueError(f"{damaged[0]}; remove it, then fetch again")


@group.command()
@command
def verify(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One data set, also npz:PATH or folder:PATH; default: all.")
    ] = None,
    root: Root = None,
    debug: Debug = False,
) -> None:
    """Check the files that are there, to their ends: ok, damaged or missing.

    The exit code is 1 where a file is damaged, or the data set that was named is not there whole.
    """
    from augcore import datasets
    from augcore._errors import ChecksumError
    from augcore.datasets import registry

    place = datasets.data_folder(root)
    findings = []
    for each in datasets.DATASETS if name is None else [name]:
        with waiting(f"checking {each}"), naming(name="NAME"):
            found = list(datasets.verify(each, root=place))
        say("\n".join(_line(finding) for finding in found))
        findings += found
    if damaged := sum(finding.state == "damaged" for finding in findings):
        raise ChecksumError(f"{damaged} {'file is' if damaged == 1 else 'files are'} damaged")
    if name is not None and any(finding.state == "missing" for finding in findings):
        raise registry.missing(name, place)


def _line(finding: Finding) -> str:
    if finding.state == "damaged":  # the error names the file
        return f"damaged  {finding.words}"
    return f"{finding.state:<8} {finding.path}  ({finding.words})"
