"""Runs of several rounds under losses, crashes, restarts and lies: the laws hold at every step."""

from __future__ import annotations

import os
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, event, given, settings

from .operations import settings_of_runs
from .world import World

RUNS = int(os.environ.get("SIMULATED_RUNS", "0"))
"""How many runs to simulate, drawn anew each time; 0 for the few that are always the same."""


@pytest.mark.timeout(0 if RUNS else 240)
def test_runs_keep_every_law_whatever_happens_to_them(record_property):
    tally: Counter[str] = Counter()

    @settings(
        max_examples=RUNS or 120,
        derandomize=not RUNS,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(settings_of_runs())
    def law(setting):
        world = World(setting)
        world.run()
        ended = world.coordinator.ended
        outcome = "down" if ended is None else "completed" if ended.completed else "failed"
        event(f"the coordinator ended: {outcome}")
        tally["runs"] += 1
        tally[f"runs, {outcome}"] += 1
        tally["rounds equal to the plain oracle"] += world.laws.rounds_equal_to_plain
        tally["means equal to the plain oracle"] += world.laws.means_equal_to_plain
        tally["attempts"] += len(world.laws.params)
        tally.update({f"faults: {kind}": count for kind, count in world.happened.items()})
        tally["faults"] += world.happened.total()

    began = time.monotonic()
    law()
    minutes = (time.monotonic() - began) / 60
    for what, count in tally.items():
        record_property(f"simulated {what}", count)
    for what in ("runs", "attempts", "rounds equal to the plain oracle", "faults"):
        record_property(f"simulated a minute: {what}", round(tally[what] / minutes))
