"""One MPyC party of W1: all pairwise squared distances of the parties' secret vectors, opened.

    python mpyc_distances.py INPUT.json -M n -I index -T t …

INPUT has `vectors` (a .npy file of int64 levels, one row a party, of which this party reads its own
only), `modulus` and `repeats`. After each repeat the parties wait for each other. Prints, as JSON,
the seconds and CPU seconds of each repeat and the SHA-256 of the opened distances.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import sys
import time
from pathlib import Path

# MPyC looks for a current event loop when it is imported, which Python 3.12 warns of.
asyncio.set_event_loop(asyncio.new_event_loop())

import numpy as np  # noqa: E402
from mpyc.runtime import mpc  # noqa: E402 - the loop comes first.


async def distances(field: type, row: np.ndarray) -> list[int]:
    """Share the own row, compute all pairs as one array of inner products, open."""
    rows = mpc.input(field.array(field.field.array(row)))
    pairs = list(itertools.combinations(range(len(rows)), 2))
    gaps = [rows[i] - rows[j] for i, j in pairs]
    norms = [mpc.np_matmul(gap, gap) for gap in gaps]
    return [int(value) for value in await mpc.output(norms)]


async def main() -> None:
    """Repeat, and print what it cost."""
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    field = mpc.SecFld(given["modulus"])
    row = np.load(given["vectors"], mmap_mode="r")[mpc.pid].astype(object) % given["modulus"]
    told: dict[str, list[object]] = {"seconds": [], "cpu_seconds": [], "digest": []}
    async with mpc:
        for _ in range(given["repeats"]):
            await mpc.barrier("repeat")
            begin = time.monotonic(), time.process_time()
            opened = await distances(field, row)
            told["seconds"].append(time.monotonic() - begin[0])
            told["cpu_seconds"].append(time.process_time() - begin[1])
            text = ",".join(map(str, opened)).encode()
            told["digest"].append(hashlib.sha256(text).hexdigest())
    print(json.dumps(told))


if __name__ == "__main__":
    mpc.run(main())
