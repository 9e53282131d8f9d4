"""A daemon's log line about an event of a run says where it belongs, as fields of their own."""

from __future__ import annotations

import io
import json

import pytest
import structlog

from secfpp.errors import Misuse
from secfpp.journal.events import Event
from secfpp.journal.logs import configure, log_event


@pytest.fixture
def lines(monkeypatch):
    """What is logged to stderr while a test runs."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure("coordinator")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_run_round_attempt_phase_and_peer_are_fields(lines):
    log_event(Event(1.0, "run-1", "lost", 2, 3, "asking", "party-4", text="lost party-4: silent"))
    (line,) = lines()
    del line["timestamp"]
    assert line == {
        "event": "round 2: lost party-4: silent (attempt 3)",
        "kind": "lost",
        "level": "warning",
        "process": "coordinator",
        "run": "run-1",
        "round": 2,
        "attempt": 3,
        "phase": "asking",
        "peer": "party-4",
    }


def test_what_an_event_does_not_have_is_no_field(lines):
    log_event(Event(1.0, "run-1", "parameters", text="n = 8"))
    (line,) = lines()
    assert line["level"] == "info"
    assert not {"round", "attempt", "phase", "peer"} & set(line)


def test_steps_of_an_attempt_are_left_to_the_file_of_events(lines):
    log_event(Event(1.0, "run-1", "phase", 2, 1, "sharing", text="waiting for shares of party-3"))
    log_event(Event(1.0, "run-1", "waiting", 2, 1, "sharing", text="waiting for shares of party-3"))
    assert [line["kind"] for line in lines()] == ["waiting"]


def test_bytes_and_arrays_are_refused(lines):
    with pytest.raises(Misuse, match="share is a bytes"):
        structlog.get_logger().info("leak", share=b"\x01\x02")
    assert lines() == []


def test_what_a_peer_causes_between_runs_again_and_again_is_logged_a_few_times(lines):
    log = structlog.get_logger()
    for _ in range(1000):
        log.warning("trouble", peer="mallory", reason="empty")
        log.info("queued", peer="mallory")
    logged = [line["event"] for line in lines()]
    assert (logged.count("trouble"), logged.count("queued")) == (16, 1000)
