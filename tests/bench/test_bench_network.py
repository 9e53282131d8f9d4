"""`secfpp bench network`: what a federation measures of its links, predicts and reports."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from secfpp.bench import commands, deployed, tables
from secfpp.bench.commands import app
from secfpp.bench.links import Network, relayed
from secfpp.bench.planted import Planting, party_names, plant
from secfpp.coordinator.survey import Survey
from secfpp.demo.launcher import COORDINATOR, OPERATOR, Federation, Waits, free_ports
from secfpp.errors import ConfigError, PeersMissing, PolicyRefusal, RequestRefused
from secfpp.operator.client import Operator
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.settings.files import JobSettings
from secfpp.transport import probing
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.probing import (
    LinkSpeed,
    have_measured,
    measure_link,
    probing_service,
    speed_of,
)
from secfpp.transport.profiles import Profile
from secfpp.transport.shaper import Relay

NAMES = party_names(4)
NEAR = Network("near", lambda _, __: Profile(rtt_ms=10, mbit=100))
VECTORS = {"kind": "vectors", "dim": 4096}
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
    data, said = told
    predicted, rounds = data["predicted"], data["measured"]
    assert [(one["round"], one["parties"]) for one in rounds] == [(1, 4), (2, 4), (3, 4)]
    for one in rounds:
        assert one["seconds"] >= predicted["flights"] * 0.005
    warm = rounds[-1]["payload_sent_by_parties"]
    assert predicted["payload_sent_by_parties"] == pytest.approx(warm, rel=0.02)
    assert "payload sent by all parties" in said


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
    assert (link.peer, link.rtt_ms, link.mbit) == ("bob", None, None)
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


async def measured_at(homes, mbit):
    """The way from ann to bob through a relay of so many megabits a second."""
    mailbox, address = await listening(Identity.load(homes["bob"]))
    relay = Relay(address, Profile(rtt_ms=10, mbit=mbit))
    try:
        port = await relay.start()
        return await measure_link(Identity.load(homes["ann"]), "bob", f"127.0.0.1:{port}")
    finally:
        await relay.close()
        await mailbox.close(0)


async def test_a_way_of_half_a_megabit_a_second_is_measured(homes):
    link = await measured_at(homes, 0.5)
    assert link.trouble == ""
    assert 0.3 < link.mbit < 0.7


async def test_a_way_that_is_too_slow_says_so_and_not_that_its_end_is_silent(homes, monkeypatch):
    monkeypatch.setattr(probing, "WAY_SECONDS", 4.0)
    link = await measured_at(homes, 0.05)
    assert "answered at first; then the way was too slow, or broke off" in link.trouble


class SlowCoordinator:
    """Answers for a coordinator behind whom a way takes `seconds` to be measured."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def call(self, request, *, timeout):
        if timeout < self.seconds:
            raise PeersMissing("gave up while it was measured")
        way = LinkSpeed(json.loads(request)["peer"], 1.0, 40.0, 0.5)
        return json.dumps({"data": asdict(way)}).encode()


async def test_a_way_may_take_as_long_to_measure_as_the_participants_allow():
    operator = Operator(SlowCoordinator(probing.ASKED_SECONDS))
    links = await deployed.survey(operator, "abc", lambda _: None)
    assert list(links) == list(itertools.permutations("abc", 2))
    assert probing.WAY_SECONDS < probing.ASKED_SECONDS


async def test_a_way_that_cannot_be_measured_is_named_with_both_its_ends(monkeypatch):
    async def link(self, participant, peer):
        return asdict(LinkSpeed(peer, trouble="b at b:1 did not answer"))

    monkeypatch.setattr(Operator, "link", link)
    words = "a cannot measure its way to b: b at b:1 did not answer"
    with pytest.raises(PeersMissing, match=words) as missing:
        await deployed.survey(Operator(SlowCoordinator(0)), "abc", lambda _: None)
    assert "mend this way" in missing.value.fix


@pytest.mark.parametrize("way", [("ann", "zed"), ("zed", "ann"), ("boss", "zed")])
async def test_only_who_is_on_the_roster_is_measured(homes, way):
    survey = Survey(Identity.load(homes["boss"]), lambda: {"ann": "a:1"}, lambda: "")
    with pytest.raises(RequestRefused, match="zed is not on the coordinator's roster"):
        await survey.measure(*way)


async def test_who_measures_for_long_is_said_again(monkeypatch):
    monkeypatch.setattr(deployed, "SPEAK_EVERY", -1.0)
    said = []
    await deployed.survey(Operator(SlowCoordinator(0)), "abc", said.append)
    assert said[:3] == [
        "a measures its way to 2 others",
        "a has measured 0 of 2, next its way to b",
        "a has measured 1 of 2, next its way to c",
    ]


