"""Cases of seeds and of words from a source of chance (docs/protocol.md §3, §4)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

from draws import Draws, P
from keystream import expanded, residues

Case = Mapping[str, object]

CONTEXTS = (
    b"",
    b"run\x1f0\x1f0\x1fparty-0\x1fparty-1\x1fprompt",
    "Zürich\x1f12\x1f3\x1fkrankenhaus\x1fhôpital\x1fmasks".encode(),
    bytes(range(256)),
)


def seed_cases() -> list[Case]:
    """Residues of a seed in a context: less than a block of key stream, a block, several."""
    draws, cases = Draws("seeds"), []
    seeds = [bytes(32), b"\xff" * 32, draws.data(32), draws.data(32)]
    for seed, context in zip(seeds, CONTEXTS, strict=True):
        for count in (0, 1, 7, 8, 9, 40):
            found = expanded(seed, context, count)
            cases.append({**_seed_case(seed, context, count), "residues": found})
    # Beyond 2^16 bytes of key stream only the digest of the residues is written down.
    seed, context = draws.data(32), b"long"
    data = struct.pack("<8200Q", *expanded(seed, context, 8200))
    digest = hashlib.sha256(data).hexdigest()
    return [*cases, {**_seed_case(seed, context, 8200), "sha256_of_residues": digest}]


def _seed_case(seed: bytes, context: bytes, count: int) -> dict[str, object]:
    return {
        "name": f"{count} residues of {seed.hex()[:8]} in {len(context)} bytes",
        "seed": seed.hex(),
        "context": context.hex(),
        "count": count,
    }


def word_cases() -> list[Case]:
    """Words with p among them, which no key stream is known to hold: its place is not filled."""
    draws, cases = Draws("words"), []
    skipped = [P + (top << 61) for top in range(8)]
    kept = [0, P - 1, P - 1 + (7 << 61), 2**61, 2**64 - 2, *(draws.below(2**64) for _ in range(6))]
    for name, words in (
        ("none skipped", kept),
        ("the first skipped", [P, *kept]),
        ("the last but one skipped", [*kept[:9], 2**64 - 1, *kept[9:]]),
        ("every other one skipped", [w for pair in zip(skipped, kept, strict=False) for w in pair]),
        ("only the last kept", [*skipped, P, *kept[:1]]),
    ):
        found = residues(words, sum(word % 2**61 != P for word in words))
        cases.append({"name": name, "words": words, "residues": found})
    return cases
