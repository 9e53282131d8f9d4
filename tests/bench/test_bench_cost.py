"""`secfpp bench cost`: bytes and seconds of manifests, times a table of prices."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from secfpp.bench.commands import app

MANIFEST = {
    "run": "demo-1",
    "party": "ann",
    "rounds": [
        {
            "cpu_seconds": {"train": 100.0, "share": 8.0, "total": 108.0},
            "by_peer": {"share": {"bob": [3_000_000, 1_000_000], "boss": [500_000, 0]}, "sum": {}},
            "facts": {"train_cpu_seconds": 252.0, "train_gpu_seconds": 36.0},
        },
        {"cpu_seconds": {"total": 0.0}, "by_peer": {"share": {"bob": [0, 1_000_000]}}, "facts": {}},
    ],
}
PRICES = """
dated = "today"
currency = "EUR"
sent_per_gb = 100
received_per_gb = 10
cpu_core_hour = 0.1
gpu_hour = 2
"""


def cost(tmp_path, prices=PRICES):
    home = tmp_path / "state" / "demo-1"
    home.mkdir(parents=True)
    (home / "manifest.json").write_text(json.dumps(MANIFEST))
    table = tmp_path / "prices.toml"
    table.write_text(prices)
    arguments = ["cost", str(tmp_path / "state"), "--prices", str(table), "--format", "json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    (bill,) = json.loads(done.stdout)["data"]["results"]
    return bill


def test_every_byte_and_second_is_billed_once(tmp_path):
    bill = cost(tmp_path)
    assert (bill["participant"], bill["run"], bill["rounds"]) == ("ann", "demo-1", 2)
    assert (bill["sent"], bill["received"]) == (3_500_000, 2_000_000)
    assert (bill["cpu_seconds"], bill["gpu_seconds"]) == (360.0, 36.0)
    assert bill["traffic_cost"] == pytest.approx(0.35 + 0.02)
    assert bill["cpu_cost"] == pytest.approx(0.01)
    assert bill["gpu_cost"] == pytest.approx(0.02)
    assert bill["total_cost"] == pytest.approx(0.40)


def test_bytes_to_and_from_a_free_peer_are_counted_and_cost_nothing(tmp_path):
    bill = cost(tmp_path, PRICES + 'free_peers = ["bob"]')
    assert (bill["sent"], bill["received"]) == (3_500_000, 2_000_000)
    assert bill["traffic_cost"] == pytest.approx(0.05)


def in_words(*arguments):
    return CliRunner().invoke(app, ["cost", *map(str, arguments)])


def test_a_run_that_is_named_twice_or_with_what_is_above_it_is_billed_once(tmp_path):
    bill = cost(tmp_path)
    home = tmp_path / "state" / "demo-1"
    names = [str(one) for one in (home, home.parent, home / "manifest.json", home)]
    prices = ["--prices", str(tmp_path / "prices.toml"), "--format", "json"]
    done = CliRunner().invoke(app, ["cost", *names, *prices])
    assert json.loads(done.stdout)["data"]["results"] == [bill]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "run is required and missing; rounds is required and missing"),
        ("[]", "holds no JSON object"),
        (json.dumps({**MANIFEST, "rounds": [{"cpu_seconds": {}}]}), "rounds.0.cpu_seconds.total"),
        (
            json.dumps(MANIFEST).replace("108.0}", "NaN}"),
            "rounds.0.cpu_seconds.total: Input should",
        ),
        (json.dumps(MANIFEST).replace("[500000, 0]", "[5]"), "rounds.0.by_peer.share.boss.1"),
    ],
)
def test_a_file_that_is_no_manifest_is_named_with_what_it_lacks(tmp_path, text, words):
    (tmp_path / "manifest.json").write_text(text)
    done = in_words(tmp_path)
    assert done.exit_code == 2
    assert "this is no manifest of a run: " in done.stderr
    assert str(tmp_path / "manifest.json") in done.stderr
    assert words in done.stderr
    assert "restore it" in done.stderr


def test_a_date_of_toml_s_own_is_the_day_of_the_prices(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "prices.toml").write_text(PRICES.replace('"today"', "2026-11-27"))
    arguments = [tmp_path, "--prices", tmp_path / "prices.toml", "--format", "json"]
    done = in_words(*arguments)
    assert json.loads(done.stdout)["data"]["prices"]["dated"] == "2026-11-27"
    assert "prices of 2026-11-27" in done.stderr


def test_a_price_that_is_not_finite_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "prices.toml").write_text(PRICES.replace("= 100", "= inf"))
    done = in_words(tmp_path, "--prices", tmp_path / "prices.toml")
    assert done.exit_code == 2
    assert "sent_per_gb: Input should be a finite number" in done.stderr


def test_the_table_says_what_is_not_billed_and_obeys_no_name(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({**MANIFEST, "party": "ann\x1b[2J"}))
    done = in_words(tmp_path)
    assert "neither framing nor failed attempts are billed" in done.stderr
    assert r"ann\x1b[2J" in done.stderr
    assert "\x1b" not in done.stderr


def test_where_there_is_no_run_it_is_said(tmp_path):
    done = CliRunner().invoke(app, ["cost", str(tmp_path)])
    assert done.exit_code == 2
    assert "there is no manifest.json below" in done.stderr


def test_the_examples_are_used_where_no_prices_are_given_and_say_that_they_are(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    done = CliRunner().invoke(app, ["cost", str(tmp_path)])
    assert done.exit_code == 0, done.stderr
    assert "examples" in done.stderr
