"""The clock of `bench.clock` keeps the time that latency, rates, cores and charges ask for."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from secfpp.bench.clock import Charges, Clock
from secfpp.bench.links import Network
from secfpp.bench.simulated import clocked, clocked_rows, fitted
from secfpp.bench.work import RoundBench
from secfpp.transport.profiles import Profile

BENCH = RoundBench(parties=6, dim=1024, colluders=1, clusters=2, repeats=1)
FREE = Charges(0.0, 0.0, 0.0, 0.0)
COMPUTING = 0.5  # Seconds that the machines themselves may take at most, on a busy machine.


def network(**profile: float) -> Network:
    return Network("made up", lambda _, __: Profile(**profile))


def test_a_round_takes_its_flights_times_the_latency_and_is_exact():
    secure, plain = clocked_rows(BENCH, network(rtt_ms=20_000), FREE, None)
    assert secure["exact"] is True
    assert secure["flights"] == 5 + 2 * secure["batches"]
    assert 0 <= secure["seconds_median"] - 10 * secure["flights"] < COMPUTING
    assert plain["seconds_median"] == pytest.approx(2 * 10)


def test_a_slow_link_adds_the_bytes_on_the_critical_path():
    mbit = 0.01
    one = clocked(BENCH, network(mbit=mbit), FREE, None)
    rate = 1e6 * mbit / 8
    most = sum(one.sent.values()) / rate
    share = 8 * math.ceil(BENCH.dim / one.coordinator.params.prompt_code.chunks)
    assert share / rate < one.seconds < most


def test_what_goes_over_the_wire_is_the_closed_form_and_little_more():
    secure, _ = clocked_rows(RoundBench(parties=10, repeats=1), network(), FREE, None)
    assert 1.0 <= secure["bytes_payload"] / secure["bytes_formula"] <= 1.1
    assert secure["bytes_total"] > secure["bytes_payload"]


def test_the_closed_form_of_each_part_is_what_was_counted_of_it():
    """To the byte, as signatures here have one length; what is around them is an estimate."""
    bench = RoundBench(parties=21, dim=1000, colluders=2, clusters=3, repeats=1)
    secure, _ = clocked_rows(bench, network(), FREE, None)
    counted, formula = secure["bytes_sent_by_part"], secure["bytes_formula_by_part"]
    assert sum(counted.values()) == secure["bytes_sent_a_party"]["mean"] * bench.parties
    for part in ("shares", "masks", "answers", "echoes", "sums"):
        assert counted[part] == formula[part], part
    assert formula["headings"] == pytest.approx(counted["headings"], rel=0.1)


def test_charges_are_paid_for_each_message_at_both_ends_and_for_each_relay():
    free = clocked(BENCH, network(), FREE, None)
    charged = clocked(BENCH, network(), Charges(1.0, 0.0, 0.0, 0.0, relay=0.5), None)
    paid = charged.clock.spent - free.clock.spent
    assert paid == pytest.approx(charged.messages * (2 * 1.0 + 0.5), abs=COMPUTING)


def test_charges_for_messages_and_participants_are_found_again_in_what_rounds_took():
    """Rounds of the clock itself in the place of measured ones: their charges are known."""
    wanted = Charges(1.0, 0.0, 0.0, 0.0, round=20.0)
    cases = []
    for parties in (6, 9, 12):
        bench = RoundBench(parties=parties, dim=1024, colluders=1, clusters=2, repeats=1)
        one = clocked(bench, network(), wanted, None)
        turn = SimpleNamespace(cpu_seconds=one.clock.spent)
        cases.append((bench, network(), SimpleNamespace(turns=[turn], relay_seconds=0.0)))
    found = fitted(cases)
    assert found.message == pytest.approx(1.0, rel=0.01)
    assert found.round == pytest.approx(20.0, rel=0.05)
    alone = fitted(cases[:1])
    assert alone.round == 0.0
    assert alone.message > 1.0


def test_what_a_relay_spends_is_learnt_only_where_there_was_one():
    spent = SimpleNamespace(turns=[SimpleNamespace(cpu_seconds=9.0)], relay_seconds=5.0)
    fast = Network("none", lambda _, __: Profile())
    assert fitted([(BENCH, fast, spent)]).relay == 0.0
    messages = clocked(BENCH, network(), FREE, None).messages
    both = fitted([(BENCH, fast, spent), (BENCH, network(), spent)])
    assert both.relay == pytest.approx(5.0 / messages)


def ends(cores: int | None, jobs: list[tuple[float, str]]) -> list[float]:
    """When jobs of a second each end, in the order in which they do."""
    clock, found = Clock(cores), []

    def job(now: float) -> float:
        found.append(now + 1.0)
        return now + 1.0

    for when, who in jobs:
        clock.at(when, lambda now, who=who: clock.work(now, who, job))
    clock.run()
    assert clock.spent == len(jobs)
    return found


def test_two_cores_work_for_two_at_a_time_and_nobody_does_two_things_at_once():
    assert ends(2, [(0.0, "a"), (0.0, "b"), (0.0, "c")]) == [1.0, 1.0, 2.0]
    assert ends(None, [(0.0, "a"), (0.0, "b"), (0.0, "a"), (5.0, "b")]) == [1.0, 1.0, 2.0, 6.0]


def test_no_core_waits_for_somebody_who_is_busy_while_somebody_else_could_work():
    assert ends(2, [(0.0, "a"), (0.0, "a"), (0.5, "b")]) == [1.0, 1.5, 2.0]


def test_more_cores_never_make_a_round_longer_than_one_core():
    charges = Charges(1.0, 0.0, 0.0, 0.0)
    one, two, own = (clocked(BENCH, network(), charges, cores).seconds for cores in (1, 2, None))
    assert own < two < one
