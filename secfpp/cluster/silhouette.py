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

RatioFromMean = Callable[[str, Cluster], tuple[int, int]]
"""The same as numerator and denominator, which need no common divisor."""

Value = TypeVar("Value", Fraction, float)


def foremost(partitions: Sequence[Partition], from_mean: RatioFromMean) -> Partition:
    """The first of the partitions with the largest silhouette.

    Floats tell nearly all apart; only those that rounding could confuse are compared exactly.
    """

    def rounded(party: str, members: Cluster) -> float:
        numerator, denominator = from_mean(party, members)
        return numerator / denominator

    rough = [float(silhouette(partition, rounded)) for partition in partitions]
    least = max(rough) - ROUNDING
    close = [p for p, value in zip(partitions, rough, strict=True) if value >= least]
    if len(close) == 1:
        return close[0]
    return max(close, key=lambda p: silhouette(p, lambda *about: Fraction(*from_mean(*about))))


def silhouette(
    partition: Partition, from_mean: Callable[[str, Cluster], Value]
) -> Value | Fraction:
    """The mean silhouette of a partition, from distances of every party to every mean.

    The mean squared distance to the members of M is ‖x − c_M‖² + Σ_{i∈M} ‖x_i − c_M‖² / m.
    """
    if len(partition) == 1:
        return ONE_CLUSTER
    spread = {m: _total([from_mean(party, m) for party in m]) / len(m) for m in partition}
    qualities = []
    for own in partition:
        if len(own) == 1:
            continue
        others = [members for members in partition if members != own]
        for party in own:
            among = (from_mean(party, own) + spread[own]) * len(own) / (len(own) - 1)
            nearest = min(from_mean(party, members) + spread[members] for members in others)
            qualities.append(placed(among, nearest))
    parties = sum(len(members) for members in partition)
    return _total(qualities) / parties if qualities else Fraction(0)


def placed(among: Value, nearest: Value) -> Value:
    """(b − a) / max(a, b), and 0 where both are 0."""
    largest = max(among, nearest)
    return (nearest - among) / largest if largest else largest


def _total(values: Sequence[Value]) -> Value:
    """The sum of one value or more, of their own type."""
    return reduce(add, values)
