"""Reading labelled images from a folder per class, or from one .npz file."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from secfpp.errors import ConfigError, Misuse
from secfpp.learn.images import ImageSet
from secfpp.learn.preprocessing import Preprocessing
from secfpp.learn.settings import OnBadImage

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
NAMED = 5
"""So many of many names are said in a message."""


@dataclass
class Trouble:
    """What is wrong with images: raised at once, or gathered as warnings, as configured."""

    policy: OnBadImage
    warnings: list[str]

    def report(self, what: str, names: Sequence[str]) -> None:
        """Report `names`, which are `what` ("2 images cannot be read: a.jpg, b.jpg")."""
        if not names:
            return
        listed = ", ".join(names[:NAMED])
        listed += f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        sentence = f"{len(names)} {what}: {listed}"
        if self.policy is OnBadImage.STOP:
            raise ConfigError(sentence, fix='mend them, or set data.on_bad_image = "skip"')
        self.warnings.append(sentence)


def read_folder(root: Path, preprocessing: Preprocessing, trouble: Trouble) -> ImageSet:
    """Read root/class/image or, with a domain above, root/domain/class/image.

    Images are fitted to the image tower. A root without any image raises ConfigError; unreadable
    images and folders without images are reported to `trouble`.
    """
    if not root.is_dir():
        raise ConfigError(f"data.path: there is no folder {root}")
    folders = _class_folders(root)
    files = [(folder, file) for folder in folders for file in _image_files(folder.path)]
    if not files:
        raise ConfigError(
            f"data.path: no images in {root}", fix="lay it out as <folder>/<class>/<image>"
        )
    full = {folder.path for folder, _ in files}
    empty = [str(folder.path.relative_to(root)) for folder in folders if folder.path not in full]
    trouble.report("folder(s) hold no images", empty)
    classes = tuple(sorted({folder.label for folder in folders}))
    domains = tuple(sorted({folder.domain for folder in folders}))
    pixels, places, bad = [], [], []
    for folder, file in files:
        image = _picture(file, preprocessing)
        if image is None:
            bad.append(str(file.relative_to(root)))
        else:
            pixels.append(image)
            places.append((classes.index(folder.label), domains.index(folder.domain)))
    trouble.report(f"of {len(files)} images cannot be read", bad)
    if not pixels:
        raise ConfigError(f"data.path: not one of the {len(bad)} images of {root} can be read")
    labels, numbers = np.array(places, dtype=np.int64).T
    return ImageSet(np.stack(pixels), labels, numbers, classes, domains)


def read_npz(path: Path) -> ImageSet:
    """Read arrays x uint8 (N, H, W, 3), y (N,), classes, and domain (N,) where there is one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(f"data.path: cannot read {path}: {error}") from error
    missing = [name for name in ("x", "y", "classes") if name not in arrays]
    if missing:
        raise ConfigError(f"data.path: {path} lacks the arrays {', '.join(missing)}")
    labels = arrays["y"]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or not len(labels):
        raise ConfigError(f"data.path: y must be integers (N,), N > 0, not {labels.dtype}")
    named = arrays.get("domain", np.full(len(labels), "", dtype=np.str_))
    domains, numbers = np.unique(named, return_inverse=True)
    try:
        return ImageSet(
            arrays["x"],
            labels.astype(np.int64),
            numbers.astype(np.int64),
            tuple(str(name) for name in arrays["classes"]),
            tuple(str(name) for name in domains),
        )
    except Misuse as error:
        raise ConfigError(f"data.path: {path}: {error}") from error


@dataclass(frozen=True)
class _ClassFolder:
    path: Path
    label: str
    domain: str


def _class_folders(root: Path) -> list[_ClassFolder]:
    """The folders of classes; those with folders inside are domains."""
    found = []
    for folder in _folders(root):
        inner = _folders(folder)
        found += [_ClassFolder(path, path.name, folder.name) for path in inner]
        if not inner:
            found.append(_ClassFolder(folder, folder.name, ""))
    if len({folder.domain == "" for folder in found}) > 1:
        raise ConfigError(f"data.path: {root} mixes folders of classes with folders of domains")
    return found


def _folders(path: Path) -> list[Path]:
    return sorted(part for part in path.iterdir() if part.is_dir() and part.name[0] != ".")


def _image_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _picture(path: Path, preprocessing: Preprocessing) -> NDArray[np.uint8] | None:
    """The fitted image, or None where it cannot be read."""
    try:
        with Image.open(path) as picture:
            return preprocessing.fit(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # Pillow's readers raise all of these about broken files.
        return None
