"""Cases of wrong answers (docs/protocol.md §9) and of what is refused altogether.

Every positive case is one where trying all sets of liars finds exactly one explanation; every
negative one where no set of at most A liars explains the values at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from draws import Draws, P
from polynomials import at, liars_that_explain
from sharing_cases import Code

Case = Mapping[str, object]


class Lie(Enum):
    """How liars lie: each its own way, or all as of one other polynomial."""

    ONE_MORE = "one more"
    ZERO = "zero"
    ANYTHING = "anything"
    TOGETHER = "together"


class Expected(Enum):
    """The kinds of refusal: the caller's mistake, or a round that ends without its goal."""

    MISUSE = "misuse"
    ROUND_FAILED = "round failed"


# The last three sizes lose answers and have liars among the rest.
SIZES = (  # (n, K, T, A, whether of degree D or K+T−1, spare answers)
    (5, 1, 1, 1, True, 0),
    (9, 2, 1, 2, True, 0),
    (9, 2, 2, 1, True, 0),
    (10, 2, 2, 1, True, 1),
    (12, 3, 2, 1, True, 1),
    (13, 2, 2, 3, True, 0),
    (13, 3, 2, 3, False, 2),
    (14, 3, 3, 1, True, 1),
    (14, 2, 2, 0, True, 2),
    (12, 2, 2, 1, True, 0),
    (14, 2, 2, 2, True, 1),
    (13, 2, 2, 2, False, 1),
)


def error_cases() -> list[Case]:
    """Up to A wrong answers among some parties' answers, in any order: who, and what is opened."""
    draws = Draws("wrong answers")
    return [
        _with_liars(size, lie, count, draws)
        for size in SIZES
        for count in range(size[3] + 1)
        for lie in (Lie if count else (Lie.ANYTHING,))
    ]


def failure_cases() -> list[Case]:
    """One liar and two liars more than A: nothing is corrected and nobody named.

    Left out is where the lies happen to be within A of another polynomial.
    """
    draws = Draws("too many wrong answers")
    return [
        case
        for size in SIZES
        for more in (1, 2)
        for lie in (Lie.ONE_MORE, Lie.ANYTHING)
        if (case := _with_liars(size, lie, size[3] + more, draws))
    ]


def _with_liars(
    size: tuple[int, int, int, int, bool, int], lie: Lie, count: int, draws: Draws
) -> Case:
    n, k, t, errors, squared, spare = size
    code = Code(n, k, t)
    degree = 2 * code.degree if squared else code.degree
    polynomial, other = ([[draws.residue()] for _ in range(degree + 1)] for _ in range(2))
    parties = draws.some(range(n), degree + 1 + 2 * errors + spare)
    points = [code.alphas[j] for j in parties]
    values = [at(polynomial, x, P)[0] for x in points]
    for place in draws.some(range(len(parties)), count):
        values[place] = _lie(lie, values[place], at(other, points[place], P)[0], draws)
    found = list(liars_that_explain(points, values, degree, errors, P))
    case: dict[str, object] = {
        "name": f"n={n} K={k} T={t} A={errors} degree={degree} spare={spare} {count} {lie.value}",
        **code.header(),
        "degree": degree,
        "errors": errors,
        "parties_that_answer": parties,
        "values": values,
    }
    if count > errors:
        return {} if found else case
    # A lie may hit the truth by chance, so the liars are those whom the values show.
    if len({liars for liars in found if len(liars) == len(found[0])}) != 1:
        raise AssertionError("up to A wrong values have exactly one smallest explanation")
    chunks = [at(polynomial, beta, P)[0] for beta in code.betas]
    return {**case, "wrong": found[0], "chunk_values": chunks, "total": sum(chunks) % P}


def _lie(lie: Lie, truth: int, elsewhere: int, draws: Draws) -> int:
    match lie:
        case Lie.ONE_MORE:
            return (truth + 1) % P
        case Lie.ZERO:
            return 0
        case Lie.ANYTHING:
            return draws.below(P)
        case Lie.TOGETHER:
            return elsewhere


