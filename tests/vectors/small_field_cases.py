"""Cases over small fields, computed by galois, and its opinion on those over 2^61 − 1."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import galois
import numpy as np
from draws import Draws, P
from polynomials import liars_that_explain
from sharing_cases import Code

Case = Mapping[str, object]


def matrix_cases() -> list[Case]:
    """Matrices from values at some points to values at others, column by column of unit values."""
    draws, cases = Draws("matrices"), []
    for modulus, sources, targets in ((13, 5, 8), (257, 7, 9), (7919, 12, 6), (2**31 - 1, 9, 4)):
        field = galois.GF(modulus)
        points = draws.some(range(min(modulus, 500)), sources)
        asked = draws.some(range(min(modulus, 500)), targets - 1) + points[:1]
        columns = [
            galois.lagrange_poly(field(points), field(unit))(field(asked)).tolist()
            for unit in np.eye(sources, dtype=int).tolist()
        ]
        cases.append(
            {
                "name": f"p={modulus} {sources} to {targets}",
                "modulus": modulus,
                "sources": points,
                "targets": asked,
                "matrix": list(zip(*columns, strict=True)),
            }
        )
    return cases


def zero_matrix_cases() -> list[Case]:
    """Matrices from D pinned values of a sharing of zero to all n, or none where there is none."""
    draws, cases = Draws("small sharings of zero"), []
    for modulus, n, k, t in (
        (17, 5, 2, 1),
        (257, 9, 3, 2),
        (7919, 12, 2, 3),
        (2**31 - 1, 11, 4, 1),
    ):
        code = Code(n, k, t, modulus)
        cases.append(_zero_matrix(code, draws.some(range(n), 2 * code.degree)))
    code = Code(8, 2, 2, 13)
    chosen = itertools.combinations(range(code.parties), 2 * code.degree)
    small = [_zero_matrix(code, list(pinned)) for pinned in chosen]
    if all(case["matrix"] for case in small) or not any(case["matrix"] for case in small):
        raise AssertionError("both kinds of pinned parties are wanted over the smallest field")
    return cases + small


def _zero_matrix(code: Code, pinned: list[int]) -> Case:
    field, size = galois.GF(code.modulus), 2 * code.degree + 1

    def powers(points: list[int]) -> galois.FieldArray:
        return field(points)[:, np.newaxis] ** np.arange(size)

    known = powers([code.alphas[j] for j in pinned])
    sums = powers(code.betas).sum(axis=0, keepdims=True)
    system, matrix = field(np.vstack([known, sums])), None
    if np.linalg.matrix_rank(system) == size:
        matrix = (powers(code.alphas) @ np.linalg.inv(system))[:, :-1].tolist()
    return {
        "name": f"p={code.modulus} n={code.parties} K={code.chunks} T={code.colluders} of {pinned}",
        **code.header(),
        "modulus": code.modulus,
        "pinned": pinned,
        "matrix": matrix,
    }


def reed_solomon_cases() -> list[Case]:
    """What a Berlekamp–Massey decoder makes of 0 to A + 2 wrong values; None: it gives up."""
    draws, cases = Draws("small Reed-Solomon"), []
    for modulus, size in ((11, 7), (13, 5), (17, 9), (19, 14)):
        field = galois.GF(modulus)
        decoder = galois.ReedSolomon(modulus - 1, size, field=field)
        points = [int(decoder.alpha**power) for power in reversed(range(decoder.n))]
        for count in range(decoder.t + 3):
            for _ in range(4):
                values = decoder.encode(field(draws.row(size, modulus))).tolist()
                for place in draws.some(range(decoder.n), count):
                    values[place] = (values[place] + 1 + draws.below(modulus - 1)) % modulus
                cases.append(_decoded(decoder, points, values, len(cases)))
    return cases


def _decoded(
    decoder: galois.ReedSolomon, points: list[int], values: list[int], number: int
) -> Case:
    modulus = decoder.field.order
    word, found = decoder.decode(decoder.field(values), output="codeword", errors=True)
    wrong = None
    # Beyond its radius galois 0.4.11 at times claims success with what is no codeword.
    if found >= 0 and not decoder.detect(word):
        wrong = [i for i, (a, b) in enumerate(zip(word.tolist(), values, strict=True)) if a != b]
    tried = liars_that_explain(points, values, decoder.k - 1, decoder.t, modulus)
    if next((list(liars) for liars in tried), None) != wrong:
        raise AssertionError("galois and trying every set of liars do not agree")
    return {
        "name": f"{number}: p={modulus} degree={decoder.k - 1} A={decoder.t}",
        "modulus": modulus,
        "degree": decoder.k - 1,
        "errors": decoder.t,
        "points": points,
        "values": values,
        "wrong": wrong,
    }


def second_opinion_on_shares(cases: list[Case]) -> int:
    """Hold shares over 2^61 − 1 against galois; how many rows of shares were compared."""
    field = galois.GF(P, compile="python-calculate", primitive_element=37, verify=False)
    compared = 0
    for case in cases:
        code = Code(case["parties"], case["chunks"], case["colluders"])
        points = field(code.betas + [code.alphas[j] for j, _ in case["pinned"]])
        known = code.cut(case["secret"]) + [values for _, values in case["pinned"]]
        for column, shares in zip(
            zip(*known, strict=True), zip(*case["shares"], strict=True), strict=True
        ):
            polynomial = galois.lagrange_poly(points, field(list(column)))
            if polynomial(field(code.alphas)).tolist() != list(shares):
                raise AssertionError(f"galois finds other shares for {case['name']}")
            compared += 1
    return compared
