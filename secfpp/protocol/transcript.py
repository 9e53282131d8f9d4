"""What has been said in one attempt: repeats are harmless, contradictions are evidence (§8)."""

from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache

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
    EchoStage,
    Opening,
    RoundMessage,
)
from secfpp.protocol.params import AttemptKey

Slot = tuple[type[RoundMessage] | AttemptKey | EchoStage | str | int, ...]


def slot(message: RoundMessage) -> Slot:
    """The place of a message in its attempt: a sender may fill each slot with one content only.

    So a sender's messages in an attempt are bounded: one deal, one sum share (of the recipient's
    own cluster), and of each batch one echo.
    """
    match message:
        case Echo(stage=stage, batch=batch):
            return (Echo, message.key, stage, batch)
        case Ask(batch=batch) | Answers(batch=batch):
            return (type(message), message.key, batch)
        case CloseDealing(missing=missing):
            return (CloseDealing, message.key, *missing)
        case Dispute(dealer=dealer) | Opening(dealer=dealer):
            return (type(message), message.key, dealer)
        case _:
            return (type(message), message.key)


def fingerprint(message: RoundMessage) -> bytes:
    """SHA-256 of every field of a message: 32 bytes that tell equal from different, no more."""
    parts: list[bytes] = []
    _absorb(parts, message)
    return hashlib.sha256(b"".join(parts)).digest()


class Transcript:
    """The fingerprints of every message received in one attempt; it keeps no content."""

    def __init__(self) -> None:
        self._seen: dict[Slot, dict[str, bytes]] = {}

    def is_new(self, sender: str, message: RoundMessage) -> bool:
        """Record a message; False for a repeat, PeerViolation for a second, different one."""
        mark = fingerprint(message)
        known = self._seen.setdefault(slot(message), {}).setdefault(sender, mark)
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
        case None | bool() | int() | float() | str():
            parts.append(_framed(type(value).__name__.encode(), str(value).encode()))
        case bytes():
            parts.append(_framed(b"B", value))
        case tuple() if value and isinstance(value[0], Query):
            # A batch: there may be thousands. Names hold no control characters.
            queries = ["\x1f".join((query.subject, *query.members)) for query in value]
            parts.append(_framed(b"Q", "\x1e".join(queries).encode()))
        case tuple():
            parts.append(_framed(b"T", b"%d" % len(value)))
            for item in value:
                _absorb(parts, item)
        case FieldArray():
            content = hashlib.sha256(value.buffer).digest()
            parts.append(_framed(b"F" + repr(value.shape).encode(), content))
        case Seed():
            parts.append(_framed(b"S", value.reveal()))
        case Enum():
            parts.append(_framed(b"E", str(value.value).encode()))
        case _ if is_dataclass(value) and not isinstance(value, type):
            kind, names = _outline(type(value))
            parts.append(kind)
            for name in names:
                _absorb(parts, getattr(value, name))
        case _:
            raise Misuse(f"a message cannot hold a {type(value).__name__}")


@cache
def _outline(kind: type) -> tuple[bytes, tuple[str, ...]]:
    """A dataclass by its name, framed, and the names of its fields."""
    return _framed(b"D", kind.__name__.encode()), tuple(field.name for field in fields(kind))


def _framed(kind: bytes, content: bytes) -> bytes:
    return b"%d %b%d %b" % (len(kind), kind, len(content), content)
