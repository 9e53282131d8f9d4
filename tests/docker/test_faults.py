"""What befalls containers in the middle of a run: killed, paused, cut off, started anew."""

from __future__ import annotations

import json
import re
import time

import pytest

from secfpp.demo.verify import verify

pytestmark = [pytest.mark.timeout(1500), pytest.mark.xdist_group("docker")]

ROUNDS, SEED, DIM = 40, 2, 1024
STRUCK = 3
"""The round in which it happens."""


class Run:
    """A run that an operator in a container of its own has submitted, and follows."""

    def __init__(self, project) -> None:
        self.project = project
        project.plant(ROUNDS)
        self.operator = project.compose("run", "-d", "operator").stdout.split()[-1]
        self.name = self.said(r"submitted as (\S+)")

    def log(self) -> str:
        said = self.project.engine.run("docker", "logs", self.operator)
        return said.stdout + said.stderr

    def said(self, pattern: str, seconds: float = 120) -> str:
        """Wait until the operator has heard something; what the pattern's group holds."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.log())):
            assert time.monotonic() < deadline, f"never said: {pattern}; but {self.log()[-2000:]}"
            time.sleep(0.05)
        return found.group(found.lastindex or 0)

    def ended(self) -> None:
        """Wait for the end, which must be a good one."""
        code = int(self.project.engine.docker("wait", self.operator))
        assert code == 0, self.log()[-4000:]

    def collected(self, target):
        """The run directory of each daemon, and the coordinator's ledger."""
        runs = self.project.collect(target, self.name)
        ledger = json.loads((runs["coordinator"] / "ledger.json").read_text())
        return runs, ledger


@pytest.fixture(scope="module")
def federation(project):
    """The daemons, up for several runs."""
    project.compose("up", "-d", "coordinator", *project.parties)
    return project


@pytest.fixture
def struck(federation):
    """A run that has come to the round in which it happens."""
    run = Run(federation)
    run.said(rf"round {STRUCK}: opened")
    return run


def dealers(ledger):
    return [set(entry["dealers"]) for entry in ledger["rounds"]]


def has_mean_if_dealer(party, entry, runs):
    mean = runs[party] / f"round-{entry['round']}" / "cluster_prompt.safetensors"
    return party not in entry["dealers"] or mean.exists()


def test_a_killed_party_is_lost_and_rounds_close_without_it_until_it_is_started(struck, tmp_path):
    project = struck.project
    victim = project.container("party-3")
    project.engine.docker("kill", victim)
    struck.said("lost party-3")
    number = struck.said(rf"round (\d+): opened to {len(project.parties) - 1} parties")
    struck.said(rf"round {number}: \d+ clusters? from")
    project.engine.docker("start", victim)
    struck.ended()
    runs, ledger = struck.collected(tmp_path)
    rounds = ledger["rounds"]
    assert [entry["round"] for entry in rounds] == list(range(1, ROUNDS + 1))
    others = set(project.parties) - {"party-3"}
    assert all(others <= present for present in dealers(ledger))
    assert int(number) in [entry["round"] for entry in rounds if set(entry["roster"]) == others]
    assert dealers(ledger)[-1] == set(project.parties)
    # Where it dealt and was lost before it had the mean, there is no mean to hold to the oracle.
    ledger["rounds"] = [entry for entry in rounds if has_mean_if_dealer("party-3", entry, runs)]
    assert len(rounds) - len(ledger["rounds"]) <= struck.log().count("lost party-3")
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "ledger.json").write_text(json.dumps(ledger))
    assert verify(tmp_path / "whole", {name: runs[name] for name in project.parties}).passed


def test_a_party_that_is_paused_for_less_than_the_patience_is_not_lost(struck, tmp_path):
    project = struck.project
    project.engine.docker("pause", project.container("party-2"))
    time.sleep(4)
    project.engine.docker("unpause", project.container("party-2"))
    struck.ended()
    runs, ledger = struck.collected(tmp_path)
    assert dealers(ledger) == [set(project.parties)] * ROUNDS
    assert "lost party" not in struck.log()
    assert verify(runs["coordinator"], {name: runs[name] for name in project.parties}).passed


def test_a_party_that_is_cut_off_is_named_if_it_is_lost_and_the_run_ends_well(struck, tmp_path):
    project = struck.project
    network, victim = f"{project.name}_federation", project.container("party-4")
    project.engine.docker("network", "disconnect", network, victim)
    time.sleep(3)
    project.engine.docker("network", "connect", "--alias", "party-4", network, victim)
    struck.ended()
    _, ledger = struck.collected(tmp_path)
    assert len(ledger["rounds"]) == ROUNDS
    assert all(set(project.parties) - {"party-4"} <= present for present in dealers(ledger))
    if dealers(ledger) != [set(project.parties)] * ROUNDS:
        assert "party-4" in struck.said(r"(lost party-4)")


def test_a_coordinator_that_starts_anew_goes_on_with_the_run(struck, tmp_path):
    project = struck.project
    project.engine.docker("restart", "--time", "0", project.container("coordinator"))
    struck.ended()
    _, ledger = struck.collected(tmp_path)
    assert [entry["round"] for entry in ledger["rounds"]] == list(range(1, ROUNDS + 1))
    assert "the coordinator has started again" in struck.log()


def test_a_party_of_another_project_joins_with_a_key_of_its_own(federation, tmp_path):
    """docs/docker.md, A party on another host: request, sign, install, one service, the roster."""
    engine, name = federation.engine, federation.name
    exchange = tmp_path / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)

    def secfpp(*words: str, mount: str) -> None:
        places = ("-v", mount, "-v", f"{exchange}:/exchange", "-w", "/exchange")
        engine.docker("run", "--rm", "--network=none", *places, "secfpp-coordinator", *words)

    keys, authority = f"{name}-nine_keys", f"{name}_authority"
    engine.docker("volume", "create", keys)
    try:
        secfpp(
            "pki", "request", "party-9", "--role", "party", "--dir", "/pki", mount=f"{keys}:/pki"
        )
        show = ("run", "--rm", "--entrypoint", "cat")
        request = engine.docker(
            *show, "-v", f"{keys}:/pki:ro", "secfpp-coordinator", "/pki/party-9.csr"
        )
        (exchange / "party-9.csr").write_text(request + "\n")
        ca = engine.docker(
            *show, "-v", f"{authority}:/authority:ro", "secfpp-coordinator", "/authority/ca.crt"
        )
        (exchange / "ca.crt").write_text(ca + "\n")
        sign = ("pki", "sign", "party-9.csr", "--role", "party", "--dir", "/authority")
        secfpp(*sign, mount=f"{authority}:/authority")
        install = ("pki", "install", "party-9.crt", "ca.crt", "--dir", "/pki")
        secfpp(*install, mount=f"{keys}:/pki")
        federation.admit("party-9", keys)
        run = Run(federation)
        run.ended()
        _, ledger = run.collected(tmp_path / "out")
        assert dealers(ledger) == [{*federation.parties, "party-9"}] * ROUNDS
    finally:
        federation.dismiss("party-9")
        engine.run("docker", "volume", "rm", "-f", keys, check=False)
