"""Secure distances of another system on the same levels: MPyC, three parties, Shamir's sharing."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from secfpp.algebra.coding import LagrangeCode
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, P, stack, sum_of
from secfpp.algebra.fixedpoint import Quantiser
from secfpp.algebra.masking import deal_zero
from secfpp.algebra.randomness import uniform

Query = tuple[int, list[int]]
PEERS, DIM = 3, 64


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]


def opened_by_mpyc(levels: list[list[int]], queries: list[Query], folder: Path) -> list[int]:
    """What three MPyC processes open, each of which is given its own third of the vectors only.

    Warnings are errors there too; numpy is left out, whose use in MPyC 0.11 is deprecated.
    """
    addresses = [part for port in free_ports(PEERS) for part in ("-P", f"127.0.0.1:{port}")]
    script, each = str(Path(__file__).with_name("mpyc_party.py")), len(levels) // PEERS
    running = []
    with contextlib.ExitStack() as ends:
        for index in range(PEERS):
            given = {"mine": levels[index * each : (index + 1) * each], "queries": queries}
            path = folder / f"party-{index}.json"
            path.write_text(json.dumps(given), encoding="utf-8")
            command = [sys.executable, "-W", "error", script, str(path)]
            command += ["--no-numpy", "--no-log", *addresses, "-I", str(index)]
            party = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            running.append(ends.enter_context(party))
            ends.callback(party.kill)
        done = [party.communicate(timeout=60) for party in running]
    assert [errors for _, errors in done] == [""] * PEERS
    assert [party.returncode for party in running] == [0] * PEERS
    results = [json.loads(output) for output, _ in done]
    assert all(result == results[0] for result in results)
    return [int(value) for value in results[0]]


def opened_by_secfpp(code: LagrangeCode, levels: list[list[int]], queries: list[Query]):
    """Shares, masked answers of D + 1 parties, totals: the path of docs/protocol.md §4 and §5."""

    def pinned(parties: int, size: int) -> dict[int, FieldArray]:
        return {j: uniform(size, os.urandom) for j in range(parties)}

    width = code.width(DIM)
    shares = [
        code.share(FieldArray.from_signed(np.array(row)), pinned(code.colluders, width))
        for row in levels
    ]
    count, degree = len(queries), code.product_degree
    masks = sum_of(
        [deal_zero(code, count, pinned(degree, count)) for _ in range(code.colluders + 1)]
    )
    some = list(range(code.parties - degree - 1, code.parties))
    answers = [
        distance_answers(stack([share[j] for share in shares]), width, queries, masks[j])
        for j in some
    ]
    return [int(v) for v in code.decode_total(degree, some, stack(answers)).values]


def test_distances_equal_those_that_three_mpyc_parties_compute(tmp_path):
    rng = random.Random(61)
    quantiser = Quantiser(0.5, 24)  # B = 2^23: with 6 members d·(2mB)² is just below 2^61.
    vectors = [[rng.uniform(-0.55, 0.55) for _ in range(DIM)] for _ in range(5)]
    vectors.append([-0.5 if value > 0 else 0.5 for value in vectors[0]])
    levels = [quantiser.levels(np.array(v, dtype=np.float32))[0].tolist() for v in vectors]
    queries: list[Query] = [(i, [j]) for i, j in itertools.combinations(range(6), 2)]
    queries += [(0, [0, 1, 2, 3, 4, 5]), (5, [0, 2, 4]), (3, [1, 3])]
    found = opened_by_secfpp(LagrangeCode(9, 3, 2), levels, queries)
    assert found == opened_by_mpyc(levels, queries, tmp_path)
    assert max(found) > P // 64
