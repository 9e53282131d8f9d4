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


def test_where_there_is_no_run_it_is_said(tmp_path):
    done = CliRunner().invoke(app, ["cost", str(tmp_path)])
    assert done.exit_code == 2
    assert "there is no manifest.json below" in done.stderr


def test_the_examples_are_used_where_no_prices_are_given_and_say_that_they_are(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    done = CliRunner().invoke(app, ["cost", str(tmp_path)])
    assert done.exit_code == 0, done.stderr
    assert "examples" in done.stderr
