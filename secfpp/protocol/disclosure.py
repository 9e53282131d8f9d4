"""What may be opened, and what was: policy, the shared view of a round, and the ledger (§1, §8)."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from secfpp.cluster.queries import Query, are_all_pairs
from secfpp.errors import PolicyRefusal
from secfpp.protocol.messages import Assign, EchoStage
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams


@dataclass(frozen=True)
class Policy:
    """What one party consents to; anything beyond is refused by the name of the setting.

    `coordinator` is the only coordinator obeyed, `minimum_colluders` the least T, `minimum_cluster`
    the smallest cluster whose sum may be opened, `maximum_queries` the most queries a round.
    """

    coordinator: str
    minimum_colluders: int = 1
    minimum_cluster: int = 3
    features: frozenset[Feature] = frozenset({Feature.DOMAIN})
    query_kinds: frozenset[QueryKind] = frozenset({QueryKind.MEANS})
    maximum_queries: int = 10_000

    def check_opening(self, me: str, params: RoundParams) -> None:
        """Hold a round's parameters against this consent; raises PolicyRefusal."""
        rules = (
            ("coordinator", params.coordinator == self.coordinator, "is another coordinator"),
            ("roster", me in params.roster, "does not name this party"),
            (
                "minimum_colluders",
                params.colluders >= self.minimum_colluders,
                f"is {self.minimum_colluders}, the round protects against T = {params.colluders}",
            ),
            (
                "minimum_cluster",
                params.minimum_cluster >= self.minimum_cluster,
                f"is {self.minimum_cluster}, the round opens from {params.minimum_cluster}",
            ),
            (
                "features",
                params.feature in self.features,
                f"does not list {params.feature.value!r}, which the round clusters by",
            ),
            (
                "query_kinds",
                params.query_kind in self.query_kinds,
                f"does not list {params.query_kind.value!r}, which the round asks",
            ),
            (
                "maximum_queries",
                params.query_budget <= self.maximum_queries,
                f"is {self.maximum_queries}, the round may ask {params.query_budget}",
            ),
        )
        for key, holds, reason in rules:
            if not holds:
                raise PolicyRefusal(key, reason, fix=f"change the job, or {key} in [policy]")


@dataclass(frozen=True)
class View:
    """What one participant has seen of an attempt: U, V and the queries so far, batch by batch."""

    dealers: tuple[str, ...]
    mask_dealers: tuple[str, ...]
    batches: tuple[tuple[Query, ...], ...] = ()

    @property
    def asked(self) -> int:
        """The number of queries so far; the next query uses the mask of this number."""
        return sum(len(batch) for batch in self.batches)

    def extended(self, queries: tuple[Query, ...]) -> View:
        """The view after one more batch."""
        return replace(self, batches=(*self.batches, queries))

    def digest(self, params: RoundParams, stage: EchoStage, assign: Assign | None) -> bytes:
        """SHA-256 of parameters, U, V, all queries, and the labels at stage ASSIGNMENT (§8)."""
        lines = [stage.value, params.digest.hex(), "U", *self.dealers, "V", *self.mask_dealers]
        for batch in self.batches:
            sets: dict[tuple[str, ...], int] = {}
            asked = [f"{q.subject}:{sets.setdefault(q.members, len(sets))}" for q in batch]
            lines += ["batch", *(",".join(members) for members in sets), "asks", *asked]
        if assign is not None:
            lines.append(f"assignment after {assign.batches}")
            lines += [f"{party}={label}" for party, label in assign.labels]
        return hashlib.sha256("\n".join(lines).encode()).digest()


def check_agreement(params: RoundParams, view: View) -> None:
    """Refuse dealers or mask dealers that §4 and §5 do not allow (T+1 masks, roster order)."""
    roster = params.roster
    for name, chosen, among in (
        ("dealers", view.dealers, roster),
        ("mask_dealers", view.mask_dealers, params.mask_dealers),
    ):
        members = set(chosen)
        if chosen != tuple(party for party in among if party in members):
            raise PolicyRefusal(name, "are not parties of the round in roster order, once each")
    if len(view.mask_dealers) < params.colluders + 1:
        raise PolicyRefusal(
            "mask_dealers",
            f"are {len(view.mask_dealers)}, T+1 = {params.colluders + 1} are needed: "
            "fewer could all be colluders, who know the masks",
        )


