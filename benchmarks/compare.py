"""SecFPP beside MPyC and Flower's SecAgg+, in one run on one machine; writes benchmarks/results/.

python benchmarks/compare.py [--repeats 5] [--rounds 3]

Peers are installed into environments of their own below .venv-peers. Works, measured in turn
`rounds` times over, so that whatever else the machine does meets all of them:

W1  all pairwise distances of n vectors of 8,192 values opened: `secfpp bench distances` (daemons,
    mutual TLS, masks) beside MPyC (processes, TLS) at equal T, n = 10 and 20.
A   the same with one liar allowed for and dealing checked, beside two losses allowed for: equal K.
W3  the mean of 20 vectors of 1,000,000 values: SecFPP and plain averaging over the same transport,
    beside SecAgg+ by Flower's functions, which send nothing.

CPU seconds are of all processes, from sharing to opening.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mpyc_certificates import write_certificates

from secfpp.bench.machine import provenance
from secfpp.demo.launcher import free_ports

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "distances.json"
PEERS = HERE.parent / ".venv-peers"
PACKAGES = {"mpyc": ("mpyc==0.11", "numpy", "gmpy2"), "flower": ("flwr==1.42.0",)}
MODULUS = 2**61 - 1
DIM, LARGE = 8192, 1_000_000
SIZES = {10: 2, 20: 4}  # Parties and colluders.
MEAN_PARTIES, MEAN_COLLUDERS = 20, 4
THRESHOLD = 11  # So many of SecAgg+'s clients open a mean.

Costs = dict[str, list[float]]
"""`seconds` and `cpu_seconds` of each repeat, and what else is told of each."""


def main() -> None:
    """Measure everything in turn, and write what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    works = {}
    for n, t in SIZES.items():
        works[f"W1 n={n} secfpp"] = lambda n=n, t=t: secfpp(n, t, DIM, chosen.repeats)
        works[f"W1 n={n} mpyc"] = lambda n=n, t=t: mpyc(n, t, chosen.repeats)
        works[f"W1 n={n} secfpp S=2"] = lambda n=n, t=t: secfpp(
            n, t, DIM, chosen.repeats, "--stragglers", "2"
        )
        works[f"W1 n={n} secfpp A=1"] = lambda n=n, t=t: secfpp(
            n, t, DIM, chosen.repeats, "--adversaries", "1"
        )
    few = max(2, chosen.repeats // 2)
    works["W3 secfpp"] = lambda: secfpp(MEAN_PARTIES, MEAN_COLLUDERS, LARGE, few, "--work", "mean")
    works["W3 flower"] = lambda: flower(MEAN_PARTIES, THRESHOLD, few)
    told: dict[str, Costs] = {}
    for turn in range(chosen.rounds):
        for name, work in works.items():
            for one, costs in work().items():
                gathered = told.setdefault(name + one, {key: [] for key in costs})
                for key, values in costs.items():
                    gathered[key] += values
            print(f"round {turn + 1}: {name}", *map(summary, [told[name]]), flush=True)
    rows = {name: {**costs, **medians(costs)} for name, costs in told.items()}
    facts = {"schema_version": 1, **provenance(0), "peers": PACKAGES}
    facts |= {"results": rows, "ratios": ratios(rows)}
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(json.dumps(facts["ratios"], indent=1))


def secfpp(n: int, t: int, dim: int, repeats: int, *more: str) -> dict[str, Costs]:
    """What `secfpp bench distances` says; plain averaging, where it is beside, as ` plain`."""
    command = [sys.executable, "-m", "secfpp", "bench", "distances", "--format", "json"]
    command += ["--parties", str(n), "--colluders", str(t), "--dim", str(dim)]
    done = subprocess.run(
        [*command, "--repeats", str(repeats), *more], capture_output=True, check=True
    )
    costs = {}
    for row in json.loads(done.stdout)["data"]["results"]:
        assert row["exact"], row
        count = len(row["seconds_all"])
        costs[" plain" if row["work"] == "plain_fedavg" else ""] = {
            "seconds": row["seconds_all"],
            "cpu_seconds": row["cpu_seconds_all"],
            "bytes": [row["bytes_total"]] * count,
            "bytes_formula": [row["bytes_formula"]] * count,
            "chunks": [row.get("chunks", 1)] * count,
            "peak_memory_mb": [row.get("peak_memory_mb", 0.0)] * count,
        }
    return costs


def mpyc(n: int, t: int, repeats: int) -> dict[str, Costs]:
    """n MPyC processes over TLS, each of which is given all vectors and reads its own."""
    with tempfile.TemporaryDirectory(prefix="secfpp-peers-") as name:
        home = Path(name)
        rows = np.random.default_rng(0).integers(-(2**14), 2**14, size=(n, DIM))
        np.save(home / "vectors.npy", rows)
        given = {"vectors": "vectors.npy", "modulus": MODULUS, "repeats": repeats}
        (home / "input.json").write_text(json.dumps(given), "utf-8")
        write_certificates(home / ".config", n)
        ports = free_ports([str(index) for index in range(n)])
        command = [str(python("mpyc")), str(HERE / "peers" / "mpyc_distances.py"), "input.json"]
        command += ["--no-log", "--ssl", "-T", str(t)]
        command += [part for p in ports.values() for part in ("-P", f"127.0.0.1:{p}")]
        running = [
            subprocess.Popen([*command, "-I", str(i)], cwd=home, stdout=subprocess.PIPE)
            for i in range(n)
        ]
        outputs = [json.loads(one.communicate(timeout=600)[0]) for one in running]
    gaps = (rows[i] - rows[j] for i, j in itertools.combinations(range(n), 2))
    text = ",".join(str(int((gap * gap).sum())) for gap in gaps).encode()
    assert {d for one in outputs for d in one["digest"]} == {hashlib.sha256(text).hexdigest()}
    turns = range(repeats)
    return {
        "": {
            "seconds": [max(one["seconds"][k] for one in outputs) for k in turns],
            "cpu_seconds": [sum(one["cpu_seconds"][k] for one in outputs) for k in turns],
        }
    }


def flower(n: int, threshold: int, repeats: int) -> dict[str, Costs]:
    """SecAgg+ with Flower's functions: T = threshold − 1 clients learn nothing."""
    script = str(HERE / "peers" / "flower_secagg.py")
    command = [str(python("flower")), script, *map(str, (n, LARGE, threshold, repeats, 0))]
    done = subprocess.run(command, capture_output=True, check=True)
    told: Costs = json.loads(done.stdout)
    assert max(told["error"]) < 1e-4
    return {"": told}


def python(peer: str) -> Path:
    """The interpreter of a peer's own environment, made where it is not there."""
    home = PEERS / peer
    if not home.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(home / "bin" / "pip"), "install", "-q", *PACKAGES[peer]], check=True)
    return home / "bin" / "python"


