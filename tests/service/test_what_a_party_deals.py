"""A vector belongs to one round, and over runs to one set of parties (protocol.md §7)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from secfpp.algebra.fixedpoint import Quantiser
from secfpp.demo.launcher import Federation
from secfpp.demo.scenario import Training, scenario
from secfpp.errors import PolicyRefusal, RoundFailed
from secfpp.party.acceptance import check_is_new
from secfpp.party.learner import Trained
from secfpp.party.memory import Dealing, RunMemory, recall
from secfpp.party.own_vectors import OwnVectors
from secfpp.party.records import PartyRecords
from secfpp.protocol.dealing import Abstention
from secfpp.protocol.messages import SITS_OUT, Peer
from secfpp.protocol.params import AttemptKey
from secfpp.settings.files import ClusteringJob, JobSettings, TrainingJob
from secfpp.settings.rounds import round_params
from secfpp.store.sealed import SealedStore
from secfpp.wire.checks import MAXIMUM_WORD

from .party_alone import DIM, PEERS, Ready

FIVE = tuple(f"party-{index}" for index in range(5))
SIX = (*FIVE, "party-5")
VECTOR = np.linspace(-0.9, 0.9, DIM, dtype=np.float32)


def quantiser(roster) -> Quantiser:
    params = round_params(JobSettings(), AttemptKey("r", 1, 1), "boss", roster, DIM)
    return params.prompt_sharing.quantiser


class Fixed(Ready):
    """A learner whose training always gives one vector."""

    def __init__(self, vector: np.ndarray) -> None:
        self.vector = vector

    async def train(self, round_number, start, told) -> Trained:
        return Trained(self.vector.reshape(1, -1), None)


class Party:
    """The own vectors of one party over runs; what it says is kept."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store = SealedStore(home)
        self.said: list[str] = []

    def deals(
        self, run: str, roster, *, number: int = 1, attempt: int = 1, vector=VECTOR, job: str = "{}"
    ):
        """What it makes of a vector in one attempt; None where it deals it, else why not."""
        memory = recall(self.store, run) or RunMemory(run, job, PEERS)
        learner = Fixed(np.asarray(vector, dtype=np.float32))
        records = PartyRecords(self.home / run, "party-0", run, learner)

        def say(event: str, **fields: object) -> None:
            self.said.append(str(fields["text"]))

        own = OwnVectors(learner, records, memory, self.store, say)
        params = round_params(
            JobSettings(rounds=3), AttemptKey(run, number, attempt), "boss", roster, DIM
        )
        made = asyncio.run(own.prepare(params, lambda done, total: None))
        memory.keep(self.store)
        return made.reason if isinstance(made, Abstention) else None


@pytest.fixture
def party(tmp_path):
    one = Party(tmp_path)
    yield one
    one.store.close()


def test_a_vector_is_dealt_in_one_round_of_a_run(party):
    assert party.deals("one", SIX) is None
    assert "has not been trained" in party.deals("one", SIX, number=2)
    assert party.deals("one", SIX, number=2, vector=VECTOR / 2) is None


def test_a_vector_is_dealt_again_in_a_later_attempt_of_its_round(party):
    assert party.deals("one", SIX) is None
    assert party.deals("one", FIVE, attempt=2) is None


def test_in_another_run_a_vector_is_dealt_under_the_same_job_and_among_the_same_parties_only(party):
    assert party.deals("one", SIX) is None
    assert party.deals("two", SIX[::-1]) is None
    reason = party.deals("three", FIVE)
    assert "otherwise in another run" in reason
    assert party.said[-1] == SITS_OUT + reason
    assert len(party.said[-1]) <= MAXIMUM_WORD  # The coordinator is told it as a phase.
    assert party.deals("three", FIVE, vector=VECTOR / 3) is None
    assert "otherwise" in party.deals("four", SIX, job='{"clustering":{"method":"one_shot"}}')


def test_a_vector_is_known_though_fewer_parties_allow_finer_levels(party):
    assert quantiser(SIX).fraction_bits < quantiser(FIVE).fraction_bits
    party.deals("one", SIX)
    assert party.deals("two", FIVE) is not None


def test_a_vector_that_is_equal_after_rounding_only_is_known_too(party):
    rounded = np.round(VECTOR * 1024) / 1024
    party.deals("one", (*SIX, "party-6"), vector=rounded)
    assert party.deals("two", SIX, vector=rounded + np.float32(2.0**-26)) is not None


