"""What is timed on a GPU: images, influence, fits and orders, with what each is limited by and what it should reach."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from augcore import _device, influence, policies, streaming, transforms
from augcore.benchmarks import gpu_peers
from augcore.benchmarks import influence as influence_benchmark
from augcore.benchmarks import transforms as images_benchmark
from augcore.benchmarks import works as image_works
from augcore.benchmarks.gpu_peers import Peer
from augcore.benchmarks.influence_peers import Case as Points
from augcore.benchmarks.works import Case, Task, Work
from augcore.linear_model import LogisticRegression

__all__ = ["SIZES", "WORKS", "Job", "Peer", "Sizes", "count", "find_works", "jobs", "pinned"]

Array = Any  # NumPy's or CuPy's


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    `copied` bytes and products of `matrix` x `matrix` numbers give the limits; results are compared with the CPU's on
    `checked` images, points or scores.
    """

    images: Sequence[Case]
    points: Points
    points_of_classes: Points
    classes: int
    scores: int
    copied: int
    matrix: int
    checked: int


SIZES = Sizes(
    images=(Case(65_536, 32, 32, 3), Case(2_048, 224, 224, 3)),
    points=Points(1_000_000, 512, "float32"),
    points_of_classes=Points(50_000, 512, "float64"),
    classes=10,
    scores=100_000_000,
    copied=2**30,
    matrix=8192,
    checked=20_000,
)


@dataclass(frozen=True)
class Job:
    """One work.

    run gives a CuPy array, of which `head` is compared: with other libraries' by `difference`. `checked` gives the
    result for a part of the data, and the CPU's. `amount` is what `limit` counts, bytes or operations; `share` of that
    limit, or `seconds`, are to be reached. on_the_cpu does the work there.
    """

    work: str
    case: str
    run: Callable[[], Array]
    checked: Callable[[], tuple[NDArray[Any], NDArray[Any]]]
    difference: Callable[[NDArray[Any], NDArray[Any]], float]
    tolerance: float
    limit: str | None = None
    amount: float = 0.0
    share: float | None = None
    seconds: float | None = None
    peers: Sequence[Peer] = field(default=())
    on_the_cpu: Callable[[], object] | None = None
    head: Callable[[Array], Array] = lambda result: result


def pinned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """A NumPy array in page-locked memory, from which the card reads at full speed."""
    size = int(np.prod(shape, dtype=np.int64))
    memory = _device.cupy().cuda.alloc_pinned_memory(max(1, size * np.dtype(dtype).itemsize))
    return np.frombuffer(memory, dtype, size).reshape(shape)


# ---- images ----------------------------------------------------------------------------------------------------------

_IMAGE_WORKS = {
    "translate": Work("translate", "translate 3 px", "affine", shift=(3, 3)),
    "flip": Work("flip", "flip", "flip"),
    "rotate": Work("rotate", "rotate 5°", "affine", degrees=5),
    "warp": Work("warp", "warp, one matrix each", "affine", shift=(2.3, -1.6), degrees=30, each=True),
}
_CHECKED_IMAGES = 64
ONE_IN = 1000  # values of whole images may be off by a level


def _apply(work: Work, images: Array, matrices: Array, out: Array | None = None) -> Array:
    if work.kind == "flip":
        return transforms.flip(images, out=out)
    if work.each:
        return transforms.warp_affine(images, matrices, inverse=True, out=out)
    if work.degrees:
        return transforms.rotate(images, work.degrees, out=out)
    return transforms.translate(images, *work.shift, out=out)


