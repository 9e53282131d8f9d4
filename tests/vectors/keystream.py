"""ChaCha20 (RFC 8439), HKDF-SHA256 (RFC 5869) and residues from a stream of bytes."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterable, Iterator

WORD = 2**32
CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) % WORD


def quarter_round(state: list[int], a: int, b: int, c: int, d: int) -> None:
    """RFC 8439 §2.1, in place."""
    for left, right, turned, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[left] = (state[left] + state[right]) % WORD
        state[turned] = rotated(state[turned] ^ state[left], bits)


def block(key: bytes, counter: int, nonce: bytes) -> bytes:
    """The 64 bytes of one block: RFC 8439 §2.3, with a nonce of 12 bytes."""
    start = [*CONSTANTS, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    state = list(start)
    for _ in range(10):
        for places in (*COLUMNS, *DIAGONALS):
            quarter_round(state, *places)
    return struct.pack("<16I", *((a + b) % WORD for a, b in zip(state, start, strict=True)))


def hkdf(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """RFC 5869 §2.2 and §2.3; no salt is 32 zero bytes."""
    key = hmac.digest(salt or bytes(32), secret, hashlib.sha256)
    result, piece = b"", b""
    for count in range(1, -(-size // 32) + 1):
        piece = hmac.digest(key, piece + info + bytes([count]), hashlib.sha256)
        result += piece
    return result[:size]


def words_of(key: bytes) -> Iterator[int]:
    """The key stream under 16 zero bytes of counter and nonce, in 64-bit little-endian words."""
    counter = 0
    while True:
        yield from struct.unpack("<8Q", block(key, counter, bytes(12)))
        counter += 1


def residues(words: Iterable[int], count: int) -> list[int]:
    """The first `count` words that, without their top three bits, are not 2^61 − 1."""
    found: list[int] = []
    stream = iter(words)
    while len(found) < count:
        value = next(stream) % 2**61
        if value != 2**61 - 1:
            found.append(value)
    return found


def expanded(seed: bytes, context: bytes, count: int) -> list[int]:
    """What a seed stands for in a context: docs/protocol.md §4, *Seeds*."""
    return residues(words_of(hkdf(seed, b"", context, 32)), count)


def check_published_answers() -> None:
    """Hold this file against the test vectors of both RFCs; raises AssertionError."""
    published = [
        (  # RFC 8439 §2.3.2
            block(bytes(range(32)), 1, bytes.fromhex("000000090000004a00000000")).hex(),
            "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
            "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
        ),
        (  # RFC 8439 appendix A.1, test vector 1
            block(bytes(32), 0, bytes(12)).hex(),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
        ),
        (  # RFC 5869 appendix A.1
            hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42).hex(),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (  # RFC 5869 appendix A.3, without salt and info
            hkdf(b"\x0b" * 22, b"", b"", 42).hex(),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ]
    for found, expected in published:
        if found != expected:
            raise AssertionError(f"{found} should be {expected}")
