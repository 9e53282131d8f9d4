"""Attacks on the protocol of a round; each succeeds when its one protection is switched off."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from secfpp.cluster.queries import Query
from secfpp.errors import ConfigError, PolicyRefusal, RoundFailed
from secfpp.protocol import answering
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.disclosure import View, check_agreement, check_batch, check_labels
from secfpp.protocol.echoes import Echoes
from secfpp.protocol.messages import Answers, Ask, Assign, Deal, Halt, Ready, SumShare
from secfpp.protocol.opening import open_distances, require_possible
from secfpp.protocol.party_states import Assigned, Failed, Finished, Summing


def view_of(setup) -> View:
    return View(setup.params.roster, setup.params.mask_dealers)


def ask(setup, *queries: Query) -> Ask:
    params = setup.params
    return Ask(params.key, 0, params.roster, params.mask_dealers, queries)


def test_a_query_about_a_party_and_itself_alone_is_refused(federation):
    """Its distance is 0 by definition, so every answer would be a bare mask."""
    setup = federation()
    bare = Query("party-1", ("party-1",))
    with pytest.raises(PolicyRefusal, match="bare mask"):
        check_batch(setup.params, view_of(setup), (bare,))
    network = setup.network(fault=lambda p: () if isinstance(p.message, Ask) else (p,))
    party = _until_checking(network)
    (halt,) = party.handle("coordinator", ask(setup, bare))
    assert isinstance(halt.message, Halt)
    assert halt.message.code == "queries"


def test_without_the_refusal_such_a_query_shows_the_mask(federation, monkeypatch):
    monkeypatch.setattr(answering, "check_batch", lambda *_: None)
    setup = federation()
    network = setup.network(fault=lambda p: () if isinstance(p.message, Ask) else (p,))
    party = _until_checking(network)
    outbox = party.handle("coordinator", ask(setup, Query("party-1", ("party-1",))))
    (answer,) = [e.message for e in outbox if isinstance(e.message, Answers)]
    assert int(answer.values.values[0]) == int(party.state.pooled.masks.values[0])


def _until_checking(network):
    """One party after all deals have come, before the first question."""
    network._post("coordinator", network.coordinator.open())
    network._deliver_all()
    return network.parties["party-0"]


def test_a_party_that_lacks_a_dealers_share_does_not_answer(federation):
    setup = federation(parties=8)
    lost = ("party-3", "party-0")
    network = setup.network(
        fault=lambda p: () if isinstance(p.message, Deal) and (p.sender, p.to) == lost else (p,)
    )
    network.run()
    answered = {p.sender for p in network.delivered if isinstance(p.message, Answers)}
    asked = next(p.message for p in network.delivered if isinstance(p.message, Ask))
    assert "party-3" in asked.dealers
    assert "party-0" not in answered
    assert len(answered) == 7


def test_a_dealer_is_left_out_rather_than_two_parties_where_one_may_be_lost(federation):
    """party-0 lacks a deal and party-7 is lost after its `Ready`: its word counts no more."""
    setup = federation(parties=8)
    lost = ("party-3", "party-0")

    def fault(post):
        if isinstance(post.message, Deal) and (post.sender, post.to) == lost:
            return ()
        if isinstance(post.message, Ready) and post.sender == "party-7":
            return (post, replace(post, message=Halt(post.message.key, "gone", "it crashed")))
        return (post,)

    network = setup.network(fault=fault)
    network.run()
    assert isinstance(network.coordinator.result, Closed)
    dealers = [party for party, _ in network.coordinator.result.disclosed.labels]
    assert dealers == [party for party in setup.params.roster if party != "party-3"]
    answered = {p.sender for p in network.delivered if isinstance(p.message, Answers)}
    assert answered == set(setup.params.roster) - {"party-7"}


def test_answering_as_if_the_missing_dealer_had_dealt_zeros_would_open_a_wrong_distance(federation):
    """Why: the answers of one party that leaves a dealer out lie on another polynomial."""
    setup = federation(parties=8)
    network = setup.network()
    network.run()
    batch = next(p.message for p in network.delivered if isinstance(p.message, Ask))
    answers = {
        p.sender: p.message
        for p in network.delivered
        if isinstance(p.message, Answers) and p.message.batch == 0
    }
    honest = open_distances(setup.params, batch.queries, answers, os.urandom)
    short = dict(list(answers.items())[: setup.params.answers_needed])
    first = next(iter(short))
    wrong = replace(short[first], values=short[first].values + short[first].values)
    assert open_distances(setup.params, batch.queries, short, os.urandom) == honest
    opened, _ = open_distances(setup.params, batch.queries, {**short, first: wrong}, os.urandom)
    with pytest.raises(RoundFailed, match="above d'"):
        require_possible(setup.params, batch.queries, opened)


def _released(setup):
    network = setup.network()
    network.run()
    return {name: party.released for name, party in network.parties.items()}


def test_after_a_sum_no_attempt_with_other_members_is_joined(federation):
    setup = federation(parties=8)
    released = _released(setup)
    smaller = setup.params.roster[:-1]
    again = federation(
        parties=7, released=released, changes={"key": replace(setup.params.key, attempt=2)}
    )
    assert again.params.roster == smaller
    network = again.network()
    network.run()
    for party in network.parties.values():
        assert isinstance(party.result, Failed)
        assert party.result.code == "attempt"
        assert "accepted an assignment of this round among another roster" in party.result.reason
    assert not [p for p in network.delivered if isinstance(p.message, Deal | SumShare)]


def test_without_that_rule_two_attempts_show_one_partys_prompt_by_subtraction(federation):
    one = federation(parties=8, clusters=1)
    two = federation(parties=7, clusters=1, changes={"key": replace(one.params.key, attempt=2)})
    sums = []
    for setup in (one, two):
        network = setup.network()
        network.run()
        result = network.parties["party-0"].result
        assert isinstance(result, Finished)
        sums.append(result.mean.astype(np.float64) * len(result.cluster))
    quantiser = one.params.prompt_sharing.quantiser
    victim = one.levels["party-7"] / 2.0**quantiser.fraction_bits
    scale = 2.0**-quantiser.fraction_bits * 8
    assert np.abs(sums[0] - sums[1] - victim).max() < 1e-3 + scale


def split_views(setup, victim: str, colluder: str):
    """The coordinator shows half of the parties an assignment that differs in `victim`."""
    roster = setup.params.roster
    split = {name: index >= len(roster) // 2 for index, name in enumerate(roster)}

    def fault(post):
        if isinstance(post.message, Assign) and split[post.to] and post.to != colluder:
            labels = tuple((party, 1 if party == victim else 0) for party, _ in post.message.labels)
            first = {0: 0}
            relabelled = tuple((p, first.setdefault(label, len(first))) for p, label in labels)
            return (replace(post, message=replace(post.message, labels=relabelled)),)
        return (post,)

    return fault


@pytest.mark.parametrize(
    "witnesses", [range(9), (0, 1, 7, 8), (0, 2, 3, 6, 7), (1, 2, 6, 7, 8), (0, 1, 2, 6, 7, 8)]
)
def test_a_split_assignment_ends_in_refusal_and_no_sum_leaves_anyone(federation, witnesses):
    named = tuple(f"party-{index}" for index in witnesses)
    setup = federation(parties=9, clusters=1, changes={"witnesses": named})
    network = setup.network(fault=split_views(setup, "party-8", "party-0"))
    network.run()
    assert not [p for p in network.delivered if isinstance(p.message, SumShare)]
    for name, party in network.parties.items():
        assert isinstance(party.result, Failed), name


def test_without_the_echo_the_colluding_member_could_subtract_two_sums(federation, monkeypatch):
    """Helpers of both views send sums for different member sets: the difference is one vector."""
    setup = federation(parties=9, clusters=1)
    monkeypatch.setattr(Echoes, "_check_split", lambda *_: None)
    monkeypatch.setattr(type(setup.params), "echo_quorum", property(lambda self: 1))
    network = setup.network(fault=split_views(setup, "party-8", "party-0"))
    network.run()
    received = [p.message.values for p in network.delivered if isinstance(p.message, SumShare)]
    assert any(a != received[0] for a in received[1:])
    assert {type(p.state) for p in network.parties.values()} & {Summing, Finished, Assigned, Failed}


@pytest.mark.parametrize("minimum", [1, 2])
def test_a_round_that_would_open_clusters_below_the_minimum_cannot_be_described(
    federation, minimum
):
    with pytest.raises(ConfigError, match=r"minimum_cluster ≥ max\(3, T\+2\) = 3 is needed"):
        federation(changes={"minimum_cluster": minimum})


def test_a_cluster_of_t_plus_one_opens_nothing_and_its_parties_keep_their_prompts(federation):
    """With T = 2 and 3 members, two colluders would subtract themselves."""
    setup = federation(parties=11, colluders=2, clusters=2, dim=256)
    small = {"party-1", "party-3", "party-5"}
    rng = np.random.default_rng(3)
    centres = {name: setup.levels["party-1" if name in small else "party-0"] for name in setup.true}
    for name, centre in centres.items():
        setup.levels[name] = centre + rng.integers(-500, 500, 256)
    network = setup.network()
    network.run()
    disclosed = network.coordinator.result.disclosed
    assert [set(cluster) for cluster in disclosed.small] == [small]
    for name in small:
        result = network.parties[name].result
        assert isinstance(result, Finished)
        assert set(result.cluster) == small
        assert result.mean is None
    assert not [p for p in network.delivered if isinstance(p.message, SumShare) and p.to in small]


@pytest.mark.parametrize(
    ("labels", "rule"),
    [
        ((("party-0", 0),), "label each dealer once"),
        (tuple((f"party-{i}", 1) for i in range(7)), "first appearance"),
        (tuple((f"party-{i}", -1) for i in range(7)), "first appearance"),
        (tuple((f"party-{i}", 2 * (i > 3)) for i in range(7)), "first appearance"),
    ],
)
def test_an_assignment_that_is_no_partition_is_refused(federation, labels, rule):
    with pytest.raises(PolicyRefusal, match=rule):
        check_labels(view_of(federation()), labels)


@pytest.mark.parametrize(
    ("queries", "rule"),
    [
        ((), "asks for nothing"),
        ((Query("nobody", ("party-1",)),), "no dealer"),
        ((Query("party-0", ()),), "no dealer, or nobody"),
        ((Query("party-0", ("party-2", "party-1")),), "roster order"),
        (
            (Query("party-0", ("party-1", "party-2")), Query("party-0", ("party-2", "party-3"))),
            "overlap",
        ),
        (tuple(Query("party-0", (f"party-{i}",)) for i in range(1, 7)), "all pairs"),
    ],
)
def test_a_batch_outside_policy_is_refused(federation, queries, rule):
    setup = federation()
    with pytest.raises(PolicyRefusal, match=rule):
        check_batch(setup.params, view_of(setup), queries)


def test_the_budgets_of_the_round_and_of_each_party_are_kept(federation):
    setup = federation(changes={"query_budget": 3, "queries_per_party": 2})
    view = view_of(setup)
    means = tuple(Query(f"party-{i}", ("party-0", "party-1")) for i in range(4))
    with pytest.raises(PolicyRefusal, match="is 3, this batch would make it 4"):
        check_batch(setup.params, view, means)
    one = (Query("party-5", ("party-0", "party-1")), Query("party-5", ("party-2", "party-3")))
    check_batch(setup.params, view, one)
    with pytest.raises(PolicyRefusal, match="would make it 3 about party-5"):
        check_batch(setup.params, view.extended(one), (Query("party-5", ("party-0", "party-3")),))


def test_masks_of_t_dealers_are_not_enough(federation):
    setup = federation()
    with pytest.raises(PolicyRefusal, match="fewer could all be colluders"):
        check_agreement(setup.params, View(setup.params.roster, setup.params.mask_dealers[:1]))


def test_a_second_different_message_in_one_place_is_evidence_and_a_repeat_is_harmless(federation):
    setup = federation()
    network = setup.network()
    network._post("coordinator", network.coordinator.open())
    party = network.parties["party-0"]
    post = next(p for p in network._flying if p.to == "party-0")
    party.handle("coordinator", post.message)
    party.deal((setup.levels["party-0"],))
    deal = setup.network().parties["party-1"]
    deal.handle("coordinator", post.message)
    (first,) = [e for e in deal.deal((setup.levels["party-1"],)) if e.to == "party-0"]
    party.handle("party-1", first.message)
    party.handle("party-1", first.message)
    assert not party.violations
    party.handle("party-1", replace(first.message, abstains="or rather not", shares=()))
    (violation,) = party.violations
    assert violation.peer == "party-1"
    assert "two different messages" in violation.reason


@pytest.mark.parametrize(
    ("changes", "inequality"),
    [
        ({"colluders": 3}, "7 parties, T = 3, S = 1, A = 0 need at least 8"),
        ({"stragglers": 2}, r"0 ≤ S ≤ T is needed: stragglers S = 2, colluders T = 1"),
        ({"colluders": 0}, "T = 0 protects nobody"),
        ({"adversaries": 2}, r"0 ≤ A ≤ T is needed: adversaries A = 2, colluders T = 1"),
        (
            {"roster": tuple(f"p{i}" for i in range(241)), "witnesses": ("p0",), "adversaries": 1},
            "n ≤ 240 is needed with A ≥ 1, not 241",
        ),
        ({"queries_per_party": 33}, r"d' ≥ 2·R·q is needed .* 64 dimensions, 1 rounds of 33"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_the_inequality(
    federation, changes, inequality
):
    with pytest.raises(ConfigError, match=inequality):
        federation(changes=changes)
