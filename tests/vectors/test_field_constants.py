"""The field's constants computed anew, and the bounds that the kernels' comments promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from secfpp.algebra import kernels
from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import SEED_BYTES
from secfpp.errors import Misuse

U64 = 2**64
UPPER = (0, 1, 2**29, 2**30 - 2, 2**30 - 1)
LOWER = (0, 1, 2**30, 2**31 - 2, 2**31 - 1)
RESIDUES = [x for a, b in itertools.product(UPPER, LOWER) if (x := a * 2**31 + b) < P]
WORDS = (0, 1, P - 1, P, P + 1, 2 * P, 2**61, 2**62, 2**63 - 1, 2**63, 7 * P, U64 - 8, U64 - 1)


def mersenne_is_prime(exponent: int) -> bool:
    """Lucas–Lehmer, for an odd prime exponent."""
    modulus, term = 2**exponent - 1, 4
    for _ in range(exponent - 2):
        term = (term * term - 2) % modulus
    return term == 0


def is_prime(number: int) -> bool:
    """Miller–Rabin with the first twelve primes as bases, which decides below 3.3 · 10^24.

    Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2017.
    """
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if number in bases or number < 2:
        return number in bases
    twos = ((number - 1) & -(number - 1)).bit_length() - 1
    for base in bases:
        power = pow(base, (number - 1) >> twos, number)
        chain = [pow(power, 2**step, number) for step in range(twos)]
        if power != 1 and number - 1 not in chain:
            return False
    return True


def settled(high: int, middle: int, low: int, more: int) -> tuple[int, int]:
    """What `settle` computes, in unbounded integers: the largest value on the way, the result."""
    total = 2 * high + middle // 2**30 + middle % 2**30 * 2**31 + low % 2**61 + low // 2**61 + more
    return max(2 * high, middle, low, total), total % 2**61 + total // 2**61


def test_the_modulus_is_the_mersenne_prime_of_61_bits():
    assert P == 2**61 - 1
    assert mersenne_is_prime(61)
    assert is_prime(P)


def test_both_tests_of_primality_know_primes_from_others():
    odd_primes = [n for n in range(3, 130) if all(n % d for d in range(2, n))]
    exponents = [q for q in odd_primes if mersenne_is_prime(q)]
    assert exponents == [3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127]  # OEIS A000043.
    assert [n for n in range(3, 130) if is_prime(n)] == odd_primes
    for pseudoprime in (561, 2047, 3215031751, 3825123056546413051, P - 2, P * P, 2**67 - 1):
        assert not is_prime(pseudoprime)


def test_the_element_given_to_galois_generates_the_field():
    factors = (2, 3, 3, 5, 5, 7, 11, 13, 31, 41, 61, 151, 331, 1321)
    assert math.prod(factors) == P - 1
    assert all(pow(37, (P - 1) // factor, P) != 1 for factor in factors)


def test_masks_and_shifts_are_those_of_a_split_at_31_bits():
    for constant, expected in (
        (kernels._P, P),
        (kernels._LOW30, (1 << 30) - 1),
        (kernels._LOW31, (1 << 31) - 1),
        (kernels._LOW32, (1 << 32) - 1),
        (kernels._0, 0),
        (kernels._1, 1),
        (kernels._30, P.bit_length() - 31),
        (kernels._31, 31),
        (kernels._32, 32),
        (kernels._61, P.bit_length()),
    ):
        assert type(constant) is np.uint64
        assert int(constant) == expected
    assert pow(2, 61, P) == 1
    assert pow(2, 31 + 31, P) == 2
    assert SEED_BYTES == 256 // 8


def test_four_products_and_no_more_fit_in_64_bits_before_they_are_settled():
    a, b = 2**30 - 1, 2**31 - 1  # The largest halves of a residue, both at once.
    high, middle, low = a * a, 2 * a * b, b * b
    assert high < 2**60
    assert middle < 2**62
    assert low < 2**62
    # Every low part at its largest; a result that is added again is itself below 2^61 + 8.
    worst = 2 * 4 * high + (4 * middle >> 30) + (2**30 - 1 << 31) + P + 7 + 2**61 + 7
    assert worst < 2**63 + 2**34 + 3 * 2**61 + 16 < U64
    assert (worst >> 61) + P < 2**61 + 8
    assert max(4 * middle, 4 * low) < U64 <= 5 * middle


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_settling_sums_of_extreme_products_is_exact_and_never_overflows(count):
    for (a, b), (c, e) in itertools.product(itertools.product(UPPER, LOWER), repeat=2):
        sums = count * a * c, count * (a * e + b * c), count * b * e
        for more in (0, 1, P - 1, 2**61 + 7):
            largest, expected = settled(*sums, more)
            assert largest < U64
            assert expected < 2**61 + 8
            found = int(kernels.settle(*(np.uint64(value) for value in (*sums, more))))
            assert found == expected
            wanted = count * (a * 2**31 + b) * (c * 2**31 + e) + more
            assert (found - wanted) % P == 0


def test_products_of_extreme_residues_are_those_of_python():
    for left, right in itertools.product(RESIDUES, repeat=2):
        assert int(kernels.product(np.uint64(left), np.uint64(right))) == left * right % P


@pytest.mark.parametrize("word", WORDS)
def test_any_word_of_64_bits_is_reduced_to_a_residue(word):
    assert int(kernels.reduce_once(np.uint64(word))) == word % P
    words = np.array([word, 5], dtype=np.uint64)
    assert kernels.reduced(words).tolist() == [word % P, 5]
    kept = words.copy()
    assert kernels.keep_low_bits(kept) == (word % 2**61 == P)
    assert kept.tolist() == [word % 2**61, 5]


@pytest.mark.parametrize("inner", [1, 3, 4, 5, 8, 9, 64])
def test_matrix_products_of_extreme_residues_alone_are_those_of_python(inner):
    for value, other in ((P - 1, P - 1), (P - 1, 2**60 - 1), (P - 2**31, 2**61 - 2**31 - 1)):
        left = np.full((2, inner), value, dtype=np.uint64)
        right = np.full((inner, 3), other, dtype=np.uint64)
        found = kernels.matrix_product(left, right).tolist()
        assert found == [[inner * value * other % P] * 3] * 2


@pytest.mark.parametrize("scale", [1, 2, 127, 2**29 - 1])
def test_gaps_between_extreme_residues_up_to_the_largest_cluster_are_those_of_python(scale):
    pairs = list(itertools.product(RESIDUES, repeat=2))
    subject, total = (np.array(column, dtype=np.uint64) for column in zip(*pairs, strict=True))
    found = int(kernels._squared_difference(subject, np.uint64(scale), total))
    assert found == sum((scale * s - t) ** 2 for s, t in pairs) % P


def test_signed_values_end_at_half_the_modulus():
    ends = np.array([-(P // 2), -1, 0, P // 2], dtype=np.int64)
    assert FieldArray.from_signed(ends).values.tolist() == [P - P // 2, P - 1, 0, P // 2]
    for beyond in (P // 2 + 1, -(P // 2) - 1, 2**63 - 1, -(2**63)):
        with pytest.raises(Misuse, match="below P/2"):
            FieldArray.from_signed(np.array([beyond], dtype=np.int64))
