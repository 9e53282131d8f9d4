"""The operations of the coded arithmetic, each beside plain float64 and a slow, obvious twin.

The plain form is numpy of the same maths and shape in the clear; the twin computes a sample of the
same values in Python integers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.coding import LagrangeCode, lagrange_matrix, maximal_chunks
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, P, polynomial_value, stack, sum_of
from secfpp.algebra.fixedpoint import Quantiser, largest_fraction_bits
from secfpp.algebra.masking import deal_zero, zero_matrix
from secfpp.algebra.randomness import SEED_BYTES, Seed, expand, uniform
from secfpp.bench import twins
from secfpp.bench.twins import WORD

Floats = NDArray[np.float64]
SAMPLES: Final = 3
CONTEXT: Final = b"bench"
CHALLENGES: Final = 2


@dataclass(frozen=True)
class Operation:
    """One operation: what it counts as an element, how many, and the bytes it cannot but move."""

    name: str
    element: str
    elements: int
    bytes_moved: int
    run: Callable[[], object]
    plain: Callable[[], object]
    exact: Callable[[], bool]


class Setting:
    """n parties, T colluders, K as large as it can be, and seeded test data: nothing secret."""

    def __init__(self, parties: int, dim: int, colluders: int, seed: int) -> None:
        chunks = maximal_chunks(
            parties=parties, colluders=colluders, stragglers=0, adversaries=0, dim=dim
        )
        self.parties, self.dim, self.colluders, self.chunks = parties, dim, colluders, chunks
        self.code = LagrangeCode(parties, chunks, colluders)
        self.width = self.code.width(dim)
        self.degree = self.code.product_degree
        self.quantiser = Quantiser(1.0, largest_fraction_bits(1.0, dim, parties))
        self.rng = np.random.default_rng(seed)
        self.vector = self.rng.normal(scale=0.3, size=dim).astype(np.float32)
        self.pairs = [(b, [a]) for a, b in combinations(range(parties), 2)]
        self.seed = Seed(bytes(range(SEED_BYTES)))

    def residues(self, *shape: int) -> FieldArray:
        """Uniform residues of a shape."""
        return FieldArray(self.rng.integers(0, P, shape, dtype=np.uint64))

    def floats(self, *shape: int) -> Floats:
        """Plain numbers of a shape."""
        return self.rng.normal(size=shape)

    def sample(self, count: int) -> list[int]:
        """A few places below `count`, the first and the last among them."""
        return sorted({0, count - 1, *map(int, self.rng.integers(0, count, SAMPLES))})

    @cached_property
    def recipients(self) -> tuple[int, ...]:
        """The parties that get seeds of the first party's shares."""
        return tuple(range(1, self.colluders + 1))

    @cached_property
    def masked(self) -> tuple[int, ...]:
        """The parties that get seeds of the first party's masks."""
        return tuple(range(1, self.degree + 1))


def operations(setting: Setting) -> list[Operation]:
    """All operations of one setting, in the order in which a round meets them."""
    return [
        quantise(setting),
        uniform_residues(setting),
        expand_seed(setting),
        share(setting),
        masks(setting),
        answer(setting),
        decode_totals(setting),
        check_value(setting),
    ]


def quantise(at: Setting) -> Operation:
    """A real vector to residues."""
    scale, bound = 2.0**at.quantiser.fraction_bits, at.quantiser.bound

    def run() -> FieldArray:
        return FieldArray.from_signed(at.quantiser.levels(at.vector)[0])

    def plain() -> Floats:
        return np.clip(np.rint(at.vector.astype(np.float64) * scale), -bound, bound)

    def exact() -> bool:
        found = run().values
        return all(
            int(found[i])
            == max(-bound, min(bound, round(Fraction(float(at.vector[i])) * int(scale)))) % P
            for i in at.sample(at.dim)
        )

    return Operation("quantise", "value", at.dim, (4 + WORD) * at.dim, run, plain, exact)


def uniform_residues(at: Setting) -> Operation:
    """As many residues as a vector has values, from the system's generator."""

    def exact() -> bool:
        drawn = os.urandom(WORD * at.dim)
        return bool(uniform(at.dim, lambda _: drawn).values.tolist() == twins.words(drawn))

    return Operation(
        "uniform residues",
        "residue",
        at.dim,
        WORD * at.dim,
        lambda: uniform(at.dim, os.urandom),
        lambda: at.rng.random(at.dim),
        exact,
    )


def expand_seed(at: Setting) -> Operation:
    """One seed to a share."""

    def exact() -> bool:
        stream = twins.key_stream(at.seed.reveal(), CONTEXT, WORD * at.width)
        return bool(expand(at.seed, CONTEXT, at.width).values.tolist() == twins.words(stream))

    return Operation(
        "expand seed",
        "residue",
        at.width,
        WORD * at.width,
        lambda: expand(at.seed, CONTEXT, at.width),
        lambda: at.rng.random(at.width),
        exact,
    )


def share(at: Setting) -> Operation:
    """One vector to everyone's shares, the seeded ones given."""
    chunks = at.residues(at.chunks, at.width)
    pinned = {j: at.residues(at.width) for j in at.recipients}
    rows, inner = at.parties - at.colluders, at.chunks + at.colluders
    left, right = at.floats(rows, inner), at.floats(inner, at.width)

    def run() -> FieldArray:
        return at.code.share_chunks(chunks, pinned)

    def exact() -> bool:
        sources = at.code.betas[: at.chunks] + tuple(at.code.alphas[j] for j in at.recipients)
        matrix = lagrange_matrix(sources, at.code.alphas)
        known = np.vstack([chunks.values, *(row.values for row in pinned.values())])
        return twins.is_product(run(), matrix, known, at.sample(at.width))

    moved = WORD * at.width * (inner + at.parties)
    elements = rows * inner * at.width
    return Operation("share", "multiply-add", elements, moved, run, lambda: left @ right, exact)


