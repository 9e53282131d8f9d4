"""What has been said in one attempt: repeats are harmless, contradictions are evidence (§8)."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from enum import Enum

from secfpp.algebra.field import FieldArray
from secfpp.algebra.randomness import Seed
from secfpp.cluster.queries import Query
from secfpp.errors import Misuse, PeerViolation
from secfpp.protocol.messages import (
    Answers,
    Ask,
    CloseDealing,
    Dispute,
    Echo,
    Opening,
    RoundMessage,
    SumShare,
)

Slot = tuple[str, ...]


def slot(message: RoundMessage) -> Slot:
    """The place of a message in its attempt: a sender may fill each slot with one content only."""
    match message:
        case Ask(batch=batch) | Answers(batch=batch):
            return (type(message).__name__, str(message.key), str(batch))
        case Echo(stage=stage, batch=batch):
            return ("Echo", str(message.key), stage.value, str(batch))
        case CloseDealing(missing=missing):
            return ("CloseDealing", str(message.key), *missing)
        case Dispute(dealer=dealer) | Opening(dealer=dealer):
            return (type(message).__name__, str(message.key), dealer)
        case SumShare(cluster=cluster):
            return ("SumShare", str(message.key), str(cluster))
        case _:
            return (type(message).__name__, str(message.key))


def fingerprint(message: RoundMessage) -> bytes:
    """SHA-256 of every field of a message: 32 bytes that tell equal from different, no more."""
    parts: list[bytes] = []
    _absorb(parts, message)
    return hashlib.sha256(b"".join(parts)).digest()


class Transcript:
    """The fingerprints of every message received in one attempt; it keeps no content."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, Slot], bytes] = {}

    def is_new(self, sender: str, message: RoundMessage) -> bool:
        """Record a message; False for a repeat, PeerViolation for a second, different one."""
        place = (sender, slot(message))
        mark = fingerprint(message)
        known = self._seen.setdefault(place, mark)
        if known is mark:
            return True
        if known == mark:
            return False
        raise PeerViolation(
            sender,
            f"sent two different messages {type(message).__name__} for one place of the attempt",
        )


def _absorb(parts: list[bytes], value: object) -> None:
    """Add one value, with its type and length, so that no two values run into each other."""
    match value:
        case FieldArray():
            _frame(parts, b"F" + repr(value.shape).encode(), value.to_bytes())
        case Query():  # There may be thousands; names hold no control characters.
            _frame(parts, b"Q", "\x1f".join((value.subject, *value.members)).encode())
        case Seed():
            _frame(parts, b"S", value.reveal())
        case Enum():
            _frame(parts, b"E", str(value.value).encode())
        case tuple():
            _frame(parts, b"T", str(len(value)).encode())
            for item in value:
                _absorb(parts, item)
        case bytes():
            _frame(parts, b"B", value)
        case None | bool() | int() | float() | str():
            _frame(parts, type(value).__name__.encode(), str(value).encode())
        case _ if is_dataclass(value):
            _frame(parts, b"D", type(value).__name__.encode())
            for field in fields(value):
                _absorb(parts, getattr(value, field.name))
        case _:
            raise Misuse(f"a message cannot hold a {type(value).__name__}")


def _frame(parts: list[bytes], kind: bytes, content: bytes) -> None:
    parts += (len(kind).to_bytes(4, "big"), kind, len(content).to_bytes(8, "big"), content)
