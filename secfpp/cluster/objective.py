"""The objective that compares partitions into different numbers of clusters.

Penalised pooled variance: J(P) = W / (n − k) · (9/8)^k, where W = Σ_i ‖x_i − c_i‖² is the sum of
squared distances to the own cluster's mean, n parties, k clusters. W / (n − k) is the unbiased
estimate of the variance inside clusters, in any dimension; one cluster more is worth it only if it
lowers this estimate by a ninth. J has no scale: shifting and stretching all vectors changes no
comparison. It is undefined for k = n, where nothing is left to estimate the variance from; see
`everyone_alone`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

PENALTY: Final = Fraction(9, 8)
"""Taken from tuned prompts and planted data alike; docs/adr/0007 has the measurements."""

WORTHWHILE: Final = Fraction(9, 10)
"""The search for more clusters goes on while each one lowers the pooled variance by a tenth."""


def pooled_variance(within: Fraction, parties: int, clusters: int) -> Fraction:
    """W / (n − k) for k < n."""
    return within / (parties - clusters)


def objective(within: Fraction, parties: int, clusters: int) -> Fraction:
    """J for k < n: lower is better."""
    return pooled_variance(within, parties, clusters) * PENALTY**clusters


def everyone_alone(distances: Iterable[Fraction]) -> bool:
    """Whether the closest two parties are no cluster, given all squared distances of pairs.

    Asked only where n − 1 clusters beat every smaller number: two parties belong together only if
    they are at most half as far apart as the next closest pair. Parties that are all equally far
    from each other cannot be told from one cluster in many dimensions, and count as one cluster.
    """
    closest, following = sorted(distances)[:2]
    return 4 * closest >= following
