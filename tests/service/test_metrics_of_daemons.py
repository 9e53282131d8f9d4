"""A real coordinator and real parties tell Prometheus what their own files say of a run."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from safetensors.numpy import load_file

from secfpp.demo.launcher import COORDINATOR, Federation, free_ports
from secfpp.demo.scenario import Training, scenario
from secfpp.pki.certificates import LEAF_DAYS

pytestmark = pytest.mark.xdist_group("processes")

PROMTOOL = shutil.which("promtool")
ROUNDS = 2
SILENT = "party-8"
"""The one party that was not told to tell anything."""


class Scrape:
    """What one daemon told."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, metric: str, /, **labels: str) -> float:
        return self._values[metric, frozenset(labels.items())]

    def all_of(self, metric: str) -> dict[str, float]:
        """By the value of the only label."""
        found = {
            labels: value for (known, labels), value in self._values.items() if known == metric
        }
        return {next(iter(labels))[1]: value for labels, value in found.items()}


def scraped(port: int) -> Scrape:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return Scrape(answer.read().decode())


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A finished run whose daemons still run: run directories, ports, and what each told."""
    home = tmp_path_factory.mktemp("metrics")
    cast = scenario(Training.VECTORS, parties=8, rounds=ROUNDS, seed=5, home=home)
    federation = Federation(home, cast.sections)
    federation.prepare()
    ports = free_ports([n for n in (COORDINATOR, *federation.parties) if n != SILENT])
    for name in (COORDINATOR, *federation.parties):
        path = home / f"{name}.toml"
        text = path.read_text().replace("once = true", "once = false")
        if name in ports:
            text += f'\n[metrics]\nlisten = "127.0.0.1:{ports[name]}"\n'
        path.write_text(text)
        federation.launch(name)
    try:
        run = asyncio.run(federation.conduct(cast.job, lambda event: None))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:  # A party's last event follows its last report.
            told = {name: scraped(port) for name, port in ports.items()}
            if all(t("secfpp_round_attempts_total", outcome="completed") for t in told.values()):
                break
        yield federation, run, told
        federation.stop()
        codes = {process.returncode for process in federation.processes.values()}
        assert codes == {0}
        for port in ports.values():
            with pytest.raises(urllib.error.URLError):
                scraped(port)
    finally:
        federation.stop()


def kept(asked, name: str, file: str) -> dict:
    federation, run, _ = asked
    return json.loads((federation.home / name / run / file).read_text())


def test_the_coordinator_counts_what_its_ledger_and_its_manifest_hold(asked):
    _, _, told = asked
    boss, ledger = told[COORDINATOR], kept(asked, COORDINATOR, "ledger.json")
    opened = sum(len(r["opened_to_coordinator"]["distances"]) for r in ledger["rounds"])
    assert boss("secfpp_distances_opened_total") == opened > 0
    assert boss("secfpp_round_attempts_total", outcome="completed") == ROUNDS
    assert boss("secfpp_round_attempts_total", outcome="failed") == 0
    for metric in ("lost", "named", "violations"):
        assert set(boss.all_of(f"secfpp_peer_{metric}_total").values()) == {0}


@pytest.mark.parametrize("name", [COORDINATOR, "party-3"])
def test_the_seconds_of_each_phase_are_those_of_the_manifest(asked, name):
    _, _, told = asked
    rounds = kept(asked, name, "manifest.json")["rounds"]
    phases = told[name].all_of("secfpp_round_phase_seconds_sum")
    assert len(rounds) == ROUNDS
    for phase, seconds in phases.items():
        expected = sum(entry["seconds"].get(phase, 0) for entry in rounds)
        assert seconds == pytest.approx(expected, abs=1e-9)
    total = sum(entry["seconds"]["total"] for entry in rounds)
    assert sum(phases.values()) == pytest.approx(total, abs=1e-4)
    assert told[name].all_of("secfpp_round_phase_seconds_count")["cluster"] == ROUNDS


def test_what_one_end_has_sent_the_other_has_received(asked):
    """Nothing is under way any more: the run has ended, and nobody beats between runs."""
    federation, _, told = asked
    boss = told[COORDINATOR]
    for name in set(federation.parties) & set(told):
        for metric in ("bytes", "messages"):
            metric = f"secfpp_peer_{metric}_total"
            down = boss(metric, peer=name, direction="sent")
            assert down == told[name](metric, peer=COORDINATOR, direction="received") > 0
            up = boss(metric, peer=name, direction="received")
            assert up == told[name](metric, peer=COORDINATOR, direction="sent") > 0
        assert boss("secfpp_peer_connected", peer=name) == 1
        assert boss("secfpp_peer_reconnects_total", peer=name) == 0
        assert time.time() - 120 < boss("secfpp_peer_last_seen_timestamp_seconds", peer=name)


def test_a_party_sends_what_its_manifest_says_and_clips_nothing(asked):
    _, _, told = asked
    manifest = kept(asked, "party-3", "manifest.json")["rounds"]
    sent = sum(
        told["party-3"]("secfpp_peer_bytes_total", peer=peer, direction="sent")
        for peer in told["party-3"].all_of("secfpp_peer_connected")
    )
    of_rounds = sum(entry["sent"]["total"] for entry in manifest)
    assert of_rounds <= sent < 1.2 * of_rounds, "invitation and signs of life come on top"
    clipped = sum(entry["facts"]["clipped"] for entry in manifest)
    assert told["party-3"]("secfpp_clipped_values_total") == clipped


def test_the_certificate_has_the_days_left_that_it_was_signed_for(asked):
    _, _, told = asked
    expiry = told["party-3"]("secfpp_certificate_expiry_timestamp_seconds", name="party-3")
    assert (expiry - time.time()) / 86400 == pytest.approx(LEAF_DAYS, abs=0.1)


def test_a_daemon_that_was_not_told_to_listens_for_nobody_but_its_peers(asked):
    federation, _, _ = asked
    process = psutil.Process(federation.processes[SILENT].pid)
    listening = [c.laddr for c in process.net_connections("inet") if c.status == "LISTEN"]
    (at,) = [(address.ip.removeprefix("::ffff:"), address.port) for address in listening]
    assert at == ("127.0.0.1", federation.ports[SILENT])


def test_promtool_finds_nothing_to_mend(asked):
    _, _, told = asked
    if PROMTOOL is None:
        pytest.skip("promtool, of Debian's package prometheus, is not here to check the text")
    for name in (COORDINATOR, "party-3"):
        checked = subprocess.run(
            [PROMTOOL, "check", "metrics"], input=told[name].text, capture_output=True, text=True
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [COORDINATOR, "party-3"])
def test_log_lines_of_a_run_have_run_round_attempt_phase_and_peer_as_fields(asked, name):
    federation, run, _ = asked
    lines = [json.loads(line) for line in federation.log_of(name).read_text().splitlines()]
    written = (federation.home / name / run / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in written]
    events = [event for event in events if event["event"] not in ("phase", "cost")]
    logged = [line for line in lines if "kind" in line]
    assert [line["kind"] for line in logged] == [event["event"] for event in events]
    for line, event in zip(logged, events, strict=True):
        for field in ("run", "round", "attempt", "phase", "peer"):
            assert line.get(field) == event.get(field)
    ends = [line for line in logged if line["kind"] in ("closed", "finished")]
    assert [(line["round"], line["attempt"]) for line in ends] == [(1, 1), (2, 1)]
    assert all(line["run"] == run and line["phase"] for line in ends)


def numbers_of_prompts(asked, text: str) -> set[str]:
    """The levels that parties dealt and the distances that were opened, as far as `text` has them.

    Only numbers of six digits and more: smaller ones are also bytes and messages.
    """
    federation, run, _ = asked
    known = {
        line["value"]
        for entry in kept(asked, COORDINATOR, "ledger.json")["rounds"]
        for line in entry["opened_to_coordinator"]["distances"]
    }
    for name in federation.parties:
        for path in (federation.home / name / run).glob("round-*/levels.safetensors"):
            known |= {str(abs(int(level))) for level in load_file(path)["levels"]}
    return set(re.findall(r"(?<![\d.])\d{6,}(?![\d.])", text)) & known


def test_no_metric_holds_a_level_or_a_distance(asked):
    federation, run, told = asked
    for scrape in told.values():
        assert numbers_of_prompts(asked, scrape.text) == set()
    path = federation.home / "party-3" / run / "round-1" / "levels.safetensors"
    level = max(abs(int(level)) for level in load_file(path)["levels"])
    leaking = told["party-3"].text + f"secfpp_largest_level {level}\n"
    assert numbers_of_prompts(asked, leaking) == {str(level)}, "the mutation that makes it fail"
