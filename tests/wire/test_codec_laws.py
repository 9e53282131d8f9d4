"""Laws of the codec over random messages: it loses nothing, and garbage is a violation."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import Seed
from secfpp.cluster.queries import Query
from secfpp.errors import ConfigError, PeerViolation
from secfpp.protocol.messages import (
    Accept,
    Answers,
    Ask,
    Assign,
    CloseDealing,
    Commitment,
    Deal,
    Dispute,
    Done,
    Echo,
    EchoStage,
    Ended,
    Halt,
    Invite,
    Message,
    Open,
    Opening,
    Peer,
    Progress,
    Ready,
    Received,
    Refuse,
    Report,
    SumShare,
)
from secfpp.protocol.params import AttemptKey, Feature, QueryKind, RoundParams, SharingSpec
from secfpp.wire.codec import decode, encode

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
NAMES = st.text(f"{LETTERS}-", min_size=1, max_size=63).filter(
    lambda name: name[0] in LETTERS and name[-1] in LETTERS
)
ROSTERS = st.lists(NAMES, min_size=1, max_size=9, unique=True)
COUNTS = st.one_of(st.integers(0, 9), st.integers(0, 2**31 - 1))
PRINTABLE = st.characters(
    exclude_categories=["Cs", "Cc", "Zl", "Zp"],
    exclude_characters="".join(map(chr, range(0x2028, 0x206A))),
)
WORDS = st.text(PRINTABLE, min_size=1, max_size=128)
TEXTS = st.text(PRINTABLE, min_size=1, max_size=300)
DOCUMENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
DIGESTS = st.binary(min_size=32, max_size=32)
SIGNATURES = st.binary(min_size=1, max_size=128)
RESIDUES = st.one_of(st.integers(0, P - 1), st.sampled_from([0, 1, P - 1]))
FIELD_ARRAYS = st.lists(RESIDUES, min_size=1, max_size=20).map(
    lambda values: FieldArray(np.array(values, dtype=np.uint64))
)
SEEDS = DIGESTS.map(Seed)
VECTORS = st.one_of(FIELD_ARRAYS, SEEDS)
KEYS = st.builds(AttemptKey, NAMES, COUNTS, COUNTS)
ADDRESSES = st.builds(
    "{}:{}".format,
    st.sampled_from(["party-1", "10.0.0.7", "[2001:db8::1]", "party.example.org"]),
    st.integers(1, 65535),
)


@st.composite
def openings(draw: st.DrawFn) -> Open:
    """Parameters whose own rules hold."""
    colluders = draw(st.integers(1, 2))
    kinds = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    try:
        roster = tuple(draw(st.lists(NAMES, min_size=6, max_size=12, unique=True)))
        gone = tuple(draw(st.lists(NAMES, max_size=2, unique=True)))
        params = RoundParams(
            key=draw(KEYS),
            coordinator=draw(NAMES),
            roster=roster,
            witnesses=gone + roster[: draw(st.integers(4, 12))],
            colluders=colluders,
            stragglers=draw(st.integers(0, colluders)),
            adversaries=0,
            feature=draw(st.sampled_from(Feature)),
            sharings=tuple(
                SharingSpec(
                    kind,
                    draw(st.integers(64, 10_000)),
                    draw(st.floats(1e-3, 2.0)),
                    draw(st.integers(0, 12)),
                )
                for kind in kinds
            ),
            minimum_cluster=draw(st.integers(max(3, colluders + 2), len(roster))),
            query_kind=draw(st.sampled_from(QueryKind)),
            query_budget=draw(st.integers(1, 2**31 - 1)),
            queries_per_party=draw(st.integers(1, 8)),
            rounds=draw(st.integers(1, 4)),
            strict_queries=draw(st.booleans()),
        )
    except ConfigError:
        assume(False)
        raise
    return Open(params)


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """Queries among the dealers of the same message."""
    dealers = tuple(draw(ROSTERS))
    members = st.lists(st.sampled_from(dealers), min_size=1, unique=True).map(tuple)
    queries = st.lists(st.builds(Query, st.sampled_from(dealers), members), max_size=5)
    mask_dealers, unsigned = tuple(draw(ROSTERS)), tuple(draw(ROSTERS))
    return Ask(draw(KEYS), draw(COUNTS), dealers, mask_dealers, tuple(draw(queries)), unsigned)


@st.composite
def readies(draw: st.DrawFn) -> Ready:
    """Whose shares came, with and without what checked dealing adds."""
    received = []
    for dealer in draw(ROSTERS):
        bound = draw(st.booleans())
        received.append(
            Received(
                dealer,
                draw(st.booleans()),
                draw(st.booleans()),
                draw(DIGESTS) if bound else b"",
                draw(SIGNATURES) if bound else b"",
                draw(st.lists(RESIDUES, max_size=3).map(lambda values: tuple(values) * 2)),
            )
        )
    return Ready(draw(KEYS), tuple(received), draw(SIGNATURES))


@st.composite
def progresses(draw: st.DrawFn) -> Progress:
    """No more steps done than there are."""
    done, total = sorted(draw(st.tuples(COUNTS, COUNTS)))
    return Progress(draw(NAMES), draw(COUNTS), draw(WORDS), done, total)


COMMITMENTS = st.builds(
    Commitment, DIGESTS, SIGNATURES, DIGESTS, st.lists(DIGESTS, max_size=9).map(tuple)
)
MESSAGES: dict[type, st.SearchStrategy[Message]] = {
    Invite: st.builds(
        Invite,
        NAMES,
        DOCUMENTS,
        st.lists(st.builds(Peer, NAMES, ADDRESSES), unique_by=lambda peer: peer.name).map(tuple),
    ),
    Accept: st.builds(
        Accept,
        NAMES,
        st.dictionaries(WORDS, st.one_of(TEXTS, st.just("")), max_size=6).map(
            lambda geometry: tuple(geometry.items())
        ),
    ),
    Refuse: st.builds(Refuse, NAMES, WORDS, TEXTS),
    Progress: progresses(),
    Report: st.builds(Report, NAMES, COUNTS, DOCUMENTS),
    Ended: st.builds(Ended, NAMES, st.booleans(), TEXTS),
    Open: openings(),
    Deal: st.builds(
        Deal,
        KEYS,
        DIGESTS,
        st.lists(VECTORS, max_size=2).map(tuple),
        st.none() | VECTORS,
        st.just("") | TEXTS,
        st.none() | COMMITMENTS,
    ),
    Ready: readies(),
    Dispute: st.builds(
        Dispute,
        KEYS,
        NAMES,
        st.dictionaries(NAMES, readies(), max_size=3).map(lambda words: tuple(words.items())),
    ),
    Opening: st.builds(
        Opening,
        KEYS,
        NAMES,
        st.lists(FIELD_ARRAYS, max_size=2).map(tuple),
        st.none() | FIELD_ARRAYS,
        COMMITMENTS,
    ),
    CloseDealing: st.builds(CloseDealing, KEYS, ROSTERS.map(tuple)),
    Ask: asks(),
    Answers: st.builds(Answers, KEYS, COUNTS, FIELD_ARRAYS),
    Assign: st.builds(
        Assign,
        KEYS,
        COUNTS,
        st.dictionaries(NAMES, COUNTS, max_size=9).map(lambda labels: tuple(labels.items())),
    ),
    Echo: st.builds(Echo, KEYS, st.sampled_from(EchoStage), COUNTS, DIGESTS, SIGNATURES),
    SumShare: st.builds(SumShare, KEYS, COUNTS, FIELD_ARRAYS),
    Done: st.builds(Done, KEYS, st.booleans()),
    Halt: st.builds(Halt, KEYS, WORDS, TEXTS),
}
ANY_MESSAGE = st.one_of(list(MESSAGES.values()))


def same(one: object, other: object) -> bool:
    """Whether two messages say the same, residue by residue; the slow twin of comparing bytes."""
    if type(one) is not type(other):
        return False
    if isinstance(one, FieldArray) and isinstance(other, FieldArray):
        return one.values.tolist() == other.values.tolist()
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    return one == other


def decodes_or_blames_the_sender(payload: bytes) -> None:
    """Anything but a message that encodes to these bytes, or a violation by the sender, fails."""
    try:
        answer: Message | PeerViolation = decode(payload, sender="party-3")
    except PeerViolation as violation:
        answer = violation
    if isinstance(answer, PeerViolation):
        assert answer.peer == "party-3"
        assert answer.reason
    else:
        assert encode(answer) == payload


def test_every_message_type_is_drawn() -> None:
    assert MESSAGES.keys() == set(get_args(Message))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_decoding_gives_back_the_message_that_was_encoded(kind: type, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])
    assert same(decode(encode(message), sender="party-3"), message)


@given(ANY_MESSAGE, st.data())
def test_a_truncated_message_decodes_or_is_a_violation(
    message: Message, data: st.DataObject
) -> None:
    payload = encode(message)
    decodes_or_blames_the_sender(payload[: data.draw(st.integers(0, len(payload) - 1))])


@given(ANY_MESSAGE, st.data())
def test_flipped_bits_decode_or_are_a_violation(message: Message, data: st.DataObject) -> None:
    payload = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        bit = data.draw(st.integers(0, 8 * len(payload) - 1))
        payload[bit // 8] ^= 1 << bit % 8
    decodes_or_blames_the_sender(bytes(payload))


@given(ANY_MESSAGE, st.data())
def test_foreign_bytes_inside_decode_or_are_a_violation(
    message: Message, data: st.DataObject
) -> None:
    payload = encode(message)
    place = data.draw(st.integers(0, len(payload)))
    foreign = data.draw(st.one_of(st.binary(max_size=12), ANY_MESSAGE.map(encode)))
    decodes_or_blames_the_sender(payload[:place] + foreign + payload[place:])


@given(st.binary(max_size=200))
def test_random_bytes_decode_or_are_a_violation(payload: bytes) -> None:
    decodes_or_blames_the_sender(payload)
    decodes_or_blames_the_sender(bytes(8) + b"\x08\x01" + payload)
