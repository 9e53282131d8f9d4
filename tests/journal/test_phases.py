"""The stopwatch of a round: bytes go to the phase in which they crossed, peer by peer."""

from __future__ import annotations

from secfpp.journal.phases import Phases, written


def test_bytes_are_told_by_phase_and_peer_also_of_a_phase_that_comes_again():
    totals = {"ann": (10, 0)}
    phases = Phases(lambda: dict(totals), "share")
    totals |= {"ann": (15, 0), "bob": (0, 7)}
    phases.begin("cluster")
    totals |= {"bob": (1, 7)}
    phases.begin("share")
    totals |= {"bob": (1, 9)}
    told = written(phases.summary())
    assert told["by_peer"] == {
        "share": {"ann": [5, 0], "bob": [0, 9]},
        "cluster": {"bob": [1, 0]},
    }
    assert told["sent"] == {"share": 5, "cluster": 1, "total": 6}
    assert told["received"] == {"share": 9, "cluster": 0, "total": 9}
