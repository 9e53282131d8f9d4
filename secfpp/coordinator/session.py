"""One run at the coordinator: invite, then round after round until the job is done.

The session owns what lasts longer than an attempt: who takes part, the last assignment, the ledger
and the run directory. It holds no share, no mask and no prompt; it never receives any.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable

from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.queries import Assignment
from secfpp.coordinator.chronicle import Chronicle
from secfpp.coordinator.invitation import Answers, waiting_for
from secfpp.coordinator.records import describe
from secfpp.errors import ConfigError, PeersMissing, RoundFailed, SecFPPError
from secfpp.journal.phases import Phases, Totals
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closed, Gathering
from secfpp.protocol.messages import (
    Accept,
    Ended,
    Envelope,
    Invite,
    Message,
    Peer,
    Progress,
    Refuse,
    Report,
    RoundMessage,
)
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.protocol.party_states import Failed
from secfpp.settings.clock import FAREWELL_SECONDS, RoundClock, next_within
from secfpp.settings.files import CoordinatorSettings, JobSettings
from secfpp.settings.rounds import MOST_ATTEMPTS, apart_levels, round_params, with_colluders
from secfpp.transport.link import Link

PHASES = {"Gathering": "train", "Settling": "check", "Asking": "cluster", "Closing": "sum"}
"""The phase that each state of the machine belongs to; the first word of a party begins `share`."""

SPEAK_EVERY = 5.0  # Seconds between two words about who is missing.

Diagnose = Callable[[str, str], Awaitable[str]]
"""What is found at an address where a peer should be, by address and name."""
Item = tuple[str, Message | PeersMissing]
"""What the inbox holds: a message and its sender, or a peer and why it cannot be reached."""


class RunSession:
    """One run of `job` under the name `run`; its `chronicle` tells what happens."""

    def __init__(
        self,
        run: str,
        job: JobSettings,
        *,
        link: Link,
        settings: CoordinatorSettings,
        diagnose: Diagnose,
    ) -> None:
        self.run = run
        self.job = job
        self.chronicle = Chronicle(settings.state_dir / run, run)
        self._link = link
        self._settings = settings
        self._diagnose = diagnose
        self._inbox: asyncio.Queue[Item] = asyncio.Queue()
        self._stopped = ""
        self._reported: set[str] = set()
        self._told: dict[str, tuple[int, str, int, int]] = {}

    def deliver(self, sender: str, message: Message) -> None:
        """Take a message of this run; it is handled in turn."""
        self._inbox.put_nowait((sender, message))

    def stop(self, why: str) -> None:
        """End the run at the next turn; the last good prompts stay with the parties."""
        self._stopped = why

    def trouble(self, peer: str, error: SecFPPError) -> None:
        """A message to or from `peer` went wrong: say so; one that cannot be reached is lost."""
        self.chronicle.say("trouble", peer=peer, text=str(error))
        if isinstance(error, PeersMissing):
            self._inbox.put_nowait((peer, error))

    async def conduct(self) -> None:
        """The whole run; raises what ended it early, after everyone has been told."""
        beats = asyncio.create_task(self._beat())
        reason = "the job is done"
        completed = False
        try:
            roster, dim = await self._invited()
            await self._rounds(roster, dim)
            completed = True
        except SecFPPError as error:
            reason = str(error)
            raise
        finally:
            beats.cancel()
            self.chronicle.say(
                "ended", text=reason if completed else f"the run ended early: {reason}"
            )
            parties = self._settings.parties
            self._post(Envelope(name, Ended(self.run, completed, reason)) for name in parties)
            await self._link.drain(FAREWELL_SECONDS)
            self.chronicle.close()

    # --- Before the first round.

    async def _invited(self) -> tuple[tuple[str, ...], int]:
        """Invite everyone; the roster of those who accept, and the prompts' dimension."""
        peers = tuple(Peer(name, address) for name, address in self._settings.parties.items())
        invite = Invite(self.run, self.job.model_dump_json(), peers)
        for peer in peers:
            self._link.open(peer.name, peer.address)
            self._link.post([Envelope(peer.name, invite)])
        answers = Answers(tuple(self._settings.parties))
        deadline = time.monotonic() + self._settings.time.connect_wait
        asking = asyncio.create_task(self._ask_after(answers))
        try:
            while answers.silent and time.monotonic() < deadline:
                if self._stopped:
                    raise RoundFailed(f"stopped: {self._stopped}")
                self._on_answer(answers, invite, await self._next(1.0))
        finally:
            asking.cancel()
        answers.check_enough(self._stragglers)
        return answers.roster, answers.common_dim()

    async def _ask_after(self, answers: Answers) -> None:
        """Every few seconds find out what keeps those who have not answered, and say it."""
        parties, wait = self._settings.parties, self._settings.time.connect_wait
        while True:
            await asyncio.sleep(min(SPEAK_EVERY, wait / 4))
            unheard = [name for name in answers.silent if name not in self._told]
            found = await asyncio.gather(*(self._diagnose(parties[n], n) for n in unheard))
            answers.doing |= dict(zip(unheard, found, strict=True))
            answers.doing |= {name: self._doing(name) for name in self._told}
            if answers.silent:
                self.chronicle.say("waiting", text=waiting_for(answers.silent, answers.doing))

    @property
    def _stragglers(self) -> int:
        """How many parties may be missing from the start: S as the job says, or its default."""
        chosen = self.job.protocol.stragglers
        return 1 if chosen is None else chosen

    def _on_answer(self, answers: Answers, invite: Invite, item: Item | None) -> None:
        match item:
            case (sender, Accept(geometry=geometry)):
                answers.accepted[sender] = dict(geometry)
                self.chronicle.say("accepted", peer=sender)
            case (sender, Refuse(key=key, reason=reason)):
                answers.refused[sender] = f"{key}: {reason}"
                self.chronicle.say(
                    "refused", peer=sender, text=f"{sender} refused: {key}: {reason}"
                )
            case (sender, Progress() as progress):
                self._moved(sender, progress)
            case (sender, PeersMissing()):
                self._link.post([Envelope(sender, invite)])  # It may still come in time.

    # --- The rounds.

    async def _rounds(self, roster: tuple[str, ...], dim: int) -> None:
        previous: Assignment | None = None
        self.job = with_colluders(self.job, len(roster))
        for number in range(1, self.job.rounds + 1):
            self.chronicle.round = number
            self._reported.clear()
            closed = await self._attempts(roster, dim, previous)
            previous = Assignment(dict(closed.disclosed.labels))
            roster = tuple(name for name in roster if name not in closed.lost)
        await self._reports_of({name for name, _ in closed.disclosed.labels} & set(roster))

    async def _attempts(
        self, roster: tuple[str, ...], dim: int, previous: Assignment | None
    ) -> Closed:
        """One round, again without whoever is lost, as long as the rest fits."""
        reason = ""
        for attempt in range(1, MOST_ATTEMPTS + 1):
            self.chronicle.attempt = attempt
            params = self._params(roster, dim, reason)
            clusterer = ClusteringMethod(self.job.clustering.method).clusterer
            apart = apart_levels(self.job, params.feature_sharing.fraction_bits)
            machine = CoordinatorRound(params, clusterer, previous, self._link, os.urandom, apart)
            self.chronicle.say("opened", text=f"opened to {len(roster)} parties")
            phases = Phases(self._totals, "train")
            reminding = asyncio.create_task(self._remind(machine))
            try:
                result = await self._drive(machine, phases)
            finally:
                reminding.cancel()
            for violation in machine.violations:
                self.chronicle.say("violation", peer=violation.peer, text=str(violation))
            for blame in machine.blames:
                self.chronicle.named(params, blame, self._link.certificates())
            if isinstance(result, Closed):
                self.chronicle.finished(
                    params, result, job=self.job, previous=previous, costs=phases.summary()
                )
                return result
            reason = result.reason
            self.chronicle.failed(
                params, machine.disclosed, job=self.job, previous=previous, reason=reason
            )
            self.chronicle.lost(machine.lost)
            remaining = tuple(name for name in roster if name not in machine.lost)
            vouched = machine.disclosed is not None and bool(machine.disclosed.labels)
            if remaining == roster or vouched:
                break  # Who vouched for an assignment joins no other attempt (§7).
            roster = remaining
        raise RoundFailed(
            f"round {self.chronicle.round} failed: {reason}",
            fix="the parties keep their last good prompts; see who is named and submit again",
        )

    def _params(self, roster: tuple[str, ...], dim: int, reason: str) -> RoundParams:
        """The parameters of the present attempt; who is left may be too few, for this reason."""
        number, attempt = self.chronicle.round, self.chronicle.attempt
        key = AttemptKey(self.run, number, attempt)
        try:
            params = round_params(self.job, key, self._link.name, roster, dim)
        except ConfigError as error:
            if (number, attempt) == (1, 1):
                raise
            why = reason or "some were lost in the last round"
            raise RoundFailed(
                f"round {number} failed: {why}; the others are too few: {error}",
                fix="see who is named and why, and submit again",
            ) from error
        if (number, attempt) == (1, 1):
            self.chronicle.say("parameters", text=describe(params))
        return params

    async def _drive(self, machine: CoordinatorRound, phases: Phases) -> Closed | Failed:
        """The one loop of the coordinator: messages and time in, messages out."""
        clock = RoundClock(self._settings.time)
        state: type | None = None
        self._post(machine.open())
        while machine.result is None:
            if type(machine.state) is not state:
                state = type(machine.state)
                phases.begin(PHASES.get(state.__name__, "sum"))
                self.chronicle.say("phase", phase=state.__name__.lower(), text=machine.describe())
            if self._stopped:
                self._post(machine.fail("stopped", self._stopped))
                break
            item = await self._next(min(1.0, clock.left))
            if item is None:
                if clock.over:
                    self._post(machine.fail("deadline", f"out of time, {machine.describe()}"))
                elif not clock.left:
                    self.chronicle.say("waiting", text=f"no progress, {machine.describe()}")
                    self._post(machine.expire())
                    clock.progress()
                continue
            sender, message = item
            if isinstance(message, Progress):
                if self._moved(sender, message):
                    clock.progress()
            elif isinstance(message, Report):
                self._on_report(sender, message)
            elif isinstance(message, PeersMissing):
                self._post(machine.lose(sender, str(message)))
            elif isinstance(message, RoundMessage) and message.key == machine.params.key:
                clock.progress()
                if isinstance(machine.state, Gathering):
                    phases.begin("share")
                self._post(machine.handle(sender, message))
        result = machine.result
        if result is None:
            raise RoundFailed("the machine stopped without a result")
        return result

    async def _remind(self, machine: CoordinatorRound) -> None:
        """Every few seconds say whom the attempt waits for, and what they do."""
        while True:
            await asyncio.sleep(SPEAK_EVERY)
            doing = {name: self._doing(name) for name in machine.awaiting}
            if doing:
                self.chronicle.say("waiting", text=waiting_for(doing, doing))

    def _doing(self, party: str) -> str:
        """What a party was last heard to do."""
        if party not in self._told:
            return "not heard of"
        _, phase, done, total = self._told[party]
        return f"{phase}, {done} of {total}" if total > 1 else phase

    def _moved(self, sender: str, progress: Progress) -> bool:
        """Whether a sign of life tells of new steps, not only of life."""
        now = (progress.round, progress.phase, progress.done, progress.total)
        before = self._told.get(sender)
        self._told[sender] = now
        return progress.total > 0 and now != before

    async def _reports_of(self, parties: set[str]) -> None:
        """Wait for what the parties tell of the last round; they measure after they have finished.

        Who tells nothing for an idle timeout is not waited for.
        """
        clock = RoundClock(self._settings.time)
        while not parties <= self._reported and clock.left:
            match await self._next(min(1.0, clock.left)):
                case (sender, Report() as report):
                    self._on_report(sender, report)
                    clock.progress()
                case (sender, PeersMissing()):
                    parties = parties - {sender}

    def _on_report(self, sender: str, report: Report) -> None:
        self.chronicle.report(sender, report)
        if report.round == self.chronicle.round:
            self._reported.add(sender)

    # --- Small things.

    def _totals(self) -> Totals:
        traffic = self._link.traffic().values()
        return sum(peer.sent for peer in traffic), sum(peer.received for peer in traffic)

    def _post(self, envelopes: Iterable[Envelope]) -> None:
        self._link.post(envelopes)

    async def _next(self, seconds: float) -> Item | None:
        try:
            return await next_within(self._inbox, seconds)
        except TimeoutError:
            return None

    async def _beat(self) -> None:
        """Tell the parties, a few times per idle timeout, that the coordinator lives."""
        while True:
            await asyncio.sleep(self._settings.time.idle_timeout / 4)
            alive = Progress(self.run, self.chronicle.round, "coordinating", 0, 0)
            self._post(Envelope(name, alive) for name in self._settings.parties)
