"""The messages around the rounds of a run, to protobuf and back (proto/…/run.proto).

The writers hold every field against its rule; the readers only build.
"""

from __future__ import annotations

from secfpp.protocol.messages import Accept, Ended, Invite, Peer, Progress, Refuse, Report
from secfpp.wire import checks
from secfpp.wire.v1 import run_pb2 as wire


def write_invite(message: Invite) -> wire.Invite:
    checks.names("Invite.peers", [peer.name for peer in message.peers])
    return wire.Invite(
        run=checks.name("Invite.run", message.run),
        job=checks.document("Invite.job", message.job),
        peers=[
            wire.Peer(name=peer.name, address=checks.address("Invite.peers.address", peer.address))
            for peer in message.peers
        ],
    )


def read_invite(body: wire.Invite) -> Invite:
    peers = tuple(Peer(name=peer.name, address=peer.address) for peer in body.peers)
    return Invite(run=body.run, job=body.job, peers=peers)


def write_accept(message: Accept) -> wire.Accept:
    checks.distinct("Accept.geometry", [field for field, _ in message.geometry])
    return wire.Accept(
        run=checks.name("Accept.run", message.run),
        geometry=[
            wire.Trait(
                field=checks.word("Accept.geometry.field", field),
                value=checks.text("Accept.geometry.value", value, empty=True),
            )
            for field, value in message.geometry
        ],
    )


def read_accept(body: wire.Accept) -> Accept:
    return Accept(run=body.run, geometry=tuple((item.field, item.value) for item in body.geometry))


def write_refuse(message: Refuse) -> wire.Refuse:
    return wire.Refuse(
        run=checks.name("Refuse.run", message.run),
        key=checks.word("Refuse.key", message.key),
        reason=checks.reason("Refuse.reason", message.reason),
    )


def read_refuse(body: wire.Refuse) -> Refuse:
    return Refuse(run=body.run, key=body.key, reason=body.reason)


def write_progress(message: Progress) -> wire.Progress:
    total = checks.number("Progress.total", message.total)
    return wire.Progress(
        run=checks.name("Progress.run", message.run),
        round=checks.number("Progress.round", message.round),
        phase=checks.word("Progress.phase", message.phase),
        done=checks.number("Progress.done", message.done, most=total),
        total=total,
    )


def read_progress(body: wire.Progress) -> Progress:
    return Progress(
        run=body.run, round=body.round, phase=body.phase, done=body.done, total=body.total
    )


def write_report(message: Report) -> wire.Report:
    return wire.Report(
        run=checks.name("Report.run", message.run),
        round=checks.number("Report.round", message.round),
        text=checks.document("Report.text", message.text),
    )


def read_report(body: wire.Report) -> Report:
    return Report(run=body.run, round=body.round, text=body.text)


def write_ended(message: Ended) -> wire.Ended:
    return wire.Ended(
        run=checks.name("Ended.run", message.run),
        completed=message.completed,
        reason=checks.reason("Ended.reason", message.reason, empty=message.completed),
    )


def read_ended(body: wire.Ended) -> Ended:
    return Ended(run=body.run, completed=body.completed, reason=body.reason)
