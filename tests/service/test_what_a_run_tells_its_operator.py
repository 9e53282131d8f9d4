"""What `status`, `run --follow` and `log` say of a run, in words and in JSON."""

from __future__ import annotations

import asyncio
import json
import re
import time
from types import SimpleNamespace

import pytest
import typer

from secfpp.coordinator.chronicle import Chronicle
from secfpp.coordinator.daemon import CoordinatorDaemon
from secfpp.coordinator.runs import Runs
from secfpp.errors import ConfigError, Interrupted, PeersMissing, RequestRefused, RoundFailed
from secfpp.journal.events import Event
from secfpp.journal.output import Format, speaking
from secfpp.journal.tally import taught_nobody
from secfpp.operator import commands
from secfpp.operator.client import CoordinatorLost
from secfpp.protocol.coordinator_states import Closed
from secfpp.protocol.disclosure import Disclosed
from secfpp.protocol.params import AttemptKey
from secfpp.settings.files import JobSettings
from secfpp.store.sealed import SealedStore

JOB = JobSettings(name="job")


@pytest.fixture
def runs(tmp_path):
    """The runs of a coordinator whose sessions do nothing but remember that they were stopped."""
    store = SealedStore(tmp_path, None)

    def begin(memory):
        stopped: list[str] = []
        chronicle = SimpleNamespace(events=[])
        return SimpleNamespace(
            run=memory.run, chronicle=chronicle, stop=stopped.append, stopped=stopped
        )

    yield Runs(store, SimpleNamespace(state_dir=tmp_path), begin)
    store.close()


async def test_a_queued_run_is_waiting_and_says_behind_whom(runs):
    first, second, third = (runs.submit(JOB) for _ in range(3))
    assert (await runs.next()).run == first
    behind = f"waits for its turn behind {first}, {second}"
    known = {one["run"]: (one["outcome"], one["last"]) for one in runs.status()}
    assert known[first][0] == "running"
    assert known[third] == ("waiting", behind)
    assert [event.sentence() for event in runs.events(third)] == [behind]
    runs.concluded(first, None)
    assert (await runs.next()).run == second


async def test_a_run_that_was_stopped_while_it_waited_and_resumed_waits_once(runs):
    first, second = runs.submit(JOB), runs.submit(JOB)
    runs.stop(first, "boss stopped it")
    assert runs.end(first)["code"] == "SECFPP-E-STOPPED"
    runs.resume(first)
    assert [(await runs.next()).run for _ in range(2)] == [second, first]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(runs.next(), 0.1)


async def test_a_stopped_run_says_who_stopped_it_and_a_run_that_is_over_cannot_be_stopped(runs):
    run = runs.submit(JOB)
    session = await runs.next()
    runs.stop(run, "boss stopped it")
    assert session.stopped == ["boss stopped it"]
    runs.concluded(run, RoundFailed("round 22 failed: boss stopped it"))
    end = runs.end(run)
    assert (end["code"], end["message"]) == ("SECFPP-E-STOPPED", f"{run}: boss stopped it")
    with pytest.raises(RequestRefused, match=r"is over .*: there is nothing to stop"):
        runs.stop(run, "again")


@pytest.mark.parametrize("verb", ["submit", "resume"])
async def test_a_coordinator_that_was_told_to_end_says_that_it_takes_no_new_work(verb):
    daemon = CoordinatorDaemon.__new__(CoordinatorDaemon)
    daemon._leaving = asyncio.create_task(asyncio.sleep(0))
    with pytest.raises(RequestRefused, match="takes no new work"):
        await daemon._answer("boss", {"verb": verb, "run": "run", "job": JOB.model_dump_json()})


async def test_whoever_follows_a_waiting_run_that_is_stopped_is_told_its_end(runs):
    daemon = CoordinatorDaemon.__new__(CoordinatorDaemon)
    daemon._leaving, daemon._runs, daemon._news = None, runs, asyncio.Condition()
    run = runs.submit(JOB)
    following = asyncio.create_task(anext(daemon._follow("boss", run.encode())))
    await asyncio.sleep(0.05)
    await daemon._answer("boss", {"verb": "stop", "run": run})
    told = json.loads(await asyncio.wait_for(following, 5))
    assert told["ended"]["message"] == f"{run}: boss stopped it"


def closed_round(tmp_path, means) -> list[Event]:
    """The events of a round that opened these means."""
    key = AttemptKey("run", 1, 1)
    labels = (("a", 0), ("b", 0), ("c", 0))
    disclosed = Disclosed(key, distances=(), labels=labels, means=means, small=())
    chronicle = Chronicle(tmp_path, "run")
    chronicle.round, chronicle.attempt = 1, 1
    entry = {"round": 1, "attempt": 1, "parameters": {"minimum_cluster": 4}}
    chronicle.finished(entry, Closed(disclosed, {}, {}), {})
    chronicle.close()
    return chronicle.events


def test_a_round_that_opens_no_mean_is_a_warning_that_names_minimum_cluster(tmp_path):
    events = closed_round(tmp_path, ())
    (warned,) = [event for event in events if event.grave]
    assert warned.text == "no cluster reached minimum_cluster = 4: all keep their own prompts"
    assert taught_nobody(events)


