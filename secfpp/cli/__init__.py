"""The command `secfpp`: sub-commands are loaded by name, when they are called and not before."""

from __future__ import annotations

import difflib
import gc
import importlib
import signal
import sys
from dataclasses import dataclass

from secfpp import __version__


@dataclass(frozen=True)
class SubCommand:
    """Where a sub-command lives, as module:attribute, and its help in one line."""

    place: str
    summary: str


COMMANDS = {
    "demo": SubCommand("secfpp.demo.commands:app", "a whole federation on this machine, verified"),
    "pki": SubCommand("secfpp.cli.pki:app", "make, sign and look at keys and certificates"),
    "coordinator": SubCommand("secfpp.coordinator.commands:app", "the coordinator's daemon"),
    "party": SubCommand("secfpp.party.commands:app", "a party's daemon"),
    "run": SubCommand("secfpp.operator.commands:run_app", "submit a job and follow it"),
    "status": SubCommand("secfpp.operator.commands:status_app", "the runs a coordinator knows"),
    "log": SubCommand("secfpp.operator.commands:log_app", "what has happened in a run"),
    "resume": SubCommand(
        "secfpp.operator.commands:resume_app", "go on with a run that ended early"
    ),
    "stop": SubCommand("secfpp.operator.commands:stop_app", "end a run"),
    "audit": SubCommand("secfpp.operator.commands:audit_app", "the ledger, held to the rules"),
    "health": SubCommand("secfpp.operator.health:app", "whether a daemon takes work"),
    "forget": SubCommand("secfpp.cli.forget:app", "delete a run's state and prompts"),
    "config": SubCommand("secfpp.cli.config:app", "where each setting comes from"),
    "init": SubCommand("secfpp.cli.init:app", "write commented configuration files"),
    "shape": SubCommand("secfpp.cli.shape:app", "a slow network between addresses, for tests"),
    "compose": SubCommand("secfpp.cli.compose:app", "a federation as a file for docker compose"),
    "bench": SubCommand("secfpp.bench.commands:app", "measurements"),
}

TRAINING = ("torch", "open_clip", "PIL")


def usage() -> str:
    """The list of sub-commands."""
    lines = "\n".join(f"  {name:<12} {command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: secfpp COMMAND [OPTIONS]\n\n"
        "Secure federated prompt personalisation: parties cluster and train CLIP prompts\n"
        f"together without showing them. `secfpp COMMAND --help` says more.\n\n{lines}\n"
    )


def main() -> None:
    """Hand the arguments to the sub-command they name; an unknown name exits 2."""
    name, arguments = (sys.argv[1:2] or ["--help"])[0], sys.argv[2:]
    if name in ("--help", "-h"):
        sys.stdout.write(usage())
    elif name == "--version":
        sys.stdout.write(f"secfpp {__version__}\n")
    elif name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        sys.stderr.write(f"secfpp: there is no command {name!r}{hint}\n\n{usage()}")
        sys.exit(2)
    else:
        _run(name, arguments)


def _run(name: str, arguments: list[str]) -> None:
    """SIGTERM ends a command as SIGINT does, so that it ends what it has started."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    module, _, attribute = COMMANDS[name].place.partition(":")
    try:
        app = getattr(importlib.import_module(module), attribute)
        app(args=arguments, prog_name=f"secfpp {name}")
    except ModuleNotFoundError as error:
        if error.name not in TRAINING:
            raise
        sys.stderr.write(f"`secfpp {name}` needs {error.name}: install secfpp[train]\n")
        sys.exit(2)
    finally:
        gc.freeze()  # Python's last collection would take up to a second, and free nothing else.
