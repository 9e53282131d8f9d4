"""What every part of a run at a party works with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from secfpp.journal.events import EventLog
from secfpp.party.early import EarlyWords
from secfpp.party.memory import RunMemory
from secfpp.protocol.dealing import Abstention, Vectors
from secfpp.protocol.messages import Ended, Envelope, Message, Open, Progress, RoundMessage
from secfpp.protocol.params import AttemptKey
from secfpp.settings.clock import next_within
from secfpp.settings.files import PartySettings
from secfpp.store.sealed import SealedStore
from secfpp.transport.link import Link


@dataclass(frozen=True, repr=False)
class Dealt:
    """Inbox item from the party itself: its vectors for one attempt, or why there are none.

    Another attempt may have other fraction bits, so that the same levels would mean other values.
    """

    key: AttemptKey
    vectors: Vectors | Abstention


@dataclass(frozen=True)
class Leave:
    """Inbox item from the daemon: it is to end, and the run to be gone on with later."""


Item = tuple[str, Message | Dealt | Leave]


@dataclass(repr=False)
class Desk:
    """The link, the settings, the run's memory and log, and what comes in.

    `doing` is what the party is at, with steps done and steps in all; `round` the present one, 0
    before the first; `ended` how the coordinator has ended the run, if it has; `leaving` whether
    the daemon is to end.
    """

    link: Link
    settings: PartySettings
    memory: RunMemory
    store: SealedStore
    log: EventLog
    round: int = 0
    doing: tuple[str, int, int] = ("preparing", 0, 0)
    ended: Ended | None = None
    leaving: bool = False
    _inbox: asyncio.Queue[Item] = field(default_factory=asyncio.Queue)
    _early: EarlyWords = field(default_factory=EarlyWords)

    @property
    def me(self) -> str:
        """This party's name."""
        return self.link.name

    def say(self, event: str, **fields: object) -> None:
        """Write an event of the present round down."""
        latest = self.memory.latest
        attempt = 0 if latest is None else latest.attempt
        self.log.record(event, round=self.round, attempt=attempt, **fields)

    def keep(self) -> None:
        """Write the run's memory down."""
        self.memory.keep(self.store)

    def post(self, envelopes: Iterable[Envelope]) -> None:
        """Send messages on their way."""
        self.link.post(envelopes)

    def tell_coordinator(self, message: Message) -> None:
        """Send the coordinator a message."""
        self.link.post([Envelope(self.settings.coordinator, message)])

    def tell_progress(self) -> None:
        """Tell the coordinator what this party is at."""
        self.tell_coordinator(Progress(self.memory.run, self.round, *self.doing))

    def put(self, sender: str, what: Message | Dealt | Leave) -> None:
        """Add an item; it is handled in turn."""
        self._inbox.put_nowait((sender, what))

    async def next(self, seconds: float) -> Item | None:
        """The next item, or None where none comes in so many seconds."""
        return await next_within(self._inbox, seconds)

    def keep_early(self, sender: str, message: RoundMessage) -> None:
        """Keep what a peer sent for an attempt that is not open here yet; what is over is over."""
        latest = self.memory.latest
        is_past = latest is not None and message.key <= latest
        if not (is_past or isinstance(message, Open)):
            self._early.keep(sender, message)

    def early(self, key: AttemptKey) -> list[tuple[str, RoundMessage]]:
        """What was kept for an attempt; what was kept for those before it is dropped."""
        return self._early.take(key)