def test_a_round_that_opens_a_mean_warns_of_nothing_and_counts_in_good_english(tmp_path):
    events = closed_round(tmp_path, (("a", "b", "c"),))
    assert not any(event.grave for event in events)
    assert events[0].text == "1 cluster from 0 distances; 1 mean went to its members"
    assert not taught_nobody(events)


EVENTS = [
    Event(time=0.0, run="run", event="opened", round=1, attempt=1, text="opened to 3 parties"),
    Event(time=61.0, run="run", event="closed", round=1, attempt=1, text="3 clusters"),
    Event(
        time=61.0,
        run="run",
        event="trouble",
        round=1,
        text="no cluster reached minimum_cluster = 3: all keep their own prompts",
    ),
]


def told(monkeypatch, capsys, verb, error=None):
    """The JSON, the words and the exit code of a command about a run that ends with `error`."""

    class Told:
        async def submit(self, job):
            return "run"

        async def follow(self, run):
            for event in EVENTS:
                yield event
            if error is not None:
                raise error

    def with_told(tls, address, coordinator, ask):
        return asyncio.run(ask(Told()))

    monkeypatch.setattr(commands, "with_operator", with_told)
    monkeypatch.setattr(commands, "load", lambda *_, **__: JobSettings())
    code = 0
    try:
        if verb == "log":
            commands.log("run", "tls", output=Format.JSON)
        else:
            commands.run("job.toml", "tls", follow=True, output=Format.JSON)
    except typer.Exit as ended:
        code = ended.exit_code
    out, err = capsys.readouterr()
    return json.loads(out), err, code


def test_a_followed_run_tells_scripts_its_name_outcome_and_rounds(monkeypatch, capsys):
    said, _, code = told(monkeypatch, capsys, "run")
    assert said["data"] == {"run": "run", "outcome": "completed", "rounds": 1}
    assert code == 0


def test_a_log_tells_scripts_every_event(monkeypatch, capsys):
    said, _, _ = told(monkeypatch, capsys, "log")
    assert said["data"]["events"] == [json.loads(event.line()) for event in EVENTS]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RoundFailed("too few"), "SECFPP-E-ROUND"),
        (PeersMissing("nobody came"), "SECFPP-E-MISSING"),
        (CoordinatorLost("it is gone"), "running"),
        (asyncio.CancelledError(), "running"),
    ],
)
def test_a_followed_run_that_fails_still_tells_its_name_for_resume(
    monkeypatch, capsys, error, outcome
):
    said, _, code = told(monkeypatch, capsys, "run", error)
    assert said["data"] == {"run": "run", "outcome": outcome, "rounds": 1}
    assert said["status"] == "error"
    assert code != 0


def test_whoever_ends_to_follow_is_told_that_the_run_goes_on(monkeypatch, capsys):
    said, words, _ = told(monkeypatch, capsys, "run", asyncio.CancelledError())
    assert said["error"]["code"] == Interrupted.code
    assert "what to do: `secfpp log run` follows it again" in words


def test_every_line_that_is_followed_begins_with_its_local_time(monkeypatch, capsys):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    _, words, _ = told(monkeypatch, capsys, "run")
    monkeypatch.undo()
    time.tzset()
    assert "00:00:00 round 1: opened to 3 parties" in words
    assert "00:01:01 round 1: 3 clusters" in words


def test_a_run_that_taught_nobody_anything_says_so_at_its_end(monkeypatch, capsys):
    _, words, _ = told(monkeypatch, capsys, "run")
    assert re.search(r"run taught nobody anything: no cluster was large enough", words)


def test_what_a_command_had_come_to_know_is_printed_where_it_fails(capsys):
    known: dict[str, object] = {}

    def command():
        known["run"] = "run"
        raise RoundFailed("too few")

    with pytest.raises(typer.Exit):
        speaking(Format.JSON, command, known)
    assert json.loads(capsys.readouterr().out)["data"] == {"run": "run"}


ROSTER = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"protocol": {"adversaries": 2}}, "0 ≤ A ≤ T is needed"),
        ({"protocol": {"minimum_cluster": 1}}, "minimum_cluster ≥ max"),
        ({"protocol": {"minimum_cluster": 6}}, "minimum_cluster ≤ n is needed"),
        ({"training": {"kind": "vectors", "dim": 7}}, "d' ≥ 2·R·"),
    ],
)
async def test_a_job_that_does_not_fit_the_roster_is_refused_when_it_is_submitted(
    runs, sections, words
):
    daemon = CoordinatorDaemon.__new__(CoordinatorDaemon)
    daemon._leaving, daemon._runs = None, runs
    daemon._settings = SimpleNamespace(parties=dict.fromkeys(ROSTER, "x:1"))
    daemon._mailbox = SimpleNamespace(identity=SimpleNamespace(name="boss"))
    request = {"verb": "submit", "job": JobSettings(**sections).model_dump_json()}
    with pytest.raises(ConfigError) as caught:
        await daemon._answer("operator", request)
    assert words in str(caught.value)
    assert "does not fit the 5 parties of boss" in str(caught.value)
    assert runs.status() == []
    fitting = {"verb": "submit", "job": JobSettings().model_dump_json()}
    assert (await daemon._answer("operator", fitting))["run"].startswith("run-")
