"""`secfpp bench round`: whole rounds over a slow network, beside plain federated averaging.

Every participant is a process with its own keys; each link between two of them leads through a
relay of `transport.shaper`, which this process runs. Both modes move the same vectors through the
same transport in the same run. The first round, in which connections and caches are cold, does not
count. Seconds and CPU are those that each daemon measured of itself, from the moment its vector is
ready until it has its cluster's mean; bytes on the wire are what the relays have passed on.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secfpp.bench.closed_form import (
    Sizes,
    bytes_of_echoes,
    bytes_of_sums,
    bytes_to_open_distances,
)
from secfpp.bench.fedavg import Plan, all_agree, averaged
from secfpp.bench.links import Carried, Network, Pair, network_named, relayed
from secfpp.bench.machine import provenance
from secfpp.bench.planted import Planting, party_names, plant
from secfpp.bench.turns import Measured, Row, Spent, Turn, ratios_of, row_of
from secfpp.demo.launcher import COORDINATOR, OPERATOR, Federation, Waits, free_ports
from secfpp.demo.verify import verify
from secfpp.errors import RoundFailed
from secfpp.journal.events import Event
from secfpp.settings.files import JobSettings, ProtocolJob, TrainingJob

PHASES = ("share", "check", "cluster", "sum")
"""From the vector being ready to the mean; what comes before is `train`."""

EXCHANGE = "exchange"
"""The one phase of plain averaging: vectors up, mean down."""

WAITS = Waits(connect_wait=120, idle_timeout=60)

Entry = dict[str, Any]
"""A round of a ledger or of a manifest, as JSON."""


@dataclass(frozen=True)
class RoundBench:
    """What to measure: n parties, d values a vector, planted around so many centres."""

    parties: int = 10
    dim: int = 8192
    colluders: int = 2
    stragglers: int = 1
    adversaries: int = 0
    clusters: int = 2
    repeats: int = 5
    seed: int = 0


def most_clusters(parties: int, colluders: int) -> int:
    """Three clusters, or as many of max(3, T+2) parties as n allows."""
    return max(1, min(3, parties // max(3, colluders + 2)))


def measure(benches: Sequence[RoundBench], nets: Sequence[str]) -> dict[str, object]:
    """{…provenance, "results": [two modes for each bench and network], "ratios": [one each]}."""
    networks = [network_named(net) for net in nets]
    results: list[Row] = []
    ratios: list[Row] = []
    for bench in benches:
        for network in networks:
            with tempfile.TemporaryDirectory(prefix="secfpp-bench-") as home:
                both = asyncio.run(_both(bench, network, Path(home)))
            settings: Row = {key: value for key, value in vars(bench).items() if key != "seed"}
            secure, plain = (row_of(settings, measured) for measured in both)
            results += [secure, plain]
            ratios.append(ratios_of(secure, plain))
    return {**provenance(benches[0].seed), "results": results, "ratios": ratios}


async def _both(bench: RoundBench, network: Network, home: Path) -> tuple[Measured, Measured]:
    planting = Planting(bench.dim, bench.repeats + 1, bench.clusters, bench.seed)
    vectors = plant(home, party_names(bench.parties), planting)
    secure = await _secure(bench, network, vectors, home / "secure")
    (home / "plain").mkdir()
    return secure, await _plain(bench, network, vectors, home / "plain")


class _Mark:
    """What the relays had carried when the second round began."""

    def __init__(self) -> None:
        self.carried: Carried | None = None

    def since(self, now: Carried, rounds: int) -> dict[Pair, float]:
        """What came after it, for each round."""
        before = self.carried or {}
        return {pair: (count - before.get(pair, 0)) / rounds for pair, count in now.items()}


# --- The secure round.


async def _secure(
    bench: RoundBench, network: Network, vectors: Mapping[str, Path], home: Path
) -> Measured:
    everyone = (COORDINATOR, *vectors)
    pairs = [(one, other) for one in everyone for other in everyone if one != other]
    ports = free_ports((*everyone, OPERATOR))
    sections = {name: {"vectors": {"path": str(path)}} for name, path in vectors.items()}
    async with relayed(network, ports, pairs) as links:
        federation = Federation(home, sections, WAITS, ports=ports, relays=links.ports)
        mark = _Mark()

        def told(event: Event) -> None:
            if event.event == "opened" and event.round == 2 and mark.carried is None:
                mark.carried = links.carried()

        try:
            await asyncio.to_thread(federation.start)
            run = await federation.conduct(_job(bench), told)
            await asyncio.to_thread(federation.wait, 60)
        finally:
            await asyncio.to_thread(federation.stop)
        carried = mark.since(links.carried(), bench.repeats)
    homes = {name: home / name / run for name in vectors}
    check_all_finished(homes, bench.repeats + 1)
    ledger = json.loads((home / COORDINATOR / run / "ledger.json").read_text("utf-8"))["rounds"]
    turns = _turns({COORDINATOR: home / COORDINATOR / run, **homes}, ledger)
    details = {
        "chunks": ledger[-1]["parameters"]["chunks"],
        "batches": statistics.median_low([(one["flights"] - 5) // 2 for one in ledger[1:]]),
        "bytes_formula": _formula(bench, ledger[-1]),
        "exact": verify(home / COORDINATOR / run, homes).passed,
    }
    return Measured("secure", network, turns[1:], carried, details)


def _job(bench: RoundBench) -> JobSettings:
    return JobSettings(
        name="bench",
        rounds=bench.repeats + 1,
        seed=bench.seed,
        protocol=ProtocolJob(
            colluders=bench.colluders,
            stragglers=bench.stragglers,
            adversaries=bench.adversaries,
        ),
        training=TrainingJob(kind="vectors", dim=bench.dim),
    )


def check_all_finished(homes: Mapping[str, Path], rounds: int) -> None:
    """A round goes on without up to S parties, but then it is not what was to be measured."""
    for name, home in homes.items():
        path = home / "manifest.json"
        done = len(json.loads(path.read_text("utf-8"))["rounds"]) if path.exists() else 0
        if done < rounds:
            raise RoundFailed(
                f"{name} finished {done} of {rounds} rounds; the others went on without it",
                fix="measure again where less else runs, or with fewer parties",
            )


def _turns(homes: Mapping[str, Path], ledger: Sequence[Entry]) -> list[Turn]:
    """Every round, as the manifests of all participants tell it."""
    manifests = {
        name: json.loads((home / "manifest.json").read_text("utf-8"))["rounds"]
        for name, home in homes.items()
    }
    return [
        Turn(
            {name: _spent(rounds[place]) for name, rounds in manifests.items()},
            _flights((entry["flights"] - 5) // 2),
        )
        for place, entry in enumerate(ledger)
    ]


def _spent(costs: Entry) -> dict[str, Spent]:
    """The phases of one participant in one round of its manifest."""
    return {
        phase: Spent(seconds, costs["cpu_seconds"][phase], _by_peer(costs["by_peer"][phase]))
        for phase, seconds in costs["seconds"].items()
        if phase in PHASES
    }


def _by_peer(written: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, int]]:
    return {peer: (sent, received) for peer, (sent, received) in written.items()}


def _flights(batches: int) -> dict[str, int]:
    """The 5 + 2·batches flights of protocol.md §10, by the phase of a party that waits for them.

    Shares; its ready and the first question; answers, further questions and the assignment; echo
    and sum.
    """
    return {"share": 1, "check": 2, "cluster": 2 * batches, "sum": 2}


def _formula(bench: RoundBench, entry: Entry) -> int:
    """The closed form of the last round, with its queries and its clusters."""
    parameters, distances = entry["parameters"], entry["opened_to_coordinator"]["distances"]
    roster, labels = entry["roster"], entry["opened_to_everyone"]["assignment"]
    sizes = Sizes(
        parties=bench.parties,
        dim=bench.dim,
        chunks=parameters["chunks"],
        colluders=bench.colluders,
        stragglers=bench.stragglers,
        adversaries=bench.adversaries,
        queries=parameters["query_budget"],
        asked=len(distances),
    )
    found = [
        {roster.index(name) for name, label in labels.items() if label == wanted}
        for wanted in range(1 + max(labels.values()))
    ]
    least = parameters["minimum_cluster"]
    clusters = [members if len(members) >= least else set() for members in found]
    batches = 1 + max((line["batch"] for line in distances), default=-1)
    return (
        bytes_to_open_distances(sizes)
        + bytes_of_sums(sizes, clusters, entry["round"])
        + bytes_of_echoes(bench.parties, batches)
    )


# --- Plain averaging.


async def _plain(
    bench: RoundBench, network: Network, vectors: Mapping[str, Path], home: Path
) -> Measured:
    ports = free_ports((COORDINATOR, *vectors))
    pairs = [pair for name in vectors for pair in ((COORDINATOR, name), (name, COORDINATOR))]
    async with relayed(network, ports, pairs) as links:
        relays = {f"{one}>{other}": port for (one, other), port in links.ports.items()}
        paths = {name: str(path) for name, path in vectors.items()}
        mark = _Mark()

        def on_turn(turn: int) -> None:
            if turn == 1:
                mark.carried = links.carried()

        told = await averaged(Plan(str(home), ports, relays, paths, bench.repeats + 1), on_turn)
        carried = mark.since(links.carried(), bench.repeats)
    turns = [
        Turn(
            {
                name: {
                    EXCHANGE: Spent(
                        one["seconds"][place],
                        one["cpu_seconds"][place],
                        _by_peer(one["by_peer"][place]),
                    )
                }
                for name, one in told.items()
            },
            {EXCHANGE: 2},
        )
        for place in range(1, bench.repeats + 1)
    ]
    details: Row = {
        "chunks": None,
        "batches": 0,
        "bytes_formula": 2 * bench.parties * 4 * bench.dim,
        "exact": all_agree(told),
    }
    return Measured("plain_fedavg", network, turns, carried, details)
