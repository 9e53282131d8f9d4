"""Daemons that are killed or told to end go on where they were, over real TLS, on vectors."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from secfpp.demo.launcher import COORDINATOR, Federation, Waits
from secfpp.demo.scenario import Training, scenario
from secfpp.demo.verify import verify
from secfpp.errors import RequestRefused, RunStopped
from secfpp.journal.events import read_events
from secfpp.operator.client import Operator
from secfpp.pki.store import Identity
from secfpp.transport.operator_api import OperatorClient

pytestmark = pytest.mark.xdist_group("restarts")

ROUNDS = 20  # A round of vectors takes a tenth of a second; news of it arrives later.
WAITS = Waits(connect_wait=60, idle_timeout=20, round_deadline=90)


@contextmanager
def launched(home, *, parties=8, rounds=ROUNDS, waits=WAITS):
    cast = scenario(Training.VECTORS, parties=parties, rounds=rounds, seed=5, home=home)
    federation = Federation(home, cast.sections, waits)
    federation.start()
    try:
        yield federation, cast
    finally:
        federation.stop()


def operator_of(federation):
    client = OperatorClient(
        Identity.load(federation.operator_tls), federation.operator_address, COORDINATOR
    )
    return Operator(client, patience=40)


async def until_event(federation, run, holds):
    """Follow the run to the first event that holds; None where the run ends before."""
    operator = operator_of(federation)
    try:
        async for event in operator.follow(run):
            if holds(event):
                return event
    finally:
        await operator.close()
    return None


async def asked(federation, verb, *arguments):
    operator = operator_of(federation)
    try:
        return await getattr(operator, verb)(*arguments)
    finally:
        await operator.close()


async def to_the_end(federation, run):
    await asked(federation, "status")  # Waits until the coordinator is there (again).
    await until_event(federation, run, lambda event: False)


def kill(federation, name):
    process = federation.processes[name]
    process.send_signal(signal.SIGKILL)
    process.wait()


def ledger_of(home, run):
    return json.loads((home / COORDINATOR / run / "ledger.json").read_text())


def check(home, federation, run):
    """The result equals the plain one; no attempt is on the ledger twice."""
    ledger = ledger_of(home, run)
    keys = [(e["round"], e["attempt"]) for e in ledger["rounds"] + ledger["unfinished"]]
    assert max(Counter(keys).values()) == 1
    assert [entry["round"] for entry in ledger["rounds"]] == list(range(1, ROUNDS + 1))
    runs = {name: home / name / run for name in federation.parties}
    assert verify(home / COORDINATOR / run, runs).passed
    return ledger


@pytest.mark.parametrize("phase", ["accepted", "closing"])  # tests/faults has all.
def test_a_coordinator_killed_goes_on_by_itself_when_it_starts_again(tmp_path, phase):
    with launched(tmp_path) as (federation, cast):
        run = asyncio.run(asked(federation, "submit", cast.job))
        early = phase == "accepted"

        def holds(event):
            return phase in (event.event, event.phase) and (early or event.round == 5)

        assert asyncio.run(until_event(federation, run, holds)) is not None
        kill(federation, COORDINATOR)
        federation.launch(COORDINATOR)
        asyncio.run(to_the_end(federation, run))
        codes = federation.wait(30)
    assert set(codes.values()) == {0}
    ledger = check(tmp_path, federation, run)
    attempts = {entry["round"]: entry["attempt"] for entry in ledger["rounds"]}
    assert attempts[ROUNDS] == 1
    events = [event.event for event in read_events(tmp_path / COORDINATOR / run)]
    begun = "resumed" in events  # Said where an attempt had been opened before the kill.
    assert begun or early
    assert attempts[1] == 1 + (begun and early)


def test_a_party_killed_in_a_round_is_missed_in_it_and_back_in_the_next(tmp_path):
    victim = "party-3"
    with launched(tmp_path) as (federation, cast):
        run = asyncio.run(asked(federation, "submit", cast.job))
        asyncio.run(until_event(federation, run, lambda e: e.phase == "gathering" and e.round == 5))
        coordinator = federation.processes[COORDINATOR]
        coordinator.send_signal(signal.SIGSTOP)  # Rounds are faster than a process comes up.
        kill(federation, victim)
        federation.launch(victim)
        until_said(tmp_path / f"{victim}.log", "started again")
        coordinator.send_signal(signal.SIGCONT)
        asyncio.run(to_the_end(federation, run))
        codes = federation.wait(30)
    assert set(codes.values()) == {0}
    ledger = ledger_of(tmp_path, run)
    assert [entry["round"] for entry in ledger["rounds"]] == list(range(1, ROUNDS + 1))
    assert victim in ledger["rounds"][-1]["dealers"]
    told = read_events(tmp_path / COORDINATOR / run)
    assert victim in {event.peer for event in told if event.event == "lost"}
    events = read_events(tmp_path / victim / run)
    assert [e.round for e in events if e.event == "finished"][-1] == ROUNDS


def test_a_coordinator_told_to_end_finishes_the_attempt_and_leaves_the_rest_for_later(tmp_path):
    with launched(tmp_path) as (federation, cast):
        run = asyncio.run(asked(federation, "submit", cast.job))
        asyncio.run(until_event(federation, run, lambda e: e.phase == "gathering"))
        process = federation.processes[COORDINATOR]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        finished = [entry["round"] for entry in ledger_of(tmp_path, run)["rounds"]]
        assert 0 < len(finished) < ROUNDS
        federation.launch(COORDINATOR)
        asyncio.run(to_the_end(federation, run))
        assert set(federation.wait(30).values()) == {0}
    ledger = check(tmp_path, federation, run)
    assert [entry["attempt"] for entry in ledger["rounds"]] == [1] * ROUNDS


def test_a_party_told_to_end_does_its_part_first_and_told_twice_ends_at_once(tmp_path):
    with launched(tmp_path) as (federation, cast):
        run = asyncio.run(asked(federation, "submit", cast.job))
        asyncio.run(until_event(federation, run, lambda e: e.phase == "asking"))
        leaver = federation.processes["party-2"]
        leaver.send_signal(signal.SIGTERM)
        assert leaver.wait(20) == 0
        asyncio.run(to_the_end(federation, run))
    ledger = ledger_of(tmp_path, run)
    assert "party-2" in ledger["rounds"][0]["dealers"]
    assert "party-2" not in ledger["rounds"][-1]["dealers"]
    coordinator = read_events(tmp_path / COORDINATOR / run)
    assert any(e.event in ("lost", "refused") and e.peer == "party-2" for e in coordinator)


def test_a_stopped_run_is_resumed_by_its_operator_and_a_completed_one_is_not(tmp_path):
    with launched(tmp_path) as (federation, cast):
        for name in (COORDINATOR, *federation.parties):
            config = tmp_path / f"{name}.toml"
            kill(federation, name)
            config.write_text(config.read_text().replace("once = true", ""))
            federation.launch(name)
        run = asyncio.run(asked(federation, "submit", cast.job))
        asyncio.run(until_event(federation, run, lambda e: e.event == "closed"))
        asyncio.run(asked(federation, "stop", run))
        with pytest.raises(RunStopped, match=f"{run}: operator stopped it"):
            asyncio.run(to_the_end(federation, run))
        asyncio.run(asked(federation, "resume", run))
        asyncio.run(to_the_end(federation, run))
        with pytest.raises(RequestRefused, match="is completed: there is nothing to resume"):
            asyncio.run(asked(federation, "resume", run))
        check(tmp_path, federation, run)
        kill(federation, COORDINATOR)
        federation.launch(COORDINATOR)
        (known,) = asyncio.run(asked(federation, "status"))
        assert (known["run"], known["outcome"]) == (run, "completed")


def test_two_runs_wait_for_each_other_and_a_party_is_never_found_busy(tmp_path):
    with launched(tmp_path) as (federation, cast):
        for name in (COORDINATOR, *federation.parties):
            config = tmp_path / f"{name}.toml"
            kill(federation, name)
            config.write_text(config.read_text().replace("once = true", ""))
            federation.launch(name)
        runs = [asyncio.run(asked(federation, "submit", cast.job)) for _ in range(2)]
        for run in runs:
            asyncio.run(to_the_end(federation, run))
            check(tmp_path, federation, run)
            events = read_events(tmp_path / COORDINATOR / run)
            assert not [event for event in events if event.event == "refused"]


def test_a_roster_read_again_takes_a_party_off_and_puts_another_on_between_rounds(tmp_path):
    """The operator writes the file and sends SIGHUP; the next opening is among the new roster."""
    with launched(tmp_path, parties=8) as (federation, cast):
        config = tmp_path / f"{COORDINATOR}.toml"
        whole = config.read_text()
        lines = {
            name: f'{name} = "127.0.0.1:{federation.ports[name]}"' for name in federation.parties
        }
        config.write_text(whole.replace(lines["party-8"], ""))
        kill(federation, COORDINATOR)
        federation.launch(COORDINATOR)
        run = asyncio.run(asked(federation, "submit", cast.job))
        asyncio.run(until_event(federation, run, lambda e: e.event == "closed"))
        config.write_text(whole.replace(lines["party-2"], ""))
        federation.processes[COORDINATOR].send_signal(signal.SIGHUP)
        asyncio.run(
            until_event(federation, run, lambda e: e.event == "opened" and e.round == ROUNDS - 1)
        )
        asyncio.run(to_the_end(federation, run))
    ledger = ledger_of(tmp_path, run)
    first, last = ledger["rounds"][0], ledger["rounds"][-1]
    assert "party-8" not in first["roster"]
    assert "party-2" in first["roster"]
    assert "party-8" in last["dealers"]
    assert "party-2" not in last["roster"]
    assert not ledger["unfinished"]


def test_a_forgotten_run_leaves_nothing_and_a_running_daemon_s_store_is_let_alone(tmp_path):
    with launched(tmp_path, rounds=1) as (federation, cast):
        until_said(tmp_path / "party-1.log", "listening")
        busy = secfpp("forget", "demo-1", "--party", str(tmp_path / "party-1.toml"))
        assert busy.returncode == 2
        assert "another daemon has this state_dir: stop it" in busy.stderr
        run = asyncio.run(asked(federation, "submit", cast.job))
        asyncio.run(to_the_end(federation, run))
        federation.wait(30)
    for name, option in ((COORDINATOR, "--coordinator"), ("party-1", "--party")):
        config = str(tmp_path / f"{name}.toml")
        assert (tmp_path / name / run).is_dir()
        assert secfpp("forget", run, option, config).returncode == 0
        assert not (tmp_path / name / run).exists()
        again = secfpp("forget", run, option, config)
        assert again.returncode == 2
        assert f"no run '{run}' is kept in" in again.stderr
    assert (tmp_path / "party-2" / run).is_dir()


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rpf", "true"], check=False, capture_output=True).returncode != 0,
    reason="the system allows no process namespace of one's own",
)
def test_a_daemon_that_is_process_1_ends_on_sigterm_like_any_other(tmp_path):
    """As in a container, where process 1 gets no default handling of signals."""
    cast = scenario(Training.VECTORS, parties=8, rounds=1, seed=5, home=tmp_path)
    federation = Federation(tmp_path, cast.sections, WAITS)
    federation.prepare()
    command = [sys.executable, "-m", "secfpp", "party", "--config", str(tmp_path / "party-1.toml")]
    log = tmp_path / "party-1.log"
    with open(log, "wb") as file:
        outside = subprocess.Popen(
            ["unshare", "-rpf", "--kill-child", *command], stderr=file, stdout=file
        )
    until_said(log, "listening")
    (first,) = psutil.Process(outside.pid).children()
    namespaces = Path(f"/proc/{first.pid}/status").read_text()
    assert re.search(r"NSpid:.*\t1$", namespaces, re.MULTILINE)
    first.send_signal(signal.SIGTERM)
    assert outside.wait(20) == 0


def until_said(log, word):
    deadline = time.monotonic() + 60
    while word not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def secfpp(*arguments):
    command = [sys.executable, "-m", "secfpp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
