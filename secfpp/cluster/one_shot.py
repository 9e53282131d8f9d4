"""One-shot clustering: every pair in one batch, average linkage, number by silhouette (§6).

It takes one batch and discloses all pairwise distances. Average linkage: the two clusters with the
smallest mean squared distance between their members are joined first (Sokal & Michener, 1958).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations

from secfpp.cluster.queries import Assignment, Dialogue, Query, Task
from secfpp.cluster.silhouette import Cluster, Partition, foremost
from secfpp.errors import ConfigError

Pairs = Mapping[tuple[str, str], int]
Two = tuple[Cluster, Cluster]


def one_shot(task: Task) -> Dialogue:
    """Ask every pair at once; a budget below n(n−1)/2 raises ConfigError before any query."""
    parties = task.parties
    queries = [Query(b, (a,)) for a, b in combinations(parties, 2)]
    if len(queries) > task.budget:
        raise ConfigError(
            f"one-shot clustering of {len(parties)} parties asks {len(queries)} distances, the "
            f"query budget is {task.budget}",
            fix="raise query_budget or choose method = 'adaptive'",
        )
    answers = (yield tuple(queries)) if queries else ()
    pairs: dict[tuple[str, str], int] = {}
    for (a, b), answer in zip(combinations(parties, 2), answers, strict=True):
        pairs[a, b] = pairs[b, a] = answer
    return Assignment.of(parties, best_partition(parties, pairs))


def best_partition(parties: Cluster, pairs: Pairs) -> Partition:
    """The partition of the linkage tree with the largest silhouette (ties: fewer clusters)."""

    @cache  # The partitions of a tree share most of their clusters.
    def total(party: str, members: Cluster) -> int:
        return sum(pairs[party, other] for other in members if other != party)

    return foremost(average_linkage(parties, pairs)[::-1], total)


def average_linkage(parties: Cluster, pairs: Pairs) -> tuple[Partition, ...]:
    """The partitions from everyone alone to one cluster, one joining at a time."""

    @cache
    def between(two: Two) -> tuple[int, int]:
        a, b = two
        return sum(pairs[x, y] for x in a for y in b), len(a) * len(b)

    partition: Partition = tuple((party,) for party in parties)
    tree = [partition]
    while len(partition) > 1:
        a, b = _nearest(tuple(combinations(partition, 2)), between)
        joined = tuple(party for party in parties if party in a + b)
        partition = tuple(
            joined if members == a else members for members in partition if members != b
        )
        tree.append(partition)
    return tuple(tree)


def _nearest(twos: Sequence[Two], between: Callable[[Two], tuple[int, int]]) -> Two:
    """The first two clusters with the smallest mean, given as numerator and denominator.

    A quotient of integers is rounded correctly, so that the smallest is among the smallest floats.
    """
    means = [total / count for total, count in map(between, twos)]
    least = min(means)
    near = [two for two, mean in zip(twos, means, strict=True) if mean == least]
    return near[0] if len(near) == 1 else min(near, key=lambda two: Fraction(*between(two)))
