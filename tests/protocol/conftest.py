"""A federation in memory for whole rounds: parameters, planted vectors, machines, a network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from secfpp.algebra.field import FieldArray
from secfpp.algebra.fixedpoint import largest_fraction_bits
from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.plain import run_plain
from secfpp.cluster.queries import Assignment, Task
from secfpp.protocol import dealing
from secfpp.protocol.circumstances import Circumstances, Release
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.dealing import Abstention, Vectors
from secfpp.protocol.disclosure import Policy
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams, SharingSpec
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Finished
from secfpp.transport.loopback import Fault, Loopback, Order, in_order

COORDINATOR = "coordinator"


class NamedSigner:
    """Signatures that only tell who signed what: real ones are tested with the transport."""

    def __init__(self, me: str) -> None:
        self._me = me

    def sign(self, message: bytes) -> bytes:
        return self._me.encode() + b" signed " + hashlib.sha256(message).digest()

    def verify(self, party: str, message: bytes, signature: bytes) -> bool:
        return signature == party.encode() + b" signed " + hashlib.sha256(message).digest()


@dataclass
class Federation:
    """n parties whose vectors lie around `clusters` planted centres, in roster order by turns."""

    parties: int = 7
    dim: int = 64
    clusters: int = 2
    colluders: int = 1
    stragglers: int = 1
    adversaries: int = 0
    seed: int = 0
    method: ClusteringMethod = ClusteringMethod.ADAPTIVE
    previous: Assignment | None = None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    witnesses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    released: Mapping[str, Release] = field(default_factory=dict)
    vectors: Mapping[str, Vectors | Abstention] = field(default_factory=dict)
    changes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = tuple(f"party-{index}" for index in range(self.parties))
        pairwise = self.method is ClusteringMethod.ONE_SHOT
        bits = largest_fraction_bits(1.0, self.dim, self.parties)
        self.params = replace(
            RoundParams(
                key=AttemptKey("run", 1, 1),
                coordinator=COORDINATOR,
                roster=names,
                witnesses=names,
                colluders=self.colluders,
                stragglers=self.stragglers,
                adversaries=self.adversaries,
                feature=Feature.DOMAIN,
                sharings=(SharingSpec("domain", self.dim, 1.0, bits),),
                minimum_cluster=max(3, self.colluders + 2),
                query_kind=QueryKind.PAIRWISE if pairwise else QueryKind.MEANS,
                query_budget=6 * self.parties * max(3, self.clusters),
                queries_per_party=self.dim // 2,
                rounds=1,
                strict_queries=False,
            ),
            **self.changes,
        )
        rng = np.random.default_rng(self.seed)
        centres = rng.normal(size=(self.clusters, self.dim)) * 0.2
        noise = rng.normal(size=(self.parties, self.dim)) * 0.04
        quantiser = self.params.feature_sharing.quantiser
        self.true = {name: index % self.clusters for index, name in enumerate(names)}
        self.levels: dict[str, NDArray[np.int64]] = {
            name: quantiser.levels((centres[self.true[name]] + noise[index]).astype(np.float32))[0]
            for index, name in enumerate(names)
        }

    def network(self, order: Order = in_order, fault: Fault = lambda post: (post,)) -> Loopback:
        """Fresh machines on a fresh network."""
        policy = Policy(COORDINATOR, query_kinds=frozenset({QueryKind.MEANS, QueryKind.PAIRWISE}))
        machines = {
            name: PartyRound(
                name,
                Circumstances(
                    self.policies.get(name, policy),
                    NamedSigner(name),
                    os.urandom,
                    self.witnesses.get(name, ()),
                    self.released.get(name),
                ),
            )
            for name in self.params.roster
        }
        coordinator = CoordinatorRound(
            self.params,
            self.method.clusterer,
            self.previous,
            NamedSigner(COORDINATOR),
            os.urandom,
        )
        vectors = {name: self.vectors.get(name, (self.levels[name],)) for name in machines}
        return Loopback(coordinator, machines, vectors, order, fault)


@pytest.fixture
def federation() -> Callable[..., Federation]:
    """Builds a federation; keyword arguments as in `Federation`."""
    return Federation


def held_against_the_plain_twin(federation, network):
    """A closed round equals the plain oracle, to the last bit, in everything it opened."""
    closed = network.coordinator.result
    assert isinstance(closed, Closed), closed
    disclosed = closed.disclosed
    dealers = tuple(party for party, _ in disclosed.labels)
    task = Task(
        dealers,
        federation.params.query_budget,
        federation.previous,
        queries_per_party=federation.params.queries_per_party,
    )
    levels = {party: federation.levels[party] for party in dealers}
    assignment, transcript = run_plain(federation.method.clusterer, task, levels)
    assert dict(disclosed.labels) == dict(assignment.labels)
    assert tuple((line.query, line.value) for line in disclosed.distances) == transcript
    quantiser = federation.params.prompt_sharing.quantiser
    finished = 0
    for party in network.parties.values():
        if not isinstance(party.result, Finished) or party.result.mean is None:
            continue
        finished += 1
        total = sum(levels[member] for member in party.result.cluster)
        expected = quantiser.mean(total, len(party.result.cluster))
        assert party.result.mean.tobytes() == expected.tobytes()
    return finished


@pytest.fixture
def equals_plain() -> Callable[..., int]:
    """Asserts that a closed round equals the plain oracle; returns how many got their mean."""
    return held_against_the_plain_twin


@dataclass
class Dealt:
    """What every dealer has dealt, row j to party j: what an attack is held against."""

    shares: dict[str, FieldArray] = field(default_factory=dict)
    masks: dict[str, FieldArray] = field(default_factory=dict)


@pytest.fixture
def dealt(monkeypatch) -> Dealt:
    """Records all dealing of the rounds that follow."""
    record, share, masks = Dealt(), dealing._share, dealing._masks

    def recorded_share(params, dealer, *rest):
        record.shares[dealer] = share(params, dealer, *rest)
        return record.shares[dealer]

    def recorded_masks(params, dealer, *rest):
        record.masks[dealer] = masks(params, dealer, *rest)
        return record.masks[dealer]

    monkeypatch.setattr(dealing, "_share", recorded_share)
    monkeypatch.setattr(dealing, "_masks", recorded_masks)
    return record
