"""SecFPP's algebra against answers that other code gave (generate.py, galois, the RFCs)."""

from __future__ import annotations

import ast
import hashlib
import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from secfpp.algebra.coding import LagrangeCode, lagrange_matrix
from secfpp.algebra.distances import distance_answers
from secfpp.algebra.field import FieldArray, stack
from secfpp.algebra.fixedpoint import Quantiser, fits, largest_fraction_bits
from secfpp.algebra.masking import deal_zero, solvable, zero_matrix
from secfpp.algebra.randomness import Seed, expand, uniform
from secfpp.errors import ConfigError, Misuse, RoundFailed

HERE = Path(__file__).parent
FAILURES = {"misuse": Misuse, "round failed": RoundFailed}


def vectors(name: str) -> list:
    """The cases of a file, as parameters with their names."""
    cases = json.loads((HERE / f"{name}.json").read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["name"]) for case in cases]


def field(values: Sequence) -> FieldArray:
    """Residues from integers, through the checked door."""
    return FieldArray(np.array(values, dtype=np.uint64))


def code_of(case) -> LagrangeCode:
    return LagrangeCode(case["parties"], case["chunks"], case["colluders"])


def pinned_of(pairs) -> dict[int, FieldArray]:
    return {party: field(values) for party, values in pairs}


@pytest.mark.parametrize("case", vectors("sharings"))
def test_shares_with_pinned_ones_are_those_that_were_computed_elsewhere(case):
    code = code_of(case)
    shares = code.share(field(case["secret"]), pinned_of(case["pinned"]))
    assert shares.values.tolist() == case["shares"]
    some = list(range(code.share_degree, -1, -1))
    chunks = code.decode(code.share_degree, some, stack([shares[j] for j in some]))
    assert code.join(chunks, len(case["secret"])).values.tolist() == case["secret"]


@pytest.mark.parametrize("case", vectors("erasures"))
def test_any_answers_in_any_order_decode_to_the_known_chunks_and_totals(case):
    code, values = code_of(case), field(case["values"])
    answering = case["parties_that_answer"]
    chunks = code.decode(case["degree"], answering, values)
    assert chunks.values.tolist() == case["chunk_values"]
    totals = code.decode_total(case["degree"], answering, values)
    assert totals.values.tolist() == case["totals"]


@pytest.mark.parametrize("masked", [False, True], ids=["bare", "masked"])
@pytest.mark.parametrize("case", vectors("distances"))
def test_answers_and_the_distances_they_open_are_the_known_ones(case, masked):
    code, count = code_of(case), len(case["queries"])
    shares = [
        code.share(FieldArray.from_signed(np.array(levels, dtype=np.int64)), pinned_of(pinned))
        for levels, pinned in zip(case["levels"], case["pinned"], strict=True)
    ]
    masks = field(np.zeros((code.parties, count), dtype=np.uint64))
    if masked:
        for pinned in case["pinned_masks"]:
            masks += deal_zero(code, count, pinned_of(pinned))
        assert masks.values.tolist() == case["masks"]
    width = code.width(len(case["levels"][0]))
    answers = [
        distance_answers(stack([s[j] for s in shares]), width, case["queries"], masks[j])
        for j in range(code.parties)
    ]
    kind = "masked" if masked else "bare"
    assert stack(answers).values.tolist() == case[f"{kind}_answers"]
    opening = case["parties_that_open"]
    values = stack([answers[j] for j in opening])
    opened = code.decode_total(code.product_degree, opening, values)
    assert opened.values.tolist() == case["opened"]
    chunks = code.decode(code.product_degree, opening, values)
    assert chunks.values.tolist() == case[f"chunk_values_{kind}"]


@pytest.mark.parametrize("case", vectors("zero_sharings"))
def test_sharings_of_zero_from_pinned_values_are_the_known_ones(case):
    code, pinned = code_of(case), pinned_of(case["pinned"])
    assert solvable(code, tuple(pinned))
    masks = deal_zero(code, len(case["masks"][0]), pinned)
    assert masks.values.tolist() == case["masks"]
    totals = code.decode_total(code.product_degree, range(code.parties), masks)
    assert not totals.values.any()


@pytest.mark.parametrize("case", vectors("seeds"))
def test_a_seed_expands_to_the_residues_of_an_independent_chacha20(case):
    seed, context = Seed(bytes.fromhex(case["seed"])), bytes.fromhex(case["context"])
    found = expand(seed, context, case["count"]).values.tolist()
    if "residues" in case:
        assert found == case["residues"]
    else:
        data = struct.pack(f"<{len(found)}Q", *found)
        assert hashlib.sha256(data).hexdigest() == case["sha256_of_residues"]


