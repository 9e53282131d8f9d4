"""SIGHUP, which makes a coordinator read its roster again, does not end a party."""

from __future__ import annotations

import asyncio
import os
import signal

from structlog.testing import capture_logs

from secfpp.demo.launcher import free_ports
from secfpp.party.daemon import PartyDaemon
from secfpp.pki.names import Role
from secfpp.pki.store import throwaway_federation
from secfpp.settings.files import PartySettings, Time, Tls


async def test_a_party_goes_on_after_sighup_and_says_that_it_reads_no_settings_again(tmp_path):
    homes = throwaway_federation(tmp_path, {"boss": Role.COORDINATOR, "clinic": Role.PARTY})
    settings = PartySettings(
        listen=f"127.0.0.1:{free_ports(['clinic'])['clinic']}",
        coordinator="boss",
        coordinator_address="127.0.0.1:1",
        state_dir=tmp_path / "state",
        tls=Tls(directory=homes["clinic"]),
        time=Time(connect_wait=1, idle_timeout=1),
    )
    before = signal.signal(signal.SIGHUP, lambda *_: None)  # Not the end of the tests.
    try:
        daemon = PartyDaemon(settings)
        with capture_logs() as logs:
            serving = asyncio.create_task(daemon.serve())
            async with asyncio.timeout(20):
                while not any(line["event"] == "listening" for line in logs):
                    await asyncio.sleep(0.02)
                os.kill(os.getpid(), signal.SIGHUP)
                while not any("reads no settings again" in line["event"] for line in logs):
                    await asyncio.sleep(0.02)
        assert not serving.done()
        daemon._end(True)
        assert await asyncio.wait_for(serving, 20)
    finally:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(signal.SIGHUP, before)
