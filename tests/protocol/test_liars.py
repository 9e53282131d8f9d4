"""Up to A of the T colluders lie in every way that the rules list: nobody honest is ever named."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secfpp.protocol.checking import BlameRule
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.messages import Deal, Opening
from secfpp.protocol.party_states import Finished
from secfpp.transport.loopback import Order, in_order

from .liars import LIES, require_only_liars_are_named, with_liars

ROUNDS = 120


@st.composite
def federations_with_liars(draw):
    """The sizes of a federation, its liars and their lies, and the seeds of chance and of order."""
    colluders = draw(st.integers(1, 2), label="T")
    adversaries = draw(st.integers(1, colluders), label="A")
    stragglers = draw(st.integers(0, 1), label="S")
    least = 2 * colluders + 2 + stragglers + 2 * adversaries
    parties = draw(st.integers(least, 13), label="n")
    names = st.sampled_from([f"party-{index}" for index in range(parties)])
    ways = st.sets(st.sampled_from(LIES), min_size=1, max_size=4)
    lies = draw(st.dictionaries(names, ways, min_size=1, max_size=adversaries), label="lies")
    sizes = {
        "parties": parties,
        "clusters": draw(st.integers(1, 2), label="clusters"),
        "colluders": colluders,
        "adversaries": adversaries,
        "stragglers": stragglers,
        "seed": draw(st.integers(0, 2**32 - 1), label="vectors"),
    }
    return sizes, lies, draw(st.integers(0, 2**32 - 1), label="whom and where the lies hit")


def order_of(seed: int) -> Order:
    """The order of posting for 0, else a random one."""
    return random.Random(seed).randrange if seed else in_order


def test_no_honest_party_is_named_and_what_opens_is_exact(federation, equals_plain):
    """A law over federations, liars, lies and orders of delivery."""
    tally: Counter[str] = Counter()

    @settings(max_examples=ROUNDS, suppress_health_check=[HealthCheck.too_slow])
    @given(federations_with_liars(), st.integers(0, 2**32 - 1))
    def law(cast, order):
        sizes, lies, chance = cast
        setup = federation(dim=64, **sizes)
        network = with_liars(setup, lies, random.Random(chance), order_of(order))
        require_only_liars_are_named(network, lies)
        result = network.coordinator.result
        tally[type(result).__name__] += 1
        tally.update(blame.rule.name for blame in network.coordinator.blames)
        if isinstance(result, Closed):
            equals_plain(setup, network)

    law()
    print(dict(tally))
    assert tally["Closed"] + tally["Failed"] >= ROUNDS
    assert tally["Closed"] >= ROUNDS // 2
    assert sum(tally[rule.name] for rule in BlameRule) >= ROUNDS // 4


@pytest.mark.parametrize(
    ("lies", "rules"),
    [
        ({"share off the word"}, {BlameRule.BAD_LEAF, BlameRule.NO_WORD}),
        ({"mask off the word"}, {BlameRule.BAD_LEAF, BlameRule.NO_WORD}),
        ({"masks that do not sum to zero"}, {BlameRule.NO_WORD}),
        ({"two roots"}, {BlameRule.TWO_ROOTS}),
        ({"false check value"}, {BlameRule.FALSE_CHECK}),
    ],
)
def test_each_lie_about_dealing_is_named_by_its_rule(federation, equals_plain, lies, rules):
    found: set[BlameRule] = set()
    for seed in range(12):
        setup = federation(parties=10, dim=64, colluders=2, adversaries=1, seed=seed)
        network = with_liars(setup, {"party-1": lies}, random.Random(seed))
        (blame,) = network.coordinator.blames
        assert blame.blamed == "party-1"
        found.add(blame.rule)
        equals_plain(setup, network)
        dealers = [party for party, _ in network.coordinator.result.disclosed.labels]
        assert ("party-1" in dealers) == (blame.dealer != "party-1")
    assert found <= rules
    assert found & rules


@pytest.mark.parametrize(
    "evasion", ["opens another leaf", "opens a leaf of another root", "opens nothing"]
)
def test_who_does_not_open_the_leaf_in_dispute_is_lost_and_nobody_is_named(
    federation, equals_plain, evasion
):
    setup = federation(parties=10, dim=64, colluders=2, adversaries=1)
    network = with_liars(setup, {"party-1": {"false check value", evasion}}, random.Random(0))
    assert not network.coordinator.blames
    assert set(network.coordinator.lost) == {"party-1"}
    assert "leaf" in network.coordinator.lost["party-1"]
    equals_plain(setup, network)


def test_wrong_answers_and_wrong_sums_are_corrected_and_their_senders_found(
    federation, equals_plain
):
    setup = federation(parties=10, dim=64, colluders=2, adversaries=1)
    lies = {"party-4": {"one wrong answer", "wrong sum"}}
    network = with_liars(setup, lies, random.Random(0))
    finished = equals_plain(setup, network)
    assert finished >= 9
    assert {violation.peer for violation in network.coordinator.violations} == {"party-4"}
    found = {v.peer for party in network.parties.values() for v in party.violations}
    assert found <= {"party-4"}


def test_more_liars_than_agreed_end_the_round_and_nobody_is_named(federation):
    for seed in range(10):
        setup = federation(parties=10, dim=64, colluders=2, adversaries=1, seed=seed)
        lies = {"party-2": {"wrong answers"}, "party-7": {"wrong answers"}}
        network = with_liars(setup, lies, random.Random(seed))
        assert not isinstance(network.coordinator.result, Closed)
        assert "more than A = 1 parties answered wrong" in network.coordinator.result.reason
        assert not network.coordinator.violations
        assert not network.coordinator.blames
        assert not any(isinstance(p.result, Finished) for p in network.parties.values())


def test_no_conflict_costs_no_flight_and_no_leaf_is_opened(federation, equals_plain):
    setup = federation(parties=10, dim=64, colluders=2, adversaries=1)
    network = setup.network()
    network.run()
    assert equals_plain(setup, network) == 10
    assert not [p for p in network.delivered if isinstance(p.message, Opening)]
    assert all(p.message.commitment for p in network.delivered if isinstance(p.message, Deal))
