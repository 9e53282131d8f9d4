"""Fixed-point levels of real vectors, and the headroom that keeps them exact (protocol.md §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra import kernels
from secfpp.algebra.field import P
from secfpp.errors import ConfigError, Misuse

MOST_FRACTION_BITS: Final = 24  # float32 carries 24 significant bits; more levels say nothing more.


def bound(clip: float, fraction_bits: int) -> int:
    """B = ⌊clip · 2^f⌋, the largest level."""
    return int(clip * 2.0**fraction_bits)


def fits(clip: float, fraction_bits: int, dim: int, largest_cluster: int) -> bool:
    """Whether distances and sums stay below the modulus: d'·(2mB)² < P and m·B < P/2."""
    largest = largest_cluster * bound(clip, fraction_bits)
    return dim * (2 * largest) ** 2 < P and 2 * largest < P


def largest_fraction_bits(clip: float, dim: int, largest_cluster: int) -> int:
    """The largest f that fits, at most 24; ConfigError where not even f = 0 does."""
    for fraction_bits in range(MOST_FRACTION_BITS, -1, -1):
        if bound(clip, fraction_bits) >= 1 and fits(clip, fraction_bits, dim, largest_cluster):
            return fraction_bits
    raise ConfigError(
        f"no number of fraction bits fits: d'·(2·m·B)² < 2^61 − 1 with d' = {dim}, "
        f"m = {largest_cluster}, B = ⌊{clip}·2^f⌋ fails even for f = 0",
        fix="lower the clip or the dimension",
    )


def check_headroom(clip: float, fraction_bits: int, dim: int, largest_cluster: int) -> None:
    """Raise ConfigError with the formula, its numbers and the largest f that fits (§3)."""
    if not fits(clip, fraction_bits, dim, largest_cluster):
        best = largest_fraction_bits(clip, dim, largest_cluster)
        raise ConfigError(
            "headroom: d'·(2·m·B)² < 2^61 − 1 and m·B < (2^61 − 1)/2 are needed, with "
            f"d' = {dim}, m = {largest_cluster}, B = ⌊{clip}·2^{fraction_bits}⌋ = "
            f"{bound(clip, fraction_bits)}; the largest fraction_bits that fits is {best}",
            fix=f"set fraction_bits = {best}, or leave it out",
        )


@dataclass(frozen=True)
class Quantiser:
    """q(x) = x·2^f rounded half to even, clipped to ±B."""

    clip: float
    fraction_bits: int

    def __post_init__(self) -> None:
        if not (self.clip > 0 and 0 <= self.fraction_bits <= MOST_FRACTION_BITS):
            raise Misuse(
                f"clip > 0 and 0 ≤ fraction_bits ≤ {MOST_FRACTION_BITS} are needed, not "
                f"{self.clip} and {self.fraction_bits}"
            )

    @property
    def bound(self) -> int:
        """B, the largest level."""
        return bound(self.clip, self.fraction_bits)

    @property
    def error_bound(self) -> float:
        """The most that a mean can be off: half a level, and float32's rounding up to clip."""
        return 0.5 / 2.0**self.fraction_bits + self.clip * 2.0**-24

    def levels(self, vector: NDArray[np.float32]) -> tuple[NDArray[np.int64], int]:
        """The int64 levels of a real vector of any shape, and how many were clipped.

        A value that is no number raises Misuse, without showing it.
        """
        flat = np.ascontiguousarray(vector, dtype=np.float32).reshape(-1)
        levels, clipped, finite = kernels.levels_of(flat, 2.0**self.fraction_bits, self.bound)
        if not finite:
            raise Misuse("the vector holds a value that is not finite: training went wrong")
        return levels.reshape(vector.shape), clipped

    def mean(self, total: NDArray[np.int64], members: int) -> NDArray[np.float32]:
        """float32(Σ / (m·2^f)), divided in float64: equal bits wherever the sum is equal (§7)."""
        return (total.astype(np.float64) / (members * 2.0**self.fraction_bits)).astype(np.float32)
