"""gRPC over mutually authenticated TLS 1.3: servers that check every call, and the mailbox.

The mailbox has one method, `Exchange`: a long stream of messages one way and receipts the other,
see `outgoing`. Who sent a message is what the TLS layer says of the connection (architecture).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

import structlog

from secfpp.errors import ConfigError, PeersMissing, PolicyRefusal
from secfpp.pki.store import Identity
from secfpp.transport.admission import Admit, Context, let_in, told_by, turn_away
from secfpp.transport.diagnosis import diagnose, expired, why_not_listening
from secfpp.transport.grpcio import (
    CHUNK_BYTES,
    OPTIONS,
    grpc,
    health,
    health_pb2,
    health_pb2_grpc,
    waking_at_once,
)
from secfpp.transport.outgoing import ASK, LAST, MORE, Outgoing
from secfpp.transport.peers import Peers
from secfpp.wire.checks import MAXIMUM_PAYLOAD

MAILBOX: Final = "secfpp.wire.v1.Mailbox"
HELD_BYTES: Final = 2 * MAXIMUM_PAYLOAD
"""Of messages that are not whole yet, from one peer over all its streams."""

_NO_PIECE: Final = f"pieces but the last have {CHUNK_BYTES} bytes, one peer's at most {HELD_BYTES}"
_INBOX_MESSAGES: Final = 4096
_DAYS_TO_RENEW: Final = 30

log = structlog.get_logger()

Service: TypeAlias = "grpc.GenericRpcHandler[bytes, bytes]"


class TlsServer:
    """A listening socket with services behind it, and their health, told as that of `name`.

    `key` is the setting that `listen` comes from.
    """

    def __init__(
        self,
        identity: Identity,
        listen: str,
        *,
        name: str,
        services: Sequence[Service],
        key: str = "listen",
    ) -> None:
        self._listen = listen
        self._key = key
        self._name = name
        with waking_at_once():
            self._server = grpc.aio.server(options=OPTIONS)
        # The stub does not know the attribute, which the package adds at run time.
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers(tuple(services))
        self._credentials = grpc.ssl_server_credentials(
            [(identity.key, identity.certificate)], identity.authority, True
        )

    async def start(self) -> int:
        """Listen; returns the port. ConfigError names an address that cannot be had."""
        try:
            port = self._server.add_secure_port(self._listen, self._credentials)
        except RuntimeError as error:
            raise ConfigError(
                f"cannot listen on {self._listen}: {why_not_listening(self._listen)}",
                fix=f"stop what listens there, or change `{self._key}`",
            ) from error
        await self._server.start()
        await self._health.set(self._name, health_pb2.HealthCheckResponse.SERVING)
        return int(port)

    async def end_serving(self) -> None:
        """Tell health checks, from now on, that new work is not welcome any more."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """End, giving calls in progress `grace` seconds."""
        await self._server.stop(grace)


class Mailbox:
    """Sends and receives byte messages between named participants.

    `admit` decides who may put something in. `peers` keeps addresses, traffic and signs of life.
    `beside` are other services at the same address.
    """

    def __init__(
        self, identity: Identity, *, listen: str, admit: Admit, beside: Sequence[Service] = ()
    ) -> None:
        self.identity = identity
        self.peers = Peers()
        self._admit = admit
        self._inbox: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_INBOX_MESSAGES)
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._outgoing: dict[str, Outgoing] = {}
        self._held: Counter[str] = Counter()
        handlers = {"Exchange": grpc.stream_stream_rpc_method_handler(self._on_exchange)}
        service = grpc.method_handlers_generic_handler(MAILBOX, handlers)
        self._server = TlsServer(identity, listen, name=MAILBOX, services=(service, *beside))

    async def start(self) -> int:
        """Listen; returns the port."""
        port = await self._server.start()
        days = self.identity.leaf.days_left
        if days < _DAYS_TO_RENEW:
            fix = "renew it: docs/operations.md, Certificates"
            log.warning("the own certificate ends soon", days_left=days, fix=fix)
        return port

    async def end_serving(self) -> None:
        """Tell health checks that the end has begun."""
        await self._server.end_serving()

    def open(self, peer: str, address: str) -> None:
        """Remember where `peer` listens and start connecting: a cold handshake costs three trips.

        The certificate there must be of the name `peer`, whatever the address says.
        """
        if self.peers[peer].address == address and peer in self._channels:
            return
        self.peers[peer].address = address
        self._channels[peer] = client_channel(self.identity, address, peer)
        self._channels[peer].get_state(try_to_connect=True)

    def connected(self, peer: str) -> bool:
        """Whether a TLS connection to `peer` stands now; one that rests is woken by the question.

        Any thread may ask.
        """
        channel = self._channels.get(peer)
        if channel is None:
            return False
        return channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    async def reach(self, peer: str, timeout: float) -> None:
        """Wait until `peer` lets us in; errors as of `send`."""
        if self.identity.leaf.days_left < 0:  # A connection that stands may hide it.
            raise PeersMissing(f"{peer}: {expired(self.identity)}", fix="renew it")
        call = self._stream(peer, timeout)
        try:
            with suppress(asyncio.InvalidStateError):  # Refused before we asked; reading says why.
                await call.write(ASK)
            await call.read()
        except grpc.aio.AioRpcError as error:
            raise await self._unreached(peer, timeout, error) from None
        finally:
            call.cancel()

    def send(self, peer: str, payload: bytes, *, timeout: float) -> asyncio.Future[None]:
        """Put `payload` on its way to `peer`; the future ends when it is there.

        A message may arrive twice. PeersMissing after `timeout` seconds; PolicyRefusal where the
        peer does not let us in.
        """
        if peer not in self._outgoing:
            self._outgoing[peer] = Outgoing(
                self.peers[peer], partial(self._stream, peer), partial(self._missing, peer)
            )
        return self._outgoing[peer].put(payload, timeout)

    async def post(self, peer: str, payload: bytes, *, timeout: float) -> None:
        """Deliver one message and wait until it is there; errors as of `send`."""
        sent = self.send(peer, payload, timeout=timeout)
        self._outgoing[peer].ask()
        await sent

    def ask(self) -> None:
        """Have everything that is on its way confirmed soon."""
        for outgoing in self._outgoing.values():
            outgoing.ask()

    async def receive(self) -> tuple[str, bytes]:
        """The next message and its sender, as the certificate says."""
        return await self._inbox.get()

    async def close(self, grace: float = 0.5) -> None:
        """Stop listening and close all channels."""
        await asyncio.gather(*(outgoing.close() for outgoing in self._outgoing.values()))
        await self._server.stop(grace)
        await asyncio.gather(*(channel.close(None) for channel in self._channels.values()))

    def _stream(
        self, peer: str, timeout: float | None = None
    ) -> grpc.aio.StreamStreamCall[bytes, bytes]:
        """A stream to a peer; with a `timeout`, it waits until there is a connection."""
        exchange = self._channels[peer].stream_stream(f"/{MAILBOX}/Exchange", as_is, as_is)
        return exchange(None, timeout=timeout, wait_for_ready=timeout is not None)

    async def _unreached(
        self, peer: str, waited: float, error: grpc.aio.AioRpcError
    ) -> PeersMissing | PolicyRefusal:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return PolicyRefusal("admission", told_by(peer, error))
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return PeersMissing(
                f"{peer} answers at {self.peers[peer].address}, but takes no messages there",
                fix="give the address where it listens for parties, not for operators",
            )
        return await self._missing(peer, waited)

    async def _missing(self, peer: str, waited: float) -> PeersMissing:
        known = self.peers[peer]
        cause = await diagnose(self.identity, known.address, peer)
        return PeersMissing(
            f"{peer} at {known.address or 'no known address'} did not answer for {waited:.0f} s: "
            f"{cause}",
            fix=f"start {peer}, or mend what the last words name",
        )

    async def _on_exchange(self, _: AsyncIterator[bytes], context: Context) -> None:
        """One peer's stream: messages in pieces, and receipts where they are asked for."""
        sender, role, pem = await let_in(context, self._admit)
        await context.send_initial_metadata(())
        if sender in self._outgoing:
            self._outgoing[sender].called()
        parts: list[memoryview] = []
        taken = held = 0
        try:
            while isinstance(frame := await context.read(), bytes):
                if frame[:1] == ASK:
                    await context.write(taken.to_bytes(8, "big"))
                    continue
                parts.append(memoryview(frame)[1:])
                held += len(parts[-1])
                self._held[sender] += len(parts[-1])
                is_whole = frame[:1] == LAST or (frame[:1], len(parts[-1])) == (MORE, CHUNK_BYTES)
                if not is_whole or self._held[sender] > HELD_BYTES:
                    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, _NO_PIECE)
                if frame[:1] == LAST:
                    try:
                        self._admit(sender, role)  # Who may come in can change while it streams.
                    except PolicyRefusal as refusal:
                        await turn_away(context, str(refusal))
                    await self._take(sender, pem, b"".join(parts))
                    self._held[sender] -= held
                    taken, held = taken + 1, 0
                    parts.clear()
        finally:
            self._held[sender] -= held

    async def _take(self, sender: str, pem: bytes, payload: bytes) -> None:
        peer = self.peers[sender]
        peer.certificate = pem
        peer.last_seen = time.time()
        peer.traffic.received += len(payload)
        peer.traffic.calls_received += 1
        await self._inbox.put((sender, payload))


def client_channel(identity: Identity, address: str, name: str) -> grpc.aio.Channel:
    """A channel to the holder of `name`'s certificate at `address`."""
    credentials = grpc.ssl_channel_credentials(
        identity.authority, identity.key, identity.certificate
    )
    options = (*OPTIONS, ("grpc.ssl_target_name_override", name))
    with waking_at_once():
        return grpc.aio.secure_channel(address, credentials, options=options)


async def serving(identity: Identity, address: str, service: str, timeout: float = 5.0) -> bool:
    """Whether our own daemon says at `address` that `service` is served; "" stands for all.

    PeersMissing, with what was found there, if it does not answer.
    """
    async with client_channel(identity, address, identity.name) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            asked = health_pb2.HealthCheckRequest(service=service)
            answer = await stub.Check(asked, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            cause = await diagnose(identity, address, identity.name)
            raise PeersMissing(
                f"{identity.name} at {address} does not answer: {cause}",
                fix="start the daemon, or see the end of its log",
            ) from None
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def as_is(message: bytes) -> bytes:
    """What crosses gRPC is bytes already: the codec is a layer of its own."""
    return message
