"""The file of events outlives what a crash or a full disk leaves of it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from secfpp.coordinator.daemon import CoordinatorDaemon
from secfpp.errors import RequestRefused, StoreFailure
from secfpp.journal.events import EventLog, read_events
from secfpp.journal.files import read_json, write_json
from secfpp.journal.tally import Tally

GOOD = b'{"time": 1.0, "run": "run-1", "event": "opened"}\n'


def words(directory: Path) -> list[str]:
    return [event.sentence() for event in read_events(directory)]


SECOND = '{"time": 2.0, "run": "run-1", "event": "waiting", "text": "n − S"}'.encode()


@pytest.mark.parametrize(
    ("left", "read"),
    [
        (SECOND[:3], []),
        (SECOND[: SECOND.index("−".encode()) + 1], []),  # In the middle of a letter.
        (SECOND, ["n − S"]),
        (SECOND + b"\n", ["n − S"]),
    ],
)
def test_what_a_crash_has_cut_off_is_ended_and_left_out_and_all_else_is_read(tmp_path, left, read):
    (tmp_path / "events.jsonl").write_bytes(GOOD + left)
    log = EventLog(tmp_path, "run-1")
    log.record("closed", text="after the crash")
    log.close()
    assert words(tmp_path) == ["opened", *read, "after the crash"]


def test_two_lines_that_a_crash_has_run_together_are_left_out(tmp_path):
    (tmp_path / "events.jsonl").write_bytes(GOOD[:20] + GOOD + GOOD + b"7\n" + b"\xff}\n" + GOOD)
    assert words(tmp_path) == ["opened", "opened"]


def test_a_line_holds_whatever_separators_its_text_has(tmp_path):
    log = EventLog(tmp_path, "run-1")
    log.record("trouble", text="one\u2028two\x85three")
    log.close()
    assert words(tmp_path) == ["one\u2028two\x85three"]


def test_a_closed_log_writes_nothing_anywhere_and_tells_nobody(tmp_path):
    """Mutation: by the bare number of its file, it writes into whatever has that number next."""
    log, heard = EventLog(tmp_path, "run-1"), []
    log.listeners.append(heard.append)
    log.close()
    with open(tmp_path / "other", "wb+") as other:
        log.record("trouble")
        assert other.read() == b""
    assert words(tmp_path) == heard == []


async def test_an_error_of_the_daemons_own_is_not_told_to_be_the_operators():
    daemon = CoordinatorDaemon.__new__(CoordinatorDaemon)

    class Broken:
        def status(self) -> None:
            raise ValueError("a defect")

    daemon._runs = Broken()
    with pytest.raises(ValueError, match="a defect"):
        await daemon._call("ann", b'{"verb": "status"}')


@pytest.mark.parametrize("request_", [b"{", b"7", b"\xff", b'{"verb": "stop"}', b'{"verb": "x"}'])
async def test_a_request_that_cannot_be_read_or_lacks_a_field_is_the_operators(request_):
    daemon = CoordinatorDaemon.__new__(CoordinatorDaemon)
    answer = json.loads(await daemon._call("ann", request_))
    assert answer["error"]["code"] == RequestRefused.code


@contextlib.contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As on a disk that fills up, a write beyond that ends early, and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_event_that_does_not_fit_on_the_disk_is_a_failure_of_the_store_and_leaves_no_half_line(
    tmp_path,
):
    log = EventLog(tmp_path, "run-1")
    log.record("opened")
    with (
        no_file_longer_than(500),
        pytest.raises(StoreFailure, match=r"cannot write .*events.jsonl: File too large"),
    ):
        log.record("closed", text="x" * 1000)
    log.record("failed")
    log.close()
    assert words(tmp_path) == ["opened", "failed"]
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 2


def test_a_file_that_does_not_fit_on_the_disk_is_a_failure_of_the_store_and_leaves_the_one_before(
    tmp_path,
):
    write_json(tmp_path / "ledger.json", {"kept": 1})
    with (
        no_file_longer_than(500),
        pytest.raises(StoreFailure, match=r"cannot write .*ledger.json: File too large"),
    ):
        write_json(tmp_path / "ledger.json", {"long": "x" * 1000})
    assert os.listdir(tmp_path) == ["ledger.json"]
    assert read_json(tmp_path / "ledger.json")["kept"] == 1


def test_a_directory_that_cannot_be_made_is_a_failure_of_the_store(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailure, match=r"cannot write .*Not a directory"):
        write_json(tmp_path / "file" / "run" / "ledger.json", {})
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_peer_causes_again_and_again_is_said_once_a_minute_and_counted(
    tmp_path, monkeypatch
):
    clock = {"now": 0.0}
    monkeypatch.setattr("secfpp.journal.seldom.time.monotonic", lambda: clock["now"])
    log, tally = EventLog(tmp_path, "run-1"), Tally()
    log.listeners.append(tally.hear)
    for clock["now"] in (0.0, 59.0, 61.0, 62.0, 122.0):
        for _ in range(1000):
            log.record("violation", peer="mallory", text="mallory: empty")
    log.record("violation", peer="alice", text="alice: odd")
    log.record("trouble", peer="mallory", text="mallory: late")
    log.close()
    said = words(tmp_path)
    assert said[:16] == 16 * ["mallory: empty"]
    assert said[16:] == [
        "mallory: empty (1984 more before it)",
        "mallory: empty (1999 more before it)",
        "alice: odd",
        "mallory: late",
    ]
    assert tally.violations == {"mallory": 4001, "alice": 1}
