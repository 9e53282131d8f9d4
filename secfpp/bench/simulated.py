"""The rounds of `secfpp bench round` on the clock of `bench.clock`, beyond what processes reach.

What a daemon spends beside its machine is fitted to measured rounds of real daemons over one
network, and the clock is then held against those over all others.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from secfpp.bench.clock import FRAMING_BYTES, Charges, Clock, ClockedRound, Job
from secfpp.bench.closed_form import parts_of_round
from secfpp.bench.in_memory import NamedSigner, equals_plain
from secfpp.bench.links import Network
from secfpp.bench.planted import Planting, party_names, planted
from secfpp.bench.turns import Measured, Row
from secfpp.bench.work import RoundBench
from secfpp.cluster.methods import ClusteringMethod
from secfpp.cluster.queries import Assignment
from secfpp.demo.launcher import COORDINATOR
from secfpp.pki.certificates import make_authority, new_key, sign_message, signature_holds
from secfpp.protocol.circumstances import Circumstances
from secfpp.protocol.coordinator import CoordinatorRound
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.disclosure import Policy
from secfpp.protocol.params import AttemptKey, QueryKind
from secfpp.protocol.party import PartyRound
from secfpp.settings.rounds import round_params

SECONDS_A_BYTE = 1e-9
"""CPU of gRPC, TLS and copying at one end: a megabyte takes both ends about 2 ms."""

WARM_ROUND = 2


def clocked(
    bench: RoundBench, network: Network, charges: Charges, cores: int | None
) -> ClockedRound:
    """Run a warm round: every party stands in its planted cluster, and its vector is fresh.

    `cores` are shared by all participants; None gives each one of its own.
    """
    names = party_names(bench.parties)
    key = AttemptKey("bench", WARM_ROUND, 1)
    params = round_params(bench.job, key, COORDINATOR, names, bench.dim)
    quantiser = params.prompt_sharing.quantiser
    vectors = planted(bench.parties, Planting(bench.dim, 1, bench.clusters, bench.seed))
    policy = Policy(
        COORDINATOR, query_kinds=frozenset(QueryKind), maximum_queries=params.query_budget
    )
    signers = {name: NamedSigner(name) for name in (COORDINATOR, *names)}
    one = ClockedRound(
        CoordinatorRound(
            params,
            ClusteringMethod(bench.job.clustering.method).clusterer,
            Assignment({name: place % bench.clusters for place, name in enumerate(names)}),
            signers[COORDINATOR],
            os.urandom,
            None,
        ),
        {
            name: PartyRound(name, Circumstances(policy, signers[name], os.urandom))
            for name in names
        },
        signers,
        {name: (quantiser.levels(own[0])[0],) for name, own in zip(names, vectors, strict=True)},
        network,
        charges,
        Clock(cores),
    )
    one.run()
    return one


def fitted(cases: Sequence[tuple[RoundBench, Network, Measured]]) -> Charges:
    """Charges with which the clock's CPU seconds come nearest to those of the measured rounds.

    Least squares of the relative errors, of a charge for each message and one for each participant;
    of the first alone where the two cannot be told apart, or one would be negative. What a relay
    spends is the median over those rounds that had any.
    """
    sign, verify = _signature_seconds()
    charges = Charges(0.0, SECONDS_A_BYTE, sign, verify)
    parts, wanted, relays = [], [], []
    for bench, network, measured in cases:
        clocked(bench, network, charges, None)  # Caches are warm in a daemon's second round.
        one = clocked(bench, network, charges, None)
        spent = statistics.median(turn.cpu_seconds for turn in measured.turns)
        parts.append([2 * one.messages / spent, (bench.parties + 1) / spent])
        wanted.append(1.0 - one.clock.spent / spent)
        if network.shaped:
            relays.append(measured.relay_seconds / one.messages)
    found, _, rank, _ = np.linalg.lstsq(np.array(parts), np.array(wanted))
    if rank < len(found) or found.min() < 0.0:
        found = [*np.linalg.lstsq(np.array(parts)[:, :1], np.array(wanted))[0], 0.0]
    message, once = (max(float(value), 0.0) for value in found)
    return replace(charges, message=message, round=once, relay=statistics.median(relays or [0.0]))


def clocked_rows(
    bench: RoundBench, network: Network, charges: Charges, cores: int | None
) -> tuple[Row, Row]:
    """A result for the secure round and one for plain averaging, like those of real daemons.

    There are no bytes by peer, of which n² would come; instead what each party moves, and what all
    parties send by the parts of the closed form, and framing.
    """
    one = clocked(bench, network, charges, cores)
    machine, closed = one.coordinator, one.coordinator.result
    assert isinstance(closed, Closed)  # noqa: S101 (all parties finished)
    params, distances = machine.params, closed.disclosed.distances
    places = [{params.places[name] for name in cluster} for cluster in closed.disclosed.means]
    batches = 1 + max((line.batch for line in distances), default=-1)
    levels = {name: vectors[0] for name, vectors in one.vectors.items()}
    clusterer = ClusteringMethod(bench.job.clustering.method).clusterer
    parts = parts_of_round(
        bench.sizes(params.prompt_code.chunks, len(distances)),
        places,
        witnesses=len(params.witnesses),
        batches=batches,
        number=params.key.round,
    )
    sent = [one.sent[name] for name in params.roster]
    moved = [one.sent[name] + one.received[name] for name in params.roster]
    secure: Row = {
        **bench.settings,
        **_place(network, "secure"),
        "flights": one.flights,
        "batches": batches,
        "chunks": params.prompt_code.chunks,
        "seconds_median": one.seconds,
        "cpu_seconds": one.clock.spent,
        "bytes_total": sum(one.sent.values()),
        "bytes_payload": one.payload,
        "bytes_formula": sum(parts.values()),
        "bytes_a_party": {"median": statistics.median(moved), "most": max(moved)},
        "bytes_sent_a_party": {"mean": statistics.mean(sent), "most": max(sent)},
        "bytes_sent_by_part": dict(one.parts),
        "bytes_formula_by_part": parts,
        "witnesses": len(params.witnesses),
        "exact": equals_plain(machine, one.parties.values(), levels, clusterer),
    }
    return secure, _plain_row(bench, network, charges, cores)


def _plain_row(bench: RoundBench, network: Network, charges: Charges, cores: int | None) -> Row:
    """Plain averaging on the same clock: vectors up at once, the mean down when all are there."""
    clock, size, names = Clock(cores), 4 * bench.dim, party_names(bench.parties)
    arrived: list[float] = []
    ended: list[float] = []

    def send(one: str, other: str, then: Job) -> Job:
        """Writing a vector, the relay if there is one, the way, and reading it."""
        profile = network.between(one, other)
        rate = profile.bytes_per_second
        way = profile.latency + ((size + FRAMING_BYTES) / rate if rate else 0.0)
        end = charges.message + size * charges.byte

        def fly(now: float) -> None:
            clock.at(now + way, lambda at: clock.work(at, other, lambda now: then(now + end)))

        def relay(now: float) -> float:
            fly(now + charges.relay)
            return now + charges.relay

        def write(now: float) -> float:
            if charges.relay and network.shaped:
                clock.at(now + end, lambda at: clock.work(at, "the relays", relay))
            else:
                fly(now + end)
            return now + end

        return write

    def reached(now: float) -> float:
        ended.append(now)
        return now

    def gathered(now: float) -> float:
        arrived.append(now)
        if len(arrived) == bench.parties:
            for name in names:
                clock.work(now, COORDINATOR, send(COORDINATOR, name, reached))
        return now

    for name in names:
        clock.work(0.0, name, send(name, COORDINATOR, gathered))
    clock.run()
    total = 2 * bench.parties * (size + FRAMING_BYTES)
    return {
        **bench.settings,
        **_place(network, "plain_fedavg"),
        "flights": 2,
        "batches": 0,
        "chunks": None,
        "seconds_median": max(ended),
        "cpu_seconds": clock.spent,
        "bytes_total": total,
        "bytes_payload": 2 * bench.parties * size,
        "bytes_formula": 2 * bench.parties * size,
        "bytes_a_party": {"median": total / bench.parties, "most": total / bench.parties},
        "bytes_sent_a_party": {"mean": size + FRAMING_BYTES, "most": size + FRAMING_BYTES},
        "exact": True,
    }


def _place(network: Network, mode: str) -> Row:
    return {"net": network.name, "mode": mode, "engine": "clock"}


def _signature_seconds() -> tuple[float, float]:
    """CPU seconds of one signature and of one check, with a key like that of a certificate."""
    key = new_key()
    authority = make_authority(key, "bench")
    text = bytes(200)
    signature = sign_message(key, text)
    return (
        _cpu_seconds(lambda: sign_message(key, text)),
        _cpu_seconds(lambda: signature_holds(authority, text, signature)),
    )


def _cpu_seconds(call: Callable[[], object], repeats: int = 300) -> float:
    begun = time.thread_time()
    for _ in range(repeats):
        call()
    return (time.thread_time() - begun) / repeats
