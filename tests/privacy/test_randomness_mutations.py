"""Residues and seeds that are not as random as they should be, and what a coalition then sees."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

from secfpp.algebra.field import FieldArray, P, stack
from secfpp.algebra.randomness import SEED_BYTES, Seed, expand, uniform
from secfpp.errors import Misuse
from secfpp.protocol.dealing import deal
from secfpp.protocol.params import RoundParams

from .distributions import Matrix, View, total_variation
from .enumeration import TinyRound, advantage, random_vectors, whole
from .real_rounds import attempt, everything_dealt

VISIBLE = Fraction(1, 10)


@pytest.mark.parametrize(
    ("p", "values"),
    [(11, [word % 11 for word in range(16)]), (11, list(range(8))), (7, [*range(7), 7 % 7])],
    ids=["four bits modulo 11", "three bits", "three bits with the modulus taken for 0"],
)
def test_mutation_residues_that_are_not_uniform(p, values):
    """The last is the product's field on a small scale: 7 = 2^3 − 1 as P = 2^61 − 1."""
    tiny = TinyRound(parties=3, chunks=1, colluders=1, modulus=p)
    intact = replace(whole(tiny, (2,)), dealers=(0, 2))
    vectors = random_vectors(tiny, 100)
    twins = [vectors + step * (np.arange(3) == 0)[:, None, None] for step in range(1, p)]
    assert advantage(intact, vectors, twins) == 0
    assert advantage(replace(intact, noise=tuple(values)), vectors, twins) > VISIBLE


