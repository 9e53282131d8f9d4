"""`secfpp bench cost`: what runs have cost each participant, by a table of prices.

Read from the manifests of run directories: payload bytes with each peer, CPU seconds of the daemon
and of training, and the seconds for which training held a GPU. Electricity, disks and idle machines
are in none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secfpp.errors import ConfigError
from secfpp.journal.files import read_json
from secfpp.settings.prices import Prices

GIGABYTE = 1e9
HOUR = 3600.0


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


def bills(directories: Iterable[Path], prices: Prices) -> list[Bill]:
    """A bill for each manifest below the directories; ConfigError where there is none."""
    found = []
    for directory in directories:
        paths = sorted(directory.rglob("manifest.json"))
        if not paths:
            raise ConfigError(
                f"there is no manifest.json below {directory}",
                fix="name a run directory, as daemons write them into their state_dir",
            )
        found += [_bill(read_json(path), prices) for path in paths]
    return found


def _bill(manifest: Mapping[str, Any], prices: Prices) -> Bill:
    rounds = manifest["rounds"]
    facts = [one.get("facts", {}) for one in rounds]
    cpu = sum(one["cpu_seconds"]["total"] for one in rounds)
    cpu += sum(one.get("train_cpu_seconds", 0.0) for one in facts)
    gpu = sum(one.get("train_gpu_seconds", 0.0) for one in facts)
    moved = [
        (peer, sent, received)
        for one in rounds
        for peers in one["by_peer"].values()
        for peer, (sent, received) in peers.items()
    ]
    paid = [one for one in moved if one[0] not in prices.free_peers]
    traffic = sum(sent for _, sent, _ in paid) * prices.sent_per_gb
    traffic += sum(received for *_, received in paid) * prices.received_per_gb
    return Bill(
        run=manifest["run"],
        participant=manifest.get("party", "coordinator"),
        rounds=len(rounds),
        sent=sum(sent for _, sent, _ in moved),
        received=sum(received for *_, received in moved),
        cpu_seconds=cpu,
        gpu_seconds=gpu,
        traffic_cost=traffic / GIGABYTE,
        cpu_cost=cpu * prices.cpu_core_hour / HOUR,
        gpu_cost=gpu * prices.gpu_hour / HOUR,
    )
