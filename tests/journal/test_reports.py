"""A party's report of a round, as the coordinator reads it."""

from __future__ import annotations

import pytest

from secfpp.coordinator.records import reported

REPORT = '{"seconds": {"total": %s}, "bytes": {"sent": %s, "received": 1}, "accuracy": %s}'


def test_a_report_is_read_as_it_was_written():
    told = reported(REPORT % ("2.5", "1024", "0.75"))
    assert (told.seconds, told.sent, told.accuracy) == (2.5, 1024, 0.75)


@pytest.mark.parametrize("figure", ["Infinity", "NaN", "1e999", "1" + 400 * "0"])
@pytest.mark.parametrize("place", range(3))
def test_a_report_with_numbers_that_are_none_neither_counts_nor_harms(figure, place):
    figures = ["1", "1", "1"]
    figures[place] = figure
    told = reported(REPORT % tuple(figures))
    assert told.words == "sent a report that cannot be read"
    assert (told.seconds, told.sent, told.accuracy) == (0.0, 0, None)


def test_a_report_that_is_nested_too_deep_cannot_be_read():
    assert reported(100_000 * "[").words == "sent a report that cannot be read"