def test_where_attempts_of_one_run_had_two_rosters_neither_will_do_in_another(party):
    party.deals("one", SIX)
    party.deals("one", FIVE, attempt=2)
    assert party.deals("two", SIX) is not None
    assert party.deals("three", FIVE) is not None


def test_a_crash_forgets_nothing_of_other_runs(party, tmp_path):
    party.deals("one", SIX)
    party.store.close()
    party.store = SealedStore(tmp_path)
    assert party.deals("two", FIVE) is not None


TRAINED = JobSettings(seed=7)


def remembered(job: JobSettings, roster=SIX) -> RunMemory:
    """A run by that job in which something was dealt among these."""
    dealing = Dealing("prompt", "levels", {tuple(sorted(roster))})
    peers = tuple(Peer(name, "127.0.0.1:1") for name in roster)
    return RunMemory("one", job.model_dump_json(), peers, dealings={1: dealing})


@pytest.mark.parametrize(
    ("job", "roster", "accepted"),
    [
        (TRAINED, SIX, True),
        (TRAINED, FIVE, False),
        (JobSettings(seed=7, rounds=9), SIX, False),
        (JobSettings(seed=7, clustering=ClusteringJob(method="one_shot")), SIX, False),
        (JobSettings(seed=8), FIVE, True),
        (JobSettings(seed=7, training=TrainingJob(steps=1)), FIVE, True),
    ],
)
def test_a_job_that_trains_as_another_did_is_refused_unless_all_is_the_same(job, roster, accepted):
    peers = tuple(Peer(name, "127.0.0.1:1") for name in roster)
    memory = RunMemory("two", job.model_dump_json(), peers)
    if accepted:
        check_is_new(memory, job, [remembered(TRAINED)])
    else:
        with pytest.raises(PolicyRefusal, match="seed: this party trained so in one, "):
            check_is_new(memory, job, [remembered(TRAINED)])


def test_runs_that_dealt_nothing_or_were_given_their_vectors_or_are_of_old_stand_in_no_way():
    peers = tuple(Peer(name, "127.0.0.1:1") for name in FIVE)
    undealt = RunMemory("one", TRAINED.model_dump_json(), peers)
    check_is_new(RunMemory("two", "{}", peers), TRAINED, [undealt])
    given = JobSettings(seed=7, training=TrainingJob(kind="vectors"))
    check_is_new(RunMemory("two", "{}", peers), given, [remembered(given)])
    old = replace(remembered(TRAINED), job='{"unknown": 1}')
    check_is_new(RunMemory("two", "{}", peers), TRAINED, [old])


def test_a_party_that_forgot_would_show_its_vector_by_two_means(party, monkeypatch):
    """The mutation: a member of both clusters subtracts the sums, and has what the sixth dealt."""
    monkeypatch.setattr("secfpp.party.own_vectors.objection", lambda *_: "")
    others = np.random.default_rng(1).uniform(-0.5, 0.5, (5, DIM))
    for run, roster in (("one", SIX), ("two", FIVE)):
        assert party.deals(run, roster) is None
    levels = [quantiser(SIX).levels(one.astype(np.float32))[0] for one in (*others, VECTOR)]
    assert np.array_equal(sum(levels) - sum(levels[:5]), levels[5])


@pytest.mark.xdist_group("processes")
def test_vectors_dealt_again_among_fewer_are_kept_back_and_the_operator_is_told_why(tmp_path):
    """Real daemons: two runs of one job, the second with one party less, on the same states."""
    cast = scenario(Training.VECTORS, parties=8, rounds=1, seed=0, home=tmp_path)
    federation = Federation(tmp_path, cast.sections)
    federation.start()
    try:
        asyncio.run(federation.conduct(cast.job, lambda event: None))
    finally:
        federation.stop()
    sections = {name: cast.sections[name] for name in federation.parties[:7]}
    fewer = Federation(tmp_path, sections, ports=federation.ports)
    said: list[str] = []
    fewer.start()
    try:
        with pytest.raises(RoundFailed, match="vectors of 0 dealers"):
            asyncio.run(fewer.conduct(cast.job, lambda event: said.append(event.sentence())))
    finally:
        fewer.stop()
    for name in fewer.parties:
        assert any(f"{name} {SITS_OUT}it dealt this prompt otherwise" in line for line in said)
