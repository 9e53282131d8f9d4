"""One round between machines in one process, on a clock that a network and processors drive.

A discrete-event model: the machines are the daemons', all else is charged. A participant does one
thing at a time; what it does takes the CPU time that its machine takes here, and what `Charges` has
for messages and signatures. A message leaves when it has been written, goes over its own link as
fast as that allows behind what is on it already, and arrives a latency later.
"""

from __future__ import annotations

import gc
import heapq
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from secfpp.bench.in_memory import NamedSigner, contents
from secfpp.bench.links import Network
from secfpp.errors import RoundFailed
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.dealing import Vectors
from secfpp.protocol.messages import (
    Answers,
    Ask,
    Assign,
    Deal,
    Done,
    Echo,
    Envelope,
    Open,
    Ready,
    RoundMessage,
    SumShare,
)
from secfpp.protocol.party import PartyRound
from secfpp.protocol.party_states import Preparing
from secfpp.wire.checks import MAXIMUM_PARTIES
from secfpp.wire.codec import encode

NAME_BYTES = 14
"""A party's name with its framing, and a flag, a label or an index."""

FRAMING_BYTES = 40
"""What HTTP/2, gRPC and TLS put around a message on an open stream."""


Job = Callable[[float], float]
"""Does something; told when it begins, it says when it ends."""


@dataclass(frozen=True)
class Charges:
    """CPU seconds that a daemon spends beside its machine.

    `message` for one message and `byte` for one byte at one end of a connection, `signature` and
    `verification` for one of each; `relay` is what a shaper on the same machine spends on a message
    that it lets through. `round` is for all that comes once: it is charged at a participant's end.
    """

    message: float
    byte: float
    signature: float
    verification: float
    relay: float = 0.0
    round: float = 0.0


