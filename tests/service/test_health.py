"""Health is told by each service of a real daemon, and `secfpp health` asks the own daemon."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secfpp.demo.launcher import COORDINATOR, Federation
from secfpp.operator.health import _reachable
from secfpp.pki.store import Identity
from secfpp.transport.grpc_tls import MAILBOX, Mailbox, client_channel
from secfpp.transport.grpcio import grpc, health_pb2, health_pb2_grpc
from secfpp.transport.operator_api import OPERATOR

pytestmark = pytest.mark.xdist_group("restarts")

PARTY = "party-1"
States = health_pb2.HealthCheckResponse


@pytest.fixture
def federation(tmp_path):
    """Keys and files of a coordinator and a party, of which nothing runs yet."""
    federation = Federation(tmp_path, {PARTY: {}})
    federation.prepare()
    yield federation
    federation.stop()


def asked(federation: Federation, name: str, *options: str) -> tuple[int, dict | None]:
    """The exit code of `secfpp health`, and its data."""
    config = str(federation.home / f"{name}.toml")
    command = [sys.executable, "-m", "secfpp", "health", "--config", config, "--format", "json"]
    result = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)
    return result.returncode, json.loads(result.stdout)["data"]


def until_it_serves(federation: Federation, name: str) -> dict | None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        code, data = asked(federation, name)
        if code == 0:
            return data
    raise AssertionError(f"{name} did not come up: {federation.log_of(name).read_text()}")


async def watched(identity: Identity, address: str, service: str, on_serving):
    """Every state that a daemon tells until it ends; `on_serving` is called after the first."""
    states = []
    async with client_channel(identity, address, identity.name) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=service), timeout=60
        )
        try:
            async for answer in watch:
                states.append(answer.status)
                if len(states) == 1:
                    on_serving()
        except grpc.aio.AioRpcError:
            pass  # The daemon has ended.
    return states


@pytest.mark.parametrize(
    ("name", "services"), [(COORDINATOR, {MAILBOX, OPERATOR}), (PARTY, {MAILBOX})]
)
def test_a_daemon_serves_until_it_is_told_to_end_and_says_so_before_it_is_gone(
    federation, name, services
):
    assert asked(federation, name) == (3, None)
    federation.launch(name)
    data = until_it_serves(federation, name)
    assert data == {"name": name, "services": dict.fromkeys(services, True), "passed": True}
    identity = Identity.load(federation.home / "pki" / name)
    addresses = {MAILBOX: f"127.0.0.1:{federation.ports[name]}"}
    if name == COORDINATOR:
        addresses[OPERATOR] = federation.operator_address
    process = federation.processes[name]

    asks = [(address, asked) for told, address in addresses.items() for asked in ("", told)]

    async def watch_all():
        watching: list[str] = []

        def on_serving():
            watching.append(name)
            if len(watching) == len(asks):
                process.terminate()

        return await asyncio.gather(*(watched(identity, *ask, on_serving) for ask in asks))

    for states in asyncio.run(watch_all()):
        assert states == [States.SERVING, States.NOT_SERVING]
    assert process.wait(30) == 0
    assert asked(federation, name) == (3, None)


async def test_a_daemon_that_answers_but_takes_no_new_work_exits_1(federation):
    identity = Identity.load(federation.home / "pki" / PARTY)
    listen = f"127.0.0.1:{federation.ports[PARTY]}"
    mailbox = Mailbox(identity, listen=listen, admit=lambda name, role: None)
    await mailbox.start()
    assert (await asyncio.to_thread(asked, federation, PARTY))[0] == 0
    await mailbox.end_serving()
    code, data = await asyncio.to_thread(asked, federation, PARTY)
    assert code == 1
    assert data == {"name": PARTY, "services": {MAILBOX: False}, "passed": False}
    await mailbox.close(0)


def test_where_a_daemon_listens_everywhere_the_loopback_address_is_asked():
    assert _reachable("0.0.0.0:7760") == "127.0.0.1:7760"
    assert _reachable("[::]:7760") == "[::1]:7760"
    assert _reachable("hospital-a.example:7760") == "hospital-a.example:7760"


def test_a_file_that_is_of_neither_daemon_exits_2_with_both_reasons(federation, tmp_path):
    (Path(tmp_path) / "job.toml").write_text("rounds = 3")
    config = str(tmp_path / "job.toml")
    command = [sys.executable, "-m", "secfpp", "health", "--config", config]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "neither a party's settings" in result.stderr
    assert "nor a coordinator's" in result.stderr
