"""The messages of one attempt of a round, to protobuf and back (proto/…/round.proto).

The writers hold every field against its rule; the readers only build, and refuse what cannot be
built. Opening an attempt has a module of its own.
"""

from __future__ import annotations

from typing import Final

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import Seed
from secfpp.cluster.queries import Query
from secfpp.protocol.messages import (
    Answers,
    Ask,
    Assign,
    CloseDealing,
    Commitment,
    Deal,
    Done,
    Echo,
    EchoStage,
    Halt,
    Ready,
    Received,
    SumShare,
)
from secfpp.wire import checks
from secfpp.wire.openings import read_key, write_key
from secfpp.wire.v1 import round_pb2 as wire

_RESIDUE_BYTES: Final = 8
_CHECKS: Final = 4  # f1, f2, g1, g2 of docs/protocol.md §9.
_SHARINGS: Final = 2  # The feature and the prompt.
_STAGES: Final = {
    wire.ECHO_STAGE_BATCH: EchoStage.BATCH,
    wire.ECHO_STAGE_ASSIGNMENT: EchoStage.ASSIGNMENT,
}
_STAGE_NUMBERS: Final = {stage: number for number, stage in _STAGES.items()}


def write_deal(message: Deal) -> wire.Deal:
    if len(message.shares) > _SHARINGS:
        raise checks.Malformed(f"Deal.shares are {len(message.shares)}, at most {_SHARINGS} exist")
    return wire.Deal(
        key=write_key(message.key),
        shares=[_write_vector(share) for share in message.shares],
        masks=None if message.masks is None else _write_vector(message.masks),
        abstains=checks.reason("Deal.abstains", message.abstains, empty=True),
        commitment=None if message.commitment is None else _write_commitment(message.commitment),
    )


def read_deal(body: wire.Deal) -> Deal:
    return Deal(
        key=read_key(body.key),
        shares=tuple(_read_vector(share) for share in body.shares),
        masks=_read_vector(body.masks) if body.HasField("masks") else None,
        abstains=body.abstains,
        commitment=_read_commitment(body.commitment) if body.HasField("commitment") else None,
    )


def write_ready(message: Ready) -> wire.Ready:
    checks.names("Ready.received", [item.dealer for item in message.received])
    return wire.Ready(
        key=write_key(message.key),
        received=[_write_received(item) for item in message.received],
        signature=checks.signature("Ready.signature", message.signature),
    )


def read_ready(body: wire.Ready) -> Ready:
    return Ready(
        key=read_key(body.key),
        received=tuple(_read_received(item) for item in body.received),
        signature=body.signature,
    )


def write_close_dealing(message: CloseDealing) -> wire.CloseDealing:
    return wire.CloseDealing(key=write_key(message.key))


def read_close_dealing(body: wire.CloseDealing) -> CloseDealing:
    return CloseDealing(key=read_key(body.key))


def write_ask(message: Ask) -> wire.Ask:
    places = {dealer: place for place, dealer in enumerate(message.dealers)}
    return wire.Ask(
        key=write_key(message.key),
        batch=checks.number("Ask.batch", message.batch),
        dealers=checks.names("Ask.dealers", message.dealers),
        mask_dealers=checks.names("Ask.mask_dealers", message.mask_dealers),
        queries=[_write_query(query, places) for query in message.queries],
    )


def read_ask(body: wire.Ask) -> Ask:
    dealers = tuple(body.dealers)
    return Ask(
        key=read_key(body.key),
        batch=body.batch,
        dealers=dealers,
        mask_dealers=tuple(body.mask_dealers),
        queries=tuple(_read_query(query, dealers) for query in body.queries),
    )


def write_answers(message: Answers) -> wire.Answers:
    return wire.Answers(
        key=write_key(message.key),
        batch=checks.number("Answers.batch", message.batch),
        values=_write_residues(message.values),
    )


def read_answers(body: wire.Answers) -> Answers:
    return Answers(key=read_key(body.key), batch=body.batch, values=_read_residues(body.values))


def write_assign(message: Assign) -> wire.Assign:
    checks.names("Assign.labels", [party for party, _ in message.labels])
    return wire.Assign(
        key=write_key(message.key),
        batches=checks.number("Assign.batches", message.batches),
        labels=[
            wire.Label(party=party, cluster=checks.number("Assign.labels.cluster", cluster))
            for party, cluster in message.labels
        ],
    )


def read_assign(body: wire.Assign) -> Assign:
    labels = tuple((label.party, label.cluster) for label in body.labels)
    return Assign(key=read_key(body.key), batches=body.batches, labels=labels)


def write_echo(message: Echo) -> wire.Echo:
    return wire.Echo(
        key=write_key(message.key),
        stage=_STAGE_NUMBERS[message.stage],
        batch=checks.number("Echo.batch", message.batch),
        digest=checks.digest("Echo.digest", message.digest),
        signature=checks.signature("Echo.signature", message.signature),
    )


