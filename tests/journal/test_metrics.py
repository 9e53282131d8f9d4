"""Metrics: their names, their page, where they can be read, and what is counted of events."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from secfpp.demo.launcher import free_ports
from secfpp.errors import ConfigError
from secfpp.journal.events import EventLog
from secfpp.journal.metrics import METRICS, Metrics
from secfpp.journal.phases import Cost, spent
from secfpp.journal.tally import Tally
from secfpp.pki import store
from secfpp.pki.names import Role
from secfpp.pki.store import Identity
from secfpp.transport.grpc_tls import Mailbox

PROMTOOL = shutil.which("promtool")
PAGE = Path(__file__).parents[2] / "docs" / "operations.md"

BOTH = {
    "secfpp_build_info",
    "secfpp_certificate_expiry_timestamp_seconds",
    "secfpp_peer_connected",
    "secfpp_peer_last_seen_timestamp_seconds",
    "secfpp_peer_reconnects_total",
    "secfpp_peer_bytes_total",
    "secfpp_peer_messages_total",
    "secfpp_peer_violations_total",
    "secfpp_round_attempts_total",
    "secfpp_round_phase_seconds",
}
AT = {
    Role.COORDINATOR: BOTH
    | {"secfpp_peer_named_total", "secfpp_peer_lost_total", "secfpp_distances_opened_total"},
    Role.PARTY: BOTH | {"secfpp_clipped_values_total"},
}


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    """A coordinator and two parties."""
    roles = {"boss": Role.COORDINATOR, "ann": Role.PARTY, "bob": Role.PARTY}
    homes = store.throwaway_federation(tmp_path_factory.mktemp("pki"), roles)
    return {name: Identity.load(home) for name, home in homes.items()}


def mailbox_of(identity: Identity) -> Mailbox:
    return Mailbox(identity, listen="127.0.0.1:0", admit=lambda name, role: None)


def families(metrics: Metrics) -> dict:
    text = generate_latest(metrics._registry).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = families(metrics)[name.removesuffix("_total")]
    (sample,) = [s for s in found.samples if s.name == name and s.labels == labels]
    return sample.value


async def test_the_names_of_all_metrics_are_these_and_each_has_a_meaning_and_a_type(identities):
    for name, role in (("boss", Role.COORDINATOR), ("ann", Role.PARTY)):
        box = mailbox_of(identities[name])
        found = families(Metrics(box))
        names = {name.removesuffix("_total") for name in AT[role]}
        assert set(found) == names
        for family in found.values():
            assert family.documentation
            assert family.type in ("counter", "gauge", "summary")
        await box.close(0)


def test_the_page_explains_every_metric_as_the_source_does():
    rows = re.findall(
        r"(?m)^\| `(secfpp_\w+)` \| (\w+) \| (.*?) \| (.*?) \| (.*?) \|$", PAGE.read_text("utf-8")
    )
    both = {Role.COORDINATOR, Role.PARTY}
    assert rows == [
        (
            metric.name,
            metric.kind,
            ", ".join(metric.labels),
            "both" if metric.roles == both else "".join(role.value for role in metric.roles),
            metric.meaning,
        )
        for metric in METRICS
    ]


def test_the_alerts_on_the_page_ask_for_metrics_that_exist(tmp_path):
    rules = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    asked = set(re.findall(r"secfpp_\w+", rules))
    assert rules.count("alert:") == 3
    assert asked <= {metric.name for metric in METRICS}
    assert len(asked) >= 3
    if PROMTOOL is None:
        pytest.skip("promtool, of Debian's package prometheus, is not here to read the rules")
    (tmp_path / "rules.yaml").write_text(rules)
    checked = subprocess.run(
        [PROMTOOL, "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_without_the_setting_nothing_listens_and_with_it_only_as_long_as_it_lasts(identities):
    box = mailbox_of(identities["ann"])
    metrics = Metrics(box)
    async with metrics.listening(""):
        pass
    port = free_ports(["metrics"])["metrics"]
    url = f"http://127.0.0.1:{port}/metrics"
    async with metrics.listening(f"127.0.0.1:{port}"):
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
        assert b'secfpp_build_info{role="party",version="' in text
    with pytest.raises(urllib.error.URLError):
        await asyncio.to_thread(urllib.request.urlopen, url, None, 5)
    await box.close(0)


async def test_a_port_that_is_taken_is_said_in_words(identities):
    box = mailbox_of(identities["ann"])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError) as refusal:
            async with Metrics(box).listening(address):
                pass
    assert f"cannot listen for Prometheus on {address}: the port is taken" in str(refusal.value)
    assert "[metrics]" in refusal.value.fix
    await box.close(0)


async def test_two_daemons_in_one_process_share_no_metric(identities):
    ann, bob = mailbox_of(identities["ann"]), mailbox_of(identities["bob"])
    one, other = Metrics(ann), Metrics(bob)
    one.tally.clipped = 3
    assert value(one, "secfpp_clipped_values_total") == 3
    assert value(other, "secfpp_clipped_values_total") == 0
    await ann.close(0)
    await bob.close(0)


async def test_a_peer_that_came_back_is_one_reconnect_and_both_sides_count_the_same(identities):
    bob, ann = mailbox_of(identities["bob"]), mailbox_of(identities["ann"])
    seen_by_bob, seen_by_ann = Metrics(bob), Metrics(ann)
    await bob.start()
    address = f"127.0.0.1:{await ann.start()}"
    bob.open("ann", address)
    assert value(seen_by_bob, "secfpp_peer_reconnects_total", peer="ann") == 0
    assert families(seen_by_bob)["secfpp_peer_last_seen_timestamp_seconds"].samples == []
    await bob.post("ann", b"12345", timeout=20)
    assert value(seen_by_bob, "secfpp_peer_connected", peer="ann") == 1
    assert value(seen_by_bob, "secfpp_peer_reconnects_total", peer="ann") == 0
    sent = value(seen_by_bob, "secfpp_peer_bytes_total", peer="ann", direction="sent")
    got = value(seen_by_ann, "secfpp_peer_bytes_total", peer="bob", direction="received")
    assert sent == got == 5
    await ann.close(0)
    ann = Mailbox(identities["ann"], listen=address, admit=lambda name, role: None)
    await ann.start()
    await bob.post("ann", b"67", timeout=20)
    assert value(seen_by_bob, "secfpp_peer_reconnects_total", peer="ann") == 1
    assert value(seen_by_bob, "secfpp_peer_messages_total", peer="ann", direction="sent") == 2
    await ann.close(0)
    async with asyncio.timeout(20):
        while value(seen_by_bob, "secfpp_peer_connected", peer="ann"):
            await asyncio.sleep(0.05)
    await bob.close(0)


def test_events_are_counted_and_belong_to_the_phase_that_runs(tmp_path):
    tally, heard = Tally(), []
    log = EventLog(tmp_path, "run-1")
    log.listeners += [tally.hear, heard.append]
    log.record("phase", phase="asking")
    log.record("violation", peer="party-2")
    log.record("failed", count=4)
    log.record("lost", peer="party-3")
    log.record("named", peer="party-2")
    log.record("phase", phase="closing")
    log.record("closed", count=7)
    for fields in spent(
        {"share": Cost(1.5, 1, {"b": (2, 3)}), "total": Cost(1.5, 1, {"b": (2, 3)})}
    ):
        log.record("cost", **fields)
    log.close()
    assert [event.phase for event in heard] == [
        "asking",
        "asking",
        "asking",
        "",
        "",
        "closing",
        "closing",
        "share",
    ]
    assert tally.attempts == {"completed": 1, "failed": 1}
    assert tally.distances == 11
    assert tally.phases == {"share": (1, 1.5)}
    assert (tally.lost, tally.named) == ({"party-3": 1}, {"party-2": 1})
    assert tally.violations == {"party-2": 1}


async def test_a_party_that_was_taken_off_the_roster_is_in_the_metrics_no_longer(
    identities, tmp_path
):
    mailbox = mailbox_of(identities["boss"])
    roster = {"ann", "bob"}
    metrics = Metrics(mailbox, lambda: roster)
    for name in roster:
        mailbox.open(name, "127.0.0.1:1")
    log = EventLog(tmp_path, "run")
    log.listeners.append(metrics.tally.hear)
    log.record("lost", peer="bob")
    log.close()
    told = generate_latest(metrics._registry).decode()
    assert 'secfpp_peer_connected{peer="bob"}' in told
    assert 'secfpp_peer_lost_total{peer="bob"} 1.0' in told
    roster.remove("bob")
    told = generate_latest(metrics._registry).decode()
    assert 'peer="bob"' not in told
    assert 'secfpp_peer_connected{peer="ann"}' in told
    await mailbox.close(0)
