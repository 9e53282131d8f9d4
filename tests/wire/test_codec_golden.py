"""The bytes of every message, as they were when wire version 2 was settled.

A golden that changes is a change of the wire: raise the wire version, or undo it. Where the change
is meant, print the new value with

    python -m pytest tests/wire/test_codec_golden.py -vv

and copy the hexadecimal text that the failing comparison shows into golden.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import pytest

from secfpp.protocol.messages import Message
from secfpp.wire.codec import decode, encode

GOLDEN: Mapping[str, str] = json.loads(
    Path(__file__).with_name("golden.json").read_text(encoding="utf-8")
)


def test_every_message_has_a_golden_and_every_golden_a_message(
    examples: Mapping[str, Message],
) -> None:
    assert GOLDEN.keys() == examples.keys()
    assert {type(message) for message in examples.values()} == set(get_args(Message))


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_message_has_the_bytes_it_always_had(name: str, examples: Mapping[str, Message]) -> None:
    assert encode(examples[name]).hex() == GOLDEN[name]


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_the_bytes_of_old_are_still_understood(name: str) -> None:
    payload = bytes.fromhex(GOLDEN[name])
    assert encode(decode(payload, sender="party-0")) == payload
