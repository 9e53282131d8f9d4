"""Six parties in two domains, four and two, with tripwires in some and relays in front of some."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from secfpp.demo.launcher import COORDINATOR, OPERATOR, Federation, Waits, free_ports
from secfpp.journal.files import private_directory
from secfpp.settings.files import JobSettings, ProtocolJob, TrainingJob

from .cells import Cell, Victim
from .relay import Relay

HERE = Path(__file__).parent
DIM = 256
DOMAINS = {
    "party-1": "a",
    "party-2": "b",
    "party-3": "a",
    "party-4": "b",
    "party-5": "a",
    "party-6": "a",
}
VICTIM, SECOND = "party-5", "party-2"
HOLDER = "party-1"
LIAR, LIED_ABOUT = "party-4", "party-3"


def victims_of(cell: Cell) -> tuple[str, ...]:
    """The processes that are hit; with one party less of each domain one mean is still opened."""
    return {
        Victim.PARTY: (VICTIM,),
        Victim.TWO: (SECOND, VICTIM),
        Victim.COORDINATOR: (COORDINATOR,),
    }[cell.victim]


def planted(home: Path, rounds: int) -> dict[str, dict[str, dict[str, object]]]:
    """Each party's TOML tables: vectors (rounds, DIM) around the centre of its domain."""
    rng = np.random.default_rng(7)
    centres = {domain: rng.normal(size=DIM) * 0.2 for domain in ("a", "b")}
    directory = private_directory(home / "vectors")
    sections = {}
    for name, domain in DOMAINS.items():
        path = directory / f"{name}.npy"
        noise = rng.normal(size=(rounds, DIM)) * 0.1
        np.save(path, (centres[domain] + noise).astype(np.float32))
        sections[name] = {"vectors": {"path": str(path)}}
    return sections


def job_of(cell: Cell) -> JobSettings:
    """The job of a cell; the coordinator settles only what may be a lie (A = 1)."""
    protocol = ProtocolJob(colluders=cell.colluders, stragglers=1, adversaries=int(settles(cell)))
    training = TrainingJob(kind="vectors", dim=DIM)
    return JobSettings(name="faults", rounds=cell.rounds, protocol=protocol, training=training)


def settles(cell: Cell) -> bool:
    """Whether a liar must be there for the coordinator to come to the phase at all."""
    return cell.phase == "settling"


@dataclass
class Drilled(Federation):
    """A federation of which some processes stop themselves at an event (`tripwire.py`).

    `trips` has their events and the round; a process that is launched again has no tripwire.
    `wires` are the relays between the victim and the others.
    """

    trips: dict[str, tuple[str, int]] = field(default_factory=dict)
    liar: str = ""
    wires: list[Relay] = field(default_factory=list)

    def launch(self, name: str) -> None:
        """Start one process; the first time with its tripwire, if it has one."""
        if name == self.liar:
            self._launch(name, "liar.py", LIED_ABOUT)
        elif name in self.trips:
            events, number = self.trips.pop(name)
            self._launch(name, "tripwire.py", events, str(number))
        else:
            super().launch(name)

    def _launch(self, name: str, script: str, *arguments: str) -> None:
        verb = "coordinator" if name == COORDINATOR else "party"
        command = [sys.executable, str(HERE / script), *arguments]
        with open(self.log_of(name), "ab") as log:
            self.processes[name] = subprocess.Popen(
                [*command, verb, "--config", self._config(name)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stand_before(self, name: str) -> None:
        """Put relays on every way to and from a participant; before `prepare`."""
        others = [other for other in (COORDINATOR, *self.parties) if other != name]
        front = self._relay_to(name)
        ways = {(other, name): front for other in others}
        ways |= {(name, other): self._relay_to(other) for other in others}
        self.relays = {**self.relays, **ways}

    def _relay_to(self, target: str) -> int:
        port = free_ports(["relay"])["relay"]
        self.wires.append(Relay(port, self.ports[target]))
        self.wires[-1].start()
        return port

    def is_stopped(self, name: str) -> bool:
        """Whether a process stands still."""
        return psutil.Process(self.processes[name].pid).status() == psutil.STATUS_STOPPED

    def all_listen(self) -> bool:
        """Whether every process has said that it listens; AssertionError where one has ended."""
        for name, process in self.processes.items():
            assert process.poll() is None, self.log_of(name).read_text()
        return all('"listening"' in self.log_of(name).read_text() for name in self.processes)

    def end(self, victims: tuple[str, ...]) -> None:
        """End everything that still runs; what stands still hears no SIGTERM."""
        for name in victims:
            self.processes[name].kill()
        self.stop()
        for relay in self.wires:
            relay.stop()


def federation_for(cell: Cell, home: Path, waits: Waits) -> Drilled:
    """Everything prepared for a cell, nothing started."""
    ports = free_ports((COORDINATOR, OPERATOR, *DOMAINS))
    federation = Drilled(home, planted(home, cell.rounds), waits, ports=ports)
    for name in victims_of(cell):
        federation.trips[name] = (cell.events, cell.place)
        if cell.kind.is_of_the_network:
            federation.stand_before(name)
    federation.prepare()
    if cell.phase == "sharing":  # Nobody has all shares as long as one party deals none.
        federation.trips[HOLDER] = ("preparing", cell.number)
    if settles(cell):
        federation.liar = LIAR
    return federation
