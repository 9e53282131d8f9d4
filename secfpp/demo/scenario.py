"""Who takes part in the demo: which party holds which data, and the job they run.

There are two to four domains, as many as have four parties each: 8 parties are 2 domains of 4, 12
are 3 of 4. Parties of one domain hold different photographs. The job names no number of clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from secfpp.errors import ConfigError
from secfpp.journal.files import private_directory
from secfpp.settings.files import JobSettings, TrainingJob

FEWEST_A_DOMAIN, FEWEST, MOST = 4, 8, 40
"""Parties: in each domain, and in all; beyond, the photographs are too few to be divided."""

DOMAINS = {
    2: ("photograph", "pencil"),
    3: ("pencil", "cartoon", "night"),
    4: ("photograph", "pencil", "cartoon", "night"),
}
VECTOR_DIM = 1024


class Training(Enum):
    """What the demo's parties share: tuned prompts, or planted vectors (fast, without torch)."""

    CLIP = "clip"
    VECTORS = "vectors"


@dataclass(frozen=True)
class Scenario:
    """The cast of a demo: each party's domain and TOML sections, and the job."""

    job: JobSettings
    domains: dict[str, str]
    sections: dict[str, dict[str, dict[str, object]]]


def scenario(training: Training, *, parties: int, rounds: int, seed: int, home: Path) -> Scenario:
    """The demo for 8 to 40 parties; ConfigError otherwise."""
    if not FEWEST <= parties <= MOST:
        raise ConfigError(
            f"the demo has data for {FEWEST} to {MOST} parties, not for {parties}",
            fix=f"give --parties {FEWEST} to {MOST}",
        )
    count = min(max(DOMAINS), parties // FEWEST_A_DOMAIN)
    names = tuple(f"party-{index + 1}" for index in range(parties))
    domains = {name: DOMAINS[count][index % count] for index, name in enumerate(names)}
    parts = {name: index // count for index, name in enumerate(names)}
    if training is Training.VECTORS:
        job = JobSettings(
            name="demo",
            rounds=rounds,
            seed=seed,
            training=TrainingJob(kind="vectors", dim=VECTOR_DIM),
        )
        paths = _planted(domains, rounds, seed, home)
        return Scenario(job, domains, {n: {"vectors": {"path": str(paths[n])}} for n in names})
    job = JobSettings(name="demo", rounds=rounds, seed=seed)
    sections: dict[str, dict[str, dict[str, object]]] = {
        name: {
            "data": {
                "kind": "embedded",
                "domain": domains[name],
                "part": [parts[name], -(-parties // count)],
                "seed": seed,
            },
        }
        for name in names
    }
    return Scenario(job, domains, sections)


def _planted(domains: dict[str, str], rounds: int, seed: int, home: Path) -> dict[str, Path]:
    """Vectors (rounds, dim) around one centre a domain: test data, seeded, nothing secret."""
    rng = np.random.default_rng(seed)
    centres = {
        domain: rng.normal(size=VECTOR_DIM) * 0.2 for domain in dict.fromkeys(domains.values())
    }
    directory = private_directory(home / "vectors")
    paths = {}
    for name, domain in domains.items():
        noise = rng.normal(size=(rounds, VECTOR_DIM)) * 0.1
        paths[name] = directory / f"{name}.npy"
        # Within the clip, so that the plain oracle and the protocol see the same values.
        np.save(paths[name], (centres[domain] + noise).clip(-1, 1).astype(np.float32))
    return paths
