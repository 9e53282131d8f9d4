"""Parties that die, freeze or pause, in every phase: up to S cost the others nothing, more end it.

Within S a lost party's vector stays in the sums if it had been dealt. Beyond S the attempt ends
with who is missing and how many are needed, and another is opened if the rest fits.
"""

from __future__ import annotations

import re

import pytest

from secfpp.errors import PeersMissing, RoundFailed

from .cells import PARTY_PHASES, Cell, Kind, Victim
from .drill import Outcome
from .federation import SECOND, VICTIM
from .matrix import cells
from .oracle import check_last_good_prompts, check_rounds

pytestmark = pytest.mark.xdist_group("drills")

LOST = [Cell(p, Victim.PARTY, k) for p in PARTY_PHASES for k in (Kind.KILL, Kind.STOP)]
PAUSED = [Cell(phase, Victim.PARTY, Kind.PAUSE) for phase in PARTY_PHASES] + [
    Cell("answering", Victim.TWO, Kind.PAUSE)
]
IN_A_ROUND = tuple(PARTY_PHASES)[1:]
BEYOND = [
    Cell(phase, Victim.TWO, kind, number=2, colluders=2)
    for phase in IN_A_ROUND
    for kind in (Kind.KILL, Kind.STOP)
]
SPARED = [
    *(Cell(phase, Victim.TWO, Kind.KILL) for phase in IN_A_ROUND[:-1]),
    Cell("answering", Victim.TWO, Kind.STOP),
]
TOO_MANY = (
    "2 of 6 parties are lost and at most S = 1 may be"
    "|. answers came, . are needed|. parties (are ready|have finished), n − S = 5 are needed"
)
"""How an attempt ends with more than S lost: by their absence, or by the words that do not come."""


def require_all_ended_well(outcome: Outcome) -> None:
    assert (outcome.verdict, outcome.code) == ("completed", ""), outcome.words
    assert set(outcome.exits.values()) == {0}, outcome.exits


def dealers(outcome: Outcome) -> list[list[str]]:
    return [entry["dealers"] for entry in outcome.ledger["rounds"]]


@pytest.mark.parametrize("cell", cells(LOST, plain=[LOST[2], LOST[9]]))
def test_a_lost_party_costs_the_others_nothing(drilled, cell):
    outcome = drilled(cell)
    require_all_ended_well(outcome)
    check_rounds(outcome)
    check_last_good_prompts(outcome, rounds=2)
    first, second = dealers(outcome)
    assert VICTIM not in second
    if cell.phase in ("waiting", "training", "sharing"):
        assert VICTIM not in first
    elif cell.phase in ("answering", "summing"):
        (mean,) = outcome.ledger["rounds"][0]["opened_to_members"]["cluster_means"]
        assert VICTIM in mean
    told = [event for event in outcome.events() if VICTIM in f"{event.peer} {event.text}"]
    assert {event.event for event in told} & {"lost", "trouble", "waiting"}


@pytest.mark.parametrize("cell", cells(PAUSED, plain=[PAUSED[3]]))
def test_a_party_that_only_pauses_is_not_lost(drilled, cell):
    outcome = drilled(cell)
    require_all_ended_well(outcome)
    check_rounds(outcome)
    assert [len(names) for names in dealers(outcome)] == [6, 6]
    assert not [event for event in outcome.events() if event.event == "lost"]


@pytest.mark.parametrize("cell", cells(BEYOND, plain=[BEYOND[6]]))
def test_more_than_s_end_the_run_with_who_is_missing_and_how_many_are_needed(drilled, cell):
    outcome = drilled(cell)
    assert (outcome.verdict, outcome.code) == ("failed", RoundFailed.code)
    assert outcome.words.startswith("round 2 failed: ")
    assert re.search(TOO_MANY, outcome.words), outcome.words
    assert SECOND in outcome.words
    assert VICTIM in outcome.words
    assert set(outcome.exits.values()) == {1}, outcome.exits
    check_rounds(outcome)
    check_last_good_prompts(outcome, rounds=1)


@pytest.mark.parametrize("cell", cells(SPARED))
def test_where_the_rest_fits_it_goes_on_without_the_two(drilled, cell):
    outcome = drilled(cell)
    require_all_ended_well(outcome)
    failed = [event.text for event in outcome.events() if event.event == "failed"]
    assert len(failed) == 1
    assert re.search(TOO_MANY, failed[0])
    assert SECOND in failed[0]
    assert VICTIM in failed[0]
    check_rounds(outcome)
    assert [sorted(names) for names in dealers(outcome)] == [sorted(outcome.others)] * 2


@pytest.mark.parametrize("cell", cells([Cell("waiting", Victim.TWO, Kind.KILL)]))
def test_two_that_never_answer_are_named_before_the_first_round(drilled, cell):
    outcome = drilled(cell)
    assert (outcome.verdict, outcome.code) == ("failed", PeersMissing.code)
    assert "2 of 6 parties do not take part, at most 1 may be missing" in outcome.words
    assert f"{SECOND}, {VICTIM} did not answer in time" in outcome.words
    assert set(outcome.exits.values()) == {1, 3} or set(outcome.exits.values()) == {1}


@pytest.mark.parametrize("cell", cells([Cell("summing", Victim.TWO, Kind.KILL, number=2)]))
def test_an_assignment_that_was_vouched_for_is_not_made_again(drilled, cell):
    outcome = drilled(cell)
    assert (outcome.verdict, outcome.code) == ("failed", RoundFailed.code)
    assert re.search(TOO_MANY, outcome.words), outcome.words
    assert [entry["attempt"] for entry in outcome.ledger["unfinished"]] == [1]
    check_rounds(outcome)
    check_last_good_prompts(outcome, rounds=1)
