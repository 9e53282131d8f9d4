"""Opening what the round is for: distances to the coordinator, means to members (§5, §7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secfpp.algebra.coding import LagrangeCode
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, stack, sum_of
from secfpp.algebra.randomness import uniform
from secfpp.cluster.queries import Query
from secfpp.errors import RoundFailed
from secfpp.protocol.checking import check_values
from secfpp.protocol.commitments import Held
from secfpp.protocol.dealing import Randomness
from secfpp.protocol.disclosure import View, clusters_of
from secfpp.protocol.messages import Answers, Ask, Assign, Received, SumShare
from secfpp.protocol.params import RoundParams

Mean = NDArray[np.float32]


@dataclass(frozen=True, repr=False)
class Pooled:
    """All that a party needs to answer: shares (dealers, width) per sharing, masks (queries,).

    The masks are summed over the mask dealers; the blinds of checked dealing are the last columns.
    """

    shares: tuple[FieldArray, ...]
    masks: FieldArray


def received_by(params: RoundParams, held: Mapping[str, Held]) -> tuple[Received, ...]:
    """What came from whom, in roster order, for a `Ready`."""
    return tuple(
        _received(params, dealer, held[dealer]) for dealer in params.roster if dealer in held
    )


def _received(params: RoundParams, dealer: str, held: Held) -> Received:
    commitment = held.commitment
    return Received(
        dealer=dealer,
        shares=bool(held.shares),
        masks=held.masks is not None,
        root=b"" if commitment is None else commitment.root,
        root_signature=b"" if commitment is None else commitment.signature,
        checks=() if commitment is None else check_values(params, dealer, commitment.root, held),
    )


def ready_text(params: RoundParams, received: tuple[Received, ...]) -> bytes:
    """The bytes that a `Ready` signs: the attempt, and what came from whom."""
    lines = [f"secfpp ready {params.digest.hex()}"]
    for item in received:
        checks = ",".join(str(value) for value in item.checks)
        root = f"{item.root.hex()} {item.root_signature.hex()}"
        lines.append(f"{item.dealer} {item.shares} {item.masks} {root} {checks}")
    return "\n".join(lines).encode()


def pool(held: Mapping[str, Held], view: View) -> Pooled | None:
    """The shares of every dealer in U and the masks of every dealer in V, or None if any lacks."""
    none = Held((), None)
    shares = [held.get(party, none).shares for party in view.dealers]
    masks = [held.get(party, none).masks for party in view.mask_dealers]
    present = [vector for vector in masks if vector is not None]
    if not all(shares) or len(present) < len(masks):
        return None
    return Pooled(tuple(stack(column) for column in zip(*shares, strict=True)), sum_of(present))


def masked_answers(params: RoundParams, pooled: Pooled, view: View, ask: Ask) -> FieldArray:
    """One residue per query of the batch, ‖m·u_i − Σ u_s‖² + Σ_V z (§5), at this party's point."""
    rows = {party: row for row, party in enumerate(view.dealers)}
    sets = {query.members for query in ask.queries}
    members = {those: tuple(rows[member] for member in those) for those in sets}
    queries = [(rows[query.subject], members[query.members]) for query in ask.queries]
    width = params.feature_code.width(params.feature_sharing.dim)
    masks = pooled.masks[view.asked - len(queries) : view.asked]
    return distance_answers(pooled.shares[0], width, queries, masks)


def open_distances(
    params: RoundParams,
    queries: tuple[Query, ...],
    answers: Mapping[str, Answers],
    randomness: Randomness,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Decode m²·‖x_i − mean(M)‖² for each query, exact, and name who answered wrong (§9).

    More than A wrong answers fail the round.
    """
    code = params.feature_code
    values = {party: answer.values for party, answer in answers.items()}
    honest, liars = _honest(params, code, code.product_degree, values, randomness)
    places = [params.index(party) for party in honest]
    opened = code.decode_total(code.product_degree, places, stack(list(honest.values())))
    return tuple(int(value) for value in opened.values), liars


def require_possible(
    params: RoundParams, queries: tuple[Query, ...], distances: tuple[int, ...]
) -> None:
    """Fail the round where an opened distance is above d'(2mB)²: a vector is out of range (§1)."""
    spec = params.feature_sharing
    for query, distance in zip(queries, distances, strict=True):
        if distance > spec.dim * (2 * len(query.members) * spec.quantiser.bound) ** 2:
            raise RoundFailed(
                "an opened distance is above d'(2mB)²: a party shared a vector out of range"
            )


def _honest(
    params: RoundParams,
    code: LagrangeCode,
    degree: int,
    values: Mapping[str, FieldArray],
    randomness: Randomness,
) -> tuple[dict[str, FieldArray], tuple[str, ...]]:
    """The values (count,) of the parties on the word, in roster order, and who is off it.

    One uniform linear combination of all columns, drawn after the last value has come, is decoded
    for its errors. A liar whose errors cancel in it, which has odds of 1 to P, ends the round.
    """
    parties = sorted(values, key=params.index)
    ordered = {party: values[party] for party in parties}
    if params.adversaries == 0:
        return ordered, ()
    rows = stack(list(ordered.values()))
    weights = uniform(rows.shape[1], randomness).reshape(-1, 1)
    places = [params.index(party) for party in parties]
    combined = (rows @ weights).reshape(-1)
    wrong = code.locate(degree, places, combined, params.adversaries)
    liars = tuple(parties[position] for position in wrong)
    return {party: ordered[party] for party in parties if party not in liars}, liars


def sum_shares(
    params: RoundParams, helper: str, pooled: Pooled, dealers: tuple[str, ...], assign: Assign
) -> Iterator[tuple[str, SumShare]]:
    """The sum shares that `helper` owes: (member, share) for each cluster it helps (§7)."""
    rows = {party: row for row, party in enumerate(dealers)}
    width = params.prompt_code.width(params.prompt_sharing.dim)
    for label, cluster in enumerate(clusters_of(assign.labels)):
        if len(cluster) < params.minimum_cluster or not params.helps(helper, label):
            continue
        total = sum_of([pooled.shares[-1][rows[party]][:width] for party in cluster])
        share = SumShare(params.key, label, total)
        for member in cluster:
            yield member, share


def open_mean(
    params: RoundParams, sums: Mapping[str, SumShare], members: int, randomness: Randomness
) -> tuple[Mean, tuple[str, ...]]:
    """Decode the cluster's sum and divide: float32 (dim,), equal bits at all members (§7).

    Also returns whose sum share was wrong. More than A of them, a sum coordinate above mB, or
    padding that is not zero, fail the round.
    """
    code, spec = params.prompt_code, params.prompt_sharing
    values = {party: share.values for party, share in sums.items()}
    honest, liars = _honest(params, code, code.share_degree, values, randomness)
    places = [params.index(party) for party in honest]
    chunks = code.decode(code.share_degree, places, stack(list(honest.values())))
    levels = code.join(chunks, spec.dim).to_signed()
    if int(np.abs(levels).max(initial=0)) > members * spec.quantiser.bound:
        raise RoundFailed("a coordinate of the cluster's sum is above mB: a vector is out of range")
    return spec.quantiser.mean(levels, members), liars
