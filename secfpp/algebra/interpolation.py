"""Matrices that carry a polynomial's values from some points to others, compiled for the field.

The points of a code are small positive integers, so that every difference of two of them has its
inverse in one short table and no exponentiation is needed. `coding.lagrange_matrix` is the slow
twin, for any modulus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.kernels import Residues, product

Points = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., object])

_points = numba.types.Array(numba.int64, 1, "C")
_words = numba.types.Array(numba.uint64, 1, "C")
_matrix = numba.types.Array(numba.uint64, 2, "C")


def interpolation(sources: Sequence[int], targets: Sequence[int]) -> FieldArray:
    """The matrix (targets, sources) of `lagrange_matrix`, for points from 1 up, below 2^31.

    O((targets + sources) · sources) products; the table of inverses has as many entries as the
    largest point.
    """
    left, right = np.array(sources, dtype=np.int64), np.array(targets, dtype=np.int64)
    inverses = _inverses(int(max(left.max(), right.max())) + 1)
    return FieldArray.proven(_interpolated(left, right, inverses))


def _compiled(signature: object) -> Callable[[Kernel], Kernel]:
    """As in `kernels`: compiled for these types when the module is imported.

    The cache of numba looks at this file only: who changes `kernels.product` empties __pycache__.
    """
    compiled: Callable[[Kernel], Kernel] = numba.njit(signature, cache=True, nogil=True)
    return compiled


@_compiled(_words(numba.int64))
def _inverses(count: int) -> Residues:
    """1/g for g = 1, 2, … below `count`: P = q·g + r gives 1/g = −q/r, and r < g."""
    inverses = np.ones(count, dtype=np.uint64)
    for gap in range(2, count):
        inverses[gap] = product(np.uint64(P - P // gap), inverses[P % gap])
    return inverses


@_compiled(numba.uint64(numba.int64))
def _residue(gap: int) -> np.uint64:
    return np.uint64(gap + P if gap < 0 else gap)


@_compiled(numba.uint64(_words, numba.int64))
def _inverse(inverses: Residues, gap: int) -> np.uint64:
    inverse: np.uint64 = np.uint64(P) - inverses[-gap] if gap < 0 else inverses[gap]
    return inverse


@_compiled(_matrix(_points, _points, _words))
def _interpolated(sources: Points, targets: Points, inverses: Residues) -> Residues:
    """Barycentric: Π_r (target_t − source_r) · w_s / (target_t − source_s)."""
    count = sources.size
    weights = np.ones(count, dtype=np.uint64)
    for s in range(count):
        for r in range(count):
            if r != s:
                weights[s] = product(weights[s], _inverse(inverses, sources[s] - sources[r]))
    matrix = np.zeros((targets.size, count), dtype=np.uint64)
    for t in range(targets.size):
        whole = np.uint64(1)
        for s in range(count):
            if sources[s] == targets[t]:
                matrix[t, s] = np.uint64(1)
            whole = product(whole, _residue(targets[t] - sources[s]))
        if whole:
            for s in range(count):
                gap = _inverse(inverses, targets[t] - sources[s])
                matrix[t, s] = product(product(whole, weights[s]), gap)
    return matrix
