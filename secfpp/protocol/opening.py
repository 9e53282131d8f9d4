"""Opening what the round is for: distances to the coordinator, means to members (§5, §7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, stack, sum_of
from secfpp.cluster.queries import Query
from secfpp.errors import RoundFailed
from secfpp.protocol.dealing import Held
from secfpp.protocol.disclosure import View, clusters_of
from secfpp.protocol.messages import Answers, Ask, Assign, Received, SumShare
from secfpp.protocol.params import RoundParams

Mean = NDArray[np.float32]


def received_by(params: RoundParams, held: Mapping[str, Held]) -> tuple[Received, ...]:
    """What came from whom, in roster order, for a `Ready`."""
    return tuple(
        Received(
            dealer=dealer,
            shares=bool(held[dealer].shares),
            masks=held[dealer].masks is not None,
            root=b"",
            root_signature=b"",
            checks=(),
        )
        for dealer in params.roster
        if dealer in held
    )


def ready_text(params: RoundParams, received: tuple[Received, ...]) -> bytes:
    """The bytes that a `Ready` signs: the attempt, and what came from whom."""
    lines = [f"secfpp ready {params.digest.hex()}"]
    for item in received:
        checks = ",".join(str(value) for value in item.checks)
        lines.append(f"{item.dealer} {item.shares} {item.masks} {item.root.hex()} {checks}")
    return "\n".join(lines).encode()


def holds_all(held: Mapping[str, Held], view: View) -> bool:
    """Whether a party holds a share of every dealer in U and masks of every dealer in V."""
    return all(party in held and held[party].shares for party in view.dealers) and all(
        party in held and held[party].masks is not None for party in view.mask_dealers
    )


def masked_answers(held: Mapping[str, Held], view: View, ask: Ask) -> FieldArray:
    """One residue per query of the batch, ‖m·u_i − Σ u_s‖² + Σ_V z (§5), at this party's point."""
    rows = {party: row for row, party in enumerate(view.dealers)}
    shares = stack([held[party].shares[0] for party in view.dealers])
    asked = view.asked
    masks = sum_of(
        [
            masks[asked - len(ask.queries) : asked]
            for masks in (held[party].masks for party in view.mask_dealers)
            if masks is not None
        ]
    )
    queries = [
        (rows[query.subject], [rows[member] for member in query.members]) for query in ask.queries
    ]
    return distance_answers(shares, shares.shape[1], queries, masks)


def open_distances(
    params: RoundParams, queries: tuple[Query, ...], answers: Mapping[str, Answers]
) -> tuple[int, ...]:
    """Decode m²·‖x_i − mean(M)‖² for each query, exact; an impossible value fails the round."""
    parties = sorted(answers, key=params.index)
    code = params.feature_code
    values = stack([answers[party].values for party in parties])
    places = [params.index(party) for party in parties]
    opened = code.decode_total(code.product_degree, places, values)
    distances = tuple(int(value) for value in opened.values)
    spec = params.feature_sharing
    for query, distance in zip(queries, distances, strict=True):
        highest = spec.dim * (2 * len(query.members) * spec.quantiser.bound) ** 2
        if distance > highest:
            raise RoundFailed(
                "an opened distance is above d'(2mB)²: a party shared a vector out of range"
            )
    return distances


def sum_shares(
    params: RoundParams, helper: str, held: Mapping[str, Held], assign: Assign
) -> Iterator[tuple[str, SumShare]]:
    """The sum shares that `helper` owes: (member, share) for each cluster it helps (§7)."""
    for label, cluster in enumerate(clusters_of(assign.labels)):
        if len(cluster) < params.minimum_cluster or helper not in params.helpers(label):
            continue
        if not all(party in held and held[party].shares for party in cluster):
            continue
        total = sum_of([held[party].shares[-1] for party in cluster])
        for member in cluster:
            yield member, SumShare(params.key, label, total)


def open_mean(params: RoundParams, sums: Mapping[str, SumShare], members: int) -> Mean:
    """Decode the cluster's sum and divide: float32 (dim,), equal bits at all members (§7).

    A sum coordinate above mB, or padding that is not zero, fails the round.
    """
    parties = sorted(sums, key=params.index)
    code, spec = params.prompt_code, params.prompt_sharing
    values = stack([sums[party].values for party in parties])
    places = [params.index(party) for party in parties]
    chunks = code.decode(code.share_degree, places, values)
    levels = code.join(chunks, spec.dim).to_signed()
    if int(np.abs(levels).max(initial=0)) > members * spec.quantiser.bound:
        raise RoundFailed("a coordinate of the cluster's sum is above mB: a vector is out of range")
    return spec.quantiser.mean(levels, members)
