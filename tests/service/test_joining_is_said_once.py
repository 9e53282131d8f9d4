"""That a party accepts, joins or cannot join is said once for each change, not for each answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from secfpp.coordinator.desk import Desk
from secfpp.coordinator.gathering import Gathering
from secfpp.coordinator.invitation import Answers
from secfpp.coordinator.participants import Participants
from secfpp.coordinator.session import RunSession
from secfpp.protocol.messages import Accept
from secfpp.settings.files import JobSettings, Time

ACCEPT = Accept("run", (("dim", "64"),))
ODD = Accept("run", (("dim", "32"),))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def desk(said) -> Desk:
    def say(event: str, *, peer: str, text: str = "") -> None:
        said.append(text or f"{event} {peer}")

    participants = Participants({"a": "127.0.0.1:1", "b": "127.0.0.1:2"})
    participants.begin({"dim": "64"})
    return Desk("run", None, Time(), participants, SimpleNamespace(say=say))


async def test_when_a_run_starts_each_acceptance_is_said_once(desk, said):
    gathering = Gathering(desk, None)

    async def gather(_: object) -> Answers:
        answers = Answers(("a", "b"))
        for party in ("a", "b", "a", "b"):
            gathering._on_answer(answers, None, (party, ACCEPT))
        return answers

    session = RunSession.__new__(RunSession)
    session.run, session._desk, session._participants = "run", desk, desk.participants
    session._gathering = SimpleNamespace(gather=gather)
    session._job = JobSettings()
    session._memory = SimpleNamespace(job="{}", geometry={"dim": "64"}, colluders=1)
    await session._gather()
    assert said == ["accepted a", "accepted b"]
    assert desk.participants.roster() == ("a", "b")


def test_who_answers_again_while_it_takes_part_or_is_about_to_is_not_said_to_join(desk, said):
    for _ in range(3):
        desk.take("a", ACCEPT)
    assert said == ["a joins at the next opening"]
    assert desk.participants.roster() == ("a",)
    desk.take("a", ACCEPT)
    assert said == ["a joins at the next opening"]


def test_who_comes_back_after_a_loss_is_said_to_join_again(desk, said):
    desk.take("a", ACCEPT)
    desk.participants.roster()
    desk.participants.lost(("a",))
    desk.take("a", ACCEPT)
    assert said == ["a joins at the next opening"] * 2


def test_why_a_party_cannot_join_is_said_once_until_it_is_another_reason(desk, said):
    for accept in (ODD, ODD, ACCEPT, ODD):
        desk.take("a", accept)
    reason = "a cannot join: it would learn with another model: dim (32, most have 64)"
    assert said == [reason, "a joins at the next opening", reason]
