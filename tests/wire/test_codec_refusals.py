"""What the codec refuses, one broken rule at a time, always as the sender's violation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

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

from .broken_rules import BROKEN, Change

Examples = Mapping[str, Message]


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
    assert refused(payload) == "speaks wire version 3, this release speaks 2"


def test_a_missing_wire_version_is_refused(examples: Examples) -> None:
    payload = changed(examples["done"], lambda e: e.ClearField("wire_version"))
    assert "wire version 0" in refused(payload)


def test_an_unknown_field_is_refused_wherever_it_stands(examples: Examples) -> None:
    unknown = bytes.fromhex("a2060178")  # Field 100, one byte.
    outside = encode(examples["done"]) + unknown
    key = bytes.fromhex("0a0c0a0664656d6f2d3110021801")
    missing = bytes.fromhex("120770617274792d30")  # "party-0"
    assert encode(examples["close dealing"]) == without_residues("08029a0117") + key + missing
    inside = without_residues("08029a011b") + key + missing + unknown
    assert "unknown fields" in refused(outside)
    assert "unknown fields" in refused(inside)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("088200" + "9a010e0a0c0a0664656d6f2d3110021801", id="a padded integer"),
        pytest.param("9a010e0a0c0a0664656d6f2d31100218010802", id="fields in another order"),
        pytest.param("0802" + "08029a010e0a0c0a0664656d6f2d3110021801", id="a field twice"),
        pytest.param("0802ca01020a00ca010e0a0c0a0664656d6f2d3110021801", id="two parts to merge"),
        pytest.param("0802ca01100a0c0a0664656d6f2d31100218011000", id="a default written out"),
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


@pytest.mark.parametrize(
    "end", ["\n", "\r\n", "\t", "\v", "\f", "\x1d", "\x85", "\u2028", "\u2029"]
)
def test_words_of_several_lines_arrive_as_one(end: str, examples: Examples) -> None:
    halt = examples["halt"]
    assert isinstance(halt, Halt)
    lines = dataclasses.replace(halt, code=f"a{end}b", reason=f"one{end}{end}two")
    arrived = decode(encode(lines), sender="party-3")
    assert arrived == dataclasses.replace(halt, code="a b", reason="one two")


def test_the_limits_follow_from_what_they_limit(examples: Examples) -> None:
    assert 2**checks.MAXIMUM_PATH == checks.MAXIMUM_PARTIES
    assert checks.MAXIMUM_PAYLOAD == 256 * 8 * 16 * 512
    opened = examples["open"]
    assert isinstance(opened, Open)
    names = tuple(f"p-{i}".rjust(63, "x") for i in range(checks.MAXIMUM_PARTIES))
    largest = dataclasses.replace(
        opened.params,
        roster=names,
        witnesses=names,
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
