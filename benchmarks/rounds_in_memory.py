"""Whole rounds in the loopback engine, planted, counted and held against the plain computation."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.fixedpoint import largest_fraction_bits
from secfpp.bench.closed_form import Sizes, parts_of_round
from secfpp.bench.in_memory import NamedSigner, contents, equals_plain
from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.queries import Assignment
from secfpp.protocol.circumstances import Circumstances
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.disclosure import Policy
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams, SharingSpec
from secfpp.protocol.party import PartyRound
from secfpp.settings.rounds import choose_witnesses
from secfpp.transport.loopback import Loopback, Post, in_order
from secfpp.wire.checks import MAXIMUM_PARTIES
from secfpp.wire.codec import encode

COORDINATOR = "coordinator"
CENTRES, NOISE = 0.2, 0.04
"""Standard deviations of the planted centres, and of the parties around theirs."""


@dataclass(frozen=True)
class Case:
    """One round. With `moved` it is a later round, in which so many parties are misplaced."""

    parties: int
    dim: int = 8192
    colluders: int = 10
    stragglers: int = 1
    clusters: int = 2
    method: ClusteringMethod = ClusteringMethod.ADAPTIVE
    moved: int = 0

    @property
    def budget(self) -> int:
        """All pairs; or one batch for each of two seeds; or all means, and those two that move."""
        if self.method is ClusteringMethod.ONE_SHOT:
            return self.parties * (self.parties - 1) // 2
        return (self.clusters + 2 if self.moved else self.clusters) * self.parties

    @property
    def apart(self) -> int | None:
        """The public scale of a first round of adaptive k-means, in squared levels."""
        if self.method is ClusteringMethod.ONE_SHOT or self.moved:
            return None
        bits = largest_fraction_bits(1.0, self.dim, self.parties)
        return int(self.dim * CENTRES**2 * 4**bits)


class Meter:
    """Counts what is posted: payload of everybody, wire bytes of those who are watched."""

    def __init__(self, watched: Iterable[str]) -> None:
        self.messages = 0
        self.payload: Counter[str] = Counter()
        self.wire: Counter[str] = Counter(dict.fromkeys(watched, 0))

    def __call__(self, post: Post) -> tuple[Post]:
        """As a fault of the network: a message that is counted and let through."""
        self.messages += 1
        self.payload[post.sender] += contents(post.message).total()
        if post.sender in self.wire:
            self.wire[post.sender] += len(encode(post.message))
        return (post,)


class Round:
    """One case, planted and ready to run."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case = case
        self.params = parameters(case)
        names = self.params.roster
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(case.clusters, case.dim)) * CENTRES
        quantiser = self.params.feature_sharing.quantiser
        self.levels: dict[str, NDArray[np.int64]] = {}
        for index, name in enumerate(names):
            vector = centres[index % case.clusters] + rng.normal(size=case.dim) * NOISE
            self.levels[name] = quantiser.levels(vector.astype(np.float32))[0]
        self.previous = previous(case, names)
        self.meter = Meter((names[0], names[-1]) if case.parties <= MAXIMUM_PARTIES else ())
        policy = Policy(COORDINATOR, query_kinds=frozenset(QueryKind))
        self.network = Loopback(
            CoordinatorRound(
                self.params,
                case.method.clusterer,
                self.previous,
                NamedSigner(COORDINATOR),
                os.urandom,
                case.apart,
            ),
            {
                name: PartyRound(name, Circumstances(policy, NamedSigner(name), os.urandom))
                for name in names
            },
            {name: (self.levels[name],) for name in names},
            in_order,
            self.meter,
            recording=False,
        )

    @property
    def closed(self) -> Closed:
        """The end of the round, which must have reached its goal."""
        result = self.network.coordinator.result
        if not isinstance(result, Closed):
            raise SystemExit(f"the round failed: {result}")
        return result

    def exact(self) -> bool:
        """Whether all that was opened equals the plain computation, to the last bit."""
        parties, clusterer = self.network.parties.values(), self.case.method.clusterer
        return equals_plain(self.network.coordinator, parties, self.levels, clusterer)

    def payload_formula(self) -> int:
        """The closed form of docs/protocol.md §10 over all parties, headings left out."""
        params = self.params
        closed = self.closed
        sizes = Sizes(
            params.parties,
            self.case.dim,
            params.feature_code.chunks,
            params.colluders,
            params.stragglers,
            params.adversaries,
            params.query_budget,
            len(closed.disclosed.distances),
        )
        distances = closed.disclosed.distances
        parts = parts_of_round(
            sizes,
            [{params.places[name] for name in one} for one in closed.disclosed.means],
            witnesses=len(params.witnesses),
            batches=1 + max(line.batch for line in distances),
            number=params.key.round,
        )
        return sum(parts.values()) - parts["headings"]


def parameters(case: Case) -> RoundParams:
    """The parameters of a case, K as large as it can be."""
    pairwise = case.method is ClusteringMethod.ONE_SHOT
    bits = largest_fraction_bits(1.0, case.dim, case.parties)
    names = tuple(f"party-{index:04d}" for index in range(case.parties))
    return RoundParams(
        key=AttemptKey("large", 1, 1),
        coordinator=COORDINATOR,
        roster=names,
        witnesses=choose_witnesses(names, 1, case.colluders, case.stragglers, 0),
        colluders=case.colluders,
        stragglers=case.stragglers,
        adversaries=0,
        feature=Feature.DOMAIN,
        sharings=(SharingSpec("domain", case.dim, 1.0, bits),),
        minimum_cluster=max(3, case.colluders + 2),
        query_kind=QueryKind.PAIRWISE if pairwise else QueryKind.MEANS,
        query_budget=case.budget,
        queries_per_party=min(case.budget, case.dim // 2),
        rounds=1,
        strict_queries=False,
    )


def previous(case: Case, names: tuple[str, ...]) -> Assignment | None:
    """Where a later round starts: the planted clusters, with the first parties misplaced."""
    if not case.moved:
        return None
    labels = {name: index % case.clusters for index, name in enumerate(names)}
    for name in names[case.clusters : case.clusters + case.moved]:
        labels[name] = (labels[name] + 1) % case.clusters
    return Assignment(labels)
