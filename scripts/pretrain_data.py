"""The images of pretraining: three public sets, less the photographs that SecFPP ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pretrain_captions import PHRASES, SAME_CLASS

from secfpp.learn.renderings import Cartoon, Night, Pencil, cartoon, night, pencil

STYLES = tuple(PHRASES)
PACS_STYLE = {"photo": "photograph", "cartoon": "cartoon", "art_painting": "painting"}
SIDE = 32


@dataclass
class Images:
    """Images (N, 32, 32, 3) of one set in one style, with the names of their classes."""

    pixels: NDArray[np.uint8]
    names: list[str]
    style: str


def caltech(path: Path, shipped: Path) -> Images:
    """Caltech-101 without every image that equals a shipped photograph byte for byte."""
    with np.load(shipped) as data:
        forbidden = {image.tobytes() for image in data["x"]}
    with np.load(path) as data:
        x, y, classes = data["x"], data["y"], data["classes"]
    kept = np.array([image.tobytes() not in forbidden for image in x])
    return Images(x[kept], [_name(str(classes[label])) for label in y[kept]], "photograph")


def cifar(path: Path) -> Images:
    """CIFAR-10 from one npz file."""
    with np.load(path) as data:
        x, y, classes = data["x"], data["y"], data["classes"]
    return Images(x, [_name(str(classes[label])) for label in y], "photograph")


def pacs(folder: Path, *, held_out: bool) -> list[Images]:
    """The four domains of PACS at 32 pixels; every tenth image is held out."""
    domains = []
    for domain in sorted(path for path in folder.iterdir() if path.is_dir()):
        pixels, names = [], []
        for index, path in enumerate(sorted(domain.glob("*/*.jpg"))):
            if (index % 10 == 0) == held_out:
                with Image.open(path) as image:
                    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
                    pixels.append(np.asarray(small))
                names.append(_name(path.parent.name))
        domains.append(Images(np.stack(pixels), names, PACS_STYLE.get(domain.name, domain.name)))
    return domains


def renderings(photographs: Images, seed: int) -> list[Images]:
    """`photographs` in the three rendered styles, each chunk with parameters of its own.

    The families are those of the shipped domains; the parameters are drawn from ranges around
    them, and no image is one that is shipped.
    """
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[NDArray[np.uint8]]] = {"pencil": [], "cartoon": [], "night": []}
    for begin in range(0, len(photographs.pixels), 64):
        chunk = photographs.pixels[begin : begin + 64]
        draw = generator.uniform
        strokes = Pencil(draw(0.6, 1.4), draw(0, 8), draw(220, 255))
        flat = Cartoon(int(generator.choice([2, 4, 5])), draw(1.2, 2.4), draw(0.3, 1.0))
        dark = Night(draw(0.25, 0.6), draw(1.2, 1.9), draw(8, 26))
        drawn["pencil"].append(pencil(chunk, strokes, generator))
        drawn["cartoon"].append(cartoon(chunk, flat))
        drawn["night"].append(night(chunk, dark, generator))
    return [
        Images(np.concatenate(chunks), photographs.names, style) for style, chunks in drawn.items()
    ]


def _name(category: str) -> str:
    return SAME_CLASS.get(category, category)
