"""Exact distributions of what the coordinator and a coalition see, over tiny fields.

A model of docs/protocol.md §4, §5, §7 and §9 that takes the modulus as an argument. Its matrices
are the product's own; at the real modulus it is held to the product bit for bit.

What is enumerated: the T uniform values of each honest sharing, because answers square them. What
is not: masks and blinds, because they enter linearly (and the T values themselves where nothing is
asked): distributions.py takes them as they are, and a test holds this shortcut to the enumeration
of everything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from secfpp.algebra.coding import LagrangeCode, lagrange_matrix
from secfpp.algebra.distances import CodedQuery
from secfpp.algebra.masking import zero_matrix

from .distributions import Fresh, Matrix, View, total_variation


@dataclass(frozen=True)
class TinyRound:
    """n parties, K chunks and T colluders over the field of `modulus` elements."""

    parties: int
    chunks: int
    colluders: int
    modulus: int

    @cached_property
    def code(self) -> LagrangeCode:
        """The product's code: its points are small integers, and differ modulo `modulus` too."""
        code = LagrangeCode(self.parties, self.chunks, self.colluders)
        points = {point % self.modulus for point in (*code.betas, *code.alphas)}
        assert len(points) == len(code.betas) + len(code.alphas)
        return code

    def after(self, dealer: int, count: int) -> tuple[int, ...]:
        """The `count` parties after `dealer` in cyclic order: those who get seeds (§4, §5)."""
        return tuple((dealer + step) % self.parties for step in range(1, count + 1))

    def sharing_matrix(self, dealer: int) -> Matrix:
        """(n, K+T): all shares from the chunks and the T uniform values of a dealer (§4)."""
        seeded = self.after(dealer, self.colluders)
        sources = (*self.code.betas[: self.chunks], *(self.code.alphas[j] for j in seeded))
        return self._matrix(lagrange_matrix(sources, self.code.alphas, self.modulus))

    def mask_matrix(self, dealer: int) -> Matrix:
        """(n, D): all shares of a mask from a dealer's D uniform values (§5)."""
        seeded = self.after(dealer, self.code.product_degree)
        return self._matrix(zero_matrix(self.code, seeded, self.modulus))

    def interpolation(self, degree: int, parties: tuple[int, ...]) -> Matrix:
        """(K, degree + 1): the values at β_1…β_K from those of the first degree + 1 parties."""
        sources = tuple(self.code.alphas[j] for j in parties[: degree + 1])
        targets = self.code.betas[: self.chunks]
        return self._matrix(lagrange_matrix(sources, targets, self.modulus))

    def share(self, dealer: int, chunks: Matrix, uniform: Matrix) -> Matrix:
        """Shares (…, n, w) of chunks (…, K, w) with a dealer's uniform values (…, T, w)."""
        lead = np.broadcast_shapes(chunks.shape[:-2], uniform.shape[:-2])
        parts = [np.broadcast_to(part, (*lead, *part.shape[-2:])) for part in (chunks, uniform)]
        shares: Matrix = self.sharing_matrix(dealer) @ np.concatenate(parts, axis=-2) % self.modulus
        return shares

    def squares(self, query: CodedQuery, vectors: Matrix) -> Matrix:
        """‖m·x_i − Σ_{s∈M} x_s‖² over the last axis, from (n, …, w), whatever they hold."""
        subject, members = query
        gap = len(members) * vectors[subject] - sum(vectors[member] for member in members)
        total: Matrix = (gap**2 % self.modulus).sum(axis=-1) % self.modulus
        return total

    def distances(self, queries: tuple[CodedQuery, ...], vectors: Matrix) -> Matrix:
        """What the coordinator opens: (…, queries) from vectors (n, …, K, w)."""
        opened = [self.squares(query, vectors).sum(axis=-1) % self.modulus for query in queries]
        return np.stack(opened, axis=-1)

    def _matrix(self, rows: list[list[int]]) -> Matrix:
        return np.array(rows, dtype=object if self.modulus > 2**31 else np.int64)


