"""Polynomials over a prime field in plain Python integers, the slow and obvious way.

Coefficients come from a linear system and errors from trying every set of liars, so that no formula
of the code under test is used twice. A polynomial is a list of rows: coefficient c of each column.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

Rows = list[list[int]]


def solved(matrix: Sequence[Sequence[int]], right: Sequence[Sequence[int]], modulus: int) -> Rows:
    """X (unknowns, columns) with matrix · X = right, by Gauss–Jordan elimination."""
    size = len(matrix)
    rows = [[v % modulus for v in (*a, *b)] for a, b in zip(matrix, right, strict=True)]
    for place in range(size):
        pivot = next((r for r in range(place, size) if rows[r][place]), None)
        if pivot is None:
            raise ZeroDivisionError("the system is singular")
        rows[place], rows[pivot] = rows[pivot], rows[place]
        inverse = pow(rows[place][place], -1, modulus)
        rows[place] = [value * inverse % modulus for value in rows[place]]
        for r in range(size):
            factor = rows[r][place]
            if r != place and factor:
                rows[r] = [
                    (a - factor * b) % modulus for a, b in zip(rows[r], rows[place], strict=True)
                ]
    return [row[size:] for row in rows]


def powers(point: int, count: int, modulus: int) -> list[int]:
    """1, x, x², …"""
    return [pow(point, exponent, modulus) for exponent in range(count)]


def through(points: Sequence[int], values: Sequence[Sequence[int]], modulus: int) -> Rows:
    """The polynomial of degree below len(points) with the given row of values at each point."""
    return solved([powers(x, len(points), modulus) for x in points], values, modulus)


def at(coefficients: Rows, point: int, modulus: int) -> list[int]:
    """The row of values at a point."""
    weights = powers(point, len(coefficients), modulus)
    return [
        sum(w * c for w, c in zip(weights, column, strict=True)) % modulus
        for column in zip(*coefficients, strict=True)
    ]


def lies_on_degree(points: Sequence[int], values: Sequence[int], degree: int, modulus: int) -> bool:
    """Whether the values are those of a polynomial of at most `degree`.

    So it is if all of Newton's divided differences beyond that order are zero.
    """
    differences = [value % modulus for value in values]
    for order in range(1, len(points)):
        differences = [
            (later - sooner) * pow(points[i + order] - points[i], -1, modulus) % modulus
            for i, (sooner, later) in enumerate(itertools.pairwise(differences))
        ]
        if order > degree and any(differences):
            return False
    return True


def liars_that_explain(
    points: Sequence[int], values: Sequence[int], degree: int, errors: int, modulus: int
) -> Iterator[tuple[int, ...]]:
    """Every set of at most `errors` positions without which the rest lies on a polynomial."""
    for count in range(errors + 1):
        for liars in itertools.combinations(range(len(points)), count):
            honest = [i for i in range(len(points)) if i not in liars]
            chosen = [points[i] for i in honest]
            if lies_on_degree(chosen, [values[i] for i in honest], degree, modulus):
                yield liars
