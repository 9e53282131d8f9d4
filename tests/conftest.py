"""Hypothesis: no deadline (other work shares the cores), failures print their reproduction.

A test that counts something records it as a property, figure and number; the sums are printed at
the end of the run, also where several processes share the tests.
"""

from __future__ import annotations

from collections import Counter

import pytest
import structlog
from hypothesis import settings

settings.register_profile("secfpp", deadline=None, print_blob=True)
settings.load_profile("secfpp")


def pytest_terminal_summary(terminalreporter):
    figures: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        figures.update({name: n for name, n in report.user_properties if isinstance(n, int)})
    if figures:
        terminalreporter.section("figures")
    for figure, number in sorted(figures.items()):
        terminalreporter.write_line(f"{number:6d}  {figure}")


@pytest.fixture(autouse=True)
def _no_log_outlives_its_test():
    """A log that a test has set up writes to a stream that is closed when the test is over."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