def medians(costs: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of everything that was told."""
    return {f"{key}_median": statistics.median(values) for key, values in costs.items()}


def summary(costs: Costs) -> str:
    """A few figures for whoever watches."""
    seconds, cpu = statistics.median(costs["seconds"]), statistics.median(costs["cpu_seconds"])
    return f"{seconds:.3f} s, {cpu:.3f} CPU s"


def ratios(rows: Mapping[str, Mapping[str, object]]) -> dict[str, float]:
    """What the aims are about."""

    def ratio(one: str, other: str, key: str = "cpu_seconds_median") -> float:
        return round(float(rows[one][key]) / float(rows[other][key]), 3)  # type: ignore[arg-type]

    found = {}
    for n in SIZES:
        ours = f"W1 n={n} secfpp"
        found[f"{ours}: MPyC's CPU seconds over ours"] = ratio(f"W1 n={n} mpyc", ours)
        found[f"{ours}: bytes over the closed form"] = round(
            rows[ours]["bytes_median"] / rows[ours]["bytes_formula_median"], 3
        )
        for key, unit in (("cpu_seconds_median", "CPU seconds"), ("bytes_median", "bytes")):
            found[f"{ours} A=1: {unit} over those of S=2"] = ratio(
                f"{ours} A=1", f"{ours} S=2", key
            )
    found["W3: our CPU seconds over Flower's"] = ratio("W3 secfpp", "W3 flower")
    found["W3: our CPU seconds over plain averaging's"] = ratio("W3 secfpp", "W3 secfpp plain")
    return found


if __name__ == "__main__":
    main()
