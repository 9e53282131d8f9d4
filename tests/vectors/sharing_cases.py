"""Cases of sharing, decoding, distances and sharings of zero (docs/protocol.md §4, §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from draws import Draws, P
from polynomials import Rows, at, powers, solved, through

Case = Mapping[str, object]
Pinned = list[tuple[int, list[int]]]


@dataclass(frozen=True)
class Code:
    """n parties, K chunks and T colluders, with the points of docs/protocol.md §4."""

    parties: int
    chunks: int
    colluders: int
    modulus: int = P

    @property
    def betas(self) -> list[int]:
        return list(range(1, self.chunks + 1))

    @property
    def alphas(self) -> list[int]:
        start = self.chunks + self.colluders + 1
        return list(range(start, start + self.parties))

    @property
    def degree(self) -> int:
        """Of a sharing; that of a square is twice it."""
        return self.chunks + self.colluders - 1

    def header(self) -> dict[str, object]:
        return {"parties": self.parties, "chunks": self.chunks, "colluders": self.colluders}

    def cut(self, secret: list[int]) -> Rows:
        """K chunks, padded with zeros."""
        width = -(-len(secret) // self.chunks)
        padded = secret + [0] * (width * self.chunks - len(secret))
        return [padded[k * width : (k + 1) * width] for k in range(self.chunks)]

    def shares(self, secret: list[int], pinned: Pinned) -> Rows:
        """One row per party."""
        points = self.betas + [self.alphas[j] for j, _ in pinned]
        known = self.cut(secret) + [values for _, values in pinned]
        polynomial = through(points, known, self.modulus)
        return [at(polynomial, alpha, self.modulus) for alpha in self.alphas]

    def zero_shares(self, pinned: Pinned) -> Rows:
        """One row of mask values per party; D parties' rows are pinned.

        D equations z(α_j) = value and one Σ_k z(β_k) = 0 for the D + 1 coefficients.
        """
        size = 2 * self.degree + 1
        rows = [powers(self.alphas[j], size, self.modulus) for j, _ in pinned]
        sums = [sum(pow(b, e, self.modulus) for b in self.betas) for e in range(size)]
        right = [values for _, values in pinned] + [[0] * len(pinned[0][1])]
        polynomial = solved([*rows, sums], right, self.modulus)
        return [at(polynomial, alpha, self.modulus) for alpha in self.alphas]

    def chunk_values(self, parties: list[int], values: Rows) -> Rows:
        """The values at β_1…β_K of the polynomial through some parties' values."""
        polynomial = through([self.alphas[j] for j in parties], values, self.modulus)
        return [at(polynomial, beta, self.modulus) for beta in self.betas]

    def totals(self, parties: list[int], values: Rows) -> list[int]:
        """Σ_{k≤K} h(β_k) for each column."""
        columns = zip(*self.chunk_values(parties, values), strict=True)
        return [sum(column) % self.modulus for column in columns]


SIZES = (  # (n, K, T, d): tight and roomy, K = 1, d < K, d = 1, d no multiple of K.
    (3, 1, 1, 5),
    (5, 2, 1, 6),
    (6, 2, 1, 7),
    (7, 3, 1, 2),
    (9, 3, 2, 8),
    (9, 4, 1, 1),
    (10, 2, 3, 5),
    (12, 1, 5, 3),
    (20, 6, 4, 17),
    (100, 26, 24, 40),
)


