"""How large an Envelope may be, asked before protobuf builds anything of it.

An entry of a message may take two bytes and costs its receiver sixty, so that protobuf is held to
MAXIMUM_ENVELOPE at a time. Residues are no protobuf, and a Dispute holds each word as bytes.
"""

from __future__ import annotations

from typing import Final

from secfpp.protocol.params import MOST_CHECKED
from secfpp.wire.checks import MAXIMUM_ENVELOPE, Malformed
from secfpp.wire.v1.envelope_pb2 import Envelope

_WITH_LENGTH: Final = 2  # The wire type of whatever is written as a length and so many bytes.
_DISPUTE: Final = Envelope.DISPUTE_FIELD_NUMBER << 3 | _WITH_LENGTH
_MOST_PARTS: Final = MOST_CHECKED + 2  # The key, the dealer, and a word of each party.


def check_size(envelope: bytes) -> None:
    """Malformed where an Envelope is too large: only a Dispute may exceed MAXIMUM_ENVELOPE.

    Its parts may not, and they are few.
    """
    if len(envelope) <= MAXIMUM_ENVELOPE:
        return
    try:
        kind, at = _varint(envelope, 2)  # After the version.
        size, at = _varint(envelope, at)
        if kind != _DISPUTE or size != len(envelope) - at:
            raise Malformed(f"{len(envelope)} bytes of protobuf, {MAXIMUM_ENVELOPE} are allowed")
        _check_parts(envelope, at)
    except IndexError:
        raise Malformed("it ends in the middle of a field") from None


def _check_parts(envelope: bytes, at: int) -> None:
    """The same for the parts of a Dispute, whose fields begin at a place."""
    parts = 0
    while at < len(envelope):
        tag, at = _varint(envelope, at)
        size, at = _varint(envelope, at)
        at, parts = at + size, parts + 1
        if tag & 7 != _WITH_LENGTH or size > MAXIMUM_ENVELOPE or parts > _MOST_PARTS:
            raise Malformed(
                f"a Dispute has at most {_MOST_PARTS} parts of at most {MAXIMUM_ENVELOPE} bytes"
            )


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that is written at a place, and the place after it."""
    value = 0
    for shift in range(0, 35, 7):
        value |= (data[at] & 127) << shift
        at += 1
        if data[at - 1] < 128:
            return value, at
    raise Malformed("a number in it is too long")
