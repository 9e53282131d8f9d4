"""Slow, obvious twins of the coded arithmetic, in Python integers, for a sample of its values."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

from secfpp.algebra.field import FieldArray, P

WORD: Final = 8
"""The bytes of a residue."""


def words(stream: bytes) -> list[int]:
    """A stream of bytes as residues: 61 low bits of each word, the modulus itself left out."""
    pieces = (stream[i : i + WORD] for i in range(0, len(stream), WORD))
    low = (int.from_bytes(piece, "little") % 2**61 for piece in pieces)
    return [word for word in low if word != P]


def key_stream(secret: bytes, context: bytes, size: int) -> bytes:
    """ChaCha20 under HKDF-SHA256, the latter written out: extract with zeros, expand once."""
    extracted = hmac.digest(bytes(32), secret, hashlib.sha256)
    key = hmac.digest(extracted, context + b"\x01", hashlib.sha256)
    return Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(size))


def polynomial(coefficients: Sequence[int], point: int) -> int:
    """Horner's rule."""
    total = 0
    for coefficient in reversed(coefficients):
        total = (total * point + coefficient) % P
    return total


def squared_difference(rows: Sequence[Sequence[int]], subject: int, members: Sequence[int]) -> int:
    """‖m · row_subject − Σ rows‖² in unbounded integers."""
    columns = zip(rows[subject], *(rows[member] for member in members), strict=True)
    return sum((len(members) * x - sum(others)) ** 2 for x, *others in columns)


def is_product(
    found: FieldArray,
    matrix: Sequence[Sequence[int]],
    known: NDArray[np.uint64],
    columns: Sequence[int],
) -> bool:
    """Whether these columns of `found` are the matrix times those of `known`."""
    for column in columns:
        values = known[:, column].tolist()
        twin = [sum(w * v for w, v in zip(row, values, strict=True)) % P for row in matrix]
        if found.values[:, column].tolist() != twin:
            return False
    return True
