"""Rows of residues, which lie before the protobuf of a payload: never copied into it (ADR 0009).

The writers of messages put rows on a list, in the order of their fields; the readers take them from
a `Supply` in that order, as views of the payload.
"""

from __future__ import annotations

from typing import Final

from secfpp.algebra.field import FieldArray
from secfpp.wire import checks
from secfpp.wire.v1 import round_pb2 as wire

RESIDUE_BYTES: Final = 8

Rows = list[FieldArray]


class Supply:
    """The residues of one payload, handed out from the first to the last."""

    def __init__(self, residues: memoryview) -> None:
        self._left = residues

    def take(self, count: int) -> FieldArray:
        """The next `count` residues; Malformed where there are fewer."""
        size = RESIDUE_BYTES * count
        if size > len(self._left):
            raise checks.Malformed(
                f"{len(self._left)} bytes of residues are left, {size} are needed for {count}"
            )
        taken, self._left = self._left[:size], self._left[size:]
        return FieldArray.from_bytes(taken, (count,))

    @property
    def left(self) -> int:
        """Bytes that no field has asked for."""
        return len(self._left)


def write_residues(values: FieldArray, body: wire.Residues, rows: Rows) -> None:
    if len(values.shape) != 1 or not len(values):
        raise checks.Malformed(f"residues must be one row of at least one, not {values.shape}")
    body.count = len(values)
    rows.append(values)


def read_residues(body: wire.Residues, supply: Supply) -> FieldArray:
    return supply.take(body.count)
