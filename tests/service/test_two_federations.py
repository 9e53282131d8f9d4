"""Two federations on one machine, with the same names, know nothing of each other."""

from __future__ import annotations

import asyncio

import pytest

from secfpp.bench.planted import Planting, party_names, plant
from secfpp.demo.launcher import COORDINATOR, Federation, Waits
from secfpp.demo.verify import verify
from secfpp.errors import PeersMissing
from secfpp.pki.store import Identity
from secfpp.settings.files import JobSettings, TrainingJob
from secfpp.transport.operator_api import OperatorClient

pytestmark = pytest.mark.xdist_group("restarts")

DIM, ROUNDS = 256, 2
JOB = JobSettings(name="both", rounds=ROUNDS, training=TrainingJob(kind="vectors", dim=DIM))


def federation(home, seed):
    home.mkdir()
    vectors = plant(home, party_names(4), Planting(DIM, ROUNDS, 1, seed))
    sections = {name: {"vectors": {"path": str(path)}} for name, path in vectors.items()}
    return Federation(home / "run", sections, Waits())


def check(one, run):
    homes = {name: one.home / name / run for name in one.parties}
    assert verify(one.home / COORDINATOR / run, homes).passed


def test_both_run_at_once_and_the_operator_of_one_is_a_stranger_at_the_other(tmp_path):
    first, second = (federation(tmp_path / name, seed) for seed, name in enumerate("ab"))

    async def both():
        stranger = OperatorClient(
            Identity.load(first.operator_tls), second.operator_address, COORDINATOR
        )
        async with asyncio.timeout(60):
            while '"listening"' not in second.log_of(COORDINATOR).read_text():
                await asyncio.sleep(0.05)
        with pytest.raises(PeersMissing, match=r"certificate|handshake|closed the connection"):
            await stranger.call(b"{}", timeout=2)
        await stranger.close()
        return await asyncio.gather(*(one.conduct(JOB, lambda _: None) for one in (first, second)))

    try:
        for one in (first, second):
            one.start()
        runs = asyncio.run(both())
        for one, run in zip((first, second), runs, strict=True):
            assert set(one.wait(60).values()) == {0}
            check(one, run)
    finally:
        first.stop()
        second.stop()
