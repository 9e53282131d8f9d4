"""Where a party's vectors come from: the trainer's process, or a file (`training.kind`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from secfpp.errors import ConfigError
from secfpp.settings.files import JobSettings, PartySettings

Prompt = NDArray[np.float32]
OnProgress = Callable[[int, int], None]
"""Steps done, steps in all."""


@dataclass(frozen=True, repr=False)
class Trained:
    """What a round of training gave: prompts float32 (tokens, width), and facts about it.

    `facts` are plain numbers such as losses and seconds; they stay with the party.
    """

    domain_prompt: Prompt
    class_prompt: Prompt | None
    facts: Mapping[str, float] = field(default_factory=dict)


class Learner(Protocol):
    """A source of prompts for the rounds of one run."""

    async def prepare(self, told: OnProgress) -> dict[str, str]:
        """Make ready; what all parties must have alike, `dim` (tokens · width) among it."""

    def restore(self, class_prompt: Prompt | None) -> None:
        """Go on from the class prompt that a run had before this process started."""

    async def train(self, round_number: int, start: Prompt | None, told: OnProgress) -> Trained:
        """One round of training from a cluster's mean, or from the own last prompt (None)."""

    async def evaluate(self, domain_prompt: Prompt) -> dict[str, float]:
        """Accuracy on the own held-out images with this domain prompt and the own class prompt."""

    def metadata(self) -> dict[str, str]:
        """What a stored prompt belongs to: weights digest, template, classes."""

    async def stop(self) -> None:
        """Let go of whatever is held."""


class VectorLearner:
    """Deals the rows of a .npy file, one a round: for tests, fault drills and benchmarks."""

    def __init__(self, job: JobSettings, settings: PartySettings) -> None:
        self._job = job
        self._path = settings.vectors.path
        self._rows: NDArray[np.float32] | None = None

    async def prepare(self, told: OnProgress) -> dict[str, str]:
        """Read the file; ConfigError where it has another shape than (rounds, dim)."""
        wanted = (self._job.rounds, self._job.training.dim)
        if self._path is None:
            raise ConfigError(
                "the job deals vectors and this party has none",
                fix="set [vectors] path to a .npy file of shape (rounds, dim)",
                outward="the job deals vectors and this party has none",
            )
        try:
            rows = np.load(self._path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read vectors from {self._path}: {error}") from error
        if rows.ndim != 2 or rows.shape[0] < wanted[0] or rows.shape[1] != wanted[1]:
            misfit = f"shape {rows.shape}, {wanted} is needed"
            raise ConfigError(
                f"{self._path} has {misfit}", outward=f"its vectors do not fit: {misfit}"
            )
        self._rows = rows.astype(np.float32)
        return {"kind": "vectors", "dim": str(wanted[1])}

    def restore(self, class_prompt: Prompt | None) -> None:
        """Vectors have no class prompt."""

    async def train(self, round_number: int, start: Prompt | None, told: OnProgress) -> Trained:
        """The round's row."""
        assert self._rows is not None  # noqa: S101 (prepare comes first)
        told(1, 1)
        return Trained(self._rows[round_number - 1].reshape(1, -1), None)

    async def evaluate(self, domain_prompt: Prompt) -> dict[str, float]:
        """Vectors classify nothing."""
        return {}

    def metadata(self) -> dict[str, str]:
        """Vectors belong to nothing."""
        return {"kind": "vectors"}

    async def stop(self) -> None:
        """Nothing is held."""
