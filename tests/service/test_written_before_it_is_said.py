"""What a party must not forget is on the disk before anything is said because of it (§7, §8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from secfpp.cluster.queries import Query
from secfpp.party.desk import Desk
from secfpp.party.memory import RunMemory, recall
from secfpp.party.session import PartySession
from secfpp.protocol.circumstances import Release
from secfpp.protocol.messages import (
    Ask,
    Assign,
    CloseDealing,
    Deal,
    Echo,
    EchoStage,
    Halt,
    Message,
)
from secfpp.protocol.params import AttemptKey

from .party_alone import ROSTER, Outgoing, conducted, opening, session_in, until

KEY = AttemptKey("run", 1, 1)
LABELS = tuple((name, 0) for name in ROSTER)


def watch(session: PartySession, link: Outgoing) -> list[tuple[Message, RunMemory | None]]:
    """Each message that is posted from now on, with what the store holds at that moment."""
    said: list[tuple[Message, RunMemory | None]] = []
    post = link.post

    def watched(envelopes) -> None:
        envelopes = list(envelopes)
        said.extend((e.message, recall(session._desk.store, "run")) for e in envelopes)
        post(envelopes)

    link.post = watched
    return said


def vouches(message: Message) -> bool:
    """Whether this is the party's word for an assignment."""
    return isinstance(message, Echo) and message.stage is EchoStage.ASSIGNMENT


async def accept_an_assignment(session: PartySession, link: Outgoing) -> None:
    """All that the coordinator says until then; nobody else has dealt this party anything."""
    params = opening(1).params
    others = tuple(name for name in ROSTER if name != session._desk.me)
    session.deliver("boss", opening(1))
    await until(lambda: link.deals(KEY))
    query = Query(ROSTER[0], ROSTER[:3])
    session.deliver("boss", CloseDealing(KEY, others))
    session.deliver("boss", Ask(KEY, 0, ROSTER, params.mask_dealers, (query,)))
    session.deliver("boss", Assign(KEY, 1, LABELS))
    await until(lambda: any(vouches(message) for _, message in link.sent))


def what_was_kept(tmp_path, about: Callable[[Message], bool]) -> list[RunMemory]:
    """What the store held whenever the party said something of this kind."""
    session, link = session_in(tmp_path)
    said = watch(session, link)
    asyncio.run(conducted(session, lambda: accept_an_assignment(session, link)))
    kept = [memory for message, memory in said if about(message)]
    assert len(kept) == len(ROSTER) - 1
    return kept


def test_the_attempts_key_and_what_is_dealt_are_on_the_disk_before_it_is_dealt(tmp_path):
    for memory in what_was_kept(tmp_path, lambda message: isinstance(message, Deal)):
        assert memory.latest == KEY
        assert memory.dealings[1].rosters == {ROSTER}


def test_the_assignment_that_was_accepted_is_on_the_disk_before_the_word_for_it_leaves(tmp_path):
    for memory in what_was_kept(tmp_path, vouches):
        assert memory.released == {1: Release(ROSTER, LABELS)}


def after_its_word_and_a_crash(tmp_path) -> Outgoing:
    """What a party says when it is asked to join an attempt of the round among four of the five."""

    async def both() -> Outgoing:
        session, before = session_in(tmp_path)
        conducting = asyncio.create_task(session.conduct())
        await accept_an_assignment(session, before)
        conducting.cancel()  # A crash: nothing is said or written any more.
        await asyncio.wait({conducting})
        session._desk.store.close()
        session, after = session_in(tmp_path)

        async def script() -> None:
            session.deliver("boss", opening(2, opening(1).params.witnesses, ROSTER[:4]))
            key = AttemptKey("run", 1, 2)
            await until(lambda: after.deals(key) or any(isinstance(m, Halt) for _, m in after.sent))

        await conducted(session, script)
        return after

    return asyncio.run(both())


def test_a_party_that_crashed_still_holds_the_coordinator_to_what_it_vouched_for(tmp_path):
    """After a crash it deals among no other roster in the same round (protocol.md §7)."""
    after = after_its_word_and_a_crash(tmp_path)
    (halt,) = [message for _, message in after.sent if isinstance(message, Halt)]
    assert halt.code == "attempt"
    assert "accepted an assignment of this round among another roster" in halt.reason
    assert not [message for _, message in after.sent if isinstance(message, Deal)]


def test_a_party_that_had_not_written_its_word_down_would_deal_among_others(tmp_path, monkeypatch):
    """The mutation of the test before: nothing is written once something was accepted."""
    keep = Desk.keep
    monkeypatch.setattr(Desk, "keep", lambda desk: None if desk.memory.released else keep(desk))
    after = after_its_word_and_a_crash(tmp_path)
    assert after.deals(AttemptKey("run", 1, 2)) == 3
