"""The slow network: bytes come through unchanged and counted; silence and resets are real."""

from __future__ import annotations

import asyncio
import random
import stat
from contextlib import asynccontextmanager

import pytest

from secfpp.errors import ConfigError
from secfpp.transport.profiles import PROFILES, Profile, netem, netem_arguments, profile_named
from secfpp.transport.shaper import Line, Relay, host_and_port

ROUGH = Profile(rtt_ms=4, mbit=80, jitter_ms=3, loss=0.02, stall_ms=5)
SIZE = 300_000


@asynccontextmanager
async def echoing(profile: Profile):
    """A relay before a server that sends back all it gets: yields the relay and its port."""
    writers = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    relay = Relay(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", profile)
    port = await relay.start()
    try:
        yield relay, port
    finally:
        await relay.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)


async def there_and_back(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read(-1)
    writer.close()
    return answer


@pytest.mark.parametrize("profile", [*PROFILES.values(), ROUGH], ids=[*PROFILES, "rough"])
async def test_bytes_come_through_unchanged_and_are_counted_each_way(profile):
    data = random.Random(1).randbytes(SIZE)
    async with echoing(profile) as (relay, port):
        assert await there_and_back(port, data) == data
        assert (relay.there.delivered, relay.back.delivered) == (SIZE, SIZE)
        assert await there_and_back(port, b"again") == b"again"
        assert (relay.there.delivered, relay.back.delivered) == (SIZE + 5, SIZE + 5)


async def test_nothing_arrives_before_the_round_trip_is_over():
    """A handshake costs one round trip, a question and its answer another."""
    profile = Profile(rtt_ms=30)
    clock = asyncio.get_running_loop().time
    async with echoing(profile) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = clock()
        writer.write(b"?")
        await reader.readexactly(1)
        assert clock() - start >= 2 * 0.030
        start = clock()
        writer.write(b"?")
        await reader.readexactly(1)
        assert clock() - start >= 0.030
        writer.close()


async def test_a_silent_link_passes_nothing_on_and_tells_nobody():
    """Mutation: a `_deliver` that does not wait for `_flowing` lets the first byte through."""
    async with echoing(Profile(rtt_ms=20)) as (relay, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"1")
        assert await reader.readexactly(1) == b"1"
        writer.write(b"2")
        await asyncio.sleep(0.005)
        relay.silence()
        writer.write(b"3")
        writer.write_eof()
        late = await asyncio.open_connection("127.0.0.1", port)  # The kernel lets it in.
        late[1].write(b"4")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late[0].read(1), 0.1)
        assert (relay.there.delivered, relay.back.delivered) == (1, 1)
        relay.resume()
        assert await reader.read(-1) == b"23"
        assert await late[0].readexactly(1) == b"4"
        writer.close()
        late[1].close()


