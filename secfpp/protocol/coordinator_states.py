"""The states of the coordinator in one attempt, each holding what is known then and nothing else.

Gathering → (Settling →) Asking → Closing → Closed            (anything may end in Failed)
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

from secfpp.cluster.queries import Assignment, Batch
from secfpp.protocol.disclosure import Disclosed, OpenedDistance, View
from secfpp.protocol.messages import Answers, Done, Ready
from secfpp.protocol.party_states import Failed

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

    Nothing is asked about any vector before that is settled.
    """

    readies: Mapping[str, Ready]


@dataclass(frozen=True, repr=False)
class Asking:
    """A batch of queries is out; `answers` have come for it; `opened` is the ledger so far."""

    view: View
    asked: Asked
    answers: Mapping[str, Answers]
    opened: tuple[OpenedDistance, ...]


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
