"""One attempt of a round at a party: the one loop of messages, its own vectors and time."""

from __future__ import annotations

import asyncio
import os

from secfpp.journal.phases import Phases
from secfpp.party.desk import Dealt, Desk, Item, Leave
from secfpp.party.own_vectors import OwnVectors
from secfpp.protocol.circumstances import Circumstances
from secfpp.protocol.dealing import Abstention
from secfpp.protocol.messages import SITS_OUT, Assign, Ended, Envelope, Open, RoundMessage
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Failed, Finished, Preparing
from secfpp.settings.clock import Reminder, RoundClock
from secfpp.settings.consent import policy_of

PHASES = {"Preparing": "train", "Sharing": "share", "Checking": "check", "Answering": "cluster"}
"""The phase that each state belongs to; whatever comes after them is `sum`."""


class Attempt:
    """Drives one machine to its result; `phases` tells what it has cost."""

    def __init__(self, desk: Desk, vectors: OwnVectors, params: RoundParams) -> None:
        memory = desk.memory
        policy = policy_of(desk.settings, memory.colluders)
        released = memory.released.get(params.key.round)
        self._desk = desk
        self._vectors = vectors
        self._params = params
        circumstances = Circumstances(policy, desk.link, os.urandom, memory.witnesses, released)
        self._machine = PartyRound(desk.me, circumstances)
        self._followed = ""
        self._reminder = Reminder()
        self.phases = Phases(desk.link.totals, "train")

    async def drive(self) -> Finished | Failed:
        """Take the opening, then whatever comes, until the attempt ends or time is up."""
        desk, machine, params = self._desk, self._machine, self._params
        clock = RoundClock(desk.settings.time)
        self._send(machine.handle(desk.settings.coordinator, Open(params)))
        for sender, message in desk.early(params.key):
            self._send(machine.handle(sender, message))
        if isinstance(machine.state, Preparing):
            desk.memory.colluders = params.colluders  # Agreed to once, it is not taken back (§8).
        training = asyncio.create_task(self._prepare_vectors())
        try:
            while machine.result is None:
                if training.done():
                    training.result()  # A defect in it is one of the run.
                self._follow()
                if not clock.left:  # However many items there are: some may be meant to hold up.
                    self._give_up()
                    continue
                self._remind()
                item = await desk.next(min(clock.left, self._reminder.left))
                if item is not None and self._moves(item):
                    clock.progress()
        finally:
            training.cancel()
        self._follow()
        for violation in machine.violations:
            desk.say("violation", peer=violation.peer, text=str(violation))
        return machine.result

    def _moves(self, item: Item) -> bool:
        """Take an item; whether it is progress.

        That is what moves the machine, and any word of the coordinator, who knows how far all are.
        """
        before = self._machine.state
        self._take(item)
        is_moved = self._machine.state is not before
        return is_moved or item[0] == self._desk.settings.coordinator

    def _take(self, item: Item) -> None:
        """One item of the inbox; what is left over from an attempt that is over is dropped."""
        sender, message = item
        desk, machine, key = self._desk, self._machine, self._params.key
        match message:
            case Dealt():
                if isinstance(machine.state, Preparing) and message.key == key:
                    self.phases.begin("share")
                    desk.keep()  # Before it is dealt: the attempt's key, and what is dealt.
                    self._send(machine.deal(message.vectors))
            case Leave():
                desk.leaving = True
                if isinstance(machine.state, Preparing):  # Nobody has anything of it yet.
                    self._send(machine.expire())
            case Ended():
                desk.ended = message
                machine.expire()  # The coordinator knows: nobody needs to be told.
            case _ if not isinstance(message, RoundMessage) or message.key < key:
                pass
            case _ if message.key == key:
                if isinstance(message, Assign):
                    self.phases.begin("sum")  # All distances that will be are open.
                self._send(machine.handle(sender, message))
            case _:
                desk.keep_early(sender, message)
                if isinstance(message, Open):
                    desk.put(*item)
                    machine.expire()  # The coordinator has given this attempt up.

    def _send(self, envelopes: list[Envelope]) -> None:
        """Post what the attempt says, once it is written down which assignment was accepted.

        A round that is over is never opened again, so one round's is enough (§7).
        """
        desk, number, released = self._desk, self._params.key.round, self._machine.released
        if released is not None and released is not desk.memory.released.get(number):
            desk.memory.released = {number: released}
            desk.keep()
        desk.post(envelopes)

    async def _prepare_vectors(self) -> None:
        """Train and quantise, and hand the vectors to the loop."""
        desk = self._desk
        if isinstance(self._machine.state, Preparing):
            vectors = await self._vectors.prepare(self._params, self._told)
            if isinstance(vectors, Abstention):
                desk.doing = (SITS_OUT + vectors.reason, 0, 0)
                desk.tell_progress()
            else:
                desk.doing = ("exchanging shares", 0, 0)
            desk.put(desk.me, Dealt(self._params.key, vectors))

    def _told(self, done: int, total: int) -> None:
        self._desk.doing = ("training", done, total)

    def _remind(self) -> None:
        """Where it is time for a word, say for what the attempt waits."""
        if self._reminder.left:
            return
        _, done, total = self._desk.doing
        steps = f", {done} of {total}" if total else ""
        self._desk.say("waiting", text=self._machine.waiting_for() + steps)
        self._reminder.spoken()

    def _give_up(self) -> None:
        """Time is up: the attempt ends here, and the coordinator is told."""
        self._desk.say("silence", text=f"gave up {self._machine.waiting_for()}")
        self._send(self._machine.expire())

    def _follow(self) -> None:
        """Keep the stopwatch and the log in step with the machine."""
        name = type(self._machine.state).__name__
        if name != self._followed:
            self._followed = name
            self._reminder.reset()
            self.phases.begin(PHASES.get(name, "sum"))
            self._desk.say("phase", phase=name.lower(), text=self._machine.waiting_for())
