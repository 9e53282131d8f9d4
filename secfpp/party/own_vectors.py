"""A party's own side of a round: train once, quantise, never deal the same vector twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from secfpp.errors import SecFPPError
from secfpp.party.learner import Learner, Prompt, Trained
from secfpp.party.memory import Dealing, RunMemory, objection
from secfpp.party.records import PartyRecords
from secfpp.protocol.dealing import Abstention, Vectors
from secfpp.protocol.messages import SITS_OUT
from secfpp.protocol.opening import Mean
from secfpp.protocol.params import RoundParams
from secfpp.store.sealed import SealedStore

MOST_CLIPPED = 0.01
"""A party of whose values more than this share is clipped sits the round out (interfaces)."""

Say = Callable[..., None]
"""Writes an event of the run: a name, and fields by keyword."""


class OwnVectors:
    """The learner's prompts over the rounds of a run, and what was dealt of them.

    A party that starts again goes on from the prompts in its run directory.
    """

    def __init__(
        self,
        learner: Learner,
        records: PartyRecords,
        memory: RunMemory,
        store: SealedStore,
        say: Say,
    ) -> None:
        self.facts: dict[str, float] = {}
        self._learner = learner
        self._records = records
        self._memory = memory
        self._store = store
        self._say = say
        self._trained: dict[int, Trained] = {}
        self._start: Prompt | None = None
        if memory.latest is not None:
            self._recall(memory.latest.round)

    async def prepare(
        self, params: RoundParams, told: Callable[[int, int], None]
    ) -> Vectors | Abstention:
        """The levels to share in this attempt, trained once a round, or why there are none."""
        number = params.key.round
        try:
            if number not in self._trained:
                told(0, 1)
                trained = await self._learner.train(number, self._start, told)
                self._records.trained(number, trained)
                self._trained = {number: trained}
            vectors = self._quantised(params, self._trained[number])
        except SecFPPError as error:
            self._say("trouble", text=str(error))
            vectors = Abstention(f"{error.code}: training did not succeed")
        if isinstance(vectors, Abstention):
            self._say("trouble", text=SITS_OUT + vectors.reason)
        return vectors

    async def adopt(self, number: int, mean: Mean | None) -> dict[str, float]:
        """Keep the cluster's prompt, or the own one where there is no mean; how good it is now."""
        trained = self._trained.get(number)
        if trained is not None:
            self._start = self._records.adopted(number, trained, mean)
        return {} if self._start is None else await self._learner.evaluate(self._start)

    def _recall(self, latest: int) -> None:
        """The prompts of the last round that was trained, `latest` or one before it."""
        for number in range(latest, 0, -1):
            trained = self._records.recalled(number)
            if trained is not None:
                self._trained = {number: trained}
                self._start = self._records.recalled_start(number, trained)
                self._learner.restore(trained.class_prompt)
                return

    def _quantised(self, params: RoundParams, trained: Trained) -> Vectors | Abstention:
        spec = params.feature_sharing
        levels, clipped = spec.quantiser.levels(trained.domain_prompt.reshape(-1))
        self.facts = {**trained.facts, "clipped": float(clipped)}
        if clipped:
            self._say("clipped", count=int(clipped), text=f"{clipped} values were clipped")
        if clipped > MOST_CLIPPED * levels.size:
            return Abstention("more than one value in a hundred would be clipped")
        number, among = params.key.round, {tuple(sorted(params.roster))}
        dealing = Dealing(_digest(trained.domain_prompt), _digest(levels), among)
        reason = objection(self._store, self._memory, number, dealing)
        if reason:
            return Abstention(reason)
        self._memory.deals(number, dealing)
        self._records.levels(number, levels)
        return (levels,)


def _digest(values: NDArray[np.generic]) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()
