"""The clusterers by the name that a job gives them."""

from __future__ import annotations

from enum import Enum

from secfpp.cluster.adaptive import adaptive_k_means
from secfpp.cluster.one_shot import one_shot
from secfpp.cluster.queries import Clusterer


class ClusteringMethod(Enum):
    """The two clusterers of docs/protocol.md §6."""

    ADAPTIVE = "adaptive"
    ONE_SHOT = "one_shot"

    @property
    def clusterer(self) -> Clusterer:
        """The clusterer of this name."""
        return adaptive_k_means if self is ClusteringMethod.ADAPTIVE else one_shot
