"""Whole rounds of many parties, or of long vectors, in memory; writes benchmarks/results/.

python benchmarks/large.py [--cases hundred thousand …] [--seed 0] [--profile]

Every case runs in a process of its own, so that its peak memory is its own. The machines are those
of the daemons, all in one process and on one core: seconds are those of all parties together, and
peak memory holds what all of them hold. There is no network and no TLS, and signatures are
stand-ins, because a real one costs more than all else that is done with an echo. Payload bytes are
counted over all messages; wire bytes, framing and echoes included, for the first party of the
roster, which deals masks, and the last, which does not. Everything opened is held against the plain
computation. Growth is fitted by least squares on the logarithms over the cases of a series.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rounds_in_memory import Case, Round

from secfpp.bench.machine import provenance
from secfpp.cluster.methods import ClusteringMethod

RESULTS = Path(__file__).parent / "results" / "large.json"
CASES = {
    "hundred": Case(100, colluders=24, clusters=3, method=ClusteringMethod.ONE_SHOT),
    "hundred-two-batches": Case(100, colluders=24),
    "thousand": Case(1000),
    "thousand-four-clusters": Case(1000, clusters=4, moved=1),
    "million": Case(20, dim=1_000_000, colluders=4),
    "parties-50": Case(50),
    "parties-100": Case(100),
    "parties-200": Case(200),
    "parties-400": Case(400),
    "dim-62500": Case(20, dim=62_500, colluders=4),
    "dim-250000": Case(20, dim=250_000, colluders=4),
}
SERIES = {
    "parties": ("parties-50", "parties-100", "parties-200", "parties-400", "thousand"),
    "dim": ("dim-62500", "dim-250000", "million"),
}
FITTED = ("cpu_seconds", "memory_of_round_mb", "messages", "payload_bytes_a_party")


def measured(name: str, seed: int, *, profiled: bool) -> dict[str, object]:
    """One case, run in this process."""
    case = CASES[name]
    one = Round(case, seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    profile = cProfile.Profile()
    start, start_cpu = time.perf_counter(), time.process_time()
    if profiled:
        profile.runcall(one.network.run)
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    else:
        one.network.run()
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    closed = one.closed
    payload, formula = sum(one.meter.payload.values()), one.payload_formula()
    return {
        "case": name,
        **asdict(case),
        "method": case.method.value,
        "chunks": one.params.feature_code.chunks,
        "share_width": one.params.share_widths[0],
        "query_budget": case.budget,
        "queries": len(closed.disclosed.distances),
        "batches": closed.disclosed.distances[-1].batch + 1,
        "clusters_found": len(closed.disclosed.means) + len(closed.disclosed.small),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_memory_mb": peak / 1024,
        "memory_of_round_mb": (peak - before) / 1024,
        "messages": one.meter.messages,
        "payload_bytes": payload,
        "payload_bytes_formula": formula,
        "payload_bytes_a_party": payload / case.parties,
        "wire_bytes_of_first_party": one.meter.wire.get(one.params.roster[0]),
        "wire_bytes_of_last_party": one.meter.wire.get(one.params.roster[-1]),
        "exact": one.exact(),
    }


def growth(cases: dict[str, dict[str, object]]) -> dict[str, dict[str, float]]:
    """For each complete series the exponents e of figure ~ size^e."""
    fitted = {}
    for size_name, names in SERIES.items():
        if not set(names) <= cases.keys():
            continue
        sizes = np.log([float(str(cases[name][size_name])) for name in names])
        fitted[size_name] = {
            figure: round(
                float(
                    np.polyfit(sizes, np.log([float(str(cases[n][figure])) for n in names]), 1)[0]
                ),
                2,
            )
            for figure in FITTED
        }
    return fitted


def main() -> None:
    """Run every chosen case in a process of its own and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--here", action="store_true", help="one case, printed, nothing written")
    chosen = parser.parse_args()
    if chosen.here:
        print(json.dumps(measured(chosen.cases[0], chosen.seed, profiled=chosen.profile)))
        return
    cases = {}
    for name in chosen.cases:
        command = [sys.executable, __file__, "--here", "--cases", name, "--seed", str(chosen.seed)]
        command += ["--profile"] if chosen.profile else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        cases[name] = json.loads(done.stdout)
        print(done.stdout.strip(), flush=True)
    facts = {"schema_version": 1, **provenance(chosen.seed), "growth": growth(cases)}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({**facts, "results": list(cases.values())}, indent=1) + "\n")


if __name__ == "__main__":
    main()
