"""gRPC over mutually authenticated TLS 1.3: servers that check every call, and the mailbox.

The mailbox has two methods, one call per message: `Post` for small ones, `PostStream` for large
ones in chunks. Who sent a message is what the TLS layer says of the connection (architecture).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

from secfpp.errors import ConfigError, PeersMissing, PeerViolation, PolicyRefusal
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.transport.diagnosis import diagnose
from secfpp.transport.grpcio import (
    CHUNK_BYTES,
    OPTIONS,
    grpc,
    health,
    health_pb2,
    health_pb2_grpc,
)
from secfpp.transport.peers import Peers, caller

MAILBOX: Final = "secfpp.wire.v1.Mailbox"
SMALL_BYTES: Final = 256 * 2**10
LARGEST_BYTES: Final = 256 * 2**20
"""More than a share of the largest vector foreseen (a million residues, one chunk, in 8 bytes)."""

_INBOX_MESSAGES: Final = 4096
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

Admit = Callable[[str, Role], None]
"""Raises PolicyRefusal, in words for the caller, for a name or role that may not come in."""

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Service: TypeAlias = "grpc.GenericRpcHandler[bytes, bytes]"


async def let_in(context: Context, admit: Admit) -> tuple[str, bytes]:
    """The caller's name and certificate, from the TLS layer; aborts the call if it may not come in.

    The TLS version is checked here too: the second of two times (see `grpcio`).
    """
    try:
        auth = {key: list(values) for key, values in context.auth_context().items()}
        name, role, pem = caller(auth)
        admit(name, role)
    except (PeerViolation, PolicyRefusal, ConfigError) as refusal:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(refusal))
    return name, pem


class TlsServer:
    """A listening socket with services behind it, and gRPC health with a state that is set."""

    def __init__(self, identity: Identity, listen: str, services: tuple[Service, ...]) -> None:
        self._listen = listen
        self._server = grpc.aio.server(options=OPTIONS)
        # The stub does not know the attribute, which the package adds at run time.
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers(services)
        self._credentials = grpc.ssl_server_credentials(
            [(identity.key, identity.certificate)], identity.authority, True
        )

    async def start(self) -> int:
        """Listen; returns the port. ConfigError names an address that cannot be had."""
        try:
            port = self._server.add_secure_port(self._listen, self._credentials)
        except RuntimeError as error:
            raise ConfigError(
                f"cannot listen on {self._listen}: the port is taken or the address is not ours",
                fix="stop what listens there, or change `listen`",
            ) from error
        await self._server.start()
        await self.set_serving(True)
        return int(port)

    async def set_serving(self, serving: bool) -> None:
        """Tell health checks whether new work is welcome."""
        states = health_pb2.HealthCheckResponse
        await self._health.set("", states.SERVING if serving else states.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """End, giving calls in progress `grace` seconds."""
        await self._server.stop(grace)


class Mailbox:
    """Sends and receives byte messages between named participants.

    `admit` decides who may put something in. `peers` keeps addresses, traffic and signs of life.
    """

    def __init__(self, identity: Identity, *, listen: str, admit: Admit) -> None:
        self.identity = identity
        self.peers = Peers()
        self._admit = admit
        self._inbox: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_INBOX_MESSAGES)
        self._channels: dict[str, grpc.aio.Channel] = {}
        handlers = {
            "Post": grpc.unary_unary_rpc_method_handler(self._on_post),
            "PostStream": grpc.stream_unary_rpc_method_handler(self._on_stream),
        }
        service = grpc.method_handlers_generic_handler(MAILBOX, handlers)
        self._server = TlsServer(identity, listen, (service,))

    async def start(self) -> int:
        """Listen; returns the port."""
        return await self._server.start()

    async def set_serving(self, serving: bool) -> None:
        """What health checks are told."""
        await self._server.set_serving(serving)

    def open(self, peer: str, address: str) -> None:
        """Remember where `peer` listens and start connecting: a cold handshake costs three trips.

        The certificate there must be of the name `peer`, whatever the address says.
        """
        if self.peers[peer].address == address and peer in self._channels:
            return
        self.peers[peer].address = address
        self._channels[peer] = client_channel(self.identity, address, peer)
        self._channels[peer].get_state(try_to_connect=True)

    async def reach(self, peer: str, timeout: float) -> None:
        """Wait until `peer` can be reached; PeersMissing with a diagnosis after `timeout` s."""
        try:
            await asyncio.wait_for(self._channels[peer].channel_ready(), timeout)
        except TimeoutError:
            raise await self._missing(peer, timeout) from None

    async def post(self, peer: str, payload: bytes, *, timeout: float) -> None:
        """Deliver `payload` to `peer`, trying again while it is unavailable.

        A message may arrive twice. PeersMissing after `timeout` seconds; PolicyRefusal where the
        peer does not let us in.
        """
        deadline = time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise await self._missing(peer, timeout)
            try:
                await self._call(peer, payload, left)
            except grpc.aio.AioRpcError as error:
                self.peers[peer].trouble = f"{error.code().name}: {error.details()}"
                if error.code() is grpc.StatusCode.PERMISSION_DENIED:
                    raise PolicyRefusal("admission", f"{peer} says: {error.details()}") from None
                # Jitter only spreads retries; it is no secret.
                await asyncio.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                traffic = self.peers[peer].traffic
                traffic.sent += len(payload)
                traffic.calls_sent += 1
                self.peers[peer].last_seen = time.monotonic()
                return

    async def receive(self) -> tuple[str, bytes]:
        """The next message and its sender, as the certificate says."""
        return await self._inbox.get()

    async def close(self, grace: float = 0.5) -> None:
        """Stop listening and close all channels."""
        await self._server.stop(grace)
        await asyncio.gather(*(channel.close(None) for channel in self._channels.values()))

    async def _call(self, peer: str, payload: bytes, timeout: float) -> None:
        channel = self._channels[peer]
        if len(payload) <= SMALL_BYTES:
            await channel.unary_unary(f"/{MAILBOX}/Post", as_is, as_is)(payload, timeout=timeout)
        else:
            stream = channel.stream_unary(f"/{MAILBOX}/PostStream", as_is, as_is)
            await stream(_chunks(payload), timeout=timeout)

    async def _missing(self, peer: str, waited: float) -> PeersMissing:
        known = self.peers[peer]
        cause = await diagnose(self.identity, known.address, peer)
        return PeersMissing(
            f"{peer} at {known.address or 'no known address'} did not answer for {waited:.0f} s: "
            f"{cause}",
            fix=f"start {peer}, or mend what the last words name",
        )

    async def _on_post(self, payload: bytes, context: Context) -> bytes:
        sender, pem = await let_in(context, self._admit)
        await self._take(sender, pem, payload)
        return b""

    async def _on_stream(self, chunks: AsyncIterator[bytes], context: Context) -> bytes:
        sender, pem = await let_in(context, self._admit)
        parts, size = [], 0
        async for chunk in chunks:
            size += len(chunk)
            if size > LARGEST_BYTES:
                await context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"a message may have {LARGEST_BYTES} bytes, this one has more",
                )
            parts.append(chunk)
        await self._take(sender, pem, b"".join(parts))
        return b""

    async def _take(self, sender: str, pem: bytes, payload: bytes) -> None:
        peer = self.peers[sender]
        peer.certificate = pem
        peer.last_seen = time.monotonic()
        peer.traffic.received += len(payload)
        peer.traffic.calls_received += 1
        await self._inbox.put((sender, payload))


def client_channel(identity: Identity, address: str, name: str) -> grpc.aio.Channel:
    """A channel to the holder of `name`'s certificate at `address`."""
    credentials = grpc.ssl_channel_credentials(
        identity.authority, identity.key, identity.certificate
    )
    options = (*OPTIONS, ("grpc.ssl_target_name_override", name))
    return grpc.aio.secure_channel(address, credentials, options=options)


async def serving(identity: Identity, address: str, name: str, timeout: float = 5.0) -> bool:
    """Whether the daemon `name` at `address` says it serves; PeersMissing if it does not answer."""
    async with client_channel(identity, address, name) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.aio.AioRpcError:
            cause = await diagnose(identity, address, name)
            raise PeersMissing(f"{name} at {address} does not answer: {cause}") from None
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def as_is(message: bytes) -> bytes:
    """What crosses gRPC is bytes already: the codec is a layer of its own."""
    return message


async def _chunks(payload: bytes) -> AsyncIterator[bytes]:
    view = memoryview(payload)
    for start in range(0, len(view), CHUNK_BYTES):
        yield bytes(view[start : start + CHUNK_BYTES])
