"""A party's report of a round, as the coordinator reads it and writes it down."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from secfpp.coordinator.chronicle import Chronicle
from secfpp.coordinator.reports import reported
from secfpp.protocol.messages import Report

REPORT = '{"seconds": {"total": %s}, "bytes": {"sent": %s, "received": 1}, "accuracy": %s}'


@pytest.fixture
def chronicle(tmp_path) -> Iterator[Chronicle]:
    """Of a run in its second round."""
    opened = Chronicle(tmp_path, "run")
    opened.round = 2
    yield opened
    opened.close()


def test_a_report_is_read_as_it_was_written():
    told = reported(REPORT % ("2.5", "1024", "0.75"))
    assert told is not None
    assert (told.seconds, told.sent, told.accuracy) == (2.5, 1024, 0.75)


@pytest.mark.parametrize("figure", ["Infinity", "NaN", "1e999", "1" + 400 * "0", "-1", '"1"'])
@pytest.mark.parametrize("place", range(3))
def test_a_report_with_numbers_that_cannot_be_cannot_be_read(figure, place):
    figures = ["1", "1", "1"]
    figures[place] = figure
    assert reported(REPORT % tuple(figures)) is None


@pytest.mark.parametrize("text", [100_000 * "[", 100_000 * '{"a":', "7", "{}", REPORT % (1, 1, 2)])
def test_a_report_that_is_none_cannot_be_read(text):
    assert reported(text) is None


def test_a_party_has_one_report_for_each_round_up_to_the_present(chronicle, tmp_path):
    report = REPORT % ("1", "1", "0.5")
    for number in (1, 2, 2, 1):
        chronicle.report("a", Report("run", number, report))
    again = Chronicle(tmp_path, "run")
    again.round = 2
    again.report("a", Report("run", 2, report))
    again.close()
    ledger = json.loads((tmp_path / "ledger.json").read_text())
    assert [told["round"] for told in ledger["told_by_choice"]] == [1, 2]
    assert [event.round for event in again.events] == [1, 2]


def test_that_a_party_sends_reports_that_cannot_be_read_is_said_once(chronicle, tmp_path):
    sane = REPORT % ("1", "1", "0.5")
    for number, text in ((0, sane), (3, sane), (10**9, sane), (2, 100_000 * "["), (2, "{}")):
        chronicle.report("a", Report("run", number, text))
    (event,) = chronicle.events
    assert event.event == "trouble"
    assert event.text == "a sent a report that cannot be read"
    assert not (tmp_path / "ledger.json").exists()
    chronicle.report("b", Report("run", 2, "{}"))
    assert chronicle.events[1].peer == "b"
