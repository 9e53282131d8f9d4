"""What has been said in one attempt: repeats are harmless, contradictions are evidence (§8)."""

from __future__ import annotations

from collections import Counter
from typing import Final

from secfpp.errors import PeerViolation
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

MOST_VIOLATIONS: Final = 16
"""So many violations of one participant are kept in an attempt: the first tell enough."""

Slot = tuple[type[RoundMessage] | AttemptKey | EchoStage | str | int, ...]


def slot(message: RoundMessage) -> Slot:
    """The place of a message in its attempt: a sender may fill each slot with one content only.

    So a sender's messages in an attempt are bounded: one deal, one sum share (of the recipient's
    own cluster), and of each batch one echo. A message that the attempt has no place for is refused
    before it comes here. Those whom a `CloseDealing` names grow from one to the next.
    """
    match message:
        case Echo(stage=stage, batch=batch):
            return (Echo, message.key, stage, batch)
        case Ask(batch=batch) | Answers(batch=batch):
            return (type(message), message.key, batch)
        case CloseDealing(missing=missing):
            return (CloseDealing, message.key, len(missing))
        case Dispute(dealer=dealer) | Opening(dealer=dealer):
            return (type(message), message.key, dealer)
        case _:
            return (type(message), message.key)


class Transcript:
    """The first message of every sender for every slot of one attempt, with which it ends."""

    def __init__(self) -> None:
        self._seen: dict[Slot, dict[str, RoundMessage]] = {}

    def is_new(self, sender: str, message: RoundMessage) -> bool:
        """Record a message; False for a repeat, PeerViolation for a second, different one."""
        said = self._seen.setdefault(slot(message), {})
        if sender not in said:
            said[sender] = message
            return True
        if said[sender] == message:
            return False
        raise PeerViolation(
            sender,
            f"sent two different messages {type(message).__name__} for one place of the attempt",
        )


class Violations:
    """What others did against the protocol, in the order in which it was noticed: each one's first.

    Who repeats itself without end costs no memory.
    """

    def __init__(self) -> None:
        self._noted: list[PeerViolation] = []
        self._of: Counter[str] = Counter()

    def note(self, *violations: PeerViolation) -> None:
        """Keep each, unless enough of the same participant are kept."""
        for violation in violations:
            self._of[violation.peer] += 1
            if self._of[violation.peer] <= MOST_VIOLATIONS:
                self._noted.append(violation)

    @property
    def noted(self) -> tuple[PeerViolation, ...]:
        """All that are kept."""
        return tuple(self._noted)
