"""Cases of the fixed point (docs/protocol.md §3, §7), by fractions."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from fractions import Fraction

from draws import Draws, P

Case = Mapping[str, object]


def float32(value: float) -> float:
    """The nearest float32, halves to even."""
    single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return single


def largest_level(clip: float, bits: int) -> int:
    """B = ⌊clip·2^f⌋."""
    return math.floor(Fraction(clip) * 2**bits)


def level_cases() -> list[Case]:
    """Levels of float32 values: halves, both ends of the clip and their neighbours, extremes."""
    draws, cases = Draws("levels"), []
    for clip, bits in ((1.0, 0), (1.0, 16), (0.5, 4), (0.1, 24), (2.5, 0), (0.75, 9), (4.0, 13)):
        step = 2.0**-bits
        values = [0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, clip, -clip]
        values += [sign * (i + 0.5) * step for i in range(6) for sign in (1, -1)]
        values += [clip + step / 2, clip + step / 4, -clip - step / 2, clip - step / 2]
        values += [(draws.below(2**25) / 2**24 - 1) * clip * 1.25 for _ in range(40)]
        values = [float32(value) for value in values]
        bound = largest_level(clip, bits)
        exact = [round(Fraction(value) * 2**bits) for value in values]
        cases.append(
            {
                "name": f"clip={clip} f={bits}",
                "clip": clip.hex(),
                "fraction_bits": bits,
                "values": [value.hex() for value in values],
                "bound": bound,
                "levels": [max(-bound, min(bound, level)) for level in exact],
                "clipped": sum(abs(level) > bound for level in exact),
            }
        )
    return cases


def mean_cases() -> list[Case]:
    """float32(Σ/(m·2^f)): one division to the nearest float64, then to the nearest float32."""
    draws, cases = Draws("means"), []
    for members, bits, bound in ((1, 24, 2**24), (3, 16, 2**16), (7, 13, 2**15), (100, 24, 2**26)):
        most = members * bound
        totals = [0, 1, -1, most, -most] + [draws.below(2 * most + 1) - most for _ in range(20)]
        means = [float32(total / (members * 2**bits)) for total in totals]
        cases.append(
            {
                "name": f"m={members} f={bits}",
                "members": members,
                "fraction_bits": bits,
                "totals": totals,
                "means": [mean.hex() for mean in means],
            }
        )
    return cases


def headroom_cases() -> list[Case]:
    """The largest f ≤ 24 with B ≥ 1, d'·(2mB)² < p and m·B < p/2; none where even 0 is too many."""
    cases = []
    for clip in (0.1, 1.0, 4.0, 1000.0):
        for dim, members in (
            (1, 1),
            (512, 5),
            (8192, 20),
            (8192, 127),
            (10**6, 20),
            (10**6, 10**4),
        ):
            fitting = [
                bits
                for bits in range(25)
                if (level := largest_level(clip, bits)) >= 1
                and dim * (2 * members * level) ** 2 < P
                and Fraction(members * level) < Fraction(P, 2)
            ]
            cases.append(
                {
                    "name": f"clip={clip} d'={dim} m={members}",
                    "clip": clip.hex(),
                    "dim": dim,
                    "members": members,
                    "fraction_bits": max(fitting, default=None),
                }
            )
    return cases
