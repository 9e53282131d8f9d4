"""`secfpp bench distances`: secure distances or a mean, by real daemons over mutual TLS.

Every party is a process with its own keys, as in production; one run of as many rounds as repeats
is submitted. Time and CPU are those which each daemon measured of itself, from the moment its
vector is ready to be shared until the distances (work = pairwise) or the mean (work = mean) are
open; the first round, in which connections and caches are cold, is told apart.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from secfpp.bench.closed_form import RESIDUE_BYTES, Sizes, parts_to_open_distances, sums_sent
from secfpp.bench.fedavg import plain_averaging
from secfpp.bench.machine import provenance
from secfpp.bench.planted import Planting, party_names, plant
from secfpp.demo.launcher import COORDINATOR, Federation, Waits
from secfpp.demo.verify import verify
from secfpp.settings.files import ClusteringJob, JobSettings, ProtocolJob, TrainingJob


class Work(StrEnum):
    """What is opened: all pairwise distances, or the mean of all."""

    PAIRWISE = "pairwise"
    MEAN = "mean"


OPENED = {
    Work.PAIRWISE: ("share", "check", "cluster"),
    Work.MEAN: ("share", "check", "cluster", "sum"),
}
"""The phases from sharing to opening, of each kind of work."""

Row = dict[str, object]


Costs = dict[str, dict[str, float]]
"""By kind, then by phase, as a manifest holds them."""


@dataclass(frozen=True)
class DistancesBench:
    """What to measure: all pairwise distances of n vectors, or the mean of all."""

    work: Work = Work.PAIRWISE
    parties: int = 10
    dim: int = 8192
    colluders: int = 2
    stragglers: int = 0
    adversaries: int = 0
    repeats: int = 5
    seed: int = 0


def measure(benches: Sequence[DistancesBench]) -> dict[str, object]:
    """One federation each, of `repeats` + 1 rounds: {…provenance, "results": [one a bench]}.

    A mean has plain federated averaging beside it, as another result.
    """
    results = []
    for bench in benches:
        planting = Planting(bench.dim, bench.repeats + 1, 1, bench.seed)
        with tempfile.TemporaryDirectory(prefix="secfpp-bench-") as home:
            vectors = plant(Path(home), party_names(bench.parties), planting)
            results.append(_measured(bench, vectors, Path(home)))
            if bench.work is Work.MEAN:
                results.append(plain_averaging(Path(home), vectors, planting.rounds))
    return {**provenance(benches[0].seed), "results": results}


def _measured(bench: DistancesBench, vectors: Mapping[str, Path], home: Path) -> Row:
    sections: dict[str, dict[str, dict[str, object]]] = {
        name: {
            "policy": {"query_kinds": ["means", "pairwise"]},
            "vectors": {"path": str(path)},
        }
        for name, path in vectors.items()
    }
    federation = Federation(home / "run", sections, Waits(120, 60))
    try:
        federation.start()
        run = asyncio.run(federation.conduct(_job(bench), lambda _: None))
        federation.wait(60)
    finally:
        federation.stop()
    return _result(bench, federation, run)


def _job(bench: DistancesBench) -> JobSettings:
    pairs = bench.parties * (bench.parties - 1) // 2
    pairwise = bench.work is Work.PAIRWISE
    return JobSettings(
        name="bench",
        rounds=bench.repeats + 1,
        seed=bench.seed,
        protocol=ProtocolJob(
            colluders=bench.colluders,
            stragglers=bench.stragglers,
            adversaries=bench.adversaries,
        ),
        clustering=ClusteringJob(
            method="one_shot" if pairwise else "adaptive",
            query_budget=pairs if pairwise else 3 * bench.parties,
            apart=None if pairwise else 1e3,
        ),
        training=TrainingJob(kind="vectors", dim=bench.dim),
    )


def _result(bench: DistancesBench, federation: Federation, run: str) -> Row:
    homes = {name: federation.home / name / run for name in federation.parties}
    coordinator = federation.home / COORDINATOR / run
    parties = [_rounds(home) for home in homes.values()]
    everyone = [*parties, _rounds(coordinator)]
    phases = OPENED[bench.work]
    turns = range(bench.repeats + 1)
    seconds = [max(_spent(one[turn]["seconds"], phases) for one in parties) for turn in turns]
    cpu = [sum(_spent(one[turn]["cpu_seconds"], phases) for one in everyone) for turn in turns]
    sent = [sum(_spent(one[turn]["sent"], phases) for one in everyone) for turn in turns]
    sizes = _sizes(bench, json.loads((coordinator / "ledger.json").read_text("utf-8"))["rounds"])
    formula = sum(parts_to_open_distances(sizes).values())
    if bench.work is Work.MEAN:
        formula += sums_sent(sizes, [range(sizes.parties)], 0) * RESIDUE_BYTES * sizes.width
    return {
        **{key: value for key, value in vars(bench).items() if key != "seed"},
        "chunks": sizes.chunks,
        "seconds_median": statistics.median(seconds[1:]),
        "seconds_all": seconds[1:],
        "seconds_cold": seconds[0],
        "cpu_seconds_all_processes": statistics.median(cpu[1:]),
        "cpu_seconds_all": cpu[1:],
        "bytes_total": int(statistics.median(sent[1:])),
        "bytes_formula": formula,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "exact": verify(coordinator, homes).passed,
    }


def _rounds(home: Path) -> list[Costs]:
    rounds = json.loads((home / "manifest.json").read_text("utf-8"))["rounds"]
    return [{kind: one[kind] for kind in ("seconds", "cpu_seconds", "sent")} for one in rounds]


def _spent(costs: Mapping[str, float], phases: tuple[str, ...]) -> float:
    return float(sum(costs.get(phase, 0.0) for phase in phases))


def _sizes(bench: DistancesBench, rounds: list[dict[str, dict[str, int]]]) -> Sizes:
    parameters = rounds[-1]["parameters"]
    return Sizes(
        parties=bench.parties,
        dim=bench.dim,
        chunks=parameters["chunks"],
        colluders=bench.colluders,
        stragglers=bench.stragglers,
        adversaries=bench.adversaries,
        queries=parameters["query_budget"],
        asked=len(rounds[-1]["opened_to_coordinator"]["distances"]),  # type: ignore[arg-type]
    )
