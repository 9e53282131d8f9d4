"""One run at the coordinator: invite, then round after round until the job is done.

The session owns what lasts longer than an attempt: who takes part, the last assignment, the ledger
and the run directory. It holds no share, no mask and no prompt; it never receives any.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.queries import Assignment
from secfpp.coordinator.records import describe, ledger_entry, reported_accuracy
from secfpp.errors import ConfigError, PeersMissing, RoundFailed, SecFPPError
from secfpp.journal.events import Event, EventLog
from secfpp.journal.files import write_json
from secfpp.protocol.coordinator import Closed, CoordinatorRound
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
from secfpp.settings.clock import RoundClock
from secfpp.settings.files import CoordinatorSettings, JobSettings
from secfpp.settings.rounds import round_params, with_colluders
from secfpp.transport.link import Link

MOST_ATTEMPTS = 3
SPEAK_EVERY = 5.0  # Seconds between two words about who is missing.

Announce = Callable[[Event], None]


class RunSession:
    """One run of `job` under the name `run`; `announce` hears every event."""

    def __init__(
        self, run: str, job: JobSettings, link: Link, settings: CoordinatorSettings
    ) -> None:
        self.run = run
        self.job = job
        self.listeners: list[Announce] = []
        self.events: list[Event] = []
        self.directory: Path = settings.state_dir / run
        self._link = link
        self._settings = settings
        self._log = EventLog(self.directory, run)
        self._inbox: asyncio.Queue[tuple[str, Message | PeersMissing]] = asyncio.Queue()
        self._stopped = ""
        self._ledger: list[dict[str, object]] = []
        self._unfinished: list[dict[str, object]] = []
        self._reported: set[str] = set()
        self._told_by_choice: list[dict[str, object]] = []
        self._round = 0
        self._attempt = 0
        self._told: dict[str, tuple[int, str, int]] = {}

    def deliver(self, sender: str, message: Message) -> None:
        """Take a message of this run; it is handled in turn."""
        self._inbox.put_nowait((sender, message))

    def stop(self, why: str) -> None:
        """End the run at the next turn; the last good prompts stay with the parties."""
        self._stopped = why

    def trouble(self, peer: str, error: SecFPPError) -> None:
        """A message to or from `peer` went wrong: say so; one that cannot be reached is lost."""
        self._say("trouble", peer=peer, text=str(error))
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
            self._say("ended", text=reason if completed else f"the run ended early: {reason}")
            parties = self._settings.parties
            self._post(Envelope(name, Ended(self.run, completed, reason)) for name in parties)
            await self._link.drain(self._settings.time.idle_timeout)
            self._log.close()

    # --- Before the first round.

    async def _invited(self) -> tuple[tuple[str, ...], int]:
        """Invite everyone; the roster of those who accept, and the prompts' dimension."""
        peers = tuple(Peer(name, address) for name, address in self._settings.parties.items())
        for peer in peers:
            self._link.open(peer.name, peer.address)
        job = self.job.model_dump_json()
        self._post(Envelope(peer.name, Invite(self.run, job, peers)) for peer in peers)
        accepted, refused = await self._answers()
        missing = [name for name in self._settings.parties if name not in {*accepted, *refused}]
        gone = [f"{name} did not answer" for name in missing]
        gone += [f"{name} refused: {why}" for name, why in refused.items()]
        roster = tuple(name for name in self._settings.parties if name in accepted)
        allowed = self.job.protocol.stragglers if self.job.protocol.stragglers is not None else 1
        if len(gone) > allowed:
            raise PeersMissing(
                f"{len(gone)} of {len(peers)} parties do not take part, at most {allowed} may be "
                f"missing: {'; '.join(gone)}",
                fix="start them, or see their own logs",
            )
        self._compare({name: accepted[name] for name in roster})
        geometry = accepted[roster[0]]
        return roster, int(geometry["dim"])

    async def _answers(self) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
        accepted: dict[str, dict[str, str]] = {}
        refused: dict[str, str] = {}
        clock = RoundClock(
            self._settings.time.model_copy(
                update={"round_deadline": self._settings.time.connect_wait}
            )
        )
        spoken = time.monotonic()
        while len(accepted) + len(refused) < len(self._settings.parties) and not clock.over:
            self._check_stopped()
            if time.monotonic() - spoken > SPEAK_EVERY:
                spoken = time.monotonic()
                self._say("waiting", text=self._waiting_for({*accepted, *refused}))
            item = await self._next(min(1.0, clock.left))
            match item:
                case (sender, Accept(geometry=geometry)):
                    accepted[sender] = dict(geometry)
                    self._say("accepted", peer=sender)
                case (sender, Refuse(key=key, reason=reason)):
                    refused[sender] = f"{key}: {reason}"
                    self._say("refused", peer=sender, text=f"{sender} refused: {key}: {reason}")
                case (sender, Progress() as progress):
                    self._moved(sender, progress)
        return accepted, refused

    def _waiting_for(self, answered: set[str]) -> str:
        """Whom the run waits for before it starts, and what each was last heard to do."""
        silent = [name for name in self._settings.parties if name not in answered]
        doing = [
            f"{name} ({self._told[name][1] if name in self._told else 'not heard of'})"
            for name in silent
        ]
        return f"waiting for {', '.join(doing)}"

    def _compare(self, geometries: dict[str, dict[str, str]]) -> None:
        """Everyone must have the same weights, tokenizer and prompt shape: name who differs."""
        fields = dict.fromkeys(field for geometry in geometries.values() for field in geometry)
        for field in fields:
            values = Counter(geometry.get(field, "(none)") for geometry in geometries.values())
            if len(values) == 1:
                continue
            usual = values.most_common(1)[0][0]
            odd = [
                f"{name} has {geometry.get(field, '(none)')}"
                for name, geometry in geometries.items()
                if geometry.get(field, "(none)") != usual
            ]
            raise ConfigError(
                f"the parties' {field} differ: most have {usual}, {'; '.join(odd)}",
                fix=f"give all parties the same {field}",
            )

    # --- The rounds.

    async def _rounds(self, roster: tuple[str, ...], dim: int) -> None:
        previous: Assignment | None = None
        self.job = with_colluders(self.job, len(roster))
        for number in range(1, self.job.rounds + 1):
            self._round = number
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
            self._attempt = attempt
            key = AttemptKey(self.run, self._round, attempt)
            params = round_params(self.job, key, self._link.name, roster, dim)
            if self._round == 1 and attempt == 1:
                self._say("parameters", text=describe(params))
            machine = self._machine(params, previous)
            self._say("opened", text=f"opened to {len(roster)} parties")
            result = await self._drive(machine)
            for violation in machine.violations:
                self._say("violation", peer=violation.peer, text=str(violation))
            if isinstance(result, Closed):
                self._record(params, result, previous)
                return result
            if machine.disclosed is not None:
                self._record_unfinished(
                    ledger_entry(params, machine.disclosed, self.job, previous), result.reason
                )
            reason = result.reason
            self._say("failed", text=f"failed: {reason}")
            remaining = tuple(name for name in roster if name not in machine.lost)
            if remaining == roster:
                break
            roster = remaining
        raise RoundFailed(
            f"round {self._round} failed: {reason}",
            fix="the parties keep their last good prompts; see who is named and submit again",
        )

    def _machine(self, params: RoundParams, previous: Assignment | None) -> CoordinatorRound:
        method = ClusteringMethod(self.job.clustering.method)
        return CoordinatorRound(params, method.clusterer, previous, self._link)

    async def _drive(self, machine: CoordinatorRound) -> Closed | Failed:
        """The one loop of the coordinator: messages and time in, messages out."""
        clock = RoundClock(self._settings.time)
        state: type | None = None
        self._post(machine.open())
        while machine.result is None:
            if type(machine.state) is not state:
                state = type(machine.state)
                self._say("phase", phase=state.__name__.lower(), text=machine.describe())
            if self._stopped:
                self._post(machine.fail("stopped", self._stopped))
                break
            item = await self._next(min(1.0, clock.left))
            if item is None:
                if clock.over:
                    self._post(machine.fail("deadline", f"out of time, {machine.describe()}"))
                elif not clock.left:
                    self._say("waiting", text=f"no progress, {machine.describe()}")
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
                self._post(machine.handle(sender, message))
        result = machine.result
        if result is None:
            raise RoundFailed("the machine stopped without a result")
        return result

    def _moved(self, sender: str, progress: Progress) -> bool:
        """Whether a sign of life tells of new steps, not only of life."""
        now = (progress.round, progress.phase, progress.done)
        before = self._told.get(sender)
        self._told[sender] = now
        return progress.total > 0 and now != before

    # --- Writing down.

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
        """Pass a report on; an accuracy that a party chose to tell goes on the ledger (§1)."""
        self._say("report", peer=sender, text=f"{sender} reports {report.text}")
        if report.round == self._round:
            self._reported.add(sender)
        accuracy = reported_accuracy(report.text)
        if accuracy is not None:
            told = {"round": report.round, "party": sender, "accuracy": accuracy}
            self._told_by_choice.append(told)
            self._write_ledger()

    def _write_ledger(self) -> None:
        ledger = {
            "run": self.run,
            "rounds": self._ledger,
            "unfinished": self._unfinished,
            "told_by_choice": self._told_by_choice,
        }
        write_json(self.directory / "ledger.json", ledger)

    def _record_unfinished(self, entry: dict[str, object], reason: str) -> None:
        """What an attempt opened before it failed stays opened, so it is on the ledger too."""
        self._unfinished.append({**entry, "failed": reason})
        self._write_ledger()

    def _record(self, params: RoundParams, closed: Closed, previous: Assignment | None) -> None:
        self._ledger.append(ledger_entry(params, closed.disclosed, self.job, previous))
        self._write_ledger()
        clusters = len({label for _, label in closed.disclosed.labels})
        self._say(
            "closed",
            text=f"{clusters} clusters from {len(closed.disclosed.distances)} distances; "
            f"{len(closed.disclosed.means)} means went to their members",
        )
        for party, why in closed.lost.items():
            self._say("lost", peer=party, text=f"lost {party}: {why}")

    def _say(self, event: str, **fields: object) -> None:
        entry = self._log.record(event, round=self._round, attempt=self._attempt, **fields)
        self.events.append(entry)
        for listener in tuple(self.listeners):
            listener(entry)

    def _post(self, envelopes: Iterable[Envelope]) -> None:
        self._link.post(envelopes)

    async def _next(self, seconds: float) -> tuple[str, Message | PeersMissing] | None:
        try:
            return await asyncio.wait_for(self._inbox.get(), max(seconds, 0.01))
        except TimeoutError:
            return None

    def _check_stopped(self) -> None:
        if self._stopped:
            raise RoundFailed(f"stopped: {self._stopped}")

    async def _beat(self) -> None:
        """Tell the parties, a few times per idle timeout, that the coordinator lives."""
        while True:
            await asyncio.sleep(self._settings.time.idle_timeout / 4)
            alive = Progress(self.run, self._round, "coordinating", 0, 0)
            self._post(Envelope(name, alive) for name in self._settings.parties)
