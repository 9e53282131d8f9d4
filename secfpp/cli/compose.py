"""`secfpp compose`: the demo's federation as a file for docker compose."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from secfpp.demo.scenario import Training, scenario
from secfpp.journal.output import Data, Format, speaking
from secfpp.settings.files import MOST_SEED

app = typer.Typer(add_completion=False)

HEAD = """\
# Written by `{command}`; docs/docker.md explains it.
#
#   docker compose up --build --exit-code-from operator     one run; its outcome is the exit code
#   docker compose up operator                              the same, heard from the operator only
#   docker compose down --volumes                           leaves nothing
#
# With a dashboard, which stays empty without the variable: no daemon has metrics unless asked to.
#
#   SECFPP_METRICS__LISTEN=0.0.0.0:9464 docker compose --profile monitoring up
#   docker compose --profile monitoring down --volumes

x-container: &container
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  tmpfs: ["/tmp:mode=1777,size=256m"]

x-small: &small
  <<: *container
  image: secfpp-coordinator
  build: {{context: ., dockerfile: docker/Dockerfile, target: coordinator}}

x-daemon: &daemon
  restart: on-failure
  stop_grace_period: 40s
  networks: [federation]
  depends_on: {{pki: {{condition: service_healthy}}}}

x-party: &party
  <<: [*container, *daemon]
  image: secfpp-party
  build: {{context: ., dockerfile: docker/Dockerfile, target: party}}
  command: [party, --config, /etc/secfpp/party.toml]
  healthcheck:
    test: [CMD, secfpp, health, --config, /etc/secfpp/party.toml]
    interval: 30s
    timeout: 30s
    start_period: 60s
{device}
x-settings: &settings
  SECFPP_ONCE: "${{SECFPP_ONCE:-false}}"
  SECFPP_METRICS__LISTEN: "${{SECFPP_METRICS__LISTEN:-}}"

services:
  # Makes all keys, once, and stays: for compose the end of any service is the end of all. The
  # authority's volume is mounted here and nowhere else.
  pki:
    <<: *small
    entrypoint: [sh, -c]
    command: ["secfpp pki federation --dir /federation {names} && exec sleep infinity"]
    network_mode: none
    stop_signal: SIGKILL
    healthcheck:
      test: [CMD, test, -e, /federation/{last}/ca.crt]
      interval: 1s
      retries: 60
    volumes:
      - authority:/federation/authority
      - coordinator-keys:/federation/coordinator
      - operator-keys:/federation/operator
{key_mounts}

  coordinator:
    <<: [*small, *daemon]
    environment:
      <<: *settings
      SECFPP_PARTIES: >-
        {roster}
    healthcheck:
      test: [CMD, secfpp, health, --config, /etc/secfpp/coordinator.toml]
      interval: 5s
      timeout: 30s
      retries: 12
    volumes:
      - coordinator-keys:/pki:ro
      - reports:/var/lib/secfpp

  # Submits the job and follows it; exits as the run ends.
  operator:
    <<: *small
    command: [run, /etc/secfpp/job.toml, --follow]
    environment:
      SECFPP_OPERATOR_TLS: /pki
      SECFPP_OPERATOR_ADDRESS: coordinator:7751
      SECFPP_ROUNDS: "${{SECFPP_ROUNDS:-{rounds}}}"
      SECFPP_SEED: "{seed}"
    networks: [federation]
    stop_signal: SIGINT
    depends_on:
      coordinator: {{condition: service_healthy}}
{needed}
    healthcheck: {{disable: true}}
    volumes:
      - operator-keys:/pki:ro

"""

PARTY = """\
  {name}:
    <<: *party
    environment:
      <<: *settings
      SECFPP_COORDINATOR_ADDRESS: {coordinator}
{settings}
    volumes:
      - {name}-keys:/pki:ro
      - {name}-state:/var/lib/secfpp

"""

MONITORING = """\
  # The daemons answer it only with SECFPP_METRICS__LISTEN=0.0.0.0:9464.
  prometheus:
    <<: *container
    profiles: [monitoring]
    image: ${PROMETHEUS_IMAGE:-prom/prometheus:v3.1.0}
    networks: [federation]
    volumes:
      - ./docker/monitoring/prometheus.yml:/etc/prometheus/prometheus.yml:ro
      - prometheus:/prometheus

  # The dashboard, to look at on this machine only: http://127.0.0.1:3000
  grafana:
    <<: *container
    profiles: [monitoring]
    image: ${GRAFANA_IMAGE:-grafana/grafana:11.4.0}
    networks: [federation, outside]
    ports: ["127.0.0.1:3000:3000"]
    environment:
      GF_AUTH_ANONYMOUS_ENABLED: "true"
      GF_AUTH_DISABLE_LOGIN_FORM: "true"
    volumes:
      - ./docker/monitoring/grafana:/etc/grafana/provisioning:ro
      - grafana:/var/lib/grafana

