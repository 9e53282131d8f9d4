"""A lying coordinator and a party open no two assignments of one round, whatever it splits (§7)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from secfpp.cluster.methods import ClusteringMethod
from secfpp.errors import ConfigError
from secfpp.protocol.messages import Assign, Deal, Open, Ready, Received, SumShare
from secfpp.protocol.party_states import Failed

COLLUDER, VICTIM, BOUND = "party-0", "party-4", ("party-1", "party-2")
SHOWN = frozenset(f"party-{i}" for i in range(5))
"""Who is shown the first assignment: a bare majority of the eight witnesses."""

REST = ("party-0", "party-5", "party-6", "party-7")
"""The colluder, and those who are not shown it, and so have vouched for nothing."""

STRANGERS = ("party-8", "party-9", "party-10")
"""Who is not in the first attempt, and so knows no witnesses of the round."""

FLOAT32_IN_LEVELS = 16  # A mean is rounded to float32; a sum of five such is off by as much.


def relabelled(post, together):
    """The assignment as the coordinator would like it: `together` in one cluster."""
    labels = [(party, party in together) for party, _ in post.message.labels]
    first = {}
    ordered = tuple((party, first.setdefault(inside, len(first))) for party, inside in labels)
    return replace(post, message=replace(post.message, labels=ordered))


def first_attempt(federation):
    """It ends with the sum of the rest and the victim at the colluder."""
    setup = federation(parties=8, clusters=1)

    def half_the_story(post):
        if not isinstance(post.message, Assign):
            return (post,)
        return (relabelled(post, (*REST, VICTIM)),) if post.to in SHOWN else ()

    network = setup.network(fault=half_the_story)
    network.run()
    bound = {name for name, party in network.parties.items() if party.released is not None}
    assert bound == SHOWN
    return setup, network


def second_of_the_rest(federation, setup, witnesses, known):
    """An attempt among the rest only; `known` are the witnesses that each of them remembers."""
    changes = {
        "key": replace(setup.params.key, attempt=2),
        "roster": REST,
        "witnesses": witnesses,
        "sharings": setup.params.sharings,
    }
    again = federation(parties=4, changes=changes, witnesses=dict.fromkeys(REST, known))
    again.levels.update(setup.levels)
    network = again.network()
    network.run()
    return network


def difference(setup, first, second):
    """What the colluder gets by subtracting the sum of four from the sum of five, in levels."""
    bits = setup.params.prompt_sharing.fraction_bits
    sums = [
        np.rint(network.parties[COLLUDER].result.mean.astype(np.float64) * members * 2.0**bits)
        for network, members in ((first, 5), (second, 4))
    ]
    return sums[0] - sums[1]


def test_among_those_who_vouched_for_nothing_there_are_too_few_of_the_rounds_witnesses(federation):
    setup, _ = first_attempt(federation)
    witnesses = setup.params.witnesses
    with pytest.raises(ConfigError, match=r"4 of the round's 8 witnesses .* = 6 are needed"):
        second_of_the_rest(federation, setup, witnesses, witnesses)


def test_with_other_witnesses_nobody_who_took_part_joins(federation):
    setup, _ = first_attempt(federation)
    second = second_of_the_rest(federation, setup, REST, setup.params.witnesses)
    for party in second.parties.values():
        assert isinstance(party.result, Failed)
        assert party.result.code == "attempt"
    assert not [p for p in second.delivered if isinstance(p.message, SumShare)]


def test_if_parties_forgot_the_witnesses_two_sums_would_show_one_vector(federation):
    setup, first = first_attempt(federation)
    second = second_of_the_rest(federation, setup, REST, ())
    assert np.abs(difference(setup, first, second) - setup.levels[VICTIM]).max() <= (
        FLOAT32_IN_LEVELS
    )


def split_openings(federation, setup, *, bound_to_parameters):
    """The rest are told the round's witnesses and strangers are told others, in one attempt.

    The coordinator lies in all else, too: about the witnesses, what came, and who belongs together.
    Where deals are not `bound_to_parameters` the strangers take those of the rest for good.
    """
    roster = ("party-5", *STRANGERS, COLLUDER, *BOUND, "party-6", "party-7")
    told = federation(
        parties=9,
        method=ClusteringMethod.ONE_SHOT,
        changes={
            "key": replace(setup.params.key, attempt=2),
            "roster": roster,
            "witnesses": (*STRANGERS, COLLUDER),
            "sharings": setup.params.sharings,
        },
        witnesses=dict.fromkeys(setup.params.roster, setup.params.witnesses),
    )
    to_the_rest = replace(told.params, witnesses=setup.params.witnesses)
    honest_rest = set(REST) - {COLLUDER}
    told.witnesses.pop(COLLUDER)  # It goes along with everything.
    quantiser = told.params.prompt_sharing.quantiser
    rng = np.random.default_rng(0)
    for name in STRANGERS:
        told.levels[name] = quantiser.levels(rng.normal(size=64).astype(np.float32) * 0.2)[0]
    told.levels.update(setup.levels)
    dealers = tuple(name for name in roster if name not in BOUND)
    everything = tuple(
        Received(name, True, name in told.params.mask_dealers, b"", b"", ()) for name in dealers
    )

    word = Ready(told.params.key, everything, b"")

    def lies(post):
        match post.message:
            case _ if post.sender in BOUND or post.to in BOUND:
                return ()  # They would refuse: the coordinator speaks for them.
            case Open() if post.to in honest_rest:
                return (replace(post, message=Open(to_the_rest)),)
            case Ready():
                return tuple(
                    replace(post, sender=name, message=word)
                    for name in (post.sender, *(BOUND if post.sender == COLLUDER else ()))
                )
            case Assign():
                return (relabelled(post, REST),)
            case Deal() as deal if not bound_to_parameters:
                seen = to_the_rest if post.to in honest_rest else told.params
                return (replace(post, message=replace(deal, params_digest=seen.digest)),)
            case _:
                return (post,)

    network = told.network(fault=lies)
    network.run()
    return network


def test_shares_are_good_for_the_parameters_only_that_their_dealer_agreed_to(federation):
    setup, _ = first_attempt(federation)
    second = split_openings(federation, setup, bound_to_parameters=True)
    for name in STRANGERS:
        reasons = {v.peer: v.reason for v in second.parties[name].violations}
        assert reasons == dict.fromkeys(
            ("party-5", "party-6", "party-7"), "dealt under other parameters than were opened here"
        )
    assert not [p for p in second.delivered if isinstance(p.message, SumShare)]


def test_if_deals_did_not_name_their_parameters_two_sums_would_show_one_vector(federation):
    setup, first = first_attempt(federation)
    second = split_openings(federation, setup, bound_to_parameters=False)
    assert np.abs(difference(setup, first, second) - setup.levels[VICTIM]).max() <= (
        FLOAT32_IN_LEVELS
    )
