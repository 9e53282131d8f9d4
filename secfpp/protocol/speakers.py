"""Who may say what in an attempt to a party (docs/protocol.md §8)."""

from __future__ import annotations

from secfpp.errors import PeerViolation
from secfpp.protocol.messages import (
    Ask,
    Assign,
    CloseDealing,
    Deal,
    Dispute,
    Echo,
    Open,
    RoundMessage,
    SumShare,
)
from secfpp.protocol.params import RoundParams


def check_command(coordinator: str, sender: str, message: RoundMessage) -> None:
    """PeerViolation where a party says what only the coordinator says."""
    if isinstance(message, Open | CloseDealing | Dispute | Ask | Assign) and sender != coordinator:
        raise PeerViolation(sender, f"sent {type(message).__name__} as if it coordinated")


def check_speaker(params: RoundParams, sender: str, message: RoundMessage) -> None:
    """PeerViolation where `sender` has no place in the attempt, or the message has none."""
    kind = type(message).__name__
    if sender != params.coordinator and sender not in params.places:
        raise PeerViolation(sender, "is not on the roster of this attempt")
    if message.key != params.key:
        raise PeerViolation(sender, f"{kind} belongs to another attempt")
    if sender == params.coordinator and isinstance(message, Deal | Echo | SumShare):
        raise PeerViolation(sender, f"sent {kind}, which only parties send")
