"""Answers to distance queries, computed on shares (docs/protocol.md §5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from secfpp.algebra import kernels
from secfpp.algebra.field import FieldArray

CodedQuery = tuple[int, Sequence[int]]
"""A subject's row and its members' rows."""


def distance_answers(
    shares: FieldArray, width: int, queries: Sequence[CodedQuery], masks: FieldArray
) -> FieldArray:
    """‖m·u_i − Σ_{s∈M} u_s‖² + z for each query (i, M) of a batch, as (queries,) residues.

    `shares` is (dealers, ≥ width), one row per dealer, of which the first `width` columns count;
    `masks` (queries,). The sum over a member set is computed once per batch.
    """
    places: dict[tuple[int, ...], int] = {}
    sets = [places.setdefault(tuple(members), len(places)) for _, members in queries]
    ends = np.cumsum([0, *map(len, places)])
    rows = np.array([row for members in places for row in members], dtype=np.int64)
    answers = kernels.squared_differences(
        np.ascontiguousarray(shares.values),
        width,
        np.array([subject for subject, _ in queries], dtype=np.int64),
        np.array(sets, dtype=np.int64),
        (ends, rows),
    )
    return FieldArray.proven(answers) + masks
