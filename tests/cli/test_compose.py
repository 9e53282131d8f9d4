"""`secfpp compose`, the committed file that it has written, and the settings in the images."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from secfpp.cli.compose import Net, app, compose_file
from secfpp.demo.scenario import MOST
from secfpp.errors import ConfigError
from secfpp.settings.files import CoordinatorSettings, JobSettings, PartySettings
from secfpp.settings.loading import load

ROOT = Path(__file__).parents[2]


def test_the_committed_file_is_what_the_command_writes_for_eight_parties():
    assert (ROOT / "docker-compose.yml").read_text("utf-8") == compose_file(8)


@pytest.mark.parametrize(
    "given",
    ["", "--parties 9", "--rounds 5 --seed 7", "--net wan --gpu", "--rounds 3 --seed 0 --net none"],
)
def test_the_command_in_the_head_of_a_file_writes_that_file(given):
    text = CliRunner().invoke(app, given.split()).stdout
    (command,) = re.findall(r"^# Written by `secfpp compose (.*)`;", text)
    assert CliRunner().invoke(app, command.split()).stdout == text


def test_every_service_has_a_read_only_root_no_capability_and_no_way_to_one():
    services = yaml.safe_load(compose_file(8, net=Net.WAN, gpu=True))["services"]
    assert {"pki", "operator", "slow-network", "bench", "prometheus", "grafana"} < set(services)
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert [place.split(":")[0] for place in service["tmpfs"]] == ["/tmp"], name  # noqa: S108


def test_each_party_mounts_its_own_keys_and_only_the_authority_sees_them_besides():
    text = compose_file(12)
    for number in range(1, 13):
        assert text.count(f"- party-{number}-keys:/pki:ro\n") == 1
        assert text.count(f"- party-{number}-keys:/federation/party-{number}\n") == 1
    assert text.count("- authority:") == 1


def test_gpus_are_reserved_only_on_demand():
    assert "capabilities: [gpu]" in compose_file(8, gpu=True)
    assert "gpu" not in compose_file(8)


def test_a_number_of_parties_without_data_is_refused():
    with pytest.raises(ConfigError, match="data for 8 to 40 parties"):
        compose_file(7)


def test_over_a_slow_network_every_daemon_is_reached_through_its_relay():
    text = compose_file(9, net=Net.WAN)
    places = dict(re.findall(r"--link=0.0.0.0:(\d+)=(\S+)", text))
    daemons = ["coordinator:7750", *(f"party-{number}:7760" for number in range(1, 10))]
    assert list(places.values()) == daemons
    (roster,) = re.findall(r"^ +(\{\"party-1\".*\})$", text, re.MULTILINE)
    ports = {
        name: address.removeprefix("slow-network:") for name, address in json.loads(roster).items()
    }
    assert {name: places[port] for name, port in ports.items()} == {
        f"party-{number}": f"party-{number}:7760" for number in range(1, 10)
    }
    (coordinator,) = set(re.findall(r"COORDINATOR_ADDRESS: slow-network:(\d+)", text))
    assert places[coordinator] == "coordinator:7750"
    assert "slow-network" not in compose_file(9)


def test_the_settings_in_the_images_load_with_what_the_environment_adds():
    roster = {"SECFPP_PARTIES": '{"party-1": "party-1:7760"}', "SECFPP_ONCE": "true"}
    coordinator = load(CoordinatorSettings, ROOT / "docker" / "coordinator.toml", roster)
    assert coordinator.parties == {"party-1": "party-1:7760"}
    assert coordinator.once
    data = {"SECFPP_DATA__DOMAIN": "pencil", "SECFPP_DATA__PART": "[1, 4]"}
    party = load(PartySettings, ROOT / "docker" / "party.toml", data)
    assert (party.data.domain, party.data.part) == ("pencil", (1, 4))
    assert load(JobSettings, ROOT / "docker" / "job.toml", {"SECFPP_ROUNDS": "5"}).rounds == 5


def test_metrics_are_off_and_the_file_and_the_page_say_how_the_dashboard_gets_them():
    text = compose_file(8)
    assert text.count('SECFPP_METRICS__LISTEN: "${SECFPP_METRICS__LISTEN:-}"') == 1
    command = "SECFPP_METRICS__LISTEN=0.0.0.0:9464 docker compose --profile monitoring up"
    assert f"#   {command}\n" in text
    assert f"\n    {command}\n" in (ROOT / "docs" / "docker.md").read_text("utf-8")
    prometheus = ROOT / "docker" / "monitoring" / "prometheus.yml"
    assert "port: 9464\n" in prometheus.read_text("utf-8")


def test_prometheus_asks_every_daemon_of_the_largest_federation():
    text = (ROOT / "docker" / "monitoring" / "prometheus.yml").read_text("utf-8")
    daemons = ["coordinator", *(f"party-{number}" for number in range(1, MOST + 1))]
    assert re.findall(r"^ +- (coordinator|party-\d+)$", text, re.MULTILINE) == daemons


def test_the_dashboard_asks_only_for_metrics_that_the_operations_page_explains():
    dashboard = ROOT / "docker" / "monitoring" / "grafana" / "dashboards" / "secfpp.json"
    panels = json.loads(dashboard.read_text("utf-8"))["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"secfpp_\w+", target["expr"])
    }
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    explained = set(re.findall(r"^\| `(secfpp_\w+)` ", page, re.MULTILINE))
    assert len(asked) > 8
    assert {re.sub(r"(?<=phase_seconds)_(sum|count)$", "", name) for name in asked} <= explained
