"""Messages to bytes and back; every byte that comes from a peer is judged here and only here.

A payload is the number of its residues, the residues, and an Envelope (see envelope.proto). One
content has one encoding: a payload is accepted only if encoding what it says gives the same bytes.
That refuses unknown fields, repeated fields, padded integers and whatever the writers do not let
out, in one comparison.
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
    Dispute,
    Done,
    Echo,
    Ended,
    Halt,
    Invite,
    Message,
    Open,
    Opening,
    Progress,
    Ready,
    Refuse,
    Report,
    RoundMessage,
    RunMessage,
    SumShare,
)
from secfpp.wire import dealings, openings, rounds, runs
from secfpp.wire.checks import MAXIMUM_PAYLOAD, Malformed
from secfpp.wire.residues import RESIDUE_BYTES, Rows, Supply
from secfpp.wire.sizes import check_size
from secfpp.wire.v1.envelope_pb2 import Envelope

WIRE_VERSION: Final = 2
"""The version that this release speaks; both versions are named where they differ."""

_COMMANDS: Final = frozenset(
    ("invite", "ended", "open", "close_dealing", "dispute", "ask", "assign")
)
"""The bodies that only a coordinator sends."""

_COUNT_BYTES: Final = 8  # As many as a residue has, so that residues lie on its boundaries.


def encode(message: Message) -> bytes:
    """The one encoding of a message, at most MAXIMUM_PAYLOAD bytes.

    A message that no receiver would accept raises Misuse. Words for people alone are made to fit:
    each is one line of what can be printed, and a reason is cut to length.
    """
    try:
        envelope, rows = _written(message)
        check_size(envelope)
    except Malformed as refusal:
        raise Misuse(f"a {type(message).__name__} cannot be sent so: {refusal}") from refusal
    payload = b"".join((_counted(sum(map(len, rows))), *(row.buffer for row in rows), envelope))
    if len(payload) > MAXIMUM_PAYLOAD:
        raise Misuse(
            f"a {type(message).__name__} of {len(payload)} bytes is too large, at most "
            f"{MAXIMUM_PAYLOAD} are allowed",
            fix="lower the prompt's dimension, or add parties so that each share is smaller",
        )
    return payload


def decode(payload: bytes, *, sender: str, coordinator: str | None = None) -> Message:
    """The message in `payload`, which came from `sender` (the name on its certificate).

    Where the `coordinator` of all runs is known, commands of anybody else are not even read: they
    are the messages that cost most.
    Anything but the exact encoding of an acceptable message raises PeerViolation, nothing else. The
    residues of the message are views of the payload.
    """
    residues, rest = _parted(payload, sender)
    envelope, supply = _parsed(rest, sender), Supply(residues)
    kind = envelope.WhichOneof("body") or "nothing"
    if kind in _COMMANDS and coordinator not in (None, sender):
        raise PeerViolation(sender, f"sent {kind} as if it coordinated")
    try:
        message = _read_run(envelope) or _read_round(envelope, supply)
        if message is None:
            raise Malformed("the envelope holds no message that is known here")
        if _written(message)[0] == rest and not supply.left:
            return message
    except (Malformed, Misuse, ConfigError) as refusal:
        raise PeerViolation(sender, f"sent a malformed message ({kind}): {refusal}") from refusal
    raise PeerViolation(
        sender, f"sent a message ({kind}) in another than its one encoding, or with unknown fields"
    )


def _counted(count: int) -> bytes:
    """The number of residues, as a payload begins with it."""
    return count.to_bytes(_COUNT_BYTES, "little")


def _parted(payload: bytes, sender: str) -> tuple[memoryview, bytes]:
    """The residues and the Envelope of a payload."""
    if len(payload) > MAXIMUM_PAYLOAD:
        raise PeerViolation(
            sender, f"sent {len(payload)} bytes at once, at most {MAXIMUM_PAYLOAD} are allowed"
        )
    count = int.from_bytes(payload[:_COUNT_BYTES], "little")
    end = _COUNT_BYTES + RESIDUE_BYTES * count
    if len(payload) < end:
        raise PeerViolation(sender, "sent bytes that are no message of SecFPP")
    return memoryview(payload)[_COUNT_BYTES:end], payload[end:]


def _parsed(rest: bytes, sender: str) -> Envelope:
    try:
        check_size(rest)
        envelope = Envelope.FromString(rest)
    except Malformed as refusal:
        raise PeerViolation(sender, f"sent a message that is too large: {refusal}") from refusal
    except DecodeError as error:
        raise PeerViolation(sender, "sent bytes that are no message of SecFPP") from error
    if envelope.wire_version != WIRE_VERSION:
        raise PeerViolation(
            sender,
            f"speaks wire version {envelope.wire_version}, this release speaks {WIRE_VERSION}",
            fix="install the same release of SecFPP on both sides",
        )
    return envelope


def _written(message: Message) -> tuple[bytes, Rows]:
    """The Envelope of a message, and its residues in the order of the fields."""
    envelope, rows = Envelope(wire_version=WIRE_VERSION), Rows()
    match message:
        case Invite() | Accept() | Refuse() | Progress() | Report() | Ended():
            _write_run(message, envelope)
        case _:
            _write_round(message, envelope, rows)
    return envelope.SerializeToString(deterministic=True), rows


def _write_run(message: RunMessage, envelope: Envelope) -> None:
    match message:
        case Invite():
            runs.write_invite(message, envelope.invite)
        case Accept():
            runs.write_accept(message, envelope.accept)
        case Refuse():
            runs.write_refuse(message, envelope.refuse)
        case Progress():
            runs.write_progress(message, envelope.progress)
        case Report():
            runs.write_report(message, envelope.report)
        case Ended():
            runs.write_ended(message, envelope.ended)


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


def _write_round(message: RoundMessage, envelope: Envelope, rows: Rows) -> None:
    match message:
        case Open():
            openings.write_open(message, envelope.open)
        case Deal():
            dealings.write_deal(message, envelope.deal, rows)
        case Ready():
            dealings.write_ready(message, envelope.ready)
        case Dispute():
            dealings.write_dispute(message, envelope.dispute)
        case Opening():
            dealings.write_opening(message, envelope.opening, rows)
        case CloseDealing():
            rounds.write_close_dealing(message, envelope.close_dealing)
        case Ask():
            rounds.write_ask(message, envelope.ask)
        case Answers():
            rounds.write_answers(message, envelope.answers, rows)
        case Assign():
            rounds.write_assign(message, envelope.assign)
        case Echo():
            rounds.write_echo(message, envelope.echo)
        case SumShare():
            rounds.write_sum_share(message, envelope.sum_share, rows)
        case Done():
            rounds.write_done(message, envelope.done)
        case Halt():
            rounds.write_halt(message, envelope.halt)


def _read_round(envelope: Envelope, supply: Supply) -> RoundMessage | None:
    match envelope.WhichOneof("body"):
        case "open":
            return openings.read_open(envelope.open)
        case "deal":
            return dealings.read_deal(envelope.deal, supply)
        case "ready":
            return dealings.read_ready(envelope.ready)
        case "dispute":
            return dealings.read_dispute(envelope.dispute)
        case "opening":
            return dealings.read_opening(envelope.opening, supply)
        case "close_dealing":
            return rounds.read_close_dealing(envelope.close_dealing)
        case "ask":
            return rounds.read_ask(envelope.ask)
        case "answers":
            return rounds.read_answers(envelope.answers, supply)
        case "assign":
            return rounds.read_assign(envelope.assign)
        case "echo":
            return rounds.read_echo(envelope.echo)
        case "sum_share":
            return rounds.read_sum_share(envelope.sum_share, supply)
        case "done":
            return rounds.read_done(envelope.done)
        case "halt":
            return rounds.read_halt(envelope.halt)
        case _:
            return None
