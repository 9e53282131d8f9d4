"""Locating wrong answers, held against trying every set of liars and against galois (§9)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from secfpp.algebra.coding import LagrangeCode
from secfpp.algebra.field import FieldArray, stack
from secfpp.algebra.reed_solomon import wrong_positions
from secfpp.errors import RoundFailed


def vectors(name: str) -> list:
    """The cases of a file, as parameters with their names."""
    path = Path(__file__).with_name(f"{name}.json")
    cases = json.loads(path.read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["name"]) for case in cases]


def code_of(case) -> LagrangeCode:
    return LagrangeCode(case["parties"], case["chunks"], case["colluders"])


def values_of(case) -> FieldArray:
    return FieldArray(np.array(case["values"], dtype=np.uint64))


@pytest.mark.parametrize("case", vectors("wrong_answers"))
def test_up_to_a_liars_are_named_and_what_is_left_opens_the_known_total(case):
    code, values, degree = code_of(case), values_of(case), case["degree"]
    answering = case["parties_that_answer"]
    wrong = code.locate(degree, answering, values, case["errors"])
    assert list(wrong) == case["wrong"]
    honest = [place for place in range(len(answering)) if place not in wrong]
    rest = stack([values[place : place + 1] for place in honest])
    parties = [answering[place] for place in honest]
    assert code.decode_total(degree, parties, rest).values.tolist() == [case["total"]]
    chunks = code.decode(degree, parties, rest).values
    assert chunks[:, 0].tolist() == case["chunk_values"]


@pytest.mark.parametrize("case", vectors("too_many_wrong_answers"))
def test_more_than_a_liars_are_corrected_by_nobody_and_nobody_is_named(case):
    code, values = code_of(case), values_of(case)
    with pytest.raises(RoundFailed) as failure:
        code.locate(case["degree"], case["parties_that_answer"], values, case["errors"])
    assert not [value for value in case["values"] if str(value) in str(failure.value).split()]
    with pytest.raises(RoundFailed, match="does not lie on the polynomial"):
        code.decode(case["degree"], case["parties_that_answer"], values.reshape(-1, 1))


@pytest.mark.parametrize("case", vectors("small_wrong_answers"))
def test_over_small_fields_the_liars_are_those_that_galois_finds(case):
    found = wrong_positions(
        case["points"], case["values"], case["degree"], case["errors"], case["modulus"]
    )
    assert (None if found is None else list(found)) == case["wrong"]


@pytest.mark.parametrize("case", vectors("wrong_answers"))
def test_the_order_of_the_answers_does_not_matter(case):
    code = code_of(case)
    answering, values = case["parties_that_answer"][::-1], case["values"][::-1]
    wrong = code.locate(
        case["degree"], answering, FieldArray(np.array(values, dtype=np.uint64)), case["errors"]
    )
    last = len(answering) - 1
    assert sorted(last - place for place in wrong) == case["wrong"]


def test_the_vectors_hold_lies_and_losses_at_once_with_and_without_success():
    for name, counts in (("wrong_answers", {1, 2}), ("too_many_wrong_answers", {1, 2})):
        with_losses = [
            case.values[0]
            for case in vectors(name)
            if len(case.values[0]["parties_that_answer"]) < case.values[0]["parties"]
        ]
        assert {case["errors"] for case in with_losses} >= counts, name
        if name == "wrong_answers":
            assert {len(case["wrong"]) for case in with_losses} >= {0, *counts}


def test_the_vectors_hold_every_number_of_liars_up_to_a_and_beyond():
    inside = {(c.values[0]["errors"], len(c.values[0]["wrong"])) for c in vectors("wrong_answers")}
    assert {(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 0), (3, 3)} <= inside
    beyond = {case.values[0]["errors"] for case in vectors("too_many_wrong_answers")}
    assert beyond == {0, 1, 2, 3}
    small = [case.values[0]["wrong"] for case in vectors("small_wrong_answers")]
    assert None in small
    assert [] in small
