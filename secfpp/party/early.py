"""What peers say in an attempt before the coordinator has opened it here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from secfpp.protocol.messages import Answers, Done, Open, Opening, Ready, RoundMessage
from secfpp.protocol.params import AttemptKey
from secfpp.protocol.transcript import Slot, slot
from secfpp.wire.checks import MAXIMUM_PAYLOAD
from secfpp.wire.codec import encode

MOST_EARLY: Final = 256
"""So many messages of one sender are kept; an attempt has far fewer for one recipient."""

MOST_BYTES: Final = MAXIMUM_PAYLOAD
"""So many bytes of one sender are kept, as one message may have."""


@dataclass
class _Words:
    """What one sender said in one attempt, one message for each place, and how much it is."""

    key: AttemptKey
    said: dict[Slot, RoundMessage] = field(default_factory=dict)
    size: int = 0

    def add(self, message: RoundMessage) -> None:
        """Keep a message whose place is free, if there is room for it."""
        place = slot(message)
        if place in self.said or len(self.said) >= MOST_EARLY:
            return
        size = len(encode(message))
        if self.size + size <= MOST_BYTES:
            self.said[place] = message
            self.size += size


class EarlyWords:
    """Of each sender, what belongs to the latest attempt that it has spoken of.

    Who speaks of attempts that never come displaces its own words, and nobody else's. What no party
    is told in an attempt that is open is not kept.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Words] = {}

    def keep(self, sender: str, message: RoundMessage) -> None:
        """Keep a message; what belongs to an attempt before the sender's latest is dropped."""
        if isinstance(message, Open | Ready | Opening | Answers | Done):
            return
        kept = self._kept.get(sender)
        if kept is None or kept.key < message.key:
            kept = self._kept[sender] = _Words(message.key)
        if kept.key == message.key:
            kept.add(message)

    def take(self, key: AttemptKey) -> list[tuple[str, RoundMessage]]:
        """What was kept for an attempt, sender by sender; what is for those before is dropped."""
        kept = self._kept
        self._kept = {name: words for name, words in kept.items() if words.key > key}
        return [
            (name, message)
            for name, words in kept.items()
            if words.key == key
            for message in words.said.values()
        ]
