"""One run at the coordinator: invite, then round after round until the job is done.

The session owns what lasts longer than an attempt: who takes part, the memory of what was opened
and assigned, which is written down before anything is said because of it, and the run directory.
It holds no share, no mask and no prompt; it never receives any.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from functools import partial

from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.queries import Assignment
from secfpp.coordinator.attempt import Attempt
from secfpp.coordinator.chronicle import Chronicle
from secfpp.coordinator.desk import Desk
from secfpp.coordinator.gathering import Diagnose, Gathering
from secfpp.coordinator.memory import RunMemory
from secfpp.coordinator.participants import Participants
from secfpp.coordinator.records import Entry, describe, ledger_entry
from secfpp.errors import ConfigError, PeersMissing, RoundFailed, SecFPPError, StoreFailure
from secfpp.journal.phases import Phases
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Asking, Closed, Closing
from secfpp.protocol.messages import Ended, Envelope, Message, Progress, Refuse
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.settings.clock import FAREWELL_SECONDS, RoundClock
from secfpp.settings.files import CoordinatorSettings, job_from
from secfpp.settings.rounds import MOST_ATTEMPTS, apart_levels, round_params, with_colluders
from secfpp.store.sealed import SealedStore
from secfpp.transport.link import Link


class Paused(Exception):
    """The run waits between two attempts for the daemon to start again."""


class RunSession:
    """One run, from its memory on; its `chronicle` tells what happens."""

    def __init__(
        self,
        memory: RunMemory,
        store: SealedStore,
        link: Link,
        *,
        settings: CoordinatorSettings,
        diagnose: Diagnose,
    ) -> None:
        self.run = memory.run
        self.chronicle = Chronicle(settings.state_dir / memory.run, memory.run)
        self._memory = memory
        self._store = store
        self._job = job_from(memory.job)
        self._link = link
        self._participants = Participants(settings.parties)
        self._limits = settings.time
        self._desk = Desk(self.run, link, settings.time, self._participants, self.chronicle)
        self._gathering = Gathering(self._desk, diagnose)
        self._stage = ""
        self._pausing = False

    def deliver(self, sender: str, message: Message) -> None:
        """Take a message of this run; it is handled in turn."""
        self._desk.put(sender, message)

    def stop(self, why: str) -> None:
        """End the run at the next turn; the last good prompts stay with the parties."""
        self._desk.stopped = why

    def pause(self) -> None:
        """Open no other attempt: `conduct` ends with `Paused` when the present one is over."""
        self._pausing = True

    def trouble(self, peer: str, error: SecFPPError) -> None:
        """A message to or from `peer` went wrong: say so; one that cannot be reached is lost."""
        if isinstance(error, PeersMissing):
            self._desk.put(peer, error)
        self.chronicle.say("trouble", peer=peer, text=str(error))

    def change(self, parties: Mapping[str, str]) -> None:
        """The operator's roster is another now: it holds from the next opening on."""
        removed = self._participants.change(parties)
        left = Ended(self.run, False, "the operator has taken this party off the roster")
        self._post(Envelope(name, left) for name in removed)
        for name, address in parties.items():
            self._link.open(name, address)
        self._invite(self._participants.names)
        self.chronicle.say("roster", text=f"the roster is now {', '.join(parties)}")

    async def conduct(self) -> None:
        """The whole run, or what is left of it; raises what ended it early, once all are told.

        Paused where it was asked to pause: nobody is told, for nothing is over.
        """
        beats = asyncio.create_task(self._beat())
        try:
            self._remember_the_last_attempt()
            await self._gather()
            await self._rounds()
        except SecFPPError as error:
            told = error.outward if isinstance(error, StoreFailure) else str(error)
            await self._end(Ended(self.run, False, told), f"the run ended early: {error}")
            raise
        else:
            await self._end(Ended(self.run, True, "the job is done"), "the job is done")
        finally:
            beats.cancel()
            self.chronicle.close()

    async def _end(self, over: Ended, text: str) -> None:
        """Tell the parties, who need not know the coordinator's files, and write `text` down."""
        self._post(Envelope(name, over) for name in self._participants.names)
        try:
            self.chronicle.say("ended", text=text)
        finally:
            await self._link.drain(FAREWELL_SECONDS)

    # --- Who takes part.

    def _remember_the_last_attempt(self) -> None:
        """Put on the ledger what was open when the daemon ended; whatever was opened stays so."""
        memory = self._memory
        if memory.round:
            self.chronicle.round, self.chronicle.attempt = memory.round, memory.attempt
            self.chronicle.say("resumed", text="the coordinator has started again")
        if memory.entry is not None:
            self.chronicle.recovered(memory.entry, assigned=memory.labels is not None)
            memory.entry = None
        if memory.labels is not None:
            memory.previous = memory.labels
        memory.keep(self._store)

    async def _gather(self) -> None:
        """Invite everyone; begin with those who accept, and with the T of the first round."""
        memory = self._memory
        invite = self._participants.invitation(self.run, memory.job)
        answers = await self._gathering.gather(invite)
        if memory.geometry is None or memory.colluders is None:
            chosen = self._job.protocol.stragglers
            answers.check_enough(1 if chosen is None else chosen)
            memory.geometry = answers.common_geometry()
            memory.colluders = with_colluders(self._job, len(answers.roster)).protocol.colluders
        self._participants.begin(memory.geometry)
        for party, geometry in answers.accepted.items():
            self._desk.admits(party, geometry)  # That it accepts has been said.
        protocol = self._job.protocol.model_copy(update={"colluders": memory.colluders})
        self._job = self._job.model_copy(update={"protocol": protocol})

    def _invite(self, names: Iterable[str]) -> None:
        """Tell of the run whoever is not in it, or of its parties whoever is."""
        invite = self._participants.invitation(self.run, self._memory.job)
        self._post(Envelope(name, invite) for name in names)

    # --- The rounds.

    async def _rounds(self) -> None:
        """Every round that is left."""
        closed = None
        while self._memory.next_attempt[0] <= self._job.rounds:
            self.chronicle.round = self._memory.next_attempt[0]
            self._desk.reported.clear()
            closed = await self._round()
        if closed is not None:
            assigned = {name for name, _ in closed.disclosed.labels}
            await self._reports_of(assigned - closed.lost.keys())

    async def _round(self) -> Closed:
        """One round, again without whoever is lost, as long as the rest fits."""
        memory, reason = self._memory, ""
        number, first = memory.next_attempt
        for attempt in range(first, MOST_ATTEMPTS + 1):
            self.chronicle.attempt = attempt
            params = await self._opening(AttemptKey(self.run, number, attempt), reason)
            machine = self._machine(params)
            self._stage = "opened"
            memory.opens(params)
            memory.keep(self._store)
            self.chronicle.say("opened", text=f"opened to {params.parties} parties")
            phases = Phases(self._link.totals, "train")
            result = await Attempt(
                self._desk, machine, phases, partial(self._write_down, machine)
            ).drive()
            self._participants.lost(machine.lost)
            for violation in machine.violations:
                self.chronicle.say("violation", peer=violation.peer, text=str(violation))
            for blame in machine.blames:
                self.chronicle.named(params, blame, self._link.certificates())
            if isinstance(result, Closed):
                self.chronicle.finished(self._entry(machine), result, phases.summary())
                memory.entry, memory.previous = None, memory.labels
                memory.keep(self._store)
                return result
            reason = result.reason
            self.chronicle.failed(self._entry(machine), reason, machine.lost)
            memory.entry = None
            if not machine.lost or memory.labels is not None:
                break  # Who accepted an assignment joins no other attempt (§7).
        raise RoundFailed(
            f"round {number} failed: {reason or 'it was tried as often as it may be'}",
            fix="the parties keep their last good prompts; see who is named and submit again",
        )

    async def _opening(self, key: AttemptKey, reason: str) -> RoundParams:
        """The parameters of the attempt that is opened now, among those who are here.

        Where they are too few, those who are away have `connect_wait` seconds to come back.
        """
        if self._pausing:
            raise Paused(self.run)
        self._invite(self._participants.away)
        deadline = time.monotonic() + self._limits.connect_wait
        is_first = (key.round, key.attempt) == (1, 1)
        said = ""
        witnesses = self._memory.witnesses if key.round == self._memory.round else ()
        while True:
            roster, dim = self._participants.roster(), self._participants.dim
            try:
                params = round_params(
                    self._job, key, self._link.name, roster, dim, witnesses=witnesses
                )
            except ConfigError as error:
                if is_first:
                    raise
                few = f"{reason or 'some were lost before'}; the others are too few: {error}"
                if not self._participants.away or time.monotonic() >= deadline:
                    raise RoundFailed(
                        f"round {key.round} failed: {few}",
                        fix="see who is named and why, start them, and `secfpp resume` the run",
                    ) from error
                if few != said:
                    said = few
                    away = ", ".join(self._participants.away)
                    self.chronicle.say("waiting", text=f"waiting for {away}: {few}")
                self._desk.require_going()
                item = await self._desk.next(1.0)
                if item is not None:
                    self._desk.take(*item)
            else:
                if is_first:
                    self.chronicle.say("parameters", text=describe(params))
                return params

    def _machine(self, params: RoundParams) -> CoordinatorRound:
        previous = self._memory.previous
        return CoordinatorRound(
            params,
            ClusteringMethod(self._job.clustering.method).clusterer,
            None if previous is None else Assignment(dict(previous)),
            self._link,
            os.urandom,
            apart_levels(self._job, params.feature_sharing.fraction_bits),
        )

    def _write_down(self, machine: CoordinatorRound) -> None:
        """Before anything is posted: what is asked, and what was assigned."""
        match machine.state:
            case Asking(view=view):
                stage = f"batch {len(view.batches)}"
            case Closing(disclosed=disclosed):
                stage = "assigned"
                self._memory.labels = dict(disclosed.labels)
            case _:
                return
        if stage != self._stage:
            self._stage = stage
            self._memory.entry = self._entry(machine)
            self._memory.keep(self._store)

    def _entry(self, machine: CoordinatorRound) -> Entry | None:
        """The ledger's entry of an attempt, if it has opened anything."""
        if machine.disclosed is None:
            return None
        previous = machine.previous
        return ledger_entry(machine.params, machine.disclosed, self._job, previous)

    async def _reports_of(self, parties: set[str]) -> None:
        """Wait for what the parties tell of the last round; they measure after they have finished.

        Who tells nothing for an idle timeout is not waited for.
        """
        clock = RoundClock(self._limits)
        while not parties <= self._desk.reported and clock.left:
            item = await self._desk.next(min(1.0, clock.left))
            if item is None:
                continue
            (sender, message), known = item, len(self._desk.reported)
            self._desk.take(sender, message)
            if len(self._desk.reported) > known:
                clock.progress()
            elif isinstance(message, PeersMissing | Refuse):
                parties = parties - {sender}

    # --- Small things.

    def _post(self, envelopes: Iterable[Envelope]) -> None:
        self._link.post(envelopes)

    async def _beat(self) -> None:
        """Tell the parties, a few times per idle timeout, that the coordinator lives."""
        while True:
            await asyncio.sleep(self._limits.idle_timeout / 4)
            alive = Progress(self.run, self.chronicle.round, "coordinating", 0, 0)
            self._post(Envelope(name, alive) for name in self._participants.names)
