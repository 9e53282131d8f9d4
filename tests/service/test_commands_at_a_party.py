"""A party's session obeys the coordinator alone, and deals under no key twice (§8)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from secfpp.errors import PolicyRefusal
from secfpp.journal.events import Event, read_events
from secfpp.party.acceptance import is_agreed
from secfpp.party.attempt import Attempt
from secfpp.party.desk import Dealt
from secfpp.protocol.messages import (
    Accept,
    Ended,
    Halt,
    Open,
    Refuse,
)
from secfpp.protocol.params import AttemptKey, QueryKind
from secfpp.settings import clock
from secfpp.settings.clock import FAREWELL_SECONDS
from secfpp.settings.files import ClusteringJob, JobSettings, ProtocolJob
from secfpp.settings.rounds import MOST_ATTEMPTS, round_params, with_colluders

from .party_alone import DIM, Ready, conducted, opening, session_in, until


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


@pytest.mark.parametrize(
    ("rounds", "key"),
    [
        (4, AttemptKey("run", 1, 1)),
        (2, AttemptKey("run", 1, 1)),
        (3, AttemptKey("run", 4, 1)),
        (3, AttemptKey("run", 1, MOST_ATTEMPTS + 1)),
    ],
)
def test_no_round_and_no_attempt_beyond_those_agreed_to_is_opened(tmp_path, rounds, key):
    """Each attempt may open a budget of distances; the job of this party has three rounds."""
    session, link = session_in(tmp_path)
    params = replace(opening(1).params, queries_per_party=8)  # So that four rounds fit, too.
    beyond = Open(replace(params, rounds=rounds, key=key))
    last = Open(replace(opening(1).params, key=AttemptKey("run", 3, MOST_ATTEMPTS)))

    async def script():
        session.deliver("boss", beyond)
        session.deliver("boss", last)
        await until(lambda: link.deals(key) or link.deals(last.key))

    asyncio.run(conducted(session, script))
    assert (link.deals(key), link.deals(last.key)) == (0, 4)
    (violation,) = [e for e in read_events(session.directory) if e.event == "violation"]
    assert (
        violation.text == f"refused round {key.round}, attempt {key.attempt}: not as the job says"
    )
    (halt,) = [message for _, message in link.sent if isinstance(message, Halt)]
    assert (halt.key, halt.code) == (key, "job")


AGREED = JobSettings(
    protocol=ProtocolJob(colluders=2, adversaries=1, strict_queries=True, minimum_cluster=5),
    clustering=ClusteringJob(query_budget=100),
)
TWELVE = tuple(f"party-{index}" for index in range(12))
OPENED = round_params(AGREED, AttemptKey("run", 1, 1), "boss", TWELVE, 512)


@pytest.mark.parametrize(
    "change",
    [
        {"colluders": 3, "minimum_cluster": 5},
        {"colluders": 1},
        {"adversaries": 0},
        {"strict_queries": False},
        {"minimum_cluster": 4},
        {"query_budget": 101},
        {"queries_per_party": OPENED.queries_per_party - 1},
        {"query_kind": QueryKind.PAIRWISE},
        {"stragglers": 2},
        {"sharings": (replace(OPENED.feature_sharing, clip=0.5),)},
    ],
)
def test_an_attempt_is_held_to_the_job_that_was_agreed_to(change):
    assert is_agreed(AGREED, OPENED)
    assert not is_agreed(AGREED, replace(OPENED, **change))


def test_an_attempt_may_allow_fewer_losses_where_few_witnesses_are_left():
    assert is_agreed(AGREED, replace(OPENED, stragglers=0))


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


def test_a_party_whose_attempt_stands_still_says_for_whom_it_waits_more_and_more_seldom(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(clock, "SPEAK_EVERY", 0.05)
    session, _ = session_in(tmp_path)

    def said() -> list[Event]:
        return [event for event in read_events(session.directory) if event.event == "waiting"]

    async def script():
        session.deliver("boss", opening(1))
        await until(lambda: len(said()) >= 4)

    asyncio.run(conducted(session, script))
    waits = [event.text for event in said()]
    assert set(waits) == {"waiting for shares of party-1, party-2, party-3, party-4"}
    times = [event.time for event in said()[:4]]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(pause >= bound for pause, bound in zip(pauses, (0.1, 0.2, 0.4), strict=True))
