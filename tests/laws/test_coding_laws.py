"""Laws of sharing, opening and masking, with Python's unbounded integers as second opinion."""

from __future__ import annotations

import itertools
import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secfpp.algebra import interpolation
from secfpp.algebra.coding import LagrangeCode, lagrange_matrix, maximal_chunks
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, P, stack, sum_of
from secfpp.algebra.masking import _weight, _weight_after, deal_zero, solvable, zero_matrix
from secfpp.algebra.randomness import uniform
from secfpp.errors import ConfigError, Misuse, RoundFailed


def field(*values: int) -> FieldArray:
    return FieldArray(np.array(values, dtype=np.uint64))


def codes():
    return st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 3)).map(
        lambda kte: LagrangeCode(2 * (kte[0] + kte[1] - 1) + 1 + kte[2], kte[0], kte[1])
    )


def shared(code: LagrangeCode, values: list[int], rng: random.Random):
    secret = FieldArray.from_signed(np.array(values, dtype=np.int64))
    parties = rng.sample(range(code.parties), code.colluders)
    pinned = {j: uniform(code.width(len(values)), os.urandom) for j in parties}
    return code.share(secret, pinned), pinned


@given(codes(), st.lists(st.integers(-1000, 1000), min_size=1, max_size=12), st.randoms())
def test_any_k_plus_t_shares_decode_the_secret_and_pinned_shares_are_kept(code, values, rng):
    shares, pinned = shared(code, values, rng)
    for party, share in pinned.items():
        assert shares[party] == share
    some = rng.sample(range(code.parties), code.share_degree + 1)
    chunks = code.decode(code.share_degree, some, stack([shares[j] for j in some]))
    assert code.join(chunks, len(values)).to_signed().tolist() == values


@given(codes(), st.integers(1, 9), st.integers(2, 4), st.randoms())
def test_any_d_plus_1_masked_answers_open_the_exact_distance(code, dim, parties, rng):
    vectors = [[rng.randint(-99, 99) for _ in range(dim)] for _ in range(parties)]
    shares = [shared(code, vector, rng)[0] for vector in vectors]
    queries = [(0, list(range(parties))), (1, [0])]
    pinned = rng.sample(range(code.parties), code.product_degree)
    masks = deal_zero(code, 2, {j: uniform(2, os.urandom) for j in pinned})
    some = rng.sample(range(code.parties), code.product_degree + 1)
    answers = [
        distance_answers(stack([s[j] for s in shares]), code.width(dim), queries, masks[j])
        for j in some
    ]
    opened = code.decode_total(code.product_degree, some, stack(answers))
    expected = []
    for subject, members in queries:
        sums = [sum(column) for column in zip(*(vectors[m] for m in members), strict=True)]
        pairs = zip(vectors[subject], sums, strict=True)
        expected.append(sum((len(members) * x - s) ** 2 for x, s in pairs))
    assert [int(value) for value in opened.values] == expected


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=20, unique=True),
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
)
def test_the_compiled_interpolation_equals_its_slow_twin(sources, targets):
    found = interpolation.interpolation(sources, targets)
    assert found.values.tolist() == lagrange_matrix(tuple(sources), tuple(targets))


@given(codes(), st.randoms())
def test_sharing_is_linear(code, rng):
    (one, _), (two, _) = (shared(code, [3, -5, 8, 1], rng) for _ in range(2))
    total = sum_of([one, two])
    some = rng.sample(range(code.parties), code.share_degree + 1)
    chunks = code.decode(code.share_degree, some, stack([total[j] for j in some]))
    assert code.join(chunks, 4).to_signed().tolist() == [6, -10, 16, 2]


@given(codes(), st.randoms())
def test_one_answer_off_the_polynomial_is_noticed_when_there_is_one_to_spare(code, rng):
    shares, _ = shared(code, [1, 2, 3], rng)
    if code.parties == code.share_degree + 1:
        return
    wrong = [shares[j] for j in range(code.parties)]
    liar = rng.randrange(code.parties)
    wrong[liar] = wrong[liar] + field(*[1] * code.width(3))
    with pytest.raises(RoundFailed, match="does not lie on the polynomial"):
        code.decode(code.share_degree, range(code.parties), stack(wrong))


