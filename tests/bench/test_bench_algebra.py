"""`secfpp bench algebra` gives the promised JSON, and tells exact arithmetic from wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from secfpp.algebra.field import FieldArray
from secfpp.bench import operations
from secfpp.bench.algebra import AlgebraBench, measure
from secfpp.bench.commands import app

TINY = AlgebraBench(parties=7, dim=50, colluders=1, repeats=1)
OPERATIONS = [
    "quantise",
    "uniform residues",
    "expand seed",
    "share",
    "masks",
    "answer",
    "decode totals",
    "check values",
    "party",
]
PROMISED = {
    "op",
    "parties",
    "dim",
    "chunks",
    "colluders",
    "ns_per_element",
    "ns_per_element_memory_bound",
    "ratio_to_plain_float64",
    "exact",
}


def test_every_operation_is_measured_for_every_size_and_is_exact():
    arguments = ["algebra", "--parties", "6,9", "--dim", "50", "--repeats", "1"]
    done = CliRunner().invoke(app, [*arguments, "--format", "json"])
    assert done.exit_code == 0, done.stderr
    rows = json.loads(done.stdout)["data"]["results"]
    assert [(row["parties"], row["op"]) for row in rows] == [
        (n, op) for n in (6, 9) for op in OPERATIONS
    ]
    for row in rows:
        assert row.keys() >= PROMISED
        assert row["exact"] is True
        assert row["ns_per_element"] > 0
        assert row["ratio_to_plain_float64"] > 0


@pytest.mark.parametrize(
    ("kernel", "wrong"),
    [
        ("uniform", {"uniform residues"}),
        ("expand", {"expand seed"}),
        ("deal_zero", {"masks"}),
        ("distance_answers", {"answer", "party"}),
    ],
)
def test_arithmetic_that_is_off_by_one_is_not_called_exact(monkeypatch, kernel, wrong):
    right = getattr(operations, kernel)

    def off_by_one(*arguments):
        found = right(*arguments)
        return found + FieldArray(np.ones(found.shape, dtype=np.uint64))

    monkeypatch.setattr(operations, kernel, off_by_one)
    rows = measure([TINY])["results"]
    assert {row["op"] for row in rows if not row["exact"]} == wrong
