"""The table of the fault matrix at the end of a run, and as JSON where SECFPP_FAULTS_JSON is set.

A cell records its line as the property `cell` of its test, so that several processes can share the
matrix. `make test` runs the cells without the mark `faults`, `make faults` all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .cells import Cell
from .drill import Outcome, drill


@pytest.fixture
def drilled(tmp_path, record_property):
    """Runs a cell and records its line."""

    def run(cell: Cell) -> Outcome:
        outcome = drill(cell, tmp_path)
        record_property("cell", outcome.row())
        return outcome

    return run


def pytest_terminal_summary(terminalreporter):
    rows = [
        {**value, "passed": report.passed}
        for key in ("passed", "failed")
        for report in terminalreporter.stats.get(key, [])
        for name, value in report.user_properties
        if name == "cell"
    ]
    if not rows:
        return
    terminalreporter.section("fault matrix")
    for row in sorted(rows, key=lambda row: (row["victim"], row["phase"], row["kind"])):
        mark = "" if row["passed"] else "  NOT AS EXPECTED"
        ended = f"{row['outcome']} {row['code']}".strip()
        line = f"{row['phase']:<24}{row['victim']:<13}{row['kind']:<18}{ended:<26}"
        after = row.get("resumed_after")
        back = "" if after is None else f", back after {after:.1f} s"
        terminalreporter.write_line(f"{line}{row['seconds']:6.1f} s{back}{mark}")
    terminalreporter.write_line(f"{len(rows)} cells")
    path = os.environ.get("SECFPP_FAULTS_JSON")
    if path:
        Path(path).write_text(json.dumps({"schema_version": 1, "cells": rows}, indent=1))
