"""Attacks by false dealing and false words, each run with its one protection on and off (§9).

The smallest federation with a liar: K = T = A = 1, five parties, whose clusterer asks how far
everybody is from party-0 first. Where two liars are run against A = 1, K = 1, T = 2 and n = 7.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import pytest

from secfpp.algebra import coding
from secfpp.algebra.coding import lagrange_matrix
from secfpp.algebra.field import FieldArray, P, from_integers
from secfpp.cluster.queries import Query
from secfpp.protocol import checking, dealing
from secfpp.protocol.checking import BlameRule, challenge
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.messages import Answers, Ask, Ready
from secfpp.protocol.params import BLINDS, RoundParams
from secfpp.protocol.party_states import Failed

from .liars import added, with_liars

LIAR, VICTIM, MARK = "party-0", "party-2", "party-3"
COLUMN = 5
SMALLEST = {"parties": 5, "colluders": 1, "stragglers": 0, "adversaries": 1, "clusters": 1}


@pytest.fixture
def unchecked(monkeypatch):
    """Switches checked dealing off: liars are corrected, and what was dealt is believed."""

    def switch() -> None:
        monkeypatch.setattr(RoundParams, "checked", property(lambda params: False))

    return switch


def cheat_the_mark(monkeypatch, changes) -> None:
    """LIAR's share to MARK is off by changes(params), {column: amount}; it commits to that."""
    share = dealing._share

    def off(params, dealer, *rest):
        rows = share(params, dealer, *rest)
        values = rows.values.copy()
        for column, amount in changes(params).items() if dealer == LIAR else ():
            place = params.index(MARK), column
            values[place] = (int(values[place]) + amount) % P
        return FieldArray(values)

    monkeypatch.setattr(dealing, "_share", off)


def one_column(params):
    return {COLUMN: 1}


def run(setup):
    network = setup.network()
    network.run()
    return network


def named(network):
    return {violation.peer for violation in network.coordinator.violations}


# --- A dealer off any polynomial reads a coordinate, together with the coordinator.


