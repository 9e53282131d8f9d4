"""Between runs a party says whether its coordinator lets it in: once, and at each change."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from secfpp.errors import PolicyRefusal
from secfpp.party.daemon import PartyDaemon
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.settings import clock
from secfpp.settings.files import PartySettings, Time, Tls
from secfpp.transport.grpc_tls import Mailbox


@pytest.fixture
def homes(tmp_path):
    return throwaway_federation(tmp_path, {"boss": Role.COORDINATOR, "clinic": Role.PARTY})


async def until(logs: list, words: str, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while sum(words in f"{line['event']} {line.get('reason')}" for line in logs) < times:
            await asyncio.sleep(0.02)


async def test_a_party_says_each_change_of_whether_its_coordinator_lets_it_in(
    homes, tmp_path, monkeypatch
):
    monkeypatch.setattr(clock, "SPEAK_EVERY", 0.02)
    monkeypatch.setattr(clock, "SELDOM", 0.02)
    roster: list[str] = []

    def admit(name: str, role: Role) -> None:
        if name not in roster:
            raise PolicyRefusal("roster", f"{name} is not on the coordinator's roster")

    boss = Mailbox(Identity.load(homes["boss"]), listen="127.0.0.1:0", admit=admit)
    port = await boss.start()
    settings = PartySettings(
        listen="127.0.0.1:1",
        coordinator="boss",
        coordinator_address=f"127.0.0.1:{port}",
        state_dir=tmp_path / "state",
        tls=Tls(directory=homes["clinic"]),
        time=Time(connect_wait=1, idle_timeout=1),
    )
    daemon = PartyDaemon(settings)
    daemon._link.open("boss", settings.coordinator_address)
    with capture_logs() as logs:
        seeking = asyncio.create_task(daemon._seek())
        await until(logs, "clinic is not on the coordinator's roster")
        await asyncio.sleep(0.3)
        roster.append("clinic")
        await until(logs, "coordinator reached")
        await asyncio.sleep(0.3)
        await boss.close(0)
        await until(logs, "TCP refused, nothing listens there")
        boss = Mailbox(boss.identity, listen=settings.coordinator_address, admit=admit)
        await boss.start()
        await until(logs, "coordinator reached", 2)
        seeking.cancel()
    said = [line["event"] for line in logs if line["event"] != "a caller was refused"]
    assert said == ["coordinator not reached", "coordinator reached"] * 2
    await daemon._link.close()
    daemon._store.close()
    await boss.close(0)
