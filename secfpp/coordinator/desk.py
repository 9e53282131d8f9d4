"""What every part of a run at the coordinator works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from secfpp.coordinator.chronicle import Chronicle
from secfpp.coordinator.invitation import Geometry
from secfpp.coordinator.participants import Participants
from secfpp.errors import PeersMissing, RoundFailed
from secfpp.protocol.messages import SITS_OUT, Accept, Message, Progress, Refuse, Report
from secfpp.settings.clock import next_within
from secfpp.settings.files import Time
from secfpp.transport.link import Link

Item = tuple[str, Message | PeersMissing]
"""A message and its sender, or a peer and why it cannot be reached."""


@dataclass
class Desk:
    """The link and the clock's limits, who takes part, what comes in, and what is said of it.

    `stopped` is why the run is to end at the next turn, if it is. `reported` are those who have
    told what the present round has cost them.
    """

    run: str
    link: Link
    limits: Time
    participants: Participants
    chronicle: Chronicle
    stopped: str = ""
    reported: set[str] = field(default_factory=set)
    _odd: dict[str, str] = field(default_factory=dict)
    _inbox: asyncio.Queue[Item] = field(default_factory=asyncio.Queue)

    def put(self, peer: str, what: Message | PeersMissing) -> None:
        """Add an item; it is handled in turn."""
        self._inbox.put_nowait((peer, what))

    async def next(self, seconds: float) -> Item | None:
        """The next item, or None where none comes in so many seconds."""
        return await next_within(self._inbox, seconds)

    def require_going(self) -> None:
        """RoundFailed where the run is to end."""
        if self.stopped:
            raise RoundFailed(f"stopped: {self.stopped}")

    def take(self, sender: str, message: Message | PeersMissing) -> bool:
        """An item that belongs to no attempt; whether it tells of new steps in somebody's work."""
        match message:
            case Progress(phase=phase):
                if phase.startswith(SITS_OUT) and self.participants.is_news(sender, message):
                    self.chronicle.say("trouble", peer=sender, text=f"{sender} {phase}")
                return self.participants.moved(sender, message)
            case Report():
                self.chronicle.report(sender, message)
                if message.round == self.chronicle.round:
                    self.reported.add(sender)
            case Accept(geometry=geometry):
                if self.admits(sender, dict(geometry)):
                    text = f"{sender} joins at the next opening"
                    self.chronicle.say("accepted", peer=sender, text=text)
            case Refuse(key=key, reason=reason):
                self.participants.left(sender)
                text = f"{sender} refused: {key}: {reason}"
                self.chronicle.say("refused", peer=sender, text=text)
        return False

    def admits(self, party: str, geometry: Geometry) -> bool:
        """Whether a party that was away joins by its word that it accepts.

        What keeps it from that is said, once until that is another or it fits.
        """
        was_away = party in self.participants.away
        odd = self.participants.accepted(party, geometry)
        if odd and odd != self._odd.get(party):
            self.chronicle.say("accepted", peer=party, text=f"{party} cannot join: it {odd}")
        self._odd[party] = odd
        return was_away and not odd
