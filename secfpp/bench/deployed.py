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
from dataclasses import dataclass, field
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
from secfpp.learn.embedded import embedded_width
from secfpp.operator.client import Operator
from secfpp.protocol.params import AttemptKey
from secfpp.settings.clock import SPEAK_EVERY
from secfpp.settings.files import JobSettings
from secfpp.settings.rounds import round_params
from secfpp.transport.profiles import Profile

TYPICAL: Final = Charges(150e-6, SECONDS_A_BYTE, 30e-6, 80e-6)
"""CPU seconds beside the machines, as `bench round` fits them on common servers."""

Links = Mapping[tuple[str, str], Row]
"""What was measured, by who measured and to whom."""


async def everyone(operator: Operator) -> Sequence[str]:
    """All participants, who from now on let each other measure; PeersMissing names the silent."""
    names, silent = await operator.participants()
    if silent:
        raise PeersMissing("; ".join(silent.values()), fix="start them")
    return names


async def survey(operator: Operator, names: Sequence[str], told: Callable[[str], None]) -> Links:
    """Have every participant measure its way to every other; `told` hears who does, and how far.

    PeersMissing names who cannot reach whom.
    """
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
                raise PeersMissing(
                    f"{name} cannot measure its way to {other}: {link['trouble']}",
                    fix="mend this way, and measure again",
                )
    return links


@dataclass(frozen=True)
class DeployedRound(RoundBench):
    """A round of a job that there is: nothing of it is made up from the sizes."""

    asked: JobSettings = field(default_factory=JobSettings)

    @property
    def job(self) -> JobSettings:
        """The job as it was given."""
        return self.asked


def bench_of(job: JobSettings, parties: int, dim: int) -> DeployedRound:
    """A round of `job` among so many parties, in as many clusters as can open a mean.

    `dim` 0 stands for what the job says. ConfigError where it says nothing, or cannot be run.
    """
    dim = dim or _dim_of(job)
    key, names = AttemptKey("bench", 1, 1), party_names(parties)
    params = round_params(job, key, COORDINATOR, names, dim)
    return DeployedRound(
        parties=parties,
        dim=dim,
        colluders=params.colluders,
        stragglers=params.stragglers,
        adversaries=params.adversaries,
        clusters=most_clusters(parties, params.minimum_cluster),
        method=job.clustering.method,
        asked=job,
    )


def _dim_of(job: JobSettings) -> int:
    """The values of a prompt, where the job tells them without its model being loaded."""
    if job.training.kind == "vectors":
        return job.training.dim
    if job.clip.weights == "embedded":
        return job.clip.tokens * embedded_width()
    raise ConfigError(
        f"how many values a prompt has depends on the width of the text tower of {job.clip.model}",
        fix=f"add --dim with clip.tokens ({job.clip.tokens}) × that width",
    )


def predicted(bench: RoundBench, links: Links, coordinator: str) -> Row:
    """Seconds of a warm round over links that were measured, and what all parties send in it."""
    parties = sorted({one for one, _ in links if one != coordinator})
    real = dict(zip(party_names(len(parties)), parties, strict=True)) | {COORDINATOR: coordinator}

    def between(one: str, other: str) -> Profile:
        there, back = links[real[one], real[other]], links[real[other], real[one]]
        trips = [float(str(link["rtt_ms"])) for link in (there, back)]
        rate = there["mbit"]  # None where it was too fast to tell: then nothing limits it.
        mbit = None if rate is None else float(str(rate))
        return Profile(rtt_ms=statistics.fmean(trips), mbit=mbit)

    one = clocked(bench, Network("deployed", between), TYPICAL, None)
    return {
        "clusters": bench.clusters,
        "flights": one.flights,
        "seconds": one.seconds,
        "payload_sent_by_parties": one.parts.total() - one.parts["framing"],
    }


def measured(events: Sequence[Event]) -> list[Row]:
    """Of every round with reports: the slowest party's seconds, and what these parties sent."""
    reports: defaultdict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.event == "report":
            reports[event.round].append(event)
    return [
        {
            "round": number,
            "parties": len(told),
            "seconds": max(event.seconds for event in told),
            "payload_sent_by_parties": sum(event.bytes for event in told),
        }
        for number, told in sorted(reports.items())
    ]
