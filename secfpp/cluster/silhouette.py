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

from collections.abc import Callable
from fractions import Fraction
from typing import Final

ONE_CLUSTER: Final = Fraction(1, 2)

Cluster = tuple[str, ...]
Partition = tuple[Cluster, ...]
FromMean = Callable[[str, Cluster], Fraction]
"""‖x_party − mean(cluster)‖², exact."""


def silhouette(partition: Partition, from_mean: FromMean) -> Fraction:
    """The mean silhouette of a partition, from distances of every party to every mean.

    The mean squared distance to the members of M is ‖x − c_M‖² + Σ_{i∈M} ‖x_i − c_M‖² / m.
    """
    if len(partition) == 1:
        return ONE_CLUSTER
    spread = {m: sum((from_mean(p, m) for p in m), Fraction(0)) / len(m) for m in partition}
    total = Fraction(0)
    for own in partition:
        if len(own) == 1:
            continue
        others = [members for members in partition if members != own]
        for party in own:
            among = (from_mean(party, own) + spread[own]) * len(own) / (len(own) - 1)
            nearest = min(from_mean(party, members) + spread[members] for members in others)
            total += placed(among, nearest)
    return total / sum(len(members) for members in partition)


def placed(among: Fraction, nearest: Fraction) -> Fraction:
    """(b − a) / max(a, b), and 0 where both are 0."""
    largest = max(among, nearest)
    return (nearest - among) / largest if largest else Fraction(0)
