"""A party's session obeys the coordinator alone, and deals under no key twice (§8)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from secfpp.errors import PolicyRefusal
from secfpp.party.attempt import Attempt
from secfpp.party.desk import Dealt
from secfpp.party.learner import Trained
from secfpp.party.memory import RunMemory, recall
from secfpp.party.session import PartySession
from secfpp.protocol.circumstances import Release
from secfpp.protocol.messages import (
    STARTED_AGAIN,
    Accept,
    Deal,
    Ended,
    Halt,
    Open,
    Peer,
    Progress,
    Refuse,
)
from secfpp.protocol.params import AttemptKey
from secfpp.settings.clock import FAREWELL_SECONDS
from secfpp.settings.files import JobSettings, PartySettings, Tls
from secfpp.settings.rounds import round_params, with_colluders
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


def opening(attempt: int, witnesses: tuple[str, ...] = ()) -> Open:
    key = AttemptKey("run", 1, attempt)
    return Open(round_params(JobSettings(), key, "boss", ROSTER, DIM, witnesses=witnesses))


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


def test_the_last_words_leave_before_the_trainer_ends_and_are_not_waited_for_long(
    tmp_path, monkeypatch
):
    """Ending a trainer takes seconds; a coordinator that ends after one run is gone by then."""
    session, link = session_in(tmp_path)
    done: list[object] = []

    async def drain(timeout: float) -> None:
        done.append(timeout)

    async def stop(self) -> None:
        done.append("trainer ended")

    link.drain = drain
    monkeypatch.setattr(Ready, "stop", stop)

    async def script():
        await until(lambda: any(isinstance(m, Accept) for _, m in link.sent))

    asyncio.run(conducted(session, script))
    assert done == [FAREWELL_SECONDS, "trainer ended"]
    assert session._desk.settings.time.idle_timeout > FAREWELL_SECONDS


def test_a_run_that_ends_while_a_party_prepares_does_not_keep_it(tmp_path, monkeypatch):
    session, link = session_in(tmp_path)
    loading = asyncio.Event()

    async def prepare(self, told) -> dict[str, str]:
        loading.set()
        await asyncio.sleep(3600)
        return {}

    monkeypatch.setattr(Ready, "prepare", prepare)
    asyncio.run(asyncio.wait_for(conducted(session, loading.wait), 10))
    assert session.ended == Ended("run", True, "done")
    assert link.sent == []


def test_what_policy_forbids_is_refused_by_its_key_before_the_first_round(tmp_path):
    session, link = session_in(tmp_path, JobSettings(clustering={"method": "one_shot"}))
    with pytest.raises(PolicyRefusal):
        asyncio.run(session.conduct())
    ((to, refusal),) = link.sent
    assert to == "boss"
    assert isinstance(refusal, Refuse)
    assert refusal.reason == "query_kinds: does not list 'pairwise', which the round asks"


def test_thresholds_that_do_not_fit_are_left_to_the_coordinator_to_say(tmp_path):
    session, link = session_in(tmp_path, JobSettings(protocol={"colluders": 4}))

    async def script():
        await until(lambda: any(isinstance(m, Accept) for _, m in link.sent))

    asyncio.run(conducted(session, script))


def test_a_key_that_was_dealt_under_is_never_dealt_under_again(tmp_path):
    session, link = session_in(tmp_path)

    async def script():
        for attempt in (1, 2):
            session.deliver("boss", opening(attempt))
            key = AttemptKey("run", 1, attempt)
            await until(lambda key=key: link.deals(key))
            session.deliver("boss", Halt(key, "test", "the attempt is over"))
        session.deliver("boss", opening(1))
        await asyncio.sleep(0.1)

    asyncio.run(conducted(session, script))
    assert [link.deals(AttemptKey("run", 1, attempt)) for attempt in (1, 2)] == [4, 4]


@pytest.mark.parametrize("command", [Ended("run", True, "go home"), opening(2)])
def test_a_party_cannot_end_the_run_or_an_attempt_of_another(tmp_path, command):
    session, link = session_in(tmp_path)

    async def script():
        await until(lambda: any(isinstance(m, Accept) for _, m in link.sent))
        session.deliver("boss", opening(1))
        await until(lambda: link.deals(AttemptKey("run", 1, 1)))
        session.deliver("party-3", command)
        await asyncio.sleep(0.05)
        assert session.ended is None
        assert not [m for _, m in link.sent if isinstance(m, Halt)]
        assert link.deals(AttemptKey("run", 1, 2)) == 0

    asyncio.run(conducted(session, script))


def test_protection_agreed_to_once_is_not_lowered_in_a_later_attempt(tmp_path):
    session, link = session_in(tmp_path)
    roster = tuple(f"party-{index}" for index in range(11))

    def opened(attempt: int, parties: int, job: JobSettings) -> Open:
        key = AttemptKey("run", 1, attempt)
        return Open(round_params(job, key, "boss", roster[:parties], DIM, witnesses=roster))

    async def script():
        session.deliver("boss", opened(1, 11, JobSettings()))
        await until(lambda: link.deals(AttemptKey("run", 1, 1)))
        session.deliver("boss", Halt(AttemptKey("run", 1, 1), "lost", "two are lost"))
        session.deliver("boss", opened(2, 9, JobSettings()))
        await until(lambda: any(isinstance(m, Halt) for _, m in link.sent))
        session.deliver("boss", opened(3, 9, with_colluders(JobSettings(), 11)))
        await until(lambda: link.deals(AttemptKey("run", 1, 3)))

    asyncio.run(conducted(session, script))
    (halt,) = [message for _, message in link.sent if isinstance(message, Halt)]
    assert (halt.key.attempt, halt.code) == (2, "minimum_colluders")
    assert "is 2, the round protects against T = 1" in halt.reason


def test_vectors_made_for_one_attempt_are_not_dealt_in_the_next(tmp_path, monkeypatch):
    """A shorter roster may mean more fraction bits: the old levels would be other values."""
    session, link = session_in(tmp_path)

    async def nothing(self):
        """Training for this attempt takes long."""

    monkeypatch.setattr(Attempt, "_prepare_vectors", nothing)

    async def script():
        session.deliver("boss", opening(2))
        stale = Dealt(AttemptKey("run", 1, 1), (np.ones(DIM, dtype=np.int64),))
        session._desk.put("party-0", stale)
        await asyncio.sleep(0.05)
        assert link.deals(AttemptKey("run", 1, 2)) == 0

    asyncio.run(conducted(session, script))


def dealt_after_a_crash(tmp_path, forget: bool) -> tuple[list[int], list[object]]:
    """Deals of attempts 1 and 2 on the wire, where the party is started anew after attempt 1."""

    async def both() -> tuple[list[int], list[object]]:
        session, before = session_in(tmp_path)
        conducting = asyncio.create_task(session.conduct())
        session.deliver("boss", opening(1))
        await until(lambda: before.deals(AttemptKey("run", 1, 1)))
        conducting.cancel()  # A crash: nothing is said or written any more.
        await asyncio.wait({conducting})
        session._desk.store.close()
        if forget:
            store = SealedStore(tmp_path)
            store.delete("run")
            store.close()
        session, after = session_in(tmp_path)

        async def script():
            session.deliver("boss", opening(1))
            await asyncio.sleep(0.3)  # Long enough to deal, for a party that would.
            session.deliver("boss", opening(2))
            await until(lambda: after.deals(AttemptKey("run", 1, 2)))

        await conducted(session, script)
        keys = [AttemptKey("run", 1, attempt) for attempt in (1, 2)]
        return [before.deals(key) + after.deals(key) for key in keys], [m for _, m in after.sent]

    return asyncio.run(both())


def test_a_party_that_crashed_deals_under_no_key_twice_and_says_that_it_started_again(tmp_path):
    dealt, said = dealt_after_a_crash(tmp_path, forget=False)
    assert dealt == [4, 4]
    assert isinstance(said[0], Progress)
    assert said[0].phase == STARTED_AGAIN
    assert isinstance(said[1], Accept)


def test_a_party_that_forgot_would_deal_twice_under_one_key(tmp_path):
    """The mutation of the test before: without its memory the wire shows eight deals, not four."""
    dealt, _ = dealt_after_a_crash(tmp_path, forget=True)
    assert dealt[0] == 8


def test_a_party_that_crashed_joins_no_attempt_of_the_round_with_other_witnesses(tmp_path):
    """It has dealt in an attempt with five, and remembers them (protocol.md §7)."""

    async def both() -> tuple[Outgoing, Outgoing]:
        session, before = session_in(tmp_path)
        conducting = asyncio.create_task(session.conduct())
        session.deliver("boss", opening(1))
        await until(lambda: before.deals(AttemptKey("run", 1, 1)))
        conducting.cancel()
        await asyncio.wait({conducting})
        session._desk.store.close()
        session, after = session_in(tmp_path)

        async def script():
            session.deliver("boss", opening(2, ROSTER[:4]))
            await until(lambda: any(isinstance(m, Halt) for _, m in after.sent))
            session.deliver("boss", opening(3, opening(1).params.witnesses))
            await until(lambda: after.deals(AttemptKey("run", 1, 3)))

        await conducted(session, script)
        return before, after

    _, after = asyncio.run(both())
    (halt,) = [message for _, message in after.sent if isinstance(message, Halt)]
    assert (halt.key.attempt, halt.code) == (2, "attempt")
    assert "this round has other witnesses" in halt.reason
    assert after.deals(AttemptKey("run", 1, 2)) == 0


def test_a_party_that_crashed_still_holds_the_coordinator_to_what_it_vouched_for(tmp_path):
    """After a crash it vouches for no other roster in the same round (protocol.md §7)."""
    store = SealedStore(tmp_path)
    memory = RunMemory("run", "{}", PEERS, latest=AttemptKey("run", 1, 1), colluders=1)
    memory.released = {1: Release(ROSTER[1:], tuple((name, 0) for name in ROSTER[1:]))}
    memory.keep(store)
    store.close()
    session, link = session_in(tmp_path)

    async def script():
        session.deliver("boss", opening(2))
        await until(lambda: any(isinstance(m, Halt) for _, m in link.sent))

    asyncio.run(conducted(session, script))
    (halt,) = [message for _, message in link.sent if isinstance(message, Halt)]
    assert halt.code == "attempt"
    assert link.deals(AttemptKey("run", 1, 2)) == 0
