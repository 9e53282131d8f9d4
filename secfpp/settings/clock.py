"""The three knobs as one clock: no progress for too long, or the whole attempt too long."""

from __future__ import annotations

import asyncio
import time
from typing import TypeVar

from secfpp.settings.files import Time

SPEAK_EVERY = 5.0
"""Seconds between two words about what is waited for."""

SELDOM = 60.0
"""Seconds between them where it has been said often already."""

FAREWELL_SECONDS = 5.0
"""Once a run is over, its last words are waited for no longer: whoever is gone does not matter."""


Item = TypeVar("Item")


async def next_within(inbox: asyncio.Queue[Item], seconds: float) -> Item | None:
    """The next item, or None where none comes in time. What is there needs no timer."""
    if not inbox.empty():
        return inbox.get_nowait()
    try:
        async with asyncio.timeout(max(seconds, 0.01)):  # In place: `wait_for` would make a task.
            return await inbox.get()
    except TimeoutError:
        return None


class Reminder:
    """When a standstill is worth a word: after SPEAK_EVERY seconds, then more and more seldom."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Something else is waited for from now on."""
        self._pause = SPEAK_EVERY
        self._due = time.monotonic() + self._pause

    @property
    def left(self) -> float:
        """Seconds until the next word; not negative."""
        return max(0.0, self._due - time.monotonic())

    def spoken(self) -> None:
        """The word was said; the next is due in twice the time, SELDOM at the most."""
        self._pause = min(2 * self._pause, SELDOM)
        self._due = time.monotonic() + self._pause


class RoundClock:
    """Counts from its making; `progress` starts the idle time anew, nothing else does."""

    def __init__(self, limits: Time) -> None:
        self._limits = limits
        self._deadline = time.monotonic() + limits.round_deadline
        self._idle_since = time.monotonic()

    def progress(self) -> None:
        """Something moved."""
        self._idle_since = time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until either limit; not negative."""
        idle = self._idle_since + self._limits.idle_timeout
        return max(0.0, min(idle, self._deadline) - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the whole attempt has taken too long."""
        return time.monotonic() >= self._deadline
