"""Residues modulo the Mersenne prime 2^61 − 1, checked at the door (docs/protocol.md §3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra import kernels
from secfpp.errors import Misuse

P: Final = 2**61 - 1
"""A Mersenne prime: a 122-bit product is reduced by two shifts and an addition."""

Residues = NDArray[np.uint64]


class FieldArray:
    """An array of residues, each in [0, P); its type is the proof.

    The constructor takes a uint64 array and raises Misuse if any value is not below P. The residues
    are read-only and never shown.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Residues) -> None:
        if not isinstance(values, np.ndarray) or values.dtype != np.uint64:
            raise Misuse("residues must be a numpy array of uint64")
        if values.size and int(values.max()) >= P:
            raise Misuse(f"a residue is not below the modulus: first at {_first_bad(values)}")
        self._values = _frozen(values)

    @classmethod
    def proven(cls, values: Residues) -> FieldArray:
        """Wrap residues that the caller has just computed modulo P; nothing is checked."""
        array = cls.__new__(cls)
        array._values = _frozen(values)
        return array

    @classmethod
    def from_signed(cls, values: NDArray[np.int64]) -> FieldArray:
        """Signed integers of magnitude below P/2; a negative −a becomes P − a."""
        if values.dtype != np.int64 or not _fits(values):
            raise Misuse("signed values must be int64 of magnitude below P/2")
        flat = np.ascontiguousarray(values).reshape(-1)
        return cls.proven(kernels.residues_of(flat).reshape(values.shape))

    @classmethod
    def from_bytes(cls, data: bytes | memoryview, shape: tuple[int, ...]) -> FieldArray:
        """Residues in 8 little-endian bytes each; a wrong length or a value ≥ P is Misuse.

        Where the machine counts like that, they stay where they are.
        """
        count = math.prod(shape)
        if len(data) != 8 * count:
            raise Misuse(f"{len(data)} bytes came, {8 * count} are needed for shape {shape}")
        return cls(np.frombuffer(data, dtype="<u8").astype(np.uint64, copy=False).reshape(shape))

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same residues in the same shape."""
        return isinstance(other, FieldArray) and np.array_equal(self._values, other._values)

    __hash__ = None  # type: ignore[assignment]  # Equal arrays would need equal, costly hashes.

    @property
    def values(self) -> Residues:
        """The residues, read-only."""
        return self._values

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self._values.shape

    @property
    def buffer(self) -> memoryview:
        """Every residue in 8 little-endian bytes, without a copy where the machine allows it."""
        return np.ascontiguousarray(self._values, dtype="<u8").reshape(-1).view(np.uint8).data

    def to_signed(self) -> NDArray[np.int64]:
        """Signed integers: a residue above (P−1)/2 stands for a negative number."""
        signed = self._values.astype(np.int64)
        return np.where(signed > P // 2, signed - P, signed)

    def reshape(self, *shape: int) -> FieldArray:
        """The same residues in another shape."""
        return FieldArray.proven(self._values.reshape(*shape))

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int | slice) -> FieldArray:
        return FieldArray.proven(np.asarray(self._values[index]))

    def __add__(self, other: FieldArray) -> FieldArray:
        _require_alike(self, other)
        return _reduced(self._values + other._values)

    def __sub__(self, other: FieldArray) -> FieldArray:
        return self + -other

    def __neg__(self) -> FieldArray:
        return _reduced(np.uint64(P) - self._values)

    def __mul__(self, scalar: int) -> FieldArray:
        scaled = kernels.scaled(_flat(self._values), np.uint64(scalar % P))
        return FieldArray.proven(scaled.reshape(self.shape))

    def __matmul__(self, other: FieldArray) -> FieldArray:
        """The matrix product (rows, inner) · (inner, columns)."""
        left, right = np.ascontiguousarray(self._values), np.ascontiguousarray(other._values)
        if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
            raise Misuse(f"cannot multiply matrices of shapes {left.shape} and {right.shape}")
        return FieldArray.proven(kernels.matrix_product(left, right))

    def __repr__(self) -> str:
        return f"FieldArray{self.shape}"  # Never the residues.


def stack(arrays: Sequence[FieldArray]) -> FieldArray:
    """Equal shapes (…) stacked to (count, …)."""
    return FieldArray.proven(np.stack([array.values for array in arrays]))


def beside(left: FieldArray, right: FieldArray) -> FieldArray:
    """(rows, a) and (rows, b) side by side: (rows, a + b)."""
    return FieldArray.proven(np.hstack([left.values, right.values]))


def sum_of(arrays: Sequence[FieldArray]) -> FieldArray:
    """The sum of at least one array, all of one shape."""
    shape = arrays[0].shape
    total = arrays[0].values.flatten()
    for array in arrays[1:]:
        _require_alike(arrays[0], array)
        kernels.add_to(total, _flat(array.values))
    return FieldArray.proven(total.reshape(shape))


def polynomial_value(coefficients: FieldArray, point: int, count: int | None = None) -> int:
    """Σ_c point^c · coefficients[c] for (≥ count,) coefficients, c = 0, 1, … count − 1, or all."""
    return int(kernels.evaluate(_flat(coefficients.values)[:count], np.uint64(point % P)))


def from_integers(values: Sequence[Sequence[int]]) -> FieldArray:
    """A matrix of Python integers, reduced modulo P."""
    return FieldArray.proven(np.array([[v % P for v in row] for row in values], dtype=np.uint64))


def _require_alike(left: FieldArray, right: FieldArray) -> None:
    if left.shape != right.shape:
        raise Misuse(f"cannot add arrays of shapes {left.shape} and {right.shape}")


def _flat(values: Residues) -> Residues:
    return np.ascontiguousarray(values).reshape(-1)


def _reduced(values: Residues) -> FieldArray:
    """64-bit values of any shape, each taken modulo P."""
    return FieldArray.proven(kernels.reduced(_flat(values)).reshape(values.shape))


def _frozen(values: Residues) -> Residues:
    if values.flags.writeable:
        values = values.view()
        values.flags.writeable = False
    return values


def _fits(values: NDArray[np.int64]) -> bool:
    return int(values.min(initial=0)) >= -(P // 2) and int(values.max(initial=0)) <= P // 2


def _first_bad(values: Residues) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(values >= P)[0])
