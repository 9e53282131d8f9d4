"""What a coordinator must not forget of a run, however its daemon ends: kept sealed, written first.

There is nothing secret in it that the ledger does not hold; what is here and not yet there, the
distances of the attempt that is open, goes on the ledger when the run is gone on with.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

from secfpp.protocol.params import RoundParams
from secfpp.store.sealed import SealedStore


@dataclass
class RunMemory:
    """One run at the coordinator, `job` (JSON text) as an operator submitted it.

    `outcome` is empty while the run waits or goes on, then "completed" or the code of what ended
    it, with the `reason` and what to do. `submitted` is Unix time in seconds. `geometry` is what
    all parties have alike, once they have accepted, `colluders` the T of the first round. `round`
    and `attempt` are those opened last, `witnesses` those of that round (protocol.md §8). `entry`
    is the ledger's entry of that attempt as long as it is not on the ledger; `labels` are set once
    its assignment may have been sent: then no other attempt of the round may follow (§7).
    `previous` are the labels of the last round that had any.
    """

    run: str
    job: str
    outcome: str = ""
    reason: str = ""
    fix: str = ""
    submitted: float = 0.0
    geometry: dict[str, str] | None = None
    colluders: int | None = None
    round: int = 0
    attempt: int = 0
    witnesses: tuple[str, ...] = ()
    entry: dict[str, JsonValue] | None = None
    labels: dict[str, int] | None = None
    previous: dict[str, int] | None = None

    @property
    def next_attempt(self) -> tuple[int, int]:
        """The round and the number of the attempt that may be opened next."""
        if self.round == 0 or self.labels is not None:
            return self.round + 1, 1
        return self.round, self.attempt + 1

    def opens(self, params: RoundParams) -> None:
        """An attempt is about to be opened."""
        key = params.key
        if key.round > self.round:
            self.labels = None
        self.round, self.attempt, self.entry = key.round, key.attempt, None
        self.witnesses = params.witnesses

    def keep(self, store: SealedStore) -> None:
        """Write it down; StoreFailure where that cannot be done."""
        store.write(self.run, _FORM.dump_json(self))


_FORM = TypeAdapter(RunMemory)


def recall(store: SealedStore, run: str) -> RunMemory | None:
    """What is remembered of a run, if anything."""
    content = store.read(run)
    return None if content is None else _FORM.validate_json(content)
