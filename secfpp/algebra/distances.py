"""Answers to distance queries, computed on shares (docs/protocol.md §5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from secfpp.algebra import kernels
from secfpp.algebra.field import FieldArray

CodedQuery = tuple[int, Sequence[int]]
"""A subject's row and its members' rows."""


def distance_answers(
    shares: FieldArray, queries: Sequence[CodedQuery], masks: FieldArray
) -> FieldArray:
    """‖m·u_i − Σ_{s∈M} u_s‖² + z for each query (i, M) of a batch, as (queries,) residues.

    `shares` is (dealers, width), one row per dealer; `masks` (queries,). The sum over a member set
    is computed once per batch.
    """
    values = np.ascontiguousarray(shares.values)
    totals: dict[tuple[int, ...], kernels.Residues] = {}
    answers = np.empty(len(queries), dtype=np.uint64)
    for position, (subject, members) in enumerate(queries):
        rows = tuple(members)
        if rows not in totals:
            totals[rows] = kernels.column_sum(values, np.array(rows, dtype=np.int64))
        size = np.uint64(len(rows))
        answers[position] = kernels.squared_difference(values[subject], size, totals[rows])
    return FieldArray.proven(answers) + masks
