"""What a party must not forget of a run, however its daemon ends: kept sealed, written first.

No share, mask or seed is here: they end with their attempt. Prompts are files of the run directory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from secfpp.protocol.circumstances import Release
from secfpp.protocol.messages import Peer
from secfpp.protocol.params import AttemptKey, RoundParams
from secfpp.store.sealed import SealedStore


@dataclass
class Dealing:
    """What was dealt in a round: SHA-256 of the prompt and of its levels, and among whom.

    The same prompt has other levels where another roster allows other fraction bits. `rosters` are
    those of all attempts of the round.
    """

    prompt: str
    levels: str
    rosters: set[tuple[str, ...]]

    def is_like(self, other: Dealing) -> bool:
        """Whether both show the same vector."""
        return self.prompt == other.prompt or self.levels == other.levels


@dataclass
class RunMemory:
    """One run at a party.

    `latest` is the last attempt that was opened here, or tried: none is opened twice, none before
    it (protocol.md §8); `witnesses` are those of its round. `released` has by round what this party
    accepted (§7), `dealings` what it dealt, `colluders` the T it agreed to. A run is `over` once
    the coordinator has said so, or a defect has ended it here.
    """

    run: str
    job: str
    peers: tuple[Peer, ...]
    over: bool = False
    latest: AttemptKey | None = None
    witnesses: tuple[str, ...] = ()
    colluders: int = 0
    released: dict[int, Release] = field(default_factory=dict)
    dealings: dict[int, Dealing] = field(default_factory=dict)

    def opens(self, params: RoundParams) -> None:
        """An attempt is about to be opened; the first of a round tells the round's witnesses."""
        if self.latest is None or self.latest.round != params.key.round:
            self.witnesses = params.witnesses
        self.latest = params.key

    def deals(self, number: int, dealing: Dealing) -> None:
        """This is about to be dealt in round `number`, perhaps not for the first time."""
        before = self.dealings.get(number, dealing)
        self.dealings[number] = replace(dealing, rosters=dealing.rosters | before.rosters)

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


def others(store: SealedStore, memory: RunMemory) -> list[RunMemory]:
    """All runs that are remembered, but one."""
    found = [recall(store, name) for name in store.names() if name != memory.run]
    return [one for one in found if one is not None]


def objection(store: SealedStore, memory: RunMemory, number: int, dealing: Dealing) -> str:
    """Why this must not be dealt in round `number` of a run, or nothing (protocol.md §7).

    Two sums that hold one vector show it where all others are known. So a vector belongs to one
    round, and in another run it is dealt only where that leads to the same sum.
    """
    if any(one.is_like(dealing) for known, one in memory.dealings.items() if known != number):
        return "the prompt has not been trained since it was last dealt"
    for other in others(store, memory):
        for one in other.dealings.values():
            if one.is_like(dealing) and not (
                other.job == memory.job and one.rosters == dealing.rosters
            ):
                return "it dealt this prompt otherwise in another run: give the job another seed"
    return ""
