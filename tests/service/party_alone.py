"""A party's session without a network: what it posts is kept, what it hears is told by a script."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from secfpp.party.learner import Trained
from secfpp.party.memory import RunMemory, recall
from secfpp.party.session import PartySession
from secfpp.protocol.messages import (
    Deal,
    Ended,
    Open,
    Peer,
)
from secfpp.protocol.params import AttemptKey
from secfpp.settings.files import JobSettings, PartySettings, Tls
from secfpp.settings.rounds import round_params
from secfpp.store.sealed import SealedStore

ROSTER = tuple(f"party-{index}" for index in range(5))
PEERS = tuple(Peer(name, "127.0.0.1:1") for name in ROSTER)
DIM = 64


class Outgoing:
    """In a link's place: keeps what is posted."""

    name = "party-0"

    def __init__(self) -> None:
        self.sent: list[tuple[str, object]] = []

    def post(self, envelopes) -> None:
        self.sent += [(envelope.to, envelope.message) for envelope in envelopes]

    async def drain(self, timeout: float) -> None:
        """Nothing is under way."""

    def totals(self) -> dict[str, tuple[int, int]]:
        return {}

    def sign(self, message: bytes) -> bytes:
        return b"signed"

    def verify(self, party: str, message: bytes, signature: bytes) -> bool:
        return True

    def deals(self, key: AttemptKey) -> int:
        return sum(isinstance(m, Deal) and m.key == key for _, m in self.sent)


class Ready:
    """A learner that has always trained."""

    async def prepare(self, told) -> dict[str, str]:
        return {"dim": str(DIM)}

    def restore(self, class_prompt) -> None:
        """There is none."""

    async def train(self, round_number, start, told) -> Trained:
        return Trained(np.full((1, DIM), 0.25, dtype=np.float32), None)

    async def evaluate(self, domain_prompt) -> dict[str, float]:
        return {}

    def metadata(self) -> dict[str, str]:
        return {}

    async def stop(self) -> None:
        """Nothing is held."""


def opening(
    attempt: int, witnesses: tuple[str, ...] = (), roster: tuple[str, ...] = ROSTER
) -> Open:
    key = AttemptKey("run", 1, attempt)
    return Open(round_params(JobSettings(), key, "boss", roster, DIM, witnesses=witnesses))


def session_in(tmp_path: Path, job: JobSettings | None = None) -> tuple[PartySession, Outgoing]:
    link = Outgoing()
    settings = PartySettings(coordinator="boss", state_dir=tmp_path, tls=Tls(directory=tmp_path))
    link.open = lambda name, address: None
    job = job or JobSettings(rounds=3)
    store = SealedStore(tmp_path)
    known = recall(store, "run")
    memory = known or RunMemory("run", "{}", PEERS)
    session = PartySession(
        memory,
        store,
        link,
        settings=settings,
        learner=Ready(),
        job=job,
        is_again=known is not None,
    )
    return session, link


async def until(holds) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def conducted(session: PartySession, script) -> None:
    conducting = asyncio.create_task(session.conduct())
    await script()
    session.deliver("boss", Ended("run", True, "done"))
    await asyncio.wait_for(conducting, 60)
