"""Daemons that are killed and started again at once: the run is gone on with, by itself."""

from __future__ import annotations

import pytest

from .cells import COORDINATOR_PHASES, PARTY_PHASES, Cell, Kind, Victim
from .drill import Outcome
from .federation import DOMAINS, victims_of
from .matrix import cells
from .oracle import check_last_good_prompts, check_rounds

pytestmark = pytest.mark.xdist_group("drills")

ROUNDS = 6  # A round of vectors takes a tenth of a second, a daemon's start a few.

PARTIES = [
    *(Cell(phase, Victim.PARTY, Kind.RESTART, rounds=ROUNDS) for phase in PARTY_PHASES),
    *(Cell(phase, Victim.TWO, Kind.RESTART, rounds=ROUNDS) for phase in ("training", "checking")),
]
COORDINATORS = [
    Cell(phase, Victim.COORDINATOR, Kind.RESTART, number=2, rounds=ROUNDS)
    for phase in COORDINATOR_PHASES
]


def require_resumed(outcome: Outcome) -> None:
    """A coordinator killed with an assignment on its lips cannot know whether it was heard."""
    assert (outcome.verdict, outcome.code) == ("resumed", ""), outcome.words
    assert set(outcome.exits.values()) == {0}, outcome.exits
    cell = outcome.cell
    check_rounds(outcome, frozenset({cell.number}) if cell.phase == "closing" else frozenset())
    check_last_good_prompts(outcome, rounds=ROUNDS)


@pytest.mark.parametrize("cell", cells(PARTIES))
def test_a_party_that_starts_again_is_back_in_a_later_attempt_or_round(drilled, cell):
    outcome = drilled(cell)
    require_resumed(outcome)
    rounds = outcome.ledger["rounds"]
    assert set(rounds[-1]["dealers"]) == set(DOMAINS)
    for name in victims_of(cell):
        finished = [e.round for e in outcome.events(name) if e.event == "finished"]
        assert finished[-1] == ROUNDS


@pytest.mark.parametrize("cell", cells(COORDINATORS))
def test_a_coordinator_that_starts_again_goes_on_where_it_was(drilled, cell):
    """No attempt is on the ledger twice, and nobody is lost over it."""
    outcome = drilled(cell)
    require_resumed(outcome)
    entries = outcome.ledger["rounds"] + outcome.ledger["unfinished"]
    keys = [(entry["round"], entry["attempt"]) for entry in entries]
    assert len(set(keys)) == len(keys)
    assert all(set(entry["dealers"]) == set(DOMAINS) for entry in outcome.ledger["rounds"])
    if cell.begun:
        assert "resumed" in {event.event for event in outcome.events()}
