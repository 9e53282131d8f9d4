"""Found by simulating whole runs: a restart after a `Halt` looked like a contradiction (§8)."""

from __future__ import annotations

from secfpp.protocol.messages import Halt


def test_a_party_that_gave_up_and_was_restarted_is_not_named_for_saying_so(federation):
    setup = federation(parties=8)
    coordinator = setup.network().coordinator
    coordinator.open()
    key = setup.params.key
    coordinator.handle("party-3", Halt(key, "silence", "waiting for shares of party-5"))
    coordinator.handle("party-3", Halt(key, "restarted", "it has forgotten its shares"))
    assert set(coordinator.lost) == {"party-3"}
    assert not coordinator.violations
