"""Uniform residues, from the system's generator or from a seed (docs/protocol.md §3, §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secfpp.algebra.field import FieldArray, P
from secfpp.errors import Misuse

SEED_BYTES: Final = 32
_LOW_BITS: Final = np.uint64(2**61 - 1)  # Clears the top three bits of a word.


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
    return _collect(lambda size: stream.update(bytes(size)), count)


def uniform(count: int, randomness: Callable[[int], bytes]) -> FieldArray:
    """(count,) uniform residues from `randomness`, a source of bytes like `os.urandom`."""
    return _collect(randomness, count)


def _collect(source: Callable[[int], bytes], count: int) -> FieldArray:
    out = np.empty(count, dtype=np.uint64)
    filled = 0
    while filled < count:
        words = np.frombuffer(source(8 * (count - filled)), dtype="<u8") & _LOW_BITS
        words = words[
            words != P
        ]  # Rejected with probability 2^-61, so that all are equally likely.
        out[filled : filled + len(words)] = words
        filled += len(words)
    return FieldArray.proven(out)
