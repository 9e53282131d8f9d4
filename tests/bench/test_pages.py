"""The page of results: everything in it, nothing from elsewhere, and a table below each chart."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "index.html"
    command = [sys.executable, str(ROOT / "benchmarks" / "pages.py"), str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target.read_text("utf-8")


def test_each_chart_has_its_figures_in_a_table_and_says_where_they_are_from(page):
    sections = page.split("<section>")[1:]
    assert len(sections) >= 6
    for section in sections:
        assert section.count("<svg ") == 1
        assert section.count("<table>") == 1
        assert len(re.findall("<tr>", section)) > 3
        assert re.search(r"commit [0-9a-f]{7,12}; \d{4}-\d\d-\d\d; seed \d+", section)


def test_each_file_of_results_is_drawn_or_said_not_to_be(page):
    told = (ROOT / "docs" / "measuring.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*)$", told, re.M))
    stored = {path.stem for path in (ROOT / "benchmarks" / "results").glob("*.json")}
    assert set(rows) == stored
    drawn = {re.findall("<h2>(.*?)</h2>", section)[0] for section in page.split("<section>")[1:]}
    assert {
        "Arithmetic",
        "Packing of residues",
        "Text tower",
        "The slow network",
        "Faults",
    } <= drawn
    apart = {name for name, row in rows.items() if "Not on the page" in row}
    assert apart == {"demo-seeds", "embedded-default"}


def test_the_page_begins_with_what_its_letters_and_words_mean(page):
    top = page.split("<section>")[0]
    terms = re.findall("<dt>(.*?)</dt><dd>.+?</dd>", top)
    assert {"n", "T", "S", "A", "K", "flights", "witnesses", "distance, batch"} <= set(terms)
    assert "wan: 40 ms round trip, 100 Mbit/s each way" in top


def test_no_column_is_headed_by_a_key_of_json_and_those_of_ratios_say_times(page):
    headers = {
        re.findall("<h2>(.*?)</h2>", section)[0]: re.findall("<th>(.*?)</th>", section)
        for section in page.split("<section>")[1:]
    }
    assert not [name for names in headers.values() for name in names if "_" in name]
    assert {"times the seconds", "times the bytes"} <= set(headers["Overhead"])
    assert "share, ms" in headers["Computational cost of a round"]


def test_beside_others_says_where_secfpp_takes_more_and_less_from_the_figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    beside = importlib.import_module("beside_others")
    row = {"cpu_seconds": [2.0], "bytes": [3e6]}
    results = {name: row for _, *names in beside.COMPARED for name in names}
    results["W3 flower"] = {"cpu_seconds": [1.0], "bytes": [6e6]}
    less, more = beside.less_and_more(results)
    assert less == ["mean beside SecAgg+: 3 MB against 6 (2 times less)"]
    assert "mean beside SecAgg+: 2 CPU seconds against 1 (2 times as much)" in more


def test_a_result_measured_with_changes_that_were_not_committed_says_so(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    layout = importlib.import_module("layout")
    data = {"machine": {"processor": "any", "cores": 2}, "measured": "2026-11-28", "seed": 0}
    told = [
        layout.section("title", "words", "", "", {**data, "commit": 40 * "a" + end})
        for end in ("", "-dirty")
    ]
    assert ["not committed" in section for section in told] == [False, True]


def test_no_two_elements_of_the_page_share_an_id_and_each_reference_finds_its_own(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:href="|url\()#([^")]+)', page)
    assert references
    assert set(references) <= set(ids)


def test_the_page_fetches_nothing_and_takes_its_colours_from_the_reader(page):
    assert "prefers-color-scheme: dark" in page
    assert "var(--ink)" in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "@import" not in page
    assert "<script" not in page


def test_the_committed_page_is_that_of_the_committed_results(page):
    committed = ROOT / "benchmarks" / "results" / "index.html"
    assert committed.read_text("utf-8") == page


def test_what_a_measurement_printed_is_kept_but_for_bytes_by_peer_of_many_parties(tmp_path):
    rows = [
        {"parties": n, "mode": "secure", "bytes_by": [1], "bytes_wire_by": [2]} for n in (4, 32)
    ]
    printed = {"schema_version": 1, "status": "ok", "data": {"results": rows}, "error": None}
    script = tmp_path / "benchmarks" / "record.py"
    (script.parent / "results").mkdir(parents=True)
    script.write_bytes((ROOT / "benchmarks" / "record.py").read_bytes())

    def record(envelope: dict[str, object]) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), "round"]
        return subprocess.run(command, input=json.dumps(envelope), capture_output=True, text=True)

    assert record(printed).returncode == 0
    kept = json.loads((script.parent / "results" / "round.json").read_text())
    assert kept["results"] == [rows[0], {"parties": 32, "mode": "secure"}]
    assert kept["left_out"] == "bytes_by and bytes_wire_by of more than 10 parties"
    failed = record({**printed, "status": "error", "data": None, "error": {"message": "no"}})
    assert failed.returncode == 1
    assert "the measurement failed" in failed.stderr