@dataclass(frozen=True)
class Scene:
    """One attempt: who colludes, who has dealt, what is asked, and what of it is seen.

    `dealers` are U and `mask_dealers` V; `answering` are the parties whose answers have come.
    `clusters` are those whose sum goes to a colluding member. `challenges` are the ρ of checked
    dealing: for a dealer, one for each of its blinds. `own` are the shares (n, w) that a colluder
    deals, of any values; what it adds to masks is known to it and changes nothing, so that it
    counts as zero. `noise` are the equally likely values of a residue of a sharing, where they are
    not all of the field.
    """

    round: TinyRound
    coalition: tuple[int, ...]
    queries: tuple[CodedQuery, ...]
    dealers: tuple[int, ...]
    mask_dealers: tuple[int, ...]
    answering: tuple[int, ...]
    clusters: tuple[tuple[int, ...], ...] = ()
    challenges: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    own: Mapping[int, Matrix] = field(default_factory=dict)
    noise: tuple[int, ...] = ()

    @property
    def honest(self) -> tuple[int, ...]:
        """The dealers outside the coalition."""
        return tuple(dealer for dealer in self.dealers if dealer not in self.coalition)

    @property
    def honest_mask_dealers(self) -> tuple[int, ...]:
        """The dealers of V outside the coalition."""
        return tuple(dealer for dealer in self.mask_dealers if dealer not in self.coalition)

    def view(self, vectors: Matrix) -> View:
        """All that the coordinator and the coalition see when the parties hold (n, K, w)."""
        shares = self.shares(vectors)
        view = View(self.round.modulus)
        for dealer, column in itertools.product(self.honest, range(vectors.shape[-1])):
            seen = self._noise(dealer, column, self.coalition)
            view.see(shares[dealer][:, self.coalition, column], seen)
        for dealer in self.honest_mask_dealers:
            for number in sorted({self.mask_number(q) for q in range(len(self.queries))}):
                held = self.mask_matrix(dealer)[list(self.coalition)]
                view.see(_nothing(held), {("mask", dealer, number): held})
        for position, query in enumerate(self.queries):
            self._see_answers(view, shares, position, query)
        for cluster, column in itertools.product(self.clusters, range(vectors.shape[-1])):
            noise: Fresh = {}
            for member in cluster:
                noise |= self._noise(member, column, range(self.round.parties))
            total = sum(shares[member][..., column] for member in cluster) % self.round.modulus
            view.see(total, noise)
        for dealer, challenges in self.challenges.items():
            for e, challenge in enumerate(challenges):
                if dealer in self.honest:
                    self._see_share_check(view, shares[dealer], (dealer, e, challenge))
                if dealer in self.honest_mask_dealers:
                    self._see_mask_check(view, (dealer, e, challenge))
        return view

    def shares(self, vectors: Matrix) -> Matrix:
        """(n, runs, n, w): every sharing, in every run; a run for each choice of honest noise.

        Where nothing is asked everything is linear: one run, and the noise is fresh residues.
        """
        tiny, width = self.round, vectors.shape[-1]
        values = self.noise or range(tiny.modulus if self.queries else 1)
        residues = len(self.honest) * tiny.colluders * width
        runs = np.array(list(itertools.product(values, repeat=residues)), dtype=np.int64)
        shape = (len(runs), len(self.honest), tiny.colluders, width)
        uniform = dict(zip(self.honest, np.moveaxis(runs.reshape(shape), 1, 0), strict=True))
        constant = np.zeros((1, tiny.colluders, width), dtype=np.int64)
        every = [
            self.own.get(dealer, tiny.share(dealer, vector, uniform.get(dealer, constant)))
            for dealer, vector in enumerate(vectors)
        ]
        return np.stack([np.broadcast_to(part, (len(runs), *part.shape[-2:])) for part in every])

    def mask_number(self, position: int) -> int:
        """The mask that the query at this position of the attempt uses: one of its own."""
        return position

    def mask_matrix(self, dealer: int) -> Matrix:
        """What the parties receive of a dealer's mask."""
        return self.round.mask_matrix(dealer)

    def masks_in_answers(self, dealer: int) -> Matrix:
        """What the parties add to their answers for the mask of an honest dealer of V."""
        return self.mask_matrix(dealer)

    def blind_number(self, check: int) -> int:
        """The blind columns that cover a dealer's check values: every challenge has its own."""
        return check

    def blind_matrix(self, dealer: int) -> Matrix:
        """What the parties receive of a blind column: K uniform chunks and T uniform values."""
        return self.round.sharing_matrix(dealer)

    def mask_blind_number(self, check: int) -> int:
        """The blind mask that covers a dealer's check values of its masks."""
        return check

    def _noise(self, dealer: int, column: int, parties: Iterable[int], factor: int = 1) -> Fresh:
        """What of some parties' shares is fresh: the honest noise, unless it is enumerated."""
        if self.queries or self.noise or dealer not in self.honest:
            return {}
        noise = self.round.sharing_matrix(dealer)[list(parties), self.round.chunks :]
        return {("noise", dealer, column): factor * noise % self.round.modulus}

    def _see_answers(self, view: View, shares: Matrix, position: int, query: CodedQuery) -> None:
        answering = list(self.answering)
        masks: Fresh = {
            ("mask", dealer, self.mask_number(position)): self.masks_in_answers(dealer)[answering]
            for dealer in self.honest_mask_dealers
        }
        view.see(self.round.squares(query, shares)[:, answering], masks)

    def _see_share_check(self, view: View, shares: Matrix, about: tuple[int, int, int]) -> None:
        """One honest dealer's f_ij at every party j, and the colluders' shares of its blind."""
        dealer, e, challenge = about
        tiny, columns = self.round, range(shares.shape[-1])
        powers = np.array([pow(challenge, c + 1, tiny.modulus) for c in columns], dtype=np.int64)
        blind, name = self.blind_matrix(dealer), ("blind", dealer, self.blind_number(e))
        held = blind[list(self.coalition)]
        view.see(_nothing(held), {name: held})
        values: Fresh = {name: blind}
        for column, power in zip(columns, powers.tolist(), strict=True):
            values |= self._noise(dealer, column, range(tiny.parties), power)
        view.see(shares @ powers % tiny.modulus, values)

    def _see_mask_check(self, view: View, about: tuple[int, int, int]) -> None:
        """One honest dealer's g_ij at every party j, and the colluders' shares of its blind."""
        dealer, e, challenge = about
        masks, name = self.mask_matrix(dealer), ("blind mask", dealer, self.mask_blind_number(e))
        held = masks[list(self.coalition)]
        view.see(_nothing(held), {name: held})
        values: Fresh = {name: masks}
        for position in range(len(self.queries)):
            power = pow(challenge, position + 1, self.round.modulus)
            values["mask", dealer, self.mask_number(position)] = power * masks % self.round.modulus
        view.see(_nothing(masks), values)


