"""The simulation catches what it is for: each seeded fault breaks its law, by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secfpp.protocol import answering
from secfpp.protocol import party as party_module
from secfpp.protocol.commitments import Held
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closing
from secfpp.protocol.messages import Envelope, SumShare
from secfpp.protocol.opening import pool
from secfpp.settings.rounds import MOST_ATTEMPTS

from .broken import (
    BLAME,
    CLOSED,
    DEALS,
    ENDS,
    LEDGER,
    REFUSAL,
    RISING,
    UNSEEN,
    VOUCHES,
    WITNESSES,
    Broken,
)
from .coordinator_seat import CoordinatorSeat
from .operations import (
    COORDINATOR,
    Crash,
    Deliver,
    Expire,
    Lose,
    Repeat,
    Restart,
    Setting,
    Until,
)
from .party_seat import PartySeat
from .world import World

QUIET = Setting(parties=7, rounds=2, dim=24, clusters=1, seed=3)


class ForgetsItsLatestKey(PartySeat):
    """A restarted party that opens again what it opened before."""

    def restart(self):
        self.kept.latest = None
        return super().restart()


class ForgetsWhatItReleased(PartySeat):
    """A party that joins another attempt of a round in which it has vouched."""

    def _attempt(self, params):
        self.kept.released = {}
        return super()._attempt(params)


class ReopensARound(CoordinatorSeat):
    """A coordinator for which a round is open until everybody has confirmed it."""

    def _after(self, outbox):
        after = super()._after(outbox)
        self.kept = replace(self.kept, released=None)
        return after

    def _again(self, machine):
        if not machine.lost or self.kept.attempt >= MOST_ATTEMPTS:
            return super()._again(machine)
        self.kept = replace(self.kept, roster=self._without(machine.lost))
        return self._attempt("again")


class CountsAttemptsInMemory(CoordinatorSeat):
    """A restarted coordinator that begins the attempt that it was in."""

    def crash(self):
        super().crash()
        self.kept = replace(self.kept, attempt=self.kept.attempt - 1)


class ForgetsTheWitnesses(CoordinatorSeat):
    """A coordinator that chooses witnesses for each attempt."""

    def _attempt(self, reason):
        self.kept = replace(self.kept, witnesses=())
        return super()._attempt(reason)


class WaitsForConfirmations(CoordinatorSeat):
    """A coordinator that does not close a round while a confirmation is missing."""

    def expire(self):
        waits = self.machine is not None and isinstance(self.machine.state, Closing)
        return [] if waits else super().expire()


ASSIGNED_AND_TWO_LOST = (
    Until("Assign", 0),
    Lose("Assign", 4, 3),
    Deliver(4, 0),
    Crash("party-0", True),
    Crash("party-1", True),
    Deliver(10, 0),
)

VOUCHED_AND_OPENED_AGAIN = (Until("SumShare", 0), Expire("party-5"), Expire("party-6"))

SEATS = {
    ForgetsItsLatestKey: (
        DEALS,
        (Repeat("Open", 3, 80), Deliver(60, 0), Crash("party-3", False), Restart("party-3")),
    ),
    ReopensARound: (CLOSED, ASSIGNED_AND_TWO_LOST),
    CountsAttemptsInMemory: (
        RISING,
        (Until("Ready", 0), Crash(COORDINATOR, False), Restart(COORDINATOR)),
    ),
    ForgetsTheWitnesses: (
        WITNESSES,
        (Until("Deal", 0), Crash("party-0", True), Crash("party-1", True), Deliver(40, 0)),
    ),
    WaitsForConfirmations: (ENDS, (Until("Assign", 0), Until("Done", 0), Lose("Done", 0, 1))),
}


def world(setting, *mutants):
    """A run with these seats in place of the honest ones."""
    seats = {}
    for mutant in mutants:
        seats["party" if issubclass(mutant, PartySeat) else "coordinator"] = mutant
    return World(setting, **seats)


def broken_law(simulated):
    with pytest.raises(Broken) as caught:
        simulated.run()
    return caught.value.law


@pytest.mark.parametrize("mutant", SEATS)
def test_a_fault_in_what_outlives_an_attempt_breaks_its_law(mutant):
    law, operations = SEATS[mutant]
    setting = replace(QUIET, operations=operations)
    world(setting).run()
    assert broken_law(world(setting, mutant)) == law


def test_who_has_vouched_is_kept_from_a_second_assignment_though_the_round_is_opened_again():
    """And a machine that ignores what was released is not."""
    setting = replace(QUIET, operations=VOUCHED_AND_OPENED_AGAIN)
    honest = world(setting, ReopensARound)
    forgetful = world(setting, ReopensARound, ForgetsWhatItReleased)
    honest.laws.spared = forgetful.laws.spared = frozenset({CLOSED, REFUSAL})
    honest.run()
    refused = [failed.code for seat in honest.parties.values() for _, failed in seat.failed]
    assert refused.count("attempt") >= 5
    assert broken_law(forgetful) == VOUCHES


def answers_with_gaps(patch):
    """A party that takes zeros for what a dealer has not dealt to it."""

    def filled(held, view):
        some = next(iter(held.values()))
        nothing = Held(tuple(share - share for share in some.shares), None)
        whole = {dealer: held.get(dealer, nothing) for dealer in view.dealers}
        return pool(held | whole, view)

    patch.setattr(answering, "pool", filled)


def forgets_what_it_opened(patch):
    """A coordinator whose ledger has nothing of an attempt that failed."""
    fail = CoordinatorRound.fail

    def forgetting(self, code, reason):
        outbox = fail(self, code, reason)
        self._disclosed = None
        return outbox

    patch.setattr(CoordinatorRound, "fail", forgetting)


def sends_the_coordinator_a_sum(patch):
    """A helper that takes the coordinator for a member."""
    release = party_module.PartyRound._release

    def generous(self, state):
        outbox = release(self, state)
        sums = [e.message for e in outbox if isinstance(e.message, SumShare)]
        return outbox + [Envelope(COORDINATOR, share) for share in sums[:1]]

    patch.setattr(party_module.PartyRound, "_release", generous)


def takes_a_restart_for_a_lie(patch):
    """A coordinator that holds against a lost party what it says after it was lost."""
    handle = CoordinatorRound.handle

    def suspicious(self, sender, message):
        lost, self._lost = self._lost, {n: w for n, w in self._lost.items() if n != sender}
        outbox = handle(self, sender, message)
        self._lost = lost | self._lost
        return outbox

    patch.setattr(CoordinatorRound, "handle", suspicious)


MACHINES = {
    answers_with_gaps: (LEDGER, (Until("Deal", 0, "party-5"), Lose("Deal", 30, 1))),
    forgets_what_it_opened: (LEDGER, (Until("Answers", 0), Deliver(5, 0), Lose("Answers", 0, 3))),
    sends_the_coordinator_a_sum: (UNSEEN, ()),
    takes_a_restart_for_a_lie: (
        BLAME,
        (
            Until("Answers", 0),
            Expire("party-3"),
            Deliver(60, 0),
            Crash("party-3", False),
            Restart("party-3"),
        ),
    ),
}


@pytest.mark.parametrize("mutation", MACHINES)
def test_a_fault_in_a_machine_breaks_its_law(mutation, monkeypatch):
    law, operations = MACHINES[mutation]
    setting = replace(QUIET, operations=operations)
    World(setting).run()
    mutation(monkeypatch)
    assert broken_law(World(setting)) == law
