"""Broken rules of the wire, one at a time: an example, its change, and words of the refusal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from secfpp.algebra.field import P
from secfpp.wire import checks
from secfpp.wire.v1.envelope_pb2 import Envelope

Change = Callable[[Envelope], object]

BROKEN: Mapping[str, tuple[str, Change, str]] = {
    "a run's name in capitals": ("done", lambda e: setattr(e.done.key, "run", "Demo"), "key.run"),
    "a run's name with a slash": ("done", lambda e: setattr(e.done.key, "run", "../x"), "key.run"),
    "an empty run's name": ("report", lambda e: setattr(e.report, "run", ""), "Report.run"),
    "a name of 64 letters": ("refuse", lambda e: setattr(e.refuse, "run", "a" * 64), "Refuse.run"),
    "a name that ends in a hyphen": (
        "refuse",
        lambda e: setattr(e.refuse, "run", "demo-"),
        "Refuse.run",
    ),
    "no key": ("done", lambda e: e.done.ClearField("key"), "key.run"),
    "a round beyond 2^31": (
        "done",
        lambda e: setattr(e.done.key, "round", 2**31),
        "key.round must be from 0 to 2147483647, not 2147483648",
    ),
    "a peer twice": ("invite", lambda e: e.invite.peers.extend(e.invite.peers[:1]), "Invite.peers"),
    "a peer without a port": (
        "invite",
        lambda e: setattr(e.invite.peers[0], "address", "localhost"),
        "host:port",
    ),
    "a port that is none": (
        "invite",
        lambda e: setattr(e.invite.peers[0], "address", "localhost:65536"),
        "host:port",
    ),
    "no job": ("invite", lambda e: setattr(e.invite, "job", ""), "Invite.job"),
    "a job of more than a megabyte": (
        "invite",
        lambda e: setattr(e.invite, "job", "x" * (2**20 + 1)),
        "Invite.job has 1048577 bytes",
    ),
    "a trait twice": (
        "accept",
        lambda e: e.accept.geometry.extend(e.accept.geometry[:1]),
        "Accept.geometry",
    ),
    "a refusal without key": ("refuse", lambda e: setattr(e.refuse, "key", ""), "Refuse.key"),
    "a refusal without reason": (
        "refuse",
        lambda e: setattr(e.refuse, "reason", ""),
        "Refuse.reason",
    ),
    "more done than there is": (
        "progress",
        lambda e: setattr(e.progress, "done", 41),
        "Progress.done must be from 0 to 40, not 41",
    ),
    "stopped without reason": (
        "ended, stopped",
        lambda e: setattr(e.ended, "reason", ""),
        "Ended.reason",
    ),
    "a party twice on the roster": (
        "open",
        lambda e: e.open.params.roster.extend(e.open.params.roster[:1]),
        "Open.roster holds something twice",
    ),
    "a roster of 513": (
        "open",
        lambda e: e.open.params.roster.extend(f"more-{i}" for i in range(507)),
        "Open.roster holds 513 entries",
    ),
    "a witness named twice": (
        "open",
        lambda e: e.open.params.witnesses.extend(e.open.params.witnesses[:1]),
        "every witness must be named once",
    ),
    "too few of the witnesses on the roster": (
        "open",
        lambda e: e.open.params.witnesses.extend(["gone-1", "gone-2", "gone-3"]),
        "5 of the round's 9 witnesses take part",
    ),
    "a deal under parameters without a digest": (
        "deal, seeds",
        lambda e: setattr(e.deal, "params_digest", b""),
        "Deal.params_digest has 0 bytes, 32 are needed",
    ),
    "colluders that do not fit": (
        "open",
        lambda e: setattr(e.open.params, "colluders", 3),
        "n ≥ 2(K+T−1) + 1 + S + 2A",
    ),
    "a minimum cluster below T+2": (
        "open",
        lambda e: setattr(e.open.params, "minimum_cluster", 2),
        "minimum_cluster ≥ max(3, T+2) = 3 is needed, not 2",
    ),
    "broken headroom": (
        "open",
        lambda e: setattr(e.open.params.sharings[0], "fraction_bits", 24),
        "headroom",
    ),
    "a clip that is no number": (
        "open",
        lambda e: setattr(e.open.params.sharings[0], "clip", math.nan),
        "Open.sharings.clip",
    ),
    "an infinite clip": (
        "open",
        lambda e: setattr(e.open.params.sharings[0], "clip", math.inf),
        "Open.sharings.clip",
    ),
    "a negative clip": (
        "open",
        lambda e: setattr(e.open.params.sharings[0], "clip", -1.0),
        "Open.sharings.clip",
    ),
    "a vector without dimensions": (
        "open",
        lambda e: setattr(e.open.params.sharings[0], "dim", 0),
        "Open.sharings.dim",
    ),
    "two sharings of one kind": (
        "open",
        lambda e: setattr(e.open.params.sharings[1], "kind", "feature"),
        "Open.sharings",
    ),
    "a feature left out": ("open", lambda e: setattr(e.open.params, "feature", 0), "Open.feature"),
    "an unknown query kind": (
        "open",
        lambda e: setattr(e.open.params, "query_kind", 9),
        "Open.query_kind",
    ),
    "no residues at all": ("answers", lambda e: e.answers.ClearField("values"), "at least one"),
    "a count that is too high": (
        "sum share",
        lambda e: setattr(e.sum_share.values, "count", 2**32 - 1),
        "24 bytes of residues are left, 34359738360 are needed",
    ),
    "a count that is too low": (
        "sum share",
        lambda e: setattr(e.sum_share.values, "count", 2),
        "its one encoding",
    ),
    "a seed of 31 bytes": (
        "deal, seeds",
        lambda e: setattr(e.deal.masks, "seed", bytes(31)),
        "a seed has 32 bytes, not 31",
    ),
    "a vector without form": (
        "deal, seeds",
        lambda e: e.deal.shares[0].ClearField("seed"),
        "neither residues nor a seed",
    ),
    "three sharings": (
        "deal, seeds",
        lambda e: e.deal.shares.extend(e.deal.shares[:1]),
        "Deal.shares holds 3 entries",
    ),
    "a root of 31 bytes": (
        "deal, residues",
        lambda e: setattr(e.deal.commitment, "root", bytes(31)),
        "Commitment.root has 31 bytes",
    ),
    "a salt of 33 bytes": (
        "deal, residues",
        lambda e: setattr(e.deal.commitment, "salt", bytes(33)),
        "Commitment.salt has 33 bytes",
    ),
    "a path of ten digests": (
        "deal, residues",
        lambda e: e.deal.commitment.path.extend([bytes(32)] * 8),
        "Commitment.path holds 10 entries",
    ),
    "a dealer received twice": (
        "ready",
        lambda e: e.ready.received.extend(e.ready.received[:1]),
        "Ready.received",
    ),
    "a ready with a long signature": (
        "ready",
        lambda e: setattr(e.ready, "signature", bytes(129)),
        "Ready.signature has 129 bytes",
    ),
    "a root without signature": (
        "ready",
        lambda e: setattr(e.ready.received[1], "root_signature", b""),
        "Ready.received.root_signature has 0 bytes",
    ),
    "three check values": (
        "ready",
        lambda e: setattr(e.ready.received[1], "checks", bytes(24)),
        "Ready.received.checks are 3, not pairs",
    ),
    "a check value that is the modulus": (
        "ready",
        lambda e: setattr(e.ready.received[1], "checks", P.to_bytes(8, "little") * 4),
        "Ready.received.checks must be",
    ),
    "a dealer twice in an ask": (
        "ask",
        lambda e: e.ask.dealers.extend(e.ask.dealers[:1]),
        "Ask.dealers",
    ),
    "an unsigned dealer twice": (
        "ask, unsigned",
        lambda e: e.ask.unsigned.extend(e.ask.unsigned[:1]),
        "Ask.unsigned",
    ),
    "a subject that is no dealer": (
        "ask",
        lambda e: e.ask.subjects.__setitem__(0, 4),
        "Ask.queries",
    ),
    "a member that is no dealer": (
        "ask",
        lambda e: e.ask.sets[0].members.append(2**32 - 1),
        "Ask.queries",
    ),
    "a set that is not there": (
        "ask",
        lambda e: e.ask.chosen.__setitem__(0, 2),
        "Ask.queries",
    ),
    "a query without a set": (
        "ask",
        lambda e: e.ask.chosen.pop(),
        "Ask has 2 subjects for 1 queries",
    ),
    "a set that no query needs": (
        "ask, unsigned",
        lambda e: e.ask.sets.add(members=[0, 1]),
        "Ask.sets holds 2 entries, at most 1",
    ),
    "sets in another order than queries need them": (
        "ask",
        lambda e: e.ask.chosen.reverse(),
        "in another than its one encoding",
    ),
    "a set twice": (
        "ask",
        lambda e: e.ask.sets[1].CopyFrom(e.ask.sets[0]),
        "in another than its one encoding",
    ),
    "a member twice": (
        "ask",
        lambda e: e.ask.sets[0].members.extend(e.ask.sets[0].members[:1]),
        "Ask.sets",
    ),
    "a query about nobody": (
        "ask",
        lambda e: e.ask.sets[0].ClearField("members"),
        "Ask.sets",
    ),
    "a party labelled twice": (
        "assign",
        lambda e: e.assign.labels.extend(e.assign.labels[:1]),
        "Assign.labels",
    ),
    "an echo of no stage": ("echo, batch", lambda e: setattr(e.echo, "stage", 0), "Echo.stage"),
    "an echo of another stage": (
        "echo, batch",
        lambda e: setattr(e.echo, "stage", 3),
        "Echo.stage",
    ),
    "a digest of 20 bytes": (
        "echo, batch",
        lambda e: setattr(e.echo, "digest", bytes(20)),
        "Echo.digest has 20 bytes, 32 are needed",
    ),
    "a signature of 129 bytes": (
        "echo, batch",
        lambda e: setattr(e.echo, "signature", bytes(129)),
        "Echo.signature has 129 bytes",
    ),
    "a code with an escape sequence": (
        "halt",
        lambda e: setattr(e.halt, "code", "\x1b[2J"),
        "its one encoding",
    ),
    "a code of two lines": (
        "halt",
        lambda e: setattr(e.halt, "code", "sum\n12:00:00 coordinator: done"),
        "its one encoding",
    ),
    "a phase with a tab": (
        "progress",
        lambda e: setattr(e.progress, "phase", "train\tdone"),
        "its one encoding",
    ),
    "a refusal of two lines": (
        "refuse",
        lambda e: setattr(e.refuse, "reason", "no\u2028yes"),
        "its one encoding",
    ),
    "a trait of two lines": (
        "accept",
        lambda e: setattr(e.accept.geometry[0], "value", "4\x85"),
        "its one encoding",
    ),
    "a reason with an escape sequence": (
        "halt",
        lambda e: setattr(e.halt, "reason", "\x1b[2J"),
        "its one encoding",
    ),
    "a reason without end": (
        "halt",
        lambda e: setattr(e.halt, "reason", "x" * (checks.MAXIMUM_TEXT + 1)),
        "its one encoding",
    ),
    "a flood of peers": (
        "invite",
        lambda e: e.invite.peers.extend(e.invite.peers[:1] * 600),
        "Invite.peers holds 602 entries",
    ),
    "a flood of traits": (
        "accept",
        lambda e: e.accept.geometry.extend(e.accept.geometry[:1] * 63),
        "Accept.geometry holds 65 entries",
    ),
    "a flood of sharings": (
        "open",
        lambda e: e.open.params.sharings.extend(e.open.params.sharings[:1] * 9),
        "Open.sharings holds 11 entries",
    ),
    "a flood of received": (
        "ready",
        lambda e: e.ready.received.extend(e.ready.received[:1] * 511),
        "Ready.received holds 513 entries",
    ),
    "a flood of check values": (
        "ready",
        lambda e: setattr(e.ready.received[0], "checks", bytes(56)),
        "Ready.received.checks holds 56 entries",
    ),
    "a flood of mask dealers": (
        "ask",
        lambda e: e.ask.mask_dealers.extend(["party-9"] * 511),
        "Ask.mask_dealers holds 513 entries",
    ),
    "a flood of unsigned dealers": (
        "ask, unsigned",
        lambda e: e.ask.unsigned.extend(["party-9"] * 512),
        "Ask.unsigned holds 513 entries",
    ),
    "a flood of queries": (
        "ask",
        lambda e: e.ask.subjects.extend([0] * checks.MAXIMUM_QUERIES),
        "Ask.queries holds 130818 entries",
    ),
    "a flood of members": (
        "ask",
        lambda e: e.ask.sets[0].members.extend([0] * 1000),
        "Ask.sets holds 1002 entries, at most 4",
    ),
    "a flood of labels": (
        "assign",
        lambda e: e.assign.labels.extend(e.assign.labels[:1] * 509),
        "Assign.labels holds 513 entries",
    ),
    "no message": ("halt", lambda e: e.ClearField("halt"), "no message"),
}
