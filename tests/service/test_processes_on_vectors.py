"""Real processes over real TLS on given vectors: the path, its proof, its ledger, its losses."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from secfpp.demo.launcher import COORDINATOR, Federation, Waits, free_ports
from secfpp.demo.run import collect, run_demo
from secfpp.demo.scenario import Training, scenario
from secfpp.demo.tables import show
from secfpp.demo.verify import verify
from secfpp.errors import RoundFailed
from secfpp.operator.client import Operator
from secfpp.pki.store import Identity
from secfpp.protocol.messages import Answers
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.operator_api import OperatorClient
from secfpp.wire.codec import decode

pytestmark = pytest.mark.xdist_group("processes")

QUICK = Waits(connect_wait=60, idle_timeout=8, round_deadline=90)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One whole run of 8 parties: its data, its scenario, and where its files are."""
    home = tmp_path_factory.mktemp("demo")
    cast = scenario(Training.VECTORS, parties=8, rounds=3, seed=1, home=home)
    return run_demo(cast, home, lambda event: None), cast, home


def runs_of(home: Path, run: str):
    return home / COORDINATOR / run, {
        path.name: path / run for path in home.glob("party-*") if path.is_dir()
    }


def test_the_secure_run_equals_the_plain_one_and_finds_the_domains(finished):
    data, _, _ = finished
    check = data["verify"]
    assert check["passed"]
    assert check["assignments_equal"]
    assert check["distances_equal"]
    assert check["levels_equal"]
    assert check["distance_checks"] == sum(r["distances"] for r in data["rounds"])
    assert 0 < check["prompt_max_abs_error"] <= check["prompt_error_bound"]
    assert data["adjusted_rand_index"] == 1.0
    assert data["processes"] == 9
    assert [r["flights"] for r in data["rounds"]][1:] == [11, 11]


def test_the_seconds_of_a_round_are_maxima_over_parties_and_the_table_says_so(finished, capsys):
    data, _, home = finished
    _, party_runs = runs_of(home, data["run"])
    spent = [
        json.loads((run / "manifest.json").read_text())["rounds"][0]["seconds"]
        for run in party_runs.values()
    ]
    assert data["rounds"][0]["seconds"] == {
        phase: max(one.get(phase, 0.0) for one in spent)
        for phase in ("train", "share", "check", "cluster", "sum", "total")
    }
    show(data)
    told = capsys.readouterr().err
    assert "in each column the seconds of the party that took longest" in told
    assert "the phases, each of another, may add up to more" in told


def test_a_value_on_the_ledger_over_m_and_the_scale_is_the_distance_to_a_mean(finished):
    data, _, home = finished
    coordinator_run, party_runs = runs_of(home, data["run"])
    entry = json.loads((coordinator_run / "ledger.json").read_text())["rounds"][0]
    scale = 2 ** entry["parameters"]["sharings"][0]["fraction_bits"]
    prompts = {
        name: load_file(run / "round-1" / "domain_prompt.safetensors")["context"].ravel()
        for name, run in party_runs.items()
    }
    opened = entry["opened_to_coordinator"]["distances"]
    assert max(len(line["members"]) for line in opened) > 1
    for line in opened:
        mean = np.mean([prompts[name] for name in line["members"]], axis=0)
        told = int(line["value"]) ** 0.5 / (len(line["members"]) * scale)
        assert told == pytest.approx(np.linalg.norm(prompts[line["subject"]] - mean), rel=1e-4)


def test_one_flipped_bit_anywhere_fails_the_verification(finished):
    data, _, home = finished
    coordinator_run, party_runs = runs_of(home, data["run"])
    assert verify(coordinator_run, party_runs).passed
    victims = [
        party_runs["party-2"] / "round-1" / "levels.safetensors",
        party_runs["party-3"] / "round-2" / "cluster_prompt.safetensors",
    ]
    for path in victims:
        before = path.read_bytes()
        tensors = load_file(path)
        for tensor in tensors.values():
            tensor.reshape(-1).view(np.uint8)[40] ^= 1
        save_file(tensors, path)
        assert not verify(coordinator_run, party_runs).passed, path.name
        path.write_bytes(before)
    path = party_runs["party-4"] / "round-3" / "domain_prompt.safetensors"
    before, tensors = path.read_bytes(), load_file(path)
    tensors["context"].reshape(-1).view(np.uint8)[43] ^= 128  # The sign of one value.
    save_file(tensors, path)
    assert not verify(coordinator_run, party_runs).levels_equal
    path.write_bytes(before)
    ledger = coordinator_run / "ledger.json"
    text = ledger.read_text()
    value = json.loads(text)["rounds"][0]["opened_to_coordinator"]["distances"][5]["value"]
    ledger.write_text(text.replace(f'"{value}"', f'"{int(value) ^ 1}"'))
    assert not verify(coordinator_run, party_runs).passed
    ledger.write_text(text)
    assert verify(coordinator_run, party_runs).passed


