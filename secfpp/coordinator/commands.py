"""`secfpp coordinator`: the coordinator's daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import structlog
import typer

from secfpp.coordinator.daemon import CoordinatorDaemon
from secfpp.journal.logs import configure
from secfpp.journal.output import Data, Flags, Format, speaking
from secfpp.settings.files import CoordinatorSettings
from secfpp.settings.loading import load, strange_variables
from secfpp.transport import process

app = typer.Typer(add_completion=False)
log = structlog.get_logger()


@app.command()
def coordinator(
    config: Annotated[Path, typer.Option(help="coordinator.toml")],
    flags: Flags = None,
) -> None:
    """Run the coordinator until it is told to end (or for one run, with `once`)."""
    configure("coordinator")
    for said in strange_variables():
        log.warning("not a setting", reason=said)
    speaking(
        Format.HUMAN, lambda: _serve(lambda: load(CoordinatorSettings, config, flags=flags or ()))
    )


def _serve(read: Callable[[], CoordinatorSettings]) -> Data:
    async def serve() -> bool:
        settings = read()
        daemon = CoordinatorDaemon(settings, read)
        async with daemon.metrics.listening(settings.metrics.listen):
            return await daemon.serve()

    process.settle()
    return {"passed": asyncio.run(serve())}