def sharing_cases() -> list[Case]:
    """Shares of a secret with T of them pinned; any T parties, in any order."""
    draws, cases = Draws("sharing"), []
    for n, k, t, dim in SIZES:
        code = Code(n, k, t)
        secret = draws.row(dim)
        pinned = [(j, draws.row(-(-dim // k))) for j in draws.some(range(n), t)]
        cases.append(
            {
                "name": f"n={n} K={k} T={t} d={dim}",
                **code.header(),
                "secret": secret,
                "pinned": pinned,
                "shares": code.shares(secret, pinned),
            }
        )
    return cases


def erasure_cases() -> list[Case]:
    """Decoding a polynomial of degree K+T−1 or D from different answers, also from spare ones."""
    draws, cases = Draws("erasures"), []
    for n, k, t, width in ((5, 2, 1, 3), (9, 1, 2, 2), (11, 3, 2, 4), (14, 2, 3, 1)):
        code = Code(n, k, t)
        for degree in (code.degree, 2 * code.degree):
            polynomial = [draws.row(width) for _ in range(degree + 1)]
            everything = [at(polynomial, alpha, P) for alpha in code.alphas]
            for spare in range(min(3, n - degree)):
                parties = draws.some(range(n), degree + 1 + spare)
                chunks = [at(polynomial, beta, P) for beta in code.betas]
                cases.append(
                    {
                        "name": f"n={n} K={k} T={t} degree={degree} spare={spare}",
                        **code.header(),
                        "degree": degree,
                        "parties_that_answer": parties,
                        "values": [everything[j] for j in parties],
                        "chunk_values": chunks,
                        "totals": [sum(column) % P for column in zip(*chunks, strict=True)],
                    }
                )
    return cases


def distance_cases() -> list[Case]:
    """Answers to queries, bare and masked, and what they open."""
    draws = Draws("distances")
    return [
        _distances(Code(n, k, t), dim, bound, draws)
        for n, k, t, dim, bound in (
            (3, 1, 1, 4, 1000),
            (5, 2, 1, 5, 2**24),
            (9, 3, 2, 8, 2**20),
            (11, 2, 3, 3, 2**16),
            (10, 4, 1, 1, 2**24),
        )
    ]


def _distances(code: Code, dim: int, bound: int, draws: Draws) -> Case:
    dealers, width = min(code.parties, 6), -(-dim // code.chunks)
    levels = [[draws.below(2 * bound + 1) - bound for _ in range(dim)] for _ in range(dealers)]
    pins = [
        [(j, draws.row(width)) for j in draws.some(range(code.parties), code.colluders)]
        for _ in levels
    ]
    shares = [
        code.shares([v % P for v in vector], pinned)
        for vector, pinned in zip(levels, pins, strict=True)
    ]
    queries = [(0, [1]), (1, list(range(dealers))), (2, [0, 1]), (0, [0, 1])]
    bare = [
        [_squared_gap([share[j] for share in shares], i, members) % P for i, members in queries]
        for j in range(code.parties)
    ]
    mask_pins = [
        [(j, draws.row(len(queries))) for j in draws.some(range(code.parties), 2 * code.degree)]
        for _ in range(code.colluders + 1)
    ]
    zeros = [code.zero_shares(pinned) for pinned in mask_pins]
    masks = [_sum(rows) for rows in zip(*zeros, strict=True)]
    masked = [_sum(rows) for rows in zip(bare, masks, strict=True)]
    opened = [_squared_gap(levels, i, members) for i, members in queries]
    some = draws.some(range(code.parties), 2 * code.degree + 1)
    for answers in (bare, masked):
        if code.totals(some, [answers[j] for j in some]) != opened:
            raise AssertionError("the answers do not open the distances of the plain vectors")
    return {
        "name": f"n={code.parties} K={code.chunks} T={code.colluders} d={dim} B={bound}",
        **code.header(),
        "levels": levels,
        "pinned": pins,
        "queries": queries,
        "bare_answers": bare,
        "pinned_masks": mask_pins,
        "masks": masks,
        "masked_answers": masked,
        "parties_that_open": some,
        "opened": opened,
        "chunk_values_bare": code.chunk_values(some, [bare[j] for j in some]),
        "chunk_values_masked": code.chunk_values(some, [masked[j] for j in some]),
    }


def _sum(rows: Iterable[list[int]]) -> list[int]:
    return [sum(column) % P for column in zip(*rows, strict=True)]


def _squared_gap(rows: Rows, subject: int, members: list[int]) -> int:
    """‖m·x_i − Σ_{s∈M} x_s‖² over the integers."""
    return sum(
        (len(members) * column[subject] - sum(column[s] for s in members)) ** 2
        for column in zip(*rows, strict=True)
    )


def zero_cases() -> list[Case]:
    """Sharings of zero from the values of D parties, in any order."""
    draws, cases = Draws("zero sharings"), []
    for n, k, t, queries in (
        (3, 1, 1, 3),
        (5, 2, 1, 2),
        (9, 3, 2, 4),
        (12, 2, 3, 1),
        (21, 6, 4, 2),
    ):
        code = Code(n, k, t)
        pinned = [(j, draws.row(queries)) for j in draws.some(range(n), 2 * code.degree)]
        cases.append(
            {
                "name": f"n={n} K={k} T={t} queries={queries}",
                **code.header(),
                "pinned": pinned,
                "masks": code.zero_shares(pinned),
            }
        )
    return cases
