"""The command `augcore train`: a network, its history, its weights, and the card that says how they came about."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from augcore.cli._command import (
    Debug,
    InterruptedRunError,
    UsageError,
    command,
    console,
    naming,
    say,
    tell,
    waiting,
)

__all__ = ["train"]

FOLDER = Path("augcore-training")


@command
def train(
    network: Annotated[str, typer.Argument(metavar="resnet|cnn|lenet5|mnist-cnn", help="resnet is ResNet v2.")],
    data: Annotated[
        str, typer.Option(metavar="NAME", help="cifar10, norb, mnist, mnist-sample, npz:PATH, folder:PATH.")
    ],
    depth: Annotated[int | None, typer.Option(help="Of a resnet: 11, 20, 29, ... 9n + 2; default: 56.")] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="short|paper", help="Default: short for a resnet, paper for the others.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: those of the recipe.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Default: that of the recipe.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The highest; default: that of the recipe.")] = None,
    precision: Annotated[
        str, typer.Option(metavar="auto|float32|bfloat16", help="auto: bfloat16 where the processor multiplies it.")
    ] = "auto",
    rotation: Annotated[
        float, typer.Option(min=0, max=180, metavar="DEGREES", help="Turn images by up to so much.")
    ] = 0.0,
    shift: Annotated[int, typer.Option(min=0, metavar="PIXELS", help="Move images by up to so much.")] = 0,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Only these classes, in this order; default: all.")
    ] = None,
    n_train: Annotated[int | None, typer.Option(min=1, help="Only the first images of the classes.")] = None,
    rng: Annotated[int, typer.Option(min=0, metavar="SEED", help="The same network for the same seed.")] = 0,
    start: Annotated[
        Path | None, typer.Option(metavar="WEIGHTS.npz", help="Begin with these weights of the same network.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; default: augcore-training/NETWORK-DATA[-augmented].")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in the folder.")] = False,
    debug: Debug = False,
) -> None:
    """Train a network; writes its weights for `featurize`, its history, and a card of how it was trained."""
    from augcore.cli import _training
    from augcore.experiments import progress

    named = ("recipe", "epochs", "batch_size", "learning_rate", "precision", "classes", "n_train", "start", "data")
    given = {name: f"--{name.replace('_', '-')}" for name in named}
    given |= {"name": "--data", "images": "--data", "seed": "--rng", "augmentation": "--rotation, --shift"}
    with naming(**given), waiting(f"reading {data}"):
        job = _training.plan(_name(network, depth), recipe, epochs, batch_size, learning_rate, precision, rng, start)
        job = _training.augmented(job, rotation, shift)
        images = _training.load(data, classes, n_train)
    options = {"rotation": rotation, "shift": shift, "classes": classes, "n-train": n_train}
    again = _training.command(job, data, {name: value for name, value in options.items() if value})
    folder = out or FOLDER / _folder_name(job.network, data, augmented=job.augment is not None)
    if not resume and (folder / "checkpoint.npz").exists():
        raise UsageError(f"{folder}: holds a training; --resume goes on with it, --out takes another folder")
    if resume and not (folder / "checkpoint.npz").exists():
        tell(f"{folder}: holds no finished epoch yet; begins")
    try:
        title = f"training {job.network} into {folder}"
        with naming(**given), progress.shown(console(stderr=True), title) as report:
            card = _training.train(job, images, data, again, folder, report, tell)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            "interrupted; whole epochs are kept. Go on with the same command and "
            f"--resume --out {shlex.quote(str(folder))}"
        ) from None
    say(f"{folder / _training.WEIGHTS}: {job.network}, {100 * card['test_accuracy']:.2f}% of the test images right")


def _folder_name(network: str, data: str, *, augmented: bool) -> str:
    """Where a training goes that is told no folder: NETWORK-DATA[-augmented]."""
    kind, _, path = data.partition(":")
    stem = Path(path).resolve().stem if path else kind
    return f"{network}-{stem}{'-augmented' * augmented}"


def _name(network: str, depth: int | None) -> str:
    """The network that the command line names."""
    from augcore.features import networks

    if network == "resnet":
        name = f"resnet{56 if depth is None else depth}v2"
        if not networks.is_network(name):
            raise UsageError(f"--depth {depth}: expected 9n + 2, such as 11, 20, 29, 38, 47 or 56")
        return name
    if network not in networks.NETWORKS:
        raise UsageError(f"{shlex.quote(network)}: expected one of resnet, {', '.join(networks.NETWORKS)}")
    if depth is not None:
        raise UsageError(f"--depth: is for a resnet, not for {network}")
    return network
