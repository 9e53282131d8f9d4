"""One-shot clustering: every pair in one batch, average linkage, number by silhouette (§6).

It takes one batch and discloses all pairwise distances. Average linkage: the two clusters with the
smallest mean squared distance between their members are joined first (Sokal & Michener, 1958). The
silhouette (Rousseeuw, 1987, doi 10.1016/0377-0427(87)90125-7) is taken on squared distances. A
party alone counts 0 in it, so everyone alone is never the answer; one cluster is.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from typing import Final

from secfpp.cluster.queries import Assignment, Dialogue, Known, Query, Task
from secfpp.errors import ConfigError

LEAST_SILHOUETTE: Final = Fraction(1, 4)
"""Below this the best division is taken for noise, and all parties are one cluster."""

Cluster = tuple[str, ...]
Partition = tuple[Cluster, ...]
Pairs = Mapping[tuple[str, str], Fraction]


def one_shot(task: Task) -> Dialogue:
    """Ask every pair at once; a budget below n(n−1)/2 raises ConfigError before any query."""
    parties = task.parties
    queries = [Query(b, (a,)) for a, b in combinations(parties, 2)]
    known = Known(task)
    if not (yield from known.learn(queries)):
        raise ConfigError(
            f"one-shot clustering of {len(parties)} parties asks {len(queries)} distances, the "
            f"query budget is {task.budget}",
            fix="raise query_budget or choose method = 'adaptive'",
        )
    pairs: dict[tuple[str, str], Fraction] = {}
    for a, b in combinations(parties, 2):
        pairs[a, b] = pairs[b, a] = known.distance(b, (a,))
    return Assignment.of(parties, best_partition(parties, pairs))


def best_partition(parties: Cluster, pairs: Pairs) -> Partition:
    """The partition of the linkage tree with the largest silhouette (ties: fewer clusters)."""
    whole: Partition = (parties,)
    candidates = [p for p in average_linkage(parties, pairs) if 1 < len(p) < len(parties)]
    if not candidates:
        return whole
    best = max(reversed(candidates), key=lambda partition: silhouette(partition, pairs))
    if silhouette(best, pairs) < LEAST_SILHOUETTE:
        return whole
    return best


def average_linkage(parties: Cluster, pairs: Pairs) -> tuple[Partition, ...]:
    """The partitions from everyone alone to one cluster, one joining at a time."""
    partition: Partition = tuple((party,) for party in parties)
    tree = [partition]
    while len(partition) > 1:
        a, b = min(
            combinations(partition, 2),
            key=lambda two: (
                sum((pairs[x, y] for x in two[0] for y in two[1]), Fraction(0))
                / (len(two[0]) * len(two[1]))
            ),
        )
        joined = tuple(party for party in parties if party in a + b)
        partition = tuple(
            joined if members == a else members for members in partition if members != b
        )
        tree.append(partition)
    return tuple(tree)


def silhouette(partition: Partition, pairs: Pairs) -> Fraction:
    """The mean over parties of (b − a) / max(a, b); a party alone counts 0."""
    total = Fraction(0)
    count = 0
    for members in partition:
        for party in members:
            count += 1
            if len(members) == 1:
                continue
            own = sum((pairs[party, p] for p in members if p != party), Fraction(0))
            own /= len(members) - 1
            other = min(
                sum((pairs[party, p] for p in others), Fraction(0)) / len(others)
                for others in partition
                if others != members
            )
            if max(own, other):
                total += (other - own) / max(own, other)
    return total / count
