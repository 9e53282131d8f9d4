"""What the coordinator must never see, and whether it is in a message or in its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import GeneratorType

import numpy as np

from secfpp.algebra.field import FieldArray
from secfpp.algebra.randomness import Seed
from secfpp.cluster.queries import Query
from secfpp.protocol.messages import Deal, Opening, SumShare
from secfpp.protocol.opening import Mean
from secfpp.protocol.params import RoundParams
from secfpp.settings.files import JobSettings
from secfpp.transport.loopback import Post

from .broken import UNSEEN, Broken

PLAIN = (str, bytes, int, float, type, type(None), Query, RoundParams, JobSettings, Opening)
"""What holds no residue, by its fields; and opened leaves, which `check_message` has looked at."""

Value = FieldArray | Seed | np.ndarray


class Secrets:
    """The bytes of all shares, masks, seeds, sums and means of a run."""

    def __init__(self, liar: str | None) -> None:
        self._liar = liar
        self._known: set[bytes] = set()

    def note(self, message: Deal | SumShare) -> None:
        """These values, sent between parties, are secrets from now on."""
        self._known.update(_bytes_of(value) for value in values_in(message))

    def note_mean(self, mean: Mean) -> None:
        """A cluster's mean is one, too."""
        self._known.add(_bytes_of(mean))

    def check_message(self, post: Post) -> None:
        """A message to the coordinator; a leaf is opened only where the liar is one of the two."""
        message = post.message
        if isinstance(message, Opening):
            if self._liar not in (post.sender, message.dealer):
                raise Broken(UNSEEN, f"{post.sender} opens an honest leaf of {message.dealer}")
            return
        if isinstance(message, Deal | SumShare):
            raise Broken(UNSEEN, f"a {type(message).__name__} comes to it")
        self._check(values_in(message), f"{type(message).__name__} of {post.sender}")

    def check_state(self, seat: object) -> None:
        """Everything that the coordinator holds, leaves that were opened excepted."""
        self._check(values_in(seat), "the coordinator's state")

    def _check(self, values: Iterator[Value], where: str) -> None:
        for value in values:
            if isinstance(value, Seed) or _bytes_of(value) in self._known:
                raise Broken(UNSEEN, f"one is in {where}")


def values_in(thing: object) -> Iterator[Value]:
    """All residues, seeds and arrays that can be reached from `thing`, but for opened leaves."""
    waiting, seen = [thing], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, PLAIN):
            continue
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, FieldArray | Seed | np.ndarray):
            yield item
        else:
            waiting += _inside(item)


def _inside(item: object) -> list[object]:
    match item:
        case Mapping():
            return [*item.keys(), *item.values()]
        case list() | tuple() | set() | frozenset():
            return list(item)
        case GeneratorType(gi_frame=frame, gi_yieldfrom=inner):
            return [*(frame.f_locals.values() if frame else ()), inner]
        case _ if is_dataclass(item):
            return [getattr(item, field.name) for field in fields(item)]
        case _ if type(item).__module__.startswith(("secfpp.", "tests.")):
            return list(getattr(item, "__dict__", {}).values())
        case _:
            return []


def _bytes_of(value: Value) -> bytes:
    match value:
        case FieldArray():
            return value.values.tobytes()
        case Seed():
            return value.reveal()
        case _:
            return value.tobytes()
