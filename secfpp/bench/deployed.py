"""`secfpp bench network`: the links of a deployed federation, and what a round takes on them.

Every participant measures its way to every other (`transport.probing`), one after the other. A
round of a job is then run on the clock (`bench.clock`) over links as slow as those, with a core for
each participant: a prediction of what the parties' own reports say afterwards.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from secfpp.bench.clock import Charges
from secfpp.bench.links import Network
from secfpp.bench.planted import party_names
from secfpp.bench.simulated import SECONDS_A_BYTE, clocked
from secfpp.bench.turns import Row
from secfpp.bench.work import RoundBench, most_clusters
from secfpp.demo.launcher import COORDINATOR
from secfpp.errors import ConfigError, PeersMissing
from secfpp.journal.events import Event
from secfpp.operator.client import Operator
from secfpp.settings.clock import SPEAK_EVERY
from secfpp.settings.files import JobSettings
from secfpp.settings.rounds import default_stragglers, with_colluders
from secfpp.transport.profiles import Profile

TYPICAL: Final = Charges(150e-6, SECONDS_A_BYTE, 30e-6, 80e-6)
"""CPU seconds beside the machines, as `bench round` fits them on common servers."""

Links = Mapping[tuple[str, str], Row]
"""What was measured, by who measured and to whom."""


async def survey(operator: Operator, told: Callable[[str], None]) -> Links:
    """Have every participant measure its way to every other; `told` hears who does, and how far.

    PeersMissing names who does not answer, or cannot reach whom.
    """
    names, silent = await operator.participants()
    if silent:
        raise PeersMissing("; ".join(silent.values()), fix="start them")
    links = {}
    for name in names:
        others = [other for other in names if other != name]
        told(f"{name} measures its way to {len(others)} others")
        spoken = time.monotonic()
        for done, other in enumerate(others):
            if time.monotonic() - spoken > SPEAK_EVERY:
                told(f"{name} has measured {done} of {len(others)}, next its way to {other}")
                spoken = time.monotonic()
            link = links[name, other] = await operator.link(name, other)
            if link["trouble"]:
                raise PeersMissing(f"{name} cannot measure: {link['trouble']}")
    return links


def bench_of(job: JobSettings, parties: int, dim: int) -> RoundBench:
    """A round of `job` among so many parties, in as many clusters as can open a mean."""
    protocol = with_colluders(job, parties).protocol
    colluders = protocol.colluders or 0
    stragglers = protocol.stragglers
    if stragglers is None:
        stragglers = default_stragglers(parties, colluders)
    return RoundBench(
        parties=parties,
        dim=dim,
        colluders=colluders,
        stragglers=stragglers,
        adversaries=protocol.adversaries,
        clusters=most_clusters(parties, colluders),
        repeats=max(1, job.rounds - 1),
        method=job.clustering.method,
    )


def dim_of(job: JobSettings, dim: int) -> int:
    """The values of a prompt: as given, or as the job says; ConfigError where neither does."""
    if dim or job.training.kind == "vectors":
        return dim or job.training.dim
    raise ConfigError(
        "how many values a prompt has depends on the parties' model",
        fix=f"add --dim with clip.tokens ({job.clip.tokens}) × the width of its text tower",
    )


def predicted(bench: RoundBench, links: Links, coordinator: str) -> Row:
    """Seconds and bytes of a warm round over links that were measured."""
    parties = sorted({one for one, _ in links if one != coordinator})
    real = dict(zip(party_names(len(parties)), parties, strict=True)) | {COORDINATOR: coordinator}

    def between(one: str, other: str) -> Profile:
        there, back = links[real[one], real[other]], links[real[other], real[one]]
        trips = [float(str(link["rtt_ms"])) for link in (there, back)]
        return Profile(rtt_ms=statistics.fmean(trips), mbit=float(str(there["mbit"])))

    one = clocked(bench, Network("deployed", between), TYPICAL, None)
    moved = {real[name]: one.sent[name] for name in one.sent}
    return {
        "clusters": bench.clusters,
        "flights": one.flights,
        "seconds": one.seconds,
        "bytes_sent": sum(moved.values()),
        "bytes_sent_by": moved,
    }


def measured(events: Sequence[Event]) -> list[Row]:
    """Of every round that all reported: the slowest party's seconds, and what all parties sent."""
    reports: defaultdict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.event == "report":
            reports[event.round].append(event)
    return [
        {
            "round": number,
            "parties": len(told),
            "seconds": max(event.seconds for event in told),
            "bytes_sent": sum(event.bytes for event in told),
        }
        for number, told in sorted(reports.items())
    ]
