"""What a party must not forget of a run, however its daemon ends: kept sealed, written first.

No share, mask or seed is here: they end with their attempt. Prompts are files of the run directory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from secfpp.protocol.circumstances import Release
from secfpp.protocol.messages import Peer
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.store.sealed import SealedStore


@dataclass
class RunMemory:
    """One run at a party.

    `latest` is the last attempt that was opened here, or tried: none is opened twice, none before
    it (protocol.md §8); `witnesses` are those of its round. `released` has by round what this party
    accepted (§7), `dealt` the digests (hexadecimal) of the levels it dealt, `colluders` the T it
    agreed to. A run is `over` once the coordinator has said so.
    """

    run: str
    job: str
    peers: tuple[Peer, ...]
    over: bool = False
    latest: AttemptKey | None = None
    witnesses: tuple[str, ...] = ()
    colluders: int = 0
    released: dict[int, Release] = field(default_factory=dict)
    dealt: dict[int, str] = field(default_factory=dict)

    def opens(self, params: RoundParams) -> None:
        """An attempt is about to be opened; the first of a round tells the round's witnesses."""
        if self.latest is None or self.latest.round != params.key.round:
            self.witnesses = params.witnesses
        self.latest = params.key

    def keep(self, store: SealedStore) -> None:
        """Write it down; StoreFailure where that cannot be done."""
        store.write(self.run, _FORM.dump_json(self))


_FORM = TypeAdapter(RunMemory)


def recall(store: SealedStore, run: str) -> RunMemory | None:
    """What is remembered of a run, if anything."""
    content = store.read(run)
    return None if content is None else _FORM.validate_json(content)


def unfinished(store: SealedStore) -> RunMemory | None:
    """The run to go on with after a start: the one written last, if it is not over."""
    names = store.names()
    memory = recall(store, names[-1]) if names else None
    return None if memory is None or memory.over else memory
