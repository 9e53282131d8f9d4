"""One of several MPyC parties: secure squared distances of vectors that each party keeps.

    python mpyc_party.py INPUT.json --no-numpy --no-log -P host:port … -I index

INPUT has `mine`, this party's vectors of integers, and `queries`, pairs (i, M); vector i is the
i-th of all parties' vectors in order. Prints ‖m·x_i − Σ_{s∈M} x_s‖² modulo 2^61 − 1 for each query.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

# MPyC looks for a current event loop when it is imported, which Python 3.12 warns of.
asyncio.set_event_loop(asyncio.new_event_loop())

from mpyc.runtime import mpc  # noqa: E402 - the loop comes first.

P = 2**61 - 1


async def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    field = mpc.SecFld(P)
    dim = len(given["mine"][0])
    async with mpc:
        flat = [field(level % P) for vector in given["mine"] for level in vector]
        vectors = [
            inputs[start : start + dim]
            for inputs in mpc.input(flat)
            for start in range(0, len(inputs), dim)
        ]
        distances = []
        for subject, members in given["queries"]:
            gaps = [len(members) * x for x in vectors[subject]]
            for member in members:
                gaps = mpc.vector_sub(gaps, vectors[member])
            distances.append(mpc.in_prod(gaps, gaps))
        opened = await mpc.output(distances)
    print(json.dumps([int(value) % P for value in opened]))


if __name__ == "__main__":
    mpc.run(main())
