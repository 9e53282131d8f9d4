"""Attacks on what is opened, each run among real machines with its one protection on and off (§5).

Two chunks (K = 2, T = S = 1, seven parties): the clusterer asks how far everybody is from party-0
first. The coordinator's machine follows the protocol; what a lying one shows is the network's work.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from secfpp.algebra.coding import lagrange_matrix
from secfpp.algebra.field import FieldArray, P, stack
from secfpp.algebra.fixedpoint import Quantiser
from secfpp.cluster.queries import Query
from secfpp.protocol import answering, dealing
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.messages import Answers, Ask, Halt, SumShare
from secfpp.protocol.params import SharingSpec
from secfpp.protocol.party_states import Failed, Finished

COLLUDER, VICTIM, FEW = "party-0", "party-3", "party-6"
ABOUT_THE_VICTIM = Query(VICTIM, (COLLUDER,))


def first_answers(network) -> dict[str, FieldArray]:
    """What came to the first batch, by sender."""
    return {
        post.sender: post.message.values
        for post in network.delivered
        if isinstance(post.message, Answers) and post.message.batch == 0
    }


def place_of(network, query: Query) -> int:
    """The query's place in the first batch, and so the number of its mask."""
    asks = (post.message for post in network.delivered if isinstance(post.message, Ask))
    return next(ask.queries.index(query) for ask in asks if query in ask.queries)


def halts(network, code: str) -> set[str]:
    return {
        post.sender
        for post in network.delivered
        if isinstance(post.message, Halt) and post.message.code == code
    }


def run(setup, fault=lambda post: (post,)):
    network = setup.network(fault=fault)
    network.run()
    return network


# --- Masks dealt by a coalition only.


def masks_of_the_colluder_only(post):
    """C tells everybody alike that V is a coalition of T."""
    if isinstance(post.message, Ask):
        return (replace(post, message=replace(post.message, mask_dealers=(COLLUDER,))),)
    return (post,)


def distances_by_chunk(setup, network, dealt) -> list[int]:
    """The K partial distances of VICTIM, once the colluder has taken its own masks away."""
    params, code = setup.params, setup.params.feature_code
    place, answers = place_of(network, ABOUT_THE_VICTIM), first_answers(network)
    places = [params.index(party) for party in params.roster if party in answers]
    own = stack([dealt.masks[COLLUDER][j][place : place + 1] for j in places])
    given = stack([answers[params.roster[j]][place : place + 1] for j in places])
    chunks = code.decode(code.product_degree, places, given - own)
    return [int(value) for value in chunks.reshape(-1).values]


def true_distances_by_chunk(setup) -> list[int]:
    gap = (setup.levels[VICTIM] - setup.levels[COLLUDER]).astype(object)
    return [int((half**2).sum()) for half in np.split(gap, 2)]


def test_masks_dealt_by_a_coalition_only_are_refused_by_every_party(federation, dealt):
    setup = federation()
    network = run(setup, masks_of_the_colluder_only)
    assert halts(network, "mask_dealers") == set(setup.params.roster)
    assert first_answers(network) == {}


def test_the_masks_of_t_plus_one_dealers_hide_the_distances_by_chunk(federation, dealt):
    setup = federation()
    network = run(setup)
    shown = distances_by_chunk(setup, network, dealt)
    assert shown != true_distances_by_chunk(setup)
    assert sum(shown) % P == sum(true_distances_by_chunk(setup))


def test_without_that_refusal_the_coalition_reads_the_distances_by_chunk(
    federation, dealt, monkeypatch
):
    monkeypatch.setattr(answering, "check_agreement", lambda *_: None)
    setup = federation()
    network = run(setup, masks_of_the_colluder_only)
    assert isinstance(network.coordinator.result, Closed)
    assert distances_by_chunk(setup, network, dealt) == true_distances_by_chunk(setup)


# --- A query about nothing, to few parties.


def nothing_to_few(post):
    """C asks one party how far everybody is from itself, and all others what policy allows."""
    if isinstance(post.message, Ask) and post.message.batch == 0 and post.to == FEW:
        nothing = tuple(replace(q, members=(q.subject,)) for q in post.message.queries)
        return (replace(post, message=replace(post.message, queries=nothing)),)
    return (post,)


