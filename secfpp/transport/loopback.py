"""A network in memory whose order, losses and repeats are arguments (architecture: loopback).

The same machines that daemons drive over TLS run here one message at a time. `Order` chooses which
message on its way is delivered next; `Fault`s turn one posting into none, one or several.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.dealing import Abstention, Vectors
from secfpp.protocol.messages import Envelope, RoundMessage
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Preparing


@dataclass(frozen=True, slots=True)
class Post:
    """One message on its way."""

    sender: str
    to: str
    message: RoundMessage


Order = Callable[[int], int]
"""Of so many messages on their way, the index of the one that arrives next."""

Fault = Callable[[Post], Iterable[Post]]
"""What the network makes of a posting: () loses it, two of them repeat it."""


def in_order(_: int) -> int:
    """The order of posting."""
    return 0


@dataclass
class Loopback:
    """One attempt of a round between machines in one process.

    `vectors` are what each party will share. `delivered` records every message that arrived, for
    tests that hold the wire to the ledger; without `recording` only what still flies is kept.
    """

    coordinator: CoordinatorRound
    parties: Mapping[str, PartyRound]
    vectors: Mapping[str, Vectors | Abstention]
    order: Order = in_order
    fault: Fault = lambda post: (post,)
    recording: bool = True
    delivered: list[Post] = field(default_factory=list)
    _flying: deque[Post] = field(default_factory=deque)

    def run(self) -> None:
        """Deliver until everyone has a result; where nothing flies any more, time runs out.

        First for the coordinator, who may go on without the missing; when that moves nothing, for
        the parties.
        """
        self._post(self.coordinator.params.coordinator, self.coordinator.open())
        while True:
            self._deliver_all()
            if self.coordinator.result is None:
                self._post(self.coordinator.params.coordinator, self.coordinator.expire())
                continue
            waiting = [p for p in self.parties.values() if p.result is None]
            if not waiting:
                return
            for party in waiting:
                self._post(party.me, party.expire())

    def _deliver_all(self) -> None:
        while self._flying:
            place = self.order(len(self._flying))
            post = self._flying[place]
            del self._flying[place]
            if self.recording:
                self.delivered.append(post)
            if post.to == self.coordinator.params.coordinator:
                outbox = self.coordinator.handle(post.sender, post.message)
            else:
                outbox = self._to_party(self.parties[post.to], post)
            self._post(post.to, outbox)

    def _to_party(self, party: PartyRound, post: Post) -> list[Envelope]:
        outbox = party.handle(post.sender, post.message)
        if isinstance(party.state, Preparing):
            outbox = outbox + party.deal(self.vectors[party.me])
        return outbox

    def _post(self, sender: str, outbox: Iterable[Envelope]) -> None:
        for envelope in outbox:
            message = envelope.message
            assert isinstance(message, RoundMessage)  # noqa: S101 (machines post nothing else)
            self._flying.extend(self.fault(Post(sender, envelope.to, message)))
