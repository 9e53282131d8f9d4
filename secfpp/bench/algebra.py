"""`secfpp bench algebra`: nanoseconds per element of the coded arithmetic.

Each operation is timed in turn with plain float64 numpy of the same maths, beside the time that
memory needs to move its inputs and outputs once, at the bandwidth of a long copy measured in the
same run. All of it is CPU time of one process whose linear algebra has one thread: with more, the
plain form waits for its own threads where others use the machine, and the ratio flatters.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from secfpp.bench.machine import provenance
from secfpp.bench.operations import Operation, Setting, operations, party

LEAST_SECONDS: Final = 2e-3
"""A repeat runs an operation as often as takes this long."""

COPIED_BYTES: Final = 2**26
"""More than any cache holds."""

Row = dict[str, object]


@dataclass(frozen=True)
class AlgebraBench:
    """What to measure: n parties, d values a vector, T colluders."""

    parties: int = 20
    dim: int = 8192
    colluders: int = 4
    repeats: int = 15
    seed: int = 0


def measure_alone(benches: Iterable[AlgebraBench]) -> dict[str, object]:
    """`measure` in a process of its own, whose linear algebra has one thread."""
    os.environ["OMP_NUM_THREADS"] = "1"  # Read by what is behind numpy as a process starts.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as process:
        return process.submit(measure, list(benches)).result()


def measure(benches: Iterable[AlgebraBench]) -> dict[str, object]:
    """{…provenance, "memory_gb_per_second", "results": [one per setting and operation]}."""
    chosen = list(benches)
    bandwidth = memory_bandwidth(chosen[0].repeats)
    return {
        **provenance(chosen[0].seed),
        "memory_gb_per_second": bandwidth / 1e9,
        "results": [row for bench in chosen for row in _measured(bench, bandwidth)],
    }


def memory_bandwidth(repeats: int) -> float:
    """Bytes read and written per second by a long copy; the best of the repeats."""
    source = np.ones(COPIED_BYTES // 8)
    target = np.empty_like(source)
    np.copyto(target, source)
    return 2 * COPIED_BYTES / min(_once(lambda: np.copyto(target, source)) for _ in range(repeats))


def _measured(bench: AlgebraBench, bandwidth: float) -> list[Row]:
    setting = Setting(bench.parties, bench.dim, bench.colluders, bench.seed)
    rows = []
    for operation in [*operations(setting), party(setting)]:
        coded, plain = _side_by_side(operation, bench.repeats)
        per_element = 1e9 / operation.elements
        rows.append(
            {
                "op": operation.name,
                "parties": bench.parties,
                "dim": bench.dim,
                "chunks": setting.chunks,
                "colluders": bench.colluders,
                "element": operation.element,
                "elements": operation.elements,
                "milliseconds": 1e3 * statistics.median(coded),
                "ns_per_element": per_element * statistics.median(coded),
                "ns_per_element_least": per_element * min(coded),
                "ns_per_element_most": per_element * max(coded),
                "ns_per_element_plain_float64": per_element * statistics.median(plain),
                "ns_per_element_memory_bound": per_element * operation.bytes_moved / bandwidth,
                "ratio_to_plain_float64": statistics.median(coded) / statistics.median(plain),
                "exact": operation.exact(),
            }
        )
    return rows


def _side_by_side(operation: Operation, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of one run, coded and plain in turn, after one of each that does not count."""
    times = [_times(operation.run), _times(operation.plain)]
    coded, plain = [], []
    for _ in range(repeats):
        coded.append(_once(operation.run, times[0]))
        plain.append(_once(operation.plain, times[1]))
    return coded, plain


def _times(run: Callable[[], object]) -> int:
    """How often to run it in a repeat, after a first run that may fill caches."""
    run()
    return max(1, round(LEAST_SECONDS / max(_once(run), 1e-7)))


def _once(run: Callable[[], object], times: int = 1) -> float:
    """CPU seconds of one of so many runs."""
    start = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start) / times
