"""`secfpp health`: whether a daemon takes work, for container health checks beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from secfpp.errors import ConfigError
from secfpp.journal.output import Data, Flags, Format, Output, say, speaking
from secfpp.pki.store import Identity
from secfpp.settings.files import CoordinatorSettings, PartySettings
from secfpp.settings.loading import load
from secfpp.transport.grpc_tls import MAILBOX, serving
from secfpp.transport.operator_api import OPERATOR

app = typer.Typer(add_completion=False)

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 (looked up, not listened on)
"""Who listens on all addresses is asked on the loopback one."""


@app.command()
def health(
    config: Annotated[Path, typer.Option(help="The daemon's coordinator.toml or party.toml.")],
    flags: Flags = None,
    output: Output = Format.HUMAN,
) -> None:
    """Ask the daemon of these settings for its health.

    Exits 0 if all its services serve, 1 if it answers and one does not, 3 if it does not answer.
    """

    def ask() -> Data:
        settings = _settings(config, flags or ())
        identity = Identity.load(settings.tls.directory)
        services = {MAILBOX: settings.listen}
        if isinstance(settings, CoordinatorSettings):
            services[OPERATOR] = settings.operator_listen
        states = asyncio.run(_states(identity, services))
        for service, serves in states.items():
            words = "serves" if serves else "answers but takes no new work"
            say(f"{identity.name}, {service.rpartition('.')[2].lower()}: {words}")
        return {"name": identity.name, "services": states, "passed": all(states.values())}

    speaking(output, ask)


async def _states(identity: Identity, services: dict[str, str]) -> dict[str, bool]:
    """Whether each service serves, by name, where it listens."""
    return {
        service: await serving(identity, _reachable(listen), service)
        for service, listen in services.items()
    }


def _settings(config: Path, flags: list[str] | tuple[()]) -> PartySettings | CoordinatorSettings:
    """The settings of either daemon; where the file is neither's, both reasons."""
    try:
        return load(PartySettings, config, flags=flags)
    except ConfigError as party:
        try:
            return load(CoordinatorSettings, config, flags=flags)
        except ConfigError as coordinator:
            raise ConfigError(
                f"neither a party's settings ({party}) nor a coordinator's ({coordinator})",
                fix="give the file that the daemon was started with",
            ) from None


def _reachable(listen: str) -> str:
    """An address of this machine at which a daemon with this `listen` is reached."""
    host, _, port = listen.rpartition(":")
    return f"{EVERYWHERE.get(host, host)}:{port}"
