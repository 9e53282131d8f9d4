"""`secfpp bench round`: the promised JSON of a real round, and bytes that the relays confirm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from typer.testing import CliRunner

from secfpp.bench.closed_form import Sizes, sums_sent
from secfpp.bench.commands import app
from secfpp.bench.links import DatedRelay, Links, Network
from secfpp.bench.planted import Planting, party_names, plant
from secfpp.bench.round import check_all_finished
from secfpp.bench.turns import Spent, Turn
from secfpp.bench.work import most_clusters
from secfpp.errors import RoundFailed
from secfpp.transport.profiles import Profile

pytestmark = pytest.mark.xdist_group("processes")

PROMISED = {
    *("parties", "dim", "chunks", "colluders", "clusters", "net", "mode", "flights", "batches"),
    *("seconds_median", "seconds_all", "seconds_predicted", "cpu_seconds", "phases"),
    *("bytes_total", "bytes_payload", "bytes_by", "bytes_formula"),
}
BESIDES = 2_500
"""Bytes that may come on a link besides: framing, signs of life, window updates, farewells."""


@pytest.fixture(scope="module")
def told():
    """What the command tells of four parties, over a wan and with one warm round."""
    arguments = ["round", "--parties", "4", "--dim", "4096", "--net", "wan", "--repeats", "1"]
    done = CliRunner().invoke(app, [*arguments, "--format", "json"])
    assert done.exit_code == 0, done.stderr
    assert "1 of 1: 4 processes, network wan" in done.stderr
    return json.loads(done.stdout)["data"]


def by_processes(told):
    return [row for row in told["results"] if row["engine"] == "processes"]


def test_both_modes_are_measured_with_every_promised_field_and_are_exact(told):
    assert [row["mode"] for row in by_processes(told)] == ["secure", "plain_fedavg"]
    for row in by_processes(told):
        assert row.keys() >= PROMISED
        assert row["exact"] is True
        assert len(row["seconds_all"]) == 1
        assert row["seconds_median"] >= row["flights"] * 0.020, "no flight beats the latency"
        assert row["cpu_seconds"] > 0
        for phase in row["phases"].values():
            assert phase.keys() == {"compute", "wait", "wire"}
            assert min(phase.values()) >= 0
        total = sum(sum(phase.values()) for phase in row["phases"].values())
        assert total == pytest.approx(row["seconds_median"])
    secure, plain = by_processes(told)
    assert secure["flights"] == 5 + 2 * secure["batches"]
    assert plain["flights"] == 2
    assert list(secure["phases"]) == ["share", "check", "cluster", "sum"]
    (ratio,) = told["ratios"]
    assert ratio["bytes_total"] == secure["bytes_total"] / plain["bytes_total"]


def test_the_clock_runs_the_same_round_beside_and_finds_the_same_bytes(told):
    secure, plain = by_processes(told)
    modes = [row for row in told["results"] if row["engine"] == "clock"]
    for clock, real in zip(modes, (secure, plain), strict=True):
        assert clock["mode"] == real["mode"]
        assert clock["exact"] is True
        assert clock["flights"] == real["flights"]
        assert clock["bytes_payload"] == pytest.approx(real["bytes_payload"], rel=0.02)
    (ratio,) = told["ratios"]
    over = modes[0]["seconds_median"] / secure["seconds_median"]
    assert ratio["seconds_of_clock_to_measured"] == over
    assert told["charges"]["message"] > 0


def test_beyond_the_processes_there_is_the_clock_alone():
    """Its growth with n is the closed form's: a party's bytes follow n/K and the masks."""
    arguments = ["round", "--parties", "4,40", "--dim", "512", "--net", "lan", "--repeats", "1"]
    more = ["--processes", "4", "--colluders", "1", "--clusters", "1", "--format", "json"]
    done = CliRunner().invoke(app, [*arguments, *more])
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)["data"]
    assert [(row["parties"], row["engine"]) for row in told["results"]] == [
        *[(4, "processes")] * 2,
        *[(4, "clock")] * 2,
        *[(40, "clock")] * 2,
    ]
    assert [row["exact"] for row in told["results"]] == [True] * 6
    alone = told["results"][4]  # Who has a core of its own waits for no relay of all.
    assert alone["seconds_median"] < alone["cpu_seconds"] / 8
    last = told["ratios"][-1]
    assert (last["engine"], last["seconds_of_clock_to_measured"]) == ("clock", None)


def test_payload_is_the_closed_form_and_a_little_framing(told):
    for row in by_processes(told):
        assert row["bytes_formula"] <= row["bytes_payload"] <= 1.05 * row["bytes_formula"] + 2000


def test_what_the_relays_passed_on_is_the_payload_and_the_overhead_of_tls(told):
    """By link: each byte that a party says it sent has been seen, and not much besides.

    A mark is set when the operator hears of a round, so that what had left just before may be
    missing.
    """
    for row in by_processes(told):
        wire = {(one["party"], one["peer"]): one["sent"] for one in row["bytes_wire_by"]}
        payload = dict.fromkeys(wire, 0)
        for one in row["bytes_by"]:
            payload[one["party"], one["peer"]] += one["sent"]
        assert sum(payload.values()) == row["bytes_payload"]
        for link, sent in payload.items():
            assert 0.95 * sent <= wire[link] <= 1.02 * sent + BESIDES, link
        assert row["bytes_total"] >= row["bytes_payload"]
        assert row["bytes_total"] <= 1.02 * row["bytes_payload"] + BESIDES * len(wire)


def test_bytes_are_those_since_the_warm_rounds_began_however_late_that_was_heard():
    """A mark that is set on hearing of it would miss what had passed on a fast network by then."""
    relay = DatedRelay("127.0.0.1:1", Profile())
    relay.there.arrivals = [(1.0, 0.1, 100), (2.0, 0.2, 20), (3.0, 0.4, 3)]
    relay.back.arrivals = [(2.5, 0.3, 7)]
    carried, spent = Links({("ann", "bob"): relay}, {}).carried(since=2.0)
    assert carried == {("ann", "bob"): 23, ("bob", "ann"): 7}
    assert spent == pytest.approx(time.process_time() - 0.2, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            ["--parties", "4,40", "--dim", "64"],
            "no round of 40 parties with 64 values: d' ≥ 2·R·(n−1)",
        ),
        (["--parties", "2"], "no round of 2 parties with 8192 values: n ≥ 2(K+T−1)"),
        (["--parties", "0"], "'0' is no list of whole numbers from 2 up"),
        (["--parties", "4", "--net", "none,TOML"], "party-004 is at none of the network's sites"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is(tmp_path, arguments, fault):
    few = tmp_path / "few.toml"
    few.write_text('sites = {here = ["coordinator", "party-001", "party-002", "party-003"]}')
    words = [word.replace("TOML", str(few)) for word in arguments]
    with mock.patch("secfpp.bench.round._measured", side_effect=AssertionError):
        done = CliRunner().invoke(app, ["round", *words, "--repeats", "1"])
    assert done.exit_code == 2, done.stderr
    assert fault in done.stderr


def test_a_measurement_that_is_ended_leaves_no_process_and_no_key(tmp_path):
    command = [sys.executable, "-m", "secfpp", "bench", "round", "--parties", "4", "--net", "none"]
    words = ["--repeats", "900", "--dim", "65536", "--format", "json"]
    with subprocess.Popen(
        [*command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as running:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("secfpp-bench-*/secure/party-*.log"))) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running.terminate()
        told, _ = running.communicate(timeout=30)
    assert running.returncode == 1
    assert json.loads(told)["error"]["code"] == "SECFPP-E-INTERRUPTED"
    assert list(tmp_path.iterdir()) == []
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _lives(path)]
    assert not [one for one in commands if str(tmp_path).encode() in one]


def _lives(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


def test_a_network_that_is_none_is_refused():
    done = CliRunner().invoke(app, ["round", "--net", "wlan"])
    assert done.exit_code == 2
    assert "'wlan' is neither a network profile nor a .toml file" in done.stderr


def test_seconds_are_predicted_by_latency_critical_bytes_and_cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    network = Network("made up", lambda *_: Profile(rtt_ms=20, mbit=8))
    spent = {
        "coordinator": {"share": Spent(9.0, 0.5, {"ann": (2_000, 0)})},
        "ann": {"share": Spent(1.0, 0.25, {"bob": (5_000, 0), "coordinator": (100, 2_000)})},
        "bob": {"share": Spent(2.0, 0.25, {"ann": (1_000, 5_000)})},
    }
    turn = Turn(spent, {"share": 3})
    assert turn.predicted(network) == pytest.approx(3 * 0.010 + 0.005 + 0.002 + 1.0 / 2)
    assert turn.seconds == 2.0
    split = turn.split(network)["share"]
    assert split == pytest.approx({"compute": 0.25, "wire": 0.037, "wait": 2.0 - 0.287})


def test_as_many_clusters_are_planted_as_can_open_a_mean_but_three():
    assert [most_clusters(*sizes) for sizes in ((4, 3), (10, 4), (12, 4), (32, 8))] == [1, 2, 3, 3]


def test_a_helper_sends_no_sum_to_itself_and_none_to_a_small_cluster():
    sizes = Sizes(10, 60, 3, 2, 1, 0, 100, 20)  # 6 helpers.
    assert sums_sent(sizes, [range(10)], 0) == 6 * 9
    # Round 1: helpers of label 0 are places 1 to 6, of label 1 places 2 to 7.
    assert sums_sent(sizes, [{0, 1, 2, 3}, {4, 5, 6, 7}, set()], 1) == 21 + 20


def test_a_run_that_went_on_without_a_party_is_no_measurement(tmp_path):
    homes = {name: tmp_path / name for name in ("ann", "bob")}
    for name, rounds in (("ann", 2), ("bob", 1)):
        homes[name].mkdir()
        (homes[name] / "manifest.json").write_text(json.dumps({"rounds": [{}] * rounds}))
    with pytest.raises(RoundFailed, match="bob finished 1 of 2 rounds"):
        check_all_finished(homes, 2)
    homes = {"ann": homes["ann"], "carl": tmp_path / "carl"}
    with pytest.raises(RoundFailed, match="carl finished 0 of 2 rounds"):
        check_all_finished(homes, 2)


def test_nothing_that_is_planted_is_clipped(tmp_path):
    for path in plant(tmp_path, party_names(10), Planting(8192, 4, 3, seed=1)).values():
        assert np.abs(np.load(path)).max() < 1
