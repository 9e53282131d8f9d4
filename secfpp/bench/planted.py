"""Vectors for measurements: seeded, around so many centres, fresh ones for each round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Planting:
    """How many values a vector has, for how many rounds, around how many centres."""

    dim: int
    rounds: int
    clusters: int
    seed: int


def plant(home: Path, parties: Sequence[str], planting: Planting) -> dict[str, Path]:
    """A float32 .npy file (rounds, dim) below `home` for each party: test data, nothing secret."""
    paths = {}
    for party, vectors in zip(parties, planted(len(parties), planting), strict=True):
        paths[party] = home / f"vectors-{party}.npy"
        np.save(paths[party], vectors)
    return paths


def planted(parties: int, planting: Planting) -> Iterator[NDArray[np.float32]]:
    """Vectors (rounds, dim) of one party after another.

    The i-th party belongs to centre i mod `clusters`. All values lie within ±1, nine standard
    deviations, so that nothing is clipped.
    """
    rng = np.random.default_rng(planting.seed)
    centres = rng.normal(size=(planting.clusters, planting.dim)) * 0.1
    for index in range(parties):
        noise = rng.normal(size=(planting.rounds, planting.dim)) * 0.05
        yield (centres[index % planting.clusters] + noise).astype(np.float32)


def party_names(count: int) -> tuple[str, ...]:
    """party-001, party-002, … in roster order."""
    return tuple(f"party-{index + 1:03d}" for index in range(count))
