"""`secfpp party`: a party's daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import structlog
import typer

from secfpp.journal.logs import configure
from secfpp.journal.output import Data, Flags, Format, speaking
from secfpp.party.daemon import PartyDaemon
from secfpp.settings.files import PartySettings
from secfpp.settings.loading import load, strange_variables
from secfpp.transport import process

app = typer.Typer(add_completion=False)
log = structlog.get_logger()


@app.command()
def party(
    config: Annotated[Path, typer.Option(help="party.toml")],
    flags: Flags = None,
) -> None:
    """Run a party until it is told to end (or for one run, with `once`)."""
    configure("party")
    for said in strange_variables():
        log.warning("not a setting", reason=said)
    speaking(Format.HUMAN, lambda: _serve(load(PartySettings, config, flags=flags or ())))


def _serve(settings: PartySettings) -> Data:
    async def serve() -> bool:
        daemon = PartyDaemon(settings)
        async with daemon.metrics.listening(settings.metrics.listen):
            return await daemon.serve()

    process.settle()
    return {"passed": asyncio.run(serve())}