def test_the_product_takes_each_residue_from_eight_words_and_the_modulus_from_none():
    """All 64-bit words are equally likely; top bits are cleared, P with any top bits is skipped."""
    tops = [top << 61 for top in range(8)]
    chosen = [0, 1, 2**60, P - 1, *np.random.default_rng(0).integers(0, P, 20).tolist()]
    for residue in chosen:
        words = [top | residue for top in tops] + [top | P for top in tops] + [17]
        stream = iter(words)
        found = uniform(9, lambda size, stream=stream: _next_words(stream, size // 8))
        assert found.values.tolist() == [residue] * 8 + [17]


def _next_words(stream, count: int) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in itertools.islice(stream, count))


def chi_square(values: np.ndarray) -> float:
    """The larger statistic of the 64 values of the top and of the lowest six of 61 bits."""
    expected = len(values) / 64
    parts = (values >> np.uint64(55), values & np.uint64(63))
    counts = [np.bincount(part.astype(np.int64), minlength=64) for part in parts]
    return max(float(((count - expected) ** 2 / expected).sum()) for count in counts)


TOO_UNEVEN = 160  # 63 degrees of freedom: beyond 160 once in 10^9 samples of uniform residues.


def test_residues_of_seeds_and_of_the_generator_pass_a_test_of_uniformity():
    fixed = np.random.default_rng(3)
    assert chi_square(uniform(100_000, fixed.bytes).values) < TOO_UNEVEN
    seed = Seed(bytes(range(SEED_BYTES)))
    assert chi_square(expand(seed, b"a context", 100_000).values) < TOO_UNEVEN


@pytest.mark.parametrize("bits", [32, 58, 60])
def test_mutation_residues_of_too_few_bits_fail_that_test(bits):
    values = np.random.default_rng(4).integers(0, 2**bits, 100_000, dtype=np.uint64) % np.uint64(P)
    assert chi_square(values) > TOO_UNEVEN


def one_byte_of_randomness(seed: int) -> Callable[[int], bytes]:
    """A broken generator: every request is answered by one random byte and zeros."""
    rng = np.random.default_rng(seed)
    return lambda size: bytes([rng.integers(256)]) + bytes(size - 1)


def plausible_vectors(params: RoundParams, own: FieldArray) -> list[list[int]]:
    """All vectors in range that party-2's share of party-0 admits, over 256 seeds of party-1.

    K = T = 1: a guess of the one seed and one's own share decide the polynomial.
    """
    spec, code = params.feature_sharing, params.feature_code
    found = []
    for byte in range(256):
        seed = Seed(bytes([byte]) + bytes(SEED_BYTES - 1))
        guess = expand(seed, params.key.context("party-0", "party-1", spec.kind), spec.dim)
        chunks = code.decode(code.share_degree, [1, 2], stack([guess, own]))
        levels = chunks.reshape(-1).to_signed()
        if np.abs(levels).max() <= spec.quantiser.bound:
            found.append(levels.tolist())
    return found


def test_mutation_seeds_of_eight_bits_are_found_by_trying_and_show_the_vector():
    """The product deals, with a broken generator; a colluder who got no seed of it decodes."""
    params = attempt(parties=4, dim=4, stragglers=1)
    assert params.feature_code.chunks == 1
    levels, held = everything_dealt(params, one_byte_of_randomness(5))
    own = held["party-2"]["party-0"].shares[0]
    assert plausible_vectors(params, own) == [levels[0].tolist()]
    _, held = everything_dealt(params, os.urandom)
    assert plausible_vectors(params, held["party-2"]["party-0"].shares[0]) == []


def seeds_dealt(params: RoundParams, randomness: Callable[[int], bytes]) -> list[bytes]:
    """Every seed that all parties send in one attempt."""
    vector = np.zeros(params.sharings[0].dim, dtype=np.int64)
    sent = []
    for dealer in params.roster:
        for message in deal(params, dealer, (vector,), randomness, lambda _: b"")[0].values():
            every = (*message.shares, message.masks)
            sent += [value.reveal() for value in every if isinstance(value, Seed)]
    return sent


def test_no_seed_is_dealt_twice_and_with_a_byte_of_randomness_some_are():
    params = attempt(parties=20, dim=4, colluders=4)
    expected = 20 * 4 + len(params.mask_dealers) * params.feature_code.product_degree
    assert len(set(seeds_dealt(params, os.urandom))) == expected
    assert len(set(seeds_dealt(params, one_byte_of_randomness(6)))) < expected
    with pytest.raises(Misuse, match="32 bytes"):
        Seed(b"one byte and no more"[:1])


@dataclass(frozen=True)
class TwoAttempts:
    """One colluder's shares of one vector, (K, w) = (2, 1) and then (1, 2), in two attempts."""

    colluder: int
    same_residues: bool

    def view(self, vector: Matrix) -> View:
        view = View(11)
        for number, tiny in enumerate((TinyRound(6, 2, 1, 11), TinyRound(5, 1, 1, 11))):
            row = tiny.sharing_matrix(0)[self.colluder]
            for column, chunks in enumerate(vector.reshape(tiny.chunks, -1).T):
                name = (column, 0 if self.same_residues else number)
                offset = row[: tiny.chunks] @ chunks % 11
                view.see(np.array([[offset]]), {name: row[None, tiny.chunks :]})
        return view


@pytest.mark.parametrize("colluder", [2, 3, 4])
def test_mutation_the_same_seeds_in_an_attempt_with_another_code(colluder):
    """A colluder who gets residues; party 1 has the seed itself and sees nothing else twice."""
    one, two = np.array([3, 1]), np.array([4, 8])
    views = [TwoAttempts(colluder, same) for same in (False, True)]
    found = [total_variation(attempts.view(one), attempts.view(two)) for attempts in views]
    assert found[0] == 0
    assert found[1] > VISIBLE


def test_the_product_expands_one_seed_differently_in_each_attempt():
    key = attempt(parties=5, dim=4).key
    seed = Seed(os.urandom(SEED_BYTES))
    contexts = [replace(key, attempt=number).context("a", "b", "domain") for number in (1, 2)]
    one, two = (expand(seed, context, 50) for context in contexts)
    assert not set(one.values.tolist()) & set(two.values.tolist())
