"""The messages around the rounds of a run, to protobuf and back (proto/…/run.proto).

The writers fill a protobuf message in place and hold every field against its rule; the readers only
build.
"""

from __future__ import annotations

from secfpp.protocol.messages import Accept, Ended, Invite, Peer, Progress, Refuse, Report
from secfpp.wire import checks
from secfpp.wire.v1 import run_pb2 as wire


def write_invite(message: Invite, body: wire.Invite) -> None:
    body.run = checks.name("Invite.run", message.run)
    body.job = checks.document("Invite.job", message.job)
    checks.names("Invite.peers", [peer.name for peer in message.peers])
    for peer in message.peers:
        body.peers.add(name=peer.name, address=checks.address("Invite.peers.address", peer.address))


def read_invite(body: wire.Invite) -> Invite:
    listed = checks.few("Invite.peers", body.peers, checks.MAXIMUM_PARTIES)
    peers = tuple(Peer(name=peer.name, address=peer.address) for peer in listed)
    return Invite(run=body.run, job=body.job, peers=peers)


def write_accept(message: Accept, body: wire.Accept) -> None:
    body.run = checks.name("Accept.run", message.run)
    checks.few("Accept.geometry", message.geometry, checks.MAXIMUM_TRAITS)
    checks.distinct("Accept.geometry", [field for field, _ in message.geometry])
    for field, value in message.geometry:
        body.geometry.add(
            field=checks.word("Accept.geometry.field", field),
            value=checks.text("Accept.geometry.value", value, empty=True),
        )


def read_accept(body: wire.Accept) -> Accept:
    traits = checks.few("Accept.geometry", body.geometry, checks.MAXIMUM_TRAITS)
    return Accept(run=body.run, geometry=tuple((item.field, item.value) for item in traits))


def write_refuse(message: Refuse, body: wire.Refuse) -> None:
    body.run = checks.name("Refuse.run", message.run)
    body.key = checks.word("Refuse.key", message.key)
    body.reason = checks.reason("Refuse.reason", message.reason)


def read_refuse(body: wire.Refuse) -> Refuse:
    return Refuse(run=body.run, key=body.key, reason=body.reason)


def write_progress(message: Progress, body: wire.Progress) -> None:
    body.run = checks.name("Progress.run", message.run)
    body.round = checks.number("Progress.round", message.round)
    body.phase = checks.word("Progress.phase", message.phase)
    body.total = checks.number("Progress.total", message.total)
    body.done = checks.number("Progress.done", message.done, most=message.total)


def read_progress(body: wire.Progress) -> Progress:
    return Progress(
        run=body.run, round=body.round, phase=body.phase, done=body.done, total=body.total
    )


def write_report(message: Report, body: wire.Report) -> None:
    body.run = checks.name("Report.run", message.run)
    body.round = checks.number("Report.round", message.round)
    body.text = checks.document("Report.text", message.text)


def read_report(body: wire.Report) -> Report:
    return Report(run=body.run, round=body.round, text=body.text)


def write_ended(message: Ended, body: wire.Ended) -> None:
    body.run = checks.name("Ended.run", message.run)
    body.completed = message.completed
    body.reason = checks.reason("Ended.reason", message.reason, empty=message.completed)


def read_ended(body: wire.Ended) -> Ended:
    return Ended(run=body.run, completed=body.completed, reason=body.reason)
