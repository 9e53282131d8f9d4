"""`secfpp forget`: delete what a daemon has kept of a run, on its own machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from secfpp.errors import ConfigError
from secfpp.journal.output import Data, Flags, Format, Output, say, speaking
from secfpp.settings.files import CoordinatorSettings, PartySettings
from secfpp.settings.loading import load
from secfpp.store.sealed import Records

app = typer.Typer(add_completion=False)


@app.command()
def forget(
    run: Annotated[str, typer.Argument(metavar="RUN", help="As `secfpp status` says.")],
    party: Annotated[Path | None, typer.Option(help="party.toml, on a party's machine")] = None,
    coordinator: Annotated[
        Path | None, typer.Option(help="coordinator.toml, on the coordinator's machine")
    ] = None,
    flags: Flags = None,
    output: Output = Format.HUMAN,
) -> None:
    """Delete a run's state, prompts, ledger and log here; its daemon must not run.

    Others keep what they have. A party that has forgotten a run no longer knows what it dealt in
    it, so do not take part under the same name again.
    """

    def forgotten() -> Data:
        settings = _settings(party, coordinator, flags or [])
        directory = settings.state_dir / run
        records = Records(settings.state_dir)  # None is opened, so the key may be lost.
        try:
            if run not in records.names():
                raise ConfigError(f"no run {run!r} is kept in {settings.state_dir}")
            if directory.is_dir():
                shutil.rmtree(directory)
            records.delete(run)
        finally:
            records.close()
        say(f"{run} is forgotten here")
        return {"run": run}

    speaking(output, forgotten)


def _settings(
    party: Path | None, coordinator: Path | None, flags: list[str]
) -> PartySettings | CoordinatorSettings:
    if party is not None and coordinator is None:
        return load(PartySettings, party, flags=flags)
    if coordinator is not None and party is None:
        return load(CoordinatorSettings, coordinator, flags=flags)
    raise ConfigError("give one of --party and --coordinator", fix="see `secfpp forget --help`")
