"""What `secfpp audit` finds in ledgers that are not as a coordinator writes them."""

from __future__ import annotations

import json

import pytest
import typer

from secfpp.cluster.queries import Query
from secfpp.coordinator.records import Ledger, ledger_entry
from secfpp.errors import ConfigError
from secfpp.journal.output import Format
from secfpp.operator import commands
from secfpp.operator.audit import audit, verdict
from secfpp.protocol.disclosure import OpenedDistance, disclosure
from secfpp.protocol.params import AttemptKey
from secfpp.settings.files import JobSettings
from secfpp.settings.rounds import round_params

RUN = "run-0001"
ROSTER = ("a", "b", "c", "d", "e")
JOB = JobSettings(rounds=3)


@pytest.fixture
def directory(tmp_path):
    """A run of three rounds in which all are alike."""
    ledger = Ledger(tmp_path / RUN, RUN)
    for number in range(1, 4):
        key = AttemptKey(RUN, number, 1)
        params = round_params(JOB, key, "boss", ROSTER, 4096)
        opened = (OpenedDistance(key, 0, Query("a", ("b", "c")), 5),)
        disclosed = disclosure(params, opened, tuple((party, 0) for party in ROSTER))
        ledger.finished(ledger_entry(params, disclosed, JOB, None))
    return tmp_path / RUN


def changed(directory, change):
    """The ledger, after something was done to it."""
    path = directory / "ledger.json"
    ledger = json.loads(path.read_text())
    change(ledger)
    path.write_text(json.dumps(ledger))
    return audit(directory, None, None)


def amiss(findings) -> dict[str, str]:
    return {found.what: found.detail for found in findings if found.passed is False}


def test_a_ledger_as_it_was_written_is_sound_and_one_line_says_so(directory):
    findings = audit(directory, None, None)
    assert all(found.passed for found in findings)
    assert verdict(findings) == f"in order: {len(findings)} findings"


def test_a_distance_below_zero_does_not_hold(directory):
    def change(ledger):
        ledger["rounds"][1]["opened_to_coordinator"]["distances"][0]["value"] = "-1"

    findings = changed(directory, change)
    assert amiss(findings) == {
        "round 2, attempt 1: distances": "a squared distance of -1 is below 0"
    }
    first = "round 2, attempt 1: distances"
    assert verdict(findings) == f"NOT in order: 1 of {len(findings)} findings, first {first}"


def test_a_ledger_of_another_schema_is_not_read(directory):
    with pytest.raises(ConfigError, match="schema_version"):
        changed(directory, lambda ledger: ledger.update(schema_version=99))


def test_a_round_that_was_deleted_is_missed(directory):
    findings = changed(directory, lambda ledger: ledger["rounds"].pop(1))
    assert amiss(findings) == {"rounds": "of 3 rounds these are not on the ledger: 2"}


def test_a_round_that_is_there_twice_is_found(directory):
    findings = changed(directory, lambda ledger: ledger["rounds"].append(ledger["rounds"][0]))
    assert amiss(findings) == {"rounds": "of 3 rounds these are on the ledger twice: 1"}


def test_a_run_that_ended_early_is_noted_and_not_blamed(directory):
    findings = changed(directory, lambda ledger: ledger["rounds"].pop())
    assert amiss(findings) == {}
    assert [f.detail for f in findings if f.passed is None] == [
        "2 of 3 rounds: the run is not over, or ended early"
    ]
    assert verdict(findings) == f"in order: {len(findings)} findings; 1 to weigh"


def test_a_directory_of_another_name_is_noted(directory, tmp_path):
    other = directory.rename(tmp_path / "copy")
    (noted,) = [found for found in audit(other, None, None) if found.passed is None]
    assert noted.detail == f"the ledger is of {RUN}, the directory is called copy"


def test_the_command_ends_with_its_verdict(directory, capsys):
    changed(directory, lambda ledger: ledger["rounds"].pop(1))
    with pytest.raises(typer.Exit):
        commands.audit(directory, output=Format.HUMAN)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith(f"audit of {directory}: NOT in order: 1 of ")


def test_evidence_alone_needs_the_certificate_of_the_authority(tmp_path):
    path = tmp_path / "evidence-1-1-a-b.json"
    path.write_text("{}")
    with pytest.raises(ConfigError) as caught:
        audit(path, None, None)
    assert "--ca" in caught.value.fix
