"""Residues of 61 packed bits beside residues of 8 bytes, end to end; writes benchmarks/results/.

python benchmarks/packing.py [--repeats 31] [--seed 0]

A vector travels from numpy through a payload and a sealed record (AES-GCM, as in TLS) back
to checked residues; that is CPU time of one core. The bytes on a link come on top, at the measured
rate of a TCP connection on this machine and at two nominal rates. Both forms take turns. The
lengths are those of shares: n = 1,000 and n = 20 with d = 8,192, and n = 20 with d = 1,000,000.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from secfpp.algebra.field import FieldArray, P
from secfpp.algebra.randomness import uniform
from secfpp.bench.machine import provenance

RESULTS = Path(__file__).parent / "results" / "packing.json"
LENGTHS = (17, 1_366, 166_667)
LEAST_SECONDS = 2e-3  # A repeat makes as many journeys as take this long.
PIECE, PIECES = 2**20, 256  # What a link's rate is measured with.
NOMINAL = {"1 Gbit/s": 1.25e8, "100 Mbit/s": 1.25e7}  # Bytes a second.
BITS = 61
COUNT_BYTES = 8

Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Form:
    """How residues become bytes, and bytes residues again (which checks that they are below P)."""

    write: Callable[[FieldArray], bytes | memoryview]
    read: Callable[[memoryview, int], FieldArray]


def main() -> None:
    """Measure every length and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    links = {"loopback": loopback_rate(), **NOMINAL}
    rng = np.random.default_rng(chosen.seed)
    rows = [row for n in LENGTHS for row in measured(n, rng.bytes, links, chosen.repeats)]
    facts = {"schema_version": 1, **provenance(chosen.seed), "bytes_per_second": links}
    RESULTS.write_text(json.dumps({**facts, "results": rows}, indent=1) + "\n", "utf-8")
    for row in rows:
        print(json.dumps(row))


def measured(
    length: int, randomness: Callable[[int], bytes], links: dict[str, float], repeats: int
) -> list[dict[str, object]]:
    """One row for each form: microseconds of CPU, bytes, and microseconds over each link."""
    values = uniform(length, randomness)
    forms = {
        "8 bytes": Form(lambda values: values.buffer, as_given),
        "61 bits": Form(packed, unpacked),
    }
    journeys = {name: Journey(form, values) for name, form in forms.items()}
    if not all(journey.arrived() == values for journey in journeys.values()):
        raise SystemExit("a vector did not arrive as it was sent")
    spent: dict[str, list[float]] = {name: [] for name in journeys}
    for _ in range(repeats):
        for name, journey in journeys.items():
            spent[name].append(journey.seconds())
    rows: list[dict[str, object]] = []
    for name, journey in journeys.items():
        size, cpu = len(journey.sealed()), statistics.median(spent[name])
        rows.append(
            {
                "residues": length,
                "form": name,
                "bytes": size,
                "cpu_us": round(1e6 * cpu, 2),
                "cpu_us_quartiles": [round(1e6 * q, 2) for q in quartiles(spent[name])],
                "us_over": {link: round(1e6 * (cpu + size / r), 2) for link, r in links.items()},
            }
        )
    return rows


class Journey:
    """One vector in one form, from numpy to numpy."""

    def __init__(self, form: Form, values: FieldArray) -> None:
        self._form, self._values = form, values
        self._cipher, self._nonce = AESGCM(bytes(32)), bytes(12)
        self._times = max(1, round(LEAST_SECONDS / max(self._spent(1), 1e-7)))

    def sealed(self) -> bytes:
        """The record that goes over the link."""
        count = len(self._values).to_bytes(COUNT_BYTES, "little")
        payload = b"".join((count, self._form.write(self._values)))
        return self._cipher.encrypt(self._nonce, payload, None)

    def arrived(self) -> FieldArray:
        """The vector at the other end."""
        payload = self._cipher.decrypt(self._nonce, self.sealed(), None)
        count = int.from_bytes(payload[:COUNT_BYTES], "little")
        return self._form.read(memoryview(payload)[COUNT_BYTES:], count)

    def seconds(self) -> float:
        """CPU seconds of one journey, as the mean of enough."""
        return self._spent(self._times)

    def _spent(self, times: int) -> float:
        start = time.process_time()
        for _ in range(times):
            self.arrived()
        return (time.process_time() - start) / times


def as_given(data: memoryview, count: int) -> FieldArray:
    """Residues of 8 bytes, not copied."""
    return FieldArray.from_bytes(data, (count,))


def packed(values: FieldArray) -> bytes:
    """Residue i in the bits 61·i … 61·i + 60, in whole 64-bit little-endian words."""
    return pack(values.values).tobytes()


def unpacked(data: memoryview, count: int) -> FieldArray:
    """Undo `packed`."""
    return FieldArray(unpack(np.frombuffer(data, dtype="<u8"), count))


@numba.njit
def pack(values: Words) -> Words:
    """Each word has parts of two residues, or of three."""
    words = np.empty((BITS * values.size + 63) // 64, dtype=np.uint64)
    for w in range(words.size):
        first = 64 * w // BITS
        offset = np.uint64(64 * w - BITS * first)
        word = values[first] >> offset
        if first + 1 < values.size:
            word |= values[first + 1] << (np.uint64(BITS) - offset)
        if first + 2 < values.size and offset > np.uint64(2 * BITS - 64):
            word |= values[first + 2] << (np.uint64(2 * BITS) - offset)
        words[w] = word
    return words


@numba.njit
def unpack(words: Words, count: int) -> Words:
    """The residues, each from one word or two; a shift by 64 is made of two."""
    values = np.empty(count, dtype=np.uint64)
    for i in range(count):
        place, offset = BITS * i >> 6, np.uint64(BITS * i & 63)
        value = words[place] >> offset
        if place + 1 < words.size:
            value |= (words[place + 1] << np.uint64(1)) << (np.uint64(63) - offset)
        values[i] = value & np.uint64(P)
    return values


def loopback_rate() -> float:
    """Bytes a second over a TCP connection from this process to itself."""
    piece = bytes(PIECE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
    sending = threading.Thread(target=lambda: [sender.sendall(piece) for _ in range(PIECES)])
    start = time.perf_counter()
    sending.start()
    left, buffer = PIECE * PIECES, bytearray(PIECE)
    while left:
        left -= receiver.recv_into(buffer)
    seconds = time.perf_counter() - start
    sending.join()
    sender.close()
    receiver.close()
    return PIECE * PIECES / seconds


def quartiles(values: list[float]) -> tuple[float, float]:
    """The lower and the upper."""
    lower, _, upper = statistics.quantiles(values, n=4)
    return lower, upper


if __name__ == "__main__":
    main()
