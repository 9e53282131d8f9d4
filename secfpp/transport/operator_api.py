"""The operator's door to a coordinator: requests as JSON bytes, only for operator certificates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from secfpp.errors import PeersMissing, PolicyRefusal
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.transport.admission import Context, let_in
from secfpp.transport.diagnosis import diagnose
from secfpp.transport.grpc_tls import Service, as_is, client_channel
from secfpp.transport.grpcio import grpc

OPERATOR: Final = "secfpp.wire.v1.Operator"

Call = Callable[[str, bytes], Awaitable[bytes]]
Follow = Callable[[str, bytes], AsyncIterator[bytes]]


def operators_only(name: str, role: Role) -> None:
    """Admit a certificate of role operator."""
    if role is not Role.OPERATOR:
        raise PolicyRefusal("role", f"{name} is a {role.value}; operators only come in here")


def operator_service(call: Call, follow: Follow) -> Service:
    """The service behind the door: `call` answers once, `follow` streams; both get the caller."""

    async def on_call(request: bytes, context: Context) -> bytes:
        name, _, _ = await let_in(context, operators_only)
        return await call(name, request)

    async def on_follow(request: bytes, context: Context) -> AsyncIterator[bytes]:
        name, _, _ = await let_in(context, operators_only)
        async for item in follow(name, request):
            yield item

    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(on_call),
        "Follow": grpc.unary_stream_rpc_method_handler(on_follow),
    }
    return grpc.method_handlers_generic_handler(OPERATOR, handlers)


class OperatorClient:
    """Calls a coordinator as an operator."""

    def __init__(self, identity: Identity, address: str, coordinator: str) -> None:
        self._identity = identity
        self._address = address
        self._coordinator = coordinator
        self._channel = client_channel(identity, address, coordinator)

    async def call(self, request: bytes, *, timeout: float) -> bytes:
        """One answer; PeersMissing or PolicyRefusal in words."""
        try:
            method = self._channel.unary_unary(f"/{OPERATOR}/Call", as_is, as_is)
            answer: bytes = await method(request, timeout=timeout, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise await self._failure(error) from None
        return answer

    async def follow(self, request: bytes) -> AsyncIterator[bytes]:
        """Every item until the coordinator ends the stream."""
        try:
            method = self._channel.unary_stream(f"/{OPERATOR}/Follow", as_is, as_is)
            async for item in method(request):
                yield item
        except grpc.aio.AioRpcError as error:
            raise await self._failure(error) from None

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)

    async def _failure(self, error: grpc.aio.AioRpcError) -> PeersMissing | PolicyRefusal:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return PolicyRefusal("role", f"{self._coordinator} says: {error.details()}")
        cause = await diagnose(self._identity, self._address, self._coordinator)
        return PeersMissing(
            f"{self._coordinator} at {self._address} did not answer "
            f"({error.code().name.lower()}): {cause}"
        )
