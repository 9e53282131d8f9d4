"""Lagrange-coded sharing (Yu et al., AISTATS 2019, arXiv 1806.00939; docs/protocol.md §4).

A secret is cut in K chunks. The polynomial through the chunks at β_1…β_K and through T uniform
values has degree K+T−1; party j's share is its value at α_j. Sums of shares share sums, and the
squared norm of a share lies on a polynomial of degree D = 2(K+T−1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from secfpp.algebra.field import FieldArray, P, from_integers, stack
from secfpp.algebra.interpolation import interpolation
from secfpp.algebra.reed_solomon import wrong_positions
from secfpp.errors import ConfigError, Misuse, RoundFailed

BLOCK: Final = 2**13  # Columns that are encoded at once: their temporaries are a few megabytes.


def completed(
    parties: int, pinned: Mapping[int, FieldArray], matrix: FieldArray, known: Sequence[FieldArray]
) -> FieldArray:
    """All parties' values (n, width): the `pinned` ones, and the others', `matrix` · `known`.

    Column block by block, so that nothing but the result grows with the width.
    """
    width = len(known[0])
    others = [j for j in range(parties) if j not in pinned]
    values = np.empty((parties, width), dtype=np.uint64)
    for j, row in pinned.items():
        values[j] = row.values
    for start in range(0, width, BLOCK):
        block = stack([row[start : start + BLOCK] for row in known])
        values[others, start : start + BLOCK] = (matrix @ block).values
    return FieldArray.proven(values)


def maximal_chunks(
    *, parties: int, colluders: int, stragglers: int, adversaries: int, dim: int
) -> int:
    """K = min(d, ⌊(n−1−S−2A)/2⌋ − T + 1), the most chunks that n parties can decode (§4).

    Raises ConfigError with the inequality where not even K = 1 is possible.
    """
    most = (parties - 1 - stragglers - 2 * adversaries) // 2 - colluders + 1
    if most < 1:
        raise ConfigError(
            "n ≥ 2(K+T−1) + 1 + S + 2A is needed with K ≥ 1: "
            f"n = {parties}, T = {colluders}, S = {stragglers}, A = {adversaries} do not fit",
            fix="add parties, or lower colluders, stragglers or adversaries",
        )
    return min(dim, most)


def lagrange_matrix(
    sources: tuple[int, ...], targets: tuple[int, ...], modulus: int = P
) -> list[list[int]]:
    """The matrix (targets, sources) that carries a polynomial's values at sources to targets.

    Entry (t, s) is Π_{r≠s} (target_t − source_r) / (source_s − source_r) modulo `modulus`, in the
    barycentric form Π_r (target_t − source_r) · w_s / (target_t − source_s): O(targets · sources).
    """
    weights = [
        pow(_product((s - r for r in sources if r != s), modulus), -1, modulus) for s in sources
    ]
    places = {source: place for place, source in enumerate(sources)}
    inverses: dict[int, int] = {}
    matrix = []
    for target in targets:
        if target in places:
            matrix.append([int(s == target) for s in sources])
            continue
        gaps = [target - source for source in sources]
        for gap in gaps:
            if gap not in inverses:
                inverses[gap] = pow(gap, -1, modulus)
        whole = _product(gaps, modulus)
        matrix.append(
            [
                whole * weight % modulus * inverses[gap] % modulus
                for weight, gap in zip(weights, gaps, strict=True)
            ]
        )
    return matrix


class LagrangeCode:
    """The code of one round: n parties, K chunks, T colluders; parties are counted from 0."""

    def __init__(self, parties: int, chunks: int, colluders: int) -> None:
        if chunks < 1 or colluders < 1:
            raise Misuse(f"chunks and colluders must be at least 1, not {chunks} and {colluders}")
        if parties < 2 * (chunks + colluders - 1) + 1:
            raise Misuse(
                f"{parties} parties cannot decode a product: {2 * (chunks + colluders - 1) + 1} "
                f"are needed for chunks={chunks}, colluders={colluders}"
            )
        self.parties = parties
        self.chunks = chunks
        self.colluders = colluders
        self.betas = tuple(range(1, chunks + colluders + 1))
        self.alphas = tuple(chunks + colluders + j for j in range(1, parties + 1))

    @property
    def share_degree(self) -> int:
        """K + T − 1, the degree of a sharing."""
        return self.chunks + self.colluders - 1

    @property
    def product_degree(self) -> int:
        """D = 2(K + T − 1), the degree of a squared distance."""
        return 2 * self.share_degree

    def threshold(self, degree: int) -> int:
        """How many parties' values decode a polynomial of this degree."""
        return degree + 1

    def width(self, dim: int) -> int:
        """⌈dim / K⌉, the length of a chunk and of a share."""
        return -(-dim // self.chunks)

    def split(self, secret: FieldArray) -> FieldArray:
        """Cut (dim,) in (K, width), the last chunk padded with zeros."""
        dim = len(secret)
        padded = np.zeros(self.chunks * self.width(dim), dtype=np.uint64)
        padded[:dim] = secret.values
        return FieldArray.proven(padded.reshape(self.chunks, self.width(dim)))

    def join(self, chunks: FieldArray, dim: int) -> FieldArray:
        """Undo `split`; padding that is not zero was dealt by a cheat and raises RoundFailed."""
        flat = chunks.reshape(-1)
        if dim > len(flat):
            raise Misuse(f"{len(flat)} values cannot be joined to {dim}")
        if flat.values[dim:].any():
            raise RoundFailed("the padding of a decoded vector is not zero: it was not dealt so")
        return flat[:dim]

    def share(self, secret: FieldArray, pinned: Mapping[int, FieldArray]) -> FieldArray:
        """Shares (n, width) of a secret (dim,), with T of them given (§4, seeded shares).

        `pinned` maps T parties to their shares (width,), uniform and independent of the secret:
        they take the place of the T random chunks. Row j is party j's share.
        """
        return self.share_chunks(self.split(secret), pinned)

    def share_chunks(self, chunks: FieldArray, pinned: Mapping[int, FieldArray]) -> FieldArray:
        """Shares (n, width) of chunks (K, width), with T of them given."""
        if len(pinned) != self.colluders or len(chunks) != self.chunks:
            raise Misuse(
                f"{len(chunks)} chunks and {len(pinned)} pinned shares came, K = {self.chunks} and "
                f"T = {self.colluders} are needed"
            )
        width = chunks.shape[1]
        if any(p.shape != (width,) or not 0 <= j < self.parties for j, p in pinned.items()):
            raise Misuse(f"each pinned share must be {width} residues of a party of the code")
        sources = self.betas[: self.chunks] + tuple(self.alphas[j] for j in pinned)
        targets = tuple(self.alphas[j] for j in range(self.parties) if j not in pinned)
        known = [*(chunks[k] for k in range(self.chunks)), *pinned.values()]
        return completed(self.parties, pinned, _matrix(sources, targets), known)

    def decode(self, degree: int, parties: Sequence[int], values: FieldArray) -> FieldArray:
        """The chunks (K, width) of a polynomial from the values (answers, width) of some parties.

        The first degree + 1 answers decide; all others are held against them, and one that does not
        lie on the polynomial raises RoundFailed. Too few answers raise Misuse.
        """
        return (
            _matrix(self._sources(degree, parties, values), self.betas[: self.chunks])
            @ (values[: degree + 1])
        )

    def decode_total(self, degree: int, parties: Sequence[int], values: FieldArray) -> FieldArray:
        """Σ_{k≤K} h(β_k) for each column: (queries,) from the answers (answers, queries) (§5)."""
        sources = self._sources(degree, parties, values)
        return (_total(sources, self.betas[: self.chunks]) @ values[: degree + 1])[0]

    def locate(
        self, degree: int, parties: Sequence[int], combined: FieldArray, errors: int
    ) -> tuple[int, ...]:
        """Which of the answers (answers,) of some parties are wrong: positions in `parties` (§9).

        At most `errors` of them may be, or RoundFailed: beyond that nothing is corrected and nobody
        is named. Fewer than degree + 1 + 2·errors answers raise Misuse. `combined` is one column,
        or a random linear combination of columns that only the caller knows.
        """
        needed = self.threshold(degree) + 2 * errors
        self._require_parties(parties)
        if len(parties) < needed or len(parties) != len(combined):
            raise Misuse(
                f"{len(combined)} answers of {len(parties)} parties came, {needed} are needed to "
                f"correct {errors} errors of degree {degree}"
            )
        points = tuple(self.alphas[j] for j in parties)
        if self._agree(points, degree, combined.reshape(-1, 1)):
            return ()
        values = [int(value) for value in combined.values]
        wrong = wrong_positions(points, values, degree, errors, P)
        if wrong is None:
            raise RoundFailed(
                f"the {len(points)} answers lie on no polynomial of degree {degree}, not even "
                f"without the worst {errors} of them: more than A = {errors} parties answered wrong"
            )
        return wrong

    def _require_parties(self, parties: Sequence[int]) -> None:
        if len(set(parties)) != len(parties) or not all(0 <= j < self.parties for j in parties):
            raise Misuse(f"the parties must be different numbers from 0 to {self.parties - 1}")

    def _sources(self, degree: int, parties: Sequence[int], values: FieldArray) -> tuple[int, ...]:
        needed = self.threshold(degree)
        self._require_parties(parties)
        if len(parties) < needed or len(parties) != len(values):
            raise Misuse(
                f"{len(values)} answers of {len(parties)} parties came, {needed} are needed to "
                f"decode degree {degree}"
            )
        points = tuple(self.alphas[j] for j in parties)
        if not self._agree(points, degree, values):
            raise RoundFailed("an answer does not lie on the polynomial of the others")
        return points[:needed]

    def _agree(self, points: tuple[int, ...], degree: int, values: FieldArray) -> bool:
        """Whether the values (points, columns) all lie on polynomials of this degree."""
        needed = self.threshold(degree)
        sources, others = points[:needed], points[needed:]
        return not others or _matrix(sources, others) @ values[:needed] == values[needed:]


@lru_cache(maxsize=16)  # A party needs a few; at n = 1,000 each has four megabytes.
def _matrix(sources: tuple[int, ...], targets: tuple[int, ...]) -> FieldArray:
    return interpolation(sources, targets)


@lru_cache(maxsize=16)
def _total(sources: tuple[int, ...], targets: tuple[int, ...]) -> FieldArray:
    return from_integers([[1] * len(targets)]) @ interpolation(sources, targets)


def _product(factors: Iterable[int], modulus: int) -> int:
    result = 1
    for factor in factors:
        result = result * factor % modulus
    return result
