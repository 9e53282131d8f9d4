"""Before the first round: who is missing, who refuses, who does not fit, each named in time."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from secfpp.coordinator.invitation import Answers
from secfpp.demo.launcher import COORDINATOR, Federation, Waits
from secfpp.demo.scenario import Training, scenario
from secfpp.errors import (
    ConfigError,
    PeersMissing,
    PeerViolation,
    PolicyRefusal,
    RoundFailed,
    heard,
    told,
)
from secfpp.operator.client import Operator
from secfpp.party.clip_learner import ClipLearner
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.settings.clock import FAREWELL_SECONDS
from secfpp.settings.files import JobSettings, PartySettings, Tls
from secfpp.transport.operator_api import OperatorClient

pytestmark = pytest.mark.xdist_group("processes")

WAITS = Waits(connect_wait=25, idle_timeout=30, round_deadline=60)


def outcome(federation: Federation, job) -> tuple[list[str], str, float]:
    """Submit and follow: what was said, how it ended early (or ""), and after how many seconds."""
    said: list[str] = []
    submitted = 0.0

    async def follow() -> None:
        nonlocal submitted
        identity = Identity.load(federation.operator_tls)
        operator = Operator(OperatorClient(identity, federation.operator_address, COORDINATOR))
        try:
            run = await operator.submit(job)
            submitted = time.monotonic()
            async for event in operator.follow(run):
                said.append(event.sentence())
        finally:
            await operator.close()

    try:
        asyncio.run(follow())
    except PeersMissing as failure:
        return said, str(failure), time.monotonic() - submitted
    return said, "", time.monotonic() - submitted


def prepared(tmp_path) -> tuple[Federation, object]:
    cast = scenario(Training.VECTORS, parties=8, rounds=1, seed=0, home=tmp_path)
    federation = Federation(tmp_path, cast.sections, WAITS)
    federation.prepare()
    return federation, cast


def test_peers_that_never_come_or_come_with_a_foreign_certificate_are_named(tmp_path):
    """party-7 is not started; party-8 has a certificate of another authority."""
    federation, cast = prepared(tmp_path)
    foreign = throwaway_federation(tmp_path / "foreign", {"party-8": Role.PARTY})
    config = tmp_path / "party-8.toml"
    own = str(tmp_path / "pki" / "party-8")
    config.write_text(config.read_text().replace(own, str(foreign["party-8"])))
    try:
        for name in (COORDINATOR, *federation.parties[:6], "party-8"):
            federation.launch(name)
        said, ended, seconds = outcome(federation, cast.job)
    finally:
        federation.stop()
    assert seconds < WAITS.connect_wait + FAREWELL_SECONDS + 3
    assert "2 of 8 parties do not take part, at most 1 may be missing" in ended
    assert "party-7 did not answer in time (TCP refused, nothing listens there)" in ended
    assert "party-8 did not answer in time (its certificate is not right: " in ended
    meanwhile = "waiting for party-7 (TCP refused, nothing listens there); party-8 (its certificate"
    assert any(line.startswith(meanwhile) for line in said)


def test_a_party_whose_vectors_do_not_fit_refuses_by_name_and_the_rest_goes_on(tmp_path):
    federation, cast = prepared(tmp_path)
    np.save(tmp_path / "vectors" / "party-3.npy", np.zeros((1, 7), dtype=np.float32))
    federation.waits = WAITS
    try:
        for name in (COORDINATOR, *federation.parties):
            federation.launch(name)
        said, ended, _ = outcome(federation, cast.job)
    finally:
        federation.stop()
    assert ended == ""
    (refusal,) = [line for line in said if "party-3 refused" in line]
    assert "party-3 refused: SECFPP-E-CONFIG" in refusal
    assert "its vectors do not fit: shape (1, 7), (1, 1024) is needed" in refusal
    assert str(tmp_path) not in refusal
    assert f"{tmp_path / 'vectors' / 'party-3.npy'} has shape (1, 7)" in (
        federation.log_of("party-3").read_text()
    )
    assert any("opened to 7 parties" in line for line in said)


async def test_a_party_that_names_no_images_trains_on_none(tmp_path):
    settings = PartySettings(state_dir=tmp_path, tls=Tls(directory=tmp_path))
    learner = ClipLearner(JobSettings(), settings)
    with pytest.raises(ConfigError, match=r"data\.kind says not which images"):
        await learner.prepare(lambda done, total, loss: None)


def test_parties_with_other_weights_count_as_missing_and_are_named_with_what_they_have():
    answers = Answers(("a", "b", "c"))
    answers.accepted = {
        "a": {"weights": "1f", "dim": "8"},
        "b": {"weights": "2e", "dim": "8"},
        "c": {"weights": "1f", "dim": "8"},
    }
    what = r"b would learn with another model: weights \(2e, most have 1f\)"
    with pytest.raises(ConfigError, match=f"1 of 3 .*: {what}"):
        answers.check_enough(0)
    answers.check_enough(1)
    assert answers.roster == ("a", "c")
    assert answers.common_geometry() == {"weights": "1f", "dim": "8"}


def test_a_width_that_only_one_party_has_is_refused_before_training():
    answers = Answers(("a", "b", "c"))
    answers.accepted = {n: {"width": "512", "dim": "8192"} for n in ("a", "c")}
    answers.accepted["b"] = {"width": "128", "dim": "2048"}
    with pytest.raises(ConfigError, match=r"b would .*width \(128, most have 512\)"):
        answers.check_enough(0)


def test_a_run_ends_where_no_more_than_half_would_learn_with_the_same_model():
    answers = Answers(("a", "b"))
    answers.accepted = {"a": {"weights": "1f"}, "b": {"weights": "2e"}}
    answers.check_enough(0)
    with pytest.raises(ConfigError, match=r"b differs in weights \(2e, most have 1f\)"):
        answers.common_geometry()


def test_who_is_silent_and_who_differs_are_both_counted():
    answers = Answers(("a", "b", "c", "d"))
    answers.accepted = {"a": {"dim": "8"}, "b": {"dim": "9"}, "c": {"dim": "8"}}
    answers.check_enough(2)
    with pytest.raises(PeersMissing, match=r"2 of 4 .*d did not answer .*; b would learn"):
        answers.check_enough(1)


def test_as_many_as_s_may_be_missing_and_no_more():
    answers = Answers(("a", "b", "c"))
    answers.accepted = {"a": {}, "b": {}}
    answers.check_enough(1)
    with pytest.raises(PeersMissing, match="c did not answer"):
        answers.check_enough(0)


def test_a_run_without_anybody_is_refused_however_many_may_be_missing():
    answers = Answers(("a",))
    answers.refused = {"a": "SECFPP-E-CONFIG: data.path: no images in here"}
    with pytest.raises(ConfigError, match=r"at most 0 may be missing: a refused: .* no images"):
        answers.check_enough(1)


def test_refusals_by_policy_are_one_refusal_and_those_alike_stand_together():
    answers = Answers(("a", "b", "c"))
    answers.refused = dict.fromkeys("abc", "SECFPP-E-POLICY: query_kinds: does not list 'pairwise'")
    with pytest.raises(PolicyRefusal, match="missing: a, b, c refused: SECFPP-E-POLICY"):
        answers.check_enough(1)
    answers.refused["b"] = "SECFPP-E-CONFIG: no images"
    with pytest.raises(ConfigError, match=r"missing: a, c refused: .*; b refused: "):
        answers.check_enough(1)


def test_parties_that_all_refused_their_settings_are_told_to_mend_them_and_not_to_start():
    answers = Answers(("a", "b"))
    answers.refused = dict.fromkeys("ab", "SECFPP-E-CONFIG: no images")
    with pytest.raises(ConfigError) as caught:
        answers.check_enough(1)
    assert caught.value.exit_code == 2
    assert caught.value.fix.startswith("mend what the words name")
    answers.refused["b"] = "SECFPP-E-STORE: its state cannot be written"
    with pytest.raises(PeersMissing):
        answers.check_enough(1)
    del answers.refused["b"]
    with pytest.raises(PeersMissing, match="b did not answer"):
        answers.check_enough(1)


@pytest.mark.parametrize(
    "error",
    [PolicyRefusal("query_kinds", "no: never", fix="f"), ConfigError("c"), PeersMissing("p")],
)
def test_an_error_told_by_another_process_is_the_same_error(error):
    again = heard(told(error), otherwise=RoundFailed)
    assert (type(again), str(again), again.fix) == (type(error), str(error), error.fix)


def test_an_error_of_a_kind_that_is_not_told_becomes_what_the_caller_expects():
    violation = PeerViolation("c", "lied")
    again = heard(told(violation), otherwise=RoundFailed)
    assert (type(again), str(again)) == (RoundFailed, "c: lied")
