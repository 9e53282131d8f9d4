"""What a round measurement is about: its sizes and its job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from secfpp.bench.closed_form import Sizes
from secfpp.settings.files import ClusteringJob, JobSettings, ProtocolJob, TrainingJob
from secfpp.settings.rounds import default_budget


@dataclass(frozen=True)
class RoundBench:
    """What to measure: n parties, d values a vector, planted around so many centres."""

    parties: int = 10
    dim: int = 8192
    colluders: int = 2
    stragglers: int = 1
    adversaries: int = 0
    clusters: int = 2
    repeats: int = 5
    seed: int = 0
    method: Literal["adaptive", "one_shot"] = "adaptive"

    @property
    def settings(self) -> dict[str, object]:
        """What stands in each of its results."""
        return {key: value for key, value in vars(self).items() if key != "seed"}

    @property
    def job(self) -> JobSettings:
        """Its job; there are masks for all pairs, or for all means and two clusters more."""
        masks = max(default_budget(self.parties), (self.clusters + 2) * self.parties)
        if self.method == "one_shot":
            masks = self.parties * (self.parties - 1) // 2
        return JobSettings(
            name="bench",
            rounds=self.repeats + 1,
            seed=self.seed,
            protocol=ProtocolJob(
                colluders=self.colluders,
                stragglers=self.stragglers,
                adversaries=self.adversaries,
            ),
            clustering=ClusteringJob(method=self.method, query_budget=masks),
            training=TrainingJob(kind="vectors", dim=self.dim),
        )

    def sizes(self, chunks: int, asked: int) -> Sizes:
        """What the closed form needs, of a round with so many chunks and distances."""
        budget = self.job.clustering.query_budget
        return Sizes(
            parties=self.parties,
            dim=self.dim,
            chunks=chunks,
            colluders=self.colluders,
            stragglers=self.stragglers,
            adversaries=self.adversaries,
            queries=default_budget(self.parties) if budget is None else budget,
            asked=asked,
        )


def most_clusters(parties: int, smallest: int) -> int:
    """Three clusters, or as many of the smallest that may open a mean as n allows."""
    return max(1, min(3, parties // smallest))
