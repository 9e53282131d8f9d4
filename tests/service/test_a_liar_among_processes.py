"""One party's process lies; the others' distances stay exact, it is named, and the proof holds."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509

from secfpp.algebra.field import P
from secfpp.cli import main
from secfpp.demo.launcher import COORDINATOR, Federation
from secfpp.demo.run import run_demo
from secfpp.demo.scenario import Training, scenario
from secfpp.errors import ConfigError
from secfpp.journal import evidence
from secfpp.journal.evidence import check_evidence
from secfpp.pki import certificates, store
from secfpp.pki.names import Role
from secfpp.wire.codec import decode, encode

pytestmark = pytest.mark.xdist_group("processes")

LIAR_NAME, HONEST_DEALER = "party-5", "party-2"
LIAR = """
import sys
from secfpp.protocol import answering, opening
answers, checks = answering.masked_answers, opening.check_values
answering.masked_answers = lambda *about: answers(*about) * 3
opening.check_values = lambda params, dealer, *rest: tuple(
    value ^ (dealer == "party-2") for value in checks(params, dealer, *rest))
from secfpp.cli import main
main()
"""


@dataclass
class WithLiar(Federation):
    """A federation in which one daemon is started with changed code."""

    def launch(self, name: str) -> None:
        if name != LIAR_NAME:
            super().launch(name)
            return
        with open(self.log_of(name), "ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", LIAR, "party", "--config", self._config(name)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


@pytest.fixture(scope="module")
def lied_to(tmp_path_factory):
    """A finished run among a liar: its data and its home."""
    home = tmp_path_factory.mktemp("liar")
    cast = scenario(Training.VECTORS, parties=8, rounds=2, seed=3, home=home)
    protocol = cast.job.protocol.model_copy(update={"adversaries": 1, "stragglers": 0})
    cast = replace(cast, job=cast.job.model_copy(update={"protocol": protocol}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("secfpp.demo.run.Federation", WithLiar)
        return run_demo(cast, home, lambda event: None), home


def coordinator_run(lied_to):
    data, home = lied_to
    return home / COORDINATOR / data["run"]


def authority_of(lied_to) -> bytes:
    """The CA certificate as any party has it."""
    _, home = lied_to
    return (home / "pki" / "party-1" / "ca.crt").read_bytes()


def test_what_was_opened_is_exact_though_one_party_lies(lied_to):
    data, _ = lied_to
    assert data["verify"]["passed"]
    assert data["adjusted_rand_index"] == 1.0
    assert len(data["rounds"]) == 2


def test_the_liar_and_nobody_else_is_named(lied_to):
    lines = (coordinator_run(lied_to) / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    named = [event for event in events if event["event"] in ("named", "violation")]
    assert {event["peer"] for event in named} == {LIAR_NAME}
    assert {event["event"] for event in named} == {"named", "violation"}


def test_the_evidence_proves_it_to_whoever_has_the_ca_certificate(lied_to, capsys, monkeypatch):
    _, home = lied_to
    ca = home / "pki" / "party-1" / "ca.crt"
    (path, _) = sorted(coordinator_run(lied_to).glob("evidence-*.json"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert LIAR_NAME in check_evidence(path, ca.read_bytes())
    monkeypatch.setattr(sys, "argv", _audit(lied_to, "--ca", str(ca)))
    with pytest.raises(SystemExit) as end:
        main()
    told = json.loads(capsys.readouterr().out)["data"]
    assert end.value.code in (None, 0)
    assert told["passed"]
    assert [f["what"] for f in told["findings"] if "evidence" in f["what"]]


def test_evidence_alone_is_judged_without_any_ledger(lied_to, tmp_path, capsys, monkeypatch):
    _, home = lied_to
    shown = tmp_path / "shown.json"
    shown.write_bytes(min(coordinator_run(lied_to).glob("evidence-*.json")).read_bytes())
    ca = str(home / "pki" / "party-1" / "ca.crt")
    monkeypatch.setattr(sys, "argv", ["secfpp", "audit", str(shown), "--ca", ca])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (None, 0)
    assert f"proves {LIAR_NAME}: " in " ".join(capsys.readouterr().err.split())


def _audit(lied_to, *options: str) -> list[str]:
    return ["secfpp", "audit", str(coordinator_run(lied_to)), "--format", "json", *options]


@pytest.mark.parametrize("change", ["blamed", "rule", "dealer", "a word", "a certificate"])
def test_evidence_that_was_changed_proves_nothing(lied_to, tmp_path, change):
    path = min(coordinator_run(lied_to).glob("evidence-*.json"))
    held = json.loads(path.read_text())
    if change in ("blamed", "dealer"):
        held[change] = "party-1"
    elif change == "rule":
        held["rule"] = "BAD_LEAF"
    elif change == "a word":
        held["words"][0]["message"] = held["words"][1]["message"]
    else:
        other = store.throwaway_federation(tmp_path / "other", {LIAR_NAME: Role.PARTY})
        forged = (other[LIAR_NAME] / f"{LIAR_NAME}.crt").read_text()
        held["certificates"][LIAR_NAME] = forged
    changed = tmp_path / "evidence.json"
    changed.write_text(json.dumps(held))
    with pytest.raises(ConfigError, match=r"does not prove|is no evidence"):
        check_evidence(changed, authority_of(lied_to))


def framing_the_dealer(lied_to, tmp_path, liars: int) -> Path:
    """Evidence that would prove an honest dealer at fault: as many words each say one more."""
    path = min(coordinator_run(lied_to).glob("evidence-*.json"))
    held = json.loads(path.read_text())
    assert (held["blamed"], held["dealer"]) == (LIAR_NAME, HONEST_DEALER)
    held.update(blamed=HONEST_DEALER, rule="NO_WORD", opening=None)
    honest = [word for word in held["words"] if word["party"] not in (LIAR_NAME, HONEST_DEALER)]
    for word in honest[:liars]:
        ready = decode(base64.b64decode(word["message"]), sender="a test")
        received = tuple(
            replace(item, checks=((item.checks[0] + 1) % P, *item.checks[1:]))
            if item.dealer == HONEST_DEALER
            else item
            for item in ready.received
        )
        changed = encode(replace(ready, received=received))
        word["message"] = base64.b64encode(changed).decode()
    forged = tmp_path / "evidence.json"
    forged.write_text(json.dumps(held))
    return forged


@pytest.mark.parametrize("liars", [1, 2])
def test_a_check_value_that_was_changed_in_up_to_a_plus_one_words_proves_nothing(
    lied_to, tmp_path, liars
):
    forged = framing_the_dealer(lied_to, tmp_path, liars)
    with pytest.raises(ConfigError, match=r"did not sign the word that is shown as its own"):
        check_evidence(forged, authority_of(lied_to))


def test_if_signatures_were_not_checked_such_words_would_prove_an_honest_dealer_at_fault(
    lied_to, tmp_path, monkeypatch
):
    forged = framing_the_dealer(lied_to, tmp_path, 2)
    monkeypatch.setattr(evidence, "signature_holds", lambda *_: True)
    assert HONEST_DEALER in check_evidence(forged, authority_of(lied_to))


def with_certificate_of(lied_to, tmp_path, name: str, role: Role) -> Path:
    """The liar's evidence, where the CA has certified its key once more, for this name and role."""
    _, home = lied_to
    authority = home / "pki" / "authority"
    liar = store.Identity.load(home / "pki" / LIAR_NAME)
    asked = certificates.make_request(liar._key, name, role)
    issuer = x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
    key = certificates.load_key((authority / "ca.key").read_bytes(), "ca.key")
    issued = certificates.sign_request(asked, issuer, key, role=role)
    held = json.loads(min(coordinator_run(lied_to).glob("evidence-*.json")).read_text())
    held["certificates"][LIAR_NAME] = certificates.certificate_pem(issued).decode()
    changed = tmp_path / "evidence.json"
    changed.write_text(json.dumps(held))
    return changed


