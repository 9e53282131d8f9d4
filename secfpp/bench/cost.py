"""`secfpp bench cost`: what runs have cost each participant, by a table of prices.

Read from the manifests of run directories: payload bytes with each peer, CPU seconds of the daemon
and of training, and the seconds for which training held a GPU, all of finished rounds. Framing,
attempts that failed, electricity, disks and idle machines are in none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, NonNegativeInt

from secfpp.errors import ConfigError
from secfpp.journal.files import read_json
from secfpp.settings.loading import Section, parse
from secfpp.settings.prices import Prices

GIGABYTE = 1e9
HOUR = 3600.0


class _Cpu(Section, extra="ignore"):
    total: float = Field(ge=0)


class _Facts(Section, extra="ignore"):
    train_cpu_seconds: float = Field(0.0, ge=0)
    train_gpu_seconds: float = Field(0.0, ge=0)


class _Round(Section, extra="ignore"):
    cpu_seconds: _Cpu
    by_peer: dict[str, dict[str, tuple[NonNegativeInt, NonNegativeInt]]]
    facts: _Facts = Field(default_factory=_Facts)


class _Manifest(Section, extra="ignore"):
    """What a bill needs of a manifest, by phase and peer as `journal.phases.written` has it."""

    run: str
    party: str = "coordinator"
    rounds: tuple[_Round, ...]


@dataclass(frozen=True)
class Bill:
    """What one participant spent in one run, and what that costs."""

    run: str
    participant: str
    rounds: int
    sent: int
    received: int
    cpu_seconds: float
    gpu_seconds: float
    traffic_cost: float
    cpu_cost: float
    gpu_cost: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.traffic_cost + self.cpu_cost + self.gpu_cost


def bills(places: Iterable[Path], prices: Prices) -> list[Bill]:
    """A bill for each manifest among or below `places`, once; ConfigError where there is none."""
    paths: dict[Path, None] = {}  # In order.
    for place in places:
        found = [place] if place.is_file() else sorted(place.rglob("manifest.json"))
        if not found:
            raise ConfigError(
                f"there is no manifest.json below {place}",
                fix="name a run directory, as daemons write them into their state_dir",
            )
        paths |= dict.fromkeys(path.resolve() for path in found)
    return [_bill(_manifest(path), prices) for path in paths]


def _manifest(path: Path) -> _Manifest:
    try:
        return parse(_Manifest, read_json(path), str(path))
    except ConfigError as error:
        raise ConfigError(
            f"this is no manifest of a run: {error}",
            fix="name only what daemons have written, or restore it from a backup",
        ) from error


def _bill(manifest: _Manifest, prices: Prices) -> Bill:
    rounds = manifest.rounds
    cpu = sum(one.cpu_seconds.total + one.facts.train_cpu_seconds for one in rounds)
    gpu = sum(one.facts.train_gpu_seconds for one in rounds)
    moved = [
        (peer, sent, received)
        for one in rounds
        for peers in one.by_peer.values()
        for peer, (sent, received) in peers.items()
    ]
    paid = [one for one in moved if one[0] not in prices.free_peers]
    traffic = sum(sent for _, sent, _ in paid) * prices.sent_per_gb
    traffic += sum(received for *_, received in paid) * prices.received_per_gb
    return Bill(
        run=manifest.run,
        participant=manifest.party,
        rounds=len(rounds),
        sent=sum(sent for _, sent, _ in moved),
        received=sum(received for *_, received in moved),
        cpu_seconds=cpu,
        gpu_seconds=gpu,
        traffic_cost=traffic / GIGABYTE,
        cpu_cost=cpu * prices.cpu_core_hour / HOUR,
        gpu_cost=gpu * prices.gpu_hour / HOUR,
    )
