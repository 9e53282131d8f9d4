"""What measurements without processes share: stand-in signatures, sizes, and what is right."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.field import FieldArray
from secfpp.algebra.randomness import SEED_BYTES, Seed
from secfpp.bench.closed_form import RESIDUE_BYTES
from secfpp.cluster.plain import run_plain
from secfpp.cluster.queries import Clusterer, Task
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.messages import Answers, Deal, Echo, RoundMessage, SumShare
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Finished

SIGNATURE_BYTES = 71
"""As long as an ECDSA signature mostly is."""


class NamedSigner:
    """Signatures that only tell who signed what; `signed` and `verified` count them.

    A real signature costs more than all else that is done with an echo: who needs its time adds it.
    """

    def __init__(self, me: str) -> None:
        self.signed = 0
        self.verified = 0
        self._me = me.encode()

    def sign(self, message: bytes) -> bytes:
        """The name and a digest."""
        self.signed += 1
        return _signature(self._me, message)

    def verify(self, party: str, message: bytes, signature: bytes) -> bool:
        """Whether the signature is `party`'s."""
        self.verified += 1
        return signature == _signature(party.encode(), message)


def _signature(name: bytes, message: bytes) -> bytes:
    return (name + b" signed " + hashlib.sha256(message).digest()).ljust(SIGNATURE_BYTES, b".")


def equals_plain(
    machine: CoordinatorRound,
    parties: Iterable[PartyRound],
    levels: Mapping[str, NDArray[np.int64]],
    clusterer: Clusterer,
) -> bool:
    """Whether all that a round opened equals the plain computation on `levels`, to the last bit."""
    closed, params = machine.result, machine.params
    if not isinstance(closed, Closed):
        return False
    task = Task(
        params.roster,
        params.query_budget,
        machine.previous,
        apart=machine.apart,
        queries_per_party=params.queries_per_party,
    )
    plain, transcript = run_plain(clusterer, task, levels)
    opened = tuple((line.query, line.value) for line in closed.disclosed.distances)
    if opened != transcript or dict(closed.disclosed.labels) != dict(plain.labels):
        return False
    quantiser = params.prompt_sharing.quantiser
    means = {
        cluster: quantiser.mean(
            np.sum([levels[p] for p in cluster], axis=0), len(cluster)
        ).tobytes()
        for cluster in plain.clusters
        if len(cluster) >= params.minimum_cluster
    }
    results = [party.result for party in parties]
    return all(
        isinstance(one, Finished)
        and (None if one.mean is None else one.mean.tobytes()) == means.get(one.cluster)
        for one in results
    )


def _total(levels: Mapping[str, NDArray[np.int64]], names: Iterable[str]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.sum([levels[name] for name in names], axis=0, dtype=np.int64)
    return total


def contents(message: RoundMessage) -> Counter[str]:
    """Bytes of a message without what is around them, by the parts of docs/protocol.md §10."""
    match message:
        case Deal(shares=shares, masks=masks):
            dealt = 0 if masks is None else _size(masks)
            return Counter(shares=sum(map(_size, shares)), masks=dealt)
        case Answers(values=values):
            return Counter(answers=_size(values))
        case Echo(digest=digest, signature=signature):
            return Counter(echoes=len(digest) + len(signature))
        case SumShare(values=values):
            return Counter(sums=_size(values))
        case _:
            return Counter()


def _size(value: FieldArray | Seed) -> int:
    """The bytes of residues, or of the seed that stands for them."""
    return SEED_BYTES if isinstance(value, Seed) else RESIDUE_BYTES * len(value)
