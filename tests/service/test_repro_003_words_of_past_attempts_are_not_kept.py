"""Found by simulating whole runs: late words took the place that is kept for early ones."""

from __future__ import annotations

import asyncio

from secfpp.party import session as session_module
from secfpp.protocol.messages import Echo, EchoStage
from secfpp.protocol.params import AttemptKey

from .test_commands_at_a_party import conducted, opening, session_in, until


def echo(key: AttemptKey, batch: int) -> Echo:
    return Echo(key, EchoStage.BATCH, batch, bytes(32), b"signed")


def test_late_words_of_past_attempts_leave_room_for_early_ones(tmp_path, monkeypatch):
    """Each round leaves some echoes behind that nobody waited for; a run has many rounds."""
    monkeypatch.setattr(session_module, "MOST_EARLY", 8)
    session, _ = session_in(tmp_path)
    session._latest = AttemptKey("run", 1, 1)
    for batch in range(8):
        session._keep_early("party-1", echo(session._latest, batch))
    coming = AttemptKey("run", 2, 1)
    session._keep_early("party-1", echo(coming, 0))
    session._log.close()
    assert list(session._early) == [coming]


def test_words_of_an_attempt_that_was_skipped_are_forgotten_when_a_later_one_opens(tmp_path):
    session, link = session_in(tmp_path)
    later = AttemptKey("run", 1, 3)

    async def script():
        session.deliver("party-1", echo(AttemptKey("run", 1, 2), 0))
        await until(lambda: session._early)
        session.deliver("boss", opening(3))
        await until(lambda: link.deals(later))
        assert not session._early

    asyncio.run(conducted(session, script))