def refusal_cases() -> list[Case]:
    """What cannot be right, by operation."""
    code = Code(9, 2, 2)
    values = [[7 * j + c for c in range(3)] for j in range(9)]
    base = code.header()
    misuse, failed = Expected.MISUSE, Expected.ROUND_FAILED

    def case(name: str, operation: str, expected: Expected, **inputs: object) -> Case:
        return {"name": name, "operation": operation, "expected": expected.value, **inputs}

    return [
        *(
            case(f"residue {v}", "residues", misuse, values=[0, v, 1])
            for v in (P, P + 1, 2**64 - 1)
        ),
        *(
            case(f"bytes of {v}", "bytes", misuse, hex=v.to_bytes(8, "little").hex(), count=1)
            for v in (P, 2**61, 2**63, 2**64 - 1)
        ),
        *(
            case(f"{size} bytes for 2 residues", "bytes", misuse, hex="00" * size, count=2)
            for size in (0, 8, 15, 17, 24)
        ),
        *_too_few(case, base, values),
        case("one value more than parties", "decode", misuse, **base, degree=3,
             parties_that_answer=[0, 1, 2, 3], values=values[:5]),
        *(
            case(f"{count} pinned shares where T = 2", "share", misuse, **base, secret=[1, 2, 3],
                 pinned=[(j, [5, 6]) for j in range(count)])
            for count in (0, 1, 3)
        ),
        case("masks pinned for 5 parties where D = 6", "zero", misuse, **base, queries=2,
             pinned=[(j, [5, 6]) for j in range(5)]),
        case("3 masks pinned where 2 are asked for", "zero", misuse, **base, queries=2,
             pinned=[(j, [5, 6, 7]) for j in range(6)]),
        case("2 masks for 1 query", "answer", misuse, shares=[[1, 2], [3, 4]], width=2,
             queries=[(0, [0, 1])], masks=[5, 6]),
        *(
            case(f"padding {at_end} that is not zero", "join", failed, **base, dim=4 - len(at_end),
                 chunk_values=[[1, 2], [3, 4][: 2 - len(at_end)] + at_end])
            for at_end in ([1], [P - 1], [0, 1], [P - 1, 0])
        ),
        *_off_the_polynomial(case, code),
    ]  # fmt: skip


def _too_few(
    case: Callable[..., Case], base: Mapping[str, object], values: list[list[int]]
) -> list[Case]:
    few = [
        case(f"{count} answers for degree {degree}", "decode", Expected.MISUSE, **base,
             degree=degree, parties_that_answer=list(range(count)), values=values[:count])
        for count, degree in ((3, 3), (6, 6), (1, 6))
    ]  # fmt: skip
    return few + [
        case(f"{count} answers for degree {degree} and A = {errors}", "locate", Expected.MISUSE,
             **base, degree=degree, errors=errors, parties_that_answer=list(range(count)),
             values=[row[0] for row in values[:count]])
        for count, degree, errors in ((8, 6, 1), (7, 3, 2), (9, 6, 2))
    ]  # fmt: skip


def _off_the_polynomial(case: Callable[..., Case], code: Code) -> list[Case]:
    polynomial = [[3, P - 1], [5, 0], [P - 2, 1], [8, 8]]
    rows = [at(polynomial, alpha, P) for alpha in code.alphas[:6]]
    cases = []
    for place in range(6):
        for column in range(2):
            wrong = [list(row) for row in rows]
            wrong[place][column] = (wrong[place][column] + 1) % P
            cases.append(
                case(f"answer {place} wrong in column {column}", "decode", Expected.ROUND_FAILED,
                     **code.header(), degree=3, parties_that_answer=list(range(6)), values=wrong)
            )  # fmt: skip
    return cases
