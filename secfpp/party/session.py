"""One run at a party: consent, then train, deal, answer and receive, round after round.

The session owns what lasts longer than an attempt: the learner, the current prompt, the run
directory, and the memory of what was opened, dealt and released, which is written down before
anything is said because of it. Shares and masks live in the round's machine and end with it.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from secfpp.errors import RoundFailed, SecFPPError
from secfpp.journal.events import EventLog
from secfpp.journal.phases import Cost, spent
from secfpp.party.acceptance import check_first_opening, check_is_new, is_agreed, is_past, prepared
from secfpp.party.attempt import Attempt
from secfpp.party.desk import Desk, Leave
from secfpp.party.learner import Learner
from secfpp.party.memory import RunMemory, others
from secfpp.party.own_vectors import OwnVectors
from secfpp.party.records import PartyRecords
from secfpp.protocol.messages import (
    STARTED_AGAIN,
    Accept,
    Ended,
    Halt,
    Invite,
    Message,
    Open,
    Refuse,
    Report,
    RoundMessage,
)
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party_states import Failed, Finished
from secfpp.settings.clock import FAREWELL_SECONDS
from secfpp.settings.files import JobSettings, PartySettings
from secfpp.store.sealed import SealedStore
from secfpp.transport.link import Link

Command = Ended | Leave | Open
"""What a session obeys between attempts."""


class PartySession:
    """One run of which this party was told by an invitation, now or (`is_again`) before a crash."""

    def __init__(
        self,
        memory: RunMemory,
        store: SealedStore,
        link: Link,
        *,
        settings: PartySettings,
        learner: Learner,
        job: JobSettings,
        is_again: bool = False,
    ) -> None:
        self.run = memory.run
        self.directory: Path = settings.state_dir / memory.run
        log = EventLog(self.directory, memory.run)
        self._desk = Desk(link, settings, memory, store, log)
        self._learner = learner
        self._job = job
        self.listeners = log.listeners
        self._ending = asyncio.Event()
        self._is_again = is_again
        self._acceptance: Accept | None = None
        self._records = PartyRecords(self.directory, link.name, memory.run, learner)
        self._vectors = OwnVectors(learner, self._records, memory, store, self._desk.say)

    @property
    def ended(self) -> Ended | None:
        """How the coordinator has ended the run, if it has."""
        return self._desk.ended

    @property
    def is_ending(self) -> bool:
        """Whether this takes no more part: the coordinator has ended the run, or a failure has."""
        return self._ending.is_set()

    def deliver(self, sender: str, message: Message) -> None:
        """Take a message of this run; it is handled in turn.

        Only the coordinator opens attempts and ends the run.
        """
        if isinstance(message, Open | Ended) and sender != self._desk.settings.coordinator:
            text = f"{sender} sent {type(message).__name__} as if it coordinated"
            self._desk.say("violation", peer=sender, text=text)
            return
        if isinstance(message, Ended):
            self._ending.set()
        self._desk.put(sender, message)

    def leave(self) -> None:
        """End `conduct` as soon as no attempt needs this party; the coordinator is told."""
        self._desk.put(self._desk.me, Leave())

    def trouble(self, peer: str, error: SecFPPError) -> None:
        """A message to or from `peer` went wrong: write it down."""
        self._desk.say("trouble", peer=peer, text=str(error))

    def invited_again(self, invite: Invite) -> None:
        """The coordinator has started again, or the roster has changed: answer as before."""
        self._desk.memory.peers = invite.peers
        self._open_links()
        if self._acceptance is not None:
            self._desk.tell_coordinator(self._acceptance)

    async def conduct(self) -> None:
        """The whole run, until the coordinator ends it or falls silent, or the daemon leaves.

        Where something here ends it early, the coordinator is told, so that nobody waits.
        """
        desk = self._desk
        beats = asyncio.create_task(self._beat())
        try:
            desk.keep()
            await self._accept()
            while desk.ended is None and not desk.leaving:
                await self._command(await self._next_command())
            if desk.ended is None:
                desk.tell_coordinator(Refuse(self.run, "leaving", "it was told to end"))
            else:
                desk.memory.over = True
                desk.keep()
                desk.say("ended", text=f"the run ended: {desk.ended.reason}")
        except SecFPPError as error:
            desk.tell_coordinator(Refuse(self.run, error.code, error.outward))
            raise
        except Exception:
            self._give_up_for_good()
            raise
        finally:
            self._ending.set()
            beats.cancel()
            # First the last words: a coordinator that ends after one run does not stay for long.
            await desk.link.drain(FAREWELL_SECONDS)
            await self._learner.stop()
            desk.log.close()

    def _give_up_for_good(self) -> None:
        """A defect has ended the run here: the next start is not to meet it again by itself."""
        desk = self._desk
        desk.memory.over = True
        desk.keep()
        desk.tell_coordinator(Refuse(self.run, SecFPPError.code, SecFPPError.outward))

    async def _command(self, command: Command) -> None:
        """What comes between attempts."""
        desk = self._desk
        match command:
            case Ended():
                desk.ended = command
            case Leave():
                desk.leaving = True
            case Open(params=params):
                if self._may_open(params):
                    await self._attempt(params)

    def _may_open(self, params: RoundParams) -> bool:
        """Whether an attempt is new and within what was agreed to; from now on it is not new.

        That is written down with what is dealt in it, before it is dealt.
        """
        desk, key = self._desk, params.key
        if is_past(desk.memory, key):
            return False
        if not is_agreed(self._job, params):
            text = f"refused round {key.round}, attempt {key.attempt}: not as the job says"
            desk.say("violation", text=text)
            desk.tell_coordinator(
                Halt(key, "job", "this is not the attempt that the job describes")
            )
            return False
        desk.memory.opens(params)
        return True

    # --- Consent.

    async def _accept(self) -> None:
        """Prepare, and tell the coordinator yes or no."""
        desk = self._desk
        self._open_links()
        if self._is_again:
            desk.doing = (STARTED_AGAIN, 0, 0)
            desk.tell_progress()
        try:
            check_is_new(desk.memory, self._job, others(desk.store, desk.memory))
            geometry = await prepared(self._learner, self._preparing, self._ending)
            if geometry is None:
                return
            check_first_opening(
                desk.me,
                desk.memory,
                job=self._job,
                settings=desk.settings,
                dim=int(geometry["dim"]),
            )
        except SecFPPError as error:
            desk.say("refused", text=f"refused the run: {error}")
            raise
        desk.doing = ("waiting for a round", 0, 0)
        self._acceptance = Accept(self.run, tuple(sorted(geometry.items())))
        desk.tell_coordinator(self._acceptance)
        desk.say("accepted", text="accepted the run, waiting for the first round")

    def _open_links(self) -> None:
        for peer in self._desk.memory.peers:
            if peer.name != self._desk.me:
                address = self._desk.settings.peers.get(peer.name, peer.address)
                self._desk.link.open(peer.name, address)

    def _preparing(self, done: int, total: int) -> None:
        self._desk.doing = ("preparing", done, total)

    # --- The rounds.

    async def _attempt(self, params: RoundParams) -> None:
        self._desk.round = params.key.round
        attempt = Attempt(self._desk, self._vectors, params)
        match await attempt.drive():
            case Finished() as finished:
                await self._finish(finished, attempt.phases.summary())
            case Failed(code=code, reason=reason):
                self._desk.say("failed", text=f"failed: {code}: {reason}")

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
        if self._desk.settings.policy.share_accuracy:
            told["accuracy"] = accuracy.get("accuracy")
        self._desk.tell_coordinator(Report(self.run, number, json.dumps(told)))
        got = "got their mean" if finished.mean is not None else "kept its own prompt"
        for fields in spent(costs):
            self._desk.say("cost", **fields)
        self._desk.say("finished", text=f"is in a cluster of {len(finished.cluster)} and {got}")

    async def _next_command(self) -> Command:
        """Between rounds: the next command, or the end if the coordinator has fallen silent.

        What others say does not make up for its silence; what is ahead of its round is kept.
        """
        desk, coordinator = self._desk, self._desk.settings.coordinator
        patience = desk.settings.time.idle_timeout
        silent_at = time.monotonic() + patience
        while (left := silent_at - time.monotonic()) > 0:
            item = await desk.next(left)
            if item is None:
                continue
            sender, message = item
            if isinstance(message, Command):
                return message
            if isinstance(message, RoundMessage):
                desk.keep_early(sender, message)
            if sender == coordinator:
                silent_at = time.monotonic() + patience
        raise RoundFailed(
            f"{coordinator} has been silent for {patience:g} s",
            fix="see the coordinator's log; if it goes on, give time.idle_timeout here as many "
            "seconds as there, for it speaks but four times in its own",
            outward="it has not heard of the coordinator for as long as its idle_timeout",
        )

    async def _beat(self) -> None:
        """Tell the coordinator, a few times per idle timeout, that this party lives and works."""
        desk = self._desk
        while True:
            await asyncio.sleep(desk.settings.time.idle_timeout / 8)
            desk.tell_progress()
