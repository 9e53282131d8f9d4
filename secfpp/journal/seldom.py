"""What one peer can have a daemon write down: its first words, then no more than one a minute."""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

from secfpp.settings.clock import SELDOM

FIRST: Final = 16
"""So many of one kind are said of a peer as they come: they tell enough."""

PROVOKED: Final = ("trouble", "violation", "refused", "accepted")
"""The kinds of events that a peer can cause as often as it sends something."""


class Seldom:
    """Tells what is to be said of a peer; counts what is not, by kind and peer."""

    def __init__(self) -> None:
        self._said: Counter[tuple[str, str]] = Counter()
        self._left_out: Counter[tuple[str, str]] = Counter()
        self._due: dict[tuple[str, str], float] = {}

    def left_out(self, kind: str, peer: str) -> int | None:
        """How many were left out before this one; none where it is left out too."""
        if kind not in PROVOKED or not peer:
            return 0
        key, now = (kind, peer), time.monotonic()
        if self._said[key] >= FIRST and now < self._due[key]:
            self._left_out[key] += 1
            return None
        self._said[key] += 1
        self._due[key] = now + SELDOM
        return self._left_out.pop(key, 0)


def with_left_out(text: str, count: int) -> str:
    """Words, with how many like them were left out before."""
    return f"{text} ({count} more before it)" if count else text
