"""Where the promise of secrecy ends: what those learn who do more than docs/protocol.md §1 allows.

Each attack is run with the product's own code at the real modulus and gives exact values.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from secfpp.algebra.coding import lagrange_matrix
from secfpp.algebra.field import FieldArray, P, stack
from secfpp.algebra.masking import zero_matrix
from secfpp.cluster.queries import Query
from secfpp.errors import RoundFailed
from secfpp.protocol import dealing
from secfpp.protocol.checking import BlameRule, judge
from secfpp.protocol.commitments import Held, SignedRoots
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.disclosure import View
from secfpp.protocol.disputes import leaf_in_dispute
from secfpp.protocol.messages import Answers, Ask, Dispute, Ready
from secfpp.protocol.opening import (
    masked_answers,
    open_distances,
    pool,
    ready_text,
    received_by,
    require_possible,
)
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party_states import Checking, Failed
from secfpp.protocol.settlement import Settlement, examine
from secfpp.transport.loopback import Post

from .distributions import Matrix, annihilator
from .real_rounds import Signer, attempt, everything_dealt, network, sign, verify

Everything = dict[str, dict[str, Held]]


def answers_to(params: RoundParams, held: Everything, query: Query) -> dict[str, Answers]:
    """What all parties answer to one query."""
    view = View(params.roster, params.mask_dealers).extended((query,))
    ask = Ask(params.key, 0, params.roster, params.mask_dealers, (query,))
    pooled = {party: pool(held[party], view) for party in params.roster}
    return {
        party: Answers(params.key, 0, masked_answers(params, mine, view, ask))
        for party, mine in pooled.items()
        if mine is not None
    }


def with_dealing_of(
    params: RoundParams, held: Everything, dealer: str, levels: Matrix
) -> Everything:
    """The same attempt, in which one dealer has dealt these levels."""
    every = {party: dict(theirs) for party, theirs in held.items()}
    messages, every[dealer][dealer] = dealing.deal(
        params, dealer, (levels,), os.urandom, Signer(dealer).sign
    )
    for party, message in messages.items():
        every[party][dealer] = dealing.receive(params, party, dealer, message)
    return every


def roots_of(params: RoundParams) -> SignedRoots:
    """Tells which roots are signed, by the signatures of `real_rounds`."""
    return SignedRoots(params, verify)


def signed(value: int) -> int:
    """The integer of magnitude below P/2 that a residue stands for."""
    return (value + P // 2) % P - P // 2


# --- A vector out of range.


@pytest.mark.parametrize("noticed", [True, False])
def test_a_vector_out_of_range_makes_one_distance_show_a_coordinate(noticed, monkeypatch):
    """‖x − N·e‖² = ‖x‖² − 2N·x_e + N² modulo P: the coordinate stands above the norm.

    It lies on a polynomial, so that checked dealing finds nothing wrong with it. With N² small
    modulo P the value is in range or not by the sign of the coordinate: half of them go unnoticed.
    """
    monkeypatch.setattr(dealing, "_checked", lambda params, vectors: vectors)
    params, far = attempt(parties=7, dim=4, adversaries=1), 2**40
    levels, held = everything_dealt(params, os.urandom)
    held = with_dealing_of(params, held, "party-0", np.array([0, far, 0, 0]))
    victim = next(i for i in range(1, 7) if (levels[i][1] > 0) == noticed and levels[i][1])
    query, code = Query(f"party-{victim}", ("party-0",)), params.feature_code
    answers = answers_to(params, held, query)
    values = stack([answer.values for answer in answers.values()])
    opened = int(code.decode_total(code.product_degree, range(7), values).values[0])
    assert round(signed(far**2 - opened) / (2 * far)) == levels[victim][1]
    assert (
        examine(params, words(params, held), roots_of(params), Settlement())[0].dealers
        == params.roster
    )
    assert open_distances(params, (query,), answers, os.urandom) == ((opened,), ())
    if noticed:
        with pytest.raises(RoundFailed, match="out of range"):
            require_possible(params, (query,), (opened,))
    else:
        require_possible(params, (query,), (opened,))


# --- Shares that nobody has checked.


def with_a_share_off(
    params: RoundParams, held: Everything, monkeypatch: pytest.MonkeyPatch
) -> Everything:
    """party-0 deals the last party a share that is off by 1 in column 2, and commits to it."""
    share = dealing._share

    def off(*arguments) -> FieldArray:
        values = share(*arguments).values.copy()
        values[-1, 2] = (int(values[-1, 2]) + 1) % P
        return FieldArray(values)

    monkeypatch.setattr(dealing, "_share", off)
    return with_dealing_of(params, held, "party-0", np.zeros(params.sharings[0].dim, np.int64))


def words(params: RoundParams, held: Everything) -> dict[str, Ready]:
    """What every party tells the coordinator of what has come."""
    every = {}
    for party in params.roster:
        received = received_by(params, held[party])
        every[party] = Ready(params.key, received, sign(party, ready_text(params, received)))
    return every


def test_an_answer_from_a_share_that_nobody_checked_shows_a_coordinate(monkeypatch):
    """Why only parties whose word has been examined may answer (K = T = A = S = 1).

    The dealer's share to the last party is off by 1 in one column. What that party's answer is off
    by is twice its share of the difference in this column, and 1; with the liar's own share that
    is the difference itself.
    """
    params = attempt(parties=7, dim=4, stragglers=1, adversaries=1)
    code, last = params.feature_code, params.roster[-1]
    assert code.chunks == 1
    levels, held = everything_dealt(params, os.urandom)
    held = with_a_share_off(params, held, monkeypatch)
    readies = words(params, held)
    assert examine(params, readies, roots_of(params), Settlement())[2] == {("party-0", last)}
    late = {party: ready for party, ready in readies.items() if party != last}
    view, _, disputed = examine(params, late, roots_of(params), Settlement())
    assert (view.dealers, disputed) == (params.roster, frozenset())

    answers = answers_to(params, held, Query("party-3", ("party-0",)))
    values = [int(answers[party].values.values[0]) for party in params.roster]
    row = lagrange_matrix(code.alphas[:3], code.alphas[6:])[0]
    excess = values[6] - sum(w * v for w, v in zip(row, values, strict=False))
    at_last = (1 - excess) * pow(2, -1, P) % P
    own = held["party-0"]
    at_own = int((own["party-3"].shares[0] - own["party-0"].shares[0]).values[2])
    to_chunk = lagrange_matrix((code.alphas[0], code.alphas[6]), code.betas[:1])[0]
    assert signed(to_chunk[0] * at_own + to_chunk[1] * at_last) == levels[3][2]
    named = open_distances(params, (Query("party-3", ("party-0",)),), answers, os.urandom)[1]
    assert named == (last,)  # And it is the honest party that is named.


def test_who_has_not_said_what_it_received_does_not_answer():
    """The word of one party is lost; its shares and masks are checked by nobody."""
    params = attempt(parties=7, dim=200, stragglers=1, adversaries=1, queries=100)
    levels, last = np.random.default_rng(3).integers(-9, 9, (7, 200)), params.roster[-1]
    rounds = network(
        params,
        levels,
        lambda post: () if (post.sender, type(post.message)) == (last, Ready) else (post,),
    )
    rounds.run()
    assert isinstance(rounds.coordinator.result, Closed)
    assert last not in {post.sender for post in rounds.delivered if _is_answer(post)}


def _is_answer(post: Post) -> bool:
    return isinstance(post.message, Answers)


# --- Values that are known and on no ledger.


def test_what_was_decoded_in_a_batch_that_fails_is_on_the_ledger(monkeypatch):
    """One vector is out of range: C has decoded the whole batch before it says so and gives up."""
    monkeypatch.setattr(dealing, "_checked", lambda params, vectors: vectors)
    params = attempt(parties=7, dim=200, adversaries=1, queries=100)
    levels = np.random.default_rng(3).integers(-9, 9, (7, 200))
    levels[3, 0] = 2**50
    rounds = network(params, levels, lambda post: (post,))
    rounds.run()
    result = rounds.coordinator.result
    assert isinstance(result, Failed)
    assert "out of range" in result.reason
    assert [post for post in rounds.delivered if _is_answer(post)]
    assert rounds.coordinator.disclosed is not None


def test_a_batch_that_was_out_when_the_round_ended_is_on_the_ledger():
    """Three of seven vanish after they were asked: too few answers come, but some have come."""
    params = attempt(parties=7, dim=200, stragglers=1, adversaries=1, queries=100)
    levels, gone = np.random.default_rng(3).integers(-9, 9, (7, 200)), set(params.roster[:3])
    rounds = network(
        params, levels, lambda post: () if _is_answer(post) and post.sender in gone else (post,)
    )
    rounds.run()
    assert isinstance(rounds.coordinator.result, Failed)
    (ask,) = {post.message.queries for post in rounds.delivered if isinstance(post.message, Ask)}
    assert rounds.coordinator.disclosed.unopened == ask
    assert rounds.coordinator.disclosed.distances == ()


# --- More than A liars.


def test_with_three_liars_where_a_is_one_an_honest_leaf_is_opened_and_shows_a_vector():
    """T = 3, A = 1, K = 1: T + 1 shares. The liars' false values of g put an honest party off.

    A combination of masks that vanishes at five of six honest parties is added at the three liars
    and nowhere else; what A = 1 allows to be wrong is then the sixth honest party's true value.
    """
    params = attempt(parties=9, dim=4, colluders=3, adversaries=1)
    code, victim, honest, liars = params.feature_code, "party-0", 5, (6, 7, 8)
    levels, held = everything_dealt(params, os.urandom)
    masks = np.array(zero_matrix(code, tuple(range(6))), dtype=object)
    (direction,) = annihilator(masks[:5].T.copy(), P)
    added = masks @ direction % P
    assert [bool(value) for value in added] == [False] * 5 + [True] * 4
    readies = words(params, held)
    for liar in liars:
        party = params.roster[liar]
        lines = tuple(
            replace(
                item,
                checks=(*item.checks[:2], (item.checks[2] + added[liar]) % P, item.checks[3]),
            )
            if item.dealer == victim
            else item
            for item in readies[party].received
        )
        readies[party] = Ready(params.key, lines, sign(party, ready_text(params, lines)))

    recipient = params.roster[honest]
    assert examine(params, readies, roots_of(params), Settlement())[2] == {(victim, recipient)}
    state = Checking(params, held[recipient], readies[recipient])
    dispute = Dispute(params.key, victim, tuple(readies.items()))
    leaf = leaf_in_dispute(state, recipient, dispute, verify)
    known = [held[params.roster[liar]][victim].shares[0] for liar in liars]
    chunks = code.decode(code.share_degree, [honest, *liars], stack([leaf.shares[0], *known]))
    assert chunks.reshape(-1)[:4].to_signed().tolist() == levels[0].tolist()
    blame = judge(params, victim, readies, roots_of(params), (recipient, leaf))
    assert blame is not None
    assert (blame.blamed, blame.rule) == (victim, BlameRule.BAD_LEAF)  # An honest dealer.
