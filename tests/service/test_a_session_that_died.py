"""A party whose session has died says so, so that no round waits for it, and is invited again."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from secfpp.coordinator.gathering import Gathering
from secfpp.coordinator.invitation import Answers
from secfpp.coordinator.participants import Participants
from secfpp.coordinator.session import RunSession
from secfpp.demo.launcher import COORDINATOR, Federation, Waits
from secfpp.demo.scenario import Training, scenario
from secfpp.errors import ConfigError, PeerViolation, RoundFailed, StoreFailure
from secfpp.journal.events import read_events
from secfpp.party.daemon import PartyDaemon
from secfpp.protocol.messages import Accept, Done, Ended, Envelope, Invite, Refuse
from secfpp.settings.files import Time

from .party_alone import PEERS, Outgoing, opening, session_in
from .test_ledger_of_failed_attempts import PARTIES, PartiesInMemory, conducted


class OneNeverFinishes(PartiesInMemory):
    """Nothing happens to anybody, but one party's last word is lost."""

    mute = "party-3"

    def post(self, envelopes) -> None:
        super().post(e for e in envelopes if not isinstance(e.message, Done))

    def _shows_that_distances_are_opened(self, message: object) -> bool:
        return False

    def _hand(self, sender: str, envelope: Envelope) -> None:
        super()._hand(sender, envelope)
        self._flying = type(self._flying)(
            (who, e)
            for who, e in self._flying
            if not (who == self.mute and isinstance(e.message, Done))
        )


def test_who_does_not_confirm_its_mean_in_time_is_away_and_is_invited_again(tmp_path):
    """Mutation: without it the next round is opened to it too, and waits for it in vain."""
    limits = Time(connect_wait=1, idle_timeout=1, round_deadline=60)
    link = conducted(tmp_path, link=OneNeverFinishes(), limits=limits)
    (lost,) = [event for event in read_events(tmp_path / "run-1") if event.event == "lost"]
    assert lost.text == "lost party-3: did not confirm its mean in time"
    assert link.session._participants.away == ("party-3",)


def test_who_says_that_it_takes_no_more_part_is_away_also_between_two_attempts():
    participants = Participants(dict.fromkeys(PARTIES, "127.0.0.1:1"))
    participants.begin({"dim": "64"})
    for party in PARTIES[:3]:
        participants.accepted(party, {"dim": "64"})
    participants.left(PARTIES[0])
    assert participants.roster() == PARTIES[1:3]
    participants.left(PARTIES[1])
    assert participants.roster() == PARTIES[2:3]
    assert participants.away == (*PARTIES[:2], *PARTIES[3:])


def refusals(link: Outgoing) -> list[Refuse]:
    return [message for to, message in link.sent if to == "boss" and isinstance(message, Refuse)]


def test_any_error_that_ends_a_session_is_told_to_the_coordinator_without_names_of_files(tmp_path):
    session, link = session_in(tmp_path)

    async def fails(*_: object) -> dict[str, str]:
        raise ConfigError("cannot write /home/ann/secret: No space left")

    session._command = fails

    async def conduct() -> None:
        session.deliver("boss", opening(1))
        await session.conduct()

    with pytest.raises(ConfigError, match="/home/ann/secret"):
        asyncio.run(conduct())
    (refusal,) = refusals(link)
    assert (refusal.run, refusal.key) == ("run", "SECFPP-E-CONFIG")
    assert refusal.reason == "its files or settings cannot be used for this; its own log says which"
    assert session.is_ending


def test_a_coordinator_that_has_been_silent_too_long_for_a_party_is_told_so(tmp_path):
    session, link = session_in(tmp_path)
    limits = Time(connect_wait=1, idle_timeout=0.1, round_deadline=2)
    session._desk.settings = session._desk.settings.model_copy(update={"time": limits})
    with pytest.raises(RoundFailed, match=r"^boss has been silent for 0.1 s$") as silence:
        asyncio.run(session.conduct())
    assert "time.idle_timeout" in silence.value.fix
    (refusal,) = refusals(link)
    assert refusal.key == "SECFPP-E-ROUND"
    assert "0.1" not in refusal.reason


