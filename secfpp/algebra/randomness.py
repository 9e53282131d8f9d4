"""Uniform residues, from the system's generator or from a seed (docs/protocol.md §3, §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secfpp.algebra import kernels
from secfpp.algebra.field import FieldArray, P
from secfpp.errors import Misuse

SEED_BYTES: Final = 32
_ZEROS: Final = memoryview(bytes(2**16))  # What a key stream is drawn from, piece by piece.


class Seed:
    """32 secret bytes that stand for a vector of residues; never shown, compared in full."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != SEED_BYTES:
            raise Misuse(f"a seed has {SEED_BYTES} bytes, not {len(key)}")
        self._key = bytes(key)

    def reveal(self) -> bytes:
        """The bytes, for the wire and for expansion only."""
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seed) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return "Seed"  # Never the bytes.


def expand(seed: Seed, context: bytes, count: int) -> FieldArray:
    """The (count,) residues of a seed in a context.

    HKDF-SHA256(seed, info = context) keys ChaCha20; its key stream is read as 64-bit little-endian
    words, the top three bits of each are cleared and the value P is skipped.
    """
    key = HKDF(hashes.SHA256(), length=32, salt=None, info=context).derive(seed.reveal())
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()

    def fill(words: kernels.Residues) -> None:
        target = words.view(np.uint8).data
        for start in range(0, len(target), len(_ZEROS)):
            piece = target[start : start + len(_ZEROS)]
            stream.update_into(_ZEROS[: len(piece)], piece)

    return _collect(fill, count)


def uniform(count: int, randomness: Callable[[int], bytes]) -> FieldArray:
    """(count,) uniform residues from `randomness`, a source of bytes like `os.urandom`."""

    def fill(words: kernels.Residues) -> None:
        words[:] = np.frombuffer(randomness(8 * len(words)), dtype="<u8")

    return _collect(fill, count)


def _collect(fill: Callable[[kernels.Residues], None], count: int) -> FieldArray:
    """Words of a source until `count` of them are residues."""
    out = np.empty(count, dtype="<u8")
    filled = 0
    while filled < count:
        words = out[filled:]
        fill(words)
        if kernels.keep_low_bits(words):  # With probability 2^-61 a word, so that all are uniform.
            kept = words[words != P]
            words[: len(kept)] = kept
            filled += len(kept)
        else:
            filled = count
    return FieldArray.proven(out.astype(np.uint64, copy=False))
