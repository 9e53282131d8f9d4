"""The operator's door to a coordinator: requests as JSON bytes, only for operator certificates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from secfpp.errors import PeersMissing, PolicyRefusal
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.transport.admission import Context, let_in, told_by
from secfpp.transport.diagnosis import find
from secfpp.transport.grpc_tls import Service, as_is, client_channel
from secfpp.transport.grpcio import grpc

OPERATOR: Final = "secfpp.wire.v1.Operator"
QUIET_SECONDS: Final = 2.0
"""Who waits longer for a coordinator is told why."""

SILENT_SECONDS: Final = 15.0
"""Who follows a run hears something every five seconds, unless the run waits for its turn."""

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
    """Calls a coordinator as an operator; `told` hears what a call waits for, if it has to wait."""

    def __init__(
        self,
        identity: Identity,
        address: str,
        coordinator: str,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._identity = identity
        self._where = f"{coordinator} at {address}"
        self._find = partial(find, identity, address, coordinator)
        self._told = told
        self._channel = client_channel(identity, address, coordinator)

    async def reach(self, timeout: float) -> None:
        """Wait until a connection stands; say for what after `QUIET_SECONDS`, or give up."""
        ready = asyncio.ensure_future(self._channel.channel_ready())
        try:
            await asyncio.wait({ready}, timeout=min(QUIET_SECONDS, timeout))
            if ready.done():
                return
            found = await self._find()
            if found.may_pass and not ready.done():
                self._told(f"waiting up to {timeout:.0f} s for {self._where}: {found.cause}")
                await asyncio.wait({ready}, timeout=max(0.0, timeout - QUIET_SECONDS))
                found = found if ready.done() else await self._find()
            if not ready.done():
                raise PeersMissing(f"{self._where} did not answer: {found.cause}", fix=found.fix)
        finally:
            ready.cancel()

    async def call(self, request: bytes, *, timeout: float) -> bytes:
        """One answer; PeersMissing or PolicyRefusal in words.

        A coordinator that starts is waited for, what no waiting mends is said at once.
        """
        ends = time.monotonic() + timeout
        await self.reach(timeout)
        left = max(0.0, ends - time.monotonic())
        words = f"{self._where} is connected, waiting up to {left:.0f} s for its answer"
        late = self._tell_in(QUIET_SECONDS, words)
        try:
            method = self._channel.unary_unary(f"/{OPERATOR}/Call", as_is, as_is)
            answer: bytes = await method(request, timeout=left, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise await self._failure(error) from None
        finally:
            late.cancel()
        return answer

    async def follow(self, request: bytes) -> AsyncIterator[bytes]:
        """Every item until the coordinator ends the stream."""
        words = f"{self._where} has told nothing for {SILENT_SECONDS:.0f} s"
        late = self._tell_in(SILENT_SECONDS, words)
        try:
            method = self._channel.unary_stream(f"/{OPERATOR}/Follow", as_is, as_is)
            async for item in method(request):
                late.cancel()
                yield item
                late = self._tell_in(SILENT_SECONDS, words)
        except grpc.aio.AioRpcError as error:
            raise await self._failure(error) from None
        finally:
            late.cancel()

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)

    def _tell_in(self, seconds: float, words: str) -> asyncio.TimerHandle:
        """Say something in so many seconds, unless it is cancelled."""
        return asyncio.get_running_loop().call_later(seconds, self._told, words)

    async def _failure(self, error: grpc.aio.AioRpcError) -> PeersMissing | PolicyRefusal:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return PolicyRefusal("role", told_by(self._where, error))
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return PeersMissing(
                f"{self._where} does not listen for operators there",
                fix="give the address of its `operator_listen`",
            )
        found = await self._find()
        what = f"{self._where} did not answer ({error.code().name.lower()}): {found.cause}"
        return PeersMissing(what, fix=found.fix)