def test_what_a_party_keeps_is_private_and_the_coordinator_keeps_no_vector(finished):
    data, _, home = finished
    coordinator_run, party_runs = runs_of(home, data["run"])
    for run in (coordinator_run, *party_runs.values()):
        assert run.stat().st_mode & 0o777 == 0o700
        for path in run.rglob("*"):
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path.name
    kept = sorted(path.name for path in coordinator_run.rglob("*") if path.is_file())
    assert kept == ["events.jsonl", "ledger.json", "manifest.json"]


def test_no_log_holds_a_level_or_a_value_of_a_vector(finished):
    data, _, home = finished
    _, party_runs = runs_of(home, data["run"])
    logs = "".join(path.read_text() for path in home.glob("*.log"))
    logs += "".join(path.read_text() for path in home.rglob("events.jsonl"))
    assert "party-1" in logs
    for run in party_runs.values():
        levels = load_file(run / "round-1" / "levels.safetensors")["levels"]
        large = [str(abs(int(level))) for level in levels if abs(int(level)) > 10**5]
        assert len(large) > 10
        words = set(re.findall(r"(?<![\d.])\d{6,}(?![\d.])", logs))
        assert not words & set(large)


def test_every_event_is_one_json_object_with_a_time(finished):
    data, _, home = finished
    coordinator_run, _ = runs_of(home, data["run"])
    events = [
        json.loads(line) for line in (coordinator_run / "events.jsonl").read_text().splitlines()
    ]
    assert {"accepted", "opened", "closed", "ended"} <= {event["event"] for event in events}
    assert all(event["time"] > 0 and event["run"] == data["run"] for event in events)


class Relay(threading.Thread):
    """Stands between all parties and the coordinator, with copies of their keys, and counts.

    Only a test can do that: it has every private key. It sees what the coordinator is sent.
    """

    def __init__(self, federation: Federation, port: int) -> None:
        super().__init__(daemon=True)
        self.answers: dict[tuple[int, int], int] = {}
        self.kinds: set[str] = set()
        self._federation = federation
        self._port = port
        self._ending = threading.Event()

    def run(self) -> None:
        asyncio.run(self._relay())

    def end(self) -> None:
        self._ending.set()
        self.join(10)

    async def _relay(self) -> None:
        keys = {
            name: Identity.load(self._federation.home / "pki" / name)
            for name in (COORDINATOR, *self._federation.parties)
        }
        front = Mailbox(
            keys[COORDINATOR], listen=f"127.0.0.1:{self._port}", admit=lambda name, role: None
        )
        await front.start()
        backs = {}
        for name in self._federation.parties:
            backs[name] = Mailbox(keys[name], listen="127.0.0.1:0", admit=lambda n, r: None)
            backs[name].open(COORDINATOR, f"127.0.0.1:{self._federation.ports[COORDINATOR]}")
        while not self._ending.is_set():
            try:
                sender, payload = await asyncio.wait_for(front.receive(), 0.2)
            except TimeoutError:
                continue
            message = decode(payload, sender=sender)
            self.kinds.add(type(message).__name__)
            if isinstance(message, Answers):
                self.answers[message.key.round, message.batch] = len(message.values)
            await backs[sender].post(COORDINATOR, payload, timeout=10)
        await asyncio.gather(front.close(0), *(back.close(0) for back in backs.values()))


def test_the_ledger_equals_what_a_relay_outside_both_processes_counted(tmp_path):
    cast = scenario(Training.VECTORS, parties=8, rounds=2, seed=2, home=tmp_path)
    federation = Federation(tmp_path, cast.sections)
    federation.prepare()
    real = federation.ports[COORDINATOR]
    relay = Relay(federation, free_ports(["relay"])["relay"])
    for name in federation.parties:
        path = tmp_path / f"{name}.toml"
        path.write_text(path.read_text().replace(f":{real}", f":{relay._port}"))
    relay.start()
    try:
        for name in (COORDINATOR, *federation.parties):
            federation.launch(name)
        run = asyncio.run(submitted(federation, cast.job))
        federation.wait(30)
    finally:
        federation.stop()
        relay.end()
    data = collect(federation, cast, run)
    assert data["verify"]["passed"]
    assert sum(relay.answers.values()) == data["disclosed"]["distances"] > 0
    assert relay.kinds <= {"Accept", "Ready", "Answers", "Done", "Progress", "Report"}


