"""The demo for several seeds and sizes, from real processes; writes benchmarks/results/.

python benchmarks/demo_seeds.py [--seeds 5] [--parties 8 12]

Each run is `secfpp demo --format json`. The file has, for each, the verification, the adjusted Rand
index of every round against the true domains, accuracies, bytes, flights and seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from secfpp.bench.machine import provenance
from secfpp.cluster.plain import adjusted_rand_index

RESULTS = Path(__file__).parent / "results" / "demo-seeds.json"


def main() -> None:
    """Run every combination and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--parties", type=int, nargs="+", default=[8, 12])
    chosen = parser.parse_args()
    origin = provenance(0)  # Before the results change the tree.
    runs = []
    for parties in chosen.parties:
        for seed in range(chosen.seeds):
            runs.append(measured(parties, seed))
            print(json.dumps(runs[-1]), flush=True)
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            facts = {"schema_version": 1, **origin, "runs": runs}
            RESULTS.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def measured(parties: int, seed: int) -> dict[str, object]:
    """One demo, reduced to figures."""
    start = time.monotonic()
    command = [sys.executable, "-m", "secfpp", "demo", "--format", "json"]
    command += ["--parties", str(parties), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    data = json.loads(done.stdout)["data"]
    domains = sorted(set(data["true_domains"].values()))
    true = {name: domains.index(domain) for name, domain in data["true_domains"].items()}
    rounds = data["rounds"]
    last = rounds[-1]
    return {
        "parties": parties,
        "seed": seed,
        "exit_code": done.returncode,
        "seconds": round(time.monotonic() - start, 1),
        "verify": data["verify"],
        "adjusted_rand_index": [adjusted_rand_index(r["assignment"], true) for r in rounds],
        "distances": [r["distances"] for r in rounds],
        "flights": [r["flights"] for r in rounds],
        "round_seconds": [r["seconds"] for r in rounds],
        "sent_bytes": [sum(b["sent"] for b in r["bytes"].values()) for r in rounds],
        "zero_shot": mean_by_domain(last["accuracy_zero_shot"], data["true_domains"]),
        "tuned": mean_by_domain(last["accuracy"], data["true_domains"]),
    }


def mean_by_domain(values: dict[str, float], domains: dict[str, str]) -> dict[str, float]:
    """The mean over the parties of each domain."""
    grouped: dict[str, list[float]] = {}
    for name, value in values.items():
        grouped.setdefault(domains[name], []).append(value)
    return {domain: round(sum(v) / len(v), 4) for domain, v in sorted(grouped.items())}


if __name__ == "__main__":
    main()
