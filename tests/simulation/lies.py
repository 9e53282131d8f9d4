"""What a liar sends in place of an honest message, or beside it (protocol.md §9)."""

from __future__ import annotations

import os
from dataclasses import replace

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import uniform
from secfpp.protocol.echoes import echo_text
from secfpp.protocol.messages import (
    Answers,
    CloseDealing,
    Deal,
    Done,
    Echo,
    Halt,
    Opening,
    Ready,
    RoundMessage,
    SumShare,
)
from secfpp.protocol.opening import ready_text
from secfpp.protocol.params import RoundParams
from secfpp.transport.loopback import Post

from ..protocol.conftest import NamedSigner
from .operations import How


def told_instead(post: Post, how: How, params: RoundParams) -> tuple[Post, ...]:
    """What leaves the liar in place of `post`."""
    match how:
        case How.ALTERED:
            return (replace(post, message=altered(post.sender, post.message, params)),)
        case How.MALFORMED:
            return (replace(post, message=malformed(post.message)),)
        case How.BESIDE:
            return (post, replace(post, message=altered(post.sender, post.message, params)))
        case How.COMMAND:
            command = CloseDealing(post.message.key, params.roster)
            return (post, replace(post, message=command))


def altered(liar: str, message: RoundMessage, params: RoundParams) -> RoundMessage:
    """Other content than the honest one, of the right shape, properly signed."""
    sign = NamedSigner(liar).sign
    match message:
        case Deal(shares=(FieldArray() as share,)):
            return replace(message, shares=(_other(share),))
        case Answers(values=values) | SumShare(values=values):
            return replace(message, values=_other(values))
        case Opening(shares=(FieldArray() as share,)):
            return replace(message, shares=(_other(share),))
        case Ready(received=(first, *others)):
            checks = tuple((value + 1) % P for value in first.checks)
            received = (replace(first, checks=checks), *others)
            return replace(message, received=received, signature=sign(ready_text(params, received)))
        case Echo(stage=stage, batch=batch):
            digest = os.urandom(32)
            text = echo_text(params, stage, batch, digest)
            return replace(message, digest=digest, signature=sign(text))
        case Done(opened=opened):
            return replace(message, opened=not opened)
        case Halt():
            return replace(message, reason="another reason")
        case _:
            return Halt(message.key, "lie", "a party says halt")


def malformed(message: RoundMessage) -> RoundMessage:
    """Of a wrong shape, or with a signature of nobody."""
    match message:
        case Deal():
            return replace(message, shares=(), commitment=None)
        case Answers(values=values) | SumShare(values=values):
            return replace(message, values=uniform(len(values) + 1, os.urandom))
        case Ready() | Echo():
            return replace(message, signature=b"nobody's")
        case Opening():
            return replace(message, shares=(), masks=None)
        case _:
            return replace(message, key=replace(message.key, attempt=message.key.attempt + 1))


def _other(values: FieldArray) -> FieldArray:
    return uniform(len(values), os.urandom)
