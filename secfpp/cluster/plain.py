"""The plain twin: the same questions answered from everyone's levels in the clear.

For oracles, simulations and benchmarks only; it imports numpy and nothing of the coded arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import comb

import numpy as np
from numpy.typing import NDArray

from secfpp.cluster.queries import Assignment, Batch, Clusterer, Query, Task

Levels = NDArray[np.int64]


def plain_answers(levels: Mapping[str, Levels], batch: Batch) -> tuple[int, ...]:
    """m²·‖x_i − mean(M)‖² for each query, exact, from int64 levels (dim,) of magnitude ≤ 2^40."""
    answers = []
    for query in batch:
        total = sum(
            (levels[party] for party in query.members), np.zeros_like(levels[query.subject])
        )
        gap = len(query.members) * levels[query.subject] - total
        answers.append(_squared_norm(gap))
    return tuple(answers)


def run_plain(
    clusterer: Clusterer, task: Task, levels: Mapping[str, Levels]
) -> tuple[Assignment, tuple[tuple[Query, int], ...]]:
    """Run a clusterer on plain levels: its assignment, and every question with its answer."""
    dialogue = clusterer(task)
    transcript: list[tuple[Query, int]] = []
    try:
        batch = next(dialogue)
        while True:
            answers = plain_answers(levels, batch)
            transcript += zip(batch, answers, strict=True)
            batch = dialogue.send(answers)
    except StopIteration as end:
        assignment: Assignment = end.value
        return assignment, tuple(transcript)


def adjusted_rand_index(found: Mapping[str, int], true: Mapping[str, int]) -> float:
    """Agreement of two partitions of the same parties: 1 is equal, 0 is chance.

    Hubert and Arabie, 1985, doi 10.1007/BF01908075.
    """
    cells: dict[tuple[int, int], int] = {}
    for party, label in found.items():
        cell = (label, true[party])
        cells[cell] = cells.get(cell, 0) + 1
    together = sum(comb(count, 2) for count in cells.values())
    rows, columns = (
        sum(
            comb(sum(count for cell, count in cells.items() if cell[side] == label), 2)
            for label in {cell[side] for cell in cells}
        )
        for side in (0, 1)
    )
    pairs = comb(len(found), 2)
    if pairs == 0:
        return 1.0
    expected = rows * columns / pairs
    highest = (rows + columns) / 2
    return 1.0 if highest == expected else (together - expected) / (highest - expected)


def _squared_norm(gap: Levels) -> int:
    """Σ gap² in unbounded integers: each value is cut in two halves of 21 bits and the rest.

    The partial dot products stay below 2^63 for up to 2^20 coordinates.
    """
    high, low = gap >> 21, gap & (2**21 - 1)
    if int(np.abs(high).max(initial=0)) >= 2**21:
        return sum(int(value) ** 2 for value in gap)
    squares = int(high @ high) << 42
    return squares + (int(high @ low) << 22) + int(low @ low)
