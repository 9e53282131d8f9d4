"""Laws of the field, its kernels and its randomness; Python's integers and galois are asked too."""

from __future__ import annotations

import random

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from secfpp.algebra import interpolation, kernels
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, P, from_integers, sum_of
from secfpp.algebra.randomness import Seed, expand, uniform
from secfpp.errors import Misuse

WEIRD = (0, 1, 2, P - 1, P - 2, P // 2, P // 2 + 1, 2**29, 2**32 - 1, 2**32, 2**60)
residues = st.one_of(st.sampled_from(WEIRD), st.integers(0, P - 1))


def field(*values: int) -> FieldArray:
    return FieldArray(np.array(values, dtype=np.uint64))


def test_the_modulus_is_the_prime_two_to_the_61_minus_1():
    """Lucas–Lehmer: 2^q − 1 is prime iff s_{q−2} = 0, with s_0 = 4 and s_{i+1} = s_i² − 2."""
    term = 4
    for _ in range(61 - 2):
        term = (term * term - 2) % P
    assert P == 2**61 - 1
    assert term == 0


@given(residues, residues)
def test_sum_difference_product_and_negation_are_those_of_the_integers(a, b):
    assert int((field(a) + field(b)).values[0]) == (a + b) % P
    assert int((field(a) - field(b)).values[0]) == (a - b) % P
    assert int((-field(a)).values[0]) == -a % P
    assert int((field(a) * b).values[0]) == a * b % P
    assert int(kernels.product(np.uint64(a), np.uint64(b))) == a * b % P


@given(st.lists(st.lists(residues, min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_matrix_product_is_that_of_python_integers(rows):
    right = [[(i * 7 + j) ** 9 % P for j in range(5)] for i in range(3)]
    product = from_integers(rows) @ from_integers(right)
    expected = [
        [
            sum(a * b for a, b in zip(row, column, strict=True)) % P
            for column in zip(*right, strict=True)
        ]
        for row in rows
    ]
    assert product.values.tolist() == expected


def test_the_product_kernel_agrees_with_galois():
    gf = galois.GF(P, compile="python-calculate", primitive_element=37, verify=False)
    rng = random.Random(1)
    a, b = ([rng.randrange(P) for _ in range(20)] + list(WEIRD) for _ in range(2))
    expected = (gf(a) * gf(b)).tolist()
    found = [int(kernels.product(np.uint64(x), np.uint64(y))) for x, y in zip(a, b, strict=True)]
    assert found == [int(value) for value in expected]


sizes = st.sampled_from([1, 2, 3, 8, 31, 32, 33, 1023, 1024, 1025, 2050])


def mixed(rng: random.Random, count: int) -> list[int]:
    """Residues of every kind, the extreme ones often."""
    return [rng.choice([0, 1, P - 1, 2**31 - 1, 2**31, rng.randrange(P)]) for _ in range(count)]


@settings(max_examples=25)
@given(sizes, st.integers(1, 9), st.randoms(use_true_random=False))
def test_distances_of_a_batch_equal_their_plain_twin_bit_for_bit(width, dealers, rng):
    rows = [mixed(rng, width + 2) for _ in range(dealers)]
    queries = [
        (rng.randrange(dealers), sorted(rng.sample(range(dealers), rng.randint(1, dealers))))
        for _ in range(4)
    ]
    masks = mixed(rng, len(queries))
    answers = distance_answers(from_integers(rows), width, queries, field(*masks))
    for answer, mask, (subject, members) in zip(answers.values, masks, queries, strict=True):
        gaps = (
            len(members) * rows[subject][c] - sum(rows[m][c] for m in members) for c in range(width)
        )
        assert int(answer) == (sum(gap * gap for gap in gaps) + mask) % P


@settings(max_examples=25)
@given(sizes, residues, st.randoms(use_true_random=False))
def test_a_polynomial_is_evaluated_as_by_python_integers(size, point, rng):
    values = mixed(rng, size)
    twin = sum(value * pow(point, power, P) for power, value in enumerate(values)) % P
    assert int(kernels.evaluate(np.array(values, dtype=np.uint64), np.uint64(point))) == twin


@settings(max_examples=25)
@given(sizes, st.integers(1, 13), st.integers(1, 5), st.randoms(use_true_random=False))
def test_products_of_wide_matrices_equal_python_integers(columns, inner, rows, rng):
    left = [mixed(rng, inner) for _ in range(rows)]
    right = [mixed(rng, columns) for _ in range(inner)]
    found = (from_integers(left) @ from_integers(right)).values.tolist()
    across = list(zip(*right, strict=True))
    assert found == [
        [sum(a * b for a, b in zip(row, column, strict=True)) % P for column in across]
        for row in left
    ]


@given(st.lists(st.lists(residues, min_size=4, max_size=4), min_size=1, max_size=9))
def test_a_running_sum_is_that_of_python_integers(rows):
    total = sum_of([field(*row) for row in rows])
    assert total.values.tolist() == [sum(column) % P for column in zip(*rows, strict=True)]


def test_arrays_of_two_shapes_are_not_added():
    for add in (lambda: field(1) + field(1, 2), lambda: sum_of([field(1, 2), field(1)])):
        with pytest.raises(Misuse, match=r"shapes \("):
            add()


@pytest.mark.parametrize("value", [P, P + 1, 2**64 - 1])
def test_a_value_that_is_no_residue_does_not_get_in_and_is_not_shown(value):
    with pytest.raises(Misuse) as refusal:
        field(0, value)
    assert "at (1,)" in str(refusal.value)
    assert str(value) not in str(refusal.value)
    with pytest.raises(Misuse):
        FieldArray.from_bytes(value.to_bytes(8, "little"), (1,))


@given(st.lists(st.integers(-(P // 2), P // 2), min_size=1))
def test_signed_integers_and_bytes_come_back(values):
    array = FieldArray.from_signed(np.array(values, dtype=np.int64))
    assert array.to_signed().tolist() == values
    assert FieldArray.from_bytes(array.buffer, array.shape) == array


def test_a_seed_expands_alike_everywhere_and_differently_in_every_context():
    seed = Seed(bytes(range(32)))
    one, again = expand(seed, b"round 1", 1000), expand(seed, b"round 1", 1000)
    assert one == again
    assert one != expand(seed, b"round 2", 1000)
    assert repr(seed) == "Seed"
    with pytest.raises(Misuse):
        Seed(b"short")


def test_residues_are_61_bits_with_the_modulus_itself_drawn_again():
    words = [P, 5, (7 << 61) | 9, P | (1 << 63), 11]
    stream = b"".join(word.to_bytes(8, "little") for word in words)
    position = 0

    def source(size: int) -> bytes:
        nonlocal position
        position += size
        return stream[position - size : position]

    assert uniform(3, source).values.tolist() == [5, 9, 11]


def test_no_kernel_is_compiled_once_the_module_is_imported():
    """A first round that waits for a compiler looks like a silent party to all others."""
    values = [*vars(kernels).values(), *vars(interpolation).values()]
    compiled = {id(value): value for value in values if isinstance(value, Dispatcher)}.values()
    assert len(compiled) > 14
    for kernel in compiled:
        assert len(kernel.signatures) == 1
        with pytest.raises(TypeError, match="No matching definition"):
            kernel(*(["of another type"] * kernel.py_func.__code__.co_argcount))
