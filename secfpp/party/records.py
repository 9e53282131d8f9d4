"""What a party writes down: its prompts and levels of each round, and a manifest of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secfpp.journal.files import read_json, read_tensor, write_json, write_levels, write_prompt
from secfpp.journal.phases import Cost, written
from secfpp.party.learner import Learner, Prompt, Trained
from secfpp.protocol.party_states import Finished

DOMAIN, CLASS, CLUSTER = (f"{kind}_prompt.safetensors" for kind in ("domain", "class", "cluster"))


class PartyRecords:
    """The run directory of one party: `round-<r>/…` and `manifest.json` (interfaces, Files)."""

    def __init__(self, directory: Path, party: str, run: str, learner: Learner) -> None:
        self._directory = directory
        self._party = party
        self._run = run
        self._learner = learner
        path = directory / "manifest.json"
        known = read_json(path)["rounds"] if path.exists() else []
        self._rounds: list[dict[str, object]] = known

    def levels(self, number: int, levels: NDArray[np.int64]) -> None:
        """What is dealt in round `number`, for an oracle."""
        write_levels(self._home(number) / "levels.safetensors", levels)

    def trained(self, number: int, trained: Trained) -> None:
        """Store what the round's training gave."""
        home, metadata = self._home(number), self._metadata(number)
        if trained.class_prompt is not None:
            write_prompt(home / CLASS, trained.class_prompt, metadata)
        write_prompt(home / DOMAIN, trained.domain_prompt, metadata)

    def adopted(self, number: int, trained: Trained, mean: Prompt | None) -> Prompt:
        """Store the cluster's prompt; returns the one that the next round starts from."""
        if mean is None:
            return trained.domain_prompt
        prompt = mean.reshape(trained.domain_prompt.shape)
        write_prompt(self._home(number) / CLUSTER, prompt, self._metadata(number))
        return prompt

    def recalled(self, number: int) -> Trained | None:
        """What `trained` has stored for a round, if it has."""
        home = self._home(number)
        if not (home / DOMAIN).exists():
            return None
        has_class = (home / CLASS).exists()
        return Trained(
            read_tensor(home / DOMAIN, "context"),
            read_tensor(home / CLASS, "context") if has_class else None,
        )

    def recalled_start(self, number: int, trained: Trained) -> Prompt:
        """What `adopted` has returned for a round: the cluster's prompt where there is one."""
        path = self._home(number) / CLUSTER
        return read_tensor(path, "context") if path.exists() else trained.domain_prompt

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

    def _metadata(self, number: int) -> dict[str, str]:
        return {**self._learner.metadata(), "run": self._run, "round": str(number)}

    def _home(self, number: int) -> Path:
        return self._directory / f"round-{number}"