def _levels(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference; where at most one in a thousand is off, and by one level, none."""
    apart = images_benchmark.difference(found, expected)
    return 0.0 if apart == 1 and (found != expected).mean() <= 1 / ONE_IN else apart


def _image_jobs(case: Case, names: Sequence[str]) -> Iterator[Job]:
    host = image_works.batch(case)
    images = _device.upload(host)
    out = _device.empty("out", images.shape, images.dtype)
    small = case.height * case.width < 64 * 64
    for name in names:
        work = _IMAGE_WORKS[name]
        matrices = Task(work, host).inverse()
        on_card = _device.upload(matrices)

        def checked(work: Work = work, matrices: Array = matrices, on_card: Array = on_card) -> Any:
            few = slice(_CHECKED_IMAGES)
            found = _apply(work, images[few], on_card[few])
            return _device.host(found), _apply(work, host[few], matrices[few])

        yield Job(
            work.label,
            case.label,
            functools.partial(_apply, work, images, on_card, out),
            checked,
            images_benchmark.difference if work.copies else _levels,
            0.0,
            "copy",
            2.0 * images.nbytes,
            0.8 if work.copies else 0.5 if small else 0.6,
            peers=gpu_peers.of_images(work, images, matrices),
            head=lambda result: result[:_CHECKED_IMAGES],
        )


# ---- influence, fits -------------------------------------------------------------------------------------------------


def _samples(case: Points, classes: int = 2) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float64]]:
    """Normal features, noisy labels, and the coefficients that made them: of every class, where there are more."""
    rng = np.random.default_rng(0)
    X = pinned((case.n, case.p), case.dtype)
    rng.standard_normal(out=X, dtype=X.dtype.type)
    coef = rng.normal(size=(classes, case.p)) / np.sqrt(case.p)
    if classes == 2:
        coef = coef[:1]
    eta = X @ coef.T.astype(case.dtype)
    eta += 0.5 * rng.standard_normal(eta.shape, dtype=X.dtype.type)
    y = eta.argmax(axis=1) if classes > 2 else (eta[:, 0] > 0).astype(np.int64)
    return X, y, coef


def _point_jobs(sizes: Sizes, names: Sequence[str]) -> Iterator[Job]:
    case = sizes.points
    X, y, coef = _samples(case)
    X_card, y_card = _device.upload(X), _device.upload(y)
    few, scores = slice(sizes.checked), functools.partial(influence.loo_influence, intercept=0.1)
    shared: dict[str, Any] = {
        "difference": influence_benchmark.difference,
        "tolerance": influence_benchmark.TOLERANCE[case.dtype],
        "on_the_cpu": lambda: scores(X, y, coef),
    }
    if "influence" in names:
        yield Job(
            "self-influence",
            case.label,
            lambda: scores(X_card, y_card, coef),
            lambda: (_device.host(scores(X_card[few], y_card[few], coef)), scores(X[few], y[few], coef)),
            limit=case.dtype,
            amount=case.operations,
            share=0.6,
            peers=gpu_peers.of_points(X_card, y_card, coef[0], 0.1),
            **shared,
        )
    if "pinned" in names:
        model = LogisticRegression(C=1.0).fit(X[few], y[few])._without_data()

        def from_host(rows: int) -> Array:
            return streaming.score(model, streaming.Blocks(X[:rows], y[:rows], device="cuda"), "loo_influence")

        def expected(rows: int) -> NDArray[np.float64]:
            return influence.loo_influence(X[:rows], y[:rows], model.coef_, model.intercept_, model.l2)

        yield Job(
            "self-influence, from host",
            case.label,
            lambda: from_host(case.n),
            lambda: (from_host(sizes.checked), expected(sizes.checked)),
            limit="transfer",
            amount=float(X.nbytes),
            share=0.8,
            **{**shared, "on_the_cpu": lambda: expected(case.n)},
        )
    if "fit" in names:

        def fitted(X: Array, y: Array) -> Array:
            return LogisticRegression(C=1.0).fit(X, y).coef_

        yield Job(
            "fit",
            case.label,
            lambda: fitted(X_card, y_card),
            lambda: (_device.host(fitted(X_card[few], y_card[few])), fitted(X[few], y[few])),
            difference=lambda found, expected: float(np.abs(found - expected).max() / np.abs(expected).max()),
            tolerance=influence_benchmark.TOLERANCE[case.dtype],
            on_the_cpu=lambda: fitted(X, y),
        )


def _class_jobs(sizes: Sizes) -> Iterator[Job]:
    """Leave-one-out loss changes (ALO) of a softmax model, in float64."""
    case = sizes.points_of_classes
    X, y, coef = _samples(case, sizes.classes)
    X_card, y_card = _device.upload(X), _device.upload(y)
    few, changes = slice(sizes.checked), functools.partial(influence.loo_loss_change, intercept=0.0, l2=1.0)
    yield Job(
        f"ALO of {sizes.classes} classes",
        case.label,
        lambda: changes(X_card, y_card, coef),
        lambda: (_device.host(changes(X_card[few], y_card[few], coef)), changes(X[few], y[few], coef)),
        influence_benchmark.difference,
        influence_benchmark.TOLERANCE[case.dtype],
        seconds=0.5,
        on_the_cpu=lambda: changes(X, y, coef),
    )


# ---- orders ----------------------------------------------------------------------------------------------------------


def _order_jobs(sizes: Sizes) -> Iterator[Job]:
    """By weight, of all, and of one in a hundred. The same order as the CPU's to the last place."""
    n = sizes.scores
    scores = np.random.default_rng(0).standard_exponential(n)
    on_card = _device.upload(scores)
    few = slice(sizes.checked)
    for k, label, amount in ((None, "order", 16.0 * n), (max(1, n // 100), "order of one in 100", 8.0 * n)):
        order = functools.partial(policies.order, policy="random_proportional", rng=0)
        some = None if k is None else max(1, min(n, sizes.checked) // 100)

        def checked(order: Any = order, k: int | None = some) -> tuple[NDArray[Any], NDArray[Any]]:
            return _device.host(order(on_card[few], k=k)), order(scores[few], k=k)

        yield Job(
            label,
            f"{n:,} scores",
            functools.partial(order, on_card, k=k),
            checked,
            lambda found, expected: float((found != expected).mean()),
            0.0,
            "copy",
            amount,
            on_the_cpu=functools.partial(order, scores, k=k),
        )


# ---- all -------------------------------------------------------------------------------------------------------------

_OF_POINTS = ("influence", "pinned", "fit")
WORKS = (*_IMAGE_WORKS, *_OF_POINTS, "classes", "order")


def find_works(names: str) -> list[str]:
    """Some of WORKS, parted by commas. ValueError if one is none of them."""
    chosen = names.split(",")
    for name in chosen:
        if name not in WORKS:
            raise ValueError(f"{name!r}: expected some of {', '.join(WORKS)}")
    return chosen


def jobs(sizes: Sizes, names: Sequence[str]) -> Iterator[Job]:
    """The works of these names, one after the other; the data of a family are made when its first comes."""
    of_images = [name for name in _IMAGE_WORKS if name in names]
    for case in sizes.images if of_images else ():
        yield from _image_jobs(case, of_images)
    if any(name in names for name in _OF_POINTS):
        yield from _point_jobs(sizes, names)
    if "classes" in names:
        yield from _class_jobs(sizes)
    if "order" in names:
        yield from _order_jobs(sizes)


def count(sizes: Sizes, names: Sequence[str]) -> int:
    """How many jobs they are."""
    of_images = sum(name in _IMAGE_WORKS for name in names)
    return len(sizes.images) * of_images + sum({"order": 2}.get(name, 1) for name in names) - of_images