def test_a_coordinator_whose_disk_is_full_tells_everyone_that_the_run_is_over_and_no_file():
    session, posted = RunSession.__new__(RunSession), []
    session.run, session._participants = "run", Participants({"a": "", "b": ""})

    def full(*_: object, **__: object) -> None:
        raise StoreFailure("cannot write events.jsonl: No space left on device")

    async def drain(_: float) -> None:
        posted.append("drained")

    session.chronicle = SimpleNamespace(say=full)
    session._link = SimpleNamespace(post=posted.extend, drain=drain)
    full_disk = StoreFailure("cannot write /srv/boss/state.sqlite: No space left on device")

    async def gather() -> None:
        raise full_disk

    async def beat() -> None:
        """No signs of life are counted here."""

    session._beat, session._gather = beat, gather
    session._remember_the_last_attempt = lambda: None
    session.chronicle.close = lambda: None
    with pytest.raises(StoreFailure):
        asyncio.run(session.conduct())
    over = Ended("run", False, full_disk.outward)
    assert "/srv" not in over.reason
    assert posted == [Envelope("a", over), Envelope("b", over), "drained"]


def test_who_has_accepted_and_then_refuses_is_not_among_those_who_accepted():
    gathering, answers = Gathering(None, None), Answers(("a",))
    gathering._desk = SimpleNamespace(chronicle=SimpleNamespace(say=lambda *_, **__: None))
    for word in (Accept("run", ()), Refuse("run", "leaving", "it was told to end")):
        gathering._on_answer(answers, None, ("a", word))
    assert (answers.roster, answers.refused) == ((), {"a": "leaving: it was told to end"})
    gathering._on_answer(answers, None, ("a", Accept("run", ())))
    assert (answers.roster, answers.refused) == (("a",), {})


def test_trouble_in_the_turn_in_which_a_run_ends_does_not_end_the_daemon(tmp_path):
    """The daemon knows the session for one turn longer than its log is open."""
    session, _ = session_in(tmp_path)
    session.deliver("boss", Ended("run", True, "done"))
    asyncio.run(session.conduct())
    daemon, _ = daemon_with(session)
    daemon._trouble("party-2", PeerViolation("party-2", "sent bytes that are no message"))
    assert "trouble" not in {event.event for event in read_events(session.directory)}


def daemon_with(session: object) -> tuple[PartyDaemon, Outgoing]:
    daemon = PartyDaemon.__new__(PartyDaemon)
    daemon._settings = SimpleNamespace(coordinator="boss")
    daemon._link = link = Outgoing()
    daemon._session, daemon._next = session, None
    return daemon, link


@pytest.mark.parametrize(("sender", "answers"), [("boss", 1), ("party-1", 0)])
def test_an_attempt_of_a_run_in_which_a_party_takes_no_part_is_refused_at_once(sender, answers):
    daemon, link = daemon_with(None)

    async def route() -> None:
        words = iter([(sender, opening(1))])

        async def receive():
            for word in words:
                return word
            raise asyncio.CancelledError

        link.receive = receive
        with pytest.raises(asyncio.CancelledError):
            await daemon._route()

    asyncio.run(route())
    assert [refusal.run for refusal in refusals(link)] == ["run"] * answers


def test_a_session_that_is_ending_accepts_nothing_the_invitation_waits_for_the_next_one():
    """Mutation: an answer of a session that has died would have attempts opened to nobody."""
    daemon, link = daemon_with(SimpleNamespace(run="run", is_ending=True))
    invite = Invite("run", "{}", PEERS)
    daemon._invited("boss", invite)
    assert daemon._next == invite
    assert not link.sent


@pytest.mark.xdist_group("processes")
def test_a_party_too_impatient_for_its_coordinator_stalls_no_round(tmp_path):
    """It waits for a second, and the coordinator, which waits for another, speaks every two."""
    waits = Waits(connect_wait=60, idle_timeout=8, round_deadline=60)
    cast = scenario(Training.VECTORS, parties=8, rounds=3, seed=0, home=tmp_path)
    federation = Federation(tmp_path, cast.sections, waits)
    federation.prepare()
    config = tmp_path / "party-1.toml"
    text = config.read_text().replace("idle_timeout = 8", "idle_timeout = 1")
    config.write_text(text.replace("once = true", ""))
    said: list[str] = []
    ends: list[float] = []

    def told(event) -> None:
        said.append(event.sentence())
        if event.event == "refused" and federation.parties[-1] not in federation.processes:
            federation.launch(federation.parties[-1])
        if event.event == "closed":
            ends.append(time.monotonic())

    try:
        for name in (COORDINATOR, *federation.parties[:-1]):
            federation.launch(name)
        asyncio.run(federation.conduct(cast.job, told))
    finally:
        federation.stop()
    assert said.count("round 1: opened to 7 parties") == 1
    assert len(ends) == 3
    assert ends[-1] - ends[0] < waits.idle_timeout
    assert any("party-1 refused: SECFPP-E-ROUND: it has not heard" in line for line in said)
