"""Connections of a party, or to the coordinator, that lose, halve or reset, in every phase."""

from __future__ import annotations

import pytest

from .cells import BROKEN_CONNECTIONS, PARTY_PHASES, Cell, Kind, Victim
from .drill import Outcome
from .federation import VICTIM
from .matrix import cells
from .oracle import check_last_good_prompts, check_rounds

pytestmark = pytest.mark.xdist_group("drills")

SWALLOWED = tuple(kind for kind in BROKEN_CONNECTIONS if kind is not Kind.RESET)
AT_THE_COORDINATOR = ("gathering", "asking", "closing")

RESETS = [
    *(Cell(phase, Victim.PARTY, Kind.RESET) for phase in PARTY_PHASES),
    *(Cell(phase, Victim.COORDINATOR, Kind.RESET) for phase in AT_THE_COORDINATOR),
    Cell("answering", Victim.TWO, Kind.RESET),
]
OF_A_PARTY = [Cell(phase, Victim.PARTY, kind) for phase in PARTY_PHASES for kind in SWALLOWED]
OF_THE_COORDINATOR = [
    Cell(phase, Victim.COORDINATOR, kind, number=2)
    for phase in AT_THE_COORDINATOR
    for kind in SWALLOWED
]


def dealers(outcome: Outcome) -> list[list[str]]:
    return [entry["dealers"] for entry in outcome.ledger["rounds"]]


@pytest.mark.parametrize("cell", cells(RESETS, plain=[RESETS[3]]))
def test_a_reset_costs_nobody_anything(drilled, cell):
    outcome = drilled(cell)
    assert (outcome.verdict, outcome.code) == ("completed", ""), outcome.words
    assert set(outcome.exits.values()) == {0}, outcome.exits
    check_rounds(outcome)
    assert [len(names) for names in dealers(outcome)] == [6, 6]
    assert not [event for event in outcome.events() if event.event == "lost"]


@pytest.mark.parametrize("cell", cells(OF_A_PARTY, plain=[OF_A_PARTY[9]]))
def test_a_party_whose_words_are_swallowed_costs_the_others_nothing(drilled, cell):
    """It may be lost, and is then named; what was dealt stays in the sums."""
    outcome = drilled(cell)
    assert (outcome.verdict, outcome.code) == ("completed", ""), outcome.words
    assert {outcome.exits[name] for name in outcome.others} == {0}, outcome.exits
    check_rounds(outcome)
    first, second = dealers(outcome)
    assert set(outcome.others) <= set(first) & set(second)
    if VICTIM not in second:
        told = [event for event in outcome.events() if VICTIM in f"{event.peer} {event.text}"]
        assert {event.event for event in told} & {"lost", "trouble", "waiting"}


@pytest.mark.parametrize("cell", cells(OF_THE_COORDINATOR))
def test_a_coordinator_that_hears_nobody_ends_the_run_in_time_or_goes_on(drilled, cell):
    outcome = drilled(cell)
    assert outcome.verdict in ("completed", "failed")
    check_rounds(outcome)
    check_last_good_prompts(outcome, rounds=1)
    if outcome.verdict == "failed":
        assert outcome.words.startswith("round 2 failed: ")
        named = [name for name in outcome.federation.parties if name in outcome.words]
        assert len(named) > 1, outcome.words  # More than S, or the run would have gone on.
