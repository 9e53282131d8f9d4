"""From any picture to the square of pixels that an image tower wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from secfpp.errors import ConfigError
from secfpp.learn.images import ImageSet

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side to `size` pixels, cut out the middle, then (x/255 − mean)/std."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if self.size < 1 or self.interpolation not in FILTERS:
            raise ConfigError(
                f"preprocessing to {self.size} pixels by {self.interpolation!r} is not supported; "
                f"the interpolations are {', '.join(FILTERS)}"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError(f"mean {self.mean} and std {self.std} must be three numbers, std > 0")

    @classmethod
    def of(cls, config: Mapping[str, object], tower_size: object) -> Preprocessing:
        """Read open_clip's description; ConfigError where it is not the one of the image tower.

        `tower_size` is the side that the image tower was built for, a number or a pair.
        """
        size = _side(config.get("size", tower_size))
        if size != _side(tower_size):
            raise ConfigError(
                f"the preprocessor makes {size} pixels, the image tower wants {_side(tower_size)}",
                fix="give the preprocessor that belongs to these weights",
            )
        mode = config.get("resize_mode", "shortest")
        if mode != "shortest":
            raise ConfigError(f'the preprocessor resizes by "{mode}", only "shortest" is supported')
        mean, std = config.get("mean"), config.get("std")
        if not isinstance(mean, list | tuple) or not isinstance(std, list | tuple):
            raise ConfigError("the preprocessor names no mean and std of the three colours")
        numbers = tuple(map(float, mean)), tuple(map(float, std))
        return cls(size, *numbers, str(config.get("interpolation", "bicubic")))

    def describe(self) -> str:
        """One line that is equal exactly where preprocessing is."""
        mean, std = (",".join(f"{value:.8g}" for value in part) for part in (self.mean, self.std))
        return f"{self.size}px {self.interpolation} centre mean {mean} std {std}"

    def fit(self, picture: Image.Image) -> NDArray[np.uint8]:
        """A picture as uint8 (size, size, 3)."""
        picture = picture.convert("RGB")
        shorter = min(picture.size)
        if shorter != self.size:
            # Rounded as open_clip's own transform does it: the longer side down, the cut half even.
            width, height = (self.size * side // shorter for side in picture.size)
            picture = picture.resize((width, height), FILTERS[self.interpolation])
        left, top = (round((side - self.size) / 2) for side in picture.size)
        box = (left, top, left + self.size, top + self.size)
        return np.asarray(picture.crop(box), dtype=np.uint8)

    def fit_all(self, images: ImageSet) -> ImageSet:
        """The same set with images of (size, size)."""
        if images.images.shape[1:3] == (self.size, self.size):
            return images
        fitted = [self.fit(Image.fromarray(image)) for image in images.images]
        return ImageSet(
            np.stack(fitted) if fitted else np.zeros((0, self.size, self.size, 3), np.uint8),
            images.labels,
            images.domains,
            images.classes,
            images.domain_names,
        )


def _side(size: object) -> int:
    sides = size if isinstance(size, list | tuple) else (size,)
    whole = [side for side in sides if isinstance(side, int) and side > 0]
    if len(whole) != len(sides) or len(set(whole)) != 1:
        raise ConfigError(f"images must be square, not {size!r}")
    return whole[0]