@pytest.mark.parametrize(
    ("name", "role"),
    [
        (LIAR_NAME, Role.COORDINATOR),
        (LIAR_NAME, Role.OPERATOR),
        (HONEST_DEALER, Role.PARTY),
    ],
)
def test_a_certificate_of_another_name_or_role_vouches_for_no_word(lied_to, tmp_path, name, role):
    changed = with_certificate_of(lied_to, tmp_path, name, role)
    with pytest.raises(ConfigError, match=rf"{LIAR_NAME} is not one of this federation"):
        check_evidence(changed, authority_of(lied_to))


def test_another_certificate_of_the_same_name_key_and_role_does(lied_to, tmp_path):
    """So the test before differs from evidence that holds by the name or the role only."""
    changed = with_certificate_of(lied_to, tmp_path, LIAR_NAME, Role.PARTY)
    assert LIAR_NAME in check_evidence(changed, authority_of(lied_to))


def test_a_ledger_that_was_changed_fails_the_audit(lied_to, tmp_path, capsys, monkeypatch):
    """One mean for a cluster below the minimum, and a query that no party would answer."""
    ledger = json.loads((coordinator_run(lied_to) / "ledger.json").read_text())
    ledger["rounds"][0]["opened_to_members"]["cluster_means"].append(["party-1", "party-2"])
    line = ledger["rounds"][1]["opened_to_coordinator"]["distances"][0]
    line["members"] = [line["subject"]]
    (tmp_path / "ledger.json").write_text(json.dumps(ledger))
    monkeypatch.setattr(sys, "argv", ["secfpp", "audit", str(tmp_path), "--format", "json"])
    with pytest.raises(SystemExit) as end:
        main()
    told = json.loads(capsys.readouterr().out)["data"]
    assert end.value.code == 1
    failed = [finding["what"] for finding in told["findings"] if finding["passed"] is False]
    assert failed == [
        "round 1, attempt 1: assignment and means",
        "round 2, attempt 1: distances",
    ]
