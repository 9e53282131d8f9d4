"""What the codec refuses, one broken rule at a time, always as the sender's violation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from secfpp.algebra.field import FieldArray, P
from secfpp.cluster.queries import Query
from secfpp.errors import ConfigError, Misuse, PeerViolation
from secfpp.pki.names import checked_name
from secfpp.protocol.messages import Ask, Halt, Invite, Message, Open, Peer, SumShare
from secfpp.wire import checks
from secfpp.wire.codec import WIRE_VERSION, decode, encode
from secfpp.wire.v1.envelope_pb2 import Envelope

Examples = Mapping[str, Message]
Change = Callable[[Envelope], object]


def refused(payload: bytes) -> str:
    """The reason of the violation that decoding raises."""
    with pytest.raises(PeerViolation) as caught:
        decode(payload, sender="party-3")
    assert caught.value.peer == "party-3"
    return caught.value.reason


def changed(message: Message, change: Change, residues: bytes | None = None) -> bytes:
    """The encoding of a message after a change that `encode` would not have made.

    `residues` stand in place of the message's own.
    """
    payload = encode(message)
    end = 8 + 8 * int.from_bytes(payload[:8], "little")
    envelope = Envelope.FromString(payload[end:])
    change(envelope)
    own = payload[8:end] if residues is None else residues
    count = (len(own) // 8).to_bytes(8, "little")
    return count + own + envelope.SerializeToString(deterministic=True)


def nothing(_: Envelope) -> None:
    """No change."""


def without_residues(envelope: str) -> bytes:
    """A payload of no residues and this Envelope in hexadecimal digits."""
    return bytes(8) + bytes.fromhex(envelope)


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
    "a job of two megabytes": (
        "invite",
        lambda e: setattr(e.invite, "job", "x" * 2**21),
        "Invite.job has 2097152 bytes",
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
    "a ready without signature": (
        "ready",
        lambda e: setattr(e.ready, "signature", b""),
        "Ready.signature has 0 bytes",
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
        lambda e: setattr(e.ask.queries[0], "subject", 4),
        "Ask.queries",
    ),
    "a member that is no dealer": (
        "ask",
        lambda e: e.ask.sets[0].members.append(2**32 - 1),
        "Ask.queries",
    ),
    "a set that is not there": (
        "ask",
        lambda e: setattr(e.ask.queries[0], "set", 2),
        "Ask.queries",
    ),
    "a set that no query needs": (
        "ask, unsigned",
        lambda e: e.ask.sets.add(members=[0, 1]),
        "Ask.sets holds 2 entries, at most 1",
    ),
    "sets in another order than queries need them": (
        "ask",
        lambda e: [setattr(one, "set", 1 - one.set) for one in e.ask.queries],
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
        "Halt.code holds a character that cannot be printed",
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
        lambda e: e.ask.queries.extend(e.ask.queries[:1] * checks.MAXIMUM_QUERIES),
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


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_named_and_blamed_on_the_sender(case: str, examples: Examples) -> None:
    name, change, expected = BROKEN[case]
    payload = changed(examples[name], change)
    assert payload != encode(examples[name])
    assert expected in refused(payload)


def test_a_residue_that_is_the_modulus_is_refused(examples: Examples) -> None:
    payload = changed(examples["answers"], nothing, P.to_bytes(8, "little") * 2)
    assert "a residue is not below the modulus" in refused(payload)


@pytest.mark.parametrize("extra", [-1, 1])
def test_more_or_fewer_residues_than_the_fields_name_are_refused(
    extra: int, examples: Examples
) -> None:
    payload = changed(examples["answers"], nothing, bytes(8 * (2 + extra)))
    expected = "16 are needed for 2" if extra < 0 else "its one encoding"
    assert expected in refused(payload)


@pytest.mark.parametrize("size", [0, 7, 8, 23])
def test_a_payload_shorter_than_its_residues_is_refused(size: int, examples: Examples) -> None:
    payload = encode(examples["answers"])[:size]
    assert refused(payload)


def test_another_wire_version_is_refused_with_both_versions_named(examples: Examples) -> None:
    payload = changed(examples["done"], lambda e: setattr(e, "wire_version", WIRE_VERSION + 1))
    assert refused(payload) == "speaks wire version 2, this release speaks 1"


def test_a_missing_wire_version_is_refused(examples: Examples) -> None:
    payload = changed(examples["done"], lambda e: e.ClearField("wire_version"))
    assert "wire version 0" in refused(payload)


def test_an_unknown_field_is_refused_wherever_it_stands(examples: Examples) -> None:
    unknown = bytes.fromhex("a2060178")  # Field 100, one byte.
    outside = encode(examples["done"]) + unknown
    key = bytes.fromhex("0a0c0a0664656d6f2d3110021801")
    missing = bytes.fromhex("120770617274792d30")  # "party-0"
    assert encode(examples["close dealing"]) == without_residues("08019a0117") + key + missing
    inside = without_residues("08019a011b") + key + missing + unknown
    assert "unknown fields" in refused(outside)
    assert "unknown fields" in refused(inside)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("088100" + "9a010e0a0c0a0664656d6f2d3110021801", id="a padded integer"),
        pytest.param("9a010e0a0c0a0664656d6f2d31100218010801", id="fields in another order"),
        pytest.param("0801" + "08019a010e0a0c0a0664656d6f2d3110021801", id="a field twice"),
        pytest.param("0801ca01020a00ca010e0a0c0a0664656d6f2d3110021801", id="two parts to merge"),
        pytest.param("0801ca01100a0c0a0664656d6f2d31100218011000", id="a default written out"),
    ],
)
def test_another_encoding_of_an_acceptable_message_is_refused(payload: str) -> None:
    again = Envelope.FromString(bytes.fromhex(payload)).SerializeToString(deterministic=True)
    assert decode(bytes(8) + again, sender="party-3")
    assert "its one encoding" in refused(without_residues(payload))


def test_a_payload_beyond_the_limit_is_refused_before_it_is_parsed() -> None:
    assert "16777217 bytes at once" in refused(bytes(checks.MAXIMUM_PAYLOAD + 1))


def test_a_reason_names_no_residue(examples: Examples) -> None:
    secret = P + 123_456_789
    payload = changed(examples["sum share"], nothing, secret.to_bytes(8, "little") * 3)
    assert str(secret) not in refused(payload)


def test_what_no_receiver_would_take_is_not_sent(examples: Examples) -> None:
    ask = examples["ask"]
    assert isinstance(ask, Ask)
    key = ask.key
    matrix = FieldArray(np.zeros((2, 2), dtype=np.uint64))
    stranger = dataclasses.replace(ask, queries=(Query("party-5", ("party-0",)),))
    with pytest.raises(Misuse, match=r"SumShare cannot be sent so: residues must be one row"):
        encode(SumShare(key, 0, matrix))
    with pytest.raises(Misuse, match=r"Ask cannot be sent so: Ask\.queries must name dealers"):
        encode(stranger)
    with pytest.raises(Misuse, match=r"Invite\.peers\.address must be host:port"):
        encode(Invite("demo", "{}", (Peer("party-0", ""),)))


def test_a_message_beyond_the_limit_is_not_sent(examples: Examples) -> None:
    share = examples["sum share"]
    assert isinstance(share, SumShare)
    large = FieldArray(np.zeros(checks.MAXIMUM_PAYLOAD // 8, dtype=np.uint64))
    with pytest.raises(Misuse, match="is too large"):
        encode(dataclasses.replace(share, values=large))


def test_a_reason_that_quotes_anything_is_made_fit_to_travel(examples: Examples) -> None:
    halt = examples["halt"]
    assert isinstance(halt, Halt)
    long = dataclasses.replace(halt, reason="\x1b[2J\udcff" + "ä" * 10_000)
    arrived = decode(encode(long), sender="party-3")
    assert isinstance(arrived, Halt)
    assert len(arrived.reason) == checks.MAXIMUM_TEXT
    assert arrived.reason.startswith("?[2J?ä")
    assert arrived.reason.endswith("ä…")


def test_the_limits_follow_from_what_they_limit(examples: Examples) -> None:
    assert 2**checks.MAXIMUM_PATH == checks.MAXIMUM_PARTIES
    assert checks.MAXIMUM_PAYLOAD == 256 * 8 * 16 * 512
    opened = examples["open"]
    assert isinstance(opened, Open)
    largest = dataclasses.replace(
        opened.params,
        roster=tuple(f"p-{i}".rjust(63, "x") for i in range(checks.MAXIMUM_PARTIES)),
        sharings=(dataclasses.replace(opened.params.sharings[0], fraction_bits=8),),
    )
    assert len(encode(Open(largest))) < checks.MAXIMUM_PAYLOAD


@pytest.mark.parametrize("name", ["a", "7", "a-b", "a" * 63, "", "-a", "a-", "A", "a_b", "a" * 64])
def test_the_wire_takes_exactly_the_names_that_certificates_bear(name: str) -> None:
    try:
        checked_name(name)
    except ConfigError:
        with pytest.raises(checks.Malformed):
            checks.name("Done.run", name)
    else:
        assert checks.name("Done.run", name) == name