def fast(names):
    """Ways that cost nothing between all of them."""
    figures = {"rtt_ms": 1.0, "handshake_ms": 3.0, "mbit": 1e4}
    return {pair: {"peer": pair[1], **figures} for pair in itertools.permutations(names, 2)}


@pytest.mark.parametrize("moved", [0.001, 0.0005, 0.00100001])
def test_a_way_that_is_too_fast_to_tell_has_no_rate_rather_than_an_impossible_one(moved):
    way = speed_of("bob", first=0.0009, trip=0.001, moved=moved, size=2**20)
    assert (way.handshake_ms, way.rtt_ms, way.mbit) == (None, 1.0, None)
    slower = speed_of("bob", first=0.003, trip=0.001, moved=0.002, size=2**20)
    assert (slower.handshake_ms, slower.mbit) == (pytest.approx(2), pytest.approx(8388.608))


def test_a_rate_that_is_too_fast_to_tell_is_shown_as_such_and_limits_no_prediction(capsys):
    names = (COORDINATOR, *party_names(16))
    links = {pair: {**link, "mbit": None} for pair, link in fast(names).items()}
    fastest = deployed.predicted(of_sixteen(), links, COORDINATOR)
    slow = {pair: {**link, "mbit": 1.0} for pair, link in fast(names).items()}
    limited = deployed.predicted(of_sixteen(), slow, COORDINATOR)
    assert fastest["seconds"] < limited["seconds"]
    tables.show_links(links)
    said = capsys.readouterr().err
    assert "links (–: too fast to tell)" in said


def of_sixteen(**sections):
    """A round of a job among sixteen parties."""
    return deployed.bench_of(JobSettings(rounds=3, training=VECTORS, **sections), 16, 0)


def test_a_round_is_predicted_with_the_job_s_own_thresholds_and_budget():
    protocol = {"minimum_cluster": 7, "strict_queries": True, "adversaries": 1, "colluders": 3}
    bench = of_sixteen(protocol=protocol, clustering={"query_budget": 2000})
    assert (bench.colluders, bench.stragglers, bench.adversaries) == (3, 1, 1)
    assert bench.clusters == 2
    assert (bench.job.clustering.query_budget, bench.job.rounds) == (2000, 3)
    assert bench.job.protocol.minimum_cluster == 7


def test_what_a_job_asks_for_is_what_its_prediction_costs():
    names = (COORDINATOR, *party_names(16))
    plain, strict = (
        deployed.predicted(of_sixteen(**sections), fast(names), COORDINATOR)
        for sections in (
            {},
            {"protocol": {"strict_queries": True}, "clustering": {"query_budget": 2000}},
        )
    )
    batches = (plain["flights"] - 5) // 2
    assert strict["flights"] == 5 + 3 * batches
    masks = 5 * 8 * (2000 - 768)  # Of T + 1 + S dealers, to n − 1 − D = 1 party.
    assert strict["payload_sent_by_parties"] - plain["payload_sent_by_parties"] == masks


def test_a_job_that_cannot_be_run_is_refused_before_anything_is_measured(tmp_path):
    class Unmeasured(Operator):
        async def participants(self):
            return [COORDINATOR, "ann", "bob", "carl"], {}

        async def link(self, participant, peer):
            raise AssertionError("measured first")

    def with_operator(tls, address, coordinator, verb):
        return asyncio.run(verb(Unmeasured(SlowCoordinator(0))))

    for text, words in (
        ('[clip]\nweights = "openai"', "add --dim with clip.tokens (8)"),
        ('[protocol]\ncolluders = 2\n[training]\nkind = "vectors"', "n ≥ 2"),
    ):
        job = tmp_path / "job.toml"
        job.write_text(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commands, "with_operator", with_operator)
            done = CliRunner().invoke(app, ["network", "--tls", "pki", "--job", str(job)])
        assert done.exit_code == 2, done.stderr
        assert words in done.stderr


def test_how_long_a_prompt_of_the_embedded_model_is_needs_no_telling():
    assert deployed.bench_of(JobSettings(), 4, 0).dim == 8 * 128
    assert deployed.bench_of(JobSettings(), 4, 512).dim == 512
    other = JobSettings(clip={"weights": "openai"})
    assert deployed.bench_of(other, 4, 4096).dim == 4096
    with pytest.raises(ConfigError, match="the text tower of ViT-B-16") as refusal:
        deployed.bench_of(other, 4, 0)
    assert "add --dim" in refusal.value.fix
