"""`secfpp bench shaper`: whether the slow network is as slow as it says.

Each profile stands before an echo on loopback, in this process: round trips of one byte, and the
seconds that many bytes take one way once the connection is warm.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence

from secfpp.bench.machine import provenance
from secfpp.transport.profiles import Profile, profile_named
from secfpp.transport.shaper import Relay

SECONDS_MOVED = 1.0
"""So long does what is moved take at the profile's rate."""

UNLIMITED_BYTES = 64 * 2**20
PIECE_BYTES = 64 * 2**10

Row = dict[str, object]


def measure(nets: Sequence[str], repeats: int) -> dict[str, object]:
    """{…provenance, "results": [one a profile]}; errors are shares of what was asked."""
    return {**provenance(0), "results": [asyncio.run(_measured(net, repeats)) for net in nets]}


async def _measured(net: str, repeats: int) -> Row:
    profile = profile_named(net)
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    relay = Relay(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", profile)
    reader, writer = await asyncio.open_connection("127.0.0.1", await relay.start())
    try:
        await _round_trip(reader, writer)  # The first also waits for the handshake.
        trips = [await _round_trip(reader, writer) for _ in range(10 * repeats)]
        size = _moved_bytes(profile)
        seconds = [await _moved(reader, writer, size) for _ in range(repeats)]
    finally:
        writer.close()
        await relay.close()
        server.close()
    rtt = 1e3 * statistics.median(trips)
    mbit = 8e-6 * size / statistics.median(seconds)
    return {
        "net": net,
        "rtt_ms_asked": profile.rtt_ms,
        "rtt_ms": rtt,
        "rtt_error": rtt / profile.rtt_ms - 1 if profile.rtt_ms else None,
        "mbit_asked": profile.mbit,
        "mbit": mbit,
        "mbit_error": mbit / profile.mbit - 1 if profile.mbit else None,
    }


def _moved_bytes(profile: Profile) -> int:
    rate = profile.bytes_per_second
    whole = UNLIMITED_BYTES if rate is None else min(UNLIMITED_BYTES, int(rate * SECONDS_MOVED))
    return whole // PIECE_BYTES * PIECE_BYTES


async def _round_trip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    """Seconds from a question of no bytes to its answer."""
    return await _moved(reader, writer, 0)


async def _moved(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> float:
    """Seconds in which `size` bytes come in at the other side, which takes the time itself.

    Latency is no part of it. With no bytes it is the round trip of question and answer.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    writer.write(size.to_bytes(8, "big"))
    for _ in range(size // PIECE_BYTES):
        writer.write(bytes(PIECE_BYTES))
        await writer.drain()
    spent = int.from_bytes(await reader.readexactly(8), "big") / 1e9
    return spent if size else clock() - start


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what is announced, and say how many nanoseconds it took to come."""
    clock = asyncio.get_running_loop().time
    try:
        while True:
            left = int.from_bytes(await reader.readexactly(8), "big")
            start = clock()
            while left:
                left -= len(await reader.read(min(left, PIECE_BYTES)))
            writer.write(int(1e9 * (clock() - start)).to_bytes(8, "big"))
    except (asyncio.IncompleteReadError, OSError):
        writer.close()
