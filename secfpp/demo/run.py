"""The demo from start to proof: launch, submit, follow, verify, and tell."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from secfpp.cluster.plain import adjusted_rand_index
from secfpp.demo.launcher import COORDINATOR, Federation, Told
from secfpp.demo.scenario import Scenario
from secfpp.demo.verify import verify
from secfpp.journal.files import read_json


def run_demo(scenario: Scenario, home: Path, told: Told) -> dict[str, object]:
    """Run the scenario with its files below `home`; returns the data that the demo prints."""
    federation = Federation(home, scenario.sections)
    try:
        federation.start()
        run = asyncio.run(federation.conduct(scenario.job, told))
        federation.wait(60)
    finally:
        federation.stop()
    return collect(federation, scenario, run)


def collect(federation: Federation, scenario: Scenario, run: str) -> dict[str, object]:
    """Read every process's run directory, verify, and put it together.

    Of each round `seconds` has, by phase, those of the party that took longest in it, and as
    `total` those of the party that took longest over all: the phases may add up to more.
    """
    coordinator_run = federation.home / COORDINATOR / run
    homes = {name: federation.home / name / run for name in federation.parties}
    ledger = json.loads((coordinator_run / "ledger.json").read_text("utf-8"))
    manifests = {name: read_json(home / "manifest.json") for name, home in homes.items()}
    checked = verify(coordinator_run, homes)
    rounds = [_round(entry, manifests) for entry in ledger["rounds"]]
    true = {
        name: sorted(set(scenario.domains.values())).index(d)
        for name, d in scenario.domains.items()
    }
    last = ledger["rounds"][-1]["opened_to_everyone"]["assignment"]
    return {
        "run": run,
        "rounds": rounds,
        "verify": {**asdict(checked), "passed": checked.passed},
        "true_domains": scenario.domains,
        "adjusted_rand_index": adjusted_rand_index(last, {name: true[name] for name in last}),
        "disclosed": _disclosed([*ledger["rounds"], *ledger["unfinished"]]),
        "parameters": ledger["rounds"][0]["parameters"],
        "processes": 1 + len(federation.parties),
        "report": str(federation.home),
        "passed": checked.passed,
    }


def _round(entry: dict, manifests: dict[str, dict[str, object]]) -> dict[str, object]:  # type: ignore[type-arg]  # JSON of our own
    notes = {
        name: note
        for name, manifest in manifests.items()
        for note in manifest["rounds"]  # type: ignore[attr-defined]  # JSON of our own
        if note["round"] == entry["round"]
    }
    phases = ("train", "share", "check", "cluster", "sum", "total")
    told: dict[str, object] = {
        "round": entry["round"],
        "assignment": entry["opened_to_everyone"]["assignment"],
        "distances": len(entry["opened_to_coordinator"]["distances"]),
        "flights": entry["flights"],
        "seconds": {
            phase: max(note["seconds"].get(phase, 0.0) for note in notes.values())
            for phase in phases
        },
        "bytes": {
            name: {way: note[way]["total"] for way in ("sent", "received")}
            for name, note in notes.items()
        },
    }
    for key, fact in (("accuracy", "accuracy"), ("accuracy_zero_shot", "zero_shot")):
        told[key] = {n: note["facts"][fact] for n, note in notes.items() if fact in note["facts"]}
    return told


def _disclosed(rounds: list[dict]) -> dict[str, int]:  # type: ignore[type-arg]  # JSON of our own
    return {
        "distances": sum(len(r["opened_to_coordinator"]["distances"]) for r in rounds),
        "assignments": sum(bool(r["opened_to_everyone"]["assignment"]) for r in rounds),
        "cluster_means_to_members": sum(
            len(r["opened_to_members"]["cluster_means"]) for r in rounds
        ),
    }