def read_echo(body: wire.Echo) -> Echo:
    if body.stage not in _STAGES:
        raise checks.Malformed("Echo.stage is not a known value")
    return Echo(
        key=read_key(body.key),
        stage=_STAGES[body.stage],
        batch=body.batch,
        digest=body.digest,
        signature=body.signature,
    )


def write_sum_share(message: SumShare) -> wire.SumShare:
    return wire.SumShare(
        key=write_key(message.key),
        cluster=checks.number("SumShare.cluster", message.cluster),
        values=_write_residues(message.values),
    )


def read_sum_share(body: wire.SumShare) -> SumShare:
    return SumShare(
        key=read_key(body.key), cluster=body.cluster, values=_read_residues(body.values)
    )


def write_done(message: Done) -> wire.Done:
    return wire.Done(key=write_key(message.key), opened=message.opened)


def read_done(body: wire.Done) -> Done:
    return Done(key=read_key(body.key), opened=body.opened)


def write_halt(message: Halt) -> wire.Halt:
    return wire.Halt(
        key=write_key(message.key),
        code=checks.word("Halt.code", message.code),
        reason=checks.reason("Halt.reason", message.reason),
    )


def read_halt(body: wire.Halt) -> Halt:
    return Halt(key=read_key(body.key), code=body.code, reason=body.reason)


# --- The parts of messages.


def _write_residues(values: FieldArray) -> wire.Residues:
    if len(values.shape) != 1 or not len(values):
        raise checks.Malformed(f"residues must be one row of at least one, not {values.shape}")
    return wire.Residues(count=len(values), values=values.to_bytes())


def _read_residues(body: wire.Residues) -> FieldArray:
    return FieldArray.from_bytes(body.values, (body.count,))


def _write_vector(value: FieldArray | Seed) -> wire.Vector:
    if isinstance(value, Seed):
        return wire.Vector(seed=value.reveal())
    return wire.Vector(residues=_write_residues(value))


def _read_vector(body: wire.Vector) -> FieldArray | Seed:
    match body.WhichOneof("form"):
        case "residues":
            return _read_residues(body.residues)
        case "seed":
            return Seed(body.seed)
        case _:
            raise checks.Malformed("a vector holds neither residues nor a seed")


def _write_commitment(commitment: Commitment) -> wire.Commitment:
    return wire.Commitment(
        root=checks.digest("Deal.commitment.root", commitment.root),
        signature=checks.signature("Deal.commitment.signature", commitment.signature),
        salt=checks.digest("Deal.commitment.salt", commitment.salt),
        path=checks.path("Deal.commitment.path", commitment.path),
    )


def _read_commitment(body: wire.Commitment) -> Commitment:
    return Commitment(
        root=body.root, signature=body.signature, salt=body.salt, path=tuple(body.path)
    )


def _write_received(item: Received) -> wire.Received:
    if item.root or item.root_signature:
        checks.digest("Ready.received.root", item.root)
        checks.signature("Ready.received.root_signature", item.root_signature)
    if len(item.checks) not in (0, _CHECKS):
        raise checks.Malformed(f"Ready.received.checks are {len(item.checks)}, not 0 or {_CHECKS}")
    return wire.Received(
        dealer=item.dealer,
        shares=item.shares,
        masks=item.masks,
        root=item.root,
        root_signature=item.root_signature,
        checks=b"".join(_residue_bytes(check) for check in item.checks),
    )


def _read_received(body: wire.Received) -> Received:
    starts = range(0, len(body.checks), _RESIDUE_BYTES)
    return Received(
        dealer=body.dealer,
        shares=body.shares,
        masks=body.masks,
        root=body.root,
        root_signature=body.root_signature,
        checks=tuple(
            int.from_bytes(body.checks[start : start + _RESIDUE_BYTES], "little")
            for start in starts
        ),
    )


def _residue_bytes(value: int) -> bytes:
    return checks.number("Ready.received.checks", value, most=P - 1).to_bytes(
        _RESIDUE_BYTES, "little"
    )


def _write_query(query: Query, places: dict[str, int]) -> wire.Query:
    named = (query.subject, *query.members)
    if not query.members or not all(party in places for party in named):
        raise checks.Malformed("Ask.queries must name dealers of the same Ask, and a member each")
    checks.distinct("Ask.queries.members", query.members)
    return wire.Query(
        subject=places[query.subject], members=[places[member] for member in query.members]
    )


def _read_query(body: wire.Query, dealers: tuple[str, ...]) -> Query:
    if max((body.subject, *body.members)) >= len(dealers):
        raise checks.Malformed("Ask.queries must name dealers of the same Ask")
    return Query(
        subject=dealers[body.subject], members=tuple(dealers[member] for member in body.members)
    )
