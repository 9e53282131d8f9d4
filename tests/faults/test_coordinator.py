"""A coordinator that dies, freezes or pauses, in every phase: no party waits for ever or is silent.

Its return after a restart is in `test_restarts`.
"""

from __future__ import annotations

import json

import pytest

from secfpp.demo.launcher import COORDINATOR
from secfpp.errors import PeersMissing

from .cells import COORDINATOR_PHASES, Cell, Kind, Victim
from .drill import WAITS, Outcome
from .matrix import cells
from .oracle import check_last_good_prompts, check_rounds

pytestmark = pytest.mark.xdist_group("drills")


def hit_by(*kinds: Kind) -> list[Cell]:
    """Cells late in a run where the phase allows it, so that there are prompts to keep."""
    return [
        Cell(phase, Victim.COORDINATOR, kind, number=1 if phase == "between rounds" else 2)
        for phase in COORDINATOR_PHASES
        for kind in kinds
    ]


GONE = hit_by(Kind.KILL, Kind.STOP)
PAUSED = hit_by(Kind.PAUSE)


def last_words(outcome: Outcome, name: str) -> dict[str, str]:
    """What a party's daemon has logged of the end of the run."""
    lines = outcome.federation.log_of(name).read_text().splitlines()
    said = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in said if line["event"] == "the run ended early"][-1]


@pytest.mark.parametrize("cell", cells(GONE, plain=[GONE[6]]))
def test_without_its_coordinator_everybody_ends_in_time_and_says_why(drilled, cell):
    outcome = drilled(cell)
    assert (outcome.verdict, outcome.code) == ("failed", PeersMissing.code)
    assert outcome.words.startswith(COORDINATOR)
    assert "did not answer" in outcome.words
    silence = f"{COORDINATOR} has been silent for {WAITS.idle_timeout:g} s"
    for name in outcome.federation.parties:
        assert last_words(outcome, name)["reason"] == silence
    assert set(outcome.exits.values()) == {1}, outcome.exits
    check_rounds(outcome)
    check_last_good_prompts(outcome, rounds=1 if cell.begun else 0)


@pytest.mark.parametrize("cell", cells(PAUSED, plain=[PAUSED[4]]))
def test_a_coordinator_that_only_pauses_loses_nobody(drilled, cell):
    outcome = drilled(cell)
    assert (outcome.verdict, outcome.code) == ("completed", ""), outcome.words
    assert set(outcome.exits.values()) == {0}, outcome.exits
    check_rounds(outcome)
    assert [len(entry["dealers"]) for entry in outcome.ledger["rounds"]] == [6, 6]
    assert not [event for event in outcome.events() if event.event == "lost"]
