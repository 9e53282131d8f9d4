"""`secfpp health`: whether a daemon takes work, for container health checks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from secfpp.errors import PeersMissing
from secfpp.journal.output import Data, Format, Output, say, speaking
from secfpp.pki.store import Identity
from secfpp.transport.grpc_tls import serving

app = typer.Typer(add_completion=False)


@app.command()
def health(
    tls: Annotated[Path, typer.Option("--tls", help="A pki directory of this federation.")],
    address: Annotated[str, typer.Option("--address", help="host:port of the daemon.")],
    name: Annotated[str, typer.Option("--name", help="The daemon's name on its certificate.")],
    output: Output = Format.HUMAN,
) -> None:
    """Ask a daemon for its gRPC health; exit 0 if it serves, 3 if not."""

    def ask() -> Data:
        if not asyncio.run(serving(Identity.load(tls), address, name)):
            raise PeersMissing(f"{name} at {address} answers but takes no new work")
        say(f"{name} serves")
        return {"name": name, "serving": True}

    speaking(output, ask)
