"""The states of one party in one attempt, each holding what is known then and nothing else.

Waiting → Preparing → Sharing → Checking → Answering → Assigned → Summing → Finished
                         (anything may end in Failed)

Each can say what it waits for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from secfpp.protocol.commitments import Held
from secfpp.protocol.disclosure import View
from secfpp.protocol.echoes import Echoes
from secfpp.protocol.messages import Ask, Assign, EchoStage, Ready, SumShare
from secfpp.protocol.opening import Mean, Pooled
from secfpp.protocol.params import RoundParams


@dataclass(frozen=True)
class Waiting:
    """No attempt is open."""


@dataclass(frozen=True)
class Preparing:
    """The attempt is open and agreed to; the party's own vectors are not ready."""

    params: RoundParams


@dataclass(frozen=True, repr=False)
class Sharing:
    """The own shares are out; those of others come in, except from those `excused`."""

    params: RoundParams
    held: Mapping[str, Held]
    excused: frozenset[str]


@dataclass(frozen=True, repr=False)
class Checking:
    """It is said what has come; conflicts are settled and the coordinator agrees on U and V."""

    params: RoundParams
    held: Mapping[str, Held]
    ready: Ready


@dataclass(frozen=True, repr=False)
class Answering:
    """Query batches are answered; `owed` is one that waits for the echoes of a batch.

    `pooled` is None where a dealer's share or masks never came: the party counts as lost.
    """

    params: RoundParams
    pooled: Pooled | None
    view: View
    owed: Ask | None


@dataclass(frozen=True, repr=False)
class Assigned:
    """The assignment is known; sums wait until enough witnesses have echoed the same view."""

    params: RoundParams
    pooled: Pooled | None
    view: View
    assign: Assign


@dataclass(frozen=True, repr=False)
class Summing:
    """The party's own sum shares are out; those for its own cluster come in.

    `label` and `cluster` are the party's own: None and empty if it sat out.
    """

    params: RoundParams
    labels: tuple[tuple[str, int], ...]
    label: int | None
    cluster: tuple[str, ...]
    sums: Mapping[str, SumShare]


@dataclass(frozen=True, repr=False)
class Finished:
    """The attempt is over with its goal.

    `cluster` is the party's own (empty if it sat out), `mean` its cluster's mean, float32 (dim,),
    or None where the cluster is below the minimum or the party sat out; `labels` the assignment.
    """

    params: RoundParams
    labels: tuple[tuple[str, int], ...]
    cluster: tuple[str, ...]
    mean: Mean | None


@dataclass(frozen=True)
class Failed:
    """The attempt is over without its goal; `code` names the rule, `reason` says it in words."""

    code: str
    reason: str


Running = Preparing | Sharing | Checking | Answering | Assigned | Summing
State = Waiting | Running | Finished | Failed


def waiting_for(state: State, echoes: Echoes) -> str:
    """What a party in this state waits for, in words and names; no secret is in it."""
    match state:
        case Preparing():
            return "training its own prompt"
        case Sharing(params=params, held=held):
            missing = [party for party in params.roster if party not in held]
            return f"waiting for shares of {', '.join(missing)}"
        case Assigned(params=params, assign=assign):
            count = echoes.count(params, EchoStage.ASSIGNMENT, assign.batches)
            return f"waiting for echoes: {count} of {params.echo_quorum} needed agree"
        case Summing(params=params, sums=sums, label=label):
            helpers = params.helpers(0 if label is None else label)
            missing = [party for party in helpers if party not in sums]
            return (
                f"waiting for sums: {len(sums)} came, {params.sums_needed} are needed, "
                f"missing {', '.join(missing)}"
            )
        case _:
            return f"waiting for the coordinator while {type(state).__name__}"
