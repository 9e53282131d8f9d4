"""Ports that a launcher hands out are its daemons' and nobody else's."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

from secfpp.demo.launcher import free_ports
from secfpp.transport.grpcio import grpc

TAKE = """
import socket, sys
one = socket.socket()
one.bind(("127.0.0.1", int(sys.argv[1])))
"""


def test_a_port_is_refused_to_others_and_given_to_a_daemon():
    port = free_ports(["ann"])["ann"]
    other = subprocess.run([sys.executable, "-c", TAKE, str(port)], stderr=subprocess.PIPE)
    assert b"Address already in use" in other.stderr
    with socket.create_server(("127.0.0.1", port)) as daemon:  # With SO_REUSEADDR, as gRPC's.
        assert daemon.getsockname()[1] == port


def test_no_port_is_given_twice():
    ports = [port for _ in range(50) for port in free_ports("abcdefgh").values()]
    assert len(set(ports)) == len(ports) == 400


def test_a_port_that_somebody_listens_on_is_not_given(monkeypatch):
    taken = free_ports(["ann"])["ann"]
    choices = iter([taken - 20_000, 11_999, 0])
    monkeypatch.setattr("secrets.randbelow", lambda _: next(choices))
    assert free_ports(["bob"])["bob"] in (31_999, 20_000)


async def test_asyncio_and_grpc_may_listen_there():
    ports = free_ports(["relay", "daemon"])
    relay = await asyncio.start_server(lambda *_: None, "127.0.0.1", ports["relay"])
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    assert server.add_insecure_port(f"127.0.0.1:{ports['daemon']}") == ports["daemon"]
    await server.start()
    await server.stop(0)
    relay.close()
