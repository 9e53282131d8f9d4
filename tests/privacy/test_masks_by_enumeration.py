"""What the coordinator with one party sees of a distance, by enumeration of all randomness.

Tiny fields p ∈ {11, 13}, K = 2, T = 1, n = 5 (D = 4): two pairs of vectors with equal distances
must give the same joint distribution of all answers and one party's own shares and masks. The
matrices are the product's own, built for another modulus.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from secfpp.algebra.coding import LagrangeCode, lagrange_matrix
from secfpp.algebra.masking import zero_matrix

CODE = LagrangeCode(5, 2, 1)
COLLUDER = 4
Distribution = tuple[np.ndarray, np.ndarray]


def shares_of(secret: tuple[int, int], free: int, p: int) -> list[int]:
    """All five shares of (chunk 1, chunk 2), the colluder's being `free`."""
    sources = (*CODE.betas[:2], CODE.alphas[COLLUDER])
    return [
        sum(w * v for w, v in zip(row, (*secret, free), strict=True)) % p
        for row in lagrange_matrix(sources, CODE.alphas, p)
    ]


def all_masks(p: int, *, zero_sum: bool) -> np.ndarray:
    """Every mask polynomial of degree 4, as its values at the five parties."""
    if zero_sum:
        matrix = np.array(zero_matrix(CODE, (0, 1, 2, 3), p))
        free = np.array(list(itertools.product(range(p), repeat=4)))
        return free @ matrix.T % p
    return np.array(list(itertools.product(range(p), repeat=5)))


def view(x: tuple[int, int], y: tuple[int, int], p: int, masks: np.ndarray) -> Distribution:
    """How often each (all five answers; the colluder's two shares and its mask) is seen.

    A view is one number in base p; the result are the different numbers and their counts.
    """
    seen = []
    for free_x, free_y in itertools.product(range(p), repeat=2):
        gaps = np.array(shares_of(x, free_x, p)) - np.array(shares_of(y, free_y, p))
        columns = [*((gaps**2 + masks) % p).T, masks[:, COLLUDER]]
        number = np.full(len(masks), free_x * p + free_y, dtype=np.int64)
        for column in columns:
            number = number * p + column
        seen.append(number)
    return np.unique(np.concatenate(seen), return_counts=True)


def total_variation(one: Distribution, two: Distribution) -> Fraction:
    """Half the sum of differences of probabilities, exact."""
    (keys, counts), (other_keys, other_counts) = one, two
    every = np.union1d(keys, other_keys)
    difference = np.zeros(len(every), dtype=np.int64)
    difference[np.searchsorted(every, keys)] += counts
    difference[np.searchsorted(every, other_keys)] -= other_counts
    assert counts.sum() == other_counts.sum()
    return Fraction(int(np.abs(difference).sum()), 2 * int(counts.sum()))


def equal_distances(p: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two differences (a, b) with the same a² + b² mod p and different parts."""
    wanted = (1, 2)
    norm = sum(v * v for v in wanted) % p
    other = next(
        (a, b)
        for a in range(p)
        for b in range(p)
        if (a * a + b * b) % p == norm and {a * a % p, b * b % p} != {1, 4}
    )
    return wanted, other


NOTHING = np.zeros((1, 5), dtype=np.int64)


@pytest.mark.parametrize("p", [11, 13])
def test_with_masks_the_joint_view_depends_on_the_distance_only(p):
    one, two = equal_distances(p)
    masks = all_masks(p, zero_sum=True)
    assert total_variation(view(one, (0, 0), p, masks), view(two, (0, 0), p, masks)) == 0


@pytest.mark.parametrize("p", [11, 13])
def test_without_masks_the_views_of_equal_distances_differ(p):
    one, two = equal_distances(p)
    distance = total_variation(view(one, (0, 0), p, NOTHING), view(two, (0, 0), p, NOTHING))
    assert distance > Fraction(1, 10)


@pytest.mark.parametrize("p", [11, 13])
def test_a_mask_that_is_known_protects_nothing(p):
    """Reused for a query whose answer is known, a mask is a constant: one fixed polynomial."""
    one, two = equal_distances(p)
    fixed = all_masks(p, zero_sum=True)[1234:1235]
    distance = total_variation(view(one, (0, 0), p, fixed), view(two, (0, 0), p, fixed))
    assert distance > Fraction(1, 10)


@pytest.mark.parametrize("p", [11, 13])
def test_masks_open_to_zero_and_without_the_zero_sum_the_distance_is_lost(p):
    back = np.array(lagrange_matrix(CODE.alphas, CODE.betas[:2], p))
    opened = (all_masks(p, zero_sum=True) @ back.T).sum(axis=1) % p
    assert set(opened.tolist()) == {0}
    sample = np.array(list(itertools.product(range(3), repeat=5)))
    assert set(((sample @ back.T).sum(axis=1) % p).tolist()) != {0}


@pytest.mark.parametrize("p", [11, 13])
def test_each_single_share_is_uniform_whatever_the_secret(p):
    for party in range(5):
        for secret in ((0, 0), (1, 2), (p - 1, 5)):
            assert sorted(shares_of(secret, free, p)[party] for free in range(p)) == list(range(p))