@pytest.mark.parametrize("case", vectors("words"))
def test_a_word_that_is_p_is_skipped_and_the_next_ones_move_up(case):
    data = struct.pack(f"<{len(case['words'])}Q", *case["words"])
    asked = []

    def source(size: int) -> bytes:
        start = sum(asked)
        asked.append(size)
        return data[start : start + size]

    assert uniform(len(case["residues"]), source).values.tolist() == case["residues"]
    assert sum(asked) == len(data)


@pytest.mark.parametrize("case", vectors("levels"))
def test_levels_and_clip_counts_are_those_of_fractions(case):
    quantiser = Quantiser(float.fromhex(case["clip"]), case["fraction_bits"])
    values = np.array([float.fromhex(value) for value in case["values"]], dtype=np.float32)
    levels, clipped = quantiser.levels(values)
    assert (quantiser.bound, levels.tolist()) == (case["bound"], case["levels"])
    assert clipped == case["clipped"]


@pytest.mark.parametrize("case", vectors("means"))
def test_means_have_the_bits_of_exact_division(case):
    totals = np.array(case["totals"], dtype=np.int64)
    means = Quantiser(1.0, case["fraction_bits"]).mean(totals, case["members"])
    assert means.dtype == np.float32
    assert [float(mean).hex() for mean in means] == case["means"]


@pytest.mark.parametrize("case", vectors("headroom"))
def test_the_largest_fraction_bits_are_those_of_exact_arithmetic(case):
    clip, size = float.fromhex(case["clip"]), (case["dim"], case["members"])
    if case["fraction_bits"] is None:
        with pytest.raises(ConfigError, match="no number of fraction bits fits"):
            largest_fraction_bits(clip, *size)
    else:
        assert largest_fraction_bits(clip, *size) == case["fraction_bits"]
        assert fits(clip, case["fraction_bits"], *size)


@pytest.mark.parametrize("case", vectors("small_matrices"))
def test_lagrange_matrices_over_other_fields_are_those_of_galois(case):
    found = lagrange_matrix(tuple(case["sources"]), tuple(case["targets"]), case["modulus"])
    assert [[v % case["modulus"] for v in row] for row in found] == case["matrix"]


@pytest.mark.parametrize("case", vectors("small_zero_matrices"))
def test_matrices_of_sharings_of_zero_are_those_of_galois_or_do_not_exist(case):
    code, pinned = code_of(case), tuple(case["pinned"])
    if case["matrix"] is None:
        with pytest.raises(ValueError, match="not invertible"):
            zero_matrix(code, pinned, case["modulus"])
    else:
        assert zero_matrix(code, pinned, case["modulus"]) == case["matrix"]


def operation(case):
    """What a refused case asks for."""
    match case["operation"]:
        case "residues":
            field(case["values"])
        case "bytes":
            FieldArray.from_bytes(bytes.fromhex(case["hex"]), (case["count"],))
        case "share":
            code_of(case).share(field(case["secret"]), pinned_of(case["pinned"]))
        case "zero":
            deal_zero(code_of(case), case["queries"], pinned_of(case["pinned"]))
        case "answer":
            masks = field(case["masks"])
            distance_answers(field(case["shares"]), case["width"], case["queries"], masks)
        case "decode":
            answers = case["parties_that_answer"], field(case["values"])
            code_of(case).decode(case["degree"], *answers)
        case "locate":
            answers = case["parties_that_answer"], field(case["values"])
            code_of(case).locate(case["degree"], *answers, case["errors"])
        case "join":
            code_of(case).join(field(case["chunk_values"]), case["dim"])


@pytest.mark.parametrize("case", vectors("refusals"))
def test_what_cannot_be_right_is_refused_by_whose_fault_it_is(case):
    with pytest.raises(FAILURES[case["expected"]]):
        operation(case)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.json")), ids=lambda path: path.stem)
def test_vectors_are_as_they_were_generated_and_say_by_what(path):
    text = path.read_text("utf-8")
    provenance = json.loads(text)["provenance"]
    cases = text[text.index('"cases": ') + len('"cases": ') : -len("}\n")]
    assert hashlib.sha256(cases.encode()).hexdigest() == provenance["sha256"]
    assert provenance["source"].startswith("docs/protocol.md §")
    assert "galois" in provenance["library"] or "Python" in provenance["library"]


def test_the_generator_writes_the_plain_vectors_again(tmp_path):
    """By the standard library alone: -S leaves out every installed package."""
    command = [sys.executable, "-S", "-W", "error", str(HERE / "generate.py"), "--check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "all the same\n", "")


def test_no_generator_imports_what_it_is_the_judge_of():
    own = [path for path in HERE.glob("*.py") if not path.name.startswith("test_")]
    assert HERE / "generate.py" in own
    for path in own:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "secfpp"], path.name
