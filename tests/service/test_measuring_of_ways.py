"""What a party lets a coordinator ask of its network, and a party answer a coordinator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from secfpp.coordinator.survey import Survey
from secfpp.errors import PeersMissing, PeerViolation, PolicyRefusal
from secfpp.party import daemon as party_daemon
from secfpp.party.daemon import PartyDaemon
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.settings.files import PartySettings, Tls
from secfpp.transport import probing
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.probing import LinkSpeed, have_measured, introduce, probing_service

PARTIES = {"clinic": "127.0.0.1:1", "hospital": "127.0.0.1:2"}


@pytest.fixture
def homes(tmp_path):
    return throwaway_federation(tmp_path, {"boss": Role.COORDINATOR, "clinic": Role.PARTY})


@pytest.fixture
async def daemon(homes, tmp_path) -> AsyncIterator[PartyDaemon]:
    made = PartyDaemon(
        PartySettings(
            listen="127.0.0.1:1",
            coordinator="boss",
            coordinator_address="127.0.0.1:3",
            state_dir=tmp_path / "state",
            tls=Tls(directory=homes["clinic"]),
        )
    )
    yield made
    made._store.close()


@pytest.mark.parametrize(
    "participants",
    [
        "abc",
        ["x"],
        {"x": 5},
        {"x": "..:0"},
        {"x": "unix:/run/x.sock"},
        {"X!": "a:1"},
        {f"p{number}": f"a:{number + 1}" for number in range(513)},
    ],
)
async def test_a_party_takes_names_and_addresses_of_a_roster_only(daemon, participants):
    before = dict(daemon._known)
    with pytest.raises(ValueError, match="validation error"):
        await daemon._measure("boss", participants, "")
    assert daemon._known == before


@pytest.mark.parametrize("peer", ["zed", 5, True, None, ["hospital"]])
async def test_a_party_measures_no_way_but_to_a_participant(daemon, peer):
    with pytest.raises(KeyError):
        await daemon._measure("boss", PARTIES, peer)


async def test_who_has_left_the_roster_is_not_let_in_any_longer(daemon):
    await daemon._measure("boss", {**PARTIES, "other": "127.0.0.1:4"}, "")
    daemon._admit("other", Role.PARTY)
    await daemon._measure("boss", {**PARTIES, "boss": "127.0.0.1:5"}, "")
    daemon._admit("hospital", Role.PARTY)
    daemon._admit("boss", Role.COORDINATOR)
    with pytest.raises(PolicyRefusal, match="other is not on the roster"):
        daemon._admit("other", Role.PARTY)
    daemon._get_to_know(["other"])
    with pytest.raises(PolicyRefusal, match="hospital is not on the roster"):
        daemon._admit("hospital", Role.PARTY)


async def test_a_party_measures_one_way_at_a_time(daemon, monkeypatch):
    go_on = asyncio.Event()

    async def measure(identity, name, address):
        await go_on.wait()
        return LinkSpeed(name, 1.0, 2.0, 3.0)

    monkeypatch.setattr(party_daemon, "measure_link", measure)
    first = asyncio.create_task(daemon._measure("boss", PARTIES, "hospital"))
    await asyncio.sleep(0)
    with pytest.raises(PolicyRefusal, match="measures another way now"):
        await asyncio.wait_for(daemon._measure("boss", PARTIES, "boss"), 5)
    go_on.set()
    assert await first == LinkSpeed("hospital", 1.0, 2.0, 3.0)
    assert await daemon._measure("boss", PARTIES, "boss") == LinkSpeed("boss", 1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    "answer",
    [
        b"null",
        b"7",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"peer": "other", "rtt_ms": 1.0}',
        b'{"peer": "hospital", "rtt_ms": "1"}',
        b'{"peer": "hospital", "rtt_ms": NaN}',
        b'{"peer": "hospital", "mbit": -1}',
    ],
)
async def test_a_party_whose_answer_is_no_measurement_is_named(homes, monkeypatch, answer):
    async def asked(*_):
        return answer

    monkeypatch.setattr(probing, "_asked", asked)
    boss = Identity.load(homes["boss"])
    with pytest.raises(PeerViolation, match="clinic: was asked for its way to hospital"):
        await have_measured(boss, "clinic", PARTIES, "hospital")
    survey = Survey(boss, lambda: PARTIES, lambda: "")
    assert (await survey.introduce())["silent"] == {}


async def test_the_words_of_a_measurement_are_one_line(homes, monkeypatch):
    async def asked(*_):
        return json.dumps({"peer": "hospital", "trouble": "one\ntwo\x1b[2J"}).encode()

    monkeypatch.setattr(probing, "_asked", asked)
    way = await have_measured(Identity.load(homes["boss"]), "clinic", PARTIES, "hospital")
    assert way == LinkSpeed("hospital", trouble="one two?[2J")


async def test_over_the_network_an_odd_request_is_refused_and_a_sound_one_answered(homes, daemon):
    beside = (probing_service(lambda name, role: None, daemon._measure),)
    clinic = Mailbox(
        Identity.load(homes["clinic"]), listen="127.0.0.1:0", admit=daemon._admit, beside=beside
    )
    address = f"127.0.0.1:{await clinic.start()}"
    boss = Identity.load(homes["boss"])
    try:
        await introduce(boss, "clinic", {"clinic": address})
        with pytest.raises(PeersMissing, match="did not answer"):
            await introduce(boss, "clinic", {"clinic": address, "No Name": "a:1"})
    finally:
        await clinic.close(0)
