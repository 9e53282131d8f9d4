"""The parameters of one attempt of a round, every inequality checked once (protocol.md §3–§8)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property

from secfpp.algebra.coding import LagrangeCode, maximal_chunks
from secfpp.algebra.field import P
from secfpp.algebra.fixedpoint import Quantiser, check_headroom
from secfpp.algebra.masking import solvable_after
from secfpp.errors import ConfigError


@dataclass(frozen=True, order=True)
class AttemptKey:
    """One attempt of one round of one run; every message of the attempt carries it."""

    run: str
    round: int
    attempt: int

    def context(self, dealer: str, recipient: str, kind: str) -> bytes:
        """The HKDF context of one seed (§4): unambiguous, for names hold no control characters."""
        fields = (self.run, str(self.round), str(self.attempt), dealer, recipient, kind)
        return "\x1f".join(fields).encode()


BLINDS = 2
"""Blinded challenges per dealer (§9), hence extra columns of a sharing and extra masks."""


MOST_CHECKED = 240
"""Parties among which dealing can be checked (§9): a Dispute, of n² lines, fits in one message."""


class Feature(Enum):
    """What the parties are clustered by (§2)."""

    DOMAIN = "domain"
    PERSONALISED = "personalised"


class QueryKind(Enum):
    """What a batch may ask (§8): distances to means of disjoint sets, or every pair at once."""

    MEANS = "means"
    PAIRWISE = "pairwise"


@dataclass(frozen=True)
class SharingSpec:
    """One vector that every party shares: its name, dimension, clip and fraction bits (§2, §3)."""

    kind: str
    dim: int
    clip: float
    fraction_bits: int

    @property
    def quantiser(self) -> Quantiser:
        """The fixed-point map of this vector."""
        return Quantiser(self.clip, self.fraction_bits)


@dataclass(frozen=True)
class RoundParams:
    """What all participants of one attempt agree on; built only if every rule holds.

    `roster` are the consenting parties in order (n of them), `witnesses` those whose echoes count
    (§8), some of whom may be lost by now; `colluders` T, `stragglers` S, `adversaries` A;
    `sharings` is one vector (feature and prompt are the same) or two (feature, then prompt);
    `query_budget` Q masks are dealt, `queries_per_party` is q of §1, `rounds` R.
    A broken rule raises ConfigError with the inequality and its numbers.
    """

    key: AttemptKey
    coordinator: str
    roster: tuple[str, ...]
    witnesses: tuple[str, ...]
    colluders: int
    stragglers: int
    adversaries: int
    feature: Feature
    sharings: tuple[SharingSpec, ...]
    minimum_cluster: int
    query_kind: QueryKind
    query_budget: int
    queries_per_party: int
    rounds: int
    strict_queries: bool

    def __post_init__(self) -> None:
        self._check_thresholds()
        self._check_witnesses()
        self._check_clusters_and_queries()
        for sharing in self.sharings:
            check_headroom(sharing.clip, sharing.fraction_bits, sharing.dim, self.parties)
        self._check_masks()

    @property
    def parties(self) -> int:
        """n, the number of parties on the roster."""
        return len(self.roster)

    @property
    def feature_sharing(self) -> SharingSpec:
        """The vector whose distances are opened."""
        return self.sharings[0]

    @property
    def prompt_sharing(self) -> SharingSpec:
        """The vector whose cluster means go to the members."""
        return self.sharings[-1]

    @cached_property
    def codes(self) -> tuple[LagrangeCode, ...]:
        """One Lagrange code per sharing; they differ in chunks where a dimension is tiny."""
        return tuple(
            LagrangeCode(self.parties, self._chunks(sharing.dim), self.colluders)
            for sharing in self.sharings
        )

    @property
    def feature_code(self) -> LagrangeCode:
        """The code of the feature's sharing; its masks and answers have degree D."""
        return self.codes[0]

    @property
    def prompt_code(self) -> LagrangeCode:
        """The code of the prompt's sharing; the members' sums have degree K+T−1."""
        return self.codes[-1]

    @property
    def checked(self) -> bool:
        """Whether dealing is checked (§9): mandatory as soon as parties may lie."""
        return self.adversaries > 0

    @property
    def only_batch(self) -> bool:
        """Whether one batch is all, answered without waiting for anyone's echo (§6, one shot)."""
        return self.query_kind is QueryKind.PAIRWISE and not self.strict_queries

    @cached_property
    def share_widths(self) -> tuple[int, ...]:
        """The length of a dealt share of each sharing: ⌈d / K⌉, and the blinds if checked."""
        pairs = zip(self.codes, self.sharings, strict=True)
        return tuple(code.width(spec.dim) + self._blinds for code, spec in pairs)

    @property
    def mask_count(self) -> int:
        """How many masks a mask dealer deals: one per query of the budget, and the blinds."""
        return self.query_budget + self._blinds

    @property
    def _blinds(self) -> int:
        return BLINDS if self.checked else 0

    @property
    def answers_needed(self) -> int:
        """D + 1 + 2A answers open a distance (§4, §9)."""
        return self.feature_code.product_degree + 1 + 2 * self.adversaries

    @property
    def sums_needed(self) -> int:
        """K + T + 2A sum shares open a cluster's mean to a member (§7)."""
        return self.prompt_code.share_degree + 1 + 2 * self.adversaries

    @property
    def echo_quorum(self) -> int:
        """So many equal digests of the witnesses are enough (§8)."""
        return majority(len(self.witnesses), self.colluders)

    @property
    def witnesses_here(self) -> int:
        """How many of the round's witnesses are on the roster of this attempt."""
        return sum(witness in self.places for witness in self.witnesses)

    @property
    def mask_dealers(self) -> tuple[str, ...]:
        """The first T+1+S+A parties of the roster deal masks (§5)."""
        return self.roster[: self.colluders + 1 + self.stragglers + self.adversaries]

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Each party's place on the roster, 0…n−1; its point is α of that place."""
        return {party: place for place, party in enumerate(self.roster)}

    def index(self, party: str) -> int:
        """The place of a party of the roster."""
        return self.places[party]

    def after(self, party: str, count: int) -> tuple[str, ...]:
        """The `count` parties after `party` in cyclic roster order."""
        return self._cyclic(self.index(party) + 1, count)

    def share_seeded(self, dealer: str) -> tuple[str, ...]:
        """The T parties that get a seed in place of each share of `dealer` (§4)."""
        return self.after(dealer, self.colluders)

    def mask_seeded(self, dealer: str) -> tuple[str, ...]:
        """The D parties that get a seed in place of their masks of `dealer` (§5)."""
        return self.after(dealer, self.feature_code.product_degree)

    def helpers(self, cluster: int) -> tuple[str, ...]:
        """The K+T+S+2A parties that send `cluster` its sums, rotating by round and cluster (§7)."""
        count = min(self.parties, self.sums_needed + self.stragglers)
        return self._cyclic(self.key.round + cluster, count)

    def helps(self, party: str, cluster: int) -> bool:
        """Whether `party` is one of the `helpers` of `cluster`."""
        gap = (self.index(party) - self.key.round - cluster) % self.parties
        return gap < self.sums_needed + self.stragglers

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of every parameter in one canonical text."""
        text = json.dumps(_plain(self), sort_keys=True, default=_plain)
        return hashlib.sha256(text.encode()).digest()

    def _cyclic(self, start: int, count: int) -> tuple[str, ...]:
        """So many parties from a place of the roster on; after the last comes the first."""
        return tuple(self.roster[(start + step) % self.parties] for step in range(count))

    def _chunks(self, dim: int) -> int:
        return maximal_chunks(
            parties=self.parties,
            colluders=self.colluders,
            stragglers=self.stragglers,
            adversaries=self.adversaries,
            dim=dim,
        )

    def _check_thresholds(self) -> None:
        n, t, s, a = self.parties, self.colluders, self.stragglers, self.adversaries
        _require(len(set(self.roster)) == n, "every name on the roster must be there once")
        _require(self.coordinator not in self.roster, "the coordinator cannot also be a party")
        _require(t >= 1, f"colluders T ≥ 1 is needed, T = {t} protects nobody")
        _require(0 <= s <= t, f"0 ≤ S ≤ T is needed: stragglers S = {s}, colluders T = {t}")
        _require(0 <= a <= t, f"0 ≤ A ≤ T is needed: adversaries A = {a}, colluders T = {t}")
        _require(
            a == 0 or n <= MOST_CHECKED,
            f"n ≤ {MOST_CHECKED} is needed with A ≥ 1, not {n}: a conflict is shown by n² lines in "
            "one message",
        )
        _require(
            n >= 2 * t + 1 + s + 2 * a,
            "n ≥ 2(K+T−1) + 1 + S + 2A is needed with K ≥ 1: "
            f"{n} parties, T = {t}, S = {s}, A = {a} need at least {2 * t + 1 + s + 2 * a}",
        )

    def _check_witnesses(self) -> None:
        count, here = len(self.witnesses), self.witnesses_here
        _require(len(set(self.witnesses)) == count, "every witness must be named once")
        needed = self.echo_quorum + self.stragglers + self.adversaries
        missing = [witness for witness in self.witnesses if witness not in self.places]
        _require(
            here >= needed,
            f"{here} of the round's {count} witnesses take part, ⌊(W+T)/2⌋ + 1 + S + A = {needed} "
            "are needed" + (f"; missing: {', '.join(missing)}" if missing else ""),
            fix="start those that are missing, or change the job's [protocol] section",
        )

    def _check_clusters_and_queries(self) -> None:
        smallest = max(3, self.colluders + 2)
        _require(
            self.minimum_cluster >= smallest,
            f"minimum_cluster ≥ max(3, T+2) = {smallest} is needed, not {self.minimum_cluster}: "
            "in a smaller cluster the colluders could subtract themselves and see one prompt",
        )
        _require(
            self.minimum_cluster <= self.parties,
            f"minimum_cluster ≤ n is needed: no cluster of {self.parties} parties can have "
            f"{self.minimum_cluster} members",
        )
        kinds = {sharing.kind for sharing in self.sharings}
        _require(
            len(self.sharings) in (1, 2) and len(kinds) == len(self.sharings),
            "one sharing, or two of different kinds (feature, then prompt), are possible",
        )
        _require("masks" not in kinds, "a sharing cannot be of the kind masks: their seeds are")
        _require(self.query_budget >= 1, f"query_budget ≥ 1 is needed, not {self.query_budget}")
        _require(self.rounds >= 1, f"rounds ≥ 1 is needed, not {self.rounds}")
        needed = 2 * self.rounds * self.queries_per_party
        dim = self.feature_sharing.dim
        _require(
            dim >= needed and self.queries_per_party >= 1,
            f"d' ≥ 2·R·q is needed (§1): the feature has {dim} dimensions, {self.rounds} rounds of "
            f"{self.queries_per_party} queries about one party would need {needed}",
        )

    def _check_masks(self) -> None:
        code = self.feature_code
        for dealer in self.mask_dealers:
            _require(
                solvable_after(code, self.index(dealer)),
                f"the masks of {dealer} cannot be solved for: Σ_k Π_j (β_k − α_j) = 0 mod {P} over "
                "the seeded recipients; change the roster's order",
            )


def _plain(value: object) -> object:
    """A dataclass of parameters as its fields, an enumeration as its value."""
    if isinstance(value, Enum):
        return value.value
    return {one.name: getattr(value, one.name) for one in fields(value)}  # type: ignore[arg-type]


def majority(witnesses: int, colluders: int) -> int:
    """⌊(W+T)/2⌋ + 1: two such majorities of W witnesses share more than T (protocol.md §8)."""
    return (witnesses + colluders) // 2 + 1


def _require(
    holds: bool, rule: str, fix: str = "change the roster or the job's [protocol] section"
) -> None:
    if not holds:
        raise ConfigError(rule, fix=fix)
