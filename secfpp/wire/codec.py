"""Messages to bytes and back; every byte that comes from a peer is judged here and only here.

One content has one encoding: a payload is accepted only if encoding what it says gives the same
bytes. That refuses unknown fields, repeated fields, padded integers and whatever the writers do not
let out, in one comparison.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from secfpp.errors import ConfigError, Misuse, PeerViolation
from secfpp.protocol.messages import (
    Accept,
    Answers,
    Ask,
    Assign,
    CloseDealing,
    Deal,
    Done,
    Echo,
    Ended,
    Halt,
    Invite,
    Message,
    Open,
    Progress,
    Ready,
    Refuse,
    Report,
    RoundMessage,
    RunMessage,
    SumShare,
)
from secfpp.wire import openings, rounds, runs
from secfpp.wire.checks import MAXIMUM_PAYLOAD, Malformed
from secfpp.wire.v1.envelope_pb2 import Envelope

WIRE_VERSION: Final = 1
"""The version that this release speaks; both versions are named where they differ."""


def encode(message: Message) -> bytes:
    """The one encoding of a message, at most MAXIMUM_PAYLOAD bytes.

    A message that no receiver would accept raises Misuse. Reasons alone are made to fit: they are
    cut to length, and what cannot be printed is replaced.
    """
    try:
        payload = _written(message).SerializeToString(deterministic=True)
    except Malformed as refusal:
        raise Misuse(f"a {type(message).__name__} cannot be sent so: {refusal}") from refusal
    if len(payload) > MAXIMUM_PAYLOAD:
        raise Misuse(
            f"a {type(message).__name__} of {len(payload)} bytes is too large, at most "
            f"{MAXIMUM_PAYLOAD} are allowed",
            fix="lower the prompt's dimension, or add parties so that each share is smaller",
        )
    return payload


def decode(payload: bytes, *, sender: str) -> Message:
    """The message in `payload`, which came from `sender` (the name on its certificate).

    Anything but the exact encoding of an acceptable message raises PeerViolation, nothing else.
    """
    envelope = _parsed(payload, sender)
    kind = envelope.WhichOneof("body") or "nothing"
    try:
        message = _read_run(envelope) or _read_round(envelope)
        if message is None:
            raise Malformed("the envelope holds no message that is known here")
        if _written(message).SerializeToString(deterministic=True) == payload:
            return message
    except (Malformed, Misuse, ConfigError) as refusal:
        raise PeerViolation(sender, f"sent a malformed message ({kind}): {refusal}") from refusal
    raise PeerViolation(
        sender, f"sent a message ({kind}) in another than its one encoding, or with unknown fields"
    )


def _parsed(payload: bytes, sender: str) -> Envelope:
    if len(payload) > MAXIMUM_PAYLOAD:
        raise PeerViolation(
            sender, f"sent {len(payload)} bytes at once, at most {MAXIMUM_PAYLOAD} are allowed"
        )
    try:
        envelope = Envelope.FromString(payload)
    except DecodeError as error:
        raise PeerViolation(sender, "sent bytes that are no message of SecFPP") from error
    if envelope.wire_version != WIRE_VERSION:
        raise PeerViolation(
            sender,
            f"speaks wire version {envelope.wire_version}, this release speaks {WIRE_VERSION}",
            fix="install the same release of SecFPP on both sides",
        )
    return envelope


def _written(message: Message) -> Envelope:
    match message:
        case Invite() | Accept() | Refuse() | Progress() | Report() | Ended():
            envelope = _written_run(message)
        case _:
            envelope = _written_round(message)
    envelope.wire_version = WIRE_VERSION
    return envelope


def _written_run(message: RunMessage) -> Envelope:
    match message:
        case Invite():
            return Envelope(invite=runs.write_invite(message))
        case Accept():
            return Envelope(accept=runs.write_accept(message))
        case Refuse():
            return Envelope(refuse=runs.write_refuse(message))
        case Progress():
            return Envelope(progress=runs.write_progress(message))
        case Report():
            return Envelope(report=runs.write_report(message))
        case Ended():
            return Envelope(ended=runs.write_ended(message))


def _read_run(envelope: Envelope) -> RunMessage | None:
    match envelope.WhichOneof("body"):
        case "invite":
            return runs.read_invite(envelope.invite)
        case "accept":
            return runs.read_accept(envelope.accept)
        case "refuse":
            return runs.read_refuse(envelope.refuse)
        case "progress":
            return runs.read_progress(envelope.progress)
        case "report":
            return runs.read_report(envelope.report)
        case "ended":
            return runs.read_ended(envelope.ended)
        case _:
            return None


def _written_round(message: RoundMessage) -> Envelope:
    match message:
        case Open():
            return Envelope(open=openings.write_open(message))
        case Deal():
            return Envelope(deal=rounds.write_deal(message))
        case Ready():
            return Envelope(ready=rounds.write_ready(message))
        case CloseDealing():
            return Envelope(close_dealing=rounds.write_close_dealing(message))
        case Ask():
            return Envelope(ask=rounds.write_ask(message))
        case Answers():
            return Envelope(answers=rounds.write_answers(message))
        case Assign():
            return Envelope(assign=rounds.write_assign(message))
        case Echo():
            return Envelope(echo=rounds.write_echo(message))
        case SumShare():
            return Envelope(sum_share=rounds.write_sum_share(message))
        case Done():
            return Envelope(done=rounds.write_done(message))
        case Halt():
            return Envelope(halt=rounds.write_halt(message))


def _read_round(envelope: Envelope) -> RoundMessage | None:
    match envelope.WhichOneof("body"):
        case "open":
            return openings.read_open(envelope.open)
        case "deal":
            return rounds.read_deal(envelope.deal)
        case "ready":
            return rounds.read_ready(envelope.ready)
        case "close_dealing":
            return rounds.read_close_dealing(envelope.close_dealing)
        case "ask":
            return rounds.read_ask(envelope.ask)
        case "answers":
            return rounds.read_answers(envelope.answers)
        case "assign":
            return rounds.read_assign(envelope.assign)
        case "echo":
            return rounds.read_echo(envelope.echo)
        case "sum_share":
            return rounds.read_sum_share(envelope.sum_share)
        case "done":
            return rounds.read_done(envelope.done)
        case "halt":
            return rounds.read_halt(envelope.halt)
        case _:
            return None
