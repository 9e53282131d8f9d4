"""Limits of time hold however many words come: only what moves an attempt keeps it waiting."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from secfpp.cluster.methods import ClusteringMethod
from secfpp.coordinator.attempt import Attempt
from secfpp.coordinator.desk import Desk
from secfpp.coordinator.participants import Participants
from secfpp.coordinator.session import RunSession
from secfpp.errors import RoundFailed
from secfpp.journal.phases import Phases
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.messages import Accept, Echo, EchoStage, Halt, Open, Progress, Report
from secfpp.settings.files import Time

from .party_alone import ROSTER, Outgoing, opening, session_in, until

LIAR = "party-3"
SHORT = Time(connect_wait=1, idle_timeout=0.5, round_deadline=1.5)
IDLE = Time(connect_wait=1, idle_timeout=0.5, round_deadline=60)
WITHIN = 10
"""Seconds in which an attempt with such limits is over, on a busy machine."""


def word(done: int = 0) -> Progress:
    return Progress("run", 1, f"x{done}", done, done)


@asynccontextmanager
async def flooded(put: Callable[[int], None]):
    """Words come without a pause, so that the inbox is never empty for 10 ms."""

    async def flood() -> None:
        done = 0
        while True:
            done += 1
            put(done)
            await asyncio.sleep(0)

    flooding = asyncio.create_task(flood())
    try:
        async with asyncio.timeout(WITHIN):
            yield
    finally:
        flooding.cancel()


def party_with(tmp_path, limits: Time):
    session, link = session_in(tmp_path)
    session._desk.settings = session._desk.settings.model_copy(update={"time": limits})
    return session, link


async def accepted(link: Outgoing) -> None:
    await until(lambda: any(isinstance(m, Accept) for _, m in link.sent))


async def halted(link: Outgoing) -> None:
    await until(lambda: any(isinstance(m, Halt) for _, m in link.sent))


@pytest.mark.parametrize(("limits", "sender"), [(IDLE, LIAR), (SHORT, "boss")])
async def test_a_party_ends_an_attempt_in_time_whatever_words_come(tmp_path, limits, sender):
    session, link = party_with(tmp_path, limits)
    session._beat = lambda: asyncio.sleep(WITHIN)
    conducting = asyncio.create_task(session.conduct())
    await accepted(link)
    session.deliver("boss", opening(1))
    async with flooded(lambda _: session.deliver(sender, word())):
        await halted(link)
    conducting.cancel()


async def test_an_early_word_that_moves_nothing_keeps_no_attempt_waiting(tmp_path):
    session, link = party_with(tmp_path, IDLE)
    session._beat = lambda: asyncio.sleep(WITHIN)
    conducting = asyncio.create_task(session.conduct())
    await accepted(link)
    session.deliver("boss", opening(1))
    key = opening(1).params.key
    echo = Echo(key, EchoStage.BATCH, 0, b"\0" * 32, b"")
    async with flooded(lambda _: session.deliver(LIAR, echo)):
        await halted(link)
    conducting.cancel()


async def test_while_the_coordinator_speaks_a_party_waits_for_peers_that_train(tmp_path):
    session, link = party_with(tmp_path, IDLE)
    conducting = asyncio.create_task(session.conduct())
    await accepted(link)
    session.deliver("boss", opening(1))
    async with flooded(lambda _: session.deliver("boss", word())):
        await asyncio.sleep(3 * IDLE.idle_timeout)
        assert not any(isinstance(m, Halt) for _, m in link.sent)
    conducting.cancel()


async def test_between_rounds_a_silent_coordinator_is_noticed_however_much_peers_say(tmp_path):
    session, link = party_with(tmp_path, IDLE)
    conducting = asyncio.create_task(session.conduct())
    await accepted(link)
    async with flooded(lambda _: session.deliver(LIAR, word())):
        with pytest.raises(RoundFailed, match="boss has been silent"):
            await conducting


async def test_between_rounds_a_coordinator_that_speaks_is_not_called_silent(tmp_path):
    session, link = party_with(tmp_path, IDLE)
    conducting = asyncio.create_task(session.conduct())
    await accepted(link)
    async with flooded(lambda _: session.deliver("boss", word())):
        await asyncio.sleep(3 * IDLE.idle_timeout)
        assert not conducting.done()
    conducting.cancel()


def coordinator_with(limits: Time) -> tuple[Desk, Attempt, CoordinatorRound]:
    link, params = Outgoing(), opening(1).params
    chronicle = SimpleNamespace(say=lambda *_, **__: None)
    participants = Participants(dict.fromkeys(ROSTER, "127.0.0.1:1"))
    desk = Desk("run", link, limits, participants, chronicle)
    clusterer = ClusteringMethod("adaptive").clusterer
    machine = CoordinatorRound(params, clusterer, None, link, os.urandom)
    return desk, Attempt(desk, machine, Phases(link.totals, "train"), lambda: None), machine


async def test_the_coordinator_goes_on_without_the_silent_whatever_a_liar_says():
    desk, attempt, machine = coordinator_with(IDLE)
    async with flooded(lambda _: desk.put(LIAR, word())):
        failed = await attempt.drive()
    assert failed.code == "silence"
    assert set(machine.lost) == set(ROSTER)


async def test_words_of_an_attempt_that_move_nothing_are_no_progress():
    desk, attempt, _ = coordinator_with(IDLE)
    again = Open(opening(1).params)
    async with flooded(lambda _: desk.put("nobody-we-know", again)):
        failed = await attempt.drive()
    assert failed.code == "silence"


async def test_steps_of_a_party_that_is_not_waited_for_are_no_progress():
    desk, attempt, machine = coordinator_with(IDLE)
    machine.lose(LIAR, "vanished")
    async with flooded(lambda done: desk.put(LIAR, word(done))):
        failed = await attempt.drive()
    assert failed.code == "silence"


async def test_steps_of_a_party_that_is_waited_for_are_progress_until_the_deadline():
    desk, attempt, _ = coordinator_with(SHORT)
    start = time.monotonic()
    async with flooded(lambda done: desk.put(LIAR, word(done))):
        failed = await attempt.drive()
    assert failed.code == "deadline"
    assert time.monotonic() - start > 2 * SHORT.idle_timeout


async def test_the_same_report_again_and_again_does_not_keep_the_end_of_a_run_waiting():
    desk, _, _ = coordinator_with(IDLE)
    desk.chronicle = SimpleNamespace(round=1, report=lambda *_: None)
    session = RunSession.__new__(RunSession)
    session._desk, session._limits = desk, IDLE
    async with flooded(lambda _: desk.put(LIAR, Report("run", 1, "{}"))):
        await session._reports_of({LIAR, "party-4"})
    assert desk.reported == {LIAR}
