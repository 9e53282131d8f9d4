"""The model of the enumeration is the product, and what holds in tiny fields holds at 2^61 − 1."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secfpp.algebra.coding import LagrangeCode
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, P, stack, sum_of
from secfpp.algebra.masking import deal_zero
from secfpp.algebra.randomness import uniform
from secfpp.cluster.queries import Query
from secfpp.protocol.checking import challenge
from secfpp.protocol.disclosure import View
from secfpp.protocol.messages import Ask, Assign
from secfpp.protocol.opening import masked_answers, pool, received_by, sum_shares

from .distributions import annihilator
from .enumeration import TinyRound
from .real_rounds import attempt, everything_dealt

QUERIES = ((0, (1, 2)), (4, (0, 3, 4)))


class Dealt:
    """One attempt that the product has dealt, with all values as Python integers.

    `shares` are (n dealers, n recipients, w), `masks` from mask dealers to (n, queries); the blinds
    of checked dealing are the last columns of both.
    """

    def __init__(self, adversaries: int) -> None:
        parties = 5 + 2 * adversaries
        self.params = attempt(parties=parties, dim=4, adversaries=adversaries)
        self.levels, self.held = everything_dealt(self.params, os.urandom)
        roster = self.params.roster
        self.model = TinyRound(parties, self.params.feature_code.chunks, 1, P)
        assert self.model.chunks == 2
        received = {dealer: [self.held[party][dealer] for party in roster] for dealer in roster}
        self.shares = np.array(
            [[held.shares[0].values.tolist() for held in received[dealer]] for dealer in roster],
            dtype=object,
        )
        self.masks = {
            roster.index(dealer): np.array(
                [held.masks.values.tolist() for held in received[dealer]], dtype=object
            )
            for dealer in self.params.mask_dealers
        }


@pytest.fixture(params=[0, 1], ids=["A=0", "A=1"])
def dealt(request) -> Dealt:
    return Dealt(request.param)


def test_the_products_shares_and_masks_are_those_of_the_model(dealt):
    model, degree = dealt.model, dealt.params.feature_code.product_degree
    width, blinds = dealt.params.share_widths[0], []
    for dealer, shares in enumerate(dealt.shares):
        chunks = np.zeros((2, width), dtype=object)
        chunks[:, :2] = dealt.levels[dealer].reshape(2, 2)
        first = model.interpolation(model.code.share_degree, tuple(range(model.parties)))
        decoded = first @ shares[: model.code.share_degree + 1] % P
        assert (decoded[:, :2] == chunks[:, :2] % P).all()
        chunks[:, 2:] = decoded[:, 2:]
        blinds += decoded[:, 2:].reshape(-1).tolist()
        seeded = list(model.after(dealer, 1))
        assert (model.share(dealer, chunks, shares[seeded]) == shares).all()
    for dealer, masks in dealt.masks.items():
        seeded = list(model.after(dealer, degree))
        assert (model.mask_matrix(dealer) @ masks[seeded] % P == masks).all()
    assert len({0, *blinds}) == 1 + 2 * (width - 2) * model.parties  # Uniform chunks of blinds.


def test_the_products_answers_and_sums_are_those_of_the_model_without_the_blinds(dealt):
    params, model, names = dealt.params, dealt.model, dealt.params.roster
    batch = tuple(Query(names[i], tuple(names[s] for s in members)) for i, members in QUERIES)
    view = View(names, params.mask_dealers).extended(batch)
    ask = Ask(params.key, 0, names, params.mask_dealers, batch)
    pooled = {party: pool(dealt.held[party], view) for party in names}
    for position, query in enumerate(QUERIES):
        squares = model.squares(query, dealt.shares[..., :2])
        expected = (squares + sum(masks[:, position] for masks in dealt.masks.values())) % P
        found = [masked_answers(params, pooled[party], view, ask) for party in names]
        assert [int(answers.values[position]) for answers in found] == expected.tolist()
    assign = Assign(params.key, 1, tuple((name, 0) for name in names))
    totals = dealt.shares[..., :2].sum(axis=0) % P
    for helper in params.helpers(0):
        for _, sent in sum_shares(params, helper, pooled[helper], names, assign):
            assert sent.values.values.tolist() == totals[params.index(helper)].tolist()


def test_the_products_check_values_are_those_of_the_model():
    dealt = Dealt(1)
    params, names = dealt.params, dealt.params.roster
    for recipient, party in enumerate(names):
        for item in received_by(params, dealt.held[party]):
            dealer = params.index(item.dealer)
            rho = [challenge(params, item.dealer, item.root, e) for e in range(2)]
            vectors = [dealt.shares[dealer][recipient]]
            vectors += [dealt.masks[dealer][recipient]] if dealer in dealt.masks else []
            expected = [
                (
                    vector[len(vector) - 2 + e]
                    + sum(pow(rho[e], c + 1, P) * value for c, value in enumerate(vector[:-2]))
                )
                % P
                for vector in vectors
                for e in range(2)
            ]
            assert list(item.checks) == expected
            assert rho[0] != rho[1]


def codes() -> st.SearchStrategy[LagrangeCode]:
    return st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 3)).map(
        lambda kte: LagrangeCode(max(3, 2 * (kte[0] + kte[1] - 1) + 1 + kte[2]), kte[0], kte[1])
    )


def residues(values: list[int]) -> FieldArray:
    return FieldArray(np.array([value % P for value in values], dtype=np.uint64))


@pytest.mark.parametrize(("n", "k", "t"), [(5, 2, 1), (8, 3, 1), (10, 3, 2), (20, 6, 4)])
def test_at_the_real_modulus_masks_fill_all_polynomials_of_degree_d_with_zero_sum(n, k, t):
    """Rank D, one less than all polynomials of degree D, and the total of every column is 0."""
    real = TinyRound(n, k, t, P)
    weights = real.interpolation(real.code.product_degree, tuple(range(n))).sum(axis=0)
    for dealer in range(t + 2):
        masks = real.mask_matrix(dealer)
        assert n - len(annihilator(masks, P)) == real.code.product_degree
        assert not (weights @ masks[: real.code.product_degree + 1] % P).any()


@settings(max_examples=30)
@given(codes(), st.integers(1, 6), st.randoms(use_true_random=False))
def test_at_the_real_modulus_every_run_has_an_equally_likely_twin_with_other_vectors(
    code, dim, rng
):
    """One translation of the masks maps the runs of one input onto those of the other.

    Equal distances make the difference of the answers a mask, which is 0 at the colluders: both
    inputs give the same answers, shares and masks, equally often.
    """
    coalition = rng.sample(range(code.parties), code.colluders)
    vectors = [[rng.randrange(P) for _ in range(dim)] for _ in range(3)]
    seen = [{j: uniform(code.width(dim), os.urandom) for j in coalition} for _ in range(3)]
    masks = deal_zero(
        code,
        1,
        {j: uniform(1, os.urandom) for j in rng.sample(range(code.parties), code.product_degree)},
    )
    twins = turned(vectors, rng)
    runs = [
        [code.share(residues(x), known) for x, known in zip(some, seen, strict=True)]
        for some in (vectors, twins)
    ]
    query = [(0, [0, 1, 2])]
    bare = [
        stack(
            [
                distance_answers(stack([x[j] for x in run]), code.width(dim), query, residues([0]))
                for j in range(code.parties)
            ]
        )
        for run in runs
    ]
    difference = bare[0] - bare[1]
    chosen = rng.sample(range(code.parties), code.product_degree)
    moved = deal_zero(code, 1, {j: masks[j] + difference[j] for j in chosen})
    assert bare[0] + masks == bare[1] + moved
    for j in coalition:
        assert masks[j] == moved[j]
        assert all(one[j] == two[j] for one, two in zip(*runs, strict=True))


def turned(vectors: list[list[int]], rng: random.Random) -> list[list[int]]:
    """Other vectors with the same ‖3x_0 − (x_0 + x_1 + x_2)‖²: the gap's parts change places."""
    gap = [(2 * x - y - z) % P for x, y, z in zip(*vectors, strict=True)]
    rng.shuffle(gap)
    gap = [rng.choice((1, -1)) * value for value in gap]
    others = [[rng.randrange(P) for _ in gap] for _ in range(2)]
    half = pow(2, -1, P)
    first = [half * (g + y + z) % P for g, y, z in zip(gap, *others, strict=True)]
    return [first, *others]


@settings(max_examples=30)
@given(codes(), st.integers(1, 6), st.randoms(use_true_random=False))
def test_at_the_real_modulus_all_sum_shares_follow_from_the_sum_and_the_colluders_own(
    code, dim, rng
):
    coalition = rng.sample(range(code.parties), code.colluders)
    vectors = [[rng.randrange(P) for _ in range(dim)] for _ in range(4)]
    others = rng.sample(range(code.parties), code.colluders)
    dealt = [
        code.share(residues(x), {j: uniform(code.width(dim), os.urandom) for j in others})
        for x in vectors
    ]
    total = residues([sum(column) for column in zip(*vectors, strict=True)])
    known = {j: sum_of([shares[j] for shares in dealt]) for j in coalition}
    assert code.share(total, known) == sum_of(dealt)
