"""Runs one cell with real processes: start, wait for the victim, hit it, see how the run ends."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from secfpp.demo.launcher import COORDINATOR, Waits
from secfpp.errors import PeersMissing, SecFPPError
from secfpp.journal.events import Event, read_events
from secfpp.operator.client import Operator
from secfpp.pki.store import Identity
from secfpp.settings.clock import FAREWELL_SECONDS
from secfpp.settings.files import JobSettings
from secfpp.transport.operator_api import OperatorClient

from .cells import Cell, Kind, Victim
from .federation import HOLDER, Drilled, federation_for, job_of, victims_of
from .relay import Connection

WAITS = Waits(connect_wait=8, idle_timeout=5, round_deadline=30)
PATIENT = Waits(connect_wait=20, idle_timeout=15, round_deadline=60)
"""For restarts: a daemon needs seconds to start, and nobody may give it up meanwhile."""

BREAKS = {
    Kind.REQUEST_LOST: Connection.drop_request,
    Kind.RESPONSE_LOST: Connection.drop_response,
    Kind.HALF_OPEN: Connection.half_open,
    Kind.RESET: Connection.reset,
}
START_SECONDS = 60.0  # For processes to come up and a victim to its phase, on a busy machine.
NOTICE_SECONDS = 35.0
"""So long an operator's connection to a mute coordinator lives (keepalive, transport/grpcio)."""


@dataclass
class Outcome:
    """How a cell ended.

    `verdict` is completed, resumed or failed, `code` and `words` what the operator was told of a
    failure, `struck` the Unix time of the fault, `seconds` the time from it until all have ended
    who can, `stood` the phase in which each victim stood by its own events, `exits` the exit codes
    of who has ended by itself.
    """

    cell: Cell
    federation: Drilled
    verdict: str = ""
    code: str = ""
    words: str = ""
    struck: float = 0.0
    seconds: float = 0.0
    stood: dict[str, str] = field(default_factory=dict)
    exits: dict[str, int | None] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """The name of the run."""
        (path,) = (self.federation.home / COORDINATOR).glob("faults-*/events.jsonl")
        return path.parent.name

    @property
    def ledger(self) -> dict:
        """The coordinator's ledger; without rounds where it has not been written."""
        path = self.federation.home / COORDINATOR / self.run / "ledger.json"
        return json.loads(path.read_text()) if path.exists() else {"rounds": [], "unfinished": []}

    @property
    def others(self) -> tuple[str, ...]:
        """The parties that are no victims."""
        victims = victims_of(self.cell)
        return tuple(name for name in self.federation.parties if name not in victims)

    def events(self, name: str = COORDINATOR) -> list[Event]:
        """What a process has written down."""
        return read_events(self.federation.home / name / self.run)

    @property
    def resumed_after(self) -> float | None:
        """Seconds from the fault until all who were started again are in an attempt again."""
        if self.verdict != "resumed":
            return None
        back = [
            next(e.time for e in self.events(name) if e.event == "phase" and e.time > self.struck)
            for name in victims_of(self.cell)
        ]
        return max(back) - self.struck

    def row(self) -> dict[str, object]:
        """The cell's line in the table."""
        back = self.resumed_after
        return {
            "phase": self.cell.phase,
            "victim": self.cell.victim.value,
            "kind": self.cell.kind.value,
            "colluders": self.cell.colluders,
            "outcome": self.verdict,
            "code": self.code,
            "words": self.words,
            "seconds": round(self.seconds, 1),
            "resumed_after": None if back is None else round(back, 1),
            "stood": ", ".join(sorted(set(self.stood.values()))),
        }


def drill(cell: Cell, home: Path) -> Outcome:
    """Run a cell to its end; AssertionError where something does not come in its time."""
    waits = PATIENT if cell.kind is Kind.RESTART else WAITS
    outcome = Outcome(cell, federation_for(cell, home, waits))
    federation, victims = outcome.federation, victims_of(cell)
    with ThreadPoolExecutor(1) as pool:
        try:
            for name in (COORDINATOR, *federation.parties):
                federation.launch(name)
            until(federation.all_listen, "all daemons listen")
            ending = pool.submit(asyncio.run, conducted(federation, job_of(cell), cell.kind))
            _bring_to_phase(outcome, victims)
            began, outcome.struck = time.monotonic(), time.time()
            hit(cell.kind, federation, victims)
            _judge(outcome, ending, longest(cell, waits))
            _await_exits(outcome, longest(cell, waits))
            outcome.seconds = time.monotonic() - began
        finally:
            federation.end(victims)
    return outcome


