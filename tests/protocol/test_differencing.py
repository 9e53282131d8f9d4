"""One vector in two opened sums of a round: the ways there, and what closes them (§7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secfpp.algebra.field import stack, sum_of
from secfpp.cluster.queries import Query
from secfpp.errors import PolicyRefusal
from secfpp.protocol.disclosure import View, check_batch
from secfpp.protocol.messages import Deal, Echo, EchoStage, SumShare
from secfpp.protocol.party_states import Failed, Finished

COLLUDERS = ("party-0", "party-1")
QUICK = ("party-2", "party-3")  # No more than S, and K + T ≤ S + T: their shares are enough.
ROSTER_OF_TEN = {"parties": 10, "colluders": 2, "stragglers": 2, "clusters": 1}


def only_the_quick_hear_of_the_others(post):
    """The assignment's echoes reach two honest parties only, before the attempt ends."""
    final = isinstance(post.message, Echo) and post.message.stage is EchoStage.ASSIGNMENT
    return () if final and post.to not in QUICK else (post,)


def cut_short(federation):
    """A first attempt in which two honest parties have sent sum shares and nobody else."""
    setup = federation(**ROSTER_OF_TEN)
    assert setup.params.prompt_code.chunks <= setup.params.stragglers
    network = setup.network(fault=only_the_quick_hear_of_the_others)
    held = {name: party for name, party in network.parties.items() if name in COLLUDERS}
    shares = {}
    for name, party in held.items():
        handle = party.handle

        def spying(sender, message, *, party=party, name=name, handle=handle):
            if hasattr(party.state, "held"):
                shares[name] = party.state.held
            return handle(sender, message)

        party.handle = spying
    network.run()
    assert {p.sender for p in network.delivered if isinstance(p.message, SumShare)} == set(QUICK)
    return setup, network, shares


def again(federation, setup, released):
    """The second attempt, without three parties that vanished."""
    second = federation(
        **{**ROSTER_OF_TEN, "parties": 7},
        released=released,
        vectors={name: (levels,) for name, levels in setup.levels.items()},
        changes={
            "key": replace(setup.params.key, attempt=2),
            "sharings": setup.params.sharings,
        },
    )
    network = second.network()
    network.run()
    return network


def test_who_vouched_for_an_assignment_joins_no_later_attempt_among_others(federation):
    setup, first, _ = cut_short(federation)
    released = {name: party.released for name, party in first.parties.items()}
    second = again(federation, setup, released)
    for party in second.parties.values():
        assert isinstance(party.result, Failed)
        assert party.result.code == "attempt"
        assert "accepted an assignment of this round among another roster" in party.result.reason
    assert not [p for p in second.delivered if isinstance(p.message, Deal | SumShare)]


def test_if_only_senders_were_bound_two_sums_of_one_round_would_be_opened(federation):
    """S shares and the colluders' own open the first sum; those who sent none open a second."""
    setup, first, shares = cut_short(federation)
    params, code = setup.params, setup.params.prompt_code
    sent = {
        p.sender: p.message.values
        for p in first.delivered
        if isinstance(p.message, SumShare) and p.to == "party-0"
    }
    own = {
        name: sum_of([shares[name][dealer].shares[-1] for dealer in params.roster])
        for name in COLLUDERS
    }
    known = {**own, **sent}
    places = [params.index(name) for name in sorted(known)]
    chunks = code.decode(code.share_degree, places, stack([known[name] for name in sorted(known)]))
    opened = code.join(chunks, params.prompt_sharing.dim).to_signed()
    assert opened.tolist() == sum(setup.levels.values()).tolist()

    senders_only = {name: first.parties[name].released for name in QUICK}
    second = again(federation, setup, senders_only)
    result = second.parties["party-0"].result
    assert isinstance(result, Finished)
    assert result.mean is not None
    assert set(result.cluster) == {"party-0", "party-1", "party-4", "party-5", "party-6"}


def test_a_cluster_of_two_is_a_query_about_the_other_party(federation):
    """m·x_i − Σ over {i, s} is x_i − x_s: the budget about s counts it."""
    setup = federation(changes={"queries_per_party": 2})
    view = View(setup.params.roster, setup.params.mask_dealers)
    asked = tuple(Query(f"party-{i}", (f"party-{i}", "party-6")) for i in range(3))
    for query in asked[:2]:
        check_batch(setup.params, view, (query,))
        view = view.extended((query,))
    with pytest.raises(PolicyRefusal, match="would make it 3 about party-6"):
        check_batch(setup.params, view, asked[2:])
