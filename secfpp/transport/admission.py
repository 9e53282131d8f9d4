"""Who may call: the name on the certificate, held to what a service admits; refusals are logged.

What another says where it turns us away is read here, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Never, TypeAlias

import structlog

from secfpp.errors import ConfigError, PeerViolation, PolicyRefusal
from secfpp.pki.names import Role
from secfpp.transport.grpcio import grpc
from secfpp.transport.peers import caller
from secfpp.wire import checks

log = structlog.get_logger()

Admit = Callable[[str, Role], None]
"""Raises PolicyRefusal, in words for the caller, for a name or role that may not come in."""

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


async def let_in(context: Context, admit: Admit) -> tuple[str, Role, bytes]:
    """The caller's name, role and certificate, from the TLS layer; aborts if it may not come in.

    The TLS version is checked here too: the second of two times (see `grpcio`).
    """
    try:
        auth = {key: list(values) for key, values in context.auth_context().items()}
        name, role, pem = caller(auth)
        admit(name, role)
    except (PeerViolation, PolicyRefusal, ConfigError) as refusal:
        await turn_away(context, str(refusal))
    return name, role, pem


async def turn_away(context: Context, reason: str) -> Never:
    """End a call because of who calls, and say so."""
    _say(reason)
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, reason)


def told_by(peer: str, error: grpc.aio.AioRpcError) -> str:
    """What `peer` says where it turns us away: one line that can be printed, whatever it sent."""
    return f"{peer} says: {checks.reason('reason', error.details() or 'nothing')}"


@lru_cache(maxsize=1024)
def _say(reason: str) -> None:
    """Log each refusal, which names the caller, once: whoever is refused tries again and again."""
    log.warning("a caller was refused", reason=reason)
