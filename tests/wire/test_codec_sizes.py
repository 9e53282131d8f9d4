"""What a message may cost its receiver before anybody has looked at what it says."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping

import pytest

from secfpp.algebra.field import P
from secfpp.errors import Misuse, PeerViolation
from secfpp.protocol.messages import (
    Ask,
    Assign,
    CloseDealing,
    Dispute,
    Ended,
    Invite,
    Message,
    Open,
    Ready,
    Received,
    Report,
)
from secfpp.protocol.params import MOST_CHECKED, AttemptKey
from secfpp.wire import checks
from secfpp.wire.codec import decode, encode

Examples = Mapping[str, Message]

OPEN, DISPUTE = 16, 27
EMPTY_WORD, EMPTY_LINE = b"\x1a\x00", b"\x12\x00"


def refused(payload: bytes) -> str:
    with pytest.raises(PeerViolation) as caught:
        decode(payload, sender="party-3")
    return caught.value.reason


def varint(number: int) -> bytes:
    digits = [number >> shift & 127 for shift in range(0, 35, 7)]
    while len(digits) > 1 and not digits[-1]:
        digits.pop()
    return bytes([digit | 128 for digit in digits[:-1]] + digits[-1:])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def payload(*fields: bytes) -> bytes:
    return bytes(8) + b"\x08\x02" + b"".join(fields)


def test_an_opening_among_as_many_as_there_may_be_is_read_in_little_time(
    examples: Examples,
) -> None:
    opened = examples["open"]
    assert isinstance(opened, Open)
    roster = tuple(f"p{number}" for number in range(checks.MAXIMUM_PARTIES))
    sharing = dataclasses.replace(opened.params.sharings[0], dim=1024, fraction_bits=8)
    params = dataclasses.replace(
        opened.params,
        roster=roster,
        witnesses=roster,
        sharings=(sharing,),
        colluders=128,
        minimum_cluster=130,
        stragglers=0,
    )
    encoded = encode(Open(params))
    started = time.process_time()
    decode(encoded, sender="party-3")
    assert time.process_time() - started < 0.3  # A second if every product is made by itself.


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(field(20, b"\x3a\x00" * 2**20), id="empty sets of an Ask"),
        pytest.param(field(DISPUTE, EMPTY_WORD * 2**20), id="empty words of a Dispute"),
        pytest.param(field(DISPUTE, field(3, EMPTY_LINE * 2**20)), id="a large word"),
        pytest.param(field(DISPUTE, b"") + field(DISPUTE, EMPTY_WORD * 2**20), id="a second one"),
        pytest.param(field(DISPUTE, b"\x18\x00" * 2**20), id="parts without length"),
        pytest.param(field(OPEN, bytes(checks.MAXIMUM_ENVELOPE)), id="an Open of a megabyte"),
        pytest.param(field(DISPUTE, bytes(2**21))[:-1], id="less than it says"),
        pytest.param(field(DISPUTE, field(1, bytes(2**20)) * 2 + b"\x1a\xff"), id="cut off"),
    ],
)
def test_more_protobuf_than_any_message_needs_is_refused_before_it_is_built(flood: bytes) -> None:
    assert "sent a message that is too large" in refused(payload(flood))


def test_a_command_of_anybody_but_a_known_coordinator_is_not_read(examples: Examples) -> None:
    commands = (Invite, Ended, Open, CloseDealing, Dispute, Ask, Assign)
    for message in examples.values():
        encoded = encode(message)
        assert decode(encoded, sender="boss", coordinator="boss")
        if not isinstance(message, commands):
            assert decode(encoded, sender="party-3", coordinator="boss")
            continue
        with pytest.raises(PeerViolation, match="as if it coordinated"):
            decode(encoded, sender="party-3", coordinator="boss")


def test_a_word_in_a_dispute_that_is_no_ready_or_has_too_many_lines_is_refused() -> None:
    for word in (b"\xff", EMPTY_LINE * (MOST_CHECKED + 1)):
        shown = field(1, b"party-0") + field(2, word)
        assert "Dispute.words" in refused(payload(field(DISPUTE, field(3, shown))))


def test_a_message_that_nobody_would_read_for_its_size_is_not_sent() -> None:
    whole = Report("demo", 1, "x" * checks.MAXIMUM_DOCUMENT)
    assert decode(encode(whole), sender="party-3") == whole
    key = AttemptKey("demo", 1, 1)
    names = [f"p{number}" for number in range(MOST_CHECKED + 1)]
    many = Ready(key, tuple(Received(name, True, False, b"", b"", ()) for name in names), b"")
    with pytest.raises(Misuse, match="received holds 241 entries"):
        encode(Dispute(key, "p0", (("p0", many),)))
    with pytest.raises(Misuse, match="words holds 241 entries"):
        encode(Dispute(key, "p0", tuple((name, Ready(key, (), b"")) for name in names)))


def test_a_dispute_among_all_whose_dealing_can_be_checked_fits_in_a_message() -> None:
    names = [f"p-{number}".rjust(63, "x") for number in range(MOST_CHECKED)]
    key = AttemptKey("r" * 63, checks.MAXIMUM_COUNT, checks.MAXIMUM_COUNT)
    signature, values = bytes(checks.MAXIMUM_SIGNATURE), (P - 1,) * 6
    line = Received("p", True, True, bytes(32), signature, values)
    lines = tuple(dataclasses.replace(line, dealer=name) for name in names)
    ready = Ready(key, lines, signature)
    dispute = Dispute(key, names[0], tuple((name, ready) for name in names))
    assert decode(encode(dispute), sender="coordinator") == dispute
