"""How fast the links of a deployed federation are: each participant measures its way to others.

A connection of its own to each peer, so that nothing else is on it: the seconds until mutual TLS
stands, round trips of an empty call, and calls of up to a megabyte. None of it moves a secret.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from secfpp.errors import PeersMissing, PeerViolation, PolicyRefusal, SecFPPError
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.transport.admission import Admit, Context, let_in, told_by
from secfpp.transport.diagnosis import diagnose
from secfpp.transport.grpc_tls import Service, as_is, client_channel
from secfpp.transport.grpcio import grpc
from secfpp.wire.checks import reason

PROBING: Final = "secfpp.wire.v1.Probing"
PROBES: Final = (2**16, 2**18, 2**20)
"""Bytes of the calls that tell a rate, one after the other until one takes longer than `LONG`: a
megabyte in a slow way's queue holds gRPC's own pings up for so long that it gives up."""

LONG: Final = 1.0
FASTEST_MBIT: Final = 1e5
"""No way between participants carries more; who measures more has measured noise."""

TRIPS: Final = 6
CONNECT_SECONDS: Final = 5.0
WAY_SECONDS: Final = 30.0
"""What measuring one way may take: 2^16 bytes at a twentieth of a megabit a second, and more."""

ASKED_SECONDS: Final = WAY_SECONDS + 15.0
"""What a participant may take to answer that is asked to measure one: to connect and to diagnose
come on top."""

Asked = Callable[[str, object, object], Awaitable["LinkSpeed | None"]]
"""Who asks; the addresses of all participants, who are to be let in; to whom the way is to be
measured, or "". The last two are as they came; ValueError or KeyError where they are no such thing.
"""

Figure = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""A measurement, as it may come from another."""


@dataclass(frozen=True)
class LinkSpeed:
    """The way to one `peer`: milliseconds until TLS stands and of a round trip, 10^6 bits a second.

    What was too fast to tell is none. With `trouble` there are no figures, but words for why.
    """

    peer: str
    handshake_ms: Figure | None = None
    rtt_ms: Figure | None = None
    mbit: Figure | None = None
    trouble: str = ""


def probing_service(admit: Admit, asked: Asked | None = None) -> Service:
    """The service behind which a participant is measured, and asked to measure if it can be."""

    async def on_probe(_: bytes, context: Context) -> bytes:
        await let_in(context, admit)
        return b""

    handlers = {"Probe": grpc.unary_unary_rpc_method_handler(on_probe)}
    if asked is not None:
        handlers["Measure"] = grpc.unary_unary_rpc_method_handler(_measuring(admit, asked))
    return grpc.method_handlers_generic_handler(PROBING, handlers)


def _measuring(admit: Admit, asked: Asked) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def on_measure(request: bytes, context: Context) -> bytes:
        name, role, _ = await let_in(context, admit)
        if role is not Role.COORDINATOR:
            refusal = f"{name} is a {role.value}; the coordinator only asks for measurements"
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, refusal)
        try:
            told = json.loads(request)
            speed = await asked(name, told["participants"], told["measure"])
        except PolicyRefusal as refused:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(refused))
        except (ValueError, KeyError, TypeError, RecursionError):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the request is not understood")
        return json.dumps(None if speed is None else asdict(speed)).encode()

    return on_measure


async def measure_link(identity: Identity, name: str, address: str) -> LinkSpeed:
    """The way from `identity` to `name` at `address`; its trouble in words where there is none."""
    ends = time.monotonic() + WAY_SECONDS
    first = 0.0
    async with client_channel(identity, address, name) as channel:
        probe = channel.unary_unary(f"/{PROBING}/Probe", as_is, as_is)

        async def seconds(size: int, patience: float = WAY_SECONDS) -> float:
            start = time.monotonic()
            left = max(0.0, min(patience, ends - start))
            await probe(bytes(size), timeout=left, wait_for_ready=True)
            return time.monotonic() - start

        try:
            first = await seconds(0, CONNECT_SECONDS)
            trip = statistics.median([await seconds(0) for _ in range(TRIPS)])
            for size in PROBES:
                moved = await seconds(size)
                if moved > LONG + 4 * trip:  # At first TCP takes some trips to find its pace.
                    break
            else:
                moved = min(moved, await seconds(size))
        except grpc.aio.AioRpcError as error:
            if first and error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                broken = "answered at first; then the way was too slow, or broke off"
                return LinkSpeed(name, trouble=f"{name} at {address} {broken}")
            return LinkSpeed(name, trouble=str(await _failure(identity, name, address, error)))
    return speed_of(name, first, trip, moved, size)


def speed_of(name: str, first: float, trip: float, moved: float, size: int) -> LinkSpeed:
    """What seconds tell of a way: of the first call, of an empty one, and of one of `size` bytes.

    Their differences are small on a fast way, and noise where they would tell the impossible.
    """
    handshake, mbit = None, None
    if first > trip:
        handshake = 1e3 * (first - trip)
    if moved - trip > 8e-6 * size / FASTEST_MBIT:
        mbit = 8e-6 * size / (moved - trip)
    return LinkSpeed(name, handshake, 1e3 * trip, mbit)


async def have_measured(
    identity: Identity, name: str, participants: Mapping[str, str], peer: str
) -> LinkSpeed:
    """Ask the party `name` for its way to `peer`; PeersMissing or PolicyRefusal without answer.

    PeerViolation where the answer is no measurement of that way.
    """
    answer = await _asked(identity, name, participants, peer, ASKED_SECONDS)
    try:
        speed = TypeAdapter(LinkSpeed).validate_json(answer, strict=True)
    except ValidationError:
        speed = None
    if speed is None or speed.peer != peer:
        raise PeerViolation(
            name,
            f"was asked for its way to {peer} and answered with something else",
            fix=f"see that {name} is of the same version",
        )
    return replace(speed, trouble=reason("trouble", speed.trouble, empty=True))


async def introduce(identity: Identity, name: str, participants: Mapping[str, str]) -> None:
    """Have the party `name` let all `participants` in when they measure their ways to it."""
    await _asked(identity, name, participants, "", CONNECT_SECONDS)


async def _asked(
    identity: Identity, name: str, participants: Mapping[str, str], peer: str, patience: float
) -> bytes:
    address = participants[name]
    request = json.dumps({"participants": dict(participants), "measure": peer}).encode()
    async with client_channel(identity, address, name) as channel:
        ask = channel.unary_unary(f"/{PROBING}/Measure", as_is, as_is)
        try:
            answer: bytes = await ask(request, timeout=patience, wait_for_ready=not peer)
        except grpc.aio.AioRpcError as error:
            raise await _failure(identity, name, address, error) from None
    return answer


async def _failure(
    identity: Identity, name: str, address: str, error: grpc.aio.AioRpcError
) -> SecFPPError:
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return PolicyRefusal("measuring", told_by(name, error))
    cause = await diagnose(identity, address, name)
    return PeersMissing(f"{name} at {address} did not answer: {cause}", fix=f"start {name}")
