"""A run on a network in memory: a setting's operations, one by one, under the laws."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import numpy as np

from secfpp.protocol.dealing import Vectors
from secfpp.protocol.messages import Envelope, RoundMessage
from secfpp.protocol.params import RoundParams
from secfpp.transport.loopback import Post

from .broken import ENDS, require
from .coordinator_seat import CoordinatorSeat, Unreachable
from .laws import Laws
from .lies import told_instead
from .operations import (
    COORDINATOR,
    Crash,
    Delay,
    Deliver,
    Expire,
    Hasten,
    Lie,
    Lose,
    Operation,
    Repeat,
    Restart,
    Setting,
    Until,
)
from .party_seat import PartySeat

MOST_DELIVERIES = 250  # of one `Until`: less than a round
MOST_SILENCES = 100  # of the end of a run: nine attempts of at most ten silences each

DRIFT, SPREAD, SCALE = 0.02, 0.03, 0.2


class World:
    """One run. `party` and `coordinator` make the seats: a mutant may stand in for either."""

    def __init__(
        self,
        setting: Setting,
        party: type[PartySeat] = PartySeat,
        coordinator: type[CoordinatorSeat] = CoordinatorSeat,
    ) -> None:
        self.setting = setting
        self.happened: Counter[str] = Counter()
        self.coordinator = coordinator(setting)
        self.parties = {name: party(name, setting.rounds, self._train) for name in setting.names}
        self.laws = Laws(setting, self.parties, self.coordinator)
        self._flying: list[Post] = []
        self._held: list[tuple[int, Post]] = []
        self._steps = 0

    def run(self) -> None:
        """The whole run: its operations, then everything that is left until all have ended."""
        self._post(COORDINATOR, self.coordinator.begin())
        for operation in self.setting.operations:
            self._perform(operation)
        for _ in range(MOST_SILENCES):
            self._deliver_all()
            if self.coordinator.up and self.coordinator.ended is None:
                self._post(COORDINATOR, self.coordinator.expire())
                continue
            waiting = [seat for seat in self.parties.values() if seat.up and not seat.ended]
            if not waiting:
                break
            for seat in waiting:
                self._post(seat.name, seat.expire(coordinator_lives=False))
        require(not self._flying, ENDS, "messages are on their way")
        ended = self.coordinator.ended
        require(not self.coordinator.up or ended is not None, ENDS, "the coordinator")
        require(ended is None or bool(ended.reason), ENDS, "the run ended without a reason")
        for seat in self.parties.values():
            require(not seat.up or bool(seat.ended), ENDS, seat.name)

    def _train(self, params: RoundParams, party: str, restarts: int) -> Vectors:
        """What a party has learnt in a round; after a restart it learns anew, and otherwise."""
        setting, number = self.setting, params.key.round
        place = setting.names.index(party)
        group = place % setting.clusters
        centre = np.random.default_rng([setting.seed, group]).normal(size=setting.dim) * SCALE
        own = np.random.default_rng([setting.seed, 9, place, number, restarts])
        drift = np.random.default_rng([setting.seed, 8, number]).normal(size=setting.dim) * DRIFT
        vector = centre + drift + own.normal(size=setting.dim) * SPREAD
        return (params.feature_sharing.quantiser.levels(vector.astype(np.float32))[0],)

    # --- The network.

    def _post(self, sender: str, outbox: Iterable[Envelope]) -> None:
        """An honest machine's messages, on their way; then the laws hold for who sent them."""
        for envelope in outbox:
            post = Post(sender, envelope.to, envelope.message)
            self.laws.posted(post)
            self._flying.append(post)
        self.laws.hold(sender)

    def _deliver(self, place: int) -> None:
        post = self._flying.pop(place)
        self._steps += 1
        self._flying += [held for due, held in self._held if due <= self._steps]
        self._held = [(due, held) for due, held in self._held if due > self._steps]
        if post.to == COORDINATOR:
            if self.coordinator.up:
                self.laws.arrived(post)
                self._post(COORDINATOR, self.coordinator.receive(post.sender, post.message))
        elif self.parties[post.to].up:
            self._post(post.to, self.parties[post.to].receive(post.sender, post.message))
        elif post.sender == COORDINATOR:
            self._flying.append(Post(post.to, COORDINATOR, Unreachable()))

    def _deliver_all(self) -> None:
        while self._flying or self._held:
            if not self._flying:
                self._flying = [post for _, post in self._held]
                self._held = []
            self._deliver(0)

    def _advance(self, chance: random.Random | None) -> None:
        self._deliver(chance.randrange(len(self._flying)) if chance else 0)

    def _places(self, kind: str, sender: str | None = None) -> list[int]:
        """Where the messages of a kind are among those on their way."""
        return [
            place
            for place, post in enumerate(self._flying)
            if type(post.message).__name__ == kind and sender in (None, post.sender)
        ]

    # --- The operations.

    def _perform(self, operation: Operation) -> None:
        match operation:
            case Deliver(count=count, order=order):
                chance = random.Random(order) if order else None
                for _ in range(count):
                    if self._flying:
                        self._advance(chance)
            case Until(kind=kind, order=order, sender=sender):
                chance = random.Random(order) if order else None
                for _ in range(MOST_DELIVERIES):
                    if self._flying and not self._places(kind, sender):
                        self._advance(chance)
            case Expire(who=who):
                self._note(operation)
                self._post(who, self._silence(who))
            case Crash(who=who, unsent=unsent):
                self._crash(operation, who, unsent=unsent)
            case Restart(who=who):
                seat = self.coordinator if who == COORDINATOR else self.parties[who]
                if not seat.up:
                    self._note(operation)
                    self._post(who, seat.restart())
            case Lie(kind=kind):
                places = [
                    place
                    for place in self._places(kind, self.setting.liar)
                    if self._flying[place].message.key in self.laws.params  # Not of no attempt.
                ]
                if places:
                    self._on_the_way(operation, places[operation.which % len(places)])
            case _:
                places = self._places(operation.kind)
                if places:
                    self._on_the_way(operation, places[operation.which % len(places)])

    def _on_the_way(self, operation: Operation, place: int) -> None:
        """What happens to one message on its way, or to some from there on."""
        self._note(operation)
        post = self._flying[place]
        match operation:
            case Lose(kind=kind, count=count):
                lost = [there for there in self._places(kind) if there >= place][:count]
                self._flying = [p for at, p in enumerate(self._flying) if at not in lost]
            case Repeat(late=late):
                self._held.append((self._steps + late, post))
            case Hasten():
                self._deliver(place)
            case Delay(late=late):
                del self._flying[place]
                self._held.append((self._steps + late, post))
            case Lie(how=how):
                params = self.laws.params[post.message.key]
                self._flying[place : place + 1] = told_instead(post, how, params)

    def _silence(self, who: str) -> list[Envelope]:
        if who == COORDINATOR:
            return self.coordinator.expire()
        return self.parties[who].expire(coordinator_lives=self.coordinator.up)

    def _crash(self, operation: Operation, who: str, *, unsent: bool) -> None:
        seat = self.coordinator if who == COORDINATOR else self.parties[who]
        if not seat.up:
            return
        self._note(operation)
        seat.crash()
        if unsent:
            self._flying = [
                post
                for post in self._flying
                if post.sender != who or not isinstance(post.message, RoundMessage)
            ]
        self.laws.hold(who)

    def _note(self, operation: Operation) -> None:
        self.happened[type(operation).__name__] += 1
