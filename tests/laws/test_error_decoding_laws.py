"""Laws of locating liars: up to A are found whoever they are, beyond A nobody is named."""

from __future__ import annotations

import itertools
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secfpp.algebra.coding import LagrangeCode, lagrange_matrix
from secfpp.algebra.field import P, from_integers
from secfpp.algebra.randomness import uniform
from secfpp.algebra.reed_solomon import wrong_positions
from secfpp.errors import Misuse, RoundFailed


def carried(values: list[int], sources: tuple[int, ...], targets: tuple[int, ...]) -> list[int]:
    matrix = lagrange_matrix(sources, targets)
    return [sum(w * v for w, v in zip(row, values, strict=True)) % P for row in matrix]


def nearest(points: list[int], values: list[int], degree: int, errors: int) -> set[int] | None:
    """The slow twin: try every set of degree + 1 answers, keep what disagrees least."""
    for some in itertools.combinations(range(len(points)), degree + 1):
        sources = tuple(points[i] for i in some)
        guess = carried([values[i] for i in some], sources, tuple(points))
        wrong = {i for i, (a, b) in enumerate(zip(guess, values, strict=True)) if a != b % P}
        if len(wrong) <= errors:
            return wrong
    return None


@given(st.integers(0, 6), st.integers(0, 3), st.integers(0, 2), st.randoms())
def test_up_to_a_liars_are_located_and_nobody_else(degree, errors, spare, rng):
    count = degree + 1 + 2 * errors + spare
    points = rng.sample(range(1, 60), count)
    polynomial = [rng.randrange(P) for _ in range(degree + 1)]
    values = [sum(c * x**e for e, c in enumerate(polynomial)) % P for x in points]
    liars = set(rng.sample(range(count), rng.randint(0, errors)))
    for liar in liars:
        values[liar] = (values[liar] + rng.randrange(1, P)) % P
    assert wrong_positions(points, values, degree, errors, P) == tuple(sorted(liars))


@given(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2), st.randoms())
def test_any_values_at_all_are_decoded_as_by_trying_every_subset(degree, errors, spare, rng):
    count = degree + 1 + 2 * errors + spare
    points = list(range(5, 5 + count))
    values = [rng.randrange(3) for _ in range(count)]
    twin = nearest(points, values, degree, errors)
    found = wrong_positions(points, values, degree, errors, P)
    assert (None if found is None else set(found)) == twin


def code_with_room(errors: int) -> LagrangeCode:
    return LagrangeCode(2 * (2 + 2 - 1) + 1 + 2 * errors, 2, 2)


@pytest.mark.parametrize("errors", [1, 2])
def test_one_liar_too_many_corrects_nothing_and_names_nobody(errors):
    code = code_with_room(errors)
    degree = code.product_degree
    rng = random.Random(errors)
    for _ in range(50):
        coefficients = [rng.randrange(P) for _ in range(degree + 1)]
        values = [sum(c * x**e for e, c in enumerate(coefficients)) % P for x in code.alphas]
        for liar in rng.sample(range(code.parties), errors + 1):
            values[liar] = rng.randrange(P)
        with pytest.raises(RoundFailed, match=f"more than A = {errors} parties") as failure:
            code.locate(degree, range(code.parties), from_integers([values])[0], errors)
        assert not any(str(value) in str(failure.value) for value in values)


def test_too_few_answers_for_the_errors_to_correct_are_refused():
    code = code_with_room(1)
    with pytest.raises(Misuse, match="9 are needed to correct 1 errors of degree 6"):
        code.locate(6, range(8), uniform(8, os.urandom), 1)


def test_parties_that_are_there_twice_or_not_at_all_are_refused():
    code = code_with_room(1)
    answers = uniform(9, os.urandom)
    for parties in ([0, *range(8)], [*range(8), 9], [*range(8), -1]):
        with pytest.raises(Misuse, match="different numbers from 0 to 8"):
            code.locate(6, parties, answers, 1)
        with pytest.raises(Misuse, match="different numbers from 0 to 8"):
            code.decode(6, parties, answers.reshape(9, 1))


def test_pinned_shares_of_another_width_or_party_are_refused():
    code = code_with_room(1)
    secret = uniform(6, os.urandom)
    for pinned in ({0: 3, 1: 4}, {0: 3, 9: 3}):
        shares = {party: uniform(width, os.urandom) for party, width in pinned.items()}
        with pytest.raises(Misuse, match="3 residues of a party of the code"):
            code.share(secret, shares)
