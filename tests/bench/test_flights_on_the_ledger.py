"""The ledger's flights, beside those that followed each other in a round on the clock."""

from __future__ import annotations

import pytest

from secfpp.bench.deployed import TYPICAL, bench_of
from secfpp.bench.links import network_named
from secfpp.bench.simulated import clocked
from secfpp.coordinator.records import ledger_entry
from secfpp.settings.files import JobSettings


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("method", ["adaptive", "one_shot"])
def test_the_ledger_counts_as_many_flights_as_followed_each_other(method, strict):
    job = JobSettings(
        protocol={"strict_queries": strict},
        clustering={"method": method},
        training={"kind": "vectors", "dim": 1024},
    )
    one = clocked(bench_of(job, 8, 0), network_named("wan"), TYPICAL, None)
    disclosed = one.coordinator.result.disclosed
    entry = ledger_entry(one.coordinator.params, disclosed, job, None)
    assert entry["flights"] == one.flights
