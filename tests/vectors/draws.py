"""Numbers that look drawn by chance and are the same on every machine and in every Python."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

P = 2**61 - 1


class Draws:
    """SHA-256 of a seed and a counter, read as an integer."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def data(self, size: int) -> bytes:
        """`size` bytes, at most 32."""
        self._count += 1
        return hashlib.sha256(f"{self._seed} {self._count}".encode()).digest()[:size]

    def below(self, bound: int) -> int:
        """An integer from 0 to bound − 1; the bias is below 2^-128 for the bounds used here."""
        return int.from_bytes(self.data(32), "big") % bound

    def residue(self, modulus: int = P) -> int:
        """A residue; one in four is an extreme one."""
        if self.below(4) == 0:
            return (0, 1, modulus - 1, modulus // 2, modulus // 2 + 1)[self.below(5)]
        return self.below(modulus)

    def row(self, size: int, modulus: int = P) -> list[int]:
        """`size` residues."""
        return [self.residue(modulus) for _ in range(size)]

    def some(self, values: Sequence[int], count: int) -> list[int]:
        """`count` different ones of some values, in the order they were drawn in."""
        left = list(values)
        return [left.pop(self.below(len(left))) for _ in range(count)]
