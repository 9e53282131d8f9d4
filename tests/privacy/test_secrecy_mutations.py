"""Each protection of a round switched off, and what the coordinator with T parties then sees.

Everywhere the intact round is held to total variation 0 on the very vectors on which the mutation
is seen. Where code of the product keeps the protection, it is shown to refuse the mutation.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from secfpp.algebra.coding import LagrangeCode
from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.masking import deal_zero
from secfpp.algebra.randomness import uniform
from secfpp.cluster.queries import Query
from secfpp.errors import Misuse, PolicyRefusal
from secfpp.protocol.checking import challenge, check_values
from secfpp.protocol.commitments import Held
from secfpp.protocol.disclosure import View as SeenView
from secfpp.protocol.disclosure import check_agreement
from secfpp.protocol.messages import Ask
from secfpp.protocol.opening import masked_answers, pool

from .distributions import Matrix, View, total_variation
from .enumeration import Scene, TinyRound, advantage, alike, outcome, random_vectors, whole
from .real_rounds import attempt, everything_dealt

TINY = TinyRound(parties=5, chunks=2, colluders=1, modulus=11)
COLLUDERS = range(5)
VISIBLE = Fraction(1, 10)


def two_honest(colluder: int, *, queries: int = 1, tiny: TinyRound = TINY) -> Scene:
    """Two honest dealers, one of them the only honest dealer of masks besides the colluder."""
    one, other = [party for party in range(tiny.parties) if party != colluder][:2]
    every = ((one, (other,)), (other, (one, other, colluder)))
    everybody = tuple(range(tiny.parties))
    dealers, mask_dealers = tuple(sorted((one, other, colluder))), tuple(sorted((one, colluder)))
    return Scene(tiny, (colluder,), every[:queries], dealers, mask_dealers, everybody)


def assert_only_the_mutation_shows(intact: Scene, mutated: Scene, *, width: int = 1) -> None:
    vectors = random_vectors(intact.round, 100, width)
    twins = alike(intact, vectors, 3)
    assert advantage(intact, vectors, twins) == 0
    assert advantage(mutated, vectors, twins) > VISIBLE


# --- Masks.


@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_no_mask(colluder):
    intact = two_honest(colluder)
    assert_only_the_mutation_shows(intact, replace(intact, mask_dealers=()))


class ReusedMask(Scene):
    """Every query of the attempt uses the first mask."""

    def mask_number(self, position: int) -> int:
        return 0


@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_one_mask_for_two_queries(colluder):
    intact = two_honest(colluder, queries=2)
    assert_only_the_mutation_shows(intact, ReusedMask(**vars(intact)), width=2)


def test_the_product_takes_another_mask_for_the_same_query_in_the_next_batch():
    """The two answers of a party differ by two masks, the only thing in them that changed."""
    params = attempt(parties=5, dim=4)
    _, held = everything_dealt(params, os.urandom)
    names, batch = params.roster, (Query("party-0", ("party-1", "party-2")),)
    view, answers = SeenView(names, params.mask_dealers), []
    pooled = {party: pool(held[party], view) for party in names}
    for number in range(2):
        view = view.extended(batch)
        ask = Ask(params.key, number, names, params.mask_dealers, batch)
        answers.append({p: masked_answers(params, pooled[p], view, ask) for p in names})
    for party in names:
        masks = [held[party][dealer].masks for dealer in params.mask_dealers]
        change = sum(int(mask.values[1]) - int(mask.values[0]) for mask in masks)
        assert change % P
        assert int((answers[1][party] - answers[0][party]).values[0]) == change % P


class NotZeroSum(Scene):
    """Masks are any polynomials of degree D: their values at β_1…β_K need not add up to 0."""

    def mask_matrix(self, dealer: int) -> Matrix:
        matrix, free = super().mask_matrix(dealer), np.ones((self.round.parties, 1), dtype=np.int64)
        return np.concatenate([matrix, free], axis=1)  # The constant 1 has the total K ≠ 0.


@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_masks_without_the_zero_sum_open_a_wrong_distance(colluder):
    """What is opened is uniform whatever the vectors: the round computes nothing any more."""
    intact = two_honest(colluder)
    code, p = TINY.code, TINY.modulus
    weights = TINY.interpolation(code.product_degree, intact.answering).sum(axis=0)
    back = weights @ NotZeroSum(**vars(intact)).mask_matrix(intact.honest_mask_dealers[0]) % p
    assert not (weights @ intact.mask_matrix(intact.honest_mask_dealers[0]) % p).any()
    assert back.any()
    one, two = (random_vectors(TINY, seed) for seed in (1, 2))
    two[colluder] = one[colluder]
    assert outcome(intact, one)[0] != outcome(intact, two)[0]
    mutated = NotZeroSum(**vars(intact))
    assert total_variation(intact.view(one), intact.view(two)) == 1
    assert total_variation(mutated.view(one), mutated.view(two)) == 0


class ZeroInEveryChunk(Scene):
    """Masks vanish at each of β_1…β_K by itself, instead of in total."""

    def mask_matrix(self, dealer: int) -> Matrix:
        code, p = self.round.code, self.round.modulus
        points = np.array(code.alphas)
        vanishing = np.prod([points - beta for beta in code.betas[: code.chunks]], axis=0)
        powers = np.stack([points**k for k in range(code.product_degree - code.chunks + 1)], axis=1)
        masks: Matrix = vanishing[:, None] * powers % p
        return masks


class LowDegree(Scene):
    """Masks have the degree of a sharing, K + T − 1, not that of a square."""

    def mask_matrix(self, dealer: int) -> Matrix:
        code, p = self.round.code, self.round.modulus
        points = np.array([*code.alphas, *code.betas[: code.chunks]])
        powers = np.stack([points**k for k in range(1, code.share_degree + 1)], axis=1)
        means = powers[code.parties :].sum(axis=0) * pow(code.chunks, -1, p)
        masks: Matrix = (powers[: code.parties] - means) % p
        return masks


@pytest.mark.parametrize("mutation", [ZeroInEveryChunk, LowDegree])
@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_masks_from_a_smaller_space(mutation, colluder):
    """Zero sums and fewer than D free values: partial distances or leading coefficients show."""
    intact = two_honest(colluder)
    mutated = mutation(**vars(intact))
    totals = TINY.interpolation(4, intact.answering).sum(axis=0) @ mutated.mask_matrix(0) % 11
    assert not totals.any()
    assert_only_the_mutation_shows(intact, mutated)


@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_masks_dealt_by_a_coalition_only(colluder):
    intact = two_honest(colluder)
    assert_only_the_mutation_shows(intact, replace(intact, mask_dealers=(colluder,)))


def test_the_product_refuses_masks_that_t_dealers_could_know():
    for colluders, parties in ((1, 5), (2, 7)):
        params = attempt(parties=parties, dim=4, colluders=colluders)
        assert len(params.mask_dealers) == colluders + 1
        check_agreement(params, SeenView(params.roster, params.mask_dealers))
        for few in itertools.combinations(params.mask_dealers, colluders):
            with pytest.raises(PolicyRefusal, match=r"T\+1 = .* are needed"):
                check_agreement(params, SeenView(params.roster, few))


# --- Noise.


@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_zero_noise(colluder):
    """With zeros for the T uniform values, a share is a linear function of the vector."""
    intact = two_honest(colluder)
    assert_only_the_mutation_shows(intact, replace(intact, noise=(0,)))


def test_the_product_shares_nothing_without_t_uniform_values():
    code = LagrangeCode(7, 2, 2)
    secret = FieldArray(np.array([5, 6], dtype=np.uint64))
    for given in ({}, {3: uniform(1, os.urandom)}):
        with pytest.raises(Misuse, match="T = 2 are needed"):
            code.share(secret, given)
    with pytest.raises(Misuse, match="D = 6 are needed"):
        deal_zero(code, 1, {})


# --- Liars and what is published against them.


@pytest.mark.parametrize("liar", COLLUDERS)
def test_mutation_a_dealer_off_every_polynomial(liar):
    """Without checked dealing: one query about it tells more than the distance to its vector."""
    intact = two_honest(liar)
    honest = intact.honest[0]
    intact = replace(intact, queries=((liar, (honest,)),))
    vectors = random_vectors(TINY, 100)
    own = TINY.share(liar, vectors[liar], np.array([[4]]))
    off = own.copy()
    off[[party for party in range(5) if party != liar][-1]] += 1
    off %= 11
    twins = alike(intact, vectors, 5)
    assert advantage(replace(intact, own={liar: own}), vectors, twins) == 0
    assert advantage(replace(intact, own={liar: off}), vectors, twins) > VISIBLE


class OneBlind(Scene):
    """Two challenges are answered on one blind column."""

    def blind_number(self, check: int) -> int:
        return 0


class BlindsOfZero(Scene):
    """The blind columns are sharings of 0: only their T noise values are random."""

    def blind_matrix(self, dealer: int) -> Matrix:
        return super().blind_matrix(dealer)[:, self.round.chunks :]


class OneMaskBlind(Scene):
    """Two challenges are answered on one blind mask."""

    def mask_blind_number(self, check: int) -> int:
        return 0


def test_mutation_two_challenges_on_one_blind_show_a_combination_of_the_columns():
    for colluder, pair in itertools.product(COLLUDERS, [(1, 2), (3, 7), (0, 5)]):
        everyone = whole(TINY, (colluder,))
        intact = replace(everyone, challenges=dict.fromkeys(range(5), pair))
        assert_only_the_mutation_shows(intact, OneBlind(**vars(intact)), width=2)
    equal = replace(intact, challenges=dict.fromkeys(range(5), (4, 4)))
    vectors = random_vectors(TINY, 100, 2)
    twins = alike(equal, vectors, 3)
    assert advantage(OneBlind(**vars(equal)), vectors, twins) == 0


@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_blinds_that_share_zero_show_a_combination_of_the_columns(colluder):
    everyone = whole(TINY, (colluder,))
    intact = replace(everyone, challenges=dict.fromkeys(range(5), (2, 7)))
    assert_only_the_mutation_shows(intact, BlindsOfZero(**vars(intact)), width=2)


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_two_challenges_on_one_blind_mask_unmask_the_answers(colluder, queries):
    intact = two_honest(colluder, queries=queries)
    intact = replace(intact, challenges=dict.fromkeys(range(5), (2, 7)))
    assert_only_the_mutation_shows(intact, OneMaskBlind(**vars(intact)), width=queries)


def test_the_product_covers_each_challenge_by_a_blind_of_its_own():
    """A blind that changes by 1 changes the check value of its challenge by 1, and no other."""
    params = attempt(parties=7, dim=4, adversaries=1)
    root, columns = bytes(32), params.share_widths[0]
    share = uniform(columns, os.urandom)
    before = check_values(params, "party-0", root, Held((share,), None))
    assert len(before) == 2
    for e in range(2):
        bump = FieldArray((np.arange(columns) == columns - 2 + e).astype(np.uint64))
        after = check_values(params, "party-0", root, Held((share + bump,), None))
        assert [(b - a) % P for a, b in zip(before, after, strict=True)] == [e == 0, e == 1]
    points = {
        challenge(params, dealer, bytes([r]) * 32, e)
        for dealer in params.roster
        for r in range(2)
        for e in range(2)
    }
    assert len(points) == 7 * 2 * 2


class BlindsInSums(Scene):
    """A helper's sum share covers the blind columns, too, as if they were columns of the prompt."""

    def view(self, vectors: Matrix) -> View:
        view = super().view(vectors)
        for cluster, e in itertools.product(self.clusters, range(2)):
            members = [member for member in cluster if member in self.honest]
            blinds = {("blind", dealer, e): self.round.sharing_matrix(dealer) for dealer in members}
            view.see(np.zeros((1, self.round.parties), dtype=np.int64), blinds)
        return view


@pytest.mark.parametrize("colluder", COLLUDERS)
def test_mutation_sums_that_include_the_blind_columns(colluder):
    """The check values less the summed blinds are Σ_i Σ_c ρ_i^c x_i[c]: more than the sum."""
    everyone = whole(TINY, (colluder,))
    challenges = {dealer: (dealer + 1, dealer + 3) for dealer in range(5)}
    intact = replace(everyone, clusters=(tuple(range(5)),), challenges=challenges)
    assert_only_the_mutation_shows(intact, BlindsInSums(**vars(intact)), width=2)
