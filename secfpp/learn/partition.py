"""Dividing images among parties: pure functions of (labels, domains, parties, seed).

Parties stand in blocks, one block a domain: of 8 parties and 2 domains the first four have domain
0. Each function gives one sorted array of image indices per party; no image goes to two parties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from secfpp.errors import ConfigError

Index = NDArray[np.int64]
Labels = NDArray[np.int64]


def by_domain(labels: Labels, domains: Labels, parties: int, seed: int) -> list[Index]:
    """Every party has one domain; inside it each class is divided as evenly as it can be."""
    parts: list[list[Index]] = [[] for _ in range(parties)]
    generator = np.random.default_rng(seed)
    for members, images in _blocks(domains, parties):
        for turn, label in enumerate(np.unique(labels[images])):
            shuffled = generator.permutation(images[labels[images] == label])
            # Who gets the odd image changes from class to class.
            owners = np.roll(members, turn)
            for owner, share in zip(owners, np.array_split(shuffled, len(owners)), strict=True):
                parts[owner].append(share)
    return _joined(parts)


def dirichlet(
    labels: Labels, domains: Labels, parties: int, seed: int, *, beta: float
) -> list[Index]:
    """Inside a domain, each class is divided by proportions drawn from Dirichlet(β, …, β).

    Small `beta` leaves most of a class to one party, large `beta` comes near to an even division.
    Every party gets at least one image, as long as its domain has that many (Hsu et al.,
    arXiv:1909.06335, divide labels this way).
    """
    parts: list[list[Index]] = [[] for _ in range(parties)]
    generator = np.random.default_rng(seed)
    for members, images in _blocks(domains, parties):
        for label in np.unique(labels[images]):
            shuffled = generator.permutation(images[labels[images] == label])
            weights = generator.dirichlet(np.full(len(members), beta))
            cuts = np.rint(np.cumsum(weights)[:-1] * len(shuffled)).astype(np.int64)
            for owner, share in zip(members, np.split(shuffled, cuts), strict=True):
                parts[owner].append(share)
        _feed_the_empty(parts, members)
    return _joined(parts)


def disjoint_classes(labels: Labels, domains: Labels, parties: int, seed: int) -> list[Index]:
    """Inside a domain, no two parties share a class; each has as many classes as the others, ±1."""
    parts: list[list[Index]] = [[] for _ in range(parties)]
    generator = np.random.default_rng(seed)
    for members, images in _blocks(domains, parties):
        classes = generator.permutation(np.unique(labels[images]))
        if len(classes) < len(members):
            raise ConfigError(
                f"{len(classes)} classes cannot be divided among {len(members)} parties",
                fix="take fewer parties, or another data.partition",
            )
        for owner, own in zip(members, np.array_split(classes, len(members)), strict=True):
            parts[owner].append(images[np.isin(labels[images], own)])
    return _joined(parts)


def k_shot(labels: Labels, domains: Labels, parties: int, seed: int, *, shots: int) -> list[Index]:
    """As `by_domain`, but at most `shots` images of a class for every party."""
    parts = by_domain(labels, domains, parties, seed)
    generator = np.random.default_rng(seed)
    chosen = [generator.permutation(part) for part in parts]
    return [np.sort(part[_first_of_each(labels[part], shots)]) for part in chosen]


def _blocks(domains: Labels, parties: int) -> list[tuple[Index, Index]]:
    """The parties of each domain with its images; ConfigError with fewer parties than domains."""
    present = np.unique(domains)
    if not 0 < len(present) <= parties:
        raise ConfigError(
            f"{parties} parties cannot each have one of {len(present)} domains",
            fix="give every domain at least one party",
        )
    blocks = np.array_split(np.arange(parties), len(present))
    return [
        (members.astype(np.int64), np.flatnonzero(domains == domain).astype(np.int64))
        for members, domain in zip(blocks, present, strict=True)
    ]


def _feed_the_empty(parts: list[list[Index]], members: Index) -> None:
    """Give each party without an image one of the party with the most."""
    for member in members:
        if sum(map(len, parts[member])) == 0:
            richest = max(members, key=lambda other: sum(map(len, parts[other])))
            given = np.concatenate(parts[richest])
            if len(given) > 1:
                parts[richest], parts[member] = [given[:-1]], [given[-1:]]


def _first_of_each(labels: Labels, shots: int) -> Index:
    kept = [np.flatnonzero(labels == label)[:shots] for label in np.unique(labels)]
    return np.concatenate([np.zeros(0, np.int64), *kept])


def _joined(parts: list[list[Index]]) -> list[Index]:
    return [np.sort(np.concatenate([np.zeros(0, np.int64), *part])) for part in parts]
