"""The images of one party, divided into training and test images once and for all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secfpp.errors import ConfigError
from secfpp.learn import partition
from secfpp.learn.clip import normalised_names
from secfpp.learn.embedded import embedded_train_test, rendered
from secfpp.learn.images import ImageSet
from secfpp.learn.preprocessing import Preprocessing
from secfpp.learn.renderings import Domain
from secfpp.learn.settings import DataKind, DataSettings, Partition
from secfpp.learn.sources import Trouble, read_folder, read_npz

Index = NDArray[np.int64]

RENDERING_SEEDS = (0, 1)
"""Of the noise in rendered training and test images, alike at all parties."""


@dataclass(frozen=True, repr=False)
class PartyData:
    """A party's training and test images, fitted to the image tower, and what was wrong with them.

    No image of `test` has the pixels of one of `train`. Class names are normalised.
    """

    train: ImageSet
    test: ImageSet
    warnings: tuple[str, ...]

    def manifest(self) -> dict[str, object]:
        """Histograms and digests of the split, as written with the run; no pixels."""
        return {
            "classes": list(self.train.classes),
            "train": _histogram(self.train),
            "test": _histogram(self.test),
            "digests": {"train": set_digest(self.train), "test": set_digest(self.test)},
            "warnings": list(self.warnings),
        }


def load_party_data(settings: DataSettings, preprocessing: Preprocessing) -> PartyData:
    """Read, choose the domain, take this party's part, and split it.

    ConfigError says which images are missing, unreadable or too few. Embedded images come split;
    their test images are not divided: every party is tested on all of its domain and its classes.
    """
    warnings: list[str] = []
    if settings.kind is DataKind.EMBEDDED:
        train, test = _embedded(settings)
        train = train.take(_part(train, settings))
        test = test.take(np.flatnonzero(np.isin(test.labels, train.labels)))
    else:
        trouble = Trouble(settings.on_bad_image, warnings)
        images = _of_domain(_read(settings, preprocessing, trouble), settings.domain)
        images = _without_lone(images, trouble)
        images = images.take(_part(images, settings))
        learned, held_out = split(images, settings.test_fraction, settings.seed)
        train, test = images.take(learned), images.take(held_out)
    if settings.shots:
        nowhere = np.zeros_like(train.labels)
        few = partition.k_shot(train.labels, nowhere, 1, settings.seed, shots=settings.shots)
        train = train.take(few[0])
    if not len(train) or not len(test):
        raise ConfigError(
            f"part {settings.part[0]} of {settings.part[1]} has {len(train)} training and "
            f"{len(test)} test images, both must be above 0",
            fix="divide the images among fewer parts, or give more of them",
        )
    missing = sorted(set(range(len(train.classes))) - set(train.labels.tolist()))
    if missing:
        names = ", ".join(train.classes[label] for label in missing)
        warnings.append(f"{len(missing)} class(es) have no training image here: {names}")
    fitted = preprocessing.fit_all(train), preprocessing.fit_all(test)
    return PartyData(_named(fitted[0]), _named(fitted[1]), tuple(warnings))


def split(images: ImageSet, test_fraction: float, seed: int) -> tuple[Index, Index]:
    """Indices of training and of test images.

    Of each class with two images or more, the share `test_fraction` (at least one, never all) with
    the smallest SHA-256 of seed and pixels is held out, so order and names of files do not matter.
    Images with the pixels of a test image are left out of training.
    """
    digests = image_digests(images)
    keyed = [hashlib.sha256(f"{seed} {digest}".encode()).digest() for digest in digests]
    test: list[int] = []
    for label in np.unique(images.labels):
        members = sorted(np.flatnonzero(images.labels == label).tolist(), key=keyed.__getitem__)
        wanted = max(1, round(test_fraction * len(members)))
        test += members[: min(wanted, len(members) - 1)]
    seen = {digests[index] for index in test}
    train = [index for index, digest in enumerate(digests) if digest not in seen]
    return np.array(train, dtype=np.int64), np.array(sorted(test), dtype=np.int64)


def image_digests(images: ImageSet) -> list[str]:
    """SHA-256 of the shape and pixels of every image."""
    return [_digest_of(image) for image in images.images]


def pixels_digest(images: ImageSet) -> str:
    """SHA-256 of the shape and pixels of all images together."""
    return _digest_of(images.images)


def set_digest(images: ImageSet) -> str:
    """SHA-256 of pixels, labels and class names."""
    labels = ",".join(images.classes[label] for label in images.labels)
    return hashlib.sha256(f"{pixels_digest(images)} {labels}".encode()).hexdigest()


def _digest_of(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _embedded(settings: DataSettings) -> tuple[ImageSet, ImageSet]:
    domain = settings.domain or Domain.PHOTOGRAPH
    train, test = (
        rendered(images, domain, seed=seed)
        for images, seed in zip(embedded_train_test(), RENDERING_SEEDS, strict=True)
    )
    return train, test


def _read(settings: DataSettings, preprocessing: Preprocessing, trouble: Trouble) -> ImageSet:
    path = Path(str(settings.path)).expanduser()
    if settings.kind is DataKind.IMAGEFOLDER:
        return read_folder(path, preprocessing, trouble)
    return read_npz(path)


def _of_domain(images: ImageSet, domain: str) -> ImageSet:
    if not domain:
        return images
    if domain not in images.domain_names:
        known = ", ".join(name or "(none)" for name in images.domain_names)
        raise ConfigError(f'data.domain: there is no domain "{domain}"; there are: {known}')
    return images.take(np.flatnonzero(images.domains == images.domain_names.index(domain)))


def _without_lone(images: ImageSet, trouble: Trouble) -> ImageSet:
    """Leave out classes with a single image, which cannot be both learned and tested."""
    counts = np.bincount(images.labels, minlength=len(images.classes))
    lone = np.flatnonzero(counts == 1)
    trouble.report("class(es) have one image", [images.classes[label] for label in lone])
    return images.take(np.flatnonzero(~np.isin(images.labels, lone)))


def _part(images: ImageSet, settings: DataSettings) -> Index:
    index, parts = settings.part
    # Parties of one domain divide its images; which domain a party has is settled by now.
    place = (images.labels, np.zeros_like(images.labels), parts, settings.seed)
    match settings.partition:
        case Partition.EVEN:
            return partition.by_domain(*place)[index]
        case Partition.DIRICHLET:
            return partition.dirichlet(*place, beta=settings.beta)[index]
        case Partition.DISJOINT_CLASSES:
            return partition.disjoint_classes(*place)[index]


def _named(images: ImageSet) -> ImageSet:
    return ImageSet(
        images.images,
        images.labels,
        images.domains,
        normalised_names(images.classes),
        images.domain_names,
    )


def _histogram(images: ImageSet) -> dict[str, int]:
    counts = np.bincount(images.labels, minlength=len(images.classes))
    return {name: int(count) for name, count in zip(images.classes, counts, strict=True)}
