"""The embedded default: photographs and a small CLIP that come with the package.

Everything here is read from the installed package; nothing is fetched. The photographs are from
Caltech-101 (CC BY 4.0); licence and source lie beside them. See docs/embedded-default.md.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np

from secfpp.errors import ConfigError
from secfpp.learn.images import ImageSet
from secfpp.learn.renderings import Domain, domain_named, render


def embedded_photographs() -> ImageSet:
    """All embedded photographs: uint8 (1000, 32, 32, 3), ten classes, one domain."""
    with np.load(_asset("photographs") / "photographs.npz", allow_pickle=False) as data:
        labels = data["y"].astype(np.int64)
        return ImageSet(
            data["x"],
            labels,
            np.zeros_like(labels),
            tuple(str(name) for name in data["classes"]),
            (str(Domain.PHOTOGRAPH),),
        )


def embedded_train_test() -> tuple[ImageSet, ImageSet]:
    """The training and the held-out photographs, by the committed index: 600 and 400 images.

    They share no image, and neither was seen in pretraining. Each class has 60 and 40.
    """
    photographs = embedded_photographs()
    split = json.loads((_asset("photographs") / "split.json").read_text(encoding="utf-8"))
    held_out = np.zeros(len(photographs), dtype=bool)
    held_out[np.array(split["test"], dtype=np.int64)] = True
    return photographs.take(np.flatnonzero(~held_out)), photographs.take(np.flatnonzero(held_out))


def rendered(images: ImageSet, domain: str, *, seed: int) -> ImageSet:
    """`images` as they look in `domain` (a name of `Domain`), as a set of that one domain.

    A pure function of its arguments; an unknown domain raises ConfigError with the known ones.
    """
    kind = domain_named(domain)
    return ImageSet(
        render(images.images, kind, seed=seed),
        images.labels,
        np.zeros_like(images.labels),
        images.classes,
        (str(kind),),
    )


def tiny_clip_directory() -> Path:
    """The folder with the small CLIP: configuration, weights, vocabulary and card."""
    return _asset("tiny_clip")


def embedded_width() -> int:
    """The values of one context vector of the small CLIP."""
    architecture = json.loads((tiny_clip_directory() / "config.json").read_text("utf-8"))
    return int(architecture["text_cfg"]["width"])


def _asset(name: str) -> Path:
    folder = Path(str(files("secfpp"))) / "assets" / name
    if not folder.is_dir():
        raise ConfigError(
            f"this installation lacks {folder}", fix="install secfpp again, unpacked and complete"
        )
    return folder
