"""Rows of residues to protobuf and back: 8 little-endian bytes each, copied once each way."""

from __future__ import annotations

from secfpp.algebra.field import FieldArray
from secfpp.wire import checks
from secfpp.wire.v1 import round_pb2 as wire


def write_residues(values: FieldArray, body: wire.Residues) -> None:
    if len(values.shape) != 1 or not len(values):
        raise checks.Malformed(f"residues must be one row of at least one, not {values.shape}")
    body.count = len(values)
    body.values = values.to_bytes()


def read_residues(body: wire.Residues) -> FieldArray:
    return FieldArray.from_bytes(body.values, (body.count,))
