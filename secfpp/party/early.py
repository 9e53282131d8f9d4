"""What peers say in an attempt before the coordinator has opened it here."""

from __future__ import annotations

from secfpp.protocol.messages import RoundMessage
from secfpp.protocol.params import AttemptKey

MOST_EARLY = 256
"""So many messages of one sender are kept; an attempt has far fewer for one recipient."""


class EarlyWords:
    """Of each sender, what belongs to the latest attempt that it has spoken of.

    Who speaks of attempts that never come displaces its own words, and nobody else's.
    """

    def __init__(self) -> None:
        self._kept: dict[str, list[RoundMessage]] = {}

    def keep(self, sender: str, message: RoundMessage) -> None:
        """Keep a message; what belongs to an attempt before the sender's latest is dropped."""
        kept = self._kept.get(sender)
        if kept is None or kept[0].key < message.key:
            self._kept[sender] = [message]
        elif kept[0].key == message.key and len(kept) < MOST_EARLY:
            kept.append(message)

    def take(self, key: AttemptKey) -> list[tuple[str, RoundMessage]]:
        """What was kept for an attempt, sender by sender; what is for those before is dropped."""
        kept = self._kept
        self._kept = {name: words for name, words in kept.items() if words[0].key > key}
        return [(name, word) for name, words in kept.items() for word in words if word.key == key]
