"""A party over a whole run, without I/O: what outlives an attempt, as in `party/session.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from secfpp.party.acceptance import is_agreed, is_past
from secfpp.party.early import EarlyWords
from secfpp.party.memory import RunMemory
from secfpp.protocol.circumstances import Circumstances
from secfpp.protocol.dealing import Vectors
from secfpp.protocol.disclosure import Policy
from secfpp.protocol.messages import Ended, Envelope, Halt, Open, RoundMessage
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Failed, Finished, Preparing
from secfpp.settings.files import JobSettings

from ..protocol.conftest import NamedSigner
from .operations import COORDINATOR

RESTARTED = "restarted"
"""The code of the `Halt` by which a party that has come back announces itself."""

Outbox = list[Envelope]
Train = Callable[[RoundParams, str, int], Vectors]
"""The levels that a party deals: of an attempt, its name, and how often it has been restarted."""


@dataclass(frozen=True)
class Trained:
    """A party's own word to itself: its vectors for one attempt are ready."""

    key: AttemptKey
    vectors: Vectors


class PartySeat:
    """One party of a run. `up` and `ended` (the reason) tell whether it takes part.

    `finished`, `failed`, `dealt` and `violations` are for the laws; the party itself does not look
    at them again.
    """

    def __init__(self, name: str, rounds: int, train: Train) -> None:
        self.name = name
        self.up = True
        self.ended = ""
        self.kept = RunMemory("run", "", (), colluders=1)  # What survives a crash.
        self.machine: PartyRound | None = None
        self.finished: list[tuple[AttemptKey, Finished]] = []
        self.failed: list[tuple[AttemptKey, Failed]] = []
        self.dealt: dict[AttemptKey, Vectors] = {}
        self.violations: list[str] = []
        self._job = JobSettings(rounds=rounds)
        self._train = train
        self._restarts = 0
        self._early = EarlyWords()

    def receive(self, sender: str, message: object) -> Outbox:
        """One item of the inbox, as `PartySession.deliver`, `conduct` and `_handle` take it."""
        if not self.up or self.ended:
            return []
        match message:
            case Open() | Ended() if sender != COORDINATOR:
                self.violations.append(sender)
                return []
            case Ended(reason=reason):
                self._abandon()
                self.ended = reason or "the job is done"
                return []
            case Open(params=params) if self.machine is None or self._key < params.key:
                self._abandon()
                may = not is_past(self.kept, params.key) and is_agreed(self._job, params)
                return self._attempt(params) if may else []
            case Trained(key=key, vectors=vectors):
                if self.machine is None or key != self._key:
                    return []
                if not isinstance(self.machine.state, Preparing):
                    return []
                self.dealt[key] = vectors
                return self._after(self.machine.deal(vectors))
            case _ if isinstance(message, RoundMessage):
                if self.machine is not None and message.key == self._key:
                    return self._after(self.machine.handle(sender, message))
                self._keep_early(sender, message)
        return []

    def expire(self, *, coordinator_lives: bool) -> Outbox:
        """Nothing has come for too long: in an attempt, or between two."""
        if not self.up or self.ended:
            return []
        if self.machine is not None:
            return self._after(self.machine.expire())
        if not coordinator_lives:  # Else it says every few seconds that it lives.
            self.ended = "the coordinator has been silent"
        return []

    def crash(self) -> None:
        """Everything is forgotten but what is kept."""
        self._note_violations()
        self.up, self.machine, self._early = False, None, EarlyWords()

    def restart(self) -> Outbox:
        """Come back, and say that what was under way is lost."""
        if self.up or self.ended:
            return []
        self.up = True
        self._restarts += 1
        if self.kept.latest is None:
            return []
        text = "this party was restarted and has forgotten its shares"
        return [Envelope(COORDINATOR, Halt(self.kept.latest, RESTARTED, text))]

    @property
    def _key(self) -> AttemptKey:
        assert self.kept.latest is not None
        return self.kept.latest

    def _attempt(self, params: RoundParams) -> Outbox:
        key = params.key
        self.kept.opens(params)
        policy = Policy(COORDINATOR, minimum_colluders=self.kept.colluders)
        released = self.kept.released.get(key.round)
        circumstances = Circumstances(
            policy, NamedSigner(self.name), os.urandom, self.kept.witnesses, released
        )
        machine = self.machine = PartyRound(self.name, circumstances)
        outbox = machine.handle(COORDINATOR, Open(params))
        for sender, message in self._early.take(key):
            outbox += machine.handle(sender, message)
        if isinstance(machine.state, Preparing):
            self.kept.colluders = params.colluders
            vectors = self._train(params, self.name, self._restarts)
            outbox.append(Envelope(self.name, Trained(key, vectors)))
        return self._after(outbox)

    def _after(self, outbox: Outbox) -> Outbox:
        """Keep what the machine has released, and its end if it has come to one."""
        machine = self.machine
        assert machine is not None
        if machine.released is not None:
            self.kept.released[self._key.round] = machine.released
        match machine.result:
            case Finished() as finished:
                self.finished.append((self._key, finished))
            case Failed() as failed:
                self.failed.append((self._key, failed))
            case _:
                return outbox
        self._note_violations()
        self.machine = None
        return outbox

    def _abandon(self) -> None:
        """The coordinator has given the attempt up: it knows, so nobody needs to be told."""
        if self.machine is not None:
            self._after(self.machine.expire())

    def _note_violations(self) -> None:
        if self.machine is not None:
            self.violations += [violation.peer for violation in self.machine.violations]

    def _keep_early(self, sender: str, message: RoundMessage) -> None:
        later = self.kept.latest is None or message.key > self.kept.latest
        if later and not isinstance(message, Open):
            self._early.keep(sender, message)
