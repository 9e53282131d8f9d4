"""A party that crashed keeps to what it dealt before (protocol.md §7, §8)."""

from __future__ import annotations

import asyncio

from secfpp.protocol.messages import (
    STARTED_AGAIN,
    Accept,
    Halt,
    Progress,
)
from secfpp.protocol.params import AttemptKey
from secfpp.store.sealed import SealedStore

from .party_alone import ROSTER, Outgoing, conducted, opening, session_in, until


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
