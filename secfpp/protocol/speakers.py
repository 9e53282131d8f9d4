"""Who may say what in an attempt to a party, and what has a place in it (docs/protocol.md §8).

It is asked before a message is kept, and so bounds what is kept of a sender.
"""

from __future__ import annotations

from secfpp.algebra.field import FieldArray
from secfpp.errors import PeerViolation
from secfpp.protocol.messages import (
    Answers,
    Ask,
    Assign,
    CloseDealing,
    Deal,
    Dispute,
    Done,
    Echo,
    Halt,
    Open,
    Opening,
    Ready,
    RoundMessage,
    SumShare,
)
from secfpp.protocol.params import RoundParams


def check_command(coordinator: str, sender: str, message: RoundMessage) -> None:
    """PeerViolation where a party says what only the coordinator says, or what only it is told."""
    kind = type(message).__name__
    commands = Open | CloseDealing | Dispute | Ask | Assign | Halt
    if isinstance(message, commands) and sender != coordinator:
        raise PeerViolation(sender, f"sent {kind} as if it coordinated")
    if isinstance(message, Ready | Opening | Answers | Done):
        raise PeerViolation(sender, f"sent {kind}, which is for the coordinator")


def check_speaker(params: RoundParams, sender: str, message: RoundMessage) -> None:
    """PeerViolation where `sender` has no place in the attempt, or the message has none."""
    kind = type(message).__name__
    if sender != params.coordinator and sender not in params.places:
        raise PeerViolation(sender, "is not on the roster of this attempt")
    if message.key != params.key:
        raise PeerViolation(sender, f"{kind} belongs to another attempt")
    if sender == params.coordinator and isinstance(message, Deal | Echo | SumShare):
        raise PeerViolation(sender, f"sent {kind}, which only parties send")
    _check_place(params, sender, message)


def _check_place(params: RoundParams, sender: str, message: RoundMessage) -> None:
    """PeerViolation where the attempt has no such batch, dealer, deal or sum.

    Each batch has a query.
    """
    match message:
        case Echo() if sender not in params.witnesses:
            raise PeerViolation(sender, "sent an echo and is no witness of the round")
        case Echo(batch=batch) | Ask(batch=batch) | Assign(batches=batch):
            if batch > params.query_budget:
                kind = type(message).__name__
                raise PeerViolation(sender, f"sent {kind} of batch {batch}, more than there can be")
        case Dispute(dealer=dealer) if dealer not in params.places:
            raise PeerViolation(sender, f"disputes a leaf of {dealer}, who is not on the roster")
        case Deal(shares=shares, masks=masks):
            dealt = sum(
                len(vector) for vector in (*shares, masks) if isinstance(vector, FieldArray)
            )
            if dealt > sum(params.share_widths) + params.mask_count:
                raise PeerViolation(sender, f"dealt {dealt} residues, more than are due to anyone")
        case SumShare(values=values):
            if values.shape != (params.prompt_code.width(params.prompt_sharing.dim),):
                raise PeerViolation(sender, "sent a sum share of a wrong width")
        case _:
            pass