def longest(cell: Cell, waits: Waits) -> float:
    """How many seconds after the fault the run must have ended for everybody.

    Each of two rounds may stand still twice; then last words, and who is away may come back.
    """
    still = 2 * cell.rounds * waits.idle_timeout
    if cell.victim is Victim.COORDINATOR and cell.kind not in (Kind.PAUSE, Kind.RESTART):
        still += NOTICE_SECONDS
    return min(still, 2 * waits.round_deadline) + waits.connect_wait + 2 * FAREWELL_SECONDS


async def conducted(federation: Drilled, job: JobSettings, kind: Kind) -> None:
    """Submit and follow to the end; where the coordinator starts again, follow again."""
    client = OperatorClient(
        Identity.load(federation.operator_tls), federation.operator_address, COORDINATOR
    )
    again = kind is Kind.RESTART
    operator = Operator(client, patience=START_SECONDS if again else WAITS.connect_wait)
    try:
        run = await operator.submit(job)
        try:
            await _follow(operator, run)
        except PeersMissing:
            if not again:
                raise
            await operator.status()  # Waits until the coordinator is there again.
            await _follow(operator, run)
    finally:
        await operator.close()


async def _follow(operator: Operator, run: str) -> None:
    async for _ in operator.follow(run):
        pass


def until(holds: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Look until something holds; AssertionError says what did not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def _bring_to_phase(outcome: Outcome, victims: tuple[str, ...]) -> None:
    """Wait until every victim stands still in its phase, and note in which by its own events."""
    federation = outcome.federation
    for name in victims:
        until(lambda name=name: federation.is_stopped(name), f"{name} is in {outcome.cell.phase}")
        last = outcome.events(name)[-1]
        outcome.stood[name] = last.phase or last.event
    if outcome.cell.phase == "sharing":
        until(lambda: federation.is_stopped(HOLDER), f"{HOLDER} holds its deal back")
        federation.processes[HOLDER].send_signal(signal.SIGCONT)


def hit(kind: Kind, federation: Drilled, victims: tuple[str, ...]) -> None:
    """Do it to processes that stand still; those of which only connections suffer go on."""
    processes = [federation.processes[name] for name in victims]
    match kind:
        case Kind.KILL | Kind.RESTART:
            for process in processes:
                process.kill()
                process.wait()
        case Kind.PAUSE:  # The length of the pause is the fault itself.
            time.sleep(federation.waits.idle_timeout / 2)
        case _ if kind in BREAKS:
            for relay in federation.wires:
                relay.hit(BREAKS[kind])
    if kind is Kind.RESTART:
        for name in victims:
            federation.launch(name)
    elif kind not in (Kind.KILL, Kind.STOP):
        for process in processes:
            process.send_signal(signal.SIGCONT)


def _judge(outcome: Outcome, ending: Future[None], seconds: float) -> None:
    """What the operator is told in the end."""
    try:
        ending.result(seconds)
        outcome.verdict = "resumed" if outcome.cell.kind is Kind.RESTART else "completed"
    except SecFPPError as error:
        outcome.verdict, outcome.code, outcome.words = "failed", error.code, str(error)
    except TimeoutError:
        words = "; ".join(event.sentence() for event in outcome.events()[-5:])
        raise AssertionError(f"no end {seconds:.0f} s after the fault; last: {words}") from None


def _await_exits(outcome: Outcome, seconds: float) -> None:
    """Every process that can must end by itself."""
    gone = {Kind.KILL, Kind.STOP}
    dead = victims_of(outcome.cell) if outcome.cell.kind in gone else ()
    processes = outcome.federation.processes
    for name, process in processes.items():
        if name not in dead:
            ended = f"{name} has ended"
            until(lambda process=process: process.poll() is not None, ended, seconds)
            outcome.exits[name] = process.returncode
