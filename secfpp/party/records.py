"""What a party writes down: its prompts and levels of each round, and a manifest of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secfpp.journal.files import write_json, write_levels, write_prompt
from secfpp.journal.phases import Cost, written
from secfpp.party.learner import Learner, Prompt, Trained
from secfpp.protocol.party_states import Finished


class PartyRecords:
    """The run directory of one party: `round-<r>/…` and `manifest.json` (interfaces, Files)."""

    def __init__(self, directory: Path, party: str, run: str, learner: Learner) -> None:
        self._directory = directory
        self._party = party
        self._run = run
        self._learner = learner
        self._rounds: list[dict[str, object]] = []

    def levels(self, number: int, levels: NDArray[np.int64]) -> None:
        """What is dealt in round `number`, for an oracle."""
        write_levels(self._home(number) / "levels.safetensors", levels)

    def prompts(self, number: int, trained: Trained, mean: Prompt | None) -> Prompt:
        """Store the round's prompts; returns the one that the next round starts from."""
        home = self._home(number)
        metadata = {**self._learner.metadata(), "run": self._run, "round": str(number)}
        write_prompt(home / "domain_prompt.safetensors", trained.domain_prompt, metadata)
        if trained.class_prompt is not None:
            write_prompt(home / "class_prompt.safetensors", trained.class_prompt, metadata)
        if mean is None:
            return trained.domain_prompt
        prompt = mean.reshape(trained.domain_prompt.shape)
        write_prompt(home / "cluster_prompt.safetensors", prompt, metadata)
        return prompt

    def round(
        self,
        finished: Finished,
        costs: dict[str, Cost],
        facts: Mapping[str, float],
    ) -> None:
        """Add a finished round to the manifest."""
        self._rounds.append(
            {
                "round": finished.params.key.round,
                "attempt": finished.params.key.attempt,
                "cluster": list(finished.cluster),
                "opened": finished.mean is not None,
                **written(costs),
                "facts": dict(facts),
            }
        )
        write_json(
            self._directory / "manifest.json",
            {
                "run": self._run,
                "party": self._party,
                "belongs_to": self._learner.metadata(),
                "rounds": self._rounds,
            },
        )

    def _home(self, number: int) -> Path:
        return self._directory / f"round-{number}"