class Clock:
    """Time, and who works when: so many cores for all, or one core for each participant.

    A participant does one job at a time, in the order in which they came; a core that is free takes
    whoever has waited longest. `spent` are the CPU seconds of all.
    """

    def __init__(self, cores: int | None) -> None:
        self._free = math.inf if cores is None else cores
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._jobs: dict[str, deque[Job]] = {}
        self._ready: deque[str] = deque()
        self._scheduled = 0
        self.spent = 0.0

    def at(self, time: float, event: Callable[[float], None]) -> None:
        """Have `event` happen then; it is told the time."""
        self._scheduled += 1
        heapq.heappush(self._events, (time, self._scheduled, event))

    def work(self, now: float, who: str, job: Job) -> None:
        """Have `who` do a job as soon as it can from now on."""
        jobs = self._jobs.setdefault(who, deque())
        jobs.append(job)
        if len(jobs) == 1:  # The first is the one that is being done, or is next.
            self._ready.append(who)
            self._begin(now)

    def run(self) -> None:
        """Until nothing happens any more."""
        while self._events:
            time, _, event = heapq.heappop(self._events)
            event(time)

    def _begin(self, now: float) -> None:
        while self._ready and self._free:
            who = self._ready.popleft()
            self._free -= 1
            end = self._jobs[who][0](now)
            self.spent += end - now
            self.at(end, partial(self._end, who))

    def _end(self, who: str, now: float) -> None:
        self._free += 1
        self._jobs[who].popleft()
        if self._jobs[who]:
            self._ready.append(who)
        self._begin(now)


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
    `flights` are the messages of which each led to the next, up to the mean that took most; `sent`
    and `received` are bytes by participant, as they go over the wire; `parts` are those that the
    parties send by what they are: contents, and around these `headings` and `framing`.
    """

    coordinator: CoordinatorRound
    parties: Mapping[str, PartyRound]
    signers: Mapping[str, NamedSigner]
    vectors: Mapping[str, Vectors]
    network: Network
    charges: Charges
    clock: Clock
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    flights: int = 0
    messages: int = 0
    payload: int = 0
    machine_seconds: float = 0.0
    signatures: int = 0
    verifications: int = 0
    parts: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    _links: dict[tuple[str, str], float] = field(default_factory=dict)
    _depths: dict[str, int] = field(default_factory=dict)
    _overheads: dict[type, int] = field(default_factory=dict)
    _sized: tuple[RoundMessage | None, int] = (None, 0)

    @property
    def seconds(self) -> float:
        """What the slowest party took from its vector to its mean."""
        return max(self.ended[name] - self.began[name] for name in self.parties)

    def run(self) -> None:
        """Deliver until nothing is on its way; RoundFailed where a party then has no mean.

        Garbage is not collected meanwhile: each collection would walk through all messages that are
        on their way, millions of them, and be charged to whoever acts just then.
        """
        boss = self.coordinator.params.coordinator
        self.clock.work(0.0, boss, lambda now: self._charge(boss, now, self.coordinator.open))
        gc.disable()
        try:
            self.clock.run()
        finally:
            gc.enable()
        if self.ended.keys() != self.parties.keys():
            raise RoundFailed(f"only {len(self.ended)} of {len(self.parties)} parties finished")

    def _deliver(self, post: Post, now: float) -> float:
        """Hand a message to its machine, and say when what comes of it has been done."""
        me, charges = post.to, self.charges
        self.received[me] += post.size
        self._depths[me] = post.depth
        now += charges.message + post.size * charges.byte
        if me not in self.parties:
            ended = self.coordinator.result is not None
            handled = partial(self.coordinator.handle, post.sender, post.message)
            now = self._charge(me, now, handled)
            return now if ended or self.coordinator.result is None else now + charges.round
        party = self.parties[me]
        now = self._charge(me, now, partial(party.handle, post.sender, post.message))
        if isinstance(party.state, Preparing):
            self.began[me] = now
            now = self._charge(me, now, partial(party.deal, self.vectors[me]))
        if party.result is not None and me not in self.ended:
            now += charges.round
            self.ended[me] = now
            self.flights = max(self.flights, self._depths[me] - 1)  # The opening is no part of it.
        return now

    def _charge(self, me: str, now: float, act: Callable[[], Iterable[Envelope]]) -> float:
        """Let a machine act and write what it says; when that is done."""
        charges, signer, begun = self.charges, self.signers[me], time.thread_time()
        outbox = act()
        spent = time.thread_time() - begun
        self.machine_seconds += spent
        self.signatures += signer.signed
        self.verifications += signer.verified
        now += spent + signer.signed * charges.signature + signer.verified * charges.verification
        signer.signed = signer.verified = 0
        for envelope in outbox:
            now = self._write(me, now, envelope)
        return now

    def _write(self, me: str, now: float, envelope: Envelope) -> float:
        """Write one message; when that is done it leaves, or comes to the relay that slows it."""
        message, charges = envelope.message, self.charges
        assert isinstance(message, RoundMessage)  # noqa: S101 (machines post nothing else)
        content = contents(message)
        size = self._size(message, content.total())
        if me in self.parties:
            self.parts += content
            self.parts += Counter(headings=size - content.total(), framing=FRAMING_BYTES)
        self.messages += 1
        self.payload += size
        self.sent[me] += size + FRAMING_BYTES
        depth = self._depths.get(me, 0) + 1
        post = Post(me, envelope.to, message, size + FRAMING_BYTES, depth)
        now += charges.message + size * charges.byte
        if charges.relay and self.network.shaped:
            job = partial(self._let_through, post)
            self.clock.at(now, lambda at: self.clock.work(at, "the relays", job))
        else:
            self._fly(post, now)
        return now

    def _let_through(self, post: Post, now: float) -> float:
        self._fly(post, now + self.charges.relay)
        return now + self.charges.relay

    def _fly(self, post: Post, now: float) -> None:
        """Over the link, behind what is on it, and then to work for whom it is for."""
        way, profile = (post.sender, post.to), self.network.between(post.sender, post.to)
        rate = profile.bytes_per_second
        left = max(now, self._links.get(way, 0.0)) + (post.size / rate if rate else 0.0)
        self._links[way] = left
        job = partial(self._deliver, post)
        self.clock.at(left + profile.latency, lambda at: self.clock.work(at, post.to, job))

    def _size(self, message: RoundMessage, content: int) -> int:
        """Bytes of a message; of those there are n² of, measured once and for the rest added up."""
        if message is self._sized[0]:
            return self._sized[1]
        if isinstance(message, Echo | Deal | SumShare | Answers | Done):
            kind = type(message)
            if kind not in self._overheads:
                self._overheads[kind] = len(encode(message)) - content
            return self._overheads[kind] + content
        self._sized = (message, _wire_bytes(message, self.coordinator.params.parties))
        return self._sized[1]


def _wire_bytes(message: RoundMessage, parties: int) -> int:
    """Bytes of a message; of more parties than the wire takes, as many as its names have."""
    if parties <= MAXIMUM_PARTIES:
        return len(encode(message))
    match message:
        case Open(params=params):
            return NAME_BYTES * params.parties
        case Ready(received=received):
            return NAME_BYTES * len(received)
        case Ask(dealers=dealers, mask_dealers=masks, queries=queries):
            members = sum(map(len, {query.members for query in queries}))
            return NAME_BYTES * (len(dealers) + len(masks) + members + len(queries))
        case Assign(labels=labels):
            return NAME_BYTES * len(labels)
        case _:
            return NAME_BYTES
