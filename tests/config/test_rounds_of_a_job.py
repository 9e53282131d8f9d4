"""From a job and a roster to the parameters of an attempt: defaults, inequalities, witnesses."""

from __future__ import annotations

import pytest

from secfpp.algebra.fixedpoint import MOST_FRACTION_BITS
from secfpp.errors import ConfigError
from secfpp.protocol.params import AttemptKey
from secfpp.settings.files import (
    LARGEST_VALUE,
    ClusteringJob,
    JobSettings,
    ProtocolJob,
)
from secfpp.settings.rounds import apart_levels, default_colluders, round_params


def roster(parties: int) -> tuple[str, ...]:
    return tuple(f"p{i}" for i in range(parties))


@pytest.mark.parametrize("parties", range(3, 41))
def test_the_defaults_fit_every_number_of_parties(parties):
    params = round_params(
        JobSettings(rounds=1), AttemptKey("r", 1, 1), "c", roster(parties), dim=4096
    )
    assert params.colluders == default_colluders(parties) == max(1, (parties - 1) // 5)
    assert params.stragglers in (0, 1)
    assert params.stragglers == 1 or parties < 4
    assert len(params.witnesses) == min(parties, params.colluders + 6 * params.stragglers + 5)


def test_the_witnesses_of_a_round_stay_when_some_are_lost_and_turn_with_the_rounds():
    names, job = roster(40), JobSettings(rounds=9, protocol={"colluders": 2})
    first = round_params(job, AttemptKey("r", 7, 1), "c", names, dim=4096)
    assert first.witnesses == names[7:20]  # T + 2(3S + 2 + A) + 1, from the place of the round on.
    few = names[:7] + names[11:]
    later = round_params(job, AttemptKey("r", 7, 2), "c", few, dim=4096, witnesses=first.witnesses)
    assert later.witnesses == first.witnesses
    assert later.echo_quorum == 8
    assert (later.stragglers, later.witnesses_here) == (1, 9)


@pytest.mark.parametrize("asked", [None, 1])
@pytest.mark.parametrize(("lost", "stragglers"), [(4, 1), (5, 0)])
def test_s_falls_where_a_loss_would_leave_too_few_witnesses(asked, lost, stragglers):
    names, job = roster(40), JobSettings(protocol={"colluders": 2, "stragglers": asked})
    witnesses = round_params(job, AttemptKey("r", 1, 1), "c", names, dim=4096).witnesses
    left = tuple(name for name in names if name not in witnesses[:lost])
    params = round_params(job, AttemptKey("r", 1, 2), "c", left, dim=4096, witnesses=witnesses)
    assert (params.stragglers, params.witnesses_here) == (stragglers, 13 - lost)


def test_an_attempt_without_a_majority_of_the_rounds_witnesses_says_whom_it_lacks():
    names, job = roster(40), JobSettings(protocol={"colluders": 2})
    witnesses = round_params(job, AttemptKey("r", 1, 1), "c", names, dim=4096).witnesses
    left = tuple(name for name in names if name not in witnesses[:6])
    with pytest.raises(ConfigError) as refusal:
        round_params(job, AttemptKey("r", 1, 2), "c", left, dim=4096, witnesses=witnesses)
    said = "7 of the round's 13 witnesses take part, ⌊(W+T)/2⌋ + 1 + S + A = 8 are needed"
    assert f"{said}; missing: p1, p2, p3, p4, p5, p6" in str(refusal.value)


def test_a_round_that_began_with_three_goes_on_when_others_come():
    witnesses = round_params(
        JobSettings(), AttemptKey("r", 1, 1), "c", roster(3), dim=4096
    ).witnesses
    for parties in (3, 4, 8):
        params = round_params(
            JobSettings(protocol={"colluders": 1}),
            AttemptKey("r", 1, 2),
            "c",
            roster(parties),
            dim=4096,
            witnesses=witnesses,
        )
        assert (params.stragglers, len(params.witnesses)) == (0, 3)


@pytest.mark.parametrize("adversaries", [0, 1, 2])
@pytest.mark.parametrize("stragglers", [0, 1, 2])
def test_witnesses_are_enough_for_three_attempts_that_lose_all_they_may(stragglers, adversaries):
    protocol = {"colluders": 2, "stragglers": stragglers, "adversaries": adversaries}
    job = JobSettings(rounds=1, protocol=protocol)
    params = round_params(job, AttemptKey("r", 1, 1), "c", roster(60), dim=4096)
    gone = 2 * (stragglers + 1) + stragglers
    left = len(params.witnesses) - gone - adversaries
    assert left == params.echo_quorum


def test_headroom_that_is_broken_says_the_formula_and_what_would_fit():
    job = JobSettings(protocol={"fraction_bits": 24})
    with pytest.raises(ConfigError) as refusal:
        round_params(job, AttemptKey("r", 1, 1), "c", roster(8), dim=8192)
    assert "d'·(2·m·B)² < 2^61 − 1" in str(refusal.value)
    assert "the largest fraction_bits that fits is 19" in str(refusal.value)


@pytest.mark.parametrize(
    ("protocol", "rule"),
    [
        ({"colluders": 4}, "n ≥ 2"),
        ({"colluders": 1, "stragglers": 2}, "0 ≤ S ≤ T is needed"),
        ({"adversaries": 2}, "0 ≤ A ≤ T is needed"),
        ({"minimum_cluster": 2}, r"max\(3, T\+2\) = 3 is needed, not 2"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused_with_their_numbers(protocol, rule):
    job = JobSettings(protocol=protocol)
    with pytest.raises(ConfigError, match=rule):
        round_params(job, AttemptKey("r", 1, 1), "c", roster(8), dim=1024)


@pytest.mark.parametrize("method", ["adaptive", "one_shot"])
def test_vectors_too_short_for_the_rounds_are_refused_with_the_formula(method):
    job = JobSettings(rounds=5, clustering={"method": method})
    with pytest.raises(ConfigError) as refusal:
        round_params(job, AttemptKey("r", 1, 1), "c", roster(8), dim=69)
    assert "d' ≥ 2·R·(n−1) is needed (§1): 7 distances about one party" in str(refusal.value)
    assert "R = 5 rounds; d' = 69 allows 6" in str(refusal.value)
    params = round_params(job, AttemptKey("r", 1, 1), "c", roster(8), dim=70)
    assert params.queries_per_party == 7


def test_a_budget_that_no_clustering_can_begin_with_is_refused():
    job = JobSettings(clustering={"query_budget": 6})
    with pytest.raises(ConfigError, match="at least n−1 = 7 distances, query_budget is 6"):
        round_params(job, AttemptKey("r", 1, 1), "c", roster(8), dim=1024)


def test_one_shot_beyond_its_budget_is_refused_when_the_round_is_opened():
    job = JobSettings(clustering={"method": "one_shot", "query_budget": 20})
    with pytest.raises(ConfigError, match="28 distances, query_budget is 20"):
        round_params(job, AttemptKey("r", 1, 1), "c", roster(8), dim=1024)


def test_the_largest_numbers_that_a_job_may_have_lead_to_parameters_or_to_a_clear_refusal():
    largest = ProtocolJob(clip=LARGEST_VALUE, fraction_bits=MOST_FRACTION_BITS)
    job = JobSettings(protocol=largest, clustering=ClusteringJob(apart=LARGEST_VALUE))
    assert apart_levels(job, MOST_FRACTION_BITS) == round((LARGEST_VALUE * 2**24) ** 2)
    with pytest.raises(ConfigError, match="headroom"):
        round_params(job, AttemptKey("run", 1, 1), "boss", ("a", "b", "c", "d"), 64)
