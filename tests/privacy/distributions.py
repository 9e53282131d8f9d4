"""Views of random values over a small field, and how far apart two of them are, exactly.

A view is an array of offsets, one row for each of equally likely runs, plus a fixed linear map of
fresh uniform residues. Given its run it is uniform on a coset of the map's column space, so that
two views are as far apart as the distributions of their cosets.
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]
Fresh = dict[Hashable, Matrix]
"""From the name of a source of fresh residues to the (values, residues) they enter by."""


class View:
    """Values seen: offsets, one row per run, plus a fixed linear map of fresh uniform residues."""

    def __init__(self, modulus: int) -> None:
        self.modulus = modulus
        self._offsets: list[Matrix] = []
        self._fresh: list[Fresh] = []

    def see(self, offsets: Matrix, fresh: Fresh | None = None) -> None:
        """Add values (runs, values); `fresh` maps a source of residues to its (values, residues).

        What has the same name in two places is the same residues.
        """
        self._offsets.append(offsets)
        self._fresh.append(fresh or {})

    @property
    def offsets(self) -> Matrix:
        """(runs, values), without what is fresh."""
        runs = max(len(offsets) for offsets in self._offsets)
        parts = [np.broadcast_to(part, (runs, part.shape[1])) for part in self._offsets]
        return np.concatenate(parts, axis=1)

    @property
    def blinding(self) -> Matrix:
        """(values, residues): how all fresh residues enter the values."""
        sizes = {name: part.shape[1] for fresh in self._fresh for name, part in fresh.items()}
        rows = []
        for offsets, fresh in zip(self._offsets, self._fresh, strict=True):
            empty = np.zeros((offsets.shape[1], 0), dtype=np.int64)
            parts = [
                fresh.get(name, np.zeros((offsets.shape[1], size), dtype=np.int64))
                for name, size in sizes.items()
            ]
            rows.append(np.concatenate([empty, *parts], axis=1))
        return np.concatenate(rows)


def annihilator(matrix: Matrix, modulus: int) -> Matrix:
    """A basis, as rows, of all y with y · matrix = 0: what the column space leaves untouched."""
    count, columns = matrix.shape
    work = np.concatenate([matrix, np.eye(count, dtype=matrix.dtype)], axis=1) % modulus
    rank = 0
    for column in range(columns):
        candidates = np.flatnonzero(work[rank:, column])
        if not candidates.size:
            continue
        pivot = rank + int(candidates[0])
        work[[rank, pivot]] = work[[pivot, rank]]
        work[rank] = work[rank] * pow(int(work[rank, column]), -1, modulus) % modulus
        factors = work[:, column].copy()
        factors[rank] = 0
        work = (work - np.outer(factors, work[rank])) % modulus
        rank += 1
    return work[rank:, columns:]


def total_variation(one: View, two: View) -> Fraction:
    """Half the sum of the differences of probabilities, over all randomness; exact."""
    assert np.array_equal(one.blinding, two.blinding)
    known = annihilator(one.blinding, one.modulus)
    rows = [view.offsets @ known.T % view.modulus for view in (one, two)]
    runs = [len(part) for part in rows]
    labels = _labels(np.concatenate(rows), one.modulus)
    counts = [np.bincount(part, minlength=labels.max() + 1) for part in np.split(labels, runs[:1])]
    difference = np.abs(counts[0] * runs[1] - counts[1] * runs[0]).sum()
    return Fraction(int(difference), 2 * runs[0] * runs[1])


def _labels(rows: Matrix, modulus: int) -> Matrix:
    """A small number for each row, equal where the rows are equal."""
    labels, bound = np.zeros(len(rows), dtype=np.int64), 1
    for column in rows.T:
        if bound > 2**62 // modulus:
            labels = np.unique(labels, return_inverse=True)[1]
            bound = len(rows)
        labels, bound = labels * modulus + column, bound * modulus
    numbers: Matrix = np.unique(labels, return_inverse=True)[1]
    return numbers
