"""Laws of the coded arithmetic, with Python's unbounded integers and galois as second opinions."""

from __future__ import annotations

import itertools
import os
import random

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from secfpp.algebra import interpolation, kernels
from secfpp.algebra.coding import LagrangeCode, lagrange_matrix, maximal_chunks
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, P, from_integers, stack, sum_of
from secfpp.algebra.masking import deal_zero, solvable, zero_matrix
from secfpp.algebra.randomness import Seed, expand, uniform
from secfpp.errors import ConfigError, Misuse, RoundFailed

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
