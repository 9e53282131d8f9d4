"""A TCP relay in front of a participant, which loses, halves or resets its connections on command.

A fault meets the connections that are open when it comes; those that come later pass. TLS is above:
nothing in the middle of a connection can be lost without the rest, and TCP has acknowledged it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

PIECE = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for 0 seconds: closing sends RST.
REQUEST, RESPONSE = "request", "response"


@dataclass(eq=False)
class Connection:
    """One connection through the relay: its two ends, and which ways still pass."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passing: set[str] = field(default_factory=lambda: {REQUEST, RESPONSE})
    halved: bool = False

    def drop_request(self) -> None:
        """From now on nothing that the client sends arrives."""
        self.passing.discard(REQUEST)

    def drop_response(self) -> None:
        """From now on nothing that the server answers arrives."""
        self.passing.discard(RESPONSE)

    def half_open(self) -> None:
        """The server sees the connection end; the client is told nothing."""
        self.halved = True
        self.passing.clear()
        self.server.transport.abort()

    def reset(self) -> None:
        """Both sides see the connection reset."""
        for end in (self.client, self.server):
            raw = end.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            end.transport.abort()

    async def pump(self, way: str, source: asyncio.StreamReader) -> None:
        """One way of the connection, until its source ends."""
        sink = self.server if way == REQUEST else self.client
        with contextlib.suppress(OSError):
            while piece := await source.read(PIECE):
                if way in self.passing:
                    sink.write(piece)
                    await sink.drain()
        if not self.halved:
            sink.transport.abort()


class Relay:
    """Listens on a port of loopback of its own and passes everything on to `target`."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listening = threading.Event()

    def start(self) -> None:
        """Listen; returns when it does."""
        self._thread.start()
        self._listening.wait(10)

    def stop(self) -> None:
        """End, with all connections."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def hit(self, fault: Callable[[Connection], None]) -> None:
        """Do something to every open connection; returns when it is done."""
        done = threading.Event()

        def now() -> None:
            for connection in tuple(self._connections):
                fault(connection)
            done.set()

        self._loop.call_soon_threadsafe(now)
        done.wait(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._listening.set()
        await self._over.wait()
        server.close()
        for connection in tuple(self._connections):
            connection.reset()
        await asyncio.sleep(0.1)  # The pumps see their ends.

    async def _relay(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            client.transport.abort()
            return
        connection = Connection(client, server)
        self._connections.add(connection)
        await asyncio.gather(connection.pump(REQUEST, reader), connection.pump(RESPONSE, answers))
        client.transport.abort()
        self._connections.discard(connection)