def square_read(setup, network) -> int:
    """‖x_VICTIM − x_COLLUDER‖² of FEW's shares: the others' word there, less the bare mask."""
    params, code = setup.params, setup.params.feature_code
    place, answers = place_of(network, ABOUT_THE_VICTIM), first_answers(network)
    others = [p for p in params.roster if p in answers and p != FEW][: code.product_degree + 1]
    points = tuple(code.alphas[params.index(party)] for party in others)
    weights = lagrange_matrix(points, (code.alphas[params.index(FEW)],))[0]
    word = sum(w * int(answers[p].values[place]) for w, p in zip(weights, others, strict=True))
    return (word - int(answers[FEW].values[place])) % P


def test_a_query_about_nothing_to_few_parties_is_refused_by_them(federation):
    setup = federation()
    network = run(setup, nothing_to_few)
    assert halts(network, "queries") == {FEW}
    assert set(first_answers(network)) == set(setup.params.roster) - {FEW}


def test_without_that_refusal_the_bare_masks_of_few_show_squares_of_their_shares(
    federation, dealt, monkeypatch
):
    monkeypatch.setattr(answering, "check_batch", lambda *_: None)
    setup = federation()
    network = run(setup, nothing_to_few)
    few = setup.params.index(FEW)
    gap = dealt.shares[VICTIM][few] - dealt.shares[COLLUDER][few]
    assert square_read(setup, network) == sum(int(v) ** 2 for v in gap.values) % P


# --- A vector out of range.

FAR, COORDINATE = 2**29, 7


@pytest.fixture
def boundless(monkeypatch):
    """Switches off what C and the members hold decoded values against: B is as good as infinite."""
    return lambda: monkeypatch.setattr(Quantiser, "bound", 2**58)


def with_a_vector_out_of_range(federation, monkeypatch, **changes):
    """COLLUDER's machine deals what its owner has put in place of its last vector."""
    monkeypatch.setattr(dealing, "_checked", lambda params, vectors: vectors)
    setup = federation(parties=7, clusters=1, adversaries=1, **changes)
    rng, far = np.random.default_rng(0), np.zeros(64, dtype=np.int64)
    setup.levels = {party: rng.integers(-9, 10, 64) for party in setup.params.roster}
    far[COORDINATE] = FAR
    before = len(setup.params.sharings) - 1
    setup.vectors = {
        party: (*[levels] * before, far if party == COLLUDER else levels)
        for party, levels in setup.levels.items()
    }
    return setup


def coordinates_read(network) -> dict[str, int]:
    """‖x − N·e‖² = ‖x‖² − 2N·x_e + N²: the coordinate e of everybody asked about COLLUDER's."""
    return {
        line.query.subject: round((FAR**2 - line.value) / (2 * FAR))
        for line in network.coordinator.disclosed.distances
        if line.query.members == (COLLUDER,)
    }


def test_a_vector_out_of_range_ends_the_round_before_anything_is_made_of_it(
    federation, monkeypatch
):
    setup = with_a_vector_out_of_range(federation, monkeypatch)
    network = run(setup)
    assert isinstance(network.coordinator.result, Failed)
    assert "out of range" in network.coordinator.result.reason
    assert {line.batch for line in network.coordinator.disclosed.distances} == {0}
    assert not any(isinstance(party.result, Finished) for party in network.parties.values())


def test_without_that_bound_it_shows_a_coordinate_of_everybody_and_nobody_notices(
    federation, monkeypatch, boundless
):
    setup = with_a_vector_out_of_range(federation, monkeypatch)
    boundless()
    network = run(setup)
    assert isinstance(network.coordinator.result, Closed)
    assert not network.coordinator.blames
    others = {party: levels for party, levels in setup.levels.items() if party != COLLUDER}
    assert coordinates_read(network) == {p: levels[COORDINATE] for p, levels in others.items()}


SEPARATE = {
    "changes": {"sharings": tuple(SharingSpec(kind, 64, 1.0, 22) for kind in ("feature", "prompt"))}
}


def test_a_prompt_out_of_range_reaches_no_member(federation, monkeypatch):
    """The feature is in range, so that C notices nothing: the members refuse the sum."""
    network = run(with_a_vector_out_of_range(federation, monkeypatch, **SEPARATE))
    assert [post for post in network.delivered if isinstance(post.message, SumShare)]
    assert halts(network, "sum") == set(network.parties)
    assert not any(isinstance(party.result, Finished) for party in network.parties.values())


def test_without_that_bound_one_prompt_moves_the_mean_of_its_cluster_at_will(
    federation, monkeypatch, boundless
):
    setup = with_a_vector_out_of_range(federation, monkeypatch, **SEPARATE)
    clip = setup.params.prompt_sharing.clip
    boundless()
    network = run(setup)
    for party in network.parties.values():
        assert isinstance(party.result, Finished)
        assert party.result.mean[COORDINATE] > 10 * clip