def test_too_few_answers_are_refused_with_the_numbers():
    code = LagrangeCode(7, 2, 1)
    with pytest.raises(Misuse, match="2 parties came, 3 are needed"):
        code.decode(code.share_degree, [0, 1], field(1, 2).reshape(2, 1))


def test_padding_that_is_not_zero_is_refused():
    code = LagrangeCode(7, 2, 1)
    with pytest.raises(RoundFailed, match="padding"):
        code.join(field(1, 2, 3, 4).reshape(2, 2), 3)


@pytest.mark.parametrize(("chunks", "colluders", "parties"), [(2, 1, 6), (2, 2, 7), (1, 3, 8)])
def test_any_t_shares_are_uniform_whatever_the_secret(chunks, colluders, parties):
    """The map from T free values to any T shares is invertible: exhaustive over which T."""
    code = LagrangeCode(parties, chunks, colluders)
    for pinned in itertools.combinations(range(parties), colluders):
        sources = code.betas[:chunks] + tuple(code.alphas[j] for j in pinned)
        matrix = lagrange_matrix(sources, code.alphas)
        for seen in itertools.combinations(range(parties), colluders):
            block = [[matrix[j][chunks + t] for t in range(colluders)] for j in seen]
            assert determinant(block) != 0


def determinant(matrix: list[list[int]]) -> int:
    if len(matrix) == 1:
        return matrix[0][0] % P
    minors = (
        (-1) ** j * matrix[0][j] * determinant([row[:j] + row[j + 1 :] for row in matrix[1:]])
        for j in range(len(matrix))
    )
    return sum(minors) % P


@given(codes(), st.randoms())
def test_masks_are_sharings_of_zero_and_keep_their_pinned_values(code, rng):
    pinned = {
        j: uniform(3, os.urandom) for j in rng.sample(range(code.parties), code.product_degree)
    }
    assert solvable(code, tuple(pinned))
    masks = deal_zero(code, 3, pinned)
    for party, values in pinned.items():
        assert masks[party] == values
    opened = code.decode_total(code.product_degree, range(code.parties), masks)
    assert opened.values.tolist() == [0, 0, 0]


@given(codes())
def test_the_condition_for_parties_in_a_row_by_factorials_is_that_for_any_parties(code):
    for place in range(code.parties):
        row = [(place + step) % code.parties for step in range(1, code.product_degree + 1)]
        assert _weight_after(code, place) == _weight(code, row)


def test_recipients_that_leave_the_masks_without_a_solution_are_refused():
    """In a tiny field the condition Σ_k Π_j (β_k − α_j) = 0 is met; here it is put in by hand."""
    code = LagrangeCode(5, 1, 1)
    code.alphas = (code.betas[0], *code.alphas[1:])  # A point at β_1 makes the product vanish.
    assert not solvable(code, (0, 1))
    with pytest.raises(Misuse, match="no solution"):
        deal_zero(code, 1, {0: field(1), 1: field(2)})


def test_the_zero_matrix_of_a_tiny_field_sums_to_zero():
    code = LagrangeCode(5, 2, 1)
    matrix = zero_matrix(code, (0, 1, 2, 3), 13)
    back = lagrange_matrix(code.alphas, code.betas[:2], 13)
    for column in zip(*matrix, strict=True):
        values = [sum(w * v for w, v in zip(row, column, strict=True)) for row in back]
        assert sum(values) % 13 == 0


@pytest.mark.parametrize(
    ("n", "t", "s", "a", "dim", "chunks"),
    [(8, 1, 1, 0, 1024, 3), (10, 2, 1, 0, 8192, 3), (20, 4, 1, 0, 8192, 6), (9, 1, 0, 1, 2, 2)],
)
def test_the_most_chunks_follow_the_formula(n, t, s, a, dim, chunks):
    found = maximal_chunks(parties=n, colluders=t, stragglers=s, adversaries=a, dim=dim)
    assert found == chunks
    assert found == dim or n < 2 * (found + t) + 1 + s + 2 * a
    assert n >= 2 * (found + t - 1) + 1 + s + 2 * a


def test_where_not_one_chunk_fits_the_inequality_is_said():
    with pytest.raises(ConfigError, match="n = 5, T = 2, S = 1, A = 0 do not fit"):
        maximal_chunks(parties=5, colluders=2, stragglers=1, adversaries=0, dim=9)