def masks(at: Setting) -> Operation:
    """One dealer's masks for all pairs, the seeded ones given."""
    count = len(at.pairs)
    pinned = {j: at.residues(count) for j in at.masked}
    rows = at.parties - at.degree
    left, right = at.floats(rows, at.degree), at.floats(at.degree, count)

    def run() -> FieldArray:
        return deal_zero(at.code, count, pinned)

    def exact() -> bool:
        known = np.vstack([row.values for row in pinned.values()])
        return twins.is_product(run(), zero_matrix(at.code, at.masked), known, at.sample(count))

    moved = WORD * count * (at.degree + at.parties)
    elements = rows * at.degree * count
    return Operation("masks", "multiply-add", elements, moved, run, lambda: left @ right, exact)


def answer(at: Setting) -> Operation:
    """All pairwise distances of a batch, on one party's shares."""
    shares, zeros = at.residues(at.parties, at.width), at.residues(len(at.pairs))
    clear = at.floats(at.parties, at.width)

    def run() -> FieldArray:
        return distance_answers(shares, at.width, at.pairs, zeros)

    def plain() -> Floats:
        norms = np.einsum("ij,ij->i", clear, clear)
        distances: Floats = norms[:, None] + norms - 2 * (clear @ clear.T)
        return distances

    def exact() -> bool:
        found, rows = run().values, shares.values.tolist()
        return all(
            int(found[q])
            == (twins.squared_difference(rows, *at.pairs[q]) + int(zeros.values[q])) % P
            for q in at.sample(len(at.pairs))
        )

    moved = WORD * (at.parties * at.width + 2 * len(at.pairs))
    elements = len(at.pairs) * at.width
    return Operation("answer", "coordinate of a difference", elements, moved, run, plain, exact)


def decode_totals(at: Setting) -> Operation:
    """All pairwise distances of a batch, from D + 1 parties' answers."""
    needed, count = at.degree + 1, len(at.pairs)
    parties, values = range(needed), at.residues(needed, count)
    left, right = at.floats(1, needed), at.floats(needed, count)

    def run() -> FieldArray:
        return at.code.decode_total(at.degree, parties, values)

    def exact() -> bool:
        points = at.code.alphas[:needed]
        matrix = lagrange_matrix(points, at.code.betas[: at.chunks])
        weights = [sum(column) for column in zip(*matrix, strict=True)]
        return twins.is_product(run().reshape(1, -1), [weights], values.values, at.sample(count))

    moved = WORD * count * (needed + 1)
    return Operation(
        "decode totals", "multiply-add", needed * count, moved, run, lambda: left @ right, exact
    )


def check_value(at: Setting) -> Operation:
    """The two check values of one dealer's share: a polynomial at two secret-free points."""
    vector, points = at.residues(at.width), (P - 2, 2**60 + 1)
    clear = at.floats(at.width)

    def run() -> list[int]:
        return [polynomial_value(vector, point) for point in points]

    def plain() -> list[float]:
        return [float(clear @ np.cumprod(np.full(at.width, base))) for base in (0.99, 0.999)]

    def exact() -> bool:
        values = vector.values.tolist()
        return run() == [twins.polynomial(values, point) for point in points]

    elements = CHALLENGES * at.width
    return Operation("check values", "residue", elements, WORD * elements, run, plain, exact)


def party(at: Setting) -> Operation:
    """All arithmetic of one party in a round of all pairs, from its vector to its answers.

    It is the first of the roster, so it deals masks: it quantises, draws and expands the seeds of
    its shares and masks, encodes, expands the seeds that others dealt to it, and answers.
    """
    count, dealers = len(at.pairs), at.colluders + 1
    others = [at.residues(at.width) for _ in range(at.parties - 1 - at.colluders)]
    seeds = [Seed(os.urandom(SEED_BYTES)) for _ in range(at.colluders + dealers)]
    kept: list[tuple[FieldArray, FieldArray]] = []

    def run() -> FieldArray:
        secret = FieldArray.from_signed(at.quantiser.levels(at.vector)[0])
        own = at.code.share(secret, {j: _drawn(at.width) for j in at.recipients})[0]
        zeros = deal_zero(at.code, count, {j: _drawn(count) for j in at.masked})[0]
        seeded = [expand(seed, CONTEXT, at.width) for seed in seeds[: at.colluders]]
        theirs = [expand(seed, CONTEXT, count) for seed in seeds[at.colluders + 1 :]]
        shares, mask = stack([own, *others, *seeded]), sum_of([zeros, *theirs])
        kept[:] = [(shares, mask)]
        return distance_answers(shares, at.width, at.pairs, mask)

    parts = [quantise(at).plain, share(at).plain, masks(at).plain, answer(at).plain]
    randoms = 2 * at.colluders * at.width + (at.degree + at.colluders) * count

    def plain() -> list[object]:
        return [part() for part in parts] + [at.rng.random(randoms)]

    def exact() -> bool:
        found = run().values
        shares, mask = kept[0]
        rows = shares.values.tolist()
        return all(
            int(found[q])
            == (twins.squared_difference(rows, *at.pairs[q]) + int(mask.values[q])) % P
            for q in at.sample(count)
        )

    moved = WORD * (at.dim + 2 * at.parties * at.width + (at.parties + dealers) * count)
    return Operation("party", "value of the vector", at.dim, moved, run, plain, exact)


def _drawn(count: int) -> FieldArray:
    return expand(Seed(os.urandom(SEED_BYTES)), CONTEXT, count)
