"""A family as a step: one variant of it for each image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augcore import _random, _validate
from augcore.augmentations.families import Augmentation
from augcore.augmentations.registry import register
from augcore.augmentations.settings import Fill, Resampling, common
from augcore.augmentations.step import WHOLE, Drawn, Kind, Step

Images = NDArray[Any]
Floats = NDArray[np.float64]


@register("random_variant")
@dataclass(frozen=True, repr=False)
class RandomVariant(Step):
    """One variant of a family for each image, all equally likely. In a pipeline a bare family stands for it.

    As the first step of a pipeline it gives the same images as `family.sample`.

    Parameters
    ----------
    family : Translate, Rotate, Crop or another Augmentation
    p : float
        The probability by which an image is changed at all.

    Examples
    --------
    >>> images = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    >>> bool((RandomVariant(Crop([1, 2])).sample(images, rng=7) == Crop([1, 2]).sample(images, rng=7)).all())
    True
    """

    family: Augmentation

    kinds: ClassVar[Mapping[str, Kind]] = {"variant": WHOLE}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.family, Augmentation):
            raise TypeError(f"family: expected an Augmentation, got {_validate.describe(self.family)}")

    def draw(self, draws: _random.Draws, height: int, width: int) -> dict[str, NDArray[Any]]:
        """variant: its number in `family.parameters`."""
        return {"variant": _random.below(draws.words(0), self.family.n_variants)}

    def _variants(self, parameters: Drawn) -> NDArray[np.intp]:
        variants: NDArray[np.intp] = parameters["variant"].astype(np.intp)
        if len(variants) and not 0 <= variants.min() <= variants.max() < self.family.n_variants:
            raise ValueError(f"variant: must be between 0 and {self.family.n_variants - 1}")
        return variants

    def matrix(self, parameters: Drawn, height: int, width: int) -> Floats | None:
        """That of the variant, if the family has any."""
        return self.family._matrix(self._variants(parameters), height, width)

    def resampling(self) -> Resampling | None:
        """That of the family."""
        return self.family._resampling()

    def for_masks(self, fill: Fill) -> RandomVariant:
        """The same variants by nearest neighbours."""
        return replace(self, family=self.family._for_masks(fill))

    def apply(
        self, images: Images, parameters: Drawn, *, out: Images | None = None, threads: int | None = None
    ) -> Images:
        """The variants of the family."""
        return self.family._apply(images, np.atleast_1d(common(self._variants(parameters))), out, threads)
