"""`secfpp bench shaper`: each profile is measured; the figures say how well it is met."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from secfpp.bench.commands import app


def test_every_profile_gets_its_round_trip_and_its_rate():
    done = CliRunner().invoke(
        app, ["shaper", "--net", "none,lan", "--repeats", "1", "--format", "json"]
    )
    assert done.exit_code == 0, done.stderr
    none, lan = json.loads(done.stdout)["data"]["results"]
    assert none["mbit_asked"] is none["rtt_error"] is None
    assert (lan["rtt_ms_asked"], lan["mbit_asked"]) == (1, 1000)
    assert lan["rtt_ms"] >= 1
    assert lan["mbit"] > 0


def test_a_network_that_is_none_is_refused():
    done = CliRunner().invoke(app, ["shaper", "--net", "wlan"])
    assert done.exit_code == 2
    assert "'wlan' is no network profile" in done.stderr
