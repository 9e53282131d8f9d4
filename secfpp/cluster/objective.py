"""The objective that compares partitions into different numbers of clusters.

Penalised pooled variance: J(P) = V / Π_{j<k} s_j, where V = W / (n − k) is the unbiased estimate of
the variance inside clusters, W = Σ_i ‖x_i − c_i‖² the sum of squared distances to the own means,
n parties, k clusters. Lower is better. s_j = 1 − 4/(3·n) − 3/(j·d) is how far V falls by noise
when one of j clusters without structure is cut in two. Along its widest direction such a cut takes
of W at most the share of the scatter's largest eigenvalue, (√d + √m)² / (m·d) ≤ 2/m + 2/d for m
points in d dimensions, times 2/π for a normal distribution: 4/3 of 1/m + 1/d. In few dimensions a
cut may also set one far point apart, which takes more; 3 in place of 4/3 is measured
(tests/cluster). So one more cluster is worth it only if V falls by more than noise makes it fall.
J has no scale: shifting and stretching all vectors changes no comparison. It is undefined for
k = n, where nothing is left to estimate V from; see `everyone_alone`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import prod
from typing import Final

_LEAST: Final = Fraction(1, 10)  # In one or two dimensions the bound is useless; this replaces it.


def step(parties: int, clusters: int, dim: int) -> Fraction:
    """s_j: how far V falls by noise alone when `clusters` become one more."""
    return max(_LEAST, 1 - Fraction(4, 3 * parties) - Fraction(3, clusters * dim))


def pooled_variance(within: Fraction, parties: int, clusters: int) -> Fraction:
    """V = W / (n − k) for k < n."""
    return within / (parties - clusters)


def objective(within: Fraction, parties: int, clusters: int, dim: int) -> Fraction:
    """J for k < n: lower is better."""
    noise = prod((step(parties, j, dim) for j in range(1, clusters)), start=Fraction(1))
    return pooled_variance(within, parties, clusters) / noise


def everyone_alone(distances: Iterable[Fraction]) -> bool:
    """Whether the closest two parties are no cluster, given all squared distances of pairs.

    Asked only where n − 1 clusters beat every smaller number: two parties belong together only if
    they are less than half as far apart as the next closest pair. Parties that are all equally far
    from each other cannot be told from one cluster in many dimensions, and count as one cluster.
    """
    closest, following = sorted(distances)[:2]
    return 4 * closest >= following
