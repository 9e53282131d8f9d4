"""`secfpp run`, `status`, `log`, `resume` and `stop`: an operator's verbs at a coordinator."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from secfpp.errors import Interrupted, RequestRefused, SecFPPError
from secfpp.journal.events import Event
from secfpp.journal.files import read_bytes
from secfpp.journal.output import Data, Flags, Format, Output, say, show_table, speaking
from secfpp.journal.tally import taught_nobody
from secfpp.operator.audit import audit as run_audit
from secfpp.operator.audit import verdict
from secfpp.operator.client import CoordinatorLost, Operator
from secfpp.pki.store import Identity
from secfpp.settings.consent import policy_of
from secfpp.settings.files import JobSettings, PartySettings
from secfpp.settings.loading import load, strange_variables
from secfpp.transport.operator_api import OperatorClient

Tls = Annotated[
    Path, typer.Option("--tls", envvar="SECFPP_OPERATOR_TLS", help="Your pki directory.")
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="SECFPP_OPERATOR_ADDRESS",
        help="Where the coordinator listens for operators, host:port.",
    ),
]
Name = Annotated[str, typer.Option("--coordinator", help="The coordinator's name.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="As `run` and `status` say.")]

ADDRESS = "127.0.0.1:7751"

Known = dict[str, object]
"""What a command has come to know so far: its data, also where it then fails."""

run_app = typer.Typer(add_completion=False)
status_app = typer.Typer(add_completion=False)
log_app = typer.Typer(add_completion=False)
resume_app = typer.Typer(add_completion=False)
stop_app = typer.Typer(add_completion=False)
audit_app = typer.Typer(add_completion=False)


@run_app.command()
def run(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="job.toml")],
    tls: Tls,
    address: Address = ADDRESS,
    coordinator: Name = "coordinator",
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the run ends.")] = False,
    flags: Flags = None,
    output: Output = Format.HUMAN,
) -> None:
    """Submit a job; with --follow, say what happens, with local times, until it ends."""

    known: Known = {}

    async def submit(operator: Operator) -> Data:
        for said in strange_variables():
            say(said)
        known["run"] = name = await operator.submit(load(JobSettings, job, flags=flags or ()))
        say(f"submitted as {name}")
        if follow:
            await _follow(operator, name, known)
        return known

    speaking(output, lambda: with_operator(tls, address, coordinator, submit), known)


@status_app.command()
def status(
    tls: Tls,
    address: Address = ADDRESS,
    coordinator: Name = "coordinator",
    output: Output = Format.HUMAN,
) -> None:
    """List the runs the coordinator knows, with the last thing each has said."""

    async def ask(operator: Operator) -> Data:
        runs = await operator.status()
        rows = [[known["run"], known["outcome"], known["last"]] for known in runs]
        show_table("Runs", ("run", "outcome", "last event"), rows)
        return {"runs": runs}

    speaking(output, lambda: with_operator(tls, address, coordinator, ask))


@log_app.command()
def log(
    name: RunName,
    tls: Tls,
    address: Address = ADDRESS,
    coordinator: Name = "coordinator",
    output: Output = Format.HUMAN,
) -> None:
    """Say what has happened in a run, and go on until it ends; with --format json all its events.

    Each line begins with its local time.
    """
    known: Known = {"run": name}

    async def ask(operator: Operator) -> Data:
        events: list[object] = []
        known["events"] = events
        await _follow(operator, name, known, lambda event: events.append(json.loads(event.line())))
        return known

    speaking(output, lambda: with_operator(tls, address, coordinator, ask), known)


@resume_app.command()
def resume(
    name: RunName,
    tls: Tls,
    address: Address = ADDRESS,
    coordinator: Name = "coordinator",
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the run ends.")] = False,
    output: Output = Format.HUMAN,
) -> None:
    """Go on with a run that ended early, at the round it had come to."""

    known: Known = {"run": name}

    async def ask(operator: Operator) -> Data:
        await operator.resume(name)
        say(f"{name} goes on")
        if follow:
            await _follow(operator, name, known)
        return known

    speaking(output, lambda: with_operator(tls, address, coordinator, ask), known)


@stop_app.command()
def stop(
    name: RunName,
    tls: Tls,
    address: Address = ADDRESS,
    coordinator: Name = "coordinator",
    output: Output = Format.HUMAN,
) -> None:
    """End a run; the parties keep their last good prompts."""

    async def ask(operator: Operator) -> Data:
        await operator.stop(name)
        say(f"{name} was told to stop")
        return {"run": name}

    speaking(output, lambda: with_operator(tls, address, coordinator, ask))


async def _follow(
    operator: Operator, name: str, known: Known, told: Callable[[Event], None] = lambda _: None
) -> None:
    """Every event of a run that people want to hear, until it ends; then its rounds as a table.

    `known` has, from the first event on, how the run stands and how many rounds it has closed.
    """
    events: list[Event] = []
    try:
        async for event in operator.follow(name):
            events.append(event)
            told(event)
            known |= {"outcome": "running", "rounds": len(_closed(events))}
            if not event.minor:
                say(f"{time.strftime('%H:%M:%S', time.localtime(event.time))} {event.sentence()}")
    except asyncio.CancelledError:
        raise Interrupted(
            f"{name} goes on, it does not need you", fix=f"`secfpp log {name}` follows it again"
        ) from None
    except (CoordinatorLost, RequestRefused):
        raise
    except SecFPPError as error:
        known["outcome"] = error.code
        raise
    known["outcome"] = "completed"
    say(f"{name} is done")
    show_table(name, ("round", "attempts", "distances", "seconds", "result"), _rounds(events))
    if taught_nobody(events):
        say(f"{name} taught nobody anything: no cluster was large enough in any round")


def _closed(events: Sequence[Event]) -> list[Event]:
    """The ends of the rounds that were completed."""
    return [event for event in events if event.event == "closed"]


def _rounds(events: Sequence[Event]) -> list[list[str]]:
    """A row for each round that was completed; its seconds are the coordinator's."""
    seconds: defaultdict[int, float] = defaultdict(float)
    for event in events:
        if event.event == "cost":
            seconds[event.round] += event.seconds
    return [
        [f"{e.round}", f"{e.attempt}", f"{e.count}", f"{seconds[e.round]:.2f}", e.text]
        for e in _closed(events)
    ]