"""

SLOW = """\
  # Stands before every daemon: all that goes to one of them is as slow as {net}.
  slow-network:
    <<: *small
    command:
      - shape
      - --profile={net}
{links}
    networks: [federation]
    healthcheck: {{disable: true}}

"""

BENCH = """\
  # `docker compose run --rm bench`: rounds over slow networks within one container.
  bench:
    <<: *small
    profiles: [bench]
    command: [bench, round, --parties, "4,8", --net, "none,wan", --format, json]
    network_mode: none
    healthcheck: {disable: true}

"""

TAIL = """\
networks:
  federation: {{internal: true}}
  outside: {{}}

volumes:
{volumes}
"""

DEVICE = """\
  deploy:
    resources:
      reservations:
        devices: [{driver: nvidia, count: all, capabilities: [gpu]}]
"""


COORDINATOR_PORT, PARTY_PORT, RELAY_PORT = 7750, 7760, 7800
ROUNDS = 3


class Net(StrEnum):
    """How slow it is between any two daemons; none stands for as fast as it is."""

    NONE = "none"
    LAN = "lan"
    WAN = "wan"
    SLOW = "slow"


@app.command()
def compose(
    parties: Annotated[int, typer.Option(help="8 to 40; fours make equal domains.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How many.")] = ROUNDS,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Of the data's split and of training.")
    ] = 0,
    net: Annotated[Net, typer.Option(help="A slow network between all daemons.")] = Net.NONE,
    gpu: Annotated[bool, typer.Option("--gpu", help="Reserve the GPUs for the parties.")] = False,
) -> None:
    """Print a docker-compose.yml for the federation of `secfpp demo`, on embedded data."""

    def written() -> Data:
        sys.stdout.write(compose_file(parties, rounds=rounds, seed=seed, net=net, gpu=gpu))
        return {}

    speaking(Format.HUMAN, written)


def compose_file(
    parties: int, *, rounds: int = ROUNDS, seed: int = 0, net: Net = Net.NONE, gpu: bool = False
) -> str:
    """The file as text; ConfigError for a number of parties that the demo has no data for."""
    cast = scenario(Training.CLIP, parties=parties, rounds=rounds, seed=seed, home=Path())
    names = list(cast.sections)
    daemons = {"coordinator": f"coordinator:{COORDINATOR_PORT}"}
    daemons |= {name: f"{name}:{PARTY_PORT}" for name in names}
    relays = {name: RELAY_PORT + place for place, name in enumerate(daemons)}
    reached = {name: f"slow-network:{port}" for name, port in relays.items()}
    addresses = daemons if net is Net.NONE else reached
    head = HEAD.format(
        command=_command(parties, rounds=rounds, seed=seed, net=net, gpu=gpu),
        device=DEVICE if gpu else "",
        names=" ".join(names),
        last=names[-1],
        needed="\n".join(f"      {name}: {{condition: service_started}}" for name in names),
        key_mounts="\n".join(f"      - {name}-keys:/federation/{name}" for name in names),
        roster=json.dumps({name: addresses[name] for name in names}),
        rounds=rounds,
        seed=seed,
    )
    services = "".join(
        PARTY.format(
            name=name,
            coordinator=addresses["coordinator"],
            settings="\n".join(_environment(sections)),
        )
        for name, sections in cast.sections.items()
    )
    links = [f"      - --link=0.0.0.0:{relays[name]}={daemons[name]}" for name in daemons]
    slow = "" if net is Net.NONE else SLOW.format(net=net, links="\n".join(links))
    kept = ["authority", "coordinator-keys", "operator-keys", "reports", "prometheus", "grafana"]
    kept += [f"{name}-{what}" for name in names for what in ("keys", "state")]
    volumes = "\n".join(f"  {name}: {{}}" for name in kept)
    return head + services + slow + BENCH + MONITORING + TAIL.format(volumes=volumes)


def _command(parties: int, *, rounds: int, seed: int, net: Net, gpu: bool) -> str:
    """The command that writes the file, without what it does by itself."""
    words = ["secfpp compose", f"--parties {parties}"]
    words += [f"--rounds {rounds}"] if rounds != ROUNDS else []
    words += [f"--seed {seed}"] if seed else []
    words += [f"--net {net}"] if net is not Net.NONE else []
    words += ["--gpu"] if gpu else []
    return " ".join(words)


def _environment(sections: dict[str, dict[str, object]]) -> list[str]:
    """Lines that set a party's own sections by the environment."""
    return [
        f"      SECFPP_{section}__{key}: ".upper() + f"'{value}'"
        for section, values in sections.items()
        for key, value in values.items()
    ]
