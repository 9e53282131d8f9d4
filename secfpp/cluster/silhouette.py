"""The objective of both clusterers: the mean silhouette on squared distances, exact.

Rousseeuw, 1987 (doi 10.1016/0377-0427(87)90125-7): a party is well placed if the mean squared
distance a to the others of its own cluster is small beside the least mean squared distance b to
those of another; its silhouette is (b − a) / max(a, b), and 0 for a party alone. The mean over all
parties compares partitions of different numbers of clusters, in any dimension and at any scale.

One cluster has no b: it counts `ONE_CLUSTER`, which a division must beat: its parties must be twice
as near (in squared distance) to their own as to the others. Points all equally far from each other
have silhouette 0 in any division: they cannot be told from one cluster, and are left as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Final, TypeVar

ONE_CLUSTER: Final = Fraction(1, 2)

ROUNDING: Final = 1e-9
"""Far above what rounding does to a silhouette, whose terms are quotients up to 1 of few sums."""

Cluster = tuple[str, ...]
Partition = tuple[Cluster, ...]
FromMean = Callable[[str, Cluster], Fraction]
"""‖x_party − mean(cluster)‖², exact."""

Sum = Callable[[str, Cluster], int]
"""The sum of the squared distances of a party to the others of a cluster; not negative."""

Value = TypeVar("Value", Fraction, float)


def foremost(partitions: Sequence[Partition], total: Sum) -> Partition:
    """The first of the partitions with the largest silhouette.

    Floats tell nearly all apart; only those that rounding could confuse are compared exactly.
    """

    def rounded(party: str, members: Cluster) -> float:
        return total(party, members) / (len(members) - (party in members))

    def exact(party: str, members: Cluster) -> Fraction:
        return Fraction(total(party, members), len(members) - (party in members))

    rough = [float(_silhouette(partition, rounded)) for partition in partitions]
    least = max(rough) - ROUNDING
    close = [p for p, value in zip(partitions, rough, strict=True) if value >= least]
    return close[0] if len(close) == 1 else max(close, key=lambda p: _silhouette(p, exact))


def silhouette(partition: Partition, from_mean: FromMean) -> Fraction:
    """The mean silhouette of a partition, exact, from distances of every party to every mean.

    The mean squared distance to the members of M is ‖x − c_M‖² + Σ_{i∈M} ‖x_i − c_M‖² / m.
    """
    spread = {m: sum((from_mean(p, m) for p in m), Fraction(0)) / len(m) for m in partition}

    def apart(party: str, members: Cluster) -> Fraction:
        mean = from_mean(party, members) + spread[members]
        return mean * len(members) / (len(members) - 1) if party in members else mean

    return _silhouette(partition, apart)


def placed(among: Value, nearest: Value) -> Value:
    """(b − a) / max(a, b), and 0 where both are 0."""
    largest = max(among, nearest)
    return (nearest - among) / largest if largest else largest


def _silhouette(partition: Partition, apart: Callable[[str, Cluster], Value]) -> Value | Fraction:
    """The mean silhouette, from the mean squared distances of parties to the others of clusters."""
    if len(partition) == 1:
        return ONE_CLUSTER
    qualities = []
    for own in partition:
        if len(own) == 1:
            continue
        others = [members for members in partition if members != own]
        for party in own:
            nearest = min(apart(party, members) for members in others)
            qualities.append(placed(apart(party, own), nearest))
    parties = sum(len(members) for members in partition)
    return reduce(add, qualities) / parties if qualities else Fraction(0)
