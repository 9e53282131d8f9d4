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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from secfpp.bench.closed_form import parts_of_round
from secfpp.bench.fedavg import Plan, all_agree, averaged
from secfpp.bench.links import Carried, Network, Pair, network_named, relayed
from secfpp.bench.machine import provenance
from secfpp.bench.planted import Planting, party_names, plant
from secfpp.bench.simulated import clocked_rows, fitted
from secfpp.bench.turns import Measured, Row, Spent, Turn, ratios_of, row_of
from secfpp.bench.work import RoundBench
from secfpp.demo.launcher import COORDINATOR, OPERATOR, Federation, Waits, free_ports
from secfpp.demo.verify import verify
from secfpp.errors import ConfigError, RoundFailed
from secfpp.journal.events import Event
from secfpp.protocol.params import AttemptKey
from secfpp.settings.rounds import round_params

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
    benches: Sequence[RoundBench],
    nets: Sequence[str],
    most_processes: int,
    told: Callable[[str], None],
) -> dict[str, object]:
    """{…provenance, "charges", "results": [two modes for each bench, network, engine], "ratios"}.

    Up to `most_processes` parties are real processes, with the clock's rounds beside them; beyond
    there is the clock alone, where each participant has a core of its own and no relay of the
    shaper's stands between. It is fitted to the real rounds over the first network that is slow,
    or the first, whose ratios therefore prove little. `told` hears what is being done.
    """
    networks = [network_named(net) for net in nets]
    _check_all(benches, networks)
    real = sorted((b for b in benches if b.parties <= most_processes), key=lambda b: b.parties)
    cases = list(itertools.product(real or CALIBRATION, networks))
    measured = []
    for place, (bench, network) in enumerate(cases, 1):
        told(f"{place} of {len(cases)}: {bench.parties} processes, network {network.name}")
        measured.append(_measured(bench, network))
    base = next((network for network in networks if network.shaped), networks[0])
    charges = fitted(
        [
            (bench, network, both[0])
            for (bench, network), both in zip(cases, measured, strict=True)
            if network is base
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
        told(f"{bench.parties} parties on the clock, network {network.name}")
        secure, plain = clocked_rows(bench, network, replace(charges, relay=0.0), None)
        results += [secure, plain]
        ratios.append(ratios_of(secure, plain))
    facts = {**provenance(benches[0].seed), "charges": asdict(charges)}
    return {**facts, "results": results, "ratios": ratios}


def _check_all(benches: Sequence[RoundBench], networks: Sequence[Network]) -> None:
    """Before anything is measured: ConfigError names what cannot be."""
    for bench in benches:
        names = party_names(bench.parties)
        try:
            round_params(bench.job, AttemptKey("bench", 1, 1), COORDINATOR, names, bench.dim)
        except ConfigError as error:
            raise ConfigError(
                f"no round of {bench.parties} parties with {bench.dim} values: {error}",
                fix="change --parties, --colluders or --stragglers, use a larger --dim or fewer "
                "--repeats",
            ) from error
    largest = party_names(max(bench.parties for bench in benches))
    for network, one in itertools.product(networks, largest):
        network.between(COORDINATOR, one)
        network.between(one, COORDINATOR)


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
        begun: list[float] = []

        def told(event: Event) -> None:
            if (event.event, event.round, event.attempt) == ("opened", 2, 1):
                begun.append(event.time)

        try:
            await asyncio.to_thread(federation.prepare)
            for name in everyone:  # In no thread, which would go on launching when this is ended.
                federation.launch(name)
            run = await federation.conduct(bench.job, told)
            await asyncio.to_thread(federation.wait, 60)
            passed_on = _a_round(links.carried(*begun), bench.repeats)
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
    return Measured("secure", network, turns[1:], *passed_on, details)


def _a_round(passed_on: tuple[Carried, float], rounds: int) -> tuple[dict[Pair, float], float]:
    """Of so many rounds, what one had: bytes on each link, and CPU seconds of all relays."""
    carried, spent = passed_on
    return {pair: count / rounds for pair, count in carried.items()}, spent / rounds


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
        told = await averaged(Plan(str(home), ports, relays, paths, bench.repeats + 1))
        begun = told[COORDINATOR]["begun"][1]
        passed_on = _a_round(links.carried(begun), bench.repeats)
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
    return Measured("plain_fedavg", network, turns, *passed_on, details)
