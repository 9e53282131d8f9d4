"""Found while writing the simulation of whole runs: late words took the place of early ones."""

from __future__ import annotations

from secfpp.party import early
from secfpp.protocol.messages import Echo, EchoStage
from secfpp.protocol.params import AttemptKey

from .party_alone import session_in


def echo(key: AttemptKey, batch: int) -> Echo:
    return Echo(key, EchoStage.BATCH, batch, bytes(32), b"signed")


def test_late_words_of_past_attempts_leave_room_for_early_ones(tmp_path, monkeypatch):
    """Each round leaves some echoes behind that nobody waited for; a run has many rounds."""
    monkeypatch.setattr(early, "MOST_EARLY", 8)
    session, _ = session_in(tmp_path)
    desk = session._desk
    desk.memory.latest = AttemptKey("run", 1, 1)
    for batch in range(8):
        desk.keep_early("party-1", echo(desk.memory.latest, batch))
    coming = AttemptKey("run", 2, 1)
    desk.keep_early("party-1", echo(coming, 0))
    desk.log.close()
    desk.store.close()
    assert [sender for sender, _ in desk.early(coming)] == ["party-1"]
