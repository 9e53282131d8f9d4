"""One round between machines in one process, on a clock that a network and processors drive.

A discrete-event model: the machines are the daemons', all else is charged. A participant does one
thing at a time; what it does takes the CPU time that its machine takes here, and what `Charges` has
for messages and signatures. A message leaves when it has been written, goes over its own link as
fast as that allows behind what is on it already, and arrives a latency later.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from secfpp.bench.in_memory import NamedSigner, payload_bytes
from secfpp.bench.links import Network
from secfpp.errors import RoundFailed
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.dealing import Vectors
from secfpp.protocol.messages import Answers, Deal, Done, Echo, Envelope, RoundMessage, SumShare
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Preparing
from secfpp.wire.codec import encode

FRAMING_BYTES = 40
"""What HTTP/2, gRPC and TLS put around a message on an open stream."""


@dataclass(frozen=True)
class Charges:
    """CPU seconds that a daemon spends beside its machine.

    `message` for one message and `byte` for one byte at one end of a connection, `signature` and
    `verification` for one of each; `relay` is what a shaper on the same machine spends on a message
    that it lets through.
    """

    message: float
    byte: float
    signature: float
    verification: float
    relay: float = 0.0


class Processors:
    """When work is done: so many cores for all, or one core for each participant."""

    def __init__(self, cores: int | None) -> None:
        self._cores = None if cores is None else [0.0] * cores
        self._free: dict[str, float] = {}
        self.spent = 0.0

    def work(self, who: str, since: float, seconds: float) -> float:
        """When `who` will have worked so long, if it begins as soon as it can from `since` on."""
        start = max(since, self._free.get(who, 0.0))
        if self._cores is not None:
            start = max(start, self._cores[0])
            heapq.heapreplace(self._cores, start + seconds)
        self._free[who] = start + seconds
        self.spent += seconds
        return start + seconds


@dataclass(frozen=True, slots=True)
class Post:
    """One message on its way, and how many came one after another for it to be written."""

    sender: str
    to: str
    message: RoundMessage
    size: int
    depth: int


@dataclass
class ClockedRound:
    """A round of machines whose signers are `NamedSigner`s; `run` it, then look.

    `began` and `ended` say when each party's vector was ready and when it had its mean, in seconds;
    `flights` are the sequential messages until the last had it; `sent` and `received` are bytes by
    participant, as they go over the wire.
    """

    coordinator: CoordinatorRound
    parties: Mapping[str, PartyRound]
    signers: Mapping[str, NamedSigner]
    vectors: Mapping[str, Vectors]
    network: Network
    charges: Charges
    processors: Processors
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    flights: int = 0
    messages: int = 0
    payload: int = 0
    machine_seconds: float = 0.0
    signatures: int = 0
    verifications: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    _events: list[tuple[float, int, bool, Post]] = field(default_factory=list)
    _links: dict[tuple[str, str], float] = field(default_factory=dict)
    _depths: dict[str, int] = field(default_factory=dict)
    _overheads: dict[type, int] = field(default_factory=dict)
    _sized: tuple[RoundMessage | None, int] = (None, 0)
    _scheduled: int = 0

    @property
    def seconds(self) -> float:
        """What the slowest party took from its vector to its mean."""
        return max(self.ended[name] - self.began[name] for name in self.parties)

    @property
    def accounted(self) -> float:
        """CPU seconds of machines and signatures, without what messages cost."""
        charges = self.charges
        signing = self.signatures * charges.signature
        return self.machine_seconds + signing + self.verifications * charges.verification

    def run(self) -> None:
        """Deliver until nothing is on its way; RoundFailed where a party then has no mean."""
        boss = self.coordinator.params.coordinator
        begun = time.thread_time()
        outbox = self.coordinator.open()
        self._work(boss, 0.0, time.thread_time() - begun, None, outbox)
        while self._events:
            at, _, arrived, post = heapq.heappop(self._events)
            if arrived:
                self._deliver(at, post)
            else:
                self._let_through(at, post)
        if self.ended.keys() != self.parties.keys():
            raise RoundFailed(f"only {len(self.ended)} of {len(self.parties)} parties finished")

    def _deliver(self, at: float, post: Post) -> None:
        """Hand a message to its machine, and charge for what comes of it."""
        me = post.to
        self.received[me] += post.size
        self._depths[me] = max(self._depths.get(me, 0), post.depth)
        begun = time.thread_time()
        if me not in self.parties:
            outbox = self.coordinator.handle(post.sender, post.message)
            self._work(me, at, time.thread_time() - begun, post, outbox)
            return
        party = self.parties[me]
        outbox = party.handle(post.sender, post.message)
        if isinstance(party.state, Preparing):
            self.began[me] = self._work(me, at, time.thread_time() - begun, post, outbox)
            begun = time.thread_time()
            outbox = party.deal(self.vectors[me])
            done = self._work(me, self.began[me], time.thread_time() - begun, None, outbox)
        else:
            done = self._work(me, at, time.thread_time() - begun, post, outbox)
        if party.result is not None and me not in self.ended:
            self.ended[me] = done
            self.flights = max(self.flights, self._depths[me] - 1)  # The opening is no part of it.

    def _work(
        self, me: str, at: float, spent: float, post: Post | None, outbox: Iterable[Envelope]
    ) -> float:
        """When `me` has done so much CPU work and written its outbox, whose messages then leave."""
        charges, signer = self.charges, self.signers[me]
        self.machine_seconds += spent
        self.signatures += signer.signed
        self.verifications += signer.verified
        spent += signer.signed * charges.signature + signer.verified * charges.verification
        signer.signed = signer.verified = 0
        if post is not None:
            spent += charges.message + post.size * charges.byte
        now = self.processors.work(me, at, spent)
        for envelope in outbox:
            now = self._write(me, now, envelope)
        return now

    def _write(self, me: str, at: float, envelope: Envelope) -> float:
        """Write one message; when that is done it leaves, or comes to the relay that slows it."""
        message = envelope.message
        assert isinstance(message, RoundMessage)  # noqa: S101 (machines post nothing else)
        size = self._size(message)
        self.messages += 1
        self.payload += size
        self.sent[me] += size + FRAMING_BYTES
        depth = self._depths.get(me, 0) + 1
        post = Post(me, envelope.to, message, size + FRAMING_BYTES, depth)
        done = self.processors.work(me, at, self.charges.message + size * self.charges.byte)
        if self.charges.relay and self.network.shaped:
            self._schedule(done, post, arrives=False)
        else:
            self._fly(done, post)
        return done

    def _let_through(self, at: float, post: Post) -> None:
        self._fly(self.processors.work("the relays", at, self.charges.relay), post)

    def _fly(self, at: float, post: Post) -> None:
        """Over the link, behind what is on it."""
        way, profile = (post.sender, post.to), self.network.between(post.sender, post.to)
        rate = profile.bytes_per_second
        start = max(at, self._links.get(way, 0.0))
        left = start + (post.size / rate if rate else 0.0)
        self._links[way] = left
        self._schedule(left + profile.latency, post, arrives=True)

    def _schedule(self, at: float, post: Post, *, arrives: bool) -> None:
        self._scheduled += 1
        heapq.heappush(self._events, (at, self._scheduled, arrives, post))

    def _size(self, message: RoundMessage) -> int:
        """Bytes of a message; of those there are n² of, measured once and for the rest added up."""
        if message is self._sized[0]:
            return self._sized[1]
        if isinstance(message, Echo | Deal | SumShare | Answers | Done):
            kind = type(message)
            if kind not in self._overheads:
                self._overheads[kind] = len(encode(message)) - payload_bytes(message)
            return self._overheads[kind] + payload_bytes(message)
        self._sized = (message, len(encode(message)))
        return self._sized[1]
