"""`secfpp bench network`: what a federation measures of its links, predicts and reports."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from secfpp.bench import deployed
from secfpp.bench.commands import app
from secfpp.bench.links import Network, relayed
from secfpp.bench.planted import Planting, party_names, plant
from secfpp.demo.launcher import COORDINATOR, OPERATOR, Federation, Waits, free_ports
from secfpp.errors import ConfigError, PeersMissing, PolicyRefusal
from secfpp.operator.client import Operator
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.settings.files import JobSettings
from secfpp.transport import probing
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.probing import LinkSpeed, have_measured, measure_link, probing_service
from secfpp.transport.profiles import Profile
from secfpp.transport.shaper import Relay

NAMES = party_names(4)
NEAR = Network("near", lambda _, __: Profile(rtt_ms=10, mbit=100))
JOB = """
name = "there"
rounds = 3
[training]
kind = "vectors"
dim = 4096
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the command tells of four parties behind slow links, before, of and after a run."""
    return asyncio.run(measured_there(tmp_path_factory.mktemp("there")))


async def measured_there(home):
    everyone = (COORDINATOR, *NAMES)
    ports = free_ports((*everyone, OPERATOR))
    pairs = [(one, other) for one in everyone for other in everyone if one != other]
    vectors = plant(home, NAMES, Planting(4096, 3, 1, 0))
    sections = {name: {"vectors": {"path": str(path)}} for name, path in vectors.items()}
    job = home / "job.toml"
    job.write_text(JOB)
    async with relayed(NEAR, ports, pairs) as links:
        federation = Federation(home / "run", sections, Waits(), ports=ports, relays=links.ports)
        arguments = ["network", "--tls", str(federation.operator_tls), "--format", "json"]
        where = ["--address", federation.operator_address, "--job", str(job), "--run"]
        try:
            await asyncio.to_thread(federation.start)
            async with asyncio.timeout(60):
                while not all('"listening"' in federation.log_of(n).read_text() for n in everyone):
                    await asyncio.sleep(0.1)
            done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *where])
        finally:
            await asyncio.to_thread(federation.stop)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["data"], done.stderr


@pytest.mark.xdist_group("drills")
def test_every_participant_measures_its_way_to_every_other(told):
    data, said = told
    everyone = {COORDINATOR, *NAMES}
    assert {(link["party"], link["peer"]) for link in data["links"]} == {
        (one, other) for one in everyone for other in everyone if one != other
    }
    for link in data["links"]:
        assert link["trouble"] == ""
        assert link["rtt_ms"] >= 10
        assert link["handshake_ms"] >= 10
        assert 0 < link["mbit"] <= 200  # The relay lets 100 through, by a clock of its own.
    assert "party-003 measures its way to 4 others" in said


@pytest.mark.xdist_group("drills")
def test_a_round_is_predicted_and_then_measured_with_about_the_same_bytes(told):
    data, _ = told
    predicted, rounds = data["predicted"], data["measured"]
    assert [(one["round"], one["parties"]) for one in rounds] == [(1, 4), (2, 4), (3, 4)]
    for one in rounds:
        assert one["seconds"] >= predicted["flights"] * 0.005
    warm = rounds[-1]["bytes_sent"]
    sent_by_parties = predicted["bytes_sent"] - predicted["bytes_sent_by"][COORDINATOR]
    assert sent_by_parties == pytest.approx(warm, rel=0.05)


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    roles = {"ann": Role.PARTY, "bob": Role.PARTY, "boss": Role.COORDINATOR}
    return throwaway_federation(tmp_path_factory.mktemp("pki"), roles)


async def listening(identity, asked=None):
    beside = (probing_service(lambda name, role: None, asked),)
    mailbox = Mailbox(identity, listen="127.0.0.1:0", admit=lambda name, role: None, beside=beside)
    return mailbox, f"127.0.0.1:{await mailbox.start()}"


async def test_a_way_that_leads_nowhere_has_words_instead_of_figures(homes):
    ann = Identity.load(homes["ann"])
    mailbox, _ = await listening(ann)
    nowhere = free_ports(["bob"])["bob"]
    link = await measure_link(ann, "bob", f"127.0.0.1:{nowhere}")
    await mailbox.close(0)
    assert (link.peer, link.rtt_ms, link.mbit) == ("bob", 0, 0)
    assert "nothing listens there" in link.trouble


async def test_only_a_coordinator_has_others_measure(homes):
    async def asked(name, participants, peer):
        return LinkSpeed(peer, 1.0, 2.0, 3.0)

    mailbox, address = await listening(Identity.load(homes["ann"]), asked)
    try:
        with pytest.raises(PolicyRefusal, match="bob is a party; the coordinator only asks"):
            await have_measured(Identity.load(homes["bob"]), "ann", {"ann": address}, "boss")
        boss = Identity.load(homes["boss"])
        link = await have_measured(boss, "ann", {"ann": address}, "boss")
        assert link == LinkSpeed("boss", 1.0, 2.0, 3.0)
    finally:
        await mailbox.close(0)


async def test_a_way_that_is_too_slow_says_so_and_not_that_its_end_is_silent(homes, monkeypatch):
    monkeypatch.setattr(probing, "WAY_SECONDS", 1.0)
    mailbox, address = await listening(Identity.load(homes["bob"]), None)
    relay = Relay(address, Profile(mbit=1))
    try:
        port = await relay.start()
        link = await measure_link(Identity.load(homes["ann"]), "bob", f"127.0.0.1:{port}")
    finally:
        await relay.close()
        await mailbox.close(0)
    assert "answers, but two megabytes take more than 1 s" in link.trouble


class SlowCoordinator:
    """Answers for a coordinator behind whom a way takes `seconds` to be measured."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def call(self, request, *, timeout):
        asked = json.loads(request)
        if asked["verb"] == "introduce":
            return json.dumps({"data": {"participants": [*"abc"], "silent": {}}}).encode()
        if timeout < self.seconds:
            raise PeersMissing("gave up while it was measured")
        way = LinkSpeed(asked["peer"], 1.0, 40.0, 0.5)
        return json.dumps({"data": asdict(way)}).encode()


async def test_a_way_may_take_as_long_to_measure_as_the_participants_allow():
    operator = Operator(SlowCoordinator(probing.ASKED_SECONDS))
    links = await deployed.survey(operator, lambda _: None)
    assert list(links) == list(itertools.permutations("abc", 2))
    two_megabytes = 2 * 8 * probing.PROBE_BYTES / 0.5e6
    assert two_megabytes < probing.WAY_SECONDS < probing.ASKED_SECONDS


async def test_who_measures_for_long_is_said_again(monkeypatch):
    monkeypatch.setattr(deployed, "SPEAK_EVERY", -1.0)
    said = []
    await deployed.survey(Operator(SlowCoordinator(0)), said.append)
    assert said[:3] == [
        "a measures its way to 2 others",
        "a has measured 0 of 2, next its way to b",
        "a has measured 1 of 2, next its way to c",
    ]


def test_how_long_a_prompt_of_a_model_is_must_be_said():
    with pytest.raises(ConfigError, match="depends on the parties' model") as refusal:
        deployed.dim_of(JobSettings(rounds=1), 0)
    assert "add --dim" in refusal.value.fix
    assert deployed.dim_of(JobSettings(rounds=1), 512) == 512