def with_operator(
    tls: Path, address: str, coordinator: str, verb: Callable[[Operator], Awaitable[Data]]
) -> Data:
    """Do something over a connection to the coordinator's door, which is closed after it."""

    async def connected() -> Data:
        operator = Operator(OperatorClient(Identity.load(tls), address, coordinator, say))
        try:
            return await verb(operator)
        finally:
            await operator.close()

    return asyncio.run(connected())


@audit_app.command()
def audit(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run directory of a coordinator, or an evidence file."
        ),
    ],
    ca: Annotated[Path | None, typer.Option("--ca", help="ca.crt, to check evidence.")] = None,
    policy: Annotated[Path | None, typer.Option(help="party.toml, to hold rounds to.")] = None,
    output: Output = Format.HUMAN,
) -> None:
    """The ledger of what was opened, held against the rules; exits 1 where something is amiss."""

    def audited() -> Data:
        consent = None if policy is None else policy_of(load(PartySettings, policy))
        findings = run_audit(run, None if ca is None else read_bytes(ca), consent)
        verdicts = {True: "holds", False: "DOES NOT HOLD", None: "note"}
        rows = [[found.what, verdicts[found.passed], found.detail] for found in findings]
        show_table(f"audit of {run}", ("what", "verdict", "detail"), rows)
        say(f"audit of {run}: {verdict(findings)}")
        passed = all(found.passed is not False for found in findings)
        return {"findings": [vars(found) for found in findings], "passed": passed}

    speaking(output, audited)