def check_batch(params: RoundParams, view: View, queries: tuple[Query, ...]) -> None:
    """Refuse a batch that §5 and §8 do not allow, given the `view` before it; raises PolicyRefusal.

    Every subject and member is a dealer; no query's only member is its subject (its mask would be
    bare); distinct member sets of a batch are disjoint; most of the parties as single members (all
    pairs) only where agreed, and then in one batch alone; the budgets of round and of each party
    hold.
    """
    if not queries:
        raise PolicyRefusal("queries", "an empty batch asks for nothing")
    sets = {query.members for query in queries}
    _check_queries(view.dealers, queries, sets)
    if sum(len(members) for members in sets) != len(set().union(*sets)):
        raise PolicyRefusal("query_kinds", "the member sets of one batch overlap")
    means = params.query_kind is not QueryKind.PAIRWISE
    if means and are_all_pairs(queries, len(view.dealers)):
        raise PolicyRefusal("query_kinds", "all pairs are asked where only means were agreed")
    if view.batches and params.query_kind is QueryKind.PAIRWISE:
        raise PolicyRefusal("query_kinds", "all pairs are one batch, and this is another")
    asked = view.asked + len(queries)
    if asked > params.query_budget:
        raise PolicyRefusal(
            "query_budget", f"is {params.query_budget}, this batch would make it {asked}"
        )
    party, most = max(_queries_about(view.extended(queries)).items(), key=lambda item: item[1])
    if most > params.queries_per_party:
        raise PolicyRefusal(
            "queries_per_party",
            f"is {params.queries_per_party}, this batch would make it {most} about {party}",
        )


def _check_queries(
    dealers: tuple[str, ...], queries: tuple[Query, ...], sets: set[tuple[str, ...]]
) -> None:
    """Refuse strangers, sets that are empty or out of order, and bare masks."""
    places = {party: place for place, party in enumerate(dealers)}
    named = all(members and all(m in places for m in members) for members in sets)
    if not named or not all(query.subject in places for query in queries):
        raise PolicyRefusal("queries", "a query names a party that is no dealer, or nobody")
    for members in sets:
        if any(places[later] <= places[earlier] for earlier, later in pairwise(members)):
            raise PolicyRefusal(
                "queries", "the members of a query are not in roster order, once each"
            )
    if any(query.members == (query.subject,) for query in queries):
        raise PolicyRefusal(
            "queries", "a query's only member is its subject: the answer would be the bare mask"
        )


def _queries_about(view: View) -> Counter[str]:
    """How many queries are about each party (§1)."""
    return Counter(chain.from_iterable(query.about for batch in view.batches for query in batch))


def check_labels(view: View, labels: tuple[tuple[str, int], ...]) -> None:
    """Refuse labels that are no partition of U, in roster order, numbered by first appearance."""
    if tuple(party for party, _ in labels) != view.dealers:
        raise PolicyRefusal("assignment", "does not label each dealer once, in roster order")
    highest = -1
    for _, label in labels:
        if not 0 <= label <= highest + 1:
            raise PolicyRefusal("assignment", "labels are not numbered by first appearance")
        highest = max(highest, label)


def clusters_of(labels: tuple[tuple[str, int], ...]) -> tuple[tuple[str, ...], ...]:
    """The clusters by label, each in roster order."""
    count = max((label for _, label in labels), default=-1) + 1
    clusters: list[list[str]] = [[] for _ in range(count)]
    for party, label in labels:
        clusters[label].append(party)
    return tuple(map(tuple, clusters))


@dataclass(frozen=True)
class OpenedDistance:
    """One line of the ledger: C opened m²·‖x_subject − mean(members)‖², in squared levels."""

    key: AttemptKey
    batch: int
    query: Query
    value: int


@dataclass(frozen=True)
class Disclosed:
    """Everything one attempt opened: distances to the coordinator, labels to all, means to members.

    `means` lists the clusters whose mean went to their members; `small` those below the minimum.
    `unopened` are queries that were out when the attempt ended: too few answers came to open them
    here, yet whoever colludes with the coordinator adds answers of its own.
    """

    key: AttemptKey
    distances: tuple[OpenedDistance, ...]
    labels: tuple[tuple[str, int], ...]
    means: tuple[tuple[str, ...], ...]
    small: tuple[tuple[str, ...], ...]
    unopened: tuple[Query, ...] = ()


def disclosure(
    params: RoundParams,
    opened: tuple[OpenedDistance, ...],
    labels: tuple[tuple[str, int], ...],
) -> Disclosed:
    """What an attempt discloses that ends with an assignment: means go to clusters large enough."""
    clusters, smallest = clusters_of(labels), params.minimum_cluster
    return Disclosed(
        key=params.key,
        distances=opened,
        labels=labels,
        means=tuple(cluster for cluster in clusters if len(cluster) >= smallest),
        small=tuple(cluster for cluster in clusters if len(cluster) < smallest),
    )
