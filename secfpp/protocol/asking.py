"""The batches of an attempt at the coordinator: asked, answered, opened (protocol.md §5, §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from secfpp.cluster.queries import Assignment, Task
from secfpp.errors import PeerViolation
from secfpp.protocol.coordinator_states import Asking
from secfpp.protocol.dealing import Randomness
from secfpp.protocol.disclosure import Disclosed, OpenedDistance, View, check_batch
from secfpp.protocol.messages import Answers, Ask, Envelope
from secfpp.protocol.opening import open_distances
from secfpp.protocol.params import RoundParams

Distances = tuple[int, ...]
"""m²·‖x_i − mean(M)‖² for each query of a batch, exact."""


def task(params: RoundParams, view: View, previous: Assignment | None, apart: int | None) -> Task:
    """What the clusterer is to do with the dealers that were agreed on."""
    return Task(
        view.dealers,
        params.query_budget,
        previous,
        apart=apart,
        queries_per_party=params.queries_per_party,
    )


def admit(state: Asking, sender: str, answers: Answers) -> Asking:
    """With `sender`'s answers; PeerViolation where they are not to each query of the batch."""
    if answers.batch > state.current or answers.values.shape != (len(state.queries),):
        raise PeerViolation(sender, "answered a batch that was not asked, or in another number")
    return replace(state, answers={**state.answers, sender: answers})


def open_batch(
    params: RoundParams, state: Asking, randomness: Randomness
) -> tuple[Asking, Distances, tuple[str, ...]]:
    """Decode the answers: the state that has them opened, the distances, and who answered wrong.

    RoundFailed as `open_distances`.
    """
    values, liars = open_distances(params, state.queries, state.answers, randomness)
    opened = tuple(
        OpenedDistance(params.key, state.current, query, value)
        for query, value in zip(state.queries, values, strict=True)
    )
    return replace(state, opened=state.opened + opened), values, liars


def proceed(params: RoundParams, state: Asking, values: Distances | None) -> Asking | Assignment:
    """Tell the clusterer what was opened (None: nothing yet); its next batch, or its assignment.

    PolicyRefusal where a query of the batch may not be asked (§6).
    """
    try:
        batch = next(state.asked) if values is None else state.asked.send(values)
    except StopIteration as end:
        assignment: Assignment = end.value
        return assignment
    check_batch(params, state.view, batch)
    return replace(state, view=state.view.extended(batch), answers={})


def asks(
    params: RoundParams,
    state: Asking,
    recipients: Sequence[str],
    unsigned: Mapping[str, tuple[str, ...]],
) -> list[Envelope]:
    """The batch that is out, to all `recipients`; the first says what of it each is not to use.

    That is what is `unsigned` at it (§9). Where it is nothing the message is the same for all, and
    so is encoded once.
    """
    view = state.view
    ask = Ask(params.key, state.current, view.dealers, view.mask_dealers, state.queries)
    if state.current:
        return [Envelope(party, ask) for party in recipients]
    used = {*view.dealers, *view.mask_dealers}
    unused = {
        party: tuple(dealer for dealer in unsigned.get(party, ()) if dealer in used)
        for party in recipients
    }
    return [
        Envelope(party, replace(ask, unsigned=unused[party]) if unused[party] else ask)
        for party in recipients
    ]


def opened_so_far(params: RoundParams, state: Asking) -> Disclosed:
    """What is open. A batch that is out may be opened by whoever has the answers: `unopened`."""
    opened = state.opened
    is_opened = bool(opened) and opened[-1].batch == state.current
    return Disclosed(params.key, opened, (), (), (), () if is_opened else state.queries)
