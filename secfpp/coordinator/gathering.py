"""Before the first round, and after a restart: invite every party and wait for its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from secfpp.coordinator.desk import Desk, Item
from secfpp.coordinator.invitation import Answers, waiting_for
from secfpp.errors import PeersMissing
from secfpp.protocol.messages import Accept, Envelope, Invite, Progress, Refuse
from secfpp.settings.clock import SPEAK_EVERY

Diagnose = Callable[[str, str], Awaitable[str]]
"""What is found at an address where a peer should be, by address and name."""


class Gathering:
    """Who comes when a run starts (again), within `connect_wait` seconds."""

    def __init__(self, desk: Desk, diagnose: Diagnose) -> None:
        self._desk = desk
        self._diagnose = diagnose

    async def gather(self, invite: Invite) -> Answers:
        """The answers to an invitation, once all have come or time is up."""
        link, connect_wait = self._desk.link, self._desk.limits.connect_wait
        for peer in invite.peers:
            link.open(peer.name, peer.address)
            link.post([Envelope(peer.name, invite)])
        answers = Answers(self._desk.participants.names)
        deadline = time.monotonic() + connect_wait
        asking = asyncio.create_task(self._ask_after(answers, connect_wait))
        try:
            while answers.silent and time.monotonic() < deadline:
                self._desk.require_going()
                self._on_answer(answers, invite, await self._desk.next(1.0))
        finally:
            asking.cancel()
        return answers

    async def _ask_after(self, answers: Answers, connect_wait: float) -> None:
        """Every few seconds find out what keeps those who have not answered, and say it."""
        known = self._desk.participants
        while True:
            await asyncio.sleep(min(SPEAK_EVERY, connect_wait / 4))
            unheard = [name for name in answers.silent if not known.is_heard_of(name)]
            found = await asyncio.gather(*(self._diagnose(known.addresses[n], n) for n in unheard))
            heard = [name for name in answers.silent if known.is_heard_of(name)]
            answers.doing |= dict(zip(unheard, found, strict=True))
            answers.doing |= {name: known.doing(name) for name in heard}
            if answers.silent:
                text = waiting_for(answers.silent, answers.doing)
                self._desk.chronicle.say("waiting", text=text)

    def _on_answer(self, answers: Answers, invite: Invite, item: Item | None) -> None:
        match item:
            case (sender, Accept(geometry=geometry)):
                if sender not in answers.accepted:  # It may have been invited twice.
                    self._desk.chronicle.say("accepted", peer=sender)
                answers.accepted[sender] = dict(geometry)
                answers.refused.pop(sender, None)
            case (sender, Refuse(key=key, reason=reason)):
                answers.refused[sender] = f"{key}: {reason}"
                answers.accepted.pop(sender, None)
                text = f"{sender} refused: {key}: {reason}"
                self._desk.chronicle.say("refused", peer=sender, text=text)
            case (sender, Progress() as progress):
                self._desk.participants.moved(sender, progress)
            case (sender, PeersMissing()):
                # It may still come in time.
                self._desk.link.post([Envelope(sender, invite)])
