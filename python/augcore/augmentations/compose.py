"""Pipelines of random steps: draw for each image, join what can be one resampling, apply to all that belongs to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from augcore import _matrices, _random, _validate
from augcore._words import LAYOUTS, Layout
from augcore.augmentations import serial
from augcore.augmentations.distributions import within
from augcore.augmentations.families import Augmentation
from augcore.augmentations.followers import Boxes, Keypoints
from augcore.augmentations.layers import Images, Masks
from augcore.augmentations.parameters import Parameters
from augcore.augmentations.registry import register
from augcore.augmentations.settings import ANY, Resampling
from augcore.augmentations.step import PROBABILITY, Drawn, Step
from augcore.augmentations.variant import RandomVariant

Pixels = NDArray[Any]
Floats = NDArray[np.float64]

MAX_STEPS = 1000


class Applied(NamedTuple):
    """What a pipeline has made.

    images : array of the dtype and layout of the images
    masks : array of the dtype of the masks, or None
    boxes : array (N, K, 4) or list of N arrays, as they came, or None
        float64, clipped to the image. A box that has left it has an area of zero.
    keypoints : array (N, K, 2) or list of N arrays, as they came, or None
        float64, wherever they have gone.
    box_visibility : array (N, K) or list of N arrays, or None
        Which part of each box, by area, is still on the image, from 0 to 1.
    keypoint_visible : bool array (N, K) or list of N arrays, or None
        Which keypoints are on the image, and have been all along.
    parameters : Parameters
        What was drawn for each image: `Compose.replay` does the same again.
    """

    images: Pixels
    masks: Pixels | None
    boxes: Any
    keypoints: Any
    box_visibility: Any
    keypoint_visible: Any
    parameters: Parameters


class _Run(NamedTuple):
    """Steps that are applied at once: one step, or neighbours that `resampling` joins."""

    first: int
    stop: int
    resampling: Resampling | None


@register("compose")
@dataclass(frozen=True, init=False, repr=False)
class Compose:
    """A pipeline of random steps.

    Draws are keyed by (seed, epoch, index of the image, number of the step, parameter): an image gets the same whatever
    batch it is in, in any order, by any worker, with any number of threads.

    Parameters
    ----------
    steps : sequence of Step or of families (Translate, Rotate, Crop)
        A family draws one of its variants for each image.
    fuse : bool
        Join neighbouring affine steps of equal interpolation, border and fill into one matrix and one resampling. That
        is sharper and faster than one after the other, and what leaves the image in one step and returns in the next is
        not lost; results differ by what the additional resamplings would have blurred and cut off. Never joined across
        a crop, a change of size, arithmetic="opencv4" or a warp that is not affine. fuse=False is the same as to
        apply the steps one by one, bit for bit.

    Examples
    --------
    >>> pipeline = Compose([RandomFlip(), RandomRotate((-10, 10)), RandomCrop(28, padding=2)])
    >>> images = np.zeros((4, 28, 28), np.uint8)
    >>> result = pipeline(images, rng=0, masks=images > 0, boxes=[[[4, 4, 12, 12]]] * 4)
    >>> result.images.shape, result.masks.dtype, result.boxes[0].shape
    ((4, 28, 28), dtype('bool'), (1, 4))
    >>> again = pipeline.replay(result.parameters[2:], images[2:])
    >>> Compose.from_json(pipeline.to_json()) == pipeline
    True
    """

    steps: tuple[Step, ...]
    fuse: bool

    def __init__(self, steps: Iterable[Step | Augmentation], *, fuse: bool = True) -> None:
        if not isinstance(steps, Iterable) or isinstance(steps, str | Mapping | np.ndarray):
            raise TypeError(f"steps: expected a sequence of steps, got {_validate.describe(steps)}")
        made = tuple(_step(i, step) for i, step in enumerate(itertools.islice(steps, MAX_STEPS + 1)))
        if len(made) > MAX_STEPS:
            raise ValueError(f"steps: at most {MAX_STEPS}")
        object.__setattr__(self, "steps", made)
        object.__setattr__(self, "fuse", _validate.flag("fuse", fuse))

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(repr, self.steps))}]{'' if self.fuse else ', fuse=False'})"

    def __call__(
        self,
        images: ArrayLike,
        rng: _random.Rng = None,
        *,
        indices: ArrayLike | None = None,
        epoch: int = 0,
        masks: ArrayLike | None = None,
        boxes: Any = None,
        keypoints: Any = None,
        mask_fill: float = 0,
        layout: Layout = "NHWC",
        threads: int | None = None,
    ) -> Applied:
        """Draw for each image, and apply the steps.

        Parameters
        ----------
        images : array (N, H, W) or (N, H, W, C), or (N, C, H, W) with layout="NCHW"
            Of uint8, uint16, float32 or float64.
        rng : int, numpy.random.Generator or None
            With an int, draws are a function of (rng, epoch, index of the image). A Generator is advanced once per
            call, by two words of 64 bits, whatever is drawn. None: fresh entropy.
        indices : int array (N,), optional
            Which images of the whole set these are; 0 ... N - 1 by default.
        epoch : int
            Another epoch, other draws.
        masks : array (N, H, W) or (N, H, W, C) of booleans, integers or floats, optional
            Moved by nearest neighbours, so that no new values arise but `mask_fill`, where the border is "constant".
        boxes : array (N, K, 4) or list of N arrays (k, 4), optional
            x1, y1, x2, y2 at pixel edges: the whole image is 0, 0, W, H.
        keypoints : array (N, K, 2) or list of N arrays (k, 2), optional
            x, y at pixel centres.
        mask_fill : float
            Between 0 and 1 for booleans.
        layout : {"NHWC", "NCHW"}
            Of images and masks of four dimensions; both give the same values.
        threads : int, optional
            The result does not depend on it.

        Returns
        -------
        Applied

        Raises
        ------
        TypeError, ValueError
            Naming the argument. Also where a step that changes the size has p < 1.
        """
        layer = self._images(images, layout)
        n, *size = layer.shape
        which = np.arange(n) if indices is None else _validate.indices("indices", indices, n)
        epoch = _validate.integer("epoch", epoch, 0, 2**63 - 1)
        parameters = self._draw(_random.key(rng), which.astype(np.int64, copy=False), epoch, (size[0], size[1]))
        layers = [layer, *self._masks(masks, layer, mask_fill, layout)]
        return self._apply(layers, parameters, boxes, keypoints, threads)

    def sample(
        self,
        images: ArrayLike,
        rng: _random.Rng = None,
        *,
        indices: ArrayLike | None = None,
        epoch: int = 0,
        layout: Layout = "NHWC",
        threads: int | None = None,
    ) -> Pixels:
        """The images alone: see `__call__`."""
        return self(images, rng, indices=indices, epoch=epoch, layout=layout, threads=threads).images

    def replay(
        self,
        parameters: Parameters,
        images: ArrayLike,
        *,
        masks: ArrayLike | None = None,
        boxes: Any = None,
        keypoints: Any = None,
        mask_fill: float = 0,
        layout: Layout = "NHWC",
        threads: int | None = None,
    ) -> Applied:
        """Apply what was drawn before: the same bits for the same images.

        Parameters
        ----------
        parameters : Parameters
            Of `Applied.parameters`, or of some of its images: `parameters[indices]`.
        images, masks, boxes, keypoints, mask_fill, layout, threads
            As in `__call__`; the images of the size for which was drawn.

        Returns
        -------
        Applied
        """
        layer = self._images(images, layout)
        checked = self._checked(parameters)
        if (checked.n, *checked.size) != layer.shape:
            raise ValueError(f"images: expected {checked.n} of {checked.size}, as were drawn for, got {layer.shape}")
        layers = [layer, *self._masks(masks, layer, mask_fill, layout)]
        return self._apply(layers, checked, boxes, keypoints, threads)

    def matrix(self, parameters: Parameters) -> Floats:
        """Where all steps together take each image: (N, 3, 3), source -> destination in pixel-centre coordinates.

        Parameters
        ----------
        parameters : Parameters
            Of `Applied.parameters`.

        Returns
        -------
        array (N, 3, 3), float64

        Raises
        ------
        ValueError
            Where a step is not affine.
        """
        checked = self._checked(parameters)
        total, size = _matrices.identities(checked.n), checked.size
        for step, drawn in zip(self.steps, checked.steps, strict=True):
            matrices = _where_applied(step, drawn, size)
            if matrices is None:
                raise ValueError(f"parameters: {type(step).__name__} is not affine, so there is no matrix")
            total, size = _matrices.product(matrices, total), step.output_size(*size)
        return _finite("parameters", total)

    # ---- the way of a batch ------------------------------------------------------------------------------------------

    def _draw(self, key: _random.Words, indices: NDArray[np.int64], epoch: int, size: tuple[int, int]) -> Parameters:
        drawn, current = [], size
        for number, step in enumerate(self.steps):
            if step.p < 1 and step.output_size(*current) != current:
                raise ValueError(f"p: {step!r} changes the size of images, so all must be changed (p=1)")
            draws = _random.Draws(key, indices, epoch=epoch, step=number)
            applied = np.full(len(indices), step.p == 1)
            if 0 < step.p < 1:
                applied = _random.uniforms(draws.words(PROBABILITY)) < step.p
            drawn.append({"applied": applied, **step.draw(draws, *current)})
            current = step.output_size(*current)
        return Parameters(len(indices), size, tuple(drawn))

    def _checked(self, parameters: Parameters) -> Parameters:
        if not isinstance(parameters, Parameters):
            raise TypeError(f"parameters: expected Parameters, got {_validate.describe(parameters)}")
        return parameters.of(self.steps)

    @cached_property
    def _runs(self) -> list[_Run]:
        """Which steps are applied at once. Steps that only copy are joined where they stand between two others."""
        runs: list[_Run] = []
        for number, step in enumerate(self.steps):
            own = step.resampling() if self.fuse else None
            joined = runs[-1].resampling.joined(own) if runs and runs[-1].resampling is not None else None
            if joined is None:
                runs.append(_Run(number, number + 1, own))
            else:
                runs[-1] = _Run(runs[-1].first, number + 1, joined)
        return [part for run in runs for part in self._trimmed(run)]

    def _trimmed(self, run: _Run) -> list[_Run]:
        resampled = [
            number for number in range(run.first, run.stop) if self.steps[number].resampling() not in (None, ANY)
        ]
        if len(resampled) < 2:
            return [_Run(number, number + 1, None) for number in range(run.first, run.stop)]
        first, stop = resampled[0], resampled[-1] + 1
        copies = [_Run(number, number + 1, None) for number in (*range(run.first, first), *range(stop, run.stop))]
        before = first - run.first
        return [*copies[:before], _Run(first, stop, run.resampling), *copies[before:]]

    def _images(self, images: ArrayLike, layout: str) -> Images:
        _validate.choice("layout", layout, LAYOUTS)
        return Images(self.steps, _validate.images("images", images, layout), layout)

    def _masks(self, masks: ArrayLike | None, images: Images, fill: Any, layout: str) -> list[Masks]:
        return [] if masks is None else [Masks(self.steps, masks, images.shape, fill, layout)]

    def _apply(
        self, layers: Sequence[Images], parameters: Parameters, boxes: Any, keypoints: Any, threads: int | None
    ) -> Applied:
        """All that moves, through one run of steps after the other."""
        _validate.threads(threads)
        n, height, width = layers[0].shape
        box_tracks = None if boxes is None else Boxes(boxes, n, (height, width))
        point_tracks = None if keypoints is None else Keypoints(keypoints, n, (height, width))
        followers = [track for track in (box_tracks, point_tracks) if track is not None]

        for run in self._runs:
            size = height, width
            drawn = parameters.steps[run.first : run.stop]
            if run.resampling is None:
                for layer in layers:
                    layer.apply(run.first, drawn[0], threads)
                for follower in followers:
                    follower.follow(self.steps[run.first], drawn[0], size)
            else:
                total = _total(self.steps[run.first : run.stop], drawn, size)
                applied = np.any([step["applied"] for step in drawn], axis=0)
                for layer in layers:
                    layer.resample(run.resampling, applied, total, threads)
                for follower in followers:
                    follower.move(total)
            height, width = self.steps[run.first].output_size(height, width)
            for follower in followers:
                follower.cut((height, width))

        return Applied(
            layers[0].result(),
            layers[1].result() if len(layers) > 1 else None,
            box_tracks.boxes() if box_tracks else None,
            point_tracks.points() if point_tracks else None,
            box_tracks.restore(box_tracks.visibility) if box_tracks else None,
            point_tracks.restore(point_tracks.visible) if point_tracks else None,
            parameters,
        )

    # ---- to and from dicts -------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The pipeline as strings, numbers, lists and dicts, with the version of their format."""
        return {"format": serial.FORMAT, "fuse": self.fuse, "steps": [step.to_dict() for step in self.steps]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Compose:
        """The pipeline that `to_dict` has written; anything else is a TypeError or a ValueError that names the field.

        Classes are looked up in AUGMENTATIONS by name; nothing in the dict is run.
        """
        content = serial.versioned(data, "a pipeline", ("fuse", "steps"))
        steps: Sequence[Any] = content["steps"]
        if not isinstance(steps, list | tuple):
            raise TypeError(f"steps: expected a list, got {_validate.describe(steps)}")
        if len(steps) > MAX_STEPS:
            raise ValueError(f"steps: at most {MAX_STEPS}, got {len(steps)}")
        made = [within(f"steps[{i}]", Step.from_dict, step) for i, step in enumerate(steps)]
        return cls(made, fuse=content["fuse"])

    def to_json(self) -> str:
        """`to_dict` as a text."""
        return serial.to_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Compose:
        """The pipeline that `to_json` has written; anything else is a TypeError or a ValueError."""
        return cls.from_dict(serial.from_json(text))


def _step(number: int, step: Any) -> Step:
    if isinstance(step, Augmentation):
        return RandomVariant(step)
    if not isinstance(step, Step):
        raise TypeError(f"steps[{number}]: expected a Step or an Augmentation, got {_validate.describe(step)}")
    return step


def _where_applied(step: Step, drawn: Drawn, size: tuple[int, int]) -> Floats | None:
    """(n, 3, 3): the identity for images to which the step is not applied; None where it is not affine."""
    matrices = step.matrix(drawn, *size)
    if matrices is None:
        return None
    return np.where(drawn["applied"][:, np.newaxis, np.newaxis], matrices, np.eye(3))


def _total(steps: Sequence[Step], drawn: Sequence[Drawn], size: tuple[int, int]) -> Floats:
    """The product of the matrices of affine steps that keep the size."""
    total = _matrices.identities(len(drawn[0]["applied"]))
    for step, values in zip(steps, drawn, strict=True):
        matrices = _where_applied(step, values, size)
        if matrices is None:
            raise ValueError(f"steps: {type(step).__name__} says how it resamples, but has no matrix")
        total = _matrices.product(matrices, total)
    return _finite("steps", total)


def _finite(name: str, matrices: Floats) -> Floats:
    if not np.isfinite(matrices).all():
        raise ValueError(f"{name}: the product of the matrices is beyond the range of float64")
    return matrices