async def submitted(federation: Federation, job, on_event=lambda event: None) -> str:
    identity = Identity.load(federation.operator_tls)
    operator = Operator(OperatorClient(identity, federation.operator_address, COORDINATOR))
    try:
        run = await operator.submit(job)
        async for event in operator.follow(run):
            on_event(event)
        return run
    finally:
        await operator.close()


@pytest.mark.parametrize("phase", ["accepted", "closing"])  # tests/faults has all.
def test_a_party_killed_costs_the_others_nothing(tmp_path, phase):
    cast = scenario(Training.VECTORS, parties=8, rounds=2, seed=3, home=tmp_path)
    federation = Federation(tmp_path, cast.sections, QUICK)
    victim = "party-5"
    killed = threading.Event()

    def on_event(event):
        if phase in (event.event, event.phase) and not killed.is_set():
            if event.event == "accepted" and event.peer != victim:
                return
            killed.set()
            os.kill(federation.processes[victim].pid, signal.SIGKILL)

    federation.start()
    try:
        run = asyncio.run(submitted(federation, cast.job, on_event))
        federation.wait(30)
    finally:
        federation.stop()
    assert killed.is_set()
    ledger = json.loads((tmp_path / COORDINATOR / run / "ledger.json").read_text())
    last = ledger["rounds"][-1]
    assert len(ledger["rounds"]) == 2
    domains = {name: cast.domains[name] for name in last["opened_to_everyone"]["assignment"]}
    assert victim not in domains
    assert len(domains) == 7
    for cluster in last["opened_to_members"]["cluster_means"]:
        assert len({domains[name] for name in cluster}) == 1
    survivors = {n: tmp_path / n / run for n in federation.parties if n != victim}
    codes = {name: process.returncode for name, process in federation.processes.items()}
    assert [n for n, code in codes.items() if code != 0] == [victim]
    second = {"rounds": ledger["rounds"][1:]}
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "ledger.json").write_text(json.dumps(second))
    assert verify(tmp_path / "second", survivors).passed


def run_while_killing(federation, cast, victims):
    """Kill the victims as soon as all have accepted; returns all events and how the run ended."""
    events = []

    def on_event(event):
        events.append(event)
        if event.event == "parameters":
            for victim in victims:
                os.kill(federation.processes[victim].pid, signal.SIGKILL)

    federation.start()
    try:
        outcome = ""
        try:
            asyncio.run(submitted(federation, cast.job, on_event))
        except RoundFailed as failure:
            outcome = str(failure)
        codes = federation.wait(30)
    finally:
        federation.stop()
    return events, outcome, codes


def test_more_losses_than_s_end_the_attempt_by_name_and_the_rest_goes_on_without_them(tmp_path):
    cast = scenario(Training.VECTORS, parties=8, rounds=20, seed=4, home=tmp_path)
    federation = Federation(tmp_path, cast.sections, QUICK)
    events, outcome, codes = run_while_killing(federation, cast, ("party-2", "party-7"))
    assert outcome == ""
    assert codes[COORDINATOR] == 0
    failed = " ".join(event.text for event in events if event.event == "failed")
    if failed:  # They may also have died after their last word was needed.
        assert "2 of 8 parties are lost and at most S = 1 may be" in failed
        assert "party-2" in failed
        assert "party-7" in failed
    lost = {event.peer for event in events if event.event in ("lost", "trouble")}
    assert {"party-2", "party-7"} <= lost


def test_where_too_few_are_left_the_run_ends_with_the_reason_and_everyone_is_told(tmp_path):
    cast = scenario(Training.VECTORS, parties=8, rounds=2, seed=4, home=tmp_path)
    federation = Federation(tmp_path, cast.sections, replace(QUICK, connect_wait=15))
    victims = tuple(f"party-{index}" for index in range(3, 9))
    _, outcome, codes = run_while_killing(federation, cast, victims)
    assert "need at least" in outcome or "are lost" in outcome or "do not fit" in outcome
    assert codes[COORDINATOR] == 1
    assert (codes["party-1"], codes["party-2"]) == (1, 1)