async def test_a_reset_is_seen_by_both_sides_and_the_next_connection_is_welcome():
    seen = asyncio.Event()

    async def reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        try:
            await reader.read(-1)
        except ConnectionResetError:
            seen.set()
        finally:
            writer.close()

    server = await asyncio.start_server(reading, "127.0.0.1", 0)
    relay = Relay(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", PROFILES["none"])
    port = await relay.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readexactly(1)
    relay.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read(-1)
    await asyncio.wait_for(seen.wait(), 5)
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.readexactly(1) == b"!"
    writer.close()
    await relay.close()
    server.close()
    await server.wait_closed()


async def test_a_target_that_refuses_ends_the_connection_and_not_the_relay():
    relay = Relay("127.0.0.1:1", PROFILES["none"])
    port = await relay.start()
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await there_and_back(port, b"anyone?")
    await relay.close()


async def test_a_reader_who_does_not_read_holds_the_sender_back():
    """What is under way is bounded: by the line, and by the sockets of the kernel."""
    stuck = asyncio.Event()

    async def not_reading(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    server = await asyncio.start_server(not_reading, "127.0.0.1", 0, limit=1)
    relay = Relay(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", PROFILES["wan"])
    port = await relay.start()
    _, writer = await asyncio.open_connection("127.0.0.1", port)

    async def write_for_ever() -> None:
        while True:
            writer.write(bytes(2**20))
            await writer.drain()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(write_for_ever(), 1)
    await relay.close()
    stuck.set()
    writer.transport.abort()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0)


def test_pieces_leave_at_the_rate_and_arrive_in_order_whatever_the_jitter():
    line = Line(Profile(rtt_ms=40, mbit=8, jitter_ms=10), random.Random(3))
    arrivals = [line.arrival(1000, now=5.0) for _ in range(200)]
    assert arrivals == sorted(arrivals)
    for place, arrival in enumerate(arrivals, 1):
        assert arrival - (5.0 + place * 0.001) >= 0.010 - 1e-9
    assert arrivals[-1] <= 5.0 + 0.2 + 0.030 + 1e-9


def test_a_lost_packet_holds_up_all_that_comes_behind_it():
    certain = Line(Profile(loss=0.999_999, stall_ms=200), random.Random(0))
    assert certain.arrival(1, now=0.0) == pytest.approx(0.2)
    assert certain.arrival(1, now=0.0) == pytest.approx(0.4)
    seldom = Line(Profile(loss=0.01, stall_ms=200), random.Random(0))
    losses = seldom.arrival(0, now=0.0), *(seldom.arrival(1460, now=0.0) for _ in range(5000))
    assert 25 <= losses[-1] / 0.2 <= 80, "about 50 of 5000"


def test_a_line_holds_no_more_than_rate_times_delay_and_two_pieces():
    line = Line(PROFILES["wan"], random.Random(0))
    assert line.piece == 12_500
    assert line.held == 12_500_000 * 0.022 + 2 * 12_500


def test_an_unknown_profile_and_an_address_without_port_are_refused_in_words():
    with pytest.raises(ConfigError, match="'wlan' is no network profile") as refusal:
        profile_named("wlan")
    assert "none, lan, wan, slow" in refusal.value.fix
    for wrong in ("somewhere", "host:", ":80", "host:99999"):
        with pytest.raises(ConfigError, match="is no address"):
            host_and_port(wrong)


async def test_a_taken_address_is_named():
    relay = Relay("127.0.0.1:1", PROFILES["none"])
    port = await relay.start()
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}") as refusal:
        await Relay("127.0.0.1:1", PROFILES["none"], listen=f"127.0.0.1:{port}").start()
    await relay.close()
    assert "stop what listens there" in refusal.value.fix


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
async def test_an_address_of_another_machine_or_none_is_not_called_taken(host):
    with pytest.raises(ConfigError, match=f"cannot listen on {host}:8080") as refusal:
        await Relay("127.0.0.1:1", PROFILES["none"], listen=f"{host}:8080").start()
    assert "write a host of this machine's" in refusal.value.fix


def test_netem_says_plainly_where_it_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ConfigError, match="tc, which sets netem, is not installed"),
        netem("lo", PROFILES["wan"]),
    ):
        pass
    tc = tmp_path / "tc"
    tc.write_text("#!/bin/sh\necho 'RTNETLINK answers: No such file or directory' >&2\nexit 2\n")
    tc.chmod(tc.stat().st_mode | stat.S_IXUSR)
    with (
        pytest.raises(ConfigError, match=r"this kernel does not set netem on lo.*RTNETLINK"),
        netem("lo", PROFILES["wan"]),
    ):
        pass


def test_netem_is_told_half_the_round_trip_and_taken_away_again(monkeypatch, tmp_path):
    told = tmp_path / "told"
    tc = tmp_path / "tc"
    tc.write_text(f'#!/bin/sh\necho "$@" >> {told}\n')
    tc.chmod(tc.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    with netem("eth0", PROFILES["slow"]):
        pass
    assert told.read_text().splitlines() == [
        "qdisc add dev eth0 root netem delay 50ms 0ms rate 20mbit",
        "qdisc del dev eth0 root",
    ]
    assert netem_arguments(Profile(rtt_ms=10, loss=0.01)) == [
        *("netem", "delay", "5ms", "0ms", "loss", "1%")
    ]
