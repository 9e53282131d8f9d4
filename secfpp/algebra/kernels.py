"""Compiled loops over residues modulo 2^61 − 1; the tests hold each against Python integers.

The kernels take and return uint64 arrays whose values are all below P; FieldArray is the door.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.uint64]
Kernel = TypeVar("Kernel", bound=Callable[..., object])

_P: Final = np.uint64(2**61 - 1)
_LOW32: Final = np.uint64(2**32 - 1)
_LOW29: Final = np.uint64(2**29 - 1)
_3: Final = np.uint64(3)
_29: Final = np.uint64(29)
_32: Final = np.uint64(32)
_61: Final = np.uint64(61)


def _compiled(function: Kernel) -> Kernel:
    """Compile once per machine (the cache survives the process) and let other threads run."""
    compiled: Kernel = numba.njit(cache=True, nogil=True)(function)
    return compiled


@_compiled
def reduce_once(value: np.uint64) -> np.uint64:
    """Any 64-bit value modulo P: 2^61 ≡ 1, so the top three bits are added to the rest."""
    folded = (value & _P) + (value >> _61)
    return folded - _P if folded >= _P else folded


@_compiled
def product(left: np.uint64, right: np.uint64) -> np.uint64:
    """left · right modulo P for two residues.

    With left = a·2^32 + b and right = c·2^32 + e (a, c < 2^29; b, e < 2^32) the product is
    ac·2^64 + (ae + bc)·2^32 + be. 2^64 ≡ 8; a middle m = h·2^29 + l gives h·2^61 + l·2^32 ≡
    h + l·2^32. Every partial sum stays below 2^64: 2^61 + 2^34 + 2^61 + (2^61 + 2^3).
    """
    a, b = left >> _32, left & _LOW32
    c, e = right >> _32, right & _LOW32
    middle = a * e + b * c
    low = b * e
    total = ((a * c) << _3) + (middle >> _29) + ((middle & _LOW29) << _32)
    return reduce_once(total + (low & _P) + (low >> _61))


@_compiled
def reduced(values: Residues) -> Residues:
    """Each 64-bit value modulo P; the shape stays."""
    out = np.empty_like(values)
    source, target = values.ravel(), out.ravel()
    for i in range(source.size):
        target[i] = reduce_once(source[i])
    return out


@_compiled
def scaled(values: Residues, scalar: np.uint64) -> Residues:
    """Each residue of a (n,) array times one residue."""
    out = np.empty_like(values)
    for i in range(values.size):
        out[i] = product(values[i], scalar)
    return out


@_compiled
def matrix_product(left: Residues, right: Residues) -> Residues:
    """(rows, inner) · (inner, columns); the inner loop runs along memory."""
    rows, inner = left.shape
    columns = right.shape[1]
    out = np.zeros((rows, columns), dtype=np.uint64)
    for i in range(rows):
        for k in range(inner):
            factor = left[i, k]
            for j in range(columns):
                out[i, j] = reduce_once(out[i, j] + product(factor, right[k, j]))
    return out


@_compiled
def squared_norm(values: Residues) -> np.uint64:
    """The sum of squares of a (width,) array."""
    total = np.uint64(0)
    for i in range(values.size):
        total = reduce_once(total + product(values[i], values[i]))
    return total


@_compiled
def squared_difference(subject: Residues, size: np.uint64, total: Residues) -> np.uint64:
    """‖size · subject − total‖² of two (width,) arrays."""
    norm = np.uint64(0)
    for i in range(subject.size):
        gap = reduce_once(product(size, subject[i]) + (_P - total[i]))
        norm = reduce_once(norm + product(gap, gap))
    return norm


@_compiled
def column_sum(values: Residues, rows: NDArray[np.int64]) -> Residues:
    """The sum of the named rows of a (count, width) array."""
    width = values.shape[1]
    out = np.zeros(width, dtype=np.uint64)
    for r in range(rows.size):
        row = rows[r]
        for i in range(width):
            out[i] = reduce_once(out[i] + values[row, i])
    return out
