"""Sharings of zero: the masks that leave of an answer nothing but the distance (protocol.md §5).

A mask is a polynomial z of degree D with Σ_{k≤K} z(β_k) = 0, uniform among those. D of its values
are free; here they are those of D recipients, so that these can be seeds, and the condition gives
one more value, hence all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from secfpp.algebra.coding import LagrangeCode, completed, lagrange_matrix
from secfpp.algebra.field import FieldArray, P, from_integers
from secfpp.errors import Misuse


def solvable(code: LagrangeCode, recipients: Sequence[int]) -> bool:
    """Whether masks can be solved for when these D parties hold seeds (§5, *Seeded masks*).

    It fails only where Σ_k Π_j (β_k − α_j) = 0 over the recipients j.
    """
    return _weight(code, recipients) != 0


def solvable_after(code: LagrangeCode, place: int) -> bool:
    """The same for the D parties after a place, cyclically, much faster: any opening asks it."""
    return _weight_after(code, place) != 0


def deal_zero(code: LagrangeCode, queries: int, pinned: Mapping[int, FieldArray]) -> FieldArray:
    """Mask shares (n, queries), one polynomial per query, with D parties' values given.

    `pinned` maps D parties to uniform values (queries,). Row j is party j's masks. A choice of
    recipients that cannot be solved for raises Misuse; `solvable` tells beforehand.
    """
    degree = code.product_degree
    if len(pinned) != degree:
        raise Misuse(f"{len(pinned)} mask shares are pinned, D = {degree} are needed")
    if not solvable(code, tuple(pinned)):
        raise Misuse("Σ_k Π_j (β_k − α_j) = 0 over the pinned parties: the masks have no solution")
    if any(values.shape != (queries,) for values in pinned.values()):
        raise Misuse(f"the pinned mask shares must be {queries} residues each")
    matrix = _solved(code.parties, code.chunks, code.colluders, tuple(pinned))
    return completed(code.parties, pinned, matrix, list(pinned.values()))


def zero_matrix(code: LagrangeCode, pinned: tuple[int, ...], modulus: int = P) -> list[list[int]]:
    """The matrix (n, D) from D pinned values of a sharing of zero to all n values.

    One more value, at β_1, is solved for from Σ_{k≤K} z(β_k) = 0; then everything is interpolated.
    """
    anchor, chunks = code.betas[0], code.betas[: code.chunks]
    sources = (*(code.alphas[j] for j in pinned), anchor)
    totals = [
        sum(column) for column in zip(*lagrange_matrix(sources, chunks, modulus), strict=True)
    ]
    free = -pow(totals[-1], -1, modulus)
    at_anchor = [total * free % modulus for total in totals[:-1]]
    return [
        [(row[s] + row[-1] * at_anchor[s]) % modulus for s in range(len(pinned))]
        for row in lagrange_matrix(sources, code.alphas, modulus)
    ]


@lru_cache(maxsize=16)
def _solved(parties: int, chunks: int, colluders: int, pinned: tuple[int, ...]) -> FieldArray:
    """The rows of `zero_matrix` for the parties whose values are not given."""
    matrix = zero_matrix(LagrangeCode(parties, chunks, colluders), pinned)
    return from_integers([row for j, row in enumerate(matrix) if j not in pinned])


def _weight(code: LagrangeCode, recipients: Sequence[int]) -> int:
    total = 0
    for beta in code.betas[: code.chunks]:
        term = 1
        for j in recipients:
            term = term * (beta - code.alphas[j]) % P
        total += term
    return total % P


def _weight_after(code: LagrangeCode, place: int) -> int:
    """`_weight` of the D parties after a place.

    Their points are consecutive integers, so that each product is one of factorials; its sign is
    that of an even number of factors.
    """
    count, degree, top = code.parties, code.product_degree, code.chunks + code.colluders
    factorials, inverses = _factorials(top + count)
    first = (place + 1) % count
    runs = [(first, min(first + degree, count)), (0, max(0, first + degree - count))]
    total = 0
    for k in code.betas[: code.chunks]:
        term = 1
        for start, end in runs:
            term = term * factorials[top + end - k] * inverses[top + start - k] % P
        total += term
    return total % P


@lru_cache(maxsize=4)
def _factorials(count: int) -> tuple[list[int], list[int]]:
    """0!, 1!, … (count − 1)! and their inverses modulo P."""
    factorials, inverses = [1] * count, [1] * count
    for i in range(1, count):
        factorials[i] = factorials[i - 1] * i % P
    inverses[-1] = pow(factorials[-1], -1, P)
    for i in range(count - 1, 0, -1):
        inverses[i - 1] = inverses[i] * i % P
    return factorials, inverses
