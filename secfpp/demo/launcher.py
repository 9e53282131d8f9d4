"""Starts a coordinator and parties as processes over mutual TLS on loopback, and ends them.

Everything goes the way it goes by hand: keys by the steps of `secfpp pki`, configuration files,
`secfpp coordinator --config` and `secfpp party --config`.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from secfpp.errors import PeersMissing
from secfpp.journal.events import Event
from secfpp.journal.files import private_directory
from secfpp.operator.client import Operator
from secfpp.pki.names import Role
from secfpp.pki.store import Identity, throwaway_federation
from secfpp.settings.files import JobSettings
from secfpp.transport.operator_api import OperatorClient

COORDINATOR = "coordinator"
OPERATOR = "operator"

LOWEST_PORT, HIGHEST_PORT = 20_000, 32_000

TIME = """
[time]
connect_wait = {connect_wait}
idle_timeout = {idle_timeout}
round_deadline = {round_deadline}
"""

Toml = Mapping[str, Mapping[str, object]]

Told = Callable[[Event], None]


@dataclass(frozen=True)
class Waits:
    """The three knobs for all daemons of a launch, in seconds."""

    connect_wait: float = 120
    idle_timeout: float = 30
    round_deadline: float = 600


@dataclass
class Federation:
    """A launched federation below `home`; `sections` are each party's own TOML tables."""

    home: Path
    sections: Mapping[str, Toml]
    waits: Waits = field(default_factory=Waits)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    relays: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Ports of relays, by who connects and to whom; where there is none the way is direct."""

    @property
    def parties(self) -> tuple[str, ...]:
        """The parties in roster order."""
        return tuple(self.sections)

    @property
    def operator_tls(self) -> Path:
        """Where the operator's key lies."""
        return self.home / "pki" / OPERATOR

    @property
    def operator_address(self) -> str:
        """Where the coordinator listens for operators."""
        return f"127.0.0.1:{self.ports[OPERATOR]}"

    def log_of(self, name: str) -> Path:
        """The log of one process."""
        return self.home / f"{name}.log"

    def start(self) -> None:
        """Make keys and files, and start every process."""
        self.prepare()
        for name in (COORDINATOR, *self.parties):
            self.launch(name)

    def prepare(self) -> None:
        """Make keys and files; start nothing."""
        private_directory(self.home)
        roles = {COORDINATOR: Role.COORDINATOR, OPERATOR: Role.OPERATOR}
        throwaway_federation(
            self.home / "pki", {**roles, **dict.fromkeys(self.parties, Role.PARTY)}
        )
        self.ports = self.ports or free_ports((COORDINATOR, OPERATOR, *self.parties))
        self._write_coordinator()
        for name in self.parties:
            self._write_party(name)

    def launch(self, name: str) -> None:
        """Start one process (again)."""
        verb = "coordinator" if name == COORDINATOR else "party"
        command = [sys.executable, "-m", "secfpp", verb, "--config", self._config(name)]
        with open(self.log_of(name), "ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            )

    async def conduct(self, job: JobSettings, told: Told) -> str:
        """Submit a job as its operator and follow it to its end; returns the run's name.

        The coordinator may need as long to come up as parties have to connect. RoundFailed where
        the run ended early.
        """
        identity = Identity.load(self.operator_tls)
        client = OperatorClient(identity, self.operator_address, COORDINATOR)
        operator = Operator(client, patience=self.waits.connect_wait)
        try:
            run = await operator.submit(job)
            async for event in operator.follow(run):
                told(event)
            return run
        finally:
            await operator.close()

    def wait(self, timeout: float) -> dict[str, int]:
        """The exit codes, once every process has ended; PeersMissing names who has not."""
        deadline = time.monotonic() + timeout
        codes = {}
        for name, process in self.processes.items():
            try:
                codes[name] = process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise PeersMissing(
                    f"{name} has not ended {timeout:.0f} s after the run",
                    fix=f"its last words are in {self.log_of(name)}",
                ) from None
        return codes

    def stop(self) -> None:
        """End whatever still runs: asked first, then told to end at once, then made to."""
        running = [process for process in self.processes.values() if process.poll() is None]
        for process in running:
            process.terminate()
        asked = time.monotonic() + 2
        while time.monotonic() < asked and any(process.poll() is None for process in running):
            time.sleep(0.05)
        for process in running:
            process.terminate()  # To no effect on those that have ended.
        deadline = time.monotonic() + 5
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _address(self, name: str, *, seen_by: str) -> str:
        """Where `seen_by` reaches `name`."""
        return f"127.0.0.1:{self.relays.get((seen_by, name), self.ports[name])}"

    def _config(self, name: str) -> str:
        return str(self.home / f"{name}.toml")

    def _write_coordinator(self) -> None:
        lines = [
            f'listen = "127.0.0.1:{self.ports[COORDINATOR]}"',
            f'operator_listen = "{self.operator_address}"',
            f'state_dir = "{self.home / COORDINATOR}"',
            "once = true",
            f'[tls]\ndirectory = "{self.home / "pki" / COORDINATOR}"',
            "[parties]",
            *(f'{name} = "{self._address(name, seen_by=COORDINATOR)}"' for name in self.parties),
            TIME.format(**vars(self.waits)),
        ]
        Path(self._config(COORDINATOR)).write_text("\n".join(lines), "utf-8")

    def _write_party(self, name: str) -> None:
        lines = [
            f'listen = "127.0.0.1:{self.ports[name]}"',
            f'coordinator_address = "{self._address(COORDINATOR, seen_by=name)}"',
            f'state_dir = "{self.home / name}"',
            "once = true",
            f'[tls]\ndirectory = "{self.home / "pki" / name}"',
            TIME.format(**vars(self.waits)),
            "[peers]",
            *(f'{to} = "{self._address(to, seen_by=name)}"' for to in self.parties if to != name),
        ]
        for section, values in self.sections[name].items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {_literal(value)}" for key, value in values.items()]
        Path(self._config(name)).write_text("\n".join(lines), "utf-8")


_RESERVED: list[socket.socket] = []
"""Bound, not listening, for as long as this process lives; see `free_ports`."""


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A loopback port for each name that no other caller is given while this process lives.

    A socket that is bound and does not listen keeps it: whoever asks without SO_REUSEADDR is
    refused, and a daemon, which asks with it, is let in. The ports lie below those that systems
    give to outgoing connections, one of which could otherwise take a port before its daemon does.
    """
    return {name: _reserved() for name in names}


def _reserved() -> int:
    while True:
        one = socket.socket()
        port = LOWEST_PORT + secrets.randbelow(HIGHEST_PORT - LOWEST_PORT)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            one.close()
            continue
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _RESERVED.append(one)
        return port


def _literal(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(_literal(item) for item in value)}]"
        case _:
            text = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{text}"'
