"""Deterministic renderings of photographs: the domains of the embedded data.

Each rendering is a few lines of numpy on uint8 images (N, H, W, 3), described in
docs/embedded-default.md §3. They are fixed: their parameters were chosen by looking at a contact
sheet before any prompt was tuned. No rendering inverts an image or swaps channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from secfpp.errors import ConfigError

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Domain(StrEnum):
    """The domains in which the embedded photographs come."""

    PHOTOGRAPH = "photograph"
    PENCIL = "pencil"
    CARTOON = "cartoon"
    NIGHT = "night"


@dataclass(frozen=True)
class Pencil:
    """A drawing of the edges, dark on paper.

    `darkness` scales the edge strength, measured against the image's own 95th percentile; `grain`
    is the standard deviation of the paper's noise, in grey levels.
    """

    darkness: float = 1.0
    grain: float = 4.0
    paper: float = 245.0


@dataclass(frozen=True)
class Cartoon:
    """Flat colours: smoothed, saturated, `levels` values a channel, dark outlines.

    `saturation` multiplies the distance from grey, `outline` the darkening at edges (0…1).
    """

    levels: int = 3
    saturation: float = 1.8
    outline: float = 0.8


@dataclass(frozen=True)
class Night:
    """Low light: `exposure` times the `gamma` power of the brightness, bluish, with noise.

    `noise` is the standard deviation of independent Gaussian noise, in grey levels.
    """

    exposure: float = 0.4
    gamma: float = 1.5
    noise: float = 18.0


def render(images: Images, domain: Domain, *, seed: int) -> Images:
    """Return `images` (N, H, W, 3) as they look in `domain`; a pure function of its arguments.

    The noise of an image depends on the seed and on the image's place in the array.
    """
    noise = np.random.default_rng([seed, list(Domain).index(domain)])
    match domain:
        case Domain.PHOTOGRAPH:
            return images.copy()
        case Domain.PENCIL:
            return pencil(images, Pencil(), noise)
        case Domain.CARTOON:
            return cartoon(images, Cartoon())
        case Domain.NIGHT:
            return night(images, Night(), noise)


def domain_named(name: str) -> Domain:
    """Return the domain called `name`, or raise ConfigError with the names there are."""
    try:
        return Domain(name)
    except ValueError:
        known = ", ".join(Domain)
        raise ConfigError(
            f'there is no embedded domain "{name}"', fix=f"use one of: {known}"
        ) from None


def pencil(images: Images, style: Pencil, noise: np.random.Generator) -> Images:
    """Draw the edges of `images` on paper."""
    strength = _edges(_smooth(images.astype(np.float32)))
    scale = np.percentile(strength, 95, axis=(1, 2), keepdims=True).astype(np.float32)
    stroke = np.clip(style.darkness * strength / np.maximum(scale, 1.0), 0.0, 1.0)
    grain = noise.standard_normal(stroke.shape, dtype=np.float32) * style.grain
    grey = style.paper * (1.0 - 0.85 * stroke) + grain
    return _rounded(np.repeat(grey[..., None], 3, axis=3))


def cartoon(images: Images, style: Cartoon) -> Images:
    """Paint `images` in few flat colours with outlines."""
    smooth = _smooth(images.astype(np.float32))
    grey = _luminance(smooth)[..., None]
    vivid = np.clip(grey + style.saturation * (smooth - grey), 0.0, 255.0)
    step = 255.0 / (style.levels - 1)
    flat = np.round(vivid / step) * step
    strength = _edges(smooth)
    scale = np.percentile(strength, 95, axis=(1, 2), keepdims=True).astype(np.float32)
    outline = np.clip(strength / np.maximum(scale, 1.0), 0.0, 1.0) ** 2
    return _rounded(flat * (1.0 - style.outline * outline[..., None]))


def night(images: Images, style: Night, noise: np.random.Generator) -> Images:
    """Show `images` in low light, as a noisy camera would see them."""
    light = 255.0 * style.exposure * (images.astype(np.float32) / 255.0) ** style.gamma
    tint = np.array([0.8, 0.9, 1.1], dtype=np.float32)
    grain = noise.standard_normal(images.shape, dtype=np.float32) * style.noise
    return _rounded(light * tint + grain)


def _luminance(images: Floats) -> Floats:
    """Return the luminance (ITU-R BT.601) of (N, H, W, 3) as (N, H, W).

    Plain sums and not a matrix product, whose last bit depends on the machine.
    """
    red, green, blue = images[..., 0], images[..., 1], images[..., 2]
    luminance: Floats = np.float32(0.299) * red
    luminance += np.float32(0.587) * green
    luminance += np.float32(0.114) * blue
    return luminance


def _smooth(images: Floats) -> Floats:
    """Average each pixel with its neighbours, weights 1 2 1 both ways, edges repeated."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    both = rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    smooth: Floats = both * np.float32(1 / 16)
    return smooth


def _edges(images: Floats) -> Floats:
    """Return the Sobel gradient magnitude of the luminance, (N, H, W)."""
    grey = np.pad(_luminance(images), ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = grey[:, :, 2:] - grey[:, :, :-2]
    down = grey[:, 2:] - grey[:, :-2]
    horizontal = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    vertical = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    magnitude: Floats = np.sqrt(horizontal * horizontal + vertical * vertical)
    return magnitude


def _rounded(values: Floats | NDArray[np.float64]) -> Images:
    return np.clip(np.rint(values), 0.0, 255.0).astype(np.uint8)
