"""docs/threat-model.md names the tests that prove its claims; every name is held to the tests."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def claimed() -> list[str]:
    """The names of tests in the threat model, one list entry for each mention."""
    return re.findall(r"`(test_\w+)`", (ROOT / "docs" / "threat-model.md").read_text("utf-8"))


def existing() -> set[str]:
    """Every test function of the suite."""
    sources = (ROOT / "tests").rglob("test_*.py")
    pattern = re.compile(r"^(?:async )?def (test_\w+)", re.MULTILINE)
    return {name for path in sources for name in pattern.findall(path.read_text("utf-8"))}


def test_every_test_that_the_threat_model_names_exists():
    assert [name for name in claimed() if name not in existing()] == []


def test_every_promise_and_every_attack_names_a_test():
    lines = (ROOT / "docs" / "threat-model.md").read_text("utf-8").splitlines()
    rows = [
        line
        for line, following in pairwise(lines)
        if line.startswith("| ") and not following.startswith("|---")  # That one is a heading.
    ]
    assert len(rows) > 15
    assert [row[:60] for row in rows if "`test_" not in row] == []
