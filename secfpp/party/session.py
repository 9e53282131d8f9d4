"""One run at a party: consent, then train, deal, answer and receive, round after round.

The session owns what lasts longer than an attempt: the learner, the current prompt, what was dealt
and released, and the run directory. Shares and masks live in the round's machine and end with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from secfpp.errors import ConfigError, RoundFailed, SecFPPError
from secfpp.journal.events import EventLog
from secfpp.journal.phases import Cost, Phases, Totals
from secfpp.party.learner import Learner
from secfpp.party.own_vectors import OwnVectors
from secfpp.party.records import PartyRecords
from secfpp.protocol.circumstances import Circumstances, Release
from secfpp.protocol.dealing import Abstention, Vectors
from secfpp.protocol.messages import (
    Accept,
    Assign,
    Ended,
    Envelope,
    Invite,
    Message,
    Open,
    Progress,
    Refuse,
    Report,
    RoundMessage,
)
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Failed, Finished, Preparing
from secfpp.settings.clock import FAREWELL_SECONDS, RoundClock, next_within
from secfpp.settings.consent import policy_of
from secfpp.settings.files import JobSettings, PartySettings
from secfpp.settings.rounds import MOST_ATTEMPTS, round_params
from secfpp.transport.link import Link

MOST_EARLY = 4096


@dataclass(frozen=True)
class Dealt:
    """Inbox item from the party itself: its vectors for one attempt, or why there are none.

    Another attempt may have other fraction bits, so that the same levels would mean other values.
    """

    key: AttemptKey
    vectors: Vectors | Abstention


Item = tuple[str, Message | Dealt]

PHASES = {"Preparing": "train", "Sharing": "share", "Checking": "check", "Answering": "cluster"}
"""The phase that each state belongs to; whatever comes after them is `sum`."""


class PartySession:
    """One run of which this party was told by an invitation."""

    def __init__(
        self,
        invite: Invite,
        link: Link,
        settings: PartySettings,
        *,
        learner: Learner,
        job: JobSettings,
    ) -> None:
        self.run = invite.run
        self.ended: Ended | None = None
        self.directory: Path = settings.state_dir / invite.run
        self._peers = invite.peers
        self._link = link
        self._settings = settings
        self._learner = learner
        self._job = job
        self._log = EventLog(self.directory, invite.run)
        self._inbox: asyncio.Queue[Item] = asyncio.Queue()
        self._told_to_end = asyncio.Event()
        self._early: dict[AttemptKey, list[tuple[str, RoundMessage]]] = {}
        self._doing = ("preparing", 0, 0)
        self._round = 0
        self._latest: AttemptKey | None = None
        self._followed = ""
        self._colluders = settings.policy.minimum_colluders
        self._released: dict[int, Release] = {}
        self._records = PartyRecords(self.directory, link.name, invite.run, learner)
        self._vectors = OwnVectors(learner, self._records, self._say)

    def deliver(self, sender: str, message: Message) -> None:
        """Take a message of this run; it is handled in turn.

        Only the coordinator opens attempts and ends the run.
        """
        if isinstance(message, Open | Ended) and sender != self._settings.coordinator:
            kind = type(message).__name__
            self._say("violation", peer=sender, text=f"{sender} sent {kind} as if it coordinated")
            return
        if isinstance(message, Ended):
            self._told_to_end.set()
        self._inbox.put_nowait((sender, message))

    def trouble(self, peer: str, error: SecFPPError) -> None:
        """A message to or from `peer` went wrong: write it down."""
        self._say("trouble", peer=peer, text=str(error))

    async def conduct(self) -> None:
        """The whole run, until the coordinator ends it or falls silent."""
        beats = asyncio.create_task(self._beat())
        try:
            await self._accept()
            while self.ended is None:
                sender, message = await self._next_command()
                if isinstance(message, Ended):
                    self.ended = message
                elif isinstance(message, Open):
                    if self._may_open(message.params):
                        await self._attempt(message.params)
                elif isinstance(message, RoundMessage):
                    self._keep_early(sender, message)
            self._say("ended", text=f"the run ended: {self.ended.reason}")
        finally:
            beats.cancel()
            # First the last words: a coordinator that ends after one run does not stay for long.
            await self._link.drain(FAREWELL_SECONDS)
            await self._learner.stop()
            self._log.close()

    def _may_open(self, params: RoundParams) -> bool:
        """Whether an attempt is within what was agreed to; never twice under one key (§8).

        Rounds are those of the job, attempts few: each attempt may open a budget of distances.
        """
        key = params.key
        if self._latest is not None and key <= self._latest:
            return False
        agreed = params.rounds == self._job.rounds and 1 <= key.round <= self._job.rounds
        if agreed and 1 <= key.attempt <= MOST_ATTEMPTS:
            return True
        self._say("violation", text=f"refused round {key.round}, attempt {key.attempt}: not agreed")
        return False

    # --- Consent.

    async def _accept(self) -> None:
        """Prepare, and tell the coordinator yes or no."""
        for peer in self._peers:
            if peer.name != self._link.name:
                self._link.open(peer.name, peer.address)
        try:
            geometry = await self._prepared()
            if geometry is None:
                return
            self._consent(int(geometry["dim"]))
        except SecFPPError as error:
            self._say("refused", text=f"refused the run: {error}")
            self._to_coordinator(Refuse(self.run, error.code, str(error)))
            raise
        self._doing = ("waiting for a round", 0, 0)
        self._to_coordinator(Accept(self.run, tuple(sorted(geometry.items()))))
        self._say("accepted", text="accepted the run, waiting for the first round")

    async def _prepared(self) -> dict[str, str] | None:
        """What all must have alike; None where the run ends before: models take long to load."""
        preparing = asyncio.create_task(self._learner.prepare(self._preparing))
        ending = asyncio.create_task(self._told_to_end.wait())
        try:
            await asyncio.wait({preparing, ending}, return_when=asyncio.FIRST_COMPLETED)
            return preparing.result() if preparing.done() else None
        finally:
            ending.cancel()
            preparing.cancel()
            await asyncio.wait({preparing, ending})

    def _consent(self, dim: int) -> None:
        """Refuse at once what the first attempt would ask among all; each attempt is checked too.

        Thresholds that do not fit are left to the coordinator, which says so once for all.
        """
        roster = tuple(peer.name for peer in self._peers)
        key = AttemptKey(self.run, 1, 1)
        with contextlib.suppress(ConfigError):
            params = round_params(self._job, key, self._settings.coordinator, roster, dim)
            policy_of(self._settings).check_opening(self._link.name, params)

    # --- One attempt.

    async def _attempt(self, params: RoundParams) -> None:
        """The one loop of a party: messages, its own vectors and time in, messages out."""
        number = params.key.round
        self._round, self._latest = number, params.key
        released = self._released.get(number)
        circumstances = Circumstances(
            policy_of(self._settings, self._colluders), self._link, os.urandom, released
        )
        machine = PartyRound(self._link.name, circumstances)
        phases = Phases(self._totals, "train")
        clock = RoundClock(self._settings.time)
        self._link.post(machine.handle(self._settings.coordinator, Open(params)))
        for sender, message in self._early.pop(params.key, []):
            self._link.post(machine.handle(sender, message))
        self._early = {key: kept for key, kept in self._early.items() if key > params.key}
        if isinstance(machine.state, Preparing):
            self._colluders = params.colluders  # What was agreed to once is not taken back (§8).
        training = asyncio.create_task(self._prepare_vectors(machine, params))
        try:
            while machine.result is None:
                self._follow(machine, phases)
                try:
                    item = await next_within(self._inbox, clock.left)
                except TimeoutError:
                    self._say("silence", text=f"gave up {machine.waiting_for()}")
                    self._link.post(machine.expire())
                    continue
                clock.progress()
                if isinstance(item[1], Dealt):
                    phases.begin("share")
                elif isinstance(item[1], Assign):
                    phases.begin("sum")  # All distances that will be are open.
                self._handle(machine, params.key, item)
        finally:
            training.cancel()
        self._follow(machine, phases)
        if machine.released is not None:
            self._released[number] = machine.released
        for violation in machine.violations:
            self._say("violation", peer=violation.peer, text=str(violation))
        match machine.result:
            case Finished() as finished:
                await self._finish(finished, phases.summary())
            case Failed(code=code, reason=reason):
                self._say("failed", text=f"failed: {code}: {reason}")

    def _handle(self, machine: PartyRound, key: AttemptKey, item: Item) -> None:
        """One item of the inbox; what is left over from an attempt that is over is dropped."""
        sender, message = item
        if isinstance(message, Dealt):
            if isinstance(machine.state, Preparing) and message.key == key:
                self._link.post(machine.deal(message.vectors))
        elif isinstance(message, Ended):
            self.ended = message
            machine.expire()  # The coordinator knows: nobody needs to be told.
        elif isinstance(message, RoundMessage) and message.key == key:
            self._link.post(machine.handle(sender, message))
        elif isinstance(message, RoundMessage) and message.key > key:
            self._keep_early(sender, message)
            if isinstance(message, Open):
                self._inbox.put_nowait(item)
                machine.expire()  # The coordinator has given this attempt up.

    def _keep_early(self, sender: str, message: RoundMessage) -> None:
        """Keep what peers sent for an attempt that is not open here yet; what is over is over."""
        past = self._latest is not None and message.key <= self._latest
        full = sum(map(len, self._early.values())) >= MOST_EARLY
        if past or full or isinstance(message, Open):
            return
        self._early.setdefault(message.key, []).append((sender, message))

    async def _prepare_vectors(self, machine: PartyRound, params: RoundParams) -> None:
        """Train and quantise, and hand the vectors to the loop."""
        if isinstance(machine.state, Preparing):
            vectors = await self._vectors.prepare(params, self._told)
            self._doing = ("exchanging shares", 0, 0)
            self._inbox.put_nowait((self._link.name, Dealt(params.key, vectors)))

    def _preparing(self, done: int, total: int) -> None:
        self._doing = ("preparing", done, total)

    def _told(self, done: int, total: int) -> None:
        self._doing = ("training", done, total)

    # --- After an attempt.

    async def _finish(self, finished: Finished, costs: dict[str, Cost]) -> None:
        """Keep the cluster's prompt (or the own one), measure, and write the round down."""
        number = finished.params.key.round
        accuracy = await self._vectors.adopt(number, finished.mean)
        facts = {**self._vectors.facts, **accuracy}
        self._records.round(finished, costs, facts)
        total = costs["total"]
        told: dict[str, object] = {
            "seconds": {phase: round(cost.seconds, 4) for phase, cost in costs.items()},
            "bytes": {"sent": total.sent, "received": total.received},
        }
        if self._settings.policy.share_accuracy:
            told["accuracy"] = accuracy.get("accuracy")
        self._to_coordinator(Report(self.run, number, json.dumps(told)))
        got = "got their mean" if finished.mean is not None else "kept its own prompt"
        self._say("finished", text=f"is in a cluster of {len(finished.cluster)} and {got}")

    # --- Small things.

    def _follow(self, machine: PartyRound, phases: Phases) -> None:
        """Keep the stopwatch and the log in step with the machine."""
        name = type(machine.state).__name__
        if name != self._followed:
            self._followed = name
            phases.begin(PHASES.get(name, "sum"))
            self._say("phase", phase=name.lower(), text=machine.waiting_for())

    def _totals(self) -> Totals:
        traffic = self._link.traffic().values()
        return sum(peer.sent for peer in traffic), sum(peer.received for peer in traffic)

    def _to_coordinator(self, message: Message) -> None:
        self._post([Envelope(self._settings.coordinator, message)])

    def _post(self, envelopes: Iterable[Envelope]) -> None:
        self._link.post(envelopes)

    def _say(self, event: str, **fields: object) -> None:
        self._log.record(event, round=self._round, **fields)

    async def _next_command(self) -> Item:
        """Between rounds: the next message, or the end if the coordinator has fallen silent."""
        patience = self._settings.time.idle_timeout
        try:
            return await next_within(self._inbox, patience)
        except TimeoutError:
            raise RoundFailed(
                f"the coordinator {self._settings.coordinator} has been silent for {patience:g} s",
                fix="see the coordinator's log; the last good prompts are kept",
            ) from None

    async def _beat(self) -> None:
        """Tell the coordinator, a few times per idle timeout, that this party lives and works."""
        while True:
            await asyncio.sleep(self._settings.time.idle_timeout / 8)
            phase, done, total = self._doing
            self._to_coordinator(Progress(self.run, self._round, phase, done, total))
