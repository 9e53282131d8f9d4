"""The one place that imports gRPC, after setting what must be set before.

TLS 1.3 only, first of two times: our certificates are ECDSA, and the only suite named for TLS 1.2
needs RSA, so that a 1.2 handshake finds nothing in common. The second time is in `grpc_tls`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES128-GCM-SHA256"
# A forked trainer would inherit locked gRPC threads; ours is spawned, so the support is not needed.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
# Its pool of threads costs a switch or two per message; without it, the one thread that waits for
# events also reads and writes the sockets. A release that does not know the names passes over them.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
# gRPC's own log repeats, for every retry, what the daemons say once in words.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

_MOST_SIGNS: Final = 4096


class WakeUp(socket.socket):
    """Where gRPC's thread tells the event loop that something has happened, a byte for each thing.

    gRPC handles all that has happened when it is woken, and yet reads a single byte: the loop then
    turns once for each of the others, for nothing. This one reads them all. Handling breaks off at
    a thing of a loop that is closed; so in another loop than its first, in which it was made, it
    leaves one byte, which wakes that loop once more.
    """

    first: asyncio.AbstractEventLoop | None = None

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """All bytes that are there, but for one in another loop than the first; at least one."""
        if asyncio.get_running_loop() is self.first:
            return super().recv(_MOST_SIGNS, flags)
        waiting = len(super().recv(_MOST_SIGNS, flags | socket.MSG_PEEK))
        return super().recv(max(bufsize, waiting - 1), flags)


@contextmanager
def waking_at_once() -> Iterator[None]:
    """What gRPC makes in here for its thread and the event loop has a `WakeUp` between the two.

    It makes them with the first server or channel, and again when all have been closed.
    """
    made = socket.socketpair

    def socketpair() -> tuple[socket.socket, socket.socket]:
        read, write = made()
        ear = WakeUp(fileno=read.detach())
        with suppress(RuntimeError):  # Where no loop runs yet, none is the first.
            ear.first = asyncio.get_running_loop()
        return ear, write

    socket.socketpair = socketpair  # type: ignore[assignment]  # gRPC asks for none by name.
    try:
        yield
    finally:
        socket.socketpair = made


CHUNK_BYTES = 2**20
"""Measured: 1 MiB chunks move four times as much a second as 16 KiB chunks or one big message."""

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),  # Else a minute passes before the one above counts.
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 4 * 2**20),
    ("grpc.http2.max_frame_size", CHUNK_BYTES),  # Else a share is cut in pieces of 16 KiB.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.so_reuseport", 0),
)

__all__ = [
    "CHUNK_BYTES",
    "OPTIONS",
    "WakeUp",
    "grpc",
    "health",
    "health_pb2",
    "health_pb2_grpc",
    "waking_at_once",
]
