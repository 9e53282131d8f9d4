"""Messages to one peer over one long stream, each kept until the peer has confirmed it.

A unary call costs several times what a message on an open stream costs (docs/adr/0008). The frames
of the stream: the first byte says what the rest is, LAST or MORE pieces of a message, or ASK, the
wish for a receipt. A receipt is the number of messages that the peer has taken from this stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from secfpp.errors import PolicyRefusal, SecFPPError
from secfpp.transport.admission import told_by
from secfpp.transport.grpcio import CHUNK_BYTES, grpc
from secfpp.transport.peers import Peer

LAST: Final = b"\x00"
MORE: Final = b"\x01"
ASK: Final = b"\x02"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

Stream = Callable[[], "grpc.aio.StreamStreamCall[bytes, bytes]"]
Missing = Callable[[float], Awaitable[SecFPPError]]
"""Says, after so many seconds of trying, who is missing and why."""


@dataclass(eq=False, repr=False)
class Parcel:
    """A message on its way: `confirmed` is done once the peer has it, or has the error.

    Its patience counts from `since`: when it was posted, or the peer last came back.
    """

    payload: bytes
    patience: float
    confirmed: asyncio.Future[None]
    since: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until it is overdue; negative once it is."""
        return self.since + self.patience - time.monotonic()


class Outgoing:
    """The one stream to one peer, opened when there is something to say, and again after a break.

    A message may arrive twice: what was not confirmed before a break is sent again.
    """

    def __init__(self, peer: Peer, stream: Stream, missing: Missing) -> None:
        self._peer = peer
        self._stream = stream
        self._missing = missing
        self._parcels: deque[Parcel] = deque()
        self._written = 0  # How many of the parcels are on the present stream.
        self._taken = 0  # The last receipt of the present stream.
        self._asking = False
        self._wake = asyncio.Event()
        self._called = asyncio.Event()
        self._said_at = -math.inf  # When it was last said that the peer cannot be reached.
        self._timer: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._run(), name=f"deliver to {peer.name}")

    def put(self, payload: bytes, patience: float) -> asyncio.Future[None]:
        """Send a message; the future ends when it is confirmed.

        Its errors: PeersMissing after `patience` seconds, PolicyRefusal where the peer does not let
        us in. Of several messages that waited when an error was said, one carries it; the others
        are cancelled when their own time has come.
        """
        parcel = Parcel(payload, patience, asyncio.get_running_loop().create_future())
        self._parcels.append(parcel)
        self._peer.traffic.sent += len(payload)
        self._peer.traffic.calls_sent += 1
        self._wake.set()
        self._watch(patience)
        return parcel.confirmed

    def ask(self) -> None:
        """Have everything confirmed soon, rather than now and then."""
        self._asking = True
        self._wake.set()

    def called(self) -> None:
        """The peer has called us: it is there. What waits is tried at once, as if just posted."""
        for parcel in self._parcels:
            parcel.since = time.monotonic()
        self._called.set()

    async def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for parcel in self._parcels:
            parcel.confirmed.cancel()

    def _watch(self, patience: float) -> None:
        """Look again at what is unconfirmed, a few times within the patience."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(patience / 3, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._parcels:
            self.ask()
            self._watch(self._parcels[0].patience)

    async def _run(self) -> None:
        """Stream after stream, as long as there is something to send."""
        pause = _FIRST_PAUSE
        while True:
            if not self._parcels:
                self._wake.clear()
                await self._wake.wait()
                continue
            before = self._parcels[0]
            self._called.clear()
            try:
                await self._converse()
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                    refusal = PolicyRefusal("admission", told_by(self._peer.name, error))
                    self._give_up(refusal, list(self._parcels))
                    continue
            if not self._parcels:
                continue
            oldest = self._parcels[0]
            if oldest.left <= 0:
                missing = await self._missing(oldest.patience)  # It may come back meanwhile.
                self._give_up(missing, [parcel for parcel in self._parcels if parcel.left <= 0])
                continue
            pause = _FIRST_PAUSE if oldest is not before else pause
            # Jitter only spreads retries; it is no secret.
            await self._rest(min(oldest.left, pause * random.uniform(0.5, 1.0)))  # noqa: S311
            pause = _FIRST_PAUSE if self._called.is_set() else min(2 * pause, _LONGEST_PAUSE)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next stream, unless the peer calls."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._called.wait()

    async def _converse(self) -> None:
        """One stream, until it breaks or the oldest message is overdue; raises what broke it."""
        call = self._stream()
        self._written = self._taken = 0
        receipts = asyncio.create_task(self._read_receipts(call))
        receipts.add_done_callback(lambda _: self._wake.set())
        try:
            while not receipts.done() and not self._overdue():
                if self._written < len(self._parcels):
                    await self._write(call, self._parcels[self._written])
                elif self._asking and self._parcels:
                    self._asking = False
                    await call.write(ASK)
                else:
                    self._wake.clear()
                    await self._wake.wait()
        except asyncio.InvalidStateError:
            pass  # The stream has broken while we wrote; the receipts know why.
        finally:
            if not receipts.done():
                call.cancel()
                receipts.cancel()
            (outcome,) = await asyncio.gather(receipts, return_exceptions=True)
        if isinstance(outcome, grpc.aio.AioRpcError):
            raise outcome

    async def _write(self, call: grpc.aio.StreamStreamCall[bytes, bytes], parcel: Parcel) -> None:
        self._written += 1
        for frame in _frames(parcel.payload):
            await call.write(frame)

    async def _read_receipts(self, call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        first = True
        while True:
            receipt = await call.read()
            if not isinstance(receipt, bytes):  # The end of the stream.
                return
            self._peer.last_seen = time.time()
            self._peer.streams += first
            first = False
            taken = min(int.from_bytes(receipt, "big"), self._taken + self._written)
            for _ in range(taken - self._taken):
                parcel = self._parcels.popleft()
                self._written -= 1
                if not parcel.confirmed.done():
                    parcel.confirmed.set_result(None)
            self._taken = max(self._taken, taken)

    def _overdue(self) -> bool:
        return bool(self._parcels) and self._parcels[0].left <= 0

    def _give_up(self, error: SecFPPError, parcels: list[Parcel]) -> None:
        """These are not delivered; the first that was posted after the last such error says why."""
        for parcel in parcels:
            self._parcels.remove(parcel)
            if parcel.since <= self._said_at or parcel.confirmed.done():
                parcel.confirmed.cancel()
            else:
                parcel.confirmed.set_exception(error)
                self._said_at = time.monotonic()


def _frames(payload: bytes) -> Iterator[bytes]:
    """A message in pieces of at most 1 MiB."""
    view = memoryview(payload)
    for start in range(0, max(len(view), 1), CHUNK_BYTES):
        last = start + CHUNK_BYTES >= len(view)
        yield b"".join((LAST if last else MORE, view[start : start + CHUNK_BYTES]))