def whole(tiny: TinyRound, coalition: tuple[int, ...], *queries: CodedQuery) -> Scene:
    """Everybody deals vectors and masks, and every answer comes."""
    everybody = tuple(range(tiny.parties))
    return Scene(tiny, coalition, queries, everybody, everybody, everybody)


def outcome(scene: Scene, vectors: Matrix) -> Matrix:
    """What may be known of vectors (n, …, K, w): the distances asked for, and the sums seen."""
    parts = [np.zeros((*vectors.shape[1:-2], 0), dtype=np.int64)]
    if scene.queries:
        parts.append(scene.round.distances(scene.queries, vectors))
    for cluster in scene.clusters:
        total = sum(vectors[member] for member in cluster) % scene.round.modulus
        parts.append(total.reshape(*total.shape[:-2], -1))
    return np.concatenate(parts, axis=-1)


def alike(scene: Scene, vectors: Matrix, count: int) -> list[Matrix]:
    """`count` other vectors of the honest dealers with the same outcome; colluders keep theirs."""
    rng = np.random.default_rng(7)
    wanted = outcome(scene, vectors)
    found: list[Matrix] = []
    for _ in range(50):
        many = np.repeat(vectors[:, None], 20_000, axis=1)
        for dealer in scene.honest:
            many[dealer] = rng.integers(0, scene.round.modulus, many[dealer].shape)
        for cluster in scene.clusters:  # The last honest member makes the sum right.
            last = [member for member in cluster if member in scene.honest][-1]
            gap = sum(vectors[member] - many[member] for member in cluster)
            many[last] = (many[last] + gap) % scene.round.modulus
        same = (outcome(scene, many) == wanted).all(axis=-1)
        other = (many != vectors[:, None]).any(axis=(0, 2, 3))
        found += list(np.moveaxis(many[:, same & other], 1, 0))
        if len(found) >= count:
            return found[:count]
    raise AssertionError("no other vectors with this outcome were found")


def advantage(scene: Scene, vectors: Matrix, others: list[Matrix]) -> Fraction:
    """The best guess at which of two inputs a view is of: the largest total variation."""
    base = scene.view(vectors)
    return max(total_variation(base, scene.view(other)) for other in others)


def random_vectors(tiny: TinyRound, seed: int, width: int = 1) -> Matrix:
    """(n, K, w) uniform residues."""
    shape = (tiny.parties, tiny.chunks, width)
    return np.random.default_rng(seed).integers(0, tiny.modulus, shape)


def _nothing(matrix: Matrix) -> Matrix:
    """Offsets of values that hold fresh residues only, the same in every run."""
    return np.zeros((1, len(matrix)), dtype=np.int64)
