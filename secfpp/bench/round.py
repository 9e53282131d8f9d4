"""`secfpp bench round`: whole rounds over a slow network, beside plain federated averaging.

Every participant is a process with its own keys; each link between two of them leads through a
relay of `transport.shaper`, which this process runs. Both modes move the same vectors through the
same transport in the same run. The first round, in which connections and caches are cold, does not
count. Seconds and CPU are those that each daemon measured of itself, from the moment its vector is
ready until it has its cluster's mean; bytes on the wire are what the relays have passed on.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from secfpp.bench.closed_form import parts_of_round
from secfpp.bench.fedavg import Plan, all_agree, averaged
from secfpp.bench.links import Carried, Links, Network, Pair, network_named, relayed
from secfpp.bench.machine import provenance
from secfpp.bench.planted import Planting, party_names, plant
from secfpp.bench.simulated import clocked_rows, fitted
from secfpp.bench.turns import Measured, Row, Spent, Turn, ratios_of, row_of
from secfpp.bench.work import RoundBench
from secfpp.demo.launcher import COORDINATOR, OPERATOR, Federation, Waits, free_ports
from secfpp.demo.verify import verify
from secfpp.errors import RoundFailed
from secfpp.journal.events import Event

PHASES = ("share", "check", "cluster", "sum")
"""From the vector being ready to the mean; what comes before is `train`."""

EXCHANGE = "exchange"
"""The one phase of plain averaging: vectors up, mean down."""

CALIBRATION = (
    RoundBench(parties=6, colluders=1, clusters=2, repeats=3),
    RoundBench(parties=12, colluders=2, clusters=2, repeats=3),
)
"""What the clock is fitted to where no round of real daemons is asked for."""

WAITS = Waits(connect_wait=120, idle_timeout=60)

Entry = dict[str, Any]
"""A round of a ledger or of a manifest, as JSON."""


def measure(
    benches: Sequence[RoundBench], nets: Sequence[str], most_processes: int
) -> dict[str, object]:
    """{…provenance, "charges", "results": [two modes for each bench, network, engine], "ratios"}.

    Up to `most_processes` parties are real processes, with the clock's rounds beside them; beyond
    there is the clock alone, where each participant has a core of its own and no relay of the
    shaper's stands between. It is fitted to the real rounds over the first network, whose ratios
    therefore prove little.
    """
    networks = [network_named(net) for net in nets]
    real = sorted((b for b in benches if b.parties <= most_processes), key=lambda b: b.parties)
    cases = list(itertools.product(real or CALIBRATION, networks))
    measured = [_measured(bench, network) for bench, network in cases]
    charges = fitted(
        [
            (bench, network, both[0])
            for (bench, network), both in zip(cases, measured, strict=True)
            if network is networks[0]
        ]
    )
    results: list[Row] = []
    ratios: list[Row] = []
    for (bench, network), both in zip(cases, measured, strict=True):
        secure, plain = (row_of(bench.settings, one) for one in both)
        clock = clocked_rows(bench, network, charges, os.cpu_count())
        results += [secure, plain, *clock]
        ratios.append(ratios_of(secure, plain, clock[0]))
    beyond = [bench for bench in benches if bench.parties > most_processes]
    for bench, network in itertools.product(beyond, networks):
        secure, plain = clocked_rows(bench, network, replace(charges, relay=0.0), None)
        results += [secure, plain]
        ratios.append(ratios_of(secure, plain))
    facts = {**provenance(benches[0].seed), "charges": asdict(charges)}
    return {**facts, "results": results, "ratios": ratios}


def _measured(bench: RoundBench, network: Network) -> tuple[Measured, Measured]:
    """The secure round and plain averaging, by real daemons."""
    with tempfile.TemporaryDirectory(prefix="secfpp-bench-") as home:
        return asyncio.run(_both(bench, network, Path(home)))


async def _both(bench: RoundBench, network: Network, home: Path) -> tuple[Measured, Measured]:
    planting = Planting(bench.dim, bench.repeats + 1, bench.clusters, bench.seed)
    vectors = plant(home, party_names(bench.parties), planting)
    secure = await _secure(bench, network, vectors, home / "secure")
    (home / "plain").mkdir()
    return secure, await _plain(bench, network, vectors, home / "plain")


class _Mark:
    """What the relays had carried, and this process had worked, when the second round began."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._carried: Carried | None = None
        self._worked = 0.0

    def set(self) -> None:
        """The second round begins now."""
        self._carried, self._worked = self._links.carried(), time.process_time()

    def since(self, rounds: int) -> tuple[dict[Pair, float], float]:
        """For each round that came after it: bytes on each link, and CPU seconds of all relays."""
        before = self._carried or {}
        now = self._links.carried().items()
        carried = {pair: (count - before.get(pair, 0)) / rounds for pair, count in now}
        return carried, (time.process_time() - self._worked) / rounds


# --- The secure round.


async def _secure(
    bench: RoundBench, network: Network, vectors: Mapping[str, Path], home: Path
) -> Measured:
    everyone = (COORDINATOR, *vectors)
    pairs = [(one, other) for one in everyone for other in everyone if one != other]
    ports = free_ports((*everyone, OPERATOR))
    sections: dict[str, dict[str, dict[str, object]]] = {
        name: {
            "policy": {"query_kinds": ["means", "pairwise"]},
            "vectors": {"path": str(path)},
        }
        for name, path in vectors.items()
    }
    async with relayed(network, ports, pairs) as links:
        federation = Federation(home, sections, WAITS, ports=ports, relays=links.ports)
        mark = _Mark(links)

        def told(event: Event) -> None:
            if (event.event, event.round, event.attempt) == ("opened", 2, 1):
                mark.set()

        try:
            await asyncio.to_thread(federation.start)
            run = await federation.conduct(bench.job, told)
            await asyncio.to_thread(federation.wait, 60)
            carried, relay_seconds = mark.since(bench.repeats)
        finally:
            await asyncio.to_thread(federation.stop)
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
    return Measured("secure", network, turns[1:], carried, relay_seconds, details)


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
    distances = entry["opened_to_coordinator"]["distances"]
    roster, labels = entry["roster"], entry["opened_to_everyone"]["assignment"]
    found = [
        {roster.index(name) for name, label in labels.items() if label == wanted}
        for wanted in range(1 + max(labels.values()))
    ]
    least = entry["parameters"]["minimum_cluster"]
    parts = parts_of_round(
        bench.sizes(entry["parameters"]["chunks"], len(distances)),
        [members if len(members) >= least else set() for members in found],
        witnesses=len(entry["parameters"]["witnesses"]),
        batches=1 + max((line["batch"] for line in distances), default=-1),
        number=entry["round"],
    )
    return sum(parts.values())


# --- Plain averaging.


async def _plain(
    bench: RoundBench, network: Network, vectors: Mapping[str, Path], home: Path
) -> Measured:
    ports = free_ports((COORDINATOR, *vectors))
    pairs = [pair for name in vectors for pair in ((COORDINATOR, name), (name, COORDINATOR))]
    async with relayed(network, ports, pairs) as links:
        relays = {f"{one}>{other}": port for (one, other), port in links.ports.items()}
        paths = {name: str(path) for name, path in vectors.items()}
        mark = _Mark(links)

        def on_turn(turn: int) -> None:
            if turn == 1:
                mark.set()

        told = await averaged(Plan(str(home), ports, relays, paths, bench.repeats + 1), on_turn)
        carried, relay_seconds = mark.since(bench.repeats)
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
    return Measured("plain_fedavg", network, turns, carried, relay_seconds, details)
