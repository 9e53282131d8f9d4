"""A defect ends the daemon once: the run is over first, so that the next start does not meet it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from secfpp.coordinator.daemon import CoordinatorDaemon
from secfpp.coordinator.runs import Runs
from secfpp.errors import RoundFailed, SecFPPError, heard
from secfpp.party.daemon import PartyDaemon
from secfpp.party.memory import recall, unfinished
from secfpp.party.session import PartySession
from secfpp.protocol.messages import Invite, Refuse
from secfpp.settings.files import JobSettings
from secfpp.store.sealed import SealedStore

from .party_alone import PEERS, Outgoing, opening, session_in


async def breaks(*_: object) -> None:
    raise ZeroDivisionError("an injected defect")


async def broken(tmp_path, where: str) -> tuple[PartySession, Outgoing]:
    """A party's session that a defect has ended: between attempts, or in training."""
    session, link = session_in(tmp_path)
    if where == "training":
        session._vectors.prepare = breaks
    else:
        session._command = breaks
    session.deliver("boss", opening(1))
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(session.conduct(), 20)  # Less than its idle_timeout.
    return session, link


@pytest.mark.parametrize("where", ["between attempts", "training"])
async def test_a_party_does_not_go_on_with_a_run_that_a_defect_has_ended(tmp_path, where):
    session, link = await broken(tmp_path, where)
    store = session._desk.store
    assert recall(store, "run").over
    assert unfinished(store) is None
    (refusal,) = [message for _, message in link.sent if isinstance(message, Refuse)]
    assert (refusal.key, refusal.reason) == ("SECFPP-E-INTERNAL", "its own log says why")


async def test_a_party_that_is_invited_again_goes_on_with_a_run_that_a_defect_has_ended(tmp_path):
    session, _ = await broken(tmp_path, "between attempts")
    daemon, begun = PartyDaemon.__new__(PartyDaemon), []
    daemon._store = session._desk.store
    daemon._begin = lambda memory, *, is_again: begun.append((memory.over, is_again))
    daemon._take_part(Invite("run", "{}", PEERS))
    assert begun == [(False, True)]


def runs_in(tmp_path) -> Runs:
    def begin(memory) -> SimpleNamespace:
        return SimpleNamespace(run=memory.run, conduct=breaks)

    return Runs(SealedStore(tmp_path), SimpleNamespace(state_dir=tmp_path), begin)


async def test_a_coordinator_does_not_go_on_with_a_run_that_a_defect_has_ended(tmp_path):
    daemon = CoordinatorDaemon.__new__(CoordinatorDaemon)
    daemon._runs, daemon._news = runs_in(tmp_path), asyncio.Condition()
    run = daemon._runs.submit(JobSettings())
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(daemon._conduct(), 10)
    end = daemon._runs.end(run)
    daemon._runs._store.close()

    started_again = runs_in(tmp_path)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(started_again.next(), 0.1)
    assert started_again.end(run) == end
    error = heard(end, otherwise=RoundFailed)
    assert (type(error), error.exit_code) == (SecFPPError, 5)
    assert "injected" not in str(error)

    started_again.resume(run)
    assert (await started_again.next()).run == run
