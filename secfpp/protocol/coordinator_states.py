"""The states of the coordinator in one attempt, each holding what is known then and nothing else.

Gathering → (Settling →) Asking → Closing → Closed            (anything may end in Failed)

Each can say whose word it waits for.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass

from secfpp.cluster.queries import Assignment, Batch
from secfpp.protocol.disclosure import Disclosed, OpenedDistance, View
from secfpp.protocol.messages import Answers, Done, Ready, RoundMessage
from secfpp.protocol.params import RoundParams
from secfpp.protocol.party_states import Failed
from secfpp.protocol.settlement import Conflict

Asked = Generator[Batch, tuple[int, ...], Assignment]


@dataclass(frozen=True)
class Gathering:
    """The parties train and deal; `readies` say what has come.

    Deals of those in `excused` are waited for no longer.
    """

    readies: Mapping[str, Ready]
    excused: frozenset[str]


@dataclass(frozen=True, repr=False)
class Settling:
    """Check values of some dealer lie off the word: the recipients are asked to open their leaves.

    Nothing is asked about any vector before that is settled; `disputed` is what is still open.
    """

    readies: Mapping[str, Ready]
    disputed: frozenset[Conflict]


@dataclass(frozen=True, repr=False)
class Asking:
    """A batch of queries is out; `answers` have come for it; `opened` is the ledger so far."""

    view: View
    asked: Asked
    answers: Mapping[str, Answers]
    opened: tuple[OpenedDistance, ...]

    @property
    def current(self) -> int:
        """The number of the batch that is out, from 0 on."""
        return len(self.view.batches) - 1

    @property
    def queries(self) -> Batch:
        """What it asks."""
        return self.view.batches[-1]


@dataclass(frozen=True)
class Closing:
    """The assignment is out; the parties open their means and say so."""

    disclosed: Disclosed
    done: Mapping[str, Done]


@dataclass(frozen=True)
class Closed:
    """The attempt reached its goal: what was opened, who confirmed, whom we lost and why."""

    disclosed: Disclosed
    done: Mapping[str, Done]
    lost: Mapping[str, str]


State = Gathering | Settling | Asking | Closing | Closed | Failed


def awaited(state: State, params: RoundParams, lost: Collection[str]) -> tuple[str, ...]:
    """The parties whose next message is missing, in roster order."""
    match state:
        case Gathering(readies=come) | Asking(answers=come) | Closing(done=come):
            return tuple(p for p in params.roster if p not in come and p not in lost)
        case Settling(disputed=disputed):
            recipients = {recipient for _, recipient in disputed}
            return tuple(p for p in params.roster if p in recipients and p not in lost)
        case _:
            return ()


def is_gathered(state: Gathering, params: RoundParams, lost: Collection[str]) -> bool:
    """Whether enough are ready and nobody more is worth waiting for.

    An excused party of which no deal has come anywhere is not waited for.
    """
    if sum(party not in lost for party in state.readies) < params.parties - params.stragglers:
        return False
    dealt = {item.dealer for ready in state.readies.values() for item in ready.received}
    return all(party in state.excused - dealt for party in awaited(state, params, lost))


def is_late(state: State, message: RoundMessage) -> bool:
    """Whether a message was due before this state: enough others came without it."""
    match state, message:
        case Settling() | Asking() | Closing(), Ready():
            return True
        case Asking(), Answers(batch=batch):
            return batch < state.current
        case Closing(), Answers():
            return True
        case _:
            return False


def describe(state: State, params: RoundParams, lost: Collection[str]) -> str:
    """What an attempt in this state waits for, in words and names."""
    names = ", ".join(awaited(state, params, lost))
    match state:
        case Gathering(readies=readies):
            return f"shares are ready at {len(readies)} parties, waiting for {names}"
        case Settling():
            return f"conflicts about what was dealt, waiting for the leaves of {names}"
        case Asking(view=view, answers=answers):
            return (
                f"{len(answers)} of {params.answers_needed} needed answers to batch "
                f"{len(view.batches)} have come, waiting for {names}"
            )
        case Closing(done=done):
            return f"{len(done)} parties have finished, waiting for {names}"
        case _:
            return type(state).__name__.lower()
