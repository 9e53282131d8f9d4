"""A coordinator's session against parties in memory: what a failed attempt opened is on record."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from pathlib import Path

import numpy as np

from secfpp.coordinator import attempt
from secfpp.coordinator.memory import RunMemory, recall
from secfpp.coordinator.session import RunSession
from secfpp.errors import PeersMissing
from secfpp.journal.events import read_events
from secfpp.journal.tally import Tally
from secfpp.protocol.circumstances import Circumstances
from secfpp.protocol.disclosure import Policy
from secfpp.protocol.messages import Answers, Ask, Assign, Envelope, Halt, Invite, Open
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Preparing
from secfpp.settings.files import CoordinatorSettings, JobSettings, Time, Tls
from secfpp.store.sealed import SealedStore

PARTIES = tuple(f"party-{index}" for index in range(8))
GONE = ("party-2", "party-6")


class PartiesInMemory:
    """In a link's place: the machines of all parties; two vanish once a distance is opened."""

    name = "coordinator"

    def __init__(self) -> None:
        self.session: RunSession | None = None
        self.answered = 0
        self.tally = Tally()
        self._machines: dict[str, PartyRound] = {}
        self._flying: deque[tuple[str, Envelope]] = deque()

    def open(self, peer: str, address: str) -> None:
        """Everyone is here already."""

    async def drain(self, timeout: float) -> None:
        """Nothing is ever under way."""

    def totals(self) -> dict[str, tuple[int, int]]:
        """Nothing crosses a network."""
        return {}

    def sign(self, message: bytes) -> bytes:
        return b"signed"

    def verify(self, party: str, message: bytes, signature: bytes) -> bool:
        return signature == b"signed"

    def post(self, envelopes) -> None:
        self._flying.extend((self.name, envelope) for envelope in envelopes)
        while self._flying:
            sender, envelope = self._flying.popleft()
            message = envelope.message
            if envelope.to == self.name:
                if isinstance(message, Answers) and sender == PARTIES[0]:
                    self.answered += len(message.values)
                self.session.deliver(sender, message)
            elif self._shows_that_distances_are_opened(message):
                for party in GONE:
                    self.session.trouble(party, PeersMissing(f"{party} vanished"))
            elif not isinstance(message, Invite):
                self._hand(sender, envelope)

    def _shows_that_distances_are_opened(self, message: object) -> bool:
        if not isinstance(message, Ask | Assign) or message.key.attempt > 1:
            return False
        return isinstance(message, Assign) or message.batch > 0

    def _hand(self, sender: str, envelope: Envelope) -> None:
        to, message = envelope.to, envelope.message
        if isinstance(message, Open):
            circumstances = Circumstances(Policy(self.name), self, os.urandom)
            self._machines[to] = PartyRound(to, circumstances)
        if to not in self._machines or not hasattr(message, "key"):
            return
        machine = self._machines[to]
        outbox = machine.handle(sender, message)
        if isinstance(machine.state, Preparing):
            spec = machine.state.params.feature_sharing
            levels = np.full(spec.dim, PARTIES.index(to) % 2 * 1000, dtype=np.int64)
            levels[PARTIES.index(to)] += 7
            outbox = outbox + machine.deal((levels,))
        if not isinstance(message, Halt):
            self._flying.extend((to, out) for out in outbox)


def conducted(
    tmp_path: Path,
    witnesses: tuple[str, ...] = (),
    link: PartiesInMemory | None = None,
    limits: Time | None = None,
) -> PartiesInMemory:
    """A round of the run; its second attempt, if the store knows the `witnesses` of the first."""

    link = link or PartiesInMemory()

    async def run() -> PartiesInMemory:
        settings = CoordinatorSettings(
            state_dir=tmp_path,
            tls=Tls(directory=tmp_path),
            parties={name: f"127.0.0.1:{place}" for place, name in enumerate(PARTIES, 1)},
            time=limits or Time(),
        )
        job = JobSettings(rounds=1, protocol={"colluders": 1, "stragglers": 1})
        store = SealedStore(tmp_path)
        known = RunMemory("run-1", job.model_dump_json(), colluders=1)
        if witnesses:
            known.round, known.attempt, known.witnesses = 1, 1, witnesses
        known.keep(store)
        memory = recall(store, "run-1")
        session = link.session = RunSession(memory, store, link, settings=settings, diagnose=None)
        session.chronicle.listeners.append(link.tally.hear)
        session._participants.begin({"dim": "64"})
        for party in PARTIES:
            assert not session._participants.accepted(party, {"dim": "64"})
        try:
            await session._round()
        finally:
            session.chronicle.close()
        return link

    return asyncio.run(run())


def test_after_a_restart_a_rounds_next_attempt_has_its_witnesses(tmp_path: Path):
    conducted(tmp_path, PARTIES[::-1])
    ledger = json.loads((tmp_path / "run-1" / "ledger.json").read_text())
    (closed,) = ledger["rounds"]
    assert (closed["attempt"], closed["parameters"]["witnesses"]) == (2, list(PARTIES[::-1]))


def test_distances_opened_before_an_attempt_failed_are_on_the_ledger(tmp_path: Path):
    link = conducted(tmp_path)
    ledger = json.loads((tmp_path / "run-1" / "ledger.json").read_text())
    (failed,), (closed,) = ledger["unfinished"], ledger["rounds"]
    assert (failed["attempt"], closed["attempt"]) == (1, 2)
    witnesses = [entry["parameters"]["witnesses"] for entry in (failed, closed)]
    assert witnesses == [[*PARTIES[1:], PARTIES[0]]] * 2
    opened = [len(entry["opened_to_coordinator"]["distances"]) for entry in (failed, closed)]
    assert min(opened) > 0
    assert sum(opened) == link.answered == link.tally.distances
    assert link.tally.attempts == {"completed": 1, "failed": 1}
    assert link.tally.lost == dict.fromkeys(GONE, 1)
    assert "2 of 8 parties are lost" in failed["failed"]


def test_while_an_attempt_lasts_the_coordinator_says_for_whom_it_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(attempt, "SPEAK_EVERY", 0.0)  # After each message, here.
    conducted(tmp_path)
    waits = [event for event in read_events(tmp_path / "run-1") if event.event == "waiting"]
    assert {event.attempt for event in waits} == {1, 2}
    assert f"waiting for {', '.join(PARTIES[1:])} (not heard of)" in {event.text for event in waits}
