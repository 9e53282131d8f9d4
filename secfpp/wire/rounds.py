"""The messages of one attempt of a round, to protobuf and back (proto/…/round.proto).

The writers fill a protobuf message in place and hold every field against its rule; the readers only
build, and refuse what cannot be built. Opening an attempt and dealing have modules of their own.
"""

from __future__ import annotations

from typing import Final

from secfpp.cluster.queries import Query
from secfpp.protocol.messages import (
    Answers,
    Ask,
    Assign,
    CloseDealing,
    Done,
    Echo,
    EchoStage,
    Halt,
    SumShare,
)
from secfpp.wire import checks
from secfpp.wire.openings import read_key, write_key
from secfpp.wire.residues import Rows, Supply, read_residues, write_residues
from secfpp.wire.v1 import round_pb2 as wire

_STAGES: Final = {
    wire.ECHO_STAGE_BATCH: EchoStage.BATCH,
    wire.ECHO_STAGE_ASSIGNMENT: EchoStage.ASSIGNMENT,
}
_STAGE_NUMBERS: Final = {stage: number for number, stage in _STAGES.items()}


def write_close_dealing(message: CloseDealing, body: wire.CloseDealing) -> None:
    write_key(message.key, body.key)
    body.missing.extend(checks.names("CloseDealing.missing", message.missing))


def read_close_dealing(body: wire.CloseDealing) -> CloseDealing:
    return CloseDealing(key=read_key(body.key), missing=tuple(body.missing))


def write_ask(message: Ask, body: wire.Ask) -> None:
    write_key(message.key, body.key)
    body.batch = checks.number("Ask.batch", message.batch)
    body.dealers.extend(checks.names("Ask.dealers", message.dealers))
    body.mask_dealers.extend(checks.names("Ask.mask_dealers", message.mask_dealers))
    _write_queries(message, body)
    body.unsigned.extend(checks.names("Ask.unsigned", message.unsigned))


def read_ask(body: wire.Ask) -> Ask:
    dealers = tuple(checks.few("Ask.dealers", body.dealers, checks.MAXIMUM_PARTIES))
    return Ask(
        key=read_key(body.key),
        batch=body.batch,
        dealers=dealers,
        mask_dealers=tuple(
            checks.few("Ask.mask_dealers", body.mask_dealers, checks.MAXIMUM_PARTIES)
        ),
        queries=_read_queries(body, dealers),
        unsigned=tuple(checks.few("Ask.unsigned", body.unsigned, checks.MAXIMUM_PARTIES)),
    )


def write_answers(message: Answers, body: wire.Answers, rows: Rows) -> None:
    write_key(message.key, body.key)
    body.batch = checks.number("Answers.batch", message.batch)
    write_residues(message.values, body.values, rows)


def read_answers(body: wire.Answers, supply: Supply) -> Answers:
    values = read_residues(body.values, supply)
    return Answers(key=read_key(body.key), batch=body.batch, values=values)


def write_assign(message: Assign, body: wire.Assign) -> None:
    write_key(message.key, body.key)
    body.batches = checks.number("Assign.batches", message.batches)
    checks.names("Assign.labels", [party for party, _ in message.labels])
    for party, cluster in message.labels:
        body.labels.add(party=party, cluster=checks.number("Assign.labels.cluster", cluster))


def read_assign(body: wire.Assign) -> Assign:
    listed = checks.few("Assign.labels", body.labels, checks.MAXIMUM_PARTIES)
    labels = tuple((label.party, label.cluster) for label in listed)
    return Assign(key=read_key(body.key), batches=body.batches, labels=labels)


def write_echo(message: Echo, body: wire.Echo) -> None:
    write_key(message.key, body.key)
    body.stage = _STAGE_NUMBERS[message.stage]
    body.batch = checks.number("Echo.batch", message.batch)
    body.digest = checks.digest("Echo.digest", message.digest)
    body.signature = checks.signature("Echo.signature", message.signature)


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


def write_sum_share(message: SumShare, body: wire.SumShare, rows: Rows) -> None:
    write_key(message.key, body.key)
    body.cluster = checks.number("SumShare.cluster", message.cluster)
    write_residues(message.values, body.values, rows)


def read_sum_share(body: wire.SumShare, supply: Supply) -> SumShare:
    values = read_residues(body.values, supply)
    return SumShare(key=read_key(body.key), cluster=body.cluster, values=values)


def write_done(message: Done, body: wire.Done) -> None:
    write_key(message.key, body.key)
    body.opened = message.opened


def read_done(body: wire.Done) -> Done:
    return Done(key=read_key(body.key), opened=body.opened)


def write_halt(message: Halt, body: wire.Halt) -> None:
    write_key(message.key, body.key)
    body.code = checks.word("Halt.code", message.code)
    body.reason = checks.reason("Halt.reason", message.reason)


def read_halt(body: wire.Halt) -> Halt:
    return Halt(key=read_key(body.key), code=body.code, reason=body.reason)


# --- The parts of messages.


def _write_queries(message: Ask, body: wire.Ask) -> None:
    """Each set of members once, in the order in which the queries need them."""
    places = {dealer: place for place, dealer in enumerate(message.dealers)}
    sets: dict[tuple[str, ...], int] = {}
    try:
        queries = checks.few("Ask.queries", message.queries, checks.MAXIMUM_QUERIES)
        body.subjects.extend([places[query.subject] for query in queries])
        body.chosen.extend([sets.setdefault(query.members, len(sets)) for query in queries])
        for members in sets:
            checks.distinct("Ask.sets", members)
            body.sets.add(members=[places[member] for member in members])
    except KeyError:
        raise checks.Malformed("Ask.queries must name dealers of the same Ask") from None
    if () in sets:
        raise checks.Malformed("Ask.sets must have a member each")


def _read_queries(body: wire.Ask, dealers: tuple[str, ...]) -> tuple[Query, ...]:
    subjects = checks.few("Ask.queries", body.subjects, checks.MAXIMUM_QUERIES)
    if len(subjects) != len(body.chosen):
        raise checks.Malformed(f"Ask has {len(subjects)} subjects for {len(body.chosen)} queries")
    listed = checks.few("Ask.sets", body.sets, len(subjects))
    try:
        sets = [
            tuple([dealers[place] for place in checks.few("Ask.sets", one.members, len(dealers))])
            for one in listed
        ]
        pairs = zip(subjects, body.chosen, strict=True)
        return tuple([Query(dealers[subject], sets[number]) for subject, number in pairs])
    except IndexError:
        raise checks.Malformed("Ask.queries must name dealers of the same Ask, and sets") from None
