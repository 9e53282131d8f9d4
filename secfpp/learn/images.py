"""A labelled set of images: the one shape in which every kind of data reaches the learner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secfpp.errors import Misuse


@dataclass(frozen=True, repr=False)
class ImageSet:
    """Images with labels and domains.

    `images` is uint8 (N, H, W, 3), `labels` int64 (N,) indexes `classes`, `domains` int64 (N,)
    indexes `domain_names`. Arrays of unequal length or an index out of range raise Misuse.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    domains: NDArray[np.int64]
    classes: tuple[str, ...]
    domain_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[3] != 3 or self.images.dtype != np.uint8:
            raise Misuse(
                f"images must be uint8 (N, H, W, 3), not {self.images.dtype} {self.images.shape}"
            )
        if not len(self.images) == len(self.labels) == len(self.domains):
            raise Misuse(
                f"{len(self.images)} images, {len(self.labels)} labels and {len(self.domains)} "
                "domains: there must be one label and one domain per image"
            )
        for name, index, names in (
            ("label", self.labels, self.classes),
            ("domain", self.domains, self.domain_names),
        ):
            if len(index) and (int(index.min()) < 0 or int(index.max()) >= len(names)):
                raise Misuse(f"a {name} lies outside 0…{len(names) - 1}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: NDArray[np.int64]) -> ImageSet:
        """The images at `index` (M,), in that order, with the same classes and domains."""
        return ImageSet(
            self.images[index],
            self.labels[index],
            self.domains[index],
            self.classes,
            self.domain_names,
        )

    def __repr__(self) -> str:
        names = f"{len(self.classes)} classes, {len(self.domain_names)} domains"
        return f"ImageSet({len(self)} images, {names})"
