"""An operator's command that cannot reach its coordinator says why, and what to do, in time."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from secfpp.errors import PeersMissing
from secfpp.operator.client import Operator
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.transport import operator_api
from secfpp.transport.grpc_tls import TlsServer
from secfpp.transport.operator_api import OPERATOR, OperatorClient, operator_service

PATIENCE = 20.0


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Keys of a federation, and of another with the same names."""
    names = {"ann": Role.COORDINATOR, "boss": Role.OPERATOR}
    home = tmp_path_factory.mktemp("door")
    return [throwaway_federation(home / which, names) for which in ("own", "foreign")]


@pytest.fixture
async def door(homes):
    """A coordinator's door that follows a run to its end, by its address."""

    async def call(name, request):
        return b'{"data": {"runs": []}}'

    async def follow(name, request):
        yield b'{"time": 0.0, "run": "run", "event": "opened"}'
        await asyncio.sleep(60)

    service = operator_service(call, follow)
    identity = Identity.load(homes[0]["ann"])
    server = TlsServer(identity, "127.0.0.1:0", name=OPERATOR, services=(service,))
    yield f"127.0.0.1:{await server.start()}", server
    await server.stop(0)


async def refused(identity, address, name="ann", patience=PATIENCE):
    """The error of a call, what was said before it, and after how many seconds it came."""
    said: list[str] = []
    began = time.monotonic()
    client = OperatorClient(identity, address, name, said.append)
    try:
        with pytest.raises(PeersMissing) as caught:
            await Operator(client, patience=patience).status()
    finally:
        await client.close()
    return caught.value, said, time.monotonic() - began


@pytest.mark.parametrize(
    ("address", "cause", "fix"),
    [
        ("127.0.0.1", "its address is not known", "host:port"),
        ("127.0.0.1:99999", "its address is not known", "host:port"),
        ("nowhere.invalid:7751", "TCP failed", "mend the host's name"),
    ],
)
async def test_an_address_that_cannot_be_is_said_at_once(homes, address, cause, fix):
    error, said, seconds = await refused(Identity.load(homes[0]["boss"]), address)
    assert cause in str(error)
    assert fix in error.fix
    assert said == []
    assert seconds < PATIENCE / 2


@pytest.mark.parametrize(
    ("keys", "name", "fix"),
    [(0, "bob", "or the name ann"), (1, "ann", "keys of the same authority")],
)
async def test_a_certificate_that_is_not_right_is_said_at_once(homes, door, keys, name, fix):
    address, _ = door
    error, said, seconds = await refused(Identity.load(homes[keys]["boss"]), address, name)
    assert "its certificate is not right" in str(error)
    assert fix in error.fix
    assert said == []
    assert seconds < PATIENCE / 2


async def test_a_port_without_tls_is_said_at_once(homes):
    async def answer(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    error, _, seconds = await refused(Identity.load(homes[0]["boss"]), address)
    assert "the TLS handshake was refused" in str(error)
    assert "this very port" in error.fix
    assert seconds < PATIENCE / 2
    server.close()


async def test_who_waits_for_a_coordinator_is_told_so_and_then_what_to_do(homes):
    error, said, _ = await refused(Identity.load(homes[0]["boss"]), "127.0.0.1:1", patience=4)
    assert said == ["waiting up to 4 s for ann at 127.0.0.1:1: TCP refused, nothing listens there"]
    assert "TCP refused" in str(error)
    assert "start ann" in error.fix


async def test_a_daemon_without_a_door_for_operators_is_named_as_such(homes):
    identity = Identity.load(homes[0]["ann"])
    server = TlsServer(identity, "127.0.0.1:0", name="mailbox", services=())
    address = f"127.0.0.1:{await server.start()}"
    error, _, _ = await refused(Identity.load(homes[0]["boss"]), address)
    assert "does not listen for operators" in str(error)
    assert "operator_listen" in error.fix
    await server.stop(0)


async def test_who_loses_the_coordinator_is_told_how_to_follow_the_run_again(homes, door):
    address, server = door
    client = OperatorClient(Identity.load(homes[0]["boss"]), address, "ann")
    following = Operator(client, patience=3).follow("run")
    await anext(following)
    await server.stop(0)
    with pytest.raises(PeersMissing) as caught:
        await anext(following)
    assert "`secfpp log run` follows it again" in caught.value.fix
    await client.close()


async def test_whoever_waits_for_an_answer_or_to_follow_is_told_so(homes):
    async def call(name, request):
        await asyncio.sleep(3)
        return b'{"data": {"runs": []}}'

    async def follow(name, request):
        yield b'{"ended": null}'

    said: list[str] = []
    identity = Identity.load(homes[0]["ann"])
    service = operator_service(call, follow)
    server = TlsServer(identity, "127.0.0.1:0", name=OPERATOR, services=(service,))
    address = f"127.0.0.1:{await server.start()}"
    client = OperatorClient(Identity.load(homes[0]["boss"]), address, "ann", said.append)
    assert await Operator(client, patience=9).status() == []
    await client.close()
    await server.stop(0)
    assert said == [f"ann at {address} is connected, waiting up to 9 s for its answer"]
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # Connects, and takes nothing.
        address = f"127.0.0.1:{frozen.getsockname()[1]}"
        client = OperatorClient(Identity.load(homes[0]["boss"]), address, "ann", said.append)
        with pytest.raises(PeersMissing):
            await anext(Operator(client, patience=6).follow("run"))
        await client.close()
    assert "waiting up to 6 s for ann" in said[-1]


async def test_whoever_follows_a_coordinator_that_tells_nothing_hears_of_it(
    homes, door, monkeypatch
):
    monkeypatch.setattr(operator_api, "SILENT_SECONDS", 1.0)
    address, _ = door
    said: list[str] = []
    client = OperatorClient(Identity.load(homes[0]["boss"]), address, "ann", said.append)
    following = client.follow(b"run")
    await anext(following)
    assert said == []
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(following), 2)
    await following.aclose()
    await client.close()
    assert said == [f"ann at {address} has told nothing for 1 s"]
