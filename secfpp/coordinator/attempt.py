"""One attempt of a round at the coordinator: the one loop of messages and time."""

from __future__ import annotations

import time
from collections.abc import Callable

from secfpp.coordinator.desk import Desk
from secfpp.coordinator.invitation import waiting_for
from secfpp.errors import PeersMissing, RoundFailed
from secfpp.journal.phases import Phases
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closed, Gathering
from secfpp.protocol.messages import (
    STARTED_AGAIN,
    Envelope,
    Message,
    Progress,
    Refuse,
    RoundMessage,
)
from secfpp.protocol.party_states import Failed
from secfpp.settings.clock import SPEAK_EVERY, RoundClock

PHASES = {"Gathering": "train", "Settling": "check", "Asking": "cluster", "Closing": "sum"}
"""The phase that each state of the machine belongs to; the first word of a party begins `share`."""


class Attempt:
    """Drives one machine to its result; `written` is called before anything is posted."""

    def __init__(
        self, desk: Desk, machine: CoordinatorRound, phases: Phases, written: Callable[[], None]
    ) -> None:
        self._desk = desk
        self._machine = machine
        self._phases = phases
        self._written = written
        self._clock = RoundClock(desk.limits)
        self._state: type | None = None
        self._speak_at = time.monotonic() + SPEAK_EVERY

    async def drive(self) -> Closed | Failed:
        """Open the attempt and take messages until it ends, or until time is up."""
        machine, desk = self._machine, self._desk
        self._post(machine.open())
        while machine.result is None:
            self._follow()
            if desk.stopped:
                self._post(machine.fail("stopped", desk.stopped))
                break
            if not self._clock.left:  # However many items there are: some may be meant to hold up.
                self._time_is_up()
                continue
            item = await desk.next(min(1.0, self._clock.left))
            if item is not None:
                self._take(*item)
            self._remind()
        if machine.result is None:
            raise RoundFailed("the machine stopped without a result")
        return machine.result

    def _take(self, sender: str, message: Message | PeersMissing) -> None:
        """One item; progress is what moves the machine, and the work of whom it waits for."""
        machine = self._machine
        if isinstance(message, RoundMessage):
            if message.key == machine.params.key:
                before = machine.state
                if isinstance(before, Gathering):
                    self._phases.begin("share")
                self._post(machine.handle(sender, message))
                if machine.state is not before:
                    self._clock.progress()
            return
        if self._desk.take(sender, message) and sender in machine.awaiting:
            self._clock.progress()
        gone = _gone(message)
        if gone:
            self._desk.participants.lost((sender,))  # It may come back before the attempt ends.
            self._post(machine.lose(sender, gone))

    def _time_is_up(self) -> None:
        """Too long without progress: go on without whom it waits for; or too long in all."""
        machine = self._machine
        if self._clock.over:
            self._post(machine.fail("deadline", f"out of time, {machine.describe()}"))
        else:
            self._desk.chronicle.say("waiting", text=f"no progress, {machine.describe()}")
            self._post(machine.expire())
            self._clock.progress()

    def _follow(self) -> None:
        """Keep the stopwatch and the log in step with the machine."""
        state = type(self._machine.state)
        if state is not self._state:
            self._state = state
            self._phases.begin(PHASES.get(state.__name__, "sum"))
            text = self._machine.describe()
            self._desk.chronicle.say("phase", phase=state.__name__.lower(), text=text)

    def _remind(self) -> None:
        """Every few seconds say whom the attempt waits for, and what they do."""
        if time.monotonic() < self._speak_at:
            return
        self._speak_at = time.monotonic() + SPEAK_EVERY
        known = self._desk.participants
        doing = {name: known.doing(name) for name in self._machine.awaiting}
        if doing:
            self._desk.chronicle.say("waiting", text=waiting_for(doing, doing))

    def _post(self, envelopes: list[Envelope]) -> None:
        self._written()
        self._desk.link.post(envelopes)


def _gone(message: Message | PeersMissing) -> str:
    """Why the sender takes no more part in the attempt that is open, or nothing."""
    match message:
        case PeersMissing():
            return str(message)
        case Refuse(key=key, reason=reason):
            return f"{key}: {reason}"
        case Progress(phase=phase) if phase == STARTED_AGAIN:
            return "has started again, and has forgotten its part in this attempt"
        case _:
            return ""
