"""What a field of a message may hold, for sending and receiving alike.

The writers apply these rules. As a payload is accepted only if writing its content gives the same
bytes, whatever may not be sent is not accepted either, and no rule stands in two places.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sized
from typing import Final, TypeVar

MAXIMUM_PAYLOAD: Final = 16 * 1024 * 1024
"""Bytes of one encoded message: 2^21 residues, 256 times an uncoded prompt of 16 × 512."""

MAXIMUM_PARTIES: Final = 512
"""Names on a roster: checking the parameters of so many takes a few hundredths of a second."""

MAXIMUM_COUNT: Final = 2**31 - 1
"""Any count, index or round number: fits a signed 32-bit integer in every language."""

MAXIMUM_DOCUMENT: Final = 1024 * 1024
"""Bytes of a job or a report: a thousand times what is usual."""

MAXIMUM_ENVELOPE: Final = MAXIMUM_DOCUMENT + 256 * 1024
"""Bytes of protobuf in a message, a Dispute's apart: a document and all names of a roster."""

MAXIMUM_TEXT: Final = 8192
"""Characters of a reason or a value: a screen or two for whoever has to read it."""

MAXIMUM_WORD: Final = 128
"""Characters of a code, a key or a phase: they name something."""

MAXIMUM_SIGNATURE: Final = 128
"""Bytes: an ECDSA signature over P-256 takes at most 72 in DER, over P-384 at most 104."""

MAXIMUM_PATH: Final = (MAXIMUM_PARTIES - 1).bit_length()
"""Digests from a leaf to the Merkle root over the roster."""

MAXIMUM_QUERIES: Final = MAXIMUM_PARTIES * (MAXIMUM_PARTIES - 1) // 2
"""Queries in one batch: one for every pair of parties."""

MAXIMUM_TRAITS: Final = 64
"""Things that all parties must have alike: a handful of digests and settings."""

MAXIMUM_SHARINGS: Final = 2
"""Vectors that a party shares in a round: the feature and the prompt."""

DIGEST_BYTES: Final = 32
"""SHA-256; salts are as long."""

NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""Names of participants and runs, which stand in certificates, host names and file names: the rule
of the certificates."""

ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
"""host:port, an IPv6 host in brackets."""

# Tabs and ends of lines, other control characters, and marks that turn the direction of writing: in
# a log or on a terminal they would let a peer write more than its own words.
_BREAKS: Final = re.compile("[\t-\r\x1c-\x1e\x85\u2028\u2029]+")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


Several = TypeVar("Several", bound=Sized)


class Malformed(Exception):
    """A field breaks its rule; the codec says whose fault it is. The text names no content."""


def name(field: str, value: str) -> str:
    """A participant or a run: 1 to 63 lowercase letters, digits and, inside, hyphens."""
    if not NAME.fullmatch(value):
        raise Malformed(f"{field} must be 1 to 63 lowercase letters, digits and inner hyphens")
    return value


def few(field: str, values: Several, most: int) -> Several:
    """At most so many; readers ask before they build, so that a flood costs its sender more."""
    if len(values) > most:
        raise Malformed(f"{field} holds {len(values)} entries, at most {most} are allowed")
    return values


def names(field: str, values: Collection[str]) -> Collection[str]:
    """Participants, each once, no more than a roster may hold."""
    for value in few(field, values, MAXIMUM_PARTIES):
        name(field, value)
    distinct(field, values)
    return values


def distinct(field: str, values: Collection[object]) -> None:
    """Refuse a value that is there twice."""
    if len(set(values)) != len(values):
        raise Malformed(f"{field} holds something twice")


def number(field: str, value: int, *, least: int = 0, most: int = MAXIMUM_COUNT) -> int:
    """An integer from `least` to `most`."""
    if not least <= value <= most:
        raise Malformed(f"{field} must be from {least} to {most}, not {value}")
    return value


def text(field: str, value: str, *, most: int = MAXIMUM_TEXT, empty: bool = False) -> str:
    """Words for a person, made fit to travel; `empty`: may be left out.

    They are one line: tabs and ends of lines become a space, what cannot be printed becomes `?`.
    """
    if not value and not empty:
        raise Malformed(f"{field} must not be empty")
    if len(value) > most:
        raise Malformed(f"{field} has {len(value)} characters, at most {most} are allowed")
    return _UNPRINTABLE.sub("?", _BREAKS.sub(" ", value))


def word(field: str, value: str) -> str:
    """A code, a key or a phase."""
    return text(field, value, most=MAXIMUM_WORD)


def reason(field: str, value: str, *, empty: bool = False) -> str:
    """A reason, cut to length.

    A reason often quotes others, so its sender is not held to a length it cannot foresee.
    """
    fit = value if len(value) <= MAXIMUM_TEXT else value[: MAXIMUM_TEXT - 1] + "…"
    return text(field, fit, empty=empty)


def document(field: str, value: str) -> str:
    """JSON text, not yet parsed."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise Malformed(f"{field} is no valid Unicode text") from None
    if not 1 <= size <= MAXIMUM_DOCUMENT:
        raise Malformed(f"{field} has {size} bytes, 1 to {MAXIMUM_DOCUMENT} are allowed")
    return value


def address(field: str, value: str) -> str:
    """Where a party listens: host:port."""
    parts = ADDRESS.fullmatch(value)
    if len(value) > 261 or parts is None or not 1 <= int(parts[2]) <= 65535:
        raise Malformed(f"{field} must be host:port with a port from 1 to 65535")
    return value


def digest(field: str, value: bytes) -> bytes:
    """A SHA-256 digest or a salt."""
    if len(value) != DIGEST_BYTES:
        raise Malformed(f"{field} has {len(value)} bytes, {DIGEST_BYTES} are needed")
    return value


def signature(field: str, value: bytes) -> bytes:
    """A signature; whether it holds is for the protocol to say."""
    if not 1 <= len(value) <= MAXIMUM_SIGNATURE:
        raise Malformed(f"{field} has {len(value)} bytes, 1 to {MAXIMUM_SIGNATURE} are allowed")
    return value