def coordinate_read(setup, network, dealt) -> int | None:
    """VICTIM's level in COLUMN, as C and LIAR compute it from one query, or None if none is asked.

    MARK answers (v − 1)² in place of v², with v its share of the difference in that column: what
    it is off by is 1 − 2v. With LIAR's own share of the difference that gives the difference.
    """
    params, code = setup.params, setup.params.feature_code
    asks = [p.message for p in network.delivered if isinstance(p.message, Ask)]
    ask = next((ask for ask in asks if Query(VICTIM, (LIAR,)) in ask.queries), None)
    if ask is None:
        return None
    place = ask.queries.index(Query(VICTIM, (LIAR,)))
    answers = {
        post.sender: int(post.message.values.values[place])
        for post in network.delivered
        if isinstance(post.message, Answers) and post.message.batch == ask.batch
    }
    liar, mark = (code.alphas[params.index(party)] for party in (LIAR, MARK))
    others = [party for party in params.roster if party != MARK][: code.product_degree + 1]
    weights = lagrange_matrix(tuple(code.alphas[params.index(p)] for p in others), (mark,))[0]
    excess = answers[MARK] - sum(w * answers[p] for w, p in zip(weights, others, strict=True))
    at_mark = (1 - excess) * pow(2, -1, P) % P
    received, own = (dealt.shares[dealer][params.index(LIAR)] for dealer in (VICTIM, LIAR))
    at_liar = int((received - own).values[COLUMN])
    to_chunk = lagrange_matrix((liar, mark), code.betas[:1])[0]
    difference = to_chunk[0] * at_liar + to_chunk[1] * at_mark
    return (difference + int(setup.levels[LIAR][COLUMN]) + P // 2) % P - P // 2


@pytest.mark.parametrize("seed", range(5))
def test_a_dealer_off_any_polynomial_is_named_before_anything_is_asked_about_it(
    federation, dealt, monkeypatch, seed
):
    cheat_the_mark(monkeypatch, one_column)
    setup = federation(**SMALLEST, seed=seed)
    network = run(setup)
    assert coordinate_read(setup, network, dealt) is None
    (blame,) = network.coordinator.blames
    assert (blame.blamed, blame.rule) == (LIAR, BlameRule.BAD_LEAF)
    assert isinstance(network.coordinator.result, Closed)


@pytest.mark.parametrize("seed", range(5))
def test_without_checked_dealing_one_legal_query_shows_it_a_coordinate(
    federation, dealt, monkeypatch, unchecked, seed
):
    unchecked()
    cheat_the_mark(monkeypatch, one_column)
    setup = federation(**SMALLEST, seed=seed)
    assert coordinate_read(setup, run(setup), dealt) == setup.levels[VICTIM][COLUMN]


# --- Two challenges on one blind.


def combination_read(setup, network) -> list[int]:
    """Σ_c (ρ_1^c − ρ_2^c) · chunk[c] of VICTIM's vector, if both its check values share a blind."""
    params, code = setup.params, setup.params.feature_code
    differences = {}
    for post in network.delivered:
        if isinstance(post.message, Ready):
            (line,) = (item for item in post.message.received if item.dealer == VICTIM)
            differences[post.sender] = line.checks[0] - line.checks[1]
    parties = [party for party in params.roster if party in differences]
    values = from_integers([[differences[party] % P] for party in parties])
    chunks = code.decode(code.share_degree, [params.index(p) for p in parties], values)
    return [int(value) for value in chunks.reshape(-1).values]


def combination_held(setup, network) -> list[int]:
    """The same from VICTIM's vector itself."""
    params = setup.params
    ready = next(p.message for p in network.delivered if isinstance(p.message, Ready))
    (root,) = (item.root for item in ready.received if item.dealer == VICTIM)
    one, two = (challenge(params, VICTIM, root, e) for e in range(BLINDS))
    chunks = params.feature_code.split(FieldArray.from_signed(setup.levels[VICTIM])).values
    return [
        sum((pow(one, c + 1, P) - pow(two, c + 1, P)) * int(x) for c, x in enumerate(chunk)) % P
        for chunk in chunks
    ]


@pytest.mark.parametrize("parties", [5, 7])
def test_two_challenges_are_answered_on_two_blinds_and_show_no_combination(federation, parties):
    setup = federation(**{**SMALLEST, "parties": parties})
    network = run(setup)
    assert combination_read(setup, network) != combination_held(setup, network)


@pytest.mark.parametrize("parties", [5, 7])
def test_with_two_challenges_on_one_blind_a_combination_of_a_vector_is_public(
    federation, monkeypatch, parties
):
    combined = checking._combined

    def on_one_blind(vector, repetition, point):
        values = vector.values.copy()
        values[-1] = values[-2]
        return combined(FieldArray(values), repetition, point)

    monkeypatch.setattr(checking, "_combined", on_one_blind)
    setup = federation(**{**SMALLEST, "parties": parties})
    network = run(setup)
    assert isinstance(network.coordinator.result, Closed)
    assert combination_read(setup, network) == combination_held(setup, network)


# --- A dealer cheats one honest recipient to get it blamed.


def test_a_dealer_that_cheats_one_recipient_is_named_and_the_recipient_is_not(
    federation, monkeypatch
):
    cheat_the_mark(monkeypatch, one_column)
    network = run(federation(**SMALLEST))
    assert [blame.blamed for blame in network.coordinator.blames] == [LIAR]
    assert named(network) == set()


def test_without_checked_dealing_the_cheated_recipient_looks_like_a_liar(
    federation, monkeypatch, unchecked
):
    unchecked()
    cheat_the_mark(monkeypatch, one_column)
    network = run(federation(**SMALLEST))
    assert not network.coordinator.blames
    assert named(network) == {MARK}


def cancelled_in_check_values(params):
    """COLUMN is off, and the blinds are so that challenges known in advance do not show it."""
    size = params.share_widths[0] - BLINDS
    foreseen = {
        size + e: -pow(foreseen_challenge(params, LIAR, b"", e), COLUMN + 1, P)
        for e in range(BLINDS)
    }
    return {COLUMN: 1, **foreseen}


def foreseen_challenge(params, dealer, root, repetition):
    """A challenge that depends on nothing that the dealer commits to."""
    return 1_000_003 + repetition


def test_a_dealer_cannot_prepare_blinds_for_challenges_that_its_root_decides(
    federation, monkeypatch
):
    cheat_the_mark(monkeypatch, cancelled_in_check_values)
    network = run(federation(**SMALLEST))
    assert [blame.blamed for blame in network.coordinator.blames] == [LIAR]


def test_if_challenges_were_known_before_dealing_the_cheat_would_pass_and_the_mark_be_named(
    federation, monkeypatch
):
    monkeypatch.setattr(checking, "challenge", foreseen_challenge)
    cheat_the_mark(monkeypatch, cancelled_in_check_values)
    network = run(federation(**SMALLEST))
    assert not network.coordinator.blames
    assert named(network) == {MARK}


# --- A + 1 liars get an honest party named.

LIARS = ("party-0", "party-1")
TWO_LIARS = {"parties": 7, "colluders": 2, "stragglers": 0, "adversaries": 1, "clusters": 1}


def towards_another_word(setup, agreeing: int):
    """Both liars move their answers to one other polynomial, whose total is one more.

    It agrees with the truth at `agreeing` honest parties, of which at most D are possible.
    """
    params, code = setup.params, setup.params.feature_code
    roots = [code.alphas[params.index(party)] for party in params.roster[-agreeing:]]

    def vanishing(point):
        return math.prod(point - root for root in roots) % P

    scale = pow(vanishing(code.betas[0]), -1, P)

    def fault(post):
        if post.sender in LIARS and isinstance(post.message, Answers):
            gap = scale * vanishing(code.alphas[params.index(post.sender)]) % P
            values = added(post.message.values, gap)
            return (replace(post, message=replace(post.message, values=values)),)
        return (post,)

    return fault


def first_explanation(points, values, degree, errors, modulus):
    """A decoder that also explains A + 1 errors: the first polynomial that is near enough."""
    for some in itertools.combinations(range(len(points)), degree + 1):
        matrix = lagrange_matrix(tuple(points[i] for i in some), tuple(points), modulus)
        guess = [sum(w * values[i] for w, i in zip(row, some, strict=True)) for row in matrix]
        wrong = [i for i, g in enumerate(guess) if (g - values[i]) % modulus]
        if len(wrong) <= errors + 1:
            return tuple(wrong)
    return None


def aimed_round(setup, agreeing):
    network = setup.network(fault=towards_another_word(setup, agreeing))
    network.run()
    return network


def test_a_word_that_is_a_plus_one_lies_from_the_truth_ends_the_round_and_names_nobody(federation):
    network = aimed_round(federation(**TWO_LIARS), agreeing=3)
    assert isinstance(network.coordinator.result, Failed)
    assert "more than A = 1 parties answered wrong" in network.coordinator.result.reason
    assert named(network) == set()
    assert network.coordinator.disclosed.distances == ()


def test_if_more_than_a_errors_were_explained_two_honest_parties_would_be_named(
    federation, monkeypatch
):
    monkeypatch.setattr(coding, "wrong_positions", first_explanation)
    network = aimed_round(federation(**TWO_LIARS), agreeing=3)
    assert named(network) == {"party-5", "party-6"}


def test_outside_the_promise_a_plus_one_liars_within_a_of_another_word_open_it(federation):
    """D + 1 + 2A answers, of which the liars and D honest ones fit: no decoder can tell."""
    network = aimed_round(federation(**TWO_LIARS), agreeing=4)
    assert named(network) == {"party-2"}
    assert network.coordinator.disclosed.distances


def test_outside_the_promise_a_plus_one_false_check_values_get_an_honest_dealer_named(federation):
    lies = dict.fromkeys(LIARS, ("check values of another polynomial",))
    network = with_liars(federation(**TWO_LIARS), lies, random.Random(0))
    blames = {(blame.blamed, blame.rule) for blame in network.coordinator.blames}
    assert blames == {(party, BlameRule.NO_WORD) for party in network.parties}
    assert isinstance(network.coordinator.result, Failed)  # And yet the evidence is kept.
