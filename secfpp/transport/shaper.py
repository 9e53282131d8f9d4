"""A slow network in userspace: a relay before a TCP address, outside the TLS it passes on.

A relay has one line for each direction. A line sends one piece after the other at the profile's
rate, and each arrives the latency later, in order; a connection costs one round trip before its
first byte, as TCP's handshake does. What is under way is held, up to the product of rate and delay;
then the relay stops reading and TCP holds the sender back. Connections through one relay share its
lines. There is no slow start: the ends' own TCP meets the relay, not each other. Timers end up to a
millisecond late, which a `lan` feels and a `wan` does not.
"""

from __future__ import annotations

import asyncio
import errno
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, Final

from secfpp.errors import ConfigError
from secfpp.transport.profiles import PACKET_BYTES, Profile

LARGEST_PIECE: Final = 64 * 2**10
PIECE_SECONDS: Final = 1e-3
"""A piece is what the line sends in this time: smooth, and no finer than timers are."""

TIMER_SECONDS: Final = 2e-3
"""What is held covers timers that are so late, so that they cost no throughput."""

UNLIMITED_BYTES: Final = 2**20
"""What is held at most where no rate says more."""

_RESET = struct.pack("ii", 1, 0)  # Linger for no time: closing sends RST.


class Line:
    """One direction of a relay: when what is sent arrives, and how many bytes have."""

    def __init__(self, profile: Profile, chance: random.Random) -> None:
        self.delivered = 0
        self._profile = profile
        self._chance = chance
        self._free = 0.0  # When all that was given to the line has left.
        self._last = 0.0  # When all of it will have arrived.

    @property
    def piece(self) -> int:
        """The most bytes that are sent as one."""
        rate = self._profile.bytes_per_second
        if rate is None:
            return LARGEST_PIECE
        return max(PACKET_BYTES, min(LARGEST_PIECE, int(rate * PIECE_SECONDS)))

    @property
    def held(self) -> int:
        """The most bytes that may be under way on one connection: rate × delay, and two pieces."""
        rate = self._profile.bytes_per_second
        if rate is None:
            return UNLIMITED_BYTES
        delay = self._profile.latency + self._profile.jitter_ms / 1e3 + TIMER_SECONDS
        return int(rate * delay) + 2 * self.piece

    def count(self, size: int) -> None:
        """So many bytes more have arrived."""
        self.delivered += size

    def arrival(self, size: int, now: float) -> float:
        """When `size` bytes arrive that are given to the line `now`: never before the last ones."""
        profile = self._profile
        rate = profile.bytes_per_second
        self._free = max(now, self._free) + (size / rate if rate else 0.0)
        packets = -(-size // PACKET_BYTES)
        if profile.loss and self._chance.random() >= (1 - profile.loss) ** packets:
            self._free += profile.stall_ms / 1e3
        jitter = profile.jitter_ms / 1e3
        delay = profile.latency + self._chance.uniform(-jitter, jitter)
        self._last = max(self._last, self._free + max(0.0, delay))
        return self._last


class Relay:
    """Listens, and passes on to `target` (host:port) through two lines of one profile.

    `there` is the line to the target, `back` the one from it. `seed` makes jitter and losses come
    again.
    """

    line: ClassVar[type[Line]] = Line

    def __init__(
        self, target: str, profile: Profile, *, listen: str = "127.0.0.1:0", seed: int = 0
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 (a network's chance is no secret)
        self.there = self.line(profile, chance)
        self.back = self.line(profile, chance)
        self._target = host_and_port(target)
        self._listen = host_and_port(listen)
        self._round_trip = profile.rtt_ms / 1e3
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def start(self) -> int:
        """Listen; returns the port. ConfigError names an address that cannot be had."""
        host, port = self._listen
        try:
            self._server = await asyncio.start_server(
                self._accept, host, port, limit=self.there.piece
            )
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            other = "write a host of this machine's, with a port that this user may open"
            raise ConfigError(
                f"the shaper cannot listen on {host}:{port}: {error.strerror}",
                fix="stop what listens there, or change the address" if taken else other,
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    def silence(self) -> None:
        """Half-open: pass nothing on and say nothing, while every socket stays as it is."""
        self._flowing.clear()

    def resume(self) -> None:
        """Pass on again, beginning with what was held."""
        self._flowing.set()

    def reset(self) -> None:
        """End every connection with a TCP reset to both sides; new ones are welcome."""
        for task, writers in self._connections.items():
            for writer in writers:
                _reset(writer)
            task.cancel()

    async def close(self) -> None:
        """Stop listening and end what is connected."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._connections)
        self.reset()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        task = asyncio.create_task(self._relay(reader, writers))
        self._connections[task] = writers
        task.add_done_callback(self._connections.pop)

    async def _relay(
        self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]
    ) -> None:
        """One connection, until both sides have said all or one of them breaks."""
        try:
            await self._flowing.wait()
            far_reader, far_writer = await asyncio.open_connection(
                *self._target, limit=self.back.piece
            )
            writers.append(far_writer)
            await asyncio.sleep(self._round_trip)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(self.there, reader, far_writer))
                both.create_task(self._carry(self.back, far_reader, writers[0]))
        except* OSError:  # The target refuses, or one side broke off: so does the relay.
            for writer in writers:
                _reset(writer)
        finally:
            for writer in writers:
                writer.close()

    async def _carry(
        self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Move one direction of one connection, its end included."""
        under_way = _UnderWay(line.held)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._send(line, reader, under_way))
            both.create_task(self._deliver(line, under_way, writer))

    async def _send(self, line: Line, reader: asyncio.StreamReader, under_way: _UnderWay) -> None:
        now: Callable[[], float] = asyncio.get_running_loop().time
        while True:
            data = await reader.read(line.piece)
            await self._flowing.wait()
            await under_way.put(line.arrival(len(data), now()), data)
            if not data:
                return

    async def _deliver(
        self, line: Line, under_way: _UnderWay, writer: asyncio.StreamWriter
    ) -> None:
        now: Callable[[], float] = asyncio.get_running_loop().time
        while True:
            due, data = await under_way.get()
            if (left := due - now()) > 0:
                await asyncio.sleep(left)
            await self._flowing.wait()
            if not data:
                with suppress(OSError):  # The other side has gone already.
                    writer.write_eof()
                return
            line.count(len(data))
            writer.write(data)
            await writer.drain()
            under_way.gone(len(data))


class _UnderWay:
    """Pieces on one direction of a connection, each with its time of arrival; bounded in bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._room = asyncio.Event()

    async def put(self, due: float, data: bytes) -> None:
        """Add a piece, and wait until there is room for another."""
        self._bytes += len(data)
        self._pieces.put_nowait((due, data))
        while self._bytes >= self._most:
            self._room.clear()
            await self._room.wait()

    async def get(self) -> tuple[float, bytes]:
        """The next piece; it takes room until it is `gone`."""
        return await self._pieces.get()

    def gone(self, size: int) -> None:
        """The target's socket has taken so many bytes."""
        self._bytes -= size
        self._room.set()


def host_and_port(address: str) -> tuple[str, int]:
    """Both halves of host:port; ConfigError where it is none."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"{address!r} is no address", fix="write host:port")
    return host.strip("[]"), int(port)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
