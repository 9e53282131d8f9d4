"""The coordinator over a whole run, without I/O: rounds and attempts as in its `session.py`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.queries import Assignment
from secfpp.errors import ConfigError
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closed, Closing
from secfpp.protocol.disclosure import Disclosed
from secfpp.protocol.messages import Ended, Envelope, Halt, RoundMessage
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.protocol.party_states import Failed
from secfpp.settings.files import JobSettings
from secfpp.settings.rounds import MOST_ATTEMPTS, round_params

from ..protocol.conftest import NamedSigner
from .operations import COLLUDERS, COORDINATOR, STRAGGLERS, Setting
from .party_seat import RESTARTED, Outbox

RUN = "run"
CLUSTERER = ClusteringMethod.ADAPTIVE.clusterer


@dataclass(frozen=True)
class Unreachable:
    """The link's word to the coordinator: a message to this party could not be delivered."""


@dataclass(frozen=True)
class Kept:
    """What the coordinator's store holds, and so survives a crash.

    `released` is the assignment of the present round, once it has been sent: the round is closed.
    """

    round: int
    attempt: int
    previous: Assignment | None
    roster: tuple[str, ...]
    released: Assignment | None = None
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """The ledger's entry of one attempt, and what its clusterer started from."""

    params: RoundParams
    previous: Assignment | None
    disclosed: Disclosed | None
    result: Closed | Failed | None

    @classmethod
    def of(cls, machine: CoordinatorRound) -> Entry:
        """As the machine stands."""
        return cls(machine.params, machine.previous, machine.disclosed, machine.result)

    @property
    def closed(self) -> bool:
        """Whether the attempt reached its goal."""
        return isinstance(self.result, Closed)


class CoordinatorSeat:
    """The coordinator of a run; `ended` is its last word once the run is over."""

    def __init__(self, setting: Setting) -> None:
        self.job = JobSettings(
            rounds=setting.rounds,
            protocol={
                "colluders": COLLUDERS,
                "stragglers": STRAGGLERS,
                "adversaries": int(setting.liar is not None),
            },
        )
        self.up = True
        self.ended: Ended | None = None
        self.kept = Kept(1, 0, None, setting.names)
        self.machine: CoordinatorRound | None = None
        self.ledger: list[Entry] = []
        self.violations: list[str] = []
        self._names = setting.names
        self._dim = setting.dim
        self._returned: set[str] = set()

    def begin(self) -> Outbox:
        """The first attempt."""
        return self._attempt("")

    def receive(self, sender: str, message: object) -> Outbox:
        """One item of the inbox, as `RunSession._drive` takes it."""
        if not self.up or self.ended:
            return []
        if isinstance(message, Halt) and message.code == RESTARTED:
            self._returned.add(sender)
        machine = self.machine
        if machine is None:
            return []
        if isinstance(message, Unreachable):
            return self._after(machine.lose(sender, "it cannot be reached"))
        if isinstance(message, RoundMessage) and message.key == machine.params.key:
            return self._after(machine.handle(sender, message))
        return []

    def expire(self) -> Outbox:
        """Nothing has come for too long."""
        if not self.up or self.machine is None:
            return []
        return self._after(self.machine.expire())

    def crash(self) -> None:
        """Everything is forgotten but what is kept, and what was written to the ledger."""
        self.up = self.ended is not None
        if self.machine is not None:
            self._write_down(self.machine)
        self.machine = None
        self._returned = set()

    def restart(self) -> Outbox:
        """Come back: to a later attempt of the round, or to the next round if it is closed."""
        if self.up:
            return []
        self.up = True
        if self.kept.released is not None:
            return self._next_round(self.kept.roster)
        if self.kept.attempt >= MOST_ATTEMPTS:
            return self._end(False, f"round {self.kept.round} failed: attempts have run out")
        return self._attempt("the coordinator was restarted")

    def _attempt(self, reason: str) -> Outbox:
        self.kept = replace(self.kept, attempt=self.kept.attempt + 1)
        key = AttemptKey(RUN, self.kept.round, self.kept.attempt)
        try:
            params = round_params(
                self.job,
                key,
                COORDINATOR,
                self.kept.roster,
                self._dim,
                witnesses=self.kept.witnesses,
            )
        except ConfigError as error:
            return self._end(False, f"round {key.round} failed: {reason}: too few: {error}")
        self.kept = replace(self.kept, witnesses=params.witnesses)
        signer = NamedSigner(COORDINATOR)
        self.machine = CoordinatorRound(params, CLUSTERER, self.kept.previous, signer, os.urandom)
        return self.machine.open()

    def _after(self, outbox: Outbox) -> Outbox:
        """Keep that the round is closed before the assignment leaves, and go on at its end."""
        machine = self.machine
        assert machine is not None
        if isinstance(machine.state, Closing) and self.kept.released is None:
            labels = Assignment(dict(machine.state.disclosed.labels))
            self.kept = replace(self.kept, released=labels)
        if machine.result is None:
            return outbox
        self.machine = None
        self._write_down(machine)
        if isinstance(machine.result, Closed):
            return outbox + self._next_round(self._without(machine.result.lost))
        return outbox + self._again(machine)

    def _again(self, machine: CoordinatorRound) -> Outbox:
        """After a failed attempt: another one without the lost, or the end of the run."""
        result = machine.result
        assert result is not None
        vouched = machine.disclosed is not None and bool(machine.disclosed.labels)
        if not machine.lost or vouched or self.kept.attempt >= MOST_ATTEMPTS:
            return self._end(False, f"round {self.kept.round} failed: {result.reason}")
        self.kept = replace(self.kept, roster=self._without(machine.lost))
        return self._attempt(result.reason)

    def _next_round(self, roster: tuple[str, ...]) -> Outbox:
        kept = self.kept
        if kept.round == self.job.rounds:
            return self._end(True, "the job is done")
        self.kept = Kept(kept.round + 1, 0, kept.released, roster)
        return self._attempt("some were lost in the last round")

    def _without(self, lost: Iterable[str]) -> tuple[str, ...]:
        """The next roster: who is not lost, and who has come back."""
        stay = (set(self.kept.roster) - set(lost)) | self._returned
        self._returned = set()
        return tuple(name for name in self._names if name in stay)

    def _write_down(self, machine: CoordinatorRound) -> None:
        self.ledger.append(Entry.of(machine))
        self.violations += [violation.peer for violation in machine.violations]
        self.violations += [blame.blamed for blame in machine.blames]

    def _end(self, completed: bool, reason: str) -> Outbox:
        self.ended = Ended(RUN, completed, reason)
        return [Envelope(name, self.ended) for name in self._names]
